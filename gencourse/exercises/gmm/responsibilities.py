"""How likely each point came from each component: the E-step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, split_by_label
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def responsibilities(log_joint: Tensor) -> Tensor:
    """How likely each point came from each component: the E-step.

    P(m|x) = P(m, x) / Σ_m' P(m', x), for densities of any size: their logarithms may be
    -2,000 or +1,000. log_joint: (B, K), log P(m, x) = log P(m) + log N(x; µ_m, Σ_m), in
    nats; -inf is allowed, but not in all of a row. Returns (B, K).
    """
    largest = log_joint.amax(dim=1, keepdim=True)  # (B, 1)
    joint = torch.exp(log_joint - largest)  # up to a factor that cancels
    return joint / joint.sum(dim=1, keepdim=True)


_JOINT_FAR, _JOINT_MIXED = "log-densities around -2,000", "some points near, some far"


def _shows_the_exponentials_underflow(results):
    near, far = split_by_label(
        results, _JOINT_FAR, _JOINT_MIXED, "log-densities above 1,000"
    )
    return (
        len(near) == len(results) - 3
        and all(r.right for r in near)
        and any(not r.right and not r.value.isfinite().all() for r in far)
    )


def _shows_far_points_are_given_away_by_default(results):
    near, far = split_by_label(
        results, _JOINT_FAR, _JOINT_MIXED, "log-densities above 1,000"
    )
    return (
        bool(near)
        and all(r.right for r in near)
        and any(r.value.isfinite().all() and not r.right for r in far)
    )


def _shows_normalised_over_the_points(results):
    several = [
        r.value for r in usable(results) if len(r.value) > 1 and r.value.shape[1] > 1
    ]
    return bool(several) and all(
        (value.sum(0) - 1).abs().max() < 1e-3 and (value.sum(1) - 1).abs().max() > 1e-2
        for value in several
    )


exercise = Exercise(
    responsibilities,
    minutes=6,
    difficulty="easy",
    hints=(
        "Bayes: P(m|x) = P(m, x) / P(x). What is P(x), if you have P(m, x) for every m?",
        "P(x) is the sum over the components: each row is divided by its own sum, and "
        "then sums to 1. But the exponential of -2,000 is 0, and 0 / 0 is no number.",
        "A factor common to a row cancels: take the row's largest value away first, "
        "`log_joint - log_joint.amax(dim=1, keepdim=True)`, then the exponential, then "
        "divide by `….sum(dim=1, keepdim=True)`.",
    ),
    cases=(
        Case(torch.tensor([[0.6, 0.3]]).log()),
        Case(
            torch.tensor([[0.1, 0.4], [0.02, 0.03]]).log(), label="2 points, 2 components"
        ),
        Case(draws(30, 5, 3) - 2),
        Case(draws(31, 3, 3) - 1),
        Case(draws(32, 4, 1) - 3),
        Case(draws(33, 1, 6) - 4),
        Case(2 * draws(34, 40, 4) - 5),
        Case(
            torch.tensor([[-1.0, -math.inf, -2.0], [-math.inf, -3.0, -1.5]]),
            label="a component of density 0",
        ),
        Case(2 * draws(35, 4, 3) - 2000, atol=1e-3, label=_JOINT_FAR),
        Case(
            draws(36, 6, 3) - torch.tensor([0.0, 2000, 3, 1500, 900, 1])[:, None],
            atol=1e-3,
            label=_JOINT_MIXED,
        ),
        Case(
            torch.tensor([[1200.0, 1201.0], [1500.0, 1500.5]]),
            atol=1e-3,
            label="log-densities above 1,000",
        ),
        Case(
            torch.tensor([[-900.0, -5.0, -4.0], [-1.0, -1.0, -800.0]]),
            label="components far apart",
        ),
    ),
    mistakes=(
        Mistake(
            "the exponentials underflow",
            "log_joint - largest",
            "log_joint",
            "Right for likely points; for others it is 0 / 0 or infinity / infinity, "
            "since the exponential of -2,000 is 0 for a floating-point number. Take each "
            "row's largest value away first: a common factor cancels.",
        ),
        Mistake(
            "one maximum for all points",
            "log_joint.amax(dim=1, keepdim=True)",
            "log_joint.max()",
            "Right where all points are alike; where some are near and some far, the far "
            "ones are 0 / 0. What is taken away is the largest of the whole batch; each "
            "row needs its own.",
        ),
        Mistake(
            "the maximum of each component",
            "log_joint.amax(dim=1, keepdim=True)",
            "log_joint.amax(dim=0)",
            "What is taken away is the largest of each column, another number for each "
            "component: that does not cancel. Each point needs its own, a maximum over "
            "the components.",
        ),
        Mistake(
            "the smallest is taken away",
            "log_joint.amax(dim=1",
            "log_joint.amin(dim=1",
            "Each row's smallest value is taken away: then the others have large "
            "exponentials, and where the smallest is -inf nothing is left. Take the "
            "largest away: no exponential is above 1 then.",
        ),
        Mistake(
            "normalised over the points",
            "joint.sum(dim=1, keepdim=True)",
            "joint.sum(dim=0, keepdim=True)",
            "The columns sum to 1: it is divided by the sum over the points. A point's "
            "responsibilities sum to 1 over the components.",
        ),
        Mistake(
            "a softmax over the points",
            "largest = log_joint.amax(dim=1, keepdim=True)\n    joint = "
            "torch.exp(log_joint - largest)\n    return joint / joint.sum(dim=1, "
            "keepdim=True)",
            "return torch.softmax(log_joint, dim=0)",
            "The softmax runs over the points, and the columns sum to 1. A point's "
            "responsibilities sum to 1 over the components: the other axis.",
        ),
        Mistake(
            "normalised over everything",
            "joint.sum(dim=1, keepdim=True)",
            "joint.sum()",
            "All entries together sum to 1. Every point has its own question, so every "
            "row sums to 1.",
        ),
        Mistake(
            "not normalised",
            "joint / joint.sum(dim=1, keepdim=True)",
            "log_joint.exp()",
            "This is P(m, x), the numerator: it is still to be divided by P(x), the sum "
            "over the components.",
        ),
        Mistake(
            "the largest is 1",
            "joint / joint.sum(dim=1, keepdim=True)",
            "joint",
            "In every row the likeliest component has 1 and the others have something "
            "more: taking the largest away is for the numerics only, the division by the "
            "sum is still due.",
        ),
        Mistake(
            "a small number is added to the sum",
            "torch.exp(log_joint - largest)\n    return joint / joint.sum(dim=1, "
            "keepdim=True)",
            "torch.exp(log_joint)\n"
            "    return joint / (joint.sum(dim=1, keepdim=True) + 1e-10)",
            "The small number in the denominator prevents 0 / 0, but a point far away "
            "then belongs to no component at all: its row sums to 0. Take the row's "
            "largest value away before the exponential.",
        ),
        Mistake(
            "still logarithms",
            "joint / joint.sum(dim=1, keepdim=True)",
            "log_joint - torch.logsumexp(log_joint, dim=1, keepdim=True)",
            "These are the logarithms of the responsibilities: take the exponential at "
            "the end.",
        ),
        Mistake(
            "the logarithms are divided",
            "joint / joint.sum(dim=1, keepdim=True)",
            "log_joint / log_joint.sum(dim=1, keepdim=True)",
            "The logarithms are divided by their sum. Bayes speaks of the densities: "
            "exponentials first.",
        ),
        Mistake(
            "all or nothing",
            "joint / joint.sum(dim=1, keepdim=True)",
            "torch.nn.functional.one_hot(log_joint.argmax(1), log_joint.shape[1])",
            "Each point is given wholly to its likeliest component: that is hard EM (with "
            "equal weights and equal round covariances it is k-means). In EM a point "
            "between two components belongs to both in part.",
        ),
        Mistake(
            "which component, not how much",
            "joint / joint.sum(dim=1, keepdim=True)",
            "log_joint.argmax(1)",
            "This is the number of the likeliest component. How much a point belongs to "
            "each of them is asked for.",
        ),
        Mistake(
            "normalised twice",
            "joint / joint.sum(dim=1, keepdim=True)",
            "torch.softmax(joint / joint.sum(dim=1, keepdim=True), dim=1)",
            "A softmax is taken of what are probabilities already: the largest of a row is "
            "at most e = 2.7 times the smallest, and none falls to 0.",
        ),
        Mistake(
            "the sign is turned",
            "torch.exp(log_joint - largest)",
            "torch.exp(largest - log_joint)",
            "The unlikeliest component has the most: the sign in the exponent is turned.",
        ),
        Mistake(
            "base 2",
            "torch.exp(log_joint",
            "torch.exp2(log_joint",
            "Powers of 2 are taken of logarithms in nats: their base is e.",
        ),
        Mistake(
            "transposed",
            "joint / joint.sum(dim=1, keepdim=True)",
            "(joint / joint.sum(dim=1, keepdim=True)).T",
            "Rows and columns have changed places: (B, K) is due, a row for each point.",
        ),
    ),
    symptoms=(
        Symptom(
            "numbers below 0",
            lambda results: any((r.value < -1e-6).any() for r in usable(results)),
            "There are numbers below 0: responsibilities are probabilities. Are they "
            "logarithms?",
        ),
        Symptom(
            "the exponentials underflow", _shows_the_exponentials_underflow, errors_too=True
        ),
        Symptom(
            "far points are given away by default",
            _shows_far_points_are_given_away_by_default,
            "Right for likely points. Where every density underflows something is put in "
            "place of 0 / 0 (a small number, a `clamp`, a `nan_to_num`), and that is no "
            "answer: far away too one component is likelier than another. Take the row's "
            "largest value away before the exponential.",
        ),
        Symptom("normalised over the points", _shows_normalised_over_the_points),
        Symptom(
            "the rows do not sum to 1",
            lambda results: any(
                r.value.isfinite().all() and (r.value.sum(1) - 1).abs().max() > 1e-2
                for r in usable(results)
            ),
            "Some rows do not sum to 1: a point came from one of the components, so its "
            "responsibilities share out 1.",
        ),
    ),
)
