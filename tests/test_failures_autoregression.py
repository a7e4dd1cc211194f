"""The wrong prefix: the yardsticks, and models that are known to forget or to be blind."""

import json
import math

import pytest
import torch

from gencourse import checkpoints
from gencourse.failures.autoregression import nats_by_row, turned_over, wrong_prefix
from gencourse.models import PixelCNN

MEASURED = {"recognised", "plausible", "nats_rest", "nats_true"}
CONTROL = {"control_" + key for key in MEASURED}
KEYS = MEASURED | CONTROL | {"excess_first", "excess_last", "true_recognised", "true_plausible"}


class Coins:
    """Every pixel is black or white with probability ½, whatever was before."""

    def logits(self, x):
        return torch.zeros(len(x), 2, *x.shape[1:])

    def sample(self, n, generator, prefix):
        x = torch.randint(2, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)
        x[:, :, : prefix.shape[2]] = prefix
        return x


@pytest.fixture(scope="module")
def results():
    """What happens at some shares of wrong pixels."""
    return {flipped: wrong_prefix(0, flipped=flipped) for flipped in (0.0, 0.2)}


@pytest.fixture(scope="module")
def late():
    """What happens where two rows are missing."""
    return wrong_prefix(0, rows=26)


def test_what_comes_out_is_plain_values_that_the_seed_decides(late):
    assert set(late) == KEYS and all(type(value) is float for value in late.values())
    assert json.loads(json.dumps(late, allow_nan=False)) == late != wrong_prefix(1, rows=26)
    # that the same seed gives the same is tested of all studies together


def test_with_nothing_turned_over_it_is_its_own_control(results):
    right, wrong = results[0.0], results[0.2]
    assert all(right[key] == right["control_" + key] for key in MEASURED)
    assert right["excess_first"] == right["excess_last"] == 0
    assert {key: right[key] for key in CONTROL} == {key: wrong[key] for key in CONTROL}  # the same draws
    assert right["true_recognised"] > 0.95 and right["true_plausible"] > 0.7


def test_wrong_rows_cost(results):
    wrong = results[0.2]
    assert wrong["recognised"] < wrong["control_recognised"] < wrong["true_recognised"]
    assert wrong["nats_true"] > wrong["control_nats_true"] and wrong["excess_first"] > wrong["excess_last"]


def test_a_model_that_is_blind_loses_nothing_and_draws_no_digits(monkeypatch):
    load = checkpoints.load
    monkeypatch.setattr(checkpoints, "load", lambda name: (Coins(), {}) if name == "pixelcnn" else load(name))
    result = wrong_prefix(0, flipped=0.3)
    assert result["excess_first"] == result["excess_last"] == 0
    assert result["nats_rest"] == pytest.approx(math.log(2)) == result["nats_true"]
    assert result["plausible"] < 0.2 and result["recognised"] < 0.5


def test_where_two_rows_are_missing_there_is_little_to_do(late):
    assert late["recognised"] > 0.9 and max(late["nats_rest"], late["nats_true"]) < 0.05  # hardly any ink
    for wrong, words in [(dict(rows=0), "rows is 0"), (dict(rows=27), "rows is 27"), (dict(flipped=1.5), "is 1.5")]:
        with pytest.raises(ValueError, match=words):
            wrong_prefix(0, **wrong)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 34), (0.5, 168), (1.0, 336)])
def test_so_many_pixels_are_turned_over(share, count):
    x = torch.randint(2, (4, 1, 3, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = turned_over(x, share, torch.Generator().manual_seed(1))
    assert (x != other).sum() == count and other.dtype == torch.uint8 and other.max() <= 1


def test_nats_of_the_rows_make_the_likelihood_of_the_image():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = PixelCNN((1, 5, 6), 2, n_blocks=2, channels=4)
    x = torch.randint(2, (7, 1, 5, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rows = nats_by_row(model, x)
        assert rows.shape == (5,) and 6 * rows.sum().item() == pytest.approx(-model.log_prob(x).mean().item(), rel=1e-5)
