"""Claims of chapter 02: mixtures of Gaussians."""

from gencourse.claims.ledger import open_claim

NOTEBOOK = "02_gmm"

open_claim(
    "GM1",
    NOTEBOOK,
    notes="m ~ P(m), x|m ~ N(μᵐ, Σᵐ); P(x) = Σₘ P(m) P(x|m).",
    says="Drawing first a component and then a point gives points whose density is the sum.",
    measured_by="a histogram of draws against P(x)",
)
open_claim(
    "GM2",
    NOTEBOOK,
    notes="L = Σₓ log P(x): maximise the likelihood of the observed x.",
    says="A step of EM never lowers the likelihood.",
    measured_by="the likelihood at every step, from many starts",
)
open_claim(
    "GM3",
    NOTEBOOK,
    notes="Distributed representation is better.",
    says="Where the data have attributes that vary on their own, a distributed code says more with less.",
    measured_by="parameters needed for an equal held-out fit",
)
