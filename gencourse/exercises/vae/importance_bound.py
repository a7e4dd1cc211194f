"""The logarithm of the mean importance weight: a lower bound of log P(x), in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import normal, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def importance_bound(log_px_z: Tensor, log_pz: Tensor, log_qz: Tensor) -> Tensor:
    """The logarithm of the mean importance weight: a lower bound of log P(x), in nats.

    For S draws of z from q(z|x) the weights are w = P(x|z) · P(z) / q(z|x).
    log_px_z, log_pz, log_qz: (S, B), the three logarithms for every draw and example; they
    may be -1000 or +1500, where their exponentials are 0 or infinity.
    Returns (B,), log (1/S) Σ w. With S = 1 it is one draw of the ELBO.
    """
    log_w = log_px_z + log_pz - log_qz  # (S, B)
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def _densities(n: int, batch: int, seed: int, level: float = 0.0, spread: float = 1.0):
    """log_px_z, log_pz, log_qz of n draws for each example."""
    return (
        level + normal(n, batch, seed=seed, scale=3 * spread),
        -3 * spread + normal(n, batch, seed=seed + 1),
        -spread + normal(n, batch, seed=seed + 2),
    )


def _weights(result) -> Tensor:
    log_px_z, log_pz, log_qz = (argument.double() for argument in result.case.arguments)
    return log_px_z + log_pz - log_qz


exercise = Exercise(
    importance_bound,
    minutes=8,
    difficulty="medium",
    hints=(
        "Each draw has a weight P(x|z)·P(z)/q(z|x). Their mean estimates P(x), and the "
        "bound is the logarithm of that mean: the mean first, then the logarithm. In "
        "logarithms, what becomes of the product and the ratio?",
        "log w = log_px_z + log_pz - log_qz. The weights themselves are too small or too "
        "large for floating-point numbers: take the logarithm of their sum with "
        "`torch.logsumexp`, over the draws.",
        "A mean is a sum divided by S: `torch.logsumexp(log_w, 0)` less the logarithm of "
        "the number of draws.",
    ),
    cases=(
        Case(*_densities(3, 2, seed=71, spread=0.3)),
        Case(*_densities(6, 4, seed=74)),
        Case(*_densities(1, 3, seed=77), label="a single draw for each example"),
        Case(*_densities(5, 5, seed=80)),
        Case(*_densities(500, 2, seed=83, level=-20.0), label="500 draws for each example"),
        Case(
            *_densities(8, 3, seed=86, level=-1000.0),
            rtol=1e-5,
            atol=1e-3,
            label="log-likelihoods around -1000",
        ),
        Case(
            *_densities(7, 3, seed=89, level=1500.0),
            rtol=1e-5,
            atol=1e-3,
            label="log-densities around +1500",
        ),
        Case(
            *(
                torch.cat([part, part + shift], 1)
                for part, shift in zip(_densities(4, 2, seed=92), (-1000.0, 0, 0))
            ),
            rtol=1e-5,
            atol=1e-3,
            label="one example around 0, another around -1000",
        ),
        Case(
            torch.full((4, 1), -2.0),
            torch.full((4, 1), -3.0),
            torch.full((4, 1), -1.0),
            label="four equal draws",
        ),
    ),
    mistakes=(
        Mistake(
            "the mean of the logarithms",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "log_w.mean(0)",
            "This is the mean of the logarithms: the ELBO, with more draws. Take the "
            "mean of the weights first, then the logarithm; that is the tighter bound.",
        ),
        Mistake(
            "the sum in place of the mean",
            " - math.log(len(log_w))",
            "",
            "The weights are summed, not averaged: log S is too much, and more draws "
            "would raise the number without end. It is no bound any more.",
        ),
        Mistake(
            "log S is added",
            "- math.log(len(log_w))",
            "+ math.log(len(log_w))",
            "log S is added. Dividing the sum of the weights by S means subtracting log S.",
        ),
        Mistake(
            "divided after the logarithm",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "torch.logsumexp(log_w, 0) / len(log_w)",
            "The logarithm of the sum is divided by S. The division belongs inside the "
            "logarithm, where it becomes - log S.",
        ),
        Mistake(
            "S without a logarithm",
            "math.log(len(log_w))",
            "len(log_w)",
            "S itself is subtracted. Division by S becomes - log S.",
        ),
        Mistake(
            "the batch is counted instead of the draws",
            "len(log_w)",
            "log_w.shape[1]",
            "The logarithm of the batch size is subtracted. The weights are averaged "
            "over the S draws, the first axis.",
        ),
        Mistake(
            "exponentials without the maximum",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "log_w.exp().mean(0).log()",
            "Right for moderate numbers, but exp(-1000) is 0 and exp(1500) is infinity: "
            "take out the maximum first, or use `torch.logsumexp`.",
        ),
        Mistake(
            "the maximum is not added again",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "(log_w - log_w.amax(0)).exp().mean(0).log()",
            "The maximum is taken out of the exponential and never put back: add it at "
            "the end.",
        ),
        Mistake(
            "one maximum for the whole batch",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "(log_w - log_w.max()).exp().mean(0).log() + log_w.max()",
            "One maximum is taken for the whole batch: beside a likely image the weights "
            "of an unlikely one are all 0. Every example needs the maximum of its own "
            "draws.",
        ),
        Mistake(
            "log q is added",
            "- log_qz",
            "+ log_qz",
            "log q(z|x) is added. The weight is a ratio: the density that was drawn from "
            "stands below.",
        ),
        Mistake(
            "log q is missing",
            " - log_qz",
            "",
            "log q(z|x) is missing. The draws come from q, and each must be divided by "
            "how often q offers it.",
        ),
        Mistake(
            "the prior is missing",
            " + log_pz",
            "",
            "log P(z) is missing: the weight is P(x|z)·P(z)/q(z|x).",
        ),
        Mistake(
            "the likelihood alone",
            "log_px_z + log_pz - log_qz",
            "log_px_z",
            "Only P(x|z) is averaged. That would be right for draws from the prior; "
            "these are draws from q, and the weight corrects it: P(z)/q(z|x).",
        ),
        Mistake(
            "the likelihood is missing",
            "log_px_z + log_pz",
            "log_pz",
            "log P(x|z) is missing: x has no say.",
        ),
        Mistake(
            "the prior is below the line",
            "+ log_pz",
            "- log_pz",
            "The prior P(z) is divided by. It stands above: P(x|z)·P(z) is the joint "
            "probability.",
        ),
        Mistake(
            "the ratio of prior and q is upside down",
            "+ log_pz - log_qz",
            "- log_pz + log_qz",
            "The ratio is upside down: it is P(z)/q(z|x), what is wanted over what was "
            "drawn from.",
        ),
        Mistake(
            "the ratio is upside down",
            "log_px_z + log_pz - log_qz",
            "log_qz - log_px_z - log_pz",
            "The whole ratio is upside down: P(x|z)·P(z) stands above, q(z|x) below.",
        ),
        Mistake(
            "averaged over the batch",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])",
            "The weights of different examples are averaged. The draws are the first "
            "axis, the examples the second.",
        ),
        Mistake(
            "one number for the whole batch",
            "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "return (torch.logsumexp(log_w, 0) - math.log(len(log_w))).mean()",
            "The examples are averaged into one number. One number for each is asked for.",
        ),
        Mistake(
            "the best draw alone",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "log_w.max(0).values",
            "This is the largest weight. It is the mean of the weights that estimates "
            "P(x).",
        ),
        Mistake(
            "three means instead of one",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "torch.logsumexp(log_px_z, 0) + torch.logsumexp(log_pz, 0) - "
            "torch.logsumexp(log_qz, 0) - math.log(len(log_w))",
            "Each of the three is averaged by itself. Multiply draw by draw to the "
            "weight, and average the weights.",
        ),
        Mistake(
            "averaged with the normalised weights",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "(log_w.softmax(0) * log_w).sum(0)",
            "The logarithms are averaged with normalised weights (a softmax). The bound "
            "is the logarithm of the plain mean of the weights.",
        ),
        Mistake(
            "no logarithm",
            "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "log_w.exp().mean(0)",
            "This is the mean weight itself; its logarithm is asked for.",
        ),
        Mistake(
            "the loss instead of the bound",
            "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "return math.log(len(log_w)) - torch.logsumexp(log_w, 0)",
            "The sign is turned: this is a loss. The bound itself is asked for.",
        ),
        Mistake(
            "bits instead of nats",
            "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
            "return (torch.logsumexp(log_w, 0) - math.log(len(log_w))) / math.log(2)",
            "These are bits: divided by ln 2. Nats are asked for.",
        ),
    ),
    symptoms=(
        Symptom(
            "exponentials without the maximum",
            lambda results: (
                all(r.right for r in results[:2])
                and any(
                    r.value is None or not r.value.isfinite().all() for r in results[5:8]
                )
            ),
            errors_too=True,
        ),
        Symptom(
            "too small for the logarithm",
            lambda results: (
                all(r.right for r in results[:4]) and not all(r.right for r in results[4:8])
            ),
            "Right for moderate numbers, wrong where the exponentials are 0 or infinity: "
            "an epsilon or a clamp does not save them. Take out the maximum before the "
            "exponential, or use `torch.logsumexp`.",
        ),
        Symptom(
            "the weights are wrong",
            lambda results: any(
                r.case.label == "a single draw for each example" and not r.right
                for r in usable(results)
            ),
            "Already with a single draw, where nothing is averaged, the answer is wrong: "
            "it is the logarithm of the weight P(x|z)·P(z)/q(z|x) there.",
        ),
        Symptom(
            "above the largest weight",
            lambda results: any(
                (r.value > _weights(r).amax(0) + 1e-3).any() for r in usable(results)
            ),
            "Your answer is above the logarithm of the largest weight, which no mean can "
            "be.",
        ),
        Symptom(
            "below the ELBO",
            lambda results: any(
                (r.value < _weights(r).mean(0) - 1e-3).any() for r in usable(results)
            ),
            "Your answer is below the mean of the logarithms, the ELBO. The logarithm of "
            "a mean never is.",
        ),
        Symptom(
            "the average is wrong",
            lambda results: any(not r.right for r in usable(results)),
            "With a single draw the answer is right, so the weights are. With several it "
            "is not: the weights are averaged over the draws, all alike, and the "
            "logarithm is taken last.",
        ),
    ),
)
