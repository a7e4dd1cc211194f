"""The exercises of notebook 02: a mixture of Gaussians, drawn from, evaluated, and fitted by EM.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .answers import Unusable, as_numbers, shape_of
from .common import answer_to, chance, normal, usable
from .core import Case, exercise, seeded, some


def _normal(seed: int, *shape: int) -> Tensor:
    return normal(*shape, seed=seed)


def _log_weights(*weights: float) -> Tensor:
    return torch.tensor(weights).log()


def _covariances(n_components: int, n_features: int) -> Tensor:
    """Correlated, of different sizes, and well away from singular."""
    factors = _normal(17 * n_components + n_features, n_components, n_features, n_features)
    sizes = torch.arange(1, n_components + 1)[:, None, None] ** 0.5
    return (factors @ factors.mT / n_features + 0.4 * torch.eye(n_features)) * sizes


def _parts(value, **due: tuple) -> list[Tensor]:
    """The parts of an answer of several, each of the shape that is due."""
    names = ", ".join(due)
    if value is None or value is ...:
        as_numbers(value)
    if not (isinstance(value, (tuple, list)) and len(value) == len(due)):
        came = f"{len(value)} things" if isinstance(value, (tuple, list)) else shape_of(value)
        raise Unusable("not yet", "wrong number of parts",
                       f"It returned {came} where {len(due)} things are due: `return {names}`.")
    for name, part in zip(due, value):
        if part is None:
            raise Unusable("not yet", f"{name} is missing", f"`{name}` is None.")
    parts = [as_numbers(part) for part in value]
    shapes = [tuple(part.shape) for part in parts]
    if shapes == list(due.values())[::-1] != list(due.values()):
        raise Unusable("not yet", "the parts in reverse order", f"The order in which they are due is `{names}`.")
    for name, part, shape in zip(due, parts, due.values()):
        _insist(name, part, shape)
    return parts


def _insist(name: str, part: Tensor, shape: tuple, more: str = "") -> Tensor:
    if part.shape != shape:
        raise Unusable("not yet", f"{name} has a wrong shape",
                       f"`{name}` has shape {tuple(part.shape)} where {shape} is due.{more}")
    if part.isnan().any():
        raise Unusable("not yet", "not a number", f"There is a NaN in `{name}`.")
    return part


def _due_to(results, observe):
    return next((r.expected for r in results if r.case.observe is observe), None)


# 1

_WEIGHTS = torch.tensor([0.45, 0.0, 0.3, 0.2, 0.05])


def _drawn(fn, weights, means, stds, n, generator) -> tuple[Tensor, Tensor]:
    arguments = weights.clone(), means.clone(), stds.clone()        # for each call: it may work in place
    x, component = _parts(fn(*arguments, n, generator), x=(n, means.shape[1]), component=(n,))
    if not ((component == component.round()) & (component >= 0) & (component < len(weights))).all():
        raise Unusable("not yet", "no such component",
                       f"`component` holds something else than the numbers from 0 to {len(weights) - 1}.")
    return x, component.long()


def _membership(fn, weights, means, stds, n, seed):
    """For means far apart, the share of points that are near some mean; and near that of their component."""
    x, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    distances = (x[:, None] - means).norm(dim=2)                                        # (n, K)
    own = distances.gather(1, component[:, None])[:, 0]
    return torch.stack([(distances.amin(1) < 40).double().mean(), (own < 40).double().mean()])


def _components(fn, weights, means, stds, n, seed):
    """How often each component occurs; last, how often two points in a row have the same."""
    _, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    shares = torch.bincount(component, minlength=len(weights)) / n
    return torch.cat([shares, (component[1:] == component[:-1]).float().mean()[None]]).double()


def _noise(fn, weights, means, stds, n, seed):
    """x in standard units of its component: mean and deviation in each; over all, how much is within 1 and within ½
    (three times, to compare it more narrowly) and below 0, and the correlation of two features."""
    x, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    e = (x - means[component]) / stds[component, None]
    each = [e[component == k] for k in range(len(weights))]
    shares = [3 * (e.abs() < 1).double().mean(), 3 * (e.abs() < 0.5).double().mean(), (e < 0).double().mean()]
    return torch.stack([part.mean() for part in each] + [part.std(0).mean() for part in each] + shares
                       + [e.T.corrcoef()[0, 1]]).nan_to_num(-9.0)


def _counts(fn, weights, means, stds, n, seed):
    """Component 0 among n points, over 300 calls: its mean share, and the variance beside the binomial one."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.stack([(_drawn(fn, weights, means, stds, n, generator)[1] == 0).double().mean()
                          for _ in range(300)])
    return torch.stack([shares.mean(), shares.var() / (weights[0] * (1 - weights[0]) / n)])


def _chance_of_points(fn, weights, means, stds, n, seed):
    """Whether x and component come from the generator, each looked at by itself."""
    def draw(which):
        return lambda generator: _drawn(fn, weights, means, stds, n, generator)[which].double()

    return torch.cat([chance(draw(0), seed), chance(draw(1), seed)])


@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "Two steps, and the second looks at the first: which component, and then where. Each point has a "
        "component of its own.",
        "`torch.multinomial(weights, n, replacement=True, generator=generator)` draws n components, each with "
        "its weight. Indexing with them, `means[component]`, gives every point the mean of its own.",
        "A Gaussian of mean µ and standard deviation σ is µ + σ·e with e from N(0, 1): `torch.randn(n, D, "
        "generator=generator)` draws all e at once, and `stds[component, None]` is (n, 1).",
    ),
    cases=(
        Case(torch.tensor([0.0, 1.0]), torch.tensor([[300.0, -200.0], [-90.0, 7.0]]), torch.tensor([0.5, 2.0]), 1, 1,
             observe=_membership, label="a single point, all weight on one of 2 components"),
        Case(torch.tensor([0.3, 0.5, 0.2]), torch.tensor([[100.0, 0], [0, 100], [-80, -80]]),
             torch.tensor([1.0, 0.1, 4.0]), 400, 2, observe=_membership, atol=0.01,
             label="400 points of 3 components that lie far apart"),
        Case(torch.tensor([0.5, 0.5]), _normal(0, 2, 2), torch.tensor([1.0, 2.0]), 20, 3,
             observe=_chance_of_points, label="20 points, drawn several times"),
        Case(_WEIGHTS, torch.arange(5.0)[:, None], torch.ones(5), 4000, 4, observe=_components, atol=0.05,
             label="the components of 4,000 points"),
        Case(torch.tensor([0.4, 0.3, 0.3]), torch.tensor([[0.0, 1, 2], [5, 5, 5], [-3, 2, 0]]),
             torch.tensor([0.2, 1.0, 3.0]), 4000, 5, observe=_noise, atol=0.12,
             label="4,000 points of 3 components, seen from the mean of each"),
        Case(torch.tensor([0.7, 0.3]), torch.tensor([[0.0], [1.0]]), torch.ones(2), 10, 6, observe=_counts,
             atol=0.6, label="10 points, drawn 300 times"),
    ),
)
def sample_mixture(weights: Tensor, means: Tensor, stds: Tensor, n: int,
                   generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw n points, independent of each other, from a mixture of round Gaussians.

    First the component m of a point, with probability P(m); then the point itself from
    N(µ_m, σ_m² I). All chance comes from the generator, which is not seeded here.
    weights: (K,), P(m); means: (K, D), µ; stds: (K,), the standard deviations σ.
    Returns x, (n, D), and component, (n,): integers from 0 to K - 1.
    """
    component = torch.multinomial(weights, n, replacement=True, generator=generator)
    noise = torch.randn(n, means.shape[1], generator=generator)                 # (n, D)
    x = means[component] + stds[component, None] * noise
    return x, component


sample_mixture.mistake(
    "all components equally often",
    "torch.multinomial(weights, n, replacement=True, generator=generator)",
    "torch.randint(len(weights), (n,), generator=generator)",
    "All components come equally often: the weights say how often each is drawn.")
sample_mixture.mistake(
    "one component for all points",
    "torch.multinomial(weights, n, replacement=True, generator=generator)",
    "torch.multinomial(weights, 1, generator=generator).expand(n)",
    "The component is drawn once, and all points of a call come from it. Each point has a draw of its own.")
sample_mixture.mistake(
    "always the heaviest component",
    "torch.multinomial(weights, n, replacement=True, generator=generator)",
    "weights.argmax().expand(n)",
    "All points come from the component of the largest weight. A weight is a probability: the others have "
    "their turn too.")
sample_mixture.mistake(
    "the shares are fixed",
    "torch.multinomial(weights, n, replacement=True, generator=generator)",
    "torch.searchsorted(weights.cumsum(0), (torch.rand(n, generator=generator).argsort() + 0.5) / n)",
    "Every call has the same number of points from each component: exactly its weight's share. Drawn one by "
    "one, these numbers vary from call to call.")
sample_mixture.mistake(
    "the points are sorted",
    "replacement=True, generator=generator)",
    "replacement=True, generator=generator).sort().values",
    "The points come sorted by their components: one who takes the first half of them has not seen all. Draw "
    "the component for each point in turn.")
sample_mixture.mistake(
    "the standard deviation taken for a variance", "stds[component, None]", "stds[component, None].sqrt()",
    "The spread is the square root of what is due: `stds` are standard deviations already, no variances.")
sample_mixture.mistake(
    "the variance taken for a standard deviation", "stds[component, None]", "stds[component, None].square()",
    "The spread is the square of what is due: the noise is multiplied by σ, not by σ².")
sample_mixture.mistake(
    "the noise is not scaled", "stds[component, None] * noise", "noise",
    "Every component spreads by 1: the noise is to be multiplied by the component's standard deviation.")
sample_mixture.mistake(
    "one spread for all components", "stds[component, None]", "stds.mean()",
    "All components spread alike: each point takes the standard deviation of its own component.")
sample_mixture.mistake(
    "no noise", " + stds[component, None] * noise", "",
    "All points lie on the means themselves: the noise is missing.")
sample_mixture.mistake(
    "one noise for all points", "torch.randn(n, means.shape[1]", "torch.randn(1, means.shape[1]",
    "All points of a component fall on one spot: they share one draw of noise. Each point needs its own.")
sample_mixture.mistake(
    "one noise for all features", "torch.randn(n, means.shape[1]", "torch.randn(n, 1",
    "All features of a point are shifted by the same noise, so the points lie along a diagonal. Each feature "
    "needs a draw of its own.")
sample_mixture.mistake(
    "uniform noise", "torch.randn(n, means", "torch.rand(n, means",
    "The noise is uniform between 0 and 1: `torch.randn` draws from N(0, 1), `torch.rand` does not.")
sample_mixture.mistake(
    "the means are averaged", "means[component] + stds", "weights @ means + stds",
    "The points lie around the average of the means, Σ P(m) µ_m, where perhaps no component is. A mixture "
    "takes one component for each point; it does not average them.")
sample_mixture.mistake(
    "draws of all components averaged",
    "x = means[component] + stds[component, None] * noise",
    "draws = means[:, None] + stds[:, None, None] * torch.randn(\n"
    "        len(means), n, means.shape[1], generator=generator)\n"
    "    x = (weights[:, None, None] * draws).sum(0)",
    "Every point is a weighted sum of draws from all components. A sum of Gaussian variables is one Gaussian: "
    "what the weights add up are densities, not points.")
sample_mixture.mistake(
    "the mean is scaled too",
    "means[component] + stds[component, None] * noise",
    "(means[component] + noise) * stds[component, None]",
    "The mean is multiplied by the standard deviation too: only the noise is.")
sample_mixture.mistake(
    "the component is drawn a second time",
    "return x, component",
    "return x, torch.multinomial(weights, n, replacement=True, generator=generator)",
    "The component that is returned is not the one that the point was drawn from: draw it once, and use it "
    "twice.")
sample_mixture.mistake(
    "the components are drawn without the generator",
    "replacement=True, generator=generator)", "replacement=True)",
    "The same generator, seeded alike, gives other components: they are drawn from elsewhere. Every draw takes "
    "`generator=generator`.")
sample_mixture.mistake(
    "the noise is drawn without the generator",
    "means.shape[1], generator=generator)", "means.shape[1])",
    "The same generator, seeded alike, gives the same components but other points: the noise comes from "
    "elsewhere. Every draw takes `generator=generator`.")
sample_mixture.mistake(
    "seeded anew",
    "    component = torch",
    "    generator.manual_seed(0)\n    component = torch",
    "The generator is seeded inside the function, so that it draws the same points every time. Seeding is the "
    "caller's business.")


def _stats_of_noise(results):
    """Mean and deviation in each of the 3 components, the share below 0, the correlation of the features."""
    noise = answer_to(results, _noise)
    return None if noise is None else (noise[:3], noise[3:6], noise[8], noise[9])


def _wrong(results, observe):
    return any(r.value is not None and not r.right for r in results if r.case.observe is observe)


@sample_mixture.symptom("the components are drawn without the generator")
def _(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[5]


@sample_mixture.symptom("the noise is drawn without the generator")
def _(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[0]


@sample_mixture.symptom("one component for all points")
def _(results):
    counts = answer_to(results, _counts)
    return counts is not None and counts[1] > 8


@sample_mixture.symptom("one noise for all points")
def _(results):
    noise = _stats_of_noise(results)
    return noise is not None and noise[1].abs().max() < 1e-3 and noise[0].abs().max() > 1e-3


@sample_mixture.symptom(
    "the generator is not used up",
    "Two calls in a row with one generator give the same, or the generator is as fresh after a call as before "
    "it: draw from the generator itself, neither from a copy nor from one seeded anew.")
def _(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[:5].all()


@sample_mixture.symptom("the points are sorted")
def _(results):
    components = answer_to(results, _components)
    return components is not None and components[-1] > 0.9 and components[:-1].max() < 0.9


@sample_mixture.symptom(
    "the weights are not heeded",
    "The components do not come as often as their weights say: component m with probability `weights[m]`.")
def _(results):
    components = answer_to(results, _components)
    return components is not None and (components - _due_to(results, _components))[:-1].abs().max() > 0.05


@sample_mixture.symptom(
    "the components of the points are not independent",
    "Each component comes as often as its weight says, but not by chance, anew for every point: the order of "
    "the components, or how many there are of each, has a rule.")
def _(results):
    return any(_wrong(results, observe) for observe in (_components, _counts, _chance_of_points))


@sample_mixture.symptom(
    "x and component do not belong together",
    "Each point lies near one of the means, but not near that of the component returned with it: both come "
    "from the same draw, in the same order.")
def _(results):
    return any(r.value is not None and r.value[0] > 0.99 > r.value[1] for r in results if r.case.observe is _membership)


@sample_mixture.symptom(
    "noise to one side",
    "All points lie on one side of the mean of their component: the noise has one sign only.")
def _(results):
    noise = _stats_of_noise(results)
    return noise is not None and not 0.02 < noise[2] < 0.98 and noise[1].abs().max() > 1e-3


@sample_mixture.symptom(
    "the points are not where their component is",
    "The components come as they should, but the points do not lie around `means[component]`: which mean is "
    "taken, and is anything else done to it?")
def _(results):
    noise = _stats_of_noise(results)
    return _wrong(results, _membership) or (noise is not None and noise[0].abs().max() > 0.12)


@sample_mixture.symptom("one noise for all features")
def _(results):
    noise = _stats_of_noise(results)
    return noise is not None and noise[3] > 0.9


@sample_mixture.symptom(
    "wrong spread",
    "The points lie around the right means, but spread too little or too far in some component: its standard "
    "deviation is `stds[component]`.")
def _(results):
    noise = _stats_of_noise(results)
    return noise is not None and (noise[1] - 1).abs().max() > 0.12


@sample_mixture.symptom(
    "not the noise of a Gaussian",
    "Means and spread are right, but the points are not scattered around the mean as N(0, σ²) would have it, "
    "independently in each feature: how is the noise drawn?")
def _(results):
    return _wrong(results, _noise)


# 2

def _mixture(seed: int, n: int, weights: tuple, n_features: int) -> tuple[Tensor, ...]:
    n_components = len(weights)
    return (2 * _normal(seed, n, n_features), _log_weights(*weights), 2 * _normal(seed + 1, n_components, n_features),
            _covariances(n_components, n_features))


_NEAR_AND_FAR = torch.tensor([[0.3, -0.2], [1.5, 1.0], [400.0, -300.0], [-2000.0, 50.0], [0.0, 3.0]])
_FAR, _NARROW = "points that lie far away from all components", "a very narrow component in 64 dimensions"


@exercise(
    minutes=12,
    difficulty="medium",
    hints=(
        "Three steps: the logarithm of each component's density at each point, (B, K); to that the logarithm "
        "of its weight; then log Σ exp over the components. The sum is over densities, not over logarithms.",
        "`offsets = x[:, None] - means` is (B, K, D). The squared distance is (x - µ)ᵀ Σ⁻¹ (x - µ): "
        "`torch.linalg.inv(covariances)` and an `einsum`, or `torch.linalg.solve`. `torch.logdet` gives the "
        "log det Σ of all components at once.",
        "`log_normal = -0.5 * (squares + log_det + D * math.log(2 * math.pi))`, and `torch.logsumexp(…, "
        "dim=1)` takes out the largest term before it takes any exponential, so nothing underflows.",
    ),
    cases=(
        Case(torch.tensor([[0.0], [1.0], [-2.5]]), torch.zeros(1), torch.zeros(1, 1), torch.tensor([[[4.0]]]),
             label="one component of variance 4 in one dimension"),
        Case(*_mixture(1, 5, (1.0,), 3), label="one component in 3 dimensions"),
        Case(*_mixture(3, 4, (1.0,), 2), label="one component in 2 dimensions"),
        Case(*_mixture(5, 4, (0.3,), 2), label="one component alone, of weight 0.3"),
        Case(*_mixture(7, 4, (0.01,), 5), label="one component alone, of weight 0.01"),
        Case(*_mixture(9, 7, (0.2, 0.5, 0.3), 2), label="7 points, 3 components, 2 dimensions"),
        Case(*_mixture(11, 6, (0.9, 0.1), 1), label="6 points, 2 components, 1 dimension"),
        Case(*_mixture(13, 3, (0.2, 0.7, 0.1), 3), label="3 points, 3 components, 3 dimensions"),
        Case(*_mixture(15, 1, (0.1, 0.2, 0.3, 0.4), 5), label="1 point, 4 components, 5 dimensions"),
        Case(*_mixture(17, 4, (0.6, 0.0, 0.4), 2), label="a component of weight 0"),
        Case(_NEAR_AND_FAR, *_mixture(19, 1, (0.7, 0.3), 2)[1:], label=_FAR),
        Case(1e-6 * _normal(21, 3, 64), torch.zeros(1), torch.zeros(1, 64), 1e-12 * torch.eye(64)[None],
             label=_NARROW),
    ),
)
def log_density(x: Tensor, log_weights: Tensor, means: Tensor,
                covariances: Tensor) -> Tensor:
    """The log-density of a mixture of Gaussians at each point, in nats, near and far.

    log P(x) = log Σ_m exp(log P(m) + log N(x; µ_m, Σ_m)), where
    log N(x; µ, Σ) = -½ [(x - µ)ᵀ Σ⁻¹ (x - µ) + log det Σ + D log 2π].
    x: (B, D); log_weights: (K,), log P(m), taken as they are, even where these are not all
    components; -inf is allowed. means: (K, D), µ; covariances: (K, D, D), Σ.
    Returns (B,), finite even where every density underflows.
    """
    n_features = x.shape[1]
    offsets = (x[:, None] - means).permute(1, 2, 0)                            # (K, D, B)
    squares = (offsets * torch.linalg.solve(covariances, offsets)).sum(1).T     # (B, K)
    log_det = torch.logdet(covariances)                                         # (K,)
    log_normal = -0.5 * (squares + log_det + n_features * math.log(2 * math.pi))
    return torch.logsumexp(log_weights + log_normal, dim=1)


log_density.mistake(
    "the densities underflow",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "(log_weights + log_normal).exp().sum(1).log()",
    "Right near the components, infinite elsewhere: the exponential of -1,000 is 0 for a floating-point "
    "number, and that of 1,000 is infinite. Take out the largest term of the sum first, and add it to the "
    "logarithm at the end.")
log_density.mistake(
    "one maximum for all points",
    "return torch.logsumexp(log_weights + log_normal, dim=1)",
    "largest = (log_weights + log_normal).max()\n"
    "    return largest + (log_weights + log_normal - largest).exp().sum(1).log()",
    "Right for the points near the components, infinite for those far away: the term that is taken out is the "
    "largest of the whole batch. Each point needs its own: a maximum over the components.")
log_density.mistake(
    "a small number is added before the logarithm",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "((log_weights + log_normal).exp().sum(1) + 1e-10).log()",
    "The small number that keeps the logarithm finite is what you get: far away all points have the same "
    "density, that number. The logarithm of the density goes on falling; take out the largest term before the "
    "exponential.")
log_density.mistake(
    "the determinant underflows", "torch.logdet(covariances)", "torch.linalg.det(covariances).log()",
    "In 64 dimensions the determinant is a product of 64 small numbers, too small for a floating-point number. "
    "`torch.logdet` adds logarithms.")
log_density.mistake(
    "the ½ is missing", "-0.5 * (squares", "-1.0 * (squares",
    "The logarithm of a component's density is twice what is due: the ½ of the exponent, and of the square "
    "root, is missing.")
log_density.mistake(
    "the ½ of the distance is missing", "(squares + log_det", "(2 * squares + log_det",
    "The squared distance counts twice: the exponent of a Gaussian has a ½.")
log_density.mistake(
    "the determinant is missing", "(squares + log_det + ", "(squares + ",
    "The determinant of Σ is missing: without it a wide component counts as much at every point as a narrow "
    "one, and its density sums to more than 1.")
log_density.mistake(
    "the ½ of the determinant is missing", "squares + log_det", "squares + 2 * log_det",
    "The log-determinant counts twice: a density divides by the square root of det Σ.")
log_density.mistake(
    "the determinant's sign is turned", "squares + log_det", "squares - log_det",
    "The log-determinant has the wrong sign: the wider a component, the lower its density.")
log_density.mistake(
    "the constant is missing", " + n_features * math.log(2 * math.pi)", "",
    "D/2 · log 2π is missing: without it the density does not integrate to 1.")
log_density.mistake(
    "the constant counts once", "n_features * math.log(2 * math.pi)", "math.log(2 * math.pi)",
    "Right in one dimension only: ½ log 2π belongs to every dimension.")
log_density.mistake(
    "the 2 of 2π is missing", "math.log(2 * math.pi)", "math.log(math.pi)",
    "The constant is too small: it is log 2π, not log π.")
log_density.mistake(
    "the weights are forgotten", "log_weights + log_normal", "log_normal",
    "The weights are forgotten: each component's density counts by its probability.")
log_density.mistake(
    "the weights themselves are added", "log_weights + log_normal", "log_weights.exp() + log_normal",
    "The weights themselves are added to a logarithm. A factor in front of a density is a summand beside its "
    "logarithm: add log P(m).")
log_density.mistake(
    "the logarithms are multiplied", "log_weights + log_normal", "log_weights.exp() * log_normal",
    "The logarithm of the density is multiplied by the weight: it is the density itself that is, and to its "
    "logarithm the log-weight is added.")
log_density.mistake(
    "the logarithm is taken twice", "log_weights + log_normal", "log_weights.log() + log_normal",
    "A logarithm of the log-weights is taken, and they are below 0: they are logarithms already.")
log_density.mistake(
    "the weights are added outside",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "torch.logsumexp(log_normal, dim=1) + torch.logsumexp(log_weights, dim=0)",
    "The weights are summed by themselves, beside the sum of the densities: each belongs to the density of "
    "its own component, before the sum.")
log_density.mistake(
    "the covariance instead of its inverse", "torch.linalg.solve(covariances, offsets)", "(covariances @ offsets)",
    "The distance is measured with Σ instead of Σ⁻¹: the wider a component, the nearer a point is to it.")
log_density.mistake(
    "the covariance taken for a standard deviation",
    "    offsets = (x",
    "    covariances = covariances @ covariances\n    offsets = (x",
    "The covariance is used as if it were a standard deviation, and squared: its diagonal holds variances "
    "already.")
log_density.mistake(
    "the covariance taken for its factor",
    "    offsets = (x",
    "    covariances = covariances.tril() @ covariances.tril().mT\n    offsets = (x",
    "The covariance is used as if it were its own Cholesky factor (`scale_tril`): the factor L of Σ = L Lᵀ "
    "has yet to be found.")
log_density.mistake(
    "the covariance taken for a precision",
    "    offsets = (x",
    "    covariances = torch.linalg.inv(covariances)\n    offsets = (x",
    "The covariance is used as if it were its inverse, the precision, in the distance and in the determinant: "
    "the wider a component, the narrower it comes out.")
log_density.mistake(
    "the correlations are ignored",
    "    offsets = (x",
    "    covariances = torch.diag_embed(covariances.diagonal(dim1=1, dim2=2))\n    offsets = (x",
    "Right in one dimension only: the variances alone are used, and what stands off the diagonal of Σ is "
    "ignored.")
log_density.mistake(
    "a product instead of a sum",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "(log_weights + log_normal).sum(1)",
    "The logarithms are added: that is the product of the densities. A mixture is their sum.")
log_density.mistake(
    "the average of the logarithms",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "(log_weights.exp() * log_normal).sum(1)",
    "This is the average of the log-densities, which is less than the logarithm of the average: first the "
    "sum, then the logarithm.")
log_density.mistake(
    "only the likeliest component",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "(log_weights + log_normal).amax(1)",
    "Only the largest term counts. Where components overlap, all of them have their share in the density.")
log_density.mistake(
    "divided by the number of components",
    "log_weights + log_normal", "log_weights - math.log(len(means)) + log_normal",
    "The sum over the components is divided by their number: the weights, which sum to 1, have done that.")
log_density.mistake(
    "the weights are normalised", "log_weights + log_normal", "torch.log_softmax(log_weights, 0) + log_normal",
    "Right for a whole mixture; but the weights are normalised once more (as `Categorical` does), so that a "
    "component alone counts fully, whatever its weight. The log-weights are taken as they are.")
log_density.mistake(
    "averaged over the features", "log_normal, dim=1)", "log_normal, dim=1) / n_features",
    "The log-density is divided by the number of dimensions: that of the whole point is asked for.")
log_density.mistake(
    "summed over the points", "log_normal, dim=1)", "log_normal, dim=0)",
    "The sum runs over the points: for each point it is to run over the components.")
log_density.mistake(
    "all points summed", "log_normal, dim=1)", "log_normal, dim=1).sum()",
    "The points are summed: each has a log-density of its own.")
log_density.mistake(
    "all points averaged", "log_normal, dim=1)", "log_normal, dim=1).mean()",
    "The points are averaged: each has a log-density of its own.")
log_density.mistake(
    "no logarithm",
    "torch.logsumexp(log_weights + log_normal, dim=1)", "torch.logsumexp(log_weights + log_normal, dim=1).exp()",
    "This is the density itself; its logarithm is asked for.")
log_density.mistake(
    "the sign is turned", "return torch", "return -torch",
    "This is the negative log-density, what a training loop makes small. The log-density itself is asked for.")
log_density.mistake(
    "bits instead of nats",
    "torch.logsumexp(log_weights + log_normal, dim=1)",
    "torch.logsumexp(log_weights + log_normal, dim=1) / math.log(2)",
    "These are bits: the logarithm to base 2. Nats come from the natural logarithm.")


def _split_by_label(results, *labels):
    given = usable(results)
    return [r for r in given if r.label not in labels], [r for r in given if r.label in labels]


@log_density.symptom("the densities underflow", errors_too=True)
def _(results):
    near, far = _split_by_label(results, _FAR, _NARROW)
    return (len(near) == len(results) - 2 and all(r.right for r in near)
            and any(not r.right and not r.value.isfinite().all() for r in far))


@log_density.symptom(
    "a floor under the density",
    "Right near the components, but far away the logarithm stops falling: something keeps the density from "
    "getting small, a number added to it or a `clamp`. Take out the largest term of the sum before the "
    "exponential instead.")
def _(results):
    near, far = _split_by_label(results, _FAR, _NARROW)
    return all(r.right for r in near) and any((r.value > r.expected + 1).any() for r in far)


def _coefficients(results):
    """How much of each term is in log N of one component, by least squares; None where something else is in it."""
    rows, values = [], []
    for r in usable(results):
        x, log_weights, means, covariances = r.case.arguments
        if len(log_weights) == 1 and r.value.isfinite().all():
            offsets = (x - means[0]).double()
            squares = (offsets @ torch.linalg.inv(covariances[0].double()) * offsets).sum(1)
            others = torch.logdet(covariances[0].double()), x.shape[1], log_weights[0].double(), 1.0
            rows += [torch.tensor([square, *others], dtype=torch.float64) for square in squares]
            values.append(r.value)
    if len({tuple(row[1:].tolist()) for row in rows}) < 5:
        return None
    terms, values = torch.stack(rows), torch.cat(values)
    found = torch.linalg.lstsq(terms, values[:, None]).solution[:, 0]
    return found if torch.allclose(terms @ found, values, rtol=1e-3, atol=1e-3) else None


for _place, _due, _name, _message in (
        (0, -0.5, "the distance has a wrong factor", "how the squared distance (x - µ)ᵀ Σ⁻¹ (x - µ) counts"),
        (1, -0.5, "the determinant has a wrong factor", "how the log-determinant counts"),
        (2, -0.5 * math.log(2 * math.pi), "the constant is wrong", "the constant with log 2π, one for every dimension"),
        (3, 1.0, "the weight has a wrong factor", "how the log-weight counts"),
        (4, 0.0, "a constant too many", "a constant that does not depend on the dimension")):
    log_density.symptom(_name, f"Even a component alone comes out wrong, and what is wrong there is {_message}.")(
        lambda results, place=_place, due=_due: (
            (found := _coefficients(results)) is not None and abs(found[place] - due) > 1e-2))


@log_density.symptom(
    "the components are put together wrongly",
    "A component alone comes out right, several do not: how is log Σ exp taken over them, and where do the "
    "weights stand?")
def _(results):
    alone = [r for r in usable(results) if len(r.case.arguments[1]) == 1]
    several = [r for r in results if len(r.case.arguments[1]) > 1]
    return bool(alone) and bool(several) and all(r.right for r in alone) and not any(r.right for r in several)


@log_density.symptom(
    "right in one dimension only",
    "Right in one dimension, wrong in more. There Σ is a matrix: what stands off its diagonal counts in its "
    "inverse and in its determinant; and ½ log 2π is due for every dimension.")
def _(results):
    one = [r for r in results if r.case.arguments[0].shape[1] == 1]
    more = [r for r in results if r.case.arguments[0].shape[1] > 1 and r.label != _NARROW]
    return bool(one) and bool(more) and all(r.right for r in one) and not any(r.right for r in more)


@log_density.symptom(
    "a component alone is wrong",
    "Even a component alone comes out wrong, and more is amiss than a factor. Try Σ = I, where the squared "
    "distance is ‖x - µ‖² and log det Σ is 0; then Σ = 4 I, where the one is a quarter of that and the other "
    "D log 4.")
def _(results):
    alone = [r for r in usable(results) if len(r.case.arguments[1]) == 1 and r.label != _NARROW]
    return all(r.value.isfinite().all() for r in alone) and sum(not r.right for r in alone) > 2


# 3

_JOINT_FAR, _JOINT_MIXED = "log-densities around -2,000", "some points near, some far"


@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "Bayes: P(m|x) = P(m, x) / P(x). What is P(x), if you have P(m, x) for every m?",
        "P(x) is the sum over the components: each row is divided by its own sum, and then sums to 1. But the "
        "exponential of -2,000 is 0, and 0 / 0 is no number.",
        "A factor common to a row cancels: take the row's largest value away first, `log_joint - "
        "log_joint.amax(dim=1, keepdim=True)`, then the exponential, then divide by `….sum(dim=1, "
        "keepdim=True)`.",
    ),
    cases=(
        Case(torch.tensor([[0.6, 0.3]]).log()),
        Case(torch.tensor([[0.1, 0.4], [0.02, 0.03]]).log(), label="2 points, 2 components"),
        Case(_normal(30, 5, 3) - 2), Case(_normal(31, 3, 3) - 1), Case(_normal(32, 4, 1) - 3),
        Case(_normal(33, 1, 6) - 4), Case(2 * _normal(34, 40, 4) - 5),
        Case(torch.tensor([[-1.0, -math.inf, -2.0], [-math.inf, -3.0, -1.5]]), label="a component of density 0"),
        Case(2 * _normal(35, 4, 3) - 2000, atol=1e-3, label=_JOINT_FAR),
        Case(_normal(36, 6, 3) - torch.tensor([0.0, 2000, 3, 1500, 900, 1])[:, None], atol=1e-3, label=_JOINT_MIXED),
        Case(torch.tensor([[1200.0, 1201.0], [1500.0, 1500.5]]), atol=1e-3, label="log-densities above 1,000"),
        Case(torch.tensor([[-900.0, -5.0, -4.0], [-1.0, -1.0, -800.0]]), label="components far apart"),
    ),
)
def responsibilities(log_joint: Tensor) -> Tensor:
    """How likely each point came from each component: the E-step.

    P(m|x) = P(m, x) / Σ_m' P(m', x), for densities of any size: their logarithms may be
    -2,000 or +1,000. log_joint: (B, K), log P(m, x) = log P(m) + log N(x; µ_m, Σ_m), in
    nats; -inf is allowed, but not in all of a row. Returns (B, K).
    """
    largest = log_joint.amax(dim=1, keepdim=True)                               # (B, 1)
    joint = torch.exp(log_joint - largest)              # up to a factor that cancels
    return joint / joint.sum(dim=1, keepdim=True)


responsibilities.mistake(
    "the exponentials underflow", "log_joint - largest", "log_joint",
    "Right for likely points; for others it is 0 / 0 or infinity / infinity, since the exponential of -2,000 "
    "is 0 for a floating-point number. Take each row's largest value away first: a common factor cancels.")
responsibilities.mistake(
    "one maximum for all points", "log_joint.amax(dim=1, keepdim=True)", "log_joint.max()",
    "Right where all points are alike; where some are near and some far, the far ones are 0 / 0. What is "
    "taken away is the largest of the whole batch; each row needs its own.")
responsibilities.mistake(
    "the maximum of each component", "log_joint.amax(dim=1, keepdim=True)", "log_joint.amax(dim=0)",
    "What is taken away is the largest of each column, another number for each component: that does not "
    "cancel. Each point needs its own, a maximum over the components.")
responsibilities.mistake(
    "the smallest is taken away", "log_joint.amax(dim=1", "log_joint.amin(dim=1",
    "Each row's smallest value is taken away: then the others have large exponentials, and where the smallest "
    "is -inf nothing is left. Take the largest away: no exponential is above 1 then.")
responsibilities.mistake(
    "normalised over the points", "joint.sum(dim=1, keepdim=True)", "joint.sum(dim=0, keepdim=True)",
    "The columns sum to 1: it is divided by the sum over the points. A point's responsibilities sum to 1 over "
    "the components.")
responsibilities.mistake(
    "a softmax over the points",
    "largest = log_joint.amax(dim=1, keepdim=True)                               # (B, 1)\n"
    "    joint = torch.exp(log_joint - largest)              # up to a factor that cancels\n"
    "    return joint / joint.sum(dim=1, keepdim=True)",
    "return torch.softmax(log_joint, dim=0)",
    "The softmax runs over the points, and the columns sum to 1. A point's responsibilities sum to 1 over the "
    "components: the other axis.")
responsibilities.mistake(
    "normalised over everything", "joint.sum(dim=1, keepdim=True)", "joint.sum()",
    "All entries together sum to 1. Every point has its own question, so every row sums to 1.")
responsibilities.mistake(
    "not normalised", "joint / joint.sum(dim=1, keepdim=True)", "log_joint.exp()",
    "This is P(m, x), the numerator: it is still to be divided by P(x), the sum over the components.")
responsibilities.mistake(
    "the largest is 1", "joint / joint.sum(dim=1, keepdim=True)", "joint",
    "In every row the likeliest component has 1 and the others have something more: taking the largest away "
    "is for the numerics only, the division by the sum is still due.")
responsibilities.mistake(
    "a small number is added to the sum",
    "torch.exp(log_joint - largest)              # up to a factor that cancels\n"
    "    return joint / joint.sum(dim=1, keepdim=True)",
    "torch.exp(log_joint)\n"
    "    return joint / (joint.sum(dim=1, keepdim=True) + 1e-10)",
    "The small number in the denominator prevents 0 / 0, but a point far away then belongs to no component at "
    "all: its row sums to 0. Take the row's largest value away before the exponential.")
responsibilities.mistake(
    "still logarithms",
    "joint / joint.sum(dim=1, keepdim=True)", "log_joint - torch.logsumexp(log_joint, dim=1, keepdim=True)",
    "These are the logarithms of the responsibilities: take the exponential at the end.")
responsibilities.mistake(
    "the logarithms are divided",
    "joint / joint.sum(dim=1, keepdim=True)", "log_joint / log_joint.sum(dim=1, keepdim=True)",
    "The logarithms are divided by their sum. Bayes speaks of the densities: exponentials first.")
responsibilities.mistake(
    "all or nothing",
    "joint / joint.sum(dim=1, keepdim=True)",
    "torch.nn.functional.one_hot(log_joint.argmax(1), log_joint.shape[1])",
    "Each point is given wholly to its likeliest component: that is k-means. In EM a point between two "
    "components belongs to both in part.")
responsibilities.mistake(
    "which component, not how much", "joint / joint.sum(dim=1, keepdim=True)", "log_joint.argmax(1)",
    "This is the number of the likeliest component. How much a point belongs to each of them is asked for.")
responsibilities.mistake(
    "normalised twice",
    "joint / joint.sum(dim=1, keepdim=True)", "torch.softmax(joint / joint.sum(dim=1, keepdim=True), dim=1)",
    "A softmax is taken of what are probabilities already: they come out almost alike, and none falls to 0.")
responsibilities.mistake(
    "the sign is turned", "torch.exp(log_joint - largest)", "torch.exp(largest - log_joint)",
    "The unlikeliest component has the most: the sign in the exponent is turned.")
responsibilities.mistake(
    "base 2", "torch.exp(log_joint", "torch.exp2(log_joint",
    "Powers of 2 are taken of logarithms in nats: their base is e.")
responsibilities.mistake(
    "transposed", "joint / joint.sum(dim=1, keepdim=True)", "(joint / joint.sum(dim=1, keepdim=True)).T",
    "Rows and columns have changed places: (B, K) is due, a row for each point.")


@responsibilities.symptom(
    "numbers below 0",
    "There are numbers below 0: responsibilities are probabilities. Are they logarithms?")
def _(results):
    return any((r.value < -1e-6).any() for r in usable(results))


@responsibilities.symptom("the exponentials underflow", errors_too=True)
def _(results):
    near, far = _split_by_label(results, _JOINT_FAR, _JOINT_MIXED, "log-densities above 1,000")
    return len(near) == len(results) - 3 and all(r.right for r in near) and any(
        not r.right and not r.value.isfinite().all() for r in far)


@responsibilities.symptom(
    "far points are given away by default",
    "Right for likely points. Where every density underflows something is put in place of 0 / 0 (a small "
    "number, a `clamp`, a `nan_to_num`), and that is no answer: far away too one component is likelier than "
    "another. Take the row's largest value away before the exponential.")
def _(results):
    near, far = _split_by_label(results, _JOINT_FAR, _JOINT_MIXED, "log-densities above 1,000")
    return bool(near) and all(r.right for r in near) and any(r.value.isfinite().all() and not r.right for r in far)


@responsibilities.symptom("normalised over the points")
def _(results):
    several = [r.value for r in usable(results) if len(r.value) > 1 and r.value.shape[1] > 1]
    return bool(several) and all(
        (value.sum(0) - 1).abs().max() < 1e-3 and (value.sum(1) - 1).abs().max() > 1e-2 for value in several)


@responsibilities.symptom(
    "the rows do not sum to 1",
    "Some rows do not sum to 1: a point came from one of the components, so its responsibilities share out 1.")
def _(results):
    return any(r.value.isfinite().all() and (r.value.sum(1) - 1).abs().max() > 1e-2 for r in usable(results))


# 4

def _points(n: int, n_features: int) -> Tensor:
    """Correlated, and not around the origin."""
    return _normal(n, n, n_features) @ _normal(n_features, n_features, n_features) + torch.linspace(
        2, -3, n_features)


def _shares(n: int, n_components: int, sharpness: float = 2.0) -> Tensor:
    return torch.softmax(sharpness * _normal(7 * n + n_components, n, n_components), dim=1)


def _step(n: int, n_features: int, n_components: int, sharpness: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    return (_points(n, n_features), _shares(n, n_components, sharpness),
            _normal(5, n_components, n_features) + 1)


def _due_shapes(x, r) -> dict:
    n_components, n_features = r.shape[1], x.shape[1]
    return {"weights": (n_components,), "means": (n_components, n_features),
            "covariances": (n_components, n_features, n_features)}


def _parameters(fn, x, r, old_means):
    """Weights, means and covariances in one row."""
    return torch.cat([part.flatten() for part in _parts(fn(x, r, old_means), **_due_shapes(x, r))])


def _part(result, value: Tensor, which: str) -> Tensor:
    shapes = _due_shapes(*result.case.arguments[:2])
    parts = value.split([math.prod(shape) for shape in shapes.values()])
    return dict(zip(shapes, parts))[which].reshape(shapes[which])


@exercise(
    minutes=12,
    difficulty="medium",
    hints=(
        "The formulas of one Gaussian (share, mean, covariance), with each point counted by its "
        "responsibility instead of by 1. N_k = Σ r_k is how many points component k has.",
        "`responsibilities.sum(0)` is (K,). `responsibilities.T @ x` is (K, D): the sum of the points of each "
        "component. What is each divided by?",
        "For one component, with `offsets = x - means[k]` (which of the two means makes the likelihood "
        "largest?): `(responsibilities[:, k] * offsets.T) @ offsets / N_k` is its (D, D) covariance. "
        "`torch.stack` puts the components together.",
    ),
    cases=tuple(Case(*arguments, observe=_parameters, atol=1e-4, rtol=2e-4, label=label) for arguments, label in (
        (_step(6, 1, 1), "6 points, 1 dimension, 1 component"),
        (_step(9, 1, 2), "9 points, 1 dimension, 2 components"),
        (_step(40, 2, 3), "40 points, 2 dimensions, 3 components"),
        (_step(25, 4, 2, 0.5), "25 points, 4 dimensions, 2 components"),
        ((_points(30, 2), torch.eye(3)[torch.arange(30) % 7 % 3], _normal(5, 3, 2)),
         "30 points that belong to one of 3 components each"),
        (_step(4, 2, 4, 1.0), "4 points, 2 dimensions, 4 components"),
        (_step(60, 5, 5), "60 points, 5 dimensions, 5 components"),
    )),
)
def m_step(x: Tensor, responsibilities: Tensor,
           old_means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The M-step: the mixture that fits best, each point counted by its responsibilities.

    With N_k = Σ_n r_nk: weights N_k / N, means Σ_n r_nk x_n / N_k, and covariances
    Σ_n r_nk (x_n - µ_k)(x_n - µ_k)ᵀ / N_k, full matrices.
    x: (N, D); responsibilities: (N, K), rows sum to 1, every N_k > 0; old_means: (K, D),
    those before the step. (Is the new covariance taken around them?)
    Returns weights (K,), means (K, D), covariances (K, D, D).
    """
    totals = responsibilities.sum(0)                                            # (K,)
    weights = totals / len(x)
    means = responsibilities.T @ x / totals[:, None]
    covariances = []
    for k in range(len(totals)):
        offsets = x - means[k]                                                  # (N, D)
        covariances.append((responsibilities[:, k] * offsets.T) @ offsets / totals[k])
    return weights, means, torch.stack(covariances)


m_step.mistake(
    "the weights are not divided by N", "totals / len(x)", "totals",
    "The weights do not sum to 1: N_k counts points; divided by the number of all points it is a share.")
m_step.mistake(
    "the weights are divided by K", "totals / len(x)", "totals / len(totals)",
    "The weights do not sum to 1: what is shared out is the N points, so N_k is divided by N, not by the "
    "number of components.")
m_step.mistake(
    "all weights alike", "totals / len(x)", "torch.ones_like(totals) / len(totals)",
    "All weights are 1/K: a component to which more points belong is to weigh more.")
m_step.mistake(
    "the means are divided by N", "@ x / totals[:, None]", "@ x / len(x)",
    "The means are too near to the origin: the sum over a component's points is divided by N, the number of "
    "all points, and not by N_k, how many belong to it.")
m_step.mistake(
    "the means are not divided", "@ x / totals[:, None]", "@ x",
    "The means are sums: they are to be divided by N_k, how many points belong to the component.")
m_step.mistake(
    "the means are divided by K", "@ x / totals[:, None]", "@ x / len(totals)",
    "The sum over a component's points is divided by the number of components: N_k, how many points belong to "
    "it, is what it needs.")
m_step.mistake(
    "the means ignore the responsibilities",
    "responsibilities.T @ x / totals[:, None]", "x.mean(0).expand(len(totals), -1)",
    "All components have the mean of all points: each point counts by its responsibility.")
m_step.mistake(
    "the means do not move", "responsibilities.T @ x / totals[:, None]", "old_means",
    "The means are the old ones: the M-step moves them to where their points are.")
m_step.mistake(
    "the covariances are divided by N", "offsets / totals[k]", "offsets / len(x)",
    "The covariances are too small: they are divided by N, the number of all points, and not by N_k, how many "
    "belong to the component.")
m_step.mistake(
    "the covariances are not divided", "offsets / totals[k]", "offsets",
    "The covariances are sums: they are to be divided by N_k, how many points belong to the component.")
m_step.mistake(
    "the covariances are divided by N_k - 1", "offsets / totals[k]", "offsets / (totals[k] - 1)",
    "The covariances are divided by N_k - 1. That is the unbiased estimate; the likelihood is largest with "
    "N_k.")
m_step.mistake(
    "the covariance from the old means", "x - means[k]", "x - old_means[k]",
    "The covariances are taken around the old means. Around any point but the new mean the spread comes out "
    "too large, and the likelihood may fall.")
m_step.mistake(
    "the covariance from the mean of all points", "x - means[k]", "x - x.mean(0)",
    "The covariances are taken around the mean of all points: each component has a mean of its own.")
m_step.mistake(
    "not centred", "x - means[k]", "x",
    "The covariances are taken around the origin: the component's mean is to be taken away from the points "
    "first.")
m_step.mistake(
    "the covariances ignore the responsibilities",
    "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]", "offsets.T @ offsets / len(x)",
    "All points count alike in every covariance: each counts by its responsibility.")
m_step.mistake(
    "the responsibilities count twice",
    "(responsibilities[:, k] * offsets.T) @ offsets",
    "(responsibilities[:, k] * offsets.T) @ (responsibilities[:, k, None] * offsets)",
    "The responsibilities are squared: both factors of (x - µ)(x - µ)ᵀ are multiplied by them. Each point "
    "counts once.")
m_step.mistake(
    "the responsibilities count in the means only",
    "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]", "offsets.T @ offsets / totals[k]",
    "The sum in the covariances is over all points, uncounted, and then divided by N_k: each point counts by "
    "its responsibility.")
m_step.mistake(
    "the diagonal only",
    "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
    "torch.diag((responsibilities[:, k] * offsets.T).mul(offsets.T).sum(1) / totals[k])",
    "Only the variances are there, and the covariances between the features are 0: (x - µ)(x - µ)ᵀ is an "
    "outer product, a whole matrix for each point.")
m_step.mistake(
    "round covariances",
    "(responsibilities[:, k] * offsets.T) @ offsets / totals[k]",
    "(responsibilities[:, k] * offsets.T).mul(offsets.T).sum() / totals[k] / x.shape[1]\n"
    "                           * torch.eye(x.shape[1])",
    "Each component is round, with one variance for all features: here it has a full matrix.")
m_step.mistake(
    "all or nothing",
    "    totals =",
    "    responsibilities = torch.nn.functional.one_hot(\n"
    "        responsibilities.argmax(1), responsibilities.shape[1]).to(x.dtype)\n    totals =",
    "Each point is given wholly to its likeliest component: that is k-means. Here it counts in part for each "
    "of them.")
m_step.mistake(
    "one covariance for all",
    "return weights, means, torch.stack(covariances)",
    "return weights, means, (weights[:, None, None] * torch.stack(covariances)).sum(0).expand(\n"
    "        len(totals), -1, -1)",
    "All components have one covariance, the average: each is to have its own.")
m_step.mistake(
    "the inverses of the covariances", "torch.stack(covariances)", "torch.linalg.pinv(torch.stack(covariances))",
    "These are the inverses of the covariances, the precisions: the covariances themselves are asked for.")


def _finite(results):
    return [r for r in usable(results) if r.value.isfinite().all()]


def _part_is_wrong(which):
    def shows(results):
        return any(not r.case.same(_part(r, r.value, which), _part(r, r.expected, which)) for r in _finite(results))
    return shows


def _part_is_as(mistake, which):
    """Whether this part of the answer is wrong everywhere as the mistake's is, whatever the other parts are."""
    def shows(results):
        return _part_is_wrong(which)(results) and all(
            r.case.same(_part(r, r.value, which), _part(r, r.case.run(mistake.function), which))
            for r in _finite(results))
    return shows


def _covariances_show(shows):
    """Whether this is so of all covariances that are wrong, in more than one dimension."""
    def of_all(results):
        pairs = [(_part(r, r.value, "covariances"), _part(r, r.expected, "covariances"))
                 for r in _finite(results) if not r.right and r.case.arguments[0].shape[1] > 1]
        return bool(pairs) and all(shows(value, due) for value, due in pairs)
    return of_all


def _differ_by_a_floor(value, due):
    floor = (value - due).diagonal(dim1=1, dim2=2).mean()
    return torch.allclose(value - due, floor * torch.eye(value.shape[1], dtype=value.dtype), atol=1e-4)


for _which, _message in (
        ("weights", "The weights are wrong: N_k / N, the share of all points that belong to component k."),
        ("means", "The weights are right, the means are not: the sum of a component's points, each times its "
         "responsibility, divided by N_k."),
        ("covariances", "Weights and means are right, the covariances are not: around which point, counted how, and "
         "divided by what?")):
    for _mistake in m_step.mistakes:
        m_step.symptom(_mistake.name)(_part_is_as(_mistake, _which))
    if _which == "covariances":
        m_step.symptom("not symmetric", "A covariance matrix is not symmetric: its entries [i, j] and [j, i] are the "
                       "same number.")(_covariances_show(lambda value, due: not torch.allclose(
                           value, value.mT, atol=1e-3)))
        m_step.symptom("something on the diagonal", "The covariances are right but for a number that is added to the "
                       "diagonal: the likelihood is largest without it.")(_covariances_show(_differ_by_a_floor))
        m_step.symptom("wrong off the diagonal", "The variances are right; what stands off the diagonal is not.")(
            _covariances_show(lambda value, due: torch.allclose(
                value.diagonal(dim1=1, dim2=2), due.diagonal(dim1=1, dim2=2), atol=1e-3)))
    m_step.symptom(f"the {_which} are wrong", _message)(_part_is_wrong(_which))


# 5

@exercise(
    minutes=6,
    difficulty="easy",
    hints=(
        "Two parts: how badly the mixture fits, -2 log L, and a price for each number that was fitted, ln n. "
        "How many numbers are that?",
        "A component has a mean of D numbers and a covariance. A covariance is symmetric: how many of its D² "
        "numbers are free? And if all weights but one are known, what is the last?",
        "K - 1 weights, K·D means, and K·D·(D + 1) / 2 for the covariances.",
    ),
    cases=tuple(Case(*arguments, atol=1e-3, rtol=1e-6) for arguments in (
        (-120.0, 1, 1, 50), (-80.0, 1, 1, 50), (-120.0, 1, 1, 500), (-1000.0, 3, 2, 400), (-950.5, 3, 2, 400),
        (-1000.0, 3, 2, 4000), (-1000.0, 3, 5, 400), (-1000.0, 7, 2, 400), (-1000.0, 1, 6, 300),
        (2500.0, 4, 3, 1000), (-5.0, 2, 2, 1), (torch.tensor(-181000.0), 10, 50, 60000),
        (-float(some(100, 5000, seed=1)), some(2, 12, seed=2), some(2, 12, seed=3), some(50, 9000, seed=4)))),
)
def bic(log_likelihood: float, n_components: int, n_features: int,
        n_examples: int) -> float:
    """The Bayesian information criterion, for full covariances: lower is better.

    BIC = -2 log L + p ln n, with p the number of free parameters: weights (these sum to 1),
    means, and covariances (these are symmetric).
    log_likelihood: log L in nats, summed over all n_examples.
    Returns one number: a float or a tensor of shape ().
    """
    weights = n_components - 1
    means = n_components * n_features
    covariances = n_components * n_features * (n_features + 1) / 2
    return -2 * log_likelihood + (weights + means + covariances) * math.log(n_examples)


bic.mistake(
    "all weights are free", "n_components - 1", "n_components",
    "One parameter too many: the weights sum to 1, so the last one follows from the others.")
bic.mistake(
    "every entry of the covariances counts", "(n_features + 1) / 2", "n_features",
    "A covariance is counted with D² numbers: it is symmetric, so those below the diagonal are those above it.")
bic.mistake(
    "the covariances are diagonal", "n_features * (n_features + 1) / 2", "n_features",
    "Only the variances are counted: these covariances are full matrices.")
bic.mistake(
    "the covariances are round", "n_components * n_features * (n_features + 1) / 2", "n_components",
    "One number is counted for a covariance: these covariances are full matrices.")
bic.mistake(
    "one covariance for all",
    "n_components * n_features * (n_features + 1) / 2", "n_features * (n_features + 1) / 2",
    "One covariance is counted for the whole mixture: every component has its own.")
bic.mistake(
    "D numbers for each component are missing", "n_components * n_features\n", "0\n",
    "D numbers for each component are missing: the means, or else the diagonals of the covariances, which are "
    "free like the rest of them.")
bic.mistake(
    "the weights are forgotten", "n_components - 1", "0",
    "The weights are not counted: all but one of them are free.")
bic.mistake(
    "the covariances are forgotten", "n_components * n_features * (n_features + 1) / 2", "0",
    "The covariances are not counted: they have most of the parameters.")
bic.mistake(
    "the components are the parameters", "(weights + means + covariances)", "n_components",
    "The price is paid for each component: it is due for each number that is fitted, and a component has many.")
bic.mistake(
    "the likelihood's sign is turned", "return -2 * log_likelihood", "return 2 * log_likelihood",
    "The likelihood has the wrong sign: the better the fit, the lower the BIC.")
bic.mistake(
    "the price is a reward", "log_likelihood + (", "log_likelihood - (",
    "Parameters are rewarded: each one is to make the BIC higher, that is, worse.")
bic.mistake(
    "higher is better",
    "-2 * log_likelihood + (weights + means + covariances) * math",
    "2 * log_likelihood - (weights + means + covariances) * math",
    "This is the BIC with its sign turned, by which higher would be better. Both conventions exist; here "
    "lower is better.")
bic.mistake(
    "half of it",
    "-2 * log_likelihood + (weights + means + covariances) * math",
    "-log_likelihood + (weights + means + covariances) / 2 * math",
    "This is half of the BIC. It ranks all mixtures alike, but the number is not the one that others print.")
bic.mistake(
    "the likelihood counts once", "-2 * log", "-1 * log",
    "The log-likelihood counts once: beside p ln n it counts twice.")
bic.mistake(
    "AIC", "math.log(n_examples)", "2",
    "This is Akaike's criterion, with a price of 2 a parameter. In the BIC the price is ln n.")
bic.mistake(
    "a logarithm to base 2", "math.log(n_examples)", "math.log2(n_examples)",
    "The price is log₂ n: with a log-likelihood in nats it is the natural logarithm.")
bic.mistake(
    "a logarithm to base 10", "math.log(n_examples)", "math.log10(n_examples)",
    "The price is log₁₀ n: with a log-likelihood in nats it is the natural logarithm.")
bic.mistake(
    "no logarithm of n", "math.log(n_examples)", "n_examples",
    "The price of a parameter is n: it is ln n, which grows much slower.")
bic.mistake(
    "the logarithm of the parameters",
    "(weights + means + covariances) * math.log(n_examples)",
    "math.log(weights + means + covariances) * n_examples",
    "p and n have changed places: the price is p times the logarithm of n.")
bic.mistake(
    "the likelihood taken for a mean", "-2 * log_likelihood", "-2 * n_examples * log_likelihood",
    "The log-likelihood is multiplied by n: it is the sum over all examples already.")
bic.mistake(
    "the mean of the likelihood", "-2 * log_likelihood", "-2 * log_likelihood / n_examples",
    "The log-likelihood is divided by n: the sum over all examples belongs here, or the price drowns it.")
bic.mistake(
    "all divided by n",
    "return -2 * log_likelihood + (weights + means + covariances) * math.log(n_examples)",
    "return (-2 * log_likelihood + (weights + means + covariances) * math.log(n_examples)) / n_examples",
    "This is the BIC for each example: the whole is asked for.")
bic.mistake(
    "bits instead of nats",
    "return -2 * log_likelihood + (weights + means + covariances) * math.log(n_examples)",
    "return (-2 * log_likelihood + (weights + means + covariances) * math.log(n_examples)) / math.log(2)",
    "This is the BIC in bits: log L comes in nats, and ln n is in nats too.")
bic.mistake(
    "another logarithm of the likelihood", "-2 * log_likelihood", "-2 * math.log(abs(log_likelihood))",
    "A logarithm is taken of the log-likelihood: it is a logarithm already.")


def _single(results):
    return [r for r in usable(results) if r.value.dim() == 0]


def _price(r) -> float:
    """What an answer adds to -2 log L."""
    return (r.value + 2 * r.case.arguments[0]).item()


def _prices(results, which: slice) -> list[list[float]]:
    """The prices, put together where these arguments are alike."""
    groups: dict = {}
    for r in _single(results):
        groups.setdefault(r.case.arguments[which], []).append(_price(r))
    return list(groups.values())


@bic.symptom(
    "the likelihood's part is wrong",
    "Two mixtures that differ in nothing but their log-likelihood do not differ by -2 times as much: look at "
    "the first part.")
def _(results):
    return any(max(each) - min(each) > 1e-2 for each in _prices(results, slice(1, 4)))


@bic.symptom(
    "the parameters are miscounted",
    "The likelihood's part is right, and the price grows with ln n: what is wrong is the number of "
    "parameters. One component in one dimension has two, a mean and a variance; how many are there in your "
    "count, and how many with two components?")
def _(results):
    prices: dict = {}
    for r in _single(results):
        if r.case.arguments[3] > 1:
            prices.setdefault(r.case.arguments[1:3], []).append(_price(r) / math.log(r.case.arguments[3]))
        elif abs(_price(r)) > 1e-3:
            return False
    return len(prices) > 2 and all(max(each) - min(each) < 1e-3 for each in prices.values())


@bic.symptom(
    "the price does not go with ln n",
    "The likelihood's part is right; the rest is not the number of parameters times the natural logarithm of "
    "n.")
def _(results):
    return len(_single(results)) > 2


# 6

_PLACES = torch.tensor([[1.0, 1.5], [0.5, 2.0], [2.0, 0.5]])
_STAR = torch.tensor([[0.0, 0, 0, 0], [3.0, 0, 0, 0], [1.5, 1.5, 1.5, 1.5]])
_LINE = torch.tensor([[0.0], [10.0], [5.0], [-1.0]])
_SPOTS = torch.tensor([[0.0, 0.0], [4.0, 0.0], [5.0, 0.0], [0.0, 9.0], [9.0, 9.0]])


def _crowd(places: Tensor, counts: tuple) -> Tensor:
    """Points that stand on few places, so many on each, in no order."""
    x = places.repeat_interleave(torch.tensor(counts), 0)
    return x[torch.randperm(len(x), generator=seeded(len(x)), device="cpu")]


def _centres(fn, x, n_components, generator, n_calls=1) -> Tensor:
    """What so many calls return: (n_calls, n_components, D)."""
    answers = []
    for _ in range(n_calls):
        answers.append(as_numbers(fn(x.clone(), n_components, generator)))
        if answers[-1].shape != (n_components, x.shape[1]):
            numbers = answers[-1].shape == (n_components,)
            _insist("centres", answers[-1], (n_components, x.shape[1]), " Are these the numbers of the points? The "
                    "points themselves are asked for, `x[…]`." if numbers else "")
    answers = torch.stack(answers)
    return _insist("centres", answers, answers.shape)


def _places(fn, x, places, n_components, n_calls, seed) -> Tensor:
    """The number of the place on which each centre stands, (n_calls, n_components); the last number for none."""
    centres = _centres(fn, x, n_components, torch.Generator().manual_seed(seed), n_calls)
    distances = (centres[:, :, None] - places).norm(dim=3)
    return torch.where(distances.amin(2) < 1e-4, distances.argmin(2), len(places))


def _are_points(fn, x, n_components, seed):
    """Two yes or no, over 40 calls: is every centre a point of x; does none stand where another does?"""
    different = x.unique(dim=0)
    chosen = _places(fn, x, different, n_components, 40, seed)
    return torch.tensor([bool((chosen < len(different)).all()),
                         all(len(set(each)) == n_components for each in chosen.tolist())]).double()


def _triples(fn, x, places, n_calls, seed):
    """How often the first of three centres stands on each place; the first two; the third; the third on the place
    of the first, and of the second."""
    counts = torch.zeros(3 * (len(places) + 1,), dtype=torch.float64)
    for each in _places(fn, x, places, 3, n_calls, seed).tolist():
        counts[tuple(each)] += 1 / n_calls
    return torch.cat([counts.sum((1, 2)), counts.sum(2).flatten(), counts.sum((0, 1)),
                      counts.diagonal(dim1=0, dim2=2).sum()[None], counts.diagonal(dim1=1, dim2=2).sum()[None]])


def _last(fn, x, places, n_components, n_calls, seed):
    """How often the last of several centres stands on each place."""
    last = _places(fn, x, places, n_components, n_calls, seed)[:, -1]
    return torch.bincount(last, minlength=len(places) + 1).double() / n_calls


def _chance_of_centres(fn, x, n_components, seed):
    """Whether the first centre comes from the generator; whether all of them do."""
    return torch.cat([chance(lambda generator: _centres(fn, x, n_components, generator)[0, :1], seed),
                      chance(lambda generator: _centres(fn, x, n_components, generator)[0], seed)])


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "Keep, for every point, the squared distance to the centre that is nearest to it. What becomes of "
        "these numbers when a centre is added?",
        "The first centre is any point, `torch.randint(len(x), (1,), generator=generator)`. "
        "`torch.multinomial(squares, 1, generator=generator)` draws the number of a point with probability in "
        "proportion to `squares`: no division needed.",
        "After each new centre: `squares = torch.minimum(squares, (x - new).square().sum(1))`. A chosen point "
        "has distance 0 then, and is not drawn again.",
    ),
    cases=(
        Case(_normal(50, 12, 3), 1, 1, observe=_are_points, label="1 centre among 12 points"),
        Case(_normal(51, 9, 2), 9, 2, observe=_are_points, label="9 centres among 9 points"),
        Case(_crowd(_SPOTS, (30, 1, 1, 3, 2)), 5, 3, observe=_are_points,
             label="5 centres among 37 points that stand on 5 places"),
        Case(_normal(52, 200, 2), 4, 4, observe=_chance_of_centres, label="4 centres among 200 points, several times"),
        Case(_crowd(_PLACES, (9, 4, 1)), _PLACES, 1200, 5, observe=_triples, atol=0.09,
             label="3 centres among 14 points, 1,200 times"),
        Case(_crowd(_STAR, (24, 3, 3)), _STAR, 2, 500, 6, observe=_last, atol=0.12,
             label="2 centres among 30 points, 500 times"),
        Case(_crowd(_LINE, (12, 3, 1, 10)), _LINE, 3, 500, 7, observe=_last, atol=0.12,
             label="3 centres among 26 points, 500 times"),
    ),
)
def kmeans_plus_plus(x: Tensor, n_components: int, generator: torch.Generator) -> Tensor:
    """Starting means for EM: points of the data that lie apart, by k-means++.

    The first centre is any of the points, all equally likely. Each further one is a point
    drawn with probability in proportion to the square of its distance to the nearest of the
    centres so far. All chance comes from the generator, which is not seeded here.
    x: (N, D), at least n_components of them different. Returns (n_components, D).
    """
    centres = x[torch.randint(len(x), (1,), generator=generator)]               # (1, D)
    squares = (x - centres).square().sum(1)                     # (N,), to the nearest one
    while len(centres) < n_components:
        new = x[torch.multinomial(squares, 1, generator=generator)]             # (1, D)
        centres = torch.cat([centres, new])
        squares = torch.minimum(squares, (x - new).square().sum(1))
    return centres


kmeans_plus_plus.mistake(
    "the distance is not squared", "torch.multinomial(squares, 1", "torch.multinomial(squares.sqrt(), 1",
    "The probability is in proportion to the distance: it is to be in proportion to its square.")
kmeans_plus_plus.mistake(
    "squared twice", "torch.multinomial(squares, 1", "torch.multinomial(squares.square(), 1",
    "The squared distance is squared once more: far points come too often.")
kmeans_plus_plus.mistake(
    "the farthest point instead of a draw",
    "torch.multinomial(squares, 1, generator=generator)", "squares.argmax()[None]",
    "The farthest point is taken each time, and nothing is drawn. That makes every outlier a centre; the "
    "farthest is to be likely, not certain.")
kmeans_plus_plus.mistake(
    "the nearest centre forgotten for the last",
    "torch.minimum(squares, (x - new).square().sum(1))", "(x - new).square().sum(1)",
    "Only the distance to the last centre counts: points beside an earlier one seem far, and are chosen "
    "again. The nearest of all centres counts.")
kmeans_plus_plus.mistake(
    "only the first centre counts", "torch.minimum(squares, (x - new).square().sum(1))", "squares",
    "Only the distance to the first centre counts: the distances are not brought up to date when a centre is "
    "added.")
kmeans_plus_plus.mistake(
    "the distances to all centres are added", "torch.minimum(squares, (x - new).square().sum(1))",
    "squares + (x - new).square().sum(1)",
    "The distances to all centres count (they are added, or the largest is taken), so a point that is a "
    "centre already may be drawn again. Only the nearest centre counts.")
kmeans_plus_plus.mistake(
    "the distance to the middle of the centres",
    "torch.minimum(squares, (x - new).square().sum(1))", "(x - centres.mean(0)).square().sum(1)",
    "The distance to the mean of the centres counts: no centre stands there. The nearest one counts.")
kmeans_plus_plus.mistake(
    "all points equally likely",
    "torch.multinomial(squares, 1, generator=generator)", "torch.randint(len(x), (1,), generator=generator)",
    "All centres are drawn uniformly: the further a point is from the centres so far, the likelier it is to "
    "be the next.")
kmeans_plus_plus.mistake(
    "the nearest points are the likeliest",
    "torch.multinomial(squares, 1", "torch.multinomial(1 / (squares + 1e-3), 1",
    "The nearest points are the likeliest: the probability grows with the distance.")
kmeans_plus_plus.mistake(
    "a softmax of the distances",
    "torch.multinomial(squares, 1", "torch.multinomial(torch.softmax(squares, 0), 1",
    "The probabilities are a softmax of the squared distances: then a point that is a centre already can be "
    "drawn, and the far ones take nearly all. In proportion means divided by the sum, and `torch.multinomial` "
    "does that.")
kmeans_plus_plus.mistake(
    "the first point is always the first centre",
    "x[torch.randint(len(x), (1,), generator=generator)]", "x[:1]",
    "The first centre is always the first point of the data: it is drawn too, uniformly.")
kmeans_plus_plus.mistake(
    "the mean is the first centre",
    "x[torch.randint(len(x), (1,), generator=generator)]", "x.mean(0, keepdim=True)",
    "The first centre is the mean of the data, the same every time: a point of the data is to be drawn.")
kmeans_plus_plus.mistake(
    "the first centre far from the origin",
    "x[torch.randint(len(x), (1,), generator=generator)]",
    "x[torch.multinomial(x.square().sum(1), 1, generator=generator)]",
    "The first centre depends on the distance from the origin: there is no centre yet to be far from, so all "
    "points are equally likely.")
kmeans_plus_plus.mistake(
    "the first draw is made without the generator",
    "(1,), generator=generator)]", "(1,))]",
    "The same generator, seeded alike, gives other centres: the first comes from elsewhere. Every draw takes "
    "`generator=generator`.")
kmeans_plus_plus.mistake(
    "the further draws are made without the generator",
    "squares, 1, generator=generator)", "squares, 1)",
    "The same generator, seeded alike, gives other centres after the first: they come from elsewhere. Every "
    "draw takes `generator=generator`.")
kmeans_plus_plus.mistake(
    "seeded anew", "    centres = x[", "    generator.manual_seed(0)\n    centres = x[",
    "The generator is seeded inside the function, so that it chooses the same centres every time. Seeding is "
    "the caller's business.")


def _shares_of(results, observe):
    """(shares that came, shares that are due) of a case of many calls."""
    return next(((r.value, r.expected) for r in results if r.case.observe is observe and r.value is not None), None)


@kmeans_plus_plus.symptom(
    "not points of the data",
    "Some centres are no points of the data: each is a row of x.")
def _(results):
    return any(not r.value[0] for r in results if r.case.observe is _are_points and r.value is not None)


@kmeans_plus_plus.symptom(
    "the generator is ignored",
    "The same generator, seeded alike, gives other centres: some chance comes from elsewhere. Every draw takes "
    "`generator=generator`.")
def _(results):
    chance = answer_to(results, _chance_of_centres)
    return chance is not None and not chance[5]


@kmeans_plus_plus.symptom(
    "the generator is not used up",
    "Two calls in a row with one generator give the same centres, or the generator is as fresh after a call "
    "as before it: draw from the generator itself, neither from a copy nor from one seeded anew.")
def _(results):
    chance = answer_to(results, _chance_of_centres)
    return chance is not None and not chance[5:].all()


@kmeans_plus_plus.symptom(
    "the first centre is not any point",
    "The first centre is not every point of the data equally often.")
def _(results):
    shares = answer_to(results, _triples)
    return shares is not None and (shares - _due_to(results, _triples))[:4].abs().max() > 0.09


@kmeans_plus_plus.symptom(
    "a point is chosen again",
    "A place where a centre stands is chosen again, while others have none: the distance to the nearest of "
    "all centres is 0 there, so its probability must be 0.")
def _(results):
    return _wrong(results, _are_points)


@kmeans_plus_plus.symptom(
    "wrong probabilities for the second centre",
    "The first centre is drawn as it should be, the second is not: with probability in proportion to the "
    "squared distance to the first, the sum of the squares over all features.")
def _(results):
    return _wrong(results, _triples) or any(
        r.value is not None and not r.right for r in results if r.case.observe is _last and r.case.arguments[2] == 2)


@kmeans_plus_plus.symptom(
    "wrong probabilities from the third centre on",
    "The first two centres are drawn as they should be, the third is not: how do the distances change when a "
    "centre is added?")
def _(results):
    return _wrong(results, _last)


@kmeans_plus_plus.symptom(
    "the first centre has a rule",
    "The first centre is not drawn anew in every call from the generator.")
def _(results):
    return _wrong(results, _chance_of_centres)
