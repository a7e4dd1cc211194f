"""What was handed in: under which names it comes, which notebook is meant, and why one cannot be graded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.plugins import FileNameCollectorPlugin
from traitlets.log import get_logger


class NotANotebook(ValueError):
    """A file that cannot be graded; the message says whose, and why."""


class Collector(FileNameCollectorPlugin):
    """Whose a file is, by the name that Moodle or Canvas gave it: the student is called NAME_NUMBER, as there."""

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        """{student_id, file_id, …} of a file by its name; None for one that is not handed in."""
        path = Path(submitted_file)
        if path.name.startswith("._") or ".ipynb_checkpoints" in path.parts:  # what a Mac and Jupyter add
            return None
        found = super().collect(submitted_file)
        if found and "student_id" not in found:
            found["student_id"] = f"{found['name']}_{found['number']}"
        return found


class Reader(NotebookExporter):
    """Reads submissions; raises NotANotebook, with the reason, for a file that is none."""

    def from_file(
        self, file_stream: TextIO, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, dict[str, Any]]:
        """The submission in a file, exported. Raises NotANotebook."""
        path = Path(file_stream.name)
        try:
            notebook = read(path)
        except NotANotebook as error:
            student = resources["nbgrader"]["student"]
            raise NotANotebook(f"not graded: {path.name} of {student}: {error}") from None
        return self.from_notebook_node(notebook, resources=resources, **options)


def read(path: str | Path) -> NotebookNode:
    """The notebook in a file, whatever its nbformat. Raises NotANotebook, with the reason, where there is none."""
    data = Path(path).read_bytes()
    if not data.removeprefix(b"\xef\xbb\xbf").strip(b"\0 \t\r\n"):
        raise NotANotebook("the file is empty")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise NotANotebook("this is a web page, saved under the name of a notebook")
    if data.startswith(b"PK\x03\x04"):
        raise NotANotebook("this is an archive, not a notebook")
    try:
        notebook = nbformat.reads(data.decode("utf-8-sig"), as_version=4)
    except UnicodeDecodeError as error:
        raise NotANotebook(f"this is no text: {error}") from None
    except nbformat.reader.NotJSONError:
        raise NotANotebook("this is not valid JSON: the file is cut off, or was edited as text") from None
    except Exception as error:  # whatever such a file holds, it is no notebook
        raise NotANotebook(f"this is no notebook: {type(error).__name__}: {error}"[:200]) from None
    if not isinstance(notebook.get("cells"), list) or not all(isinstance(cell, dict) for cell in notebook.cells):
        raise NotANotebook("this is JSON, but no notebook")
    return notebook


def settle(assignment: str, student: str, notebooks: list[str]) -> None:
    """Before a submission is graded: a single notebook is the one that is due, whatever it is called.

    nbgrader calls this from the course folder, with the paths of the notebooks of one submission; the list is changed.
    `03_vae (1).ipynb`, as browsers name a second copy, is renamed. Where several might be meant, none is.
    """
    due = {path.name for path in Path("source", assignment).glob("*.ipynb")}
    folder, names = Path(notebooks[0]).parent, sorted(os.path.basename(path) for path in notebooks)
    if len(due) != 1 or due <= set(names):
        return
    (name,), whose = due, folder.parent.name
    if len(names) > 1:
        get_logger().error("%s: not graded: none of %s is called %s", whose, ", ".join(names), name)
        return
    os.replace(notebooks[0], folder / name)
    notebooks[:] = [str(folder / name)]
    get_logger().warning("%s: %s is taken for %s, and renamed", whose, names[0], name)


def remarks(folder: str | Path, due: Sequence[str]) -> str:
    """What is to be said of a folder in which the notebooks `due` (names without .ipynb) were handed in, or nothing."""
    there = {path.stem: path for path in sorted(Path(folder).glob("*.ipynb"))}
    said = []
    for name in due:
        if name not in there:
            said.append(f"there is no {name}.ipynb")
            continue
        try:
            read(there[name])
        except NotANotebook as error:
            said.append(f"{name}.ipynb: {error}")
    others = [path.name for name, path in there.items() if name not in due]
    return "; ".join(said + ([f"handed in, but not graded: {', '.join(others)}"] if others else []))
