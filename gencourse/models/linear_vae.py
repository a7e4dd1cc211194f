"""The variational autoencoder that can be solved: probabilistic PCA, with bound, gap and optimum in closed form.

    z ~ N(0, I),    x|z ~ N(Wz + b, σ²I),    P(x) = N(b, WWᵀ + σ²I)

(Tipping and Bishop, "Probabilistic principal component analysis", 1999, section 3.1; Lucas et al., arXiv:1911.02469,
section 4, for the bound of such a VAE).
"""

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from gencourse.models.vae import LatentVariableModel, full_precision
from gencourse.support.checks import positive_integer


class LinearGaussianVAE(LatentVariableModel):
    """The VAE that can be solved: x|z ~ N(Wz + b, σ²I), q(z|x) = N(V(x − b), diag(exp(log_var))).

    P(x) = N(b, WWᵀ + σ²I) is probabilistic PCA (Tipping and Bishop 1999); the posterior is Gaussian as well, so that
    bound, gap and optimum are known. What is exact is computed in float64.

    Args:
        n_features: dimensions of x. latent: dimensions of z, fewer than n_features.

    Raises:
        TypeError, ValueError: sizes that are not positive integers, or too many dimensions of z.

    >>> vae = LinearGaussianVAE(n_features=3, latent=1)
    >>> x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    >>> vae.set_optimum(x)
    >>> torch.allclose(vae.exact_elbo(x), vae.log_prob(x), atol=1e-4)  # at the optimum the bound is tight
    True
    """

    def __init__(self, n_features: int, latent: int) -> None:
        n_features = positive_integer("n_features", n_features)
        super().__init__((n_features,), latent, "gaussian")
        latent = self.latent
        if latent >= n_features:
            raise ValueError(f"latent is {latent}; expected fewer than n_features = {n_features}")
        self.W = nn.Parameter(torch.randn(n_features, latent) / latent**0.5)
        self.b = nn.Parameter(torch.zeros(n_features))
        self.log_sigma = nn.Parameter(torch.zeros(()))
        self.V = nn.Parameter(torch.randn(latent, n_features) / n_features**0.5)
        self.log_var = nn.Parameter(torch.zeros(latent))

    @full_precision
    def encode(self, x: Tensor) -> Normal:
        mean = (self.check_data(x) - self.b) @ self.V.T
        return Normal(mean, (self.log_var / 2).exp().expand_as(mean), validate_args=False)

    @full_precision
    def decode(self, z: Tensor) -> Normal:
        z = self.check_codes(z)
        return Normal(z @ self.W.T + self.b, self.log_sigma.exp(), validate_args=False)

    def exact_elbo(self, x: Tensor) -> Tensor:
        """The ELBO with the expectation over z taken in closed form: (B, D) -> (B,) nats, float64."""
        W, b, variance = self._decoder()
        x = self.check_data(x).double()
        mean = (x - b) @ self.V.double().T
        q = Normal(mean, (self.log_var.double() / 2).exp().expand_as(mean))
        log_px_m = Normal(mean @ W.T + b, variance.sqrt()).log_prob(x).sum(1)
        spread = q.variance @ W.square().sum(0) / (2 * variance)  # what the noise in z takes from log P(x|m)
        return log_px_m - spread - kl_divergence(q, self.prior).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        """log N(x; b, WWᵀ + σ²I), exact: (B, D) -> (B,) nats, float64."""
        W, b, variance = self._decoder()
        x = self.check_data(x).double()
        covariance = W @ W.T + variance * torch.eye(len(b), dtype=b.dtype, device=b.device)
        return MultivariateNormal(b, covariance, validate_args=False).log_prob(x)

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """P(z|x) = N(M⁻¹Wᵀ(x − b), σ²M⁻¹) with M = WᵀW + σ²I: (B, D) -> a distribution of (B, latent)."""
        b, precision, V = self.b.double(), *self._posterior()
        mean = (self.check_data(x).double() - b) @ V.T
        scale = torch.linalg.cholesky(torch.linalg.inv(precision))
        return MultivariateNormal(mean.to(self.W.dtype), scale_tril=scale.to(self.W.dtype), validate_args=False)

    @torch.no_grad()
    def set_optimum(self, x: Tensor) -> None:
        """Set all parameters to the best for x, in closed form: probabilistic PCA and its exact posterior.

        W has orthogonal columns there, so that the true posterior is diagonal and the bound is tight
        (Lucas et al., arXiv:1911.02469, section 4).

        Raises:
            ValueError: x fills no more than `latent` dimensions: σ → 0 would make the likelihood infinite.
        """
        x = self.check_data(x).double()
        if len(x) < self.latent + 2:
            raise ValueError(f"x has {len(x)} examples; {self.latent} code dimensions need {self.latent + 2} at least")
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))  # ascending
        variance = values[: -self.latent].mean()
        if variance <= 1e-12 * x.square().mean():
            raise ValueError(
                f"x varies in {self.latent} directions or fewer, so that the likelihood has no bound; "
                "give examples that vary in more, or take a smaller latent"
            )
        kept = (values[-self.latent :] - variance).clamp(min=0)
        self.b.copy_(mean)
        self.log_sigma.copy_(variance.log() / 2)
        self.W.copy_(vectors[:, -self.latent :] * kept.sqrt())
        self.set_posterior()

    @torch.no_grad()
    def set_posterior(self) -> None:
        """Set the encoder to the best that a diagonal q can do for the present decoder."""
        precision, V = self._posterior()
        self.V.copy_(V)
        self.log_var.copy_(-precision.diagonal().log())

    def _decoder(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, b and σ² in float64: the truth must have more digits than what is measured against it."""
        return self.W.double(), self.b.double(), (2 * self.log_sigma.double()).exp()

    def _posterior(self) -> tuple[Tensor, Tensor]:
        """Precision WᵀW/σ² + I of P(z|x), and the matrix that x − b is multiplied with to give its mean; float64."""
        W, _, variance = self._decoder()
        precision = W.T @ W / variance + torch.eye(self.latent, dtype=W.dtype, device=W.device)
        return precision, torch.linalg.solve(precision, W.T / variance)
