"""How alike two sets of images are, as clouds of features."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gencourse.data import subset
from gencourse.metrics.clouds import check_examples, check_features, distances
from gencourse.support.checks import positive_integer


@torch.no_grad()
def features(model: nn.Module, x: Tensor, batch_size: int = 200) -> Tensor:
    """What `model.features` makes of every example, by batches: (N, *event_shape) -> (N, F).

    Of a classifier they are the space in which `frechet_distance`, `precision_recall` and `c_t` compare images.
    """
    batch_size = positive_integer("batch_size", batch_size)
    check_examples(x)
    return torch.cat([model.features(part) for part in x.split(batch_size)])


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians with the means and covariances of a and b: (N, F), (M, F).

    d² = |μ_a − μ_b|² + tr(A + B − 2 (AB)^½), in squared units of the features (Dowson and Landau 1982; Heusel et al.,
    arXiv:1706.08500, section 2, eq. 6, on features of the Inception network, which we replace by a small classifier:
    compare only values of the same features). Finite samples make it too large, the more the fewer there are: give
    as many as in what it is compared with, and print d² of two halves of real data beside it.

    Raises:
        ValueError: not more samples than features, so that a covariance has no inverse.
    """
    check_features(a=a, b=b)
    for name, x in dict(a=a, b=b).items():
        if len(x) <= x.shape[1]:
            raise ValueError(f"{name} has {len(x)} samples of {x.shape[1]} features; expected more samples than that")
    (mean_a, cov_a), (mean_b, cov_b) = _moments_of_features(a), _moments_of_features(b)
    value, vector = torch.linalg.eigh(cov_a)
    root = vector * value.clamp(min=0).sqrt() @ vector.T  # A^½; (AB)^½ and (A^½ B A^½)^½ have the same trace
    both = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return max(0.0, ((mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * both).item())


def frechet_floor(real: Tensor, n: int, generator: torch.Generator, draws: int = 8) -> list[float]:
    """What `frechet_distance` says of two sets of n real examples each, drawn at random and apart: one number a draw.

    It is the fair floor for a distance between n samples and n real examples: independent draws from the data's own
    distribution come out here on average, and not at 0, since both sides are finite (Chong and Forsyth,
    arXiv:1911.07023, on the bias). A single draw lies above or below, some of them outside a few floors.

    real: features (N, F) of real examples, N >= 2n. Raises ValueError where there are fewer.
    """
    n, draws = positive_integer("n", n), positive_integer("draws", draws)
    check_features(real=real)
    if len(real) < 2 * n:
        raise ValueError(f"real has {len(real)} examples; expected at least {2 * n}, for two sets of {n}")
    floors = []
    for _ in range(draws):
        floors.append(frechet_distance(*subset(2 * n, generator, real).split(n)))
    return floors


def _moments_of_features(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.double().mean(0)
    deviation = x.double() - mean
    return mean, deviation.T @ deviation / (len(x) - 1)


class PrecisionRecall(NamedTuple):
    """Shares, 0 to 1.

    >>> real = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    >>> narrow = precision_recall(real, real[:50] / 4)
    >>> narrow.precision > narrow.recall
    True
    """

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
    check_features(real=real, fake=fake)
    k = _neighbour(k, real=real, fake=fake)
    around_real, around_fake = _radii_of_real(real, k), _radii(fake, k)
    precise, recalled = torch.zeros(len(fake), dtype=torch.bool, device=fake.device), []
    for rows, distance in distances(real, fake):
        precise |= (distance < around_real[rows, None]).any(0)
        recalled.append((distance < around_fake).any(1))
    return PrecisionRecall(precise.double().mean().item(), torch.cat(recalled).double().mean().item())


@torch.no_grad()
def legible(judge: nn.Module, x: Tensor, real: Tensor, sure: float = 0.9, k: int = 3) -> Tensor:
    """Which images a machine can read, in place of a human: (N, *event_shape), (M, *event_shape) -> (N,) bool.

    An image counts where `judge`, a classifier, gives one class a probability above `sure`, and its features lie among
    those of `real` images, within the distance from one of them to its k-th nearest neighbour (as in
    `precision_recall`). Either alone would not do: a classifier can be sure of noise. Real images do not all count, nor
    does all else fail: measure both beside the samples.
    """
    of_x, of_real = features(judge, x), features(judge, real)
    radii = _radii_of_real(of_real, _neighbour(k, real=of_real))
    near = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for rows, distance in distances(of_real, of_x):
        near |= (distance < radii[rows, None]).any(0)
    return near & (judge.head(of_x).softmax(1).amax(1) > sure)


class DensityCoverage(NamedTuple):
    """Both about 1 for samples of the same law.

    >>> real = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    >>> density_coverage(real[:200], real[200:]).coverage > 0.9 > density_coverage(real[:200], real[200:] / 9).coverage
    True
    """

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
    check_features(real=real, fake=fake)
    k = _neighbour(k, real=real)
    radius, inside, covered = _radii_of_real(real, k), 0, 0
    for rows, distance in distances(real, fake):
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
    return torch.cat([distance.kthvalue(k + 1, 1).values for _, distance in distances(x, x)])  # the first is itself


_LAST: dict[int, tuple[Tensor, Tensor]] = {}  # k: real points, and their radii, for the next model on the same data


def _radii_of_real(x: Tensor, k: int) -> Tensor:
    """`_radii`, remembered for the same points, which many models are compared with in turn."""
    known = _LAST.get(k)
    if known is None or (known[0].device, known[0].dtype) != (x.device, x.dtype) or not torch.equal(known[0], x):
        _LAST[k] = known = x.detach().clone(), _radii(x, k)
    return known[1]
