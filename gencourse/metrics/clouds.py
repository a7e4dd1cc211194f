"""Clouds of points (N, F): checked, and their distances."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gencourse.support.checks import article


def nearest(x: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest of the others, and which it is: (N, F), (M, F) -> (N,), (N,)."""
    nearest = [distance.min(1) for _, distance in distances(x, others)]
    return torch.cat([each.values for each in nearest]), torch.cat([each.indices for each in nearest])


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
