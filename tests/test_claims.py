"""The ledger and the notebooks agree: each claim is confirmed once, where it is taught."""

import ast
import math
import warnings

import nbformat
import numpy as np
import pytest
import torch

from gencourse.claims import CLAIMS, ClaimError, confirm, ledger
from gencourse.execute import NOTEBOOKS
from gencourse.notebook import plain_python


def confirmed_in(path):
    """The ids that a notebook confirms, in order."""
    ids = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(plain_python(cell.source))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "confirm":
                    ids.append(ast.literal_eval(node.args[0]))
    return ids


CONFIRMED = {path.stem: confirmed_in(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}


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


@pytest.mark.parametrize("yes", [True, np.True_, torch.tensor(True), torch.tensor([True])])
def test_a_claim_that_holds_is_shown_with_its_measurement(yes, capsys):
    assert confirm("AR1", yes, "Σp = 1.000000") is None
    shown = capsys.readouterr().out
    assert shown.startswith("✓ AR1") and "Σp = 1.000000" in shown and CLAIMS["AR1"].sentence in shown


@pytest.mark.parametrize("no", [False, np.False_, torch.tensor(False)])
def test_a_claim_that_does_not_hold_is_shown_and_raises(no, capsys):
    with pytest.raises(ClaimError, match="AR4 does not hold.*99 nats"):
        confirm("AR4", no, "99 nats")
    assert capsys.readouterr().out.startswith("✗ AR4")
    assert issubclass(ClaimError, AssertionError)


def test_at_a_lower_effort_it_is_shown_and_does_not_raise(capsys):
    confirm("AR4", False, "99 nats", strict=False)
    assert "✗ not at this effort" in capsys.readouterr().out


@pytest.mark.parametrize(
    "holds",
    [math.nan, torch.tensor(math.nan), 1, None, "yes", torch.tensor([True, False]), np.array([]), [True]],
)
def test_what_is_no_truth_value_is_refused(holds):
    with pytest.raises(TypeError, match="one truth value is expected"):
        confirm("AR1", holds, "Σp = 1")


def test_other_wrong_arguments_are_refused():
    with pytest.raises(KeyError, match="'AR11'.*AR1, AR2"):
        confirm("AR11", True, "something")
    with pytest.raises(ValueError, match="measured is empty"):
        confirm("AR1", True, "  ")
    with pytest.raises(TypeError, match="measured is float"):
        confirm("AR1", True, 1.0)


def test_what_was_measured_is_escaped_in_html(monkeypatch):
    shown = []
    monkeypatch.setattr("gencourse.claims.display", shown.append)
    confirm("AR1", True, "p < 1 & q > 0")
    assert "p &lt; 1 &amp; q &gt; 0" in shown[0]._repr_html_()
