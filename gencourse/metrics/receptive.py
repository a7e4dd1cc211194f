"""Which inputs an output depends on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gencourse.models.settings import draw_noise, first_weight, with_gradients
from gencourse.support.checks import generator_or_new, positive_integer


def receptive_field(
    model: nn.Module, position: Sequence[int], n_probes: int = 8, generator: torch.Generator | None = None
) -> Tensor:
    """How strongly the prediction at `position` depends on every position of the event.

    Backpropagates from the logits at that position to random inputs, and keeps the largest gradient over
    `n_probes` inputs: exactly zero where the model cannot see.

    Args:
        model: has `event_shape`, `levels` and `logits`. position: index into `event_shape`, such as (0, 14, 14).

    Returns:
        (*event_shape), absolute gradient.

    Raises:
        TypeError, ValueError: a position outside the event, no probe.
    """
    shape, n_probes = tuple(model.event_shape), positive_integer("n_probes", n_probes)
    if len(position) != len(shape) or not all(0 <= i < size for i, size in zip(position, shape)):
        raise ValueError(f"position is {tuple(position)}; expected an index into event_shape {shape}")
    generator, weight = generator_or_new(generator), first_weight(model)
    with with_gradients():
        x = draw_noise(torch.rand, (n_probes, *shape), weight.device, generator).to(weight.dtype) * (model.levels - 1)
        x.requires_grad_(True)
        condition = None if model.n_classes is None else torch.zeros(n_probes, dtype=torch.long, device=x.device)
        logits = model.logits(x, condition)  # (n_probes, levels, *event_shape)
        here = logits[(slice(None), slice(None), *position)]  # (n_probes, levels)
        weights = draw_noise(torch.randn, here.shape, x.device, generator)
        (gradient,) = torch.autograd.grad((here * weights).sum(), x)
    return gradient.abs().amax(0)
