"""What two figures prove: 1 if a is surely better than b, -1 if surely worse, else 0."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import others_right, right_on, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.scoreboard.shared import (
    random_numbers,
    shuffled_rows,
    sound_results,
)


def surely_better(
    nats_a: Tensor,
    bound_a: Tensor,
    data_a: Tensor,
    nats_b: Tensor,
    bound_b: Tensor,
    data_b: Tensor,
) -> Tensor:
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


def _figures(seed: int, *pairs: tuple) -> tuple[Tensor, ...]:
    """The arguments for pairs (nats, bound, data, nats, bound, data), in an order of no meaning."""
    columns = shuffled_rows(torch.tensor(pairs, dtype=torch.float64, device="cpu"), seed).T
    return tuple(
        column.to(dtype)
        for column, dtype in zip(columns, (torch.float32, torch.bool, torch.int64) * 2)
    )


def _many_figures(n: int, seed: int) -> tuple[Tensor, ...]:
    """Pairs of all kinds: some figures tie, and for some there is none."""
    nats = 80 + (8 * random_numbers(2, n, seed=seed)).round()
    nats[:, : n // 10] = torch.where(
        random_numbers(2, n // 10, seed=seed + 1) < 0.5, math.nan, nats[:, : n // 10]
    )
    bound, data = (
        random_numbers(2, n, seed=seed + 2) < 0.5,
        (random_numbers(2, n, seed=seed + 3) < 0.25).long(),
    )
    return nats[0], bound[0], data[0], nats[1], bound[1], data[1]


def _turned(figures: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """a in the place of b."""
    return (*figures[3:], *figures[:3])


_MIXED = _many_figures(40, 101)


_EXACT, _BELOW = 0, 1


_BETTER, _WORSE = "~bound_b & (nats_a < nats_b)", "~bound_a & (nats_b < nats_a)"


_PROVED = f"{_BETTER}\n    worse = {_WORSE}"


_VERDICT = "(better.long() - worse.long()) * (data_a == data_b)"


def _pairs(results):
    """(what was said, what is due, the six arguments) of every pair."""
    return [
        pair
        for r in results
        for pair in zip(
            r.value.tolist(),
            r.expected.tolist(),
            zip(*(x.tolist() for x in r.case.arguments)),
        )
    ]


def _shows_without_a_likelihood(results):
    def none(figures):
        return math.isnan(figures[0]) or math.isnan(figures[3])

    pairs = _pairs(results) if len(usable(results)) == len(results) else []
    return any(said != 0 for said, _, figures in pairs if none(figures)) and all(
        said == due for said, due, figures in pairs if not none(figures)
    )


def _shows_exact_figures(results):
    return any(
        said != due
        for said, due, (a, bound_a, data_a, b, bound_b, data_b) in _pairs(
            sound_results(results)
        )
        if not bound_a and not bound_b and data_a == data_b and (a < b or a > b)
    )


def _shows_both_are_better(results):
    said = {r.case.label: r.value for r in sound_results(results)}
    one, other = (
        said.get("40 pairs of all kinds"),
        said.get("the same 40 pairs with a and b exchanged"),
    )
    return one is not None and other is not None and not one.equal(-other)


def _shows_claims_too_much(results):
    wrong = [(said, due) for said, due, _ in _pairs(sound_results(results)) if said != due]
    return bool(wrong) and all(due == 0 for _, due in wrong)


def _shows_claims_too_little(results):
    wrong = [(said, due) for said, due, _ in _pairs(sound_results(results)) if said != due]
    return bool(wrong) and all(said == 0 for said, _ in wrong)


exercise = Exercise(
    surely_better,
    minutes=8,
    difficulty="medium",
    hints=(
        "Put a bound on paper as a range: the true cost lies at the figure, or anywhere "
        "to the left of it. When is the whole range of a to the left of all that b could "
        "be?",
        "For *surely better* a's figure may be exact or a bound: the cost is that or "
        "less. But b's must be exact, or b could be better still. *Surely worse* is the "
        "same with a and b exchanged.",
        "`better = ~bound_b & (nats_a < nats_b)`, and `worse` likewise; a comparison "
        "with NaN is false, as it should be here. Then `better.long() - worse.long()`, "
        "and 0 where the data differ.",
    ),
    cases=(
        Case(
            *_figures(
                91,
                (85.5, _EXACT, 0, 87.8, _EXACT, 0),
                (136.0, _EXACT, 0, 85.5, _EXACT, 0),
                (27.0, _EXACT, 2, 38.0, _EXACT, 2),
                (91.0, _EXACT, 0, 81.0, _EXACT, 0),
                (85.5, _EXACT, 0, 86.0, _EXACT, 0),
            ),
            label="two exact figures",
        ),
        Case(
            *_figures(
                92,
                (84.0, _BELOW, 0, 85.5, _EXACT, 0),
                (86.3, _BELOW, 0, 85.5, _EXACT, 0),
                (120.0, _BELOW, 1, 85.5, _EXACT, 1),
            ),
            label="a bound against an exact figure",
        ),
        Case(
            *_figures(
                93,
                (85.5, _EXACT, 0, 86.3, _BELOW, 0),
                (85.5, _EXACT, 0, 84.0, _BELOW, 0),
                (85.5, _EXACT, 1, 120.0, _BELOW, 1),
            ),
            label="an exact figure against a bound",
        ),
        Case(
            *_figures(
                94, (84.0, _BELOW, 0, 87.8, _BELOW, 0), (87.8, _BELOW, 0, 84.0, _BELOW, 0)
            ),
            label="two bounds",
        ),
        Case(
            *_figures(
                95,
                (27.0, _EXACT, 2, 85.5, _EXACT, 0),
                (85.5, _EXACT, 0, 27.0, _BELOW, 1),
                (85.5, _BELOW, 1, 88.0, _EXACT, 0),
                (90.0, _EXACT, 3, 88.0, _EXACT, 0),
            ),
            label="figures of different data",
        ),
        Case(
            *_figures(
                96,
                (85.5, _EXACT, 0, 85.5, _EXACT, 0),
                (85.5, _BELOW, 0, 85.5, _EXACT, 0),
                (85.5, _EXACT, 0, 85.5, _BELOW, 0),
                (85.5, _BELOW, 0, 85.5, _BELOW, 0),
            ),
            label="ties",
        ),
        Case(
            *_figures(
                97,
                (math.nan, _EXACT, 0, 85.5, _EXACT, 0),
                (85.5, _EXACT, 0, math.nan, _EXACT, 0),
                (math.nan, _EXACT, 0, math.nan, _EXACT, 0),
                (87.0, _BELOW, 0, math.nan, _EXACT, 0),
            ),
            label="a model without a likelihood",
        ),
        Case(
            *_figures(
                98,
                (math.inf, _EXACT, 0, 85.5, _EXACT, 0),
                (87.0, _BELOW, 0, math.inf, _EXACT, 0),
                (85.5, _EXACT, 0, math.inf, _BELOW, 0),
            ),
            label="an infinite figure",
        ),
        Case(*_MIXED, label="40 pairs of all kinds"),
        Case(*_turned(_MIXED), label="the same 40 pairs with a and b exchanged"),
    ),
    mistakes=(
        Mistake(
            "a bound read as exact",
            _PROVED,
            "nats_a < nats_b\n    worse = nats_b < nats_a",
            "Bounds are read as if they were the cost. Behind a bound the cost may be "
            "far lower: a figure of 86 that is a bound does not lose against an exact "
            "85.",
        ),
        Mistake(
            "the bound turned round",
            _PROVED,
            "~bound_a & (nats_a < nats_b)\n    worse = ~bound_b & (nats_b < nats_a)",
            "A bound is taken from the wrong side, as if the cost were that or anything "
            "above. These are upper bounds: the cost is that or below, and a model with "
            "a bound can only turn out better.",
        ),
        Mistake(
            "a bound decides nothing",
            _PROVED,
            "~bound_a & ~bound_b & (nats_a < nats_b)\n    worse = ~bound_a & ~bound_b & "
            "(nats_b < nats_a)",
            "Wherever a bound takes part your answer is 0. Sometimes a bound is enough: "
            "if even the bound of one is below the exact cost of the other.",
        ),
        Mistake(
            "only figures of one kind are compared",
            _PROVED,
            "(bound_a == bound_b) & (nats_a < nats_b)\n    worse = (bound_a == bound_b) "
            "& (nats_b < nats_a)",
            "Only figures of the same kind are compared. Two bounds prove nothing about "
            "each other; and of two kinds they may prove something, if the bound is "
            "below the exact figure.",
        ),
        Mistake(
            "two bounds compared",
            _PROVED,
            "(~bound_b | bound_a) & (nats_a < nats_b)\n    worse = (~bound_a | bound_b) "
            "& (nats_b < nats_a)",
            "Two bounds are compared as if they were costs. Each of the two costs may be "
            "anything below its bound: the order of the bounds says nothing of theirs.",
        ),
        Mistake(
            "an exact figure beats any bound",
            _PROVED,
            "(nats_a < nats_b) & (bound_a == bound_b) | ~bound_a & bound_b\n"
            "    worse = (nats_b < nats_a) & (bound_a == bound_b) | ~bound_b & bound_a",
            "An exact figure wins over any bound. Exact does not mean better: it is the "
            "numbers that are compared, where they can be.",
        ),
        Mistake(
            "higher is better",
            _PROVED,
            "~bound_b & (nats_a > nats_b)\n    worse = ~bound_a & (nats_b > nats_a)",
            "The higher figure wins. Nats are a cost, -log P: the lower the better.",
        ),
        Mistake(
            "the sign is turned",
            "better.long() - worse.long()",
            "worse.long() - better.long()",
            "The sign is turned: 1 is for a surely better, -1 for a surely worse.",
        ),
        Mistake(
            "different data compared",
            _VERDICT,
            "better.long() - worse.long()",
            "Figures of different data sets are compared. Other images, or the same in "
            "grey and in black and white, cost other nats whatever the model: nothing "
            "follows.",
        ),
        Mistake(
            "different data read as worse",
            _VERDICT,
            "torch.where(data_a == data_b, better.long() - worse.long(), -1)",
            "Where the data differ your answer is -1. Nothing follows from such figures, "
            "neither better nor worse: 0.",
        ),
        Mistake(
            "not proved read as worse",
            _VERDICT,
            "torch.where(better & (data_a == data_b), 1, -1)",
            "Whatever is not surely better is called surely worse. Between them lies "
            "what the figures do not decide: 0.",
        ),
        Mistake(
            "not proved read as worse, on the same data",
            _VERDICT,
            "torch.where(better, 1, -1) * (data_a == data_b)",
            "What is not surely better is called surely worse, if only the data are the "
            "same. Figures can leave it open: 0.",
        ),
        Mistake(
            "never worse",
            _VERDICT,
            "better.long() * (data_a == data_b)",
            "There is no -1 in your answer: nothing is ever surely worse. Ask as well "
            "whether b is surely better than a.",
        ),
        Mistake(
            "a tie read as a proof",
            _PROVED,
            "~bound_b & (nats_a <= nats_b)\n    worse = ~bound_a & (nats_b <= nats_a)",
            "A tie is read as a proof: a bound that is as large as the exact figure. The "
            "cost behind it may be just as large, and equal is not better.",
        ),
        Mistake(
            "without a likelihood the worst",
            "    better = ",
            "    nats_a, nats_b = nats_a.nan_to_num(math.inf, math.inf), "
            "nats_b.nan_to_num(math.inf, math.inf)\n    better = ",
            "A model without a likelihood loses against every figure: NaN is taken for "
            "an infinite cost. It gives no cost, and may be the better model: 0.",
        ),
        Mistake(
            "without a likelihood the best",
            "    better = ",
            "    nats_a, nats_b = nats_a.nan_to_num(0, math.inf), nats_b.nan_to_num(0, "
            "math.inf)\n    better = ",
            "A model without a likelihood wins against every figure: NaN is taken for a "
            "cost of 0. Nothing is known of its cost: 0 is the answer, not the figure.",
        ),
        Mistake(
            "only a's kind is looked at",
            _PROVED,
            "~bound_a & (nats_a < nats_b)\n    worse = ~bound_a & (nats_b < nats_a)",
            "Only whether a's figure is exact has a say. It is the loser's that must be "
            "exact, which could turn out better otherwise: where a is to be surely "
            "better, that is b's.",
        ),
        Mistake(
            "only b's kind is looked at",
            _PROVED,
            "~bound_b & (nats_a < nats_b)\n    worse = ~bound_b & (nats_b < nats_a)",
            "Only whether b's figure is exact has a say. That is right where a is to be "
            "surely better; where it is to be surely worse the loser, whose figure must "
            "be exact, is a.",
        ),
        Mistake(
            "a margin",
            _PROVED,
            "~bound_b & (nats_a < nats_b - 1)\n    worse = ~bound_a & (nats_b < nats_a - "
            "1)",
            "Figures that are close count as a tie. Chance is not the matter here: as "
            "they stand, 85.5 is below 86.",
        ),
        Mistake(
            "the difference itself",
            _VERDICT,
            "((nats_b - nats_a) * (better.long() - worse.long()).abs() * (data_a == "
            "data_b)).nan_to_num(0.0)",
            "There are differences of nats in your answer. What they prove is asked for: "
            "-1, 0 or 1.",
        ),
    ),
    symptoms=(
        Symptom(
            "without a likelihood",
            _shows_without_a_likelihood,
            "Where a model has no likelihood its figure is NaN, and nothing is proved: "
            "0. Yours is another, or NaN itself; a comparison with NaN is false, "
            "arithmetic with it gives NaN.",
        ),
        Symptom(
            "infinite figures",
            lambda results: others_right(results, "an infinite figure"),
            "Right for finite figures, wrong for infinite ones: infinity less infinity "
            "is NaN, and so is 0 times infinity. A comparison, `<`, has no such trouble.",
            errors_too=True,
        ),
        Symptom(
            "something else than -1, 0 and 1",
            lambda results: any(
                said not in (-1, 0, 1) for said, _, _ in _pairs(sound_results(results))
            ),
            "There are other numbers than -1, 0 and 1 in your answer.",
        ),
        Symptom(
            "different data compared",
            lambda results: any(
                said != 0
                for said, _, (_, _, data_a, _, _, data_b) in _pairs(sound_results(results))
                if data_a != data_b
            ),
        ),
        Symptom(
            "exact figures",
            _shows_exact_figures,
            "Wrong already where both figures are exact and the data the same: there the "
            "lower one is surely better.",
        ),
        Symptom(
            "ties",
            lambda results: any(
                said != 0
                for said, _, (a, _, _, b, _, _) in _pairs(sound_results(results))
                if a == b
            ),
            "Where both figures are the same nothing is proved, of whatever kind they "
            "are: 0.",
        ),
        Symptom(
            "both are better",
            _shows_both_are_better,
            "With a and b exchanged your answer is not the opposite: if a is surely "
            "better than b, then b is surely worse than a, and what is open stays open.",
        ),
        Symptom(
            "claims too much",
            _shows_claims_too_much,
            "What you call sure is right where both figures are exact. Where a bound "
            "takes part you call some sure that are open: think of the lowest cost that "
            "each could have.",
        ),
        Symptom(
            "claims too little",
            _shows_claims_too_little,
            "Nothing is claimed that is not so, but not all that is sure: where even the "
            "bound of one is below the exact cost of the other, it is better.",
        ),
        Symptom(
            "the loser's bound",
            lambda results: (
                bool(sound_results(results))
                and all(
                    right_on(results, label)
                    for label in ("two exact figures", "figures of different data")
                )
            ),
            "Right where both figures are exact, wrong where a bound takes part. Whose "
            "figure must be exact, if the one is to be surely better: its own, or the "
            "other's?",
        ),
    ),
)
