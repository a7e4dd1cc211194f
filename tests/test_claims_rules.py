"""The rule of each claim, on worlds where its sentence is true, undecided and false (tests/worlds/)."""

import importlib
import pkgutil

import pytest
import worlds

from gencourse.claims import CLAIMS, Outcome
from gencourse.claims.ledger import as_stored, from_stored

WORLDS = {}
for module in pkgutil.iter_modules(worlds.__path__):
    WORLDS |= importlib.import_module(f"worlds.{module.name}").WORLDS
FALSE = [(id, name) for id in WORLDS for name in WORLDS[id].false]
UNDECIDED = [(id, name) for id in WORLDS for name in WORLDS[id].undecided]


def decide(id, changes=()):
    """The decision in the true world of a claim, with some measurements changed; read back as from a notebook."""
    return CLAIMS[id].decide(**from_stored(as_stored({**WORLDS[id].true, **dict(changes)})))


def test_each_rule_has_its_worlds():
    assert sorted(WORLDS) == sorted(CLAIMS)


@pytest.mark.parametrize("id", WORLDS)
def test_where_the_sentence_is_true_the_claim_holds(id):
    decision = decide(id)
    assert decision.outcome is Outcome.HOLDS, "\n".join(map(str, decision.parts))


@pytest.mark.parametrize("id, name", FALSE)
def test_where_the_sentence_is_false_it_does_not_hold(id, name):
    decision = decide(id, WORLDS[id].false[name])
    assert decision.outcome is Outcome.FAILS, "\n".join(map(str, decision.parts))


@pytest.mark.parametrize("id, name", UNDECIDED)
def test_where_the_measurements_cover_both_it_is_not_settled(id, name):
    decision = decide(id, WORLDS[id].undecided[name])
    assert decision.outcome is Outcome.OPEN, "\n".join(map(str, decision.parts))


@pytest.mark.parametrize("id", WORLDS)
def test_each_part_of_a_rule_alone_refutes_the_claim_in_some_world(id):
    """A part that no world breaks alone could be left out, and nobody would see it."""
    alone = set()
    for changes in WORLDS[id].false.values():
        fallen = [place for place, part in enumerate(decide(id, changes).parts) if part.outcome is Outcome.FAILS]
        alone |= set(fallen) if len(fallen) == 1 else set()
    parts = decide(id).parts
    assert alone == set(range(len(parts))), [part.what for i, part in enumerate(parts) if i not in alone]


@pytest.mark.parametrize("id", WORLDS)
def test_no_measurement_is_ignored(id):
    """For each measurement there is a false world that differs from the true one in it alone."""
    alone = {name for changes in WORLDS[id].false.values() if len(changes) == 1 for name in changes}
    assert alone == set(WORLDS[id].true)


@pytest.mark.parametrize("id", [id for id in CLAIMS if not CLAIMS[id].exact])
def test_a_claim_that_chance_touches_can_be_undecided(id):
    assert WORLDS[id].undecided


@pytest.mark.parametrize("id", CLAIMS)
def test_a_rule_says_when_it_was_written_what_its_limits_are_and_asks_for_something(id):
    claim = CLAIMS[id]
    assert claim.since[:2] == "20" and len(claim.since) == 10 and claim.rule.__doc__
    assert not claim.before or claim.before.endswith(".")
    assert all(part.what and part.measured for part in decide(id).parts)
