"""What a rule says of measurements: *holds*, *does not hold*, or *not settled*, part by part.

A part compares one measured number with what its sentence asks. A number with an interval (`metrics.Interval`) is
settled where the whole interval lies on one side of the limit. A rule is a list of parts, and holds where each does.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gencourse.metrics import Interval


class Outcome(StrEnum):
    """What became of a claim, or of a part of it.

    >>> Outcome("not settled").mark
    '?'
    """

    HOLDS = "holds"
    FAILS = "does not hold"
    OPEN = "not settled"

    @property
    def mark(self) -> str:
        """A sign for it: ✓, ✗ or ?."""
        return {"holds": "✓", "does not hold": "✗", "not settled": "?"}[self.value]

    @property
    def verb(self) -> str:
        """What is said of the claim: it holds, it does not hold, it is not settled."""
        return "is not settled" if self is Outcome.OPEN else self.value


@dataclass(frozen=True)
class Part:
    """One comparison: what was measured, the number in words, what was asked of it, and what came of it.

    >>> print(Part("passes an image", "784", "784", Outcome.HOLDS))
    ✓ passes an image: 784; asked: 784
    """

    what: str
    measured: str
    asked: str
    outcome: Outcome

    def __str__(self) -> str:
        asked = f"; asked: {self.asked}" if self.asked else ""
        return f"{self.outcome.mark} {self.what}: {self.measured}{asked}"


Measured = float | Interval


def above(what: str, measured: Measured, limit: float, unit: str = "", form: str = ".3g") -> Part:
    """A part that holds where the number, with all of its interval, is above the limit.

    `what` names the number, `unit` comes behind it, `form` is its format. A plain number is exact.

    >>> str(above("nats saved", Interval(9.8, 9.1, 10.5, 10), 9))
    '✓ nats saved: 9.8 (9.1 to 10.5); asked: more than 9'
    """
    it = as_interval(what, measured)
    outcome = Outcome.HOLDS if it.low > limit else Outcome.FAILS if it.high <= limit else Outcome.OPEN
    return _part(what, it, f"more than {limit:{form}}", unit, form, outcome)


def below(what: str, measured: Measured, limit: float, unit: str = "", form: str = ".3g") -> Part:
    """A part that holds where the number, with all of its interval, is below the limit.

    >>> str(below("leaking pairs", 3, 1))
    '✗ leaking pairs: 3; asked: less than 1'
    """
    it = as_interval(what, measured)
    outcome = Outcome.HOLDS if it.high < limit else Outcome.FAILS if it.low >= limit else Outcome.OPEN
    return _part(what, it, f"less than {limit:{form}}", unit, form, outcome)


def within(what: str, measured: Measured, low: float, high: float, unit: str = "", form: str = ".3g") -> Part:
    """A part that holds where the number, with all of its interval, lies between two limits.

    >>> str(within("Σp", 0.23, 0.99, 1.01))
    '✗ Σp: 0.23; asked: 0.99 to 1.01'
    """
    it = as_interval(what, measured)
    inside, outside = low <= it.low and it.high <= high, it.high < low or it.low > high
    outcome = Outcome.HOLDS if inside else Outcome.FAILS if outside else Outcome.OPEN
    return _part(what, it, f"{low:{form}} to {high:{form}}", unit, form, outcome)


def equal(what: str, measured: object, expected: object, unit: str = "") -> Part:
    """A part that holds where two exact things, such as counts, are the same.

    >>> str(equal("passes an image", 784, 784))
    '✓ passes an image: 784; asked: 784'
    """
    outcome = Outcome.HOLDS if measured == expected else Outcome.FAILS
    return Part(what, _with(_shown(measured), unit), _shown(expected), outcome)


def together(parts: Iterable[Part]) -> Outcome:
    """What all parts say together: one that does not hold decides, then one that is not settled.

    >>> together([below("a", 0, 1), above("b", Interval(2, 0, 4), 1)])
    <Outcome.OPEN: 'not settled'>
    """
    outcomes = {part.outcome for part in parts}
    return next((each for each in (Outcome.FAILS, Outcome.OPEN) if each in outcomes), Outcome.HOLDS)


def as_interval(what: str, measured: Measured) -> Interval:
    """A measurement as an interval; a plain number is exact. TypeError for another thing, ValueError for NaN."""
    if isinstance(measured, Interval):
        it = measured
    elif hasattr(measured, "item") and math.prod(getattr(measured, "shape", ())) == 1:
        return as_interval(what, measured.item())
    elif isinstance(measured, numbers.Real):
        it = Interval(float(measured), float(measured), float(measured))
    else:
        raise TypeError(
            f"{what} is {measured!r:.100}; expected a number or an Interval, as metrics.mean_interval gives"
        )
    if any(each != each for each in it[:3]):
        raise ValueError(f"{what} is {it.value}, NaN in it; expected a number: what it is computed from went wrong")
    return it


def _part(what: str, it: Interval, asked: str, unit: str, form: str, outcome: Outcome) -> Part:
    return Part(what, _with(it.text(form), unit), _with(asked, unit), outcome)


def _with(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def _shown(thing: object) -> str:
    return f"{thing:,}" if isinstance(thing, numbers.Integral) and not isinstance(thing, bool) else str(thing)
