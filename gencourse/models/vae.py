"""Variational autoencoders: a mixture of infinitely many components, one for every code z.

    P(x) = ∫ P(x|z) P(z) dz,    z ~ N(0, I),    x|z ~ the decoder's distribution.

The integral has no closed form. An encoder q(z|x) = N(m, exp(log_var)) makes a lower bound of it that can be climbed,

    log P(x) ≥ ELBO = E_q[log P(x|z)] − KL(q(z|x) ‖ P(z)),    log P(x) − ELBO = KL(q(z|x) ‖ P(z|x))

(Kingma and Welling, arXiv:1312.6114, section 2.2), and with several draws a tighter one (Burda et al.,
arXiv:1509.00519).
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal, kl_divergence

from gencourse.models.checks import (
    check_body,
    check_codes,
    check_decodable,
    check_mixture_weights,
    check_sigma,
    check_widths,
)
from gencourse.models.settings import at_least_float32, draw_noise, first_weight
from gencourse.support.checks import check_choice, number, positive_integer, shape_of_events

Likelihood = Literal["bernoulli", "gaussian"]
LIKELIHOODS = get_args(Likelihood)
Body = Literal["dense", "convolutional"]
BODIES = get_args(Body)
Method = TypeVar("Method", bound=Callable)


def full_precision(method: Method) -> Method:
    """Turn autocast off inside a method: likelihoods are evaluated in the precision of the weights, unlike `loss`."""

    @functools.wraps(method)
    def evaluate(self: nn.Module, *arguments: Any, **named: Any) -> Any:
        with torch.autocast(first_weight(self).device.type, enabled=False):
            return method(self, *arguments, **named)

    return evaluate


class LatentVariableModel(nn.Module):
    """What every model with a Gaussian code promises: bounds of log P(x), draws, the KL of each dimension.

    A subclass gives `encode(x)`, the Normal distribution q(z|x), and `decode(z)`, the distribution P(x|z).

    Args:
        event_shape: shape of one example. latent: number of dimensions of the code.
        likelihood: "bernoulli" for binary data, "gaussian" for real-valued data.
        beta, free_bits, n_samples: what `loss` minimises, see there.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        latent: int,
        likelihood: Likelihood,
        beta: float = 1.0,
        free_bits: float = 0.0,
        n_samples: int = 1,
    ) -> None:
        super().__init__()
        check_choice("likelihood", likelihood, LIKELIHOODS)
        self.event_shape = shape_of_events(event_shape)
        self.latent = positive_integer("latent", latent)
        self.likelihood = likelihood
        self.beta, self.free_bits = number("beta", beta), number("free_bits", free_bits)
        self.n_samples = positive_integer("n_samples", n_samples)
        if self.n_samples > 1 and (self.beta, self.free_bits) != (1, 0):
            raise ValueError(f"n_samples is {n_samples}: the importance-weighted bound knows no beta or free_bits")

    # -- what a subclass gives ---------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Normal:
        """q(z|x) with mean m and variance exp(log_var): (B, *event_shape) -> Normal of (B, latent)."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Distribution:
        """P(x|z), every pixel given the code independent of the others: (…, latent) -> (…, *event_shape)."""
        raise NotImplementedError

    # -- what all of them share --------------------------------------------------------------------------

    @property
    def prior(self) -> Normal:
        """P(z) = N(0, I), one dimension at a time."""
        weight = first_weight(self)
        zero = torch.zeros((), device=weight.device, dtype=weight.dtype)
        return Normal(zero, zero + 1, validate_args=False)

    @full_precision
    def elbo(
        self, x: Tensor, beta: float = 1.0, free_bits: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Evidence lower bound with one draw of z for each x, E_q[log P(x|z)] − β·KL(q(z|x) ‖ P(z)).

        With β = 1 the estimator of Kingma and Welling, arXiv:1312.6114, equation 7.

        Args:
            x: (B, *event_shape), zeros and ones for a Bernoulli decoder, floating-point numbers for a Gaussian one.
            beta: weight of the KL (Higgins et al. 2017); a bound of log P(x) from beta ≥ 1 on.
            free_bits: nats that each dimension may use without being charged, KL_j -> max(KL_j, free_bits), for each
                example by itself (Kingma et al., arXiv:1606.04934, appendix C.8, take the mean of the batch).

        Returns:
            (B,) nats, summed over pixels and over code dimensions.

        Raises:
            TypeError, ValueError: data that the decoder cannot produce, a negative beta or free_bits.
        """
        return self._elbo(x, number("beta", beta), number("free_bits", free_bits), generator)

    def _elbo(self, x: Tensor, beta: float, free_bits: float, generator: torch.Generator | None = None) -> Tensor:
        x = self.check_data(x)
        q = self.encode(x)
        z = reparameterise(q.mean, q.stddev, generator)  # (B, latent)
        log_px_z = _per_example(self.decode(z).log_prob(x), 1)
        kl = kl_divergence(q, self.prior).clamp(min=free_bits).sum(1)
        return log_px_z - beta * kl if beta else log_px_z  # with no KL the noise may go to zero, and 0 · ∞ is NaN

    @full_precision
    def importance_bound(
        self, x: Tensor, n_samples: int = 5000, generator: torch.Generator | None = None, chunk: int = 1000
    ) -> Tensor:
        """log of the mean of n weights P(x|z)P(z)/q(z|x): rises to log P(x) with n (arXiv:1509.00519, eq. 8).

        Args:
            chunk: pairs of an example and a draw that are decoded at a time. The memory depends on it, and which draws
                of the generator an example gets; the law of the value does not. While gradients are on, all pairs are
                decoded at once: the graph has to keep them anyway.

        Returns:
            (B,) nats: for n_samples = 1 the ELBO, with the KL drawn instead of computed.
        """
        n_samples, chunk = positive_integer("n_samples", n_samples), positive_integer("chunk", chunk)
        return self._importance_bound(x, n_samples, generator, chunk)

    def _importance_bound(
        self, x: Tensor, n_samples: int, generator: torch.Generator | None = None, chunk: int = 1000
    ) -> Tensor:
        x = self.check_data(x)
        if torch.is_grad_enabled():
            chunk = len(x) * n_samples
        examples = max(1, chunk // n_samples)  # that are decoded at a time
        draws = min(n_samples, chunk // examples)  # of each of them
        bounds = []
        for part in x.split(examples):
            q = self.encode(part)
            log_weights = []
            for start in range(0, n_samples, draws):
                size = (min(draws, n_samples - start), *q.mean.shape)
                z = reparameterise(q.mean.expand(size), q.stddev, generator)  # (S, B, latent)
                log_px_z = _per_example(self.decode(z).log_prob(part), 2)  # (S, B)
                log_pz = self.prior.log_prob(z).sum(2)
                log_qz = q.log_prob(z).sum(2)
                log_weights.append(torch.logsumexp(log_px_z + log_pz - log_qz, 0))
            bounds.append(torch.logsumexp(torch.stack(log_weights), 0) - math.log(n_samples))
        return torch.cat(bounds)

    def loss(self, x: Tensor) -> Tensor:
        """−ELBO with the model's `beta` and `free_bits`, or −importance bound if `n_samples` > 1: nats per example."""
        if self.n_samples > 1:
            return -self._importance_bound(x, self.n_samples).mean()
        return -self._elbo(x, self.beta, self.free_bits).mean()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw a code, then an event: (n, *event_shape), uint8 (Bernoulli decoder) or real numbers (Gaussian)."""
        n, weight = positive_integer("n", n, least=0), first_weight(self)
        z = draw_noise(torch.randn, (n, self.latent), weight.device, generator, weight.dtype)
        return self.draw(z, generator)

    @torch.no_grad()
    @full_precision
    def draw(self, z: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw an event for each code: (n, latent) -> (n, *event_shape)."""
        p = self.decode(z)
        if self.likelihood == "bernoulli":
            return (draw_noise(torch.rand, p.mean.shape, p.mean.device, generator) < p.mean).to(torch.uint8)
        return reparameterise(p.mean, p.stddev.expand_as(p.mean), generator)

    @torch.no_grad()
    @full_precision
    def log_mixture(self, x: Tensor, codes: Tensor, log_weights: Tensor, chunk: int = 2048) -> Tensor:
        """log Σ_k w_k P(x|z_k): the model with its integral over z replaced by a finite mixture.

        Args:
            x: (B, *event_shape). codes: (K, latent). log_weights: (K,), logarithms of weights that sum to one.
            chunk: codes that are decoded at a time.

        Returns:
            (B,) nats.
        """
        x, codes, chunk = self.check_data(x), self.check_codes(codes), positive_integer("chunk", chunk)
        check_mixture_weights(log_weights, codes, self.latent)
        parts = []
        for i in range(0, len(codes), chunk):
            log_px_z = _all_pairs(self.decode(codes[i : i + chunk]), x)  # (B, K)
            parts.append(torch.logsumexp(log_px_z + log_weights[i : i + chunk], 1))
        return torch.logsumexp(torch.stack(parts), 0)

    @torch.no_grad()
    @full_precision
    def kl_per_dimension(self, x: Tensor) -> Tensor:
        """KL(q(z_j|x) ‖ N(0, 1)) of every code dimension, averaged over the examples: (latent,) nats."""
        return kl_divergence(self.encode(self.check_data(x)), self.prior).mean(0)

    @torch.no_grad()
    @full_precision
    def active_units(self, x: Tensor, threshold: float = 0.01) -> Tensor:
        """Dimensions whose mean m_j(x) moves with x: variance over x above 0.01 (arXiv:1509.00519, section 5.2).

        Returns:
            (latent,) bool.
        """
        x, threshold = self.check_data(x), number("threshold", threshold)
        if len(x) < 2:
            raise ValueError(f"x has {len(x)} example; a variance over examples needs two at least")
        return self.encode(x).mean.var(0) > threshold

    def check_data(self, x: Tensor) -> Tensor:
        """x in the dtype of the weights, or an error if the decoder's distribution cannot produce it."""
        return check_decodable(x, self.event_shape, self.likelihood, type(self).__name__, first_weight(self).dtype)

    def check_codes(self, z: Tensor) -> Tensor:
        """z in the dtype of the weights, or an error unless it is (…, latent)."""
        return check_codes(z, self.latent, first_weight(self).dtype)


def reparameterise(mean: Tensor, std: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """c = std·e + m with e ~ N(0, I): a draw from N(m, std²) that gradients pass through (arXiv:1312.6114, 2.4).

    With log_var for the logarithm of the variance, std = exp(log_var / 2).
    """
    e = draw_noise(torch.randn, mean.shape, mean.device, generator, mean.dtype)
    return std * e + mean


class VAE(LatentVariableModel):
    """Encoder and decoder are networks; both give distributions of `torch.distributions`.

    Args:
        event_shape: such as (1, 28, 28) or (2,). latent: dimensions of the code.
        likelihood: "bernoulli" (zeros and ones) or "gaussian" (real numbers).
        hidden: widths of the layers between, encoder first; the decoder has them in reverse.
        body: "dense", or "convolutional" for (C, H, W) with H and W divisible by 4: two convolutions of stride 2 come
            before the dense layers of the encoder, and two transposed ones after those of the decoder.
        channels: of the first convolution; the second has twice as many.
        gated: the dense layers between are gated linear units (Dauphin et al., arXiv:1612.08083), as in Tomczak and
            Welling, arXiv:1705.07120; else SiLU.
        sigma: standard deviation of a Gaussian decoder: a positive number; "learned", one for all pixels; or
            "predicted" by the decoder for every pixel and code, at least exp(−4). A Bernoulli decoder has none.
        beta, free_bits: of the ELBO that `loss` minimises. n_samples: draws of the bound that `loss` minimises, more
            than one for an importance-weighted autoencoder.

    The default is the model of Burda et al., arXiv:1509.00519, section 5, with another activation.

    Raises:
        TypeError, ValueError: an argument that makes no sense, or does not fit the others.

    >>> vae = VAE((1, 4, 4), latent=2, hidden=(8,))
    >>> images = vae.sample(3, torch.Generator().manual_seed(0))
    >>> images.shape, vae.encode(images).mean.shape, vae.elbo(images).shape
    (torch.Size([3, 1, 4, 4]), torch.Size([3, 2]), torch.Size([3]))
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (1, 28, 28),
        latent: int = 50,
        likelihood: Likelihood = "bernoulli",
        hidden: Sequence[int] = (200, 200),
        body: Body = "dense",
        channels: int = 32,
        sigma: float | Literal["learned", "predicted"] = 1.0,
        beta: float = 1.0,
        free_bits: float = 0.0,
        n_samples: int = 1,
        gated: bool = False,
    ) -> None:
        super().__init__(event_shape, latent, likelihood, beta, free_bits, n_samples)
        self.sigma = check_sigma(sigma, likelihood)
        self.parts = 2 if sigma == "predicted" else 1  # of the decoder's output: m, and log σ
        self.encoder, self.decoder = new_networks(
            self.event_shape, self.latent, self.parts, hidden, body, channels, gated
        )
        if sigma == "learned":
            self.log_sigma = nn.Parameter(torch.zeros(()))

    def encode(self, x: Tensor) -> Normal:
        mean, log_var = at_least_float32(self.encoder(self.check_data(x))).chunk(2, -1)  # (B, latent) each
        return Normal(mean, (log_var / 2).exp(), validate_args=False)

    def decode(self, z: Tensor) -> Distribution:
        z = self.check_codes(z)
        out = at_least_float32(self.decoder(z.reshape(-1, self.latent)))  # (N, parts · C, …)
        out = out.view(*z.shape[:-1], self.parts, *self.event_shape)
        mean, *log_sigma = out.unbind(z.dim() - 1)  # (…, *event_shape) each
        if self.likelihood == "bernoulli":
            return Bernoulli(logits=mean, validate_args=False)
        if self.sigma == "predicted":
            return Normal(mean, log_sigma[0].clamp(min=-4).exp(), validate_args=False)
        sigma = self.log_sigma.exp() if self.sigma == "learned" else mean.new_tensor(self.sigma)
        return Normal(mean, sigma, validate_args=False)


class Autoencoder(nn.Module):
    """The same two networks without noise: the code is a point, nothing says which codes are likely.

    No distribution over x, hence no `log_prob`, `elbo` or `sample`. Arguments and errors as for `VAE`.

    >>> autoencoder = Autoencoder((1, 4, 4), latent=2, hidden=(8,))
    >>> codes = autoencoder.encode(torch.zeros(3, 1, 4, 4))
    >>> codes.shape, autoencoder.decode(codes).mean.shape
    (torch.Size([3, 2]), torch.Size([3, 1, 4, 4]))
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (1, 28, 28),
        latent: int = 50,
        likelihood: Likelihood = "bernoulli",
        hidden: Sequence[int] = (200, 200),
        body: Body = "dense",
        channels: int = 32,
    ) -> None:
        super().__init__()
        # a VAE that is never asked for noise lends its checks and its decoder
        self.vae = VAE(event_shape, latent, likelihood, hidden, body, channels)
        self.event_shape, self.latent = self.vae.event_shape, self.vae.latent

    def encode(self, x: Tensor) -> Tensor:
        """(B, *event_shape) -> codes (B, latent)."""
        return self.vae.encode(x).mean

    def decode(self, z: Tensor) -> Distribution:
        """Codes (…, latent) -> distribution of (…, *event_shape)."""
        return self.vae.decode(z)

    def loss(self, x: Tensor) -> Tensor:
        """−log P(x | code of x), nats per example: no bound of log P(x)."""
        x = self.vae.check_data(x)
        return -_per_example(self.decode(self.encode(x)).log_prob(x), 1).mean()


class WarmUp(nn.Module):
    """A VAE for `fit`, whose KL comes to count: `loss` is −(E_q[log P(x|z)] − β·KL), β rising from 0 to the VAE's own.

    From the start with β = 1, a code dimension that has nothing to say yet is switched off before it has learned to
    (Sønderby et al., arXiv:1602.02282, section 2.3). The steps that were made are counted in a buffer, so that a run
    that is resumed goes on with its β.

    Args:
        vae: with the plain bound, n_samples = 1. steps: calls of `loss` in training until β has risen.
    """

    def __init__(self, vae: LatentVariableModel, steps: int) -> None:
        super().__init__()
        self.vae, self.steps = vae, positive_integer("steps", steps)
        if vae.n_samples > 1:
            raise ValueError(f"n_samples is {vae.n_samples}: the importance-weighted bound has no KL to warm up")
        self.register_buffer("done", torch.zeros((), dtype=torch.long, device=first_weight(vae).device))

    def loss(self, x: Tensor) -> Tensor:
        """−(E_q[log P(x|z)] − β·KL) in nats per example, β as far as it has risen; in `eval` the VAE's own loss."""
        if not self.training:
            return self.vae.loss(x)
        beta = self.vae.beta * min(1.0, self.done.item() / self.steps)
        self.done += 1
        return -self.vae._elbo(x, beta, self.vae.free_bits).mean()


# -- networks ----------------------------------------------------------------------------------------------------


def new_networks(
    event_shape: tuple[int, ...],
    latent: int,
    parts: int,
    hidden: Sequence[int],
    body: Body,
    channels: int,
    gated: bool,
) -> tuple[nn.Module, nn.Module]:
    """Encoder (B, *event_shape) -> (B, 2 · latent) and decoder (B, latent) -> (B, parts · C, …); see `VAE`."""
    widths = check_widths(hidden, "(200, 200)")
    check_body(body, BODIES, event_shape)
    if body == "dense":
        size = math.prod(event_shape)
        encoder = nn.Sequential(SignedPixels(), nn.Flatten(), *dense_layers([size, *widths, 2 * latent], gated))
        decoder = nn.Sequential(*dense_layers([latent, *widths[::-1], parts * size], gated))
        return encoder, decoder
    first = positive_integer("channels", channels)
    second = 2 * first
    height, width = event_shape[1] // 4, event_shape[2] // 4
    size = second * height * width
    encoder = nn.Sequential(
        SignedPixels(),
        nn.Conv2d(event_shape[0], first, 4, stride=2, padding=1),
        nn.SiLU(),  # (B, first, H/2, W/2)
        nn.Conv2d(first, second, 4, stride=2, padding=1),
        nn.SiLU(),  # (B, second, H/4, W/4)
        nn.Flatten(),
        *dense_layers([size, *widths, 2 * latent], gated),
    )
    decoder = nn.Sequential(
        *dense_layers([latent, *widths[::-1], size], gated),
        nn.SiLU(),
        nn.Unflatten(1, (second, height, width)),
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.ConvTranspose2d(first, parts * event_shape[0], 4, stride=2, padding=1),
    )
    return encoder, decoder


def dense_layers(sizes: Sequence[int], gated: bool) -> list[nn.Module]:
    """Linear layers of these sizes, and between them SiLU, or gated linear units."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:-1]):
        if gated:
            layers += [nn.Linear(inputs, 2 * outputs), nn.GLU()]
        else:
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return [*layers, nn.Linear(sizes[-2], sizes[-1])]


class SignedPixels(nn.Module):
    """Zeros and ones to -1 and 1, so that an empty pixel speaks as loudly as one with ink."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x - 1


def _per_example(log_prob: Tensor, batch_dims: int) -> Tensor:
    """Sum over the event: (…, *event_shape) -> (…), nats."""
    return log_prob.flatten(batch_dims).sum(batch_dims)


def _all_pairs(p: Distribution, x: Tensor) -> Tensor:
    """log P(x_i|z_k) for every pair, without the (B, K, D) array: p of K events, (B, *event_shape) -> (B, K) nats."""
    x = x.flatten(1)
    if isinstance(p, Bernoulli):  # log p = x·logit − log(1 + exp(logit)), summed over pixels
        logits = p.logits.flatten(1)
        return x @ logits.T - F.softplus(logits).sum(1)
    # large terms that nearly cancel where σ is small: in float32 their difference would be wrong by whole nats
    x = x.double()
    mean = p.mean.flatten(1).double()  # (K, D)
    std = p.stddev.expand_as(p.mean).flatten(1).double()
    a = std.square().reciprocal()  # (x − µ)²/σ² = x²a − 2xµa + µ²a
    square = x.square() @ a.T - 2 * x @ (mean * a).T + (mean.square() * a).sum(1)
    log_p = -0.5 * square - std.log().sum(1) - 0.5 * math.log(2 * math.pi) * x.shape[1]
    return log_p.to(p.mean.dtype)
