"""Runs the reader's code: for a limited time, with its prints held back, and without a trace afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

import numpy as np
import torch

from gencourse.support.devices import made_on
from gencourse.support.output import plural

PRINT_LIMIT = 1000  # characters of the reader's prints that are kept


class Stopped(SystemExit):
    """Raised inside the reader's code when its time is up. `except Exception` does not catch it, and a thread
    that ends on a SystemExit ends silently."""


def run_limited(work: Callable[[], None], seconds: float) -> tuple[bool, str]:
    """Run `work()` in a thread of its own, for at most `seconds`; returns (did it finish?, what it printed).

    A thread can be stopped on every operating system and from every thread; a signal works in neither case.
    Code that does not react (a long sleep) is left behind, and the exception waits for it. Out of reach is
    only a single call into C that keeps Python's lock, such as `sum(itertools.count())`.
    """
    threads = torch.get_num_threads()
    done = threading.Event()  # not thread.join: a join that is interrupted takes the thread for ended (Python 3.11)

    def target() -> None:
        try:
            with contextlib.suppress(Stopped):
                work()
            if torch.get_num_threads() != threads:
                torch.set_num_threads(
                    threads
                )  # what new threads inherit; the caller's own never changed
        finally:
            done.set()

    thread = threading.Thread(target=target, daemon=True, name="an exercise being checked")
    with _prints_of(thread) as printed:
        thread.start()
        deadline = time.monotonic() + seconds
        try:
            while not done.is_set() and time.monotonic() < deadline:
                done.wait(
                    0.05
                )  # in short turns, so that it can be interrupted on Windows too
        finally:
            finished = done.is_set()
            if not finished:
                _stop(thread, done)
                torch.set_num_threads(threads)
            if done.is_set():
                thread.join(1)
    return finished, printed.text()


def _stop(thread: threading.Thread, done: threading.Event, patience: float = 1.0) -> None:
    """Raise Stopped in the thread, again and again: code may catch it and go on."""

    def poke_for(limit: float, pause: float) -> None:
        end = time.monotonic() + limit
        while (
            not done.is_set()
            and thread.ident in sys._current_frames()
            and time.monotonic() < end
        ):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped)
            )
            done.wait(pause)

    poke_for(patience, 0.01)
    if not done.is_set():
        threading.Thread(target=poke_for, args=(float("inf"), 0.5), daemon=True).start()


class _Prints:
    """Stands in for sys.stdout or sys.stderr: keeps the beginning of what one thread writes."""

    def __init__(self, original: TextIO, thread: threading.Thread, kept: list[str]) -> None:
        self.original, self.thread, self.kept = original, thread, kept
        self.length = 0

    def write(self, text: str) -> int:
        if threading.current_thread() is not self.thread:
            return self.original.write(text)
        if self.length < PRINT_LIMIT:
            self.kept.append(text[: PRINT_LIMIT - self.length])
        self.length += len(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def text(self) -> str:
        more = self.length - PRINT_LIMIT
        return "".join(self.kept) + (
            f"\n… and {plural(more, 'character')} more" if more > 0 else ""
        )


@contextlib.contextmanager
def _prints_of(thread: threading.Thread) -> Iterator[_Prints]:
    out, err = sys.stdout, sys.stderr
    prints = _Prints(out, thread, [])
    sys.stdout, sys.stderr = prints, _Prints(err, thread, [])
    try:
        yield prints
    finally:
        sys.stdout, sys.stderr = out, err


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Run what is inside as in a fresh Python, and give back the states of this one as they were.

    Inside, torch, numpy and warnings are set as they are when a kernel starts, except that warnings are silent and the
    random states fixed, so that the same answer draws the same verdict every time, whatever a notebook has set.
    Outside, nothing is seen of what code inside sets: random numbers, default dtype, printing, threads and the like.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    recursion_limit = sys.getrecursionlimit()
    with contextlib.ExitStack() as given_back:
        for getter, setter, usual in _SETTINGS:
            given_back.callback(setter, getter())
            setter(usual)
        given_back.enter_context(fresh())
        given_back.enter_context(torch._tensor_str.printoptions(profile="default"))
        given_back.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            random.seed(0)
            np.random.seed(0)
            torch.default_generator.manual_seed(0)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])
            if cuda is not None:
                torch.cuda.set_rng_state_all(cuda)
            sys.setrecursionlimit(recursion_limit)


def _determinism() -> tuple[bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


def _anomalies() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


# of the whole process: how each is read, how it is set, and what it is when a kernel starts
_SETTINGS = (
    (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    (
        _determinism,
        lambda state: torch.use_deterministic_algorithms(state[0], warn_only=state[1]),
        (False, False),
    ),
    (_anomalies, lambda state: torch.autograd.set_detect_anomaly(*state), (False, True)),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
)


@contextlib.contextmanager
def fresh() -> Iterator[None]:
    """The states of a fresh kernel once more, inside `untouched`: those of the calling thread, and the default dtype.

    The dtype is not given back here: a thread that is left behind would do so long after its time.
    """
    torch.set_default_dtype(torch.float32)
    with (
        made_on("cpu"),
        torch.autocast("cpu", enabled=False),
        torch.inference_mode(False),
        torch.enable_grad(),
        np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"),
    ):
        yield
