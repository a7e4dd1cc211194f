"""Ctrl-C during a training: the first asks for an end after the step, the second gives up what runs."""

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from typing import Self

AGAIN_SECONDS = 10  # who stops two trainings in a row within this time means all that is to come


class Interrupts:
    """Ctrl-C, so that no step is left half done: the first asks to stop after the step, the second stops what runs.

    The second stops only what is `abandonable`; it waits as well while weights move or files are written. Outside the
    main thread signals are not ours.

    Attributes:
        asked: True as soon as Ctrl-C came.
        last: of the class, the time (`time.monotonic`) at which Ctrl-C stopped the training before.
    """

    last: float = -math.inf

    def __init__(self, asked: bool = False) -> None:
        self.asked, self.held = asked, True

    def __enter__(self) -> Self:
        self.ours = threading.current_thread() is threading.main_thread()
        if self.ours:
            self.previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self.ours:  # None: a handler that was not set in Python, and cannot be set back from there
            signal.signal(signal.SIGINT, signal.SIG_DFL if self.previous is None else self.previous)

    @contextlib.contextmanager
    def abandonable(self) -> Iterator[None]:
        """What is done inside may be stopped by a second Ctrl-C, as a KeyboardInterrupt, until `hold` is called."""
        self.held = False
        try:
            yield
        finally:
            self.held = True

    def hold(self) -> None:
        """From here on a second Ctrl-C waits like the first."""
        self.held = True

    def _ask(self, *_: object) -> None:
        again, self.asked = self.asked, True
        if again and not self.held:
            raise KeyboardInterrupt
