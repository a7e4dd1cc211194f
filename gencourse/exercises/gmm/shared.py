"""What several exercises of notebook 02 observe, and what their symptoms ask."""

from __future__ import annotations

from torch import Tensor

from gencourse.exercises.machine.answers import Unusable, as_numbers, shape_of
from gencourse.exercises.machine.common import normal, usable


def draws(seed: int, *shape: int) -> Tensor:
    """Draws from N(0, 1): another tensor of this shape in each variant."""
    return normal(*shape, seed=seed)


def parts_of(value, **due: tuple) -> list[Tensor]:
    """The parts of an answer of several, each of the shape that is due."""
    names = ", ".join(due)
    if value is None or value is ...:
        as_numbers(value)
    if not (isinstance(value, (tuple, list)) and len(value) == len(due)):
        came = (
            f"{len(value)} things" if isinstance(value, (tuple, list)) else shape_of(value)
        )
        raise Unusable(
            "not yet",
            "wrong number of parts",
            f"It returned {came} where {len(due)} things are due: `return {names}`.",
        )
    for name, part in zip(due, value):
        if part is None:
            raise Unusable("not yet", f"{name} is missing", f"`{name}` is None.")
    parts = [as_numbers(part) for part in value]
    shapes = [tuple(part.shape) for part in parts]
    if shapes == list(due.values())[::-1] != list(due.values()):
        raise Unusable(
            "not yet",
            "the parts in reverse order",
            f"The order in which they are due is `{names}`.",
        )
    for name, part, shape in zip(due, parts, due.values()):
        insist(name, part, shape)
    return parts


def insist(name: str, part: Tensor, shape: tuple, more: str = "") -> Tensor:
    """The part, or an Unusable that names it: of another shape than is due, or with a NaN."""
    if part.shape != shape:
        raise Unusable(
            "not yet",
            f"{name} has a wrong shape",
            f"`{name}` has shape {tuple(part.shape)} where {shape} is due.{more}",
        )
    if part.isnan().any():
        raise Unusable("not yet", "not a number", f"There is a NaN in `{name}`.")
    return part


def expected_of(results, observe):
    """What is due where it is observed so, or None."""
    return next((r.expected for r in results if r.case.observe is observe), None)


def wrong_on(results, observe):
    """Is a case wrong that is observed so?"""
    return any(
        r.value is not None and not r.right for r in results if r.case.observe is observe
    )


def split_by_label(results, *labels):
    """The results without these labels, and those with them."""
    given = usable(results)
    return [r for r in given if r.label not in labels], [
        r for r in given if r.label in labels
    ]
