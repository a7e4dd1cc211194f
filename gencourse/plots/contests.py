"""What is measured of a contest: clouds of samples, losses, distances with a floor, correlations run by run."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gencourse.plots.arrays import Numbers, array
from gencourse.plots.page import BLACK, BLUE, COLOURS, MARKERS, VERMILLION

if TYPE_CHECKING:
    from gencourse.metrics import Interval
    from gencourse.training import GANHistory


def around_centres(
    sets: Mapping[str, Numbers], centres: Numbers, reach: float, columns: int = 3, most: int = 500
) -> Figure:
    """Sets of points of the plane side by side, from -reach to reach, with the centres of the modes as crosses.

    sets: {title: (N, 2)}, of each of which at most `most` points are drawn; where points of the whole set lie outside
    the picture, the title has a second line that says which share. centres: (K, 2).
    """
    columns = min(columns, len(sets))
    rows = math.ceil(len(sets) / columns)
    size = (9.3, 3.7 * rows + 0.9)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    outside = {title: float((np.abs(array(x)) > reach).any(1).mean()) for title, x in sets.items()}
    for ax, (title, x) in zip(axes.flat, sets.items()):
        ax.plot(*array(x)[:most].T, ".", color=BLUE, markersize=2, label="points")
        ax.plot(*array(centres).T, "k+", markersize=11, label="centres of the data's modes")
        if any(outside.values()):
            title = f"{title}\n{outside[title]:.0%} outside the picture"
        ax.set_title(title, fontsize=12)
        ax.set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    for ax in axes.flat[len(sets) :]:
        ax.set_axis_off()
    for ax in axes.flat[max(0, len(sets) - columns) : len(sets)]:  # those with none below them
        ax.set_xlabel("$x_1$")
    for ax in axes[:, 0]:
        ax.set_ylabel("$x_2$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, markerscale=1.5)
    return figure


def contest_losses(histories: Mapping[str, "GANHistory"], window: int = 20, top: float = 2.5) -> Figure:
    """The losses of both players, means over `window` steps, a panel for each history {title: GANHistory}.

    Dotted lines stand where D = ½ everywhere: log 2 for the generator, 2 log 2 for the discriminator.
    """
    size = (5 * len(histories), 4)
    figure, axes = plt.subplots(1, len(histories), figsize=size, sharey=True, squeeze=False)
    for ax, (title, history) in zip(axes[0], histories.items()):
        steps = range(1, len(history.loss_d) + 1)
        ax.plot(steps, history.smooth("loss_g", window), color=BLUE, label="generator's loss $L_G$")
        ax.plot(steps, history.smooth("loss_d", window), "--", color=VERMILLION, label="discriminator's loss $L_D$")
        ax.axhline(math.log(2), color=BLUE, linestyle=":", linewidth=1.2, label="log 2: $L_G$ where D = ½")
        ax.axhline(2 * math.log(2), color=VERMILLION, linestyle=":", linewidth=1.2, label="2 log 2: $L_D$ where D = ½")
        ax.set(title=title, xlabel="step", ylim=(0, top))
    axes[0, 0].set_ylabel(f"loss (nats), mean of {window} steps")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def distance_marks(
    panels: Mapping[str, Mapping[str, Mapping[int, "Interval"]]], floor: str, xlabel: str = "Fréchet distance"
) -> Figure:
    """Distances on a logarithmic axis, a panel a kind of data: {kind: {row: {number of samples: Interval}}}.

    The row named `floor` gives the dotted lines, one for each number of samples. Bars with ends are the intervals.
    """
    most = max(map(len, panels.values()))
    figure, axes = plt.subplots(1, len(panels), figsize=(10.4, 1.6 + 0.42 * most), sharex=True)
    numbers = sorted({n for rows in panels.values() for by_number in rows.values() for n in by_number})
    for ax, (kind, rows) in zip(np.atleast_1d(axes), panels.items()):
        for i, n in enumerate(numbers):
            for place, by_number in enumerate(rows.values()):
                if n in by_number:
                    value, y = by_number[n], place + 0.3 * i - 0.15
                    ends = [[value.value - max(value.low, 0.5)], [value.high - value.value]]
                    look = dict(color=COLOURS[i], markersize=5, capsize=4, linewidth=1.5)
                    ax.errorbar(value.value, y, xerr=ends, fmt=MARKERS[i], **look)
            if n in rows[floor]:
                ax.axvline(rows[floor][n].value, color=COLOURS[i], linestyle=":", linewidth=1.2, zorder=0)
        ax.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(most - 0.4, -0.6), xscale="log")
        ax.set(xlabel=xlabel, title=kind)
    np.atleast_1d(axes)[0].set_ylabel("samples")
    marks = []
    for colour, marker, n in zip(COLOURS, MARKERS, numbers):
        marks.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=f"{n:,} samples, 95 % interval"))
        marks.append(Line2D([], [], color=colour, linestyle=":", label=f"floor of {n:,}"))
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks))
    return figure


def runs_and_means(
    rows: Mapping[str, tuple[Sequence[float], "Interval"]],
    xlabel: str,
    lines: Mapping[str, float],
    second: str = "",
) -> Figure:
    """A mark a run, and a black bar for the 95 % interval of the mean: {row: (values, Interval)}.

    lines: {label: value}, vertical lines. second: rows with this word in their names have another colour and marker.
    """
    figure, ax = plt.subplots(figsize=(9.4, 1.9 + 0.5 * len(rows)))
    for i, (name, (values, mean)) in enumerate(rows.items()):
        other = bool(second) and second in name
        apart = np.linspace(-0.22, 0.22, len(values))  # marks of equal values stay apart
        look = dict(color=COLOURS[other], alpha=0.55, markersize=5, zorder=2)
        ax.plot(values, i + apart, MARKERS[other], **look)
        ax.plot([mean.low, mean.high], [i, i], color=BLACK, linewidth=5, zorder=3)
    handles = [Line2D([], [], color=BLUE, marker=MARKERS[0], linestyle="", label="a loss, a mark a run")]
    if second:
        label = f"{second}, a mark a run"
        handles.append(Line2D([], [], color=COLOURS[1], marker=MARKERS[1], linestyle="", label=label))
    handles.append(Line2D([], [], color=BLACK, linewidth=5, label="mean, 95 % interval"))
    for dash, (label, value) in zip((":", "--"), lines.items()):
        ax.axvline(value, color="0.3", linestyle=dash, linewidth=1.5, zorder=1)
        handles.append(Line2D([], [], color="0.3", linestyle=dash, label=label))
    ax.set(
        yticks=range(len(rows)), yticklabels=list(rows), xlabel=xlabel, ylabel="loss" if not second else "loss or clock"
    )
    ax.invert_yaxis()
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def loss_and_outcome(ax: Axes, sets: Mapping[str, tuple[Sequence[float], Sequence[float]]], ylabel: str) -> Axes:
    """An outcome against the loss at the end of a run, a mark a run: {name: (losses, outcomes)}."""
    for i, (name, (losses, outcomes)) in enumerate(sets.items()):
        ax.plot(losses, outcomes, MARKERS[i], color=COLOURS[i], alpha=0.7, markersize=6, label=name)
    ax.set(xlabel="generator's loss at the end (nats)", ylabel=ylabel)
    return ax
