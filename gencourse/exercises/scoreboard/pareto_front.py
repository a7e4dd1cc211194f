"""Which models nobody beats: yes or no for each, in the order given."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import others_right, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.scoreboard.shared import (
    random_numbers,
    shuffled_rows,
    sound_results,
)


def pareto_front(cost: Tensor, loss: Tensor) -> Tensor:
    """Which models nobody beats: yes or no for each, in the order given.

    A model is beaten if another is at least as good on both, cost and loss, and better on
    one of them. The lower the better. cost: (M,), say passes for a sample; loss: (M,), say
    nats; no NaN among them. Models that are equal on both do not beat each other: both
    are on the front, or neither. Returns (M,), bool.
    """
    no_worse = (cost[:, None] <= cost) & (loss[:, None] <= loss)  # [i, j]: i against j
    better = (cost[:, None] < cost) | (loss[:, None] < loss)
    return ~(no_worse & better).any(0)


def _models(seed: int, *points: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Cost and loss of these models, in an order of no meaning."""
    return tuple(
        shuffled_rows(torch.tensor(points, dtype=torch.float32, device="cpu"), seed).T
    )


def _on_a_grid(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n models on so few places that many tie."""
    return tuple(
        (8 * random_numbers(2, n, seed=seed)).floor() + torch.tensor([[1.0], [80.0]])
    )


def _scattered(n: int, seed: int) -> tuple[Tensor, Tensor]:
    cost, chance = random_numbers(2, n, seed=seed)
    return 1 + 99 * cost, 80 + 20 / (1 + 5 * cost) + 15 * chance


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


def _in_the_order_of(results, column: int) -> bool:
    """Where no two models tie, the answers are right once they are sorted by this column."""
    sortable = [
        r
        for r in usable(results)
        if len(r.case.arguments[column].unique()) == len(r.value) > 1
    ]
    return (
        bool(sortable)
        and any(not r.right for r in sortable)
        and all(
            r.value.equal(r.expected[r.case.arguments[column].argsort()]) for r in sortable
        )
    )


def _shows_their_numbers(results):
    def named(r):
        on = r.expected.nonzero().flatten()
        return (
            r.value is not None
            and r.value.shape == on.shape
            and r.value.sort().values.equal(on.double())
        )

    return all(named(r) for r in results) and any(not r.right for r in results)


def _shows_equal_models(results):
    def alone(r):
        cost, loss = r.case.arguments
        return ((cost[:, None] == cost) & (loss[:, None] == loss)).sum(0) == 1

    return bool(sound_results(results)) and all(
        r.value[alone(r)].equal(r.expected[alone(r)]) for r in results
    )


def _shows_ties(results):
    def ties(r):
        return any(len(x.unique()) < len(x) for x in r.case.arguments)

    return (
        bool(sound_results(results))
        and any(not ties(r) for r in results)
        and all(r.right for r in results if not ties(r))
    )


exercise = Exercise(
    pareto_front,
    minutes=8,
    difficulty="medium",
    hints=(
        "Ask of every model: is there another that is at least as good on both, and "
        "better on one? If so it is off the front. Two models that are equal do not beat "
        "each other.",
        "All pairs at once: `cost[:, None] <= cost` is a table, true at [i, j] where i "
        "costs no more than j.",
        "`no_worse = (cost[:, None] <= cost) & (loss[:, None] <= loss)`, `better` with "
        "`<` and `|`. i beats j where both are true; j is on the front if no i does: "
        "`~(…).any(0)`.",
    ),
    cases=(
        Case(
            *_models(
                121,
                (0.5, 136.0),
                (42.0, 85.5),
                (144.0, 87.8),
                (73.0, 86.3),
                (2.5, 98.0),
                (9.0, 104.0),
            ),
            label="six models",
        ),
        Case(
            *_models(122, (1.0, 136.0), (784.0, 85.5), (1.0, 86.3), (1.0, 98.0)),
            label="equal costs",
        ),
        Case(
            *_models(
                123, (10.0, 90.0), (20.0, 90.0), (30.0, 90.0), (40.0, 85.0), (5.0, 95.0)
            ),
            label="equal losses",
        ),
        Case(
            *_models(
                124, (10.0, 90.0), (10.0, 90.0), (30.0, 84.0), (30.0, 95.0), (30.0, 95.0)
            ),
            label="two equal models on the front",
        ),
        Case(*_models(125, (3.0, 90.0)), label="one model"),
        Case(
            *_models(126, (3.0, 90.0), (3.0, 90.0), (3.0, 90.0)), label="all models equal"
        ),
        Case(
            *_models(127, (1.0, 80.0), (2.0, 90.0), (3.0, 85.0), (9.0, 80.5)),
            label="one that beats all others",
        ),
        Case(
            *_models(
                128,
                (1.0, 99.0),
                (2.0, 97.0),
                (3.0, 94.0),
                (4.0, 90.0),
                (5.0, 85.0),
                (6.0, 79.0),
            ),
            label="a front that bends outwards",
        ),
        Case(
            *_models(
                129, (1.0, -80.0), (4.0, -95.0), (6.0, -90.0), (9.0, -120.0), (9.5, -60.0)
            ),
            label="losses below 0",
        ),
        Case(*_on_a_grid(25, 130), label="25 models with many ties"),
        Case(*_scattered(40, 131), label="40 models"),
    ),
    mistakes=(
        Mistake(
            "only the best of each column",
            f"return {_FRONT}",
            "return (cost == cost.min()) | (loss == loss.min())",
            "Only the cheapest and the best are kept. Between them lie models that are "
            "cheaper than the best and better than the cheapest: who beats those?",
        ),
        Mistake(
            "best on both",
            f"return {_FRONT}",
            "return (cost == cost.min()) & (loss == loss.min())",
            "Only a model that is best on both is kept, and mostly there is none: one is "
            "dropped as soon as another is better on either. To beat it, that other must "
            "not be worse on the second.",
        ),
        Mistake(
            "beaten only if worse on both",
            f"return {_FRONT}",
            "return ~((cost[:, None] < cost) & (loss[:, None] < loss)).any(0)",
            "A model is dropped only if another is better on both. One that ties on one "
            "and is worse on the other is beaten, too.",
        ),
        Mistake(
            "each beats itself",
            "no_worse & better",
            "no_worse",
            "Nobody is left: every model is compared with itself, is no worse than "
            "itself, and is dropped. Beating takes being better on one of the two.",
        ),
        Mistake(
            "equal models beat each other",
            "no_worse & better",
            "no_worse & ~torch.eye(len(cost), dtype=torch.bool)",
            "Models that are equal on both beat each other, and both are gone. Beating "
            "takes being better on one of the two.",
        ),
        Mistake(
            "one of equal models",
            _FRONT,
            f"{_FRONT} & ~{_FIRST_OF_EQUALS}",
            "Of models that are equal on both only the first is kept. Neither beats the "
            "other: both are on the front.",
        ),
        Mistake(
            "larger is better",
            f"return {_FRONT}",
            "return ~(no_worse & better).any(1)",
            "The larger figures win on both, or the wrong axis of the table is taken: "
            "you keep the models that beat nobody. Those are due that nobody beats, and "
            "the lower the better.",
        ),
        Mistake(
            "a larger loss is better",
            "(cost[:, None] <= cost) & (loss[:, None] <= loss)\n    better = (cost[:, "
            "None] < cost) | (loss[:, None] < loss)",
            "(cost[:, None] <= cost) & (loss[:, None] >= loss)\n    better = (cost[:, "
            "None] < cost) | (loss[:, None] > loss)",
            "The larger loss wins. That would be right for a log-likelihood; a loss is "
            "the better the lower.",
        ),
        Mistake(
            "a larger cost is better",
            "(cost[:, None] <= cost) & (loss[:, None] <= loss)\n    better = (cost[:, "
            "None] < cost) | (loss[:, None] < loss)",
            "(cost[:, None] >= cost) & (loss[:, None] <= loss)\n    better = (cost[:, "
            "None] > cost) | (loss[:, None] < loss)",
            "The larger cost wins. Cost is the better the lower.",
        ),
        Mistake(
            "the beaten ones",
            _FRONT,
            "(no_worse & better).any(0)",
            "Yes and no have changed places: these are the models that somebody beats.",
        ),
        Mistake(
            "in the order of the cost",
            f"return {_FRONT}",
            f"return ({_FRONT})[cost.argsort(stable=True)]",
            "The answers are right but stand in the order of the cost: the models were "
            "sorted and not put back. Place i belongs to model i as given.",
        ),
        Mistake(
            "in the order of the loss",
            f"return {_FRONT}",
            f"return ({_FRONT})[loss.argsort(stable=True)]",
            "The answers are right but stand in the order of the loss: the models were "
            "sorted and not put back. Place i belongs to model i as given.",
        ),
        Mistake(
            "their numbers",
            f"return {_FRONT}",
            f"return ({_FRONT}).nonzero().flatten()",
            "These are the numbers of the models on the front. A yes or no for every "
            "model is asked for.",
        ),
        Mistake(
            "the smallest sum",
            f"return {_FRONT}",
            "return cost + loss == (cost + loss).min()",
            "The models with the smallest sum are kept. Seconds and nats cannot be "
            "added, and every price of a second would give another winner: the front "
            "does without a price.",
        ),
        Mistake(
            "the smallest weighted sums",
            f"return {_FRONT}",
            "price = torch.linspace(0, 1, 10_001, dtype=torch.float64)[1:-1, None]\n"
            "    total = price * cost + (1 - price) * loss\n"
            "    return (total <= total.amin(1, keepdim=True) + 1e-9).any(0)",
            "Your front misses models in its dents, which win for no price of a second: "
            "weighted sums find only the outermost. Nobody beats the others either.",
        ),
        Mistake(
            "ties in a sweep",
            f"return {_FRONT}",
            _sweep("<"),
            "A sweep from the cheapest on, which keeps what is better than all before. "
            "Where costs are equal it depends on the order: a worse model that comes "
            "first is kept, and of equal ones only one.",
        ),
        Mistake(
            "ties kept in a sweep",
            f"return {_FRONT}",
            _sweep("<="),
            "A sweep from the cheapest on, which keeps what is no worse than all before. "
            "So a model that costs more for the same loss is kept, and where costs are "
            "equal one that comes before a better.",
        ),
        Mistake(
            "beaten by one does not count",
            _FRONT,
            "((no_worse & better).sum(0) <= 1)",
            "Models that are beaten by a single other are kept. One is enough.",
        ),
        Mistake(
            "better than the middle",
            f"return {_FRONT}",
            "return (cost <= cost.median()) & (loss <= loss.median())",
            "The models that are among the better half on both are kept. The front asks "
            "of each whether another beats it, not where it stands among all.",
        ),
    ),
    symptoms=(
        Symptom("their numbers", _shows_their_numbers),
        Symptom("in the order of the cost", lambda results: _in_the_order_of(results, 0)),
        Symptom("in the order of the loss", lambda results: _in_the_order_of(results, 1)),
        Symptom(
            "something else than yes and no",
            lambda results: any(
                ((r.value != 0) & (r.value != 1)).any() for r in sound_results(results)
            ),
            "There are other numbers than 0 and 1 in your answer: a yes or no for every "
            "model is due.",
        ),
        Symptom(
            "alone on the front",
            lambda results: others_right(results, "one model"),
            "Right for several models, wrong for one alone: nobody is there to beat it.",
            errors_too=True,
        ),
        Symptom(
            "equal models",
            _shows_equal_models,
            "Right but for models that are equal on both: they do not beat each other, "
            "so that both are on the front or neither.",
        ),
        Symptom(
            "ties",
            _shows_ties,
            "Right where no two models tie, wrong where some do: who ties on one and is "
            "worse on the other is beaten; who ties on both is not.",
        ),
        Symptom(
            "beaten models are kept",
            lambda results: (
                bool(sound_results(results))
                and all((r.value >= r.expected).all() for r in results)
            ),
            "All of the front is there, but models besides that another beats: at least "
            "as good on both, and better on one.",
        ),
        Symptom(
            "models of the front are missing",
            lambda results: (
                bool(sound_results(results))
                and all((r.value <= r.expected).all() for r in results)
            ),
            "All that you keep is on the front, but some of it is missing: a model is "
            "dropped only if one single other is at least as good on both, and better on "
            "one.",
        ),
    ),
)
