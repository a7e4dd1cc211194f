"""Seconds on the clock: of one call, of the shortest of several, of sampling."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.support.checks import positive_integer


def seconds_of(action: Callable[[], Any], times: int = 1) -> float:
    """Seconds of the shortest of `times` calls of `action`: other programs can only make a call longer."""
    took = []
    for _ in range(positive_integer("times", times)):
        start = time.perf_counter()
        action()
        took.append(time.perf_counter() - start)
    return min(took)


def time_sampling(model: nn.Module, n: int, cached: bool, seed: int = 0) -> tuple[float, Tensor, int]:
    """Draw n samples with `model.sample`: the seconds it took, the samples, and how many steps one waited for another.

    cached: as for `Autoregressive.sample`. seed: of the draws, so that two calls draw the same samples.
    """
    steps, drawn = [], []

    def counting(positions: Any) -> Any:
        for position in positions:
            steps.append(position)
            yield position

    generator = torch.Generator().manual_seed(seed)
    took = seconds_of(lambda: drawn.append(model.sample(n, generator, cached=cached, progress=counting)))
    return took, drawn[0], len(steps)
