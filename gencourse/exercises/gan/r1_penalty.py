"""R1: the squared slope of the logit at the real images, E ‖∇ logit D(x)‖²."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.gan.shared import (
    ALIKE,
    GENTLE,
    STEEP,
    penalty_gradient,
    penalty_value,
)
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import (
    gradient_is_cut,
    is_slope,
    proportional,
    right_on,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def r1_penalty(discriminator: torch.nn.Module, real: Tensor) -> Tensor:
    """R1: the squared slope of the logit at the real images, E ‖∇ logit D(x)‖².

    The squared length of the gradient of the logit by the image, over all entries of each
    image; averaged over the batch. No weight γ / 2.
    real: (B, …), any number of axes; discriminator(x): logits (B,), every image judged by
    itself. Returns a single number, with gradients to the discriminator's parameters.
    (Mescheder et al. 2018, arXiv:1801.04406, section 4.1.)
    """
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)  # (B, …)
    return slope.square().flatten(1).sum(1).mean()


_SQUARES = "slope.square().flatten(1).sum(1).mean()"


exercise = Exercise(
    r1_penalty,
    minutes=8,
    difficulty="medium",
    hints=(
        "How fast does the logit of a real image change when the image does? R1 wants "
        "that to be slow, at the data themselves: nothing is interpolated, and nothing "
        "drawn.",
        "The gradient by the images needs them as a leaf: `x = "
        "real.detach().requires_grad_()`. The sum of all logits has, in the rows of its "
        "gradient, each image's own slope.",
        "`torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)`, then the "
        "sum of the squares of each image, then the mean over the batch.",
    ),
    cases=(
        Case(STEEP[3], ALIKE[0], observe=penalty_value, label="a batch of 6"),
        Case(
            STEEP[12], ALIKE[1], observe=penalty_value, label="4 images of shape (2, 2, 3)"
        ),
        Case(STEEP[5], ALIKE[2], observe=penalty_value, label="a single image"),
        Case(
            GENTLE,
            ALIKE[0],
            observe=penalty_value,
            label="a discriminator whose slopes are below 1",
        ),
        Case(STEEP[3], torch.zeros(2, 3), observe=penalty_value, label="two black images"),
        Case(
            STEEP[3],
            ALIKE[0],
            observe=partial(penalty_gradient),
            label="the gradient by the discriminator's parameters",
        ),
    ),
    mistakes=(
        Mistake(
            "the length is not squared",
            _SQUARES,
            "slope.flatten(1).norm(dim=1).mean()",
            "This is the mean length of the slopes. R1 has its square.",
        ),
        Mistake(
            "averaged over the pixels",
            _SQUARES,
            "slope.square().mean()",
            "The squares are averaged over the entries of the image as well. The squared "
            "length is their sum; only over the batch is a mean taken.",
        ),
        Mistake(
            "summed over the batch",
            _SQUARES,
            "slope.square().sum()",
            "Everything is summed up, the batch too. Sum over the entries of an image, "
            "mean over the batch.",
        ),
        Mistake(
            "one number an image",
            _SQUARES,
            "slope.square().flatten(1).sum(1)",
            "There is one number for each image. Their mean is due.",
        ),
        Mistake(
            "the sums of the slopes are squared",
            _SQUARES,
            "slope.flatten(1).sum(1).square().mean()",
            "The entries of a slope are added up and the sum is squared, so that they "
            "cancel. Square each entry, then add.",
        ),
        Mistake(
            "the mean length is squared",
            _SQUARES,
            "slope.flatten(1).norm(dim=1).mean().square()",
            "The lengths are averaged, and the mean is squared. Square each, then take "
            "the mean.",
        ),
        Mistake(
            "the mean slope",
            _SQUARES,
            "slope.flatten(1).mean(0).square().sum()",
            "The slopes of all images are averaged first, and cancel. Each image has its "
            "own length.",
        ),
        Mistake(
            "pulled to 1",
            _SQUARES,
            "(slope.flatten(1).norm(dim=1) - 1).square().mean()",
            "Slopes are pulled to length 1: that is WGAN-GP's penalty. R1 pulls them to 0.",
        ),
        Mistake(
            "the ½ is included",
            _SQUARES,
            f"{_SQUARES} / 2",
            "Half of what is due: the weight γ / 2 is the caller's business.",
        ),
        Mistake(
            "the mean of the logits",
            "discriminator(x).sum()",
            "discriminator(x).mean()",
            "The logits are averaged before the gradient is taken, so that every slope "
            "is divided by the size of the batch. With their sum each image's slope "
            "comes out as it is.",
        ),
        Mistake(
            "the slope of the probability",
            "discriminator(x).sum()",
            "discriminator(x).sigmoid().sum()",
            "The slope of sigmoid(logit) is taken: it is next to 0 where the "
            "discriminator is sure, even if the logit is steep there. R1 takes that of "
            "the logit.",
        ),
        Mistake(
            "the slope of log D",
            "discriminator(x).sum()",
            "torch.nn.functional.logsigmoid(discriminator(x)).sum()",
            "The slope of log D is taken, or of the loss. R1 takes that of the logit.",
        ),
        Mistake(
            "`create_graph` is missing",
            ", create_graph=True",
            "",
            "The value is right, but no gradient reaches the discriminator's parameters: "
            "the penalty would do nothing. `torch.autograd.grad` is to build the graph "
            "of the slope too, `create_graph=True`; and the slope may not be detached.",
        ),
    ),
    symptoms=(
        Symptom(
            "`create_graph` is missing",
            lambda results: gradient_is_cut(results, by=penalty_gradient),
            errors_too=True,
        ),
        Symptom(
            "right for flat samples only",
            lambda results: results[0].right and not results[1].right,
            "Right for samples of one axis, wrong for images: sum over all axes but the "
            "first.",
        ),
        Symptom(
            "right for a single image only",
            lambda results: right_on(results, "a single image") and not results[0].right,
            "With a single image the penalty is right, with several it is not: each has "
            "its own slope and its own squared length, and the mean comes last.",
        ),
        Symptom(
            "a penalty below 0",
            lambda results: any(
                r.value.numel() and (r.value < -1e-6).any()
                for r in results
                if r.value is not None and not is_slope(r, by=penalty_gradient)
            ),
            "Somewhere your penalty is below 0. A squared length never is.",
        ),
        Symptom(
            "wrong lesson",
            lambda results: all(
                r.right for r in results if not is_slope(r, by=penalty_gradient)
            ),
            "The value is right, but its gradient by the discriminator's parameters is "
            "not: is a part of it cut out of the graph?",
        ),
        Symptom(
            "the squared length is wrong",
            lambda results: (
                not proportional(results)
                and any(
                    r.case.label == "a single image" and r.value is not None and not r.right
                    for r in results
                )
            ),
            "Already for a single image the answer is wrong: it is the sum over the "
            "image of the squared derivatives of its logit.",
        ),
    ),
)
