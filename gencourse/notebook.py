"""A notebook as a file: written whole, cleaned for committing, its exercises solved in a copy."""

import ast
import copy
import importlib
import json
import re
import unicodedata

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from gencourse._files import write_whole

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
# as every Python has it; the version, which editors add, would differ from machine to machine
LANGUAGE = {
    "file_extension": ".py", "mimetype": "text/x-python", "name": "python", "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}  # fmt: skip
WIDGET_STATE, WIDGET_VIEW = (f"application/vnd.jupyter.widget-{part}+json" for part in ("state", "view"))
CELL_METADATA = ("tags", "slideshow", "jupyter", "collapsed")


def write(notebook, path):
    """Write a notebook whole or not at all."""
    nbformat.validate(notebook)
    with write_whole(path) as part:
        nbformat.write(notebook, part)


def clean(notebook):
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


def is_readable(cell_id):
    """Whether a cell id says something: words joined by hyphens, and no random number as editors give."""
    words = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cell_id) and len(cell_id) <= 64
    random = re.fullmatch(r"[0-9a-f]{6,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", cell_id)
    return bool(words and not random)


def _name_cells(notebook):
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


def _headings(markdown):
    prose = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.DOTALL | re.MULTILINE)
    slugs = map(_slug, re.findall(r"^#{1,6}[ \t]+(.+)$", prose, flags=re.MULTILINE))
    return [slug for slug in slugs if slug]


def _slug(heading):
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", re.sub(r"^\s*[\d.]+\s+", "", plain))
    while len("-".join(words)) > 48:
        words.pop()
    return "-".join(words)


def _number_widgets(notebook, ids):
    text = json.dumps(notebook)
    for number, name in enumerate(ids, start=1):
        text = text.replace(name, f"widget-{number:04d}")
    return nbformat.from_dict(json.loads(text))


def exercises(notebook):
    """The exercises of a notebook, in order: a list of pairs (index of the cell, Exercise)."""
    modules, found = {}, []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            modules |= _exercise_modules(cell.source)
            if "exercise" in cell.metadata.get("tags", []):
                named = checks(cell.source, modules)
                found += [(index, getattr(modules[module], name)) for module, name, _, _ in named]
    return found


def with_solutions(notebook, insist=False):
    """A copy of `notebook` in which every exercise is solved by its reference solution.

    An exercise is a code cell tagged `exercise`: it defines one function or more, and hands each to
    `exercises.NAME.check(function)`. With `insist`, each solution is graded first, and the cell raises
    AssertionError unless the verdict is *passed*. Raises ValueError for a tagged cell that has no such check.
    """
    notebook = copy.deepcopy(notebook)
    modules = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        modules |= _exercise_modules(cell.source)
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = _solve(cell, modules, insist)
            cell.outputs, cell.execution_count = [], None
    return notebook


def _exercise_modules(source):
    """The names under which a cell imports modules of gencourse.exercises, and the modules."""
    names = {}
    if "gencourse.exercises" not in source:
        return names
    for node in ast.walk(ast.parse(plain_python(source))):
        if isinstance(node, ast.ImportFrom) and node.module == "gencourse.exercises":
            names |= {alias.asname or alias.name: f"gencourse.exercises.{alias.name}" for alias in node.names}
    return {name: importlib.import_module(module) for name, module in names.items()}


def plain_python(source):
    """A cell's source with IPython's magics turned into calls, so that it can be parsed."""
    return TransformerManager().transform_cell(source)


def checks(source, names=None):
    """The checks in an exercise cell: a list of (module name, exercise name, function name, line)."""
    found = []
    for statement in ast.parse(source).body:
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            named = re.fullmatch(r"(\w+)\.(\w+)\.check", ast.unparse(call.func))
            if named and (names is None or named[1] in names):
                function = ast.unparse(call.args[0]) if call.args else ""
                found.append((named[1], named[2], function, statement.lineno))
    return found


def _solve(cell, modules, insist):
    try:
        found = checks(cell.source, modules)
        definitions = {node.name: node for node in ast.parse(cell.source).body if hasattr(node, "name")}
    except SyntaxError as error:
        raise ValueError(f"exercise cell {cell.id} is not plain Python: {error}") from None
    if not found:
        raise ValueError(
            f"exercise cell {cell.id} hands nothing to `exercises.NAME.check(function)`; "
            f"known exercise modules: {', '.join(modules) or 'none imported'}"
        )
    edits = []  # (first line, last line, new text), lines counted from 1
    for module, name, function, line in found:
        if function not in definitions:
            raise ValueError(f"exercise cell {cell.id} checks {function}, but does not define it")
        node = definitions[function]
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        exercise = getattr(modules[module], name)
        edits.append((first, node.end_lineno, exercise.solution_source.strip()))
        if insist:
            grade = (
                f"_verdict = {module}.{name}.grade({function})\n"
                f'assert _verdict.status == "passed", f"{name}: {{_verdict.status}}: {{_verdict.message}}"'
            )
            edits.append((line, line - 1, grade))
    lines = cell.source.splitlines()
    for first, last, text in sorted(edits, reverse=True):
        lines[first - 1 : last] = text.splitlines()
    return "\n".join(lines)
