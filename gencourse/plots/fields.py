"""What a network sees: masks, receptive fields, dilations."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gencourse.plots.arrays import Numbers, array, enlarge, rgb
from gencourse.plots.page import BLUE, SAMPLE_RATE, VERMILLION

NOT_SEEN, FUTURE, LEAK = "#FFF1E0", "#E9E9E9", "#C1002B"  # the shades of a receptive field, beside blues


def mask(ax: Axes, mask: Numbers, title: str | None = None) -> Axes:
    """The mask of a kernel (k, k), a 0 or 1 in each cell: seen cells dark, the centre framed."""
    values = array(mask).astype(float)
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


def field_tiles(field: Numbers, position: Sequence[int], scale: int = 10) -> np.ndarray:
    """A receptive field as a picture: (H, W) gradients -> (H·scale, W·scale, 3) uint8.

    Blue: seen, the darker the stronger (logarithmic). Hatched: in the past but not seen. Grey: the future.
    A cross: the pixel that is predicted. Red: what must not be seen, the future (a white dot in each pixel)
    or the pixel itself (in a red frame).
    """
    field, (row, column) = _check_field(field, position)
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
    cells[past & ~seen] = rgb(NOT_SEEN)
    cells[~past & ~seen] = rgb(FUTURE)
    cells[~past & seen] = rgb(LEAK)
    if not seen[row, column]:
        cells[row, column] = 1
    page = cells.repeat(scale, 0).repeat(scale, 1)
    i, j = np.indices(page.shape[:2])
    hatch = (i + j) % max(4, scale) < 2
    page[enlarge(past & ~seen, scale) & hatch] = rgb(VERMILLION)
    dot = np.hypot(i % scale - (scale - 1) / 2, j % scale - (scale - 1) / 2) < scale / 4
    leaks = ~past & seen
    leaks[row, column] = False
    page[enlarge(leaks, scale) & dot] = 1
    page[::scale] = page[::scale] * 0.5 + 0.5  # thin lines between the cells
    page[:, ::scale] = page[:, ::scale] * 0.5 + 0.5
    here = page[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]
    a, b = np.indices(here.shape[:2])
    here[(np.abs(a - b) <= 1) | (np.abs(a + b - scale + 1) <= 1)] = 1 if seen[row, column] else 0
    here[[0, -1]] = here[:, [0, -1]] = 0
    if seen[row, column]:
        top, left = max(0, (row - 1) * scale), max(0, (column - 1) * scale)
        for inset, thick, colour in [(0, 5, np.ones(3)), (1, 3, rgb(LEAK))]:  # a red frame with a white edge
            frame = np.zeros(page.shape[:2], bool)
            for value, by in [(True, inset), (False, inset + thick)]:
                frame[top + by : (row + 2) * scale - by, left + by : (column + 2) * scale - by] = value
            page[frame] = colour
    return np.rint(page * 255).astype(np.uint8)


FIELD_LEGEND = {
    "seen (darker: more, log scale)": dict(facecolor=plt.get_cmap("Blues")(0.8)),
    "past, not seen": dict(facecolor=NOT_SEEN, edgecolor=VERMILLION, hatch="////"),
    "future": dict(facecolor=FUTURE),
    "seen, must not be": dict(facecolor=LEAK),
}
# the same for fields of zeros and ones, which have one blue
PLAIN_FIELD_LEGEND = {"seen": dict(facecolor=plt.get_cmap("Blues")(0.45))} | {
    name: look for name, look in FIELD_LEGEND.items() if "darker" not in name
}


def receptive_field(ax: Axes, gradient: Numbers, position: Sequence[int], title: str | None = None) -> Axes:
    """What the prediction at `position` (row, column) depends on.

    gradient: (H, W) absolute gradients, exactly 0 where nothing is seen (`metrics.receptive_field`).
    `field_tiles` says what the shades mean; `receptive_fields` adds a legend.
    """
    field, (row, column) = _check_field(gradient, position)
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


def receptive_fields(fields: Mapping[str, Numbers], position: Sequence[int], columns: int = 4) -> Figure:
    """Receptive fields of several models side by side, {name: (H, W) gradients}, with a legend."""
    if not fields:
        raise ValueError("fields is empty; expected {name: (H, W) gradients}")
    columns = min(columns, len(fields))
    rows = math.ceil(len(fields) / columns)
    width = max(2.55 * columns + 0.5, 6.4)
    leak = any(_leaks(field, position) for field in fields.values())
    legend_rows = 1 if width > (9.5 if leak else 8) else 2 if width > 6.4 else 3
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
    shades = any(len(set(array(field)[array(field) > 0].tolist())) > 1 for field in fields.values())
    looks = FIELD_LEGEND if shades else PLAIN_FIELD_LEGEND
    names = [name for name in looks if leak or "must not" not in name]
    handles = [Patch(**{"edgecolor": "0.4", **looks[name]}) for name in names]
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
    ax.set_title(f"★ sees {reach:,} samples (orange) = {1000 * reach / sample_rate:.3g} ms, and predicts ✖")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return figure


def _check_field(field: Numbers, position: Sequence[int]) -> tuple[np.ndarray, tuple[int, int]]:
    values = array(field).astype(float)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    row, column = (int(i) for i in tuple(position)[-2:]) if len(position) >= 2 else (-1, -1)
    if values.ndim != 2:
        raise ValueError(f"a receptive field has shape {values.shape}; expected (H, W)")
    if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
        raise ValueError(f"position is {tuple(position)}; expected (row, column) inside {values.shape}")
    return np.abs(values), (row, column)


def _leaks(field: Numbers, position: Sequence[int]) -> bool:
    values, (row, column) = _check_field(field, position)
    return bool((values.ravel()[row * values.shape[1] + column :] > 0).any())
