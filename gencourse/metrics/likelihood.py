"""How likely a model finds data: nats, bits per pixel and per sample, bounds."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from gencourse.metrics.clouds import check_examples
from gencourse.support.checks import generator_or_new, positive_integer
from gencourse.support.progress import progress


@torch.no_grad()
def nats(model: nn.Module, x: Tensor, condition: Tensor | None = None, batch_size: int = 50) -> Tensor:
    """Negative log-likelihood of every example, -log P(x), by batches: (N, *event_shape) -> (N,) nats."""
    batch_size = positive_integer("batch_size", batch_size)
    check_examples(x)
    if condition is not None and len(condition) != len(x):
        raise ValueError(f"condition has {len(condition)} entries; expected one for each of {len(x)} examples")
    starts = range(0, len(x), batch_size)
    parts = []
    for i in progress(starts, desc="likelihood", unit="batch") if len(starts) > 8 else starts:
        given = () if condition is None else (condition[i : i + batch_size],)
        parts.append(-model.log_prob(x[i : i + batch_size], *given))
    return torch.cat(parts)


@torch.no_grad()
def total_probability(model: nn.Module, events: Tensor) -> float:
    """Σp over all `events`, (N, *event_shape): one, if the model is a distribution and these are all there are."""
    return model.log_prob(events).double().exp().sum().item()


@torch.no_grad()
def nats_one_by_one(model: nn.Module, x: Tensor, seed: int = 0) -> float:
    """Negative log-likelihood of one image (1, H, W) of zeros and ones as the sum of its H·W conditionals, nats.

    Each conditional is read from an image of its own, which shows the pixels before it, and noise everywhere else.
    """
    size, event = x.numel(), x.flatten().long()
    noise = torch.randint(0, 2, (size, size), generator=torch.Generator().manual_seed(seed), device="cpu").to(x.device)
    before = torch.ones(size, size, device=x.device).tril(-1) > 0
    shown = torch.where(before, event, noise).view(size, *x.shape)
    log_p = torch.cat([model.logits(part).log_softmax(1).flatten(2) for part in shown.split(56)])  # (size, 2, size)
    place = torch.arange(size, device=x.device)
    return -log_p[place, event, place].sum().item()


def binarisation_entropy(grey: Tensor) -> Tensor:
    """Nats that the dice of `data.binarise` cost in each image, whatever the model: (N, …) uint8 -> (N,) float64.

    Each pixel is drawn with probability p = grey/255 of ink, and its entropy is -p log p - (1 - p) log(1 - p). A model
    that knew the grey image would still need their sum on average. No model of the drawn images can have fewer nats on
    average over images and draws, so it is a floor: what is left, "beyond the dice", is what a model can lower.

    Raises TypeError for another dtype than uint8, ValueError for an empty tensor.
    """
    check_examples(grey)
    if grey.dtype != torch.uint8:
        raise TypeError(f"grey is {grey.dtype}; expected uint8 grey values from 0 to 255, as data.mnist gives them")
    p = torch.arange(256, dtype=torch.float64, device="cpu") / 255
    entropy = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))  # of each grey value
    return entropy.to(grey.device)[grey.flatten(1).long()].sum(1)


@torch.no_grad()
def importance_bound(
    model: nn.Module, x: Tensor, n_samples: int = 5000, generator: torch.Generator | None = None
) -> Tensor:
    """The bound of log P(x) by `n_samples` draws, `model.importance_bound`, image after image: (N, …) -> (N,) nats.

    generator: of the draws; by default a new one with seed 0.
    """
    n_samples = positive_integer("n_samples", n_samples)
    check_examples(x)
    generator = generator_or_new(generator, x.device)
    size = max(1, 100_000 // n_samples)
    parts = [x[i : i + size] for i in range(0, len(x), size)]
    parts = progress(parts, desc="importance bound", unit="batch") if len(parts) > 8 else parts
    return torch.cat([model.importance_bound(part, n_samples, generator) for part in parts])


def fitted_posterior(
    model: nn.Module,
    x: Tensor,
    start: Normal,
    log_prior: Callable[[Tensor], Tensor],
    steps: int = 200,
    lr: float = 0.1,
    draws: int = 1,
    generator: torch.Generator | None = None,
) -> Normal:
    """The Gaussian q of each image by itself that has the highest ELBO, as far as Adam finds it from `start`.

    ELBO(q) = E_q[log P(x|z) + log P(z) − log q(z)], estimated at every step from a few draws. What it is above the
    ELBO of the encoder's q is the amortisation gap (Cremer et al., arXiv:1801.03558, section 3).

    Args:
        model: with `decode(z)`, the distribution P(x|z). x: (B, *event_shape).
        start: the Gaussians to begin with, one standard deviation for each dimension, (B, latent).
        log_prior: log P(z) of codes (N, latent) -> (N,), nats.
        steps, lr: of Adam. draws: of z for each image and step. generator: of the draws; by default one with seed 0.

    Returns:
        Normal of (B, latent).
    """
    steps, draws = positive_integer("steps", steps), positive_integer("draws", draws)
    check_examples(x)
    generator, x = generator_or_new(generator, x.device), x.float()
    mean, log_var = (a.detach().clone().requires_grad_() for a in (start.mean, 2 * start.stddev.log()))
    adam = torch.optim.Adam([mean, log_var], lr=lr)
    for _ in range(steps):
        q = Normal(mean, (log_var / 2).exp())
        z = q.mean + q.stddev * torch.randn(draws, *mean.shape, generator=generator, device=x.device)  # (S, B, latent)
        log_px_z = model.decode(z).log_prob(x).flatten(2).sum(2)
        log_pz, log_qz = log_prior(z.flatten(0, 1)).view(draws, -1).float(), q.log_prob(z).sum(2)
        minus_elbo = (log_qz - log_px_z - log_pz).mean(0).sum()
        mean.grad, log_var.grad = torch.autograd.grad(minus_elbo, (mean, log_var))
        adam.step()
    return Normal(mean.detach(), (log_var / 2).exp().detach())


@torch.no_grad()
def bits_per_sample(model: nn.Module, recordings: Sequence[Tensor], condition: Tensor | None = None) -> float:
    """Bits that a model of sequences needs for each sample of whole recordings of unlike length.

    recordings: (T_i,) level indices each. condition: (N,) classes, if the model has them.
    """
    if not len(recordings):
        raise ValueError("recordings is empty; expected at least one sequence of level indices")
    total = 0.0
    for i, levels in enumerate(recordings):
        given = () if condition is None else (condition[i : i + 1],)
        total -= model.log_prob(levels[None], *given).item()
    return total / (sum(map(len, recordings)) * math.log(2))


def bits_per_dimension(nats: float | Tensor, n_dimensions: int) -> float | Tensor:
    """Nats of a whole event -> bits for each of its dimensions: nats / (n_dimensions · ln 2)."""
    whole = "at least 1 (28·28 = 784 for a digit)"
    return nats / (positive_integer("n_dimensions", n_dimensions, expected=whole) * math.log(2))
