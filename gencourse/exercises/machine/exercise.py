"""An exercise answers back: it runs the reader's function, and names the misconception behind a wrong answer.

An exercise is a table: the reference implementation, whose docstring is the statement; the cases it is tried on; the
mistakes; the symptoms; the hints. A wrong answer is run on the cases and compared with every mistake; where one behaves
alike on all of them, its message is shown. Then come symptoms, then what can be said of any numbers: shape, NaN, a
constant factor, where they differ. Only behaviour counts: the reader's source is compared with nothing.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from types import ModuleType
from typing import Literal

from torch import Tensor

from gencourse.exercises.machine import passed
from gencourse.exercises.machine.answers import (
    Answers,
    Problem,
    Unusable,
    describe_error,
    is_stub,
    shape_of,
)
from gencourse.exercises.machine.cases import NOT_TRIED, Case, Result
from gencourse.exercises.machine.general import in_general
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom, plain
from gencourse.exercises.machine.sandbox import Stopped, fresh, run_limited, untouched
from gencourse.exercises.machine.verdict import Listing, Page, Verdict
from gencourse.support.output import plural, show

Difficulty = Literal["easy", "medium", "hard"]
GOES_ON = "The notebook goes on with the reference."


def exercises_of(module: ModuleType) -> list[Exercise]:
    """The exercises of a chapter, in the order of its notebook."""
    names = getattr(module, "__all__", None) or getattr(module, "__dict__", {})
    found = (getattr(module, name) for name in names)
    return [each for each in found if isinstance(each, Exercise)]


def summary(module: ModuleType) -> Page:
    """How many exercises of a notebook have passed, and which are left: a box in a notebook, text elsewhere.

        from gencourse.exercises import summary
        from gencourse.exercises import vae as exercises

        summary(exercises)

    The same wherever nothing is kept, as where `gencourse execute` runs the notebook and no exercise is attempted.
    Raises TypeError for what is no module of exercises.
    """
    found = exercises_of(module)
    if not found:
        what = getattr(module, "__name__", repr(module))
        raise TypeError(
            f"{what} has no exercises; expected a module such as gencourse.exercises.vae"
        )
    left = passed.left(found)
    rows = (
        f"`{each.name}`: {plural(each.minutes, 'minute')}, {each.difficulty}"
        for each in left
    )
    return Page("info" if left else "passed", passed.standing(found), "\n".join(rows))


class Exercise:
    """check(fn) · grade(fn) · hint() · solution().

    Args:
        reference: the solution; its docstring is the statement, its name that of the exercise.
        minutes: that it takes, about. difficulty: "easy", "medium" or "hard".
        hints: from a nudge to almost there. cases: what it is tried on.
        mistakes: one change of the reference each. symptoms: what many mistakes share, in the order of looking.
        seconds: that an answer has for all inputs together.

    Where a whole model is built, the cases are laws (see `Case`), and there are no mistakes: what is wrong is told by
    the laws that break, and by symptoms.

    Raises:
        ValueError: a mistake whose old text does not occur once, a symptom without a message.

    >>> def double(x: float) -> float:
    ...     \"\"\"Twice x.\"\"\"
    ...     return 2 * x
    >>> squared = Mistake("squared", "2 * x", "x * x", "This is the square: twice x is asked for.")
    >>> Exercise(double, minutes=1, difficulty="easy", cases=[Case(3.0)], mistakes=[squared]).grade(lambda x: x**2)
    ◐ double: not yet
        This is the square: twice x is asked for. (Seen on `x = 3.0`.)
    """

    def __init__(
        self,
        reference: Callable,
        *,
        minutes: int,
        difficulty: Difficulty,
        hints: Sequence[str] = (),
        cases: Sequence[Case],
        mistakes: Sequence[Mistake] = (),
        symptoms: Sequence[Symptom | LikeMistakes] = (),
        seconds: float = 10.0,
    ) -> None:
        self.reference, self.name = reference, reference.__name__
        self.minutes, self.difficulty, self.seconds = minutes, difficulty, seconds
        self.hints, self.cases, self.mistakes = tuple(hints), tuple(cases), tuple(mistakes)
        source = plain(self.solution_source) if mistakes else ""
        self._wrong = {
            each.name: each.function(self.name, source) for each in self.mistakes
        }
        self.symptoms = tuple(
            symptom for each in symptoms for symptom in self._completed(each)
        )
        # what mistakes make of the cases, filled as it is needed
        self._of_mistakes: dict[tuple[str, int], Tensor | Problem] = {}
        self._hints_given = 0

    def function_of(self, mistake: Mistake) -> Callable:
        """The wrong implementation that a mistake of this exercise stands for."""
        return self._wrong[mistake.name]

    def _completed(self, symptom: Symptom | LikeMistakes) -> list[Symptom]:
        """The symptom with its message; those that are known by some results only, as symptoms."""
        messages = {each.name: each.message for each in self.mistakes}
        if isinstance(symptom, LikeMistakes):
            names = [
                name for name in messages if symptom.names is None or name in symptom.names
            ]
            return [
                Symptom(name, partial(self._like, name, symptom.shows), messages[name])
                for name in names
            ]
        if not (message := symptom.message or messages.get(symptom.name)):
            raise ValueError(
                f"{self.name}: the symptom {symptom.name!r} has no message, and no mistake has its name"
            )
        return [Symptom(symptom.name, symptom.shows, message, symptom.errors_too)]

    def _like(self, name: str, shows: Callable, results: list[Result]) -> bool:
        return shows(results, partial(self._try, self._wrong[name]))

    # what the reader calls

    def check(self, fn: Callable, seconds: float | None = None) -> Callable:
        """Show the verdict; return `fn` if it passed, else the reference."""
        verdict = self.grade(fn, seconds)
        after = "" if verdict.passed else GOES_ON
        if verdict.passed and fn is not self.reference:
            after = passed.note(self.key, exercises_of(sys.modules.get(self._chapter)))
        if verdict.status in ("not yet", "raised an error"):
            after += f" Stuck? `exercises.{self.name}.hint()`"
        if fn is self.reference:
            after = "This is the reference itself: run the cell of your own function again to check that one."
        show(verdict.page(after))
        return fn if verdict.passed else self.reference

    def grade(self, fn: Callable, seconds: float | None = None) -> Verdict:
        """The verdict alone. The reader's function has `seconds` for all inputs together (None: the exercise's own)."""
        return self.judge(self.answers(fn, seconds))

    def answers(self, fn: Callable, seconds: float | None = None) -> Answers:
        """What the reader's function makes of the inputs, not yet judged.

        It runs as in a fresh kernel, whatever the reader's has set: default dtype float32, on the CPU, with gradients.
        """
        if (problem := self._before_running(fn)) is not None:
            return Answers((), problem)
        _ = (
            self.expected
        )  # first: what torch imports at its first use is not the reader's time
        with untouched():
            return self._run(fn, self.seconds if seconds is None else seconds)

    def judge(self, answers: Answers) -> Verdict:
        """The verdict on answers, which may come from another process."""
        cases = [*self.cases, self.cases[0]]  # the first once more: is the answer the same?
        if answers.problem is None and len(answers.values) != len(cases):
            raise ValueError(
                f"{self.name}: {len(answers.values)} answers came to {len(cases)} inputs"
            )
        with untouched():
            problem = answers.problem or self._judge(
                [
                    Result(case, self._label(case), expected, *_either(value))
                    for case, expected, value in zip(
                        cases, [*self.expected, self.expected[0]], answers.values
                    )
                ]
            )
        return Verdict(self.name, *problem, answers.printed)

    def hint(self) -> None:
        """Show the next hint."""
        n, total = self._hints_given, len(self.hints)
        if n < total:
            show(Page("info", f"{self.name}: hint {n + 1} of {total}", self.hints[n]))
            self._hints_given += 1
        else:
            show(
                Page(
                    "info",
                    f"{self.name}: that was the last of {total} hints",
                    f"{self.hints[-1]}\nA way to do it: `exercises.{self.name}.solution()`",
                )
            )

    def solution(self) -> None:
        """Show the reference."""
        show(Listing(f"{self.name}: one way to do it", self.solution_source))

    # what an exercise says of itself

    @property
    def key(self) -> str:
        """Its chapter and name, such as "vae.elbo"."""
        return f"{self._chapter.rpartition('.')[2]}.{self.name}"

    @property
    def _chapter(self) -> str:
        """The module that holds all exercises of its notebook; its own, where it stands in no chapter."""
        parts = self.reference.__module__.split(".")
        return ".".join(parts[:3] if parts[:2] == ["gencourse", "exercises"] else parts)

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
        return source.splitlines()[
            ast.parse(source).body[0].lineno - 1 :
        ]  # without the decorator

    def _page(self) -> Page:
        return Page("info", f"Exercise {self.name}", self.statement)

    def __repr__(self) -> str:
        return self._page().text()

    def _repr_html_(self) -> str:
        return self._page().html()

    # how an answer is judged

    def _before_running(self, fn: object) -> Problem | None:
        parameters = inspect.signature(self.reference)
        if not callable(fn):
            return Problem(
                "not yet",
                "not a function",
                f"This is no function but {shape_of(fn)}: "
                f"hand over the function itself, without calling it: `check({self.name})`.",
            )
        if is_stub(fn):
            return Problem(
                "not attempted",
                "not attempted",
                "Write your code where the `...` stands, and run the cell again.",
            )
        try:
            theirs = inspect.signature(fn)
        except (TypeError, ValueError):  # some built-in functions have none
            return None
        for case in self.cases:
            try:
                theirs.bind(
                    *(case.arguments if case.observe is None else parameters.parameters)
                )
            except TypeError:
                due = ", ".join(
                    str(p.replace(annotation=p.empty))
                    for p in parameters.parameters.values()
                )
                return Problem(
                    "not yet",
                    "wrong parameters",
                    f"The exercise is called as `{self.name}({due})`, yours takes `{theirs}`.",
                )
        return None

    def _try(self, fn: Callable, case: Case) -> Tensor | Problem:
        try:
            with fresh():  # what the function set before, for another input
                return case.run(fn)
        except Stopped:
            raise
        except Unusable as unusable:
            return unusable.problem
        except BaseException as error:  # SystemExit too: `exit()`
            return describe_error(error, fn)

    def _run(self, fn: Callable, seconds: float) -> Answers:
        cases = [*self.cases, self.cases[0]]
        values: list[Tensor | Problem] = []

        def work() -> None:
            right = True
            for case, expected in zip(cases, [*self.expected, self.expected[0]]):
                if case.if_right and not right:
                    values.append(NOT_TRIED)
                    continue
                value = self._try(fn, case)
                right = right and Result(case, "", expected, *_either(value)).right
                values.append(value)

        finished, printed = run_limited(work, seconds)
        done = tuple(values)
        if finished and len(done) == len(cases):
            return Answers(done, None, printed)
        before = f" {len(done)} of {len(cases)} inputs were done before." if done else ""
        case = cases[min(len(done), len(cases) - 1)]
        where = _where("The input was", case, self._label(case))
        message = f"Stopped after {seconds:g} s: does your loop end? {where}.{before}"
        return Answers((), Problem("not yet", "does not end", message), printed)

    def _judge(self, results: list[Result]) -> Problem:
        *results, again = results
        wrong = [result for result in results if not result.right]
        if not wrong:
            if not again.right:
                return Problem(
                    "not yet",
                    "another answer the second time",
                    f"Right the first time, but on "
                    f"{again.label} the second call gives another answer: does your function keep "
                    "something between calls?",
                )
            laws = all(result.case.holds for result in results)
            what = (
                f"All {len(results)} laws hold."
                if laws
                else f"Right on all {len(results)} inputs."
            )
            return Problem("passed", "passed", what)
        wrong = [result for result in wrong if not result.not_tried] or wrong
        results = [result for result in results if not result.not_tried] or results
        first = wrong[0]
        failed = next((result.problem for result in wrong if result.problem), None)
        found = next((m for m in self.mistakes if self._behaves_like(results, m)), None)
        symptoms = [
            symptom for symptom in self.symptoms if symptom.errors_too or not failed
        ]
        found = found or next(
            (symptom for symptom in symptoms if symptom.shows(results)), None
        )
        shown = [r for r in wrong if found in symptoms and found.shows([r])] or wrong
        seen = f" ({_where('Seen on', shown[0].case, shown[0].label)}.)"
        if found and failed:
            return Problem(failed.status, found.name, f"{found.message} {failed.message}")
        if found:
            return Problem("not yet", found.name, found.message + seen)
        if failed:
            where = next(result for result in wrong if result.problem is failed)
            return Problem(
                failed.status,
                failed.diagnosis,
                f"{failed.message} {_where('The input was', where.case, where.label)}.",
            )
        if first.case.broken and first.value.shape == first.expected.shape:
            return Problem("not yet", first.case.label, first.case.broken(first.value))
        if first.value.shape != first.expected.shape:
            due = (
                f"{tuple(first.expected.shape)}"
                if first.expected.dim()
                else "() (a single number)"
            )
            return Problem(
                "not yet",
                "wrong shape",
                f"The answer has shape {tuple(first.value.shape)} where {due} is due, on {first.label}.",
            )
        return in_general(results, wrong)

    @cached_property
    def expected(self) -> list[Tensor]:
        """What the reference makes of each input; of a law that names a shape, zeros of it."""
        with untouched():
            return [case.expected(self.reference) for case in self.cases]

    def _behaves_like(self, results: list[Result], mistake: Mistake) -> bool:
        for i, result in enumerate(results):
            if (mistake.name, i) not in self._of_mistakes:
                self._of_mistakes[mistake.name, i] = self._try(
                    self._wrong[mistake.name], result.case
                )
            if not result.like(self._of_mistakes[mistake.name, i]):
                return False
        return True

    def _label(self, case: Case) -> str:
        if case.label:
            return case.label
        words = []
        for name, value in zip(
            inspect.signature(self.reference).parameters, case.arguments
        ):
            shown = shape_of(value)
            if shown.startswith("a tensor of shape"):
                words.append(f"`{name}` {shown.removeprefix('a tensor ')}")
            elif not callable(value):
                words.append(f"`{name} = {shown}`")
        return ", ".join(words)


def _either(value: Tensor | Problem) -> tuple[Tensor | None, Problem | None]:
    """(value, None), or (None, problem)."""
    return (None, value) if isinstance(value, Problem) else (value, None)


def _where(words: str, case: Case, label: str) -> str:
    """Where it was seen: after `words` an input, of a law its name."""
    return f"{words} {label}" if case.holds is None else f"Checked in: {label}"
