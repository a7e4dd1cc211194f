"""A clone, whatever git is set to; and what `make` hands to its programs, whatever the caller's environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = (".ci/run", "Makefile", "pyproject.toml", "gencourse/cli.py", "docs/deck/deck.js", "notebooks/02_gmm.ipynb")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")
def test_scripts_have_no_carriage_returns_where_git_would_put_them(tmp_path):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)

    for name in (".gitattributes", *FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    git("init", "-q")
    git("config", "core.autocrlf", "true")  # what the installer of Git for Windows proposes
    git("add", ".")
    git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "x")
    for name in FILES:
        (tmp_path / name).unlink()
    git("checkout", "-f", "-q", ".")
    assert [name for name in FILES if b"\r" in (tmp_path / name).read_bytes()] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")
def test_make_gives_its_programs_utf8_and_no_settings_that_hide_figures_or_asserts():
    habits = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "1", "MPLBACKEND": "svg"}
    command = ["make", "--no-print-directory", "--eval", "environment: ; @env", "environment"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **habits}, capture_output=True, encoding="utf-8")
    given = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert given["PYTHONUTF8"] == "1" and not {"PYTHONOPTIMIZE", "MPLBACKEND"} & set(given)
