"""What a VAE's codes are like: holes, distance from the prior, what they tell of an attribute."""

import torch
from torch import Tensor

from gencourse.metrics.clouds import check_features
from gencourse.metrics.intervals import Interval, mean_interval
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


def share_of_one_kind(draws: Tensor, codes: Tensor, kinds: Tensor, neighbours: int = 20) -> float:
    """Of the nearest known codes of each draw, the share that belongs to their commonest kind; mean over the draws.

    draws: (S, latent). codes: (N, latent). kinds: (N,), whole numbers from 0 on. neighbours: at most N.
    """
    check_features(codes=codes, draws=draws)
    neighbours = positive_integer("neighbours", neighbours)
    if kinds.shape != codes.shape[:1] or kinds.is_floating_point() or neighbours > len(codes):
        raise ValueError(f"kinds are {kinds.dtype} {tuple(kinds.shape)}; expected whole numbers, one for each code")
    nearest = [torch.cdist(part, codes).topk(neighbours, largest=False).indices for part in draws.split(500)]
    votes = torch.nn.functional.one_hot(kinds[torch.cat(nearest)].long()).sum(1)  # (S, kinds)
    return votes.amax(1).div(neighbours).mean().item()


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


def random_rotations(latent: int, n: int, generator: torch.Generator) -> list[Tensor]:
    """Orthogonal matrices drawn at random, n of (latent, latent): N(0, I) looks the same after each of them."""
    latent, n = positive_integer("latent", latent), positive_integer("n", n)
    return [
        torch.linalg.qr(torch.randn(latent, latent, generator=generator, device=generator.device))[0] for _ in range(n)
    ]


def information_lead(means: Tensor, attribute: Tensor, generator: torch.Generator) -> tuple[Interval, Interval]:
    """Nats that the best dimension tells of an attribute beyond the next best, and beyond the best of a rotated code.

    The first interval is a jackknife over 20 blocks of images, each left out once; the second is over 20 random
    rotations.

    means: (N, latent), N at least 20, of the codes of N images. attribute: (N,). generator: of the rotations.
    """
    check_features(means=means)
    if len(means) < 20 or means.shape[1] < 2:
        raise ValueError(f"means has shape {tuple(means.shape)}; expected 20 images and 2 dimensions at least")

    def told(codes: Tensor) -> Tensor:
        return torch.tensor([mutual_information(m, attribute) for m in codes.T], device=means.device)

    tells = told(means)
    first, second = means[:, tells.topk(2).indices].T
    block = torch.arange(len(means), device=means.device) // (len(means) // 20)
    lead = [
        mutual_information(first[k], attribute[k]) - mutual_information(second[k], attribute[k])
        for k in [block >= 0] + [block != left_out for left_out in range(20)]
    ]
    rotations = random_rotations(means.shape[1], 20, generator)
    beyond = [(tells.max() - told(means @ rotation).max()).item() for rotation in rotations]
    return mean_interval([20 * lead[0] - 19 * without for without in lead[1:]]), mean_interval(beyond)
