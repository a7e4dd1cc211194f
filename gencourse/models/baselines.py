"""The trivial model first: tables of counts over a few earlier neighbours of a pixel.

Sampling one pixel at a time stands in `gencourse/models/cached/baselines.py`.
"""

import math
from collections.abc import Iterable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.models.base import Autoregressive
from gencourse.models.checks import check_condition, check_image_shape, check_neighbours
from gencourse.models.settings import first_weight


class ContextTable(Autoregressive):
    """P(pixel | a few earlier neighbours), counted at every position of the image on its own.

    No neighbours: independent pixels. The left one: a first-order Markov chain along each row.

    Args:
        event_shape: (1, H, W).
        neighbours: offsets (rows, columns) of earlier pixels, such as (0, -1) for the left one and (-1, 0) for the one
            above. Beyond the border a neighbour counts as 0.
        levels: values of a pixel.

    Raises:
        TypeError, ValueError: neighbours that are no pairs, or not earlier in raster order.

    >>> table = ContextTable((1, 2, 2), neighbours=[(0, -1)])
    >>> stripes = torch.tensor([[0, 0], [1, 1]]).view(1, 1, 2, 2)
    >>> table.log_prob(stripes).exp().item()  # nothing is counted yet: 16 equally probable images
    0.0625
    >>> round(table.count(stripes.repeat(100, 1, 1, 1)).log_prob(stripes).exp().item(), 2)
    0.98
    """

    def __init__(
        self, event_shape: tuple[int, int, int], neighbours: Iterable[tuple[int, int]] = (), levels: int = 2
    ) -> None:
        super().__init__(event_shape, levels)
        check_image_shape(self.event_shape)
        self.neighbours = check_neighbours(neighbours)
        contexts, size = self.levels ** len(self.neighbours), math.prod(self.event_shape)
        self.register_buffer("counts", torch.zeros(size, contexts, self.levels))

    def count(self, x: Tensor) -> Self:
        """Count the levels of (N, 1, H, W) images in each context: that is all the fitting there is."""
        self.check_levels(x)
        counts, size = first_weight(self), math.prod(self.event_shape)
        n_cells = counts.shape[1] * self.levels
        first = n_cells * torch.arange(size, device=x.device)  # cell of each place
        for batch in x.split(500):  # in parts, which take little memory
            cell = first + self.context(batch) * self.levels + batch.flatten(1).long()  # (N, D)
            counts += torch.bincount(cell.flatten(), minlength=size * n_cells).view_as(counts)
        return self

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """As `Autoregressive.logits`, but of level indices only: a table has no gradient."""
        self.check_levels(x)
        check_condition(condition, self.n_classes, len(x))
        context = self.context(x)  # (B, D)
        logits = self.table()[torch.arange(context.shape[1], device=x.device), context]  # (B, D, levels)
        return logits.transpose(1, 2).unflatten(2, self.event_shape)

    def table(self) -> Tensor:
        """Unnormalised log-probabilities at every place, in every context, of every level: (D, contexts, levels)."""
        return torch.log(first_weight(self) + 0.5)  # half a count more everywhere, so that nothing is impossible

    def context(self, x: Tensor) -> Tensor:
        """Number of the context that each pixel stands in: (B, 1, H, W) -> (B, D)."""
        height, width = self.event_shape[1:]
        context = torch.zeros_like(x, dtype=torch.long)
        for row, column in self.neighbours:
            side = abs(column)
            padded = F.pad(x, (side, side, -row, 0))
            neighbour = padded[..., :height, side + column : side + column + width]
            context = context * self.levels + neighbour.long()
        return context.flatten(1)
