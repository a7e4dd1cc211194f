"""The Bayesian information criterion, for full covariances: lower is better."""

from __future__ import annotations

import math

import torch

from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def bic(
    log_likelihood: float, n_components: int, n_features: int, n_examples: int
) -> float:
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


def _shows_the_parameters_are_miscounted(results):
    prices: dict = {}
    for r in _single(results):
        if r.case.arguments[3] > 1:
            prices.setdefault(r.case.arguments[1:3], []).append(
                _price(r) / math.log(r.case.arguments[3])
            )
        elif abs(_price(r)) > 1e-3:
            return False
    return len(prices) > 2 and all(max(each) - min(each) < 1e-3 for each in prices.values())


exercise = Exercise(
    bic,
    minutes=6,
    difficulty="easy",
    hints=(
        "Two parts: how badly the mixture fits, -2 log L, and a price for each number "
        "that was fitted, ln n. How many numbers are that?",
        "A component has a mean of D numbers and a covariance. A covariance is "
        "symmetric: how many of its D² numbers are free? And if all weights but one are "
        "known, what is the last?",
        "K - 1 weights, K·D means, and K·D·(D + 1) / 2 for the covariances.",
    ),
    cases=tuple(
        Case(*arguments, atol=1e-3, rtol=1e-6)
        for arguments in (
            (-120.0, 1, 1, 50),
            (-80.0, 1, 1, 50),
            (-120.0, 1, 1, 500),
            (-1000.0, 3, 2, 400),
            (-950.5, 3, 2, 400),
            (-1000.0, 3, 2, 4000),
            (-1000.0, 3, 5, 400),
            (-1000.0, 7, 2, 400),
            (-1000.0, 1, 6, 300),
            (2500.0, 4, 3, 1000),
            (-5.0, 2, 2, 1),
            (torch.tensor(-181000.0), 10, 50, 60000),
            (
                -float(integer(100, 5000, seed=1)),
                integer(2, 12, seed=2),
                integer(2, 12, seed=3),
                integer(50, 9000, seed=4),
            ),
        )
    ),
    mistakes=(
        Mistake(
            "all weights are free",
            "n_components - 1",
            "n_components",
            "One parameter too many: the weights sum to 1, so the last one follows from "
            "the others.",
        ),
        Mistake(
            "every entry of the covariances counts",
            "(n_features + 1) / 2",
            "n_features",
            "A covariance is counted with D² numbers: it is symmetric, so those below "
            "the diagonal are those above it.",
        ),
        Mistake(
            "the covariances are diagonal",
            "n_features * (n_features + 1) / 2",
            "n_features",
            "Only the variances are counted: these covariances are full matrices.",
        ),
        Mistake(
            "the covariances are round",
            "n_components * n_features * (n_features + 1) / 2",
            "n_components",
            "One number is counted for a covariance: these covariances are full matrices.",
        ),
        Mistake(
            "one covariance for all",
            "n_components * n_features * (n_features + 1) / 2",
            "n_features * (n_features + 1) / 2",
            "One covariance is counted for the whole mixture: every component has its own.",
        ),
        Mistake(
            "D numbers for each component are missing",
            "n_components * n_features\n",
            "0\n",
            "D numbers for each component are missing: the means, or else the diagonals "
            "of the covariances, which are free like the rest of them.",
        ),
        Mistake(
            "the weights are forgotten",
            "n_components - 1",
            "0",
            "The weights are not counted: all but one of them are free.",
        ),
        Mistake(
            "the covariances are forgotten",
            "n_components * n_features * (n_features + 1) / 2",
            "0",
            "The covariances are not counted: each has D·(D + 1) / 2 free numbers.",
        ),
        Mistake(
            "the components are the parameters",
            "(weights + means + covariances)",
            "n_components",
            "The price is paid for each component: it is due for each number that is "
            "fitted, and a component has many.",
        ),
        Mistake(
            "the likelihood's sign is turned",
            "return -2 * log_likelihood",
            "return 2 * log_likelihood",
            "The likelihood has the wrong sign: the better the fit, the lower the BIC.",
        ),
        Mistake(
            "the price is a reward",
            "log_likelihood + (",
            "log_likelihood - (",
            "Parameters are rewarded: each one is to make the BIC higher, that is, worse.",
        ),
        Mistake(
            "higher is better",
            "-2 * log_likelihood + (weights + means + covariances) * math",
            "2 * log_likelihood - (weights + means + covariances) * math",
            "This is the BIC with its sign turned, by which higher would be better. Both "
            "conventions exist; here lower is better.",
        ),
        Mistake(
            "half of it",
            "-2 * log_likelihood + (weights + means + covariances) * math",
            "-log_likelihood + (weights + means + covariances) / 2 * math",
            "This is half of the BIC. It ranks mixtures as the BIC does, but the number is "
            "not the one that others print.",
        ),
        Mistake(
            "the likelihood counts once",
            "-2 * log",
            "-1 * log",
            "The log-likelihood counts once: beside p ln n it counts twice.",
        ),
        Mistake(
            "AIC",
            "math.log(n_examples)",
            "2",
            "This is Akaike's criterion, with a price of 2 a parameter. In the BIC the "
            "price is ln n.",
        ),
        Mistake(
            "a logarithm to base 2",
            "math.log(n_examples)",
            "math.log2(n_examples)",
            "The price is log₂ n: with a log-likelihood in nats it is the natural "
            "logarithm.",
        ),
        Mistake(
            "a logarithm to base 10",
            "math.log(n_examples)",
            "math.log10(n_examples)",
            "The price is log₁₀ n: with a log-likelihood in nats it is the natural "
            "logarithm.",
        ),
        Mistake(
            "no logarithm of n",
            "math.log(n_examples)",
            "n_examples",
            "The price of a parameter is n: it is ln n, which grows much slower.",
        ),
        Mistake(
            "the logarithm of the parameters",
            "(weights + means + covariances) * math.log(n_examples)",
            "math.log(weights + means + covariances) * n_examples",
            "p and n have changed places: the price is p times the logarithm of n.",
        ),
        Mistake(
            "the likelihood taken for a mean",
            "-2 * log_likelihood",
            "-2 * n_examples * log_likelihood",
            "The log-likelihood is multiplied by n: it is the sum over all examples "
            "already.",
        ),
        Mistake(
            "the mean of the likelihood",
            "-2 * log_likelihood",
            "-2 * log_likelihood / n_examples",
            "The log-likelihood is divided by n: the sum over all examples belongs here, "
            "or the price drowns it.",
        ),
        Mistake(
            "all divided by n",
            "return -2 * log_likelihood + (weights + means + covariances) * "
            "math.log(n_examples)",
            "return (-2 * log_likelihood + (weights + means + covariances) * "
            "math.log(n_examples)) / n_examples",
            "This is the BIC for each example: the whole is asked for.",
        ),
        Mistake(
            "bits instead of nats",
            "return -2 * log_likelihood + (weights + means + covariances) * "
            "math.log(n_examples)",
            "return (-2 * log_likelihood + (weights + means + covariances) * "
            "math.log(n_examples)) / math.log(2)",
            "This is the BIC in bits: log L comes in nats, and ln n is in nats too.",
        ),
        Mistake(
            "another logarithm of the likelihood",
            "-2 * log_likelihood",
            "-2 * math.log(abs(log_likelihood))",
            "A logarithm is taken of the log-likelihood: it is a logarithm already.",
        ),
    ),
    symptoms=(
        Symptom(
            "the likelihood's part is wrong",
            lambda results: any(
                max(each) - min(each) > 1e-2 for each in _prices(results, slice(1, 4))
            ),
            "Two mixtures that differ in nothing but their log-likelihood do not differ "
            "by -2 times as much: look at the first part.",
        ),
        Symptom(
            "the parameters are miscounted",
            _shows_the_parameters_are_miscounted,
            "The likelihood's part is right, and the price grows with ln n: what is "
            "wrong is the number of parameters. One component in one dimension has two, "
            "a mean and a variance; how many are there in your count, and how many with "
            "two components?",
        ),
        Symptom(
            "the price does not go with ln n",
            lambda results: len(_single(results)) > 2,
            "The likelihood's part is right; the rest is not the number of parameters "
            "times the natural logarithm of n.",
        ),
    ),
)
