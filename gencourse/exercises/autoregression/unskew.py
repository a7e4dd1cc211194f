"""Shift each row back to the left by its number: what `skew` did is undone."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.autoregression.shared import images_of
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake


def unskew(y: Tensor, width: int) -> Tensor:
    """Shift each row back to the left by its number: what `skew` did is undone.

    y: (B, C, H, width + H - 1). Row i of the image starts at column i. The other columns
    hold anything, not only zeros (a network has worked on them), and are dropped.
    Returns (B, C, H, width).
    """
    height = y.shape[2]
    return torch.stack([y[:, :, i, i : i + width] for i in range(height)], dim=2)


exercise = Exercise(
    unskew,
    minutes=5,
    difficulty="easy",
    hints=(
        "Undo what `skew` did: row i starts at column i. Where does it end?",
        "A row of the result is a slice of `width` columns of the skewed row. Whatever "
        "else stands in that row is dropped, zero or not.",
        "`y[:, :, i, i:i + width]` is row i. Put all of them together with "
        "`torch.stack(…, dim=2)`.",
    ),
    cases=(
        Case(images_of(1, 1, 3, 6), 4),
        Case(images_of(2, 3, 4, 7), 4),
        Case(images_of(1, 2, 5, 6), 2),
        Case(images_of(3, 1, 1, 6), 6),
        Case(images_of(2, 2, 2, 8), 7),
        Case(images_of(1, 1, 6, 6), 1),
    ),
    mistakes=(
        Mistake(
            "the rows are not shifted back",
            "i : i + width]",
            ":width]",
            "The first columns of every row are kept: row i starts at column i.",
        ),
        Mistake(
            "shifted the wrong way",
            "i : i + width]",
            "height - 1 - i:height - 1 - i + width]",
            "The image leans the other way: here the last row is the one that was "
            "shifted most.",
        ),
        Mistake(
            "the last columns are kept",
            "i : i + width]",
            "-width:]",
            "The last columns of every row are kept: only the last row stands there.",
        ),
        Mistake(
            "shifted one column too little",
            "i : i + width]",
            "max(i - 1, 0):max(i - 1, 0) + width]",
            "Rows from the second on are shifted one column too little.",
        ),
        Mistake(
            "skewed once more",
            "return torch.stack([y[:, :, i, i : i + width] for i in range(height)], dim=2)",
            "z = y.new_zeros(*y.shape[:3], y.shape[3] + height - 1)\n"
            "    for i in range(height):\n"
            "        z[:, :, i, i:i + y.shape[3]] = y[:, :, i]\n"
            "    return z",
            "The rows are shifted to the right once more: the result is even wider.",
        ),
        Mistake(
            "the padding is kept",
            "i : i + width] for i",
            ":].roll(-i, -1) for i",
            "The rows are shifted back, but the result is as wide as the skewed image: "
            "keep the first `width` columns.",
        ),
        Mistake(
            "rows and channels change places",
            "dim=2",
            "dim=1",
            "The rows are the right ones, but they are stacked along the axis of the "
            "channels: rows are axis 2.",
        ),
        Mistake(
            "one column too few",
            "i : i + width]",
            "i:i + width - 1]",
            "One column is missing at the right: a slice ends before its end.",
        ),
        Mistake(
            "the rows are in reverse order",
            "for i in range(height)]",
            "for i in reversed(range(height))]",
            "The rows are the right ones, but the image is upside down.",
        ),
    ),
)
