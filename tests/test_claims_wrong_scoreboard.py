"""The rules of chapter 06 on worlds where a sentence is true, undecided and false, and on things made wrong on purpose.

They are the rules by which sentences near claims of other chapters, and wishes, are read off the board; none is in the
ledger.
"""

import pytest
import torch

from gencourse import data, metrics
from gencourse.claims import CLAIMS, scoreboard
from gencourse.claims.outcome import Outcome, Part, together
from gencourse.metrics import Interval
from gencourse.models import GAN
from gencourse.models.gan import image_gan

N = 400
SEEN = Interval(0.8, 0.7, 0.9, 4)
SOFT = {"a": Interval(0.7, 0.6, 0.8, 3)}
TRUE = {
    "ar5": dict(models={"a": Interval(0.01, -0.01, 0.03, 4)}, controls={"mixture": SEEN}),
    "ar6": dict(quickest=[0.2, 0.21, 0.22], slowest=[0.001, 0.002, 0.003]),
    "ga1": dict(calls=1, moved=20, repeated=True, control=16, pixels=16),
    "va9": dict(decoded=SOFT, blurred=Interval(0.5, 0.49, 0.51, 400), floors=[0.98, 1.02],
                drawn={"a": Interval(1.2, 1.1, 1.3, 3)}, drawn_floors=[0.99, 1.01]),
    "good": dict(distance=Interval(8.0, 7.0, 9.0, 4), floors=[4.0, 5.0]),
    "fast": dict(tries=[0.001, 0.002], limit=0.01),
}  # fmt: skip
FALSE = [
    ("ar5", {"models": {"a": Interval(0.01, -0.01, 0.03, 4), "b": Interval(0.2, 0.1, 0.3, 4)}}),
    ("ar5", {"controls": {"mixture": Interval(0.01, 0.0, 0.02, 4)}}),
    ("ar6", {"quickest": [0.001, 0.002, 0.003]}),
    ("ar6", {"slowest": [0.1, 0.1, 0.1]}),
    ("ga1", {"calls": 2}),
    ("ga1", {"moved": 3}),
    ("ga1", {"repeated": False}),
    ("ga1", {"control": 0}),
    ("ga1", {"pixels": 784}),
    ("va9", {"decoded": {**SOFT, "b": Interval(1.1, 1.05, 1.2, 3)}}),
    ("va9", {"blurred": Interval(1.0, 0.99, 1.01, 400)}),
    ("va9", {"floors": [0.4, 0.5]}),
    ("va9", {"drawn": {"a": Interval(0.8, 0.7, 0.9, 3)}}),
    ("va9", {"drawn_floors": [1.5, 1.6]}),
    ("good", {"distance": Interval(30.0, 28.0, 32.0, 4)}),
    ("good", {"floors": [1.0, 1.1]}),
    ("fast", {"tries": [0.02, 0.03]}),
    ("fast", {"limit": 0.0005}),
]
OPEN = [
    ("ar5", {"models": {"a": Interval(0.04, 0.01, 0.07, 4)}}),
    ("ar6", {"quickest": [0.01, 0.02, 0.09]}),
    ("va9", {"decoded": {"a": Interval(0.9, 0.7, 1.1, 3)}}),
    ("good", {"distance": Interval(13.5, 12.0, 15.0, 4)}),
    ("fast", {"spread": 8.0}),
]


def outcome(rule, changes=()):
    parts = getattr(scoreboard, rule)(**{**TRUE[rule], **dict(changes)})
    return together([parts] if isinstance(parts, Part) else parts)


@pytest.mark.parametrize("rule", TRUE)
def test_where_the_sentence_is_true_it_holds(rule):
    assert outcome(rule) is Outcome.HOLDS


@pytest.mark.parametrize("rule, changes", FALSE)
def test_where_one_measurement_is_wrong_it_does_not_hold(rule, changes):
    assert outcome(rule, changes) is Outcome.FAILS


@pytest.mark.parametrize("rule, changes", OPEN)
def test_where_the_measurements_cover_both_it_is_not_settled(rule, changes):
    assert outcome(rule, changes) is Outcome.OPEN


def test_the_rules_of_the_board_are_not_in_the_ledger():
    assert {claim.rule.__module__ for claim in CLAIMS.values() if claim.rule}.isdisjoint({scoreboard.__name__})


# ------------------------------------------------------------------------------------- real things made wrong


@pytest.fixture(scope="module")
def digits():
    """Random test digits, grey: four sets of N."""
    return data.subset(4 * N, torch.Generator().manual_seed(0), data.mnist("test")[0]).split(N)


def excess(wrong, digits, size=3):
    """As the notebook measures AR5: excess divergence of patches over that of blur, by quarters."""
    real = [data.binarise(x, torch.Generator().manual_seed(1)) for x in digits[:3]]
    soft = (255 * torch.nn.functional.avg_pool2d(digits[3] / 255, 3, 1, 1)).round().to(torch.uint8)
    soft = data.binarise(soft, torch.Generator().manual_seed(2))
    values = []
    for i in range(0, N, N // 4):
        truth, *others = (metrics.patch_frequencies(x[i : i + N // 4], size) for x in [*real, soft, wrong])
        a, b, blur, model = (metrics.jensen_shannon(truth, each) for each in others)
        values.append((model - (a + b) / 2) / (blur - (a + b) / 2))
    return metrics.mean_interval(values)


def test_ar5_falls_for_a_model_that_draws_each_pixel_by_itself(digits):
    p = digits[0].float().mean(0) / 255
    wrong = (torch.rand(N, 1, 28, 28, generator=torch.Generator().manual_seed(3)) < p).to(torch.uint8)
    assert together(scoreboard.ar5({"independent pixels": excess(wrong, digits)}, {"mixture": SEEN})) is Outcome.FAILS
    real = data.binarise(digits[3], torch.Generator().manual_seed(4))
    assert together(scoreboard.ar5({"real": excess(real, digits)}, {"mixture": SEEN})) is not Outcome.FAILS


class Deaf(torch.nn.Module):
    """A generator that makes the same whatever the noise."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, z):
        return self.inner(torch.zeros_like(z))


def test_ga1_falls_for_a_generator_that_ignores_its_noise():
    gan = image_gan(channels=4)
    assert isinstance(gan, GAN)
    gan.generator = Deaf(gan.generator)
    pairs = [[gan.sample(1, torch.Generator().manual_seed(seed)) for seed in (i, 100 + i)] for i in range(20)]
    moved = sum(not torch.equal(a, b) for a, b in pairs)
    assert moved == 0 and together(scoreboard.ga1(1, moved, True, 16, 16)) is Outcome.FAILS


def test_va9_falls_for_a_decoder_whose_images_are_black_and_white(digits):
    sharp = [metrics.sharpness(x / 255).mean().item() for x in digits]
    decoded = [metrics.sharpness((x > 127).float()).mean().item() / sharp[0] for x in digits[:3]]
    blurred = metrics.sharpness(torch.nn.functional.avg_pool2d(digits[3] / 255, 3, 1, 1)) / sharp[0]
    floors = [each / sharp[0] for each in sharp[1:]]
    rest = dict(drawn=TRUE["va9"]["drawn"], drawn_floors=TRUE["va9"]["drawn_floors"])
    parts = scoreboard.va9({"binary": metrics.mean_interval(decoded)}, metrics.mean_interval(blurred), floors, **rest)
    assert [part.outcome for part in parts] == [Outcome.FAILS, Outcome.HOLDS, Outcome.HOLDS]


def test_a_model_that_repeats_training_images_is_seen_even_where_half_of_its_samples_are_far_off(digits):
    train, unseen, reference = (x.flatten(1).double() for x in digits[:3])
    far_off = torch.rand(N // 2, 784, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 255
    held_out = metrics.nearest_distance(reference, train)
    half = metrics.nearest_distance(torch.cat([far_off, train[: N // 2]]), train)
    assert metrics.c_t_of_distances(half, held_out) > -3  # the rank test is blind here
    assert metrics.looks_copied(half, held_out).double().mean() == pytest.approx(0.5, abs=0.01)
    assert metrics.looks_copied(metrics.nearest_distance(unseen, train), held_out).double().mean() < 0.05
