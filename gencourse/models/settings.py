"""In which dtype and on which device a model computes, and from which generator its random numbers come.

A model computes in the dtype of its weights and on their device, whatever torch's defaults are at that time. New
weights have the defaults of the moment when the model is built, as in every module of torch; those of a stored model
are float32. Data are cast to the dtype of the weights, and never moved to another device. Weights are float32 or
float64: fewer digits are for training alone, by autocast (`fit(…, precision="bfloat16")`), and are refused. A GMM is
always float64.

Random numbers come from the generator that is given, on its device, so that one on the CPU means the same numbers
everywhere. Noise that becomes part of a code or of an event is drawn in the dtype of the weights; uniform numbers by
which levels, zeros and ones or components are chosen are drawn in float32 (by a GMM in float64).
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from gencourse.support.checks import generator_or_new
from gencourse.support.devices import made_on


def first_weight(module: nn.Module) -> Tensor:
    """The first weight (or buffer) of a module with real numbers: the module computes on its device, in its dtype.

    Raises:
        TypeError: weights in which a likelihood cannot be computed.
    """
    for weight in itertools.chain(module.parameters(), module.buffers()):
        if weight.dtype in (torch.float32, torch.float64):
            return weight
        if weight.is_floating_point():
            raise TypeError(
                f"the weights of this {type(module).__name__} are {weight.dtype}; expected float32 or "
                'float64: model.float() (to train faster in bfloat16: fit(…, precision="bfloat16"))'
            )
    return torch.empty(0, dtype=torch.float32, device="cpu")  # a module without weights


def at_least_float32(x: Tensor) -> Tensor:
    """What a network gives under autocast, as float32; float64 stays float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextlib.contextmanager
def with_gradients() -> Iterator[None]:
    """Gradients can be taken inside, wherever it is called from."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextlib.contextmanager
def usual_settings() -> Iterator[None]:
    """Torch as in a fresh Python, whatever its user has set: float32, on the CPU, with gradients."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with made_on("cpu"), with_gradients():
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def weights_of(seed: int) -> Iterator[None]:
    """Models that are built inside get float32 weights of this seed; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]), usual_settings():
        torch.manual_seed(seed)
        yield


def draw_noise(
    law: Callable[..., Tensor],
    shape: int | Sequence[int],
    device: torch.device,
    generator: torch.Generator | None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Numbers by `torch.rand` or `torch.randn`, drawn where the generator is and moved to where they are needed.

    So a seed on the CPU means the same numbers for a model on any device. Without a generator they are drawn on the
    device, from its global random state.
    """
    source = device if generator is None else generator_or_new(generator).device
    return law(shape, generator=generator, device=source, dtype=dtype).to(device)
