"""The KL of a batch of codes with free nats: Σ_j max(free, KL_j), against collapse."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import (
    gradient_is_cut,
    is_slope,
    normal,
    right_on,
    slopes,
    usable,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def free_bits_kl(mean: Tensor, log_var: Tensor, free: float) -> Tensor:
    """The KL of a batch of codes with free nats: Σ_j max(free, KL_j), against collapse.

    KL_j is the KL of dimension j, KL(N(mean, exp(log_var)) ‖ N(0, 1)), averaged over the
    batch. Up to `free` nats it costs nothing extra, so that no dimension gains by giving up
    what little it carries. mean, log_var: (B, latent). free: nats for each dimension.
    Returns a single number, in nats, with gradients to those dimensions that are above.
    (Kingma et al. 2016, arXiv:1606.04934, appendix C.8.)
    """
    kl = 0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)  # (B, latent)
    return kl.mean(0).clamp(min=free).sum()


_FREE = "kl.mean(0).clamp(min=free).sum()"


def _shows_idle_dimensions_learn(results):
    slopes = [r for r in results if is_slope(r) and r.value is not None]
    return (
        all(r.right for r in results if not is_slope(r))
        and bool(slopes)
        and bool(slopes[0].value[slopes[0].expected == 0].any())
    )


exercise = Exercise(
    free_bits_kl,
    minutes=8,
    difficulty="medium",
    hints=(
        "Each dimension has an allowance of `free` nats: below it, using less costs "
        "nothing less. What function of a dimension's KL and `free` is that?",
        "The order: first the KL of every example and dimension, then the mean over the "
        "batch for each dimension, then the larger of that and `free`, then the sum over "
        "the dimensions.",
        "`kl.mean(0)` is (latent,); `.clamp(min=free)` takes the larger of the two; "
        "`.sum()` comes last.",
    ),
    cases=(
        Case(normal(6, 3, seed=11), normal(6, 3, seed=12), 0.3),
        Case(
            normal(8, 4, seed=13) * torch.tensor([2.0, 1.0, 0.05, 0.0]),
            normal(8, 4, seed=14) * torch.tensor([1.0, 0.5, 0.05, 0.0]),
            0.2,
            label="a code with two idle dimensions",
        ),
        Case(torch.zeros(5, 3), torch.zeros(5, 3), 0.25, label="a code that has collapsed"),
        Case(normal(4, 3, seed=15), normal(4, 3, seed=16), 0.0, label="`free = 0`"),
        Case(
            normal(4, 2, seed=17) + 3,
            normal(4, 2, seed=18) - 2,
            0.5,
            label="a code that is all used",
        ),
        Case(normal(1, 4, seed=19), normal(1, 4, seed=20), 0.4, label="a single example"),
        Case(
            torch.tensor([[2.0, 0.0], [0.0, 0.1]]),
            torch.zeros(2, 2),
            0.5,
            label="a dimension used by one example of two",
        ),
        Case(
            normal(7, 5, seed=21),
            0.3 * normal(7, 5, seed=22),
            5.0,
            label="`free = 5`, more than any needs",
        ),
        Case(
            normal(5, 3, seed=23) * torch.tensor([2.0, 1.0, 0.1]),
            0.3 * normal(5, 3, seed=24),
            0.4,
            observe=partial(slopes, of=(0, 1)),
            label="the gradients by mean and log_var",
        ),
    ),
    mistakes=(
        Mistake(
            "added instead of the larger",
            _FREE,
            "(kl.mean(0) + free).sum()",
            "`free` is added to every dimension. A constant changes no gradient: nothing "
            "is free. The larger of the two is due, max(free, KL).",
        ),
        Mistake(
            "subtracted instead of the larger",
            _FREE,
            "(kl.mean(0) - free).sum()",
            "`free` is subtracted from every dimension, and without a max: a constant "
            "changes no gradient, and nothing is free. max(free, KL) is due.",
        ),
        Mistake(
            "what is above the allowance",
            _FREE,
            "(kl.mean(0) - free).clamp(min=0).sum()",
            "This is what exceeds the allowance, max(0, KL - free): the same gradients, "
            "but the number is too small by `free` for each dimension. max(free, KL) is "
            "asked for.",
        ),
        Mistake(
            "the smaller of the two",
            "clamp(min=free)",
            "clamp(max=free)",
            "The smaller of the two is taken: dimensions that carry much cost nothing "
            "more, and those that carry little are pushed to 0. The larger is due.",
        ),
        Mistake(
            "for each example by itself",
            _FREE,
            "kl.clamp(min=free).mean(0).sum()",
            "The larger is taken for each example before the mean. The allowance belongs "
            "to a dimension, over the whole batch: some examples may use more of it, "
            "others less.",
        ),
        Mistake(
            "one allowance for the whole code",
            _FREE,
            "kl.mean(0).sum().clamp(min=free)",
            "The allowance is for all dimensions together, after the sum. Each dimension "
            "has one of its own, or a single one could use it all.",
        ),
        Mistake(
            "the allowances are added up first",
            _FREE,
            "kl.mean(0).sum().clamp(min=free * kl.shape[1])",
            "The sum of the KL is compared with the sum of the allowances: a dimension "
            "that carries much lets the others collapse at no cost. Compare dimension by "
            "dimension, then add.",
        ),
        Mistake(
            "for each example, over the dimensions",
            _FREE,
            "kl.sum(1).clamp(min=free).mean()",
            "The larger is taken for each example, after the sum over the dimensions. "
            "Average over the batch first; each dimension has its own allowance.",
        ),
        Mistake(
            "averaged over the dimensions",
            _FREE,
            "kl.mean(0).clamp(min=free).mean()",
            "The dimensions are averaged at the end. The KL of a code is their sum.",
        ),
        Mistake(
            "summed over the batch",
            "kl.mean(0)",
            "kl.sum(0)",
            "The KL of a dimension is summed over the batch, so that hardly any stays "
            "below `free`. Average over the batch.",
        ),
        Mistake(
            "the axes swapped",
            "kl.mean(0)",
            "kl.mean(1)",
            "The mean is taken over the dimensions of each example, and the sum over the "
            "examples. It is the other way round.",
        ),
        Mistake(
            "the allowance is missing",
            ".clamp(min=free)",
            "",
            "`free` has no say: this is the ordinary KL.",
        ),
        Mistake(
            "dimensions below count nothing",
            _FREE,
            "(kl.mean(0) * (kl.mean(0) > free)).sum()",
            "Dimensions below the allowance count 0, and one that passes it costs `free` "
            "at once. At and below, each counts `free`: max(free, KL) has no jump.",
        ),
        Mistake(
            "not summed",
            _FREE,
            "kl.mean(0).clamp(min=free)",
            "There is one number for each dimension. Their sum is asked for.",
        ),
        Mistake(
            "the ½ is missing",
            "0.5 * (",
            "1.0 * (",
            "The ½ of the KL is missing: each dimension's is twice what it should be (as "
            "in the notes' formula).",
        ),
        Mistake(
            "the standard deviation in place of the variance",
            "torch.exp(log_var)",
            "torch.exp(log_var / 2)",
            "exp(log_var / 2) is the standard deviation. In the KL stands the variance, "
            "exp(log_var).",
        ),
        Mistake(
            "log_var taken for the logarithm of the standard deviation",
            "torch.exp(log_var) - (1 + log_var)",
            "torch.exp(2 * log_var) - (1 + 2 * log_var)",
            "log_var is taken for the logarithm of the standard deviation. Here "
            "exp(log_var) is the variance itself.",
        ),
        Mistake(
            "bits taken for nats",
            "min=free)",
            "min=free * math.log(2))",
            "`free` is turned from bits into nats. In spite of the name it is given in "
            "nats here.",
        ),
        Mistake(
            "no gradient",
            f"return {_FREE}",
            f"return {_FREE}.detach()",
            "The values are right, but no gradient passes, and nothing could be trained "
            "by them: is there a `.detach()`, `.item()`, `no_grad` or NumPy on the way?",
        ),
    ),
    symptoms=(
        Symptom("no gradient", gradient_is_cut, errors_too=True),
        Symptom(
            "idle dimensions learn",
            _shows_idle_dimensions_learn,
            "The values are right, but a dimension below its allowance has a gradient: "
            "it would go on to collapse.",
        ),
        Symptom(
            "the gradients are wrong",
            lambda results: all(r.right for r in results if not is_slope(r)),
            "The values are right, but not all gradients: is a part of the formula cut "
            "out of the graph?",
        ),
        Symptom(
            "the KL itself is wrong",
            lambda results: any(
                r.case.label == "`free = 0`" and not r.right for r in usable(results)
            ),
            "Wrong already with `free = 0`, where nothing is free and the answer is the "
            "ordinary KL, summed over the dimensions and averaged over the batch: ½ Σ "
            "(exp(log_var) - 1 - log_var + mean²).",
        ),
        Symptom(
            "below the allowance",
            lambda results: any(
                r.case.label == "a code that has collapsed" and not r.right
                for r in usable(results)
            ),
            "A code that has collapsed has a KL of 0 in every dimension, and each counts "
            "`free`: the answer is latent · free; yours is not.",
        ),
        Symptom(
            "right for a single example only",
            lambda results: right_on(results, "a single example") and not results[0].right,
            "With a single example the answer is right, with several it is not: average "
            "over the batch first, then take the larger of that and `free`.",
        ),
    ),
)
