"""What a training leaves behind: its losses, its measurements, its time, and where it was stopped."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

Keep = Literal["last", "lowest", "highest"]
Curve = Literal["loss_d", "loss_g", "d_real", "d_fake", "grad_norm_g"]


@dataclass
class History:
    """What a training run did.

    Attributes:
        loss: the loss of every step, nats per example.
        measured: (step, value) pairs of `measure`, if one was given.
        seconds: wall-clock time spent in training steps, over all resumptions.
        precision: "float32" or "bfloat16", that of the last step.
        interrupted: True if steps are left to do; give the History back as `resume` to do them.
        stopped: then a sentence that says so, "PixelCNN was stopped after step 120 of 600", else None.

    >>> history = History(loss=[3.0, 2.5])
    >>> len(history.loss), history.interrupted
    (2, False)
    """

    loss: list[float] = field(default_factory=list, repr=False)
    measured: list[tuple[int, float]] = field(default_factory=list, repr=False)
    seconds: float = 0.0
    precision: str = "float32"
    interrupted: bool = False
    stopped: str | None = None
    state: dict[str, Any] | None = field(default=None, repr=False)

    def smooth(self, window: int = 50) -> list[float]:
        """Mean of the last `window` losses at every step (fewer at the beginning)."""
        return running_means(self.loss, window)


@dataclass
class GANHistory:
    """What a contest did.

    Attributes:
        loss_d, loss_g: the losses of both players at every step, means over its updates, penalties included.
        d_real, d_fake: mean of D over data and over samples, as it was when D was about to move: probabilities (scores
            under a Wasserstein or hinge loss).
        grad_norm_g: norm of the gradient that the generator got.
        measured: (step, value) pairs of `measure`, if one was given; a value is a number or a dict of numbers.
        seconds: wall-clock time spent in training steps, over all resumptions.
        interrupted: True if steps are left to do; give the GANHistory back as `resume` to do them.
        stopped: then a sentence that says so, "digits was stopped after step 120 of 600", else None.

    >>> history = GANHistory(loss_d=[1.4], loss_g=[0.7])
    >>> len(history.loss_d) == len(history.loss_g)
    True
    """

    loss_d: list[float] = field(default_factory=list, repr=False)
    loss_g: list[float] = field(default_factory=list, repr=False)
    d_real: list[float] = field(default_factory=list, repr=False)
    d_fake: list[float] = field(default_factory=list, repr=False)
    grad_norm_g: list[float] = field(default_factory=list, repr=False)
    measured: list[tuple[int, float | dict[str, float]]] = field(default_factory=list, repr=False)
    seconds: float = 0.0
    interrupted: bool = False
    stopped: str | None = None
    state: dict[str, Any] | None = field(default=None, repr=False)

    def smooth(self, of: Curve = "loss_g", window: int = 50) -> list[float]:
        """Mean of the last `window` values of one of the lists at every step (fewer at the beginning)."""
        return running_means(getattr(self, of), window)


def best(measured: list[tuple[int, float]], keep: Keep) -> tuple[int, float] | None:
    """The measurement, as (step, value), that a run with `keep` ends with: the first of equals, never NaN."""
    finite = [pair for pair in measured if math.isfinite(pair[1])]
    if keep == "last" or not finite:
        return measured[-1] if measured else None
    return (min if keep == "lowest" else max)(finite, key=lambda pair: pair[1])


def running_means(values: list[float], window: int) -> list[float]:
    """At every place i the mean of values[i - window + 1 … i], of fewer at the beginning."""
    total = [0.0]
    for value in values:
        total.append(total[-1] + value)
    return [(total[i] - total[max(0, i - window)]) / min(i, window) for i in range(1, len(total))]
