"""What stands where, what never imports what, and what a notebook looks like in the repository."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook

from gencourse.claims import CLAIMS
from gencourse.course.execute import NOTEBOOKS
from gencourse.course.minutes import TAKES
from gencourse.course.notebook import KERNELSPEC, checks, is_readable, plain_python
from gencourse.exercises.machine.answers import is_stub

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "gencourse"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOP = {
    "README.md",
    "CONTRIBUTING.md",
    "CITATION.cff",
    "LICENSE",
    "LICENSE-TEXT",
    "Makefile",
    "environment.yml",
    "pyproject.toml",
    "constraints.txt",
    ".gitignore",
    ".gitattributes",
    ".ci",
    "notebooks",
    "gencourse",
    "data",
    "tests",
    "benchmarks",
    "docs",
    "findings",
}


# ------------------------------------------------------------------------------------- what imports what

# the rooms of the package, from the ground up: each imports those before it, and none that comes after
ROOMS = ("support", "data", "models", "training", "metrics", "plots", "widgets", "checkpoints", "failures", "study",
         "claims", "exercises", "course", "grading", "cli", "__main__")  # fmt: skip
MODULES_AT_THE_ROOT = {"data", "cli"}  # at most four; the others are folders


def imports(tree, module):
    """All modules that a file imports, as (full name, node); `from a import b` gives a and a.b."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            yield name, node
            yield from ((f"{name}.{alias.name}", node) for alias in node.names)


@pytest.fixture(scope="module")
def files():
    """Every file of the package, parsed, by its place in it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def breaches(files, places=None):
    """Every breach of the rules of what never imports what, in words: in all files, or in those at some places."""
    concrete = {
        node.name
        for place, tree in files.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and place.startswith("models/")
        and place not in ("models/base.py", "models/causal.py")  # what models share and others may name
    }
    found = set()
    for place, tree in ((place, files[place]) for place in places or files):
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        inside = {id(child) for function in functions for child in ast.walk(function)}
        for name, node in imports(tree, module_of(place)):
            if rule := broken_rule(place, name, id(node) in inside):
                found.add(f"{place} imports {name}: {rule}")
        if place.startswith(("support/", "training/", "metrics/", "plots/")):
            words = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(tree) if not of_torch(node)}
            found |= {f"{place} names {name}: it names no concrete model" for name in words & concrete}
        found |= {f"{place}: {word}" for word in unpickles(tree)}
    return sorted(found)


def module_of(place):
    """The full name of a file of the package; a package's own file is its `__init__`."""
    return ".".join(["gencourse", *place.removesuffix(".py").split("/")])


def circles(files):
    """Each circle of files that import each other, wherever in the file, as a line of their names."""
    names = {module_of(place).removesuffix(".__init__"): place for place in files}
    leads = {}
    for place, tree in files.items():
        inner = {name for name, _ in imports(tree, module_of(place)) if name in names}
        finer = {name for name in inner if not any(other.startswith(f"{name}.") for other in inner)}
        leads[place] = {names[name] for name in finer} - {place}
    found, done = set(), set()

    def follow(place, path):
        if place in path:
            circle = path[path.index(place) :]
            first = circle.index(min(circle))
            found.add(" -> ".join([*circle[first:], *circle[:first], circle[first]]))
        elif place not in done:
            for other in sorted(leads[place]):
                follow(other, [*path, place])
            done.add(place)

    for place in files:
        follow(place, [])
    return sorted(found)


def of_torch(node):
    """Is it `torch.Generator` or the like, and none of ours?"""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "torch"


SHARED_BY_MODELS = ("checks", "settings", "causal", "base")  # each may import those before it
SPECIAL_CASES = {"dirac_gan.py": "gan", "linear_vae.py": "vae"}  # models that are a case of another file's family


def is_within(name, *modules):
    """Is it one of the modules, or a name or a module in one of them?"""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def broken_rule(place, name, in_a_function):
    """The rule that the file `place` breaks by importing `name`, or None."""
    top = name.split(".")[0]
    own, other = (word.removesuffix(".py") for word in (place.split("/")[0], f"{name}.".split(".")[1]))
    if top == "gencourse" and own in ROOMS and other in ROOMS and ROOMS.index(other) > ROOMS.index(own):
        return f"{other} comes after {own}; a room imports those before it"
    shared = [f"gencourse.models.{part}" for part in SHARED_BY_MODELS]
    of_the_base = is_within(name, *shared, "gencourse.support.checks")
    a_model = name.startswith("gencourse.models") and not of_the_base
    if (module := module_of(place)) in shared:
        before = shared[: shared.index(module)]
        tools = ("gencourse.support.checks", "gencourse.support.devices")
        if top not in sys.stdlib_module_names | {"torch"} and not is_within(name, *before, *tools):
            return "what models share imports only torch, what stands before it, checks and devices"
    elif place.startswith("models/cached/") and place != "models/cached/__init__.py":
        own_model = f"gencourse.models.{place.split('/')[-1].removesuffix('.py')}"
        parts = (f"gencourse.models.cached.{part}" for part in ("rows", "compiled"))
        if top == "gencourse" and not of_the_base and not is_within(name, own_model, *parts):
            return "what samples a model imports that model, what models share, rows and compiled"
    elif place.startswith("models/") and not place.endswith("/__init__.py"):
        general = f"gencourse.models.{SPECIAL_CASES.get(place.split('/')[-1])}"
        if top == "gencourse" and not of_the_base and not is_within(name, general):
            return "models import what models share and checks, a special case also its family; nothing else of ours"
    if place.startswith(("support/", "training/", "metrics/", "plots/")) and a_model:
        return "it knows no model"
    if top == "ipywidgets" and not place.startswith("widgets/"):
        return "only widgets import it"
    for_nbgrader = ("grading/autograde.py", "grading/collect.py", "grading/report.py")  # which nbgrader imports
    if top in ("nbgrader", "nbconvert", "nbclient") and place not in for_nbgrader and not in_a_function:
        return "only what nbgrader itself imports does so"
    if top in ("dask", "distributed", "joblib") and not (place == "study/__init__.py" and in_a_function):
        return "only study imports it, inside the function that needs it"
    if top == "notebooks":
        return "the package imports no notebook"
    return None


def unpickles(tree):
    """Everything in a file that could run code hidden in data."""
    pickles = {"pickle", "cloudpickle", "dill"}  # joblib too, but study starts processes with it
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            yield from (f"imports {name}" for name in names & pickles)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("torch.load", "torch.save"):
            yield ast.unparse(node)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) == "True":
            yield "allow_pickle"


def test_nothing_imports_what_it_must_not(files):
    assert breaches(files) == []


def test_every_file_stands_in_a_room(files):
    tops = {place.split("/")[0] for place in files}
    modules = {top.removesuffix(".py") for top in tops if top.endswith(".py")}
    assert {top.removesuffix(".py") for top in tops} == {*ROOMS, "__init__"}
    assert modules - {"__init__", "__main__"} == MODULES_AT_THE_ROOT and len(MODULES_AT_THE_ROOT) <= 4


def test_no_files_import_each_other(files):
    assert circles(files) == []
    planted = {
        "data.py": ast.parse("def read():\n    from gencourse.support import files"),
        "support/files.py": ast.parse("from gencourse.data import read"),
        "support/__init__.py": ast.parse(""),
    }
    assert circles(planted) == ["data.py -> support/files.py -> data.py"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("models/base.py", "import numpy"),
        ("models/causal.py", "from .base import Autoregressive"),
        ("models/causal.py", "from gencourse import data"),
        ("models/pixelcnn.py", "from ..training import fit"),
        ("models/checks.py", "import numpy"),
        ("models/checks.py", "from gencourse.models.settings import first_weight"),
        ("models/settings.py", "from gencourse.models.vae import VAE"),
        ("models/pixelcnn.py", "from gencourse.models.wavenet import WaveNet"),
        ("models/pixelcnn.py", "from gencourse.models.baselines import ContextTable"),
        ("models/pixelcnn.py", "from gencourse.models.cached.pixelcnn import pixelcnn_stepper"),
        ("models/vae.py", "from gencourse.models.gan import GAN"),
        ("models/dirac_gan.py", "from gencourse.models.vae import VAE"),
        ("models/cached/pixelrnn.py", "from gencourse.models.pixelcnn import PixelCNN"),
        ("models/cached/rows.py", "from gencourse.models.pixelcnn import PixelCNN"),
        ("models/cached/wavenet.py", "from gencourse import data"),
        ("training/__init__.py", "from gencourse.models import PixelCNN"),
        ("training/__init__.py", "default = PixelCNN"),
        ("support/storage.py", "from ..models import WaveNet"),
        ("metrics/__init__.py", "import gencourse.models.pixelcnn"),
        ("metrics/__init__.py", "from gencourse.models.baselines import ContextTable"),
        ("metrics/__init__.py", "from gencourse.models.cached.rows import RowCache"),
        ("plots/__init__.py", "from .. import models"),
        ("plots/__init__.py", "import ipywidgets as widgets"),
        ("grading/export.py", "from nbgrader.api import Gradebook"),
        ("study/__init__.py", "import dask"),
        ("study/__init__.py", "import joblib"),
        ("training/__init__.py", "def load():\n    import joblib"),
        ("data.py", "def load():\n    from joblib.externals import loky"),
        ("data.py", "def load():\n    import distributed"),
        ("data.py", "from gencourse import exercises"),
        ("data.py", "import gencourse.checkpoints"),
        ("data.py", "def load():\n    from gencourse.cli import main"),
        ("training/__init__.py", "from ..checkpoints.recipes import RECIPES"),
        ("exercises/machine/exercise.py", "from gencourse.course.notebook import read"),
        ("data.py", "import notebooks"),
        ("data.py", "import pickle"),
        ("training/__init__.py", "state = torch.load('weights')"),
        ("data.py", "x = np.load('x.npy', allow_pickle=True)"),
    ],
)
def test_a_breach_is_found(files, file, line):
    planted = ast.parse(f"{(PACKAGE / file).read_text(encoding='utf-8')}\n{line}\n")
    new = set(breaches({**files, file: planted}, [file])) - set(breaches(files, [file]))
    assert new and all(words.startswith(file) for words in new)


def test_a_cluster_library_is_allowed_where_it_is_needed():
    source = "def run():\n    import dask\n    from joblib.externals import loky\n    return dask, loky\n"
    assert breaches({"study/__init__.py": ast.parse(source)}) == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_public_function_is_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    assert ast.get_docstring(tree), f"{path.name} has no docstring"
    assert [function.name for function in public if not ast.get_docstring(function)] == []


# ---------------------------------------------------------------------------------------- what stands where


def test_the_top_level_holds_what_it_should():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git repository")
    assert {line.strip('"').split("/")[0] for line in listed.stdout.splitlines()} - TOP == set()


def test_licences_and_citation_say_the_same_everywhere():
    project, cited = PYPROJECT["project"], yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["license"] == " AND ".join(cited["license"]) == "MIT AND CC-BY-4.0"
    assert project["version"] == str(cited["version"])
    assert project["authors"] == cited["authors"]
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in [*project["license-files"], "README.md"]}
    assert texts["LICENSE"].startswith("MIT License") and "CC BY 4.0" in texts["LICENSE-TEXT"]
    for text in texts.values():
        assert cited["authors"][0]["name"] in text
    assert cited["title"] in texts["LICENSE-TEXT"] and texts["README.md"].startswith(f"# {cited['title']}\n")


LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s#]+)[^)]*\)")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md", "benchmarks/README.md"])
def test_every_link_to_a_file_leads_to_one(name):
    path = ROOT / name
    planned = {f"notebooks/{claim.notebook}.ipynb" for claim in CLAIMS.values()}  # they may be still to come
    targets = {target for target in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in target}
    assert [target for target in targets - planned if not (path.parent / target).exists()] == []


def test_conda_users_get_the_same_environment():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    # the packages and ranges are read from pyproject.toml itself, not listed a second time
    python, installer = yaml.safe_load(text)["dependencies"]
    assert python == "python" + PYPROJECT["project"]["requires-python"] and installer.startswith("uv>=")
    line = 'uv pip install --torch-backend cpu -c constraints.txt -e ".[test]"'
    assert line in text and line in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "test" in PYPROJECT["project"]["optional-dependencies"]


def test_every_dependency_is_pinned_inside_its_range():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in pins)  # exact, and no local build
    pinned = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}
    project = PYPROJECT["project"]
    needs = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    for need in map(Requirement, needs):
        assert need.specifier, f"{need.name} has no range"
        version = pinned.get(canonicalize_name(need.name), "nothing")
        assert version != "nothing" and version in need.specifier, f"{need} is pinned to {version}"


# ------------------------------------------------------------------------------------------------ notebooks

PLACES = re.compile(
    rf"{re.escape(str(ROOT))}/|site-packages|[A-Z]:\\Users"
    r"|(?<![\w.])/(home|Users|root|tmp|mnt|private|var/folders)/[\w.]"
)


def faults(notebook):
    """What is wrong with a notebook as a file, in words."""
    found, seen = [], set()
    if notebook.metadata.get("kernelspec") != KERNELSPEC:
        found.append(f"kernelspec is {notebook.metadata.get('kernelspec')}")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1 or tagged[0].source.split() != "seed = 0 effort = 1.0".split():
        found.append("there must be one cell tagged parameters: seed = 0, effort = 1.0")
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if not is_readable(cell.id) or cell.id in seen:
            found.append(f"cell id {cell.id!r} is not readable, or not unique")
        seen.add(cell.id)
        if "injected-parameters" in tags:
            found.append(f"{cell.id}: parameters of another run")
        if cell.cell_type != "code":
            continue
        lines = [line for line in TAKES.sub("", cell.source).splitlines() if line.strip()]
        if len(lines) > 25:
            found.append(f"{cell.id}: {len(lines)} lines of code")
        if lines and cell.execution_count is None:
            found.append(f"{cell.id}: committed without having run")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"{cell.id}: an error is stored")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            found.append(f"{cell.id}: something on stderr is stored")
        if any(re.match(r"[A-Z]\w*\(\w+=", output.get("data", {}).get("text/plain", "")) for output in cell.outputs):
            found.append(f"{cell.id}: the cell ends in an object that is shown as code")
        if any(output.get("data", {}).get("text/plain", "").startswith("○ not measured") for output in cell.outputs):
            found.append(f"{cell.id}: a claim is stored as not measured")
        if address := re.search(r"\b0x[0-9a-fA-F]{6,}", "".join(_texts(cell.outputs))):
            found.append(f"{cell.id}: the address of an object is stored ({address[0]})")
        found += [f"{cell.id}: {words}" for output in cell.outputs for words in _picture_faults(output)]
        if place := PLACES.search("".join(_texts(cell.outputs))):
            found.append(f"{cell.id}: a path of some machine is stored ({place[0]}…)")
        tree = ast.parse(plain_python(cell.source))
        for name, _ in imports(tree, "notebook"):
            if name.startswith("gencourse") and re.search(r"\._", name):
                found.append(f"{cell.id}: imports {name}, which is not public")
        if "exercise" in tags:
            found += [f"{cell.id}: {name} is attempted" for name in _attempted(cell.source)]
        elif re.search(r"\w\.\w+\.check\(", cell.source):
            found.append(f"{cell.id}: an exercise without the tag exercise")
    return found


def _picture_faults(output):
    """What is missing at a stored picture: the HTML that has its words, the words, or the PNG for print."""
    data = output.get("data", {})
    pictures = re.findall(r"<img[^>]*>", data.get("text/html", ""))
    if any(kind.startswith("image/") for kind in data) and not pictures:
        yield "a picture without words, as the end of a cell draws it; plots.show gives it some"
    if not all(re.search(r'alt="[^"]*\w', picture) for picture in pictures):
        yield "a picture whose alt is empty"
    if pictures and not ("image/png" in data and re.search(r"\w", data.get("text/plain", ""))):
        yield "a picture in HTML alone, which LaTeX and PDF leave out"


def _texts(node):
    """Every string in outputs, but for pictures and sounds."""
    if isinstance(node, str):
        yield re.sub(r"data:[\w/+-]+;base64,[\w+/=\s]+", "", node)
    elif isinstance(node, dict):
        for key, value in node.items():
            if not key.startswith(("image/png", "image/jpeg", "audio/")):
                yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _attempted(source):
    """Names of the checked functions of an exercise cell that are more than a stub."""
    checked = {function for _, _, function, _ in checks(source)}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in checked:
            node.decorator_list, node.returns = [], None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            node.args.defaults = [ast.Constant(None) for _ in node.args.defaults]
            node.args.kw_defaults = [ast.Constant(None) for _ in node.args.kw_defaults]
            scope = {}
            exec(compile(ast.fix_missing_locations(ast.Module([node], [])), "stub", "exec"), scope)
            if not is_stub(scope[node.name]):
                yield node.name


NOTEBOOK_PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOK_PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_ready_to_be_read(path):
    assert path.stat().st_size <= 1_450_000
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert faults(notebook) == []


def missing_names(notebook):
    """What the cells of a notebook import from the package and is not there."""
    trees = [ast.parse(plain_python(cell.source)) for cell in notebook.cells if cell.cell_type == "code"]
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)):
        for alias in node.names if node.module.startswith("gencourse") else []:
            if not hasattr(import_module(node.module), alias.name):
                try:
                    import_module(f"{node.module}.{alias.name}")
                except ModuleNotFoundError:
                    yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", NOTEBOOK_PATHS, ids=lambda path: path.stem)
def test_a_notebook_imports_what_is_there(path):
    notebook = nbformat.read(path, as_version=4)
    assert list(missing_names(notebook)) == []
    notebook.cells.append(
        new_code_cell("from gencourse import doctor, data\nfrom gencourse.data import mnist, nothing")
    )
    assert list(missing_names(notebook)) == ["gencourse.doctor", "gencourse.data.nothing"]


def test_faults_are_found():
    stub = 'def f(x: Tensor = pi):\n    """What."""\n    ...  # your code\n\n\nf = exercises.f.check(f)'
    path = nbformat.v4.new_output("stream", text="read /home/ann/course/data")
    failed = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    warned = nbformat.v4.new_output("stream", name="stderr", text="Warning")
    drawn = nbformat.v4.new_output("display_data", {"image/png": "iVBO", "text/plain": "<Figure size 700x400>"})
    address = nbformat.v4.new_output("execute_result", {"text/plain": "<Colorbar at 0x7f294100ad50>"})
    silent = nbformat.v4.new_output(
        "display_data", {"text/html": '<img alt="" src="data:,">', "image/png": "iVBO", "text/plain": "A line."}
    )
    alone = nbformat.v4.new_output("display_data", {"text/html": '<img alt="A line.">', "text/plain": "A line."})
    shown = nbformat.v4.new_output("execute_result", {"text/plain": "History(loss=[2.9, 2.8])"}, execution_count=1)
    open_claim = nbformat.v4.new_output("display_data", {"text/plain": "○ not measured AR4  It beats them."})
    tags = {"tags": ["exercise"]}
    cells = {
        "": new_code_cell("seed = 0\neffort = 1.0", id="parameters", metadata={"tags": ["parameters"]}),
        "a-01: an exercise without": new_code_cell(stub, id="a-01"),
        "a-02: f is attempted": new_code_cell(stub.replace("...", "return x + 1"), id="a-02", metadata=tags),
        "a-03: a path": new_code_cell("1", id="a-03", outputs=[path]),
        "a-04: an error": new_code_cell("1", id="a-04", outputs=[failed]),
        "a-05: something on stderr": new_code_cell("1", id="a-05", outputs=[warned]),
        "a-09: the cell ends in an object": new_code_cell("fit(model, x)", id="a-09", outputs=[shown]),
        "a-14: a claim is stored as not measured": new_code_cell("1", id="a-14", outputs=[open_claim]),
        "a-10: a picture without words": new_code_cell("1", id="a-10", outputs=[drawn]),
        "a-11: the address of an object": new_code_cell("1", id="a-11", outputs=[address]),
        "a-12: a picture whose alt is empty": new_code_cell("1", id="a-12", outputs=[silent]),
        "a-13: a picture in HTML alone": new_code_cell("1", id="a-13", outputs=[alone]),
        "a-06: 26 lines": new_code_cell("x = 1\n" * 26, id="a-06"),
        "a-07: imports gencourse.training._w": new_code_cell("from gencourse.training import _w", id="a-07"),
        "cell id 'deadbeef'": new_code_cell("1", id="deadbeef"),
        " ": new_code_cell(stub, id="a-08", metadata=tags),
    }
    for cell in cells.values():
        cell.execution_count = 1
    notebook = new_notebook(cells=list(cells.values()), metadata={"kernelspec": KERNELSPEC})
    expected = [words for words in cells if words.strip()]
    found = faults(notebook)
    assert len(found) == len(expected)
    assert all(any(words in fault for fault in found) for words in expected)
    cells["a-03: a path"].execution_count = None
    notebook.metadata.kernelspec = {"name": "julia"}
    notebook.cells.pop(0)
    words = " ".join(faults(notebook))
    assert "without having run" in words and "kernelspec is" in words and "tagged parameters" in words


NODES = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOK_PATHS}
TEXTS = {name: [c.source for c in node.cells if c.cell_type == "markdown"] for name, node in NODES.items()}


def test_each_notebook_leads_to_the_next_and_the_previous_at_its_top_and_at_its_end():
    names = list(NODES)
    titles = {name: name[:2] + re.match("#( [^:\n]+)", texts[0])[1] for name, texts in TEXTS.items()}
    for i, name in enumerate(names):
        links = [f"[Previous: {titles[each]}]({each}.ipynb)" for each in names[max(i - 1, 0) : i]]
        links += [f"[Next: {titles[each]}]({each}.ipynb)" for each in names[i + 1 : i + 2]]
        assert TEXTS[name][0].splitlines()[4] == " · ".join(links)  # below the title and the question
        assert TEXTS[name][-1].splitlines()[-1] == " · ".join(links)
        assert NODES[name].cells[-1].cell_type == "markdown"


def test_a_notebook_opened_alone_says_how_to_get_the_rest():
    begins = set()
    for node in NODES.values():
        _, imports_cell = [cell.source for cell in node.cells if cell.cell_type == "code"][:2]  # the first: parameters
        begins.add(imports_cell.partition("\n\n")[0])
    (words,) = begins  # the same in all of them
    assert words.startswith("try:\n    import gencourse")
    alone = [sys.executable, "-c", "import sys; sys.modules['gencourse'] = None\n" + words]  # as if not installed
    told = subprocess.run(alone, capture_output=True, text=True).stderr
    last = told.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: this notebook needs the rest of its course:") and "make lab" in last
    assert "During handling" not in told


@pytest.mark.parametrize("name", NODES)
def test_a_notebook_shows_progress_before_the_questions_to_recall(name):
    cells = NODES[name].cells
    (at,) = [i for i, c in enumerate(cells) if c.cell_type == "markdown" and "## Questions to recall" in c.source]
    assert cells[at].source.startswith("## ")
    assert cells[at - 1].source == "from gencourse.exercises import summary\n\nsummary(exercises)"
    assert "passed" in cells[at - 2].source and cells[at - 2].cell_type == "markdown"


@pytest.mark.parametrize("name", NODES)
def test_a_claim_of_a_notebook_that_trains_names_the_trainings_it_rests_on(name):
    """`after=` is given wherever a history of the notebook may be one that the claim rests on; the others are named."""
    rests_on_none = {  # definitions, stored models and studies, timings, loops that Ctrl-C ends with an error
        "ST1",
        "AR1",
        "AR2",
        "AR3",
        "AR6",
        "AR7",
        "AR8",
        "AR9",
        "GM1",
        "GM2",
        "VA2",
        "VA5",
        "VA8",
        "VA9",
        "GA1",
        "GA2",
        "GA3",
        "GA4",
        "GA5",
        "GA6",
        "GA7",
        "GA8",
    }
    for cell in NODES[name].cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(plain_python(cell.source))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "confirm":
                    given = {keyword.arg for keyword in node.keywords}
                    assert ("after" in given) != (node.args[0].value in rests_on_none), node.args[0].value


def test_nothing_printed_has_digits_that_nobody_reads():
    """Figures are formatted: their look would depend on the reader's print options, and nobody reads twelve digits."""
    long = re.compile(r"\d\.\d{8,}|\btensor\(|\barray\(\[")
    for name, node in NODES.items():
        for cell in node.cells:
            texts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.get("outputs", [])]
            assert not long.search("\n".join(texts)), f"{name}, {cell.id}"
            assert not re.search(r"(?<![\d.,])1 (dimensions|notes|runs|flips|outcomes)\b", "\n".join(texts)), cell.id
