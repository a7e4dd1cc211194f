"""About how many different samples a generator can make, by the birthday paradox."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import normal, others_right, right_on, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def birthday_support(samples: Tensor, threshold: float) -> float:
    """About how many different samples a generator can make, by the birthday paradox.

    Two samples coincide if their distance is at most the threshold. Were N samples equally
    likely, each of the s·(s - 1)/2 pairs would coincide with probability 1/N; so the
    estimate is the number of pairs over the number of pairs that coincide. Infinite if
    none does: then s is too small to tell. A sample makes no pair with itself.
    samples: (s, F), at least 2; threshold: above 0. Returns the estimate of N.
    (After Arora and Zhang 2017, arXiv:1706.08224: duplicates from about s = √N on.)
    """
    s = len(samples)
    coinciding = (torch.pdist(samples) <= threshold).sum().item()
    return s * (s - 1) / 2 / coinciding if coinciding else math.inf


def _points(*places: float) -> Tensor:
    """Samples of two numbers each, that differ in the first by what the places say."""
    return torch.tensor([[place, 1.0] for place in places])


_SEEN = "(torch.pdist(samples) <= threshold).sum().item()"


_MANY = "s * (s - 1) / 2 / coinciding if coinciding else math.inf"


exercise = Exercise(
    birthday_support,
    minutes=8,
    difficulty="medium",
    hints=(
        "In a class of 23 two share a birthday as likely as not, for there are 253 "
        "pairs, and each coincides with probability 1/365. Turn that round: from how "
        "often pairs coincide to the number of days.",
        "s samples have s·(s - 1)/2 pairs. If all N are equally likely, a pair coincides "
        "with probability 1/N, so N ≈ pairs / coincidences.",
        "`torch.cdist(samples, samples) <= threshold` is true on the diagonal (each with "
        "itself), and twice for every pair: `.triu(1)` keeps what is above the diagonal. "
        "`torch.pdist(samples)` has each pair once.",
    ),
    cases=(
        Case(_points(0, 5, 0, 9, 14, 5), 0.1, label="6 samples, two pairs that coincide"),
        Case(_points(3, 0, 3, 7, 3, 20), 0.1, label="one that came three times"),
        Case(_points(1, 1, 1, 1, 1), 0.1, label="always the same sample"),
        Case(_points(*range(10)), 0.5, label="no two alike"),
        Case(_points(0, 1, 3, 6, 10, 15), 2.5, label="a wide threshold"),
        Case(
            torch.tensor(
                [
                    [0.0, 0.0],
                    [0.35, 0.45],
                    [5.0, 5.0],
                    [5.7, 5.7],
                    [9.0, 0.0],
                    [9.8, 0.0],
                    [9.0, 0.1],
                    [20.0, 0.0],
                    [20.0, 3.0],
                ]
            ),
            0.75,
            label="pairs 0.1 to 1 apart, threshold 0.75",
        ),
        Case(
            normal(8, 4, seed=91)[[0, 1, 2, 3, 4, 5, 6, 7, 2, 5, 0, 2]],
            1e-3,
            label="12 samples of 4 numbers",
        ),
        Case(_points(2, 2), 0.1, label="two samples, alike"),
        Case(
            _points(*(integer(0, 9, seed=seed) for seed in range(12))),
            0.5,
            label="12 samples on 10 places",
        ),
    ),
    mistakes=(
        Mistake(
            "each sample paired with itself",
            _SEEN,
            "((torch.cdist(samples, samples) <= threshold).sum().item() - s) / 2 + s",
            "Every sample counts as its own duplicate: the diagonal of the table of "
            "distances is 0. Then there is always a coincidence, and the estimate never "
            "exceeds about s/2.",
        ),
        Mistake(
            "the whole table is counted",
            _SEEN,
            "(torch.cdist(samples, samples) <= threshold).sum().item()",
            "The whole table of distances is counted: every pair twice, and each sample "
            "with itself. Only what is above the diagonal is due.",
        ),
        Mistake(
            "every pair counted twice",
            _SEEN,
            "2 * (torch.pdist(samples) <= threshold).sum().item()",
            "Half of what is due: coinciding pairs are counted twice, (i, j) and (j, i), "
            "all pairs once.",
        ),
        Mistake(
            "all pairs counted twice",
            "s * (s - 1) / 2 /",
            "s * (s - 1) /",
            "Twice what is due: s·(s - 1) counts every pair twice, (i, j) and (j, i); "
            "there are half as many.",
        ),
        Mistake(
            "a sample's pair with itself among all pairs",
            "s * (s - 1) / 2 /",
            "s * s / 2 /",
            "s²/2 is put for the number of pairs: it takes in half a pair of each sample "
            "with itself. s·(s - 1)/2 is due.",
        ),
        Mistake(
            "the square of the sample size",
            _MANY,
            "float(s * s) if coinciding else math.inf",
            "This is s², however many coincide. That is only the order of size of N if "
            "duplicates are about as likely as not; here the coinciding pairs are "
            "counted.",
        ),
        Mistake(
            "how many different ones",
            f"return {_MANY}",
            "return float(len(samples.unique(dim=0)))",
            "This is the number of different samples among those drawn. It cannot exceed "
            "s; the support can be far larger, and the duplicates tell how far.",
        ),
        Mistake(
            "the share of coinciding pairs",
            _MANY,
            "coinciding / (s * (s - 1) / 2)",
            "This is the share of the pairs that coincide, 1/N. N is asked for.",
        ),
        Mistake(
            "the number of coinciding pairs",
            f"return {_MANY}",
            "return float(coinciding)",
            "This is the number of pairs that coincide. The number of all pairs is to be "
            "divided by it.",
        ),
        Mistake(
            "samples instead of pairs",
            "s * (s - 1) / 2 / coinciding",
            "s / coinciding",
            "The number of samples is divided by that of the coincidences. It is pairs "
            "that can coincide: s·(s - 1)/2.",
        ),
        Mistake(
            "samples that have a duplicate",
            _SEEN,
            "((torch.cdist(samples, samples) <= threshold).sum(1) > 1).sum().item()",
            "The samples that have a duplicate are counted. It is pairs: one that came "
            "three times makes three.",
        ),
        Mistake(
            "repetitions instead of pairs",
            _SEEN,
            "(torch.cdist(samples, samples) <= "
            "threshold).double().tril(-1).any(1).sum().item()",
            "The samples that repeat an earlier one are counted. It is pairs: one that "
            "came three times repeats twice, but makes three pairs.",
        ),
        Mistake(
            "only neighbours in the list",
            _SEEN,
            "((samples[1:] - samples[:-1]).norm(dim=1) <= threshold).sum().item()",
            "Only samples that follow one another are compared. All pairs are.",
        ),
        Mistake(
            "the pairs that differ",
            "<= threshold",
            "> threshold",
            "The pairs farther apart than the threshold are counted. Those at most as "
            "far apart coincide.",
        ),
        Mistake(
            "the squared distance",
            "torch.pdist(samples)",
            "torch.pdist(samples).square()",
            "The squared distance is compared with the threshold. The distance itself is "
            "due.",
        ),
        Mistake(
            "each number by itself",
            "torch.pdist(samples)",
            "torch.pdist(samples, p=math.inf)",
            "Two samples coincide in your answer if each of their numbers differs by at "
            "most the threshold. The distance between them is due.",
        ),
        Mistake(
            "the distances along the axes added",
            "torch.pdist(samples)",
            "torch.pdist(samples, p=1.0)",
            "The distances along the axes are added up (the L1 norm). The straight "
            "distance is due.",
        ),
        Mistake(
            "exact duplicates only",
            "<= threshold",
            "== 0",
            "Only samples that are exactly alike coincide in your answer: `threshold` "
            "has no say.",
        ),
        Mistake(
            "0 where none coincide",
            "math.inf",
            "0.0",
            "Where no two coincide the answer is 0, the support of a generator that "
            "makes nothing. The estimate is infinite: s was too small to tell.",
        ),
        Mistake(
            "the sample size where none coincide",
            "else math.inf",
            "else float(s)",
            "Where no two coincide the answer is s. But then N may be far larger: the "
            "estimate is infinite.",
        ),
        Mistake(
            "all pairs where none coincide",
            "else math.inf",
            "else s * (s - 1) / 2",
            "Where no two coincide the answer is the number of pairs, as if one had. The "
            "estimate is infinite: s was too small to tell.",
        ),
    ),
    symptoms=(
        Symptom(
            "no two alike",
            lambda results: others_right(results, "no two alike"),
            "Right where some pair coincides, wrong where none does: the estimate is "
            "infinite there (`math.inf`), without a division by 0.",
            errors_too=True,
        ),
        Symptom(
            "right without repetitions",
            lambda results: (
                right_on(results, "6 samples, two pairs that coincide")
                and not right_on(results, "one that came three times")
            ),
            "Right where each sample coincides with one other at most, wrong where one "
            "comes three times or more: that makes three pairs.",
        ),
        Symptom(
            "what coincides",
            lambda results: all(
                right_on(results, label)
                for label in (
                    "6 samples, two pairs that coincide",
                    "always the same sample",
                )
            ),
            "Right where samples are exactly alike or far apart, wrong where they are "
            "merely close: two coincide if their distance, the root of the summed "
            "squares, is at most the threshold.",
        ),
        Symptom(
            "not 1 where all are the same",
            lambda results: any(
                r.case.label == "always the same sample" and not r.right
                for r in usable(results)
            ),
            "Where every sample is the same the support is 1: all pairs coincide; yours "
            "is another.",
        ),
    ),
)
