"""The minutes that README, notebooks and CONTRIBUTING state: of reading, exercises, the record, and the limits."""

import re
import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gencourse.course import minutes as course_minutes
from gencourse.course.doctor import timings
from gencourse.course.execute import NOTEBOOKS, SECONDS

ROOT = Path(__file__).resolve().parents[1]
ROW = r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \|[^|]*\| (\d+) min \| (\d+) min \| (\d+) min \| (\d+ (?:min|s)) \|$"
COUNTED = r"(\d+) minutes of reading, (\d+) of predictions, (\d+) of exercises"
LINE = rf"^\*\*Time\.\*\* {COUNTED}; (.*) of compute on two cores\."
RECORD = timings()


def minutes(words):
    """'7 h 55 min' -> 475."""
    hours, rest = re.fullmatch(r"(?:(\d+) h )?(\d+) min", words).groups()
    return 60 * int(hours or 0) + int(rest)


def test_readme_and_notebooks_state_the_minutes_that_are_counted_and_their_sums():
    """To mend it: `gencourse.course.minutes.state(record, root)`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = {name: tuple(map(int, row)) for name, *row, _ in re.findall(ROW, text, re.MULTILINE)}
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert list(table) == [path.stem for path in paths]
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        (stated,) = re.findall(LINE, "\n\n".join(cell.source for cell in notebook.cells), re.MULTILINE)
        counted = course_minutes.reading(notebook), course_minutes.predictions(notebook), course_minutes.doing(notebook)
        assert table[path.stem] == counted == tuple(map(int, stated[:3])), path.stem
    together = re.search(r"^\| together \| \| (.*) \| (.*) \| (.*) \| .* \|$", text, re.MULTILINE)
    assert list(map(minutes, together.groups())) == list(map(sum, zip(*table.values())))


def test_what_the_minutes_count():
    cells = [
        new_markdown_cell("one two three $a b c d$ <b>four</b>" + " word" * 746),
        new_markdown_cell("<details><summary><b>Predict.</b> More?</summary>\n\nMore.</details>"),
        new_code_cell("x = 1\n\n" * 31),
        new_code_cell("def f(): ...\n" * 99, metadata={"tags": ["exercise"]}),
    ]
    notebook = new_notebook(cells=cells)
    assert course_minutes.reading(notebook) == 10  # 752 words are a little more than 5 minutes, 31 lines 2
    assert course_minutes.predictions(notebook) == 2 and course_minutes.doing(new_notebook()) == 0


def stated_compute(root):
    """What is said of compute below `root`: README's {name or "together": short}, notebooks' {name: words}, machine."""
    text = (root / "README.md").read_text(encoding="utf-8")
    table = {name: short for name, *_, short in re.findall(ROW, text, re.MULTILINE)}
    table["together"] = re.search(r"^\| together \|.*\| (.*) \|$", text, re.MULTILINE)[1]
    words = {}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        sources = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        (words[path.stem],) = (found[3] for found in re.findall(LINE, sources, re.MULTILINE))
    (machine,) = re.findall(course_minutes.MACHINE, text)
    return table, words, machine


def of_record(record):
    """What they have to say."""
    seconds = {name: row["seconds"] for name, row in record["notebooks"].items()}
    words = {name: course_minutes.stated(took) for name, took in seconds.items()}
    every = {**words, "together": course_minutes.stated(sum(seconds.values()))}
    table = {name: each.replace("seconds", "s").replace("minutes", "min") for name, each in every.items()}
    return table, words, course_minutes.machine_words(record["machine"])


def test_readme_and_notebooks_state_the_compute_of_the_record():
    """To mend it: `make records`, or `gencourse.course.minutes.state(record, root)`."""
    assert stated_compute(ROOT) == of_record(RECORD)
    assert RECORD["machine"]["cores"] == 2 and RECORD["machine"]["idle"]
    assert max(row["seconds"] for row in RECORD["notebooks"].values()) <= SECONDS[RECORD["machine"]["bfloat16"]]


def test_a_new_record_is_stated_everywhere_and_nothing_else_changes(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert course_minutes.state(RECORD, tmp_path) == []
    rows = {name: {"seconds": 9.0 + 40 * n} for n, name in enumerate(sorted(RECORD["notebooks"]))}
    other = {"machine": {"cores": 2, "bfloat16": not RECORD["machine"]["bfloat16"]}, "notebooks": rows}
    assert len(course_minutes.state(other, tmp_path)) > 1
    assert stated_compute(tmp_path) == of_record(other) != of_record(RECORD)
    stated = list(stated_compute(tmp_path)[0].values())
    assert stated == ["10 s", "50 s", "2 min", "3 min", "3 min", "4 min", "5 min", "16 min"]
    course_minutes.state(RECORD, tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_a_long_cell_says_so_in_its_first_line():
    """To mend it: as above."""
    for path in NOTEBOOKS.glob("*.ipynb"):
        long = RECORD["notebooks"][path.stem].get("long_cells", {})
        cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"}
        said = {id: source.splitlines()[0] for id, source in cells.items() if course_minutes.TAKES.match(source)}
        assert said == {id: f"# takes about {course_minutes.stated(long[id])}" for id in cells if id in long}, path.stem


def test_the_time_of_a_cell_is_stated_once_and_goes_when_it_is_short(tmp_path):
    path = tmp_path / "notebooks" / "00_toy.ipynb"
    path.parent.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("y = 2")]), path)
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells][:1]
    for seconds, words in ((12, "# takes about 20 seconds\n"), (31, "# takes about 40 seconds\n"), (None, "")):
        long = dict.fromkeys(ids, seconds) if seconds else {}
        record = {"machine": RECORD["machine"], "notebooks": {path.stem: {"seconds": 60.0, "long_cells": long}}}
        assert course_minutes.state(record, tmp_path) == [path] and course_minutes.state(record, tmp_path) == []
        assert [cell.source for cell in nbformat.read(path, as_version=4).cells] == [f"{words}x = 1", "y = 2"]


def test_the_limit_of_compute_is_the_same_everywhere():
    fast, slow = SECONDS[True], SECONDS[False]
    words = f"at most {fast} seconds on two idle cores with bfloat16 in hardware, {slow} on two without"
    assert words in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(ROW, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    took = [each.split() for *_, each in rows]
    assert rows and [n for n, unit in took if unit == "min" and int(n) * 60 < fast] == []
