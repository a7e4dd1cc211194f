"""KL(N(mean, exp(log_var)) ‖ N(0, I)) of every example, in nats."""

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


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) of every example, in nats.

    mean, log_var: (B, latent); log_var is the logarithm of the variance (σ in the notes).
    Returns (B,), summed over the dimensions of the code. Gradients pass through it: it is
    part of a loss.
    """
    kl = 0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)  # (B, latent)
    return kl.sum(1)


exercise = Exercise(
    gaussian_kl,
    minutes=8,
    difficulty="easy",
    hints=(
        "The dimensions are independent, and so the KL is a sum with one term for each. "
        "Begin with one dimension: what does it take from you that the variance is not "
        "1, and what that the mean is not 0?",
        "KL(N(m, s²) ‖ N(0, 1)) = ½ (s² - 1 - log s² + m²). Put log_var in: s² = "
        "exp(log_var), log s² = log_var. Two checks: it is 0 at m = 0, log_var = 0, and "
        "nowhere negative.",
        "`0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)` has one entry for every "
        "example and dimension; sum over the dimensions, axis 1.",
    ),
    cases=(
        Case(normal(4, 3, seed=31), normal(4, 3, seed=32)),
        Case(torch.zeros(2, 3), torch.zeros(2, 3), label="mean 0 and log_var 0"),
        Case(torch.zeros(3, 2), normal(3, 2, seed=33), label="mean 0"),
        Case(normal(3, 2, seed=34), torch.zeros(3, 2), label="log_var 0"),
        Case(normal(5, 5, seed=35), normal(5, 5, seed=36)),
        Case(torch.tensor([[3.0]]), torch.tensor([[-12.0]]), label="mean 3, log_var -12"),
        Case(normal(1, 50, seed=37, scale=2), normal(1, 50, seed=38, scale=2)),
        Case(
            normal(3, 4, seed=39),
            normal(3, 4, seed=40),
            observe=partial(slopes, of=(0, 1)),
            label="the gradients by mean and log_var",
        ),
    ),
    mistakes=(
        Mistake(
            "the ½ is missing",
            "0.5 * (",
            "(",
            "Twice what is due: this is the formula of the notes, and it lacks the ½. "
            "With it, beside -log P(x|z), a VAE is trained as if beta were 2, and the gap between "
            "log P(x) and the bound is no longer the KL to the posterior.",
        ),
        Mistake(
            "averaged over the dimensions",
            ".sum(1)",
            ".mean(1)",
            "This is the mean over the dimensions. The KL of independent dimensions is "
            "their sum; with a mean, the more dimensions a code has, the less each would "
            "be held to the prior.",
        ),
        Mistake(
            "summed over the batch too",
            ".sum(1)",
            ".sum()",
            "The examples are added up as well: there is one number in place of one for "
            "each example.",
        ),
        Mistake(
            "averaged over the batch",
            ".sum(1)",
            ".sum(1).mean()",
            "The mean over the batch is taken: there is one number in place of one for "
            "each example. Averaging is the caller's business.",
        ),
        Mistake(
            "averaged over everything",
            ".sum(1)",
            ".mean()",
            "The mean over examples and dimensions is taken. Sum over the dimensions, "
            "and leave the examples apart.",
        ),
        Mistake(
            "summed over the examples",
            ".sum(1)",
            ".sum(0)",
            "The sum runs over the examples, the first axis; the dimensions of the code "
            "are the second.",
        ),
        Mistake(
            "not summed",
            "return kl.sum(1)",
            "return kl",
            "There is one number for every dimension. Sum over them: the KL of a code is "
            "one number.",
        ),
        Mistake(
            "log_var used as variance",
            "torch.exp(log_var) - (1 + log_var)",
            "log_var - (1 + torch.log(log_var))",
            "log_var is used as if it were the variance, and its logarithm is NaN where "
            "it is negative. The variance is exp(log_var).",
        ),
        Mistake(
            "log_var used as standard deviation",
            "torch.exp(log_var) - (1 + log_var)",
            "log_var**2 - (1 + torch.log(log_var**2))",
            "log_var is used as if it were the standard deviation. It is the logarithm "
            "of the variance.",
        ),
        Mistake(
            "log_var taken for the logarithm of the standard deviation",
            "torch.exp(log_var) - (1 + log_var)",
            "torch.exp(2 * log_var) - (1 + 2 * log_var)",
            "log_var is taken for the logarithm of the standard deviation: that is the "
            "other convention, and it doubles every log_var. Here exp(log_var) is the "
            "variance itself.",
        ),
        Mistake(
            "the standard deviation in place of the variance",
            "torch.exp(log_var)",
            "torch.exp(log_var / 2)",
            "exp(log_var / 2) is the standard deviation, right for drawing. In the KL "
            "stands the variance, exp(log_var).",
        ),
        Mistake(
            "the exponential is missing",
            "torch.exp(log_var)",
            "log_var",
            "The logarithm is put where the variance belongs, so that log_var cancels "
            "and the noise costs nothing.",
        ),
        Mistake(
            "the 1 is missing",
            "(1 + log_var)",
            "log_var",
            "Half a nat too much for each dimension: the 1 is missing, and the KL of "
            "N(0, I) to itself is not 0.",
        ),
        Mistake(
            "a bracket is missing",
            "(1 + log_var)",
            "1 + log_var",
            "log_var enters with the wrong sign: the minus stands before the whole "
            "bracket, - (1 + log_var) = - 1 - log_var.",
        ),
        Mistake(
            "log_var is not subtracted",
            "(1 + log_var)",
            "1",
            "The term - log_var is missing. Without it the variance that costs least is "
            "0: the noise would be trained away.",
        ),
        Mistake(
            "the sign is turned",
            "0.5 * (",
            "-0.5 * (",
            "The sign is turned: a KL is never negative, and 0 only where the two "
            "distributions are one.",
        ),
        Mistake(
            "the KL in the other direction",
            "torch.exp(log_var) - (1 + log_var) + mean**2",
            "(1 + mean**2) * torch.exp(-log_var) - 1 + log_var",
            "This is KL(N(0, I) ‖ q), the other way round. The average is taken over q, "
            "the encoder's distribution: KL(q ‖ N(0, I)).",
        ),
        Mistake(
            "the mean is not squared",
            "mean**2",
            "mean",
            "The mean enters as it is, so that a negative one is rewarded. It is its "
            "square that counts.",
        ),
        Mistake(
            "the absolute mean",
            "mean**2",
            "mean.abs()",
            "The mean enters by its absolute value. It is its square that counts.",
        ),
        Mistake(
            "the mean is missing",
            " + mean**2",
            "",
            "The mean has no say: codes could lie anywhere at no cost.",
        ),
        Mistake(
            "the mean is rewarded",
            "+ mean**2",
            "- mean**2",
            "The squared mean is subtracted: the further from the origin, the cheaper.",
        ),
        Mistake(
            "mean and log_var swapped",
            "torch.exp(log_var) - (1 + log_var) + mean**2",
            "torch.exp(mean) - (1 + mean) + log_var**2",
            "The two have changed places: the mean is squared, and log_var stands in the "
            "exponential.",
        ),
        Mistake(
            "bits instead of nats",
            "return kl.sum(1)",
            "return kl.sum(1) / math.log(2)",
            "These are bits: divided by ln 2. Nats are asked for.",
        ),
        Mistake(
            "no gradient",
            "return kl.sum(1)",
            "return kl.sum(1).detach()",
            "The values are right, but no gradient passes, and nothing could be trained "
            "by them: is there a `.detach()`, `.item()`, `no_grad` or NumPy on the way?",
        ),
    ),
    symptoms=(
        Symptom("no gradient", gradient_is_cut, errors_too=True),
        Symptom(
            "not 0 at N(0, I)",
            lambda results: any(
                r.case.label == "mean 0 and log_var 0" and not r.right
                for r in usable(results)
            ),
            "The KL of N(0, I) to itself is 0; yours is not.",
        ),
        Symptom(
            "a negative KL",
            lambda results: any((r.value < -1e-4).any() for r in usable(results)),
            "Somewhere your KL is negative. It is never below 0, whatever mean and "
            "log_var are.",
        ),
        Symptom(
            "the part of the mean is wrong",
            lambda results: (
                right_on(results, "mean 0") and not right_on(results, "log_var 0")
            ),
            "Where the mean is 0 your answer is right, else it is not: what does a mean "
            "away from 0 cost?",
        ),
        Symptom(
            "the part of the variance is wrong",
            lambda results: (
                right_on(results, "log_var 0") and not right_on(results, "mean 0")
            ),
            "Where log_var is 0 your answer is right, else it is not: exp(log_var) is "
            "the variance, and log_var its logarithm.",
        ),
        Symptom(
            "wrong where both play",
            lambda results: (
                right_on(results, "log_var 0")
                and right_on(results, "mean 0")
                and not any(r.right for r in results[4:5])
            ),
            "Right where the mean is 0 or log_var is 0, wrong where neither is: the two "
            "parts do not touch each other, they are added.",
        ),
        Symptom(
            "both parts are wrong",
            lambda results: (
                right_on(results, "mean 0 and log_var 0")
                and not any(r.right for r in results[2:4])
                and len(usable(results)) == len(results) - 1
            ),
            "Right where mean and log_var are 0, but wrong as soon as one of them is "
            "not: look at one dimension, first with log_var = 0, where the KL is "
            "½·mean².",
        ),
        Symptom(
            "the gradients are wrong",
            lambda results: all(r.right for r in results if not is_slope(r)),
            "The values are right, but not all gradients: is a part of the formula cut "
            "out of the graph, or clamped?",
        ),
    ),
)
