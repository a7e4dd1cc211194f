"""Worlds of made-up measurements for the rules of the claims: where a sentence is true, undecided, and false.

One file a chapter, each with `WORLDS = {id: World(…)}`.
"""

from dataclasses import dataclass, field
from typing import Any

from gencourse.claims import CLAIMS, Outcome


@dataclass(frozen=True)
class World:
    """What a rule is tried on.

    `true` are measurements under which the sentence is true. `false` are changes of some of them, by a name that says
    what is wrong, under each of which it is false. `undecided` are changes under which it is not settled; a rule whose
    measurements are all exact has none.
    """

    true: dict[str, Any]
    false: dict[str, dict[str, Any]]
    undecided: dict[str, dict[str, Any]] = field(default_factory=dict)


def decided(id, **measured):
    """What the rule of a claim says of measurements: the outcome, and the names of the parts that do not hold."""
    decision = CLAIMS[id].decide(**measured)
    return decision.outcome, [part.what for part in decision.parts if part.outcome is Outcome.FAILS]
