"""A reader's own copies of the notebooks, in a folder that git ignores: the course's own stay as they are.

A copy knows what it was made from: a digest of each cell stands in its metadata, and once more beside it, as some
editors drop metadata. So when the course changes, what the reader wrote is told from what the course had written, and
is put into the new notebook. Nothing is ever deleted: the old one stays beside the new one, under a name with its date.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import sysconfig
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Self, TypedDict

import nbformat
from nbformat import NotebookNode
from nbformat.sign import NotebookNotary

from gencourse.course.execute import NOTEBOOKS
from gencourse.course.notebook import checks
from gencourse.support.files import write_whole

NAME = "my_notebooks"
KEY = "gencourse"  # in the metadata of a copy


def folder() -> Path:
    """The folder of the copies, whether it is there or not.

    The environment variable GENCOURSE_COPIES names it; else it is my_notebooks/ beside notebooks/. Where that cannot be
    written, as in a course that many share, it is my_notebooks/ in the current folder, or in the home.
    """
    if chosen := os.environ.get("GENCOURSE_COPIES"):
        return Path(chosen).expanduser().absolute()
    own, here = NOTEBOOKS.with_name(NAME), Path.cwd()
    if _writable(own):
        return own
    others = [here if here.name == NAME else here / NAME, Path.home() / NAME]
    able = [path for path in others if _writable(path)]
    return next((path for path in able if path.is_dir()), able[0] if able else own)


class Busy(OSError):
    """Another program writes a copy at this very moment; nothing has been changed then."""


def update() -> list[str]:
    """Make the copies that are missing, and bring up to date those that the course has left behind.

    Returns what is to be said of it, a list of lines. Raises FileNotFoundError where the folder cannot be made.
    """
    made, lines = [], []
    with _Trust() as trust:
        for path, course in _course().items():
            try:
                if path.exists():
                    lines += _update(path, course, trust)
                else:
                    _write(_laid(course), path, None, trust)
                    made.append(path.stem)
            except Busy as busy:
                lines.append(f"{path.stem}: {busy}")
    if made:
        lines.insert(0, f"New: {', '.join(made)}.")
    return lines + trust.lines


def start_again(name: str | Path) -> list[str]:
    """Lay a notebook of the course down anew; an old copy is kept beside it. Returns lines as `update` does.

    name: such as 03_vae, or the path of the copy. Raises FileNotFoundError for one that the course does not have, and
    where the folder cannot be made; Busy where another program has written the copy at this very moment.
    """
    stem = Path(name).name.removesuffix(".ipynb")
    known = {path.stem: (path, course) for path, course in _course().items()}
    if stem not in known:
        raise FileNotFoundError(f"there is no notebook {name!r}; there are {', '.join(known)}")
    path, course = known[stem]
    with _Trust() as trust:
        before, old = (path.read_bytes(), _keep(path)) if path.exists() else (None, None)
        _write(_laid(course), path, before, trust)
    kept = f"; the old one is {old.name!r}. In JupyterLab: File > Reload Notebook from Disk" if old else ""
    return [f"{stem} is as the course has it{kept}.", *trust.lines]


def lab(flags: Iterable[str] = ()) -> None:
    """Open the copies in JupyterLab, until it is closed. In its terminal and in cells `gencourse` is found."""
    from jupyterlab.labapp import main

    course, first = NOTEBOOKS.parent, folder() / "00_start_here.ipynb"
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # not a kernel of the same name in the reader's home
    os.environ.pop("MPLBACKEND", None)  # chosen for scripts; it would hide the figures
    root = course if first.is_relative_to(course) else first.parent
    main([f"--ServerApp.root_dir={root}", *flags, str(first)])


def told() -> str:
    """Where the copies are, and how to start one again: a line that is right in the shell in which it is read."""
    found, script = shutil.which("gencourse"), Path(sysconfig.get_path("scripts"), "gencourse")
    if found and Path(found).with_suffix("") == script:
        command = "gencourse"
    else:
        command = shlex.quote(str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script))
    return (
        f"Your own notebooks are in {folder()}; those of the course stay as they are. "
        f"To start one again, the old one kept: {command} start-again 03_vae"
    )


@dataclass
class Merge:
    """A notebook of the course with what a reader did in a copy of an earlier one, and what has become of that."""

    notebook: NotebookNode
    answers: list[str] = field(default_factory=list)  # names of exercises
    cells: int = 0  # the reader's other changes, and cells of their own
    left: list[str] = field(default_factory=list)  # what could not be carried over, in words


def merge(mine: NotebookNode, course: NotebookNode, before: Mapping[str, str] | None) -> Merge:
    """Put what the reader did in `mine` into `course`, the notebook as the course now has it; returns a `Merge`.

    before: {cell id: digest} of what `mine` was made from, or None where that is not known: then only answers to
    exercises are carried over. Outputs are not: they belong to another run.
    """
    merged = Merge(deepcopy(course))
    now, cells = digests(course), {cell.id: cell for cell in merged.notebook.cells}
    homes = {name: cell.id for cell in course.cells for name in _checked(cell)}  # of exercises
    answers, own, anchor, unknown = {}, {None: []}, None, False
    for cell, before_id in zip(mine.cells, _identified(mine, before or now, homes)):
        home = before_id if before_id in now else next((homes[n] for n in _checked(cell) if n in homes), None)
        if before_id is None:
            own.setdefault(anchor, []).append(cell)
            continue
        anchor = anchor if home is None else home
        was = before.get(before_id) if before else now.get(home)
        if _digest(cell) in (was, now.get(home)):
            continue
        if home in homes.values():
            answers.setdefault(home, []).append((cell, was == now[home] and before is not None))
        elif home is None:
            names = _checked(cell)
            gone = f"the exercise {' and '.join(names)}" if names else f"the cell {before_id}"
            merged.left.append(f"your change of {gone}, which the course no longer has")
        elif before is None:
            unknown = True
        elif was == now[home]:
            cells[home].update(_bare(cell, id=home, metadata=cells[home].metadata))
            merged.cells += 1
        else:
            merged.left.append(f"your change of the cell {home}, which the course has changed too")
    for home, given in answers.items():
        _answer(merged, cells[home], given)
    unknown = unknown or (before is None and any(cell.source.strip() for cells in own.values() for cell in cells))
    if unknown:
        merged.left.append("what you changed beside the exercises")
    elif before is not None:
        _insert(merged, own)
    return merged


def digests(notebook: NotebookNode) -> dict[str, str]:
    """{cell id: digest of its type and source}, in order."""
    return {cell.id: _digest(cell) for cell in notebook.cells}


def _digest(cell: NotebookNode) -> str:
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


class Origin(TypedDict):
    """What a copy remembers of the notebook that it was made from."""

    cells: list[str]  # id and digest of each
    outputs: str  # a digest of all


def _origin(notebook: NotebookNode) -> Origin:
    """What a copy of `notebook` remembers of it; a list, as files sort what has names."""
    outputs = json.dumps([cell.get("outputs", []) for cell in notebook.cells], sort_keys=True)
    return {
        "cells": [f"{cell.get('id')} {_digest(cell)}" for cell in notebook.cells],
        "outputs": hashlib.sha256(outputs.encode()).hexdigest(),
    }


def _remembered(origin: Any) -> Origin | None:
    """Where a copy came from, or None where something else stands in its place."""
    try:
        return origin if _digests(origin) and origin["outputs"] else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _digests(origin: Origin) -> dict[str, str]:
    return dict(line.split() for line in origin["cells"])


# Cells ---------------------------------------------------------------------------------------------------------------


def _identified(mine: NotebookNode, before: Mapping[str, str], homes: Mapping[str, str]) -> list[str | None]:
    """For each cell of a copy the id of the course's cell that it was, or None for one of the reader's own.

    By its id; where an editor has dropped it, by an unchanged source, or by the exercise that it checks.
    """
    ids, free = [None] * len(mine.cells), {*before, *homes.values()}

    def look(find: Callable[[NotebookNode], str | None]) -> None:
        for index, cell in enumerate(mine.cells):
            if ids[index] is None and (found := find(cell)) in free:
                ids[index] = found
                free.discard(found)

    look(lambda cell: cell.get("id"))
    look(lambda cell: next((i for i, digest in before.items() if i in free and digest == _digest(cell)), None))
    look(lambda cell: next((homes[name] for name in _checked(cell) if homes.get(name) in free), None))
    return ids


def _checked(cell: NotebookNode) -> list[str]:
    """Names of the exercises that a cell checks; in a cell that is no Python, such as an unfinished one, too."""
    if cell.cell_type != "code":
        return []
    return list(dict.fromkeys(re.findall(r"\b\w+\.(\w+)\.check\(", cell.source)))


def _bare(cell: NotebookNode, **changes: object) -> NotebookNode:
    cell = deepcopy(cell)
    cell.update(changes)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _answer(merged: Merge, cell: NotebookNode, given: list[tuple[NotebookNode, bool]]) -> None:
    """Put the reader's answers into the exercise cell of a merged notebook."""
    for mine, unchanged in given:
        names = _checked(mine) or _checked(cell)
        source = mine.source if unchanged and len(given) == 1 else _with_functions(cell.source, mine.source)
        if source is None:
            merged.left.append(f"your cell of {' and '.join(names)}, which the course has changed too")
        elif source != cell.source:
            cell.update(_bare(cell, source=source))
            merged.answers += names


def _with_functions(course: str, mine: str) -> str | None:
    """The course's exercise cell with the functions of the reader's, and with what these need; None if there are none.

    A function that is still a stub is no answer. What the functions need are imports, definitions and constants of the
    reader's cell whose names the course's cell does not give itself.
    """
    try:
        theirs, ours = ast.parse(course), ast.parse(mine)
        wanted = {name: function for _, name, function, _ in checks(course)}
        functions = {name: function for _, name, function, _ in checks(mine)} or wanted
    except (SyntaxError, ValueError):
        return None
    if not set(wanted) & set(functions):
        return None
    defined = {node.name: node for node in ours.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    slots = {node.name: node for node in theirs.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    lines, edits = mine.splitlines(), []
    for name, function in wanted.items():
        if functions.get(name) == function and function in defined and function in slots:
            if not _is_stub(defined[function]):
                edits.append((*_span(slots[function]), _text(lines, defined[function])))
        elif name in functions:
            return None
    if edits:
        given = {name for node in theirs.body for name in _names(node)}
        needed = [node for node in ours.body if _names(node) and not _names(node) & given]
        top = min(first for first, _, _ in edits)
        edits.append((top, top - 1, [line for node in needed for line in _text(lines, node)]))
    result = course.splitlines()
    for first, last, text in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        result[first - 1 : last] = text
    return "\n".join(result)


def _names(node: ast.stmt) -> set[str]:
    """The names that a statement gives: of an import, a definition, or a constant that checks no exercise."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign) and ".check(" not in ast.unparse(node):
        return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    return set()


def _span(node: ast.stmt) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)]), node.end_lineno


def _text(lines: list[str], node: ast.stmt) -> list[str]:
    first, last = _span(node)
    return lines[first - 1 : last]


def _is_stub(function: ast.FunctionDef | ast.ClassDef) -> bool:
    idle = (ast.Pass, ast.Raise)
    return all(
        isinstance(node, idle) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _insert(merged: Merge, own: dict[str | None, list[NotebookNode]]) -> None:
    """Lay the reader's own cells behind the cells that they followed: own is {cell id or None for the top: cells}."""
    result, taken = [], {cell.id for cell in merged.notebook.cells}
    for cell in [None, *merged.notebook.cells]:
        result += [] if cell is None else [cell]
        for mine in own.get(cell and cell.id, []):
            if mine.source.strip():
                known = mine.get("id")
                result.append(_bare(mine, id=known if known and known not in taken else uuid.uuid4().hex[:8]))
                taken.add(result[-1].id)
                merged.cells += 1
    merged.notebook.cells = result


# Files ---------------------------------------------------------------------------------------------------------------


def _writable(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK)


def _course() -> dict[Path, NotebookNode]:
    """{path of the copy: notebook of the course}; makes the folder."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"there are no notebooks in {NOTEBOOKS}: install the course from a clone")
    try:
        folder().mkdir(mode=0o755, parents=True, exist_ok=True)  # in a shared course each reader needs a folder
    except OSError as error:
        why = f"{folder()} cannot be made ({error.strerror}); let GENCOURSE_COPIES name a folder"
        raise FileNotFoundError(why) from None
    return {folder() / path.name: nbformat.read(path, as_version=4) for path in paths}


def _laid(notebook: NotebookNode) -> NotebookNode:
    notebook = deepcopy(notebook)
    notebook.metadata[KEY] = nbformat.from_dict(_origin(notebook))
    return notebook


def _update(path: Path, course: NotebookNode, trust: _Trust) -> list[str]:
    """Bring one copy up to date; returns a line, or none where there was nothing to do."""
    content = path.read_bytes()
    try:
        mine = _read(content)
    except Exception as error:  # nbformat raises many
        why = str(error).splitlines()[0][:80]
        return [
            f"{path.stem}: {path.name} cannot be read ({why}), and is left as it is; "
            f"`gencourse start-again {path.stem}` makes a new one."
        ]
    origin, now = _remembered(mine.metadata.get(KEY)) or _remembered(_recorded(path).get(path.stem)), _origin(course)
    as_laid = _origin(mine) == origin
    if origin and origin["cells"] == now["cells"]:
        if as_laid:
            trust.sign(mine)
        return []
    merged = merge(mine, course, _digests(origin) if origin else None)
    if not (origin or merged.left):
        _note(path, now)  # a copy made by hand, of the course as it is
        return []
    if as_laid:
        _write(_laid(course), path, content, trust)
        return [f"{path.stem}: the course has changed; so has your copy, in which you had changed nothing."]
    old = _keep(path)
    merged.notebook.metadata[KEY] = nbformat.from_dict(now)
    _write(merged.notebook, path, content, trust)
    has = [f"your answers ({', '.join(merged.answers)})"] if merged.answers else []
    has += [f"{merged.cells} more of your cells"] if merged.cells else []
    left = f" Only the old one has {'; '.join(merged.left)}." if merged.left else ""
    return [
        f"{path.stem}: the course has changed. The new one has {' and '.join(has) or 'nothing of yours'}; "
        f"the old one is {old.name!r}.{left}"
    ]


def _read(content: bytes) -> NotebookNode:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cells without ids, which some editors leave
        return nbformat.reads(content.decode("utf-8-sig"), as_version=4)


def _record(path: Path) -> Path:
    return path.with_name(".origins.json")


def _recorded(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(_record(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _note(path: Path, origin: Origin) -> None:
    with write_whole(_record(path)) as part:
        part.write_text(json.dumps(_recorded(path) | {path.stem: origin}), "utf-8")


def _keep(path: Path) -> Path:
    """A second file with what `path` holds, under a name with the time; returns its path."""
    when = f"{datetime.now():%Y-%m-%d %H.%M}"
    for number in count(1):
        old = path.with_name(f"{path.stem} ({when}{f', {number}' if number > 1 else ''}).ipynb")
        try:
            with old.open("xb") as file:
                file.write(path.read_bytes())
        except FileExistsError:
            continue
        shutil.copystat(path, old)
        return old


def _write(notebook: NotebookNode, path: Path, before: bytes | None, trust: _Trust) -> None:
    """Write a copy whole, unless the file is no longer what it was: `before`, or None where there was none."""
    with write_whole(path) as part:
        nbformat.write(notebook, part)
        if (path.read_bytes() if path.exists() else None) != before:
            raise Busy(f"another program has just written {path}; save it there, and run this again")
    _note(path, notebook.metadata[KEY])
    trust.sign(notebook)


class _Trust:
    """Signs notebooks, so that JupyterLab shows their films and dials: they are the course's own, outputs included."""

    def __init__(self) -> None:
        self.lines = []

    def __enter__(self) -> Self:
        try:
            self.notary = NotebookNotary()
        except (OSError, sqlite3.Error) as error:
            self._failed(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self.notary:
            self.notary.close()

    def sign(self, notebook: NotebookNode) -> None:
        """Sign one; a line says where that cannot be kept."""
        try:
            if self.notary:
                self.notary.sign(notebook)
        except (OSError, sqlite3.Error) as error:
            self._failed(error)

    def _failed(self, error: OSError | sqlite3.Error) -> None:
        self.notary = None
        self.lines.append(
            f"That these notebooks may be trusted cannot be kept ({error}): View > Activate Command "
            "Palette > Trust Notebook shows their films and dials."
        )
