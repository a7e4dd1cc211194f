"""Convolutions that see the past only.

Raster order reads an image like a page: row by row, from the left. A k×k kernel centred on a pixel may then touch the
rows above and the left part of the pixel's own row. Two kinds of mask differ in the centre (arXiv:1601.06759,
section 3.4): type A hides it, for the first layer, where it is the pixel to be predicted; type B shows it, for later
layers, where it holds features of earlier pixels.

        type A            type B
        1 1 1 1 1         1 1 1 1 1
        1 1 1 1 1         1 1 1 1 1
        1 1 0 0 0         1 1 1 0 0
        0 0 0 0 0         0 0 0 0 0
        0 0 0 0 0         0 0 0 0 0

Whatever lies below the centre row is always zero, so the layers here hold only the upper k//2 + 1 rows of the kernel:
the same function with little more than half of the work.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import positive_integer

KINDS = ("A", "B")


def causal_mask(kernel_size: int, kind: str) -> Tensor:
    """The (k, k) mask drawn above, float32: ones where a kernel centred on a pixel may look.

    Raises:
        ValueError: an even kernel (it has no centre), or a kind other than "A" and "B".
    """
    k = odd(kernel_size)
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected 'A' (centre hidden) or 'B' (centre seen)")
    mask = torch.zeros(k, k, device="cpu", dtype=torch.float32)
    mask[: k // 2] = 1
    mask[k // 2, : k // 2 + (kind == "B")] = 1
    return mask


def odd(size: int, name: str = "kernel_size") -> int:
    """Return size as an int, or raise a TypeError or ValueError if it is not an odd positive integer."""
    size = positive_integer(name, size)
    if size % 2 == 0:
        raise ValueError(f"{name} is {size}; a masked kernel needs a centre, so an odd size such as {size + 1}")
    return size


class MaskedConv2d(nn.Conv2d):
    """k×k convolution in raster order: (B, in, H, W) -> (B, out, H, W), kind "A" or "B"."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, kind: str):
        k = odd(kernel_size)
        super().__init__(in_channels, out_channels, (k // 2 + 1, k))
        self.kind = kind
        self.register_buffer("mask", causal_mask(k, kind)[: k // 2 + 1].to(self.weight), persistent=False)

    def masked_weight(self) -> Tensor:
        return self.weight * self.mask  # (out, in, k//2 + 1, k)

    def forward(self, x: Tensor) -> Tensor:
        side = self.kernel_size[1] // 2
        return F.conv2d(F.pad(x, (0, 0, side, 0)), self.masked_weight(), self.bias, padding=(0, side))


class VerticalConv2d(nn.Conv2d):
    """Sees whole rows: kind "A" the k//2 rows above, kind "B" also the pixel's own row.

    Nothing in the own row is hidden, so this is causal only inside a vertical stack, whose first layer is of kind A and
    whose map at row i thus knows rows up to i - 1 (arXiv:1606.05328, section 2.2).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, kind: str):
        k = odd(kernel_size)
        if kind == "A" and k == 1:
            raise ValueError("kernel_size is 1; a vertical kernel of kind 'A' has no row to see, use 3 or more")
        super().__init__(in_channels, out_channels, (k // 2 + (kind == "B"), k), padding=(0, k // 2))

    def forward(self, x: Tensor) -> Tensor:
        height, above = x.shape[2], self.kernel_size[1] // 2
        return super().forward(F.pad(x, (0, 0, above, 0)))[:, :, :height]


class CausalConv1d(nn.Conv2d):
    """Sees the present and the past of a row, `kernel_size` taps `dilation` apart; kind "A" hides the present.

    (B, in, H, T) -> (B, out, H, T): every row is a sequence of its own; sound is one row. Tap j of the kernel lies
    (kernel_size - 1 - j)·dilation steps back, and one more for kind "A".
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1, kind: str = "B"):
        k, dilation = positive_integer("kernel_size", kernel_size), positive_integer("dilation", dilation)
        super().__init__(in_channels, out_channels, (1, k), dilation=(1, dilation))
        self.past = (k - 1) * dilation + (kind == "A")  # how far back the first tap lies

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        return super().forward(F.pad(x, (self.past, 0)))[..., :length]


class RowCache:
    """A causal convolution evaluated at one new position at a time, in raster order.

    What the rows above contribute is computed for the whole width when a row begins; within the row, each step
    multiplies the few taps of the row itself.

    Calling it with (column, h) stores h, (n, in), and returns the (n, out) result at `column`. Under kind A,
    h belongs to the position just before, under kind B to the present one.
    """

    def __init__(self, conv: MaskedConv2d | CausalConv1d, n: int, width: int):
        if isinstance(conv, MaskedConv2d):
            weight, self.hidden = conv.masked_weight(), conv.kind == "A"
            taps = conv.kernel_size[1] // 2 + (not self.hidden)
        else:
            weight, self.hidden = conv.weight, conv.past == conv.kernel_size[1]
            taps = conv.kernel_size[1]
        self.n, self.width, self.channels = n, width, conv.in_channels
        self.above_weight, self.bias = weight[:, :, :-1], conv.bias  # (out, in, rows above, k)
        self.row_weight = weight[:, :, -1, :taps].permute(2, 1, 0).flatten(0, 1).contiguous()  # (taps·in, out)
        self.padding, self.taps = taps - 1 + self.hidden, taps
        self.rows = weight.new_zeros(n, conv.in_channels, self.above_weight.shape[2], width)
        self.row = weight.new_zeros(n, self.padding + width, conv.in_channels)
        self.above = None

    def __call__(self, column: int, h: Tensor | None) -> Tensor:
        if self.hidden and h is not None:
            self.row[:, self.padding + (column - 1) % self.width] = h
        if column == 0:
            self._start_row(h is not None)
        if not self.hidden:
            self.row[:, self.padding + column] = h
        window = self.row[:, column : column + self.taps].flatten(1)  # (n, taps·in)
        if self.above is None:
            return torch.addmm(self.bias, window, self.row_weight)
        return torch.addmm(self.above[column], window, self.row_weight)

    def _start_row(self, finished: bool) -> None:
        if self.rows.shape[2]:
            if finished:
                last = self.row[:, self.padding :].transpose(1, 2).unsqueeze(2)  # (n, in, 1, W)
                self.rows = torch.cat([self.rows[:, :, 1:], last], 2)
            side = self.above_weight.shape[3] // 2
            above = F.conv2d(self.rows, self.above_weight, self.bias, padding=(0, side))  # (n, out, 1, W)
            self.above = above[:, :, 0].permute(2, 0, 1).contiguous()  # (W, n, out)
        self.row.zero_()
