"""The best discriminator between two known densities: D(x) = P(x) / (P(x) + Q(x))."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import normal, right_on, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def best_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best discriminator between two known densities: D(x) = P(x) / (P(x) + Q(x)).

    log_p, log_q: of one shape, log P(x) of the data and log Q(x) of the generator, in nats.
    The densities themselves may be too small or too large for a number (log -1500, +500),
    and one of the two may be 0 (log -inf).
    Returns D, a probability, of the same shape. (arXiv:1406.2661, proposition 1.)
    """
    return torch.sigmoid(log_p - log_q)


_UNLIKELY = "both densities too small for a number"


_D = "torch.sigmoid(log_p - log_q)"


def _shows_cut_off_near_0_and_1(results):
    wrong = [r for r in results if not r.right]
    return len(usable(wrong)) == len(wrong) and all(
        ((r.value - 0.5).abs() <= (r.expected - 0.5).abs() + 1e-6).all()
        and ((r.expected - 0.5).abs() > 0.4)[
            ~torch.isclose(r.value, r.expected, rtol=1e-4, atol=1e-5)
        ].all()
        for r in wrong
    )


exercise = Exercise(
    best_discriminator,
    minutes=5,
    difficulty="easy",
    hints=(
        "D = P / (P + Q). Divide above and below by P: what is left is a function of the "
        "ratio Q / P alone.",
        "1 / (1 + Q / P), and Q / P = exp(log_q - log_p). The difference of the "
        "logarithms is moderate even where both densities are far too small to be "
        "written down.",
        "1 / (1 + exp(-a)) has a name, and PyTorch has it.",
    ),
    cases=(
        Case(normal(6, seed=101), normal(6, seed=102)),
        Case(normal(3, 4, seed=103, scale=3), normal(3, 4, seed=104, scale=3)),
        Case(torch.tensor([-3.0, 0.5, 2.0]), torch.tensor([-3.0, 0.5, 2.0]), label="P = Q"),
        Case(torch.tensor(0.7), torch.tensor(-0.4), label="a single point"),
        Case(
            torch.tensor([3.0, -1.0, 4.0]),
            torch.tensor([2.5, 1.5, 1.0]),
            label="densities above 1",
        ),
        Case(
            torch.tensor([-800.0, -801.0, -1500.0]),
            torch.tensor([-800.5, -799.0, -1500.0]),
            label=_UNLIKELY,
        ),
        Case(
            torch.tensor([300.0, 500.0]),
            torch.tensor([301.0, 499.5]),
            label="both densities too large for a number",
        ),
        Case(
            torch.tensor([-2.0, -math.inf, 0.0]),
            torch.tensor([-math.inf, -1.0, 900.0]),
            label="points that only one of the two can make",
        ),
    ),
    mistakes=(
        Mistake(
            "P and Q swapped",
            "log_p - log_q",
            "log_q - log_p",
            "This is Q / (P + Q), the probability of being generated. D is that of being "
            "real.",
        ),
        Mistake(
            "through the densities themselves",
            _D,
            "log_p.exp() / (log_p.exp() + log_q.exp())",
            "Right where the densities are moderate numbers, but exp(-800) is 0 and "
            "exp(500) infinite, and 0/0 follows. Only the difference of the logarithms "
            "is needed.",
        ),
        Mistake(
            "a ratio of logarithms",
            _D,
            "log_p / (log_p + log_q)",
            "The logarithms are put in as if they were the densities.",
        ),
        Mistake(
            "the ratio of the densities",
            _D,
            "torch.exp(log_p - log_q)",
            "This is P / Q, which may be anything above 0. D = P / (P + Q) = 1 / (1 + Q "
            "/ P).",
        ),
        Mistake(
            "the logit",
            _D,
            "log_p - log_q",
            "This is the logit of the best discriminator, log P - log Q. Its sigmoid is "
            "asked for.",
        ),
        Mistake(
            "the logarithm of D",
            _D,
            "torch.nn.functional.logsigmoid(log_p - log_q)",
            "This is log D. D itself is asked for, between 0 and 1.",
        ),
        Mistake(
            "over the average",
            _D,
            f"2 * {_D}",
            "Twice what is due: P is divided by the average (P + Q) / 2. That ratio "
            "stands in the Jensen-Shannon divergence; D is P over the sum.",
        ),
        Mistake(
            "the density of the data alone",
            _D,
            "torch.sigmoid(log_p)",
            "Q has no say. Whether a point is real depends on how often the generator "
            "makes the same.",
        ),
        Mistake(
            "a verdict",
            _D,
            "(log_p > log_q).float()",
            "This is a verdict, 0 or 1: which of the two is more probable. D says how "
            "probable it is.",
        ),
        Mistake(
            "the sigmoid of the densities",
            _D,
            "torch.sigmoid(log_p.exp() - log_q.exp())",
            "The sigmoid is taken of the difference of the densities. It is the "
            "difference of their logarithms that it needs.",
        ),
        Mistake(
            "normalised over the points",
            _D,
            "torch.softmax(log_p - log_q, 0)",
            "The answers of different points are made to add up to 1. Each point has its "
            "own D, between the two densities there.",
        ),
        Mistake(
            "half the difference",
            "log_p - log_q",
            "(log_p - log_q) / 2",
            "The difference of the logarithms is halved: that gives √P / (√P + √Q).",
        ),
        Mistake(
            "the sum of the logarithms",
            "log_p - log_q",
            "log_p + log_q",
            "The logarithms are added, which multiplies the densities. Their ratio "
            "counts: subtract.",
        ),
        Mistake(
            "one number for all points",
            f"return {_D}",
            f"return {_D}.mean()",
            "There is one number, the average. Every point has its own D.",
        ),
    ),
    symptoms=(
        Symptom(
            "through the densities themselves",
            lambda results: all(r.right for r in results[:5]),
            errors_too=True,
        ),
        Symptom(
            "not ½ where P = Q",
            lambda results: any(
                r.case.label == "P = Q" and not r.right for r in usable(results)
            ),
            "Where both densities are the same nobody can tell, and D = ½; yours is not.",
        ),
        Symptom(
            "cut off near 0 and 1",
            _shows_cut_off_near_0_and_1,
            "Right where both are possible, but near 0 and 1 your answer stops short: is "
            "it clamped, or something added? Where only one of the two can make a point, "
            "D is 0 or 1.",
        ),
        Symptom(
            "no probability",
            lambda results: any(
                ((r.value < 0) | (r.value > 1)).any() for r in usable(results)
            ),
            "Some of your answers are not between 0 and 1.",
        ),
        Symptom(
            "½ is right, the rest is not",
            lambda results: (
                right_on(results, "P = Q") and len(usable(results)) == len(results)
            ),
            "Where P = Q the answer is right, elsewhere it is not: D = 1 / (1 + Q / P), "
            "with Q / P = exp(log_q - log_p).",
        ),
    ),
)
