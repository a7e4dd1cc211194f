"""What a number is known to: 95 % confidence intervals over seeds, over images, of shares, of paired differences."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor

from gencourse.support.checks import positive_integer


class Interval(NamedTuple):
    """A measured number and the ends of its 95 % confidence interval.

    Here n is how many independent values it rests on: seeds, blocks of images, or trials. Where too few tell nothing
    of the spread, the ends are -inf and inf.

    >>> str(Interval(0.178, 0.151, 0.205, 10))
    '0.178 (0.151 to 0.205)'
    """

    value: float
    low: float
    high: float
    n: int = 1

    def __str__(self) -> str:
        return self.text()

    def text(self, form: str = ".3g") -> str:
        """The value, and the ends in brackets, each in the format `form`."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return f"{self.value:{form}} (its spread is not known)"
        if self.low == self.value == self.high:
            return f"{self.value:{form}}"
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"

    def scaled(self, factor: float) -> "Interval":
        """The interval of `factor` times the number.

        >>> Interval(2.0, 1.0, 3.0).scaled(-1)
        Interval(value=-2.0, low=-3.0, high=-1.0, n=1)
        """
        ends = sorted((self.low * factor, self.high * factor))
        return Interval(self.value * factor, *ends, self.n)


def mean_interval(values: Iterable[float] | Tensor, block: int = 1) -> Interval:
    """The mean of `values`, and Student's interval.

    For values that are alike in neighbours, such as the nats of images in the order of MNIST's files, where a writer's
    digits stand together: with `block` > 1 the means of so many consecutive values count as one value each (batch
    means; Law and Kelton, Simulation Modeling and Analysis, section 9.5.3). What is left over at the end counts in
    the mean, and not in the spread.

    values: numbers, or a tensor (N,). Raises ValueError where there is none, or one that is not finite.

    >>> str(mean_interval([1.0, 2.0, 3.0]))
    '2 (-0.484 to 4.48)'
    """
    from scipy import stats

    values, block = _numbers(values), positive_integer("block", block)
    mean = sum(values) / len(values)
    parts = [values[i : i + block] for i in range(0, len(values) - block + 1, block)]
    means, n = [sum(part) / block for part in parts], len(parts)
    if n < 2:
        return Interval(mean, -math.inf, math.inf, n)
    centre = sum(means) / n
    error = (sum((each - centre) ** 2 for each in means) / (n - 1) / n) ** 0.5
    half = float(stats.t.ppf(0.975, n - 1)) * error
    return Interval(mean, mean - half, mean + half, n)


def median_interval(values: Iterable[float] | Tensor) -> Interval:
    """The median of `values`, and the interval between two of them, in order, that covers it in 95 % of the cases.

    It assumes nothing about the distribution, and a few wild values do not move it. Below six values there is no such
    interval (David and Nagaraja, Order Statistics, section 7.1).

    values: numbers, or a tensor (N,). Raises ValueError where there is none, or one that is not a number; an
    infinite one is allowed.

    >>> median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 1000])
    Interval(value=5.5, low=2.0, high=9.0, n=10)
    """
    from scipy import stats

    values = sorted(_numbers(values, finite=False))
    n = len(values)
    lower, upper = values[(n - 1) // 2], values[n // 2]
    median = lower if lower == upper else (lower + upper) / 2  # infinite ones, too
    rank = int(stats.binom.ppf(0.025, n, 0.5))  # P(fewer than `rank` of the values lie below the true median) < 2.5 %
    if rank < 1:
        return Interval(median, -math.inf, math.inf, n)
    return Interval(median, values[rank - 1], values[n - rank], n)


def share_interval(yes: Iterable[bool] | Tensor) -> Interval:
    """The share of yes, and Wilson's interval.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927); Brown, Cai and DasGupta,
    "Interval estimation for a binomial proportion" (2001), section 3.1.1.

    yes: one truth value for each trial, or a boolean tensor (N,). Raises ValueError where there is none.

    >>> share_interval([True] * 9 + [False]).text(".0%")
    '90% (60% to 98%)'
    """
    from scipy import stats

    answers = [bool(each) for each in (yes.tolist() if isinstance(yes, Tensor) else yes)]
    if not answers:
        raise ValueError("there is no value; expected one at least")
    interval = stats.binomtest(sum(answers), len(answers)).proportion_ci(method="wilson")
    return Interval(sum(answers) / len(answers), float(interval.low), float(interval.high), len(answers))


def _numbers(values: Iterable[float] | Tensor, finite: bool = True) -> list[float]:
    numbers = [float(each) for each in (values.tolist() if isinstance(values, Tensor) else values)]
    if not numbers:
        raise ValueError("there is no value; expected one at least")
    wrong = [each for each in numbers if each != each or (finite and math.isinf(each))]
    if wrong:
        raise ValueError(f"{len(wrong)} of {len(numbers)} values are {wrong[0]}; expected finite numbers")
    return numbers
