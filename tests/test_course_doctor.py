"""Is this machine ready, how long will a notebook take, and what may be recorded: `gencourse doctor`, `--record`."""

import json
import os
import time

import nbformat
import pytest
import torch
from toys import toy

from gencourse import data, training
from gencourse.cli import main
from gencourse.course import doctor, execute
from gencourse.course.doctor import Benchmark
from gencourse.course.execute import Execution, Load
from gencourse.course.minutes import stated
from gencourse.course.notebook import read, write
from gencourse.training import precision

RATES = {"convolutions": 10.0, "small networks": 1000.0, "linear algebra": 50.0}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A machine of two cores without bfloat16, in order, that rests; a quick benchmark; a record of its own."""
    monkeypatch.setattr(doctor, "benchmark", lambda seconds=5.0: Benchmark(RATES, 2.0, 1.0))
    monkeypatch.setattr(doctor, "_missing_packages", lambda: [])
    monkeypatch.setattr(data, "check", lambda: [("mnist/a.gz", "whole")])
    monkeypatch.setattr(doctor, "TIMINGS", tmp_path / "timings.json")
    monkeypatch.setattr(doctor, "_cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    for module in (doctor, training, precision):
        monkeypatch.setattr(module, "native_bfloat16", lambda *_: False)
    monkeypatch.setattr(doctor, "Load", Resting)
    monkeypatch.setattr(doctor.time, "sleep", lambda seconds: None)
    return monkeypatch


class Resting(Load):
    cores = 0.0

    def __exit__(self, *error):
        super().__exit__(*error)
        self.others = self.cores


def test_the_ratios_of_three_kinds_of_steps_bound_the_minutes(here, capsys):
    doctor.record([Execution(doctor.NOTEBOOKS / "01_autoregression.ipynb", 120.0, 900, cpu_seconds=200.0)], RATES)
    slower = {**RATES, "convolutions": RATES["convolutions"] / 2}
    here.setattr(doctor, "benchmark", lambda seconds=5.0: Benchmark(slower, 2.0, 1.0))
    low, high = doctor.expected_minutes(slower)["01_autoregression"]
    assert low == pytest.approx(2 / doctor.MARGIN) and high == pytest.approx(4 * doctor.MARGIN)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for words in ("torch", torch.__version__, "cores", "bfloat16", "memory", "ready for the course.\n"):
        assert words in told
    assert "01_autoregression     1 to 6 minutes" in told and "busy" not in told
    here.setattr(torch, "get_num_threads", lambda: 1)  # the second core may be used by what is no thread of torch
    low, high = doctor.expected_minutes(RATES)["01_autoregression"]
    assert low == pytest.approx(2 / doctor.MARGIN) and high == pytest.approx(200 / 60 * doctor.MARGIN)
    here.setattr(doctor, "_cores", lambda: 1)  # on one core it takes the time of all threads
    assert doctor.expected_minutes(RATES)["01_autoregression"][1] == pytest.approx(200 / 60 * doctor.MARGIN)


def test_minutes_are_rounded_outwards():
    words = {
        (0.04, 0.3): "up to 20 seconds",
        (0.2, 0.3): "10 to 20 seconds",
        (0.5, 1.5): "up to 2 minutes",
        (1.2, 2.7): "1 to 3 minutes",
    }
    assert {both: doctor._span(*both) for both in words} == words


def test_a_busy_machine_is_called_busy_and_not_slow(here, capsys):
    doctor.record([Execution(doctor.NOTEBOOKS / "01_autoregression.ipynb", 120.0, 900)], RATES)
    idle = doctor.check_machine()
    here.setattr(doctor, "benchmark", lambda seconds=5.0: Benchmark(RATES, 0.4, 4.0))
    busy = doctor.check_machine()
    assert busy.minutes == idle.minutes and "busy" not in repr(idle)
    assert "busy with other things: 0.4 of 2 cores were free" in repr(busy) and "up to 5 times as long" in repr(busy)
    here.setattr(doctor, "_cores", lambda: 16)
    here.setattr(doctor, "benchmark", lambda seconds=5.0: Benchmark(RATES, 9.0, 1.0))
    assert "busy" not in repr(doctor.check_machine())  # nine free cores are enough


def test_without_a_record_no_minutes_are_told(here):
    assert doctor.expected_minutes(RATES) == {}
    doctor.TIMINGS.write_text('{"machine": {"idle": false}, "notebooks": {"a": {"seconds": 1, "peak_mib": 1}}}')
    assert doctor.expected_minutes(RATES) == {} and "ready" in repr(doctor.check_machine())


def test_doctor_fails_where_data_are_damaged_or_packages_missing(here, capsys):
    here.setattr(data, "check", lambda: [("mnist/a.gz", "damaged"), ("speech/b.flac", "whole")])
    here.setattr(doctor, "_missing_packages", lambda: ["soundfile is missing"])
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "data/mnist/a.gz is damaged" in told and "soundfile is missing" in told and "b.flac" not in told


def test_doctor_sees_packages_that_are_missing_or_too_old(monkeypatch):
    needs = ["torch>=2.4", "absent-package>=1", "numpy<1", 'ruff>=99; extra == "test"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
    absent, old = doctor._missing_packages()
    assert absent.startswith("absent-package is missing") and "numpy is" in old and "<1 is needed" in old


def test_the_benchmark_leaves_the_state_of_torch_alone_and_minds_none_of_it():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.no_grad():
            measured = doctor.benchmark(0.03)
            assert not torch.is_grad_enabled()
        with torch.inference_mode():
            again = doctor.benchmark(0.03)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert list(measured.rates) == list(again.rates) == list(RATES) and min(measured.rates.values()) > 0
    assert measured.free >= 0 and measured.waited > 0.5
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    with pytest.raises(ValueError, match="positive"):
        doctor.benchmark(0)


def test_the_load_of_others_is_told_from_ones_own(monkeypatch):
    busy = iter([100.0, 103.0])
    monkeypatch.setattr(execute, "_busy_seconds", lambda: next(busy))
    with Load() as load:
        time.sleep(0.05)
        load.cpu_seconds = 2.0
    own = 3.0 - 2.0 - load.others * load.seconds
    assert 0 <= own < 0.5 and load.seconds >= 0.05


def test_the_time_of_all_threads_of_a_kernel_is_measured(tmp_path):
    work = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    path = toy(tmp_path / "toy.ipynb", work, "time.sleep(0.5)")
    (run,) = execute.execute([path], show_progress=False)
    assert run.cpu_seconds >= 0.5 and run.others >= 0
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert list(run.cells) == ids and min(run.cells[each] for each in ids[1:]) >= 0.5


def test_a_record_is_of_one_idle_machine(here, tmp_path):
    took = {"short": 4.9, "long": 12.3}
    runs = [
        Execution(path, 60.04, 512.4, cpu_seconds=99.96, cells=took)
        for path in sorted(doctor.NOTEBOOKS.glob("*.ipynb"))
    ]
    names = [run.notebook.stem for run in runs]
    with pytest.raises(ValueError, match="the record is of no machine, .* all notebooks together, also 01_autoreg"):
        doctor.check_recordable(names[:1])
    doctor.check_recordable(names)
    doctor.record(runs, RATES)
    kept = json.loads(doctor.TIMINGS.read_text())
    row = {"seconds": 60.0, "cpu_seconds": 100.0, "peak_mib": 512, "long_cells": {"long": 12}}
    assert kept["notebooks"]["02_gmm"] == row
    assert kept["machine"]["idle"] is True and kept["machine"]["processor"] and kept["machine"]["rates"] == RATES
    doctor.check_recordable(names[:1])  # the same machine: one notebook alone
    doctor.record([Execution(runs[0].notebook, 5.0, 1.0)], RATES)
    assert len(json.loads(doctor.TIMINGS.read_text())["notebooks"]) == len(names)
    before = doctor.TIMINGS.read_bytes()
    with pytest.raises(ValueError, match="other programs used 0.7 during 00_start_here of 2 cores"):
        doctor.record([Execution(runs[0].notebook, 5.0, 1.0, others=0.7)], RATES)
    with pytest.raises(ValueError, match="01_autoregression failed"):
        doctor.record([Execution(runs[1].notebook, 5.0, 1.0, "cell x: no")], RATES)
    here.setattr(Resting, "cores", 1.5)
    with pytest.raises(ValueError, match="other programs used 1.5 now of 2 cores"):
        doctor.check_recordable(names)
    here.setattr(Resting, "cores", 0.0)
    here.setattr(doctor, "_processor", lambda: "Another")
    with pytest.raises(ValueError, match="the record is of .*, 2 cores, no bfloat16, and this is Another, 2 cores"):
        doctor.check_recordable(names[:1])
    assert doctor.TIMINGS.read_bytes() == before


@pytest.mark.parametrize("bfloat16", [True, False])
def test_record_writes_only_when_asked_and_compares_with_the_limits(bfloat16, here, tmp_path, capsys):
    here.setattr(training, "native_bfloat16", lambda *_: bfloat16)
    allowed = execute.SECONDS[bfloat16]
    path = toy(tmp_path / "notebooks" / "toy.ipynb", "1")
    notebook = read(path)
    words = "**Time.** 7 seconds of compute on two cores."
    notebook.cells.append(nbformat.v4.new_markdown_cell(words, id="time-01"))
    write(notebook, path)
    for module in (execute, doctor):
        here.setattr(module, "NOTEBOOKS", path.parent)
    assert main(["execute", "--record", "--to", str(tmp_path / "out")]) == 2
    assert "leave --to out" in capsys.readouterr().err and not os.path.exists(tmp_path / "out")
    took = Execution(path, allowed - 1.0, 1.0)
    here.setattr(execute, "execute", lambda *_: [took])
    assert main(["execute", str(path)]) == 0 and not doctor.TIMINGS.exists()
    assert main(["execute", "--record"]) == 0
    assert json.loads(doctor.TIMINGS.read_text())["notebooks"]["toy"]["seconds"] == allowed - 1
    told = "**Time.** 5 minutes of reading, 0 of predictions, 0 of exercises; "
    told += f"{stated(allowed - 1.0)} of compute on two cores."
    assert read(path).cells[-1].source == told
    took = Execution(path, allowed + 1.0, 1.0)
    assert main(["execute", "--record"]) == 1
    assert "over the limit" in capsys.readouterr().out
    here.setattr(Resting, "cores", 1.0)
    here.setattr(execute, "execute", lambda *_: pytest.fail("it was run"))
    assert main(["execute", "--record"]) == 2 and "idle machine" in capsys.readouterr().err
