"""Exercises that answer back: a folder for each notebook, a file for each exercise; `machine` judges the answers."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.exercise import Exercise, summary
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.machine.sandbox import untouched
from gencourse.exercises.machine.verdict import Verdict

__all__ = ["Case", "Exercise", "Mistake", "Symptom", "Verdict", "summary"]


def __getattr__(name: str) -> ModuleType:
    """A module of exercises, imported when it is first asked for: its inputs are drawn as in a fresh kernel."""
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with untouched():
        return import_module(f"{__name__}.{name}")
