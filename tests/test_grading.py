"""Assignments for nbgrader: what they contain, and that nobody gets other marks than their functions deserve."""

import copy
import csv
import html
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from gencourse.cli import main
from gencourse.execute import NOTEBOOKS
from gencourse.exercises import autoregression, start, vae
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
    return {cell.metadata["nbgrader"]["grade_id"]: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


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

    def nbgrader(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(command, cwd=course, capture_output=True, text=True)
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
    assert "There is no <code" in page and "no cell of the notebook that was handed in defines it" in page
    assert "is not defined" not in page


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


def copy_of(cell):
    """What JupyterLab makes of a cell that is copied or split: the metadata stay, the id is another one."""
    other = copy.deepcopy(cell)
    other.id = f"{cell.id[:40]}-{uuid.uuid4().hex[:8]}"
    return other


def insert(notebook, cell, source=None, after=None):
    """Put a copy of a cell behind it, or behind another one."""
    other = copy_of(cell)
    other.source = cell.source if source is None else source
    place = next(index for index, each in enumerate(notebook.cells) if each is (after or cell))
    notebook.cells.insert(place + 1, other)
    return other


# ------------------------------------------------------------------- cells that stand twice, before anything is run


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """A course folder with the assignment of 00, of which students have a copy; and that copy."""
    folder = tmp_path_factory.mktemp("copies") / "grading"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{START}.ipynb"], seed=1)
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", START]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
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
@pytest.mark.parametrize(("data", "why"), [
    (b"", "empty"), (b"\0" * 2000, "empty"), (b"\xef\xbb\xbf", "empty"),
    (b"<!doctype html><title>Sign in</title>", "web page"), (b"\xef\xbb\xbf<html>", "web page"),
    (b"PK\x03\x04...", "archive"), (b'{"cells": [', "not valid JSON"), (b"<<<<<<< HEAD", "web page"),
    (b"{\n<<<<<<< HEAD\n}", "not valid JSON"), (b"\xff\xfe{\x00}\x00", "no text"), (b"[]", "no notebook"),
    (b"{}", "no notebook"), (b"5", "no notebook"), (b'"text"', "no notebook"), (b"null", "no notebook"),
    (b'{"cells": "none", "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no notebook"),
    (b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no notebook"),
])  # fmt: skip
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
@pytest.mark.parametrize(("cells", "words"), [
    ([(f"def {COIN}(flips, p):\n  x = = 1", [ERROR])], "its cell did not run to its end: `SyntaxError`: invalid "
     "syntax, in line 2 of the cell."),
    ([(f"1 / 0\n{COIN} = print", [ERROR])], "its cell did not run to its end"),
    ([("def helper(): ...\ndef coin(flips, p): ...", [])], "its cell defines `helper`, `coin`. Keep the name."),
    ([("", [])], "no cell of the notebook that was handed in defines it."),
    ([], "no cell of the notebook that was handed in defines it."),
    ([("TEST", []), (f"def {COIN}(flips, p): ...", [])], "stands below this test"),
    ([("5", [ERROR]), ("", [])], "no cell of the notebook that was handed in defines it."),
])  # fmt: skip
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
    test = new_code_cell(f'mark("start.{COIN}", {COIN})', metadata={"nbgrader": {"grade": True, "grade_id": CHECK}},
                         outputs=[new_output("display_data", {ANSWERS: answers})])  # fmt: skip
    judge(test, [new_code_cell("def helper(x):\n  x = = 1", outputs=[ERROR]), test])
    told = test.outputs[0].data["text/plain"]
    assert "There is no `helper`, for its cell did not run to its end: `SyntaxError`" in told
    assert "name 'helper' is not defined, in line" in told


# ------------------------------------------------------------------------------- a class, by the page for instructors

VAE = "03_vae"
PAGE = (NOTEBOOKS.parent / "docs" / "pages" / "instructors.md").read_text(encoding="utf-8")
CLASS = {}  # name in the archive: what is done to the notebook that was handed out, or the bytes in its place


def hands_in(name):
    return lambda make: CLASS.setdefault(name, make)


def all_right(notebook):
    for name, cell in by_name(notebook).items():
        if cell.metadata.nbgrader.solution:
            cell.source = getattr(vae, name).solution_source


@hands_in("Honest Ada_101_assignsubmission_file_03_vae.ipynb")
def honest(notebook):
    all_right(notebook)


@hands_in("Copy Carl_102_assignsubmission_file/03_vae.ipynb")
def copied(notebook):
    """The setup, an answer, its test and its hidden test stand twice; and a cell of another assignment is there."""
    all_right(notebook)
    cells = by_name(notebook)
    for name in ("setup", "elbo", "elbo_check", "elbo_hidden"):
        insert(notebook, cells[name])
    foreign = insert(notebook, cells["elbo"], "helper = 1", after=cells["setup"])
    foreign.metadata.nbgrader.grade_id = "causal_mask"


@hands_in("Split Sue_103_assignsubmission_file_/03_vae.ipynb")
def split(notebook):
    """Each answer has a helper, and was split behind it."""
    all_right(notebook)
    for cell in [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]:
        name = cell.metadata.nbgrader.grade_id
        insert(notebook, cell, cell.source + f"\n\n_whole = {name}\ndef {name}(*a, **k):\n"
               f"    return helper_of_{name}(_whole, *a, **k)".replace("_whole", f"_whole_{name}"))  # fmt: skip
        cell.source = f"def helper_of_{name}(whole, *a, **k):\n    return whole(*a, **k)"


@hands_in("synsam_104_9001_03_vae.ipynb")
def syntax(notebook):
    all_right(notebook)
    by_name(notebook)["elbo"].source += "\nprint((1)"


@hands_in("doubledora_LATE_105_9002_03_vae-1.ipynb")
def double(notebook):
    all_right(notebook)
    notebook.cells.insert(0, new_code_cell(
        "import numpy, torch, warnings\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(3)\n"
        "torch.set_default_device('meta')\ntorch.set_grad_enabled(False)\ntorch.set_printoptions(precision=1)\n"
        "torch.use_deterministic_algorithms(True)\nnumpy.seterr(all='raise')\nwarnings.simplefilter('error')"
    ))  # fmt: skip


CLASS |= {
    "Broken Bob_106_assignsubmission_file_03_vae.ipynb": lambda text: text[: len(text) // 2],
    "Web Wanda_107_assignsubmission_file_03_vae.ipynb": lambda text: b"<!DOCTYPE html>\n<html></html>",
    "Named Nick_108_assignsubmission_file/03_vae (1).ipynb": honest,
    "Many Mia_109_assignsubmission_file/a.ipynb": honest,
    "Many Mia_109_assignsubmission_file/b.ipynb": honest,
    "Void Vic_110_assignsubmission_file/notes.txt": lambda text: b"see my mail",
}


@pytest.fixture(scope="module")
def a_class(tmp_path_factory):
    """The course folder after the steps of the page, and what each said: {command: (exit code, words)}."""
    folder = tmp_path_factory.mktemp("class") / "grading"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{VAE}.ipynb", NOTEBOOKS / f"{START}.ipynb"], seed=1)
    table = PAGE.partition("| step | command |")[2].partition("\n\n")[0]
    commands = [command.replace(STEM, VAE) for command in re.findall(r"`nbgrader ([^`]+)`", table)]
    commands = [command for command in commands if command.split()[0] not in ("release_assignment", "collect")]
    assert [command.split()[0] for command in commands] == [
        "generate_assignment", "zip_collect", "autograde", "generate_feedback", "export",
    ]  # fmt: skip
    said = {}

    def nbgrader(command):
        words = [sys.executable, "-m", "nbgrader", *command.split()]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        said[command.split()[0]] = done.returncode, done.stdout + done.stderr

    nbgrader(f"generate_assignment {START}")
    for command in commands:
        if command.startswith("zip_collect"):
            archive = folder / "downloaded" / VAE / "archive" / "ML-03 submissions-77.zip"
            archive.parent.mkdir(parents=True)
            with zipfile.ZipFile(archive, "w") as file:
                for name, make in CLASS.items():
                    text = (folder / "release" / VAE / f"{VAE}.ipynb").read_bytes()
                    if make.__name__ == "<lambda>":
                        file.writestr(name, make(text))
                    else:
                        notebook = nbformat.reads(text.decode(), as_version=4)
                        make(notebook)
                        file.writestr(name, nbformat.writes(notebook))
        nbgrader(command)
    return folder, said


def table_of(folder):
    with open(folder / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


GOOD = ("Honest Ada_101", "Copy Carl_102", "Split Sue_103", "doubledora_105", "Named Nick_108")
NOT_GRADED = {"Broken Bob_106": "not valid JSON", "Web Wanda_107": "a web page",
              "Many Mia_109": "there is no 03_vae.ipynb; handed in, but not graded: a.ipynb, b.ipynb"}  # fmt: skip


@needs_nbgrader
def test_the_steps_of_the_page_grade_a_class(a_class):
    folder, said = a_class
    codes = {command: code for command, (code, _) in said.items()}
    assert codes == {
        "generate_assignment": 0, "zip_collect": 0, "autograde": 1, "generate_feedback": 0, "export": 0,
    }, said  # fmt: skip
    rows = table_of(folder)
    assert {row["assignment"] for row in rows.values()} == {VAE}  # nobody handed the other one in
    assert rows.keys() == {*GOOD, "synsam_104", *NOT_GRADED}
    full = rows["Honest Ada_101"]["max_score"]
    assert {name: rows[name]["score"] for name in GOOD} == dict.fromkeys(GOOD, full), said["autograde"]
    assert all(rows[name]["note"] == "" for name in GOOD)
    lost = float(full) - float(rows["synsam_104"]["score"])
    assert lost == export.POINTS[vae.elbo.difficulty]


@needs_nbgrader
def test_what_cannot_be_graded_is_told_from_a_zero(a_class):
    folder, said = a_class
    rows, words = table_of(folder), said["autograde"][1]
    for name, why in NOT_GRADED.items():
        assert rows[name]["score"] == rows[name]["raw_score"] == "" and why in rows[name]["note"], rows[name]
        assert f"There was an error processing assignment '{VAE}' for student '{name}'" in words
        assert not (folder / "feedback" / name).exists()
    assert "not graded: 03_vae.ipynb of Broken Bob_106: this is not valid JSON" in words
    assert "Named Nick_108: 03_vae (1).ipynb is taken for 03_vae.ipynb, and renamed" in words
    assert "Many Mia_109: not graded: none of a.ipynb, b.ipynb is called 03_vae.ipynb" in words
    assert "Void Vic_110_assignsubmission_file/notes.txt" in said["zip_collect"][1]


@needs_nbgrader
def test_only_what_was_changed_is_reported(a_class):
    words = a_class[1]["autograde"][1]
    assert "has changed" not in words and "does not exist in the database" not in words
    told = re.findall(r"WARNING\S*\]?\s(.*)", words)
    expected = "is there 2 times", "and renamed", "Removing failed assignment", "Skipping unknown notebook"
    assert [line for line in told if not any(words in line for words in expected)] == []


@needs_nbgrader
def test_a_page_of_feedback_gives_nothing_away_and_fetches_nothing(a_class):
    folder, _ = a_class
    source = (folder / "source" / VAE / f"{VAE}.ipynb").read_text(encoding="utf-8")
    (variant,) = set(re.findall(r"variant=(\d+)", source))
    pages = {path.parts[-3]: path.read_text(encoding="utf-8") for path in (folder / "feedback").rglob("*.html")}
    assert pages.keys() == {*GOOD, "synsam_104"}
    for page in pages.values():
        assert variant not in page and "variant" not in page
        assert "Content-Security-Policy" in page and "<script" not in page
        assert re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=.?http""", page) == []
        assert re.findall(r"""url\(.?http|@import""", page) == []
    assert ": passed</b>" in pages["Honest Ada_101"] and "not yet" not in pages["Honest Ada_101"]
    told = html.unescape(re.sub(r"<[^>]+>", "", pages["synsam_104"]))
    assert "There is no elbo, for its cell did not run to its end: SyntaxError: incomplete input, in line" in told
    assert "is not defined" not in told
