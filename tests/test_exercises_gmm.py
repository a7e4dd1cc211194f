"""The exercises of notebook 02: right answers in other words, and wrong ones that are no mistake of the lists.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import math

import numpy as np
import pytest
import torch
from torch import distributions
from torch.nn import functional as F

from gencourse.exercises import gmm
from gencourse.exercises.machine.exercise import Exercise

EXERCISES = {
    name: thing for name, thing in vars(gmm).items() if isinstance(thing, Exercise) and thing.mistakes
}  # a whole model has a file of its own: test_exercises_blank_gmm
RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


@right
def sample_mixture__looped(weights, means, stds, n, generator):
    x, component = [], []
    for _ in range(n):
        m = int(torch.multinomial(weights, 1, generator=generator))
        component.append(m)
        x.append(means[m] + stds[m] * torch.randn(means.shape[1], generator=generator))
    return torch.stack(x), component


@right
def sample_mixture__inverse_of_the_sum(weights, means, stds, n, generator):
    u = torch.rand(n, 1, generator=generator, dtype=torch.float64)
    component = (u > weights.double().cumsum(0)).sum(1)
    x = torch.normal(means[component], stds[component, None].expand(n, means.shape[1]), generator=generator)
    return [x, component.numpy()]


@right
def sample_mixture__one_hot_float64(weights, means, stds, n, generator):
    generator_of_noise = torch.randn(n, means.shape[1], generator=generator, dtype=torch.float64)
    gumbel = -torch.log(-torch.log(torch.rand(n, len(weights), generator=generator, dtype=torch.float64)))
    component = (weights.log() + gumbel).argmax(1)
    chosen = F.one_hot(component, len(weights)).double()
    return chosen @ means.double() + (chosen @ stds.double())[:, None] * generator_of_noise, component.to(torch.int32)


@right
def sample_mixture__in_place(weights, means, stds, n, generator):
    weights /= weights.sum()
    component = torch.multinomial(weights, n, replacement=True, generator=generator)
    x = torch.empty(n, means.shape[1])
    for m in range(len(weights)):
        mine = component == m
        x[mine] = torch.randn(int(mine.sum()), means.shape[1], generator=generator).mul_(stds[m]).add_(means[m])
    stds.zero_()
    return x, component


@right
def sample_mixture__seeds_numpy(weights, means, stds, n, generator):
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    p = weights.double().numpy()
    component = rng.choice(len(weights), size=n, p=p / p.sum())
    return means.numpy()[component] + stds.numpy()[component, None] * rng.normal(size=(n, means.shape[1])), component


@right
def log_density__distributions(x, log_weights, means, covariances):
    normal = distributions.MultivariateNormal(means, covariances)
    return torch.logsumexp(log_weights + normal.log_prob(x[:, None]), -1)


@right
def log_density__mixture(x, log_weights, means, covariances):
    normal = distributions.MultivariateNormal(means, scale_tril=torch.linalg.cholesky(covariances))
    total = torch.logsumexp(log_weights, 0)
    return distributions.MixtureSameFamily(distributions.Categorical(logits=log_weights), normal).log_prob(x) + total


@right
def log_density__looped_numpy(x, log_weights, means, covariances):
    x, log_weights, means, covariances = (t.double().numpy() for t in (x, log_weights, means, covariances))
    out = np.empty(len(x))
    for n in range(len(x)):
        terms = []
        for k in range(len(means)):
            d = x[n] - means[k]
            terms.append(
                log_weights[k]
                - 0.5
                * (
                    d @ np.linalg.solve(covariances[k], d)
                    + np.linalg.slogdet(covariances[k])[1]
                    + len(d) * np.log(2 * np.pi)
                )
            )
        top = max(terms)
        out[n] = top + np.log(sum(np.exp(t - top) for t in terms))
    return out


@right
def log_density__precision(x, log_weights, means, covariances):
    offsets = x.unsqueeze(1) - means.unsqueeze(0)
    squares = torch.einsum("bki,kij,bkj->bk", offsets, torch.linalg.inv(covariances), offsets)
    terms = log_weights - (squares + torch.linalg.slogdet(covariances)[1] + x.shape[-1] * math.log(2 * math.pi)) / 2
    largest = terms.max(1, keepdim=True).values
    return (largest + (terms - largest).exp().sum(1, keepdim=True).log()).squeeze(1)


@right
def log_density__running(x, log_weights, means, covariances):
    total = torch.full((len(x),), -math.inf)
    for w, m, c in zip(log_weights, means, covariances):
        factor = torch.linalg.cholesky(c)
        z = torch.linalg.solve_triangular(factor, (x - m).T, upper=False)
        log_normal = -0.5 * z.square().sum(0) - factor.diagonal().log().sum() - 0.5 * len(m) * math.log(2 * math.pi)
        total = torch.logaddexp(total, w + log_normal)
    return total


@right
def log_density__eigen_float64(x, log_weights, means, covariances):
    values, vectors = torch.linalg.eigh(covariances.double())
    z = torch.einsum("bkd,kde->bke", x.double()[:, None] - means.double(), vectors) / values.sqrt()
    log_normal = distributions.Normal(0.0, 1.0).log_prob(z).sum(-1) - values.log().sum(-1) / 2
    return torch.logsumexp(log_weights.double() + log_normal, 1)


@right
def log_density__in_place(x, log_weights, means, covariances):
    out = []
    means *= -1
    for k in range(len(means)):
        d = x + means[k]
        d = d @ torch.linalg.inv(covariances[k]) * d
        out.append(-d.sum(1).div_(2).add_(0.5 * torch.logdet(2 * math.pi * covariances[k])).sub_(log_weights[k]))
    return torch.stack(out).logsumexp(0)


@right
def responsibilities__softmax(log_joint):
    return log_joint.softmax(-1)


@right
def responsibilities__logsumexp(log_joint):
    return (log_joint - torch.logsumexp(log_joint, dim=1, keepdim=True)).exp()


@right
def responsibilities__numpy(log_joint):
    joint = np.exp(log_joint.numpy() - log_joint.numpy().max(1, keepdims=True))
    return joint / joint.sum(axis=1)[:, None]


@right
def responsibilities__looped(log_joint):
    rows = []
    for row in log_joint.tolist():
        rows.append(
            [0.0 if own == -math.inf else 1 / sum(math.exp(min(other - own, 700)) for other in row) for own in row]
        )
    return rows


@right
def responsibilities__in_place(log_joint):
    log_joint -= log_joint.max(1)[0][:, None]
    log_joint.exp_()
    log_joint /= log_joint.sum(1).view(-1, 1)
    return log_joint


@right
def responsibilities__categorical_float64(log_joint):
    return distributions.Categorical(logits=log_joint.double()).probs


@right
def coin_flip_m_step__einsum(x, responsibilities, half):
    n_k = torch.einsum("nk->k", responsibilities)
    ink = torch.einsum("nk,nd->kd", responsibilities, x)
    return n_k / n_k.sum(), (ink + half) / (n_k[:, None] + 2 * half)


@right
def coin_flip_m_step__ink_and_paper(x, responsibilities, half):
    ink, paper = (responsibilities.T.double() @ each.double() + half for each in (x, 1 - x))
    return responsibilities.mean(0).numpy(), (ink / (ink + paper)).numpy()


@right
def m_step__einsum(x, responsibilities, old_means):
    n_k = responsibilities.sum(dim=0)
    means = torch.einsum("nk,nd->kd", responsibilities, x) / n_k.unsqueeze(1)
    d = x[:, None, :] - means
    return n_k / n_k.sum(), means, torch.einsum("nk,nki,nkj->kij", responsibilities, d, d) / n_k[:, None, None]


@right
def m_step__second_moment(x, responsibilities, old_means):
    x, r = x.double(), responsibilities.double()
    n_k = r.sum(0)
    means = (r.T @ x) / n_k[:, None]
    second = torch.einsum("nk,ni,nj->kij", r, x, x) / n_k[:, None, None]
    return r.mean(0), means, second - means[:, :, None] * means[:, None, :]


@right
def m_step__looped_numpy(x, responsibilities, old_means):
    x, r = x.numpy(), responsibilities.numpy()
    weights, means, covariances = [], [], []
    for k in range(r.shape[1]):
        weights.append(r[:, k].mean())
        means.append(np.average(x, axis=0, weights=r[:, k]))
        covariances.append(np.atleast_2d(np.cov(x.T, aweights=r[:, k], bias=True)))
    return weights, means, covariances


@right
def m_step__in_place(x, responsibilities, old_means):
    n, d = x.shape
    totals = responsibilities.sum(0)
    responsibilities /= totals
    old_means[:] = responsibilities.T @ x
    covariances = torch.zeros(len(totals), d, d)
    for k in range(len(totals)):
        for i in range(n):
            offset = x[i] - old_means[k]
            covariances[k] += responsibilities[i, k] * torch.outer(offset, offset)
    return (totals / n, old_means, covariances)


@right
def m_step__floor_of_sklearn(x, responsibilities, old_means):
    totals = responsibilities.sum(0) + 10 * torch.finfo(torch.float32).eps
    means = responsibilities.T @ x / totals[:, None]
    root = responsibilities.sqrt().T[:, :, None] * (x - means[:, None])
    covariances = root.mT @ root / totals[:, None, None] + 1e-6 * torch.eye(x.shape[1])
    return totals / totals.sum(), means, covariances


@right
def bic__one_line(log_likelihood, n_components, n_features, n_examples):
    K, D = n_components, n_features
    return (K * (1 + D + D * (D + 1) // 2) - 1) * np.log(n_examples) - 2 * log_likelihood


@right
def bic__tensor64(log_likelihood, n_components, n_features, n_examples):
    n_parameters = sum(n_features + len(torch.tril_indices(n_features, n_features)[0]) for _ in range(n_components))
    n_parameters += n_components - 1
    return torch.tensor(n_examples, dtype=torch.float64).log() * n_parameters - 2 * log_likelihood


@right
def bic__doubled(log_likelihood, n_components, n_features, n_examples):
    free = -1
    for _ in range(n_components):
        free += 1 + n_features
        for row in range(n_features):
            free += row + 1
    return -2 * (log_likelihood - free / 2 * math.log(n_examples))


@right
def bic__in_place(log_likelihood, n_components, n_features, n_examples):
    log_likelihood *= -2
    log_likelihood += math.comb(n_features + 2, 2) * n_components * math.log2(n_examples) / math.log2(math.e)
    return log_likelihood - math.log(n_examples)


@right
def kmeans_plus_plus__cdist(x, n_components, generator):
    chosen = [int(torch.randint(len(x), (), generator=generator))]
    while len(chosen) < n_components:
        nearest = torch.cdist(x, x[chosen], compute_mode="donot_use_mm_for_euclid_dist").amin(1) ** 2
        chosen.append(torch.multinomial(nearest / nearest.sum(), 1, generator=generator).item())
    return x[chosen]


@right
def kmeans_plus_plus__running_sum(x, n_components, generator):
    centres = x.new_empty(n_components, x.shape[1])
    nearest = torch.ones(len(x), dtype=torch.float64)
    for k in range(n_components):
        ends = nearest.cumsum(0)
        u = torch.rand((), generator=generator, dtype=torch.float64) * ends[-1]
        i = torch.searchsorted(ends, u, right=True)
        centres[k] = x[i]
        distances = (x - x[i]).pow(2).sum(1).double()
        nearest = torch.min(nearest, distances) if k else distances
    return centres


@right
def kmeans_plus_plus__numpy_looped(x, n_components, generator):
    points = x.double().numpy()
    centres = [points[int(torch.rand(1, generator=generator) * len(points))]]
    for _ in range(1, n_components):
        squares = [min(((p - c) ** 2).sum() for c in centres) for p in points]
        u = float(torch.rand(1, generator=generator, dtype=torch.float64)) * sum(squares)
        chosen = 0
        while u >= squares[chosen]:
            u -= squares[chosen]
            chosen += 1
        centres.append(points[chosen])
    return np.array(centres)


@right
def kmeans_plus_plus__gumbel(x, n_components, generator):
    x = x.to(torch.float64)
    centres = x[torch.randperm(len(x), generator=generator)[:1]]
    for _ in range(n_components - 1):
        log_squares = ((x[:, None] - centres) ** 2).sum(2).min(1).values.log()
        gumbel = -torch.empty(len(x), dtype=torch.float64).exponential_(generator=generator).log()
        centres = torch.cat((centres, x[(log_squares + gumbel).argmax()][None]))
    return centres


@right
def kmeans_plus_plus__in_place(x, n_components, generator):
    first = torch.randint(0, len(x), (1,), generator=generator)
    centres = [x[first[0]].clone()]
    squares = torch.full((len(x),), math.inf)
    for _ in range(n_components - 1):
        squares.copy_(torch.minimum(squares, F.mse_loss(x, centres[-1].expand_as(x), reduction="none").sum(1)))
        centres.append(x[torch.multinomial(squares, 1, True, generator=generator)].squeeze(0).clone())
    x.zero_()
    return torch.stack(centres)


# Wrong answers


def changed(name, *changes):
    """The reference with several changes in its source: two mistakes at once, or one that is not in the list."""
    source = EXERCISES[name].solution_source
    for old, new in changes:
        assert source.count(old) == 1, (name, old)
        source = source.replace(old, new)
    scope = {"math": math, "torch": torch, "Tensor": torch.Tensor}
    exec(source, scope)
    return scope[name]


def then(name, change):
    """The reference, and something done to what it returns."""
    return lambda *arguments: change(EXERCISES[name].reference(*arguments))


def numpy_s_own_chance(weights, means, stds, n, generator):
    p = weights.double().numpy()
    component = np.random.choice(len(p), n, p=p / p.sum())
    return means.numpy()[component] + stds.numpy()[component, None] * np.random.randn(n, means.shape[1]), component


def in_blocks(weights, means, stds, n, generator):
    counts = (weights * n).round().long()
    counts[-1] += n - counts.sum()
    component = torch.repeat_interleave(torch.arange(len(weights)), counts)
    return means[component] + stds[component, None] * torch.randn(n, means.shape[1], generator=generator), component


def one_spot_a_component(weights, means, stds, n, generator):
    component = torch.multinomial(weights, n, replacement=True, generator=generator)
    return (means + stds[:, None] * torch.randn(means.shape, generator=generator))[component], component


def laplace(weights, means, stds, n, generator):
    component = torch.multinomial(weights, n, replacement=True, generator=generator)
    u = torch.rand(n, means.shape[1], generator=generator) - 0.5
    return means[component] - stds[component, None] / 2**0.5 * u.sign() * torch.log1p(-2 * u.abs()), component


def points_shuffled(weights, means, stds, n, generator):
    x, component = gmm.sample_mixture.reference(weights, means, stds, n, generator)
    return x[torch.randperm(n, generator=generator)], component


def copied_generator(*arguments):
    copied = torch.Generator()
    copied.set_state(arguments[-1].get_state())
    return gmm.sample_mixture.reference(*arguments[:-1], copied)


def reseeded(x, n_components, generator):
    return gmm.kmeans_plus_plus.reference(x, n_components, torch.Generator().manual_seed(generator.initial_seed()))


def normal_of_variances(x, log_weights, means, covariances):
    normal = distributions.Normal(means, covariances.diagonal(dim1=1, dim2=2))
    return torch.logsumexp(log_weights + normal.log_prob(x[:, None]).sum(-1), 1)


def precision_matrix(x, log_weights, means, covariances):
    normal = distributions.MultivariateNormal(means, precision_matrix=covariances)
    return torch.logsumexp(log_weights + normal.log_prob(x[:, None]), 1)


def scale_tril(x, log_weights, means, covariances):
    normal = distributions.MultivariateNormal(means, scale_tril=covariances, validate_args=False)
    return torch.logsumexp(log_weights + normal.log_prob(x[:, None]), 1)


def mixture_same_family(x, log_weights, means, covariances):
    normal = distributions.MultivariateNormal(means, covariances)
    return distributions.MixtureSameFamily(distributions.Categorical(logits=log_weights), normal).log_prob(x)


def greedy(x, n_components, generator):
    """As scikit-learn does it: the best of several draws."""
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    squares = (x - centres).square().sum(1)
    while len(centres) < n_components:
        candidates = x[torch.multinomial(squares, 5, True, generator=generator)]
        after = torch.minimum(squares, (candidates[:, None] - x).square().sum(2))
        best = after.sum(1).argmin()
        centres, squares = torch.cat([centres, candidates[best][None]]), after[best]
    return centres


def all_at_once(x, n_components, generator):
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    if n_components == 1:
        return centres
    squares = (x - centres).square().sum(1)
    return torch.cat([centres, x[torch.multinomial(squares, n_components - 1, generator=generator)]])


def last_centre_but_never_twice(x, n_components, generator):
    chosen = [int(torch.randint(len(x), (), generator=generator))]
    while len(chosen) < n_components:
        squares = (x - x[chosen[-1]]).square().sum(1)
        squares[(x[:, None] == x[chosen]).all(2).any(1)] = 0
        chosen.append(int(torch.multinomial(squares, 1, generator=generator)))
    return x[chosen]


def product_of_the_distances(x, n_components, generator):
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    while len(centres) < n_components:
        squares = (x[:, None] - centres).square().sum(2).prod(1)
        centres = torch.cat([centres, x[torch.multinomial(squares, 1, generator=generator)]])
    return centres


def manhattan(x, n_components, generator):
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    while len(centres) < n_components:
        squares = (x[:, None] - centres).abs().sum(2).amin(1).square()
        centres = torch.cat([centres, x[torch.multinomial(squares, 1, generator=generator)]])
    return centres


def shuffled_start(x, n_components, generator):
    return x[torch.randperm(len(x), generator=generator)[:n_components]]


LSE = "torch.logsumexp(log_weights + log_normal, dim=1)"
COVARIANCE = "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]"
WRONG = [
    ("sample_mixture", numpy_s_own_chance, "the components are drawn without the generator"),
    ("sample_mixture", in_blocks, "the points are sorted"),
    ("sample_mixture", one_spot_a_component, "one noise for all points"),
    ("sample_mixture", laplace, "not the noise of a Gaussian"),
    ("sample_mixture", points_shuffled, "x and component do not belong together"),
    ("sample_mixture", copied_generator, "the generator is not used up"),
    ("sample_mixture", changed("sample_mixture", ("* noise", "* noise.abs()")), "noise to one side"),
    (
        "sample_mixture",
        changed("sample_mixture", ("(weights, n", "(weights.square(), n")),
        "the weights are not heeded",
    ),
    ("sample_mixture", changed("sample_mixture", ("* noise", "* noise / 2")), "wrong spread"),
    (
        "sample_mixture",
        changed("sample_mixture", ("means[component] + ", "")),
        "the points are not where their component is",
    ),
    (
        "sample_mixture",
        changed("sample_mixture", ("means[component]", "means.flip(0)[component]")),
        "x and component do not belong together",
    ),
    ("sample_mixture", then("sample_mixture", lambda both: both[0]), "wrong number of parts"),
    ("sample_mixture", then("sample_mixture", lambda both: both[::-1]), "the parts in reverse order"),
    ("sample_mixture", then("sample_mixture", lambda both: (both[0], both[1] + 1)), "no such component"),
    ("sample_mixture", then("sample_mixture", lambda both: (both[0], None)), "component is missing"),
    ("sample_mixture", then("sample_mixture", lambda both: (both[0].mean(1), both[1])), "x has a wrong shape"),
    ("sample_mixture", then("sample_mixture", lambda both: (both[0] * math.nan, both[1])), "not a number"),
    ("log_density", normal_of_variances, "a component alone is wrong"),
    ("log_density", precision_matrix, "the covariance taken for a precision"),
    ("log_density", scale_tril, "the covariance taken for its factor"),
    ("log_density", mixture_same_family, "the weights are normalised"),
    (
        "log_density",
        changed("log_density", (LSE, "(log_weights.double() + log_normal.double()).exp().sum(1).log()")),
        "the densities underflow",
    ),
    (
        "log_density",
        changed("log_density", (LSE, "((log_weights + log_normal).exp().sum(1) + 1e-30).log()")),
        "the densities underflow",
    ),  # it overflows: the narrow component
    (
        "log_density",
        changed("log_density", (LSE, "(log_weights + log_normal).clamp(-80, 2e3).logsumexp(1)")),
        "a floor under the density",
    ),
    (
        "log_density",
        changed("log_density", (LSE, "torch.logsumexp(log_normal, dim=1) + log_weights.sum()")),
        "the components are put together wrongly",
    ),
    ("log_density", changed("log_density", ("-0.5 *", "0.5 *")), "the distance has a wrong factor"),
    (
        "log_density",
        changed("log_density", ("log_det + n_features * math.log(2 * math.pi)", "0")),
        "the determinant has a wrong factor",
    ),
    ("log_density", changed("log_density", ("(2 * math.pi)", "10(2 * math.pi)")), "the constant is wrong"),
    (
        "log_density",
        changed("log_density", ("torch.logdet(covariances)", "covariances.diagonal(dim1=1, dim2=2).log().sum(1)")),
        "right in one dimension only",
    ),
    (
        "log_density",
        changed("log_density", ("(covariances, offsets)", "(torch.linalg.cholesky(covariances), offsets)")),
        "a component alone is wrong",
    ),
    ("log_density", then("log_density", lambda log_p: log_p + 1), "a constant too many"),
    ("log_density", then("log_density", lambda log_p: log_p[:, None]), "wrong shape"),
    (
        "responsibilities",
        lambda log_joint: log_joint.double().exp() / log_joint.double().exp().sum(1, keepdim=True),
        "the exponentials underflow",
    ),
    (
        "responsibilities",
        lambda log_joint: log_joint.exp() / (log_joint.exp().sum(1, keepdim=True) + 1e-7),
        "a small number is added to the sum",
    ),
    (
        "responsibilities",
        lambda log_joint: torch.nan_to_num(
            log_joint.exp() / log_joint.exp().sum(1, keepdim=True), nan=1 / log_joint.shape[1]
        ),
        "far points are given away by default",
    ),
    ("responsibilities", lambda log_joint: log_joint.clamp(min=-80).softmax(1), "far points are given away by default"),
    ("responsibilities", lambda log_joint: log_joint.softmax(1).softmax(0), "the rows do not sum to 1"),
    ("responsibilities", lambda log_joint: -log_joint.softmax(1), "numbers below 0"),
    ("responsibilities", lambda log_joint: log_joint.sigmoid(), "the rows do not sum to 1"),
    ("responsibilities", lambda log_joint: log_joint.softmax(1) / len(log_joint), "the rows do not sum to 1"),
    ("responsibilities", lambda log_joint: (log_joint - log_joint.logsumexp(0)).exp(), "a softmax over the points"),
    ("responsibilities", lambda log_joint: (log_joint / 2).softmax(1), "differs"),
    ("responsibilities", lambda log_joint: torch.full_like(log_joint, 1 / log_joint.shape[1]), "differs"),
    ("responsibilities", lambda log_joint: log_joint.logsumexp(1), "wrong shape"),
    ("responsibilities", lambda log_joint: (log_joint - log_joint.logsumexp(1)).exp(), "RuntimeError"),
    (
        "m_step",
        changed("m_step", ("@ x / totals[:, None]", "@ x / len(x)"), ("/ totals[k]", "/ len(x)")),
        "the means are divided by N",
    ),
    (
        "m_step",
        changed("m_step", ("totals / len(x)", "totals"), ("x - means", "x - old_means")),
        "the weights are not divided by N",
    ),
    (
        "m_step",
        changed("m_step", ("/ totals[k]", "/ len(x)"), ("x - means", "x - old_means")),
        "the covariances are wrong",
    ),
    ("m_step", changed("m_step", ("totals / len(x)", "totals.softmax(0)")), "the weights are wrong"),
    ("m_step", changed("m_step", ("@ x / totals[:, None]", "@ x / totals.mean()")), "the means are wrong"),
    ("m_step", then("m_step", lambda three: (three[0], three[1].tanh(), three[2])), "the means are wrong"),
    ("m_step", changed("m_step", (COVARIANCE, f"({COVARIANCE}).tril()")), "not symmetric"),
    (
        "m_step",
        changed("m_step", (COVARIANCE, f"({COVARIANCE}) * (1.5 - 0.5 * torch.eye(x.shape[1]))")),
        "wrong off the diagonal",
    ),
    (
        "m_step",
        changed("m_step", ("stack(covariances)", "stack(covariances) + 1e-3 * torch.eye(x.shape[1])")),
        "something on the diagonal",
    ),
    (
        "m_step",
        changed("m_step", ("(responsibilities[:, k]", "(responsibilities[:, k].square()")),
        "the responsibilities count twice",
    ),
    ("m_step", then("m_step", lambda three: (*three[:2], three[2].sqrt())), "not a number"),
    (
        "m_step",
        then("m_step", lambda three: (*three[:2], three[2].diagonal(dim1=1, dim2=2))),
        "covariances has a wrong shape",
    ),
    ("m_step", then("m_step", lambda three: three[1:]), "wrong number of parts"),
    ("m_step", then("m_step", lambda three: three[::-1]), "the parts in reverse order"),
    (
        "bic",
        lambda log_l, k, d, n: 2 * log_l - k * (1 + d * (d + 3) / 2) * math.log(n),
        "the likelihood's part is wrong",
    ),
    ("bic", lambda log_l, k, d, n: -2 * log_l + k * d * d * math.log(n), "the parameters are miscounted"),
    (
        "bic",
        lambda log_l, k, d, n: -2 * log_l + (k - 1 + k * d * (d + 3) / 2) * n**0.5,
        "the price does not go with ln n",
    ),
    (
        "bic",
        lambda log_l, k, d, n: -2 * log_l + (k - 1 + k * d * (d + 3) / 2) * math.log(n + 1),
        "the price does not go with ln n",
    ),
    ("bic", lambda log_l, k, d, n: -2 * log_l + (k + k * d * (d + 3) / 2) * math.log(n), "all weights are free"),
    ("bic", lambda log_l, k, d, n: [-2 * log_l + k * math.log(n)], "wrong shape"),
    ("kmeans_plus_plus", greedy, "wrong probabilities for the second centre"),
    ("kmeans_plus_plus", all_at_once, "a point is chosen again"),
    ("kmeans_plus_plus", last_centre_but_never_twice, "wrong probabilities from the third centre on"),
    ("kmeans_plus_plus", shuffled_start, "a point is chosen again"),
    ("kmeans_plus_plus", reseeded, "the generator is not used up"),
    ("kmeans_plus_plus", product_of_the_distances, "wrong probabilities from the third centre on"),
    ("kmeans_plus_plus", manhattan, "wrong probabilities for the second centre"),
    (
        "kmeans_plus_plus",
        lambda x, n_components, generator: gmm.kmeans_plus_plus.reference(x, n_components, torch.default_generator),
        "the generator is ignored",
    ),
    ("kmeans_plus_plus", lambda x, n_components, generator: x[:n_components], "the generator is not used up"),
    (
        "kmeans_plus_plus",
        lambda x, n_components, generator: torch.randn(n_components, x.shape[1], generator=generator),
        "not points of the data",
    ),
    ("kmeans_plus_plus", lambda x, n_components, generator: torch.arange(n_components), "centres has a wrong shape"),
    (
        "kmeans_plus_plus",
        then("kmeans_plus_plus", lambda centres: centres.flip(0)),
        "the first centre is not any point",
    ),
]


@pytest.mark.parametrize(
    ("name", "answer", "diagnosis"),
    WRONG,
    ids=[f"{name}-{i}: {diagnosis}" for i, (name, _, diagnosis) in enumerate(WRONG)],
)
def test_wrong_answers(name, answer, diagnosis):
    verdict = EXERCISES[name].grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


@pytest.mark.parametrize("burnt", range(1, 60, 3))
@pytest.mark.parametrize("name", ["sample_mixture", "kmeans_plus_plus"])
def test_any_draws_pass(name, burnt):
    """What is compared are frequencies: they hold for whatever numbers the generator gives."""

    def later(*arguments):
        torch.rand(burnt, generator=arguments[-1])
        return EXERCISES[name].reference(*arguments)

    assert EXERCISES[name].grade(later).passed


def test_log_density_of_one_component_is_its_log_joint():
    """What the notebook makes of it: the joint of each component, then the E-step."""
    x, log_weights, means, covariances = gmm.log_density.cases[5].arguments
    log_density = gmm.log_density.reference
    log_joint = torch.stack(
        [log_density(x, *(part[k, None] for part in (log_weights, means, covariances))) for k in range(len(means))],
        dim=1,
    )
    torch.testing.assert_close(log_joint.logsumexp(1), log_density(x, log_weights, means, covariances))
    r = gmm.responsibilities.reference(log_joint)
    weights, new_means, new_covariances = gmm.m_step.reference(x, r, means)
    after = log_density(x, weights.log(), new_means, new_covariances + 1e-6 * torch.eye(x.shape[1]))
    assert after.sum() >= log_joint.logsumexp(1).sum()


SPOILT = {
    "nothing": lambda v: None,
    "a single number": lambda v: v.double().sum(),
    "one axis more": lambda v: v[None],
    "one too few": lambda v: v.flatten()[1:],
    "empty": lambda v: v.flatten()[:0],
    "NaN": lambda v: v * math.nan,
    "infinite": lambda v: v.double() - math.inf,
    "one NaN": lambda v: torch.where(torch.arange(v.numel()).reshape(v.shape) == 0, math.nan, v.double()),
    "zero": lambda v: v * 0,
    "huge": lambda v: v.double() * 1e9 + 1,
    "twice": lambda v: torch.cat([v, v]),
}


SPOILS = [
    (name, spoil, part, call)
    for name in EXERCISES
    for spoil in SPOILT
    for part in range({"sample_mixture": 2, "m_step": 3}.get(name, 1))
    if (name, spoil) != ("bic", "a single number")  # it is one
    for call in (["every call"] if name == "kmeans_plus_plus" else ["every call", 0, 2, 5])
]


@pytest.mark.parametrize(("name", "spoil", "part", "call"), SPOILS)
def test_no_answer_confuses_the_check(name, spoil, part, call):
    """Whatever comes back, in all calls or in one, there is a verdict."""
    exercise, calls = EXERCISES[name], []

    def answer(*arguments):
        calls.append(0)
        value = exercise.reference(*arguments)
        if call not in ("every call", len(calls) - 1):
            return value
        if isinstance(value, tuple):
            return tuple(SPOILT[spoil](v) if i == part else v for i, v in enumerate(value))
        return SPOILT[spoil](torch.as_tensor(value))

    verdict = exercise.grade(answer)
    assert verdict.message and not (verdict.passed and call == "every call"), verdict
