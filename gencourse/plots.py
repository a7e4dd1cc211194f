"""Figures: one a function, from tensors, arrays or numbers to an Axes or a Figure.

Colours are those of Okabe and Ito, which the colour-blind can tell apart; whatever a colour says, a marker, a
hatch or a number says too, so that a grey print reads the same. `use_style` sets fonts and sizes for a
projector, `show` puts a figure on the page with a text for those who cannot see it.
"""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence

import IPython.display
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch
from PIL import Image, features

from gencourse._output import say

BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK = COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#AA4499", "#56B4E9", "#000000",
)  # fmt: skip
MARKERS, DASHES = "osD^vPX", ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
SAMPLE_RATE = 8000  # Hz

NOT_SEEN, FUTURE, LEAK = "#FFF1E0", "#E9E9E9", "#C1002B"  # the shades of a receptive field, beside blues
UNKNOWN, NEWEST = 0.55, (0.84, 0.37, 0.0)  # pixels that are hidden, and the one drawn last


# On the page ----------------------------------------------------------------------------------------------


LOOK = {
    "figure.dpi": 100, "savefig.dpi": 100, "figure.facecolor": "white", "figure.figsize": (7, 4),
    "figure.constrained_layout.use": True,
    "font.size": 13, "axes.titlesize": 13, "axes.labelsize": 13,
    "xtick.labelsize": 12, "ytick.labelsize": 12, "legend.fontsize": 12, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2, "lines.markersize": 7,
    "axes.prop_cycle": plt.cycler(color=COLOURS), "image.cmap": "viridis", "hatch.linewidth": 0.8,
}  # fmt: skip


def use_style() -> None:
    """The look of all figures of the course: large type, light ground, few lines. Call it once a notebook.

    What a reader has set before, in a matplotlibrc or by a style, is put back to matplotlib's own defaults; only the
    backend stays. A figure that is made without this call has the reader's own style.
    """
    matplotlib.rcdefaults()
    plt.rcParams.update(LOOK)


def show(figure: Figure | Axes, alt: str) -> None:
    """Put a figure on the page with its text alternative, and close it."""
    figure = _figure(figure)
    content = png(figure)
    put(image_html(content, alt), content, alt)
    plt.close(figure)


def put(page: str, content: bytes, alt: str, more: Mapping[str, object] | None = None) -> None:
    """Put HTML on the page, and with it a PNG and words for whatever shows no HTML: LaTeX, PDF, a terminal.

    The HTML is needed for the words: JupyterLab and nbconvert show a bare PNG without its text. more: other forms of
    the same, by mime type.
    """
    data = {"text/html": page, "image/png": base64.b64encode(content).decode(), "text/plain": alt}
    display({**(more or {}), **data}, metadata={"image/png": {"alt": alt}})


def display(bundle: Mapping[str, object], **options) -> None:
    """Content by mime type on the page, as IPython's `display` does it; its words alone where no IPython runs."""
    if InteractiveShell.initialized():
        IPython.display.display(bundle, raw=True, **options)
    else:
        say(bundle["text/plain"])


def image_html(content: bytes, alt: str, width: int | None = None, more: str = "") -> str:
    """<img> of a PNG, whole in itself, with `more` attributes. Raises ValueError without a text."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the picture shows")
    size = f' width="{width}"' if width else ""
    look = "max-width:100%;height:auto;background:#fff"
    return f'<img{more} alt="{html.escape(alt)}" src="{image_url(content)}"{size} style="{look}">'


def image_url(content: bytes) -> str:
    """A PNG as an address that needs no file: the same pixels as WebP, which is a quarter smaller."""
    if not features.check("webp"):  # a Pillow that was built without it
        return data_url(content)
    image, file = Image.open(io.BytesIO(content)), io.BytesIO()
    clear = "A" in image.getbands() or "transparency" in image.info
    image.convert("RGBA" if clear else "RGB").save(file, format="webp", lossless=True, quality=75, method=3)
    return data_url(file.getvalue(), "image/webp")


def data_url(content: bytes, kind: str = "image/png") -> str:
    """The bytes of a file as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png(picture: Figure | Axes | np.ndarray) -> bytes:
    """A figure, or an image (H, W) or (H, W, 3), as a PNG with as few colours as will do.

    Images are uint8, or floats in [0, 1].
    """
    if isinstance(picture, Figure | Axes):
        figure = _figure(picture)
        file = io.BytesIO()
        with plt.rc_context():  # some settings, such as savefig.bbox, count when a figure is drawn
            use_style()
            figure.savefig(file, format="png", dpi=figure.dpi)
        drawn = Image.open(file).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
    else:
        values = _array(picture)
        if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3) or values.size == 0:
            raise ValueError(f"an image of shape {values.shape}; expected (H, W) or (H, W, 3)")
        if values.dtype != np.uint8:
            values = np.rint(values.astype(float) * 255).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(values).convert("RGB")
    file = io.BytesIO()
    _few_colours(image).save(file, format="png", optimize=True)
    return file.getvalue()


def _few_colours(image: Image.Image) -> Image.Image:
    """The image with the smallest palette that changes next to nothing, or as it is."""
    original = np.asarray(image, dtype=np.int16)
    few = image.getcolors(256)
    fast, exact = Image.Quantize.FASTOCTREE, Image.Quantize.MEDIANCUT
    ways = [(len(few), exact)] if few else [(24, fast), (48, fast), (96, fast), (256, fast), (256, exact)]
    for n_colours, method in ways:
        small = image.quantize(max(n_colours, 2), method=method, dither=Image.Dither.NONE)
        error = np.abs(np.asarray(small.convert("RGB"), dtype=np.int16) - original).max(-1)
        flat, edges = np.quantile(error, (0.9, 0.9995))
        if flat <= 3 and edges <= 40:  # areas keep their colour; at the edges of lines and letters a shade is lost
            return small
    return image


# Images ---------------------------------------------------------------------------------------------------


def image_grid(
    images,
    columns: int,
    titles: Sequence[str] | None = None,
    levels: int | None = None,
    rows: Sequence[str] | None = None,
) -> Figure:
    """Images side by side, ink dark on paper: (N, 1, H, W), binary, uint8 grey, or floats in [0, 1].

    levels: where pixels are indices 0 … levels - 1 of more than two and fewer than 256 greys.
    titles: one above each image; else the grid has none. rows: one at the left of each row.
    """
    images = _images(images, "images", levels)
    n, height, width = images.shape
    if isinstance(columns, bool) or not isinstance(columns, int) or columns < 1:
        raise ValueError(f"columns is {columns!r}; expected a whole number, at least 1")
    if titles is not None and len(titles) != n:
        raise ValueError(f"{len(titles)} titles for {n} images; expected one each")
    columns = min(columns, n)
    n_rows = math.ceil(n / columns)
    if rows is not None and len(rows) != n_rows:
        raise ValueError(f"{len(rows)} names for {n_rows} rows; expected one each")
    scale = max(1, round(56 / width)) if titles is None else max(1, round(84 / width))
    above, gap = (0 if titles is None else 26), 3
    step_x, step_y = width * scale + gap, height * scale + gap + above
    left = 0 if rows is None else 16 + 12 * max(map(len, rows))
    page = np.ones((n_rows * step_y + gap, left + columns * step_x + gap))
    figure, ax = _bare(page.shape)
    for k, name in enumerate(rows or ()):
        ax.text(left - 10, k * step_y + gap + above + height * scale / 2, name, ha="right", va="center", fontsize=12)
    for i, picture in enumerate(images):
        y, x = i // columns * step_y + gap + above, left + i % columns * step_x + gap
        _framed(page, _enlarge(1 - picture, scale), y, x)
        if titles is not None:
            ax.text(x + width * scale / 2, y - 5, titles[i], ha="center", va="bottom", fontsize=12)
    ax.imshow(page, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="upper")
    return figure


def completions(truth, hidden_from_row: int, completions, titles: Sequence[str] | None = None) -> Figure:
    """Half digits and how a model went on: a row each of the truth, what was given, and the completions.

    truth: (n, 1, H, W). completions: (n, n_completions, 1, H, W). Rows from `hidden_from_row` on were hidden.
    """
    truth, drawn = _images(truth, "truth"), _array(completions)
    if drawn.ndim != 5 or drawn.shape[0] != len(truth) or drawn.shape[2:] != (1, *truth.shape[1:]):
        expected = f"({len(truth)}, n_completions, 1, {truth.shape[1]}, {truth.shape[2]})"
        raise ValueError(f"completions: shape {drawn.shape}; expected {expected}")
    n, height, width = truth.shape
    if not 0 < hidden_from_row < height:
        raise ValueError(f"hidden_from_row is {hidden_from_row}; expected a row between 1 and {height - 1}")
    drawn = _images(drawn.reshape(-1, 1, height, width), "completions").reshape(n, -1, height, width)
    scale, gap, wide, above = max(1, round(84 / width)), 4, 22, 30
    side_x, side_y = width * scale + gap, height * scale + gap
    starts = [gap, side_x + wide] + [2 * (side_x + wide) + k * side_x for k in range(drawn.shape[1])]
    page = np.ones((n * side_y + above + gap, starts[-1] + side_x))
    figure, ax = _bare(page.shape)
    given = 1 - truth
    given[:, hidden_from_row:] = UNKNOWN
    shade = np.indices((height * scale, width * scale)).sum(0) // 4 % 3 == 0  # hatched: hidden, not grey
    for i in range(n):
        y = i * side_y + above
        half = _enlarge(given[i], scale)
        half[hidden_from_row * scale :][shade[hidden_from_row * scale :]] = 0.8
        for x, picture in zip(starts, [_enlarge(1 - truth[i], scale), half], strict=False):
            _framed(page, picture, y, x)
        for x, picture in zip(starts[2:], drawn[i], strict=True):
            _framed(page, _enlarge(1 - picture, scale), y, x)
    names = titles or ("truth", "given", "completed by the model")
    middles = [starts[0] + side_x / 2, starts[1] + side_x / 2, (starts[2] + starts[-1] + side_x) / 2]
    for x, name in zip(middles, names, strict=True):
        ax.text(x, above - 7, name, ha="center", va="bottom", fontsize=13)
    ax.imshow(page, cmap="gray", vmin=0, vmax=1, interpolation="nearest", origin="upper")
    return figure


def raster_frames(images, n_frames: int = 57, given_rows: int = 0) -> np.ndarray:
    """How images came to be: (n, 1, H, W) -> (n_frames, n, H, W) with the pixels not drawn yet as NaN.

    The first frame shows the `given_rows` known from the start, the last the whole image.
    """
    images = _images(images, "images")
    n, height, width = images.shape
    if n_frames < 2:
        raise ValueError(f"n_frames is {n_frames}; expected at least 2, the first and the last")
    stops = np.unique(np.linspace(given_rows * width, height * width, n_frames).round().astype(int))
    frames = np.full((len(stops), n, height * width), np.nan)
    for frame, stop in zip(frames, stops, strict=True):
        frame[:, :stop] = images.reshape(n, -1)[:, :stop]
    return frames.reshape(len(stops), n, height, width)


def film_frame(frame, scale: int = 6) -> np.ndarray:
    """One picture of `raster_frames`, (n, H, W), its images side by side: (h, w, 3) uint8.

    What is not drawn yet, NaN or negative, is grey with dots; the pixel drawn last is orange.
    """
    frame = _array(frame)
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
        large[_enlarge(unknown, scale) & np.tile(middle, (height, width))] = 0.45
        x = i * (width * scale + gap)
        page[:, x : x + width * scale + 2] = 0.5
        page[1:-1, x + 1 : x + width * scale + 1] = large
    return np.rint(page * 255).astype(np.uint8)


# What a model sees ----------------------------------------------------------------------------------------


def mask(ax: Axes, mask, title: str | None = None) -> Axes:
    """The mask of a kernel (k, k), a 0 or 1 in each cell: seen cells dark, the centre framed."""
    values = _array(mask).astype(float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"mask has shape {values.shape}; expected (rows, columns)")
    ax.imshow(0.85 * values, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", origin="upper")
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if value > 0.5 else "black"
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=14, color=ink)
    height, width = values.shape
    ax.set_xticks(np.arange(width) - 0.5, minor=True)
    ax.set_yticks(np.arange(height) - 0.5, minor=True)
    ax.grid(which="minor", color="0.4", linewidth=0.8)
    ax.tick_params(which="minor", length=0)
    column, row = (
        width // 2,
        height // 2 if height == width else height - 1,
    )  # only the upper rows may be given
    centre = (column - 0.5, row - 0.5)
    ax.add_patch(plt.Rectangle(centre, 1, 1, fill=False, edgecolor=VERMILLION, linewidth=3))
    ax.set_xticks(range(width), [f"{i - column:+d}" if i != column else "0" for i in range(width)])
    ax.set_yticks(range(height), [f"{i - row:+d}" if i != row else "0" for i in range(height)])
    ax.set(xlabel="column, from the pixel", ylabel="row, from the pixel", title=title or "")
    ax.spines[:].set_visible(True)
    return ax


def field_tiles(field, position: Sequence[int], scale: int = 10) -> np.ndarray:
    """A receptive field as a picture: (H, W) gradients -> (H·scale, W·scale, 3) uint8.

    Blue: seen, the darker the stronger (logarithmic). Hatched: in the past but not seen. Grey: the future.
    A cross: the pixel that is predicted. Red: what must not be seen, the future (a white dot in each pixel)
    or the pixel itself (in a red frame).
    """
    field, (row, column) = _field(field, position)
    height, width = field.shape
    order = np.arange(height * width).reshape(height, width)
    past, seen = order < order[row, column], field > 0
    strength = np.zeros_like(field)
    if (past & seen).any():
        log = np.log10(field, where=seen, out=np.zeros_like(field))
        low, high = log[past & seen].min(), log[past & seen].max()
        low = max(low, high - 6)  # six orders of magnitude are enough to tell apart
        strength = ((log - low) / max(high - low, 1e-9)).clip(0, 1)
    cells = plt.get_cmap("Blues")(0.45 + 0.55 * np.floor(strength * 12) / 12)[..., :3]
    cells[past & ~seen] = _rgb(NOT_SEEN)
    cells[~past & ~seen] = _rgb(FUTURE)
    cells[~past & seen] = _rgb(LEAK)
    if not seen[row, column]:
        cells[row, column] = 1
    page = cells.repeat(scale, 0).repeat(scale, 1)
    i, j = np.indices(page.shape[:2])
    hatch = (i + j) % max(4, scale) < 2
    page[_enlarge(past & ~seen, scale) & hatch] = _rgb(VERMILLION)
    dot = np.hypot(i % scale - (scale - 1) / 2, j % scale - (scale - 1) / 2) < scale / 4
    leaks = ~past & seen
    leaks[row, column] = False
    page[_enlarge(leaks, scale) & dot] = 1
    page[::scale] = page[::scale] * 0.5 + 0.5  # thin lines between the cells
    page[:, ::scale] = page[:, ::scale] * 0.5 + 0.5
    here = page[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]
    a, b = np.indices(here.shape[:2])
    here[(np.abs(a - b) <= 1) | (np.abs(a + b - scale + 1) <= 1)] = 1 if seen[row, column] else 0
    here[[0, -1]] = here[:, [0, -1]] = 0
    if seen[row, column]:
        top, left = max(0, (row - 1) * scale), max(0, (column - 1) * scale)
        for inset, thick, colour in [(0, 5, np.ones(3)), (1, 3, _rgb(LEAK))]:  # a red frame with a white edge
            frame = np.zeros(page.shape[:2], bool)
            for value, by in [(True, inset), (False, inset + thick)]:
                frame[top + by : (row + 2) * scale - by, left + by : (column + 2) * scale - by] = value
            page[frame] = colour
    return np.rint(page * 255).astype(np.uint8)


FIELD_LEGEND = {
    "seen (darker: more)": dict(facecolor=plt.get_cmap("Blues")(0.8)),
    "past, not seen": dict(facecolor=NOT_SEEN, edgecolor=VERMILLION, hatch="////"),
    "future": dict(facecolor=FUTURE),
    "seen, must not be": dict(facecolor=LEAK),
}


def receptive_field(ax: Axes, gradient, position: Sequence[int], title: str | None = None) -> Axes:
    """What the prediction at `position` (row, column) depends on.

    gradient: (H, W) absolute gradients, exactly 0 where nothing is seen (`metrics.receptive_field`).
    `field_tiles` says what the shades mean; `receptive_fields` adds a legend.
    """
    field, (row, column) = _field(gradient, position)
    height, width = field.shape
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    ax.imshow(field_tiles(field, (row, column)), extent=extent, interpolation="nearest", origin="upper")
    past = row * width + column
    count = int((field.ravel()[:past] > 0).sum())
    ax.set_title(f"{title}\nsees {count} of {past}" if title else f"sees {count} of {past} earlier pixels")
    ax.set(xlabel="column, pixels", ylabel="row, pixels")
    ax.locator_params(integer=True)
    ax.spines[:].set_visible(True)
    return ax


def receptive_fields(fields: Mapping[str, object], position: Sequence[int], columns: int = 4) -> Figure:
    """Receptive fields of several models side by side, {name: (H, W) gradients}, with a legend."""
    if not fields:
        raise ValueError("fields is empty; expected {name: (H, W) gradients}")
    columns = min(columns, len(fields))
    rows = math.ceil(len(fields) / columns)
    width = max(2.55 * columns + 0.5, 6.4)
    leak = any(_leaks(field, position) for field in fields.values())
    legend_rows = 1 if width > (9.5 if leak else 8) else 2
    height = rows * ((width - 0.7) / columns + 1.05) + 0.15 + 0.3 * legend_rows
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    for ax, (name, field) in zip(axes.flat, fields.items(), strict=False):
        receptive_field(ax, field, position, name)
    for ax in axes.flat[len(fields) :]:
        ax.remove()
    for ax in axes[:, 1:].flat:
        if ax.figure is not None:
            ax.set_ylabel("")
            ax.set_yticklabels([])
    names = [name for name in FIELD_LEGEND if leak or "must not" not in name]
    handles = [Patch(**{"edgecolor": "0.4", **FIELD_LEGEND[name]}) for name in names]
    handles.append(Line2D([], [], color="black", marker="x", markersize=9, markeredgewidth=2, linestyle="none"))
    columns = math.ceil(len(handles) / legend_rows)
    figure.legend(handles, [*names, "predicted"], loc="outside lower center", ncols=columns)
    return figure


def dilations(
    dilations: Sequence[int], kernel_size: int = 2, sample_rate: int = SAMPLE_RATE, width: float = 8
) -> Figure:
    """The cone of a WaveNet: which samples reach one prediction, layer by layer.

    The first layer looks at the kernel_size samples before the one that is predicted, each next layer as far
    apart as its dilation says: kernel_size + (kernel_size - 1) · Σ dilations samples in all.
    Where single connections would be too dense to see, the cone is filled.

    width: of the figure, inches.
    """
    dilations = [int(d) for d in dilations]
    if not dilations or min(dilations) < 1 or kernel_size < 1:
        given = f"dilations {dilations} with kernel_size {kernel_size}"
        raise ValueError(f"{given}; expected whole numbers, at least 1")
    reach = kernel_size + (kernel_size - 1) * sum(dilations)
    layers, links = [{0}], []  # from the prediction downwards: the places that count, and how they are joined
    for offset, d in [(0, d) for d in reversed(dilations)] + [(1, 1)]:
        links.append([(t, t - offset - k * d) for t in sorted(layers[-1]) for k in range(kernel_size)])
        layers.append({below for _, below in links[-1]})
    shown, top = max(8, reach), len(layers) - 1
    size = max(2, min(9, 420 / shown))
    figure, ax = plt.subplots(figsize=(width, 1.4 + 0.36 * len(layers)), layout="constrained")
    for level, places in enumerate(layers):
        y, colour = top - level, VERMILLION if level == top else BLUE
        if shown <= 80:
            others = sorted(set(range(-shown, 1 if y else 0)) - places)
            ax.plot(
                others,
                [y] * len(others),
                "o",
                color="0.7",
                markerfacecolor="white",
                markersize=size,
                zorder=2,
            )
        if len(places) <= 80:
            ax.plot(sorted(places), [y] * len(places), "o", markersize=size, color=colour, zorder=3)
        else:
            ax.plot([min(places), max(places)], [y, y], color=colour, linewidth=3, zorder=3)
        if level == top:
            break
        if len(links[level]) <= 80:
            for link in links[level]:
                ax.plot(link, (y, y - 1), color=BLUE, linewidth=1.5 if shown <= 80 else 0.8, zorder=1)
        else:
            below = layers[level + 1]
            corners = [(min(places), y), (0, y), (max(below), y - 1), (min(below), y - 1)]
            ax.add_patch(plt.Polygon(corners, facecolor="#CFE3F1", edgecolor=BLUE, linewidth=0.8, zorder=1))
    ax.plot([0], [0], "X", markersize=10, color="black", zorder=4, clip_on=False)
    ax.plot([0], [top], "*", markersize=15, color="black", zorder=4, clip_on=False)
    ax.set_yticks(range(top + 1), ["sound", "first", *[f"dilation {d}" for d in dilations]])
    ax.set(xlabel="samples before the one that is predicted (✖)", ylabel="layer")
    ax.set(xlim=(-shown * 1.02, 0.02 * shown), ylim=(-0.4, top + 0.4))
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True, nbins=9))
    ax.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    ax.set_title(f"sees {reach:,} samples = {1000 * reach / sample_rate:.3g} ms")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return figure


# Mixtures -------------------------------------------------------------------------------------------------


def mixture(ax: Axes, x, weights, means, covariances, shares=None, title: str = "") -> Axes:
    """Points (N, 2) and the components of a mixture, each with its number at its mean.

    An ellipse of one standard deviation is drawn in full, the thicker the larger the weight, one of two dashed.

    weights: (K,). means: (K, 2). covariances: (K, 2, 2), variances (K, 2), or one variance a component (K,).
    shares: (N, K) responsibilities: colours are mixed by them, the marker is that of the largest. Else points are grey.
    """
    x, weights, means = (_array(values).astype(float) for values in (x, weights, means))
    covariances = _array(covariances).astype(float)
    k = len(means)
    if x.ndim != 2 or x.shape[1] != 2 or means.shape != (k, 2) or weights.shape != (k,):
        raise ValueError(f"x {x.shape}, weights {weights.shape}, means {means.shape}; expected (N, 2), (K,), (K, 2)")
    if covariances.shape not in ((k, 2, 2), (k, 2), (k,)):
        raise ValueError(f"covariances have shape {covariances.shape}; expected ({k}, 2, 2), ({k}, 2) or ({k},)")
    if covariances.ndim < 3:
        covariances = covariances.reshape(k, -1)[..., None] * np.eye(2)
    if shares is None:
        ax.plot(*x.T, "o", color="0.6", markersize=3, zorder=1)
    else:
        _shared_points(ax, x, _array(shares).astype(float), k)
    for i, (weight, mean, covariance) in enumerate(zip(weights, means, covariances, strict=True)):
        variances, axes = np.linalg.eigh(covariance)
        angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
        for n, line in ((1, "-"), (2, "--")):
            height, width = 2 * n * np.sqrt(variances.clip(min=0))
            ax.add_patch(Ellipse(mean, width, height, angle=angle, fill=False, edgecolor="black", linestyle=line,
                                 linewidth=0.8 + 3 * weight if n == 1 else 0.8, zorder=3))  # fmt: skip
        box = dict(boxstyle="circle,pad=0.15", facecolor="white", edgecolor=COLOURS[i % len(COLOURS)], linewidth=2)
        ax.text(*mean, str(i + 1), ha="center", va="center", fontsize=12, bbox=box, zorder=4, clip_on=True)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    return ax


def _shared_points(ax: Axes, x: np.ndarray, shares: np.ndarray, k: int) -> None:
    if shares.shape != (len(x), k):
        raise ValueError(f"shares have shape {shares.shape}; expected ({len(x)}, {k}), a row for each point")
    steps = np.rint(shares * 4) / 4  # few shades make a small file
    colours = (steps / steps.sum(1, keepdims=True)) @ np.array([_rgb(COLOURS[i % len(COLOURS)]) for i in range(k)])
    first = shares.argmax(1)
    for i in range(k):
        ax.scatter(*x[first == i].T, c=colours[first == i], s=14, marker=MARKERS[i % len(MARKERS)], linewidths=0)


def heat_maps(
    maps: Mapping[str, object], extent: Sequence[float], points=None, cells: int = 110, ax: Axes | None = None
) -> Figure:
    """Densities over the plane side by side, each from 0 to its own highest value.

    maps: {title: (H, W) values, bottom row first, or a function of (N, 2) float64 points, asked at `cells` places from
    left to right}. extent: left, right, bottom, top. points: (N, 2), drawn over each. ax: to draw a single map into.
    """
    if not maps or (ax is not None and len(maps) > 1):
        raise ValueError(f"maps has {len(maps)} entries; expected {{title: values or function}}, one if ax is given")
    left, right, bottom, top = extent
    height = min(3.2, 9.6 / len(maps)) * (top - bottom) / (right - left) + 0.9
    figure, axes = (ax.figure, [ax]) if ax is not None else plt.subplots(
        1, len(maps), figsize=(min(3.3 * len(maps) + 0.6, 10.2), height), squeeze=False, sharey=True)  # fmt: skip
    for place, (name, values) in zip(np.ravel(axes), maps.items(), strict=True):
        values = _on_the_plane(values, extent, cells) if callable(values) else _array(values).astype(float)
        if values.ndim != 2:
            raise ValueError(f"{name!r} has shape {values.shape}; expected (H, W), or a function of (N, 2) points")
        shades = plt.get_cmap("viridis", 24)  # more of them would only make the file large
        place.imshow(values, origin="lower", extent=tuple(extent), cmap=shades, vmin=0, interpolation="nearest")
        if points is not None:
            place.plot(*_array(points).T, ".", color="white", markersize=2.5)
        place.set(title=name, xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top))
        place.label_outer()
    return figure


def _on_the_plane(function, extent: Sequence[float], cells: int) -> np.ndarray:
    left, right, bottom, top = extent
    rows = max(2, round(cells * (top - bottom) / (right - left)))
    columns = left + (right - left) * (np.arange(cells) + 0.5) / cells
    heights = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
    points = np.stack(np.meshgrid(columns, heights), -1).reshape(-1, 2)
    return _array(function(torch.from_numpy(points))).astype(float).reshape(rows, cells)


# Numbers --------------------------------------------------------------------------------------------------


def nats_bars(rows: Mapping[str, float | Sequence[float]], published: Mapping[str, float] | None = None) -> Figure:
    """Test nats per image, measured here (plain bars) and published (hatched), the best at the top.

    rows: {name: nats}, or {name: [nats of each seed]}: the bar is the mean, a line shows the range.
    published: {"name (source, table)": nats}.
    """
    both = [(name, nats, False) for name, nats in rows.items()]
    both += [(name, nats, True) for name, nats in (published or {}).items()]
    entries = [(name, np.atleast_1d(_array(nats)).astype(float), hatched) for name, nats, hatched in both]
    if not entries:
        raise ValueError("rows is empty; expected {name: nats}")
    for name, values, _ in entries:
        if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"{name!r} has {values.tolist()}; expected nats, one number or one for each seed")
    entries.sort(key=lambda entry: -entry[1].mean())
    figure, ax = plt.subplots(figsize=(8.6, 1.35 + 0.43 * len(entries)), layout="constrained")
    largest = max(values.max() for _, values, _ in entries)
    for y, (_, values, hatched) in enumerate(entries):
        look = dict(color="white", edgecolor="0.35", hatch="///") if hatched else dict(color=BLUE)
        ax.barh(y, values.mean(), height=0.68, **look)
        if len(values) > 1:
            spread = [[values.mean() - values.min()], [values.max() - values.mean()]]
            ax.errorbar(values.mean(), y, xerr=spread, color="black", capsize=5, linewidth=2)
        ax.text(values.max() + largest * 0.02, y, f"{values.mean():.1f}", va="center", fontsize=12)
    ax.set_yticks(range(len(entries)), [name for name, _, _ in entries])
    ax.set(xlabel="test nats per image (lower is better)", xlim=(0, largest * 1.14))
    ax.set_ylabel("model")
    ax.tick_params(axis="y", length=0)
    handles = [Patch(facecolor=BLUE, label="measured here")]
    if published:
        handles.append(Patch(facecolor="white", edgecolor="0.35", hatch="///", label="published"))
    if any(len(values) > 1 for _, values, _ in entries):
        spread = Line2D([], [], color="black", marker="|", markersize=10, label="lowest to highest seed")
        handles.append(spread)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def lines(
    x: Sequence[float], curves: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, log: str = "",
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Several curves over the same x, {name: values}, with markers where there are at most 20 values.

    log: the axes to be logarithmic, "x", "y" or "xy"; few x on a logarithmic axis are its ticks.
    """
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"log is {log!r}; expected '', 'x', 'y' or 'xy'")
    x = _array(x).astype(float)
    curves = {name: _array(values).astype(float) for name, values in curves.items()}
    for name, values in curves.items():
        if x.ndim != 1 or values.shape != x.shape or not len(x):
            raise ValueError(f"{name!r} has shape {values.shape} over x {x.shape}; expected one value for each x")
    ax = ax or plt.subplots(figsize=(8, 4), layout="constrained")[1]
    for i, (name, values) in enumerate(curves.items()):
        marker = MARKERS[i % len(MARKERS)] if len(x) <= 20 else ""
        ax.plot(x, values, marker=marker, linestyle=DASHES[i % len(DASHES)], label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if "x" in log else "linear")
    ax.set_yscale("log" if "y" in log else "linear")
    if "x" in log and len(x) <= 12:
        ax.set_xticks(x, [f"{value:,g}" for value in x])
        ax.minorticks_off()
    if len(curves) > 1:
        ax.legend()
    return ax


def learning_curves(
    histories: Mapping[str, object], x: str = "steps", ylabel: str = "nats per example", window: int = 50,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Loss against "steps" or "seconds": lines for training batches, smoothed, markers for what was measured.

    histories: {name: History}, with `loss` (a number a step), `measured` ((step, value) pairs) and `seconds`.
    The vertical axis leaves out the fall of the first steps, which would squeeze all that follows.
    """
    if x not in ("steps", "seconds"):
        raise ValueError(f"x is {x!r}; expected 'steps' or 'seconds'")
    if not histories or not all(len(history.loss) for history in histories.values()):
        raise ValueError("a history without steps; expected {name: History} of runs that did some")
    ax = ax or plt.subplots(figsize=(7.4, 4.2), layout="constrained")[1]
    later = []
    for i, (name, history) in enumerate(histories.items()):
        loss = np.asarray(history.loss, dtype=float)
        total = np.concatenate([[0], loss.cumsum()])
        upto = np.arange(1, len(loss) + 1)
        smooth = (total[upto] - total[np.maximum(0, upto - window)]) / np.minimum(upto, window)
        unit = 1 if x == "steps" else history.seconds / len(loss)
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        keep = np.unique(np.linspace(0, len(loss) - 1, 600).round().astype(int))
        ax.plot(upto[keep] * unit, smooth[keep], color=colour, linestyle=DASHES[i % len(DASHES)], label=name)
        if history.measured:
            steps, values = np.asarray(history.measured, dtype=float).T
            ax.plot(steps * unit, values, marker, color=colour, markeredgecolor="white", markersize=9,
                    label=f"{name}, held out")  # fmt: skip
            later += values[steps > 0.1 * len(loss)].tolist()
        later += smooth[len(loss) // 5 :].tolist()
    low, high = min(later), max(later)
    margin = 0.1 * (high - low) or 1
    ax.set_ylim(low - margin, high + 2 * margin)
    ax.set(xlabel="training step" if x == "steps" else "seconds of training", ylabel=ylabel)
    ax.legend()
    return ax


def growth(sizes: Sequence[float], seconds: Mapping[str, Sequence[float]], xlabel: str, ax: Axes | None = None) -> Axes:
    """Seconds against size on logarithmic axes, {name: seconds}, with the slope of each: cost ∝ size^slope.

    The slope is that of a straight line through the larger half of the sizes, where fixed costs count little.
    """
    sizes = np.asarray(sizes, dtype=float)
    ax = ax or plt.subplots(figsize=(7, 4.2), layout="constrained")[1]
    for i, (name, values) in enumerate(seconds.items()):
        values = np.asarray(values, dtype=float)
        if values.shape != sizes.shape or len(sizes) < 2 or not (values > 0).all() or not (sizes > 0).all():
            plt.close(ax.figure)
            raise ValueError(
                f"{name!r} has {values.tolist()} for sizes {sizes.tolist()}; "
                f"expected as many positive numbers, at least 2"
            )
        largest = np.argsort(sizes)[-max(2, math.ceil(len(sizes) / 2)) :]
        slope = np.polyfit(np.log(sizes[largest]), np.log(values[largest]), 1)[0]
        ax.plot(sizes, values, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
                linestyle=DASHES[i % len(DASHES)], label=f"{name}: ∝ size$^{{{slope:.1f}}}$")  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="seconds")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.legend()
    return ax


def decibels(waveform, window: int = 256, hop: int = 80) -> np.ndarray:
    """Short-time spectrum: (T,) in [-1, 1] -> (window/2 + 1, frames), dB; a full sine wave is 0 dB.

    Hann windows of 256 samples (32 ms at 8 kHz), one every 80 (10 ms).
    """
    sound = _sound(waveform)
    sound = np.pad(sound, (window // 2, window // 2 + (-len(sound)) % hop))
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)).T / (np.hanning(window).sum() / 2)
    return 20 * np.log10(np.maximum(spectrum, 1e-6))


def spectrogram(
    ax: Axes, waveform, sample_rate: int = SAMPLE_RATE, low: float | None = None, high: float | None = None
) -> Axes:
    """Loudness in dB over time and frequency; `low` to `high` dB are coloured, by default the loudest 60."""
    values = decibels(waveform)
    high = math.ceil(values.max() / 5) * 5 if high is None else high
    low = high - 60 if low is None else low
    extent = (0, len(_sound(waveform)) / sample_rate, 0, sample_rate / 2000)
    colours = plt.get_cmap("viridis", 20)  # steps of 3 dB: finer ones would only make the file large
    ax.imshow(values, origin="lower", aspect="auto", extent=extent, cmap=colours, vmin=low, vmax=high,
              interpolation="nearest")  # fmt: skip
    ax.set(xlabel="time, s", ylabel="frequency, kHz")
    return ax


def spectrograms(waveforms: Mapping[str, object], sample_rate: int = SAMPLE_RATE) -> Figure:
    """Sounds side by side, {name: (T,)}: the waveforms, and the spectrograms on one scale of colours."""
    if not waveforms:
        raise ValueError("waveforms is empty; expected {name: (T,) in [-1, 1]}")
    high = max(math.ceil(decibels(w).max() / 5) * 5 for w in waveforms.values())
    loudest = max(np.abs(_sound(w)).max() for w in waveforms.values()) or 1
    n = len(waveforms)
    figure, axes = plt.subplots(2, n, figsize=(min(2.6 * n + 1.8, 9.5), 4.5), squeeze=False, sharey="row",
                                sharex="col", height_ratios=(1, 2), layout="constrained")  # fmt: skip
    for (above, below), (name, waveform) in zip(axes.T, waveforms.items(), strict=True):
        sound = _sound(waveform)
        above.plot(np.arange(len(sound)) / sample_rate, sound, color=BLUE, linewidth=0.5)
        above.set(title=name, ylim=(-1.05 * loudest, 1.05 * loudest), ylabel="amplitude", xlabel="time, s")
        spectrogram(below, sound, sample_rate, high - 60, high)
        above.label_outer()
        below.label_outer()
        below.xaxis.set_major_locator(plt.MaxNLocator(3, steps=[1, 2, 2.5, 5]))
        below.xaxis.set_major_formatter("{x:g}")
    bar = figure.colorbar(axes[1, 0].images[0], ax=axes[1], aspect=14, pad=0.02)
    bar.set_label("level, dB")
    return figure


def mu_law(ax: Axes, levels: int = 16) -> Axes:
    """Companding: y = sign(x) log(1 + µ|x|) / log(1 + µ), and where `levels` even steps of y fall on x.

    The curve is that of µ = levels - 1 (arXiv:1609.03499, section 2.2); `data.mu_law_encode` uses 256 levels.
    """
    if levels < 2:
        raise ValueError(f"levels is {levels}; expected at least 2")
    mu = levels - 1
    x = np.linspace(-1, 1, 2001)
    y = np.sign(x) * np.log1p(mu * np.abs(x)) / math.log1p(mu)
    index = np.floor((y + 1) / 2 * mu + 0.5)
    ax.plot(x, (y + 1) / 2 * mu, color="0.55", linestyle="--", label="before rounding")
    ax.plot(x, index, color=BLUE, label=f"{levels} levels")
    edges = x[1:][np.diff(index) > 0]
    below = np.full(len(edges), -0.045 * mu)
    ax.plot(edges, below, "|", color=VERMILLION, markersize=13, label="edges of the steps")
    ax.set(xlabel="amplitude", ylabel="level", xlim=(-1.03, 1.03))
    ax.legend(loc="upper left", fontsize=12)
    return ax


# Inside ---------------------------------------------------------------------------------------------------


def _figure(picture) -> Figure:
    if isinstance(picture, Axes):
        return picture.figure
    if isinstance(picture, Figure):
        return picture
    raise TypeError(f"got a {type(picture).__name__}; expected a matplotlib Figure or Axes")


def _array(x) -> np.ndarray:
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _images(x, name: str, levels: int | None = None) -> np.ndarray:
    """(N, 1, H, W) -> (N, H, W) floats, 0 paper to 1 ink."""
    values = _array(x)
    if values.ndim != 4 or values.shape[1] != 1 or values.size == 0:
        raise ValueError(f"{name}: shape {values.shape}; expected (N, 1, H, W), at least one image")
    whole = values.dtype.kind in "iub"
    top = levels - 1 if levels else 255 if whole and values.max() > 1 else 1
    values = values[:, 0].astype(float) / top
    if not (values >= 0).all() or not (values <= 1).all():
        low, high = values.min() * top, values.max() * top
        raise ValueError(f"{name}: values from {low:g} to {high:g}; expected 0 to {top}")
    return values


def _field(field, position) -> tuple[np.ndarray, tuple[int, int]]:
    values = _array(field).astype(float)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    row, column = (int(i) for i in tuple(position)[-2:]) if len(position) >= 2 else (-1, -1)
    if values.ndim != 2:
        raise ValueError(f"a receptive field has shape {values.shape}; expected (H, W)")
    if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
        raise ValueError(f"position is {tuple(position)}; expected (row, column) inside {values.shape}")
    return np.abs(values), (row, column)


def _leaks(field, position) -> bool:
    values, (row, column) = _field(field, position)
    return bool((values.ravel()[row * values.shape[1] + column :] > 0).any())


def _sound(waveform) -> np.ndarray:
    sound = _array(waveform).astype(float)
    if sound.ndim != 1 or sound.size == 0:
        raise ValueError(f"a waveform has shape {sound.shape}; expected (T,), at least one sample")
    if not (np.abs(sound) <= 1).all():  # also catches NaN
        raise ValueError("a waveform leaves [-1, 1]; give it as mu_law_decode returns it")
    return sound


def _enlarge(values: np.ndarray, scale: int) -> np.ndarray:
    return values.repeat(scale, 0).repeat(scale, 1)


def _framed(page: np.ndarray, picture: np.ndarray, y: int, x: int) -> None:
    height, width = picture.shape
    page[y - 1 : y + height + 1, x - 1 : x + width + 1] = 0.6
    page[y : y + height, x : x + width] = picture


def _bare(shape: tuple[int, int], dpi: int = 100) -> tuple[Figure, Axes]:
    """A figure in which one pixel of an image (height, width) is one pixel of the screen."""
    figure = plt.figure(figsize=(shape[1] / dpi, shape[0] / dpi), dpi=dpi, layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    return figure, ax


# Studies --------------------------------------------------------------------------------------------------


def study_shares(panels: Mapping[str, Mapping[str, Sequence[float]]], shares: Sequence[str] | set[str] = ()) -> Figure:
    """How often, or how much: one panel an outcome, one line a setting, its mean with the 95 % confidence interval.

    Args:
        panels: outcome -> setting -> (mean, low, high); nan where there is none. All panels have the same settings.
        shares: outcomes that are shares of runs, drawn as discs from 0 to 1; the others are means, drawn as squares.
    """
    settings = list(dict.fromkeys(label for panel in panels.values() for label in panel))
    if not settings:
        raise ValueError("there is nothing to draw; give at least one outcome of one setting")
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (2 + 3 * columns, rows * (1.2 + 0.35 * len(settings)))
    figure, axes = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax, (outcome, panel) in zip(axes.flat, panels.items()):
        share = outcome in shares
        for row, label in enumerate(settings):
            mean, low, high = (float(value) for value in panel.get(label, [math.nan] * 3))
            if not math.isnan(low) and not low <= mean <= high:
                raise ValueError(f"{outcome}, {label}: mean {mean:g} is outside its interval, {low:g} to {high:g}")
            ax.plot([low, high], [row, row], color=BLACK, linewidth=1.5, solid_capstyle="butt")
            ax.plot(mean, row, "o" if share else "s", color=BLUE if share else VERMILLION)
        if share:
            ax.set_xlim(-0.03, 1.03)
        ax.set(title=outcome, xlabel="share of runs" if share else "mean")
        ax.set_yticks(range(len(settings)), settings)
        ax.grid(axis="x", alpha=0.3)
    for ax in axes[:, 0]:
        ax.set_ylabel("setting")
    axes[0, 0].set_ylim(len(settings) - 0.5, -0.5)  # the first setting on top
    return figure


# A contest in the plane -----------------------------------------------------------------------------------


def contest(verdict, centres, samples, extent: Sequence[float], cells: int = 60, title: str = "") -> Figure:
    """The plane as a discriminator sees it, from D = 0, dark, to D = 1, light, and a generator's samples on it.

    Small, for a film: many of them have to fit into one notebook.

    verdict: (H, W) values of D, bottom row first, or a function of (N, 2) float64 points, asked at `cells` places from
    left to right. centres: (K, 2), where data are: crosses. samples: (N, 2): dots. extent: left, right, bottom, top.
    """
    values = _on_the_plane(verdict, extent, cells) if callable(verdict) else _array(verdict).astype(float)
    centres, samples = _array(centres), _array(samples)
    for name, points in (("centres", centres), ("samples", samples)):
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{name} have shape {points.shape}; expected (N, 2)")
    if values.ndim != 2 or not (values >= 0).all() or not (values <= 1).all():
        raise ValueError(f"verdict has shape {values.shape} and not only probabilities; expected (H, W) values of D")
    left, right, bottom, top = extent
    figure, ax = plt.subplots(figsize=(5.6, 4.5 * (top - bottom) / (right - left)), dpi=72)
    shades = plt.get_cmap("cividis", 16)
    image = ax.imshow(values, origin="lower", extent=tuple(extent), cmap=shades, vmin=0, vmax=1)
    ax.plot(*centres.T, "P", color="white", markeredgecolor="black", markersize=9, linestyle="none", label="data")
    ax.plot(*samples.T, "o", color=VERMILLION, markeredgecolor="black", markeredgewidth=0.3, markersize=3.5,
            linestyle="none", label="samples")  # fmt: skip
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top), title=title)
    figure.colorbar(image, ax=ax, label="D, probability of data")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
