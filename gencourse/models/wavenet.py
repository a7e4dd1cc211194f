"""WaveNet: the same chain of conditionals in one dimension, over samples of sound.

Papers: van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (arXiv:1609.03499), sections 2.1–2.5; Le Paine
et al., "Fast Wavenet Generation Algorithm" (arXiv:1611.09482) for the queues.

A causal convolution with two taps d samples apart looks d samples back. Doubling d from layer to layer
makes the context grow exponentially with depth, while each layer costs the same.
"""

import contextlib
import functools
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .base import Autoregressive, class_bias, positive_integer
from .causal import CausalConv1d

DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
FEW = 4  # sequences a thread that are sampled one after the other, by the compiled loop


class WaveNet(Autoregressive):
    """Gated dilated causal convolutions over sequences of levels.

    `log_prob`, `loss` and `logits` take any length; `event_shape` is the length that `sample` draws by default.

    Args:
        event_shape: (length,), in samples.
        levels: values of a sample; 256 for µ-law sound.
        dilations: one gated layer each; all at least 1.
        channels: width of the residual stream. skip_channels: width of the sum of all layers' skips.
        kernel_size: taps of each dilated convolution.
        n_classes: condition on a class index, such as the word that is spoken.
    """

    def __init__(
        self,
        event_shape: tuple[int],
        levels: int = 256,
        dilations: Iterable[int] = DILATIONS + DILATIONS,
        channels: int = 32,
        skip_channels: int = 64,
        kernel_size: int = 2,
        n_classes: int | None = None,
    ):
        super().__init__(event_shape, levels, n_classes)
        if len(self.event_shape) != 1:
            raise ValueError(f"event_shape is {self.event_shape}; a WaveNet takes sequences, (length,)")
        if not isinstance(dilations, Iterable):
            raise TypeError(f"dilations is {dilations!r}; expected a list such as (1, 2, 4, 8)")
        self.dilations = tuple(positive_integer("a dilation", d) for d in dilations)
        if not self.dilations:
            raise ValueError("dilations is empty; expected at least one layer, such as (1, 2, 4, 8)")
        kernel_size = positive_integer("kernel_size", kernel_size)
        channels = positive_integer("channels", channels)
        skip_channels = positive_integer("skip_channels", skip_channels)
        self.first = CausalConv1d(1, channels, kernel_size, kind="A")
        self.layers = nn.ModuleList(
            DilatedLayer(channels, skip_channels, kernel_size, dilation, self.n_classes, last=i == len(self.dilations))
            for i, dilation in enumerate(self.dilations, 1)
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(skip_channels, skip_channels, 1), nn.ReLU(), nn.Conv2d(skip_channels, self.levels, 1)
        )

    @property
    def receptive_field(self) -> int:
        """How many earlier samples a prediction depends on: kernel_size + Σ (kernel_size - 1)·dilation."""
        taps = self.first.kernel_size[1]
        return taps + (taps - 1) * sum(self.dilations)

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        encoded = self.encode(x)
        self.check_condition(condition, len(x))
        h = self.first(encoded[:, None, None])  # (B, channels, 1, T)
        skips = 0
        for layer in self.layers:
            h, skip = layer(h, condition)
            skips = skips + skip
        return self.head(skips)[:, :, 0]  # (B, levels, T)

    def sample(self, n, generator=None, cached=True, prefix=None, condition=None, progress=None, length=None) -> Tensor:
        """As `Autoregressive.sample`; `length` in samples, by default that of `event_shape`. (n, length)."""
        shape = self.event_shape if length is None else (positive_integer("length", length),)
        with torch.no_grad():
            return self._sample(shape, n, generator, cached, prefix, condition, progress)

    def _fill_cached(self, x: Tensor, noise: Tensor, written: int, condition: Tensor | None, progress) -> None:
        # one sequence after the other, a thread: with more of them the stepper's products of matrices are faster
        fill = super()._fill_cached
        plain = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in self.parameters())
        if plain and len(x) <= FEW * torch.get_num_threads():
            with contextlib.suppress(Exception):  # there is no Numba for this Python or this machine, or a broken one
                from .compiled import ready, sample_wavenet

                if ready():
                    fill = functools.partial(sample_wavenet, self)
        fill(x, noise, written, condition, progress)

    def _pass(self, x: Tensor, i: int, condition: Tensor | None) -> Tensor:
        return self.logits(x[:, : i + 1], condition)[:, :, i]

    def _check_shape(self, x: Tensor) -> None:
        if x.dim() != 2 or x.shape[1] == 0:
            raise ValueError(f"x has shape {tuple(x.shape)}; a WaveNet takes (batch, samples), at least one sample")
        if len(x) == 0:
            raise ValueError("x is an empty batch; expected at least one example")

    def _stepper(self, n: int, condition: Tensor | None):
        self.check_condition(condition, n)
        channels, skip_channels = self.first.out_channels, self.layers[0].skip.out_channels
        stream = self.first.weight.new_zeros(n, channels + skip_channels)  # residual stream, then the sum of the skips
        residual, skips = stream.split([channels, skip_channels], 1)
        first = Queue(self.first, n)
        layers = [layer.stepper(stream, residual, condition) for layer in self.layers]
        _, hidden, _, out = self.head
        w1, b1 = hidden.weight.flatten(1).T.contiguous(), hidden.bias
        w2, b2 = out.weight.flatten(1).T.contiguous(), out.bias
        scale, began = self._scale(), False

        def step(previous):
            nonlocal began
            skips.zero_()
            # before anything was written the first layer, whose present is hidden, has nothing to look at
            residual.copy_(first(previous[:, None].to(stream.dtype) * scale - 1) if began else first.bias)
            began = True
            for layer in layers:
                layer()
            return torch.addmm(b2, torch.addmm(b1, skips.relu(), w1).relu_(), w2)

        return step


class DilatedLayer(nn.Module):
    """z = tanh(W_f ∗ h + V_f·c) · σ(W_g ∗ h + V_g·c), then 1×1 to the residual and to the skip (section 2.3).

    Nothing reads the residual stream after the last layer, which therefore has only the skip.
    """

    def __init__(
        self, channels: int, skip_channels: int, kernel_size: int, dilation: int, n_classes: int | None, last: bool
    ):
        super().__init__()
        self.dilated = CausalConv1d(channels, 2 * channels, kernel_size, dilation)
        self.class_bias = class_bias(n_classes, 2 * channels)
        self.residual = None if last else nn.Conv2d(channels, channels, 1)
        self.skip = nn.Conv2d(channels, skip_channels, 1)

    def forward(self, h: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        gates = self.dilated(h)  # (B, 2·channels, 1, T)
        if condition is not None:
            bias = self.class_bias(condition.long())[:, :, None, None]
            gates = gates + bias.to(gates.dtype)  # which in training may be bfloat16, and half the memory to move
        content, openness = gates.chunk(2, 1)
        z = content.tanh() * openness.sigmoid()
        return h if self.residual is None else h + self.residual(z), self.skip(z)

    def outward(self) -> tuple[Tensor, Tensor]:
        """Residual and skip as one matrix (channels, channels + skip_channels) and one bias; no residual is zeros."""
        weight, bias = self.skip.weight.flatten(1), self.skip.bias
        residual = weight.new_zeros(weight.shape[1], weight.shape[1]), bias.new_zeros(weight.shape[1])
        if self.residual is not None:
            residual = self.residual.weight.flatten(1), self.residual.bias
        return torch.cat([residual[0], weight]).T, torch.cat([residual[1], bias])

    def stepper(self, stream: Tensor, residual: Tensor, condition: Tensor | None):
        """One new sample: adds to `stream`, (n, channels + skip_channels), of which `residual` is the first part.

        As few operations as will do, since each costs more than what it computes: σ(a) = (1 + tanh(a/2))/2, so that one
        tanh makes both gates; one product for residual and skip; their bias as the weight of a constant 1.
        """
        n, channels = residual.shape
        bias = 0 if condition is None else self.class_bias(condition.long())  # (n, 2·channels)
        half = stream.new_ones(2 * channels)
        half[channels:] = 0.5  # of what goes into the logistic
        queue = Queue(self.dilated, n, bias, half)
        content, openness = queue.out.split(channels, 1)
        weight, bias = self.outward()
        product = torch.cat([0.5 * weight, bias[None]])
        z = stream.new_ones(n, channels + 1)  # the last stays 1
        gated = z[:, :channels]

        def step():
            queue(residual).tanh_()
            torch.addcmul(content, content, openness, out=gated)
            stream.addmm_(z, product)

        return step


class Queue:
    """A dilated causal convolution evaluated at one new sample at a time: O(1) a sample (arXiv:1611.09482).

    The inputs that will be needed again wait in a ring as long as the dilation (times kernel_size - 1). What the
    samples already waiting contribute is computed for a whole round of the ring at once.
    """

    def __init__(self, conv: CausalConv1d, n: int, bias: Tensor | float = 0, scale: Tensor | float = 1):
        out, channels, _, taps = conv.weight.shape
        *self.older, self.newest = ((conv.weight[:, :, 0, j].T * scale).contiguous() for j in range(taps))  # (in, out)
        self.dilation = self.place = conv.dilation[1]
        self.bias = ((conv.bias + bias) * scale).expand(n, -1).repeat(self.dilation, 1)  # (dilation·n, out)
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
