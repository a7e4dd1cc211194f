"""The random numbers of a training: torch's global state, which is borrowed, and the turns of several threads."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

TURN = threading.RLock()  # to take one step: torch's global random state is one for all threads
_borrowed: list[dict[torch.Generator, Tensor]] = []  # what the runs under way found there, in the order they began


@contextlib.contextmanager
def global_randomness(seed: int, device: torch.device) -> Iterator[Callable[[int], None]]:
    """Borrow torch's global random state: `reseed(k)` has it begin at the k-th seed of the run; it is given back after.

    The k-th seed is seed + (k + 1)·2654435769 modulo 2^32 (more bits than these a CPU generator does not look at). The
    factor, 2^32 over the golden ratio, is odd, so that no two k share a seed, and large, so that they keep away from
    seed + epoch, the seeds of the batches. Some microseconds; `fork_rng` and `torch.manual_seed` take a hundred.
    """
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index])
    with TURN:
        mine = {generator: generator.get_state() for generator in generators}
        _borrowed.append(mine)

    def reseed(k: int) -> None:
        for generator in generators:
            generator.manual_seed((seed + (k + 1) * 2654435769) % 2**32)

    try:
        yield reseed
    finally:
        with TURN:
            _give_back(mine)


def _give_back(mine: dict[torch.Generator, Tensor]) -> None:
    """Set the states that one run found; or hand them to a run that began later and is still under way."""
    place = next(i for i, states in enumerate(_borrowed) if states is mine)
    for generator, state in mine.items():
        later = [states for states in _borrowed[place + 1 :] if generator in states]
        if later:  # a run in another thread, which gives back what it found: what was here before
            later[0][generator] = state
        else:
            generator.set_state(state)
    del _borrowed[place]
