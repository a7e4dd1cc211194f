"""The ledger: sentences of the lecture notes as claims that can fail, and the rule that decides it.

Each claim is put to the test once, in the notebook that teaches it. The notebook measures, and hands over what it
measured; the rule, which stands beside its sentence in this folder (`autoregression.py`, `gmm.py`, …), decides:

    confirm("AR10", saved=saved, after=trainings, effort=effort)

There are three outcomes: the claim *holds*, it *does not hold*, or it is *not settled*, where the interval of a
measurement covers both. Each is a result, and is shown as what it is.
"""

from gencourse.claims import autoregression, failures, gan, gmm, start, vae  # noqa: F401 (they enter their claims)
from gencourse.claims.ledger import CLAIMS as _ENTERED
from gencourse.claims.ledger import Claim, Decision
from gencourse.claims.outcome import Outcome, Part
from gencourse.claims.shown import MIME, ClaimError, confirm, ledger

__all__ = ["CLAIMS", "MIME", "Claim", "ClaimError", "Decision", "Outcome", "Part", "confirm", "ledger"]

_FAMILIES = ("ST", "AR", "GM", "VA", "GA")
CLAIMS = _ENTERED
_ordered = sorted(CLAIMS.values(), key=lambda claim: (_FAMILIES.index(claim.id[:2]), int(claim.id[2:])))
CLAIMS.clear()
CLAIMS.update({claim.id: claim for claim in _ordered})
