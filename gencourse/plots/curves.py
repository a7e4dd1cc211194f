"""Numbers: bars, curves of training, growth, shares with their intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gencourse.plots.arrays import array
from gencourse.plots.page import BLACK, BLUE, COLOURS, DASHES, MARKERS, VERMILLION

if TYPE_CHECKING:
    from gencourse.training import History


def nats_bars(
    rows: Mapping[str, float | Sequence[float]],
    published: Mapping[str, float] | None = None,
    dice: float | None = None,
    stored: Mapping[str, float] | None = None,
) -> Figure:
    """Test nats per image, measured here (plain bars) and published (hatched), the best at the top.

    `stored` are those that stand on the card of a stored model, measured when it was made (dotted bars).

    With `dice`, the mean of `metrics.binarisation_entropy`, a line stands there, below which no model can be on
    average over the draws, and behind each number measured in the course stand the nats beyond it (published ones have
    test images of their own).

    rows: {name: nats}, or {name: [nats of each seed]}: the bar is the mean, a line shows the range.
    published: {"name (source, table)": nats}, shown with the digits they are given with.
    """
    looks = {
        "measured here": dict(color=BLUE),
        "measured when it was made": dict(facecolor="lightsteelblue", edgecolor="white", hatch=".."),
        "published": dict(facecolor="white", edgecolor="0.35", hatch="///"),
    }
    given = zip(looks, (rows, stored or {}, published or {}))
    entries = [
        (name, np.atleast_1d(array(nats)).astype(float), kind) for kind, named in given for name, nats in named.items()
    ]
    if not entries:
        raise ValueError("rows is empty; expected {name: nats}")
    for name, values, _ in entries:
        if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"{name!r} has {values.tolist()}; expected nats, one number or one for each seed")
    entries.sort(key=lambda entry: -entry[1].mean())
    figure, ax = plt.subplots(figsize=(8.6, 1.35 + 0.43 * len(entries)), layout="constrained")
    largest = max(values.max() for _, values, _ in entries)
    for y, (_, values, kind) in enumerate(entries):
        ax.barh(y, values.mean(), height=0.68, **looks[kind])
        if len(values) > 1:
            spread = [[values.mean() - values.min()], [values.max() - values.mean()]]
            ax.errorbar(values.mean(), y, xerr=spread, color="black", capsize=5, linewidth=2)
        beyond = "" if dice is None or kind == "published" else f"  ({values.mean() - dice:.1f} beyond)"
        number = f"{values.mean():g}" if kind == "published" else f"{values.mean():.1f}"
        ax.text(values.max() + largest * 0.02, y, number + beyond, va="center", fontsize=12)
    ax.set_yticks(range(len(entries)), [name for name, _, _ in entries])
    longest = max(len(name) for name, _, _ in entries)  # long names leave the axes narrow, and less room for numbers
    room = 1.14 if dice is None else 1.3 + longest / 100
    ax.set(xlabel="test nats per image (lower is better)", xlim=(0, largest * room))
    ax.set_ylabel("model")
    ax.tick_params(axis="y", length=0)
    shown = {kind for _, _, kind in entries} | {"measured here"}
    handles = [Patch(**look, label=kind) for kind, look in looks.items() if kind in shown]
    if any(len(values) > 1 for _, values, _ in entries):
        spread = Line2D([], [], color="black", marker="|", markersize=10, label="lowest to highest seed")
        handles.append(spread)
    if dice is not None:
        ax.axvline(dice, color=VERMILLION, linewidth=2, linestyle="--")
        handles.append(Line2D([], [], color=VERMILLION, linestyle="--", label=f"the dice alone: {dice:.1f}"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 3))
    return figure


def lines(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    log: Literal["", "x", "y", "xy"] = "",
    ax: Axes | None = None,
) -> Axes:
    """Several curves over the same x, {name: values}, with markers where there are at most 20 values.

    log: the axes to be logarithmic, "x", "y" or "xy"; few x on a logarithmic axis are its ticks.
    """
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"log is {log!r}; expected '', 'x', 'y' or 'xy'")
    x = array(x).astype(float)
    curves = {name: array(values).astype(float) for name, values in curves.items()}
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
    histories: Mapping[str, "History"],
    x: Literal["steps", "seconds"] = "steps",
    ylabel: str = "nats per example",
    window: int = 50,
    ax: Axes | None = None,
) -> Axes:
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
            ax.plot(
                steps * unit,
                values,
                marker,
                color=colour,
                markeredgecolor="white",
                markersize=9,
                label=f"{name}, held out",
            )
            later += values[steps > 0.1 * len(loss)].tolist()
        later += smooth[len(loss) // 5 :].tolist()
    low, high = min(later), max(later)
    margin = 0.1 * (high - low) or 1
    ax.set_ylim(low - margin, high + 2 * margin)
    ax.set(xlabel="training step" if x == "steps" else "seconds of training", ylabel=ylabel)
    ax.legend()
    return ax


def growth(sizes: Sequence[float], seconds: Mapping[str, Sequence[float]], xlabel: str, ax: Axes | None = None) -> Axes:
    """Seconds against size on logarithmic axes, {name: seconds}, with a slope of each.

    The slope is that of a straight line through the larger half of the sizes (the legend says how many): there
    cost ∝ size^slope, about.
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
        ax.plot(
            sizes,
            values,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle=DASHES[i % len(DASHES)],
            label=f"{name}: slope {slope:.1f} over the {len(largest)} largest sizes",
        )
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="seconds")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.legend()
    return ax


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


def seed_dots(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    ylabel: str,
    limits: tuple[float, float],
    ax: Axes | None = None,
) -> Axes:
    """A dot for each seed and a bar at the median, on a logarithmic axis: {series: {category: values}}.

    limits: of the axis. Seeds beyond them stand as triangles at its ends, with their number.
    """
    ax = ax or plt.subplots(figsize=(8, 4), layout="constrained")[1]
    categories = list(dict.fromkeys(category for runs in groups.values() for category in runs))
    for i, (series, runs) in enumerate(groups.items()):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        shift = 0.5 * ((i + 0.5) / len(groups) - 0.5)
        ax.plot([], [], marker, color=colour, markerfacecolor="none", label=f"{series}: a seed; bar: median")
        for category, values in runs.items():
            x, values = categories.index(category) + shift, np.asarray(values, dtype=float)
            spread = x + 0.12 * (np.arange(len(values)) / max(1, len(values) - 1) - 0.5)
            ax.plot(spread, values, marker, color=colour, markerfacecolor="none", markersize=4)
            middle = float(np.median(values).clip(*limits))
            ax.plot([x - 0.13, x + 0.13], [middle] * 2, color="black", linewidth=2.5, zorder=3)
            for end, beyond, mark in ((limits[0], values < limits[0], "v"), (limits[1], values > limits[1], "^")):
                if beyond.any():
                    ax.plot(x, end, mark, color=colour, markersize=9, clip_on=False, zorder=4)
                    ax.annotate(f" {beyond.sum()}", (x, end), xytext=(6, 2), textcoords="offset points", fontsize=9)
    ax.set(yscale="log", ylim=limits, ylabel=ylabel, xlim=(-0.5, len(categories) - 0.5))
    ax.set_xticks(range(len(categories)), categories)
    return ax
