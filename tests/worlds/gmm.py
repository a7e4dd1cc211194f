"""Worlds for the claims of chapter 02."""

from gencourse.metrics import Interval
from worlds import World

ZERO, LARGE, UNCLEAR = (
    Interval(0.0001, -0.0006, 0.0008, 10),
    Interval(0.0121, 0.0113, 0.0129, 10),
    Interval(0.0018, 0.0011, 0.0025, 10),
)

WORLDS = {
    "GM1": World(
        true={"plain": ZERO, "tilted": ZERO, "near": LARGE},
        false={
            "the draws have another density": {"plain": LARGE},
            "the draws are too even": {"plain": Interval(-0.0060, -0.0066, -0.0054, 10)},
            "of elliptic components, only round ones are drawn": {"tilted": LARGE},
            "one draw in twenty is not seen": {"near": ZERO},
        },
        undecided={
            "the distance may be chance": {"plain": UNCLEAR},
            "so may that of elliptic ones": {"tilted": UNCLEAR},
            "the control may be chance": {"near": UNCLEAR},
        },
    ),
    "GM2": World(
        true={"lowest": -4e-16, "rounding": 5e-16, "control": 0.9},
        false={
            "a step goes down": {"lowest": -1e-6},
            "by more than rounding explains": {"rounding": 1e-19},
            "a wrong step is not noticed": {"control": 0.1},
        },
    ),
    "GM3": World(
        true={
            "less": Interval(6.1, 6.0, 6.2, 5),
            "more": Interval(1.45, 1.4, 1.5, 5),
            "crossing": Interval(0.6, 0.5, 0.7, 5),
            "clusters": Interval(8.0, 6.9, 9.1, 5),
        },
        false={
            "with as few numbers a mixture is as good": {"less": Interval(0.1, 0.0, 0.2, 5)},
            "with many it is, once its search is no burden": {"more": Interval(0.2, 0.1, 0.3, 5)},
            "the code is better where parts do not add up, too": {"crossing": Interval(-0.4, -0.5, -0.3, 5)},
            "and where there are none": {"clusters": Interval(-1.0, -1.2, -0.8, 5)},
        },
        undecided={
            "the draws differ by more than the models": {"less": Interval(1.0, -0.5, 2.5, 5)},
            "half of the price may be search": {"more": Interval(0.6, 0.4, 0.8, 5)},
            "where parts do not add up, both are alike": {"crossing": Interval(0.0, -0.1, 0.1, 5)},
            "clusters differ too much": {"clusters": Interval(1.0, -1.0, 3.0, 5)},
        },
    ),
}
