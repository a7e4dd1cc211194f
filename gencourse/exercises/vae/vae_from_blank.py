"""A whole variational autoencoder, and its training loop, from an empty page."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.vae.shared import (
    DRAWS,
    IMAGES,
    LATENT,
    PARTS,
    PIXELS,
    SMALL,
    STEPS,
    TRAINED,
    Law,
    Named,
    integral,
    laws,
    parts,
    samples,
    small,
    trained,
)  # fmt: skip


def vae_from_blank(images: Tensor, latent: int, steps: int, generator: torch.Generator):
    """A variational autoencoder for black-and-white images, built and trained.

    images: (N, 1, H, W), floating-point zeros and ones; leave them as they are. latent: how
    many numbers a code z has. steps: how many steps of the optimiser to make.
    The model: P(z) = N(0, I); given z every pixel is an independent coin flip; q(z|x) is a
    Gaussian with its own mean and variance for every dimension of the code, both computed
    from x: the variance, too, differs from image to image and between dimensions. Encoder
    and decoder may be any networks that treat each image by itself, the optimiser any; it
    raises the ELBO. The check uses 300 steps and 7 by 7 digits: dense layers will do, and
    Adam with a step size of 0.003 to 0.01 is enough.
    The first weights may be torch's usual ones. All other chance (batches, the noise in
    the code, samples) comes from the generator that is given, which is not seeded here.
    Returns an object with four methods:
    encode(x): x (B, 1, H, W) -> (mean, log_var) of q(z|x), each (B, latent); log_var is the
        logarithm of the variance.
    decode(z): z (B, latent) -> (B, 1, H, W), the probabilities of ink, between 0 and 1.
    elbo(x, generator): (B,), the evidence lower bound of every image in nats, with one draw
        of z for each image, log P(x|z) - KL(q(z|x) ‖ P(z)); both are sums, not averages.
    sample(n, generator): (n, 1, H, W), images of zeros and ones drawn from the model.
    (Kingma and Welling, arXiv:1312.6114.)
    """
    nn, F = torch.nn, torch.nn.functional
    shape = images.shape[1:]
    pixels = shape.numel()

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Flatten(), nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 2 * latent)
            )
            self.decoder = nn.Sequential(
                nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, pixels)
            )

        def encode(self, x):
            return self.encoder(x).chunk(2, dim=1)  # mean, log_var

        def logits(self, z):
            return self.decoder(z).view(-1, *shape)

        def decode(self, z):
            return torch.sigmoid(self.logits(z))

        def elbo(self, x, generator):
            mean, log_var = self.encode(x)
            z = mean + torch.exp(log_var / 2) * torch.randn(mean.shape, generator=generator)
            log_px_z = x * self.logits(z) - F.softplus(self.logits(z))  # of every pixel
            kl = 0.5 * (log_var.exp() - 1 - log_var + mean**2).sum(1)
            return log_px_z.flatten(1).sum(1) - kl

        @torch.no_grad()
        def sample(self, n, generator):
            z = torch.randn(n, latent, generator=generator)
            return torch.bernoulli(self.decode(z), generator=generator)

    model = VAE()
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        x = images[torch.randint(len(images), (50,), generator=generator)]
        loss = -model.elbo(x, generator).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model


# Where chance comes from, and what stays as it is


def _law(label, holds, words, names):
    """A law of numbers that have names; the words may have them, in braces."""
    return Law(
        label,
        lambda seen: holds(Named(names, seen)),
        lambda seen: words.format(c=Named(names, seen.tolist())),
    )


_SMALL = [
    _law(label, holds, words, SMALL)
    for label, holds, words in (
        (
            "no step is made",
            lambda c: c.decoder_moves > 0,
            "After three steps `decode` gives the same pictures as after one, with the "
            "same seed: no step changes the decoder. Is `steps` used, and does the "
            "optimiser have the decoder's parameters?",
        ),
        (
            "the encoder does not learn",
            lambda c: c.encoder_moves > 0,
            "After three steps `encode` gives the same numbers as after one, with the "
            "same seed: no step changes the encoder. Does the optimiser have its "
            "parameters, and does a gradient reach them?",
        ),
        (
            "samples are no zeros and ones",
            lambda c: c.odd == 0,
            "Of the pixels that `sample` gave, {c.odd:.0%} are neither 0 nor 1. "
            "decode(z) gives probabilities; a sample flips a coin for every pixel "
            "(`torch.bernoulli`).",
        ),
        (
            "encode is not the same twice",
            lambda c: c.encode_twice < 1e-4,
            "`encode` gave other numbers for the same images the second time. It gives "
            "the mean and log_var of q(z|x), without noise; the noise belongs in `elbo`. "
            "Or is there dropout?",
        ),
        (
            "an image depends on its batch",
            lambda c: c.alone < 1e-3,
            "`encode` or `decode` gives other numbers for the first three alone than for "
            "the same three among eight: something is computed over the batch. Is it "
            "batch normalisation?",
        ),
        (
            "elbo overwrites the images",
            lambda c: c.elbo_changes_x == 0,
            "`x` holds other numbers after `elbo(x, generator)` than before: an "
            "operation in place has overwritten it. Make a new tensor instead.",
        ),
        (
            "one number for the whole batch",
            lambda c: c.over_images > 1e-4,
            "`elbo` gave the same number for eight different images. Each image has its "
            "own bound: sum over pixels and over the code, but neither sum nor average "
            "over the batch.",
        ),
        (
            "the decoder ignores the code",
            lambda c: c.over_codes > 0,
            "`decode` gave the same picture for eight different codes, after three "
            "steps: does z reach the pixels?",
        ),
        (
            "no noise in the code",
            lambda c: c.over_copies > 1e-4 or c.over_calls > 1e-4,
            "For 16 copies of one image, and in a second call again, `elbo` gave the "
            "same number each time: no z is drawn. The code is a draw from q(z|x), mean "
            "+ exp(log_var / 2) · e.",
        ),
        (
            "the noise is shared over the batch",
            lambda c: c.over_copies > 1e-4,
            "For 16 copies of one image `elbo` gave the same number 16 times, and "
            "another one in the next call (they differ by {c.over_calls:.2f} nats): one "
            "e serves the whole batch. Draw one for every image.",
        ),
        (
            "training draws from elsewhere",
            lambda c: not c.own_chance,
            "After three steps torch's own generator stands elsewhere than after one: "
            "training draws from it. Only the first weights may; draw batches and noise "
            "with `generator=generator`.",
        ),
        (
            "the seed does not decide",
            lambda c: c.same_seed < 1e-3,
            "With the same seed, and the same first weights, the trained model came out "
            "otherwise the second time: chance comes from elsewhere than the generator.",
        ),
        (
            "the seed does not matter",
            lambda c: c.other_seed > 0,
            "With another seed of the generator, and the same first weights, the trained "
            "model is the same to the last digit: neither the batches nor the noise of "
            "the training come from the generator that is given.",
        ),
    )
]  # fmt: skip
_CHANCE = [
    law
    for method, at, thing in (
        ("elbo", len(SMALL), "numbers"),
        ("sample", len(SMALL) + 5, "images"),
    )
    for law in (
        Law(
            f"the generator of {method} is ignored",
            lambda seen, at=at: seen[at],
            lambda seen, method=method, thing=thing: (
                f"`{method}` gave other {thing} with a generator of the same seed: its "
                "chance, or a part of it, comes from elsewhere. `torch.randn` and "
                "`torch.bernoulli` take `generator=generator`; `torch.randn_like` does "
                "not."
            ),
        ),
        Law(
            f"{method} seeds its chance",
            lambda seen, at=at: seen[at + 1 : at + 5].all(),
            lambda seen, method=method, thing=thing: (
                f"Two calls of `{method}` with one generator gave the same {thing}, or "
                "other seeds the same, or the generator was seeded in it: draw from the "
                "generator that is given, and do not seed it."
            ),
        ),
    )
]


# What elbo gives, beside what encode and decode give

# what it might be: name -> (value of the columns, words)
_MIGHT_BE = {
    "the KL is missing": (
        lambda c: c.log_px_z,
        "It is the first alone: the KL is missing.",
    ),
    "the KL counts twice": (
        lambda c: c.log_px_z - 2 * c.kl,
        "It fits with twice the KL: is the ½ of its closed form missing?",
    ),
    "the KL counts half": (
        lambda c: c.log_px_z - c.kl / 2,
        "It fits with half the KL: is there a ½ too many?",
    ),
    "the KL is averaged over the code": (
        lambda c: c.log_px_z - c.kl / LATENT,
        f"It fits with the KL divided by {LATENT}, the number of dimensions of the code: "
        "sum over them, do not average.",
    ),
    "the KL is added": (
        lambda c: c.log_px_z + c.kl,
        "It fits with the KL added. The code has a cost: the KL is subtracted.",
    ),
    "the KL has the other direction": (
        lambda c: c.log_px_z - c.reversed,
        "It fits with KL(P(z) ‖ q(z|x)). The other direction is due: KL(q(z|x) ‖ P(z)).",
    ),
    "the pixels are averaged": (
        lambda c: c.log_px_z / PIXELS - c.kl,
        f"It fits with the first divided by {PIXELS}, the number of pixels: it is "
        "averaged over the pixels, where a sum is due.",
    ),
    "both are averaged": (
        lambda c: c.log_px_z / PIXELS - c.kl / LATENT,
        "It fits with the first averaged over the pixels and the KL averaged over the "
        "code. Both are sums.",
    ),
    "all is divided by the pixels": (
        lambda c: (c.log_px_z - c.kl) / PIXELS,
        f"It fits with all of it averaged over the pixels, divided by {PIXELS}: these are "
        "nats a pixel, and nats an image are due.",
    ),
    "it is the loss": (
        lambda c: c.kl - c.log_px_z,
        "It is the negative of that: the loss, not the bound.",
    ),
    "bits in place of nats": (
        lambda c: (c.log_px_z - c.kl) / 0.6931472,
        "It fits with that divided by log 2: these are bits.",
    ),
    "log_var is used as a log standard deviation": (
        lambda c: c.wide - c.kl_wide,
        "It fits if the second number of `encode` is the logarithm of the standard "
        "deviation, in the noise and in the KL. `encode` is to give the logarithm of the "
        "variance.",
    ),
    "the noise has exp(log_var)": (
        lambda c: c.wide - c.kl,
        "It fits with noise of standard deviation exp(log_var). The standard deviation "
        "is exp(log_var / 2).",
    ),
    "the KL is that of a log standard deviation": (
        lambda c: c.log_px_z - c.kl_wide,
        "It fits with a KL whose variance is exp(2 · log_var). The variance is exp(log_var).",
    ),
    "the noise is shared over the code": (
        lambda c: c.tied - c.kl,
        "It fits with the same e for all dimensions of a code. Every dimension has its own.",
    ),
    "only the ink is explained": (
        lambda c: c.ink_only - c.kl,
        "It fits with the sum of x · log p alone: pixels without ink are missing, (1 - "
        "x) · log(1 - p).",
    ),
    "squared error": (
        lambda c: -c.squares - c.kl,
        "It fits with the squared error in place of log P(x|z). Pixels are coin flips "
        "here: x · log p + (1 - x) · log(1 - p).",
    ),
    "half the squared error": (
        lambda c: -c.squares / 2 - c.kl,
        "It fits with half the squared error in place of log P(x|z). Pixels are coin "
        "flips here: x · log p + (1 - x) · log(1 - p).",
    ),
    "the KL lacks log_var": (
        lambda c: c.log_px_z - c.no_log,
        "It fits with a KL without its term -log_var: ½ Σ (exp(log_var) - 1 - log_var + "
        "mean²) is due.",
    ),
    "the KL lacks the mean": (
        lambda c: c.log_px_z - c.no_mean,
        "It fits with a KL without its term mean²: ½ Σ (exp(log_var) - 1 - log_var + "
        "mean²) is due.",
    ),
    "the KL lacks the variance": (
        lambda c: c.log_px_z - c.no_variance,
        "It fits with ½ Σ mean² in place of the KL: the terms with log_var are missing.",
    ),
    "the KL lacks its -1": (
        lambda c: c.log_px_z - c.kl - LATENT / 2,
        "It fits with a KL without its -1: ½ Σ (exp(log_var) - 1 - log_var + mean²) is due.",
    ),
}


def _misfit(c, value: Tensor, scale: float = 1.0) -> float:
    """Mean squared distance from what elbo gave, in standard errors: about 1 where it is that.

    Where training has run away, float32 has lost digits: large numbers need not agree as well.
    """
    variance = c.given_variance + scale**2 * c.explained_variance
    rough = 0.003 * (1 + value.abs()) + 0.3 * (value.abs() - 1000).clamp(min=0)
    return ((c.given - value).square() / (variance + rough**2)).mean().item()


# of the mean of 24 squares of numbers from N(0, 1) one in some 16,000 is larger
_FITS = 2.5


def _what_elbo_is(seen: Tensor) -> str | None:
    """The name of what fits best: "right" where the bound itself fits, None where nothing does."""
    c = Named(PARTS, seen.T)
    if _misfit(c, c.log_px_z - c.kl) < _FITS:
        return "right"
    misfits = {
        name: _misfit(c, value(c), 1 / PIXELS if "averaged over the pixels" in words else 1)
        for name, (value, words) in _MIGHT_BE.items()
    }
    near = [
        name
        for name, misfit in misfits.items()
        if misfit < min(_FITS, min(misfits.values()) + 0.3)
    ]
    return near[0] if near else None


def _weight(seen: Tensor) -> float | None:
    """The weight of the KL with which all fits, or None."""
    c = Named(PARTS, seen.T)
    beta = ((c.log_px_z - c.given) @ c.kl / c.kl.square().sum()).item()
    return beta if _misfit(c, c.log_px_z - beta * c.kl) < _FITS else None


def _account(seen: Tensor) -> str:
    c = Named(PARTS, seen.mean(0).tolist())
    return (
        f"`elbo` gives {c.given:.4g} nats on average over {IMAGES} images and {DRAWS} "
        f"draws. Your own `encode` and `decode` give {c.log_px_z:.4g} for E[log P(x|z)] "
        f"and {c.kl:.4g} for the KL, so that {c.log_px_z - c.kl:.4g} is due. "
    )


_PARTS = [
    Law(
        name,
        lambda seen, name=name: _what_elbo_is(seen) != name,
        lambda seen, words=words: _account(seen) + words,
    )
    for name, (_, words) in _MIGHT_BE.items()
] + [
    Law(
        "the KL has another weight",
        lambda seen: _what_elbo_is(seen) == "right" or _weight(seen) is None,
        lambda seen: (
            f"{_account(seen)}It fits with {_weight(seen):.2f} times the KL: the weight "
            "of the KL is 1."
        ),
    ),
    Law(
        "training lowers the bound",
        lambda seen: seen.mean(0)[0] > -1000,
        lambda seen: (
            f"After 60 steps `elbo` gives {seen.mean(0)[0]:.4g} nats on average, where a "
            "decoder that knows nothing (every pixel 0.5) and a KL of 0 have -34: "
            "training lowers the bound. The loss is the negative ELBO."
        ),
    ),
    Law(
        "elbo is not the bound of encode and decode",
        lambda seen: _what_elbo_is(seen) == "right",
        lambda seen: (
            f"{_account(seen)}Something is computed otherwise: look at the two terms one by one."
        ),
    ),
]


def _excess(seen: Tensor) -> tuple[float, float]:
    """By how much elbo lies above log P(x) on average, and the standard error of that."""
    given, error, exact = seen
    return (given - exact).mean().item(), (error.square().sum().sqrt() / IMAGES).item()


_INTEGRAL = [
    Law(
        "elbo lies above log P(x)",
        lambda seen: _excess(seen)[0] < 4.5 * _excess(seen)[1] + 0.01,
        lambda seen: (
            "With a code of one number log P(x) is an integral over z, here "
            f"{seen[2].mean():.2f} nats on average by your own `decode`. `elbo` gives "
            f"{seen[0].mean():.2f} on average over {DRAWS} draws, which is more: it is no "
            "lower bound."
        ),
    )
]


# Samples, beside decode of codes from N(0, I)


def _off(seen: Tensor, one: int, other: int) -> float:
    """How far two mean pictures are apart: the root of the mean squared distance of a pixel."""
    return (seen[one] - seen[other]).square().mean().sqrt().item()


_NEAR = 0.035  # of 1,500 draws each, a right answer has 0.01 or so

_SAMPLES = [
    Law(
        "the coins are shared by all samples",
        lambda seen: _off(seen, 0, 1) < _NEAR or seen[7, 0] < 1.5,
        lambda seen: (
            "The mean pictures of two calls of `sample`, 1,500 images each, differ by "
            f"{_off(seen, 0, 1):.3f} a pixel, where about 0.01 is due, so that the images "
            "of a call share something. It is not the code, for the number of inked pixels "
            f"has {seen[7, 0]:.1f} times the variance that one code would give. Are the "
            "coins shared? Every pixel of every image has a coin of its own: random "
            "numbers (n, 1, H, W)."
        ),
    ),
    Law(
        "one code for all samples",
        lambda seen: _off(seen, 0, 1) < _NEAR,
        lambda seen: (
            "The mean pictures of two calls of `sample`, 1,500 images each, differ by "
            f"{_off(seen, 0, 1):.3f} a pixel, where about 0.01 is due: the images of a "
            "call share something. Draw a z for every image."
        ),
    ),
    Law(
        "samples are rounded",
        lambda seen: _off(seen, 0, 2) < _NEAR or _off(seen, 0, 3) > _NEAR,
        lambda seen: (
            "The mean picture of 1,500 samples is that of decode(z) rounded to 0 and 1, "
            "with z from N(0, I), and not that of decode(z). A pixel is a coin flip with "
            "the probability that `decode` gives."
        ),
    ),
    Law(
        "samples come from z = 0",
        lambda seen: _off(seen, 0, 2) < _NEAR or _off(seen, 0, 4) > _NEAR,
        lambda seen: (
            "The mean picture of 1,500 samples is decode(0), and not that of decode(z) "
            "with z from N(0, I)."
        ),
    ),
    Law(
        "samples are not from decode(z)",
        lambda seen: _off(seen, 0, 2) < _NEAR and 0.8 < seen[5, 0] / seen[6, 0] < 1.25,
        lambda seen: (
            f"The mean picture of 1,500 samples is {_off(seen, 0, 2):.3f} a pixel away "
            "from that of your own decode(z), z from N(0, I), where about 0.01 is due; "
            f"and the variance of the number of inked pixels is {seen[5, 0]:.1f}, where "
            f"{seen[6, 0]:.1f} is due. "
            + (
                "The pixels of an image vary together too much: do they share one coin? "
                if _off(seen, 0, 2) < _NEAR and seen[5, 0] > seen[6, 0]
                else ""
            )
            + "Draw z from N(0, I), decode it, flip a coin for "
            "every pixel."
        ),
    ),
]


# Trained


def _after_training(label, holds, words) -> Law:
    """A law of what training gives, beside what it gives the reference."""

    def both(seen: Tensor) -> dict:
        return {
            "c": Named(TRAINED, seen.tolist()),
            "r": Named(TRAINED, exercise.expected[-1].tolist()),
        }

    return Law(
        label,
        lambda seen: holds(**both(seen)),
        lambda seen: f"After {STEPS} steps " + words.format(**both(seen)),
    )


_TRAINED = [
    _after_training(
        "decode is never below 0.5",
        lambda c, r: c.least < 0.499,
        "decode(z) is never below {c.least:.3f}, over 500 codes from N(0, I), where the "
        "reference comes down to {r.least:.3f}: no pixel can be surely without ink. Is the "
        "sigmoid applied twice, which leaves only 0.5 to 0.73, or its input never "
        "negative?",
    ),
    _after_training(
        "all codes give one picture",
        lambda c, r: c.variety > 0.3 * r.variety or c.kl < 0.2 * r.kl,
        "a pixel of decode(z) has a standard deviation of {c.variety:.3f} over 500 codes "
        "from N(0, I), where the reference has {r.variety:.2f}: all codes give nearly "
        "the same picture, though the KL is {c.kl:.1f} nats. Does the decoder use z?",
    ),
    _after_training(
        "the code is not used",
        lambda c, r: c.kl > 0.2 * r.kl,
        "the KL of q(z|x) is {c.kl:.3f} nats an image on held-out digits, where the "
        "reference has {r.kl:.1f}: the code tells next to nothing of the image "
        "(posterior collapse). Does the gradient of log P(x|z) reach the encoder through "
        "the draw of z? Has the KL the weight 1 in the loss? Are the steps large enough?",
    ),
    _after_training(
        "no better than independent pixels",
        lambda c, r: c.bound > c.independent + 0.5,
        "the ELBO of held-out digits is {c.bound:.2f} nats on average. Independent "
        "pixels have {c.independent:.2f}, the reference {r.bound:.2f}. Is the loss the "
        "negative ELBO, are the gradients set to zero before each step, and does the step "
        "size suit (neither too small nor too large)?",
    ),
    _after_training(
        "log_var stays 0",
        lambda c, r: c.log_var > 0.1,
        "`log_var` is {c.log_var:.3f} in size on average on held-out digits, where the "
        "reference has {r.log_var:.1f}: q(z|x) has variance 1 whatever x is. Does "
        "log_var scale the noise in z?",
    ),
    _after_training(
        "one variance for all images",
        lambda c, r: c.over_images > 1e-5,
        "`log_var` is the same for all held-out digits, to {c.over_images:.1g}, where the "
        "reference's standard deviation over them is {r.over_images:.2f}: the variance of "
        "q(z|x) does not depend on x. Let the encoder compute log_var from x, like the "
        "mean.",
    ),
    _after_training(
        "one variance for all dimensions",
        lambda c, r: c.over_dimensions > 1e-5,
        "the dimensions of a code all have the same `log_var`, to {c.over_dimensions:.1g}, "
        "where those of the reference differ by {r.over_dimensions:.2f} (standard "
        "deviation): each dimension has its own variance. Let the encoder end in 2 · "
        "latent numbers, half of them log_var.",
    ),
    _after_training(
        "far from the reference",
        lambda c, r: c.bound - c.independent > 0.65 * (r.bound - c.independent),
        "the ELBO of held-out digits is {c.bound:.2f} nats on average, where the "
        "reference has {r.bound:.2f} and independent pixels have {c.independent:.2f}. Is "
        "the loss the negative ELBO itself, and the step size large enough (Adam: 0.003 "
        "to 0.01)?",
    ),
]


# the last of them, which names nothing, comes after the integral
_of_parts = laws(parts, "digits of 7 by 7 pixels, a code of 3 numbers, 60 steps", *_PARTS)

exercise = Exercise(
    vae_from_blank,
    minutes=40,
    difficulty="hard",
    hints=(
        "You have written the parts: the draw z = mean + exp(log_var / 2) · e, the KL in "
        "closed form, the ELBO of an image. What is new are two networks, a loop, and "
        "sampling. Begin with `encode` and `decode`, and look at their shapes.",
        "The encoder flattens x and ends in 2 · latent numbers: `chunk(2, dim=1)` cuts "
        "them into mean and log_var. The decoder ends in one logit for every pixel. "
        "`elbo` uses the logits, for accuracy; `decode` is their sigmoid. In the loop "
        "the loss is the negative mean of `elbo` over a batch: "
        "`images[torch.randint(len(images), (50,), generator=generator)]`.",
        "A class with `encoder = nn.Sequential(nn.Flatten(), nn.Linear(H * W, 64), "
        "nn.ReLU(), nn.Linear(64, 2 * latent))` and a decoder the other way round; Adam "
        "with a step size of 0.01; `zero_grad`, `backward`, `step`. `sample` draws z "
        "with `torch.randn(n, latent, generator=generator)`, then "
        "`torch.bernoulli(self.decode(z), generator=generator)`.",
    ),
    cases=(
        *laws(
            small,
            "images of 5 by 6 pixels, a code of 3 numbers, 3 steps",
            *_SMALL[:10],
            *_CHANCE,
            *_SMALL[10:],
        ),
        *_of_parts[:-1],
        *laws(
            integral, "digits of 7 by 7 pixels, a code of 1 number, 30 steps", *_INTEGRAL
        ),
        _of_parts[-1],
        *laws(samples, "digits of 7 by 7 pixels, a code of 2 numbers, 60 steps", *_SAMPLES),
        *laws(
            trained,
            f"digits of 7 by 7 pixels, a code of 2 numbers, {STEPS} steps",
            *_TRAINED,
        ),
    ),
    seconds=60,
)
