"""Negative log-likelihood in bits per dimension, from nats per image."""

from __future__ import annotations

import math

import torch

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake


def bits_per_dimension(nats, n_dimensions: int):
    """Negative log-likelihood in bits per dimension, from nats per image.

    nats: a number, or a tensor of any shape with one number an image.
    n_dimensions: values in an image (784 in one of 28×28 grey pixels).
    Returns what it was given, converted: a number, or a tensor of the same shape.
    """
    return nats / (n_dimensions * math.log(2))


exercise = Exercise(
    bits_per_dimension,
    minutes=4,
    difficulty="easy",
    hints=(
        "Two changes of unit: from nats to bits, and from a whole image to one dimension "
        "of it.",
        "One nat is the information of a factor e, one bit that of a factor 2. Which is "
        "the larger unit, and by what factor?",
        "A bit is ln 2 = 0.693 nats, so so many nats are more bits than that. Then share "
        "them among the dimensions.",
    ),
    cases=(
        Case(100.0, 784),
        Case(math.log(2), 1),
        Case(1.0, 1),
        Case(543.4, 784),
        Case(2500.0, 3072),
        Case(80, 784),
        Case(torch.tensor([81.3, 206.0, 95.5]), 784),
        Case(torch.tensor([[3.5, 0.2], [11.0, 7.0]]), 9),
        Case(torch.tensor(44361.4), 8000),
        Case(integer(100, 9000, seed=1) / 10, integer(20, 4000, seed=2)),
    ),
    mistakes=(
        Mistake(
            "multiplied by ln 2",
            "nats / (n_dimensions * math.log(2))",
            "nats / n_dimensions * math.log(2)",
            "Too small: ln 2 stands on the wrong side. A bit is less than a nat, so "
            "there must be more bits than nats.",
        ),
        Mistake(
            "still in nats",
            "n_dimensions * math.log(2)",
            "n_dimensions",
            "These are nats per dimension: the change from nats to bits is missing.",
        ),
        Mistake(
            "not per dimension",
            "n_dimensions * math.log(2)",
            "math.log(2)",
            "These are bits per image: share them among the dimensions.",
        ),
        Mistake(
            "divided by ln 2 twice",
            "math.log(2)",
            "math.log(2) ** 2",
            "Too large by 1 / ln 2: the change from nats to bits is made twice.",
        ),
        Mistake(
            "multiplied by the dimensions",
            "nats / (n_dimensions * math.log(2))",
            "nats * n_dimensions / math.log(2)",
            "The dimensions multiply where they should divide: an image's bits are "
            "shared among them.",
        ),
        Mistake(
            "the logarithm of the nats",
            "nats / (n_dimensions * math.log(2))",
            "torch.as_tensor(nats).log2() / n_dimensions",
            "This is the logarithm of a number of nats. Nats are logarithms already; "
            "only their unit is to change.",
        ),
        Mistake(
            "784 is written in",
            "(n_dimensions * math",
            "(784 * math",
            "Right for images of 784 dimensions only: the function does not look at "
            "`n_dimensions`.",
        ),
        Mistake(
            "base 10",
            "math.log(2)",
            "math.log(10)",
            "These are decimal digits, not bits: the unit that belongs to the base 10.",
        ),
        Mistake(
            "averaged over the batch",
            "return nats / (n_dimensions * math.log(2))",
            "return torch.as_tensor(nats / (n_dimensions * math.log(2))).mean()",
            "The images of a batch are averaged: each keeps its own number here.",
        ),
        Mistake(
            "the sign is turned",
            "nats /",
            "-nats /",
            "The sign is turned. The nats given here are a negative log-likelihood "
            "already, and bits per dimension are positive.",
        ),
        Mistake(
            "divided by the batch",
            "return nats / (n_dimensions * math.log(2))",
            "return nats / (n_dimensions * math.log(2)) / torch.as_tensor(nats).numel()",
            "A single image comes out right, a batch does not: each image keeps its own "
            "number, however many there are.",
        ),
        Mistake(
            "rounded to whole bits",
            "nats / (n_dimensions * math.log(2))",
            "nats // (n_dimensions * math.log(2))",
            "The result is rounded to whole bits: `//` drops the fraction, `/` keeps it.",
        ),
    ),
)
