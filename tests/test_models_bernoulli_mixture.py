"""Laws of the mixture of Bernoullis."""

from itertools import product

import pytest
import torch

from gencourse.models import BernoulliMixture


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_mixture(k=3, shape=(1, 2, 3), seed=0):
    model = BernoulliMixture(k, shape)
    model.probabilities.uniform_(0.05, 0.95, generator=generator(seed))
    model.log_weights.copy_(torch.rand(k, generator=generator(seed + 1)).log_softmax(0))
    return model


def everything(shape):
    return torch.tensor(list(product((0, 1), repeat=torch.Size(shape).numel()))).view(-1, *shape)


@pytest.mark.parametrize("k", [1, 3])
def test_probabilities_sum_to_one_and_are_those_of_torch(k):
    model, x = random_mixture(k), everything((1, 2, 3))
    log_p = model.log_prob(x)
    assert log_p.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    parts = torch.distributions.Independent(torch.distributions.Bernoulli(model.probabilities), 1)
    weights = torch.distributions.Categorical(logits=model.log_weights)
    truth = torch.distributions.MixtureSameFamily(weights, parts).log_prob(x.flatten(1).float())
    torch.testing.assert_close(log_p, truth)


def test_samples_have_the_probabilities():
    model, x = random_mixture(), everything((1, 2, 3))
    drawn = model.sample(200_000, generator(5))
    assert drawn.dtype == torch.uint8 and drawn.shape == (200_000, 1, 2, 3)
    place = (drawn.flatten(1).long() * 2 ** torch.arange(5, -1, -1)).sum(1)
    shares = torch.bincount(place, minlength=64) / len(drawn)
    torch.testing.assert_close(shares, model.log_prob(x).exp(), atol=4e-3, rtol=0)
    assert model.sample(0).shape == (0, 1, 2, 3)


def test_em_never_falls_and_the_best_of_some_starts_finds_what_made_the_data():
    truth = BernoulliMixture(3, (20,))
    truth.probabilities.copy_(torch.rand(3, 20, generator=generator(7)).round() * 0.8 + 0.1)
    truth.log_weights.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    x, fresh = truth.sample(4000, generator(1)), truth.sample(4000, generator(2))
    gaps = []
    for seed in range(6):
        model = BernoulliMixture(3, (20,))
        climbed = model.fit_em(x, 100, generator(seed))
        assert min(b - a for a, b in zip(climbed, climbed[1:])) > -1e-5
        assert climbed[-1] > climbed[0] + 0.5
        gaps.append((truth.log_prob(fresh) - model.log_prob(fresh)).mean().item())
    assert min(gaps) < 0.02


def test_one_component_is_the_mean_image():
    x = torch.randint(2, (50, 4), generator=generator(3))
    model = BernoulliMixture(1, (4,))
    model.fit_em(x, 1, generator())
    torch.testing.assert_close(model.probabilities[0], (x.float().sum(0) + 1) / 52)


@pytest.mark.parametrize(
    "x, error, message",
    [
        ([[0, 1]], TypeError, "x is a list"),
        (torch.zeros(3, 5), ValueError, r"x has shape \(3, 5\); expected \(batch, 4\)"),
        (torch.zeros(0, 4), ValueError, "x has shape"),
        (torch.full((3, 4), 0.5), ValueError, "values from 0.5 to 0.5; expected zeros and ones"),
        (torch.full((3, 4), torch.nan), ValueError, "expected zeros and ones"),
    ],
)
def test_bad_input_is_refused(x, error, message):
    with pytest.raises(error, match=message):
        BernoulliMixture(2, (4,)).log_prob(x)
    with pytest.raises(error, match=message):
        BernoulliMixture(2, (4,)).fit_em(x)


def test_constructor_says_what_is_wrong():
    with pytest.raises(ValueError, match="n_components is 0"):
        BernoulliMixture(0)
    with pytest.raises(TypeError, match="n_components is 2.5"):
        BernoulliMixture(2.5)
