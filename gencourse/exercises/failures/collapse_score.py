"""How far samples have collapsed: KL(shares of the classes ‖ uniform), in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer, seeded
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def collapse_score(labels: Tensor, n_classes: int) -> float:
    """How far samples have collapsed: KL(shares of the classes ‖ uniform), in nats.

    labels: (N,), for each sample the class a classifier gives it, integers from 0 to K - 1;
    K = n_classes, which all occur equally often in the data. With s_k the share of class k,
    the score is Σ s_k log(K s_k): 0 where all classes come alike, log K where one is left.
    A class that never comes adds 0. (The "reverse KL" of VEEGAN and PacGAN.)
    """
    share = torch.bincount(labels, minlength=n_classes).double() / len(labels)
    return math.log(n_classes) - torch.special.entr(share).sum().item()


def _labels(*counts: int) -> Tensor:
    """So many samples of each class, in an order of no meaning."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=seeded(len(labels)), device="cpu")]


_SCORE = "math.log(n_classes) - torch.special.entr(share).sum().item()"


def _shows_0_log_0(results):
    def missing(r):
        labels, n_classes = r.case.arguments
        return len(labels.unique()) < n_classes

    return all(r.right for r in results if not missing(r)) and any(
        r.value is None or not r.value.isfinite().all() for r in results if missing(r)
    )


def _shows_missing_classes_go_wrong(results):
    return any(r.right for r in results) and all(
        r.right == (len(r.case.arguments[0].unique()) == r.case.arguments[1])
        for r in results
        if not (r.case.label or "").startswith("one class")
    )


exercise = Exercise(
    collapse_score,
    minutes=6,
    difficulty="easy",
    hints=(
        "First the shares: which part of all samples fell into each class? A class that "
        "never occurs has a share too, 0, and it is what the detector is for.",
        "Σ s·log(s / (1/K)) = log K + Σ s·log s = log K - entropy of the shares. A share "
        "of 0 adds 0: the limit of s·log s.",
        "`torch.bincount(labels, minlength=n_classes)` counts, the classes that are "
        "missing too. `torch.special.entr(share)` is -s·log s, and 0 at 0.",
    ),
    cases=(
        Case(_labels(40, 30, 20, 10), 4),
        Case(_labels(25, 25, 25, 25), 4, label="all classes alike"),
        Case(_labels(50, 0, 50, 0, 0), 5, label="2 of 5 classes left"),
        Case(_labels(60, 30, 10, 0, 0, 0), 6, label="the last classes missing"),
        Case(_labels(30, 0, 0), 3, label="one class only, the first"),
        Case(_labels(0, 0, 0, 0, 0, 0, 0, 0, 0, 12), 10, label="one class only, the last"),
        Case(
            _labels(*[7, 9, 8, 11, 12, 10, 9, 8, 13, 13]),
            10,
            label="10 classes, 100 samples",
        ),
        Case(_labels(1, 2), 2, label="3 samples"),
        Case(_labels(5, 0, 3, 1), 1000, label="4 classes of 1,000"),
        Case(
            _labels(*(integer(1, 30, seed=seed) for seed in range(7))), 7, label="7 classes"
        ),
    ),
    mistakes=(
        Mistake(
            "0 · log 0",
            _SCORE,
            "(share * torch.log(n_classes * share)).sum().item()",
            "A class that never comes makes the score NaN: 0 times minus infinity. The "
            "limit of s·log s is 0: leave such classes out, or use `torch.special.entr` "
            "or `xlogy`.",
        ),
        Mistake(
            "only the classes that occur",
            _SCORE,
            "math.log((share > 0).sum()) - torch.special.entr(share).sum().item()",
            "The uniform distribution is over the classes that occur. So the missing "
            "ones are not missed: a generator that makes two digits, both equally often, "
            "would score 0. K is the number of classes of the data.",
        ),
        Mistake(
            "only up to the largest class",
            _SCORE,
            "math.log(labels.max().item() + 1) - torch.special.entr(share).sum().item()",
            "The classes are counted up to the largest that occurs, as `torch.bincount` "
            "does without `minlength=n_classes`. Missing classes at the end are not "
            "missed.",
        ),
        Mistake(
            "the KL in the other direction",
            _SCORE,
            "-(torch.log(n_classes * share).sum() / n_classes).item()",
            "This is KL(uniform ‖ shares), the other way round: the average is over all "
            "classes alike, and one that is missing makes it infinite. The average here "
            "is over the samples.",
        ),
        Mistake(
            "the entropy itself",
            _SCORE,
            "torch.special.entr(share).sum().item()",
            "This is the entropy of the shares, which falls as the generator collapses. "
            "The score is log K less that.",
        ),
        Mistake(
            "the sign is turned",
            _SCORE,
            "torch.special.entr(share).sum().item() - math.log(n_classes)",
            "The sign is turned: a KL is never negative, and 0 only where all classes "
            "come alike.",
        ),
        Mistake(
            "log K is missing",
            _SCORE,
            "-torch.special.entr(share).sum().item()",
            "This is Σ s·log s: the uniform distribution, 1/K, is missing in the "
            "logarithm. It adds log K.",
        ),
        Mistake(
            "bits instead of nats",
            _SCORE,
            f"({_SCORE}) / math.log(2)",
            "These are bits: made with log2. Nats are asked for.",
        ),
        Mistake(
            "as a part of log K",
            _SCORE,
            f"({_SCORE}) / math.log(n_classes)",
            "The score is divided by log K, so that it runs from 0 to 1. Nats are asked "
            "for.",
        ),
        Mistake(
            "averaged over the classes",
            _SCORE,
            f"({_SCORE}) / n_classes",
            "The sum is divided by the number of classes: `.mean()`, or `kl_div` without "
            'reduction="sum". A KL is a sum, in which the shares are the weights.',
        ),
        Mistake(
            "counts instead of shares",
            ".double() / len(labels)",
            ".double()",
            "The counts are put in as they are. Divide by the number of samples: shares "
            "add up to 1.",
        ),
        Mistake(
            "divided by the number of classes",
            ".double() / len(labels)",
            ".double() / n_classes",
            "The counts are divided by the number of classes. Shares are over the number "
            "of samples.",
        ),
        Mistake(
            "one added to every count",
            "minlength=n_classes).double() / len(labels)",
            "minlength=n_classes).double().add(1) / (len(labels) + n_classes)",
            "One is added to every count. That avoids log 0, but it hides collapse where "
            "samples are few: a share of 0 needs no help here, for s·log s is 0 there.",
        ),
        Mistake(
            "how many classes are missing",
            _SCORE,
            "(share == 0).sum().item()",
            "This is the number of missing classes. A class that is left with a single "
            "sample has not come back: the score weighs how often each comes.",
        ),
        Mistake(
            "how many classes are captured",
            _SCORE,
            "(share > 0).sum().item()",
            "This is the number of classes that occur. The score weighs how often each "
            "comes.",
        ),
        Mistake(
            "the largest share",
            _SCORE,
            "share.max().item()",
            "This is the share of the most frequent class. The score takes all of them: "
            "Σ s·log(K·s).",
        ),
        Mistake(
            "squared shares",
            _SCORE,
            "n_classes * share.square().sum().item() - 1",
            "The shares are squared and added up (a χ² or a Simpson index). It is "
            "s·log(K·s) that is summed.",
        ),
        Mistake(
            "half the sum of the differences",
            _SCORE,
            "(share - 1 / n_classes).abs().sum().item() / 2",
            "This is the total variation distance from uniform. The KL is asked for: Σ "
            "s·log(K·s).",
        ),
    ),
    symptoms=(
        Symptom("0 · log 0", _shows_0_log_0, errors_too=True),
        Symptom(
            "not 0 where all classes come alike",
            lambda results: any(
                r.case.label == "all classes alike" and not r.right for r in usable(results)
            ),
            "Where every class comes equally often nothing has collapsed, and the score "
            "is 0; yours is not.",
        ),
        Symptom(
            "not log K where one class is left",
            lambda results: any(
                (r.case.label or "").startswith("one class only") and not r.right
                for r in usable(results)
            ),
            "Where all samples are of one class the score is log K, the largest "
            "possible; yours is not.",
        ),
        Symptom(
            "missing classes go wrong",
            _shows_missing_classes_go_wrong,
            "Right where every class occurs, wrong where some are missing: they count in "
            "K, and add 0 to the sum.",
        ),
    ),
)
