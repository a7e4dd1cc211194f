"""One step of the generator, while the discriminator is held fixed."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.gan.shared import (
    AFTER,
    BY_SIGMOID,
    CLEARED_TOO_LATE,
    LOST,
    MODES,
    NOT_CLEARED,
    TWO_STEPS,
    like_at_moderate_logits,
    losses_are_right,
    nobody_moved,
    right_step_wrong_loss,
    turn_cases,
    turn_symptoms,
)
from gencourse.exercises.machine.common import others_right
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom


def generator_step(
    generator: torch.nn.Module,
    discriminator: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    z: Tensor,
) -> Tensor:
    """One step of the generator, while the discriminator is held fixed.

    generator(z) makes samples of codes, discriminator(x) logits of samples, one for each.
    optimizer: holds the generator's parameters. z: (B, latent).
    Goes one step down the non-saturating loss -E log D(G(z)), D = sigmoid(logit). Gradients
    of earlier steps may be left in the generator: they must not count. The discriminator's
    parameters and modes stay; what falls into its .grad does no harm, for its own step
    clears it. Returns the loss before the step.
    """
    fake_logits = discriminator(generator(z))
    loss = torch.nn.functional.softplus(-fake_logits).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


exercise = Exercise(
    generator_step,
    minutes=6,
    difficulty="easy",
    hints=(
        "The discriminator is now the judge. Its parameters stay, but what it says of an "
        "image must go back through it into the generator.",
        "So nothing is detached here, and nothing computed under `no_grad`. The loss is "
        "-log D(G(z)) on average, from logits: softplus(-logit).",
        "`loss = torch.nn.functional.softplus(-discriminator(generator(z))).mean()`; "
        "then clear, go back, step.",
    ),
    cases=turn_cases("generator"),
    mistakes=(
        Mistake(
            "the generator does not move",
            "discriminator(generator(z))",
            "discriminator(generator(z).detach())",
            "The loss is right, but the generator stays where it is. Is its image "
            "detached? That belongs into the discriminator's step; here the gradient "
            "must come back through the discriminator. (Or is `backward()` or `step()` "
            "missing, or `zero_grad()` between the two?)",
        ),
        Mistake(
            "the saturating loss",
            "torch.nn.functional.softplus(-fake_logits)",
            "-torch.nn.functional.softplus(fake_logits)",
            "This step goes down E log(1 - D(G(z))), the saturating loss of the original "
            "game. Where the discriminator is sure that a sample is false, its gradient "
            "is next to nothing. The non-saturating one is asked for: -E log D(G(z)).",
        ),
        Mistake(
            "the discriminator's loss",
            "softplus(-fake_logits)",
            "softplus(fake_logits)",
            "The step goes down -E log(1 - D(G(z))), as the discriminator's does: the "
            "images become easier to find out. Their label is to be real here.",
        ),
        Mistake(
            "up instead of down",
            "loss.backward()",
            "(-loss).backward()",
            "The generator goes up its loss: optimizers minimise.",
        ),
        Mistake(
            "the loss has the wrong sign",
            "torch.nn.functional.softplus(-fake_logits)",
            "-torch.nn.functional.softplus(-fake_logits)",
            "This is E log D(G(z)), and the optimizer goes down it: away from deceiving. "
            "Its negative is the loss.",
        ),
        NOT_CLEARED,
        CLEARED_TOO_LATE["generator"],
        Mistake(
            "a player stays frozen",
            "    fake_logits =",
            "    discriminator.requires_grad_(False)\n    fake_logits =",
            MODES,
        ),
        Mistake(
            "the sum over the batch",
            ".mean()",
            ".sum()",
            "The batch is summed up. E is a mean: else the step grows with the batch.",
        ),
        Mistake(
            "the sigmoid is taken twice",
            "softplus(-fake_logits)",
            "softplus(-fake_logits.sigmoid())",
            "The sigmoid is taken twice: `softplus` and "
            "`binary_cross_entropy_with_logits` take the logits as they are.",
        ),
        Mistake(
            "logits taken for probabilities",
            "torch.nn.functional.softplus(-fake_logits)",
            "-torch.log(fake_logits)",
            "The discriminator's answers are used as probabilities. They are logits: D "
            "is their sigmoid.",
        ),
        Mistake(
            "sigmoid, then logarithm",
            "torch.nn.functional.softplus(-fake_logits)",
            "-torch.sigmoid(fake_logits).log()",
            LOST,
        ),
        Mistake(
            "the Wasserstein loss",
            "torch.nn.functional.softplus(-fake_logits)",
            "-fake_logits",
            "This is the generator's step against a Wasserstein critic (and against a "
            "hinge). The one asked for has the logarithm of D = sigmoid(logit).",
        ),
        TWO_STEPS,
        Mistake(
            "the loss after the step",
            "return loss.detach()",
            "return "
            "torch.nn.functional.softplus(-discriminator(generator(z))).mean().detach()",
            AFTER,
        ),
        Mistake(
            "another optimizer",
            "    optimizer.zero_grad()\n",
            "    optimizer = torch.optim.Adam(generator.parameters())\n    "
            "optimizer.zero_grad()\n",
            "The steps are those of a new optimizer, made inside: it knows nothing of "
            "the learning rate that was chosen, and forgets its averages after each "
            "step. Use the one that is handed in.",
        ),
        Mistake(
            "the discriminator moves too",
            "    optimizer.step()\n",
            "    optimizer.step()\n    for w in discriminator.parameters():\n        "
            "w.data -= 0.1 * w.grad\n",
            "The discriminator's parameters have changed: it moves towards calling the "
            "images real, a judge that is bribed. Gradients pass through it in this "
            "step, but only the generator is moved.",
        ),
    ),
    symptoms=(
        LikeMistakes(
            (
                "the saturating loss",
                "the discriminator's loss",
                "the loss has the wrong sign",
                "the gradients are not cleared",
            ),
            like_at_moderate_logits,
        ),
        *turn_symptoms("the discriminator moves too"),
        BY_SIGMOID,
        Symptom(
            "the generator does not move",
            lambda results: nobody_moved(results) and losses_are_right(results),
        ),
        Symptom(
            "neither the loss nor a step",
            nobody_moved,
            "The generator stays where it is, and the number that is returned is not its "
            "loss either.",
        ),
        Symptom(
            "the gradients are not cleared",
            lambda results: others_right(results, "one step, where gradients"),
        ),
        Symptom(
            "right loss, wrong step",
            losses_are_right,
            "The loss is right, but the generator moves elsewhere than one step of the "
            "optimizer down that loss.",
        ),
        Symptom(
            "right step, wrong loss",
            right_step_wrong_loss,
            "The generator moves as it should, but the number that is returned is "
            "another than the loss it went down.",
        ),
    ),
)
