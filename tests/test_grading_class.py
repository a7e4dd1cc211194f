"""A class is graded by the steps of the page for instructors."""

import csv
import html
import re
import zipfile

import nbformat
import pytest
from grading import START, STEM, by_name, insert, nbgrader, needs_nbgrader
from nbformat.v4 import new_code_cell

from gencourse.course.execute import NOTEBOOKS
from gencourse.exercises import vae
from gencourse.grading import export

# ------------------------------------------------------------------------------- a class, by the page for instructors

VAE, WHOLE = "03_vae", "vae_from_blank"
PAGE = (NOTEBOOKS.parent / "docs" / "pages" / "instructors.md").read_text(encoding="utf-8")
CLASS = {}  # name in the archive: what is done to the notebook that was handed out, or the bytes in its place


def hands_in(name):
    return lambda make: CLASS.setdefault(name, make)


def all_right(notebook):
    """All but the whole model, which takes as long to check as all others together."""
    for name, cell in by_name(notebook).items():
        if cell.metadata.nbgrader.solution and name != WHOLE:
            cell.source = getattr(vae, name).solution_source


@hands_in("Honest Ada_101_assignsubmission_file_03_vae.ipynb")
def diligent(notebook):
    all_right(notebook)
    by_name(notebook)[WHOLE].source = getattr(vae, WHOLE).solution_source


@hands_in("Copy Carl_102_assignsubmission_file/03_vae.ipynb")
def copied(notebook):
    """The setup, an answer, its test and its hidden test stand twice; and a cell of another assignment is there."""
    all_right(notebook)
    cells = by_name(notebook)
    for name in ("setup", "elbo", "elbo_check", "elbo_hidden"):
        insert(notebook, cells[name])
    foreign = insert(notebook, cells["elbo"], "helper = 1", after=cells["setup"])
    foreign.metadata.nbgrader.grade_id = "causal_mask"


@hands_in("Split Sue_103_assignsubmission_file_/03_vae.ipynb")
def split(notebook):
    """Each answer has a helper, and was split behind it."""
    all_right(notebook)
    for cell in [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]:
        name = cell.metadata.nbgrader.grade_id
        insert(
            notebook,
            cell,
            cell.source
            + f"\n\n_whole = {name}\ndef {name}(*a, **k):\n    return helper_of_{name}(_whole, *a, **k)".replace(
                "_whole", f"_whole_{name}"
            ),
        )
        cell.source = f"def helper_of_{name}(whole, *a, **k):\n    return whole(*a, **k)"


@hands_in("synsam_104_9001_03_vae.ipynb")
def syntax(notebook):
    all_right(notebook)
    by_name(notebook)["elbo"].source += "\nprint((1)"


@hands_in("doubledora_LATE_105_9002_03_vae-1.ipynb")
def double(notebook):
    all_right(notebook)
    notebook.cells.insert(
        0,
        new_code_cell(
            "import numpy, torch, warnings\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(3)\n"
            "torch.set_default_device('meta')\ntorch.set_grad_enabled(False)\ntorch.set_printoptions(precision=1)\n"
            "torch.use_deterministic_algorithms(True)\nnumpy.seterr(all='raise')\nwarnings.simplefilter('error')"
        ),
    )


CLASS |= {
    "Broken Bob_106_assignsubmission_file_03_vae.ipynb": lambda text: text[: len(text) // 2],
    "Web Wanda_107_assignsubmission_file_03_vae.ipynb": lambda text: b"<!DOCTYPE html>\n<html></html>",
    "Named Nick_108_assignsubmission_file/03_vae (1).ipynb": all_right,
    "Many Mia_109_assignsubmission_file/a.ipynb": all_right,
    "Many Mia_109_assignsubmission_file/b.ipynb": all_right,
    "Void Vic_110_assignsubmission_file/notes.txt": lambda text: b"see my mail",
}


@pytest.fixture(scope="module")
def a_class(tmp_path_factory):
    """The course folder after the steps of the page, and what each said: {command: (exit code, words)}."""
    folder = tmp_path_factory.mktemp("class") / "grading"
    export.nbgrader_course(folder, [NOTEBOOKS / f"{VAE}.ipynb", NOTEBOOKS / f"{START}.ipynb"], seed=1)
    table = PAGE.partition("| step | command |")[2].partition("\n\n")[0]
    commands = [command.replace(STEM, VAE) for command in re.findall(r"`nbgrader ([^`]+)`", table)]
    commands = [command for command in commands if command.split()[0] not in ("release_assignment", "collect")]
    assert [command.split()[0] for command in commands] == [
        "generate_assignment",
        "zip_collect",
        "autograde",
        "generate_feedback",
        "export",
    ]
    generate, *others = commands
    said = nbgrader(folder, f"generate_assignment {START}", generate)
    archive = folder / "downloaded" / VAE / "archive" / "ML-03 submissions-77.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as file:
        for name, make in CLASS.items():
            text = (folder / "release" / VAE / f"{VAE}.ipynb").read_bytes()
            if make.__name__ == "<lambda>":
                file.writestr(name, make(text))
            else:
                notebook = nbformat.reads(text.decode(), as_version=4)
                make(notebook)
                file.writestr(name, nbformat.writes(notebook))
    said |= nbgrader(folder, *others)
    return folder, {command.split()[0]: both for command, both in said.items()}


def table_of(folder):
    with open(folder / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


ADA = "Honest Ada_101"
GOOD = ("Copy Carl_102", "Split Sue_103", "doubledora_105", "Named Nick_108")
NOT_GRADED = {"Broken Bob_106": "not valid JSON", "Web Wanda_107": "a web page",
              "Many Mia_109": "there is no 03_vae.ipynb; handed in, but not graded: a.ipynb, b.ipynb"}  # fmt: skip


@needs_nbgrader
def test_the_steps_of_the_page_grade_a_class(a_class):
    folder, said = a_class
    codes = {command: code for command, (code, _) in said.items()}
    assert codes == {
        "generate_assignment": 0,
        "zip_collect": 0,
        "autograde": 1,
        "generate_feedback": 0,
        "export": 0,
    }, said
    rows = table_of(folder)
    assert {row["assignment"] for row in rows.values()} == {VAE}  # nobody handed the other one in
    assert rows.keys() == {ADA, *GOOD, "synsam_104", *NOT_GRADED}
    scores = {name: float(rows[name]["score"]) for name in (ADA, *GOOD, "synsam_104")}
    assert scores[ADA] == float(rows[ADA]["max_score"]), said["autograde"]
    short = scores[ADA] - export.POINTS[getattr(vae, WHOLE).difficulty]
    assert {name: scores[name] for name in GOOD} == dict.fromkeys(GOOD, short), said["autograde"]
    assert all(rows[name]["note"] == "" for name in (ADA, *GOOD))
    assert scores["synsam_104"] == short - export.POINTS[vae.elbo.difficulty]


@needs_nbgrader
def test_what_cannot_be_graded_is_told_from_a_zero(a_class):
    folder, said = a_class
    rows, words = table_of(folder), said["autograde"][1]
    for name, why in NOT_GRADED.items():
        assert rows[name]["score"] == rows[name]["raw_score"] == "" and why in rows[name]["note"], rows[name]
        assert f"There was an error processing assignment '{VAE}' for student '{name}'" in words
        assert not (folder / "feedback" / name).exists()
    assert "not graded: 03_vae.ipynb of Broken Bob_106: this is not valid JSON" in words
    assert "Named Nick_108: 03_vae (1).ipynb is taken for 03_vae.ipynb, and renamed" in words
    assert "Many Mia_109: not graded: none of a.ipynb, b.ipynb is called 03_vae.ipynb" in words
    assert "Void Vic_110_assignsubmission_file/notes.txt" in said["zip_collect"][1]


@needs_nbgrader
def test_only_what_was_changed_is_reported(a_class):
    words = a_class[1]["autograde"][1]
    assert "has changed" not in words and "does not exist in the database" not in words
    told = re.findall(r"WARNING\S*\]?\s(.*)", words)
    expected = "is there 2 times", "and renamed", "Removing failed assignment", "Skipping unknown notebook"
    assert [line for line in told if not any(words in line for words in expected)] == []


@needs_nbgrader
def test_a_page_of_feedback_gives_nothing_away_and_fetches_nothing(a_class):
    folder, _ = a_class
    source = (folder / "source" / VAE / f"{VAE}.ipynb").read_text(encoding="utf-8")
    (variant,) = set(re.findall(r"variant=(\d+)", source))
    pages = {path.parts[-3]: path.read_text(encoding="utf-8") for path in (folder / "feedback").rglob("*.html")}
    assert pages.keys() == {ADA, *GOOD, "synsam_104"}
    for page in pages.values():
        assert variant not in page and "variant" not in page
        assert "Content-Security-Policy" in page and "<script" not in page
        assert re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=.?http""", page) == []
        assert re.findall(r"""url\(.?http|@import""", page) == []
    assert ": passed</b>" in pages[ADA] and "not yet" not in pages[ADA]
    told = html.unescape(re.sub(r"<[^>]+>", "", pages["synsam_104"]))
    assert "There is no elbo, for its cell did not run to its end: SyntaxError: incomplete input, in line" in told
    assert "is not defined" not in told
