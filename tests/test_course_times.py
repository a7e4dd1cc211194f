"""The minutes that README, notebooks and CONTRIBUTING state: of reading, exercises, the record, and the limits."""

import re
import shutil
from pathlib import Path

import nbformat

from gencourse.course import minutes as course_minutes
from gencourse.course.doctor import timings
from gencourse.course.execute import NOTEBOOKS, SECONDS
from gencourse.course.notebook import exercises

ROOT = Path(__file__).resolve().parents[1]
ROW = r"^\| \[(\w+)\]\(notebooks/\w+\.ipynb\) \|[^|]*\| (\d+) min \| (\d+) min \| (\d+ (?:min|s)) \|$"
RECORD = timings()


def minutes(words):
    """'7 h 55 min' -> 475."""
    hours, rest = re.fullmatch(r"(?:(\d+) h )?(\d+) min", words).groups()
    return 60 * int(hours or 0) + int(rest)


def test_the_table_of_readme_states_the_minutes_of_the_notebooks_and_their_sums():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = {name: (int(read), int(done)) for name, read, done, _ in re.findall(ROW, text, re.MULTILINE)}
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    assert list(table) == [path.stem for path in paths]
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        (stated,) = (
            re.search(r"^\*\*Time\.\*\*\D*?(\d+) minutes", cell.source, re.MULTILINE)
            for cell in notebook.cells
            if "**Time.**" in cell.source
        )
        reading, doing = table[path.stem]
        assert reading == int(stated[1]), path.stem
        assert doing == sum(exercise.minutes for _, exercise in exercises(notebook)), path.stem
    reading, doing = map(sum, zip(*table.values()))
    together = re.search(r"^\| together \| \| (.*) \| (.*) \| .* \|$", text, re.MULTILINE)
    assert minutes(together[1]) == reading and minutes(together[2]) == doing


def stated_compute(root):
    """What is said of compute below `root`: README's {name or "together": short}, notebooks' {name: words}, machine."""
    text = (root / "README.md").read_text(encoding="utf-8")
    table = {name: short for name, *_, short in re.findall(ROW, text, re.MULTILINE)}
    table["together"] = re.search(r"^\| together \|.*\| (.*) \|$", text, re.MULTILINE)[1]
    words = {}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        sources = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        (words[path.stem],) = re.findall(r"^\*\*Time\.\*\* .*; (.*) of compute on two cores\.", sources, re.MULTILINE)
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


def test_the_limit_of_compute_is_the_same_everywhere():
    fast, slow = SECONDS[True], SECONDS[False]
    words = f"at most {fast} seconds on two idle cores with bfloat16 in hardware, {slow} on two without"
    assert words in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(ROW, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    took = [each.split() for *_, each in rows]
    assert rows and [n for n, unit in took if unit == "min" and int(n) * 60 < fast] == []
