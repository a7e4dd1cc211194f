"""The gradient of E[f(z)] by the mean of q, where f is a black box."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import normal, right_on, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def score_function_gradient(f: Tensor, z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """The gradient of E[f(z)] by the mean of q, where f is a black box.

    q = N(mean, exp(log_var)), every dimension by itself. For draws z[s] from q the estimate
    is the average over s of f[s] · ∇ log q(z[s]): the gradient by `mean`, while z is held.
    f: (S,), the value of f at each draw; z: (S, latent); mean, log_var: (latent,).
    Returns (latent,). (Also called REINFORCE, or the likelihood-ratio estimate.)
    """
    score = (z - mean) / torch.exp(log_var)  # (S, latent)
    return (f[:, None] * score).mean(0)


def _shows_right_for_a_variance_of_1_only(results):
    first, *others = results
    return first.right and not any(r.right for r in others)


exercise = Exercise(
    score_function_gradient,
    minutes=8,
    difficulty="medium",
    hints=(
        "What is wanted: how fast f changes on average when the mean moves. The draws do "
        "not move here; what moves is how probable each of them is, and so its weight in "
        "the average.",
        "∇ E[f] = E[f · ∇ log q(z)]. Write log q(z) as a sum over dimensions, and take "
        "its derivative by mean[j]: only the squared distance contains it.",
        "∂ log q(z) / ∂ mean[j] = (z[j] - mean[j]) / exp(log_var[j]): a tensor (S, "
        "latent). Multiply every row by its f (`f[:, None]`) and take the mean over the "
        "draws.",
    ),
    cases=(
        Case(
            torch.tensor([2.0, -1.0, 0.5]),
            torch.tensor([[1.0], [1.5], [-1.5]]),
            torch.tensor([0.5]),
            torch.zeros(1),
            label="3 draws in one dimension, `log_var = 0`",
        ),
        Case(
            normal(6, seed=11),
            normal(6, 3, seed=12),
            normal(3, seed=13),
            normal(3, seed=14),
        ),
        Case(
            normal(4, seed=15),
            normal(4, 4, seed=16),
            normal(4, seed=17),
            normal(4, seed=18),
            label="4 draws of 4 dimensions",
        ),
        Case(
            torch.ones(5),
            normal(5, 2, seed=19),
            normal(2, seed=20),
            normal(2, seed=21),
            label="a constant f = 1",
        ),
        Case(
            torch.tensor([3.0]),
            torch.tensor([[1.0, 2.0]]),
            torch.tensor([0.5, -1.0]),
            torch.tensor([2.0, -2.0]),
            label="a single draw",
        ),
        Case(
            normal(4000, seed=22) + 3,
            normal(4000, 2, seed=23),
            normal(2, seed=24),
            normal(2, seed=25),
            label="4,000 draws",
        ),
        Case(
            torch.tensor([-90.0, -120.0, -80.0]),
            normal(3, 5, seed=26),
            normal(5, seed=27),
            normal(5, seed=28),
            label="log-likelihoods as f",
        ),
    ),
    mistakes=(
        Mistake(
            "the sign is turned",
            "(z - mean)",
            "(mean - z)",
            "The sign is turned: this is the gradient of log q by z. By the mean it is "
            "the opposite, (z - mean) / variance: a mean that comes closer to z makes it "
            "more probable.",
        ),
        Mistake(
            "divided by the standard deviation",
            "torch.exp(log_var)",
            "torch.exp(log_var / 2)",
            "The distance is divided by the standard deviation; in the derivative of (z "
            "- mean)² / (2·variance) it is the variance that stays.",
        ),
        Mistake(
            "divided by log_var",
            "torch.exp(log_var)",
            "log_var",
            "The distance is divided by log_var, the logarithm of the variance: undo the "
            "logarithm first.",
        ),
        Mistake(
            "not divided by the variance",
            " / torch.exp(log_var)",
            "",
            "The variance has no say in your answer: the narrower q is, the more its "
            "density changes when it moves.",
        ),
        Mistake(
            "the mean is not subtracted",
            "(z - mean)",
            "z",
            "z itself is divided by the variance. It is the distance from the mean that "
            "counts.",
        ),
        Mistake(
            "f is missing",
            "f[:, None] * score",
            "score",
            "The values of f have no say: this is the mean score, 0 on average whatever "
            "f is. Each draw is weighted by its f.",
        ),
        Mistake(
            "the logarithm of f",
            "f[:, None]",
            "f.log()[:, None]",
            "The logarithm of f is taken. It is q that has a logarithm in this formula; "
            "f counts as it is, and may be negative.",
        ),
        Mistake(
            "the sum in place of the mean",
            ".mean(0)",
            ".sum(0)",
            "This is the sum over the draws; an expectation is estimated by their mean.",
        ),
        Mistake(
            "the means are multiplied",
            "(f[:, None] * score).mean(0)",
            "f.mean() * score.mean(0)",
            "The mean of f is multiplied by the mean score. What counts is which draws "
            "have a large f: multiply draw by draw, then take the mean.",
        ),
        Mistake(
            "a baseline is subtracted",
            "f[:, None] * score",
            "(f - f.mean())[:, None] * score",
            "The mean of f is subtracted first. Such a baseline often lowers the "
            "variance, but this one is made of the same draws, which biases it a little; "
            "here the plain estimate is asked for.",
        ),
        Mistake(
            "by log_var instead of the mean",
            "(z - mean) / torch.exp(log_var)",
            "((z - mean)**2 / torch.exp(log_var) - 1) / 2",
            "This is the gradient by log_var. The one by the mean is asked for.",
        ),
        Mistake(
            "the density instead of its gradient",
            "(z - mean) / torch.exp(log_var)",
            "-((z - mean)**2 / torch.exp(log_var) + log_var + math.log(2 * math.pi)) / 2",
            "f is multiplied by log q itself. It is the gradient of log q by the mean "
            "that is due.",
        ),
        Mistake(
            "averaged over the dimensions",
            ".mean(0)",
            ".mean(1)",
            "The average is taken over the dimensions, and there is one number for each "
            "draw. Average over the draws, the first axis.",
        ),
        Mistake(
            "added up over the dimensions",
            ".mean(0)",
            ".mean(0).sum()",
            "The dimensions are added up. A gradient has one entry for each dimension of "
            "the mean.",
        ),
        Mistake(
            "not averaged",
            ".mean(0)",
            "",
            "This is the contribution of every draw. Their mean is asked for: (latent,).",
        ),
    ),
    symptoms=(
        Symptom(
            "the weighting by f is wrong",
            lambda results: (
                right_on(results, "a constant f = 1")
                and any(not r.right for r in usable(results))
            ),
            "For a constant f = 1 the answer is right, else it is not: how does f enter?",
        ),
        Symptom(
            "something is subtracted from f",
            lambda results: any(
                not r.right and r.value.abs().max() < 1e-5
                for r in usable(results)
                if r.case.label == "a constant f = 1"
            ),
            "For a constant f = 1 your answer is 0: is something subtracted from f "
            "first, a baseline? Here the plain estimate is asked for, where every draw "
            "counts with its f.",
        ),
        Symptom(
            "right for a variance of 1 only",
            _shows_right_for_a_variance_of_1_only,
            "Right where log_var is 0, wrong elsewhere: by what is z - mean divided?",
        ),
        Symptom(
            "the average is wrong",
            lambda results: (
                right_on(results, "a single draw")
                and any(not r.right for r in usable(results))
            ),
            "With a single draw the answer is right, with several it is not: it is the "
            "mean over the draws that is due.",
        ),
        Symptom(
            "a draw's contribution is wrong",
            lambda results: any(
                r.case.label == "a single draw" and not r.right for r in usable(results)
            ),
            "Already with a single draw, where there is nothing to average, the answer "
            "is wrong. It is f times the derivative of log q(z) by the mean: what "
            "becomes of -(z - mean)² / (2·variance)?",
        ),
    ),
)
