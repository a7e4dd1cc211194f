"""What nbgrader runs when it grades: lost cells are put back, kernels are bounded, and the marks are given here.

A student's code may do what it likes to the kernel it runs in, and to every check there. It is asked for bare answers
(see `mark`), and these are judged in nbgrader's own process, which its code does not reach from inside Python. Whatever
goes wrong on the way, an answer that does not arrive earns nothing.
"""

from __future__ import annotations

import ast
import math
import os
import re
import tempfile
import time
from dataclasses import replace
from typing import Any

import zmq
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook, SourceCell
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked
from traitlets import Integer, List, Unicode

from gencourse.course.execute import Kernel
from gencourse.exercises.machine.answers import Answers
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.verdict import Verdict
from gencourse.grading import ANSWERS, NotPassed, find

SHOWN = ("text/plain", "image/png", "image/jpeg")
# bytes of output of one cell, of its answers, and of one message; more is dropped, or it would fill the grader's memory
MOST_OUTPUT, MOST_ANSWERS, LONGEST_MESSAGE = 2**20, 2**24, 2**25


class Restore(NbGraderPreprocessor):
    """Gives every cell of the assignment its own metadata back, and puts lost ones back: at the end, the tests.

    A test without its metadata is not graded at all, and one with a tag may not be run. Two cells of one name, as
    splitting and copying make them, end the grading of everybody: one keeps the name, and the others become the
    student's own. All of them are run where they stand.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            notebook = gradebook.find_notebook(about["notebook"], about["assignment"])
            graded = {cell.name: cell.max_score for cell in notebook.grade_cells}
            solutions = {cell.name for cell in notebook.solution_cells}
            sources = {source.name: source for source in notebook.source_cells}
            bearing = {name: [] for name in sorted(sources)}
            for cell in nb.cells:
                bearing.get(name_of(cell), []).append(cell)
                cell.metadata.pop("nbgrader", None)
            for name, cells in bearing.items():
                source = sources[name]
                kept = {
                    "grade_id": name,
                    "schema_version": 3,
                    "cell_type": source.cell_type,
                    "task": False,
                    "grade": name in graded,
                    "solution": name in solutions,
                    "locked": source.locked,
                    "checksum": source.checksum,
                } | ({"points": graded[name]} if name in graded else {})
                if cells:
                    cell = _bearer(cells, source, first=name not in graded and name not in solutions)
                    cell.metadata = type(cell.metadata)(nbgrader=kept)
                    if source.locked and cell.source == released(source.source):  # as it was handed out
                        cell.source = source.source
                    if len(cells) > 1:
                        self.log.warning(
                            "%s: the cell %s is there %d times; number %d counts",
                            about["student"],
                            name,
                            len(cells),
                            _place(cells, cell) + 1,
                        )
                elif name not in solutions and source.cell_type == "code":
                    self.log.warning("%s: the cell %s was missing and is put back", about["student"], name)
                    lost = new_code_cell(source.source, metadata={"nbgrader": kept})
                    nb.cells.insert(len(nb.cells) if name in graded else 0, lost)
        for name in (name for name, cells in bearing.items() if len(cells) > 1 and name.endswith("_check")):
            _follow(nb.cells, name, f"{name.removesuffix('check')}hidden")
        return nb, resources


def name_of(cell: NotebookNode) -> str | None:
    """The grade_id of a cell, or None."""
    about = cell.metadata.get("nbgrader")
    name = about.get("grade_id") if isinstance(about, dict) else None
    return name if isinstance(name, str) else None


def released(source: str) -> str:
    """A test as students get it: without what is hidden."""
    return re.sub(r"\n?### BEGIN HIDDEN TESTS.*### END HIDDEN TESTS", "", source, flags=re.DOTALL)


def _bearer(cells: list[NotebookNode], source: SourceCell, first: bool) -> NotebookNode:
    """Which of several cells is the assignment's: one of its kind and, of tests, unchanged; the first or the last."""
    fit = [cell for cell in cells if cell.cell_type == source.cell_type] or cells  # an old answer, kept as text
    if source.locked:
        fit = [cell for cell in fit if cell.source in (source.source, released(source.source))] or fit
    return fit[0 if first else -1]


def _place(cells: list[NotebookNode], cell: NotebookNode) -> int:
    return next(index for index, other in enumerate(cells) if other is cell)  # copies are equal


def _follow(cells: list[NotebookNode], check: str, hidden: str) -> None:
    """Put the hidden test behind the check that counts, so that both are of the same function."""
    places = {name_of(cell): index for index, cell in enumerate(cells)}
    if places.get(hidden, len(cells)) < places[check]:
        cells.insert(places[check], cells.pop(places[hidden]))


class Bounded(Kernel):
    """A kernel on one thread, with bounds to its memory and its files (not on Windows)."""

    memory_mib, answer_seconds, command = 4096, 30, ()

    def format_kernel_cmd(self, *arguments: Any, **options: Any) -> list[str]:
        return [*self.command, *super().format_kernel_cmd(*arguments, **options)]

    def client(self, **options: Any) -> AsyncKernelClient:
        client = super().client(**options)
        client.context.setsockopt(zmq.MAXMSGSIZE, LONGEST_MESSAGE)
        client.context.setsockopt(zmq.RCVHWM, 50)  # so many of them wait here, and the others in the kernel
        return client

    async def start_kernel(self, **options: Any) -> None:
        if os.name == "posix":
            options["preexec_fn"] = self._bound
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GENCOURSE_SECONDS": str(self.answer_seconds)}
        await super().start_kernel(env=environment, **options)

    def _bound(self) -> None:
        import resource

        memory, file = self.memory_mib * 2**20, 2**26
        for which, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file), (resource.RLIMIT_CORE, 0)):
            resource.setrlimit(which, (most, most))


class Examine(Execute):
    """Runs a submission to its end whatever it does, and gives the marks.

    A cell that takes too long is interrupted. One that takes no notice, or ends the kernel, is left out in a new
    kernel, so that it costs what it contains and nothing else. Raises RuntimeError where a cell fails that is the
    assignment's own: then something else is wrong than the answers, and no marks are given.
    """

    seconds = Integer(600, help="Seconds for a notebook; what has not been run then earns nothing.").tag(config=True)
    answer_seconds = Integer(30, help="Seconds for a function on all inputs of a test.").tag(config=True)
    memory_mib = Integer(4096, help="Address space of the kernel and of each of its children.").tag(config=True)
    command = List(Unicode(), help="What the kernel is started with, such as the words of bubblewrap.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: AsyncKernelManager | None = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        NotebookClient.__init__(self, nb)
        self.resources, self.kernel_manager_class = resources, Bounded
        self._end, self._over = time.monotonic() + self.seconds, {}
        self.timeout_func = lambda cell: max(1, min(self.timeout, math.ceil(self._end - time.monotonic())))
        with tempfile.TemporaryDirectory(prefix="kernel") as self._folder:
            while not self._run():
                pass
        for index, cell in enumerate(nb.cells):
            defuse(cell)
            if problem := self._over.get(index):
                cell.outputs = [_error("NotRun", f"This cell was not run to its end: {problem}.")]
        for cell in nb.cells:
            judge(cell, nb.cells)
        return nb, resources

    def create_kernel_manager(self) -> Bounded:
        km = super().create_kernel_manager()
        km.memory_mib, km.answer_seconds, km.command = self.memory_mib, self.answer_seconds, self.command
        if self.command:  # a sandbox may have no network, not even its own machine's
            km.transport, km.ip = "ipc", f"{self._folder}/{len(self._over)}"
            km.connection_file = f"{km.ip}.json"
        return km

    def _run(self) -> bool:
        """Run in a new kernel what is not over. False where it ended too early; then the cell that did it is over."""
        self.reset_execution_trackers()
        with self.setup_kernel():
            for index, cell in enumerate(self.nb.cells):
                if cell.cell_type != "code" or index in self._over:
                    continue
                if time.monotonic() > self._end:
                    self._over[index] = "no time was left for it"
                    continue
                self._room, ended = {True: MOST_ANSWERS, False: MOST_OUTPUT}, ""
                try:
                    self.execute_cell(cell, index)
                except DeadKernelError:
                    ended = "the kernel died in it (out of memory?)"
                except CellTimeoutError:  # the interrupt at the end of its time was of no use
                    ended = "it did not end, and could not be interrupted"
                errors = [output for output in cell.outputs if output.output_type == "error"]
                if is_locked(cell) and not is_grade(cell) and (ended or errors) and time.monotonic() < self._end:
                    why = ended or f"{errors[-1].ename}: {errors[-1].evalue}"
                    raise RuntimeError(
                        f"cell {cell.metadata.nbgrader.grade_id} of the assignment itself failed "
                        f"(memory_mib is {self.memory_mib}): {why}"
                    )
                if ended or is_grade(cell) or any(error.ename == "CellTimeoutError" for error in errors):
                    self._over[index] = ended  # not a second time, should the kernel end later
                if ended:
                    return False
        return True

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if msg["msg_type"].startswith("comm"):
            return None  # widgets: what they keep has no bound
        if msg["msg_type"] not in ("status", "execute_input", "clear_output"):
            kind = ANSWERS in msg["content"].get("data", {})
            self._room[kind] -= len(str(msg["content"]))
            if self._room[kind] < 0:
                return None
        return super().process_message(msg, cell, cell_index)


def defuse(cell: NotebookNode) -> None:
    """Take out of a cell what a page would run: the formgrader is one, and marks are set there."""
    if cell.cell_type != "code":
        cell.source = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", cell.source)
        return
    for output in cell.outputs:
        if "data" in output:
            output.data = {kind: data for kind, data in output.data.items() if kind in (ANSWERS, *SHOWN)}


def judge(cell: NotebookNode, cells: list[NotebookNode]) -> None:
    """Put the verdict in place of a test cell's outputs; other cells stay as they are."""
    if not (is_grade(cell) and cell.cell_type == "code" and (request := _request(cell.source))):
        return
    key, function, variant = request
    exercise = find(key, variant)
    verdict = _verdict(exercise, cell.outputs)
    missing = re.findall(r"name '(\w+)' is not defined", verdict.message)
    if missing and (why := _why_missing(missing[0], cell, cells, missing[0] == function)):
        verdict = replace(verdict, message=f"{why} {verdict.message}" if verdict.diagnosis == "NameError" else why)
    page = verdict.page()
    cell.outputs = [new_output("display_data", {"text/html": page.html(), "text/plain": page.text()})]
    if not verdict.passed:
        cell.outputs.append(_error(NotPassed.__name__, f"{exercise.name}: {verdict.status}"))


def _verdict(exercise: Exercise, outputs: list[NotebookNode]) -> Verdict:
    texts = [output.data[ANSWERS] for output in outputs if ANSWERS in output.get("data", {})]
    try:
        return exercise.judge(Answers.from_json(texts[-1]))
    except IndexError:
        message = "No answers came out of this cell. " + " ".join(_errors(outputs)[-1:])
    except Exception as error:  # whatever was sent in place of answers, it is none
        message = f"What came out of this cell are no answers: {error}"
    return Verdict(exercise.name, "not yet", "no answers", message)


def _errors(outputs: list[NotebookNode]) -> list[str]:
    """The errors among the outputs of a cell, each in a line."""
    found = [output for output in outputs if output.output_type == "error"]
    return [
        re.sub(r" \([^()]*, (line \d+)\)$", r", in \1 of the cell", f"`{output.ename}`: {output.evalue}")[:300]
        for output in found
    ]


def _why_missing(name: str, test: NotebookNode, cells: list[NotebookNode], tested: bool) -> str | None:
    """Why there was nothing of this name when the test was run, in a sentence; none where that is not known."""
    makes = re.compile(rf"^\s*((async )?def|class) {name}\b|^\s*{name}\s*(:.*)?=|\bimport\b.*\b{name}\b", re.MULTILINE)
    code = [cell for cell in cells if cell.cell_type == "code" and not is_grade(cell)]
    makers = [cell for cell in code if makes.search(cell.source) or name_of(cell) == name]
    stopped = [error for cell in makers for error in _errors(cell.outputs)]
    if stopped:
        return f"There is no `{name}`, for its cell did not run to its end: {stopped[-1]}."
    if not tested:
        return None
    making = [cell for cell in makers if makes.search(cell.source)]
    if not making:
        others = re.findall(r"^def (\w+)", "\n".join(cell.source for cell in makers), re.MULTILINE)
        return f"There is no `{name}`: " + (
            f"its cell defines {', '.join(f'`{other}`' for other in others)}. Keep the name."
            if others
            else "no cell of the notebook that was handed in defines it."
        )
    if all(_place(cells, cell) > _place(cells, test) for cell in making):
        return f"There is no `{name}` yet: the cell that defines it stands below this test, and cells run in order."
    return None


def _request(source: str) -> tuple[str, str, int] | None:
    """(key, name of the function, variant) where a cell calls `mark`, else None."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return None
    for call in calls:
        key = call.args[0] if ast.unparse(call.func) == "mark" and call.args else None
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            given = next((word.value for word in call.keywords if word.arg == "variant"), None)
            variant = given.value if isinstance(given, ast.Constant) and isinstance(given.value, int) else 0
            return key.value, ast.unparse(call.args[1]) if call.args[1:] else "", variant
    return None


def _error(name: str, message: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
