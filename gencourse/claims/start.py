"""Claims of chapter 00: what learning by likelihood means."""

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Part, above, below

NOTEBOOK = "00_start_here"


@claim(
    "ST1",
    NOTEBOOK,
    notes="L = Σₓ log P(x): maximising the likelihood of the observed x.",
    says="For a coin, the likelihood is highest where p equals the observed share of heads.",
    measured_by="the likelihood over a grid of p, for many series of flips",
    since="2026-11-30",
    before="Until then one series was looked at, where a rule that always answers 0.775 would have held too.",
    exact=True,
)
def the_likeliest_p_is_the_share_of_heads(farthest: float, step: float, flipped: float) -> list[Part]:
    """`farthest`: between the likeliest p of the grid and the share of heads, the largest over all series; `step`: of
    the grid, of which half can be lost by rounding; `flipped`: the same distance from the share of tails (a control).
    """
    return [
        below("largest distance of the likeliest p from the share of heads", farthest, step / 2 + 1e-9, form=".4f"),
        above("the same from the share of tails, a control", flipped, step, form=".4f"),
    ]
