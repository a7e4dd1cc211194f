"""Claims of chapter 04: adversarial networks."""

from gencourse.claims.ledger import open_claim

NOTEBOOK = "04_gan"

open_claim(
    "GA1",
    NOTEBOOK,
    notes="Randomly sample a vector; the generator turns it into an image.",
    says="The generator turns noise into a sample in one pass.",
    measured_by="passes and seconds",
)
open_claim(
    "GA2",
    NOTEBOOK,
    notes="Fix the discriminator, use gradient descent to update the generator; and the other way round.",
    says="Each update moves the parameters of one player and no parameter of the other.",
    measured_by="all parameters before and after",
)
open_claim(
    "GA3",
    NOTEBOOK,
    notes="The discriminator puts out the probability that an image is real.",
    says="At the best discriminator, P/(P+Q), the game measures a divergence.",
    measured_by="the trained discriminator against P/(P+Q); the value of the game against 2·JS − 2·log 2",
)
open_claim(
    "GA4",
    NOTEBOOK,
    notes="No explicit signal about how good the generator is.",
    says="A likelihood's loss ranks the moments of training as a clock does; the generator's loss does far worse.",
    measured_by="rank correlation of losses with measured quality, over seeds",
)
