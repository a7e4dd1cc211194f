"""Training: one plain loop, with everything that it did written down.

`fit` calls `model.loss` and nothing else of a model. It can be interrupted at any step and resumed to the same place
as a run that was not: the random numbers, the optimiser and the averaged weights are part of what is kept. Random
numbers that a loss draws without a generator, as a VAE's noise or dropout, are decided by the run and the step.
"""

import contextlib
import functools
import json
import math
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from .progress import progress
from .storage import differences, read_state, write_state

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass
class History:
    """What a training run did.

    Attributes:
        loss: the loss of every step, nats per example.
        measured: (step, value) pairs of `measure`, if one was given.
        seconds: wall-clock time spent in training steps, over all resumptions.
        precision: "float32" or "bfloat16".
        interrupted: True if steps are left to do; give the History back as `resume` to do them.
    """

    loss: list[float] = field(default_factory=list)
    measured: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    precision: str = "float32"
    interrupted: bool = False
    state: dict | None = field(default=None, repr=False)

    def smooth(self, window: int = 50) -> list[float]:
        """Mean of the last `window` losses at every step (fewer at the beginning)."""
        total = [0.0]
        for loss in self.loss:
            total.append(total[-1] + loss)
        return [(total[i] - total[max(0, i - window)]) / min(i, window) for i in range(1, len(total))]


def fit(
    model: nn.Module,
    x: Tensor,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float = 3e-3,
    condition: Tensor | None = None,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    average: float = 0.0,
    clip: float = 1.0,
    precision: str = "auto",
    generator: torch.Generator | None = None,
    measure: Callable[[nn.Module], float] | None = None,
    measure_every: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    resume: History | None = None,
    name: str = "training",
) -> History:
    """Minimise `model.loss` on random batches of x, in place.

    Adam; the step size rises linearly over the first 5 % of the steps and falls to zero on half a cosine.

    Args:
        x: (N, …) examples. condition: (N,) classes, given to `model.loss` as a second argument.
        steps: updates in all, those before an interruption included.
        lr: the largest step size.
        prepare: applied to every batch, with the generator: `binarise` draws new binary pixels each step.
        average: decay of an exponential moving average of the weights; if not 0, it is what the model ends with.
        clip: largest norm of the gradient.
        precision: "auto" takes bfloat16 with channels-last memory where the processor computes in it natively, else
            float32.
        generator: source of all randomness here; by default a new one with seed 0. What `model.loss`, `prepare` or
            `measure` draw without it comes from torch's global random state, which at every step and measurement starts
            from a seed made of the run's own and the number of the step. Whatever that state was does not matter, and
            in the end it is the same again.
        measure: called with the (averaged) model, at rest (`eval`), every `measure_every` steps and after the last one.
        checkpoint: file for the state of the run, written whole every `checkpoint_every` steps and when interrupted. If
            it is there, the run goes on from it.
        resume: History of an interrupted run, to go on from it without a file.
        name: label of the progress bar.

    Returns:
        the History. Interrupting the kernel (Ctrl-C) ends the loop after the current step and returns it as well; a
        second Ctrl-C gives up the step or the measurement that is running, to be made again on resuming.

    Raises:
        TypeError, ValueError: an argument that makes no sense, or a run to be resumed with other settings.
        FloatingPointError: the loss or its gradient is not finite; model and checkpoint stay as before that step.
    """
    generator = generator or torch.Generator().manual_seed(0)
    _check_model(model)
    _check_data(x, condition, batch_size)
    _check_numbers(steps, batch_size, lr, average, clip, measure_every, checkpoint_every)
    _check_run(precision, generator, checkpoint, resume)
    device = next(model.parameters()).device
    bfloat16 = precision == "bfloat16" or (precision == "auto" and native_bfloat16(device))
    history = History(precision="bfloat16" if bfloat16 else "float32")
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
    settings = dict(steps=steps, batch_size=batch_size, lr=lr, average=average, clip=clip, examples=len(x))
    settings["precision"] = history.precision

    step, shuffle_seed = 0, int(torch.randint(2**31, (), generator=generator, device=generator.device))
    averaged = {k: v.detach().clone() for k, v in model.named_parameters()} if average else None
    state = resume.state if resume is not None else read_state(checkpoint)
    if state is not None:
        step, shuffle_seed = _restore(state, settings, model, optimizer, averaged, generator, history)

    def due() -> bool:
        """Whether a measurement belongs to this step and is not made yet."""
        now = step == steps or (measure_every and step and step % measure_every == 0)
        return bool(measure and now and (not history.measured or history.measured[-1][0] < step))

    def present() -> dict:
        return _state(step, shuffle_seed, settings, model, optimizer, averaged, generator, history)

    model.to(memory_format=torch.channels_last if bfloat16 else torch.contiguous_format)
    bar = progress(total=steps, desc=name, unit="step")
    bar.update(step)
    try:
        with _Interrupts() as interrupts, _global_randomness(shuffle_seed, device) as reseed:
            while not interrupts.asked and (step < steps or due()):
                before, measuring = generator.get_state(), due()
                reseed(2 * step + measuring)  # a step, and the measurement that comes before it
                try:
                    interrupts.shielded = False
                    if measuring:
                        with _weights(model, averaged):
                            history.measured.append((step, float(measure(model))))
                        continue
                    start = time.perf_counter()
                    index = _batch(step, len(x), batch_size, shuffle_seed)
                    batch = x[index].to(device)
                    if prepare is not None:
                        batch = prepare(batch, generator)
                    given = () if condition is None else (condition[index].to(device),)
                    for group in optimizer.param_groups:
                        group["lr"] = lr * schedule(step, steps)
                    optimizer.zero_grad(set_to_none=True)
                    model.train()
                    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                        loss = model.loss(batch, *given)
                    value = _finite(loss.item(), "loss", step, steps, lr)
                    loss.backward()
                    norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
                    _finite(norm.item(), "norm of the gradient", step, steps, lr)
                except BaseException as error:
                    generator.set_state(before)  # nothing was done: the same numbers will be drawn again
                    if not isinstance(error, KeyboardInterrupt):
                        raise
                    break
                finally:
                    interrupts.shielded = True
                optimizer.step()
                step += 1
                if averaged is not None:
                    decay = min(average, (1 + step) / (10 + step))
                    with torch.no_grad():
                        for key, weight in model.named_parameters():
                            averaged[key].lerp_(weight, 1 - decay)
                history.loss.append(value)
                history.seconds += time.perf_counter() - start
                bar.update()
                bar.set_postfix_str(f"loss {value:.2f}", refresh=False)
                if checkpoint is not None and step % checkpoint_every == 0 and step < steps:
                    write_state(checkpoint, present())
            history.interrupted = step < steps or due()
            if history.interrupted:
                history.state = present()
            if checkpoint is not None:
                write_state(checkpoint, present())
            if averaged is not None:
                model.load_state_dict(averaged, strict=False)
    finally:
        bar.close()
        model.to(memory_format=torch.contiguous_format)
        model.eval()
    if history.interrupted:
        way = "call fit again with the same arguments" if checkpoint is not None else "give this History as resume="
        print(f"{name}: interrupted after step {step} of {steps}. To go on, {way}.")
    return history


def schedule(step: int, steps: int) -> float:
    """Share of the largest step size: linear over the first 5 %, then half a cosine down to zero."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def native_bfloat16(device: torch.device | str = "cpu") -> bool:
    """True if the device multiplies bfloat16 in hardware (AVX-512 BF16 or AMX on x86; CUDA says so itself)."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(capabilities.get(k) for k in ("avx512_bf16", "amx_bf16"))


# -- parts of fit ----------------------------------------------------------------------------------------------


def _check_model(model) -> None:
    if not isinstance(model, nn.Module) or not callable(getattr(model, "loss", None)):
        raise TypeError(f"model is of type {type(model).__name__}; expected a torch.nn.Module with a method `loss`")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"this {type(model).__name__} has no weights to train")


def _check_data(x, condition, batch_size) -> None:
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
    if isinstance(batch_size, int) and batch_size > len(x):
        raise ValueError(f"batch_size is {batch_size}, but x has only {len(x)} examples; expected at most as many")


def _check_numbers(steps, batch_size, lr, average, clip, measure_every, checkpoint_every) -> None:
    counts = dict(steps=steps, batch_size=batch_size, checkpoint_every=checkpoint_every, measure_every=measure_every)
    for key, value in counts.items():
        least = 0 if key == "measure_every" else 1
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{key} is {value!r}; expected an integer of at least {least}")
        if value < least:
            raise ValueError(f"{key} is {value}; expected at least {least}")
    for key, value in dict(lr=lr, average=average, clip=clip).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{key} is {value!r}; expected a number")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr is {lr}; expected a positive number such as 0.003")
    if not 0 <= average < 1:
        raise ValueError(f"average is {average}; expected a decay in [0, 1), such as 0.999")
    if not clip > 0:
        raise ValueError(f"clip is {clip}; expected a positive norm, such as 1 (math.inf for none)")


def _check_run(precision, generator, checkpoint, resume) -> None:
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {PRECISIONS}")
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator is {generator!r}; expected a torch.Generator")
    if resume is not None and not isinstance(resume, History):
        raise TypeError(f"resume is of type {type(resume).__name__}; expected the History of an interrupted run")
    if resume is not None and resume.state is None:
        raise ValueError("resume is the History of a run that was finished; there is nothing left to do")
    if checkpoint is not None:
        path = Path(checkpoint)
        if path.is_dir():
            raise ValueError(f"checkpoint is the folder {path}; expected the name of a file")
        try:  # now, not after the first hour
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise ValueError(f"checkpoint {path} cannot be written ({error}); give a file in another folder") from None


def _finite(value: float, what: str, step: int, steps: int, lr: float) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(
            f"the {what} is {value} at step {step + 1} of {steps}; try a smaller lr (now {lr:g}), "
            "and look for NaN in the data"
        )
    return value


def _batch(step: int, n: int, batch_size: int, seed: int) -> Tensor:
    """Indices of the batch of a step: every epoch is a new order, found again from the step alone."""
    epoch, place = divmod(step, n // batch_size)
    return _order(n, seed + epoch)[place * batch_size : (place + 1) * batch_size]


@functools.lru_cache(maxsize=1)
def _order(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


class _Interrupts:
    """Ctrl-C, so that no step is left half done: the first asks to stop after the step, the second stops what runs.

    While `shielded`, when weights or files are being written, the second waits as well. Outside the main thread signals
    are not ours.
    """

    def __init__(self):
        self.asked, self.shielded = False, True

    def __enter__(self):
        self.ours = threading.current_thread() is threading.main_thread()
        if self.ours:
            self.previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_):
        if self.ours:  # None: a handler that was not set in Python, and cannot be set back from there
            signal.signal(signal.SIGINT, signal.SIG_DFL if self.previous is None else self.previous)

    def _ask(self, *_):
        again, self.asked = self.asked, True
        if again and not self.shielded:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _global_randomness(run: int, device: torch.device):
    """Borrow torch's global random state: `reseed(k)` has it begin at the k-th seed of the run; it is given back after.

    The k-th seed is run + (k + 1)·2654435769 modulo 2^32 (more bits than these a CPU generator does not look at). The
    factor, 2^32 over the golden ratio, is odd, so that no two k share a seed, and large, so that they keep away from
    run + epoch, the seeds of the batches. Some microseconds; `fork_rng` and `torch.manual_seed` take a hundred.
    """
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index])
    states = [generator.get_state() for generator in generators]

    def reseed(k: int) -> None:
        for generator in generators:
            generator.manual_seed((run + (k + 1) * 2654435769) % 2**32)

    try:
        yield reseed
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextlib.contextmanager
def _weights(model: nn.Module, averaged: dict[str, Tensor] | None):
    """The model at rest with the averaged weights, for the time of a measurement."""
    model.eval()
    if averaged is None:
        yield
        return
    own = {k: v.detach().clone() for k, v in model.named_parameters()}
    model.load_state_dict(averaged, strict=False)
    try:
        yield
    finally:
        model.load_state_dict(own, strict=False)


def _state(step, shuffle_seed, settings, model, optimizer, averaged, generator, history) -> dict:
    tensors = {f"model.{k}": v.detach().clone() for k, v in model.state_dict().items()}
    for k, v in (averaged or {}).items():
        tensors[f"averaged.{k}"] = v.clone()
    for i, moments in optimizer.state_dict()["state"].items():
        for k, v in moments.items():
            tensors[f"optimizer.{i}.{k}"] = torch.as_tensor(v).clone()
    tensors["generator"] = generator.get_state()
    done = {"loss": history.loss, "measured": history.measured, "seconds": history.seconds}
    return json.loads(json.dumps(dict(step=step, shuffle_seed=shuffle_seed, settings=settings, history=done))) | {
        "tensors": tensors
    }


def _restore(state, settings, model, optimizer, averaged, generator, history) -> tuple[int, int]:
    if state["settings"] != settings:
        before = state["settings"]
        unlike = [f"{k} was {before.get(k)}, is {v}" for k, v in settings.items() if before.get(k) != v]
        raise ValueError(f"the run to be resumed had other settings: {'; '.join(unlike)}; give those, or start anew")
    parts = {"model": {}, "averaged": {}, "optimizer": {}}
    for key, tensor in state["tensors"].items():
        part, _, rest = key.partition(".")
        if part in parts:
            parts[part][rest] = tensor
    if unlike := differences(parts["model"], model.state_dict()):
        raise ValueError(f"the run to be resumed had another model ({unlike}); give that one, or start anew")
    model.load_state_dict(parts["model"])
    for k in averaged or {}:
        averaged[k].copy_(parts["averaged"][k])
    moments = {}
    for key, tensor in parts["optimizer"].items():
        i, k = key.split(".")
        moments.setdefault(int(i), {})[k] = tensor.clone()  # Adam writes into what it is given
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    generator.set_state(state["tensors"]["generator"])
    history.loss = list(state["history"]["loss"])
    history.measured = [tuple(pair) for pair in state["history"]["measured"]]
    history.seconds = state["history"]["seconds"]
    return state["step"], state["shuffle_seed"]
