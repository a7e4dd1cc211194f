"""Stored models, loaded: the weights, and the card that says how they were made and what they measured."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from gencourse import data
from gencourse.checkpoints.recipes import RECIPES
from gencourse.models.settings import usual_settings
from gencourse.support.errors import UnknownName, WrongValue
from gencourse.support.output import command
from gencourse.support.storage import load as load_weights

CARD = {
    "name": str,
    "build": dict,
    "weights": str,
    "test": (int, float),
    "model": str,
    "parameters": int,
    "steps": int,
    "minutes": (int, float),
    "unit": str,
}  # what every card says, beside other figures of the test set


def path(name: str) -> Path:
    """The file of a checkpoint's weights; its card has the same name with .json."""
    if name not in RECIPES:
        raise UnknownName(f"there is no checkpoint {name!r}; there are {', '.join(RECIPES)}")
    return data.data_root() / "checkpoints" / f"{name}.safetensors"


def load(name: str) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The trained model, ready for use, and its card.

    Raises:
        KeyError: no such checkpoint. FileNotFoundError: weights or card are missing. ValueError: one of them is
        damaged, or they do not belong to each other or to that name.
    """
    file, card = path(name), read_card(name)
    try:
        model = build(name, card["build"])
    except (TypeError, ValueError) as error:
        raise WrongValue(
            f"the model that {file.with_suffix('.json')} describes cannot be built ({error}); {way_back(file)}"
        ) from None
    load_weights(model, file)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != card["weights"]:
        raise WrongValue(
            f"{file} is not the file that its card describes: its sha256 is {found[:12]}…, "
            f"expected {card['weights'][:12]}…; {way_back(file)}"
        )
    return model.eval(), card


def read_card(name: str) -> dict[str, Any]:
    """The card of a checkpoint: how it was made, and what it measured. Errors as in `load`."""
    file = path(name)
    card_file = file.with_suffix(".json")
    if not card_file.is_file():
        if not file.is_file():
            raise FileNotFoundError(
                f"{name} is not trained yet ({file} is not there): `{command(f'train {name}')}`, "
                f"or, if it was lost, `git checkout -- {file} {card_file}`"
            )
        raise FileNotFoundError(f"{card_file}, the card of {file.name}, is not there; {way_back(file)}")
    try:
        card = dict(json.loads(card_file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise WrongValue(f"{card_file} is damaged ({error}); {way_back(file)}") from None
    kinds = CARD | {key: (int, float) for key in card if key.startswith("test_")}
    if missing := [key for key, kind in kinds.items() if not isinstance(card.get(key), kind)]:
        raise WrongValue(f"{card_file} is no card of a checkpoint: it lacks {', '.join(missing)}; {way_back(file)}")
    if card["name"] != name:
        raise WrongValue(f"{card_file} is the card of {card['name']!r}, expected that of {name!r}; {way_back(file)}")
    return card


def build(name: str, build: dict[str, Any]) -> torch.nn.Module:
    """The model of a recipe as it begins, in float32 on the CPU; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]), usual_settings():
        return RECIPES[name]["model"](**build)


def way_back(file: Path) -> str:
    """How to mend a file of a checkpoint that is damaged or missing."""
    return (
        f"get both back with `git checkout -- {file} {file.with_suffix('.json')}`, "
        f"or make them again with `{command(f'train {file.stem}')}`"
    )
