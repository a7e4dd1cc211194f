"""Dials that choose among pictures, and films."""

import hashlib
import html
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from gencourse.plots import (
    SAMPLE_RATE,
    data_url,
    film_frame,
    image_html,
    image_url,
    mixture,
    put,
)
from gencourse.plots.arrays import Numbers, array
from gencourse.widgets.block import (
    LIMIT,
    STYLE,
    Picture,
    are_numbers,
    count,
    encode_picture,
    label_of,
    still,
    store,
    wav,
)


def explorer(
    dials: Mapping[str, Sequence],
    frames: Callable[..., Picture] | Mapping[Any, Picture],
    alt: str,
    in_print: bytes | None = None,
    **options: Any,
) -> None:
    """Put pictures on the page that dials choose among. Arguments: those of `explorer_html`.

    in_print: the PNG that stands where nothing moves; by default the picture that is shown first.
    """
    block = explorer_html(dials, frames, alt, **options)
    put(block, in_print or still(block), alt)


def explorer_html(
    dials: Mapping[str, Sequence],
    frames: Callable[..., Picture] | Mapping[Any, Picture],
    alt: str,
    *,
    audio: Callable[..., Numbers | None] | Mapping[Any, Numbers | None] | None = None,
    captions: Callable[..., str | None] | Mapping[Any, str | None] | None = None,
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
    pictures, picture_of = store(keys, frames, lambda picture: encode_picture(picture, width))
    sounds, sound_of = store(keys, audio, lambda w: data_url(wav(w, sample_rate), "audio/wav"), optional=True)
    words, words_of = store(keys, captions, str, optional=True)

    first = keys.index(start)
    state = {
        "dials": [
            [name, [label_of(value) for value in values], values.index(at), len(dials) == 1 or are_numbers(values)]
            for (name, values), at in zip(dials.items(), start, strict=True)
        ],
        "pictures": [image_url(picture) for picture in pictures],
        "picture": picture_of,
        "sounds": sounds,
        "sound": sound_of,
        "words": words,
        "word": words_of,
        "alt": alt,
        "interval": interval,
    }
    data = json.dumps(state, separators=(",", ":")).replace("<", "\\u003c")
    name = f"explorer-{next(count)}-{hashlib.sha256(data.encode()).hexdigest()[:8]}"
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


def scrubber(
    frames: Sequence[Picture], labels: Sequence | None = None, *, alt: str, name: str = "step", **options: Any
) -> None:
    """A film with a slider: Figures, images or PNGs in order, and a label of each (by default 1, 2, …).

    name: of the slider. options: those of `explorer_html`, such as `interval`, milliseconds a frame.
    """
    frames = list(frames)
    labels = list(range(1, len(frames) + 1)) if labels is None else list(labels)
    if len(frames) != len(labels) or len(set(labels)) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(frames)} frames; expected one each, all different")
    explorer({name: labels}, dict(zip(labels, frames, strict=True)), alt, **options)


def sampling_film(frames: Numbers, labels: Sequence | None = None, *, alt: str, scale: int = 5, **options: Any) -> None:
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


def em_stepper(
    x: Numbers,
    steps: Sequence[tuple],
    *,
    times: Sequence[float] | None = None,
    every: Sequence[float] | None = None,
    truth: float | None = None,
    alt: str = "",
    **options: Any,
) -> None:
    """EM frame by frame: on the left points and components, on the right the likelihood so far.

    x: (N, 2) points.
    steps: (label, parameters, shares, log_likelihood) of each frame, in order. parameters: (weights, means,
        covariances) as `plots.mixture` takes them. shares: (N, K) responsibilities, or None before the first E-step.
        log_likelihood: nats per point of those parameters.
    times: steps of EM that were taken before each frame, E-steps counted as half a step: the horizontal axis. By
        default every frame is half a step after the one before.
    every: the likelihood at the start and after each step of EM, drawn in grey behind the frames.
    truth: the likelihood of these points under the density that drew them: a dotted line.
    """
    if not len(steps) or not all(len(step) == 4 for step in steps):
        raise ValueError("steps need (label, parameters, shares, log_likelihood) of each frame, at least one")
    times = [i / 2 for i in range(len(steps))] if times is None else [float(time) for time in times]
    if len(times) != len(steps) or times != sorted(times):
        raise ValueError(f"times are {times} for {len(steps)} frames; expected one each, in order")
    values = [step[3] for step in steps]
    whole = [*values, *([] if every is None else every), *([] if truth is None else [truth])]
    low, high = min(whole), max(whole)
    margin = 0.08 * (high - low) or 1

    def frame(i: int) -> Figure:
        figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.0), width_ratios=(1.2, 1), dpi=84)
        mixture(left, x, *steps[i][1], steps[i][2])
        left.set_title("ellipses: 1σ, dashed 2σ", fontsize=12)
        points = array(x)
        left.set(
            xlim=(points[:, 0].min() - 0.3, points[:, 0].max() + 0.3),
            ylim=(points[:, 1].min() - 0.3, points[:, 1].max() + 0.3),
        )
        if every is not None:
            right.plot(range(len(every)), every, color="0.75", linewidth=1.5, label="all steps")
        if truth is not None:
            right.axhline(truth, color="black", linestyle=":", linewidth=1.5, label=f"truth: {truth:.2f}")
        right.plot(times[: i + 1], values[: i + 1], color="0.4")
        right.plot([times[i]], [values[i]], "o", color="black", markersize=9)
        around = 0.04 * (times[-1] - times[0]) or 1
        right.set(xlim=(times[0] - around, times[-1] + around), ylim=(low - margin, high + margin))
        right.set(xlabel="steps of EM", ylabel="log P(x), nats per point")
        if every is not None or truth is not None:
            right.legend(loc="lower right", fontsize=11)
        return figure

    alt = alt or (
        "Points, coloured by responsibility from the first E-step on; ellipses that move with each M-step; "
        "the likelihood."
    )
    frames = [frame(i) for i in range(len(steps))]
    words = {step[0]: f"{step[0]}: {step[3]:.4f} nats per point" for step in steps}
    options = {"captions": words, "interval": 700, "name": "half step"} | options
    scrubber(frames, [step[0] for step in steps], alt=alt, **options)


# Finds its block by name, also where a page shows it twice, and builds the dials, of no use without it.
# JupyterLab must not take the arrow keys for itself, hence data-lm-suppress-shortcuts; nor must a slide.
SCRIPT = "\n" + files("gencourse.widgets").joinpath("explorer.js").read_text("utf-8")
