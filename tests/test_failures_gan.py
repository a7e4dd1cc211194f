"""The failures of contests: each detector finds its failure, and misses it where there is none."""

import json
import math

import pytest
import torch

from gencourse import data
from gencourse.failures import gan as failures
from gencourse.models import GAN, plane_gan
from gencourse.training import GANHistory


def test_the_plane_is_stretched_with_its_modes():
    for points, modes in (("ring", 8), ("grid", 25)):
        where = data.plane(points, 5000, torch.Generator().manual_seed(0))
        assert where.centres.shape == (modes, 2) and where.centres.abs().max() == 4
        distance = torch.cdist(where.x, where.centres).amin(1) / where.sigma
        assert distance.square().mean().item() == pytest.approx(2, abs=0.15)  # χ² with two degrees of freedom
    with pytest.raises(ValueError, match="points is 'spiral'; expected 'ring' or 'grid'"):
        data.plane("spiral", 10, torch.Generator())


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="method is 'magic'; expected one of original, plain, .*recipe"):
        failures.mode_collapse(0, method="magic")


@pytest.mark.parametrize("method", failures.METHODS)
def test_every_method_plays_and_is_counted(method):
    first, again = (failures.mode_collapse(3, method=method, effort=0.002) for _ in range(2))
    assert first == again and json.loads(json.dumps(first, allow_nan=False)) == first
    assert 0 <= first["modes"] <= 8 and 0 <= first["good"] <= 1 and 0 <= first["reverse_kl"] <= math.log(8) + 1e-6
    assert first["collapsed"]  # after a few steps nothing is found


def test_the_control_of_r1_changes_nothing_but_r1(monkeypatch):
    played, play = [], failures.play

    def watched(method, x, *others):
        gan, history = play(method, x, *others)
        played.append((method, gan.r1, x))
        return gan, history

    monkeypatch.setattr(failures, "play", watched)
    with_it, without = failures.mode_collapse(3, method="recipe", effort=0.002), failures.r1_off(3, effort=0.002)
    (recipe, r1, x), (control, none, same) = played
    assert r1 > 0 == none and torch.equal(x, same) and with_it.keys() == without.keys() and with_it != without
    assert control._replace(game=recipe.game) == recipe and {**control.game, "r1": r1} == recipe.game


def test_more_updates_of_the_discriminator_are_paid_for(monkeypatch):
    played, history = [], GANHistory(loss_g=[1.0], d_fake=[0.5])
    monkeypatch.setattr(failures, "fit_gan", lambda *_, **how: played.append(how) or history)
    failures.mode_collapse(0, method="plain", steps_d=1)
    failures.mode_collapse(0, method="plain", steps_d=3)
    assert played[0]["steps"] == 2 * played[1]["steps"] and played[1]["steps_d"] == 3


def test_the_saturating_loss_starves_behind_a_strong_discriminator_and_the_other_does_not():
    for loss, starved in (("original", True), ("non-saturating", False)):
        out = failures.too_strong(1, loss=loss, head_start=1000)
        assert out["starved"] == starved and out["d_fake"] < 1e-2
    out = failures.too_strong(1, head_start=1)
    assert not out["starved"] and abs(out["d_fake"] - 0.5) < 0.2


def test_ascent_climbs_and_leaves_weights_and_images_alone():
    torch.manual_seed(0)
    judge, x = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 1)), torch.rand(5, 1, 28, 28)
    before, kept = [w.clone() for w in judge.parameters()], x.clone()
    found = failures.climb(judge, x, steps=5)
    assert (judge(found) > judge(x)).all() and 0 <= found.min() and found.max() <= 1
    assert (found - x).abs().max() <= 0.05 + 1e-6
    assert all(torch.equal(a, b) for a, b in zip(before, judge.parameters())) and torch.equal(x, kept)
    assert all(w.grad is None for w in judge.parameters())


def test_the_orbit_does_not_settle_and_r1_brings_it_to_rest():
    wild, calm = failures.dirac_orbit(4), failures.dirac_orbit(4, r1=1.0)
    assert not wild["settled"] and wild["turns"] > 3
    assert calm["settled"] and calm["turns"] < 1
    # 0.2·s·500 = 50 radians with s = ½: eight turns in continuous time
    assert wild["turns"] == pytest.approx(50 / (2 * math.pi), rel=0.2)


def test_apart_is_zero_on_the_data_and_notices_both_bad_and_missing():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    assert failures.apart(x, x) == pytest.approx(0, abs=1e-3)
    assert failures.apart(x[:1].expand(200, 2), x) > 0.5 < failures.apart(x + 5, x)


def test_equal_steps_are_the_contest_of_equal_ratio(monkeypatch):
    fit, rates = failures.fit_gan, []

    def brief(*arguments, lr, steps, **others):
        rates.append(lr)
        return fit(*arguments, lr=lr, steps=20, **others)

    monkeypatch.setattr(failures, "fit_gan", brief)
    assert failures.equal_steps(0) == failures.balance(0)
    failures.equal_steps(0, size=1e-4)
    failures.balance(0, ratio=100.0)
    assert rates == [(1e-3, 1e-3), (1e-3, 1e-3), (1e-4, 1e-4), pytest.approx((1e-2, 1e-4))]


def test_where_samples_are_data_another_discriminator_guesses():
    x = data.plane("ring", 2000, torch.Generator().manual_seed(0)).x
    perfect = failures.DataGenerator(x)
    made = GAN(perfect, plane_gan(0, (8,), (8,)).discriminator).sample(500, torch.Generator().manual_seed(1))
    assert (torch.cdist(made, x).amin(1) < 0.01).all() and len(made.unique(dim=0)) > 350
    other = failures.another_discriminator(perfect, x, 0, torch.Generator().manual_seed(0))
    assert failures.told_rightly(other, x, x + 3) > 0.55  # it is no coin
    fresh, more = data.plane("ring", 4000, torch.Generator().manual_seed(2)).x.split(2000)
    assert abs(failures.told_rightly(other, fresh, more) - 0.5) < 0.05
