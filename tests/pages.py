"""What the tests of the book and of the slides share: they are built once, and looked at in a real browser."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
AXE = ROOT / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# the criteria of WCAG 2.2, levels A and AA
CRITERIA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

sys.path.insert(0, str(DOCS))


def missing():
    """What these tests need and this machine has not, in words, or None."""
    for package in ("sphinx", "myst_nb", "sphinx_book_theme", "nbconvert", "playwright"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not there: pip install -c constraints.txt -e '.[site]'"
    if shutil.which("npm") is None:
        return "npm is not there, which fetches what the pages load"
    if CHROMIUM is None:
        return "Chromium is not there; the variable CHROMIUM names another place"
    return None


def built(what):
    """The folder of the book or the slides, built by the command that `make` runs; skips where npm has no network."""
    command = [sys.executable, str(DOCS / "build.py"), what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if "is there a network?" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / what


class Page(HTMLParser):
    """A page's ids, links and pictures, as they stand in the file."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.links, self.pictures, self.text = path, [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("href", "src"):
            if attributes.get(name):
                self.links.append(attributes[name])
        if tag == "img":
            self.pictures.append(attributes.get("alt"))

    def handle_data(self, data):
        self.text += data


def dead_links(folder):
    """Links in the pages of a folder that lead nowhere: (page, link). What leads out of it is not followed."""
    pages = {path.resolve(): Page(path) for path in folder.rglob("*.html") if "_static" not in path.parts}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.split("?")[0].partition("#") if "?" in link else link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.is_file() or (anchor and target in pages and anchor not in pages[target].ids):
                dead.append((path.name, link))
    return dead


def watched(browser, **options):
    """A tab, and the list of its complaints: console errors, and requests that leave the machine."""
    tab, complaints = browser.new_page(**{"viewport": {"width": 1280, "height": 720}, **options}), []
    local = re.compile(r"file:|data:|blob:|about:|http://(127\.0\.0\.1|localhost)[:/]")
    tab.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: None if local.match(request.url) else complaints.append(request.url))
    return tab, complaints


def typeset(tab):
    """Wait for MathJax, if the page has any, and give the number of formulas that it could not read."""
    tab.evaluate("async () => { await window.MathJax?.startup?.promise }")
    return tab.evaluate("document.querySelectorAll('[data-mml-node=merror]').length")


def violations(tab, rules=None, without=".nothing"):
    """What axe-core finds on the page as it stands, against WCAG or these rules: (rule, first place, how many)."""
    tab.add_script_tag(path=str(AXE))
    return tab.evaluate(
        "async ([rules, without]) => (await axe.run({exclude: [[without]]},"
        " {preload: false, runOnly: rules, resultTypes: ['violations']}))"
        ".violations.map(v => [v.id, v.nodes[0].html.slice(0, 120), v.nodes.length])",
        [rules or CRITERIA, without],
    )


def move_each_dial(tab, inside="body"):
    """Move the first dial of every interactive under `inside` by keyboard; those whose picture stayed as it was."""
    return tab.evaluate(
        """(inside) => {
          const stuck = [];
          for (const root of document.querySelectorAll(inside + " [id^=explorer-], " + inside + " [id^=walker-]")) {
            const look = () => {
              const here = root.querySelector("[data-part=here]");
              return here ? here.style.backgroundPosition : root.querySelector("[data-part=picture]").src;
            };
            const input = root.querySelector("input[type=range]"), before = look();
            input.value = +input.value < +input.max ? +input.value + 1 : 0;
            input.dispatchEvent(new Event("input"));
            if (look() === before) stuck.push(root.id);
          }
          return stuck;
        }""",
        inside,
    )
