"""A causal convolution over an image, evaluated at one new position at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.models.causal import CausalConv1d, MaskedConv2d


class RowCache:
    """A causal convolution evaluated at one new position at a time, in raster order.

    What the rows above contribute is computed for the whole width when a row begins; within the row, each step
    multiplies the few taps of the row itself.

    Calling it with (column, h) stores h, (n, in), and returns the (n, out) result at `column`. Under kind A,
    h belongs to the position just before, under kind B to the present one.
    """

    def __init__(self, conv: MaskedConv2d | CausalConv1d, n: int, width: int) -> None:
        if isinstance(conv, MaskedConv2d):
            weight, self.hidden = conv.masked_weight(), conv.kind == "A"
            taps = conv.kernel_size[1] // 2 + (not self.hidden)
        else:
            weight, self.hidden = conv.weight, conv.past == conv.kernel_size[1]
            taps = conv.kernel_size[1]
        self.width = width
        self.above_weight, self.bias = weight[:, :, :-1], conv.bias  # (out, in, rows above, k)
        self.row_weight = weight[:, :, -1, :taps].permute(2, 1, 0).flatten(0, 1).contiguous()  # (taps·in, out)
        self.padding, self.taps = taps - 1 + self.hidden, taps
        self.rows = weight.new_zeros(n, conv.in_channels, self.above_weight.shape[2], width)
        self.row = weight.new_zeros(n, self.padding + width, conv.in_channels)
        self.above: Tensor | None = None  # (W, n, out), what the rows above contribute to the present row

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
            self.above = above[:, :, 0].permute(2, 0, 1).contiguous()
        self.row.zero_()
