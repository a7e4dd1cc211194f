"""Sounds: spectrograms, and the levels of the µ-law."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gencourse.plots.arrays import Numbers, array
from gencourse.plots.page import BLUE, SAMPLE_RATE, VERMILLION


def decibels(waveform: Numbers, window: int = 256, hop: int = 80) -> np.ndarray:
    """Short-time spectrum: (T,) in [-1, 1] -> (window/2 + 1, frames), dB; a full sine wave is 0 dB.

    Hann windows of 256 samples (32 ms at 8 kHz), one every 80 (10 ms).
    """
    sound = check_sound(waveform)
    sound = np.pad(sound, (window // 2, window // 2 + (-len(sound)) % hop))
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)).T / (np.hanning(window).sum() / 2)
    return 20 * np.log10(np.maximum(spectrum, 1e-6))


def spectrogram(
    ax: Axes, waveform: Numbers, sample_rate: int = SAMPLE_RATE, low: float | None = None, high: float | None = None
) -> Axes:
    """Loudness in dB over time and frequency; low to high dB are coloured, by default the loudest 60."""
    values = decibels(waveform)
    high = math.ceil(values.max() / 5) * 5 if high is None else high
    low = high - 60 if low is None else low
    extent = (0, len(check_sound(waveform)) / sample_rate, 0, sample_rate / 2000)
    colours = plt.get_cmap("viridis", 20)  # steps of 3 dB: finer ones would only make the file large
    ax.imshow(
        values, origin="lower", aspect="auto", extent=extent, cmap=colours, vmin=low, vmax=high, interpolation="nearest"
    )
    ax.set(xlabel="time, s", ylabel="frequency, kHz")
    return ax


def spectrograms(waveforms: Mapping[str, Numbers], sample_rate: int = SAMPLE_RATE, mark: float | None = None) -> Figure:
    """Sounds side by side, {name: (T,)}: the waveforms, and the spectrograms on one scale of colours.

    mark: a time in seconds at which a dashed line stands in every panel.
    """
    if not waveforms:
        raise ValueError("waveforms is empty; expected {name: (T,) in [-1, 1]}")
    high = max(math.ceil(decibels(w).max() / 5) * 5 for w in waveforms.values())
    loudest = max(np.abs(check_sound(w)).max() for w in waveforms.values()) or 1
    n = len(waveforms)
    figure, axes = plt.subplots(
        2,
        n,
        figsize=(min(2.6 * n + 1.8, 9.5), 4.5),
        squeeze=False,
        sharey="row",
        sharex="col",
        height_ratios=(1, 2),
        layout="constrained",
    )
    for (above, below), (name, waveform) in zip(axes.T, waveforms.items(), strict=True):
        sound = check_sound(waveform)
        above.plot(np.arange(len(sound)) / sample_rate, sound, color=BLUE, linewidth=0.5)
        above.set(title=name, ylim=(-1.05 * loudest, 1.05 * loudest), ylabel="amplitude", xlabel="time, s")
        spectrogram(below, sound, sample_rate, high - 60, high)
        above.label_outer()
        below.label_outer()
        below.xaxis.set_major_locator(plt.MaxNLocator(3, steps=[1, 2, 2.5, 5]))
        below.xaxis.set_major_formatter("{x:g}")
        if mark is not None:
            above.axvline(mark, color="black", linestyle="--")
            below.axvline(mark, color="white", linestyle="--", linewidth=2)
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


def check_sound(waveform: Numbers) -> np.ndarray:
    """The waveform as an array (T,), or a ValueError if it has another shape or leaves [-1, 1]."""
    sound = array(waveform).astype(float)
    if sound.ndim != 1 or sound.size == 0:
        raise ValueError(f"a waveform has shape {sound.shape}; expected (T,), at least one sample")
    if not (np.abs(sound) <= 1).all():  # also catches NaN
        raise ValueError("a waveform leaves [-1, 1]; give it as mu_law_decode returns it")
    return sound
