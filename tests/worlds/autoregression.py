"""Worlds for the claims of chapter 01."""

from gencourse.metrics import Interval
from worlds import World


def about(value, half):
    """An interval of ten seeds."""
    return Interval(value, value - half, value + half, 10)


SUMS = {"by hand": 1.0, "one stack": 1.0000001, "two stacks": 0.9999999}
PAST, WEDGE = [141, 80, 36], [28, 10, 3]
DARK = {"12 blocks": WEDGE, "24 blocks": WEDGE}
GAINS = {"3 instead of 1.5 ms": about(0.1, 0.03), "17 instead of 3 ms": about(0.1, 0.03), "128": about(0.05, 0.03)}
OPERATIONS = [100, 150, 200, 250]

WORLDS = {
    "AR1": World(
        true={"sums": SUMS, "leaking": about(512, 0.1)},
        false={
            "one chain of five has another sum": {"sums": {**SUMS, "two stacks": 1.001}},
            "the sum does not find a leak": {"leaking": about(1.02, 0.01)},
        },
        undecided={"some leaks are found and some are not": {"leaking": about(60, 80)}},
    ),
    "AR2": World(
        true={"leaks": {"one stack": 0, "diagonals": 0}, "seen": about(1, 0), "caught": about(1, 0)},
        false={
            "the pixel itself is seen, once": {"leaks": {"one stack": 0, "diagonals": 1}},
            "the networks see nothing": {"seen": about(0, 0)},
            "the gradient misses planted leaks": {"caught": about(0.2, 0.1)},
        },
        undecided={
            "units that are shut hide some of the past": {"seen": about(0.95, 0.04)},
            "or some of the leaks": {"caught": about(0.9, 0.1)},
        },
    ),
    "AR3": World(
        true={"past": PAST, "diagonal": PAST, "two_stacks": PAST, "wedge": WEDGE, "dark": DARK, "misplaced": 0},
        false={
            "the Diagonal BiLSTM misses a pixel": {"diagonal": [141, 80, 35]},
            "two stacks are not deep enough": {"two_stacks": [126, 80, 36]},
            "the past is counted wrongly": {"past": [140, 80, 36]},
            "more layers close the wedge": {"dark": {**DARK, "24 blocks": [14, 5, 1]}},
            "a shallow stack misses more": {"dark": {**DARK, "12 blocks": [40, 10, 3]}},
            "another wedge": {"wedge": [27, 10, 3]},
            "as many are missed, elsewhere": {"misplaced": 2},
            "there is no wedge to be missed": {"wedge": [0, 0, 0], "dark": {name: [0, 0, 0] for name in DARK}},
        },
    ),
    "AR4": World(
        true={
            "saved": about(9, 1),
            "paired": {"independent pixels": about(110, 2), "four neighbours": about(9, 0.5)},
            "gap": 1e-4,
            "leaking_gap": 20.0,
        },
        false={
            "the table is better in most trainings": {"saved": about(-3, 1)},
            "a larger table is better in this run": {
                "paired": {"ten neighbours": about(-2, 0.5), "four neighbours": about(9, 0.5)}
            },
            "one pass gives a bound and not the likelihood": {"gap": 0.7},
            "the two ways of computing it could not differ": {"leaking_gap": 1e-4},
        },
        undecided={
            "the trainings differ too much": {"saved": about(3, 4)},
            "too few images": {"paired": {"four neighbours": about(0.3, 0.5)}},
        },
    ),
    "AR5": World(
        true={"ratio": about(0.1, 0.05), "beyond": about(0.0005, 0.0002)},
        false={
            "the table is as good": {"ratio": about(1.1, 0.3)},
            "the samples are as near as real digits": {"beyond": about(-0.00001, 0.00001)},
        },
        undecided={
            "half as far, more or less": {"ratio": about(0.5, 0.2)},
            "the floor is within the spread": {"beyond": about(0.0001, 0.0002)},
        },
    ),
    "AR6": World(
        true={"passes": 784, "steps": 784, "cached_ratio": about(40, 10), "textbook_ratio": about(500, 100)},
        false={
            "a pass writes a whole row": {"passes": 28},
            "a step writes two pixels": {"steps": 392},
            "with caches an image costs little more than one pass": {"cached_ratio": about(3, 1)},
            "it is not far slower without caches either": {"textbook_ratio": about(8, 1)},
        },
        undecided={
            "the clock is disturbed": {"cached_ratio": about(30, 40)},
            "both are": {"textbook_ratio": about(15, 20)},
        },
    ),
    "AR7": World(
        true={"pixels": [64, 144, 784], "steps": [64, 144, 784], "different": [0, 0, 0], "faster": about(15, 3)},
        false={
            "a pixel differs": {"different": [0, 0, 1]},
            "fewer steps than pixels": {"steps": [64, 144, 392]},
            "more pixels than steps": {"pixels": [64, 144, 800]},
            "caches save nothing": {"faster": about(1.1, 0.2)},
        },
        undecided={"the clock is disturbed": {"faster": about(3, 2)}},
    ),
    "AR8": World(
        true={
            "total": 1.0000002,
            "leaking": about(1024, 0.5),
            "ahead": 0,
            "caught": 5,
            "planted": 5,
            "seen": 5,
            "context": 5,
        },
        false={
            "the chain loses probability": {"total": 0.99},
            "the sum does not find a leak": {"leaking": about(1.1, 0.2)},
            "the sample itself is seen": {"ahead": 5},
            "the gradient misses the leak": {"caught": 0},
            "more leaks than are found": {"planted": 15},
            "the past is not seen": {"seen": 0},
            "the formula is wrong": {"context": 6},
        },
        undecided={"some leaks are found and some are not": {"leaking": about(40, 60)}},
    ),
    "AR9": World(
        true={
            "dilated": [3, 5, 9, 17],
            "plain": [3, 4, 5, 6],
            "operations": OPERATIONS,
            "plain_operations": OPERATIONS,
        },
        false={
            "the context grows by two a layer": {"dilated": [3, 5, 7, 9]},
            "it doubles without dilation, too": {"plain": [3, 5, 9, 17]},
            "each layer costs more than the one before": {
                "operations": [100, 150, 250, 450],
                "plain_operations": [100, 150, 250, 450],
            },
            "operations of another stack": {"operations": [100, 160, 220, 280]},
            "dilation costs operations": {"plain_operations": [90, 130, 170, 210]},
        },
    ),
    "AR10": World(
        true={"gains": GAINS},
        false={
            "3 ms do not help": {"gains": {**GAINS, "3 instead of 1.5 ms": about(-0.1, 0.03)}},
            "17 ms do not help": {"gains": {**GAINS, "17 instead of 3 ms": about(-0.1, 0.03)}},
            "the longest is worse": {"gains": {**GAINS, "128": about(-0.08, 0.03)}},
        },
        undecided={"the longest is better with some seeds only": {"gains": {**GAINS, "128": about(0.02, 0.05)}}},
    ),
}
