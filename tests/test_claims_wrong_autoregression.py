"""Models of chapter 01 made wrong on purpose: what is measured on them makes the rules say that the claim fails."""

import itertools

import pytest
import torch
from worlds import decided

from gencourse.claims import CLAIMS, Outcome
from gencourse.data import all_sequences, tiny_images
from gencourse.metrics import Interval, mean_interval, reach, receptive_field
from gencourse.models import ContextTable, PixelCNN, PixelRNN, WaveNet
from gencourse.models.causal import VerticalConv2d
from gencourse.models.pixelrnn import DiagonalBiLSTM

SURE = Interval(512.0, 511.0, 513.0, 3)


def scrambled(model, factor=3.0):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)
    return model


def total(model, x):
    with torch.no_grad():
        return model.log_prob(x).double().exp().sum().item()


def pairs(model, see):
    """Inputs that are seen, over all predictions: those at or after the prediction, those before it."""
    ahead = before = 0
    for i, position in enumerate(itertools.product(*map(range, model.event_shape))):
        seen = (see(model, position) > 0).flatten()
        ahead, before = ahead + seen[i:].sum().item(), before + seen[:i].sum().item()
    return ahead, before


def fallen(id, **measurements):
    """The parts that do not hold; the claim must not hold."""
    outcome, parts = decided(id, **measurements)
    assert outcome is Outcome.FAILS, parts
    return parts


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def leaking_mask(shape=(1, 3, 3)):
    model = PixelCNN(shape, n_blocks=1, channels=8)
    model.body.first.mask[-1, 3] = 1
    return scrambled(model)


def test_ar1_a_mask_that_leaks_does_not_sum_to_one():
    sums = {"a leak": total(leaking_mask(), tiny_images(3))}
    assert fallen("AR1", sums=sums, leaking=SURE) == ["largest distance of Σp from one"]


def test_ar1_an_order_read_from_the_right_sums_to_one_so_that_a_gradient_must_tell():
    model = PixelCNN((1, 3, 3), n_blocks=1, channels=8)
    for layer in model.modules():
        if hasattr(layer, "mask"):
            layer.mask.copy_(layer.mask.flip(1))
    assert abs(total(scrambled(model), tiny_images(3)) - 1) < 1e-5
    leaks, _ = pairs(model, receptive_field)
    assert fallen("AR2", leaks={"mirrored": leaks}, seen=Interval(1, 1, 1), caught=Interval(1, 1, 1))


@pytest.mark.parametrize("make", [leaking_mask, lambda shape: PixelCNN(shape, stacks="gated", n_blocks=1, channels=8)])
def test_ar2_a_leak_is_seen_by_the_gradient(make):
    model = make((1, 4, 4))
    if hasattr(model.body, "layers"):
        model.body.layers[0].vertical = VerticalConv2d(1, 16, 7, "B")  # the own row, whole
    leaks, _ = pairs(model, receptive_field)
    assert fallen("AR2", leaks={"leak": leaks}, seen=Interval(1, 1, 1), caught=Interval(1, 1, 1))


def test_ar2_a_network_that_sees_nothing_does_not_pass():
    model = PixelCNN((1, 4, 4), n_blocks=1, channels=8)
    with torch.no_grad():
        model.body.first.weight.zero_()
    (ahead, seen), (_, allowed) = pairs(model, receptive_field), pairs(model, reach)
    assert ahead == 0 and allowed > 0
    shares = mean_interval([seen / allowed] * 2)
    assert fallen("AR2", leaks={"blind": ahead}, seen=shares, caught=Interval(1, 1, 1)) == [
        "share of the past that is found, of what the masks let through"
    ]


def missed(model, place):
    return {tuple(p) for p in (~reach(model, (0, *place))[0]).nonzero().tolist() if tuple(p) < place}


def test_ar3_shallow_stacks_wide_kernels_and_a_missing_blank_column_do_not_pass():
    shape, place = (1, 9, 9), (6, 3)
    wedge = {(i, j) for i in range(6) for j in range(9) if j - 3 > 6 - i}
    past = 6 * 9 + 3

    def parts(diagonal, two_stacks, one_stack):
        dark = missed(one_stack, place)
        return CLAIMS["AR3"].decide(
            past=[past],
            diagonal=[past - len(missed(diagonal, place))],
            two_stacks=[past - len(missed(two_stacks, place))],
            wedge=[len(wedge)],
            dark={"deep": [len(dark)]},
            misplaced=len(dark ^ wedge),
        )

    right = dict(
        diagonal=PixelRNN(shape, kind="diagonal", hidden=2),
        two_stacks=PixelCNN(shape, stacks="gated", n_blocks=9, channels=2, first_kernel=3),
        one_stack=PixelCNN(shape, n_blocks=9, channels=2, first_kernel=3),
    )
    assert parts(**right).outcome is Outcome.HOLDS
    literal = PixelRNN(shape, kind="diagonal", hidden=2, first_kernel=3)
    literal.blank, literal.layers = 0, torch.nn.ModuleList([DiagonalBiLSTM(2, 9, 9)])
    shallow = PixelCNN(shape, stacks="gated", n_blocks=2, channels=2, first_kernel=3)
    wide = PixelCNN(shape, n_blocks=9, channels=2, kernel_size=5, first_kernel=3)
    for wrong in ({"diagonal": literal}, {"two_stacks": shallow}, {"one_stack": wide}):
        assert parts(**{**right, **wrong}).outcome is Outcome.FAILS


def test_ar4_a_table_of_the_left_neighbour_beats_one_without():
    """The "network" is a table that knows nothing; the baseline is better, image for image."""
    x = tiny_images(3)[torch.rand(512) < 0.5]
    x[..., 1:] = x[..., :1]  # stripes: what is left says all
    better = ContextTable((1, 3, 3), [(0, -1)]).count(x)
    worse = ContextTable((1, 3, 3)).count(x)
    saved = mean_interval(better.log_prob(x).neg() - worse.log_prob(x).neg(), block=10)
    assert len(fallen("AR4", saved=saved, paired={"left": saved}, gap=1e-5, leaking_gap=9.0)) == 2


def wavenet(leak):
    model = WaveNet((5,), levels=4, dilations=(1, 2), channels=8, skip_channels=8)
    model.first.past -= leak
    return scrambled(model)


def test_ar8_a_wavenet_that_sees_the_present_is_no_distribution():
    model, x = wavenet(True), all_sequences(5, 4)
    ahead, _ = pairs(model, receptive_field)
    measured = dict(total=total(model, x), leaking=SURE, ahead=ahead, caught=5, planted=5, seen=5, context=5)
    assert fallen("AR8", **measured) == [
        "distance of Σp from one",
        "pairs with a gradient, input at or after the prediction",
    ]
    right = wavenet(False)
    measured |= dict(total=total(right, x), ahead=pairs(right, receptive_field)[0])
    assert CLAIMS["AR8"].decide(**measured).outcome is Outcome.HOLDS


def test_ar9_without_dilation_the_context_does_not_double():
    models = [WaveNet((40,), levels=4, dilations=[1] * n, channels=2, skip_channels=2) for n in range(1, 5)]
    plain = [reach(model, (39,)).sum().item() for model in models]
    work = [100, 150, 200, 250]
    assert fallen("AR9", dilated=plain, plain=plain, operations=work, plain_operations=work)
