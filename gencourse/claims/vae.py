"""Claims of chapter 03: variational autoencoders."""

from gencourse.claims.ledger import open_claim

NOTEBOOK = "03_vae"

open_claim(
    "VA1",
    NOTEBOOK,
    notes="cᵢ = exp(σᵢ/2)·eᵢ + mᵢ, with e from a normal distribution.",
    says="c has the law N(m, exp σ), and gradients pass through it.",
    measured_by="a histogram of c; the variance of the gradient beside the score function's",
)
open_claim(
    "VA2",
    NOTEBOOK,
    notes="Minimise Σ (exp(σᵢ) − (1 + σᵢ) + mᵢ²): the closed form of the KL divergence.",
    says="The formula is twice KL(N(m, exp σ) ‖ N(0, 1)).",
    measured_by="Monte Carlo estimates of the divergence",
)
open_claim(
    "VA3",
    NOTEBOOK,
    notes="Noise is introduced into the code space.",
    says="Without the KL term, training takes the noise away.",
    measured_by="σ over the course of training",
)
open_claim(
    "VA4",
    NOTEBOOK,
    notes="The KL term works like L2 regularisation; we want σᵢ close to 0, the variance close to 1.",
    says="The KL term pulls codes to the origin and variances to one.",
    measured_by="the aggregate posterior against N(0, I), with the term and without",
)
open_claim(
    "VA5",
    NOTEBOOK,
    notes="Each dimension of z represents an attribute.",
    says="A dimension of the code can carry an attribute of the data.",
    measured_by="traversals; information of each dimension about labelled attributes",
)
open_claim(
    "VA6",
    NOTEBOOK,
    notes="Training maximises the evidence lower bound of the log-likelihood of the observed x.",
    says="The ELBO is a lower bound of log P(x), and the gap is the KL to the posterior.",
    measured_by="a linear case that is exact; the importance-weighted bound",
)
open_claim(
    "VA7",
    NOTEBOOK,
    notes="P(x) = ∫ P(x|z) P(z) dz: a Gaussian mixture made infinite and continuous.",
    says="A VAE is the limit of Gaussian mixtures with ever more components.",
    measured_by="log P(x) on grids over z of growing size",
)
