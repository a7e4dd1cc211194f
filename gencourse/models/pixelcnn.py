"""PixelCNN: every conditional of an image in one pass of masked convolutions.

Papers: van den Oord et al., "Pixel Recurrent Neural Networks" (arXiv:1601.06759), section 3.5 and table 1, for the
single stack of masked convolutions in residual blocks; van den Oord et al., "Conditional Image Generation with PixelCNN
Decoders" (arXiv:1606.05328), sections 2.1–2.3, for the two gated stacks.

A stack of masked k×k convolutions never sees a wedge of pixels above and to the right: its *blind spot*. Two stacks
cure it. The vertical one reads whole rows above the pixel, the horizontal one the pixel's own row, and what the
vertical stack found flows into the horizontal one, never back.

Sampling one pixel at a time with caches stands in `gencourse/models/cached/pixelcnn.py`.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gencourse.models.base import Autoregressive, fourier_features, new_class_bias
from gencourse.models.causal import CausalConv1d, MaskedConv2d, MaskKind, VerticalConv2d
from gencourse.models.checks import (
    check_condition,
    check_first_kernel,
    check_image_shape,
    check_kernel_size,
)
from gencourse.support.checks import check_choice, positive_integer

Stacks = Literal["single", "gated"]
STACKS = get_args(Stacks)


class PixelCNN(Autoregressive):
    """Masked convolutional network over images of one channel.

    Args:
        event_shape: (1, H, W).
        levels: values of a pixel, 2 for binary images, 256 for grey ones.
        stacks: "single", masked residual blocks (with the blind spot), or "gated", a vertical and a horizontal stack.
        n_blocks: residual blocks, or gated layers, after the first convolution.
        channels: width of the residual stream.
        kernel_size, first_kernel: odd sizes of the kernels in the blocks and in the first layer.
        n_classes: condition on a class index.
        place_bias: learn biases for every place of the page, after the first layer and in every block. The papers'
            networks have none: they know where they are only where the border lies in their receptive field.
        fourier: beside each level u in [-1, 1] the network is given sin(2^k π u) and cos(2^k π u) for k below this
            number (see `fourier_features`). 0, as in the papers of PixelCNN: the level alone.

    Raises:
        TypeError, ValueError: unknown stacks, an even kernel, or a size that is no positive integer.

    >>> model = PixelCNN((1, 4, 4), stacks="gated", n_blocks=1, channels=4)
    >>> images = model.sample(2, torch.Generator().manual_seed(0))
    >>> images.shape, model.logits(images).shape, model.log_prob(images).shape
    (torch.Size([2, 1, 4, 4]), torch.Size([2, 2, 1, 4, 4]), torch.Size([2]))
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        levels: int = 2,
        stacks: Stacks = "single",
        n_blocks: int = 15,
        channels: int = 32,
        kernel_size: int = 3,
        first_kernel: int = 7,
        n_classes: int | None = None,
        place_bias: bool = False,
        fourier: int = 0,
    ) -> None:
        super().__init__(event_shape, levels, n_classes)
        check_image_shape(self.event_shape)
        n_blocks = positive_integer("n_blocks", n_blocks, least=0)
        channels = positive_integer("channels", channels, least=2)  # residual blocks work with half of them
        kernel_size, first_kernel = check_kernel_size(kernel_size), check_first_kernel(first_kernel)
        check_choice("stacks", stacks, STACKS)
        self.fourier = positive_integer("fourier", fourier, least=0)
        stack_class = SingleStack if stacks == "single" else GatedStacks
        places = self.event_shape[1:] if place_bias else None
        self.body = stack_class(1 + 2 * self.fourier, n_blocks, channels, kernel_size, first_kernel, places)
        self.class_bias = new_class_bias(self.n_classes, channels)
        self.place_bias = new_place_bias(channels, places)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, self.levels, 1)
        )

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) -> (B, levels, 1, H, W); see `Autoregressive.logits`."""
        encoded = self.encode(x)
        check_condition(condition, self.n_classes, len(x))
        h = self.body(fourier_features(encoded, self.fourier), self.bias_after_first(condition))  # (B, channels, H, W)
        return self.head(h).unsqueeze(2)

    def bias_after_first(self, condition: Tensor | None) -> Tensor:
        """What the class and the place add after the first layer: (B or 1, channels, H, W)."""
        bias = self.head[1].bias.new_zeros(1) if self.place_bias is None else self.place_bias
        if condition is not None:
            bias = bias + self.class_bias(condition.long())[:, :, None, None]
        return bias.expand(len(bias) if bias.dim() == 4 else 1, self.head[1].in_channels, *self.event_shape[1:])


# -- the single stack (arXiv:1601.06759, table 1) ----------------------------------------------------------------


class SingleStack(nn.Module):
    """A masked convolution of kind A, then residual blocks with kind B: (B, in, H, W) -> (B, channels, H, W)."""

    def __init__(
        self,
        in_channels: int,
        n_blocks: int,
        channels: int,
        kernel_size: int,
        first_kernel: int,
        places: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        self.first = MaskedConv2d(in_channels, channels, first_kernel, "A")
        self.blocks = nn.ModuleList(ResidualBlock(channels, kernel_size, places) for _ in range(n_blocks))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        h = self.first(x) + bias
        for block in self.blocks:
            h = block(h)
        return h


class ResidualBlock(nn.Module):
    """h + 1×1 · k×k · 1×1 with half the channels inside (arXiv:1601.06759, figure 5)."""

    def __init__(self, channels: int, kernel_size: int, places: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.masked = MaskedConv2d(channels // 2, channels // 2, kernel_size, "B")
        self.place_bias = new_place_bias(channels // 2, places)
        self.expand = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        # in place where nothing reads the value any more: memory traffic is what training waits for
        inner = self.reduce(h.relu()).relu_()
        inner = self.masked(inner)
        if self.place_bias is not None:
            inner.add_(self.place_bias)
        return self.expand(inner.relu_()).add_(h)


# -- the gated stacks (arXiv:1606.05328) -------------------------------------------------------------------------


class GatedStacks(nn.Module):
    """Vertical and horizontal stack, the vertical feeding the horizontal: (B, in, H, W) -> (B, channels, H, W)."""

    def __init__(
        self,
        in_channels: int,
        n_blocks: int,
        channels: int,
        kernel_size: int,
        first_kernel: int,
        places: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        first = GatedLayer(in_channels, channels, first_kernel, "A")
        later = [GatedLayer(channels, channels, kernel_size, "B", places) for _ in range(n_blocks)]
        self.layers = nn.ModuleList([first, *later])

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        v, h = self.layers[0](x, x)
        v, h = v + bias, h + bias
        for layer in self.layers[1:]:
            v, h = layer(v, h)
        return h


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2): (v, h) -> (v, h).

    The horizontal stack has a residual connection, except in the first layer.
    """

    def __init__(
        self, in_channels: int, channels: int, kernel_size: int, kind: MaskKind, places: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        taps = kernel_size // 2 + (kind == "B")
        self.vertical = VerticalConv2d(in_channels, 2 * channels, kernel_size, kind)
        self.horizontal = CausalConv1d(in_channels, 2 * channels, taps, kind=kind)
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.place_bias = new_place_bias(2 * channels, places)
        self.residual = kind == "B"

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v_gates = self.vertical(v)  # (B, 2·channels, H, W)
        gates = self.horizontal(h) + self.link(v_gates)
        if self.place_bias is not None:
            gates.add_(self.place_bias)
        new = self.out(gated_activation(gates))
        return gated_activation(v_gates), h + new if self.residual else new


def gated_activation(gates: Tensor) -> Tensor:
    """y = tanh(W_f ∗ x) ⊙ σ(W_g ∗ x), equation 2: both halves come of one convolution, (B, 2C, …) -> (B, C, …)."""
    content, openness = gates.chunk(2, 1)
    return content.tanh() * openness.sigmoid()


def new_place_bias(channels: int, places: tuple[int, int] | None) -> nn.Parameter | None:
    """A bias (channels, H, W) for every place of the page, zero to begin with; None without places."""
    return None if places is None else nn.Parameter(torch.zeros(channels, *places))
