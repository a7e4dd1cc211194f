"""The M-step of a mixture of coin flips, one probability of ink for each pixel of each component."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, parts_of
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake


def coin_flip_m_step(
    x: Tensor, responsibilities: Tensor, half: float
) -> tuple[Tensor, Tensor]:
    """The M-step of a mixture of coin flips: weights, and a probability of ink a pixel.

    A component has θ_ki, the probability that pixel i is ink; the best θ_ki maximises
    Σ_n r_nk log P(x_n|k). So that no pixel is impossible, `half` an image with ink and
    `half` an image without are added to what each component has seen of each pixel. The
    weights are as in exercise 4, and nothing is added to them.
    x: (N, D) of 0 and 1; responsibilities: (N, K), rows sum to 1.
    Returns weights (K,) and theta (K, D).
    """
    totals = responsibilities.sum(0)  # (K,)
    weights = totals / len(x)
    theta = (responsibilities.T @ x + half) / (totals[:, None] + 2 * half)
    return weights, theta


def _step(n: int, n_pixels: int, n_components: int, half: float):
    x = (draws(3 * n + 1, n, n_pixels) > 0.3).float()
    return x, torch.softmax(2 * draws(5 * n + 2, n, n_components), 1), half


def _parameters(fn, x, r, half):
    """Weights and probabilities in one row."""
    k, d = r.shape[1], x.shape[1]
    due = {"weights": (k,), "theta": (k, d)}
    return torch.cat([part.flatten() for part in parts_of(fn(x, r, half), **due)])


exercise = Exercise(
    coin_flip_m_step,
    minutes=8,
    difficulty="medium",
    hints=(
        "As in exercise 4, each image is counted by its responsibility. What takes the "
        "place of the mean of a Gaussian?",
        "`responsibilities.T @ x` is (K, D): how much ink a component has seen at each "
        "pixel. How many images has it seen in all?",
        "Ink: `responsibilities.T @ x + half`. Ink and paper together: N_k, and `half` "
        "twice. Divide the one by the other.",
    ),
    cases=tuple(
        Case(*_step(*sizes), observe=_parameters, atol=1e-4, rtol=1e-4, label=label)
        for sizes, label in (
            ((9, 4, 1, 0.5), "9 images of 4 pixels, 1 component"),
            ((30, 5, 3, 0.5), "30 images of 5 pixels, 3 components"),
            ((20, 3, 2, 0.0), "20 images, nothing added"),
            ((12, 6, 4, 2.0), "12 images, two counts added on each side"),
        )
    ),
    mistakes=(
        Mistake(
            "nothing is added",
            "(responsibilities.T @ x + half) / (totals[:, None] + 2 * half)",
            "(responsibilities.T @ x) / totals[:, None]",
            "The counts of ink and paper are missing: a pixel that a component has never "
            "seen as ink becomes impossible.",
        ),
        Mistake(
            "added above only",
            "(totals[:, None] + 2 * half)",
            "totals[:, None]",
            "`half` is added to the ink, but not to the number of images: θ can become "
            "larger than 1.",
        ),
        Mistake(
            "added once below",
            "2 * half",
            "half",
            "Half a count of ink and half a count of paper are added: below the line they "
            "are `half` twice.",
        ),
        Mistake(
            "divided by all images",
            "(totals[:, None] + 2 * half)",
            "(len(x) + 2 * half)",
            "The ink of a component is divided by the number of all images; it has seen "
            "N_k of them.",
        ),
        Mistake(
            "the weights are not divided by N",
            "totals / len(x)",
            "totals",
            "The weights do not sum to 1: N_k counts images; divided by the number of all "
            "images it is a share.",
        ),
        Mistake(
            "all images count alike",
            "responsibilities.T @ x",
            "torch.ones_like(responsibilities).T @ x",
            "Each component has the ink of all images: an image counts by its "
            "responsibility.",
        ),
    ),
)
