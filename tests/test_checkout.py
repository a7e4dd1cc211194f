"""What a clone looks like, whatever git is set to."""

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
