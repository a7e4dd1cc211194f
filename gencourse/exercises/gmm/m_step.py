"""The M-step: the mixture that fits best, each point counted by its responsibilities."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, parts_of
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import LikeMistakes, Mistake, Symptom


def m_step(
    x: Tensor, responsibilities: Tensor, old_means: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The M-step: the mixture that fits best, each point counted by its responsibilities.

    With N_k = Σ_n r_nk: weights N_k / N, means Σ_n r_nk x_n / N_k, and covariances
    Σ_n r_nk (x_n - µ_k)(x_n - µ_k)ᵀ / N_k, full matrices.
    x: (N, D); responsibilities: (N, K), rows sum to 1, every N_k > 0; old_means: (K, D),
    those before the step. (Is the new covariance taken around them?)
    Returns weights (K,), means (K, D), covariances (K, D, D).
    """
    totals = responsibilities.sum(0)  # (K,)
    weights = totals / len(x)
    means = responsibilities.T @ x / totals[:, None]
    covariances = []
    for k in range(len(totals)):
        offsets = x - means[k]  # (N, D)
        covariances.append((responsibilities[:, k] * offsets.T) @ offsets / totals[k])
    return weights, means, torch.stack(covariances)


def _points(n: int, n_features: int) -> Tensor:
    """Correlated, and not around the origin."""
    return draws(n, n, n_features) @ draws(
        n_features, n_features, n_features
    ) + torch.linspace(2, -3, n_features)


def _shares(n: int, n_components: int, sharpness: float = 2.0) -> Tensor:
    return torch.softmax(sharpness * draws(7 * n + n_components, n, n_components), dim=1)


def _step(
    n: int, n_features: int, n_components: int, sharpness: float = 2.0
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        _points(n, n_features),
        _shares(n, n_components, sharpness),
        draws(5, n_components, n_features) + 1,
    )


def _due_shapes(x, r) -> dict:
    n_components, n_features = r.shape[1], x.shape[1]
    return {
        "weights": (n_components,),
        "means": (n_components, n_features),
        "covariances": (n_components, n_features, n_features),
    }


def _parameters(fn, x, r, old_means):
    """Weights, means and covariances in one row."""
    return torch.cat(
        [part.flatten() for part in parts_of(fn(x, r, old_means), **_due_shapes(x, r))]
    )


def _part(result, value: Tensor, which: str) -> Tensor:
    shapes = _due_shapes(*result.case.arguments[:2])
    parts = value.split([math.prod(shape) for shape in shapes.values()])
    return dict(zip(shapes, parts))[which].reshape(shapes[which])


def _finite(results):
    return [r for r in usable(results) if r.value.isfinite().all()]


def _part_is_wrong(which):
    def shows(results):
        return any(
            not r.case.same(_part(r, r.value, which), _part(r, r.expected, which))
            for r in _finite(results)
        )

    return shows


def _part_is_as(which, results, wrong):
    """Whether this part of the answer is wrong everywhere as the mistake's is, whatever the other parts are."""
    return _part_is_wrong(which)(results) and all(
        r.case.same(_part(r, r.value, which), _part(r, wrong(r.case), which))
        for r in _finite(results)
    )


def _covariances_show(shows):
    """Whether this is so of all covariances that are wrong, in more than one dimension."""

    def of_all(results):
        pairs = [
            (_part(r, r.value, "covariances"), _part(r, r.expected, "covariances"))
            for r in _finite(results)
            if not r.right and r.case.arguments[0].shape[1] > 1
        ]
        return bool(pairs) and all(shows(value, due) for value, due in pairs)

    return of_all


def _differ_by_a_floor(value, due):
    floor = (value - due).diagonal(dim1=1, dim2=2).mean()
    return torch.allclose(
        value - due, floor * torch.eye(value.shape[1], dtype=value.dtype), atol=1e-4
    )


def _is_not_symmetric(value, due):
    return not torch.allclose(value, value.mT, atol=1e-3)


def _variances_are_right(value, due):
    return torch.allclose(
        value.diagonal(dim1=1, dim2=2), due.diagonal(dim1=1, dim2=2), atol=1e-3
    )


exercise = Exercise(
    m_step,
    minutes=12,
    difficulty="medium",
    hints=(
        "The formulas of one Gaussian (share, mean, covariance), with each point counted "
        "by its responsibility instead of by 1. N_k = Σ r_k is how many points component "
        "k has.",
        "`responsibilities.sum(0)` is (K,). `responsibilities.T @ x` is (K, D): the sum "
        "of the points of each component. What is each divided by?",
        "For one component, with `offsets = x - means[k]` (around which of the two means is "
        "the spread smallest?): `(responsibilities[:, k] * offsets.T) @ offsets / "
        "N_k` is its (D, D) covariance. `torch.stack` puts the components together.",
    ),
    cases=tuple(
        Case(*arguments, observe=_parameters, atol=1e-4, rtol=2e-4, label=label)
        for arguments, label in (
            (_step(6, 1, 1), "6 points, 1 dimension, 1 component"),
            (_step(9, 1, 2), "9 points, 1 dimension, 2 components"),
            (_step(40, 2, 3), "40 points, 2 dimensions, 3 components"),
            (_step(25, 4, 2, 0.5), "25 points, 4 dimensions, 2 components"),
            (
                (_points(30, 2), torch.eye(3)[torch.arange(30) % 7 % 3], draws(5, 3, 2)),
                "30 points that belong to one of 3 components each",
            ),
            (_step(4, 2, 4, 1.0), "4 points, 2 dimensions, 4 components"),
            (_step(60, 5, 5), "60 points, 5 dimensions, 5 components"),
        )
    ),
    mistakes=(
        Mistake(
            "the weights are not divided by N",
            "totals / len(x)",
            "totals",
            "The weights do not sum to 1: N_k counts points; divided by the number of "
            "all points it is a share.",
        ),
        Mistake(
            "the weights are divided by K",
            "totals / len(x)",
            "totals / len(totals)",
            "The weights do not sum to 1: what is shared out is the N points, so N_k is "
            "divided by N, not by the number of components.",
        ),
        Mistake(
            "all weights alike",
            "totals / len(x)",
            "torch.ones_like(totals) / len(totals)",
            "All weights are 1/K: a component to which more points belong is to weigh "
            "more.",
        ),
        Mistake(
            "the means are divided by N",
            "@ x / totals[:, None]",
            "@ x / len(x)",
            "The means are too near to the origin: the sum over a component's points is "
            "divided by N, the number of all points, and not by N_k, how many belong to "
            "it.",
        ),
        Mistake(
            "the means are not divided",
            "@ x / totals[:, None]",
            "@ x",
            "The means are sums: they are to be divided by N_k, how many points belong "
            "to the component.",
        ),
        Mistake(
            "the means are divided by K",
            "@ x / totals[:, None]",
            "@ x / len(totals)",
            "The sum over a component's points is divided by the number of components: "
            "N_k, how many points belong to it, is what it needs.",
        ),
        Mistake(
            "the means ignore the responsibilities",
            "responsibilities.T @ x / totals[:, None]",
            "x.mean(0).expand(len(totals), -1)",
            "All components have the mean of all points: each point counts by its "
            "responsibility.",
        ),
        Mistake(
            "the means do not move",
            "responsibilities.T @ x / totals[:, None]",
            "old_means",
            "The means are the old ones: the M-step moves them to where their points are.",
        ),
        Mistake(
            "the covariances are divided by N",
            "offsets / totals[k]",
            "offsets / len(x)",
            "The covariances are too small: they are divided by N, the number of all "
            "points, and not by N_k, how many belong to the component.",
        ),
        Mistake(
            "the covariances are not divided",
            "offsets / totals[k]",
            "offsets",
            "The covariances are sums: they are to be divided by N_k, how many points "
            "belong to the component.",
        ),
        Mistake(
            "the covariances are divided by N_k - 1",
            "offsets / totals[k]",
            "offsets / (totals[k] - 1)",
            "The covariances are divided by N_k - 1. That is the "
            "unbiased estimate where each point belongs wholly to one component; EM "
            "divides by N_k.",
        ),
        Mistake(
            "the covariance from the old means",
            "x - means[k]",
            "x - old_means[k]",
            "The covariances are taken around the old means. Around any point but the "
            "new mean the spread comes out too large.",
        ),
        Mistake(
            "the covariance from the mean of all points",
            "x - means[k]",
            "x - x.mean(0)",
            "The covariances are taken around the mean of all points: each component has "
            "a mean of its own.",
        ),
        Mistake(
            "not centred",
            "x - means[k]",
            "x",
            "The covariances are taken around the origin: the component's mean is to be "
            "taken away from the points first.",
        ),
        Mistake(
            "the covariances ignore the responsibilities",
            "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
            "offsets.T @ offsets / len(x)",
            "All points count alike in every covariance: each counts by its "
            "responsibility.",
        ),
        Mistake(
            "the responsibilities count twice",
            "(responsibilities[:, k] * offsets.T) @ offsets",
            "(responsibilities[:, k] * offsets.T) @ (responsibilities[:, k, None] * "
            "offsets)",
            "The responsibilities are squared: both factors of (x - µ)(x - µ)ᵀ are "
            "multiplied by them. Each point counts once.",
        ),
        Mistake(
            "the responsibilities count in the means only",
            "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
            "offsets.T @ offsets / totals[k]",
            "The sum in the covariances is over all points, uncounted, and then divided "
            "by N_k: each point counts by its responsibility.",
        ),
        Mistake(
            "the diagonal only",
            "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
            "torch.diag((responsibilities[:, k] * offsets.T).mul(offsets.T).sum(1) / "
            "totals[k])",
            "Only the variances are there, and the covariances between the features are "
            "0: (x - µ)(x - µ)ᵀ is an outer product, a whole matrix for each point.",
        ),
        Mistake(
            "round covariances",
            "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
            "(responsibilities[:, k] * offsets.T).mul(offsets.T).sum() / totals[k] / "
            "x.shape[1]\n                           * torch.eye(x.shape[1])",
            "Each component is round, with one variance for all features: here it has a "
            "full matrix.",
        ),
        Mistake(
            "all or nothing",
            "    totals =",
            "    responsibilities = torch.nn.functional.one_hot(\n        "
            "responsibilities.argmax(1), responsibilities.shape[1]).to(x.dtype)\n    "
            "totals =",
            "Each point is given wholly to its likeliest component: that is hard EM (with "
            "equal weights and equal round covariances it is k-means). Here it counts in "
            "part for each of them.",
        ),
        Mistake(
            "one covariance for all",
            "return weights, means, torch.stack(covariances)",
            "return weights, means, (weights[:, None, None] * "
            "torch.stack(covariances)).sum(0).expand(\n        len(totals), -1, -1)",
            "All components have one covariance, the average: each is to have its own.",
        ),
        Mistake(
            "the inverses of the covariances",
            "torch.stack(covariances)",
            "torch.linalg.pinv(torch.stack(covariances))",
            "These are the inverses of the covariances, the precisions: the covariances "
            "themselves are asked for.",
        ),
    ),
    symptoms=(
        LikeMistakes(None, partial(_part_is_as, "weights")),
        Symptom(
            "the weights are wrong",
            _part_is_wrong("weights"),
            "The weights are wrong: N_k / N, the share of all points that belong to "
            "component k.",
        ),
        LikeMistakes(None, partial(_part_is_as, "means")),
        Symptom(
            "the means are wrong",
            _part_is_wrong("means"),
            "The weights are right, the means are not: the sum of a component's points, "
            "each times its responsibility, divided by N_k.",
        ),
        LikeMistakes(None, partial(_part_is_as, "covariances")),
        Symptom(
            "not symmetric",
            _covariances_show(_is_not_symmetric),
            "A covariance matrix is not symmetric: its entries [i, j] and [j, i] are the "
            "same number.",
        ),
        Symptom(
            "something on the diagonal",
            _covariances_show(_differ_by_a_floor),
            "The covariances are right but for a number that is added to the diagonal: "
            "the M-step adds none.",
        ),
        Symptom(
            "wrong off the diagonal",
            _covariances_show(_variances_are_right),
            "The variances are right; what stands off the diagonal is not.",
        ),
        Symptom(
            "the covariances are wrong",
            _part_is_wrong("covariances"),
            "Weights and means are right, the covariances are not: around which point, "
            "counted how, and divided by what?",
        ),
    ),
)
