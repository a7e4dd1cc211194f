"""Worlds for the claims of chapter 03."""

from gencourse.metrics import Interval
from worlds import World


def about(value, half):
    """An interval of this half width about a value."""
    return Interval(value, value - half, value + half, 10)


WORLDS = {
    "VA1": World(
        true={
            "distance": 0.9,
            "other": 38.0,
            "by_mean": about(1.0, 0.01),
            "by_log_var": about(1.01, 0.02),
            "plain": Interval(5000, 700, 150_000, 12),
            "baseline": Interval(6, 3.5, 17, 12),
        },
        false={
            "c has another distribution": {"distance": 20.0},
            "exp(σ) has the same distribution": {"other": 1.0},
            "the gradient by m is half of it": {"by_mean": about(0.5, 0.01)},
            "σ is cut off from the gradient": {"by_log_var": about(0.0, 0.01)},
            "the score function varies less": {"plain": about(0.5, 0.1)},
            "with a baseline it varies as much": {"baseline": about(0.9, 0.05)},
        },
        undecided={
            "too few draws for the gradient": {"by_log_var": about(1.0, 0.2)},
            "digits differ": {"baseline": Interval(2, 0.5, 9, 12)},
        },
    ),
    "VA2": World(
        true={"off": 1e-9, "spread": 11.0, "lowest": 0.005, "step": 0.01},
        false={
            "the formula is the KL": {"off": 1.0},
            "it is a multiple for the other noise": {"spread": 1.0},
            "it is lowest elsewhere": {"lowest": 0.3},
            "the grid is finer than what was found": {"step": 0.001},
        },
    ),
    "VA3": World(
        true={
            "share": about(0.0001, 0.00005),
            "harm": about(0.001, 0.002),
            "late": about(-0.4, 0.05),
            "share_kl": about(0.165, 0.003),
            "harm_kl": about(3.9, 0.1),
        },
        false={
            "noise stays": {"share": about(0.05, 0.01)},
            "what noise is left does harm": {"harm": about(0.5, 0.1)},
            "it grows at the end": {"late": about(0.3, 0.1)},
            "the KL keeps none": {"share_kl": about(0.001, 0.0005)},
            "with the KL it does no harm either": {"harm_kl": about(0.1, 0.1)},
        },
        undecided={
            "one seed": {"share": Interval(0.0001, float("-inf"), float("inf"), 1)},
            "seeds differ": {"late": about(-0.1, 0.3)},
        },
    ),
    "VA4": World(
        true={
            "fall": about(2.2, 0.05),
            "centre": about(0.05, 0.01),
            "together": about(1.3, 0.05),
            "alone": about(0.9, 0.1),
            "silent": 0.99,
        },
        false={
            "the codes are as far with the KL": {"fall": about(0.1, 0.05)},
            "their mean stays away": {"centre": about(0.9, 0.1)},
            "together they are too wide": {"together": about(4.0, 0.5)},
            "for one image σ is far below 0": {"alone": about(0.035, 0.001)},
            "the detector never sees a variance of one": {"silent": 0.02},
        },
        undecided={"seeds differ": {"together": about(1.4, 0.2)}},
    ),
    "VA5": World(
        true={
            "lead_vae": about(0.5, 0.05),
            "lead_gated": about(0.4, 0.05),
            "turn_vae": about(0.4, 0.05),
            "turn_gated": about(0.3, 0.05),
            "shuffled": 0.02,
            "planted": 2.5,
        },
        false={
            "two dimensions share it": {"lead_vae": about(0.02, 0.02)},
            "another VAE shares it": {"lead_gated": about(0.02, 0.02)},
            "any direction tells as much": {"turn_vae": about(0.0, 0.05)},
            "any direction of another VAE does": {"turn_gated": about(0.0, 0.05)},
            "a shuffled code tells as much": {"shuffled": 0.5},
            "a planted dimension is not found": {"planted": 0.1},
        },
        undecided={"too few images": {"lead_gated": about(0.15, 0.1)}},
    ),
    "VA6": World(
        true={
            "identity": 1e-5,
            "excess": -0.001,
            "bracket": 1.5,
            "climbed": about(450.0, 3.0),
            "ten": about(2.9, 0.1),
            "sixty": about(1.1, 0.05),
        },
        false={
            "something is missing between them": {"identity": 0.3},
            "it lies above log P(x) somewhere": {"excess": 0.1},
            "another term would do as well": {"bracket": 0.0},
            "training lowers it": {"climbed": about(-5.0, 1.0)},
            "ten draws bring nothing": {"ten": about(-0.2, 0.1)},
            "sixty draws bring nothing more": {"sixty": about(-0.2, 0.1)},
        },
        undecided={"too few images": {"sixty": about(0.1, 0.3)}},
    ),
    "VA7": World(
        true={
            "gaussian_near": about(0.001, 0.001),
            "gaussian_far": about(4.1, 0.2),
            "coins_near": about(0.005, 0.02),
            "coins_far": about(51.0, 4.0),
            "shrinks": 0.3,
        },
        false={
            "Gaussians have another limit": {"gaussian_near": about(0.3, 0.01)},
            "four Gaussians are as good": {"gaussian_far": about(0.1, 0.05)},
            "coin flips have another limit": {"coins_near": about(1.5, 0.3)},
            "sixteen are as good": {"coins_far": about(2.0, 1.0)},
            "more components lead away": {"shrinks": 1.4},
        },
        undecided={"too few images": {"coins_near": about(0.02, 0.1)}},
    ),
}
