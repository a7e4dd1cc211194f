"""What the discriminator minimises: -E log D(x) - E log(1 - D(G(z))), in nats."""

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
    slopes,
    usable,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """What the discriminator minimises: -E log D(x) - E log(1 - D(G(z))), in nats.

    D = sigmoid(logit) is the probability of being real; each E is the mean of its batch.
    real_logits: (B,), of real images; fake_logits: (M,), of generated ones; M may differ
    from B. Logits may be large: ±300 must not end in infinity, nor be cut off.
    Returns a single number, with gradients to both.
    """
    softplus = torch.nn.functional.softplus
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


_BOTH = "softplus(-real_logits).mean() + softplus(fake_logits).mean()"


def _shows_batches_of_unlike_size(results):
    def unlike(r):
        return len(r.case.arguments[0]) != len(r.case.arguments[1])

    return all(r.right for r in results if not unlike(r)) and any(
        not r.right for r in results if r.case.label == "6 real ones and 2 generated ones"
    )


exercise = Exercise(
    discriminator_loss,
    minutes=8,
    difficulty="easy",
    hints=(
        "The discriminator is a classifier with two classes. How probable does it hold "
        "what is true: that the real ones are real, and that the generated ones are not?",
        "D = sigmoid(logit). -log D = softplus(-logit) and -log(1 - D) = "
        "softplus(logit), where softplus(a) = log(1 + exp(a)): neither needs D itself, "
        "which is rounded to 0 or 1 for large logits.",
        "`torch.nn.functional.softplus(-real_logits).mean()` is one half of the answer. "
        "The two batches may differ in size: each has its own mean.",
    ),
    cases=(
        Case(normal(5, seed=1, scale=2), normal(5, seed=2, scale=2)),
        Case(
            normal(6, seed=3, scale=2),
            normal(2, seed=4, scale=2),
            label="6 real ones and 2 generated ones",
        ),
        Case(
            torch.zeros(3),
            torch.zeros(3),
            label="a discriminator that knows nothing (logits 0)",
        ),
        Case(
            normal(1, seed=5),
            normal(9, seed=6, scale=3),
            label="1 real one and 9 generated ones",
        ),
        Case(
            torch.tensor([30.0, 90.0, 200.0]),
            torch.tensor([-40.0, -100.0, -300.0]),
            label=f"{CERTAIN}, and right",
        ),
        Case(
            torch.tensor([-200.0, 90.0, -30.0]),
            torch.tensor([150.0, -20.0, 300.0, 3.0]),
            label=f"{CERTAIN}, and wrong",
        ),
        Case(
            normal(4, seed=7),
            normal(3, seed=8),
            observe=partial(slopes, of=(0, 1)),
            label="the gradients by both logits",
        ),
        Case(
            torch.tensor([-200.0, 150.0]),
            torch.tensor([120.0, -300.0]),
            observe=partial(slopes, of=(0, 1)),
            label=f"{CERTAIN}, and the gradients",
        ),
    ),
    mistakes=(
        Mistake(
            "the labels are swapped",
            _BOTH,
            "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
            "Real and generated have changed places: the loss is small where the "
            "generated ones are held to be real.",
        ),
        Mistake(
            "the generated ones are labelled real",
            "softplus(fake_logits)",
            "softplus(-fake_logits)",
            "The generated ones are labelled real, like the real ones. That is what the "
            "generator wants; the discriminator is to find them out: -log(1 - D).",
        ),
        Mistake(
            "the real ones are labelled generated",
            "softplus(-real_logits)",
            "softplus(real_logits)",
            "The real ones count as generated, -log(1 - D). For them -log D is due.",
        ),
        Mistake(
            "unlike batches averaged together",
            _BOTH,
            "2 * torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
            "Right for batches of one size. When they differ, the larger counts more: "
            "one mean is taken over all logits. Each batch has a mean of its own, and "
            "then the two are added.",
        ),
        Mistake(
            "one mean over both batches",
            _BOTH,
            "torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
            "One mean is taken over all logits together: half of what is due, and where "
            "the batches differ in size the larger counts more. Each batch has a mean of "
            "its own; the two are added.",
        ),
        Mistake(
            "halved",
            _BOTH,
            f"({_BOTH}) / 2",
            "Half of what is due: the mean of the two parts, a common habit. The loss "
            "is their sum, which is 2 log 2 where D = ½.",
        ),
        Mistake(
            "the sum over the batch",
            _BOTH,
            "softplus(-real_logits).sum() + softplus(fake_logits).sum()",
            "The batches are summed up. Each E is a mean: else the step grows with the "
            "batch.",
        ),
        Mistake(
            "the sign is turned",
            _BOTH,
            f"-({_BOTH})",
            "This is the value of the game, which the discriminator climbs. Its "
            "negative, the loss to be minimised, is asked for: it is never below 0.",
        ),
        Mistake(
            "only the real ones",
            " + softplus(fake_logits).mean()",
            "",
            "The generated ones have no say: the discriminator would call everything real.",
        ),
        Mistake(
            "only the generated ones",
            "softplus(-real_logits).mean() + ",
            "",
            "The real ones have no say: the discriminator would call everything generated.",
        ),
        Mistake(
            "logits taken for probabilities",
            _BOTH,
            "-torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()",
            "The logits are used as probabilities. They run from minus to plus infinity; "
            "D is sigmoid(logit).",
        ),
        Mistake(
            "the sigmoid is taken twice",
            _BOTH,
            "softplus(-torch.sigmoid(real_logits)).mean() + "
            "softplus(torch.sigmoid(fake_logits)).mean()",
            "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and "
            "`softplus` take the logits as they are.",
        ),
        Mistake(
            "sigmoid, then logarithm",
            _BOTH,
            "-torch.sigmoid(real_logits).log().mean() - (1 - "
            "torch.sigmoid(fake_logits)).log().mean()",
            LOST,
        ),
        Mistake(
            "the logits are averaged first",
            _BOTH,
            "softplus(-real_logits.mean()) + softplus(fake_logits.mean())",
            "The logits are averaged, and the logarithm is taken once. It is the "
            "logarithms that are averaged: -E log D is not -log of D at the mean logit.",
        ),
        Mistake(
            "the probabilities are averaged first",
            _BOTH,
            "-torch.sigmoid(real_logits).mean().log() - "
            "torch.sigmoid(-fake_logits).mean().log()",
            "The probabilities are averaged before the logarithm. E log D is the mean of "
            "logarithms, not log E[D]: a single real image that is held to be false must "
            "cost much.",
        ),
        Mistake(
            "no logarithm",
            _BOTH,
            "torch.sigmoid(-real_logits).mean() + torch.sigmoid(fake_logits).mean()",
            "These are the probabilities of being wrong, 1 - D(x) and D(G(z)), without "
            "the logarithm.",
        ),
        Mistake(
            "the least-squares loss",
            _BOTH,
            "(real_logits - 1).square().mean() + fake_logits.square().mean()",
            "This is the least-squares loss (LSGAN). The one asked for has logarithms of "
            "D = sigmoid(logit).",
        ),
        Mistake(
            "the Wasserstein loss",
            _BOTH,
            "fake_logits.mean() - real_logits.mean()",
            "This is the Wasserstein critic's loss, the difference of the means. The one "
            "asked for has logarithms of D = sigmoid(logit).",
        ),
        Mistake(
            "the hinge loss",
            _BOTH,
            "torch.relu(1 - real_logits).mean() + torch.relu(1 + fake_logits).mean()",
            "This is the hinge loss. The one asked for has logarithms of D = "
            "sigmoid(logit).",
        ),
        Mistake(
            "bits instead of nats",
            _BOTH,
            f"({_BOTH}) / math.log(2)",
            "These are bits: divided by ln 2, or made with log2. Nats are asked for.",
        ),
        Mistake(
            "the two parts apart",
            _BOTH,
            "softplus(-real_logits).mean(), softplus(fake_logits).mean()",
            "These are the two parts. Their sum is asked for: a single number.",
        ),
        Mistake(
            "no gradient", f"return {_BOTH}", f"return ({_BOTH}).detach()", NO_GRADIENT
        ),
        Mistake(
            "no gradient from the generated ones",
            "softplus(fake_logits)",
            "softplus(fake_logits.detach())",
            "The value is right, but no gradient passes through `fake_logits`: what is "
            "cut off in the discriminator's step is the generator, "
            "`generator(z).detach()`, not the discriminator's own answer to it.",
        ),
    ),
    symptoms=(
        LikeMistakes(
            (
                "the labels are swapped",
                "the generated ones are labelled real",
                "the real ones are labelled generated",
                "halved",
                "the sum over the batch",
                "the sign is turned",
                "one mean over both batches",
                "bits instead of nats",
            ),
            like_at_moderate_logits,
        ),
        Symptom("no gradient", gradient_is_cut, errors_too=True),
        BY_SIGMOID,
        Symptom(
            "a loss below 0",
            lambda results: any((r.value < -1e-6).any() for r in usable(results)),
            "Somewhere your loss is below 0. Neither -log D nor -log(1 - D) ever is.",
        ),
        Symptom(
            "not 2 log 2 where D = ½",
            lambda results: any(
                "knows nothing" in (r.case.label or "") and not r.right
                for r in usable(results)
            ),
            "A discriminator that knows nothing has D = ½ for everything, and its loss "
            "is -log ½ - log ½ = 2 log 2; yours is not.",
        ),
        Symptom(
            "batches of unlike size",
            _shows_batches_of_unlike_size,
            "Right where the two batches are of one size, wrong where they are not: each "
            "has a mean of its own.",
            errors_too=True,
        ),
        Symptom(
            "the gradients are wrong",
            lambda results: all(r.right for r in results if not is_slope(r)),
            "The values are right, but not all gradients: is a part of the formula cut "
            "out of the graph, or clamped?",
        ),
    ),
)
