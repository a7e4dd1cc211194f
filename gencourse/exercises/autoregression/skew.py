"""Shift each row of an image to the right by its number: a diagonal becomes a column."""

from __future__ import annotations

from torch import Tensor

from gencourse.exercises.autoregression.shared import images_of
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake


def skew(x: Tensor) -> Tensor:
    """Shift each row of an image to the right by its number: a diagonal becomes a column.

    x: (B, C, H, W). Row 0 stays where it is, row i starts at column i; zeros elsewhere.
    Returns (B, C, H, W + H - 1).
    """
    batch, channels, height, width = x.shape
    y = x.new_zeros(batch, channels, height, width + height - 1)
    for i in range(height):
        y[:, :, i, i : i + width] = x[:, :, i]
    return y


exercise = Exercise(
    skew,
    minutes=8,
    difficulty="medium",
    hints=(
        "Draw a 3×4 image on paper and shift row i by i to the right. How wide must the "
        "paper be for the last row?",
        "Start from zeros of shape (B, C, H, W + H - 1) and write one row at a time.",
        "Row i of the image goes to the columns from i to i + W of row i of the result: "
        "`y[:, :, i, i:i + W] = …`.",
    ),
    cases=(
        Case(images_of(1, 1, 3, 4)),
        Case(images_of(2, 3, 4, 4)),
        Case(images_of(1, 2, 5, 2)),
        Case(images_of(3, 1, 1, 6)),
        Case(images_of(2, 2, 2, 7)),
        Case(images_of(1, 1, 6, 1)),
    ),
    mistakes=(
        Mistake(
            "shifted to the left",
            "y[:, :, i, i : i + width]",
            "y[:, :, i, height - 1 - i:height - 1 - i + width]",
            "The first row is shifted most and the last not at all: the image leans the "
            "other way.",
        ),
        Mistake(
            "one column too many",
            "width + height - 1",
            "width + height",
            "One column too many: row 0 is not shifted at all, so the last of H rows is "
            "shifted by one less than H.",
        ),
        Mistake(
            "the rows wrap around",
            "    y = x.new_zeros(batch, channels, height, width + height - 1)\n    for i "
            "in range(height):\n        y[:, :, i, i : i + width] = x[:, :, i]\n    "
            "return y",
            "    return torch.stack([x[:, :, i].roll(i, -1) for i in range(height)], "
            "dim=2)",
            "What is shifted out at the right comes back in at the left: the result must "
            "be wider than the image, so that nothing falls off.",
        ),
        Mistake(
            "the rows are not shifted",
            "i : i + width]",
            ":width]",
            "The image is made wider, but its rows stand where they stood: row i must "
            "start at column i.",
        ),
        Mistake(
            "the columns are shifted",
            "y = x.new_zeros(batch, channels, height, width + height - 1)\n    for i in "
            "range(height):\n        y[:, :, i, i : i + width] = x[:, :, i]",
            "y = x.new_zeros(batch, channels, height + width - 1, width)\n"
            "    for i in range(width):\n"
            "        y[:, :, i:i + height, i] = x[:, :, :, i]",
            "The columns are shifted downwards. Here it is the rows that are shifted to "
            "the right.",
        ),
        Mistake(
            "the edges are not zero",
            "    for i",
            "    y += x[:, :, :, -1:]\n    for i",
            "The rows stand right, but the cells beside them are not zero.",
        ),
        Mistake(
            "the rows are mirrored",
            "= x[:, :, i]",
            "= x[:, :, i].flip(-1)",
            "The rows stand in the right columns, but each is written from right to left.",
        ),
        Mistake(
            "the rows are in reverse order",
            "= x[:, :, i]",
            "= x[:, :, height - 1 - i]",
            "The shifts are right, but the image is upside down.",
        ),
        Mistake(
            "only the first channel",
            "y[:, :, i, i : i + width] = x[:, :, i]",
            "y[:, :1, i, i:i + width] = x[:, :1, i]",
            "Only the first channel is shifted: the others are lost.",
        ),
        Mistake(
            "only the first image",
            "y[:, :, i, i : i + width] = x[:, :, i]",
            "y[:1, :, i, i:i + width] = x[:1, :, i]",
            "Only the first image of the batch is shifted: the others are lost.",
        ),
        Mistake(
            "the first image in every place",
            "= x[:, :, i]",
            "= x[:1, :, i]",
            "Every place of the batch holds the first image.",
        ),
    ),
)
