"""Yardsticks: how likely, how far it sees, how much alike."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .progress import progress


@torch.no_grad()
def nats(model: nn.Module, x: Tensor, condition: Tensor | None = None, batch_size: int = 50) -> Tensor:
    """Negative log-likelihood of every example, -log P(x), by batches: (N, *event_shape) -> (N,) nats."""
    if len(x) == 0:
        raise ValueError("x is empty; expected at least one example")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected at least 1")
    if condition is not None and len(condition) != len(x):
        raise ValueError(f"condition has {len(condition)} entries; expected one for each of {len(x)} examples")
    starts = range(0, len(x), batch_size)
    parts = []
    for i in progress(starts, desc="likelihood", unit="batch") if len(starts) > 8 else starts:
        given = () if condition is None else (condition[i : i + batch_size],)
        parts.append(-model.log_prob(x[i : i + batch_size], *given))
    return torch.cat(parts)


@torch.no_grad()
def importance_bound(
    model: nn.Module, x: Tensor, n_samples: int = 5000, generator: torch.Generator | None = None
) -> Tensor:
    """The bound of log P(x) by `n_samples` draws, `model.importance_bound`, image after image: (N, …) -> (N,) nats.

    generator: of the draws; by default a new one with seed 0.
    """
    if len(x) == 0:
        raise ValueError("x is empty; expected at least one example")
    generator = generator or torch.Generator(x.device).manual_seed(0)
    size = max(1, 100_000 // n_samples)
    parts = [x[i : i + size] for i in range(0, len(x), size)]
    parts = progress(parts, desc="importance bound", unit="batch") if len(parts) > 8 else parts
    return torch.cat([model.importance_bound(part, n_samples, generator) for part in parts])


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
    if n_dimensions < 1:
        raise ValueError(f"n_dimensions is {n_dimensions}; expected at least 1 (28·28 = 784 for a digit)")
    return nats / (n_dimensions * math.log(2))


@torch.enable_grad()
def receptive_field(model: nn.Module, position: Sequence[int], n_probes: int = 8, generator=None) -> Tensor:
    """How strongly the prediction at `position` depends on every position of the event.

    Backpropagates from the logits at that position to random inputs, and keeps the largest gradient over
    `n_probes` inputs: exactly zero where the model cannot see.

    Args:
        model: has `event_shape`, `levels` and `logits`. position: index into `event_shape`, such as (0, 14, 14).

    Returns:
        (*event_shape), absolute gradient.
    """
    shape = tuple(model.event_shape)
    if len(position) != len(shape) or not all(0 <= i < size for i, size in zip(position, shape)):
        raise ValueError(f"position is {tuple(position)}; expected an index into event_shape {shape}")
    generator = generator or torch.Generator().manual_seed(0)
    x = torch.rand(n_probes, *model.event_shape, generator=generator) * (model.levels - 1)
    x.requires_grad_(True)
    condition = None if model.n_classes is None else torch.zeros(n_probes, dtype=torch.long)
    logits = model.logits(x, condition)  # (n_probes, levels, *event_shape)
    here = logits[(slice(None), slice(None), *position)]  # (n_probes, levels)
    weights = torch.randn(here.shape, generator=generator)
    (gradient,) = torch.autograd.grad((here * weights).sum(), x)
    return gradient.abs().amax(0)


def patch_frequencies(x: Tensor, size: int) -> Tensor:
    """Share of each binary patch among all of size × size pixels: (N, 1, H, W) of 0 and 1 -> (2^(size²),).

    The index of a patch is its pixels read as a binary number, the first pixel counting most.
    """
    if x.dim() != 4 or x.shape[1] != 1 or not ((x == 0) | (x == 1)).all():
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, 1, H, W), all zeros and ones")
    if size not in (1, 2, 3, 4) or size > min(x.shape[2:]) or not len(x):
        raise ValueError(f"size is {size!r} for {tuple(x.shape)}; expected 1, 2, 3 or 4, and as large images")
    number, height, width = 0, x.shape[2] - size + 1, x.shape[3] - size + 1
    for i in range(size):
        for j in range(size):
            number = number * 2 + x[:, 0, i : i + height, j : j + width].long()
    counts = torch.bincount(number.flatten(), minlength=2 ** (size * size))
    return counts.double() / counts.sum()


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q)/2, in nats, between 0 and log 2, of two (K,) distributions."""
    m = (p + q) / 2
    return (0.5 * (torch.xlogy(p, p / m).nan_to_num() + torch.xlogy(q, q / m).nan_to_num()).sum()).item()
