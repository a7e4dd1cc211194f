"""Worlds for the claims of chapter 00."""

from worlds import World

WORLDS = {
    "ST1": World(
        true={"farthest": 0.0025, "step": 0.005, "flipped": 0.6},
        false={
            "the likeliest p is elsewhere": {"farthest": 0.01},
            "the grid is finer than what was found": {"step": 0.001},
            "heads and tails cannot be told apart": {"flipped": 0.004},
        },
    ),
}
