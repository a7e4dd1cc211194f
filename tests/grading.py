"""What the tests of grading share: the two assignments, and how a student's notebook is changed."""

import copy
import importlib.util
import uuid

import nbformat
import pytest

from gencourse.exercises import autoregression, start

START, STEM = "00_start_here", "01_autoregression"

needs_nbgrader = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="nbgrader is missing: pip install -c constraints.txt -e '.[grade]'",
)


def source(course, stem=STEM):
    return nbformat.read(course / "source" / stem / f"{stem}.ipynb", as_version=4)


def by_name(notebook):
    return {cell.metadata["nbgrader"]["grade_id"]: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def solve(cell, body=None):
    """Put a body in place of a stub's: the solution, or another one."""
    name = cell.metadata.nbgrader.grade_id
    exercise = vars(autoregression).get(name) or getattr(start, name)
    cell.source = exercise.solution_source if body is None else exercise.stub.rpartition("    ...")[0] + body


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
