"""How maximum likelihood fails: a density without bound."""

import torch

from gencourse.models import GMM
from gencourse.models.gmm import Covariance
from gencourse.models.settings import usual_settings


@usual_settings()
def gmm_singular(
    seed: int, *, floor: float = 1e-6, n: int = 30, components: int = 6, covariance: Covariance = "spherical"
) -> dict[str, float]:
    """A mixture of too many Gaussians: does a component collapse onto one point, or onto a few?

    The data are n points of three round Gaussians of variance 1, the mixture has `components`, and EM starts at
    random points. Returns

        collapsed: has a component a variance below 0.01, a hundredth of the truth?
        points: how many points the narrowest component explains, n · P(m): 1 if it sits on a single point.
        gap: mean log-likelihood of the points minus that of 1,000 fresh ones, nats per point: what was learnt by heart.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[-3.0, 0.0], [0.0, 0.0], [3.0, 0.0]])

    def draw(n: int) -> torch.Tensor:
        return centres[torch.randint(3, (n,), generator=generator)] + torch.randn(n, 2, generator=generator)

    x, fresh = draw(n), draw(1000)
    gmm = GMM(components, 2, covariance, floor=floor)
    gmm.fit_em(x, max_steps=200, tolerance=1e-6, start="random", generator=generator)
    variances = torch.linalg.eigvalsh(gmm.covariances) if covariance == "full" else gmm.covariances
    smallest = variances.view(components, -1).amin(1)  # of each component
    gap = gmm.log_prob(x).mean() - gmm.log_prob(fresh).mean()
    points = n * gmm.weights[smallest.argmin()]
    return {"collapsed": smallest.min().item() < 0.01, "points": points.item(), "gap": gap.item()}
