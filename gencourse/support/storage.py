"""Weights, and the states of runs, in files: safetensors, which hold numbers and no code, whole or not at all."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from safetensors.torch import save_file
from torch import Tensor, nn

from gencourse.support.errors import WrongValue
from gencourse.support.files import write_whole


def packed(model: nn.Module) -> bytes:
    """The weights as the content of a safetensors file: equal weights are equal bytes."""
    return serialise({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()})


def load(model: nn.Module, path: str | Path) -> None:
    """Read the weights of a file, as `packed` makes its content, into a model of the same sizes.

    Raises:
        FileNotFoundError: no such file. ValueError: damaged, or the weights of another model.
    """
    tensors, _ = _read(path)
    if unlike := differences(tensors, model.state_dict()):
        raise WrongValue(
            f"{path} holds the weights of another model ({unlike}); build the model with the sizes that "
            f"it had then; checkpoints.load builds and loads a stored model of the course"
        )
    model.load_state_dict(tensors)


def read_state(path: str | Path | None) -> dict[str, Any] | None:
    """The state of a run, or None if there is no such file yet."""
    if path is None or not Path(path).exists():
        return None
    tensors, metadata = _read(path)
    if "run" not in metadata:
        raise WrongValue(f"{path} is no state of a run (weights alone?); delete it, or name another checkpoint=")
    return {"tensors": tensors, **json.loads(metadata["run"])}


def write_state(path: str | Path, state: dict[str, Any]) -> None:
    """Write the state of a run, whole or not at all."""
    told = {"run": json.dumps({k: v for k, v in state.items() if k != "tensors"})}
    with write_whole(path) as part:
        try:
            save_file({k: v.detach().cpu().contiguous() for k, v in state["tensors"].items()}, part, told)
        except SafetensorError as error:  # what it makes of a full disk
            raise OSError(f"{path} cannot be written ({error})") from None


def differences(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """What keeps the tensors of a file from being those of a model; empty if nothing does."""
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    unlike = sorted(k for k in own.keys() & tensors.keys() if own[k].shape != tensors[k].shape)
    shapes = [f"{k}: {tuple(tensors[k].shape)} in the file, {tuple(own[k].shape)} in the model" for k in unlike]
    words = [f"missing {missing[:3]}"] * bool(missing) + [f"unknown {extra[:3]}"] * bool(extra) + shapes[:3]
    return "; ".join(words)


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is not there; files of the repository come back with `git checkout -- {path}`")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {k: file.get_tensor(k) for k in file.keys()}, file.metadata() or {}
    except SafetensorError as error:
        raise WrongValue(
            f"{path} is damaged ({error}); files of the repository come back with `git checkout -- {path}`, "
            "a run's checkpoint has to be deleted and started anew"
        ) from None
