"""Claims of chapter 01: PixelCNN, PixelRNN and WaveNet."""

from collections.abc import Mapping, Sequence

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Measured, Part, above, below, equal

NOTEBOOK = "01_autoregression"


def farthest_from_one(sums: Mapping[str, float]) -> float:
    """The largest |Σp − 1|; NaN where a sum is NaN."""
    return max((abs(total - 1) for total in sums.values()), key=lambda off: (off != off, off))


@claim(
    "AR1",
    NOTEBOOK,
    notes="P(image) = ∏ᵢ P(pixelᵢ | pixel₁, …, pixelᵢ₋₁).",
    says="The product of the conditionals is a distribution: it sums to one.",
    measured_by="the sum of the probabilities of all small images",
    since="2026-11-30",
    before="Its control was one network with random weights and a mask that leaks, whose sum can be near one by "
    "chance; now it is trained, with several seeds.",
)
def the_sum_is_one(sums: Mapping[str, float], leaking: Measured) -> list[Part]:
    """`sums`: Σp over all 512 images, by each chain. 512 rounded numbers of float32 erred by less than 1e-6 here;
    ten times that is allowed. `leaking`: Σp of networks that see the pixel they predict, trained. They can go up to
    512; the sum finds them if it is beyond 10, ten times what any distribution has.
    """
    return [
        below("largest distance of Σp from one", farthest_from_one(sums), 1e-5, form=".1g"),
        above("Σp where the mask leaks, trained; a control", leaking, 10, form=".1f"),
    ]


@claim(
    "AR2",
    NOTEBOOK,
    notes="Model the conditional distribution of each pixel given the previously generated pixels.",
    says="A pixel's prediction depends on earlier pixels only.",
    measured_by="gradients of every prediction with respect to every pixel",
    since="2026-11-30",
    before="A network that sees nothing passed, and only one of the four networks had a control; now what is seen of "
    "the past is counted too, and a leak is planted in each of them.",
)
def no_gradient_from_the_future(leaks: Mapping[str, int], seen: Measured, caught: Measured) -> list[Part]:
    """Pairs of a predicted pixel and an input pixel. `leaks`: with a gradient, the input at or after the prediction, by
    network: one is a fault. `seen`: with a gradient, the input earlier, as a share of the pairs that masks and wiring
    let through, over the networks; `caught`: the share of the forbidden pairs that a planted leak lets through. A
    gradient finds all but what units hide that are shut for each of the random inputs: fewer than 5 in 100.
    """
    return [
        equal("pairs with a gradient, input at or after the prediction", sum(leaks.values()), 0),
        above("share of the past that is found, of what the masks let through", seen, 0.95, form=".2f"),
        above("share of the forbidden pairs that is found, with a leak planted", caught, 0.95, form=".2f"),
    ]


@claim(
    "AR3",
    NOTEBOOK,
    notes="Each pixel depends on all the pixels 1 to i−1 generated before it.",
    says="The Diagonal BiLSTM, with a blank column at the right border, sees the whole past, and so do two stacks that "
    "are deep enough; one stack of masked 3×3 convolutions misses a wedge of it, also at twice the depth.",
    measured_by="receptive fields at five pixels, without random weights",
    since="2026-11-30",
    before="One pixel, one depth and one draw of small networks decided, where a unit that is shut at the start counts "
    "as a blind spot; and the sentence did not name the blank column, which the paper does not have.",
    exact=True,
)
def who_sees_the_past(
    past: Sequence[int],
    diagonal: Sequence[int],
    two_stacks: Sequence[int],
    wedge: Sequence[int],
    dark: Mapping[str, Sequence[int]],
    misplaced: int,
) -> list[Part]:
    """At each of five pixels. `past`: how many are earlier; `diagonal`, `two_stacks`: how many of them are seen,
    by a Diagonal BiLSTM with the blank column and by two stacks. `wedge`: how many lie farther to the right than rows
    above; `dark`: how many one stack misses, by its depth; `misplaced`: pixels that are dark and not of the
    wedge, or the other way round. Counts, all exact.
    """
    return [
        equal("earlier pixels that this Diagonal BiLSTM sees, one layer", list(diagonal), list(past)),
        equal("earlier pixels that two stacks see", list(two_stacks), list(past)),
        *(equal(f"earlier pixels that one stack misses, {depth}", list(n), list(wedge)) for depth, n in dark.items()),
        equal("pixels missed outside of the wedge, or seen inside", misplaced, 0),
        above("pixels in the smallest wedge", min(wedge), 0, form=".0f"),
    ]


@claim(
    "AR4",
    NOTEBOOK,
    notes="The likelihood of any given image can be computed directly and exactly.",
    says="The likelihood of unseen digits is computed exactly, and it is higher than that of each of four tables of "
    "counts, of up to ten neighbours.",
    measured_by="nats on test images, paired, over images and over seeds; 784 conditionals beside one pass",
    since="2026-11-30",
    before="It asked for 9 nats, chosen after 10 had been measured, compared the mean of one training with that of the "
    "best table, at a low effort on other images, and nothing showed that one pass could differ from 784.",
)
def exact_and_above_every_table(
    saved: Measured, paired: Mapping[str, Measured], gap: float, leaking_gap: float
) -> list[Part]:
    """`saved`: nats that the best table needs more than the network, over seeds; `paired`: by table, over blocks of
    test images, in this run. "Higher" asks for more than 0. `gap`: the largest difference of log P in one pass from
    the sum of 784 conditionals that are shown their past alone, over five images; float32 gave less than 1e-5
    here, and a hundred times that is allowed. `leaking_gap`: the same of a network whose mask leaks, which must differ.
    """
    closest = min(paired, key=lambda name: getattr(paired[name], "value", paired[name]))
    return [
        above("nats saved, by the best table, over seeds", saved, 0, "nats", ".2f"),
        above(f"nats saved in this run, by the best table ({closest})", paired[closest], 0, "nats", ".2f"),
        below("one pass against 784 conditionals", gap, 1e-3, "nats", ".1g"),
        above("the same with a mask that leaks, a control", leaking_gap, 0.1, "nats", ".3g"),
    ]


@claim(
    "AR5",
    NOTEBOOK,
    notes="High-quality local structure: correlations between neighbouring pixels are caught well.",
    says="Patches of 3×3 pixels in the samples are less than half as far from the data as those of a table of four "
    "neighbours, and still farther than those of real digits.",
    measured_by="frequencies of 3×3 patches, samples against test digits, beyond the floor of real digits, over seeds",
    since="2026-11-30",
    before="The sentence said “nearly as close as real digits”, and the rule compared with samples of linear codes, "
    "whose pixels are speckled; at 2×2 a table of four neighbours passed it, too.",
)
def nearer_than_a_table_farther_than_digits(ratio: Measured, beyond: Measured) -> list[Part]:
    """Divergence of 3×3 patches from the test digits, less the floor: the mean of ten draws of as many real digits.
    `ratio`: that of the network over that of the table, over seeds; a half is what "half as far" says. `beyond`: that
    of the network itself, over seeds; above 0 it is farther than real digits are from each other.
    """
    return [
        below("divergence less the floor: that of the network divided by that of the table", ratio, 0.5, form=".2f"),
        above("divergence of the network less the floor", beyond, 0, "nats", ".5f"),
    ]


@claim(
    "AR6",
    NOTEBOOK,
    notes="Extremely slow generation: an image takes thousands of forward passes, one after the other.",
    says="Generation takes one pass or one step a pixel, 784 for a digit, and is more than ten times as slow as one "
    "pass of the same network, with caches too.",
    measured_by="passes and steps, counted; seconds beside one pass, in pairs",
    since="2026-11-30",
    before="It asked for 30 times, of the sampler without caches alone, whose passes are slow by definition, and timed "
    "one pass once.",
)
def one_pass_a_pixel(passes: int, steps: int, cached_ratio: Measured, textbook_ratio: Measured) -> list[Part]:
    """`passes`: of the textbook's loop; `steps`: of the sampler with caches; 784 pixels. The ratios: seconds for an
    image over the seconds of one pass, by repetition. Ten is the number of the sentence.
    """
    return [
        equal("passes for an image", passes, 784),
        equal("steps for an image, with caches", steps, 784),
        above("seconds for an image over those of one pass, with caches", cached_ratio, 10, form=".0f"),
        above("the same without caches", textbook_ratio, 10, form=".0f"),
    ]


@claim(
    "AR7",
    NOTEBOOK,
    notes="The passes are sequential, and their cost is very high.",
    says="Caches make drawing more than twice as fast at 28×28 and change no pixel of the images drawn here; the "
    "steps, one after the other, are still as many as the pixels.",
    measured_by="equality of the samples; steps, counted; seconds, in pairs",
    since="2026-11-30",
    before="The sentence said that the time grows about in proportion to the pixels; the rule passed any exponent "
    "above 0.5, from two points of one run. Later it said “no sample”, though rounding can change one.",
)
def caches_keep_the_steps(
    pixels: Sequence[int], steps: Sequence[int], different: Sequence[int], faster: Measured
) -> list[Part]:
    """At each size of the image: `pixels`; `steps` of the sampler with caches; `different`: pixels of the samples that
    differ from those drawn without caches. `faster`: seconds without caches over seconds with, at the largest size, by
    repetition; 2 is a change that a reader notices.
    """
    return [
        equal("pixels that differ with caches, at each size", list(different), [0] * len(pixels)),
        equal("steps with caches, at each size", list(steps), list(pixels)),
        above("seconds without caches over seconds with, at the largest size", faster, 2, form=".1f"),
    ]


@claim(
    "AR8",
    NOTEBOOK,
    notes="WaveNet is the same idea as PixelRNN: one audio sample at a time, each given all before it.",
    says="On sound the same chain is a distribution too: it sums to one, and each sample depends on earlier ones only, "
    "on as many as the context has.",
    measured_by="the sum of the probabilities of all short sequences; gradients",
    since="2026-11-30",
    before="It had no control, a leak that sum and gradient must find; and nothing showed that the past is seen.",
)
def sound_is_a_chain_too(
    total: float, leaking: Measured, ahead: int, caught: int, planted: int, seen: int, context: int
) -> list[Part]:
    """`total`: Σp over all sequences of five samples, limits as in AR1; `leaking`: that of networks that see the sample
    they predict, trained. `ahead`: pairs with a gradient from the present or the future; `caught`, `planted`: the same
    with that leak, found and built in. `seen`: earlier samples that one prediction depends on; `context`: by the
    formula.
    """
    return [
        below("distance of Σp from one", abs(total - 1), 1e-5, form=".1g"),
        above("Σp with a leak, trained; a control", leaking, 10, form=".1f"),
        equal("pairs with a gradient, input at or after the prediction", ahead, 0),
        equal("the same with the leak; a control", caught, planted),
        equal("earlier samples that a prediction depends on", seen, context),
    ]


@claim(
    "AR9",
    NOTEBOOK,
    notes="Causal dilated convolutions extend the receptive field greatly.",
    says="With dilation the context grows exponentially with depth, without it by one sample a layer; each layer adds "
    "the same number of operations, and dilation adds none.",
    measured_by="receptive fields of stacks of 1 to 8 layers, without random weights; operations, counted",
    since="2026-11-30",
    before="There was no stack without dilation beside it, so that nothing said what dilation is needed for.",
    exact=True,
)
def dilation_doubles_the_context(
    dilated: Sequence[int], plain: Sequence[int], operations: Sequence[int], plain_operations: Sequence[int]
) -> list[Part]:
    """By depth, from 1: samples that one prediction depends on, with dilations 1, 2, 4, … and with ones only, and
    operations a sample. All counts, given by the construction: 2ⁿ + 1, n + 2, and one increment a layer.
    """
    depths = range(1, len(dilated) + 1)
    added = {after - before for before, after in zip(operations, operations[1:])}
    return [
        equal("context, dilations doubling", list(dilated), [2**n + 1 for n in depths]),
        equal("context, without dilation", list(plain), [n + 2 for n in depths]),
        equal("different numbers of operations that a layer adds", len(added), 1),
        equal("operations a sample, without dilation", list(plain_operations), list(operations)),
    ]


@claim(
    "AR10",
    NOTEBOOK,
    notes="Looking back over a long past is essential to catch the long-range dependence of audio.",
    says="Of four WaveNets, each with a longer context predicts unheard speech better than the one before: 3 ms than "
    "1.5 ms, 17 ms than 3 ms, 128 ms than 17 ms.",
    measured_by="held-out bits per sample of short trainings, paired over seeds",
    since="2026-11-30",
    before="The rule took the mean of 3 and 17 ms, in one run, and left out the longest context, which was worse: it "
    "ticked although the sentence was not so. The sentence read as if the length alone had been changed.",
)
def each_longer_context_is_better(gains: Mapping[str, Measured]) -> list[Part]:
    """`gains`: bits a sample saved by each context over the next shorter one, over seeds, in pairs of one seed; a name
    begins with the longer context's milliseconds. "Better" asks for more than 0.
    The networks differ in their dilations: in how far back the taps reach and in where they lie. Which of the two
    matters is not tested.
    """
    in_order = sorted(gains.items(), key=lambda item: float(item[0].split()[0]))
    return [above(f"bits a sample saved, {step}", gain, 0, "bits", ".3f") for step, gain in in_order]
