"""Is this machine ready for the course, and how long will each notebook take on it?

A benchmark of five seconds, training steps of a small stack of convolutions like PixelCNN's, gives the
machine a score in steps a second. `timings.json` holds, for each notebook, the seconds it took when the
committed outputs were made, and the score of that machine; the ratio of the scores carries the seconds over.
"""

import html
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil
import torch
from packaging.requirements import Requirement
from torch.nn import functional as F

from gencourse import data
from gencourse._files import write_whole
from gencourse.train import native_bfloat16

ROOT = Path(__file__).resolve().parents[1]
TIMINGS = Path(__file__).with_name("timings.json")
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
    score: float  # training steps a second
    minutes: dict[str, float]  # expected for each notebook, here
    problems: tuple[str, ...]

    @property
    def facts(self):
        """All of it as pairs of words."""
        rows = [
            ("Python", f"{self.python} on {self.system}"),
            *((name, _version(*both)) for name, both in self.versions.items()),
            ("cores, threads", f"{self.cores}, of which torch uses {self.threads}"),
            ("bfloat16 in hardware", "yes: used in training" if self.bfloat16 else "no: float32 is used"),
            ("memory", f"{self.memory_gib:.0f} GiB"),
            ("benchmark", f"{self.score:.1f} training steps a second"),
            *((name, f"about {_duration(minutes)}") for name, minutes in self.minutes.items()),
        ]
        if self.minutes:
            rows.append(("all notebooks", f"about {_duration(sum(self.minutes.values()))}"))
        return rows

    @property
    def verdict(self):
        """One line: ready, or how many things are to be mended."""
        if not self.problems:
            return "This machine is ready for the course."
        return "To be mended: " + "; ".join(self.problems)

    def __repr__(self):
        width = max(len(name) for name, _ in self.facts)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in self.facts), "", self.verdict])

    def _repr_html_(self):
        cell = '<td style="text-align: left">{}</td>'.format
        rows = "".join(f"<tr>{cell(html.escape(a))}{cell(html.escape(b))}</tr>" for a, b in self.facts)
        return f"<table>{rows}</table><p><b>{html.escape(self.verdict)}</b></p>"


def check_machine(seconds=5.0):
    """Versions, hardware, whether the data are whole, and a benchmark of so many `seconds`: a `Machine`.

    Needs no network, and leaves the global random state alone.
    """
    score = benchmark(seconds)
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        versions={name: (_installed(name), _pins().get(name, "")) for name in SHOWN},
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        bfloat16=native_bfloat16(),
        memory_gib=psutil.virtual_memory().total / 2**30,
        score=score,
        minutes=expected_minutes(score),
        problems=(*_missing_packages(), *_damaged_data()),
    )


def benchmark(seconds=5.0):
    """Training steps a second, the median over `seconds`: four 3×3 convolutions on 64 images of 28×28.

    In bfloat16 and channels_last where the processor has native bfloat16, as `fit` does. Raises ValueError
    unless `seconds` is positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds is {seconds!r}; a positive number is expected")
    generator = torch.Generator().manual_seed(0)
    memory_format = torch.channels_last if native_bfloat16() else torch.contiguous_format
    x = torch.randn(64, 32, 28, 28, generator=generator)  # (B, C, H, W)
    x = x.contiguous(memory_format=memory_format)
    weights = [torch.randn(32, 32, 3, 3, generator=generator).mul_(0.05).requires_grad_() for _ in range(4)]

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16()):
            h = x
            for weight in weights:
                h = h + F.conv2d(F.relu(h), weight, padding=1)
            torch.autograd.grad(h.float().square().mean(), weights)

    step()  # the first one chooses kernels and allocates memory
    took, end = [], time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    return 1 / statistics.median(took)


def expected_minutes(score):
    """Minutes that each notebook will take on a machine with this `score`; empty before the first record."""
    return {name: row["seconds"] / 60 * row["score"] / score for name, row in sorted(_timings().items())}


def record(runs, score):
    """Keep seconds and peak memory of the `runs` that succeeded, with this machine's `score`."""
    timings = _timings()
    for run in runs:
        if run.error is None:
            timings[run.notebook.stem] = {
                "seconds": round(run.seconds, 1),
                "peak_mib": round(run.peak_mib),
                "score": round(score, 2),
            }
    with write_whole(TIMINGS) as part:
        part.write_text(json.dumps(timings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _timings():
    return json.loads(TIMINGS.read_text(encoding="utf-8")) if TIMINGS.exists() else {}


def _pins():
    """{name: version} from constraints.txt; empty where the package is installed without the repository."""
    try:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("==") for line in lines if "==" in line)


def _installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _missing_packages():
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


def _damaged_data():
    return [f"data/{name} is {state}" for name, state in data.check() if state != "whole"]


def _version(installed, pinned):
    if not installed:
        return "missing"
    same = not pinned or installed.split("+")[0] == pinned
    return installed if same else f"{installed} (the course was last executed with {pinned})"


def _duration(minutes):
    return f"{minutes:.1f} minutes" if minutes >= 1 else f"{60 * minutes:.0f} seconds"
