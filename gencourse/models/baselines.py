"""The trivial model first: tables of counts over a few earlier neighbours of a pixel."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Autoregressive, check_image_shape, working


class ContextTable(Autoregressive):
    """P(pixel | a few earlier neighbours), counted at every position of the image on its own.

    No neighbours: independent pixels. The left one: a first-order Markov chain along each row.

    Args:
        event_shape: (1, H, W).
        neighbours: offsets (rows, columns) of earlier pixels, such as (0, -1) for the left one and (-1, 0) for the one
            above. Beyond the border a neighbour counts as 0.
        levels: values of a pixel.

    Raises:
        ValueError: a neighbour that is not earlier in raster order.
    """

    def __init__(self, event_shape: tuple[int, int, int], neighbours=(), levels: int = 2):
        super().__init__(event_shape, levels)
        check_image_shape(self.event_shape)
        try:
            self.neighbours = tuple((int(row), int(column)) for row, column in neighbours)
        except (TypeError, ValueError):
            wanted = "pairs of offsets such as [(0, -1), (-1, 0)]"
            raise TypeError(f"neighbours are {neighbours!r}; expected {wanted}") from None
        if late := [offset for offset in self.neighbours if offset >= (0, 0)]:
            raise ValueError(f"neighbours {late} are not earlier in raster order; expected such as (0, -1) or (-1, 1)")
        contexts, size = self.levels ** len(self.neighbours), math.prod(self.event_shape)
        self.register_buffer("counts", torch.zeros(size, contexts, self.levels))

    def count(self, x: Tensor) -> "ContextTable":
        """Count the levels of (N, 1, H, W) images in each context: the maximum of the likelihood, in closed form."""
        self.check_levels(x)
        counts, size = working(self), math.prod(self.event_shape)
        n_cells = counts.shape[1] * self.levels
        first = n_cells * torch.arange(size, device=x.device)  # cell of each place
        for some in x.split(500):  # more at once would be slower: they leave the cache
            cell = first + self._context(some) * self.levels + some.flatten(1).long()  # (N, D)
            counts += torch.bincount(cell.flatten(), minlength=size * n_cells).view_as(counts)
        return self

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """As `Autoregressive.logits`, but of level indices only: a table has no gradient."""
        self.check_levels(x)
        self.check_condition(condition, len(x))
        context = self._context(x)  # (B, D)
        logits = self._table()[torch.arange(context.shape[1], device=x.device), context]  # (B, D, levels)
        return logits.transpose(1, 2).unflatten(2, self.event_shape)

    def _table(self) -> Tensor:
        """Unnormalised log-probabilities at every place, in every context, of every level: (D, contexts, levels)."""
        return torch.log(working(self) + 0.5)  # half a count more everywhere, so that nothing is impossible

    def _context(self, x: Tensor) -> Tensor:
        """Number of the context that each pixel stands in: (B, 1, H, W) -> (B, D)."""
        height, width = self.event_shape[1:]
        context = torch.zeros_like(x, dtype=torch.long)
        for row, column in self.neighbours:
            side = abs(column)
            padded = F.pad(x, (side, side, -row, 0))
            neighbour = padded[..., :height, side + column : side + column + width]
            context = context * self.levels + neighbour.long()
        return context.flatten(1)

    def _stepper(self, n: int, condition: Tensor | None):
        self.check_condition(condition, n)
        image = torch.zeros(n, *self.event_shape, dtype=torch.long, device=self.counts.device)
        table, width, position = self._table(), self.event_shape[2], -1

        def step(previous: Tensor | None) -> Tensor:
            nonlocal position
            position += 1
            if previous is not None:
                image.view(n, -1)[:, position - 1] = previous
            context = torch.zeros(n, dtype=torch.long, device=image.device)
            for row, column in self.neighbours:
                i, j = position // width + row, position % width + column
                inside = i >= 0 and 0 <= j < width
                context = context * self.levels + (image[:, 0, i, j] if inside else 0)
            return table[position, context]  # (n, levels)

        return step
