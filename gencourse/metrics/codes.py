"""What a VAE's codes are like: holes, distance from the prior, what they tell of an attribute."""

import torch
from torch import Tensor

from gencourse.metrics.clouds import check_features
from gencourse.support.checks import article, number, positive_integer


def share_in_holes(draws: Tensor, codes: Tensor, held_out: Tensor, quantile: float = 0.99) -> float:
    """Share of drawn codes that lie farther from every known code than unseen codes do: in a hole.

    "Farther" is beyond the given quantile of the distances of `held_out` codes to their nearest in `codes`, so that
    draws from the law of the codes themselves score 1 - quantile.

    Args:
        draws: (S, latent). codes: (N, latent), of the training data. held_out: (M, latent), of other data.
    """
    check_features(codes=codes, draws=draws, held_out=held_out)
    quantile = number("quantile", quantile, "a number between 0 and 1", most=1, open_ended=True)

    def nearest(z: Tensor) -> Tensor:
        return torch.cat([torch.cdist(part, codes).amin(1) for part in z.split(500)])

    return (nearest(draws) > nearest(held_out).quantile(quantile)).float().mean().item()


def kl_to_standard_normal(z: Tensor) -> float:
    """KL(N(m, C) ‖ N(0, I)) of the mean m and the covariance C of codes: (N, latent) -> nats.

    ½ (tr C + mᵀm − latent − log det C). No law with that mean and covariance has a smaller one, so it is a lower
    bound of the KL of the law that the codes come from, but for chance: estimated from N codes it is too large, near
    N(0, I) by about latent (latent + 3) / 4N.
    """
    check_features(z=z)
    if len(z) <= z.shape[1]:
        raise ValueError(f"z has shape {tuple(z.shape)}; expected (N, latent), more codes than dimensions")
    mean, covariance = z.double().mean(0), torch.cov(z.double().T).view(z.shape[1], z.shape[1])
    return (0.5 * (covariance.trace() + mean @ mean - z.shape[1] - torch.logdet(covariance))).item()


def mutual_information(a: Tensor, b: Tensor, bins: int = 20) -> float:
    """How much a tells about b, (N,) each: Σ p(a, b) log p(a, b) / (p(a) p(b)) over a table of counts, in nats.

    Real numbers are cut into `bins` equally full intervals; integers are classes. Counts overestimate it, by about
    (rows − 1)(columns − 1) / 2N: for the floor shuffle one of the two.
    """
    for name, v in dict(a=a, b=b).items():
        if not isinstance(v, Tensor):
            raise TypeError(f"{name} is {article(v)}; expected a torch.Tensor (N,)")
        if not torch.isfinite(v).all():
            raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers, or classes")
    if a.dim() != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; expected (N,) both, N at least 2")
    bins = positive_integer("bins", bins, least=2)

    def classes(v: Tensor) -> Tensor:
        if v.is_floating_point():
            v = v.detach().to(torch.promote_types(v.dtype, torch.float32)).contiguous()
            shares = torch.linspace(0, 1, bins + 1, dtype=torch.float32, device=v.device).to(v.dtype)
            return torch.bucketize(v, v.quantile(shares[1:-1]))  # 0 … bins − 1; empty ones count for nothing
        return v.unique(return_inverse=True)[1]

    i, j = classes(a), classes(b)
    width = int(j.max()) + 1
    joint = torch.bincount(i * width + j, minlength=(int(i.max()) + 1) * width).view(-1, width).double() / len(a)
    independent = joint.sum(1, keepdim=True) * joint.sum(0)
    return torch.xlogy(joint, joint / independent).nan_to_num().sum().item()
