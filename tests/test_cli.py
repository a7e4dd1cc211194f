"""The command `gencourse`: what it prints, and its exit codes."""

import json
import os

import pytest
import torch
from toys import outputs, toy

from gencourse import data, doctor, execute, study
from gencourse.cli import main
from gencourse.execute import Run


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A benchmark that takes no time, a machine in order, and timings that a test may overwrite."""
    monkeypatch.setattr(doctor, "benchmark", lambda seconds=5.0: 20.0)
    monkeypatch.setattr(doctor, "_missing_packages", lambda: [])
    monkeypatch.setattr(data, "check", lambda: [("mnist/a.gz", "whole")])
    monkeypatch.setattr(doctor, "TIMINGS", tmp_path / "timings.json")
    return tmp_path


def test_doctor_tells_versions_cores_and_minutes(quick, capsys):
    row = {"seconds": 120.0, "peak_mib": 900, "score": 40.0}
    (quick / "timings.json").write_text(json.dumps({"01_autoregression": row}))
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for words in ("torch", torch.__version__, "cores", "bfloat16", "memory", "ready for the course"):
        assert words in told
    assert "01_autoregression     about 4.0 minutes" in told  # half the score, twice the time


def test_doctor_fails_where_data_are_damaged_or_packages_missing(quick, capsys, monkeypatch):
    monkeypatch.setattr(data, "check", lambda: [("mnist/a.gz", "damaged"), ("speech/b.flac", "whole")])
    monkeypatch.setattr(doctor, "_missing_packages", lambda: ["soundfile is missing"])
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "data/mnist/a.gz is damaged" in told and "soundfile is missing" in told and "b.flac" not in told


def test_doctor_sees_packages_that_are_missing_or_too_old(monkeypatch):
    needs = ["torch>=2.4", "absent-package>=1", "numpy<1", 'ruff>=99; extra == "test"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
    absent, old = doctor._missing_packages()
    assert absent.startswith("absent-package is missing") and "numpy is" in old and "<1 is needed" in old


def test_the_benchmark_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    assert doctor.benchmark(0.01) > 0
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ValueError, match="positive"):
        doctor.benchmark(0)


def test_timings_keep_what_succeeded(quick, tmp_path):
    doctor.record([Run(tmp_path / "a.ipynb", 10.04, 512.4)], 20.0)
    failed = Run(tmp_path / "a.ipynb", 1.0, 1.0, "cell x: no")
    doctor.record([Run(tmp_path / "b.ipynb", 30.0, 1.0), failed], 10.0)
    assert doctor.expected_minutes(10.0) == {"a": 10.0 / 60 * 2, "b": 0.5}


def test_execute_reports_where_the_results_are(quick, tmp_path, capsys, monkeypatch):
    path = toy(tmp_path / "notebooks" / "toy.ipynb", "print(effort)")
    monkeypatch.setattr(execute, "NOTEBOOKS", path.parent)
    out = tmp_path / "the results"
    assert main(["execute", "--to", str(out), "-p", "effort", "0.5"]) == 0
    told = capsys.readouterr().out
    assert str(out) in told and "toy" in told and "150" in told and "3072" in told
    assert outputs(out / "toy.ipynb") == "0.5\n"
    assert main(["execute"]) == 0
    assert outputs(path) == "1.0\n" and list(doctor.expected_minutes(20.0)) == ["toy"]


def test_execute_fails_where_a_notebook_does(quick, tmp_path, capsys):
    bad = toy(tmp_path / "bad.ipynb", "1 / 0")
    assert main(["execute", str(bad), "--to", str(tmp_path / "out")]) == 1
    assert "bad.ipynb, cell" in (told := capsys.readouterr().err) and "ZeroDivisionError" in told


def test_a_wrong_request_says_what_is_wrong(quick, tmp_path, capsys):
    path = toy(tmp_path / "toy.ipynb", "1")
    assert main(["execute", str(tmp_path / "none.ipynb")]) == 2
    assert main(["execute", str(path), "--to", str(tmp_path), "-p", "efort", "1"]) == 2
    told = capsys.readouterr().err
    assert "none.ipynb" in told and "'efort'" in told
    with pytest.raises(SystemExit):
        main([])


@pytest.fixture
def a_study(monkeypatch, tmp_path):
    """A study that makes its runs in this process, and a place where a test may write."""

    def toy(seed, *, scale: float = 1.0, fails: bool = False):
        """Is the seed even?"""
        if fails and seed == 1:
            raise ArithmeticError("diverged")
        return {"even": seed % 2 == 0, "value": scale * seed}

    monkeypatch.setitem(study.STUDIES, "toy", toy)
    monkeypatch.setattr(study, "_on_this_machine", lambda toy, runs, workers: (study._outcome(toy, r) for r in runs))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path / "data"))
    return tmp_path


def test_study_runs_the_grid_and_reports(a_study, capsys):
    assert main(["study", "toy", "--seeds", "4", "--set", "scale=0.5,1"]) == 0
    told = capsys.readouterr().out
    assert "toy: 8 runs, 0 failed; fails=False" in told and "even" in told and "0.15 to 0.85" in told
    assert len(list((a_study / "build/studies/toy").glob("*.json"))) == 8
    assert main(["study", "report", "toy"]) == 0
    again = capsys.readouterr().out
    assert told.strip() in again and "report.png" in again
    assert (a_study / "build/studies/toy/report.png").read_bytes().startswith(b"\x89PNG")
    assert main(["study"]) == 0
    assert "toy                Is the seed even?" in capsys.readouterr().out


def test_study_says_which_runs_failed_and_retries_them(a_study, capsys):
    command = ["study", "toy", "--seeds", "3", "--set", "fails=True", "--folder", "here"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "1 of 3 runs failed; --retry" in told.err and "failed 1×: ArithmeticError: diverged" in told.out
    study.STUDIES["toy"] = lambda seed, *, scale=1.0, fails=False: {"even": True}
    assert main(command) == 1 and main([*command, "--retry"]) == 0
    assert len(list((a_study / "here").glob("*.json"))) == 3


def test_a_packed_study_is_reported_where_there_is_no_other(a_study, capsys):
    command = ["study", "toy", "--seeds", "2", "--set", "scale=2", "--folder", "here", "--pack"]
    assert main(command) == 0
    assert "packed into" in capsys.readouterr().out
    assert main(["study", "report", "toy"]) == 0
    told = capsys.readouterr().out
    assert "made by: gencourse study toy --seeds 2 --set scale=2 --pack" in told and "2 runs" in told
    assert "--to FILE" in told and sorted(os.listdir()) == ["data", "here"], "nothing is made where the reader stands"
    assert main(["study", "report", "toy", "--to", "seen.png"]) == 0
    assert (a_study / "seen.png").read_bytes().startswith(b"\x89PNG")
    assert main(["study", "report", "toy", "--to", "seen.png/again.png"]) == 2
    told = capsys.readouterr()
    assert "2 runs" in told.out and "cannot be written to seen.png/again.png" in told.err and "--to FILE" in told.err
    assert main(["study", "report", "toy", "--folder", "elsewhere"]) == 2
    assert "no result in elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("no study 'tox'; there are wrong-prefix", ["tox"]),
        ("no study 'tox'", ["report", "tox"]),
        ("'toy toy' makes no sense", ["toy", "toy"]),
        ("--set 'scale': expected", ["toy", "--set", "scale"]),
        ("--set 'scale=': expected", ["toy", "--set", "scale="]),
        ("--set scale is given twice", ["toy", "--set", "scale=1", "--set", "scale=2"]),
        ("scale is 'much'", ["toy", "--set", "scale=much"]),
        ("no setting 'speed'", ["toy", "--set", "speed=1"]),
        ("seeds is 0", ["toy", "--seeds", "0"]),
        ("workers is 0", ["toy", "--workers", "0"]),
        ("leave workers out", ["toy", "--workers", "1", "--scheduler", "tcp://127.0.0.1:9"]),
        ("cannot be written to", ["toy", "--folder", "file/folder"]),
    ],
)
def test_a_wrong_request_of_a_study(a_study, capsys, words, arguments):
    (a_study / "file").touch()
    assert main(["study", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_study_that_is_stopped_says_what_is_kept(a_study, capsys, monkeypatch):
    for error, code in ((KeyboardInterrupt(), 130), (study.StudyError("the scheduler has gone"), 1)):

        def stops(toy, runs, workers, error=error):
            yield study._outcome(toy, runs[0])
            raise error

        monkeypatch.setattr(study, "_on_this_machine", stops)
        assert main(["study", "toy", "--seeds", "5", "--folder", str(code)]) == code
        assert "1 of 5 runs are kept in" in capsys.readouterr().err
