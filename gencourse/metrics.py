"""Yardsticks: how likely, how far it sees, how much alike."""

import math
from collections.abc import Callable, Sequence

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


# Codes of a latent-variable model --------------------------------------------------------------------------------


def share_in_holes(draws: Tensor, codes: Tensor, held_out: Tensor, quantile: float = 0.99) -> float:
    """Share of drawn codes that lie farther from every known code than unseen codes do: in a hole.

    "Farther" is beyond the given quantile of the distances of `held_out` codes to their nearest in `codes`, so that
    draws from the law of the codes themselves score 1 - quantile.

    Args:
        draws: (S, latent). codes: (N, latent), of the training data. held_out: (M, latent), of other data.
    """
    for name, z in dict(draws=draws, codes=codes, held_out=held_out).items():
        if z.dim() != 2 or z.shape[1] != codes.shape[-1] or not len(z):
            raise ValueError(f"{name} has shape {tuple(z.shape)}; expected (N, latent), one width for all three")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; expected a number between 0 and 1")

    def nearest(z):
        return torch.cat([torch.cdist(part, codes).amin(1) for part in z.split(500)])

    return (nearest(draws) > nearest(held_out).quantile(quantile)).float().mean().item()


def kl_to_standard_normal(z: Tensor) -> float:
    """KL(N(m, C) ‖ N(0, I)) of the mean m and the covariance C of codes: (N, latent) -> nats.

    ½ (tr C + mᵀm − latent − log det C). No law with that mean and covariance has a smaller one, so it is a lower
    bound of the KL of the law that the codes come from.
    """
    if z.dim() != 2 or len(z) <= z.shape[1]:
        raise ValueError(f"z has shape {tuple(z.shape)}; expected (N, latent), more codes than dimensions")
    mean, covariance = z.double().mean(0), torch.cov(z.double().T).view(z.shape[1], z.shape[1])
    return (0.5 * (covariance.trace() + mean @ mean - z.shape[1] - torch.logdet(covariance))).item()


def mutual_information(a: Tensor, b: Tensor, bins: int = 20) -> float:
    """How much a tells about b, (N,) each: Σ p(a, b) log p(a, b) / (p(a) p(b)) over a table of counts, in nats.

    Real numbers are cut into `bins` equally full intervals; integers are classes. Counts overestimate it, by about
    (rows − 1)(columns − 1) / 2N: for the floor shuffle one of the two.
    """
    if a.dim() != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; expected (N,) both, N at least 2")
    if bins < 2:
        raise ValueError(f"bins is {bins}; expected at least 2")

    def classes(v):
        if v.is_floating_point():
            v = torch.bucketize(v, v.quantile(torch.linspace(0, 1, bins + 1).to(v)[1:-1]))
        return v.unique(return_inverse=True)[1]

    i, j = classes(a), classes(b)
    width = int(j.max()) + 1
    joint = torch.bincount(i * width + j, minlength=(int(i.max()) + 1) * width).view(-1, width).double() / len(a)
    independent = joint.sum(1, keepdim=True) * joint.sum(0)
    return torch.xlogy(joint, joint / independent).nan_to_num().sum().item()


def slant(images: Tensor) -> Tensor:
    """How far strokes lean to the right, as pixels to the right for each pixel up: (N, 1, H, W) -> (N,).

    From the second moments of the ink: −µ₁₁ / µ₀₂, the shear that would set the image upright.
    """
    ink, y, x = _moments(images)
    return -(ink * x * y).sum((1, 2)) / (ink * y.square()).sum((1, 2)).clamp(min=1e-9)


def thickness(images: Tensor) -> Tensor:
    """Width of the strokes in pixels, about: twice the ink over the length of its outline, (N, 1, H, W) -> (N,)."""
    ink = _moments(images)[0]
    page = torch.nn.functional.pad(ink, (1, 1, 1, 1))
    down, right = page.diff(dim=1)[:, :, :-1], page.diff(dim=2)[:, :-1]
    return 2 * ink.sum((1, 2)) / (down.square() + right.square()).sqrt().sum((1, 2)).clamp(min=1e-9)


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ink in [0, 1], (N, H, W), and the place of each pixel seen from its centre of mass: rows, columns."""
    if images.dim() != 4 or images.shape[1] != 1 or not len(images):
        raise ValueError(f"images have shape {tuple(images.shape)}; expected (N, 1, H, W)")
    ink = images[:, 0].float()
    ink = ink / 255 if images.dtype == torch.uint8 and images.max() > 1 else ink
    mass = ink.sum((1, 2)).clamp(min=1e-9)[:, None, None]
    y, x = torch.arange(ink.shape[1]).to(ink)[None, :, None], torch.arange(ink.shape[2]).to(ink)[None, None]
    return ink, y - (ink * y).sum((1, 2), True) / mass, x - (ink * x).sum((1, 2), True) / mass


def cell_probabilities(density: Callable[[Tensor], Tensor], edges: Tensor, points: int = 4) -> Tensor:
    """The probability of each square cell of a grid over the plane, and last of all that lies outside.

    Args:
        density: (N, 2) float64 -> (N,). edges: (n + 1,) evenly spaced, of both axes.
        points: the density is asked at points² places in each cell.

    Returns:
        (n² + 1,) float64, the cells in the order of `torch.histogramdd`: the second coordinate runs fastest.
    """
    n = len(edges) - 1
    if n < 1 or points < 1:
        raise ValueError(f"{len(edges)} edges and {points} points in a cell; expected at least 2 edges and 1 point")
    low, step = edges[0].double(), (edges[-1] - edges[0]).double() / (n * points)
    middles = low + step * (torch.arange(n * points, dtype=torch.float64) + 0.5)
    values = density(torch.cartesian_prod(middles, middles)).double().view(n, points, n, points)
    inside = values.sum((1, 3)).flatten() * step**2
    return torch.cat([inside, (1 - inside.sum()).clamp(min=0)[None]])


def total_variation(p: Tensor, q: Tensor) -> float:
    """½ Σ |p − q| of two (K,) distributions: the most that they differ in the probability of any set; 0 to 1."""
    if p.shape != q.shape or p.dim() != 1:
        raise ValueError(f"p has shape {tuple(p.shape)}, q {tuple(q.shape)}; expected the same (K,)")
    return 0.5 * (p - q).abs().sum().item()
