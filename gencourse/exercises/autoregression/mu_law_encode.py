"""Squeeze sound by the µ-law and cut it into levels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def mu_law_encode(x: Tensor, levels: int = 256) -> Tensor:
    """Squeeze sound by the µ-law and cut it into levels.

    With µ = levels - 1 and f(x) = sign(x) · ln(1 + µ|x|) / ln(1 + µ), the index is
    (f(x) + 1) / 2 · µ, rounded to the nearest integer.
    x: any shape, from -1 to 1.
    Returns integers of the same shape, from 0 (x = -1) to levels - 1 (x = 1).
    """
    mu = levels - 1
    f = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return torch.round((f + 1) / 2 * mu).long()


def _sound(n: int, levels: int) -> Tensor:
    """Samples in [-1, 1], loud and soft, none of them near the border between two levels."""
    x = (
        torch.rand(4 * n, generator=seeded(n), dtype=torch.float32, device="cpu") * 2 - 1
    ) ** 3
    level = (
        (torch.sign(x) * torch.log1p((levels - 1) * x.abs()) / math.log(levels) + 1)
        / 2
        * (levels - 1)
    )
    return x[(level.frac() - 0.5).abs() > 0.02][:n]


def _beside(results):
    """The deviations, where x is neither -1 nor 1: there it is rounding error that decides."""
    return torch.cat(
        [(r.value - r.expected)[r.case.arguments[0].abs() < 1] for r in usable(results)]
    )


def _shows_out_of_range(results):
    def top(r):
        return (r.case.arguments + (256,))[1] - 1

    return any((r.value < 0).any() or (r.value > top(r)).any() for r in usable(results))


exercise = Exercise(
    mu_law_encode,
    minutes=8,
    difficulty="medium",
    hints=(
        "Two steps: squeeze x by the formula (it stays between -1 and 1), then cut that "
        "range into levels.",
        "The squeezed value f runs from -1 to 1. Bring it to 0 … 1, then to 0 … µ, and "
        "take the nearest integer.",
        "`f = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)`; what is left is "
        "`torch.round((f + 1) / 2 * mu)` as integers.",
    ),
    cases=(
        Case(torch.tensor([-1.0, 1.0])),
        Case(torch.tensor([0.5, -0.5, 0.01, -0.01, 0.9])),
        Case(_sound(100, 256)),
        Case(_sound(24, 256).reshape(2, 3, 4)),
        Case(_sound(50, 16), 16),
        Case(torch.tensor([-1.0, 1.0]), 16),
        Case(_sound(60, 100), 100),
        Case(torch.zeros(3), atol=1.0, label="silence (zeros)"),
    ),
    mistakes=(
        Mistake(
            "truncated instead of rounded",
            "torch.round((f + 1) / 2 * mu)",
            "((f + 1) / 2 * mu + 1e-4)",
            "The fraction is cut off instead of rounded to the nearest level: all sound "
            "is shifted down by half a level, and the top level is hardly ever reached. "
            "(`.long()` truncates.)",
        ),
        Mistake(
            "rounded up",
            "torch.round((f + 1) / 2 * mu)",
            "torch.ceil((f + 1) / 2 * mu - 1e-4)",
            "Every fraction is rounded up instead of to the nearest level: all sound is "
            "shifted up by half a level.",
        ),
        Mistake(
            "scaled by levels instead of levels - 1",
            "/ 2 * mu)",
            "/ 2 * levels)",
            "The loudest sample gets an index outside the range: levels counted from 0 "
            "end at levels - 1.",
        ),
        Mistake(
            "bins instead of rounding",
            "torch.round((f + 1) / 2 * mu)",
            "((f + 1) / 2 * levels + 1e-4).clamp(max=mu)",
            "The range is cut into `levels` equal bins, and the top is clamped. Here the "
            "outermost levels stand for -1 and 1 themselves, with µ steps between them.",
        ),
        Mistake(
            "µ is levels",
            "mu = levels - 1\n    f = torch.sign(x) * torch.log1p(mu * x.abs()) / "
            "math.log1p(mu)",
            "mu = levels - 1\n    f = torch.sign(x) * torch.log1p(levels * x.abs()) / "
            "math.log1p(levels)",
            "Almost: µ is one less than the number of levels, in the formula too.",
        ),
        Mistake(
            "the sign is lost",
            "torch.sign(x) * torch",
            "torch",
            "Soft and loud are told apart, but not above and below zero: the sign of x "
            "is lost.",
        ),
        Mistake(
            "not squeezed",
            "torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)",
            "x",
            "The levels are spaced evenly: nothing is squeezed. Soft sounds get no more "
            "of them than loud ones, and most samples are soft.",
        ),
        Mistake(
            "the absolute value is missing",
            "x.abs()",
            "x",
            "Negative samples come out wrong: the logarithm of 1 + µx does not exist "
            "for x ≤ -1/µ, and is negative between that and 0. It takes |x|, and the "
            "sign is put back afterwards.",
        ),
        Mistake(
            "not moved to 0",
            "(f + 1) / 2 * mu",
            "f * mu",
            "There are negative indices: f runs from -1 to 1, the indices start at 0.",
        ),
        Mistake(
            "not divided by ln(1 + µ)",
            " / math.log1p(mu)",
            "",
            "Some indices are far out of range: without the division by ln(1 + µ), f "
            "runs beyond -1 and 1.",
        ),
        Mistake(
            "not halved",
            "(f + 1) / 2 * mu",
            "(f + 1) * mu",
            "The indices run up to twice the range: f + 1 goes from 0 to 2.",
        ),
        Mistake(
            "256 is written in",
            "mu = levels - 1",
            "mu = 255",
            "Right for 256 levels only: the function does not look at `levels`.",
        ),
        Mistake(
            "the 1 in the logarithm is missing",
            "torch.log1p(mu * x.abs())",
            "torch.log(mu * x.abs() + 1e-9)",
            "Soft sounds go wrong: without the 1 in ln(1 + µ|x|) the logarithm falls "
            "below 0, without end at silence.",
        ),
    ),
    symptoms=(
        Symptom(
            "truncated instead of rounded",
            lambda results: set(_beside(results).tolist()) == {-1, 0},
        ),
        Symptom("rounded up", lambda results: set(_beside(results).tolist()) == {0, 1}),
        Symptom(
            "not whole numbers",
            lambda results: any(
                (r.value.isfinite() & (r.value != r.value.round())).any()
                for r in usable(results)
            ),
            "The indices are not whole numbers: round to the nearest level.",
        ),
        Symptom(
            "out of range", _shows_out_of_range, "Some indices lie outside 0 … levels - 1."
        ),
        Symptom(
            "the extremes are lost",
            lambda results: any(
                not r.right
                for r in usable(results)
                if r.case.arguments[0].tolist() == [-1, 1]
            ),
            "-1 and 1 do not come out as the lowest and the highest level.",
        ),
    ),
)
