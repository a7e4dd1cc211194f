"""Clouds of points (N, F): checked, and their distances."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gencourse.support.checks import article


def nearest(x: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest of the others, and which it is: (N, F), (M, F) -> (N,), (N,).

    Of many others a matrix product chooses eight each, by |a|² + |b|² − 2ab in single precision; their distances are
    then taken as differences. Where rounding leaves open whether the nearest is among the eight, all are taken so.
    """
    if len(others) < 500:
        found = [distance.min(1) for _, distance in distances(x, others)]
        return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])
    b = others.detach().double()
    centre = b.mean(0)
    rough, apart, which = (b - centre).float(), [], []
    squares = rough.square().sum(1)
    for part in x.detach().double().split(max(1, 2**24 // len(b))):
        a = (part - centre).float()
        own = a.square().sum(1)
        values, places = torch.addmm(squares, a, rough.T, alpha=-2).topk(8, 1, largest=False)
        places = places.sort(1).values  # of equal ones the first
        least, at = (part[:, None] - b[places]).norm(dim=2).min(1)
        place = places.gather(1, at[:, None])[:, 0]
        rounding = 2 * b.shape[1] * torch.finfo(torch.float32).eps * (own + squares.max())
        for i in (values[:, -1] + own - rounding <= least.square()).nonzero().flatten().tolist():
            (least[i],), (place[i],) = next(distances(part[i : i + 1], b))[1].min(1)
        apart.append(least)
        which.append(place)
    return torch.cat(apart), torch.cat(which)


def distances(a: Tensor, b: Tensor, numbers: int = 2**21) -> Iterator[tuple[slice, Tensor]]:
    """Euclidean distances, some rows of a at a time, so that no more than about `numbers` are in memory at once.

    Taken as differences, not by |a|² + |b|² − 2ab: copies are at the distance 0 exactly, and ties remain ties.
    """
    b, size = b.detach().double(), max(1, numbers // len(b))
    for i in range(0, len(a), size):
        part = a[i : i + size].detach().double()
        yield slice(i, i + size), torch.cdist(part, b, compute_mode="donot_use_mm_for_euclid_dist")


def check_examples(x: Tensor) -> None:
    """Raise unless x is a batch of at least one example."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor (N, *event_shape)")
    if x.dim() == 0 or len(x) == 0:
        raise ValueError("x is empty; expected at least one example")


def check_features(**clouds: Tensor) -> None:
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
