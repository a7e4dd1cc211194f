"""The examples in docstrings are what they say, in every room, and each class that a room hands to a reader has one."""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import gencourse
from gencourse import claims, data, exercises, metrics, models, study, training

ROOMS = (claims, data, exercises, metrics, models, study, training)
CLASSES = {
    value
    for room in ROOMS
    for name in getattr(room, "__all__", ())
    if inspect.isclass(value := getattr(room, name)) and not issubclass(value, Exception)
}
MODULES = [name for _, name, _ in pkgutil.walk_packages(gencourse.__path__, "gencourse.") if "__main__" not in name]


def run(thing):
    """Failures and attempts of the examples of a module or a class."""
    outcome = [0, 0]
    for test in doctest.DocTestFinder(exclude_empty=True).find(thing):
        result = doctest.DocTestRunner(verbose=False).run(test)
        outcome = [outcome[0] + result.failed, outcome[1] + result.attempted]
    return outcome


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    if name.startswith("gencourse.grading"):
        pytest.importorskip("nbgrader")
    failed, _ = run(import_module(name))
    assert failed == 0


@pytest.mark.parametrize("thing", sorted(CLASSES, key=lambda each: each.__qualname__), ids=lambda each: each.__name__)
def test_every_class_that_a_reader_imports_has_an_example(thing):
    assert run(thing)[1] >= 1


def test_a_wrong_example_is_found():
    class Wrong:
        """
        >>> 1 + 1
        3
        """

    assert run(Wrong) == [1, 1]
