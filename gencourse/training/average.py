"""An exponential moving average of the weights, beside the weights that are trained."""

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


def begin_average(own: Mapping[str, Tensor], decay: float) -> dict[str, Tensor] | None:
    """The average as it begins, a copy of the weights; None if `decay` is 0, which means that none is wanted."""
    return {k: v.detach().clone() for k, v in own.items()} if decay else None


def update_average(averaged: dict[str, Tensor] | None, own: Mapping[str, Tensor], decay: float, step: int) -> None:
    """Draw the averaged weights a after the model's own w, in place: a ← d a + (1 - d) w.

    d is min(decay, (1 + step) / (10 + step)): in the first steps they follow faster, or the start would stay in them.
    """
    if averaged is None:
        return
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in averaged.items():
            value.lerp_(own[key], 1 - decay)


@contextlib.contextmanager
def averaged_at_rest(model: nn.Module, averaged: dict[str, Tensor] | None) -> Iterator[None]:
    """The model at rest (`eval`), with the averaged weights if there are any, for the time of a measurement."""
    model.eval()
    if averaged is None:
        yield
        return
    own = {k: v.detach().clone() for k, v in model.named_parameters()}
    model.load_state_dict(averaged, strict=False)
    try:
        yield
    finally:
        model.load_state_dict(own, strict=False)
