"""Batches: every epoch all examples in a new order, each found again from the number of the step alone."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gencourse.support.devices import made_on

Prepare = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Batches:
    """The batches of one run.

    Attributes:
        x: (N, …) examples. condition: (N,) classes, or None.
        size: examples in a batch; what does not fill one waits for the next epoch.
        prepare: applied to every batch where x lies, with the generator; or None.
        seed: of the run, decides the orders. device: that of the model, where the batches go.
    """

    x: Tensor
    condition: Tensor | None
    size: int
    prepare: Prepare | None
    generator: torch.Generator
    seed: int
    device: torch.device

    def draw(self, k: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The k-th batch, (size, …), and what the loss is given besides: (classes,), or nothing."""
        index = batch_indices(k, len(self.x), self.size, self.seed)
        batch = self.x[index]
        if self.prepare is not None:
            with made_on(batch.device):
                batch = self.prepare(batch, self.generator)
        batch = batch.to(self.device)
        return batch, () if self.condition is None else (self.condition[index].to(self.device),)


def batch_indices(k: int, n: int, size: int, seed: int) -> Tensor:
    """Which of n examples are in the k-th batch, (size,): the orders of the epochs are drawn with seed + epoch."""
    epoch, place = divmod(k, n // size)
    return _order(n, seed + epoch)[place * size : (place + 1) * size]


@functools.lru_cache(maxsize=4)  # runs that take turns have one each
def _order(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator("cpu").manual_seed(seed), device="cpu")
