"""Laws of adversarial networks and their contest, and proof that each law bites: bugs are put in, and it must fail.

Oracles: densities that are known, sums over quantiles in place of draws, loops over single examples, losses written out
by hand, autograd for what is in closed form, and torch's own Adam for the steps that are unrolled.
"""

import inspect
import math
import textwrap

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from gencourse import data
from gencourse.models import GAN, DiracGAN, Discriminator, Generator
from gencourse.models import gan as gan_module
from gencourse.models.dirac_gan import gauss_hermite
from gencourse.models.gan import LOSSES, discriminator_loss, generator_loss, gradient_penalty, r1_penalty


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(event_shape=(2,), latent=3, hidden=(8, 8), n_classes=0, pack=1, body="dense", seed=0, **game):
    """A GAN with weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = dict(hidden=hidden, body=body, channels=3, n_classes=n_classes)
        return GAN(Generator(event_shape, latent, **sizes), Discriminator(event_shape, pack=pack, **sizes), **game)


def smooth(gan):
    """The same GAN without kinks, for finite differences."""
    for player in (gan.generator, gan.discriminator):
        player.net = nn.Sequential(*(nn.Tanh() if isinstance(m, nn.ReLU) else m for m in player.net))
    return gan.double()


def events(gan, n=6, seed=1):
    x = torch.randn(n, *gan.event_shape, generator=generator(seed))
    return x.sigmoid() if len(gan.event_shape) == 3 else x


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def sabotage(monkeypatch, owner, name, right, wrong):
    """Put a bug into a function of the package: its source with words replaced."""
    original = inspect.unwrap(getattr(owner, name))
    source = textwrap.dedent(inspect.getsource(original))
    assert source.count(right) >= 1, f"{name} has no {right!r} any more"
    space = dict(vars(inspect.getmodule(original)))
    exec(source.replace(right, wrong), space)
    monkeypatch.setattr(owner, name, space[name])


X = torch.randn(40, 2, generator=generator(7))
CLASSES = torch.arange(40) % 3


# -- the losses --------------------------------------------------------------------------------------------------


def by_hand(real, fake, loss):
    """Both losses, one example at a time."""
    d = g = 0.0
    for r, f in zip(real.tolist(), fake.tolist()):
        p, q = 1 / (1 + math.exp(-r)), 1 / (1 + math.exp(-f))
        if loss in ("original", "non-saturating"):
            d += -math.log(p) - math.log(1 - q)
            g += math.log(1 - q) if loss == "original" else -math.log(q)
        else:
            d += f - r if loss == "wasserstein" else max(0, 1 - r) + max(0, 1 + f)
            g -= f
    return d / len(real), g / len(real)


def law_losses_by_hand():
    real = torch.linspace(-3, 2.5, 7, dtype=torch.float64)
    fake = torch.linspace(2, -4, 7, dtype=torch.float64)
    for loss in LOSSES:
        d, g = by_hand(real, fake, loss)
        assert gan_module.discriminator_loss(real, fake, loss).item() == pytest.approx(d, abs=1e-12), loss
        assert gan_module.generator_loss(fake, loss).item() == pytest.approx(g, abs=1e-12), loss


def law_saturation():
    """Both losses of the generator at one discriminator that is nearly sure: D(G(z)) about 3·10⁻⁷."""
    norms = {}
    for loss in ("original", "non-saturating"):
        gan = small(seed=3, loss=loss)
        with torch.no_grad():
            gan.discriminator.net[-1].bias.fill_(-15)
        gan.generator_loss(gan.generator(gan.noise(64, generator()))).backward()
        norms[loss] = torch.cat([p.grad.flatten() for p in gan.generator.parameters()]).norm().item()
    assert norms["original"] < 1e-6 * norms["non-saturating"] and norms["non-saturating"] > 1e-3, norms


def law_large_logits():
    logits = torch.tensor([-1e4, 1e4], requires_grad=True)
    for loss in LOSSES:
        value = gan_module.discriminator_loss(logits, -logits, loss) + gan_module.generator_loss(logits, loss)
        (slope,) = torch.autograd.grad(value, logits)
        assert value.isfinite() and slope.isfinite().all()


LOSS_BUGS = [
    ("discriminator_loss", "F.softplus(-real_logits)", "F.softplus(real_logits)", law_losses_by_hand),
    ("discriminator_loss", "F.relu(1 + fake_logits)", "F.relu(1 - fake_logits)", law_losses_by_hand),
    ("discriminator_loss", "fake_logits.mean() - real_logits.mean()", "real_logits.mean() - fake_logits.mean()",
     law_losses_by_hand),
    ("discriminator_loss", "F.softplus(fake_logits).mean()", "-torch.log(1 - torch.sigmoid(fake_logits)).mean()",
     law_large_logits),
    ("generator_loss", "return -F.softplus(fake_logits).mean()", "return F.softplus(-fake_logits).mean()",
     law_saturation),
    ("generator_loss", "return F.softplus(-fake_logits).mean()", "return -F.softplus(fake_logits).mean()",
     law_saturation),
    ("generator_loss", "return -fake_logits.mean()", "return fake_logits.mean()", law_losses_by_hand),
]  # fmt: skip


@pytest.mark.parametrize("law", [law_losses_by_hand, law_saturation, law_large_logits], ids=lambda law: law.__name__)
def test_losses(law):
    law()


@pytest.mark.parametrize("name, right, wrong, law", LOSS_BUGS)
def test_a_wrong_loss_is_found(name, right, wrong, law, monkeypatch):
    sabotage(monkeypatch, gan_module, name, right, wrong)
    with pytest.raises(AssertionError):
        law()


# -- the best discriminator --------------------------------------------------------------------------------------


def quantiles(normal, n):
    return normal.icdf((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def known(kind):
    """Two known densities: points that stand for each (quantiles: no chance in them), and log P, log Q as functions."""
    if kind == "line":
        p, q = Normal(torch.tensor(-0.5).double(), 1.0), Normal(torch.tensor(1.0).double(), 0.7)
        points = [quantiles(d, 1500)[:, None] for d in (p, q)]
        return points, [lambda x, d=d: d.log_prob(x).sum(1) for d in (p, q)]
    means, widths = ((0.0, 0.0), (1.0, -0.5)), (1.0, 0.8)
    ds = [Normal(torch.tensor(m).double(), w) for m, w in zip(means, widths)]
    even = [torch.quasirandom.SobolEngine(2, scramble=True, seed=seed).draw(4096).double() for seed in (1, 2)]
    return [d.icdf(u) for d, u in zip(ds, even)], [lambda x, d=d: d.log_prob(x).sum(1) for d in ds]


def jensen_shannon(points, log_p, log_q):
    """½ KL(P ‖ M) + ½ KL(Q ‖ M), M their mean: from the densities alone, nats."""

    def half(x, log_a):
        return (log_a(x) - torch.logaddexp(log_p(x), log_q(x)) + math.log(2)).mean() / 2

    return (half(points[0], log_p) + half(points[1], log_q)).item()


def best(gan, real, fake, steps=500):
    """Train the discriminator alone, on all points at once; returns the value V = −loss."""
    optimizer = torch.optim.Adam(gan.discriminator.parameters(), lr=0.01)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = gan.discriminator_loss(real, fake)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    return -gan.discriminator_loss(real, fake).item()


def law_best_discriminator(kind="line"):
    points, (log_p, log_q) = known(kind)
    gan = small((points[0].shape[1],), hidden=(32, 32))
    value = best(gan, *(x.float() for x in points))
    bulk = torch.cat(points)
    with torch.no_grad():
        found = gan.discriminator(bulk.float()).sigmoid()
    expected = torch.sigmoid(log_p(bulk) - log_q(bulk))  # P / (P + Q)
    density = torch.logaddexp(log_p(bulk), log_q(bulk))
    inside = density > density.quantile(0.2)
    assert (found - expected)[inside].abs().max() < 0.02
    assert value == pytest.approx(2 * jensen_shannon(points, log_p, log_q) - 2 * math.log(2), abs=2e-3)


def law_equal_is_a_half():
    points, _ = known("line")
    x = points[0].float()
    gan = small((1,), hidden=(32, 32))
    with torch.no_grad():
        gan.discriminator.net[-1].bias.add_(2)
        assert (gan.discriminator(x).sigmoid() - 0.5).abs().max() > 0.2, "it does not begin there"
    assert best(gan, x, x) == pytest.approx(-2 * math.log(2), abs=1e-4)
    with torch.no_grad():
        assert (gan.discriminator(x[100:-100]).sigmoid() - 0.5).abs().max() < 0.02  # the bulk of 1,500


@pytest.mark.parametrize("kind", ["line", "plane"])
def test_the_best_discriminator_is_known(kind):
    law_best_discriminator(kind)


def test_equal_data_and_samples_give_a_half():
    law_equal_is_a_half()


@pytest.mark.parametrize("law", [law_best_discriminator, law_equal_is_a_half], ids=lambda law: law.__name__)
def test_a_wrong_weight_of_the_samples_is_found(law, monkeypatch):
    right = "F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()"
    wrong = "F.softplus(-real_logits).mean() + 1.3 * F.softplus(fake_logits).mean()"
    sabotage(monkeypatch, gan_module, "discriminator_loss", right, wrong)
    with pytest.raises(AssertionError):
        law()


# -- penalties ---------------------------------------------------------------------------------------------------


def single_gradient(gan, x, i, condition):
    """∇ of one example's logit, alone in its batch."""
    one = x[i : i + 1].detach().clone().requires_grad_()
    given = () if condition is None else (condition[i : i + 1],)
    (gradient,) = torch.autograd.grad(gan.discriminator(one, *given).sum(), one)
    return gradient.flatten()


def law_penalties_are_per_example():
    for body, shape, n_classes in (("dense", (2,), 0), ("dense", (3,), 2), ("convolutional", (1, 8, 8), 3)):
        gan = small(shape, body=body, n_classes=n_classes)
        real, fake = events(gan, seed=1), events(gan, seed=2)
        condition = torch.arange(6) % n_classes if n_classes else None
        given = () if condition is None else (condition,)
        u = torch.rand(6, *[1] * len(shape), generator=generator(5))  # one weight an example, uniform
        between = u * real + (1 - u) * fake
        norms = torch.stack([single_gradient(gan, between, i, condition).norm() for i in range(6)])
        squares = torch.stack([single_gradient(gan, real, i, condition).square().sum() for i in range(6)])
        for target in (1.0, 0.0):
            found = gan_module.gradient_penalty(gan.discriminator, real, fake, generator(5), target, condition)
            assert found.item() == pytest.approx(((norms - target) ** 2).mean().item(), rel=1e-5)
        assert gan_module.r1_penalty(gan.discriminator, real, condition).item() == pytest.approx(
            squares.mean().item(), rel=1e-5
        )
        plain = gan.discriminator_loss(real, fake, *given).item()
        for name, value in (("r1", squares.mean().item() / 2), ("gradient_penalty", ((norms - 1) ** 2).mean().item())):
            other = small(shape, body=body, n_classes=n_classes, **{name: 3.0})
            full = other.discriminator_loss(real, fake, *given, generator=generator(5))
            assert full.item() == pytest.approx(plain + 3 * value, rel=1e-5), name


def law_penalties_train_the_discriminator():
    """Their slope with respect to the weights is that of finite differences."""
    gan = smooth(small())
    real, fake = events(gan).double(), events(gan, seed=2).double()
    weight = gan.discriminator.net[2].weight
    penalties = (
        lambda: gan_module.r1_penalty(gan.discriminator, real),
        lambda: gan_module.gradient_penalty(gan.discriminator, real, fake, generator()),
    )
    for penalty in penalties:
        value = penalty()
        assert value.requires_grad
        (slope,) = torch.autograd.grad(value, weight)
        values = []
        for h in (1e-6, -2e-6):
            with torch.no_grad():
                weight[1, 2] += h
            values.append(penalty().item())
        with torch.no_grad():
            weight[1, 2] += 1e-6
        assert slope[1, 2].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4, abs=1e-9)
        assert slope[1, 2] != 0


PENALTY_LAWS = [law_penalties_are_per_example, law_penalties_train_the_discriminator]
PENALTY_BUGS = [
    ("gradient_penalty", "norm(dim=1)", "norm(dim=0)", 0),
    ("gradient_penalty", "norm(dim=1)", "norm()", 0),
    ("gradient_penalty", "(len(real), *[1] * (real.dim() - 1)),", "real.shape,", 0),
    ("gradient_penalty", "torch.rand,", "torch.randn,", 0),
    ("gradient_penalty", "x = u * real + (1 - u) * fake", "x = real.detach().clone()", 0),
    ("gradient_penalty", "(norm - target).square()", "(norm.square() - target)", 0),
    ("r1_penalty", ".square().sum(1).mean()", ".square().mean()", 0),
    ("r1_penalty", ".square().sum(1).mean()", ".square().sum()", 0),
    ("_gradient", "create_graph=True", "retain_graph=True", 1),
    ("_gradient", "logits.sum()", "logits.mean()", 0),
]


@pytest.mark.parametrize("law", PENALTY_LAWS, ids=lambda law: law.__name__)
def test_penalties(law):
    law()


@pytest.mark.parametrize("name, right, wrong, law", PENALTY_BUGS)
def test_a_wrong_penalty_is_found(name, right, wrong, law, monkeypatch):
    sabotage(monkeypatch, gan_module, name, right, wrong)
    with pytest.raises(AssertionError):
        PENALTY_LAWS[law]()


def test_the_penalty_of_a_flat_discriminator_has_a_slope():
    gan = small()
    with torch.no_grad():
        for weight in gan.discriminator.parameters():
            weight.zero_()
    gradient_penalty(gan.discriminator, X[:5], X[5:10], generator()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in gan.discriminator.parameters())


def test_r1_in_closed_form():
    """A linear logit w·x has the gradient w everywhere."""
    w = torch.tensor([0.6, -0.8, 2.0])
    x = torch.randn(5, 3, generator=generator())
    assert r1_penalty(lambda x: x @ w, x).item() == pytest.approx(5.0)
    assert gradient_penalty(lambda x: x @ w, x, x + 1, generator()).item() == pytest.approx((5**0.5 - 1) ** 2)


def test_a_pack_is_judged_as_one():
    gan = small(pack=3)
    logits = gan.discriminator(X[:6])
    assert logits.shape == (2,)
    by_hand = gan.discriminator.net(torch.stack([X[:3].flatten(), X[3:6].flatten()])).squeeze(1)
    assert torch.equal(logits, by_hand)
    penalty = r1_penalty(gan.discriminator, X[:6])
    x = X[:6].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(gan.discriminator(x).sum(), x)
    assert penalty.item() == pytest.approx(gradient.square().sum().item() / 2, rel=1e-5)  # over two packs
    images = small((1, 8, 8), body="convolutional", pack=2, n_classes=3)
    x, classes = events(images, 4), torch.tensor([0, 1, 2, 0])
    apart = images.discriminator(x, classes)
    assert apart.shape == (2,)
    for i in range(4):  # what one example is, its own pack feels, and no other
        moved = x.clone()
        moved[i] = 1 - moved[i]
        assert ((images.discriminator(moved, classes) != apart).tolist()) == [i < 2, i >= 2]


# -- the players -------------------------------------------------------------------------------------------------


SHAPES = [dict(), dict(event_shape=(1, 8, 8)), dict(event_shape=(2, 8, 12), body="convolutional"), dict(n_classes=3),
          dict(event_shape=(1, 8, 8), body="convolutional", n_classes=3, pack=2), dict(pack=2, n_classes=3),
          dict(hidden=())]  # fmt: skip


@pytest.mark.parametrize("build", SHAPES)
def test_players_fit_together_and_every_weight_counts(build):
    gan = small(**build, r1=1.0, gradient_penalty=1.0)
    condition = torch.arange(4) % 3 if gan.generator.n_classes else None
    given = () if condition is None else (condition,)
    fake = gan.generator(gan.noise(4, generator()), *given)
    assert fake.shape == (4, *gan.event_shape)
    gan.generator_loss(fake, *given).backward()
    assert all(p.grad.abs().sum() > 0 for p in gan.generator.parameters())
    gan.zero_grad()
    gan.discriminator_loss(events(gan, 4), fake.detach(), *given).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in gan.discriminator.parameters() if p.dim() > 1)


@pytest.mark.parametrize("build", SHAPES)
def test_sample_is_the_generator_on_its_noise(build):
    gan = small(**build)
    condition = torch.arange(1201) % 3 if gan.generator.n_classes else None
    given = () if condition is None else (condition,)
    x = gan.sample(1201, generator(4), *given)
    torch.testing.assert_close(x, gan.generator(gan.noise(1201, generator(4)), *given))
    assert x.dtype == torch.float32 and not x.requires_grad
    if len(gan.event_shape) == 3:
        assert 0 <= x.min() and x.max() <= 1


def test_a_class_is_heard_by_both_players():
    gan = small(n_classes=3)
    z, x = gan.noise(1, generator()), X[:1]
    asked = [torch.tensor([k]) for k in range(3)]
    assert len({gan.generator(z, k)[0, 0].item() for k in asked}) == 3
    assert len({gan.discriminator(x, k).item() for k in asked}) == 3


def test_scale_is_a_unit_of_length():
    near, far = Discriminator((2,), (8,)), Discriminator((2,), (8,), scale=4)
    far.load_state_dict(near.state_dict())
    torch.testing.assert_close(far(4 * X), near(X))
    one, four = Generator((2,), 2, (8,)), Generator((2,), 2, (8,), scale=4)
    four.load_state_dict(one.state_dict())
    torch.testing.assert_close(four(X), 4 * one(X))


def test_judge_reports_what_the_discriminator_thinks():
    for loss in LOSSES:
        gan = small(loss=loss)
        real, fake = events(gan, seed=1), events(gan, seed=2)
        verdict, logits = gan.judge(real, fake), [gan.discriminator(x) for x in (real, fake)]
        if loss in ("original", "non-saturating"):
            logits = [logit.sigmoid() for logit in logits]
        assert [verdict.real.item(), verdict.fake.item()] == pytest.approx([v.mean().item() for v in logits])
        assert verdict.loss == gan.discriminator_loss(real, fake) and not verdict.real.requires_grad


# -- the toy sets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw, modes, count", [(data.ring, data.RING, 8), (data.grid, data.GRID, 25)])
def test_toy_sets_are_what_the_papers_drew(draw, modes, count):
    assert modes.centres.shape == (count, 2) and torch.cdist(modes.centres, modes.centres).fill_diagonal_(9).min() > 0.7
    x = draw(20_000, generator(1))
    distance, nearest = torch.cdist(x, modes.centres).min(1)
    shares = nearest.bincount(minlength=count) / len(x)
    assert (shares - 1 / count).abs().max() < 5 * (1 / count / len(x)) ** 0.5
    assert distance.square().mean().item() == pytest.approx(2 * modes.sigma**2, rel=0.05)
    assert (distance < 3 * modes.sigma).float().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=0.004)
    assert torch.equal(draw(50, generator(3)), draw(50, generator(3))) and x.dtype == torch.float32
    for error, n, g in ((ValueError, 0, generator()), (TypeError, 2.0, generator()), (TypeError, 5, 7)):
        with pytest.raises(error):
            draw(n, g)


# -- the smallest game -------------------------------------------------------------------------------------------

DIRAC = [
    *(dict(loss=loss) for loss in LOSSES), *(dict(loss=loss, r1=0.7) for loss in LOSSES),
    *(dict(loss=loss, gradient_penalty=0.4) for loss in LOSSES),
    *(dict(loss=loss, gradient_penalty=0.4, target=0.0, r1=0.3) for loss in LOSSES),
    *(dict(loss=loss, noise=0.8, r1=0.2) for loss in LOSSES[:3]),
]  # fmt: skip


def dirac_losses(game, theta, psi):
    """L_G and L_D from the losses and penalties of the real models, with nodes of the noise in place of a batch."""
    nodes, weights = gauss_hermite(96) if game.noise else (torch.zeros(1).double(), torch.ones(1).double())
    e = game.noise * nodes

    def logit(x):
        return -psi * x[:, 0]

    def expected(loss):
        return sum(w * loss(i) for i, w in enumerate(weights))

    real, fake = logit(e[:, None]), logit((theta + e)[:, None])
    loss_g = expected(lambda i: generator_loss(fake[i : i + 1], game.loss_name))
    loss_d = expected(lambda i: discriminator_loss(real[i : i + 1], fake[i : i + 1], game.loss_name))
    zero = torch.zeros(1, 1, dtype=torch.float64)
    if game.r1:
        loss_d = loss_d + game.r1 / 2 * r1_penalty(logit, zero)
    if game.gradient_penalty:
        penalty = gradient_penalty(logit, zero, zero + theta.detach(), generator(), target=game.target)
        loss_d = loss_d + game.gradient_penalty * penalty
    return loss_g, loss_d


def law_dirac_field_and_jacobian():
    for settings in DIRAC:
        game = DiracGAN(**settings)
        for point in ((0.6, -0.9), (-1.3, 0.4), (0.2, 0.7)):
            theta, psi = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in point)
            loss_g, loss_d = dirac_losses(game, theta, psi)
            v = [-torch.autograd.grad(loss, at, create_graph=True)[0] for loss, at in ((loss_g, theta), (loss_d, psi))]
            rows = [
                torch.autograd.grad(part, (theta, psi), allow_unused=True, retain_graph=True)
                if part.requires_grad
                else (None, None)
                for part in v
            ]
            J = torch.tensor([[0.0 if entry is None else entry.item() for entry in row] for row in rows]).double()
            torch.testing.assert_close(game.vector_field(*point), torch.stack(v).detach(), atol=1e-6, rtol=1e-6)
            torch.testing.assert_close(game.jacobian(*point), J, atol=1e-5, rtol=1e-5)
            found = sorted(game.eigenvalues(*point).tolist(), key=lambda z: (z.real, z.imag))
            expected = sorted(torch.linalg.eigvals(J).tolist(), key=lambda z: (z.real, z.imag))
            assert found == pytest.approx(expected, abs=1e-5)


def law_dirac_evidence():
    """What others have found: from (1, 1), h = 0.2, 500 alternating steps; and the paper's eigenvalues."""
    ends = {
        name: DiracGAN(**settings).simulate((1, 1), 0.2, 500)[-1].norm().item()
        for name, settings in dict(plain={}, r1=dict(r1=1.0), noise=dict(noise=1.0)).items()
    }
    assert ends["plain"] == pytest.approx(1.42, abs=0.005) and ends["r1"] < 1e-15 and ends["noise"] < 1e-10
    drawn = DiracGAN(noise=1.0).simulate((1, 1), 0.2, 500, generator=generator())[-1].norm().item()
    assert 1e-4 < drawn < 0.06  # the noise of 1,000 draws is left: 0.02 in the mean
    for s, losses in ((0.5, LOSSES[:2]), (1.0, LOSSES[2:])):
        for loss in losses:
            assert DiracGAN(loss).eigenvalues().tolist() == pytest.approx([s * 1j, -s * 1j])
            for gamma in (0.3, 2 * s, 3.0):
                root = (gamma**2 / 4 - s**2 + 0j) ** 0.5
                found = DiracGAN(loss, r1=gamma).eigenvalues().tolist()
                assert found == pytest.approx([-gamma / 2 + root, -gamma / 2 - root])
    sigma = 0.8
    half, root = -(sigma**2) / 4, (sigma**4 / 16 - 0.25 + 0j) ** 0.5
    assert DiracGAN(noise=sigma).eigenvalues().tolist() == pytest.approx([half + root, half - root])


def law_dirac_stability_is_in_the_eigenvalues():
    """Simultaneous steps near the equilibrium grow, or shrink, by |1 + hλ| each."""
    for settings in (dict(), dict(r1=0.4), dict(loss="wasserstein"), dict(noise=1.0)):
        game = DiracGAN(**settings)
        path = game.simulate((1e-4, 1e-4), 0.1, 400, alternating=False).norm(dim=1)
        rate = (path[-1] / path[-201]).log().item() / 200
        assert rate == pytest.approx(abs(1 + 0.1 * game.eigenvalues()[0]).log().item(), abs=1.5e-3)


DIRAC_LAWS = [law_dirac_field_and_jacobian, law_dirac_evidence, law_dirac_stability_is_in_the_eigenvalues]
DIRAC_BUGS = [
    ("vector_field", "v_theta = (weight", "v_theta = -(weight", 0),
    ("vector_field", "self.r1 * psi", "self.r1 * psi / 2", 0),
    ("vector_field", "psi - self.target * psi.sign()", "psi - self.target", 0),
    ("vector_field", "real_slope * e", "0 * e", 0),
    ("jacobian", "generator_slope - generator_bend * psi * fake", "generator_slope", 0),
    ("jacobian", "fake_bend * fake**2", "fake_bend * theta**2", 0),
    ("jacobian", "self.r1 + 2 * self.gradient_penalty", "self.r1 + self.gradient_penalty", 0),
    ("eigenvalues", "half**2 - determinant", "half - determinant", 0),
    ("simulate", "if alternating:", "if not alternating:", 1),
    ("simulate", "theta = theta + h *", "theta = theta + 2 * h *", 1),
    ("_slopes", '"original" else -fake', '"original" else fake', 0),
]


@pytest.mark.parametrize("law", DIRAC_LAWS, ids=lambda law: law.__name__)
def test_the_dirac_gan(law):
    law()


@pytest.mark.parametrize("name, right, wrong, law", DIRAC_BUGS)
def test_a_wrong_dirac_gan_is_found(name, right, wrong, law, monkeypatch):
    sabotage(monkeypatch, DiracGAN, name, right, wrong)
    with pytest.raises(AssertionError):
        DIRAC_LAWS[law]()


def test_the_field_takes_a_whole_map():
    game = DiracGAN(noise=0.5, r1=0.3)
    theta, psi = torch.meshgrid(torch.linspace(-1, 1, 3), torch.linspace(-2, 2, 5), indexing="ij")
    field = game.vector_field(theta, psi)
    assert field.shape == (2, 3, 5)
    torch.testing.assert_close(field[:, 2, 1], game.vector_field(theta[2, 1].item(), psi[2, 1].item()))


def test_more_steps_of_the_discriminator():
    path = DiracGAN().simulate((1, 1), 0.2, 1, steps_d=3)
    theta, psi = 1 + 0.2 * DiracGAN().vector_field(1, 1)[0], torch.tensor(1.0).double()
    for _ in range(3):
        psi = psi + 0.2 * DiracGAN().vector_field(theta, psi)[1]
    torch.testing.assert_close(path[1], torch.stack([theta, psi]))


# -- bad input ---------------------------------------------------------------------------------------------------


class Restless(nn.Module):
    """A player with all that could be touched: BatchNorm, dropout; `at` is called with the number of the call."""

    def __init__(self, player, at=None):
        super().__init__()
        self.player, self.norm, self.drop = player, nn.BatchNorm1d(2), nn.Dropout(0.2)
        self.event_shape, self.latent, self.at, self.calls = player.event_shape, getattr(player, "latent", 0), at, 0

    def forward(self, x, *given):
        self.calls += self.training
        if self.at is not None and self.training:
            self.at(self.calls)
        if isinstance(self.player, Discriminator):
            return self.player(self.drop(self.norm(x)), *given)
        return self.norm(self.drop(self.player(x, *given)))


def with_batch_norm(**game):
    gan = small()
    return GAN(gan.generator, Restless(gan.discriminator), **game)


BAD_GAMES = [
    (ValueError, "loss is 'minimax'; expected one of", lambda: small(loss="minimax")),
    (ValueError, "r1 is -1; expected a number of at least 0", lambda: small(r1=-1)),
    (TypeError, "gradient_penalty is '10'; expected a number", lambda: small(gradient_penalty="10")),
    (ValueError, "has a BatchNorm1d, so that each logit depends on", lambda: with_batch_norm(r1=1.0)),
    (ValueError, "has a BatchNorm1d, so that each logit depends on", lambda: with_batch_norm(gradient_penalty=10.0)),
    (TypeError, "discriminator is None; expected a torch.nn.Module", lambda: GAN(Generator((2,)), None)),
    (TypeError, "generator is a Linear without `event_shape`", lambda: GAN(nn.Linear(2, 2), Discriminator((2,)))),
    (ValueError, r"makes event_shape \(2,\), the discriminator judges \(3,\)",
     lambda: GAN(Generator((2,)), Discriminator((3,)))),
    (ValueError, "the generator has n_classes=3, the discriminator n_classes=0",
     lambda: GAN(Generator((2,), n_classes=3), Discriminator((2,)))),
    (ValueError, "body is 'deep'; expected one of", lambda: Generator((2,), body="deep")),
    (ValueError, r"a convolutional body takes \(C, H, W\)", lambda: Discriminator((1, 7, 8), body="convolutional")),
    (TypeError, "event_shape is 2; give a tuple", lambda: Generator(2)),
    (TypeError, "hidden is 8; expected a tuple", lambda: Discriminator((2,), hidden=8)),
    (ValueError, "latent is 0; expected at least 1", lambda: Generator((2,), latent=0)),
    (ValueError, "pack is 0; expected at least 1", lambda: Discriminator((2,), pack=0)),
    (ValueError, "scale is 0; expected a positive number", lambda: Discriminator((2,), scale=0)),
    (ValueError, "loss is 'relu'; expected one of", lambda: DiracGAN("relu")),
    (ValueError, "noise is not computed for the hinge loss", lambda: DiracGAN("hinge", noise=1.0)),
    (ValueError, "has a kink at psi = 0", lambda: DiracGAN(gradient_penalty=1.0).eigenvalues()),
    (ValueError, "steps is 0; expected at least 1", lambda: DiracGAN().simulate(steps=0)),
    (ValueError, "h is 0; expected a positive number", lambda: DiracGAN().simulate(h=0)),
    (ValueError, "start has 3 entries", lambda: DiracGAN().simulate((1, 1, 1))),
]  # fmt: skip


@pytest.mark.parametrize("error, message, call", BAD_GAMES, ids=[m for _, m, _ in BAD_GAMES])
def test_a_game_says_what_is_wrong(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_batch_norm_is_allowed_without_a_penalty():
    with_batch_norm()


IMAGES = torch.rand(6, 1, 8, 8, generator=generator())
BAD_BATCHES = [
    (ValueError, "real has 6 examples, fake 5; expected batches of one size", {}, X[:6], X[:5]),
    (ValueError, r"real has shape \(6, 3\); this GAN models event_shape \(2,\)", {}, torch.ones(6, 3), X[:6]),
    (ValueError, r"fake has shape \(6,\)", {}, X[:6], torch.ones(6)),
    (ValueError, "real holds NaN", {}, X[:6] * math.nan, X[:6]),
    (ValueError, "fake holds NaN", {}, X[:6], X[:6] / 0),
    (ValueError, "real is an empty batch", {}, X[:0], X[:0]),
    (TypeError, "real is a list; expected a torch.Tensor", {}, [[1.0, 2.0]], X[:1]),
    (TypeError, "real has dtype torch.int64; a generator makes real numbers", {}, X[:6].long(), X[:6]),
    (ValueError, "x has 5 examples; expected a multiple of pack = 2", dict(pack=2), X[:5], X[:5]),
    (ValueError, "condition is missing: this network has n_classes=3", dict(n_classes=3), X[:6], X[:6]),
    (ValueError, "real goes from 0 to 2.* images lie in", dict(event_shape=(1, 8, 8)), IMAGES.round() * 2, IMAGES),
]  # fmt: skip


@pytest.mark.parametrize("error, message, build, real, fake", BAD_BATCHES, ids=[row[1] for row in BAD_BATCHES])
def test_a_batch_says_what_is_wrong(error, message, build, real, fake):
    with pytest.raises(error, match=message):
        small(**build).discriminator_loss(real, fake)


def test_parts_say_what_is_wrong():
    gan, conditional = small(), small(n_classes=3)
    logits = torch.zeros(4)
    for error, message, call in [
        (
            ValueError,
            r"real_logits has shape \(4,\), fake_logits \(3,\)",
            lambda: discriminator_loss(logits, logits[:3]),
        ),
        (ValueError, "loss is 'mse'", lambda: generator_loss(logits, "mse")),
        (TypeError, "fake_logits is torch.int64", lambda: generator_loss(logits.long())),
        (ValueError, "fake_logits is empty", lambda: generator_loss(logits[:0])),
        (
            ValueError,
            r"real has shape \(6, 2\), fake \(5, 2\)",
            lambda: gradient_penalty(gan.discriminator, X[:6], X[:5]),
        ),
        (ValueError, r"z has shape \(6, 2\); the noise of this generator is \(B, 3\)", lambda: gan.generator(X[:6])),
        (TypeError, "z is a list", lambda: gan.generator([1.0])),
        (TypeError, "x is torch.uint8; expected a floating-point", lambda: gan.discriminator(X[:6].to(torch.uint8))),
        (ValueError, "condition was given, but", lambda: gan.generator(gan.noise(2), torch.tensor([0, 1]))),
        (
            ValueError,
            "condition has classes 0 … 3; this network has 0 … 2",
            lambda: conditional.discriminator(X[:2], torch.tensor([0, 3])),
        ),
        (
            ValueError,
            r"condition has shape \(3,\); expected \(2,\)",
            lambda: conditional.discriminator(X[:2], torch.tensor([0, 1, 2])),
        ),
        (TypeError, "condition is a list", lambda: conditional.discriminator(X[:2], [0, 1])),
        (ValueError, "n is -1; expected at least 0", lambda: gan.sample(-1)),
    ]:
        with pytest.raises(error, match=message):
            call()
