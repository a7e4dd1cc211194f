"""The stored models are what their facts say, and load only as what they are."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from gencourse import checkpoints, data, metrics


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
