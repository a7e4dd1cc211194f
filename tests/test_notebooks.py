"""Every notebook with its exercises solved, at a low effort and with the network cut.

As committed, at effort 1, each is run cell by cell by nbval (`make test`).
"""

import nbformat
import pytest

from gencourse.execute import NOTEBOOKS, NotebookError, run
from gencourse.notebook import with_solutions

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
