"""A reader's own copies of the notebooks, in a folder that git ignores: the course's own stay as they are."""

import os
from pathlib import Path

from gencourse.execute import NOTEBOOKS

NAME = "my_notebooks"


def folder():
    """The folder of the copies, whether it is there or not.

    The environment variable GENCOURSE_COPIES names it; else it is my_notebooks/ beside notebooks/. Where that cannot be
    written, as in a course that many share, it is my_notebooks/ in the current folder, or in the home.
    """
    if chosen := os.environ.get("GENCOURSE_COPIES"):
        return Path(chosen).expanduser().absolute()
    own, here = NOTEBOOKS.with_name(NAME), Path.cwd()
    if _writable(own):
        return own
    others = [here if here.name == NAME else here / NAME, Path.home() / NAME]
    able = [path for path in others if _writable(path)]
    return next((path for path in able if path.is_dir()), able[0] if able else own)


def _writable(path):
    return os.access(path if path.exists() else path.parent, os.W_OK)
