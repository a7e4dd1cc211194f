"""Starting means for EM: points of the data that lie apart, by k-means++."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, expected_of, insist, wrong_on
from gencourse.exercises.machine.answers import as_numbers
from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import answer_to, chance
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def kmeans_plus_plus(x: Tensor, n_components: int, generator: torch.Generator) -> Tensor:
    """Starting means for EM: points of the data that lie apart, by k-means++.

    The first centre is any of the points, all equally likely. Each further one is a point
    drawn with probability in proportion to the square of its distance to the nearest of the
    centres so far. All chance comes from the generator, which is not seeded here.
    x: (N, D), at least n_components of them different. Returns (n_components, D).
    """
    centres = x[torch.randint(len(x), (1,), generator=generator)]  # (1, D)
    squares = (x - centres).square().sum(1)  # (N,), to the nearest one
    while len(centres) < n_components:
        new = x[torch.multinomial(squares, 1, generator=generator)]  # (1, D)
        centres = torch.cat([centres, new])
        squares = torch.minimum(squares, (x - new).square().sum(1))
    return centres


_PLACES = torch.tensor([[1.0, 1.5], [0.5, 2.0], [2.0, 0.5]])


_STAR = torch.tensor([[0.0, 0, 0, 0], [3.0, 0, 0, 0], [1.5, 1.5, 1.5, 1.5]])


_LINE = torch.tensor([[0.0], [10.0], [5.0], [-1.0]])


_SPOTS = torch.tensor([[0.0, 0.0], [4.0, 0.0], [5.0, 0.0], [0.0, 9.0], [9.0, 9.0]])


def _crowd(places: Tensor, counts: tuple) -> Tensor:
    """Points that stand on few places, so many on each, in no order."""
    x = places.repeat_interleave(torch.tensor(counts), 0)
    return x[torch.randperm(len(x), generator=seeded(len(x)), device="cpu")]


def _centres(fn, x, n_components, generator, n_calls=1) -> Tensor:
    """What so many calls return: (n_calls, n_components, D)."""
    answers = []
    for _ in range(n_calls):
        answers.append(as_numbers(fn(x.clone(), n_components, generator)))
        if answers[-1].shape != (n_components, x.shape[1]):
            numbers = answers[-1].shape == (n_components,)
            insist(
                "centres",
                answers[-1],
                (n_components, x.shape[1]),
                " Are these the numbers of the points? The "
                "points themselves are asked for, `x[…]`."
                if numbers
                else "",
            )
    answers = torch.stack(answers)
    return insist("centres", answers, answers.shape)


def _places(fn, x, places, n_components, n_calls, seed) -> Tensor:
    """The number of the place on which each centre stands, (n_calls, n_components); the last number for none."""
    centres = _centres(fn, x, n_components, torch.Generator().manual_seed(seed), n_calls)
    distances = (centres[:, :, None] - places).norm(dim=3)
    return torch.where(distances.amin(2) < 1e-4, distances.argmin(2), len(places))


def _are_points(fn, x, n_components, seed):
    """Two yes or no, over 40 calls: is every centre a point of x; does none stand where another does?"""
    different = x.unique(dim=0)
    chosen = _places(fn, x, different, n_components, 40, seed)
    return torch.tensor(
        [
            bool((chosen < len(different)).all()),
            all(len(set(each)) == n_components for each in chosen.tolist()),
        ]
    ).double()


def _triples(fn, x, places, n_calls, seed):
    """How often the first of three centres stands on each place; the first two; the third; the third on the place
    of the first, and of the second."""
    counts = torch.zeros(3 * (len(places) + 1,), dtype=torch.float64)
    for each in _places(fn, x, places, 3, n_calls, seed).tolist():
        counts[tuple(each)] += 1 / n_calls
    return torch.cat(
        [
            counts.sum((1, 2)),
            counts.sum(2).flatten(),
            counts.sum((0, 1)),
            counts.diagonal(dim1=0, dim2=2).sum()[None],
            counts.diagonal(dim1=1, dim2=2).sum()[None],
        ]
    )


def _last(fn, x, places, n_components, n_calls, seed):
    """How often the last of several centres stands on each place."""
    last = _places(fn, x, places, n_components, n_calls, seed)[:, -1]
    return torch.bincount(last, minlength=len(places) + 1).double() / n_calls


def _chance_of_centres(fn, x, n_components, seed):
    """Whether the first centre comes from the generator; whether all of them do."""
    return torch.cat(
        [
            chance(lambda generator: _centres(fn, x, n_components, generator)[0, :1], seed),
            chance(lambda generator: _centres(fn, x, n_components, generator)[0], seed),
        ]
    )


def _shows_the_generator_is_ignored(results):
    chance = answer_to(results, _chance_of_centres)
    return chance is not None and not chance[5]


def _shows_the_generator_is_not_used_up(results):
    chance = answer_to(results, _chance_of_centres)
    return chance is not None and not chance[5:].all()


def _shows_the_first_centre_is_not_any_point(results):
    shares = answer_to(results, _triples)
    return (
        shares is not None
        and (shares - expected_of(results, _triples))[:4].abs().max() > 0.09
    )


exercise = Exercise(
    kmeans_plus_plus,
    minutes=10,
    difficulty="medium",
    hints=(
        "Keep, for every point, the squared distance to the centre that is nearest to "
        "it. What becomes of these numbers when a centre is added?",
        "The first centre is any point, `torch.randint(len(x), (1,), "
        "generator=generator)`. `torch.multinomial(squares, 1, generator=generator)` "
        "draws the number of a point with probability in proportion to `squares`: no "
        "division needed.",
        "After each new centre: `squares = torch.minimum(squares, (x - "
        "new).square().sum(1))`. A chosen point has distance 0 then, and is not drawn "
        "again.",
    ),
    cases=(
        Case(draws(50, 12, 3), 1, 1, observe=_are_points, label="1 centre among 12 points"),
        Case(draws(51, 9, 2), 9, 2, observe=_are_points, label="9 centres among 9 points"),
        Case(
            _crowd(_SPOTS, (30, 1, 1, 3, 2)),
            5,
            3,
            observe=_are_points,
            label="5 centres among 37 points that stand on 5 places",
        ),
        Case(
            draws(52, 200, 2),
            4,
            4,
            observe=_chance_of_centres,
            label="4 centres among 200 points, several times",
        ),
        Case(
            _crowd(_PLACES, (9, 4, 1)),
            _PLACES,
            1200,
            5,
            observe=_triples,
            atol=0.09,
            label="3 centres among 14 points, 1,200 times",
        ),
        Case(
            _crowd(_STAR, (24, 3, 3)),
            _STAR,
            2,
            500,
            6,
            observe=_last,
            atol=0.12,
            label="2 centres among 30 points, 500 times",
        ),
        Case(
            _crowd(_LINE, (12, 3, 1, 10)),
            _LINE,
            3,
            500,
            7,
            observe=_last,
            atol=0.12,
            label="3 centres among 26 points, 500 times",
        ),
    ),
    mistakes=(
        Mistake(
            "the distance is not squared",
            "torch.multinomial(squares, 1",
            "torch.multinomial(squares.sqrt(), 1",
            "The probability is in proportion to the distance: it is to be in proportion "
            "to its square.",
        ),
        Mistake(
            "squared twice",
            "torch.multinomial(squares, 1",
            "torch.multinomial(squares.square(), 1",
            "The squared distance is squared once more: far points come too often.",
        ),
        Mistake(
            "the farthest point instead of a draw",
            "torch.multinomial(squares, 1, generator=generator)",
            "squares.argmax()[None]",
            "The farthest point is taken each time, and nothing is drawn. So outliers "
            "become centres; the farthest is to be likely, not certain.",
        ),
        Mistake(
            "the nearest centre forgotten for the last",
            "torch.minimum(squares, (x - new).square().sum(1))",
            "(x - new).square().sum(1)",
            "Only the distance to the last centre counts: points beside an earlier one "
            "seem far, and are chosen again. The nearest of all centres counts.",
        ),
        Mistake(
            "only the first centre counts",
            "torch.minimum(squares, (x - new).square().sum(1))",
            "squares",
            "Only the distance to the first centre counts: the distances are not brought "
            "up to date when a centre is added.",
        ),
        Mistake(
            "the distances to all centres are added",
            "torch.minimum(squares, (x - new).square().sum(1))",
            "squares + (x - new).square().sum(1)",
            "The distances to all centres count (they are added, or the largest is "
            "taken), so a point that is a centre already may be drawn again. Only the "
            "nearest centre counts.",
        ),
        Mistake(
            "the distance to the middle of the centres",
            "torch.minimum(squares, (x - new).square().sum(1))",
            "(x - centres.mean(0)).square().sum(1)",
            "The distance to the mean of the centres counts: no centre stands there. The "
            "nearest one counts.",
        ),
        Mistake(
            "all points equally likely",
            "torch.multinomial(squares, 1, generator=generator)",
            "torch.randint(len(x), (1,), generator=generator)",
            "All centres are drawn uniformly: the further a point is from the centres so "
            "far, the likelier it is to be the next.",
        ),
        Mistake(
            "the nearest points are the likeliest",
            "torch.multinomial(squares, 1",
            "torch.multinomial(1 / (squares + 1e-3), 1",
            "The nearest points are the likeliest: the probability is to grow with the "
            "distance.",
        ),
        Mistake(
            "a softmax of the distances",
            "torch.multinomial(squares, 1",
            "torch.multinomial(torch.softmax(squares, 0), 1",
            "The probabilities are a softmax of the squared distances: then a point that "
            "is a centre already can be drawn, and the far ones take nearly all. In "
            "proportion means divided by the sum, and `torch.multinomial` does that.",
        ),
        Mistake(
            "the first point is always the first centre",
            "x[torch.randint(len(x), (1,), generator=generator)]",
            "x[:1]",
            "The first centre is always the first point of the data: it is drawn too, "
            "uniformly.",
        ),
        Mistake(
            "the mean is the first centre",
            "x[torch.randint(len(x), (1,), generator=generator)]",
            "x.mean(0, keepdim=True)",
            "The first centre is the mean of the data, the same every time: a point of "
            "the data is to be drawn.",
        ),
        Mistake(
            "the first centre far from the origin",
            "x[torch.randint(len(x), (1,), generator=generator)]",
            "x[torch.multinomial(x.square().sum(1), 1, generator=generator)]",
            "The first centre depends on the distance from the origin: there is no "
            "centre yet to be far from, so all points are equally likely.",
        ),
        Mistake(
            "the first draw is made without the generator",
            "(1,), generator=generator)]",
            "(1,))]",
            "The same generator, seeded alike, gives other centres: the first comes from "
            "elsewhere. Every draw takes `generator=generator`.",
        ),
        Mistake(
            "the further draws are made without the generator",
            "squares, 1, generator=generator)",
            "squares, 1)",
            "The same generator, seeded alike, gives other centres after the first: they "
            "come from elsewhere. Every draw takes `generator=generator`.",
        ),
        Mistake(
            "seeded anew",
            "    centres = x[",
            "    generator.manual_seed(0)\n    centres = x[",
            "The generator is seeded inside the function, so that it chooses the same "
            "centres every time. Seeding is the caller's business.",
        ),
    ),
    symptoms=(
        Symptom(
            "not points of the data",
            lambda results: any(
                not r.value[0]
                for r in results
                if r.case.observe is _are_points and r.value is not None
            ),
            "Some centres are no points of the data: each is a row of x.",
        ),
        Symptom(
            "the generator is ignored",
            _shows_the_generator_is_ignored,
            "The same generator, seeded alike, gives other centres: some chance comes "
            "from elsewhere. Every draw takes `generator=generator`.",
        ),
        Symptom(
            "the generator is not used up",
            _shows_the_generator_is_not_used_up,
            "Two calls in a row with one generator give the same centres, or the "
            "generator is as fresh after a call as before it: draw from the generator "
            "itself, neither from a copy nor from one seeded anew.",
        ),
        Symptom(
            "the first centre is not any point",
            _shows_the_first_centre_is_not_any_point,
            "The first centre is not every point of the data equally often.",
        ),
        Symptom(
            "a point is chosen again",
            lambda results: wrong_on(results, _are_points),
            "A place where a centre stands is chosen again, while others have none: the "
            "distance to the nearest of all centres is 0 there, so its probability must "
            "be 0.",
        ),
        Symptom(
            "wrong probabilities for the second centre",
            lambda results: (
                wrong_on(results, _triples)
                or any(
                    r.value is not None and not r.right
                    for r in results
                    if r.case.observe is _last and r.case.arguments[2] == 2
                )
            ),
            "The first centre is drawn as it should be, the second is not: with "
            "probability in proportion to the squared distance to the first, the sum of "
            "the squares over all features.",
        ),
        Symptom(
            "wrong probabilities from the third centre on",
            lambda results: wrong_on(results, _last),
            "The first two centres are drawn as they should be, the third is not: how do "
            "the distances change when a centre is added?",
        ),
        Symptom(
            "the first centre has a rule",
            lambda results: wrong_on(results, _chance_of_centres),
            "The first centre is not drawn anew in every call from the generator.",
        ),
    ),
)
