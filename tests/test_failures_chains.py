"""Chains that are broken on purpose: each fault is there, and each instrument finds its own."""

import pytest
import torch

from gencourse import data, metrics
from gencourse.failures.chains import FAULTS, learn_by_heart, mirrored, scrambled, sees_ahead, sees_itself, suspects
from gencourse.models import PixelCNN, PixelRNN


def small(**settings):
    torch.manual_seed(0)
    return PixelCNN((1, 3, 3), n_blocks=1, channels=8, **settings)


def test_what_is_seen_is_counted_in_the_past_and_beyond():
    assert metrics.seen_pairs(small(), metrics.reach) == (0, 36)
    assert metrics.seen_pairs(sees_itself(small()), metrics.reach)[0] == 9
    assert metrics.seen_pairs(mirrored(small()), metrics.reach) == (9, 27)
    assert metrics.seen_pairs(scrambled(small()), metrics.receptive_field)[0] == 0


@pytest.mark.parametrize("make", [small, lambda: small(stacks="gated"), lambda: PixelRNN((1, 3, 3), kind="row")])
def test_a_planted_leak_shows_the_pixel_and_what_lies_to_its_right(make):
    assert metrics.seen_pairs(sees_ahead(make()), metrics.reach)[0] >= 18


def test_a_leak_is_learnt_by_heart_and_its_sum_is_no_longer_one():
    tiny = data.tiny_images(3)
    assert metrics.total_probability(small(), tiny) == pytest.approx(1, abs=1e-5)
    leaking = sees_itself(small())
    assert learn_by_heart(leaking, tiny, 60) < 6.2 and metrics.total_probability(leaking, tiny) > 2


def test_one_pass_is_the_sum_of_single_conditionals_unless_a_pixel_sees_itself():
    x = torch.randint(2, (1, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for model, same in ((scrambled(small()), True), (sees_itself(scrambled(small())), False)):
        one_pass = -model.log_prob(x[None]).item()
        assert (abs(metrics.nats_one_by_one(model, x) - one_pass) < 1e-3) == same


@pytest.fixture(scope="module")
def case():
    return suspects(0)


def test_each_suspect_has_another_fault_and_the_measures_tell_them_apart(case):
    of = {}
    for name, model in case.networks.items():
        forbidden, allowed = metrics.seen_pairs(model, metrics.reach)
        nats = metrics.nats(model, case.unseen).mean().item()
        if metrics.total_probability(model, case.events) > 10:
            of[name] = "a pixel sees itself"
            assert forbidden == 16 and nats < case.entropy
        else:
            of[name] = "another order" if forbidden else "a blind spot"
            assert allowed < 120 and (nats > case.entropy + 1) == (not forbidden)
    assert sorted(of.values()) == sorted(FAULTS)
    assert case.verdict(of).count("✓") == 3
    assert case.verdict(dict.fromkeys(of, "?")).count("○") == 3
    turned = dict(zip(of, [*list(of.values())[1:], list(of.values())[0]]))
    assert case.verdict(turned).count("✗") == 3


def test_an_answer_of_another_kind_is_refused(case):
    with pytest.raises(ValueError, match="each one of"):
        case.verdict({"A": "broken", "B": "?", "C": "?"})


def test_the_seconds_are_of_the_shortest_and_the_steps_are_counted():
    assert 0 <= metrics.seconds_of(lambda: None, times=3) < 1
    took, x, steps = metrics.time_sampling(small(), 2, cached=True)
    assert took > 0 and x.shape == (2, 1, 3, 3) and steps == 9


def test_real_digits_are_legible_and_noise_is_not():
    from gencourse import checkpoints

    judge, _ = checkpoints.load("classifier")
    test = data.binarise(data.mnist("test")[0][:900], torch.Generator().manual_seed(0))
    assert metrics.legible(judge, test[:200], test[200:]).double().mean() > 0.6
    noise = torch.randint(2, (50, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert metrics.legible(judge, noise, test[200:]).double().mean() < 0.3
