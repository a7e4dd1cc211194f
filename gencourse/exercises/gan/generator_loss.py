"""What the generator minimises, non-saturating: -E log D(G(z)), in nats."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.gan.shared import (
    BY_SIGMOID,
    CERTAIN,
    LOST,
    NO_GRADIENT,
    like_at_moderate_logits,
)
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
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom


def generator_loss(fake_logits: Tensor) -> Tensor:
    """What the generator minimises, non-saturating: -E log D(G(z)), in nats.

    fake_logits: (B,), what the discriminator says of generated images; D = sigmoid(logit)
    is the probability of being real. Logits may be large: ±300 must not end in infinity,
    nor be cut off. Returns a single number, the mean over the batch, with gradients.
    (Goodfellow et al. 2014, arXiv:1406.2661, section 3.)
    """
    return torch.nn.functional.softplus(-fake_logits).mean()


_OWN = "torch.nn.functional.softplus(-fake_logits).mean()"


def _shows_the_wrong_direction(results):
    said = {r.case.label: r.value for r in usable(results)}
    false, real = (
        said.get(f"{CERTAIN} that they are {word}") for word in ("false", "real")
    )
    return false is not None and real is not None and bool(real > false)


exercise = Exercise(
    generator_loss,
    minutes=6,
    difficulty="easy",
    hints=(
        "The generator wants its images to be held real. How small is the probability of "
        "that, and how is that turned into something to be minimised?",
        "-log D of a generated image, averaged: where D ≈ 0 its slope by the logit is "
        "-1, while that of log(1 - D) is ≈ 0: next to nothing of its gradient is left "
        "there.",
        "-log sigmoid(a) = softplus(-a) = log(1 + exp(-a)), safe for every logit in "
        "`torch.nn.functional.softplus`. Then the mean.",
    ),
    cases=(
        Case(normal(6, seed=11, scale=2)),
        Case(torch.zeros(3), label="a discriminator that knows nothing (logits 0)"),
        Case(torch.tensor([-1.7]), label="a single image"),
        Case(
            torch.tensor([1.0, 2.5, 0.3, 4.0]), label="images that deceive (logits above 0)"
        ),
        Case(normal(50, seed=12, scale=4)),
        Case(torch.tensor([-300.0, -90.0, -200.0]), label=f"{CERTAIN} that they are false"),
        Case(torch.tensor([300.0, 90.0, 40.0]), label=f"{CERTAIN} that they are real"),
        Case(
            normal(5, seed=13, scale=2),
            observe=partial(slopes, of=(0,)),
            label="the gradient",
        ),
        Case(
            torch.tensor([-150.0, 20.0, -30.0]),
            observe=partial(slopes, of=(0,)),
            label=f"{CERTAIN}, and the gradient",
        ),
    ),
    mistakes=(
        Mistake(
            "the saturating loss",
            _OWN,
            "-torch.nn.functional.softplus(fake_logits).mean()",
            "This is E log(1 - D(G(z))), the saturating loss of the original game. Where "
            "the discriminator is sure that an image is false its gradient is next to "
            "nothing. The non-saturating one is asked for: -E log D(G(z)).",
        ),
        Mistake(
            "the discriminator's loss",
            _OWN,
            "torch.nn.functional.softplus(fake_logits).mean()",
            "This is -E log(1 - D(G(z))), the discriminator's own part: minimising it "
            "makes images that are found out. The generator wants D large.",
        ),
        Mistake(
            "the sign is turned",
            _OWN,
            f"-{_OWN}",
            "This is E log D(G(z)), which the generator climbs. Its negative, to be "
            "minimised, is asked for.",
        ),
        Mistake(
            "the sum over the batch",
            _OWN,
            "torch.nn.functional.softplus(-fake_logits).sum()",
            "The batch is summed up. E is a mean: else the step grows with the batch.",
        ),
        Mistake(
            "not averaged",
            _OWN,
            "torch.nn.functional.softplus(-fake_logits)",
            "There is one number for each image. Their mean is asked for.",
        ),
        Mistake(
            "logits taken for probabilities",
            _OWN,
            "-torch.log(fake_logits).mean()",
            "The logits are used as probabilities. They run from minus to plus infinity; "
            "D is sigmoid(logit).",
        ),
        Mistake(
            "the sigmoid is taken twice",
            _OWN,
            "torch.nn.functional.softplus(-torch.sigmoid(fake_logits)).mean()",
            "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and "
            "`softplus` take the logits as they are.",
        ),
        Mistake(
            "sigmoid, then logarithm",
            _OWN,
            "-torch.log(torch.sigmoid(fake_logits)).mean()",
            LOST,
        ),
        Mistake(
            "the logits are averaged first",
            _OWN,
            "torch.nn.functional.softplus(-fake_logits.mean())",
            "The logits are averaged, and the logarithm is taken once. It is the "
            "logarithms that are averaged.",
        ),
        Mistake(
            "the probabilities are averaged first",
            _OWN,
            "-torch.log(torch.sigmoid(fake_logits).mean())",
            "The probabilities are averaged before the logarithm. E log D is the mean of "
            "logarithms, not log E[D]: one image that deceives would excuse all others.",
        ),
        Mistake(
            "no logarithm",
            _OWN,
            "torch.sigmoid(-fake_logits).mean()",
            "This is 1 - D(G(z)) on average, without the logarithm: its gradient "
            "vanishes where D is near 0, as in the saturating loss.",
        ),
        Mistake(
            "minus the probability",
            _OWN,
            "-torch.sigmoid(fake_logits).mean()",
            "This is -D(G(z)) on average, without the logarithm: its gradient vanishes "
            "where D is near 0, as in the saturating loss.",
        ),
        Mistake(
            "the Wasserstein loss",
            _OWN,
            "-fake_logits.mean()",
            "This is the generator's loss against a Wasserstein critic, or a hinge (the "
            "sum of -log D and log(1 - D) comes to the same). The one asked for has the "
            "logarithm of D = sigmoid(logit).",
        ),
        Mistake(
            "the hinge loss",
            _OWN,
            "torch.relu(1 - fake_logits).mean()",
            "This is the discriminator's hinge for real images. The one asked for has "
            "the logarithm of D = sigmoid(logit).",
        ),
        Mistake(
            "the least-squares loss",
            _OWN,
            "(fake_logits - 1).square().mean()",
            "This is the least-squares loss (LSGAN). The one asked for has the logarithm "
            "of D = sigmoid(logit).",
        ),
        Mistake(
            "halved", _OWN, f"{_OWN} / 2", "Half of what is due: -log D has no ½ before it."
        ),
        Mistake(
            "bits instead of nats",
            _OWN,
            f"{_OWN} / math.log(2)",
            "These are bits: divided by ln 2, or made with log2. Nats are asked for.",
        ),
        Mistake("no gradient", f"return {_OWN}", f"return {_OWN}.detach()", NO_GRADIENT),
    ),
    symptoms=(
        LikeMistakes(
            (
                "the saturating loss",
                "the discriminator's loss",
                "the sign is turned",
                "the sum over the batch",
                "halved",
                "bits instead of nats",
            ),
            like_at_moderate_logits,
        ),
        Symptom("no gradient", gradient_is_cut, errors_too=True),
        BY_SIGMOID,
        Symptom(
            "a loss below 0",
            lambda results: any((r.value < -1e-6).any() for r in usable(results)),
            "Somewhere your loss is below 0. -log D never is, for D is at most 1.",
        ),
        Symptom(
            "the wrong direction",
            _shows_the_wrong_direction,
            "An image that deceives (a logit above 0) costs more than one that is found "
            "out. The generator is to deceive: its loss falls as the logit rises.",
        ),
        Symptom(
            "right for a single image only",
            lambda results: right_on(results, "a single image") and not results[0].right,
            "With a single image the answer is right, with several it is not: how are "
            "they averaged?",
        ),
        Symptom(
            "the gradients are wrong",
            lambda results: all(r.right for r in results if not is_slope(r)),
            "The values are right, but not all gradients: is a part of the formula cut "
            "out of the graph, or clamped?",
        ),
    ),
)
