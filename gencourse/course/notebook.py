"""A notebook as a file: read and written whole, cleaned for committing, its exercises found, and solved in a copy."""

from __future__ import annotations

import ast
import copy
import difflib
import importlib
import json
import re
import unicodedata
import warnings
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from gencourse.support.errors import WrongValue
from gencourse.support.files import write_whole

if TYPE_CHECKING:
    from gencourse.exercises.machine.exercise import Exercise

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
# as every Python has it; the version, which editors add, would differ from machine to machine
LANGUAGE = {
    "file_extension": ".py", "mimetype": "text/x-python", "name": "python", "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}  # fmt: skip
WIDGET_STATE, WIDGET_VIEW = (f"application/vnd.jupyter.widget-{part}+json" for part in ("state", "view"))
CELL_METADATA = ("tags", "slideshow", "jupyter", "collapsed")
IMPORT = r"from gencourse\.exercises import (\w+)(?: as (\w+))?"
CHECK = r"(\w+)\.(\w+)\.check\("
OF_PYTHON = ("capture", "debug", "prun", "time", "timeit")  # magics that run the cell below them as it stands


def read(path: str | Path) -> NotebookNode:
    """The notebook in a file, as nbformat 4 with ids at its cells; a byte-order mark before it is left out.

    Raises ValueError, which names the file and what is wrong, for a file that is no notebook, and OSError for one that
    cannot be read.
    """
    content = Path(path).read_bytes()
    back = f"get a notebook of the course back with: git checkout -- {path}"
    if conflict := re.search(rb"^<<<<<<< ", content, re.MULTILINE):
        line = content.count(b"\n", 0, conflict.start()) + 1
        raise WrongValue(f"{path} has a merge conflict in line {line}: choose one side of it, or {back}")
    try:
        text = content.decode("utf-8-sig")
        json.loads(text)  # names the place of an error, which nbformat does not
        notebook = nbformat.v4.upgrade(nbformat.reads(text, as_version=4))
        if not all(isinstance(cell.source, str) and cell.cell_type for cell in notebook.cells):
            raise ValueError("a cell without text")
        return notebook
    except Exception as error:  # whatever nbformat makes of JSON that is no notebook
        why = " ".join(str(error).split()) or type(error).__name__
        why = why if content.strip() else "it is empty"
        raise WrongValue(f"{path} is no notebook that can be read ({why:.200}); {back}") from None


def write(notebook: NotebookNode, path: str | Path) -> None:
    """Write a notebook whole or not at all."""
    nbformat.validate(notebook)
    with write_whole(path) as part:
        nbformat.write(notebook, part)


def clean(notebook: NotebookNode) -> NotebookNode:
    """A copy of `notebook` as it is committed: sources, outputs, and only the metadata that is wanted.

    Kept are the kernel's name, tags, slideshow, folded cells, and the state of the widgets. Cells have
    readable ids, named after the heading above them; an id that is readable already stays. Widgets are
    numbered in order, so that two runs with the same results give the same file. A widget that has a still
    picture leaves that alone: before its cell is run it would be dead dials, and broken links in JupyterLab.
    """
    notebook = copy.deepcopy(notebook)
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {})
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    bundles = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    for data in bundles:
        if "image/png" in data:
            data.pop(WIDGET_VIEW, None)
    if not any(WIDGET_VIEW in data for data in bundles):
        state = {}
    if state.get("state"):
        notebook.metadata["widgets"] = nbformat.from_dict({WIDGET_STATE: state})
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
    _name_cells(notebook)
    return _number_widgets(notebook, list(state.get("state", {})))


def is_readable(cell_id: str) -> bool:
    """Whether a cell id says something: words joined by hyphens, and no random number as editors give."""
    words = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cell_id) and len(cell_id) <= 64
    random = re.fullmatch(r"[0-9a-f]{6,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", cell_id)
    return bool(words and not random)


def _name_cells(notebook: NotebookNode) -> None:
    """Give a readable, unique id to each cell that has none: the heading above it, and a number."""
    ids = [cell.get("id", "") for cell in notebook.cells]
    taken = {i for i in ids if is_readable(i)}
    seen, counters, heading = set(), {}, "cell"
    for cell, cell_id in zip(notebook.cells, ids, strict=True):
        headings = _headings(cell.source) if cell.cell_type == "markdown" else []
        heading = headings[0] if headings else heading
        if cell_id not in taken or cell_id in seen:
            number = counters.get(heading, 0) + 1
            while f"{heading}-{number:02d}" in taken:
                number += 1
            counters[heading] = number
            cell_id = f"{heading}-{number:02d}"
            taken.add(cell_id)
        seen.add(cell_id)
        cell["id"] = cell_id
        heading = headings[-1] if headings else heading


def _headings(markdown: str) -> list[str]:
    prose = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.DOTALL | re.MULTILINE)
    slugs = map(_slug, re.findall(r"^#{1,6}[ \t]+(.+)$", prose, flags=re.MULTILINE))
    return [slug for slug in slugs if slug]


def _slug(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", re.sub(r"^\s*[\d.]+\s+", "", plain))
    while len("-".join(words)) > 48:
        words.pop()
    return "-".join(words)


def _number_widgets(notebook: NotebookNode, ids: Sequence[str]) -> NotebookNode:
    text = json.dumps(notebook)
    for number, name in enumerate(ids, start=1):
        text = text.replace(name, f"widget-{number:04d}")
    return nbformat.from_dict(json.loads(text))


def exercises(notebook: NotebookNode, problems: list[str] | None = None) -> list[tuple[int, Exercise]]:
    """The exercises of a notebook, in order: a list of pairs (index of the cell, Exercise).

    An exercise is a code cell tagged `exercise`, which hands functions to `exercises.NAME.check(function)`. A cell that
    cannot be read so is named in the list `problems`, with what is wrong, and what its text says is taken; without
    that list it raises ValueError.
    """
    found, modules = [], {}
    for index, cell in enumerate(notebook.cells):
        try:
            modules |= _exercise_modules(cell)
            found += [(index, exercise) for *_, exercise in _checks_of(cell, modules)]
        except ValueError as error:
            words = f"{_place(index, cell)}: {error}"
            if problems is None:
                raise WrongValue(words) from None
            problems.append(words)
            modules |= _modules(re.findall(IMPORT, cell.source))
            named = [getattr(modules.get(module), name, None) for module, name in re.findall(CHECK, cell.source)]
            found += [(index, exercise) for exercise in named if hasattr(exercise, "difficulty")]
    return found


def with_solutions(notebook: NotebookNode, insist: bool = False) -> NotebookNode:
    """A copy of `notebook` in which every exercise is solved by its reference solution.

    An exercise is a code cell tagged `exercise`: it defines one function or more, and hands each to
    `exercises.NAME.check(function)`. With `insist`, each solution is graded first, and the cell raises
    AssertionError unless the verdict is *passed*. Raises ValueError for a tagged cell that has no such check.
    """
    notebook = copy.deepcopy(notebook)
    modules = {}
    for index, cell in enumerate(notebook.cells):
        try:
            modules |= _exercise_modules(cell)
            if found := _checks_of(cell, modules):
                cell.source = _solve(cell.source, found, insist)
                cell.outputs, cell.execution_count = [], None
        except ValueError as error:
            raise WrongValue(f"{_place(index, cell)}: {error}") from None
    return notebook


def _place(index: int, cell: NotebookNode) -> str:
    return f"cell {index + 1}" + (f" ({cell.id})" if "id" in cell else "")


def plain_python(source: str) -> str:
    """A cell's source with IPython's magics turned into calls, so that it can be parsed; every line keeps its number.

    Below a magic that runs the cell as it stands, such as %%time, that is the cell; below another, such as %%bash,
    there is no Python.
    """
    lines = source.splitlines()
    for number, line in enumerate(lines):
        magic = re.match(r"\s*%%(\w*)", line)
        if line.strip() and not magic:
            body = "\n".join(lines[number:])
            body = re.sub(r"^[ \t]*[!%](?:.*\\\n)+.*", _on_one_line, body, flags=re.MULTILINE)
            return "\n" * number + TransformerManager().transform_cell(body)
        if magic and magic[1] not in OF_PYTHON:
            break
    return ""


def _on_one_line(command: re.Match[str]) -> str:
    """A command over several lines as one, and as many empty lines as it is shorter: IPython would leave them out."""
    return command[0].replace("\\\n", " ") + "\n" * command[0].count("\\\n")


def parse(source: str) -> ast.Module:
    """A cell's Python as a tree. Raises ValueError, with the line, where that is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a reader's "\d"
            return ast.parse(plain_python(source))
    except SyntaxError as error:
        raise WrongValue(f"line {error.lineno} is no Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise WrongValue(f"it is no Python: {error}") from None


def checks(source: str, modules: Container[str] | None = None) -> list[tuple[str, str, str, int]]:
    """The checks in a cell, of all or some modules: a list of (module name, exercise name, function name, line)."""
    found = []
    for statement in parse(source).body:
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            named = re.fullmatch(r"(\w+)\.(\w+)\.check", ast.unparse(call.func))
            if named and (modules is None or named[1] in modules):
                function = ast.unparse(call.args[0]) if call.args else ""
                found.append((named[1], named[2], function, statement.lineno))
    return found


def _checks_of(cell: NotebookNode, modules: Mapping[str, ModuleType]) -> list[tuple[str, str, str, int, Exercise]]:
    """The checks of a cell that is an exercise, each with its Exercise as the last; of any other cell none.

    Raises ValueError for an exercise without a check, and for a check of what is no exercise.
    """
    if cell.cell_type != "code" or "exercise" not in cell.metadata.get("tags", []):
        return []
    from gencourse.exercises.machine.exercise import exercises_of  # with torch, for which not every command need wait

    found = []
    for module, name, function, line in checks(cell.source, modules):
        known = {exercise.name: exercise for exercise in exercises_of(modules[module])}
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise WrongValue(f"{module}.{name} is no exercise; {meant}")
        found.append((module, name, function, line, known[name]))
    if not found:
        raise WrongValue(
            "it is tagged `exercise` and hands nothing to `exercises.NAME.check(function)`; "
            f"known exercise modules: {', '.join(modules) or 'none imported'}"
        )
    return found


def _exercise_modules(cell: NotebookNode) -> dict[str, ModuleType]:
    """The names under which a cell imports modules of gencourse.exercises, and the modules."""
    if cell.cell_type != "code" or "gencourse.exercises" not in cell.source:
        return {}
    imports = (node for node in ast.walk(parse(cell.source)) if isinstance(node, ast.ImportFrom))
    named = [alias for node in imports if node.module == "gencourse.exercises" for alias in node.names]
    return _modules((alias.name, alias.asname) for alias in named)


def _modules(names: Iterable[tuple[str, str | None]]) -> dict[str, ModuleType]:
    """{name in the notebook: module} of pairs (module, name in the notebook or nothing); what is no module is left."""
    found = {}
    for name, as_name in names:
        with suppress(ModuleNotFoundError):
            found[as_name or name] = importlib.import_module(f"gencourse.exercises.{name}")
    return found


def _solve(source: str, found: list[tuple[str, str, str, int, Exercise]], insist: bool) -> str:
    definitions = {node.name: node for node in parse(source).body if hasattr(node, "name")}
    edits = []  # (first line, last line, new text), lines counted from 1
    for module, name, function, line, exercise in found:
        if function not in definitions:
            raise WrongValue(f"it checks {function}, but does not define it")
        node = definitions[function]
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        edits.append((first, node.end_lineno, exercise.solution_source.strip()))
        if insist:
            grade = (
                f"_verdict = {module}.{name}.grade({function})\n"
                f'assert _verdict.status == "passed", f"{name}: {{_verdict.status}}: {{_verdict.message}}"'
            )
            edits.append((line, line - 1, grade))
    lines = source.splitlines()
    for first, last, text in sorted(edits, reverse=True):
        lines[first - 1 : last] = text.splitlines()
    return "\n".join(lines)
