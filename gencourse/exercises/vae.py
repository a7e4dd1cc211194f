"""The exercises of notebook 03: from noise in the code to the units that carry something.

How one is written: see `core`. The decorated function is the reference; its docstring is the statement.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from .answers import Unusable, as_numbers
from .common import answer_to, cut, gradients, is_slope, normal, right_on, slopes, usable
from .core import Case, exercise, some

# 1

def _draw(fn, mean, log_var, generator):
    c = fn(mean, log_var, generator)
    value = as_numbers(c)
    if value.shape != mean.shape:
        raise Unusable("not yet", "wrong shape", f"The answer has shape {tuple(value.shape)} where "
                       f"{tuple(mean.shape)} is due, that of `mean` and `log_var`.")
    return c, value


def _derivatives(fn, mean, log_var, seed):
    """Three ones: dc/dmean on average; dc/dlog_var as a multiple of ½(c − mean); whether both hold entry by entry."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [mean.clone().requires_grad_(), log_var.clone().requires_grad_()]
        c, value = _draw(fn, leaves[0] * 1, leaves[1] * 1, torch.Generator().manual_seed(seed))
        by_mean, by_log_var = (slope.double() for slope in gradients(c, leaves))
    half = (value - mean) / 2
    ratio = (by_log_var * half).sum() / half.square().sum().clamp(min=1e-12)
    alike = torch.allclose(by_log_var, ratio * half, atol=1e-4) and torch.allclose(by_mean, by_mean.mean(), atol=1e-4)
    return torch.stack([by_mean.mean(), ratio, torch.tensor(float(alike), dtype=torch.float64)])


def _chance(fn, mean, log_var, seed):
    """Six yes or no: does chance come from the generator, and from nowhere else? Last: are the arguments left alone?"""
    generator, again, other = (torch.Generator().manual_seed(s) for s in (seed, seed, seed + 1))
    given = [mean.clone(), log_var.clone()]
    first = _draw(fn, *given, generator)[1]
    left_alone = given[0].equal(mean) and given[1].equal(log_var)
    second, same, different = (_draw(fn, mean.clone(), log_var.clone(), g)[1] for g in (generator, again, other))
    fresh = torch.Generator().manual_seed(seed).get_state()
    return torch.tensor([first.equal(same), not first.equal(second), not first.equal(different),
                         not generator.get_state().equal(fresh), generator.initial_seed() == seed,
                         left_alone]).double()


def _moments(fn, mean, log_var, seed):
    """Mean and logarithm of the variance of every column."""
    value = _draw(fn, mean, log_var, torch.Generator().manual_seed(seed))[1]
    return torch.cat([value.mean(0), value.var(0).log()])


def _noise(fn, mean, seed):
    """With log_var 0, less the mean: the noise itself."""
    return _draw(fn, mean, torch.zeros_like(mean), torch.Generator().manual_seed(seed))[1] - mean


def _below(fn, mean, log_var, seed):
    """The share of the noise that is more than -2, -1, 0, 1 and 2 standard deviations from its mean."""
    e = _noise(fn, mean, seed).flatten()
    e = (e - e.mean()) / e.std().clamp(min=1e-12)
    return torch.stack([(e < limit).double().mean() for limit in (-2, -1, 0, 1, 2)])


def _neighbours(fn, mean, log_var, seed):
    """How the noise is correlated along each axis: with the next entry, and with the one half the axis away."""
    e = _noise(fn, mean, seed)
    e = e - e.mean() if e.std() > 1e-6 else e
    pairs = [(e * e.roll(step, axis)).mean() for axis in range(e.dim()) for step in (1, e.shape[axis] // 2)]
    return torch.stack(pairs) / e.square().mean().clamp(min=1e-12)


def _each(fn, mean, log_var, seed):
    """Mean and variance of the noise of every single entry over 400 calls."""
    generator = torch.Generator().manual_seed(seed)
    e = torch.stack([_draw(fn, mean.clone(), log_var.clone(), generator)[1] - mean for _ in range(400)])
    return torch.cat([e.mean(0).flatten(), e.var(0).flatten()])


_MEANS, _LOG_VARS = torch.tensor([1.5, -2.0, 0.5, -1.0]), torch.tensor([-4.0, -1.5, 0.6, 1.6])


@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "A draw from N(m, s²) is made of a draw e from N(0, 1): stretch it by the standard deviation s, then "
        "move it by m. Which function of `log_var` is the standard deviation?",
        "log_var = log s², so s = exp(log_var / 2). The noise needs the shape of `mean`: one number for every "
        "entry, all of them from the generator.",
        "`e = torch.randn(mean.shape, generator=generator)`; what is left is one line of the formula, in plain "
        "tensor operations, so that gradients pass.",
    ),
    cases=(
        Case(normal(6, 3, seed=1), torch.full((6, 3), 0.8), 2, observe=_derivatives, atol=1e-3,
             label="the gradients of a draw of shape (6, 3)"),
        Case(normal(3, 4, seed=2), normal(3, 4, seed=3), 4, observe=_chance, label="draws from one generator, "
             "and from several seeded alike"),
        Case(_MEANS.repeat(5000, 1), _LOG_VARS.repeat(5000, 1), 5, observe=_moments, atol=0.15,
             label="5,000 draws with log-variances -4, -1.5, 0.6 and 1.6"),
        Case(torch.zeros(3000, 4), torch.zeros(3000, 4), 6, observe=_below, atol=0.022,
             label="12,000 draws with mean 0 and log-variance 0"),
        Case(torch.zeros(200, 60), torch.zeros(200, 60), 7, observe=_neighbours, atol=0.1,
             label="a batch of 200 codes of 60 dimensions"),
        Case(torch.zeros(20, 15, 20), torch.zeros(20, 15, 20), 8, observe=_neighbours, atol=0.1,
             label="codes of shape (20, 15, 20): 20 draws, 15 examples, 20 dimensions"),
        Case(torch.zeros(3, 4), torch.zeros(3, 4), 9, observe=_each, atol=0.4,
             label="400 draws of shape (3, 4)"),
    ),
)
def reparameterise(mean: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    """A draw c = exp(log_var / 2) · e + mean, e ~ N(0, I), which gradients pass through.

    mean, log_var: tensors of one shape, with any number of axes; log_var is the logarithm
    of the variance (σ in the notes). Leave both as they are: the KL needs them later.
    All chance comes from the generator, which is not seeded here; every entry has its own
    e. Returns c, of the same shape, with gradients to mean and log_var.
    """
    e = torch.randn(mean.shape, generator=generator)
    return torch.exp(log_var / 2) * e + mean


reparameterise.mistake(
    "the variance in place of the standard deviation", "torch.exp(log_var / 2)", "torch.exp(log_var)",
    "The noise is multiplied by exp(log_var), which is the variance; its root is due. (The notes write "
    "exp(σ)·e in one place: there σ is the logarithm of the standard deviation.)")
reparameterise.mistake(
    "log_var itself as standard deviation", "torch.exp(log_var / 2)", "log_var",
    "The noise is multiplied by log_var as it is. That is a logarithm, often negative: undo it first.")
reparameterise.mistake(
    "the exponential is missing", "torch.exp(log_var / 2)", "(log_var / 2)",
    "log_var / 2 is the logarithm of the standard deviation. Its exponential is due.")
reparameterise.mistake(
    "the sign of log_var is turned", "torch.exp(log_var / 2)", "torch.exp(-log_var / 2)",
    "The spread is upside down: a large log_var gives little noise. exp(-log_var / 2) is one over the "
    "standard deviation.")
reparameterise.mistake(
    "log_var taken for a softplus", "torch.exp(log_var / 2)", "torch.nn.functional.softplus(log_var)",
    "The standard deviation is taken as softplus(log_var). That is another way to make a number positive; "
    "here log_var is the logarithm of the variance.")
reparameterise.mistake(
    "log_var taken for the variance", "torch.exp(log_var / 2)", "log_var.sqrt()",
    "The root is taken of log_var itself, which is NaN where it is negative. The variance is exp(log_var), "
    "its root exp(log_var / 2).")
reparameterise.mistake(
    "the mean is missing", " * e + mean", " * e",
    "The draws lie around 0: `mean` is not added.")
reparameterise.mistake(
    "mean and log_var swapped", "torch.exp(log_var / 2) * e + mean", "torch.exp(mean / 2) * e + log_var",
    "The two have changed places: `mean` moves the noise, `log_var` stretches it.")
reparameterise.mistake(
    "the noise multiplies the mean too", "torch.exp(log_var / 2) * e + mean", "(torch.exp(log_var / 2) + mean) * e",
    "The mean is multiplied by the noise as well, and so it moves nothing. It is added after the stretching.")
reparameterise.mistake(
    "the noise is not stretched", "torch.exp(log_var / 2) * e + mean", "e + mean",
    "Every dimension has noise of variance 1: `log_var` has no say.")
reparameterise.mistake(
    "no noise", "torch.exp(log_var / 2) * e + mean", "mean * 1",
    "This is the mean, without any noise: nothing is drawn.")
reparameterise.mistake(
    "the standard deviation without noise", "/ 2) * e + mean", "/ 2) + mean",
    "The standard deviation is added to the mean, always upwards: it is to be multiplied by the noise e first.")
reparameterise.mistake(
    "one noise for the whole batch", "torch.randn(mean.shape", "torch.randn(mean.shape[1:]",
    "All examples of a batch get the same noise. Every entry needs a draw of its own: the noise has the "
    "shape of `mean`.")
reparameterise.mistake(
    "one noise for all dimensions", "torch.randn(mean.shape", "torch.randn((*mean.shape[:-1], 1)",
    "All dimensions of a code get the same noise, so that the code moves along one diagonal only. The "
    "noise has the shape of `mean`.")
reparameterise.mistake(
    "a single number as noise", "torch.randn(mean.shape", "torch.randn(()",
    "One random number serves all entries. The noise has the shape of `mean`.")
reparameterise.mistake(
    "uniform noise", "torch.randn(mean.shape", "torch.rand(mean.shape",
    "The noise is uniform between 0 and 1 (`torch.rand`): it is never negative. N(0, I) is `torch.randn`.")
reparameterise.mistake(
    "no gradient", "torch.exp(log_var / 2) * e + mean",
    "torch.normal(mean, torch.exp(log_var / 2), generator=generator)",
    "The draws are right, but no gradient passes: an encoder could not learn from them. `torch.normal`, "
    "`.sample()`, `.detach()` and `torch.no_grad()` cut the graph; draw e alone, then compute with it.")
reparameterise.mistake(
    "no gradient reaches log_var", "torch.exp(log_var / 2)", "torch.exp(log_var / 2).detach()",
    "The draws are right, but the gradient reaches the mean only: the encoder would never learn how much "
    "noise to take. Leave `log_var` in the graph.")
reparameterise.mistake(
    "no gradient reaches the mean", " * e + mean", " * e + mean.detach()",
    "The draws are right, but the gradient reaches log_var only: leave `mean` in the graph.")
reparameterise.mistake(
    "the generator is ignored", "mean.shape, generator=generator", "mean.shape",
    "The same generator, seeded alike, gives another draw: chance comes from elsewhere. `torch.randn` takes "
    "`generator=generator`; `rsample` and NumPy do not.")
reparameterise.mistake(
    "seeded anew for each draw", "    e = torch", "    generator.manual_seed(0)\n    e = torch",
    "The generator is seeded inside the function, so that every draw has the same noise. Seeding is the "
    "caller's business.")
reparameterise.mistake(
    "the mean is overwritten", "return torch.exp(log_var / 2) * e + mean",
    "return mean.add_(torch.exp(log_var / 2) * e)",
    "The draws are right, but `mean` or `log_var` holds something else afterwards: an operation in place "
    "(`+=`, `add_`, `exp_`) has overwritten it, and the KL that comes next would be wrong. Make a new tensor.")


@reparameterise.symptom("the generator is ignored")
def _(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[0]


@reparameterise.symptom(
    "the generator is not used up",
    "Two draws in a row from one generator are alike, or the generator is as fresh after a call as before: "
    "draw from the generator itself, neither from a copy nor from one that is seeded anew.")
def _(results):
    chance, moments = answer_to(results, _chance), answer_to(results, _moments)
    return chance is not None and not chance[:5].all() and moments is not None and moments[4:].isfinite().all()


@reparameterise.symptom("the mean is overwritten")
def _(results):
    chance = answer_to(results, _chance)
    return chance is not None and bool(chance[:5].all()) and not chance[5]


def _correlated(results, dims):
    """The correlations in the batch of that many axes, along each axis: (dims, 2)."""
    found = [r.value for r in results if r.case.observe is _neighbours and r.value is not None]
    return next((value.reshape(dims, 2).abs().amax(1) > 0.6 for value in found if len(value) == 2 * dims), None)


@reparameterise.symptom("a single number as noise")
def _(results):
    along = _correlated(results, 2)
    return along is not None and bool(along.all())


@reparameterise.symptom("one noise for the whole batch")
def _(results):
    along = _correlated(results, 2)
    return along is not None and bool(along[0])


@reparameterise.symptom("one noise for all dimensions")
def _(results):
    along = _correlated(results, 2)
    return along is not None and bool(along[1])


@reparameterise.symptom(
    "noise shared along an axis",
    "In a batch with three axes some entries share their noise: the shape of the noise is the whole shape of "
    "`mean`, however many axes it has.")
def _(results):
    along = _correlated(results, 3)
    return along is not None and bool(along.any())


@reparameterise.symptom(
    "no noise",
    "Nothing is drawn: with mean 0 and log-variance 0 all your draws are the same number.")
def _(results):
    below = answer_to(results, _below)
    return below is not None and bool(((below == 0) | (below == 1)).all())


@reparameterise.symptom(
    "the noise is not normal",
    "With mean 0 and log-variance 0 the answer is the noise itself, and yours is not normally distributed: too many or "
    "too few draws lie beyond one or two standard deviations. `torch.randn` draws from N(0, 1).")
def _(results):
    return any(r.value is not None and not r.right for r in results if r.case.observe is _below)


@reparameterise.symptom(
    "the centre is wrong",
    "The draws do not lie around `mean`.")
def _(results):
    moments = answer_to(results, _moments)
    if moments is None:
        return False
    error = (moments[4:] / 2).exp() / 5000**0.5
    return bool(((moments[:4] - _MEANS).abs() > 5 * error + 1e-3).any())


@reparameterise.symptom(
    "the spread is wrong",
    "The draws lie around the right means, but their variance is not exp(log_var): which standard deviation "
    "belongs to that variance?")
def _(results):
    moments = answer_to(results, _moments)
    return moments is not None and not torch.allclose(moments[4:], _LOG_VARS.double(), atol=0.15)


@reparameterise.symptom(
    "some entries have other noise",
    "Taken together the draws are right, but not every single entry is drawn from N(0, 1), given mean 0 and "
    "log-variance 0: is one of them left out?")
def _(results):
    return any(r.value is not None and not r.right for r in results if r.case.observe is _each)


@reparameterise.symptom("no gradient", errors_too=True)
def _(results):
    slope, *others = results
    failed = slope.value is None and slope.problem.status == "raised an error"
    return all(r.right for r in others) and (failed or slope.value is not None and not slope.value[:2].any())


@reparameterise.symptom("no gradient reaches log_var")
def _(results):
    slopes = answer_to(results, _derivatives)
    return slopes is not None and slopes[1] == 0


@reparameterise.symptom("no gradient reaches the mean")
def _(results):
    slopes = answer_to(results, _derivatives)
    return slopes is not None and slopes[0] == 0


@reparameterise.symptom(
    "the gradients are wrong",
    "The draws are right, but not their gradients: by the mean it is 1 everywhere, by log_var it is "
    "½·exp(log_var / 2)·e. Is a part of the formula cut out of the graph?")
def _(results):
    return any(not r.right for r in results if r.case.observe is _derivatives)


# 2

@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "What is wanted: how fast f changes on average when the mean moves. The draws do not move here; what "
        "moves is how probable each of them is, and so its weight in the average.",
        "∇ E[f] = E[f · ∇ log q(z)]. Write log q(z) as a sum over dimensions, and take its derivative by "
        "mean[j]: only the squared distance contains it.",
        "∂ log q(z) / ∂ mean[j] = (z[j] - mean[j]) / exp(log_var[j]): a tensor (S, latent). Multiply every row "
        "by its f (`f[:, None]`) and take the mean over the draws.",
    ),
    cases=(
        Case(torch.tensor([2.0, -1.0, 0.5]), torch.tensor([[1.0], [1.5], [-1.5]]), torch.tensor([0.5]), torch.zeros(1),
             label="3 draws in one dimension, `log_var = 0`"),
        Case(normal(6, seed=11), normal(6, 3, seed=12), normal(3, seed=13), normal(3, seed=14)),
        Case(normal(4, seed=15), normal(4, 4, seed=16), normal(4, seed=17), normal(4, seed=18),
             label="4 draws of 4 dimensions"),
        Case(torch.ones(5), normal(5, 2, seed=19), normal(2, seed=20), normal(2, seed=21),
             label="a constant f = 1"),
        Case(torch.tensor([3.0]), torch.tensor([[1.0, 2.0]]), torch.tensor([0.5, -1.0]), torch.tensor([2.0, -2.0]),
             label="a single draw"),
        Case(normal(4000, seed=22) + 3, normal(4000, 2, seed=23), normal(2, seed=24), normal(2, seed=25),
             label="4,000 draws"),
        Case(torch.tensor([-90.0, -120.0, -80.0]), normal(3, 5, seed=26), normal(5, seed=27), normal(5, seed=28),
             label="log-likelihoods as f"),
    ),
)
def score_function_gradient(f: Tensor, z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """The gradient of E[f(z)] by the mean of q, where f is a black box.

    q = N(mean, exp(log_var)), every dimension by itself. For draws z[s] from q the estimate
    is the average over s of f[s] · ∇ log q(z[s]): the gradient by `mean`, while z is held.
    f: (S,), the value of f at each draw; z: (S, latent); mean, log_var: (latent,).
    Returns (latent,). (Also called REINFORCE, or the likelihood-ratio estimate.)
    """
    score = (z - mean) / torch.exp(log_var)                             # (S, latent)
    return (f[:, None] * score).mean(0)


score_function_gradient.mistake(
    "the sign is turned", "(z - mean)", "(mean - z)",
    "The sign is turned: this is the gradient of log q by z. By the mean it is the opposite, (z - mean) / "
    "variance: a mean that comes closer to z makes it more probable.")
score_function_gradient.mistake(
    "divided by the standard deviation", "torch.exp(log_var)", "torch.exp(log_var / 2)",
    "The distance is divided by the standard deviation; in the derivative of (z - mean)² / (2·variance) it "
    "is the variance that stays.")
score_function_gradient.mistake(
    "divided by log_var", "torch.exp(log_var)", "log_var",
    "The distance is divided by log_var, the logarithm of the variance: undo the logarithm first.")
score_function_gradient.mistake(
    "not divided by the variance", " / torch.exp(log_var)", "",
    "The variance has no say in your answer: the narrower q is, the more its density changes when it moves.")
score_function_gradient.mistake(
    "the mean is not subtracted", "(z - mean)", "z",
    "z itself is divided by the variance. It is the distance from the mean that counts.")
score_function_gradient.mistake(
    "f is missing", "f[:, None] * score", "score",
    "The values of f have no say: this is the mean score, 0 on average whatever f is. Each draw is weighted "
    "by its f.")
score_function_gradient.mistake(
    "the logarithm of f", "f[:, None]", "f.log()[:, None]",
    "The logarithm of f is taken. It is q that has a logarithm in this formula; f counts as it is, and may be "
    "negative.")
score_function_gradient.mistake(
    "the sum in place of the mean", ".mean(0)", ".sum(0)",
    "This is the sum over the draws; an expectation is estimated by their mean.")
score_function_gradient.mistake(
    "the means are multiplied", "(f[:, None] * score).mean(0)", "f.mean() * score.mean(0)",
    "The mean of f is multiplied by the mean score. What counts is which draws have a large f: multiply draw "
    "by draw, then take the mean.")
score_function_gradient.mistake(
    "a baseline is subtracted", "f[:, None] * score", "(f - f.mean())[:, None] * score",
    "The mean of f is subtracted first. Such a baseline lowers the variance, but this one is made of the same "
    "draws, which biases it a little; here the plain estimate is asked for.")
score_function_gradient.mistake(
    "by log_var instead of the mean",
    "(z - mean) / torch.exp(log_var)", "((z - mean)**2 / torch.exp(log_var) - 1) / 2",
    "This is the gradient by log_var. The one by the mean is asked for.")
score_function_gradient.mistake(
    "the density instead of its gradient",
    "(z - mean) / torch.exp(log_var)", "-((z - mean)**2 / torch.exp(log_var) + log_var + math.log(2 * math.pi)) / 2",
    "f is multiplied by log q itself. It is the gradient of log q by the mean that is due.")
score_function_gradient.mistake(
    "averaged over the dimensions", ".mean(0)", ".mean(1)",
    "The average is taken over the dimensions, and there is one number for each draw. Average over the draws, "
    "the first axis.")
score_function_gradient.mistake(
    "added up over the dimensions", ".mean(0)", ".mean(0).sum()",
    "The dimensions are added up. A gradient has one entry for each dimension of the mean.")
score_function_gradient.mistake(
    "not averaged", ".mean(0)", "",
    "This is the contribution of every draw. Their mean is asked for: (latent,).")


@score_function_gradient.symptom(
    "the weighting by f is wrong",
    "For a constant f = 1 the answer is right, else it is not: how does f enter?")
def _(results):
    return right_on(results, "a constant f = 1") and any(not r.right for r in usable(results))


@score_function_gradient.symptom(
    "something is subtracted from f",
    "For a constant f = 1 your answer is 0: is something subtracted from f first, a baseline? Here the plain estimate "
    "is asked for, where every draw counts with its f.")
def _(results):
    return any(not r.right and r.value.abs().max() < 1e-5 for r in usable(results)
               if r.case.label == "a constant f = 1")


@score_function_gradient.symptom(
    "right for a variance of 1 only",
    "Right where log_var is 0, wrong elsewhere: by what is z - mean divided?")
def _(results):
    first, *others = results
    return first.right and not any(r.right for r in others)


@score_function_gradient.symptom(
    "the average is wrong",
    "With a single draw the answer is right, with several it is not: it is the mean over the draws that is due.")
def _(results):
    return right_on(results, "a single draw") and any(not r.right for r in usable(results))


@score_function_gradient.symptom(
    "a draw's contribution is wrong",
    "Already with a single draw, where there is nothing to average, the answer is wrong. It is f times the derivative "
    "of log q(z) by the mean: what becomes of -(z - mean)² / (2·variance)?")
def _(results):
    return any(r.case.label == "a single draw" and not r.right for r in usable(results))


# 3

@exercise(
    minutes=8,
    difficulty="easy",
    hints=(
        "The dimensions are independent, and so the KL is a sum with one term for each. Begin with one "
        "dimension: what does it take from you that the variance is not 1, and what that the mean is not 0?",
        "KL(N(m, s²) ‖ N(0, 1)) = ½ (s² - 1 - log s² + m²). Put log_var in: s² = exp(log_var), log s² = log_var. "
        "Two checks: it is 0 at m = 0, log_var = 0, and nowhere negative.",
        "`0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)` has one entry for every example and dimension; "
        "sum over the dimensions, axis 1.",
    ),
    cases=(
        Case(normal(4, 3, seed=31), normal(4, 3, seed=32)),
        Case(torch.zeros(2, 3), torch.zeros(2, 3), label="mean 0 and log_var 0"),
        Case(torch.zeros(3, 2), normal(3, 2, seed=33), label="mean 0"),
        Case(normal(3, 2, seed=34), torch.zeros(3, 2), label="log_var 0"),
        Case(normal(5, 5, seed=35), normal(5, 5, seed=36)),
        Case(torch.tensor([[3.0]]), torch.tensor([[-12.0]]), label="mean 3, log_var -12"),
        Case(normal(1, 50, seed=37, scale=2), normal(1, 50, seed=38, scale=2)),
        Case(normal(3, 4, seed=39), normal(3, 4, seed=40), observe=partial(slopes, of=(0, 1)),
             label="the gradients by mean and log_var"),
    ),
)
def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) of every example, in nats.

    mean, log_var: (B, latent); log_var is the logarithm of the variance (σ in the notes).
    Returns (B,), summed over the dimensions of the code. Gradients pass through it: it is
    part of a loss.
    """
    kl = 0.5 * (torch.exp(log_var) - (1 + log_var) + mean**2)           # (B, latent)
    return kl.sum(1)


gaussian_kl.mistake(
    "the ½ is missing", "0.5 * (", "(",
    "Twice what is due: this is the formula of the notes, and it lacks the ½. With it a VAE is trained as if beta "
    "were 2, and the gap between log P(x) and the bound is no longer the KL to the posterior.")
gaussian_kl.mistake(
    "averaged over the dimensions", ".sum(1)", ".mean(1)",
    "This is the mean over the dimensions. The KL of independent dimensions is their sum; with a mean, the "
    "more dimensions a code has, the less each would be held to the prior.")
gaussian_kl.mistake(
    "summed over the batch too", ".sum(1)", ".sum()",
    "The examples are added up as well: there is one number in place of one for each example.")
gaussian_kl.mistake(
    "averaged over the batch", ".sum(1)", ".sum(1).mean()",
    "The mean over the batch is taken: there is one number in place of one for each example. Averaging is the "
    "caller's business.")
gaussian_kl.mistake(
    "averaged over everything", ".sum(1)", ".mean()",
    "The mean over examples and dimensions is taken. Sum over the dimensions, and leave the examples apart.")
gaussian_kl.mistake(
    "summed over the examples", ".sum(1)", ".sum(0)",
    "The sum runs over the examples, the first axis; the dimensions of the code are the second.")
gaussian_kl.mistake(
    "not summed", "return kl.sum(1)", "return kl",
    "There is one number for every dimension. Sum over them: the KL of a code is one number.")
gaussian_kl.mistake(
    "log_var used as variance", "torch.exp(log_var) - (1 + log_var)", "log_var - (1 + torch.log(log_var))",
    "log_var is used as if it were the variance, and its logarithm is NaN where it is negative. The variance is "
    "exp(log_var).")
gaussian_kl.mistake(
    "log_var used as standard deviation",
    "torch.exp(log_var) - (1 + log_var)", "log_var**2 - (1 + torch.log(log_var**2))",
    "log_var is used as if it were the standard deviation. It is the logarithm of the variance.")
gaussian_kl.mistake(
    "log_var taken for the logarithm of the standard deviation",
    "torch.exp(log_var) - (1 + log_var)", "torch.exp(2 * log_var) - (1 + 2 * log_var)",
    "log_var is taken for the logarithm of the standard deviation: that is the other convention, and it doubles "
    "every log_var. Here exp(log_var) is the variance itself.")
gaussian_kl.mistake(
    "the standard deviation in place of the variance", "torch.exp(log_var)", "torch.exp(log_var / 2)",
    "exp(log_var / 2) is the standard deviation, right for drawing. In the KL stands the variance, exp(log_var).")
gaussian_kl.mistake(
    "the exponential is missing", "torch.exp(log_var)", "log_var",
    "The logarithm is put where the variance belongs, so that log_var cancels and the noise costs nothing.")
gaussian_kl.mistake(
    "the 1 is missing", "(1 + log_var)", "log_var",
    "Half a nat too much for each dimension: the 1 is missing, and the KL of N(0, I) to itself is not 0.")
gaussian_kl.mistake(
    "a bracket is missing", "(1 + log_var)", "1 + log_var",
    "log_var enters with the wrong sign: the minus stands before the whole bracket, - (1 + log_var) = "
    "- 1 - log_var.")
gaussian_kl.mistake(
    "log_var is not subtracted", "(1 + log_var)", "1",
    "The term - log_var is missing. Without it the variance that costs least is 0: the noise would be trained "
    "away.")
gaussian_kl.mistake(
    "the sign is turned", "0.5 * (", "-0.5 * (",
    "The sign is turned: a KL is never negative, and 0 only where the two distributions are one.")
gaussian_kl.mistake(
    "the KL in the other direction",
    "torch.exp(log_var) - (1 + log_var) + mean**2", "(1 + mean**2) * torch.exp(-log_var) - 1 + log_var",
    "This is KL(N(0, I) ‖ q), the other way round. The average is taken over q, the encoder's distribution: "
    "KL(q ‖ N(0, I)).")
gaussian_kl.mistake(
    "the mean is not squared", "mean**2", "mean",
    "The mean enters as it is, so that a negative one is rewarded. It is its square that counts.")
gaussian_kl.mistake(
    "the absolute mean", "mean**2", "mean.abs()",
    "The mean enters by its absolute value. It is its square that counts.")
gaussian_kl.mistake(
    "the mean is missing", " + mean**2", "",
    "The mean has no say: codes could lie anywhere at no cost.")
gaussian_kl.mistake(
    "the mean is rewarded", "+ mean**2", "- mean**2",
    "The squared mean is subtracted: the further from the origin, the cheaper.")
gaussian_kl.mistake(
    "mean and log_var swapped",
    "torch.exp(log_var) - (1 + log_var) + mean**2", "torch.exp(mean) - (1 + mean) + log_var**2",
    "The two have changed places: the mean is squared, and log_var stands in the exponential.")
gaussian_kl.mistake(
    "bits instead of nats", "return kl.sum(1)", "return kl.sum(1) / math.log(2)",
    "These are bits: divided by ln 2. Nats are asked for.")
gaussian_kl.mistake(
    "no gradient", "return kl.sum(1)", "return kl.sum(1).detach()",
    "The values are right, but no gradient passes, and nothing could be trained by them: is there a "
    "`.detach()`, `.item()`, `no_grad` or NumPy on the way?")


@gaussian_kl.symptom("no gradient", errors_too=True)
def _(results):
    return cut(results)


@gaussian_kl.symptom(
    "not 0 at N(0, I)",
    "The KL of N(0, I) to itself is 0; yours is not.")
def _(results):
    return any(r.case.label == "mean 0 and log_var 0" and not r.right for r in usable(results))


@gaussian_kl.symptom(
    "a negative KL",
    "Somewhere your KL is negative. It is never below 0, whatever mean and log_var are.")
def _(results):
    return any((r.value < -1e-4).any() for r in usable(results))


@gaussian_kl.symptom(
    "the part of the mean is wrong",
    "Where the mean is 0 your answer is right, else it is not: what does a mean away from 0 cost?")
def _(results):
    return right_on(results, "mean 0") and not right_on(results, "log_var 0")


@gaussian_kl.symptom(
    "the part of the variance is wrong",
    "Where log_var is 0 your answer is right, else it is not: exp(log_var) is the variance, and log_var its "
    "logarithm.")
def _(results):
    return right_on(results, "log_var 0") and not right_on(results, "mean 0")


@gaussian_kl.symptom(
    "wrong where both play",
    "Right where the mean is 0 or log_var is 0, wrong where neither is: the two parts do not touch each other, "
    "they are added.")
def _(results):
    return right_on(results, "log_var 0") and right_on(results, "mean 0") and not any(
        r.right for r in results[4:5])


@gaussian_kl.symptom(
    "both parts are wrong",
    "Right where mean and log_var are 0, but wrong as soon as one of them is not: look at one dimension, first with "
    "log_var = 0, where the KL is ½·mean².")
def _(results):
    return right_on(results, "mean 0 and log_var 0") and not any(r.right for r in results[2:4]) and len(
        usable(results)) == len(results) - 1


@gaussian_kl.symptom(
    "the gradients are wrong",
    "The values are right, but not all gradients: is a part of the formula cut out of the graph, or clamped?")
def _(results):
    return all(r.right for r in results if not is_slope(r))


# 4

def _pixels(*shape: int, seed: int, scale: float = 2.0):
    """x, logits and a kl, of a batch of that shape."""
    x = (normal(*shape, seed=seed) > 0).float()
    return x, normal(*shape, seed=seed + 1, scale=scale), normal(shape[0], seed=seed + 2).abs() * 3 + 0.5


_EXTREME = (torch.tensor([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]),
            torch.tensor([[200.0, -200.0, -900.0, 900.0], [50.0, -120.0, 130.0, -300.0]]), torch.tensor([2.0, 7.0]))
_CERTAIN = (torch.tensor([[1.0, 0.0, 1.0, 0.0]]), torch.tensor([[200.0, -200.0, 900.0, -900.0]]), torch.tensor([1.5]))


@exercise(
    minutes=10,
    difficulty="medium",
    hints=(
        "Two parts: how well the decoder explains x, log P(x|z), and what the code costs, the KL. Which of them "
        "is to be large, which small?",
        "Given the code the pixels are independent: log P(x|z) is a sum over all pixels of an example, of log p "
        "where x is 1 and log(1 - p) where it is 0, with p = sigmoid(logits). Beware: for large logits p "
        "is rounded to 0 or 1, and its logarithm is lost.",
        "`-torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction=\"none\")` is the logarithm "
        "of each pixel's probability, safely. Sum it over all axes but the first (`.flatten(1).sum(1)`), then "
        "subtract `beta * kl`.",
    ),
    cases=(
        Case(*_pixels(3, 5, seed=51)),
        Case(*_pixels(4, 1, 3, 5, seed=54), 1.0),
        Case(*_pixels(3, 6, seed=57), 0.0, label="`beta = 0`"),
        Case(*_pixels(5, 5, seed=60), 4.0, label="`beta = 4`"),
        Case(*_pixels(4, 3, seed=69)[:2], torch.zeros(4), 2.0, label="`kl = 0`"),
        Case(torch.ones(1, 3), torch.zeros(1, 3), torch.tensor([1.0]), label="logits 0"),
        Case(*_pixels(2, 1, 28, 28, seed=63), 0.5, label="images of 784 pixels, `beta = 0.5`"),
        Case(*_CERTAIN, label="a decoder that is certain, and right (logits ±200 and ±900)"),
        Case(*_EXTREME, label="a decoder that is certain, and wrong (logits ±200 and ±900)"),
        Case(*_pixels(3, 1, 2, 2, seed=66), 2.0, observe=partial(slopes, of=(1, 2)),
             label="the gradients by logits and kl"),
    ),
)
def elbo(x: Tensor, logits: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """The evidence lower bound of every example from one draw of z, in nats.

    log P(x|z) - beta · KL, with P(pixel = 1 | z) = sigmoid(logits) for every pixel.
    x: (B, …), one or more axes of pixels, floating-point zeros and ones.
    logits: the same shape, what the decoder makes of z. They may be large: ±900 must not
    end in infinity. kl: (B,), the KL of q(z|x) to the prior.
    Returns (B,), with gradients to logits and kl.
    """
    log_px_z = x * logits - torch.nn.functional.softplus(logits)        # of every pixel
    return log_px_z.flatten(1).sum(1) - beta * kl


_LOG_P = "x * logits - torch.nn.functional.softplus(logits)"

elbo.mistake(
    "the KL is added", "- beta * kl", "+ beta * kl",
    "The KL is added. It is what the code costs: it lowers the bound.")
elbo.mistake(
    "the KL is missing", " - beta * kl", "",
    "The KL has no say. Without it, training takes the noise away and leaves an ordinary autoencoder.")
elbo.mistake(
    "beta is missing", "beta * kl", "kl",
    "Right for beta = 1 only: the KL is to be multiplied by beta.")
elbo.mistake(
    "beta weighs the reconstruction",
    "log_px_z.flatten(1).sum(1) - beta * kl", "beta * log_px_z.flatten(1).sum(1) - kl",
    "beta multiplies the reconstruction. It is the weight of the KL.")
elbo.mistake(
    "beta weighs both",
    "log_px_z.flatten(1).sum(1) - beta * kl", "beta * (log_px_z.flatten(1).sum(1) - kl)",
    "beta multiplies both parts: that changes the scale of the bound, not the balance. It belongs to the KL alone.")
elbo.mistake(
    "a convex mixture",
    "log_px_z.flatten(1).sum(1) - beta * kl", "(1 - beta) * log_px_z.flatten(1).sum(1) - beta * kl",
    "The reconstruction is multiplied by 1 - beta. It always counts in full; beta belongs to the KL alone.")
elbo.mistake(
    "the mean over the pixels", ".flatten(1).sum(1)", ".flatten(1).mean(1)",
    "The reconstruction is a mean over the pixels, the KL a sum over the dimensions. An image's log-probability "
    "is the sum over its pixels; with the mean the KL weighs as many times too much as there are pixels.")
elbo.mistake(
    "the mean over pixels and batch", ".flatten(1).sum(1)", ".mean()",
    "The reconstruction is one number for the whole batch, averaged over examples and pixels (as "
    "`binary_cross_entropy_with_logits` does unless told otherwise). It is a sum over the pixels of each example: "
    "`reduction=\"none\"`, then sum.")
elbo.mistake(
    "the reconstruction is averaged over the batch", ".flatten(1).sum(1)", ".flatten(1).sum(1).mean()",
    "Every example gets the mean reconstruction of the batch. Sum over the pixels, and leave the examples apart.")
elbo.mistake(
    "averaged over the batch",
    "return log_px_z.flatten(1).sum(1) - beta * kl", "return (log_px_z.flatten(1).sum(1) - beta * kl).mean()",
    "The mean over the batch is taken: there is one number in place of one for each example. Averaging is the "
    "caller's business.")
elbo.mistake(
    "summed over the batch too",
    "return log_px_z.flatten(1).sum(1) - beta * kl", "return (log_px_z.flatten(1).sum(1) - beta * kl).sum()",
    "The examples are added up as well: there is one number in place of one for each example.")
elbo.mistake(
    "the reconstruction is summed over the batch", ".flatten(1).sum(1)", ".sum()",
    "Every example gets the reconstruction of the whole batch: sum over the pixels, all axes but the first.")
elbo.mistake(
    "the reconstruction's sign is turned", "log_px_z.flatten(1)", "-log_px_z.flatten(1)",
    "The reconstruction enters as a loss: the binary cross-entropy is -log P(x|z). The bound contains log P(x|z), "
    "which is at most 0.")
elbo.mistake(
    "the loss instead of the bound",
    "return log_px_z.flatten(1).sum(1) - beta * kl", "return beta * kl - log_px_z.flatten(1).sum(1)",
    "This is -ELBO, the loss. The bound itself is asked for: it grows as the model becomes better.")
elbo.mistake(
    "logits taken for probabilities", _LOG_P, "x * torch.log(logits) + (1 - x) * torch.log(1 - logits)",
    "The logits are used as probabilities. They run from minus to plus infinity; sigmoid(logits) is the "
    "probability of a 1.")
elbo.mistake(
    "x and logits swapped", _LOG_P, "x * logits - torch.nn.functional.softplus(x)",
    "x and logits have changed places: `binary_cross_entropy_with_logits` takes the logits first, then x.")
elbo.mistake(
    "the sigmoid is taken twice", _LOG_P,
    "x * torch.sigmoid(logits) - torch.nn.functional.softplus(torch.sigmoid(logits))",
    "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and `Bernoulli(logits=…)` take the logits "
    "as they are.")
elbo.mistake(
    "sigmoid, then logarithm",
    _LOG_P, "x * torch.log(torch.sigmoid(logits)) + (1 - x) * torch.log(1 - torch.sigmoid(logits))",
    "Right for moderate logits, but large ones end in infinity or NaN: the sigmoid is rounded to 0 or 1, and its "
    "logarithm is lost. Compute the logarithm from the logits directly: `logsigmoid`, `softplus` or "
    "`binary_cross_entropy_with_logits`.")
elbo.mistake(
    "the extremes are cut off",
    _LOG_P, "-torch.nn.functional.binary_cross_entropy(torch.sigmoid(logits), x, reduction=\"none\")",
    "Right for moderate logits, but where the decoder is certain and wrong the answer is cut off: the sigmoid is "
    "rounded to 0 or 1, and an epsilon or `binary_cross_entropy` (which stops at -100) hides the infinity that "
    "follows. Compute from the logits directly: `logsigmoid`, `softplus` or `binary_cross_entropy_with_logits`.")
elbo.mistake(
    "only the ones count", _LOG_P, "x * torch.nn.functional.logsigmoid(logits)",
    "Only pixels that are 1 count. A 0 has a probability too: 1 - sigmoid(logits).")
elbo.mistake(
    "zeros and ones swapped", _LOG_P, "(1 - x) * logits - torch.nn.functional.softplus(logits)",
    "sigmoid(logits) is the probability of a 1; your answer uses it for the zeros.")
elbo.mistake(
    "not normalised", _LOG_P, "x * logits",
    "x · logits alone is no log-probability: log(1 + exp(logits)) must be subtracted at every pixel.")
elbo.mistake(
    "the squared error", _LOG_P, "-(x - torch.sigmoid(logits))**2",
    "The reconstruction is a squared error. That is a Gaussian's log-likelihood, up to constants; the decoder here "
    "is Bernoulli, and says how probable a 1 is.")
elbo.mistake(
    "half the squared error", _LOG_P, "-0.5 * (x - torch.sigmoid(logits))**2",
    "The reconstruction is a squared error, as of a Gaussian with variance 1. The decoder here is Bernoulli, and "
    "says how probable a 1 is.")
elbo.mistake(
    "the probability of the likelier value", _LOG_P, "-torch.nn.functional.softplus(-logits.abs())",
    "Each pixel counts as if the decoder's guess were right: x has no say. What counts is the probability of what "
    "is there.")
elbo.mistake(
    "probabilities instead of their logarithms",
    _LOG_P, "x * torch.sigmoid(logits) + (1 - x) * torch.sigmoid(-logits)",
    "The probabilities of the pixels are added up. Their logarithms are to be.")
elbo.mistake(
    "the product underflows", "log_px_z.flatten(1).sum(1)", "log_px_z.exp().flatten(1).prod(1).log()",
    "Right for few pixels, but the product of 784 probabilities is too small for a floating-point number and becomes "
    "0. Take the logarithm of each, then add.")
elbo.mistake(
    "no gradient",
    "return log_px_z.flatten(1).sum(1) - beta * kl", "return (log_px_z.flatten(1).sum(1) - beta * kl).detach()",
    "The values are right, but no gradient passes, and nothing could be trained by them: is there a "
    "`.detach()`, `.item()`, `no_grad` or NumPy on the way?")
elbo.mistake(
    "no gradient reaches the KL", "beta * kl", "beta * kl.detach()",
    "The values are right, but the gradient does not reach the KL: training would not hold the code to the prior.")
elbo.mistake(
    "the KL is averaged over the batch", "beta * kl", "beta * kl.mean()",
    "Every example is charged the mean KL of the batch. Each pays for its own code.")
elbo.mistake(
    "the exponential overflows", "torch.nn.functional.softplus(logits)", "torch.log(1 + torch.exp(logits))",
    "Right for moderate logits, but exp(logits) is too large for a floating-point number from about 89 on. "
    "`torch.nn.functional.softplus(logits)` is log(1 + exp(logits)) without that trouble.")


def _certain(result) -> bool:
    return result.case.label is not None and result.case.label.startswith("a decoder that is certain")


@elbo.symptom(
    "infinite at large logits",
    "Right for moderate logits, but large ones end in infinity or NaN: somewhere a sigmoid is rounded to 0 or 1 "
    "before its logarithm is taken, or an exponential overflows. Compute from the logits directly: `logsigmoid`, "
    "`softplus` or `binary_cross_entropy_with_logits`.", errors_too=True)
def _(results):
    return all(r.right for r in results if not _certain(r)) and any(
        r.value is None or not r.value.isfinite().all() for r in results)


@elbo.symptom("the product underflows", errors_too=True)
def _(results):
    def large(r):
        return r.case.arguments[0].numel() > 1000

    return all(r.right for r in results if not _certain(r) and not large(r)) and any(
        large(r) and (r.value is None or not r.value.isfinite().all()) for r in results)


@elbo.symptom("the extremes are cut off")
def _(results):
    return all(r.right for r in results if not _certain(r))


@elbo.symptom(
    "the pixels are not all summed",
    "Right where an example is a row of pixels, but not for images, which have more axes: sum over all of them but the "
    "first. `.flatten(1)` makes one axis of them.", errors_too=True)
def _(results):
    def image(r):
        return r.case.arguments[0].dim() > 2

    return all(r.right != image(r) for r in results if not _certain(r))


@elbo.symptom("no gradient", errors_too=True)
def _(results):
    return cut(results)


@elbo.symptom(
    "the gradients are wrong",
    "The values are right, but not all gradients: the one by kl is -beta, the one by the logits x - sigmoid(logits). "
    "Is a part of the formula cut out of the graph?")
def _(results):
    return all(r.right for r in results if not is_slope(r))


@elbo.symptom(
    "a bound above 0",
    "Somewhere your bound is above 0. Pixels are discrete, so log P(x|z) is at most 0, and the KL is never negative: "
    "the difference is at most 0.")
def _(results):
    return any((r.value > 1e-4).any() for r in usable(results))


@elbo.symptom(
    "the part of the KL is wrong",
    "Where the KL has no say (kl = 0 or beta = 0) your answer is right: the reconstruction is as it should be. "
    "Elsewhere it is not: how do kl and beta enter?")
def _(results):
    return right_on(results, "`beta = 0`") or right_on(results, "`kl = 0`")


@elbo.symptom(
    "the reconstruction is wrong",
    "Already where the KL has no say (kl = 0 or beta = 0) the answer is not log P(x|z): the sum over all pixels of an "
    "example of log p where x is 1, and of log(1 - p) where it is 0, with p = sigmoid(logits).")
def _(results):
    return any(r.case.label == "`kl = 0`" and not r.right for r in usable(results))


# 5

def _densities(n: int, batch: int, seed: int, level: float = 0.0, spread: float = 1.0):
    """log_px_z, log_pz, log_qz of n draws for each example."""
    return (level + normal(n, batch, seed=seed, scale=3 * spread), -3 * spread + normal(n, batch, seed=seed + 1),
            -spread + normal(n, batch, seed=seed + 2))


@exercise(
    minutes=8,
    difficulty="medium",
    hints=(
        "Each draw has a weight P(x|z)·P(z)/q(z|x). Their mean estimates P(x), and the bound is the logarithm of "
        "that mean: the mean first, then the logarithm. In logarithms, what becomes of the product and the ratio?",
        "log w = log_px_z + log_pz - log_qz. The weights themselves are too small or too large for floating-point "
        "numbers: take the logarithm of their sum with `torch.logsumexp`, over the draws.",
        "A mean is a sum divided by S: `torch.logsumexp(log_w, 0)` less the logarithm of the number of draws.",
    ),
    cases=(
        Case(*_densities(3, 2, seed=71, spread=0.3)),
        Case(*_densities(6, 4, seed=74)),
        Case(*_densities(1, 3, seed=77), label="a single draw for each example"),
        Case(*_densities(5, 5, seed=80)),
        Case(*_densities(500, 2, seed=83, level=-20.0), label="500 draws for each example"),
        Case(*_densities(8, 3, seed=86, level=-1000.0), rtol=1e-5, atol=1e-3, label="log-likelihoods around -1000"),
        Case(*_densities(7, 3, seed=89, level=1500.0), rtol=1e-5, atol=1e-3, label="log-densities around +1500"),
        Case(*(torch.cat([part, part + shift], 1) for part, shift in zip(_densities(4, 2, seed=92), (-1000.0, 0, 0))),
             rtol=1e-5, atol=1e-3, label="one example around 0, another around -1000"),
        Case(torch.full((4, 1), -2.0), torch.full((4, 1), -3.0), torch.full((4, 1), -1.0), label="four equal draws"),
    ),
)
def importance_bound(log_px_z: Tensor, log_pz: Tensor, log_qz: Tensor) -> Tensor:
    """The logarithm of the mean importance weight: a lower bound of log P(x), in nats.

    For S draws of z from q(z|x) the weights are w = P(x|z) · P(z) / q(z|x).
    log_px_z, log_pz, log_qz: (S, B), the three logarithms for every draw and example; they
    may be -1000 or +1500, where their exponentials are 0 or infinity.
    Returns (B,), log (1/S) Σ w. With S = 1 it is one draw of the ELBO.
    """
    log_w = log_px_z + log_pz - log_qz                                  # (S, B)
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


importance_bound.mistake(
    "the mean of the logarithms",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "log_w.mean(0)",
    "This is the mean of the logarithms: the ELBO, with more draws. Take the mean of the weights first, then the "
    "logarithm; that is the tighter bound.")
importance_bound.mistake(
    "the sum in place of the mean", " - math.log(len(log_w))", "",
    "The weights are summed, not averaged: log S is too much, and more draws would raise the number without end. "
    "It is no bound any more.")
importance_bound.mistake(
    "log S is added", "- math.log(len(log_w))", "+ math.log(len(log_w))",
    "log S is added. Dividing the sum of the weights by S means subtracting log S.")
importance_bound.mistake(
    "divided after the logarithm",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "torch.logsumexp(log_w, 0) / len(log_w)",
    "The logarithm of the sum is divided by S. The division belongs inside the logarithm, where it becomes "
    "- log S.")
importance_bound.mistake(
    "S without a logarithm", "math.log(len(log_w))", "len(log_w)",
    "S itself is subtracted. Division by S becomes - log S.")
importance_bound.mistake(
    "the batch is counted instead of the draws", "len(log_w)", "log_w.shape[1]",
    "The logarithm of the batch size is subtracted. The weights are averaged over the S draws, the first axis.")
importance_bound.mistake(
    "exponentials without the maximum",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "log_w.exp().mean(0).log()",
    "Right for moderate numbers, but exp(-1000) is 0 and exp(1500) is infinity: take out the maximum first, or use "
    "`torch.logsumexp`.")
importance_bound.mistake(
    "the maximum is not added again",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "(log_w - log_w.amax(0)).exp().mean(0).log()",
    "The maximum is taken out of the exponential and never put back: add it at the end.")
importance_bound.mistake(
    "one maximum for the whole batch",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "(log_w - log_w.max()).exp().mean(0).log() + log_w.max()",
    "One maximum is taken for the whole batch: beside a likely image the weights of an unlikely one are all 0. Every "
    "example needs the maximum of its own draws.")
importance_bound.mistake(
    "log q is added", "- log_qz", "+ log_qz",
    "log q(z|x) is added. The weight is a ratio: the density that was drawn from stands below.")
importance_bound.mistake(
    "log q is missing", " - log_qz", "",
    "log q(z|x) is missing. The draws come from q, and each must be divided by how often q offers it.")
importance_bound.mistake(
    "the prior is missing", " + log_pz", "",
    "log P(z) is missing: the weight is P(x|z)·P(z)/q(z|x).")
importance_bound.mistake(
    "the likelihood alone", "log_px_z + log_pz - log_qz", "log_px_z",
    "Only P(x|z) is averaged. That would be right for draws from the prior; these are draws from q, and the "
    "weight corrects it: P(z)/q(z|x).")
importance_bound.mistake(
    "the likelihood is missing", "log_px_z + log_pz", "log_pz",
    "log P(x|z) is missing: x has no say.")
importance_bound.mistake(
    "the prior is below the line", "+ log_pz", "- log_pz",
    "The prior P(z) is divided by. It stands above: P(x|z)·P(z) is the joint probability.")
importance_bound.mistake(
    "the ratio of prior and q is upside down", "+ log_pz - log_qz", "- log_pz + log_qz",
    "The ratio is upside down: it is P(z)/q(z|x), what is wanted over what was drawn from.")
importance_bound.mistake(
    "the ratio is upside down", "log_px_z + log_pz - log_qz", "log_qz - log_px_z - log_pz",
    "The whole ratio is upside down: P(x|z)·P(z) stands above, q(z|x) below.")
importance_bound.mistake(
    "averaged over the batch",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])",
    "The weights of different examples are averaged. The draws are the first axis, the examples the second.")
importance_bound.mistake(
    "one number for the whole batch",
    "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
    "return (torch.logsumexp(log_w, 0) - math.log(len(log_w))).mean()",
    "The examples are averaged into one number. One number for each is asked for.")
importance_bound.mistake(
    "the best draw alone", "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "log_w.max(0).values",
    "This is the largest weight. It is the mean of the weights that estimates P(x).")
importance_bound.mistake(
    "three means instead of one",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))",
    "torch.logsumexp(log_px_z, 0) + torch.logsumexp(log_pz, 0) - torch.logsumexp(log_qz, 0) - math.log(len(log_w))",
    "Each of the three is averaged by itself. Multiply draw by draw to the weight, and average the weights.")
importance_bound.mistake(
    "averaged with the normalised weights",
    "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "(log_w.softmax(0) * log_w).sum(0)",
    "The logarithms are averaged with normalised weights (a softmax). The bound is the logarithm of the plain mean "
    "of the weights.")
importance_bound.mistake(
    "no logarithm", "torch.logsumexp(log_w, 0) - math.log(len(log_w))", "log_w.exp().mean(0)",
    "This is the mean weight itself; its logarithm is asked for.")
importance_bound.mistake(
    "the loss instead of the bound", "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
    "return math.log(len(log_w)) - torch.logsumexp(log_w, 0)",
    "The sign is turned: this is a loss. The bound itself is asked for.")
importance_bound.mistake(
    "bits instead of nats", "return torch.logsumexp(log_w, 0) - math.log(len(log_w))",
    "return (torch.logsumexp(log_w, 0) - math.log(len(log_w))) / math.log(2)",
    "These are bits: divided by ln 2. Nats are asked for.")


@importance_bound.symptom("exponentials without the maximum", errors_too=True)
def _(results):
    return all(r.right for r in results[:2]) and any(
        r.value is None or not r.value.isfinite().all() for r in results[5:8])


@importance_bound.symptom(
    "too small for the logarithm",
    "Right for moderate numbers, wrong where the exponentials are 0 or infinity: an epsilon or a clamp does not save "
    "them. Take out the maximum before the exponential, or use `torch.logsumexp`.")
def _(results):
    return all(r.right for r in results[:4]) and not all(r.right for r in results[4:8])


def _weights(result) -> Tensor:
    log_px_z, log_pz, log_qz = (argument.double() for argument in result.case.arguments)
    return log_px_z + log_pz - log_qz


@importance_bound.symptom(
    "the weights are wrong",
    "Already with a single draw, where nothing is averaged, the answer is wrong: it is the logarithm of the weight "
    "P(x|z)·P(z)/q(z|x) there.")
def _(results):
    return any(r.case.label == "a single draw for each example" and not r.right for r in usable(results))


@importance_bound.symptom(
    "above the largest weight",
    "Your answer is above the logarithm of the largest weight, which no mean can be.")
def _(results):
    return any((r.value > _weights(r).amax(0) + 1e-3).any() for r in usable(results))


@importance_bound.symptom(
    "below the ELBO",
    "Your answer is below the mean of the logarithms, the ELBO. The logarithm of a mean never is.")
def _(results):
    return any((r.value < _weights(r).mean(0) - 1e-3).any() for r in usable(results))


@importance_bound.symptom(
    "the average is wrong",
    "With a single draw the answer is right, so the weights are. With several it is not: the weights are averaged "
    "over the draws, all alike, and the logarithm is taken last.")
def _(results):
    return any(not r.right for r in usable(results))


# 6

_A, _B, _C, _D = (normal(50, seed=seed) for seed in (101, 102, 103, 104))


@exercise(
    minutes=9,
    difficulty="medium",
    hints=(
        "The angle between two vectors comes from their scalar product and their lengths. n values of t from 0 to "
        "1, both included, are `torch.linspace(0, 1, n)`.",
        "cos θ = z0·z1 / (|z0|·|z1|); rounding can make it a little more than 1, where the arc cosine is NaN: "
        "`.clamp(-1, 1)`. Give t the shape (n, 1), and every row of the answer becomes one code.",
        "If θ is tiny: `(1 - t) * z0 + t * z1`. Else `torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1`, "
        "all divided by `torch.sin(angle)`.",
    ),
    cases=(
        Case(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 5, atol=1e-4,
             label="two unit vectors at a right angle"),
        Case(torch.tensor([1.0, 2.0, 2.0]), torch.tensor([-4.0, 0.0, 3.0]), 7, atol=1e-4),
        Case(_A, _B, 8, atol=1e-4, label="two draws from N(0, I) in 50 dimensions"),
        Case(_A, 0.5 * _B - 1.2 * _A, 6, atol=1e-4, label="an obtuse angle"),
        Case(torch.tensor([2.0, 0.0, 0.0]), torch.tensor([2.0, 1.5, 0.0]), 3, atol=1e-4,
             label="an acute angle, `n = 3`"),
        Case(_C, _D, 2, atol=1e-4, label="the two ends only, `n = 2`"),
        Case(torch.tensor([3.0, 4.0, 0.0]), torch.tensor([3.0, 4.0, 0.0]), 4, atol=1e-3, label="z0 = z1"),
        Case(torch.tensor([3.0, 4.0, 0.0]), torch.tensor([6.0, 8.0, 0.0]), 4, atol=1e-3, label="z1 = 2·z0"),
        Case(_A, 3 * _A, 5, atol=1e-3, label="z1 = 3·z0, in 50 dimensions"),
        Case(_B, _B, 3, atol=1e-3, label="z0 = z1, in 50 dimensions"),
    ),
)
def interpolate(z0: Tensor, z1: Tensor, n: int) -> Tensor:
    """n codes on the way from z0 to z1 along a great circle, both ends included.

    With θ the angle between z0 and z1, and t going from 0 to 1 in equal steps:
    code(t) = (sin((1 - t)·θ) · z0 + sin(t·θ) · z1) / sin θ.
    Where both point the same way that is 0/0; its limit is due, (1 - t)·z0 + t·z1.
    z0, z1: (latent,), neither of them 0 nor opposite to the other. n: at least 2.
    Returns (n, latent). Why no straight line: a draw from N(0, I) is about √latent long,
    and so is all of the arc; the middle of the straight line has only √½ of that, where
    the decoder has hardly been. (Shoemake 1985; White 2016, arXiv:1609.04468.)
    """
    t = torch.linspace(0, 1, n)[:, None]                                # (n, 1)
    cosine = (z0 @ z1) / (z0.norm() * z1.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if angle < 1e-3:                                                    # a straight arc
        return (1 - t) * z0 + t * z1
    return (torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)


_ARC = "(torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)"

interpolate.mistake(
    "a straight line", f"return {_ARC}", "return (1 - t) * z0 + t * z1",
    "This is the straight line. Between two draws from N(0, I) its middle is too close to the origin: √½ of the "
    "length of either, and in many dimensions N(0, I) puts next to nothing there.")
interpolate.mistake(
    "parallel codes go wrong", "if angle < 1e-3:", "if False:",
    "Right in general, but where z0 and z1 point the same way sin θ is 0 and the formula 0/0 (or rounding makes the "
    "cosine more than 1, and the arc cosine NaN). Clamp the cosine, and take the straight line there.")
interpolate.mistake(
    "the ends are not included", "torch.linspace(0, 1, n)", "torch.linspace(0, 1, n + 2)[1:-1]",
    "The n codes lie between the ends. The first is to be z0, the last z1.")
interpolate.mistake(
    "the last end is missing", "torch.linspace(0, 1, n)", "(torch.arange(n) / n)",
    "The last code is not z1: n values from 0 to 1, both included, have n - 1 steps between them.")
interpolate.mistake(
    "the first end is missing", "torch.linspace(0, 1, n)", "(torch.arange(1, n + 1) / n)",
    "The first code is not z0: t starts at 0.")
interpolate.mistake(
    "from z1 to z0", "torch.linspace(0, 1, n)", "torch.linspace(1, 0, n)",
    "The way runs backwards: at t = 0 stands z0.")
interpolate.mistake(
    "the lengths are left out of the angle",
    "(z0 @ z1) / (z0.norm() * z1.norm())", "z0 @ z1",
    "The arc cosine is taken of the scalar product itself. That is the cosine of the angle only for vectors of "
    "length 1: divide by both lengths.")
interpolate.mistake(
    "degrees", "torch.acos(cosine.clamp(-1, 1))", "torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))",
    "The angle is in degrees; `torch.sin` takes radians.")
interpolate.mistake(
    "the cosine taken for the angle", "torch.acos(cosine.clamp(-1, 1))", "cosine.clamp(-1, 1)",
    "The cosine is used as the angle: its arc cosine is due.")
interpolate.mistake(
    "cosines for sines", _ARC, "(torch.cos((1 - t) * angle) * z0 + torch.cos(t * angle) * z1) / torch.cos(angle)",
    "The weights are cosines. At t = 0 the weight of z1 is to be 0: sines.")
interpolate.mistake(
    "not divided by sin θ", " / torch.sin(angle)", "",
    "The division by sin θ is missing: at the ends the codes are not z0 and z1.")
interpolate.mistake(
    "always a right angle", "torch.acos(cosine.clamp(-1, 1))", "torch.acos(0 * cosine)",
    "The angle is taken as 90° always. For draws in many dimensions that is nearly so, but not for codes in "
    "general: compute it.")
interpolate.mistake(
    "put on the unit sphere", _ARC,
    "(torch.sin((1 - t) * angle) * z0 / z0.norm() + torch.sin(t * angle) * z1 / z1.norm()) / torch.sin(angle)",
    "The codes are of length 1: z0 and z1 were normalised and never given their lengths back. Only the angle takes "
    "normalised vectors; the formula takes z0 and z1 as they are.")
interpolate.mistake(
    "directions and lengths apart", _ARC,
    "(torch.sin((1 - t) * angle) * z0 / z0.norm() + torch.sin(t * angle) * z1 / z1.norm()) / torch.sin(angle)"
    " * ((1 - t) * z0.norm() + t * z1.norm())",
    "A sensible way, but not this one: the direction moves on the great circle, the length by itself in equal steps. "
    "The formula weighs z0 and z1 as they are, which is the same only for equal lengths.")
interpolate.mistake(
    "a straight line pushed out", _ARC,
    "((1 - t) * z0 + t * z1) / ((1 - t) * z0 + t * z1).norm(dim=1, keepdim=True)"
    " * ((1 - t) * z0.norm() + t * z1.norm())",
    "A straight line, whose points are then given the right length. It runs along the arc, but faster in the middle "
    "than at the ends: equal steps of the angle are asked for.")
interpolate.mistake(
    "square roots as weights", _ARC, "(1 - t).sqrt() * z0 + t.sqrt() * z1",
    "The weights are √(1 - t) and √t. They keep the length where the angle is 90°, but the steps are not equal, and "
    "at other angles the length changes.")
interpolate.mistake(
    "the weights swapped", _ARC, "(torch.sin(t * angle) * z0 + torch.sin((1 - t) * angle) * z1) / torch.sin(angle)",
    "The weights have changed places: at t = 0 that of z0 is 1.")
interpolate.mistake(
    "transposed", f"return {_ARC}", f"return ({_ARC}).T",
    "The answer is (latent, n): a code is a row, so (n, latent).")
interpolate.mistake(
    "one code too many", "torch.linspace(0, 1, n)", "torch.linspace(0, 1, n + 1)",
    "There is one code too many: n codes, not n steps.")


def _parallel(result) -> bool:
    return result.case.label is not None and result.case.label.startswith(("z0 =", "z1 ="))


@interpolate.symptom("parallel codes go wrong", errors_too=True)
def _(results):
    return all(r.right for r in results if not _parallel(r))


@interpolate.symptom(
    "the ends are not z0 and z1",
    "The first code is to be z0 and the last z1, whatever lies between.")
def _(results):
    return any(not torch.allclose(r.value[[0, -1]], torch.stack(r.case.arguments[:2]).double(), atol=1e-3)
               for r in usable(results) if not _parallel(r))


@interpolate.symptom(
    "obtuse angles go wrong",
    "Right where the angle is at most 90°, wrong where it is more: the cosine is negative there, and the arc cosine "
    "must be taken of it with its sign.")
def _(results):
    def obtuse(r):
        return r.case.arguments[0] @ r.case.arguments[1] < -1e-6

    return all(r.right != obtuse(r) for r in results if r.case.arguments[2] > 2)


def _on_the_unit_circle(results):
    """The lengths of the codes between two unit vectors at a right angle."""
    return results[0].value.norm(dim=1) if usable(results[:1]) else torch.zeros(1).double()


@interpolate.symptom(
    "too short in the middle",
    "The ends are right, but the codes between are too close to the origin: on the arc between two vectors of equal "
    "length every code has that length. A straight line is too short there, and so is the formula with too small an "
    "angle.")
def _(results):
    return bool(usable(results[:1])) and bool((_on_the_unit_circle(results) < 0.97).any())


@interpolate.symptom(
    "uneven steps",
    "The ends are right, and so is the length on the way, but the codes are not where they should be: from each to "
    "the next the angle is the same, on the shorter arc.")
def _(results):
    return not results[0].right and torch.allclose(_on_the_unit_circle(results), torch.ones(()).double(), atol=1e-3)


@interpolate.symptom(
    "off the arc",
    "The ends are right, the codes between are not: are the weights sin((1 - t)·θ) / sin θ and sin(t·θ) / sin θ, "
    "with θ in radians, from 0 to π?")
def _(results):
    return len(usable(results)) == len(results)


# 7

def _units(n: int, variances, offsets, seed: int) -> Tensor:
    """Columns with exactly these variances and means."""
    x = normal(n, len(variances), seed=seed)
    x = (x - x.mean(0)) / x.std(0, unbiased=False)
    return x * torch.tensor(variances).sqrt() + torch.tensor(offsets)


@exercise(
    minutes=5,
    difficulty="easy",
    hints=(
        "A unit carries something if its mean m_j(x) changes from image to image. A unit that always says the same "
        "carries nothing, whatever it says.",
        "How much m_j changes is its variance over the data: of every column of `means`, over the rows.",
        "`means.var(0)` has one number for each dimension; compare it with the threshold.",
    ),
    cases=(
        Case(_units(200, [1.0, 0.013, 0.04, 0.0025, 0.007, 0.0, 0.0, 0.09],
                    [0.0, 2.0, 0.0, -1.0, 3.0, 1.0, 0.0, -5.0], seed=111)),
        Case(_units(200, [1.0, 0.013, 0.04, 0.0025, 0.007, 0.0, 0.0, 0.09],
                    [0.0, 2.0, 0.0, -1.0, 3.0, 1.0, 0.0, -5.0], seed=112), 0.5),
        Case(_units(6, [0.0, 0.5, 0.0004, 0.5, 0.0, 0.002], [1.0, 0.0, 0.0, -1.0, 0.3, 0.0], seed=113)),
        Case(_units(30, [0.0004, 0.00001, 0.0, 2.0], [0.5, 0.0, -2.0, 0.0], seed=114), 0.0001),
        Case(_units(50, [0.0, 0.001, 0.0001], [0.0, 0.4, -0.4], seed=115), label="a code that has collapsed"),
        Case(_units(40, [0.5, 0.3, 4.0], [0.0, 0.0, 0.0], seed=116), label="a code that is all alive"),
        Case(_units(1000, [3.0, 0.0, 0.05, 0.003], [0.0, 0.0, -0.5, 0.05], seed=117)),
        Case(_units(60, [(0.002, 0.2)[some(0, 1, seed=seed)] for seed in range(20)], [0.3] * 20, seed=118)),
    ),
)
def active_units(means: Tensor, threshold: float = 0.01) -> Tensor:
    """Which dimensions of the code are in use: those whose posterior mean moves with x.

    means: (N, latent), the mean of q(z|x) for each of N examples.
    A dimension is active if the variance of its mean over the data is above the threshold
    (divided by N or by N - 1, as you like). Returns (latent,) booleans.
    """
    return means.var(0) > threshold


active_units.mistake(
    "the variance over the dimensions", "means.var(0)", "means.var(1)",
    "The variance is taken over the dimensions of each code, and there is one answer for each example. It is taken "
    "over the data, the first axis.")
active_units.mistake(
    "one variance for everything", "means.var(0)", "means.var()",
    "There is one variance for the whole tensor. Every dimension has its own.")
active_units.mistake(
    "the standard deviation in place of the variance", "means.var(0)", "means.std(0)",
    "The standard deviation is compared with the threshold, the variance is due: the standard deviation of a quiet "
    "unit, 0.05 for instance, is above 0.01 though its variance is not.")
active_units.mistake(
    "the mean in place of the variance", "means.var(0)", "means.mean(0)",
    "The mean over the data is compared with the threshold. A unit that always says 1 carries nothing: it is its "
    "variance that counts.")
active_units.mistake(
    "the size in place of the variance", "means.var(0)", "means.abs().mean(0)",
    "How large the means are is compared with the threshold. A unit that always says 1 carries nothing: it is the "
    "variance over the data that counts.")
active_units.mistake(
    "the squares are not centred", "means.var(0)", "means.square().mean(0)",
    "This is the mean square. For the variance the average of the column is subtracted first: a unit that always says "
    "1 has variance 0.")
active_units.mistake(
    "summed instead of averaged", "means.var(0)", "(means - means.mean(0)).square().sum(0)",
    "The squared deviations are summed over the data and never divided by their number: with enough data every unit "
    "would count as active.")
active_units.mistake(
    "the range in place of the variance", "means.var(0)", "(means.amax(0) - means.amin(0))",
    "The range, largest less smallest, is compared with the threshold. It is the variance that is due.")
active_units.mistake(
    "one example is enough", "means.var(0) > threshold", "(means.abs() > threshold).any(0)",
    "A unit counts as active as soon as one of its means is away from 0. It is the variance over the data that "
    "counts.")
active_units.mistake(
    "the inactive ones", " > threshold", " < threshold",
    "These are the units that are not active: their variance is to be above the threshold.")
active_units.mistake(
    "the threshold is written in", "> threshold", "> 0.01",
    "Right for a threshold of 0.01 only: the function does not look at `threshold`.")
active_units.mistake(
    "how many instead of which", "return means.var(0) > threshold", "return (means.var(0) > threshold).sum()",
    "This is how many units are active. Which ones is asked for: a yes or no for every dimension.")
active_units.mistake(
    "their numbers instead of yes or no",
    "return means.var(0) > threshold", "return (means.var(0) > threshold).nonzero().flatten()",
    "These are the numbers of the active units. A yes or no for every dimension is asked for.")
active_units.mistake(
    "variances instead of yes or no", "return means.var(0) > threshold", "return means.var(0)",
    "These are the variances themselves. Compare them with the threshold: a yes or no for every dimension is asked "
    "for.")
active_units.mistake(
    "the share of the variance", "means.var(0) > threshold", "means.var(0) / means.var(0).sum() > threshold",
    "Each variance is compared with the total of all. The threshold is absolute: in a code that has collapsed no unit "
    "is active.")


def _yes_or_no(results):
    return [(r.value, r.case.arguments[0]) for r in usable(results)]


@active_units.symptom(
    "something else than yes or no",
    "Some of your numbers are neither 0 nor 1: compare the variances with the threshold, and return the booleans.")
def _(results):
    return any(((value != 0) & (value != 1)).any() for value, _ in _yes_or_no(results))


@active_units.symptom(
    "a constant unit is active",
    "A unit whose mean is the same for all examples counts as active in your answer. It tells nothing about x: its "
    "variance is 0.")
def _(results):
    return any(value[means.var(0) < 1e-9].any() for value, means in _yes_or_no(results))


@active_units.symptom(
    "the threshold is missed",
    "Some units are on the wrong side of the threshold. What is compared is the variance over the data, not its root, "
    "and with `threshold`, whatever it is.")
def _(results):
    return len(usable(results)) == len(results)
