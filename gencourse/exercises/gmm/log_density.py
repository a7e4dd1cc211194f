"""The log-density of a mixture of Gaussians at each point, in nats, near and far."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, split_by_label
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def log_density(
    x: Tensor, log_weights: Tensor, means: Tensor, covariances: Tensor
) -> Tensor:
    """The log-density of a mixture of Gaussians at each point, in nats, near and far.

    log P(x) = log Σ_m exp(log P(m) + log N(x; µ_m, Σ_m)), where
    log N(x; µ, Σ) = -½ [(x - µ)ᵀ Σ⁻¹ (x - µ) + log det Σ + D log 2π].
    x: (B, D); log_weights: (K,), log P(m), taken as they are, even where these are not all
    components; -inf is allowed. means: (K, D), µ; covariances: (K, D, D), Σ.
    Returns (B,), finite even where every density underflows.
    """
    n_features = x.shape[1]
    offsets = (x[:, None] - means).permute(1, 2, 0)  # (K, D, B)
    squares = (offsets * torch.linalg.solve(covariances, offsets)).sum(1).T  # (B, K)
    log_det = torch.logdet(covariances)  # (K,)
    log_normal = -0.5 * (squares + log_det + n_features * math.log(2 * math.pi))
    return torch.logsumexp(log_weights + log_normal, dim=1)


def _log_weights(*weights: float) -> Tensor:
    return torch.tensor(weights).log()


def _covariances(n_components: int, n_features: int) -> Tensor:
    """Correlated, of different sizes, and well away from singular."""
    factors = draws(17 * n_components + n_features, n_components, n_features, n_features)
    sizes = torch.arange(1, n_components + 1)[:, None, None] ** 0.5
    return (factors @ factors.mT / n_features + 0.4 * torch.eye(n_features)) * sizes


def _mixture(seed: int, n: int, weights: tuple, n_features: int) -> tuple[Tensor, ...]:
    n_components = len(weights)
    return (
        2 * draws(seed, n, n_features),
        _log_weights(*weights),
        2 * draws(seed + 1, n_components, n_features),
        _covariances(n_components, n_features),
    )


_NEAR_AND_FAR = torch.tensor(
    [[0.3, -0.2], [1.5, 1.0], [400.0, -300.0], [-2000.0, 50.0], [0.0, 3.0]]
)


_FAR, _NARROW = (
    "points that lie far away from all components",
    "a very narrow component in 64 dimensions",
)


def _coefficients(results):
    """How much of each term is in log N of one component, by least squares; None where something else is in it."""
    rows, values = [], []
    for r in usable(results):
        x, log_weights, means, covariances = r.case.arguments
        if len(log_weights) == 1 and r.value.isfinite().all():
            offsets = (x - means[0]).double()
            squares = (offsets @ torch.linalg.inv(covariances[0].double()) * offsets).sum(1)
            others = (
                torch.logdet(covariances[0].double()),
                x.shape[1],
                log_weights[0].double(),
                1.0,
            )
            rows += [
                torch.tensor([square, *others], dtype=torch.float64) for square in squares
            ]
            values.append(r.value)
    if len({tuple(row[1:].tolist()) for row in rows}) < 5:
        return None
    terms, values = torch.stack(rows), torch.cat(values)
    found = torch.linalg.lstsq(terms, values[:, None]).solution[:, 0]
    return found if torch.allclose(terms @ found, values, rtol=1e-3, atol=1e-3) else None


_TERMS = (
    (
        0,
        -0.5,
        "the distance has a wrong factor",
        "how the squared distance (x - µ)ᵀ Σ⁻¹ (x - µ) counts",
    ),
    (1, -0.5, "the determinant has a wrong factor", "how the log-determinant counts"),
    (
        2,
        -0.5 * math.log(2 * math.pi),
        "the constant is wrong",
        "the constant with log 2π, one for every dimension",
    ),
    (3, 1.0, "the weight has a wrong factor", "how the log-weight counts"),
    (4, 0.0, "a constant too many", "a constant that does not depend on the dimension"),
)


def _term_is_off(place, due, results):
    return (found := _coefficients(results)) is not None and abs(found[place] - due) > 1e-2


def _shows_the_densities_underflow(results):
    near, far = split_by_label(results, _FAR, _NARROW)
    return (
        len(near) == len(results) - 2
        and all(r.right for r in near)
        and any(not r.right and not r.value.isfinite().all() for r in far)
    )


def _shows_a_floor_under_the_density(results):
    near, far = split_by_label(results, _FAR, _NARROW)
    return all(r.right for r in near) and any((r.value > r.expected + 1).any() for r in far)


def _shows_the_components_are_put_together_wrongly(results):
    alone = [r for r in usable(results) if len(r.case.arguments[1]) == 1]
    several = [r for r in results if len(r.case.arguments[1]) > 1]
    return (
        bool(alone)
        and bool(several)
        and all(r.right for r in alone)
        and not any(r.right for r in several)
    )


def _shows_right_in_one_dimension_only(results):
    one = [r for r in results if r.case.arguments[0].shape[1] == 1]
    more = [r for r in results if r.case.arguments[0].shape[1] > 1 and r.label != _NARROW]
    return (
        bool(one)
        and bool(more)
        and all(r.right for r in one)
        and not any(r.right for r in more)
    )


def _shows_a_component_alone_is_wrong(results):
    alone = [
        r for r in usable(results) if len(r.case.arguments[1]) == 1 and r.label != _NARROW
    ]
    return (
        all(r.value.isfinite().all() for r in alone) and sum(not r.right for r in alone) > 2
    )


exercise = Exercise(
    log_density,
    minutes=12,
    difficulty="medium",
    hints=(
        "Three steps: the logarithm of each component's density at each point, (B, K); "
        "to that the logarithm of its weight; then log Σ exp over the components. The "
        "sum is over densities, not over logarithms.",
        "`offsets = x[:, None] - means` is (B, K, D). The squared distance is (x - µ)ᵀ "
        "Σ⁻¹ (x - µ): `torch.linalg.inv(covariances)` and an `einsum`, or "
        "`torch.linalg.solve`. `torch.logdet` gives the log det Σ of all components at "
        "once.",
        "`log_normal = -0.5 * (squares + log_det + D * math.log(2 * math.pi))`, and "
        "`torch.logsumexp(…, dim=1)` takes out the largest term before it takes any "
        "exponential, so the sum cannot underflow.",
    ),
    cases=(
        Case(
            torch.tensor([[0.0], [1.0], [-2.5]]),
            torch.zeros(1),
            torch.zeros(1, 1),
            torch.tensor([[[4.0]]]),
            label="one component of variance 4 in one dimension",
        ),
        Case(*_mixture(1, 5, (1.0,), 3), label="one component in 3 dimensions"),
        Case(*_mixture(3, 4, (1.0,), 2), label="one component in 2 dimensions"),
        Case(*_mixture(5, 4, (0.3,), 2), label="one component alone, of weight 0.3"),
        Case(*_mixture(7, 4, (0.01,), 5), label="one component alone, of weight 0.01"),
        Case(
            *_mixture(9, 7, (0.2, 0.5, 0.3), 2),
            label="7 points, 3 components, 2 dimensions",
        ),
        Case(*_mixture(11, 6, (0.9, 0.1), 1), label="6 points, 2 components, 1 dimension"),
        Case(
            *_mixture(13, 3, (0.2, 0.7, 0.1), 3),
            label="3 points, 3 components, 3 dimensions",
        ),
        Case(
            *_mixture(15, 1, (0.1, 0.2, 0.3, 0.4), 5),
            label="1 point, 4 components, 5 dimensions",
        ),
        Case(*_mixture(17, 4, (0.6, 0.0, 0.4), 2), label="a component of weight 0"),
        Case(_NEAR_AND_FAR, *_mixture(19, 1, (0.7, 0.3), 2)[1:], label=_FAR),
        Case(
            1e-6 * draws(21, 3, 64),
            torch.zeros(1),
            torch.zeros(1, 64),
            1e-12 * torch.eye(64)[None],
            label=_NARROW,
        ),
    ),
    mistakes=(
        Mistake(
            "the densities underflow",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "(log_weights + log_normal).exp().sum(1).log()",
            "Right near the components, infinite elsewhere: the exponential of -1,000 is "
            "0 for a floating-point number, and that of 1,000 is infinite. Take out the "
            "largest term of the sum first, and add it to the logarithm at the end.",
        ),
        Mistake(
            "one maximum for all points",
            "return torch.logsumexp(log_weights + log_normal, dim=1)",
            "largest = (log_weights + log_normal).max()\n"
            "    return largest + (log_weights + log_normal - largest).exp().sum(1).log()",
            "Right for the points near the components, infinite for those far away: the "
            "term that is taken out is the largest of the whole batch. Each point needs "
            "its own: a maximum over the components.",
        ),
        Mistake(
            "a small number is added before the logarithm",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "((log_weights + log_normal).exp().sum(1) + 1e-10).log()",
            "The small number that keeps the logarithm finite is what you get: far away "
            "all points have the same density, that number. The logarithm of the density "
            "goes on falling; take out the largest term before the exponential.",
        ),
        Mistake(
            "the determinant underflows",
            "torch.logdet(covariances)",
            "torch.linalg.det(covariances).log()",
            "In 64 dimensions the determinant is a product of 64 small numbers, too "
            "small for a floating-point number. `torch.logdet` adds logarithms.",
        ),
        Mistake(
            "the ½ is missing",
            "-0.5 * (squares",
            "-1.0 * (squares",
            "The logarithm of a component's density is twice what is due: the ½ of the "
            "exponent, and of the square root, is missing.",
        ),
        Mistake(
            "the ½ of the distance is missing",
            "(squares + log_det",
            "(2 * squares + log_det",
            "The squared distance counts twice: the exponent of a Gaussian has a ½.",
        ),
        Mistake(
            "the determinant is missing",
            "(squares + log_det + ",
            "(squares + ",
            "The determinant of Σ is missing: without it a wide component is as high at "
            "its mean as a narrow one, and its density integrates to √det Σ instead of 1.",
        ),
        Mistake(
            "the ½ of the determinant is missing",
            "squares + log_det",
            "squares + 2 * log_det",
            "The log-determinant counts twice: a density divides by the square root of "
            "det Σ.",
        ),
        Mistake(
            "the determinant's sign is turned",
            "squares + log_det",
            "squares - log_det",
            "The log-determinant has the wrong sign: a wide component comes out higher at "
            "its mean than a narrow one, and is to be lower.",
        ),
        Mistake(
            "the constant is missing",
            " + n_features * math.log(2 * math.pi)",
            "",
            "D/2 · log 2π is missing: without it the density does not integrate to 1.",
        ),
        Mistake(
            "the constant counts once",
            "n_features * math.log(2 * math.pi)",
            "math.log(2 * math.pi)",
            "Right in one dimension only: ½ log 2π belongs to every dimension.",
        ),
        Mistake(
            "the 2 of 2π is missing",
            "math.log(2 * math.pi)",
            "math.log(math.pi)",
            "The constant is too small: it is log 2π, not log π.",
        ),
        Mistake(
            "the weights are forgotten",
            "log_weights + log_normal",
            "log_normal",
            "The weights are forgotten: each component's density counts by its "
            "probability.",
        ),
        Mistake(
            "the weights themselves are added",
            "log_weights + log_normal",
            "log_weights.exp() + log_normal",
            "The weights themselves are added to a logarithm. A factor in front of a "
            "density is a summand beside its logarithm: add log P(m).",
        ),
        Mistake(
            "the logarithms are multiplied",
            "log_weights + log_normal",
            "log_weights.exp() * log_normal",
            "The logarithm of the density is multiplied by the weight: it is the density "
            "itself that is, and to its logarithm the log-weight is added.",
        ),
        Mistake(
            "the logarithm is taken twice",
            "log_weights + log_normal",
            "log_weights.log() + log_normal",
            "A logarithm of the log-weights is taken, and they are below 0: they are "
            "logarithms already.",
        ),
        Mistake(
            "the weights are added outside",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "torch.logsumexp(log_normal, dim=1) + torch.logsumexp(log_weights, dim=0)",
            "The weights are summed by themselves, beside the sum of the densities: each "
            "belongs to the density of its own component, before the sum.",
        ),
        Mistake(
            "the covariance instead of its inverse",
            "torch.linalg.solve(covariances, offsets)",
            "(covariances @ offsets)",
            "The distance is measured with Σ instead of Σ⁻¹: the wider a component, the "
            "farther from it a point comes out.",
        ),
        Mistake(
            "the covariance taken for a standard deviation",
            "    offsets = (x",
            "    covariances = covariances @ covariances\n    offsets = (x",
            "The covariance is used as if it were a standard deviation, and squared: its "
            "diagonal holds variances already.",
        ),
        Mistake(
            "the covariance taken for its factor",
            "    offsets = (x",
            "    covariances = covariances.tril() @ covariances.tril().mT\n    offsets = "
            "(x",
            "The covariance is used as if it were its own Cholesky factor "
            "(`scale_tril`): the factor L of Σ = L Lᵀ has yet to be found.",
        ),
        Mistake(
            "the covariance taken for a precision",
            "    offsets = (x",
            "    covariances = torch.linalg.inv(covariances)\n    offsets = (x",
            "The covariance is used as if it were its inverse, the precision, in the "
            "distance and in the determinant: the wider a component, the narrower it "
            "comes out.",
        ),
        Mistake(
            "the correlations are ignored",
            "    offsets = (x",
            "    covariances = torch.diag_embed(covariances.diagonal(dim1=1, dim2=2))\n    "
            "offsets = (x",
            "Right in one dimension only: the variances alone are used, and what stands "
            "off the diagonal of Σ is ignored.",
        ),
        Mistake(
            "a product instead of a sum",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "(log_weights + log_normal).sum(1)",
            "The logarithms are added: that is the product of the densities. A mixture "
            "is their sum.",
        ),
        Mistake(
            "the average of the logarithms",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "(log_weights.exp() * log_normal).sum(1)",
            "This is the average of the log-densities, which is less than the logarithm "
            "of the average: first the sum, then the logarithm.",
        ),
        Mistake(
            "only the likeliest component",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "(log_weights + log_normal).amax(1)",
            "Only the largest term counts. Where components overlap, all of them have "
            "their share in the density.",
        ),
        Mistake(
            "divided by the number of components",
            "log_weights + log_normal",
            "log_weights - math.log(len(means)) + log_normal",
            "The sum over the components is divided by their number: the weights, which "
            "sum to 1, have done that.",
        ),
        Mistake(
            "the weights are normalised",
            "log_weights + log_normal",
            "torch.log_softmax(log_weights, 0) + log_normal",
            "Right for a whole mixture; but the weights are normalised once more (as "
            "`Categorical` does), so that a component alone counts fully, whatever its "
            "weight. The log-weights are taken as they are.",
        ),
        Mistake(
            "averaged over the features",
            "log_normal, dim=1)",
            "log_normal, dim=1) / n_features",
            "The log-density is divided by the number of dimensions: that of the whole "
            "point is asked for.",
        ),
        Mistake(
            "summed over the points",
            "log_normal, dim=1)",
            "log_normal, dim=0)",
            "The sum runs over the points: for each point it is to run over the "
            "components.",
        ),
        Mistake(
            "all points summed",
            "log_normal, dim=1)",
            "log_normal, dim=1).sum()",
            "The points are summed: each has a log-density of its own.",
        ),
        Mistake(
            "all points averaged",
            "log_normal, dim=1)",
            "log_normal, dim=1).mean()",
            "The points are averaged: each has a log-density of its own.",
        ),
        Mistake(
            "no logarithm",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "torch.logsumexp(log_weights + log_normal, dim=1).exp()",
            "This is the density itself; its logarithm is asked for.",
        ),
        Mistake(
            "the sign is turned",
            "return torch",
            "return -torch",
            "This is the negative log-density, what a training loop makes small. The "
            "log-density itself is asked for.",
        ),
        Mistake(
            "bits instead of nats",
            "torch.logsumexp(log_weights + log_normal, dim=1)",
            "torch.logsumexp(log_weights + log_normal, dim=1) / math.log(2)",
            "These are bits: the logarithm to base 2. Nats come from the natural "
            "logarithm.",
        ),
    ),
    symptoms=(
        Symptom("the densities underflow", _shows_the_densities_underflow, errors_too=True),
        Symptom(
            "a floor under the density",
            _shows_a_floor_under_the_density,
            "Right near the components, but far away the logarithm stops falling: "
            "something keeps the density from getting small, a number added to it or a "
            "`clamp`. Take out the largest term of the sum before the exponential "
            "instead.",
        ),
        *(
            Symptom(
                name,
                partial(_term_is_off, place, due),
                f"Even a component alone comes out wrong, and what is wrong there is {message}.",
            )
            for place, due, name, message in _TERMS
        ),
        Symptom(
            "the components are put together wrongly",
            _shows_the_components_are_put_together_wrongly,
            "A component alone comes out right, several do not: how is log Σ exp taken "
            "over them, and where do the weights stand?",
        ),
        Symptom(
            "right in one dimension only",
            _shows_right_in_one_dimension_only,
            "Right in one dimension, wrong in more. There Σ is a matrix: what stands off "
            "its diagonal counts in its inverse and in its determinant; and ½ log 2π is "
            "due for every dimension.",
        ),
        Symptom(
            "a component alone is wrong",
            _shows_a_component_alone_is_wrong,
            "Even a component alone comes out wrong, and more is amiss than a factor. "
            "Try Σ = I, where the squared distance is ‖x - µ‖² and log det Σ is 0; then "
            "Σ = 4 I, where the one is a quarter of that and the other D log 4.",
        ),
    ),
)
