"""Models of chapter 03 made wrong on purpose: measured, their claims do not hold."""

import math

import pytest
import torch
from torch.distributions import Normal
from worlds import decided
from worlds.vae import WORLDS

from gencourse.claims import Outcome
from gencourse.metrics import mean_interval, mutual_information
from gencourse.models import VAE, LinearGaussianVAE
from gencourse.training import fit


def outcome(id, **measured):
    """What the rule of a claim says of these measurements, the others being those of the true world."""
    return decided(id, **WORLDS[id].true | measured)[0]


def draws(std, cut_off=False):
    """For a linear decoder and draws of std(σ)·e + m: √n times the distance from N(m, exp σ), and the gradient by σ
    over the exact one; `cut_off` keeps σ out of the gradient.
    """
    torch.manual_seed(0)
    model, n, chance = LinearGaussianVAE(6, 2), 10_000, torch.Generator().manual_seed(0)
    x = model.sample(1, chance).expand(n, 6)
    mean, log_var = torch.tensor([0.7, -0.4]), torch.tensor([0.5, -1.0])
    each = log_var.expand(n, 2).clone().requires_grad_()
    z = mean + std(each.detach() if cut_off else each) * torch.randn(n, 2, generator=chance)
    gap = (
        torch.arange(1, n + 1) / n - Normal(mean[0], (log_var[0] / 2).exp()).cdf(z[:, 0].detach().sort().values)
    ).abs()
    likelihood = model.decode(z).log_prob(x).sum() + 0 * each.sum()
    (drawn,) = torch.autograd.grad(likelihood, each)
    exact = -(model.W.detach().square().sum(0) * log_var.exp()) / (2 * model.decode(mean).variance[0].item())
    return gap.max().item() * n**0.5, mean_interval(drawn.detach() @ exact / exact.square().sum())


def test_va1_a_right_draw_passes_and_each_wrong_one_does_not():
    distance, along = draws(lambda log_var: (log_var / 2).exp())
    assert outcome("VA1", distance=distance, by_log_var=along) is Outcome.HOLDS
    assert outcome("VA1", distance=draws(torch.exp)[0]) is Outcome.FAILS
    along = draws(lambda log_var: (log_var / 2).exp(), cut_off=True)[1]
    assert outcome("VA1", by_log_var=along) is Outcome.FAILS


@pytest.mark.parametrize(
    "formula, expected",
    [
        (lambda m, s: s.exp() - (1 + s) + m**2, Outcome.HOLDS),
        (lambda m, s: (s.exp() - (1 + s) + m**2) / 2, Outcome.FAILS),
        (lambda m, s: s.exp() - (1 + s) + m.abs(), Outcome.FAILS),
        (lambda m, s: (2 * s).exp() - (1 + 2 * s) + m**2, Outcome.FAILS),
    ],
)
def test_va2_only_the_printed_bracket_is_twice_the_kl(formula, expected):
    m, log_var = torch.randn(2, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kl = torch.distributions.kl_divergence(Normal(m, (log_var / 2).exp()), Normal(0.0, 1.0))
    assert outcome("VA2", off=(formula(m, log_var) / kl - 2).abs().max()) is expected


@pytest.fixture(scope="module")
def small():
    """Small VAEs of strips with an edge at one of ten pixels, {β: one a seed}; beside each its noise half-way."""
    images, models = (torch.arange(16) >= torch.arange(3, 13)[:, None]).float().repeat(20, 1), {}
    for beta in (0.0, 1.0):
        models[beta] = []
        for seed in range(3):
            torch.manual_seed(seed)
            vae = VAE((16,), latent=2, hidden=(32,), beta=beta)
            for _ in range(2):
                half = vae.encode(images).stddev.log().mean().item()
                fit(vae, images, steps=100, batch_size=100, lr=2e-2, precision="float32")
            models[beta].append((vae, half))
    return images, models


def noise(images, models):
    """Share of the spread and the late change of the noise, as the notebook measures them, over seeds."""
    share, late = [], []
    for vae, half in models:
        with torch.no_grad():
            q = vae.encode(images)
        share.append((q.stddev.log().mean() - q.mean.std(0).log().mean()).exp().item())
        late.append((q.stddev.log().mean().item() - half) / math.log(10))
    return mean_interval(share), mean_interval(late)


def test_va3_a_kl_left_on_and_a_kl_left_off_are_noticed(small):
    images, models = small
    without, with_kl = noise(images, models[0.0]), noise(images, models[1.0])
    assert without[0].value < 0.2 * with_kl[0].value and without[1].high < 0
    assert outcome("VA3", share=with_kl[0].value) is Outcome.FAILS
    assert outcome("VA3", share_kl=without[0]) is Outcome.FAILS


def test_va4_a_kl_left_off_is_noticed_and_a_rise_is_not_enough(small):
    images, models = small
    alone = {}
    for beta, those in models.items():
        with torch.no_grad():
            alone[beta] = mean_interval([vae.encode(images).variance.log().mean().exp().item() for vae, _ in those])
    assert alone[0.0].high < alone[1.0].low
    for value in alone.values():  # "close to one" is more than "towards one"
        assert outcome("VA4", alone=value) is Outcome.FAILS


def test_va5_a_turned_code_leads_nowhere():
    chance = torch.Generator().manual_seed(0)
    attribute, z = torch.randn(5000, generator=chance), torch.randn(5000, 8, generator=chance)
    z[:, 3] = attribute

    def lead(z):
        best, second = sorted((mutual_information(m, attribute) for m in z.T), reverse=True)[:2]
        return best - second

    turn = torch.linalg.qr(torch.randn(8, 8, generator=chance))[0]
    assert outcome("VA5", lead_vae=lead(z), planted=lead(z)) is Outcome.HOLDS
    assert outcome("VA5", planted=lead(z @ turn)) is Outcome.FAILS


def test_va6_a_bound_with_the_wrong_kl_is_noticed():
    torch.manual_seed(0)
    model = LinearGaussianVAE(6, 2)
    with torch.no_grad():
        x = model.sample(100, torch.Generator().manual_seed(0))
        q, truth = model.encode(x), model.log_prob(x)
        kl = torch.distributions.kl_divergence(q, model.prior).sum(1)
        posterior = model.posterior(x)
        cloud = torch.distributions.MultivariateNormal(q.mean, scale_tril=torch.diag_embed(q.stddev))
        gap = torch.distributions.kl_divergence(cloud, posterior)
        right = model.exact_elbo(x)
        model.set_posterior()  # a tight bound, for the one without a KL to overshoot
        free = model.exact_elbo(x) + torch.distributions.kl_divergence(model.encode(x), model.prior).sum(1)
    for bound, expected in ((right, Outcome.HOLDS), (right - kl, Outcome.FAILS), (right + kl, Outcome.FAILS)):
        assert outcome("VA6", identity=(bound + gap - truth).abs().max()) is expected
    assert outcome("VA6", excess=(right - truth).max()) is Outcome.HOLDS
    assert outcome("VA6", excess=(free - truth).max()) is Outcome.FAILS


def test_va7_wrong_weights_and_too_few_components_are_noticed():
    torch.manual_seed(0)
    vae = VAE((2,), latent=1, likelihood="gaussian", sigma=0.3, hidden=(16,))
    x = vae.sample(500, torch.Generator().manual_seed(0))
    z = torch.randn(50_000, 1, generator=torch.Generator().manual_seed(1))
    reference = -vae.log_mixture(x, z, torch.full((50_000,), -math.log(50_000)))

    def less(codes, log_weights):
        return mean_interval(-vae.log_mixture(x, codes, log_weights) - reference)

    equal = Normal(0.0, 1.0).icdf((torch.arange(1000) + 0.5) / 1000)[:, None]
    assert outcome("VA7", gaussian_near=less(equal, torch.full((1000,), -math.log(1000)))) is Outcome.HOLDS
    grid = torch.linspace(-4, 4, 1000)[:, None]  # weights that are equal where they should be those of N(0, 1)
    assert outcome("VA7", gaussian_near=less(grid, torch.full((1000,), -math.log(1000)))) is Outcome.FAILS
    one = torch.tensor([[2.0]])
    assert outcome("VA7", gaussian_near=less(one, torch.zeros(1))) is Outcome.FAILS
