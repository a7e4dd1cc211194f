"""The stored models are what their facts say, and load only as what they are."""

import errno
import hashlib
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from gencourse import checkpoints, data, metrics
from gencourse.checkpoints import make, tasks
from gencourse.checkpoints.tasks import MNIST, Task
from gencourse.cli import main
from gencourse.models import VAE, PixelCNN
from gencourse.models.vae import WarmUp
from gencourse.support import storage
from gencourse.support.files import FILES
from gencourse.training import fit


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A copy of the data folder without its contents, but for the checkpoints."""
    shutil.copytree(data.data_root() / "checkpoints", tmp_path / "checkpoints")
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path))
    return tmp_path / "checkpoints"


def test_the_stored_pixelcnn_scores_what_was_written_beside_it():
    model, facts = checkpoints.load("pixelcnn")
    x = data.binarise(data.mnist("test")[0], torch.Generator().manual_seed(0))[:1500]
    nats = metrics.nats(model, x)
    error = nats.std().item() / len(nats) ** 0.5
    assert abs(nats.mean().item() - facts["test"]) < 4 * error
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())


def test_the_stored_wavenet_scores_what_was_written_beside_it():
    model, facts = checkpoints.load("wavenet")
    recordings = [data.mu_law_encode(waveform) for waveform in data.spoken_words("test").waveforms]
    nothing_said = torch.full((len(recordings),), model.n_classes - 1)
    bits = metrics.bits_per_sample(model, recordings, nothing_said)
    assert bits == pytest.approx(facts["test"], abs=0.01)


@pytest.mark.parametrize("name", [name for name in ("vae", "iwae", "plane") if checkpoints.path(name).exists()])
def test_the_stored_vaes_score_what_was_written_beside_them(name):
    model, facts = checkpoints.load(name)
    x = data.binarise(data.mnist("test")[0], torch.Generator().manual_seed(0))[:600]
    bound = -metrics.importance_bound(model, x, 500)
    error = bound.std().item() / len(bound) ** 0.5
    assert abs(bound.mean().item() - facts["test"]) < 3 * error
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", [name for name in checkpoints.RECIPES if checkpoints.path(name).exists()])
def test_damaged_and_missing_files_are_named(name, elsewhere):
    file = elsewhere / f"{name}.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"{name}.safetensors is damaged"):
        checkpoints.load(name)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name}.safetensors is not there"):
        checkpoints.load(name)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match="pixelcnn, wavenet"):
        checkpoints.load("pixelrnn")


def test_loading_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    checkpoints.load("classifier")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_stored_gan_is_as_far_from_the_test_digits_as_was_written_beside_it():
    gan, facts = checkpoints.load("gan")
    judge, _ = checkpoints.load("classifier")
    test, samples = data.mnist("test")[0][::2] / 255, gan.sample(5000, torch.Generator().manual_seed(1))
    distance = metrics.frechet_distance(metrics.features(judge, samples), metrics.features(judge, test))
    assert distance == pytest.approx(facts["test"], abs=4)  # half as many images raise it by some two
    assert facts["parameters"] == sum(p.numel() for p in gan.parameters())


def test_the_package_is_imported_without_its_data(tmp_path):
    command = [sys.executable, "-c", "import gencourse.cli, gencourse.study, gencourse.checkpoints"]
    subprocess.run(command, env={**os.environ, "GENCOURSE_DATA": str(tmp_path)}, check=True)


def test_the_stored_wavenet_has_a_class_for_every_word_and_one_for_none():
    assert checkpoints.RECIPES["wavenet"]["build"]["n_classes"] == len(data.vocabulary()) + 1


# -- training ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A recipe that takes a second; `asked` lists the splits that were measured."""
    x = torch.randint(256, (60, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    asked = []

    def measure(model, split, n):
        asked.append(split)
        return metrics.nats(model, data.binarise(x, torch.Generator().manual_seed(0))[:n]).mean().item()

    recipe = dict(
        model=PixelCNN,
        task="toy",
        build=dict(event_shape=(1, 6, 6), n_blocks=1, channels=4),
        fit=dict(steps=150, batch_size=10, lr=0.01, average=0.9, precision="float32", checkpoint_every=3),
    )
    task = Task(x, measure, "nats an image", MNIST, "train: the first 400", prepare=data.binarise)
    monkeypatch.setitem(tasks.TASKS, "toy", lambda: task)
    monkeypatch.setitem(checkpoints.RECIPES, "toy", recipe)
    (tmp_path / "data" / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    recipe["asked"] = asked
    return recipe


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_a_run_killed_at_random_moments_ends_where_one_does_that_was_not(toy, tmp_path):
    toy["fit"]["steps"] = 300
    checkpoints.train("toy", effort=0.1)  # whatever takes its time only once
    began = time.monotonic()
    expected = checkpoints.train("toy", folder="whole").read_bytes()
    seconds = time.monotonic() - began
    checkpoints.path("toy").unlink()

    def start():
        if pid := os.fork():
            return pid
        try:
            os._exit(main(["train", "toy"]))
        finally:
            os._exit(9)

    killed, moments = [], [random.uniform(0, 0.4) for _ in range(4)]
    for moment in moments:
        pid = start()
        time.sleep(moment * seconds)
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] == signal.SIGKILL:
            state = storage.read_state("build/runs/toy.run.safetensors")
            killed.append(state["step"] if state else 0)
    assert os.waitpid(start(), 0)[1] == 0
    assert checkpoints.path("toy").read_bytes() == expected, f"killed after {moments} of {seconds:.2f} s"
    assert len(killed) >= 2 and killed == sorted(killed) and checkpoints.read_card("toy")["steps"] == 300


def test_the_card_says_how_the_weights_were_made(toy, tmp_path, capsys):
    assert main(["train", "toy"]) == 0
    told = capsys.readouterr().out
    model, card = checkpoints.load("toy")
    assert card["model"] == "PixelCNN" and card["build"]["event_shape"] == [1, 6, 6] and card["fit"]["lr"] == 0.01
    assert card["command"] == "gencourse train toy" and card["seed"] == 0 and card["precision"] == "float32"
    assert card["data"] == {name: FILES[name][1] for name in MNIST}
    assert card["versions"]["torch"] == torch.__version__ and set(card["versions"]) == {"python", "torch", "gencourse"}
    assert card["steps"] == 150 and 0 <= card["minutes"] < 1
    assert card["parameters"] == sum(p.numel() for p in model.parameters())
    steps = [step for step, _ in card["validation"]]
    assert steps == [*range(7, 150, 7), 150] == [step for step, _ in card["loss"]]
    assert card["best_step"] == min(card["validation"], key=lambda pair: pair[1])[0]
    assert card["weights"] == hashlib.sha256(checkpoints.path("toy").read_bytes()).hexdigest()
    assert f"test {card['test']:.4f} nats an image" in told
    assert toy["asked"] == 22 * ["validation"] + ["test"], "the test set is asked once, in the end"
    state = storage.read_state("build/runs/toy.run.safetensors")
    assert torch.tensor(state["history"]["loss"][:7]).mean().item() == pytest.approx(card["loss"][0][1])
    assert main(["train", "toy"]) == 0, "a finished run is not made, and not measured, again"
    assert "was finished before" in capsys.readouterr().out and toy["asked"].count("test") == 1


def test_a_run_that_overfits_ends_with_the_best_of_validation(toy):
    values = iter([3.0, 1.0, *range(5, 30)])
    task = tasks.TASKS["toy"]()
    tasks.TASKS["toy"] = lambda: task._replace(measure=lambda model, split, n: next(values) if split != "test" else 0.0)
    checkpoints.train("toy")
    card = checkpoints.read_card("toy")
    assert card["best_step"] == 14 and card["validation"][1] == [14, 1.0]
    state = storage.read_state("build/runs/toy.run.safetensors")["tensors"]
    weights = checkpoints.load("toy")[0].state_dict()
    assert all(torch.equal(weights[key], state[f"best.{key}"]) for key in weights)
    assert any(not torch.equal(weights[key], state[f"averaged.{key}"]) for key in weights)


def test_minutes_stop_a_run_without_a_checkpoint_and_the_same_command_goes_on(toy, capsys):
    expected = checkpoints.train("toy", folder="whole").read_bytes()
    checkpoints.path("toy").unlink()
    calls = 1
    while main(["train", "toy", "--minutes", "0.002"]) == 0 and not checkpoints.path("toy").exists():
        assert "interrupted after step" in capsys.readouterr().out
        calls += 1
    assert calls > 1 and checkpoints.path("toy").read_bytes() == expected
    assert main(["train", "toy", "--minutes", "-1"]) == 2
    assert "minutes is -1.0; expected a positive" in capsys.readouterr().err


def test_no_resume_starts_anew_and_a_trial_leaves_the_checkpoint_alone(toy, capsys):
    checkpoints.train("toy")
    shipped = checkpoints.path("toy").read_bytes()
    assert main(["train", "toy", "--effort", "0.1"]) == 0
    card = json.loads(open("build/runs/toy-effort0.1.json").read())
    assert card["steps"] == 15 and card["command"] == "gencourse train toy --effort 0.1"
    assert checkpoints.path("toy").read_bytes() == shipped
    capsys.readouterr()
    toy["fit"]["lr"] = 0.02
    assert main(["train", "toy"]) == 2 and "lr was 0.01, is 0.02" in capsys.readouterr().err
    assert main(["train", "toy", "--no-resume"]) == 0
    assert checkpoints.path("toy").read_bytes() != shipped and checkpoints.read_card("toy")["fit"]["lr"] == 0.02


def test_wrong_requests_to_train(toy, capsys, monkeypatch):
    for words, arguments in [
        ("there is no checkpoint 'toi'", ["toi"]),
        ("effort is 0.0; expected a positive number", ["toy", "--effort", "0"]),
        ("the device 'gpu' cannot be used here", ["toy", "--device", "gpu"]),
        ("the device 'cuda:7' cannot be used here", ["toy", "--device", "cuda:7"]),
    ]:
        assert main(["train", *arguments]) == 2 and words in capsys.readouterr().err
    with make.FileLock("build/runs/toy.run.lock"):
        assert main(["train", "toy"]) == 2
    assert "another process is training toy" in capsys.readouterr().err
    toy["fit"]["lr"] = 1e30
    assert main(["train", "toy"]) == 1
    assert "try a smaller lr" in capsys.readouterr().err


def test_ctrl_c_ends_the_command_and_keeps_the_run(toy, capsys):
    task = tasks.TASKS["toy"]()
    prepare = lambda x, generator: (signal.raise_signal(signal.SIGINT), data.binarise(x, generator))[1]  # noqa: E731
    tasks.TASKS["toy"] = lambda: task._replace(prepare=prepare)
    assert main(["train", "toy", "--minutes", "60"]) == 130
    assert "toy stopped at step 1; run the same command to go on" in capsys.readouterr().err


# -- weights and cards belong together --------------------------------------------------------------------------------


def test_evaluate_prints_the_figures_of_the_card_again(toy, capsys):
    checkpoints.train("toy")
    capsys.readouterr()
    assert main(["evaluate", "toy"]) == 0
    told = capsys.readouterr().out
    test = checkpoints.read_card("toy")["test"]
    assert f"test            {test:12.4f}{test:12.4f}     +0.0000" in told and "the whole test set" in told
    assert main(["evaluate", "toy", "--quick"]) == 0
    assert "the first 200 of the test set" in capsys.readouterr().out
    card = checkpoints.read_card("toy")
    make.write_card(checkpoints.path("toy"), dict(card, test=card["test"] + 0.5))
    assert main(["evaluate", "toy"]) == 1
    told = capsys.readouterr()
    assert "-0.5000" in told.out and "test: more than a thousandth off the card" in told.err


def test_evaluate_takes_all_figures_and_as_many_examples_as_it_says():
    figures = checkpoints.evaluate("classifier", quick=True)
    assert list(figures) == ["test", "test_binarised"]
    for now, card in figures.values():
        assert now * 200 == pytest.approx(round(now * 200)) and abs(now - card) < 0.03


@pytest.mark.parametrize(
    "spoil, error, words",
    [
        (
            lambda file, card: card.unlink(),
            FileNotFoundError,
            "toy.json, the card of toy.safetensors, is not there; get",
        ),
        (lambda file, card: (file.unlink(), card.unlink()), FileNotFoundError, "toy is not trained yet"),
        (lambda file, card: card.write_text(card.read_text()[:90]), ValueError, "toy.json is damaged"),
        (lambda file, card: card.write_bytes(b"\xff\xfe"), ValueError, "toy.json is damaged"),
        (
            lambda file, card: card.write_text("[]"),
            ValueError,
            "toy.json is no card of a checkpoint: it lacks name, build",
        ),
        (lambda file, card: card.write_text("7"), ValueError, "toy.json is damaged"),
        (
            lambda file, card: card.write_text(card.read_text().replace('"unit"', '"units"')),
            ValueError,
            "it lacks unit;",
        ),
        (
            lambda file, card: card.write_text(card.read_text().replace('"test": ', '"test": "low", "before": ')),
            ValueError,
            "it lacks test;",
        ),
        (
            lambda file, card: card.write_text(card.read_text().replace('"toy"', '"boy"')),
            ValueError,
            "toy.json is the card of 'boy', expected that of 'toy'",
        ),
        (
            lambda file, card: card.write_text(card.read_text().replace('"channels": 4', '"channels": 8')),
            ValueError,
            "toy.safetensors holds the weights of another model",
        ),
        (
            lambda file, card: card.write_text(card.read_text().replace('"channels": 4', '"chanels": 4')),
            ValueError,
            "the model that .*toy.json describes cannot be built",
        ),
        (lambda file, card: file.write_bytes(file.read_bytes()[:-9]), ValueError, "toy.safetensors is damaged"),
        (lambda file, card: file.unlink(), FileNotFoundError, "toy.safetensors is not there"),
        (
            lambda file, card: file.write_bytes(storage.packed(PixelCNN((1, 6, 6), n_blocks=1, channels=4))),
            ValueError,
            r"toy.safetensors is not the file that its card describes: its sha256 is \w{12}…, expected \w{12}…; get",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(toy, spoil, error, words, capsys):
    checkpoints.train("toy", effort=1)
    file = checkpoints.path("toy")
    spoil(file, file.with_suffix(".json"))
    with pytest.raises(error, match=words):
        checkpoints.load("toy")
    assert main(["evaluate", "toy"]) == 2
    assert "gencourse evaluate: " in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_the_task_is_read(toy, tmp_path, monkeypatch, capsys):
    def never():
        raise AssertionError("the work began")

    tasks.TASKS["toy"] = never
    (tmp_path / "file").write_text("")
    assert main(["train", "toy", "--folder", "file/runs"]) == 2
    assert "nothing can be written to file/runs (Not a directory); name another folder" in capsys.readouterr().err
    (tmp_path / "data" / "checkpoints").rmdir()
    (tmp_path / "data" / "checkpoints").write_text("")
    assert main(["train", "toy"]) == 2
    assert "checkpoints (File exists); let GENCOURSE_DATA name a copy of data/" in capsys.readouterr().err


def test_a_lock_of_another_user_is_told(toy, monkeypatch, capsys):
    original = os.open

    def refuse(path, *how, **more):
        if str(path).endswith(".lock"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, *how, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert main(["train", "toy"]) == 2
    assert "toy.run.lock belongs to another user; name a folder of your own" in capsys.readouterr().err


def test_whoever_may_write_to_the_folder_shares_its_lock(toy, tmp_path):
    checkpoints.train("toy", effort=0.05, folder="shared")
    for lock in (tmp_path / "shared").glob("*.lock"):
        assert lock.stat().st_mode & 0o666 == 0o666


def test_precision_is_an_option_that_the_card_keeps(toy, capsys):
    toy["fit"]["steps"] = 4
    assert main(["train", "toy", "--effort", "0.9", "--precision", "bfloat16"]) == 0
    card = json.loads(Path("build/runs/toy-effort0.9.json").read_text())
    assert card["precision"] == "bfloat16"
    assert card["command"] == "gencourse train toy --effort 0.9 --precision bfloat16"
    for name, precision in (("toy", "float16"), ("gan", "float32")):
        with pytest.raises(ValueError, match=f"precision is '{precision}'; expected one of auto, float32"):
            checkpoints.train(name, precision=precision)


def test_a_kill_between_weights_and_card_is_seen_and_repaired_by_the_same_command(toy, monkeypatch):
    checkpoints.train("toy")
    whole = checkpoints.path("toy").read_bytes()
    toy["fit"]["lr"] = 0.02

    def killed(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(make, "write_card", killed)
        with pytest.raises(MemoryError):
            checkpoints.train("toy", resume=False)
    assert checkpoints.path("toy").read_bytes() != whole
    with pytest.raises(ValueError, match="is not the file that its card describes"):
        checkpoints.load("toy")
    checkpoints.train("toy")
    assert checkpoints.load("toy")[1]["fit"]["lr"] == 0.02


@pytest.mark.parametrize("name", [name for name in checkpoints.RECIPES if checkpoints.path(name).exists()])
def test_every_stored_model_is_small_and_has_its_card(name):
    model, card = checkpoints.load(name)
    assert checkpoints.path(name).stat().st_size < 4_000_000
    assert card["model"] == checkpoints.RECIPES[name]["model"].__name__ and card["name"] == name
    assert card["data"] == {file: FILES[file][1] for file in card["data"]} and card["data"]
    assert card["split"].startswith("train") and "validation" in card["split"]
    assert len(card["validation"]) >= checkpoints.RECIPES[name].get("measurements", 10) and math.isfinite(card["test"])


# -- recipes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", checkpoints.RECIPES)
def test_every_recipe_makes_a_model_of_less_than_four_megabytes_that_learns_from_its_task(name):
    recipe = checkpoints.RECIPES[name]
    assert recipe["task"] in tasks.TASKS
    model = recipe["model"](**recipe["build"])
    assert 4 * sum(p.numel() for p in model.parameters()) < 3_900_000
    settings = {key: value for key, value in recipe["fit"].items() if key not in ("average", "precision")}
    assert settings["steps"] >= 1000 and 0 < settings["lr"] < 0.01
    if "start" in recipe:
        before = recipe["model"](**checkpoints.RECIPES[recipe["start"]]["build"])
        assert storage.differences(before.state_dict(), model.state_dict()) == ""


# -- the KL that comes to count ---------------------------------------------------------------------------------------


def test_the_kl_comes_to_count_and_a_resumed_run_goes_on_with_it(tmp_path):
    x = (torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).to(torch.uint8)

    def new():
        torch.manual_seed(3)
        return WarmUp(VAE((1, 4, 4), 2, hidden=(5,)), 8)

    with torch.random.fork_rng():
        model = new()
        model.train()
        losses = []
        for _ in range(10):
            torch.manual_seed(0)
            losses.append(model.loss(x).item())
        torch.manual_seed(0)
        free = -model.vae.elbo(x, beta=0).mean().item()
        torch.manual_seed(0)
        whole = -model.vae.elbo(x).mean().item()
        expected = [free + (whole - free) * min(1, k / 8) for k in range(10)]
        assert losses == pytest.approx(expected, rel=1e-5) and whole - free > 0.01
        model.eval()
        torch.manual_seed(0)
        assert model.loss(x).item() == pytest.approx(whole) and model.done == 10

        settings = dict(steps=12, batch_size=10, precision="float32", average=0.9)
        one, two, three = new(), new(), new()
        fit(one, x, **settings)
        part = fit(two, x, minutes=1e-6, **settings)
        assert part.interrupted and len(part.loss) < 12
        fit(three, x, resume=part, **settings)
        assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), three.state_dict().values()))
    with pytest.raises(ValueError, match="n_samples is 5: the importance-weighted bound has no KL to warm up"):
        WarmUp(VAE((1, 4, 4), 2, hidden=(5,), n_samples=5), 8)


def test_sentences_are_learned_from_beside_the_words_and_no_word_of_them_is_told():
    words, both = tasks.spoken_words(), tasks.words_and_sentences()
    n, said_nothing = 7 * len(words.x) // 2, len(data.vocabulary())
    times, once = (c.bincount(minlength=said_nothing + 1) for c in (both.condition[:n], words.condition))
    assert torch.equal(times[:-1], 6 * once[:-1]) and times[-1] == once[-1]
    for told, window in zip(words.condition[::100], words.x[::100], strict=True):
        here = (both.x[:n] == window).all(1)
        assert set(both.condition[:n][here].tolist()) >= {told.item(), said_nothing} and here.sum() >= 7
    assert both.x[n:].shape == (sum((len(x) - 4000) // 2000 + 1 for x in data.sentences()), 4000)
    assert (both.condition[n:] == said_nothing).all() and both.x.dtype == torch.uint8
    assert torch.equal(both.x[n], data.mu_law_encode(data.sentences()[0][:4000]))
    assert both.measure is not None and set(words.files) < set(both.files)


def test_grey_digits_are_measured_in_bits_a_pixel():
    task = tasks.grey_digits()
    model = PixelCNN((1, 28, 28), levels=256, n_blocks=0, channels=2)
    with torch.no_grad():
        for parameter in model.head[-1].parameters():
            parameter.zero_()  # all levels equally probable: 8 bits
    assert task.measure(model, "validation", 20) == pytest.approx(8, abs=1e-5) and task.prepare is None


def test_a_model_is_measured_where_it_is():
    """`meta` stands for a GPU."""
    seen = []

    class Far(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1, device="meta"))

        def log_prob(self, x, condition=None):
            seen.append({x.device.type} | ({condition.device.type} if condition is not None else set()))
            return torch.zeros(len(x))

    for task in (tasks.binary_digits(), tasks.grey_digits(), tasks.spoken_words()):
        task.measure(Far(), "validation", 2)
    assert len(seen) == 4 and all(devices == {"meta"} for devices in seen)
