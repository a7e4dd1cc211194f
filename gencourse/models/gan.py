"""Generative adversarial networks: a sampler without a likelihood, trained by a contest.

A generator G pushes noise through a function, x = G(z) with z ~ N(0, I). Which density that gives cannot be computed. A
discriminator D is trained to tell its samples from data, and G to be taken for data (Goodfellow et al.,
arXiv:1406.2661, equation 1):

    min_G max_D  V(D, G) = E_x[log D(x)] + E_z[log(1 − D(G(z)))].

Against a fixed G with density Q the best D is P/(P + Q), and V is then 2·JS(P, Q) − 2 log 2 (proposition 1, theorem 1).
All discriminators here return the logit of D(x), a number without bounds: D(x) = sigmoid(logit).
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import drawn, with_gradients, working
from .checks import INTEGERS, article, number, positive_integer, shape_of_events

LOSSES = ("original", "non-saturating", "wasserstein", "hinge")
BODIES = ("dense", "convolutional")

# A recipe that holds in two dimensions, for data that are stretched to go from -4 to 4: the widths of both players, the
# game, and how `fit_gan` plays it.
RECIPE = dict(
    latent=2,
    hidden=(128, 128, 128, 128),
    hidden_d=(128, 128, 128),
    game=dict(loss="non-saturating", r1=0.3),
    fit=dict(steps=9000, batch_size=128, lr=2e-3, betas=(0.0, 0.99), anneal="cosine", average=0.999),
)

# -- the two halves of the game ----------------------------------------------------------------------------------


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, loss: str = "non-saturating") -> Tensor:
    """What D minimises: high logits for data, low ones for samples.

        original, non-saturating   −E[log D(x)] − E[log(1 − D(G(z)))]      2 log 2 − 2·JS at the best D
        wasserstein                −E[l(x)] + E[l(G(z))]                   l the logit, here called a critic's score
        hinge                      E[max(0, 1 − l(x))] + E[max(0, 1 + l(G(z)))]

    Goodfellow et al. 2014; Arjovsky et al., arXiv:1701.07875; Lim and Ye, arXiv:1705.02894.

    Args:
        real_logits, fake_logits: (B,) each, of as many real as generated examples.

    Returns:
        a scalar; nats for the first two.

    Raises:
        TypeError, ValueError: logits that are no tensors, unlike or empty batches, an unknown loss.
    """
    _check_loss(loss)
    for name, logits in (("real_logits", real_logits), ("fake_logits", fake_logits)):
        _check_logits(name, logits)
    if real_logits.shape != fake_logits.shape:
        raise ValueError(f"real_logits has shape {tuple(real_logits.shape)}, fake_logits {tuple(fake_logits.shape)}; "
                         "expected batches of one size: D would learn which is larger, and means weigh them alike")
    if loss == "wasserstein":
        return fake_logits.mean() - real_logits.mean()
    if loss == "hinge":
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()  # −log sigmoid(l) = softplus(−l)


def generator_loss(fake_logits: Tensor, loss: str = "non-saturating") -> Tensor:
    """What G minimises: that its samples get high logits.

        original             E[log(1 − D(G(z)))]    flat where D(G(z)) ≈ 0: where G is bad it learns nothing
        non-saturating       −E[log D(G(z))]        the same fixed point, steepest there (arXiv:1406.2661, section 3)
        wasserstein, hinge   −E[l(G(z))]

    Args:
        fake_logits: (B,) logits of generated examples.

    Returns:
        a scalar.

    Raises:
        TypeError, ValueError: logits that are no tensor, an empty batch, an unknown loss.
    """
    _check_loss(loss)
    _check_logits("fake_logits", fake_logits)
    if loss == "original":
        return -F.softplus(fake_logits).mean()  # log(1 − sigmoid(l)) = −softplus(l)
    if loss == "non-saturating":
        return F.softplus(-fake_logits).mean()
    return -fake_logits.mean()


def gradient_penalty(discriminator: Callable, real: Tensor, fake: Tensor, generator: torch.Generator | None = None,
                     target: float = 1.0, condition: Tensor | None = None) -> Tensor:  # fmt: skip
    """E[(‖∇_x l(x)‖ − target)²] at x = u·real + (1 − u)·fake, u uniform in [0, 1], one u an example.

    Gulrajani et al., arXiv:1704.00028, section 4. The norm is that of one example's gradient, over all its pixels, so
    that a BatchNorm, which makes a logit depend on the whole batch, has no place in such a discriminator. A packed
    discriminator takes a pack for one example, and so does the norm.

    Args:
        discriminator: called with (B, *event_shape), and the condition if there is one, it gives logits.
        real, fake: (B, *event_shape) each. generator: source of u.

    Returns:
        a scalar, differentiable with respect to the weights of the discriminator.

    Raises:
        TypeError, ValueError: real and fake of unlike shapes, a negative target.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real has shape {tuple(real.shape)}, fake {tuple(fake.shape)}; a point between two examples "
                         "needs pairs of one shape")
    target = number("target", target)
    u = drawn(torch.rand, (len(real), *[1] * (real.dim() - 1)), real.device, generator, real.dtype)
    with with_gradients():
        x = u * real + (1 - u) * fake
        x = x if x.requires_grad else x.requires_grad_()  # fakes carry a gradient where D is unrolled
        norm = _gradient(discriminator(x, *_given(condition)), x).norm(dim=1)
        penalty = (norm - target).square().mean()
    return penalty if torch.is_grad_enabled() else penalty.detach()


def r1_penalty(discriminator: Callable, real: Tensor, condition: Tensor | None = None) -> Tensor:
    """E‖∇_x l(x)‖² at the data: D has to be flat where nothing is left to correct.

    Mescheder et al., arXiv:1801.04406, equation 9; its weight γ/2 is that of `GAN`. Per example, as in
    `gradient_penalty`.

    Args:
        discriminator: called with (B, *event_shape), and the condition if there is one, it gives logits.
        real: (B, *event_shape).

    Returns:
        a scalar, differentiable with respect to the weights of the discriminator.
    """
    with with_gradients():
        real = _leaf(real)
        penalty = _gradient(discriminator(real, *_given(condition)), real).square().sum(1).mean()
    return penalty if torch.is_grad_enabled() else penalty.detach()


def _leaf(x: Tensor) -> Tensor:
    """The same numbers, by which a gradient can be taken."""
    return _usable(x).detach().requires_grad_()


def _usable(x: Tensor) -> Tensor:
    """x, or a copy where it was made in inference mode, which keeps it from being part of a gradient."""
    return x.clone() if x.is_inference() else x


def _gradient(logits: Tensor, x: Tensor) -> Tensor:
    """∇_x of every logit by itself, which is that of their sum: (N, everything that the logit depends on)."""
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.reshape(len(logits), -1)


# -- the two players ---------------------------------------------------------------------------------------------


class Generator(nn.Module):
    """Noise to an event in one pass: forward(z, condition=None), (B, latent) -> (B, *event_shape).

    Images, event_shape (C, H, W), end in a sigmoid: they lie in [0, 1] as the data do, grey/255. A tanh would need data
    in [-1, 1]; whoever forgets hands D a difference that has nothing to do with what is drawn. Other events are real
    numbers and end in a linear layer.

    Args:
        event_shape: such as (2,) or (1, 28, 28). latent: dimensions of the noise.
        hidden: widths of the dense layers.
        body: "dense", or "convolutional" for (C, H, W) with H and W divisible by 4: after the dense layers a transposed
            convolution of stride 2, and a convolution that draws four pixels at each place.
        channels: of the last but one layer of a convolutional body; the one before has twice as many.
        n_classes: if not 0, a class is given beside the noise.
        scale: what comes out is multiplied by it, if it is not an image: a rough size of the data.
    """

    def __init__(self, event_shape=(1, 28, 28), latent=64, hidden=(128, 128), body="dense", channels=32, n_classes=0,
                 scale=1.0):  # fmt: skip
        super().__init__()
        self.event_shape, widths = _sizes(event_shape, hidden, body)
        self.latent, self.n_classes = positive_integer("latent", latent), positive_integer("n_classes", n_classes, 0)
        self.scale = number("scale", scale, "a positive number", open_ended=True)
        inputs = self.latent + self.n_classes
        if body == "dense":
            layers = [*_dense([inputs, *widths, math.prod(self.event_shape)]), nn.Unflatten(1, self.event_shape)]
        else:
            (depth, height, width), last = self.event_shape, positive_integer("channels", channels)
            layers = [
                *_dense([inputs, *widths, 2 * last * height * width // 16], 0.2), nn.LeakyReLU(0.2),
                nn.Unflatten(1, (2 * last, height // 4, width // 4)),
                nn.ConvTranspose2d(2 * last, last, 4, stride=2, padding=1), nn.LeakyReLU(0.2),  # (B, last, H/2, W/2)
                nn.Conv2d(last, 4 * depth, 3, padding=1), nn.PixelShuffle(2),  # four pixels a place: (B, depth, H, W)
            ]  # fmt: skip
        self.net = nn.Sequential(*layers, nn.Sigmoid() if len(self.event_shape) == 3 else nn.Identity())

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        if not isinstance(z, Tensor) or not z.is_floating_point():
            kind = z.dtype if isinstance(z, Tensor) else article(z)
            raise TypeError(f"z is {kind}; expected a floating-point tensor of noise (B, {self.latent})")
        if z.dim() != 2 or z.shape[1] != self.latent:
            raise ValueError(f"z has shape {tuple(z.shape)}; the noise of this generator is (B, {self.latent})")
        x = self.net(_with_classes(z.to(working(self).dtype), condition, self.n_classes))
        return x if len(self.event_shape) == 3 else self.scale * x


class Discriminator(nn.Module):
    """The logit of "this is data": forward(x, condition=None), (B, *event_shape) -> (B,).

    No BatchNorm: penalties need a logit to depend on one example alone.

    Args:
        event_shape: such as (2,) or (1, 28, 28).
        hidden: widths of the dense layers.
        body: "dense", or "convolutional" for (C, H, W) with H and W divisible by 4: three convolutions of stride 2
            before the dense layers.
        channels: of the first convolution; each of the next has twice as many.
        n_classes: if not 0, a class is given beside the example.
        pack: examples that are judged together, side by side: the logits are (B / pack,). A generator with few modes
            gives itself away by packs that are too alike (PacGAN, Lin et al., arXiv:1712.04086).
        scale: what comes in is divided by it: a rough size of the data.
    """

    def __init__(self, event_shape=(1, 28, 28), hidden=(128, 128), body="dense", channels=32, n_classes=0, pack=1,
                 scale=1.0):  # fmt: skip
        super().__init__()
        self.event_shape, widths = _sizes(event_shape, hidden, body)
        self.n_classes, self.pack = positive_integer("n_classes", n_classes, 0), positive_integer("pack", pack)
        self.scale, self.body = number("scale", scale, "a positive number", open_ended=True), body
        if body == "dense":
            layers = _dense([self.pack * (math.prod(self.event_shape) + self.n_classes), *widths, 1])
        else:
            (depth, height, width), first = self.event_shape, positive_integer("channels", channels)
            layers = [
                nn.Conv2d(self.pack * (depth + self.n_classes), first, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
                nn.Conv2d(first, 2 * first, 4, stride=2, padding=1), nn.LeakyReLU(0.2),  # (B, 2 · first, H/4, W/4)
                nn.Conv2d(2 * first, 4 * first, 3, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(),
                *_dense([4 * first * math.ceil(height / 8) * math.ceil(width / 8), *widths, 1], 0.2),
            ]  # fmt: skip
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            kind = x.dtype if isinstance(x, Tensor) else article(x)
            raise TypeError(f"x is {kind}; expected a floating-point tensor (B, {_comma(self.event_shape)}), "
                            "grey levels for instance as x.float() / 255")
        if x.dim() == 0 or tuple(x.shape[1:]) != self.event_shape:
            raise ValueError(f"x has shape {tuple(x.shape)}; this discriminator judges event_shape {self.event_shape}, "
                             f"so x must be (batch, {_comma(self.event_shape)})")
        if len(x) == 0 or len(x) % self.pack:
            raise ValueError(f"x has {len(x)} examples; expected a multiple of pack = {self.pack}")
        x = x.to(working(self).dtype)
        x = x / self.scale if self.scale != 1 else x
        x = _with_classes(x.flatten(1) if self.body == "dense" else x, condition, self.n_classes)  # (B, C, …)
        x = x.reshape(len(x) // self.pack, self.pack * x.shape[1], *x.shape[2:])  # a pack side by side, as channels
        return self.net(x).squeeze(1)


# -- the game ----------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What a discriminator made of a batch."""

    loss: Tensor  # a scalar, penalties included
    real: Tensor  # mean of D over the data, and below over the samples: probabilities, without a gradient; plain logits
    fake: Tensor  # where the loss is a critic's, wasserstein or hinge


class GAN(nn.Module):
    """A generator, a discriminator, and what each of them minimises.

    Args:
        generator: with `event_shape` and `latent`, such as `Generator`. discriminator: such as `Discriminator`.
        loss: one of LOSSES.
        r1: γ of R1; half of it weighs `r1_penalty`.
        gradient_penalty: weight of `gradient_penalty`, 10 in the paper.

    Raises:
        TypeError, ValueError: players that do not fit together, an unknown loss, a negative weight, a BatchNorm in a
            discriminator with a per-example penalty.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, loss: str = "non-saturating", r1: float = 0.0,
                 gradient_penalty: float = 0.0):  # fmt: skip
        super().__init__()
        for name, player in (("generator", generator), ("discriminator", discriminator)):
            if not isinstance(player, nn.Module):
                raise TypeError(f"{name} is {article(player)}; expected a torch.nn.Module")
        if not hasattr(generator, "event_shape") or not hasattr(generator, "latent"):
            raise TypeError(f"generator is {article(generator)} without `event_shape` or `latent`; give it both, as "
                            "Generator has them")
        seen = getattr(discriminator, "event_shape", generator.event_shape)
        if tuple(seen) != tuple(generator.event_shape):
            raise ValueError(f"the generator makes event_shape {tuple(generator.event_shape)}, the discriminator "
                             f"judges {tuple(seen)}; expected the same")
        classes = [getattr(player, "n_classes", 0) for player in (generator, discriminator)]
        if classes[0] != classes[1]:
            raise ValueError(f"the generator has n_classes={classes[0]}, the discriminator n_classes={classes[1]}; "
                             "expected the same")
        _check_loss(loss)
        self.loss, self.event_shape, self.latent = loss, tuple(generator.event_shape), generator.latent
        self.r1, self.gradient_penalty = number("r1", r1), number("gradient_penalty", gradient_penalty)
        normalised = [m for m in discriminator.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if normalised and (self.r1 or self.gradient_penalty):
            raise ValueError(f"the discriminator has a {type(normalised[0]).__name__}, so that each logit depends on "
                             "the whole batch, but r1 and gradient_penalty are per example; take LayerNorm, or none")
        self.generator, self.discriminator = generator, discriminator

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I): (n, latent)."""
        weight, n = working(self.generator), positive_integer("n", n, least=0)
        return drawn(torch.randn, (n, self.latent), weight.device, generator, weight.dtype)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """Draw n events, one pass of the generator each: (n, *event_shape), in the dtype of its weights."""
        z = self.noise(n, generator)
        if condition is None:
            return torch.cat([self.generator(part) for part in z.split(1000)])
        _check_classes(condition, len(z))
        return torch.cat([self.generator(*pair) for pair in zip(z.split(1000), condition.split(1000), strict=True)])

    def judge(self, real: Tensor, fake: Tensor, condition: Tensor | None = None,
              generator: torch.Generator | None = None, weights: dict[str, Tensor] | None = None) -> Verdict:
        """The loss of the discriminator, penalties included, and what it thinks of both batches.

        Args:
            real, fake: (B, *event_shape), as many of the one as of the other; of images, grey levels in [0, 1].
            condition: (B,) classes of both. generator: source of the interpolation weights of the gradient penalty.
            weights: parameters for the discriminator to take in place of its own, by name.

        Raises:
            TypeError, ValueError: batches of unlike size or wrong shape, NaN, images outside [0, 1], a batch that
                packs do not divide.
        """
        real, fake = self._check("real", real), self._check("fake", fake)
        if len(real) != len(fake):
            raise ValueError(f"real has {len(real)} examples, fake {len(fake)}; expected batches of one size")
        discriminator, given = self._player(weights), _given(condition)
        with with_gradients() if self.r1 else contextlib.nullcontext():
            leaf, fake = (_leaf(real), _usable(fake)) if self.r1 else (real.detach(), fake)
            real_logits, fake_logits = discriminator(leaf, *given), discriminator(fake, *given)
            loss = discriminator_loss(real_logits, fake_logits, self.loss)
            if self.r1:
                loss = loss + self.r1 / 2 * _gradient(real_logits, leaf).square().sum(1).mean()  # as r1_penalty
        if self.gradient_penalty:
            penalty = gradient_penalty(discriminator, real.detach(), fake, generator, condition=condition)
            loss = loss + self.gradient_penalty * penalty
        loss = loss if torch.is_grad_enabled() else loss.detach()
        critic = self.loss in ("wasserstein", "hinge")
        opinions = [logits.detach() if critic else logits.detach().sigmoid() for logits in (real_logits, fake_logits)]
        return Verdict(loss, opinions[0].mean(), opinions[1].mean())

    def discriminator_loss(self, real: Tensor, fake: Tensor, condition: Tensor | None = None,
                           generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
        """What the discriminator minimises, penalties included: a scalar. Arguments and errors as for `judge`."""
        return self.judge(real, fake, condition, generator).loss

    def generator_loss(self, fake: Tensor, condition: Tensor | None = None,
                       weights: dict[str, Tensor] | None = None) -> Tensor:  # fmt: skip
        """What the generator minimises: a scalar. fake: (B, *event_shape), made by the generator with its gradient."""
        fake = self._check("fake", fake)
        return generator_loss(self._player(weights)(fake, *_given(condition)), self.loss)

    def _player(self, weights: dict[str, Tensor] | None) -> Callable:
        if weights is None:
            return self.discriminator
        return lambda *inputs: torch.func.functional_call(self.discriminator, weights, inputs)

    def _check(self, name: str, x: Tensor) -> Tensor:
        """x, or an error if it is no batch of what the generator makes."""
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} is {article(x)}; expected a torch.Tensor (B, {_comma(self.event_shape)})")
        if x.dim() == 0 or tuple(x.shape[1:]) != self.event_shape:
            raise ValueError(f"{name} has shape {tuple(x.shape)}; this GAN models event_shape {self.event_shape}, so "
                             f"it must be (batch, {_comma(self.event_shape)})")
        if len(x) == 0:
            raise ValueError(f"{name} is an empty batch; expected at least one example")
        if not x.is_floating_point():
            raise TypeError(f"{name} has dtype {x.dtype}; a generator makes real numbers: give float32, grey levels "
                            "for instance as x.float() / 255")
        low, high = (value.item() for value in x.detach().aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
        if len(self.event_shape) == 3 and (low < 0 or high > 1):
            raise ValueError(f"{name} goes from {low:g} to {high:g}; images lie in [0, 1]: give x.float() / 255, or D "
                             "tells data from samples by their range alone")
        return x


# -- the smallest game -------------------------------------------------------------------------------------------


class DiracGAN:
    """The GAN of two numbers: all data at 0, all samples at θ, a discriminator with one weight ψ.

    Mescheder et al., arXiv:1801.04406, section 2, with its sign: ψ·x is the discriminator's word for "sample", so that
    the logit of "data" is −ψ·x. The equilibrium is θ = ψ = 0. Each player goes down the gradient of its own loss, in
    continuous time

        d(θ, ψ)/dt = v(θ, ψ) = (−∂L_G/∂θ, −∂L_D/∂ψ),

    and near the equilibrium the eigenvalues of v's Jacobian tell what happens: a negative real part draws it in, an
    imaginary part turns it round.

    Args:
        loss: one of LOSSES.
        r1: γ. The gradient ∇_x of the logit is −ψ everywhere: the penalty is γψ²/2.
        gradient_penalty, target: weight and target of (|ψ| − target)²: with a target above 0 it has a kink at ψ = 0.
        noise: standard deviation of instance noise, added to data and samples alike. Not with the hinge loss, whose
            kinks quadrature cannot see.
    """

    def __init__(self, loss: str = "original", r1: float = 0.0, gradient_penalty: float = 0.0, noise: float = 0.0,
                 target: float = 1.0):  # fmt: skip
        _check_loss(loss)
        self.loss, self.r1, self.noise = loss, number("r1", r1), number("noise", noise)
        self.gradient_penalty, self.target = number("gradient_penalty", gradient_penalty), number("target", target)
        if loss == "hinge" and noise:
            raise ValueError("noise is not computed for the hinge loss; expected noise=0 or another loss")

    def vector_field(self, theta: Tensor | float, psi: Tensor | float,
                     generator: torch.Generator | None = None, draws: int = 1000) -> Tensor:  # fmt: skip
        """v(θ, ψ), for numbers or tensors of one shape: (2, *shape), float64, first dθ/dt, then dψ/dt.

        The expectation over instance noise is an integral by quadrature, or, with a generator, the mean of `draws`.
        """
        theta, psi = _pair(theta, psi)
        (e, weight), (e_fake, _) = self._noise(theta, generator, draws), self._noise(theta, generator, draws)
        fake = theta + e_fake
        real_slope, fake_slope, generator_slope = self._slopes(-psi * e, -psi * fake)
        v_theta = (weight * generator_slope * psi).sum(0)
        v_psi = (weight * (fake_slope * fake + real_slope * e)).sum(0)
        v_psi = v_psi - self.r1 * psi - 2 * self.gradient_penalty * (psi - self.target * psi.sign())
        return torch.stack([v_theta, v_psi])

    def jacobian(self, theta: float = 0.0, psi: float = 0.0) -> Tensor:
        """∂v/∂(θ, ψ) in closed form, but for the integral over the noise: (2, 2), float64.

        Raises:
            ValueError: at ψ = 0 with a gradient penalty whose target is above 0: v jumps there, and has no Jacobian.
        """
        theta, psi = _pair(theta, psi)
        if theta.dim():
            raise ValueError(f"theta has shape {tuple(theta.shape)}; expected one number")
        if self.gradient_penalty and self.target and psi == 0:
            raise ValueError(f"the gradient penalty with target {self.target:g} has a kink at psi = 0, so that there "
                             "is no Jacobian; take target=0, or another point")
        e, weight = self._noise(theta, None, 0)
        fake = theta + e
        _, fake_slope, generator_slope = self._slopes(-psi * e, -psi * fake)
        real_bend, fake_bend, generator_bend = self._bends(-psi * e, -psi * fake)
        rows = [
            [-generator_bend * psi**2, generator_slope - generator_bend * psi * fake],
            [fake_slope - fake_bend * psi * fake, -fake_bend * fake**2 - real_bend * e**2],
        ]
        J = torch.stack([torch.stack([(weight * entry).sum(0) for entry in row]) for row in rows])
        J[1, 1] -= self.r1 + 2 * self.gradient_penalty
        return J

    def eigenvalues(self, theta: float = 0.0, psi: float = 0.0) -> Tensor:
        """Eigenvalues of the Jacobian, τ/2 ± √(τ²/4 − δ) with trace τ and determinant δ: (2,), complex128.

        At the equilibrium, with s = 1/2 (original, non-saturating) or 1 (wasserstein, hinge) and noise σ:
        δ = s², and τ = −γ from R1, −2·weight from a gradient penalty with target 0, −σ²/2 from noise where s = 1/2. So
        ±s·i without a regulariser, an orbit that never ends; −γ/2 ± √(γ²/4 − s²) with R1, fastest at γ = 2s.
        """
        J = self.jacobian(theta, psi).to(torch.complex128)
        half, determinant = (J[0, 0] + J[1, 1]) / 2, J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        root = (half**2 - determinant).sqrt()
        return torch.stack([half + root, half - root])

    def simulate(self, start: Sequence[float] = (1.0, 1.0), h: float = 0.2, steps: int = 500, alternating: bool = True,
                 steps_d: int = 1, generator: torch.Generator | None = None, draws: int = 1000) -> Tensor:  # fmt: skip
        """Gradient steps of size h from (θ, ψ): (steps + 1, 2), float64, the start included.

        Alternating, as GANs are trained: θ moves, then ψ against the new θ, `steps_d` times. Otherwise both move at
        once, which without a regulariser spirals outwards. generator, draws: as in `vector_field`.

        Raises:
            TypeError, ValueError: a start that is no pair, a step size that is not positive, zero steps.
        """
        steps, steps_d = positive_integer("steps", steps), positive_integer("steps_d", steps_d)
        h = number("h", h, "a positive number", open_ended=True)
        if len(start) != 2:
            raise ValueError(f"start has {len(start)} entries; expected a pair (theta, psi)")
        theta, psi = _pair(*start)
        path = [torch.stack([theta, psi])]
        for _ in range(steps):
            if alternating:
                theta = theta + h * self.vector_field(theta, psi, generator, draws)[0]
                for _ in range(steps_d):
                    psi = psi + h * self.vector_field(theta, psi, generator, draws)[1]
            else:
                theta, psi = torch.stack([theta, psi]) + h * self.vector_field(theta, psi, generator, draws)
            path.append(torch.stack([theta, psi]))
        return torch.stack(path)

    def _slopes(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First derivatives of L_D by the real and by the fake logit, and of L_G by the fake logit."""
        one = torch.ones_like(fake)
        if self.loss == "wasserstein":
            return -one, one, -one
        if self.loss == "hinge":
            return -(real < 1).to(one), (fake > -1).to(one), -one
        return -torch.sigmoid(-real), torch.sigmoid(fake), -torch.sigmoid(fake if self.loss == "original" else -fake)

    def _bends(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Second derivatives, in the same order."""
        if self.loss in ("wasserstein", "hinge"):
            return (torch.zeros_like(fake),) * 3
        real, fake = (torch.sigmoid(logit) * torch.sigmoid(-logit) for logit in (real, fake))
        return real, fake, -fake if self.loss == "original" else fake

    def _noise(self, like: Tensor, generator: torch.Generator | None, draws: int) -> tuple[Tensor, Tensor]:
        """Values of the noise and their weights, both (nodes, 1, …)."""
        shape = (-1, *[1] * like.dim())
        if not self.noise:
            return like.new_zeros(1).view(shape), like.new_ones(1).view(shape)
        if generator is not None:
            draws = positive_integer("draws", draws)
            e = drawn(torch.randn, draws, like.device, generator, like.dtype)
            return self.noise * e.view(shape), like.new_full((1,), 1 / draws).view(shape)
        nodes, weights = (part.to(like.device) for part in _gauss_hermite())
        return self.noise * nodes.view(shape), weights.view(shape)


# -- parts -------------------------------------------------------------------------------------------------------


def _gauss_hermite(n: int = 64) -> tuple[Tensor, Tensor]:
    """Nodes and weights of E[f(e)], e ~ N(0, 1), by Golub and Welsch: eigenvalues of the recurrence's matrix."""
    off = torch.arange(1, n, dtype=torch.float64, device="cpu").sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return nodes, vectors[0].square()


def _dense(sizes: Sequence[int], slope: float = 0.0) -> list[nn.Module]:
    """Linear layers, and between them max(x, slope·x)."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope) if slope else nn.ReLU()]
    return layers[:-1]


def _with_classes(x: Tensor, condition: Tensor | None, n_classes: int) -> Tensor:
    """x (B, C, …) with its class beside it, as n_classes more channels of zeros and a one."""
    if not n_classes:
        if condition is not None:
            raise ValueError("condition was given, but this network was built without n_classes")
        return x
    if condition is None:
        raise ValueError(f"condition is missing: this network has n_classes={n_classes}; give (B,) indices")
    _check_classes(condition, len(x))
    if len(x) and (condition.min() < 0 or condition.max() >= n_classes):
        raise ValueError(f"condition has classes {condition.min().item()} … {condition.max().item()}; this network has "
                         f"0 … {n_classes - 1}")
    one_hot = F.one_hot(condition.long(), n_classes).to(x.dtype).view(len(x), n_classes, *[1] * (x.dim() - 2))
    return torch.cat([x, one_hot.expand(-1, -1, *x.shape[2:])], 1)


def _check_classes(condition: Tensor, n: int) -> None:
    """Raise unless condition is (n,) class indices."""
    if not isinstance(condition, Tensor) or condition.dtype not in INTEGERS:
        kind = condition.dtype if isinstance(condition, Tensor) else article(condition)
        raise TypeError(f"condition is {kind}; expected a tensor of class indices (int64)")
    if tuple(condition.shape) != (n,):
        raise ValueError(f"condition has shape {tuple(condition.shape)}; expected ({n},), one class an example")


def _given(condition: Tensor | None) -> tuple:
    return () if condition is None else (condition,)


def _pair(theta, psi) -> tuple[Tensor, Tensor]:
    where = next((value.device for value in (theta, psi) if isinstance(value, Tensor)), "cpu")
    pair = [torch.as_tensor(value, dtype=torch.float64, device=where) for value in (theta, psi)]
    return tuple(torch.broadcast_tensors(*pair))


def _sizes(event_shape, hidden, body) -> tuple[tuple[int, ...], list[int]]:
    event_shape = shape_of_events(event_shape)
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise TypeError(f"hidden is {hidden!r}; expected a tuple of widths such as (128, 128)")
    if body not in BODIES:
        raise ValueError(f"body is {body!r}; expected one of {BODIES}")
    if body == "convolutional" and (len(event_shape) != 3 or event_shape[1] % 4 or event_shape[2] % 4):
        raise ValueError(f"event_shape is {event_shape}; a convolutional body takes (C, H, W), H and W divisible by 4")
    return event_shape, [positive_integer("hidden", width) for width in hidden]


def _check_loss(loss: str) -> None:
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; expected one of {LOSSES}")


def _check_logits(name: str, logits: Tensor) -> None:
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else article(logits)
        raise TypeError(f"{name} is {kind}; expected a floating-point tensor of logits (B,)")
    if logits.numel() == 0:
        raise ValueError(f"{name} is empty; expected at least one logit")


def _comma(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
