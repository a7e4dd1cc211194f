"""The penalty of WGAN-GP: how far the critic's slope is from 1, between real and fake."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.gan.shared import (
    ALIKE,
    GENTLE,
    STEEP,
    critic_of,
    penalty_gradient,
    penalty_value,
)
from gencourse.exercises.machine.answers import Unusable
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import (
    answer_to,
    chance,
    gradient_is_cut,
    is_slope,
    normal,
    proportional,
    right_on,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def gradient_penalty(
    critic: torch.nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator
) -> Tensor:
    """The penalty of WGAN-GP: how far the critic's slope is from 1, between real and fake.

    For each pair a point x = u·real + (1 - u)·fake with its own u, uniform between 0 and 1;
    there the length of the gradient of critic(x) by x, over all entries of the image; the
    mean over the batch of (length - 1)². No weight λ.
    real, fake: (B, …), any number of axes, without gradients; critic(x): (B,), every image
    judged by itself. The u come from the generator, which is not seeded here. Returns a
    single number, with gradients to the critic's parameters. (arXiv:1704.00028, section 4.)
    """
    u = torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator)  # one an image
    x = (u * real + (1 - u) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)  # (B, …)
    length = slope.flatten(1).norm(dim=1)  # (B,)
    return (length - 1).square().mean()


def _observed_by(results, observe):
    """The results of the cases that are looked at by `observe`, or by a partial of it."""
    return [
        r for r in results if getattr(r.case.observe, "func", r.case.observe) is observe
    ]


def _shares(fn, weights, real, fake, generator) -> Tensor:
    """The weight u of real in every entry of the points that the critic is asked about: (B, F)."""
    with torch.inference_mode(False), torch.enable_grad():
        critic = critic_of(weights)
        fn(critic, real.clone(), fake.clone(), generator)
        points = torch.cat(critic.seen) if critic.seen else torch.zeros(0)
    if points.numel() == real.numel():
        points = points.reshape(real.shape)  # `vmap` adds an axis
    if points.shape != real.shape:
        raise Unusable(
            "not yet",
            "the critic is asked elsewhere",
            f"The critic was asked about a batch of shape "
            f"{tuple(points.shape)}, where one point for each pair is due: {tuple(real.shape)}.",
        )
    return ((points - fake) / (real - fake)).flatten(1).double()


def _between(fn, weights, real, fake, seed):
    """Of the weights: mean over everything; deviation from image to image, and within an image; how many are outside
    0 to 1, and how many between ¼ and ¾; ten times how near the extremes come to 0 and to 1."""
    u = _shares(fn, weights, real, fake, torch.Generator().manual_seed(seed))
    within = (u - u.mean(1, keepdim=True)).square().mean().sqrt()
    return torch.stack(
        [
            u.mean(),
            u.mean(1).std(),
            within,
            ((u < -1e-3) | (u > 1.001)).double().mean(),
            ((u > 0.25) & (u < 0.75)).double().mean(),
            10 * u.mean(1).min(),
            10 * (1 - u.mean(1).max()),
        ]
    )


def _chance_of_weights(fn, weights, real, fake, seed):
    return chance(lambda generator: _shares(fn, weights, real, fake, generator), seed)


def _apart(*shape: int, seed: int):
    """Two batches that differ by 1 at least, in every entry."""
    real = normal(*shape, seed=seed)
    away = normal(*shape, seed=seed + 1)
    return real, real + away.sign() * (1 + away.abs())


_LENGTH = "slope.flatten(1).norm(dim=1)"


_DRAWN = "torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator)"


_DONE = "(length - 1).square().mean()"


def _found_between(results):
    return answer_to(results, _between)


def _shows_the_generator_is_ignored(results):
    chance = answer_to(results, _chance_of_weights)
    return chance is not None and not chance[0]


def _shows_the_generator_is_not_used_up(results):
    chance = answer_to(results, _chance_of_weights)
    return chance is not None and not chance.all()


def _shows_one_weight_for_each_pixel(results):
    found = _found_between(results)
    return found is not None and bool(found[2] > 0.1) and bool(found[3] == 0)


def _shows_the_slope_at_the_real_ones(results):
    found = _found_between(results)
    return found is not None and bool((found[0] - 1).abs() + found[1:3].sum() < 1e-3)


def _shows_the_slope_at_the_fake_ones(results):
    found = _found_between(results)
    return found is not None and bool(found[:3].abs().sum() < 1e-3)


def _shows_one_weight_for_the_whole_batch(results):
    found = _found_between(results)
    return found is not None and bool(found[1] < 1e-4) and bool(found[2] < 1e-3)


def _shows_not_between_real_and_fake(results):
    found = _found_between(results)
    return found is not None and bool(found[2:4].max() > 0.01)


def _shows_a_factor_too_much(results):
    penalties = [
        r for r in results if getattr(r.case.observe, "func", None) is penalty_value
    ]
    return proportional(penalties) and not penalties[0].right


def _shows_wrong_from_the_slope_on(results):
    return not proportional(
        [r for r in results if getattr(r.case.observe, "func", None) is penalty_value]
    ) and any(
        "a single pair" in r.case.label and r.value is not None and not r.right
        for r in results
    )


exercise = Exercise(
    gradient_penalty,
    minutes=15,
    difficulty="hard",
    hints=(
        "Three parts: a point on the straight way from each fake image to its real one; "
        "the slope of the critic at that point; how far the length of the slope is from "
        "1.",
        "One u for each pair, so of shape (B, 1, …, 1): `u = torch.rand(len(real), *[1] "
        "* (real.dim() - 1), generator=generator)`. The points are u·real + (1 - "
        "u)·fake, with `requires_grad_()`.",
        "`torch.autograd.grad(critic(x).sum(), x, create_graph=True)`: the sum, for then "
        "each image's slope comes out by itself, and the graph, for the penalty is to be "
        "differentiated once more, by the critic's parameters. Flatten all axes but the "
        "first before you take the length.",
    ),
    cases=(
        Case(
            STEEP[3],
            ALIKE[0],
            ALIKE[0],
            observe=partial(penalty_value, seed=1),
            label="a batch of 6 (real and fake alike)",
        ),
        Case(
            STEEP[12],
            ALIKE[1],
            ALIKE[1],
            observe=partial(penalty_value, seed=2),
            label="4 images of shape (2, 2, 3) (real and fake alike)",
        ),
        Case(
            STEEP[5],
            ALIKE[2],
            ALIKE[2],
            observe=partial(penalty_value, seed=3),
            label="a single pair (real and fake alike)",
        ),
        Case(
            GENTLE,
            ALIKE[0],
            ALIKE[0],
            observe=partial(penalty_value, seed=4),
            label="a critic whose slopes are below 1",
        ),
        Case(
            STEEP[3],
            ALIKE[0],
            ALIKE[0],
            observe=partial(penalty_gradient, seed=5),
            label="the gradient by the critic's parameters",
        ),
        Case(
            STEEP[12],
            *_apart(2000, 1, 3, 4, seed=91),
            6,
            observe=_between,
            atol=0.05,
            label="where 2,000 images of 12 pixels are looked at",
        ),
        Case(
            STEEP[4],
            *_apart(20, 4, seed=93),
            7,
            observe=_chance_of_weights,
            label="the weights drawn from several generators",
        ),
    ),
    mistakes=(
        Mistake(
            "the norm over the batch axis",
            _LENGTH,
            "slope.flatten(1).norm(dim=0)",
            "The norm runs over the batch: one number for each entry of an image. Each "
            "image has a slope of its own, whose length is taken over all its entries.",
        ),
        Mistake(
            "one norm for the whole batch",
            _LENGTH,
            "slope.norm()",
            "There is one norm for the whole batch: `slope.norm()` flattens everything. "
            "Each image has a slope of its own.",
        ),
        Mistake(
            "the norm over one axis of the image",
            _LENGTH,
            "slope.norm(dim=1)",
            "Right for flat samples, but in images the norm runs over one axis only (the "
            "channels, `dim=1`): one number for each pixel. Flatten the image first.",
        ),
        Mistake(
            "the norm over the rows of the image",
            _LENGTH,
            "slope.norm(dim=-1)",
            "Right for flat samples, but in images the norm runs over the last axis "
            "only: one number for each row. Flatten the image first.",
        ),
        Mistake(
            "the root mean square",
            _LENGTH,
            "slope.flatten(1).square().mean(1).sqrt()",
            "The squares are averaged over the entries of the image, not summed: this is "
            "the length divided by the root of their number.",
        ),
        Mistake(
            "the sum of absolute values",
            _LENGTH,
            "slope.flatten(1).abs().sum(1)",
            "The absolute values are added up. The length is the root of the sum of "
            "squares.",
        ),
        Mistake(
            "the length is squared first",
            "(length - 1).",
            "(length.square() - 1).",
            "This is (length² - 1)²: the root is missing. The length itself is compared "
            "with 1.",
        ),
        Mistake(
            "pulled to 0",
            "(length - 1).",
            "length.",
            "The 1 is missing: every slope is pulled to 0. That is R1's way; WGAN-GP "
            "wants slopes of length 1.",
        ),
        Mistake(
            "not squared",
            _DONE,
            "(length - 1).mean()",
            "The distance from 1 is not squared, so that gentle slopes make up for steep "
            "ones.",
        ),
        Mistake(
            "the absolute distance",
            _DONE,
            "(length - 1).abs().mean()",
            "The absolute distance from 1 is averaged. Its square is due.",
        ),
        Mistake(
            "one-sided",
            "(length - 1).",
            "(length - 1).relu().",
            "Only slopes above 1 are punished. The paper considers that too, but here "
            "gentle ones count as well.",
        ),
        Mistake(
            "the lengths are averaged first",
            _DONE,
            "(length.mean() - 1).square()",
            "The lengths are averaged before they are compared with 1: gentle slopes "
            "make up for steep ones. Square for each image, then take the mean.",
        ),
        Mistake(
            "summed over the batch",
            _DONE,
            "(length - 1).square().sum()",
            "The batch is summed up. The mean is due.",
        ),
        Mistake(
            "one number an image",
            _DONE,
            "(length - 1).square()",
            "There is one penalty for each image. Their mean is due.",
        ),
        Mistake(
            "the weight is included",
            _DONE,
            "10 * (length - 1).square().mean()",
            "Ten times what is due: the weight λ = 10 of the paper is the caller's "
            "business.",
        ),
        Mistake(
            "the mean of the critic",
            "critic(x).sum()",
            "critic(x).mean()",
            "The critic's answers are averaged before the gradient is taken, so that "
            "every slope is divided by the size of the batch. With their sum each "
            "image's slope comes out as it is.",
        ),
        Mistake(
            "one weight for each pixel",
            _DRAWN,
            "torch.rand(real.shape, generator=generator)",
            "Every pixel has a weight of its own, so the point is not on the way from "
            "fake to real but anywhere in the box between them. One u for each image.",
        ),
        Mistake(
            "one weight for the whole batch",
            _DRAWN,
            "torch.rand((), generator=generator)",
            "One u serves the whole batch. Each image has its own.",
        ),
        Mistake(
            "normal weights",
            "torch.rand(len(real)",
            "torch.randn(len(real)",
            "The weights are normal (`torch.randn`): most points lie outside the way "
            "from fake to real. They are uniform between 0 and 1: `torch.rand`.",
        ),
        Mistake(
            "always in the middle",
            _DRAWN,
            "0.5",
            "u is ½ always: only the middle of each way is looked at. It is drawn, "
            "uniform between 0 and 1.",
        ),
        Mistake(
            "the slope at the real ones",
            "(u * real + (1 - u) * fake)",
            "(real * 1)",
            "The slope is taken at the real images. That is R1's place; here it is a "
            "point between real and fake.",
        ),
        Mistake(
            "the slope at the fake ones",
            "(u * real + (1 - u) * fake)",
            "(fake * 1)",
            "The slope is taken at the fake images. It belongs to a point between real "
            "and fake.",
        ),
        Mistake(
            "the weights do not add up to 1",
            "(1 - u) * fake",
            "fake",
            "The point is u·real + fake: the weights do not add up to 1, so it lies "
            "beside the way. The other weight is 1 - u.",
        ),
        Mistake(
            "the ways from a shuffled batch",
            "(1 - u) * fake",
            "(1 - u) * fake.roll(1, 0)",
            "The pairs are mixed up: the points do not lie between a real image and the "
            "fake one of the same place.",
        ),
        Mistake(
            "`create_graph` is missing",
            ", create_graph=True",
            "",
            "The value is right, but no gradient reaches the critic's parameters: the "
            "penalty would do nothing. `torch.autograd.grad` is to build the graph of "
            "the slope too, `create_graph=True`; and neither slope nor length may be "
            "detached.",
        ),
        Mistake(
            "the generator is ignored",
            " - 1), generator=generator)",
            " - 1))",
            "The same generator, seeded alike, gives other weights: `torch.rand` takes "
            "`generator=generator`.",
        ),
        Mistake(
            "seeded anew",
            "    u = torch",
            "    generator.manual_seed(0)\n    u = torch",
            "The generator is seeded inside the function, so that the weights are the "
            "same in every step. Seeding is the caller's business.",
        ),
    ),
    symptoms=(
        Symptom(
            "`create_graph` is missing",
            lambda results: gradient_is_cut(results, by=penalty_gradient),
            errors_too=True,
        ),
        Symptom("the generator is ignored", _shows_the_generator_is_ignored),
        Symptom(
            "the generator is not used up",
            _shows_the_generator_is_not_used_up,
            "Two calls in a row with one generator have the same weights, or the "
            "generator is as fresh after a call as before: draw from the generator "
            "itself, neither from a copy nor from one that is seeded anew.",
        ),
        Symptom("one weight for each pixel", _shows_one_weight_for_each_pixel),
        Symptom("the slope at the real ones", _shows_the_slope_at_the_real_ones),
        Symptom("the slope at the fake ones", _shows_the_slope_at_the_fake_ones),
        Symptom("one weight for the whole batch", _shows_one_weight_for_the_whole_batch),
        Symptom(
            "not between real and fake",
            _shows_not_between_real_and_fake,
            "The points that the critic is asked about do not lie on the straight way "
            "from a fake image to its real one: u·real + (1 - u)·fake, u between 0 and "
            "1.",
        ),
        Symptom(
            "not uniform",
            lambda results: any(
                r.value is not None and not r.right for r in _observed_by(results, _between)
            ),
            "The points lie between real and fake, but not uniformly so: u is drawn by "
            "`torch.rand`, without further ado.",
        ),
        Symptom(
            "right for flat samples only",
            lambda results: results[0].right and not results[1].right,
            "Right for samples of one axis, wrong for images: the length of a slope is "
            "taken over all axes but the first.",
        ),
        Symptom(
            "wrong lesson",
            lambda results: all(
                r.right for r in results if not is_slope(r, by=penalty_gradient)
            ),
            "The value is right, but its gradient by the critic's parameters is not: is "
            "a part of it cut out of the graph?",
        ),
        Symptom(
            "a factor too much",
            _shows_a_factor_too_much,
            "On all inputs the penalty is the same multiple of what is due: a weight λ "
            "is the caller's business.",
        ),
        Symptom(
            "wrong from the slope on",
            _shows_wrong_from_the_slope_on,
            "The points are the right ones, the penalty is not. Already with a single "
            "pair it is wrong: the length of the slope is the root of the sum of its "
            "squares, and (length - 1)² is due.",
        ),
        Symptom(
            "right for a single pair only",
            lambda results: (
                right_on(results, "a single pair (real and fake alike)")
                and not results[0].right
            ),
            "With a single pair the penalty is right, with several it is not: each image "
            "has its own slope, its own length, and its own square; the mean comes last.",
        ),
    ),
)
