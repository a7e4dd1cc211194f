"""Two tasks at the end of notebook 06, without a stub: to choose from an unseen board, and to test a new yardstick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import seeded


class Row(NamedTuple):
    """What the unseen board says of one model.

    nats: of a test image, NaN where there is none. kind: "exact", "bound" (an upper one) or "none".
    frechet: distance, over that of real digits. copies: share that looks copied; real digits have 0.01.
    one, batch: milliseconds for a sample drawn alone, and for each of 500.
    """

    nats: float
    kind: str
    frechet: float
    copies: float
    one: float
    batch: float


PURPOSES = {
    "code": "to code test images: the fewest nats that the board proves",
    "film": "24 new pictures a second, each drawn alone: the lowest Fréchet distance among those that can",
    "print": "new digits for a book, at whatever time: the lowest Fréchet distance",
}
_ROWS = {
    "chain": Row(81.2, "exact", 1.8, 0.01, 310.0, 9.0),
    "short chain": Row(86.9, "exact", 13.0, 0.0, 95.0, 4.0),
    "bound": Row(84.4, "bound", 9.5, 0.01, 0.9, 0.02),
    "in one pass": Row(torch.nan, "none", 3.1, 0.01, 1.2, 0.1),
    "in many passes": Row(torch.nan, "none", 1.4, 0.01, 88.0, 0.5),
    "copier": Row(torch.nan, "none", 1.0, 0.62, 0.4, 0.01),
}
_RIGHT = {"code": "chain", "film": "in one pass", "print": "in many passes"}
_COPIER = (
    "More than half of its samples look copied (real digits: 1 %): they are not new, and a low Fréchet distance "
    "cannot say so."
)
_SLOW = "It takes more than 1000 / 24 = 42 milliseconds for a sample drawn alone."
_NO_NATS = "It has no likelihood, so it codes nothing."
_HIGHER = "Another one that can do it has a lower Fréchet distance, and no more copies than real digits."
_WHY = {
    ("code", "short chain"): "Its nats are exact, but another exact figure is lower.",
    ("code", "bound"): "Its true cost may be lower than 84.4, or not: proved are no fewer nats than those 84.4, and "
    "an exact figure of the board is lower.",
    ("film", "chain"): _SLOW,
    ("film", "short chain"): _SLOW,
    ("film", "bound"): _HIGHER,
    ("film", "in many passes"): f"{_SLOW} The time of a batch does not help here.",
    ("print", "chain"): _HIGHER,
    ("print", "short chain"): _HIGHER,
    ("print", "bound"): _HIGHER,
    ("print", "in one pass"): f"{_HIGHER} Time does not count for this purpose.",
    ("film", "copier"): _COPIER,
    ("print", "copier"): _COPIER,
}  # fmt: skip


def unseen_board(seed: int) -> dict[str, Row]:
    """Six models that are not of the notebook, under the letters A to F, dealt by the seed."""
    order = torch.randperm(len(_ROWS), generator=seeded(seed)).tolist()
    rows = list(_ROWS.values())
    return {letter: rows[i] for letter, i in zip("ABCDEF", order)}


def check_choices(board: Mapping[str, Row], answers: Mapping[str, str]) -> list[str]:
    """What is right and what is wrong with {purpose: letter}, and why: a line for each of `PURPOSES`.

    An answer that is empty, or missing, is not attempted. Raises ValueError for a letter that is not on the board.
    """
    makes, lines = {row: make for make, row in _ROWS.items()}, []
    for purpose in PURPOSES:
        letter = answers.get(purpose, "")
        if letter and letter not in board:
            raise ValueError(
                f"{purpose}: {letter!r} is not on the board; expected one of {', '.join(board)}"
            )
        make = makes[board[letter]] if letter else ""
        if not letter:
            lines.append(f"○ {purpose}: not attempted")
        elif make == _RIGHT[purpose]:
            lines.append(f"✓ {purpose}: {letter} is right")
        else:
            lines.append(
                f"✗ {purpose}: not {letter}. {_WHY.get((purpose, make), _NO_NATS)}"
            )
    return lines


def check_floor(
    yardstick: Callable[[Tensor], float],
    reference: Tensor,
    test: Tensor,
    floor: Sequence[Tensor] | None,
    control: Tensor | None,
) -> list[str]:
    """Do these sets make a floor for a yardstick, and does it see this control? A line for each fault, or one line.

    yardstick: images (N, 1, H, W) -> a number. reference: what samples are compared with. test: all test images.
    floor: the reader's sets of real images. control: the reader's images with a fault made on purpose. None: not
    attempted.
    """
    if floor is None or control is None:
        return ["○ not attempted: put your sets for `None`, and run the cell again"]
    rows = {row.numpy().tobytes() for row in reference.flatten(1)}
    real, faults = {row.numpy().tobytes() for row in test.flatten(1)}, []
    shared = [
        sum(row.numpy().tobytes() in rows for row in x.flatten(1)) / len(x) for x in floor
    ]
    strange = [
        sum(row.numpy().tobytes() not in real for row in x.flatten(1)) / len(x)
        for x in floor
    ]
    if len(floor) < 2:
        faults.append(
            "One set has no spread: a floor needs two sets at least, better four."
        )
    if any(len(x) != len(reference) for x in [*floor, control]):
        faults.append(
            f"Every set must have as many images as the reference, {len(reference):,}: many yardsticks change with "
            "the number."
        )
    if max(shared, default=0) > 0.02:
        faults.append(
            "A set of the floor holds images of the reference: compared with itself the reference is too good."
        )
    if max(strange, default=0) > 0.02:
        faults.append(
            "A set of the floor has images that are no test images: training images are of other writers, and models "
            "have seen them."
        )
    if not faults:
        values = [yardstick(x) for x in floor]
        low, high, seen = min(values), max(values), yardstick(control)
        where = f"the floor is {low:.3f} to {high:.3f}, the control {seen:.3f}"
        if low - (high - low) <= seen <= high + (high - low):
            return [
                f"✗ The control is not seen: {where}. Either the fault is too small, or the yardstick is blind to it."
            ]
        return [f"✓ {where}: the yardstick sees this fault"]
    return [f"✗ {fault}" for fault in faults]
