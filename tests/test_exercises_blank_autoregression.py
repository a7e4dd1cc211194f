"""The two whole models of notebook 01: right answers of other architectures, and wrong ones with what is said of them.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gencourse.exercises.autoregression import pixelcnn_from_blank, wavenet_from_blank

RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


class Built:
    """An object with the two methods."""

    def __init__(self, logits, sample):
        self.logits, self.sample = logits, sample


def optimise(parameters, loss, data, steps, generator, lr=0.01, batch=32):
    optimiser = torch.optim.Adam(parameters, lr=lr)
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        loss(data[torch.randint(len(data), (batch,), generator=generator)]).backward()
        optimiser.step()


# pixelcnn_from_blank


def raster(logits, shape):
    """A sampler in reading order."""

    def sample(n, generator):
        x = torch.zeros(n, *shape)
        for i, j in itertools.product(range(shape[1]), range(shape[2])):
            with torch.no_grad():
                p = torch.sigmoid(logits(x)[:, 0, i, j])
            x[:, 0, i, j] = (torch.rand(n, generator=generator) < p).float()
        return x

    return sample


@right
def pixelcnn_from_blank__two_shifted_stacks(images, steps, generator):
    """A vertical and a horizontal stack, gated, without a mask: padding and shifts; no blind spot."""
    v1, h1 = nn.Conv2d(1, 32, (3, 5)), nn.Conv2d(1, 32, (1, 3))
    vs = nn.ModuleList(nn.Conv2d(16, 32, (2, 3)) for _ in range(2))
    hs = nn.ModuleList(nn.Conv2d(16, 32, (1, 2)) for _ in range(2))
    links = nn.ModuleList(nn.Conv2d(32, 32, 1) for _ in range(3))
    out = nn.Conv2d(16, 1, 1)

    def gate(h):
        a, b = h.chunk(2, 1)
        return torch.tanh(a) * torch.sigmoid(b)

    def logits(x):
        v = v1(F.pad(x, (2, 2, 3, 0)))[:, :, :-1]
        h = gate(h1(F.pad(x, (3, 0)))[..., :-1] + links[0](v))
        v = gate(v)
        for vertical, horizontal, link in zip(vs, hs, links[1:]):
            below = vertical(F.pad(v, (1, 1, 1, 0)))
            h = h + gate(horizontal(F.pad(h, (1, 0))) + link(below))
            v = gate(below)
        return out(h)

    parts = nn.ModuleList([v1, h1, vs, hs, links, out])
    optimise(
        parts.parameters(),
        lambda x: F.binary_cross_entropy_with_logits(logits(x), x, reduction="sum") / len(x),
        images,
        steps,
        generator,
    )
    return Built(logits, raster(logits, images.shape[1:]))


@right
def pixelcnn_from_blank__plain_and_slow(images, steps, generator):
    """3×3 kernels only, ReLU between, learning rate 0.003, the weights themselves masked in each pass."""

    class Masked(nn.Conv2d):
        def __init__(self, a, b, kind):
            super().__init__(a, b, 3, padding=1)
            mask = [[1, 1, 1], [1, int(kind == "B"), 0], [0, 0, 0]]
            self.mask = torch.tensor(mask).float()

        def forward(self, x):
            self.weight.data *= self.mask
            return super().forward(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [1, 24, 24, 24, 24]
            layers = []
            for i, (a, b) in enumerate(itertools.pairwise(sizes)):
                layers += [Masked(a, b, "B" if i else "A"), nn.ReLU()]
            self.net = nn.Sequential(*layers, nn.Conv2d(24, 24, 1), nn.ReLU(), nn.Conv2d(24, 1, 1))

        def logits(self, x):
            return self.net(x)

        def sample(self, n, generator):
            return raster(self.logits, images.shape[1:])(n, generator)

    net = Net()

    def loss(x):
        return F.binary_cross_entropy(net.logits(x).sigmoid(), x)

    optimise(net.parameters(), loss, images, steps, generator, lr=0.003)
    return net


@right
def pixelcnn_from_blank__two_way_softmax_and_a_head_of_zeros(images, steps, generator):
    """Two logits a pixel inside, layers scaled by zero at the start, RMSprop, batches of shuffled epochs."""
    mask = torch.ones(5, 5)
    mask[2, 2:] = mask[3:] = 0
    hidden = mask.clone()
    hidden[2, 2] = 1
    first = nn.Conv2d(1, 20, 5, padding=2)
    second = nn.Conv2d(20, 20, 5, padding=2)
    head = nn.Conv2d(20, 2, 1)
    nn.init.zeros_(head.weight), nn.init.zeros_(head.bias)

    def both(x):
        h = F.conv2d(2 * x - 1, first.weight * mask, first.bias, padding=2)
        h = h + F.conv2d(F.elu(h), second.weight * hidden, second.bias, padding=2)
        return head(F.elu(h))

    parameters = [*first.parameters(), *second.parameters(), *head.parameters()]
    optimiser = torch.optim.RMSprop(parameters, lr=0.003)
    order = []
    for _ in range(steps):
        if len(order) < 50:
            order = torch.randperm(len(images), generator=generator).tolist()
        x = images[[order.pop() for _ in range(min(50, len(order)))]]
        loss = -both(x).log_softmax(1).gather(1, x.long()).sum((1, 2, 3)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def logits(x):
        return both(x)[:, 1:] - both(x)[:, :1]

    def sample(n, generator):
        x = torch.zeros(n, *images.shape[1:], dtype=torch.int64)
        for place in range(x[0].numel()):
            i, j = divmod(place, x.shape[3])
            p = both(x.float())[:, :, 0 + i, j].softmax(1).detach()
            x[:, 0, i, j] = torch.multinomial(p, 1, generator=generator).squeeze(1)
        return x

    return Built(logits, sample)


@right
def pixelcnn_from_blank__recurrent(images, steps, generator):
    """A GRU over the pixels in reading order, which is told the neighbours above."""
    height, width = images.shape[2:]
    gru, head = nn.GRU(9, 32, batch_first=True), nn.Linear(32, 1)

    def logits(x):
        shape, b = x.shape, len(x)
        padded = F.pad(x, (3, 3, 3, 0))
        h, w = shape[2:]
        near = [padded[:, 0, 2 : 2 + h, k : k + w] for k in range(1, 6)]
        near += [padded[:, 0, 3 : 3 + h, k : k + w] for k in (0, 1, 2)]
        near += [padded[:, 0, 1 : 1 + h, 3 : 3 + w]]
        states, _ = gru(torch.stack(near, -1).view(b, h * w, 9))
        return head(states).view(shape)

    parameters = [*gru.parameters(), *head.parameters()]
    optimise(parameters, lambda x: F.binary_cross_entropy_with_logits(logits(x), x), images, steps, generator, lr=0.01)
    return Built(logits, raster(logits, (1, height, width)))


@right
def pixelcnn_from_blank__masked_dense(images, steps, generator):
    """No convolution: a dense network over all pixels with triangular masks (MADE), initialised from the generator."""
    d, k = images[0].numel(), 6
    before = torch.ones(d, d).tril(-1)
    upto = torch.ones(d, d).tril()
    shapes = (d * k, d), (d * k,), (d, d * k), (d,), (d, d)
    w1, b1, w2, b2, direct = (
        (torch.randn(shape, generator=generator) * 0.3 / math.sqrt(d)).requires_grad_() for shape in shapes
    )

    def logits(x):
        flat = x.flatten(1)
        h = F.relu(F.linear(flat, w1 * before.repeat_interleave(k, 0), b1))
        y = F.linear(h, w2 * upto.repeat_interleave(k, 1), b2) + F.linear(flat, direct * before)
        return y.view(x.shape)

    optimise(
        [w1, b1, w2, b2, direct],
        lambda x: F.binary_cross_entropy_with_logits(logits(x), x),
        images,
        steps,
        generator,
        lr=0.02,
        batch=100,
    )
    return Built(logits, raster(logits, images.shape[1:]))


@right
def pixelcnn_from_blank__batch_normalised(images, steps, generator):
    """Batch normalisation that is switched to its stored averages after training; AdamW."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolutions = nn.ModuleList(nn.Conv2d(a, 12, 3, padding=1) for a in (1, 12, 12, 12))
            self.norms = nn.ModuleList(nn.BatchNorm2d(12, momentum=0.3) for _ in range(4))
            self.head = nn.Conv2d(12, 1, 1)
            mask = torch.zeros(2, 3, 3)
            mask[:, 0] = mask[:, 1, 0] = mask[1, 1, 1] = 1
            self.register_buffer("mask", mask)

        def logits(self, x):
            for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
                weight = convolution.weight * self.mask[min(i, 1)]
                x = F.leaky_relu(norm(F.conv2d(x, weight, convolution.bias, padding=1)))
            return self.head(x)

        @torch.no_grad()
        def sample(self, n, generator):
            x = torch.zeros(n, *images.shape[1:])
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    x[:, :, i, j] = torch.bernoulli(self.logits(x)[:, :, i, j].sigmoid(), generator=generator)
            return x

    net = Net()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(steps):
        x = images[torch.randint(len(images), (48,), generator=generator)]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(net.logits(x), x).backward()
        optimiser.step()
    return net.eval()


# wavenet_from_blank


def in_time(logits):
    """A sampler, one level after the other."""

    def sample(n, length, generator):
        x = torch.zeros(n, length, dtype=torch.int64)
        for t in range(length):
            with torch.no_grad():
                p = logits(x)[:, :, t].softmax(1)
            x[:, t] = torch.multinomial(p, 1, generator=generator).squeeze(1)
        return x

    return sample


def sequence_model(logits, parameters, waves, steps, generator, **more):
    optimise(parameters, lambda x: F.cross_entropy(logits(x), x), waves, steps, generator, **more)
    return Built(logits, in_time(logits))


@right
def wavenet_from_blank__plain_convolutions(waves, steps, generator):
    """One wide causal kernel after an embedding, then 1×1: no dilation, no gate, learning rate 0.003."""
    embed, wide = nn.Embedding(5, 12), nn.Conv1d(12, 48, 10)
    net = nn.Sequential(nn.ReLU(), nn.Conv1d(48, 4, 1))

    def logits(x):
        before = F.pad(x + 1, (10, 0))[:, :-1]
        return net(wide(embed(before).transpose(1, 2)))

    parameters = nn.ModuleList([embed, wide, net]).parameters()
    return sequence_model(logits, parameters, waves, steps, generator, lr=0.003)


@right
def wavenet_from_blank__first_layer_of_type_a(waves, steps, generator):
    """Two taps on the past in the first layer, dilations 1 2 4 8, skips from all layers, two 1×1 at the end."""
    first = nn.Conv1d(4, 16, 2)
    dilated = nn.ModuleList(nn.Conv1d(16, 32, 2, dilation=d) for d in (1, 2, 4, 8))
    out = nn.ModuleList(nn.Conv1d(16, 16, 1) for _ in range(4))
    skips = nn.ModuleList(nn.Conv1d(16, 24, 1) for _ in range(4))
    head = nn.Sequential(nn.ReLU(), nn.Conv1d(24, 24, 1), nn.ReLU(), nn.Conv1d(24, 4, 1))

    def logits(x):
        h = first(F.pad(F.one_hot(x, 4).float().transpose(1, 2), (2, 0))[..., :-1])
        total = 0
        for layer, o, s in zip(dilated, out, skips):
            a, b = layer(F.pad(h, (layer.dilation[0], 0))).chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            h, total = h + o(z), total + s(z)
        return head(total)

    parameters = nn.ModuleList([first, dilated, out, skips, head]).parameters()
    return sequence_model(logits, parameters, waves, steps, generator, batch=24)


@right
def wavenet_from_blank__recurrent(waves, steps, generator):
    """A GRU that is told the eight levels before."""
    gru, head = nn.GRU(32, 32, batch_first=True), nn.Linear(32, 4)

    def logits(x):
        one_hot = F.pad(F.one_hot(x, 4).float(), (0, 0, 8, 0))
        near = torch.cat([one_hot[:, k : k + x.shape[1]] for k in range(8)], -1)
        return head(gru(near)[0]).transpose(1, 2)

    return sequence_model(logits, [*gru.parameters(), *head.parameters()], waves, steps, generator)


@right
def wavenet_from_blank__slow_and_padded_on_both_sides(waves, steps, generator):
    """Padding on both sides, of which the right is cut off; the present is hidden at the output; other rates."""
    first = nn.Conv1d(4, 32, 1)
    layers = nn.ModuleList(nn.Conv1d(32, 32, 3, dilation=d, padding=2 * d) for d in (1, 3))
    head, start = nn.Conv1d(32, 4, 1), nn.Parameter(torch.zeros(4))

    def logits(x):
        h = first(torch.eye(4)[x].transpose(1, 2))
        for layer in layers:
            h = h + F.gelu(layer(h)[..., : x.shape[1]])
        after = head(h)  # speaks of the next level
        return torch.cat([start.view(1, 4, 1).expand(len(x), 4, 1), after[..., :-1]], -1)

    parameters = [*first.parameters(), *layers.parameters(), *head.parameters(), start]
    return sequence_model(logits, parameters, waves, steps, generator, lr=0.003, batch=48)


@right
def wavenet_from_blank__attention(waves, steps, generator):
    """Causal attention over embedded places, with a learnt distance."""
    token, key = nn.Embedding(5, 32), nn.Parameter(0.1 * torch.randn(64))
    mix, head = nn.Linear(32 * 10, 64), nn.Linear(64, 4)

    def logits(x):
        t = x.shape[1]
        before = F.pad(x + 1, (1, 0))[:, :-1]
        e = token(before)
        far = (torch.arange(t)[:, None] - torch.arange(t)).clamp(0, 63)
        weights = key[far].masked_fill(torch.ones(t, t).triu(1).bool(), -math.inf).softmax(1)
        lags = [F.pad(e, (0, 0, k, 0))[:, :t] for k in range(9)]
        return head(F.relu(mix(torch.cat([weights @ e, *lags], -1)))).transpose(1, 2)

    parameters = [*token.parameters(), key, *mix.parameters(), *head.parameters()]
    return sequence_model(logits, parameters, waves, steps, generator, lr=0.005)


@right
def wavenet_from_blank__numbers_in_and_one_wave_at_a_time(waves, steps, generator):
    """Levels as single numbers, a deep plain stack with two taps; samples are drawn one wave after the other."""
    first = nn.Conv1d(1, 24, 2)
    layers = nn.ModuleList(nn.Conv1d(24, 24, 3) for _ in range(4))
    head = nn.Conv1d(24, 4, 1)

    def logits(x):
        h = first(F.pad(x[:, None].float() - 1.5, (2, 0))[..., :-1])
        for layer in layers:
            h = h + layer(F.pad(h, (2, 0)).relu())
        return head(h)

    model = sequence_model(
        logits, [*first.parameters(), *layers.parameters(), *head.parameters()], waves, steps, generator
    )
    one = model.sample
    model.sample = lambda n, length, generator: torch.cat([one(1, length, generator) for _ in range(n)])
    return model


# Wrong answers: changes of the reference, the law that breaks, and what is said

AHEAD, PAST, BY_ITSELF = "no present and no future", "all of the past", "by itself"
STEPS, CHANCE, KNOWN = "data, steps and seeds", "chance in sampling", "training on a known distribution"
SAMPLES, NATS = "samples from the model's own conditionals", "held-out nats after the budget"
FAR = "samples that depend on all of the past"
MASK, DRAW = "self.weight * self.mask", "torch.bernoulli(p, generator=generator)"
LOOPS = "            for i in range(x.shape[2]):\n                for j in range(x.shape[3]):\n"
PIXEL = "p = self.logits(x)[:, 0, i, j].sigmoid()"
BCE = "F.binary_cross_entropy_with_logits(model.logits(x), x)"
ONCE = "x = torch.bernoulli(self.logits({}).sigmoid(), generator=generator)\n            return x\n            "
MASKED_BELOW = "            mask[k // 2 + 1 :] = 0\n"
PIXELCNN = [
    # what is returned
    ("return model", "return model.logits", "no method logits", "no method `logits`"),
    ("return model", "model.sample = None\n    return model", "no method sample", "no method `sample`"),
    ("    return model", "    return None", "returned nothing", "return"),
    ("nn.Conv2d(channels, 1, 1)", "nn.Conv2d(channels, 2, 1)", "logits of another shape", "(5, 2, 4, 4)"),
    ("return self.head(h.relu())", "return self.head(h.relu()) / 0", "logits that are no numbers", "NaN"),
    ("            return x\n", "            return x[:, 0]\n", "samples of another shape", "(3, 4, 4)"),
    (DRAW, "p", "samples that are no levels", "A sample holds 0."),
    # an image by itself
    ("h = self.first(x)", "h = F.dropout(self.first(x), 0.3)", BY_ITSELF, "dropout"),
    ("h = self.first(x)", "h = F.batch_norm(self.first(x), None, None, training=True)", BY_ITSELF, "of the batch"),
    # the future
    ('("A", 1', '("B", 1', AHEAD, "that pixel itself is changed (at 16 of 16"),
    (MASK, "self.weight", AHEAD, "a later pixel is changed"),
    (MASKED_BELOW, "", AHEAD, "in 120 of 120 pairs"),
    ("            mask[k // 2, k // 2 +", "            mask[k // 2, k // 2 + k // 2 +", AHEAD, "same row"),
    ('self.register_buffer("mask", mask)', 'self.register_buffer("mask", mask.T)', AHEAD, "a later pixel"),
    ('("mask", mask)', '("mask", mask.flip(0, 1))', AHEAD, "depends on no earlier pixel"),
    ('("mask", mask)', '("mask", mask)\n            self.weight.data *= mask\n            self.mask.fill_(1)', AHEAD,
     "Before training no pixel depends on itself or on a later one; after 5"),
    ("h = self.first(x)", "h = F.layer_norm(self.first(x), (16, *x.shape[2:]))", AHEAD, "a later pixel is changed"),
    # the past
    (MASKED_BELOW, MASKED_BELOW + "            mask[: k // 2, k // 2 + 1 :] = 0\n", PAST, "above and to the right"),
    (MASKED_BELOW, MASKED_BELOW + "            mask[: k // 2] = 0\n", PAST, "the pixel above (not seen in 12 of 12"),
    (MASKED_BELOW, MASKED_BELOW + "            mask[k // 2] = 0\n", PAST, "the pixel to the left (not seen in 12"),
    ("channels=16, n_blocks=3", "channels=16, n_blocks=0", PAST, "up to 3 rows above"),
    ("return self.head(h.relu())", "return self.head(0 * h)", PAST, "do not depend on the image at all"),
    # data, steps, seeds
    ("        optimiser.step()\n", "", STEPS, "is a step made at all"),
    ("range(steps)", "range(7)", STEPS, "does `steps` decide how many"),
    ("range(steps)", "range(min(steps, 2))", STEPS, "is the same as after 2"),
    ("    model = PixelCNN()", "    images.mul_(0.99)\n    model = PixelCNN()", STEPS, "changed in place"),
    ("(32,), generator=generator", "(32,)", STEPS, "torch's own random numbers"),
    ("    model = PixelCNN()", "    generator.manual_seed(0)\n    model = PixelCNN()", STEPS, "seeded anew"),
    ("    model = PixelCNN()", "    torch.seed()\n    model = PixelCNN()", STEPS, "give two models"),
    # chance
    (DRAW, "(p > 0.5).float()", CHANCE, "likeliest"),
    (DRAW, "torch.bernoulli(p)", CHANCE, "some chance comes from elsewhere"),
    (DRAW, "(torch.rand((), generator=generator) < p).float()", CHANCE, "All 16 images of one call"),
    ("            x = torch.zeros(n", "            generator.manual_seed(0)\n            x = torch.zeros(n", CHANCE,
     "seeds the generator anew"),
    ("            x = torch.zeros(n", "            generator = generator.clone_state()\n            x = torch.zeros(n",
     CHANCE, "not from a copy"),
    # training
    ("range(steps)", "range(steps + 40)", STEPS, "although no step was to be made"),
    ("range(steps)", "range(steps + 1)", STEPS, "although no step was to be made"),
    ("range(steps)", "range(max(steps, 1))", STEPS, "although no step was to be made"),
    (BCE, "-" + BCE, KNOWN, "The loss has grown"),
    (BCE, BCE.replace("x)", "1 - x)").replace("logits(1 - x)", "logits(x)"), KNOWN, "If its values are exchanged"),
    (BCE, "F.binary_cross_entropy_with_logits(model.logits(x)[..., :-1], x[..., 1:])", KNOWN, "one place off"),
    ("lr=0.01", "lr=1e-6", KNOWN, "It has hardly moved"),
    ("lr=0.01", "lr=3.0", KNOWN, "nats"),
    ("return self.head(h.relu())", "return self.head(h.relu()).sigmoid()", KNOWN, "look like probabilities"),
    (BCE, BCE.replace("logits(x)", "logits(x).sigmoid()"), KNOWN, "themselves (a sigmoid"),
    # samples
    (LOOPS, "            " + ONCE.format("x") + LOOPS.lstrip(), SAMPLES, "a single pass over an empty input"),
    (LOOPS, "            " + ONCE.format("torch.bernoulli(x + 0.5, generator=generator)") + LOOPS.lstrip(), SAMPLES,
     "a single pass over noise"),
    (PIXEL, "p = 1 - self.logits(x)[:, 0, i, j].sigmoid()", SAMPLES, "0 and 1 exchanged"),
    (PIXEL, "p = self.logits(x)[:, 0, i, j].clamp(0, 1)", SAMPLES, "the sigmoid is missing"),
    (PIXEL, "p = self.logits(x)[:, 0, i, j].sigmoid().sigmoid()", SAMPLES, "twice"),
    (PIXEL, "p = 0 * self.logits(x)[:, 0, i, j] + 0.5", SAMPLES, "noise in which all values"),
    (LOOPS, "            for j in range(x.shape[3]):\n                for i in range(x.shape[2]):\n", SAMPLES, "co"),
    (PIXEL, "p = self.logits(x)[:, 0, j, i].sigmoid()", SAMPLES, "at its own place"),
    # samples that forget what is farther back
    (PIXEL, "p = self.logits(x[:, :, max(0, i - 1) : i + 1])[:, 0, -1, j].sigmoid()", SAMPLES, "given all"),
    (PIXEL, "p = self.logits(x[:, :, max(0, i - 2) : i + 1])[:, 0, -1, j].sigmoid()", FAR, "not only the nearest"),
    (PIXEL, "p = self.logits(x[..., max(0, j - 2) :])[:, 0, i, min(j, 2)].sigmoid()", FAR, "not only the nearest"),
    # nats: what suffices for nine pixels
    ("range(steps)", "range(min(steps, 6))", KNOWN, "nats"),
    ("range(steps)", "range(steps if images.shape[-1] == 3 else min(steps, 10))", NATS, "27.0"),
]  # fmt: skip
IN, AT = "F.pad(one_hot, (1, 0))[:, :, :-1]", "p = self.logits(x)[:, :, t].softmax(dim=1)"
ZEROS = "            x = torch.zeros(n, length, dtype=torch.int64)\n"
LEVEL, LOSS = "torch.multinomial(p, 1, generator=generator)[:, 0]", "F.cross_entropy(model.logits(x), x)"
ALL = "            p = self.logits({}).softmax(1).mT.reshape(-1, 4)\n            return torch.multinomial(p, 1, generator=generator).view(n, length)\n"  # noqa: E501
WAVENET = [
    # what is returned
    ("return model", "return model.logits", "no method logits", "no method `logits`"),
    ("return self.head(total.relu())", "return self.head(total.relu()).mT", "logits of another shape", "(5, 12, 4)"),
    ("return self.head(total.relu())", "return self.head(total.relu())[:, :, 1:]", "logits of another shape", "is due"),
    ("            return x\n", "            return x.T\n", "samples of another shape", "(12, 3)"),
    ("            return x\n", "            return x + 1\n", "samples that are no levels", "A sample holds 4"),
    # a wave by itself
    ("return self.head(total.relu())", "return self.head(F.dropout(total).relu())", BY_ITSELF, "dropout"),
    ("return self.head(total.relu())", "return self.head((total - total.mean(0)).relu())", BY_ITSELF, "of the batch"),
    # the future
    (IN, "one_hot", AHEAD, "that level itself is changed (at 12 of 12"),
    ("(self.dilated.dilation[0], 0)", "(0, self.dilated.dilation[0])", AHEAD, "a later level is changed"),
    (
        "past = F.pad(h, (self.dilated.dilation[0], 0))",
        "past = F.pad(h, (0, self.dilated.dilation[0]))",
        AHEAD,
        "later",
    ),
    (IN, "F.pad(one_hot, (0, 1))[:, :, 1:]", AHEAD, "a later level is changed"),
    (
        "return self.head(total.relu())",
        "return self.head((total - total.mean(2, True)).relu())",
        AHEAD,
        "a later level",
    ),
    # the past
    ("dilations=(1, 2, 4)", "dilations=(1, 1, 1)", PAST, "the levels 2 to 8 places back (not seen in 22 of 49"),
    ("dilations=(1, 2, 4)", "dilations=(1, 2)", PAST, "the levels 2 to 8"),
    ("dilations=(1, 2, 4)", "dilations=(2, 4)", PAST, "the levels 2 to 8"),
    (IN, "F.pad(one_hot, (2, 0))[:, :, :-2]", PAST, "the level just before (not seen in 11 of 11"),
    ("return self.head(total.relu())", "return self.head(0 * total)", PAST, "do not depend on the wave at all"),
    ("self.first(F.pad", "self.first(0 * F.pad", PAST, "do not depend on the wave at all"),
    # data, steps, seeds
    ("        optimiser.step()\n", "", STEPS, "is a step made at all"),
    ("Adam(model.parameters()", "Adam(WaveNet().parameters()", STEPS, "has the optimiser the weights"),
    ("range(steps)", "range(min(steps, 2))", STEPS, "is the same as after 2"),
    ("    model = WaveNet()", "    waves.clamp_(max=2)\n    model = WaveNet()", STEPS, "changed in place"),
    ("(32,), generator=generator", "(32,)", STEPS, "torch's own random numbers"),
    ("    model = WaveNet()", "    generator.manual_seed(0)\n    model = WaveNet()", STEPS, "seeded anew"),
    # chance
    (LEVEL, "p.argmax(1)", CHANCE, "likeliest"),
    (LEVEL, "torch.multinomial(p, 1)[:, 0]", CHANCE, "some chance comes from elsewhere"),
    (LEVEL, "torch.multinomial(p[:1], 1, generator=generator)[:, 0].expand(n)", CHANCE, "All 16 waves of one call"),
    (ZEROS, ZEROS + "            generator.manual_seed(0)\n", CHANCE, "anew"),
    # training
    ("range(steps)", "range(steps + 50)", STEPS, "although no step was to be made"),
    ("range(steps)", "range(max(steps, 1))", STEPS, "although no step was to be made"),
    (LOSS, "-" + LOSS, KNOWN, "The loss has grown"),
    (LOSS, "F.cross_entropy(model.logits(x)[..., :-1], x[..., 1:])", KNOWN, "one place off"),
    (LOSS, "F.cross_entropy(model.logits(x), (x + 1) % 4)", KNOWN, "If its values are exchanged"),
    ("return self.head(total.relu())", "return self.head(total.relu()).softmax(1)", KNOWN, "look like probabilities"),
    (LOSS, LOSS.replace("logits(x)", "logits(x).softmax(1)"), KNOWN, "themselves (a softmax"),
    ("lr=0.01", "lr=1e-7", KNOWN, "It has hardly moved"),
    # samples
    (ZEROS, ZEROS + ALL.format("x"), SAMPLES, "a single pass over an empty input"),
    (ZEROS, ZEROS + ALL.format("torch.randint(4, x.shape, generator=generator)"), SAMPLES, "a single pass over noise"),
    (AT, "p = self.logits(x)[:, :, t].softmax(1).softmax(1)", SAMPLES, "twice"),
    (AT, "p = torch.ones(n, 4)", SAMPLES, "noise in which all values"),
    (AT, "p = self.logits(x)[:, :, 0].softmax(1)", SAMPLES, "at its own place"),
    (AT, "p = self.logits(x[:, : t + 1].flip(1))[:, :, t].softmax(1)", SAMPLES, "at its own place"),
    # samples that forget what is farther back
    *(
        (AT, f"p = self.logits(x[:, max(0, t - {k}) : t + 1])[:, :, -1].softmax(1)", FAR, "not only the nearest")
        for k in (1, 2, 3, 5, 7)
    ),
    # nats
    ("range(steps)", "range(steps if waves.shape[1] == 4 else min(steps, 10))", NATS, "5 levels back"),
]
WRONG = [pytest.param(pixelcnn_from_blank, *row, id=f"PixelCNN: {row[1]:.50}") for row in PIXELCNN]
WRONG += [pytest.param(wavenet_from_blank, *row, id=f"WaveNet: {row[1]:.50}") for row in WAVENET]


def changed(exercise, old, new):
    """The reference with one change. ValueError if what is changed does not occur once."""
    return executed(exercise, changed_source(exercise, old, new))


def changed_source(exercise, old, new):
    source = exercise.solution_source
    code = source[source.index("    nn, F = ") :]
    if code.count(old) != 1:
        raise ValueError(f"{old!r} occurs {code.count(old)} times")
    return source.replace(code, code.replace(old, new))


def executed(exercise, source):
    scope = {"math": math, "torch": torch, "Tensor": torch.Tensor}
    exec(source, scope)
    return scope[exercise.name]


@pytest.mark.parametrize(("exercise", "old", "new", "diagnosis", "words"), WRONG)
def test_a_wrong_model_is_told_what_is_wrong(exercise, old, new, diagnosis, words):
    verdict = exercise.grade(changed(exercise, old, new))
    assert not verdict.passed and verdict.diagnosis.endswith(diagnosis), verdict
    assert words in verdict.message


@pytest.mark.parametrize(("exercise", "levels"), [(pixelcnn_from_blank, "0 or 1"), (wavenet_from_blank, "0 to 3")])
def test_a_sample_that_is_no_level_is_told_which_there_are(exercise, levels):
    verdict = exercise.grade(changed(exercise, "            return x\n", "            return x + 4\n"))
    assert verdict.diagnosis == "samples that are no levels" and levels in verdict.message


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_a_model_of_probabilities_is_told_that_logits_are_asked(loss):
    """Trained on probabilities, and right but for what `logits` gives back."""
    if loss == "sigmoid":
        source = changed_source(pixelcnn_from_blank, "self.head(h.relu())", "self.head(h.relu()).sigmoid()")
        source = source.replace("binary_cross_entropy_with_logits", "binary_cross_entropy")
        source = source.replace("[:, 0, i, j].sigmoid()", "[:, 0, i, j]")
    else:
        source = changed_source(wavenet_from_blank, "self.head(total.relu())", "self.head(total.relu()).softmax(1)")
        source = source.replace("F.cross_entropy(model.logits(x), x)", "F.nll_loss(model.logits(x).log(), x)")
        source = source.replace("[:, :, t].softmax(dim=1)", "[:, :, t]")
    exercise = pixelcnn_from_blank if loss == "sigmoid" else wavenet_from_blank
    verdict = exercise.grade(executed(exercise, source))
    assert verdict.diagnosis == KNOWN and "look like probabilities where logits are asked" in verdict.message
