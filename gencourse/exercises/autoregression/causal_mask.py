"""The mask of an autoregressive convolution: 1 where the kernel may look, else 0."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def causal_mask(kernel_size: int, kind: str) -> Tensor:
    """The mask of an autoregressive convolution: 1 where the kernel may look, else 0.

    The kernel's centre lies on the pixel that is computed. It may look at the pixels that
    come before in reading order; kind "B" may look at the centre too, kind "A" may not.
    kernel_size: an odd number. Returns a tensor (kernel_size, kernel_size), top row first.
    """
    mask = torch.zeros(kernel_size, kernel_size)
    centre = kernel_size // 2
    mask[:centre] = 1
    mask[centre, :centre] = 1
    if kind == "B":
        mask[centre, centre] = 1
    return mask


def _masks(results):
    """(mask, position of the centre in reading order, kind) of each square answer."""
    for r in results:
        if r.value is not None and r.value.shape == r.expected.shape:
            yield r.value.flatten(), r.value.numel() // 2, r.case.arguments[1]


exercise = Exercise(
    causal_mask,
    minutes=8,
    difficulty="easy",
    hints=(
        "Pixels are written like text: row by row, from left to right. Which cells of "
        "the kernel were written before the centre?",
        "All rows above the centre, whole; and in the centre's own row, what stands to "
        "its left. The kind decides about one cell only.",
        "Start from `torch.zeros(kernel_size, kernel_size)` and let `c = kernel_size // "
        "2`. Two assignments with slices, `mask[:c]` and `mask[c, :c]`, and one more for "
        "type B.",
    ),
    cases=tuple(
        Case(size, kind)
        for size in (3, 5, 7, 1, 9, 13, 2 * integer(7, 12, seed=1) + 1)
        for kind in "AB"
    ),
    mistakes=(
        Mistake(
            "a type A mask shows the centre",
            'if kind == "B":',
            "if True:",
            "The centre pixel sees itself: a type A mask hides it. In the first layer "
            "the centre is the very pixel that is to be predicted.",
        ),
        Mistake(
            "a type B mask hides the centre",
            'if kind == "B":',
            "if False:",
            "A type B mask hides the centre too. From the second layer on the centre "
            "holds features of earlier pixels only, and must be seen.",
        ),
        Mistake(
            "the kinds are swapped",
            'kind == "B"',
            'kind == "A"',
            "The two kinds have changed places: type A is the strict one, for the first "
            "layer.",
        ),
        Mistake(
            "the mask is transposed",
            "return mask",
            "return mask.T",
            "The mask is transposed: it looks at the columns to the left, where it must "
            "look at the rows above.",
        ),
        Mistake(
            "past and future swapped",
            "return mask",
            "return mask.flip(0, 1)",
            "The mask is turned by 180°: it sees what comes after the centre, and hides "
            "what came before.",
        ),
        Mistake(
            "the mask is inverted",
            "return mask",
            "return 1 - mask",
            "Ones and zeros have changed places: 1 stands for what may be seen.",
        ),
        Mistake(
            "the rows below are seen",
            "mask[:centre] = 1",
            "mask[centre + 1:] = 1",
            "The rows below the centre are open and those above are closed: the first "
            "row of a mask is the upper one.",
        ),
        Mistake(
            "the right is seen instead of the left",
            "mask[centre, :centre]",
            "mask[centre, centre + 1:]",
            "In the centre's own row the mask looks to the right: those pixels are not "
            "written yet.",
        ),
        Mistake(
            "the whole centre row is seen",
            "mask[centre, :centre] = 1\n"
            '    if kind == "B":\n'
            "        mask[centre, centre] = 1",
            'mask[centre] = 1\n    if kind == "A":\n        mask[centre, centre] = 0',
            "The centre's whole row is open: what stands to the right of the centre is "
            "not written yet.",
        ),
        Mistake(
            "the left of the centre is hidden",
            "    mask[centre, :centre] = 1\n",
            "",
            "The pixels to the left in the centre's own row are hidden, though they come "
            "before it.",
        ),
        Mistake(
            "the row just above is hidden",
            "mask[:centre] = 1",
            "mask[:max(centre - 1, 0)] = 1",
            "The row just above the centre is hidden: a slice ends before its end, so "
            "`mask[:c]` stops above row c.",
        ),
        Mistake(
            "the upper right is hidden",
            "mask[:centre] = 1",
            "mask[:centre, :centre + 1] = 1",
            "In the rows above, what stands to the right of the centre's column is "
            "hidden. Those rows are written already, whole.",
        ),
    ),
    symptoms=(
        Symptom(
            "something else than 0 and 1",
            lambda results: any(
                ((mask != 0) & (mask != 1)).any() for mask, _, _ in _masks(results)
            ),
            "A mask holds 0 and 1 only: the kernel is multiplied by it.",
        ),
        Symptom(
            "the future is seen",
            lambda results: any(
                mask[centre + 1 :].any() for mask, centre, _ in _masks(results)
            ),
            "The mask lets the kernel see pixels that come after the centre in reading "
            "order: to its right in its own row, or in a row below.",
        ),
        Symptom(
            "a type A mask shows the centre",
            lambda results: any(
                mask[centre] for mask, centre, kind in _masks(results) if kind == "A"
            ),
        ),
        Symptom(
            "some of the past is hidden",
            lambda results: any(
                not mask[:centre].all() for mask, centre, _ in _masks(results)
            ),
            "No future is seen, but some cells that come before the centre in reading "
            "order are hidden too: the kernel may see all of them, at every kernel size.",
        ),
        Symptom(
            "a type B mask hides the centre",
            lambda results: any(
                not mask[centre] for mask, centre, kind in _masks(results) if kind == "B"
            ),
        ),
    ),
)
