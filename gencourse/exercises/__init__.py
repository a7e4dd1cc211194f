"""Exercises that answer back: `core` is the machinery, and each notebook has a module of its exercises."""

from importlib import import_module
from importlib.util import find_spec

from .core import Case, Exercise, exercise
from .sandbox import untouched
from .verdict import Verdict

__all__ = ["Case", "Exercise", "Verdict", "exercise"]


def __getattr__(name: str):
    """A module of exercises, imported when it is first asked for: its inputs are drawn as in a fresh kernel."""
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with untouched():
        return import_module(f"{__name__}.{name}")
