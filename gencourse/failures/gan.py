"""How a contest fails: lost modes, a match that is none, a discriminator that can be fooled."""

from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from gencourse import checkpoints, data, metrics
from gencourse.data import REACH, Points, plane
from gencourse.models import GAN, VAE, DiracGAN, PixelCNN
from gencourse.models.gan import RECIPE, Loss, generator_loss, image_gan, plane_gan
from gencourse.models.settings import usual_settings, weights_of, with_gradients
from gencourse.training import GANHistory, fit, fit_gan

MethodName = Literal["original", "plain", "steady", "WGAN-GP", "unrolled", "packing", "recipe"]
Family = Literal["GAN", "VAE", "PixelCNN"]
FAMILIES = get_args(Family)
Start = Literal["noise", "samples", "digits"]
STARTS = get_args(Start)


class Method(NamedTuple):
    """A way to let the two play on the plane; architecture, batches and Adam's betas are RECIPE's for all.

    `steps` were chosen to take as long as RECIPE's on an idle core; what the stored runs took differs more. A packed
    discriminator has a wider first layer. Of the step sizes 4e-4, 1.4e-3, 5e-3 and 15e-3, `lr` has the largest
    modes × good in a quarter of the steps, mean over ring and grid, on a seed that is not counted.
    """

    steps: int
    lr: float
    game: dict[str, Any] = {}
    fit: dict[str, Any] = {}
    steps_d: int = 1
    pack: int = 1
    steady: bool = True  # the generator's weights averaged, the step sizes falling


METHODS: dict[MethodName, Method] = {
    "original": Method(11_400, 1.4e-3, dict(loss="original"), steady=False),
    "plain": Method(11_400, 4e-4, steady=False),
    "steady": Method(10_700, 1.4e-3),
    "WGAN-GP": Method(2_370, 5e-3, dict(loss="wasserstein", gradient_penalty=10.0), steps_d=5),
    "unrolled": Method(1_690, 1.4e-3, fit=dict(unroll=5)),
    "packing": Method(13_300, 5e-3, pack=4),
    "recipe": Method(RECIPE["fit"]["steps"], RECIPE["fit"]["lr"], RECIPE["game"]),
}


@usual_settings()
def mode_collapse(
    seed: int, *, method: MethodName = "plain", points: Points = "ring", steps_d: int = 1, effort: float = 1.0
) -> dict[str, float]:
    """Ring or grid: how many modes does a contest find, and do the samples lie on them?

    The protocol of VEEGAN (Srivastava et al., arXiv:1705.07761, section 4.1): of 2,500 samples one is good within 3σ of
    a mode, and a mode is captured that is nearest to a good one. All methods have the networks of RECIPE
    (packing's discriminator reads four points at once) and numbers of steps that take about equal time on an idle core.
    `steps_d` times the updates of the discriminator are paid for with fewer steps; `effort` multiplies those. Returns

        modes: captured modes. good: share of good samples.
        reverse_kl: ln K minus the entropy of the good samples' modes, nats.
        collapsed: is a mode missing, or less than a tenth of the samples good?
        loss_g, d_fake: the generator's loss and D(G(z)), means over the last 50 steps.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    return _count_modes(METHODS[method], points, seed, steps_d, effort)


@usual_settings()
def r1_off(seed: int, *, points: Points = "ring", effort: float = 1.0) -> dict[str, float]:
    """The control of R1: the "recipe" of `mode_collapse` with γ = 0, and nothing else changed.

    Steps, step sizes, averaging and networks are the recipe's, and data and first weights those of its seed. Returns
    modes, good, reverse_kl, collapsed, loss_g and d_fake, as in `mode_collapse`.
    """
    return _count_modes(METHODS["recipe"]._replace(game=RECIPE["game"] | dict(r1=0.0)), points, seed, 1, effort)


def _count_modes(method: Method, points: Points, seed: int, steps_d: int, effort: float) -> dict[str, float]:
    """What `mode_collapse` returns."""
    generator = torch.Generator().manual_seed(seed)
    where = plane(points, 50_000, generator)
    steps = max(1, round(method.steps * effort * 2 / (1 + steps_d)))
    gan, history = play(method, where.x, seed, steps, generator, steps_d)
    found = metrics.mode_statistics(gan.sample(2500, generator), where.centres, where.sigma)
    missing = found.captured < len(where.centres) or found.high_quality < 0.1
    return dict(
        modes=found.captured,
        good=found.high_quality,
        reverse_kl=found.reverse_kl,
        collapsed=missing,
        loss_g=history.smooth("loss_g")[-1],
        d_fake=history.smooth("d_fake")[-1],
    )


def play(
    method: MethodName | Method, x: Tensor, seed: int, steps: int, generator: torch.Generator, steps_d: int = 1
) -> tuple[GAN, GANHistory]:
    """A contest by one of METHODS, or by another method, on the points x, with weights of this seed."""
    how = METHODS[method] if isinstance(method, str) else method
    gan = plane_gan(seed, pack=how.pack, **how.game)
    shared = {key: RECIPE["fit"][key] for key in ("batch_size", "betas")}
    steady = {key: RECIPE["fit"][key] for key in ("anneal", "average")} if how.steady else {}
    history = fit_gan(
        gan,
        x,
        steps=steps,
        steps_d=how.steps_d * steps_d,
        lr=how.lr,
        generator=generator,
        **shared,
        **steady,
        **how.fit,
    )
    return gan, history


@usual_settings()
def too_strong(seed: int, *, loss: Loss = "original", head_start: int = 300) -> dict[str, float]:
    """A discriminator that is ahead: what does the generator still hear?

    The generator stays as it was made while the discriminator learns for `head_start` steps; then both play on, 1,500
    steps. Arjovsky and Bottou, arXiv:1701.04862, theorem 2.4 and figure 2. Returns

        gradient: norm of the generator's gradient after the head start. d_fake: mean D(G(z)) there.
        starved: is that less than a hundredth of what it was before it?
        modes, good: at the end, as in `mode_collapse`, on the ring.
    """
    generator = torch.Generator().manual_seed(seed)
    where, gan = plane("ring", 20_000, generator), plane_gan(seed, hidden=(64, 64), loss=loss)
    noise = gan.noise(1000, generator)
    before, _ = generator_signal(gan, noise)
    ahead = torch.optim.Adam(gan.discriminator.parameters(), lr=1e-3, betas=(0.0, 0.99))
    _learn_alone(gan, ahead, where.x, head_start, 128, generator)
    gradient, d_fake = generator_signal(gan, noise)
    fit_gan(gan, where.x, steps=1500, batch_size=128, lr=1e-3, generator=generator)
    found = metrics.mode_statistics(gan.sample(2500, generator), where.centres, where.sigma)
    return dict(
        gradient=gradient, d_fake=d_fake, starved=gradient < before / 100, modes=found.captured, good=found.high_quality
    )


def _learn_alone(
    gan: GAN, optimizer: torch.optim.Optimizer, x: Tensor, steps: int, n: int, generator: torch.Generator
) -> None:
    """The discriminator learns on batches of n points of x and n samples; the generator stays as it is."""
    for batch in torch.randint(len(x), (steps, n), generator=generator):
        loss = gan.discriminator_loss(x[batch], gan.sample(n, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def generator_signal(gan: GAN, noise: Tensor) -> tuple[float, float]:
    """Norm of the gradient of the generator's loss by its weights, and mean D(G(z)), for noise (B, latent)."""
    logits = gan.discriminator(gan.generator(noise))
    gradients = torch.autograd.grad(generator_loss(logits, gan.loss_name), list(gan.generator.parameters()))
    return torch.cat([g.flatten() for g in gradients]).norm().item(), logits.sigmoid().mean().item()


@usual_settings()
def balance(seed: int, *, loss: Loss = "non-saturating", ratio: float = 1.0) -> dict[str, float]:
    """A contest out of balance: one player takes larger steps than the other.

    Ring, 2,000 steps; the step sizes are 10⁻³·√ratio for the discriminator and 10⁻³/√ratio for the generator. Returns

        apart: from a sample to the nearest data point and from a data point to the nearest sample, the mean of both, as
            a share of the ring's radius.
        modes, good: as in `mode_collapse`.
        lead: D(x) - D(G(z)), mean over the last 500 steps: 0 if the discriminator cannot tell, 1 if it always can.
        gradient: norm of the generator's gradient, mean over the last 500 steps.
    """
    return _match(seed, loss, (1e-3 * ratio**0.5, 1e-3 / ratio**0.5))


@usual_settings()
def equal_steps(seed: int, *, loss: Loss = "non-saturating", size: float = 1e-3) -> dict[str, float]:
    """The contest of `balance` with one step size, `size`, for both players: is a step size bad by itself?

    At the ends of `balance` one player takes steps of 10⁻², the other of 10⁻⁴. Here both take the one, or both the
    other: what is bad in `balance`, and with neither of these sizes, comes from the two together. Returns what
    `balance` does:

        apart, modes, good, lead, gradient: see there.
    """
    return _match(seed, loss, (size, size))


def _match(seed: int, loss: Loss, lr: tuple[float, float]) -> dict[str, float]:
    """2,000 steps on the ring with step sizes of discriminator and generator; what `balance` returns."""
    generator = torch.Generator().manual_seed(seed)
    where, gan = plane("ring", 20_000, generator), plane_gan(seed, hidden=(64, 64), loss=loss)
    history = fit_gan(gan, where.x, steps=2000, batch_size=128, lr=lr, generator=generator)
    samples = gan.sample(2500, generator)
    found = metrics.mode_statistics(samples, where.centres, where.sigma)
    d_real, d_fake, gradient = (history.smooth(key, 500)[-1] for key in ("d_real", "d_fake", "grad_norm_g"))
    return dict(
        apart=apart(samples, where.x[:2500]) / REACH,
        modes=found.captured,
        good=found.high_quality,
        lead=d_real - d_fake,
        gradient=gradient,
    )


def apart(samples: Tensor, points: Tensor) -> float:
    """From a sample to the nearest point and from a point to the nearest sample: the mean of both."""
    distance = torch.cdist(samples, points)
    return (distance.amin(1).mean() + distance.amin(0).mean()).item() / 2


@usual_settings()
def stupid_judge(seed: int, *, width: int = 64) -> dict[str, float]:
    """A discriminator with too few units: is it fooled by samples that another one sees through?

    Ring, 2,000 steps with R1, averaging and falling step sizes, the discriminator with one hidden layer of `width`.
    Then a new one, with two layers of 128, is trained against the generator as it stands, and both are asked about
    points that neither has met. Returns

        own, other: share of 5,000 data points and 5,000 samples that are told rightly; ½ is guessing.
        fooled: own < 0.6. found_out: other > 0.9.
        good: share of good samples, as in `mode_collapse`.
    """
    generator = torch.Generator().manual_seed(seed)
    where, gan = plane("ring", 20_000, generator), plane_gan(seed, (64, 64), (width,), r1=0.3)
    fit_gan(gan, where.x, steps=2000, batch_size=128, lr=5e-3, anneal="exponential", average=0.99, generator=generator)
    other = another_discriminator(gan.generator, where.x, seed, generator)
    real, fake = plane("ring", 5000, generator).x, gan.sample(5000, generator)
    own, other = (told_rightly(discriminator, real, fake) for discriminator in (gan.discriminator, other))
    found = metrics.mode_statistics(fake[:2500], where.centres, where.sigma)
    return dict(own=own, other=other, fooled=own < 0.6, found_out=other > 0.9, good=found.high_quality)


def another_discriminator(generator: torch.nn.Module, x: Tensor, seed: int, chance: torch.Generator) -> torch.nn.Module:
    """A new discriminator, two layers of 128, trained for 500 steps on points x (N, 2) against a frozen generator."""
    other = plane_gan(seed + 1, (64, 64), (128, 128)).discriminator
    optimizer = torch.optim.Adam(other.parameters(), lr=2e-3)
    _learn_alone(GAN(generator, other), optimizer, x, 500, 256, chance)
    return other


@torch.no_grad()
def told_rightly(discriminator: torch.nn.Module, real: Tensor, fake: Tensor) -> float:
    """The share of points that a discriminator tells rightly, as many real as fake: ½ is guessing."""
    return ((discriminator(real) > 0).float().mean() + (discriminator(fake) < 0).float().mean()).item() / 2


class DataGenerator(torch.nn.Module):
    """The perfect generator: from noise to the data themselves, with which a discriminator has its floor.

    x: (N, D). The first number of the noise, N(0, 1), chooses a row, all as often.
    """

    def __init__(self, x: Tensor, latent: int = 2) -> None:
        super().__init__()
        self.x = torch.nn.Parameter(x, requires_grad=False)
        self.latent, self.event_shape = latent, tuple(x.shape[1:])
        self.n_classes = 0

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, D)."""
        share = torch.special.ndtr(z[:, 0].double())
        return self.x[(share * len(self.x)).long().clamp(max=len(self.x) - 1)]


@usual_settings()
def signals(seed: int, *, family: Family = "GAN") -> dict[str, float]:
    """Does what is minimised say how good the samples are?

    A "GAN" (16 channels, 1,200 steps), a "VAE" (1,200 steps) or a "PixelCNN" (5 blocks, 600 steps) is trained on
    digits. At twelve moments, evenly spaced: the Fréchet distance of 500 samples from 2,000 test digits (features of
    the stored classifier; grey levels for the GAN, binary pixels for the others), and the losses, means over the time
    since the last. The families differ in more: the GAN has batches of 32, averaged weights where it is measured, and
    step sizes that fall to a hundredth; the others have batches of 64 and the step sizes of `fit`. Returns Spearman's
    rank correlation with that distance over the twelve moments (1: the lower the one the lower the other; 0: it tells
    nothing) of

        loss: of the loss that the generator, or the model, minimises. loss_d: of the discriminator's (GAN only).
        steps: of minus the number of steps: what one knows without any loss.

    and first, last: the Fréchet distance at the first and at the last moment.
    """
    from scipy import stats  # half a second to import, which no other failure needs

    generator, moments = torch.Generator().manual_seed(seed), 12
    if family not in FAMILIES:
        raise ValueError(f"family is {family!r}; expected 'GAN', 'VAE' or 'PixelCNN'")
    judge, _ = checkpoints.load("classifier")
    test = data.mnist("test")[0][::5]
    test = test / 255 if family == "GAN" else data.binarise(test, torch.Generator().manual_seed(0)).float()
    real = metrics.features(judge, test)

    def distance(model: torch.nn.Module) -> float:
        samples = model.sample(500, torch.Generator().manual_seed(seed)).float()
        return metrics.frechet_distance(metrics.features(judge, samples), real)

    with weights_of(seed):
        model, steps = {
            "GAN": lambda: (image_gan(channels=16), 1200),
            "VAE": lambda: (VAE((1, 28, 28), latent=20, likelihood="bernoulli", hidden=(300,)), 1200),
            "PixelCNN": lambda: (PixelCNN((1, 28, 28), levels=2, stacks="single", n_blocks=5, channels=16), 600),
        }[family]()
    how = dict(steps=steps, generator=generator, measure=distance, measure_every=steps // moments)
    if family == "GAN":
        history = fit_gan(
            model,
            data.mnist("train", "last")[0],
            batch_size=32,
            lr=8e-3,
            anneal="cosine",
            average=0.99,
            prepare=lambda x, _: x / 255,
            **how,
        )
        losses = {"loss": "loss_g", "loss_d": "loss_d"}
    else:
        history = fit(model, data.mnist("train", "last")[0], prepare=data.binarise, **how)
        losses = {"loss": "loss"}
    at, distances = zip(*history.measured)
    window = steps // moments
    curves = {name: [sum(getattr(history, key)[i - window : i]) for i in at] for name, key in losses.items()}
    curves["steps"] = [-i for i in at]
    ranks = {name: float(stats.spearmanr(curve, distances).statistic) for name, curve in curves.items()}
    return dict(ranks, first=distances[0], last=distances[-1])


@usual_settings()
def blind_spot(seed: int, *, r1: float = 1.0, start: Start = "noise") -> dict[str, float]:
    """Gradient ascent on D(x): does one find images that it takes for digits, and nobody else does?

    A convolutional GAN of 8 channels is trained on digits for 500 steps; then 64 images climb its logit, 200 steps of
    0.01 in the direction of the gradient's sign, clamped to [0, 1] (Goodfellow, Shlens and Szegedy, arXiv:1412.6572,
    section 4). They `start` as uniform "noise", as "samples" of the generator, or as test "digits". Returns

        before, after: share of them with a logit above the median of unseen digits.
        inside: share within the region of digits, as precision sees it (k = 3, features of the stored classifier, 2,000
            test images). inside_digits: the same for 64 other test digits.
        far: median distance to the nearest of 10,000 training images, over that of unseen digits.
        defeated: after > 0.9, and inside less than half of inside_digits.
    """
    if start not in STARTS:
        raise ValueError(f"start is {start!r}; expected 'noise', 'samples' or 'digits'")
    generator = torch.Generator().manual_seed(seed)
    images, unseen = data.mnist("train", "last")[0], data.mnist("test")[0] / 255
    with weights_of(seed):
        gan = image_gan(channels=8, r1=r1)
    fit_gan(gan, images, steps=500, batch_size=32, lr=4e-3, prepare=lambda x, _: x / 255, generator=generator)
    chosen = torch.randperm(len(unseen), generator=generator)
    others, starts, reference = unseen[chosen[:64]], unseen[chosen[64:128]], unseen[chosen[128:2128]]
    if start != "digits":
        starts = gan.sample(64, generator) if start == "samples" else torch.rand(starts.shape, generator=generator)
    found = climb(gan.discriminator, starts)
    with torch.no_grad():
        median = gan.discriminator(reference).median()
        before, after = ((gan.discriminator(x) > median).float().mean().item() for x in (starts, found))
    judge, _ = checkpoints.load("classifier")
    real, ours, theirs = (metrics.features(judge, x) for x in (reference, found, others))
    known = images[torch.randperm(len(images), generator=generator)[:10_000]].flatten(1) / 255
    nearest = [torch.cdist(x.flatten(1), known).amin(1).median().item() for x in (found, others)]
    inside, inside_digits = (metrics.precision_recall(real, x).precision for x in (ours, theirs))
    return dict(
        before=before,
        after=after,
        inside=inside,
        inside_digits=inside_digits,
        far=nearest[0] / nearest[1],
        defeated=after > 0.9 and inside < inside_digits / 2,
    )


@with_gradients()
def climb(discriminator: torch.nn.Module, x: Tensor, steps: int = 200, size: float = 0.01) -> Tensor:
    """Images (N, C, H, W) in [0, 1], moved up the logit by steps of the sign of its gradient; the weights stay."""
    x = x.clone()
    for _ in range(steps):
        x.requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(x).sum(), x)
        x = (x.detach() + size * slope.sign()).clamp(0, 1)
    return x


@usual_settings()
def dirac_orbit(seed: int, *, loss: Loss = "original", r1: float = 0.0, noise: float = 0.0) -> dict[str, float]:
    """The GAN of two numbers: does it come to rest?

    500 alternating steps of 0.2 from a point at distance √2 in a random direction (Mescheder et al., arXiv:1801.04406,
    section 2 and figure 3). Returns

        radius: distance from the equilibrium at the end. settled: is it below 0.01?
        turns: how often it went round.
    """
    angle = 2 * torch.pi * torch.rand((), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    path = DiracGAN(loss, r1=r1, noise=noise).simulate((2**0.5 * angle.cos(), 2**0.5 * angle.sin()))
    direction = torch.atan2(path[:, 1], path[:, 0])
    steps = (direction.diff() + torch.pi) % (2 * torch.pi) - torch.pi
    steps = steps[path[1:].norm(dim=1) > 1e-6]  # at rest there is no direction
    radius = path[-1].norm().item()
    return dict(radius=radius, settled=radius < 0.01, turns=steps.sum().abs().item() / (2 * torch.pi))
