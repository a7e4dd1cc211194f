"""What is shown, in the characters that the output has: a verdict, a claim, a command's table."""

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gencourse.support import output
from gencourse.support.output import ERRORS, command, plain_signs, plural, say, show

ROOT = Path(__file__).resolve().parents[1]
EVERYTHING = """
from test_exercises_passed import coin, mine
from types import SimpleNamespace
from gencourse.claims import ledger, confirm
from gencourse.metrics import Interval
from gencourse.support.output import say
from gencourse.cli import main

coin.check(mine)
coin.check(lambda flips, p: 0)
coin.hint()
coin.solution()
for flipped in (0.6, 0.001, Interval(0.3, -0.1, 0.7)):
    confirm("ST1", farthest=0.0025, step=0.005, flipped=flipped)
confirm("ST1", farthest=0.0025, step=0.005, flipped=0.6, after=SimpleNamespace(interrupted=True, stopped="σ ≥ µ, 中"))
say("Fréchet – naïve “x” ≤ 2")
assert main(["study", "report", "gmm-singular", "--folder", "nowhere"]) == 2
assert main(["study"]) == main(["progress"]) == main(["execute", "--help"]) == 0
assert main(["train", "日本"]) == main(["execute", "日本"]) == 2
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_output_is_too_poor(encoding, tmp_path):
    own = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C", "GENCOURSE_PASSED": str(tmp_path / "p.json")}
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTEST_VERSION", "GENCOURSE_OUTCOMES")
    } | own
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.path.dirname(__file__), environment["PYTHONPATH"]])
    (tmp_path / "everything.py").write_text(EVERYTHING, encoding="utf-8")
    done = subprocess.run([sys.executable, "everything.py"], env=environment, cwd=tmp_path, capture_output=True)
    told = done.stdout.decode(encoding)
    assert done.returncode == 0, done.stderr.decode(encoding)
    assert "+ coin_log_likelihood: passed" in told and "~ coin_log_likelihood: not yet" in told
    assert all(
        words in told for words in ("+ ST1 holds", "x ST1 does not hold", "? ST1 is not settled", "o not measured")
    )
    assert {"ascii": 'Frechet - naive "x" <= 2', "cp1252": "Fréchet – naïve “x” <= 2"}[encoding] in told


def test_an_output_takes_what_it_can(monkeypatch):
    poor = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    plain_signs(poor)
    poor.write("✓ café → ½ σₓ 中")
    poor.flush()
    assert poor.buffer.getvalue().decode("cp1252") == "+ café -> ½ ?x ?"
    assert "é".encode("ascii", ERRORS) == b"e"
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw: there is no output
    say("✓")
    show("✓")
    plain_signs(None)
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", ERRORS)


def test_in_a_notebook_a_box_is_displayed_and_elsewhere_its_text(monkeypatch, capsys):
    class Page:
        def __repr__(self):
            return "✓ text"

    shown = []
    show(Page())
    assert capsys.readouterr().out == "✓ text\n"
    monkeypatch.setattr(output, "in_ipython", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    show(page := Page())
    assert shown == [page] and capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))  # IPython in a poor terminal
    show(page)
    sys.stdout.flush()
    assert shown == [page] and sys.stdout.buffer.getvalue() == b"+ text\n"


def test_a_command_is_advised_as_it_works_where_it_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "a course"
    own = folder / ".venv" / "bin"
    own.mkdir(parents=True)
    for name in ("python", "gencourse"):
        (own / name).touch(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("progress") == f"{os.path.join('.venv', 'bin', 'python')} -m gencourse progress"
    monkeypatch.chdir(tmp_path / "a course" / ".venv")
    assert command("progress") == f"{os.path.join('bin', 'python')} -m gencourse progress"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "/else where/python")
    assert command("progress") == "'/else where/python' -m gencourse progress"
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    monkeypatch.setenv("PATH", str(own))
    assert command("train x") == "gencourse train x"
    monkeypatch.setattr(output, "in_ipython", lambda: True)
    assert command("train x") == "%run -m gencourse train x"


def test_one_is_one():
    assert [plural(n, "run") for n in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]
    assert plural(1, "class", "classes") == "1 class" and plural(2, "class", "classes") == "2 classes"


@pytest.mark.parametrize("folder", ["gencourse", "docs", "benchmarks", "data"])
def test_every_text_file_is_opened_as_utf_8(folder):
    assert {str(path): left for path in (ROOT / folder).rglob("*.py") if (left := without_encoding(path))} == {}


def without_encoding(path):
    """The lines in which a file is opened as text in whatever encoding the machine has."""
    lines = []
    for call in (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        owner = ast.unparse(call.func).rpartition(".")[0]
        words = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        named = any(each.arg == "encoding" for each in call.keywords) or "utf-8" in words
        text = {"read_text": True, "write_text": True, "open": not any("b" in word for word in words)}.get(name, False)
        if text and not named and owner.split(".")[-1] not in ("os", "Image", "wave", "tarfile", "gzip", "webbrowser"):
            lines.append(call.lineno)
    return lines


def test_a_file_in_the_machines_encoding_is_found(tmp_path):
    lines = [
        "path.read_text()",
        "path.write_text('x')",
        "open(path)",
        "path.open('w')",
        "open(path, 'wb')",
        "path.read_text('utf-8')",
        "open(path, encoding='utf-8')",
        "Image.open(path)",
    ]
    (tmp_path / "a.py").write_text("\n".join(lines), encoding="utf-8")
    assert without_encoding(tmp_path / "a.py") == [1, 2, 3, 4]
