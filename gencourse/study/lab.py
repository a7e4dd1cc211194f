"""The failure lab: a failure's symptom, drawn from a small run, beside its detector, measured over many seeds."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gencourse import study, widgets
from gencourse.metrics import Interval, mean_interval, share_interval


def estimates(
    name: str, *dials: str, seeds: Iterable[int] | None = None, **where: object
) -> dict[Any, dict[str, study.Estimate]]:
    """A stored study: {setting of the dials: {outcome: `study.Estimate`}}.

    A setting is a value for one dial, a tuple for several. seeds: only these; where: only runs with these settings.
    """
    chosen = None if seeds is None else set(seeds)
    runs = [run for run in study.load(name).runs if chosen is None or run.seed in chosen]
    rows = {}
    for each in study.summary(run for run in runs if where.items() <= run.settings.items()):
        key = tuple(each.settings[dial] for dial in dials)
        rows.setdefault(key if len(dials) > 1 else key[0], {})[each.outcome] = each
    return rows


def four(values: Iterable) -> list:
    """Four of the values that were measured, the first and the last among them, for the four positions of a dial."""
    values = list(values)
    return [values[round(i * (len(values) - 1) / 3)] for i in range(4)]


def table(
    name: str, dials: list[str], outcomes: list[str], seeds: Iterable[int] | None = None, **where: object
) -> dict[Any, dict[str, study.Estimate]]:
    """Print a stored study, a line a setting, each outcome with its 95 % interval; give what `estimates` gives."""
    packed, rows = study.load(name), estimates(name, *dials, seeds=seeds, **where)
    failed = sum(run.error is not None for run in packed.runs)
    print(f"made by: {packed.command}\n{len(packed.runs)} runs, {failed} failed\n")
    size = math.ceil(len(outcomes) / math.ceil(len(outcomes) / 4))  # columns in a block: at most four
    for some in (outcomes[i : i + size] for i in range(0, len(outcomes), size)):
        lines = [[", ".join(dials), "runs", *some]]
        for key, row in rows.items():
            cells = [f"{row[o].mean:.3g} [{_limit(row[o].low)}, {_limit(row[o].high)}]" for o in some]
            lines.append([", ".join(map(str, key if len(dials) > 1 else [key])), str(row[some[0]].n), *cells])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        print("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines), end="\n\n")
    return rows


def spread(name: str, outcome: str, *dials: str) -> None:
    """Print the least, the median and the most of one outcome over the seeds: for means that one seed can carry."""
    groups = {}
    for run in study.load(name).runs:
        groups.setdefault(tuple(run.settings[dial] for dial in dials), []).append(run.result[outcome])
    for key, values in groups.items():
        least, median, most = min(values), statistics.median(values), max(values)
        print(f"{outcome}, {', '.join(map(str, key)):20s} least {least:.3g}, median {median:.3g}, most {most:.3g}")


def by_seed(name: str, outcome: str, **where: object) -> dict[int, Any]:
    """One outcome of a stored study, of the runs with the settings `where`: {seed: value}. KeyError if there is none.

    >>> sorted(by_seed("blur", "agrees", sigma=2.0))[:3]
    [0, 1, 2]
    """
    found = {
        run.seed: run.result[outcome]
        for run in study.load(name).runs
        if run.result is not None and where.items() <= run.settings.items()
    }
    if not found:
        raise KeyError(f"{name} has no run with {where}")
    return found


def ranks(first: Iterable[float], second: Iterable[float]) -> tuple[float, float]:
    """The share of all pairs in which the value of `first` is the larger (ties count ½), and Mann and Whitney's p.

    ½ where the two are alike. It asks for the order only, so that a few wild values do not carry it.

    >>> ranks([2, 3, 1e9], [0, 1])[0]
    1.0
    """
    from scipy import stats

    first, second = list(first), list(second)
    test = stats.mannwhitneyu(first, second)
    return float(test.statistic) / (len(first) * len(second)), float(test.pvalue)


def paired(
    name: str,
    outcome: str | tuple[str, str],
    first: Mapping[str, object],
    second: Mapping[str, object],
    form: str = "+.3f",
) -> Interval:
    """Print an outcome of the runs with settings `first` less that with settings `second`, seed by seed: the interval.

    outcome: a pair, if another one is to be taken from the second.
    """  # fmt: skip
    one, two = (outcome, outcome) if isinstance(outcome, str) else outcome
    a, b = by_seed(name, one, **first), by_seed(name, two, **second)
    less = mean_interval(a[s] - b[s] for s in a)
    shared = {key: value for key, value in first.items() if second.get(key) == value}
    names = [_named({key: each[key] for key in each if key not in shared}) for each in (first, second)]
    if one == two:
        what = f"{one}{f' ({_named(shared)})' if shared else ''}: {names[0]} less {names[1]}"
    else:
        what = f"{one} less {two} ({_named(shared)})"
    print(f"{what}, seed by seed: {less.text(form)}")
    return less


def farther(
    outcome: str, first: tuple[str, Mapping[str, object]], second: tuple[str, Mapping[str, object]]
) -> Interval:
    """Print and give the share of seeds in which an outcome is larger in the first runs; each is (study, settings).

    Beside it stand the share of all pairs in which it is larger, and Mann and Whitney's p.
    """
    a, b = (by_seed(name, outcome, **settings) for name, settings in (first, second))
    yes, (pairs, p) = [a[s] > b[s] for s in a], ranks(a.values(), b.values())
    names = [f"{name}, {_named(settings)}" for name, settings in (first, second)]
    print(f"{names[0]} > {names[1]}: in {sum(yes)} of {len(yes)} seeds, {pairs:.2f} of pairs, p = {p:.1g}")
    return share_interval(yes)


def _named(settings: Mapping[str, object]) -> str:
    """Settings in words, such as `sigma = 2`; "all" if there are none."""
    words = (
        f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}" for key, value in settings.items()
    )
    return ", ".join(words) or "all"


NAMES = {  # of outcomes, in the legends of the lab
    "recognised": "recognised (share)",
    "plausible": "plausible (share)",
    "gap": "train − held out (nats a point)",
    "grey": "grey, codes from N(0, 1)",
    "grey_codes": "grey, codes of the strips",
    "gap_decoded": "train − unseen (nats)",
    "kl": "KL, all dimensions (nats)",
    "collapsed": "collapsed (share of seeds)",
    "gradient": "gradient of G (norm)",
    "d_fake": "D(G(z)), mean",
    "own": "its own discriminator right",
    "other": "another discriminator right",
    "settled": "at rest (share of seeds)",
}


@dataclass(frozen=True)
class Failure:
    """One failure of the lab.

    study: the stored study that counts it, of the runs with the settings `where`. dial: what is turned; values: at its
    four positions. shows: the outcomes that detect it. unit: of the values, in words. measure: what the vertical axis
    shows, and on which side the failure lies. lines: reference values, {name: value}. limits: of the vertical axis.
    seeds: only these. legend: where it stands. draw(axes, value): the symptom, which `drawn` adds.
    """

    study: str
    dial: str
    values: list
    shows: tuple[str, ...]
    unit: str
    where: Mapping[str, object] = field(default_factory=dict)
    measure: str = ""
    lines: Mapping[str, float] = field(default_factory=dict)
    limits: tuple[float, float] | None = None
    seeds: tuple[int, ...] | None = None
    legend: str = "best"
    draw: Callable[[Axes, Any], object] | None = None

    def drawn(self, draw: Callable[[Axes, Any], object]) -> "Failure":
        """The same failure with a symptom: draw(axes, value of the dial)."""
        return replace(self, draw=draw)

    @cached_property
    def rows(self) -> dict[Any, dict[str, study.Estimate]]:
        """{value: {outcome: estimate}}."""
        return estimates(self.study, self.dial, seeds=self.seeds, **self.where)

    def picture(self, position: int, dpi: int = 66) -> Figure:
        """The symptom at a position of the dial, 1 to 4, and at its right the detector at all four: a Figure.

        Raises ValueError where no symptom was added.
        """
        if self.draw is None:
            raise ValueError(f"no symptom is drawn for the study {self.study}; add one by failure.drawn(draw)")
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(7.0, 2.9), dpi=dpi, width_ratios=(1, 1.15), layout="constrained"
        )
        self.draw(left, self.values[position - 1])
        self.curve(right)
        right.axvspan(position - 0.3, position + 0.3, color="0.9", zorder=0)
        return figure

    def curve(self, right: Axes, fontsize: float = 10) -> None:
        """Draw the detector, with its 95 % interval, at the four positions of the dial."""
        for outcome, style in zip(self.shows, ("o-", "s--"), strict=False):
            here = [self.rows[value][outcome] for value in self.values]
            off = [[each.mean - each.low for each in here], [each.high - each.mean for each in here]]
            name = NAMES.get(outcome, outcome)
            right.errorbar(range(1, 5), [each.mean for each in here], off, fmt=style, capsize=4, label=name)
        for (name, value), style in zip(self.lines.items(), (":", "-."), strict=False):
            right.axhline(value, color="0.35", linestyle=style, linewidth=1.3, label=name)
        named = [f"{value:g}" if isinstance(value, (int, float)) else value for value in self.values]
        right.set(xticks=range(1, 5), xticklabels=named, xlim=(0.5, 4.5), ylim=self.limits)
        right.set_xlabel(self.unit.split(";")[0].split(" (left")[0], fontsize=fontsize + 1)
        right.set_ylabel(self.measure, fontsize=fontsize + 1)
        right.tick_params(labelsize=fontsize + 1)
        right.legend(fontsize=fontsize, loc=self.legend)

    def words(self, position: int) -> str:
        """What the detector says at a position of the dial."""
        value = self.values[position - 1]
        here = {outcome: self.rows[value][outcome] for outcome in self.shows}
        told = "; ".join(f"{outcome} {e.mean:.3g} [{e.low:.3g}, {e.high:.3g}]" for outcome, e in here.items())
        return f"{value}: {self.unit}. Over {next(iter(here.values())).n} seeds: {told}."


def nine_failures() -> dict[str, Failure]:
    """The failures of notebook 05, each with the study that counts it, mildest first; no symptom is drawn yet."""
    textures = dict(images="textures", free_bits=0.0)
    original, ring = dict(loss="original"), dict(points="ring", steps_d=1, effort=1.0)

    def failure(
        name: str, dial: str, shows: tuple[str, ...], unit: str, falls: bool = False, **where: object
    ) -> Failure:
        values = four(sorted(estimates(name, dial, **where), reverse=falls))
        return Failure(name, dial, values, shows, unit, where)

    orbit = dict(where=dict(loss="original", noise=0.0), unit="γ of R1")
    lost = dict(where=ring, unit="method (left: a mark a seed; right: ring)")
    copies = "β; rows: training digits, decoded from their codes, the model's own"
    flipped = "share of pixels turned over, rows 1 to 12"
    true = next(iter(estimates("wrong-prefix", "flipped").values()))
    true = {f"true digits, {key}": true[f"true_{key}"].mean for key in ("recognised", "plausible")}
    shares = dict(limits=(-0.05, 1.08))
    looks = {  # what the vertical axis shows, and what a model without the failure has
        "a wrong prefix": dict(
            measure="share of 64 digits (failure: low)", lines=true, limits=(-0.12, 1.05), legend="lower left"
        ),
        "a component that collapses": dict(
            measure="share; nats a point (failure: high)",
            lines={"neither": 0.0},
            limits=(-0.95, 1.9),
            legend="lower right",
        ),
        "blur": dict(
            measure="greyness (failure: high)",
            lines={"sharp": 0.0, "the average": 1.0},
            limits=(-0.75, 1.1),
            legend="lower right",
        ),
        "memorising": dict(measure="nats an image (failure: high)", lines={"new digits": 0.0}),
        "a code that says nothing": dict(measure="nats an image (failure: low)", lines={"collapsed": 0.0}),
        "lost modes": dict(measure="share of 20 seeds (failure: high)", lines={"none lost": 0.0}, **shares),
        "a discriminator that is ahead": dict(
            measure="norm; probability (failure: low)", lines={"D cannot tell": 0.5}, limits=(-0.05, 1.1)
        ),
        "a weak discriminator": dict(
            measure="share right (failure: own low)",
            lines={"guessing": 0.5},
            limits=(0.1, 1.05),
            legend="lower left",
            seeds=tuple(range(20, 40)),
        ),
        "an orbit": dict(measure="share of 100 seeds (failure: low)", lines={"all come to rest": 1.0}, **shares),
    }
    found = {
        "a wrong prefix": failure("wrong-prefix", "flipped", ("recognised", "plausible"), flipped),
        "a component that collapses": failure(
            "gmm-singular", "floor", ("collapsed", "gap"), "variance floor", True, n=30
        ),
        "blur": failure("blur", "sigma", ("grey", "grey_codes"), "σ of the decoder"),
        "memorising": failure("memorise", "beta", ("gap_decoded",), copies, True),
        "a code that says nothing": failure(
            "posterior-collapse", "context", ("kl",), "pixels before, that the decoder sees", **textures
        ),
        "lost modes": Failure(
            "mode-collapse", "method", ["recipe", "packing", "plain", "original"], ("collapsed",), **lost
        ),
        "a discriminator that is ahead": failure(
            "too-strong", "head_start", ("gradient", "d_fake"), "steps that D learned alone", **original
        ),
        "a weak discriminator": failure("stupid-judge", "width", ("own", "other"), "units of the discriminator", True),
        "an orbit": Failure("dirac-orbit", "r1", [1.0, 0.3, 0.1, 0.0], ("settled",), **orbit),
    }
    return {name: replace(each, **looks[name]) for name, each in found.items()}


def overview(failures: Mapping[str, Failure]) -> Figure:
    """The detectors of nine failures at the four positions of their dials: a Figure of 3 × 3 panels."""
    figure, axes = plt.subplots(3, 3, figsize=(10.2, 8.8), layout="constrained")
    for ax, (name, each) in zip(axes.flat, failures.items(), strict=True):
        each.curve(ax, fontsize=8)
        side = each.measure.rpartition("(")[2].rstrip(")")  # on which side the failure lies
        ax.set_title(f"{name}\n{side}" if side else name, fontsize=11)
    return figure


def interval_curves(ax: Axes, rows: Mapping[Any, Mapping[str, study.Estimate]], outcomes: Mapping[str, str]) -> Axes:
    """Means with their 95 % intervals over the settings of `rows`, evenly spaced: outcomes is {name: outcome}."""
    for (name, outcome), style in zip(outcomes.items(), ("o-", "s--", "D-.", "^:"), strict=False):
        here = [row[outcome] for row in rows.values()]
        off = [[each.mean - each.low for each in here], [each.high - each.mean for each in here]]
        ax.errorbar(range(len(here)), [each.mean for each in here], off, fmt=style, capsize=4, label=name)
    ax.set_xticks(range(len(rows)), [f"{value:g}" for value in rows])
    return ax


def explore(failures: Mapping[str, Failure], start: tuple[str, int]) -> None:
    """Put the lab on the page: dials for the failure and for the position of its own dial, 1 to 4."""
    widgets.explorer(
        {"failure": list(failures), "dial": [1, 2, 3, 4]},
        lambda name, position: failures[name].picture(position),
        captions=lambda name, position: failures[name].words(position),
        start=start,
        alt="Symptom of the chosen failure at the left, its detector over many seeds at the right",
    )


def _limit(value: float) -> str:
    """The end of an interval, in two digits, or three where it is large."""
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2g}"
