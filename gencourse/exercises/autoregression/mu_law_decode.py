"""Sound from µ-law levels: the inverse of `mu_law_encode`, up to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def mu_law_decode(indices: Tensor, levels: int = 256) -> Tensor:
    """Sound from µ-law levels: the inverse of `mu_law_encode`, up to rounding.

    With µ = levels - 1, index i stands for f = 2i / µ - 1, and
    x = sign(f) · ((1 + µ)^|f| - 1) / µ.
    indices: integers of any shape, from 0 to levels - 1.
    Returns floating-point numbers of the same shape, from -1 to 1.
    """
    mu = levels - 1
    f = indices / mu * 2 - 1
    return torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu


exercise = Exercise(
    mu_law_decode,
    minutes=6,
    difficulty="medium",
    hints=(
        "Undo the encoding step by step, the last step first.",
        "From the index back to f: it runs from 0 to µ, f from -1 to 1. Then solve |f| = "
        "ln(1 + µ|x|) / ln(1 + µ) for |x|.",
        "|x| = ((1 + µ)^|f| - 1) / µ, and the sign of x is the sign of f.",
    ),
    cases=(
        Case(torch.tensor([0, 255])),
        Case(torch.arange(256)),
        Case(torch.tensor([[3, 100, 128], [127, 200, 254]])),
        Case(torch.arange(16), 16),
        Case(torch.tensor([0, 15]), 16),
        Case(torch.arange(0, 1000, 7), 1000),
        Case(torch.randint(0, 256, (20,), generator=seeded(20), device="cpu")),
    ),
    mistakes=(
        Mistake(
            "not divided by µ",
            " - 1) / mu",
            " - 1)",
            "Much too loud: the division by µ at the end is missing.",
        ),
        Mistake(
            "the sign is lost",
            "torch.sign(f) * (",
            "(",
            "Everything comes out positive: the sign of f is the sign of x.",
        ),
        Mistake(
            "scaled by levels instead of levels - 1",
            "indices / mu * 2",
            "indices / levels * 2",
            "The highest level does not come out as 1: the indices run from 0 to levels "
            "- 1, so µ steps make the whole range.",
        ),
        Mistake(
            "the middles of bins",
            "indices / mu * 2",
            "(indices + 0.5) / levels * 2",
            "Each index is taken for the middle of one of `levels` bins. Here the "
            "outermost levels stand for -1 and 1 themselves.",
        ),
        Mistake(
            "not spread out again",
            "torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu",
            "f",
            "This is f: the squeezing is not undone.",
        ),
        Mistake(
            "the base is e",
            "(1 + mu) ** f.abs()",
            "f.abs().exp()",
            "Too soft by far: the base of the power is 1 + µ, since the encoding divided "
            "by ln(1 + µ).",
        ),
        Mistake(
            "the base is µ",
            "(1 + mu) **",
            "mu **",
            "Almost: the base of the power is 1 + µ, and with µ the extremes are not "
            "reached.",
        ),
        Mistake(
            "the 1 is not taken away",
            "f.abs() - 1) / mu",
            "f.abs()) / mu",
            "A jump at silence: the power is at least 1, and that 1 is to be taken away "
            "before the division by µ.",
        ),
        Mistake(
            "not moved to the middle",
            "indices / mu * 2 - 1",
            "indices / mu",
            "Nothing is below zero: the indices run from 0, but f must run from -1 to 1.",
        ),
        Mistake(
            "256 is written in",
            "mu = levels - 1",
            "mu = 255",
            "Right for 256 levels only: the function does not look at `levels`.",
        ),
        Mistake(
            "squeezed instead of spread out",
            "((1 + mu) ** f.abs() - 1) / mu",
            "torch.log1p(mu * f.abs()) / math.log1p(mu)",
            "The encoding's formula is used once more: here it is to be solved for x.",
        ),
        Mistake(
            "the absolute value is missing",
            "torch.sign(f) * ((1 + mu) ** f.abs() - 1)",
            "((1 + mu) ** f - 1)",
            "What is below zero comes out much too soft: the power takes |f|, and the "
            "sign is put back afterwards.",
        ),
        Mistake(
            "whole numbers only",
            "return torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu",
            "return (torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu).round()",
            "The result is rounded to whole numbers, so that almost all is silence. (Is "
            "it kept in a tensor of integers?)",
        ),
    ),
    symptoms=(
        Symptom(
            "out of range",
            lambda results: any((r.value.abs() > 1.0001).any() for r in usable(results)),
            "Some samples are louder than 1: sound runs from -1 to 1.",
        ),
        Symptom(
            "the extremes are lost",
            lambda results: any(
                not r.right for r in usable(results) if r.value.numel() == 2
            ),
            "The lowest and the highest level do not come out as -1 and 1.",
        ),
    ),
)
