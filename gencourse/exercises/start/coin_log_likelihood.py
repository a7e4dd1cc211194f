"""The log-likelihood of a series of flips of one coin, in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer, seeded
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def coin_log_likelihood(flips: Tensor, p: float) -> Tensor:
    """The log-likelihood of a series of flips of one coin, in nats.

    flips: (N,) integers, 1 for heads and 0 for tails.
    p: the probability of heads, strictly between 0 and 1.
    Returns one number, log P(flips): a float or a tensor of shape ().
    """
    heads = flips.sum()
    tails = len(flips) - heads
    return heads * math.log(p) + tails * math.log(1 - p)


def _flips(n: int, heads: int) -> Tensor:
    order = torch.randperm(n, generator=seeded(n), device="cpu")
    return (order < heads).long()


def _shows_the_product_underflows(results):
    *short, long = results
    return all(r.right for r in short) and (long.value is None or long.value.isinf().any())


exercise = Exercise(
    coin_log_likelihood,
    minutes=5,
    difficulty="easy",
    hints=(
        "The flips are independent: their probability is a product. What does the "
        "logarithm make of a product?",
        "A head contributes `math.log(p)` to the sum. What does a tail contribute?",
        "Count: `heads = flips.sum()`, and the tails are what is left of `len(flips)`. "
        "Each count multiplies the logarithm of one probability.",
    ),
    cases=(
        Case(torch.tensor([1]), 0.3),
        Case(torch.tensor([0]), 0.3),
        Case(torch.tensor([1, 1, 0, 1, 0, 1, 1, 1]), 0.5),
        Case(torch.tensor([1, 0, 0, 1, 1]), 0.8),
        Case(torch.ones(6, dtype=torch.int64), 0.9),
        Case(torch.zeros(7, dtype=torch.int64), 0.25),
        Case(_flips(40, 11), 0.07),
        Case(_flips(90, integer(20, 70, seed=1)), integer(10, 90, seed=2) / 100),
        Case(_flips(5000, 1600), 0.3, label="5,000 flips, `p = 0.3`"),
    ),
    mistakes=(
        Mistake(
            "the tails are forgotten",
            " + tails * math.log(1 - p)",
            "",
            "Only the heads count in your answer. A tail is evidence too: it has a "
            "probability of its own.",
        ),
        Mistake(
            "heads and tails swapped",
            "heads * math.log(p) + tails * math.log(1 - p)",
            "tails * math.log(p) + heads * math.log(1 - p)",
            "Heads and tails have changed places: p is the probability of a 1.",
        ),
        Mistake(
            "the product underflows",
            "heads * math.log(p) + tails * math.log(1 - p)",
            "(p ** heads * (1 - p) ** tails).log()",
            "Few flips come out right, many do not: a product of thousands of "
            "probabilities is too small for a floating-point number and becomes 0. Take "
            "logarithms first, then add.",
        ),
        Mistake(
            "no logarithm",
            "heads * math.log(p) + tails * math.log(1 - p)",
            "p ** heads * (1 - p) ** tails",
            "This is the likelihood itself; its logarithm is asked for.",
        ),
        Mistake(
            "the mean in place of the sum",
            "heads * math.log(p) + tails * math.log(1 - p)",
            "(heads * math.log(p) + tails * math.log(1 - p)) / len(flips)",
            "This is the mean over the flips. The probability of the whole series is a "
            "product, so its logarithm is a sum.",
        ),
        Mistake(
            "bits instead of nats",
            "heads * math.log(p) + tails * math.log(1 - p)",
            "heads * math.log2(p) + tails * math.log2(1 - p)",
            "These are bits: the logarithm to base 2. Nats come from the natural "
            "logarithm.",
        ),
        Mistake(
            "the sign is turned",
            "return heads * math.log(p) + ",
            "return -heads * math.log(p) - ",
            "This is the negative log-likelihood, what a training loop makes small. The "
            "log-likelihood itself is asked for, and the logarithm of a probability is "
            "never above 0.",
        ),
        Mistake(
            "the probability of the count",
            "return heads",
            "return math.lgamma(len(flips) + 1) - math.lgamma(heads + 1) - "
            "math.lgamma(tails + 1) + heads",
            "This is the probability of so many heads in any order (a binomial "
            "distribution). The order is known here: it is this one series.",
        ),
    ),
    symptoms=(
        Symptom("the product underflows", _shows_the_product_underflows, errors_too=True),
    ),
)
