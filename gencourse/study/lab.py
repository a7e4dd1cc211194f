"""The failure lab: a failure's symptom, drawn from a small run, beside its detector, measured over many seeds."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gencourse import study, widgets


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


NAMES = {  # of outcomes, in the legends of the lab
    "recognised": "recognised (share)",
    "plausible": "plausible (share)",
    "gap": "train − held out (nats a point)",
    "grey": "grey, codes from N(0, 1)",
    "grey_codes": "grey, codes of the strips",
    "gap_decoded": "train − unseen (nats)",
    "kl": "KL, all dimensions (nats)",
    "collapsed": "heap missing (share of seeds)",
    "gradient": "gradient of G (norm)",
    "d_fake": "D(G(z)), mean",
    "own": "its own judge right (share)",
    "other": "another judge right (share)",
    "settled": "at rest (share of seeds)",
}


@dataclass(frozen=True)
class Failure:
    """One failure of the lab.

    study: the stored study that counts it, of the runs with the settings `where`. dial: what is turned; values: at its
    four positions. shows: the outcomes that detect it. draw(axes, value): the symptom. unit: of the values, in words.
    """

    study: str
    dial: str
    values: list
    shows: tuple[str, ...]
    draw: Callable[[Axes, Any], object]
    unit: str
    where: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[Any, dict[str, study.Estimate]]:
        """{value: {outcome: estimate}}."""
        return estimates(self.study, self.dial, **self.where)

    def picture(self, position: int) -> Figure:
        """The symptom at a position of the dial, 1 to 4, and at its right the detector at all four: a Figure."""
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.1), dpi=66, width_ratios=(1.1, 1))
        self.draw(left, self.values[position - 1])
        for outcome, style in zip(self.shows, ("o-", "s--"), strict=False):
            here = [self.rows[value][outcome] for value in self.values]
            off = [[each.mean - each.low for each in here], [each.high - each.mean for each in here]]
            name = NAMES.get(outcome, outcome)
            right.errorbar(range(1, 5), [each.mean for each in here], off, fmt=style, capsize=4, label=name)
        right.axvspan(position - 0.3, position + 0.3, color="0.9", zorder=0)
        named = [f"{value:g}" if isinstance(value, (int, float)) else value for value in self.values]
        right.set(xticks=range(1, 5), xticklabels=named, xlim=(0.5, 4.5), xlabel=self.dial)
        right.legend(fontsize=10)
        return figure

    def words(self, position: int) -> str:
        """What the detector says at a position of the dial."""
        value = self.values[position - 1]
        here = {outcome: self.rows[value][outcome] for outcome in self.shows}
        told = "; ".join(f"{outcome} {e.mean:.3g} [{e.low:.3g}, {e.high:.3g}]" for outcome, e in here.items())
        return f"{value}: {self.unit}. Over {next(iter(here.values())).n} seeds: {told}."


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
