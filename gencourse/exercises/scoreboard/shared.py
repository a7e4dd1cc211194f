"""What several exercises of notebook 06 observe, and what their symptoms ask."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import seeded
from gencourse.exercises.machine.common import usable


def random_numbers(*shape: int, seed: int) -> Tensor:
    """Numbers from 0 to 1."""
    return torch.rand(shape, generator=seeded(seed), device="cpu", dtype=torch.float32)


def sound_results(results):
    """The results, if every answer is finite and of the right shape; else none: then that is better said."""
    return (
        results
        if len(usable(results)) == len(results)
        and all(r.value.isfinite().all() for r in results)
        else []
    )


def shuffled_rows(rows: Tensor, seed: int) -> Tensor:
    """The rows in another order."""
    return rows[torch.randperm(len(rows), generator=seeded(seed), device="cpu")]
