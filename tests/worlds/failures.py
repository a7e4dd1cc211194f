"""Worlds for the claims of chapter 05."""

from gencourse.metrics import Interval
from worlds import World


def share(yes, low, high):
    return Interval(yes, low, high, 20)


ALL, NONE, HALF = share(1.0, 0.84, 1.0), share(0.0, 0.0, 0.16), share(0.5, 0.3, 0.7)
LOSSES, SIZES = ("original", "non-saturating"), ("10⁻⁴", "10⁻²")
STARTS = ("noise", "samples", "digits")


def each(names, value, **others):
    return {name: others.get(name, value) for name in names}


def but(names, name, value):
    return each(names, ALL) | {name: value}


WORLDS = {
    "VA8": World(
        true={
            "recognised_train": Interval(0.96, 0.95, 0.97, 20),
            "copied": ALL,
            "better": Interval(40.0, 30.0, 50.0, 20),
            "recognised_unseen": Interval(0.3, 0.25, 0.35, 20),
            "caught": ALL,
            "blamed": NONE,
        },
        false={
            "nothing comes back, not even what was learnt": {"recognised_train": Interval(0.3, 0.2, 0.4, 20)},
            "no copies at the codes": {"copied": NONE},
            "the KL has nothing to do with it": {"better": Interval(-5.0, -8.0, -2.0, 20)},
            "new digits come back as well": {"recognised_unseen": Interval(0.89, 0.88, 0.9, 20)},
            "the detector misses copies": {"caught": NONE},
            "the detector blames everything": {"blamed": ALL},
        },
        undecided={
            "new digits come back in half of the cases": {"recognised_unseen": Interval(0.5, 0.4, 0.6, 20)},
            "few seeds": {"better": Interval(5.0, -5.0, 15.0, 3)},
        },
    ),
    "VA9": World(
        true={
            "decoded": Interval(0.6, 0.55, 0.65, 20),
            "drawn": Interval(1.3, 1.2, 1.4, 20),
            "blurred": Interval(0.17, 0.16, 0.18, 20),
            "again": Interval(1.0, 0.99, 1.01, 20),
            "agrees": Interval(1.0, 0.96, 1.0, 100),
            "grey": Interval(0.99, 0.98, 1.0, 40),
        },
        false={
            "as sharp as the data": {"decoded": Interval(1.0, 0.97, 1.03, 20)},
            "drawn pixels are as soft": {"drawn": Interval(0.6, 0.55, 0.65, 20)},
            "the detector does not see blur": {"blurred": Interval(1.1, 1.0, 1.2, 20)},
            "the detector tells test digits from test digits": {"again": Interval(1.4, 1.3, 1.5, 20)},
            "the toy does not keep to the formula": {"agrees": Interval(0.5, 0.4, 0.6, 100)},
            "the toy is sharp without a code": {"grey": Interval(0.1, 0.05, 0.15, 40)},
        },
        undecided={
            "one training": {"decoded": Interval(0.56, float("-inf"), float("inf"), 1)},
            "drawn pixels near the limit": {"drawn": Interval(0.92, 0.85, 0.99, 20)},
        },
    ),
    "GA5": World(
        true={
            "behind": each(LOSSES, ALL),
            "ahead": each(LOSSES, ALL),
            "behind_alone": each(SIZES, ALL),
            "ahead_alone": each(SIZES, ALL),
        },
        false={
            f"{name}: no harm with {other}": {name: but(others, other, NONE)}
            for name, others in {"behind": LOSSES, "behind_alone": SIZES, "ahead": LOSSES, "ahead_alone": SIZES}.items()
            for other in others
        },
        undecided={"a slow judge does harm in half of the seeds": {"behind": but(LOSSES, "original", HALF)}},
    ),
    "GA6": World(
        true={
            "found_out": ALL,
            "bad": ALL,
            "missed": share(0.85, 0.64, 0.95),
            "ahead_strong": Interval(0.02, 0.01, 0.04, 20),
            "good_strong": Interval(0.43, 0.39, 0.47, 20),
        },
        false={
            "nobody sees a difference: the samples are data": {"found_out": NONE},
            "the samples are good": {"bad": NONE},
            "the weak judge sees it too": {"missed": NONE},
            "whoever is trained later is ahead": {"ahead_strong": Interval(0.3, 0.25, 0.35, 20)},
            "the other one takes its chance": {"ahead_strong": Interval(-0.3, -0.35, -0.25, 20)},
            "nothing comes of strong judges either": {"good_strong": Interval(0.0, -0.01, 0.01, 20)},
        },
        undecided={"missed in half of the seeds": {"missed": HALF}},
    ),
    "GA7": World(
        true={
            "taken": each(STARTS, ALL),
            "outside": each(STARTS, ALL),
            "far": each(STARTS, Interval(3.2, 3.0, 3.4, 20)),
            "inside_digits": Interval(0.89, 0.88, 0.91, 20),
        },
        false={
            "from one start D cannot be climbed": {"taken": but(STARTS, "noise", NONE)},
            "from one start digits come out": {"outside": but(STARTS, "samples", NONE)},
            "digits moved a little": {
                "far": {"noise": Interval(3.2, 3.0, 3.4, 20), "digits": Interval(1.1, 1, 1.2, 20)}
            },
            "the witness sees no digits at all": {"inside_digits": Interval(0.02, 0.01, 0.03, 20)},
        },
        undecided={"from one start in half of the seeds": {"taken": but(STARTS, "digits", share(0.8, 0.58, 0.92))}},
    ),
    "GA8": World(
        true={
            "plain": {"ring": share(0.75, 0.53, 0.89), "grid": share(0.95, 0.76, 0.99)},
            "recipe": each(("ring", "grid"), NONE),
        },
        false={
            "the plain game loses few on the ring": {
                "plain": {"ring": share(0.35, 0.3, 0.4), "grid": share(0.95, 0.76, 0.99)}
            },
            "the plain game loses few on the grid": {
                "plain": {"ring": share(0.75, 0.53, 0.89), "grid": share(0.35, 0.3, 0.4)}
            },
            "the recipe loses more on the ring": {
                "recipe": {"ring": ALL, "grid": NONE},
                "plain": {"ring": share(0.6, 0.53, 0.7), "grid": ALL},
            },
            "the recipe loses more on the grid": {
                "recipe": {"ring": NONE, "grid": ALL},
                "plain": {"ring": ALL, "grid": share(0.6, 0.53, 0.7)},
            },
            "the recipe loses all modes always": {
                "recipe": {"ring": share(1.0, 0.99, 1.0), "grid": share(1.0, 0.99, 1.0)}
            },
        },
        undecided={
            "few runs": {"plain": {"ring": share(0.6, 0.3, 0.85), "grid": ALL}},
            "the recipe does as the plain game": {"recipe": {"ring": share(0.75, 0.53, 0.89), "grid": NONE}},
        },
    ),
}
