"""Images: in a grid, completed, pixel by pixel."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gencourse.plots.arrays import Numbers, array, bare_figure, check_images, draw_frame, enlarge

UNKNOWN, NEWEST = 0.55, (0.84, 0.37, 0.0)  # pixels that are hidden, and the one drawn last


def image_grid(
    images: Numbers,
    columns: int,
    titles: Sequence[str] | None = None,
    levels: int | None = None,
    rows: Sequence[str] | None = None,
    scale: int | None = None,
    heads: Sequence[str] | None = None,
) -> Figure:
    """Images side by side, ink dark on paper: (N, 1, H, W), binary, uint8 grey, or floats in [0, 1].

    levels: where pixels are indices 0 … levels - 1 of more than two and fewer than 256 greys.
    titles: one above each image; else the grid has none. rows: one at the left of each row. heads: one above each
    column. scale: points of the figure for a pixel of an image; by default so many that an image is 56 or 84 wide.
    """
    images = check_images(images, "images", levels)
    n, height, width = images.shape
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ValueError(f"columns is {columns!r}; expected a whole number, at least 1")
    if titles is not None and len(titles) != n:
        raise ValueError(f"{len(titles)} titles for {n} images; expected one each")
    columns = min(columns, n)
    n_rows = math.ceil(n / columns)
    if rows is not None and len(rows) != n_rows:
        raise ValueError(f"{len(rows)} names for {n_rows} rows; expected one each")
    if heads is not None and len(heads) != columns:
        raise ValueError(f"{len(heads)} heads for {columns} columns; expected one each")
    scale = scale or max(1, round((56 if titles is None else 84) / width))
    above, gap = (0 if titles is None else 26), 3
    step_x, step_y = width * scale + gap, height * scale + gap + above
    left = 0 if rows is None else 16 + 12 * max(map(len, rows))
    top = 0 if heads is None else 24
    page = np.ones((top + n_rows * step_y + gap, left + columns * step_x + gap))
    figure, ax = bare_figure(page.shape)
    for k, name in enumerate(heads or ()):
        ax.text(left + k * step_x + gap + width * scale / 2, top - 4, name, ha="center", va="bottom", fontsize=12)
    for k, name in enumerate(rows or ()):
        middle = top + k * step_y + gap + above + height * scale / 2
        ax.text(left - 10, middle, name, ha="right", va="center", fontsize=12)
    for i, picture in enumerate(images):
        y, x = top + i // columns * step_y + gap + above, left + i % columns * step_x + gap
        draw_frame(page, enlarge(1 - picture, scale), y, x)
        if titles is not None:
            ax.text(x + width * scale / 2, y - 5, titles[i], ha="center", va="bottom", fontsize=12)
    ax.imshow(page, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="upper")
    return figure


def sheet(ax: Axes, images: Numbers, columns: int = 4) -> Axes:
    """Images (N, 1, H, W), 0 to 1, side by side in one panel, ink dark, with a grey line around each."""
    images = 1 - check_images(images, "images")
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=0.75)
    framed = np.pad(framed, ((0, -len(images) % columns), (0, 0), (0, 0)), constant_values=1.0)
    rows = [np.concatenate(list(framed[i : i + columns]), 1) for i in range(0, len(images), columns)]
    ax.imshow(np.concatenate(rows), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    return ax


def completions(
    truth: Numbers, hidden_from_row: int, completions: Numbers, titles: Sequence[str] | None = None
) -> Figure:
    """Half digits and how a model went on: a row each of the truth, what was given, and the completions.

    truth: (n, 1, H, W). completions: (n, n_completions, 1, H, W). Rows from `hidden_from_row` on were hidden.
    """
    truth, drawn = check_images(truth, "truth"), array(completions)
    if drawn.ndim != 5 or drawn.shape[0] != len(truth) or drawn.shape[2:] != (1, *truth.shape[1:]):
        expected = f"({len(truth)}, n_completions, 1, {truth.shape[1]}, {truth.shape[2]})"
        raise ValueError(f"completions: shape {drawn.shape}; expected {expected}")
    n, height, width = truth.shape
    if not 0 < hidden_from_row < height:
        raise ValueError(f"hidden_from_row is {hidden_from_row}; expected a row between 1 and {height - 1}")
    drawn = check_images(drawn.reshape(-1, 1, height, width), "completions").reshape(n, -1, height, width)
    scale, gap, wide, above = max(1, round(84 / width)), 4, 22, 30
    side_x, side_y = width * scale + gap, height * scale + gap
    starts = [gap, side_x + wide] + [2 * (side_x + wide) + k * side_x for k in range(drawn.shape[1])]
    page = np.ones((n * side_y + above + gap, starts[-1] + side_x))
    figure, ax = bare_figure(page.shape)
    given = 1 - truth
    given[:, hidden_from_row:] = UNKNOWN
    shade = np.indices((height * scale, width * scale)).sum(0) // 4 % 3 == 0  # hatched: hidden, not grey
    for i in range(n):
        y = i * side_y + above
        half = enlarge(given[i], scale)
        half[hidden_from_row * scale :][shade[hidden_from_row * scale :]] = 0.8
        for x, picture in zip(starts, [enlarge(1 - truth[i], scale), half], strict=False):
            draw_frame(page, picture, y, x)
        for x, picture in zip(starts[2:], drawn[i], strict=True):
            draw_frame(page, enlarge(1 - picture, scale), y, x)
    names = titles or ("truth", "given", "completed by the model")
    middles = [starts[0] + side_x / 2, starts[1] + side_x / 2, (starts[2] + starts[-1] + side_x) / 2]
    for x, name in zip(middles, names, strict=True):
        ax.text(x, above - 7, name, ha="center", va="bottom", fontsize=13)
    ax.imshow(page, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="upper")
    return figure


def raster_frames(images: Numbers, n_frames: int = 57, given_rows: int = 0) -> np.ndarray:
    """How images came to be: (n, 1, H, W) -> (n_frames, n, H, W) with the pixels not drawn yet as NaN.

    The first frame shows the `given_rows` known from the start, the last the whole image.
    """
    images = check_images(images, "images")
    n, height, width = images.shape
    if n_frames < 2:
        raise ValueError(f"n_frames is {n_frames}; expected at least 2, the first and the last")
    stops = np.unique(np.linspace(given_rows * width, height * width, n_frames).round().astype(int))
    frames = np.full((len(stops), n, height * width), np.nan)
    for frame, stop in zip(frames, stops, strict=True):
        frame[:, :stop] = images.reshape(n, -1)[:, :stop]
    return frames.reshape(len(stops), n, height, width)


def film_frame(frame: Numbers, scale: int = 6) -> np.ndarray:
    """One picture of `raster_frames`, (n, H, W), its images side by side: (h, w, 3) uint8.

    What is not drawn yet, NaN or negative, is grey with dots; the pixel drawn last is orange.
    """
    frame = array(frame)
    if frame.ndim == 2:
        frame = frame[None]
    if frame.ndim != 3:
        raise ValueError(f"a frame has shape {frame.shape}; expected (H, W) or (n, H, W)")
    n, height, width = frame.shape
    gap = scale
    page = np.ones((height * scale + 2, n * (width * scale + gap) - gap + 2, 3))
    for i, picture in enumerate(frame):
        unknown = ~np.isfinite(picture) | (picture < 0)
        cells = np.where(unknown, 0.80, 1 - np.nan_to_num(picture)).clip(0, 1)[..., None].repeat(3, -1)
        last = (~unknown).sum() - 1
        if 0 <= last < unknown.size - 1:
            cells[divmod(last, width)] = NEWEST
        large = cells.repeat(scale, 0).repeat(scale, 1)
        middle = np.zeros((scale, scale), bool)
        middle[scale // 2, scale // 2] = True
        large[enlarge(unknown, scale) & np.tile(middle, (height, width))] = 0.45
        x = i * (width * scale + gap)
        page[:, x : x + width * scale + 2] = 0.5
        page[1:-1, x + 1 : x + width * scale + 1] = large
    return np.rint(page * 255).astype(np.uint8)
