"""The minutes that README and CONTRIBUTING state: those of the notebooks, of their exercises, and of the limits."""

import re
from pathlib import Path

import nbformat

from gencourse.course.execute import NOTEBOOKS, SECONDS
from gencourse.course.notebook import exercises

ROOT = Path(__file__).resolve().parents[1]
ROW = r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \|[^|]*\| (\d+) min \| (\d+) min \| (\d+) (min|s) \|$"


def minutes(words):
    """'7 h 55 min' -> 475."""
    hours, rest = re.fullmatch(r"(?:(\d+) h )?(\d+) min", words).groups()
    return 60 * int(hours or 0) + int(rest)


def test_the_table_of_readme_states_the_minutes_of_the_notebooks_and_their_sums():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = {
        name: (int(read), int(done), int(n) * (60 if unit == "min" else 1))
        for name, read, done, n, unit in re.findall(ROW, text, re.MULTILINE)
    }
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert list(table) == [path.stem for path in paths]
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        (stated,) = (
            re.search(r"^\*\*Time\.\*\*\D*?(\d+) minutes", cell.source, re.MULTILINE)
            for cell in notebook.cells
            if "**Time.**" in cell.source
        )
        reading, doing, _ = table[path.stem]
        assert reading == int(stated[1]), path.stem
        assert doing == sum(exercise.minutes for _, exercise in exercises(notebook)), path.stem
    reading, doing, compute = map(sum, zip(*table.values()))
    together = re.search(r"^\| together \| \| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert minutes(together[1]) == reading and minutes(together[2]) == doing
    assert 0 <= minutes(together[3]) * 60 - compute < 60


def test_the_limit_of_compute_is_the_same_everywhere():
    fast, slow = SECONDS[True], SECONDS[False]
    words = f"at most {fast} seconds on two idle cores with bfloat16 in hardware, {slow} on two without"
    assert words in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(ROW, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, *_, n, unit in rows if unit == "min" and int(n) * 60 < fast] == []
