"""Which inputs an output depends on."""

import copy
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gencourse.models.settings import draw_noise, first_weight, with_gradients
from gencourse.support.checks import generator_or_new, positive_integer


def receptive_field(
    model: nn.Module, position: Sequence[int], n_probes: int = 8, generator: torch.Generator | None = None
) -> Tensor:
    """How strongly the prediction at `position` depends on every position of the event.

    Backpropagates from the logits at that position to random inputs, and keeps the largest gradient over
    `n_probes` inputs: exactly zero where the model cannot see, and also where a unit that never opens hides what it
    could see; `reach` tells the two apart.

    Args:
        model: has `event_shape`, `levels` and `logits`. position: index into `event_shape`, such as (0, 14, 14).

    Returns:
        (*event_shape), absolute gradient.

    Raises:
        TypeError, ValueError: a position outside the event, no probe.
    """
    n_probes = positive_integer("n_probes", n_probes)
    shape = _shape_around(position, model)
    generator, weight = generator_or_new(generator), first_weight(model)
    with with_gradients():
        x = draw_noise(torch.rand, (n_probes, *shape), weight.device, generator).to(weight.dtype) * (model.levels - 1)
        x.requires_grad_(True)
        here = _logits_at(model, x, position)  # (n_probes, levels)
        weights = draw_noise(torch.randn, here.shape, x.device, generator)
        (gradient,) = torch.autograd.grad((here * weights).sum(), x)
    return gradient.abs().amax(0)


def reach(model: nn.Module, position: Sequence[int]) -> Tensor:
    """Which positions of the event the prediction at `position` can depend on, whatever the weights are.

    The gradient of a network with random weights can be zero by chance: where a ReLU is shut for all probes, the path
    through it is lost. Here, in a copy of the model, all weights of a layer are the same positive number, all biases
    are small and positive, and all inputs are at the highest level. Then every ReLU on a path is open, all derivatives
    along it are positive, and no two paths cancel: a gradient is zero exactly where the masks and the wiring leave no
    path. This holds for networks of convolutions, linear layers, ReLU, tanh, σ, LSTM cells and sums of these.

    Args:
        model: as for `receptive_field`. position: index into `event_shape`.

    Returns:
        (*event_shape), bool.

    Raises:
        TypeError, ValueError: as `receptive_field`; a model with `fourier` features, whose derivatives change sign.
    """
    if getattr(model, "fourier", 0):
        raise ValueError(f"the model has fourier={model.fourier}; expected 0: sines have derivatives of either sign")
    opened = copy.deepcopy(model).double()
    with torch.no_grad():
        for parameter in opened.parameters():
            # two axes or more: 1 / the numbers in its first slice; one axis: 0.01. All are small and positive
            parameter.fill_(1 / max(1, parameter[0].numel()) if parameter.dim() > 1 else 0.01)
    shape = _shape_around(position, opened)
    with with_gradients():
        x = torch.full((1, *shape), opened.levels - 1.0, dtype=torch.float64, device=first_weight(opened).device)
        x.requires_grad_(True)
        (gradient,) = torch.autograd.grad(_logits_at(opened, x, position).sum(), x)
    return gradient[0] > 0


def seen_pairs(model: nn.Module, see: Callable[[nn.Module, Sequence[int]], Tensor]) -> tuple[int, int]:
    """Pairs of a prediction and an input that it sees, over all predictions: (forbidden ones, allowed ones).

    Forbidden is an input at or after the prediction in reading order, allowed is one before it.
    see: `receptive_field` or `reach`.
    """
    forbidden = allowed = 0
    for i, position in enumerate(itertools.product(*map(range, model.event_shape))):
        seen = (see(model, position) > 0).flatten()
        forbidden, allowed = forbidden + int(seen[i:].sum()), allowed + int(seen[:i].sum())
    return forbidden, allowed


def _shape_around(position: Sequence[int], model: nn.Module) -> tuple[int, ...]:
    """The model's event_shape; ValueError if the position is no index into it."""
    shape = tuple(model.event_shape)
    if len(position) != len(shape) or not all(0 <= i < size for i, size in zip(position, shape)):
        raise ValueError(f"position is {tuple(position)}; expected an index into event_shape {shape}")
    return shape


def _logits_at(model: nn.Module, x: Tensor, position: Sequence[int]) -> Tensor:
    """The logits at a position, of the first class if there are classes: (N, *event_shape) -> (N, levels)."""
    condition = None if model.n_classes is None else torch.zeros(len(x), dtype=torch.long, device=x.device)
    return model.logits(x, condition)[(slice(None), slice(None), *position)]
