"""A chapter over seeds: the whole notebook, run anew with each seed, and the numbers that it notes.

Importing this module adds a study for each chapter: `gencourse study chapter-01 --seeds 10 --pack`.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from gencourse.course.execute import NOTEBOOKS, run
from gencourse.course.notebook import read
from gencourse.failures.catalogue import STUDIES
from gencourse.study import ONE_THREAD
from gencourse.study.notes import FILE


def chapter(notebook: str, seed: int, *, effort: float = 1.0) -> dict[str, Any]:
    """What a notebook notes (`study.note`) when it is run with this seed.

    Raises NotebookError where a cell fails, ValueError where it notes nothing or one name twice.
    """
    path = NOTEBOOKS / f"{notebook}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        environment = {FILE: str(notes), **ONE_THREAD}
        run(read(path), path.parent, {"seed": seed, "effort": effort}, environment)
        lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    found: dict[str, Any] = {}
    for line in map(json.loads, lines):
        if twice := found.keys() & line.keys():
            raise ValueError(f"{path.name} notes {', '.join(sorted(twice))} twice; give each number a name of its own")
        found |= line
    if not found:
        raise ValueError(f"{path.name} notes nothing; a cell has to call study.note")
    return found


STUDIES.update({f"chapter-{path.stem[:2]}": partial(chapter, path.stem) for path in sorted(NOTEBOOKS.glob("0*.ipynb"))})
