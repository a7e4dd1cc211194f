"""Laws of the variational autoencoders, and proof that each law bites: bugs are put in, and the law must fail.

Oracles: the equations written out in float64, Monte Carlo, finite differences, sums over all images of a tiny page, and
the linear-Gaussian model, whose P(x) and posterior are found by integration over a grid. Every random number comes from
a seed; what is compared with an average is allowed five of its standard errors.
"""

import copy
import math
from itertools import product

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from gencourse import metrics
from gencourse.data import tiny_images
from gencourse.models import VAE, Autoencoder, LinearGaussianVAE
from gencourse.models import vae as vae_module
from gencourse.models.vae import LatentVariableModel, reparameterise
from gencourse.support import storage
from gencourse.training import fit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(event_shape=(1, 4, 4), latent=3, kind="bernoulli", spread=1.5, log_var=-1.0, gain=1.5, seed=0, **sizes):
    """A VAE with random weights, and with codes and pixels that say something.

    Over random data each dimension of the encoder's mean has the standard deviation `spread`, its log-variance lies
    around `log_var`, and what the decoder gives has the standard deviation `gain`.
    """
    sizes = {"hidden": (12, 10), "channels": 4, **sizes}
    with torch.random.fork_rng(devices=[]):
        model = VAE(event_shape, latent, kind, **sizes)
    random = generator(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3, generator=random)
            if weight.dim() > 1:
                weight.mul_(5 / math.sqrt(weight[0].numel()))
        last, out = model.encoder[-1], model.encoder(data(model, 300).float())  # (300, 2 · latent)
        size = torch.tensor([spread, 0.5]).repeat_interleave(latent) / out.std(0)
        last.weight.mul_(size[:, None])
        last.bias.sub_(out.mean(0)).mul_(size)[latent:].add_(log_var)
        size = gain / model.decoder(codes(model, 300)).std()
        for weight in model.decoder[-1].parameters():
            weight.mul_(size)
    return model


def tiny(gain=2.0):
    """Four pixels, one code; q is wider than the posterior, or single draws would get all the weight."""
    model = network((1, 2, 2), 1, hidden=(5,), spread=0.5, gain=gain)
    with torch.no_grad():
        model.encoder[-1].weight[1], model.encoder[-1].bias[1] = 0, 1
    return model


def linear(n_features=5, latent=2, seed=0, like_posterior=0.0):
    """A linear-Gaussian VAE in general position; like_posterior moves its encoder from anywhere to the best (1)."""
    with torch.random.fork_rng(devices=[]):
        model = LinearGaussianVAE(n_features, latent)
    random = generator(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.5, generator=random)
        before = model.V.clone(), model.log_var.clone()
        model.set_posterior()
        for weight, start in zip((model.V, model.log_var), before):
            weight.lerp_(start, 1 - like_posterior)
    return model


def gaussian(sigma, **sizes):
    return network(kind="gaussian", sigma=sigma, **sizes)


CONVOLUTIONAL = dict(body="convolutional", event_shape=(2, 8, 12))
MODELS = {
    "bernoulli": network,
    "convolutional": lambda **sizes: network(**{**CONVOLUTIONAL, **sizes}),
    "fixed": lambda **sizes: gaussian(0.7, **sizes),
    "learned": lambda **sizes: gaussian("learned", **sizes),
    "predicted": lambda **sizes: gaussian("predicted", **{"event_shape": (2, 3), "gain": 0.5, **sizes}),
    "convolutional predicted": lambda **sizes: gaussian("predicted", **{**CONVOLUTIONAL, "gain": 0.5, **sizes}),
    "linear": lambda **sizes: linear(),
}
every = pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
networks = pytest.mark.parametrize("build", [v for k, v in MODELS.items() if k != "linear"], ids=list(MODELS)[:-1])


def data(model, n=6, seed=1):
    """Examples that the model's decoder could have drawn."""
    x = torch.randn(n, *model.event_shape, generator=generator(seed))
    return (x > 0.4).to(torch.uint8) if model.likelihood == "bernoulli" else x


def codes(model, *batch, seed=2):
    return torch.randn(*batch, model.latent, generator=generator(seed))


def close(a, b, tolerance=1e-4):
    torch.testing.assert_close(a.double(), b.double(), atol=tolerance, rtol=tolerance)


def precision(model):
    """The dtype that a model computes in, and how far that carries."""
    dtype = next(model.parameters()).dtype
    return dtype, 1e-4 if dtype == torch.float32 else 1e-10


def same_on_average(draws, expected):
    """The mean of draws (N, …) is the expected within five standard errors and what float32 rounds away."""
    error = draws.double().std(0) / len(draws) ** 0.5 + 1e-7 * (1 + draws.double().abs().mean(0))
    distance = (draws.double().mean(0) - expected).abs() / error
    assert distance.max() < 5, f"{distance.max():.1f} standard errors away"


def log_px_z(model, x, z):
    """log P(x|z) from the numbers that the decoder gives, (…, *event_shape) -> (…)."""
    p, x = model.decode(z), x.double()
    if model.likelihood == "bernoulli":
        ink = torch.sigmoid(p.logits.double())
        pixels = torch.where(x == 1, ink, 1 - ink).log()
    else:
        m, s = p.mean.double(), p.stddev.double()
        pixels = -((x - m) ** 2) / (2 * s**2) - (s * math.sqrt(2 * math.pi)).log()
    return pixels.flatten(z.dim() - 1).sum(-1)


def kl_by_hand(model, x):
    """½(m² + v − 1 − log v) of every dimension: (B, latent)."""
    q = model.encode(x)
    m, v = q.mean.double(), q.stddev.double() ** 2
    return 0.5 * (m**2 + v - 1 - v.log())


class Noise:
    """In the place of `reparameterise`: noise that belongs to an example, in whatever batch or chunk it comes."""

    def __init__(self, model, x, draws=1, seed=3):
        self.means = model.encode(x).mean.detach()
        self.e = torch.randn(draws, len(x), model.latent, generator=generator(seed)).to(self.means.dtype)
        self.used = [0] * len(x)

    def __call__(self, mean, std, generator=None):
        rows = mean.reshape(-1, *mean.shape[-2:])  # (S, B, latent)
        parts = []
        for row in rows[0].detach():
            i = (self.means - row).abs().amax(1).argmin().item()
            parts.append(self.e[self.used[i] : self.used[i] + len(rows), i])
            self.used[i] += len(rows)
        return std * torch.stack(parts, 1).view(mean.shape) + mean


# -- the laws: the bounds ----------------------------------------------------------------------------------------


def law_kl(model):
    """KL(q ‖ P(z)) is what is drawn: the mean of log q(z|x) − log P(z); and what torch and the formula say."""
    x = data(model)
    own = model.elbo(x, beta=0, generator=generator()) - model.elbo(x, beta=1, generator=generator())
    q = model.encode(x)
    assert 0.5 < own.max() < 100, "the test needs codes that differ from the prior"
    e = torch.randn(20_000, *q.mean.shape, generator=generator(4), dtype=torch.float64)
    m, s = q.mean.detach().double(), q.stddev.detach().double()
    z = m + s * e
    same_on_average((0.5 * z**2 - 0.5 * e**2 - s.log()).sum(2), own.detach().double())
    close(own, kl_by_hand(model, x).sum(1))
    expected = kl_divergence(Normal(q.mean, q.stddev), Normal(torch.zeros(()), torch.ones(())))
    close(model.kl_per_dimension(x), expected.mean(0))
    close(model.kl_per_dimension(x).sum(), own.mean())


def law_elbo(model):
    """log P(x|z) − β Σ_j max(KL_j, free bits), written out."""
    x = data(model)
    dtype, tolerance = precision(model)
    q, e = model.encode(x), torch.randn(6, model.latent, generator=generator(5), dtype=dtype)
    reconstruction = log_px_z(model, x, q.stddev * e + q.mean)
    kl = kl_by_hand(model, x)
    for beta, free_bits in ((1, 0), (0, 0), (0.3, 0), (4, 0), (1, 0.5), (2.0, kl.mean().item())):
        elbo = model.elbo(x, beta, free_bits, generator(5))
        assert elbo.shape == (6,) and elbo.dtype == dtype
        close(elbo, reconstruction - beta * kl.clamp(min=free_bits).sum(1), tolerance)
    assert torch.equal(model.elbo(x, generator=generator(5)), model.elbo(x, 1.0, 0.0, generator(5)))


def law_importance_bound(model, n=7):
    """log of the mean of P(x|z)P(z)/q(z|x), written out."""
    x = data(model)
    dtype, tolerance = precision(model)
    q, e = model.encode(x), torch.randn(n, 6, model.latent, generator=generator(5), dtype=dtype)
    m, s = q.mean.double(), q.stddev.double()
    z = s * e + m
    half_log_2pi = 0.5 * math.log(2 * math.pi)
    log_pz = (-0.5 * z**2 - half_log_2pi).sum(2)
    log_qz = (-0.5 * ((z - m) / s) ** 2 - s.log() - half_log_2pi).sum(2)
    weights = log_px_z(model, x, z) + log_pz - log_qz
    largest = weights.amax(0)
    bound = model.importance_bound(x, n, generator(5))
    assert bound.shape == (6,) and bound.dtype == dtype
    close(bound, largest + (weights - largest).exp().mean(0).log(), tolerance)
    with torch.no_grad():  # all pairs in one chunk: the same draws
        close(model.importance_bound(x, n, generator(5)), bound, 1e-5)


def law_items(model, monkeypatch):
    """Averaged, summed, turned round or given one at a time, an example has its own bounds."""
    x = data(model)

    def each(ask, draws):
        for order in (range(6), range(5, -1, -1), None):
            with monkeypatch.context() as patch:
                patch.setattr(vae_module, "reparameterise", Noise(model, x, draws))
                if order is None:
                    yield torch.cat([ask(x[i : i + 1]) for i in range(6)])
                else:
                    yield ask(x[list(order)])[list(order)]

    def agree(ask, draws=1):
        whole, turned, single = each(ask, draws)
        close(turned, whole, 1e-5)
        close(single, whole, 1e-5)
        return whole

    for beta, free_bits in ((1, 0), (0.5, 0.8)):
        elbo = agree(lambda x, b=beta, f=free_bits: model.elbo(x, b, f))
        assert elbo.std() > 0.1
        model.beta, model.free_bits, model.n_samples = beta, free_bits, 1
        with monkeypatch.context() as patch:
            patch.setattr(vae_module, "reparameterise", Noise(model, x))
            close(model.loss(x), -elbo.sum() / 6, 1e-5)
    agree(lambda x: model.importance_bound(x, 5), 5)
    with torch.no_grad():
        agree(lambda x: model.importance_bound(x, 5, chunk=4), 5)


def law_chunks(model, monkeypatch):
    """Whatever the chunk, every example gets each of its draws once, and never are more pairs decoded at a time."""
    x, n = data(model), 11
    largest, decode = [], model.decode
    monkeypatch.setattr(model, "decode", lambda z: largest.append(z[..., 0].numel()) or decode(z))
    bounds = {}
    for chunk in (1, 2, 5, 10, 11, 12, 23, 40, 66, 1000):
        noise = Noise(model, x, n)
        largest.clear()
        with monkeypatch.context() as patch, torch.no_grad():
            patch.setattr(vae_module, "reparameterise", noise)
            bounds[chunk] = model.importance_bound(x, n, chunk=chunk)
        assert noise.used == [n] * 6
        assert max(largest) <= chunk and sum(largest) == 6 * n
        close(bounds[chunk], bounds[1], 1e-5)
    assert len(largest) == 1
    largest.clear()
    model.importance_bound(x, n, chunk=4)  # a graph keeps all pairs, so that chunks would save nothing
    assert largest == [6 * n]


def law_reproducible(model):
    """A generator decides every draw, and the global random state is left alone."""
    x, z = data(model), codes(model, 6)
    asks = [
        lambda random: model.elbo(x, generator=random),
        lambda random: model.importance_bound(x, 3, random),
        lambda random: model.importance_bound(x, 3, generator=random, chunk=2),
        lambda random: metrics.importance_bound(model, x, 3, random),
        lambda random: model.sample(200, random).float(),
        lambda random: model.draw(z.repeat(20, 1), random).float(),
    ]
    state = torch.get_rng_state()
    for ask in asks:
        first = ask(generator(1))
        assert torch.equal(first, ask(generator(1))) and not torch.equal(first, ask(generator(2)))
    assert torch.equal(torch.get_rng_state(), state), "the global random state was touched"


def law_pure(model):
    """Nothing that is asked of a model changes it or its data."""
    before = copy.deepcopy(model.state_dict())
    x, z = data(model), codes(model, 4)
    kept = x.clone(), z.clone()
    model.elbo(x, generator=generator()).sum().backward()
    model.importance_bound(x, 3, generator()).sum().backward()
    model.sample(3, generator())
    model.log_mixture(x, z, torch.zeros(4) - math.log(4))
    model.kl_per_dimension(x)
    model.active_units(x)
    assert torch.equal(x, kept[0]) and torch.equal(z, kept[1])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def evaluations(model, x, z):
    yield model.elbo(x, 2.0, 0.1, generator())
    yield model.importance_bound(x, 9, generator())
    with torch.no_grad():
        yield model.importance_bound(x, 9, generator(), chunk=4)
    yield model.log_mixture(x, z, torch.zeros(len(z)) - math.log(len(z)))
    yield model.kl_per_dimension(x)
    yield model.active_units(x, 0.3)
    yield model.sample(5, generator())
    yield model.draw(z, generator())
    if isinstance(model, LinearGaussianVAE):
        yield model.exact_elbo(x)
        yield model.log_prob(x)
        yield model.posterior(x).mean
        yield model.posterior(x).scale_tril


def law_float32(model):
    """Likelihoods are evaluated in float32, whatever autocast is around."""
    x, z = data(model), codes(model, 7)
    expected = list(evaluations(model, x, z))
    with torch.autocast("cpu", torch.bfloat16):
        inside = list(evaluations(model, x, z))
    for i, (a, b) in enumerate(zip(inside, expected)):
        assert a.dtype == b.dtype and torch.equal(a, b), f"the evaluation {i} follows autocast"


def law_gradients(model):
    """Along any direction in the space of weights the gradient is the slope, the noise being held."""
    model = copy.deepcopy(model).double()
    x = data(model)
    weights = list(model.parameters())
    asks = [
        lambda: model.elbo(x, 1.5, generator=generator(6)).mean(),
        lambda: model.importance_bound(x, 3, generator(6)).mean(),
    ]
    for seed, ask in product((1, 2), asks):
        random = generator(seed)
        direction = [torch.randn(w.shape, generator=random, dtype=w.dtype) for w in weights]
        slope = sum((g * d).sum() for g, d in zip(torch.autograd.grad(ask(), weights), direction))
        step, values = 1e-6, []
        with torch.no_grad():
            for sign in (1, -2, 1):
                for w, d in zip(weights, direction):
                    w.add_(sign * step * d)
                values.append(ask())
        assert values[0].dtype == torch.float64 and abs(slope) > 0.1
        torch.testing.assert_close(slope, (values[0] - values[1]) / (2 * step), atol=1e-4, rtol=1e-4)


def law_score_function(model, draws=20_000):
    """∇E[log P(x|z)] through the sample is that of log P(x|z)·∇log q(z|x), of which it needs far fewer draws."""
    x = data(model, 1)
    q = model.encode(x)
    m, log_var = (v.detach().expand(draws, -1).clone().requires_grad_() for v in (q.mean, 2 * q.stddev.log()))
    std = (log_var / 2).exp()
    z = vae_module.reparameterise(m, std, generator(7))
    value = model.decode(z).log_prob(x.float()).flatten(1).sum(1)
    through = torch.cat(torch.autograd.grad(value.sum(), (m, log_var)), 1)  # (draws, 2 · latent)
    z, value = z.detach(), value.detach()[:, None]
    log_q = Normal(m, (log_var / 2).exp()).log_prob(z).sum()
    score = value * torch.cat(torch.autograd.grad(log_q, (m, log_var)), 1)
    same_on_average(through - score, torch.zeros(()))
    assert (through.mean(0).abs() > 20 * through.std(0) / draws**0.5).any(), "there is something to agree upon"
    ratio = score.var(0) / through.var(0)
    assert ratio.min() > 2, f"variances {ratio.tolist()} times as large"
    return ratio


def kolmogorov_smirnov(draws, mean, std):
    """√n · max |share of draws below t − Φ(t)|; above 1.95 once in a thousand where the law is N(mean, std²)."""
    p = Normal(mean, std).cdf(draws.double().sort().values)
    n = len(p)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    return (torch.maximum(p - steps[:-1], steps[1:] - p).max() * n**0.5).item()


def law_reparameterised():
    """c = exp(log_var/2)·e + m has the law N(m, exp(log_var))."""
    for seed, (mean, log_var) in enumerate(product((-3.0, 0.0, 0.2), (-8.0, -1.0, 0.0, 1.7))):
        m, std = torch.full((40_000,), mean), torch.full((40_000,), math.exp(log_var / 2))
        c = vae_module.reparameterise(m, std, generator(seed))
        assert c.shape == m.shape and c.dtype == torch.float32
        distance = kolmogorov_smirnov(c, mean, math.exp(log_var) ** 0.5)
        assert distance < 1.95, f"m = {mean}, log_var = {log_var}: {distance:.1f}"


# -- the laws: the exact model, and all images of a tiny page --------------------------------------------------


def lattice(latent, reach=8.0, points=None):
    """Codes on a grid, (K, latent), and the logarithms of their weights under N(0, I), which sum to one; float64."""
    points = points or {1: 1601, 2: 201}[latent]
    axis = torch.linspace(-reach, reach, points, dtype=torch.float64)
    z = torch.cartesian_prod(*[axis] * latent).view(-1, latent)
    return z, (-0.5 * z.square().sum(1)).log_softmax(0)


def by_integration(model, x):
    """log P(x), and mean and covariance of P(z|x), by sums over a grid."""
    z, log_w = lattice(model.latent)
    W, b, sigma = model.W.detach().double(), model.b.detach().double(), model.log_sigma.detach().double().exp()
    error = (x.double()[:, None] - z @ W.T - b) / sigma  # (B, K, D)
    joint = log_w - 0.5 * error.square().sum(2) - len(b) * (sigma.log() + 0.5 * math.log(2 * math.pi))
    weights = joint.softmax(1)
    mean = weights @ z
    away = z - mean[:, None]
    return joint.logsumexp(1), mean, torch.einsum("bk,bki,bkj->bij", weights, away, away)


def law_exact(model):
    """log P(x) and the posterior are those of integration over the code; torch has the same density."""
    x = data(model)
    log_p, mean, covariance = by_integration(model, x)
    own = model.log_prob(x)
    assert own.shape == (6,) and own.dtype == torch.float64
    close(own, log_p, 1e-6)
    W, variance = model.W.double(), (2 * model.log_sigma.double()).exp()
    total = W @ W.T + torch.diag(variance.expand(len(W)))
    close(own, MultivariateNormal(model.b.double(), total).log_prob(x.double()), 1e-9)
    posterior = model.posterior(x)
    assert posterior.mean.dtype == model.W.dtype and posterior.mean.shape == (6, model.latent)
    close(posterior.mean, mean, 1e-5)
    close(posterior.covariance_matrix, covariance, 1e-5)


def law_gap(model, x):
    """ELBO ≤ log P(x), and what lies between is KL(q ‖ posterior)."""
    gap = (model.log_prob(x) - model.exact_elbo(x)).detach()
    assert gap.min() > -1e-9 * (1 + model.log_prob(x).abs().max()), f"the bound is above by {-gap.min()}"
    exact, q = copy.deepcopy(model).double(), copy.deepcopy(model).double().encode(x)
    diagonal = MultivariateNormal(q.mean, q.variance.diag_embed())
    torch.testing.assert_close(gap, kl_divergence(diagonal, exact.posterior(x)).detach(), atol=1e-4, rtol=1e-9)
    return gap


def law_exact_elbo(model):
    """The mean of what `elbo` draws is `exact_elbo`, and so is the bound of one sample."""
    x = data(model)
    expected = model.exact_elbo(x).detach()
    assert expected.dtype == torch.float64
    with torch.no_grad():
        many = x.repeat(20_000, 1)
        same_on_average(model.elbo(many, generator=generator(8)).view(-1, 6), expected)
        same_on_average(model.importance_bound(many, 1, generator(9)).view(-1, 6), expected)


def law_rises(model):
    """With n the importance bound rises, from the ELBO to log P(x)."""
    x, steps = data(model), (1, 4, 16, 64)
    log_p = model.log_prob(x).detach()
    before = model.exact_elbo(x).detach()
    with torch.no_grad():
        for n in steps[1:]:
            draws = model.importance_bound(x.repeat(2000, 1), n, generator(n)).view(-1, 6).double()
            mean, error = draws.mean(0), draws.std(0) / 2000**0.5
            assert (mean > before).all(), f"{n} samples: {(mean - before).tolist()}"
            assert (mean < log_p + 5 * error).all(), f"{n} samples: above log P(x)"
            before = mean
        close(model.importance_bound(x, 5000, generator()), log_p, 0.01)


def law_best_posterior(model, x):
    """No other linear encoder with a diagonal covariance has a larger ELBO: its slope is zero, all others lie below."""
    model = copy.deepcopy(model).double()
    model.set_posterior()
    best = model.exact_elbo(x).mean()
    slopes = torch.autograd.grad(best, (model.V, model.log_var))
    assert max(slope.abs().max() for slope in slopes) < 1e-9
    for seed, size in product(range(4), (0.01, 1.0)):
        other, random = copy.deepcopy(model), generator(seed)
        with torch.no_grad():
            for weight in (other.V, other.log_var):
                weight.add_(size * torch.randn(weight.shape, generator=random, dtype=torch.float64))
        assert other.exact_elbo(x).mean() < best


def law_optimum(model, x):
    """set_optimum gives the likelihood of probabilistic PCA, and no step away from it a better one."""
    model.set_optimum(x)
    n, d, k = len(x), len(model.b), model.latent
    values = torch.linalg.svdvals(x.double() - x.double().mean(0)) ** 2 / n  # descending
    values = torch.cat([values, values.new_zeros(max(0, d - len(values)))])
    noise = values[k:].mean()
    # Tipping and Bishop 1999, equation 3.9 at its maximum, for a mean example
    expected = -0.5 * (d * math.log(2 * math.pi) + values[:k].clamp(min=noise).log().sum() + (d - k) * noise.log() + d)
    own = model.log_prob(x).mean()
    assert own.item() == pytest.approx(expected.item(), abs=1e-6 * d, rel=1e-6)
    assert (model.log_prob(x) - model.exact_elbo(x)).abs().max() < 1e-4  # the posterior is exact there
    exact = copy.deepcopy(model).double()
    exact.set_optimum(x)
    best = exact.log_prob(x).mean()
    slopes = torch.autograd.grad(best, (exact.W, exact.b, exact.log_sigma))
    scale = x.double().std()
    assert max(slope.abs().max() for slope in slopes) < 1e-6 * (1 + 1 / scale), slopes
    for seed, size in product(range(4), (0.01, 0.3)):
        other, random = copy.deepcopy(exact), generator(seed)
        with torch.no_grad():
            for weight in (other.W, other.b, other.log_sigma):
                weight.add_(size * torch.randn(weight.shape, generator=random, dtype=torch.float64))
        assert other.log_prob(x).mean() < best


def law_unbiased(model):
    """exp(importance bound) is P(x) on average, at any number of samples; summed over all 16 images it is one."""
    x = tiny_images(2)
    with torch.no_grad():
        for n in (1, 4):
            p = model.importance_bound(x.repeat(4000, 1, 1, 1), n, generator(n)).double().exp().view(-1, 16)
            same_on_average(p, model.log_mixture(x, *lattice(1)).double().exp())
            same_on_average(p.sum(1), 1)


def law_mixture(model):
    """log Σ_k w_k P(x|z_k) as it is written, whatever the chunk."""
    x, z = data(model), 0.3 * codes(model, 9)
    log_w = torch.randn(9, generator=generator()).log_softmax(0)
    joint = torch.stack([log_px_z(model, x, z[k].expand(6, -1)) for k in range(9)], 1) + log_w
    assert (joint.softmax(1).amax(1) < 1 - 1e-6).any(), "more than one component matters"
    for chunk in (1, 4, 9, 2048):
        own = model.log_mixture(x, z, log_w, chunk)
        assert own.shape == (6,) and own.dtype == next(model.parameters()).dtype
        close(own, joint.logsumexp(1))


# -- … hold --------------------------------------------------------------------------------------------------------


@every
def test_kl_is_what_is_drawn(build):
    law_kl(build())


@every
def test_elbo_is_the_equation(build):
    law_elbo(build())
    law_elbo(build().double())


@every
def test_importance_bound_is_the_equation(build):
    for n in (7, 1):
        law_importance_bound(build(), n)
        law_importance_bound(build().double(), n)


@every
def test_an_example_has_its_own_bounds(build, monkeypatch):
    law_items(build(), monkeypatch)


@every
def test_chunks_change_the_memory_alone(build, monkeypatch):
    law_chunks(build(), monkeypatch)


@every
def test_draws_follow_their_generator(build):
    law_reproducible(build())


@every
def test_models_are_pure(build):
    law_pure(build())


@every
def test_likelihoods_are_always_in_float32(build):
    law_float32(build())


def test_training_follows_autocast_where_there_is_a_network():
    for build in MODELS.values():
        model, losses = build(), []
        for enabled in (False, True):
            with torch.random.fork_rng(devices=[]), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                torch.manual_seed(0)
                losses.append(model.loss(data(model)))
        assert losses[1].dtype == torch.float32 and losses[1].item() == pytest.approx(losses[0].item(), rel=0.05)
        assert torch.equal(*losses) == isinstance(model, LinearGaussianVAE)


@every
def test_gradients_are_finite_differences(build):
    law_gradients(build())


@every
def test_gradients_through_the_sample_are_those_of_the_score_function(build):
    law_score_function(build())


def test_reparameterised_draws_have_their_law():
    law_reparameterised()
    mean, std = torch.randn(50, 3, generator=generator()), torch.rand(50, 3, generator=generator())
    state = torch.get_rng_state()
    first = reparameterise(mean, std, generator(1))
    assert torch.equal(first, reparameterise(mean, std, generator(1)))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(reparameterise(mean, std), reparameterise(mean, std))
    assert reparameterise(mean.double(), std.double()).dtype == torch.float64
    torch.set_rng_state(state)


# -- … and bite ----------------------------------------------------------------------------------------------------


def elbo_with(
    noise=reparameterise,
    pixels=lambda log_p: log_p.flatten(1).sum(1),
    divergence=lambda q, p: kl_divergence(q, p),
    charge=lambda kl, free_bits: kl.clamp(min=free_bits).sum(1),
    total=lambda log_px_z, beta, kl: log_px_z - beta * kl,
):
    def elbo(self, x, beta, free_bits, generator=None):
        x = self.check_data(x)
        q = self.encode(x)
        z = noise(q.mean, q.stddev, generator)
        return total(pixels(self.decode(z).log_prob(x)), beta, charge(divergence(q, self.prior), free_bits))

    return elbo


ELBOS = {
    "the variance for the standard deviation": dict(noise=lambda m, s, random: reparameterise(m, s**2, random)),
    "the noise left out": dict(noise=lambda m, s, random: m),
    "the mean over pixels": dict(pixels=lambda log_p: log_p.flatten(1).mean(1)),
    "the mean over the batch": dict(pixels=lambda log_p: log_p.flatten(1).sum(1).mean().expand(len(log_p))),
    "the notes' KL, twice": dict(divergence=lambda q, p: 2 * kl_divergence(q, p)),
    "the KL the other way round": dict(divergence=lambda q, p: kl_divergence(p, q)),
    "the standard deviation in the KL": dict(divergence=lambda q, p: kl_divergence(Normal(q.mean, q.variance), p)),
    "the mean over dimensions": dict(charge=lambda kl, free_bits: kl.clamp(min=free_bits).mean(1)),
    "free bits of the sum": dict(charge=lambda kl, free_bits: kl.sum(1).clamp(min=free_bits)),
    "free bits of the mean of the batch": dict(
        charge=lambda kl, free_bits: kl.mean(0, keepdim=True).clamp(min=free_bits).sum(1).expand(len(kl))
    ),
    "free bits without their max": dict(charge=lambda kl, free_bits: (kl - free_bits).sum(1)),
    "the most for the least": dict(charge=lambda kl, free_bits: kl.clamp(max=free_bits or 1e9).sum(1)),
    "a sign": dict(total=lambda log_px_z, beta, kl: log_px_z + beta * kl),
    "beta on the wrong side": dict(total=lambda log_px_z, beta, kl: beta * log_px_z - kl),
}


def test_the_saboteurs_elbo_is_right_by_itself(monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_elbo", elbo_with())
    law_elbo(network())
    law_kl(network())


@pytest.mark.parametrize("bug", ELBOS)
def test_a_wrong_elbo_is_found(bug, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_elbo", elbo_with(**ELBOS[bug]))
    with pytest.raises(AssertionError):
        law_elbo(network())


@pytest.mark.parametrize("bug", [bug for bug in ELBOS if " KL" in bug or "the KL" in bug or "dimensions" in bug])
def test_a_wrong_kl_is_found(bug, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_elbo", elbo_with(**ELBOS[bug]))
    with pytest.raises(AssertionError):
        law_kl(network())


@pytest.mark.parametrize("bug", ["the mean over the batch", "free bits of the mean of the batch"])
def test_a_batch_that_mixes_its_items_is_found(bug, monkeypatch):
    def look_up(m, s, random):
        return vae_module.reparameterise(m, s, random)

    monkeypatch.setattr(LatentVariableModel, "_elbo", elbo_with(noise=look_up))
    law_items(network(), monkeypatch)
    monkeypatch.setattr(LatentVariableModel, "_elbo", elbo_with(noise=look_up, **ELBOS[bug]))
    with pytest.raises(AssertionError):
        law_items(network(), monkeypatch)


def bound_with(
    last=lambda n, draws: n,
    weight=lambda log_px_z, log_pz, log_qz: log_px_z + log_pz - log_qz,
    pool=lambda parts: torch.logsumexp(torch.cat(parts), 0),
    count=lambda n, parts: n,
    rows=lambda chunk, n: max(1, chunk // n),
):
    def bound(self, x, n_samples, generator=None, chunk=1000):
        x = self.check_data(x)
        if torch.is_grad_enabled():
            chunk = len(x) * n_samples
        bounds = []
        for part in x.split(rows(chunk, n_samples)):
            q, parts = self.encode(part), []
            draws = max(1, min(n_samples, chunk // len(part)))  # of each example at a time
            for start in range(0, last(n_samples, draws), draws):
                size = (min(draws, n_samples - start), *q.mean.shape)
                z = vae_module.reparameterise(q.mean.expand(size), q.stddev, generator)
                log_p = self.decode(z).log_prob(part).flatten(2).sum(2)
                parts.append(weight(log_p, self.prior.log_prob(z).sum(2), q.log_prob(z).sum(2)))
            bounds.append(pool(parts) - math.log(count(n_samples, parts)))
        return torch.cat(bounds)

    return bound


BOUNDS = {
    "the mean of the logarithms": dict(pool=lambda p: torch.cat(p).mean(0) + math.log(sum(map(len, p)))),
    "the sum for the mean": dict(count=lambda n, parts: 1),
    "the prior left out": dict(weight=lambda log_px_z, log_pz, log_qz: log_px_z - log_qz),
    "q left out": dict(weight=lambda log_px_z, log_pz, log_qz: log_px_z + log_pz),
    "q upside down": dict(weight=lambda log_px_z, log_pz, log_qz: log_px_z + log_pz + log_qz),
    "the KL in every weight": dict(weight=lambda a, b, c: a + (b - c).mean(0)),
    "the best draw": dict(pool=lambda parts: torch.cat(parts).amax(0) + math.log(sum(map(len, parts)))),
}
CHUNKS = {
    "the last chunk forgotten": dict(last=lambda n, draws: max(draws, n - draws)),
    "the mean of a chunk": dict(count=lambda n, parts: len(parts[0])),
    "the mean of chunks": dict(pool=lambda parts: torch.stack([torch.logsumexp(p, 0) for p in parts]).mean(0)),
    "all examples at a time": dict(rows=lambda chunk, n: 10**6),
}


def test_the_saboteurs_bound_is_right_by_itself(monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_importance_bound", bound_with())
    law_importance_bound(network())
    law_chunks(network(), monkeypatch)
    law_unbiased(tiny())


@pytest.mark.parametrize("bug", BOUNDS)
def test_a_wrong_importance_bound_is_found(bug, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_importance_bound", bound_with(**BOUNDS[bug]))
    with pytest.raises(AssertionError):
        law_importance_bound(network())
    with pytest.raises(AssertionError):
        law_unbiased(tiny())


@pytest.mark.parametrize("bug", CHUNKS)
def test_a_wrong_chunk_is_found(bug, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_importance_bound", bound_with(**CHUNKS[bug]))
    with pytest.raises(AssertionError):
        law_chunks(network(), monkeypatch)


DRAWS = {
    "exp(σ) for exp(σ/2)": lambda m, s, random: reparameterise(m, s**2, random),
    "another law of the same variance": lambda m, s, random: (
        m + s * (torch.rand(m.shape, generator=random) - 0.5) * 12**0.5
    ),
    "a little too wide": lambda m, s, random: reparameterise(m, 1.03 * s, random),
    "a little too high": lambda m, s, random: reparameterise(m + 0.03 * s, s, random),
}


@pytest.mark.parametrize("bug", DRAWS)
def test_a_wrong_draw_is_found(bug, monkeypatch):
    monkeypatch.setattr(vae_module, "reparameterise", DRAWS[bug])
    with pytest.raises(AssertionError, match="log_var"):
        law_reparameterised()


GRADIENTS = {
    "the mean cut off": lambda m, s, random=None: reparameterise(m.detach(), s, random),
    "the width cut off": lambda m, s, random=None: reparameterise(m, s.detach(), random),
    "half a gradient": lambda m, s, random=None: reparameterise((m + m.detach()) / 2, s, random),
}


@pytest.mark.parametrize("bug", GRADIENTS)
def test_a_wrong_gradient_is_found(bug, monkeypatch):
    monkeypatch.setattr(vae_module, "reparameterise", GRADIENTS[bug])
    with pytest.raises(AssertionError):
        law_gradients(network())
    with pytest.raises((AssertionError, RuntimeError), match="standard errors|not have been used"):
        law_score_function(network())


def test_global_randomness_is_found(monkeypatch):
    monkeypatch.setattr(vae_module, "reparameterise", lambda mean, std, random=None: reparameterise(mean, std))
    with torch.random.fork_rng(devices=[]), pytest.raises(AssertionError):
        law_reproducible(network())


@pytest.mark.parametrize("method", ["elbo", "importance_bound", "log_mixture", "kl_per_dimension", "draw"])
def test_a_likelihood_in_bfloat16_is_found(method, monkeypatch):
    inner = getattr(LatentVariableModel, method)
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    monkeypatch.setattr(LatentVariableModel, method, inner)
    with pytest.raises(AssertionError, match="follows autocast"):
        law_float32(MODELS["predicted"]())


# -- the exact model -----------------------------------------------------------------------------------------------

exact_models = pytest.mark.parametrize("latent", [1, 2])


@exact_models
@pytest.mark.parametrize("n_features", [3, 5])
def test_density_and_posterior_are_those_of_integration(n_features, latent):
    for seed in range(3):
        law_exact(linear(n_features, latent, seed))


@pytest.mark.parametrize("n_features, latent", [(2, 1), (5, 2), (8, 7), (60, 20)])
def test_gap_is_the_divergence_from_the_posterior(n_features, latent):
    for seed in range(10):
        model = linear(n_features, latent, seed, like_posterior=seed % 3 / 2)
        assert law_gap(model, data(model, 50)).max() > 0.01 or seed % 3 == 2
        if latent == 1 and seed % 3 == 2:  # then every posterior is diagonal
            assert law_gap(model, data(model, 50)).max() < 1e-6


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("n, n_features, latent", [(400, 6, 2), (30, 12, 10), (20, 40, 5), (300, 2, 1)])
def test_set_optimum_is_probabilistic_pca(n, n_features, latent, offset, scale):
    x = torch.randn(n, n_features, generator=generator()) @ torch.randn(n_features, n_features, generator=generator(1))
    x = scale * (x + 0.1 * torch.randn(n, n_features, generator=generator(2)) + offset)
    model = linear(n_features, latent)
    law_optimum(model, x)
    law_gap(model, x)


def test_set_optimum_of_digits():
    """784 pixels, many of them constant: in float32 the density could not be factorised."""
    ink = torch.randn(300, 60, generator=generator()).sigmoid() * torch.rand(60, generator=generator(1))
    x = torch.nn.functional.pad(ink, (300, 424))
    model = linear(784, 10)
    model.set_optimum(x)
    assert law_gap(model, x).max() < 1e-4
    posterior = model.posterior(x)
    close(posterior.mean, model.encode(x).mean)
    close(posterior.variance, model.encode(x).variance)


def test_nothing_climbs_above_the_optimum():
    x = torch.randn(200, 4, generator=generator()) @ torch.randn(4, 4, generator=generator(1))
    model, start = linear(4, 2).double(), linear(4, 2, seed=1).double()
    model.set_optimum(x)
    best = model.log_prob(x).mean().item()
    for climber, ask in product((model, start), ("log_prob", "exact_elbo")):
        climber = copy.deepcopy(climber)
        optimizer = torch.optim.Adam(climber.parameters(), lr=0.05)
        for _ in range(60):
            optimizer.zero_grad()
            value = getattr(climber, ask)(x).mean()
            assert value.item() <= best + 1e-9
            (-value).backward()
            optimizer.step()
        assert value.item() > best - 1.5


@pytest.mark.parametrize("n_features, latent", [(3, 1), (6, 4), (9, 8)])
def test_set_posterior_is_the_best_of_its_family(n_features, latent):
    for seed in range(3):
        model = linear(n_features, latent, seed)
        law_best_posterior(model, data(model, 50))


@exact_models
def test_elbo_is_drawn_around_its_expectation(latent):
    law_exact_elbo(linear(5, latent, like_posterior=0.5))
    law_exact_elbo(linear(5, latent, 1, like_posterior=0.8))


@exact_models
def test_importance_bound_rises_to_the_density(latent):
    law_rises(linear(5, latent, like_posterior=0.8))


def exact_with(**methods):
    """Bugs of the exact model by the name of the method that has them."""

    def patch(monkeypatch):
        for name, method in methods.items():
            monkeypatch.setattr(LinearGaussianVAE, name, method)

    return patch


def no_spread(self, x):
    q = self.encode(x)
    return self.decode(q.mean).log_prob(x).sum(1).double() - kl_divergence(q, self.prior).sum(1)


def whole_spread(self, x):
    q = self.encode(x)
    lost = q.variance @ self.W.square().sum(0) / (2 * self.log_sigma).exp()
    return no_spread(self, x) - lost


def sigma_for_its_square(self):
    return self.W.double(), self.b.double(), self.log_sigma.double().exp()


def no_prior(self):
    W, _, variance = self._decoder()
    precision = W.T @ W / variance
    return precision, torch.linalg.solve(precision, W.T / variance)


def no_noise(self):
    W, _, variance = self._decoder()
    precision = W.T @ W / variance + torch.eye(self.latent)
    return precision, torch.linalg.solve(W.T @ W, W.T)


def diagonal_of_the_covariance(self):
    with torch.no_grad():
        precision, V = self._posterior()
        self.V.copy_(V)
        self.log_var.copy_(torch.linalg.inv(precision).diagonal().log())


def log_of_the_deviation(self):
    with torch.no_grad():
        precision, V = self._posterior()
        self.V.copy_(V)
        self.log_var.copy_(-precision.diagonal().log() / 2)


def optimum_with(
    ddof=0, noise=lambda values, k: values[:-k].mean(), kept=lambda top, noise: (top - noise).relu().sqrt()
):
    @torch.no_grad()
    def set_optimum(self, x):
        x, k = x.double(), self.latent
        away = x - x.mean(0)
        values, vectors = torch.linalg.eigh(away.T @ away / (len(x) - ddof))
        variance = noise(values, k)
        self.b.copy_(x.mean(0))
        self.log_sigma.copy_(variance.log() / 2)
        self.W.copy_(vectors[:, -k:] * kept(values[-k:], variance))
        self.set_posterior()

    return set_optimum


EXACT = {
    "the spread left out": (exact_with(exact_elbo=no_spread), [law_gap, law_exact_elbo]),
    "the spread twice": (exact_with(exact_elbo=whole_spread), [law_gap, law_exact_elbo]),
    "σ for σ²": (exact_with(_decoder=sigma_for_its_square), [law_exact, law_exact_elbo]),
    "the posterior without its prior": (exact_with(_posterior=no_prior), [law_exact, law_gap, law_best_posterior]),
    "the pseudo-inverse": (exact_with(_posterior=no_noise), [law_exact, law_gap, law_best_posterior]),
    "the diagonal of the covariance": (exact_with(set_posterior=diagonal_of_the_covariance), [law_best_posterior]),
    "the deviation for the variance": (
        exact_with(set_posterior=log_of_the_deviation), [law_best_posterior, law_optimum]
    ),
    "n − 1": (exact_with(set_optimum=optimum_with(ddof=1)), [law_optimum]),
    "the noise of all directions": (exact_with(set_optimum=optimum_with(noise=lambda v, k: v.mean())), [law_optimum]),
    "the noise summed": (exact_with(set_optimum=optimum_with(noise=lambda v, k: v[:-k].sum())), [law_optimum]),
    "the noise not taken off": (
        exact_with(set_optimum=optimum_with(kept=lambda top, noise: top.sqrt())), [law_optimum]
    ),
    "variances for deviations": (
        exact_with(set_optimum=optimum_with(kept=lambda top, noise: top - noise)), [law_optimum]
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug, law", [(bug, law) for bug, (_, laws) in EXACT.items() for law in laws])
def test_a_wrong_exact_model_is_found(bug, law, monkeypatch):
    model = linear(5, 2, like_posterior=0.5)
    given = (model,) if law in (law_exact, law_exact_elbo) else (model, data(model, 60))
    EXACT[bug][0](monkeypatch)
    with pytest.raises(AssertionError):
        law(*given)


def test_the_saboteurs_optimum_is_right_by_itself(monkeypatch):
    exact_with(set_optimum=optimum_with())(monkeypatch)
    law_optimum(linear(5, 2), data(linear(5, 2), 60))


@pytest.mark.parametrize("bug", ["q left out", "the best draw", "the sum for the mean"])
def test_a_bound_that_is_none_is_found(bug, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_importance_bound", bound_with(**BOUNDS[bug]))
    with pytest.raises(AssertionError):
        law_rises(linear(5, 2, like_posterior=0.8))


def test_a_bound_that_does_not_rise_is_found(monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "_importance_bound", bound_with(**BOUNDS["the mean of the logarithms"]))
    with pytest.raises(AssertionError, match="4 samples"):
        law_rises(linear(5, 2, like_posterior=0.8))


# -- mixtures, and all images of a tiny page -----------------------------------------------------------------------


@every
def test_log_mixture_is_the_sum(build):
    law_mixture(build())
    law_mixture(build().double())


@pytest.mark.parametrize("sigma", [0.01, "predicted"])
def test_log_mixture_is_exact_where_the_noise_is_small(sigma):
    """(x − µ)²/σ² comes from terms that are millions and nearly cancel."""
    model = gaussian(sigma, event_shape=(784,))
    if sigma == "predicted":
        model.decoder[-1].weight.data[784:] = 0
        model.decoder[-1].bias.data[784:] = -9
    z = codes(model, 5)
    x = model.draw(z, generator())
    own = model.log_mixture(x, z, torch.full((5,), -math.log(5)))
    expected = torch.stack([log_px_z(model, x, z[k].expand(5, -1)) for k in range(5)]).logsumexp(0) - math.log(5)
    assert expected.min() > 1000
    torch.testing.assert_close(own, expected.to(own.dtype), atol=5e-3, rtol=0)


@exact_models
def test_log_mixture_converges_to_the_density(latent):
    model = linear(4, latent).double()
    x = data(model)
    log_p = model.log_prob(x)
    errors = [(model.log_mixture(x, *lattice(latent, 6.0, k)) - log_p).abs().max() for k in (4, 8, 16, 64)]
    assert all(after < before for before, after in zip(errors, errors[1:])) and errors[-1] < 1e-6 < errors[0]


@pytest.mark.parametrize("gain", [0.7, 2.0])
def test_importance_bound_is_the_density_of_all_tiny_images(gain):
    model = tiny(gain)
    law_unbiased(model)
    x = tiny_images(2)
    exact = model.log_mixture(x, *lattice(1))
    assert exact.std() > 0.05 and exact.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        close(model.importance_bound(x, 5000, generator()), exact, 0.02)


@pytest.mark.parametrize("body", ["dense", "convolutional"])
def test_probabilities_of_all_images_sum_to_one(body):
    model = network((1, 4, 4), 1, body=body)
    log_p = model.log_mixture(tiny_images(4), *lattice(1, 4.0, 24))
    assert log_p.shape == (65_536,) and log_p.std() > 0.3
    assert log_p.double().exp().sum().item() == pytest.approx(1, abs=1e-4)


def pairs_with(bernoulli=lambda x, logits: x @ logits.T - torch.nn.functional.softplus(logits).sum(1), **terms):
    terms = {"variance": lambda s: s**2, "scale": lambda s: s.log().sum(1), "wide": torch.Tensor.double, **terms}

    def all_pairs(p, x):
        if isinstance(p, Bernoulli):
            return bernoulli(x.flatten(1), p.logits.flatten(1))
        x, m = terms["wide"](x.flatten(1)), terms["wide"](p.mean.flatten(1))
        s = terms["wide"](p.stddev.expand_as(p.mean).flatten(1))
        a = 1 / terms["variance"](s)
        square = x**2 @ a.T - 2 * x @ (m * a).T + (m**2 * a).sum(1)
        return (-0.5 * square - terms["scale"](s) - 0.5 * math.log(2 * math.pi) * x.shape[1]).to(p.mean.dtype)

    return all_pairs


PAIRS = {
    "ink alone": dict(bernoulli=lambda x, logits: x @ torch.nn.functional.logsigmoid(logits).T),
    "the sign": dict(bernoulli=lambda x, logits: x @ logits.T + torch.nn.functional.softplus(logits).sum(1)),
    "σ for σ²": dict(variance=lambda s: s),
    "log σ² for log σ": dict(scale=lambda s: 2 * s.log().sum(1)),
    "log σ of one pixel": dict(scale=lambda s: s.log()[:, 0]),
}


def test_the_saboteurs_pairs_are_right_by_themselves(monkeypatch):
    monkeypatch.setattr(vae_module, "_all_pairs", pairs_with())
    law_mixture(MODELS["bernoulli"]())
    law_mixture(MODELS["predicted"]())
    test_log_mixture_is_exact_where_the_noise_is_small(0.01)


@pytest.mark.parametrize("bug", PAIRS)
def test_a_wrong_mixture_is_found(bug, monkeypatch):
    monkeypatch.setattr(vae_module, "_all_pairs", pairs_with(**PAIRS[bug]))
    with pytest.raises(AssertionError):
        law_mixture(MODELS["bernoulli" if "bernoulli" in PAIRS[bug] else "predicted"]())


def test_a_mixture_in_float32_is_found(monkeypatch):
    monkeypatch.setattr(vae_module, "_all_pairs", pairs_with(wide=torch.Tensor.float))
    with pytest.raises(AssertionError):
        test_log_mixture_is_exact_where_the_noise_is_small(0.01)


# -- samples ---------------------------------------------------------------------------------------------------------


def law_draws(model, n=20_000):
    """Events drawn for one code have the mean and the deviation that the decoder says, pixel by pixel."""
    z = codes(model, 1)
    p = model.decode(z)
    x = model.draw(z.expand(n, -1), generator())
    assert x.shape == (n, *model.event_shape)
    same_on_average(x, p.mean[0])
    mean, std = p.mean[0].detach().double(), p.stddev.expand_as(p.mean)[0].detach().double()
    same_on_average((x.double() - mean).square(), std**2)


@every
def test_samples_are_what_the_decoder_says(build):
    model = build()
    law_draws(model)
    for n in (0, 1, 4):
        x = model.sample(n, generator())
        assert x.shape == (n, *model.event_shape) and not x.requires_grad
        assert x.dtype == (torch.uint8 if model.likelihood == "bernoulli" else torch.float32)
    assert model.draw(codes(model, 0), generator()).shape == (0, *model.event_shape)
    x, x64 = model.sample(3, generator()), copy.deepcopy(model).double().sample(3, generator())
    assert x64.dtype == (torch.uint8 if model.likelihood == "bernoulli" else torch.float64)
    assert model.check_data(x).shape == x.shape  # its own samples are data


def test_samples_have_the_law_of_the_model():
    model = linear(4, 2)
    x = model.sample(40_000, generator()).double()
    W = model.W.detach().double()
    covariance = W @ W.T + (2 * model.log_sigma.detach().double()).exp() * torch.eye(4)
    away = x - model.b.detach()
    same_on_average(away, torch.zeros(4))
    same_on_average(away[:, :, None] * away[:, None], covariance)
    model = tiny()
    index = (model.sample(40_000, generator()).flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1)
    shares = torch.nn.functional.one_hot(index, 16).double()
    same_on_average(shares, model.log_mixture(tiny_images(2), *lattice(1)).double().exp())


@pytest.mark.parametrize(
    "kind, draw",
    [
        ("bernoulli", lambda self, z, random=None: (self.decode(z).mean > 0.5).to(torch.uint8)),
        (
            "bernoulli",
            lambda self, z, random=None: (
                torch.rand(z.shape[:1], generator=random).view(-1, 1, 1, 1) < self.decode(z).mean ** 1.05
            ).to(torch.uint8),
        ),
        ("predicted", lambda self, z, random=None: self.decode(z).mean),
        (
            "predicted",
            lambda self, z, random=None: reparameterise(self.decode(z).mean, self.decode(z).variance, random),
        ),
    ],
    ids=["most likely pixels", "a little too dark", "means", "variances"],
)
def test_wrong_samples_are_found(kind, draw, monkeypatch):
    monkeypatch.setattr(LatentVariableModel, "draw", torch.no_grad()(draw))
    with pytest.raises(AssertionError):
        law_draws(MODELS[kind]())


# -- codes -------------------------------------------------------------------------------------------------------------


@every
def test_a_dimension_that_says_nothing_is_not_active(build):
    model, off = build(), 1
    with torch.no_grad():
        if isinstance(model, LinearGaussianVAE):
            model.V[off], model.log_var[off] = 0, 0
        else:
            rows = [off, model.latent + off]
            model.encoder[-1].weight[rows], model.encoder[-1].bias[rows] = 0, 0
    x = data(model, 40)
    active = model.active_units(x)
    assert active.dtype == torch.bool and active.tolist() == [j != off for j in range(model.latent)]
    kl = model.kl_per_dimension(x)
    assert kl[off] == 0 and (kl[active] > 0.01).all()
    close(kl, kl_by_hand(model, x).mean(0))


def test_active_units_are_a_variance_above_its_threshold():
    """The mean of the first code is 0.2·x, of the second 0.05·x + 7, for x of variance 1."""
    model = linear(3, 2)
    with torch.no_grad():
        model.b.zero_()
        model.V.copy_(torch.tensor([[0.2, 0, 0], [0.05, 0, 7]]))
    x = torch.randn(500, 3, generator=generator())
    x[:, 0], x[:, 2] = (x[:, 0] - x[:, 0].mean()) / x[:, 0].std(), 1
    assert model.encode(x).mean.var(0).tolist() == pytest.approx([0.04, 0.0025], rel=1e-4)
    for threshold, active in ((0.01, [True, False]), (0.0024, [True, True]), (0.041, [False, False]), (0, [True] * 2)):
        assert model.active_units(x, threshold).tolist() == active
    assert model.active_units(x).tolist() == [True, False]


# -- loss and training -------------------------------------------------------------------------------------------------


@every
def test_loss_is_the_bound_it_says(build):
    model = build()
    x = data(model)
    with torch.random.fork_rng(devices=[]):

        def same(loss, bound, **attributes):
            for name, value in attributes.items():
                setattr(model, name, value)
            torch.manual_seed(0)
            value = model.loss(x)
            torch.manual_seed(0)
            assert value.shape == () and torch.equal(value, -bound(x).mean())

        same(model.loss, model.elbo)
        same(model.loss, lambda x: model.elbo(x, 0.5, 0.7), beta=0.5, free_bits=0.7)
        same(model.loss, lambda x: model.importance_bound(x, 5), beta=1.0, free_bits=0.0, n_samples=5)


@networks
def test_more_samples_are_a_tighter_bound(build):
    with torch.no_grad():
        x = data(build()).repeat_interleave(100, 0)
        one, many = (build(n_samples=n) for n in (1, 20))
        state = torch.get_rng_state()
        torch.manual_seed(0)
        losses = one.loss(x), many.loss(x)
        torch.set_rng_state(state)
    assert losses[1] < losses[0] - 0.01


def test_no_kl_no_noise_no_nan():
    """Where the KL has no weight, noise that went to nothing makes it infinite, and the loss stays finite."""
    model = network(beta=0)
    model.encoder[-1].bias.data[model.latent :] = -300
    x = data(model)
    assert model.kl_per_dimension(x).isinf().all()
    loss = model.loss(x)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


@every
def test_every_weight_gets_a_gradient(build):
    for ask in (lambda m, x: m.elbo(x, generator=generator()), lambda m, x: m.importance_bound(x, 4, generator())):
        model = build()
        ask(model, data(model, 50)).mean().neg().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None and torch.isfinite(weight.grad).all(), name
            assert (weight.grad != 0).all(), name


def stripes(n=256, side=8, seed=0):
    """Black and white images of one stripe, upright or level, with a little noise."""
    random = generator(seed)
    place, level = torch.randint(side, (n,), generator=random), torch.rand(n, generator=random) < 0.5
    x = (torch.arange(side) == place[:, None]).to(torch.uint8)[:, None, None].expand(n, 1, side, side)
    x = torch.where(level[:, None, None, None], x, x.mT)
    return x ^ (torch.rand(x.shape, generator=random) < 0.01).to(torch.uint8)


def small(seed=0, kind=VAE, **sizes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind((1, 8, 8), 3, **{"hidden": (32,), "channels": 4, **sizes})


TRAINED = {
    "dense": lambda: small(),
    "convolutional": lambda: small(body="convolutional"),
    "importance-weighted": lambda: small(n_samples=5),
    "beta and free bits": lambda: small(beta=0.5, free_bits=0.1),
    "learned": lambda: small(likelihood="gaussian", sigma="learned"),
    "convolutional predicted": lambda: small(likelihood="gaussian", sigma="predicted", body="convolutional"),
    "autoencoder": lambda: small(kind=Autoencoder),
    "linear": lambda: linear(64, 3),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", TRAINED)
def test_fit_trains(name, precision):
    model, x = TRAINED[name](), stripes()
    if getattr(model, "likelihood", "bernoulli") == "gaussian":
        x = x.float().view(-1, *model.event_shape)
    history = fit(model, x, steps=30, batch_size=32, lr=1e-2, precision=precision)
    assert history.precision == precision
    smooth = history.smooth(5)
    assert smooth[-1] < 0.9 * smooth[4]
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in model.parameters())
    assert torch.isfinite(model.loss(x))


@pytest.mark.parametrize("name", ["dense", "importance-weighted", "convolutional predicted"])
def test_a_run_is_resumed_where_it_stopped(name, tmp_path):
    settings = dict(steps=12, batch_size=32, precision="float32", average=0.9)
    x = stripes()
    x = x.float() if "predicted" in name else x
    whole, model, other = (TRAINED[name]() for _ in range(3))
    expected = fit(whole, x, **settings)
    loss, calls = model.loss, []

    def stopped(x):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return loss(x)

    model.loss = stopped
    assert fit(model, x, checkpoint=tmp_path / "run", **settings).interrupted
    assert fit(other, x, checkpoint=tmp_path / "run", **settings).loss == expected.loss
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), other.state_dict().values()))


@every
def test_weights_come_round(build, tmp_path):
    model, other = build(), build()
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    (tmp_path / "w").write_bytes(storage.packed(model))
    storage.load(other, tmp_path / "w")
    x = data(model)
    assert torch.equal(model.elbo(x, generator=generator()), other.elbo(x, generator=generator()))
    assert torch.equal(model.sample(3, generator()), other.sample(3, generator()))


def test_the_weights_of_the_default_are_those_of_the_checkpoints():
    shapes = {key: tuple(value.shape) for key, value in VAE().state_dict().items()}
    assert shapes == {
        "encoder.2.weight": (200, 784),
        "encoder.2.bias": (200,),
        "encoder.4.weight": (200, 200),
        "encoder.4.bias": (200,),
        "encoder.6.weight": (100, 200),
        "encoder.6.bias": (100,),
        "decoder.0.weight": (200, 50),
        "decoder.0.bias": (200,),
        "decoder.2.weight": (200, 200),
        "decoder.2.bias": (200,),
        "decoder.4.weight": (784, 200),
        "decoder.4.bias": (784,),
    }


# -- shapes, channels, devices ---------------------------------------------------------------------------------------


@every
def test_codes_may_have_any_shape_before_their_last(build):
    model = build()
    z = codes(model, 2, 3, 4)
    flat = model.decode(z.view(24, -1)).mean
    for batch in ((2, 3, 4), (6, 4), (24,), (1, 24)):
        p = model.decode(z.view(*batch, -1))
        assert p.mean.shape == (*batch, *model.event_shape) and p.stddev.expand_as(p.mean).shape == p.mean.shape
        close(p.mean.view_as(flat), flat, 1e-5)
    assert model.decode(z[0, 0, 0]).mean.shape == model.event_shape
    close(model.decode(z[0, 0, 0]).mean, flat[0], 1e-5)
    assert model.decode(codes(model, 0)).mean.shape == (0, *model.event_shape)
    assert model.decode(codes(model, 3, 0)).mean.shape == (3, 0, *model.event_shape)
    assert torch.equal(model.decode(z.double()).mean, model.decode(z).mean)  # as a grid that numpy made


@pytest.mark.parametrize("event_shape", [(1, 28, 28), (3, 8, 12), (2, 4, 4)])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_convolutional_bodies_keep_the_shape(event_shape, likelihood):
    sizes = dict(body="convolutional", channels=3, hidden=(7,))
    model = network(event_shape, 5, likelihood, sigma="predicted" if likelihood == "gaussian" else 1.0, **sizes)
    x = data(model, 4)
    q = model.encode(x)
    assert q.mean.shape == q.stddev.shape == (4, 5)
    assert model.decode(q.mean).log_prob(x.float()).shape == (4, *event_shape)
    assert model.elbo(x).shape == (4,) and model.sample(2).shape == (2, *event_shape)
    assert network(event_shape, 5, hidden=(), body="convolutional").elbo(data(model, 4).gt(0).float()).shape == (4,)


@pytest.mark.parametrize("body", ["dense", "convolutional"])
def test_means_and_deviations_have_channels_of_their_own(body):
    """Means 1, 2, 3 of the channels, log-deviations −1, −2, −3: they must not be shuffled."""
    model = gaussian("predicted", event_shape=(3, 8, 12), body=body)
    last = model.decoder[-1]
    numbers = torch.tensor([1.0, 2, 3, -1, -2, -3])
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(numbers if body == "convolutional" else numbers.repeat_interleave(96))
    for p in (model.decode(codes(model, 5)), model.to(memory_format=torch.channels_last).decode(codes(model, 5))):
        for c in range(3):
            assert (p.mean[:, c] == c + 1).all()
            close(p.stddev[:, c].log(), torch.tensor(-c - 1.0).expand(5, 8, 12), 1e-6)
    model.decoder[-1].bias.data.fill_(-50)
    assert model.decode(codes(model, 5)).stddev.min().item() == pytest.approx(math.exp(-4))


@networks
def test_networks_give_means_and_the_logarithms_of_variances(build):
    """The encoder m and log_var, so that the deviation is exp(log_var/2); the decoder's own is exp(log_sigma)."""
    model = build()
    last = model.encoder[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([1.0, 2, 3, -1, -2, -3]))
        if model.sigma == "learned":
            model.log_sigma.fill_(-0.7)
    q, p = model.encode(data(model)), model.decode(codes(model, 6))
    close(q.mean, torch.tensor([1.0, 2, 3]).expand(6, 3), 1e-6)
    close(q.variance.log(), torch.tensor([-1.0, -2, -3]).expand(6, 3), 1e-6)
    if model.likelihood == "gaussian" and model.sigma != "predicted":
        close(p.stddev, torch.full_like(p.mean, {0.7: 0.7, "learned": math.exp(-0.7)}[model.sigma]), 1e-6)


def test_channels_last_changes_nothing():
    for build in (MODELS["convolutional"], MODELS["convolutional predicted"]):
        model = build()
        x, z = data(model), codes(model, 4)
        expected = list(evaluations(model, x, z))
        model = model.to(memory_format=torch.channels_last)
        for a, b in zip(evaluations(model, x.contiguous(memory_format=torch.channels_last), z), expected):
            close(a, b, 1e-3 if a.dtype != torch.uint8 else 1)


@every
def test_all_is_made_where_the_model_is(build):
    """While the default is a device without numbers, whatever is made there cannot be added to the model's."""
    model = build()
    x, z = data(model), codes(model, 7)
    log_w = torch.full((7,), -math.log(7))
    expected = [*evaluations(model, x, z), model.prior.mean]
    with torch.device("meta"):
        model.elbo(x), model.importance_bound(x, 3), model.loss(x), model.sample(3), model.draw(z)
        model.log_mixture(x, z, log_w), model.kl_per_dimension(x), model.active_units(x)
        there = [model.prior.mean, model.elbo(x), model.sample(3), model.encode(x).mean, model.decode(z).mean]
        if isinstance(model, LinearGaussianVAE):
            there += [model.exact_elbo(x), model.log_prob(x), model.posterior(x).mean]
            model.set_optimum(x)
    assert len(expected) and all(value.device.type == "cpu" for value in there)


@every
def test_types_of_data(build):
    """uint8, bool, int64 and floating-point zeros and ones are one; real numbers come in any precision."""
    model = build()
    x = data(model)
    expected = model.elbo(x, generator=generator())
    if model.likelihood == "bernoulli":
        for dtype in (torch.bool, torch.int64, torch.float32, torch.float64, torch.float16):
            assert torch.equal(model.elbo(x.to(dtype), generator=generator()), expected)
    else:
        assert torch.equal(model.elbo(x.double(), generator=generator()), expected)
        close(model.elbo(x.bfloat16(), generator=generator()), expected, 0.1)


# -- the importance bound of many images -----------------------------------------------------------------------------


@every
def test_metrics_importance_bound(build, monkeypatch):
    model = build()
    x = data(model, 7)
    with torch.no_grad():
        expected = model.importance_bound(x, 20, generator())
    own = metrics.importance_bound(model, x, 20)
    assert own.shape == (7,) and not own.requires_grad
    assert torch.equal(own, expected)  # by default of seed 0
    assert torch.equal(own, metrics.importance_bound(model, x, 20, generator()))
    asked, largest = [], []
    bound, decode = model.importance_bound, model.decode
    monkeypatch.setattr(model, "importance_bound", lambda x, n, *rest: asked.append(len(x) * n) or bound(x, n, *rest))
    monkeypatch.setattr(model, "decode", lambda z: largest.append(z[..., 0].numel()) or decode(z))
    own = metrics.importance_bound(model, x, 2500)
    assert own.shape == (7,) and sum(asked) == sum(largest) == 7 * 2500 and max(largest) <= 1000
    with pytest.raises(ValueError, match="x is empty"):
        metrics.importance_bound(model, x[:0])


# -- the autoencoder ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("body", ["dense", "convolutional"])
def test_an_autoencoder_has_no_noise_and_no_density(kind, body):
    with torch.random.fork_rng(devices=[]):
        model = Autoencoder((1, 4, 4), 3, kind, hidden=(8,), body=body, channels=4)
    x = data(model.vae)
    state = torch.get_rng_state()
    loss = model.loss(x)
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(loss, model.loss(x))
    z = model.encode(x)
    assert z.shape == (6, 3) and model.decode(z).mean.shape == (6, 1, 4, 4)
    close(loss, -log_px_z(model.vae, x, z).mean())
    loss.backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.parameters())
    for name in ("log_prob", "elbo", "importance_bound", "sample", "draw", "prior", "kl_per_dimension"):
        assert not hasattr(model, name)
    assert (model.event_shape, model.latent) == ((1, 4, 4), 3)
    with pytest.raises(ValueError, match=r"x has shape \(6, 4, 4\)"):
        model.loss(x[:, 0])
    with pytest.raises(ValueError, match="the codes of this model have 3 dimensions"):
        model.decode(torch.zeros(2, 4))


# -- bad input ---------------------------------------------------------------------------------------------------------


def asks(model):
    """Everything that takes data."""
    z = codes(model, 3)
    yield from (model.elbo, model.importance_bound, model.loss, model.encode, model.kl_per_dimension)
    yield from (model.active_units, lambda x: model.log_mixture(x, z, torch.zeros(3)))
    if isinstance(model, LinearGaussianVAE):
        yield from (model.exact_elbo, model.log_prob, model.posterior, model.set_optimum)


@every
def test_bad_data_are_refused(build):
    model = build()
    good = data(model)
    for ask in asks(model):
        for bad in (good[0], good[:, None], good[..., :-1], good[..., :1], torch.tensor(1.0), good.flatten()):
            with pytest.raises(ValueError, match=r"x has shape .*models event_shape .*so x must be \(batch, "):
                ask(bad)
        with pytest.raises(ValueError, match="empty batch; expected at least one"):
            ask(good[:0])
        for bad, word in ((good.tolist(), "a list"), (good.numpy(), "an? ndarray"), (None, "None"), (1.0, "a float")):
            with pytest.raises(TypeError, match=f"x is {word}; expected a torch.Tensor of shape"):
                ask(bad)
        for value in (math.nan, math.inf, -math.inf):
            bad = good.float()
            bad.flatten()[3] = value
            words = "from .*(nan|inf).* draws zeros and ones" if model.likelihood == "bernoulli" else "holds NaN or inf"
            with pytest.raises(ValueError, match=words):
                ask(bad)


@networks
def test_data_of_another_likelihood_are_refused(build):
    model = build()
    grey = torch.randint(256, (4, *model.event_shape), generator=generator(), dtype=torch.uint8)
    if model.likelihood == "bernoulli":
        for bad in (grey, grey.float() / 255, -grey.long(), grey.gt(9).float() / 2):
            words = rf"to {bad.float().max():g}; .*zeros and ones: binarise .*likelihood=.gaussian"
            for ask in asks(model):
                with pytest.raises(ValueError, match=words):
                    ask(bad)
    else:
        for bad in (grey, grey.long(), grey > 9):
            for ask in asks(model):
                with pytest.raises(TypeError, match=rf"dtype {bad.dtype}; .*real numbers: .*x.float\(\) / 255"):
                    ask(bad)


@every
def test_bad_codes_are_refused(build):
    model = build()
    x, z = data(model), codes(model, 4)
    asks = (model.decode, model.draw, lambda z: model.log_mixture(x, z, torch.zeros(4)))
    for ask in asks:
        for bad in (z[:, :-1], torch.cat([z, z], 1), torch.tensor(1.0)):
            with pytest.raises(ValueError, match=rf"z has shape .*codes of this model have {model.latent} dimensions"):
                ask(bad)
        for bad, word in ((z.long(), "torch.int64"), (z > 0, "torch.bool"), (z.tolist(), "a list"), (None, "None")):
            with pytest.raises(TypeError, match=f"z is {word}; expected a floating-point tensor of codes"):
                ask(bad)
    for bad, log_w in ((z, torch.zeros(3)), (z, torch.zeros(4, 1)), (z[None], torch.zeros(1)), (z[:0], torch.zeros(0))):
        with pytest.raises(ValueError, match=rf"codes .* and log_weights .*expected \(K, {model.latent}\) and \(K,\)"):
            model.log_mixture(x, bad, log_w)
    with pytest.raises(TypeError, match="log_weights is a list; expected a torch.Tensor"):
        model.log_mixture(x, z, [0.0] * 4)


NOT_A_NUMBER = [("1", TypeError), (True, TypeError), (None, TypeError), (torch.ones(2), TypeError)]
NEGATIVE = [(-1, ValueError), (-1e-9, ValueError), (math.nan, ValueError), (math.inf, ValueError)]


@every
def test_bad_numbers_are_refused(build):
    model = build()
    x, z = data(model), codes(model, 4)
    for value, error in NOT_A_NUMBER + NEGATIVE:
        for name in ("beta", "free_bits"):
            with pytest.raises(error, match=rf"{name} is .*expected a .*number of at least 0"):
                model.elbo(x, **{name: value})
        with pytest.raises(error, match="threshold is .*expected a .*number of at least 0"):
            model.active_units(x, value)
    for value, error in ((0, ValueError), (-1, ValueError), (1.0, TypeError), ("5", TypeError), (True, TypeError)):
        with pytest.raises(error, match="n_samples is .*expected .*at least 1"):
            model.importance_bound(x, value)
        with pytest.raises(error, match="chunk is .*expected .*at least 1"):
            model.importance_bound(x, 5, chunk=value)
        with pytest.raises(error, match="chunk is .*expected .*at least 1"):
            model.log_mixture(x, z, torch.zeros(4), value)
    for value, error in ((-1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError), (True, TypeError)):
        with pytest.raises(error, match="n is .*expected .*at least 0"):
            model.sample(value)
    with pytest.raises(ValueError, match="x has 1 example; a variance over examples needs two"):
        model.active_units(x[:1])


BAD_SIZES = [
    (TypeError, r"event_shape is 784; give a tuple", dict(event_shape=784)),
    (TypeError, r"event_shape is \(\); give a tuple", dict(event_shape=())),
    (TypeError, r"event_shape is '28'; give a tuple", dict(event_shape="28")),
    (ValueError, r"event_shape is 0; expected at least 1", dict(event_shape=(1, 0, 8))),
    (TypeError, r"event_shape is 8.0; expected an integer", dict(event_shape=(1, 8.0, 8))),
    (ValueError, r"latent is 0; expected at least 1", dict(latent=0)),
    (TypeError, r"latent is 2.0; expected an integer", dict(latent=2.0)),
    (TypeError, r"latent is True; expected an integer", dict(latent=True)),
    (ValueError, r"likelihood is 'poisson'; expected one of .*'bernoulli', 'gaussian'", dict(likelihood="poisson")),
    (ValueError, r"likelihood is None; expected one of", dict(likelihood=None)),
    (TypeError, r"hidden is 200; expected a tuple of widths", dict(hidden=200)),
    (TypeError, r"hidden is None; expected a tuple of widths", dict(hidden=None)),
    (ValueError, r"hidden is 0; expected at least 1", dict(hidden=(5, 0))),
    (TypeError, r"hidden is 5.0; expected an integer", dict(hidden=(5.0,))),
    (TypeError, r"hidden is '5'; expected", dict(hidden="5")),
    (ValueError, r"body is 'mlp'; expected one of .*'dense', 'convolutional'", dict(body="mlp")),
    (ValueError, r"channels is 0; expected at least 1", dict(body="convolutional", channels=0)),
    (TypeError, r"channels is 4.0; expected an integer", dict(body="convolutional", channels=4.0)),
    (ValueError, r"\(1, 30, 30\); .*divisible by 4", dict(body="convolutional", event_shape=(1, 30, 30))),
    (ValueError, r"\(1, 8, 6\); .*divisible by 4", dict(body="convolutional", event_shape=(1, 8, 6))),
    (ValueError, r"\(8, 8\); a convolutional body takes \(C, H, W\)", dict(body="convolutional", event_shape=(8, 8))),
]
BAD_SETTINGS = [
    *[(ValueError, r"sigma is .*expected a positive number, .learned. or", dict(likelihood="gaussian", sigma=s))
      for s in (0, -1.0, math.nan, math.inf, "fixed", True, None, torch.ones(2))],
    *[(ValueError, r"sigma is .*a Bernoulli decoder has none: take likelihood=.gaussian", dict(sigma=s))
      for s in (0.5, "learned", "predicted")],
    *[(error, rf"{name} is .*expected a .*number of at least 0", {name: value})
      for name in ("beta", "free_bits") for value, error in NOT_A_NUMBER + NEGATIVE],
    *[(error, r"n_samples is .*expected .*at least 1", dict(n_samples=n))
      for n, error in ((0, ValueError), (-2, ValueError), (1.5, TypeError), (True, TypeError), ("5", TypeError))],
    (ValueError, r"n_samples is 5: .* no beta or free_bits", dict(n_samples=5, beta=2.0)),
    (ValueError, r"n_samples is 5: .* no beta or free_bits", dict(n_samples=5, free_bits=0.1)),
]  # fmt: skip


@pytest.mark.parametrize("error, message, changes", BAD_SIZES + BAD_SETTINGS)
def test_vae_says_what_is_wrong(error, message, changes):
    with pytest.raises(error, match=message):
        VAE(**{"event_shape": (1, 8, 8), "latent": 2, "hidden": (5,), **changes})


@pytest.mark.parametrize("error, message, changes", BAD_SIZES)
def test_autoencoder_says_what_is_wrong(error, message, changes):
    with pytest.raises(error, match=message):
        Autoencoder(**{"event_shape": (1, 8, 8), "latent": 2, "hidden": (5,), **changes})


def test_linear_model_says_what_is_wrong():
    for sizes, error, message in (
        ((3, 3), ValueError, "latent is 3; expected fewer than n_features = 3"),
        ((3, 5), ValueError, "latent is 5; expected fewer than n_features = 3"),
        ((3, 0), ValueError, "latent is 0; expected at least 1"),
        ((0, 1), ValueError, "n_features is 0; expected at least 1"),
        ((3.0, 1), TypeError, "n_features is 3.0; expected an integer"),
        ((3, "1"), TypeError, "latent is '1'; expected an integer"),
    ):
        with pytest.raises(error, match=message):
            LinearGaussianVAE(*sizes)
    model = linear(5, 2)
    before = copy.deepcopy(model.state_dict())
    x = data(model, 20)
    with pytest.raises(ValueError, match="x has 3 examples; 2 code dimensions need 4 at least"):
        model.set_optimum(x[:3])
    flat = x[:, :2] @ torch.randn(2, 5, generator=generator())
    for bad in (torch.ones(20, 5), torch.zeros(20, 5), torch.full((20, 5), 0.1), flat, flat + 3, 1e4 * flat + 100):
        with pytest.raises(ValueError, match="varies in 2 directions or fewer, so that the likelihood has no bound"):
            model.set_optimum(bad)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    x[:, 3] = 1.5  # a constant feature among others is none of these
    model.set_optimum(x)
    law_gap(model, x)
