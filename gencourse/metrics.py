"""Yardsticks: how likely, how far it sees, how much alike, how varied, how much copied."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .models.base import drawn, with_gradients, working
from .models.checks import article, generator_or_new, number, positive_integer
from .progress import progress


@torch.no_grad()
def nats(model: nn.Module, x: Tensor, condition: Tensor | None = None, batch_size: int = 50) -> Tensor:
    """Negative log-likelihood of every example, -log P(x), by batches: (N, *event_shape) -> (N,) nats."""
    batch_size = positive_integer("batch_size", batch_size)
    _check_examples(x)
    if condition is not None and len(condition) != len(x):
        raise ValueError(f"condition has {len(condition)} entries; expected one for each of {len(x)} examples")
    starts = range(0, len(x), batch_size)
    parts = []
    for i in progress(starts, desc="likelihood", unit="batch") if len(starts) > 8 else starts:
        given = () if condition is None else (condition[i : i + batch_size],)
        parts.append(-model.log_prob(x[i : i + batch_size], *given))
    return torch.cat(parts)


@torch.no_grad()
def features(model: nn.Module, x: Tensor, batch_size: int = 500) -> Tensor:
    """What `model.features` makes of every example, by batches: (N, *event_shape) -> (N, F).

    Of a classifier they are the space in which `frechet_distance`, `precision_recall` and `c_t` compare images.
    """
    batch_size = positive_integer("batch_size", batch_size)
    _check_examples(x)
    return torch.cat([model.features(part) for part in x.split(batch_size)])


@torch.no_grad()
def importance_bound(
    model: nn.Module, x: Tensor, n_samples: int = 5000, generator: torch.Generator | None = None
) -> Tensor:
    """The bound of log P(x) by `n_samples` draws, `model.importance_bound`, image after image: (N, …) -> (N,) nats.

    generator: of the draws; by default a new one with seed 0.
    """
    n_samples = positive_integer("n_samples", n_samples)
    _check_examples(x)
    generator = generator_or_new(generator, x.device)
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
    whole = "at least 1 (28·28 = 784 for a digit)"
    return nats / (positive_integer("n_dimensions", n_dimensions, expected=whole) * math.log(2))


def receptive_field(model: nn.Module, position: Sequence[int], n_probes: int = 8, generator=None) -> Tensor:
    """How strongly the prediction at `position` depends on every position of the event.

    Backpropagates from the logits at that position to random inputs, and keeps the largest gradient over
    `n_probes` inputs: exactly zero where the model cannot see.

    Args:
        model: has `event_shape`, `levels` and `logits`. position: index into `event_shape`, such as (0, 14, 14).

    Returns:
        (*event_shape), absolute gradient.

    Raises:
        TypeError, ValueError: a position outside the event, no probe.
    """
    shape, n_probes = tuple(model.event_shape), positive_integer("n_probes", n_probes)
    if len(position) != len(shape) or not all(0 <= i < size for i, size in zip(position, shape)):
        raise ValueError(f"position is {tuple(position)}; expected an index into event_shape {shape}")
    generator, weight = generator_or_new(generator), working(model)
    with with_gradients():
        x = drawn(torch.rand, (n_probes, *shape), weight.device, generator).to(weight.dtype) * (model.levels - 1)
        x.requires_grad_(True)
        condition = None if model.n_classes is None else torch.zeros(n_probes, dtype=torch.long, device=x.device)
        logits = model.logits(x, condition)  # (n_probes, levels, *event_shape)
        here = logits[(slice(None), slice(None), *position)]  # (n_probes, levels)
        weights = drawn(torch.randn, here.shape, x.device, generator)
        (gradient,) = torch.autograd.grad((here * weights).sum(), x)
    return gradient.abs().amax(0)


def patch_frequencies(x: Tensor, size: int) -> Tensor:
    """Share of each binary patch among all of size × size pixels: (N, 1, H, W) of 0 and 1 -> (2^(size²),).

    The index of a patch is its pixels read as a binary number, the first pixel counting most.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor (N, 1, H, W) of zeros and ones")
    if x.dim() != 4 or x.shape[1] != 1 or not ((x == 0) | (x == 1)).all():
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, 1, H, W), all zeros and ones")
    if size not in (1, 2, 3, 4) or size > min(x.shape[2:]) or not len(x):
        raise ValueError(f"size is {size!r} for {tuple(x.shape)}; expected 1, 2, 3 or 4, and as large images")
    height, width = x.shape[2] - size + 1, x.shape[3] - size + 1
    counts = torch.zeros(2 ** (size * size), dtype=torch.long, device=x.device)
    for some in x.split(500):  # more at once would be slower: they leave the cache
        number = 0
        for i in range(size):
            for j in range(size):
                number = number * 2 + some[:, 0, i : i + height, j : j + width].long()
        counts += torch.bincount(number.flatten(), minlength=len(counts))
    return counts.double() / counts.sum()


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q)/2, in nats, between 0 and log 2, of two (K,) distributions.

    Raises TypeError, ValueError: no tensors, unlike shapes, numbers that are no probabilities.
    """
    _check_distributions(p=p, q=q)
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
    _check_features(codes=codes, draws=draws, held_out=held_out)
    quantile = number("quantile", quantile, "a number between 0 and 1", most=1, open_ended=True)

    def nearest(z):
        return torch.cat([torch.cdist(part, codes).amin(1) for part in z.split(500)])

    return (nearest(draws) > nearest(held_out).quantile(quantile)).float().mean().item()


def kl_to_standard_normal(z: Tensor) -> float:
    """KL(N(m, C) ‖ N(0, I)) of the mean m and the covariance C of codes: (N, latent) -> nats.

    ½ (tr C + mᵀm − latent − log det C). No law with that mean and covariance has a smaller one, so it is a lower
    bound of the KL of the law that the codes come from.
    """
    _check_features(z=z)
    if len(z) <= z.shape[1]:
        raise ValueError(f"z has shape {tuple(z.shape)}; expected (N, latent), more codes than dimensions")
    mean, covariance = z.double().mean(0), torch.cov(z.double().T).view(z.shape[1], z.shape[1])
    return (0.5 * (covariance.trace() + mean @ mean - z.shape[1] - torch.logdet(covariance))).item()


def mutual_information(a: Tensor, b: Tensor, bins: int = 20) -> float:
    """How much a tells about b, (N,) each: Σ p(a, b) log p(a, b) / (p(a) p(b)) over a table of counts, in nats.

    Real numbers are cut into `bins` equally full intervals; integers are classes. Counts overestimate it, by about
    (rows − 1)(columns − 1) / 2N: for the floor shuffle one of the two.
    """
    for name, v in dict(a=a, b=b).items():
        if not isinstance(v, Tensor):
            raise TypeError(f"{name} is {article(v)}; expected a torch.Tensor (N,)")
        if not torch.isfinite(v).all():
            raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers, or classes")
    if a.dim() != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; expected (N,) both, N at least 2")
    bins = positive_integer("bins", bins, least=2)

    def classes(v):
        if v.is_floating_point():
            v = v.detach().to(torch.promote_types(v.dtype, torch.float32)).contiguous()
            shares = torch.linspace(0, 1, bins + 1, dtype=torch.float32, device=v.device).to(v.dtype)
            v = torch.bucketize(v, v.quantile(shares[1:-1]))
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
    ink = _ink(images)
    mass = ink.sum((1, 2)).clamp(min=1e-9)[:, None, None]
    rows, columns = (torch.arange(size, dtype=ink.dtype, device=ink.device) for size in ink.shape[1:])
    y, x = rows[None, :, None], columns[None, None]
    return ink, y - (ink * y).sum((1, 2), True) / mass, x - (ink * x).sum((1, 2), True) / mass


def _ink(images: Tensor) -> Tensor:
    """(N, 1, H, W) images -> (N, H, W) float32; grey levels of uint8, 0 … 255, become numbers in [0, 1]."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images are {article(images)}; expected a torch.Tensor (N, 1, H, W)")
    if images.dim() != 4 or images.shape[1] != 1 or not images.numel():
        raise ValueError(f"images have shape {tuple(images.shape)}; expected (N, 1, H, W)")
    if not torch.isfinite(images).all():
        raise ValueError("images hold NaN or infinite values; look for where they come from")
    ink = images[:, 0].float()
    return ink / 255 if images.dtype == torch.uint8 and images.max() > 1 else ink


def cell_probabilities(density: Callable[[Tensor], Tensor], edges: Tensor, points: int = 4) -> Tensor:
    """The probability of each square cell of a grid over the plane, and last of all that lies outside.

    Args:
        density: (N, 2) float64 -> (N,). edges: (n + 1,) evenly spaced, of both axes.
        points: the density is asked at points² places in each cell.

    Returns:
        (n² + 1,) float64, the cells in the order of `torch.histogramdd`: the second coordinate runs fastest.
    """
    n, points = len(edges) - 1, positive_integer("points", points)
    if n < 1:
        raise ValueError(f"there are {len(edges)} edges; expected at least 2")
    low, step = edges[0].double(), (edges[-1] - edges[0]).double() / (n * points)
    middles = low + step * (torch.arange(n * points, dtype=torch.float64, device=edges.device) + 0.5)
    values = density(torch.cartesian_prod(middles, middles)).double().view(n, points, n, points)
    inside = values.sum((1, 3)).flatten() * step**2
    return torch.cat([inside, (1 - inside.sum()).clamp(min=0)[None]])


def total_variation(p: Tensor, q: Tensor) -> float:
    """½ Σ |p − q| of two (K,) distributions: the most that they differ in the probability of any set; 0 to 1."""
    _check_distributions(p=p, q=q)
    return 0.5 * (p - q).abs().sum().item()


# Modes ---------------------------------------------------------------------------------------------------------------


class Modes(NamedTuple):
    """How much of a law with K known modes is there."""

    captured: int  # modes that hold one sample of high quality at least
    high_quality: float  # share of the samples, 0 to 1
    reverse_kl: float  # nats: 0 if all modes hold as much, log K if one holds all


def mode_statistics(samples: Tensor, centres: Tensor, sigma: float) -> Modes:
    """Modes of a mixture of K equal Gaussians that samples come from, and how many of them come from any.

    The protocol of VEEGAN (Srivastava et al., arXiv:1705.07761, section 4.1) and PacGAN (Lin et al., arXiv:1712.04086,
    section 4.1), on 2,500 samples: one is of high quality within three standard deviations of the nearest centre, and
    a mode is captured that is nearest to at least one of these. Reverse KL = log K − entropy of their shares, KL(their
    modes ‖ uniform); log K, its largest value, where no sample is of high quality. Of samples from the mixture itself,
    in two dimensions, 1 − exp(−9/2) = 98.9 % are of high quality.

    Args:
        samples: (N, D). centres: (K, D). sigma: the standard deviation of each mode, in the units of the samples.
    """
    _check_features(samples=samples, centres=centres)
    sigma = number("sigma", sigma, "a positive number, the standard deviation of a mode", open_ended=True)
    distance, mode = _nearest(samples, centres)
    good = distance <= 3 * sigma
    return _modes(mode[good], len(centres), len(samples))


def class_modes(logits: Tensor, confidence: float = 0.9) -> Modes:
    """The same of images and classes, as a classifier sees them.

    A sample is of high quality if the classifier gives its best class at least the probability `confidence`; that
    class is its mode. Stacked MNIST is counted so (VEEGAN, section 4.2), there without a threshold: confidence = 0.
    A classifier may be sure of its class where there is none, in noise too: whether samples look like the data, the
    distances of features say.

    Args:
        logits: (N, K), of a classifier.
    """
    _check_features(logits=logits)
    confidence = number("confidence", confidence, "a probability", most=1)
    probability, mode = logits.softmax(1).max(1)
    return _modes(mode[probability >= confidence], logits.shape[1], len(logits))


def class_entropy(logits: Tensor) -> float:
    """Entropy of the classes that samples fall into, 0 (one class) to log K (all alike): (N, K) logits -> nats.

    Each sample counts for its best class. The entropy of N samples falls short by about (K − 1)/2N.
    """
    _check_features(logits=logits)
    return _entropy(torch.bincount(logits.argmax(1), minlength=logits.shape[1]))


def _modes(mode: Tensor, n_modes: int, n_samples: int) -> Modes:
    counts = torch.bincount(mode, minlength=n_modes)  # (K,), of samples of high quality
    reverse_kl = math.log(n_modes) - (_entropy(counts) if len(mode) else 0)
    return Modes(int((counts > 0).sum()), len(mode) / n_samples, max(0.0, reverse_kl))


def _entropy(counts: Tensor) -> float:
    """−Σ p log p of the shares that counts (K,) make, nats."""
    return torch.special.entr(counts.double() / counts.sum()).sum().item()


# Two clouds of features ----------------------------------------------------------------------------------------------


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians with the means and covariances of a and b: (N, F), (M, F).

    d² = |μ_a − μ_b|² + tr(A + B − 2 (AB)^½), in squared units of the features (Dowson and Landau 1982; Heusel et al.,
    arXiv:1706.08500, section 2, eq. 6, on features of the Inception network, which we replace by a small classifier:
    compare only values of the same features). Finite samples make it too large, the more the fewer there are: give
    as many as in what it is compared with, and print d² of two halves of real data beside it.

    Raises:
        ValueError: not more samples than features, so that a covariance has no inverse.
    """
    _check_features(a=a, b=b)
    for name, x in dict(a=a, b=b).items():
        if len(x) <= x.shape[1]:
            raise ValueError(f"{name} has {len(x)} samples of {x.shape[1]} features; expected more samples than that")
    (mean_a, cov_a), (mean_b, cov_b) = _moments_of_features(a), _moments_of_features(b)
    value, vector = torch.linalg.eigh(cov_a)
    root = vector * value.clamp(min=0).sqrt() @ vector.T  # A^½; (AB)^½ and (A^½ B A^½)^½ have the same trace
    both = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return max(0.0, ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * both).item())


def _moments_of_features(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.double().mean(0)
    deviation = x.double() - mean
    return mean, deviation.T @ deviation / (len(x) - 1)


class PrecisionRecall(NamedTuple):
    """Shares, 0 to 1."""

    precision: float  # of the fakes, how many lie where real data lie
    recall: float  # of the real data, how many lie where fakes lie


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """Good samples, and all kinds of samples, told apart (Kynkäänniemi et al., arXiv:1904.06991, section 2).

    Each point has a ball whose radius is the distance to its k-th nearest neighbour of its own set; the balls of the
    real points are where data lie, those of the fakes where the model puts its samples. Of two samples of the same
    law neither is 1: compare with two halves of real data. One real point far from all others has a ball that
    swallows much: see `density_coverage`.

    Args:
        real: (N, F). fake: (M, F). k: 1 to N − 1 and M − 1.
    """
    _check_features(real=real, fake=fake)
    k = _neighbour(k, real=real, fake=fake)
    around_real, around_fake = _radii(real, k), _radii(fake, k)
    precise, recalled = torch.zeros(len(fake), dtype=torch.bool, device=fake.device), []
    for rows, distance in _distances(real, fake):
        precise |= (distance < around_real[rows, None]).any(0)
        recalled.append((distance < around_fake).any(1))
    return PrecisionRecall(precise.double().mean().item(), torch.cat(recalled).double().mean().item())


class DensityCoverage(NamedTuple):
    """Both about 1 for samples of the same law."""

    density: float  # real balls around a fake, over k: can be above 1
    coverage: float  # share of the real balls that hold a fake


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> DensityCoverage:
    """Precision and recall, made steady against outliers (Naeem et al., arXiv:2002.09797, section 3).

    Balls are taken around real points only, to their k-th nearest real neighbour. Density counts in how many of them
    a fake lies instead of asking whether in any, and is 1 on average for the same law; coverage is then
    1 − (N−1)…(N−k) / (M+N−1)…(M+N−k), about 1 − 2⁻ᵏ for as many fakes as real points.

    Args:
        real: (N, F). fake: (M, F). k: 1 to N − 1.
    """
    _check_features(real=real, fake=fake)
    k = _neighbour(k, real=real)
    radius, inside, covered = _radii(real, k), 0, 0
    for rows, distance in _distances(real, fake):
        within = distance < radius[rows, None]
        inside, covered = inside + within.sum().item(), covered + within.any(1).sum().item()
    return DensityCoverage(inside / (k * len(fake)), covered / len(real))


def _neighbour(k: int, **clouds: Tensor) -> int:
    """k as an int, or an error unless every point of the clouds has so many others."""
    for name, x in clouds.items():
        expected = f"a whole number from 1 to {len(x) - 1}, for {len(x)} points of {name}"
        k = positive_integer("k", k, most=len(x) - 1, expected=expected)
    return k


def _radii(x: Tensor, k: int) -> Tensor:
    """Distance of every point to its k-th nearest other: (N, F) -> (N,)."""
    return torch.cat([distance.kthvalue(k + 1, 1).values for _, distance in _distances(x, x)])  # the first is itself


def _nearest(x: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest of the others, and which it is: (N, F), (M, F) -> (N,), (N,)."""
    nearest = [distance.min(1) for _, distance in _distances(x, others)]
    return torch.cat([each.values for each in nearest]), torch.cat([each.indices for each in nearest])


def _distances(a: Tensor, b: Tensor, numbers: int = 2**21) -> Iterator[tuple[slice, Tensor]]:
    """Euclidean distances, some rows of a at a time, so that no more than about `numbers` are in memory at once.

    Taken as differences, not by |a|² + |b|² − 2ab: copies are at the distance 0 exactly, and ties remain ties.
    """
    b, size = b.detach().double(), max(1, numbers // len(b))
    for i in range(0, len(a), size):
        part = a[i : i + size].detach().double()
        yield slice(i, i + size), torch.cdist(part, b, compute_mode="donot_use_mm_for_euclid_dist")


def _check_examples(x: Tensor) -> None:
    """Raise unless x is a batch of at least one example."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor (N, *event_shape)")
    if x.dim() == 0 or len(x) == 0:
        raise ValueError("x is empty; expected at least one example")


def _check_distributions(**laws: Tensor) -> None:
    """Raise unless all are (K,) probabilities, of one K."""
    for name, p in laws.items():
        if not isinstance(p, Tensor) or not p.is_floating_point():
            kind = p.dtype if isinstance(p, Tensor) else article(p)
            raise TypeError(f"{name} is {kind}; expected a floating-point tensor (K,) of probabilities")
    shapes = [tuple(p.shape) for p in laws.values()]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0] == (0,):
        had = ", ".join(f"{name} has shape {shape}" for name, shape in zip(laws, shapes))
        raise ValueError(f"{had}; expected the same (K,)")
    for name, p in laws.items():
        if not ((p >= 0).all() and abs(p.double().sum().item() - 1) < 1e-3):  # NaN is not
            raise ValueError(f"{name} is no distribution: from {p.min():g} to {p.max():g}, with sum {p.sum():g}; "
                             f"expected probabilities, 1 together: counts / counts.sum()")


def _check_features(**clouds: Tensor) -> None:
    """Raise unless all are (N, F) of finite numbers, of one width F."""
    width = None
    for name, x in clouds.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} is of type {type(x).__name__}; expected a torch.Tensor (N, F)")
        if x.dim() != 2 or not x.numel():
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (N, F), such as images.flatten(1)")
        if x.is_complex() or not torch.isfinite(x).all():
            raise ValueError(f"{name} holds NaN or infinite values, or complex ones; expected finite real numbers")
        width = width or x.shape[1]
        if x.shape[1] != width:
            raise ValueError(f"{name} has {x.shape[1]} features, {next(iter(clouds))} has {width}; expected the same")


# Copies --------------------------------------------------------------------------------------------------------------


def c_t(
    train: Tensor, held_out: Tensor, samples: Tensor, cells: int = 1, generator: torch.Generator | None = None
) -> float:
    """Do samples lie nearer to the training data than unseen data do? (Meehan et al., arXiv:2004.05675, section 3.)

    U counts the pairs (sample, held-out example) in which the sample is farther from its nearest training example,
    ties by half; Z_U = (U − mn/2) / √(mn(m+n+1)/12) is its z-score (Mann and Whitney 1947). For samples of the law
    of the data it is standard normal; copies give a value far below −3, samples off the data one far above 3. It
    grows with √n, so compare at equal numbers.

    A model may copy in one place and miss the data in another, and the two cancel. With `cells` > 1 the space is
    divided by k-means on the training data, and C_T is the average of the Z_U of the cells, weighted by their share
    of held-out data; a cell with fewer than 20 samples is left out.

    Args:
        train: (N, F). held_out: (n, F), seen by nobody. samples: (m, F), of the model. Pixels or features.
        generator: of k-means; by default a new one with seed 0.

    Raises:
        ValueError: a cell without training or held-out examples, or no cell with 20 samples: take fewer cells.
    """
    _check_features(train=train, held_out=held_out, samples=samples)
    expected = f"a whole number from 1 to {len(train)}, the training examples"
    cells = positive_integer("cells", cells, most=len(train), expected=expected)
    if cells == 1:
        return _z_u(train, held_out, samples)
    centres = _k_means(train, cells, generator_or_new(generator))
    in_train, in_held_out, in_samples = (_nearest(x, centres)[1] for x in (train, held_out, samples))
    weights, scores = [], []
    for cell in range(cells):
        some = train[in_train == cell], held_out[in_held_out == cell], samples[in_samples == cell]
        if not len(some[0]) or not len(some[1]):
            raise ValueError(f"a cell has {len(some[0])} training and {len(some[1])} held-out examples; take fewer "
                             f"cells than {cells}, or give more examples")
        if len(some[2]) >= 20:
            weights.append(len(some[1]))
            scores.append(_z_u(*some))
    if not weights:
        raise ValueError(f"none of {cells} cells has 20 of the {len(samples)} samples; draw more, or take fewer cells")
    return sum(w * z for w, z in zip(weights, scores)) / sum(weights)


def _z_u(train: Tensor, held_out: Tensor, samples: Tensor) -> float:
    own, unseen = _nearest(samples, train)[0], _nearest(held_out, train)[0].sort().values
    n, m = len(held_out), len(samples)
    u = (torch.searchsorted(unseen, own) + torch.searchsorted(unseen, own, right=True)).sum().item() / 2
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _k_means(x: Tensor, k: int, generator: torch.Generator, steps: int = 20) -> Tensor:
    """Centres (k, F) of Lloyd's algorithm; a centre that lost all its points stays where it is."""
    x = x.double()
    centres = x[torch.randperm(len(x), generator=generator, device=generator.device)[:k].to(x.device)]
    for _ in range(steps):
        cell = _nearest(x, centres)[1]
        counts = torch.bincount(cell, minlength=k)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, cell, x)
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def nearest_ratio(train: Tensor, held_out: Tensor, samples: Tensor) -> Tensor:
    """Distance of each sample to the nearest training example over that to the nearest held-out one: (S,).

    Below 1 it is nearer to what the model was trained on; 0 is a copy. For samples of the law of the data half are
    below 1, whatever the law, for the two sets could be exchanged; so the share below 1 is a score with the floor ½.

    Args:
        train, held_out: (N, F) each, as many of both: the nearest of more examples is nearer.
        samples: (S, F). Pixels or features.
    """
    _check_features(train=train, held_out=held_out, samples=samples)
    if len(train) != len(held_out):
        raise ValueError(f"train has {len(train)} examples, held_out {len(held_out)}; expected as many, or the larger "
                         "set is nearer for that alone")
    seen, unseen = _nearest(samples, train)[0], _nearest(samples, held_out)[0]
    return torch.where(seen == unseen, torch.ones_like(seen), seen / unseen)


class Support(NamedTuple):
    """How many different things a model makes, by its duplicates."""

    size: float  # estimate; inf if there is no duplicate
    at_least: float  # with a confidence of about 95 %
    duplicates: int  # pairs


def birthday_support(samples: Tensor, threshold: float = 0.0) -> Support:
    """Number of different outcomes, from how many of all pairs of s samples are the same.

    Two draws of a law over N equally probable things are the same with probability 1/N, so N is about
    s(s−1)/2 over the number of equal pairs; among 1.2·√N samples a duplicate is as probable as not, the paradox of
    birthdays (Arora and Zhang, arXiv:1706.08224). Of unequal probabilities it is 1/Σp², the number of
    equally probable things that would have as many duplicates. Nothing is said about a support far beyond s².

    Args:
        samples: (S, F). threshold: the largest distance of two that count as the same, in units of the features: such
            as one that hardly any two real examples fall below, to be printed beside it.
    """
    _check_features(samples=samples)
    if len(samples) < 2:
        raise ValueError(f"samples has {len(samples)} row; duplicates need two at least")
    threshold = number("threshold", threshold, "a distance, at least 0")
    twice = sum((distance <= threshold).sum().item() for _, distance in _distances(samples, samples)) - len(samples)
    pairs, equal = len(samples) * (len(samples) - 1) / 2, twice // 2
    most = equal + 2 * math.sqrt(equal) + 3  # what is seen may be a small number by chance (Poisson)
    return Support(pairs / equal if equal else math.inf, max(1.0, pairs / most), equal)


# Sharpness -----------------------------------------------------------------------------------------------------------


def sharpness(images: Tensor) -> Tensor:
    """Energy of the Laplacian over that of the image, Σ (Δx)² / Σ x²: (N, 1, H, W) -> (N,), 0 to 64.

    Δx is the sum of the four neighbours less four times the pixel, paper (0) around the page. Blur takes it down; noise
    takes it up, so that the aim is the value of the data, not more. Moving the image and the depth of the ink change
    nothing. After the focus measures of microscopy (Pech-Pacheco et al., ICPR 2000). An empty image has 0.
    """
    ink = torch.nn.functional.pad(_ink(images), (2,) * 4)  # (N, H + 4, W + 4)
    middle = ink[:, 1:-1, 1:-1]
    around = ink[:, 2:, 1:-1] + ink[:, :-2, 1:-1] + ink[:, 1:-1, 2:] + ink[:, 1:-1, :-2]
    energy = ink.square().sum((1, 2))
    return (around - 4 * middle).square().sum((1, 2)) / energy.clamp(min=1e-12)


class Spectrum(NamedTuple):
    """Power at rings of equal frequency."""

    frequency: Tensor  # (R,) cycles a pixel, 0 to ½: a wave of two pixels
    power: Tensor  # (R,) squared ink


def spectrum(images: Tensor) -> Spectrum:
    """Power of the images at every frequency, whatever its direction, averaged over the images: (N, 1, H, W).

    |discrete Fourier transform|² / HW, averaged over rings one cycle a page wide: white noise has its variance at each
    frequency. Natural images fall as 1/frequency² (Field 1987); a blurred image falls faster.
    """
    ink = _ink(images)
    height, width = ink.shape[1:]
    total = sum(torch.fft.fft2(part.double()).abs().square().sum(0) for part in ink.split(1000))
    power, page = total / ink.numel(), max(height, width)  # (H, W)
    kind = dict(dtype=torch.float32, device=ink.device)
    distance = torch.hypot(torch.fft.fftfreq(height, **kind)[:, None], torch.fft.fftfreq(width, **kind))  # (H, W)
    ring = (distance * page).round().long()
    inside = ring <= page // 2
    counts = torch.bincount(ring[inside])
    return Spectrum(torch.arange(len(counts), **kind) / page, torch.bincount(ring[inside], power[inside]) / counts)


# Sounds --------------------------------------------------------------------------------------------------------------


def warped_distance(a: Tensor, b: Tensor) -> float:
    """Dynamic time warping: how far apart two sequences are when each may linger, (T, F) and (S, F) frames.

    The least Σ w |a_i - b_j| along a path from both beginnings to both ends, over T + S. A step forward in one sequence
    has the weight w = 1, in both at once 2: every path has the weight T + S. 0 where one is the other with frames
    repeated. Paper: Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition", 1978,
    the symmetric form with P = 0.

    Raises TypeError, ValueError: not (T, F) of finite real numbers, or of unlike width.
    """
    _check_features(a=a, b=b)
    apart = torch.cdist(a.double()[None], b.double()[None], compute_mode="donot_use_mm_for_euclid_dist")[0]  # (T, S)
    n, m = apart.shape
    least = torch.full((n + 1, m + 1), math.inf, dtype=torch.float64, device=apart.device)
    least[0, 0] = 0
    for diagonal in range(2, n + m + 1):  # i + j; what lies on one diagonal does not depend on each other
        i = torch.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1, device=apart.device)
        j = diagonal - i
        here = apart[i - 1, j - 1]
        one = torch.minimum(least[i - 1, j], least[i, j - 1]) + here
        least[i, j] = torch.minimum(one, least[i - 1, j - 1] + 2 * here)
    return least[n, m].item() / (n + m)
