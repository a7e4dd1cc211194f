"""Are samples nearer to the training data than new data are? A z-score, below 0 if so."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import normal, others_right, proportional, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def memorisation_score(train: Tensor, held_out: Tensor, samples: Tensor) -> float:
    """Are samples nearer to the training data than new data are? A z-score, below 0 if so.

    For each sample and each held-out image take the distance to its nearest training image.
    U is the number of pairs (sample, held-out image) in which the sample is farther; a tie
    counts ½. With m samples and n held-out images, z = (U - m·n/2) / √(m·n·(m + n + 1)/12):
    about N(0, 1) if samples are like new data, far below 0 if they are copies.
    train: (N, F); held_out: (n, F); samples: (m, F). Returns z. (The test of Mann and
    Whitney; for memorisation: Meehan et al. 2020, arXiv:2004.05675, without their cells.)
    """
    d = torch.cdist(samples, train).amin(1)  # (m,)
    h = torch.cdist(held_out, train).amin(1)  # (n,)
    u = ((d[:, None] > h).double() + 0.5 * (d[:, None] == h)).sum().item()
    m, n = len(d), len(h)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _cloud(n: int, f: int, seed: int) -> Tensor:
    return normal(n, f, seed=seed)


_TRAIN = _cloud(15, 3, 31)


_SOME = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])


_Z = "(u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)"


def _shows_copies_score_above_0(results):
    value = {r.case.label: r.value for r in usable(results)}
    copies, bad = value.get("samples that copy"), value.get("samples that are bad")
    return copies is not None and bad is not None and bool(copies > 0) and bool(bad < 0)


def _shows_the_scale(results):
    return (
        len(usable(results)) == len(results)
        and not proportional(results)
        and not any(
            r.right or not r.value.isfinite() for r in results if r.expected.abs() > 1e-6
        )
    )


exercise = Exercise(
    memorisation_score,
    minutes=12,
    difficulty="medium",
    hints=(
        "Two lists of numbers: how far each sample is from the training data, and how "
        "far each held-out image is. Do the first tend to be smaller than the second?",
        "`torch.cdist(samples, train).amin(1)` is the first list. U counts, over all "
        "pairs of a sample and a held-out image, those where the sample is farther: "
        "compare `d[:, None] > h`, and count ties half.",
        "Without any difference U is m·n/2 on average, with variance m·n·(m + n + 1)/12. "
        "The score is the distance from that mean in standard deviations.",
    ),
    cases=(
        Case(_TRAIN, _cloud(8, 3, 32), _cloud(6, 3, 33), label="samples like new data"),
        Case(
            _TRAIN,
            _cloud(8, 3, 34),
            _TRAIN[:10] + 0.01 * _cloud(10, 3, 35),
            label="samples that copy",
        ),
        Case(
            _TRAIN, _cloud(9, 3, 36), 3 * _cloud(5, 3, 37) + 4, label="samples that are bad"
        ),
        Case(
            _SOME,
            torch.tensor([[0.0, 1.0], [4.0, 0.0], [0.0, 10.0]]),
            torch.tensor([[0.0, 0.0], [5.0, 0.0], [4.0, 3.0], [0.0, 8.0]]),
            label="distances that tie",
        ),
        Case(
            _SOME,
            torch.tensor([[0.0, 1.0], [4.0, 2.0]]),
            _SOME.repeat(2, 1),
            label="exact copies",
        ),
        Case(
            _cloud(12, 5, 38),
            _cloud(7, 5, 39),
            _cloud(7, 5, 40),
            label="as many samples as held-out images",
        ),
        Case(
            _cloud(12, 2, 41),
            _cloud(1, 2, 42),
            _cloud(3, 2, 43),
            label="a single held-out image",
        ),
        Case(
            _cloud(20, 40, 44),
            _cloud(10, 40, 45),
            torch.cat([_cloud(20, 40, 44)[:4], 1.2 * _cloud(8, 40, 46)]),
            label="4 copies among 12 samples",
        ),
    ),
    mistakes=(
        Mistake(
            "the sign is turned",
            "(d[:, None] > h)",
            "(d[:, None] < h)",
            "The sign is turned: you count the pairs in which the sample is nearer, so "
            "that copies score far above 0. They are to score below.",
        ),
        Mistake(
            "ties count nothing",
            " + 0.5 * (d[:, None] == h)",
            "",
            "Pairs in which both are equally far count 0. They count ½: neither is "
            "farther.",
        ),
        Mistake(
            "ties count in full",
            "0.5 * (d[:, None] == h)",
            "1.0 * (d[:, None] == h)",
            "Pairs in which both are equally far count 1. They count ½: neither is "
            "farther.",
        ),
        Mistake(
            "samples measured to the held-out images",
            "torch.cdist(samples, train)",
            "torch.cdist(samples, held_out)",
            "The distance of the samples is measured to the held-out images. Both lists "
            "are distances to the training data: that is where copies come from.",
        ),
        Mistake(
            "train and held-out swapped",
            "    d = ",
            "    train, held_out = held_out, train\n    d = ",
            "Train and held-out have changed places: this asks whether samples copy the "
            "held-out images.",
        ),
        Mistake(
            "the farthest training image",
            "torch.cdist(samples, train).amin(1)\n    h = torch.cdist(held_out, "
            "train).amin(1)",
            "torch.cdist(samples, train).amax(1)\n"
            "    h = torch.cdist(held_out, train).amax(1)",
            "The distance is to the farthest training image. A copy is near to one of "
            "them: the nearest counts.",
        ),
        Mistake(
            "the mean distance to the training data",
            "torch.cdist(samples, train).amin(1)\n    h = torch.cdist(held_out, "
            "train).amin(1)",
            "torch.cdist(samples, train).mean(1)\n"
            "    h = torch.cdist(held_out, train).mean(1)",
            "The distance is averaged over all training images. A copy is near to one of "
            "them and no nearer to the others: the nearest counts.",
        ),
        Mistake(
            "the minimum over the wrong axis",
            "torch.cdist(samples, train).amin(1)\n    h = torch.cdist(held_out, "
            "train).amin(1)",
            "torch.cdist(samples, train).amin(0)\n"
            "    h = torch.cdist(held_out, train).amin(0)",
            "The minimum runs over the wrong axis: for each training image you look for "
            "the nearest sample, so that there are as many distances as training images. "
            "Each sample looks for its nearest training image.",
        ),
        Mistake(
            "distances along the axes added",
            "torch.cdist(samples, train).amin(1)\n    h = torch.cdist(held_out, "
            "train).amin(1)",
            "torch.cdist(samples, train, p=1.0).amin(1)\n"
            "    h = torch.cdist(held_out, train, p=1.0).amin(1)",
            "The distances along the axes are added up (the L1 norm). The straight "
            "distance is due.",
        ),
        Mistake(
            "only the share of the pairs",
            _Z,
            "u / (m * n)",
            "This is U / (m·n), the probability that a sample is farther: ½ if samples "
            "are like new data. The score says besides how sure that is: (U - m·n/2), "
            "divided by its standard deviation.",
        ),
        Mistake(
            "U itself",
            f"return {_Z}",
            "return u",
            "This is U. Its mean m·n/2 is to be subtracted, and the rest divided by its "
            "standard deviation.",
        ),
        Mistake(
            "the mean is not subtracted",
            "(u - m * n / 2)",
            "u",
            "m·n/2 is not subtracted: U has that size where nothing is copied.",
        ),
        Mistake(
            "divided by the variance",
            "math.sqrt(m * n * (m + n + 1) / 12)",
            "(m * n * (m + n + 1) / 12)",
            "U - m·n/2 is divided by the variance. A z-score is in standard deviations: "
            "the root is missing.",
        ),
        Mistake(
            "the 12 is missing",
            "(m + n + 1) / 12)",
            "(m + n + 1))",
            "The 12 is missing below the root: the variance of U is m·n·(m + n + 1)/12.",
        ),
        Mistake(
            "the 1 is missing",
            "(m + n + 1) / 12)",
            "(m + n) / 12)",
            "The variance of U is m·n·(m + n + 1)/12: the 1 is missing, which matters "
            "where there are few.",
        ),
        Mistake(
            "not divided",
            f"return {_Z}",
            "return u - m * n / 2",
            "U - m·n/2 is not divided by the standard deviation √(m·n·(m + n + 1)/12): "
            "with more images it would grow by itself.",
        ),
        Mistake(
            "the share of copies",
            f"return {_Z}",
            "return (d < h.mean()).double().mean().item()",
            "This is how many samples are nearer than a held-out image is on average. "
            "The score compares every sample with every held-out image.",
        ),
        Mistake(
            "the means of the distances",
            f"return {_Z}",
            "return (d.mean() - h.mean()).item()",
            "The mean distances are compared. One sample far off would hide many copies: "
            "what counts is, pair by pair, which of the two is farther.",
        ),
        Mistake(
            "a t-test",
            f"return {_Z}",
            "return ((d.mean() - h.mean()) / (d.var() / m + h.var() / n).sqrt()).item()",
            "This is a t-test: it compares the means of the distances. One sample far "
            "off would hide many copies; the test of Mann and Whitney looks at their "
            "order alone.",
        ),
        Mistake(
            "nearer to train than to held-out",
            f"return {_Z}",
            "return (d < torch.cdist(samples, held_out).amin(1)).double().mean().item()",
            "This is the share of samples that are nearer to a training image than to a "
            "held-out one. It depends on how many there are of each; the score compares "
            "the samples with held-out images, both measured to the training data.",
        ),
    ),
    symptoms=(
        Symptom(
            "copies score above 0",
            _shows_copies_score_above_0,
            "Samples that copy the training data score above 0 in your answer, bad ones "
            "below: the sign is turned.",
        ),
        Symptom(
            "ties",
            lambda results: others_right(results, "distances that tie"),
            "Right where all distances differ, wrong where a sample and a held-out image "
            "are equally far from the training data: such a pair counts ½.",
        ),
        Symptom(
            "the sign is lost",
            lambda results: (
                len(usable(results)) == len(results)
                and all(
                    torch.isclose(r.value, r.expected.abs(), rtol=1e-4, atol=1e-5)
                    for r in results
                )
            ),
            "The size is right, but the answer is never below 0, where copies are to "
            "score: there is an absolute value, or U is replaced by the larger of U and "
            "m·n - U.",
        ),
        Symptom(
            "the wrong count of pairs",
            lambda results: any(
                (r.value * r.expected < -1e-6).any() for r in usable(results)
            ),
            "The answer cannot come from a right U with a wrong scale: on some inputs it "
            "has the wrong sign. Begin with the two lists of distances, each sample's "
            "and each held-out image's to its nearest training image.",
        ),
        Symptom(
            "the scale",
            _shows_the_scale,
            "The sign is right on all inputs, the size is not: U - m·n/2 is divided by "
            "√(m·n·(m + n + 1)/12), m the number of samples, n that of held-out images; "
            "and U counts over all m·n pairs.",
        ),
    ),
)
