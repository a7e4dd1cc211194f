"""Worlds for the claims of chapter 04."""

from gencourse.metrics import Interval
from worlds import World


def known(value, half=0.05):
    """A number with an interval around it."""
    return Interval(value, value - half, value + half, 20)


WORLDS = {
    "GA1": World(
        true={"passes": [1, 1, 1], "rows": [1, 10, 1000], "textbook": 784, "differing": 0, "alike": 0},
        false={
            "a pass for each image": {"passes": [1, 10, 1000]},
            "a draw that throws some away": {"rows": [2, 20, 2000]},
            "the counter does not count": {"textbook": 1},
            "chance inside the generator": {"differing": 300},
            "the generator ignores the noise": {"alike": 9},
        },
    ),
    "GA2": World(
        true={"turns": 200, "moved": 200, "still": 0, "disturbed": 0, "disturbed_in_fit": 0, "careless": 200},
        false={
            "a turn that does nothing": {"moved": 199},
            "turns that nobody counted": {"turns": 100},
            "a layer that is never trained": {"still": 1},
            "the other one moves as well": {"disturbed": 3},
            "the other one moves in fit_gan": {"disturbed_in_fit": 1},
            "a change would not be seen": {"careless": 0},
        },
    ),
    "GA3": World(
        true={
            "error": known(0.03, 0.01),
            "calibration": known(0.01, 0.005),
            "off": known(0.004, 0.002),
            "early": known(0.7),
        },
        false={
            "a discriminator that is too weak": {"error": known(0.2)},
            "an order without probabilities": {"calibration": known(0.1, 0.02)},
            "another divergence": {"off": known(0.1, 0.02)},
            "sixteen steps do as well": {"early": known(0.03, 0.01)},
        },
        undecided={"seeds differ": {"error": known(0.045, 0.02)}, "one seed": {"off": Interval(0.004, -9, 9, 1)}},
    ),
    "GA4": World(
        true={
            "generator": known(-0.6),
            "vae": known(0.0),
            "pixelcnn": known(0.0),
            "modes": [known(0.1, 0.3), known(0.0, 0.3)],
            "good": [known(-0.1, 0.3), known(0.1, 0.3)],
        },
        false={
            "the generator's loss is as good as a clock": {"generator": known(0.0)},
            "a bound says nothing": {"vae": known(-0.5)},
            "a likelihood says nothing": {"pixelcnn": known(-0.5)},
            "it tells lost modes on the ring": {"modes": [known(0.9), known(0.0)]},
            "it tells lost modes on the grid": {"modes": [known(0.0), known(0.9)]},
            "it tells good samples on the ring": {"good": [known(0.9), known(0.0)]},
            "it tells good samples on the grid": {"good": [known(0.0), known(0.9)]},
        },
        undecided={
            "too few runs": {"modes": [known(0.4, 0.4), known(0.0)]},
            "the generator is hardly worse": {"generator": known(-0.2, 0.2)},
        },
    ),
}
