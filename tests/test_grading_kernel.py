"""The kernel of a submission is bounded: time, memory, output, files, and what it sees of the machine."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from grading import needs_nbgrader
from nbformat.v4 import new_code_cell, new_notebook

from gencourse.course.execute import NOTEBOOKS

SOON = {"timeout": 2, "iopub_timeout": 1}  # seconds: for a cell, and then for the end of what it shows


def examined(*sources, locked=(), **limits):
    """What comes out of the cells of a submission."""
    from gencourse.grading.autograde import Examine

    cells = [new_code_cell(source) for source in sources]
    for index in locked:
        cells[index].metadata.nbgrader = {"grade": False, "solution": False, "locked": True, "grade_id": "setup"}
    notebook = new_notebook(cells=cells)
    Examine(**limits).preprocess(notebook, {"metadata": {"path": str(Path(__file__).parent)}})
    return ["".join(str(dict(output)) for output in cell.outputs) for cell in notebook.cells]


@needs_nbgrader
def test_a_cell_that_takes_no_notice_of_an_interrupt_costs_only_itself():
    stuck = "import itertools\nprint('stuck')\nsum(itertools.count())"
    once = "import pathlib, sys\nn = 0\nwhile n < 10**9: n += 1"
    first, slow, bad, after = examined("n = 7", once, stuck, "print(f'{n=}')", **SOON)
    assert "could not be interrupted" in bad and "stuck" not in bad
    assert "CellTimeoutError" in slow and "n=7" in after  # in the second kernel the slow cell is left out as well


@needs_nbgrader
def test_no_time_is_left_after_a_while():
    slow, after = examined("import time\ntime.sleep(60)", "print('here')", timeout=30, seconds=3)
    assert "CellTimeoutError" in slow and "no time was left" in after and "here" not in after


@needs_nbgrader
@pytest.mark.parametrize(
    "flood",
    [
        "for _ in range(300):\n    print('x' * 10**5, flush=True)",
        "from IPython.display import display\nfor _ in range(300):\n    display({'text/plain': 'x' * 10**5}, raw=True)",
        "print('x' * 4 * 10**7)",
        "while True:\n    print('x' * 10**4)",
    ],
)
def test_output_without_end_is_cut(flood):
    out, after = examined(flood, "print('after')", **SOON)
    assert len(out) < 1_500_000 and "after" in after


@needs_nbgrader
@pytest.mark.skipif(os.name != "posix", reason="there are no such bounds on Windows")
def test_memory_and_files_are_bounded(tmp_path):
    grow = "held = []\nwhile True:\n    held.append(bytearray(10**7))"
    write = f"file = open({str(tmp_path / 'large')!r}, 'wb')\nfor _ in range(100):\n    file.write(bytes(10**7))"
    disk, hog, after = examined(write, grow, "print('after')", memory_mib=600, timeout=30)
    assert "MemoryError" in hog and "after" in after
    assert "File too large" in disk and (tmp_path / "large").stat().st_size <= 2**26


@needs_nbgrader
def test_a_failure_of_the_assignment_itself_is_nobody_s_zero():
    for source, why in (("1 / 0", "ZeroDivisionError"), ("import os\nos._exit(0)", "the kernel died")):
        with pytest.raises(RuntimeError, match=f"cell setup of the assignment itself failed .*: {why}"):
            examined(source, locked=[0])


@needs_nbgrader
def test_the_kernel_can_be_started_in_a_sandbox():
    command = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a network of his own")
    look = "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)"
    assert "refused" in examined(look)[0]
    out, after = examined(f"{look}", "print('after')", command=command)
    assert "unreachable" in out and "after" in after


@needs_nbgrader
def test_the_sandbox_that_instructors_are_told_of_hides_what_it_should(tmp_path, monkeypatch):
    shut = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    if shutil.which("bwrap") is None or subprocess.run(shut, capture_output=True).returncode:
        pytest.skip("there is no bubblewrap, or this system lets nobody use it")
    for name in ("course", "home", "run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("marks")
    monkeypatch.chdir(tmp_path / "course")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "run"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that TMPDIR is looked up again
    page = (NOTEBOOKS.parent / "docs" / "pages" / "instructors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    c = SimpleNamespace(Examine=SimpleNamespace())
    exec(code, {"c": c})
    look = f"""
import os, pathlib
print("hidden", ["mine" in os.listdir(f"{tmp_path}/{{name}}") for name in ("course", "home")])
print("networks", [line.split(":")[0].strip() for line in pathlib.Path("/proc/net/dev").open() if ":" in line])
for do in (lambda: pathlib.Path("{tmp_path}/file").write_text(""), lambda: os.kill({os.getpid()}, 0)):
    try:
        do()
    except OSError as error:
        print(type(error).__name__, error)"""
    out, slow, after = examined(look, "while True: pass", "print('after')", command=c.Examine.command, **SOON)
    for words in ("hidden [False, False]", "networks ['lo']", "Read-only", "ProcessLookupError"):
        assert words in out, words
    assert "not run to its end" in slow and "after" in after
