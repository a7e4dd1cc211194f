"""The claims of chapter 02 on models made wrong on purpose: each is seen failing. A right one stands beside it."""

import torch
from worlds import decided

from gencourse import metrics
from gencourse.models import GMM

WEIGHTS = torch.tensor([0.5, 0.3, 0.2])
MEANS = torch.tensor([[-1.5, 0.0], [1.0, 1.2], [1.2, -1.4]])
STDS = torch.tensor([0.6, 0.35, 0.8])
EDGES = torch.linspace(-4, 4, 41)
N = 200_000
ZERO, LARGE = metrics.Interval(0.0, -0.001, 0.001, 10), metrics.Interval(0.012, 0.011, 0.013, 10)


def fallen(id, **measurements):
    """The parts of a claim that do not hold."""
    return decided(id, **measurements)[1]


# GM1 --------------------------------------------------------------------------------------------------------------


def right(generator):
    m = torch.multinomial(WEIGHTS, N, True, generator=generator)
    return MEANS[m] + STDS[m, None] * torch.randn(N, 2, generator=generator)


def blended(generator):
    """A point of each component, averaged with the weights."""
    points = MEANS + STDS[:, None] * torch.randn(N, 3, 2, generator=generator)
    return (WEIGHTS[:, None] * points).sum(1)


def with_variances_as_deviations(generator):
    m = torch.multinomial(WEIGHTS, N, True, generator=generator)
    return MEANS[m] + STDS[m, None] ** 2 * torch.randn(N, 2, generator=generator)


def beyond_chance(sampler):
    """As the notebook measures it, over four series instead of ten."""
    mixture = GMM(3, 2, "spherical")
    mixture.weights, mixture.means, mixture.covariances = WEIGHTS.double(), MEANS.double(), STDS.double() ** 2
    p = metrics.cell_probabilities(lambda x: mixture.log_prob(x).exp(), EDGES)
    generator = torch.Generator().manual_seed(0)
    chance = [torch.multinomial(p, N, True, generator=generator).bincount(minlength=len(p)) / N for _ in range(10)]
    level = sum(metrics.total_variation(shares, p) for shares in chance) / 10
    distances = []
    for _ in range(4):
        inside = torch.histogramdd(sampler(generator), [EDGES, EDGES]).hist.flatten().double()
        distances.append(metrics.total_variation(torch.cat([inside, (N - inside.sum())[None]]) / N, p) - level)
    return metrics.mean_interval(distances)


def test_draws_by_another_rule_refute_gm1():
    assert fallen("GM1", plain=beyond_chance(right), tilted=ZERO, near=LARGE) == []
    for wrong in (blended, with_variances_as_deviations):
        (part,) = fallen("GM1", plain=beyond_chance(wrong), tilted=ZERO, near=LARGE)
        assert "three round Gaussians" in part, wrong


# GM2 --------------------------------------------------------------------------------------------------------------


def smallest_change(floor):
    mixture, generator = GMM(3, 2, floor=floor), torch.Generator().manual_seed(0)
    x = torch.randn(300, 2, generator=generator) @ torch.tensor([[0.7, 0.3], [0.0, 0.4]])
    x[:100] += 1.5
    lowest = torch.inf
    for _ in range(5):
        run = mixture.fit_em(x, start="random", max_steps=60, tolerance=0, generator=generator)
        lowest = min(lowest, torch.tensor(run.log_likelihood, dtype=torch.float64).diff().min().item())
    return lowest


def test_steps_with_a_floor_refute_gm2():
    assert fallen("GM2", lowest=smallest_change(0.0), rounding=1e-15, control=0.9) == []
    (part,) = fallen("GM2", lowest=smallest_change(0.1), rounding=1e-15, control=0.9)
    assert "smallest change" in part


# GM3 --------------------------------------------------------------------------------------------------------------

BARS = torch.cat([torch.eye(4).repeat_interleave(4, 1), torch.eye(4).repeat(1, 4)]).double()  # (8, 16)
CODES = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 8).double()
VARIANCE = 0.35**2


def fit_tied(x, features, W, steps):
    """EM for means features @ W, all weights equal and one variance, as in the notebook but from the true variance."""
    model, variance = GMM(len(features), x.shape[1], "spherical"), torch.tensor(VARIANCE).double()
    for _ in range(steps):
        model.means, model.covariances = features @ W, variance.repeat(len(features))
        r = model.responsibilities(x)
        normal = features.T @ (r.sum(0)[:, None] * features) + 1e-6 * torch.eye(features.shape[1])
        W = torch.linalg.solve(normal, features.T @ (r.T @ x))
        variance = (r * torch.cdist(x, features @ W) ** 2).sum() / x.numel()
    model.means, model.covariances = features @ W, variance.repeat(len(features))
    return model


def gaps(n_bits):
    """How much more a mixture of 8, and one of 256 from the truth, miss than a code that has `n_bits` of the bits."""
    found = {"less": [], "more": []}
    for draw in range(3):
        generator = torch.Generator().manual_seed(draw)
        present = torch.randint(2, (4000, 8), generator=generator).double()
        x = present @ BARS + VARIANCE**0.5 * torch.randn(4000, 16, generator=generator, dtype=torch.float64)
        x, new = x[:2000], x[2000:]
        few = GMM(8, 16, "spherical")
        few.fit_em(x, max_steps=30, generator=generator)
        bits = torch.cat([CODES[:: 2 ** (8 - n_bits), :n_bits], torch.ones(2**n_bits, 1)], 1).double()
        offset = 0.5 * BARS[n_bits:].sum(0, keepdim=True)  # what the missing bits add on average
        code = fit_tied(x, bits, torch.cat([BARS[:n_bits], offset]), 6)
        told = fit_tied(x, torch.eye(256).double(), CODES @ BARS, 6)
        for name, other in (("less", few), ("more", told)):
            found[name].append((other.loss(new) - code.loss(new)).item())
    return {name: metrics.mean_interval(values) for name, values in found.items()}


def test_a_code_with_too_few_bits_refutes_gm3():
    elsewhere = {"crossing": metrics.Interval(0.6, 0.5, 0.7, 5), "clusters": metrics.Interval(8.0, 7.0, 9.0, 5)}
    assert fallen("GM3", **gaps(8), **elsewhere) == []
    assert "mean for each code" in fallen("GM3", **gaps(4), **elsewhere)[-1]


def crossing(n):
    """What a code misses more than a mixture of 256 from the truth after n images in which crossing ink counts once."""
    means, found = (CODES @ BARS).clamp(max=1), []
    bits = torch.cat([CODES, torch.ones(256, 1).double()], 1)
    for draw in range(3):
        generator = torch.Generator().manual_seed(draw)
        m = torch.randint(256, (n + 2000,), generator=generator)
        x = means[m] + VARIANCE**0.5 * torch.randn(n + 2000, 16, generator=generator, dtype=torch.float64)
        x, new = x[:n], x[n:]
        code = fit_tied(x, bits, torch.linalg.lstsq(bits, means).solution, 10)
        told = fit_tied(x, torch.eye(256).double(), means, 10)
        found.append((code.loss(new) - told.loss(new)).item())
    return metrics.mean_interval(found)


def test_a_quarter_of_the_images_refutes_gm3():
    elsewhere = {name: metrics.Interval(6.0, 5.0, 7.0, 5) for name in ("less", "more", "clusters")}
    assert fallen("GM3", crossing=crossing(2000), **elsewhere) == []
    (part,) = fallen("GM3", crossing=crossing(500), **elsewhere)
    assert "do not add up" in part
