"""Interactives: one a function, each whole in itself.

A dial chooses among pictures, and sounds, that were made beforehand and lie in the page: so it moves in a
notebook without a kernel, in an exported page and on a slide, with no network. Where scripts are not allowed,
in a notebook that is not trusted or on a web page that shows one, the first picture stands still. Only
`live_receptive_field` needs a kernel.
"""

import base64
import hashlib
import html
import io
import itertools
import json
import math
import re
import wave
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from .plots import (
    FIELD_LEGEND,
    SAMPLE_RATE,
    data_url,
    dilations,
    display,
    field_tiles,
    film_frame,
    image_html,
    image_url,
    mixture,
    png,
    put,
)
from .plots import _array as array
from .plots import _sound as checked_sound

LIMIT = 400_000  # characters; a notebook has 1.2 MB in all
_count = itertools.count(1)


# Dials ----------------------------------------------------------------------------------------------------


def explorer(dials: Mapping[str, Sequence], frames, alt: str, **options) -> None:
    """Put pictures on the page that dials choose among. Arguments: those of `explorer_html`."""
    block = explorer_html(dials, frames, alt, **options)
    put(block, _still(block), alt)


def explorer_html(
    dials: Mapping[str, Sequence],
    frames: Callable | Mapping[tuple, object],
    alt: str,
    *,
    audio: Callable | Mapping[tuple, object] | None = None,
    captions: Callable | Mapping[tuple, str] | None = None,
    start: Sequence | None = None,
    width: int | None = None,
    interval: int = 150,
    legend: str = "",
    sample_rate: int = SAMPLE_RATE,
    limit: int = LIMIT,
) -> str:
    """A block of HTML with dials, and a picture for every combination of their options.

    Args:
        dials: {name: options}. Options that are numbers make a slider, words a list to choose from; a single
            dial is always a slider, with a button that plays it like a film.
        frames: called with one option of each dial, or a dictionary of such tuples (of options, for a single
            dial): a Figure, which is closed, an image (H, W) or (H, W, 3), which is enlarged if small, or the
            bytes of a PNG.
        alt: what there is to see, in a sentence.
        audio: in the same way, waveforms (T,) in [-1, 1] to listen to, or None where there is none.
        captions: in the same way, a sentence for each.
        start: the options shown first; by default the first of each dial.
        width: of the picture, CSS pixels. legend: HTML to stand under it.
        interval: of the film, milliseconds a frame.
        limit: largest size of the block, in characters.

    Raises:
        ValueError: a dial without options, a combination without a picture, no alt, or a block too large.
    """
    dials = {str(name): list(values) for name, values in dials.items()}
    if not dials or not all(dials.values()):
        raise ValueError(f"dials are {dials}; expected {{name: options}}, at least one option each")
    keys = list(itertools.product(*dials.values()))
    start = keys[0] if start is None else tuple(start) if isinstance(start, list | tuple) else (start,)
    if start not in keys:
        raise ValueError(f"start is {start}; expected one option of each of {dials}")
    pictures, picture_of = _store(keys, frames, lambda picture: _encode(picture, width))
    sounds, sound_of = _store(keys, audio, lambda w: data_url(wav(w, sample_rate), "audio/wav"), optional=True)
    words, words_of = _store(keys, captions, str, optional=True)

    first = keys.index(start)
    state = {
        "dials": [
            [name, [_label(value) for value in values], values.index(at), len(dials) == 1 or _numbers(values)]
            for (name, values), at in zip(dials.items(), start, strict=True)
        ],
        "pictures": [image_url(picture) for picture in pictures], "picture": picture_of,
        "sounds": sounds, "sound": sound_of, "words": words, "word": words_of, "alt": alt, "interval": interval,
    }  # fmt: skip
    data = json.dumps(state, separators=(",", ":")).replace("<", "\\u003c")
    name = f"explorer-{next(_count)}-{hashlib.sha256(data.encode()).hexdigest()[:8]}"
    label = html.escape(alt)
    parts = [f"<div>{image_html(pictures[picture_of[first]], alt, width, ' data-part=picture')}</div>{legend}"]
    if words:
        text = html.escape(words[words_of[first]]) if words_of[first] >= 0 else ""
        parts.append(f'<div data-part="words" aria-live="polite">{text}</div>')
    if sounds:
        source = f' src="{sounds[sound_of[first]]}"' if sound_of[first] >= 0 else ""
        parts.append(f'<audio data-part="sound" controls aria-label="sound: {label}"{source}></audio>')
    block = (
        f'<div id="{name}" role="group" aria-label="{label}" style="{STYLE}"><div data-part="dials"></div>'
        f"{''.join(parts)}</div>\n<script>{SCRIPT.replace('NAME', name).replace('DATA', data)}</script>"
    )
    if len(block) > limit:
        raise ValueError(
            f"the block has {len(block):,} characters for {len(pictures)} pictures and {len(sounds)} sounds, "
            f"more than {limit:,}: give fewer options, smaller figures or shorter sounds"
        )
    return block


def scrubber(frames: Sequence, labels: Sequence | None = None, *, alt: str, name: str = "step", **options) -> None:
    """A film with a slider: Figures, images or PNGs in order, and a label of each (by default 1, 2, …).

    name: of the slider. options: those of `explorer_html`, such as `interval`, milliseconds a frame.
    """
    frames = list(frames)
    labels = list(range(1, len(frames) + 1)) if labels is None else list(labels)
    if len(frames) != len(labels) or len(set(labels)) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(frames)} frames; expected one each, all different")
    explorer({name: labels}, dict(zip(labels, frames, strict=True)), alt, **options)


# The interactives of the chapters -------------------------------------------------------------------------


def sampling_film(frames, labels: Sequence | None = None, *, alt: str, scale: int = 5, **options) -> None:
    """Images as they are drawn pixel by pixel: (T, H, W) or (T, n, H, W), NaN where nothing is drawn yet.

    `plots.raster_frames` makes the frames from finished samples.
    labels: by default the number of pixels drawn. The film starts in its middle, and stands there where it
    cannot move.
    """
    frames = array(frames)
    if frames.ndim == 3:
        frames = frames[:, None]
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"frames have shape {frames.shape}; expected (T, H, W) or (T, n, H, W)")
    if labels is None:
        labels = [int((np.isfinite(frame[0]) & (frame[0] >= 0)).sum()) for frame in frames]
    options = {"interval": 120, "start": labels[len(labels) // 2]} | options
    scrubber([film_frame(frame, scale) for frame in frames], labels, alt=alt, name="pixels drawn", **options)


def receptive_field_explorer(
    fields: Mapping[tuple[str, int, str], object],
    position: Sequence[int],
    *,
    alt: str = "Which pixels the prediction of one pixel depends on, for the mask, layers and stacks chosen.",
    scale: int = 12,
    **options,
) -> None:
    """Dials for the mask of the first layer, the depth and the stacks of a PixelCNN.

    fields: {(mask, depth, stacks): (H, W) gradients}, for every combination. Under mask B the pixel sees
    itself: the leak is shown in red.
    """
    if not fields or not all(isinstance(key, tuple) and len(key) == 3 for key in fields):
        raise ValueError('fields need keys (mask, depth, stacks), such as ("A", 3, "gated")')
    masks, depths, stacks = (list(dict.fromkeys(part)) for part in zip(*fields, strict=True))
    dials = {"mask of the first layer": masks, "layers": sorted(depths), "stacks": stacks}

    def caption(*key):
        field = array(fields[key]).reshape(-1)
        past = position[-2] * array(fields[key]).shape[-1] + position[-1]
        seen = f"It sees {int((field[:past] > 0).sum())} of the {past} earlier pixels"
        leak = ", and itself: a leak, no distribution." if field[past] > 0 else "."
        return seen + leak

    options = {"captions": caption, "legend": field_legend()} | options
    explorer(dials, lambda *key: field_tiles(_get(fields, key), position, scale), alt, **options)


def dilation_explorer(
    patterns: Mapping[str, Sequence[int]],
    depths: Sequence[int] | None = None,
    *,
    kernel_size: int = 2,
    audio: Callable | Mapping[tuple[str, int], object] | None = None,
    alt: str = "Which samples one prediction of a WaveNet depends on, for the dilations and layers chosen.",
    sample_rate: int = SAMPLE_RATE,
    **options,
) -> None:
    """Dials for the pattern of dilations and the depth; the cone of samples seen, and a sound to listen to.

    patterns: {"doubling": (1, 2, 4, …), "all one": (1, 1, 1, …)}; depth d takes the first d of them.
    audio: {(pattern, depth): (T,) waveform}, what a model with that context generates, where there is one.
    """
    depths = list(range(1, min(map(len, patterns.values())) + 1)) if depths is None else list(depths)
    for name, pattern in patterns.items():
        if max(depths) > len(pattern) or min(depths) < 1:
            raise ValueError(f"depths {depths}, but {name!r} has {len(pattern)} dilations")

    def figure(name, depth):
        drawn = dilations(patterns[name][:depth], kernel_size, sample_rate, width=7)
        drawn.set_size_inches(7, 1.4 + 0.36 * (max(depths) + 2))  # one height for all: the page must not jump
        drawn.axes[0].set_ylim(-0.4, max(depths) + 1.4)
        drawn.set_dpi(80)
        return drawn

    def caption(name, depth):
        reach = kernel_size + (kernel_size - 1) * sum(patterns[name][:depth])
        text = f"{depth} dilated layer{'s see' if depth > 1 else ' sees'} {reach:,} samples: "
        text += f"{1000 * reach / sample_rate:.3g} ms of sound."
        if audio is not None and not callable(audio) and audio.get((name, depth)) is None:
            text += " (No sound was made with this one.)"
        return text

    options = {"captions": caption, "audio": audio, "sample_rate": sample_rate} | options
    explorer({"dilations": list(patterns), "dilated layers": depths}, figure, alt, **options)


def em_stepper(x, steps: Sequence[tuple], *, alt: str = "", **options) -> None:
    """EM half a step at a time: on the left points and components, on the right the likelihood so far.

    x: (N, 2) points.
    steps: (label, parameters, shares, log_likelihood) of each frame, in order. parameters: (weights, means,
        covariances) as `plots.mixture` takes them. shares: (N, K) responsibilities, or None before the first E-step.
        log_likelihood: nats per point of those parameters.
    """
    if not len(steps) or not all(len(step) == 4 for step in steps):
        raise ValueError("steps need (label, parameters, shares, log_likelihood) of each frame, at least one")
    values = [step[3] for step in steps]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or 1

    def frame(i):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4), width_ratios=(1.3, 1), dpi=72)
        mixture(left, x, *steps[i][1], steps[i][2])
        points = array(x)
        left.set(xlim=(points[:, 0].min() - 0.3, points[:, 0].max() + 0.3),
                 ylim=(points[:, 1].min() - 0.3, points[:, 1].max() + 0.3))  # fmt: skip
        right.plot(range(i + 1), values[: i + 1], color="0.4")
        right.plot([i], [values[i]], "o", color="black", markersize=9)
        right.set(xlim=(-0.5, len(steps) - 0.5), ylim=(low - margin, high + margin), xticks=[])
        right.set(xlabel="half steps", ylabel="log-likelihood, nats per point")
        return figure

    alt = alt or "Points coloured by responsibility, ellipses that move half a step of EM at a time, the likelihood."
    frames = [frame(i) for i in range(len(steps))]
    words = {step[0]: f"{step[0]}: {step[3]:.4f} nats per point" for step in steps}
    options = {"captions": words, "interval": 700, "name": "half step"} | options
    scrubber(frames, [step[0] for step in steps], alt=alt, **options)


def live_receptive_field(
    build: Callable,
    position: Sequence[int],
    *,
    kernel_sizes: Sequence[int] = (3, 5, 7),
    depths: Sequence[int] = tuple(range(1, 9)),
    stacks: Sequence[str] = ("single", "gated"),
    scale: int = 12,
) -> None:
    """The same where a kernel runs: each turn of a dial calls `build(kernel_size, depth, stacks)` -> (H, W).

    Without a kernel the dials cannot answer: a notebook as it is committed (`gencourse.notebook.clean`) shows the
    picture of the first choice instead, and a line that says how to get the dials.
    """
    dials = [
        ipywidgets.SelectionSlider(options=list(kernel_sizes), description="kernel", continuous_update=False),
        ipywidgets.SelectionSlider(options=list(depths), description="layers", continuous_update=False),
        ipywidgets.Dropdown(options=list(stacks), description="stacks"),
    ]
    picture = ipywidgets.HTML()

    def redraw(_=None):
        choice = [dial.value for dial in dials]
        try:
            content = png(field_tiles(array(build(*choice)), position, scale))
            alt = "Receptive field of {2} stacks, {1} layers, kernel {0}.".format(*choice)
            picture.value = image_html(content, alt)
            return content, alt
        except Exception as error:  # the reader's own function: its error belongs beside the dials
            picture.value = f"<pre>{html.escape(f'{type(error).__name__}: {error}')}</pre>"

    for dial in dials:
        dial.observe(redraw, "value")
    drawn = redraw()
    box = ipywidgets.VBox([*dials, picture])._repr_mimebundle_()
    if drawn is None:
        display(box | {"text/plain": "The model could not be built."})
        return
    content, alt = drawn
    words = f"{alt} Run this cell for dials that change kernel, layers and stacks."
    put(f"{image_html(content, words)}<p>Run this cell for dials.</p>", content, words, box)


def field_legend() -> str:
    """HTML: what the shades of `plots.field_tiles` mean."""
    swatches = []
    for name, look in FIELD_LEGEND.items():
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


def code_walker(
    tiles,
    first: Sequence[float],
    second: Sequence[float],
    *,
    alt: str,
    names: tuple[str, str] = ("z₁", "z₂"),
    start: tuple[int, int] | None = None,
    scale: int = 6,
    limit: int = LIMIT,
) -> None:
    """A map of a code of two numbers to walk on, and the image at the place. Arguments: those of `code_walker_html`."""
    block = code_walker_html(tiles, first, second, alt=alt, names=names, start=start, scale=scale, limit=limit)
    put(block, _still(block), alt)


def code_walker_html(
    tiles,
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
        "names": list(names), "values": [[f"{v:.2f}" for v in first], [f"{v:.2f}" for v in second]],
        "at": [start[1], start[0]], "alt": alt,
    }  # fmt: skip
    data = json.dumps(state, separators=(",", ":")).replace("<", "\\u003c")
    name = f"walker-{next(_count)}-{hashlib.sha256(data.encode() + picture).hexdigest()[:8]}"
    large = f"width:{width * scale}px;height:{height * scale}px;display:none;border:1px solid #777"
    block = (
        f'<div id="{name}" role="group" aria-label="{label}" style="{STYLE}"><div data-part="dials"></div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<div data-part="map" style="position:relative;line-height:0;touch-action:none">'
        f'{image_html(picture, alt, columns * width, " draggable=false")}</div>'
        f'<div data-part="here" role="img" style="{large}"></div></div></div>\n'
        f"<script>{WALKER.replace('NAME', name).replace('DATA', data)}</script>"
    )
    if len(block) > limit:
        raise ValueError(f"the block has {len(block):,} characters, more than {limit:,}: give fewer or smaller tiles")
    return block


def traversals(
    images,
    dimensions: Sequence,
    values: Sequence[float],
    *,
    alt: str = "Digits decoded again with one number of their code changed.",
    start: tuple | None = None,
    scale: int = 3,
    **options,
) -> None:
    """Dials for a dimension of the code and the value it is set to; below, what a decoder makes of the changed codes.

    images: (dimensions, values, n, 1, H, W) in [0, 1], ink: n images side by side for every choice. start: a dimension
    and a value; by default the first and the middle one. options: those of `explorer_html`.
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
    explorer({"dimension": list(dimensions), "value": values}, frames, alt, start=start, **options)


def interpolation(
    images,
    t: Sequence[float],
    *,
    names: Sequence[str] | None = None,
    alt: str = "An image half-way between two others; dials choose the two, and the place between them.",
    scale: int = 4,
    **options,
) -> None:
    """Dials for two ends and a place between them: on the page the one end, the image of the place, the other end.

    images: (n, n, T, 1, H, W) in [0, 1], ink: from the first end to the second, at the places t. names: of the n ends,
    by default A, B, C, … options: those of `explorer_html`.
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
        frames[names[i], names[j], t[k]] = png(page.repeat(scale, 0).repeat(scale, 1))
    options = {"start": (names[0], names[1], t[len(t) // 2])} | options
    explorer({"from": names, "to": names, "t": t}, frames, alt, **options)


# Sound ----------------------------------------------------------------------------------------------------


def listen(waveform, label: str, sample_rate: int = SAMPLE_RATE) -> None:
    """A player for a sound (T,) in [-1, 1]. A second at 8 kHz adds 21 kB to the notebook."""
    players({label: waveform}, sample_rate)


def players(waveforms: Mapping[str, object], sample_rate: int = SAMPLE_RATE) -> None:
    """Several players side by side, {label: (T,) waveform}."""
    if not waveforms:
        raise ValueError("waveforms is empty; expected {label: (T,) waveform}")
    blocks, texts = [], []
    for label, waveform in waveforms.items():
        source = data_url(wav(waveform, sample_rate), "audio/wav")
        words = html.escape(str(label))
        player = f'<audio controls aria-label="{words}" src="{source}" style="width:260px"></audio>'
        place = f"{STYLE};display:inline-block;margin:0 1em .4em 0"
        blocks.append(f'<div style="{place}">{words}<br>{player}</div>')
        texts.append(f"[sound, {len(array(waveform)) / sample_rate:.1f} s: {label}]")
    display({"text/html": "".join(blocks), "text/plain": "\n".join(texts)})


def wav(waveform, sample_rate: int = SAMPLE_RATE) -> bytes:
    """(T,) in [-1, 1] as a WAV file of 16-bit samples, one channel."""
    samples = np.rint(checked_sound(waveform) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()


# Inside ---------------------------------------------------------------------------------------------------

STYLE = (
    "color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,inherit);font-size:14px;line-height:1.6"
)

# Finds its block by name, also where a page shows it twice, and builds the dials, of no use without it.
# JupyterLab must not take the arrow keys for itself, hence data-lm-suppress-shortcuts; nor must a slide.
SCRIPT = """
(() => {
  const data = DATA;
  for (const root of document.querySelectorAll('[id="NAME"]')) {
    if (root.dataset.ready) continue;
    root.dataset.ready = "yes";
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    const part = (name) => root.querySelector('[data-part="' + name + '"]');
    const place = part("dials"), picture = part("picture"), sound = part("sound"), words = part("words");
    const at = data.dials.map((dial) => dial[2]), moves = [];
    const show = () => {
      const index = at.reduce((sum, k, i) => sum * data.dials[i][1].length + k, 0);
      picture.src = data.pictures[data.picture[index]];
      picture.alt = data.alt + " (" + data.dials.map((d, i) => d[0] + ": " + d[1][at[i]]).join(", ") + ")";
      if (words) words.textContent = data.word[index] < 0 ? "" : data.words[data.word[index]];
      if (sound) {
        const source = data.sounds[data.sound[index]] || "";
        if (sound.getAttribute("src") !== source) {
          sound.pause();
          if (source) sound.src = source; else sound.removeAttribute("src");
          sound.load();
        }
        sound.style.opacity = source ? 1 : 0.35;
      }
    };
    const make = (tag, style, into, text) => {
      const node = document.createElement(tag);
      node.style.cssText = style;
      if (text) node.textContent = text;
      into.append(node);
      return node;
    };
    data.dials.forEach(([name, options], i) => {
      const row = make("label", "display:inline-flex;align-items:center;gap:.6em;margin:0 1em .3em 0", place);
      make("span", "", row, name);
      let input, value;
      if (data.dials[i][3]) {
        input = make("input", "width:180px;accent-color:#0072B2", row);
        Object.assign(input, {type: "range", min: 0, max: options.length - 1, step: 1, value: at[i]});
        const widest = Math.max(...options.map((o) => o.length));
        value = make("b", "font-variant-numeric:tabular-nums;min-width:" + widest + "ch", row);
      } else {
        const look = "font:inherit;color:inherit;background:var(--jp-layout-color1,Canvas);padding:.1em .3em";
        input = make("select", look, row);
        options.forEach((o) => make("option", "", input, o));
        input.selectedIndex = at[i];
      }
      input.setAttribute("aria-label", name);
      const move = (k) => {
        at[i] = k;
        if (value) {
          input.value = k;
          value.textContent = options[k];
          input.setAttribute("aria-valuetext", options[k]);
        }
        show();
      };
      moves.push(move);
      input.addEventListener("input", () => move(value ? +input.value : input.selectedIndex));
      for (const kind of ["keydown", "pointerdown", "touchstart"])
        input.addEventListener(kind, (event) => event.stopPropagation(), {passive: true});
      move(at[i]);
    });
    if (data.dials.length === 1 && data.dials[0][1].length > 2) {
      const last = data.dials[0][1].length - 1;
      let timer = null;
      const look = "font:inherit;cursor:pointer;min-width:6em;margin-right:1em";
      const button = make("button", look, place, "▶ play");
      const stop = () => { clearInterval(timer); timer = null; button.textContent = "▶ play"; };
      button.type = "button";
      button.addEventListener("click", () => {
        if (timer) return stop();
        if (at[0] === last) moves[0](0);
        button.textContent = "❚❚ pause";
        timer = setInterval(() => {
          if (!root.isConnected || at[0] === last) return stop();
          moves[0](at[0] + 1);
        }, data.interval);
      });
      place.querySelector("input").addEventListener("input", stop);
    }
    const hint = data.dials.length > 1 ? "Move the dials." : "Move the slider.";
    make("span", "font-size:90%;opacity:.8", place, hint);
  }
})();
"""

# As SCRIPT: it builds what moves. The image at the place is cut out of the one picture there is.
WALKER = """
(() => {
  const data = DATA;
  for (const root of document.querySelectorAll('[id="NAME"]')) {
    if (root.dataset.ready) continue;
    root.dataset.ready = "yes";
    root.setAttribute("data-lm-suppress-shortcuts", "true");
    const part = (name) => root.querySelector('[data-part="' + name + '"]');
    const map = part("map"), here = part("here"), place = part("dials"), picture = map.querySelector("img");
    const count = data.values.map((v) => v.length), at = data.at.slice(), inputs = [], shown = [];
    const make = (tag, style, into, text) => {
      const node = document.createElement(tag);
      node.style.cssText = style;
      if (text) node.textContent = text;
      into.append(node);
      return node;
    };
    const frame = make("div", "position:absolute;box-sizing:border-box;border:3px solid #D55E00;" +
      "outline:1px solid #fff;pointer-events:none", map);
    frame.style.width = 100 / count[0] + "%";
    frame.style.height = 100 / count[1] + "%";
    Object.assign(here.style, {display: "block", backgroundImage: "url(" + picture.src + ")",
      backgroundSize: 100 * count[0] + "% " + 100 * count[1] + "%", imageRendering: "pixelated"});
    const show = () => {
      const from = [at[0], count[1] - 1 - at[1]];
      frame.style.left = 100 * from[0] / count[0] + "%";
      frame.style.top = 100 * from[1] / count[1] + "%";
      here.style.backgroundPosition = from.map((k, i) => 100 * k / Math.max(1, count[i] - 1) + "%").join(" ");
      const words = data.names.map((n, i) => n + " = " + data.values[i][at[i]]).join(", ");
      here.setAttribute("aria-label", "the image at " + words);
      inputs.forEach((input, i) => {
        input.value = at[i];
        shown[i].textContent = data.values[i][at[i]];
        input.setAttribute("aria-valuetext", data.values[i][at[i]]);
      });
    };
    data.names.forEach((name, i) => {
      const row = make("label", "display:inline-flex;align-items:center;gap:.6em;margin:0 1em .3em 0", place);
      make("span", "", row, name);
      const input = make("input", "width:180px;accent-color:#0072B2", row);
      Object.assign(input, {type: "range", min: 0, max: count[i] - 1, step: 1, value: at[i]});
      input.setAttribute("aria-label", name);
      inputs.push(input);
      shown.push(make("b", "font-variant-numeric:tabular-nums;min-width:6ch", row));
      input.addEventListener("input", () => { at[i] = +input.value; show(); });
      for (const kind of ["keydown", "pointerdown", "touchstart"])
        input.addEventListener(kind, (event) => event.stopPropagation(), {passive: true});
    });
    make("span", "font-size:90%;opacity:.8", place, "Move the dials, or walk on the map.");
    const walk = (event) => {
      if (event.pointerType !== "mouse" || event.type === "pointerdown" || event.buttons) {
        const box = map.getBoundingClientRect();
        const share = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
        share.forEach((s, i) => { at[i] = Math.max(0, Math.min(count[i] - 1, Math.floor(s * count[i]))); });
        at[1] = count[1] - 1 - at[1];
        show();
      }
    };
    map.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      map.setPointerCapture(event.pointerId);
      walk(event);
    });
    map.addEventListener("pointermove", walk);
    map.style.cursor = "crosshair";
    show();
  }
})();
"""


def _store(keys, source, encode, optional=False) -> tuple[list, list[int]]:
    """Each different item once, and which of them belongs to each key (-1: none)."""
    stored, which = {}, []
    for key in keys if source is not None else []:
        item = source(*key) if callable(source) else _get(source, key, optional)
        if item is None:
            if not optional:
                raise ValueError(f"there is no picture for {key}")
            which.append(-1)
            continue
        which.append(stored.setdefault(encode(item), len(stored)))
    return list(stored), which or [-1] * len(keys)


def _get(source, key, optional=False):
    """An item of a dictionary by its tuple, or by the one option that the tuple holds."""
    for name in (key, key[0]) if len(key) == 1 else (key,):
        if name in source:
            return source[name]
    if optional:
        return None
    raise ValueError(f"nothing is given for {key}; expected an entry for every combination of the dials")


def _encode(picture, width) -> bytes:
    if isinstance(picture, bytes):
        if not picture.startswith(b"\x89PNG"):
            raise ValueError("a frame is bytes that are no PNG; expected a PNG file, an image or a Figure")
        return picture
    if isinstance(picture, Figure | Axes):
        content = png(picture)
        plt.close(picture if isinstance(picture, Figure) else picture.figure)
        return content
    image = array(picture)
    if image.ndim in (2, 3) and 0 < image.shape[1] < 100:
        scale = math.ceil((width or 240) / image.shape[1])
        image = image.repeat(scale, 0).repeat(scale, 1)  # large pixels, not blurred ones, whatever shows them
    return png(image)


def _still(block: str) -> bytes:
    """The PNG of the picture that stands in a block of HTML before its dials are moved."""
    content = re.search(r'<img[^>]* src="data:[^,"]+,([^"]+)"', block)[1]
    return png(np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")))


def _label(option) -> str:
    return f"{option:g}" if isinstance(option, float) else str(option)


def _numbers(options) -> bool:
    return all(isinstance(option, int | float) and not isinstance(option, bool) for option in options)
