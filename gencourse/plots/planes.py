"""Points in the plane, and functions over it."""

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from gencourse.plots.arrays import Numbers, array, rgb
from gencourse.plots.page import COLOURS, MARKERS, VERMILLION


def mixture(
    ax: Axes,
    x: Numbers,
    weights: Numbers,
    means: Numbers,
    covariances: Numbers,
    shares: Numbers | None = None,
    title: str = "",
    aside: float = 0.0,
) -> Axes:
    """Points (N, 2) and the components of a mixture, each with its number at its mean, or so far above it: `aside`.

    An ellipse of one standard deviation is drawn in full, the thicker the larger the weight, one of two dashed.

    weights: (K,). means: (K, 2). covariances: (K, 2, 2), variances (K, 2), or one variance a component (K,).
    shares: (N, K) responsibilities: colours are mixed by them, the marker is that of the largest. Else points are grey.
    """
    x, weights, means = (array(values).astype(float) for values in (x, weights, means))
    covariances = array(covariances).astype(float)
    k = len(means)
    if x.ndim != 2 or x.shape[1] != 2 or means.shape != (k, 2) or weights.shape != (k,):
        raise ValueError(f"x {x.shape}, weights {weights.shape}, means {means.shape}; expected (N, 2), (K,), (K, 2)")
    if covariances.shape not in ((k, 2, 2), (k, 2), (k,)):
        raise ValueError(f"covariances have shape {covariances.shape}; expected ({k}, 2, 2), ({k}, 2) or ({k},)")
    if covariances.ndim < 3:
        covariances = covariances.reshape(k, -1)[..., None] * np.eye(2)
    if shares is None:
        ax.plot(*x.T, "o", color="0.6", markersize=3, zorder=1)
    else:
        _shared_points(ax, x, array(shares).astype(float), k)
    for i, (weight, mean, covariance) in enumerate(zip(weights, means, covariances, strict=True)):
        variances, axes = np.linalg.eigh(covariance)
        angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
        for n, line in ((1, "-"), (2, "--")):
            height, width = 2 * n * np.sqrt(variances.clip(min=0))
            ax.add_patch(
                Ellipse(
                    mean,
                    width,
                    height,
                    angle=angle,
                    fill=False,
                    edgecolor="black",
                    linestyle=line,
                    linewidth=0.8 + 3 * weight if n == 1 else 0.8,
                    zorder=3,
                )
            )
        box = dict(boxstyle="circle,pad=0.15", facecolor="white", edgecolor=COLOURS[i % len(COLOURS)], linewidth=2)
        ax.text(
            mean[0],
            mean[1] + aside,
            str(i + 1),
            ha="center",
            va="center",
            fontsize=12,
            bbox=box,
            zorder=4,
            clip_on=True,
        )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    return ax


def clouds(points: Mapping[str, Numbers], extent: Sequence[float]) -> Figure:
    """Points of the plane side by side on equal axes: {title: (N, 2)}; extent: left, right, bottom, top."""
    left, right, bottom, top = extent
    if not points:
        raise ValueError("points is empty; expected {title: (N, 2)}")
    figure, axes = plt.subplots(1, len(points), figsize=(3.9 * len(points), 3.7), squeeze=False, sharey=True)
    for i, (ax, (name, each)) in enumerate(zip(axes[0], points.items(), strict=True)):
        ax.plot(*array(each).T, MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], markersize=3)
        ax.set(title=name, xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top), aspect="equal")
        ax.label_outer()
    return figure


def _shared_points(ax: Axes, x: np.ndarray, shares: np.ndarray, k: int) -> None:
    if shares.shape != (len(x), k):
        raise ValueError(f"shares have shape {shares.shape}; expected ({len(x)}, {k}), a row for each point")
    steps = np.rint(shares * 4) / 4  # few shades make a small file
    colours = (steps / steps.sum(1, keepdims=True)) @ np.array([rgb(COLOURS[i % len(COLOURS)]) for i in range(k)])
    first = shares.argmax(1)
    for i in range(k):
        ax.scatter(*x[first == i].T, c=colours[first == i], s=14, marker=MARKERS[i % len(MARKERS)], linewidths=0)


def heat_maps(
    maps: Mapping[str, Numbers | Callable[[torch.Tensor], Numbers]],
    extent: Sequence[float],
    points: Numbers | None = None,
    cells: int = 110,
    ax: Axes | None = None,
) -> Figure:
    """Densities over the plane side by side, each from 0 to its own highest value.

    maps: {title: (H, W) values, bottom row first, or a function of (N, 2) float64 points, asked at `cells` places from
    left to right}. extent: left, right, bottom, top. points: (N, 2), drawn over each. ax: to draw a single map into.
    """
    if not maps or (ax is not None and len(maps) > 1):
        raise ValueError(f"maps has {len(maps)} entries; expected {{title: values or function}}, one if ax is given")
    left, right, bottom, top = extent
    height = min(3.2, 9.6 / len(maps)) * (top - bottom) / (right - left) + 0.9
    figure, axes = (
        (ax.figure, [ax])
        if ax is not None
        else plt.subplots(1, len(maps), figsize=(min(3.3 * len(maps) + 0.6, 10.2), height), squeeze=False, sharey=True)
    )
    for place, (name, values) in zip(np.ravel(axes), maps.items(), strict=True):
        values = _on_the_plane(values, extent, cells) if callable(values) else array(values).astype(float)
        if values.ndim != 2:
            raise ValueError(f"{name!r} has shape {values.shape}; expected (H, W), or a function of (N, 2) points")
        shades = plt.get_cmap("viridis", 24)  # more of them would only make the file large
        place.imshow(values, origin="lower", extent=tuple(extent), cmap=shades, vmin=0, interpolation="nearest")
        if points is not None:
            place.plot(*array(points).T, ".", color="white", markersize=2.5)
        place.set(title=name, xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top))
        place.label_outer()
    return figure


def _on_the_plane(function: Callable[[torch.Tensor], Numbers], extent: Sequence[float], cells: int) -> np.ndarray:
    left, right, bottom, top = extent
    rows = max(2, round(cells * (top - bottom) / (right - left)))
    columns = left + (right - left) * (np.arange(cells) + 0.5) / cells
    heights = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
    points = np.stack(np.meshgrid(columns, heights), -1).reshape(-1, 2)
    return array(function(torch.from_numpy(points))).astype(float).reshape(rows, cells)


def contest(
    verdict: Numbers | Callable[[torch.Tensor], Numbers],
    centres: Numbers,
    samples: Numbers,
    extent: Sequence[float],
    cells: int = 60,
    title: str = "",
) -> Figure:
    """The plane as a discriminator sees it, from D = 0, dark, to D = 1, light, and a generator's samples on it.

    Small, for a film: many of them have to fit into one notebook.

    verdict: (H, W) values of D, bottom row first, or a function of (N, 2) float64 points, asked at `cells` places from
    left to right. centres: (K, 2), where data are: crosses. samples: (N, 2): dots. extent: left, right, bottom, top.
    """
    values = _on_the_plane(verdict, extent, cells) if callable(verdict) else array(verdict).astype(float)
    centres, samples = array(centres), array(samples)
    for name, points in (("centres", centres), ("samples", samples)):
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{name} have shape {points.shape}; expected (N, 2)")
    if values.ndim != 2 or not (values >= 0).all() or not (values <= 1).all():
        raise ValueError(f"verdict has shape {values.shape} and not only probabilities; expected (H, W) values of D")
    left, right, bottom, top = extent
    figure, ax = plt.subplots(figsize=(5.6, 4.5 * (top - bottom) / (right - left)), dpi=72)
    shades = plt.get_cmap("cividis", 16)
    image = ax.imshow(values, origin="lower", extent=tuple(extent), cmap=shades, vmin=0, vmax=1)
    ax.plot(*centres.T, "P", color="white", markeredgecolor="black", markersize=9, linestyle="none", label="data")
    ax.plot(
        *samples.T,
        "o",
        color=VERMILLION,
        markeredgecolor="black",
        markeredgewidth=0.3,
        markersize=3.5,
        linestyle="none",
        label="samples",
    )
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top), title=title)
    figure.colorbar(image, ax=ax, label="D, probability of data")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def posteriors(mean: Numbers, std: Numbers, kinds: Sequence[int], extent: float = 4.0) -> Axes:
    """Gaussians with a diagonal covariance on the map of two codes: ellipses of two standard deviations, with labels.

    Two circles are those of one and two standard deviations of N(0, I). A label that would lie on another is left out.

    mean, std: (N, 2) each, code units. kinds: (N,), 0 to 9, the label and the colour. extent: the plane from -extent to
    extent.
    """
    mean, std = array(mean).astype(float), array(std).astype(float)
    kinds = [int(kind) for kind in kinds]
    if mean.ndim != 2 or mean.shape[1:] != (2,) or std.shape != mean.shape or len(kinds) != len(mean):
        raise ValueError(f"mean {mean.shape}, std {std.shape}, {len(kinds)} kinds; expected (N, 2) twice, and N kinds")
    ax = plt.subplots(figsize=(7, 7), layout="constrained")[1]
    colours, written = plt.get_cmap("tab10"), []
    for centre, spread, kind in zip(mean, std, kinds):
        ax.add_patch(Ellipse(centre, *(4 * spread), color=colours(kind), alpha=0.45, linewidth=0))
        if all(np.abs(centre - other).max() > 0.04 * extent for other in written):
            ax.text(*centre, str(kind), ha="center", va="center", fontsize=10, clip_on=True)
            written.append(centre)
    for radius, dash in ((1, ":"), (2, "--")):
        name = f"{radius} standard deviation{'s' * (radius > 1)} of N(0, I)"
        ax.add_patch(plt.Circle((0, 0), radius, fill=False, color="black", linestyle=dash, linewidth=2, label=name))
    ax.set(xlabel="$z_1$", ylabel="$z_2$", box_aspect=1, xlim=(-extent, extent), ylim=(-extent, extent))
    ax.figure.legend(loc="outside upper center", ncols=2)
    return ax


def verdict(
    ax: Axes,
    discriminator: Callable[[torch.Tensor], torch.Tensor],
    centres: Numbers,
    samples: Numbers,
    reach: float = 5.5,
    sigma: float | None = None,
) -> AxesImage:
    """D over the plane, from 0, dark, to 1, light; centres of the data as crosses and 300 samples as dots.

    discriminator: (N, 2) -> logits (N,). centres: (K, 2). samples: (N, 2). reach: the panel ends at -reach and reach.
    sigma: with it, a circle of 3σ stands around each centre; a sample inside is good. Returns the map.
    """
    at = torch.linspace(-reach, reach, 45)
    with torch.no_grad():
        belief = discriminator(torch.cartesian_prod(at, at)).sigmoid().view(45, 45).T
    shades = plt.get_cmap("cividis", 12)
    image = ax.imshow(array(belief), origin="lower", extent=(-reach, reach) * 2, cmap=shades, vmin=0, vmax=1)
    samples = array(samples)[:300]
    if sigma is None:
        ax.plot(*array(centres).T, "P", color="white", markeredgecolor="black", markersize=6, label="centre of a mode")
    ax.plot(*samples.T, "o", color=VERMILLION, markersize=2.2, linestyle="none", label="sample")
    for centre in array(centres) if sigma else ():
        ax.add_patch(Ellipse(centre, 6 * sigma, 6 * sigma, fill=False, edgecolor="white", linewidth=1.5, zorder=3))
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-reach, reach), ylim=(-reach, reach))
    return image


def verdicts(
    panels: Mapping[str, tuple[Callable[[torch.Tensor], torch.Tensor], Numbers]],
    centres: Numbers,
    reach: float = 5.5,
    sigma: float | None = None,
) -> Figure:
    """`verdict` for each {title: (discriminator, samples)}, side by side, with one colour bar and one legend."""
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(10.2, 3.4 if len(panels) > 2 else 4.4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (title, (discriminator, samples)) in zip(axes[0], panels.items(), strict=True):
        image = verdict(ax, discriminator, centres, samples, reach, sigma)
        ax.set_title(title, fontsize=11)
        ax.label_outer()
    figure.colorbar(image, ax=axes[0], label="D(x)" if len(panels) > 2 else "D(x), probability of data", shrink=0.6)
    handles, names = axes[0, 0].get_legend_handles_labels()
    if sigma:
        handles.append(Line2D([], [], marker="o", color="0.5", markerfacecolor="none", markersize=9, linestyle="none"))
        names.append("white circle: 3σ around the centre of a mode")
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=10)
    return figure
