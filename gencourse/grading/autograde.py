"""What nbgrader runs when it grades: lost cells are put back, kernels are bounded, and the marks are given here.

A student's code may do what it likes to the kernel it runs in, and to every check there. It is asked for bare answers
(see `mark`), and these are judged in nbgrader's own process, which its code does not reach from inside Python. Whatever
goes wrong on the way, an answer that does not arrive earns nothing.
"""

import ast
import math
import os
import re
import tempfile
import time

import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked
from traitlets import Integer, List, Unicode

from gencourse.execute import Kernel
from gencourse.exercises.answers import Answers
from gencourse.exercises.verdict import Verdict
from gencourse.grading import ANSWERS, NotPassed, find

SHOWN = ("text/plain", "image/png", "image/jpeg")
# bytes of output of one cell, of its answers, and of one message; more is dropped, or it would fill the grader's memory
MOST_OUTPUT, MOST_ANSWERS, LONGEST_MESSAGE = 2**20, 2**24, 2**25


class Restore(NbGraderPreprocessor):
    """Gives every cell of the assignment its own metadata back, and puts lost ones back: at the end, the tests.

    A test without its metadata is not graded at all, and one with a tag may not be run.
    """

    def preprocess(self, nb, resources):
        about = resources["nbgrader"]
        for cell in nb.cells:
            if not isinstance(cell.metadata.get("nbgrader", {}), dict):
                del cell.metadata["nbgrader"]
        names = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells}
        with Gradebook(about["db_url"]) as gradebook:
            notebook = gradebook.find_notebook(about["notebook"], about["assignment"])
            graded = {cell.name: cell.max_score for cell in notebook.grade_cells}
            solutions = {cell.name for cell in notebook.solution_cells}
            for source in sorted(notebook.source_cells, key=lambda source: source.name):
                kept = {
                    "grade_id": source.name, "schema_version": 3, "cell_type": source.cell_type, "task": False,
                    "grade": source.name in graded, "solution": source.name in solutions, "locked": source.locked,
                    "checksum": source.checksum,
                } | ({"points": graded[source.name]} if source.name in graded else {})  # fmt: skip
                for cell in nb.cells:
                    if cell.metadata.get("nbgrader", {}).get("grade_id") == source.name:
                        cell.metadata = type(cell.metadata)(nbgrader=kept)
                if source.name in names or source.name in solutions or source.cell_type != "code":
                    continue
                self.log.warning("Cell %s was missing and is put back", source.name)
                lost = new_code_cell(source.source, metadata={"nbgrader": kept})
                nb.cells.insert(len(nb.cells) if source.name in graded else 0, lost)
        return nb, resources


class Bounded(Kernel):
    """A kernel on one thread, with bounds to its memory and its files (not on Windows)."""

    memory_mib, answer_seconds, command = 4096, 30, ()

    def format_kernel_cmd(self, *arguments, **options):
        return [*self.command, *super().format_kernel_cmd(*arguments, **options)]

    def client(self, **options):
        client = super().client(**options)
        client.context.setsockopt(zmq.MAXMSGSIZE, LONGEST_MESSAGE)
        client.context.setsockopt(zmq.RCVHWM, 50)  # so many of them wait here, and the others in the kernel
        return client

    async def start_kernel(self, **options):
        if os.name == "posix":
            options["preexec_fn"] = self._bound
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GENCOURSE_SECONDS": str(self.answer_seconds)}
        await super().start_kernel(env=environment, **options)

    def _bound(self):
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

    def preprocess(self, nb, resources, km=None):
        NotebookClient.__init__(self, nb)
        self.resources, self.kernel_manager_class = resources, Bounded
        self._end, self._over = time.monotonic() + self.seconds, {}
        self.timeout_func = lambda cell: max(1, min(self.timeout, math.ceil(self._end - time.monotonic())))
        with tempfile.TemporaryDirectory(prefix="kernel") as self._folder:
            while not self._run():
                pass
        for index, cell in enumerate(nb.cells):
            defuse(cell)
            if cell.cell_type == "code":
                judge(cell, self._over.get(index, ""))
        return nb, resources

    def create_kernel_manager(self):
        km = super().create_kernel_manager()
        km.memory_mib, km.answer_seconds, km.command = self.memory_mib, self.answer_seconds, self.command
        if self.command:  # a sandbox may have no network, not even its own machine's
            km.transport, km.ip = "ipc", f"{self._folder}/{len(self._over)}"
            km.connection_file = f"{km.ip}.json"
        return km

    def _run(self):
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
                    raise RuntimeError(f"cell {cell.metadata.nbgrader.grade_id} of the assignment itself failed "
                                       f"(memory_mib is {self.memory_mib}): {why}")
                if ended or is_grade(cell) or any(error.ename == "CellTimeoutError" for error in errors):
                    self._over[index] = ended  # not a second time, should the kernel end later
                if ended:
                    return False
        return True

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"].startswith("comm"):
            return None  # widgets: what they keep has no bound
        if msg["msg_type"] not in ("status", "execute_input", "clear_output"):
            kind = ANSWERS in msg["content"].get("data", {})
            self._room[kind] -= len(str(msg["content"]))
            if self._room[kind] < 0:
                return None
        return super().process_message(msg, cell, cell_index)


def defuse(cell):
    """Take out of a cell what a page would run: the formgrader is one, and marks are set there."""
    if cell.cell_type != "code":
        cell.source = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", cell.source)
        return
    for output in cell.outputs:
        if "data" in output:
            output.data = {kind: data for kind, data in output.data.items() if kind in (ANSWERS, *SHOWN)}


def judge(cell, problem=""):
    """Put the verdict in place of a test cell's outputs; other cells stay as they are.

    `problem` is what kept the cell from being run to its end.
    """
    if problem:
        cell.outputs = [_error("NotRun", f"This cell was not run to its end: {problem}.")]
    if not (is_grade(cell) and (request := _request(cell.source))):
        return
    exercise = find(*request)
    verdict = _verdict(exercise, cell.outputs)
    page = verdict.page()
    cell.outputs = [new_output("display_data", {"text/html": page.html(), "text/plain": page.text()})]
    if not verdict.passed:
        cell.outputs.append(_error(NotPassed.__name__, f"{exercise.name}: {verdict.status}"))


def _verdict(exercise, outputs):
    texts = [output.data[ANSWERS] for output in outputs if ANSWERS in output.get("data", {})]
    errors = [f"`{output.ename}`: {output.evalue}"[:300] for output in outputs if output.output_type == "error"]
    try:
        return exercise.judge(Answers.from_json(texts[-1]))
    except IndexError:
        message = "No answers came out of this cell. " + " ".join(errors[-1:])
    except Exception as error:  # whatever was sent in place of answers, it is none
        message = f"What came out of this cell are no answers: {error}"
    return Verdict(exercise.name, "not yet", "no answers", message)


def _request(source):
    """(key, variant) where a cell calls `mark`, else None."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return None
    for call in calls:
        if ast.unparse(call.func) == "mark" and call.args and isinstance(call.args[0], ast.Constant):
            variant = next((word.value.value for word in call.keywords if word.arg == "variant"), 0)
            return call.args[0].value, variant
    return None


def _error(name, message):
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
