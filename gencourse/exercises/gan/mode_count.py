"""How many modes the samples capture, and which share of the samples is good."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import normal, others_right, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def mode_count(samples: Tensor, centres: Tensor, sigma: float) -> tuple[int, float]:
    """How many modes the samples capture, and which share of the samples is good.

    A sample is good ("high quality") if it is at most 3σ from the nearest centre. A mode is
    captured if it is the nearest one of at least one good sample.
    samples: (N, D); centres: (K, D); sigma: the standard deviation of each mode.
    Returns (captured, share): the number of captured modes, and the share of good samples,
    from 0 to 1. (The protocol of VEEGAN, arXiv:1705.07761.)
    """
    nearest, mode = torch.cdist(samples, centres).min(1)  # (N,), (N,)
    good = nearest <= 3 * sigma
    return len(mode[good].unique()), good.double().mean().item()


_RING = torch.stack(
    [torch.tensor([math.cos(t), math.sin(t)]) for t in torch.arange(8) * math.pi / 4]
)


_GRID = torch.cartesian_prod(torch.arange(-4.0, 5.0, 2.0), torch.arange(-4.0, 5.0, 2.0))


def _around(
    centres: Tensor, modes: list[int], radii: list[float], sigma: float, seed: int
) -> Tensor:
    """One sample for each of the modes named, so many σ from its centre, in some direction."""
    away = normal(len(modes), centres.shape[1], seed=seed)
    away = away / away.norm(dim=1, keepdim=True)
    return centres[modes] + sigma * torch.tensor(radii)[:, None] * away


_FOUND = "len(mode[good].unique())"


def _both(results):
    """(what came, what is due) as pairs (captured, share)."""
    return [(r.value, r.expected) for r in usable(results)]


def _shows_the_share_is_right_the_count_is_not(results):
    both = _both(results)
    return len(both) == len(results) and all(
        torch.isclose(v[1], e[1], atol=1e-4) for v, e in both
    )


def _shows_the_count_is_right_the_share_is_not(results):
    both = _both(results)
    return len(both) == len(results) and all(v[0] == e[0] for v, e in both)


exercise = Exercise(
    mode_count,
    minutes=8,
    difficulty="medium",
    hints=(
        "Each sample looks for its nearest mode. If that is within 3σ, the sample is "
        "good, and the mode is captured; if not, the sample captures nothing.",
        "`torch.cdist(samples, centres)` has all distances, (N, K); its minimum over the "
        "modes (axis 1) gives both the distance to the nearest and which one it is.",
        "With `nearest, mode = distances.min(1)` and `good = nearest <= 3 * sigma`: how "
        "many different values are in `mode[good]`, and which share of `good` is true?",
    ),
    cases=(
        Case(
            _around(
                _RING,
                [0, 0, 1, 2, 2, 2, 5],
                [0.5, 2.0, 1.2, 2.6, 0.1, 2.9, 1.9],
                0.01,
                seed=111,
            ),
            _RING,
            0.01,
            label="samples close to 4 of 8 modes",
        ),
        Case(
            _around(
                _RING,
                [0, 0, 1, 2, 2, 3, 5, 7],
                [0.5, 3.4, 1.2, 2.6, 3.8, 5.0, 4.1, 2.2],
                0.01,
                seed=112,
            ),
            _RING,
            0.01,
            label="some samples astray",
        ),
        Case(
            _around(
                _GRID,
                [0, 3, 3, 12, 24, 24, 24, 7, 8, 9],
                [0.5, 1.5, 9.0, 2.5, 1.1, 2.2, 12.0, 6.0, 2.8, 20.0],
                0.05,
                seed=113,
            ),
            _GRID,
            0.05,
            label="a grid of 25 modes",
        ),
        Case(
            _around(_RING, [0, 1, 2], [5.0, 8.0, 20.0], 0.01, seed=114),
            _RING,
            0.01,
            label="not one good sample",
        ),
        Case(
            torch.tensor([[0.1], [1.6], [2.2], [9.5], [13.4]]),
            torch.tensor([[0.0], [2.0], [4.0], [10.0]]),
            1.0,
            label="modes so close that their reaches overlap",
        ),
        Case(
            _RING[:4]
            + 0.0235 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [0.5, 0.2]]),
            _RING,
            0.01,
            label="three samples 3.3σ away, along the diagonal",
        ),
        Case(
            _around(
                normal(3, 3, seed=115),
                [0, 0, 1, 1, 1],
                [2.5, 2.8, 1.5, 3.5, 2.9],
                0.1,
                seed=116,
            ),
            normal(3, 3, seed=115),
            0.1,
            label="three dimensions",
        ),
        Case(
            _around(_RING, [4] * 30, [0.1 * i for i in range(30)], 0.01, seed=117),
            _RING,
            0.01,
            label="all samples on one mode",
        ),
        Case(
            _around(
                _GRID,
                [integer(0, 24, seed=seed) for seed in range(20)],
                [integer(0, 24, seed=seed) / 5 + 0.1 for seed in range(20, 40)],
                0.05,
                seed=118,
            ),
            _GRID,
            0.05,
            label="20 samples on a grid",
        ),
    ),
    mistakes=(
        Mistake(
            "every nearest mode counts",
            "mode[good]",
            "mode",
            "A mode counts as captured if any sample is nearest to it, however far. Only "
            "good samples capture.",
        ),
        Mistake(
            "every mode within reach counts",
            _FOUND,
            "(torch.cdist(samples, centres) <= 3 * sigma).any(0).sum().item()",
            "A mode counts as captured if a sample is within 3σ of it, even where that "
            "sample is nearer to another mode. Each sample counts for its nearest mode "
            "only.",
        ),
        Mistake(
            "one σ",
            "3 * sigma",
            "sigma",
            "A sample counts as good up to 1σ. 3σ are allowed: beyond 1σ are 61 % of the "
            "true samples of a mode in two dimensions.",
        ),
        Mistake(
            "two σ",
            "3 * sigma",
            "2 * sigma",
            "A sample counts as good up to 2σ. 3σ are allowed.",
        ),
        Mistake(
            "the squared distance",
            "nearest <=",
            "nearest.square() <=",
            "The squared distance is compared with 3σ. Where distances are below 1, it "
            "is smaller than the distance, and too many samples pass.",
        ),
        Mistake(
            "the variance",
            "3 * sigma",
            "3 * sigma**2",
            "The distance is compared with 3σ², three variances. `sigma` is the standard "
            "deviation already.",
        ),
        Mistake(
            "3σ along each axis",
            "nearest <= 3 * sigma",
            "((samples - centres[mode]).abs() <= 3 * sigma).all(1)",
            "Each axis is compared with 3σ by itself: that is a square around the "
            "centre. Within 3σ is a disc; take the distance.",
        ),
        Mistake(
            "distances along the axes added",
            "torch.cdist(samples, centres)",
            "torch.cdist(samples, centres, p=1.0)",
            "The distances along the axes are added up (the L1 norm). The straight "
            "distance is due.",
        ),
        Mistake(
            "each centre asks for its nearest sample",
            "torch.cdist(samples, centres).min(1)",
            "torch.cdist(centres, samples).min(1)",
            "The minimum runs over the wrong axis: for every centre you look for the "
            "nearest sample. Every sample looks for its nearest centre.",
        ),
        Mistake(
            "the bad ones",
            "nearest <=",
            "nearest >",
            "These are the samples farther than 3σ. The good ones are at most 3σ away.",
        ),
        Mistake(
            "good samples are counted",
            "good.double().mean().item()",
            "good.sum().item()",
            "The second number is how many samples are good. Their share is asked for, "
            "from 0 to 1.",
        ),
        Mistake(
            "per cent",
            "good.double().mean().item()",
            "100 * good.double().mean().item()",
            "The second number is in per cent. A share from 0 to 1 is asked for.",
        ),
        Mistake(
            "the share of the modes",
            f"{_FOUND},",
            f"{_FOUND} / len(centres),",
            "The first number is the share of the modes that are captured. Their number "
            "is asked for.",
        ),
        Mistake(
            "good samples instead of modes",
            _FOUND,
            "good.sum().item()",
            "The first number counts the good samples. Several of them may sit on one "
            "mode: count the different modes.",
        ),
        Mistake(
            "the share over the modes",
            "good.double().mean().item()",
            "(good.sum() / len(centres)).item()",
            "The good samples are divided by the number of modes. Their share is over "
            "all samples.",
        ),
        Mistake(
            "in reverse order",
            f"return {_FOUND}, good.double().mean().item()",
            f"return good.double().mean().item(), {_FOUND}",
            "The order is: first the number of captured modes, then the share of good "
            "samples.",
        ),
        Mistake(
            "the share over all pairs",
            "good.double().mean().item()",
            "(torch.cdist(samples, centres) <= 3 * sigma).double().mean().item()",
            "The share is over all pairs of a sample and a centre. Each sample is good "
            "or not: over the samples.",
        ),
        Mistake(
            "missed modes are counted",
            f"{_FOUND},",
            f"len(centres) - {_FOUND},",
            "The first number is how many modes are missed. Those that are captured are "
            "asked for.",
        ),
        Mistake(
            "the mode must have its share",
            _FOUND,
            "int((torch.bincount(mode[good], minlength=len(centres)) * len(centres) >= "
            "len(samples)).sum())",
            "A mode counts as captured only if it has its full share of the samples. One "
            "good sample is enough.",
        ),
    ),
    symptoms=(
        Symptom(
            "no sample is good",
            lambda results: others_right(results, "not one good sample"),
            "Where not one sample is good, no mode is captured and the share is 0: does "
            "your function allow for that?",
            errors_too=True,
        ),
        Symptom(
            "the share is right, the count is not",
            _shows_the_share_is_right_the_count_is_not,
            "The share of good samples is right, the number of captured modes is not: "
            "how many different modes are the nearest of a good sample?",
        ),
        Symptom(
            "the count is right, the share is not",
            _shows_the_count_is_right_the_share_is_not,
            "The number of captured modes is right, the share is not: of all samples, "
            "how many are at most 3σ from the nearest centre?",
        ),
        Symptom(
            "what is good",
            lambda results: len(usable(results)) == len(results),
            "Both numbers are wrong. A sample is good if the straight distance to its "
            "nearest centre is at most 3σ: begin there.",
        ),
    ),
)
