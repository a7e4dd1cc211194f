"""The exercises of notebook 05: right answers in other words, and wrong ones that are no mistake of the lists.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import cmath
import itertools
import math

import numpy as np
import pytest
import torch
from spoilt import verdicts
from torch.distributions import Categorical, Normal, kl_divergence

from gencourse.exercises import failures
from gencourse.exercises.failures import (
    ascend,
    birthday_support,
    collapse_score,
    dirac_eigenvalues,
    free_bits_kl,
    memorisation_score,
)
from gencourse.exercises.machine.exercise import Exercise

EXERCISES = {name: thing for name, thing in vars(failures).items() if isinstance(thing, Exercise)}
RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


# collapse_score


@right
def collapse_score__looped(labels, n_classes):
    labels, score = labels.tolist(), 0.0
    for k in range(n_classes):
        s = labels.count(k) / len(labels)
        if s > 0:
            score += s * math.log(s * n_classes)
    return score


@right
def collapse_score__library(labels, n_classes):
    share = torch.bincount(labels, minlength=n_classes) / len(labels)
    return kl_divergence(Categorical(probs=share), Categorical(probs=torch.ones(n_classes)))


@right
def collapse_score__numpy(labels, n_classes):
    _, counts = np.unique(labels.numpy(), return_counts=True)
    share = counts / counts.sum()
    return np.sum(share * np.log(share)) + np.log(n_classes)


@right
def collapse_score__a_little_added(labels, n_classes):
    share = torch.nn.functional.one_hot(labels, n_classes).double().mean(0)
    return (share * torch.log(share * n_classes + 1e-12)).sum()


@right
def collapse_score__of_every_sample(labels, n_classes):
    share = (labels[:, None] == labels).double().mean(1)
    return (share.log() + math.log(n_classes)).mean()


@right
def collapse_score__entropy(labels, n_classes):
    return math.log(n_classes) - Categorical(torch.bincount(labels).double()).entropy()


# free_bits_kl


@right
def free_bits_kl__library(mean, log_var, free):
    kl = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).mean(0)
    return torch.maximum(kl, torch.full_like(kl, free)).sum()


@right
def free_bits_kl__looped(mean, log_var, free):
    total = 0
    for m, s in zip(mean.T, log_var.T):
        kl = (s.exp() - 1 - s + m.square()).sum() / 2 / len(m)
        total = total + (kl if kl > free else free)
    return total


@right
def free_bits_kl__excess(mean, log_var, free):
    mean, log_var = mean.double(), log_var.double()
    kl = -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).mean(dim=0)
    return torch.relu(kl - free).sum() + free * mean.shape[1]


@right
def free_bits_kl__where(mean, log_var, free):
    kl = (torch.expm1(log_var) - log_var + mean * mean).mean(0) / 2
    return torch.where(kl > free, kl, torch.tensor(free)).sum()


# memorisation_score


@right
def memorisation_score__looped(train, held_out, samples):
    def nearest(x):
        return min(math.dist(x.tolist(), t) for t in train.tolist())

    d, h = [nearest(x) for x in samples], [nearest(x) for x in held_out]
    u = sum((a > b) + 0.5 * (a == b) for a in d for b in h)
    n_pairs = len(d) * len(h)
    return (u - n_pairs / 2) / (n_pairs * (len(d) + len(h) + 1) / 12) ** 0.5


@right
def memorisation_score__signs(train, held_out, samples):
    d = (samples[:, None] - train).double().norm(dim=-1).min(1).values
    h = (held_out[:, None] - train).double().norm(dim=-1).min(1).values
    total = torch.sign(d[:, None] - h[None]).sum() / 2
    return total / math.sqrt(len(d) * len(h) / 12) / math.sqrt(len(d) + len(h) + 1)


@right
def memorisation_score__squares(train, held_out, samples):
    """The squares of the distances are in the same order."""
    d = (samples[:, None] - train).square().sum(-1).amin(1).numpy()
    h = (held_out[:, None] - train).square().sum(-1).amin(1).numpy()
    u = np.subtract.outer(d, h)
    u = (u > 0).sum() + (u == 0).sum() / 2
    return (u - d.size * h.size / 2) / np.sqrt(d.size * h.size * (d.size + h.size + 1) / 12)


@right
def memorisation_score__ranks(train, held_out, samples):
    d, h = torch.cdist(samples, train).min(1).values, torch.cdist(held_out, train).min(1).values
    everything = torch.cat([d, h])
    rank = ((everything[:, None] > everything).sum(1) + (everything[:, None] == everything).sum(1) / 2 + 0.5).double()
    m, n = len(d), len(h)
    return (rank[:m].sum() - m * (m + n + 1) / 2) / math.sqrt(m * n * (m + n + 1) / 12)


# ascend


@right
def ascend__sgd(discriminator, x, steps, lr):
    x = x.clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=lr, maximize=True)
    for _ in range(steps):
        optimizer.zero_grad()
        discriminator(x).sum().backward(inputs=[x])
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x


@right
def ascend__image_by_image(discriminator, x, steps, lr):
    out = []
    for image in x:
        image = image[None].clone()
        for _ in range(steps):
            image.requires_grad_(True)
            slope = torch.autograd.grad(discriminator(image)[0], image)[0]
            image = torch.clip(image.detach() + slope * lr, 0.0, 1.0)
        out.append(image[0].detach().numpy())
    return np.stack(out)


@right
def ascend__frozen_for_a_while(discriminator, x, steps, lr):
    discriminator.requires_grad_(False)
    x = x.detach().clone()
    for _ in range(steps):
        x.requires_grad_(True)
        x.grad = None
        discriminator(x).sum().backward()
        x = (x.data + lr * x.grad).clamp(min=0, max=1)
    discriminator.requires_grad_(True)
    return x


@right
def ascend__descends_the_negative(discriminator, x, steps, lr):
    x = x + 0
    while steps:
        leaf = torch.autograd.Variable(x, requires_grad=True)
        out = discriminator(leaf)
        (slope,) = torch.autograd.grad(-out, leaf, torch.ones_like(out))
        x = torch.minimum(torch.maximum(x - lr * slope, torch.zeros(())), torch.ones(()))
        steps -= 1
    return x.double()


# dirac_eigenvalues


@right
def dirac_eigenvalues__library(gamma):
    return torch.linalg.eigvals(torch.tensor([[0.0, -0.5], [0.5, -gamma]]))


@right
def dirac_eigenvalues__numpy(gamma):
    return np.linalg.eigvals(np.array([[0.0, -0.5], [0.5, -gamma]]))


@right
def dirac_eigenvalues__discriminator_first(gamma):
    return np.linalg.eigvals([[-gamma, 0.5], [-0.5, 0]]).tolist()


@right
def dirac_eigenvalues__cmath(gamma):
    root = cmath.sqrt(gamma * gamma - 1)
    return [(-gamma - root) / 2, (-gamma + root) / 2]


@right
def dirac_eigenvalues__roots(gamma):
    return np.roots([1, gamma, 0.25])


@right
def dirac_eigenvalues__power_of_a_float(gamma):
    root = (gamma**2 / 4 - 0.25) ** 0.5
    return -gamma / 2 + root, -gamma / 2 - root


@right
def dirac_eigenvalues__real_where_they_are(gamma):
    if gamma >= 1:
        return torch.tensor([-gamma / 2 + math.sqrt(gamma**2 - 1) / 2, -gamma / 2 - math.sqrt(gamma**2 - 1) / 2])
    return torch.complex(torch.full((2,), -gamma / 2), torch.tensor([0.5, -0.5]) * math.sqrt(1 - gamma**2))


@right
def dirac_eigenvalues__by_autograd(gamma):
    with torch.inference_mode(False), torch.enable_grad():

        def field(at):
            slope = torch.sigmoid(-at[0] * at[1])
            return torch.stack([-at[1] * slope, at[0] * slope - gamma * at[1]])

        jacobian = torch.autograd.functional.jacobian(field, torch.zeros(2, dtype=torch.float64))
    return torch.linalg.eigvals(jacobian)


# birthday_support


@right
def birthday_support__looped(samples, threshold):
    pairs = list(itertools.combinations(samples.tolist(), 2))
    n = sum(math.dist(a, b) <= threshold for a, b in pairs)
    return len(pairs) / n if n else float("inf")


@right
def birthday_support__table(samples, threshold):
    near = (samples[:, None] - samples).double().norm(dim=-1) <= threshold
    return near.numel() / 2 * (1 - 1 / len(samples)) / near.triu(1).sum()


@right
def birthday_support__less_the_diagonal(samples, threshold):
    s = samples.shape[0]
    n = int((torch.cdist(samples, samples) <= threshold).sum()) - s
    return math.inf if n == 0 else s * (s - 1) / n


@right
def birthday_support__numpy(samples, threshold):
    x = samples.numpy()
    i, j = np.triu_indices(len(x), 1)
    with np.errstate(divide="ignore"):
        return np.float64(i.size) / (np.square(x[i] - x[j]).sum(1) < threshold**2).sum()


# Wrong answers that are no mistake of the lists, or are written otherwise


def shares(labels, n_classes):
    return torch.bincount(labels, minlength=n_classes).double() / len(labels)


def kl_of(mean, log_var):
    return 0.5 * (log_var.exp() - 1 - log_var + mean**2)


def nearest(x, train):
    return torch.cdist(x, train).amin(1)


def mann_whitney(d, h):
    u = ((d[:, None] > h).double() + 0.5 * (d[:, None] == h)).sum()
    m, n = len(d), len(h)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def climb(step=lambda x, slope, lr: (x + lr * slope).clamp(0, 1), total=torch.sum, after=None, before=None):
    """Ascent, with something changed."""

    def answer(discriminator, x, steps, lr):
        if before:
            before(discriminator, x)
        for _ in range(steps):
            x = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(total(discriminator(x)), x)
            x = step(x, slope, lr)
        if after:
            after(discriminator, x)
        return x.detach()

    return answer


def with_adam(discriminator, x, steps, lr):
    x = x.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=lr, maximize=True)
    for _ in range(steps):
        optimizer.zero_grad()
        discriminator(x).sum().backward(inputs=[x])
        optimizer.step()
        x.data.clamp_(0, 1)
    return x


def without_zeroing(discriminator, x, steps, lr):
    x = x.clone().requires_grad_()
    for _ in range(steps):
        discriminator(x).sum().backward(inputs=[x])
        x.data += lr * x.grad
        x.data.clamp_(0, 1)
    return x


def filling(discriminator, x, steps, lr):
    x = x.clone()
    for _ in range(steps):
        x = x.detach().requires_grad_()
        discriminator(x).sum().backward()
        x = (x + lr * x.grad).clamp(0, 1)
    return x


def wiping(discriminator, x, steps, lr):
    x = filling(discriminator, x, steps, lr)
    discriminator.zero_grad()
    return x


def in_place(discriminator, x, steps, lr):
    for _ in range(steps):
        leaf = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(leaf).sum(), leaf)
        x += lr * slope
        x.clamp_(0, 1)
    return x.clone()


def trains_the_judge(discriminator, x, steps, lr):
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        (-discriminator(x).sum()).backward()
        optimizer.step()
    return x


def evaluating(discriminator, x, steps, lr):
    discriminator.eval()
    return ascend.reference(discriminator, x, steps, lr)


def under_no_grad(discriminator, x, steps, lr):
    with torch.no_grad():
        return ascend.reference(discriminator, x, steps, lr)


def pair(real, imaginary):
    return lambda gamma: [complex(real(gamma), imaginary(gamma)), complex(real(gamma), -imaginary(gamma))]


def near(samples):
    return torch.cdist(samples, samples)


def support(count, pairs=lambda s: s * (s - 1) / 2, none=math.inf):
    def answer(samples, threshold):
        n = float(count(samples, threshold))
        return pairs(len(samples)) / n if n else none

    return answer


WRONG = [
    (collapse_score, lambda c, k: (shares(c, k) * (k * shares(c, k)).log()).sum(), "0 · log 0"),
    (
        collapse_score,
        lambda c, k: math.log(k) - Categorical(torch.bincount(c) + 0.1).entropy(),
        "not log K where one class is left",
    ),
    (
        collapse_score,
        lambda c, k: math.log(len(c.unique())) - torch.special.entr(shares(c, k)).sum(),
        "only the classes that occur",
    ),
    (
        collapse_score,
        lambda c, k: math.log(len(torch.bincount(c))) - torch.special.entr(shares(c, k)).sum(),
        "only up to the largest class",
    ),
    (
        collapse_score,
        lambda c, k: (shares(c, k) * (k * shares(c, k) + 1e-12).log()).mean(),
        "averaged over the classes",
    ),
    (
        collapse_score,
        lambda c, k: math.log(k) - torch.special.entr(shares(c, k) + 0.01).sum(),
        "not 0 where all classes come alike",
    ),
    (
        collapse_score,
        lambda c, k: -(shares(c, k).clamp(min=1e-3) * k).log().mean(),
        "not log K where one class is left",
    ),
    (collapse_score, lambda c, k: shares(c, k).std(), "not log K where one class is left"),
    (collapse_score, lambda c, k: 1 - len(c.unique()) / k, "not log K where one class is left"),
    (collapse_score, lambda c, k: math.log(k / len(c.unique())), "differs"),
    (collapse_score, lambda c, k: math.log(k) - math.log(1 / shares(c, k).square().sum()), "differs"),
    (collapse_score, lambda c, k: math.log(k) + shares(c, k).max().log(), "differs"),
    (
        collapse_score,
        lambda c, k: math.log2(k) - torch.special.entr(shares(c, k)).sum() / math.log(2),
        "bits instead of nats",
    ),
    (collapse_score, lambda c, k: -(shares(c, k) * (k * shares(c, k) + 1e-12).log()).sum(), "the sign is turned"),
    (collapse_score, lambda c, k: shares(c, k), "wrong shape"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).mean(0).clamp(max=f).sum(), "the smaller of the two"),
    (free_bits_kl, lambda m, s, f: torch.relu(kl_of(m, s).mean(0) - f).sum(), "what is above the allowance"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).clamp(min=f).sum(1).mean(), "for each example by itself"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).clamp(min=f).mean(), "the KL itself is wrong"),
    (
        free_bits_kl,
        lambda m, s, f: torch.where(kl_of(m, s) > f, kl_of(m, s), f).sum() / len(m),
        "for each example by itself",
    ),
    (free_bits_kl, lambda m, s, f: (kl_of(m, s).mean(0) - f).abs().sum(), "differs"),
    (
        free_bits_kl,
        lambda m, s, f: torch.logaddexp(kl_of(m, s).mean(0), torch.tensor(f)).sum(),
        "the KL itself is wrong",
    ),
    (
        free_bits_kl,
        lambda m, s, f: torch.where(kl_of(m, s).mean(0) > f, kl_of(m, s).mean(0), 0.9 * f).sum(),
        "below the allowance",
    ),
    (
        free_bits_kl,
        lambda m, s, f: (kl_of(m, s).mean(0) + (f - kl_of(m, s).mean(0)).clamp(min=0).detach()).sum(),
        "idle dimensions learn",
    ),
    (free_bits_kl, lambda m, s, f: kl_of(m, s.detach()).mean(0).clamp(min=f).sum(), "the gradients are wrong"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).mean(0).clamp(min=f).sum().item(), "no gradient"),
    (free_bits_kl, lambda m, s, f: np.maximum(kl_of(m, s).numpy().mean(0), f).sum(), "no gradient"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).mean(0, keepdim=True).clamp(min=f).sum(1), "wrong shape"),
    (free_bits_kl, lambda m, s, f: kl_of(m, (s / 2).exp()).mean(0).clamp(min=f).sum(), "the KL itself is wrong"),
    (free_bits_kl, lambda m, s, f: kl_of(m, s).median(0).values.clamp(min=f).sum(), "the KL itself is wrong"),
    (memorisation_score, lambda t, h, s: mann_whitney(nearest(h, t), nearest(s, t)), "the sign is turned"),
    (memorisation_score, lambda t, h, s: mann_whitney(nearest(s, h), nearest(h, s)), "the wrong count of pairs"),
    (memorisation_score, lambda t, h, s: mann_whitney(nearest(s, t), nearest(s, h)), "the wrong count of pairs"),
    (memorisation_score, lambda t, h, s: mann_whitney(nearest(t, s), nearest(t, h)), "the minimum over the wrong axis"),
    (
        memorisation_score,
        lambda t, h, s: (nearest(s, t) < nearest(h, t).min()).double().mean(),
        "the wrong count of pairs",
    ),
    (memorisation_score, lambda t, h, s: nearest(s, t).log().mean() - nearest(h, t).log().mean(), "not a number"),
    (memorisation_score, lambda t, h, s: nearest(s, t).median() - nearest(h, t).median(), "the wrong count of pairs"),
    (memorisation_score, lambda t, h, s: 2 * mann_whitney(nearest(s, t), nearest(h, t)), "off by a constant factor"),
    (memorisation_score, lambda t, h, s: mann_whitney(nearest(s, t), nearest(h, t)).abs(), "the sign is lost"),
    (
        memorisation_score,
        lambda t, h, s: (
            mann_whitney(nearest(s, t), nearest(h, t)) * math.sqrt((len(s) + len(h) + 1) / (len(s) + len(h) - 1))
        ),
        "the scale",
    ),
    (
        memorisation_score,
        lambda t, h, s: (mann_whitney(nearest(s, t), nearest(h, t)) < -2).double(),
        "the wrong count of pairs",
    ),
    (memorisation_score, lambda t, h, s: (nearest(s, t) > nearest(h, t)).double().mean(), "RuntimeError"),
    (
        memorisation_score,
        lambda t, h, s: mann_whitney(torch.cdist(s, t).argmin(1), torch.cdist(h, t).argmin(1)),
        "the wrong count of pairs",
    ),
    (
        memorisation_score,
        lambda t, h, s: mann_whitney(nearest(s, t).round(), nearest(h, t).round()),
        "the wrong count of pairs",
    ),
    (ascend, climb(lambda x, g, lr: (x - lr * g).clamp(0, 1)), "downhill"),
    (ascend, climb(lambda x, g, lr: x + lr * g), "pixels leave 0 to 1"),
    (ascend, climb(lambda x, g, lr: x + lr * g, after=lambda d, x: x.data.clamp_(0, 1)), "put back at the end only"),
    (ascend, climb(lambda x, g, lr: (x + lr * g / (g.norm() + 1e-8)).clamp(0, 1)), "the step is wrong"),
    (ascend, climb(lambda x, g, lr: (x + lr * g) % 1), "right until a bound is met"),
    (ascend, climb(lambda x, g, lr: (x + lr * g).abs().clamp(max=1)), "right until a bound is met"),
    (ascend, climb(lambda x, g, lr: (x + lr * g).clamp(0.01, 0.99)), "right until a bound is met"),
    (ascend, climb(lambda x, g, lr: (x + lr * g + 0.01 * torch.randn_like(x)).clamp(0, 1)), "the step is wrong"),
    (ascend, climb(total=lambda d: d.max()), "right for a single image only"),
    (ascend, climb(total=lambda d: d[0]), "right for a single image only"),
    (ascend, climb(total=lambda d: d.square().sum()), "the step is wrong"),
    (ascend, climb(total=lambda d: (1 - d.sigmoid()).log().sum()), "the step is wrong"),
    (ascend, climb(after=lambda d, x: [w.data.mul_(0.9) for w in d.parameters()]), "the discriminator moves"),
    (ascend, with_adam, "the step is wrong"),
    (ascend, without_zeroing, "gradients add up"),
    (ascend, filling, "the discriminator's gradients are filled"),
    (ascend, wiping, "the discriminator's gradients are filled"),
    (ascend, in_place, "the images handed in are changed"),
    (ascend, trains_the_judge, "the discriminator moves"),
    (ascend, evaluating, "a player stays frozen"),
    (ascend, climb(lambda x, g, lr: (x + lr * g).clamp(max=1)), "pixels leave 0 to 1"),
    (ascend, climb(lambda x, g, lr: (x + lr * g / len(x)).clamp(0, 1)), "the mean of the logits"),
    (ascend, under_no_grad, "RuntimeError"),
    (ascend, lambda d, x, steps, lr: ascend.reference(d, x, steps, lr).flatten(1), "wrong shape"),
    (ascend, lambda d, x, steps, lr: ascend.reference(d, x, max(steps, 1), lr), "`steps = 0` goes wrong"),
    (ascend, lambda d, x, steps, lr: x, "the step is wrong"),
    (
        dirac_eigenvalues,
        lambda g: [-g / 2 + math.sqrt(g**2 / 4 - 0.25), -g / 2 - math.sqrt(g**2 / 4 - 0.25)],
        "the real root of a negative number",
    ),
    (
        dirac_eigenvalues,
        lambda g: -g / 2 + np.array([1, -1]) * np.sqrt(g**2 / 4 - 0.25),
        "the real root of a negative number",
    ),
    (
        dirac_eigenvalues,
        lambda g: -g / 2 + torch.tensor([1, -1]) * torch.tensor(g**2 / 4 - 0.25).sqrt(),
        "the real root of a negative number",
    ),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -1], [1, -g]]), "the slope at 0 taken as 1"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, 0.5], [0.5, -g]]), "a saddle"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[-g, -0.5], [0.5, -g]]), "both players punished"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, g]]), "the penalty pushes away"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, -g / 2]]), "the penalty halved"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, -2 * g]]), "the penalty counted twice"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, 0]]), "without the penalty"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvalsh([[0, -0.5], [0.5, -g]]), "a saddle"),
    (dirac_eigenvalues, lambda g: np.linalg.svd([[0, -0.5], [0.5, -g]])[1], "not ±i/2 without a penalty"),
    (dirac_eigenvalues, lambda g: np.abs(np.linalg.eigvals([[0, -0.5], [0.5, -g]])), "not ±i/2 without a penalty"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, -g]]).real, "nothing below 0 under the root"),
    (dirac_eigenvalues, lambda g: np.linalg.eigvals([[0, -0.5], [0.5, -(g**2)]]), "the trace is wrong"),
    (dirac_eigenvalues, lambda g: [-g / 2 + 0.5j, -g / 2 + 0.5j], "not ±i/2 without a penalty"),
    (dirac_eigenvalues, pair(lambda g: -g / 2, lambda g: 0.5), "the penalty before the root only"),
    (dirac_eigenvalues, pair(lambda g: -g / 2, lambda g: abs(g**2 / 4 - 0.25)), "not ±i/2 without a penalty"),
    (dirac_eigenvalues, pair(lambda g: -g / 2, lambda g: abs(g - 1) / 2), "the determinant is wrong"),
    (dirac_eigenvalues, lambda g: cmath.sqrt(g**2 / 4 - 0.25) - g / 2, "wrong shape"),
    (dirac_eigenvalues, lambda g: np.eye(2), "wrong shape"),
    (dirac_eigenvalues, lambda g: "stable", "wrong type"),
    (birthday_support, support(lambda x, t: (near(x) <= t).sum()), "the whole table is counted"),
    (birthday_support, support(lambda x, t: (near(x) <= t).triu().sum()), "each sample paired with itself"),
    (birthday_support, support(lambda x, t: (near(x) <= t).sum() - len(x)), "every pair counted twice"),
    (
        birthday_support,
        support(lambda x, t: (torch.pdist(x) <= t).sum(), lambda s: s * (s - 1)),
        "all pairs counted twice",
    ),
    (
        birthday_support,
        support(lambda x, t: (torch.pdist(x) <= t).sum(), lambda s: s**2),
        "not 1 where all are the same",
    ),
    (birthday_support, support(lambda x, t: len(x) - len(x.unique(dim=0))), "right without repetitions"),
    (birthday_support, support(lambda x, t: (near(x) <= t).triu(1).any(0).sum()), "repetitions instead of pairs"),
    (birthday_support, support(lambda x, t: (torch.pdist(x) < t / 3).sum()), "what coincides"),
    (birthday_support, support(lambda x, t: (torch.pdist(x) <= t).sum(), none=-1.0), "no two alike"),
    (birthday_support, lambda x, t: len(x) * (len(x) - 1) / 2 / int((torch.pdist(x) <= t).sum()), "no two alike"),
    (birthday_support, lambda x, t: float(len(x) ** 2), "not 1 where all are the same"),
    (
        birthday_support,
        lambda x, t: len(x) * (len(x) - 1) / 2 / ((torch.pdist(x) <= t).sum().item() + 1e-9),
        "no two alike",
    ),
    (
        birthday_support,
        support(lambda x, t: ((x[:, None] - x).abs() <= t).all(-1).triu(1).sum()),
        "each number by itself",
    ),
    (
        birthday_support,
        support(lambda x, t: (near(x) <= t).fill_diagonal_(False).any(1).sum()),
        "samples that have a duplicate",
    ),
    (birthday_support, support(lambda x, t: (torch.pdist(x[:, :1]) <= t).sum()), "what coincides"),
    (
        birthday_support,
        support(lambda x, t: (torch.pdist(x) <= t).any(), lambda s: s * s),
        "the square of the sample size",
    ),
    (birthday_support, lambda x, t: int((torch.pdist(x) <= t).sum()) > 0, "differs"),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "diagnosis"),
    WRONG,
    ids=[f"{exercise.name}: {diagnosis}" for exercise, _, diagnosis in WRONG],
)
def test_wrong_answers(exercise, answer, diagnosis):
    verdict = exercise.grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


SPOILT = {
    "nothing": lambda v: None,
    "a word": lambda v: "collapsed",
    "one axis more": lambda v: torch.as_tensor(v)[None],
    "empty": lambda v: torch.zeros(0),
    "NaN": lambda v: torch.as_tensor(v) * math.nan,
    "infinite": lambda v: torch.as_tensor(v) - math.inf,
    "one NaN": lambda v: torch.where(
        torch.arange(torch.as_tensor(v).numel()).reshape(torch.as_tensor(v).shape) == 0, math.nan, torch.as_tensor(v)
    ),
    "huge": lambda v: torch.as_tensor(v) * 1e9 + 1,
    "complex": lambda v: torch.as_tensor(v) * (1 + 2j),
}


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("input_", ["every input", 0, 3])
def test_no_answer_confuses_the_check(name, spoil, input_):
    """Whatever comes back, on all inputs or on one, there is a verdict."""
    for verdict in verdicts(EXERCISES[name], spoil, input_):
        assert verdict.message and not (verdict.passed and input_ == "every input")
