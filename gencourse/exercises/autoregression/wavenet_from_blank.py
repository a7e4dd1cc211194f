"""A whole small WaveNet and its training loop."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from gencourse.exercises.autoregression.chains import Chain
from gencourse.exercises.autoregression.whole_models import laws
from gencourse.exercises.machine.exercise import Exercise

STEPS = 120
REACH = 8  # levels before the present that can be used
PERIOD, LENGTH = (
    5,
    32,
)  # of the waves that are learnt; a level is that of the period before with probability 0.9


def wavenet_from_blank(waves: Tensor, steps: int, generator: torch.Generator):
    """Build a small WaveNet for waves of four levels, train it, and return it.

    waves: (N, T) integers, 0 to 3.
    steps: steps of training on -log P(x), 0 for none; 120 are to be enough.
    Batches come from the generator; the initial weights may come from torch's own chance.
    Returns an object with two methods, for waves of any length:
    logits(x): (B, T) -> (B, 4, T); [:, :, t] are those of level t (their softmax over
        axis 1 is its distribution), given the levels before t, and neither level t nor
        later ones. It must be able to use each of the 8 levels before t.
    sample(n, length, generator): n new waves (n, length), one level after the other.
    WaveNet has gated units, dilations, residual and skip connections; here any
    architecture that does this is right.
    """
    nn, F = torch.nn, torch.nn.functional

    class Layer(nn.Module):
        def __init__(self, channels, dilation):
            super().__init__()
            self.dilated = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
            self.out = nn.Conv1d(channels, 2 * channels, 1)

        def forward(self, h):
            past = F.pad(h, (self.dilated.dilation[0], 0))  # nothing of the future
            f, g = self.dilated(past).chunk(2, dim=1)
            residual, skip = self.out(f.tanh() * g.sigmoid()).chunk(2, dim=1)
            return h + residual, skip

    class WaveNet(nn.Module):
        def __init__(self, channels=16, dilations=(1, 2, 4)):
            super().__init__()
            self.first = nn.Conv1d(4, channels, 1)
            self.layers = nn.ModuleList(Layer(channels, d) for d in dilations)
            self.head = nn.Conv1d(channels, 4, 1)

        def logits(self, x):
            one_hot = F.one_hot(x, 4).mT.float()  # (B, 4, T)
            h, total = self.first(F.pad(one_hot, (1, 0))[:, :, :-1]), 0  # hides level t
            for layer in self.layers:
                h, skip = layer(h)
                total = total + skip
            return self.head(total.relu())

        @torch.no_grad()
        def sample(self, n, length, generator):
            x = torch.zeros(n, length, dtype=torch.int64)
            for t in range(length):
                p = self.logits(x)[:, :, t].softmax(dim=1)
                x[:, t] = torch.multinomial(p, 1, generator=generator)[:, 0]
            return x

    model = WaveNet()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        x = waves[torch.randint(len(waves), (32,), generator=generator)]
        loss = F.cross_entropy(model.logits(x), x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


WAVES = Chain("wave", "level", 4, torch.int64)


def _past(length: int) -> dict[str, list[tuple[int, int]]]:
    """The pairs (seen, by) of places of a wave that must be seen."""
    lags = {
        "the level just before": [1],
        f"the levels 2 to {REACH} places back": range(2, REACH + 1),
    }
    return {
        name: [(t - lag, t) for lag in some for t in range(lag, length)]
        for name, some in lags.items()
    }


def _known() -> Tensor:
    """The probabilities of all waves of 4 levels of a Markov chain: what `follows` comes next with 0.7 + 0.3 / 4."""
    x, follows = WAVES.events((4,)), torch.tensor([2, 3, 1, 0])
    p = torch.tensor([0.4, 0.3, 0.2, 0.1]).double()[x[:, 0]]
    for t in range(1, 4):
        p = p * torch.where(x[:, t] == follows[x[:, t - 1]], 0.775, 0.075).double()
    return p


def far(seed: int) -> Tensor:
    """500 waves of 2 · 8 levels, in which one repeats that 8 places before with probability 0.9 + 0.1 / 4."""
    return _repeating(500, 2 * REACH, REACH, torch.Generator().manual_seed(seed))


FAR = f"a level mostly repeats the one {REACH} places before"


def _repeating(n: int, length: int, period: int, generator: torch.Generator) -> Tensor:
    x = torch.randint(0, 4, (n, length), generator=generator)
    kept = torch.rand(n, length, generator=generator) < 0.9
    for t in range(period, length):
        x[:, t] = torch.where(kept[:, t], x[:, t - period], x[:, t])
    return x


def entropy() -> float:
    """Of a wave that repeats, in nats: the first period is uniform."""
    same, other = 0.9 + 0.1 / 4, 0.1 / 4
    a_level = -same * math.log(same) - 3 * other * math.log(other)
    return PERIOD * math.log(4) + (LENGTH - PERIOD) * a_level


@cache
def repeating(seed: int) -> tuple[Tensor, Tensor, float]:
    """1,000 and 500 waves that repeat, and what they cost for those who do not see so far back, in nats a wave."""
    x = _repeating(1500, LENGTH, PERIOD, torch.Generator().manual_seed(seed))
    return x[:1000], x[1000:], LENGTH * math.log(4)


LIMIT = (entropy() / (LENGTH * math.log(4)) + 1) / 2  # half of what can be saved


def _short(observed: Tensor) -> str:
    before, after, blind = (observed / LENGTH).tolist()
    words = (
        f"After {STEPS} steps on 1,000 waves that repeat after {PERIOD} levels (each is "
        "that of the period before with probability 0.9, else any) the model needs "
        f"{after:.2f} nats a level for waves that are held out (before training "
        f"{before:.2f}). Who sees fewer than {PERIOD} levels back needs {blind:.2f}, "
        f"the entropy is {entropy() / LENGTH:.2f}, and at most {LIMIT * blind:.2f} is "
        "within reach."
    )
    if after > blind + 0.05:
        return f"{words} So it is worse than a uniform guess: is the loss the one that is measured here?"
    if after > blind - 0.05:
        return f"{words} So nothing is learnt from {PERIOD} levels back: does training reach layers that look so far?"
    return f"{words} Is the learning rate too small or too large, or are there too few channels?"


exercise = Exercise(
    wavenet_from_blank,
    minutes=40,
    difficulty="hard",
    hints=(
        "Four parts: a layer with a dilated convolution that is padded on the left "
        "only; a stack of them with dilations 1, 2, 4; a loop over batches; a loop "
        "over time. Hide the present once, at the input: move the wave one place to "
        "the right.",
        "A layer: one dilated convolution gives 2C channels, the halves f and g; "
        "`f.tanh() * g.sigmoid()` goes through a 1×1 convolution, and is added to h "
        "(residual) and to a sum over all layers (skip). The logits come from that "
        "sum. Levels are categories: feed `F.one_hot(x, 4)`, and use "
        "`F.cross_entropy(logits, x)`.",
        "`F.pad(h, (dilation, 0))` pads on the left, and `nn.Conv1d(C, 2 * C, 2, "
        "dilation=dilation)` then keeps the length. At the input: `F.pad(one_hot, (1, "
        "0))[:, :, :-1]`. A draw: `torch.multinomial(logits[:, :, t].softmax(1), 1, "
        "generator=generator)[:, 0]`.",
    ),
    cases=laws(
        WAVES, (4,), (12,), _past(12), _known(), (far, FAR), repeating, STEPS, LIMIT, _short
    ),
    seconds=120,
)
