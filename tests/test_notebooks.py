"""Every notebook with its exercises solved, and with the network cut.

As committed, each is run cell by cell by nbval (`make test`); that this notices every cell that did not run to its end
in time is tested here, on toys. With the solutions put in, each exercise is run once more, and of the other cells what
these need (`solved.py` finds it): the exercise insists that the solution passes, with the names of the notebook.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from solved import part
from test_course_execute import HABITS, with_habits
from toys import toy

from gencourse.course.execute import NOTEBOOKS, NotebookError, execute, run
from gencourse.course.notebook import with_solutions

ROOT = Path(__file__).resolve().parents[1]

EFFORT = 0.02


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_with_the_solutions_put_in_every_check_passes(path):
    solved = with_solutions(nbformat.read(path, as_version=4), insist=True)
    try:
        run(part(solved), path.parent, {"effort": EFFORT})
    except NotebookError as error:
        pytest.fail(f"{path.name}, of which a part is run (see solved.py), {error}", pytrace=False)


def test_the_notebooks_are_there():
    assert (NOTEBOOKS / "00_start_here.ipynb").exists()


CHAPTER = {  # cells, and a word of each line that is run again, but for lines that are indented
    "seed = 0\neffort = 1.0": "seed effort",
    "import torch\nimport math\nfrom gencourse.exercises import start as exercises": "torch exercises",
    "data = [0]\nprint(data)": "",
    "torch.manual_seed(seed)\ndata = [1, 2]\nothers = [3]": "manual_seed data",
    "data.append(3)\nothers.append(4)": "data.append",
    "def note(x):\n    data.append(x)": "note",
    "note(4)": "note",
    "def half(x):\n    return x / scale": "half",
    "scale = 2": "scale",
    "table = {}\nfor name in 'ab':\n    table[name] = data": "table for",
    "print(table)": "print",  # for all that is known, it could change the table
    "def solve(x): return half(x)\n\nsolve = exercises.solve.check(solve)": "solve check",
    "def mine(x): return table[x]\n\nmine = exercises.mine.check(mine)": "mine check",
    "answer = solve(data)\nconfirm('A', holds=answer == math.pi)": "",
}
EXERCISES = {11, 12}


def test_what_is_run_again_are_the_exercises_and_what_they_need():
    tags = {0: ["parameters"], **{place: ["exercise"] for place in EXERCISES}}
    cells = [new_code_cell(source, metadata={"tags": tags.get(i, [])}) for i, source in enumerate(CHAPTER)]
    found = {cell.id: cell.source for cell in part(new_notebook(cells=cells)).cells}
    for cell, words in zip(cells, CHAPTER.values()):
        kept = found.get(cell.id, "").replace("\n\n", "\n").splitlines()
        kept = [line for line in kept if not line.startswith(" ")]
        assert len(kept) == len(words.split()) and all(map(str.__contains__, kept, words.split())), cell.source


def test_a_solution_that_does_not_pass_is_noticed(tmp_path):
    from gencourse.exercises import start

    coin = start.coin_log_likelihood
    setup = "import math, torch\nfrom torch import Tensor\nfrom gencourse.exercises import start as exercises"
    exercise = f"{coin.stub}\n\n\n{coin.name} = exercises.{coin.name}.check({coin.name})"
    tags = {"tags": ["exercise"]}
    cells = [new_code_cell(setup), *(new_code_cell(exercise, metadata=tags) for _ in range(2))]
    solved = with_solutions(new_notebook(cells=cells), insist=True)
    body = coin.solution_source.splitlines()[-1]
    assert solved.cells[2].source.count(body) == 1
    solved.cells[2].source = solved.cells[2].source.replace(body, "    return torch.tensor(-1.0)")
    with pytest.raises(NotebookError, match=rf"^cell {cells[2].id}: AssertionError: {coin.name}: not yet"):
        run(solved, tmp_path)  # and the cell before passes


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What pytest says of two toys, by the command that stands in the Makefile, with 8 s for a cell.

    One has a cell that goes on after it was interrupted, and two others that did not run or raise; the other shows
    all that a reader's own settings could change. Returns also the ids of the first one's cells.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = r"^\tOMP_NUM_THREADS=1 \$\(PY\) (-m pytest .*--nbval-lax.*) notebooks$"
    (line,) = re.findall(pattern, makefile, re.MULTILINE)
    for name, value in re.findall(r"^(\w+) := (-n .*)$", makefile, re.MULTILINE):
        line = line.replace(f"$({name})", value)
    line = (
        line.replace("$(TEST_FLAGS)", "-p no:cacheprovider")
        .replace("$(EFFORT)", "0.5")
        .replace("cell-timeout=600", "cell-timeout=8")
    )
    swallow = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = with_habits(tmp_path_factory.mktemp("toys"), monkeypatch)
        stuck = toy(folder / "stuck.ipynb", swallow, "1 / 0", "# NBVAL_SKIP\n1", "2")
        habits = toy(folder / "habits.ipynb", *HABITS, tags=["nbval-check-output"])
        (made,) = execute([habits], show_progress=False)
        assert made.error is None
        command = [sys.executable, *shlex.split(line), str(stuck), str(habits)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr, [cell.id for cell in nbformat.read(stuck, as_version=4).cells]


def test_a_cell_that_did_not_run_to_its_end_in_time_fails_and_hides_no_later_one(told):
    words, ids = told
    assert len(re.findall(r"^FAILED .*/stuck\.ipynb::", words, re.MULTILINE)) == 3 and "xfailed" not in words, words
    assert f"3 failed, {2 + 1 + len(HABITS)} passed" in words, words
    assert f"stuck.ipynb, cell {ids[2]}: it outlasted its limit of 8 s, and went on" in words
    assert "ZeroDivisionError" in words and f"stuck.ipynb, cell {ids[4]}: it was not tested: Skipped" in words


def test_a_readers_own_settings_change_no_cell(told):
    assert "habits.ipynb::" not in told[0] and f"{2 + 1 + len(HABITS)} passed" in told[0], told[0]


def test_the_end_of_a_run_tells_what_was_skipped(tmp_path):
    (tmp_path / "test_toy.py").write_text(
        "import pytest\n"
        "@pytest.mark.skipif(True, reason='npm is not there')\n@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_a(n): pass\n"
        "def test_b(): pytest.importorskip('nothing_of_that_name')\n"
        "def test_c(): pass\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-n", "1", "--rootdir", tmp_path, tmp_path]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", env=env)
    kept = (tmp_path / ".pytest_cache" / "d" / "not-tested" / "summary.txt").read_text(encoding="utf-8")
    assert done.returncode == 0 and kept in done.stdout
    assert kept.splitlines()[:3] == ["3 of 4 tests were skipped:", "     2 in test_toy.py", "       npm is not there"]
    assert "could not import 'nothing_of_that_name'" in kept and "make test-all" in kept
