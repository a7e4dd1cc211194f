"""The exercises of notebook 01: from the chain rule to dilations.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .answers import as_numbers
from .common import answer_to, normal, usable
from .core import Case, exercise, seeded, some


def _bits(n: int) -> Tensor:
    return torch.randint(0, 2, (n,), generator=seeded(n), device="cpu")


_WEIGHTS = torch.frac(0.37 * torch.arange(1, 3000, dtype=torch.float64) ** 1.5) + 0.1


def _probability(prefix) -> Tensor:
    """A P(next = 1 | prefix) that depends on every value before, on their order and on how many there are."""
    prefix = torch.as_tensor(prefix).reshape(-1).double()
    t = len(prefix)
    return (0.15 + 0.7 * torch.frac(0.41 + 0.23 * t + _WEIGHTS[:t] @ prefix)).float()


# 1

@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "log P(x) is a sum with one term a value. Write the loop over t, from the first value to the last.",
        "`x[:t]` is what comes before x[t]; for t = 0 it is empty. `conditional(x[:t])` is the probability "
        "of a 1 at t. What is the probability of a 0?",
        "In the loop: `p = conditional(x[:t])`, then add `math.log(p)` if x[t] is 1, and `math.log(1 - p)` "
        "if it is 0.",
    ),
    cases=(
        Case(torch.tensor([1]), _probability),
        Case(torch.tensor([0]), _probability),
        Case(torch.tensor([0, 1]), _probability),
        Case(torch.tensor([1, 1, 0, 1]), _probability),
        Case(torch.zeros(6, dtype=torch.int64), _probability),
        Case(torch.ones(7, dtype=torch.int64), _probability),
        Case(_bits(9), _probability, label="a 3×3 image"),
        Case(_bits(1100), _probability, label="1,100 values"),
    ),
)
def chain_rule_log_prob(x: Tensor, conditional) -> float:
    """The log-likelihood of a sequence of zeros and ones by the chain rule, in nats.

    x: (D,) integers, 0 or 1.
    conditional(prefix): takes the t values before, a tensor (t,), and gives
    P(x[t] = 1 | x[:t]), a tensor of shape (), strictly between 0 and 1.
    Returns one number, log P(x): a float or a tensor of shape ().
    """
    log_prob = 0.0
    for t in range(len(x)):
        p = conditional(x[:t])
        log_prob += math.log(p if x[t] == 1 else 1 - p)
    return log_prob


chain_rule_log_prob.mistake(
    "the prefix holds the present", "p = conditional(x[:t])", "p = conditional(x[:t + 1])",
    "The value that is to be predicted is already in the prefix: what is conditioned on must end just "
    "before t.")
chain_rule_log_prob.mistake(
    "zeros counted as ones", "p if x[t] == 1 else 1 - p", "p",
    "Each value contributes the probability of a 1, even where it is 0. What counts is the probability of "
    "what is there.")
chain_rule_log_prob.mistake(
    "zeros and ones swapped", "x[t] == 1", "x[t] == 0",
    "`conditional` gives the probability of a 1; your answer uses it for the zeros.")
chain_rule_log_prob.mistake(
    "the product underflows", "return log_prob", "return torch.tensor(log_prob).exp().log()",
    "Short sequences come out right, long ones do not: a product of so many probabilities is too small for "
    "a floating-point number and becomes 0. Take the logarithm of each factor, then add.")
chain_rule_log_prob.mistake(
    "the mean in place of the sum", "return log_prob", "return log_prob / len(x)",
    "This is the mean over the values. The probability of the whole is a product, so its logarithm is a "
    "sum.")
chain_rule_log_prob.mistake(
    "bits instead of nats", "math.log(p", "math.log2(p",
    "These are bits: the logarithm to base 2. Nats come from the natural logarithm.")
chain_rule_log_prob.mistake(
    "the sign is turned", "log_prob += math", "log_prob -= math",
    "This is the negative log-likelihood, a loss. The log-likelihood itself is asked for: the logarithm of "
    "a probability is never above 0.")
chain_rule_log_prob.mistake(
    "the first factor is missing", "range(len(x))", "range(1, len(x))",
    "The first value contributes nothing. It has a probability too: that of x[0] after an empty prefix.")
chain_rule_log_prob.mistake(
    "the last factor is missing", "range(len(x))", "range(len(x) - 1)",
    "The last value contributes nothing: the loop ends one step early.")
chain_rule_log_prob.mistake(
    "the prefix is always empty", "conditional(x[:t])", "conditional(x[:0])",
    "Every value is predicted from nothing, as if they were independent. Show `conditional` the values "
    "before.")
chain_rule_log_prob.mistake(
    "only the last value is in the prefix", "conditional(x[:t])", "conditional(x[max(t - 1, 0):t])",
    "Each value is predicted from the one just before: a Markov chain. The chain rule conditions on all of "
    "them.")
chain_rule_log_prob.mistake(
    "the prefix ends too early", "conditional(x[:t])", "conditional(x[:max(t - 1, 0)])",
    "The value just before t is not in the prefix: in Python `x[:t]` ends before t by itself.")
chain_rule_log_prob.mistake(
    "the whole of x is shown", "conditional(x[:t])", "conditional(x)",
    "Each value is predicted from the whole of x, itself and its future included. That is no product of "
    "conditionals.")
chain_rule_log_prob.mistake(
    "the future is shown", "conditional(x[:t])", "conditional(x[t + 1:])",
    "What is handed over comes after t, not before: `x[:t]` is the beginning of x.")
chain_rule_log_prob.mistake(
    "the prefix is reversed", "conditional(x[:t])", "conditional(x[:t].flip(0))",
    "The prefix is handed over back to front: its first value must come first.")
chain_rule_log_prob.mistake(
    "no logarithm", "return log_prob", "return math.exp(log_prob)",
    "This is the probability itself; its logarithm is asked for.")


@chain_rule_log_prob.symptom("the product underflows", errors_too=True)
def _(results):
    *short, long = results
    return all(r.right for r in short) and (long.value is None or long.value.isinf().any())


@chain_rule_log_prob.symptom(
    "a log-probability above 0",
    "A logarithm of a probability is above 0 somewhere in your answer: a probability is at most 1, so its "
    "logarithm is at most 0.")
def _(results):
    return any(r.value is not None and r.value.numel() == 1 and r.value.item() > 1e-6 for r in results)


# 2

@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "Pixels are written like text: row by row, from left to right. Which cells of the kernel were "
        "written before the centre?",
        "All rows above the centre, whole; and in the centre's own row, what stands to its left. The kind "
        "decides about one cell only.",
        "Start from `torch.zeros(kernel_size, kernel_size)` and let `c = kernel_size // 2`. Two assignments "
        "with slices, `mask[:c]` and `mask[c, :c]`, and one more for type B.",
    ),
    cases=tuple(Case(size, kind) for size in (3, 5, 7, 1, 9, 13, 2 * some(7, 12, seed=1) + 1) for kind in "AB"),
)
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


causal_mask.mistake(
    "a type A mask shows the centre", 'if kind == "B":', "if True:",
    "The centre pixel sees itself: a type A mask hides it. In the first layer the centre is the very pixel "
    "that is to be predicted.")
causal_mask.mistake(
    "a type B mask hides the centre", 'if kind == "B":', "if False:",
    "A type B mask hides the centre too. From the second layer on the centre holds features of earlier "
    "pixels only, and must be seen.")
causal_mask.mistake(
    "the kinds are swapped", 'kind == "B"', 'kind == "A"',
    "The two kinds have changed places: type A is the strict one, for the first layer.")
causal_mask.mistake(
    "the mask is transposed", "return mask", "return mask.T",
    "The mask is transposed: it looks at the columns to the left, where it must look at the rows above.")
causal_mask.mistake(
    "past and future swapped", "return mask", "return mask.flip(0, 1)",
    "The mask is turned by 180°: it sees what comes after the centre, and hides what came before.")
causal_mask.mistake(
    "the mask is inverted", "return mask", "return 1 - mask",
    "Ones and zeros have changed places: 1 stands for what may be seen.")
causal_mask.mistake(
    "the rows below are seen", "mask[:centre] = 1", "mask[centre + 1:] = 1",
    "The rows below the centre are open and those above are closed: the first row of a mask is the upper "
    "one.")
causal_mask.mistake(
    "the right is seen instead of the left", "mask[centre, :centre]", "mask[centre, centre + 1:]",
    "In the centre's own row the mask looks to the right: those pixels are not written yet.")
causal_mask.mistake(
    "the whole centre row is seen",
    'mask[centre, :centre] = 1\n'
    '    if kind == "B":\n'
    '        mask[centre, centre] = 1',
    'mask[centre] = 1\n'
    '    if kind == "A":\n'
    '        mask[centre, centre] = 0',
    "The centre's whole row is open: what stands to the right of the centre is not written yet.")
causal_mask.mistake(
    "the left of the centre is hidden", "    mask[centre, :centre] = 1\n", "",
    "The pixels to the left in the centre's own row are hidden, though they come before it.")
causal_mask.mistake(
    "the row just above is hidden", "mask[:centre] = 1", "mask[:max(centre - 1, 0)] = 1",
    "The row just above the centre is hidden: a slice ends before its end, so `mask[:c]` stops above row "
    "c.")
causal_mask.mistake(
    "the upper right is hidden", "mask[:centre] = 1", "mask[:centre, :centre + 1] = 1",
    "In the rows above, what stands to the right of the centre's column is hidden. Those rows are written "
    "already, whole.")


def _masks(results):
    """(mask, position of the centre in reading order, kind) of each square answer."""
    for r in results:
        if r.value is not None and r.value.shape == r.expected.shape:
            yield r.value.flatten(), r.value.numel() // 2, r.case.arguments[1]


@causal_mask.symptom(
    "something else than 0 and 1",
    "A mask holds 0 and 1 only: the kernel is multiplied by it.")
def _(results):
    return any(((mask != 0) & (mask != 1)).any() for mask, _, _ in _masks(results))


@causal_mask.symptom(
    "the future is seen",
    "The mask lets the kernel see pixels that come after the centre in reading order: to its right in its "
    "own row, or in a row below.")
def _(results):
    return any(mask[centre + 1:].any() for mask, centre, _ in _masks(results))


@causal_mask.symptom("a type A mask shows the centre")
def _(results):
    return any(mask[centre] for mask, centre, kind in _masks(results) if kind == "A")


@causal_mask.symptom(
    "some of the past is hidden",
    "No future is seen, but some cells that come before the centre in reading order are hidden too: the "
    "kernel may see all of them, at every kernel size.")
def _(results):
    return any(not mask[:centre].all() for mask, centre, _ in _masks(results))


@causal_mask.symptom("a type B mask hides the centre")
def _(results):
    return any(not mask[centre] for mask, centre, kind in _masks(results) if kind == "B")


# 3

@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "One layer of kernel size 2 and dilation 1 sees the present sample and one before. What does a "
        "second such layer add?",
        "The taps of a kernel are `dilation` apart, so a layer reaches further back by the distance from "
        "its first tap to its last. How many gaps are there between k taps?",
        "Each layer adds (k - 1)·d to what the layers below see. A stack of no layers sees one sample: the "
        "present one.",
    ),
    cases=(
        Case(2, [1, 2, 4, 8]), Case(2, [1, 1, 1, 1, 1]), Case(3, [1, 2, 4]), Case(3, [1, 3, 9, 27]),
        Case(5, [2]), Case(2, [1]), Case(2, []), Case(1, [1, 2, 4]), Case(4, [5, 1, 7]),
        Case(2, [1, 2, 4, 8, 1, 2, 4, 8]), Case(7, [3, 3]), Case(2, [512, 2, 17]),
        Case(some(3, 9, seed=2), [some(1, 40, seed=seed) for seed in (3, 4, 5, 6)]),
    ),
)
def receptive_field(kernel_size: int, dilations: list) -> int:
    """How many input samples one output of a stack of causal 1-D convolutions sees.

    dilations: the dilation of each layer, first to last; a plain stack has ones only.
    Every layer has kernel_size taps, the last of them on the present sample, which counts.
    Returns one integer.
    """
    return 1 + sum((kernel_size - 1) * d for d in dilations)


receptive_field.mistake(
    "the present is not counted", "return 1 + sum", "return sum",
    "Always one too few: the present sample is seen as well, even by a stack of no layers.")
receptive_field.mistake(
    "k taps taken for k gaps", "(kernel_size - 1)", "kernel_size",
    "Each layer adds too much: a kernel of k taps has one gap fewer than taps, and it is the gaps that "
    "reach back.")
receptive_field.mistake(
    "the dilation is ignored", "(kernel_size - 1) * d", "(kernel_size - 1)",
    "Dilations make no difference in your answer. They set the taps of a layer apart.")
receptive_field.mistake(
    "layers multiplied instead of added",
    "1 + sum((kernel_size - 1) * d for d in dilations)",
    "math.prod(1 + (kernel_size - 1) * d for d in dilations)",
    "The reaches of the layers are multiplied. Each layer reaches back from where the one below ends: "
    "reaches add.")
receptive_field.mistake(
    "only the widest layer counts",
    "sum((kernel_size - 1) * d for d in dilations)",
    "max([(kernel_size - 1) * d for d in dilations] + [0])",
    "Only the widest layer counts in your answer. Layers are stacked: every one of them reaches further "
    "back.")
receptive_field.mistake(
    "the dilations are taken to double",
    "sum((kernel_size - 1) * d for d in dilations)",
    "(kernel_size - 1) * (2 ** len(dilations) - 1)",
    "Right only for dilations 1, 2, 4, …: your answer counts the layers and never looks at their "
    "dilations.")
receptive_field.mistake(
    "the gaps are counted without the taps", "(kernel_size - 1) * d", "(kernel_size - 1) * (d - 1)",
    "A plain layer (dilation 1) adds nothing in your answer. Neighbouring taps are `dilation` samples "
    "apart, not dilation - 1.")
receptive_field.mistake(
    "both sides are counted", "(kernel_size - 1) * d", "2 * (kernel_size - 1) * d",
    "Each layer reaches twice too far: a causal layer looks back only, never ahead.")
receptive_field.mistake(
    "half of the kernel is counted", "(kernel_size - 1) * d", "(kernel_size - 1) // 2 * d",
    "Each layer reaches half as far as it should. In a centred kernel half of the taps lie behind; in a "
    "causal one all do.")
receptive_field.mistake(
    "the kernel size is ignored", "(kernel_size - 1) * d", "d",
    "Right for kernels of two taps only: the more taps, the further a layer reaches.")
receptive_field.mistake(
    "the first kernel is counted twice", "return 1 + sum", "return kernel_size + sum",
    "Too much, by one kernel less its present sample: without any layer a stack sees one sample, not a "
    "kernel.")
receptive_field.mistake(
    "the present is counted in every layer",
    "return 1 + sum((kernel_size - 1) * d",
    "return sum(1 + (kernel_size - 1) * d",
    "The present sample is counted once a layer: all layers have it in common.")
receptive_field.mistake(
    "equal dilations are counted once", "for d in dilations", "for d in set(dilations)",
    "Layers of equal dilation are counted once: each of them reaches further back, however often it is "
    "repeated.")
receptive_field.mistake(
    "the last layer is missing", "for d in dilations", "for d in dilations[:-1]",
    "The last layer does not count in your answer: a slice `[:-1]` or a range that ends one too early?")


@receptive_field.symptom(
    "an empty stack sees nothing",
    "Your answer for a stack of no layers is 0, but such a stack hands on the present sample: it sees one.")
def _(results):
    return any(r.value is not None and r.value.numel() == 1 and r.value.item() == 0 for r in results)


# 4

@exercise(
    minutes=4,
    difficulty="easy",
    hints=(
        "Two changes of unit: from nats to bits, and from a whole image to one dimension of it.",
        "One nat is the information of a factor e, one bit that of a factor 2. Which is the larger unit, "
        "and by what factor?",
        "A bit is ln 2 = 0.693 nats, so so many nats are more bits than that. Then share them among the "
        "dimensions.",
    ),
    cases=(
        Case(100.0, 784), Case(math.log(2), 1), Case(1.0, 1), Case(543.4, 784), Case(2500.0, 3072),
        Case(80, 784), Case(torch.tensor([81.3, 206.0, 95.5]), 784),
        Case(torch.tensor([[3.5, 0.2], [11.0, 7.0]]), 9),
        Case(torch.tensor(44361.4), 8000), Case(some(100, 9000, seed=1) / 10, some(20, 4000, seed=2)),
    ),
)
def bits_per_dimension(nats, n_dimensions: int):
    """Negative log-likelihood in bits per dimension, from nats per image.

    nats: a number, or a tensor of any shape with one number an image.
    n_dimensions: values in an image (784 in one of 28×28 grey pixels).
    Returns what it was given, converted: a number, or a tensor of the same shape.
    """
    return nats / (n_dimensions * math.log(2))


bits_per_dimension.mistake(
    "multiplied by ln 2", "nats / (n_dimensions * math.log(2))", "nats / n_dimensions * math.log(2)",
    "Too small: ln 2 stands on the wrong side. A bit is less than a nat, so there must be more bits than "
    "nats.")
bits_per_dimension.mistake(
    "still in nats", "n_dimensions * math.log(2)", "n_dimensions",
    "These are nats per dimension: the change from nats to bits is missing.")
bits_per_dimension.mistake(
    "not per dimension", "n_dimensions * math.log(2)", "math.log(2)",
    "These are bits per image: share them among the dimensions.")
bits_per_dimension.mistake(
    "divided by ln 2 twice", "math.log(2)", "math.log(2) ** 2",
    "Too large by 1 / ln 2: the change from nats to bits is made twice.")
bits_per_dimension.mistake(
    "multiplied by the dimensions",
    "nats / (n_dimensions * math.log(2))",
    "nats * n_dimensions / math.log(2)",
    "The dimensions multiply where they should divide: an image's bits are shared among them.")
bits_per_dimension.mistake(
    "the logarithm of the nats",
    "nats / (n_dimensions * math.log(2))",
    "torch.as_tensor(nats).log2() / n_dimensions",
    "This is the logarithm of a number of nats. Nats are logarithms already; only their unit is to change.")
bits_per_dimension.mistake(
    "784 is written in", "(n_dimensions * math", "(784 * math",
    "Right for images of 784 dimensions only: the function does not look at `n_dimensions`.")
bits_per_dimension.mistake(
    "base 10", "math.log(2)", "math.log(10)",
    "These are decimal digits, not bits: the unit that belongs to the base 10.")
bits_per_dimension.mistake(
    "averaged over the batch",
    "return nats / (n_dimensions * math.log(2))",
    "return torch.as_tensor(nats / (n_dimensions * math.log(2))).mean()",
    "The images of a batch are averaged: each keeps its own number here.")
bits_per_dimension.mistake(
    "the sign is turned", "nats /", "-nats /",
    "The sign is turned. The nats given here are a negative log-likelihood already, and bits per dimension "
    "are positive.")
bits_per_dimension.mistake(
    "divided by the batch",
    "return nats / (n_dimensions * math.log(2))",
    "return nats / (n_dimensions * math.log(2)) / torch.as_tensor(nats).numel()",
    "A single image comes out right, a batch does not: each image keeps its own number, however many there "
    "are.")
bits_per_dimension.mistake(
    "rounded to whole bits", "nats / (n_dimensions * math.log(2))", "nats // (n_dimensions * math.log(2))",
    "The result is rounded to whole bits: `//` drops the fraction, `/` keeps it.")


# 5

def _images(*shape: int) -> Tensor:
    return normal(*shape, seed=sum(shape))


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Draw a 3×4 image on paper and shift row i by i to the right. How wide must the paper be for the "
        "last row?",
        "Start from zeros of shape (B, C, H, W + H - 1) and write one row at a time.",
        "Row i of the image goes to the columns from i to i + W of row i of the result: `y[:, :, i, i:i + "
        "W] = …`.",
    ),
    cases=(Case(_images(1, 1, 3, 4)), Case(_images(2, 3, 4, 4)), Case(_images(1, 2, 5, 2)),
           Case(_images(3, 1, 1, 6)), Case(_images(2, 2, 2, 7)), Case(_images(1, 1, 6, 1))),
)
def skew(x: Tensor) -> Tensor:
    """Shift each row of an image to the right by its number: a diagonal becomes a column.

    x: (B, C, H, W). Row 0 stays where it is, row i starts at column i; zeros elsewhere.
    Returns (B, C, H, W + H - 1).
    """
    batch, channels, height, width = x.shape
    y = x.new_zeros(batch, channels, height, width + height - 1)
    for i in range(height):
        y[:, :, i, i:i + width] = x[:, :, i]
    return y


skew.mistake(
    "shifted to the left", "y[:, :, i, i:i + width]", "y[:, :, i, height - 1 - i:height - 1 - i + width]",
    "The first row is shifted most and the last not at all: the image leans the other way.")
skew.mistake(
    "one column too many", "width + height - 1", "width + height",
    "One column too many: row 0 is not shifted at all, so the last of H rows is shifted by one less than "
    "H.")
skew.mistake(
    "the rows wrap around",
    "    y = x.new_zeros(batch, channels, height, width + height - 1)\n"
    "    for i in range(height):\n"
    "        y[:, :, i, i:i + width] = x[:, :, i]\n"
    "    return y",
    "    return torch.stack([x[:, :, i].roll(i, -1) for i in range(height)], dim=2)",
    "What is shifted out at the right comes back in at the left: the result must be wider than the image, "
    "so that nothing falls off.")
skew.mistake(
    "the rows are not shifted", "i:i + width]", ":width]",
    "The image is made wider, but its rows stand where they stood: row i must start at column i.")
skew.mistake(
    "the columns are shifted",
    "y = x.new_zeros(batch, channels, height, width + height - 1)\n"
    "    for i in range(height):\n"
    "        y[:, :, i, i:i + width] = x[:, :, i]",
    "y = x.new_zeros(batch, channels, height + width - 1, width)\n"
    "    for i in range(width):\n"
    "        y[:, :, i:i + height, i] = x[:, :, :, i]",
    "The columns are shifted downwards. Here it is the rows that are shifted to the right.")
skew.mistake(
    "the edges are not zero", "    for i", "    y += x[:, :, :, -1:]\n    for i",
    "The rows stand right, but the cells beside them are not zero.")
skew.mistake(
    "the rows are mirrored", "= x[:, :, i]", "= x[:, :, i].flip(-1)",
    "The rows stand in the right columns, but each is written from right to left.")
skew.mistake(
    "the rows are in reverse order", "= x[:, :, i]", "= x[:, :, height - 1 - i]",
    "The shifts are right, but the image is upside down.")
skew.mistake(
    "only the first channel",
    "y[:, :, i, i:i + width] = x[:, :, i]",
    "y[:, :1, i, i:i + width] = x[:, :1, i]",
    "Only the first channel is shifted: the others are lost.")
skew.mistake(
    "only the first image",
    "y[:, :, i, i:i + width] = x[:, :, i]",
    "y[:1, :, i, i:i + width] = x[:1, :, i]",
    "Only the first image of the batch is shifted: the others are lost.")
skew.mistake(
    "the first image in every place", "= x[:, :, i]", "= x[:1, :, i]",
    "Every place of the batch holds the first image.")


@exercise(
    minutes=5,
    difficulty="easy",
    hints=(
        "Undo what `skew` did: row i starts at column i. Where does it end?",
        "A row of the result is a slice of `width` columns of the skewed row. Whatever else stands in that "
        "row is dropped, zero or not.",
        "`y[:, :, i, i:i + width]` is row i. Put all of them together with `torch.stack(…, dim=2)`.",
    ),
    cases=(Case(_images(1, 1, 3, 6), 4), Case(_images(2, 3, 4, 7), 4), Case(_images(1, 2, 5, 6), 2),
           Case(_images(3, 1, 1, 6), 6), Case(_images(2, 2, 2, 8), 7), Case(_images(1, 1, 6, 6), 1)),
)
def unskew(y: Tensor, width: int) -> Tensor:
    """Shift each row back to the left by its number: what `skew` did is undone.

    y: (B, C, H, width + H - 1). Row i of the image starts at column i. The other columns
    hold anything, not only zeros (a network has worked on them), and are dropped.
    Returns (B, C, H, width).
    """
    height = y.shape[2]
    return torch.stack([y[:, :, i, i:i + width] for i in range(height)], dim=2)


unskew.mistake(
    "the rows are not shifted back", "i:i + width]", ":width]",
    "The first columns of every row are kept: row i starts at column i.")
unskew.mistake(
    "shifted the wrong way", "i:i + width]", "height - 1 - i:height - 1 - i + width]",
    "The image leans the other way: here the last row is the one that was shifted most.")
unskew.mistake(
    "the last columns are kept", "i:i + width]", "-width:]",
    "The last columns of every row are kept: only the last row stands there.")
unskew.mistake(
    "shifted one column too little", "i:i + width]", "max(i - 1, 0):max(i - 1, 0) + width]",
    "Rows from the second on are shifted one column too little.")
unskew.mistake(
    "skewed once more",
    "return torch.stack([y[:, :, i, i:i + width] for i in range(height)], dim=2)",
    "z = y.new_zeros(*y.shape[:3], y.shape[3] + height - 1)\n"
    "    for i in range(height):\n"
    "        z[:, :, i, i:i + y.shape[3]] = y[:, :, i]\n"
    "    return z",
    "The rows are shifted to the right once more: the result is even wider.")
unskew.mistake(
    "the padding is kept", "i:i + width] for i", ":].roll(-i, -1) for i",
    "The rows are shifted back, but the result is as wide as the skewed image: keep the first `width` "
    "columns.")
unskew.mistake(
    "rows and channels change places", "dim=2", "dim=1",
    "The rows are the right ones, but they are stacked along the axis of the channels: rows are axis 2.")
unskew.mistake(
    "one column too few", "i:i + width]", "i:i + width - 1]",
    "One column is missing at the right: a slice ends before its end.")
unskew.mistake(
    "the rows are in reverse order", "for i in range(height)]", "for i in reversed(range(height))]",
    "The rows are the right ones, but the image is upside down.")


# 6

def _rule(prefix) -> Tensor:
    """A conditional without chance, 0 or 1, that depends on all values before."""
    prefix = torch.as_tensor(prefix).reshape(-1).long()
    t = len(prefix)
    return ((2 * t + ((torch.arange(t) % 3 + 1) * prefix).sum()) % 5 < 2).float()


_TREE = {(): .3, (0,): .2, (1,): .9, (0, 0): .4, (0, 1): .8, (1, 0): .7, (1, 1): .1}


def _tree(prefix) -> Tensor:
    prefix = tuple(torch.as_tensor(prefix).reshape(-1).long().tolist())
    return torch.tensor(_TREE.get(prefix, .5))


def _half(prefix) -> Tensor:
    return torch.tensor(.5)


def _ones(prefix) -> Tensor:
    """Certain to repeat: 1 where the last value was 1, and at the start."""
    prefix = torch.as_tensor(prefix).reshape(-1)
    return torch.ones(()) if len(prefix) == 0 or prefix[-1] == 1 else torch.zeros(())


def _once(fn, conditional, n_dimensions, seed):
    return as_numbers(fn(conditional, n_dimensions, torch.Generator().manual_seed(seed)))


def _frequencies(fn, conditional, n_dimensions, seed):
    """How often each of the sequences occurs in 2,000 draws; last, the share of answers that are none."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(2 ** n_dimensions + 1, dtype=torch.float64)
    for _ in range(2000):
        x = as_numbers(fn(conditional, n_dimensions, generator)).flatten().tolist()
        proper = len(x) == n_dimensions and all(value in (0, 1) for value in x)
        counts[sum(int(value) << t for t, value in enumerate(x)) if proper else -1] += 1
    return counts / 2000


def _chance(fn, conditional, n_dimensions, seed):
    """Seven yes or no: does chance come from the generator, and from nowhere else, anew for each value?"""
    generator, again, other = (torch.Generator().manual_seed(s) for s in (seed, seed, seed + 1))
    x = as_numbers(fn(conditional, n_dimensions, generator))
    second = as_numbers(fn(conditional, n_dimensions, generator))
    same = as_numbers(fn(conditional, n_dimensions, again))
    different = as_numbers(fn(conditional, n_dimensions, other))
    fresh = torch.Generator().manual_seed(seed).get_state()
    return torch.tensor([x.equal(same), not x.equal(second), not x.equal(different),
                         not generator.get_state().equal(fresh), generator.initial_seed() == seed,
                         bool(0.2 < x.mean() < 0.8), bool(((x == 0) | (x == 1)).all())]).double()


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "One value after the other: what is drawn first is what the second is conditioned on.",
        "Draw a number u, uniform between 0 and 1: `u < p` is true with probability p. "
        "`torch.rand((), generator=generator)` draws one.",
        "Start from `x = torch.zeros(n_dimensions, dtype=torch.int64)`. In a loop over t: `p = "
        "conditional(x[:t])`, draw x[t], go on.",
    ),
    cases=(
        Case(_rule, 12, 3, observe=_once, label="a conditional without chance, 12 values"),
        Case(_ones, 9, 4, observe=_once, label="a conditional that repeats the last value, 9 values"),
        Case(_rule, 1, 5, observe=_once, label="a conditional without chance, 1 value"),
        Case(_half, 64, 6, observe=_chance, label="64 flips of a fair coin, drawn several times"),
        Case(_tree, 3, 7, observe=_frequencies, atol=0.06, label="2,000 draws of 3 values"),
    ),
)
def ancestral_sample(conditional, n_dimensions: int, generator: torch.Generator) -> Tensor:
    """Draw one sequence of zeros and ones, each value given those drawn before.

    conditional(prefix): takes the t values drawn so far, a tensor (t,), and gives
    P(x[t] = 1 | x[:t]), a tensor of shape (), from 0 to 1.
    All chance comes from the generator, which is not seeded here.
    Returns (n_dimensions,) integers, 0 or 1.
    """
    x = torch.zeros(n_dimensions, dtype=torch.int64)
    for t in range(n_dimensions):
        p = conditional(x[:t])
        x[t] = torch.rand((), generator=generator) < p
    return x


ancestral_sample.mistake(
    "the likeliest value instead of a draw", "torch.rand((), generator=generator) < p", "p > 0.5",
    "The likeliest value is taken each time, and nothing is drawn: all samples are one and the same.")
ancestral_sample.mistake(
    "the prefix is always empty", "conditional(x[:t])", "conditional(x[:0])",
    "Every value is drawn from nothing, as if they were independent: show `conditional` what was drawn "
    "before.")
ancestral_sample.mistake(
    "the prefix is not what was drawn", "conditional(x[:t])", "conditional(torch.zeros(t))",
    "The prefix has the right length, but holds zeros: what is drawn must be in it before the next value "
    "is drawn.")
ancestral_sample.mistake(
    "the whole array is shown", "conditional(x[:t])", "conditional(x)",
    "`conditional` is shown the whole array, also the places that are not drawn yet: the prefix ends "
    "before t.")
ancestral_sample.mistake(
    "the prefix holds the present", "conditional(x[:t])", "conditional(x[:t + 1])",
    "The prefix holds one value too many: the place that is to be drawn is in it already.")
ancestral_sample.mistake(
    "only the last value is in the prefix", "conditional(x[:t])", "conditional(x[max(t - 1, 0):t])",
    "Each value is drawn from the one just before: a Markov chain. The chain rule conditions on all of "
    "them.")
ancestral_sample.mistake(
    "the prefix is reversed", "conditional(x[:t])", "conditional(x[:t].flip(0))",
    "The prefix is handed over back to front: its first value must come first.")
ancestral_sample.mistake(
    "the generator is ignored", "torch.rand((), generator=generator)", "torch.rand(())",
    "The same generator, seeded alike, gives another sample: some chance comes from elsewhere. Every draw "
    "takes `generator=generator`.")
ancestral_sample.mistake(
    "seeded anew for each value",
    "    p = conditional",
    "    generator.manual_seed(0)\n        p = conditional",
    "The generator is seeded inside the loop, so every value uses the same random number. Seeding is the "
    "caller's business.")
ancestral_sample.mistake(
    "seeded anew for each sample",
    "    x = torch.zeros",
    "    generator.manual_seed(0)\n    x = torch.zeros",
    "The generator is seeded inside the function, so that it draws the same sample every time. Seeding is "
    "the caller's business.")
ancestral_sample.mistake(
    "zeros and ones swapped", "generator=generator) < p", "generator=generator) > p",
    "A 1 comes where a 0 should: `u < p` is what happens with probability p.")
ancestral_sample.mistake(
    "a normal random number", "torch.rand((", "torch.randn((",
    "`randn` draws from a normal distribution. What is compared with a probability is uniform between 0 "
    "and 1.")
ancestral_sample.mistake(
    "one random number for all values",
    "    for t in range(n_dimensions):\n"
    "        p = conditional(x[:t])\n"
    "        x[t] = torch.rand((), generator=generator) < p",
    "    u = torch.rand((), generator=generator)\n"
    "    for t in range(n_dimensions):\n"
    "        x[t] = u < conditional(x[:t])",
    "One random number decides all values of a sample. Each value needs a draw of its own.")
ancestral_sample.mistake(
    "probabilities instead of draws",
    "dtype=torch.int64)\n"
    "    for t in range(n_dimensions):\n"
    "        p = conditional(x[:t])\n"
    "        x[t] = torch.rand((), generator=generator) < p",
    "dtype=torch.float32)\n"
    "    for t in range(n_dimensions):\n"
    "        x[t] = conditional(x[:t])",
    "These are probabilities. A sample holds zeros and ones: draw each value with its probability.")


@ancestral_sample.symptom(
    "something else than 0 and 1",
    "A sample holds zeros and ones only.")
def _(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[6]


@ancestral_sample.symptom("the generator is ignored")
def _(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[0]


@ancestral_sample.symptom(
    "the generator is not used up",
    "Each sample is right by itself, but two in a row from one generator are alike, or the generator is as "
    "fresh after a call as before it: draw from the generator itself, neither from a copy nor from one "
    "seeded anew.")
def _(results):
    chance = answer_to(results, _chance)
    certain = [r for r in results if r.case.observe is _once]
    return chance is not None and not chance[:5].all() and all(r.right for r in certain)


@ancestral_sample.symptom(
    "wrong probabilities",
    "Where nothing is left to chance your samples are right. Elsewhere the frequencies are not those of "
    "`conditional`: how does p decide what is drawn?")
def _(results):
    return all(r.right for r in results if r.case.observe is _once)


@ancestral_sample.symptom(
    "wrong conditionals",
    "Even where nothing is left to chance the samples are wrong: what does `conditional` get to see, of "
    "which of the two values does it speak, and is what you compare p with uniform between 0 and 1?")
def _(results):
    return any(r.value is not None and r.value.shape == r.expected.shape and not r.right
               for r in results if r.case.observe is _once)


# 7

def _sound(n: int, levels: int) -> Tensor:
    """Samples in [-1, 1], loud and soft, none of them near the border between two levels."""
    x = (torch.rand(4 * n, generator=seeded(n), dtype=torch.float32, device="cpu") * 2 - 1) ** 3
    level = (torch.sign(x) * torch.log1p((levels - 1) * x.abs()) / math.log(levels) + 1) / 2 * (levels - 1)
    return x[(level.frac() - 0.5).abs() > 0.02][:n]


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Two steps: squeeze x by the formula (it stays between -1 and 1), then cut that range into levels.",
        "The squeezed value f runs from -1 to 1. Bring it to 0 … 1, then to 0 … µ, and take the nearest "
        "integer.",
        "`f = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)`; what is left is "
        "`torch.round((f + 1) / 2 * mu)` as integers.",
    ),
    cases=(
        Case(torch.tensor([-1.0, 1.0])), Case(torch.tensor([0.5, -0.5, 0.01, -0.01, 0.9])),
        Case(_sound(100, 256)), Case(_sound(24, 256).reshape(2, 3, 4)),
        Case(_sound(50, 16), 16), Case(torch.tensor([-1.0, 1.0]), 16),
        Case(_sound(60, 100), 100), Case(torch.zeros(3), atol=1.0, label="silence (zeros)"),
    ),
)
def mu_law_encode(x: Tensor, levels: int = 256) -> Tensor:
    """Squeeze sound by the µ-law and cut it into levels.

    With µ = levels - 1 and f(x) = sign(x) · ln(1 + µ|x|) / ln(1 + µ), the index is
    (f(x) + 1) / 2 · µ, rounded to the nearest integer.
    x: any shape, from -1 to 1.
    Returns integers of the same shape, from 0 (x = -1) to levels - 1 (x = 1).
    """
    mu = levels - 1
    f = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return torch.round((f + 1) / 2 * mu).long()


mu_law_encode.mistake(
    "truncated instead of rounded", "torch.round((f + 1) / 2 * mu)", "((f + 1) / 2 * mu + 1e-4)",
    "The fraction is cut off instead of rounded to the nearest level: all sound is shifted down by half a "
    "level, and the top level is hardly ever reached. (`.long()` truncates.)")
mu_law_encode.mistake(
    "rounded up", "torch.round((f + 1) / 2 * mu)", "torch.ceil((f + 1) / 2 * mu - 1e-4)",
    "Every fraction is rounded up instead of to the nearest level: all sound is shifted up by half a "
    "level.")
mu_law_encode.mistake(
    "scaled by levels instead of levels - 1", "/ 2 * mu)", "/ 2 * levels)",
    "The loudest sample gets an index outside the range: levels counted from 0 end at levels - 1.")
mu_law_encode.mistake(
    "bins instead of rounding",
    "torch.round((f + 1) / 2 * mu)",
    "((f + 1) / 2 * levels + 1e-4).clamp(max=mu)",
    "The range is cut into `levels` equal bins, and the top is clamped. Here the outermost levels stand "
    "for -1 and 1 themselves, with µ steps between them.")
mu_law_encode.mistake(
    "µ is levels",
    "mu = levels - 1\n    f = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)",
    "mu = levels - 1\n    f = torch.sign(x) * torch.log1p(levels * x.abs()) / math.log1p(levels)",
    "Almost: µ is one less than the number of levels, in the formula too.")
mu_law_encode.mistake(
    "the sign is lost", "torch.sign(x) * torch", "torch",
    "Soft and loud are told apart, but not above and below zero: the sign of x is lost.")
mu_law_encode.mistake(
    "not squeezed", "torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)", "x",
    "The levels are spaced evenly: nothing is squeezed. Soft sounds get no more of them than "
    "loud ones, and most samples are soft.")
mu_law_encode.mistake(
    "the absolute value is missing", "x.abs()", "x",
    "Negative samples come out wrong: the logarithm of 1 + µx does not exist there. It takes |x|, and the "
    "sign is put back afterwards.")
mu_law_encode.mistake(
    "not moved to 0", "(f + 1) / 2 * mu", "f * mu",
    "There are negative indices: f runs from -1 to 1, the indices start at 0.")
mu_law_encode.mistake(
    "not divided by ln(1 + µ)", " / math.log1p(mu)", "",
    "Some indices are far out of range: without the division by ln(1 + µ), f runs beyond -1 and 1.")
mu_law_encode.mistake(
    "not halved", "(f + 1) / 2 * mu", "(f + 1) * mu",
    "The indices run up to twice the range: f + 1 goes from 0 to 2.")
mu_law_encode.mistake(
    "256 is written in", "mu = levels - 1", "mu = 255",
    "Right for 256 levels only: the function does not look at `levels`.")
mu_law_encode.mistake(
    "the 1 in the logarithm is missing", "torch.log1p(mu * x.abs())", "torch.log(mu * x.abs() + 1e-9)",
    "Soft sounds go wrong: without the 1 in ln(1 + µ|x|) the logarithm falls below 0, without end at "
    "silence.")


def _beside(results):
    """The deviations, where x is neither -1 nor 1: there it is rounding error that decides."""
    return torch.cat([(r.value - r.expected)[r.case.arguments[0].abs() < 1] for r in usable(results)])


@mu_law_encode.symptom("truncated instead of rounded")
def _(results):
    return set(_beside(results).tolist()) == {-1, 0}


@mu_law_encode.symptom("rounded up")
def _(results):
    return set(_beside(results).tolist()) == {0, 1}


@mu_law_encode.symptom(
    "not whole numbers",
    "The indices are not whole numbers: round to the nearest level.")
def _(results):
    return any((r.value.isfinite() & (r.value != r.value.round())).any() for r in usable(results))


@mu_law_encode.symptom(
    "out of range",
    "Some indices lie outside 0 … levels - 1.")
def _(results):
    def top(r):
        return (r.case.arguments + (256,))[1] - 1

    return any((r.value < 0).any() or (r.value > top(r)).any() for r in usable(results))


@mu_law_encode.symptom(
    "the extremes are lost",
    "-1 and 1 do not come out as the lowest and the highest level.")
def _(results):
    return any(not r.right for r in usable(results) if r.case.arguments[0].tolist() == [-1, 1])


@exercise(
    minutes=6,
    difficulty="medium",
    hints=(
        "Undo the encoding step by step, the last step first.",
        "From the index back to f: it runs from 0 to µ, f from -1 to 1. Then solve |f| = ln(1 + µ|x|) / "
        "ln(1 + µ) for |x|.",
        "|x| = ((1 + µ)^|f| - 1) / µ, and the sign of x is the sign of f.",
    ),
    cases=(
        Case(torch.tensor([0, 255])), Case(torch.arange(256)),
        Case(torch.tensor([[3, 100, 128], [127, 200, 254]])),
        Case(torch.arange(16), 16), Case(torch.tensor([0, 15]), 16), Case(torch.arange(0, 1000, 7), 1000),
        Case(torch.randint(0, 256, (20,), generator=seeded(20), device="cpu")),
    ),
)
def mu_law_decode(indices: Tensor, levels: int = 256) -> Tensor:
    """Sound from µ-law levels: the inverse of `mu_law_encode`, up to rounding.

    With µ = levels - 1, index i stands for f = 2i / µ - 1, and
    x = sign(f) · ((1 + µ)^|f| - 1) / µ.
    indices: integers of any shape, from 0 to levels - 1.
    Returns floating-point numbers of the same shape, from -1 to 1.
    """
    mu = levels - 1
    f = indices / mu * 2 - 1
    return torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu


mu_law_decode.mistake(
    "not divided by µ", " - 1) / mu", " - 1)",
    "Much too loud: the division by µ at the end is missing.")
mu_law_decode.mistake(
    "the sign is lost", "torch.sign(f) * (", "(",
    "Everything comes out positive: the sign of f is the sign of x.")
mu_law_decode.mistake(
    "scaled by levels instead of levels - 1", "indices / mu * 2", "indices / levels * 2",
    "The highest level does not come out as 1: the indices run from 0 to levels - 1, so µ steps make the "
    "whole range.")
mu_law_decode.mistake(
    "the middles of bins", "indices / mu * 2", "(indices + 0.5) / levels * 2",
    "Each index is taken for the middle of one of `levels` bins. Here the outermost levels stand for -1 "
    "and 1 themselves.")
mu_law_decode.mistake(
    "not spread out again", "torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu", "f",
    "This is f: the squeezing is not undone.")
mu_law_decode.mistake(
    "the base is e", "(1 + mu) ** f.abs()", "f.abs().exp()",
    "Too soft by far: the base of the power is 1 + µ, since the encoding divided by ln(1 + µ).")
mu_law_decode.mistake(
    "the base is µ", "(1 + mu) **", "mu **",
    "Almost: the base of the power is 1 + µ, and with µ the extremes are not reached.")
mu_law_decode.mistake(
    "the 1 is not taken away", "f.abs() - 1) / mu", "f.abs()) / mu",
    "A jump at silence: the power is at least 1, and that 1 is to be taken away before the division by µ.")
mu_law_decode.mistake(
    "not moved to the middle", "indices / mu * 2 - 1", "indices / mu",
    "Nothing is below zero: the indices run from 0, but f must run from -1 to 1.")
mu_law_decode.mistake(
    "256 is written in", "mu = levels - 1", "mu = 255",
    "Right for 256 levels only: the function does not look at `levels`.")
mu_law_decode.mistake(
    "squeezed instead of spread out",
    "((1 + mu) ** f.abs() - 1) / mu",
    "torch.log1p(mu * f.abs()) / math.log1p(mu)",
    "The encoding's formula is used once more: here it is to be solved for x.")
mu_law_decode.mistake(
    "the absolute value is missing", "torch.sign(f) * ((1 + mu) ** f.abs() - 1)", "((1 + mu) ** f - 1)",
    "What is below zero comes out much too soft: the power takes |f|, and the sign is put back afterwards.")
mu_law_decode.mistake(
    "whole numbers only",
    "return torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu",
    "return (torch.sign(f) * ((1 + mu) ** f.abs() - 1) / mu).round()",
    "The result is rounded to whole numbers, so that almost all is silence. (Is it kept in a tensor of "
    "integers?)")


@mu_law_decode.symptom(
    "out of range",
    "Some samples are louder than 1: sound runs from -1 to 1.")
def _(results):
    return any((r.value.abs() > 1.0001).any() for r in usable(results))


@mu_law_decode.symptom(
    "the extremes are lost",
    "The lowest and the highest level do not come out as -1 and 1.")
def _(results):
    return any(not r.right for r in usable(results) if r.value.numel() == 2)


# 8

@exercise(
    minutes=7,
    difficulty="easy",
    hints=(
        "Begin with no layers: such a stack sees one sample. Is that enough? If not, add a layer and ask "
        "again.",
        "The receptive field is 1 + (k - 1) · (the sum of the dilations), and each dilation is twice the "
        "one before.",
        "`while 1 + (kernel_size - 1) * sum(dilations) < context:` append the next power of two.",
    ),
    cases=tuple(Case(context, kernel_size) for context, kernel_size in (
        (16, 2), (17, 2), (2, 2), (3, 2), (4, 2), (5, 2), (1000, 2), (1024, 2), (1025, 2), (1, 2),
        (3, 3), (4, 3), (7, 3), (8, 3), (200, 3), (63, 3), (64, 3),
        (46, 4), (47, 4), (4, 4), (61, 5), (62, 5), (3, 5),
        (8000, 2), (8000, 7), (some(30, 2000, seed=7), 2), (some(30, 2000, seed=8), some(3, 9, seed=9))))
    + (Case(4), Case(300)),
)
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


dilations_for_context.mistake(
    "an exact fit is not enough", "< context", "<= context",
    "One layer too many where the stack fits the context exactly. Is the present sample counted, and is "
    "seeing exactly `context` samples enough?")
dilations_for_context.mistake(
    "the first dilation is 2", "2 ** len(dilations)", "2 ** (len(dilations) + 1)",
    "The dilations start at 2: the first layer has dilation 1, or it skips every other sample.")
dilations_for_context.mistake(
    "the dilations grow by one", "2 ** len(dilations)", "len(dilations) + 1",
    "The dilations grow 1, 2, 3, …: each is to be twice the one before.")
dilations_for_context.mistake(
    "no dilation", "2 ** len(dilations)", "1",
    "All dilations are 1: the context grows by the same amount with every layer. Doubling them makes it "
    "grow exponentially.")
dilations_for_context.mistake(
    "the kernel size is ignored", "(kernel_size - 1) * ", "",
    "Right for kernels of two taps only: a wider kernel reaches further, so fewer layers will do.")
dilations_for_context.mistake(
    "k taps taken for k gaps", "(kernel_size - 1) * ", "kernel_size * ",
    "Too few layers: each reaches (k - 1)·d back, not k·d. Between k taps there are k - 1 gaps.")
dilations_for_context.mistake(
    "only the widest layer counts", "sum(dilations)", "max(dilations, default=0)",
    "Too many layers: only the widest one is counted, but the reaches of all layers add.")
dilations_for_context.mistake(
    "powers of the kernel size", "2 ** len(dilations)", "kernel_size ** len(dilations)",
    "The dilations are powers of the kernel size. That is a stack without overlaps; here each dilation "
    "doubles.")
dilations_for_context.mistake(
    "the last layer is missing", "return dilations", "return dilations[:-1]",
    "One layer too few: the stack stops before it sees the whole context. The last layer may overshoot.")
dilations_for_context.mistake(
    "one layer too many", "return dilations", "return dilations + [2 ** len(dilations)]",
    "Always one layer too many: as few as will do are asked for.")
dilations_for_context.mistake(
    "the present is counted twice", "while 1 +", "while 2 +",
    "One layer too few where the stack falls short by a single sample: the present one counts once.")
dilations_for_context.mistake(
    "the last dilation is cut to fit",
    "    return dilations",
    "    if dilations:\n"
    "        dilations[-1] = -(-(context - 1) // (kernel_size - 1)) - sum(dilations[:-1])\n"
    "    return dilations",
    "The last dilation is made smaller so that the context fits exactly. Each is to be twice the one "
    "before, and the stack may see more than it must.")
dilations_for_context.mistake(
    "from the widest to the first", "return dilations", "return dilations[::-1]",
    "The dilations are the right ones, in reverse order: the first layer has dilation 1.")


def _stacks(results):
    for r in results:
        if r.value is not None and r.value.dim() == 1:
            context, kernel_size = (r.case.arguments + (2,))[:2]
            yield r.value, 1 + (kernel_size - 1) * r.value.sum().item(), context, len(r.expected)


@dilations_for_context.symptom(
    "a list is due",
    "A list is asked for, with the dilation of each layer.")
def _(results):
    return any(r.value is not None and r.value.dim() != 1 for r in results)


@dilations_for_context.symptom(
    "the dilations do not double",
    "The dilations are not 1, 2, 4, …: the first is 1, and each one is twice the one before.")
def _(results):
    return any(not stack.equal(2 ** torch.arange(len(stack)).double()) for stack, _, _, _ in _stacks(results))


@dilations_for_context.symptom(
    "the context is not covered",
    "Some stacks do not see the whole context: too few layers.")
def _(results):
    return any(seen < context for _, seen, context, _ in _stacks(results))


@dilations_for_context.symptom(
    "too many layers",
    "Some stacks have more layers than they need: stop as soon as the context is covered.")
def _(results):
    return any(len(stack) > fewest for stack, _, _, fewest in _stacks(results))
