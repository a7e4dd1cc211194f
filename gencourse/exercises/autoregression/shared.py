"""What several exercises of notebook 01 observe, and what their symptoms ask."""

from __future__ import annotations

from torch import Tensor

from gencourse.exercises.machine.common import normal


def images_of(*shape: int) -> Tensor:
    """Images of this shape, other ones in each variant."""
    return normal(*shape, seed=sum(shape))
