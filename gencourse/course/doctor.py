"""Is this machine ready for the course, and how long will each notebook take on it?

`timings.json` is a record of one machine that did nothing else: the seconds of each notebook, of wall clock and of all
its threads, and how fast that machine took the steps of three small computations like those of the notebooks. Here the
same steps are taken, and the three ratios carry the seconds over. They do not agree, since machines differ in what they
are good at: the least and the largest bound the times that are printed, and `MARGIN` widens them.

What counts is the time of the processor in one thread, not of the clock, and of the fastest step, so that other
programs spoil it less. Validated on two cores with AVX2, of which other programs left a tenth to a third: eleven pieces
of the notebooks (training of each family, sampling, EM) in two runs, and in a third without AVX, where the convolutions
take two to five times as long and the other steps about as long as before. Of the ratios of two runs 97 % were within
these bounds with a margin of 1.3, and all with 1.4. On the busy machine the rates differed from run to run by up to a
quarter for small networks and linear algebra, and by a factor of two for convolutions. It has not been tried on a
machine of another make, nor on whole notebooks.
"""

import datetime
import html
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch
from packaging.requirements import Requirement
from torch.nn import functional as F

from gencourse import data
from gencourse.course.execute import NOTEBOOKS, Execution, Load
from gencourse.support.errors import WrongValue
from gencourse.support.files import write_whole
from gencourse.training import native_bfloat16

ROOT = Path(__file__).resolve().parents[2]
TIMINGS = Path(__file__).with_name("timings.json")
MARGIN = 1.4
LONG = 5  # seconds from which on a cell has its time in the record, and says it
IDLE = 0.15  # cores that other programs may use in the mean while a record is made
SHOWN = ("torch", "numpy", "matplotlib", "jupyterlab", "ipywidgets", "papermill", "safetensors", "soundfile")


@dataclass(frozen=True, repr=False)
class Machine:
    """What `check_machine` found. `problems` is empty where the course can be worked through."""

    python: str
    system: str
    versions: dict[str, tuple[str, str]]  # name: (installed, the version the course was executed with)
    cores: int
    threads: int
    bfloat16: bool
    memory_gib: float
    benchmark: "Benchmark"
    minutes: dict[str, tuple[float, float]]  # for each notebook, here, if nothing else runs: at least, at most
    problems: tuple[str, ...]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """All of it as pairs of words."""
        rows = [
            ("Python", f"{self.python} on {self.system}"),
            *((name, _version(*both)) for name, both in self.versions.items()),
            ("cores, threads", f"{self.cores}, of which torch uses {self.threads}"),
            ("bfloat16 in hardware", "yes: used in training" if self.bfloat16 else "no: float32 is used"),
            ("memory", f"{self.memory_gib:.0f} GiB"),
            ("steps a second", ", ".join(f"{name} {rate:.0f}" for name, rate in self.benchmark.rates.items())),
            *((name, _span(*minutes)) for name, minutes in self.minutes.items()),
        ]
        if self.minutes:
            rows.append(("all notebooks", _span(*map(sum, zip(*self.minutes.values())))))
        return rows

    @property
    def verdict(self) -> str:
        """Ready, or what is to be mended; and whether other programs keep the machine busy."""
        mend = "To be mended: " + "; ".join(self.problems)
        ready = mend if self.problems else "This machine is ready for the course."
        slower = self.benchmark.slower
        if slower < 1.3:
            return ready
        free = f"{self.benchmark.free:.1f} of {self.cores} core{'s' * (self.cores > 1)}"
        return (
            f"{ready} But it is busy with other things: {free} were free during the benchmark. While that lasts, "
            f"expect up to {math.ceil(slower)} times as long as on the idle machine."
        )

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.facts)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in self.facts), "", self.verdict])

    def _repr_html_(self) -> str:
        cell = '<td style="text-align: left">{}</td>'.format
        rows = "".join(f"<tr>{cell(html.escape(a))}{cell(html.escape(b))}</tr>" for a, b in self.facts)
        return f"<table>{rows}</table><p><b>{html.escape(self.verdict)}</b></p>"


def check_machine(seconds: float = 5.0) -> Machine:
    """Versions, hardware, whether the data are whole, and a benchmark of so many `seconds`: a `Machine`.

    Needs no network, and leaves the global random state alone.
    """
    measured = benchmark(seconds)
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        versions={name: (_installed(name), _pins().get(name, "")) for name in SHOWN},
        cores=_cores(),
        threads=torch.get_num_threads(),
        bfloat16=native_bfloat16(),
        memory_gib=psutil.virtual_memory().total / 2**30,
        benchmark=measured,
        minutes=expected_minutes(measured.rates),
        problems=(*_missing_packages(), *_damaged_data()),
    )


@dataclass(frozen=True)
class Benchmark:
    """Steps that one thread takes in a second of processor time, of three kinds; and how busy the machine was."""

    rates: dict[str, float]
    free: float  # cores that other programs left
    waited: float  # seconds of the clock for a second of the processor

    @property
    def slower(self) -> float:
        """How many times as long a notebook takes, which keeps two cores busy, than on the same machine when idle."""
        return max(self.waited, min(2, _cores()) / max(self.free, 0.01), 1.0)


def benchmark(seconds: float = 5.0) -> Benchmark:
    """Takes steps of three kinds, each for a third of the `seconds`; returns a `Benchmark`.

    Convolutions: training steps of four 3×3 convolutions on 64 images of 28×28, in channels_last, and in bfloat16 where
    the processor has it natively, as `fit` does. Small networks: training steps of three layers on 128 points, where
    Python takes as long as arithmetic. Linear algebra: a step of EM, five Gaussians in 50 dimensions, in float64.
    Whatever the defaults of torch are, and whether gradients are on. Raises ValueError unless `seconds` is positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds!r}; a positive number is expected")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad(), Load() as load:
            start = time.perf_counter(), time.thread_time()
            rates = {name: _rate(step, seconds / len(_STEPS)) for name, step in _steps().items()}
            clock, processor = time.perf_counter() - start[0], time.thread_time() - start[1]
    finally:
        torch.set_num_threads(threads)
    return Benchmark(rates, max(0.0, _cores() - load.others), clock / processor)


def _rate(step: Callable[[], None], seconds: float) -> float:
    """Of the fastest step within `seconds` of the clock: what else runs on the machine slows the others down."""
    step()  # the first one chooses kernels and allocates memory
    took, end = [], time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        start = time.thread_time()
        step()
        took.append(time.thread_time() - start)
    return 1 / max(min(took), 1e-9)


def _steps() -> dict[str, Callable[[], None]]:
    """{name: a function that takes one step}."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype, device="cpu")

    bfloat16 = native_bfloat16()
    images = normal(64, 32, 28, 28)  # (B, C, H, W)
    images = images.contiguous(memory_format=torch.channels_last)
    filters = [normal(32, 32, 3, 3).mul_(0.05).requires_grad_() for _ in range(4)]
    points = normal(128, 2)  # (B, D)
    layers = [normal(*shape).mul_(0.1).requires_grad_() for shape in ((2, 64), (64, 64), (64, 1))]
    x, means = normal(400, 50, dtype=torch.float64), normal(5, 50, dtype=torch.float64)  # (N, D), (K, D)
    covariances = torch.eye(50, dtype=torch.float64, device="cpu").expand(5, 50, 50)  # (K, D, D)

    def convolutions() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            h = images
            for weight in filters:
                h = h + F.conv2d(F.relu(h), weight, padding=1)
            torch.autograd.grad(h.float().square().mean(), filters)

    def small_networks() -> None:
        h = points
        for weight in layers:
            h = torch.tanh(h @ weight)
        torch.autograd.grad(h.square().mean(), layers)

    def linear_algebra() -> None:
        away = torch.linalg.solve_triangular(torch.linalg.cholesky(covariances), (x - means[:, None]).mT, upper=False)
        shares = torch.softmax(-0.5 * away.square().sum(1), 0)  # (K, N)
        torch.einsum("kn,nd,ne->kde", shares, x, x)

    return dict(zip(_STEPS, (convolutions, small_networks, linear_algebra)))


_STEPS = ("convolutions", "small networks", "linear algebra")


def expected_minutes(rates: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """{notebook: (at least, at most)} minutes where one thread has these `rates`; empty before the first record.

    The record is of two threads, and on more cores it is the time of two. On one core it is that of all threads of the
    record, and so is the "at most" where torch uses one thread.
    """
    stored = timings()
    then = stored["machine"].get("rates")
    if not then:
        return {}
    ratios = [then[name] / rates[name] for name in then]
    least = "seconds" if _cores() > 1 else "cpu_seconds"
    most = "seconds" if min(_cores(), torch.get_num_threads()) > 1 else "cpu_seconds"
    rows = sorted(stored["notebooks"].items())
    return {name: (row[least] / 60 * min(ratios) / MARGIN, row[most] / 60 * max(ratios) * MARGIN) for name, row in rows}


def this_machine() -> dict[str, str | int | bool]:
    """What tells this machine from another one in the record."""
    return {"processor": _processor(), "cores": _cores(), "bfloat16": native_bfloat16()}


def check_recordable(names: Iterable[str], seconds: float = 2.0) -> None:
    """Raise ValueError unless the notebooks of these `names` may be recorded now, and here.

    Other programs must leave the machine alone, and a record is of one machine: on another one than the stored record
    is of, all notebooks of the course have to be recorded together.
    """
    stored = {key: timings()["machine"].get(key) for key in this_machine()}
    missing = sorted({path.stem for path in NOTEBOOKS.glob("*.ipynb")} - set(names))
    if stored != this_machine() and missing:
        raise WrongValue(
            f"the record is of {_words(stored)}, and this is {_words(this_machine())}: record all notebooks together, "
            f"also {', '.join(missing)}"
        )
    with Load() as load:
        time.sleep(seconds)
    _check_idle({"now": load.others})


def record(runs: Sequence[Execution], rates: Mapping[str, float]) -> dict[str, Any]:
    """Keep the `runs`, which all succeeded on this machine and alone, with its `rates`; others are kept as they are.

    Returns the whole record.
    Raises ValueError where a notebook failed, and where other programs were busy during a run.
    """
    failed = [run.notebook.stem for run in runs if run.error]
    if failed:
        raise WrongValue(f"nothing is recorded, since {', '.join(failed)} failed")
    _check_idle({f"during {run.notebook.stem}": run.others for run in runs})
    stored, here = timings(), this_machine()
    same = all(stored["machine"].get(key) == value for key, value in here.items())
    notebooks = stored["notebooks"] if same else {}
    for run in runs:
        notebooks[run.notebook.stem] = {
            "seconds": round(run.seconds, 1),
            "cpu_seconds": round(run.cpu_seconds, 1),
            "peak_mib": round(run.peak_mib),
            "long_cells": {cell: round(seconds) for cell, seconds in run.cells.items() if seconds >= LONG},
        }
    today = datetime.date.today().isoformat()
    rates = {name: float(f"{rate:.3g}") for name, rate in rates.items()}
    machine = {**here, "torch": torch.__version__, "date": today, "idle": True, "rates": rates}
    whole = {"machine": machine, "notebooks": notebooks}
    with write_whole(TIMINGS) as part:
        part.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return whole


def _check_idle(others: Mapping[str, float]) -> None:
    busy = [f"{cores:.1f} {when}" for when, cores in others.items() if cores > IDLE]
    if busy:
        raise WrongValue(
            f"nothing is recorded: a record is of an idle machine, and other programs used {', '.join(busy)} of "
            f"{_cores()} cores"
        )


def _words(machine: Mapping[str, str | int | bool | None]) -> str:
    if not machine["processor"]:
        return "no machine"
    return f"{machine['processor']}, {machine['cores']} cores, {'with' if machine['bfloat16'] else 'no'} bfloat16"


def _cores() -> int:
    """Physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def _processor() -> str:
    """Its name, as the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def timings() -> dict[str, Any]:
    """The record of `make records`: its "machine" and its "notebooks", both empty where there is none."""
    if not TIMINGS.exists():
        return {"machine": {}, "notebooks": {}}
    return json.loads(TIMINGS.read_text(encoding="utf-8"))


def _pins() -> dict[str, str]:
    """{name: version} from constraints.txt; empty where the package is installed without the repository."""
    try:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("==") for line in lines if "==" in line)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _missing_packages() -> list[str]:
    """What the package requires and is not there, or not in the range it needs."""
    try:
        requirements = map(Requirement, metadata.requires("gencourse") or [])
    except metadata.PackageNotFoundError:
        return ["gencourse is not installed (pip install -c constraints.txt -e .)"]
    problems = []
    for need in requirements:
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        version = _installed(need.name)
        if not version:
            problems.append(f"{need.name} is missing (make course installs it)")
        elif not need.specifier.contains(version, prereleases=True):
            problems.append(f"{need.name} is {version}, and {need.specifier} is needed")
    return problems


def _damaged_data() -> list[str]:
    return [f"data/{name} is {state}" for name, state in data.check() if state != "whole"]


def _version(installed: str, pinned: str) -> str:
    if not installed:
        return "missing"
    same = not pinned or installed.split("+")[0] == pinned
    return installed if same else f"{installed} (the course was last executed with {pinned})"


def _span(low: float, high: float) -> str:
    """Minutes from `low` to `high` in words, rounded outwards; a `low` that becomes 0 is not told."""
    if high < 1:
        low, high, unit = int(6 * low) * 10, math.ceil(6 * high) * 10, "seconds"
    else:
        low, high, unit = int(low), math.ceil(high), "minutes"
    if low == 0:
        return f"up to {high} {unit}"
    return f"{low} to {high} {unit}" if low < high else f"about {low} {unit}"
