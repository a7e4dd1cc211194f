"""What goes out: marks as a table, and pages of feedback that give nothing away and fetch nothing."""

from __future__ import annotations

import csv
import re
from glob import glob
from typing import Any

from jinja2 import DictLoader
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbgrader.api import Assignment, Gradebook, MissingEntry, Student, SubmittedAssignment
from nbgrader.plugins import ExportPlugin
from nbgrader.preprocessors import GetGrades
from nbgrader.utils import is_grade
from traitlets import default

from gencourse.grading.autograde import released
from gencourse.grading.collect import remarks

COLUMNS = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
           "late_submission_penalty", "score", "max_score", "note")  # fmt: skip

# in place of the script that nbconvert fetches: a browser is told to load nothing, and to run nothing
LOADS_NOTHING = """
{% macro mathjax() %}<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'">{% endmacro %}"""


class Marks(ExportPlugin):
    """A row for each assignment that a student handed in, with empty scores and a note where it was not graded.

    The columns are those of nbgrader, and `note`. What was not handed in has no row.
    """

    def export(self, gradebook: Gradebook) -> None:
        with open(self.to or "grades.csv", "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            for assignment in gradebook.assignments:
                if self.assignment and assignment.name not in map(str, self.assignment):
                    continue
                folders = self._folders(assignment.name)
                students = {student.id: student for student in gradebook.students}
                for name in sorted(students.keys() | folders.keys()):
                    if not self.student or name in map(str, self.student):
                        submission = _submission(gradebook, assignment.name, name)
                        if submission or name in folders:
                            folder = folders.get(name)
                            table.writerow(_row(assignment, name, students.get(name), submission, folder))

    def _folders(self, assignment: str) -> dict[str, str]:
        """{student: folder} of what was handed in."""
        directory = self.parent.coursedir
        pattern = directory.format_path(directory.submitted_directory, "(?P<student>.*)", assignment, escape=True)
        found = glob(directory.format_path(directory.submitted_directory, "*", assignment))
        return {re.fullmatch(pattern, path)["student"]: path for path in found}


def _submission(gradebook: Gradebook, assignment: str, student: str) -> SubmittedAssignment | None:
    try:
        return gradebook.find_submission(assignment, student)
    except MissingEntry:
        return None


def _row(
    assignment: Assignment,
    name: str,
    student: Student | None,
    submission: SubmittedAssignment | None,
    folder: str | None,
) -> dict[str, Any]:
    row = {
        "assignment": assignment.name,
        "duedate": assignment.duedate,
        "student_id": name,
        "max_score": assignment.max_score,
    }
    row |= {word: getattr(student, word, None) for word in ("last_name", "first_name", "email")}
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades] if submission else []
    note = remarks(folder, [notebook.name for notebook in assignment.notebooks]) if folder else ""
    row["timestamp"] = submission and submission.timestamp
    if any(grade.auto_score is not None or grade.manual_score is not None for grade in grades):
        penalty = submission.late_submission_penalty or 0.0
        row |= {
            "raw_score": submission.score,
            "late_submission_penalty": penalty,
            "score": max(0.0, submission.score - penalty),
        }
    else:
        note = f"not graded: {note or 'run `nbgrader autograde`, and read what it says'}"
    return row | {"note": note}


class Conceal(GetGrades):
    """Takes the hidden tests out of what students are shown: their inputs are the same for the whole class."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if is_grade(cell):
            cell.source = released(cell.source)
        return super().preprocess_cell(cell, resources, cell_index)


class Feedback(HTMLExporter):
    """A page that needs no network and asks for none, so formulas in the text are shown as they are written."""

    @default("extra_loaders")
    def _loaders(self) -> list[DictLoader]:
        return [DictLoader({"mathjax.html.j2": LOADS_NOTHING})]
