"""Exercises as assignments of nbgrader: `export` makes them, `mark` is what their test cells call, `autograde` judges.

A test cell runs in the kernel of the one who is being graded, where all can be bent. So `mark` tells the verdict to the
student, and while nbgrader grades it also hands out the bare answers; the marks come from `autograde`, which
compares those in a process of its own.
"""

import os
from collections.abc import Callable
from functools import cache
from types import ModuleType

from IPython.display import display

import gencourse.exercises
from gencourse.exercises.machine import passed
from gencourse.exercises.machine.answers import Answers, Problem
from gencourse.exercises.machine.cases import varied
from gencourse.exercises.machine.exercise import Exercise, exercises_of
from gencourse.support.output import show

ANSWERS = "application/vnd.gencourse.answers"  # the type of the output that carries them


class NotPassed(AssertionError):
    """A function did not pass. Shown in one line, for the verdict stands above it."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def mark(key: str, function: Callable, variant: int = 0) -> None:
    """Show the verdict on `function`, the answer to the exercise `key`, such as "vae.elbo"; in a test cell of nbgrader.

    `variant` names other random inputs, 0 those of the exercise's own check. Raises NotPassed unless the verdict is
    *passed*, and KeyError where there is no such exercise.
    """
    exercise = find(key, variant)
    answers = exercise.answers(function, float(os.environ.get("GENCOURSE_SECONDS", exercise.seconds)))
    if _is_reference(function, exercise):
        answers = Answers(
            (),
            Problem(
                "not yet",
                "the reference",
                "This is the course's own solution, as `check` hands "
                "it over where a function has not passed. Hand in your own: run its cell again.",
            ),
        )
    execution = os.environ.get("NBGRADER_EXECUTION")  # "autograde"; or "validate", which shows nothing but the error
    if execution == "autograde":
        display({ANSWERS: answers.to_json(), "text/plain": ""}, raw=True)
    verdict = exercise.judge(answers)
    of = exercises_of(_module(key.partition(".")[0], 0))
    show(verdict.page(passed.note(key, of) if verdict.passed else ""))
    if not verdict.passed:
        raise NotPassed(repr(verdict) if execution == "validate" else f"{exercise.name}: {verdict.status}")


def find(key: str, variant: int = 0) -> Exercise:
    """The exercise of this key. Raises KeyError where there is none."""
    module, _, name = key.partition(".")
    try:
        exercise = getattr(_module(module, variant), name)
    except AttributeError:
        exercise = None
    if not isinstance(exercise, Exercise):
        raise KeyError(f"there is no exercise {key!r}; expected MODULE.NAME, such as 'vae.elbo'")
    return exercise


@cache
def _module(name: str, variant: int) -> ModuleType:
    module = getattr(gencourse.exercises, name)
    return varied(module, variant) if variant else module


def _is_reference(function: Callable, exercise: Exercise) -> bool:
    code, own = getattr(function, "__code__", None), exercise.reference.__code__
    return code is not None and (code.co_filename, code.co_name) == (own.co_filename, own.co_name)
