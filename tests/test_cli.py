"""The command `gencourse`: what it prints, and its exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from toys import outputs, toy

from gencourse import checkpoints, study
from gencourse.cli import main
from gencourse.course import doctor, execute
from gencourse.exercises.machine import passed
from gencourse.grading import export
from gencourse.support.errors import UnknownName, WrongValue
from gencourse.support.files import DataError


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Timings that a test may overwrite."""
    monkeypatch.setattr(doctor, "TIMINGS", tmp_path / "timings.json")
    return tmp_path


def test_execute_reports_where_the_results_are(quick, tmp_path, capsys, monkeypatch):
    path = toy(tmp_path / "notebooks" / "toy.ipynb", "print(effort)")
    monkeypatch.setattr(execute, "NOTEBOOKS", path.parent)
    out = tmp_path / "the results"
    assert main(["execute", "--to", str(out), "-p", "effort", "0.5"]) == 0
    told = capsys.readouterr().out
    assert str(out) in told and "toy" in told and str(execute.seconds_allowed()) in told and "3072" in told
    assert outputs(out / "toy.ipynb") == "0.5\n"
    assert main(["execute"]) == 0
    assert outputs(path) == "1.0\n" and not doctor.TIMINGS.exists()  # only --record writes it


def test_execute_fails_where_a_notebook_does(quick, tmp_path, capsys):
    bad = toy(tmp_path / "bad.ipynb", "1 / 0")
    assert main(["execute", str(bad), "--to", str(tmp_path / "out")]) == 1
    assert "bad.ipynb, cell" in (told := capsys.readouterr().err) and "ZeroDivisionError" in told


def test_a_wrong_request_says_what_is_wrong(quick, tmp_path, capsys):
    path = toy(tmp_path / "toy.ipynb", "1")
    assert main(["execute", str(tmp_path / "none.ipynb")]) == 2
    assert main(["execute", str(path), "--to", str(tmp_path), "-p", "efort", "1"]) == 2
    told = capsys.readouterr().err
    assert "none.ipynb is not there" in told and "'efort'" in told and "--to" not in told
    assert main(["execute", str(path), "-p", "effort", "1"]) == 2
    assert "name a folder (--to)" in capsys.readouterr().err


def test_without_a_command_there_is_help_and_a_wrong_one_is_an_error(capsys):
    assert main([]) == 0
    assert "usage: gencourse" in (told := capsys.readouterr()).out and "progress" in told.out and told.err == ""
    assert main(["--help"]) == 0
    assert main(["prgress"]) == 2
    assert "invalid choice: 'prgress'" in capsys.readouterr().err


def test_a_notebook_is_found_by_its_number_and_else_is_told_where_it_was_looked_for(tmp_path, monkeypatch):
    own = tmp_path / "notebooks"
    for name in ("03_vae", "04_gan", "05_gan_more", "05_other"):
        toy(own / f"{name}.ipynb")
    monkeypatch.setattr(execute, "NOTEBOOKS", own)
    monkeypatch.chdir(tmp_path)
    for name in ("03", "03_vae", "03_vae.ipynb"):
        assert execute.find(name) == own / "03_vae.ipynb"
    here = toy(tmp_path / "03_vae.ipynb")
    assert execute.find("03_vae.ipynb").resolve() == here and execute.find("05_gan_more").parent == own
    for name in ("05", "elsewhere/03_vae.ipynb", "0", "notebooks"):
        with pytest.raises(FileNotFoundError) as raised:
            execute.find(name)
        what = "is a folder, and no notebook" if name == "notebooks" else "is not there"
        assert f"{tmp_path / name} {what}; the notebooks of the course are 03_vae, 04" in str(raised.value)
        assert f"in {own}" in str(raised.value)


COMMANDS = [
    (["doctor"], doctor, "check_machine"), (["execute", "00"], execute, "execute"),
    (["train", "pixelcnn"], checkpoints, "train"), (["evaluate", "pixelcnn"], checkpoints, "evaluate"),
    (["study", "gmm-singular"], study, "run"), (["study", "report", "gmm-singular"], study, "load"),
    (["progress"], passed, "read"), (["export", "nbgrader", "x"], export, "nbgrader_course"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "module", "name"), COMMANDS, ids=[" ".join(words) for words, _, _ in COMMANDS])
def test_what_the_user_can_mend_is_one_line_and_a_bug_is_not(monkeypatch, tmp_path, capsys, command, module, name):
    monkeypatch.chdir(tmp_path)

    def fails(error):
        def function(*arguments, **options):
            raise error

        monkeypatch.setattr(module, name, function)
        return main(command)

    theirs = [
        (WrongValue("seeds is 0;\n  expected 1"), "seeds is 0; expected 1"),
        (UnknownName("no 'x'"), "no 'x'"),
        (PermissionError(13, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (DataError("a is lost"), "a is lost"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ]
    for error, words in theirs:
        assert fails(error) == 2
        told = capsys.readouterr()
        assert told.err == f"gencourse {command[0]}: {words}\n" and told.out == ""
    for bug in (KeyError("exp_avg"), ValueError("shapes"), IndexError("0"), TypeError("no"), RuntimeError("at")):
        with pytest.raises(type(bug)):
            fails(bug)
    assert fails(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == f"gencourse {command[0]}: stopped\n"


def test_a_bug_deep_inside_shows_where_it_is(monkeypatch, tmp_path):
    def measure(*arguments):
        return {}["loss"]

    monkeypatch.setattr("gencourse.checkpoints.make._figures", measure)
    with pytest.raises(KeyError, match="loss") as raised:
        main(["evaluate", "plane"])
    assert raised.traceback[-1].name == "measure"


def test_every_environment_variable_stands_in_the_readme():
    root = Path(__file__).resolve().parents[1]
    readme = (root / "README.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (root / "gencourse").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r"environ(?:\.get\(|\[)\"(GENCOURSE_\w+)\"", text)}
    assert len(read) > 3 and {name for name in read if f"| `{name}` |" not in readme} == set()


def python(*arguments, **options):
    environment = os.environ | options.pop("environment", {})
    return subprocess.run([sys.executable, *arguments], env=environment, stderr=subprocess.PIPE, **options)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_full_disk_and_a_reader_who_has_enough():
    with open("/dev/full", "w") as full:
        done = python("-m", "gencourse", stdout=full)
    assert (done.returncode, done.stderr) == (2, b"gencourse: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = python("-m", "gencourse", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


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


def test_a_study_runs_where_the_package_is_on_the_path_and_not_installed(a_study, capsys, monkeypatch):
    def version(name):
        if name == "gencourse":
            raise study.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(study.metadata, "version", version)
    assert main(["study", "toy", "--seeds", "1"]) == 0
    assert "toy: 1 run, 0 failed" in capsys.readouterr().out


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
