"""What stands around the steps of a training: it measures, keeps the state in a file, and stops when it is asked to.

What a step does stands in `descent.fit` and `contest.fit_gan`. Both go through the steps like this:

    with training.under_way() as steps:
        for step in steps:
            with training.whole_step(what it may change before it cannot be given up any more):
                …                                 # may be given up by a second Ctrl-C, or an error
                training.hold_interrupts()
                …                                 # is done to the end
                training.record(loss=…)
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.support.devices import made_on
from gencourse.support.output import say
from gencourse.support.progress import progress
from gencourse.support.storage import write_state
from gencourse.training.average import averaged_at_rest
from gencourse.training.history import History, Keep, best
from gencourse.training.interrupts import AGAIN_SECONDS, Interrupts
from gencourse.training.randomness import TURN, global_randomness
from gencourse.training.state import Resumable, all_or_nothing

KEEP_SECONDS = 120  # between two writings of a run's state, at most

Measure = Callable[[nn.Module], float | dict[str, float]]


@dataclass(kw_only=True)
class Training(Resumable):
    """All of `fit` and `fit_gan` that is not a step.

    Args:
        measure, measure_every, keep, minutes, checkpoint, checkpoint_every, name: as in `fit`; `settings` has `steps`.
        begun: the state to go on from, or None.
        asked: Ctrl-C came already, before the first step.

    Raises:
        WrongValue: `begun` is the state of a run with other settings, or of another model.
    """

    name: str
    measure: Measure | None
    measure_every: int
    keep: Keep
    minutes: float | None
    checkpoint: str | Path | None
    checkpoint_every: int
    begun: InitVar[dict[str, Any] | None]
    asked: InitVar[bool]
    unwritten: bool = field(default=False, init=False)  # the disk was full at the last try
    given_up: bool = field(default=False, init=False)  # a step or a measurement was, by Ctrl-C

    def __post_init__(self, begun: dict[str, Any] | None, asked: bool) -> None:
        super().__post_init__()
        self.steps = self.settings["steps"]
        self.settings["keep"] = self.keep
        self.resumed = begun is not None
        if begun is not None:
            self.restore(begun)
        self.interrupts = Interrupts(asked)

    # -- the loop ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def under_way(self) -> Iterator[Iterator[int]]:
        """All steps that are left, or as many as there is time for; in the end the model, at rest, is what it is to be.

        Inside, Ctrl-C asks for an end, and torch's global random state is borrowed.

        Raises:
            KeyboardInterrupt: in the end, if Ctrl-C stopped this training and, just before, another one.
        """
        stopped_before, Interrupts.last = Interrupts.last, -math.inf
        self.bar = progress(total=self.steps, desc=self.name, unit="step", initial=self.step)
        self.end = math.inf if self.minutes is None else time.monotonic() + 60 * self.minutes
        randomness = global_randomness(self.seed, self.device)
        try:
            with self.interrupts, randomness as self.reseed, made_on(self.device):
                yield self._steps_left()
                by_hand = self.interrupts.asked
                self._finish()
        finally:
            self.bar.close()
            self.model.eval()
        if self.history.interrupted:
            say(self.farewell("" if by_hand else f", since its {self.minutes:g} minutes are over"))
        if self.history.interrupted and by_hand:
            Interrupts.last = time.monotonic()
            if not self.resumed and Interrupts.last - stopped_before < AGAIN_SECONDS:
                raise KeyboardInterrupt("two trainings in a row were stopped, and what comes after them with them")

    def _steps_left(self) -> Iterator[int]:
        """The numbers of the steps, from 0; between them, measurements and the writing of the state."""
        written = time.monotonic()
        while self.is_left() and not self.interrupts.asked and time.monotonic() < self.end:
            measuring = self.is_due()
            if measuring:
                self.take_measurement()
            else:
                yield self.step  # it is taken by who asked for it
            if self.given_up:
                return
            self.bar.set_postfix_str(self.news(), refresh=False)
            now = measuring or self.step % self.checkpoint_every == 0 or time.monotonic() - written > KEEP_SECONDS
            if now and self.checkpoint is not None and self.is_left():
                self.keep_state()
                written = time.monotonic()

    @contextlib.contextmanager
    def whole_step(
        self, tensors: Iterable[Tensor] = (), optimizers: Iterable[torch.optim.Optimizer] = ()
    ) -> Iterator[None]:
        """One step, whole or not at all: on an error, the tensors, optimisers and random numbers are what they were.

        Between `hold_interrupts` and the end of the step Ctrl-C waits; before it, a second one gives up the step.
        """
        with self._attempt(2 * self.step, tensors, optimizers):
            start = time.perf_counter()
            self.model.train()
            yield
            self.step += 1
            self.history.seconds += time.perf_counter() - start
            self.bar.update()

    def hold_interrupts(self) -> None:
        """From here on the step is done to its end, whatever Ctrl-C says."""
        self.interrupts.hold()

    def record(self, **values: float) -> None:
        """What this step adds to the lists of the History."""
        for key, value in values.items():
            getattr(self.history, key).append(value)

    @contextlib.contextmanager
    def _attempt(
        self, k: int, tensors: Iterable[Tensor] = (), optimizers: Iterable[torch.optim.Optimizer] = ()
    ) -> Iterator[None]:
        """What is done inside leaves no trace if it fails; by Ctrl-C it is `given_up`. It draws from the k-th seed."""
        with TURN:
            before = self.generator.get_state()
            self.reseed(k)
            try:
                with all_or_nothing(tensors, optimizers), self.interrupts.abandonable():
                    yield
            except BaseException as error:
                self.generator.set_state(before)  # nothing was done: the same numbers will be drawn again
                if not isinstance(error, KeyboardInterrupt):
                    raise
                self.interrupts.asked = self.given_up = True

    # -- measuring ---------------------------------------------------------------------------------------------

    def is_left(self) -> bool:
        """Whether there is a step or a measurement to come."""
        return self.step < self.steps or self.is_due()

    def is_due(self) -> bool:
        """Whether a measurement belongs to this step and is not made yet."""
        step, measured = self.step, self.history.measured
        now = step == self.steps or (self.measure_every and step and step % self.measure_every == 0)
        return bool(self.measure and now and (not measured or measured[-1][0] < step))

    def take_measurement(self) -> None:
        """Measure the (averaged) model; keep its weights, if it is the best so far and the best is asked for."""
        with self._attempt(2 * self.step + 1), averaged_at_rest(self.model, self.averaged):
            value = as_plain_numbers(self.measure(self.model))
        if self.given_up:
            return
        self.history.measured.append((self.step, value))
        if self.keep == "last":
            return
        if isinstance(value, dict):
            raise TypeError(f"measure gave {value}; to keep the {self.keep}, it must give one number")
        if best(self.history.measured, self.keep) == self.history.measured[-1]:
            weights = self.model.state_dict() | (self.averaged or {})
            self.best = {k: v.detach().clone() for k, v in weights.items()}

    # -- the end, and what is kept for another beginning -------------------------------------------------------

    def _finish(self) -> None:
        """The History says whether the run is whole, the state is kept, and the model becomes what it is to be."""
        history = self.history
        history.interrupted = self.is_left()
        if history.interrupted:
            history.state = self.present()
            history.stopped = f"{self.name} was stopped after step {self.step} of {self.steps}"
        if self.checkpoint is not None:
            self.keep_state()
        if self.best or self.averaged:
            self.model.load_state_dict(self.best or self.averaged, strict=False)

    def keep_state(self) -> None:
        """Write the state of the run. A disk that is full costs no training: that is said once, and tried again."""
        try:
            write_state(self.checkpoint, self.present())
            self.unwritten = False
        except OSError as error:
            if not self.unwritten:
                say(
                    f"{self.name}: the state after step {self.step} is not kept: {error}. The training goes on, and "
                    "tries it again later."
                )
            self.unwritten = True

    # -- what is said ------------------------------------------------------------------------------------------

    def news(self) -> str:
        """Smoothed losses, and the last measurement: "loss 86.41 measured 85.90"."""
        lists = {k: v for k, v in vars(self.history).items() if k.startswith("loss")}
        words = [f"{key} {sum(values[-50:]) / len(values[-50:]):.2f}" for key, values in lists.items() if values]
        if self.history.measured and isinstance(value := self.history.measured[-1][1], float):
            words.append(f"measured {value:.2f}")
        return " ".join(words)

    def farewell(self, why: str) -> str:
        """What an interruption means, and what to run next."""
        left = "it measured best" if self.best else "it was then"
        lines = [
            f"{self.name}: interrupted after step {self.step} of {self.steps} "
            f"({100 * self.step // self.steps} %){why}. The model is left as {left}."
        ]
        if self.checkpoint is not None and not self.unwritten:
            lines.append(f"To go on, make the same call again: it goes on from {self.checkpoint}.")
        else:
            call = "fit" if isinstance(self.history, History) else "fit_gan"
            lines.append(
                f"To go on, add resume=history to the same call: {call}(…, resume=history), "
                "where history is what this call returned."
            )
            lines.append("To start anew, build the model again first: in a notebook, run the cell that does.")
        if "ipykernel" in sys.modules:
            lines.append(
                "For shorter trainings, set effort = 0.1 at the top of a notebook of the course, and run it from there."
            )
        return "\n".join(lines)


def as_plain_numbers(value: Any) -> float | dict[str, float]:
    """What a measurement gave, a number or a dict of numbers, as Python's own floats."""
    return {str(k): float(v) for k, v in value.items()} if isinstance(value, dict) else float(value)
