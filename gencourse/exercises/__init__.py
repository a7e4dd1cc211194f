"""Exercises that answer back: `core` is the machinery, and each notebook has a module of its exercises."""

from .core import Case, Exercise, exercise
from .verdict import Verdict

__all__ = ["Case", "Exercise", "Verdict", "exercise"]
