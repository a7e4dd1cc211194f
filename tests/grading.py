"""What the tests of grading share: the two assignments, nbgrader's commands, how a student's notebook is changed."""

import copy
import importlib.util
import subprocess
import sys
import uuid

import nbformat
import pytest

from gencourse.exercises import autoregression, start

START, STEM = "00_start_here", "01_autoregression"

needs_nbgrader = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="nbgrader is missing: pip install -c constraints.txt -e '.[grade]'",
)


# what all commands import takes longer than most of them: it is imported once, and each runs in a copy of the process
COMMANDS = """
import os, shlex, subprocess, sys
import gencourse.grading.autograde, gencourse.grading.collect, gencourse.grading.report
from nbgrader.apps.nbgraderapp import main

for number, command in enumerate(sys.argv[1:]):
    with open(f"said-{number}.txt", "wb") as said:
        if not hasattr(os, "fork"):  # Windows
            words = [sys.executable, "-m", "nbgrader", *shlex.split(command)]
            code = subprocess.run(words, stdout=said, stderr=said).returncode
        elif child := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
            sys.argv = ["nbgrader", *shlex.split(command)]
            sys.exit(main())
    print(code)
"""


def nbgrader(course, *commands):
    """What nbgrader makes of commands, one after the other, in a course folder: {command: (exit code, words)}."""
    done = subprocess.run([sys.executable, "-c", COMMANDS, *commands], cwd=course, capture_output=True, text=True)
    codes = list(map(int, done.stdout.split()))
    assert done.returncode == 0 and len(codes) == len(commands), done.stderr
    said = [(course / f"said-{number}.txt").read_text(encoding="utf-8") for number in range(len(commands))]
    return dict(zip(commands, zip(codes, said)))


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
