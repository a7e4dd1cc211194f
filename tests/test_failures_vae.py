"""The failures of the VAE: what each detector must say of a model that is broken, or cured, on purpose."""

import json
import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from gencourse import checkpoints, data, metrics
from gencourse.data import tiny_images
from gencourse.failures import vae as failures
from gencourse.failures.vae import ContextVAE, blur, charged, holes, memorise, posterior_collapse, restored, soft
from gencourse.models.settings import weights_of

SCORES = ("c_t", "swapped", "nearer", "memorised")
KEYS = {
    blur: {"grey", "grey_codes", "kl", "used", "predicted", "agrees"},
    memorise: {"gap", "gap_decoded"} | {a + b for a in ("", "fitted_", "codes_", "control_", "floor_") for b in SCORES},
    posterior_collapse: {"kl", "active", "kl_largest", "nats", "collapsed"},
    restored: {"scale"}
    | {
        f"{what}_{which}"
        for what in ("wrong", "recognised", "real", "nats", "tempered")
        for which in ("train", "unseen", "spare")
    },
    soft: {"decoded", "restored", "drawn", "blurred", "again", "kl"},
    holes: {"frechet_prior", "frechet_codes", "in_holes", "aggregate_kl"},
}


def train(monkeypatch, steps=None, then=None):
    """Let the functions train for so many steps only (None: as many as they want), and do `then` to the model."""
    fit = failures.fit

    def other(model, x, **arguments):
        if steps != 0:
            fit(model, x, **arguments | ({} if steps is None else {"steps": steps}))
        if then is not None:
            then(model)

    monkeypatch.setattr(failures, "fit", other)


def encode_to(mean, variance=1.0):
    """Let the encoder say N(mean, variance) of every image."""

    def change(model):
        last = getattr(model, "vae", model).encoder[-1]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.copy_(torch.tensor([mean, math.log(variance)]).repeat_interleave(len(last.bias) // 2))

    return change


@pytest.mark.parametrize("function", KEYS)
def test_what_comes_out_is_plain_values_that_the_seed_decides(function, monkeypatch):
    train(monkeypatch, steps=5)
    less = {"n": 100} if function is memorise else {}
    result = function(0, **less)
    assert result != function(1, **less)  # that the same seed gives the same is tested of all studies together
    assert set(result) == KEYS[function]
    assert all(type(value) in (bool, int, float) for value in result.values())
    assert json.loads(json.dumps(result, allow_nan=False)) == result


# ---------------------------------------------------------------------------------------------------- blur


@pytest.mark.parametrize(("sigma", "used"), [(0.5, True), (1.0, True), (1.5, False), (2.0, False)])
def test_the_code_is_used_as_the_eigenvalue_predicts(sigma, used):
    result = blur(0, sigma=sigma)
    assert result["agrees"] and result["used"] == result["predicted"] == used
    assert (result["grey"] > 0.95) == (not used)
    assert abs(result["grey"] - result["grey_codes"]) < 0.02 or used


def test_the_eigenvalue_is_that_of_the_strips_and_no_decoder_does_better():
    x = (torch.arange(16) >= torch.tensor([[5], [11]])).double()
    assert torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).max().item() == pytest.approx(1.5)
    # one atom at the mean is the likeliest of all mixing laws if and only if no other atom m has
    # ½ Σ_i N(x_i; m, σ²) / N(x_i; mean, σ²) > 1 (Lindsay 1983); t is the place of m between the strips
    t = torch.linspace(-1, 1, 2001).double()[:, None] * math.sqrt(1.5)
    s = torch.tensor([-1.0, 1.0]).double() * math.sqrt(1.5)
    for variance, best in [(0.5, False), (1.49, False), (1.5, True), (3.0, True)]:
        gain = ((s**2 - (s - t) ** 2) / (2 * variance)).exp().mean(1)
        assert (gain.max().item() <= 1 + 1e-12) == best


def test_a_code_that_is_not_used_is_noticed(monkeypatch):
    train(monkeypatch, steps=0, then=encode_to(0.0))
    result = blur(0, sigma=0.5)
    assert result["kl"] == pytest.approx(0, abs=1e-6) and not result["used"] and not result["agrees"]
    assert [blur(0, sigma=sigma)["predicted"] for sigma in (1.22, 1.23)] == [True, False]  # √1.5 = 1.2247


# ------------------------------------------------------------------------------------------------ memorise


def test_copies_are_flagged_new_digits_are_not_and_without_a_kl_the_codes_give_copies(monkeypatch):
    result = memorise(0, beta=0.0, n=200)
    assert result["control_memorised"] and result["control_c_t"] < -5 and result["control_nearer"] > 0.85
    assert not result["floor_memorised"] and abs(result["floor_nearer"] - 0.5) < 0.15
    assert result["codes_memorised"] and result["codes_nearer"] > 0.9 and result["gap_decoded"] > 50
    train(monkeypatch, steps=5)  # has learnt nothing yet
    result = memorise(0, beta=0.0, n=200)
    assert result["control_memorised"] and not result["floor_memorised"] and not result["codes_memorised"]
    assert abs(result["gap_decoded"]) < 20
    with pytest.raises(ValueError, match="n is 50; expected 100 to"):
        memorise(0, n=50)


def test_blank_paper_is_near_everything_and_no_copy():
    images = data.mnist("validation")[0][:600]
    judge, _ = checkpoints.load("classifier")
    binary = data.binarise(images, torch.Generator().manual_seed(0)).split(300)
    seen, unseen, blank = (metrics.features(judge, x) for x in (*binary, torch.zeros(300, 1, 28, 28)))
    result = failures.copies(seen, unseen, blank)
    assert result["c_t"] < -3 and result["swapped"] < -3 and not result["memorised"]
    for a, b, copied in [(seen, unseen, True), (unseen, seen, False)]:
        result = failures.copies(a, b, seen)
        assert result["memorised"] == copied and result["nearer"] == float(copied)


def test_new_examples_score_as_chance_does():
    scores = [failures.copies(*torch.rand(3, 60, 9, generator=torch.Generator().manual_seed(i))) for i in range(40)]
    z, nearer = (torch.tensor([score[key] for score in scores]) for key in ("c_t", "nearer"))
    assert abs(z.mean()) < 0.8 and abs(nearer.mean() - 0.5) < 0.05
    assert sum(score["memorised"] for score in scores) <= 2


# ------------------------------------------------------------------------------------------- restored, soft


def test_before_it_has_learnt_anything_training_digits_come_back_no_better_than_others(monkeypatch):
    train(monkeypatch, steps=1)
    result = restored(0)
    assert abs(result["wrong_unseen"] - result["wrong_train"]) < 0.005
    assert abs(result["tempered_unseen"] - result["tempered_train"]) < 8 and result["recognised_train"] < 0.3
    assert min(result["real_train"], result["real_unseen"], result["real_spare"]) > 0.98


def test_the_scale_of_the_logits_finds_what_was_done_to_them():
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 1, 4, 4, generator=chance)
    x = torch.bernoulli(logits.sigmoid(), generator=chance)
    assert failures.nats_of(logits, x) < failures.nats_of(4 * logits, x)
    assert failures.nats_of(0 * logits, x) == pytest.approx(16 * math.log(2), rel=1e-6)


def test_the_controls_of_softness_are_blurred_and_alike(monkeypatch):
    train(monkeypatch, steps=5)
    for sigma in (0.0, 0.5):
        result = soft(0, sigma=sigma)
        assert result["blurred"] < 0.25 and abs(result["again"] - 1) < 0.05


# --------------------------------------------------------------------------------------- posterior collapse


def small(context, free_bits=0.0, seed=0):
    """A model of 3 × 4 pixels with random weights everywhere."""
    random = torch.Generator().manual_seed(seed)
    with weights_of(seed):
        model = ContextVAE((1, 3, 4), latent=2, hidden=(5,), context=context, free_bits=free_bits)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.7, generator=random)
    return model, torch.randint(2, (6, 1, 3, 4), generator=random)


@pytest.mark.parametrize("context", [0, 1, 4, 11])
def test_a_pixel_sees_exactly_the_pixels_of_its_context(context):
    model, x = small(context)
    x = x.float().requires_grad_(True)
    z = torch.zeros(len(x), 2)
    for i in range(12):
        (gradient,) = torch.autograd.grad(model.logits(z, x)[:, i].sum(), x)
        seen = gradient.abs().sum((0, 1)).flatten().nonzero().flatten().tolist()
        assert seen == list(range(max(0, i - context), i))


def test_given_a_code_the_images_have_the_probability_one():
    with weights_of(0):
        model = ContextVAE((1, 2, 2), latent=1, hidden=(3,), context=3)
    torch.nn.init.normal_(model.W, generator=torch.Generator().manual_seed(0))
    x = tiny_images(2).float()
    log_p = Bernoulli(logits=model.logits(torch.full((len(x), 1), 0.7), x)).log_prob(x.flatten(1)).sum(1)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_without_context_it_is_the_ordinary_vae():
    model, x = small(0)
    log_px_z, kl = model.terms(x, torch.Generator().manual_seed(3))
    assert torch.allclose(log_px_z - kl.sum(1), model.vae.elbo(x, generator=torch.Generator().manual_seed(3)))
    assert kl.mean(0).tolist() == pytest.approx(model.vae.kl_per_dimension(x).tolist())
    torch.manual_seed(0)
    loss = model.loss(x)
    torch.manual_seed(0)
    assert loss.item() == pytest.approx(model.vae.loss(x).item())


def test_free_bits_are_those_of_the_mean_over_the_batch():
    kl = torch.tensor([[0.0, 3.0], [0.4, 1.0]])  # means 0.2 and 2
    assert charged(kl, 0.0).item() == pytest.approx(2.2)
    assert charged(kl, 0.3).item() == pytest.approx(2.3)  # example by example it were (0.3 + 0.4)/2 + 2 = 2.35
    assert charged(kl, 2.5).item() == pytest.approx(5.0)
    model, x = small(4, free_bits=1e6)
    model.loss(x).backward()  # all bits are free: the KL has no say
    free = model.vae.encoder[-1].bias.grad.clone()
    model.zero_grad()
    torch.manual_seed(0)
    q = model.vae.encode(x)
    (-model.terms(x)[0].mean()).backward()
    mine = model.vae.encoder[-1].bias.grad
    assert mine.shape == free.shape and kl_divergence(q, Normal(0.0, 1.0)).mean() > 0.01
    with pytest.raises(ValueError, match="context is 12; expected 0 to 11"):
        ContextVAE((1, 3, 4), 2, (5,), context=12)


def test_a_collapsed_posterior_is_noticed_and_what_is_left_is_a_model_without_code(monkeypatch):
    train(monkeypatch, steps=30, then=encode_to(0.0))
    result = posterior_collapse(0, context=14)
    assert result["collapsed"] and result["active"] == 0 and result["kl"] == pytest.approx(0, abs=1e-6)
    assert 30 < result["nats"] < 196 * math.log(2)


def test_an_ordinary_decoder_uses_the_code_and_context_saves_some_of_it(monkeypatch):
    train(monkeypatch, steps=300)
    alone, helped = posterior_collapse(0), posterior_collapse(0, context=195)
    assert not alone["collapsed"] and alone["kl"] > 3 and alone["kl_largest"] < alone["kl"]
    assert helped["kl"] < alone["kl"] - 0.5


def test_digits_are_halved():
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    images[0, 0, 0, :2] = torch.tensor([255, 200], dtype=torch.uint8)
    half = failures._small(images)
    assert half.shape == (1, 1, 14, 14) and half[0, 0, 0, 0] == 114 and half.sum() == 114
    assert half.dtype == torch.uint8  # as data.binarise takes it


# --------------------------------------------------------------------------------------------------- holes


def test_codes_that_are_the_prior_have_no_holes(monkeypatch):
    train(monkeypatch, steps=20, then=encode_to(0.0))
    result = holes(0)
    assert result["in_holes"] < 0.03 and result["aggregate_kl"] < 0.02
    assert abs(result["frechet_prior"] - result["frechet_codes"]) < 0.1 * result["frechet_codes"]


def test_codes_far_from_the_prior_leave_a_hole(monkeypatch):
    train(monkeypatch, steps=0, then=encode_to(4.0, 0.1))
    result = holes(0)
    assert result["in_holes"] > 0.99
    assert result["aggregate_kl"] == pytest.approx(8 * 0.5 * (16 + 0.1 - 1 - math.log(0.1)), rel=0.02)
