"""Are samples copies of the training data, and how many different ones are there?"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.metrics.clouds import check_features, distances, nearest
from gencourse.support.checks import generator_or_new, number, positive_integer


def c_t(
    train: Tensor, held_out: Tensor, samples: Tensor, cells: int = 1, generator: torch.Generator | None = None
) -> float:
    """Do samples lie nearer to the training data than unseen data do? (Meehan et al., arXiv:2004.05675, section 3.)

    U counts the pairs (sample, held-out example) in which the sample is farther from its nearest training example,
    ties by half; Z_U = (U − mn/2) / √(mn(m+n+1)/12) is its z-score (Mann and Whitney 1947). For samples of the law
    of the data it is standard normal; copies give a value far below −3, samples off the data one far above 3. It
    grows with √n, so compare at equal numbers.

    A model may copy in one place and miss the data in another, and the two cancel. With `cells` > 1 the space is
    divided by k-means on the training data, and C_T is the average of the Z_U of the cells, weighted by their share
    of held-out data; a cell with fewer than 20 samples is left out.

    Args:
        train: (N, F). held_out: (n, F), seen by nobody. samples: (m, F), of the model. Pixels or features.
        generator: of k-means; by default a new one with seed 0.

    Raises:
        ValueError: a cell without training or held-out examples, or no cell with 20 samples: take fewer cells.
    """
    check_features(train=train, held_out=held_out, samples=samples)
    expected = f"a whole number from 1 to {len(train)}, the training examples"
    cells = positive_integer("cells", cells, most=len(train), expected=expected)
    if cells == 1:
        return _z_u(train, held_out, samples)
    centres = _k_means(train, cells, generator_or_new(generator))
    in_train, in_held_out, in_samples = (nearest(x, centres)[1] for x in (train, held_out, samples))
    weights, scores = [], []
    for cell in range(cells):
        some = train[in_train == cell], held_out[in_held_out == cell], samples[in_samples == cell]
        if not len(some[0]) or not len(some[1]):
            raise ValueError(
                f"a cell has {len(some[0])} training and {len(some[1])} held-out examples; take fewer "
                f"cells than {cells}, or give more examples"
            )
        if len(some[2]) >= 20:
            weights.append(len(some[1]))
            scores.append(_z_u(*some))
    if not weights:
        raise ValueError(f"none of {cells} cells has 20 of the {len(samples)} samples; draw more, or take fewer cells")
    return sum(w * z for w, z in zip(weights, scores)) / sum(weights)


def nearest_distance(x: Tensor, train: Tensor) -> Tensor:
    """Distance of each of x to its nearest training example: (N, F), (M, F) -> (N,) float64. A copy has 0."""
    check_features(x=x, train=train)
    return nearest(x, train)[0]


def looks_copied(own: Tensor, unseen: Tensor, quantile: float = 0.01) -> Tensor:
    """Which samples lie nearer to the training data than all but a few unseen examples do: (m,) -> (m,) bool.

    "A few" is the quantile: of samples of the law of the data that share is expected, the floor. Unlike C_T it counts
    copies one by one, so that samples off the data do not hide them.

    own, unseen: `nearest_distance` of the samples and of held-out examples to the same training data, (m,) and (n,).
    """
    quantile = number("quantile", quantile, "a number between 0 and 1", most=1, open_ended=True)
    return own < unseen.quantile(quantile)


def c_t_of_distances(own: Tensor, unseen: Tensor) -> float:
    """`c_t` of distances that are known: `nearest_distance` of samples (m,) and of held-out examples (n,)."""
    unseen = unseen.sort().values
    n, m = len(unseen), len(own)
    u = (torch.searchsorted(unseen, own) + torch.searchsorted(unseen, own, right=True)).sum().item() / 2
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _z_u(train: Tensor, held_out: Tensor, samples: Tensor) -> float:
    return c_t_of_distances(nearest(samples, train)[0], nearest(held_out, train)[0])


def _k_means(x: Tensor, k: int, generator: torch.Generator, steps: int = 20) -> Tensor:
    """Centres (k, F) of Lloyd's algorithm; a centre that lost all its points stays where it is."""
    x = x.double()
    centres = x[torch.randperm(len(x), generator=generator, device=generator.device)[:k].to(x.device)]
    for _ in range(steps):
        cell = nearest(x, centres)[1]
        counts = torch.bincount(cell, minlength=k)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, cell, x)
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def nearest_ratio(train: Tensor, held_out: Tensor, samples: Tensor) -> Tensor:
    """Distance of each sample to the nearest training example over that to the nearest held-out one: (S,).

    Below 1 it is nearer to what the model was trained on; 0 is a copy. For samples of the law of the data half are
    below 1, whatever the law, for the two sets could be exchanged; so the share below 1 is a score with the floor ½.

    Args:
        train, held_out: (N, F) each, as many of both: the nearest of more examples is nearer.
        samples: (S, F). Pixels or features.
    """
    check_features(train=train, held_out=held_out, samples=samples)
    if len(train) != len(held_out):
        raise ValueError(
            f"train has {len(train)} examples, held_out {len(held_out)}; expected as many, or the larger "
            "set is nearer for that alone"
        )
    seen, unseen = nearest(samples, train)[0], nearest(samples, held_out)[0]
    return torch.where(seen == unseen, torch.ones_like(seen), seen / unseen)


class Support(NamedTuple):
    """How many different things a model makes, by its duplicates.

    >>> repeats = torch.arange(10.0).repeat(2)[:, None]  # each of ten things twice
    >>> birthday_support(repeats).duplicates
    10
    """

    size: float  # estimate; inf if there is no duplicate
    at_least: float  # with a confidence of about 95 %
    duplicates: int  # pairs


def birthday_support(samples: Tensor, threshold: float = 0.0) -> Support:
    """Number of different outcomes, from how many of all pairs of s samples are the same.

    Two draws of a law over N equally probable things are the same with probability 1/N, so N is about
    s(s−1)/2 over the number of equal pairs; among 1.2·√N samples a duplicate is as probable as not, the paradox of
    birthdays (Arora and Zhang, arXiv:1706.08224). Of unequal probabilities it is 1/Σp², the number of
    equally probable things that would have as many duplicates. Nothing is said about a support far beyond s².

    Args:
        samples: (S, F). threshold: the largest distance of two that count as the same, in units of the features: such
            as one that hardly any two real examples fall below, to be printed beside it.
    """
    check_features(samples=samples)
    if len(samples) < 2:
        raise ValueError(f"samples has {len(samples)} row; duplicates need two at least")
    threshold = number("threshold", threshold, "a distance, at least 0")
    twice = sum((distance <= threshold).sum().item() for _, distance in distances(samples, samples)) - len(samples)
    pairs, equal = len(samples) * (len(samples) - 1) / 2, twice // 2
    most = equal + 2 * math.sqrt(equal) + 3  # what is seen may be a small number by chance (Poisson)
    return Support(pairs / equal if equal else math.inf, max(1.0, pairs / most), equal)
