"""What is kept of the exercises that passed: by whom, where, and that keeping it harms nobody."""

import json
import os
import stat
import subprocess
import sys
import threading
import time

import nbformat
import pytest

from gencourse.cli import main
from gencourse.course import execute
from gencourse.exercises import Exercise, autoregression, start, summary
from gencourse.exercises.machine import passed
from gencourse.exercises.machine.exercise import exercises_of
from gencourse.grading import mark

coin, mask = start.coin_log_likelihood, autoregression.causal_mask


def mine(flips, p):
    return coin.reference(flips, p)


def my_mask(kernel_size, kind):
    return mask.reference(kernel_size, kind)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A reader's own file; pytest is out of sight."""
    for name in passed.OTHERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GENCOURSE_PASSED", str(tmp_path / "a folder" / "passed.json"))
    monkeypatch.setattr(passed, "_pending", {})
    for kept in ("_here", "_told"):
        monkeypatch.setattr(passed, kept, set())
    return tmp_path / "a folder" / "passed.json"


def test_a_pass_is_kept_and_the_reader_is_told_once_where(file, capsys):
    assert coin.check(mine) is mine
    assert str(file) in capsys.readouterr().out and list(json.loads(file.read_text())) == ["start.coin_log_likelihood"]
    first = passed.read()
    mask.check(my_mask)
    coin.check(mine)
    assert "kept in" not in capsys.readouterr().out
    assert set(passed.read()) == {coin.key, mask.key} and passed.read()[coin.key] == first[coin.key]
    assert abs(first[coin.key].timestamp() - time.time()) < 60


def test_only_the_reader_s_own_pass_counts(file):
    coin.check(coin.reference)
    coin.check(lambda flips, p: 0)
    coin.grade(mine)
    assert not file.exists() and passed.read() == {}
    mark(mask.key, my_mask)  # the same exercise in an assignment
    assert set(passed.read()) == {mask.key}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NBGRADER_EXECUTION", "autograde"),
        ("NBGRADER_EXECUTION", "validate"),
        ("PYTEST_VERSION", "9"),
        ("GENCOURSE_PASSED", "0"),
    ],
)
def test_nothing_is_kept_where_it_is_not_the_reader_who_passes(file, monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    coin.check(mine)
    assert not file.parent.exists() and "kept in" not in capsys.readouterr().out
    assert main(["progress", "--forget"]) == 0 and "nothing to forget" in capsys.readouterr().out


def test_a_notebook_that_is_executed_keeps_nothing(file, tmp_path):
    source = "\n".join(
        [
            "from gencourse.exercises import start",
            "coin = start.coin_log_likelihood",
            "coin.check(lambda flips, p: coin.reference(flips, p))",
        ]
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    done = execute.run(notebook, tmp_path)
    assert "passed" in str(done.cells[0].outputs) and not file.exists()


def test_a_reader_s_own_kernel_keeps_it_in_the_data_folder_of_his_system(tmp_path):
    code = "from test_exercises_passed import coin, mine; coin.check(mine)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    environment |= {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    (kept,) = tmp_path.rglob("passed.json")
    assert kept.parent.name == "gencourse" and str(kept) in done.stdout


def test_a_home_that_cannot_be_written_to_fails_no_check_and_is_tried_again(file, capsys):
    file.parent.touch()  # a file where a folder should be
    assert coin.check(mine) is mine
    file.parent.unlink()
    mask.check(my_mask)
    assert set(passed.read()) == {coin.key, mask.key} and capsys.readouterr().err == ""


def test_that_nothing_can_be_written_is_said_once(file, capsys):
    file.parent.touch()
    coin.check(mine)
    told = capsys.readouterr().out
    assert f"could not be written to `{file}` (" in told and "1 of 1 exercise of this notebook passed." in told
    mask.check(my_mask)
    coin.check(mine)
    told = capsys.readouterr().out
    assert f"1 of {len(exercises_of(autoregression))} exercises" in told and "could not" not in told
    assert passed.read() == {}
    assert main(["progress"]) == 0


def test_another_kernel_that_keeps_the_lock_is_not_waited_for(file, capsys):
    file.parent.mkdir()
    with passed.FileLock(file.with_suffix(".lock")):
        coin.check(mine)
    assert "(it is locked)" in capsys.readouterr().out and not file.exists()
    mask.check(my_mask)
    assert set(passed.read()) == {coin.key, mask.key}


@pytest.mark.parametrize("variable", [None, "~no such user/passed.json"])
def test_a_user_without_a_home_can_do_the_exercises(file, monkeypatch, capsys, variable):
    monkeypatch.delenv("GENCOURSE_PASSED")
    if variable:
        monkeypatch.setenv("GENCOURSE_PASSED", variable)

    def no_home(*arguments, **options):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(passed, "user_data_path", no_home)
    assert coin.check(mine) is mine and passed.read() == {} and not passed.forget()
    assert summary(start).look == "info"  # forgotten
    coin.check(mine)
    assert summary(start).look == "passed"
    assert main(["progress"]) == 0 and "Nothing is kept" in capsys.readouterr().out


def test_a_disk_that_hangs_does_not_hold_a_check_up(file, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(passed, "_write", lambda *arguments: hangs.wait())
    started = time.monotonic()
    assert passed.note(coin.key, seconds=0.2) == "" and time.monotonic() - started < 5
    hangs.set()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"start.coin_log_likelihood": 5}', '{"a": "yesterday"}', "\xff"])
def test_a_damaged_file_is_set_aside(file, damage):
    file.parent.mkdir()
    file.write_bytes(damage.encode("latin-1"))
    assert passed.read() == {}
    coin.check(mine)
    assert set(passed.read()) == {coin.key}
    assert not damage or file.with_suffix(".damaged").read_bytes() == damage.encode("latin-1")


def test_several_kernels_at_once_lose_nothing(file):
    code = "import sys; from gencourse.exercises.machine import passed\n"
    code += "for n in range(8): passed.note(f'{sys.argv[1]}.{n}', seconds=30)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    kernels = [subprocess.Popen([sys.executable, "-c", code, str(k)], env=environment) for k in range(4)]
    assert [kernel.wait(120) for kernel in kernels] == [0] * 4
    assert set(passed.read()) == {f"{k}.{n}" for k in range(4) for n in range(8)}


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_nothing_else_is_left_in_the_folder(file):
    coin.check(mine)
    mask.check(my_mask)
    assert {path.name for path in file.parent.iterdir()} == {"passed.json", "passed.lock"}
    assert stat.S_ISREG(file.stat().st_mode)
    assert passed.forget() and list(file.parent.iterdir()) == []


def test_a_pass_says_how_far_the_reader_has_come(file, capsys):
    total = sum(isinstance(each, Exercise) for each in vars(autoregression).values())
    mask.check(my_mask)
    told = capsys.readouterr().out
    left = sum(each.minutes for each in vars(autoregression).values() if isinstance(each, Exercise)) - mask.minutes
    assert f"1 of {total} exercises of this notebook passed, about {left} minutes left." in told
    coin.check(mine)
    assert "1 of 1 exercise of this notebook passed." in capsys.readouterr().out


def test_a_cell_shows_what_is_left(file, monkeypatch):
    mask.check(my_mask)
    told = summary(autoregression)
    assert told.title.startswith("1 of ") and "`chain_rule" in told.body and f"`{mask.name}`" not in told.body
    monkeypatch.setenv("GENCOURSE_PASSED", "0")  # kept nowhere, but known in this kernel
    assert summary(autoregression) == told
    passed.forget()
    assert summary(autoregression).title.startswith("0 of ")
    coin.check(mine)
    assert summary(start).look == "passed" and summary(start).body == ""
    with pytest.raises(TypeError, match="passed has no exercises; expected a module such as gencourse.exercises.vae"):
        summary(passed)


def test_progress_shows_every_exercise_of_the_notebooks_and_forgets(file, capsys):
    coin.check(mine)
    capsys.readouterr()
    assert main(["progress"]) == 0
    told = capsys.readouterr().out
    (row,) = (line for line in told.splitlines() if "coin_log_likelihood" in line)
    assert row.split()[:4] == ["00_start_here", "coin_log_likelihood", "5", "easy"]
    assert row.split()[4] == f"{passed.read()[coin.key]:%Y-%m-%d}"
    for path in execute.NOTEBOOKS.glob("*.ipynb"):
        assert path.stem in told
    assert "1 of " in told and str(file) in told
    assert main(["progress", "--forget"]) == 0 and str(file) in capsys.readouterr().out
    assert not file.exists() and main(["progress"]) == 0 and "0 of " in capsys.readouterr().out
