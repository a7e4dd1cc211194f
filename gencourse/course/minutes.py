"""The times of compute that README and the notebooks state: those of the record `timings.json`, rounded up."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gencourse.course.notebook import read, write
from gencourse.support.files import write_whole

NUMBERS = {1: "one", 2: "two", 4: "four", 8: "eight"}
MACHINE = r"\w+ idle cores? with(?:out)? bfloat16 in hardware"


def stated(seconds: float) -> str:
    """`seconds` in words, rounded up: to tens of seconds up to a minute, to whole minutes above.

    >>> stated(21.1), stated(112.9)
    ('30 seconds', '2 minutes')
    """
    return f"{math.ceil(seconds / 10) * 10} seconds" if seconds <= 60 else f"{math.ceil(seconds / 60)} minutes"


def machine_words(machine: Mapping[str, Any]) -> str:
    """The machine of a record in words.

    >>> machine_words({"cores": 2, "bfloat16": False})
    'two idle cores without bfloat16 in hardware'
    """
    cores = machine["cores"]
    return (
        f"{NUMBERS.get(cores, cores)} idle core{'s' * (cores > 1)} "
        f"with{'' if machine['bfloat16'] else 'out'} bfloat16 in hardware"
    )


def state(record: Mapping[str, Any], root: str | Path) -> list[Path]:
    """Write the times of a `record` into the README and the notebooks below `root`; returns the files that changed.

    In the README: the last column of its table, with the sum of the seconds as its last row, and the words about the
    machine. In a notebook: the line that begins with **Time.**. A file without these is left as it is.
    """
    seconds = {name: row["seconds"] for name, row in record["notebooks"].items()}
    changed, readme = [], Path(root) / "README.md"
    if readme.exists():
        before = text = readme.read_text(encoding="utf-8")
        for begins, took in {
            **{rf"\| \[{name}\]": took for name, took in seconds.items()},
            r"\| together \|": sum(seconds.values()),
        }.items():
            short = stated(took).replace("seconds", "s").replace("minutes", "min")
            text = re.sub(rf"^({begins}.*\| )[^|]*( \|)$", rf"\g<1>{short}\g<2>", text, flags=re.MULTILINE)
        text = re.sub(MACHINE, machine_words(record["machine"]), text)
        if text != before:
            with write_whole(readme) as part:
                part.write_text(text, encoding="utf-8")
            changed.append(readme)
    for name, took in seconds.items():
        path = Path(root) / "notebooks" / f"{name}.ipynb"
        if path.exists() and _state_in_notebook(path, stated(took)):
            changed.append(path)
    return changed


def _state_in_notebook(path: Path, words: str) -> bool:
    notebook, changed = read(path), False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            line = r"^(\*\*Time\.\*\*.*?)\d+ (?:seconds|minutes) of compute"
            source = re.sub(line, rf"\g<1>{words} of compute", cell.source, flags=re.MULTILINE)
            changed, cell.source = changed or source != cell.source, source
    if changed:
        write(notebook, path)
    return changed
