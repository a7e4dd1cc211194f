"""Whatever a reader's kernel has set, right functions pass, and the kernel finds its settings as they were."""

import math
import os
import random
import subprocess
import sys
import textwrap
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pytest
import torch

from gencourse.exercises import autoregression, failures, gan, gmm, scoreboard, start, vae
from gencourse.exercises.machine.cases import Case, varied
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.sandbox import untouched

MODULES = (start, autoregression, gmm, vae, gan, failures, scoreboard)

STATES = {
    "float64": "torch.set_default_dtype(torch.float64)",
    "device": "torch.set_default_device('meta')",
    "inference": "enter(torch.inference_mode())",
    "no gradients": "torch.set_grad_enabled(False)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "anomalies": "torch.autograd.set_detect_anomaly(True)",
    "autocast": "enter(torch.autocast('cpu', torch.bfloat16))",
    "errors": "warnings.simplefilter('error'); np.seterr(all='raise')",
    "the rest": "torch.manual_seed(7); np.random.seed(7); random.seed(7); torch.set_num_threads(1)\n"
                "torch.set_printoptions(precision=0, threshold=1, sci_mode=True); np.set_printoptions(precision=0)\n"
                "torch.set_float32_matmul_precision('medium'); sys.setrecursionlimit(700)",
}  # fmt: skip


def settings():
    """All that a kernel can see of its own state."""
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "anomalies": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "precision": torch.get_float32_matmul_precision(),
        "recursion": sys.getrecursionlimit(),
        "numpy": (np.geterr(), np.get_printoptions()),
        "warnings": list(warnings.filters),
        "printing": torch._tensor_str.get_printoptions(),
        "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()),
    }


@contextmanager
def kernel(state):
    """A kernel in which a cell has set `state`; put right again at the end."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(np.errstate())
        stack.enter_context(np.printoptions())
        for getter, setter in (
            (torch.get_default_dtype, torch.set_default_dtype),
            (torch.get_num_threads, torch.set_num_threads),
            (sys.getrecursionlimit, sys.setrecursionlimit),
            (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
            (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
            (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
            (torch.is_grad_enabled, torch.set_grad_enabled),
        ):
            stack.callback(setter, getter())
        stack.callback(torch.set_default_device, None)
        stack.callback(torch.set_printoptions, profile="default")
        exec(state, globals() | {"enter": stack.enter_context})
        yield


@cache
def solved(one):
    """The reference's source, compiled as by somebody else."""
    return compile(one.solution_source, f"<{one.name}>", "exec")


def graded(module, whole):
    """Every exercise of a module, those of a whole model if asked, and the verdict on its solution compiled here."""
    for one in (thing for thing in vars(module).values() if isinstance(thing, Exercise)):
        if one.cases[0].holds is not None and not whole:
            continue
        scope = {"math": math, "torch": torch, "Tensor": torch.Tensor}
        exec(solved(one), scope)
        yield one, one.grade(scope[one.name], seconds=60)


@pytest.fixture(scope="module")
def variants():
    """Other inputs for all exercises, drawn, like those of the hidden tests, in a kernel that is not as usual."""
    with kernel(STATES["float64"]):
        return [varied(module, 7) for module in MODULES]


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_right_functions_pass_and_nothing_is_left_behind(state, variants):
    failed = []
    whole = state in (STATES["float64"], STATES["the rest"])  # they take longer than all others together
    with kernel(state):
        before = settings()
        for module in variants:
            failed += [f"{e.key}: {v}" for e, v in graded(module, whole) if not v.passed]
        after = settings()
    assert failed == []
    assert {name for name in before if before[name] != after[name]} == set()


def test_inputs_are_the_same_whatever_the_kernel_has_set():
    def inputs(module):
        return [
            tensor
            for thing in vars(module).values()
            if isinstance(thing, Exercise)
            for case in thing.cases
            for tensor in case.arguments
            if isinstance(tensor, torch.Tensor)
        ]

    usual = inputs(varied(vae, 3))
    for name in ("float64", "device", "inference", "no gradients", "the rest"):
        with kernel(STATES[name]):
            given = inputs(varied(vae, 3))
        for a, b in zip(usual, given, strict=True):
            assert a.dtype == b.dtype and a.device == b.device and a.is_inference() == b.is_inference(), name
            assert torch.equal(a, b), name


def test_a_notebook_that_sets_all_at_once_before_anything_is_imported():
    """Its own check passes, with the reference and with a function compiled here; and the kernel is left as it was."""
    script = f"""
        import math, random, sys, warnings
        import numpy as np, torch
        held = []
        enter = lambda context: (held.append(context), context.__enter__())
        {"; ".join(state.replace(chr(10), "; ") for state in STATES.values())}
        warnings.simplefilter("error")
        from gencourse.exercises import start, vae
        from gencourse.grading import mark
        ours = torch.get_default_dtype(), torch.get_default_device(), torch.is_inference_mode_enabled()
        for module in (start, vae):
            for exercise in [thing for thing in vars(module).values() if type(thing).__name__ == "Exercise"]:
                scope = {{"math": math, "torch": torch, "Tensor": torch.Tensor}}
                exec(exercise.solution_source, scope)
                assert exercise.grade(exercise.reference).passed, exercise.name
                assert exercise.check(scope[exercise.name]) is scope[exercise.name], exercise.name
                mark(exercise.key, scope[exercise.name], variant=5)
        assert ours == (torch.get_default_dtype(), torch.get_default_device(), torch.is_inference_mode_enabled())
        print(ours)
        """
    environment = os.environ | {"GENCOURSE_PASSED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.endswith("(torch.float64, device(type='meta'), True)\n")


# ------------------------------------------------------------------------- in which state a reader's function runs


def row_of_ones_times(x):
    """x times a row of ones."""
    return torch.ones(3) @ x


CASES = [Case(torch.eye(3)), Case(torch.ones(3, 3))]
product = Exercise(row_of_ones_times, minutes=1, difficulty="easy", cases=CASES)


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_function_runs_as_in_a_fresh_kernel(state):
    """So new tensors are float32, as the inputs are, and may be multiplied with them, whatever the notebook has set."""
    seen = []

    def fresh(x):
        seen.append(
            (
                torch.zeros(1).dtype,
                torch.zeros(1).device.type,
                torch.is_grad_enabled(),
                torch.is_inference_mode_enabled(),
                torch.is_autocast_enabled("cpu"),
                np.geterr()["divide"],
            )
        )
        np.zeros(1) / np.zeros(1)
        return torch.ones(3) @ x

    with kernel(state):
        assert product.grade(fresh).passed
    assert set(seen) == {(torch.float32, "cpu", True, False, False, "warn")}


def test_answers_of_any_dtype_are_compared_as_numbers():
    with kernel(STATES["float64"]):
        row = torch.ones(3)  # float64, made where the function is defined
        assert row.dtype == torch.float64
        assert product.grade(lambda x: row @ x.double()).passed
        assert product.grade(lambda x: torch.ones(3, dtype=torch.float64) @ x.double()).passed
        assert product.grade(lambda x: (row[:, None] * x).sum(0)).passed


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_what_a_function_sets_holds_for_that_call_alone(state):
    def sets(x):
        answer = torch.ones(3) @ x  # fails on the second input if the dtype or the device are still set
        held = []
        exec(state, globals() | {"enter": lambda context: (held.append(context), context.__enter__())})
        return answer

    with kernel(""):
        before = settings()
        assert product.grade(sets).passed
        after = settings()
    assert {name for name in before if before[name] != after[name]} == set()


def test_untouched_gives_back_what_an_error_left():
    before = settings()
    with pytest.raises(ZeroDivisionError), untouched():
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(5)
        torch.set_printoptions(precision=1)
        raise ZeroDivisionError
    after = settings()
    assert {name for name in before if before[name] != after[name]} == set()
