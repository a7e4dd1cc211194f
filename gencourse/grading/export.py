"""A course folder for nbgrader out of the exercises of the notebooks."""

import os
import random
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from torch import Tensor

from gencourse.course.notebook import KERNELSPEC, LANGUAGE, exercises, read, write
from gencourse.exercises.machine.exercise import Exercise
from gencourse.grading import find
from gencourse.support.errors import WrongValue

POINTS = {"easy": 2, "medium": 4, "hard": 6}  # half of them for the check, half for other inputs

SETUP = """\
import math

import torch
from torch import Tensor

from gencourse.exercises import {module} as exercises"""

INTRODUCTION = """\
# Exercises: {title}

*{points} points; about {minutes} minutes.* These are the exercises of the notebook `{stem}`, which explains what they
are about.

- Write your code where the `...` stands and run the cell; then run the cell with `mark` below it. It says what is right
  and what is not, and names the mistake if it knows it. Run it as often as you like.
- It looks at what a function does, never at how it is written. Keep its name and its arguments.
- For grading, functions are tried on other inputs as well: that is the other half of the points.
- Stuck? `exercises.NAME.hint()`, several times if needed.
- You may add cells. Leave training and long computations out: a cell has 60 seconds when it is graded."""

CHECK = """\
# {points}
from gencourse.grading import mark
mark("{key}", {name})"""

HIDDEN = """\
# {points}: the function is tried on other inputs when it is graded.
### BEGIN HIDDEN TESTS
from gencourse.grading import mark
mark("{key}", {name}, variant={variant})
### END HIDDEN TESTS"""

CONFIG = """\
# Made by `gencourse export nbgrader`; every nbgrader command is run from this folder.
# docs/pages/instructors.md of the course says what these limits are good for, and what they do not cover.

import os
import sys
import warnings
from pathlib import Path

# nbgrader starts alembic by its name: found beside this Python, whether or not its environment is activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
warnings.filterwarnings("ignore", "Object of type <Submitted")  # three of nbgrader's own for each student

c = get_config()

c.CourseDirectory.course_id = "gencourse"
c.ClearSolutions.code_stub = {"python": "...  # your code"}

# Cells of the assignment that were lost or bent are put back; submissions run in kernels that are bounded; and the
# marks are given here, not in the kernel of the one who is being graded.
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "gencourse.grading.autograde.Restore",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "gencourse.grading.autograde.Examine",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
# a file that is no notebook is told from one that earns nothing; a notebook under another name is found
c.Autograde.exporter_class = "gencourse.grading.collect.Reader"
c.Autograde.pre_convert_hook = "gencourse.grading.collect.settle"
c.Examine.answer_seconds = 30  # for a function on all inputs of a test
c.Examine.timeout = 60  # seconds for a cell
c.Examine.seconds = 600  # for a notebook
c.Examine.memory_mib = 4096
c.Examine.command = []  # what the kernel is started with: a sandbox, such as the one on that page

# For zip_collect: the names of files in the archives of Moodle and of Canvas. The student is called NAME_NUMBER. For
# names of another platform, write a pattern with the groups student_id and file_id.
c.ZipCollectApp.collector_plugin = "gencourse.grading.collect.Collector"
c.FileNameCollectorPlugin.named_regexp = (
    r".*?[/\\\\](?P<name>[^/\\\\_]+)_(?:LATE_)?(?P<number>\\d+)_"
    r"(?:assignsubmission_file(?:_|_?[/\\\\](?:.*[/\\\\])?)|\\d+_)"
    r"(?P<file_id>[^/\\\\]+\\.ipynb)$"
)

# Feedback without the hidden tests, which fetches nothing from the network; marks for what was handed in, and no other.
c.GenerateFeedback.preprocessors = [
    "gencourse.grading.report.Conceal",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.GenerateFeedback.exporter_class = "gencourse.grading.report.Feedback"
c.ExportApp.plugin_class = "gencourse.grading.report.Marks"
"""

# sentences of the notebooks that do not hold in an assignment
LEFT_OUT = re.compile(
    r"\s*(Stuck\?|Given up\?|When you are stuck:|Whatever the verdict,)[^`.]*(`[^`]*`[^`.]*)*\.(?=\s|$)"
)


def nbgrader_course(
    folder: str | Path, notebooks: Iterable[str | Path], seed: int | None = None
) -> list[tuple[str, int, int]]:
    """Write a course folder: nbgrader_config.py, and source/ with an assignment for each notebook; a list of these.

    Returned are (name, number of exercises, points). `seed` decides the inputs of the hidden tests; without it they are
    drawn anew. The folder is readable by its owner alone, for it holds solutions and hidden tests.

    Raises FileExistsError where `folder` is there and not empty, and ValueError where no notebook has an exercise. The
    folder is written whole or not at all.
    """
    folder, seed = Path(folder), secrets.randbits(64) if seed is None else seed
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{str(folder)!r} is there already and not empty; name a new folder")
    sources, problems = {}, []
    for path in map(Path, notebooks):
        notebook, wrong = read(path), []
        if exercises(notebook, wrong):
            sources[path.stem] = notebook
        problems += [f"{path.name}, {words}" for words in wrong]
    if problems:
        raise WrongValue("; ".join(problems))
    if not sources:
        raise WrongValue("there is no exercise in these notebooks")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        (part / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
        made = []
        for stem, notebook in sources.items():
            assignment, points = _assignment(stem, notebook, random.Random(f"{seed} {stem}"))
            write(assignment, part / "source" / stem / f"{stem}.ipynb")
            made.append((stem, len(exercises(notebook)), points))
        os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made


def _assignment(stem: str, notebook: NotebookNode, chance: random.Random) -> tuple[NotebookNode, int]:
    """The notebook of an assignment, and its points."""
    found = exercises(notebook)
    variant, varying = _variant([exercise for _, exercise in found], chance)
    points = sum(POINTS[exercise.difficulty] for _, exercise in found)
    minutes = sum(exercise.minutes for _, exercise in found)
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)[1]
    (module,) = {exercise.key.split(".")[0] for _, exercise in found}
    cells = [
        new_markdown_cell(INTRODUCTION.format(title=title, points=points, minutes=minutes, stem=stem)),
        _cell("setup", SETUP.format(module=module), locked=True),
    ]
    for number, exercise in found:
        text = _text(notebook.cells[number - 1])
        cells += [new_markdown_cell(text)] if text else []
        cells.append(_cell(exercise.name, _with_region(exercise), solution=True))
        due = POINTS[exercise.difficulty] / (2 if exercise in varying else 1)
        words = {"key": exercise.key, "name": exercise.name, "points": f"{due:g} point{'s' if due != 1 else ''}"}
        cells.append(_cell(f"{exercise.name}_check", CHECK.format(**words), points=due))
        if exercise in varying:
            cells.append(_cell(f"{exercise.name}_hidden", HIDDEN.format(variant=variant, **words), points=due))
    for number, cell in enumerate(cells):
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id", f"text-{number}")
    return new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC, "language_info": LANGUAGE}), points


def _cell(
    name: str, source: str, points: float | None = None, solution: bool = False, locked: bool = False
) -> NotebookNode:
    about = {
        "grade_id": name,
        "schema_version": 3,
        "cell_type": "code",
        "task": False,
        "grade": points is not None,
        "solution": solution,
        "locked": locked or points is not None,
    }
    return new_code_cell(source, metadata={"nbgrader": about | ({} if points is None else {"points": points})})


def _with_region(exercise: Exercise) -> str:
    """The solution, marked so that nbgrader cuts it out and leaves the stub."""
    head = exercise.stub.splitlines()[:-1]
    body = exercise.solution_source.splitlines()[len(head) :]
    return "\n".join([*head, "    ### BEGIN SOLUTION", *body, "    ### END SOLUTION"])


def _text(cell: NotebookNode) -> str:
    """What the notebook says of an exercise: the cell before it, from its first heading on."""
    heading = re.search(r"^#+ .*", cell.source, re.MULTILINE | re.DOTALL) if cell.cell_type == "markdown" else None
    return LEFT_OUT.sub("", heading[0]).strip() if heading else ""


def _variant(found: list[Exercise], chance: random.Random, draws: int = 5) -> tuple[int, list[Exercise]]:
    """A number of a variant, and the exercises whose answers differ in it; the best of a few."""
    best, varying = 0, []
    for variant in (chance.randrange(1, 10**6) for _ in range(draws)):
        others = [exercise for exercise in found if _differ(exercise, find(exercise.key, variant))]
        if len(others) > len(varying):
            best, varying = variant, others
    return best, varying


def _differ(exercise: Exercise, other: Exercise) -> bool:
    if any(case.shape is not None for case in exercise.cases):  # laws: of these the inputs tell
        inputs = [[each for case in one.cases for each in case.arguments] for one in (exercise, other)]
        return any(isinstance(mine, Tensor) and not mine.equal(yours) for mine, yours in zip(*inputs, strict=True))
    both = zip(exercise.cases, exercise.expected, other.expected, strict=True)
    return any(not case.same(mine, yours) for case, mine, yours in both)
