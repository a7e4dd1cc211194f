"""The ledger and the notebooks agree: each claim is confirmed once, where it is taught."""

import ast
import json
import math
import warnings
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import pytest
import torch

from gencourse.claims import CLAIMS, MIME, ClaimError, confirm, ledger
from gencourse.claims.ledger import from_stored
from gencourse.claims.outcome import below
from gencourse.course.execute import NOTEBOOKS
from gencourse.course.notebook import plain_python
from gencourse.data import tiny_images
from gencourse.metrics import Interval
from gencourse.models import PixelCNN
from gencourse.training import fit


@pytest.fixture(autouse=True)
def no_outcome_is_expected(monkeypatch):
    """Of claims as they are tried here; cells of the notebooks are held to the committed ones."""
    monkeypatch.delenv("GENCOURSE_OUTCOMES", raising=False)


def confirmed_in(node):
    """The ids that a notebook confirms, in order."""
    ids = []
    for cell in node.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(plain_python(cell.source))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "confirm":
                    ids.append(ast.literal_eval(node.args[0]))
    return ids


NODES = {path.stem: nbformat.read(path, as_version=4) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
CONFIRMED = {name: confirmed_in(node) for name, node in NODES.items()}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_each_claim_is_confirmed_once_in_its_own_notebook(claim):
    places = [name for name, ids in CONFIRMED.items() for id in ids if id == claim.id]
    if claim.notebook in CONFIRMED:
        assert places == [claim.notebook]
    else:
        assert places == [], f"{claim.id} belongs in {claim.notebook}, which does not exist"


def test_claims_that_are_still_open_are_listed():
    still_open = [claim.id for claim in CLAIMS.values() if claim.notebook not in CONFIRMED]
    if still_open:
        warnings.warn(f"claims still open: {', '.join(still_open)}", stacklevel=1)


def test_notebooks_confirm_only_what_the_ledger_has():
    assert {id for ids in CONFIRMED.values() for id in ids} <= set(CLAIMS)


def test_the_ledger_is_whole():
    families = {"ST": 1, "AR": 10, "GM": 3, "VA": 9, "GA": 8}
    assert list(CLAIMS) == [f"{family}{n}" for family, count in families.items() for n in range(1, count + 1)]
    for claim in CLAIMS.values():
        assert claim.claim.endswith(".") and claim.sentence.endswith(".") and claim.measured_by
    shown = ledger()
    assert all(claim.id in repr(shown) and claim.id in shown._repr_html_() for claim in CLAIMS.values())


ST1 = {"farthest": 0.0025, "step": 0.005, "flipped": 0.6}
FALSE = {**ST1, "flipped": 0.001}
AMONG = "✓ largest distance of the likeliest p from the share of heads: 0.0025; asked: 0.0000 to 0.0025"


def test_an_unknown_claim_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match="'AR11'.*AR1, AR2"):
        confirm("AR11", total=1.0)


def interrupted_at(step):
    """The history of a training that a reader interrupts at a step."""
    calls = []

    def measure(model):
        calls.append(1)
        if len(calls) == step:
            raise KeyboardInterrupt
        return 0.0

    model = PixelCNN((1, 3, 3), n_blocks=1, channels=4)
    return fit(model, tiny_images(3), steps=10, measure=measure, measure_every=1, name="PixelCNN")


@pytest.mark.parametrize("measured", [ST1, FALSE])
@pytest.mark.parametrize("kind", ["one", "list", "dict"])
def test_after_an_interrupted_training_a_claim_is_not_measured(kind, measured, capsys):
    whole, part = SimpleNamespace(interrupted=False), interrupted_at(3)
    after = {"one": part, "list": [whole, part], "dict": {"a": whole, "b": part}}[kind]
    capsys.readouterr()
    assert confirm("ST1", **measured, after=after) is None
    shown = capsys.readouterr().out
    assert shown.startswith("○ not measured ST1") and "0.0025" not in shown
    assert "  Not measured: " in shown and "  To do: " in shown and "effort = 0.1" in shown
    assert not set("✓✗") & set(shown)


def test_after_whole_trainings_a_claim_is_measured(capsys):
    whole = SimpleNamespace(interrupted=False)
    confirm("ST1", **ST1, after=whole)
    assert capsys.readouterr().out.startswith("✓ ST1")
    confirm("ST1", **FALSE, after=[whole, whole])
    assert capsys.readouterr().out.startswith("✗ ST1")


@pytest.mark.parametrize("after", [5, None, "history", [None], {"a": 1.0}])
def test_what_is_no_history_is_refused(after):
    with pytest.raises(TypeError, match="after is .*expected what `fit`"):
        confirm("ST1", **ST1, after=after)


def test_what_the_rule_says_is_shown_whatever_it_is(capsys):
    confirm("ST1", **ST1)
    shown = capsys.readouterr().out
    assert shown.startswith("✓ ST1 holds: ") and AMONG in shown and CLAIMS["ST1"].sentence in shown
    confirm("ST1", **{**ST1, "flipped": torch.tensor(0.001)})
    shown = capsys.readouterr().out
    assert (
        shown.startswith("✗ ST1 does not hold: ") and AMONG in shown and "✗ the same from the share of tails" in shown
    )
    confirm("ST1", **{**ST1, "flipped": Interval(0.3, -0.1, 0.7, 10)})
    shown = capsys.readouterr().out
    assert shown.startswith("? ST1 is not settled: ") and "0.3000 (-0.1000 to 0.7000)" in shown


def test_a_decision_is_stored_with_what_it_rests_on(monkeypatch):
    shown = []
    monkeypatch.setattr("gencourse.claims.shown.show", shown.append)
    confirm("ST1", **{**ST1, "flipped": Interval(0.3, -math.inf, math.inf)})
    stored = json.loads(json.dumps(shown[0]._repr_mimebundle_()[MIME]))
    assert stored["claim"] == "ST1" and stored["outcome"] == "not settled"
    assert stored["measurements"]["flipped"] == {"value": 0.3, "low": None, "high": None, "n": 1}
    stored["measurements"] = json.loads(json.dumps(stored["measurements"], sort_keys=True))  # as nbformat writes it
    again = CLAIMS["ST1"].decide(**from_stored(stored["measurements"]))
    assert [str(part.outcome) for part in again.parts] == [part["outcome"] for part in stored["parts"]]


@pytest.mark.parametrize(
    "claim, stored",
    [
        (output.data[MIME]["claim"], output.data[MIME])
        for node in NODES.values()
        for cell in node.cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ],
)
def test_what_a_committed_notebook_shows_is_what_the_rule_says_of_what_it_measured(claim, stored):
    decision = CLAIMS[claim].decide(**from_stored(stored["measurements"]))
    assert str(decision.outcome) == stored["outcome"]
    assert [vars(part) for part in decision.parts] == stored["parts"]


def test_at_a_lower_effort_only_an_exact_claim_is_decided(monkeypatch):
    shown = []
    monkeypatch.setattr("gencourse.claims.shown.show", shown.append)
    confirm("ST1", **ST1, effort=0.1)
    assert shown[-1].decided and repr(shown[-1]).startswith("✓ ST1 holds")
    monkeypatch.setitem(CLAIMS, "ST1", replace(CLAIMS["ST1"], exact=False))
    confirm("ST1", **ST1, effort=0.1)
    assert repr(shown[-1]).startswith("○ ST1 is not decided at effort 0.1")
    assert shown[-1]._repr_mimebundle_()[MIME]["outcome"] == "not decided"


def test_where_tests_expect_an_outcome_an_exact_claim_that_comes_out_otherwise_is_an_error(monkeypatch, capsys):
    monkeypatch.setenv("GENCOURSE_OUTCOMES", json.dumps({"ST1": "holds"}))
    confirm("ST1", **ST1)
    with pytest.raises(ClaimError, match="ST1 does not hold, and was expected to come out as: holds. .*share of tails"):
        confirm("ST1", **FALSE)
    monkeypatch.setitem(CLAIMS, "ST1", replace(CLAIMS["ST1"], exact=False))
    confirm("ST1", **FALSE)
    assert "✗ ST1 does not hold" in capsys.readouterr().out


def test_measurements_that_the_rule_does_not_take_are_refused():
    with pytest.raises(TypeError, match="ST1 is decided by farthest, step, flipped; given: farthest"):
        confirm("ST1", farthest=0.1)
    with pytest.raises(TypeError, match="a measurement is object"):
        confirm("ST1", **{**ST1, "step": object()})
    with pytest.raises(TypeError, match="expected a number or an Interval"):
        confirm("ST1", **{**ST1, "flipped": "large"})
    with pytest.raises(ValueError, match="is nan, NaN in it"):
        confirm("ST1", **{**ST1, "flipped": math.nan})


def test_what_was_not_measured_is_not_listed_as_holding(monkeypatch, tmp_path):
    """Neither in the book, nor in the slides, nor in a notebook that may be committed."""
    monkeypatch.syspath_prepend(str(NOTEBOOKS.parent / "docs"))
    import course
    import stage

    shown = []
    monkeypatch.setattr("gencourse.claims.shown.show", shown.append)
    confirm("ST1", **ST1, after=SimpleNamespace(interrupted=True))
    notebook = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "ST1" in output.get("data", {}).get("text/plain", ""):
                output.data = {"text/plain": repr(shown[0]), "text/html": shown[0]._repr_html_()}
    nbformat.write(notebook, tmp_path / "00_start_here.ipynb")
    stored = course.Notebook(tmp_path / "00_start_here.ipynb")
    assert stored.measured == {}
    others = [each for each in course.notebooks() if each.name != stored.name]
    assert "○ ST1" in stage.claims([stored, *others]) and "✓ ST1" not in stage.claims([stored, *others])


def test_what_was_measured_is_escaped_in_html(monkeypatch):
    shown = []
    monkeypatch.setattr("gencourse.claims.shown.show", shown.append)
    monkeypatch.setitem(CLAIMS, "ST1", replace(CLAIMS["ST1"], rule=lambda p: [below("p < 1 & q > 0", p, 1)]))
    confirm("ST1", p=0.5)
    assert "p &lt; 1 &amp; q &gt; 0" in shown[0]._repr_html_()
