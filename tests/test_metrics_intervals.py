"""Intervals cover what they say, and say when nothing is known."""

import math

import pytest
import torch

from gencourse.metrics import Interval, mean_interval, median_interval, share_interval


def covered(interval, truth, draw, times=2000):
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(times):
        it = interval(draw(generator))
        hits += it.low <= truth <= it.high
    return hits / times


def test_the_interval_of_a_mean_covers_it_in_95_of_100_cases():
    share = covered(mean_interval, 0.0, lambda g: torch.randn(10, generator=g))
    assert 0.935 < share < 0.965


def test_the_interval_of_a_median_covers_it_whatever_the_tails():
    share = covered(median_interval, 0.0, lambda g: torch.randn(10, generator=g) / torch.randn(10, generator=g))
    assert 0.95 < share < 0.995  # of whole ranks: 97.9 % with ten values
    mean = mean_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 1e6])
    median = median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 1e6])
    assert mean.high - mean.low > 1e5 and median.high - median.low < 10
    assert median_interval([1.0] * 9 + [math.inf]).high == 1.0


def test_neighbours_that_are_alike_count_as_one():
    """Blocks of 40 equal values, as the digits of one writer: the naive interval covers the mean far too seldom."""

    def draw(generator):
        return torch.randn(30, generator=generator).repeat_interleave(40)

    naive, blocks = (covered(lambda x, b=b: mean_interval(x, b), 0.0, draw, 400) for b in (1, 40))
    assert naive < 0.4 and 0.92 < blocks < 0.98


def test_the_interval_of_a_share_never_leaves_zero_to_one():
    none = share_interval([False] * 20)
    assert none.value == 0 and none.low == pytest.approx(0) and 0.1 < none.high < 0.2 and none.n == 20
    assert share_interval(torch.tensor([True, False])).value == 0.5


@pytest.mark.parametrize("interval, values", [(mean_interval, [3.0]), (median_interval, [1, 2, 3, 4, 5])])
def test_too_few_values_tell_nothing_of_their_spread(interval, values):
    it = interval(values)
    assert (it.low, it.high) == (-math.inf, math.inf) and "its spread is not known" in str(it)


@pytest.mark.parametrize("interval", [mean_interval, median_interval, share_interval])
def test_no_values_are_refused(interval):
    with pytest.raises(ValueError, match="there is no value"):
        interval([])


@pytest.mark.parametrize("interval", [mean_interval, median_interval])
def test_what_is_no_number_is_refused(interval):
    with pytest.raises(ValueError, match="1 of 2 values are nan; expected finite numbers"):
        interval([1.0, math.nan])


def test_a_scaled_interval_keeps_its_ends_in_order():
    assert Interval(2, 1, 4, 7).scaled(-0.5) == Interval(-1, -2, -0.5, 7)
