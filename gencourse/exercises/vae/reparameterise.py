"""A draw c = exp(log_var / 2) · e + mean, e ~ N(0, I), which gradients pass through."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Unusable, as_numbers
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import answer_to, gradients, normal
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def reparameterise(mean: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    """A draw c = exp(log_var / 2) · e + mean, e ~ N(0, I), which gradients pass through.

    mean, log_var: tensors of one shape, with any number of axes; log_var is the logarithm
    of the variance (σ in the notes). Leave both as they are: the KL needs them later.
    All chance comes from the generator, which is not seeded here; every entry has its own
    e. Returns c, of the same shape, with gradients to mean and log_var.
    """
    e = torch.randn(mean.shape, generator=generator)
    return torch.exp(log_var / 2) * e + mean


def _draw(fn, mean, log_var, generator):
    c = fn(mean, log_var, generator)
    value = as_numbers(c)
    if value.shape != mean.shape:
        raise Unusable(
            "not yet",
            "wrong shape",
            f"The answer has shape {tuple(value.shape)} where "
            f"{tuple(mean.shape)} is due, that of `mean` and `log_var`.",
        )
    return c, value


def _derivatives(fn, mean, log_var, seed):
    """Three ones: dc/dmean on average; dc/dlog_var as a multiple of ½(c − mean); whether both hold entry by entry."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [mean.clone().requires_grad_(), log_var.clone().requires_grad_()]
        c, value = _draw(
            fn, leaves[0] * 1, leaves[1] * 1, torch.Generator().manual_seed(seed)
        )
        by_mean, by_log_var = (slope.double() for slope in gradients(c, leaves))
    half = (value - mean) / 2
    ratio = (by_log_var * half).sum() / half.square().sum().clamp(min=1e-12)
    alike = torch.allclose(by_log_var, ratio * half, atol=1e-4) and torch.allclose(
        by_mean, by_mean.mean(), atol=1e-4
    )
    return torch.stack(
        [by_mean.mean(), ratio, torch.tensor(float(alike), dtype=torch.float64)]
    )


def _chance(fn, mean, log_var, seed):
    """Six yes or no: does chance come from the generator, and from nowhere else? Last: are the arguments left alone?"""
    generator, again, other = (
        torch.Generator().manual_seed(s) for s in (seed, seed, seed + 1)
    )
    given = [mean.clone(), log_var.clone()]
    first = _draw(fn, *given, generator)[1]
    left_alone = given[0].equal(mean) and given[1].equal(log_var)
    second, same, different = (
        _draw(fn, mean.clone(), log_var.clone(), g)[1] for g in (generator, again, other)
    )
    fresh = torch.Generator().manual_seed(seed).get_state()
    return torch.tensor(
        [
            first.equal(same),
            not first.equal(second),
            not first.equal(different),
            not generator.get_state().equal(fresh),
            generator.initial_seed() == seed,
            left_alone,
        ]
    ).double()


def _moments(fn, mean, log_var, seed):
    """Mean and logarithm of the variance of every column."""
    value = _draw(fn, mean, log_var, torch.Generator().manual_seed(seed))[1]
    return torch.cat([value.mean(0), value.var(0).log()])


def _noise(fn, mean, seed):
    """With log_var 0, less the mean: the noise itself."""
    return (
        _draw(fn, mean, torch.zeros_like(mean), torch.Generator().manual_seed(seed))[1]
        - mean
    )


def _below(fn, mean, log_var, seed):
    """The share of the noise that is more than -2, -1, 0, 1 and 2 standard deviations from its mean."""
    e = _noise(fn, mean, seed).flatten()
    e = (e - e.mean()) / e.std().clamp(min=1e-12)
    return torch.stack([(e < limit).double().mean() for limit in (-2, -1, 0, 1, 2)])


def _neighbours(fn, mean, log_var, seed):
    """How the noise is correlated along each axis: with the next entry, and with the one half the axis away."""
    e = _noise(fn, mean, seed)
    e = e - e.mean() if e.std() > 1e-6 else e
    pairs = [
        (e * e.roll(step, axis)).mean()
        for axis in range(e.dim())
        for step in (1, e.shape[axis] // 2)
    ]
    return torch.stack(pairs) / e.square().mean().clamp(min=1e-12)


def _each(fn, mean, log_var, seed):
    """Mean and variance of the noise of every single entry over 400 calls."""
    generator = torch.Generator().manual_seed(seed)
    e = torch.stack(
        [_draw(fn, mean.clone(), log_var.clone(), generator)[1] - mean for _ in range(400)]
    )
    return torch.cat([e.mean(0).flatten(), e.var(0).flatten()])


_MEANS, _LOG_VARS = (
    torch.tensor([1.5, -2.0, 0.5, -1.0]),
    torch.tensor([-4.0, -1.5, 0.6, 1.6]),
)


def _correlated(results, dims):
    """The correlations in the batch of that many axes, along each axis: (dims, 2)."""
    found = [
        r.value for r in results if r.case.observe is _neighbours and r.value is not None
    ]
    return next(
        (
            value.reshape(dims, 2).abs().amax(1) > 0.6
            for value in found
            if len(value) == 2 * dims
        ),
        None,
    )


def _shows_the_generator_is_ignored(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[0]


def _shows_the_generator_is_not_used_up(results):
    chance, moments = answer_to(results, _chance), answer_to(results, _moments)
    return (
        chance is not None
        and not chance[:5].all()
        and moments is not None
        and moments[4:].isfinite().all()
    )


def _shows_the_mean_is_overwritten(results):
    chance = answer_to(results, _chance)
    return chance is not None and bool(chance[:5].all()) and not chance[5]


def _shows_a_single_number_as_noise(results):
    along = _correlated(results, 2)
    return along is not None and bool(along.all())


def _shows_one_noise_for_the_whole_batch(results):
    along = _correlated(results, 2)
    return along is not None and bool(along[0])


def _shows_one_noise_for_all_dimensions(results):
    along = _correlated(results, 2)
    return along is not None and bool(along[1])


def _shows_noise_shared_along_an_axis(results):
    along = _correlated(results, 3)
    return along is not None and bool(along.any())


def _shows_no_noise(results):
    below = answer_to(results, _below)
    return below is not None and bool(((below == 0) | (below == 1)).all())


def _shows_the_centre_is_wrong(results):
    moments = answer_to(results, _moments)
    if moments is None:
        return False
    error = (moments[4:] / 2).exp() / 5000**0.5
    return bool(((moments[:4] - _MEANS).abs() > 5 * error + 1e-3).any())


def _shows_the_spread_is_wrong(results):
    moments = answer_to(results, _moments)
    return moments is not None and not torch.allclose(
        moments[4:], _LOG_VARS.double(), atol=0.15
    )


def _shows_no_gradient(results):
    slope, *others = results
    failed = slope.value is None and slope.problem.status == "raised an error"
    return all(r.right for r in others) and (
        failed or slope.value is not None and not slope.value[:2].any()
    )


def _shows_no_gradient_reaches_log_var(results):
    slopes = answer_to(results, _derivatives)
    return slopes is not None and slopes[1] == 0


def _shows_no_gradient_reaches_the_mean(results):
    slopes = answer_to(results, _derivatives)
    return slopes is not None and slopes[0] == 0


exercise = Exercise(
    reparameterise,
    minutes=8,
    difficulty="easy",
    hints=(
        "A draw from N(m, s²) is made of a draw e from N(0, 1): stretch it by the "
        "standard deviation s, then move it by m. Which function of `log_var` is the "
        "standard deviation?",
        "log_var = log s², so s = exp(log_var / 2). The noise needs the shape of `mean`: "
        "one number for every entry, all of them from the generator.",
        "`e = torch.randn(mean.shape, generator=generator)`; what is left is one line of "
        "the formula, in plain tensor operations, so that gradients pass.",
    ),
    cases=(
        Case(
            normal(6, 3, seed=1),
            torch.full((6, 3), 0.8),
            2,
            observe=_derivatives,
            atol=1e-3,
            label="the gradients of a draw of shape (6, 3)",
        ),
        Case(
            normal(3, 4, seed=2),
            normal(3, 4, seed=3),
            4,
            observe=_chance,
            label="draws from one generator, and from several seeded alike",
        ),
        Case(
            _MEANS.repeat(5000, 1),
            _LOG_VARS.repeat(5000, 1),
            5,
            observe=_moments,
            atol=0.15,
            label="5,000 draws with log-variances -4, -1.5, 0.6 and 1.6",
        ),
        Case(
            torch.zeros(3000, 4),
            torch.zeros(3000, 4),
            6,
            observe=_below,
            atol=0.022,
            label="12,000 draws with mean 0 and log-variance 0",
        ),
        Case(
            torch.zeros(200, 60),
            torch.zeros(200, 60),
            7,
            observe=_neighbours,
            atol=0.1,
            label="a batch of 200 codes of 60 dimensions",
        ),
        Case(
            torch.zeros(20, 15, 20),
            torch.zeros(20, 15, 20),
            8,
            observe=_neighbours,
            atol=0.1,
            label="codes of shape (20, 15, 20): 20 draws, 15 examples, 20 dimensions",
        ),
        Case(
            torch.zeros(3, 4),
            torch.zeros(3, 4),
            9,
            observe=_each,
            atol=0.4,
            label="400 draws of shape (3, 4)",
        ),
    ),
    mistakes=(
        Mistake(
            "the variance in place of the standard deviation",
            "torch.exp(log_var / 2)",
            "torch.exp(log_var)",
            "The noise is multiplied by exp(log_var), which is the variance; its root is "
            "due. (The notes write exp(σ)·e in one place: there σ is the logarithm of "
            "the standard deviation.)",
        ),
        Mistake(
            "log_var itself as standard deviation",
            "torch.exp(log_var / 2)",
            "log_var",
            "The noise is multiplied by log_var as it is. That is a logarithm, often "
            "negative: undo it first.",
        ),
        Mistake(
            "the exponential is missing",
            "torch.exp(log_var / 2)",
            "(log_var / 2)",
            "log_var / 2 is the logarithm of the standard deviation. Its exponential is "
            "due.",
        ),
        Mistake(
            "the sign of log_var is turned",
            "torch.exp(log_var / 2)",
            "torch.exp(-log_var / 2)",
            "The spread is upside down: a large log_var gives little noise. exp(-log_var "
            "/ 2) is one over the standard deviation.",
        ),
        Mistake(
            "log_var taken for a softplus",
            "torch.exp(log_var / 2)",
            "torch.nn.functional.softplus(log_var)",
            "The standard deviation is taken as softplus(log_var). That is another way "
            "to make a number positive; here log_var is the logarithm of the variance.",
        ),
        Mistake(
            "log_var taken for the variance",
            "torch.exp(log_var / 2)",
            "log_var.sqrt()",
            "The root is taken of log_var itself, which is NaN where it is negative. The "
            "variance is exp(log_var), its root exp(log_var / 2).",
        ),
        Mistake(
            "the mean is missing",
            " * e + mean",
            " * e",
            "The draws lie around 0: `mean` is not added.",
        ),
        Mistake(
            "mean and log_var swapped",
            "torch.exp(log_var / 2) * e + mean",
            "torch.exp(mean / 2) * e + log_var",
            "The two have changed places: `mean` moves the noise, `log_var` stretches it.",
        ),
        Mistake(
            "the noise multiplies the mean too",
            "torch.exp(log_var / 2) * e + mean",
            "(torch.exp(log_var / 2) + mean) * e",
            "The mean is multiplied by the noise as well, and so it moves nothing. It is "
            "added after the stretching.",
        ),
        Mistake(
            "the noise is not stretched",
            "torch.exp(log_var / 2) * e + mean",
            "e + mean",
            "Every dimension has noise of variance 1: `log_var` has no say.",
        ),
        Mistake(
            "no noise",
            "torch.exp(log_var / 2) * e + mean",
            "mean * 1",
            "This is the mean, without any noise: nothing is drawn.",
        ),
        Mistake(
            "the standard deviation without noise",
            "/ 2) * e + mean",
            "/ 2) + mean",
            "The standard deviation is added to the mean, always upwards: it is to be "
            "multiplied by the noise e first.",
        ),
        Mistake(
            "one noise for the whole batch",
            "torch.randn(mean.shape",
            "torch.randn(mean.shape[1:]",
            "All examples of a batch get the same noise. Every entry needs a draw of its "
            "own: the noise has the shape of `mean`.",
        ),
        Mistake(
            "one noise for all dimensions",
            "torch.randn(mean.shape",
            "torch.randn((*mean.shape[:-1], 1)",
            "All dimensions of a code get the same noise, so that the code moves along "
            "one diagonal only. The noise has the shape of `mean`.",
        ),
        Mistake(
            "a single number as noise",
            "torch.randn(mean.shape",
            "torch.randn(()",
            "One random number serves all entries. The noise has the shape of `mean`.",
        ),
        Mistake(
            "uniform noise",
            "torch.randn(mean.shape",
            "torch.rand(mean.shape",
            "The noise is uniform between 0 and 1 (`torch.rand`): it is never negative. "
            "N(0, I) is `torch.randn`.",
        ),
        Mistake(
            "no gradient",
            "torch.exp(log_var / 2) * e + mean",
            "torch.normal(mean, torch.exp(log_var / 2), generator=generator)",
            "The draws are right, but no gradient passes: an encoder could not learn "
            "from them. `torch.normal`, `.sample()`, `.detach()` and `torch.no_grad()` "
            "cut the graph; draw e alone, then compute with it.",
        ),
        Mistake(
            "no gradient reaches log_var",
            "torch.exp(log_var / 2)",
            "torch.exp(log_var / 2).detach()",
            "The draws are right, but the gradient reaches the mean only: the encoder "
            "would never learn how much noise to take. Leave `log_var` in the graph.",
        ),
        Mistake(
            "no gradient reaches the mean",
            " * e + mean",
            " * e + mean.detach()",
            "The draws are right, but the gradient reaches log_var only: leave `mean` in "
            "the graph.",
        ),
        Mistake(
            "the generator is ignored",
            "mean.shape, generator=generator",
            "mean.shape",
            "The same generator, seeded alike, gives another draw: chance comes from "
            "elsewhere. `torch.randn` takes `generator=generator`; `rsample` and NumPy "
            "do not.",
        ),
        Mistake(
            "seeded anew for each draw",
            "    e = torch",
            "    generator.manual_seed(0)\n    e = torch",
            "The generator is seeded inside the function, so that every draw has the "
            "same noise. Seeding is the caller's business.",
        ),
        Mistake(
            "the mean is overwritten",
            "return torch.exp(log_var / 2) * e + mean",
            "return mean.add_(torch.exp(log_var / 2) * e)",
            "The draws are right, but `mean` or `log_var` holds something else "
            "afterwards: an operation in place (`+=`, `add_`, `exp_`) has overwritten "
            "it, and the KL that comes next would be wrong. Make a new tensor.",
        ),
    ),
    symptoms=(
        Symptom("the generator is ignored", _shows_the_generator_is_ignored),
        Symptom(
            "the generator is not used up",
            _shows_the_generator_is_not_used_up,
            "Two draws in a row from one generator are alike, or the generator is as "
            "fresh after a call as before: draw from the generator itself, neither from "
            "a copy nor from one that is seeded anew.",
        ),
        Symptom("the mean is overwritten", _shows_the_mean_is_overwritten),
        Symptom("a single number as noise", _shows_a_single_number_as_noise),
        Symptom("one noise for the whole batch", _shows_one_noise_for_the_whole_batch),
        Symptom("one noise for all dimensions", _shows_one_noise_for_all_dimensions),
        Symptom(
            "noise shared along an axis",
            _shows_noise_shared_along_an_axis,
            "In a batch with three axes some entries share their noise: the shape of the "
            "noise is the whole shape of `mean`, however many axes it has.",
        ),
        Symptom(
            "no noise",
            _shows_no_noise,
            "Nothing is drawn: with mean 0 and log-variance 0 all your draws are the "
            "same number.",
        ),
        Symptom(
            "the noise is not normal",
            lambda results: any(
                r.value is not None and not r.right
                for r in results
                if r.case.observe is _below
            ),
            "With mean 0 and log-variance 0 the answer is the noise itself, and yours is "
            "not normally distributed: too many or too few draws lie beyond one or two "
            "standard deviations. `torch.randn` draws from N(0, 1).",
        ),
        Symptom(
            "the centre is wrong",
            _shows_the_centre_is_wrong,
            "The draws do not lie around `mean`.",
        ),
        Symptom(
            "the spread is wrong",
            _shows_the_spread_is_wrong,
            "The draws lie around the right means, but their variance is not "
            "exp(log_var): which standard deviation belongs to that variance?",
        ),
        Symptom(
            "some entries have other noise",
            lambda results: any(
                r.value is not None and not r.right
                for r in results
                if r.case.observe is _each
            ),
            "Taken together the draws are right, but not every single entry is drawn "
            "from N(0, 1), given mean 0 and log-variance 0: is one of them left out?",
        ),
        Symptom("no gradient", _shows_no_gradient, errors_too=True),
        Symptom("no gradient reaches log_var", _shows_no_gradient_reaches_log_var),
        Symptom("no gradient reaches the mean", _shows_no_gradient_reaches_the_mean),
        Symptom(
            "the gradients are wrong",
            lambda results: any(
                not r.right for r in results if r.case.observe is _derivatives
            ),
            "The draws are right, but not their gradients: by the mean it is 1 "
            "everywhere, by log_var it is ½·exp(log_var / 2)·e. Is a part of the formula "
            "cut out of the graph?",
        ),
    ),
)
