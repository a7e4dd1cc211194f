"""What a chapter measures in its short runs, noted, so that runs with other seeds give each number a spread.

A notebook calls `note` with the numbers that its sentences and claims rest on; for a reader that does nothing.
`gencourse study chapter-01 --seeds 10` runs the whole notebook with each seed (`course.spread`) and keeps what was
noted; `--pack` ships it in data/studies/, and `over_seeds` reads it there.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

FILE = "GENCOURSE_NOTES"  # the environment variable that names the file of notes


def note(**numbers: Any) -> None:
    """Note what this run measured: numbers, or lists and dicts of numbers, each with a name of its own.

    Raises ValueError for NaN, TypeError for what is no number.
    """
    plain = {name: _plain(name, value) for name, value in numbers.items()}
    if path := os.environ.get(FILE):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(plain) + "\n")


def being_noted() -> bool:
    """Whether this is a run of `gencourse study chapter-…`, whose notes are kept."""
    return bool(os.environ.get(FILE))


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(f"{name}[{key!r}]", each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if not isinstance(value, bool | int | float):
        raise TypeError(f"{name} is {value!r:.80}; expected a number, or lists and dicts of numbers")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; expected a finite number")
    return value
