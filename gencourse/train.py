"""Training: one plain loop, with everything that it did written down, and what a step is for a model or a contest.

`fit` calls `model.loss` and nothing else of a model; `fit_gan` lets two players move in turn. Both can be interrupted
at any step and resumed to the same place as a run that was not: the random numbers, the optimisers and the averaged
weights are part of what is kept. Random numbers that a loss draws without a generator, as a VAE's noise or dropout, are
decided by the run and the step. Several trainings in threads of one process take turns, step by step, since those
numbers come from torch's global random state, which is one for all: each gives what it gives alone. Build models in one
thread, before: their first weights come from that state too.
"""

import contextlib
import functools
import json
import math
import numbers
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ._errors import WrongValue
from ._files import writable
from ._output import say
from .models.base import positive_integer
from .optim import Muon, hidden_matrices
from .progress import progress
from .storage import differences, read_state, write_state

PRECISIONS = ("auto", "float32", "bfloat16")
ANNEAL = ("none", "cosine", "exponential")
KEEP = ("last", "lowest", "highest")
KEEP_SECONDS = 120  # between two writings of a run's state, at most
AGAIN_SECONDS = 10  # who stops two trainings in a row within this time means all that is to come


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
    """

    loss: list[float] = field(default_factory=list, repr=False)
    measured: list[tuple[int, float]] = field(default_factory=list, repr=False)
    seconds: float = 0.0
    precision: str = "float32"
    interrupted: bool = False
    stopped: str | None = None
    state: dict | None = field(default=None, repr=False)

    def smooth(self, window: int = 50) -> list[float]:
        """Mean of the last `window` losses at every step (fewer at the beginning)."""
        return _running_mean(self.loss, window)


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
    state: dict | None = field(default=None, repr=False)

    def smooth(self, of: str = "loss_g", window: int = 50) -> list[float]:
        """Mean of the last `window` values of one of the lists at every step (fewer at the beginning)."""
        return _running_mean(getattr(self, of), window)


@torch.inference_mode(False)  # with gradients, whatever the caller has switched off
def fit(
    model: nn.Module,
    x: Tensor,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float = 3e-3,
    muon: float = 0.0,
    condition: Tensor | None = None,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    average: float = 0.0,
    clip: float = 1.0,
    precision: str = "auto",
    generator: torch.Generator | None = None,
    measure: Callable[[nn.Module], float] | None = None,
    measure_every: int = 0,
    keep: str = "last",
    minutes: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    resume: History | None = None,
    name: str = "training",
) -> History:
    """Minimise `model.loss` on random batches of x, in place.

    Adam, or Muon and Adam; the step size rises linearly over the first 5 % of the steps and falls to zero on half a
    cosine.

    Args:
        x: (N, …) examples. condition: (N,) classes, given to `model.loss` as a second argument.
        steps: updates in all, those before an interruption included.
        lr: the largest step size.
        muon: if not 0, the largest step size of `optim.Muon`, which then moves the matrices between hidden layers, such
            as 0.02; Adam moves the rest.
        prepare: applied to every batch, with the generator: `binarise` draws new binary pixels each step. It works
            where x lies; what it gives is moved to the device of the model.
        average: decay of an exponential moving average of the weights; if not 0, it is what the model ends with.
        clip: largest norm of the gradient.
        precision: "auto" takes bfloat16 where the processor computes in it natively, else float32; either with
            channels-last memory, which is faster for convolutions. A run that was begun elsewhere goes on in its own
            precision, which may be slow here; "float32" has one that was begun with "auto" go on in float32.
        generator: source of all randomness here, on the device of x; by default a new one with seed 0. What
            `model.loss`, `prepare` or `measure` draw without it comes from torch's global random state, which at every
            step and measurement starts from a seed made of the run's own and the number of the step. Whatever that
            state was does not matter, and in the end it is the same again.
        measure: called with the (averaged) model, at rest (`eval`), every `measure_every` steps and after the last one.
        keep: which of the measured models `model` ends as: the "last" one, or the one that measured "lowest" or
            "highest", the first of equals. The choice needs a measurement of data that are not the test's.
        minutes: stop after so many minutes of this call, as after Ctrl-C. A step or measurement that runs is finished.
        checkpoint: file for the state of the run, written whole every `checkpoint_every` steps or two minutes,
            whichever is sooner, after every measurement, and when stopped. If it is there, the run goes on from it.
        resume: History of an interrupted run, to go on from it without a file.
        name: label of the progress bar.

    Returns:
        the History. Interrupting the kernel (Ctrl-C) ends the loop after the current step and returns it as well; a
        second Ctrl-C gives up the step or the measurement that is running, to be made again on resuming. Code that
        comes after goes on, such as a loop with its next training: to end that too, interrupt the next training within
        ten seconds.

    Raises:
        TypeError, ValueError: an argument that makes no sense, or a run to be resumed with other settings.
        FloatingPointError: the loss or its gradient is not finite; model and checkpoint stay as before that step.
        KeyboardInterrupt: Ctrl-C, less than ten seconds after it had stopped the training before this one.
    """
    _check_model(model)
    _check_data(x, condition)
    generator = generator or torch.Generator(x.device).manual_seed(0)
    steps, batch_size = positive_integer("steps", steps), _batch_size(batch_size, x)
    checkpoint_every = positive_integer("checkpoint_every", checkpoint_every)
    measure_every = positive_integer("measure_every", measure_every, least=0)
    lr, average, clip, muon = _lr(lr), _decay(average), _number("clip", clip), _number("muon", muon)
    if not 0 <= muon < math.inf:
        raise ValueError(f"muon is {muon}; expected a step size such as 0.02, or 0 for Adam alone")
    if not clip > 0:
        raise ValueError(f"clip is {clip:g}; expected a positive norm, such as 1 (math.inf for none)")
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {PRECISIONS}")
    _check_run(generator, checkpoint, resume, History)
    _check_end(keep, measure, minutes)
    device = next(model.parameters()).device
    state = _state(checkpoint, resume)
    history = History(precision=_resolved(precision, state, device, name))
    bfloat16 = history.precision == "bfloat16"
    with _Interrupts() as early:  # torch imports much for its first optimiser, and takes seconds for it
        optimizers = _optimizers(model, lr, muon)
    settings = dict(steps=steps, batch_size=batch_size, lr=lr, average=average, clip=clip, examples=len(x))
    settings |= dict(precision=history.precision, precision_asked=precision, muon=muon)
    own = dict(model.named_parameters())
    averaged = {k: v.detach().clone() for k, v in own.items()} if average else None
    run = _Run(model, optimizers, averaged, generator, history, settings, name, measure, measure_every, keep)
    run.begin_or_go_on(checkpoint, checkpoint_every, state)

    def prepare_step(step: int) -> dict[str, float]:
        """The gradient of the loss on the next batch; the weights stay."""
        index = _batch(step, len(x), batch_size, run.seed)
        batch = _prepared(x[index], prepare, generator)
        batch = batch.to(device)
        given = () if condition is None else (condition[index].to(device),)
        model.zero_grad(set_to_none=True)
        with _all_or_nothing(model.buffers()):  # a loss may write there, as BatchNorm does
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                loss = model.loss(batch, *given)
            value = _finite(loss.item(), "loss", step, steps, lr)
            _check_loss(loss)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
            _finite(norm.item(), "norm of the gradient", step, steps, lr)
        return {"loss": value}

    def take_step(step: int) -> None:
        """The weights move, and behind them their average."""
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = optimizer.defaults["lr"] * schedule(step, steps)
            optimizer.step()
        _average(averaged, own, average, step + 1)

    model.to(memory_format=torch.channels_last)
    try:
        run.go(prepare_step, take_step, minutes, early.asked)
    finally:
        model.to(memory_format=torch.contiguous_format)
        model.eval()
    return history


@torch.inference_mode(False)
def fit_gan(
    gan: nn.Module,
    x: Tensor,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float | tuple[float, float] = 1e-3,
    betas: tuple[float, float] = (0.0, 0.99),
    steps_d: int = 1,
    steps_g: int = 1,
    anneal: str = "none",
    average: float = 0.0,
    unroll: int = 0,
    condition: Tensor | None = None,
    prepare: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    generator: torch.Generator | None = None,
    measure: Callable[[nn.Module], float | dict[str, float]] | None = None,
    measure_every: int = 0,
    keep: str = "last",
    minutes: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    resume: GANHistory | None = None,
    name: str = "training",
) -> GANHistory:
    """Let the two players of a GAN move in turn, in place.

    A step is `steps_d` updates of the discriminator, the generator frozen, then `steps_g` updates of the generator, the
    discriminator frozen; new data and new noise for each. Frozen means: parameters, buffers and gradients stay as they
    are. Each player has an Adam of its own.

    Args:
        gan: with the players `generator` and `discriminator`, and with `noise`, `judge` and `generator_loss`.
        x: (N, …) examples. condition: (N,) classes of them, given to both players; the generator is asked for the
            classes of the data that the discriminator saw last.
        steps: of the contest in all, those before an interruption included.
        lr: step size of both, or of the discriminator and of the generator. betas: of Adam.
        anneal: how the step sizes fall, see `falling`.
        average: decay of an exponential moving average of the generator's weights; if not 0, it is what the generator
            ends with (Karras et al., arXiv:1710.10196). The contest itself does not feel it.
        unroll: if not 0, the generator moves against the discriminator that would be there after so many more updates
            on the same batches, and the gradient passes through these updates (Metz et al., arXiv:1611.02163).
        prepare, generator, measure, measure_every, keep, minutes, checkpoint, checkpoint_every, resume, name: as in
            `fit`.

    Returns:
        the GANHistory. Interruptions as in `fit`: the loop ends after the current step, and a second Ctrl-C takes back
        what was done of it.

    Raises:
        TypeError, ValueError: an argument that makes no sense, a run to be resumed with other settings.
        FloatingPointError: a sample, a loss or a gradient is not finite; gan and checkpoint stay as before that step.
        KeyboardInterrupt: as in `fit`.
    """
    _check_gan(gan)
    _check_data(x, condition)
    generator = generator or torch.Generator(x.device).manual_seed(0)
    steps, batch_size = positive_integer("steps", steps), _batch_size(batch_size, x)
    steps_d, steps_g = positive_integer("steps_d", steps_d), positive_integer("steps_g", steps_g)
    unroll = positive_integer("unroll", unroll, least=0)
    checkpoint_every = positive_integer("checkpoint_every", checkpoint_every)
    measure_every = positive_integer("measure_every", measure_every, least=0)
    lr_d, lr_g = map(_lr, lr if isinstance(lr, (tuple, list)) and len(lr) == 2 else (lr, lr))
    average = _decay(average)
    betas = _check_betas(betas)
    if anneal not in ANNEAL:
        raise ValueError(f"anneal is {anneal!r}; expected one of {ANNEAL}")
    _check_run(generator, checkpoint, resume, GANHistory)
    _check_end(keep, measure, minutes)
    device = next(gan.generator.parameters()).device
    history = GANHistory()
    with _Interrupts() as early:  # fused: a fifth of the time for small networks
        optimizer_d = torch.optim.Adam(gan.discriminator.parameters(), lr=lr_d, betas=betas, fused=True)
        optimizer_g = torch.optim.Adam(gan.generator.parameters(), lr=lr_g, betas=betas, fused=True)
    settings = dict(steps=steps, batch_size=batch_size, lr=[lr_d, lr_g], betas=list(betas), steps_d=steps_d)
    settings |= dict(steps_g=steps_g, anneal=anneal, average=average, unroll=unroll, examples=len(x))
    own = {f"generator.{k}": v for k, v in gan.generator.named_parameters()}
    averaged = {k: v.detach().clone() for k, v in own.items()} if average else None
    optimizers = {"optimizer_d": optimizer_d, "optimizer_g": optimizer_g}
    run = _Run(gan, optimizers, averaged, generator, history, settings, name, measure, measure_every, keep)
    run.begin_or_go_on(checkpoint, checkpoint_every, _state(checkpoint, resume))

    def data(update: int) -> tuple[Tensor, tuple]:
        """The next batch, and its classes if there are any."""
        index = _batch(update, len(x), batch_size, run.seed)
        batch = _prepared(x[index], prepare, generator)
        batch = batch.to(device)
        return batch, () if condition is None else (condition[index].to(device),)

    def samples(n: int, given: tuple, step: int) -> Tensor:
        fake = gan.generator(gan.noise(n, generator), *given)
        _finite(fake.detach().abs().max().item(), "largest value of a sample", step, steps, lr_g)
        return fake

    def contest(step: int) -> dict[str, float]:
        """One step, both players."""
        share = falling(anneal, step, steps)
        loss_d = loss_g = d_real = d_fake = norm_g = 0.0
        with _frozen(gan.generator):  # the discriminator moves
            for i in range(steps_d):
                real, given = data(step * steps_d + i)
                with torch.no_grad():
                    fake = samples(len(real), given, step)
                verdict = gan.judge(real, fake, *given, generator=generator)
                loss_d += _finite(verdict.loss.item(), "discriminator's loss", step, steps, lr_d) / steps_d
                d_real, d_fake = d_real + verdict.real.item() / steps_d, d_fake + verdict.fake.item() / steps_d
                norm = _move(optimizer_d, verdict.loss, lr_d * share)
                _finite(norm, "norm of the discriminator's gradient", step, steps, lr_d)
        with _frozen(gan.discriminator):  # the generator moves
            for _ in range(steps_g):
                fake, weights = samples(len(real), given, step), None
                if unroll:
                    weights = _unrolled(gan, optimizer_d, real, fake, given, unroll, generator)
                loss = gan.generator_loss(fake, *given, weights=weights)
                loss_g += _finite(loss.item(), "generator's loss", step, steps, lr_g) / steps_g
                norm = _move(optimizer_g, loss, lr_g * share)
                norm_g += _finite(norm, "norm of the generator's gradient", step, steps, lr_g) / steps_g
        return dict(loss_d=loss_d, loss_g=loss_g, d_real=d_real, d_fake=d_fake, grad_norm_g=norm_g)

    def whole_step(step: int) -> dict[str, float]:
        with _all_or_nothing([*gan.parameters(), *gan.buffers()], optimizers.values()):
            return contest(step)

    try:
        run.go(whole_step, lambda step: _average(averaged, own, average, step + 1), minutes, early.asked)
    finally:
        gan.eval()
    return history


def _optimizers(model: nn.Module, lr: float, muon: float) -> dict[str, torch.optim.Optimizer]:
    """Who moves which weights, each with its largest step size as the default."""
    matrices = hidden_matrices(model) if muon else []
    if muon and not matrices:
        raise ValueError(f"muon is {muon}, but this {type(model).__name__} has no matrix between hidden layers to move "
                         "by it; leave it out")
    theirs = {id(p) for p in matrices}
    dtype = torch.bfloat16 if matrices and native_bfloat16(matrices[0].device) else torch.float32
    rest = [p for p in model.parameters() if id(p) not in theirs]
    optimizers = {"optimizer": torch.optim.Adam(rest, lr=lr, betas=(0.9, 0.99))} if rest else {}
    if matrices:
        optimizers["muon"] = Muon(matrices, muon, dtype=dtype)
    return optimizers


def schedule(step: int, steps: int) -> float:
    """Share of the largest step size: linear over the first 5 %, then half a cosine down to zero."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def falling(anneal: str, step: int, steps: int) -> float:
    """Share of the step size in a contest: "none" stays at 1; to a hundredth by half a "cosine" or "exponential"ly."""
    if anneal == "none":
        return 1.0
    if anneal == "exponential":
        return 0.01 ** (step / steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))


def best(measured: list[tuple[int, float]], keep: str) -> tuple[int, float] | None:
    """The measurement, as (step, value), that a run with `keep` ends with: the first of equals, never NaN."""
    finite = [pair for pair in measured if math.isfinite(pair[1])]
    if keep == "last" or not finite:
        return measured[-1] if measured else None
    return (min if keep == "lowest" else max)(finite, key=lambda pair: pair[1])


def native_bfloat16(device: torch.device | str = "cpu") -> bool:
    """True if the device multiplies bfloat16 in hardware (AVX-512 BF16 or AMX on x86; CUDA says so itself)."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(capabilities.get(k) for k in ("avx512_bf16", "amx_bf16"))


# -- parts of a contest ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _frozen(player: nn.Module):
    """A player that is asked but does not move: no gradient for its weights; its buffers (BatchNorm's) come back."""
    wanted = [(p, p.requires_grad) for p in player.parameters()]
    buffers = [(b, b.clone()) for b in player.buffers()]
    player.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
        for buffer, before in buffers:
            buffer.copy_(before)


def _move(optimizer: torch.optim.Adam, loss: Tensor, lr: float) -> float:
    """One update; returns the norm of the gradient. If that is not finite, nothing moves."""
    optimizer.zero_grad(set_to_none=True)
    _check_loss(loss)
    loss.backward()
    (group,) = optimizer.param_groups
    norm = nn.utils.get_total_norm([p.grad for p in group["params"] if p.grad is not None]).item()
    if math.isfinite(norm):
        group["lr"] = lr
        optimizer.step()
    return norm


def _unrolled(gan, optimizer, real, fake, given, n: int, generator) -> dict[str, Tensor]:
    """The discriminator's weights after n more updates on the same batches, differentiable with respect to `fake`.

    The updates are those of its Adam, written as functions of the gradient: moments m and v, their bias corrected.
    """
    (group,) = optimizer.param_groups
    beta_m, beta_v = group["betas"]
    weights, moments = {}, {}
    for key, p in gan.discriminator.named_parameters():
        weights[key] = p.detach().clone()
        if state := optimizer.state.get(p):  # frozen weights, and those that nothing uses, have none and stay
            weights[key].requires_grad_()
            moments[key] = state["exp_avg"].clone(), state["exp_avg_sq"].clone(), int(state["step"])
    for _ in range(n):
        loss = gan.judge(real, fake, *given, generator=generator, weights=weights).loss
        gradients = torch.autograd.grad(loss, [weights[k] for k in moments], create_graph=True, allow_unused=True)
        for key, gradient in zip(list(moments), gradients, strict=True):
            if gradient is not None:
                m, v, t = moments[key]
                m, v, t = beta_m * m + (1 - beta_m) * gradient, beta_v * v + (1 - beta_v) * gradient.square(), t + 1
                size = (v / (1 - beta_v**t) + group["eps"] ** 2).sqrt()  # ε under the root, which has no slope at 0
                weights[key], moments[key] = weights[key] - group["lr"] * m / (1 - beta_m**t) / size, (m, v, t)
    return weights


@contextlib.contextmanager
def _all_or_nothing(tensors: Iterable[Tensor], optimizers: Iterable[torch.optim.Optimizer] = ()):
    """On an error inside, the tensors and the optimisers' moments are what they were."""
    tensors, optimizers = list(tensors), list(optimizers)
    tensors += [t for optimizer in optimizers for moments in optimizer.state.values() for t in moments.values()]
    before, known = [t.detach().clone() for t in tensors], [set(optimizer.state) for optimizer in optimizers]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for tensor, value in zip(tensors, before):
                tensor.copy_(value)
        for optimizer, moved in zip(optimizers, known):
            for weight in optimizer.state.keys() - moved:
                del optimizer.state[weight]
        raise


# -- parts of both ---------------------------------------------------------------------------------------------


class _Run:
    """What `fit` and `fit_gan` share: the loop, and what has to be kept to go on with it.

    Args:
        model: its weights are trained by `optimizers`, named. averaged: a moving average of some of them, or None.
        settings: what a run that is resumed must have in common with its beginning, `steps` among it.
    """

    def __init__(self, model, optimizers, averaged, generator, history, settings, name, measure, measure_every, keep):
        self.model, self.optimizers, self.averaged, self.generator = model, optimizers, averaged, generator
        self.history, self.settings, self.steps, self.name = history, settings, settings["steps"], name
        self.measure, self.measure_every, self.keep = measure, measure_every, keep
        self.settings["keep"] = keep
        self.best = None  # the weights that measured best so far, all that `state_dict` names
        self.device = next(model.parameters()).device
        self.resumed = self.unwritten = False
        self.step, self.seed = 0, int(torch.randint(2**31, (), generator=generator, device=generator.device))

    def begin_or_go_on(self, checkpoint, checkpoint_every, state) -> None:
        """Take up the state of a run, if there is one."""
        self.checkpoint, self.checkpoint_every = checkpoint, checkpoint_every
        if state is not None:
            self.restore(state)
            self.resumed = True

    def due(self) -> bool:
        """Whether a measurement belongs to this step and is not made yet."""
        step, measured = self.step, self.history.measured
        now = step == self.steps or (self.measure_every and step and step % self.measure_every == 0)
        return bool(self.measure and now and (not measured or measured[-1][0] < step))

    def write_down(self, value: float | dict[str, float]) -> None:
        """A measurement; and the weights that it measured, if it is the best so far and the best is asked for."""
        measured = self.history.measured
        measured.append((self.step, value))
        if self.keep == "last":
            return
        if isinstance(value, dict):
            raise TypeError(f"measure gave {value}; to keep the {self.keep}, it must give one number")
        if best(measured, self.keep) == measured[-1]:
            weights = self.model.state_dict() | (self.averaged or {})
            self.best = {k: v.detach().clone() for k, v in weights.items()}

    def go(
        self,
        prepare_step: Callable[[int], dict[str, float]],
        take_step: Callable[[int], None],
        minutes: float | None = None,
        asked: bool = False,
    ) -> None:
        """All steps and measurements that are left, or as many as there is time for before Ctrl-C or in `minutes`.

        Args:
            prepare_step: called with the number of steps done, gives what the step adds to the lists of the History. If
                it fails or is stopped, it must leave the model as it was.
            take_step: called next; it cannot be interrupted.
            asked: Ctrl-C came already, before the first step.
        """
        history, generator = self.history, self.generator
        last, _Interrupts.last = _Interrupts.last, -math.inf
        bar = progress(total=self.steps, desc=self.name, unit="step", initial=self.step)
        began = written = time.monotonic()
        end = math.inf if minutes is None else began + 60 * minutes
        interrupts = _Interrupts(asked)
        try:
            with interrupts, _global_randomness(self.seed, self.device) as reseed, _here(self.device):
                while not interrupts.asked and time.monotonic() < end and (self.step < self.steps or self.due()):
                    with _TURN:
                        before, measuring = generator.get_state(), self.due()
                        reseed(2 * self.step + measuring)  # a step, and the measurement that comes before it
                        try:
                            interrupts.shielded = False
                            start = time.perf_counter()
                            if measuring:
                                with _weights(self.model, self.averaged):
                                    value = _numbers(self.measure(self.model))
                            else:
                                self.model.train()
                                values = prepare_step(self.step)
                        except BaseException as error:
                            generator.set_state(before)  # nothing was done: the same numbers will be drawn again
                            if not isinstance(error, KeyboardInterrupt):
                                raise
                            interrupts.asked = True
                            break
                        finally:
                            interrupts.shielded = True
                    if measuring:
                        self.write_down(value)
                    else:
                        take_step(self.step)
                        self.step += 1
                        for key, value in values.items():
                            getattr(history, key).append(value)
                        history.seconds += time.perf_counter() - start
                        bar.update()
                    bar.set_postfix_str(self.news(), refresh=False)
                    asked = measuring or self.step % self.checkpoint_every == 0
                    if asked or time.monotonic() - written > KEEP_SECONDS:
                        if self.checkpoint is not None and (self.step < self.steps or self.due()):
                            self.keep_state()
                            written = time.monotonic()
                by_hand, history.interrupted = interrupts.asked, self.step < self.steps or self.due()
                if history.interrupted:
                    history.state = self.present()
                if self.checkpoint is not None:
                    self.keep_state()
                if self.best or self.averaged:
                    self.model.load_state_dict(self.best or self.averaged, strict=False)
        finally:
            bar.close()
        if not history.interrupted:
            return
        history.stopped = f"{self.name} was stopped after step {self.step} of {self.steps}"
        say(self.farewell("" if by_hand else f", since its {minutes:g} minutes are over"))
        if by_hand:
            _Interrupts.last = time.monotonic()
            if not self.resumed and _Interrupts.last - last < AGAIN_SECONDS:
                raise KeyboardInterrupt("two trainings in a row were stopped, and what comes after them with them")

    def keep_state(self) -> None:
        """Write the state of the run. A disk that is full costs no training: that is said once, and tried again."""
        try:
            write_state(self.checkpoint, self.present())
            self.unwritten = False
        except OSError as error:
            if not self.unwritten:
                say(f"{self.name}: the state after step {self.step} is not kept: {error}. The training goes on, and "
                      "tries it again later.")  # fmt: skip
            self.unwritten = True

    def farewell(self, why: str) -> str:
        """What an interruption means, and what to run next."""
        left = "it measured best" if self.best else "it was then"
        lines = [f"{self.name}: interrupted after step {self.step} of {self.steps} "
                 f"({100 * self.step // self.steps} %){why}. The model is left as {left}."]  # fmt: skip
        if self.checkpoint is not None and not self.unwritten:
            lines.append(f"To go on, make the same call again: it goes on from {self.checkpoint}.")
        else:
            call = "fit" if isinstance(self.history, History) else "fit_gan"
            lines.append(f"To go on, add resume=history to the same call: {call}(…, resume=history), "
                         "where history is what this call returned.")  # fmt: skip
            lines.append("To start anew, build the model again first: in a notebook, run the cell that does.")
        if "ipykernel" in sys.modules:
            lines.append("For shorter trainings, set effort = 0.1 at the top of a notebook of the course, "
                         "and run it from there.")  # fmt: skip
        return "\n".join(lines)

    def news(self) -> str:
        """Smoothed losses, and the last measurement: "loss 86.41 measured 85.90"."""
        lists = {k: v for k, v in vars(self.history).items() if k.startswith("loss")}
        words = [f"{key} {sum(values[-50:]) / len(values[-50:]):.2f}" for key, values in lists.items() if values]
        if self.history.measured and isinstance(value := self.history.measured[-1][1], float):
            words.append(f"measured {value:.2f}")
        return " ".join(words)

    def present(self) -> dict:
        """Everything that the rest of the run depends on."""
        tensors = {f"model.{k}": v.detach().clone() for k, v in self.model.state_dict().items()}
        for part in ("averaged", "best"):
            tensors |= {f"{part}.{k}": v.clone() for k, v in (getattr(self, part) or {}).items()}
        for name, optimizer in self.optimizers.items():
            for i, moments in optimizer.state_dict()["state"].items():
                for k, v in moments.items():
                    tensors[f"{name}.{i}.{k}"] = torch.as_tensor(v).clone()
        tensors["generator"] = self.generator.get_state()
        of_this_call = ("state", "interrupted", "stopped", "precision")
        done = {k: v for k, v in vars(self.history).items() if k not in of_this_call}
        facts = dict(step=self.step, shuffle_seed=self.seed, settings=self.settings, history=done)
        return json.loads(json.dumps(facts)) | {"tensors": tensors}

    def restore(self, state: dict) -> None:
        """Go back to a state that `present` gave."""
        earlier = {"keep": "last"}  # what a run did not write then
        if "precision" in self.settings:
            earlier |= {"muon": 0.0, "precision_asked": "auto"}
        before, settings = earlier | state["settings"], self.settings
        if "precision" in before and "precision" in settings:
            if "auto" in (before["precision_asked"], settings["precision_asked"]):
                before["precision"] = settings["precision"]  # it goes on in another one than it had
            settings["precision_asked"] = before["precision_asked"]
        unlike = [f"{k} was {before.get(k)}, is {v}" for k, v in settings.items() if before.get(k) != v]
        if unlike or before.keys() != settings.keys():
            unlike = unlike or ["they are those of another kind of training"]
            unlike = "; ".join(unlike)
            raise WrongValue(f"the run to be resumed had other settings: {unlike}; give those, or start anew")
        parts = {part: {} for part in ("model", "averaged", "best", *self.optimizers)}
        for key, tensor in state["tensors"].items():
            part, _, rest = key.partition(".")
            if part in parts:
                parts[part][rest] = tensor
        if unlike := differences(parts["model"], self.model.state_dict()):
            raise WrongValue(f"the run to be resumed had another model ({unlike}); give that one, or start anew")
        self.model.load_state_dict(parts["model"])
        for k in self.averaged or {}:
            self.averaged[k].copy_(parts["averaged"][k])
        self.best = {k: v.to(self.device) for k, v in parts["best"].items()} or None
        for name, optimizer in self.optimizers.items():
            moments = {}
            for key, tensor in parts[name].items():
                i, k = key.split(".")
                moments.setdefault(int(i), {})[k] = tensor.clone()  # Adam writes into what it is given
            optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        self.generator.set_state(state["tensors"]["generator"])
        for key, value in state["history"].items():
            setattr(self.history, key, value.copy() if isinstance(value, list) else value)
        self.history.measured = [tuple(pair) for pair in self.history.measured]
        self.step, self.seed = state["step"], state["shuffle_seed"]


def _average(averaged: dict[str, Tensor] | None, own: dict[str, Tensor], decay: float, step: int) -> None:
    """Draw the averaged weights after the model's own; in the first steps faster, or the start would stay in them."""
    if averaged is None:
        return
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in averaged.items():
            value.lerp_(own[key], 1 - decay)


def _numbers(value) -> float | dict[str, float]:
    """What a measurement gave, as plain numbers."""
    return {str(k): float(v) for k, v in value.items()} if isinstance(value, dict) else float(value)


def _running_mean(values: list[float], window: int) -> list[float]:
    total = [0.0]
    for value in values:
        total.append(total[-1] + value)
    return [(total[i] - total[max(0, i - window)]) / min(i, window) for i in range(1, len(total))]


def _check_model(model) -> None:
    if not isinstance(model, nn.Module) or not callable(getattr(model, "loss", None)):
        raise TypeError(f"model is of type {type(model).__name__}; expected a torch.nn.Module with a method `loss`")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"this {type(model).__name__} has no weights to train")
    _check_weights(model)


def _check_weights(model: nn.Module) -> None:
    if any(t.is_inference() for t in (*model.parameters(), *model.buffers())):
        raise ValueError(f"the weights of this {type(model).__name__} were made under torch.inference_mode(), where "
                         "PyTorch makes what can never be trained; build the model outside of it")  # fmt: skip


def _check_loss(loss: Tensor) -> None:
    if not loss.requires_grad:
        raise ValueError("the loss depends on no weight that can be trained; is `requires_grad` False for those it "
                         "uses, or is it computed without gradients (torch.no_grad, detach)?")  # fmt: skip


def _check_gan(gan) -> None:
    players = [getattr(gan, name, None) for name in ("generator", "discriminator")]
    methods = [getattr(gan, name, None) for name in ("noise", "judge", "generator_loss")]
    if not all(isinstance(p, nn.Module) for p in (gan, *players)) or not all(map(callable, methods)):
        raise TypeError(f"gan is of type {type(gan).__name__}; expected a torch.nn.Module with the players `generator` "
                        "and `discriminator` and the methods `noise`, `judge` and `generator_loss`")
    for player in players:
        if not any(p.requires_grad for p in player.parameters()):
            raise ValueError(f"this {type(player).__name__} has no weights to train")
        _check_weights(player)


def _check_betas(betas) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas is {betas!r}; expected a pair of numbers in [0, 1), such as (0.0, 0.99)")
    if not all(isinstance(b, numbers.Real) and 0 <= b < 1 for b in betas):
        raise ValueError(f"betas is {betas!r}; expected two numbers in [0, 1), such as (0.0, 0.99)")
    return float(betas[0]), float(betas[1])


def _check_data(x, condition) -> None:
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


def _batch_size(value, x: Tensor) -> int:
    value = positive_integer("batch_size", value)
    if value > len(x):
        raise ValueError(f"batch_size is {value}, but x has only {len(x)} examples; expected at most as many")
    return value


def _number(name: str, value) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}; expected a number")
    return float(value)


def _lr(value) -> float:
    value = _number("lr", value)
    if not 0 < value < math.inf:
        raise ValueError(f"lr is {value:g}; expected a positive number such as 0.003")
    return value


def _decay(value) -> float:
    value = _number("average", value)
    if not 0 <= value < 1:
        raise ValueError(f"average is {value:g}; expected a decay in [0, 1), such as 0.999")
    return value


def _check_run(generator, checkpoint, resume, kind) -> None:
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator is {generator!r}; expected a torch.Generator")
    if resume is not None and not isinstance(resume, kind):
        raise TypeError(
            f"resume is of type {type(resume).__name__}; expected the {kind.__name__} of an interrupted run"
        )
    if resume is not None and resume.state is None:
        raise ValueError(f"resume is the {kind.__name__} of a run that was finished; there is nothing left to do")
    if checkpoint is not None:
        path = Path(checkpoint)
        if path.is_dir():
            raise WrongValue(f"checkpoint is the folder {path}; expected the name of a file")
        try:  # now, not after the first hour
            writable(path.parent)
        except OSError as error:
            raise WrongValue(f"checkpoint {path} cannot be written ({error}); give a file in another folder") from None


def _state(checkpoint, resume) -> dict | None:
    """Where a run had come to, by its History or its file; None if it is new."""
    return read_state(checkpoint) if resume is None else resume.state


def _resolved(precision: str, state: dict | None, device: torch.device, name: str) -> str:
    """What "auto" is here; a run that was begun goes on in its own precision, wherever that can be."""
    if precision != "auto":
        return precision
    here = "bfloat16" if native_bfloat16(device) else "float32"
    begun = (state or {}).get("settings", {}).get("precision", here)
    if begun == here:
        return here
    if begun == "bfloat16" and device.type != "cpu":  # which computes in it, though slowly
        say(f"{name}: begun in bfloat16, which is not computed here; goes on in float32")
        return "float32"
    slowly = ', which is slow on this processor; precision="float32" goes on in that' if begun == "bfloat16" else ""
    say(f"{name}: goes on in {begun}, in which it was begun{slowly}")
    return begun


def _check_end(keep, measure, minutes) -> None:
    if keep not in KEEP:
        raise ValueError(f"keep is {keep!r}; expected one of {KEEP}")
    if keep != "last" and measure is None:
        raise ValueError(f"keep is {keep!r}, but there is no measure to choose by; give measure= as well")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, numbers.Real) or not minutes > 0):
        raise WrongValue(f"minutes is {minutes!r}; expected a positive number, or None for all the time it takes")


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


@functools.lru_cache(maxsize=4)  # runs that take turns have one each
def _order(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator("cpu").manual_seed(seed), device="cpu")


class _Interrupts:
    """Ctrl-C, so that no step is left half done: the first asks to stop after the step, the second stops what runs.

    While `shielded`, when weights or files are being written, the second waits as well. Outside the main thread signals
    are not ours.
    """

    last = -math.inf  # when Ctrl-C stopped the training before

    def __init__(self, asked: bool = False):
        self.asked, self.shielded = asked, True

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
    with _TURN:
        mine = {generator: generator.get_state() for generator in generators}
        _borrowed.append(mine)

    def reseed(k: int) -> None:
        for generator in generators:
            generator.manual_seed((run + (k + 1) * 2654435769) % 2**32)

    try:
        yield reseed
    finally:
        with _TURN:
            place = next(i for i, states in enumerate(_borrowed) if states is mine)
            for generator, state in mine.items():
                later = [states for states in _borrowed[place + 1 :] if generator in states]
                if later:  # a run in another thread, which gives back what it found: what was here before
                    later[0][generator] = state
                else:
                    generator.set_state(state)
            del _borrowed[place]


_TURN = threading.RLock()  # to take one step: torch's global random state is one for all threads
_borrowed: list[dict[torch.Generator, Tensor]] = []  # what the runs under way found there, in the order they began


def _here(device: torch.device) -> contextlib.AbstractContextManager:
    """New tensors are made on the device of the model, if the default is another kind of device."""
    same = torch.get_default_device().type == device.type
    return contextlib.nullcontext() if same else torch.device(device)


def _prepared(batch: Tensor, prepare: Callable | None, generator: torch.Generator) -> Tensor:
    """What `prepare` makes of a batch, where the data lie."""
    if prepare is None:
        return batch
    with _here(batch.device):
        return prepare(batch, generator)


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
