"""Which exercises have passed: one small file on this machine, which `gencourse progress` shows and forgets.

The environment variable GENCOURSE_PASSED names another file; 0 keeps nothing. Nothing is kept either while nbgrader
grades, in tests, and where `gencourse execute` runs a notebook.
"""

import json
import os
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from platformdirs import user_data_path

from gencourse._files import write_whole

OTHERS = ("NBGRADER_EXECUTION", "PYTEST_VERSION")  # set where it is not the reader who passes
TOLD = ("That it has passed is kept in `{}` on this machine, and nowhere else. `gencourse progress` shows what has "
        "passed, `gencourse progress --forget` deletes the file.")
_pending = {}  # what could not be written yet


def path():
    """The file, whether it is there or not; None where nothing is kept."""
    chosen = os.environ.get("GENCOURSE_PASSED")
    if chosen == "0" or any(name in os.environ for name in OTHERS):
        return None
    return Path(chosen).expanduser() if chosen else user_data_path("gencourse", appauthor=False) / "passed.json"


def note(key, seconds=1.0):
    """Keep that the exercise `key` has passed, now if not before. Returns what the reader is to be told of it, once.

    Raises nothing, and takes no longer than `seconds`: where the file cannot be written, this is tried again with the
    next exercise.
    """
    told = [""]

    def keep():
        with suppress(Exception):
            if (file := path()) is not None:
                _pending.setdefault(key, datetime.now().astimezone().isoformat(timespec="seconds"))
                told.append(TOLD.format(file) if _write(file, seconds / 2) else "")

    thread = threading.Thread(target=keep, daemon=True, name="noting what has passed")
    with suppress(RuntimeError):  # no thread to be had
        thread.start()
        thread.join(seconds)
    return told[-1]


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
    there = file is not None and file.exists()
    for each in (file, file.with_suffix(".lock"), file.with_suffix(".damaged")) if file else ():
        each.unlink(missing_ok=True)
    return there


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
