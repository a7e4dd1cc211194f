"""PixelCNN: every conditional of an image in one pass of masked convolutions.

Papers: van den Oord et al., "Pixel Recurrent Neural Networks" (arXiv:1601.06759), section 3.5 and table 1, for the
single stack of masked convolutions in residual blocks; van den Oord et al., "Conditional Image Generation with PixelCNN
Decoders" (arXiv:1606.05328), sections 2.1–2.3, for the two gated stacks.

A stack of masked k×k convolutions never sees a wedge of pixels above and to the right: its *blind spot*. Two stacks
cure it. The vertical one reads whole rows above the pixel, the horizontal one the pixel's own row, and what the
vertical stack found flows into the horizontal one, never back.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import Autoregressive, check_image_shape, class_bias, fourier_features, positive_integer
from .causal import CausalConv1d, MaskedConv2d, RowCache, VerticalConv2d, odd

STACKS = ("single", "gated")


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
            networks have none, and find out where they are from the border, as far as they see; digits that are
            centred are learned several times faster with them.
        fourier: beside each level u in [-1, 1] the network is given sin(2^k π u) and cos(2^k π u) for k below this
            number (see `fourier_features`). 0, as in the papers of PixelCNN: the level alone.
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        levels: int = 2,
        stacks: str = "single",
        n_blocks: int = 15,
        channels: int = 32,
        kernel_size: int = 3,
        first_kernel: int = 7,
        n_classes: int | None = None,
        place_bias: bool = False,
        fourier: int = 0,
    ):
        super().__init__(event_shape, levels, n_classes)
        check_image_shape(self.event_shape)
        n_blocks = positive_integer("n_blocks", n_blocks, least=0)
        channels = positive_integer("channels", channels, least=2)
        kernel_size, first_kernel = odd(kernel_size), odd(first_kernel, "first_kernel")
        if first_kernel == 1:
            raise ValueError("first_kernel is 1; with its centre hidden it would see nothing, use 3 or more")
        if stacks not in STACKS:
            raise ValueError(f"stacks is {stacks!r}; expected one of {STACKS}")
        body = SingleStack if stacks == "single" else GatedStacks
        places = self.event_shape[1:] if place_bias else None
        self.fourier = positive_integer("fourier", fourier, least=0)
        self.body = body(1 + 2 * self.fourier, n_blocks, channels, kernel_size, first_kernel, places)
        self.class_bias = class_bias(self.n_classes, channels)
        self.place_bias = _place_bias(channels, places)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, self.levels, 1)
        )

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        encoded = self.encode(x)
        self.check_condition(condition, len(x))
        h = self.body(fourier_features(encoded, self.fourier), self._bias(condition))  # (B, channels, H, W)
        return self.head(h).unsqueeze(2)  # (B, levels, 1, H, W)

    def _bias(self, condition: Tensor | None) -> Tensor:
        """What the class and the place add after the first layer, (B or 1, channels, H, W)."""
        bias = self.head[1].bias.new_zeros(1) if self.place_bias is None else self.place_bias
        if condition is not None:
            bias = bias + self.class_bias(condition.long())[:, :, None, None]
        return bias.expand(len(bias) if bias.dim() == 4 else 1, self.head[1].in_channels, *self.event_shape[1:])

    def _stepper(self, n: int, condition: Tensor | None):
        self.check_condition(condition, n)
        width = self.event_shape[2]
        step_body = self.body.stepper(n, width, self._bias(condition))
        _, hidden, _, out = self.head
        w1, b1 = hidden.weight.flatten(1).T, hidden.bias
        w2, b2 = out.weight.flatten(1).T, out.bias
        scale, position = self._scale(), -1

        def step(previous):
            nonlocal position
            position += 1
            value = None if previous is None else fourier_features(previous[:, None] * scale - 1, self.fourier)
            h = step_body(position, value)
            return torch.addmm(b2, torch.addmm(b1, h.relu(), w1).relu_(), w2)

        return step


class SingleStack(nn.Module):
    """A masked convolution of kind A, then residual blocks with kind B."""

    def __init__(self, in_channels: int, n_blocks: int, channels: int, kernel_size: int, first_kernel: int, places):
        super().__init__()
        self.first = MaskedConv2d(in_channels, channels, first_kernel, "A")
        self.blocks = nn.ModuleList(ResidualBlock(channels, kernel_size, places) for _ in range(n_blocks))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        h = self.first(x) + bias
        for block in self.blocks:
            h = block(h)
        return h

    def stepper(self, n: int, width: int, bias: Tensor):
        first = RowCache(self.first, n, width)
        blocks = [block.stepper(n, width) for block in self.blocks]
        bias = bias.flatten(2).permute(2, 0, 1)  # (H·W, n or 1, channels)

        def step(position, value):
            h = first(position % width, value) + bias[position]  # (n, channels)
            for block in blocks:
                h = block(position, h)
            return h

        return step


class ResidualBlock(nn.Module):
    """h + 1×1 · k×k · 1×1 with half the channels inside (arXiv:1601.06759, figure 5)."""

    def __init__(self, channels: int, kernel_size: int, places: tuple[int, int] | None = None):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 2, 1)
        self.masked = MaskedConv2d(channels // 2, channels // 2, kernel_size, "B")
        self.place_bias = _place_bias(channels // 2, places)
        self.expand = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        # in place where nothing reads the value any more: memory traffic is what training waits for
        inner = self.masked(self.reduce(h.relu()).relu_())
        if self.place_bias is not None:
            inner.add_(self.place_bias)
        return self.expand(inner.relu_()).add_(h)

    def stepper(self, n: int, width: int):
        masked = RowCache(self.masked, n, width)
        w1, b1 = self.reduce.weight.flatten(1).T, self.reduce.bias
        w2, b2 = self.expand.weight.flatten(1).T, self.expand.bias

        places = None if self.place_bias is None else self.place_bias.flatten(1).T.contiguous()  # (H·W, inner)

        def step(position, h):
            inner = masked(position % width, torch.addmm(b1, h.relu(), w1).relu_())
            if places is not None:
                inner += places[position]
            return torch.addmm(b2, inner.relu_(), w2).add_(h)

        return step


class GatedStacks(nn.Module):
    """Vertical and horizontal stack, gated, the vertical feeding the horizontal (arXiv:1606.05328, figure 2)."""

    def __init__(self, in_channels: int, n_blocks: int, channels: int, kernel_size: int, first_kernel: int, places):
        super().__init__()
        self.layers = nn.ModuleList(
            [GatedLayer(in_channels, channels, first_kernel, "A")]
            + [GatedLayer(channels, channels, kernel_size, "B", places) for _ in range(n_blocks)]
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        v, h = self.layers[0](x, x)
        v, h = v + bias, h + bias
        for layer in self.layers[1:]:
            v, h = layer(v, h)
        return h

    def stepper(self, n: int, width: int, bias: Tensor):
        """At the start of a row the vertical stack reads the rows above, all columns at once; then one pixel a step."""
        bias_at = bias.flatten(2).permute(2, 0, 1)  # (H·W, n or 1, channels)
        first = self.layers[0]
        reach = first.vertical.kernel_size[1] // 2
        image = first.vertical.weight.new_zeros(n, first.vertical.in_channels, reach + 1, width)  # the present row last
        above = [  # what each vertical layer saw of the rows above
            image.new_zeros(n, layer.vertical.in_channels, layer.vertical.kernel_size[1] // 2, width)
            for layer in self.layers[1:]
        ]
        rows = [RowCache(layer.horizontal, n, width) for layer in self.layers]
        gates = [(layer.out.weight.flatten(1).T, layer.out.bias) for layer in self.layers]
        links = []
        places = [None if layer.place_bias is None else layer.place_bias.flatten(1).T for layer in self.layers]

        def start_row(row):
            links.clear()
            v = F.conv2d(image[:, :, :-1], first.vertical.weight, first.vertical.bias, padding=(0, reach))
            links.append(first.link(v)[:, :, 0].permute(2, 0, 1).contiguous())  # (n, 2C, 1, W) -> (W, n, 2C)
            v = gate(v) + bias[:, :, row : row + 1]
            for k, layer in enumerate(self.layers[1:]):
                seen = torch.cat([above[k], v], 2)
                above[k] = seen[:, :, 1:]
                v = F.conv2d(seen, layer.vertical.weight, layer.vertical.bias, padding=(0, seen.shape[2] - 1))
                links.append(layer.link(v)[:, :, 0].permute(2, 0, 1).contiguous())
                v = gate(v)

        def step(position, value):
            column = position % width
            if value is not None:
                image[:, :, -1, column - 1] = value  # column -1 is the last of the row just finished
            if column == 0:
                image[:, :, :-1] = image[:, :, 1:].clone()
                image[:, :, -1] = 0
                start_row(position // width)
            h = None
            for k, (row, (w, b)) in enumerate(zip(rows, gates, strict=True)):
                gates_here = row(column, value if k == 0 else h).add_(links[k][column])
                if places[k] is not None:
                    gates_here += places[k][position]
                new = torch.addmm(b, gate(gates_here), w)
                h = new + bias_at[position] if k == 0 else h + new
            return h

        return step


class GatedLayer(nn.Module):
    """tanh · sigmoid in both stacks, residual in the horizontal one where its sizes allow (not in the first layer)."""

    def __init__(
        self, in_channels: int, channels: int, kernel_size: int, kind: str, places: tuple[int, int] | None = None
    ):
        super().__init__()
        taps = kernel_size // 2 + (kind == "B")
        self.vertical = VerticalConv2d(in_channels, 2 * channels, kernel_size, kind)
        self.horizontal = CausalConv1d(in_channels, 2 * channels, taps, kind=kind)
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.place_bias = _place_bias(2 * channels, places)
        self.residual = kind == "B"

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v = self.vertical(v)  # (B, 2·channels, H, W)
        gates = self.horizontal(h) + self.link(v)
        if self.place_bias is not None:
            gates.add_(self.place_bias)
        new = self.out(gate(gates))
        return gate(v), h + new if self.residual else new


def gate(h: Tensor) -> Tensor:
    """tanh of the first half of the channels times the logistic of the second: (B, 2C, …) -> (B, C, …)."""
    content, openness = h.chunk(2, 1)
    return content.tanh() * openness.sigmoid()


def _place_bias(channels: int, places: tuple[int, int] | None) -> nn.Parameter | None:
    """(channels, H, W), zero to begin with; None without places."""
    return None if places is None else nn.Parameter(torch.zeros(channels, *places))
