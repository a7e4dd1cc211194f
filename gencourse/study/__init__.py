"""A failure measured over many seeds: how often does it happen, and how often with the cure?

A study is a plain function `(seed, *, dial=default, …) -> dict` of what came out: yes or no, numbers, short texts.
`run` calls it for every combination of dials with every seed, on this machine's cores or on a Dask cluster:

    run("gmm-singular", seeds=100, settings={"floor": [1e-6, 0.1], "n": [15, 100]})

or, in a shell, `gencourse study gmm-singular --seeds 100 --set floor=1e-6,0.1 --set n=15,100`. Each run becomes one
small file, written whole by the process that asked; what has its file is not run again. `report` counts; `pack` makes
one file of many, to be shipped with the course, and `load` reads that.
"""

import asyncio
import hashlib
import inspect
import itertools
import json
import logging
import math
import numbers
import platform
import re
import shlex
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from gencourse import __version__
from gencourse.failures.catalogue import CHOICES, STUDIES
from gencourse.metrics import mean_interval, share_interval
from gencourse.study.notes import being_noted, note  # noqa: F401 (a notebook's way in)
from gencourse.support import output
from gencourse.support.errors import UnknownName, UserError, WrongValue
from gencourse.support.files import DataError, data_root, writable, write_whole
from gencourse.support.progress import progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Setting = bool | int | float | str  # of a dial

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


class StudyError(UserError, RuntimeError):
    """A study cannot go on; what had finished is kept, and the same call goes on from there."""


@dataclass(frozen=True)
class Run:
    """One run: `result` is what the function returned, or `error` why it failed (type, message, traceback)."""

    seed: int
    settings: dict[str, Setting]
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)


class Estimate(NamedTuple):
    """One outcome under one combination of settings."""

    settings: dict[str, Setting]
    outcome: str
    yes_or_no: bool  # then mean is the share of yes
    n: int  # runs that came to a result and have this outcome
    failed: int  # runs that did not
    mean: float  # nan without a run
    low: float  # the 95 % confidence interval; nan where there is none, as of the mean of one number
    high: float


class Packed(NamedTuple):
    """A study as it is shipped."""

    command: str  # makes the same again
    versions: dict[str, list[str]]  # of all that took part in it
    runs: list[Run]


# Running ----------------------------------------------------------------------------------------------------


def run(
    name: str,
    seeds: int | Iterable[int] = 20,
    settings: Mapping[str, object] | None = None,
    *,
    folder: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    retry: bool = False,
    patience: float = 120.0,
) -> list[Run]:
    """Every combination of settings with every seed, each once; only what has no result yet is run.

    After a change of the study itself, take another folder: old results are not told from new ones.

    Args:
        name: which of `STUDIES`.
        seeds: so many, from 0; or the seeds themselves.
        settings: the values of each dial, or one value: {"floor": [1e-6, 0.1], "n": 15}; the others keep their default.
        folder: of the results (default: build/studies/NAME).
        workers: processes on this machine, of one thread each (default: one a core).
        scheduler: address of a Dask scheduler ("tcp://10.0.0.1:8786"), whose workers then do all the work.
        retry: also run again what failed before.
        patience: seconds that a cluster may be without any worker before the study gives up.

    Returns:
        the runs, settings by settings and in each seed by seed. One that failed carries its error, and stops no other.

    Raises:
        KeyError: no such study. ValueError: an argument that makes no sense, a folder that cannot be written.
        StudyError: no scheduler, no workers, a full disk. KeyboardInterrupt: Ctrl-C. What had finished is kept.
    """
    function, wanted = _function(name), _grid(name, seeds, settings)
    if scheduler is not None and workers is not None:
        raise WrongValue("workers counts processes on this machine; a cluster has its own: leave workers out")
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, numbers.Integral) or workers < 1):
        raise WrongValue(f"workers is {workers!r}; expected a whole number, at least 1")
    folder = _writable(_folder(name, folder))

    finished = {}
    for file in wanted:
        kept = _kept(folder / file, name)
        if kept is not None and not (retry and kept.error):
            finished[file] = kept
    missing = [run for file, run in wanted.items() if file not in finished]
    before = len(finished)
    if before:
        there = f"{before} of {output.plural(len(wanted), 'run is', 'runs are')} there already"
        output.say(f"{name}: {there}, in {folder}")
    if missing:
        if scheduler is not None:
            source = _on_a_cluster(function, missing, scheduler, patience)
        else:
            source = _on_this_machine(function, missing, workers)
        try:
            with progress(total=len(missing), desc=name, unit="run") as bar, closing(source):
                for done in source:
                    file = _file(name, done)
                    _write(folder / file, json.dumps({"study": name, **asdict(done)}, indent=1))
                    finished[file] = done
                    bar.update()
        except (StudyError, KeyboardInterrupt) as stopped:
            why = str(stopped) or "stopped"
            kept = f"{len(finished)} of {output.plural(len(wanted), 'run is', 'runs are')} kept in {folder}"
            raise type(stopped)(f"{name}: {why}. {kept}; the same call goes on") from None
    return [finished[file] for file in wanted]


def _on_this_machine(function: Callable, runs: Iterable[Run], workers: int | None) -> Iterator[Run]:
    """The runs as they finish, in processes of their own.

    Where a process dies (out of memory, a crash), those that were under way are tried again, each alone: one that takes
    its process with it even then is to blame, and the others lose nothing.
    """
    from joblib import cpu_count
    from joblib.externals import loky

    waiting, suspects = list(runs)[::-1], []
    workers = min(workers or cpu_count(), len(waiting))
    while waiting or suspects:
        n, source = (1, suspects) if suspects else (workers, waiting)
        pool = loky.ProcessPoolExecutor(n, env=ONE_THREAD, initializer=_leave_interrupts_to_the_parent)
        under_way = {}
        try:
            while source or under_way:
                while source and len(under_way) < n:
                    run = source[-1]
                    under_way[pool.submit(_outcome, function, run)] = run
                    source.pop()
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield future.result()
                    del under_way[future]
        except BrokenExecutor as died:
            if n > 1:
                suspects += under_way.values()
            for run in under_way.values() if n == 1 else ():
                yield _died(run, "the process of this run died", died)
        finally:
            pool.shutdown(wait=True, kill_workers=bool(under_way))  # those that idle end by themselves


def _on_a_cluster(function: Callable, runs: list[Run], scheduler: str, patience: float) -> Iterator[Run]:
    """The runs as they finish on the workers of a Dask cluster. One whose worker died goes to another."""
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise StudyError("a cluster needs dask: pip install -c constraints.txt -e '.[cluster]'") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its tracebacks; what happened is said here
    try:
        client = Client(scheduler, timeout=min(10.0, patience), set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # a refused connection, a time-out, an address that is none
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudyError(f"there is no scheduler at {scheduler!r} ({why}); start one with: dask scheduler") from None
    with client:
        futures = dict(zip(client.map(partial(_outcome, function), runs, pure=False), runs))
        completed, last_seen, told = as_completed(futures, loop=client.loop), time.monotonic(), False
        try:
            while not completed.is_empty():
                batch = completed.next_batch(block=False)
                for future in batch:
                    if future.status == "finished":
                        try:
                            outcome = future.result(timeout=10)
                        except TimeoutError:  # its worker has just died, and the result with it: it is run again
                            completed.add(future)
                        else:
                            yield outcome
                    elif future.status in ("lost", "pending"):  # the same, a little earlier
                        completed.add(future)
                    elif future.status != "error":
                        raise CancelledError
                    elif isinstance(error := future.exception(), KilledWorker):
                        yield _died(futures[future], "the workers that tried it died, one after the other", error)
                    else:
                        raise StudyError(
                            f"the workers cannot run it ({type(error).__name__}: {error}); "
                            "have they the same version of the course installed?"
                        )
                threads = {} if batch and told else client.nthreads()
                if not told and max(threads.values(), default=1) > 1:
                    told = True
                    output.say(
                        "Some workers have several threads, of which one works at a time; faster, with as many "
                        f"workers as cores: dask worker {scheduler} --nthreads 1 --nworkers -1"
                    )
                if batch or threads:
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > patience:
                    raise StudyError(
                        f"the scheduler at {scheduler} has been without a worker for {patience:g} s; "
                        f"start some with: dask worker {scheduler} --nthreads 1"
                    )
                if not batch:
                    time.sleep(0.1)
        except (OSError, CancelledError, asyncio.CancelledError):  # the connection broke
            raise StudyError(f"the scheduler at {scheduler} has gone") from None


def _outcome(function: Callable, run: Run) -> Run:
    """What the function makes of this run, in the process where it is called; an error is an outcome too.

    One run at a time in a process, whatever its threads: torch's random state and its number of threads are one for
    all, and what a run gives is to depend on its seed alone.
    """
    with _ALONE:
        return _outcome_alone(function, run)


_ALONE = threading.Lock()


def _outcome_alone(function: Callable, run: Run) -> Run:
    torch.set_num_threads(1)
    start, result, error = time.perf_counter(), None, None
    try:
        result = function(run.seed, **run.settings)
        if not isinstance(result, dict) or not all(isinstance(key, str) for key in result):
            raise TypeError(f"the study returned {result!r:.100}; expected a dict of names and values")
        result = json.loads(json.dumps(result, allow_nan=False))  # as it will be read: plain values, none NaN
    except (Exception, SystemExit) as failure:
        frames = traceback.extract_tb(failure.__traceback__)[1:][-5:]
        trace = [f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}" for frame in frames]
        result, error = None, {"type": type(failure).__name__, "message": str(failure)[:1000], "traceback": trace}
    versions = {"gencourse": __version__} | {name: metadata.version(name) for name in ("torch", "numpy")}
    versions["python"] = platform.python_version()
    return replace(run, result=result, error=error, seconds=round(time.perf_counter() - start, 3), versions=versions)


def _died(run: Run, what: str, error: BaseException) -> Run:
    message = f"{what}; is the memory enough? {' '.join(str(error).split())}"
    return replace(run, error={"type": type(error).__name__, "message": message[:1000], "traceback": []})


def _leave_interrupts_to_the_parent() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


# Settings and files -----------------------------------------------------------------------------------------


def command(name: str, seeds: int, settings: Mapping[str, object] | None = None) -> str:
    """The shell command of `run` with these arguments."""
    words = ["gencourse", "study", name, "--seeds", str(seeds)]
    for dial, values in (settings or {}).items():
        words += ["--set", f"{dial}={','.join(map(str, _values(values)))}"]
    return shlex.join(words)


def dials(name: str) -> dict[str, Setting]:
    """The dials of a study and their defaults, as its function has them. Raises KeyError for an unknown study."""
    return {p.name: p.default for p in list(inspect.signature(_function(name)).parameters.values())[1:]}


def _function(name: str) -> Callable:
    if name not in STUDIES:
        raise UnknownName(f"there is no study {name!r}; there are {', '.join(STUDIES)}")
    return STUDIES[name]


def _grid(name: str, seeds: int | Iterable[int], settings: Mapping[str, object] | None) -> dict[str, Run]:
    """The runs that are asked for, not run yet, by the names of their files."""
    if isinstance(seeds, numbers.Integral) and not isinstance(seeds, bool):
        if seeds < 1:
            raise WrongValue(f"seeds is {seeds}; expected at least 1")
        seeds = range(seeds)
    seeds = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else [seeds]
    if not seeds or not all(isinstance(s, numbers.Integral) and not isinstance(s, bool) and s >= 0 for s in seeds):
        raise WrongValue(f"seeds are {seeds}; expected how many, or the seeds: whole numbers, none below 0")
    seeds, own = list(map(int, seeds)), dials(name)
    for dial in settings or {}:
        if dial not in own:
            raise WrongValue(f"{name} has no setting {dial!r}; it has {', '.join(own) or 'none'}")
    values = [
        [_like(default, value, dial) for value in _values((settings or {}).get(dial, default))]
        for dial, default in own.items()
    ]
    if empty := [dial for dial, some in zip(own, values) if not some]:
        raise WrongValue(f"{empty[0]} has no value; give at least one")
    runs = (Run(seed, dict(zip(own, some))) for some in itertools.product(*values) for seed in seeds)
    return {_file(name, run): run for run in runs}


def _values(given: object) -> list[Any]:
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]


def _like(default: Setting, value: Any, dial: str) -> Setting:
    """The value as a value of this dial: 1 is 1.0 where the default is 0.5, and no number where it is a text."""
    value, kind = value.item() if isinstance(value, numbers.Number) and hasattr(value, "item") else value, type(default)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise WrongValue(f"{dial} is {value!r}; expected values like its default, {default!r} ({kind.__name__})")
    if value not in CHOICES.get(dial, [value]):
        raise WrongValue(f"{dial} is {value!r}; expected one of {', '.join(CHOICES[dial])}")
    return value


def _file(name: str, run: Run) -> str:
    """A name to be read, and to be told from all others: settings and seed, and a hash of both."""
    exact = json.dumps([name, run.seed, run.settings], sort_keys=True, allow_nan=False)
    words = ",".join(f"{dial}={value}" for dial, value in run.settings.items())
    words = re.sub(r"[^\w.,=+-]", "_", words, flags=re.ASCII)[:120]
    return f"{words},seed={run.seed:04d}-{hashlib.sha256(exact.encode()).hexdigest()[:10]}.json".lstrip(",")


def _folder(name: str, folder: str | Path | None) -> Path:
    return Path("build/studies") / name if folder is None else Path(folder)


def _writable(folder: Path) -> Path:
    try:
        return writable(folder)
    except OSError as error:
        raise WrongValue(f"results cannot be written to {folder} ({error.strerror}); name another folder") from None


def _write(path: Path, text: str) -> None:
    try:
        with write_whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path} cannot be written ({error.strerror})") from error


def _read(path: Path, name: str) -> Run:
    """One result; ValueError says why it is none."""
    try:
        content = json.loads(path.read_bytes())
        if content.pop("study") != name:
            raise ValueError("it is of another study")
        run = Run(**content)
        if isinstance(run.result, dict) == isinstance(run.error, dict) or _file(name, run) != path.name:
            raise ValueError("it is not the run that its name says")
        return run
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WrongValue(f"{path} is damaged ({type(error).__name__}: {error})") from error


def _kept(path: Path, name: str) -> Run | None:
    """The result in this file, or None; a damaged one is put aside."""
    try:
        return _read(path, name)
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        aside = next(p for i in itertools.count(1) if not (p := path.with_name(f"{path.name}.damaged{i}")).exists())
        path.rename(aside)
        output.say(f"{error}; it is kept as {aside.name}, and run again")
        return None


# Counting ---------------------------------------------------------------------------------------------------


def results(name: str, folder: str | Path | None = None) -> list[Run]:
    """All runs whose files lie in the folder (default: build/studies/NAME), sorted by settings and seed.

    Damaged files are named and left out. Raises KeyError for an unknown study, FileNotFoundError without a result.
    """
    _function(name)
    runs = []
    for path in _folder(name, folder).glob("*.json"):
        try:
            runs.append(_read(path, name))
        except (ValueError, OSError) as error:
            output.say(f"{error}; it is left out; `{output.command(f'study {name}')}` runs it again")
    if not runs:
        run = output.command(f"study {name}")
        raise FileNotFoundError(f"there is no result in {_folder(name, folder)}; run: {run}")
    return sorted(runs, key=lambda run: ([_order(value) for value in run.settings.values()], run.seed))


def summary(runs: Iterable[Run]) -> list[Estimate]:
    """Every outcome under every combination of settings, with 95 % confidence intervals.

    Yes or no: the share of yes, and Wilson's interval. Numbers: the mean, and Student's interval. Outcomes that are
    neither (texts, lists) and values that are None are left out.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927); Brown, Cai and DasGupta,
    "Interval estimation for a binomial proportion" (2001), section 3.1.1.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(json.dumps(run.settings), []).append(run)
    outcomes = {}  # name -> yes or no?
    for run in (run for group in groups.values() for run in group):
        for outcome, value in (run.result or {}).items():
            if isinstance(value, (bool, int, float)):
                outcomes[outcome] = outcomes.get(outcome, True) and isinstance(value, bool)
    estimates = []
    for outcome, yes_or_no in outcomes.items():
        for group in groups.values():
            failed = sum(run.error is not None for run in group)
            values = [(run.result or {}).get(outcome) for run in group]
            values = [float(value) for value in values if isinstance(value, (bool, int, float))]
            interval = _wilson(values) if yes_or_no else _student(values)
            estimates.append(Estimate(group[0].settings, outcome, yes_or_no, len(values), failed, *interval))
    return estimates


def report(name: str, runs: Iterable[Run]) -> str:
    """The table of `summary`, as text; settings that are the same in all runs stand above it."""
    runs = list(runs)
    estimates, varied = summary(runs), _varied(runs)
    failed = [run for run in runs if run.error]
    same = ", ".join(f"{dial}={value}" for dial, value in runs[0].settings.items() if dial not in varied)
    lines = [f"{name}: {output.plural(len(runs), 'run')}, {len(failed)} failed" + (f"; {same}" if same else "")]
    lines += [f"failed {n}×: {why}" for why, n in reasons(failed).items()]
    rows = [["outcome", *varied, "runs", "mean", "95 % interval", "failed"]]
    for each in estimates:
        interval = "–" if each.low != each.low else f"{each.low:.3g} to {each.high:.3g}"
        mean = "–" if each.mean != each.mean else f"{each.mean:.3g}"
        dials = [str(each.settings.get(dial, "–")) for dial in varied]
        rows.append([each.outcome, *dials, str(each.n), mean, interval, str(each.failed)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join([*lines, "", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)])


def reasons(runs: Iterable[Run]) -> dict[str, int]:
    """Why runs failed: "ValueError: …" -> how many of them."""
    counts: dict[str, int] = {}
    for run in runs:
        if run.error:
            why = f"{run.error['type']}: {run.error['message']}"
            counts[why] = counts.get(why, 0) + 1
    return counts


def figure(runs: Iterable[Run]) -> "Figure":
    """The estimates of `summary` as a Figure, one panel an outcome."""
    from gencourse import plots

    runs = list(runs)
    varied, panels, shares = _varied(runs), {}, set()
    for each in summary(runs):
        label = ", ".join(f"{dial} = {each.settings.get(dial, '–')}" for dial in varied) or "all runs"
        panels.setdefault(each.outcome, {})[label] = (each.mean, each.low, each.high)
        shares |= {each.outcome} if each.yes_or_no else set()
    return plots.study_shares(panels, shares)


def _varied(runs: list[Run]) -> list[str]:
    dials = {dial: None for run in runs for dial in run.settings}
    return [dial for dial in dials if len({json.dumps(run.settings.get(dial)) for run in runs}) > 1]


def _order(value: Setting) -> tuple[int, float, str]:
    return (0, value, "") if isinstance(value, (bool, int, float)) else (1, 0, str(value))


def _wilson(values: list[float]) -> tuple[float, float, float]:
    return share_interval(map(bool, values))[:3] if values else (float("nan"),) * 3


def _student(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return sum(values) if values else float("nan"), float("nan"), float("nan")
    return mean_interval(values)[:3]


# Shipping ---------------------------------------------------------------------------------------------------


def pack(name: str, seeds: int, settings: Mapping[str, object] | None = None, folder: str | Path | None = None) -> Path:
    """Put the runs of `run(name, seeds, settings)` into data/studies/NAME.json, with the command that makes them.

    Failed runs are part of it, tracebacks are not. Raises ValueError, naming that command, if a run is missing.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, numbers.Integral):
        raise TypeError(f"seeds is {seeds!r}; expected how many, so that one command makes them all")
    wanted, folder, line = _grid(name, seeds, settings), _folder(name, folder), command(name, seeds, settings)
    runs, versions = [], {}
    for file in wanted:
        try:
            runs.append(_read(folder / file, name))
        except FileNotFoundError:
            continue
    if len(runs) < len(wanted):
        missing = f"{len(wanted) - len(runs)} of {output.plural(len(wanted), 'run is', 'runs are')} missing"
        first = output.command(line.removeprefix("gencourse "))
        raise WrongValue(f"{missing} in {folder}; first run: {first}")
    for run in runs:
        for package, version in run.versions.items():
            versions[package] = sorted({*versions.get(package, []), version})
    rows = []
    for run in runs:
        error = run.error and {key: run.error[key] for key in ("type", "message")}
        rows.append(dict(seed=run.seed, settings=run.settings, result=run.result, error=error, seconds=run.seconds))
    head = json.dumps({"study": name, "command": f"{line} --pack", "versions": versions}, indent=1)[:-2]
    path = pack_folder() / f"{name}.json"
    _write(path, f'{head},\n "runs": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]\n}\n")
    return path


def pack_folder() -> Path:
    """Where `pack` writes: data/studies/. Raises ValueError if nothing can be written there."""
    folder = data_root() / "studies"
    try:
        return writable(folder)
    except OSError as error:
        raise WrongValue(
            f"studies are packed into {folder}, which cannot be written ({error.strerror}); let "
            "GENCOURSE_DATA name a copy of data/ of your own"
        ) from None


def load(name: str) -> Packed:
    """The study as it is shipped, from data/studies/NAME.json.

    Raises FileNotFoundError (DataError) where it is not shipped, is damaged or cannot be read.
    """
    path = data_root() / "studies" / f"{name}.json"
    try:
        content = json.loads(path.read_bytes())
        if content["study"] != name:
            raise ValueError(f"it is the study {content['study']!r}")
        return Packed(content["command"], content["versions"], [Run(**row) for row in content["runs"]])
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: {name!r} is not shipped with the course; make it: "
            f"{output.command(f'study {name} --pack')}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {error}); get it back with: "
            f"git checkout -- data/studies/{name}.json"
        ) from error


def over_seeds(chapter: str, name: str, here: Any = None) -> list[Any]:
    """What the shipped runs of a chapter noted under this name, one entry for each seed, in the order of the seeds.

    chapter: "01", as in 01_autoregression. While the runs are being made there is nothing yet: the list is empty, or
        holds `here`, what this run has noted, where that is given.
    Raises DataError where they are missing otherwise, and KeyError for a name that was not noted in all of them.
    """
    try:
        runs = [run for run in load(f"chapter-{chapter}").runs if run.result is not None]
        if not all(name in run.result for run in runs):
            raise KeyError(f"the runs of chapter {chapter} noted no {name!r}; they noted {', '.join(runs[0].result)}")
    except (DataError, KeyError):
        if being_noted():
            return [] if here is None else [here]
        raise
    return [run.result[name] for run in runs]
