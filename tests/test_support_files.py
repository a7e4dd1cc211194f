"""A file that the package writes is there whole or not at all, whoever writes it."""

import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from torch import nn

from gencourse.course import doctor, notebook
from gencourse.course.execute import Execution
from gencourse.support import storage
from gencourse.support.files import write_whole


def state(path, n):
    storage.write_state(path, {"tensors": nn.Linear(n, 1).state_dict(), "step": n})


def cells(path, n):
    notebook.write(new_notebook(cells=[new_markdown_cell("text " * n, id="text")]), path)


def timings(path, n):
    doctor.TIMINGS = path
    doctor.record([Execution(Path(f"{n}.ipynb"), 1.0, 1.0)], {})


# who writes, and what fills the file for it
WRITERS = [
    pytest.param(state, storage, "save_file", id="state"),
    pytest.param(cells, nbformat, "write", id="notebook"),
    pytest.param(timings, Path, "write_text", id="timings"),
]


@pytest.fixture(autouse=True)
def timings_elsewhere(monkeypatch):
    monkeypatch.setattr(doctor, "TIMINGS", doctor.TIMINGS)  # given back after the test


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("at", ["filling", "os.fsync", "os.chmod", "os.replace"])
@pytest.mark.parametrize(("write", "owner", "name"), WRITERS)
def test_files_are_written_whole_or_not_at_all(write, owner, name, at, error, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, 2)
    content = path.read_bytes()
    if at != "filling":
        owner, name = os, at.removeprefix("os.")

    def fail(*given, **_):
        if at == "filling":
            part = next(Path(x) for x in given if isinstance(x, Path))
            part.write_bytes(content[: len(content) // 2])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        for place in (path, tmp_path / "other"):
            with pytest.raises(type(error)):
                write(place, 3)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"], "something was left lying about"
    write(path, 3)
    assert path.read_bytes() != content and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("write", "owner", "name"), WRITERS)
def test_a_new_file_can_be_read_by_all_and_an_old_one_keeps_its_permissions(write, owner, name, tmp_path):
    path = tmp_path / "a new" / "folder" / "file"
    write(path, 2)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o640)
    write(path, 3)
    assert path.stat().st_mode & 0o777 == 0o640


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, n=name, f=original: done.append(n) or f(*given))
    with write_whole(tmp_path / "file") as part:
        part.write_text("text")
        assert part.parent == tmp_path and not (tmp_path / "file").exists()
    assert done == ["fsync", "replace"] and (tmp_path / "file").read_text() == "text"
