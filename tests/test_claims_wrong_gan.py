"""Claims of chapter 04 on contests that are made wrong on purpose: their rules see it."""

import pytest
import torch
from torch.distributions import Normal
from worlds import decided

from gencourse.claims import Outcome
from gencourse.data import plane
from gencourse.metrics import mean_interval
from gencourse.models import GAN, Discriminator, Generator, plane_gan
from gencourse.models.gan import discriminator_loss, generator_loss

# GA1: one pass ---------------------------------------------------------------------------------------------------


class OneByOne(Generator):
    """A generator that works through its noise one by one."""

    def forward(self, z, condition=None):
        return torch.cat([self.net(each[None]) for each in z])


class WithDropout(Generator):
    """A generator with chance inside."""

    def forward(self, z, condition=None):
        return torch.nn.functional.dropout(super().forward(z, condition))


def passes_of(kind):
    """GA1's measurements of a generator of this kind, counted at its network."""
    torch.manual_seed(0)
    gan = GAN(kind((1, 4, 4), latent=2, hidden=(8,)), Discriminator((1, 4, 4), hidden=(8,)))
    seen, per_draw = [], []
    gan.generator.net.register_forward_hook(lambda network, given, out: seen.append(len(given[0])))
    for n in (1, 10, 1000):
        seen.clear()
        gan.sample(n, torch.Generator().manual_seed(0))
        per_draw.append(list(seen))
    noise = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    once, again = gan.generator(noise), gan.generator(noise)
    return dict(
        passes=[len(each) for each in per_draw],
        rows=[sum(each) for each in per_draw],
        textbook=784,
        differing=(once != again).sum().item(),
        alike=(once[1:] == once[0]).flatten(1).all(1).sum().item(),
    )


def test_a_generator_passes_once():
    assert decided("GA1", **passes_of(Generator)) == (Outcome.HOLDS, [])


@pytest.mark.parametrize("kind, part", [(OneByOne, "passes of the generator"), (WithDropout, "pixels that differ")])
def test_a_generator_that_passes_more_often_or_throws_dice_is_seen(kind, part):
    outcome, parts = decided("GA1", **passes_of(kind))
    assert outcome is Outcome.FAILS and len(parts) == 1 and parts[0].startswith(part)


# GA2: one player moves -------------------------------------------------------------------------------------------


def turns_of(one_optimiser, frozen_layer=False, turns=20):
    """GA2's measurements of a contest with an optimiser for each player, or with one for both."""
    gan, chance, moved, disturbed = plane_gan(0, hidden=(8,)), torch.Generator().manual_seed(0), [0, 0], 0
    players = [gan.discriminator, gan.generator]
    if frozen_layer:
        next(gan.generator.parameters()).requires_grad_(False)
    first = [[w.detach().clone() for w in player.parameters()] for player in players]
    everything = [w for player in players for w in player.parameters()]
    optimizers = [torch.optim.Adam(everything if one_optimiser else list(p.parameters()), lr=1e-3) for p in players]
    for turn in range(2 * turns):
        whose = turn % 2
        before = [[w.detach().clone() for w in player.parameters()] for player in players]
        logits = gan.discriminator(gan.generator(gan.noise(32, chance)))
        real = gan.discriminator(plane("ring", 32, chance).x)
        for optimizer in optimizers:
            optimizer.zero_grad()
        (generator_loss(logits) if whose else discriminator_loss(real, logits)).backward()
        optimizers[whose].step()
        changed = [
            any(not torch.equal(a, b) for a, b in zip(old, player.parameters())) for old, player in zip(before, players)
        ]
        moved[whose] += changed[whose]
        disturbed += changed[1 - whose]
    still = sum(torch.equal(a, b) for old, p in zip(first, players) for a, b in zip(old, p.parameters()))
    return dict(turns=turns, moved=min(moved), still=still, disturbed=disturbed, disturbed_in_fit=0, careless=turns)


def test_an_optimiser_for_each_player_leaves_the_other_alone():
    assert decided("GA2", **turns_of(one_optimiser=False)) == (Outcome.HOLDS, [])


def test_one_optimiser_for_both_is_seen():
    assert decided("GA2", **turns_of(one_optimiser=True)) == (
        Outcome.FAILS,
        ["turns in which the fixed player's parameters changed"],
    )


def test_a_layer_that_never_moves_is_seen():
    outcome, parts = decided("GA2", **turns_of(one_optimiser=False, frozen_layer=True))
    assert (outcome, parts) == (Outcome.FAILS, ["tensors of parameters of a mover that never moved"])


# GA3: the best discriminator -----------------------------------------------------------------------------------------


def judged(loss, seed):
    """(largest |D − P/(P+Q)|, largest |share of real points − D| over tenths) of one trained with a loss."""
    torch.manual_seed(seed)
    p, q, d = Normal(0.0, 1.0), Normal(1.0, 1.0), Discriminator((1,), hidden=(32,))
    optimizer = torch.optim.Adam(d.parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        discriminator_loss(d(p.sample((1000, 1))), d(q.sample((1000, 1))), loss).backward()
        optimizer.step()
    x = torch.linspace(-2, 3, 200)
    both, is_real = torch.cat([p.sample((20_000,)), q.sample((20_000,))]), torch.arange(40_000) < 20_000
    with torch.no_grad():
        error = (d(x[:, None]).sigmoid() - (p.log_prob(x) - q.log_prob(x)).sigmoid()).abs().max().item()
        said = d(both[:, None]).sigmoid()
    gaps = [is_real[tenth].float().mean() - said[tenth].mean() for tenth in said.argsort().split(4000)]
    return error, torch.stack(gaps).abs().max().item()


@pytest.mark.parametrize("loss", ["non-saturating", "hinge"])
def test_a_discriminator_whose_word_is_no_probability_is_seen(loss):
    error, calibration = (mean_interval(column) for column in zip(*[judged(loss, seed) for seed in range(6)]))
    outcome, parts = decided(
        "GA3", error=error, calibration=calibration, off=mean_interval([0.004] * 2), early=mean_interval([0.7] * 2)
    )
    if loss == "hinge":
        assert outcome is Outcome.FAILS and "P/(P+Q)" in parts[0]
    else:
        assert outcome is not Outcome.FAILS and not parts
