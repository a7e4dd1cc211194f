"""Real models made wrong on purpose: their measurements make the rules of chapter 05 say "does not hold"."""

import torch
from worlds import decided
from worlds.failures import WORLDS

from gencourse import checkpoints, data, metrics
from gencourse.claims import Outcome
from gencourse.data import plane
from gencourse.failures.gan import _learn_alone, climb
from gencourse.models.gan import GAN, plane_gan


def in_true_world(id, **measured):
    """The outcome and the parts that fall, the other measurements being those of the world where the claim is true."""
    return decided(id, **WORLDS[id].true | measured)


def test_a_decoder_as_hard_as_the_data_is_not_called_soft():
    """The stored VAE with its logits times a hundred: every pixel nearly black or white."""
    vae, chance = checkpoints.load("vae")[0], torch.Generator().manual_seed(0)
    grey = metrics.sharpness(data.mnist("test")[0][::10] / 255).mean()
    with torch.no_grad():
        logits = vae.decode(torch.randn(200, vae.latent, generator=chance)).logits
    hard, soft = (metrics.mean_interval(metrics.sharpness((scale * logits).sigmoid()) / grey) for scale in (100.0, 1.0))
    assert in_true_world("VA9", decoded=soft)[0] is Outcome.HOLDS
    outcome, why = in_true_world("VA9", decoded=hard)
    assert outcome is Outcome.FAILS and why == ["sharpness of what is decoded, over that of the data"]


class Twin(torch.nn.Module):
    """A "generator" that hands out points of the data, whatever its one weight says: the noise says which."""

    event_shape, latent = (2,), 2

    def __init__(self, x):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.x = x

    def forward(self, noise):
        return self.x[(noise[:, 0] * 1e6).long().abs() % len(self.x)] + 0 * self.weight


def test_where_samples_are_data_no_judge_finds_a_weak_one_out():
    found_out = []
    for seed in range(6):
        chance = torch.Generator().manual_seed(seed)
        x = plane("ring", 5000, chance).x
        gan = GAN(Twin(x), plane_gan(seed, (8,), (64,)).discriminator)
        other = torch.optim.Adam(gan.discriminator.parameters(), lr=2e-3)
        _learn_alone(gan, other, x, 60, 128, chance)
        with torch.no_grad():
            real, fake = (
                gan.discriminator(points) for points in (plane("ring", 2000, chance).x, gan.sample(2000, chance))
            )
        found_out.append(((real > 0).float().mean() + (fake < 0).float().mean()).item() / 2 > 0.9)
    outcome, why = in_true_world("GA6", found_out=metrics.share_interval(found_out))
    assert outcome is Outcome.FAILS and why == ["few units: seeds in which a stronger discriminator is right above 0.9"]


class Nearest(torch.nn.Module):
    """A judge that cannot be bribed: its logit falls with the distance to the nearest of some digits."""

    def __init__(self, digits):
        super().__init__()
        self.digits = digits.flatten(1)

    def forward(self, x):
        return -torch.cdist(x.flatten(1), self.digits).amin(1)


def test_a_judge_whose_hills_are_digits_is_not_defeated():
    chance = torch.Generator().manual_seed(0)
    known, new = (data.subset(300, chance, data.mnist("test")[0]) / 255).split((200, 100))
    judge, far = Nearest(known), []
    for seed in range(6):
        noise = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
        found = climb(judge, noise, steps=120)
        far.append((judge(found).median() / judge(new).median()).item())
    outcome, why = in_true_world("GA7", far={"noise": metrics.median_interval(far)})
    assert outcome is Outcome.FAILS and why == ["distance to the nearest digit over that of digits, least"]
