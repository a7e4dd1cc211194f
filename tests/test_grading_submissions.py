"""Nobody gets other marks than their functions deserve: right, partly right, empty, hostile and forged submissions."""

import nbformat
import pytest
from grading import START, STEM, by_name, nbgrader, needs_nbgrader, solve
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from gencourse.course.execute import NOTEBOOKS
from gencourse.exercises import autoregression
from gencourse.grading import export

STUDENTS = {}  # name: (assignment, what is done to the notebook that was handed out)


def student(stem):
    return lambda make: STUDENTS.setdefault(make.__name__, (stem, make))[1]


@student(STEM)
def empty(notebook):
    pass


@student(STEM)
def right(notebook):
    """All but the whole models, which take as long to check as all others together."""
    for name, cell in by_name(notebook).items():
        if cell.metadata.nbgrader.solution and not name.endswith("_from_blank"):
            solve(cell)


@student(STEM)
def partly(notebook):
    """A known mistake, a table of the check's own inputs, an exercise whose cells are gone, and four left open."""
    cells = by_name(notebook)
    for name in ("unskew", "ancestral_sample", "dilations_for_context"):
        solve(cells[name])
    solve(cells["causal_mask"], "    return torch.ones(kernel_size, kernel_size).tril()")
    cases = zip(autoregression.receptive_field.cases, autoregression.receptive_field.expected)
    known = {(case.arguments[0], *case.arguments[1]): value.item() for case, value in cases}
    solve(cells["receptive_field"], f"    return {known}[kernel_size, *dilations]")
    gone = [cells[f"skew{end}"].id for end in ("", "_check", "_hidden")]
    notebook.cells = [cell for cell in notebook.cells if cell.id not in gone]


@student(STEM)
def hostile(notebook):
    """Does its worst in most cells; what is right besides is to count all the same."""
    right(notebook)
    cells = by_name(notebook)
    solve(cells["chain_rule_log_prob"], "    raise SystemExit('<script>alert(1)</script>')")
    cells["bits_per_dimension"].source += "\nimport time\nwhile True:  # after a right function\n    time.sleep(0.1)"
    solve(cells["causal_mask"], "    import os\n    os._exit(0)")
    solve(cells["skew"], "    held = []\n    while True:\n        held.append(bytearray(10**8))")
    cells["unskew"].source += "\nfrom IPython.display import HTML\nHTML('<script>alert(2)</script>')"
    solve(cells["ancestral_sample"], "    while True:\n        pass")
    del notebook.cells[[cell.id for cell in notebook.cells].index("mu_law_encode_check")]
    cells["mu_law_encode_hidden"].metadata = {"tags": ["skip-execution"]}
    cells["mu_law_decode_check"].metadata.tags = ["skip-execution"]
    for name in ("mu_law_decode", "receptive_field", "dilations_for_context"):
        solve(cells[name], "    return [1]")
    for name in ("receptive_field", "dilations_for_context"):
        cells[f"{name}_check"].source = "print('✓ passed: Right on all inputs.')\n'100'"
        cells[f"{name}_hidden"].metadata.nbgrader.points = 1000
        cells[f"{name}_hidden"].metadata.nbgrader.grade = False
    cells["dilations_for_context_check"].metadata.nbgrader.solution = True
    notebook.cells.append(new_code_cell('mark("nonsense", 5)'))
    notebook.cells += [new_markdown_cell("<img src=x onerror=alert(3)>"), new_raw_cell("<script>alert(4)</script>")]


def forging(source):
    def make(notebook):
        (cell,) = (cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution"))
        solve(cell, "    return 5")
        cell.source += FORGED + source

    return make


FORGED = """
import sys, types
import gencourse.grading, torch
from gencourse.exercises.machine import cases, exercise, verdict
from gencourse.exercises.machine.answers import Answers, Problem
passed = verdict.Verdict("coin_log_likelihood", "passed", "passed", "Right on all 9 inputs.")
exercise.Exercise.judge = exercise.Exercise.grade = lambda *arguments: passed
cases.Case.same = lambda *arguments: True
exercise.Exercise.expected = [torch.tensor(5.0).double()] * 9
torch.allclose = lambda *arguments, **options: True
exercises = types.SimpleNamespace(coin_log_likelihood=types.SimpleNamespace(grade=lambda fn: passed))
"""
FORGERIES = {
    "redefines_the_checker": "",
    "sends_a_verdict": "show, kind = gencourse.grading.display, gencourse.grading.ANSWERS\n"
    """forged = '{"values": [], "problem": ["passed", "passed", "Right."], "printed": ""}'\n"""
    "gencourse.grading.display = lambda data, **options: show({kind: forged}, raw=True)\n",
    "prints_a_verdict": "gencourse.grading.mark = lambda *arguments, **options: print(passed)\n",
    "swallows_errors": "get_ipython().showtraceback = lambda *arguments, **options: None\n"
    "get_ipython().set_custom_exc((BaseException,), lambda *arguments, **options: None)\n"
    "gencourse.grading.mark = lambda *arguments, **options: 1 / 0\n",
    "ends_the_kernel": "import os\ngencourse.grading.mark = lambda *arguments, **options: os._exit(0)\n",
}
STUDENTS |= {name: (START, forging(source)) for name, source in FORGERIES.items()}


@student(START)
def copier(notebook):
    """Asks the package for the answer: the course is open, and so are its solutions."""
    (cell,) = (cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution"))
    solve(cell, "    return exercises.coin_log_likelihood.reference(flips, p)")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course folder after a round of nbgrader with all `STUDENTS`."""
    course = tmp_path_factory.mktemp("grading") / "a course"
    export.nbgrader_course(course, [NOTEBOOKS / f"{stem}.ipynb" for stem in (START, STEM)], seed=1)
    limits = "c.Examine.answer_seconds = 4\nc.Examine.timeout = 8\nc.Examine.memory_mib = 1600\n"
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + limits)

    def each(*steps):
        said = nbgrader(course, *(f"{step} {stem}" for stem in (START, STEM) for step in steps))
        assert all(code == 0 for code, _ in said.values()), said

    each("generate_assignment")
    for name, (stem, make) in STUDENTS.items():
        notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
        make(notebook)
        path_of = course / "submitted" / name / stem / f"{stem}.ipynb"
        path_of.parent.mkdir(parents=True)
        nbformat.write(notebook, path_of)
    each("autograde", "generate_feedback")
    return course


def marks(course, name):
    """The points of each test cell, their sum, and the page of feedback."""
    from nbgrader.api import Gradebook

    stem, _ = STUDENTS[name]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        (notebook,) = gradebook.find_submission(stem, name).notebooks
        assert not notebook.needs_manual_grade
        points, total = {grade.name: grade.auto_score for grade in notebook.grades}, notebook.score
    return points, total, (course / "feedback" / name / stem / f"{stem}.html").read_text(encoding="utf-8")


@needs_nbgrader
def test_students_get_stubs_and_no_hidden_tests(graded):
    cells = by_name(nbformat.read(graded / "release" / STEM / f"{STEM}.ipynb", as_version=4))
    for name, cell in cells.items():
        assert "variant=" not in cell.source and "SOLUTION" not in cell.source
        if cell.metadata.nbgrader.solution:
            scope = {}
            exec(f"import torch\nfrom torch import Tensor\n{cell.source}", scope)
            assert getattr(autoregression, name).grade(scope[name]).status == "not attempted"


@needs_nbgrader
def test_a_right_submission_has_all_points_and_an_empty_one_has_none(graded):
    _, total, page = marks(graded, "right")
    assert total == 28 and page.count(": passed</b>") == 19 and "not yet" not in page
    _, total, page = marks(graded, "empty")
    assert total == 0 and page.count(": not attempted</b>") == 23


@needs_nbgrader
def test_a_submission_that_is_partly_right_has_part_of_the_points_and_reads_why(graded):
    points, total, page = marks(graded, "partly")
    assert {name for name, score in points.items() if score} == {
        "unskew_check",
        "unskew_hidden",
        "ancestral_sample_check",
        "dilations_for_context_check",
        "dilations_for_context_hidden",
        "receptive_field_check",
    }
    assert total == 2 + 4 + 2 + 1
    assert "causal_mask: not yet" in page and "come after the centre" in page
    assert "receptive_field: raised an error" in page and "KeyError" in page
    assert "There is no <code" in page and "no cell of the notebook that was handed in defines it" in page
    assert "is not defined" not in page


@needs_nbgrader
def test_a_hostile_submission_has_what_it_deserves(graded):
    points, total, page = marks(graded, "hostile")
    assert {name for name, score in points.items() if score} == {
        "bits_per_dimension_check",
        "bits_per_dimension_hidden",
        "unskew_check",
        "unskew_hidden",
        "mu_law_encode_check",
        "mu_law_encode_hidden",
    }
    assert total == 2 + 2 + 4
    for words in (
        "SystemExit",
        "No reply from kernel before timeout",
        "the kernel died in it",
        "more memory than there is",
        "does your loop end?",
    ):
        assert words in page, words
    assert "<script>alert" not in page and "<img src=x" not in page and "&lt;img src=x onerror=alert(3)&gt;" in page


@needs_nbgrader
@pytest.mark.parametrize("name", FORGERIES)
def test_a_verdict_cannot_be_forged(graded, name):
    points, total, page = marks(graded, name)
    assert total == 0, points
    assert page.count("coin_log_likelihood: not yet</b>") == 2 and "not yet" in page


@needs_nbgrader
def test_the_answer_can_be_had_from_the_package(graded):
    """What no check inside Python can prevent, and `solution()` shows it to everybody."""
    assert marks(graded, "copier")[1] == 2
