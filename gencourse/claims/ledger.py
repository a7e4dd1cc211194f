"""The ledger: what a claim is, and the list of all."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gencourse.claims.outcome import Outcome, Part, together
from gencourse.metrics import Interval
from gencourse.support.errors import UnknownName

Rule = Callable[..., list[Part]]


@dataclass(frozen=True)
class Decision:
    """What the rule of a claim said of some measurements: the outcome, and each part of it.

    >>> print(*Decision(Outcome.HOLDS, [Part("leaking pairs", "0", "less than 1", Outcome.HOLDS)]).parts)
    ✓ leaking pairs: 0; asked: less than 1
    """

    outcome: Outcome
    parts: list[Part]


@dataclass(frozen=True)
class Claim:
    """A sentence of the lecture notes as an experiment that can fail.

    `sentence` is the notes' own, `claim` the same made testable, `measured_by` what decides it. `rule` takes the
    measurements and returns the parts of the decision; it was written on the day `since`, and `before` tells what an
    earlier rule was and why it went. A claim is `exact` where no training and no clock stands between the sentence and
    its measurement, and what chance draws cannot change the outcome: it comes out alike in every run.

    >>> from gencourse.claims.outcome import below
    >>> rule = lambda leaks: [below("pairs", leaks, 1)]
    >>> toy = Claim("ST9", "00_start_here", "Notes.", "Nothing leaks.", "pairs that leak", rule, "2026-11-30")
    >>> toy.decide(leaks=3).outcome
    <Outcome.FAILS: 'does not hold'>
    """

    id: str
    notebook: str
    sentence: str
    claim: str
    measured_by: str
    rule: Rule
    since: str
    before: str = ""
    exact: bool = False

    def decide(self, **measurements: Any) -> Decision:
        """The decision of the rule on these measurements.

        Raises TypeError where they are not those that the rule takes, and ValueError for NaN.
        """
        wanted = inspect.signature(self.rule).parameters
        if wanted.keys() != measurements.keys():
            raise TypeError(
                f"{self.id} is decided by {', '.join(wanted)}; given: {', '.join(measurements) or 'nothing'}"
            )
        parts = self.rule(**measurements)
        return Decision(together(parts), parts)


CLAIMS: dict[str, Claim] = {}


def claim(
    id: str,
    notebook: str,
    *,
    notes: str,
    says: str,
    measured_by: str,
    since: str,
    before: str = "",
    exact: bool = False,
) -> Callable[[Rule], Rule]:
    """Enter a claim into the ledger; the function below is its rule. The arguments are those of `Claim`."""

    def enter(rule: Rule) -> Rule:
        CLAIMS[id] = Claim(id, notebook, notes, says, measured_by, rule, since, before, exact)
        return rule

    return enter


def find(id: str) -> Claim:
    """The claim of this number. Raises KeyError, naming all, where there is none."""
    if id not in CLAIMS:
        raise UnknownName(f"there is no claim {id!r}; the ledger has {', '.join(CLAIMS)}")
    return CLAIMS[id]


# Measurements as they are stored beside a decision --------------------------------------------------------------


def as_stored(thing: Any) -> Any:
    """Measurements as JSON has them: numbers, texts, lists, mappings, and intervals as mappings of four numbers.

    The keys of a mapping are sorted, as the file of a notebook sorts them, so that a rule sees the same order there.
    Raises TypeError for other things.
    """
    if isinstance(thing, Interval):
        return {name: None if abs(end) == float("inf") else as_stored(end) for name, end in thing._asdict().items()}
    if isinstance(thing, bool | str) or thing is None:
        return thing
    if isinstance(thing, int | float):
        return thing
    if isinstance(thing, Mapping):
        return {str(key): as_stored(value) for key, value in sorted(thing.items(), key=lambda pair: str(pair[0]))}
    if isinstance(thing, list | tuple):
        return [as_stored(each) for each in thing]
    if hasattr(thing, "tolist"):  # arrays and tensors, and their numbers
        return as_stored(thing.tolist())
    raise TypeError(
        f"a measurement is {type(thing).__name__} {thing!r:.80}; expected numbers, intervals, lists or dicts"
    )


def from_stored(thing: Any) -> Any:
    """The inverse of `as_stored`."""
    if isinstance(thing, Mapping):
        if set(thing) == set(Interval._fields):  # in whatever order: a notebook's file sorts its keys
            ends = {"low": float("-inf"), "high": float("inf")}
            return Interval(*(ends.get(name) if thing[name] is None else thing[name] for name in Interval._fields))
        return {key: from_stored(value) for key, value in thing.items()}
    if isinstance(thing, list):
        return [from_stored(each) for each in thing]
    return thing
