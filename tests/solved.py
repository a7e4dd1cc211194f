"""Which part of a notebook is run again once its exercises are solved: the exercises, and what these need.

nbval runs a notebook as it is committed: no exercise is attempted, so that all goes on with the references. A solution
is the source of its reference: what comes after an exercise does not depend on which of the two it is.
"""

import ast
import builtins
import copy
import symtable
from dataclasses import dataclass

from gencourse.course.notebook import parse

EVERYWHERE = ("torch.manual_seed", "plots.use_style")  # what these set has no name: they stay in every cell


def part(notebook):
    """The code cells of a solved notebook that are exercises, and of the other cells the statements that these need.

    Names are followed backwards through assignments, loops, functions, and changes in place: `x[i] = …`, `x += …`, and
    statements such as `x.append(…)` and `show(x)` that keep nothing of what comes back. What else a function changes of
    its arguments is not seen: where that matters, the part fails.
    """
    cells = {
        index: [step for number, node in enumerate(parse(cell.source).body) for step in _steps(node, number)]
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
    }
    tags = {index: notebook.cells[index].metadata.get("tags", []) for index in cells}
    needs = _needs(cells, {index for index in cells if "parameters" in tags[index]})
    kept = {
        (index, step.statement)
        for index, steps in cells.items()
        for step in steps
        if step.everywhere or {"parameters", "exercise"} & set(tags[index])
    }
    new = list(kept)
    while new:
        more = needs[new.pop()] - kept
        kept |= more
        new += more
    notebook = copy.deepcopy(notebook)
    for index in cells:
        cell = notebook.cells[index]
        cell.source = _only(cell.source, {statement for place, statement in kept if place == index})
    notebook.cells = [notebook.cells[index] for index in cells if notebook.cells[index].source]
    return notebook


def _only(source, statements):
    """A cell's source without its other statements; what is kept stays as it is written."""
    spans = []
    for node in parse(source).body:
        first = min(each.lineno for each in [node, *getattr(node, "decorator_list", [])])
        spans.append(set(range(first, node.end_lineno + 1)))
    kept = set().union(*(span for number, span in enumerate(spans) if number in statements))
    gone = set().union(*spans) - kept
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in gone) if kept else ""


@dataclass
class Step:
    """A statement, or a part of one that is run by itself: which names it reads, binds and changes."""

    statement: int  # its place among those of the cell
    kind: type[ast.stmt]
    surely: bool  # not under a condition
    everywhere: bool
    reads: set[str]
    later: set[str]  # what a function reads when it is called
    binds: set[str]
    changes: set[str]


def _needs(cells, parameters):
    """{(cell, statement): the statements that it needs}; `parameters` are the cells whose names nobody changes."""
    needs = {}
    functions = {}  # name: (what it reads when it is called, what it then changes)
    makers = {}  # name: the statements that made it what it is
    fixed = set(dir(builtins))  # and modules, and parameters: what nobody changes
    for index, steps in cells.items():
        for step in steps:
            place, defines = (index, step.statement), step.kind is ast.FunctionDef
            reached = _reached(step.reads | step.later, functions)
            needs.setdefault(place, set()).update(*(makers.get(name, ()) for name in reached))
            changes = step.changes - fixed
            if not defines:
                changes = changes.union(*(functions[name][1] for name in reached if name in functions))
            fixed |= step.binds if index in parameters or step.kind in (ast.Import, ast.ImportFrom) else set()
            for name in step.binds if step.surely else ():  # whatever it was before
                functions.pop(name, None)
                makers.pop(name, None)
            functions |= {name: (step.later, changes) for name in step.binds} if defines else {}
            for name in step.binds if defines else step.binds | changes:
                makers[name] = makers.get(name, set()) | {place}
    return needs


def _reached(names, functions):
    """The names, and those that the functions among them read when they are called."""
    seen, new = set(), list(names)
    while new:
        name = new.pop()
        if name not in seen:
            seen.add(name)
            new += functions.get(name, ((), ()))[0]
    return seen


def _steps(node, number, surely=True):
    """The steps of a statement, in the order in which they are run."""

    def inside(nodes, surely=surely):
        return [step for each in nodes for step in _steps(each, number, surely)]

    match node:
        case ast.For():
            return inside([_let(node.target, node.iter), *node.body]) + inside(node.orelse, False)
        case ast.With():
            return inside([*(_let(item.optional_vars, item.context_expr) for item in node.items), *node.body])
        case ast.If() | ast.While():
            return inside([_let(None, node.test)]) + inside(node.body + node.orelse, False)
        case ast.Try():
            handlers = [each for handler in node.handlers for each in handler.body]
            return inside(node.body + handlers + node.orelse, False) + inside(node.finalbody)
    return [_step(node, number, surely)]


def _let(target, value):
    return ast.Expr(value) if target is None else ast.Assign([target], value, lineno=1)


def _step(node, number, surely):
    table = symtable.symtable(ast.unparse(node), "a cell", "exec")
    symbols, nodes = table.get_symbols(), list(ast.walk(node))
    defines, adds = isinstance(node, ast.FunctionDef), isinstance(node, ast.AugAssign)
    inner = set().union(*map(_globals, table.get_children()))  # of a comprehension or a lambda, too
    reads = {each.get_name() for each in symbols if each.is_referenced()} | (set() if defines else inner)
    reads |= {_root(node.target)} if adds else set()
    calls = [each.value for each in nodes if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
    changed = [each for each in nodes if isinstance(getattr(each, "ctx", None), ast.Store | ast.Del)]
    changed = [each for each in changed if isinstance(each, ast.Attribute | ast.Subscript)]
    changed += [node.target] if adds else []
    changed += [each for call in calls for each in call.args]
    changed += [call.func for call in calls if isinstance(call.func, ast.Attribute)]
    return Step(
        statement=number,
        kind=type(node),
        surely=surely,
        everywhere=isinstance(node, ast.Expr) and any(ast.unparse(call.func) in EVERYWHERE for call in calls),
        reads=reads,
        later=inner if defines else set(),
        binds={each.get_name() for each in symbols if each.is_assigned() or each.is_imported()},
        changes=set(map(_root, changed)) & (inner if defines else reads),
    )


def _globals(table):
    """The names that a function or a comprehension reads and does not own, and those inside it."""
    own = {each.get_name() for each in table.get_symbols() if each.is_global()}
    return own.union(*map(_globals, table.get_children()))


def _root(node):
    """The name whose value `name`, `name[i]`, `name.part` or `name.part()` belongs to, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
