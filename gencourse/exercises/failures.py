"""The exercises of notebook 05: detectors, each of one failure, and the game that goes round in circles.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .answers import Unusable, as_numbers, shape_of
from .common import cut, is_slope, normal, others_right, proportional, right_on, slopes, usable
from .core import Case, exercise, seeded, some
from .gan import _Network

# 1

def _labels(*counts: int) -> Tensor:
    """So many samples of each class, in an order of no meaning."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=seeded(len(labels)), device="cpu")]


@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "First the shares: which part of all samples fell into each class? A class that never occurs has a share too, "
        "0, and it is what the detector is for.",
        "Σ s·log(s / (1/K)) = log K + Σ s·log s = log K - entropy of the shares. A share of 0 adds 0: the limit of "
        "s·log s.",
        "`torch.bincount(labels, minlength=n_classes)` counts, the classes that are missing too. "
        "`torch.special.entr(share)` is -s·log s, and 0 at 0.",
    ),
    cases=(
        Case(_labels(40, 30, 20, 10), 4),
        Case(_labels(25, 25, 25, 25), 4, label="all classes alike"),
        Case(_labels(50, 0, 50, 0, 0), 5, label="2 of 5 classes left"),
        Case(_labels(60, 30, 10, 0, 0, 0), 6, label="the last classes missing"),
        Case(_labels(30, 0, 0), 3, label="one class only, the first"),
        Case(_labels(0, 0, 0, 0, 0, 0, 0, 0, 0, 12), 10, label="one class only, the last"),
        Case(_labels(*[7, 9, 8, 11, 12, 10, 9, 8, 13, 13]), 10, label="10 classes, 100 samples"),
        Case(_labels(1, 2), 2, label="3 samples"),
        Case(_labels(5, 0, 3, 1), 1000, label="4 classes of 1,000"),
        Case(_labels(*(some(1, 30, seed=seed) for seed in range(7))), 7, label="7 classes"),
    ),
)
def collapse_score(labels: Tensor, n_classes: int) -> float:
    """How far samples have collapsed: KL(shares of the classes ‖ uniform), in nats.

    labels: (N,), for each sample the class a classifier gives it, integers from 0 to K - 1;
    K = n_classes, which all occur equally often in the data. With s_k the share of class k,
    the score is Σ s_k log(K s_k): 0 where all classes come alike, log K where one is left.
    A class that never comes adds 0. (The "reverse KL" of VEEGAN and PacGAN.)
    """
    share = torch.bincount(labels, minlength=n_classes).double() / len(labels)
    return math.log(n_classes) - torch.special.entr(share).sum().item()


_SCORE = "math.log(n_classes) - torch.special.entr(share).sum().item()"

collapse_score.mistake(
    "0 · log 0", _SCORE, "(share * torch.log(n_classes * share)).sum().item()",
    "A class that never comes makes the score NaN: 0 times minus infinity. The limit of s·log s is 0: leave such "
    "classes out, or use `torch.special.entr` or `xlogy`.")
collapse_score.mistake(
    "only the classes that occur", _SCORE,
    "math.log((share > 0).sum()) - torch.special.entr(share).sum().item()",
    "The uniform distribution is over the classes that occur. So the missing ones are not missed: a generator that "
    "makes two digits, both equally often, would score 0. K is the number of classes of the data.")
collapse_score.mistake(
    "only up to the largest class", _SCORE,
    "math.log(labels.max().item() + 1) - torch.special.entr(share).sum().item()",
    "The classes are counted up to the largest that occurs, as `torch.bincount` does without `minlength=n_classes`. "
    "Missing classes at the end are not missed.")
collapse_score.mistake(
    "the KL in the other direction", _SCORE,
    "-(torch.log(n_classes * share).sum() / n_classes).item()",
    "This is KL(uniform ‖ shares), the other way round: the average is over all classes alike, and one that is missing "
    "makes it infinite. The average here is over the samples.")
collapse_score.mistake(
    "the entropy itself", _SCORE, "torch.special.entr(share).sum().item()",
    "This is the entropy of the shares, which falls as the generator collapses. The score is log K less that.")
collapse_score.mistake(
    "the sign is turned", _SCORE, "torch.special.entr(share).sum().item() - math.log(n_classes)",
    "The sign is turned: a KL is never negative, and 0 only where all classes come alike.")
collapse_score.mistake(
    "log K is missing", _SCORE, "-torch.special.entr(share).sum().item()",
    "This is Σ s·log s: the uniform distribution, 1/K, is missing in the logarithm. It adds log K.")
collapse_score.mistake(
    "bits instead of nats", _SCORE, f"({_SCORE}) / math.log(2)",
    "These are bits: made with log2. Nats are asked for.")
collapse_score.mistake(
    "as a part of log K", _SCORE, f"({_SCORE}) / math.log(n_classes)",
    "The score is divided by log K, so that it runs from 0 to 1. Nats are asked for.")
collapse_score.mistake(
    "averaged over the classes", _SCORE, f"({_SCORE}) / n_classes",
    "The sum is divided by the number of classes: `.mean()`, or `kl_div` without reduction=\"sum\". A KL is a sum, in "
    "which the shares are the weights.")
collapse_score.mistake(
    "counts instead of shares", ".double() / len(labels)", ".double()",
    "The counts are put in as they are. Divide by the number of samples: shares add up to 1.")
collapse_score.mistake(
    "divided by the number of classes", ".double() / len(labels)", ".double() / n_classes",
    "The counts are divided by the number of classes. Shares are over the number of samples.")
collapse_score.mistake(
    "one added to every count", "minlength=n_classes).double() / len(labels)",
    "minlength=n_classes).double().add(1) / (len(labels) + n_classes)",
    "One is added to every count. That avoids log 0, but it hides collapse where samples are few: a share of 0 needs "
    "no help here, for s·log s is 0 there.")
collapse_score.mistake(
    "how many classes are missing", _SCORE, "(share == 0).sum().item()",
    "This is the number of missing classes. A class that is left with a single sample has not come back: the score "
    "weighs how often each comes.")
collapse_score.mistake(
    "how many classes are captured", _SCORE, "(share > 0).sum().item()",
    "This is the number of classes that occur. The score weighs how often each comes.")
collapse_score.mistake(
    "the largest share", _SCORE, "share.max().item()",
    "This is the share of the most frequent class. The score takes all of them: Σ s·log(K·s).")
collapse_score.mistake(
    "squared shares", _SCORE, "n_classes * share.square().sum().item() - 1",
    "The shares are squared and added up (a χ² or a Simpson index). It is s·log(K·s) that is summed.")
collapse_score.mistake(
    "half the sum of the differences", _SCORE, "(share - 1 / n_classes).abs().sum().item() / 2",
    "This is the total variation distance from uniform. The KL is asked for: Σ s·log(K·s).")


@collapse_score.symptom("0 · log 0", errors_too=True)
def _(results):
    def missing(r):
        labels, n_classes = r.case.arguments
        return len(labels.unique()) < n_classes

    return all(r.right for r in results if not missing(r)) and any(
        r.value is None or not r.value.isfinite().all() for r in results if missing(r))


@collapse_score.symptom(
    "not 0 where all classes come alike",
    "Where every class comes equally often nothing has collapsed, and the score is 0; yours is not.")
def _(results):
    return any(r.case.label == "all classes alike" and not r.right for r in usable(results))


@collapse_score.symptom(
    "not log K where one class is left",
    "Where all samples are of one class the score is log K, the largest possible; yours is not.")
def _(results):
    return any((r.case.label or "").startswith("one class only") and not r.right for r in usable(results))


@collapse_score.symptom(
    "missing classes go wrong",
    "Right where every class occurs, wrong where some are missing: they count in K, and add 0 to the sum.")
def _(results):
    return any(r.right for r in results) and all(
        r.right == (len(r.case.arguments[0].unique()) == r.case.arguments[1]) for r in results
        if not (r.case.label or "").startswith("one class"))


# 2

@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Each dimension has an allowance of `free` nats: below it, using less costs nothing less. What function of a "
        "dimension's KL and `free` is that?",
        "The order: first the KL of every example and dimension, then the mean over the batch for each dimension, then "
        "the larger of that and `free`, then the sum over the dimensions.",
        "`kl.mean(0)` is (latent,); `.clamp(min=free)` takes the larger of the two; `.sum()` comes last.",
    ),
    cases=(
        Case(normal(6, 3, seed=11), normal(6, 3, seed=12), 0.3),
        Case(normal(8, 4, seed=13) * torch.tensor([2.0, 1.0, 0.05, 0.0]),
             normal(8, 4, seed=14) * torch.tensor([1.0, 0.5, 0.05, 0.0]), 0.2,
             label="a code with two idle dimensions"),
        Case(torch.zeros(5, 3), torch.zeros(5, 3), 0.25, label="a code that has collapsed"),
        Case(normal(4, 3, seed=15), normal(4, 3, seed=16), 0.0, label="`free = 0`"),
        Case(normal(4, 2, seed=17) + 3, normal(4, 2, seed=18) - 2, 0.5, label="a code that is all used"),
        Case(normal(1, 4, seed=19), normal(1, 4, seed=20), 0.4, label="a single example"),
        Case(torch.tensor([[2.0, 0.0], [0.0, 0.1]]), torch.zeros(2, 2), 0.5,
             label="a dimension used by one example of two"),
        Case(normal(7, 5, seed=21), 0.3 * normal(7, 5, seed=22), 5.0, label="`free = 5`, more than any needs"),
        Case(normal(5, 3, seed=23) * torch.tensor([2.0, 1.0, 0.1]), 0.3 * normal(5, 3, seed=24), 0.4,
             observe=partial(slopes, of=(0, 1)), label="the gradients by mean and log_var"),
    ),
)
def free_bits_kl(mean: Tensor, log_var: Tensor, free: float) -> Tensor:
    """The KL of a batch of codes with free nats: Σ_j max(free, KL_j), against collapse.

    KL_j is the KL of dimension j, KL(N(mean, exp(log_var)) ‖ N(0, 1)), averaged over the
    batch. Up to `free` nats it costs nothing extra, so that no dimension gains by giving up
    what little it carries. mean, log_var: (B, latent). free: nats for each dimension.
    Returns a single number, in nats, with gradients to those dimensions that are above.
    (Kingma et al. 2016, arXiv:1606.04934, appendix C.8.)
    """
    kl = 0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)           # (B, latent)
    return kl.mean(0).clamp(min=free).sum()


_FREE = "kl.mean(0).clamp(min=free).sum()"

free_bits_kl.mistake(
    "added instead of the larger", _FREE, "(kl.mean(0) + free).sum()",
    "`free` is added to every dimension. A constant changes no gradient: nothing is free. The larger of the two is "
    "due, max(free, KL).")
free_bits_kl.mistake(
    "subtracted instead of the larger", _FREE, "(kl.mean(0) - free).sum()",
    "`free` is subtracted from every dimension, and without a max: a constant changes no gradient, and nothing is "
    "free. max(free, KL) is due.")
free_bits_kl.mistake(
    "what is above the allowance", _FREE, "(kl.mean(0) - free).clamp(min=0).sum()",
    "This is what exceeds the allowance, max(0, KL - free): the same gradients, but the number is too small by `free` "
    "for each dimension. max(free, KL) is asked for.")
free_bits_kl.mistake(
    "the smaller of the two", "clamp(min=free)", "clamp(max=free)",
    "The smaller of the two is taken: dimensions that carry much cost nothing more, and those that carry little are "
    "pushed to 0. The larger is due.")
free_bits_kl.mistake(
    "for each example by itself", _FREE, "kl.clamp(min=free).mean(0).sum()",
    "The larger is taken for each example before the mean. The allowance belongs to a dimension, over the whole batch: "
    "some examples may use more of it, others less.")
free_bits_kl.mistake(
    "one allowance for the whole code", _FREE, "kl.mean(0).sum().clamp(min=free)",
    "The allowance is for all dimensions together, after the sum. Each dimension has one of its own, or a single one "
    "could use it all.")
free_bits_kl.mistake(
    "the allowances are added up first", _FREE, "kl.mean(0).sum().clamp(min=free * kl.shape[1])",
    "The sum of the KL is compared with the sum of the allowances: a dimension that carries much lets the others "
    "collapse at no cost. Compare dimension by dimension, then add.")
free_bits_kl.mistake(
    "for each example, over the dimensions", _FREE, "kl.sum(1).clamp(min=free).mean()",
    "The larger is taken for each example, after the sum over the dimensions. Average over the batch first; each "
    "dimension has its own allowance.")
free_bits_kl.mistake(
    "averaged over the dimensions", _FREE, "kl.mean(0).clamp(min=free).mean()",
    "The dimensions are averaged at the end. The KL of a code is their sum.")
free_bits_kl.mistake(
    "summed over the batch", "kl.mean(0)", "kl.sum(0)",
    "The KL of a dimension is summed over the batch, so that hardly any stays below `free`. Average over the batch.")
free_bits_kl.mistake(
    "the axes swapped", "kl.mean(0)", "kl.mean(1)",
    "The mean is taken over the dimensions of each example, and the sum over the examples. It is the other way round.")
free_bits_kl.mistake(
    "the allowance is missing", ".clamp(min=free)", "",
    "`free` has no say: this is the ordinary KL.")
free_bits_kl.mistake(
    "dimensions below count nothing", _FREE, "(kl.mean(0) * (kl.mean(0) > free)).sum()",
    "Dimensions below the allowance count 0, and one that passes it costs `free` at once. At and below, each counts "
    "`free`: max(free, KL) has no jump.")
free_bits_kl.mistake(
    "not summed", _FREE, "kl.mean(0).clamp(min=free)",
    "There is one number for each dimension. Their sum is asked for.")
free_bits_kl.mistake(
    "the ½ is missing", "0.5 * (", "1.0 * (",
    "The ½ of the KL is missing: each dimension's is twice what it should be (as in the notes' formula).")
free_bits_kl.mistake(
    "the standard deviation in place of the variance", "torch.exp(log_var)", "torch.exp(log_var / 2)",
    "exp(log_var / 2) is the standard deviation. In the KL stands the variance, exp(log_var).")
free_bits_kl.mistake(
    "log_var taken for the logarithm of the standard deviation", "torch.exp(log_var) - (1 + log_var)",
    "torch.exp(2 * log_var) - (1 + 2 * log_var)",
    "log_var is taken for the logarithm of the standard deviation. Here exp(log_var) is the variance itself.")
free_bits_kl.mistake(
    "bits taken for nats", "min=free)", "min=free * math.log(2))",
    "`free` is turned from bits into nats. In spite of the name it is given in nats here.")
free_bits_kl.mistake(
    "no gradient", f"return {_FREE}", f"return {_FREE}.detach()",
    "The values are right, but no gradient passes, and nothing could be trained by them: is there a "
    "`.detach()`, `.item()`, `no_grad` or NumPy on the way?")


@free_bits_kl.symptom("no gradient", errors_too=True)
def _(results):
    return cut(results)


@free_bits_kl.symptom(
    "idle dimensions learn",
    "The values are right, but a dimension below its allowance has a gradient: it would go on to collapse.")
def _(results):
    slopes = [r for r in results if is_slope(r) and r.value is not None]
    return all(r.right for r in results if not is_slope(r)) and bool(slopes) and bool(
        slopes[0].value[slopes[0].expected == 0].any())


@free_bits_kl.symptom(
    "the gradients are wrong",
    "The values are right, but not all gradients: is a part of the formula cut out of the graph?")
def _(results):
    return all(r.right for r in results if not is_slope(r))


@free_bits_kl.symptom(
    "the KL itself is wrong",
    "Wrong already with `free = 0`, where nothing is free and the answer is the ordinary KL, summed over the "
    "dimensions and averaged over the batch: ½ Σ (exp(log_var) - 1 - log_var + mean²).")
def _(results):
    return any(r.case.label == "`free = 0`" and not r.right for r in usable(results))


@free_bits_kl.symptom(
    "below the allowance",
    "A code that has collapsed has a KL of 0 in every dimension, and each counts `free`: the answer is latent · free; "
    "yours is not.")
def _(results):
    return any(r.case.label == "a code that has collapsed" and not r.right for r in usable(results))


@free_bits_kl.symptom(
    "right for a single example only",
    "With a single example the answer is right, with several it is not: average over the batch first, then take the "
    "larger of that and `free`.")
def _(results):
    return right_on(results, "a single example") and not results[0].right


# 3

def _cloud(n: int, f: int, seed: int) -> Tensor:
    return normal(n, f, seed=seed)


_TRAIN = _cloud(15, 3, 31)
_SOME = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])


@exercise(
    minutes=12,
    difficulty="medium",
    hints=(
        "Two lists of numbers: how far each sample is from the training data, and how far each held-out image is. Do "
        "the first tend to be smaller than the second?",
        "`torch.cdist(samples, train).amin(1)` is the first list. U counts, over all pairs of a sample and a held-out "
        "image, those where the sample is farther: compare `d[:, None] > h`, and count ties half.",
        "Without any difference U is m·n/2 on average, with variance m·n·(m + n + 1)/12. The score is the distance "
        "from that mean in standard deviations.",
    ),
    cases=(
        Case(_TRAIN, _cloud(8, 3, 32), _cloud(6, 3, 33), label="samples like new data"),
        Case(_TRAIN, _cloud(8, 3, 34), _TRAIN[:10] + 0.01 * _cloud(10, 3, 35), label="samples that copy"),
        Case(_TRAIN, _cloud(9, 3, 36), 3 * _cloud(5, 3, 37) + 4, label="samples that are bad"),
        Case(_SOME, torch.tensor([[0.0, 1.0], [4.0, 0.0], [0.0, 10.0]]),
             torch.tensor([[0.0, 0.0], [5.0, 0.0], [4.0, 3.0], [0.0, 8.0]]), label="distances that tie"),
        Case(_SOME, torch.tensor([[0.0, 1.0], [4.0, 2.0]]), _SOME.repeat(2, 1), label="exact copies"),
        Case(_cloud(12, 5, 38), _cloud(7, 5, 39), _cloud(7, 5, 40), label="as many samples as held-out images"),
        Case(_cloud(12, 2, 41), _cloud(1, 2, 42), _cloud(3, 2, 43), label="a single held-out image"),
        Case(_cloud(20, 40, 44), _cloud(10, 40, 45),
             torch.cat([_cloud(20, 40, 44)[:4], 1.2 * _cloud(8, 40, 46)]), label="4 copies among 12 samples"),
    ),
)
def memorisation_score(train: Tensor, held_out: Tensor, samples: Tensor) -> float:
    """Are samples nearer to the training data than new data are? A z-score, below 0 if so.

    For each sample and each held-out image take the distance to its nearest training image.
    U is the number of pairs (sample, held-out image) in which the sample is farther; a tie
    counts ½. With m samples and n held-out images, z = (U - m·n/2) / √(m·n·(m + n + 1)/12):
    about N(0, 1) if samples are like new data, far below 0 if they are copies.
    train: (N, F); held_out: (n, F); samples: (m, F). Returns z. (The test of Mann and
    Whitney; for memorisation: Meehan et al. 2020, arXiv:2004.05675, without their cells.)
    """
    d = torch.cdist(samples, train).amin(1)                             # (m,)
    h = torch.cdist(held_out, train).amin(1)                            # (n,)
    u = ((d[:, None] > h).double() + 0.5 * (d[:, None] == h)).sum().item()
    m, n = len(d), len(h)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


_U = "((d[:, None] > h).double() + 0.5 * (d[:, None] == h)).sum().item()"
_Z = "(u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)"

memorisation_score.mistake(
    "the sign is turned", "(d[:, None] > h)", "(d[:, None] < h)",
    "The sign is turned: you count the pairs in which the sample is nearer, so that copies score far above 0. They "
    "are to score below.")
memorisation_score.mistake(
    "ties count nothing", " + 0.5 * (d[:, None] == h)", "",
    "Pairs in which both are equally far count 0. They count ½: neither is farther.")
memorisation_score.mistake(
    "ties count in full", "0.5 * (d[:, None] == h)", "1.0 * (d[:, None] == h)",
    "Pairs in which both are equally far count 1. They count ½: neither is farther.")
memorisation_score.mistake(
    "samples measured to the held-out images", "torch.cdist(samples, train)", "torch.cdist(samples, held_out)",
    "The distance of the samples is measured to the held-out images. Both lists are distances to the training data: "
    "that is where copies come from.")
memorisation_score.mistake(
    "train and held-out swapped", "    d = ", "    train, held_out = held_out, train\n    d = ",
    "Train and held-out have changed places: this asks whether samples copy the held-out images.")
memorisation_score.mistake(
    "the farthest training image", "torch.cdist(samples, train).amin(1)                             # (m,)\n"
    "    h = torch.cdist(held_out, train).amin(1)", "torch.cdist(samples, train).amax(1)\n"
    "    h = torch.cdist(held_out, train).amax(1)",
    "The distance is to the farthest training image. A copy is near to one of them: the nearest counts.")
memorisation_score.mistake(
    "the mean distance to the training data", "torch.cdist(samples, train).amin(1)                             # (m,)\n"
    "    h = torch.cdist(held_out, train).amin(1)", "torch.cdist(samples, train).mean(1)\n"
    "    h = torch.cdist(held_out, train).mean(1)",
    "The distance is averaged over all training images. A copy is near to one of them and no nearer to the others: the "
    "nearest counts.")
memorisation_score.mistake(
    "the minimum over the wrong axis", "torch.cdist(samples, train).amin(1)                             # (m,)\n"
    "    h = torch.cdist(held_out, train).amin(1)", "torch.cdist(samples, train).amin(0)\n"
    "    h = torch.cdist(held_out, train).amin(0)",
    "The minimum runs over the wrong axis: for each training image you look for the nearest sample, so that there are "
    "as many distances as training images. Each sample looks for its nearest training image.")
memorisation_score.mistake(
    "distances along the axes added", "torch.cdist(samples, train).amin(1)                             # (m,)\n"
    "    h = torch.cdist(held_out, train).amin(1)", "torch.cdist(samples, train, p=1.0).amin(1)\n"
    "    h = torch.cdist(held_out, train, p=1.0).amin(1)",
    "The distances along the axes are added up (the L1 norm). The straight distance is due.")
memorisation_score.mistake(
    "only the share of the pairs", _Z, "u / (m * n)",
    "This is U / (m·n), the probability that a sample is farther: ½ if samples are like new data. The score says "
    "besides how sure that is: (U - m·n/2), divided by its standard deviation.")
memorisation_score.mistake(
    "U itself", f"return {_Z}", "return u",
    "This is U. Its mean m·n/2 is to be subtracted, and the rest divided by its standard deviation.")
memorisation_score.mistake(
    "the mean is not subtracted", "(u - m * n / 2)", "u",
    "m·n/2 is not subtracted: U has that size where nothing is copied.")
memorisation_score.mistake(
    "divided by the variance", "math.sqrt(m * n * (m + n + 1) / 12)", "(m * n * (m + n + 1) / 12)",
    "U - m·n/2 is divided by the variance. A z-score is in standard deviations: the root is missing.")
memorisation_score.mistake(
    "the 12 is missing", "(m + n + 1) / 12)", "(m + n + 1))",
    "The 12 is missing below the root: the variance of U is m·n·(m + n + 1)/12.")
memorisation_score.mistake(
    "the 1 is missing", "(m + n + 1) / 12)", "(m + n) / 12)",
    "The variance of U is m·n·(m + n + 1)/12: the 1 is missing, which matters where there are few.")
memorisation_score.mistake(
    "not divided", f"return {_Z}", "return u - m * n / 2",
    "U - m·n/2 is not divided by the standard deviation √(m·n·(m + n + 1)/12): with more images it would grow by "
    "itself.")
memorisation_score.mistake(
    "the share of copies", f"return {_Z}", "return (d < h.mean()).double().mean().item()",
    "This is how many samples are nearer than a held-out image is on average. The score compares every sample with "
    "every held-out image.")
memorisation_score.mistake(
    "the means of the distances", f"return {_Z}", "return (d.mean() - h.mean()).item()",
    "The mean distances are compared. One sample far off would hide many copies: what counts is, pair by pair, which "
    "of the two is farther.")
memorisation_score.mistake(
    "a t-test", f"return {_Z}",
    "return ((d.mean() - h.mean()) / (d.var() / m + h.var() / n).sqrt()).item()",
    "This is a t-test: it compares the means of the distances. One sample far off would hide many copies; the test "
    "of Mann and Whitney looks at their order alone.")
memorisation_score.mistake(
    "nearer to train than to held-out", f"return {_Z}",
    "return (d < torch.cdist(samples, held_out).amin(1)).double().mean().item()",
    "This is the share of samples that are nearer to a training image than to a held-out one. It depends on how many "
    "there are of each; the score compares the samples with held-out images, both measured to the training data.")


@memorisation_score.symptom(
    "copies score above 0",
    "Samples that copy the training data score above 0 in your answer, bad ones below: the sign is turned.")
def _(results):
    value = {r.case.label: r.value for r in usable(results)}
    copies, bad = value.get("samples that copy"), value.get("samples that are bad")
    return copies is not None and bad is not None and bool(copies > 0) and bool(bad < 0)


@memorisation_score.symptom(
    "ties",
    "Right where all distances differ, wrong where a sample and a held-out image are equally far from the training "
    "data: such a pair counts ½.")
def _(results):
    return others_right(results, "distances that tie")


@memorisation_score.symptom(
    "the sign is lost",
    "The size is right, but the answer is never below 0, where copies are to score: there is an absolute value, or U "
    "is replaced by the larger of U and m·n - U.")
def _(results):
    return len(usable(results)) == len(results) and all(
        torch.isclose(r.value, r.expected.abs(), rtol=1e-4, atol=1e-5) for r in results)


@memorisation_score.symptom(
    "the wrong count of pairs",
    "The answer cannot come from a right U with a wrong scale: on some inputs it has the wrong sign. Begin with the "
    "two lists of distances, each sample's and each held-out image's to its nearest training image.")
def _(results):
    return any((r.value * r.expected < -1e-6).any() for r in usable(results))


@memorisation_score.symptom(
    "the scale",
    "The sign is right on all inputs, the size is not: U - m·n/2 is divided by √(m·n·(m + n + 1)/12), m the number of "
    "samples, n that of held-out images; and U counts over all m·n pairs.")
def _(results):
    return len(usable(results)) == len(results) and not proportional(results) and not any(
        r.right or not r.value.isfinite() for r in results if r.expected.abs() > 1e-6)


# 4

def _climb(fn, weights, x, steps, lr):
    """Where the images end."""
    with torch.inference_mode(False), torch.enable_grad():
        return as_numbers(fn(_Network(*weights, logits=True), x.clone(), steps, lr))


def _left_alone(fn, weights, x, steps, lr):
    """Four yes or no: D's parameters, its gradients, its modes, and the images handed in are as before."""
    with torch.inference_mode(False), torch.enable_grad():
        discriminator, given = _Network(*weights, logits=True), x.clone()
        left = [torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w) for w in discriminator.parameters()]
        for w, slope in zip(discriminator.parameters(), left):
            w.grad = slope.clone()
        end = as_numbers(fn(discriminator, given, steps, lr))
        now = list(discriminator.parameters())
        return torch.tensor([
            all(w.detach().equal(old) for w, old in zip(now, weights)),
            all(w.grad is not None and w.grad.equal(slope) for w, slope in zip(now, left)),
            discriminator.training and all(w.requires_grad for w in now),
            given.detach().equal(x) or end.equal(x.double())]).double()


def _judge_of(n: int, seed: int, size: float = 1.0):
    """The weights of a discriminator of n pixels."""
    return normal(n, 6, seed=seed), normal(6, 1, seed=seed + 1, scale=size)


def _images(*shape: int, seed: int) -> Tensor:
    return torch.rand(shape, generator=seeded(seed), device="cpu", dtype=torch.float32)


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "It is training turned round: the parameters stay, and the image is what moves, uphill.",
        "In each step: the image as a leaf (`x.detach().requires_grad_()`), the sum of its logits, the gradient by "
        "the image. The sum, for then each image has its own gradient, whatever the batch.",
        "`slope, = torch.autograd.grad(discriminator(x).sum(), x)` leaves the `.grad` of the parameters alone. Then "
        "`x + lr * slope`, and `.clamp(0, 1)` after each step.",
    ),
    cases=(
        Case(_judge_of(4, 51), 0.4 + 0.2 * _images(3, 4, seed=53), 1, 0.02, observe=_climb,
             label="one small step"),
        Case(_judge_of(4, 51), 0.4 + 0.2 * _images(3, 4, seed=53), 5, 0.02, observe=_climb,
             label="five small steps"),
        Case(_judge_of(4, 54), _images(5, 4, seed=56), 12, 0.2, observe=_climb, atol=1e-4,
             label="twelve large steps, up to the bounds"),
        Case(_judge_of(4, 72), _images(5, 4, seed=74), 2, 4.0, observe=_climb, label="two huge steps"),
        Case(_judge_of(12, 57), _images(3, 1, 3, 4, seed=59), 4, 0.05, observe=_climb,
             label="images of shape (1, 3, 4)"),
        Case(_judge_of(4, 60), _images(1, 4, seed=62), 3, 0.05, observe=_climb, label="a single image"),
        Case(_judge_of(4, 63), _images(2, 4, seed=65), 0, 0.1, observe=_climb, label="`steps = 0`"),
        Case(_judge_of(4, 66, size=60), _images(3, 4, seed=68), 2, 0.001, observe=_climb, atol=1e-4,
             label="a discriminator that is certain (logits of some tens)"),
        Case(_judge_of(4, 69), _images(3, 4, seed=71), 3, 0.1, observe=_left_alone, label="what else has changed"),
    ),
)
def ascend(discriminator: torch.nn.Module, x: Tensor, steps: int, lr: float) -> Tensor:
    """Gradient ascent on D: change images until the discriminator holds them to be real.

    Each step adds lr · ∇ D(x) to every image, where D(x) is its own logit, and puts pixels
    back between 0 and 1. discriminator(x): logits (B,), every image judged by itself.
    x: (B, …), pixels from 0 to 1. Returns the images after `steps` steps, (B, …).
    Both are left as they are: the discriminator's parameters, gradients (.grad) and modes,
    and the images in x.
    """
    for _ in range(steps):
        x = x.detach().requires_grad_()
        slope, = torch.autograd.grad(discriminator(x).sum(), x)
        x = (x + lr * slope).clamp(0, 1)
    return x.detach()


_UP = "(x + lr * slope).clamp(0, 1)"
_LOOP = """    for _ in range(steps):
        x = x.detach().requires_grad_()
        slope, = torch.autograd.grad(discriminator(x).sum(), x)
        x = (x + lr * slope).clamp(0, 1)
"""

ascend.mistake(
    "downhill", "x + lr * slope", "x - lr * slope",
    "The images go downhill, to where the discriminator is sure that they are false. Ascent adds the gradient.")
ascend.mistake(
    "the mean of the logits", "discriminator(x).sum()", "discriminator(x).mean()",
    "The logits are averaged before the gradient is taken, so that each image's step is divided by the size of the "
    "batch. With their sum every image climbs by itself.")
ascend.mistake(
    "pixels leave 0 to 1", ".clamp(0, 1)\n", "\n",
    "Some pixels are below 0 or above 1: no such image exists. Put them back after each step.")
ascend.mistake(
    "put back at the end only", _LOOP, _LOOP.replace(".clamp(0, 1)", "") + "    x = x.clamp(0, 1)\n",
    "The pixels are put back between 0 and 1 only after the last step, so that the steps between lead through images "
    "that do not exist. After each step it is due.")
ascend.mistake(
    "squashed instead of put back", _UP, "torch.sigmoid(x + lr * slope)",
    "The pixels are squashed by a sigmoid, which changes all of them. Only those outside 0 to 1 are put back, onto the "
    "bound.")
ascend.mistake(
    "stretched instead of put back", _UP,
    "((x + lr * slope) - (x + lr * slope).min()) / ((x + lr * slope).max() - (x + lr * slope).min())",
    "The images are stretched so that they fill 0 to 1, which changes all pixels. Only those outside are put back, "
    "onto the bound.")
ascend.mistake(
    "put back between -1 and 1", ".clamp(0, 1)", ".clamp(-1, 1)",
    "Pixels are put back between -1 and 1. Here they run from 0 to 1.")
ascend.mistake(
    "the sign of the gradient", "lr * slope", "lr * slope.sign()",
    "The steps follow the sign of the gradient: every pixel moves by lr (that is the fast gradient sign method). The "
    "gradient itself is due.")
ascend.mistake(
    "the gradient made length 1", "lr * slope",
    "lr * slope / slope.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))",
    "Each gradient is divided by its length. It is due as it is: a flat place is left slowly.")
ascend.mistake(
    "the probability is climbed", "discriminator(x).sum()", "discriminator(x).sigmoid().sum()",
    "D's probability, sigmoid(logit), is climbed: where it is near 0 or 1 there is hardly any slope. Climb the logit.")
ascend.mistake(
    "log D is climbed", "discriminator(x).sum()", "torch.nn.functional.logsigmoid(discriminator(x)).sum()",
    "log D is climbed, the generator's objective. Here it is the logit.")
ascend.mistake(
    "one step", "range(steps)", "range(min(steps, 1))",
    "The answer is the same after one step and after many: is the new image used for the next?")
ascend.mistake(
    "one step too many", "range(steps)", "range(steps + 1)",
    "There is one step too many: `steps = 0` changes nothing.")
ascend.mistake(
    "one step too few", "range(steps)", "range(1, steps)",
    "There is one step too few.")
ascend.mistake(
    "the first gradient for all steps", _LOOP,
    "    x = x.detach().requires_grad_()\n    slope, = torch.autograd.grad(discriminator(x).sum(), x)\n"
    "    for _ in range(steps):\n        x = (x + lr * slope).clamp(0, 1)\n",
    "The gradient is computed once, at the first image, and used in all steps. Each step needs the one of its own "
    "place.")
ascend.mistake(
    "gradients add up", _LOOP,
    "    total = 0\n" + _LOOP.replace("        x = (x + lr * slope)", "        total = total + slope\n"
                                      "        x = (x + lr * total)"),
    "The gradients of all steps so far are added up: `backward()` adds to `x.grad`. Clear it in each step, or use "
    "`torch.autograd.grad`.")
ascend.mistake(
    "the learning rate is missing", "lr * slope", "slope",
    "`lr` has no say: the gradient is added as it is.")
ascend.mistake(
    "the discriminator's gradients are filled",
    "slope, = torch.autograd.grad(discriminator(x).sum(), x)", "discriminator(x).sum().backward()\n"
    "        slope = x.grad",
    "The images are right, but the discriminator's gradients have changed: `backward()` fills the `.grad` of its "
    "parameters too, and its next step would follow them. `torch.autograd.grad(…, x)` computes that of the image "
    "alone.")
ascend.mistake(
    "a player stays frozen", "    for _ in", "    discriminator.requires_grad_(False)\n    for _ in",
    "The images are right, but the discriminator is left in another state: with `requires_grad_(False)`, or in "
    "`eval()` mode. It would never learn again. Put it back, or leave it: `torch.autograd.grad(…, x)` moves nobody.")


def _changed(results):
    return next((r.value for r in results if r.case.observe is _left_alone and r.value is not None), torch.ones(4))


def _images_right(results) -> bool:
    return all(r.right for r in results if r.case.observe is _climb)


@ascend.symptom(
    "the discriminator moves",
    "The discriminator's parameters have changed. Here it is the image that moves: the discriminator only says which "
    "way is up.")
def _(results):
    return not _changed(results)[0]


@ascend.symptom("the discriminator's gradients are filled")
def _(results):
    return _images_right(results) and not _changed(results)[1]


@ascend.symptom("a player stays frozen")
def _(results):
    return _images_right(results) and not _changed(results)[2]


@ascend.symptom(
    "the images handed in are changed",
    "The images that come back are right, but those that were handed in have changed with them: an operation in place "
    "(`+=`, `clamp_`, an optimizer). Begin with `x.clone()`.")
def _(results):
    return _images_right(results) and not _changed(results)[3]


@ascend.symptom("pixels leave 0 to 1")
def _(results):
    return any(((r.value < -1e-6) | (r.value > 1 + 1e-6)).any() for r in usable(results)
               if r.case.observe is _climb)


@ascend.symptom(
    "`steps = 0` goes wrong",
    "Without a step the images come back as they are.", errors_too=True)
def _(results):
    return others_right(results, "`steps = 0`")


@ascend.symptom(
    "right for one step only",
    "One step is right, several are not: each takes the gradient at the image of the step before, and nothing is kept "
    "of earlier ones.")
def _(results):
    return right_on(results, "one small step") and not right_on(results, "five small steps")


@ascend.symptom(
    "right for a single image only",
    "A single image climbs as it should, several do not: each climbs its own logit, whatever the others do.")
def _(results):
    return right_on(results, "a single image") and not results[0].right


@ascend.symptom(
    "right until a bound is met",
    "Right as long as no pixel meets a bound: after each step those below 0 are put to 0, those above 1 to 1.")
def _(results):
    return right_on(results, "five small steps") and len(usable(results)) == len(results) and not any(
        ((r.expected > 0) & (r.expected < 1)).all() for r in results if not r.right)


@ascend.symptom(
    "the step is wrong",
    "Already one step is wrong: it adds lr times the gradient of the image's logit by its pixels.")
def _(results):
    return any(r.case.label == "one small step" and not r.right for r in usable(results))


# 5

def _spectrum(fn, gamma):
    """The two eigenvalues, in any order: both real parts, sorted, then both imaginary parts, sorted."""
    value = fn(gamma)
    if value is None or value is ...:
        as_numbers(value)                       # says it
    try:
        if isinstance(value, (list, tuple)):
            value = [complex(item) for item in value]
        value = np.asarray(value.detach().resolve_conj().numpy() if isinstance(value, Tensor) else value,
                           dtype=np.complex128)
    except (TypeError, ValueError, RuntimeError):
        raise Unusable("not yet", "wrong type", f"It returned {shape_of(value)} where two complex numbers are due."
                       ) from None
    if value.shape != (2,):
        raise Unusable("not yet", "wrong shape", f"It returned numbers of shape {value.shape} where (2,) is due: two "
                       "eigenvalues, a complex number each.")
    return torch.from_numpy(np.concatenate([np.sort(value.real), np.sort(value.imag)]))


@exercise(
    minutes=12,
    difficulty="hard",
    hints=(
        "Near the point (0, 0) the field is linear: its matrix of derivatives is all that counts. At θ = ψ = 0 with "
        "f'(0) = ½ it is [[0, -½], [½, -γ]].",
        "The eigenvalues of a 2×2 matrix solve λ² - trace·λ + determinant = 0; the trace is -γ, the determinant ¼. For "
        "small γ what stands below the root is negative.",
        "λ = -γ/2 ± √(γ²/4 - ¼). `cmath.sqrt`, `torch.sqrt` of a complex tensor, or `** 0.5` of a negative Python "
        "number give the complex root; `torch.linalg.eigvals` does all of it by itself.",
    ),
    cases=(
        Case(0.0, observe=_spectrum, atol=1e-4, label="`gamma = 0`"),
        Case(0.3, observe=_spectrum, atol=1e-4, label="`gamma = 0.3`"),
        Case(0.8, observe=_spectrum, atol=1e-4, label="`gamma = 0.8`"),
        Case(1.0, observe=_spectrum, atol=3e-3, label="`gamma = 1`"),
        Case(1.25, observe=_spectrum, atol=1e-4, label="`gamma = 1.25`"),
        Case(2.0, observe=_spectrum, atol=1e-4, label="`gamma = 2`"),
        Case(10.0, observe=_spectrum, atol=1e-4, label="`gamma = 10`"),
        Case(some(10, 90, seed=1) / 100, observe=_spectrum, atol=1e-4, label="a `gamma` below 1"),
        Case(some(110, 500, seed=2) / 100, observe=_spectrum, atol=1e-4, label="a `gamma` above 1"),
    ),
)
def dirac_eigenvalues(gamma: float) -> Tensor:
    """The eigenvalues of the Dirac-GAN with R1 at its equilibrium: does it come to rest?

    The data are the point 0, the generator makes the point θ, the discriminator is ψ·x.
    With f(t) = -log(1 + exp(-t)), so f'(0) = ½, both move along the field
    (dθ/dt, dψ/dt) = (-ψ f'(θψ), θ f'(θψ) - γψ), where -γψ comes from the penalty γ/2 · ψ².
    Returns the two eigenvalues of its Jacobian at θ = ψ = 0, complex numbers in any order:
    a tensor (2,), or a list. Real parts below 0: it comes to rest; imaginary parts: it
    turns. gamma: γ, at least 0. (Mescheder et al. 2018, arXiv:1801.04406, sections 2, 3.)
    """
    root = torch.sqrt(torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))
    return torch.stack([-gamma / 2 + root, -gamma / 2 - root])


_ROOT = "torch.sqrt(torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))"
_PAIR = "[-gamma / 2 + root, -gamma / 2 - root]"

dirac_eigenvalues.mistake(
    "the real root of a negative number", "dtype=torch.complex128", "dtype=torch.float64",
    "Below γ = 1 the root is taken of a negative number, and a real root is NaN there. It is imaginary: take the root "
    "of a complex number.")
dirac_eigenvalues.mistake(
    "the sign below the root is ignored", "torch.tensor(gamma**2 / 4 - 1 / 4, ", "torch.tensor(abs(gamma**2 / 4 - 1 / 4"
    "), ",
    "Where γ²/4 - ¼ is negative the root of its absolute value is taken: the eigenvalues are real always. There they "
    "are complex, and that is why the game goes round.")
dirac_eigenvalues.mistake(
    "nothing below 0 under the root", "torch.tensor(gamma**2 / 4 - 1 / 4, ",
    "torch.tensor(max(gamma**2 / 4 - 1 / 4, 0.0), ",
    "Where γ²/4 - ¼ is negative it is put to 0, or only the real part is kept. The imaginary part says how fast the "
    "game goes round.")
dirac_eigenvalues.mistake(
    "always complex", "torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))",
    "torch.tensor(abs(gamma**2 / 4 - 1 / 4), dtype=torch.complex128)) * 1j",
    "The root is multiplied by i always. Above γ = 1 what stands below it is positive, and the eigenvalues are real: "
    "the game no longer turns.")
dirac_eigenvalues.mistake(
    "the slope at 0 taken as 1", "gamma**2 / 4 - 1 / 4", "gamma**2 / 4 - 1",
    "√(γ²/4 - 1) is right for f'(0) = 1, Wasserstein's. Here f'(0) = ½: its square, ¼, stands below the root.")
dirac_eigenvalues.mistake(
    "the slope at 0 taken as ¼", "gamma**2 / 4 - 1 / 4", "gamma**2 / 4 - 1 / 16",
    "√(γ²/4 - 1/16): that is f'(0) = ¼, the slope of the sigmoid at 0. But f' is a sigmoid itself, and f'(0) = ½.")
dirac_eigenvalues.mistake(
    "the slope is not squared", "gamma**2 / 4 - 1 / 4", "gamma**2 / 4 - 1 / 2",
    "√(γ²/4 - ½): the determinant of the Jacobian is f'(0)², which is ¼.")
dirac_eigenvalues.mistake(
    "the penalty counted twice", "    root =", "    gamma = 2 * gamma\n    root =",
    "γ counts twice: the derivative of γψ² was taken. The penalty is γ/2 · ψ², its derivative γψ.")
dirac_eigenvalues.mistake(
    "the penalty halved", "    root =", "    gamma = gamma / 2\n    root =",
    "γ counts half: the field has -γψ in it, not -γ/2 · ψ. The ½ of the penalty goes when it is differentiated.")
dirac_eigenvalues.mistake(
    "the penalty pushes away", _PAIR, "[gamma / 2 + root, gamma / 2 - root]",
    "The real parts are above 0: the penalty would drive the game apart. The field goes down the penalty, so -γ stands "
    "in the Jacobian.")
dirac_eigenvalues.mistake(
    "without the penalty", _ROOT, "torch.tensor(0.5j) + 0 * (gamma := 0.0)",
    "γ has no say: ±i/2 are the eigenvalues of the game without a penalty, which turns for ever.")
dirac_eigenvalues.mistake(
    "the penalty in the root only", _PAIR, "[root, -root]",
    "γ stands below the root only; -γ/2, half the trace, is missing.")
dirac_eigenvalues.mistake(
    "the penalty before the root only", "gamma**2 / 4 - 1 / 4", "-1 / 4",
    "γ stands before the root only. It belongs below it too, γ²/4: that is what stops the turning from γ = 1 on.")
dirac_eigenvalues.mistake(
    "a saddle", "gamma**2 / 4 - 1 / 4", "gamma**2 / 4 + 1 / 4",
    "√(γ²/4 + ¼): the two entries off the diagonal of the Jacobian were given the same sign. What the one wins the "
    "other loses: -½ and ½, and the determinant is +¼.")
dirac_eigenvalues.mistake(
    "not halved", _PAIR, "[-gamma + 2 * root, -gamma - 2 * root]",
    "Twice what is due: in (-γ ± √(γ² - 1)) / 2 the division is missing.")
dirac_eigenvalues.mistake(
    "half the root only", _PAIR, "[-gamma + root, -gamma - root]",
    "-γ stands where -γ/2 is due: in (-γ ± √(γ² - 1)) / 2 both parts are halved.")
dirac_eigenvalues.mistake(
    "the same one twice", "-gamma / 2 - root]", "-gamma / 2 + root]",
    "Both are the same. The root has two signs.")
dirac_eigenvalues.mistake(
    "both players punished", _PAIR, "[torch.tensor(-gamma + 0.5j), torch.tensor(-gamma - 0.5j)]",
    "-γ stands in both entries of the diagonal: the generator is punished as well. R1 is a penalty on the "
    "discriminator alone.")
dirac_eigenvalues.mistake(
    "the eigenvalues of a step", _PAIR, "[1 - gamma / 2 + root, 1 - gamma / 2 - root]",
    "1 is added: those are the eigenvalues of a step of size 1. The Jacobian of the field is asked for.")
dirac_eigenvalues.mistake(
    "squared", "stack([-gamma / 2 + root, -gamma / 2 - root])", "stack([-gamma / 2 + root, -gamma / 2 - root])**2",
    "These are the squares of the eigenvalues, or those of the squared Jacobian.")


def _parts_of(results):
    """(γ, real parts, imaginary parts) of each answer that has the right form."""
    return [(r.case.arguments[0], r.value[:2], r.value[2:]) for r in usable(results)]


@dirac_eigenvalues.symptom("the real root of a negative number", errors_too=True)
def _(results):
    def good(r):
        below = r.case.arguments[0] < 1
        return (r.value is None or bool(r.value.isnan().any())) if below else r.right

    return len(results) > 1 and all(good(r) for r in results if r.case.arguments[0] != 1)


@dirac_eigenvalues.symptom(
    "not ±i/2 without a penalty",
    "Wrong already at γ = 0, where the Jacobian is [[0, -½], [½, 0]] and its eigenvalues are ±i/2: the game turns, and "
    "neither comes to rest nor flies apart.")
def _(results):
    return any(r.case.label == "`gamma = 0`" and not r.right for r in usable(results))


@dirac_eigenvalues.symptom(
    "the trace is wrong",
    "The sum of the two eigenvalues is the trace of the Jacobian, -γ; yours is another.")
def _(results):
    return any((real.sum() + gamma).abs() > 1e-2 for gamma, real, _ in _parts_of(results))


@dirac_eigenvalues.symptom(
    "no pair",
    "Your two are no pair: complex eigenvalues of a real matrix are conjugates of each other, a ± bi.")
def _(results):
    return any(imaginary.sum().abs() > 1e-2 for _, _, imaginary in _parts_of(results))


@dirac_eigenvalues.symptom(
    "the determinant is wrong",
    "Their sum is right, -γ, but their product is not: the determinant of the Jacobian is ¼ for every γ.")
def _(results):
    return len(_parts_of(results)) == len(results)


# 6

def _points(*places: float) -> Tensor:
    """Samples of two numbers each, that differ in the first by what the places say."""
    return torch.tensor([[place, 1.0] for place in places])


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "In a class of 23 two share a birthday as likely as not, for there are 253 pairs, and each coincides with "
        "probability 1/365. Turn that round: from how often pairs coincide to the number of days.",
        "s samples have s·(s - 1)/2 pairs. If all N are equally likely, a pair coincides with probability 1/N, so N ≈ "
        "pairs / coincidences.",
        "`torch.cdist(samples, samples) <= threshold` is true on the diagonal (each with itself), and twice for every "
        "pair: `.triu(1)` keeps what is above the diagonal. `torch.pdist(samples)` has each pair once.",
    ),
    cases=(
        Case(_points(0, 5, 0, 9, 14, 5), 0.1, label="6 samples, two pairs that coincide"),
        Case(_points(3, 0, 3, 7, 3, 20), 0.1, label="one that came three times"),
        Case(_points(1, 1, 1, 1, 1), 0.1, label="always the same sample"),
        Case(_points(*range(10)), 0.5, label="no two alike"),
        Case(_points(0, 1, 3, 6, 10, 15), 2.5, label="a wide threshold"),
        Case(torch.tensor([[0.0, 0.0], [0.35, 0.45], [5.0, 5.0], [5.7, 5.7], [9.0, 0.0], [9.8, 0.0], [9.0, 0.1],
                           [20.0, 0.0], [20.0, 3.0]]), 0.75,
             label="pairs 0.1 to 1 apart, threshold 0.75"),
        Case(normal(8, 4, seed=91)[[0, 1, 2, 3, 4, 5, 6, 7, 2, 5, 0, 2]], 1e-3, label="12 samples of 4 numbers"),
        Case(_points(2, 2), 0.1, label="two samples, alike"),
        Case(_points(*(some(0, 9, seed=seed) for seed in range(12))), 0.5, label="12 samples on 10 places"),
    ),
)
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


_SEEN = "(torch.pdist(samples) <= threshold).sum().item()"
_MANY = "s * (s - 1) / 2 / coinciding if coinciding else math.inf"

birthday_support.mistake(
    "each sample paired with itself", _SEEN,
    "((torch.cdist(samples, samples) <= threshold).sum().item() - s) / 2 + s",
    "Every sample counts as its own duplicate: the diagonal of the table of distances is 0. Then there is always a "
    "coincidence, and the estimate never exceeds about s/2.")
birthday_support.mistake(
    "the whole table is counted", _SEEN, "(torch.cdist(samples, samples) <= threshold).sum().item()",
    "The whole table of distances is counted: every pair twice, and each sample with itself. Only what is above the "
    "diagonal is due.")
birthday_support.mistake(
    "every pair counted twice", _SEEN, "2 * (torch.pdist(samples) <= threshold).sum().item()",
    "Half of what is due: coinciding pairs are counted twice, (i, j) and (j, i), all pairs once.")
birthday_support.mistake(
    "all pairs counted twice", "s * (s - 1) / 2 /", "s * (s - 1) /",
    "Twice what is due: s·(s - 1) counts every pair twice, (i, j) and (j, i); there are half as many.")
birthday_support.mistake(
    "a sample's pair with itself among all pairs", "s * (s - 1) / 2 /", "s * s / 2 /",
    "s²/2 is put for the number of pairs: it takes in half a pair of each sample with itself. s·(s - 1)/2 is due.")
birthday_support.mistake(
    "the square of the sample size", _MANY, "float(s * s) if coinciding else math.inf",
    "This is s², however many coincide. That is the rule of thumb for a sample in which duplicates are just as likely "
    "as not; here the coinciding pairs are counted.")
birthday_support.mistake(
    "how many different ones", f"return {_MANY}", "return float(len(samples.unique(dim=0)))",
    "This is the number of different samples among those drawn. It cannot exceed s; the support can be far larger, and "
    "the duplicates tell how far.")
birthday_support.mistake(
    "the share of coinciding pairs", _MANY, "coinciding / (s * (s - 1) / 2)",
    "This is the share of the pairs that coincide, 1/N. N is asked for.")
birthday_support.mistake(
    "the number of coinciding pairs", f"return {_MANY}", "return float(coinciding)",
    "This is the number of pairs that coincide. The number of all pairs is to be divided by it.")
birthday_support.mistake(
    "samples instead of pairs", "s * (s - 1) / 2 / coinciding", "s / coinciding",
    "The number of samples is divided by that of the coincidences. It is pairs that can coincide: s·(s - 1)/2.")
birthday_support.mistake(
    "samples that have a duplicate", _SEEN,
    "((torch.cdist(samples, samples) <= threshold).sum(1) > 1).sum().item()",
    "The samples that have a duplicate are counted. It is pairs: one that came three times makes three.")
birthday_support.mistake(
    "repetitions instead of pairs", _SEEN,
    "(torch.cdist(samples, samples) <= threshold).double().tril(-1).any(1).sum().item()",
    "The samples that repeat an earlier one are counted. It is pairs: one that came three times repeats twice, but "
    "makes three pairs.")
birthday_support.mistake(
    "only neighbours in the list", _SEEN, "((samples[1:] - samples[:-1]).norm(dim=1) <= threshold).sum().item()",
    "Only samples that follow one another are compared. All pairs are.")
birthday_support.mistake(
    "the pairs that differ", "<= threshold", "> threshold",
    "The pairs farther apart than the threshold are counted. Those at most as far apart coincide.")
birthday_support.mistake(
    "the squared distance", "torch.pdist(samples)", "torch.pdist(samples).square()",
    "The squared distance is compared with the threshold. The distance itself is due.")
birthday_support.mistake(
    "each number by itself", "torch.pdist(samples)", "torch.pdist(samples, p=math.inf)",
    "Two samples coincide in your answer if each of their numbers differs by at most the threshold. The distance "
    "between them is due.")
birthday_support.mistake(
    "the distances along the axes added", "torch.pdist(samples)", "torch.pdist(samples, p=1.0)",
    "The distances along the axes are added up (the L1 norm). The straight distance is due.")
birthday_support.mistake(
    "exact duplicates only", "<= threshold", "== 0",
    "Only samples that are exactly alike coincide in your answer: `threshold` has no say.")
birthday_support.mistake(
    "0 where none coincide", "math.inf", "0.0",
    "Where no two coincide the answer is 0, the support of a generator that makes nothing. The estimate is infinite: "
    "s was too small to tell.")
birthday_support.mistake(
    "the sample size where none coincide", "else math.inf", "else float(s)",
    "Where no two coincide the answer is s. But then N may be anything from about s² on: the estimate is infinite.")
birthday_support.mistake(
    "all pairs where none coincide", "else math.inf", "else s * (s - 1) / 2",
    "Where no two coincide the answer is the number of pairs, as if one had. The estimate is infinite: s was too small "
    "to tell.")


@birthday_support.symptom(
    "no two alike",
    "Right where some pair coincides, wrong where none does: the estimate is infinite there (`math.inf`), without a "
    "division by 0.", errors_too=True)
def _(results):
    return others_right(results, "no two alike")


@birthday_support.symptom(
    "right without repetitions",
    "Right where each sample coincides with one other at most, wrong where one comes three times or more: that makes "
    "three pairs.")
def _(results):
    return right_on(results, "6 samples, two pairs that coincide") and not right_on(
        results, "one that came three times")


@birthday_support.symptom(
    "what coincides",
    "Right where samples are exactly alike or far apart, wrong where they are merely close: two coincide if their "
    "distance, the root of the summed squares, is at most the threshold.")
def _(results):
    return all(right_on(results, label) for label in ("6 samples, two pairs that coincide", "always the same sample"))


@birthday_support.symptom(
    "not 1 where all are the same",
    "Where every sample is the same the support is 1: all pairs coincide; yours is another.")
def _(results):
    return any(r.case.label == "always the same sample" and not r.right for r in usable(results))
