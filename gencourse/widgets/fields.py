"""Receptive fields and dilations to move."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from gencourse.plots import (
    FIELD_LEGEND,
    PLAIN_FIELD_LEGEND,
    SAMPLE_RATE,
    dilations,
    display,
    field_tiles,
    image_html,
    png,
    put,
    receptive_fields,
)
from gencourse.plots.arrays import Numbers, array
from gencourse.widgets.block import item_of
from gencourse.widgets.dials import explorer


def receptive_field_explorer(
    fields: Mapping[tuple[str, int, str], Numbers],
    position: Sequence[int],
    *,
    alt: str = "Which pixels the prediction of one pixel depends on, for the mask, blocks and stacks chosen.",
    scale: int = 12,
    **options: Any,
) -> None:
    """Dials for the mask of the first layer, the blocks after it and the stacks of a PixelCNN.

    fields: {(mask, blocks, stacks): (H, W) gradients, or 1 where a pixel is seen and 0 elsewhere}, for every
    combination. Under mask B the pixel sees itself: the leak is shown in red.
    """
    if not fields or not all(isinstance(key, tuple) and len(key) == 3 for key in fields):
        raise ValueError('fields need keys (mask, blocks, stacks), such as ("A", 3, "gated")')
    masks, depths, stacks = (list(dict.fromkeys(part)) for part in zip(*fields, strict=True))
    dials = {"mask of the first layer": masks, "blocks after the first layer": sorted(depths), "stacks": stacks}
    shades = any(len(set(array(field)[array(field) > 0].tolist())) > 1 for field in fields.values())

    def caption(*key: str | int) -> str:
        field = array(fields[key]).reshape(-1)
        past = position[-2] * array(fields[key]).shape[-1] + position[-1]
        seen = f"It sees {int((field[:past] > 0).sum())} of the {past} earlier pixels"
        leak = ", and itself: a leak, no distribution." if field[past] > 0 else "."
        return seen + leak

    options = {"captions": caption, "legend": field_legend(shades)} | options
    first = tuple(options.get("start", next(iter(fields))))
    printed = _in_print("mask {} first, {} blocks, {}".format(*first), item_of(fields, first), position)
    options = {"in_print": printed} | options
    explorer(dials, lambda *key: field_tiles(item_of(fields, key), position, scale), alt, **options)


def dilation_explorer(
    patterns: Mapping[str, Sequence[int]],
    depths: Sequence[int] | None = None,
    *,
    kernel_size: int = 2,
    audio: Callable[[str, int], Numbers | None] | Mapping[tuple[str, int], Numbers | None] | None = None,
    alt: str = "Which samples one prediction of a WaveNet depends on, for the dilations and layers chosen.",
    sample_rate: int = SAMPLE_RATE,
    **options: Any,
) -> None:
    """Dials for the pattern of dilations and the depth; the cone of samples seen, and a sound to listen to.

    patterns: {"doubling": (1, 2, 4, …), "all one": (1, 1, 1, …)}; depth d takes the first d of them,
        after the first layer of the network, which is of type A and not counted.
    audio: {(pattern, depth): (T,) waveform}, what a model with that context generates, where there is one.
    """
    depths = list(range(1, min(map(len, patterns.values())) + 1)) if depths is None else list(depths)
    for name, pattern in patterns.items():
        if max(depths) > len(pattern) or min(depths) < 1:
            raise ValueError(f"depths {depths}, but {name!r} has {len(pattern)} dilations")

    def figure(name: str, depth: int) -> Figure:
        drawn = dilations(patterns[name][:depth], kernel_size, sample_rate, width=7)
        drawn.set_size_inches(7, 1.4 + 0.36 * (max(depths) + 2))  # one height for all: the page must not jump
        drawn.axes[0].set_ylim(-0.4, max(depths) + 1.4)
        drawn.set_dpi(80)
        return drawn

    def caption(name: str, depth: int) -> str:
        reach = kernel_size + (kernel_size - 1) * sum(patterns[name][:depth])
        text = f"With the first layer and {depth} more the network sees {reach:,} samples: "
        text += f"{1000 * reach / sample_rate:.3g} ms of sound."
        if audio is not None and not callable(audio) and audio.get((name, depth)) is None:
            text += " (No sound was made with this one.)"
        return text

    options = {"captions": caption, "audio": audio, "sample_rate": sample_rate} | options
    explorer({"dilations": list(patterns), "layers after the first": depths}, figure, alt, **options)


def live_receptive_field(
    build: Callable[[int, int, str], Numbers],
    position: Sequence[int],
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    depths: Sequence[int] = tuple(range(1, 9)),
    stacks: Sequence[str] = ("single", "gated"),
    scale: int = 12,
) -> None:
    """The same where a kernel runs: each turn of a dial calls `build(kernel_size, blocks, stacks)` -> (H, W).

    Without a kernel the dials cannot answer: a notebook as it is committed shows the
    picture of the first choice instead, and a line that says how to get the dials.
    """
    dials = [
        ipywidgets.SelectionSlider(options=list(kernel_sizes), description="kernel", continuous_update=False),
        ipywidgets.SelectionSlider(
            options=list(depths),
            description="blocks after the first layer",
            style={"description_width": "initial"},
            continuous_update=False,
        ),
        ipywidgets.Dropdown(options=list(stacks), description="stacks"),
    ]
    picture = ipywidgets.HTML()

    def redraw(_: object = None) -> tuple[Numbers, str] | None:
        choice = [dial.value for dial in dials]
        try:
            field = array(build(*choice))
            content = png(field_tiles(field, position, scale))
            alt = "Receptive field: kernel {}, blocks after the first layer: {}, stacks: {}.".format(*choice)
            picture.value = image_html(content, alt)
            return field, alt
        except Exception as error:  # the reader's own function: its error belongs beside the dials
            picture.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"

    for dial in dials:
        dial.observe(redraw, "value")
    drawn = redraw()
    box = ipywidgets.VBox([*dials, picture])._repr_mimebundle_()
    if drawn is None:
        display(box | {"text/plain": "The model could not be built."})
        return
    field, alt = drawn
    content = _in_print("kernel {}, {} blocks, {}".format(*(dial.value for dial in dials)), field, position)
    words = f"{alt} Run this cell for dials that change kernel, blocks and stacks."
    put(f"{image_html(content, words)}<p>Run this cell for dials.</p>", content, words, box)


def _in_print(title: str, field: Numbers, position: Sequence[int]) -> bytes:
    """A receptive field with its axes and its legend, for where nothing moves."""
    figure = receptive_fields({title: field}, position)
    content = png(figure)
    plt.close(figure)
    return content


def field_legend(shades: bool = True) -> str:
    """HTML: what the colours of `plots.field_tiles` mean; without shades, of fields of zeros and ones, one blue."""
    swatches = []
    for name, look in (FIELD_LEGEND if shades else PLAIN_FIELD_LEGEND).items():
        colour = look["facecolor"]
        colour = colour if isinstance(colour, str) else "#" + "".join(f"{round(255 * c):02x}" for c in colour[:3])
        ground = colour
        if "hatch" in look:
            ground = f"repeating-linear-gradient(135deg,{look['edgecolor']} 0 1.5px,{colour} 1.5px 6px)"
        size = "display:inline-block;width:1.6em;height:.9em;border:1px solid #777"
        box = f'<span style="{size};background:{ground}"></span>'
        swatches.append(f'<span style="white-space:nowrap;margin-right:1em">{box} {name}</span>')
    swatches.append('<span style="white-space:nowrap"><b>✕</b> predicted</span>')
    return f'<div style="font-size:90%">{" ".join(swatches)}</div>'
