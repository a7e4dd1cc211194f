"""Notebooks made for a test."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def toy(path, *sources, tags=()):
    """A notebook with a heading, a parameters cell and one cell for each source."""
    cells = [
        new_markdown_cell("# 1. Masks & more"),
        new_code_cell("seed = 0\neffort = 1.0", metadata={"tags": ["parameters"]}),
        *(new_code_cell(source, metadata={"tags": list(tags)}) for source in sources),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


def outputs(path):
    """What the cells of a notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    stored = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in stored if output.output_type == "stream")
