"""What a training asks of its arguments, and of the losses on its way."""

import math
import numbers
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from gencourse.support.checks import check_choice, positive_integer
from gencourse.support.errors import WrongValue
from gencourse.support.files import writable
from gencourse.training.history import Keep

Anneal = Literal["none", "cosine", "exponential"]


# -- what is trained, and on what ------------------------------------------------------------------------------


def check_model(model: Any) -> None:
    """A module with a `loss` and weights to train, or a TypeError / ValueError."""
    if not isinstance(model, nn.Module) or not callable(getattr(model, "loss", None)):
        raise TypeError(f"model is of type {type(model).__name__}; expected a torch.nn.Module with a method `loss`")
    _check_weights(model)


def check_gan(gan: Any) -> None:
    """A module with two players, each with weights to train, and the methods of their game; or an error, as above."""
    players = [getattr(gan, name, None) for name in ("generator", "discriminator")]
    methods = [getattr(gan, name, None) for name in ("noise", "judge", "generator_loss")]
    if not all(isinstance(p, nn.Module) for p in (gan, *players)) or not all(map(callable, methods)):
        raise TypeError(
            f"gan is of type {type(gan).__name__}; expected a torch.nn.Module with the players `generator` "
            "and `discriminator` and the methods `noise`, `judge` and `generator_loss`"
        )
    for player in players:
        _check_weights(player)


def _check_weights(model: nn.Module) -> None:
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"this {type(model).__name__} has no weights to train")
    if any(t.is_inference() for t in (*model.parameters(), *model.buffers())):
        raise ValueError(
            f"the weights of this {type(model).__name__} were made under torch.inference_mode(), where "
            "PyTorch makes what can never be trained; build the model outside of it"
        )


def check_data(x: Any, condition: Any) -> None:
    """Finite examples (N, …), N at least 1, and if classes are given, N of them; or a TypeError / ValueError."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is of type {type(x).__name__}; expected a torch.Tensor of examples (N, …)")
    if x.dim() == 0 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected at least one example")
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; clean the data first")
    if condition is not None and not isinstance(condition, Tensor):
        raise TypeError(f"condition is of type {type(condition).__name__}; expected a torch.Tensor of N classes")
    if condition is not None and (condition.dim() == 0 or len(condition) != len(x)):
        raise ValueError(f"condition has shape {tuple(condition.shape)}; expected one entry for each of {len(x)} in x")


# -- numbers and names -----------------------------------------------------------------------------------------


def checked_batch_size(value: Any, x: Tensor) -> int:
    """An integer from 1 to the number of examples."""
    value = positive_integer("batch_size", value)
    if value > len(x):
        raise ValueError(f"batch_size is {value}, but x has only {len(x)} examples; expected at most as many")
    return value


def checked_lr(value: Any) -> float:
    """A step size: positive and finite."""
    return _number("lr", value, "a positive number such as 0.003", lambda lr: 0 < lr < math.inf)


def checked_decay(value: Any) -> float:
    """The decay of a moving average, in [0, 1)."""
    return _number("average", value, "a decay in [0, 1), such as 0.999", lambda decay: 0 <= decay < 1)


def checked_clip(value: Any) -> float:
    """The largest norm of a gradient: positive, and perhaps infinite."""
    return _number("clip", value, "a positive norm, such as 1 (math.inf for none)", lambda clip: clip > 0)


def checked_muon(value: Any) -> float:
    """The step size of Muon: finite, or 0 for Adam alone."""
    return _number("muon", value, "a step size such as 0.02, or 0 for Adam alone", lambda muon: 0 <= muon < math.inf)


def checked_betas(betas: Any) -> tuple[float, float]:
    """The decays of Adam's two moments, both in [0, 1)."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas is {betas!r}; expected a pair of numbers in [0, 1), such as (0.0, 0.99)")
    if not all(isinstance(b, numbers.Real) and 0 <= b < 1 for b in betas):
        raise ValueError(f"betas is {betas!r}; expected two numbers in [0, 1), such as (0.0, 0.99)")
    return float(betas[0]), float(betas[1])


def _number(name: str, value: Any, expected: str, accepted: Callable[[float], bool]) -> float:
    """The value as a float; NumPy's numbers are numbers, True and False are not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}; expected a number")
    if not accepted(float(value)):
        raise ValueError(f"{name} is {float(value):g}; expected {expected}")
    return float(value)


# -- how a run begins and ends ---------------------------------------------------------------------------------


def check_resuming(checkpoint: Any, resume: Any, kind: type) -> None:
    """A file that can be written, and the `kind` of History of a run that was interrupted; or an error, where given."""
    if resume is not None and not isinstance(resume, kind):
        raise TypeError(
            f"resume is of type {type(resume).__name__}; expected the {kind.__name__} of an interrupted run"
        )
    if resume is not None and resume.state is None:
        raise ValueError(f"resume is the {kind.__name__} of a run that was finished; there is nothing left to do")
    if checkpoint is None:
        return
    path = Path(checkpoint)
    if path.is_dir():
        raise WrongValue(f"checkpoint is the folder {path}; expected the name of a file")
    try:  # now, not after the first hour
        writable(path.parent)
    except OSError as error:
        raise WrongValue(f"checkpoint {path} cannot be written ({error}); give a file in another folder") from None


def check_stopping(keep: Any, measure: Any, minutes: Any) -> None:
    """What the model ends as, with a measure to choose by, and after how long; or a ValueError."""
    check_choice("keep", keep, get_args(Keep))
    if keep != "last" and measure is None:
        raise ValueError(f"keep is {keep!r}, but there is no measure to choose by; give measure= as well")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, numbers.Real) or not minutes > 0):
        raise WrongValue(f"minutes is {minutes!r}; expected a positive number, or None for all the time it takes")


# -- on the way ------------------------------------------------------------------------------------------------


def check_depends_on_weights(loss: Tensor) -> None:
    """A loss with a gradient, or a ValueError."""
    if not loss.requires_grad:
        raise ValueError(
            "the loss depends on no weight that can be trained; is `requires_grad` False for those it "
            "uses, or is it computed without gradients (torch.no_grad, detach)?"
        )


def check_finite(value: float, what: str, step: int, steps: int, lr: float) -> float:
    """The value, if it is finite; or a FloatingPointError that says what it is, and at which step."""
    if not math.isfinite(value):
        raise FloatingPointError(
            f"the {what} is {value} at step {step + 1} of {steps}; try a smaller lr (now {lr:g}), "
            "and look for NaN in the data"
        )
    return value
