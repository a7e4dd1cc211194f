"""Pictures as arrays, before they are drawn: checked, enlarged, framed."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

Numbers = ArrayLike | Tensor  # what `array` takes


def array(x: Numbers) -> np.ndarray:
    """A tensor, an array or nested lists as an array, on the CPU and without its gradient."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def rgb(colour: str) -> np.ndarray:
    """ "#RRGGBB" -> (3,) numbers in [0, 1]."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def check_images(x: Numbers, name: str, levels: int | None = None) -> np.ndarray:
    """(N, 1, H, W) -> (N, H, W) floats, 0 paper to 1 ink."""
    values = array(x)
    if values.ndim != 4 or values.shape[1] != 1 or values.size == 0:
        raise ValueError(f"{name}: shape {values.shape}; expected (N, 1, H, W), at least one image")
    whole = values.dtype.kind in "iub"
    top = levels - 1 if levels else 255 if whole and values.max() > 1 else 1
    values = values[:, 0].astype(float) / top
    if not (values >= 0).all() or not (values <= 1).all():
        low, high = values.min() * top, values.max() * top
        raise ValueError(f"{name}: values from {low:g} to {high:g}; expected 0 to {top}")
    return values


def enlarge(values: np.ndarray, scale: int) -> np.ndarray:
    """Each pixel `scale` times as high and as wide: (H, W, …) -> (scale·H, scale·W, …)."""
    return values.repeat(scale, 0).repeat(scale, 1)


def draw_frame(page: np.ndarray, picture: np.ndarray, y: int, x: int) -> None:
    """Put a picture (H, W) on a page in place, its upper left corner at (y, x), with a grey line around it."""
    height, width = picture.shape
    page[y - 1 : y + height + 1, x - 1 : x + width + 1] = 0.6
    page[y : y + height, x : x + width] = picture


def bare_figure(shape: tuple[int, int], dpi: int = 100) -> tuple[Figure, Axes]:
    """A figure in which one pixel of an image (height, width) is one pixel of the screen."""
    figure = plt.figure(figsize=(shape[1] / dpi, shape[0] / dpi), dpi=dpi, layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return figure, ax
