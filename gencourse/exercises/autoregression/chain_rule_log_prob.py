"""The log-likelihood of a sequence of zeros and ones by the chain rule, in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def chain_rule_log_prob(x: Tensor, conditional) -> float:
    """The log-likelihood of a sequence of zeros and ones by the chain rule, in nats.

    x: (D,) integers, 0 or 1.
    conditional(prefix): takes the t values before, a tensor (t,), and gives
    P(x[t] = 1 | x[:t]), a tensor of shape (), strictly between 0 and 1.
    Returns one number, log P(x): a float or a tensor of shape ().
    """
    log_prob = 0.0
    for t in range(len(x)):
        p = conditional(x[:t])
        log_prob += math.log(p if x[t] == 1 else 1 - p)
    return log_prob


def _bits(n: int) -> Tensor:
    return torch.randint(0, 2, (n,), generator=seeded(n), device="cpu")


_WEIGHTS = torch.frac(0.37 * torch.arange(1, 3000, dtype=torch.float64) ** 1.5) + 0.1


def _probability(prefix) -> Tensor:
    """A P(next = 1 | prefix) that depends on every value before, on their order and on how many there are."""
    prefix = torch.as_tensor(prefix).reshape(-1).double()
    t = len(prefix)
    return (0.15 + 0.7 * torch.frac(0.41 + 0.23 * t + _WEIGHTS[:t] @ prefix)).float()


def _shows_the_product_underflows(results):
    *short, long = results
    return all(r.right for r in short) and (long.value is None or long.value.isinf().any())


exercise = Exercise(
    chain_rule_log_prob,
    minutes=8,
    difficulty="easy",
    hints=(
        "log P(x) is a sum with one term a value. Write the loop over t, from the first "
        "value to the last.",
        "`x[:t]` is what comes before x[t]; for t = 0 it is empty. `conditional(x[:t])` "
        "is the probability of a 1 at t. What is the probability of a 0?",
        "In the loop: `p = conditional(x[:t])`, then add `math.log(p)` if x[t] is 1, and "
        "`math.log(1 - p)` if it is 0.",
    ),
    cases=(
        Case(torch.tensor([1]), _probability),
        Case(torch.tensor([0]), _probability),
        Case(torch.tensor([0, 1]), _probability),
        Case(torch.tensor([1, 1, 0, 1]), _probability),
        Case(torch.zeros(6, dtype=torch.int64), _probability),
        Case(torch.ones(7, dtype=torch.int64), _probability),
        Case(_bits(9), _probability, label="a 3×3 image"),
        Case(_bits(1100), _probability, label="1,100 values"),
    ),
    mistakes=(
        Mistake(
            "the prefix holds the present",
            "p = conditional(x[:t])",
            "p = conditional(x[:t + 1])",
            "The value that is to be predicted is already in the prefix: what is "
            "conditioned on must end just before t.",
        ),
        Mistake(
            "zeros counted as ones",
            "p if x[t] == 1 else 1 - p",
            "p",
            "Each value contributes the probability of a 1, even where it is 0. What "
            "counts is the probability of what is there.",
        ),
        Mistake(
            "zeros and ones swapped",
            "x[t] == 1",
            "x[t] == 0",
            "`conditional` gives the probability of a 1; your answer uses it for the "
            "zeros.",
        ),
        Mistake(
            "the product underflows",
            "return log_prob",
            "return torch.tensor(log_prob).exp().log()",
            "Short sequences come out right, long ones do not: a product of so many "
            "probabilities is too small for a floating-point number and becomes 0. Take "
            "the logarithm of each factor, then add.",
        ),
        Mistake(
            "the mean in place of the sum",
            "return log_prob",
            "return log_prob / len(x)",
            "This is the mean over the values. The probability of the whole is a "
            "product, so its logarithm is a sum.",
        ),
        Mistake(
            "bits instead of nats",
            "math.log(p",
            "math.log2(p",
            "These are bits: the logarithm to base 2. Nats come from the natural "
            "logarithm.",
        ),
        Mistake(
            "the sign is turned",
            "log_prob += math",
            "log_prob -= math",
            "This is the negative log-likelihood, a loss. The log-likelihood itself is "
            "asked for: the logarithm of a probability is never above 0.",
        ),
        Mistake(
            "the first factor is missing",
            "range(len(x))",
            "range(1, len(x))",
            "The first value contributes nothing. It has a probability too: that of x[0] "
            "after an empty prefix.",
        ),
        Mistake(
            "the last factor is missing",
            "range(len(x))",
            "range(len(x) - 1)",
            "The last value contributes nothing: the loop ends one step early.",
        ),
        Mistake(
            "the prefix is always empty",
            "conditional(x[:t])",
            "conditional(x[:0])",
            "Every value is predicted from nothing, as if they were independent. Show "
            "`conditional` the values before.",
        ),
        Mistake(
            "only the last value is in the prefix",
            "conditional(x[:t])",
            "conditional(x[max(t - 1, 0):t])",
            "Each value is predicted from the one just before: a Markov chain. The chain "
            "rule conditions on all of them.",
        ),
        Mistake(
            "the prefix ends too early",
            "conditional(x[:t])",
            "conditional(x[:max(t - 1, 0)])",
            "The value just before t is not in the prefix: in Python `x[:t]` ends before "
            "t by itself.",
        ),
        Mistake(
            "the whole of x is shown",
            "conditional(x[:t])",
            "conditional(x)",
            "Each value is predicted from the whole of x, itself and its future "
            "included. That is no product of conditionals.",
        ),
        Mistake(
            "the future is shown",
            "conditional(x[:t])",
            "conditional(x[t + 1:])",
            "What is handed over comes after t, not before: `x[:t]` is the beginning of x.",
        ),
        Mistake(
            "the prefix is reversed",
            "conditional(x[:t])",
            "conditional(x[:t].flip(0))",
            "The prefix is handed over back to front: its first value must come first.",
        ),
        Mistake(
            "no logarithm",
            "return log_prob",
            "return math.exp(log_prob)",
            "This is the probability itself; its logarithm is asked for.",
        ),
    ),
    symptoms=(
        Symptom("the product underflows", _shows_the_product_underflows, errors_too=True),
        Symptom(
            "a log-probability above 0",
            lambda results: any(
                r.value is not None and r.value.numel() == 1 and r.value.item() > 1e-6
                for r in results
            ),
            "A logarithm of a probability is above 0 somewhere in your answer: a "
            "probability is at most 1, so its logarithm is at most 0.",
        ),
    ),
)
