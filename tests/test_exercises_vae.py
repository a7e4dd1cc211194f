"""The exercises of notebook 03: right answers in other words, and wrong ones that are no mistake of the lists.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import math

import numpy as np
import pytest
import torch
from spoilt import verdicts
from test_exercises_blank_vae import RIGHT as WHOLE_MODELS
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from gencourse.exercises import vae
from gencourse.exercises.vae import (
    active_units,
    elbo,
    gaussian_kl,
    importance_bound,
    interpolate,
    reparameterise,
    score_function_gradient,
)

RIGHT = [*WHOLE_MODELS]


def right(fn):
    RIGHT.append(fn)
    return fn


# reparameterise: any way of drawing from the generator will do


@right
def reparameterise__looped(mean, log_var, generator):
    flat = [
        m + (s / 2).exp() * torch.randn((), generator=generator) for m, s in zip(mean.reshape(-1), log_var.reshape(-1))
    ]
    return torch.stack(flat).reshape(mean.shape)


@right
def reparameterise__normal_of_fixed_parameters(mean, log_var, generator):
    e = torch.normal(0.0, 1.0, mean.shape, generator=generator)
    return torch.addcmul(mean, log_var.exp().sqrt(), e)


@right
def reparameterise__in_place_on_its_own(mean, log_var, generator):
    e = torch.empty_like(mean).normal_(generator=generator)
    return e.mul_((0.5 * log_var).exp()).add_(mean)


@right
def reparameterise__float64(mean, log_var, generator):
    e = torch.randn(*mean.shape, generator=generator, dtype=torch.float64)
    return mean.double() + e * torch.pow(math.e, log_var.double() / 2)


@right
def reparameterise__box_muller(mean, log_var, generator):
    u, v = (torch.rand(mean.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    e = torch.sqrt(-2 * torch.log(1 - u)) * torch.cos(2 * math.pi * v)
    return mean + (log_var / 2).exp() * e.float()


@right
def reparameterise__distribution(mean, log_var, generator):
    q = Normal(mean, log_var.mul(0.5).exp())
    e = torch.randn(q.batch_shape, generator=generator)
    return q.loc + q.scale * e


@right
def reparameterise__from_the_last_row_to_the_first(mean, log_var, generator):
    rows = []
    for m, s in zip(mean.flip(0), log_var.flip(0)):
        rows.insert(0, m - torch.exp(s / 2) * torch.randn(m.shape, generator=generator))
    return rows


# score_function_gradient


@right
def score_function_gradient__autograd(f, z, mean, log_var):
    with torch.inference_mode(False), torch.enable_grad():
        m = mean.clone().requires_grad_()
        log_q = Normal(m, (log_var.clone() / 2).exp()).log_prob(z.clone()).sum(1)
        return torch.autograd.grad((f.clone() * log_q).mean(), m)[0]


@right
def score_function_gradient__looped(f, z, mean, log_var):
    total = [0.0] * len(mean)
    for value, code in zip(f.tolist(), z.tolist()):
        for j, c in enumerate(code):
            total[j] += value * (c - float(mean[j])) / math.exp(float(log_var[j])) / len(f)
    return total


@right
def score_function_gradient__matrix_product(f, z, mean, log_var):
    return f @ ((z - mean) * torch.exp(-log_var)) / f.numel()


@right
def score_function_gradient__numpy(f, z, mean, log_var):
    f, z, mean, log_var = (a.double().numpy() for a in (f, z, mean, log_var))
    return np.einsum("s,sj->j", f, z - mean) / np.exp(log_var) / len(f)


@right
def score_function_gradient__in_place(f, z, mean, log_var):
    z -= mean
    z /= log_var.exp_()
    z *= f.unsqueeze(1)
    return z.sum(0).div_(len(z))


# gaussian_kl


@right
def gaussian_kl__library(mean, log_var):
    q = Normal(mean, torch.exp(log_var / 2))
    return kl_divergence(q, Normal(0.0, 1.0)).sum(-1)


@right
def gaussian_kl__looped(mean, log_var):
    out = []
    for m, s in zip(mean, log_var):
        kl = 0
        for j in range(len(m)):
            kl = kl + (s[j].exp() - 1 - s[j] + m[j] * m[j]) / 2
        out.append(kl)
    return out


@right
def gaussian_kl__float64(mean, log_var):
    mean, log_var = mean.double(), log_var.double()
    return -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp(), dim=-1)


@right
def gaussian_kl__standard_deviation(mean, log_var):
    std = log_var.div(2).exp()
    return (0.5 * (std**2 + mean**2) - 0.5 - std.log()).sum(dim=1)


@right
def gaussian_kl__expm1(mean, log_var):
    return torch.einsum("bj->b", torch.expm1(log_var) - log_var + mean.square()) / 2


@right
def gaussian_kl__in_place(mean, log_var):
    kl = log_var.exp() - 1
    kl -= log_var
    kl += mean * mean
    return kl.sum(1).mul_(0.5)


# elbo


@right
def elbo__library(x, logits, kl, beta=1.0):
    return Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1) - beta * kl


@right
def elbo__cross_entropy(x, logits, kl, beta=1.0):
    loss = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return -(loss.sum(dim=tuple(range(1, x.dim()))) + beta * kl)


@right
def elbo__log_sigmoid(x, logits, kl, beta=1.0):
    return torch.where(x == 1, F.logsigmoid(logits), F.logsigmoid(-logits)).reshape(len(x), -1).sum(-1) - kl * beta


@right
def elbo__looped(x, logits, kl, beta=1.0):
    out = []
    for i in range(len(x)):
        total = -beta * kl[i]
        for pixel, logit in zip(x[i].flatten().tolist(), logits[i].flatten()):
            total = total - F.softplus(-logit if pixel else logit)
        out.append(total)
    return torch.stack(out)


@right
def elbo__float64(x, logits, kl, beta=1.0):
    logits = logits.double().flatten(1)
    signed = (2 * x.flatten(1) - 1) * logits
    return -torch.logaddexp(torch.zeros_like(signed), -signed).sum(1) - beta * kl


@right
def elbo__in_place(x, logits, kl, beta=1.0):
    x *= logits
    bound = x.flatten(1).sum(1)
    bound -= F.softplus(logits).flatten(1).sum(1)
    bound -= kl.mul_(beta)
    return bound


# importance_bound


@right
def importance_bound__maximum(log_px_z, log_pz, log_qz):
    log_w = log_px_z + log_pz - log_qz
    top = log_w.max(dim=0, keepdim=True).values
    return torch.log(torch.mean(torch.exp(log_w - top), dim=0)) + top.squeeze(0)


@right
def importance_bound__looped(log_px_z, log_pz, log_qz):
    n_draws, batch = log_px_z.shape
    out = []
    for b in range(batch):
        total = -math.inf
        for s in range(n_draws):
            total = np.logaddexp(total, float(log_px_z[s, b] + log_pz[s, b] - log_qz[s, b]))
        out.append(total - math.log(n_draws))
    return out


@right
def importance_bound__float64(log_px_z, log_pz, log_qz):
    log_w = log_px_z.double() + (log_pz.double() - log_qz.double())
    return (log_w - math.log(log_w.shape[0])).logsumexp(dim=0)


@right
def importance_bound__in_place(log_px_z, log_pz, log_qz):
    log_px_z += log_pz
    log_px_z -= log_qz
    top = log_px_z.amax(0)
    log_px_z -= top
    return log_px_z.exp_().mean(0).log_().add_(top)


@right
def importance_bound__cumulative(log_px_z, log_pz, log_qz):
    log_w = (log_px_z + log_pz).sub(log_qz)
    return torch.logcumsumexp(log_w, 0)[-1] - torch.tensor(float(len(log_w))).log()


@right
def importance_bound__numpy(log_px_z, log_pz, log_qz):
    log_w = (log_px_z + log_pz - log_qz).numpy()
    return np.logaddexp.reduce(log_w, axis=0) - np.log(log_w.shape[0])


# interpolate


@right
def interpolate__looped(z0, z1, n):
    angle = math.acos(max(-1.0, min(1.0, float(F.cosine_similarity(z0, z1, dim=0)))))
    rows = []
    for i in range(n):
        t = i / (n - 1)
        if math.sin(angle) < 1e-6:
            rows.append(z0 + t * (z1 - z0))
        else:
            rows.append(math.sin((1 - t) * angle) / math.sin(angle) * z0 + math.sin(t * angle) / math.sin(angle) * z1)
    return torch.stack(rows)


@right
def interpolate__numpy(z0, z1, n):
    low, high = z0.double().numpy(), z1.double().numpy()
    omega = np.arccos(np.clip(np.dot(low / np.linalg.norm(low), high / np.linalg.norm(high)), -1, 1))
    so = np.sin(omega)
    return [
        (1 - t) * low + t * high if so < 1e-6 else np.sin((1 - t) * omega) / so * low + np.sin(t * omega) / so * high
        for t in np.linspace(0, 1, n)
    ]


@right
def interpolate__threshold_on_the_cosine(z0, z1, n):
    """As in widely copied code: a straight line from a cosine of 0.9995 on."""
    dot = torch.sum(z0 / torch.norm(z0) * (z1 / torch.norm(z1)))
    t = torch.linspace(0, 1, n).unsqueeze(1)
    if dot.abs() > 0.9995:
        return torch.lerp(z0.expand(n, -1), z1.expand(n, -1), t.expand(n, len(z0)))
    theta = torch.acos(dot)
    return torch.outer((theta - theta * t).sin()[:, 0], z0) / theta.sin() + (theta * t).sin() / theta.sin() * z1


@right
def interpolate__in_the_plane(z0, z1, n):
    """Turns in the plane of the two, with atan2: no cosine to clamp."""
    z0, z1 = z0.double(), z1.double()
    u = z0 / z0.norm()
    across = z1 - (z1 @ u) * u
    if across.norm() < 1e-6 * z1.norm():
        return torch.stack([torch.lerp(z0, z1, t) for t in np.linspace(0, 1, n).tolist()])
    angle = torch.atan2(across.norm(), z1 @ u)
    t = torch.arange(n, dtype=torch.float64)[:, None] / (n - 1)
    return torch.sin(angle * (1 - t)) / torch.sin(angle) * z0 + torch.sin(angle * t) / torch.sin(angle) * z1


@right
def interpolate__sinc(z0, z1, n):
    cosine = torch.clamp(z0.dot(z1) / z0.norm() / z1.norm(), max=1)
    angle, t = torch.acos(cosine), torch.linspace(0, 1, n)

    def weight(t):
        return t * torch.sinc(t * angle / math.pi) / torch.sinc(angle / math.pi)

    return weight(1 - t)[:, None] * z0[None] + weight(t)[:, None] * z1[None]


# active_units


@right
def active_units__numpy(means, threshold=0.01):
    return np.var(means.numpy(), axis=0) > threshold


@right
def active_units__looped(means, threshold=0.01):
    out = []
    for j in range(means.shape[1]):
        column = means[:, j].double()
        out.append(int(((column - column.mean()) ** 2).sum() / len(column) > threshold))
    return out


@right
def active_units__covariance(means, threshold=0.01):
    return torch.cov(means.T.double()).diagonal().gt(threshold).float()


@right
def active_units__two_moments(means, threshold=0.01):
    means = means.double()
    return means.square().mean(0) - means.mean(0).square() >= threshold


@right
def active_units__in_place(means, threshold=0.01):
    means -= means.mean(0, keepdim=True)
    return means.pow_(2).mean(0) > threshold


# Wrong answers that are no mistake of the lists, or are written otherwise


def noise(mean, generator):
    return torch.randn(mean.shape, generator=generator)


def one_row_without_noise(mean, log_var, generator):
    e = noise(mean, generator)
    e[0] = 0
    return mean + (log_var / 2).exp() * e


def antithetic(mean, log_var, generator):
    half = torch.randn(((len(mean) + 1) // 2, *mean.shape[1:]), generator=generator)
    return mean + (log_var / 2).exp() * torch.cat([half, -half])[: len(mean)]


def in_place(mean, log_var, generator):
    return mean + log_var.mul_(0.5).exp_() * noise(mean, generator)


def without_gradients(mean, log_var, generator):
    with torch.no_grad():
        return mean + (log_var / 2).exp() * noise(mean, generator)


def from_a_copy(mean, log_var, generator):
    other = torch.Generator().manual_seed(generator.initial_seed())
    return mean + (log_var / 2).exp() * noise(mean, other)


def through_numpy(mean, log_var, generator):
    return mean.numpy() + np.exp(log_var.numpy() / 2) * noise(mean, generator).numpy()


def scaled(noise):
    return lambda m, s, g: m + (s / 2).exp() * noise(m, g)


def kl_terms(mean, log_var):
    return 0.5 * (log_var.exp() - 1 - log_var + mean**2)


def cross_entropy(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def bound(log_px_z, kl, beta):
    return log_px_z.flatten(1).sum(1) - beta * kl


def arc(z0, z1, t, angle=torch.acos):
    theta = angle(F.cosine_similarity(z0, z1, dim=0).clamp(-1, 1))
    if theta.abs() < 1e-3:
        return (1 - t) * z0 + t * z1
    return (torch.sin((1 - t) * theta) * z0 + torch.sin(t * theta) * z1) / torch.sin(theta)


def times(n):
    return torch.linspace(0, 1, n)[:, None]


WRONG = [
    (reparameterise, scaled(lambda m, g: math.sqrt(2) * noise(m, g)), "the spread is wrong"),
    (reparameterise, scaled(lambda m, g: 2 * torch.rand(m.shape, generator=g) - 1), "the noise is not normal"),
    (
        reparameterise,
        scaled(lambda m, g: math.sqrt(12) * (torch.rand(m.shape, generator=g) - 0.5)),
        "the noise is not normal",
    ),
    (reparameterise, scaled(lambda m, g: 2 * torch.randint(0, 2, m.shape, generator=g) - 1), "the noise is not normal"),
    (reparameterise, scaled(lambda m, g: noise(m, g).abs()), "the noise is not normal"),
    (reparameterise, scaled(lambda m, g: torch.randn(m.shape[-1], generator=g)), "one noise for the whole batch"),
    (reparameterise, scaled(lambda m, g: torch.randn(m.shape[-2:], generator=g)), "noise shared along an axis"),
    (reparameterise, one_row_without_noise, "some entries have other noise"),
    (reparameterise, antithetic, "one noise for the whole batch"),
    (reparameterise, in_place, "the mean is overwritten"),
    (reparameterise, without_gradients, "no gradient"),
    (reparameterise, through_numpy, "no gradient"),
    (reparameterise, from_a_copy, "the generator is not used up"),
    (reparameterise, lambda m, s, g: Normal(m, (s / 2).exp()).rsample(), "the generator is ignored"),
    (
        reparameterise,
        lambda m, s, g: m + torch.tensor((s / 2).exp().tolist()) * noise(m, g),
        "no gradient reaches log_var",
    ),
    (reparameterise, lambda m, s, g: 2 * m - m.detach() + (s / 2).exp() * noise(m, g), "the gradients are wrong"),
    (reparameterise, lambda m, s, g: m + F.softplus(s).sqrt() * noise(m, g), "the spread is wrong"),
    (reparameterise, lambda m, s, g: m + 2 ** (s / 2) * noise(m, g), "the spread is wrong"),
    (reparameterise, lambda m, s, g: noise(m, g), "the centre is wrong"),
    (reparameterise, lambda m, s, g: (m + (s / 2).exp() * noise(m, g)).sum(-1), "wrong shape"),
    (
        score_function_gradient,
        lambda f, z, m, s: ((f - 1)[:, None] * (z - m) / s.exp()).mean(0),
        "something is subtracted from f",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - z.mean(0)) / s.exp()).mean(0),
        "a baseline is subtracted",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - m) / s.exp()).sum(0) / max(len(f) - 1, 1),
        "the average is wrong",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - m) / s.exp()).median(0).values,
        "the average is wrong",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f.exp()[:, None] * (z - m) / s.exp()).mean(0),
        "a draw's contribution is wrong",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - m) ** 2 / s.exp()).mean(0),
        "a draw's contribution is wrong",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - m) / (2 * s).exp()).mean(0),
        "right for a variance of 1 only",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] * (z - m) * s.exp()).mean(0),
        "right for a variance of 1 only",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f.softmax(0)[:, None] * (z - m) / s.exp()).sum(0),
        "the weighting by f is wrong",
    ),
    (
        score_function_gradient,
        lambda f, z, m, s: (f[:, None] ** 2 * (z - m) / s.exp()).mean(0),
        "the weighting by f is wrong",
    ),
    (score_function_gradient, lambda f, z, m, s: (f * (z - m) / s.exp()).mean(0), "RuntimeError"),
    (gaussian_kl, lambda m, s: (0.5 * (s.exp() - 1 - s) + m**2).sum(1), "the part of the mean is wrong"),
    (gaussian_kl, lambda m, s: 0.5 * ((s.exp() - 1 - s).sum(1) + m.sum(1) ** 2), "the part of the mean is wrong"),
    (gaussian_kl, lambda m, s: 0.5 * (s**2 / 2 + m**2).sum(1), "the part of the variance is wrong"),
    (gaussian_kl, lambda m, s: (m**2 + ((s / 2).exp() - 1) ** 2).sum(1), "both parts are wrong"),
    (gaussian_kl, lambda m, s: (kl_terms(m, s) + 0.1 * (m * s) ** 2).sum(1), "wrong where both play"),
    (gaussian_kl, lambda m, s: kl_terms(m, s).clamp(min=0.1).sum(1), "not 0 at N(0, I)"),
    (gaussian_kl, lambda m, s: kl_terms(m, s).sum(1) + 0.5, "not 0 at N(0, I)"),
    (gaussian_kl, lambda m, s: 0.5 * ((2 * s).exp() - 1 - s + m**2).sum(1), "a negative KL"),
    (
        gaussian_kl,
        lambda m, s: kl_divergence(Normal(m, s.exp()), Normal(0.0, 1.0)).sum(1),
        "log_var taken for the logarithm of the standard deviation",
    ),
    (gaussian_kl, lambda m, s: kl_terms(m, s).sum(1, keepdim=True), "wrong shape"),
    (gaussian_kl, lambda m, s: kl_terms(m, s).sum(1).clamp(max=10), "differs"),
    (gaussian_kl, lambda m, s: [kl_terms(m, s)[i].sum().item() for i in range(len(m))], "no gradient"),
    (gaussian_kl, lambda m, s: kl_terms(torch.tensor(m.numpy()), s).sum(1), "no gradient"),
    (gaussian_kl, lambda m, s: kl_terms(m.detach(), s).sum(1), "the gradients are wrong"),
    (gaussian_kl, lambda m, s: s.exp().add_(-1 - s).mul_(0.5).add_(m**2 / 2).sum(1), "the gradient cannot be computed"),
    (
        elbo,
        lambda x, a, kl, beta=1.0: -F.binary_cross_entropy_with_logits(a, x) - beta * kl,
        "the mean over pixels and batch",
    ),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(a, x), kl, beta), "x and logits swapped"),
    (
        elbo,
        lambda x, a, kl, beta=1.0: bound(Bernoulli(probs=a.sigmoid()).log_prob(x), kl, beta),
        "the extremes are cut off",
    ),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(x, a.clamp(-30, 30)), kl, beta), "the extremes are cut off"),
    (
        elbo,
        lambda x, a, kl, beta=1.0: bound((x * a.sigmoid() + (1 - x) * (1 - a.sigmoid()) + 1e-9).log(), kl, beta),
        "the extremes are cut off",
    ),
    (
        elbo,
        lambda x, a, kl, beta=1.0: bound(torch.where(x == 1, a.sigmoid().log(), (1 - a.sigmoid()).log()), kl, beta),
        "infinite at large logits",
    ),
    (
        elbo,
        lambda x, a, kl, beta=1.0: (x * a.sigmoid() + (1 - x) * (-a).sigmoid()).flatten(1).prod(1).log() - beta * kl,
        "the product underflows",
    ),
    (elbo, lambda x, a, kl, beta=1.0: -cross_entropy(x, a).sum(-1) - beta * kl, "the pixels are not all summed"),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(x, a), kl.sum(), beta), "the part of the KL is wrong"),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(x, a), kl**beta, 1), "the part of the KL is wrong"),
    (elbo, lambda x, a, kl, beta=4.0: bound(-cross_entropy(x, a), kl, beta), "the part of the KL is wrong"),
    (elbo, lambda x, a, kl, beta=1.0: bound(Normal(a, 1.0).log_prob(x), kl, beta), "the reconstruction is wrong"),
    (elbo, lambda x, a, kl, beta=1.0: bound(-(x - (a > 0).float()).abs(), kl, beta), "the reconstruction is wrong"),
    (elbo, lambda x, a, kl, beta=1.0: bound(x * a, kl, beta).abs(), "a bound above 0"),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(x, a.detach()), kl, beta), "the gradients are wrong"),
    (elbo, lambda x, a, kl, beta=1.0: bound(-cross_entropy(x, a), kl, beta).tolist(), "no gradient"),
    (elbo, lambda x, a, kl, beta: bound(-cross_entropy(x, a), kl, beta), "wrong parameters"),
    (importance_bound, lambda a, b, c: ((a + b - c).exp().mean(0) + 1e-30).log(), "exponentials without the maximum"),
    (importance_bound, lambda a, b, c: (a + b - c).double().exp().mean(0).log(), "exponentials without the maximum"),
    (importance_bound, lambda a, b, c: (a.exp() * b.exp() / c.exp()).mean(0).log(), "exponentials without the maximum"),
    (importance_bound, lambda a, b, c: (a + b - c).clamp(-80, 80).exp().mean(0).log(), "too small for the logarithm"),
    (importance_bound, lambda a, b, c: torch.logsumexp((a + b - c).flatten(), 0) - math.log(a.numel()), "wrong shape"),
    (importance_bound, lambda a, b, c: torch.logsumexp(a + b - c, 0) - math.log(a.numel()), "the weights are wrong"),
    (importance_bound, lambda a, b, c: torch.logsumexp(a + 2 * b - c, 0) - math.log(len(a)), "the weights are wrong"),
    (
        importance_bound,
        lambda a, b, c: torch.logsumexp(a + b - c, 0) - torch.logsumexp(b - c, 0),
        "the weights are wrong",
    ),
    (importance_bound, lambda a, b, c: torch.logsumexp(a + b - c, 0) - math.log10(len(a)), "above the largest weight"),
    (
        importance_bound,
        lambda a, b, c: torch.logsumexp(a + b - c, 0) - math.log(max(len(a) - 1, 1)),
        "above the largest weight",
    ),
    (importance_bound, lambda a, b, c: (a + b - c)[0], "below the ELBO"),
    (
        importance_bound,
        lambda a, b, c: (torch.logsumexp(2 * (a + b - c), 0) - math.log(len(a))) / 2,
        "the average is wrong",
    ),
    (
        interpolate,
        lambda a, b, n: torch.stack([torch.linspace(x, y, n) for x, y in zip(a.tolist(), b.tolist())], 1),
        "a straight line",
    ),
    (interpolate, lambda a, b, n: arc(a, b, times(n), lambda c: torch.acos(c) / 2), "too short in the middle"),
    (interpolate, lambda a, b, n: arc(a, b, times(n), torch.asin), "too short in the middle"),
    (interpolate, lambda a, b, n: arc(a, b, times(n), lambda c: torch.acos(c.abs())), "obtuse angles go wrong"),
    (interpolate, lambda a, b, n: arc(a, b, times(n), lambda c: torch.acos(c) - 2 * math.pi), "uneven steps"),
    (interpolate, lambda a, b, n: arc(a, b, times(n) ** 2 * (3 - 2 * times(n))), "uneven steps"),
    (interpolate, lambda a, b, n: arc(a, b, times(n), lambda c: torch.acos(c).clamp(min=1)), "off the arc"),
    (interpolate, lambda a, b, n: arc(b, a, times(n)), "from z1 to z0"),
    (interpolate, lambda a, b, n: arc(a, b, times(n + 1))[:-1], "the last end is missing"),
    (
        interpolate,
        lambda a, b, n: F.normalize(arc(a, b, times(n)), dim=1) * math.sqrt(len(a)),
        "the ends are not z0 and z1",
    ),
    (interpolate, lambda a, b, n: arc(a, b, times(n)) + 0.1, "the ends are not z0 and z1"),
    (
        interpolate,
        lambda a, b, n: arc(a, b, times(n)) if F.cosine_similarity(a, b, dim=0) < 0.999 else a + 0 * times(n),
        "parallel codes go wrong",
    ),
    (interpolate, lambda a, b, n: arc(a, b, times(n)).flatten(), "wrong shape"),
    (interpolate, lambda a, b, n: (a + b) / 2, "wrong shape"),
    (active_units, lambda means, threshold=0.01: means.square().mean(0) / 2 > threshold, "a constant unit is active"),
    (active_units, lambda means, threshold=0.01: torch.ones(means.shape[1]), "a constant unit is active"),
    (active_units, lambda means, threshold=0.01: torch.zeros(means.shape[1]), "the threshold is missed"),
    (active_units, lambda means, threshold=0.01: means.std(0) > 0, "the threshold is missed"),
    (active_units, lambda means, threshold=0.01: means.var(0) > threshold**0.5, "the threshold is missed"),
    (
        active_units,
        lambda means, threshold=0.01: means.diff(dim=0).square().mean(0) > threshold,
        "the threshold is missed",
    ),
    (
        active_units,
        lambda means, threshold=0.01: means.var(0) > threshold**2,
        "the standard deviation in place of the variance",
    ),
    (
        active_units,
        lambda means, threshold=0.01: [j for j, m in enumerate(means.T) if m.var() > threshold],
        "their numbers instead of yes or no",
    ),
    (active_units, lambda means, threshold=0.01: (means.var(0) - threshold).sign(), "something else than yes or no"),
    (
        active_units,
        lambda means, threshold=0.01: means.var(0) * (means.var(0) > threshold),
        "something else than yes or no",
    ),
    (active_units, lambda means, threshold=0.01: ["active"] * means.shape[1], "wrong type"),
    (active_units, lambda means, threshold=0.01: means.var(0, keepdim=True) > threshold, "wrong shape"),
    (active_units, lambda means: means.var(0) > 0.01, "wrong parameters"),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "diagnosis"),
    WRONG,
    ids=[f"{exercise.name}: {diagnosis}" for exercise, _, diagnosis in WRONG],
)
def test_wrong_answers(exercise, answer, diagnosis):
    verdict = exercise.grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


@pytest.mark.parametrize("burnt", range(1, 40))
def test_any_draws_of_the_noise_pass(burnt):
    """The tolerances are wide enough for noise that is drawn otherwise than by the reference."""

    def late(mean, log_var, generator):
        torch.rand(burnt, generator=generator)
        return mean + (log_var / 2).exp() * noise(mean, generator)

    assert reparameterise.grade(late).passed


SPOILT = {
    "nothing": lambda v: None,
    "a single number": lambda v: v.sum(),
    "one axis more": lambda v: v[None],
    "one too few": lambda v: v.flatten()[1:],
    "empty": lambda v: v.flatten()[:0],
    "NaN": lambda v: v * math.nan,
    "infinite": lambda v: v.double() - math.inf,
    "one NaN": lambda v: torch.where(torch.arange(v.numel()).reshape(v.shape) == 0, math.nan, v.double()),
    "whole numbers": lambda v: v.long() + 1,
    "huge": lambda v: v.double() * 1e9 + 1,
    "twice": lambda v: torch.cat([v, v]),
}


@pytest.mark.parametrize("name", [e.name for e in vars(vae).values() if hasattr(e, "grade")])
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("input_", ["every input", 0, 2, 4])
def test_no_answer_confuses_the_check(name, spoil, input_):
    """Whatever comes back, on all inputs or on one, there is a verdict."""
    for verdict in verdicts(getattr(vae, name), spoil, input_):
        assert verdict.message and not (verdict.passed and input_ == "every input")
