"""One step of the discriminator, while the generator is held fixed."""

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
    answers_seen_by,
    like_at_moderate_logits,
    losses_are_right,
    nobody_moved,
    right_step_wrong_loss,
    turn_cases,
    turn_symptoms,
    what_else_changed,
)
from gencourse.exercises.machine.common import others_right
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom


def discriminator_step(
    generator: torch.nn.Module,
    discriminator: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
) -> Tensor:
    """One step of the discriminator, while the generator is held fixed.

    generator(z) makes samples of codes, discriminator(x) logits of samples, one for each.
    optimizer: holds the discriminator's parameters. real: (B, …); z: (M, latent).
    Goes one step down -E log D(x) - E log(1 - D(G(z))), D = sigmoid(logit), each E the mean
    of its batch. Gradients of earlier steps may be left in the discriminator: they must not
    count. The generator is left as it is: its parameters, its gradients (.grad), its modes.
    Returns the loss before the step.
    """
    softplus = torch.nn.functional.softplus
    fake = generator(z).detach()  # what comes back ends here
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


_CODES = "fake = generator(z).detach()"


def _shows_detach_is_missing(results):
    seen = answers_seen_by(results, what_else_changed)
    return (
        bool(seen)
        and all(r.right for r in results if r not in seen)
        and seen[0].value[1] == 0
    )


def _shows_the_gradients_are_wiped(results):
    seen = answers_seen_by(results, what_else_changed)
    return (
        bool(seen)
        and all(r.right for r in results if r not in seen)
        and seen[0].value[1] == -1
    )


exercise = Exercise(
    discriminator_step,
    minutes=10,
    difficulty="medium",
    hints=(
        "In this step the generator only delivers images. What the discriminator is "
        "trained on is two batches with two labels, as for any classifier.",
        "`generator(z).detach()` is the batch without its history: nothing goes back "
        "into the generator. Then the loss from the logits of both batches, each with "
        "its own mean.",
        "Then the three lines of every training step: `optimizer.zero_grad()`, "
        "`loss.backward()`, `optimizer.step()`, in this order.",
    ),
    cases=turn_cases("discriminator"),
    mistakes=(
        Mistake(
            "`detach` is missing",
            _CODES,
            "fake = generator(z)",
            "The discriminator moves as it should, but the generator's gradients have "
            "changed: `backward()` went on into it, which costs time, and its next step "
            "would follow the discriminator's wishes if they are not cleared. "
            "`generator(z).detach()` ends the way there.",
        ),
        Mistake(
            "the generator's gradients are wiped",
            "    optimizer.zero_grad()",
            "    optimizer.zero_grad()\n    generator.zero_grad()",
            "The discriminator moves as it should, but the generator's gradients are "
            "gone: they were cleared here. This step has no business with them; with "
            "`generator(z).detach()` nothing gets there in the first place.",
        ),
        Mistake(
            "a player stays frozen",
            _CODES,
            "fake = generator.requires_grad_(False)(z)",
            MODES,
        ),
        NOT_CLEARED,
        CLEARED_TOO_LATE["discriminator"],
        Mistake(
            "the discriminator does not move",
            "    loss.backward()\n",
            "",
            "The loss is right, but the discriminator stays where it is: "
            "`loss.backward()`, then `optimizer.step()`, and no `zero_grad()` between "
            "the two.",
        ),
        Mistake(
            "the labels are swapped",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
            "Real and generated have changed places: the discriminator learns to call "
            "the generated ones real.",
        ),
        Mistake(
            "the generated ones are labelled real",
            "softplus(fake_logits)",
            "softplus(-fake_logits)",
            "The generated ones are labelled real, like the real ones: that is the "
            "generator's wish. Here they are to be found out.",
        ),
        Mistake(
            "up instead of down",
            "loss.backward()",
            "(-loss).backward()",
            "The discriminator goes up its loss: optimizers minimise.",
        ),
        Mistake(
            "the loss has the wrong sign",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "-(softplus(-real_logits).mean() + softplus(fake_logits).mean())",
            "This is the value of the game, and the optimizer goes down it. Its negative "
            "is the loss.",
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
            "the generated half is cut off",
            "softplus(fake_logits)",
            "softplus(fake_logits.detach())",
            "The loss is right, but the generated images teach the discriminator "
            "nothing: its answer to them is cut off "
            "(`discriminator(generator(z)).detach()`, or `no_grad` around it). What is "
            "to be detached is the image, before the discriminator sees it.",
        ),
        Mistake(
            "the real half is cut off",
            "softplus(-real_logits)",
            "softplus(-real_logits.detach())",
            "The loss is right, but the real images teach the discriminator nothing: its "
            "answer to them is detached, or computed under `no_grad`.",
        ),
        Mistake(
            "real ones in both batches",
            "discriminator(fake)",
            "discriminator(real)",
            "The real images are called real and generated at once; the generator's "
            "images are never shown.",
        ),
        Mistake(
            "one mean over both batches",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
            "One mean is taken over both batches together: half of what is due, and "
            "where they differ in size the larger counts more. Each batch has a mean of "
            "its own.",
        ),
        Mistake(
            "halved",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "(softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2",
            "Half of what is due: the mean of the two parts. Their sum is asked for.",
        ),
        Mistake(
            "the sum over the batch",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "softplus(-real_logits).sum() + softplus(fake_logits).sum()",
            "The batches are summed up. Each E is a mean: else the step grows with the "
            "batch.",
        ),
        Mistake(
            "the sigmoid is taken twice",
            "discriminator(real), discriminator(fake)",
            "discriminator(real).sigmoid(), discriminator(fake).sigmoid()",
            "The sigmoid is taken twice: `softplus` and "
            "`binary_cross_entropy_with_logits` take the logits as they are.",
        ),
        Mistake(
            "logits taken for probabilities",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "-torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()",
            "The discriminator's answers are used as probabilities. They are logits: D "
            "is their sigmoid.",
        ),
        Mistake(
            "sigmoid, then logarithm",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "-torch.sigmoid(real_logits).log().mean() - (1 - "
            "torch.sigmoid(fake_logits)).log().mean()",
            LOST,
        ),
        Mistake(
            "the Wasserstein loss",
            "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
            "fake_logits.mean() - real_logits.mean()",
            "This is the Wasserstein critic's step. The one asked for has logarithms of "
            "D = sigmoid(logit).",
        ),
        TWO_STEPS,
        Mistake(
            "the loss after the step",
            "return loss.detach()",
            "return softplus(-discriminator(real)).mean() + "
            "softplus(discriminator(fake)).mean()",
            AFTER,
        ),
        Mistake(
            "another optimizer",
            "    optimizer.zero_grad()\n",
            "    optimizer = torch.optim.Adam(discriminator.parameters())\n    "
            "optimizer.zero_grad()\n",
            "The steps are those of a new optimizer, made inside: it knows nothing of "
            "the learning rate that was chosen, and forgets its averages after each "
            "step. Use the one that is handed in.",
        ),
        Mistake(
            "the generator moves too",
            "    optimizer.step()\n",
            "    optimizer.step()\n    for w in generator.parameters():\n        w.data "
            "-= 0.1 * w.grad if w.grad is not None else 0.1\n",
            "The generator's parameters have changed. In this step it only delivers "
            "images: the optimizer that is handed in holds the discriminator alone, and "
            "no other may step.",
        ),
    ),
    symptoms=(
        LikeMistakes(
            (
                "the labels are swapped",
                "the generated ones are labelled real",
                "halved",
                "the loss has the wrong sign",
                "one mean over both batches",
                "`detach` is missing",
                "the gradients are not cleared",
            ),
            like_at_moderate_logits,
        ),
        *turn_symptoms("the generator moves too"),
        Symptom("`detach` is missing", _shows_detach_is_missing),
        Symptom("the generator's gradients are wiped", _shows_the_gradients_are_wiped),
        BY_SIGMOID,
        Symptom(
            "the discriminator does not move",
            lambda results: nobody_moved(results) and losses_are_right(results),
        ),
        Symptom(
            "neither the loss nor a step",
            nobody_moved,
            "The discriminator stays where it is, and the number that is returned is not "
            "its loss either.",
        ),
        Symptom(
            "the gradients are not cleared",
            lambda results: others_right(results, "one step, where gradients"),
        ),
        Symptom(
            "right loss, wrong step",
            losses_are_right,
            "The loss is right, but the discriminator moves elsewhere than one step of "
            "the optimizer down that loss.",
        ),
        Symptom(
            "right step, wrong loss",
            right_step_wrong_loss,
            "The discriminator moves as it should, but the number that is returned is "
            "another than the loss it went down.",
        ),
    ),
)
