"""What all tests share: no network, no progress bars, and a word on every test and every cell that was not run.

nbval expects every cell below one that outlasted its limit to fail, and lets that cell itself pass if it went on after
the interrupt, as training loops do. Here a cell of a notebook runs to its end in time, or it has failed.
"""

import importlib.util
import json
import math
import os
import re
import signal
import tempfile
from collections import defaultdict
from pathlib import Path

import matplotlib
import pytest
import torch

from gencourse.claims import CLAIMS, MIME
from gencourse.claims.shown import EXPECTED
from gencourse.course.execute import NOTEBOOKS, UNSET, kernel_environment
from gencourse.training.interrupts import Interrupts

OFFLINE = str(Path(__file__).parent / "offline")
LONG = (  # begun first, so that none of them is left over for one process at the end
    "test_notebooks.py", "test_grading_submissions.py", "test_study.py", "test_exercises.py", "test_docs_book.py",
    "test_grading_class.py", "test_checkpoints.py", "test_docs_slides.py",
)  # fmt: skip
PARAMETER = re.compile(r"^effort = .*", re.MULTILINE)
IPYTHON = tempfile.TemporaryDirectory(prefix="ipython-", ignore_cleanup_errors=True)  # of nbval's kernels

# every kernel and every child that a test starts, nbval's too, and this process itself
os.environ["GENCOURSE_OFFLINE"] = "1"
os.environ["GENCOURSE_PROGRESS"] = "0"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))
_spec = importlib.util.spec_from_file_location("offline", Path(OFFLINE) / "sitecustomize.py")
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; tests interrupt, and are obeyed
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # of the tests themselves, which compute on small things only
matplotlib.rcdefaults()  # whatever the reader's own matplotlibrc says
matplotlib.use("agg")  # here only: a kernel that inherited it would show no figures


def pytest_addoption(parser):
    parser.addoption("--effort", type=float, help="the notebooks' parameter `effort`, in place of what stands in them")


def pytest_unconfigure():
    IPYTHON.cleanup()


def outcomes_of_exact_claims():
    """{id: outcome} of the exact claims in the committed notebooks: they come out alike in every run."""
    found = {}
    for path in NOTEBOOKS.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for stored in (output.get("data", {}).get(MIME) for output in cell.get("outputs", [])):
                if stored and CLAIMS[stored["claim"]].exact:
                    found[stored["claim"]] = stored["outcome"]
    return found


def is_cell(item):
    """Is it a cell of a notebook, which nbval runs?"""
    return hasattr(item, "output_timeout")


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))
    cells = [item for item in items if is_cell(item)]
    for item in cells:
        item.output_timeout = 60  # nbval's own 5 s are short on a busy machine
        if item.config.option.effort and "parameters" in item.cell.metadata.get("tags", []):
            item.cell.source, found = PARAMETER.subn(f"effort = {item.config.option.effort}", item.cell.source)
            assert found == 1, f"{item.path.name} has no parameter `effort`"
    if cells or any(item.path.name == "test_notebooks.py" for item in items):
        os.environ[EXPECTED] = json.dumps(outcomes_of_exact_claims())
    if cells:
        for name in UNSET:
            os.environ.pop(name, None)
        os.environ.update(kernel_environment(IPYTHON.name))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if is_cell(item):
        item.parent.timed_out = False  # or nbval marks this cell as expected to fail


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if not is_cell(item) or report.failed:
        return report
    cell = f"{item.path.name}, cell {item.cell.get('id', item.cell_num)}"
    if item.parent.timed_out:
        limit = item.config.option.nbval_cell_timeout
        fail(report, f"{cell}: it outlasted its limit of {limit:g} s, and went on after the interrupt")
    elif report.skipped or hasattr(report, "wasxfail"):
        fail(report, f"{cell}: it was not tested: {getattr(report, 'wasxfail', '') or report.longrepr[-1]}")
    return report


def fail(report, message):
    """Turn a report into a failure that says so."""
    report.outcome, report.longrepr = "failed", message
    vars(report).pop("wasxfail", None)


def pytest_terminal_summary(terminalreporter, config):
    """What was skipped, and which command tests all; kept for the end of `make test`, where notebooks come after."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    nodes = {report.nodeid for report in reports if getattr(report, "when", None)}
    if not nodes or config.option.nbval_lax or config.option.nbval:
        return
    text = not_tested(terminalreporter.stats.get("skipped", []), len(nodes))
    terminalreporter.write_sep("=", "not tested")
    terminalreporter.write_line(text)
    if hasattr(config, "cache"):
        (config.cache.mkdir("not-tested") / "summary.txt").write_text(text + "\n", encoding="utf-8")


def not_tested(skipped, total):
    """A text on the skipped reports of a run of `total` tests: the reasons, each with its tests."""
    if not skipped:
        return f"None of the {total:,} tests was skipped."
    reasons = defaultdict(list)
    for report in skipped:
        reasons[report.longrepr[-1].removeprefix("Skipped: ")].append(report.nodeid.split("::")[0].split("/")[-1])
    lines = [f"{len(skipped):,} of {total:,} tests were skipped:"]
    for reason, files in sorted(reasons.items(), key=lambda item: -len(item[1])):
        lines += [f"  {len(files):4} in {', '.join(sorted(set(files)))}", f"       {reason}"]
    lines.append("`make test-all` installs the Python packages that are missing, and tests what they allow.")
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def _no_training_was_stopped_before(monkeypatch):
    """A Ctrl-C soon after that of another training ends all; no test is to be the second."""
    monkeypatch.setattr(Interrupts, "last", -math.inf)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, for the tests of pages."""
    from pages import CHROMIUM, FLAGS
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
