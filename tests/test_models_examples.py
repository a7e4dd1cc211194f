"""What the models say of themselves: examples that hold, in every public class, and the types of all arguments."""

import ast
import inspect
import pkgutil
import time
from importlib import import_module
from pathlib import Path

import pytest
import torch
from test_examples import run

from gencourse import models

MODULES = [name for _, name, is_package in pkgutil.walk_packages(models.__path__, "gencourse.models.")]
CLASSES = [value for name in models.__all__ if inspect.isclass(value := getattr(models, name))]


@pytest.mark.parametrize("model", CLASSES, ids=lambda model: model.__name__)
def test_every_public_class_has_an_example_that_is_quick_and_always_the_same(model):
    for seed in range(2):
        torch.manual_seed(seed)
        began = time.process_time()
        failed, attempted = run(model)
        assert attempted >= 2 and failed == 0
    assert time.process_time() - began < 0.1, "the second time, when all is compiled and loaded"


# -- types -------------------------------------------------------------------------------------------------------


def without_types(source):
    """Public functions and methods, constructors too, that leave out the type of an argument or of their value."""
    tree = ast.parse(source)
    scopes = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for function in (node for scope in scopes for node in scope.body if isinstance(node, ast.FunctionDef)):
        if function.name.startswith("_") and function.name not in ("__init__", "__call__"):
            continue
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bare = [a.arg for a in arguments if a and a.annotation is None and a.arg not in ("self", "cls")]
        if bare or (function.returns is None and function.name != "__init__"):
            yield function.name


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_of_a_model_says_its_types(name):
    assert list(without_types(Path(inspect.getfile(import_module(name))).read_text(encoding="utf-8"))) == []


def test_a_type_that_is_left_out_is_found():
    source = "class A:\n    def __init__(self, x): ...\n    def f(self): ...\n    def g(self) -> int: ..."
    assert list(without_types(source)) == ["__init__", "f"]
