"""Stored models, made by their recipes and measured: `gencourse train NAME`, `gencourse evaluate NAME`."""

import hashlib
import json
import platform
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from gencourse import __version__
from gencourse.checkpoints.load import build, load, path
from gencourse.checkpoints.recipes import RECIPES
from gencourse.checkpoints.tasks import TASKS, Task
from gencourse.models import GAN, image_gan
from gencourse.models.vae import WarmUp
from gencourse.support.errors import WrongValue
from gencourse.support.files import FILES, writable, write_whole
from gencourse.support.output import plural, say
from gencourse.support.storage import packed
from gencourse.training import PRECISIONS, GANHistory, History, best, fit, fit_gan
from gencourse.training.precision import Precision

SEED = 0  # of the first weights, and of all that is drawn in training


def train(
    name: str,
    effort: float = 1.0,
    *,
    resume: bool = True,
    minutes: float | None = None,
    device: str = "cpu",
    folder: str | Path = "build/runs",
    precision: Precision | None = None,
) -> Path | None:
    """Train by the recipe and write the checkpoint, with what it measured.

    The state of the run is kept in `folder`; a run that was stopped goes on from there. The weights that measured best
    on the validation set are kept in it too, and become the checkpoint at the end of the run, when the test set is
    looked at for the first time. The checkpoint is replaced only then.

    Args:
        effort: multiplies the number of steps. Below 1 it is a trial: its checkpoint goes to `folder` as well.
        resume: False forgets a run that was stopped, or was finished, and starts anew.
        minutes: stop after so many of this call, with what is done kept (a measurement that runs is finished, and so
            is the test). There is no checkpoint before the end: it would show the test set to an unfinished model.
        device: such as "cuda".
        folder: of the runs. Several users can share one that all of them may write to.
        precision: "float32" or "bfloat16" instead of the recipe's, and of "auto" where it says nothing. A run that was
            begun on another processor goes on in its own precision, see `fit`; with "float32", in that.

    Returns:
        the file of the weights, or None if time was up before the end.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C. KeyError, ValueError: an unknown name, arguments that make no sense, a run
        that another process is at. FloatingPointError: the loss is not finite.
    """
    target, recipe = path(name), RECIPES[name]
    if isinstance(effort, bool) or not isinstance(effort, (int, float)) or not 0 < effort < float("inf"):
        raise WrongValue(f"effort is {effort!r}; expected a positive number, 1 for the whole recipe")
    if precision is not None and (precision not in PRECISIONS or recipe["model"] is image_gan):
        raise WrongValue(
            f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}, and none for a GAN, "
            "which is trained in float32"
        )
    run = Path(folder) / f"{name if effort == 1 else f'{name}-effort{effort:g}'}.run.safetensors"
    if effort < 1:
        target = run.with_name(run.name.replace(".run.", "."))
    copy = "let GENCOURSE_DATA name a copy of data/ of your own, or make a trial, with an effort below 1"
    for place, way in ((run.parent, "name another folder"), (target.parent, copy)):
        try:
            writable(place)
        except OSError as error:
            raise WrongValue(f"nothing can be written to {place} ({error.strerror}); {way}") from None
    how = recipe["fit"] | ({} if precision is None else {"precision": precision})
    lock = run.with_suffix(".lock")
    try:
        with FileLock(lock, timeout=0, mode=0o666):  # for whoever else may write there
            if not resume:
                run.unlink(missing_ok=True)
            return _train(name, recipe | {"fit": how}, effort, minutes, _device(device), run, target)
    except Timeout:
        raise WrongValue(f"{run} is in use: another process is training {name}; wait for it, or stop it") from None
    except PermissionError as error:
        if Path(error.filename or "").name != lock.name:
            raise
        raise WrongValue(f"{lock} belongs to another user; name a folder of your own") from None


def evaluate(name: str, quick: bool = False, device: str = "cpu") -> dict[str, tuple[float, float]]:
    """Measure a checkpoint again: each figure of its card as (now, on the card).

    quick: on the first 200 examples of the test set only, so that now and card are not the same thing.
    """
    model, card = load(name)
    now = _figures(TASKS[RECIPES[name]["task"]](), model.to(_device(device)), 200 if quick else None)
    return {key: (value, card[key]) for key, value in now.items()}


# -- parts -----------------------------------------------------------------------------------------------------


def _train(
    name: str,
    recipe: dict[str, Any],
    effort: float,
    minutes: float | None,
    device: torch.device,
    run: Path,
    target: Path,
) -> Path | None:
    task: Task = TASKS[recipe["task"]]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = build(name, recipe["build"])
    if "start" in recipe:
        model.load_state_dict(load(recipe["start"])[0].state_dict())
    model.to(device)
    settings = dict(recipe["fit"], steps=max(1, round(recipe["fit"]["steps"] * effort)))
    trained = WarmUp(model, round(recipe["warm_up"] * effort)) if "warm_up" in recipe else model
    every = max(1, settings["steps"] // recipe.get("measurements", 20))
    began, loop = time.monotonic(), fit_gan if isinstance(model, GAN) else fit
    history = loop(
        trained,
        task.x,
        condition=task.condition,
        prepare=task.prepare,
        generator=torch.Generator().manual_seed(SEED),
        measure=lambda _: task.measure(model, "validation", None),
        measure_every=every,
        keep=task.keep,
        minutes=minutes,
        checkpoint=run,
        name=name,
        **settings,
    )
    if history.interrupted:
        if minutes is None or time.monotonic() - began < 60 * minutes:
            raise KeyboardInterrupt(f"{name} stopped at step {history.state['step']}; run the same command to go on")
        return None
    weights = packed(model)
    sha256, card_file = hashlib.sha256(weights).hexdigest(), target.with_suffix(".json")
    if target.is_file() and card_file.is_file() and sha256 in card_file.read_text(encoding="utf-8"):
        say(f"{name} was finished before: {target}; --no-resume starts anew")
        return target
    step, _ = best(history.measured, task.keep)
    precision = recipe["fit"].get("precision")
    asked = f" --precision {precision}" if precision != RECIPES[name]["fit"].get("precision") else ""
    card = dict(
        name=name,
        model=recipe["model"].__name__,
        build=recipe["build"],
        fit=settings,
        keep=task.keep,
        start=recipe.get("start"),
        warm_up=recipe.get("warm_up"),
        command=f"gencourse train {name}" + (f" --effort {effort:g}" if effort != 1 else "") + asked,
        seed=SEED,
        data={file: FILES[file][1] for file in task.files},
        split=task.split,
        versions=dict(python=platform.python_version(), torch=torch.__version__, gencourse=__version__),
        device=device.type,
        threads=torch.get_num_threads(),
        precision=getattr(history, "precision", "float32"),
        steps=settings["steps"],
        minutes=round(history.seconds / 60, 1),
        parameters=sum(p.numel() for p in model.parameters()),
        unit=task.unit,
        loss=_curve(history),
        validation=history.measured,
        best_step=step,
        **_figures(task, model),
        weights=sha256,
    )
    with write_whole(target) as part:
        part.write_bytes(weights)
    write_card(target, card)  # last: weights without it are an error that is seen, and the same command repairs
    say(
        f"{target}: "
        + ", ".join(f"{key} {card[key]:.4f}" for key in card if key.startswith("test"))
        + f" {task.unit}, best at step {step} of {card['steps']}, {plural(card['minutes'], 'minute')}"
    )
    return target


def write_card(weights: Path, card: dict[str, Any]) -> None:
    """Write the card beside its weights, one line a key, whole or not at all."""
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in card.items())
    with write_whole(weights.with_suffix(".json")) as part:
        part.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _figures(task: Task, model: torch.nn.Module, n: int | None = None) -> dict[str, float]:
    """All that is measured on the test set."""
    model.eval()
    figures = {"test": task.measure(model, "test", n)}
    return figures | {f"test_{key}": measure(model, "test", n) for key, measure in task.also.items()}


def _curve(history: History | GANHistory) -> list[tuple[int, float]]:
    """Means of the training loss between one measurement and the next: (step, mean)."""
    losses, ends = getattr(history, "loss", []), [step for step, _ in history.measured]
    return [(b, sum(losses[a:b]) / (b - a)) for a, b in zip([0, *ends], ends)] if losses else []


def _device(name: str) -> torch.device:
    """The device of that name, or an error before the first hour."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise WrongValue(
            f"the device {name!r} cannot be used here ({reason}); expected cpu, or cuda on a machine "
            "with a GPU and a PyTorch built for it"
        ) from None
    return device
