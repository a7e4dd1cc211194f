"""Assignments for nbgrader: what they contain, and that nobody gets other marks than their functions deserve."""

import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from gencourse.cli import main
from gencourse.execute import NOTEBOOKS
from gencourse.exercises import autoregression, start
from gencourse.exercises.core import Exercise
from gencourse.grading import NotPassed, export, find, mark
from gencourse.notebook import exercises

START, STEM = "00_start_here", "01_autoregression"
REGION = ("    ### BEGIN SOLUTION", "    ### END SOLUTION")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grading") / "a course"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{stem}.ipynb" for stem in (START, STEM)], seed=1)
    return folder


def source(course, stem=STEM):
    return nbformat.read(course / "source" / stem / f"{stem}.ipynb", as_version=4)


def by_name(notebook):
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


# --------------------------------------------------------------------------------------------- what is exported


def test_every_exercise_of_every_notebook_becomes_part_of_an_assignment(tmp_path, capsys):
    folder = tmp_path / "course"
    assert main(["export", "nbgrader", str(folder), "--seed", "1"]) == 0
    told = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {"nbgrader_config.py", "source"}
    compile((folder / "nbgrader_config.py").read_text(), "nbgrader_config.py", "exec")
    for path in NOTEBOOKS.glob("*.ipynb"):
        found = [exercise for _, exercise in exercises(nbformat.read(path, as_version=4))]
        assert (folder / "source" / path.stem).exists() == bool(found)
        if found:
            assert f"{path.stem}" in told
            notebook = source(folder, path.stem)
            nbformat.validate(notebook)
            cells = by_name(notebook)
            assert [name for name, cell in cells.items() if cell.metadata.nbgrader.solution] == [e.name for e in found]
            points = {}
            for name, cell in cells.items():
                if cell.metadata.nbgrader.grade:
                    exercise = name.rpartition("_")[0]
                    points[exercise] = points.get(exercise, 0) + cell.metadata.nbgrader.points
            assert points == {exercise.name: export.POINTS[exercise.difficulty] for exercise in found}
            prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
            assert "solution()" not in prose and "the notebook goes on" not in prose and "Exercise" in prose


def test_the_solution_stands_where_nbgrader_cuts_it_out(course):
    for name, cell in by_name(source(course)).items():
        if cell.metadata.nbgrader.solution:
            exercise = getattr(autoregression, name)
            lines = cell.source.splitlines()
            first, last = map(lines.index, REGION)
            assert [*lines[:first], *lines[first + 1 : last]] == exercise.solution_source.splitlines()
            assert lines[:first] == exercise.stub.splitlines()[:-1] and lines[last + 1 :] == []


def test_every_cell_of_the_assignment_runs_quietly_and_passes(course, capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    scope, noise = {}, io.StringIO()
    with redirect_stderr(noise):
        for cell in source(course).cells:
            if cell.cell_type == "code":
                exec(cell.source, scope)
    assert noise.getvalue() == "" and capsys.readouterr().err == ""


def test_hidden_inputs_follow_the_seed_and_are_others_than_the_check_s(course, tmp_path):
    def variants(folder):
        cells = by_name(source(folder))
        return {name: cell.source for name, cell in cells.items() if name.endswith("_hidden")}

    for name, seed in (("same", 1), ("other", 2), ("drawn", None)):
        export.nbgrader_course(tmp_path / name, [NOTEBOOKS / f"{STEM}.ipynb"], seed=seed)
    assert variants(tmp_path / "same") == variants(course)
    assert variants(tmp_path / "other") != variants(course) != variants(tmp_path / "drawn")
    assert set(variants(course)) == {f"{name}_hidden" for name, exercise in vars(autoregression).items()
                                     if isinstance(exercise, Exercise) and name != "ancestral_sample"}  # fmt: skip


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["export", "nbgrader", str(tmp_path)]) == 2
    assert "already and not empty; name a new folder" in capsys.readouterr().err
    assert main(["export", "nbgrader", str(tmp_path / "notes.txt")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "write", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export.nbgrader_course(tmp_path / "course", [NOTEBOOKS / "00_start_here.ipynb"], seed=1)
    with pytest.raises(ValueError, match="no exercise"):
        export.nbgrader_course(tmp_path / "course", [])
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------- what a test cell does


def test_mark_tells_the_verdict_and_raises_unless_it_passed(capsys):
    mask = autoregression.causal_mask
    mark(mask.key, lambda kernel_size, kind: mask.reference(kernel_size, kind))
    with pytest.raises(NotPassed, match="causal_mask: not yet"):
        mark(mask.key, lambda kernel_size, kind: mask.reference(kernel_size, kind).T, variant=3)
    told = capsys.readouterr()
    assert "causal_mask: passed" in told.out and "The mask is transposed" in told.out and told.err == ""
    with pytest.raises(KeyError, match="'autoregression.mask'; expected MODULE.NAME"):
        mark("autoregression.mask", mask.reference)
    with pytest.raises(KeyError, match="'nothing'"):
        find("nothing")


def test_the_course_s_own_solution_by_mistake_is_not_the_student_s(capsys):
    """`check` hands the reference back where a function has not passed: a cell pasted from the notebook."""
    mask = autoregression.causal_mask
    handed = mask.check(lambda kernel_size, kind: 5)
    for variant in (0, 7):
        with pytest.raises(NotPassed):
            mark(mask.key, handed, variant)
    assert capsys.readouterr().out.count("the course's own solution") == 2


# ------------------------------------------------------------------------------------------------ nbgrader itself

needs_nbgrader = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="nbgrader is missing: pip install -c constraints.txt -e '.[grade]'",
)


def examined(*sources, locked=(), **limits):
    """What comes out of the cells of a submission."""
    from gencourse.grading.autograde import Examine

    cells = [new_code_cell(source) for source in sources]
    for index in locked:
        cells[index].metadata.nbgrader = {"grade": False, "solution": False, "locked": True, "grade_id": "setup"}
    notebook = new_notebook(cells=cells)
    Examine(**limits).preprocess(notebook, {"metadata": {"path": str(Path(__file__).parent)}})
    return ["".join(str(dict(output)) for output in cell.outputs) for cell in notebook.cells]


@needs_nbgrader
def test_a_cell_that_takes_no_notice_of_an_interrupt_costs_only_itself():
    stuck = "import itertools\nprint('stuck')\nsum(itertools.count())"
    once = "import pathlib, sys\nn = 0\nwhile n < 10**9: n += 1"
    first, slow, bad, after = examined("n = 7", once, stuck, "print(f'{n=}')", timeout=3)
    assert "could not be interrupted" in bad and "stuck" not in bad
    assert "CellTimeoutError" in slow and "n=7" in after  # in the second kernel the slow cell is left out as well


@needs_nbgrader
def test_no_time_is_left_after_a_while():
    slow, after = examined("import time\ntime.sleep(60)", "print('here')", timeout=30, seconds=3)
    assert "CellTimeoutError" in slow and "no time was left" in after and "here" not in after


@needs_nbgrader
@pytest.mark.parametrize("flood", [
    "for _ in range(300):\n    print('x' * 10**5, flush=True)",
    "from IPython.display import display\nfor _ in range(300):\n    display({'text/plain': 'x' * 10**5}, raw=True)",
    "print('x' * 4 * 10**7)",
    "while True:\n    print('x' * 10**4)",
])  # fmt: skip
def test_output_without_end_is_cut(flood):
    out, after = examined(flood, "print('after')", timeout=5)
    assert len(out) < 1_500_000 and "after" in after


@needs_nbgrader
@pytest.mark.skipif(os.name != "posix", reason="there are no such bounds on Windows")
def test_memory_and_files_are_bounded(tmp_path):
    grow = "held = []\nwhile True:\n    held.append(bytearray(10**7))"
    write = f"file = open({str(tmp_path / 'large')!r}, 'wb')\nfor _ in range(100):\n    file.write(bytes(10**7))"
    disk, hog, after = examined(write, grow, "print('after')", memory_mib=600, timeout=30)
    assert "MemoryError" in hog and "after" in after
    assert "File too large" in disk and (tmp_path / "large").stat().st_size <= 2**26


@needs_nbgrader
def test_a_failure_of_the_assignment_itself_is_nobody_s_zero():
    for source, why in (("1 / 0", "ZeroDivisionError"), ("import os\nos._exit(0)", "the kernel died")):
        with pytest.raises(RuntimeError, match=f"cell setup of the assignment itself failed .*: {why}"):
            examined(source, locked=[0])


@needs_nbgrader
def test_the_kernel_can_be_started_in_a_sandbox():
    command = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a network of his own")
    look = "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)"
    assert "refused" in examined(look)[0]
    out, after = examined(f"{look}", "print('after')", command=command)
    assert "unreachable" in out and "after" in after


@needs_nbgrader
def test_the_sandbox_that_instructors_are_told_of_hides_what_it_should(tmp_path, monkeypatch):
    shut = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    if shutil.which("bwrap") is None or subprocess.run(shut, capture_output=True).returncode:
        pytest.skip("there is no bubblewrap, or this system lets nobody use it")
    for name in ("course", "home", "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("marks")
    monkeypatch.chdir(tmp_path / "course")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "run"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that TMPDIR is looked up again
    page = (NOTEBOOKS.parent / "docs" / "pages" / "instructors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    c = SimpleNamespace(Examine=SimpleNamespace())
    exec(code, {"c": c})
    look = f"""
import os, pathlib
print("hidden", ["mine" in os.listdir(f"{tmp_path}/{{name}}") for name in ("course", "home")])
print("networks", [line.split(":")[0].strip() for line in pathlib.Path("/proc/net/dev").open() if ":" in line])
for do in (lambda: pathlib.Path("{tmp_path}/file").write_text(""), lambda: os.kill({os.getpid()}, 0)):
    try:
        do()
    except OSError as error:
        print(type(error).__name__, error)"""
    out, slow, after = examined(look, "while True: pass", "print('after')", timeout=5, command=c.Examine.command)
    for words in ("hidden [False, False]", "networks ['lo']", "Read-only", "ProcessLookupError"):
        assert words in out, words
    assert "not run to its end" in slow and "after" in after


STUDENTS = {}  # name: (assignment, what is done to the notebook that was handed out)


def student(stem):
    return lambda make: STUDENTS.setdefault(make.__name__, (stem, make))[1]


def solve(cell, body=None):
    """Put a body in place of a stub's: the solution, or another one."""
    name = cell.metadata.nbgrader.grade_id
    exercise = vars(autoregression).get(name) or getattr(start, name)
    cell.source = exercise.solution_source if body is None else exercise.stub.rpartition("    ...")[0] + body


@student(STEM)
def empty(notebook):
    pass


@student(STEM)
def right(notebook):
    for cell in by_name(notebook).values():
        if cell.metadata.nbgrader.solution:
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
    cells["bits_per_dimension"].source += "\nwhile True:  # after a right function\n    pass"
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
from gencourse.exercises import core, verdict
from gencourse.exercises.answers import Answers, Problem
passed = verdict.Verdict("coin_log_likelihood", "passed", "passed", "Right on all 9 inputs.")
core.Exercise.judge = core.Exercise.grade = lambda *arguments: passed
core.Case.same = lambda *arguments: True
core.Exercise.expected = [torch.tensor(5.0).double()] * 9
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
def graded(course):
    """The course folder after a round of nbgrader with all `STUDENTS`."""
    limits = "c.Examine.answer_seconds = 10\nc.Examine.timeout = 15\nc.Examine.memory_mib = 1600\n"
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + limits)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic by name

    def nbgrader(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(command, cwd=course, env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    for stem in (START, STEM):
        nbgrader("generate_assignment", stem)
        for name, (assignment, make) in STUDENTS.items():
            if assignment == stem:
                notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
                make(notebook)
                path_of = course / "submitted" / name / stem / f"{stem}.ipynb"
                path_of.parent.mkdir(parents=True)
                nbformat.write(notebook, path_of)
        nbgrader("autograde", stem)
        nbgrader("generate_feedback", stem)
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
    assert total == 0 and page.count(": not attempted</b>") == 19


@needs_nbgrader
def test_a_submission_that_is_partly_right_has_part_of_the_points_and_reads_why(graded):
    points, total, page = marks(graded, "partly")
    assert {name for name, score in points.items() if score} == {
        "unskew_check", "unskew_hidden", "ancestral_sample_check", "dilations_for_context_check",
        "dilations_for_context_hidden", "receptive_field_check",
    }  # fmt: skip
    assert total == 2 + 4 + 2 + 1
    assert "causal_mask: not yet" in page and "come after the centre" in page
    assert "receptive_field: raised an error" in page and "KeyError" in page
    assert "name 'skew' is not defined" in page


@needs_nbgrader
def test_a_hostile_submission_has_what_it_deserves(graded):
    points, total, page = marks(graded, "hostile")
    assert {name for name, score in points.items() if score} == {
        "bits_per_dimension_check", "bits_per_dimension_hidden", "unskew_check", "unskew_hidden",
        "mu_law_encode_check", "mu_law_encode_hidden",
    }  # fmt: skip
    assert total == 2 + 2 + 4
    for words in ("SystemExit", "No reply from kernel before timeout", "the kernel died in it",
                  "more memory than there is", "does your loop end?"):  # fmt: skip
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
