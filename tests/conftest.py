"""What all tests share: no network, no progress bars, no waiting for a kernel that is not coming back."""

import importlib.util
import math
import os
import signal
from pathlib import Path

import matplotlib
import pytest
import torch

from gencourse.train import _Interrupts

OFFLINE = str(Path(__file__).parent / "offline")

# every kernel and every child that a test starts, nbval's too, and this process itself
os.environ["GENCOURSE_OFFLINE"] = "1"
os.environ["GENCOURSE_PROGRESS"] = "0"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))
_spec = importlib.util.spec_from_file_location("offline", Path(OFFLINE) / "sitecustomize.py")
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; tests interrupt, and are obeyed
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # of the tests themselves, which compute on small things only
matplotlib.use("agg")  # here only: a kernel that inherited it would show no figures


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "output_timeout"):  # nbval's; its own 5 s are short on a busy machine
            item.output_timeout = 60


@pytest.fixture(autouse=True)
def _no_training_was_stopped_before(monkeypatch):
    """A Ctrl-C soon after that of another training ends all; no test is to be the second."""
    monkeypatch.setattr(_Interrupts, "last", -math.inf)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, for the tests of pages."""
    from pages import CHROMIUM, FLAGS
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
