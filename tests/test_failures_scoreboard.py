"""The comparison at equal compute: the budget is counted, and the floor and the yardsticks are those that it names."""

import json

import pytest
import torch

from gencourse import data
from gencourse.failures import scoreboard as failures
from gencourse.failures.scoreboard import CONTESTANTS, NETWORKS, OPERATIONS, equal_compute, steps_for
from gencourse.models import VAE, PixelCNN

KEYS = {"steps", "nats", "frechet", "precision", "recall", "floor"}


@pytest.fixture
def short(monkeypatch):
    """Three steps of training, and samples of a PixelCNN that are drawn at once."""
    monkeypatch.setattr(failures, "steps_for", lambda model, batch_size: 3)
    monkeypatch.setattr(PixelCNN, "sample", lambda model, n, g: torch.rand((n, 1, 28, 28), generator=g).round())


@pytest.mark.parametrize("network", NETWORKS)
def test_what_comes_out_is_plain_values_that_the_seed_decides(network, short):
    first, again, other = (equal_compute(seed, network=network, tested=100) for seed in (0, 0, 1))
    for result in (first, again, other):
        assert set(result) == KEYS and json.loads(json.dumps(result, allow_nan=False)) == result
    assert first == again and first["steps"] == 3
    assert all(first[key] != other[key] for key in ("nats", "frechet", "floor"))


def test_an_untrained_network_is_far_above_the_floor_and_the_data_are_at_it(short, monkeypatch):
    poor = equal_compute(0, network="VAE", tested=100)
    assert poor["frechet"] > 10 * poor["floor"] and poor["precision"] < 0.2
    digits = data.binarise(data.mnist("train")[0][:2000], torch.Generator().manual_seed(1))
    monkeypatch.setattr(VAE, "sample", lambda model, n, g: digits)
    good = equal_compute(0, network="VAE", tested=100)
    assert good["frechet"] < 3 * good["floor"] and good["precision"] > 0.7 and good["floor"] == poor["floor"]


def test_the_budget_is_the_same_number_of_operations():
    spent = {}
    for network, each in CONTESTANTS.items():
        model = each.build()
        steps = steps_for(model, each.batch_size)
        if network == "VAE":  # by hand: a product of matrices in three passes, two operations each; none for the image
            first, rest = 784 * 500, 500 * 64 + 32 * 500 + 500 * 784
            spent[network] = steps * each.batch_size * 2 * (2 * first + 3 * rest)
        else:
            assert steps == 550  # of chapter 01
            spent[network] = OPERATIONS
    assert spent["VAE"] == pytest.approx(spent["PixelCNN"], rel=0.005)


def test_twice_the_operations_are_twice_the_steps():
    model = CONTESTANTS["VAE"].build()
    assert steps_for(model, 200, 2 * OPERATIONS) == pytest.approx(2 * steps_for(model, 200), abs=1)
    assert steps_for(model, 200, 1.0) == 1
    assert all(weight.grad is None for weight in model.parameters())


def test_a_network_that_is_none_of_them():
    with pytest.raises(ValueError, match="network is 'GAN'; expected 'PixelCNN' or 'VAE'"):
        equal_compute(0, network="GAN")


def test_more_test_images_than_there_are():
    with pytest.raises(ValueError, match="tested is 10001"):
        equal_compute(0, tested=10_001)
