"""What is asked of arguments everywhere in the package, and said where they are something else."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import torch

INTEGERS = (torch.uint8, torch.int16, torch.int32, torch.int64)


def positive_integer(
    name: str, value: Any, least: int = 1, most: int | None = None, expected: str | None = None
) -> int:
    """Return value as an int, or raise a TypeError / ValueError that names the argument, and what was expected.

    Whatever Python takes for an index is an integer, NumPy's and a tensor of one among them; True and False are not.
    """
    bounds = f"at least {least}" if most is None else f"{least} to {most}"
    try:
        if _is_bool(value):
            raise TypeError
        whole = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected {expected or f'an integer of {bounds}'}") from None
    if whole < least or (most is not None and whole > most):
        raise ValueError(f"{name} is {whole}; expected {expected or bounds}")
    return whole


def number(
    name: str, value: Any, expected: str = "a number of at least 0", most: float = math.inf, open_ended: bool = False
) -> float:
    """Return value as a finite float from 0 to `most`, both excluded if `open_ended`; or raise, naming it.

    NumPy's numbers and tensors of one number are numbers; True and False are not.
    """
    is_number = isinstance(value, (int, float)) or (hasattr(value, "dtype") and value.ndim == 0)
    try:
        if _is_bool(value) or not is_number:
            raise TypeError
        real = float(value)
    except (TypeError, RuntimeError):
        raise TypeError(f"{name} is {value!r}; expected {expected}") from None
    inside = 0 < real < most if open_ended else 0 <= real <= most
    if not inside or math.isinf(real):
        raise ValueError(f"{name} is {value}; expected {expected}" + (", finite" if math.isinf(real) else ""))
    return real


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise a ValueError unless value is one of the choices."""
    if value not in tuple(choices):
        raise ValueError(f"{name} is {value!r}; expected one of {tuple(choices)}")


def generator_or_new(generator: torch.Generator | None, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator that was given, or a new one on that device with seed 0; or a TypeError if it is none."""
    if generator is None:
        return torch.Generator(device).manual_seed(0)
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator is {generator!r}; expected a torch.Generator: torch.Generator().manual_seed(0)")
    return generator


def shape_of_events(event_shape: object) -> tuple[int, ...]:
    """Return event_shape as a tuple of ints, or raise a TypeError / ValueError if it is no sequence of sizes."""
    if not isinstance(event_shape, Sequence) or isinstance(event_shape, str) or not event_shape:
        raise TypeError(f"event_shape is {event_shape!r}; give a tuple such as (1, 28, 28) or (2,)")
    return tuple(positive_integer("event_shape", size) for size in event_shape)


def _is_bool(value: object) -> bool:
    """Is it True or False, Python's, NumPy's or torch's?"""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def article(value: object) -> str:
    """'a list', 'an ndarray', 'None': for messages."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name.lower().startswith((*'aeiou', 'nd')) else 'a'} {name}"
