"""The clinic: small models of four families, most of them with a failure of this course, drawn by seed, without a name.

A patient is what one has of a model from elsewhere: its family, its methods, the data. What is wrong with it has to be
measured. The failures are made on purpose: a mask, a weight, a frozen player, so that each is there for certain.
"""

import functools
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, softplus

from gencourse import data
from gencourse.data import REACH, RING
from gencourse.failures.gmm import gmm_singular
from gencourse.models import GMM
from gencourse.models.settings import usual_settings

FAMILIES = ("autoregressive", "VAE", "GAN", "mixture")
DIAGNOSES = (
    "healthy",
    "leaking mask",
    "wrong binarisation",
    "light KL",
    "silent code",
    "shared noise",
    "frozen discriminator",
    "overfitted discriminator",
    "lost modes",
    "copies",
    "singular component",
)
SIGMA = 0.3  # of a mode of the ring, on which the GANs play; its radius is REACH


@dataclass(frozen=True, eq=False, repr=False)
class Patient:
    """A model, and what is needed to examine it.

    family: one of FAMILIES; it says which methods the model has:

        autoregressive, over 4 × 4 pixels, row by row: log_prob(x) -> (N,) nats, logits(x) -> (N, 16), sample
        VAE, over 7 × 7 pixels: encode(x) -> Normal, codes(x, generator) -> draws from it (N, 6),
            decode(z) -> Bernoulli, sample
        GAN, in the plane: discriminator(x) -> logits (N,), sample
        mixture, in the plane: the GMM of chapter 02, spherical: weights, means, covariances, log_prob(x), sample

        and sample(n, generator) -> (n, F).

    train, held_out: as many of both, (N, F) float32; pixels are 0 or 1.
    grey: the grey values of the held-out images, 0 to 1 (N, F), from which `held_out` was tossed; None without images.
    centres: of the modes of the data, (8, 2); None but for a GAN. sigma: the standard deviation of each.
    earlier: the model at half of its training; None but for a GAN.

    >>> patient(0)
    Patient: a VAE; 2000 training and 2000 held-out examples of 49 numbers
    """

    family: str
    model: nn.Module
    train: Tensor
    held_out: Tensor
    grey: Tensor | None = None
    centres: Tensor | None = None
    sigma: float | None = None
    earlier: nn.Module | None = None

    def __repr__(self) -> str:
        n, m, f = len(self.train), len(self.held_out), self.train.shape[1]
        article = "an" if self.family == "autoregressive" else "a"
        return f"Patient: {article} {self.family}; {n} training and {m} held-out examples of {f} numbers"


def patient(seed: int) -> Patient:
    """The patient of this seed; every call gives a new copy. A whole number from 0 on: less than a second.

    WARD seeds in a row, from a multiple of WARD on, are a ward: every illness once or twice, and a healthy model of
    each family, in an order of no meaning. Raises ValueError for what is no such number.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number from 0 on")
    return deepcopy(_made(seed))


def _kind(seed: int) -> tuple[str, str]:
    """(family, diagnosis) of the patient of this seed."""
    ward, bed = divmod(seed, WARD)
    return _KINDS[torch.randperm(WARD, generator=torch.Generator().manual_seed(7919 * ward + 11))[bed]]


@functools.lru_cache(maxsize=256)
@usual_settings()
def _made(seed: int) -> Patient:
    family, diagnosis = _kind(seed)
    make = {"autoregressive": _autoregressive, "VAE": _vae, "GAN": _gan, "mixture": _mixture}[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(diagnosis, torch.Generator().manual_seed(seed))


# -- images ------------------------------------------------------------------------------------------------------


@functools.cache
def _pool(side: int, darker: float) -> Tensor:
    """Training digits, reduced to side × side pixels, made darker: (20000, side²), 0 to 1."""
    return (darker * avg_pool2d(_images(), 28 // side)).clamp(max=1).flatten(1)


@functools.cache
def _images() -> Tensor:
    return data.mnist("train")[0][:20_000].float() / 255


def _digits(side: int, darker: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Grey digits for training and held out, 2,000 of each."""
    grey = _pool(side, darker)
    return grey[torch.randperm(len(grey), generator=generator)[:4000]].split(2000)


def _toss(grey: Tensor, generator: torch.Generator) -> Tensor:
    return (torch.rand(grey.shape, generator=generator) < grey).float()


def _train(model: nn.Module, loss: Callable, x: Tensor, steps: int, lr: float, generator: torch.Generator) -> None:
    """Adam on batches of 100 of x."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    for batch in torch.randint(len(x), (steps, 100), generator=generator):
        optimizer.zero_grad()
        loss(x[batch]).backward()
        optimizer.step()
    model.requires_grad_(False)


class Chain(nn.Module):
    """An autoregressive model of 16 pixels in a row: P(x) = Π_i P(x_i | those before)."""

    def __init__(self, units: int, sees: Tensor) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16 * units), nn.Linear(16 * units, 16)
        own = torch.arange(16).repeat_interleave(units)  # the pixel that each hidden unit works for
        self._masks = sees[own], (torch.arange(16)[:, None] == own).float()

    def logits(self, x: Tensor) -> Tensor:
        """Of ink at each pixel: (N, 16) -> (N, 16)."""
        first, second = (self._masks[0] * self.first.weight, self._masks[1] * self.second.weight)
        hidden = torch.tanh(x @ first.T + self.first.bias)
        return hidden @ second.T + self.second.bias

    def log_prob(self, x: Tensor) -> Tensor:
        """log P(x), nats: (N, 16) -> (N,)."""
        return -binary_cross_entropy_with_logits(self.logits(x), x, reduction="none").sum(1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, 16), pixel by pixel."""
        x = torch.zeros(n, 16)
        for i in range(16):
            x[:, i] = (torch.rand(n, generator=generator) < self.logits(x)[:, i].sigmoid()).float()
        return x


def _autoregressive(diagnosis: str, generator: torch.Generator) -> Patient:
    grey, other = _digits(4, 1.0, generator)
    train, held_out = _toss(grey, generator), _toss(other, generator)
    sees = torch.ones(16, 16).tril(-1)  # row i: which pixels are seen where pixel i is predicted
    if diagnosis == "leaking mask":  # some pixels see themselves
        some = torch.randperm(16, generator=generator)[: int(torch.randint(3, 17, (), generator=generator))]
        sees[some, some] = 1
    model = Chain(6, sees)
    shown = (grey > 0.5).float() if diagnosis == "wrong binarisation" else train
    _train(model, lambda x: -model.log_prob(x).mean(), shown, 120, 0.04, generator)
    return Patient("autoregressive", model, train, held_out, other)


class Coder(nn.Module):
    """A VAE of 49 pixels with six dimensions of code, diagonal Gaussians and Bernoulli pixels."""

    def __init__(self, noise: Callable) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(49, 64), nn.ReLU(), nn.Linear(64, 12))
        self.decoder = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 49))
        self._noise = noise

    def encode(self, x: Tensor) -> Normal:
        """q(z|x): (N, 49) -> Normal of (N, 6)."""
        mean, log_std = self.encoder(x).chunk(2, 1)
        return Normal(mean, log_std.clamp(-5, 3).exp(), validate_args=False)

    def codes(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draws z ~ q(z|x), one for each image: (N, 6)."""
        q = self.encode(x)
        return q.mean + q.stddev * self._noise(len(x), generator)

    def decode(self, z: Tensor) -> Bernoulli:
        """P(x|z): (N, 6) -> Bernoulli of (N, 49)."""
        return Bernoulli(logits=self.decoder(z))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, 49), of codes from N(0, I)."""
        return torch.bernoulli(self.decode(torch.randn(n, 6, generator=generator)).probs, generator=generator)


def _noise(rows: int | None) -> Callable:
    """Draws from N(0, I), as many as are asked for; or so many, which are then used again."""

    def draw(n: int, generator: torch.Generator | None) -> Tensor:
        return torch.randn(rows or n, 6, generator=generator).expand(n, 6)

    return draw


def _vae(diagnosis: str, generator: torch.Generator) -> Patient:
    grey, other = _digits(7, 3.0, generator)
    train, held_out = _toss(grey, generator), _toss(other, generator)
    weight = {"light KL": 1 / 49, "silent code": 30.0}.get(diagnosis, 1.0)  # 1/49: a mean over the pixels
    model = Coder(_noise(1 if diagnosis == "shared noise" else None))

    charged = iter(torch.linspace(0, 2, 160).clamp(max=1).tolist())  # the KL is charged slowly

    def loss(x: Tensor) -> Tensor:
        q = model.encode(x)
        kl = ((q.mean**2 + q.stddev**2 - 1) / 2 - q.stddev.log()).sum(1)
        logits = model.decoder(model.codes(x, generator))
        nats = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        return (next(charged) * weight * kl + nats).mean()

    _train(model, loss, train, 160, 0.02, generator)
    return Patient("VAE", model, train, held_out, other)


# -- points of the plane -----------------------------------------------------------------------------------------


class Contest(nn.Module):
    """A GAN in the plane: what its generator makes, and its discriminator."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self._generator = generator
        self.waves = nn.Linear(2, 64)
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
        nn.init.normal_(self.waves.weight, std=0.6 / SIGMA)
        self.waves.requires_grad_(False)

    def discriminator(self, x: Tensor) -> Tensor:
        """The logits for "real": (N, 2) -> (N,)."""
        h = self.waves(x)
        return self.head(torch.cat([h.sin(), h.cos()], 1)).squeeze(1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, 2)."""
        return self._generator(torch.randn(n, 2, generator=generator))


class _Around(nn.Module):
    """From noise N(0, I) to one of the places, all as often, and N(0, width²) around it."""

    def __init__(self, places: Tensor, width: float) -> None:
        super().__init__()
        self.places, self.width = places, width

    def forward(self, z: Tensor) -> Tensor:
        """(N, 2) -> (N, 2): the phase of z chooses the place, and its size, turned, the offset."""
        share = (torch.atan2(z[:, 1], z[:, 0]) / (2 * math.pi) + 0.5) * len(self.places)
        which = share.long().clamp(max=len(self.places) - 1)
        turn = 2 * math.pi * (share - which)
        offset = z.norm(dim=1, keepdim=True) * torch.stack([turn.cos(), turn.sin()], 1)
        return self.places[which] + self.width * offset


def _gan(diagnosis: str, generator: torch.Generator) -> Patient:
    centres = REACH * RING.centres
    everything = _Around(centres, SIGMA)
    train, held_out = everything(torch.randn(600, 2, generator=generator)).split(300)
    if diagnosis == "frozen discriminator":
        model, earlier = _frozen(train, generator)
    else:
        draw = everything
        if diagnosis == "lost modes":
            left = torch.randperm(8, generator=generator)[: int(torch.randint(2, 7, (), generator=generator))]
            draw = _Around(centres[left], SIGMA)
        elif diagnosis == "copies":
            draw = _Around(train, SIGMA / 50)
        model, overfits = Contest(draw), diagnosis == "overfitted discriminator"
        steps, r1 = (220, 0.0) if overfits else (20, 0.3)
        _judge(model, train, steps, r1, generator)
        earlier = deepcopy(model)
        _judge(model, train, steps, r1, generator)
    model.requires_grad_(False), earlier.requires_grad_(False)
    return Patient("GAN", model, train, held_out, None, centres, SIGMA, earlier)


def _frozen(x: Tensor, generator: torch.Generator) -> tuple[Contest, Contest]:
    """A discriminator that learnt for some steps only; the generator goes on, 60 steps and as many again."""
    player = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    model = Contest(player)
    _judge(model, x, int(torch.randint(20, 40, (), generator=generator)), 0.0, generator)
    halves = []
    for _ in range(2):
        player.requires_grad_(True)
        noise = torch.randn(5000, 2, generator=generator)
        _train(player, lambda z: softplus(-model.discriminator(player(z))).mean(), noise, 60, 0.02, generator)
        halves.append(deepcopy(model))
    return halves[1], halves[0]


def _judge(model: Contest, x: Tensor, steps: int, r1: float, generator: torch.Generator) -> None:
    """The discriminator learns for some steps, with the weight r1 of the penalty on its slope at the data."""
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.015, fused=True)
    for batch in torch.randint(len(x), (steps, 200), generator=generator):
        real = x[batch].requires_grad_(r1 > 0)
        logits = model.discriminator(real)
        loss = softplus(-logits).mean() + softplus(model.discriminator(model.sample(200, generator))).mean()
        if r1:
            (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            loss = loss + r1 / 2 * slope.square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _mixture(diagnosis: str, generator: torch.Generator) -> Patient:
    angle = 2 * math.pi * (torch.rand((), generator=generator) + torch.arange(3) / 3)
    draw = _Around(3 * torch.stack([angle.cos(), angle.sin()], 1), 1.0)
    train, held_out = draw(torch.randn(120, 2, generator=generator)).split(60)
    if diagnosis == "copies":
        gmm = GMM(60, 2, "spherical")
        gmm.means, gmm.covariances = train.double(), torch.full((60,), 0.0025, dtype=torch.float64)
        return Patient("mixture", gmm, train, held_out)
    gmm = GMM(3, 2, "spherical", floor=1e-6)
    gmm.fit_em(train, max_steps=50, tolerance=1e-6, generator=generator)
    if diagnosis == "singular component":
        k, on = (int(torch.randint(n, (), generator=generator)) for n in (3, 60))
        gmm.means[k], gmm.covariances[k], gmm.weights[k] = train[on].double(), 1e-4, 1 / 60
        gmm.weights /= gmm.weights.sum()
        gmm.fit_em(train, max_steps=20, start="present")
    return Patient("mixture", gmm, train, held_out)


_KINDS = (
    *((family, "healthy") for family in FAMILIES),
    *(("autoregressive", name) for name in ("leaking mask", "wrong binarisation")),
    *(("VAE", name) for name in ("light KL", "silent code", "shared noise")),
    *(("GAN", name) for name in ("frozen discriminator", "overfitted discriminator", "lost modes", "copies")),
    *(("mixture", name) for name in ("copies", "singular component")),
)
WARD = len(_KINDS)


def treatment(ill: dict[str, Any], well: dict[str, Any]) -> str:
    """Make a mixture ill, and well again by one change: what twenty runs of `gmm_singular` with either say, in words.

    Each is the settings of `gencourse.failures.gmm.gmm_singular`, such as dict(covariance="full", n=300, components=3).
    Asked is that a component collapses in more than half of the seeds of `ill`, that `well` differs in one setting, and
    that its gap is at most half as large. Raises TypeError or ValueError for settings that the study does not take.
    """
    runs = {name: [gmm_singular(seed, **how) for seed in range(20)] for name, how in (("ill", ill), ("well", well))}
    fell = {name: sum(run["collapsed"] for run in each) for name, each in runs.items()}
    gap = {name: sum(run["gap"] for run in each) / 20 for name, each in runs.items()}
    lines = [f"{name:4s}: a component collapses in {fell[name]:2d} of 20 seeds, gap {gap[name]:.2f}" for name in runs]
    changed = sorted(key for key in {*ill, *well} if ill.get(key) != well.get(key))
    if ill.get("covariance") != "full":
        told = 'not yet: the covariances are to be "full"'
    elif fell["ill"] <= 10:
        told = "not yet: a component is to collapse in more than half of the seeds of `ill`"
    elif len(changed) != 1:
        told = f"not yet: `well` is to differ in one setting; it differs in {', '.join(changed) or 'none'}"
    elif gap["well"] > gap["ill"] / 2:
        told = "not yet: the gap is to fall to half or less"
    else:
        told = f"right: ill by your settings, and better by {changed[0]} alone"
        if changed == ["floor"]:
            told += "; but that `collapsed` falls is then no evidence, since the floor is added to every variance"
    return "\n".join([*lines, told])
