"""Which exercises have passed: one small file on this machine, which `gencourse progress` shows and forgets.

The environment variable GENCOURSE_PASSED names another file; 0 keeps nothing. Nothing is kept either while nbgrader
grades, in tests, and where `gencourse execute` runs a notebook. Where the file cannot be written, what has passed
counts in the kernel alone, and the reader is told so once.
"""

import json
import os
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from platformdirs import user_data_path

from gencourse._files import write_whole
from gencourse._output import plural

OTHERS = ("NBGRADER_EXECUTION", "PYTEST_VERSION")  # set where it is not the reader who passes
TOLD = ("That it has passed is kept in `{}` on this machine, and nowhere else. In a notebook "
        "`%run -m gencourse progress` shows what has passed, `%run -m gencourse progress --forget` deletes the file.")
FAILED = ("That it has passed could not be written to `{}` ({}): it counts until this kernel ends. The environment "
          "variable GENCOURSE_PASSED can name another file.")
_pending = {}  # what could not be written yet
_here = set()  # what has passed in this process, whether it is kept or not
_told = set()  # what the reader has been told already


def path():
    """The file, whether it is there or not; None where nothing is kept, as for a user without a home."""
    chosen = os.environ.get("GENCOURSE_PASSED")
    if chosen == "0" or any(name in os.environ for name in OTHERS):
        return None
    try:
        return Path(chosen).expanduser() if chosen else user_data_path("gencourse", appauthor=False) / "passed.json"
    except RuntimeError:
        return None


def note(key, seconds=1.0):
    """Keep that the exercise `key` has passed, now if not before. Returns what the reader is to be told.

    That is how many exercises of the notebook have passed; once, where that is kept, and once, that it cannot be kept.

    Raises nothing, and takes no longer than `seconds`: where the file cannot be written, this is tried again with the
    next exercise.
    """
    told = []
    _here.add(key)

    def keep():
        with suppress(Exception):
            if (file := path()) is not None:
                _pending.setdefault(key, datetime.now().astimezone().isoformat(timespec="seconds"))
                kept = _keep(file, seconds / 2)
                if module := sys.modules.get(f"gencourse.exercises.{key.partition('.')[0]}"):
                    told.append(_standing(*_of(module)))
                told.append(kept)

    thread = threading.Thread(target=keep, daemon=True, name="noting what has passed")
    with suppress(RuntimeError):  # no thread to be had
        thread.start()
        thread.join(seconds)
    return "\n".join(filter(None, told))


def summary(exercises):
    """How many exercises of a notebook have passed, and which are left: a box in a notebook, text elsewhere.

        from gencourse.exercises import vae as exercises
        from gencourse.passed import summary

        summary(exercises)

    The same wherever nothing is kept, as where `gencourse execute` runs the notebook and no exercise is attempted.
    Raises TypeError for what is no module of exercises.
    """
    from gencourse.exercises.verdict import Page

    found, left = _of(exercises)
    if not found:
        what = getattr(exercises, "__name__", repr(exercises))
        raise TypeError(f"{what} has no exercises; expected a module such as gencourse.exercises.vae")
    rows = (f"`{each.name}`: {plural(each.minutes, 'minute')}, {each.difficulty}" for each in left)
    return Page("info" if left else "passed", _standing(found, left), "\n".join(rows))


def read():
    """{key: datetime} of what has passed; empty where nothing is kept, or what is there cannot be read."""
    file = path()
    try:
        return {key: datetime.fromisoformat(when) for key, when in json.loads(file.read_text("utf-8")).items()}
    except (AttributeError, OSError, TypeError, ValueError):
        return {}


def forget():
    """Delete the file. Returns whether there was one; raises OSError where it cannot be deleted."""
    file = path()
    _pending.clear()
    _here.clear()
    there = file is not None and file.exists()
    for each in (file, file.with_suffix(".lock"), file.with_suffix(".damaged")) if file else ():
        each.unlink(missing_ok=True)
    return there


def _of(module):
    """The exercises of a module, and those of them that have not passed."""
    from gencourse.exercises.core import exercises_of

    found = exercises_of(module)
    passed = _here.union(read())
    return found, [each for each in found if each.key not in passed]


def _standing(found, left):
    """How far the reader has come, in one line."""
    of_all = f"{len(found) - len(left)} of {plural(len(found), 'exercise')} of this notebook passed"
    return of_all + (f", about {plural(sum(each.minutes for each in left), 'minute')} left" if left else "") + "."


def _keep(file, seconds):
    """Write what is pending. Returns what the reader is to be told of it, once."""
    try:
        return TOLD.format(file) if _write(file, seconds) else ""
    except OSError as error:
        if file in _told:
            return ""
        _told.add(file)
        return FAILED.format(file, error.strerror or "it is locked")


def _write(file, seconds):
    """Add what is pending. Returns whether the file is new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock"), timeout=seconds):  # several kernels may do this at once
        new = not file.exists()
        before = read()
        if not new and not before and file.stat().st_size:
            os.replace(file, file.with_suffix(".damaged"))
        if not set(_pending) <= set(before):
            passed = _pending | {key: when.isoformat() for key, when in before.items()}
            with write_whole(file) as part:
                part.write_text(json.dumps(passed, indent=1, sort_keys=True) + "\n", "utf-8")
    _pending.clear()
    return new
