"""What the rest of a training depends on: kept to go on from there, or taken back after half a step."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.support.errors import WrongValue
from gencourse.support.storage import differences, read_state
from gencourse.training.history import GANHistory, History


@dataclass(kw_only=True)
class Resumable:
    """A training as it can be stopped and resumed, in memory or through a file, to the same bits.

    Attributes:
        model: its weights are trained by `optimizers`, named.
        averaged: a moving average of some of the weights, or None.
        generator: source of the random numbers that the steps draw from it.
        settings: what a run that is resumed must have in common with its beginning, anything JSON can hold.
        best: the weights that measured best so far, all that `state_dict` names, or None.
        step: steps done. seed: of the batches and of what is drawn without a generator, itself drawn from it.
    """

    model: nn.Module
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: dict[str, Tensor] | None
    generator: torch.Generator
    history: History | GANHistory
    settings: dict[str, Any]
    best: dict[str, Tensor] | None = field(default=None, init=False)
    step: int = field(default=0, init=False)
    seed: int = field(init=False)

    def __post_init__(self) -> None:
        self.device = next(self.model.parameters()).device
        self.seed = int(torch.randint(2**31, (), generator=self.generator, device=self.generator.device))

    def present(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on: "tensors", and facts that JSON can hold."""
        tensors = {f"model.{k}": v.detach().clone() for k, v in self.model.state_dict().items()}
        for part, weights in (("averaged", self.averaged), ("best", self.best)):
            tensors |= {f"{part}.{k}": v.clone() for k, v in (weights or {}).items()}
        for name, optimizer in self.optimizers.items():
            for i, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{i}.{k}": v.clone() for k, v in moments.items()}
        tensors["generator"] = self.generator.get_state()
        of_this_call = ("state", "interrupted", "stopped", "precision")
        done = {k: v for k, v in vars(self.history).items() if k not in of_this_call}
        facts = dict(step=self.step, shuffle_seed=self.seed, settings=self.settings, history=done)
        return json.loads(json.dumps(facts)) | {"tensors": tensors}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `present` gave.

        Raises:
            WrongValue: the state of a run with other settings, or of another model. Nothing is changed then.
        """
        self._compare_settings(state["settings"])
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in ("model", "averaged", "best", *self.optimizers)}
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
            _restore_moments(optimizer, parts[name])
        self.generator.set_state(state["tensors"]["generator"])
        for key, value in state["history"].items():
            setattr(self.history, key, value.copy() if isinstance(value, list) else value)
        self.history.measured = [tuple(pair) for pair in self.history.measured]
        self.step, self.seed = state["step"], state["shuffle_seed"]

    def _compare_settings(self, written: dict[str, Any]) -> None:
        """Refuse a run with other settings; one with "auto" on either side may go on in another precision."""
        settings = self.settings
        earlier = {"keep": "last"}  # what a run did not write then
        if "precision" in settings:
            earlier |= {"muon": 0.0, "precision_asked": "auto"}
        before = earlier | written
        if "precision" in before and "precision" in settings:
            if "auto" in (before["precision_asked"], settings["precision_asked"]):
                before["precision"] = settings["precision"]  # it goes on in another one than it had
            settings["precision_asked"] = before["precision_asked"]
        unlike = [f"{k} was {before.get(k)}, is {v}" for k, v in settings.items() if before.get(k) != v]
        if unlike or before.keys() != settings.keys():
            words = "; ".join(unlike or ["they are those of another kind of training"])
            raise WrongValue(f"the run to be resumed had other settings: {words}; give those, or start anew")


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimiser the moments that `present` named "0.exp_avg" and so on, by the number of the weight.

    They get the memory format of their weights: fused optimisers pair numbers by their place in memory.
    """
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        i, k = key.split(".")
        alike = weights[int(i)] if tensor.shape == weights[int(i)].shape else tensor
        moments.setdefault(int(i), {})[k] = torch.empty_like(alike, dtype=tensor.dtype).copy_(tensor)
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


def begun(checkpoint: str | Path | None, resume: History | GANHistory | None) -> dict[str, Any] | None:
    """Where a run had come to, by its History or its file; None if it is new."""
    return read_state(checkpoint) if resume is None else resume.state


@contextlib.contextmanager
def all_or_nothing(tensors: Iterable[Tensor], optimizers: Iterable[torch.optim.Optimizer] = ()) -> Iterator[None]:
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
