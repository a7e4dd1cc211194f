"""Laws of a training that goes on: interrupted is uninterrupted, and what is kept is whole."""

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from trainings import (
    CLASSES,
    SETTINGS,
    SETTINGS_MEASURED,
    Line,
    X,
    ctrl_c_at,
    generator,
    measure,
    raise_at,
    same_weights,
    uninterrupted,
)

from gencourse.models import PixelCNN, WaveNet, image_gan
from gencourse.support.storage import load, packed, read_state
from gencourse.training import fit, fit_gan, loop
from gencourse.training.interrupts import Interrupts

ROOT = Path(__file__).resolve().parents[1]


# -- interrupted is uninterrupted ------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, dict(average=0.0), dict(prepare=None, condition=None, measure=None)])
@pytest.mark.parametrize("stop", ["raise", "signal", "two signals"])
@pytest.mark.parametrize("step", [1, 7, 14, 30])
def test_a_resumed_run_is_a_run_that_was_not_interrupted(step, stop, changes, capsys):
    expected, whole = uninterrupted(**changes)
    at_step = {
        "raise": raise_at(step, KeyboardInterrupt()),
        "signal": ctrl_c_at(step),
        "two signals": ctrl_c_at(step, step),
    }[stop]
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
    Interrupts.last = -math.inf  # as if some time had passed
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
        patch.setattr(loop, "AGAIN_SECONDS", 0)
        model = Line()
        history = fit(model, X, **SETTINGS)
        contest = fit_gan(image_gan((1, 8, 8), 2, 2), torch.rand(8, 1, 8, 8), steps=3, batch_size=4)
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
    monkeypatch.setattr(loop, "AGAIN_SECONDS", 0)  # later than that it is two trainings that were stopped
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
from gencourse.training import fit
torch.set_num_threads(1)
import trainings as t
def slow(call):
    print("step", flush=True)
    time.sleep(0.01)
model = t.Line(slow)
history = fit(model, t.X, checkpoint=sys.argv[1], checkpoint_every=2, **t.SETTINGS_MEASURED)
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
@pytest.mark.parametrize(
    "build",
    [
        lambda: PixelCNN((1, 5, 6), stacks="single", n_blocks=1, channels=6, n_classes=3),
        lambda: PixelCNN((1, 5, 6), stacks="gated", n_blocks=1, channels=6, n_classes=3),
        lambda: WaveNet((30,), 2, dilations=(1, 2), channels=6, skip_channels=6, n_classes=3),
    ],
)
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
    assert (
        fit(good, X, generator=generator(3), **settings).loss
        == fit(Line(), X, generator=generator(3), **dict(SETTINGS, average=0.0)).loss
    )


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
    (tmp_path / "weights").write_bytes(packed(Line()))
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
    original, tries = loop.write_state, []

    def full(*state):
        tries.append(state)
        if len(tries) in failing:
            raise OSError("No space left on device")
        original(*state)

    monkeypatch.setattr(loop, "write_state", full)
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
