"""Gradient ascent on D: change images until the discriminator holds them to be real."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.gan.shared import Network
from gencourse.exercises.machine.answers import as_numbers
from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import normal, others_right, right_on, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def ascend(discriminator: torch.nn.Module, x: Tensor, steps: int, lr: float) -> Tensor:
    """Gradient ascent on D: change images until the discriminator holds them to be real.

    Each step adds lr · ∇ D(x) to every image, where D(x) is its own logit, and puts pixels
    back between 0 and 1. discriminator(x): logits (B,), every image judged by itself.
    x: (B, …), pixels from 0 to 1. Returns the images after `steps` steps, (B, …).
    Both are left as they are: the discriminator's parameters, gradients (.grad) and modes,
    and the images in x.
    """
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(x).sum(), x)
        x = (x + lr * slope).clamp(0, 1)
    return x.detach()


def _climb(fn, weights, x, steps, lr):
    """Where the images end."""
    with torch.inference_mode(False), torch.enable_grad():
        return as_numbers(fn(Network(*weights, logits=True), x.clone(), steps, lr))


def _left_alone(fn, weights, x, steps, lr):
    """Four yes or no: D's parameters, its gradients, its modes, and the images handed in are as before."""
    with torch.inference_mode(False), torch.enable_grad():
        discriminator, given = Network(*weights, logits=True), x.clone()
        left = [
            torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w)
            for w in discriminator.parameters()
        ]
        for w, slope in zip(discriminator.parameters(), left):
            w.grad = slope.clone()
        end = as_numbers(fn(discriminator, given, steps, lr))
        now = list(discriminator.parameters())
        return torch.tensor(
            [
                all(w.detach().equal(old) for w, old in zip(now, weights)),
                all(
                    w.grad is not None and w.grad.equal(slope)
                    for w, slope in zip(now, left)
                ),
                discriminator.training and all(w.requires_grad for w in now),
                given.detach().equal(x) or end.equal(x.double()),
            ]
        ).double()


def _judge_of(n: int, seed: int, size: float = 1.0):
    """The weights of a discriminator of n pixels."""
    return normal(n, 6, seed=seed), normal(6, 1, seed=seed + 1, scale=size)


def _images(*shape: int, seed: int) -> Tensor:
    return torch.rand(shape, generator=seeded(seed), device="cpu", dtype=torch.float32)


_UP = "(x + lr * slope).clamp(0, 1)"


_LOOP = """    for _ in range(steps):
        x = x.detach().requires_grad_()
        slope, = torch.autograd.grad(discriminator(x).sum(), x)
        x = (x + lr * slope).clamp(0, 1)
"""


def _changed(results):
    return next(
        (r.value for r in results if r.case.observe is _left_alone and r.value is not None),
        torch.ones(4),
    )


def _images_right(results) -> bool:
    return all(r.right for r in results if r.case.observe is _climb)


def _shows_right_until_a_bound_is_met(results):
    return (
        right_on(results, "five small steps")
        and len(usable(results)) == len(results)
        and not any(
            ((r.expected > 0) & (r.expected < 1)).all() for r in results if not r.right
        )
    )


exercise = Exercise(
    ascend,
    minutes=10,
    difficulty="medium",
    hints=(
        "It is training turned round: the parameters stay, and the image is what moves, "
        "uphill.",
        "In each step: the image as a leaf (`x.detach().requires_grad_()`), the sum of "
        "its logits, the gradient by the image. The sum, for then each image has its own "
        "gradient, whatever the batch.",
        "`slope, = torch.autograd.grad(discriminator(x).sum(), x)` leaves the `.grad` of "
        "the parameters alone. Then `x + lr * slope`, and `.clamp(0, 1)` after each "
        "step.",
    ),
    cases=(
        Case(
            _judge_of(4, 51),
            0.4 + 0.2 * _images(3, 4, seed=53),
            1,
            0.02,
            observe=_climb,
            label="one small step",
        ),
        Case(
            _judge_of(4, 51),
            0.4 + 0.2 * _images(3, 4, seed=53),
            5,
            0.02,
            observe=_climb,
            label="five small steps",
        ),
        Case(
            _judge_of(4, 54),
            _images(5, 4, seed=56),
            12,
            0.2,
            observe=_climb,
            atol=1e-4,
            label="twelve large steps, up to the bounds",
        ),
        Case(
            _judge_of(4, 72),
            _images(5, 4, seed=74),
            2,
            4.0,
            observe=_climb,
            label="two huge steps",
        ),
        Case(
            _judge_of(12, 57),
            _images(3, 1, 3, 4, seed=59),
            4,
            0.05,
            observe=_climb,
            label="images of shape (1, 3, 4)",
        ),
        Case(
            _judge_of(4, 60),
            _images(1, 4, seed=62),
            3,
            0.05,
            observe=_climb,
            label="a single image",
        ),
        Case(
            _judge_of(4, 63),
            _images(2, 4, seed=65),
            0,
            0.1,
            observe=_climb,
            label="`steps = 0`",
        ),
        Case(
            _judge_of(4, 66, size=60),
            _images(3, 4, seed=68),
            2,
            0.001,
            observe=_climb,
            atol=1e-4,
            label="a discriminator that is certain (logits of some tens)",
        ),
        Case(
            _judge_of(4, 69),
            _images(3, 4, seed=71),
            3,
            0.1,
            observe=_left_alone,
            label="what else has changed",
        ),
    ),
    mistakes=(
        Mistake(
            "downhill",
            "x + lr * slope",
            "x - lr * slope",
            "The images go downhill, to where the discriminator is sure that they are "
            "false. Ascent adds the gradient.",
        ),
        Mistake(
            "the mean of the logits",
            "discriminator(x).sum()",
            "discriminator(x).mean()",
            "The logits are averaged before the gradient is taken, so that each image's "
            "step is divided by the size of the batch. With their sum every image climbs "
            "by itself.",
        ),
        Mistake(
            "pixels leave 0 to 1",
            ".clamp(0, 1)\n",
            "\n",
            "Some pixels are below 0 or above 1: no such image exists. Put them back "
            "after each step.",
        ),
        Mistake(
            "put back at the end only",
            "    for _ in range(steps):\n        x = x.detach().requires_grad_()\n        "
            "(slope,) = torch.autograd.grad(discriminator(x).sum(), x)\n        x = (x + "
            "lr * slope).clamp(0, 1)\n",
            _LOOP.replace(".clamp(0, 1)", "") + "    x = x.clamp(0, 1)\n",
            "The pixels are put back between 0 and 1 only after the last step, so that "
            "the steps between lead through images that do not exist. After each step it "
            "is due.",
        ),
        Mistake(
            "squashed instead of put back",
            _UP,
            "torch.sigmoid(x + lr * slope)",
            "The pixels are squashed by a sigmoid, which changes all of them. Only those "
            "outside 0 to 1 are put back, onto the bound.",
        ),
        Mistake(
            "stretched instead of put back",
            _UP,
            "((x + lr * slope) - (x + lr * slope).min()) / ((x + lr * slope).max() - (x "
            "+ lr * slope).min())",
            "The images are stretched so that they fill 0 to 1, which changes all "
            "pixels. Only those outside are put back, onto the bound.",
        ),
        Mistake(
            "put back between -1 and 1",
            ".clamp(0, 1)",
            ".clamp(-1, 1)",
            "Pixels are put back between -1 and 1. Here they run from 0 to 1.",
        ),
        Mistake(
            "the sign of the gradient",
            "lr * slope",
            "lr * slope.sign()",
            "The steps follow the sign of the gradient: every pixel moves by lr (that is "
            "the fast gradient sign method). The gradient itself is due.",
        ),
        Mistake(
            "the gradient made length 1",
            "lr * slope",
            "lr * slope / slope.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))",
            "Each gradient is divided by its length. It is due as it is: a flat place is "
            "left slowly.",
        ),
        Mistake(
            "the probability is climbed",
            "discriminator(x).sum()",
            "discriminator(x).sigmoid().sum()",
            "D's probability, sigmoid(logit), is climbed: where it is near 0 or 1 there "
            "is hardly any slope. Climb the logit.",
        ),
        Mistake(
            "log D is climbed",
            "discriminator(x).sum()",
            "torch.nn.functional.logsigmoid(discriminator(x)).sum()",
            "log D is climbed, the generator's objective. Here it is the logit.",
        ),
        Mistake(
            "one step",
            "range(steps)",
            "range(min(steps, 1))",
            "The answer is the same after one step and after many: is the new image used "
            "for the next?",
        ),
        Mistake(
            "one step too many",
            "range(steps)",
            "range(steps + 1)",
            "There is one step too many: `steps = 0` changes nothing.",
        ),
        Mistake(
            "one step too few",
            "range(steps)",
            "range(1, steps)",
            "There is one step too few.",
        ),
        Mistake(
            "the first gradient for all steps",
            "    for _ in range(steps):\n        x = x.detach().requires_grad_()\n        "
            "(slope,) = torch.autograd.grad(discriminator(x).sum(), x)\n        x = (x + "
            "lr * slope).clamp(0, 1)\n",
            "    x = x.detach().requires_grad_()\n    slope, = "
            "torch.autograd.grad(discriminator(x).sum(), x)\n    for _ in "
            "range(steps):\n        x = (x + lr * slope).clamp(0, 1)\n",
            "The gradient is computed once, at the first image, and used in all steps. "
            "Each step needs the one of its own place.",
        ),
        Mistake(
            "gradients add up",
            "    for _ in range(steps):\n        x = x.detach().requires_grad_()\n        "
            "(slope,) = torch.autograd.grad(discriminator(x).sum(), x)\n        x = (x + "
            "lr * slope).clamp(0, 1)\n",
            "    total = 0\n"
            + _LOOP.replace(
                "        x = (x + lr * slope)",
                "        total = total + slope\n        x = (x + lr * total)",
            ),
            "The gradients of all steps so far are added up: `backward()` adds to "
            "`x.grad`. Clear it in each step, or use `torch.autograd.grad`.",
        ),
        Mistake(
            "the learning rate is missing",
            "lr * slope",
            "slope",
            "`lr` has no say: the gradient is added as it is.",
        ),
        Mistake(
            "the discriminator's gradients are filled",
            "(slope,) = torch.autograd.grad(discriminator(x).sum(), x)",
            "discriminator(x).sum().backward()\n        slope = x.grad",
            "The images are right, but the discriminator's gradients have changed: "
            "`backward()` fills the `.grad` of its parameters too, and its next step "
            "would follow them. `torch.autograd.grad(…, x)` computes that of the image "
            "alone.",
        ),
        Mistake(
            "a player stays frozen",
            "    for _ in",
            "    discriminator.requires_grad_(False)\n    for _ in",
            "The images are right, but the discriminator is left in another state: with "
            "`requires_grad_(False)`, or in `eval()` mode. It would never learn again. "
            "Put it back, or leave it: `torch.autograd.grad(…, x)` moves nobody.",
        ),
    ),
    symptoms=(
        Symptom(
            "the discriminator moves",
            lambda results: not _changed(results)[0],
            "The discriminator's parameters have changed. Here it is the image that "
            "moves: the discriminator only says which way is up.",
        ),
        Symptom(
            "the discriminator's gradients are filled",
            lambda results: _images_right(results) and not _changed(results)[1],
        ),
        Symptom(
            "a player stays frozen",
            lambda results: _images_right(results) and not _changed(results)[2],
        ),
        Symptom(
            "the images handed in are changed",
            lambda results: _images_right(results) and not _changed(results)[3],
            "The images that come back are right, but those that were handed in have "
            "changed with them: an operation in place (`+=`, `clamp_`, an optimizer). "
            "Begin with `x.clone()`.",
        ),
        Symptom(
            "pixels leave 0 to 1",
            lambda results: any(
                ((r.value < -1e-6) | (r.value > 1 + 1e-6)).any()
                for r in usable(results)
                if r.case.observe is _climb
            ),
        ),
        Symptom(
            "`steps = 0` goes wrong",
            lambda results: others_right(results, "`steps = 0`"),
            "Without a step the images come back as they are.",
            errors_too=True,
        ),
        Symptom(
            "right for one step only",
            lambda results: (
                right_on(results, "one small step")
                and not right_on(results, "five small steps")
            ),
            "One step is right, several are not: each takes the gradient at the image of "
            "the step before, and nothing is kept of earlier ones.",
        ),
        Symptom(
            "right for a single image only",
            lambda results: right_on(results, "a single image") and not results[0].right,
            "A single image climbs as it should, several do not: each climbs its own "
            "logit, whatever the others do.",
        ),
        Symptom(
            "right until a bound is met",
            _shows_right_until_a_bound_is_met,
            "Right as long as no pixel meets a bound: after each step those below 0 are "
            "put to 0, those above 1 to 1.",
        ),
        Symptom(
            "the step is wrong",
            lambda results: any(
                r.case.label == "one small step" and not r.right for r in usable(results)
            ),
            "Already one step is wrong: it adds lr times the gradient of the image's "
            "logit by its pixels.",
        ),
    ),
)
