"""How far two distributions over finitely many outcomes are apart; shares of patches and cells."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.metrics.intervals import Interval, mean_interval
from gencourse.support.checks import article, positive_integer


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


def cell_shares(x: Tensor, edges: Tensor) -> Tensor:
    """The share of points in each square cell of a grid over the plane, and last of those outside all cells.

    x: (N, 2), at least one point. edges: (n + 1,) of both axes. Returns (n² + 1,) float64, the cells in the order of
    `cell_probabilities`. Raises ValueError for points of another shape.

    >>> cell_shares(torch.tensor([[0.5, 0.5], [0.5, 0.5], [9.0, 9.0], [1.5, 0.5]]), torch.tensor([0.0, 1.0, 2.0]))
    tensor([0.5000, 0.0000, 0.2500, 0.0000, 0.2500], dtype=torch.float64)
    """
    if x.dim() != 2 or x.shape[1] != 2 or not len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (N, 2), at least one point")
    inside = torch.histogramdd(x.double(), [edges.double(), edges.double()]).hist.flatten()
    return torch.cat([inside, (len(x) - inside.sum())[None]]) / len(x)


def variation_by_chance(p: Tensor, n: int, generator: torch.Generator, series: int = 40) -> float:
    """The total variation between p and the shares of n draws from p itself, its mean over some series of draws.

    No draws match their own law exactly: this is the distance that a right sampler has. p: (K,) probabilities.
    """
    n, series = positive_integer("n", n), positive_integer("series", series)
    draws = (torch.multinomial(p, n, True, generator=generator).bincount(minlength=len(p)) for _ in range(series))
    return sum(total_variation(drawn / n, p) for drawn in draws) / series


def excess_variation(
    draw: Callable[[], Tensor], p: Tensor, edges: Tensor, by_chance: float, series: int = 10
) -> Interval:
    """The total variation between fresh draws and p beyond what chance gives: its mean and its interval.

    It is zero for a right sampler, and negative where the shares are closer to p than independent draws would be.

    Args:
        draw: returns (n, 2) new points at each call. p: (K,), `cell_probabilities` of the same edges.
        by_chance: what `variation_by_chance` gives for p and n.
        series: how often `draw` is called, at least twice.
    """
    distances = [total_variation(cell_shares(draw(), edges), p) for _ in range(positive_integer("series", series))]
    return mean_interval([distance - by_chance for distance in distances])


def total_variation(p: Tensor, q: Tensor) -> float:
    """½ Σ |p − q| of two (K,) distributions: the most that they differ in the probability of any set; 0 to 1."""
    _check_distributions(p=p, q=q)
    return 0.5 * (p - q).abs().sum().item()


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
            raise ValueError(
                f"{name} is no distribution: from {p.min():g} to {p.max():g}, with sum {p.sum():g}; "
                f"expected probabilities, 1 together: counts / counts.sum()"
            )
