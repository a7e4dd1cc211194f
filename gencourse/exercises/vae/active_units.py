"""Which dimensions of the code are in use: those whose posterior mean moves with x."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import normal, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def active_units(means: Tensor, threshold: float = 0.01) -> Tensor:
    """Which dimensions of the code are in use: those whose posterior mean moves with x.

    means: (N, latent), the mean of q(z|x) for each of N examples.
    A dimension is active if the variance of its mean over the data is above the threshold
    (divided by N or by N - 1, as you like). Returns (latent,) booleans.
    """
    return means.var(0) > threshold


def _units(n: int, variances, offsets, seed: int) -> Tensor:
    """Columns with exactly these variances and means."""
    x = normal(n, len(variances), seed=seed)
    x = (x - x.mean(0)) / x.std(0, unbiased=False)
    return x * torch.tensor(variances).sqrt() + torch.tensor(offsets)


def _yes_or_no(results):
    return [(r.value, r.case.arguments[0]) for r in usable(results)]


exercise = Exercise(
    active_units,
    minutes=5,
    difficulty="easy",
    hints=(
        "By this count a unit is in use if its mean m_j(x) changes from image to image. A "
        "unit whose mean is always the same is not, however large that mean is.",
        "How much m_j changes is its variance over the data: of every column of `means`, "
        "over the rows.",
        "`means.var(0)` has one number for each dimension; compare it with the threshold.",
    ),
    cases=(
        Case(
            _units(
                200,
                [1.0, 0.013, 0.04, 0.0025, 0.007, 0.0, 0.0, 0.09],
                [0.0, 2.0, 0.0, -1.0, 3.0, 1.0, 0.0, -5.0],
                seed=111,
            )
        ),
        Case(
            _units(
                200,
                [1.0, 0.013, 0.04, 0.0025, 0.007, 0.0, 0.0, 0.09],
                [0.0, 2.0, 0.0, -1.0, 3.0, 1.0, 0.0, -5.0],
                seed=112,
            ),
            0.5,
        ),
        Case(
            _units(
                6,
                [0.0, 0.5, 0.0004, 0.5, 0.0, 0.002],
                [1.0, 0.0, 0.0, -1.0, 0.3, 0.0],
                seed=113,
            )
        ),
        Case(
            _units(30, [0.0004, 0.00001, 0.0, 2.0], [0.5, 0.0, -2.0, 0.0], seed=114), 0.0001
        ),
        Case(
            _units(50, [0.0, 0.001, 0.0001], [0.0, 0.4, -0.4], seed=115),
            label="a code that has collapsed",
        ),
        Case(
            _units(40, [0.5, 0.3, 4.0], [0.0, 0.0, 0.0], seed=116),
            label="a code that is all alive",
        ),
        Case(_units(1000, [3.0, 0.0, 0.05, 0.003], [0.0, 0.0, -0.5, 0.05], seed=117)),
        Case(
            _units(
                60,
                [(0.002, 0.2)[integer(0, 1, seed=seed)] for seed in range(20)],
                [0.3] * 20,
                seed=118,
            )
        ),
    ),
    mistakes=(
        Mistake(
            "the variance over the dimensions",
            "means.var(0)",
            "means.var(1)",
            "The variance is taken over the dimensions of each code, and there is one "
            "answer for each example. It is taken over the data, the first axis.",
        ),
        Mistake(
            "one variance for everything",
            "means.var(0)",
            "means.var()",
            "There is one variance for the whole tensor. Every dimension has its own.",
        ),
        Mistake(
            "the standard deviation in place of the variance",
            "means.var(0)",
            "means.std(0)",
            "The standard deviation is compared with the threshold, the variance is due: "
            "the standard deviation of a quiet unit, 0.05 for instance, is above 0.01 "
            "though its variance is not.",
        ),
        Mistake(
            "the mean in place of the variance",
            "means.var(0)",
            "means.mean(0)",
            "The mean over the data is compared with the threshold. A unit whose mean is "
            "always 1 is not in use: it is its variance that counts.",
        ),
        Mistake(
            "the size in place of the variance",
            "means.var(0)",
            "means.abs().mean(0)",
            "How large the means are is compared with the threshold. A unit whose mean is "
            "always 1 is not in use: it is the variance over the data that counts.",
        ),
        Mistake(
            "the squares are not centred",
            "means.var(0)",
            "means.square().mean(0)",
            "This is the mean square. For the variance the average of the column is "
            "subtracted first: a unit that always says 1 has variance 0.",
        ),
        Mistake(
            "summed instead of averaged",
            "means.var(0)",
            "(means - means.mean(0)).square().sum(0)",
            "The squared deviations are summed over the data and never divided by their "
            "number: with enough data every unit would count as active.",
        ),
        Mistake(
            "the range in place of the variance",
            "means.var(0)",
            "(means.amax(0) - means.amin(0))",
            "The range, largest less smallest, is compared with the threshold. It is the "
            "variance that is due.",
        ),
        Mistake(
            "one example is enough",
            "means.var(0) > threshold",
            "(means.abs() > threshold).any(0)",
            "A unit counts as active as soon as one of its means is away from 0. It is "
            "the variance over the data that counts.",
        ),
        Mistake(
            "the inactive ones",
            " > threshold",
            " < threshold",
            "These are the units that are not active: their variance is to be above the "
            "threshold.",
        ),
        Mistake(
            "the threshold is written in",
            "> threshold",
            "> 0.01",
            "Right for a threshold of 0.01 only: the function does not look at "
            "`threshold`.",
        ),
        Mistake(
            "how many instead of which",
            "return means.var(0) > threshold",
            "return (means.var(0) > threshold).sum()",
            "This is how many units are active. Which ones is asked for: a yes or no for "
            "every dimension.",
        ),
        Mistake(
            "their numbers instead of yes or no",
            "return means.var(0) > threshold",
            "return (means.var(0) > threshold).nonzero().flatten()",
            "These are the numbers of the active units. A yes or no for every dimension "
            "is asked for.",
        ),
        Mistake(
            "variances instead of yes or no",
            "return means.var(0) > threshold",
            "return means.var(0)",
            "These are the variances themselves. Compare them with the threshold: a yes "
            "or no for every dimension is asked for.",
        ),
        Mistake(
            "the share of the variance",
            "means.var(0) > threshold",
            "means.var(0) / means.var(0).sum() > threshold",
            "Each variance is compared with the total of all. The threshold is absolute: "
            "in a code that has collapsed no unit is active.",
        ),
    ),
    symptoms=(
        Symptom(
            "something else than yes or no",
            lambda results: any(
                ((value != 0) & (value != 1)).any() for value, _ in _yes_or_no(results)
            ),
            "Some of your numbers are neither 0 nor 1: compare the variances with the "
            "threshold, and return the booleans.",
        ),
        Symptom(
            "a constant unit is active",
            lambda results: any(
                value[means.var(0) < 1e-9].any() for value, means in _yes_or_no(results)
            ),
            "A unit whose mean is the same for all examples counts as active in your "
            "answer. By this count it is not in use: the variance of its mean is 0.",
        ),
        Symptom(
            "the threshold is missed",
            lambda results: len(usable(results)) == len(results),
            "Some units are on the wrong side of the threshold. What is compared is the "
            "variance over the data, not its root, and with `threshold`, whatever it is.",
        ),
    ),
)
