"""Walks through the codes of a model."""

import hashlib
import html
import io
import itertools
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gencourse.plots import (
    image_html,
    png,
    put,
)
from gencourse.plots.arrays import Numbers, array
from gencourse.widgets.block import LIMIT, STYLE, count, still
from gencourse.widgets.dials import explorer, explorer_html


def code_walker(
    tiles: Numbers,
    first: Sequence[float],
    second: Sequence[float],
    *,
    alt: str,
    names: tuple[str, str] = ("z₁", "z₂"),
    start: tuple[int, int] | None = None,
    scale: int = 6,
    limit: int = LIMIT,
    axes: bool = False,
) -> None:
    """A map of a code of two numbers to walk on, and the image at the place. Arguments: those of `code_walker_html`.

    axes: whether the picture for print has the two numbers at its sides.
    """
    block = code_walker_html(tiles, first, second, alt=alt, names=names, start=start, scale=scale, limit=limit)
    put(block, _with_axes(still(block), first, second, names) if axes else still(block), alt)


def _with_axes(page: bytes, first: Sequence[float], second: Sequence[float], names: tuple[str, str]) -> bytes:
    """The map for print, a PNG, with an axis for each number: tile (i, j) stands at (first[j], second[i])."""
    image = np.asarray(Image.open(io.BytesIO(page)).convert("L"))
    sides = []
    for values in (first, second):
        half = (float(values[-1]) - float(values[0])) / max(1, len(values) - 1) / 2
        sides += [float(values[0]) - half, float(values[-1]) + half]
    (height, width), left, below, rest = image.shape, 70, 60, 12
    size = (left + width + rest, below + height + rest)
    figure = plt.figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="none")
    ax = figure.add_axes((left / size[0], below / size[1], width / size[0], height / size[1]))
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=sides, interpolation="nearest", aspect="auto")
    ax.set(xlabel=f"{names[0]}, first number of the code", ylabel=f"{names[1]}, second number of the code")
    ax.grid(False)
    content = png(figure)
    plt.close(figure)
    return content


def code_walker_html(
    tiles: Numbers,
    first: Sequence[float],
    second: Sequence[float],
    *,
    alt: str,
    names: tuple[str, str] = ("z₁", "z₂"),
    start: tuple[int, int] | None = None,
    scale: int = 6,
    limit: int = LIMIT,
) -> str:
    """HTML: a map of what a decoder makes of each code, two sliders, and the image at the place, enlarged.

    The place moves with the sliders, or with the pointer on the map. All images are one picture, 16 greys deep.

    Args:
        tiles: (rows, columns, H, W) in [0, 1], ink; `tiles[i, j]` is decoded from (first[j], second[i]).
        first, second: the two numbers of the code, ascending: columns from the left, rows from below.
        names: of the two numbers. start: (row, column) of the place shown first; by default the middle.
        scale: how much larger the image is shown. limit: largest size of the block, in characters.

    Raises:
        ValueError: shapes that do not fit, values outside [0, 1], a place outside the map, a block too large.
    """
    tiles, first, second = array(tiles).astype(float), [float(v) for v in first], [float(v) for v in second]
    if tiles.ndim != 4 or tiles.shape[:2] != (len(second), len(first)) or not tiles.size:
        raise ValueError(f"tiles have shape {tiles.shape}; expected ({len(second)}, {len(first)}, H, W), one a code")
    if not ((tiles >= 0) & (tiles <= 1)).all():
        raise ValueError(f"tiles have values from {tiles.min():g} to {tiles.max():g}; expected 0 (paper) to 1 (ink)")
    if sorted(first) != first or sorted(second) != second:
        raise ValueError("the codes of the map are not ascending; sort first and second, and the tiles with them")
    rows, columns, height, width = tiles.shape
    start = (rows // 2, columns // 2) if start is None else tuple(start)
    if len(start) != 2 or not (0 <= start[0] < rows and 0 <= start[1] < columns):
        raise ValueError(f"start is {start}; expected a row below {rows} and a column below {columns}")
    page = tiles[::-1].transpose(0, 2, 1, 3).reshape(rows * height, columns * width)  # the last row comes first
    picture = png(np.rint((1 - page) * 15) / 15)
    label = html.escape(alt)
    state = {
        "names": list(names),
        "values": [[f"{v:.2f}" for v in first], [f"{v:.2f}" for v in second]],
        "at": [start[1], start[0]],
        "alt": alt,
    }
    data = json.dumps(state, separators=(",", ":")).replace("<", "\\u003c")
    name = f"walker-{next(count)}-{hashlib.sha256(data.encode() + picture).hexdigest()[:8]}"
    large = f"width:{width * scale}px;height:{height * scale}px;display:none;border:1px solid #777"
    block = (
        f'<div id="{name}" role="group" aria-label="{label}" style="{STYLE}"><div data-part="dials"></div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<div data-part="map" style="position:relative;line-height:0;touch-action:none">'
        f"{image_html(picture, alt, columns * width, ' draggable=false')}</div>"
        f'<div data-part="here" role="img" style="{large}"></div></div></div>\n'
        f"<script>{WALKER.replace('NAME', name).replace('DATA', data)}</script>"
    )
    if len(block) > limit:
        raise ValueError(f"the block has {len(block):,} characters, more than {limit:,}: give fewer or smaller tiles")
    return block


def traversals(
    images: Numbers,
    dimensions: Sequence,
    values: Sequence[float],
    *,
    alt: str = "Digits decoded again with one number of their code changed.",
    start: tuple | None = None,
    scale: int = 3,
    still_title: str = "",
    **options: Any,
) -> None:
    """Dials for a dimension of the code and the value it is set to; below, what a decoder makes of the changed codes.

    images: (dimensions, values, n, 1, H, W) in [0, 1], ink: n images side by side for every choice. start: a dimension
    and a value; by default the first and the middle one. still_title: a line over the picture for print, which cannot
    show the dials. options: those of `explorer_html`.
    """
    images, values = array(images).astype(float), [float(value) for value in values]
    if images.ndim != 6 or images.shape[:2] != (len(dimensions), len(values)) or images.shape[3] != 1:
        expected = f"({len(dimensions)}, {len(values)}, n, 1, H, W)"
        raise ValueError(f"images have shape {images.shape}; expected {expected}, one set for each choice of the dials")
    frames = {}
    for i, j in itertools.product(range(len(dimensions)), range(len(values))):
        page = np.rint((1 - np.concatenate(list(images[i, j, :, 0]), 1).clip(0, 1)) * 15) / 15
        frames[dimensions[i], values[j]] = png(page.repeat(scale, 0).repeat(scale, 1))
    start = (dimensions[0], values[len(values) // 2]) if start is None else start
    dials = {"dimension": list(dimensions), "value": values}
    block = explorer_html(dials, frames, alt, start=start, **options)
    put(block, _titled(still(block), still_title) if still_title else still(block), alt)


def _titled(page: bytes, title: str) -> bytes:
    """A PNG with a line of words above it."""
    image = np.asarray(Image.open(io.BytesIO(page)).convert("L"))
    height, width, above = *image.shape, 34
    figure = plt.figure(figsize=(width / 100, (height + above) / 100), dpi=100, layout="none")
    ax = figure.add_axes((0, 0, 1, height / (height + above)))
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    ax.set_axis_off()
    figure.text(0.5, 1 - above / 2 / (height + above), title, ha="center", va="center", fontsize=13)
    content = png(figure)
    plt.close(figure)
    return content


def interpolation(
    images: Numbers,
    t: Sequence[float],
    *,
    names: Sequence[str] | None = None,
    alt: str = "An image half-way between two others; dials choose the two, and the place between them.",
    scale: int = 4,
    labels: bool = False,
    **options: Any,
) -> None:
    """Dials for two ends and a place between them: on the page the one end, the image of the place, the other end.

    images: (n, n, T, 1, H, W) in [0, 1], ink: from the first end to the second, at the places t. names: of the n ends,
    by default A, B, C, … labels: write the ends and t above the images. options: those of `explorer_html`.
    """
    images, t = array(images).astype(float), [float(place) for place in t]
    n = len(images)
    names = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n] if names is None else names)
    if images.ndim != 6 or images.shape[1:4] != (n, len(t), 1) or len(names) != n or n < 2:
        expected = f"({len(names)}, {len(names)}, {len(t)}, 1, H, W)"
        raise ValueError(f"images have shape {images.shape}; expected {expected}, one for each choice of the dials")
    gap = np.zeros((images.shape[4], 3))
    frames = {}
    for i, j, k in itertools.product(range(n), range(n), range(len(t))):
        strip = [images[i, j, 0, 0], gap, images[i, j, k, 0], gap, images[i, j, -1, 0]]
        page = np.rint((1 - np.concatenate(strip, 1).clip(0, 1)) * 7) / 7
        page = page.repeat(scale, 0).repeat(scale, 1)
        if labels:
            page = np.concatenate([_words(page.shape[1], (names[i], f"t = {t[k]:g}", names[j])), page])
        frames[names[i], names[j], t[k]] = png(page)
    options = {"start": (names[0], names[1], t[len(t) // 2])} | options
    explorer({"from": names, "to": names, "t": t}, frames, alt, **options)


def _words(width: int, words: Sequence[str], height: int = 24) -> np.ndarray:
    """A strip of paper with so many words side by side, each in the middle of its part: (height, width), 0 to 1."""
    strip = Image.new("1", (width, height), 1)  # two shades, which make small files
    for i, word in enumerate(words):
        place = ((i + 0.5) * width / len(words), height / 2)
        ImageDraw.Draw(strip).text(place, word, fill=0, anchor="mm", font=ImageFont.load_default(14))
    return np.asarray(strip).astype(float)


# As SCRIPT: it builds what moves. The image at the place is cut out of the one picture there is.
WALKER = "\n" + files("gencourse.widgets").joinpath("walker.js").read_text("utf-8")
