"""What people get wrong: mistakes, each one change of the reference, and symptoms, which many mistakes share."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Problem
from gencourse.exercises.machine.cases import Case, Result

OPEN, CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation: `old`, which occurs once in the reference, replaced by `new`.

    `old` is looked for in the reference as `plain` writes it: without comments and alignment, what stands between
    brackets on one line. So it does not matter how the reference is laid out.

    >>> forgotten = Mistake("half forgotten", "x / 2", "x", "Where is the half?")
    >>> forgotten.function("half", "def half(x): return x / 2")(6)
    6
    """

    name: str
    old: str
    new: str
    message: str

    def function(self, exercise: str, source: str) -> Callable:
        """The wrong implementation, made of a reference's plain source. ValueError if `old` is not there."""
        if source.count(self.old) != 1:
            times = source.count(self.old)
            raise ValueError(
                f"{exercise}, {self.name!r}: {self.old!r} occurs {times} times, not once, in\n{source}"
            )
        scope = {"math": math, "torch": torch, "Tensor": Tensor}
        exec(source.replace(self.old, self.new), scope)
        return scope[exercise]


@dataclass(frozen=True)
class Symptom:
    """A property that many wrong implementations share: `shows(results)` sees it in what came of the cases.

    Without a message it has that of the mistake of its name. Where an input raised an error, only symptoms with
    `errors_too` are looked for.

    >>> Symptom("nothing", lambda results: not results, "There is no result.").shows([])
    True
    """

    name: str
    shows: Callable[[list[Result]], bool]
    message: str = ""
    errors_too: bool = False


@dataclass(frozen=True)
class LikeMistakes:
    """The mistakes of these names (None: all), known by a part of the answer only, as symptoms.

    `shows(results, wrong)` sees it; `wrong(case)` is what the mistake makes of a case.
    """

    names: Sequence[str] | None
    shows: Callable[[list[Result], Callable[[Case], Tensor | Problem]], bool]


def plain(source: str) -> str:
    """The source of a function without comments and alignment, and what stands between brackets on one line.

    >>> print(plain("def f(x):  # a comment\\n    return g(\\n        x,\\n        [1,   2],\\n    )"))
    def f(x):
        return g(x, [1, 2])
    <BLANKLINE>
    """
    lines, line, before, indent = [], "", None, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.INDENT:
            indent = token.string
        elif token.type == tokenize.DEDENT:
            indent = token.line[: token.start[1]]
        elif token.type == tokenize.NEWLINE:
            lines.append(indent + line)
            line, before = "", None
        elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
            if (
                token.string in CLOSE
                and line.endswith(",")
                and before.end[0] < token.start[0]
            ):
                line = line[:-1]  # only a layout over several lines has it
            apart = before is not None and before.end != token.start
            inside = before is not None and before.string in OPEN or token.string in CLOSE
            line += (" " if apart and not inside else "") + token.string
            before = token
    return "\n".join(lines) + "\n"
