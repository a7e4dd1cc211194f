"""What single images are like: slant, thickness, sharpness, spectrum."""

from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.support.checks import article


def slant(images: Tensor) -> Tensor:
    """How far strokes lean to the right, as pixels to the right for each pixel up: (N, 1, H, W) -> (N,).

    From the second moments of the ink: −µ₁₁ / µ₀₂, the shear that would set the image upright.
    """
    ink, y, x = _moments(images)
    return -(ink * x * y).sum((1, 2)) / (ink * y.square()).sum((1, 2)).clamp(min=1e-9)


def thickness(images: Tensor) -> Tensor:
    """Width of the strokes in pixels, about: twice the ink over the length of its outline, (N, 1, H, W) -> (N,)."""
    ink = _moments(images)[0]
    page = torch.nn.functional.pad(ink, (1, 1, 1, 1))
    down, right = page.diff(dim=1)[:, :, :-1], page.diff(dim=2)[:, :-1]
    return 2 * ink.sum((1, 2)) / (down.square() + right.square()).sqrt().sum((1, 2)).clamp(min=1e-9)


def _moments(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ink in [0, 1], (N, H, W), and the place of each pixel seen from its centre of mass: rows, columns."""
    ink = _ink(images)
    mass = ink.sum((1, 2)).clamp(min=1e-9)[:, None, None]
    rows, columns = (torch.arange(size, dtype=ink.dtype, device=ink.device) for size in ink.shape[1:])
    y, x = rows[None, :, None], columns[None, None]
    return ink, y - (ink * y).sum((1, 2), True) / mass, x - (ink * x).sum((1, 2), True) / mass


def _ink(images: Tensor) -> Tensor:
    """(N, 1, H, W) images -> (N, H, W) float32; grey levels of uint8, 0 … 255, become numbers in [0, 1]."""
    if not isinstance(images, Tensor):
        raise TypeError(f"images are {article(images)}; expected a torch.Tensor (N, 1, H, W)")
    if images.dim() != 4 or images.shape[1] != 1 or not images.numel():
        raise ValueError(f"images have shape {tuple(images.shape)}; expected (N, 1, H, W)")
    if not torch.isfinite(images).all():
        raise ValueError("images hold NaN or infinite values; look for where they come from")
    ink = images[:, 0].float()
    return ink / 255 if images.dtype == torch.uint8 and images.max() > 1 else ink


def sharpness(images: Tensor) -> Tensor:
    """Energy of the Laplacian over that of the image, Σ (Δx)² / Σ x²: (N, 1, H, W) -> (N,), 0 to 64.

    Δx is the sum of the four neighbours less four times the pixel, paper (0) around the page. Blur takes it down; noise
    takes it up, so that the aim is the value of the data, not more. Moving the image and the depth of the ink change
    nothing. After the focus measures of microscopy (Pech-Pacheco et al., ICPR 2000). An empty image has 0.
    """
    ink = torch.nn.functional.pad(_ink(images), (2,) * 4)  # (N, H + 4, W + 4)
    middle = ink[:, 1:-1, 1:-1]
    around = ink[:, 2:, 1:-1] + ink[:, :-2, 1:-1] + ink[:, 1:-1, 2:] + ink[:, 1:-1, :-2]
    energy = ink.square().sum((1, 2))
    return (around - 4 * middle).square().sum((1, 2)) / energy.clamp(min=1e-12)


def lone_ink(images: Tensor) -> Tensor:
    """The share of an image's ink pixels without ink at any of their eight neighbours: (N, 1, H, W) of 0, 1 -> (N,).

    An empty image has 0. Raises as `sharpness` does for what are no images.

    >>> page = torch.zeros(1, 1, 5, 5)
    >>> page[0, 0, 0, :2], page[0, 0, 4, 4] = 1, 1  # a stroke of two pixels, and a speck
    >>> round(lone_ink(page).item(), 3)
    0.333
    """
    ink = _ink(images)[:, None]  # (N, 1, H, W)
    around = torch.nn.functional.conv2d(ink, torch.ones_like(ink[:1, :, :1, :1]).expand(1, 1, 3, 3), padding=1) - ink
    return (ink * (around < 0.5)).sum((1, 2, 3)) / ink.sum((1, 2, 3)).clamp(min=1)


class Spectrum(NamedTuple):
    """Power at rings of equal frequency.

    >>> stripes = torch.tensor([0.0, 1.0]).repeat(4).expand(1, 1, 8, 8)  # a wave of two pixels
    >>> found = spectrum(stripes)
    >>> found.frequency[found.power[1:].argmax() + 1].item()
    0.5
    """

    frequency: Tensor  # (R,) cycles a pixel, 0 to ½: a wave of two pixels
    power: Tensor  # (R,) squared ink


def spectrum(images: Tensor) -> Spectrum:
    """Power of the images at every frequency, whatever its direction, averaged over the images: (N, 1, H, W).

    |discrete Fourier transform|² / HW, averaged over rings one cycle a page wide: white noise has its variance at each
    frequency. Natural images fall as 1/frequency² (Field 1987); a blurred image falls faster.
    """
    ink = _ink(images)
    height, width = ink.shape[1:]
    total = sum(torch.fft.fft2(part.double()).abs().square().sum(0) for part in ink.split(1000))
    power, page = total / ink.numel(), max(height, width)  # (H, W)
    kind = dict(dtype=torch.float32, device=ink.device)
    distance = torch.hypot(torch.fft.fftfreq(height, **kind)[:, None], torch.fft.fftfreq(width, **kind))  # (H, W)
    ring = (distance * page).round().long()
    inside = ring <= page // 2
    counts = torch.bincount(ring[inside])
    return Spectrum(torch.arange(len(counts), **kind) / page, torch.bincount(ring[inside], power[inside]) / counts)
