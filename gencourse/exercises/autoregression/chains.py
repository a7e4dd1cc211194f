"""How the laws look at a whole model that a reader has built: every model becomes a chain of conditionals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gencourse.exercises.machine.answers import Unusable, as_numbers
from gencourse.exercises.machine.common import chance, method

N_DRAWN = 1000  # samples that are compared with the model's own probabilities
N_FAR = 100  # samples of larger events, of which only −log P is looked at
OTHERWISE = ("blank", "noise", "uniform")
WAYS = {
    2: (*OTHERWISE, "swapped", "raw", "twice", "columns"),
    4: (*OTHERWISE, "twice"),
}  # by levels: see `otherwise`


@dataclass(frozen=True)
class Chain:
    """What is modelled. event, place: their words; levels: values of a place; dtype: what the reader is given."""

    event: str
    place: str
    levels: int
    dtype: torch.dtype

    def logits(self, model: object, x: Tensor) -> Tensor:
        """What the model's `logits` gives for x: (B, *shape). Unusable, with words."""
        with torch.no_grad():
            given = method(model, "logits")(x.to(self.dtype, copy=True))
        logits = as_numbers(given)
        due = tuple(x.shape) if self.levels == 2 else (len(x), self.levels, x.shape[-1])
        if tuple(logits.shape) != due:
            raise Unusable(
                "not yet",
                "logits of another shape",
                f"`logits` of {self.event}s of shape {tuple(x.shape)} has shape "
                f"{tuple(logits.shape)}, and {due} is due.",
            )
        if not logits.isfinite().all():
            raise Unusable(
                "not yet",
                "logits that are no numbers",
                "There is a NaN or an infinity among the logits.",
            )
        return logits

    def log_p(self, model: object, x: Tensor) -> Tensor:
        """log P(x_i = k | x_<i) for every place and level: (B, *shape) -> (B, D, levels). Unusable, with words."""
        logits = self.logits(model, x)
        if self.levels == 2:
            return F.logsigmoid(torch.stack([-logits, logits], -1)).flatten(1, -2)
        return logits.log_softmax(1).transpose(1, 2)

    def drawn(
        self, model: object, n: int, shape: tuple, generator: torch.Generator
    ) -> Tensor:
        """n samples of this shape, as integers (n, D). Unusable, with words, where they are no events."""
        arguments = (n, generator) if self.levels == 2 else (n, shape[-1], generator)
        x = as_numbers(method(model, "sample")(*arguments))
        if tuple(x.shape) != (n, *shape):
            raise Unusable(
                "not yet",
                "samples of another shape",
                f"`sample` was asked for {n} {self.event}s and gave shape "
                f"{tuple(x.shape)}, and {(n, *shape)} is due.",
            )
        if not torch.isin(x, torch.arange(self.levels).double()).all():
            odd = x[~torch.isin(x, torch.arange(self.levels).double())][0].item()
            raise Unusable(
                "not yet",
                "samples that are no levels",
                f"A sample holds {odd:.3g}: a {self.place} is "
                f"{'0 or 1' if self.levels == 2 else f'an integer from 0 to {self.levels - 1}'}. "
                "Draw each value with its probability.",
            )
        return x.flatten(1).long()

    def events(self, shape: tuple) -> Tensor:
        """All events of this shape, in the order of `number`: (levels^D, *shape)."""
        d = torch.Size(shape).numel()
        return torch.cartesian_prod(*[torch.arange(self.levels)] * d).view(-1, *shape)

    def number(self, x: Tensor) -> Tensor:
        """The place of each sequence among `events`: (B, D) -> (B,)."""
        return (x * self.levels ** torch.arange(x.shape[1] - 1, -1, -1)).sum(1)


def seeded_alike(fn: Callable, x: Tensor, steps: int, seed: int = 1) -> object:
    """What the reader's function builds, with torch's own random numbers and the generator as new every time."""
    torch.default_generator.manual_seed(0)
    return fn(x.clone(), steps, torch.Generator().manual_seed(seed))


def trained(fn: Callable, data: Callable, seed: int, steps: int, chain: Chain) -> Tensor:
    """Nats of a held-out event: before training, after it, and of the baseline.

    data(seed): events to train on, events held out, and the nats of the baseline.
    """
    x, held_out, baseline = data(seed)
    models = (seeded_alike(fn, x.to(chain.dtype), n) for n in (0, steps))
    costs = [
        -of(chain.log_p(model, held_out), held_out.flatten(1)).mean() for model in models
    ]
    return torch.stack([*costs, torch.as_tensor(baseline).double()])


def of(table: Tensor, x: Tensor) -> Tensor:
    """log P(x) from the conditionals (B, D, levels): (B, D) -> (B,)."""
    return table.gather(-1, x.unsqueeze(-1)).squeeze(-1).sum(-1)


# what is observed


def shapes(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """That there is a model with both methods. Says it itself if not."""
    model = seeded_alike(fn, x.to(chain.dtype), 0)
    chain.log_p(model, x[:5])
    chain.drawn(model, 3, x.shape[1:], torch.Generator().manual_seed(2))
    return torch.ones(1)


def alone(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """The largest difference of the same conditionals, relative: asked twice; alone and in a batch."""
    model = seeded_alike(fn, x.to(chain.dtype), 3)
    batch = chain.log_p(model, x)
    again = chain.log_p(model, x)
    single = torch.cat([chain.log_p(model, each[None]) for each in x[:4]])
    scale = 1 + batch.abs().max()
    return (
        torch.stack([(again - batch).abs().max(), (single - batch[:4]).abs().max()]) / scale
    )


def effects(model: object, x: Tensor, chain: Chain, generator: torch.Generator) -> Tensor:
    """How much the conditional at j changes when the value at i is changed: (D, D), [i, j]."""
    flat = x.flatten(1)
    d = flat.shape[1]
    changed = flat.repeat(d, 1, 1)  # (D, B, D)
    for i in range(d):
        step = torch.randint(1, chain.levels, (len(flat),), generator=generator)
        changed[i, :, i] = (flat[:, i] + step) % chain.levels
    table = chain.log_p(model, torch.cat([x, changed.view(-1, *x.shape[1:])]))
    before, after = table[: len(x)], table[len(x) :].view(d, len(x), d, -1)
    return (after - before).abs().amax((1, 3)) / (1 + before.abs().max())


def what_is_seen(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """`effects` before training and after 5 steps: (2, D, D). x: 16 events, and the same are trained on."""
    looked_at = torch.Generator().manual_seed(3)
    return torch.stack(
        [
            effects(seeded_alike(fn, x.to(chain.dtype), steps), x, chain, looked_at)
            for steps in (0, 5)
        ]
    )


def sums(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """Σp over all events, before training and after 5 steps."""
    every = chain.events(x.shape[1:])
    models = (seeded_alike(fn, x.to(chain.dtype), steps) for steps in (0, 5))
    return torch.stack(
        [of(chain.log_p(model, every), every.flatten(1)).exp().sum() for model in models]
    )


def seeds_and_steps(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """Eight numbers: is what was handed over unchanged; do 2, 3 more steps change the model; does the same seed give
    the same, another seed another; are torch's own random numbers drawn in training; is the generator left to its own
    seed; how much does the model of 0 steps change if the events are handed over in the opposite order."""
    given, tables, states = x.to(chain.dtype, copy=True), [], []
    kept = given.clone()
    generator = None
    for steps, seed in ((0, 1), (2, 1), (5, 1), (5, 1), (5, 2)):
        torch.default_generator.manual_seed(0)
        generator = torch.Generator().manual_seed(seed)
        tables.append(chain.log_p(fn(given, steps, generator), x))
        states.append(torch.default_generator.get_state())
    differ = [
        float((tables[a] - tables[b]).abs().max())
        for a, b in ((0, 1), (1, 2), (2, 3), (2, 4))
    ]
    from_torch = float(not states[0].equal(states[2]))
    opposite = chain.log_p(seeded_alike(fn, kept.flip(0), 0), x)
    return torch.tensor(
        [
            float(given.equal(kept)),
            *differ,
            from_torch,
            float(generator.initial_seed() == 2),
            float((tables[0] - opposite).abs().max()),
        ]
    )


def draws(fn: Callable, x: Tensor, chain: Chain) -> Tensor:
    """Of samples of a model after 5 steps: `chance`, the share of places that have the likeliest value, and whether
    samples of one call differ."""
    model = seeded_alike(fn, x.to(chain.dtype), 5)
    shape = x.shape[1:]
    five = chance(lambda generator: chain.drawn(model, 8, shape, generator), 4)
    sample = chain.drawn(model, 16, shape, torch.Generator().manual_seed(5))
    likeliest = chain.log_p(model, sample.view(-1, *shape)).argmax(-1)
    several = len(sample.unique(dim=0)) > 1
    return torch.cat([five, torch.tensor([(sample == likeliest).double().mean(), several])])


def known_data(p: Tensor, shape: tuple, seed: int, chain: Chain) -> tuple[Tensor, Tensor]:
    """1,000 events drawn from p, and all events."""
    every, generator = chain.events(shape), torch.Generator().manual_seed(seed)
    return every[torch.multinomial(p, 1000, replacement=True, generator=generator)], every


def learnt(
    fn: Callable, p: Tensor, shape: tuple, seed: int, steps: int, chain: Chain
) -> Tensor:
    """Train on 1,000 events from the known p. In nats: −log P of one event before and after training, that of the
    best independent places, of other values, of the next places, and the entropy; and whether the logits after
    training look like probabilities."""
    x, every = known_data(p, shape, seed, chain)
    flat = every.flatten(1)
    table = chain.log_p(seeded_alike(fn, x.to(chain.dtype), 0), every)
    before = -(p * of(table, flat)).sum()
    model = seeded_alike(fn, x.to(chain.dtype), steps)
    table = chain.log_p(model, every)
    moved = [(flat + k) % chain.levels for k in range(1, chain.levels)]
    other = torch.stack([-(p * of(table, values)).sum() for values in moved]).min()
    following = (
        -(p * of(table[:, :-1], flat[:, 1:])).sum() * flat.shape[1] / (flat.shape[1] - 1)
    )
    shares = torch.stack([(p[:, None] * (flat == k)).sum(0) for k in range(chain.levels)])
    independent, entropy = -(shares * shares.log()).sum(), -(p * p.log()).sum()
    after, as_p = -(p * of(table, flat)).sum(), like_probabilities(model, every, chain)
    return torch.stack([before, after, independent, other, following, entropy, as_p])


def like_probabilities(model: object, x: Tensor, chain: Chain) -> Tensor:
    """1 if all logits are from 0 to 1 and, where a level has one each, their sum is 1; else 0."""
    logits = chain.logits(model, x)
    whole = chain.levels == 2 or torch.allclose(
        logits.sum(1), torch.ones_like(logits.sum(1)), atol=1e-4
    )
    return torch.tensor(bool(whole and logits.min() >= 0 and logits.max() <= 1)).double()


def sampled(
    fn: Callable, p: Tensor, shape: tuple, seed: int, steps: int, chain: Chain
) -> Tensor:
    """How badly samples of a model fit its own probabilities, and each of `otherwise`. It is trained as in `learnt`."""
    x, every = known_data(p, shape, seed, chain)
    model = seeded_alike(fn, x.to(chain.dtype), steps)
    table, flat = chain.log_p(model, every), every.flatten(1)
    drawn = chain.drawn(model, N_DRAWN, shape, torch.Generator().manual_seed(seed + 1))
    counts = torch.bincount(chain.number(drawn), minlength=len(every))
    ways = otherwise(table, flat, shape, chain)
    return torch.stack([misfit(counts, q) for q in (of(table, flat).exp(), *ways.values())])


def surprise(fn: Callable, x: Tensor, seed: int, steps: int, chain: Chain) -> Tensor:
    """Train on x, draw, and compare −log P of a sample with what is expected: (mean −log P, mean expected, z).

    Of a value that is drawn from a conditional p, −log p has the entropy of p for its mean, and its variance is known,
    too: z is the difference of the two means in standard deviations.
    """
    model = seeded_alike(fn, x.to(chain.dtype), steps)
    generator = torch.Generator().manual_seed(seed + 2)
    drawn = chain.drawn(model, N_FAR, x.shape[1:], generator)
    table = chain.log_p(model, drawn.view(-1, *x.shape[1:]))
    nats, p = -of(table, drawn), table.exp()
    entropy = -(p * table).sum(-1)
    variance = (p * table**2).sum(-1) - entropy**2
    z = (nats - entropy.sum(1)).sum() / variance.sum().clamp(min=1e-9).sqrt()
    return torch.stack([nats.mean(), entropy.sum(1).mean(), z])


def misfit(counts: Tensor, q: Tensor) -> Tensor:
    """Pearson's χ² of counts, over cells of at least 8 expected, less its mean, in standard deviations."""
    q = q / q.sum()
    order = q.argsort(descending=True)
    seen, due = counts[order].double(), q[order] * counts.sum()
    cell = (due.cumsum(0) / 8).floor().clamp(max=int(counts.sum() / 8) - 1).long()
    cell = cell.unique(return_inverse=True)[1]
    seen, due = (
        torch.zeros(int(cell.max()) + 1).double().index_add(0, cell, v) for v in (seen, due)
    )
    degrees = max(len(due) - 1, 1)
    chi2 = ((seen - due) ** 2 / due.clamp(min=1e-9)).sum()
    return (chi2 - degrees) / (2 * degrees) ** 0.5


def otherwise(table: Tensor, flat: Tensor, shape: tuple, chain: Chain) -> dict:
    """What samples of a model with these conditionals have for probabilities, if they are drawn otherwise.

    table: (N, D, levels), for all N events flat (N, D).
    """
    ways = {
        "blank": of(table[:1].expand_as(table), flat).exp(),
        "noise": torch.stack(
            [of(row[None].expand_as(table), flat).exp() for row in table]
        ).mean(0),
        "uniform": torch.full((len(flat),), 1 / len(flat)).double(),
    }
    if chain.levels == 2:
        logit = table[..., 1] - table[..., 0]
        ways["swapped"] = of(table, 1 - flat).exp()
        for name, ink in (("raw", logit.clamp(0, 1)), ("twice", logit.sigmoid().sigmoid())):
            ways[name] = of(
                torch.stack([1 - ink, ink], -1).clamp(min=1e-9).log(), flat
            ).exp()
        columns = torch.arange(flat.shape[1]).view(*shape[-2:]).T.flatten().tolist()
        ways["columns"] = _in_order(table, flat, columns, chain)
    else:
        ways["twice"] = of(table.exp().log_softmax(-1), flat).exp()
    return ways


def _in_order(table: Tensor, flat: Tensor, order: list, chain: Chain) -> Tensor:
    """The probabilities if the places are drawn in this order, the others being 0 until then."""
    shown, total = torch.zeros_like(flat), 0.0
    for i in order:
        total = total + table[chain.number(shown), i].gather(1, flat[:, i : i + 1])[:, 0]
        shown = shown.clone()
        shown[:, i] = flat[:, i]
    return total.exp()
