"""Draw n points, independent of each other, from a mixture of round Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, expected_of, parts_of, wrong_on
from gencourse.exercises.machine.answers import Unusable
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import answer_to, chance
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def sample_mixture(
    weights: Tensor, means: Tensor, stds: Tensor, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw n points, independent of each other, from a mixture of round Gaussians.

    First the component m of a point, with probability P(m); then the point itself from
    N(µ_m, σ_m² I). All chance comes from the generator, which is not seeded here.
    weights: (K,), P(m); means: (K, D), µ; stds: (K,), the standard deviations σ.
    Returns x, (n, D), and component, (n,): integers from 0 to K - 1.
    """
    component = torch.multinomial(weights, n, replacement=True, generator=generator)
    noise = torch.randn(n, means.shape[1], generator=generator)  # (n, D)
    x = means[component] + stds[component, None] * noise
    return x, component


_WEIGHTS = torch.tensor([0.45, 0.0, 0.3, 0.2, 0.05])


def _drawn(fn, weights, means, stds, n, generator) -> tuple[Tensor, Tensor]:
    arguments = (
        weights.clone(),
        means.clone(),
        stds.clone(),
    )  # for each call: it may work in place
    x, component = parts_of(
        fn(*arguments, n, generator), x=(n, means.shape[1]), component=(n,)
    )
    if not (
        (component == component.round()) & (component >= 0) & (component < len(weights))
    ).all():
        raise Unusable(
            "not yet",
            "no such component",
            f"`component` holds something else than the numbers from 0 to {len(weights) - 1}.",
        )
    return x, component.long()


def _membership(fn, weights, means, stds, n, seed):
    """For means far apart, the share of points that are near some mean; and near that of their component."""
    x, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    distances = (x[:, None] - means).norm(dim=2)  # (n, K)
    own = distances.gather(1, component[:, None])[:, 0]
    return torch.stack(
        [(distances.amin(1) < 40).double().mean(), (own < 40).double().mean()]
    )


def _components(fn, weights, means, stds, n, seed):
    """How often each component occurs; last, how often two points in a row have the same."""
    _, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    shares = torch.bincount(component, minlength=len(weights)) / n
    return torch.cat(
        [shares, (component[1:] == component[:-1]).float().mean()[None]]
    ).double()


def _noise(fn, weights, means, stds, n, seed):
    """x in standard units of its component: mean and deviation in each; over all, how much is within 1 and within ½
    (three times, to compare it more narrowly) and below 0, and the correlation of two features."""
    x, component = _drawn(fn, weights, means, stds, n, torch.Generator().manual_seed(seed))
    e = (x - means[component]) / stds[component, None]
    each = [e[component == k] for k in range(len(weights))]
    shares = [
        3 * (e.abs() < 1).double().mean(),
        3 * (e.abs() < 0.5).double().mean(),
        (e < 0).double().mean(),
    ]
    return torch.stack(
        [part.mean() for part in each]
        + [part.std(0).mean() for part in each]
        + shares
        + [e.T.corrcoef()[0, 1]]
    ).nan_to_num(-9.0)


def _counts(fn, weights, means, stds, n, seed):
    """Component 0 among n points, over 300 calls: its mean share, and the variance beside the binomial one."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.stack(
        [
            (_drawn(fn, weights, means, stds, n, generator)[1] == 0).double().mean()
            for _ in range(300)
        ]
    )
    return torch.stack([shares.mean(), shares.var() / (weights[0] * (1 - weights[0]) / n)])


def _chance_of_points(fn, weights, means, stds, n, seed):
    """Whether x and component come from the generator, each looked at by itself."""

    def draw(which):
        return lambda generator: _drawn(fn, weights, means, stds, n, generator)[
            which
        ].double()

    return torch.cat([chance(draw(0), seed), chance(draw(1), seed)])


def _stats_of_noise(results):
    """Mean and deviation in each of the 3 components, the share below 0, the correlation of the features."""
    noise = answer_to(results, _noise)
    return None if noise is None else (noise[:3], noise[3:6], noise[8], noise[9])


def _shows_the_components_are_drawn_without_the_generator(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[5]


def _shows_the_noise_is_drawn_without_the_generator(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[0]


def _shows_one_component_for_all_points(results):
    counts = answer_to(results, _counts)
    return counts is not None and counts[1] > 8


def _shows_one_noise_for_all_points(results):
    noise = _stats_of_noise(results)
    return noise is not None and noise[1].abs().max() < 1e-3 and noise[0].abs().max() > 1e-3


def _shows_the_generator_is_not_used_up(results):
    chance = answer_to(results, _chance_of_points)
    return chance is not None and not chance[:5].all()


def _shows_the_points_are_sorted(results):
    components = answer_to(results, _components)
    return components is not None and components[-1] > 0.9 and components[:-1].max() < 0.9


def _shows_the_weights_are_not_heeded(results):
    components = answer_to(results, _components)
    return (
        components is not None
        and (components - expected_of(results, _components))[:-1].abs().max() > 0.05
    )


def _shows_noise_to_one_side(results):
    noise = _stats_of_noise(results)
    return noise is not None and not 0.02 < noise[2] < 0.98 and noise[1].abs().max() > 1e-3


def _shows_the_points_are_not_where_their_component_is(results):
    noise = _stats_of_noise(results)
    return wrong_on(results, _membership) or (
        noise is not None and noise[0].abs().max() > 0.12
    )


def _shows_one_noise_for_all_features(results):
    noise = _stats_of_noise(results)
    return noise is not None and noise[3] > 0.9


def _shows_wrong_spread(results):
    noise = _stats_of_noise(results)
    return noise is not None and (noise[1] - 1).abs().max() > 0.12


exercise = Exercise(
    sample_mixture,
    minutes=8,
    difficulty="easy",
    hints=(
        "Two steps, and the second looks at the first: which component, and then where. "
        "Each point has a component of its own.",
        "`torch.multinomial(weights, n, replacement=True, generator=generator)` draws n "
        "components, each with its weight. Indexing with them, `means[component]`, gives "
        "every point the mean of its own.",
        "A Gaussian of mean µ and standard deviation σ is µ + σ·e with e from N(0, 1): "
        "`torch.randn(n, D, generator=generator)` draws all e at once, and "
        "`stds[component, None]` is (n, 1).",
    ),
    cases=(
        Case(
            torch.tensor([0.0, 1.0]),
            torch.tensor([[300.0, -200.0], [-90.0, 7.0]]),
            torch.tensor([0.5, 2.0]),
            1,
            1,
            observe=_membership,
            label="a single point, all weight on one of 2 components",
        ),
        Case(
            torch.tensor([0.3, 0.5, 0.2]),
            torch.tensor([[100.0, 0], [0, 100], [-80, -80]]),
            torch.tensor([1.0, 0.1, 4.0]),
            400,
            2,
            observe=_membership,
            atol=0.01,
            label="400 points of 3 components that lie far apart",
        ),
        Case(
            torch.tensor([0.5, 0.5]),
            draws(0, 2, 2),
            torch.tensor([1.0, 2.0]),
            20,
            3,
            observe=_chance_of_points,
            label="20 points, drawn several times",
        ),
        Case(
            _WEIGHTS,
            torch.arange(5.0)[:, None],
            torch.ones(5),
            4000,
            4,
            observe=_components,
            atol=0.05,
            label="the components of 4,000 points",
        ),
        Case(
            torch.tensor([0.4, 0.3, 0.3]),
            torch.tensor([[0.0, 1, 2], [5, 5, 5], [-3, 2, 0]]),
            torch.tensor([0.2, 1.0, 3.0]),
            4000,
            5,
            observe=_noise,
            atol=0.12,
            label="4,000 points of 3 components, seen from the mean of each",
        ),
        Case(
            torch.tensor([0.7, 0.3]),
            torch.tensor([[0.0], [1.0]]),
            torch.ones(2),
            10,
            6,
            observe=_counts,
            atol=0.6,
            label="10 points, drawn 300 times",
        ),
    ),
    mistakes=(
        Mistake(
            "all components equally often",
            "torch.multinomial(weights, n, replacement=True, generator=generator)",
            "torch.randint(len(weights), (n,), generator=generator)",
            "All components come equally often: the weights say how often each is drawn.",
        ),
        Mistake(
            "one component for all points",
            "torch.multinomial(weights, n, replacement=True, generator=generator)",
            "torch.multinomial(weights, 1, generator=generator).expand(n)",
            "The component is drawn once, and all points of a call come from it. Each "
            "point has a draw of its own.",
        ),
        Mistake(
            "always the heaviest component",
            "torch.multinomial(weights, n, replacement=True, generator=generator)",
            "weights.argmax().expand(n)",
            "All points come from the component of the largest weight. A weight is a "
            "probability: the others have their turn too.",
        ),
        Mistake(
            "the shares are fixed",
            "torch.multinomial(weights, n, replacement=True, generator=generator)",
            "torch.searchsorted(weights.cumsum(0), (torch.rand(n, "
            "generator=generator).argsort() + 0.5) / n)",
            "Every call has the same number of points from each component: exactly its "
            "weight's share. Drawn one by one, these numbers vary from call to call.",
        ),
        Mistake(
            "the points are sorted",
            "replacement=True, generator=generator)",
            "replacement=True, generator=generator).sort().values",
            "The points come sorted by their components: one who takes the first half of "
            "them has not seen all. Draw the component for each point in turn.",
        ),
        Mistake(
            "the standard deviation taken for a variance",
            "stds[component, None]",
            "stds[component, None].sqrt()",
            "The spread is the square root of what is due: `stds` are standard "
            "deviations already, no variances.",
        ),
        Mistake(
            "the variance taken for a standard deviation",
            "stds[component, None]",
            "stds[component, None].square()",
            "The spread is the square of what is due: the noise is multiplied by σ, not "
            "by σ².",
        ),
        Mistake(
            "the noise is not scaled",
            "stds[component, None] * noise",
            "noise",
            "Every component spreads by 1: the noise is to be multiplied by the "
            "component's standard deviation.",
        ),
        Mistake(
            "one spread for all components",
            "stds[component, None]",
            "stds.mean()",
            "All components spread alike: each point takes the standard deviation of its "
            "own component.",
        ),
        Mistake(
            "no noise",
            " + stds[component, None] * noise",
            "",
            "All points lie on the means themselves: the noise is missing.",
        ),
        Mistake(
            "one noise for all points",
            "torch.randn(n, means.shape[1]",
            "torch.randn(1, means.shape[1]",
            "All points of a component fall on one spot: they share one draw of noise. "
            "Each point needs its own.",
        ),
        Mistake(
            "one noise for all features",
            "torch.randn(n, means.shape[1]",
            "torch.randn(n, 1",
            "All features of a point are shifted by the same noise, so the points lie "
            "along a diagonal. Each feature needs a draw of its own.",
        ),
        Mistake(
            "uniform noise",
            "torch.randn(n, means",
            "torch.rand(n, means",
            "The noise is uniform between 0 and 1: `torch.randn` draws from N(0, 1), "
            "`torch.rand` does not.",
        ),
        Mistake(
            "the means are averaged",
            "means[component] + stds",
            "weights @ means + stds",
            "The points lie around the average of the means, Σ P(m) µ_m, where perhaps "
            "no component is. A mixture takes one component for each point; it does not "
            "average them.",
        ),
        Mistake(
            "draws of all components averaged",
            "x = means[component] + stds[component, None] * noise",
            "draws = means[:, None] + stds[:, None, None] * torch.randn(\n"
            "        len(means), n, means.shape[1], generator=generator)\n"
            "    x = (weights[:, None, None] * draws).sum(0)",
            "Every point is a weighted sum of draws from all components. A sum of "
            "Gaussian variables is one Gaussian: what the weights add up are densities, "
            "not points.",
        ),
        Mistake(
            "the mean is scaled too",
            "means[component] + stds[component, None] * noise",
            "(means[component] + noise) * stds[component, None]",
            "The mean is multiplied by the standard deviation too: only the noise is.",
        ),
        Mistake(
            "the component is drawn a second time",
            "return x, component",
            "return x, torch.multinomial(weights, n, replacement=True, "
            "generator=generator)",
            "The component that is returned is not the one that the point was drawn "
            "from: draw it once, and use it twice.",
        ),
        Mistake(
            "the components are drawn without the generator",
            "replacement=True, generator=generator)",
            "replacement=True)",
            "The same generator, seeded alike, gives other components: they are drawn "
            "from elsewhere. Every draw takes `generator=generator`.",
        ),
        Mistake(
            "the noise is drawn without the generator",
            "means.shape[1], generator=generator)",
            "means.shape[1])",
            "The same generator, seeded alike, gives the same components but other "
            "points: the noise comes from elsewhere. Every draw takes "
            "`generator=generator`.",
        ),
        Mistake(
            "seeded anew",
            "    component = torch",
            "    generator.manual_seed(0)\n    component = torch",
            "The generator is seeded inside the function, so that it draws the same "
            "points every time. Seeding is the caller's business.",
        ),
    ),
    symptoms=(
        Symptom(
            "the components are drawn without the generator",
            _shows_the_components_are_drawn_without_the_generator,
        ),
        Symptom(
            "the noise is drawn without the generator",
            _shows_the_noise_is_drawn_without_the_generator,
        ),
        Symptom("one component for all points", _shows_one_component_for_all_points),
        Symptom("one noise for all points", _shows_one_noise_for_all_points),
        Symptom(
            "the generator is not used up",
            _shows_the_generator_is_not_used_up,
            "Two calls in a row with one generator give the same, or the generator is as "
            "fresh after a call as before it: draw from the generator itself, neither "
            "from a copy nor from one seeded anew.",
        ),
        Symptom("the points are sorted", _shows_the_points_are_sorted),
        Symptom(
            "the weights are not heeded",
            _shows_the_weights_are_not_heeded,
            "The components do not come as often as their weights say: component m with "
            "probability `weights[m]`.",
        ),
        Symptom(
            "the components of the points are not independent",
            lambda results: any(
                wrong_on(results, observe)
                for observe in (_components, _counts, _chance_of_points)
            ),
            "Each component comes as often as its weight says, but not by chance, anew "
            "for every point: the order of the components, or how many there are of "
            "each, has a rule.",
        ),
        Symptom(
            "x and component do not belong together",
            lambda results: any(
                r.value is not None and r.value[0] > 0.99 > r.value[1]
                for r in results
                if r.case.observe is _membership
            ),
            "Each point lies near one of the means, but not near that of the component "
            "returned with it: both come from the same draw, in the same order.",
        ),
        Symptom(
            "noise to one side",
            _shows_noise_to_one_side,
            "All points lie on one side of the mean of their component: the noise has "
            "one sign only.",
        ),
        Symptom(
            "the points are not where their component is",
            _shows_the_points_are_not_where_their_component_is,
            "The components come as they should, but the points do not lie around "
            "`means[component]`: which mean is taken, and is anything else done to it?",
        ),
        Symptom("one noise for all features", _shows_one_noise_for_all_features),
        Symptom(
            "wrong spread",
            _shows_wrong_spread,
            "The points lie around the right means, but spread too little or too far in "
            "some component: its standard deviation is `stds[component]`.",
        ),
        Symptom(
            "not the noise of a Gaussian",
            lambda results: wrong_on(results, _noise),
            "Means and spread are right, but the points are not scattered around the "
            "mean as N(0, σ²) would have it, independently in each feature: how is the "
            "noise drawn?",
        ),
    ),
)
