"""How many input samples one output of a stack of causal 1-D convolutions sees."""

from __future__ import annotations

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def receptive_field(kernel_size: int, dilations: list) -> int:
    """How many input samples one output of a stack of causal 1-D convolutions sees.

    dilations: the dilation of each layer, first to last; a plain stack has ones only.
    Every layer has kernel_size taps, the last of them on the present sample, which counts.
    Returns one integer.
    """
    return 1 + sum((kernel_size - 1) * d for d in dilations)


exercise = Exercise(
    receptive_field,
    minutes=6,
    difficulty="easy",
    hints=(
        "One layer of kernel size 2 and dilation 1 sees the present sample and one "
        "before. What does a second such layer add?",
        "The taps of a kernel are `dilation` apart, so a layer reaches further back by "
        "the distance from its first tap to its last. How many gaps are there between k "
        "taps?",
        "Each layer adds (k - 1)·d to what the layers below see. A stack of no layers "
        "sees one sample: the present one.",
    ),
    cases=(
        Case(2, [1, 2, 4, 8]),
        Case(2, [1, 1, 1, 1, 1]),
        Case(3, [1, 2, 4]),
        Case(3, [1, 3, 9, 27]),
        Case(5, [2]),
        Case(2, [1]),
        Case(2, []),
        Case(1, [1, 2, 4]),
        Case(4, [5, 1, 7]),
        Case(2, [1, 2, 4, 8, 1, 2, 4, 8]),
        Case(7, [3, 3]),
        Case(2, [512, 2, 17]),
        Case(integer(3, 9, seed=2), [integer(1, 40, seed=seed) for seed in (3, 4, 5, 6)]),
    ),
    mistakes=(
        Mistake(
            "the present is not counted",
            "return 1 + sum",
            "return sum",
            "Always one too few: the present sample is seen as well, even by a stack of "
            "no layers.",
        ),
        Mistake(
            "k taps taken for k gaps",
            "(kernel_size - 1)",
            "kernel_size",
            "Each layer adds too much: a kernel of k taps has one gap fewer than taps, "
            "and it is the gaps that reach back.",
        ),
        Mistake(
            "the dilation is ignored",
            "(kernel_size - 1) * d",
            "(kernel_size - 1)",
            "Dilations make no difference in your answer. They set the taps of a layer "
            "apart.",
        ),
        Mistake(
            "layers multiplied instead of added",
            "1 + sum((kernel_size - 1) * d for d in dilations)",
            "math.prod(1 + (kernel_size - 1) * d for d in dilations)",
            "The reaches of the layers are multiplied. Each layer reaches back from "
            "where the one below ends: reaches add.",
        ),
        Mistake(
            "only the widest layer counts",
            "sum((kernel_size - 1) * d for d in dilations)",
            "max([(kernel_size - 1) * d for d in dilations] + [0])",
            "Only the widest layer counts in your answer. Layers are stacked: every one "
            "of them reaches further back.",
        ),
        Mistake(
            "the dilations are taken to double",
            "sum((kernel_size - 1) * d for d in dilations)",
            "(kernel_size - 1) * (2 ** len(dilations) - 1)",
            "Right only for dilations 1, 2, 4, …: your answer counts the layers and "
            "never looks at their dilations.",
        ),
        Mistake(
            "the gaps are counted without the taps",
            "(kernel_size - 1) * d",
            "(kernel_size - 1) * (d - 1)",
            "A plain layer (dilation 1) adds nothing in your answer. Neighbouring taps "
            "are `dilation` samples apart, not dilation - 1.",
        ),
        Mistake(
            "both sides are counted",
            "(kernel_size - 1) * d",
            "2 * (kernel_size - 1) * d",
            "Each layer reaches twice too far: a causal layer looks back only, never "
            "ahead.",
        ),
        Mistake(
            "half of the kernel is counted",
            "(kernel_size - 1) * d",
            "(kernel_size - 1) // 2 * d",
            "Each layer reaches half as far as it should, or less. In a centred kernel "
            "half of the taps lie behind; in a causal one all do.",
        ),
        Mistake(
            "the kernel size is ignored",
            "(kernel_size - 1) * d",
            "d",
            "Right for kernels of two taps only: the more taps, the further a layer "
            "reaches.",
        ),
        Mistake(
            "the first kernel is counted twice",
            "return 1 + sum",
            "return kernel_size + sum",
            "Too much, by one kernel less its present sample: without any layer a stack "
            "sees one sample, not a kernel.",
        ),
        Mistake(
            "the present is counted in every layer",
            "return 1 + sum((kernel_size - 1) * d",
            "return sum(1 + (kernel_size - 1) * d",
            "The present sample is counted once a layer: all layers have it in common.",
        ),
        Mistake(
            "equal dilations are counted once",
            "for d in dilations",
            "for d in set(dilations)",
            "Layers of equal dilation are counted once: each of them reaches further "
            "back, however often it is repeated.",
        ),
        Mistake(
            "the last layer is missing",
            "for d in dilations",
            "for d in dilations[:-1]",
            "The last layer does not count in your answer: a slice `[:-1]` or a range "
            "that ends one too early?",
        ),
    ),
    symptoms=(
        Symptom(
            "an empty stack sees nothing",
            lambda results: any(
                r.value is not None and r.value.numel() == 1 and r.value.item() == 0
                for r in results
            ),
            "Your answer for a stack of no layers is 0, but such a stack hands on the "
            "present sample: it sees one.",
        ),
    ),
)
