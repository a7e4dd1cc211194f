"""Which exercises have passed: one small file on this machine, which `gencourse progress` shows and forgets.

The environment variable GENCOURSE_PASSED names another file; 0 keeps nothing. Nothing is kept either while nbgrader
grades, in tests, and where `gencourse execute` runs a notebook. Where the file cannot be written, what has passed
counts in the kernel alone, and the reader is told so once.
"""

import json
import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from filelock import FileLock
from platformdirs import user_data_path

from gencourse.support.files import write_whole
from gencourse.support.output import plural

OTHERS = (
    "NBGRADER_EXECUTION",
    "PYTEST_VERSION",
)  # set where it is not the reader who passes
TOLD = (
    "That it has passed is kept in `{}` on this machine, and nowhere else. In a notebook "
    "`%run -m gencourse progress` shows what has passed, `%run -m gencourse progress --forget` deletes the file."
)
FAILED = (
    "That it has passed could not be written to `{}` ({}): it counts until this kernel ends. The environment "
    "variable GENCOURSE_PASSED can name another file."
)
_pending: dict[str, str] = {}  # what could not be written yet
_here: set[str] = set()  # what has passed in this process, whether it is kept or not
_told: set[Path] = set()  # what the reader has been told already


class Counted(Protocol):
    """What counts of an exercise here."""

    minutes: int

    @property
    def key(self) -> str: ...


Some = TypeVar("Some", bound=Counted)


def path() -> Path | None:
    """The file, whether it is there or not; None where nothing is kept, as for a user without a home."""
    chosen = os.environ.get("GENCOURSE_PASSED")
    if chosen == "0" or any(name in os.environ for name in OTHERS):
        return None
    try:
        return (
            Path(chosen).expanduser()
            if chosen
            else user_data_path("gencourse", appauthor=False) / "passed.json"
        )
    except RuntimeError:
        return None


def note(key: str, of: Sequence[Counted] = (), seconds: float = 1.0) -> str:
    """Keep that the exercise `key` has passed, now if not before. Returns what the reader is to be told.

    That is how many of the exercises `of` its notebook have passed; once, where that is kept; once, that it cannot be.

    Raises nothing, and takes no longer than `seconds`: where the file cannot be written, this is tried again with the
    next exercise.
    """
    told = []
    _here.add(key)

    def keep() -> None:
        with suppress(Exception):
            if (file := path()) is not None:
                _pending.setdefault(
                    key, datetime.now().astimezone().isoformat(timespec="seconds")
                )
                kept = _keep(file, seconds / 2)
                if of:
                    told.append(standing(of))
                told.append(kept)

    thread = threading.Thread(target=keep, daemon=True, name="noting what has passed")
    with suppress(RuntimeError):  # no thread to be had
        thread.start()
        thread.join(seconds)
    return "\n".join(filter(None, told))


def left(exercises: Iterable[Some]) -> list[Some]:
    """Those of the exercises that have not passed."""
    passed = _here.union(read())
    return [each for each in exercises if each.key not in passed]


def standing(exercises: Sequence[Counted]) -> str:
    """How far the reader has come with the exercises of a notebook, in one line."""
    missing = left(exercises)
    of_all = f"{len(exercises) - len(missing)} of {plural(len(exercises), 'exercise')} of this notebook passed"
    minutes = plural(sum(each.minutes for each in missing), "minute")
    return of_all + (f", about {minutes} left" if missing else "") + "."


def read() -> dict[str, datetime]:
    """{key: datetime} of what has passed; empty where nothing is kept, or what is there cannot be read."""
    file = path()
    try:
        return {
            key: datetime.fromisoformat(when)
            for key, when in json.loads(file.read_text("utf-8")).items()
        }
    except (AttributeError, OSError, TypeError, ValueError):
        return {}


def forget() -> bool:
    """Delete the file. Returns whether there was one; raises OSError where it cannot be deleted."""
    file = path()
    _pending.clear()
    _here.clear()
    there = file is not None and file.exists()
    for each in (
        (file, file.with_suffix(".lock"), file.with_suffix(".damaged")) if file else ()
    ):
        each.unlink(missing_ok=True)
    return there


def _keep(file: Path, seconds: float) -> str:
    """Write what is pending. Returns what the reader is to be told of it, once."""
    try:
        return TOLD.format(file) if _write(file, seconds) else ""
    except OSError as error:
        if file in _told:
            return ""
        _told.add(file)
        return FAILED.format(file, error.strerror or "it is locked")


def _write(file: Path, seconds: float) -> bool:
    """Add what is pending. Returns whether the file is new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(
        file.with_suffix(".lock"), timeout=seconds
    ):  # several kernels may do this at once
        new = not file.exists()
        before = read()
        if not new and not before and file.stat().st_size:
            os.replace(file, file.with_suffix(".damaged"))
        if not set(_pending) <= set(before):
            passed = _pending | {key: when.isoformat() for key, when in before.items()}
            with write_whole(file) as part:
                part.write_text(
                    json.dumps(passed, indent=1, sort_keys=True) + "\n", "utf-8"
                )
    _pending.clear()
    return new
