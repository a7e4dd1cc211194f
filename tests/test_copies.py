"""A reader's own copies of the notebooks: where they lie, and that nothing of a reader's is ever lost."""

import os
from pathlib import Path

import pytest

from gencourse import copies


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A course, a current folder and a home; what is in `locked` cannot be written."""
    for name in ("course", "here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("GENCOURSE_COPIES", raising=False)
    monkeypatch.setattr(copies, "NOTEBOOKS", tmp_path / "course" / "notebooks")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.chdir(tmp_path / "here")
    locked = []
    monkeypatch.setattr(os, "access", lambda path, mode: not {path, *Path(path).parents} & {tmp_path / x for x in locked})
    return tmp_path, locked


@pytest.mark.parametrize(("locked", "there", "expected"), [
    ([], [], "course"),
    ([], ["home/my_notebooks"], "course"),
    (["course"], [], "here"),
    (["course/my_notebooks"], ["course/my_notebooks"], "here"),  # of another reader
    (["course"], ["home/my_notebooks"], "home"),
    (["course", "here"], [], "home"),
    (["course", "here", "home"], [], "course"),  # nowhere; who writes there will be told
])  # fmt: skip
def test_the_copies_lie_where_they_can_be_written(places, locked, there, expected):
    at, shut = places
    for path in there:
        (at / path).mkdir()
    shut += locked
    assert copies.folder() == at / expected / "my_notebooks"


def test_inside_the_folder_of_the_copies_it_is_found(places, monkeypatch):
    at, shut = places
    shut.append("course")
    (at / "here" / "my_notebooks").mkdir()
    monkeypatch.chdir(at / "here" / "my_notebooks")
    assert copies.folder() == at / "here" / "my_notebooks"


def test_a_reader_may_name_a_folder(places, monkeypatch):
    monkeypatch.setenv("GENCOURSE_COPIES", "mine ä")
    assert copies.folder() == places[0] / "here" / "mine ä"
