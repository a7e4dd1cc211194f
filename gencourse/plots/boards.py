"""The scoreboard: curves of nats, clouds, intervals beside a line, fast against good, who is taken for whom."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gencourse.plots.arrays import array
from gencourse.plots.page import COLOURS, DASHES, MARKERS, VERMILLION

Marks = Mapping[str, Sequence[float]]  # name -> (value, low, high)


class Band(NamedTuple):
    """A band of a panel, from low to high, or a line where both are the same; and the words for it."""

    low: float
    high: float
    words: str


def nats_over_minutes(
    exact: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    bounds: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    top: float = 93,
    dice: float | None = None,
) -> Figure:
    """Nats of held-out images over minutes of training: exact ones left, bounds right, on one scale.

    Both: {name: (minutes, nats)}. top: nats where the axis is cut off. dice: nats that tossing the pixels of these
    images costs, written below the curves where it is far below them.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.4), sharey=True, layout="constrained")
    for ax, curves, title in zip(axes, (exact, bounds), ("exact", "upper bounds, K = 100 draws")):
        for i, (name, (minutes, nats)) in enumerate(curves.items()):
            look = i if curves is exact else len(exact) + i
            ax.plot(minutes, nats, MARKERS[look % 7], linestyle=DASHES[look % 7], color=COLOURS[look % 7], label=name)
        ax.set(title=title, xlabel="minutes of training (log scale)", xscale="log")
        ax.set_xticks((3, 10, 30, 100, 300), ("3", "10", "30", "100", "300"))
        ax.minorticks_off()
        ax.legend(loc="upper right")
    least = min(min(nats) for _, nats in [*exact.values(), *bounds.values()])
    axes[0].set(ylabel="nats an image, held out", ylim=(least - 1, top))
    if dice is not None:
        for ax in axes:
            ax.text(0.02, 0.02, f"dice alone: {dice:.1f} nats, far below", transform=ax.transAxes, fontsize=10)
    return figure


def faulty_clouds(panels: Mapping[str, object], real: object) -> Figure:
    """Samples (M, 2) of each panel, dark, over the same real points (N, 2), light."""
    columns = -(-len(panels) // 2)
    figure, axes = plt.subplots(2, columns, figsize=(2.4 * columns, 5), sharex=True, sharey=True, layout="constrained")
    points = array(real)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax, (name, samples) in zip(axes.flat, panels.items()):
        ax.plot(*points.T, "o", color="0.8", markersize=4)
        ax.plot(*array(samples).T, "+", color=COLOURS[0], markersize=4)
        ax.set_title(name)
        ax.set_aspect("equal")
    for ax in axes[-1]:
        ax.set_xlabel("x")
    for ax in axes[:, 0]:
        ax.set_ylabel("y")
    handles = [Line2D([], [], color="0.8", marker="o", linestyle=""), Line2D([], [], marker="+", linestyle="")]
    figure.legend(handles, ["real points (the reference)", "samples"], loc="outside upper center", ncols=2)
    return figure


def over_draws(
    draws: Sequence[float], panels: Mapping[str, tuple[Sequence[Sequence[float]], str]], xlabel: str
) -> Figure:
    """Intervals over the number of draws, a panel each, beside the line 0.

    panels: title -> ([(value, low, high) for each number of draws], what 0 means).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.9 * len(panels), 4), squeeze=False, layout="constrained")
    for i, (ax, (title, (intervals, zero))) in enumerate(zip(axes.flat, panels.items())):
        values = [each[0] for each in intervals]
        ends = [[each[0] - each[1] for each in intervals], [each[2] - each[0] for each in intervals]]
        ax.errorbar(draws, values, ends, marker=MARKERS[i], capsize=5, color=COLOURS[i])
        ax.axhline(0, color="0.4", linestyle="--", label=zero)
        ax.set(title=title, xscale="log", xlabel=xlabel, ylabel="nats an image")
        ax.legend(loc="upper right")
    return figure


def groups(panels: Mapping[str, Mapping[str, Sequence[float]]], references: Mapping[str, Band]) -> Figure:
    """Each panel: the single values of each group side by side; where there is a reference, its band.

    A panel whose values and band differ by more than a factor of ten has a logarithmic axis.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(2.7 * len(panels), 3.7), squeeze=False, layout="constrained")
    for ax, (title, values_of) in zip(axes.flat, panels.items()):
        for i, values in enumerate(values_of.values()):
            beside = [i + 0.03 * (number - (len(values) - 1) / 2) for number in range(len(values))]
            ax.plot(beside, values, MARKERS[i], color=COLOURS[i], alpha=0.8)
        ax.set(xticks=range(len(values_of)), xticklabels=list(values_of), xlim=(-0.5, len(values_of) - 0.5))
        ax.set(ylabel=title, xlabel="network")
        if title in references:
            _band(ax, references[title])
    return figure


def _band(ax: Axes, band: Band) -> None:
    ax.axhspan(band.low, band.high, color="0.8", zorder=0)
    values = [value for line in ax.lines for value in line.get_ydata()]
    if max(values) > 10 * band.high > 0:
        ax.set(yscale="log", ylim=(band.low / 1.5, max(values) * 1.6))
    else:
        ax.set_ylim(top=max(1.02, *values))
    ax.annotate(band.words, (0.03, band.high), (0, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
                fontsize=10)  # fmt: skip


class Contestant(NamedTuple):
    """A mark of `fast_and_good`: a distance and the ends of its interval; where its words stand: left, points up."""

    milliseconds: float
    distance: float
    low: float
    high: float
    known: str
    front: bool
    words: str
    left: bool = False
    up: float = 0.0


def fast_and_good(contestants: Mapping[str, Contestant], floor: tuple[float, float], good: float) -> Figure:
    """Distance against milliseconds a sample: shapes say what is known of the likelihood, filled ones are on the front.

    floor: lowest and highest distance of real sets. good: how many times the floor is still called good.
    """
    looks = dict(zip(dict.fromkeys(each.known for each in contestants.values()), zip("os^", COLOURS)))
    figure, ax = plt.subplots(figsize=(9.6, 6), layout="constrained")
    for each in contestants.values():
        marker, colour = looks[each.known]
        bar = [[each.distance - max(0, each.low)], [each.high - each.distance]]  # a distance is not below 0
        ax.errorbar(each.milliseconds, each.distance, bar, fmt=marker, color=colour, markersize=11, markeredgewidth=2.5,
                    capsize=5, markerfacecolor=colour if each.front else "white")  # fmt: skip
    places = [each.milliseconds for each in contestants.values()]
    for name, each in contestants.items():
        aside, off = ("right", -13) if each.left else ("left", 13)
        ax.annotate(f"{name}\n{each.words}".strip(), (each.milliseconds, each.distance), (off, each.up),
                    textcoords="offset points", va="center", ha=aside, fontsize=11)  # fmt: skip
    bands = ((floor, "0.8", None, "two sets of test digits"),
             ([good * end for end in floor], "none", "///", f"border of good: {good:g} times that"))  # fmt: skip
    for (low, high), colour, hatch, _ in bands:
        ax.axhspan(low, high, facecolor=colour, edgecolor="0.8", hatch=hatch, zorder=0)
    largest = max(each.high for each in contestants.values())
    ax.set(xscale="log", xlabel="milliseconds a sample, in a batch (log scale)", ylim=(0, 1.5 * largest),
           ylabel="Fréchet distance (linear to 10, log above)", xlim=(min(places) / 30, max(places) * 60))  # fmt: skip
    ax.set_yscale("symlog", linthresh=10)
    ax.set_yticks((0, 5, 10, 20, 50, 100), ("0", "5", "10", "20", "50", "100"))
    ax.minorticks_off()
    handles = [Line2D([], [], linestyle="", marker=m, color=c, markersize=10, label=w) for w, (m, c) in looks.items()]
    handles += [Line2D([], [], linestyle="", marker="o", color="black", markersize=10, label="on the front"),
                Line2D([], [], linestyle="", marker="o", color="black", markerfacecolor="white", markersize=10,
                       label="another is as good or better on both")]  # fmt: skip
    handles += [Patch(facecolor="white" if hatch else colour, edgecolor="0.7", hatch=hatch, label=words)
                for _, colour, hatch, words in bands]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=10)
    return figure


def beside_lines(
    panels: Mapping[str, tuple[Marks, str, Band]], log: Mapping[str, float | None] | None = None
) -> Figure:
    """Values with intervals, a row each, beside a line or a band: one panel below the other.

    panels: title -> (marks, label of the axis, its line). log: panels with a logarithmic axis, and down to where it is
    linear; None: nowhere.
    """
    sizes = [len(marks) + 1.6 for marks, *_ in panels.values()]
    figure, axes = plt.subplots(len(panels), 1, figsize=(9, 0.3 * sum(sizes) + 1), height_ratios=sizes,
                                layout="constrained")  # fmt: skip
    for ax, (title, (marks, xlabel, line)) in zip(axes, panels.items()):
        for y, (value, low, high, *_) in enumerate(marks.values()):
            ax.errorbar(value, y, xerr=[[value - low], [high - value]], fmt="o", capsize=4, color=COLOURS[0])
        ax.set(
            yticks=range(len(marks)),
            yticklabels=list(marks),
            ylim=(len(marks) - 0.5, -0.5),
            xlabel=xlabel,
            ylabel="model",
        )
        ax.set_title(title, loc="left")
        if line.high > line.low:
            ax.axvspan(line.low, line.high, color="0.8", zorder=0, label=line.words)
        else:
            ax.axvline(line.low, color=VERMILLION, linestyle="--", zorder=0, label=line.words)
        if log and title in log:
            ax.set_xscale("log") if log[title] is None else ax.set_xscale("symlog", linthresh=log[title])
        low, high = ax.get_xlim()
        ax.set_xlim(low, high * 1.6 if log and title in log else high + 0.05 * (high - low))
        ax.grid(axis="x", alpha=0.3)
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def taken_for(counts: object, rows: Sequence[str], columns: Sequence[str], told: int) -> Figure:
    """Who is taken for whom: counts in the cells; the right answer of each of the first `told` rows has a frame."""
    counts = array(counts)
    figure, ax = plt.subplots(figsize=(5.4, 5.4), layout="constrained")
    ax.imshow(counts / counts.sum(1, keepdims=True), cmap="Greys", vmin=0, vmax=1.3)
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            if count:
                ax.text(x, y, f"{count:.0f}", ha="center", va="center", fontsize=11)
    for i in range(told):
        ax.add_patch(plt.Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=VERMILLION, linewidth=2))
    if told < len(rows):
        ax.axhline(told - 0.5, color="black", linewidth=2)
    ax.set(yticks=range(len(rows)), yticklabels=list(rows), ylabel="told", xticks=range(len(columns)),
           xlabel="taken for (framed: the word that was told)")  # fmt: skip
    ax.set_xticklabels(list(columns), rotation=90)
    right, of = sum(counts[i, i] for i in range(told)), counts[:told].sum()
    ax.set_title(f"in the frames: {right:.0f} of {of:.0f}; by guessing {of / len(columns):.0f}")
    return figure
