"""The minutes that README and the notebooks state: of reading, predictions and exercises, counted, and of compute.

Reading: 150 words a minute, and 15 lines of code, without the cells of exercises. A prediction takes two minutes, an
exercise those that it names. Compute: that of the record `timings.json`, of a notebook and of each long cell.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from gencourse.course.notebook import exercises, read, write
from gencourse.support.files import write_whole

NUMBERS = {1: "one", 2: "two", 4: "four", 8: "eight"}
WORDS, LINES, PREDICTION = 150, 15, 2  # words and lines of code a minute; minutes a prediction
TAKES = re.compile(r"\A# takes [^\n]*\n")  # the first line of a long cell
MACHINE = r"\w+ idle cores? with(?:out)? bfloat16 in hardware"


def stated(seconds: float) -> str:
    """`seconds` in words, rounded up: to tens of seconds up to a minute, to whole minutes above.

    >>> stated(21.1), stated(112.9)
    ('30 seconds', '2 minutes')
    """
    return f"{math.ceil(seconds / 10) * 10} seconds" if seconds <= 60 else f"{math.ceil(seconds / 60)} minutes"


def short(seconds: float) -> str:
    """As `stated`, in the table of the README.

    >>> short(21.1), short(112.9)
    ('30 s', '2 min')
    """
    return stated(seconds).replace("seconds", "s").replace("minutes", "min")


def reading(notebook: NotebookNode) -> int:
    """Minutes of reading a notebook, rounded up to fives: its words and its lines of code, exercises left out."""
    words = lines = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words += len(re.sub(r"\$[^$]*\$|<[^>]+>", " ", cell.source).split())
        elif "exercise" not in cell.metadata.get("tags", []):
            lines += sum(bool(line.strip()) for line in TAKES.sub("", cell.source).splitlines())
    return 5 * math.ceil((words / WORDS + lines / LINES) / 5)


def predictions(notebook: NotebookNode) -> int:
    """Minutes that the predictions of a notebook take."""
    return PREDICTION * sum(cell.source.count("<b>Predict.</b>") for cell in notebook.cells)


def doing(notebook: NotebookNode) -> int:
    """Minutes that the exercises of a notebook take, as they say."""
    return sum(exercise.minutes for _, exercise in exercises(notebook))


def hours(minutes: int) -> str:
    """As in the last row of README's table.

    >>> hours(475)
    '7 h 55 min'
    """
    return f"{minutes // 60} h {minutes % 60} min"


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
    """Write the minutes into the README and the notebooks below `root`; returns the files that changed.

    In a notebook: the line that begins with **Time.**, and the first line of each long cell. In the README: the last
    four columns of its table, with the sums as its last row, and the words about the machine of the `record`. A file
    without these is left as it is.
    """
    root, changed, rows = Path(root), [], {}
    for name, row in record["notebooks"].items():
        path = root / "notebooks" / f"{name}.ipynb"
        if path.exists():
            notebook = read(path)
            rows[name] = (reading(notebook), predictions(notebook), doing(notebook), row["seconds"])
            changes = [_state_in_notebook(notebook, *rows[name]), _state_in_cells(notebook, row.get("long_cells", {}))]
            if any(changes):
                write(notebook, path)
                changed.append(path)
    readme = root / "README.md"
    if readme.exists() and _state_in_readme(readme, rows, machine_words(record["machine"])):
        changed.append(readme)
    return changed


def _state_in_notebook(notebook: NotebookNode, read_in: int, predicted_in: int, done_in: int, seconds: float) -> bool:
    words = (
        f"**Time.** {read_in} minutes of reading, {predicted_in} of predictions, {done_in} of exercises; "
        f"{stated(seconds)} of compute on two cores."
    )
    changed = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            source = re.sub(r"^\*\*Time\.\*\*.*? on two cores\.", words, cell.source, flags=re.MULTILINE)
            changed, cell.source = changed or source != cell.source, source
    return changed


def _state_in_cells(notebook: NotebookNode, seconds: Mapping[str, float]) -> bool:
    changed = False
    for cell in notebook.cells:
        if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", []):
            plain = TAKES.sub("", cell.source)
            source = f"# takes about {stated(seconds[cell.id])}\n{plain}" if cell.id in seconds else plain
            changed, cell.source = changed or source != cell.source, source
    return changed


def _state_in_readme(readme: Path, rows: Mapping[str, tuple[int, int, int, float]], machine: str) -> bool:
    before = text = readme.read_text(encoding="utf-8")
    lines = {
        rf"\| \[{name}\]": [*(f"{n} min" for n in counted), short(seconds)]
        for name, (*counted, seconds) in rows.items()
    }
    sums = [sum(column) for column in zip(*rows.values(), strict=True)]
    if sums:
        lines[r"\| together \|"] = [*map(hours, sums[:3]), short(sums[3])]
    for begins, columns in lines.items():
        text = re.sub(
            rf"^({begins}.*?)(?: \|[^|]*){{4}} \|$", rf"\g<1> | {' | '.join(columns)} |", text, flags=re.MULTILINE
        )
    text = re.sub(MACHINE, machine, text)
    if text != before:
        with write_whole(readme) as part:
            part.write_text(text, encoding="utf-8")
    return text != before
