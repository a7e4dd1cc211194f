"""What is measured of a VAE that a reader has built: the numbers on which the laws of `vae_from_blank` rest.

A measurement builds a model once, and several laws look at its numbers. Each measurement gives float64 numbers of one
shape, whatever the architecture; what has no such numbers raises Unusable, with words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from gencourse import data
from gencourse.exercises.machine.answers import Unusable, as_numbers, shape_of
from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import chance, method

PIXELS, LATENT = 49, 3
IMAGES, DRAWS = 24, 400  # that elbo is looked at on, and of the code for each of them
SEEDS = [integer(0, 10**6, seed=seed) for seed in range(121, 126)]


class Law(NamedTuple):
    """What holds of the numbers of a measurement, and what is said where it does not."""

    label: str
    holds: Callable[[Tensor], bool]
    broken: Callable[[Tensor], str]


def laws(measure: Callable, of_what: str, *rest: Law) -> list[Case]:
    """The cases of these laws. The first measures, and asks for finite numbers; the others look at the same numbers."""
    kept = []

    def observe(fn: Callable, anew: bool) -> Tensor:
        if anew or not kept or kept[0] is not fn:
            kept.clear()  # after an error nothing is kept, and nothing that rests on it is tried
            kept.extend((fn, measure(fn)))
        return kept[1]

    finite = Law(
        of_what,
        lambda seen: seen.isfinite().all(),
        lambda seen: (
            f"On {of_what}, there is NaN or an infinity in what your methods give: the "
            "logarithm of 0, an exponential of a large number, or steps that are too "
            "large?"
        ),
    )
    return [
        Case(
            law is finite,
            observe=observe,
            label=law.label,
            holds=law.holds,
            broken=law.broken,
            if_right=True,
        )
        for law in (finite, *rest)
    ]


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """Zeros, ones and fours of 7 by 7 pixels, black and white: to train on, and held out."""
    images, kinds = data.mnist("train")
    images = images[(kinds == 0) | (kinds == 1) | (kinds == 4)]
    images = data.subset(2000, torch.Generator().manual_seed(SEEDS[0]), images)
    small = F.avg_pool2d(images[:, :, 3:24, 3:24] / 255, 3)
    return (small > 0.3).float().split(1500)


def seeded_by(number: int) -> torch.Generator:
    """A generator for the chance of a measurement: the same every time, but another in each variant."""
    return torch.Generator().manual_seed(SEEDS[number])


def built(fn: Callable, images: Tensor, latent: int, steps: int, seed: int) -> object:
    """What the reader's function builds; Unusable if it changed the images, or seeded the generator."""
    torch.manual_seed(SEEDS[1])  # of the first weights
    generator = torch.Generator().manual_seed(seed)
    model = fn(given := images.clone(), latent, steps, generator)
    if model is not None and not given.equal(images):
        raise Unusable(
            "not yet",
            "the images are overwritten",
            "`images` holds other numbers after the training than before: an operation "
            "in place has overwritten them. Make a new tensor instead.",
        )
    if generator.initial_seed() != seed:
        raise Unusable(
            "not yet",
            "the generator is seeded",
            "The generator has another seed after the training than before. Seeding is "
            "the caller's business: draw from it.",
        )
    return model


def numbers(model: object, name: str, *arguments: object, shape: tuple[int, ...]) -> Tensor:
    """What a method gives: float64 numbers of this shape, or words about what is wrong with them."""
    with torch.no_grad():
        value = method(model, name)(*arguments)
    try:
        given = as_numbers(value)
    except Unusable as unusable:
        words = unusable.problem.message.replace("It returned", f"`{name}` returned", 1)
        raise Unusable("not yet", f"{name}: {unusable.problem.diagnosis}", words) from None
    return _of_shape(given, name, shape)


def _of_shape(given: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    if given.shape != shape:
        raise Unusable(
            "not yet",
            f"the shape of {name}",
            f"`{name}` gave a tensor of shape {tuple(given.shape)} where {shape} is due.",
        )
    return given


def encoded(model: object, x: Tensor, latent: int) -> tuple[Tensor, Tensor]:
    """Mean and log_var, float64."""
    with torch.no_grad():
        both = method(model, "encode")(x)
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise Unusable(
            "not yet",
            "encode gives no pair",
            f"`encode` returned {shape_of(both)}; two tensors are due, (mean, log_var).",
        )
    mean, log_var = (
        _of_shape(as_numbers(each), "encode", (len(x), latent)) for each in both
    )
    return mean, log_var


def decoded(model: object, z: Tensor, shape: tuple[int, int, int] = (1, 7, 7)) -> Tensor:
    """Probabilities of ink for codes (…, latent), (…, pixels)."""
    flat = z.flatten(0, -2).float()
    p = numbers(model, "decode", flat, shape=(len(flat), *shape))
    if not p.isfinite().all():
        raise Unusable(
            "not yet",
            "decode is not finite",
            "After the training `decode` gave NaN or an infinity: an exponential of a large number, or steps that are "
            "too large?",
        )
    if p.min() < 0 or p.max() > 1:
        raise Unusable(
            "not yet",
            "decode gives no probabilities",
            f"`decode` gave numbers from {p.min():.2f} to {p.max():.2f}; probabilities of "
            "ink lie between 0 and 1. Are these the logits, before the sigmoid?",
        )
    return p.view(*z.shape[:-1], -1)


def small(fn: Callable) -> Tensor:
    """On images of 5 by 6 pixels, after one step and after three: what stays the same, and where chance comes from."""
    images = (torch.rand(200, 1, 5, 6, generator=seeded_by(2)) < 0.4).float()
    x, z = images[:8].clone(), torch.randn(8, LATENT, generator=seeded_by(3))

    def after(steps: int, seed: int) -> tuple[object, Tensor, Tensor, Tensor]:
        model = built(fn, images, LATENT, steps, seed)
        own = torch.get_rng_state()
        return model, pictures(model, z), codes(model, x), own

    def pictures(model: object, z: Tensor) -> Tensor:
        return decoded(model, z.clone(), (1, 5, 6))

    def codes(model: object, x: Tensor) -> Tensor:
        return torch.stack(encoded(model, x.clone(), LATENT))

    def elbo(x: Tensor, generator: torch.Generator) -> Tensor:
        return numbers(model, "elbo", x.clone(), generator, shape=(len(x),))

    def sample(generator: torch.Generator) -> Tensor:
        return numbers(model, "sample", 9, generator, shape=(9, 1, 5, 6))

    def apart(one: tuple, other: tuple) -> Tensor:
        return (one[1] - other[1]).abs().max() + (one[2] - other[2]).abs().max()

    first, last = after(1, 1), after(3, 1)
    model, generator = last[0], seeded_by(3)
    copies = x[:1].repeat(16, 1, 1, 1)
    calls = [elbo(copies, generator) for _ in range(2)]
    each = elbo(x, generator)
    numbers(model, "elbo", kept := x.clone(), generator, shape=(8,))
    samples = sample(generator)
    again, other = after(3, 1), after(3, 2)
    seen = {
        "decoder_moves": (first[1] - last[1]).abs().max(),
        "encoder_moves": (first[2] - last[2]).abs().max(),
        "over_codes": (last[1].amax(0) - last[1].amin(0)).max(),
        "odd": ((samples != 0) & (samples != 1)).double().mean(),
        "encode_twice": (codes(model, x) - last[2]).abs().max(),
        "alone": (codes(model, x[:3]) - last[2][:, :3]).abs().max()
        + (pictures(model, z[:3]) - last[1][:3]).abs().max(),
        "elbo_changes_x": (kept - x).abs().max(),
        "over_images": each.max() - each.min(),
        "over_copies": calls[0].max() - calls[0].min(),
        "over_calls": (calls[0] - calls[1]).abs().max(),
        "own_chance": torch.tensor(not first[3].equal(last[3])),
        "same_seed": apart(last, again),
        "other_seed": apart(last, other),
        "elbo": chance(lambda generator: elbo(copies, generator), SEEDS[3]),
        "sample": chance(sample, SEEDS[4]),
    }  # fmt: skip
    return torch.cat([value.double().reshape(-1) for value in seen.values()])


SMALL = (
    "decoder_moves", "encoder_moves", "over_codes", "odd", "encode_twice", "alone", "elbo_changes_x",
    "over_images", "over_copies", "over_calls", "own_chance", "same_seed", "other_seed",
)  # fmt: skip


class Named:
    """Columns of numbers by their names."""

    def __init__(self, names: tuple[str, ...], columns: Tensor) -> None:
        self.__dict__.update(zip(names, columns))


def log_likelihood(x: Tensor, p: Tensor) -> Tensor:
    """log P(x|z) for x (N, 1, H, W), p (N, S, H·W): (N, S) nats."""
    p, x = p.clamp(1e-12, 1 - 1e-12), x.flatten(1)[:, None].double()
    return (x * p.log() + (1 - x) * (-p).log1p()).sum(2)


def elbos(model: object, x: Tensor, number: int) -> Tensor:
    """elbo of every image, with many draws of the code, (N, DRAWS)."""
    many = x.repeat_interleave(DRAWS, 0)
    given = numbers(model, "elbo", many, seeded_by(number), shape=(len(many),))
    return given.view(len(x), DRAWS)


PARTS = (
    "given", "given_variance", "explained_variance", "log_px_z", "kl", "reversed", "wide", "kl_wide", "tied",
    "ink_only", "squares", "no_log", "no_mean", "no_variance",
)  # fmt: skip


def parts(fn: Callable) -> Tensor:
    """What elbo gives on average, and what encode and decode give for its terms, rightly and wrongly: (IMAGES, terms).

    Half of the images are digits with their pixels shuffled: on what the model was not trained on it has not learned
    to hide a mistake, as by a variance that is 1 everywhere.
    """
    seen, held_out = digits()
    x = held_out[:IMAGES].clone()
    shuffled = x[IMAGES // 2 :].flatten(1)[
        :, torch.randperm(PIXELS, generator=seeded_by(0))
    ]
    x[IMAGES // 2 :] = shuffled.view(-1, 1, 7, 7)
    model = built(fn, seen, LATENT, 60, SEEDS[2])
    given = elbos(model, x, 3)
    mean, log_var = (each[:, None] for each in encoded(model, x.clone(), LATENT))
    e = torch.randn(IMAGES, DRAWS, LATENT, generator=seeded_by(4)).double()
    spread = (log_var / 2).exp()
    p = decoded(model, mean + spread * e)
    log_px_z = log_likelihood(x, p)
    ink = x.flatten(1)[:, None].double()

    def explained(z: Tensor) -> Tensor:
        return log_likelihood(x, decoded(model, z)).mean(1)

    def summed(kl: Tensor) -> Tensor:
        return (0.5 * kl).sum((1, 2))

    return torch.stack(
        [
            given.mean(1),
            given.var(1) / DRAWS,
            log_px_z.var(1) / DRAWS,
            log_px_z.mean(1),
            summed(log_var.exp() - 1 - log_var + mean**2),
            summed((1 + mean**2) * (-log_var).exp() - 1 + log_var),
            explained(mean + log_var.exp() * e),
            summed((2 * log_var).exp() - 1 - 2 * log_var + mean**2),
            explained(mean + spread * e[..., :1]),
            (ink * p.clamp(min=1e-12).log()).sum(2).mean(1),
            (ink - p).square().sum(2).mean(1),
            summed(log_var.exp() - 1 + mean**2),
            summed(log_var.exp() - 1 - log_var),
            summed(mean**2),
        ],
        1,
    ).nan_to_num(
        1e30, 1e30, -1e30
    )  # of a wrong formula; elbo itself is asked for finite numbers elsewhere


def samples(fn: Callable) -> Tensor:
    """Mean pictures: of two calls of sample, of decode(z) with z from N(0, I), of that rounded, and of z = 0.

    The last three of the eight rows have the variance of the number of inked pixels: as sampled; as it should be; and
    that within the first call beside that of independent pixels, as all images of one code have it.
    """
    model = built(fn, digits()[0], 2, 60, SEEDS[4])
    n, generator = 1500, seeded_by(3)
    drawn = [
        numbers(model, "sample", n, generator, shape=(n, 1, 7, 7)).flatten(1) for _ in "ab"
    ]
    p = decoded(model, torch.randn(6000, 2, generator=seeded_by(4)))
    ink = torch.cat(drawn).sum(1).var(), p.sum(1).var() + (p * (1 - p)).sum(1).mean()
    mean = drawn[0].mean(0)
    together = drawn[0].sum(1).var() / (mean * (1 - mean)).sum().clamp(min=1e-9)
    return torch.stack(
        [
            *(each.mean(0) for each in drawn),
            p.mean(0),
            (p > 0.5).double().mean(0),
            decoded(model, torch.zeros(1, 2))[0],
            *(each.expand(PIXELS) for each in (*ink, together)),
        ]
    )


def integral(fn: Callable) -> Tensor:
    """With a code of one number: mean of elbo, its standard error, and log P(x) as an integral over z, (3, IMAGES)."""
    seen, held_out = digits()
    x = held_out[IMAGES : 2 * IMAGES]
    model = built(fn, seen, 1, 30, SEEDS[3])
    given = elbos(model, x.clone(), 4)
    z = torch.linspace(-8, 8, 1601).double()[None, :, None]
    log_pz = (-z.square() / 2)[..., 0].log_softmax(1)
    exact = (log_likelihood(x, decoded(model, z)) + log_pz).logsumexp(1)
    return torch.stack([given.mean(1), given.std(1) / DRAWS**0.5, exact])


STEPS = 300
TRAINED = (
    "bound", "independent", "kl", "variety", "log_var", "least", "over_images", "over_dimensions",
)  # fmt: skip


def trained(fn: Callable) -> Tensor:
    """After STEPS steps, on held-out digits: the ELBO beside that of independent pixels, the KL, and more."""
    seen, held_out = digits()
    model = built(fn, seen, 2, STEPS, SEEDS[2])
    many = held_out.repeat(4, 1, 1, 1)
    bound = numbers(model, "elbo", many, seeded_by(3), shape=(len(many),)).mean()
    mean, log_var = encoded(model, held_out.clone(), 2)
    kl = 0.5 * (log_var.exp() - 1 - log_var + mean**2).sum(1).mean()
    p = decoded(model, torch.randn(500, 2, generator=seeded_by(4)))
    ink = ((seen.sum(0) + 1) / (len(seen) + 2)).double()
    independent = (
        (held_out * ink.log() + (1 - held_out) * (1 - ink).log()).sum((1, 2, 3)).mean()
    )
    return torch.stack(
        [
            bound,
            independent,
            kl,
            p.std(0).mean(),
            log_var.abs().mean(),
            p.min(),
            log_var.std(0).max(),
            log_var.std(1).mean(),
        ]
    )
