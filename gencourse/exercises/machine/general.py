"""What can be said of wrong numbers when nothing is known of how they came about."""

from __future__ import annotations

import torch

from gencourse.exercises.machine.answers import Problem
from gencourse.exercises.machine.cases import Result
from gencourse.support.output import plural


def in_general(results: list[Result], wrong: list[Result]) -> Problem:
    """What can be said of wrong numbers of the right shape, without saying which are right."""
    first = wrong[0]
    score = f" ({len(results) - len(wrong)} of {len(results)} inputs come out right.)"
    nan = next(
        (r for r in wrong if r.value.isnan().any() and not r.expected.isnan().any()), None
    )
    if nan:
        return Problem(
            "not yet",
            "not a number",
            f"There is a NaN in the answer on {nan.label}: 0 / 0, the "
            "logarithm of a negative number, or 0 times infinity?",
        )
    inf = next(
        (r for r in wrong if r.value.isinf().any() and not r.expected.isinf().any()), None
    )
    if inf:
        return Problem(
            "not yet",
            "infinite",
            f"There is an infinity in the answer on {inf.label}: the "
            "logarithm of 0, a division by 0, or a number too large for its type?",
        )
    if all(r.value.shape == r.expected.shape for r in results):
        values = torch.cat([r.value.reshape(-1) for r in results])
        due = torch.cat([r.expected.reshape(-1) for r in results])
        where = due.abs() > 1e-6
        if where.sum() > 1:
            ratio = (values[where] / due[where]).median().item()
            if ratio != 0 and torch.allclose(values, ratio * due, rtol=1e-3, atol=1e-5):
                return Problem(
                    "not yet",
                    "off by a constant factor",
                    "Every number has the wrong sign."
                    if abs(ratio + 1) < 1e-3
                    else f"Every number is {ratio:.4g} times what is due, on all inputs: a unit, or a normalisation?",
                )
            shift = (values - due).median().item()
            if torch.allclose(values - due, torch.full_like(due, shift), atol=1e-5):
                return Problem(
                    "not yet",
                    "off by a constant",
                    f"Every number is too {'large' if shift > 0 else 'small'}, by the same amount on all inputs.",
                )
    off = ~torch.isclose(
        first.value, first.expected, rtol=first.case.rtol, atol=first.case.atol
    )
    if first.value.dim() == 0:
        low = "small" if first.value < first.expected else "large"
        return Problem(
            "not yet", "differs", f"On {first.label} your value is too {low}.{score}"
        )
    if first.case.same(
        first.value.flatten().sort().values, first.expected.flatten().sort().values
    ):
        return Problem(
            "not yet",
            "right numbers in wrong places",
            f"On {first.label} the numbers are the right ones, but not in their places.{score}",
        )
    place = tuple(off.nonzero()[0].tolist())
    largest = (first.value - first.expected).abs().max()
    return Problem(
        "not yet",
        "differs",
        f"On {first.label} {int(off.sum())} of "
        f"{plural(off.numel(), 'entry', 'entries')} differ, the first at {list(place)}; "
        f"the largest deviation is {largest:.3g}.{score}",
    )
