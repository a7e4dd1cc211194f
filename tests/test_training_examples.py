"""The examples in the docstrings of training are what they say."""

import doctest

import pytest

from gencourse.training import contest, descent


@pytest.mark.parametrize("module", [descent, contest], ids=lambda module: module.__name__)
def test_an_example_gives_what_it_shows(module):
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0
