"""The exercises of notebook 06: right answers in other words, and wrong ones that are no mistake of the lists.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import math
import statistics
from importlib import import_module

import numpy as np
import pytest
import torch
from spoilt import verdicts

from gencourse.exercises import scoreboard
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.scoreboard import paired_interval, pareto_front, surely_better, which_is_which

EXERCISES = {name: thing for name, thing in vars(scoreboard).items() if isinstance(thing, Exercise)}
RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


# which_is_which


@right
def which_is_which__row_by_row(board):
    families = []
    for nats, spread, passes, _, _, near in board.tolist():
        if near < 0.3:
            families.append(4)
        elif math.isnan(nats):
            families.append(3)
        elif spread:
            families.append(2)
        else:
            families.append(1 if passes > 1 else 0)
    return families


@right
def which_is_which__numpy(board):
    x = board.numpy()
    return np.select([x[:, 5] < 0.5, np.isnan(x[:, 0]), x[:, 1] > 0, x[:, 2] > 1], [4, 3, 2, 1], default=0)


@right
def which_is_which__nested(board):
    exact = torch.where(board[:, 2] == 1, 0.0, 1.0)
    model = torch.where(board[:, 1].isnan(), 3.0, torch.where(board[:, 1] == 0, exact, 2.0))
    return torch.where(board[:, 5] > 0.2, model, 4.0)


@right
def which_is_which__in_place(board):
    board[:, 5] = board[:, 5].round()
    board.nan_to_num_(-1)
    family = torch.empty(len(board), dtype=torch.int8)
    for row, out in zip(board, family):
        out.fill_(4 if row[5] == 0 else 3 if row[0] == -1 else 2 if row[1] else int(row[2] != 1))
    return family


@right
def which_is_which__scores(board):
    """The largest of five scores."""
    nats, spread, passes, near = board[:, [0, 1, 2, 5]].T
    scores = [torch.zeros(len(board)), passes > 1, 2 * (spread > 0), 3 * nats.isnan(), 4 * (near < 0.5)]
    return torch.stack([score.float() for score in scores], 1).argmax(1)


# surely_better


@right
def surely_better__pair_by_pair(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
    out = []
    for a, at_most_a, where_a, b, at_most_b, where_b in zip(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
        if where_a != where_b:
            out.append(0)
        elif a < b and not at_most_b:
            out.append(1)
        elif b < a and not at_most_a:
            out.append(-1)
        else:
            out.append(0)
    return out


@right
def surely_better__ranges(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
    """Better if the whole range of a lies below that of b."""
    low_a, low_b = nats_a.clone(), nats_b.clone()
    low_a[bound_a], low_b[bound_b] = -math.inf, -math.inf
    same = data_a.eq(data_b)
    return (nats_a < low_b).logical_and(same).float() - (nats_b < low_a).logical_and(same).float()


@right
def surely_better__numpy(*figures):
    a, at_most_a, where_a, b, at_most_b, where_b = (x.numpy() for x in figures)
    verdict = np.select([(a < b) & ~at_most_b, (a > b) & np.logical_not(at_most_a)], [1, -1], 0)
    return np.where(where_a == where_b, verdict, 0)


@right
def surely_better__product(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
    sign = (nats_b - nats_a).sign()  # 0 for NaN
    return sign * (~bound_b | (nats_b < nats_a)) * (~bound_a | (nats_a < nats_b)) * (data_a == data_b)


@right
def surely_better__sign(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
    sign = torch.nan_to_num(nats_b - nats_a).sign()
    sign[data_a != data_b] = 0
    sign[bound_b & (sign > 0)] = 0
    sign[bound_a & (sign < 0)] = 0
    return sign


@right
def surely_better__in_place(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
    nats_a[data_a != data_b] = math.nan
    better = torch.lt(nats_a, nats_b).to(torch.int8).masked_fill_(bound_b, 0)
    return better.sub_((nats_a > nats_b).to(torch.int8) * (1 - bound_a.to(torch.int8)))


# paired_interval


@right
def paired_interval__lists(a, b):
    d = [x - y for x, y in zip(a.tolist(), b.tolist())]
    half = 1.96 * statistics.stdev(d) / len(d) ** 0.5
    return statistics.fmean(d) - half, statistics.fmean(d) + half


@right
def paired_interval__numpy(a, b):
    d = a.numpy().astype(np.float64) - b.numpy()
    return d.mean() + np.array([-1.96, 1.96]) * np.std(d, ddof=1) / np.sqrt(d.size)


@right
def paired_interval__covariance(a, b):
    (aa, ab), (_, bb) = torch.cov(torch.stack([a, b]).double())
    half = 1.96 * ((aa + bb - 2 * ab).clamp(min=0) / a.numel()).sqrt()
    return [a.mean() - b.mean() - half, a.mean() - b.mean() + half]


@right
def paired_interval__library(a, b):
    a -= b
    mean = torch.distributions.Normal(a.double().mean(), (a.double().var() / len(a)).sqrt() + 1e-12)
    return mean.icdf(torch.tensor([0.025, 0.975], dtype=torch.float64))


@right
def paired_interval__of_b_less_a(a, b):
    d = (b - a).half().double()  # quarters of nats: nothing is lost
    s = ((d - d.mean()).square().sum() / (len(d) - 1) / len(d)).sqrt()
    return -(d.mean() + torch.tensor([1.96, -1.96]) * s)


# pareto_front


@right
def pareto_front__looped(cost, loss):
    points = list(zip(cost.tolist(), loss.tolist()))
    return [not any(c <= x and q <= y and (c, q) != (x, y) for c, q in points) for x, y in points]


@right
def pareto_front__numpy(cost, loss):
    points = np.stack([cost, loss], 1)
    front = np.ones(len(points), dtype=bool)
    for i, point in enumerate(points):
        front[i] = not ((points <= point).all(1) & (points < point).any(1)).any()
    return front


@right
def pareto_front__sweep(cost, loss):
    """Sorted by cost, then by loss; equal ones share what the first of them is told."""
    front, best, last = torch.zeros(len(cost)), math.inf, None
    for c, q, i in sorted(zip(cost.tolist(), loss.tolist(), range(len(cost)))):
        front[i] = float(q < best or (c, q) == last)
        if q < best:
            best, last = q, (c, q)
    return front


@right
def pareto_front__cheapest_of_each_loss(cost, loss):
    """On the front: nobody is cheaper at this loss or less, nobody has less loss at this cost or less."""
    return torch.stack([(loss[cost <= c].min() == q) & (cost[loss <= q].min() == c) for c, q in zip(cost, loss)])


@right
def pareto_front__strikes_out(cost, loss):
    left = torch.ones(len(cost), dtype=torch.int64)
    for c, q in zip(cost.clone(), loss.clone()):
        left[(c <= cost) & (q <= loss) & ((c != cost) | (q != loss))] = 0
    return left


# Wrong answers that are no mistake of the lists, or are written otherwise


def by_rules(*rules, first=None):
    """which_is_which by rules (condition, family), from weak to strong."""

    def answer(board):
        family = (board[:, 2] > 1).long() if first is None else first(board)
        for condition, number in rules:
            family[condition(board)] = number
        return family

    return answer


def above(column, limit):
    return lambda board: board[:, column] > limit


def below(column, limit):
    return lambda board: board[:, column] < limit


def one_below(column, limit):
    """0 or 1, as `first` of by_rules."""
    return lambda board: (board[:, column] < limit).long()


def none(board):
    return board[:, 0].isnan()


a_bound, a_copy = above(1, 0), below(5, 0.5)
THREE = (a_bound, 2), (none, 3), (a_copy, 4)


def relabelled(*numbers):
    return lambda board: torch.tensor(numbers)[which_is_which.reference(board)]


def by_rank(board):
    """As if each family came once: the copier is nearest, the GAN has no figure, and so on."""
    family = torch.zeros(len(board))
    family[board[:, 2].argmax()] = 1
    family[board[:, 1].nan_to_num(-1).argmax()] = 2
    family[board[:, 0].isnan()] = 3
    family[board[:, 5].argmin()] = 4
    return family


def pairs(verdict):
    """surely_better, one pair after the other: verdict(a, bound_a, b, bound_b), where the data are the same."""

    def answer(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
        return [
            verdict(a, x, b, y) if s == t else 0
            for a, x, s, b, y, t in zip(
                *(column.tolist() for column in (nats_a, bound_a, data_a, nats_b, bound_b, data_b))
            )
        ]

    return answer


def sign(x):
    return (x > 0) - (x < 0)


def proved(a, x, b, y):
    return int(a < b and not y) - int(b < a and not x)


def whatever_the_data(verdict):
    def answer(nats_a, bound_a, data_a, nats_b, bound_b, data_b):
        return pairs(verdict)(nats_a, bound_a, data_a * 0, nats_b, bound_b, data_b * 0)

    return answer


def around(middle, half):
    """paired_interval from the middle and half the width, both of (a, b)."""
    return lambda a, b: torch.stack([middle(a, b) - half(a, b), middle(a, b) + half(a, b)])


def mean(a, b):
    return (a - b).mean()


def error(a, b):
    return 1.96 * (a - b).std() / len(a) ** 0.5


def pooled(a, b):
    return 1.96 * (((a.var() + b.var()) / 2) * (2 / len(a))) ** 0.5


def student(a, b):
    from scipy.stats import t

    return error(a, b) / 1.96 * t.ppf(0.975, len(a) - 1)


def resampled(a, b):
    """The percentiles of means of samples with replacement, from an unpaired bootstrap."""
    i, j = torch.randint(len(a), (2, 2000, len(a)))
    return (a[i].mean(1) - b[j].mean(1)).quantile(torch.tensor([0.025, 0.975]))


def beaten(relation):
    """pareto_front, by who beats whom: relation(cost_i, loss_i, cost_j, loss_j)."""
    return lambda cost, loss: ~relation(cost[:, None], loss[:, None], cost, loss).any(0)


def front(cost, loss):
    return pareto_front.reference(cost, loss)


def neighbours_by_cost(cost, loss):
    order = cost.argsort(stable=True)
    out = torch.ones(len(cost), dtype=torch.bool)
    out[order[1:]] = loss[order[1:]] < loss[order[:-1]]
    return out


def hull(cost, loss):
    """The lower left corners of the convex hull."""
    out = torch.zeros(len(cost))
    for price in torch.linspace(0.001, 0.999, 999):
        out[(price * cost + (1 - price) * loss).argmin()] = 1
    return out


WRONG = [
    (which_is_which, lambda b: torch.arange(len(b)), "no family"),
    (which_is_which, by_rules((a_bound, 2), (none, 3)), "copying is not looked for"),
    (which_is_which, by_rules((a_bound, 2), (a_copy, 4), (none, 3)), "no likelihood outranks copying"),
    (which_is_which, by_rules((a_copy, 4), (a_bound, 2), (none, 3)), "copiers are not known"),
    (which_is_which, by_rules((none, 3), (a_copy, 4)), "a bound read as exact"),
    (which_is_which, by_rules((lambda b: b[:, 1] != 0, 2), (a_copy, 4)), "no spread read as a spread"),
    (
        which_is_which,
        by_rules((above(2, 1), 1), *THREE, first=lambda b: torch.full((len(b),), 2)),
        "mixtures are not known",
    ),
    (which_is_which, by_rules((a_bound, 2), (none, 3), (below(4, 1.2), 4)), "copiers are not known"),
    (which_is_which, by_rules((a_bound, 2), (none, 3), (below(5, 0.97), 4)), "somewhat nearer read as copies"),
    (which_is_which, by_rules((a_bound, 2), (none, 3), (below(5, 0.01), 4)), "copies only where nothing differs"),
    (which_is_which, by_rules(*THREE, first=lambda b: (b[:, 2] == 784).long()), "PixelCNNs are not known"),
    (which_is_which, by_rules(*THREE, first=one_below(3, 1.2)), "mixtures are not known"),
    (which_is_which, by_rules(*THREE, first=one_below(4, 10)), "mixtures and PixelCNNs confused"),
    (which_is_which, by_rules(*THREE, first=one_below(0, 90)), "mixtures and PixelCNNs confused"),
    (which_is_which, by_rules((a_bound, 2), (none, 3), (a_copy, 4), (below(4, 1.3), 1)), "copiers are not known"),
    (which_is_which, by_rules((above(1, 0.1), 2), (none, 3), (a_copy, 4)), "a small spread read as none"),
    (which_is_which, by_rules((below(3, 0.7), 2), (none, 3), (a_copy, 4)), "blur read as VAE"),
    (which_is_which, by_rank, "the others decide"),
    (which_is_which, lambda b: b[:, 0].nan_to_num(math.inf).argsort(descending=True).argsort(), "no family"),
    (which_is_which, lambda b: which_is_which.reference(b).sort().values, "the others decide"),
    (which_is_which, relabelled(0, 1, 3, 2, 4), "other numbers for the families"),
    (which_is_which, relabelled(1, 0, 2, 3, 4), "passes turned round"),
    (which_is_which, relabelled(4, 3, 2, 1, 0), "other numbers for the families"),
    (which_is_which, relabelled(1, 2, 3, 4, 5), "counted from 1"),
    (which_is_which, relabelled(0, 1, 2, 3, 3), "copiers are not known"),
    (
        which_is_which,
        lambda b: [["mixture", "PixelCNN", "VAE", "GAN", "copier"][i] for i in which_is_which.reference(b)],
        "wrong type",
    ),
    (which_is_which, lambda b: which_is_which.reference(b)[:, None], "wrong shape"),
    (which_is_which, lambda b: which_is_which.reference(b)[0], "wrong shape"),
    (
        which_is_which,
        lambda b: [
            4 if near < 0.5 else 2 if spread > 0 else 3 if nats == float("nan") else passes > 1
            for nats, spread, passes, _, _, near in b.tolist()
        ],
        "compared with NaN",
    ),
    (which_is_which, lambda b: b.argmax(1), "differs"),
    (which_is_which, lambda b: torch.where(b[0, 5] < 0.5, 4, which_is_which.reference(b)), "the others decide"),
    (which_is_which, lambda b: [{0: 0, 784: 1}[p] for p in b[:, 2].tolist()], "KeyError"),
    (surely_better, pairs(lambda a, x, b, y: sign(b - a)), "a bound read as exact"),
    (surely_better, pairs(lambda a, x, b, y: sign(b - a) * (not x and not y)), "a bound decides nothing"),
    (surely_better, pairs(lambda a, x, b, y: sign(b - a) * (x == y)), "only figures of one kind are compared"),
    (surely_better, pairs(lambda a, x, b, y: int(a < b and not x) - int(b < a and not y)), "the bound turned round"),
    (surely_better, pairs(lambda a, x, b, y: -proved(a, x, b, y)), "the sign is turned"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) or -1), "not proved read as worse, on the same data"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) == 1), "never worse"),
    (surely_better, pairs(lambda a, x, b, y: proved(-a, x, -b, y)), "higher is better"),
    (surely_better, pairs(lambda a, x, b, y: proved(-a, y, -b, x)), "the sign is turned"),
    (surely_better, whatever_the_data(proved), "different data compared"),
    (surely_better, whatever_the_data(lambda a, x, b, y: sign(b - a)), "different data compared"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) * (abs(a - b) > 0.6)), "exact figures"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) if x or y else 0), "exact figures"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) if a != b else 1), "ties"),
    (
        surely_better,
        pairs(lambda a, x, b, y: proved(a, x, b, y) if a != b else int(x) - int(y)),
        "a tie read as a proof",
    ),
    (surely_better, pairs(lambda a, x, b, y: int(a < b and not y) - int(b < a)), "both are better"),
    (surely_better, pairs(lambda a, x, b, y: int(a < b) - int(b < a and not x)), "both are better"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) or int(x) - int(y)), "ties"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) * 2), "something else than -1, 0 and 1"),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) if not x else 0), "both are better"),
    (
        surely_better,
        pairs(lambda a, x, b, y: math.nan if a != a or b != b else proved(a, x, b, y)),
        "without a likelihood",
    ),
    (surely_better, pairs(lambda a, x, b, y: proved(a, x, b, y) + 1), "something else than -1, 0 and 1"),
    (surely_better, lambda a, x, s, b, y, t: (a < b) - (b < a), "RuntimeError"),
    (surely_better, lambda a, x, s, b, y, t: a < b if s == t else 0, "RuntimeError"),
    (surely_better, lambda *figures: surely_better.reference(*figures).sum(), "wrong shape"),
    (surely_better, lambda a, x, s, b, y, t: torch.stack([a, b]).argmin(0), "different data compared"),
    (paired_interval, around(mean, pooled), "not paired"),
    (
        paired_interval,
        lambda a, b: torch.stack(
            [
                a.mean() - error(a, 0 * a) - b.mean() - error(b, 0 * b),
                a.mean() + error(a, 0 * a) - b.mean() + error(b, 0 * b),
            ]
        ),
        "both standard errors added",
    ),
    (paired_interval, around(mean, student), "Student's t"),
    (paired_interval, around(mean, lambda a, b: (a - b).std() / len(a) ** 0.5 * 1.96 / 2), "half to either side"),
    (paired_interval, around(mean, lambda a, b: 3 * (a - b).std() / len(a) ** 0.5), "another factor"),
    (paired_interval, around(mean, lambda a, b: 1.96 * (a - b).var() / len(a) ** 0.5), "the variance over the root"),
    (paired_interval, around(mean, lambda a, b: 1.96 * (a - b).var() / len(a)), "the variance of the mean"),
    (paired_interval, around(lambda a, b: (b - a).mean(), error), "b less a"),
    (paired_interval, lambda a, b: -paired_interval.reference(a, b), "off by a constant factor"),
    (paired_interval, lambda a, b: paired_interval.reference(a, b).flip(0), "the ends exchanged"),
    (paired_interval, lambda a, b: paired_interval.reference(b, b * 0), "the middle is wrong"),
    (paired_interval, lambda a, b: np.percentile(a - b, [2.5, 97.5]), "the range of the images"),
    (paired_interval, lambda a, b: torch.stack([(a - b).min(), (a - b).max()]), "the middle is wrong"),
    (paired_interval, resampled, "the middle is wrong"),
    (
        paired_interval,
        around(mean, lambda a, b: 1.96 * (a - b).abs().mean() / len(a) ** 0.5),
        "unsure where all images agree",
    ),
    (
        paired_interval,
        around(mean, lambda a, b: 1.96 * (a.std() ** 2 + b.std() ** 2) ** 0.5),
        "unsure where all images agree",
    ),
    (
        paired_interval,
        around(mean, lambda a, b: 1.96 * ((a - b).std() + 0.05) / len(a) ** 0.5),
        "unsure where all images agree",
    ),
    (paired_interval, around(mean, lambda a, b: torch.tensor(0.0)), "the width"),
    (paired_interval, around(mean, lambda a, b: 1.96 * (a - b).std() / (len(a) + 1) ** 0.5), "the width"),
    (paired_interval, lambda a, b: paired_interval.reference(a.mean()[None], b.mean()[None]), "not a number"),
    (paired_interval, lambda a, b: paired_interval.reference(a, b) / a.mean(), "the middle is wrong"),
    (paired_interval, lambda a, b: paired_interval.reference(a, b) * 1.4427, "off by a constant factor"),
    (paired_interval, lambda a, b: paired_interval.reference(a, b).clamp(min=0), "the middle is wrong"),
    (paired_interval, lambda a, b: error(a, b), "wrong shape"),
    (paired_interval, lambda a, b: f"{mean(a, b)} ± {error(a, b)}", "wrong type"),
    (
        paired_interval,
        lambda a, b: torch.stack([mean(a, b) - error(a, b), mean(a, b), mean(a, b) + error(a, b)]),
        "wrong shape",
    ),
    (pareto_front, beaten(lambda c, q, x, y: (c < x) & (q < y)), "beaten only if worse on both"),
    (pareto_front, beaten(lambda c, q, x, y: (c <= x) & (q < y)), "ties"),
    (pareto_front, beaten(lambda c, q, x, y: (c < x) & (q <= y)), "ties"),
    (pareto_front, beaten(lambda c, q, x, y: (c < x) | (q < y)), "best on both"),
    (pareto_front, beaten(lambda c, q, x, y: (c <= x) & (q <= y)), "each beats itself"),
    (pareto_front, beaten(lambda c, q, x, y: (c >= x) & (q >= y) & ((c > x) | (q > y))), "larger is better"),
    (
        pareto_front,
        lambda c, q: beaten(lambda c, q, x, y: (c <= x) & (q <= y) & (c + q < x + y))(c, -q),
        "a larger loss is better",
    ),
    (pareto_front, lambda c, q: front(*torch.stack([c, q], 1).unique(dim=0).T), "in the order of the cost"),
    (pareto_front, lambda c, q: front(c, q)[q.argsort()], "in the order of the loss"),
    (pareto_front, lambda c, q: [i for i, on in enumerate(front(c, q)) if on], "their numbers"),
    (pareto_front, lambda c, q: front(c, q).nonzero().flatten().flip(0), "their numbers"),
    (pareto_front, lambda c, q: torch.stack([c, q], 1)[front(c, q)], "wrong shape"),
    (pareto_front, lambda c, q: front(c, q) * 2, "something else than yes and no"),
    (pareto_front, lambda c, q: front(c, q) * q, "something else than yes and no"),
    (pareto_front, lambda c, q: ~front(c, q), "the beaten ones"),
    (pareto_front, hull, "models of the front are missing"),
    (pareto_front, neighbours_by_cost, "differs"),
    (pareto_front, lambda c, q: c * q == (c * q).min(), "models of the front are missing"),
    (pareto_front, lambda c, q: torch.ones(len(c)), "beaten models are kept"),
    (pareto_front, lambda c, q: torch.zeros(len(c)), "each beats itself"),
    (pareto_front, lambda c, q: front(c.argsort().argsort(), q.argsort().argsort()), "ties"),
    (pareto_front, lambda c, q: front(c.round(decimals=-1), q), "differs"),
    (pareto_front, lambda c, q: front(c, q) if len(c) > 1 else [False], "alone on the front"),
    (pareto_front, lambda c, q: front(c, q) if len(c) > 1 else 1 / 0, "alone on the front"),
    (pareto_front, lambda c, q: (c[:, None] <= c) & (q[:, None] <= q), "wrong shape"),
    (pareto_front, lambda c, q: front(c, q).all(), "wrong shape"),
    (
        pareto_front,
        lambda c, q: [not any(c[j] < c[i] and q[j] < q[i] for j in range(len(c))) for i in range(len(c))],
        "beaten only if worse on both",
    ),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "diagnosis"),
    WRONG,
    ids=[f"{exercise.name}: {diagnosis}" for exercise, _, diagnosis in WRONG],
)
def test_wrong_answers(exercise, answer, diagnosis):
    verdict = exercise.grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


def test_families_are_known_by_what_the_columns_mean():
    everybody = torch.tensor(import_module(which_is_which.reference.__module__)._EVERYBODY)
    assert which_is_which.reference(everybody).tolist() == [0, 1, 2, 3, 4]
    good = everybody.clone()
    good[:, 3] = 1  # as sharp as data, and as near to it
    good[:, 4] = 1
    good[:3, 0] = 80
    assert which_is_which.reference(good).tolist() == [0, 1, 2, 3, 4]
    by_heart = everybody.clone()
    by_heart[:, 5] = 0.01
    assert which_is_which.reference(by_heart).tolist() == [4] * 5


def test_what_is_sure_holds_for_every_cost_behind_the_bounds():
    """Against all costs that the figures leave open, on a grid."""
    nats = torch.tensor([3.0, 4.0, 5.0])
    rows = torch.cartesian_prod(nats, torch.tensor([0.0, 1.0]), nats, torch.tensor([0.0, 1.0]))
    a, bound_a, b, bound_b = rows.T
    same = torch.zeros(len(rows)).long()
    told = surely_better.reference(a, bound_a.bool(), same, b, bound_b.bool(), same)
    for (a, bound_a, b, bound_b), verdict in zip(rows.tolist(), told.tolist()):
        costs_a, costs_b = (
            [x - lower for lower in range(9 if bound else 1)] for x, bound in ((a, bound_a), (b, bound_b))
        )
        signs = {sign(y - x) for x in costs_a for y in costs_b}
        assert verdict == (signs.pop() if len(signs) == 1 else 0)


def test_the_interval_holds_the_truth_in_95_of_100_repetitions():
    generator = torch.Generator().manual_seed(0)
    hard = 20 * torch.randn(2000, 50, generator=generator)
    a = 91 + hard + torch.randn(2000, 50, generator=generator)
    b = 90 + hard + torch.randn(2000, 50, generator=generator)
    low, high = torch.stack([paired_interval.reference(*pair) for pair in zip(a, b)]).T
    assert ((low < 1) & (1 < high)).double().mean().item() == pytest.approx(0.945, abs=0.015)


SPOILT = {
    "nothing": lambda v: None,
    "a word": lambda v: "better",
    "one axis more": lambda v: torch.as_tensor(v)[None],
    "empty": lambda v: torch.zeros(0),
    "NaN": lambda v: torch.as_tensor(v) * math.nan,
    "infinite": lambda v: torch.as_tensor(v) - math.inf,
    "one NaN": lambda v: torch.where(torch.arange(v.numel()).reshape(v.shape) == 0, math.nan, v),
    "huge": lambda v: torch.as_tensor(v) * 1e9 + 1,
    "complex": lambda v: torch.as_tensor(v) * (1 + 2j),
}


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("input_", ["every input", 0, 3])
def test_no_answer_confuses_the_check(name, spoil, input_):
    """Whatever comes back, on all inputs or on one, there is a verdict."""
    for verdict in verdicts(EXERCISES[name], spoil, input_):
        assert verdict.message and not verdict.passed
