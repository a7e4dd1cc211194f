"""Convolutions that do not see the future.

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
the same function with 2/3 of the multiplications for k = 3, 4/7 for k = 7.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.models.checks import check_kernel_size
from gencourse.support.checks import positive_integer

MaskKind = Literal["A", "B"]


def causal_mask(kernel_size: int, kind: MaskKind) -> Tensor:
    """The (k, k) mask drawn above, float32: ones where a kernel centred on a pixel may look.

    Raises:
        ValueError: an even kernel (it has no centre), or a kind other than "A" and "B".
    """
    k = check_kernel_size(kernel_size)
    if kind not in get_args(MaskKind):
        raise ValueError(f"kind is {kind!r}; expected 'A' (centre hidden) or 'B' (centre seen)")
    mask = torch.zeros(k, k, device="cpu", dtype=torch.float32)
    mask[: k // 2] = 1
    mask[k // 2, : k // 2 + (kind == "B")] = 1
    return mask


class MaskedConv2d(nn.Conv2d):
    """k×k convolution in raster order: (B, in, H, W) -> (B, out, H, W), kind "A" or "B"."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, kind: MaskKind) -> None:
        k = check_kernel_size(kernel_size)
        super().__init__(in_channels, out_channels, (k // 2 + 1, k))
        self.kind = kind
        self.register_buffer("mask", causal_mask(k, kind)[: k // 2 + 1].to(self.weight), persistent=False)

    def masked_weight(self) -> Tensor:
        """The weights that the mask leaves: (out, in, k//2 + 1, k)."""
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        side = self.kernel_size[1] // 2
        return F.conv2d(F.pad(x, (0, 0, side, 0)), self.masked_weight(), self.bias, padding=(0, side))


class VerticalConv2d(nn.Conv2d):
    """Sees whole rows: kind "A" the k//2 rows above, kind "B" also the pixel's own row.

    Nothing in the own row is hidden, so this is causal only inside a vertical stack, whose first layer is of kind A and
    whose map at row i thus knows rows up to i - 1 (arXiv:1606.05328, section 2.2).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, kind: MaskKind) -> None:
        k = check_kernel_size(kernel_size)
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

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1, kind: MaskKind = "B"
    ) -> None:
        k, dilation = positive_integer("kernel_size", kernel_size), positive_integer("dilation", dilation)
        super().__init__(in_channels, out_channels, (1, k), dilation=(1, dilation))
        self.past = (k - 1) * dilation + (kind == "A")  # how far back the first tap lies

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        return super().forward(F.pad(x, (self.past, 0)))[..., :length]
