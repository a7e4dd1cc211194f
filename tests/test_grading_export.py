"""Assignments for nbgrader: what they contain, and what a test cell of one does."""

import io
from contextlib import redirect_stderr

import nbformat
import pytest
from grading import START, STEM, by_name, source

from gencourse.cli import main
from gencourse.course.execute import NOTEBOOKS
from gencourse.course.notebook import exercises
from gencourse.exercises import autoregression
from gencourse.exercises.machine.exercise import Exercise
from gencourse.grading import NotPassed, export, find, mark

REGION = ("    ### BEGIN SOLUTION", "    ### END SOLUTION")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grading") / "a course"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{stem}.ipynb" for stem in (START, STEM)], seed=1)
    return folder


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
    assert set(variants(course)) == {
        f"{name}_hidden"
        for name, exercise in vars(autoregression).items()
        if isinstance(exercise, Exercise) and name != "ancestral_sample"
    }


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
