"""The exercises of notebook 04: the two losses, the two steps, a penalty on the slope, and counting modes.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from .answers import Unusable, as_numbers
from .common import (
    answer_to,
    chance,
    cut,
    gradients,
    is_slope,
    normal,
    others_right,
    proportional,
    right_on,
    slopes,
    usable,
)
from .core import Case, exercise, some


def _number(value) -> Tensor:
    """The answer where a single number is due."""
    number = as_numbers(value)
    if number.dim():
        raise Unusable("not yet", "wrong shape", f"The answer has shape {tuple(number.shape)} where () is due: a "
                       "single number.")
    return number


def _observed_by(results, observe):
    """The results of the cases that are looked at by `observe`, or by a partial of it."""
    return [r for r in results if getattr(r.case.observe, "func", r.case.observe) is observe]


def _no_graph(results) -> bool:
    """Every call that trains ends in PyTorch's word that there is nothing to go back through."""
    wrong = [r for r in results if not r.right]
    return bool(wrong) and all(r.problem and "does not require grad" in r.problem.message for r in wrong)


_CERTAIN = "a discriminator that is certain"


def _also_by_sigmoid(which, *names: str) -> None:
    """Mistakes that are known by moderate logits alone: written with sigmoid and logarithm they fail at large ones."""
    for mistake in which.mistakes:
        if mistake.name in names:
            @which.symptom(mistake.name)
            def _(results, wrong=mistake.function):
                moderate = [r for r in results if not (r.case.label or "").startswith(_CERTAIN)]
                return bool(moderate) and all(r.like(which._try(wrong, r.case)) for r in moderate)


_LOST = (
    "Right for moderate logits, but where the discriminator is certain the answer is infinite, NaN or cut off: the "
    "sigmoid is rounded to 0 or 1 and its logarithm is lost, or an exponential overflows (an epsilon, a clamp, or "
    "`binary_cross_entropy`, which stops at 100, only hides that). Compute from the logits directly: `softplus`, "
    "`logsigmoid` or `binary_cross_entropy_with_logits`.")
_NO_GRADIENT = (
    "The values are right, but no gradient passes, and nobody could learn from them: is there a `.detach()`, "
    "`.item()`, `no_grad` or NumPy on the way?")

# 1

@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "The discriminator is a classifier with two classes. How probable does it hold what is true: that the real "
        "ones are real, and that the generated ones are not?",
        "D = sigmoid(logit). -log D = softplus(-logit) and -log(1 - D) = softplus(logit), where softplus(a) = "
        "log(1 + exp(a)): neither needs D itself, which is rounded to 0 or 1 for large logits.",
        "`torch.nn.functional.softplus(-real_logits).mean()` is one half of the answer. The two batches may differ "
        "in size: each has its own mean.",
    ),
    cases=(
        Case(normal(5, seed=1, scale=2), normal(5, seed=2, scale=2)),
        Case(normal(6, seed=3, scale=2), normal(2, seed=4, scale=2), label="6 real ones and 2 generated ones"),
        Case(torch.zeros(3), torch.zeros(3), label="a discriminator that knows nothing (logits 0)"),
        Case(normal(1, seed=5), normal(9, seed=6, scale=3), label="1 real one and 9 generated ones"),
        Case(torch.tensor([30.0, 90.0, 200.0]), torch.tensor([-40.0, -100.0, -300.0]),
             label=f"{_CERTAIN}, and right"),
        Case(torch.tensor([-200.0, 90.0, -30.0]), torch.tensor([150.0, -20.0, 300.0, 3.0]),
             label=f"{_CERTAIN}, and wrong"),
        Case(normal(4, seed=7), normal(3, seed=8), observe=partial(slopes, of=(0, 1)),
             label="the gradients by both logits"),
        Case(torch.tensor([-200.0, 150.0]), torch.tensor([120.0, -300.0]), observe=partial(slopes, of=(0, 1)),
             label=f"{_CERTAIN}, and the gradients"),
    ),
)
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

discriminator_loss.mistake(
    "the labels are swapped", _BOTH, "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
    "Real and generated have changed places: the loss is small where the generated ones are held to be real.")
discriminator_loss.mistake(
    "the generated ones are labelled real", "softplus(fake_logits)", "softplus(-fake_logits)",
    "The generated ones are labelled real, like the real ones. That is what the generator wants; the discriminator "
    "is to find them out: -log(1 - D).")
discriminator_loss.mistake(
    "the real ones are labelled generated", "softplus(-real_logits)", "softplus(real_logits)",
    "The real ones count as generated, -log(1 - D). For them -log D is due.")
discriminator_loss.mistake(
    "unlike batches averaged together", _BOTH,
    "2 * torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
    "Right for batches of one size. When they differ, the larger counts more: one mean is taken over all logits. Each "
    "batch has a mean of its own, and then the two are added.")
discriminator_loss.mistake(
    "one mean over both batches", _BOTH, "torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
    "One mean is taken over all logits together: half of what is due, and where the batches differ in size the larger "
    "counts more. Each batch has a mean of its own; the two are added.")
discriminator_loss.mistake(
    "halved", _BOTH, f"({_BOTH}) / 2",
    "Half of what is due: the mean of the two parts, a common habit. The game's value is their sum, which is "
    "2 log 2 where D = ½.")
discriminator_loss.mistake(
    "the sum over the batch", _BOTH, "softplus(-real_logits).sum() + softplus(fake_logits).sum()",
    "The batches are summed up. Each E is a mean: else the step grows with the batch.")
discriminator_loss.mistake(
    "the sign is turned", _BOTH, f"-({_BOTH})",
    "This is the value of the game, which the discriminator climbs. Its negative, the loss to be minimised, is asked "
    "for: it is never below 0.")
discriminator_loss.mistake(
    "only the real ones", " + softplus(fake_logits).mean()", "",
    "The generated ones have no say: the discriminator would call everything real.")
discriminator_loss.mistake(
    "only the generated ones", "softplus(-real_logits).mean() + ", "",
    "The real ones have no say: the discriminator would call everything generated.")
discriminator_loss.mistake(
    "logits taken for probabilities", _BOTH, "-torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()",
    "The logits are used as probabilities. They run from minus to plus infinity; D is sigmoid(logit).")
discriminator_loss.mistake(
    "the sigmoid is taken twice", _BOTH,
    "softplus(-torch.sigmoid(real_logits)).mean() + softplus(torch.sigmoid(fake_logits)).mean()",
    "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and `softplus` take the logits as they are.")
discriminator_loss.mistake(
    "sigmoid, then logarithm", _BOTH,
    "-torch.sigmoid(real_logits).log().mean() - (1 - torch.sigmoid(fake_logits)).log().mean()", _LOST)
discriminator_loss.mistake(
    "the logits are averaged first", _BOTH, "softplus(-real_logits.mean()) + softplus(fake_logits.mean())",
    "The logits are averaged, and the logarithm is taken once. It is the logarithms that are averaged: -E log D is "
    "not -log of D at the mean logit.")
discriminator_loss.mistake(
    "the probabilities are averaged first", _BOTH,
    "-torch.sigmoid(real_logits).mean().log() - torch.sigmoid(-fake_logits).mean().log()",
    "The probabilities are averaged before the logarithm. E log D is the mean of logarithms, not log E[D]: a single "
    "real image that is held to be false must cost much.")
discriminator_loss.mistake(
    "no logarithm", _BOTH, "torch.sigmoid(-real_logits).mean() + torch.sigmoid(fake_logits).mean()",
    "These are the probabilities of being wrong, 1 - D(x) and D(G(z)), without the logarithm.")
discriminator_loss.mistake(
    "the least-squares loss", _BOTH,
    "(real_logits - 1).square().mean() + fake_logits.square().mean()",
    "This is the least-squares loss (LSGAN). The one asked for has logarithms of D = sigmoid(logit).")
discriminator_loss.mistake(
    "the Wasserstein loss", _BOTH, "fake_logits.mean() - real_logits.mean()",
    "This is the Wasserstein critic's loss, the difference of the means. The one asked for has logarithms of "
    "D = sigmoid(logit).")
discriminator_loss.mistake(
    "the hinge loss", _BOTH, "torch.relu(1 - real_logits).mean() + torch.relu(1 + fake_logits).mean()",
    "This is the hinge loss. The one asked for has logarithms of D = sigmoid(logit).")
discriminator_loss.mistake(
    "bits instead of nats", _BOTH, f"({_BOTH}) / math.log(2)",
    "These are bits: divided by ln 2, or made with log2. Nats are asked for.")
discriminator_loss.mistake(
    "the two parts apart", _BOTH, "softplus(-real_logits).mean(), softplus(fake_logits).mean()",
    "These are the two parts. Their sum is asked for: a single number.")
discriminator_loss.mistake(
    "no gradient", f"return {_BOTH}", f"return ({_BOTH}).detach()", _NO_GRADIENT)
discriminator_loss.mistake(
    "no gradient from the generated ones", "softplus(fake_logits)", "softplus(fake_logits.detach())",
    "The value is right, but no gradient passes through `fake_logits`: what is cut off in the discriminator's step is "
    "the generator, `generator(z).detach()`, not the discriminator's own answer to it.")


_also_by_sigmoid(discriminator_loss, "the labels are swapped", "the generated ones are labelled real",
                 "the real ones are labelled generated", "halved", "the sum over the batch", "the sign is turned",
                 "one mean over both batches", "bits instead of nats")


@discriminator_loss.symptom("no gradient", errors_too=True)
def _(results):
    return cut(results)


@discriminator_loss.symptom("sigmoid, then logarithm", errors_too=True)
def _(results):
    return others_right(results, _CERTAIN)


@discriminator_loss.symptom(
    "a loss below 0",
    "Somewhere your loss is below 0. Neither -log D nor -log(1 - D) ever is.")
def _(results):
    return any((r.value < -1e-6).any() for r in usable(results))


@discriminator_loss.symptom(
    "not 2 log 2 where D = ½",
    "A discriminator that knows nothing has D = ½ for everything, and its loss is -log ½ - log ½ = 2 log 2; yours is "
    "not.")
def _(results):
    return any("knows nothing" in (r.case.label or "") and not r.right for r in usable(results))


@discriminator_loss.symptom(
    "batches of unlike size",
    "Right where the two batches are of one size, wrong where they are not: each has a mean of its own.",
    errors_too=True)
def _(results):
    def unlike(r):
        return len(r.case.arguments[0]) != len(r.case.arguments[1])

    return all(r.right for r in results if not unlike(r)) and any(
        not r.right for r in results if r.case.label == "6 real ones and 2 generated ones")


@discriminator_loss.symptom(
    "the gradients are wrong",
    "The values are right, but not all gradients: is a part of the formula cut out of the graph, or clamped?")
def _(results):
    return all(r.right for r in results if not is_slope(r))


# 2

@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "The generator wants its images to be held real. How small is the probability of that, and how is that "
        "turned into something to be minimised?",
        "-log D of a generated image, averaged: where D ≈ 0 its slope by the logit is -1, while that of "
        "log(1 - D) is ≈ 0, and the generator would learn nothing when it needs it most.",
        "-log sigmoid(a) = softplus(-a) = log(1 + exp(-a)), safe for every logit in "
        "`torch.nn.functional.softplus`. Then the mean.",
    ),
    cases=(
        Case(normal(6, seed=11, scale=2)),
        Case(torch.zeros(3), label="a discriminator that knows nothing (logits 0)"),
        Case(torch.tensor([-1.7]), label="a single image"),
        Case(torch.tensor([1.0, 2.5, 0.3, 4.0]), label="images that deceive (logits above 0)"),
        Case(normal(50, seed=12, scale=4)),
        Case(torch.tensor([-300.0, -90.0, -200.0]), label=f"{_CERTAIN} that they are false"),
        Case(torch.tensor([300.0, 90.0, 40.0]), label=f"{_CERTAIN} that they are real"),
        Case(normal(5, seed=13, scale=2), observe=partial(slopes, of=(0,)), label="the gradient"),
        Case(torch.tensor([-150.0, 20.0, -30.0]), observe=partial(slopes, of=(0,)),
             label=f"{_CERTAIN}, and the gradient"),
    ),
)
def generator_loss(fake_logits: Tensor) -> Tensor:
    """What the generator minimises, non-saturating: -E log D(G(z)), in nats.

    fake_logits: (B,), what the discriminator says of generated images; D = sigmoid(logit)
    is the probability of being real. Logits may be large: ±300 must not end in infinity,
    nor be cut off. Returns a single number, the mean over the batch, with gradients.
    (Goodfellow et al. 2014, arXiv:1406.2661, section 3.)
    """
    return torch.nn.functional.softplus(-fake_logits).mean()


_OWN = "torch.nn.functional.softplus(-fake_logits).mean()"

generator_loss.mistake(
    "the saturating loss", _OWN, "-torch.nn.functional.softplus(fake_logits).mean()",
    "This is E log(1 - D(G(z))), the saturating loss of the original game. Where the discriminator is sure that an "
    "image is false its gradient is next to nothing. The non-saturating one is asked for: -E log D(G(z)).")
generator_loss.mistake(
    "the discriminator's loss", _OWN, "torch.nn.functional.softplus(fake_logits).mean()",
    "This is -E log(1 - D(G(z))), the discriminator's own part: minimising it makes images that are found out. The "
    "generator wants D large.")
generator_loss.mistake(
    "the sign is turned", _OWN, f"-{_OWN}",
    "This is E log D(G(z)), which the generator climbs. Its negative, to be minimised, is asked for.")
generator_loss.mistake(
    "the sum over the batch", _OWN, "torch.nn.functional.softplus(-fake_logits).sum()",
    "The batch is summed up. E is a mean: else the step grows with the batch.")
generator_loss.mistake(
    "not averaged", _OWN, "torch.nn.functional.softplus(-fake_logits)",
    "There is one number for each image. Their mean is asked for.")
generator_loss.mistake(
    "logits taken for probabilities", _OWN, "-torch.log(fake_logits).mean()",
    "The logits are used as probabilities. They run from minus to plus infinity; D is sigmoid(logit).")
generator_loss.mistake(
    "the sigmoid is taken twice", _OWN, "torch.nn.functional.softplus(-torch.sigmoid(fake_logits)).mean()",
    "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and `softplus` take the logits as they are.")
generator_loss.mistake(
    "sigmoid, then logarithm", _OWN, "-torch.log(torch.sigmoid(fake_logits)).mean()", _LOST)
generator_loss.mistake(
    "the logits are averaged first", _OWN, "torch.nn.functional.softplus(-fake_logits.mean())",
    "The logits are averaged, and the logarithm is taken once. It is the logarithms that are averaged.")
generator_loss.mistake(
    "the probabilities are averaged first", _OWN, "-torch.log(torch.sigmoid(fake_logits).mean())",
    "The probabilities are averaged before the logarithm. E log D is the mean of logarithms, not log E[D]: one image "
    "that deceives would excuse all others.")
generator_loss.mistake(
    "no logarithm", _OWN, "torch.sigmoid(-fake_logits).mean()",
    "This is 1 - D(G(z)) on average, without the logarithm: its gradient vanishes where D is near 0, as in the "
    "saturating loss.")
generator_loss.mistake(
    "minus the probability", _OWN, "-torch.sigmoid(fake_logits).mean()",
    "This is -D(G(z)) on average, without the logarithm: its gradient vanishes where D is near 0, as in the "
    "saturating loss.")
generator_loss.mistake(
    "the Wasserstein loss", _OWN, "-fake_logits.mean()",
    "This is the generator's loss against a Wasserstein critic, or a hinge (the sum of -log D and log(1 - D) comes to "
    "the same). The one asked for has the logarithm of D = sigmoid(logit).")
generator_loss.mistake(
    "the hinge loss", _OWN, "torch.relu(1 - fake_logits).mean()",
    "This is the discriminator's hinge for real images. The one asked for has the logarithm of D = sigmoid(logit).")
generator_loss.mistake(
    "the least-squares loss", _OWN, "(fake_logits - 1).square().mean()",
    "This is the least-squares loss (LSGAN). The one asked for has the logarithm of D = sigmoid(logit).")
generator_loss.mistake(
    "halved", _OWN, f"{_OWN} / 2",
    "Half of what is due: -log D has no ½ before it.")
generator_loss.mistake(
    "bits instead of nats", _OWN, f"{_OWN} / math.log(2)",
    "These are bits: divided by ln 2, or made with log2. Nats are asked for.")
generator_loss.mistake(
    "no gradient", f"return {_OWN}", f"return {_OWN}.detach()", _NO_GRADIENT)


_also_by_sigmoid(generator_loss, "the saturating loss", "the discriminator's loss", "the sign is turned",
                 "the sum over the batch", "halved", "bits instead of nats")


@generator_loss.symptom("no gradient", errors_too=True)
def _(results):
    return cut(results)


@generator_loss.symptom("sigmoid, then logarithm", errors_too=True)
def _(results):
    return others_right(results, _CERTAIN)


@generator_loss.symptom(
    "a loss below 0",
    "Somewhere your loss is below 0. -log D never is, for D is at most 1.")
def _(results):
    return any((r.value < -1e-6).any() for r in usable(results))


@generator_loss.symptom(
    "the wrong direction",
    "An image that deceives (a logit above 0) costs more than one that is found out. The generator is to deceive: its "
    "loss falls as the logit rises.")
def _(results):
    said = {r.case.label: r.value for r in usable(results)}
    false, real = (said.get(f"{_CERTAIN} that they are {word}") for word in ("false", "real"))
    return false is not None and real is not None and bool(real > false)


@generator_loss.symptom(
    "right for a single image only",
    "With a single image the answer is right, with several it is not: how are they averaged?")
def _(results):
    return right_on(results, "a single image") and not results[0].right


@generator_loss.symptom(
    "the gradients are wrong",
    "The values are right, but not all gradients: is a part of the formula cut out of the graph, or clamped?")
def _(results):
    return all(r.right for r in results if not is_slope(r))


# 3 and 4: two small players, and what a step does to each of them

def _plain(x: Tensor) -> Tensor:
    """The tensor inside the wrappings of `torch.func.vmap` and `grad`, which may not be kept beyond their call."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(x):
        x = functorch.get_unwrapped(x)
    return x


class _Network(torch.nn.Module):
    """Two layers; a discriminator's has one number a sample. It remembers what it was asked."""

    def __init__(self, first: Tensor, second: Tensor, logits: bool):
        super().__init__()
        self.first, self.second = (torch.nn.Parameter(w.clone()) for w in (first, second))
        self.logits, self.seen = logits, []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(_plain(x).detach().clone())
        y = torch.tanh(x.flatten(1).to(self.first.dtype) @ self.first) @ self.second
        return y.squeeze(1) if self.logits else y


def _weights(seed: int, *, size: float = 1.0):
    """Of a generator from 3 to 2 dimensions, and of a discriminator; `size` is that of its logits."""
    return (normal(3, 5, seed=seed), normal(5, 2, seed=seed + 1), normal(2, 6, seed=seed + 2),
            normal(6, 1, seed=seed + 3, scale=size))


def _turns(fn, whose: str, weights, real, z, optimizer, leftovers: bool, n_turns: int):
    """Let fn take some turns; returns the losses and both players, with what they were before."""
    with torch.inference_mode(False), torch.enable_grad():
        players = {"generator": _Network(*weights[:2], logits=False),
                   "discriminator": _Network(*weights[2:], logits=True)}
        before = {name: [w.detach().clone() for w in player.parameters()] for name, player in players.items()}
        for player in players.values():
            for w in player.parameters():
                w.grad = torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w) if leftovers else None
        moving = optimizer(players[whose].parameters())
        losses = []
        for turn in range(n_turns):
            batch = (real.clone() + 0.1 * turn, z.clone() - 0.2 * turn)
            losses.append(_number(fn(*players.values(), moving, *batch[whose == "generator":])))
        return torch.stack(losses), players, before


def _moves(fn, whose, *arguments):
    """The losses, and by how much the parameters of the player whose turn it is have moved."""
    losses, players, before = _turns(fn, whose, *arguments)
    moved = [(w.detach() - old).flatten() for w, old in zip(players[whose].parameters(), before[whose])]
    return torch.cat([losses, *moved]).double()


def _spared(fn, whose, *arguments):
    """Four yes or no: the other player's parameters, its gradients (-1 where they are gone), and both players' modes
    are as before; and it was z, all of it and nothing else, that the generator was given. (The gradients count in the
    discriminator's turn only: in the generator's they pass through the discriminator.)"""
    _, players, before = _turns(fn, whose, *arguments)
    other = next(name for name in players if name != whose)
    weights = list(players[other].parameters())
    same = all(w.detach().equal(old) for w, old in zip(weights, before[other]))
    left = [torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w) for w in weights]
    graded = whose == "generator" or all(w.grad is not None and w.grad.equal(old) for w, old in zip(weights, left))
    gone = whose == "discriminator" and all(w.grad is None or not w.grad.any() for w in weights)
    modes = all(player.training and all(w.requires_grad for w in player.parameters()) for player in players.values())
    given, z = players["generator"].seen, arguments[2]
    asked = bool(given) and torch.cat(given).unique(dim=0).equal(z.unique(dim=0))
    return torch.tensor([same, -1 if gone else graded, modes, asked]).double()


_SGD = partial(torch.optim.SGD, lr=0.5)
_SMALL = partial(torch.optim.SGD, lr=0.001)
_ADAM = partial(torch.optim.Adam, lr=0.05, betas=(0.0, 0.99), eps=1e-3)


def _turn_cases(whose: str):
    moves, spared = partial(_turn, _moves, whose), partial(_turn, _spared, whose)
    return (
        Case(_weights(21), normal(6, 2, seed=25), normal(6, 3, seed=26), _SGD, False, 1, observe=moves, atol=1e-4,
             label="one step of plain gradient descent"),
        Case(_weights(31), normal(5, 2, seed=35), normal(5, 3, seed=36), _SGD, True, 1, observe=moves, atol=1e-4,
             label="one step, where gradients of an earlier step are left over"),
        Case(_weights(41), normal(7, 2, seed=45), normal(4, 3, seed=46), _ADAM, False, 3, observe=moves, atol=1e-4,
             label="three steps of Adam, with 7 real images and 4 codes"),
        Case(_weights(51, size=300), normal(4, 2, seed=55), normal(4, 3, seed=56), _SMALL, False, 1, observe=moves,
             atol=1e-4, label=f"{_CERTAIN} (logits of some hundreds)"),
        Case(_weights(61), normal(4, 2, seed=65), normal(4, 3, seed=66), _SGD, True, 1, observe=spared,
             label="what else has changed after one step"),
    )


def _turn(look, whose, fn, *arguments):
    return look(fn, whose, *arguments)


def _told(results, look):
    """The answers to one of the two ways of looking, with what is due."""
    return [r for r in results if getattr(r.case.observe, "args", (None,))[0] is look and r.value is not None]


def _losses_right(results) -> bool:
    """The loss of the first step is right everywhere: what is wrong happens to the parameters."""
    told = _told(results, _moves)
    return bool(told) and all(torch.isclose(r.value[0], r.expected[0], rtol=1e-4, atol=1e-4) for r in told)


def _moved(result) -> Tensor:
    return result.value[result.case.arguments[-1]:]


def _still(results) -> bool:
    told = _told(results, _moves)
    return bool(told) and not any(_moved(r).any() for r in told)


_CLEARED = (
    "The gradients of an earlier step are still there, and the new ones are added to them: `backward()` adds. Clear "
    "them before it, with `optimizer.zero_grad()`.")
_TOO_LATE = (
    "The gradients are cleared after the step only. Right as long as nobody else fills them; but the step of the other "
    "player goes back through this one and leaves its gradients there. Clear them before `backward()`.")
_MODES = (
    "A player is left in another state than before: in `eval()` mode, or with `requires_grad_(False)`. The next "
    "step would find it so. To hold it fixed it is enough not to hand its parameters to the optimizer.")
_NO_GRAPH = (
    "`backward()` finds nothing to go back through: all of it was computed under `torch.no_grad()`, or was detached. "
    "The player whose step it is must stay in the graph.")
_OVERWRITTEN = (
    "What `backward()` needs has been overwritten in the meantime: has the optimizer stepped before it? Clear, go "
    "back, step, in this order.")
_NOT_Z = (
    "The generator was not given z, all of it and nothing else: is noise drawn inside, or a part left out? The codes "
    "are handed in.")
_AFTER = (
    "The steps are right, but the loss that is returned is computed after the step. The one that the step goes down "
    "is asked for.")
_TWICE = "The optimizer makes two steps. One is due."


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "In this step the generator only delivers images. What the discriminator is trained on is two batches with two "
        "labels, as for any classifier.",
        "`generator(z).detach()` is the batch without its history: nothing goes back into the generator. Then the loss "
        "from the logits of both batches, each with its own mean.",
        "Then the three lines of every training step: `optimizer.zero_grad()`, `loss.backward()`, "
        "`optimizer.step()`, in this order.",
    ),
    cases=_turn_cases("discriminator"),
)
def discriminator_step(generator: torch.nn.Module, discriminator: torch.nn.Module,
                       optimizer: torch.optim.Optimizer, real: Tensor, z: Tensor) -> Tensor:
    """One step of the discriminator, while the generator is held fixed.

    generator(z) makes samples of codes, discriminator(x) logits of samples, one for each.
    optimizer: holds the discriminator's parameters. real: (B, …); z: (M, latent).
    Goes one step down -E log D(x) - E log(1 - D(G(z))), D = sigmoid(logit), each E the mean
    of its batch. Gradients of earlier steps may be left in the discriminator: they must not
    count. The generator is left as it is: its parameters, its gradients (.grad), its modes.
    Returns the loss before the step.
    """
    softplus = torch.nn.functional.softplus
    fake = generator(z).detach()                        # what comes back ends here
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


_CODES = "fake = generator(z).detach()"

discriminator_step.mistake(
    "`detach` is missing", _CODES, "fake = generator(z)",
    "The discriminator moves as it should, but the generator's gradients have changed: `backward()` went on into it, "
    "at twice the cost, and its next step would follow the discriminator's wishes if they are not cleared. "
    "`generator(z).detach()` ends the way there.")
discriminator_step.mistake(
    "the generator's gradients are wiped", "    optimizer.zero_grad()", "    optimizer.zero_grad()\n"
    "    generator.zero_grad()",
    "The discriminator moves as it should, but the generator's gradients are gone: they were cleared here. This step "
    "has no business with them; with `generator(z).detach()` nothing gets there in the first place.")
discriminator_step.mistake(
    "a player stays frozen", _CODES, "fake = generator.requires_grad_(False)(z)", _MODES)
discriminator_step.mistake(
    "the gradients are not cleared", "    optimizer.zero_grad()\n", "", _CLEARED)
discriminator_step.mistake(
    "the gradients are cleared too late", "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()",
    "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()", _TOO_LATE)
discriminator_step.mistake(
    "the discriminator does not move", "    loss.backward()\n", "",
    "The loss is right, but the discriminator stays where it is: `loss.backward()`, then `optimizer.step()`, and no "
    "`zero_grad()` between the two.")
discriminator_step.mistake(
    "the labels are swapped", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "softplus(real_logits).mean() + softplus(-fake_logits).mean()",
    "Real and generated have changed places: the discriminator learns to call the generated ones real.")
discriminator_step.mistake(
    "the generated ones are labelled real", "softplus(fake_logits)", "softplus(-fake_logits)",
    "The generated ones are labelled real, like the real ones: that is the generator's wish. Here they are to be found "
    "out.")
discriminator_step.mistake(
    "up instead of down", "loss.backward()", "(-loss).backward()",
    "The discriminator goes up its loss: optimizers minimise.")
discriminator_step.mistake(
    "the loss has the wrong sign", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "-(softplus(-real_logits).mean() + softplus(fake_logits).mean())",
    "This is the value of the game, and the optimizer goes down it. Its negative is the loss.")
discriminator_step.mistake(
    "only the real ones", " + softplus(fake_logits).mean()", "",
    "The generated ones have no say: the discriminator would call everything real.")
discriminator_step.mistake(
    "only the generated ones", "softplus(-real_logits).mean() + ", "",
    "The real ones have no say: the discriminator would call everything generated.")
discriminator_step.mistake(
    "the generated half is cut off", "softplus(fake_logits)", "softplus(fake_logits.detach())",
    "The loss is right, but the generated images teach the discriminator nothing: its answer to them is cut off "
    "(`discriminator(generator(z)).detach()`, or `no_grad` around it). What is to be detached is the image, before "
    "the discriminator sees it.")
discriminator_step.mistake(
    "the real half is cut off", "softplus(-real_logits)", "softplus(-real_logits.detach())",
    "The loss is right, but the real images teach the discriminator nothing: its answer to them is detached, or "
    "computed under `no_grad`.")
discriminator_step.mistake(
    "real ones in both batches", "discriminator(fake)", "discriminator(real)",
    "The real images are called real and generated at once; the generator's images are never shown.")
discriminator_step.mistake(
    "one mean over both batches", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "torch.cat([softplus(-real_logits), softplus(fake_logits)]).mean()",
    "One mean is taken over both batches together: half of what is due, and where they differ in size the larger "
    "counts more. Each batch has a mean of its own.")
discriminator_step.mistake(
    "halved", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "(softplus(-real_logits).mean() + softplus(fake_logits).mean()) / 2",
    "Half of what is due: the mean of the two parts. Their sum is asked for.")
discriminator_step.mistake(
    "the sum over the batch", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "softplus(-real_logits).sum() + softplus(fake_logits).sum()",
    "The batches are summed up. Each E is a mean: else the step grows with the batch.")
discriminator_step.mistake(
    "the sigmoid is taken twice", "discriminator(real), discriminator(fake)",
    "discriminator(real).sigmoid(), discriminator(fake).sigmoid()",
    "The sigmoid is taken twice: `softplus` and `binary_cross_entropy_with_logits` take the logits as they are.")
discriminator_step.mistake(
    "logits taken for probabilities", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "-torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()",
    "The discriminator's answers are used as probabilities. They are logits: D is their sigmoid.")
discriminator_step.mistake(
    "sigmoid, then logarithm", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "-torch.sigmoid(real_logits).log().mean() - (1 - torch.sigmoid(fake_logits)).log().mean()", _LOST)
discriminator_step.mistake(
    "the Wasserstein loss", "softplus(-real_logits).mean() + softplus(fake_logits).mean()",
    "fake_logits.mean() - real_logits.mean()",
    "This is the Wasserstein critic's step. The one asked for has logarithms of D = sigmoid(logit).")
discriminator_step.mistake(
    "two steps", "    optimizer.step()\n", "    optimizer.step()\n    optimizer.step()\n", _TWICE)
discriminator_step.mistake(
    "the loss after the step", "return loss.detach()",
    "return softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()", _AFTER)
discriminator_step.mistake(
    "another optimizer", "    optimizer.zero_grad()\n",
    "    optimizer = torch.optim.Adam(discriminator.parameters())\n    optimizer.zero_grad()\n",
    "The steps are those of a new optimizer, made inside: it knows nothing of the learning rate that was chosen, and "
    "forgets its averages after each step. Use the one that is handed in.")
discriminator_step.mistake(
    "the generator moves too", "    optimizer.step()\n",
    "    optimizer.step()\n    for w in generator.parameters():\n        w.data -= 0.1 * w.grad if w.grad is not None"
    " else 0.1\n",
    "The generator's parameters have changed. In this step it only delivers images: the optimizer that is handed in "
    "holds the discriminator alone, and no other may step.")


_also_by_sigmoid(discriminator_step, "the labels are swapped", "the generated ones are labelled real", "halved",
                 "the loss has the wrong sign", "one mean over both batches", "`detach` is missing",
                 "the gradients are not cleared")


@discriminator_step.symptom("overwritten before it is needed", _OVERWRITTEN, errors_too=True)
def _(results):
    return any(r.problem and "modified by an inplace operation" in r.problem.message for r in results)


@discriminator_step.symptom("no graph", _NO_GRAPH, errors_too=True)
def _(results):
    return _no_graph(results)


@discriminator_step.symptom("the generator moves too")
def _(results):
    return any(not r.value[0] for r in _told(results, _spared))


@discriminator_step.symptom("the noise is not z", _NOT_Z)
def _(results):
    return any(not r.value[3] for r in _told(results, _spared))


@discriminator_step.symptom("a player stays frozen")
def _(results):
    told = _told(results, _spared)
    return bool(told) and all(r.right for r in results if r not in told) and not told[0].value[2]


@discriminator_step.symptom("`detach` is missing")
def _(results):
    told = _told(results, _spared)
    return bool(told) and all(r.right for r in results if r not in told) and told[0].value[1] == 0


@discriminator_step.symptom("the generator's gradients are wiped")
def _(results):
    told = _told(results, _spared)
    return bool(told) and all(r.right for r in results if r not in told) and told[0].value[1] == -1


@discriminator_step.symptom("sigmoid, then logarithm", errors_too=True)
def _(results):
    return others_right(results, _CERTAIN)


@discriminator_step.symptom("the discriminator does not move")
def _(results):
    return _still(results) and _losses_right(results)


@discriminator_step.symptom(
    "neither the loss nor a step",
    "The discriminator stays where it is, and the number that is returned is not its loss either.")
def _(results):
    return _still(results)


@discriminator_step.symptom("the gradients are not cleared")
def _(results):
    return others_right(results, "one step, where gradients")


@discriminator_step.symptom(
    "right loss, wrong step",
    "The loss is right, but the discriminator moves elsewhere than one step of the optimizer down that loss.")
def _(results):
    return _losses_right(results)


@discriminator_step.symptom(
    "right step, wrong loss",
    "The discriminator moves as it should, but the number that is returned is another than the loss it went down.")
def _(results):
    told = _told(results, _moves)
    return len(told) == 4 and all(torch.allclose(_moved(r), r.expected[-len(_moved(r)):], rtol=1e-4, atol=1e-4)
                                  for r in told)


# 4

@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "The discriminator is now the judge. Its parameters stay, but what it says of an image must go back through it "
        "into the generator.",
        "So nothing is detached here, and nothing computed under `no_grad`. The loss is -log D(G(z)) on average, from "
        "logits: softplus(-logit).",
        "`loss = torch.nn.functional.softplus(-discriminator(generator(z))).mean()`; then clear, go back, step.",
    ),
    cases=_turn_cases("generator"),
)
def generator_step(generator: torch.nn.Module, discriminator: torch.nn.Module,
                   optimizer: torch.optim.Optimizer, z: Tensor) -> Tensor:
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


generator_step.mistake(
    "the generator does not move", "discriminator(generator(z))", "discriminator(generator(z).detach())",
    "The loss is right, but the generator stays where it is. Is its image detached? That belongs into the "
    "discriminator's step; here the gradient must come back through the discriminator. (Or is `backward()` or "
    "`step()` missing, or `zero_grad()` between the two?)")
generator_step.mistake(
    "the saturating loss", "torch.nn.functional.softplus(-fake_logits)", "-torch.nn.functional.softplus(fake_logits)",
    "This step goes down E log(1 - D(G(z))), the saturating loss of the original game. Where the discriminator is "
    "sure, its gradient is next to nothing. The non-saturating one is asked for: -E log D(G(z)).")
generator_step.mistake(
    "the discriminator's loss", "softplus(-fake_logits)", "softplus(fake_logits)",
    "The step goes down -E log(1 - D(G(z))), as the discriminator's does: the images become easier to find out. Their "
    "label is to be real here.")
generator_step.mistake(
    "up instead of down", "loss.backward()", "(-loss).backward()",
    "The generator goes up its loss: optimizers minimise.")
generator_step.mistake(
    "the loss has the wrong sign", "torch.nn.functional.softplus(-fake_logits)",
    "-torch.nn.functional.softplus(-fake_logits)",
    "This is E log D(G(z)), and the optimizer goes down it: away from deceiving. Its negative is the loss.")
generator_step.mistake(
    "the gradients are not cleared", "    optimizer.zero_grad()\n", "", _CLEARED)
generator_step.mistake(
    "the gradients are cleared too late", "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()",
    "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()", _TOO_LATE)
generator_step.mistake(
    "a player stays frozen", "    fake_logits =", "    discriminator.requires_grad_(False)\n    fake_logits =",
    _MODES)
generator_step.mistake(
    "the sum over the batch", ".mean()", ".sum()",
    "The batch is summed up. E is a mean: else the step grows with the batch.")
generator_step.mistake(
    "the sigmoid is taken twice", "softplus(-fake_logits)", "softplus(-fake_logits.sigmoid())",
    "The sigmoid is taken twice: `softplus` and `binary_cross_entropy_with_logits` take the logits as they are.")
generator_step.mistake(
    "logits taken for probabilities", "torch.nn.functional.softplus(-fake_logits)", "-torch.log(fake_logits)",
    "The discriminator's answers are used as probabilities. They are logits: D is their sigmoid.")
generator_step.mistake(
    "sigmoid, then logarithm", "torch.nn.functional.softplus(-fake_logits)", "-torch.sigmoid(fake_logits).log()",
    _LOST)
generator_step.mistake(
    "the Wasserstein loss", "torch.nn.functional.softplus(-fake_logits)", "-fake_logits",
    "This is the generator's step against a Wasserstein critic (and against a hinge). The one asked for has the "
    "logarithm of D = sigmoid(logit).")
generator_step.mistake(
    "two steps", "    optimizer.step()\n", "    optimizer.step()\n    optimizer.step()\n", _TWICE)
generator_step.mistake(
    "the loss after the step", "return loss.detach()",
    "return torch.nn.functional.softplus(-discriminator(generator(z))).mean().detach()", _AFTER)
generator_step.mistake(
    "another optimizer", "    optimizer.zero_grad()\n",
    "    optimizer = torch.optim.Adam(generator.parameters())\n    optimizer.zero_grad()\n",
    "The steps are those of a new optimizer, made inside: it knows nothing of the learning rate that was chosen, and "
    "forgets its averages after each step. Use the one that is handed in.")
generator_step.mistake(
    "the discriminator moves too", "    optimizer.step()\n",
    "    optimizer.step()\n    for w in discriminator.parameters():\n        w.data -= 0.1 * w.grad\n",
    "The discriminator's parameters have changed: it moves towards calling the images real, a judge that is bribed. "
    "Gradients pass through it in this step, but only the generator is moved.")


_also_by_sigmoid(generator_step, "the saturating loss", "the discriminator's loss", "the loss has the wrong sign",
                 "the gradients are not cleared")


@generator_step.symptom("overwritten before it is needed", _OVERWRITTEN, errors_too=True)
def _(results):
    return any(r.problem and "modified by an inplace operation" in r.problem.message for r in results)


@generator_step.symptom("no graph", _NO_GRAPH, errors_too=True)
def _(results):
    return _no_graph(results)


@generator_step.symptom("the discriminator moves too")
def _(results):
    return any(not r.value[0] for r in _told(results, _spared))


@generator_step.symptom("the noise is not z", _NOT_Z)
def _(results):
    return any(not r.value[3] for r in _told(results, _spared))


@generator_step.symptom("a player stays frozen")
def _(results):
    told = _told(results, _spared)
    return bool(told) and all(r.right for r in results if r not in told) and not told[0].value[2]


@generator_step.symptom("sigmoid, then logarithm", errors_too=True)
def _(results):
    return others_right(results, _CERTAIN)


@generator_step.symptom("the generator does not move")
def _(results):
    return _still(results) and _losses_right(results)


@generator_step.symptom(
    "neither the loss nor a step",
    "The generator stays where it is, and the number that is returned is not its loss either.")
def _(results):
    return _still(results)


@generator_step.symptom("the gradients are not cleared")
def _(results):
    return others_right(results, "one step, where gradients")


@generator_step.symptom(
    "right loss, wrong step",
    "The loss is right, but the generator moves elsewhere than one step of the optimizer down that loss.")
def _(results):
    return _losses_right(results)


@generator_step.symptom(
    "right step, wrong loss",
    "The generator moves as it should, but the number that is returned is another than the loss it went down.")
def _(results):
    told = _told(results, _moves)
    return len(told) == 4 and all(torch.allclose(_moved(r), r.expected[-len(_moved(r)):], rtol=1e-4, atol=1e-4)
                                  for r in told)


# 5

def _critic(weights) -> _Network:
    return _Network(*weights, logits=True)


def _penalty(fn, weights, *batches, seed: int | None = None):
    """The penalty itself. (Where real and fake are alike, it does not depend on the weights that are drawn.)"""
    with torch.inference_mode(False), torch.enable_grad():
        chance = () if seed is None else (torch.Generator().manual_seed(seed),)
        return _number(fn(_critic(weights), *(batch.clone() for batch in batches), *chance))


def _lessons(fn, weights, *batches, seed: int | None = None):
    """What the critic learns from the penalty: its gradient by the critic's parameters."""
    with torch.inference_mode(False), torch.enable_grad():
        critic = _critic(weights)
        chance = () if seed is None else (torch.Generator().manual_seed(seed),)
        answer = fn(critic, *(batch.clone() for batch in batches), *chance)
        _number(answer)
        return torch.cat([slope.flatten() for slope in gradients(answer, list(critic.parameters()))]).double()


def _shares(fn, weights, real, fake, generator) -> Tensor:
    """The weight u of real in every entry of the points that the critic is asked about: (B, F)."""
    with torch.inference_mode(False), torch.enable_grad():
        critic = _critic(weights)
        fn(critic, real.clone(), fake.clone(), generator)
        points = torch.cat(critic.seen) if critic.seen else torch.zeros(0)
    if points.numel() == real.numel():
        points = points.reshape(real.shape)     # `vmap` adds an axis
    if points.shape != real.shape:
        raise Unusable("not yet", "the critic is asked elsewhere", f"The critic was asked about a batch of shape "
                       f"{tuple(points.shape)}, where one point for each pair is due: {tuple(real.shape)}.")
    return ((points - fake) / (real - fake)).flatten(1).double()


def _between(fn, weights, real, fake, seed):
    """Of the weights: mean over everything; deviation from image to image, and within an image; how many are outside
    0 to 1, and how many between ¼ and ¾; ten times how near the extremes come to 0 and to 1."""
    u = _shares(fn, weights, real, fake, torch.Generator().manual_seed(seed))
    within = (u - u.mean(1, keepdim=True)).square().mean().sqrt()
    return torch.stack([u.mean(), u.mean(1).std(), within, ((u < -1e-3) | (u > 1.001)).double().mean(),
                        ((u > 0.25) & (u < 0.75)).double().mean(), 10 * u.mean(1).min(), 10 * (1 - u.mean(1).max())])


def _chance_of_weights(fn, weights, real, fake, seed):
    return chance(lambda generator: _shares(fn, weights, real, fake, generator), seed)


def _apart(*shape: int, seed: int):
    """Two batches that differ by 1 at least, in every entry."""
    real = normal(*shape, seed=seed)
    away = normal(*shape, seed=seed + 1)
    return real, real + away.sign() * (1 + away.abs())


_ALIKE = normal(6, 3, seed=71), normal(4, 2, 2, 3, seed=74), normal(1, 5, seed=77)
_STEEP = {n: (normal(n, 5, seed=80 + n), normal(5, 1, seed=81 + n, scale=2)) for n in (3, 4, 5, 12)}
_GENTLE = (normal(3, 5, seed=86, scale=0.4), normal(5, 1, seed=87, scale=0.4))


@exercise(
    minutes=15,
    difficulty="hard",
    hints=(
        "Three parts: a point on the straight way from each fake image to its real one; the slope of the critic at "
        "that point; how far the length of the slope is from 1.",
        "One u for each pair, so of shape (B, 1, …, 1): `u = torch.rand(len(real), *[1] * (real.dim() - 1), "
        "generator=generator)`. The points are u·real + (1 - u)·fake, with `requires_grad_()`.",
        "`torch.autograd.grad(critic(x).sum(), x, create_graph=True)`: the sum, for then each image's slope comes out "
        "by itself, and the graph, for the penalty is to be differentiated once more, by the critic's parameters. "
        "Flatten all axes but the first before you take the length.",
    ),
    cases=(
        Case(_STEEP[3], _ALIKE[0], _ALIKE[0], observe=partial(_penalty, seed=1),
             label="a batch of 6 (real and fake alike)"),
        Case(_STEEP[12], _ALIKE[1], _ALIKE[1], observe=partial(_penalty, seed=2),
             label="4 images of shape (2, 2, 3) (real and fake alike)"),
        Case(_STEEP[5], _ALIKE[2], _ALIKE[2], observe=partial(_penalty, seed=3),
             label="a single pair (real and fake alike)"),
        Case(_GENTLE, _ALIKE[0], _ALIKE[0], observe=partial(_penalty, seed=4),
             label="a critic whose slopes are below 1"),
        Case(_STEEP[3], _ALIKE[0], _ALIKE[0], observe=partial(_lessons, seed=5),
             label="the gradient by the critic's parameters"),
        Case(_STEEP[12], *_apart(2000, 1, 3, 4, seed=91), 6, observe=_between, atol=0.05,
             label="where 2,000 images of 12 pixels are looked at"),
        Case(_STEEP[4], *_apart(20, 4, seed=93), 7, observe=_chance_of_weights,
             label="the weights drawn from several generators"),
    ),
)
def gradient_penalty(critic: torch.nn.Module, real: Tensor, fake: Tensor,
                     generator: torch.Generator) -> Tensor:
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
    slope, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)     # (B, …)
    length = slope.flatten(1).norm(dim=1)                                   # (B,)
    return (length - 1).square().mean()


_LENGTH = "slope.flatten(1).norm(dim=1)"
_DRAWN = "torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator)"
_DONE = "(length - 1).square().mean()"

gradient_penalty.mistake(
    "the norm over the batch axis", _LENGTH, "slope.flatten(1).norm(dim=0)",
    "The norm runs over the batch: one number for each entry of an image. Each image has a slope of its own, whose "
    "length is taken over all its entries.")
gradient_penalty.mistake(
    "one norm for the whole batch", _LENGTH, "slope.norm()",
    "There is one norm for the whole batch, √B times too large: `slope.norm()` flattens everything. Each image has a "
    "slope of its own.")
gradient_penalty.mistake(
    "the norm over one axis of the image", _LENGTH, "slope.norm(dim=1)",
    "Right for flat samples, but in images the norm runs over one axis only (the channels, `dim=1`): one number for "
    "each pixel. Flatten the image first.")
gradient_penalty.mistake(
    "the norm over the rows of the image", _LENGTH, "slope.norm(dim=-1)",
    "Right for flat samples, but in images the norm runs over the last axis only: one number for each row. Flatten "
    "the image first.")
gradient_penalty.mistake(
    "the root mean square", _LENGTH, "slope.flatten(1).square().mean(1).sqrt()",
    "The squares are averaged over the entries of the image, not summed: this is the length divided by the root of "
    "their number.")
gradient_penalty.mistake(
    "the sum of absolute values", _LENGTH, "slope.flatten(1).abs().sum(1)",
    "The absolute values are added up. The length is the root of the sum of squares.")
gradient_penalty.mistake(
    "the length is squared first", "(length - 1).", "(length.square() - 1).",
    "This is (length² - 1)²: the root is missing. The length itself is compared with 1.")
gradient_penalty.mistake(
    "pulled to 0", "(length - 1).", "length.",
    "The 1 is missing: every slope is pulled to 0. That is R1's way; WGAN-GP wants slopes of length 1.")
gradient_penalty.mistake(
    "not squared", _DONE, "(length - 1).mean()",
    "The distance from 1 is not squared, so that gentle slopes make up for steep ones.")
gradient_penalty.mistake(
    "the absolute distance", _DONE, "(length - 1).abs().mean()",
    "The absolute distance from 1 is averaged. Its square is due.")
gradient_penalty.mistake(
    "one-sided", "(length - 1).", "(length - 1).relu().",
    "Only slopes above 1 are punished. The paper considers that too, but here gentle ones count as well.")
gradient_penalty.mistake(
    "the lengths are averaged first", _DONE, "(length.mean() - 1).square()",
    "The lengths are averaged before they are compared with 1: gentle slopes make up for steep ones. Square for each "
    "image, then take the mean.")
gradient_penalty.mistake(
    "summed over the batch", _DONE, "(length - 1).square().sum()",
    "The batch is summed up. The mean is due.")
gradient_penalty.mistake(
    "one number an image", _DONE, "(length - 1).square()",
    "There is one penalty for each image. Their mean is due.")
gradient_penalty.mistake(
    "the weight is included", _DONE, "10 * (length - 1).square().mean()",
    "Ten times what is due: the weight λ = 10 of the paper is the caller's business.")
gradient_penalty.mistake(
    "the mean of the critic", "critic(x).sum()", "critic(x).mean()",
    "The critic's answers are averaged before the gradient is taken, so that every slope is divided by the size of "
    "the batch. With their sum each image's slope comes out as it is.")
gradient_penalty.mistake(
    "one weight for each pixel", _DRAWN, "torch.rand(real.shape, generator=generator)",
    "Every pixel has a weight of its own, so the point is not on the way from fake to real but anywhere in the box "
    "between them. One u for each image.")
gradient_penalty.mistake(
    "one weight for the whole batch", _DRAWN, "torch.rand((), generator=generator)",
    "One u serves the whole batch. Each image has its own.")
gradient_penalty.mistake(
    "normal weights", "torch.rand(len(real)", "torch.randn(len(real)",
    "The weights are normal (`torch.randn`): most points lie outside the way from fake to real. They are uniform "
    "between 0 and 1: `torch.rand`.")
gradient_penalty.mistake(
    "always in the middle", _DRAWN, "0.5",
    "u is ½ always: only the middle of each way is looked at. It is drawn, uniform between 0 and 1.")
gradient_penalty.mistake(
    "the slope at the real ones", "(u * real + (1 - u) * fake)", "(real * 1)",
    "The slope is taken at the real images. That is R1's place; here it is a point between real and fake.")
gradient_penalty.mistake(
    "the slope at the fake ones", "(u * real + (1 - u) * fake)", "(fake * 1)",
    "The slope is taken at the fake images. It belongs to a point between real and fake.")
gradient_penalty.mistake(
    "the weights do not add up to 1", "(1 - u) * fake", "fake",
    "The point is u·real + fake: the weights do not add up to 1, so it lies beside the way. The other weight is 1 - u.")
gradient_penalty.mistake(
    "the ways from a shuffled batch", "(1 - u) * fake", "(1 - u) * fake.roll(1, 0)",
    "The pairs are mixed up: the points do not lie between a real image and the fake one of the same place."
)
gradient_penalty.mistake(
    "`create_graph` is missing", ", create_graph=True", "",
    "The value is right, but no gradient reaches the critic's parameters: the penalty would do nothing. "
    "`torch.autograd.grad` is to build the graph of the slope too, `create_graph=True`; and neither slope nor length "
    "may be detached.")
gradient_penalty.mistake(
    "the generator is ignored", " - 1), generator=generator)", " - 1))",
    "The same generator, seeded alike, gives other weights: `torch.rand` takes `generator=generator`.")
gradient_penalty.mistake(
    "seeded anew", "    u = torch", "    generator.manual_seed(0)\n    u = torch",
    "The generator is seeded inside the function, so that the weights are the same in every step. Seeding is the "
    "caller's business.")


@gradient_penalty.symptom("`create_graph` is missing", errors_too=True)
def _(results):
    return cut(results, by=_lessons)


@gradient_penalty.symptom("the generator is ignored")
def _(results):
    chance = answer_to(results, _chance_of_weights)
    return chance is not None and not chance[0]


@gradient_penalty.symptom(
    "the generator is not used up",
    "Two calls in a row with one generator have the same weights, or the generator is as fresh after a call as before: "
    "draw from the generator itself, neither from a copy nor from one that is seeded anew.")
def _(results):
    chance = answer_to(results, _chance_of_weights)
    return chance is not None and not chance.all()


def _found_between(results):
    return answer_to(results, _between)


@gradient_penalty.symptom("one weight for each pixel")
def _(results):
    found = _found_between(results)
    return found is not None and bool(found[2] > 0.1) and bool(found[3] == 0)


@gradient_penalty.symptom("the slope at the real ones")
def _(results):
    found = _found_between(results)
    return found is not None and bool((found[0] - 1).abs() + found[1:3].sum() < 1e-3)


@gradient_penalty.symptom("the slope at the fake ones")
def _(results):
    found = _found_between(results)
    return found is not None and bool(found[:3].abs().sum() < 1e-3)


@gradient_penalty.symptom("one weight for the whole batch")
def _(results):
    found = _found_between(results)
    return found is not None and bool(found[1] < 1e-4) and bool(found[2] < 1e-3)


@gradient_penalty.symptom(
    "not between real and fake",
    "The points that the critic is asked about do not lie on the straight way from a fake image to its real one: "
    "u·real + (1 - u)·fake, u between 0 and 1.")
def _(results):
    found = _found_between(results)
    return found is not None and bool(found[2:4].max() > 0.01)


@gradient_penalty.symptom(
    "not uniform",
    "The points lie between real and fake, but not uniformly so: u is drawn by `torch.rand`, without further ado.")
def _(results):
    return any(r.value is not None and not r.right for r in _observed_by(results, _between))


@gradient_penalty.symptom(
    "right for flat samples only",
    "Right for samples of one axis, wrong for images: the length of a slope is taken over all axes but the first.")
def _(results):
    return results[0].right and not results[1].right


@gradient_penalty.symptom(
    "wrong lesson",
    "The value is right, but its gradient by the critic's parameters is not: is a part of it cut out of the graph?")
def _(results):
    return all(r.right for r in results if not is_slope(r, by=_lessons))


@gradient_penalty.symptom(
    "a factor too much",
    "On all inputs the penalty is the same multiple of what is due: a weight λ is the caller's business.")
def _(results):
    penalties = [r for r in results if getattr(r.case.observe, "func", None) is _penalty]
    return proportional(penalties) and not penalties[0].right


@gradient_penalty.symptom(
    "wrong from the slope on",
    "The points are the right ones, the penalty is not. Already with a single pair it is wrong: the length of the "
    "slope is the root of the sum of its squares, and (length - 1)² is due.")
def _(results):
    return not proportional([r for r in results if getattr(r.case.observe, "func", None) is _penalty]) and any(
        "a single pair" in r.case.label and r.value is not None and not r.right for r in results)


@gradient_penalty.symptom(
    "right for a single pair only",
    "With a single pair the penalty is right, with several it is not: each image has its own slope, its own length, "
    "and its own square; the mean comes last.")
def _(results):
    return right_on(results, "a single pair (real and fake alike)") and not results[0].right


# 6

@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "How fast does the logit of a real image change when the image does? R1 wants that to be slow, at the data "
        "themselves: nothing is interpolated, and nothing drawn.",
        "The gradient by the images needs them as a leaf: `x = real.detach().requires_grad_()`. The sum of all logits "
        "has, in the rows of its gradient, each image's own slope.",
        "`torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)`, then the sum of the squares of each "
        "image, then the mean over the batch.",
    ),
    cases=(
        Case(_STEEP[3], _ALIKE[0], observe=_penalty, label="a batch of 6"),
        Case(_STEEP[12], _ALIKE[1], observe=_penalty, label="4 images of shape (2, 2, 3)"),
        Case(_STEEP[5], _ALIKE[2], observe=_penalty, label="a single image"),
        Case(_GENTLE, _ALIKE[0], observe=_penalty, label="a discriminator whose slopes are below 1"),
        Case(_STEEP[3], torch.zeros(2, 3), observe=_penalty, label="two black images"),
        Case(_STEEP[3], _ALIKE[0], observe=partial(_lessons),
             label="the gradient by the discriminator's parameters"),
    ),
)
def r1_penalty(discriminator: torch.nn.Module, real: Tensor) -> Tensor:
    """R1: the squared slope of the discriminator at the real images, E ‖∇ D(x)‖².

    The squared length of the gradient of the logit by the image, over all entries of each
    image; averaged over the batch. No weight γ / 2.
    real: (B, …), any number of axes; discriminator(x): logits (B,), every image judged by
    itself. Returns a single number, with gradients to the discriminator's parameters.
    (Mescheder et al. 2018, arXiv:1801.04406, section 4.1.)
    """
    x = real.detach().requires_grad_()
    slope, = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)  # (B, …)
    return slope.square().flatten(1).sum(1).mean()


_SQUARES = "slope.square().flatten(1).sum(1).mean()"

r1_penalty.mistake(
    "the length is not squared", _SQUARES, "slope.flatten(1).norm(dim=1).mean()",
    "This is the mean length of the slopes. R1 has its square.")
r1_penalty.mistake(
    "averaged over the pixels", _SQUARES, "slope.square().mean()",
    "The squares are averaged over the entries of the image as well. The squared length is their sum; only over the "
    "batch is a mean taken.")
r1_penalty.mistake(
    "summed over the batch", _SQUARES, "slope.square().sum()",
    "Everything is summed up, the batch too. Sum over the entries of an image, mean over the batch.")
r1_penalty.mistake(
    "one number an image", _SQUARES, "slope.square().flatten(1).sum(1)",
    "There is one number for each image. Their mean is due.")
r1_penalty.mistake(
    "the sums of the slopes are squared", _SQUARES, "slope.flatten(1).sum(1).square().mean()",
    "The entries of a slope are added up and the sum is squared, so that they cancel. Square each entry, then add.")
r1_penalty.mistake(
    "the mean length is squared", _SQUARES, "slope.flatten(1).norm(dim=1).mean().square()",
    "The lengths are averaged, and the mean is squared. Square each, then take the mean.")
r1_penalty.mistake(
    "the mean slope", _SQUARES, "slope.flatten(1).mean(0).square().sum()",
    "The slopes of all images are averaged first, and cancel. Each image has its own length.")
r1_penalty.mistake(
    "pulled to 1", _SQUARES, "(slope.flatten(1).norm(dim=1) - 1).square().mean()",
    "Slopes are pulled to length 1: that is WGAN-GP's penalty. R1 pulls them to 0.")
r1_penalty.mistake(
    "the ½ is included", _SQUARES, f"{_SQUARES} / 2",
    "Half of what is due: the weight γ / 2 is the caller's business.")
r1_penalty.mistake(
    "the mean of the logits", "discriminator(x).sum()", "discriminator(x).mean()",
    "The logits are averaged before the gradient is taken, so that every slope is divided by the size of the batch. "
    "With their sum each image's slope comes out as it is.")
r1_penalty.mistake(
    "the slope of the probability", "discriminator(x).sum()", "discriminator(x).sigmoid().sum()",
    "The slope of sigmoid(logit) is taken: it is 0 where the discriminator is sure, however steep it is. R1 takes that "
    "of the logit.")
r1_penalty.mistake(
    "the slope of log D", "discriminator(x).sum()", "torch.nn.functional.logsigmoid(discriminator(x)).sum()",
    "The slope of log D is taken, or of the loss. R1 takes that of the logit.")
r1_penalty.mistake(
    "`create_graph` is missing", ", create_graph=True", "",
    "The value is right, but no gradient reaches the discriminator's parameters: the penalty would do nothing. "
    "`torch.autograd.grad` is to build the graph of the slope too, `create_graph=True`; and the slope may not be "
    "detached.")


@r1_penalty.symptom("`create_graph` is missing", errors_too=True)
def _(results):
    return cut(results, by=_lessons)


@r1_penalty.symptom(
    "right for flat samples only",
    "Right for samples of one axis, wrong for images: sum over all axes but the first.")
def _(results):
    return results[0].right and not results[1].right


@r1_penalty.symptom(
    "right for a single image only",
    "With a single image the penalty is right, with several it is not: each has its own slope and its own squared "
    "length, and the mean comes last.")
def _(results):
    return right_on(results, "a single image") and not results[0].right


@r1_penalty.symptom(
    "a penalty below 0",
    "Somewhere your penalty is below 0. A squared length never is.")
def _(results):
    return any(r.value.numel() and (r.value < -1e-6).any() for r in results if r.value is not None
               and not is_slope(r, by=_lessons))


@r1_penalty.symptom(
    "wrong lesson",
    "The value is right, but its gradient by the discriminator's parameters is not: is a part of it cut out of the "
    "graph?")
def _(results):
    return all(r.right for r in results if not is_slope(r, by=_lessons))


@r1_penalty.symptom(
    "the squared length is wrong",
    "Already for a single image the answer is wrong: it is the sum over the image of the squared derivatives of its "
    "logit.")
def _(results):
    return not proportional(results) and any(
        r.case.label == "a single image" and r.value is not None and not r.right for r in results)


# 7

_UNLIKELY = "both densities too small for a number"


@exercise(
    minutes=5,
    difficulty="easy",
    hints=(
        "D = P / (P + Q). Divide above and below by P: what is left is a function of the ratio Q / P alone.",
        "1 / (1 + Q / P), and Q / P = exp(log_q - log_p). The difference of the logarithms is moderate even where "
        "both densities are far too small to be written down.",
        "1 / (1 + exp(-a)) has a name, and PyTorch has it.",
    ),
    cases=(
        Case(normal(6, seed=101), normal(6, seed=102)),
        Case(normal(3, 4, seed=103, scale=3), normal(3, 4, seed=104, scale=3)),
        Case(torch.tensor([-3.0, 0.5, 2.0]), torch.tensor([-3.0, 0.5, 2.0]), label="P = Q"),
        Case(torch.tensor(0.7), torch.tensor(-0.4), label="a single point"),
        Case(torch.tensor([3.0, -1.0, 4.0]), torch.tensor([2.5, 1.5, 1.0]), label="densities above 1"),
        Case(torch.tensor([-800.0, -801.0, -1500.0]), torch.tensor([-800.5, -799.0, -1500.0]), label=_UNLIKELY),
        Case(torch.tensor([300.0, 500.0]), torch.tensor([301.0, 499.5]), label="both densities too large for a number"),
        Case(torch.tensor([-2.0, -math.inf, 0.0]), torch.tensor([-math.inf, -1.0, 900.0]),
             label="points that only one of the two can make"),
    ),
)
def best_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The best discriminator between two known densities: D(x) = P(x) / (P(x) + Q(x)).

    log_p, log_q: of one shape, log P(x) of the data and log Q(x) of the generator, in nats.
    The densities themselves may be too small or too large for a number (log -1500, +500),
    and one of the two may be 0 (log -inf).
    Returns D, a probability, of the same shape. (arXiv:1406.2661, proposition 1.)
    """
    return torch.sigmoid(log_p - log_q)


_D = "torch.sigmoid(log_p - log_q)"

best_discriminator.mistake(
    "P and Q swapped", "log_p - log_q", "log_q - log_p",
    "This is Q / (P + Q), the probability of being generated. D is that of being real.")
best_discriminator.mistake(
    "through the densities themselves", _D, "log_p.exp() / (log_p.exp() + log_q.exp())",
    "Right where the densities are moderate numbers, but exp(-800) is 0 and exp(500) infinite, and 0/0 follows. Only "
    "the difference of the logarithms is needed.")
best_discriminator.mistake(
    "a ratio of logarithms", _D, "log_p / (log_p + log_q)",
    "The logarithms are put in as if they were the densities.")
best_discriminator.mistake(
    "the ratio of the densities", _D, "torch.exp(log_p - log_q)",
    "This is P / Q, which may be anything above 0. D = P / (P + Q) = 1 / (1 + Q / P).")
best_discriminator.mistake(
    "the logit", _D, "log_p - log_q",
    "This is the logit of the best discriminator, log P - log Q. Its sigmoid is asked for.")
best_discriminator.mistake(
    "the logarithm of D", _D, "torch.nn.functional.logsigmoid(log_p - log_q)",
    "This is log D. D itself is asked for, between 0 and 1.")
best_discriminator.mistake(
    "over the average", _D, f"2 * {_D}",
    "Twice what is due: P is divided by the average (P + Q) / 2. That ratio stands in the Jensen-Shannon divergence; "
    "D is P over the sum.")
best_discriminator.mistake(
    "the density of the data alone", _D, "torch.sigmoid(log_p)",
    "Q has no say. Whether a point is real depends on how often the generator makes the same.")
best_discriminator.mistake(
    "a verdict", _D, "(log_p > log_q).float()",
    "This is a verdict, 0 or 1: which of the two is more probable. D says how probable it is.")
best_discriminator.mistake(
    "the sigmoid of the densities", _D, "torch.sigmoid(log_p.exp() - log_q.exp())",
    "The sigmoid is taken of the difference of the densities. It is the difference of their logarithms that it needs.")
best_discriminator.mistake(
    "normalised over the points", _D, "torch.softmax(log_p - log_q, 0)",
    "The answers of different points are made to add up to 1. Each point has its own D, between the two densities "
    "there.")
best_discriminator.mistake(
    "half the difference", "log_p - log_q", "(log_p - log_q) / 2",
    "The difference of the logarithms is halved: that gives √P / (√P + √Q).")
best_discriminator.mistake(
    "the sum of the logarithms", "log_p - log_q", "log_p + log_q",
    "The logarithms are added, which multiplies the densities. Their ratio counts: subtract.")
best_discriminator.mistake(
    "one number for all points", f"return {_D}", f"return {_D}.mean()",
    "There is one number, the average. Every point has its own D.")


@best_discriminator.symptom("through the densities themselves", errors_too=True)
def _(results):
    return all(r.right for r in results[:5])


@best_discriminator.symptom(
    "not ½ where P = Q",
    "Where both densities are the same nobody can tell, and D = ½; yours is not.")
def _(results):
    return any(r.case.label == "P = Q" and not r.right for r in usable(results))


@best_discriminator.symptom(
    "cut off near 0 and 1",
    "Right where both are possible, but near 0 and 1 your answer stops short: is it clamped, or something added? Where "
    "only one of the two can make a point, D is 0 or 1.")
def _(results):
    wrong = [r for r in results if not r.right]
    return len(usable(wrong)) == len(wrong) and all(
        ((r.value - 0.5).abs() <= (r.expected - 0.5).abs() + 1e-6).all()
        and ((r.expected - 0.5).abs() > 0.4)[~torch.isclose(r.value, r.expected, rtol=1e-4, atol=1e-5)].all()
        for r in wrong)


@best_discriminator.symptom(
    "no probability",
    "Some of your answers are not between 0 and 1.")
def _(results):
    return any(((r.value < 0) | (r.value > 1)).any() for r in usable(results))


@best_discriminator.symptom(
    "½ is right, the rest is not",
    "Where P = Q the answer is right, elsewhere it is not: D = 1 / (1 + Q / P), with Q / P = exp(log_q - log_p).")
def _(results):
    return right_on(results, "P = Q") and len(usable(results)) == len(results)


# 8

_RING = torch.stack([torch.tensor([math.cos(t), math.sin(t)]) for t in torch.arange(8) * math.pi / 4])
_GRID = torch.cartesian_prod(torch.arange(-4.0, 5.0, 2.0), torch.arange(-4.0, 5.0, 2.0))


def _around(centres: Tensor, modes: list[int], radii: list[float], sigma: float, seed: int) -> Tensor:
    """One sample for each of the modes named, so many σ from its centre, in some direction."""
    away = normal(len(modes), centres.shape[1], seed=seed)
    away = away / away.norm(dim=1, keepdim=True)
    return centres[modes] + sigma * torch.tensor(radii)[:, None] * away


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Each sample looks for its nearest mode. If that is within 3σ, the sample is good, and the mode is found; if "
        "not, the sample is good for nothing.",
        "`torch.cdist(samples, centres)` has all distances, (N, K); its minimum over the modes (axis 1) gives both "
        "the distance to the nearest and which one it is.",
        "With `nearest, mode = distances.min(1)` and `good = nearest <= 3 * sigma`: how many different values are in "
        "`mode[good]`, and which share of `good` is true?",
    ),
    cases=(
        Case(_around(_RING, [0, 0, 1, 2, 2, 2, 5], [0.5, 2.0, 1.2, 2.6, 0.1, 2.9, 1.9], 0.01, seed=111), _RING, 0.01,
             label="samples close to 4 of 8 modes"),
        Case(_around(_RING, [0, 0, 1, 2, 2, 3, 5, 7], [0.5, 3.4, 1.2, 2.6, 3.8, 5.0, 4.1, 2.2], 0.01, seed=112),
             _RING, 0.01, label="some samples astray"),
        Case(_around(_GRID, [0, 3, 3, 12, 24, 24, 24, 7, 8, 9], [0.5, 1.5, 9.0, 2.5, 1.1, 2.2, 12.0, 6.0, 2.8, 20.0],
                     0.05, seed=113), _GRID, 0.05, label="a grid of 25 modes"),
        Case(_around(_RING, [0, 1, 2], [5.0, 8.0, 20.0], 0.01, seed=114), _RING, 0.01, label="not one good sample"),
        Case(torch.tensor([[0.1], [1.6], [2.2], [9.5], [13.4]]),
             torch.tensor([[0.0], [2.0], [4.0], [10.0]]), 1.0, label="modes so close that their reaches overlap"),
        Case(_RING[:4] + 0.0235 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [0.5, 0.2]]), _RING, 0.01,
             label="three samples 3.3σ away, along the diagonal"),
        Case(_around(normal(3, 3, seed=115), [0, 0, 1, 1, 1], [2.5, 2.8, 1.5, 3.5, 2.9], 0.1, seed=116),
             normal(3, 3, seed=115), 0.1, label="three dimensions"),
        Case(_around(_RING, [4] * 30, [0.1 * i for i in range(30)], 0.01, seed=117), _RING, 0.01,
             label="all samples on one mode"),
        Case(_around(_GRID, [some(0, 24, seed=seed) for seed in range(20)],
                     [some(0, 24, seed=seed) / 5 + 0.1 for seed in range(20, 40)], 0.05, seed=118), _GRID, 0.05,
             label="20 samples on a grid"),
    ),
)
def mode_count(samples: Tensor, centres: Tensor, sigma: float) -> tuple[int, float]:
    """How many modes the samples capture, and which share of the samples is good.

    A sample is good ("high quality") if it is at most 3σ from the nearest centre. A mode is
    captured if it is the nearest one of at least one good sample.
    samples: (N, D); centres: (K, D); sigma: the standard deviation of each mode.
    Returns (captured, share): the number of captured modes, and the share of good samples,
    from 0 to 1. (The protocol of VEEGAN, arXiv:1705.07761.)
    """
    nearest, mode = torch.cdist(samples, centres).min(1)                        # (N,), (N,)
    good = nearest <= 3 * sigma
    return len(mode[good].unique()), good.double().mean().item()


_FOUND = "len(mode[good].unique())"

mode_count.mistake(
    "every nearest mode counts", "mode[good]", "mode",
    "A mode counts as captured if any sample is nearest to it, however far. Only good samples capture.")
mode_count.mistake(
    "every mode within reach counts", _FOUND,
    "(torch.cdist(samples, centres) <= 3 * sigma).any(0).sum().item()",
    "A mode counts as captured if a sample is within 3σ of it, even where that sample is nearer to another mode. Each "
    "sample counts for its nearest mode only.")
mode_count.mistake(
    "one σ", "3 * sigma", "sigma",
    "A sample counts as good up to 1σ. 3σ are allowed: beyond 1σ are 61 % of the true samples of a mode in two "
    "dimensions.")
mode_count.mistake(
    "two σ", "3 * sigma", "2 * sigma",
    "A sample counts as good up to 2σ. 3σ are allowed.")
mode_count.mistake(
    "the squared distance", "nearest <=", "nearest.square() <=",
    "The squared distance is compared with 3σ. Where distances are below 1, nearly everything passes.")
mode_count.mistake(
    "the variance", "3 * sigma", "3 * sigma**2",
    "The distance is compared with 3σ², three variances. `sigma` is the standard deviation already.")
mode_count.mistake(
    "3σ along each axis", "nearest <= 3 * sigma",
    "((samples - centres[mode]).abs() <= 3 * sigma).all(1)",
    "Each axis is compared with 3σ by itself: that is a square around the centre. Within 3σ is a disc; take the "
    "distance.")
mode_count.mistake(
    "distances along the axes added", "torch.cdist(samples, centres)", "torch.cdist(samples, centres, p=1.0)",
    "The distances along the axes are added up (the L1 norm). The straight distance is due.")
mode_count.mistake(
    "each centre asks for its nearest sample", "torch.cdist(samples, centres).min(1)",
    "torch.cdist(centres, samples).min(1)",
    "The minimum runs over the wrong axis: for every centre you look for the nearest sample. Every sample looks for "
    "its nearest centre.")
mode_count.mistake(
    "the bad ones", "nearest <=", "nearest >",
    "These are the samples farther than 3σ. The good ones are at most 3σ away.")
mode_count.mistake(
    "good samples are counted", "good.double().mean().item()", "good.sum().item()",
    "The second number is how many samples are good. Their share is asked for, from 0 to 1.")
mode_count.mistake(
    "per cent", "good.double().mean().item()", "100 * good.double().mean().item()",
    "The second number is in per cent. A share from 0 to 1 is asked for.")
mode_count.mistake(
    "the share of the modes", f"{_FOUND},", f"{_FOUND} / len(centres),",
    "The first number is the share of the modes that are captured. Their number is asked for.")
mode_count.mistake(
    "good samples instead of modes", _FOUND, "good.sum().item()",
    "The first number counts the good samples. Several of them may sit on one mode: count the different modes.")
mode_count.mistake(
    "the share over the modes", "good.double().mean().item()", "(good.sum() / len(centres)).item()",
    "The good samples are divided by the number of modes. Their share is over all samples.")
mode_count.mistake(
    "in reverse order", f"return {_FOUND}, good.double().mean().item()",
    f"return good.double().mean().item(), {_FOUND}",
    "The order is: first the number of captured modes, then the share of good samples.")
mode_count.mistake(
    "the share over all pairs", "good.double().mean().item()",
    "(torch.cdist(samples, centres) <= 3 * sigma).double().mean().item()",
    "The share is over all pairs of a sample and a centre. Each sample is good or not: over the samples.")
mode_count.mistake(
    "missed modes are counted", f"{_FOUND},", f"len(centres) - {_FOUND},",
    "The first number is how many modes are missed. Those that are captured are asked for.")
mode_count.mistake(
    "the mode must have its share", _FOUND,
    "int((torch.bincount(mode[good], minlength=len(centres)) * len(centres) >= len(samples)).sum())",
    "A mode counts as captured only if it has its full share of the samples. One good sample is enough.")


def _both(results):
    """(what came, what is due) as pairs (captured, share)."""
    return [(r.value, r.expected) for r in usable(results)]


@mode_count.symptom(
    "no sample is good",
    "Where not one sample is good, no mode is captured and the share is 0: does your function allow for that?",
    errors_too=True)
def _(results):
    return others_right(results, "not one good sample")


@mode_count.symptom(
    "the share is right, the count is not",
    "The share of good samples is right, the number of captured modes is not: how many different modes are the nearest "
    "of a good sample?")
def _(results):
    both = _both(results)
    return len(both) == len(results) and all(torch.isclose(v[1], e[1], atol=1e-4) for v, e in both)


@mode_count.symptom(
    "the count is right, the share is not",
    "The number of captured modes is right, the share is not: of all samples, how many are at most 3σ from the nearest "
    "centre?")
def _(results):
    both = _both(results)
    return len(both) == len(results) and all(v[0] == e[0] for v, e in both)


@mode_count.symptom(
    "what is good",
    "Both numbers are wrong. A sample is good if the straight distance to its nearest centre is at most 3σ: begin "
    "there.")
def _(results):
    return len(usable(results)) == len(results)
