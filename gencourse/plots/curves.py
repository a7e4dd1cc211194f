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
from matplotlib.ticker import LogLocator

from gencourse.metrics import mean_interval
from gencourse.plots.arrays import array
from gencourse.plots.page import BLACK, BLUE, COLOURS, DASHES, GREEN, MARKERS, VERMILLION

if TYPE_CHECKING:
    from gencourse.metrics import Interval
    from gencourse.training import History


def nats_bars(
    rows: Mapping[str, float | Sequence[float]],
    published: Mapping[str, float] | None = None,
    dice: float | None = None,
    stored: Mapping[str, float] | None = None,
    grouped: bool = False,
    dice_name: str = "the dice alone",
) -> Figure:
    """Test nats per image, measured here (plain bars) and published (hatched), the best at the top.

    `stored` are those that stand on the card of a stored model, measured when it was made (dotted bars).

    With `dice`, the mean of `metrics.binarisation_entropy`, a line stands there, below which no model can be on
    average over the draws, and behind each number measured in the course stand the nats beyond it (published ones have
    test images of their own). dice_name: what the legend calls that line.

    grouped: the kinds stand in three groups, measured here at the bottom; each is ordered by itself.
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
    kinds = list(looks)
    entries.sort(key=lambda entry: (kinds.index(entry[2]) if grouped else 0, -entry[1].mean()))
    figure, ax = plt.subplots(figsize=(8.6, 1.35 + 0.43 * len(entries)), layout="constrained")
    largest = max(values.max() for _, values, _ in entries)
    for y, (_, values, kind) in enumerate(entries):
        ax.barh(y, values.mean(), height=0.68, **looks[kind])
        if len(values) > 1:
            spread = [[values.mean() - values.min()], [values.max() - values.mean()]]
            ax.errorbar(values.mean(), y, xerr=spread, color="black", capsize=5, linewidth=2)
        word = "above the dice" if grouped else "beyond"
        beyond = "" if dice is None or kind == "published" else f"  ({values.mean() - dice:.1f} {word})"
        number = f"{values.mean():g}" if kind == "published" else f"{values.mean():.1f}"
        ax.text(values.max() + largest * 0.02, y, number + beyond, va="center", fontsize=12)
    ax.set_yticks(range(len(entries)), [name for name, _, _ in entries])
    longest = max(len(name) for name, _, _ in entries)  # long names leave the axes narrow, and less room for numbers
    room = 1.14 if dice is None else 1.3 + longest / 100 + 0.15 * grouped
    ax.set(xlabel="test nats per image (lower is better)", xlim=(0, largest * room))
    ax.set_ylabel("" if grouped else "model")
    ax.tick_params(axis="y", length=0)
    shown = {kind for _, _, kind in entries} | {"measured here"}
    handles = [Patch(**look, label=kind) for kind, look in looks.items() if kind in shown]
    if any(len(values) > 1 for _, values, _ in entries):
        spread = Line2D([], [], color="black", marker="|", markersize=10, label="lowest to highest seed")
        handles.append(spread)
    if dice is not None:
        ax.axvline(dice, color=VERMILLION, linewidth=2, linestyle="--")
        handles.append(Line2D([], [], color=VERMILLION, linestyle="--", label=f"{dice_name}: {dice:.1f}"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 3))
    return figure


def interval_bars(
    rows: Mapping[str, "Interval | float"],
    xlabel: str,
    ylabel: str = "model",
    marks: Mapping[str, float] | None = None,
    text: str = ".1f",
) -> Axes:
    """Numbers as bars from 0, in the order given, each with its 95 % confidence interval; dashed lines at `marks`.

    rows: {name: `metrics.Interval`, or a number without one}. marks: {name: value}, such as a floor and a baseline.
    text: format of the number beside each bar. Raises ValueError if rows is empty, or a number not finite.
    """
    numbers = {name: tuple(value)[:3] if isinstance(value, tuple) else (value,) * 3 for name, value in rows.items()}
    if not numbers or not all(math.isfinite(value) for value, *_ in numbers.values()):
        raise ValueError(f"rows is {dict(rows)}; expected {{name: number or interval}}, one at least, and finite")
    ax = plt.subplots(figsize=(8.6, 1.5 + 0.43 * len(numbers)), layout="constrained")[1]
    largest = max(max(value, high if math.isfinite(high) else value) for value, _, high in numbers.values())
    for y, (value, low, high) in enumerate(reversed(numbers.values())):
        ax.barh(y, value, height=0.66, color=BLUE)
        if math.isfinite(high) and high > low:
            ax.errorbar(value, y, xerr=[[value - low], [high - value]], color="black", capsize=5, linewidth=2)
        ax.text(max(value, high if math.isfinite(high) else value) + 0.02 * largest, y, f"{value:{text}}", va="center")
    looks = zip((marks or {}).items(), (VERMILLION, BLACK, GREEN), ("--", ":", "-."))
    for (name, value), colour, dash in looks:
        ax.axvline(value, color=colour, linestyle=dash, label=f"{name}: {value:{text}}")
    ax.set_yticks(range(len(numbers)), list(reversed(numbers)))
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1.18 * max(largest, *(marks or {"": 0}).values())))
    ax.errorbar([], [], xerr=[], color="black", capsize=5, label="95 % interval")
    ax.figure.legend(loc="outside upper center", ncols=3)
    return ax


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


def strips(
    rows: Mapping[str, Sequence[float]],
    xlabel: str,
    marks: Mapping[str, float] | None = None,
    mark_name: str = "",
    lines: Mapping[str, float] | None = None,
    log: bool = False,
    ax: Axes | None = None,
    ylabel: str = "setting",
) -> Axes:
    """Every run of several settings as a marker, a row each, the first on top; equal values lie one below the other.

    rows: {setting: values, one a run}. marks: {setting: value}, a black bar in the row of each, such as what it is
    expected to be; `mark_name` is what the legend calls them. lines: {name: value}, dotted verticals over all rows.
    The legend stands above the figure, in which `ax` may be one of several; then only the first one makes it.
    """
    rows = {name: np.atleast_1d(array(values)).astype(float) for name, values in rows.items()}
    if not rows or not all(len(values) and np.isfinite(values).all() for values in rows.values()):
        raise ValueError(f"rows are {rows}; expected {{setting: values}}, at least one number each")
    if unknown := set(marks or {}) - set(rows):
        raise ValueError(f"marks has {sorted(unknown)}, which are no rows; there are {list(rows)}")
    height = 1.3 + 0.45 * len(rows)
    alone = ax is None
    ax = ax or plt.subplots(figsize=(8, height), layout="constrained")[1]
    for y, (name, values) in enumerate(rows.items()):
        beside = y + np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else [y]
        ax.plot(values, beside, "o", color=BLUE, alpha=0.55, markersize=7)
        if name in (marks or {}):
            ax.plot(marks[name], y, "|", color=BLACK, markersize=26, markeredgewidth=2.5)
    for i, (name, value) in enumerate((lines or {}).items()):
        ax.axvline(value, color=VERMILLION, linestyle=DASHES[(3 + i) % len(DASHES)], label=f"{name}: {value:.2f}")
    handles = [Line2D([], [], color=BLUE, marker="o", linestyle="none", label="one run")]
    if marks:
        look = dict(color=BLACK, marker="|", markersize=16, markeredgewidth=2.5, linestyle="none")
        handles.append(Line2D([], [], label=mark_name, **look))
    handles += ax.get_legend_handles_labels()[0]
    ax.set(xlabel=xlabel, xscale="log" if log else "linear", ylim=(len(rows) - 0.5, -0.5))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.grid(axis="x", alpha=0.3)
    if ax.get_subplotspec() is None or ax.get_subplotspec().is_first_col():
        ax.set_ylabel(ylabel)
    if alone or ax is ax.figure.axes[0]:
        ax.figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 3))
    return ax


def learning_curves(
    histories: Mapping[str, "History"],
    x: Literal["steps", "seconds"] = "steps",
    ylabel: str = "nats per example",
    window: int = 50,
    ax: Axes | None = None,
    since: int = 0,
) -> Axes:
    """Loss against "steps" or "seconds": lines for training batches, smoothed, markers for what was measured.

    histories: {name: History}, with `loss` (a number a step), `measured` ((step, value) pairs) and `seconds`.
    since: the vertical axis shows what the curves do from this step on; 0 takes a fifth of the steps, as their fall
        at the start would squeeze all that follows.
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
        later += smooth[min(since, len(loss) - 1) or len(loss) // 5 :].tolist()
    low, high = min(later), max(later)
    margin = 0.1 * (high - low) or 1
    ax.set_ylim(low - margin, high + 2 * margin)
    ax.set(xlabel="training step" if x == "steps" else "seconds of training", ylabel=ylabel)
    ax.legend()
    return ax


def growth(
    sizes: Sequence[float],
    seconds: Mapping[str, Sequence[float]],
    xlabel: str,
    ax: Axes | None = None,
    ylabel: str = "seconds",
    slopes: Sequence[float] = (),
) -> Axes:
    """Seconds against size on logarithmic axes, {name: seconds}, with a slope of each.

    slopes: exponents for which a dotted line of reference starts at the first point of the first curve.

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
    start = next(iter(seconds.values()))[0]
    for slope, grey in zip(slopes, ("0.35", "0.6")):
        line = start * (sizes / sizes[0]) ** slope
        ax.plot(sizes, line, color=grey, linestyle=":", linewidth=2, label=f"for reference: slope {slope:g}")
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    if slopes:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.legend()
    return ax


def bits_over_context(
    context: Sequence[float], runs: Sequence[Sequence[float]], references: Mapping[str, float]
) -> Axes:
    """Bits a sample against context in milliseconds: a thin line for each seed, their mean, and lines of reference.

    context: (n,) milliseconds. runs: (seeds, n) bits. references: {name: bits}, each named above or below its line.
    """
    runs = array(runs).astype(float)
    if runs.ndim != 2 or runs.shape[1] != len(context):
        raise ValueError(f"runs have shape {runs.shape}; expected (seeds, {len(context)}), one number for each context")
    ax = plt.subplots(figsize=(8, 4.4), layout="constrained")[1]
    for i, row in enumerate(runs):
        ax.plot(context, row, color="0.65", linewidth=1, label=None if i else f"each of {len(runs)} seeds")
    ax.plot(context, runs.mean(0), "o-", color=BLUE, linewidth=2.5, label="mean over seeds")
    for i, (name, bits) in enumerate(references.items()):
        ax.axhline(bits, color="black", linestyle=DASHES[1 + i % 2], linewidth=1.5)
        ax.annotate(name, (context[-1], bits), (0, 4), textcoords="offset points", ha="right", fontsize=12)
    ax.set(xscale="log", xlabel="context (ms, logarithmic)", ylabel="bits a sample, unheard words")
    ax.margins(y=0.12)
    ax.set_xticks(context, [f"{value:.3g}" for value in context])
    ax.minorticks_off()
    ax.legend(loc="center left")
    return ax


def paired_gains(
    gains: Mapping[str, Sequence[float]], ylabel: str, names: tuple[str, str] = ("better", "worse")
) -> Axes:
    """One column of dots a comparison, a dot a seed, with their mean, its 95 % interval, and a line at zero.

    gains: {comparison: difference of each seed}. names: what a number above zero and one below it say.
    """
    if not gains or not all(len(values) for values in gains.values()):
        raise ValueError("gains is empty; expected {comparison: one number for each seed}")
    ax = plt.subplots(figsize=(8, 4.2), layout="constrained")[1]
    for x, values in enumerate(array(values).astype(float) for values in gains.values()):
        n = len(values)
        places = x - 0.12 + 0.24 * np.arange(n) / max(1, n - 1) - 0.18
        ax.plot(places, values, "o", color=BLUE, markersize=6, alpha=0.75, label=None if x else "one seed")
        known = mean_interval(values.tolist())
        if math.isfinite(known.low):
            ends = [[known.value - known.low], [known.high - known.value]]
            label = None if x else "mean, 95 % interval"
            ax.errorbar(x + 0.12, known.value, ends, fmt="D", color=VERMILLION, capsize=6, label=label)
    ax.axhline(0, color="black", linestyle="--", linewidth=1.5)
    for words, up in zip(names, (True, False)):
        place = (0.99, 0.97 if up else 0.03)
        ax.text(*place, words, transform=ax.transAxes, ha="right", va="top" if up else "bottom", fontsize=12)
    ax.set_xticks(range(len(gains)), list(gains))
    ax.set(xlabel="comparison, in pairs of one seed", ylabel=ylabel, xlim=(-0.6, len(gains) - 0.4))
    ax.margins(y=0.2)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
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
