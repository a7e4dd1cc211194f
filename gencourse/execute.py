"""Running notebooks: each in a fresh kernel, measured, and written clean enough to be committed.

A notebook is written whole or not at all: what papermill holds in memory goes to disk only when the last cell
has run, and whether it has is told by papermill's exception, never by the notebook it leaves behind.
"""

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

from gencourse._errors import WrongValue
from gencourse.notebook import KERNELSPEC, clean, read, write

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
QUIET = {"GENCOURSE_PROGRESS": "0", "GENCOURSE_PASSED": "0"}  # no progress bars; nothing is noted as passed
SECONDS = 150  # of compute a notebook, on 2 cores at effort 1
PEAK_MIB = 3072


class NotebookError(RuntimeError):
    """A notebook did not run to its end; the message names the cell and the error."""


@dataclass(frozen=True)
class Run:
    """One execution: seconds, peak memory in MiB of the kernel with its children, and what went wrong."""

    notebook: Path
    seconds: float
    peak_mib: float
    error: str | None = None


class Kernel(AsyncKernelManager):
    """A kernel of this very Python, whatever kernels are registered elsewhere on the machine."""

    @property
    def kernel_spec(self):
        return KernelSpec(**get_kernel_dict())

    async def start_kernel(self, **options):
        if self.has_trait("transport_encryption") and zmq.has("curve"):
            self.transport_encryption = "auto"  # else every kernel warns that it listens in plain text
        await super().start_kernel(**options)


def execute(notebooks, to=None, parameters=None, show_progress=True, environment=None):
    """Run each notebook in a fresh kernel; returns one `Run` for each, in order.

    Into the folder `to`, or in place. A notebook that fails is not written, a result of an earlier run is
    taken away from `to`, and the others still run. `parameters` override those of the cell tagged
    `parameters`; `environment` is added to the kernel's environment variables.

    Raises FileNotFoundError for a notebook that is not there, and ValueError for an unknown parameter, for
    parameters in place, and for two notebooks of one name. Nothing has been run then.
    """
    paths = [Path(path) for path in notebooks]
    _check(paths, to, parameters)
    runs = []
    for number, path in enumerate(paths, start=1):
        notebook = read(path)
        target = path if to is None else Path(to) / path.name
        bar = {"desc": f"{path.stem} ({number}/{len(paths)})"} if show_progress else False
        watch = _Watch()
        try:
            done = run(notebook, path.parent, parameters, environment, bar, watch)
            write(clean(done), target)
            error = None
        except NotebookError as failure:
            error = str(failure)
            if to is not None:
                target.unlink(missing_ok=True)
        runs.append(Run(path, watch.seconds, watch.peak_mib, error))
    return runs


def run(notebook, folder, parameters=None, environment=None, progress_bar=False, watch=None):
    """Run `notebook` (a NotebookNode) in a fresh kernel whose working directory is `folder`.

    Returns the notebook with its outputs. The kernel is this very Python, whatever kernels are registered
    elsewhere on the machine.
    Raises NotebookError where a cell raises or the kernel dies.
    """
    import papermill  # a second to import, which `gencourse doctor` need not wait for
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    watch = watch or _Watch()
    at = {"id": "?"}
    try:
        with watch:
            return papermill.execute_notebook(
                notebook,
                None,
                parameters=parameters,
                kernel_name=KERNELSPEC["name"],
                language="python",
                progress_bar=progress_bar,
                cwd=str(folder),
                kernel_manager_class=_kernel_class({**QUIET, **(environment or {})}, watch),
                on_cell_start=lambda cell, cell_index: at.update(id=cell.id),
            )
    except papermill.PapermillExecutionError as error:
        message = f"{error.ename}: {error.evalue}".strip().splitlines()[0]
        raise NotebookError(f"cell {at['id']}: {message}") from error
    except DeadKernelError as error:
        raise NotebookError(f"cell {at['id']}: the kernel died (out of memory?)") from error
    except CellExecutionError as error:
        raise NotebookError(f"cell {at['id']}: {str(error).splitlines()[0]}") from error


def find(name):
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
    raise FileNotFoundError(f"{path.absolute()} {what}; the notebooks of the course are {', '.join(own) or 'missing'}, "
                            f"in {NOTEBOOKS}: name one of them, or a file")  # fmt: skip


def table(runs):
    """The runs as text: seconds and peak memory of each beside the limits of the course."""
    width = max([len("notebook"), *(len(run.notebook.stem) for run in runs)])
    lines = [f"{'notebook':<{width}}  seconds  (limit)  peak MiB  (limit)"]
    for run in runs:
        over = " over the limit" if run.seconds > SECONDS or run.peak_mib > PEAK_MIB else ""
        took = f"{run.seconds:7.1f}  {SECONDS:>7}  {run.peak_mib:8.0f}  {PEAK_MIB:>7}"
        lines.append(f"{run.notebook.stem:<{width}}  {took}{over}{'  FAILED' if run.error else ''}")
    lines.append(f"{'together':<{width}}  {sum(run.seconds for run in runs):7.1f}")
    return "\n".join(lines)


def _check(paths, to, parameters):
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


def _kernel_class(environment, watch):
    class Watched(Kernel):
        async def start_kernel(self, **options):
            # a backend chosen for scripts would hide the figures
            inherited = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
            await super().start_kernel(env={**inherited, **environment}, **options)
            watch.process = psutil.Process(self.provisioner.pid)

    return Watched


class _Watch:
    """Measures, as a context: `seconds`, and the peak in MiB of what `process` and its children hold."""

    def __init__(self, interval=0.1):
        self.interval, self.process, self.seconds, self.peak_mib = interval, None, 0.0, 0.0

    def __enter__(self):
        self._start, self._stop = time.perf_counter(), threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._start

    def _poll(self):
        while not self._stop.wait(self.interval):
            if self.process is None:
                continue
            resident = 0
            with suppress(psutil.Error):
                for process in (self.process, *self.process.children(recursive=True)):
                    with suppress(psutil.Error):
                        resident += process.memory_info().rss
            self.peak_mib = max(self.peak_mib, resident / 2**20)
