"""WaveNet: the same chain of conditionals in one dimension, over samples of sound.

Paper: van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (arXiv:1609.03499), sections 2.1–2.5.

A causal convolution with two taps d samples apart looks d samples back. Doubling d from layer to layer
makes the context grow exponentially with depth (figure 3), while each layer costs the same.

Drawing one value after the other, by queues or by a compiled loop, stands in `gencourse/models/cached/wavenet.py`.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gencourse.models.base import Autoregressive, Progress, new_class_bias
from gencourse.models.causal import CausalConv1d
from gencourse.models.checks import check_condition, check_dilations, check_sequence_shape, check_sequences
from gencourse.support.checks import positive_integer

DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class WaveNet(Autoregressive):
    """Gated dilated causal convolutions over sequences of levels.

    `log_prob`, `loss` and `logits` take any length; `event_shape` is the length that `sample` draws by default.

    Args:
        event_shape: (length,), in samples.
        levels: values of a sample; 256 for µ-law sound.
        dilations: one gated layer each; all at least 1.
        channels: width of the residual stream.
        skip_channels: width of the sum of all layers' skips.
        kernel_size: taps of each dilated convolution.
        n_classes: condition on a class index, such as the word that is spoken.

    Raises:
        TypeError, ValueError: no dilation, or a size that is no positive integer.

    >>> model = WaveNet((6,), levels=4, dilations=(1, 2), channels=4, skip_channels=4)
    >>> sounds = model.sample(2, torch.Generator().manual_seed(0))
    >>> sounds.shape, model.logits(sounds).shape, model.log_prob(sounds).shape
    (torch.Size([2, 6]), torch.Size([2, 4, 6]), torch.Size([2]))
    >>> model.receptive_field
    5
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
    ) -> None:
        super().__init__(event_shape, levels, n_classes)
        check_sequence_shape(self.event_shape)
        self.dilations = check_dilations(dilations)
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
        """(B, T) -> (B, levels, T), figure 4; see `Autoregressive.logits`."""
        encoded = self.encode(x)
        check_condition(condition, self.n_classes, len(x))
        h = self.first(encoded[:, None, None])  # (B, channels, 1, T)
        skips = 0
        for layer in self.layers:
            h, skip = layer(h, condition)
            skips = skips + skip
        return self.head(skips)[:, :, 0]  # (B, levels, T)

    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        cached: bool = True,
        prefix: Tensor | None = None,
        condition: Tensor | None = None,
        progress: Progress | None = None,
        length: int | None = None,
    ) -> Tensor:
        """As `Autoregressive.sample`; `length` in samples, by default that of `event_shape`. (n, length)."""
        shape = self.event_shape if length is None else (positive_integer("length", length),)
        with torch.no_grad():
            return self._sample(shape, n, generator, cached, prefix, condition, progress)

    def _logits_at(self, x: Tensor, i: int, condition: Tensor | None) -> Tensor:
        """The textbook's step: what comes later is not needed, and the i-th, which is there, is hidden."""
        return self.logits(x[:, : i + 1], condition)[:, :, i]

    def _check_shape(self, x: Tensor) -> None:
        check_sequences(x)


class DilatedLayer(nn.Module):
    """A gated layer (figure 4): h, (B, channels, 1, T) -> the next h of that shape, and (B, skip_channels, 1, T).

    z = tanh(W_f ∗ h + V_f·c) ⊙ σ(W_g ∗ h + V_g·c), equation 2, with a class c as in section 2.5. One 1×1 convolution
    leads z to the residual stream, another to the skips. Nothing reads the residual stream after the last layer, so
    the last layer has the skip alone.
    """

    def __init__(
        self, channels: int, skip_channels: int, kernel_size: int, dilation: int, n_classes: int | None, last: bool
    ) -> None:
        super().__init__()
        self.dilated = CausalConv1d(channels, 2 * channels, kernel_size, dilation)
        self.class_bias = new_class_bias(n_classes, 2 * channels)
        self.residual = None if last else nn.Conv2d(channels, channels, 1)
        self.skip = nn.Conv2d(channels, skip_channels, 1)

    def forward(self, h: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        gates = self.dilated(h)  # (B, 2·channels, 1, T)
        if condition is not None:
            bias = self.class_bias(condition.long())[:, :, None, None]
            gates = gates + bias.to(gates.dtype)  # which may be bfloat16: a float32 sum would be twice as large
        content, openness = gates.chunk(2, 1)
        z = content.tanh() * openness.sigmoid()
        if self.residual is not None:
            h = h + self.residual(z)
        return h, self.skip(z)
