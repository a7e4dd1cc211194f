"""Claims of chapter 00: what learning by likelihood means."""

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Part, above, within

NOTEBOOK = "00_start_here"


@claim(
    "ST1",
    NOTEBOOK,
    notes="L = Σₓ log P(x): maximising the likelihood of the observed x.",
    says="For a coin, the likelihood is highest where p equals the observed share of heads.",
    measured_by="the likelihood over a grid of p, for many series of flips",
    since="2026-11-30",
    before="First one series was looked at, where a rule that always answers 0.775 would have held too. Then less than "
    "half a step was asked of the distance, which is met with equality where the share is halfway between two points.",
    exact=True,
)
def the_likeliest_p_is_the_share_of_heads(farthest: float, step: float, flipped: float) -> list[Part]:
    """`farthest`: between the likeliest p of the grid and the share of heads, the largest over all series; `step`: of
    the grid, of which half can be lost by rounding, and 1e-9 more by floating-point numbers; `flipped`: the same
    distance from the share of tails (a control).
    """
    return [
        within("largest distance of the likeliest p from the share of heads", farthest, 0, step / 2 + 1e-9, form=".4f"),
        above("the same from the share of tails, a control", flipped, step, form=".4f"),
    ]
