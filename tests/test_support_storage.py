"""Laws of weights in files: they come round, belong to one model, and a damaged file is named."""

import os

import pytest
import torch
from torch import nn

from gencourse.models import PixelCNN
from gencourse.support.storage import load, packed, read_state, write_state


def line(seed=0, inputs=4, outputs=3, bias=True):
    model = nn.Linear(inputs, outputs, bias)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(generator=torch.Generator().manual_seed(seed))
    return model


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def save(model, path):
    path.write_bytes(packed(model))


def state_of(model):
    return {"tensors": model.state_dict(), "step": 1}


def test_weights_come_round(tmp_path):
    model, other = line(), line(seed=1)
    save(model, tmp_path / "weights.safetensors")
    load(other, tmp_path / "weights.safetensors")
    assert same_weights(model, other)


def test_channels_last_weights_come_round(tmp_path):
    model = PixelCNN((1, 4, 4), n_blocks=1, channels=4).to(memory_format=torch.channels_last)
    other = PixelCNN((1, 4, 4), n_blocks=1, channels=4)
    save(model, tmp_path / "w")
    load(other, tmp_path / "w")
    assert same_weights(model, other)


def test_a_state_comes_round(tmp_path):
    state = {"step": 3, "history": {"loss": [0.1, 1e-300], "measured": []}, "tensors": {"a.b": torch.arange(3)}}
    write_state(tmp_path / "run", state)
    read = read_state(tmp_path / "run")
    assert torch.equal(read.pop("tensors")["a.b"], state.pop("tensors")["a.b"]) and read == state
    save(line(), tmp_path / "w")
    with pytest.raises(ValueError, match="w is no state of a run"):
        read_state(tmp_path / "w")


def test_the_weights_of_another_model_are_refused(tmp_path):
    save(line(), tmp_path / "w")
    wide = line(seed=1, outputs=5)
    with pytest.raises(ValueError, match=r"w holds the weights of another .*weight: \(3, 4\) .*\(5, 4\) in the"):
        load(wide, tmp_path / "w")
    assert same_weights(wide, line(seed=1, outputs=5))
    more = line()
    more.extra = nn.Parameter(torch.zeros(1))
    with pytest.raises(ValueError, match=r"another model \(missing \['extra'\]"):
        load(more, tmp_path / "w")
    with pytest.raises(ValueError, match=r"another model \(unknown \['bias'\]"):
        load(line(bias=False), tmp_path / "w")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:20],
        lambda whole: b"\xff" * 300,
        lambda whole: b"no weights at all",
    ],
    ids=["empty", "cut", "header", "noise", "text"],
)
def test_damaged_files_are_named(damage, tmp_path):
    path = tmp_path / "w.safetensors"
    save(line(), path)
    path.write_bytes(damage(path.read_bytes()))
    model = line(seed=1)
    for read in (lambda: load(model, path), lambda: read_state(path)):
        with pytest.raises(ValueError, match=r"w\.safetensors is damaged .*git checkout .*deleted and started anew"):
            read()
    assert same_weights(model, line(seed=1))


def test_a_missing_file_is_named(tmp_path):
    for read in (lambda: load(line(), tmp_path / "w"), lambda: load(line(), tmp_path)):
        with pytest.raises(FileNotFoundError, match=r"is not there; .*git checkout"):
            read()
    assert read_state(tmp_path / "w") is None and read_state(None) is None


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_is_an_error_of_the_system_and_the_old_file_stays(tmp_path):
    import resource

    path, large = tmp_path / "run.safetensors", line(inputs=100, outputs=1000)
    write_state(path, state_of(line()))
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"run\.safetensors cannot be written \(.*File too large"):
            write_state(path, state_of(large))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
