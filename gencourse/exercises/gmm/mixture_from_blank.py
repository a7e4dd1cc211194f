"""A whole mixture of Gaussians, fitted by expectation maximisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.gmm.laws import (
    FEW,
    LAWS,
    SINGULAR,
    UNDERFLOW,
    around_the_old_mean,
    over_the_points,
    stops_at,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Symptom


def mixture_from_blank(
    x: Tensor, components: int, steps: int, generator: torch.Generator
) -> object:
    """A mixture of Gaussians with full covariances, fitted by expectation maximisation, EM.

    x: (N, D), float32 or float64, the points to fit; x itself must not be changed.
    components: K. steps: how many EM steps (an E-step and an M-step) are taken from the
    start; 0 gives the start itself. The start is your choice, but a fair one: on three
    clusters well apart EM must find them from at least half of the seeds, and from the best
    of three or four seeds within 15 steps. Random responsibilities are often too poor a
    start: the means that follow from them are nearly equal, and part slowly. Chance comes
    from the generator only, which is not seeded here: the same seed gives the same start,
    whatever `steps` is. Keep every covariance from being singular, by a floor that is small
    beside the variances inside a cluster, such as 1e-6 of the variance of all points.

    Returns an object with two methods:
    log_prob(x): (B, D) -> (B,), log P(x) = log Σ_m P(m) N(x; µ_m, Σ_m) in nats, finite near
    and far, for any B;
    sample(n, generator): -> (n, D), n points independent of each other, drawn from P.
    Write it as you like: a class, a module, any functions of torch, but no ready-made
    mixture. How the parameters are kept, and what they are called, is up to you.
    """
    x = x.double()
    (N, D), eye = x.shape, torch.eye(x.shape[1], dtype=torch.float64)
    floor = 1e-6 * x.var(0).mean() * eye

    class Mixture:
        def log_joint(self, x: Tensor) -> Tensor:  # log P(m) + log N(x; µ_m, Σ_m): (B, K)
            L = torch.linalg.cholesky(self.Sigma)  # (K, D, D), L Lᵀ = Σ
            offsets = (x[:, None] - self.mu)[..., None]  # (B, K, D, 1)
            e = torch.linalg.solve_triangular(L, offsets, upper=False)[..., 0]
            log_Z = L.diagonal(dim1=1, dim2=2).log().sum(1) + D / 2 * math.log(2 * math.pi)
            return self.weights.log() - e.square().sum(2) / 2 - log_Z

        def log_prob(self, x: Tensor) -> Tensor:
            return self.log_joint(x.double()).logsumexp(1)

        def sample(self, n: int, generator: torch.Generator) -> Tensor:
            m = torch.multinomial(self.weights, n, replacement=True, generator=generator)
            e = torch.randn(n, D, 1, generator=generator, dtype=torch.float64)
            return self.mu[m] + (torch.linalg.cholesky(self.Sigma)[m] @ e)[..., 0]

    mixture = Mixture()
    mixture.weights = torch.full((components,), 1 / components, dtype=torch.float64)
    mixture.mu = x[torch.randint(N, (1,), generator=generator)]  # k-means++
    while len(mixture.mu) < components:
        squares = torch.cdist(x, mixture.mu).amin(1).square() + 1e-12
        new = torch.multinomial(squares, 1, generator=generator)
        mixture.mu = torch.cat([mixture.mu, x[new]])
    mixture.Sigma = (torch.cov(x.T).view(D, D) + floor).repeat(components, 1, 1)
    for _ in range(steps):
        r = mixture.log_joint(x).softmax(1)  # E-step: (N, K)
        N_m = r.sum(0) + 1e-10  # M-step
        mixture.weights = N_m / N_m.sum()
        mixture.mu = r.T @ x / N_m[:, None]
        d = x[:, None] - mixture.mu  # (N, K, D)
        Sigma = torch.einsum("nm,nmi,nmj->mij", r, d, d) / N_m[:, None, None]
        mixture.Sigma = Sigma + floor
    return mixture


exercise = Exercise(
    mixture_from_blank,
    minutes=40,
    difficulty="hard",
    seconds=60,
    hints=(
        "Three parts, of which you have written the pieces: a start; a loop of E-step and M-step; "
        "and an object that keeps the parameters, evaluates and draws. Write log P(m) + "
        "log N(x; µ_m, Σ_m), a tensor (N, K), as one function: the E-step and `log_prob` both "
        "need it.",
        "E-step: `log_joint.softmax(1)`, one row for each point. M-step: N_m = Σ_n r_nm; weights "
        "N_m / N; means Σ_n r_nm x_n / N_m; covariances around the new means, each point counted "
        "by r_nm, divided by N_m; a small multiple of the identity is added. Start: equal weights, "
        "as means points of the data that lie apart (k-means++), and for each component the "
        "covariance of all points.",
        "With `L = torch.linalg.cholesky(Sigma)`, (K, D, D), the quadratic form is the sum of "
        "squares of `torch.linalg.solve_triangular(L, (x[:, None] - mu)[..., None], upper=False)`, "
        "and half of log det Σ is the sum of the logarithms of L's diagonal. With d = x[:, None] - "
        "mu, `torch.einsum('nm,nmi,nmj->mij', r, d, d)` adds up the outer products. A draw is "
        "`mu[m] + L[m] @ e`, with m from `torch.multinomial(weights, n, replacement=True, "
        "generator=generator)`.",
    ),
    cases=LAWS,
    symptoms=(
        Symptom(
            "around the old mean",
            around_the_old_mean,
            "With one component, one step gives the covariance around the mean that the start had, "
            "not around the new one. (Such a step never lowers the likelihood and has the same "
            "fixed points, but it is not the M-step, whose covariance is around the new means.)",
            errors_too=True,
        ),
        Symptom(
            "shares over the points",
            over_the_points,
            "With one component every responsibility must be 1; yours weigh the points against each "
            "other. The shares of a point sum to 1 over the components: `dim=1` of (N, K).",
            errors_too=True,
        ),
        Symptom(
            "densities underflow",
            stops_at("a hundred dimensions"),
            f"One component in 100 dimensions, points that spread by 1,000. {UNDERFLOW}",
            errors_too=True,
        ),
        Symptom(
            "a singular covariance",
            stops_at("few points"),
            f"{FEW} there it fails. {SINGULAR}",
            errors_too=True,
        ),
    ),
)
