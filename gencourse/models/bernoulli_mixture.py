"""A mixture of Bernoullis: the Gaussian mixture's sister for black-and-white images (Bishop 2006, section 9.3.3).

    P(x) = Σ_k w_k Π_i p_ki^{x_i} (1 − p_ki)^{1 − x_i}

First a component is drawn, then every pixel by itself; the likelihood is exact, a sample takes one pass, EM climbs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gencourse.models.base import sample_level
from gencourse.models.checks import check_binary
from gencourse.models.settings import draw_noise, first_weight
from gencourse.support.checks import positive_integer, shape_of_events


class BernoulliMixture(nn.Module):
    """A distribution over zeros and ones of shape `event_shape`.

    Args:
        n_components: K. event_shape: such as (1, 28, 28).

    Attributes:
        log_weights: (K,). probabilities: (K, D) of a one, each strictly between 0 and 1.

    Raises:
        TypeError, ValueError: sizes that are not positive integers.

    >>> mixture = BernoulliMixture(2, (1, 2, 2))
    >>> images = mixture.sample(50, torch.Generator().manual_seed(0))
    >>> mixture.log_prob(images[:1]).exp().item()  # nothing is learned yet: 16 equally probable images
    0.0625
    >>> climbed = mixture.fit_em(images, steps=3)
    >>> len(climbed), climbed[-1] > climbed[0]
    (3, True)
    """

    def __init__(self, n_components: int, event_shape: Sequence[int] = (1, 28, 28)) -> None:
        super().__init__()
        self.event_shape = shape_of_events(event_shape)
        k = positive_integer("n_components", n_components)
        self.register_buffer("log_weights", torch.full((k,), 1 / k).log())
        self.register_buffer("probabilities", torch.full((k, torch.Size(self.event_shape).numel()), 0.5))

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log-likelihood: (B, *event_shape) zeros and ones -> (B,) nats."""
        return self._joint(self._flat(x)).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """A component, then every pixel: (n, *event_shape) uint8."""
        n, device = positive_integer("n", n, least=0), first_weight(self).device
        component = sample_level(self.log_weights.expand(n, -1), draw_noise(torch.rand, n, device, generator))  # (n,)
        p = self.probabilities[component]
        return (draw_noise(torch.rand, p.shape, device, generator) < p).to(torch.uint8).view(n, *self.event_shape)

    @torch.no_grad()
    def fit_em(self, x: Tensor, steps: int = 30, generator: torch.Generator | None = None) -> list[float]:
        """EM from a start at random: every example begins with shares of its own in the components.

        Each pixel of each component is counted as if it had been seen once more as a one and once more as a zero (a
        prior Beta(2, 2)); without that a pixel that was never black has probability 0, and one image rules all out.

        Returns:
            after every step the mean log-likelihood plus the log prior over N, nats an image: it never falls.
        """
        x, n_components = self._flat(x), len(self.log_weights)
        shares = draw_noise(torch.rand, (len(x), n_components), x.device, generator).to(x.dtype)
        shares, climbed = shares.square().square(), []  # some components well ahead, or all begin as the mean image
        for _ in range(positive_integer("steps", steps)):
            shares = shares / shares.sum(1, keepdim=True)
            counts = shares.sum(0)  # (K,)
            self.probabilities = (shares.T @ x + 1) / (counts[:, None] + 2)
            self.log_weights = (counts / len(x)).clamp(min=1e-30).log()
            joint = self._joint(x)
            log_p = joint.logsumexp(1, keepdim=True)
            prior = (self.probabilities.log() + (-self.probabilities).log1p()).double().sum() / len(x)
            climbed.append((log_p.double().mean() + prior).item())
            shares = (joint - log_p).exp()
        return climbed

    def _joint(self, x: Tensor) -> Tensor:
        """log w_k + log P(x|k): (B, D) -> (B, K)."""
        on, off = self.probabilities.log(), (-self.probabilities).log1p()
        return x @ (on - off).T + off.sum(1) + self.log_weights

    def _flat(self, x: Tensor) -> Tensor:
        return check_binary(x, self.event_shape, first_weight(self).dtype)
