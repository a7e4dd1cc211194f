"""Laws of running and cleaning notebooks, on toys."""

import errno
import os
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from toys import outputs, toy

from gencourse.course import execute as execution
from gencourse.course import notebook as notebooks
from gencourse.course.execute import NotebookError, _check_whole, execute, table
from gencourse.course.notebook import clean, is_readable, with_solutions

SUM = "total = sum(range(11))\nprint(total)"


def test_in_place_keeps_outputs_and_only_the_metadata_that_is_wanted(tmp_path):
    hold = "import time\nheld = bytearray(200 * 2**20)\ntime.sleep(0.5)"
    path = toy(tmp_path / "a folder" / "toy.ipynb", SUM, hold)
    (run,) = execute([path], show_progress=False)
    assert run.error is None and run.seconds > 0.5 and run.peak_mib > 200
    done = nbformat.read(path, as_version=4)
    nbformat.validate(done)
    assert outputs(path) == "55\n"
    assert done.metadata == {"kernelspec": notebooks.KERNELSPEC, "language_info": notebooks.LANGUAGE}
    assert [cell.id for cell in done.cells] == [f"masks-more-{number:02d}" for number in (1, 2, 3, 4)]
    assert [dict(cell.metadata) for cell in done.cells] == [{}, {"tags": ["parameters"]}, {}, {}]
    assert [cell.execution_count for cell in done.cells[1:]] == [1, 2, 3]
    assert str(tmp_path) not in path.read_text()
    assert os.listdir(path.parent) == ["toy.ipynb"]


def test_what_is_printed_in_pieces_is_stored_whole(tmp_path):
    slow = "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.3)"
    path = toy(tmp_path / "toy.ipynb", slow)
    execute([path], show_progress=False)
    (output,) = nbformat.read(path, as_version=4).cells[-1].outputs
    assert output.text == "0\n1\n2\n"


def test_running_twice_gives_the_same_file(tmp_path):
    path = toy(tmp_path / "toy.ipynb", "import ipywidgets\nipywidgets.IntSlider(3)", SUM)
    execute([path], show_progress=False)
    first = path.read_bytes()
    assert b"widget-0001" in first and b"widget-state" in first
    execute([path], show_progress=False)
    assert path.read_bytes() == first


def test_the_kernel_is_this_python_and_starts_beside_the_notebook(tmp_path):
    path = toy(tmp_path / "toy.ipynb", "import os, sys\nprint(sys.prefix)\nprint(os.getcwd())")
    execute([path], tmp_path / "out", show_progress=False)
    assert outputs(tmp_path / "out" / "toy.ipynb").split("\n")[:2] == [sys.prefix, str(tmp_path)]


def test_figures_are_shown_whatever_backend_the_caller_has_set(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    path = toy(tmp_path / "toy.ipynb", "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    execute([path], show_progress=False)
    assert "image/png" in path.read_text()


def test_parameters_reach_the_copy_and_unknown_ones_are_refused_before_anything_runs(tmp_path):
    path = toy(tmp_path / "toy.ipynb", "print(effort)")
    before = path.read_bytes()
    execute([path], tmp_path / "out", {"effort": 0.1}, show_progress=False)
    assert outputs(tmp_path / "out" / "toy.ipynb") == "0.1\n" and path.read_bytes() == before
    with pytest.raises(ValueError, match=r"no parameter 'effrot'; it has seed, effort"):
        execute([path], tmp_path / "out2", {"effrot": 0.1})
    assert not (tmp_path / "out2").exists()
    with pytest.raises(ValueError, match="in place"):
        execute([path], parameters={"effort": 0.1})
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ipynb"):
        execute([path, tmp_path / "nowhere.ipynb"], tmp_path / "out")
    with pytest.raises(ValueError, match="one name"):
        execute([path, toy(tmp_path / "b" / "toy.ipynb")], tmp_path / "out")


@pytest.mark.parametrize(
    ("source", "words"),
    [("x = 1\nraise KeyError('gone')", "KeyError: 'gone'"), ("import os\nos._exit(1)", "the kernel died")],
)
def test_a_notebook_that_fails_is_not_written_and_the_others_still_run(tmp_path, source, words):
    bad, good = toy(tmp_path / "bad.ipynb", SUM, source), toy(tmp_path / "good.ipynb", SUM)
    before, out = bad.read_bytes(), tmp_path / "out"
    toy(out / "bad.ipynb", "'of an earlier run'")
    runs = execute([bad, good], out, show_progress=False)
    assert words in runs[0].error and runs[1].error is None
    assert nbformat.read(bad, as_version=4).cells[3].id in runs[0].error
    assert os.listdir(out) == ["good.ipynb"] and "FAILED" in table(runs)
    execute([bad], show_progress=False)
    assert bad.read_bytes() == before


def test_ids_are_readable_unique_and_stay_when_a_cell_is_put_between():
    cells = [
        new_markdown_cell("# 2. The two stacks\n\n```\n# no heading\n```"),
        new_code_cell("1"),
        new_markdown_cell("text\n\n## µ-law, and back\n\ntext"),
        new_code_cell("2"),
        new_code_cell("3", id="sum-of-probabilities"),
        new_markdown_cell("# " + "very long " * 20),
        new_markdown_cell("# 中文"),
    ]
    done = clean(new_notebook(cells=cells))
    ids = [cell.id for cell in done.cells]
    assert ids[:5] == [
        "the-two-stacks-01",
        "the-two-stacks-02",
        "law-and-back-01",
        "law-and-back-02",
        "sum-of-probabilities",
    ]
    assert all(map(is_readable, ids)) and len(set(ids)) == len(ids)
    done.cells.insert(1, new_code_cell("between"))
    again = [cell.id for cell in clean(done).cells]
    assert [again[0], *again[2:]] == ids and again[1] == "the-two-stacks-03"
    assert not is_readable("3f2a9c1b") and not is_readable("Hello World") and not is_readable("a" * 65)


def test_solutions_replace_the_stubs_and_nothing_else():
    pytest.importorskip("gencourse.exercises.start")
    from gencourse.exercises import Exercise, start

    name, exercise = next((n, e) for n, e in vars(start).items() if isinstance(e, Exercise))
    source = f"kept = 1\n\n{exercise.stub}\n{name} = exercises.{name}.check({name})\n{name}"
    cells = [
        new_code_cell("%matplotlib inline\nfrom gencourse.exercises import (\n    start as exercises,\n)"),
        new_code_cell(source, metadata={"tags": ["exercise"]}),
    ]
    nb = new_notebook(cells=cells)
    solved = with_solutions(nb).cells[1].source
    assert nb.cells[1].source == source
    assert solved == source.replace(exercise.stub, exercise.solution_source)
    assert f".grade({name})" in with_solutions(nb, insist=True).cells[1].source
    cells[1].source = "x = 1"
    with pytest.raises(ValueError, match="hands nothing to"):
        with_solutions(nb)


def test_the_network_is_cut_and_the_loopback_is_not(tmp_path):
    here = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname(), timeout=5).close()\n"
        "print('loopback')\n"
    )
    away = (
        "import socket, urllib.request\n"
        "for reach in [\n"
        "    lambda: socket.create_connection(('192.0.2.1', 80), timeout=5),\n"
        "    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9)),\n"
        "    lambda: urllib.request.urlopen('http://example.com', timeout=5),\n"
        "]:\n"
        "    try:\n"
        "        reach()\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    path = toy(tmp_path / "toy.ipynb", here, away)
    execute([path], show_progress=False)
    assert outputs(path).count("the network is cut") == 3 and "loopback" in outputs(path)
    with pytest.raises(OSError, match="the network is cut"):
        exec(away.splitlines()[0] + "\nsocket.create_connection(('192.0.2.1', 80), timeout=5)", {})


@pytest.mark.parametrize("sources", [["import sys\nsys.exit(0)", SUM], ["raise SystemExit"], ["exit(0)", SUM]])
def test_a_cell_that_ends_the_run_is_an_error(tmp_path, sources):
    path = toy(tmp_path / "toy.ipynb", *sources)
    before = path.read_bytes()
    (run,) = execute([path], show_progress=False)
    assert nbformat.read(path, as_version=4).cells[2].id in run.error and "xit" in run.error
    assert path.read_bytes() == before


def test_a_cell_that_is_never_run_is_an_error(tmp_path):
    skipped = toy(tmp_path / "toy.ipynb", SUM, tags=["skip-execution"])
    (run,) = execute([skipped], show_progress=False)
    assert "never run" in run.error and nbformat.read(skipped, as_version=4).cells[2].id in run.error


def test_counts_tell_what_ran_whatever_papermill_says():
    """As papermill leaves a notebook after a timeout, and after the kernel was started again."""
    completed = {"papermill": {"status": "completed"}}
    cells = [new_code_cell("1", execution_count=count, metadata=completed) for count in (1, 2, 3)]
    cells.insert(1, new_code_cell(" \n"))  # an empty cell has no count
    notebook = new_notebook(cells=cells)
    _check_whole(notebook)
    notebook.cells[3].execution_count = 1
    with pytest.raises(NotebookError, match=f"cell {cells[3].id}: .* run 1, and it is code cell 3"):
        _check_whole(notebook)
    notebook.cells[2].execution_count = notebook.cells[3].execution_count = None
    with pytest.raises(NotebookError, match=f"cell {cells[2].id}: it was never run"):
        _check_whole(notebook)


@pytest.mark.parametrize("to", [None, "out", "out/below"])
def test_a_folder_in_which_nothing_can_be_written_is_found_before_anything_runs(tmp_path, monkeypatch, to):
    def refused(dir):  # as on a read-only disk; root may write into every folder
        raise OSError(errno.EROFS, "Read-only file system")

    path = toy(tmp_path / "toy.ipynb", SUM)
    monkeypatch.setattr(execution.tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(execution, "run", lambda *_: pytest.fail("it was run"))
    with pytest.raises(ValueError, match=r"nothing can be written in .*\(Read-only file system\); .*--to"):
        execute([path], to and tmp_path / to, show_progress=False)


@pytest.fixture
def habits(tmp_path, monkeypatch):
    """A reader's home and environment with everything that could change what a kernel prints and draws."""
    return with_habits(tmp_path, monkeypatch)


def with_habits(folder, monkeypatch):
    home = folder / "home"
    startup = home / ".ipython" / "profile_default" / "startup" / "mine.py"
    script = home / "pythonstartup.py"
    style = home / "matplotlibrc"
    spec = home / "jupyter" / "kernels" / "python3" / "kernel.json"
    for file, text in [
        (startup, "import numpy\nnumpy.set_printoptions(precision=2)\nmine = 1"),
        (script, "own = 1"),
        (style, "figure.facecolor: black\nimage.origin: lower"),
        (spec, '{"argv": ["false", "{connection_file}"], "display_name": "Mine", "language": "python"}'),
    ]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    variables = dict(
        HOME=home,
        IPYTHONDIR=startup.parents[2],
        PYTHONSTARTUP=script,
        MATPLOTLIBRC=style,
        JUPYTER_DATA_DIR=home / "jupyter",
        MPLBACKEND="svg",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONOPTIMIZE="1",
        PYTHONWARNINGS="error",
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return folder


HABITS = [
    "'mine' in globals(), 'own' in globals()",
    "import numpy\nnumpy.array([1 / 3])",
    "import matplotlib\nmatplotlib.rcParams['figure.facecolor'], matplotlib.rcParams['image.origin']",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "with open('letters.txt', 'w') as file:\n    print(file.write('µ ✓'))\nopen('letters.txt').read()",
    "try:\n    assert False\nexcept AssertionError:\n    print('asserted')",
    "import warnings\nwith warnings.catch_warnings(record=True):\n    warnings.warn('only a warning')",
]


def test_a_readers_own_settings_change_nothing(habits):
    path = toy(habits / "toy.ipynb", *HABITS)
    (run,) = execute([path], show_progress=False)
    assert run.error is None
    cells = nbformat.read(path, as_version=4).cells[2:]
    shown = [output.get("data", output) for cell in cells for output in cell.outputs]
    texts = [data.get("text/plain", data.get("text", "")) for data in shown]
    assert texts[0] == "(False, False)" and texts[1] == "array([0.33333333])" and texts[2] == "('white', 'upper')"
    assert "image/png" in shown[3] and texts[4:7] == ["3\n", "'µ ✓'", "asserted\n"]
