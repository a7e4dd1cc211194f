"""Laws of training: interrupted is uninterrupted, and nothing else is touched."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import gencourse.progress
from gencourse import storage, train
from gencourse.checkpoints import image_gan
from gencourse.models import ContextTable, PixelCNN, WaveNet
from gencourse.models.gan import gradient_penalty
from gencourse.models.vae import reparameterise
from gencourse.storage import load, read_state, save
from gencourse.train import History, fit, native_bfloat16, schedule

ROOT = Path(__file__).resolve().parents[1]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Line(nn.Module):
    """The least that `fit` takes: weights and a loss. `at_step` is called with the number of the call."""

    def __init__(self, at_step=None, seed=0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, generator=generator(seed)))
        self.bias = nn.Parameter(torch.zeros(3))
        self.at_step, self.calls, self.seen = at_step, 0, []

    def loss(self, x, condition=None):
        self.calls += 1
        self.seen.append(x.clone())
        if self.at_step is not None:
            self.at_step(self.calls)
        target = 0 if condition is None else condition.float()[:, None]
        return (x @ self.weight.T + self.bias - target).square().sum(1).mean()


X = torch.randn(40, 4, generator=generator(7))
CLASSES = torch.arange(40) % 3


def noisy(batch, generator):
    return batch + 0.1 * torch.randn(batch.shape, generator=generator)


SETTINGS = dict(steps=30, batch_size=8, lr=0.05, average=0.9, prepare=noisy, condition=CLASSES)


def measure(model):
    return model.weight.detach().double().sum().item()


SETTINGS_MEASURED = dict(SETTINGS, measure=measure, measure_every=7)


def uninterrupted(**changes):
    model = Line()
    return model, fit(model, X, **{**SETTINGS_MEASURED, **changes})


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def raise_at(step, error):
    def at_step(call):
        if call == step:
            raise error

    return at_step


def ctrl_c_at(*steps):
    """Real signals, from inside the loss."""

    def at_step(call):
        for _ in range(steps.count(call)):
            signal.raise_signal(signal.SIGINT)

    return at_step


# -- interrupted is uninterrupted ------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, dict(average=0.0), dict(prepare=None, condition=None, measure=None)])
@pytest.mark.parametrize("stop", ["raise", "signal", "two signals"])
@pytest.mark.parametrize("step", [1, 7, 14, 30])
def test_a_resumed_run_is_a_run_that_was_not_interrupted(step, stop, changes, capsys):
    expected, whole = uninterrupted(**changes)
    at_step = {
        "raise": raise_at(step, KeyboardInterrupt()), "signal": ctrl_c_at(step), "two signals": ctrl_c_at(step, step)
    }[stop]  # fmt: skip
    model, settings = Line(at_step), {**SETTINGS_MEASURED, **changes}
    history = fit(model, X, **settings)
    done = step if stop == "signal" else step - 1  # the first Ctrl-C lets the step end
    assert len(history.loss) == done
    if history.interrupted:
        assert f"interrupted after step {done} of 30" in capsys.readouterr().out
        other = Line(seed=1)  # all comes from the History, nothing from the model
        history = fit(other, X, resume=history, **settings)
        model = other
    assert not history.interrupted and history.state is None
    assert history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


def test_an_interruption_says_what_happened_and_what_to_run_next(tmp_path, capsys):
    def words(history):
        return history.stopped, capsys.readouterr().out

    stopped, told = words(fit(Line(ctrl_c_at(6)), X, name="Line", **SETTINGS))
    assert stopped == "Line was stopped after step 6 of 30"
    assert "interrupted after step 6 of 30 (20 %)" in told and "fit(…, resume=history)" in told
    train._Interrupts.last = -math.inf  # as if some time had passed
    stopped, told = words(part := fit(Line(ctrl_c_at(6)), X, name="Line", checkpoint=tmp_path / "run", **SETTINGS))
    assert stopped and f"goes on from {tmp_path / 'run'}" in told and "resume=" not in told
    stopped, told = words(fit(Line(), X, name="Line", resume=part, **SETTINGS))
    assert stopped is None and told == ""
    stopped, told = words(fit(Line(), X, name="Line", minutes=1e-9, **SETTINGS))
    assert stopped == "Line was stopped after step 0 of 30" and "minutes are over" in told
    stopped, told = words(fit(Line(ctrl_c_at(6)), X, keep="lowest", **SETTINGS_MEASURED | dict(measure_every=2)))
    assert "left as it measured best" in told


def test_ctrl_c_before_the_first_step_stops_the_training_too(monkeypatch, capsys):
    class Slow(torch.optim.Adam):  # as torch's own first one is, which imports much
        def __init__(self, *arguments, **options):
            signal.raise_signal(signal.SIGINT)
            super().__init__(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim, "Adam", Slow)
        patch.setattr(train, "AGAIN_SECONDS", 0)
        model = Line()
        history = fit(model, X, **SETTINGS)
        contest = train.fit_gan(image_gan((1, 8, 8), 2, 2), torch.rand(8, 1, 8, 8), steps=3, batch_size=4)
    assert history.interrupted and history.loss == [] and same_weights(model, Line())
    assert contest.interrupted and contest.loss_d == []
    assert capsys.readouterr().out.count("interrupted after step 0 of") == 2
    again = fit(model, X, **SETTINGS, resume=history)
    assert not again.interrupted and again.loss == uninterrupted(measure=None, measure_every=0)[1].loss


def test_who_interrupts_two_trainings_in_a_row_ends_the_loop(capsys, monkeypatch):
    histories, models = [], [Line(ctrl_c_at(3)) for _ in range(3)]
    with pytest.raises(KeyboardInterrupt, match="two trainings in a row"):
        for model in models:
            histories.append(fit(model, X, **SETTINGS))
    assert [model.calls for model in models] == [3, 3, 0] and not models[1].training
    assert len(histories) == 1 and capsys.readouterr().out.count("interrupted after step 3 of 30") == 2
    monkeypatch.setattr(train, "AGAIN_SECONDS", 0)  # later than that it is two trainings that were stopped
    assert all(fit(Line(ctrl_c_at(3)), X, **SETTINGS).interrupted for _ in range(2))


def test_a_training_that_ends_or_goes_on_is_no_second_one_to_be_stopped():
    for _ in range(2):
        assert fit(Line(ctrl_c_at(3)), X, **SETTINGS).interrupted
        assert not fit(Line(), X, **SETTINGS).interrupted
    part = fit(Line(ctrl_c_at(3)), X, **SETTINGS)
    assert fit(Line(ctrl_c_at(3)), X, resume=part, **SETTINGS).interrupted
    assert fit(Line(), X, minutes=1e-9, **SETTINGS).interrupted


def test_one_history_can_be_resumed_twice():
    expected, whole = uninterrupted()
    part = fit(Line(ctrl_c_at(9)), X, **SETTINGS_MEASURED)
    for _ in range(2):
        model = Line(seed=1)
        history = fit(model, X, resume=part, **SETTINGS_MEASURED)
        assert same_weights(model, expected) and history.loss == whole.loss
    assert len(part.loss) == 9


def test_many_interruptions_through_a_file(tmp_path):
    expected, whole = uninterrupted()
    for attempt in range(15):
        model = Line(ctrl_c_at(3), seed=min(attempt, 1))
        history = fit(model, X, checkpoint=tmp_path / "deep" / "run.safetensors", **SETTINGS_MEASURED)
        if not history.interrupted:
            break
    assert history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)
    again = Line(seed=1)
    assert fit(again, X, checkpoint=tmp_path / "deep" / "run.safetensors", **SETTINGS_MEASURED).loss == whole.loss
    assert again.calls == 0 and same_weights(again, expected), "a finished run is read, not repeated"


@pytest.mark.parametrize("kind", ["raise", "signal", "two signals"])
@pytest.mark.parametrize("step", [7, 30])
def test_an_interrupted_measurement_is_made_again(kind, step):
    expected, whole = uninterrupted()
    measured = []

    def interrupted(model):
        measured.append(1)
        if len(measured) == {7: 1, 30: 5}[step]:
            if kind == "raise":
                raise KeyboardInterrupt
            for _ in range(1 + (kind == "two signals")):
                signal.raise_signal(signal.SIGINT)
        return measure(model)

    model = Line()
    history = fit(model, X, **dict(SETTINGS_MEASURED, measure=interrupted))
    assert len(history.loss) == step
    if kind != "signal" or step == 7:
        assert history.interrupted
        history = fit(model, X, resume=history, **SETTINGS_MEASURED)
    assert history.measured == whole.measured and history.loss == whole.loss and not history.interrupted
    assert same_weights(model, expected)


def test_every_step_is_part_of_the_law():
    """The law bites: without the averaged weights, the optimiser or the random numbers it fails."""
    expected, whole = uninterrupted()
    for part in ("averaged.weight", "optimizer.0.exp_avg_sq", "optimizer.1.step", "generator", "model.weight"):
        history = fit(Line(ctrl_c_at(9)), X, **SETTINGS_MEASURED)
        tensor = history.state["tensors"][part]
        history.state["tensors"][part] = generator(5).get_state() if part == "generator" else tensor + 1
        model = Line()
        resumed = fit(model, X, resume=history, **SETTINGS_MEASURED)
        assert not same_weights(model, expected), part
        assert resumed.loss != whole.loss or part.startswith("averaged")


CHILD = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import torch
torch.set_num_threads(1)
import test_train as t
def slow(call):
    print("step", flush=True)
    time.sleep(0.01)
model = t.Line(slow)
history = t.fit(model, t.X, checkpoint=sys.argv[1], checkpoint_every=2, **t.SETTINGS_MEASURED)
print("interrupted" if history.interrupted else "finished", len(history.loss), flush=True)
"""


@pytest.mark.parametrize("kind, after", [(signal.SIGINT, 4), (signal.SIGKILL, 5), (signal.SIGKILL, 12)])
def test_a_run_in_another_process_is_stopped_and_resumed(kind, after, tmp_path):
    path = tmp_path / "run.safetensors"
    code = CHILD.format(root=str(ROOT), tests=str(ROOT / "tests"))
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True)
    for _ in range(after):
        assert child.stdout.readline() == "step\n"
    time.sleep(0.004 * after)  # somewhere within a step
    child.send_signal(kind)
    rest, _ = child.communicate(timeout=60)
    state = read_state(path)
    if kind == signal.SIGINT:
        assert child.returncode == 0 and f"interrupted {state['step']}\n" in rest
        assert list(tmp_path.iterdir()) == [path]
    else:
        assert child.returncode == -signal.SIGKILL and (state["step"] % 2 == 0 or state["step"] == 7)  # measured there
    assert after - 2 <= state["step"] < 30
    expected, whole = uninterrupted()
    model = Line(seed=1)
    history = fit(model, X, checkpoint=path, **SETTINGS_MEASURED)
    assert model.calls == 30 - state["step"]
    assert history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("build", [
    lambda: PixelCNN((1, 5, 6), stacks="single", n_blocks=1, channels=6, n_classes=3),
    lambda: PixelCNN((1, 5, 6), stacks="gated", n_blocks=1, channels=6, n_classes=3),
    lambda: WaveNet((30,), 2, dilations=(1, 2), channels=6, skip_channels=6, n_classes=3),
])  # fmt: skip
def test_models_of_the_course_resume_to_the_same_bits(build, precision, tmp_path):
    def new():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return build()

    models = [new() for _ in range(3)]
    x = torch.rand(20, *models[0].event_shape, generator=generator())

    def binarise(batch, generator):
        return (torch.rand(batch.shape, generator=generator) < batch).to(torch.uint8)

    settings = dict(steps=8, batch_size=6, average=0.9, condition=torch.arange(20) % 3, prepare=binarise)
    settings["precision"] = precision
    whole = fit(models[0], x, **settings)
    original, calls = models[1].loss, []

    def loss(*batch):
        calls.append(batch)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return original(*batch)

    models[1].loss = loss
    part = fit(models[1], x, checkpoint=tmp_path / "run", **settings)
    assert part.interrupted and len(part.loss) == 4
    for resumption in (dict(resume=part), dict(checkpoint=tmp_path / "run")):
        model = new()
        history = fit(model, x, **resumption, **settings)
        assert history.loss == whole.loss and history.precision == precision
        assert same_weights(model, models[0])
        assert all(p.is_contiguous() for p in model.parameters()) and not model.training


# -- what fit leaves alone -------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize("at", ["nowhere", "loss", "measure", "prepare", "interrupt", "settings"])
def test_the_handler_of_ctrl_c_is_given_back(at, monkeypatch):
    closed = []
    original = train.progress
    monkeypatch.setattr(train, "progress", lambda **named: closing(original(**named), closed))

    def fail(*_):
        raise Stop

    def handler(*_):
        raise AssertionError("Ctrl-C came to the old handler")

    changes = dict(measure=dict(measure=fail), prepare=dict(prepare=fail), settings=dict(steps=0)).get(at, {})
    model = Line(dict(loss=fail, interrupt=ctrl_c_at(2)).get(at))
    previous = signal.signal(signal.SIGINT, handler)
    try:
        if at in ("nowhere", "interrupt"):
            fit(model, X, **{**SETTINGS, **changes})
        else:
            with pytest.raises(ValueError if at == "settings" else Stop):
                fit(model, X, **{**SETTINGS, **changes})
        assert signal.getsignal(signal.SIGINT) is handler
        assert closed == ([] if at == "settings" else [True])
    finally:
        signal.signal(signal.SIGINT, previous)


def closing(bar, closed):
    original = bar.close
    bar.close = lambda: closed.append(True) or original()
    return bar


def test_fit_in_another_thread_leaves_signals_alone():
    result, before = [], signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: result.append(uninterrupted()))
    thread.start()
    thread.join()
    model, history = result[0]
    assert same_weights(model, uninterrupted()[0]) and not history.interrupted
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_the_checkpoint_is_written_waits(tmp_path, monkeypatch):
    original = storage.save_file

    def interrupted_save(*arguments):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(storage, "save_file", interrupted_save)
    history = fit(Line(), X, checkpoint=tmp_path / "run", checkpoint_every=4, **SETTINGS)
    assert history.interrupted and len(history.loss) == 4
    assert read_state(tmp_path / "run")["step"] == 4


def test_global_random_numbers_and_the_data_are_untouched():
    state, x, condition = torch.get_rng_state(), X.clone(), CLASSES.clone()
    uninterrupted()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(X, x) and torch.equal(CLASSES, condition)


def test_the_generator_decides():
    assert uninterrupted()[1].loss == uninterrupted(generator=generator(0))[1].loss
    assert uninterrupted()[1].loss != uninterrupted(generator=generator(1))[1].loss


def test_only_the_loss_of_a_model_is_called():
    class Strict(Line):
        def forward(self, *_):
            raise AssertionError("forward was called")

        def __getattr__(self, name):
            if name in ("log_prob", "logits", "sample", "event_shape", "levels", "encode"):
                raise AssertionError(f"{name} was looked at")
            return super().__getattr__(name)

    model = Strict()
    history = fit(model, X, steps=3, batch_size=8)
    assert model.calls == 3 and len(history.loss) == 3


# -- a loss that draws random numbers --------------------------------------------------------------------------------


class Noisy(Line):
    """As a VAE, it draws in its loss, and without a generator; `drawn` keeps what came."""

    def __init__(self, at_step=None, seed=0):
        super().__init__(at_step, seed)
        self.drawn = []

    def loss(self, x, condition=None):
        e = torch.randn(x.shape)
        self.drawn.append(e)
        return super().loss(nn.functional.dropout(x + 0.3 * e, 0.2, self.training), condition)


def noisy_measure(model):
    return measure(model) + torch.randn(()).item()


NOISY = dict(SETTINGS, measure=noisy_measure, measure_every=7)


@pytest.fixture
def own_random_state():
    """A law that is broken must not spoil the next test."""
    with torch.random.fork_rng(devices=[]):
        yield


with_noise = pytest.mark.usefixtures("own_random_state")


def law_noise_resumed():
    expected = Noisy()
    whole = fit(expected, X, **NOISY)
    part = fit(Noisy(ctrl_c_at(9)), X, **NOISY)
    assert part.interrupted
    torch.randn(5)  # whatever is drawn in between
    model = Noisy(seed=1)
    history = fit(model, X, resume=part, **NOISY)
    assert history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


def law_noise_from_the_run_alone():
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = Noisy()
        runs.append((model, fit(model, X, generator=generator(5), **NOISY)))
    (model, history), (other, same) = runs
    assert history.loss == same.loss and history.measured == same.measured and same_weights(model, other)


def law_global_state_untouched():
    def fail(_):
        torch.randn(3)
        raise Stop

    state = torch.get_rng_state()
    fit(Noisy(), X, **NOISY)
    assert torch.equal(torch.get_rng_state(), state)
    assert fit(Noisy(ctrl_c_at(3, 3)), X, **NOISY).interrupted
    for model, changes in ((Noisy(raise_at(3, Stop())), {}), (Noisy(), dict(measure=fail))):
        with pytest.raises(Stop):
            fit(model, X, **{**NOISY, **changes})
    assert torch.equal(torch.get_rng_state(), state)


def law_noise_is_new_every_time():
    """At each step, at each measurement, and in a run with another generator."""
    drawn = []

    def draw(_):
        drawn.append(torch.randn(X[:8].shape))
        return 0

    for seed in (0, 1):
        model = Noisy()
        fit(model, X, generator=generator(seed), **dict(SETTINGS, measure=draw, measure_every=1))
        drawn += model.drawn
    assert len(drawn) == 120 == len({e[0, 0].item() for e in drawn})


NOISE = [law_noise_resumed, law_noise_from_the_run_alone, law_global_state_untouched, law_noise_is_new_every_time]


@with_noise
@pytest.mark.parametrize("law", NOISE, ids=lambda law: law.__name__)
def test_noise_in_the_loss(law):
    law()


@with_noise
def test_noise_in_the_loss_through_many_interruptions_and_a_file(tmp_path):
    expected = Noisy()
    whole = fit(expected, X, **NOISY)
    for attempt in range(15):
        model = Noisy(ctrl_c_at(3), seed=min(attempt, 1))
        history = fit(model, X, checkpoint=tmp_path / "run", **NOISY)
        if not history.interrupted:
            break
    assert attempt > 5 and history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


@with_noise
def test_noise_in_the_loss_takes_nothing_from_the_generator_and_measuring_nothing_from_the_noise():
    models, generators = (Line(), Noisy(), Noisy()), [generator(3) for _ in range(3)]
    for model, random, settings in zip(models, generators, (SETTINGS, SETTINGS, NOISY)):
        fit(model, X, generator=random, **settings)
    assert all(torch.equal(random.get_state(), generators[0].get_state()) for random in generators)
    assert same_weights(models[1], models[2])


@contextlib.contextmanager
def nothing_is_borrowed(run, device):
    yield lambda k: None


@contextlib.contextmanager
def nothing_is_given_back(run, device):
    yield lambda k: torch.default_generator.manual_seed(run + k)


def borrowed(seed, once=False):
    """Given back in the end, but seeded otherwise: with `seed(run, k)`."""

    @contextlib.contextmanager
    def randomness(run, device):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed(run, 0))
            yield lambda k: None if once else torch.default_generator.manual_seed(seed(run, k))

    return randomness


SEEDS = {
    "never": nothing_is_borrowed,
    "and not given back": nothing_is_given_back,
    "once": borrowed(lambda run, k: run, once=True),
    "the same at every step": borrowed(lambda run, k: run),
    "the same at a step and the measurement before it": borrowed(lambda run, k: run + k // 2),
    "the same in every run": borrowed(lambda run, k: k),
    "with bits that a seed does not have": borrowed(lambda run, k: (run << 32) + k),
}
FOUND = [
    ("never", law_noise_resumed), ("never", law_noise_from_the_run_alone), ("never", law_global_state_untouched),
    ("and not given back", law_global_state_untouched), ("once", law_noise_resumed),
    ("the same at every step", law_noise_is_new_every_time),
    ("the same at a step and the measurement before it", law_noise_is_new_every_time),
    ("the same in every run", law_noise_is_new_every_time),
    ("with bits that a seed does not have", law_noise_is_new_every_time),
]  # fmt: skip


@with_noise
@pytest.mark.parametrize("seeded, law", FOUND)
def test_wrong_noise_is_found(seeded, law, monkeypatch):
    monkeypatch.setattr(train, "_global_randomness", SEEDS[seeded])
    with pytest.raises(AssertionError):
        law()


# -- what fit does ---------------------------------------------------------------------------------------------------


def test_fit_learns():
    model = Line()
    history = fit(model, X, steps=300, batch_size=20, lr=0.05, condition=CLASSES)
    inputs, target = torch.cat([X, torch.ones(40, 1)], 1), CLASSES.float()[:, None]
    best = 3 * (inputs @ torch.linalg.lstsq(inputs, target).solution - target).square().mean().item()  # three outputs
    with torch.no_grad():
        assert model.loss(X, CLASSES).item() == pytest.approx(best, rel=0.02)
    assert history.loss[0] > 2 * best and history.smooth(50)[-1] < 1.2 * best
    assert history.seconds > 0 and history.precision in ("float32", "bfloat16")


def test_an_epoch_takes_each_example_once_in_a_new_order():
    x = torch.arange(12.0)[:, None].repeat(1, 4)
    model = Line()
    fit(model, x, steps=12, batch_size=3)
    epochs = torch.cat(model.seen)[:, 0].view(3, 12)
    for epoch in epochs:
        assert epoch.sort().values.tolist() == list(range(12))
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3


def test_what_does_not_fill_a_batch_waits_for_the_next_epoch():
    x = torch.arange(11.0)[:, None].repeat(1, 4)
    model = Line()
    fit(model, x, steps=30, batch_size=4)
    epochs = torch.cat(model.seen)[:, 0].view(15, 8)
    assert all(len(set(epoch.tolist())) == 8 for epoch in epochs)
    assert len(set(epochs.flatten().tolist())) == 11


def test_conditions_stay_with_their_examples():
    pairs = []

    class Pairs(Line):
        def loss(self, x, condition=None):
            pairs.extend(zip(x[:, 0].tolist(), condition.tolist()))
            return super().loss(x, condition)

    fit(Pairs(), torch.arange(12.0)[:, None].repeat(1, 4), steps=8, batch_size=3, condition=torch.arange(12) + 100)
    assert len(pairs) == 24 and all(c == x + 100 for x, c in pairs)


def test_schedule_rises_and_falls():
    values = [schedule(step, 200) for step in range(200)]
    assert values[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert max(values) == 1 and values[10] == 1
    assert values[10:] == pytest.approx([0.5 * (1 + math.cos(math.pi * k / 190)) for k in range(190)])
    assert all(a > b for a, b in zip(values[10:], values[11:])) and 0 < values[-1] < 1e-3
    assert schedule(0, 1) == 1 and all(0 < schedule(step, 3) <= 1 for step in range(3))


def test_average_is_an_exponential_moving_average_with_a_warm_start():
    weights = []
    model = Line(lambda call: weights.append(model.weight.detach().clone()))
    fit(model, X, steps=6, batch_size=8, average=0.99, precision="float32")
    raw = Line(lambda call: None)
    fit(raw, X, steps=6, batch_size=8, precision="float32")
    averaged = weights[0]
    for step, weight in enumerate(weights[1:] + [raw.weight.detach()], 1):
        decay = min(0.99, (1 + step) / (10 + step))
        averaged = decay * averaged + (1 - decay) * weight
    torch.testing.assert_close(model.weight.detach(), averaged)


def test_measurements_are_of_the_averaged_model_at_rest():
    seen = []

    def look(model):
        seen.append((model.training, model.weight.detach().clone()))
        return len(seen)

    model = Line()
    history = fit(model, X, **dict(SETTINGS, measure=look, measure_every=10))
    assert history.measured == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert not any(training for training, _ in seen)
    assert torch.equal(seen[-1][1], model.weight.detach())
    quiet, raw = Line(), Line()
    fit(quiet, X, **SETTINGS)
    assert same_weights(quiet, model), "to measure changes nothing"
    assert fit(raw, X, **dict(SETTINGS, measure=look)).measured == [(30, 4.0)]


@pytest.mark.parametrize(
    "capabilities, expected",
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_precision_follows_the_processor(capabilities, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert native_bfloat16() is expected
    dtypes = []

    class Look(Line):
        def loss(self, x):
            dtypes.append((x @ self.weight.T).dtype)
            return super().loss(x)

    history = fit(Look(), X, steps=2, batch_size=8)
    assert history.precision == ("bfloat16" if expected else "float32")
    assert set(dtypes) == {torch.bfloat16 if expected else torch.float32}


def test_bfloat16_on_demand_is_nearly_float32():
    losses = [fit(Line(), X, steps=40, batch_size=8, precision=p).loss for p in ("float32", "bfloat16")]
    assert losses[0] != losses[1]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=0.05, atol=0.02)


def test_progress_bars_have_one_switch(monkeypatch, capsys):
    monkeypatch.setenv("GENCOURSE_PROGRESS", "0")
    fit(Line(), X, steps=2, batch_size=8, name="quiet")
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("GENCOURSE_PROGRESS")
    fit(Line(), X, steps=2, batch_size=8, name="loud")
    assert "loud" in capsys.readouterr().err
    monkeypatch.setattr(gencourse.progress, "enabled", False)
    fit(Line(), X, steps=2, batch_size=8, name="quiet")
    assert capsys.readouterr().err == ""


def test_smooth_is_a_running_mean():
    assert History(loss=[4.0, 2.0, 0.0, 1.0]).smooth(2) == [4.0, 3.0, 1.0, 0.5]
    assert History().smooth() == []


# -- the best, and the time there is ---------------------------------------------------------------------------------


def up_and_down(seen):
    """A measure that is lowest at its second call and highest at its third; `seen` keeps the weights."""

    def measure(model):
        seen.append(model.weight.detach().clone())
        return {1: 5.0, 2: 1.0, 3: 9.0, 4: 1.0, 5: math.nan}[len(seen)]

    return measure


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("keep, which", [("lowest", 1), ("highest", 2), ("last", 4)])
@pytest.mark.parametrize("stop", [None, 10, 16, 29])
def test_the_model_ends_as_what_measured_best(keep, which, stop, average, tmp_path):
    seen = []
    settings = dict(SETTINGS, measure=up_and_down(seen), measure_every=7, keep=keep, average=average)
    model = Line(ctrl_c_at(*[stop] * (stop is not None)))
    history = fit(model, X, checkpoint=tmp_path / "run", **settings)
    if stop:
        assert history.interrupted
        model = Line(seed=1)
        history = fit(model, X, checkpoint=tmp_path / "run", **settings)
    assert torch.equal(model.weight, seen[which]) and len(seen) == 5
    assert train.best(history.measured, keep)[0] == [7, 14, 21, 28, 30][which]
    again = Line(seed=2)
    fit(again, X, checkpoint=tmp_path / "run", **settings)
    assert same_weights(again, model) and len(seen) == 5, "a finished run is read, not measured again"


def test_to_keep_the_best_changes_nothing_of_the_run():
    assert uninterrupted(keep="lowest")[1].loss == uninterrupted()[1].loss
    with pytest.raises(TypeError, match="to keep the lowest, it must give one number"):
        uninterrupted(keep="lowest", measure=lambda model: {"a": 1})


def test_minutes_end_a_call_and_not_the_run(tmp_path, monkeypatch):
    """A clock that only the steps move: six seconds each."""
    expected, whole = uninterrupted()
    now = [0.0]
    monkeypatch.setattr(train.time, "monotonic", lambda: now[0])

    def pass_time(_):
        now[0] += 6

    done = []
    for attempt in range(3):
        model = Line(pass_time, seed=attempt)
        history = fit(model, X, minutes=1, checkpoint=tmp_path / "run", **SETTINGS_MEASURED)
        done.append((len(history.loss), history.interrupted))
    assert done[:2] == [(10, True), (20, True)] and done[2][0] == 30
    history = fit(model, X, checkpoint=tmp_path / "run", **SETTINGS_MEASURED)  # the last measurement may be left
    assert history.loss == whole.loss and history.measured == whole.measured and same_weights(model, expected)


def test_the_state_is_written_every_two_minutes_and_after_measuring(tmp_path, monkeypatch):
    now, steps = [0.0], []
    monkeypatch.setattr(train.time, "monotonic", lambda: now[0])
    write = train.write_state
    monkeypatch.setattr(train, "write_state", lambda path, state: steps.append(state["step"]) or write(path, state))

    def pass_time(_):
        now[0] += 50

    fit(Line(pass_time), X, checkpoint=tmp_path / "run", checkpoint_every=20, **dict(SETTINGS_MEASURED, steps=25))
    assert steps == [3, 6, 7, 10, 13, 14, 17, 20, 21, 24, 25]


def test_the_bar_shows_losses_and_measurements_and_counts_on(monkeypatch):
    bars = []
    original = train.progress
    monkeypatch.setattr(train, "progress", lambda **named: bars.append(original(**named)) or bars[-1])
    monkeypatch.setenv("GENCOURSE_PROGRESS", "1")
    part = fit(Line(ctrl_c_at(9)), X, **SETTINGS_MEASURED)
    whole = fit(Line(), X, resume=part, **SETTINGS_MEASURED)
    assert bars[1].initial == 9 and bars[1].n == 30
    words = f"loss {sum(whole.loss) / 30:.2f} measured {whole.measured[-1][1]:.2f}"
    assert bars[1].postfix == words


# -- numbers that are not finite -------------------------------------------------------------------------------------


class Breaks(Line):
    """At step 10 the loss, or its gradient alone, is no number."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def loss(self, x, condition=None):
        loss = super().loss(x, condition)
        if self.calls < 10:
            return loss
        if self.what == "gradient":
            return loss + (self.weight * 0).square().sum().sqrt()  # the root has no slope at 0
        return loss * (math.nan if self.what == "nan" else math.inf)


@pytest.mark.parametrize("what", ["nan", "infinite", "gradient"])
def test_a_loss_that_is_no_number_stops_the_run_and_spoils_nothing(what, tmp_path):
    model, path, random = Breaks(what), tmp_path / "run", generator(3)
    settings = dict(SETTINGS, average=0.0, checkpoint=path, checkpoint_every=3)
    with pytest.raises(FloatingPointError, match=r"(loss|gradient) is (nan|inf) at step 10 of 30; try a smaller lr"):
        fit(model, X, generator=random, **settings)
    reference = Line(raise_at(10, KeyboardInterrupt()))
    expected = generator(3)
    fit(reference, X, generator=expected, **dict(SETTINGS, average=0.0))
    assert same_weights(model, reference), "the model is as it was after step 9"
    assert torch.equal(random.get_state(), expected.get_state())
    state = read_state(path)
    assert state["step"] == 9 and all(torch.isfinite(t.float()).all() for t in state["tensors"].values())
    assert os.listdir(tmp_path) == ["run"]
    good = Line()
    assert fit(good, X, generator=generator(3), **settings).loss == fit(Line(), X, generator=generator(3),
                                                                       **dict(SETTINGS, average=0.0)).loss  # fmt: skip


def test_a_step_given_up_leaves_the_running_statistics_as_they_were():
    class Normed(Breaks):
        def __init__(self, what):
            super().__init__(what)
            self.norm = nn.BatchNorm1d(4)

        def loss(self, x, condition=None):
            return super().loss(self.norm(x), condition)

    for what in ("nan", "gradient"):
        model, reference = Normed(what), Normed("nothing yet")
        with pytest.raises(FloatingPointError):
            fit(model, X, **dict(SETTINGS, average=0.0))
        reference.at_step = raise_at(10, KeyboardInterrupt())
        fit(reference, X, **dict(SETTINGS, average=0.0))
        assert model.norm.num_batches_tracked == 9 and same_weights(model, reference)


# -- checkpoints -------------------------------------------------------------------------------------------------------


def test_a_damaged_checkpoint_is_named(tmp_path):
    run = tmp_path / "run.safetensors"
    fit(Line(), X, checkpoint=run, **SETTINGS)
    run.write_bytes(run.read_bytes()[:1000])
    model = Line(seed=1)
    with pytest.raises(ValueError, match=r"run\.safetensors is damaged .*deleted and started anew"):
        fit(model, X, checkpoint=run, **SETTINGS)
    assert model.calls == 0 and same_weights(model, Line(seed=1))


def test_wrong_checkpoints_are_refused(tmp_path):
    run = tmp_path / "run"
    fit(Line(ctrl_c_at(5)), X, checkpoint=run, **SETTINGS)
    content = run.read_bytes()
    for changes, message in [
        (dict(lr=0.1), "lr was 0.05, is 0.1"),
        (dict(steps=31), "steps was 30, is 31"),
        (dict(batch_size=4), "batch_size was 8, is 4"),
        (dict(average=0.0), "average was 0.9, is 0.0"),
        (dict(clip=2.0), "clip was 1.0, is 2.0"),
    ]:
        with pytest.raises(ValueError, match=f"other settings: {message}; give those, or start anew"):
            fit(Line(), X, checkpoint=run, **{**SETTINGS, **changes})
    with pytest.raises(ValueError, match="examples was 40, is 39"):
        fit(Line(), X[:39], checkpoint=run, **dict(SETTINGS, condition=CLASSES[:39]))
    wide = Line()
    wide.weight = nn.Parameter(torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"had another model \(weight: \(3, 4\) .*start anew"):
        fit(wide, X, checkpoint=run, **SETTINGS)
    assert run.read_bytes() == content
    save(Line(), tmp_path / "weights")
    with pytest.raises(ValueError, match=r"weights is no state of a run .*delete it, or name another checkpoint="):
        fit(Line(), X, checkpoint=tmp_path / "weights", **SETTINGS)
    save_file({"a": torch.zeros(1)}, tmp_path / "bare")
    with pytest.raises(ValueError, match="bare is no state of a run"):
        fit(Line(), X, checkpoint=tmp_path / "bare", **SETTINGS)
    with pytest.raises(ValueError, match="holds the weights of another model"):
        load(Line(), run)


def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    model = Line()
    with pytest.raises(ValueError, match="cannot be written .*; give a file in another folder"):
        fit(model, X, checkpoint=tmp_path / "file" / "run", **SETTINGS)
    with pytest.raises(ValueError, match="checkpoint is the folder"):
        fit(model, X, checkpoint=tmp_path, **SETTINGS)

    def refuse(**_):
        raise PermissionError("permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match="run cannot be written .permission denied.; give"):
        fit(model, X, checkpoint=tmp_path / "run", **SETTINGS)
    assert model.calls == 0


def test_a_full_disk_costs_no_training(tmp_path, monkeypatch, capsys):
    expected, whole = uninterrupted()
    original, tries = train.write_state, []

    def full(*state):
        tries.append(state)
        if len(tries) in failing:
            raise OSError("No space left on device")
        original(*state)

    monkeypatch.setattr(train, "write_state", full)
    settings = dict(SETTINGS_MEASURED, checkpoint=tmp_path / "run", checkpoint_every=4)
    failing, model = (2, 3), Line()
    assert fit(model, X, **settings).loss == whole.loss and same_weights(model, expected)
    told = capsys.readouterr().out
    assert told.count("is not kept: No space left on device. The training goes on") == 1
    assert read_state(tmp_path / "run")["step"] == 30
    (tmp_path / "run").unlink()
    tries.clear()
    failing = range(100)
    part = fit(Line(ctrl_c_at(9)), X, **settings)
    assert "resume=history" in capsys.readouterr().out and not (tmp_path / "run").exists()
    model = Line()
    assert fit(model, X, resume=part, **SETTINGS_MEASURED).loss == whole.loss and same_weights(model, expected)


# -- whatever the caller has switched ----------------------------------------------------------------------------------


@contextlib.contextmanager
def switched(switch, value, back):
    switch(value)
    try:
        yield
    finally:
        switch(back)


AROUND = {
    "gradients off": lambda: switched(torch.set_grad_enabled, False, True),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "another device": lambda: switched(torch.set_default_device, "meta", None),
    "double": lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
}


@pytest.mark.parametrize("around", AROUND)
def test_fit_does_the_same_whatever_the_caller_has_switched(around, tmp_path):
    settings = dict(SETTINGS_MEASURED, prepare=lambda x, g: x + torch.rand(x.shape, generator=g, dtype=x.dtype))
    expected, whole = uninterrupted(**settings)
    models = [Line(ctrl_c_at(9)), Line(seed=1), Line(seed=1)]
    with AROUND[around]():
        part = fit(models[0], X.clone(), **dict(settings, condition=CLASSES.clone()))
        resumed = fit(models[1], X.clone(), resume=part, checkpoint=tmp_path / "run", **settings)
        again = fit(models[2], X, checkpoint=tmp_path / "run", **settings)  # finished: read from the file
    for model, history in ((models[1], resumed), (models[2], again)):
        assert history.loss == whole.loss and history.measured == whole.measured
        assert same_weights(model, expected)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_weights_that_can_never_be_trained_are_named():
    with torch.inference_mode():
        model = Line()
    with pytest.raises(ValueError, match="of this Line were made under torch.inference_mode"):
        fit(model, X, **SETTINGS)


def test_a_loss_without_weights_is_named():
    class Blind(Line):
        def loss(self, x, condition=None):
            return super().loss(x, condition).detach()

    with pytest.raises(ValueError, match="the loss depends on no weight that can be trained"):
        fit(Blind(), X, **SETTINGS)


def test_numbers_of_numpy_are_numbers(tmp_path):
    plain = dict(steps=12, batch_size=8, lr=0.5, average=0.5, clip=2.0, measure=measure, measure_every=5)
    numpy = {key: value if callable(value) else np.asarray(value)[()] for key, value in plain.items()}
    models = [Line(), Line()]
    histories = [fit(model, X, checkpoint=tmp_path / str(i), **kind)
                 for i, (model, kind) in enumerate(zip(models, (plain, numpy), strict=True))]  # fmt: skip
    assert same_weights(*models) and histories[0].loss == histories[1].loss
    assert read_state(tmp_path / "0")["settings"] == read_state(tmp_path / "1")["settings"]


@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_frozen_and_unused_weights_stay_where_they_are(muon, tmp_path):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            with torch.random.fork_rng():
                torch.manual_seed(0)
                self.layers = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 9), nn.Linear(9, 1))
                self.unused = nn.Linear(8, 8)
            self.layers[1].requires_grad_(False)

        def loss(self, x):
            return self.layers(x).square().mean()

    settings = dict(steps=12, batch_size=8, average=0.9, muon=muon, precision="float32")
    models = [Wide() for _ in range(4)]
    fit(models[0], X, **settings)
    for module in ("layers.1", "unused"):
        for key, weight in models[0].get_submodule(module).state_dict().items():
            assert torch.equal(weight, models[1].get_submodule(module).state_dict()[key])
    assert not torch.equal(models[0].layers[2].weight, models[1].layers[2].weight)
    part = fit(models[2], X, minutes=1e-9, **settings)
    fit(models[3], X, resume=part, **settings)
    assert same_weights(models[0], models[3])


# -- a run that was begun in another precision -------------------------------------------------------------------------


def test_a_run_begun_on_another_processor_goes_on_in_its_own_precision(monkeypatch, capsys):
    def on(native, stop=None, **changes):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": native}, raising=False)
        model = Line(ctrl_c_at(stop) if stop else None)
        return model, fit(model, X, **{**SETTINGS, **changes})

    for native in (True, False):
        expected, whole = on(native)
        assert capsys.readouterr().out == ""
        _, part = on(native, stop=9)
        capsys.readouterr()
        model, history = on(not native, resume=part)
        assert history.precision == whole.precision and history.loss == whole.loss and same_weights(model, expected)
        words = capsys.readouterr().out
        assert f"goes on in {whole.precision}" in words and ("slow" in words) == native and words.count("\n") == 1


def test_a_run_goes_on_in_another_precision_if_that_is_asked(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    part = fit(Line(ctrl_c_at(9)), X, **SETTINGS)
    assert part.precision == "bfloat16"
    history = fit(Line(ctrl_c_at(3)), X, resume=part, precision="float32", **SETTINGS)
    assert history.precision == "float32" and len(history.loss) == 12
    assert fit(Line(), X, resume=history, **SETTINGS).precision == "float32", "the last one is the run's own"
    del part.state["settings"]["precision_asked"]  # as runs were written once
    assert fit(Line(), X, resume=part, **SETTINGS).precision == "bfloat16"
    fixed = fit(Line(ctrl_c_at(9)), X, precision="bfloat16", **SETTINGS)
    with pytest.raises(ValueError, match="other settings: precision was bfloat16, is float32; give those"):
        fit(Line(), X, resume=fixed, precision="float32", **SETTINGS)


# -- several at once ---------------------------------------------------------------------------------------------------


def test_trainings_in_threads_of_one_process_are_what_each_is_alone():
    alone = {seed: fit(Noisy(), X, **NOISY, generator=generator(seed)) for seed in range(4)}
    barrier, together = threading.Barrier(4), {}

    def train_one(seed):
        barrier.wait()
        together[seed] = fit(Noisy(lambda _: time.sleep(1e-4)), X, **NOISY, generator=generator(seed))

    state = torch.get_rng_state()
    threads = [threading.Thread(target=train_one, args=[seed]) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, history in alone.items():
        assert together[seed].loss == history.loss and together[seed].measured == history.measured
    assert torch.equal(torch.get_rng_state(), state)


def test_a_training_within_a_measurement_gives_the_random_numbers_back():
    def look(model):
        torch.manual_seed(3)
        before = torch.rand(())
        fit(Noisy(), X, **dict(NOISY, measure=None, steps=2))
        torch.manual_seed(3)
        torch.rand(())
        expected = torch.rand(())
        torch.manual_seed(3)
        assert torch.rand(()) == before
        fit(Noisy(), X, **dict(NOISY, measure=None, steps=2))
        assert torch.rand(()) == expected
        return 0.0

    fit(Noisy(), X, **dict(NOISY, measure=look, steps=2))


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, message, changes",
    [
        (ValueError, "steps is 0; expected at least 1", dict(steps=0)),
        (ValueError, "steps is -5; expected at least 1", dict(steps=-5)),
        (TypeError, "steps is 2.0; expected an integer", dict(steps=2.0)),
        (TypeError, "steps is True; expected an integer", dict(steps=True)),
        (ValueError, "batch_size is 0; expected at least 1", dict(batch_size=0)),
        (ValueError, "batch_size is 41, but x has only 40", dict(batch_size=41)),
        (TypeError, "batch_size is None; expected an integer", dict(batch_size=None)),
        (ValueError, "lr is 0; expected a positive", dict(lr=0)),
        (ValueError, "lr is nan; expected a positive", dict(lr=math.nan)),
        (TypeError, "lr is '1e-3'; expected a number", dict(lr="1e-3")),
        (ValueError, r"average is 1; expected a decay in \[0, 1\)", dict(average=1.0)),
        (TypeError, "average is None; expected a number", dict(average=None)),
        (ValueError, "clip is 0; expected a positive", dict(clip=0)),
        (ValueError, "measure_every is -1; expected at least 0", dict(measure_every=-1)),
        (ValueError, "checkpoint_every is 0; expected at least 1", dict(checkpoint_every=0)),
        (ValueError, "precision is 'float16'; expected one of", dict(precision="float16")),
        (ValueError, "keep is 'best'; expected one of", dict(keep="best")),
        (ValueError, "keep is 'lowest', but there is no measure", dict(keep="lowest")),
        (ValueError, "minutes is 0; expected a positive", dict(minutes=0)),
        (ValueError, "minutes is '5'; expected a positive", dict(minutes="5")),
        (TypeError, "generator is 7; expected a torch.Generator", dict(generator=7)),
        (ValueError, r"condition has shape \(39,\); expected one entry for each of 40", dict(condition=CLASSES[1:])),
        (TypeError, "condition is of type list; expected a torch.Tensor", dict(condition=[0] * 40)),
        (TypeError, "resume is of type dict; expected the History", dict(resume={})),
        (ValueError, "resume is the History of a run that was finished", dict(resume=History())),
        (TypeError, "x is of type list; expected a torch.Tensor", dict(x=[[1.0]])),
        (ValueError, r"x has shape \(0, 4\); expected at least one example", dict(x=X[:0])),
        (ValueError, "x holds NaN or infinite values", dict(x=X / 0)),
        (TypeError, "model is of type Linear; expected .* with a method `loss`", dict(model=nn.Linear(4, 3))),
        (TypeError, "model is of type NoneType; expected a torch.nn.Module", dict(model=None)),
        (ValueError, "this ContextTable has no weights to train", dict(model=ContextTable((1, 2, 2)))),
    ],
)
def test_fit_says_what_is_wrong(error, message, changes):
    state = torch.get_rng_state()
    arguments = {"model": Line(), "x": X, **SETTINGS, **changes}
    with pytest.raises(error, match=message):
        fit(arguments.pop("model"), arguments.pop("x"), **arguments)
    assert torch.equal(torch.get_rng_state(), state)


def test_bad_levels_are_named_by_the_model():
    model = PixelCNN((1, 4, 4), n_blocks=0, channels=2)
    with pytest.raises(ValueError, match="levels 0 … 2"):
        fit(model, torch.arange(48).view(3, 1, 4, 4) % 3, steps=1, batch_size=3)
    with pytest.raises(TypeError, match="binarise or quantise"):
        fit(model, torch.rand(3, 1, 4, 4, generator=generator()), steps=1, batch_size=3)


# -- devices -----------------------------------------------------------------------------------------------------------


def test_batches_are_prepared_where_the_data_lie_and_moved_to_the_model(monkeypatch):
    """`meta` stands for a device that the data and the generator are not on; it cannot compute, so the loss stops."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # it knows no such device
    seen = []

    def prepare(batch, generator):
        seen.append((batch.device.type, generator.device.type))
        return noisy(batch, generator)

    class Elsewhere(Line):
        def loss(self, x, condition=None):
            seen.append((x.device.type, condition.device.type))
            raise Stop

    with pytest.raises(Stop):
        fit(Elsewhere().to("meta"), X, **dict(SETTINGS, prepare=prepare, average=0.0))
    assert seen == [("cpu", "cpu"), ("meta", "meta")]


def test_random_numbers_are_drawn_where_the_generator_is():
    """So they are the same for a model on any device: the generator moves on as for a model on its own."""
    for draw in (
        lambda device, generator: reparameterise(*torch.ones(2, 3, 5, device=device), generator),
        lambda device, generator: image_gan((1, 8, 8), 4, 4).to(device).noise(6, generator),
        lambda device, generator: gradient_penalty(
            lambda x: x.sum(1), torch.ones(2, 3, device=device), torch.zeros(2, 3, device=device), generator=generator
        ),
    ):
        here, there = generator(4), generator(4)
        assert draw("cpu", here).device.type == "cpu" and draw("meta", there).device.type == "meta"
        assert not torch.equal(here.get_state(), generator(4).get_state())
        assert torch.equal(here.get_state(), there.get_state())
