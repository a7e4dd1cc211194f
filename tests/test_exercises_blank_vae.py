"""The exercise of notebook 03 that builds a whole VAE: right answers of several kinds, and wrong ones with their names.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT through `test_exercises_vae`.
"""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F

from gencourse.exercises.machine.mistakes import Mistake, plain
from gencourse.exercises.vae import vae_from_blank

RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


# Any architecture, any optimiser, any way to write the two terms


@right
def vae_from_blank__distributions_and_plain_adam(images, latent, steps, generator):
    h, w = images.shape[2:]
    body = nn.Sequential(nn.Flatten(), nn.Linear(h * w, 200), nn.Tanh())
    to_mean, to_log_var = nn.Linear(200, latent), nn.Linear(200, latent)
    decoder = nn.Sequential(nn.Linear(latent, 200), nn.Tanh(), nn.Linear(200, h * w), nn.Unflatten(1, (1, h, w)))

    class Model:
        def encode(self, x):
            return to_mean(body(x)), to_log_var(body(x))

        def decode(self, z):
            return decoder(z).sigmoid()

        def elbo(self, x, generator):
            mean, log_var = self.encode(x)
            q = Normal(mean, log_var.mul(0.5).exp())
            z = q.mean + q.stddev * torch.randn(mean.shape, generator=generator)
            kl = kl_divergence(q, Normal(0.0, 1.0)).sum(-1)
            return Bernoulli(logits=decoder(z)).log_prob(x).sum((1, 2, 3)) - kl

        def sample(self, n, generator):
            with torch.no_grad():
                p = self.decode(torch.randn(n, latent, generator=generator))
            return (torch.rand(p.shape, generator=generator) < p).float()

    model = Model()
    parameters = [p for part in (body, to_mean, to_log_var, decoder) for p in part.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=3e-3)
    for _ in range(steps):
        x = images[torch.randperm(len(images), generator=generator)[:100]]
        optimiser.zero_grad()
        (-model.elbo(x, generator)).mean().backward()
        optimiser.step()
    return model


class Convolutional(nn.Module):
    def __init__(self, shape, latent):
        super().__init__()
        self.shape, self.latent = shape, latent
        _, h, w = shape
        self.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.out = nn.LazyLinear(2 * latent)
        self.inner = nn.Linear(latent, 8 * ((h + 1) // 2) * ((w + 1) // 2))
        self.up = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 1, 3, padding=1)

    def encode(self, x):
        both = self.out(F.relu(self.conv(x)).flatten(1))
        return both[:, : self.latent], both[:, self.latent :]

    def logits(self, z):
        _, h, w = self.shape
        small = F.relu(self.inner(z)).view(-1, 8, (h + 1) // 2, (w + 1) // 2)
        return self.last(F.relu(self.up(F.interpolate(small, size=(h, w)))))

    def decode(self, z):
        return torch.sigmoid(self.logits(z))

    def elbo(self, x, generator):
        mean, log_var = self.encode(x)
        z = mean + torch.empty_like(mean).normal_(generator=generator) * torch.exp(0.5 * log_var)
        reconstruction = F.binary_cross_entropy_with_logits(self.logits(z), x, reduction="none").sum(dim=[1, 2, 3])
        return -reconstruction + 0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp(), dim=1)

    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent, generator=generator)).bernoulli(generator=generator)


@right
def vae_from_blank__convolutions(images, latent, steps, generator):
    model = Convolutional(images.shape[1:], latent)
    model.encode(images[:2])  # the lazy layer gets its shape
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        x = images[torch.randint(0, len(images), (64,), generator=generator)]
        loss = -model.elbo(x, generator).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


@right
def vae_from_blank__the_sampled_bound(images, latent, steps, generator):
    """log P(x|z) + log P(z) − log q(z|x), all three at the draw: equation 6 of the paper."""
    d = images[0].numel()
    encoder = nn.Sequential(nn.Linear(d, 100), nn.SiLU(), nn.Linear(100, 2 * latent))
    decoder = nn.Sequential(nn.Linear(latent, 100), nn.SiLU(), nn.Linear(100, d))

    class Model:
        def encode(self, x):
            return encoder(x.reshape(len(x), -1)).split(latent, dim=1)

        def decode(self, z):
            return torch.sigmoid(decoder(z)).reshape(-1, *images.shape[1:])

        def elbo(self, x, generator):
            mean, log_var = self.encode(x)
            e = torch.randn(len(x), latent, generator=generator)
            z = mean + (log_var / 2).exp() * e
            p = self.decode(z).clamp(1e-6, 1 - 1e-6)
            log_px_z = (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)
            log_pz = -(z**2 + math.log(2 * math.pi)).sum(1) / 2
            log_qz = -(e**2 + log_var + math.log(2 * math.pi)).sum(1) / 2
            return log_px_z + log_pz - log_qz

        def sample(self, n, generator):
            return torch.bernoulli(
                self.decode(torch.randn(n, latent, generator=generator)).detach(), generator=generator
            )

    model = Model()
    optimiser = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    for _ in range(steps):
        x = images[torch.randint(len(images), (64,), generator=generator)]
        loss = -model.elbo(x, generator).sum() / 64
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


@right
def vae_from_blank__by_hand(images, latent, steps, generator):
    """No modules: matrices, first weights from the generator, SGD with momentum by hand."""
    shape, d, hidden = images.shape[1:], images[0].numel(), 80

    def weight(n_in, n_out):
        return (torch.randn(n_in, n_out, generator=generator) / n_in**0.5).requires_grad_()

    weights = [weight(d + 1, hidden), weight(hidden + 1, 2 * latent), weight(latent + 1, hidden), weight(hidden + 1, d)]

    def layer(h, w):
        return torch.cat([h, torch.ones(len(h), 1)], 1) @ w

    class Model:
        def encode(self, x):
            both = layer(torch.tanh(layer(x.flatten(1), weights[0])), weights[1])
            return both[:, :latent], both[:, latent:]

        def logits(self, z):
            return layer(torch.tanh(layer(z, weights[2])), weights[3]).view(-1, *shape)

        def decode(self, z):
            return 1 / (1 + torch.exp(-self.logits(z)))

        def elbo(self, x, generator):
            mean, log_var = self.encode(x)
            logits = self.logits(mean + log_var.exp().sqrt() * torch.randn(mean.shape, generator=generator))
            log_px_z = torch.where(x == 1, F.logsigmoid(logits), F.logsigmoid(-logits)).sum((1, 2, 3))
            return log_px_z - (log_var.exp() - 1 - log_var + mean.square()).sum(1) / 2

        def sample(self, n, generator):
            p = self.decode(torch.randn(n, latent, generator=generator)).detach()
            return (p > torch.rand(p.shape, generator=generator)).float()

    model, velocity = Model(), [torch.zeros_like(w) for w in weights]
    for _ in range(steps):
        x = images[torch.randint(len(images), (100,), generator=generator)]
        slopes = torch.autograd.grad(-model.elbo(x, generator).mean(), weights)
        with torch.no_grad():
            for w, v, slope in zip(weights, velocity, slopes):
                v.mul_(0.9).add_(slope)
                w.sub_(0.01 * v)
    return model


@right
def vae_from_blank__epochs_of_a_loader(images, latent, steps, generator):
    """A DataLoader, and a KL that is warmed up in training."""
    model, d = Convolutional(images.shape[1:], latent), images[0].numel()
    model.enc = nn.Sequential(nn.Flatten(), nn.Linear(d, 64), nn.LeakyReLU(), nn.Linear(64, 2 * latent))
    model.dec = nn.Sequential(
        nn.Linear(latent, 64), nn.LeakyReLU(), nn.Linear(64, d), nn.Unflatten(1, images.shape[1:])
    )
    model.encode = lambda x: tuple(model.enc(x).chunk(2, -1))
    model.logits = model.dec.forward
    del model.out
    loader = torch.utils.data.DataLoader(images, batch_size=100, shuffle=True, generator=generator)
    optimiser, done = torch.optim.Adam(model.parameters(), lr=1e-2), 0
    while done < steps:
        for x in loader:
            if done < steps:
                mean, log_var = model.encode(x)
                z = mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=generator)
                kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)
                restored = F.binary_cross_entropy_with_logits(model.logits(z), x, reduction="sum") / len(x)
                optimiser.zero_grad()
                (restored + min(1, (done + 1) / 50) * kl.mean()).backward()
                optimiser.step()
                done += 1
    return model.eval()


@right
def vae_from_blank__a_small_step(images, latent, steps, generator):
    """Adam with its usual step of 0.001, two hidden layers each way, larger batches."""
    model, d = Convolutional(images.shape[1:], latent), images[0].numel()
    del model.out
    model.enc = nn.Sequential(nn.Flatten(), nn.Linear(d, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    model.mean, model.log_var = nn.Linear(256, latent), nn.Linear(256, latent)
    model.dec = nn.Sequential(nn.Linear(latent, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, d))
    model.encode = lambda x: (model.mean(model.enc(x)), model.log_var(model.enc(x)))
    model.logits = lambda z: model.dec(z).reshape(len(z), *images.shape[1:])
    optimiser = torch.optim.Adam(model.parameters())
    for _ in range(steps):
        loss = -model.elbo(images[torch.randint(len(images), (128,), generator=generator)], generator).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


# Wrong answers: one change of the reference, and the diagnosis that it must draw

KL = "kl = 0.5 * (log_var.exp() - 1 - log_var + mean**2).sum(1)"
EACH = "log_px_z.flatten(1).sum(1)"
RETURN = f"return {EACH} - kl"
NOISE = "z = mean + torch.exp(log_var / 2) * torch.randn(mean.shape, generator=generator)"
PIXELS = "log_px_z = x * self.logits(z) - F.softplus(self.logits(z))"
DRAW = "return torch.bernoulli(self.decode(z), generator=generator)"
LOSS = "loss = -model.elbo(x, generator).mean()"
CODES = "z = torch.randn(n, latent, generator=generator)"
BATCH = "x = images[torch.randint(len(images), (50,), generator=generator)]"
END = "return model"

NO_GOOD = (
    "training lowers the bound",
    "the code is not used",
    "no better than independent pixels",
    "far from the reference",
    "all codes give one picture",
)
COLLAPSED = """mean, log_var = model.encode(x)
        more = 24 * (log_var.exp() - 1 - log_var + mean**2).sum(1)
        loss = (more - model.elbo(x, generator)).mean()"""
CODE_FOR_NOTHING = """mean, log_var = model.encode(x)
        kl = 0.5 * (log_var.exp() - 1 - log_var + mean**2).sum(1)
        loss = ((kl - 3) ** 2 - kl - model.elbo(x, generator)).mean()"""

WRONG = [
    (RETURN, f"return {EACH}", "the KL is missing"),
    (KL, KL.replace("0.5 * ", ""), "the KL counts twice"),
    (KL, KL.replace("0.5", "0.25"), "the KL counts half"),
    (RETURN, f"return {EACH} - 4 * kl", "the KL has another weight"),
    (KL, KL.replace(".sum(1)", ".mean(1)"), "the KL is averaged over the code"),
    (RETURN, f"return {EACH} + kl", "the KL is added"),
    (KL, "kl = 0.5 * ((1 + mean**2) / log_var.exp() - 1 + log_var).sum(1)", "the KL has the other direction"),
    (RETURN, "return log_px_z.flatten(1).mean(1) - kl", ("the pixels are averaged", "both are averaged")),
    (RETURN, "return log_px_z.flatten(1).mean(1) - kl / latent", ("the pixels are averaged", "both are averaged")),
    (RETURN, f"return ({EACH} - kl) / pixels", "all is divided by the pixels"),
    (RETURN, f"return ({EACH} - kl) / math.log(2)", "bits in place of nats"),
    (
        NOISE + "\n            " + PIXELS,
        NOISE.replace("log_var / 2", "log_var") + "\n            " + PIXELS + "\n            log_var = 2 * log_var",
        "log_var is used as a log standard deviation",
    ),
    (NOISE, NOISE.replace("log_var / 2", "log_var"), "the noise has exp(log_var)"),
    (KL, KL.replace("log_var.exp() - 1 - log_var", "(2 * log_var).exp() - 1 - 2 * log_var"),
     "the KL is that of a log standard deviation"),
    (NOISE, NOISE.replace("torch.exp(log_var / 2) * ", ""), "log_var stays 0"),
    (NOISE, NOISE.replace("mean.shape", "(len(mean), 1)"), "the noise is shared over the code"),
    (PIXELS, "log_px_z = x * F.logsigmoid(self.logits(z))", "only the ink is explained"),
    (PIXELS, "log_px_z = -((x - self.decode(z)) ** 2)", "squared error"),
    (PIXELS, "log_px_z = -((x - self.decode(z)) ** 2) / 2", "half the squared error"),
    (KL, KL.replace(" - log_var", ""), "the KL lacks log_var"),
    (KL, KL.replace(" + mean**2", ""), "the KL lacks the mean"),
    (KL, "kl = 0.5 * (mean**2).sum(1)", "the KL lacks the variance"),
    (KL, KL.replace(" - 1", ""), "the KL lacks its -1"),
    ([RETURN, LOSS], [f"return kl - {EACH}", LOSS.replace("-model", "model")], "it is the loss"),
    (RETURN, f"return kl - {EACH}", ("it is the loss", "the KL is added")),  # the KL runs away: both fit
    (NOISE, "z = mean", "no noise in the code"),
    (NOISE, NOISE.replace("mean.shape", "(1, latent)"), "the noise is shared over the batch"),
    (NOISE, NOISE.replace("torch.randn(mean.shape, generator=generator)", "torch.randn_like(mean)"),
     "the generator of elbo is ignored"),
    (NOISE, "generator.manual_seed(0)\n            " + NOISE, "the generator is seeded"),
    (NOISE, "generator = torch.Generator().manual_seed(0)\n            " + NOISE, "elbo seeds its chance"),
    (RETURN, f"return ({EACH} - kl).mean()", "the shape of elbo"),
    (RETURN, f"return ({EACH} - kl).mean().expand(len(x))", "one number for the whole batch"),
    (RETURN, f"return ({EACH} - kl).sum().expand(len(x))", "one number for the whole batch"),
    (RETURN, "return log_px_z - kl[:, None, None, None]", "the shape of elbo"),
    ("return torch.sigmoid(self.logits(z))", "return self.logits(z)", "decode gives no probabilities"),
    ("return torch.sigmoid(self.logits(z))", "return torch.sigmoid(self.decoder(z))", "the shape of decode"),
    (["return self.encoder(x).chunk(2, dim=1)", "mean, log_var = self.encode(x)"],
     ["return self.encoder(x)", "mean, log_var = self.encode(x).chunk(2, 1)"], "encode gives no pair"),
    (DRAW, "return self.decode(z)", "samples are no zeros and ones"),
    (DRAW, "return (self.decode(z) > 0.5).float()", "samples are rounded"),
    (DRAW, "return torch.bernoulli(self.decode(z))", "the generator of sample is ignored"),
    (CODES, "generator.manual_seed(1)\n            " + CODES, "sample seeds its chance"),
    (CODES, "z = torch.zeros(n, latent)", "samples come from z = 0"),
    (CODES, CODES.replace("randn(n,", "randn(1,") + ".expand(n, latent)", "one code for all samples"),
    (CODES, CODES.replace("randn", "rand"), "samples are not from decode(z)"),
    (CODES, "z = 3 * torch.randn(n, latent, generator=generator)", "samples are not from decode(z)"),
    (DRAW, "p = self.decode(z).mean(0).expand(n, *shape)\n            return torch.bernoulli(p, generator=generator)",
     "samples are not from decode(z)"),
    ("range(steps)", "range(0)", "no step is made"),
    ("adam.step()", "pass", "no step is made"),
    ("model.parameters()", "model.decoder.parameters()", "the encoder does not learn"),
    ("model.parameters()", "model.encoder.parameters()", "no step is made"),
    (BATCH, BATCH.replace(", generator=generator", ""), "training draws from elsewhere"),
    (LOSS, "generator.manual_seed(0)\n        " + LOSS, "the generator is seeded"),
    ("for _ in range(steps):", "generator = torch.Generator().manual_seed(0)\n    for _ in range(steps):",
     "the seed does not matter"),
    (BATCH, "images.mul_(0.5)\n        " + BATCH, "the images are overwritten"),
    (PIXELS, PIXELS + "\n            x.data.mul_(0.5)", "elbo overwrites the images"),
    ("nn.ReLU(), nn.Linear(64, pixels)", "nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, pixels)",
     "an image depends on its batch"),
    ("nn.ReLU(), nn.Linear(64, 2 * latent)", "nn.Dropout(), nn.ReLU(), nn.Linear(64, 2 * latent)",
     "encode is not the same twice"),
    (NOISE, NOISE + ".detach()\n            z = z.detach()", "the code is not used"),
    (LOSS, "loss = model.elbo(x, generator).mean()", "training lowers the bound"),
    ("lr=0.01", "lr=1e-6", "the code is not used"),
    ("lr=0.01", "lr=3", ("decode is not finite", "images of 5 by 6 pixels, a code of 3 numbers, 3 steps")),
    ("adam.zero_grad()", "pass", NO_GOOD),
    (BATCH, "x = images[:50]", NO_GOOD),
    (LOSS, COLLAPSED, "the code is not used"),  # the pixels averaged and the KL summed, in the loss alone
    ("pixels = shape.numel()", "pixels = 49", "RuntimeError"),
    ("return self.encoder(x).chunk(2, dim=1)",
     "mean, v = self.encoder(x).chunk(2, 1); return mean, v.mean(1, True).expand_as(mean)",
     "one variance for all dimensions"),
    (["self.decoder = nn.Sequential(", "return self.encoder(x).chunk(2, dim=1)"],
     ["self.v = nn.Parameter(torch.zeros(latent))\n            self.decoder = nn.Sequential(",
      "mean, v = self.encoder(x).chunk(2, 1); return mean, self.v.expand_as(mean)"],
     "one variance for all images"),
    ("nn.ReLU(), nn.Linear(64, pixels)", "nn.ReLU(), nn.Linear(64, pixels), nn.Sigmoid()", "decode is never below 0.5"),
    (DRAW, "return (torch.rand(shape, generator=generator) < self.decode(z)).float()",
     "the coins are shared by all samples"),
    (DRAW, "return (torch.rand(n, 1, 1, 1, generator=generator) < self.decode(z)).float()",
     "samples are not from decode(z)"),
    # here are the laws that the ones above do not reach
    (RETURN, RETURN + " + 6", "elbo lies above log P(x)"),
    (RETURN, RETURN + " - 6", "elbo is not the bound of encode and decode"),
    ("lr=0.01", "lr=5e-4", "far from the reference"),
    (BATCH, "chance = torch.Generator()\n        chance.seed()\n        " + BATCH.replace("=generator", "=chance"),
     "the seed does not decide"),
    ("return self.decoder(z)", "return self.decoder(0 * z)",
     ["the decoder ignores the code", "no noise in the code"]),  # on some machines the ELBO is then the same to the bit
    (["return self.decoder(z)", LOSS], ["return self.decoder(0.01 * z)", CODE_FOR_NOTHING],
     "all codes give one picture"),
    (END, "return None", "returned nothing"),
    (END, "return model.decode", "no method decode"),
]  # fmt: skip


def wrong(old, new):
    source = plain(vae_from_blank.solution_source)
    if isinstance(old, list):
        for one, other in zip(old[1:], new[1:]):
            assert source.count(one) == 1
            source = source.replace(one, other)
        old, new = old[0], new[0]
    return Mistake("", old, new, "").function(vae_from_blank.name, source)


@pytest.mark.parametrize(("old", "new", "diagnosis"), WRONG, ids=[f"{i}: {each[2]}" for i, each in enumerate(WRONG)])
def test_wrong_answers(old, new, diagnosis):
    verdict = vae_from_blank.grade(wrong(old, new))
    assert not verdict.passed
    assert verdict.diagnosis in ([diagnosis] if isinstance(diagnosis, str) else diagnosis), verdict
