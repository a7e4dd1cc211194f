"""What readers hand in: numbers in any form, unfinished functions, errors."""

from __future__ import annotations

import base64
import dis
import inspect
import json
import linecache
import math
import numbers
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

LARGEST = 1_000_000  # numbers in an answer; no exercise needs a hundredth of them
Failing = Literal["not yet", "not attempted", "raised an error"]  # of what did not pass
STATUSES = get_args(Failing)
Status = Literal["passed"] | Failing


class Problem(NamedTuple):
    status: Status
    diagnosis: str
    message: str


@dataclass(frozen=True)
class Answers:
    """What a function made of the inputs of an exercise: for each a value (a tensor of float64) or a problem.

    Where `problem` is set, there is nothing to compare. `printed`: the beginning of what the function printed.
    """

    values: tuple[Tensor | Problem, ...]
    problem: Problem | None = None
    printed: str = ""

    def to_json(self) -> str:
        """As text that another process can judge."""
        values = [
            list(value)
            if isinstance(value, Problem)
            else {
                "shape": list(value.shape),
                "float64": base64.b64encode(
                    value.cpu().contiguous().numpy().astype("<f8").tobytes()
                ).decode(),
            }
            for value in self.values
        ]
        return json.dumps(
            {"values": values, "problem": self.problem, "printed": self.printed}
        )

    @classmethod
    def from_json(cls, text: str) -> Answers:
        """Read what may come from a process that is not to be trusted: numbers and words, and nothing that is run.

        Raises ValueError for anything that `to_json` does not write.
        """
        try:
            read = json.loads(text)
            return cls(
                tuple(
                    _problem(value) if isinstance(value, list) else _tensor(value)
                    for value in read["values"]
                ),
                None if read["problem"] is None else _problem(read["problem"]),
                str(read["printed"]),
            )
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"these are no answers: {type(error).__name__}: {error}"
            ) from None


def _problem(read: list) -> Problem:
    status, diagnosis, message = read
    if status not in STATUSES:
        raise ValueError(
            f"these are no answers: the status {status!r:.40} is none of {', '.join(STATUSES)}"
        )
    return Problem(status, str(diagnosis), str(message))


def _tensor(read: dict[str, Any]) -> Tensor:
    numbers = np.frombuffer(base64.b64decode(read["float64"], validate=True), "<f8").astype(
        np.float64
    )
    if not all(isinstance(length, int) and length >= 0 for length in read["shape"]):
        raise ValueError(f"these are no answers: a shape is {read['shape']!r:.40}")
    return torch.from_numpy(numbers.reshape(read["shape"]))


class Unusable(Exception):
    """An answer that holds no numbers."""

    def __init__(self, status: Failing, diagnosis: str, message: str) -> None:
        self.problem = Problem(status, diagnosis, message)


def as_numbers(value: object) -> Tensor:
    """Numbers of any kind (tensor on any device, array, list, number; any dtype) as a new float64 tensor."""
    if value is None:
        raise Unusable(
            "not yet", "returned nothing", "It returned nothing: is a `return` missing?"
        )
    if value is ...:
        raise Unusable(
            "not attempted",
            "not attempted",
            "It returned `...`: write your code in its place.",
        )
    if isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) > LARGEST:
        raise Unusable(
            "not yet",
            "far too large",
            f"It returned {shape_of(value)}, far more than is due.",
        )
    if inspect.iscoroutine(value):
        value.close()
    try:
        if isinstance(value, (list, tuple, range)):
            return (
                torch.stack([as_numbers(item) for item in value])
                if value
                else torch.zeros(0).double()
            )
        if isinstance(value, Tensor) and not value.is_complex():
            return value.detach().to_dense().to("cpu", torch.float64, copy=True)
        if isinstance(value, (np.ndarray, np.generic)) and not np.iscomplexobj(value):
            return torch.from_numpy(np.array(value, dtype=np.float64))
        if isinstance(value, numbers.Number) or hasattr(value, "__float__"):
            return torch.tensor(float(value), dtype=torch.float64)
    except (
        Unusable,
        RuntimeError,
        TypeError,
        ValueError,
        OverflowError,
    ):  # ragged, too large, no numbers
        pass
    hint = (
        ": `return` in place of `yield`?"
        if inspect.isgenerator(value)
        else " where numbers are due."
    )
    raise Unusable("not yet", "wrong type", f"It returned {shape_of(value)}{hint}")


def shape_of(value: object) -> str:
    """A few words for any value: itself if it is short, else its type and shape."""
    if isinstance(value, (Tensor, np.ndarray)):
        numel = value.numel() if isinstance(value, Tensor) else value.size
        if numel > 8 or value.ndim > 1 or "complex" in str(value.dtype):
            return f"{'a tensor' if isinstance(value, Tensor) else 'an array'} of shape {tuple(value.shape)}"
        return str([round(number, 4) for number in value.reshape(-1).tolist()])
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    words = repr(value)
    return (
        words
        if isinstance(value, (list, tuple, numbers.Number, str)) and len(words) <= 60
        else (
            f"a {type(value).__name__}"
            + (f" of {len(value)}" if isinstance(value, (list, tuple)) else "")
        )
    )


_IDLE = {
    "RESUME",
    "NOP",
    "CACHE",
    "EXTENDED_ARG",
    "PRECALL",
    "CALL",
    "PUSH_NULL",
    "POP_TOP",
    "STORE_FAST",
    "RETURN_VALUE",
    "RAISE_VARARGS",
    "COPY_FREE_VARS",
    "MAKE_CELL",
}


def is_stub(fn: Callable) -> bool:
    """Whether the body does nothing: `...`, `pass`, a docstring only, or `raise NotImplementedError`."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        return False
    unfinished = False
    for step in dis.get_instructions(code):
        if (
            step.opname in ("LOAD_GLOBAL", "LOAD_COMMON_CONSTANT")
            and "NotImplementedError" in step.argrepr
        ):
            unfinished = True
        elif step.opname in ("LOAD_CONST", "RETURN_CONST"):
            said = unfinished and isinstance(step.argval, str)
            if not (step.argval is None or step.argval is ... or said):
                return False
        elif step.opname not in _IDLE:
            return False
    return True


def describe_error(error: BaseException, fn: Callable) -> Problem:
    """The error in a line or two: type, message, and the line of the reader's own code."""
    kind, words = type(error).__name__, " ".join(str(error).split())
    words = f"`{kind}`" + (
        f": {words[:200]}{'…' if len(words) > 200 else ''}" if words else ""
    )
    if isinstance(error, RecursionError):
        words += " (the function calls itself without end)"
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        words += " (it asks for more memory than there is)"
    return Problem("raised an error", kind, f"{words}{_line(error, fn)}.")


def _line(error: BaseException, fn: Callable) -> str:
    code = getattr(inspect.unwrap(fn), "__code__", None) or getattr(
        type(fn).__call__, "__code__", None
    )
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    here = str(Path(__file__).resolve().parents[1])
    own = [frame for frame in frames if code is not None and frame[0] == code.co_filename]
    own = own or [frame for frame in frames if not frame[0].startswith(here)]
    if not own:
        return ""
    filename, number = own[-1]
    source = linecache.getline(filename, number).strip()
    source = source if len(source) <= 80 else source[:80] + "…"
    return f", in line {number}" + (f": `{source}`" if source else "")
