"""The dilations 1, 2, 4, … of the smallest causal stack that sees `context` samples."""

from __future__ import annotations

import torch

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def dilations_for_context(context: int, kernel_size: int = 2) -> list:
    """The dilations 1, 2, 4, … of the smallest causal stack that sees `context` samples.

    A stack sees 1 + Σ (kernel_size - 1)·d samples, the present one included, and here
    that must be at least `context`. Each dilation is twice the one before.
    context: at least 1; kernel_size: at least 2.
    Returns a list with the dilation of each layer, as few layers as will do.
    """
    dilations = []
    while 1 + (kernel_size - 1) * sum(dilations) < context:
        dilations.append(2 ** len(dilations))
    return dilations


def _stacks(results):
    for r in results:
        if r.value is not None and r.value.dim() == 1:
            context, kernel_size = (r.case.arguments + (2,))[:2]
            yield (
                r.value,
                1 + (kernel_size - 1) * r.value.sum().item(),
                context,
                len(r.expected),
            )


exercise = Exercise(
    dilations_for_context,
    minutes=7,
    difficulty="easy",
    hints=(
        "Begin with no layers: such a stack sees one sample. Is that enough? If not, add "
        "a layer and ask again.",
        "The receptive field is 1 + (k - 1) · (the sum of the dilations), and each "
        "dilation is twice the one before.",
        "`while 1 + (kernel_size - 1) * sum(dilations) < context:` append the next power "
        "of two.",
    ),
    cases=tuple(
        Case(context, kernel_size)
        for context, kernel_size in (
            (16, 2),
            (17, 2),
            (2, 2),
            (3, 2),
            (4, 2),
            (5, 2),
            (1000, 2),
            (1024, 2),
            (1025, 2),
            (1, 2),
            (3, 3),
            (4, 3),
            (7, 3),
            (8, 3),
            (200, 3),
            (63, 3),
            (64, 3),
            (46, 4),
            (47, 4),
            (4, 4),
            (61, 5),
            (62, 5),
            (3, 5),
            (8000, 2),
            (8000, 7),
            (integer(30, 2000, seed=7), 2),
            (integer(30, 2000, seed=8), integer(3, 9, seed=9)),
        )
    )
    + (Case(4), Case(300)),
    mistakes=(
        Mistake(
            "an exact fit is not enough",
            "< context",
            "<= context",
            "One layer too many where the stack fits the context exactly. Is the present "
            "sample counted, and is seeing exactly `context` samples enough?",
        ),
        Mistake(
            "the first dilation is 2",
            "2 ** len(dilations)",
            "2 ** (len(dilations) + 1)",
            "The dilations start at 2: the first layer has dilation 1, or it skips every "
            "other sample.",
        ),
        Mistake(
            "the dilations grow by one",
            "2 ** len(dilations)",
            "len(dilations) + 1",
            "The dilations grow 1, 2, 3, …: each is to be twice the one before.",
        ),
        Mistake(
            "no dilation",
            "2 ** len(dilations)",
            "1",
            "All dilations are 1: the context grows by the same amount with every layer. "
            "Doubling them makes it grow exponentially.",
        ),
        Mistake(
            "the kernel size is ignored",
            "(kernel_size - 1) * ",
            "",
            "Right for kernels of two taps only: a wider kernel reaches further, so "
            "fewer layers will do.",
        ),
        Mistake(
            "k taps taken for k gaps",
            "(kernel_size - 1) * ",
            "kernel_size * ",
            "Too few layers: each reaches (k - 1)·d back, not k·d. Between k taps there "
            "are k - 1 gaps.",
        ),
        Mistake(
            "only the widest layer counts",
            "sum(dilations)",
            "max(dilations, default=0)",
            "Too many layers: only the widest one is counted, but the reaches of all "
            "layers add.",
        ),
        Mistake(
            "powers of the kernel size",
            "2 ** len(dilations)",
            "kernel_size ** len(dilations)",
            "The dilations are powers of the kernel size. That is a stack without "
            "overlaps; here each dilation doubles.",
        ),
        Mistake(
            "the last layer is missing",
            "return dilations",
            "return dilations[:-1]",
            "One layer too few: the stack stops before it sees the whole context. The "
            "last layer may overshoot.",
        ),
        Mistake(
            "one layer too many",
            "return dilations",
            "return dilations + [2 ** len(dilations)]",
            "Always one layer too many: as few as will do are asked for.",
        ),
        Mistake(
            "the present is counted twice",
            "while 1 +",
            "while 2 +",
            "One layer too few where the stack falls short by a single sample: the "
            "present one counts once.",
        ),
        Mistake(
            "the last dilation is cut to fit",
            "    return dilations",
            "    if dilations:\n        dilations[-1] = -(-(context - 1) // (kernel_size "
            "- 1)) - sum(dilations[:-1])\n    return dilations",
            "The last dilation is made smaller so that the context fits exactly. Each is "
            "to be twice the one before, and the stack may see more than it must.",
        ),
        Mistake(
            "from the widest to the first",
            "return dilations",
            "return dilations[::-1]",
            "The dilations are the right ones, in reverse order: the first layer has "
            "dilation 1.",
        ),
    ),
    symptoms=(
        Symptom(
            "a list is due",
            lambda results: any(
                r.value is not None and r.value.dim() != 1 for r in results
            ),
            "A list is asked for, with the dilation of each layer.",
        ),
        Symptom(
            "the dilations do not double",
            lambda results: any(
                not stack.equal(2 ** torch.arange(len(stack)).double())
                for stack, _, _, _ in _stacks(results)
            ),
            "The dilations are not 1, 2, 4, …: the first is 1, and each one is twice the "
            "one before.",
        ),
        Symptom(
            "the context is not covered",
            lambda results: any(seen < context for _, seen, context, _ in _stacks(results)),
            "Some stacks do not see the whole context: too few layers.",
        ),
        Symptom(
            "too many layers",
            lambda results: any(
                len(stack) > fewest for stack, _, _, fewest in _stacks(results)
            ),
            "Some stacks have more layers than they need: stop as soon as the context is "
            "covered.",
        ),
    ),
)
