"""The inputs that an exercise is tried on, and what comes of them."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Problem, as_numbers
from gencourse.exercises.machine.sandbox import untouched

_VARIANT = ContextVar("variant", default=0)
NOT_TRIED = Problem(
    "not yet", "not tried", "It was not tried, for something before it is wrong."
)


def seeded(seed: int) -> torch.Generator:
    """The generator that random inputs of cases are drawn from: the same every time, but another in each variant."""
    return torch.Generator("cpu").manual_seed(1_000_003 * _VARIANT.get() + seed)


def integer(low: int, high: int, *, seed: int) -> int:
    """An integer from low to high, both included, drawn from `seeded(seed)`."""
    return torch.randint(low, high + 1, (), generator=seeded(seed), device="cpu").item()


def varied(chapter: ModuleType, variant: int) -> ModuleType:
    """A copy of a chapter's exercises, with other random inputs in their cases. Variant 0 has those of the chapter.

    Its modules are imported anew, beside those that are there, which stay what they are.
    """
    room, _, name = chapter.__name__.rpartition(".")
    kept = {
        key: sys.modules.pop(key)
        for key in list(sys.modules)
        if _belongs(key, chapter.__name__)
    }
    token = _VARIANT.set(variant)
    try:
        with untouched():  # as the chapter itself: see the package's __getattr__
            return importlib.import_module(chapter.__name__)
    finally:
        _VARIANT.reset(token)
        for key in [key for key in sys.modules if _belongs(key, chapter.__name__)]:
            del sys.modules[key]
        sys.modules.update(kept)
        if room in sys.modules:
            setattr(sys.modules[room], name, chapter)


def _belongs(module: str, chapter: str) -> bool:
    return module == chapter or module.startswith(f"{chapter}.")


class Case:
    """One input. Arguments are copied for every call, so an in-place function harms nobody.

    observe(fn, *arguments) replaces `fn(*arguments)` where more than one call is to be looked at; atol and
    rtol are the tolerances of the comparison with the reference.

    Where many answers are right, as of a whole model that the reader builds, the case is a law instead:
    holds(observed) replaces the comparison, and broken(observed) says what is wrong; its label is the diagnosis.
    A law that needs nothing of the reference names the shape of what is observed: the reference is not run for it.
    A case with `if_right` is not tried where one before it is wrong: it takes longer, and could say nothing.

    >>> Case(3.0, observe=lambda fn, x: torch.tensor([fn(x), fn(-x)])).run(lambda x: x + 1)
    tensor([ 4., -2.], dtype=torch.float64)
    >>> positive = Case(3.0, label="positive", holds=lambda y: y > 0, broken=lambda y: f"It is {y}.", shape=())
    >>> positive.right(torch.tensor(2.0), torch.tensor(1.0)), positive.right(torch.tensor(-2.0), torch.tensor(1.0))
    (True, False)
    """

    def __init__(
        self,
        *arguments: Any,
        label: str | None = None,
        observe: Callable | None = None,
        atol: float = 1e-5,
        rtol: float = 1e-4,
        holds: Callable[[Tensor], bool] | None = None,
        broken: Callable[[Tensor], str] | None = None,
        shape: tuple[int, ...] | None = None,
        if_right: bool = False,
    ) -> None:
        if (holds is None) != (broken is None) or (holds and not label):
            raise ValueError("a law has all of holds, broken and label")
        if shape is not None and holds is None:
            raise ValueError("only a law names the shape of what is observed")
        self.arguments, self.label, self.observe = arguments, label, observe
        self.atol, self.rtol = atol, rtol
        self.holds, self.broken, self.shape, self.if_right = holds, broken, shape, if_right

    def run(self, fn: Callable) -> Tensor:
        arguments = copy.deepcopy(self.arguments)
        return (
            self.observe(fn, *arguments).double()
            if self.observe
            else as_numbers(fn(*arguments))
        )

    def expected(self, reference: Callable) -> Tensor:
        """What the reference makes of the input; zeros of its shape where a law does not ask for more."""
        return (
            self.run(reference)
            if self.shape is None
            else torch.zeros(self.shape, dtype=torch.float64)
        )

    def right(self, value: Tensor, expected: Tensor) -> bool:
        """Is the value that of a right answer? A law asks `holds`, other cases compare with the reference."""
        if self.holds is None:
            return self.same(value, expected)
        return value.shape == expected.shape and bool(self.holds(value))

    def same(self, a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(
            a, b, rtol=self.rtol, atol=self.atol, equal_nan=True
        )


@dataclass(frozen=True)
class Result:
    """What came of one case: a value (float64), or a problem where there is none."""

    case: Case
    label: str
    expected: Tensor
    value: Tensor | None = None
    problem: Problem | None = None

    @property
    def right(self) -> bool:
        return self.value is not None and self.case.right(self.value, self.expected)

    @property
    def not_tried(self) -> bool:
        """Was it left out, because one before it was wrong?"""
        return self.problem is not None and self.problem.diagnosis == NOT_TRIED.diagnosis

    def like(self, other: Tensor | Problem) -> bool:
        if self.value is None or isinstance(other, Problem):
            return (
                self.value is None
                and isinstance(other, Problem)
                and self.problem.diagnosis == other.diagnosis
            )
        return self.case.same(self.value, other)
