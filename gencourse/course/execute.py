"""Running notebooks: each in a fresh kernel, measured, and written clean enough to be committed.

A notebook is written whole or not at all: what papermill holds in memory goes to disk only when every cell has
run. papermill's word is not enough for that: after sys.exit(0) it returns as if all were well, and after a timeout it
gives cells that never ran the status "completed". The counts that the kernel gave to the cells tell.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import matplotlib
import psutil
import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from gencourse.course.notebook import KERNELSPEC, clean, read, write
from gencourse.support.errors import WrongValue

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
QUIET = {"GENCOURSE_PROGRESS": "0", "GENCOURSE_PASSED": "0"}  # no progress bars; nothing is noted as passed
# a backend for scripts hides the figures, a start-up file changes what cells print, -O takes the claims' asserts away
UNSET = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS")
# of compute a notebook at effort 1, on two idle cores: with bfloat16 in hardware, and without
SECONDS = {True: 100, False: 250}
PEAK_MIB = 3072


class NotebookError(RuntimeError):
    """A notebook did not run to its end; the message names the cell and the error."""


@dataclass(frozen=True)
class Execution:
    """One execution: seconds, peak memory in MiB of the kernel with its children, and what went wrong.

    `cpu_seconds` are those of all its threads; `others` is how many cores other programs used meanwhile, in the mean;
    `cells` are the seconds of each code cell, by its id.
    """

    notebook: Path
    seconds: float
    peak_mib: float
    error: str | None = None
    cpu_seconds: float = 0.0
    others: float = 0.0
    cells: Mapping[str, float] = field(default_factory=dict)


class Kernel(AsyncKernelManager):
    """A kernel of this very Python, whatever kernels are registered elsewhere on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())

    async def start_kernel(self, **options: Any) -> None:
        if self.has_trait("transport_encryption") and zmq.has("curve"):
            self.transport_encryption = "auto"  # else every kernel warns that it listens in plain text
        await super().start_kernel(**options)


def kernel_environment(ipython_folder: str | Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables of a kernel whose outputs do not depend on the reader's own settings.

    This process's variables, without those of `UNSET`, with matplotlib's own defaults and UTF-8, with IPython's profile
    in `ipython_folder`, an empty one, and with `environment`.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    own = {
        "IPYTHONDIR": str(ipython_folder),
        "MATPLOTLIBRC": os.path.join(matplotlib.get_data_path(), "matplotlibrc"),
        "PYTHONUTF8": "1",
    }
    return {**inherited, **own, **(environment or {})}


def execute(
    notebooks: Iterable[str | Path],
    to: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    show_progress: bool = True,
    environment: Mapping[str, str] | None = None,
) -> list[Execution]:
    """Run each notebook in a fresh kernel; returns one `Execution` for each, in order.

    Into the folder `to`, or in place. A notebook that fails is not written, a result of an earlier run is
    taken away from `to`, and the others still run. `parameters` override those of the cell tagged
    `parameters`; `environment` is added to the kernel's environment variables.

    Raises FileNotFoundError for a notebook that is not there, and ValueError for an unknown parameter, for
    parameters in place, for two notebooks of one name, and for a folder in which nothing can be written. Nothing has
    been run then.
    """
    paths = [Path(path) for path in notebooks]
    _check(paths, to, parameters)
    for folder in {path.parent for path in paths} if to is None else [Path(to)]:
        _check_writable(folder)
    runs = []
    for number, path in enumerate(paths, start=1):
        notebook = read(path)
        target = path if to is None else Path(to) / path.name
        bar = {"desc": f"{path.stem} ({number}/{len(paths)})"} if show_progress else False
        watch, cells = _Watch(), {}
        try:
            done = run(notebook, path.parent, parameters, environment, bar, watch)
            cleaned = clean(done)
            write(cleaned, target)
            cells, error = _seconds_of_cells(done, cleaned), None
        except NotebookError as failure:
            error = str(failure)
            if to is not None:
                target.unlink(missing_ok=True)
        runs.append(Execution(path, watch.seconds, watch.peak_mib, error, watch.cpu_seconds, watch.others, cells))
    return runs


def _seconds_of_cells(done: NotebookNode, cleaned: NotebookNode) -> dict[str, float]:
    """{id: seconds} of the code cells, as papermill has measured them; the ids are those of the cleaned notebook."""
    pairs = zip(done.cells, cleaned.cells, strict=True)
    took = {
        cell.id: ran.metadata.get("papermill", {}).get("duration") for ran, cell in pairs if cell.cell_type == "code"
    }
    return {cell_id: seconds for cell_id, seconds in took.items() if seconds is not None}


def run(
    notebook: NotebookNode,
    folder: str | Path,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    progress_bar: bool | dict[str, str] = False,
    watch: _Watch | None = None,
) -> NotebookNode:
    """Run `notebook` (a NotebookNode) in a fresh kernel whose working directory is `folder`.

    Returns the notebook with its outputs. The kernel is this very Python, whatever kernels are registered
    elsewhere on the machine.
    Raises NotebookError where a cell raises, ends the run or never runs, and where the kernel dies.
    """
    import papermill  # a second to import, which `gencourse doctor` need not wait for
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    watch = watch or _Watch()
    at = {"id": "?"}

    def refuse_exit(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        # the kernel dies some time after the cell: later cells may still run
        if any(each.get("source") == "ask_exit" for each in execute_reply["content"].get("payload", [])):
            raise NotebookError(f"cell {cell.id}: exit() or quit(), which shuts the kernel down")

    try:
        with watch, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as ipython:
            done = papermill.execute_notebook(
                notebook,
                None,
                parameters=parameters,
                kernel_name=KERNELSPEC["name"],
                language="python",
                progress_bar=progress_bar,
                coalesce_streams=True,  # else where one piece of output ends and the next begins is chance
                cwd=str(folder),
                kernel_manager_class=_kernel_class(
                    kernel_environment(ipython, {**QUIET, **(environment or {})}), watch
                ),
                on_cell_start=lambda cell, cell_index: at.update(id=cell.id),
                on_cell_executed=refuse_exit,
            )
    except papermill.PapermillExecutionError as error:
        message = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
        raise NotebookError(f"cell {at['id']}: {message}") from error
    except DeadKernelError as error:
        raise NotebookError(f"cell {at['id']}: the kernel died (out of memory?)") from error
    except CellExecutionError as error:
        raise NotebookError(f"cell {at['id']}: {str(error).splitlines()[0]}") from error
    _check_whole(done)
    return done


def find(name: str | Path) -> Path:
    """The notebook of this name: a file, or else one of the course by its name or number: 03_vae.ipynb, 03_vae, or 03.

    Raises FileNotFoundError, which says where it looked.
    """
    path = Path(name)
    if path.is_file():
        return path
    own = {each.stem: each for each in sorted(NOTEBOOKS.glob("*.ipynb"))}
    wanted = path.stem if path.suffix == ".ipynb" else path.name
    found = [stem for stem in own if stem == wanted or stem.startswith(f"{wanted}_")]
    if len(path.parts) == 1 and len(found) == 1:
        return own[found[0]]
    what = "is a folder, and no notebook" if path.is_dir() else "is not there"
    raise FileNotFoundError(
        f"{path.absolute()} {what}; the notebooks of the course are {', '.join(own) or 'missing'}, "
        f"in {NOTEBOOKS}: name one of them, or a file"
    )


def table(runs: Sequence[Execution]) -> str:
    """The runs as text: seconds and peak memory of each beside the limits of the course."""
    width = max([len("notebook"), *(len(run.notebook.stem) for run in runs)])
    lines = [f"{'notebook':<{width}}  seconds  (limit)  peak MiB  (limit)"]
    for run in runs:
        took = f"{run.seconds:7.1f}  {seconds_allowed():>7}  {run.peak_mib:8.0f}  {PEAK_MIB:>7}"
        words = f"{' over the limit' if over(run) else ''}{'  FAILED' if run.error else ''}"
        lines.append(f"{run.notebook.stem:<{width}}  {took}{words}")
    lines.append(f"{'together':<{width}}  {sum(run.seconds for run in runs):7.1f}")
    return "\n".join(lines)


def over(run: Execution) -> bool:
    """Does the run exceed a limit of the course? Its seconds mean something on two idle cores only."""
    return run.seconds > seconds_allowed() or run.peak_mib > PEAK_MIB


def seconds_allowed() -> int:
    """The limit of `SECONDS` for a machine like this one."""
    from gencourse.training import native_bfloat16  # torch takes seconds to import, and few commands need it

    return SECONDS[native_bfloat16()]


def _check(paths: Sequence[Path], to: str | Path | None, parameters: Mapping[str, object] | None) -> None:
    import papermill

    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no notebook {str(path)!r}")
    if to is not None and len({path.name for path in paths}) < len(paths):
        raise WrongValue(f"two of the notebooks have one name, and would overwrite each other in {str(to)!r}")
    if parameters and to is None:
        raise WrongValue("in place a notebook keeps its own parameters; for other ones name a folder (--to)")
    for path in paths if parameters else ():
        notebook = read(path)
        notebook.metadata["kernelspec"] = KERNELSPEC  # papermill asks for one
        known = papermill.inspect_notebook(notebook)
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            names = ", ".join(map(repr, unknown))
            raise WrongValue(f"{path.name} has no parameter {names}; it has {', '.join(known) or 'none'}")


def _check_whole(notebook: NotebookNode) -> None:
    """Raise NotebookError unless one kernel has run every code cell to its end, in order."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(cells, start=1):
        if any(output.get("ename") == "SystemExit" for output in cell.outputs):
            raise NotebookError(f"cell {cell.id}: SystemExit, and none of the {len(cells) - number} cells below it ran")
        if cell.execution_count is None:
            raise NotebookError(f"cell {cell.id}: it was never run")
        if cell.execution_count != number:
            raise NotebookError(
                f"cell {cell.id}: the kernel counts it as run {cell.execution_count}, and it is code cell {number}; "
                "was the kernel started again?"
            )


def _check_writable(folder: Path) -> None:
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise WrongValue(
            f"nothing can be written in {str(folder)!r} ({error.strerror}); name another folder with --to"
        ) from None


def _kernel_class(environment: dict[str, str], watch: _Watch) -> type[Kernel]:
    class Watched(Kernel):
        async def start_kernel(self, **options: Any) -> None:
            await super().start_kernel(env=environment, **options)
            watch.process = psutil.Process(self.provisioner.pid)

    return Watched


class Load:
    """Measures, as a context: `seconds`, and how many cores `others` used in the mean.

    Others are all programs but this process and, if there is one, `process` with its children, of which `cpu_seconds`
    is the time of all threads. Where the system tells what a hypervisor took away, that counts as others' too.
    """

    def __init__(self) -> None:
        self.process, self.seconds, self.cpu_seconds, self.others = None, 0.0, 0.0, 0.0

    def __enter__(self) -> Self:
        self._start, self._busy, self._own = time.perf_counter(), _busy_seconds(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        mine = self.cpu_seconds + time.process_time() - self._own
        self.others = max(0.0, _busy_seconds() - self._busy - mine) / self.seconds


def _busy_seconds() -> float:
    """Seconds, since the machine was started, in which the cores that this process may use were not idle, together."""
    cores = psutil.cpu_times(percpu=True)
    if hasattr(os, "sched_getaffinity"):
        cores = [times for number, times in enumerate(cores) if number in os.sched_getaffinity(0)]
    idle = ("idle", "iowait", "guest", "guest_nice")  # guests' time is in user and nice already
    return sum(value for times in cores for name, value in times._asdict().items() if name not in idle)


class _Watch(Load):
    """Measures the peak in MiB of what `process` and its children hold, too."""

    def __init__(self, interval: float = 0.1) -> None:
        super().__init__()
        self.interval, self.peak_mib = interval, 0.0

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        super().__exit__(*error)

    def _poll(self) -> None:
        while not self._stop.wait(self.interval):
            if self.process is None:
                continue
            resident, seconds = 0, 0.0
            with suppress(psutil.Error):
                for process in (self.process, *self.process.children(recursive=True)):
                    with suppress(psutil.Error):
                        resident += process.memory_info().rss
                        seconds += sum(process.cpu_times()[:2])
                seconds += sum(self.process.cpu_times()[2:4])  # of children that have ended
            self.peak_mib = max(self.peak_mib, resident / 2**20)
            self.cpu_seconds = max(self.cpu_seconds, seconds)
