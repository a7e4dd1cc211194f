"""An exercise answers back: it runs the reader's function, and names the misconception behind a wrong answer.

An exercise is a reference implementation, the inputs it is tried on, and a list of mistakes. A mistake is
*one change* in the reference's source, with a name and a message. A wrong answer is run on the inputs and
compared with every mistake; where one behaves alike on all inputs, its message is shown. Then come symptoms
(a property that many wrong implementations share), then what can be said of any numbers: shape, NaN, a
constant factor, where they differ. Only behaviour counts: the reader's source is compared with nothing.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import inspect
import math
import textwrap
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor

from gencourse import passed
from gencourse._output import plural, show

from .answers import Answers, Problem, Unusable, as_numbers, describe_error, is_stub, shape_of
from .general import in_general
from .sandbox import Stopped, fresh, run_limited, untouched
from .verdict import Listing, Page, Verdict

GOES_ON = "The notebook goes on with the reference."
_VARIANT = ContextVar("variant", default=0)


def seeded(seed: int) -> torch.Generator:
    """The generator that random inputs of cases are drawn from: the same every time, but another in each variant."""
    return torch.Generator("cpu").manual_seed(1_000_003 * _VARIANT.get() + seed)


def some(low: int, high: int, *, seed: int) -> int:
    """An integer from low to high, both included, drawn from `seeded(seed)`."""
    return torch.randint(low, high + 1, (), generator=seeded(seed), device="cpu").item()


def varied(module: ModuleType, variant: int) -> ModuleType:
    """A copy of a module of exercises, with other random inputs in their cases. Variant 0 has those of the module."""
    spec = importlib.util.find_spec(module.__name__)
    other = importlib.util.module_from_spec(spec)
    token = _VARIANT.set(variant)
    try:
        with untouched():                       # as the module itself: see the package's __getattr__
            spec.loader.exec_module(other)
    finally:
        _VARIANT.reset(token)
    return other


class Case:
    """One input. Arguments are copied for every call, so an in-place function harms nobody.

    observe(fn, *arguments) replaces `fn(*arguments)` where more than one call is to be looked at; atol and
    rtol are the tolerances of the comparison.
    """

    def __init__(self, *arguments, label: str | None = None, observe: Callable | None = None,
                 atol: float = 1e-5, rtol: float = 1e-4):
        self.arguments, self.label, self.observe = arguments, label, observe
        self.atol, self.rtol = atol, rtol

    def run(self, fn: Callable) -> Tensor:
        arguments = copy.deepcopy(self.arguments)
        return self.observe(fn, *arguments).double() if self.observe else as_numbers(fn(*arguments))

    def same(self, a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(a, b, rtol=self.rtol, atol=self.atol, equal_nan=True)


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
        return self.value is not None and self.case.same(self.value, self.expected)

    def like(self, other: Tensor | Problem) -> bool:
        if self.value is None or isinstance(other, Problem):
            return self.value is None and isinstance(other, Problem) and self.problem.diagnosis == other.diagnosis
        return self.case.same(self.value, other)


@dataclass(frozen=True)
class Mistake:
    name: str
    message: str
    function: Callable


@dataclass(frozen=True)
class Symptom:
    name: str
    message: str
    shows: Callable[[list[Result]], bool]
    errors_too: bool


def exercises_of(module: ModuleType) -> list[Exercise]:
    """The exercises that a module defines, in order."""
    return [each for each in getattr(module, "__dict__", {}).values() if isinstance(each, Exercise)]


def exercise(*, minutes: int, difficulty: str, hints: Sequence[str], cases: Sequence[Case]):
    """Turns the decorated function, the reference, into an Exercise of the same name."""
    return lambda reference: Exercise(reference, minutes, difficulty, tuple(hints), tuple(cases))


class Exercise:
    """check(fn) · grade(fn) · hint() · solution(). How one is written: see `autoregression`."""

    def __init__(self, reference: Callable, minutes: int, difficulty: str, hints: tuple[str, ...],
                 cases: tuple[Case, ...]):
        self.reference, self.name = reference, reference.__name__
        self.minutes, self.difficulty, self.hints, self.cases = minutes, difficulty, hints, cases
        self.mistakes: list[Mistake] = []
        self.symptoms: list[Symptom] = []
        self._of_mistakes: dict[tuple[str, int], Tensor | Problem] = {}        # filled as they are needed
        self._hints_given = 0

    # what the reader calls

    def check(self, fn: Callable, seconds: float = 10.0) -> Callable:
        """Show the verdict; return `fn` if it passed, else the reference."""
        verdict = self.grade(fn, seconds)
        after = "" if verdict.passed else GOES_ON
        if verdict.passed and fn is not self.reference:
            after = passed.note(self.key)
        if verdict.status in ("not yet", "raised an error"):
            after += f" Stuck? `exercises.{self.name}.hint()`"
        if fn is self.reference:
            after = "This is the reference itself: run the cell of your own function again to check that one."
        show(verdict.page(after))
        return fn if verdict.passed else self.reference

    def grade(self, fn: Callable, seconds: float = 10.0) -> Verdict:
        """The verdict alone. The reader's function has `seconds` for all inputs together."""
        return self.judge(self.answers(fn, seconds))

    def answers(self, fn: Callable, seconds: float = 10.0) -> Answers:
        """What the reader's function makes of the inputs, not yet judged.

        It runs as in a fresh kernel, whatever the reader's has set: default dtype float32, on the CPU, with gradients.
        """
        if (problem := self._before_running(fn)) is not None:
            return Answers((), problem)
        _ = self.expected                       # first: what torch imports at its first use is not the reader's time
        with untouched():
            return self._run(fn, seconds)

    def judge(self, answers: Answers) -> Verdict:
        """The verdict on answers, which may come from another process."""
        cases = [*self.cases, self.cases[0]]    # the first once more: is the answer the same?
        if answers.problem is None and len(answers.values) != len(cases):
            raise ValueError(f"{self.name}: {len(answers.values)} answers came to {len(cases)} inputs")
        with untouched():
            problem = answers.problem or self._judge([
                Result(case, self._label(case), expected, *((None, value) if isinstance(value, Problem) else (value,)))
                for case, expected, value in zip(cases, [*self.expected, self.expected[0]], answers.values)])
        return Verdict(self.name, *problem, answers.printed)

    def hint(self) -> None:
        """Show the next hint."""
        n, total = self._hints_given, len(self.hints)
        if n < total:
            show(Page("info", f"{self.name}: hint {n + 1} of {total}", self.hints[n]))
            self._hints_given += 1
        else:
            show(Page("info", f"{self.name}: that was the last of {total} hints",
                      f"{self.hints[-1]}\nA way to do it: `exercises.{self.name}.solution()`"))

    def solution(self) -> None:
        """Show the reference."""
        show(Listing(f"{self.name}: one way to do it", self.solution_source))

    # what an exercise says of itself

    @property
    def key(self) -> str:
        """Its module and name, such as "vae.elbo"."""
        return f"{self.reference.__module__.rpartition('.')[2]}.{self.name}"

    @property
    def statement(self) -> str:
        return f"about {plural(self.minutes, 'minute')} · {self.difficulty}\n{inspect.getdoc(self.reference)}"

    @property
    def solution_source(self) -> str:
        """The reference; stands alone after `import math`, `import torch`, `from torch import Tensor`."""
        return "\n".join(self._source_lines()) + "\n"

    @property
    def stub(self) -> str:
        """What stands in the notebook: the signature, the docstring, and a place for the reader's code."""
        lines = self._source_lines()
        end = ast.parse("\n".join(lines)).body[0].body[0].end_lineno
        return "\n".join(lines[:end] + ["    ...".ljust(44) + "# your code"]) + "\n"

    def _source_lines(self) -> list[str]:
        source = textwrap.dedent(inspect.getsource(self.reference))
        return source.splitlines()[ast.parse(source).body[0].lineno - 1:]       # without the decorator

    def _page(self) -> Page:
        return Page("info", f"Exercise {self.name}", self.statement)

    def __repr__(self) -> str:
        return self._page().text()

    def _repr_html_(self) -> str:
        return self._page().html()

    # how an exercise is written

    def mistake(self, name: str, old: str, new: str, message: str) -> None:
        """A wrong implementation: `old`, which occurs once in the reference's source, replaced by `new`."""
        source = self.solution_source
        if source.count(old) != 1:
            raise ValueError(f"{self.name}, {name!r}: {old!r} occurs {source.count(old)} times, not once")
        scope = {"math": math, "torch": torch, "Tensor": Tensor}
        exec(source.replace(old, new), scope)
        self.mistakes.append(Mistake(name, message, scope[self.name]))

    def symptom(self, name: str, message: str | None = None, errors_too: bool = False):
        """Registers the decorated `shows(results) -> bool`. A mistake's name alone takes over its message.

        Where an input raised an error, only symptoms with `errors_too` are looked for.
        """
        message = message or next(m.message for m in self.mistakes if m.name == name)
        return lambda shows: self.symptoms.append(Symptom(name, message, shows, errors_too))

    # how an answer is judged

    def _before_running(self, fn) -> Problem | None:
        parameters = inspect.signature(self.reference)
        if not callable(fn):
            return Problem("not yet", "not a function", f"This is no function but {shape_of(fn)}: "
                           f"hand over the function itself, without calling it: `check({self.name})`.")
        if is_stub(fn):
            return Problem("not attempted", "not attempted",
                           "Write your code where the `...` stands, and run the cell again.")
        try:
            theirs = inspect.signature(fn)
        except (TypeError, ValueError):         # some built-in functions have none
            return None
        for case in self.cases:
            try:
                theirs.bind(*(case.arguments if case.observe is None else parameters.parameters))
            except TypeError:
                due = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters.parameters.values())
                return Problem("not yet", "wrong parameters",
                               f"The exercise is called as `{self.name}({due})`, yours takes `{theirs}`.")
        return None

    def _try(self, fn: Callable, case: Case) -> Tensor | Problem:
        try:
            with fresh():                       # what the function set before, for another input
                return case.run(fn)
        except Stopped:
            raise
        except Unusable as unusable:
            return unusable.problem
        except BaseException as error:          # SystemExit too: `exit()`
            return describe_error(error, fn)

    def _run(self, fn: Callable, seconds: float) -> Answers:
        cases = [*self.cases, self.cases[0]]
        values: list[Tensor | Problem] = []

        def work() -> None:
            for case in cases:
                values.append(self._try(fn, case))

        finished, printed = run_limited(work, seconds)
        done = tuple(values)
        if finished and len(done) == len(cases):
            return Answers(done, None, printed)
        before = f" {len(done)} of {len(cases)} inputs were done before." if done else ""
        label = self._label(cases[min(len(done), len(cases) - 1)])
        message = f"Stopped after {seconds:g} s: does your loop end? The input was {label}.{before}"
        return Answers((), Problem("not yet", "does not end", message), printed)

    def _judge(self, results: list[Result]) -> Problem:
        *results, again = results
        wrong = [result for result in results if not result.right]
        if not wrong:
            if not again.right:
                return Problem("not yet", "another answer the second time", f"Right the first time, but on "
                               f"{again.label} the second call gives another answer: does your function keep "
                               "something between calls?")
            return Problem("passed", "passed", f"Right on all {len(results)} inputs.")
        first = wrong[0]
        failed = next((result.problem for result in wrong if result.problem), None)
        found = next((m for m in self.mistakes if self._behaves_like(results, m)), None)
        symptoms = [symptom for symptom in self.symptoms if symptom.errors_too or not failed]
        found = found or next((symptom for symptom in symptoms if symptom.shows(results)), None)
        shown = [r for r in wrong if found in symptoms and found.shows([r])] or wrong
        seen = f" (Seen on {shown[0].label}.)"
        if found and failed:
            return Problem(failed.status, found.name, f"{found.message} {failed.message}")
        if found:
            return Problem("not yet", found.name, found.message + seen)
        if failed:
            label = next(result.label for result in wrong if result.problem is failed)
            return Problem(failed.status, failed.diagnosis, f"{failed.message} The input was {label}.")
        if first.value.shape != first.expected.shape:
            due = f"{tuple(first.expected.shape)}" if first.expected.dim() else "() (a single number)"
            return Problem("not yet", "wrong shape", f"The answer has shape {tuple(first.value.shape)} where "
                           f"{due} is due, on {first.label}.")
        return in_general(results, wrong)

    @cached_property
    def expected(self) -> list[Tensor]:
        """What the reference makes of each input."""
        with untouched():
            return [case.run(self.reference) for case in self.cases]

    def _behaves_like(self, results: list[Result], mistake: Mistake) -> bool:
        for i, result in enumerate(results):
            if (mistake.name, i) not in self._of_mistakes:
                self._of_mistakes[mistake.name, i] = self._try(mistake.function, result.case)
            if not result.like(self._of_mistakes[mistake.name, i]):
                return False
        return True

    def _label(self, case: Case) -> str:
        if case.label:
            return case.label
        words = []
        for name, value in zip(inspect.signature(self.reference).parameters, case.arguments):
            shown = shape_of(value)
            if shown.startswith("a tensor of shape"):
                words.append(f"`{name}` {shown.removeprefix('a tensor ')}")
            elif not callable(value):
                words.append(f"`{name} = {shown}`")
        return ", ".join(words)
