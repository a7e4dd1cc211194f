"""Notebooks as readers leave them: unfinished, with magics, damaged. What can be read is read, the rest is named."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gencourse.cli import main
from gencourse.course import copies, execute
from gencourse.course.notebook import checks, exercises, parse, read, with_solutions
from gencourse.exercises import start

coin = start.coin_log_likelihood
SETUP = "import math\n\nimport torch\nfrom torch import Tensor\n\nfrom gencourse.exercises import start as exercises"
EXERCISE = f"{coin.stub}\n\n{coin.name} = exercises.{coin.name}.check({coin.name})"


def course(exercise=EXERCISE, setup=SETUP):
    """A notebook with one exercise."""
    cell = new_code_cell(exercise, id="a-coin-01", metadata={"tags": ["exercise"]})
    return new_notebook(cells=[new_markdown_cell("# Coins"), new_code_cell(setup, id="coins-01"), cell])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of one notebook, 00_coins, which stands for those of the course."""
    monkeypatch.delenv("GENCOURSE_COPIES", raising=False)
    for module in (execute, copies):
        monkeypatch.setattr(module, "NOTEBOOKS", tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    nbformat.write(course(), tmp_path / "notebooks" / "00_coins.ipynb")
    return tmp_path / "notebooks" / "00_coins.ipynb"


# ---------------------------------------------------------------------------------------------- a cell's Python


MAGICS = [
    "%%time\n", "%%time\n\n", "\n\n%%timeit -n1\n", "%%capture out\n%%time\n", "%matplotlib inline\n", "!ls\nx = !ls\n",
    "!ls \\\n  -l \\\n  -a\n",
]  # fmt: skip


@pytest.mark.parametrize("above", MAGICS)
def test_what_a_magic_runs_as_it_stands_is_read_and_keeps_its_line_numbers(above):
    source = f"{above}def f(x):\n    return x\n\n\nf = exercises.f.check(f)"
    ((module, name, function, line),) = checks(source)
    assert (module, name, function) == ("exercises", "f", "f")
    assert source.splitlines()[line - 1].endswith("check(f)")


@pytest.mark.parametrize("source", ["", "\n", "# a word", "%%bash\nls -l | wc", "%%html\n<b>bold</b>", "%%time"])
def test_a_cell_without_python_is_empty(source):
    assert parse(source).body == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\ny = (", "line 2 is no Python: '(' was never closed"),
        ("%%time\n\nx = = 1", "line 3 is no Python: invalid syntax"),
        ("def f(:", "line 1"),
        ("if x:\nprint(x)", "line 2 is no Python: expected an indented block"),
        ("x = '\0'", "null bytes"),
        ("-" * 100_000 + "1", "it is no Python"),
    ],
)
def test_what_is_no_python_is_named_with_its_line(source, words):
    with pytest.raises(ValueError) as raised:
        parse(source)
    assert words in str(raised.value)


@pytest.mark.filterwarnings("error")
def test_a_readers_warnings_are_not_ours():
    parse("print('\\d')")


@pytest.mark.parametrize("above", MAGICS)
def test_solutions_are_put_in_below_a_magic(above):
    notebook = course(above + EXERCISE)
    assert [(index, exercise.name) for index, exercise in exercises(notebook)] == [(2, coin.name)]
    solved = with_solutions(notebook, insist=True).cells[2].source
    assert solved.startswith(above) and coin.solution_source.strip() in solved and "...  " not in solved
    assert solved.count("def ") == 1 and solved.rstrip().endswith(f".check({coin.name})")


@pytest.mark.parametrize(
    ("exercise", "setup", "words"),
    [
        (EXERCISE + "\nx = (", SETUP, "line {last} is no Python: '(' was never closed"),
        (EXERCISE, SETUP + "\nx = (", "line 7 is no Python"),
        (EXERCISE.replace("exercises.coin", "exercises.con"), SETUP, "did you mean coin_log_likelihood?"),
        ("exercises.math.check(1)", SETUP, "exercises.math is no exercise; there are coin_log_likelihood"),
        (EXERCISE.replace(".check(", ".chek("), SETUP, "hands nothing to `exercises.NAME.check(function)`"),
        (EXERCISE, SETUP.replace("start", "strat"), "known exercise modules: none imported"),
    ],
)
def test_what_is_no_exercise_is_named_with_its_cell(exercise, setup, words):
    notebook, problems = course(exercise, setup), []
    words = words.format(last=len(exercise.splitlines()))
    found = exercises(notebook, problems)
    place = "cell 2 (coins-01)" if setup[-1] == "(" else "cell 3 (a-coin-01)"
    assert words in problems[0] and problems[0].startswith(place)
    assert len(found) == ("exercises.coin_log_likelihood.check(" in exercise and "strat" not in setup)  # by its text
    for strict in (exercises, with_solutions):
        with pytest.raises(ValueError) as raised:
            strict(notebook)
        assert words in str(raised.value)


def test_what_else_is_imported_from_the_exercises_is_no_module():
    setup = "from gencourse.exercises import Exercise, start as exercises"
    assert [exercise for _, exercise in exercises(course(setup=setup))] == [coin]


# --------------------------------------------------------------------------------------------- a file


def test_a_byte_order_mark_and_an_older_format_are_no_obstacle(tmp_path):
    path, text = tmp_path / "a.ipynb", nbformat.writes(course())
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("Coins", "Münzen").encode())
    assert read(path).cells[0].source == "# Münzen"
    older = json.loads(text) | {"nbformat_minor": 2}
    for cell in older["cells"]:
        del cell["id"]
    path.write_text(json.dumps(older), encoding="utf-8")
    assert all(cell.id for cell in read(path).cells) and exercises(read(path))[0][1] is coin
    sheet = {"cells": [{"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python", "metadata": {}}]}
    third = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [sheet | {"metadata": {}}]}
    path.write_text(json.dumps(third), encoding="utf-8")
    assert read(path).cells[0].source == "x = 1" and exercises(read(path)) == []


NO_NOTEBOOK = {
    "": "it is empty",
    "\n<<<<<<< HEAD\n": "has a merge conflict in line 2: choose one side",
    '{\n "cells": [\n': "line 3 column 1",
    "[]": "is no notebook",
    "{}": "is no notebook",
    "null": "is no notebook",
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 5}': "is no notebook",
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}': "is no notebook",
    '{"nbformat": 9, "cells": []}': "9",
    "[" * 100_000: "is no notebook",
    "\xff": "utf-8",
}


@pytest.mark.parametrize("content", NO_NOTEBOOK, ids=lambda content: content[:20] or "empty")
def test_what_is_no_notebook_is_named_with_the_reason(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError) as raised:
        read(path)
    assert str(path) in str(raised.value) and NO_NOTEBOOK[content] in str(raised.value)
    assert len(str(raised.value)) < len(str(path)) * 2 + 400


# ------------------------------------------------------------------------------------------ gencourse progress


def test_progress_goes_on_where_a_cell_cannot_be_read(place, capsys):
    nbformat.write(course(EXERCISE + "\nx = ("), place)
    nbformat.write(course("%%time\n" + EXERCISE), place.with_name("01_more.ipynb"))
    place.with_name("02_none.ipynb").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    place.with_name("03_folder.ipynb").mkdir()
    assert main(["progress"]) == 0
    told = capsys.readouterr()
    assert "00_coins  coin_log" in told.out and "01_more   coin_log" in told.out and "0 of 2 exercises" in told.out
    assert f"Not read: {place}, cell 3 (a-coin-01)" in told.err and "merge conflict" in told.err
    assert "03_folder.ipynb: Is a directory" in told.err and len(told.err.splitlines()) == 3


def test_progress_reads_the_readers_own_copies(place, capsys):
    own = place.parents[1] / "my_notebooks"
    own.mkdir()
    nbformat.write(course(EXERCISE + "\nx = ("), own / place.name)
    assert main(["progress"]) == 0
    told = capsys.readouterr()
    assert "1 exercise," in told.out and f"Not read: {own / place.name}, cell 3" in told.err
    (own / place.name).write_text("{", encoding="utf-8")  # then the course's own tells which exercises there are
    assert main(["progress"]) == 0
    told = capsys.readouterr()
    assert "1 exercise," in told.out and f"{own / place.name} is no notebook" in told.err


def test_progress_without_notebooks_says_so(place, capsys):
    place.unlink()
    assert main(["progress"]) == 0
    told = capsys.readouterr()
    assert "0 of 0 exercises" in told.out and f"there are no notebooks in {place.parent}" in told.err


def test_export_names_the_notebook_and_the_cell(place, tmp_path, capsys):
    nbformat.write(course(EXERCISE.replace("exercises.coin", "exercises.con")), place)
    assert main(["export", "nbgrader", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "00_coins.ipynb, cell 3 (a-coin-01)" in told and "did you mean" in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()
