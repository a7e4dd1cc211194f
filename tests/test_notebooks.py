"""Every notebook with its exercises solved, at a low effort and with the network cut.

As committed, at effort 1, each is run cell by cell by nbval (`make test`); that this notices every cell that did not
run to its end in time is tested here, on toys.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_course_execute import HABITS, habits  # noqa: F401 (a fixture)
from toys import toy

from gencourse.course.execute import NOTEBOOKS, NotebookError, execute, run
from gencourse.course.notebook import with_solutions

ROOT = Path(__file__).resolve().parents[1]

EFFORT = 0.1


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_with_the_solutions_put_in_every_check_passes_and_no_claim_breaks(path):
    solved = with_solutions(nbformat.read(path, as_version=4), insist=True)
    try:
        run(solved, path.parent, {"effort": EFFORT})
    except NotebookError as error:
        pytest.fail(f"{path.name}, {error}", pytrace=False)


def test_the_notebooks_are_there():
    assert (NOTEBOOKS / "00_start_here.ipynb").exists()


def test_a_solution_that_does_not_pass_is_noticed(tmp_path):
    from gencourse.exercises import Exercise, start

    name, exercise = next((n, e) for n, e in vars(start).items() if isinstance(e, Exercise))
    signature = exercise.stub.splitlines()[0]
    wrong = f"{signature}\n    return None\n\n\n{name} = exercises.{name}.check({name})"
    setup = "import math, torch\nfrom torch import Tensor\nfrom gencourse.exercises import start as exercises"
    grade = f"assert exercises.{name}.grade({name}).status == 'passed', 'noticed'\n"
    tags = {"tags": ["exercise"]}
    cells = [nbformat.v4.new_code_cell(setup), nbformat.v4.new_code_cell(wrong, metadata=tags)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    run(with_solutions(notebook, insist=True), tmp_path)  # the solution stands in place of the wrong answer
    cells[1].source = wrong.replace(f"{name} = ", grade + f"{name} = ")
    with pytest.raises(NotebookError, match="noticed"):
        run(notebook, tmp_path)


def as_make_test_does(path, timeout=600):
    """pytest on one notebook, by the command that stands in the Makefile; returns its exit code and its words."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = r"^\tOMP_NUM_THREADS=1 \$\(PY\) (-m pytest .*--nbval-lax.*) notebooks$"
    (line,) = re.findall(pattern, makefile, re.MULTILINE)
    (two,) = re.findall(r"^TWO := (.*)$", makefile, re.MULTILINE)
    line = line.replace("$(TWO)", two).replace("$(TEST_FLAGS)", "-p no:cacheprovider")
    line = line.replace("cell-timeout=600", f"cell-timeout={timeout}")
    command = [sys.executable, *shlex.split(line), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240)
    return done.returncode, done.stdout + done.stderr


def test_a_cell_that_did_not_run_to_its_end_in_time_fails_and_hides_no_later_one(tmp_path):
    swallow = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"
    path = toy(tmp_path / "toy.ipynb", swallow, "1 / 0", "# NBVAL_SKIP\n1", "2")
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    code, told = as_make_test_does(path, timeout=5)
    assert code == 1 and "3 failed, 2 passed" in told and "xfailed" not in told, told
    assert f"toy.ipynb, cell {ids[2]}: it outlasted its limit of 5 s, and went on" in told
    assert "ZeroDivisionError" in told and f"toy.ipynb, cell {ids[4]}: it was not tested: Skipped" in told


def test_a_readers_own_settings_change_no_cell(habits):  # noqa: F811
    path = toy(habits / "toy.ipynb", *HABITS, tags=["nbval-check-output"])
    (made,) = execute([path], show_progress=False)
    code, told = as_make_test_does(path)
    assert made.error is None and code == 0, told
    assert f"{1 + len(HABITS)} passed" in told


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
