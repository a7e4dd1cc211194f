"""The family of every contestant of an anonymous board, by what its columns mean."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.scoreboard.shared import (
    random_numbers,
    shuffled_rows,
    sound_results,
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
    family = (passes > 1).long()  # the exact ones: in one go, or pixel by pixel
    family[spread > 0] = 2  # a bound moves with the codes that are drawn
    family[nats.isnan()] = 3  # samples, but no likelihood
    family[near < 0.5] = 4  # whatever else holds of it
    return family


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
    noise = 1 + 0.04 * (random_numbers(*board.shape, seed=seed) - 0.5)
    noise[:, 2] = 1
    return shuffled_rows(board * noise, seed + 1)


_FIVE = _board(1, *_EVERYBODY)


_PASSES = "(passes > 1).long()            # the exact ones: in one go, or pixel by pixel"


_BOUND = (
    "family[spread > 0] = 2                  # a bound moves with the codes that are drawn"
)


_NONE = "family[nats.isnan()] = 3                # samples, but no likelihood"


_COPIES = "family[near < 0.5] = 4                  # whatever else holds of it"


_FAMILIES = {
    4: ("copier", "Whatever else holds of a copier, its samples lie on training images."),
    0: (
        "mixture",
        "A mixture's likelihood is a sum over components, which is exact, and an image "
        "comes in one go.",
    ),
    1: (
        "PixelCNN",
        "A PixelCNN's likelihood is a product, which is exact, and each pixel waits for "
        "those before it.",
    ),
    2: ("VAE", "A VAE gives a bound of its likelihood, by means of codes that are drawn."),
    3: ("GAN", "A GAN makes samples, and gives no likelihood."),
}


def _rows(results):
    """(the row, what was said, what is due) of every row."""
    return [
        row
        for r in sound_results(results)
        for row in zip(
            r.case.arguments[0].nan_to_num(-1.0).tolist(),
            r.value.tolist(),
            r.expected.tolist(),
        )
    ]


def _of_one_family(results, which: int) -> bool:
    """Are all rows that are wrong of the same family: what is due (2), or what was said (1)?"""
    return len({row[which] for row in _rows(results) if row[1] != row[2]}) == 1


def _one_is_misread(family, results):
    return _of_one_family(results, 2) and any(
        due == family != said for _, said, due in _rows(results)
    )


def _others_are_taken_for(family, results):
    return _of_one_family(results, 1) and any(
        said == family != due for _, said, due in _rows(results)
    )


def _misread(family: int) -> Symptom:
    name, sign = _FAMILIES[family]
    return Symptom(
        f"{name}s are not known",
        partial(_one_is_misread, family),
        f"Only {name}s are misread. {sign}",
    )


def _taken_for(family: int) -> Symptom:
    name, sign = _FAMILIES[family]
    message = f"Some are called {name} that are none. {sign}"
    return Symptom(
        f"others are taken for {name}s", partial(_others_are_taken_for, family), message
    )


def _shows_other_numbers_for_the_families(results):
    pairs = {(said, due) for _, said, due in _rows(results)}
    return (
        len(results) > 1
        and len(pairs) > 1
        and len(pairs) == len({due for _, due in pairs}) == len({said for said, _ in pairs})
    )


def _shows_the_others_decide(results):
    said = {}
    for row, family, _ in _rows(results):
        said.setdefault(tuple(row), set()).add(family)
    return any(len(families) > 1 for families in said.values())


def _shows_mixtures_and_pixelcnns_confused(results):
    wrong = [{said, due} for _, said, due in _rows(results) if said != due]
    return bool(wrong) and all(pair == {0, 1} for pair in wrong)


def _shows_right_where_each_family_comes_once(results):
    once = [sorted(r.expected.tolist()) == [0, 1, 2, 3, 4] for r in results]
    return (
        bool(sound_results(results))
        and any(once)
        and all(r.right for r, one in zip(results, once) if one)
    )


exercise = Exercise(
    which_is_which,
    minutes=10,
    difficulty="medium",
    hints=(
        "Two columns out of six say nothing of the family: a GAN may come out blurry and "
        "a PixelCNN bad. Ask of each column what it must be for a family, not what it "
        "usually is. And each row for itself: there may be two GANs.",
        "Only an exact likelihood stays the same when it is computed again; a VAE "
        "averages over codes that it draws. A GAN gives no likelihood. Of the two "
        "that are exact, one draws its pixels one after the other. The copier may have "
        "any of these: what gives it away is where its samples lie.",
        "Begin with `nats, spread, passes, sharpness, frechet, near = board.T`. Then "
        "from weak to strong: `family = (passes > 1).long()` tells the exact ones apart; "
        "write the others over it, `family[…] = 2` and so on, the copier last. "
        "`nats.isnan()` finds NaN: it is equal to nothing, not even to itself.",
    ),
    cases=(
        Case(_FIVE, label="five contestants, one of each family"),
        Case(shuffled_rows(_FIVE, 3), label="the same five in another order"),
        Case(
            _board(
                11,
                _VAE._replace(nats=80.9, spread=0.004),
                _PIXELCNN._replace(nats=91.5, frechet=16.0),
                _MIXTURE,
            ),
            label="a VAE that beats a small PixelCNN",
        ),
        Case(
            _board(
                21,
                _GAN._replace(sharpness=0.48, frechet=9.0),
                _VAE._replace(sharpness=1.17, spread=0.2),
                _PIXELCNN,
                _MIXTURE._replace(sharpness=0.9, frechet=3.0),
                _COPIER,
            ),
            label="a GAN blurrier than the VAE",
        ),
        Case(
            _board(
                31,
                _GAN,
                _GAN._replace(sharpness=1.2, near=1.1),
                _PIXELCNN,
                _PIXELCNN._replace(nats=81.0, near=1.1),
                _VAE,
            ),
            label="two families twice, two not at all",
        ),
        Case(
            _board(
                41,
                _COPIER._replace(near=0.04),
                _COPIER._replace(nats=math.inf, spread=0.0),
                _VAE._replace(nats=118.0, near=0.05, frechet=1.1),
                _PIXELCNN._replace(nats=250.0, near=0.03),
                _GAN,
                _PIXELCNN,
                _VAE,
            ),
            label="copiers of every make",
        ),
        Case(_FIVE[_FIVE[:, 1] > 0], label="one contestant alone"),
        Case(
            _board(
                51,
                _VAE._replace(nats=84.0, spread=0.3, passes=12),
                _GAN._replace(passes=4),
                _PIXELCNN,
                _MIXTURE,
                _VAE,
            ),
            label="codes and images drawn level by level",
        ),
        Case(
            _board(
                61,
                _MIXTURE._replace(nats=math.inf),
                _VAE._replace(spread=0.0015),
                _GAN,
                _MIXTURE,
            ),
            label="a mixture that holds an image impossible",
        ),
        Case(
            _board(
                71,
                _MIXTURE._replace(nats=38.0),
                _PIXELCNN._replace(nats=27.0, passes=256),
                _VAE._replace(nats=29.0),
                _GAN,
                _COPIER,
            ),
            label="images of 16 × 16 pixels",
        ),
        Case(
            _board(
                81,
                *(
                    _EVERYBODY[i]
                    for i in torch.randint(5, (12,), generator=seeded(80)).tolist()
                ),
            ),
            label="twelve contestants",
        ),
    ),
    mistakes=(
        Mistake(
            "the place taken for the family",
            "return family",
            "return torch.arange(len(board)) % 5",
            "The first row is called a mixture, the second a PixelCNN, and so on: the "
            "place is taken for the family. The rows stand in any order; it is the "
            "figures that speak.",
        ),
        Mistake(
            "a bound read as exact",
            "family[spread > 0] = 2",
            "pass",
            "The VAEs are taken for models with an exact likelihood. A figure that moves "
            "when it is computed again is an estimate: the VAE has a bound only, by "
            "codes that it draws.",
        ),
        Mistake(
            "a small spread read as none",
            "family[spread > 0]",
            "family[spread > 0.05]",
            "A spread that is small is taken for none. Over many images and draws a "
            "bound hardly moves, but it moves; what is exact does not move at all.",
        ),
        Mistake(
            "no spread read as a spread",
            "family[spread > 0] = 2\n    family[nats.isnan()] = 3",
            "family[nats.isnan()] = 3\n    family[spread != 0] = 2",
            "The GANs come out as VAEs: a spread of NaN is not equal to 0 either, but "
            "there is no figure that could move. Ask whether it is above 0, or look for "
            "NaN afterwards.",
        ),
        Mistake(
            "no likelihood read as the worst",
            "family[nats.isnan()]",
            "family[nats.nan_to_num(math.inf).argmax()]",
            "Having no likelihood is read as having the worst: on each board the dearest "
            "one is the GAN. NaN is no large number; a board may have several GANs, or "
            "none.",
        ),
        Mistake(
            "no likelihood read as 0 nats",
            "family[nats.isnan()]",
            "family[nats.nan_to_num(0.0).argmin()]",
            "Having no likelihood is read as 0 nats: on each board the cheapest one is "
            "the GAN. NaN is no number; a board may have several GANs, or none.",
        ),
        Mistake(
            "compared with NaN",
            "nats.isnan()",
            "nats == math.nan",
            "No GAN is found: NaN is equal to nothing, not even to NaN, so that `== "
            "math.nan` is never true.",
        ),
        Mistake(
            "an infinite cost read as none",
            "nats.isnan()",
            "~nats.isfinite()",
            "An infinite cost is read as none. It is a likelihood, and an exact one: 0, "
            "for an image that the model holds impossible. None at all is NaN.",
        ),
        Mistake(
            "the sharpest called GAN",
            "family[nats.isnan()]",
            "family[board[:, 3].argmax()]",
            "On each board the sharpest one is called GAN. Noise is sharp too, and a GAN "
            "may be blurry: what a GAN must lack is in another column.",
        ),
        Mistake(
            "the blurriest called VAE",
            "family[spread > 0]",
            "family[board[:, 3].argmin()]",
            "On each board the blurriest one is called VAE. That is often so and need "
            "not be: drawn pixels may be sharper than the data, and a GAN may be blurrier. "
            "Which column must be as it is for a VAE?",
        ),
        Mistake(
            "blur read as VAE",
            "family[spread > 0]",
            "family[board[:, 3] < 0.8]",
            "Who is blurry is called VAE. That is often so and need not be: drawn pixels "
            "may be sharper than the data, and a GAN may be blurrier. Which column must "
            "be as it is for a VAE?",
        ),
        Mistake(
            "copying is not looked for",
            "family[near < 0.5] = 4",
            "pass",
            "The copiers pass for honest models: nobody asks where their samples lie. "
            "Sharpness and Fréchet distance cannot give them away, for training images "
            "are perfect by both.",
        ),
        Mistake(
            "the lowest Fréchet distance called a copier",
            "family[near < 0.5]",
            "family[board[:, 4].argmin()]",
            "On each board the one with the lowest Fréchet distance is called a copier. "
            "A copier's is low, but so is that of a good model; and there may be several "
            "copiers, or none.",
        ),
        Mistake(
            "the lowest Fréchet distance called PixelCNN",
            "family[near < 0.5] = 4",
            "family[board[:, 4].argmin()] = 1",
            "On each board the one with the lowest Fréchet distance is called PixelCNN, "
            "as the best model. The lowest may well be the copier's: training images are "
            "as good as data, and nothing new.",
        ),
        Mistake(
            "copiers only among those without a likelihood",
            "near < 0.5",
            "(near < 0.5) & nats.isnan()",
            "Copiers are looked for only where there is no likelihood. A model of any "
            "make can have learnt its training images by heart, with a cost or without.",
        ),
        Mistake(
            "no likelihood outranks copying",
            "family[nats.isnan()] = 3\n    family[near < 0.5] = 4",
            "family[near < 0.5] = 4\n    family[nats.isnan()] = 3",
            "Copiers without a likelihood are called GAN. Both lack one: what sets them "
            "apart is where their samples lie, and that is to have the last word.",
        ),
        Mistake(
            "somewhat nearer read as copies",
            "near < 0.5",
            "near < 1",
            "Honest models are called copiers. Models that copy nothing stand at about 0.9 "
            "to 1.1, some of them below 1: copies are at about 0.",
        ),
        Mistake(
            "copies only where nothing differs",
            "near < 0.5",
            "near == 0",
            "Only what repeats every pixel is called a copier. A little noise on a "
            "training image makes no new image: about 0 is near enough.",
        ),
        Mistake(
            "memorisation turned round",
            "near < 0.5",
            "near > 0.5",
            "Copiers and honest models have changed places: the last column is small "
            "where samples lie on training images.",
        ),
        Mistake(
            "passes turned round",
            "passes > 1",
            "passes == 1",
            "Mixture and PixelCNN have changed places. Which of the two has to wait for "
            "its own pixels?",
        ),
        Mistake(
            "whatever takes many passes called PixelCNN",
            "family[near < 0.5] = 4",
            "family[passes > 1] = 1\n    family[near < 0.5] = 4",
            "Whatever takes more than one pass is called PixelCNN. A VAE may draw its "
            "codes level by level, and a GAN its image from coarse to fine: several "
            "passes, and still no exact likelihood.",
        ),
        Mistake(
            "the most passes called PixelCNN",
            "passes > 1",
            "passes == passes.max()",
            "On each board whoever takes the most passes is called PixelCNN. Where there "
            "is no PixelCNN somebody takes the most, too.",
        ),
        Mistake(
            "the cheapest called PixelCNN",
            "(passes > 1).long()\n    family[spread > 0] = 2",
            "torch.zeros(len(board)).long()\n    family[spread > 0] = 2\n    "
            "family[nats.nan_to_num(math.inf).argmin()] = 1\n",
            "On each board the one with the fewest nats is called PixelCNN. A VAE can be "
            "better than a small one: the family does not stand in how good a figure is.",
        ),
        Mistake(
            "told apart by a number of nats",
            "passes > 1",
            "nats < 110",
            "Mixture and PixelCNN are told apart by a number of nats. That holds for "
            "some boards: a smaller image costs less, and a bad model more, whatever its "
            "family.",
        ),
        Mistake(
            "the row of each family",
            "return family",
            "return family.argsort()",
            "These are the rows in the order of the families. Asked for is the other way "
            "round: for each row, its family.",
        ),
        Mistake(
            "counted from 1",
            "return family",
            "return family + 1",
            "The families are counted from 1. Here the first, the mixture, is 0.",
        ),
        Mistake(
            "a table of yes and no",
            "return family",
            "return torch.nn.functional.one_hot(family, 5)",
            "There is a yes or no for every row and family. One number for each row is "
            "asked for: which family it is.",
        ),
    ),
    symptoms=(
        Symptom(
            "no family",
            lambda results: any(said not in range(5) for _, said, _ in _rows(results)),
            "There are numbers in your answer that name no family: whole numbers from 0 "
            "to 4 are due.",
        ),
        Symptom(
            "other numbers for the families",
            _shows_other_numbers_for_the_families,
            "The families are told apart, but their numbers are mixed up: 0 mixture of "
            "Bernoullis, 1 PixelCNN, 2 VAE, 3 GAN, 4 copier.",
        ),
        Symptom(
            "the others decide",
            _shows_the_others_decide,
            "The same row is given one family on one board and another on the next, "
            "where it stands in another place or among others. A family shows in the row "
            "itself, not in its place or its rank.",
        ),
        _misread(4),
        _taken_for(4),
        *(_misread(family) for family in range(4)),
        *(_taken_for(family) for family in range(4)),
        Symptom(
            "mixtures and PixelCNNs confused",
            _shows_mixtures_and_pixelcnns_confused,
            "Only mixtures and PixelCNNs are confused. Both have an exact likelihood, "
            "and either may be the better one, or the sharper. But one of them has to "
            "wait for its own pixels when it draws.",
        ),
        Symptom(
            "right where each family comes once",
            _shows_right_where_each_family_comes_once,
            "Right where every family comes exactly once, wrong where one is missing or "
            "comes twice: each row is to be judged by itself.",
        ),
    ),
)
