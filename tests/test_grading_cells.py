"""Cells that stand twice, files that are no notebooks, functions that are not there: each is told as what it is."""

import copy

import nbformat
import pytest
from grading import START, by_name, insert, nbgrader, needs_nbgrader
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from gencourse.course.execute import NOTEBOOKS
from gencourse.exercises import start
from gencourse.grading import export

# ------------------------------------------------------------------- cells that stand twice, before anything is run


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """A course folder with the assignment of 00, of which students have a copy; and that copy."""
    folder = tmp_path_factory.mktemp("copies") / "grading"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{START}.ipynb"], seed=1)
    ((code, words),) = nbgrader(folder, f"generate_assignment {START}").values()
    assert code == 0, words
    return folder, nbformat.read(folder / "release" / START / f"{START}.ipynb", as_version=4)


COIN, CHECK, HIDDEN = "coin_log_likelihood", "coin_log_likelihood_check", "coin_log_likelihood_hidden"
COPIES = {}  # name: (what is done to the notebook, the cells of the assignment afterwards, and all sources, in order)


def copies(make):
    COPIES[make.__name__] = make
    return make


@copies
def nothing(notebook, cells):
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "def", "mark", "hidden"]


@copies
def answer_split(notebook, cells):
    cells[COIN].source = "helper = 1"
    insert(notebook, cells[COIN], "def answer")
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "helper", "def answer", "mark", "hidden"]


@copies
def answer_three_times(notebook, cells):
    insert(notebook, cells[COIN], "two = 2")
    insert(notebook, cells[COIN], "three = 3", after=cells[HIDDEN])
    return ["setup", CHECK, HIDDEN, COIN], ["", "import", "", "def", "two", "mark", "hidden", "three"]


@copies
def old_answer_kept_as_text(notebook, cells):
    old = insert(notebook, cells[COIN], "def wrong(): ...")
    position = next(i for i, cell in enumerate(notebook.cells) if cell is old)
    notebook.cells[position] = new_markdown_cell(old.source, metadata=old.metadata)
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "def", "def wrong", "mark", "hidden"]


@copies
def check_copied_to_the_end(notebook, cells):
    insert(notebook, cells[CHECK], after=cells[HIDDEN])
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "def", "mark", "mark", "hidden"]


@copies
def check_copied_and_changed(notebook, cells):
    insert(notebook, cells[CHECK], "helper = 5", after=cells[HIDDEN])
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "def", "mark", "hidden", "helper"]


@copies
def check_split(notebook, cells):
    first, second = cells[CHECK].source.split("\n", 1)
    cells[CHECK].source = second
    insert(notebook, cells[CHECK], first)
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "", "def", "mark", "mark", "hidden"]


@copies
def hidden_copied(notebook, cells):
    insert(notebook, cells[HIDDEN], after=cells["setup"])
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "# ", "", "def", "mark", "hidden"]


@copies
def setup_copied_and_changed(notebook, cells):
    insert(notebook, cells["setup"], "import antigravity", after=cells[CHECK])
    return ["setup", COIN, CHECK, HIDDEN], ["", "import math", "", "def", "mark", "import antigravity", "hidden"]


@copies
def setup_split(notebook, cells):
    first, second = cells["setup"].source.split("\n\n", 1)
    cells["setup"].source = first
    insert(notebook, cells["setup"], second)
    return ["setup", COIN, CHECK, HIDDEN], ["", "import math", "import torch", "", "def", "mark", "hidden"]


@copies
def of_another_assignment(notebook, cells):
    for name, version in (("elbo", 3), ("causal_mask", 1), ("skew", 99)):
        other = insert(notebook, cells[COIN], f"{name} = 1", after=cells["setup"])
        other.metadata.nbgrader.update(grade_id=name, schema_version=version)
    return ["setup", COIN, CHECK, HIDDEN], ["", "import", "skew", "causal", "elbo", "", "def", "mark", "hidden"]


@copies
def metadata_that_make_no_sense(notebook, cells):
    cells[COIN].metadata.nbgrader.grade_id = ["a", "list"]
    cells[CHECK].metadata.nbgrader = "nonsense"
    del cells[HIDDEN].metadata["nbgrader"]
    return ["setup", CHECK, HIDDEN], ["", "import", "", "def", "mark", "# ", "mark", "hidden"]


@needs_nbgrader
@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_of_several_cells_with_one_name_one_keeps_it_and_all_stay(handed_out, make, caplog):
    from nbgrader.preprocessors import CheckCellMetadata, DeduplicateIds, OverwriteCells

    from gencourse.grading.autograde import Restore

    folder, notebook = handed_out[0], copy.deepcopy(handed_out[1])
    names, sources = make(notebook, by_name(notebook))
    about = {"db_url": f"sqlite:///{folder / 'gradebook.db'}", "assignment": START, "notebook": START, "student": "x"}
    for preprocessor in (Restore, DeduplicateIds, OverwriteCells, CheckCellMetadata):
        notebook, _ = preprocessor().preprocess(notebook, {"nbgrader": about})
    assert list(by_name(notebook)) == names
    assert len(notebook.cells) == len(sources)
    for cell, beginning in zip(notebook.cells, sources, strict=True):
        if beginning == "hidden":
            assert cell.metadata["nbgrader"]["grade_id"] == HIDDEN and "variant=" in cell.source
        elif beginning == "mark":
            assert "mark(" in cell.source or cell.source.startswith("# 1 point")
            assert "variant=" not in cell.source
        else:
            assert cell.source.startswith(beginning)
    for name, cell in by_name(notebook).items():  # as it was handed out, whatever was done to it
        assert cell.metadata["nbgrader"]["grade"] == (name in (CHECK, HIDDEN)) and cell.cell_type == "code"


@needs_nbgrader
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\0" * 2000, "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!doctype html><title>Sign in</title>", "web page"),
        (b"\xef\xbb\xbf<html>", "web page"),
        (b"PK\x03\x04...", "archive"),
        (b'{"cells": [', "not valid JSON"),
        (b"<<<<<<< HEAD", "web page"),
        (b"{\n<<<<<<< HEAD\n}", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "no text"),
        (b"[]", "no notebook"),
        (b"{}", "no notebook"),
        (b"5", "no notebook"),
        (b'"text"', "no notebook"),
        (b"null", "no notebook"),
        (b'{"cells": "none", "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no notebook"),
        (b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no notebook"),
    ],
)
def test_a_file_that_is_no_notebook_is_named_as_what_it_is(tmp_path, data, why):
    from gencourse.grading.collect import NotANotebook, read

    (tmp_path / "a.ipynb").write_bytes(data)
    with pytest.raises(NotANotebook, match=why):
        read(tmp_path / "a.ipynb")


@needs_nbgrader
def test_notebooks_of_older_formats_and_with_a_mark_in_front_are_read(handed_out, tmp_path):
    from gencourse.grading.collect import read

    text = nbformat.writes(handed_out[1])
    old = nbformat.writes(nbformat.convert(copy.deepcopy(handed_out[1]), 3), 3)
    for data in (text.encode("utf-8-sig"), old.encode()):
        (tmp_path / "a.ipynb").write_bytes(data)
        assert list(by_name(read(tmp_path / "a.ipynb"))) == list(by_name(handed_out[1]))


ERROR = new_output("error", ename="SyntaxError", evalue="invalid syntax (123.py, line 2)", traceback=[])
UNKNOWN = new_output("error", ename="NameError", evalue=f"name '{COIN}' is not defined", traceback=[])


@needs_nbgrader
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            [(f"def {COIN}(flips, p):\n  x = = 1", [ERROR])],
            "its cell did not run to its end: `SyntaxError`: invalid syntax, in line 2 of the cell.",
        ),
        ([(f"1 / 0\n{COIN} = print", [ERROR])], "its cell did not run to its end"),
        ([("def helper(): ...\ndef coin(flips, p): ...", [])], "its cell defines `helper`, `coin`. Keep the name."),
        ([("", [])], "no cell of the notebook that was handed in defines it."),
        ([], "no cell of the notebook that was handed in defines it."),
        ([("TEST", []), (f"def {COIN}(flips, p): ...", [])], "stands below this test"),
        ([("5", [ERROR]), ("", [])], "no cell of the notebook that was handed in defines it."),
    ],
)
def test_a_function_that_is_not_there_is_told_by_what_became_of_its_cell(cells, words):
    from gencourse.grading.autograde import judge

    about = {"grade": True, "solution": False, "locked": True, "grade_id": CHECK}
    test = new_code_cell(f'mark("start.{COIN}", {COIN})', metadata={"nbgrader": about}, outputs=[UNKNOWN])
    notebook = [new_code_cell(source, outputs=outputs) if source != "TEST" else test for source, outputs in cells]
    if notebook and notebook[0] is not test:
        notebook[-1].metadata["nbgrader"] = about | {"grade": False, "solution": True, "grade_id": COIN}
    notebook += [] if any(cell is test for cell in notebook) else [test]
    judge(test, notebook)
    told = test.outputs[0].data["text/plain"]
    assert f"There is no `{COIN}`" in told and words in told and "NameError" not in told, told


@needs_nbgrader
def test_a_function_that_misses_its_helper_is_told_that_the_helper_s_cell_did_not_run():
    from gencourse.grading.autograde import ANSWERS, judge

    def theirs(flips, p):
        return helper(flips)  # noqa: F821

    answers = start.coin_log_likelihood.answers(theirs).to_json()
    test = new_code_cell(
        f'mark("start.{COIN}", {COIN})',
        metadata={"nbgrader": {"grade": True, "grade_id": CHECK}},
        outputs=[new_output("display_data", {ANSWERS: answers})],
    )
    judge(test, [new_code_cell("def helper(x):\n  x = = 1", outputs=[ERROR]), test])
    told = test.outputs[0].data["text/plain"]
    assert "There is no `helper`, for its cell did not run to its end: `SyntaxError`" in told
    assert "name 'helper' is not defined, in line" in told
