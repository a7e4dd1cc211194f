"""Every failure of notebook 05 as a plain function `(seed, *, dial=default, …) -> dict`: one run, counted by a study.

A function builds what it needs from the seed, on one thread and within a minute, and returns what came out: yes or no,
numbers, short texts. Nothing is drawn, nothing is kept.
"""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def weights_of(seed: int) -> Iterator[None]:
    """Models that are built inside get weights of this seed; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
