"""Claims of chapter 05: how each family fails.

The runs of `data/studies/` that these rules judge were known when the rules were written, but for those of `restored`,
`soft` and `equal-steps`, which were made afterwards.
"""

from collections.abc import Mapping

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Part, above, below, within
from gencourse.metrics import Interval

NOTEBOOK = "05_failure_modes"


@claim(
    "VA8",
    NOTEBOOK,
    notes="VAE may just memorize the existing images, instead of generating new images.",
    says="With too weak a KL term, its decoder gives back what it was trained on, and not what is new.",
    measured_by="training digits and unseen digits, encoded and decoded, with the KL and without it",
    since="2026-11-30",
    before="The rule before compared nats of training and unseen digits, and never asked whether new digits come back.",
)
def training_digits_come_back_and_new_ones_do_not(
    recognised_train: Interval,
    copied: Interval,
    better: Interval,
    recognised_unseen: Interval,
    caught: Interval,
    blamed: Interval,
) -> list[Part]:
    """Without the KL: `recognised_train`, `recognised_unseen`: share of decoded digits to which a classifier gives
    their class, over seeds. Of the digits themselves it is 0.99, by chance 0.1: what is given back has above 0.9, what
    is not has less than half. `copied`: share of seeds in which what is decoded from training codes counts as copies:
    the rule, not the exception. `better`: by how many nats, after one scale for all logits, training digits are
    restored better than unseen ones, less the same with the KL in full, paired by seed: it must not be 0, or the KL had
    nothing to do with it. `caught`, `blamed`: the detector of copies on a set of copies and on new digits; of 20 seeds
    without a miss the interval ends at 0.84 and 0.16.
    """
    return [
        above("without the KL: training digits recognised after decoding", recognised_train, 0.9, form=".2f"),
        above("seeds in which what is decoded from training codes counts as copied", copied, 0.5, form=".2f"),
        above("gap of unseen to training digits, more than with the KL", better, 0, "nats", form=".1f"),
        below("without the KL: unseen digits recognised after decoding", recognised_unseen, 0.5, form=".2f"),
        above("seeds in which the copies on purpose are caught, a control", caught, 0.8, form=".2f"),
        below("seeds in which new digits are blamed, a control", blamed, 0.2, form=".2f"),
    ]


@claim(
    "VA9",
    NOTEBOOK,
    notes="Averaging, as mean squared error does, makes the images blurry.",
    says="What a VAE decodes is less sharp than the data, and pixels drawn from that measure as no softer; of two "
    "strips it paints the average where a code does not pay.",
    measured_by="sharpness beside the data, for VAEs of many seeds; a toy of two edges",
    since="2026-11-30",
    before="The rule before looked at one stored VAE and the first 500 test digits, without an interval, and did not "
    "ask about drawn pixels.",
)
def decoded_digits_are_soft_and_drawn_ones_are_not(
    decoded: Interval, drawn: Interval, blurred: Interval, again: Interval, agrees: Interval, grey: Interval
) -> list[Part]:
    """Ratios of sharpness to that of test digits of the same kind, over seeds of training. 0.9: a tenth less is more
    than other test digits differ (`again`, the floor, must lie within ±0.1). `decoded` is below it, `drawn` above.
    `blurred`: digits averaged over 3 × 3 pixels, which a detector of blur must see. `agrees`: share of the runs of the
    toy that use a code just where σ² < 1.5, without σ = 1.2, which is nearer to the turn than training is exact.
    `grey`: where σ² > 1.5, 1 for the average of both strips and 0 for either.
    """
    return [
        below("sharpness of what is decoded, over that of the data", decoded, 0.9, form=".2f"),
        above("the same of pixels drawn from it, over that of binarised data", drawn, 0.9, form=".2f"),
        below("the same of blurred data, a control", blurred, 0.9, form=".2f"),
        within("the same of other test digits, a control", again, 0.9, 1.1, form=".3f"),
        above("runs of the toy with a code just where it pays", agrees, 0.9, form=".2f"),
        above("grey in the toy where a code does not pay", grey, 0.9, form=".3f"),
    ]


@claim(
    "GA5",
    NOTEBOOK,
    notes="We have to keep well-matched in a contest.",
    says="Where one player's steps are a hundred times those of the other, the samples end up farther from the data "
    "than in a matched contest, whatever the loss and whatever equal step size it has.",
    measured_by="distance of samples and data for three ratios of the step sizes, seed by seed; contests with equal "
    "steps of the larger and of the smaller size",
    since="2026-11-30",
    before="The rule before compared intervals of means that one seed can carry, chose the best ratio after the run, "
    "asked one loss of two, and had no contest with equal steps of the same size.",
)
def a_contest_out_of_balance_ends_farther_from_the_data(
    behind: Mapping[str, Interval],
    ahead: Mapping[str, Interval],
    behind_alone: Mapping[str, Interval],
    ahead_alone: Mapping[str, Interval],
) -> list[Part]:
    """Shares of the seeds in which the contest out of balance ends farther from the data than another one with the
    same seed; ½ if the two do not differ. `behind`, `ahead`: the discriminator's steps are 1/100, or 100 times, those
    of the generator, against the ratio 1 with steps of 10⁻³, for each loss. `behind_alone`, `ahead_alone`: against both
    players taking steps of the size that one of the two has there, "10⁻⁴" or "10⁻²", non-saturating.
    """
    ends = {"D far behind": (behind, behind_alone), "D far ahead": (ahead, ahead_alone)}
    return [
        above(f"{end}: seeds farther than with {other}", share, 0.5, form=".2f")
        for end, (losses, sizes) in ends.items()
        for other, share in (
            *((f"ratio 1, {loss}", share) for loss, share in losses.items()),
            *((f"equal steps of {size}", share) for size, share in sizes.items()),
        )
    ]


@claim(
    "GA6",
    NOTEBOOK,
    notes="When the discriminator fails, that does not guarantee realistic images: it may just be stupid.",
    says="In nearly every contest of a weak discriminator the samples are bad, and a stronger one sees it; in more "
    "than half of them the weak one sees much less.",
    measured_by="the discriminator's verdict beside that of a stronger one, trained later, and the samples' quality",
    since="2026-11-30",
    before="The rule before asked that the weak one be right in less than 70 % on average; but from seed to seed it is "
    "right in 6 to 88 %, so that its mean says little. The sentence said that the weak one misses bad samples in "
    "nearly every contest; the rule asks that for more than half.",
)
def a_weak_discriminator_misses_what_a_stronger_one_sees(
    found_out: Interval, bad: Interval, missed: Interval, ahead_strong: Interval, good_strong: Interval
) -> list[Part]:
    """With few units: `found_out`, share of seeds in which another discriminator is right above 0.9; `bad`, in which
    less than a tenth of the samples is good: *nearly every* is 0.8, and 20 of 20 give 0.84 at least. `missed`: in which
    the other is right more often by above 0.25, half of the way from a coin to certainty: more often than not. With
    most units: `ahead_strong`, by how much the other is ahead, is within ±0.1, so that the gap comes from the units and
    not from having been trained later; `good_strong`, share of good samples, is above that tenth.
    """
    return [
        above("few units: seeds in which a stronger discriminator is right above 0.9", found_out, 0.8, form=".2f"),
        above("few units: seeds with less than a tenth of the samples good", bad, 0.8, form=".2f"),
        above("few units: seeds in which the stronger one is ahead by above 0.25", missed, 0.5, form=".2f"),
        within("most units: the other discriminator is ahead by", ahead_strong, -0.1, 0.1, form=".3f"),
        above("most units: share of good samples", good_strong, 0.1, form=".2f"),
    ]


@claim(
    "GA7",
    NOTEBOOK,
    notes="Sometimes the generator finds a specific example that can fail the discriminator.",
    says="There are inputs that the discriminator takes for digits, that lie far from 10,000 training digits in "
    "pixels, and outside the region of digits in features.",
    measured_by="ascent on the discriminator from three starts: its verdict beside the nearest neighbours'",
    since="2026-11-30",
    before="The rule before was met if one of six starts sufficed, did not use the distances, and said that nothing "
    "else takes them for real, of which it had asked two things. The sentence said far from all digits, in pixels "
    "and in features; but in features no distance is measured.",
)
def ascent_ends_where_the_discriminator_sees_digits_and_there_are_none(
    taken: Mapping[str, Interval], outside: Mapping[str, Interval], far: Mapping[str, Interval], inside_digits: Interval
) -> list[Part]:
    """By start: `taken`, share of seeds in which above nine tenths of the images have a logit above that of the median
    digit; `outside`, share of seeds in which less than half as many of them as of unseen digits lie in the region of
    digits; both in nearly every seed, 0.8. `far`: the median image's distance in pixels to the nearest of 10,000
    training digits, over that of unseen digits, which is 1 for these; half as much again is 1.5. The weakest of the
    starts decides. `inside_digits`: share of unseen digits in their own region, without which to lie outside means
    nothing.
    """
    weakest = {
        name: min(rows.values(), key=lambda each: each.low)
        for name, rows in (("taken", taken), ("outside", outside), ("far", far))
    }
    return [
        above("seeds in which D takes them for digits, fewest of all starts", weakest["taken"], 0.8, form=".2f"),
        above("seeds in which they lie outside, fewest of all starts", weakest["outside"], 0.8, form=".2f"),
        above("distance to the nearest digit over that of digits, least", weakest["far"], 1.5, form=".2f"),
        above("unseen digits inside, a control", inside_digits, 0.8, form=".2f"),
    ]


@claim(
    "GA8",
    NOTEBOOK,
    notes="GANs often suffer from mode collapse: a limited variety of outputs.",
    says="A plain GAN loses modes in more than half of the runs, on ring and on grid, and the recipe with R1 reduces "
    "how often.",
    measured_by="share of seeds in which a mode is missing, with the plain game and with the recipe",
    since="2026-11-30",
    before="The rule before was met if one of five cures did better on one of two sets, and took a share for its "
    "interval.",
)
def a_plain_gan_loses_modes_and_the_recipe_fewer(
    plain: Mapping[str, Interval], recipe: Mapping[str, Interval]
) -> list[Part]:
    """Shares of the seeds in which a mode is missing, by set. *Often* is more than half; *reduces* is a difference
    below 0, by Newcombe's interval ("Interval estimation for the difference between independent proportions", 1998,
    method 10).
    """
    return [
        *(
            above(f"{points}: plain runs with a mode missing", share, 0.5, form=".2f")
            for points, share in plain.items()
        ),
        *(
            below(
                f"{points}: the recipe's share less the plain game's",
                difference(recipe[points], plain[points]),
                0,
                form=".2f",
            )
            for points in plain
        ),
    ]


def difference(first: Interval, second: Interval) -> Interval:
    """The first share less the second, from their Wilson intervals (Newcombe 1998, method 10)."""
    value = first.value - second.value
    down = ((first.value - first.low) ** 2 + (second.high - second.value) ** 2) ** 0.5
    up = ((first.high - first.value) ** 2 + (second.value - second.low) ** 2) ** 0.5
    return Interval(value, value - down, value + up, min(first.n, second.n))
