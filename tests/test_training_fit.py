"""Laws of `fit`: what it does, what it leaves alone, and what it says where something is wrong."""

import contextlib
import math
import signal
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn
from trainings import (
    CLASSES,
    SETTINGS,
    SETTINGS_MEASURED,
    Line,
    Stop,
    X,
    ctrl_c_at,
    generator,
    measure,
    noisy,
    same_weights,
    uninterrupted,
)

import gencourse.support.progress
from gencourse.models import ContextTable, PixelCNN, image_gan
from gencourse.models.gan import gradient_penalty
from gencourse.models.vae import reparameterise
from gencourse.support import storage
from gencourse.support.storage import read_state
from gencourse.training import History, best, fit, loop, native_bfloat16, schedule

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
    monkeypatch.setattr(gencourse.support.progress, "enabled", False)
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
    assert best(history.measured, keep)[0] == [7, 14, 21, 28, 30][which]
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
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

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
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    write = loop.write_state
    monkeypatch.setattr(loop, "write_state", lambda path, state: steps.append(state["step"]) or write(path, state))

    def pass_time(_):
        now[0] += 50

    fit(Line(pass_time), X, checkpoint=tmp_path / "run", checkpoint_every=20, **dict(SETTINGS_MEASURED, steps=25))
    assert steps == [3, 6, 7, 10, 13, 14, 17, 20, 21, 24, 25]


def test_the_bar_shows_losses_and_measurements_and_counts_on(monkeypatch):
    bars = []
    original = loop.progress
    monkeypatch.setattr(loop, "progress", lambda **named: bars.append(original(**named)) or bars[-1])
    monkeypatch.setenv("GENCOURSE_PROGRESS", "1")
    part = fit(Line(ctrl_c_at(9)), X, **SETTINGS_MEASURED)
    whole = fit(Line(), X, resume=part, **SETTINGS_MEASURED)
    assert bars[1].initial == 9 and bars[1].n == 30
    words = f"loss {sum(whole.loss) / 30:.2f} measured {whole.measured[-1][1]:.2f}"
    assert bars[1].postfix == words


# -- what fit leaves alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["nowhere", "loss", "measure", "prepare", "interrupt", "settings"])
def test_the_handler_of_ctrl_c_is_given_back(at, monkeypatch):
    closed = []
    original = loop.progress
    monkeypatch.setattr(loop, "progress", lambda **named: closing(original(**named), closed))

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
    histories = [
        fit(model, X, checkpoint=tmp_path / str(i), **kind)
        for i, (model, kind) in enumerate(zip(models, (plain, numpy), strict=True))
    ]
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
