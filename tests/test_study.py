"""A study runs every seed once, whatever dies on the way, and counts right."""

import errno
import inspect
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from gencourse import study
from gencourse.cli import main
from gencourse.failures import gan, scoreboard, vae
from gencourse.failures.gmm import gmm_singular
from gencourse.study import Run, StudyError
from gencourse.support.files import DataError

HERE = Path(__file__).parent


def toy(seed: int, *, scale: float = 1.0, marks: str = "", mode: str = "fine", seconds: float = 0.0) -> dict:
    """A study for tests: leaves a mark where it begins, and fails or dies as told."""
    first = True
    if marks:
        first = not list(Path(marks).glob(f"{seed}-*"))
        (Path(marks) / f"{seed}-{os.getpid()}-{time.monotonic_ns()}").touch()
    try:
        time.sleep(60 if mode == "slow at first" and first and seed >= 4 else seconds)
    except KeyboardInterrupt:
        (Path(marks) / f"{seed}-interrupted").touch()  # as training would, which then returns what it has
    if (seed == 5 and "dies once" in mode and first) or (seed == 7 and "dies always" in mode):
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "raise" and seed % 2 or mode == "raise once" and seed % 2 and first:
        raise ArithmeticError(f"seed {seed} diverged")
    if mode == "exit":
        sys.exit("no more")
    if mode == "draws":  # as the weights of a model are drawn
        torch.manual_seed(seed)
        time.sleep(0.01)
        return {"value": torch.rand(()).item()}
    threads = [torch.get_num_threads(), os.environ.get("OPENBLAS_NUM_THREADS")]
    odd = {"nan": {"value": math.nan}, "tensor": {"value": torch.zeros(2)}, "no dict": 7, "keys": {1: 2}}
    return odd.get(mode) or {"value": scale * seed, "even": seed % 2 == 0, "threads": threads}


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """The toy is a study, the default folder is the test's own, and data/ too."""
    monkeypatch.setitem(study.STUDIES, "toy", toy)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path / "data"))


@pytest.fixture
def at_once(monkeypatch):
    """Runs are made in this process, one by one; the list of those that were."""
    made = []

    def source(function, runs, workers):
        for run in runs:
            made.append((run.settings["scale"], run.seed))
            yield study._outcome(function, run)

    monkeypatch.setattr(study, "_on_this_machine", source)
    return made


@pytest.fixture
def marks(tmp_path):
    """A folder in which each run leaves a mark, and a function that lists the seeds that were begun."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return str(folder), lambda: sorted(int(path.name.split("-")[0]) for path in folder.iterdir())


def files(folder="build/studies/toy"):
    return sorted(Path(folder).iterdir())


def seeds_of(files):
    return sorted(json.loads(path.read_text())["seed"] for path in files)


# ------------------------------------------------------------------------------------------- on this machine


def test_processes_of_one_thread_make_every_run_once(marks):
    folder, begun = marks
    runs = study.run("toy", 4, {"scale": [1, 2.5], "marks": folder}, workers=2)
    assert [(run.settings["scale"], run.seed) for run in runs] == [(s, i) for s in (1.0, 2.5) for i in range(4)]
    assert [run.result["value"] for run in runs] == [0, 1, 2, 3, 0, 2.5, 5, 7.5]
    assert all(run.result["threads"] == [1, "1"] and run.error is None for run in runs)
    pids = {path.name.split("-")[1] for path in Path(folder).iterdir()}
    assert len(pids) <= 2 and str(os.getpid()) not in pids
    assert begun() == sorted(2 * [0, 1, 2, 3]) and len(files()) == 8


@pytest.mark.parametrize(("workers", "n", "mode"), [(1, 9, "dies always"), (2, 12, "dies once, dies always")])
def test_a_process_that_dies_costs_its_own_run_at_most(marks, workers, n, mode):
    folder, begun = marks
    runs = study.run("toy", n, {"mode": mode, "marks": folder, "seconds": 0.02}, workers=workers)
    assert [run.seed for run in runs if run.error] == [7]
    assert runs[7].error["type"] == "TerminatedWorkerError" and "SIGKILL" in runs[7].error["message"]
    assert seeds_of(files()) == list(range(n)) and begun().count(5) == workers  # tried again, alone


SCRIPT = """
import sys, test_study
from gencourse import cli, study
study.STUDIES["toy"] = test_study.toy
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_loses_nothing(marks, tmp_path, at_once):
    folder, begun = marks
    settings = {"marks": folder, "mode": "slow at first"}
    dials = [word for dial, value in settings.items() for word in ("--set", f"{dial}={value}")]
    command = [sys.executable, "-c", SCRIPT, "study", "toy", "--seeds", "40", "--workers", "2", *dials]
    paths = os.pathsep.join([str(HERE), str(HERE.parent), os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: begun() == [0, 1, 2, 3, 4, 5], process)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    told = process.communicate(timeout=30)[1]  # at once: not when the runs under way have ended
    assert process.returncode == 130 and "Traceback" not in told, told
    assert seeds_of(files()) == [0, 1, 2, 3] and "4 of 40 runs are kept" in told
    assert psutil.wait_procs(family, timeout=10)[1] == [], "a worker goes on by itself"
    assert begun() == [0, 1, 2, 3, 4, 5], "a run saw the interrupt"
    runs = study.run("toy", 6, settings)
    assert [run.seed for run in runs if run.result] == list(range(6)) and [seed for _, seed in at_once] == [4, 5]


def wait_for(condition, *processes, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and all(process.poll() is None for process in processes)
        time.sleep(0.05)


# ----------------------------------------------------------------------------------------------- on a cluster


class Cluster:
    """A Dask scheduler and workers, each a process of its own on the loopback."""

    def __init__(self, folder):
        pytest.importorskip("distributed")
        self.folder, self.workers = folder, []
        paths = os.pathsep.join([str(HERE), str(HERE.parent), os.environ["PYTHONPATH"]])
        self.environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "2"}
        file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(file))
        wait_for(lambda: file.exists() and file.read_text().endswith("}"), self.scheduler)
        self.address = json.loads(file.read_text())["address"]

    def start(self, what, *options):
        options = [*options, "--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        log = (self.folder / "cluster.log").open("a")
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def start_workers(self, n, threads=1):
        how = "--nthreads", str(threads), "--no-nanny"
        self.workers += [self.start("worker", self.address, *how) for _ in range(n)]

    def wait_for_workers(self, n):
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(n, timeout=60)

    def stop(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    running = Cluster(tmp_path)
    yield running
    running.stop()


def test_one_of_two_workers_is_killed_and_every_seed_is_there_once(cluster, marks):
    folder, begun = marks
    cluster.start_workers(2)
    settings = {"mode": "dies once", "marks": folder, "seconds": 0.05}
    runs = study.run("toy", 16, settings, scheduler=cluster.address)
    assert [run.seed for run in runs if run.result] == list(range(16))
    assert {run.result["threads"][0] for run in runs} == {1}
    assert seeds_of(files()) == list(range(16)) and begun().count(5) == 2
    assert sorted(process.poll() is None for process in cluster.workers) == [False, True]
    before = begun()
    study.run("toy", 17, settings, scheduler=cluster.address)
    assert begun() == [*before, 16]

    # the other goes too, and none comes
    for process in cluster.workers:
        process.kill()
    with pytest.raises(StudyError, match=r"without a worker for 1 s; start .* 17 of 18 runs are kept"):
        study.run("toy", 18, settings, scheduler=cluster.address, patience=1)


def test_runs_in_threads_of_one_process_are_what_each_is_alone():
    runs = [Run(seed, {"mode": "draws"}) for seed in range(16)]
    alone = [study._outcome(toy, run).result for run in runs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda run: study._outcome(toy, run).result, runs)) == alone


def test_a_worker_of_several_threads_gives_what_a_process_gives(cluster, capsys):
    cluster.start_workers(1, threads=4)
    runs = study.run("toy", 12, {"mode": "draws"}, scheduler=cluster.address)
    alone = [study._outcome(toy, Run(seed, {"mode": "draws"})) for seed in range(12)]
    assert [run.result for run in runs] == [run.result for run in alone]
    assert f"dask worker {cluster.address} --nthreads 1" in capsys.readouterr().out


def test_a_result_that_is_lost_with_its_worker_is_made_again(cluster, marks, monkeypatch):
    folder, begun = marks
    cluster.start_workers(1)
    write = study._write

    def write_and_kill(path, text):
        if not files():  # the first is about to be written; the others wait on the worker
            wait_for(lambda: len(begun()) == 8, cluster.scheduler)
            time.sleep(0.5)
            cluster.workers[0].kill()
            cluster.start_workers(1)
            wait_for(lambda: len(begun()) > 8, cluster.scheduler)
        write(path, text)

    monkeypatch.setattr(study, "_write", write_and_kill)
    runs = study.run("toy", 8, {"marks": folder}, scheduler=cluster.address)
    assert [run.seed for run in runs if run.result] == list(range(8)) == seeds_of(files())


def test_a_scheduler_that_dies_for_good_costs_no_finished_run(cluster, marks, monkeypatch):
    folder, begun = marks
    cluster.start_workers(1)
    cluster.wait_for_workers(1)  # on a busy machine that takes longer than the patience below
    write, written = study._write, []

    def write_and_kill(path, text):
        write(path, text)
        written.append(path)
        if len(written) == 3:
            cluster.scheduler.kill()
            cluster.scheduler.wait()

    monkeypatch.setattr(study, "_write", write_and_kill)
    settings = {"marks": folder, "seconds": 0.1}
    with pytest.raises(StudyError, match="has gone") as error:
        study.run("toy", 50, settings, scheduler=cluster.address, patience=3)  # so long it is looked for
    assert f"{len(written)} of 50 runs are kept" in str(error.value) and 3 <= len(written) < 50
    assert sorted(written) == files()
    with pytest.raises(StudyError, match="there is no scheduler at 'tcp://127.0.0.1"):
        study.run("toy", 50, settings, scheduler=cluster.address, patience=1)
    assert sorted(written) == files()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "", "127.0.0.1:port"])
def test_a_scheduler_that_is_not_there(address):
    pytest.importorskip("distributed")
    with pytest.raises(StudyError, match="there is no scheduler"):
        study.run("toy", 1, scheduler=address, patience=0.5)


def test_a_cluster_needs_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match=r"\[cluster\]"):
        study.run("toy", 1, scheduler="tcp://127.0.0.1:9")


# -------------------------------------------------------------------------------------------- what is kept


def test_only_what_is_missing_is_run(at_once, capsys):
    first = study.run("toy", 3, {"scale": 1})
    assert study.run("toy", [1, 2, 4], {"scale": [1, 2]})[:2] == first[1:]
    assert at_once == [(1, 0), (1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 4)]
    assert "2 of 6 runs are there already" in capsys.readouterr().out
    assert study.run("toy", 3) == first  # the default is the same setting as the same value named
    assert len(at_once) == 7


def test_the_file_is_for_people_too(at_once):
    study.run("toy", 1, {"scale": 0.5, "mode": "a/b ü"})
    (path,) = files()
    assert path.name.startswith("scale=0.5,marks=,mode=a_b__,seconds=0.0,seed=0000-")
    content = json.loads(path.read_text())
    assert content["study"] == "toy" and content["settings"]["mode"] == "a/b ü" and content["seconds"] >= 0
    assert content["versions"]["torch"] == torch.__version__
    study.run("toy", 1, {"scale": 0.5, "mode": "a:b ü"})  # the same letters in the readable part
    study.run("toy", 1, {"scale": 0.5, "mode": "long " * 100})
    assert len(files()) == 3


def test_a_failure_is_recorded_stops_no_other_and_is_retried_on_request(at_once, marks):
    folder, _ = marks
    settings = {"mode": "raise once", "marks": folder}
    runs = study.run("toy", 4, settings)
    assert [run.error is None for run in runs] == [True, False, True, False]
    error = runs[1].error
    assert (error["type"], error["message"]) == ("ArithmeticError", "seed 1 diverged")
    assert error["traceback"][-1].startswith("test_study.py, line") and error["traceback"][-1].endswith("in toy")
    assert str(HERE) not in json.dumps(error), "a path of this machine"
    assert study.run("toy", 4, settings) == runs and len(at_once) == 4
    again = study.run("toy", 4, settings, retry=True)
    assert at_once[4:] == [(1, 1), (1, 3)] and all(run.result for run in again) and len(files()) == 4


@pytest.mark.parametrize(
    ("mode", "type", "words"),
    [
        ("nan", "ValueError", "not JSON compliant"),
        ("tensor", "TypeError", "not JSON serializable"),
        ("no dict", "TypeError", "returned 7; expected a dict"),
        ("keys", "TypeError", "expected a dict of names"),
        ("exit", "SystemExit", "no more"),
    ],
)
def test_what_is_no_result_is_a_failure(at_once, mode, type, words):
    (run,) = study.run("toy", 1, {"mode": mode})
    assert run.result is None and run.error["type"] == type and words in run.error["message"]
    assert study.results("toy") == [run]


def damage(text):
    """Ways in which a file can be no result."""
    content = json.loads(text)
    return {
        "cut": text[: len(text) // 2],
        "empty": "",
        "binary": b"\xff\xfe\x00",
        "a list": "[]",
        "null": "null",
        "a field less": json.dumps({k: v for k, v in content.items() if k != "seed"}),
        "a field more": json.dumps({**content, "speed": 1}),
        "another seed": json.dumps({**content, "seed": 8}),
        "another study": json.dumps({**content, "study": "tox"}),
        "no result": json.dumps({**content, "result": None}),
        "a result of another kind": json.dumps({**content, "result": [1]}),
        "deep": "[" * 100_000,
    }


@pytest.mark.parametrize("kind", damage('{"seed": 0}'))
def test_a_damaged_file_is_named_kept_aside_and_made_again(at_once, capsys, kind):
    runs = study.run("toy", 3)
    path, content = files()[1], damage(files()[1].read_text())[kind]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert [run.seed for run in study.results("toy")] == [0, 2]  # the report goes on without it
    assert f"{path.name} is damaged" in capsys.readouterr().out
    again = study.run("toy", 3)
    assert [(r.seed, r.result) for r in again] == [(r.seed, r.result) for r in runs]
    assert at_once[3:] == [(1, 1)]
    aside = path.with_name(path.name + ".damaged1")
    assert aside.name in capsys.readouterr().out
    assert aside.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    path.write_text("")
    study.run("toy", 3)
    assert aside.exists() and aside.with_name(path.name + ".damaged2").read_text() == ""


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(at_once, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"cannot be written to .*file.* \(.+\); name another folder"):
        study.run("toy", 1, folder=tmp_path / "file" / "folder")

    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match="Permission denied"):
        study.run("toy", 1)
    assert at_once == [] and (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_keeps_what_was_written(at_once, monkeypatch):
    original, count = os.fsync, []

    def full(handle):
        count.append(handle)
        if len(count) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StudyError, match=r"No space left on device.* 2 of 5 runs are kept"):
            study.run("toy", 5)
    assert seeds_of(files()) == [0, 1]
    study.run("toy", 5)
    assert at_once == [(1, i) for i in (0, 1, 2, 2, 3, 4)]


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("seeds is 0", dict(seeds=0)),
        ("seeds are", dict(seeds=2.5)),
        ("seeds are", dict(seeds=True)),
        ("seeds are", dict(seeds=[])),
        ("seeds are", dict(seeds=[0, -1])),
        ("seeds are", dict(seeds="12")),
        ("no setting 'scal'; it has scale, marks", dict(settings={"scal": 1})),
        ("no setting 'seed'", dict(settings={"seed": 1})),
        ("scale is 'much'; expected values like its default, 1.0", dict(settings={"scale": "much"})),
        ("scale is True", dict(settings={"scale": True})),
        ("scale is nan", dict(settings={"scale": math.nan})),
        ("mode is 1; .*str", dict(settings={"mode": ["fine", 1]})),
        ("scale has no value", dict(settings={"scale": []})),
        ("workers is 0", dict(workers=0)),
        ("workers is 1.5", dict(workers=1.5)),
        ("a cluster has its own", dict(workers=2, scheduler="tcp://127.0.0.1:9")),
    ],
)
def test_bad_arguments_are_refused_before_any_work(at_once, words, given):
    with pytest.raises(ValueError, match=words):
        study.run("toy", **given)
    assert at_once == [] and not Path("build").exists()


def test_numbers_of_numpy_are_numbers(at_once):
    runs = study.run("toy", np.int64(2), {"scale": np.linspace(1, 2, 2), "seconds": 0}, workers=np.int64(1))
    assert [run.settings["scale"] for run in runs] == [1, 1, 2, 2] and seeds_of(files()) == [0, 0, 1, 1]
    assert [run.seed for run in study.run("toy", np.arange(3), {"scale": 1.0})] == [0, 1, 2]


def test_a_text_that_no_study_knows_is_refused_before_any_work(at_once):
    for name, dial in (
        ("mode-collapse", "method"),
        ("mode-collapse", "points"),
        ("balance", "loss"),
        ("signals", "family"),
        ("blind-spot", "start"),
        ("posterior-collapse", "images"),
        ("gmm-singular", "covariance"),
    ):
        with pytest.raises(ValueError, match=f"{dial} is 'recipee'; expected one of .*{study.dials(name)[dial]}"):
            study.run(name, 1, {dial: [study.dials(name)[dial], "recipee"]})
    texts = {dial for name in study.STUDIES for dial, value in study.dials(name).items() if isinstance(value, str)}
    assert texts - {"marks", "mode"} == set(study.CHOICES)


def test_what_cannot_be_packed_is_told_before_any_work(monkeypatch, capsys, tmp_path, at_once):
    (tmp_path / "data" / "studies").write_text("a file")
    with pytest.raises(ValueError, match=r"packed into .*studies, which cannot be written \(.+\); let GENCOURSE_DATA"):
        study.pack_folder()
    assert main(["study", "toy", "--seeds", "1", "--pack"]) == 2 and at_once == []
    assert "GENCOURSE_DATA" in capsys.readouterr().err


def test_an_unknown_study_is_told_which_there_are():
    for call in (study.run, study.results):
        with pytest.raises(KeyError, match=r"no study 'collapse'; there are .*gmm-singular"):
            call("collapse")
    with pytest.raises(FileNotFoundError, match="run: .*gencourse study toy"):
        study.results("toy")


# ------------------------------------------------------------------------------------------------- counting


def test_shares_have_wilsons_interval():
    z = 1.959963984540054
    for yes, n in [(0, 5), (3, 10), (10, 10), (50, 200)]:
        (each,) = study.summary(Run(i, {}, {"bad": i < yes}) for i in range(n))
        p, centre = yes / n, (yes + z * z / 2) / (n + z * z)
        half = z / (n + z * z) * math.sqrt(n * p * (1 - p) + z * z / 4)
        assert (each.yes_or_no, each.n, each.failed, each.mean) == (True, n, 0, p)
        assert (each.low, each.high) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_numbers_have_students_interval():
    (each,) = study.summary([Run(0, {}, {"x": 0}), Run(1, {}, {"x": 2.0})])
    assert not each.yes_or_no and each.mean == 1 and each.high - 1 == pytest.approx(12.7062, abs=1e-4)  # from a table
    (one,) = study.summary([Run(0, {}, {"x": 3.0})])
    assert (one.n, one.mean) == (1, 3.0) and math.isnan(one.low) and math.isnan(one.high)


def test_failures_missing_values_and_texts_are_not_averaged():
    error = {"type": "E", "message": "no", "traceback": []}
    runs = [Run(0, {"a": 1}, {"x": 1.0, "y": True, "word": "w"}), Run(1, {"a": 1}, {"x": None, "y": False, "z": [1]})]
    runs += [Run(2, {"a": 1}, error=error), Run(0, {"a": 2}, error=error)]
    rows = {(e.outcome, e.settings["a"]): e for e in study.summary(runs)}
    assert set(rows) == {(outcome, a) for outcome in "xy" for a in (1, 2)}
    assert (rows["x", 1].n, rows["x", 1].mean, rows["x", 1].failed) == (1, 1.0, 1)
    assert (rows["y", 1].n, rows["y", 1].mean) == (2, 0.5)
    assert rows["y", 2].n == 0 and rows["y", 2].failed == 1 and math.isnan(rows["y", 2].mean)
    told = study.report("toy", runs)
    assert "4 runs, 2 failed" in told and "failed 2×: E: no" in told
    assert told.splitlines()[-1].split() == ["y", "2", "0", "–", "–", "1"]
    study.figure(runs)


def test_the_report_tells_settings_apart_in_their_order(at_once):
    study.run("toy", 3, {"scale": [10, 2], "mode": ["fine", "raise"]})
    runs = study.results("toy")
    assert [run.settings["scale"] for run in runs] == 6 * [2.0] + 6 * [10.0]  # as numbers
    told = study.report("toy", runs).splitlines()
    assert told[0] == "toy: 12 runs, 2 failed; marks=, seconds=0.0"
    assert told[3].split() == ["outcome", "scale", "mode", "runs", "mean", "95", "%", "interval", "failed"]
    assert told[4].split()[:5] == ["value", "2.0", "fine", "3", "2"]


# ------------------------------------------------------------------------------------------------- shipping


def test_what_is_packed_is_what_the_command_makes(at_once):
    settings = {"scale": [1, 2], "mode": "raise"}
    with pytest.raises(ValueError, match="8 of 8 runs are missing .* first run: .*gencourse study toy --seeds 4 --set"):
        study.pack("toy", 4, settings)
    runs = study.run("toy", 6, settings)
    path = study.pack("toy", 4, settings)
    packed = study.load("toy")
    assert packed.command == "gencourse study toy --seeds 4 --set scale=1,2 --set mode=raise --pack"
    assert packed.versions["python"] == [sys.version.split()[0]] and set(packed.versions) >= {"torch", "gencourse"}
    kept = [run for run in runs if run.seed < 4]
    assert [(r.seed, r.settings, r.result) for r in packed.runs] == [(r.seed, r.settings, r.result) for r in kept]
    assert packed.runs[1].error == {"type": "ArithmeticError", "message": "seed 1 diverged"}
    assert study.report("toy", packed.runs) == study.report("toy", kept)
    assert len(path.read_text().splitlines()) < 30 and str(HERE) not in path.read_text()
    with pytest.raises(TypeError, match="how many"):
        study.pack("toy", [0, 1], settings)


def test_a_shipped_study_that_is_missing_or_damaged(at_once):
    with pytest.raises(DataError, match="is missing: 'toy' is not shipped"):
        study.load("toy")
    study.run("toy", 2)
    path = study.pack("toy", 2)
    whole = path.read_text()
    for text in (whole[:80], "", "[]", whole.replace("toy", "tox"), whole.replace('"seed"', '"seeds"')):
        path.write_text(text)
        with pytest.raises(DataError, match=r"damaged .*git checkout -- data/studies/toy.json"):
            study.load("toy")


# -------------------------------------------------------------------------------------------------- studies


SHORT = {  # else half a minute a run
    "wrong-prefix": {"rows": 26, "flipped": 0.2},
    "equal-compute": {"network": "VAE", "tested": 100},
}


def briefly(fit):
    """`fit`, in 30 steps at most; where something is measured on the way, as often, but after fewer steps."""

    def brief(*arguments, steps, measure_every=None, **others):
        if measure_every is None:
            return fit(*arguments, steps=min(steps, 30), **others)
        return fit(*arguments, steps=steps // 50, measure_every=measure_every // 50, **others)

    return brief


RUNS = {name: (name, SHORT.get(name, {})) for name in study.STUDIES} | {"signals, VAE": ("signals", {"family": "VAE"})}


@pytest.mark.parametrize(("name", "settings"), RUNS.values(), ids=RUNS)
def test_a_study_is_a_plain_function_of_a_seed_and_of_dials_with_defaults(name, settings, monkeypatch):
    monkeypatch.delenv("GENCOURSE_DATA")
    for module, what in ((gan, "fit_gan"), (gan, "fit"), (vae, "fit"), (scoreboard, "fit")):
        monkeypatch.setattr(module, what, briefly(getattr(module, what)))
    monkeypatch.setattr(gan, "climb", partial(gan.climb, steps=10))
    function = study.STUDIES[name]
    seed, *dials = inspect.signature(function).parameters.values()
    assert seed.name == "seed" and all(dial.kind is dial.KEYWORD_ONLY for dial in dials)
    assert all(type(dial.default) in (bool, int, float, str) for dial in dials), "a dial needs a default, a plain value"
    assert function.__doc__
    before = torch.get_rng_state()
    run = study._outcome(function, Run(0, settings))
    assert run.error is None and torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    again = study._outcome(function, Run(0, settings))
    torch.set_rng_state(before)
    assert again.result == run.result


def test_a_component_collapses_on_few_points_and_not_with_a_floor():
    def share(**dials):
        return sum(gmm_singular(seed, **dials)["collapsed"] for seed in range(20)) / 20

    assert share(n=15) >= 0.7 and share(n=200) <= 0.2 and share(n=15, floor=0.1) == 0
    outcome = next(o for o in map(gmm_singular, range(20)) if o["collapsed"])
    assert outcome["points"] < 3 and outcome["gap"] > 0
    assert gmm_singular(0, covariance="full")["gap"] > 0
