"""Laws of the autoregressive models, and proof that each law bites: bugs are put in, and the law must fail.

A new autoregressive model joins all laws by one entry in FAMILIES: a function that builds a small one with large
weights, given event_shape, levels, n_classes, scale and channels. Then its probabilities sum to one, no gradient comes
from the future, cached and uncached samples are the same, and so on, with classes and without.

Weights are made large, so that a leak would be large as well, but the last layer's not so large that all probability
falls on one event, which would hide it. What PixelRNN alone promises stands in test_models_pixelrnn.py.
"""

import contextlib
import copy
import math
import os
import signal
import subprocess
import sys
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from gencourse.metrics import receptive_field
from gencourse.models import ContextTable, PixelCNN, PixelRNN, WaveNet
from gencourse.models import base as base_module
from gencourse.models import causal as causal_module
from gencourse.models.base import Autoregressive, CrossEntropy, fourier_features, sample_level
from gencourse.models.cached import compiled
from gencourse.models.cached import wavenet as cached_wavenet
from gencourse.models.cached.rows import RowCache
from gencourse.models.cached.wavenet import SEQUENCES_PER_THREAD, CausalQueue
from gencourse.models.causal import CausalConv1d, MaskedConv2d, VerticalConv2d, causal_mask

STACKS = ("single", "gated")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def enlarge(model, scale, seed=0):
    """Uniform weights, `scale` times as large as those that keep a signal's size; logits of standard deviation 2."""
    random = generator(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = scale / math.sqrt(max(1, parameter[0].numel()))
            parameter.uniform_(-spread, spread, generator=random)
        x = torch.randint(model.levels, (64, *model.event_shape), generator=random)
        spread = model.logits(x, classes(model, 64)).std()
        for parameter in model.head[-1].parameters():
            parameter.mul_(2 / spread)
    return model


def pixelcnn(event_shape=(1, 4, 5), levels=2, stacks="gated", scale=3.0, seed=0, **sizes):
    sizes = {"n_blocks": 2, "channels": 6, "first_kernel": 3, **sizes}
    return enlarge(PixelCNN(event_shape, levels, stacks, **sizes), scale, seed)


def wavenet(event_shape=(12,), levels=3, scale=3.0, seed=0, **sizes):
    sizes = {"dilations": (1, 2), "channels": 5, "skip_channels": 6, **sizes}
    return enlarge(WaveNet(event_shape, levels, **sizes), scale, seed)


def pixelrnn(event_shape=(1, 4, 5), levels=2, kind="row", scale=3.0, seed=0, channels=4, **sizes):
    sizes = {"hidden": channels, "first_kernel": 3, **sizes}
    return enlarge(PixelRNN(event_shape, levels, kind, **sizes), scale, seed)


def table(event_shape=(1, 4, 5), levels=2, neighbours=((0, -1), (-1, 1))):
    model = ContextTable(event_shape, neighbours, levels)
    model.counts.copy_(10 * torch.rand(model.counts.shape, generator=generator()) ** 4)
    return model


FAMILIES = {
    "single": lambda **sizes: pixelcnn(stacks="single", **sizes),
    "gated": lambda **sizes: pixelcnn(stacks="gated", **sizes),
    "single, placed": lambda **sizes: pixelcnn(stacks="single", place_bias=True, **sizes),
    "gated, placed": lambda **sizes: pixelcnn(stacks="gated", place_bias=True, **sizes),
    "single, fourier": lambda **sizes: pixelcnn(stacks="single", fourier=3, **sizes),
    "gated, fourier": lambda **sizes: pixelcnn(stacks="gated", fourier=3, **sizes),
    "row": lambda **sizes: pixelrnn(kind="row", **sizes),
    "diagonal": lambda **sizes: pixelrnn(kind="diagonal", **sizes),
    "wavenet": wavenet,
}
family = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)


def random_events(model, n, seed=1):
    return torch.randint(model.levels, (n, *model.event_shape), generator=generator(seed))


def classes(model, n):
    return None if model.n_classes is None else torch.arange(n) % model.n_classes


# -- the laws ----------------------------------------------------------------------------------------------------


def law_sums_to_one(model):
    """Σp = 1, by enumeration."""
    events = list(product(range(model.levels), repeat=math.prod(model.event_shape)))
    x = torch.tensor(events).view(-1, *model.event_shape)
    for c in range(model.n_classes or 1):
        condition = None if model.n_classes is None else torch.full((len(x),), c)
        with torch.no_grad():
            log_p = model.log_prob(x, condition)
        assert log_p.shape == (len(x),) and log_p.dtype == torch.float32
        assert 0.3 < log_p.std() < 12, "the test has no power over a nearly uniform or a nearly certain model"
        assert log_p.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def seen_from(model, position, n_probes=32):
    """(D,) True where the logits at the raster position change with the input."""
    index = [int(i) for i in torch.unravel_index(torch.tensor(position), model.event_shape)]
    return (receptive_field(model, index, n_probes) > 0).flatten()


def law_no_future(model):
    """No gradient from the present or the future, some from the past: at every position."""
    for i in range(math.prod(model.event_shape)):
        seen = seen_from(model, i)
        assert not seen[i:].any(), f"position {i} sees {i + seen[i:].nonzero().flatten()}"
        assert i == 0 or seen[:i].any(), f"position {i} sees nothing"


def law_cached(model, n):
    """One position at a time gives the logits of the whole pass, and the same samples."""
    condition = classes(model, n)
    fast, slow = (model.sample(n, generator(3), cached=cached, condition=condition) for cached in (True, False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_module, "fill_cached", base_module.fill_by_steps)
        assert torch.equal(fast, model.sample(n, generator(3), condition=condition))
    assert fast.shape == (n, *model.event_shape) and fast.dtype == torch.uint8
    for x in (fast, random_events(model, n)):
        values = x.long().flatten(1)
        with torch.no_grad():
            step = model.stepper(n, condition)
            steps = [step(values[:, i - 1] if i else None) for i in range(values.shape[1])]
            expected = model.logits(x, condition).flatten(2)
        assert expected.std() > 0.1
        torch.testing.assert_close(torch.stack(steps, -1), expected, atol=1e-4, rtol=0)
    assert torch.equal(fast, slow)


def law_items(model):
    """A batch gives what its items give one at a time."""
    x, condition = random_events(model, 5), classes(model, 5)
    together = model.log_prob(x, condition)
    one = [(x[i : i + 1], None if condition is None else condition[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(together, torch.cat([model.log_prob(*item) for item in one]), atol=1e-4, rtol=1e-5)
    for cached in (True, False):  # the second half of a batch, given its first pixels, is sampled as it is alone
        whole = model.sample(4, generator(5), cached=cached, condition=classes(model, 4))
        again = model.sample(
            4, generator(5), cached=cached, condition=classes(model, 4), prefix=beginning(model, whole)
        )
        assert torch.equal(whole, again)


def beginning(model, x, part=0.5):
    """The upper rows, or the beginning, of events."""
    if len(model.event_shape) == 1:
        return x[:, : int(part * x.shape[1])]
    return x[:, :, : int(part * x.shape[2])]


def law_prefix(model, part):
    """A prefix is kept, decides what follows, and leads back to the sample whose prefix it is."""
    condition = classes(model, 24)
    prefix = beginning(model, random_events(model, 24), part)
    fast, slow = (
        model.sample(24, generator(4), cached=cached, prefix=prefix, condition=condition) for cached in (True, False)
    )
    for x in (fast, slow):
        assert torch.equal(beginning(model, x, part).long(), prefix)
    assert torch.equal(fast, slow)
    whole = model.sample(24, generator(4), condition=condition)
    for cached in (True, False):
        again = model.sample(24, generator(4), cached=cached, prefix=beginning(model, whole, part), condition=condition)
        assert torch.equal(again, whole)


def law_pure(model):
    """Nothing that is asked of a model changes it, and asking twice gives the same."""
    before = copy.deepcopy(model.state_dict())
    x, condition = random_events(model, 3), classes(model, 3)
    kept = x.clone()
    state = torch.get_rng_state()
    first = model.log_prob(x, condition), model.sample(3, generator(1), condition=condition)
    second = model.log_prob(x, condition), model.sample(3, generator(1), condition=condition)
    model.sample(3, generator(1), cached=False, condition=condition)
    for a, b in zip(first, second):
        assert torch.equal(a, b)
    assert torch.equal(x, kept)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state), "the global random state was touched"


def law_float32(model):
    """log_prob is computed in float32, whatever autocast is around it."""
    x, condition = random_events(model, 4), classes(model, 4)
    expected = model.log_prob(x, condition)
    with torch.autocast("cpu", torch.bfloat16):
        inside = model.log_prob(x, condition)
        samples = model.sample(4, generator(1), condition=condition)
    assert inside.dtype == torch.float32 and torch.equal(inside, expected)
    assert torch.equal(samples, model.sample(4, generator(1), condition=condition))


# -- … hold --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [None, 2])
@family
def test_a_family_keeps_the_laws_of_the_chain_rule(build, n_classes):
    """The three laws that make a model autoregressive; below, architecture by architecture, with all their sizes."""
    is_image = len(build().event_shape) == 3
    law_sums_to_one(build(event_shape=(1, 2, 4) if is_image else (8,), levels=2, n_classes=n_classes))
    law_no_future(build(event_shape=(1, 4, 5) if is_image else (12,), levels=3, n_classes=n_classes))
    for n in (1, 5):
        law_cached(build(event_shape=(1, 5, 4) if is_image else (17,), levels=4, n_classes=n_classes), n)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stacks", STACKS)
@pytest.mark.parametrize(
    "levels, height, width", [(2, 3, 3), (3, 2, 2), (2, 2, 4), (2, 4, 2), (2, 1, 5), (2, 5, 1), (4, 1, 1)]
)
def test_probabilities_of_all_images_sum_to_one(levels, height, width, stacks, seed):
    law_sums_to_one(pixelcnn((1, height, width), levels, stacks, seed=seed, first_kernel=5 if seed == 1 else 3))


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (3, 1), (2, 2)])
@pytest.mark.parametrize("levels, length", [(2, 8), (3, 5), (5, 3)])
def test_probabilities_of_all_sequences_sum_to_one(levels, length, dilations, kernel_size):
    law_sums_to_one(wavenet((length,), levels, dilations=dilations, kernel_size=kernel_size, seed=length))


@pytest.mark.parametrize("stacks", STACKS)
def test_probabilities_sum_to_one_in_every_class(stacks):
    law_sums_to_one(pixelcnn((1, 2, 3), 2, stacks, n_classes=3))
    law_sums_to_one(wavenet((4,), 3, n_classes=3))


def test_probabilities_of_the_table_sum_to_one():
    law_sums_to_one(table((1, 3, 3)))


@pytest.mark.parametrize("kernel_size, first_kernel", [(3, 3), (3, 7), (5, 3), (5, 5), (1, 3)])
@pytest.mark.parametrize("stacks", STACKS)
def test_no_pixel_sees_itself_or_a_later_one(stacks, kernel_size, first_kernel):
    law_no_future(pixelcnn((1, 4, 5), 3, stacks, kernel_size=kernel_size, first_kernel=first_kernel))


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (3, 1), (20,)])
def test_no_sample_sees_itself_or_a_later_one(dilations, kernel_size):
    law_no_future(wavenet((12,), dilations=dilations, kernel_size=kernel_size, n_classes=2))


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("height, width", [(5, 4), (3, 7), (1, 6), (6, 1), (2, 2)])
@pytest.mark.parametrize("kernel_size, first_kernel, n_blocks", [(3, 3, 2), (5, 5, 1), (3, 7, 3), (1, 5, 1), (5, 7, 0)])
@pytest.mark.parametrize("stacks", STACKS)
def test_cached_images_are_uncached_images(stacks, kernel_size, first_kernel, n_blocks, height, width, n):
    sizes = dict(kernel_size=kernel_size, first_kernel=first_kernel, n_blocks=n_blocks)
    law_cached(pixelcnn((1, height, width), 4, stacks, n_classes=3 if n == 5 else None, **sizes), n)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("length", [1, 2, 17])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (5, 3), (20,)])
def test_cached_sequences_are_uncached_sequences(dilations, kernel_size, length, n):
    n_classes = 3 if n == 5 else None
    law_cached(wavenet((length,), 4, dilations=dilations, kernel_size=kernel_size, n_classes=n_classes), n)


def test_cached_table_is_the_uncached_table():
    law_cached(table(levels=3), 5)
    law_prefix(table(), 0.5)
    law_pure(table())


@pytest.mark.parametrize("n_classes", [None, 3])
@family
def test_a_batch_gives_what_its_items_give(build, n_classes):
    law_items(build(n_classes=n_classes))


@pytest.mark.parametrize("part", [0, 0.3, 0.75, 1])
@pytest.mark.parametrize("n_classes", [None, 2])
@family
def test_prefix_is_kept_and_completed(build, n_classes, part):
    law_prefix(build(n_classes=n_classes), part)


@pytest.mark.parametrize("n_classes", [None, 2])
@family
def test_models_are_pure(build, n_classes):
    law_pure(build(n_classes=n_classes))


@pytest.mark.parametrize("n_classes", [None, 2])
@family
def test_likelihood_is_always_in_float32(build, n_classes):
    law_float32(build(n_classes=n_classes))


# -- … and bite ----------------------------------------------------------------------------------------------------


def first_layer_sees_the_present(monkeypatch):
    model = pixelcnn((1, 3, 3), stacks="single")
    model.body.first.mask.copy_(causal_mask(3, "B")[:2])
    return model


def later_layers_see_the_right(monkeypatch):
    model = pixelcnn((1, 3, 3), stacks="single")
    for block in model.body.blocks:
        block.masked.mask.fill_(1)
    return model


def vertical_stack_sees_its_own_row(monkeypatch):
    def forward(self, x):
        padded = F.pad(x, (0, 0, self.kernel_size[0] - 1, 0))
        return F.conv2d(padded, self.weight, self.bias, padding=self.padding)

    monkeypatch.setattr(VerticalConv2d, "forward", forward)
    return pixelcnn((1, 3, 3))


def horizontal_stack_sees_the_present(monkeypatch):
    model = pixelcnn((1, 3, 3))
    model.body.layers[0].horizontal.past -= 1
    return model


def horizontal_feeds_the_vertical(monkeypatch):
    from gencourse.models.pixelcnn import GatedLayer

    original = GatedLayer.forward

    def forward(self, v, h):
        new_v, new_h = original(self, v, h)
        return (new_v + new_h if self.residual else new_v), new_h

    monkeypatch.setattr(GatedLayer, "forward", forward)
    return pixelcnn((1, 3, 3))


def wavenet_sees_the_present(monkeypatch):
    model = wavenet((5,))
    model.first.past -= 1
    return model


def wavenet_is_padded_on_both_sides(monkeypatch):
    def forward(self, x):
        right = self.past // 2
        return F.conv2d(F.pad(x, (self.past - right, right)), self.weight, self.bias, dilation=self.dilation)[
            ..., : x.shape[-1]
        ]

    monkeypatch.setattr(CausalConv1d, "forward", forward)
    return wavenet((5,), kernel_size=3)


LEAKS = [
    first_layer_sees_the_present, later_layers_see_the_right, vertical_stack_sees_its_own_row,
    horizontal_stack_sees_the_present, horizontal_feeds_the_vertical, wavenet_sees_the_present,
    wavenet_is_padded_on_both_sides,
]  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_leak_is_found(leak, monkeypatch):
    model = leak(monkeypatch)
    with pytest.raises(AssertionError, match=r"position \d+ sees tensor"):
        law_no_future(model)
    with pytest.raises(AssertionError, match=r"== 1 ± 1"):
        law_sums_to_one(model)


def test_a_mask_the_wrong_way_round_is_found(monkeypatch):
    """Read from right to left the probabilities still sum to one: the gradient tells."""
    original = causal_module.causal_mask
    monkeypatch.setattr(causal_module, "causal_mask", lambda k, kind: original(k, kind).flip(1))
    with pytest.raises(AssertionError, match="position 0 sees"):
        law_no_future(pixelcnn((1, 3, 3), stacks="single"))


@pytest.mark.parametrize("stacks, truth", [("single", "single_truth"), ("gated", "gated_truth")])
def test_a_receptive_field_too_small_is_found(stacks, truth, monkeypatch):
    """A transposed mask, of which the upper rows leak nothing, and a vertical stack without its link."""
    original = causal_module.causal_mask
    monkeypatch.setattr(causal_module, "causal_mask", lambda k, kind: original(k, kind).T)
    model = pixelcnn((1, 4, 5), stacks=stacks, channels=12)
    with torch.no_grad():
        for layer in model.body.layers if stacks == "gated" else ():
            layer.link.weight.zero_()
    if stacks == "single":
        law_no_future(model)
    with pytest.raises(AssertionError):
        law_receptive_field(model, globals()[truth](4, 5, 3, 3, 2), [(3, 2)])


def rows_are_forgotten(monkeypatch):
    original = RowCache._start_row
    monkeypatch.setattr(RowCache, "_start_row", lambda self, finished: original(self, False))
    return pixelcnn(stacks="single")


def rows_above_are_read_a_row_late(monkeypatch):
    def start_row(self, finished, original=RowCache._start_row):
        original(self, False)
        late, self.late = getattr(self, "late", self.rows), self.rows
        if finished and self.rows.shape[2]:
            self.rows = late

    monkeypatch.setattr(RowCache, "_start_row", start_row)
    return pixelcnn(stacks="single")


def column_is_one_off(monkeypatch):
    original = RowCache.__call__
    monkeypatch.setattr(RowCache, "__call__", lambda self, column, h: original(self, max(column - 1, 0), h))
    return pixelcnn(stacks="single")


def queue_is_one_short(monkeypatch):
    original = CausalQueue.__init__

    def init(self, *arguments, **named):
        original(self, *arguments, **named)
        if self.dilation > 1:
            n = len(self.out)
            self.dilation -= 1
            self.place = self.dilation
            self.bias, self.waiting = self.bias[n:], self.waiting[n:].clone()
            self.waiting_rows = self.waiting.split(n)
            rings = [ring[n:].clone() for ring, _ in self.rings]
            self.rings = [(ring, ring.split(n)) for ring in rings]

    monkeypatch.setattr(CausalQueue, "__init__", init)
    return wavenet()


def queue_starts_with_a_written_sample(monkeypatch):
    original = WaveNet.stepper

    def stepper(self, n, condition):
        step = original(self, n, condition)
        step(None)
        return lambda previous: step(torch.zeros(n, dtype=torch.long) if previous is None else previous)

    monkeypatch.setattr(WaveNet, "stepper", stepper)
    return wavenet()


CACHES = [
    rows_are_forgotten, rows_above_are_read_a_row_late, column_is_one_off, queue_is_one_short,
    queue_starts_with_a_written_sample,
]  # fmt: skip


@pytest.mark.parametrize("bug", CACHES, ids=lambda bug: bug.__name__)
def test_a_wrong_cache_is_found(bug, monkeypatch):
    model = bug(monkeypatch)
    with pytest.raises(AssertionError):
        law_cached(model, 5)


@family
def test_a_prefix_that_is_overwritten_is_found(build, monkeypatch):
    original = Autoregressive._write_prefix
    monkeypatch.setattr(Autoregressive, "_write_prefix", lambda *arguments: max(0, original(*arguments) - 1))
    with pytest.raises(AssertionError):
        law_prefix(build(), 0.75)


@family
def test_a_prefix_that_the_cache_has_not_seen_is_found(build, monkeypatch):
    model = build()

    def stepper(n, condition, original=model.stepper):
        step, calls = original(n, condition), []

        def skip(previous):
            calls.append(previous)
            seen = len(calls) > 0.75 * math.prod(model.event_shape)
            return step(previous if seen or previous is None else torch.zeros_like(previous))

        return skip

    monkeypatch.setattr(model, "stepper", stepper)
    with pytest.raises(AssertionError):
        law_prefix(model, 0.75)


@family
def test_a_batch_that_mixes_its_items_is_found(build, monkeypatch):
    original = Autoregressive.encode
    monkeypatch.setattr(Autoregressive, "encode", lambda self, x: original(self, x) - original(self, x).mean(0))
    with pytest.raises(AssertionError):
        law_items(build())


def test_weights_that_are_masked_in_place_are_found(monkeypatch):
    def masked_weight(self):
        self.weight.data.mul_(self.mask)
        return self.weight

    monkeypatch.setattr(MaskedConv2d, "masked_weight", masked_weight)
    model = pixelcnn(stacks="single")
    model.body.first.weight.data.fill_(0.1)
    with pytest.raises(AssertionError):
        law_pure(model)


@family
def test_global_randomness_is_found(build, monkeypatch):
    monkeypatch.setattr(
        base_module, "sample_level", lambda logits, noise: sample_level(logits, torch.rand(noise.shape))
    )
    with pytest.raises(AssertionError):
        law_pure(build())


@family
def test_a_likelihood_in_bfloat16_is_found(build, monkeypatch):
    def log_prob(self, x, condition=None):
        return -F.cross_entropy(self.logits(x, condition).float(), x.long(), reduction="none").flatten(1).sum(1)

    monkeypatch.setattr(Autoregressive, "log_prob", log_prob)
    with pytest.raises(AssertionError):
        law_float32(build())


# -- receptive fields ------------------------------------------------------------------------------------------------


def inside(height, width, pixels):
    return {(i, j) for i, j in pixels if 0 <= i < height and 0 <= j < width}


def single_truth(height, width, kernel_size, first_kernel, n_blocks):
    """For each pixel the set of pixels it sees: the two masks composed, written from their definition in words."""
    r, f = kernel_size // 2, first_kernel // 2
    places = list(product(range(height), range(width)))

    def looks_at(i, j, r, centre):
        above = {(a, b) for a in range(i - r, i) for b in range(j - r, j + r + 1)}
        left = {(i, b) for b in range(j - r, j)}
        return inside(height, width, above | left | ({(i, j)} if centre else set()))

    seen = {place: looks_at(*place, f, False) for place in places}
    for _ in range(n_blocks):
        seen = {place: set().union(*(seen[p] for p in looks_at(*place, r, True))) for place in places}
    return seen


def gated_truth(height, width, kernel_size, first_kernel, n_blocks):
    """The same for two stacks: rows above in the vertical one, the row's past and the vertical one in the other."""
    r, f = kernel_size // 2, first_kernel // 2
    places = list(product(range(height), range(width)))

    def rows(i, j, r, own):
        return inside(height, width, {(a, b) for a in range(i - r, i + own) for b in range(j - r, j + r + 1)})

    def union(sets, pixels):
        return set().union(*(sets[p] for p in pixels))

    v = {(i, j): rows(i, j, f, 0) for i, j in places}
    h = {(i, j): inside(height, width, {(i, b) for b in range(j - f, j)}) | v[i, j] for i, j in places}
    for _ in range(n_blocks):
        v = {(i, j): union(v, rows(i, j, r, 1)) for i, j in places}
        left = {(i, j): inside(height, width, {(i, b) for b in range(j - r, j + 1)}) for i, j in places}
        h = {place: union(h, left[place]) | v[place] for place in places}
    return h


def seen_pixels(model, row, column):
    strength = receptive_field(model, (0, row, column), n_probes=48)[0]
    return {tuple(pixel) for pixel in (strength > 0).nonzero().tolist()}


def law_receptive_field(model, expected, places):
    """From each place exactly the pixels are seen that the theory names."""
    for place in places:
        assert seen_pixels(model, *place) == expected[place], place


@pytest.mark.parametrize("kernel_size, first_kernel, n_blocks", [(3, 3, 0), (3, 3, 3), (3, 7, 1), (5, 3, 2), (1, 5, 2)])
@pytest.mark.parametrize("stacks, truth", [("single", single_truth), ("gated", gated_truth)])
def test_receptive_field_is_the_composition_of_the_masks(stacks, truth, kernel_size, first_kernel, n_blocks):
    height, width = 6, 9
    sizes = dict(kernel_size=kernel_size, first_kernel=first_kernel, n_blocks=n_blocks)
    model = pixelcnn((1, height, width), 2, stacks, scale=1.7, channels=12, **sizes)
    expected = truth(height, width, kernel_size, first_kernel, n_blocks)
    law_receptive_field(model, expected, [(0, 0), (0, 8), (1, 4), (2, 0), (3, 8), (4, 3), (5, 0), (5, 4), (5, 8)])


def test_single_stack_has_its_blind_spot():
    """With 3×3 kernels, m rows above nothing is seen that lies more than m columns to the right; all else is."""
    height, width, row, column = 6, 9, 5, 3
    model = pixelcnn((1, height, width), stacks="single", scale=1.7, n_blocks=10, channels=12)
    past = {(i, j) for i, j in product(range(height), range(width)) if (i, j) < (row, column)}
    blind = past - seen_pixels(model, row, column)
    assert blind == {(row - m, column + d) for m in range(1, 6) for d in range(m + 1, width - column)}
    assert {(4, 5), (4, 8), (3, 6), (2, 7), (1, 8)} <= blind and len(blind) == 10


def test_gated_stacks_have_no_blind_spot():
    height, width = 6, 9
    model = pixelcnn((1, height, width), stacks="gated", scale=1.7, n_blocks=8, channels=12)
    for row, column in [(0, 8), (3, 0), (5, 3), (5, 8)]:
        past = {(i, j) for i, j in product(range(height), range(width)) if (i, j) < (row, column)}
        assert seen_pixels(model, row, column) == past


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (3, 1), (2, 2), (7,)])
def test_receptive_field_of_wavenet(dilations, kernel_size):
    model = wavenet((40,), dilations=dilations, kernel_size=kernel_size, scale=1.5)
    back = {0}  # how far each path leads back: one tap of each layer, and the first layer starts at one
    for dilation in dilations:
        back = {b + tap * dilation for b in back for tap in range(kernel_size)}
    back = {b + 1 + tap for b in back for tap in range(kernel_size)}
    seen = seen_from(model, 39)
    assert {39 - i for i in seen.nonzero().flatten().tolist()} == back
    assert model.receptive_field == max(back)
    if dilations != (7,) and kernel_size == 2:
        assert seen.sum() == model.receptive_field


@pytest.mark.parametrize("kind, centre", [("A", 0), ("B", 1)])
@pytest.mark.parametrize("k", [1, 3, 5, 7])
def test_causal_mask_is_raster_order(k, kind, centre):
    r = k // 2
    expected = [[float((i, j) < (r, r) or (centre and (i, j) == (r, r))) for j in range(k)] for i in range(k)]
    assert causal_mask(k, kind).tolist() == expected


# -- smaller promises ------------------------------------------------------------------------------------------------


@family
def test_every_parameter_gets_a_gradient(build):
    model = build(scale=1.5, n_classes=2, levels=3, channels=12)
    model.loss(random_events(model, 64), classes(model, 64)).backward()
    masks = {f"{name}.weight": m.mask for name, m in model.named_modules() if isinstance(m, MaskedConv2d)}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no part in the loss"
        got = parameter.grad != 0
        if parameter.dim() == 4 or name.startswith("head."):
            got = got.any(0).any(0)  # single rectified units may be off, but each tap of a kernel works
        elif name.endswith("upsample.weight"):
            got = got.any(0)  # each state of an LSTM; what it adds may be off in the rectifier that follows
        elif name.endswith("class_bias.weight"):
            got = got.any(1)  # each class
        elif name.endswith("place_bias"):
            got = got.any(0)  # each place
        expected = masks[name].bool() if name in masks else torch.ones_like(got)
        assert got.any() and (parameter.dim() == 1 or torch.equal(got, expected)), name


def test_fourier_features_tell_neighbouring_levels_apart():
    levels = torch.arange(256.0).view(1, 1, 1, 256)
    model = PixelCNN((1, 1, 256), levels=256)
    features = fourier_features(model.encode(levels), 7)[0, :, 0].T  # (256, 15)
    u = 2 * 253 / 255 - 1
    expected = [u] + [wave(2**k * math.pi * u) for wave in (math.sin, math.cos) for k in range(7)]
    torch.testing.assert_close(features[253], torch.tensor(expected), atol=1e-4, rtol=0)
    assert (features[1:] - features[:-1]).norm(dim=1).min() > 1  # by the level alone 2/255 apart


@family
def test_condition_matters_at_every_position(build):
    model = build(n_classes=3)
    x = random_events(model, 1).repeat(3, *[1] * len(model.event_shape))
    logits = model.logits(x, torch.arange(3))
    assert ((logits[:1] - logits[1:]).abs().amax((0, 1)) > 1e-3).all()


@family
def test_integer_types_give_the_same(build):
    model = build(levels=3)
    x = random_events(model, 4)
    for dtype in (torch.uint8, torch.int16, torch.int32):
        assert torch.equal(model.log_prob(x.to(dtype)), model.log_prob(x))
        assert model.loss(x.to(dtype)) == model.loss(x)
        prefix = beginning(model, x)
        same = [model.sample(4, generator(), prefix=p) for p in (prefix, prefix.to(dtype))]
        assert torch.equal(*same)
    assert torch.equal(model.logits(x.float()), model.logits(x))


@pytest.mark.parametrize("rows", [1, 7, 40, 41, 1000])  # in a slice
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cross_entropy_in_slices_is_pytorchs(rows, dtype, monkeypatch):
    logits, target = 5 * torch.randn(41, 9, generator=generator()), torch.randint(9, (41,), generator=generator())
    logits[0] = 1000 * logits[0]  # a softmax without the maximum taken off would overflow
    logits = logits.to(dtype)
    ours, theirs = logits.clone().requires_grad_(), logits.float().requires_grad_()
    monkeypatch.setattr(CrossEntropy, "SLICE", 9 * rows)
    loss = CrossEntropy.apply(ours, target)
    expected = F.cross_entropy(theirs, target, reduction="sum")
    torch.testing.assert_close(loss, expected)
    (3 * loss).backward()
    (3 * expected).backward()
    assert ours.grad.dtype == dtype
    torch.testing.assert_close(ours.grad.float(), theirs.grad, atol=1e-5 if dtype == torch.float32 else 0.02, rtol=0)


@pytest.mark.parametrize(
    "new",
    [
        lambda: PixelCNN((1, 4, 5), n_blocks=1, channels=4, n_classes=3),
        lambda: PixelCNN((1, 4, 5), n_blocks=1, channels=4, stacks="gated", n_classes=3),
        lambda: PixelRNN((1, 4, 5), hidden=4, n_classes=3),
        lambda: WaveNet((20,), levels=2, dilations=(1, 2), n_classes=3),
    ],
)
def test_a_class_says_nothing_before_it_is_learned(new):
    model = new()
    x = random_events(model, 1).repeat(3, *(1 for _ in model.event_shape))
    first, *others = model.log_prob(x, torch.arange(3))
    assert all(torch.equal(first, other) for other in others)
    model.loss(x[:1], torch.tensor([1])).backward()
    for name, parameter in model.named_parameters():
        if "class_bias" in name:
            assert parameter.grad[1].abs().sum() > 0 and parameter.grad[[0, 2]].abs().sum() == 0


@family
def test_loss_is_the_mean_of_log_prob(build):
    model = build(n_classes=2)
    x, condition = random_events(model, 6), classes(model, 6)
    expected = -model.log_prob(x, condition).mean()
    torch.testing.assert_close(model.loss(x, condition), expected)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(x, condition)
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(expected.item(), rel=0.03)


@family
def test_one_prefix_serves_all(build):
    model = build()
    prefix = beginning(model, random_events(model, 1))
    shared = model.sample(3, generator(), prefix=prefix)
    repeated = model.sample(3, generator(), prefix=prefix.expand(3, *prefix.shape[1:]))
    assert torch.equal(shared, repeated)


@family
def test_samples_need_no_gradient_and_their_number_may_be_zero(build):
    model = build()
    assert model.sample(0).shape == (0, *model.event_shape)
    assert model.sample(0).dtype == torch.uint8
    seen = []
    model.sample(1, generator(), progress=lambda positions: seen.append(len(positions)) or positions)
    assert seen == [math.prod(model.event_shape)]


def test_sampling_follows_the_weights_of_the_moment():
    for build in FAMILIES.values():
        model = build()
        model.sample(1, generator())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.neg_()
        law_cached(model, 5)


def test_the_compiled_loop_of_wavenet_is_the_stepper(monkeypatch):
    """Long enough for every ring to go round; whole, after a prefix, by several threads, and piece by piece."""
    used, fill_compiled = [], cached_wavenet.fill_compiled
    monkeypatch.setattr(cached_wavenet, "fill_compiled", lambda *given: used.append(fill_compiled(*given)))
    model = wavenet((300,), 8, dilations=(1, 2, 4, 8, 16), kernel_size=3, n_classes=3)
    few = SEQUENCES_PER_THREAD * torch.get_num_threads()
    condition = torch.arange(few) % 3
    prefix = random_events(model, few)[:, :50]

    def samples(**given):
        return model.sample(few, generator(3), condition=condition, **given)

    pieces = samples(progress=lambda positions: [i for i in positions])
    fast = samples(), samples(prefix=prefix), pieces
    assert len(used) == 3
    model.sample(few + 1, condition=torch.zeros(few + 1, dtype=torch.long))
    assert len(used) == 3, "the stepper is for many sequences"
    monkeypatch.setattr(base_module, "fill_cached", base_module.fill_by_steps)
    for ours, theirs in zip(fast, (samples(), samples(prefix=prefix), fast[0]), strict=True):
        assert torch.equal(ours, theirs)


def test_without_numba_the_stepper_samples(monkeypatch):
    model = wavenet((6,))
    expected = model.sample(2, generator())
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "gencourse.models.cached.compiled")
    monkeypatch.delattr("gencourse.models.cached.compiled")
    assert torch.equal(model.sample(2, generator()), expected)


def test_the_compiled_loop_runs_in_slices_and_hears_ctrl_c():
    """A kernel that only notes its calls: each takes up where the one before ended, and Ctrl-C comes in between."""
    slices = []

    def kernel(x, noise, first, last, written):
        slices.append((first, last))
        x[:, first:last] = 1
        if len(slices) == at:
            signal.raise_signal(signal.SIGINT)

    for at in (0, 5):
        x = torch.zeros(1, 20_000, dtype=torch.long)
        with pytest.raises(KeyboardInterrupt) if at else contextlib.nullcontext():
            compiled.run(kernel, x, torch.zeros(1, 20_000), (), (), 0, None)
        assert len(slices) >= 5 and [first for first, _ in slices] == [0, *(last for _, last in slices[:-1])]
        assert slices[-1][1] == x.sum() and (x.sum() == 20_000) != bool(at)
        slices.clear()


ELSEWHERE = """
import sys, numba, torch
{what}
from gencourse.models import WaveNet
torch.manual_seed(0)
model = WaveNet((30,), 8, dilations=(1, 2), channels=4, skip_channels=4)
fast, plain = (model.sample(2, torch.Generator().manual_seed(1), cached=cached) for cached in (True, False))
loop = sys.modules.get("gencourse.models.cached.compiled")
print(torch.equal(fast, plain), loop is not None and loop.ready())
"""
NOWHERE = """
def refuse(self): raise OSError("read-only file system")
numba.core.caching._CacheLocator.ensure_cache_path = refuse
"""
FULL = """
def refuse(*_): raise OSError(28, "No space left on device")
numba.core.caching.IndexDataCacheFile.save = refuse
numba.core.caching.IndexDataCacheFile.load = lambda *_: None
"""
BROKEN = """
def refuse(*_, **__): raise SystemError("LLVM was built for another processor")
numba.njit = refuse
"""


@pytest.mark.parametrize(
    "what, compiles",
    [(NOWHERE, True), (FULL, False), (BROKEN, False), ("no jit", False)],
    ids=["nowhere to write", "a full disk", "a broken Numba", "NUMBA_DISABLE_JIT"],
)
def test_wavenet_samples_wherever_numba_can_or_cannot_compile(what, compiles):
    environment = dict(os.environ, **(dict(NUMBA_DISABLE_JIT="1") if what == "no jit" else {}))
    code = ELSEWHERE.format(what="" if what == "no jit" else what)
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (child.stdout, child.stderr) == (f"True {compiles}\n", "")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wavenet_steps_in_the_precision_of_its_weights(dtype):
    model, sizes = wavenet((12,)).to(dtype), (2, SEQUENCES_PER_THREAD * torch.get_num_threads() + 1)
    expected = [model.sample(n, generator()) for n in sizes]
    torch.set_default_dtype(torch.float64)
    try:
        found = [model.sample(n, generator()) for n in sizes]
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(map(torch.equal, found, expected))


def test_wavenet_takes_any_length():
    model = wavenet((12,), n_classes=2)
    x = torch.randint(3, (4, 30), generator=generator())
    condition = classes(model, 4)
    logits = model.logits(x, condition)
    torch.testing.assert_close(logits[..., :7], model.logits(x[:, :7], condition), atol=1e-4, rtol=1e-5)
    assert model.log_prob(x[:, :1], condition).shape == (4,)
    assert model.loss(x, condition).item() == pytest.approx(-model.log_prob(x, condition).mean().item(), rel=1e-5)
    long, short = (model.sample(4, generator(), condition=condition, length=length) for length in (30, None))
    assert long.shape == (4, 30) and short.shape == (4, 12)
    slow = model.sample(4, generator(), condition=condition, length=30, cached=False)
    assert torch.equal(long, slow)
    assert model.sample(2, generator(), condition=classes(model, 2), length=30, prefix=x[:2, :20]).shape == (2, 30)


def test_more_than_256_levels_are_int64():
    model = wavenet((3,), 300)
    assert model.sample(2, generator()).dtype == torch.int64
    law_no_future(model)


def test_draw_inverts_the_cumulative_distribution():
    p = torch.tensor([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])
    noise = torch.tensor([0.0, 0.1, 0.1999, 0.2001, 0.69, 0.71, 0.9, 1 - 2**-24])
    assert sample_level(p.log().expand(8, -1), noise).tolist() == [1, 1, 1, 3, 3, 4, 4, 4]
    many = sample_level(p.log().expand(20_000, -1), torch.rand(20_000, generator=generator()))
    torch.testing.assert_close(torch.bincount(many, minlength=6) / 20_000, p, atol=0.015, rtol=0)


def test_a_level_of_no_probability_is_never_drawn():
    """Rounding leaves a cumulative sum a little below one: what lies between is not the last level's."""
    logits = torch.randn(200, 256, generator=generator())
    logits[:, 200:] = -torch.inf
    assert (sample_level(logits, torch.full((200,), 1 - 2**-24)) < 200).all()


def test_a_model_without_a_stepper_is_sampled_by_whole_passes():
    class Coins(Autoregressive):
        def logits(self, x, condition=None):
            return self.encode(x).new_zeros(len(x), self.levels, *self.event_shape)

    coins = Coins((2000,), 2)
    assert coins.sample(1, generator(), cached=False).float().mean() == pytest.approx(0.5, abs=0.05)
    with pytest.raises(NotImplementedError, match="no stepper is registered for Coins; sample with cached=False"):
        coins.sample(1, generator())


def test_a_model_derived_from_another_has_its_stepper():
    class Deeper(WaveNet):
        pass

    model = enlarge(Deeper((12,), 3, dilations=(1, 2), channels=5, skip_channels=6), 3.0)
    law_cached(model, 2)


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["log_prob", "loss", "logits"])
@pytest.mark.parametrize("name", [*FAMILIES, "table"])
def test_bad_examples_are_refused(name, ask):
    shape, expected = ((12,), "batch, samples") if name == "wavenet" else ((1, 4, 5), "1, 4, 5")
    model = {**FAMILIES, "table": table}[name](levels=3)
    call = getattr(model, ask)
    good = torch.zeros(2, *shape, dtype=torch.uint8)
    call(good)
    for bad in (good[0, 0], torch.zeros(2, 3, *shape[1:], 2, dtype=torch.uint8), torch.tensor(1), good[..., :0]):
        with pytest.raises(ValueError, match=rf"x has shape {shape_pattern(bad)}.*{expected}"):
            call(bad)
    with pytest.raises(ValueError, match=r"levels 3 … 3; this model has levels=0 … 2"):
        call(good + 3)
    with pytest.raises(ValueError, match=r"levels -1 … 0; this model has levels=0 … 2"):
        call(good.long() - torch.eye(len(good.flatten())).long()[0].view(good.shape))
    with pytest.raises(ValueError, match="empty batch; expected at least one"):
        call(good[:0])
    with pytest.raises(TypeError, match="x has dtype torch.bool; expected level indices 0 … 2 as uint8 or int64"):
        call(good.bool())
    for bad, word in ((good.tolist(), "a list"), (good.numpy(), "a ndarray|an ndarray"), (None, "None")):
        with pytest.raises(TypeError, match=rf"x is ({word}); expected a torch.Tensor"):
            call(bad)
    broken = good.float()
    broken.flatten()[3] = math.nan
    if ask == "logits" and name != "table":  # a table has no gradient, and no use for floating-point numbers
        for x in (broken, broken / 0):
            with pytest.raises(ValueError, match="x holds NaN or infinite values; expected numbers between"):
                call(x)
        with pytest.raises(ValueError, match="empty batch"):
            call(broken[:0])
    else:
        for x in (broken, good.float(), good.half()):
            with pytest.raises(TypeError, match=rf"dtype {x.dtype}; expected level indices .*binarise or quantise"):
                call(x)


def shape_pattern(x):
    return str(tuple(x.shape)).replace("(", r"\(").replace(")", r"\)")


@pytest.mark.parametrize("name", FAMILIES)
def test_bad_conditions_are_refused(name):
    conditional, plain = FAMILIES[name](n_classes=3), FAMILIES[name]()
    x = random_events(plain, 2)
    one = torch.zeros(2, dtype=torch.long)

    def calls(model):
        yield lambda condition: model.log_prob(x, condition)
        yield lambda condition: model.loss(x, condition)
        yield lambda condition: model.logits(x, condition)
        for cached in (True, False):
            for prefix in (None, x):
                yield lambda condition, k=cached, p=prefix: model.sample(2, cached=k, prefix=p, condition=condition)

    for call in calls(plain):
        with pytest.raises(ValueError, match="condition was given.*built without n_classes"):
            call(one)
    for call in calls(conditional):
        with pytest.raises(ValueError, match=r"condition is missing.*n_classes=3"):
            call(None)
        for bad in (one[:1], one[:, None], torch.tensor(0)):
            with pytest.raises(ValueError, match=rf"condition has shape {shape_pattern(bad)}; expected \(2,\)"):
                call(bad)
        for bad in (one + 3, one - 1):
            with pytest.raises(ValueError, match=rf"classes {bad[0]} … {bad[0]}; this model has 0 … 2"):
                call(bad)
        for bad, word in ((one.float(), "torch.float32"), ([0, 1], "a list"), (1, "an int")):
            with pytest.raises(TypeError, match=f"condition is {word}; expected a tensor of class indices"):
                call(bad)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("name", [*FAMILIES, "table"])
def test_bad_requests_for_samples_are_refused(name, cached):
    model = {**FAMILIES, "table": table}[name](levels=3)
    for n, error in ((-1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError), (True, TypeError)):
        with pytest.raises(error, match=rf"n is {n!r}; expected .*at least 0"):
            model.sample(n, cached=cached)
    x = random_events(model, 4)
    sound = name == "wavenet"
    expected = r"expected \(4 or 1, t\)" if sound else r"expected \(4 or 1, 1, rows, 5\)"
    wrong = [x[0], x[:3], x[:, None], torch.tensor(1)] + ([] if sound else [x[..., :4], x.repeat(1, 2, 1, 1)])
    for bad in wrong:
        with pytest.raises(ValueError, match=rf"prefix has shape {shape_pattern(bad)}; {expected}"):
            model.sample(4, cached=cached, prefix=bad)
    growing = 1 if sound else 2
    length = x.shape[growing]
    with pytest.raises(ValueError, match=rf"prefix is {2 * length} long; the event has only {length}"):
        model.sample(4, cached=cached, prefix=torch.cat([x, x], growing))
    for bad in (x + 3, x - 3):
        with pytest.raises(ValueError, match=rf"prefix has levels {bad.min()} … {bad.max()}; this model has 0 … 2"):
            model.sample(4, cached=cached, prefix=bad)
    for bad, word in ((x.float(), "torch.float32"), (x.tolist(), "a list"), (x.bool(), "torch.bool")):
        with pytest.raises(TypeError, match=f"prefix is {word}; expected a tensor of level indices"):
            model.sample(4, cached=cached, prefix=bad)


def test_bad_lengths_are_refused():
    model = wavenet()
    for length, error in ((0, ValueError), (-3, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match=f"length is {length}; expected .*at least 1"):
            model.sample(1, length=length)
    with pytest.raises(ValueError, match="prefix is 5 long; the event has only 4"):
        model.sample(1, length=4, prefix=torch.zeros(1, 5, dtype=torch.uint8))


@pytest.mark.parametrize(
    "error, message, changes",
    [
        (ValueError, r"event_shape is \(3, 8, 8\); .*\(1, H, W\)", {"event_shape": (3, 8, 8)}),
        (ValueError, r"event_shape is \(8, 8\); .*\(1, H, W\)", {"event_shape": (8, 8)}),
        (ValueError, r"event_shape is \(\); .*\(1, H, W\)", {"event_shape": ()}),
        (ValueError, "event_shape is 0; expected at least 1", {"event_shape": (1, 0, 8)}),
        (ValueError, "event_shape is -8; expected at least 1", {"event_shape": (1, 8, -8)}),
        (TypeError, "event_shape is 8.0; expected an integer", {"event_shape": (1, 8.0, 8)}),
        (TypeError, "event_shape is 28; give a tuple", {"event_shape": 28}),
        (TypeError, "event_shape is None; give a tuple", {"event_shape": None}),
        (TypeError, "event_shape is '28'; give a tuple", {"event_shape": "28"}),
        (ValueError, "levels is 1; expected at least 2", {"levels": 1}),
        (ValueError, "levels is 100000; at most", {"levels": 100_000}),
        (TypeError, "levels is 2.0; expected an integer", {"levels": 2.0}),
        (ValueError, "stacks is 'both'; expected one of", {"stacks": "both"}),
        (ValueError, "n_blocks is -1; expected at least 0", {"n_blocks": -1}),
        (TypeError, "n_blocks is None; expected an integer", {"n_blocks": None}),
        (ValueError, "channels is 1; expected at least 2", {"channels": 1}),
        (ValueError, "kernel_size is 4; .*odd size such as 5", {"kernel_size": 4}),
        (ValueError, "kernel_size is 0; expected at least 1", {"kernel_size": 0}),
        (ValueError, "kernel_size is -3; expected at least 1", {"kernel_size": -3}),
        (TypeError, "kernel_size is 3.0; expected an integer", {"kernel_size": 3.0}),
        (ValueError, "first_kernel is 6; .*odd size such as 7", {"first_kernel": 6}),
        (ValueError, "first_kernel is 1; .*3 or more", {"first_kernel": 1}),
        (ValueError, "n_classes is 0; expected at least 1", {"n_classes": 0}),
        (TypeError, "n_classes is True; expected an integer", {"n_classes": True}),
    ],
)
@pytest.mark.parametrize("stacks", STACKS)
def test_pixelcnn_says_what_is_wrong(stacks, error, message, changes):
    with pytest.raises(error, match=message):
        PixelCNN(**{"event_shape": (1, 8, 8), "stacks": stacks, **changes})


@pytest.mark.parametrize(
    "error, message, changes",
    [
        (ValueError, r"event_shape is \(1, 8, 8\); .*\(length,\)", {"event_shape": (1, 8, 8)}),
        (TypeError, "event_shape is 8000; give a tuple", {"event_shape": 8000}),
        (ValueError, "event_shape is 0; expected at least 1", {"event_shape": (0,)}),
        (ValueError, "a dilation is 0; expected at least 1", {"dilations": (1, 0)}),
        (ValueError, "a dilation is -2; expected at least 1", {"dilations": (-2,)}),
        (TypeError, "a dilation is 1.5; expected an integer", {"dilations": (1.5,)}),
        (TypeError, "dilations is 4; expected a list", {"dilations": 4}),
        (ValueError, "dilations is empty; expected at least one", {"dilations": ()}),
        (ValueError, "kernel_size is 0; expected at least 1", {"kernel_size": 0}),
        (ValueError, "channels is 0; expected at least 1", {"channels": 0}),
        (ValueError, "skip_channels is -1; expected at least 1", {"skip_channels": -1}),
        (ValueError, "levels is 0; expected at least 2", {"levels": 0}),
        (ValueError, "n_classes is 0; expected at least 1", {"n_classes": 0}),
    ],
)
def test_wavenet_says_what_is_wrong(error, message, changes):
    with pytest.raises(error, match=message):
        WaveNet(**{"event_shape": (8,), **changes})


def test_layers_say_what_is_wrong():
    with pytest.raises(ValueError, match="kind is 'C'; expected 'A'.*'B'"):
        causal_mask(3, "C")
    for k in (2, 0):
        with pytest.raises(ValueError, match=f"kernel_size is {k};"):
            causal_mask(k, "A")
        with pytest.raises(ValueError, match=f"kernel_size is {k};"):
            MaskedConv2d(1, 1, k, "A")
        with pytest.raises(ValueError, match=f"kernel_size is {k};"):
            VerticalConv2d(1, 1, k, "A")
    with pytest.raises(ValueError, match="kernel_size is 1;.*3 or more"):
        VerticalConv2d(1, 1, 1, "A")
    with pytest.raises(ValueError, match="dilation is 0; expected at least 1"):
        CausalConv1d(1, 1, 2, dilation=0)
