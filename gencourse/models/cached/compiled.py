"""A WaveNet's sampling as a loop over samples, compiled: what `WaveNet.sample` runs on a CPU that has Numba.

`wavenet_stepper` computes each layer only where a sample is new. The arithmetic of a layer is then less than a
microsecond, and PyTorch needs several to start a single operation. Here the same arithmetic is written as plain loops
over numbers, for one sequence after the other, and Numba (numba.pydata.org) compiles them.
"""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from torch import Tensor

if numba.config.DISABLE_JIT:
    raise ImportError("Numba compiles nothing here: NUMBA_DISABLE_JIT is set")

SLICE_SECONDS = 0.1  # about so long runs what is compiled; between two slices Ctrl-C is heard


def compiled(function: Callable) -> Callable:
    """Compiled by Numba when it is first called; kept on the disk for the next time, if anything can be kept there."""
    options = dict(nogil=True, fastmath={"contract"})  # contract: a·b + c in one rounding
    with contextlib.suppress(RuntimeError, OSError):  # no folder that can be written
        return numba.njit(cache=True, **options)(function)
    return numba.njit(**options)(function)


@functools.cache
def ready() -> bool:
    """Whether `wavenet` can be compiled here; that is done now, by a call that samples nothing."""
    numbers = {n: np.zeros(n * (2,), np.float32) for n in range(1, 5)}
    places = np.zeros(2, np.int64)
    state = numbers[3], numbers[3]
    weights = places, places, numbers[2], numbers[1], numbers[4], numbers[3], numbers[2], *2 * (numbers[2], numbers[1])
    try:
        wavenet(np.zeros((2, 2), np.int64), numbers[2], *state, *weights, 0, 0, 0)
    except Exception:  # whatever it is, of Numba, of LLVM or of the disk: there is a way without them
        return False
    return True


def run(
    kernel: Callable[..., None],
    x: Tensor,
    noise: Tensor,
    state: tuple[np.ndarray, ...],
    weights: tuple[np.ndarray, ...],
    written: int,
    progress: Callable[[Iterable], Iterable] | None,
) -> None:
    """Fill x, (n, D) levels, from position `written` on: events are shared out among threads.

    Args:
        kernel: called as kernel(x, noise, *state, *weights, first, last, written), arrays of some of the events.
        state: arrays (n, …) that are read and written. weights: arrays that are read.
        progress: wraps the loop over positions, or None.
    """
    n, length = x.shape
    levels, random = x.numpy(), noise.numpy()
    shares = [slice(*ends) for ends in _shares(n, min(n, torch.get_num_threads()))]
    piece, last = 16, 0
    with ThreadPoolExecutor(len(shares)) as pool:
        for first in (progress or iter)(range(length)):
            if first == last:
                began, last = time.perf_counter(), min(first + piece, length)
                calls = [
                    pool.submit(kernel, levels[s], random[s], *(a[s] for a in state), *weights, first, last, written)
                    for s in shares
                ]
                for call in calls:
                    call.result()
                if time.perf_counter() - began < SLICE_SECONDS / 2:
                    piece *= 2


def _shares(n: int, parts: int) -> list[tuple[int, int]]:
    """Where each of the parts of n events begins and ends."""
    ends = [round(i * n / parts) for i in range(parts + 1)]
    return list(zip(ends, ends[1:]))


def array(tensor: Tensor) -> np.ndarray:
    """Contiguous float32, as the kernels expect."""
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


# -- what a layer does at one position -------------------------------------------------------------------------


@compiled
def add_product(out: np.ndarray, h: np.ndarray, weight: np.ndarray) -> None:
    """out += h @ weight: (out,), (in,), (in, out)."""
    fours = len(h) // 4 * 4
    for i in range(0, fours, 4):  # four rows at once: `out` is loaded and stored a quarter as often
        for j in range(len(out)):
            out[j] += (h[i] * weight[i, j] + h[i + 1] * weight[i + 1, j]) + (
                h[i + 2] * weight[i + 2, j] + h[i + 3] * weight[i + 3, j]
            )
    for i in range(fours, len(h)):
        for j in range(len(out)):
            out[j] += h[i] * weight[i, j]


@compiled
def rectify(h: np.ndarray) -> None:
    """h = max(h, 0), in place."""
    for i in range(len(h)):
        h[i] = max(h[i], np.float32(0))


@compiled
def logistic(a: np.float32) -> np.float32:
    """σ(a) = 1 / (1 + exp(-a))."""
    return np.float32(1) / (np.float32(1) + np.float32(math.exp(-a)))


@compiled
def sample_level(logits: np.ndarray, noise: np.float32) -> int:
    """Invert the cumulative distribution, as `base.sample_level` does; `logits` is written over."""
    largest, total = logits.max(), np.float32(0)
    for k in range(len(logits)):
        total += np.float32(math.exp(logits[k] - largest))
        logits[k] = total
    level = 0
    while logits[level] <= noise * total and logits[level] < total:
        level += 1
    return level


# -- WaveNet ---------------------------------------------------------------------------------------------------


@compiled
def wavenet(
    x: np.ndarray,
    noise: np.ndarray,
    rings: np.ndarray,
    bias: np.ndarray,
    starts: np.ndarray,
    dilations: np.ndarray,
    first: np.ndarray,
    first_bias: np.ndarray,
    taps: np.ndarray,
    out: np.ndarray,
    out_bias: np.ndarray,
    w1: np.ndarray,
    b1: np.ndarray,
    w2: np.ndarray,
    b2: np.ndarray,
    begin: int,
    end: int,
    written: int,
) -> None:
    """Samples `begin` to `end` of each sequence.

    Args:
        x: (n, T) levels. noise: (n, T) uniform. written: samples before this one are given.
        rings: (n, length of all rings, C): the last inputs of every layer; layer l's begin at starts[l].
        bias: (n, L, 2C), with the class. first: (taps, C). taps: (L, taps, C, 2C). out: (L, C, C + S), to the residual
            stream and to the sum of the skips. w1, b1, w2, b2: the head.
    """
    layers, n_taps, channels = taps.shape[:3]
    stream = np.empty(out.shape[2], np.float32)  # residual stream, then the sum of the skips
    gates, z = np.empty(2 * channels, np.float32), np.empty(channels, np.float32)
    hidden, logits = np.empty(len(b1), np.float32), np.empty(len(b2), np.float32)
    one, two, scale = np.float32(1), np.float32(2), np.float32(2 / (len(b2) - 1))
    for n in range(len(x)):
        for t in range(begin, end):
            stream[:channels], stream[channels:] = first_bias, 0
            for k in range(len(first)):
                if t - len(first) + k >= 0:
                    stream[:channels] += (x[n, t - len(first) + k] * scale - np.float32(1)) * first[k]
            for layer in range(layers):
                size = starts[layer + 1] - starts[layer]
                ring = rings[n, starts[layer] : starts[layer + 1]]
                ring[t % size] = stream[:channels]
                gates[:] = bias[n, layer]
                for k in range(n_taps):
                    past = t - (n_taps - 1 - k) * dilations[layer]
                    if past >= 0:
                        add_product(gates, ring[past % size], taps[layer, k])
                for j in range(channels):  # tanh(a) = 2σ(2a) - 1: the library's own takes three times as long
                    z[j] = (two * logistic(two * gates[j]) - one) * logistic(gates[channels + j])
                stream += out_bias[layer]
                add_product(stream, z, out[layer])
            if t >= written:
                skips = stream[channels:]
                rectify(skips)
                hidden[:] = b1
                add_product(hidden, skips, w1)
                rectify(hidden)
                logits[:] = b2
                add_product(logits, hidden, w2)
                x[n, t] = sample_level(logits, noise[n, t])
