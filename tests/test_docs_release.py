"""The archive to publish: whatever is built, its licences, and the same bytes for the same files."""

import os
import runpy
import zipfile
from pathlib import Path

import pytest

BUILD = runpy.run_path(str(Path(__file__).resolve().parents[1] / "docs" / "build.py"))


def built(folder, *names, time=0):
    """A stub of what `make book slides` leaves."""
    for name in names:
        for page in ("index.html", "_static/ä b.js", "03_vae.html"):
            path = folder / name / page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {page}", encoding="utf-8")
            path.chmod(0o644 if time else 0o600)
            os.utime(path, (time, time))
    return folder


def test_the_archive_holds_what_is_built_with_its_licences(tmp_path):
    path = BUILD["release"](built(tmp_path, "slides", "book", "book-source"))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        top = path.stem + "/"
        assert names == sorted(names) and all(name.startswith(top) for name in names)
        inside = {name.removeprefix(top) for name in names}
        assert inside >= {"LICENSE", "LICENSE-TEXT", "CITATION.cff", "data/README.md", "book/03_vae.html"}
        assert {"slides/index.html", "book/_static/ä b.js"} < inside
        assert not any(name.startswith(("book-source", "handouts")) for name in inside)
        assert archive.read(f"{top}slides/03_vae.html") == b"slides 03_vae.html"
        front = archive.read(f"{top}index.html").decode()
        assert 'href="book/index.html"' in front and 'href="slides/index.html"' in front and "handouts" not in front


def test_the_same_files_give_the_same_archive(tmp_path):
    first = BUILD["release"](built(tmp_path / "one", "book", "slides")).read_bytes()
    assert BUILD["release"](built(tmp_path / "two", "slides", "book", time=1e9)).read_bytes() == first
    assert BUILD["release"](tmp_path / "two").read_bytes() == first  # an old archive is replaced


def test_without_anything_built_it_says_what_to_build(tmp_path):
    with pytest.raises(RuntimeError, match="make book slides"):
        BUILD["release"](tmp_path)
    assert list(tmp_path.iterdir()) == []
