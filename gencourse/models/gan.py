"""Generative adversarial networks: a sampler without a likelihood, trained by a contest.

A generator G pushes noise through a function, x = G(z) with z ~ N(0, I). Its density, if there is one, is not computed.
A discriminator D is trained to tell its samples from data, and G to be taken for data (Goodfellow et al.,
arXiv:1406.2661, equation 1):

    min_G max_D  V(D, G) = E_x[log D(x)] + E_z[log(1 − D(G(z)))].

Against a fixed G with density Q the best D is P/(P + Q), and V is then 2·JS(P, Q) − 2 log 2 (proposition 1, theorem 1).
All discriminators here return the logit of D(x), a number without bounds: D(x) = sigmoid(logit).
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.models.checks import (
    check_body,
    check_class_indices,
    check_condition,
    check_equal_numbers,
    check_examples,
    check_judged,
    check_logits,
    check_no_batch_norm,
    check_noise,
    check_pair_of_logits,
    check_pairs,
    check_players,
    check_widths,
)
from gencourse.models.settings import draw_noise, first_weight, weights_of, with_gradients
from gencourse.support.checks import check_choice, number, positive_integer, shape_of_events

Loss = Literal["original", "non-saturating", "wasserstein", "hinge"]
LOSSES = get_args(Loss)
Body = Literal["dense", "convolutional"]
BODIES = get_args(Body)

# -- the two halves of the game ----------------------------------------------------------------------------------


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, loss: Loss = "non-saturating") -> Tensor:
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
    check_choice("loss", loss, LOSSES)
    check_pair_of_logits(real_logits, fake_logits)
    if loss == "wasserstein":
        return fake_logits.mean() - real_logits.mean()
    if loss == "hinge":
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()  # −log sigmoid(l) = softplus(−l)


def generator_loss(fake_logits: Tensor, loss: Loss = "non-saturating") -> Tensor:
    """What G minimises: that its samples get high logits (arXiv:1406.2661, section 3).

        original             E[log(1 − D(G(z)))]    saturates at D(G(z)) ≈ 0: D/(1 − D) times the gradient of the next
        non-saturating       −E[log D(G(z))]        the same fixed point; steepest at D(G(z)) ≈ 0
        wasserstein, hinge   −E[l(G(z))]

    Args:
        fake_logits: (B,) logits of generated examples.

    Returns:
        a scalar.

    Raises:
        TypeError, ValueError: logits that are no tensor, an empty batch, an unknown loss.
    """
    check_choice("loss", loss, LOSSES)
    check_logits("fake_logits", fake_logits)
    if loss == "original":
        return -F.softplus(fake_logits).mean()  # log(1 − sigmoid(l)) = −softplus(l)
    if loss == "non-saturating":
        return F.softplus(-fake_logits).mean()
    return -fake_logits.mean()


def gradient_penalty(
    discriminator: Callable[..., Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
    target: float = 1.0,
    condition: Tensor | None = None,
) -> Tensor:
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
    check_pairs(real, fake)
    target = number("target", target)
    u = draw_noise(torch.rand, (len(real), *[1] * (real.dim() - 1)), real.device, generator, real.dtype)
    with with_gradients():
        x = u * real + (1 - u) * fake
        x = x if x.requires_grad else x.requires_grad_()  # fakes carry a gradient where D is unrolled
        norm = _gradient(discriminator(x, *optional(condition)), x).norm(dim=1)
        penalty = (norm - target).square().mean()
    return penalty if torch.is_grad_enabled() else penalty.detach()


def r1_penalty(discriminator: Callable[..., Tensor], real: Tensor, condition: Tensor | None = None) -> Tensor:
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
        penalty = _gradient(discriminator(real, *optional(condition)), real).square().sum(1).mean()
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

    Raises:
        TypeError, ValueError: an argument that makes no sense.

    >>> generator = Generator((1, 4, 4), latent=2, hidden=(8,))
    >>> generator(torch.randn(3, 2)).shape
    torch.Size([3, 1, 4, 4])
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (1, 28, 28),
        latent: int = 64,
        hidden: Sequence[int] = (128, 128),
        body: Body = "dense",
        channels: int = 32,
        n_classes: int = 0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.event_shape, widths = shape_of_events(event_shape), check_widths(hidden, "(128, 128)")
        check_body(body, BODIES, self.event_shape)
        self.latent, self.n_classes = positive_integer("latent", latent), positive_integer("n_classes", n_classes, 0)
        self.scale = number("scale", scale, "a positive number", open_ended=True)
        inputs = self.latent + self.n_classes
        if body == "dense":
            layers = [*dense_layers([inputs, *widths, math.prod(self.event_shape)]), nn.Unflatten(1, self.event_shape)]
        else:
            (depth, height, width), last = self.event_shape, positive_integer("channels", channels)
            layers = [
                *dense_layers([inputs, *widths, 2 * last * height * width // 16], 0.2),
                nn.LeakyReLU(0.2),
                nn.Unflatten(1, (2 * last, height // 4, width // 4)),
                nn.ConvTranspose2d(2 * last, last, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2),  # (B, last, H/2, W/2)
                nn.Conv2d(last, 4 * depth, 3, padding=1),
                nn.PixelShuffle(2),  # four pixels a place: (B, depth, H, W)
            ]
        self.net = nn.Sequential(*layers, nn.Sigmoid() if len(self.event_shape) == 3 else nn.Identity())

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        check_noise(z, self.latent)
        x = self.net(with_classes(z.to(first_weight(self).dtype), condition, self.n_classes))
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

    Raises:
        TypeError, ValueError: an argument that makes no sense.

    >>> discriminator = Discriminator((1, 4, 4), hidden=(8,))
    >>> discriminator(torch.rand(3, 1, 4, 4)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (1, 28, 28),
        hidden: Sequence[int] = (128, 128),
        body: Body = "dense",
        channels: int = 32,
        n_classes: int = 0,
        pack: int = 1,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.event_shape, widths = shape_of_events(event_shape), check_widths(hidden, "(128, 128)")
        check_body(body, BODIES, self.event_shape)
        self.body = body
        self.n_classes, self.pack = positive_integer("n_classes", n_classes, 0), positive_integer("pack", pack)
        self.scale = number("scale", scale, "a positive number", open_ended=True)
        if body == "dense":
            layers = dense_layers([self.pack * (math.prod(self.event_shape) + self.n_classes), *widths, 1])
        else:
            (depth, height, width), first = self.event_shape, positive_integer("channels", channels)
            layers = [
                nn.Conv2d(self.pack * (depth + self.n_classes), first, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(first, 2 * first, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2),  # (B, 2 · first, H/4, W/4)
                nn.Conv2d(2 * first, 4 * first, 3, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Flatten(),
                *dense_layers([4 * first * math.ceil(height / 8) * math.ceil(width / 8), *widths, 1], 0.2),
            ]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        check_judged(x, self.event_shape, self.pack)
        x = x.to(first_weight(self).dtype)
        x = x / self.scale if self.scale != 1 else x
        x = with_classes(x.flatten(1) if self.body == "dense" else x, condition, self.n_classes)  # (B, C, …)
        x = x.reshape(len(x) // self.pack, self.pack * x.shape[1], *x.shape[2:])  # a pack side by side, as channels
        return self.net(x).squeeze(1)


# -- the game ----------------------------------------------------------------------------------------------------


class Judgement(NamedTuple):
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

    >>> gan = GAN(Generator((2,), latent=2, hidden=(8,)), Discriminator((2,), hidden=(8,)), loss="hinge")
    >>> fake = gan.sample(3, torch.Generator().manual_seed(0))
    >>> fake.shape, gan.generator_loss(fake).shape, gan.discriminator_loss(torch.zeros(3, 2), fake).shape
    (torch.Size([3, 2]), torch.Size([]), torch.Size([]))
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Loss = "non-saturating",
        r1: float = 0.0,
        gradient_penalty: float = 0.0,
    ) -> None:
        super().__init__()
        check_players(generator, discriminator)
        check_choice("loss", loss, LOSSES)
        self.loss_name, self.event_shape, self.latent = loss, tuple(generator.event_shape), generator.latent
        self.r1, self.gradient_penalty = number("r1", r1), number("gradient_penalty", gradient_penalty)
        if self.r1 or self.gradient_penalty:
            check_no_batch_norm(discriminator)
        self.generator, self.discriminator = generator, discriminator

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I): (n, latent)."""
        weight, n = first_weight(self.generator), positive_integer("n", n, least=0)
        return draw_noise(torch.randn, (n, self.latent), weight.device, generator, weight.dtype)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """Draw n events, a pass of the generator for each 1,000: (n, *event_shape), in the dtype of its weights."""
        z = self.noise(n, generator)
        if condition is None:
            return torch.cat([self.generator(part) for part in z.split(1000)])
        check_class_indices(condition, len(z))
        return torch.cat([self.generator(*pair) for pair in zip(z.split(1000), condition.split(1000), strict=True)])

    def judge(
        self,
        real: Tensor,
        fake: Tensor,
        condition: Tensor | None = None,
        generator: torch.Generator | None = None,
        weights: dict[str, Tensor] | None = None,
    ) -> Judgement:
        """The loss of the discriminator, penalties included, and what it thinks of both batches.

        Args:
            real, fake: (B, *event_shape), as many of the one as of the other; of images, grey levels in [0, 1].
            condition: (B,) classes of both. generator: source of the interpolation weights of the gradient penalty.
            weights: parameters for the discriminator to take in place of its own, by name.

        Raises:
            TypeError, ValueError: batches of unlike size or wrong shape, NaN, images outside [0, 1], a batch that
                packs do not divide.
        """
        check_examples("real", real, self.event_shape)
        check_examples("fake", fake, self.event_shape)
        check_equal_numbers(real, fake)
        real = real.detach()
        discriminator = self._player(weights)
        with with_gradients() if self.r1 else contextlib.nullcontext():
            if self.r1:  # the gradient by the data is taken of the logits that the loss needs anyway
                real, fake = _leaf(real), _usable(fake)
            real_logits = discriminator(real, *optional(condition))
            fake_logits = discriminator(fake, *optional(condition))
            loss = discriminator_loss(real_logits, fake_logits, self.loss_name)
            if self.r1:
                loss = loss + self.r1 / 2 * _gradient(real_logits, real).square().sum(1).mean()  # as r1_penalty
        if self.gradient_penalty:
            penalty = gradient_penalty(discriminator, real.detach(), fake, generator, condition=condition)
            loss = loss + self.gradient_penalty * penalty
        loss = loss if torch.is_grad_enabled() else loss.detach()
        real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
        if self.loss_name in ("wasserstein", "hinge"):
            return Judgement(loss, real_logits.mean(), fake_logits.mean())
        return Judgement(loss, real_logits.sigmoid().mean(), fake_logits.sigmoid().mean())

    def discriminator_loss(
        self, real: Tensor, fake: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """What the discriminator minimises, penalties included: a scalar. Arguments and errors as for `judge`."""
        return self.judge(real, fake, condition, generator).loss

    def generator_loss(
        self, fake: Tensor, condition: Tensor | None = None, weights: dict[str, Tensor] | None = None
    ) -> Tensor:
        """What the generator minimises: a scalar. fake: (B, *event_shape), made by the generator with its gradient."""
        check_examples("fake", fake, self.event_shape)
        return generator_loss(self._player(weights)(fake, *optional(condition)), self.loss_name)

    def _player(self, weights: dict[str, Tensor] | None) -> Callable[..., Tensor]:
        """The discriminator, with its own weights or with these."""
        if weights is None:
            return self.discriminator
        return lambda *inputs: torch.func.functional_call(self.discriminator, weights, inputs)


# -- two GANs that work ------------------------------------------------------------------------------------------

# A recipe that holds in two dimensions, for data that are stretched to go from -4 to 4: the widths of both players, the
# game, and how `fit_gan` plays it.
RECIPE = dict(
    latent=2,
    hidden=(128, 128, 128, 128),
    hidden_d=(128, 128, 128),
    game=dict(loss="non-saturating", r1=0.3),
    fit=dict(steps=9000, batch_size=128, lr=2e-3, betas=(0.0, 0.99), anneal="cosine", average=0.999),
)


def image_gan(event_shape: tuple[int, ...] = (1, 28, 28), latent: int = 64, channels: int = 32, r1: float = 1.0) -> GAN:
    """Two convolutional players of as many channels, for images (C, H, W)."""
    generator = Generator(event_shape, latent, (), "convolutional", channels)
    return GAN(generator, Discriminator(event_shape, (), "convolutional", channels), r1=r1)


def plane_gan(
    seed: int,
    hidden: Sequence[int] | None = None,
    hidden_d: Sequence[int] | None = None,
    pack: int = 1,
    **game: Any,
) -> GAN:
    """RECIPE's players for points from -4 to 4, or smaller ones, their weights drawn by the seed.

    Args:
        hidden, hidden_d: widths of the generator and of the discriminator, by default RECIPE's.
        pack: see `Discriminator`. game: `loss`, `r1` and `gradient_penalty` of `GAN`.
    """
    with weights_of(seed):
        generator = Generator((2,), RECIPE["latent"], hidden or RECIPE["hidden"], scale=4.0)
        return GAN(generator, Discriminator((2,), hidden_d or hidden or RECIPE["hidden_d"], pack=pack), **game)


# -- parts -------------------------------------------------------------------------------------------------------


def dense_layers(sizes: Sequence[int], slope: float = 0.0) -> list[nn.Module]:
    """Linear layers of these sizes, and between them max(x, slope·x)."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope) if slope else nn.ReLU()]
    return layers[:-1]


def with_classes(x: Tensor, condition: Tensor | None, n_classes: int) -> Tensor:
    """x (B, C, …) with its class beside it, as n_classes more channels of zeros and a one."""
    check_condition(condition, n_classes, len(x), "network")
    if condition is None:
        return x
    one_hot = F.one_hot(condition.long(), n_classes).to(x.dtype).view(len(x), n_classes, *[1] * (x.dim() - 2))
    return torch.cat([x, one_hot.expand(-1, -1, *x.shape[2:])], 1)


def optional(condition: Tensor | None) -> tuple[Tensor, ...]:
    """What a player is given beside its input: the condition, if there is one."""
    return () if condition is None else (condition,)
