"""The smallest game: a GAN of two numbers, whose training can be written down and solved.

Paper: Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?" (arXiv:1801.04406),
sections 2 and 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from gencourse.models.gan import LOSSES, Loss
from gencourse.models.settings import draw_noise
from gencourse.support.checks import check_choice, number, positive_integer


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

    Raises:
        TypeError, ValueError: an unknown loss, a negative weight, noise with the hinge loss.

    >>> game = DiracGAN(r1=1.0)
    >>> game.vector_field(1.0, 0.0).tolist()  # θ stays, and ψ learns that samples lie to the right
    [0.0, 0.5]
    >>> game.eigenvalues().real.tolist()  # R1 draws the game into its equilibrium
    [-0.5, -0.5]
    """

    def __init__(
        self,
        loss: Loss = "original",
        r1: float = 0.0,
        gradient_penalty: float = 0.0,
        noise: float = 0.0,
        target: float = 1.0,
    ) -> None:
        check_choice("loss", loss, LOSSES)
        self.loss_name, self.r1, self.noise = loss, number("r1", r1), number("noise", noise)
        self.gradient_penalty, self.target = number("gradient_penalty", gradient_penalty), number("target", target)
        if loss == "hinge" and noise:
            raise ValueError("noise is not computed for the hinge loss; expected noise=0 or another loss")

    def vector_field(
        self, theta: Tensor | float, psi: Tensor | float, generator: torch.Generator | None = None, draws: int = 1000
    ) -> Tensor:
        """v(θ, ψ), for numbers or tensors of one shape: (2, *shape), float64, first dθ/dt, then dψ/dt.

        The expectation over instance noise is an integral by quadrature, or, with a generator, the mean of `draws`.
        """
        theta, psi = as_pair(theta, psi)
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
        theta, psi = as_pair(theta, psi)
        if theta.dim():
            raise ValueError(f"theta has shape {tuple(theta.shape)}; expected one number")
        if self.gradient_penalty and self.target and psi == 0:
            raise ValueError(
                f"the gradient penalty with target {self.target:g} has a kink at psi = 0, so that there "
                "is no Jacobian; take target=0, or another point"
            )
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

    def simulate(
        self,
        start: Sequence[float] = (1.0, 1.0),
        h: float = 0.2,
        steps: int = 500,
        alternating: bool = True,
        steps_d: int = 1,
        generator: torch.Generator | None = None,
        draws: int = 1000,
    ) -> Tensor:
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
        theta, psi = as_pair(*start)
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
        if self.loss_name == "wasserstein":
            return -one, one, -one
        if self.loss_name == "hinge":
            return -(real < 1).to(one), (fake > -1).to(one), -one
        return (
            -torch.sigmoid(-real),
            torch.sigmoid(fake),
            -torch.sigmoid(fake if self.loss_name == "original" else -fake),
        )

    def _bends(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Second derivatives, in the same order."""
        if self.loss_name in ("wasserstein", "hinge"):
            return (torch.zeros_like(fake),) * 3
        real, fake = (torch.sigmoid(logit) * torch.sigmoid(-logit) for logit in (real, fake))
        return real, fake, -fake if self.loss_name == "original" else fake

    def _noise(self, like: Tensor, generator: torch.Generator | None, draws: int) -> tuple[Tensor, Tensor]:
        """Values of the noise and their weights, both (nodes, 1, …)."""
        shape = (-1, *[1] * like.dim())
        if not self.noise:
            return like.new_zeros(1).view(shape), like.new_ones(1).view(shape)
        if generator is not None:
            draws = positive_integer("draws", draws)
            e = draw_noise(torch.randn, draws, like.device, generator, like.dtype)
            return self.noise * e.view(shape), like.new_full((1,), 1 / draws).view(shape)
        nodes, weights = (part.to(like.device) for part in gauss_hermite())
        return self.noise * nodes.view(shape), weights.view(shape)


def gauss_hermite(n: int = 64) -> tuple[Tensor, Tensor]:
    """Nodes and weights of E[f(e)], e ~ N(0, 1), by Golub and Welsch: eigenvalues of the recurrence's matrix."""
    off = torch.arange(1, n, dtype=torch.float64, device="cpu").sqrt()
    nodes, vectors = torch.linalg.eigh(torch.diag(off, 1) + torch.diag(off, -1))
    return nodes, vectors[0].square()


def as_pair(theta: Tensor | float, psi: Tensor | float) -> tuple[Tensor, Tensor]:
    """θ and ψ as float64 tensors of one shape, on the device of the one that is a tensor."""
    where = next((value.device for value in (theta, psi) if isinstance(value, Tensor)), "cpu")
    pair = [torch.as_tensor(value, dtype=torch.float64, device=where) for value in (theta, psi)]
    return tuple(torch.broadcast_tensors(*pair))
