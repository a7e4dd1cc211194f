"""WaveNet, one sample at a time: each layer keeps the past that it will need again in a queue.

Paper: Le Paine et al., "Fast Wavenet Generation Algorithm" (arXiv:1611.09482). `fill_wavenet` decides how: a few
sequences on a CPU by the compiled loop of `compiled.py`, all others by `wavenet_stepper`.
"""

import contextlib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gencourse.models.base import Progress, Stepper, cached_stepper, fill_by_steps, fill_cached
from gencourse.models.causal import CausalConv1d
from gencourse.models.checks import check_condition
from gencourse.models.wavenet import DilatedLayer, WaveNet

SEQUENCES_PER_THREAD = 4  # so many are sampled by the compiled loop: with more the stepper's matrix products are faster


@fill_cached.register
def fill_wavenet(
    model: WaveNet, x: Tensor, noise: Tensor, written: int, condition: Tensor | None, progress: Progress | None
) -> None:
    """Fill x, (n, T), from sample `written` on; arguments as for `fill_by_steps`."""
    fill = fill_compiled if is_compiled(model, len(x)) else fill_by_steps
    fill(model, x, noise, written, condition, progress)


def is_compiled(model: WaveNet, n: int) -> bool:
    """Whether the compiled loop samples n sequences: float32 on a CPU, few of them, and Numba works here."""
    on_the_cpu = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    if not on_the_cpu or n > SEQUENCES_PER_THREAD * torch.get_num_threads():
        return False
    with contextlib.suppress(Exception):  # there is no Numba for this Python or this machine, or a broken one
        from gencourse.models.cached.compiled import ready

        return ready()
    return False


# -- by PyTorch --------------------------------------------------------------------------------------------------


@cached_stepper.register
def wavenet_stepper(model: WaveNet, n: int, condition: Tensor | None) -> Stepper:
    """The stepper of a WaveNet: (n,) previous samples -> (n, levels) logits of the next one."""
    check_condition(condition, model.n_classes, n)
    channels, skip_channels = model.first.out_channels, model.layers[0].skip.out_channels
    stream = model.first.weight.new_zeros(n, channels + skip_channels)  # residual stream, then the sum of the skips
    residual, skips = stream.split([channels, skip_channels], 1)
    first = CausalQueue(model.first, n)
    layers = [dilated_layer_stepper(layer, stream, residual, condition) for layer in model.layers]
    _, hidden, _, out = model.head
    hidden_weight, hidden_bias = hidden.weight.flatten(1).T.contiguous(), hidden.bias
    out_weight, out_bias = out.weight.flatten(1).T.contiguous(), out.bias
    scale = hidden_bias.new_tensor(2 / (model.levels - 1))  # a tensor, so that levels take the dtype of the weights
    began = False

    def step(previous: Tensor | None) -> Tensor:
        nonlocal began
        skips.zero_()
        # before anything was written the first layer, whose present is hidden, has nothing to look at
        residual.copy_(first(previous[:, None].to(stream.dtype) * scale - 1) if began else first.bias)
        began = True
        for layer in layers:
            layer()
        h = torch.addmm(hidden_bias, skips.relu(), hidden_weight).relu_()
        return torch.addmm(out_bias, h, out_weight)

    return step


def dilated_layer_stepper(
    layer: DilatedLayer, stream: Tensor, residual: Tensor, condition: Tensor | None
) -> Callable[[], None]:
    """One new sample: adds to `stream`, (n, channels + skip_channels), of which `residual` is the first part.

    As few operations as will do, since each costs more than what it computes: σ(a) = (1 + tanh(a/2))/2, so that one
    tanh makes both gates; one product for residual and skip; their bias as the weight of a constant 1.
    """
    n, channels = residual.shape
    bias = 0 if condition is None else layer.class_bias(condition.long())  # (n, 2·channels)
    half = stream.new_ones(2 * channels)
    half[channels:] = 0.5  # of what goes into the logistic
    queue = CausalQueue(layer.dilated, n, bias, half)
    content, openness = queue.out.split(channels, 1)
    weight, bias = residual_and_skip(layer)
    product = torch.cat([0.5 * weight, bias[None]])
    z = stream.new_ones(n, channels + 1)  # the last stays 1
    gated = z[:, :channels]

    def step() -> None:
        queue(residual).tanh_()
        torch.addcmul(content, content, openness, out=gated)
        stream.addmm_(z, product)

    return step


def residual_and_skip(layer: DilatedLayer) -> tuple[Tensor, Tensor]:
    """Both 1×1 convolutions as one: (channels, channels + skip_channels) and its bias; no residual is zeros."""
    weight, bias = layer.skip.weight.flatten(1), layer.skip.bias
    if layer.residual is None:
        residual_weight, residual_bias = (
            weight.new_zeros(weight.shape[1], weight.shape[1]),
            bias.new_zeros(weight.shape[1]),
        )
    else:
        residual_weight, residual_bias = layer.residual.weight.flatten(1), layer.residual.bias
    return torch.cat([residual_weight, weight]).T, torch.cat([residual_bias, bias])


class CausalQueue:
    """A dilated causal convolution evaluated at one new sample at a time: O(1) a sample (arXiv:1611.09482).

    The inputs that will be needed again wait in a ring as long as the dilation (times kernel_size - 1). What the
    samples already waiting contribute is computed for a whole round of the ring at once.
    """

    def __init__(self, conv: CausalConv1d, n: int, bias: Tensor | float = 0, scale: Tensor | float = 1) -> None:
        out, channels, _, taps = conv.weight.shape
        *self.older, self.newest = ((conv.weight[:, :, 0, j].T * scale).contiguous() for j in range(taps))  # (in, out)
        self.dilation = self.place = conv.dilation[1]
        self.bias = ((conv.bias + bias) * scale).expand(n, -1).repeat(self.dilation, 1)  # (dilation·n, out)
        self.newest_rows: tuple[Tensor, ...] = ()
        rings = [conv.weight.new_zeros(self.dilation * n, channels) for _ in range(taps)]  # oldest first
        self.rings = [(ring, ring.split(n)) for ring in rings]  # each as a whole, and by its rows
        self.waiting = self.bias.clone()
        self.waiting_rows = self.waiting.split(n)
        self.out = self.bias[:n].clone()

    def __call__(self, h: Tensor) -> Tensor:
        """Take in h, (n, in), and return what the convolution gives there, (n, out): always the same tensor."""
        if self.place == self.dilation:
            self._new_round()
        self.newest_rows[self.place].copy_(h)
        torch.addmm(self.waiting_rows[self.place], h, self.newest, out=self.out)
        self.place += 1
        return self.out

    def _new_round(self) -> None:
        self.rings.append(self.rings.pop(0))  # the oldest is written over
        self.newest_rows, self.place, known = self.rings[-1][1], 0, self.bias
        for (past, _), weight in zip(self.rings, self.older, strict=False):  # `older` lacks the newest tap
            known = torch.addmm(known, past, weight, out=self.waiting)


# -- by the compiled loop ----------------------------------------------------------------------------------------


def fill_compiled(
    model: WaveNet, x: Tensor, noise: Tensor, written: int, condition: Tensor | None, progress: Progress | None
) -> None:
    """As `fill_by_steps`, by the loop of `compiled.wavenet`, whose arrays are laid out here."""
    from gencourse.models.cached.compiled import array, run, wavenet

    layers, n = list(model.layers), len(x)
    dilations, n_taps = np.array(model.dilations), model.first.kernel_size[1]
    starts = np.concatenate([[0], np.cumsum((n_taps - 1) * dilations + 1)])  # of each layer's ring
    rings = np.zeros((n, starts[-1], model.first.out_channels), np.float32)
    bias = torch.stack([layer.dilated.bias.expand(n, -1) for layer in layers], 1)  # (n, L, 2C)
    if condition is not None:
        bias = bias + torch.stack([layer.class_bias(condition.long()) for layer in layers], 1)
    first = model.first.weight[:, 0, 0].T, model.first.bias
    taps = torch.stack([layer.dilated.weight[:, :, 0].permute(2, 1, 0) for layer in layers])  # (L, taps, C, 2C)
    out, out_bias = (torch.stack(parts) for parts in zip(*map(residual_and_skip, layers), strict=True))
    head = [part for conv in model.head[1::2] for part in (conv.weight.flatten(1).T, conv.bias)]
    weights = starts, dilations, *map(array, (*first, taps, out, out_bias, *head))
    run(wavenet, x, noise, (rings, array(bias)), weights, written, progress)
