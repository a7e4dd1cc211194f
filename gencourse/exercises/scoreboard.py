"""The exercises of notebook 06: to read a board of all families, and what two figures on it prove.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .common import others_right, proportional, right_on, usable
from .core import Case, exercise, seeded


def _random(*shape: int, seed: int) -> Tensor:
    """Numbers from 0 to 1."""
    return torch.rand(shape, generator=seeded(seed), device="cpu", dtype=torch.float32)


def _sound(results):
    """The results, if every answer is finite and of the right shape; else none: then that is better said."""
    return results if len(usable(results)) == len(results) and all(r.value.isfinite().all() for r in results) else []


def _shuffled(rows: Tensor, seed: int) -> Tensor:
    return rows[torch.randperm(len(rows), generator=seeded(seed), device="cpu")]


# 1

class _Row(NamedTuple):
    """What a board says of one contestant."""

    nats: float
    spread: float
    passes: int
    sharpness: float
    frechet: float
    near: float


_MIXTURE = _Row(136.0, 0.0, 1, 1.45, 14.0, 1.06)
_PIXELCNN = _Row(83.5, 0.0, 784, 0.98, 2.1, 0.94)
_VAE = _Row(87.8, 0.006, 1, 0.57, 5.2, 1.05)
_GAN = _Row(math.nan, math.nan, 1, 0.96, 1.5, 0.93)
_COPIER = _Row(math.nan, math.nan, 1, 1.0, 1.02, 0.0)
_EVERYBODY = (_MIXTURE, _PIXELCNN, _VAE, _GAN, _COPIER)


def _board(seed: int, *rows: _Row) -> Tensor:
    """These rows in an order of no meaning, every figure but the passes up to 2 % larger or smaller."""
    board = torch.tensor(rows, dtype=torch.float32, device="cpu")
    noise = 1 + 0.04 * (_random(*board.shape, seed=seed) - 0.5)
    noise[:, 2] = 1
    return _shuffled(board * noise, seed + 1)


_FIVE = _board(1, *_EVERYBODY)


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "Two columns out of six say nothing of the family: a GAN may come out blurry and a PixelCNN bad. Ask of each "
        "column what it must be for a family, not what it usually is. And each row for itself: there may be two GANs.",
        "Only an exact likelihood stays the same when it is computed again; a VAE averages over codes that it draws. A "
        "GAN has no likelihood at all. Of the two that are exact, one draws its pixels one after the other. The copier "
        "may have any of these: what gives it away is where its samples lie.",
        "Begin with `nats, spread, passes, sharpness, frechet, near = board.T`. Then from weak to strong: `family = "
        "(passes > 1).long()` tells the exact ones apart; write the others over it, `family[…] = 2` and so on, the "
        "copier last. `nats.isnan()` finds NaN: it is equal to nothing, not even to itself.",
    ),
    cases=(
        Case(_FIVE, label="five contestants, one of each family"),
        Case(_shuffled(_FIVE, 3), label="the same five in another order"),
        Case(_board(11, _VAE._replace(nats=80.9, spread=0.004), _PIXELCNN._replace(nats=91.5, frechet=16.0), _MIXTURE),
             label="a VAE that beats a small PixelCNN"),
        Case(_board(21, _GAN._replace(sharpness=0.48, frechet=9.0), _VAE._replace(sharpness=1.17, spread=0.2),
                    _PIXELCNN, _MIXTURE._replace(sharpness=0.9, frechet=3.0), _COPIER),
             label="a GAN blurrier than the VAE"),
        Case(_board(31, _GAN, _GAN._replace(sharpness=1.2, near=1.1), _PIXELCNN,
                    _PIXELCNN._replace(nats=81.0, near=1.1), _VAE), label="two families twice, two not at all"),
        Case(_board(41, _COPIER._replace(near=0.04), _COPIER._replace(nats=math.inf, spread=0.0),
                    _VAE._replace(nats=118.0, near=0.05, frechet=1.1), _PIXELCNN._replace(nats=250.0, near=0.03),
                    _GAN, _PIXELCNN, _VAE), label="copiers of every make"),
        Case(_FIVE[_FIVE[:, 1] > 0], label="one contestant alone"),
        Case(_board(51, _VAE._replace(nats=84.0, spread=0.3, passes=12), _GAN._replace(passes=4), _PIXELCNN,
                    _MIXTURE, _VAE), label="codes and images drawn level by level"),
        Case(_board(61, _MIXTURE._replace(nats=math.inf), _VAE._replace(spread=0.0015), _GAN, _MIXTURE),
             label="a mixture that holds an image impossible"),
        Case(_board(71, _MIXTURE._replace(nats=38.0), _PIXELCNN._replace(nats=27.0, passes=256), _VAE._replace(
            nats=29.0), _GAN, _COPIER), label="images of 16 × 16 pixels"),
        Case(_board(81, *(_EVERYBODY[i] for i in torch.randint(5, (12,), generator=seeded(80)).tolist())),
             label="twelve contestants"),
    ),
)
def which_is_which(board: Tensor) -> Tensor:
    """The family of every contestant of an anonymous board, by what its columns mean.

    board: (M, 6), a row for each, in any order; a family may be missing, or come twice.
    0 nats: cost of a test image. NaN: no likelihood; infinite: some image is impossible
    1 spread of column 0, computed again with other random numbers; 0 if it never moves
    2 passes for a sample, one after the other
    3 sharpness of samples; the data have 1
    4 Fréchet distance of samples; other data have 1
    5 distance of samples to the nearest training image over that to the nearest unseen
      image: about 1; copies have about 0
    Returns (M,) numbers: 0 mixture of Bernoullis, 1 PixelCNN, 2 VAE, 3 GAN, 4 copier, a
    model of whatever make that repeats training images.
    """
    nats, spread, passes, _, _, near = board.T
    family = (passes > 1).long()            # the exact ones: in one go, or pixel by pixel
    family[spread > 0] = 2                  # a bound moves with the codes that are drawn
    family[nats.isnan()] = 3                # samples, but no likelihood
    family[near < 0.5] = 4                  # whatever else holds of it
    return family


_PASSES = "(passes > 1).long()            # the exact ones: in one go, or pixel by pixel"
_BOUND = "family[spread > 0] = 2                  # a bound moves with the codes that are drawn"
_NONE = "family[nats.isnan()] = 3                # samples, but no likelihood"
_COPIES = "family[near < 0.5] = 4                  # whatever else holds of it"

which_is_which.mistake(
    "the place taken for the family", "return family", "return torch.arange(len(board)) % 5",
    "The first row is called a mixture, the second a PixelCNN, and so on: the place is taken for the family. The rows "
    "stand in any order; it is the figures that speak.")
which_is_which.mistake(
    "a bound read as exact", _BOUND, "pass",
    "The VAEs are taken for models with an exact likelihood. A figure that moves when it is computed again is an "
    "estimate: the VAE has a bound only, by codes that it draws.")
which_is_which.mistake(
    "a small spread read as none", "family[spread > 0]", "family[spread > 0.05]",
    "A spread that is small is taken for none. Over many images and draws a bound hardly moves, but it moves; what is "
    "exact does not move at all.")
which_is_which.mistake(
    "no spread read as a spread", f"{_BOUND}\n    {_NONE}", "family[nats.isnan()] = 3\n    family[spread != 0] = 2",
    "The GANs come out as VAEs: a spread of NaN is not equal to 0 either, but there is no figure that could move. Ask "
    "whether it is above 0, or look for NaN afterwards.")
which_is_which.mistake(
    "no likelihood read as the worst", "family[nats.isnan()]", "family[nats.nan_to_num(math.inf).argmax()]",
    "Having no likelihood is read as having the worst: on each board the dearest one is the GAN. NaN is no large "
    "number; a board may have several GANs, or none.")
which_is_which.mistake(
    "no likelihood read as 0 nats", "family[nats.isnan()]", "family[nats.nan_to_num(0.0).argmin()]",
    "Having no likelihood is read as 0 nats: on each board the cheapest one is the GAN. NaN is no number; a board may "
    "have several GANs, or none.")
which_is_which.mistake(
    "compared with NaN", "nats.isnan()", "nats == math.nan",
    "No GAN is found: NaN is equal to nothing, not even to NaN, so that `== math.nan` is never true.")
which_is_which.mistake(
    "an infinite cost read as none", "nats.isnan()", "~nats.isfinite()",
    "An infinite cost is read as none. It is a likelihood, and an exact one: 0, for an image that the model holds "
    "impossible. None at all is NaN.")
which_is_which.mistake(
    "the sharpest called GAN", "family[nats.isnan()]", "family[board[:, 3].argmax()]",
    "On each board the sharpest one is called GAN. Noise is sharp too, and a GAN may be blurry: what a GAN must lack "
    "is in another column.")
which_is_which.mistake(
    "the blurriest called VAE", "family[spread > 0]", "family[board[:, 3].argmin()]",
    "On each board the blurriest one is called VAE. That is often so and need not be: drawn pixels are as sharp as "
    "noise, and a GAN may be blurrier. Which column must be as it is for a VAE?")
which_is_which.mistake(
    "blur read as VAE", "family[spread > 0]", "family[board[:, 3] < 0.8]",
    "Who is blurry is called VAE. That is often so and need not be: drawn pixels are as sharp as noise, and a GAN may "
    "be blurrier. Which column must be as it is for a VAE?")
which_is_which.mistake(
    "copying is not looked for", _COPIES, "pass",
    "The copiers pass for honest models: nobody asks where their samples lie. Sharpness and Fréchet distance cannot "
    "give them away, for training images are perfect by both.")
which_is_which.mistake(
    "the lowest Fréchet distance called a copier", "family[near < 0.5]", "family[board[:, 4].argmin()]",
    "On each board the one with the lowest Fréchet distance is called a copier. A copier's is low, but so is that of a "
    "good model; and there may be several copiers, or none.")
which_is_which.mistake(
    "the lowest Fréchet distance called PixelCNN", _COPIES, "family[board[:, 4].argmin()] = 1",
    "On each board the one with the lowest Fréchet distance is called PixelCNN, as the best model. The lowest may well "
    "be the copier's: training images are as good as data, and nothing new.")
which_is_which.mistake(
    "copiers only among those without a likelihood", "near < 0.5", "(near < 0.5) & nats.isnan()",
    "Copiers are looked for only where there is no likelihood. A model of any make can have learnt its training images "
    "by heart, with a cost or without.")
which_is_which.mistake(
    "no likelihood outranks copying", f"{_NONE}\n    {_COPIES}", "family[near < 0.5] = 4\n    family[nats.isnan()] = 3",
    "Copiers without a likelihood are called GAN. Both lack one: what sets them apart is where their samples lie, and "
    "that is to have the last word.")
which_is_which.mistake(
    "somewhat nearer read as copies", "near < 0.5", "near < 1",
    "Honest models are called copiers. Of models that copy nothing about half come out a little below 1, by chance: "
    "copies are at about 0.")
which_is_which.mistake(
    "copies only where nothing differs", "near < 0.5", "near == 0",
    "Only what repeats every pixel is called a copier. A little noise on a training image makes no new image: about 0 "
    "is near enough.")
which_is_which.mistake(
    "memorisation turned round", "near < 0.5", "near > 0.5",
    "Copiers and honest models have changed places: the last column is small where samples lie on training images.")
which_is_which.mistake(
    "passes turned round", "passes > 1", "passes == 1",
    "Mixture and PixelCNN have changed places. Which of the two has to wait for its own pixels?")
which_is_which.mistake(
    "whatever takes many passes called PixelCNN", _COPIES, "family[passes > 1] = 1\n    family[near < 0.5] = 4",
    "Whatever takes more than one pass is called PixelCNN. A VAE may draw its codes level by level, and a GAN its "
    "image from coarse to fine: several passes, and still no exact likelihood.")
which_is_which.mistake(
    "the most passes called PixelCNN", "passes > 1", "passes == passes.max()",
    "On each board whoever takes the most passes is called PixelCNN. Where there is no PixelCNN somebody takes the "
    "most, too.")
which_is_which.mistake(
    "the cheapest called PixelCNN", f"{_PASSES}\n    {_BOUND}\n",
    "torch.zeros(len(board)).long()\n    family[spread > 0] = 2\n    family[nats.nan_to_num(math.inf).argmin()] = 1\n",
    "On each board the one with the fewest nats is called PixelCNN. A VAE can be better than a small one: the family "
    "does not stand in how good a figure is.")
which_is_which.mistake(
    "told apart by a number of nats", "passes > 1", "nats < 110",
    "Mixture and PixelCNN are told apart by a number of nats. That holds for some boards: a smaller image costs less, "
    "and a bad model more, whatever its family.")
which_is_which.mistake(
    "the row of each family", "return family", "return family.argsort()",
    "These are the rows in the order of the families. Asked for is the other way round: for each row, its family.")
which_is_which.mistake(
    "counted from 1", "return family", "return family + 1",
    "The families are counted from 1. Here the first, the mixture, is 0.")
which_is_which.mistake(
    "a table of yes and no", "return family", "return torch.nn.functional.one_hot(family, 5)",
    "There is a yes or no for every row and family. One number for each row is asked for: which family it is.")


_FAMILIES = {
    4: ("copier", "Whatever else holds of a copier, its samples lie on training images."),
    0: ("mixture", "A mixture's likelihood is a sum over components, which is exact, and an image comes in one go."),
    1: ("PixelCNN", "A PixelCNN's likelihood is a product, which is exact, and each pixel waits for those before it."),
    2: ("VAE", "A VAE's likelihood can only be bounded, by means of codes that are drawn."),
    3: ("GAN", "A GAN makes samples, and has no likelihood at all."),
}


def _rows(results):
    """(the row, what was said, what is due) of every row."""
    return [row for r in _sound(results)
            for row in zip(r.case.arguments[0].nan_to_num(-1.0).tolist(), r.value.tolist(), r.expected.tolist())]


def _of_one_family(results, which: int) -> bool:
    """Are all rows that are wrong of the same family: what is due (2), or what was said (1)?"""
    return len({row[which] for row in _rows(results) if row[1] != row[2]}) == 1


@which_is_which.symptom(
    "no family",
    "There are numbers in your answer that name no family: whole numbers from 0 to 4 are due.")
def _(results):
    return any(said not in range(5) for _, said, _ in _rows(results))


@which_is_which.symptom(
    "other numbers for the families",
    "The families are told apart, but their numbers are mixed up: 0 mixture of Bernoullis, 1 PixelCNN, 2 VAE, 3 GAN, 4 "
    "copier.")
def _(results):
    pairs = {(said, due) for _, said, due in _rows(results)}
    return len(results) > 1 and len(pairs) > 1 and len(pairs) == len({due for _, due in pairs}) == len(
        {said for said, _ in pairs})


@which_is_which.symptom(
    "the others decide",
    "The same row is given one family on one board and another on the next, where it stands in another place or among "
    "others. A family shows in the row itself, not in its place or its rank.")
def _(results):
    said = {}
    for row, family, _ in _rows(results):
        said.setdefault(tuple(row), set()).add(family)
    return any(len(families) > 1 for families in said.values())


def _when_one_family_is_misread(family: int, name: str, sign: str) -> None:
    @which_is_which.symptom(f"{name}s are not known", f"Only {name}s are misread. {sign}")
    def _(results):
        return _of_one_family(results, 2) and any(due == family != said for _, said, due in _rows(results))


def _when_others_are_taken_for(family: int, name: str, sign: str) -> None:
    @which_is_which.symptom(f"others are taken for {name}s", f"Some are called {name} that are none. {sign}")
    def _(results):
        return _of_one_family(results, 1) and any(said == family != due for _, said, due in _rows(results))


_when_one_family_is_misread(4, *_FAMILIES[4])
_when_others_are_taken_for(4, *_FAMILIES[4])
for _number in range(4):
    _when_one_family_is_misread(_number, *_FAMILIES[_number])
for _number in range(4):
    _when_others_are_taken_for(_number, *_FAMILIES[_number])


@which_is_which.symptom(
    "mixtures and PixelCNNs confused",
    "Only mixtures and PixelCNNs are confused. Both have an exact likelihood, and either may be the better one, or the "
    "sharper. But one of them has to wait for its own pixels when it draws.")
def _(results):
    wrong = [{said, due} for _, said, due in _rows(results) if said != due]
    return bool(wrong) and all(pair == {0, 1} for pair in wrong)


@which_is_which.symptom(
    "right where each family comes once",
    "Right where every family comes exactly once, wrong where one is missing or comes twice: each row is to be judged "
    "by itself.")
def _(results):
    once = [sorted(r.expected.tolist()) == [0, 1, 2, 3, 4] for r in results]
    return bool(_sound(results)) and any(once) and all(r.right for r, one in zip(results, once) if one)


# 2

def _figures(seed: int, *pairs: tuple) -> tuple[Tensor, ...]:
    """The arguments for pairs (nats, bound, data, nats, bound, data), in an order of no meaning."""
    columns = _shuffled(torch.tensor(pairs, dtype=torch.float64, device="cpu"), seed).T
    return tuple(column.to(dtype) for column, dtype in zip(columns, (torch.float32, torch.bool, torch.int64) * 2))


def _many_figures(n: int, seed: int) -> tuple[Tensor, ...]:
    """Pairs of all kinds: some figures tie, and for some there is none."""
    nats = 80 + (8 * _random(2, n, seed=seed)).round()
    nats[:, : n // 10] = torch.where(_random(2, n // 10, seed=seed + 1) < 0.5, math.nan, nats[:, : n // 10])
    bound, data = _random(2, n, seed=seed + 2) < 0.5, (_random(2, n, seed=seed + 3) < 0.25).long()
    return nats[0], bound[0], data[0], nats[1], bound[1], data[1]


def _turned(figures: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """a in the place of b."""
    return (*figures[3:], *figures[:3])


_MIXED = _many_figures(40, 101)
_EXACT, _BELOW = 0, 1


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Put a bound on paper as a range: the true cost lies at the figure, or anywhere to the left of it. When is the "
        "whole range of a to the left of all that b could be?",
        "For *surely better* a's figure may be exact or a bound: the cost is that or less. But b's must be exact, or b "
        "could be better still. *Surely worse* is the same with a and b exchanged.",
        "`better = ~bound_b & (nats_a < nats_b)`, and `worse` likewise; a comparison with NaN is false, as it should "
        "be here. Then `better.long() - worse.long()`, and 0 where the data differ.",
    ),
    cases=(
        Case(*_figures(91, (85.5, _EXACT, 0, 87.8, _EXACT, 0), (136.0, _EXACT, 0, 85.5, _EXACT, 0),
                       (27.0, _EXACT, 2, 38.0, _EXACT, 2), (91.0, _EXACT, 0, 81.0, _EXACT, 0),
                       (85.5, _EXACT, 0, 86.0, _EXACT, 0)), label="two exact figures"),
        Case(*_figures(92, (84.0, _BELOW, 0, 85.5, _EXACT, 0), (86.3, _BELOW, 0, 85.5, _EXACT, 0),
                       (120.0, _BELOW, 1, 85.5, _EXACT, 1)), label="a bound against an exact figure"),
        Case(*_figures(93, (85.5, _EXACT, 0, 86.3, _BELOW, 0), (85.5, _EXACT, 0, 84.0, _BELOW, 0),
                       (85.5, _EXACT, 1, 120.0, _BELOW, 1)), label="an exact figure against a bound"),
        Case(*_figures(94, (84.0, _BELOW, 0, 87.8, _BELOW, 0), (87.8, _BELOW, 0, 84.0, _BELOW, 0)),
             label="two bounds"),
        Case(*_figures(95, (27.0, _EXACT, 2, 85.5, _EXACT, 0), (85.5, _EXACT, 0, 27.0, _BELOW, 1),
                       (85.5, _BELOW, 1, 88.0, _EXACT, 0), (90.0, _EXACT, 3, 88.0, _EXACT, 0)),
             label="figures of different data"),
        Case(*_figures(96, (85.5, _EXACT, 0, 85.5, _EXACT, 0), (85.5, _BELOW, 0, 85.5, _EXACT, 0),
                       (85.5, _EXACT, 0, 85.5, _BELOW, 0), (85.5, _BELOW, 0, 85.5, _BELOW, 0)), label="ties"),
        Case(*_figures(97, (math.nan, _EXACT, 0, 85.5, _EXACT, 0), (85.5, _EXACT, 0, math.nan, _EXACT, 0),
                       (math.nan, _EXACT, 0, math.nan, _EXACT, 0), (87.0, _BELOW, 0, math.nan, _EXACT, 0)),
             label="a model without a likelihood"),
        Case(*_figures(98, (math.inf, _EXACT, 0, 85.5, _EXACT, 0), (87.0, _BELOW, 0, math.inf, _EXACT, 0),
                       (85.5, _EXACT, 0, math.inf, _BELOW, 0)), label="an infinite figure"),
        Case(*_MIXED, label="40 pairs of all kinds"),
        Case(*_turned(_MIXED), label="the same 40 pairs with a and b exchanged"),
    ),
)
def surely_better(nats_a: Tensor, bound_a: Tensor, data_a: Tensor,
                  nats_b: Tensor, bound_b: Tensor, data_b: Tensor) -> Tensor:
    """What two figures prove: 1 if a is surely better than b, -1 if surely worse, else 0.

    nats: (B,), the cost of a test image, the lower the better; NaN where a model has none.
    bound: (B,), bool. False: the figure is the cost. True: an upper bound; the cost is
    that, or anything below. data: (B,), the number of the data set it was measured on;
    figures of different data decide nothing. Nor does a tie, nor NaN. Take the figures as
    they stand; chance is not the matter here. Returns (B,): pair by pair -1, 0 or 1.
    """
    better = ~bound_b & (nats_a < nats_b)
    worse = ~bound_a & (nats_b < nats_a)
    return (better.long() - worse.long()) * (data_a == data_b)


_BETTER, _WORSE = "~bound_b & (nats_a < nats_b)", "~bound_a & (nats_b < nats_a)"
_PROVED = f"{_BETTER}\n    worse = {_WORSE}"
_VERDICT = "(better.long() - worse.long()) * (data_a == data_b)"

surely_better.mistake(
    "a bound read as exact", _PROVED, "nats_a < nats_b\n    worse = nats_b < nats_a",
    "Bounds are read as if they were the cost. Behind a bound the cost may be far lower: a figure of 86 that is a "
    "bound does not lose against an exact 85.")
surely_better.mistake(
    "the bound turned round", _PROVED,
    "~bound_a & (nats_a < nats_b)\n    worse = ~bound_b & (nats_b < nats_a)",
    "A bound is taken from the wrong side, as if the cost were that or anything above. These are upper bounds: the "
    "cost is that or below, and a model with a bound can only turn out better.")
surely_better.mistake(
    "a bound decides nothing", _PROVED,
    "~bound_a & ~bound_b & (nats_a < nats_b)\n    worse = ~bound_a & ~bound_b & (nats_b < nats_a)",
    "Wherever a bound takes part your answer is 0. Sometimes a bound is enough: if even the bound of one is below the "
    "exact cost of the other.")
surely_better.mistake(
    "only figures of one kind are compared", _PROVED,
    "(bound_a == bound_b) & (nats_a < nats_b)\n    worse = (bound_a == bound_b) & (nats_b < nats_a)",
    "Only figures of the same kind are compared. Two bounds prove nothing about each other; and of two kinds they may "
    "prove something, if the bound is below the exact figure.")
surely_better.mistake(
    "two bounds compared", _PROVED,
    "(~bound_b | bound_a) & (nats_a < nats_b)\n    worse = (~bound_a | bound_b) & (nats_b < nats_a)",
    "Two bounds are compared as if they were costs. Each of the two costs may be anything below its bound: the order "
    "of the bounds says nothing of theirs.")
surely_better.mistake(
    "an exact figure beats any bound", _PROVED,
    "(nats_a < nats_b) & (bound_a == bound_b) | ~bound_a & bound_b\n"
    "    worse = (nats_b < nats_a) & (bound_a == bound_b) | ~bound_b & bound_a",
    "An exact figure wins over any bound. Exact does not mean better: it is the numbers that are compared, where they "
    "can be.")
surely_better.mistake(
    "higher is better", _PROVED,
    "~bound_b & (nats_a > nats_b)\n    worse = ~bound_a & (nats_b > nats_a)",
    "The higher figure wins. Nats are a cost, -log P: the lower the better.")
surely_better.mistake(
    "the sign is turned", "better.long() - worse.long()", "worse.long() - better.long()",
    "The sign is turned: 1 is for a surely better, -1 for a surely worse.")
surely_better.mistake(
    "different data compared", _VERDICT, "better.long() - worse.long()",
    "Figures of different data sets are compared. Other images, or the same in grey and in black and white, cost other "
    "nats whatever the model: nothing follows.")
surely_better.mistake(
    "different data read as worse", _VERDICT,
    "torch.where(data_a == data_b, better.long() - worse.long(), -1)",
    "Where the data differ your answer is -1. Nothing follows from such figures, neither better nor worse: 0.")
surely_better.mistake(
    "not proved read as worse", _VERDICT, "torch.where(better & (data_a == data_b), 1, -1)",
    "Whatever is not surely better is called surely worse. Between them lies what the figures do not decide: 0.")
surely_better.mistake(
    "not proved read as worse, on the same data", _VERDICT, "torch.where(better, 1, -1) * (data_a == data_b)",
    "What is not surely better is called surely worse, if only the data are the same. Figures can leave it open: 0.")
surely_better.mistake(
    "never worse", _VERDICT, "better.long() * (data_a == data_b)",
    "There is no -1 in your answer: nothing is ever surely worse. Ask as well whether b is surely better than a.")
surely_better.mistake(
    "a tie read as a proof", _PROVED,
    "~bound_b & (nats_a <= nats_b)\n    worse = ~bound_a & (nats_b <= nats_a)",
    "A tie is read as a proof: a bound that is as large as the exact figure. The cost behind it may be just as large, "
    "and equal is not better.")
surely_better.mistake(
    "without a likelihood the worst", "    better = ",
    "    nats_a, nats_b = nats_a.nan_to_num(math.inf, math.inf), nats_b.nan_to_num(math.inf, math.inf)\n    better = ",
    "A model without a likelihood loses against every figure: NaN is taken for an infinite cost. It has no cost at "
    "all, and may be the better model: 0.")
surely_better.mistake(
    "without a likelihood the best", "    better = ",
    "    nats_a, nats_b = nats_a.nan_to_num(0, math.inf), nats_b.nan_to_num(0, math.inf)\n    better = ",
    "A model without a likelihood wins against every figure: NaN is taken for a cost of 0. Nothing is known of its "
    "cost: 0 is the answer, not the figure.")
surely_better.mistake(
    "only a's kind is looked at", _PROVED,
    "~bound_a & (nats_a < nats_b)\n    worse = ~bound_a & (nats_b < nats_a)",
    "Only whether a's figure is exact has a say. It is the loser's that must be exact, which could turn out better "
    "otherwise: where a is to be surely better, that is b's.")
surely_better.mistake(
    "only b's kind is looked at", _PROVED,
    "~bound_b & (nats_a < nats_b)\n    worse = ~bound_b & (nats_b < nats_a)",
    "Only whether b's figure is exact has a say. That is right where a is to be surely better; where it is to be "
    "surely worse the loser, whose figure must be exact, is a.")
surely_better.mistake(
    "a margin", _PROVED,
    "~bound_b & (nats_a < nats_b - 1)\n    worse = ~bound_a & (nats_b < nats_a - 1)",
    "Figures that are close count as a tie. Chance is not the matter here: as they stand, 85.5 is below 86.")
surely_better.mistake(
    "the difference itself", _VERDICT,
    "((nats_b - nats_a) * (better.long() - worse.long()).abs() * (data_a == data_b)).nan_to_num(0.0)",
    "There are differences of nats in your answer. What they prove is asked for: -1, 0 or 1.")


def _pairs(results):
    """(what was said, what is due, the six arguments) of every pair."""
    return [pair for r in results for pair in zip(
                r.value.tolist(), r.expected.tolist(), zip(*(x.tolist() for x in r.case.arguments)))]


@surely_better.symptom(
    "without a likelihood",
    "Where a model has no likelihood its figure is NaN, and nothing is proved: 0. Yours is another, or NaN itself; a "
    "comparison with NaN is false, arithmetic with it gives NaN.")
def _(results):
    def none(figures):
        return math.isnan(figures[0]) or math.isnan(figures[3])

    pairs = _pairs(results) if len(usable(results)) == len(results) else []
    return any(said != 0 for said, _, figures in pairs if none(figures)) and all(
        said == due for said, due, figures in pairs if not none(figures))


@surely_better.symptom(
    "infinite figures",
    "Right for finite figures, wrong for infinite ones: infinity less infinity is NaN, and so is 0 times infinity. A "
    "comparison, `<`, has no such trouble.", errors_too=True)
def _(results):
    return others_right(results, "an infinite figure")


@surely_better.symptom(
    "something else than -1, 0 and 1",
    "There are other numbers than -1, 0 and 1 in your answer.")
def _(results):
    return any(said not in (-1, 0, 1) for said, _, _ in _pairs(_sound(results)))


@surely_better.symptom("different data compared")
def _(results):
    return any(said != 0 for said, _, (_, _, data_a, _, _, data_b) in _pairs(_sound(results)) if data_a != data_b)


@surely_better.symptom(
    "exact figures",
    "Wrong already where both figures are exact and the data the same: there the lower one is surely better.")
def _(results):
    return any(said != due for said, due, (a, bound_a, data_a, b, bound_b, data_b) in _pairs(_sound(results))
               if not bound_a and not bound_b and data_a == data_b and (a < b or a > b))


@surely_better.symptom(
    "ties",
    "Where both figures are the same nothing is proved, of whatever kind they are: 0.")
def _(results):
    return any(said != 0 for said, _, (a, _, _, b, _, _) in _pairs(_sound(results)) if a == b)


@surely_better.symptom(
    "both are better",
    "With a and b exchanged your answer is not the opposite: if a is surely better than b, then b is surely worse "
    "than a, and what is open stays open.")
def _(results):
    said = {r.case.label: r.value for r in _sound(results)}
    one, other = said.get("40 pairs of all kinds"), said.get("the same 40 pairs with a and b exchanged")
    return one is not None and other is not None and not one.equal(-other)


@surely_better.symptom(
    "claims too much",
    "What you call sure is right where both figures are exact. Where a bound takes part you call some sure that are "
    "open: think of the lowest cost that each could have.")
def _(results):
    wrong = [(said, due) for said, due, _ in _pairs(_sound(results)) if said != due]
    return bool(wrong) and all(due == 0 for _, due in wrong)


@surely_better.symptom(
    "claims too little",
    "Nothing is claimed that is not so, but not all that is sure: where even the bound of one is below the exact "
    "cost of the other, it is better.")
def _(results):
    wrong = [(said, due) for said, due, _ in _pairs(_sound(results)) if said != due]
    return bool(wrong) and all(said == 0 for said, _ in wrong)


@surely_better.symptom(
    "the loser's bound",
    "Right where both figures are exact, wrong where a bound takes part. Whose figure must be exact, if the one is to "
    "be surely better: its own, or the other's?")
def _(results):
    return bool(_sound(results)) and all(
        right_on(results, label) for label in ("two exact figures", "figures of different data"))


# 3

def _costs(n: int, *, seed: int, gap: float, alike: float = 20.0, own: float = 2.0, level: float = 90.0) -> tuple:
    """Nats of n images, rounded to quarters, for two models: an image that is hard for one is hard for the other."""
    hard, own_a, own_b = torch.randn((3, n), generator=seeded(seed), device="cpu", dtype=torch.float32)
    b = level + abs(alike) * hard + own * own_b
    a = level + gap + alike * hard + own * own_a
    return (4 * a).round() / 4, (4 * b).round() / 4


def _each_dearer(n: int, by: float, seed: int) -> tuple[Tensor, Tensor]:
    _, b = _costs(n, seed=seed, gap=0.0)
    return b + by, b


_CONSTANT, _TWICE = "every image 1.5 nats dearer under a", "the same model twice"
_STUDENT = {2: 12.7062, 5: 2.77645, 12: 2.20099, 40: 2.02269, 1000: 1.96234}    # t of N - 1 degrees, 97.5 %


@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "An image that is hard for one model is hard for the other. What is left of that in the difference, image by "
        "image?",
        "First the differences, `d = a - b`: one list. The standard error of its mean is its standard deviation over "
        "√N.",
        "`d.std()` divides by N - 1, as it should. Then `d.mean() - half` and `d.mean() + half` with `half = 1.96 * "
        "d.std() / math.sqrt(len(d))`.",
    ),
    cases=(
        Case(*_costs(40, seed=111, gap=1.5), atol=2e-4, label="40 images, hard ones hard for both"),
        Case(*_costs(5, seed=112, gap=2.0, own=4.0), atol=2e-4, label="5 images"),
        Case(*_costs(1000, seed=113, gap=0.5), atol=2e-4, label="1,000 images"),
        Case(*_costs(12, seed=114, gap=-6.0), atol=2e-4, label="12 images that are cheaper under a"),
        Case(*_each_dearer(40, 1.5, seed=115), atol=1e-3, label=_CONSTANT),
        Case(*_each_dearer(12, 0.0, seed=116), atol=1e-3, label=_TWICE),
        Case(*_costs(40, seed=117, gap=3.0, alike=-15.0), atol=1e-3, label="40 images, hard ones of a easy for b"),
        Case(*_costs(2, seed=118, gap=-1.0, own=8.0), atol=2e-4, label="2 images"),
        Case(*_costs(40, seed=119, gap=-4.0, alike=60.0, own=6.0, level=500.0), atol=1e-3, label="40 large images"),
    ),
)
def paired_interval(a: Tensor, b: Tensor) -> Tensor:
    """The 95 % interval for how many nats model a needs more than b, on the same images.

    a, b: (N,), nats of each test image under the one and the other, in the same order;
    N is at least 2. An image that is hard for both says nothing of the two: what counts
    are the differences a - b. Their mean, and 1.96 of its standard errors to either side;
    the standard error is the standard deviation (with N - 1) over √N. Returns (2,): the
    lower and the upper end. If 0 is not between them, the difference is more than chance.
    """
    d = a - b
    half = 1.96 * d.std() / math.sqrt(len(d))
    return torch.stack([d.mean() - half, d.mean() + half])


_HALF = "1.96 * d.std() / math.sqrt(len(d))"
_ENDS = "torch.stack([d.mean() - half, d.mean() + half])"

paired_interval.mistake(
    "not paired", _HALF, "1.96 * ((a.var() + b.var()) / len(d)).sqrt()",
    "The variances of a and b are added, as if each model had met images of its own. Then most of the width comes from "
    "images that are hard or easy for both, which the difference does not feel.")
paired_interval.mistake(
    "both standard errors added", _HALF, "1.96 * (a.std() + b.std()) / math.sqrt(len(d))",
    "The standard errors of a and of b are added up, as if two intervals were put end to end. On the same images most "
    "of both is the same, and cancels in the difference.")
paired_interval.mistake(
    "the covariance added", _HALF, "1.96 * (a + b).std() / math.sqrt(len(d))",
    "The covariance of a and b has the wrong sign: this is the width for a + b. What is alike in a and b cancels in "
    "the difference.")
paired_interval.mistake(
    "the pairs torn apart", "d = a - b", "d = a.sort().values - b.sort().values",
    "a and b are sorted before they are subtracted, so that figures of unlike images meet. Place i of both belongs to "
    "the same image.")
paired_interval.mistake(
    "the standard deviation itself", _HALF, "1.96 * d.std()",
    "The width is that of single images: the standard deviation is not divided by √N. The mean of many is known better "
    "than that.")
paired_interval.mistake(
    "the range of the images", f"return {_ENDS}", "return d.quantile(torch.tensor([0.025, 0.975], dtype=d.dtype))",
    "This interval holds 95 % of the images. Asked for is that of their mean, which is the narrower the more images "
    "there are.")
paired_interval.mistake(
    "the variance of the mean", _HALF, "1.96 * d.var() / len(d)",
    "The root is missing: this is the variance of the mean, in squared nats, not its standard error.")
paired_interval.mistake(
    "the variance over the root", "d.std()", "d.var()",
    "The variance stands where the standard deviation is due.")
paired_interval.mistake(
    "divided by N", "math.sqrt(len(d))", "len(d)",
    "The standard deviation is divided by N. The error of a mean falls more slowly: by √N.")
paired_interval.mistake(
    "N in place of N - 1", "d.std()", "d.std(correction=0)",
    "The standard deviation is the one with N below. Few images look more alike than they are: N - 1 makes up for "
    "that.")
paired_interval.mistake(
    "N - 1 below the root", "math.sqrt(len(d))", "math.sqrt(len(d) - 1)",
    "N - 1 stands below the root. It belongs in the standard deviation, once; the mean is over N images.")
paired_interval.mistake(
    "one-sided", "half = 1.96", "half = 1.645",
    "1.645 leaves 5 % on one side. An interval has two ends: 2.5 % beyond each, which is 1.96.")
paired_interval.mistake(
    "one standard error", "1.96 * ", "",
    "This is one standard error to either side, about 68 %. For 95 % it takes 1.96 of them.")
paired_interval.mistake(
    "99 per cent", "half = 1.96", "half = 2.576",
    "2.576 is for 99 %. For 95 % it is 1.96.")
paired_interval.mistake(
    "two standard errors", "half = 1.96", "half = 2",
    "Two standard errors are a rule of thumb. 1.96 is asked for.")
paired_interval.mistake(
    "half to either side", "half = 1.96", "half = 0.98",
    "The width is halved once too often: 1.96 standard errors to either side, not in all.")
paired_interval.mistake(
    "b less a", "d = a - b", "d = b - a",
    "This is the interval for b - a. How many nats a needs more is a - b.")
paired_interval.mistake(
    "the ends exchanged", _ENDS, "torch.stack([d.mean() + half, d.mean() - half])",
    "The upper end comes first. The lower is due first.")
paired_interval.mistake(
    "a alone", "d = a - b", "d = a",
    "This is the interval for the mean of a alone; b has no say.")
paired_interval.mistake(
    "without signs", "d = a - b", "d = (a - b).abs()",
    "The differences have lost their signs. An image that is cheaper under a is to count against one that is dearer.")
paired_interval.mistake(
    "mean and half the width", _ENDS, "torch.stack([d.mean(), half])",
    "These are the middle and half the width. The two ends are asked for: middle less half, middle plus half.")
paired_interval.mistake(
    "around 0", _ENDS, "torch.stack([-half, half])",
    "The interval lies around 0. Its middle is the mean difference.")
paired_interval.mistake(
    "the median", _ENDS, "torch.stack([d.median() - half, d.median() + half])",
    "The middle is the median of the differences. Nats are summed over images: the mean is due.")
paired_interval.mistake(
    "in per cent", "d = a - b", "d = 100 * (a - b) / b",
    "The differences are divided by b. They are asked for in nats, as they are.")


@paired_interval.symptom(
    "Student's t",
    "Your interval takes the factor from Student's t-distribution, which is wider for few images, and a good thing in "
    "general. Here 1.96 is asked for, whatever N.")
def _(results):
    wide = [r for r in _sound(results) if r.expected.diff().item() > 0.01]
    return bool(wide) and all(math.isclose(
        r.value.diff().item() / r.expected.diff().item(), _STUDENT[len(r.case.arguments[0])] / 1.96, rel_tol=5e-4)
        for r in wide)


@paired_interval.symptom(
    "the lower end is above the upper",
    "The first end is above the second. The lower is due first, and between them the mean difference.")
def _(results):
    return not proportional(results) and any(r.value[0] > r.value[1] + 1e-3 for r in _sound(results))


@paired_interval.symptom(
    "the middle is wrong",
    "The middle of your interval, halfway between the ends, is not the mean of a - b.")
def _(results):
    return not proportional(results) and any(
        (r.value - r.expected).mean().abs() > 1e-2 for r in _sound(results))


@paired_interval.symptom(
    "unsure where all images agree",
    "Where every image costs exactly as much more under a, nothing is left to chance, and the interval has no width. "
    "Yours has one: it does not come from how the differences differ from one another.")
def _(results):
    return not proportional(results) and any(
        r.case.label in (_CONSTANT, _TWICE) and r.value.diff().abs() > 1e-2 for r in _sound(results))


@paired_interval.symptom(
    "another factor",
    "The middle is right, and the width off by the same factor on all inputs: 1.96 standard errors are due to either "
    "side.")
def _(results):
    wide = [(r.value.diff() / r.expected.diff()).item() for r in _sound(results) if r.expected.diff().item() > 0.01]
    return len(wide) > 1 and not proportional(results) and max(wide) - min(wide) < 1e-3 * abs(max(wide))


@paired_interval.symptom(
    "the width",
    "The middle is right, the width is not: 1.96 times the standard deviation of the differences, over the root of "
    "their number, is due to either side.")
def _(results):
    return bool(_sound(results)) and not proportional(results)


# 4

def _models(seed: int, *points: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Cost and loss of these models, in an order of no meaning."""
    return tuple(_shuffled(torch.tensor(points, dtype=torch.float32, device="cpu"), seed).T)


def _on_a_grid(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n models on so few places that many tie."""
    return tuple((8 * _random(2, n, seed=seed)).floor() + torch.tensor([[1.0], [80.0]]))


def _scattered(n: int, seed: int) -> tuple[Tensor, Tensor]:
    cost, chance = _random(2, n, seed=seed)
    return 1 + 99 * cost, 80 + 20 / (1 + 5 * cost) + 15 * chance


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Ask of every model: is there another that is at least as good on both, and better on one? If so it is off the "
        "front. Two models that are equal do not beat each other.",
        "All pairs at once: `cost[:, None] <= cost` is a table, true at [i, j] where i costs no more than j.",
        "`no_worse = (cost[:, None] <= cost) & (loss[:, None] <= loss)`, `better` with `<` and `|`. i beats j where "
        "both are true; j is on the front if no i does: `~(…).any(0)`.",
    ),
    cases=(
        Case(*_models(121, (0.5, 136.0), (42.0, 85.5), (144.0, 87.8), (73.0, 86.3), (2.5, 98.0), (9.0, 104.0)),
             label="six models"),
        Case(*_models(122, (1.0, 136.0), (784.0, 85.5), (1.0, 86.3), (1.0, 98.0)), label="equal costs"),
        Case(*_models(123, (10.0, 90.0), (20.0, 90.0), (30.0, 90.0), (40.0, 85.0), (5.0, 95.0)), label="equal losses"),
        Case(*_models(124, (10.0, 90.0), (10.0, 90.0), (30.0, 84.0), (30.0, 95.0), (30.0, 95.0)),
             label="two equal models on the front"),
        Case(*_models(125, (3.0, 90.0)), label="one model"),
        Case(*_models(126, (3.0, 90.0), (3.0, 90.0), (3.0, 90.0)), label="all models equal"),
        Case(*_models(127, (1.0, 80.0), (2.0, 90.0), (3.0, 85.0), (9.0, 80.5)), label="one that beats all others"),
        Case(*_models(128, (1.0, 99.0), (2.0, 97.0), (3.0, 94.0), (4.0, 90.0), (5.0, 85.0), (6.0, 79.0)),
             label="a front that bends outwards"),
        Case(*_models(129, (1.0, -80.0), (4.0, -95.0), (6.0, -90.0), (9.0, -120.0), (9.5, -60.0)),
             label="losses below 0"),
        Case(*_on_a_grid(25, 130), label="25 models with many ties"),
        Case(*_scattered(40, 131), label="40 models"),
    ),
)
def pareto_front(cost: Tensor, loss: Tensor) -> Tensor:
    """Which models nobody beats: yes or no for each, in the order given.

    A model is beaten if another is at least as good on both, cost and loss, and better on
    one of them. The lower the better. cost: (M,), say passes for a sample; loss: (M,), say
    nats; no NaN among them. Models that are equal on both do not beat each other: both
    are on the front, or neither. Returns (M,), bool.
    """
    no_worse = (cost[:, None] <= cost) & (loss[:, None] <= loss)     # [i, j]: i against j
    better = (cost[:, None] < cost) | (loss[:, None] < loss)
    return ~(no_worse & better).any(0)


_NO_WORSE = "(cost[:, None] <= cost) & (loss[:, None] <= loss)"
_LESS = "(cost[:, None] < cost) | (loss[:, None] < loss)"
_FRONT = "~(no_worse & better).any(0)"
_FIRST_OF_EQUALS = "(no_worse & ~better).triu(1).any(0)"


def _sweep(keeps: str) -> str:
    """From the cheapest on, a model is kept if its loss compares like this with the best so far."""
    return f"""front, best = torch.zeros(len(cost), dtype=torch.bool), math.inf
    for i in cost.argsort(stable=True).tolist():
        front[i] = loss[i].item() {keeps} best
        best = min(best, loss[i].item())
    return front"""


pareto_front.mistake(
    "only the best of each column", f"return {_FRONT}", "return (cost == cost.min()) | (loss == loss.min())",
    "Only the cheapest and the best are kept. Between them lie models that are cheaper than the best and better than "
    "the cheapest: who beats those?")
pareto_front.mistake(
    "best on both", f"return {_FRONT}", "return (cost == cost.min()) & (loss == loss.min())",
    "Only a model that is best on both is kept, and mostly there is none: one is dropped as soon as another is better "
    "on either. To beat it, that other must not be worse on the second.")
pareto_front.mistake(
    "beaten only if worse on both", f"return {_FRONT}",
    "return ~((cost[:, None] < cost) & (loss[:, None] < loss)).any(0)",
    "A model is dropped only if another is better on both. One that ties on one and is worse on the other is beaten, "
    "too.")
pareto_front.mistake(
    "each beats itself", "no_worse & better", "no_worse",
    "Nobody is left: every model is compared with itself, is no worse than itself, and is dropped. Beating takes being "
    "better on one of the two.")
pareto_front.mistake(
    "equal models beat each other", "no_worse & better", "no_worse & ~torch.eye(len(cost), dtype=torch.bool)",
    "Models that are equal on both beat each other, and both are gone. Beating takes being better on one of the two.")
pareto_front.mistake(
    "one of equal models", _FRONT, f"{_FRONT} & ~{_FIRST_OF_EQUALS}",
    "Of models that are equal on both only the first is kept. Neither beats the other: both are on the front.")
pareto_front.mistake(
    "larger is better", f"return {_FRONT}", "return ~(no_worse & better).any(1)",
    "The larger figures win on both, or the wrong axis of the table is taken: you keep the models that beat nobody. "
    "Those are due that nobody beats, and the lower the better.")
pareto_front.mistake(
    "a larger loss is better", f"{_NO_WORSE}     # [i, j]: i against j\n    better = {_LESS}",
    "(cost[:, None] <= cost) & (loss[:, None] >= loss)\n    better = (cost[:, None] < cost) | (loss[:, None] > loss)",
    "The larger loss wins. That would be right for a log-likelihood; a loss is the better the lower.")
pareto_front.mistake(
    "a larger cost is better", f"{_NO_WORSE}     # [i, j]: i against j\n    better = {_LESS}",
    "(cost[:, None] >= cost) & (loss[:, None] <= loss)\n    better = (cost[:, None] > cost) | (loss[:, None] < loss)",
    "The larger cost wins. Cost is the better the lower.")
pareto_front.mistake(
    "the beaten ones", _FRONT, "(no_worse & better).any(0)",
    "Yes and no have changed places: these are the models that somebody beats.")
pareto_front.mistake(
    "in the order of the cost", f"return {_FRONT}", f"return ({_FRONT})[cost.argsort(stable=True)]",
    "The answers are right but stand in the order of the cost: the models were sorted and not put back. Place i "
    "belongs to model i as given.")
pareto_front.mistake(
    "in the order of the loss", f"return {_FRONT}", f"return ({_FRONT})[loss.argsort(stable=True)]",
    "The answers are right but stand in the order of the loss: the models were sorted and not put back. Place i "
    "belongs to model i as given.")
pareto_front.mistake(
    "their numbers", f"return {_FRONT}", f"return ({_FRONT}).nonzero().flatten()",
    "These are the numbers of the models on the front. A yes or no for every model is asked for.")
pareto_front.mistake(
    "the smallest sum", f"return {_FRONT}", "return cost + loss == (cost + loss).min()",
    "The models with the smallest sum are kept. Seconds and nats cannot be added, and every price of a second would "
    "give another winner: the front does without a price.")
pareto_front.mistake(
    "the smallest weighted sums", f"return {_FRONT}",
    "price = torch.linspace(0, 1, 10_001, dtype=torch.float64)[1:-1, None]\n"
    "    total = price * cost + (1 - price) * loss\n"
    "    return (total <= total.amin(1, keepdim=True) + 1e-9).any(0)",
    "Your front misses models in its dents, which win for no price of a second: weighted sums find only the outermost. "
    "Nobody beats the others either.")
pareto_front.mistake(
    "ties in a sweep", f"return {_FRONT}", _sweep("<"),
    "A sweep from the cheapest on, which keeps what is better than all before. Where costs are equal it depends on the "
    "order: a worse model that comes first is kept, and of equal ones only one.")
pareto_front.mistake(
    "ties kept in a sweep", f"return {_FRONT}", _sweep("<="),
    "A sweep from the cheapest on, which keeps what is no worse than all before. So a model that costs more for the "
    "same loss is kept, and where costs are equal one that comes before a better.")
pareto_front.mistake(
    "beaten by one does not count", _FRONT, "((no_worse & better).sum(0) <= 1)",
    "Models that are beaten by a single other are kept. One is enough.")
pareto_front.mistake(
    "better than the middle", f"return {_FRONT}", "return (cost <= cost.median()) & (loss <= loss.median())",
    "The models that are among the better half on both are kept. The front asks of each whether another beats it, not "
    "where it stands among all.")


@pareto_front.symptom("their numbers")
def _(results):
    def named(r):
        on = r.expected.nonzero().flatten()
        return r.value is not None and r.value.shape == on.shape and r.value.sort().values.equal(on.double())

    return all(named(r) for r in results) and any(not r.right for r in results)


def _in_the_order_of(results, column: int) -> bool:
    """Where no two models tie, the answers are right once they are sorted by this column."""
    sortable = [r for r in usable(results) if len(r.case.arguments[column].unique()) == len(r.value) > 1]
    return bool(sortable) and any(not r.right for r in sortable) and all(
        r.value.equal(r.expected[r.case.arguments[column].argsort()]) for r in sortable)


@pareto_front.symptom("in the order of the cost")
def _(results):
    return _in_the_order_of(results, 0)


@pareto_front.symptom("in the order of the loss")
def _(results):
    return _in_the_order_of(results, 1)


@pareto_front.symptom(
    "something else than yes and no",
    "There are other numbers than 0 and 1 in your answer: a yes or no for every model is due.")
def _(results):
    return any(((r.value != 0) & (r.value != 1)).any() for r in _sound(results))


@pareto_front.symptom(
    "alone on the front",
    "Right for several models, wrong for one alone: nobody is there to beat it.", errors_too=True)
def _(results):
    return others_right(results, "one model")


@pareto_front.symptom(
    "equal models",
    "Right but for models that are equal on both: they do not beat each other, so that both are on the front or "
    "neither.")
def _(results):
    def alone(r):
        cost, loss = r.case.arguments
        return ((cost[:, None] == cost) & (loss[:, None] == loss)).sum(0) == 1

    return bool(_sound(results)) and all(r.value[alone(r)].equal(r.expected[alone(r)]) for r in results)


@pareto_front.symptom(
    "ties",
    "Right where no two models tie, wrong where some do: who ties on one and is worse on the other is beaten; who ties "
    "on both is not.")
def _(results):
    def ties(r):
        return any(len(x.unique()) < len(x) for x in r.case.arguments)

    return bool(_sound(results)) and any(not ties(r) for r in results) and all(r.right for r in results if not ties(r))


@pareto_front.symptom(
    "beaten models are kept",
    "All of the front is there, but models besides that another beats: at least as good on both, and better on one.")
def _(results):
    return bool(_sound(results)) and all((r.value >= r.expected).all() for r in results)


@pareto_front.symptom(
    "models of the front are missing",
    "All that you keep is on the front, but some of it is missing: a model is dropped only if a single other beats it "
    "on both at once.")
def _(results):
    return bool(_sound(results)) and all((r.value <= r.expected).all() for r in results)
