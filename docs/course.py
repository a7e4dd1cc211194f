"""What the committed notebooks say: their claims with what was measured, exercises, sections, papers.

Everything that the book and the slides list is read here, from the notebooks' own cells and stored outputs.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from gencourse.claims import MIME, Outcome, Part
from gencourse.course.notebook import exercises, read

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"


@dataclass(frozen=True)
class Exercise:
    """An exercise where it stands: id of its cell, the heading above it, and the exercise itself."""

    cell: str
    title: str
    exercise: object


@dataclass(frozen=True)
class Measured:
    """What a cell decided about a claim: the outcome, and each measurement in words."""

    claim: str
    cell: str
    outcome: Outcome
    lines: tuple[str, ...]


def decision(output, cell=""):
    """The decision that a stored output shows, or None."""
    stored = output.get("data", {}).get(MIME)
    if not stored or stored["outcome"] not in list(Outcome):
        return None
    lines = tuple(str(Part(**{**part, "outcome": Outcome(part["outcome"])})) for part in stored["parts"])
    return Measured(stored["claim"], cell, Outcome(stored["outcome"]), lines)


@dataclass(frozen=True)
class Paper:
    """One citation: `text` names authors, title and arXiv number or year, `remark` says what for (or is empty)."""

    text: str
    remark: str

    @property
    def key(self):
        """What two citations of one paper share: the arXiv number, or else the letters of the title."""
        number = re.search(r"arXiv:([\d.]+\d)", self.text)
        title = re.search(r"\*(.+?)\*", self.text)
        return number[1] if number else re.sub(r"\W", "", (title or [self.text] * 2)[1].lower())


@dataclass(frozen=True)
class Section:
    """A `##` section: its title as it stands (Markdown), and its number in the notebook or None."""

    title: str
    number: int | None


@dataclass
class Notebook:
    """A notebook of the course by its path, read once."""

    path: Path
    node: nbformat.NotebookNode = field(init=False, repr=False)

    def __post_init__(self):
        self.node = read(self.path)

    @property
    def name(self):
        """Such as 03_vae."""
        return self.path.stem

    @cached_property
    def title(self):
        """The text of the first heading."""
        return re.search(r"^# (.+)$", self._markdown, re.MULTILINE)[1].strip()

    @property
    def numbered(self):
        """Its number and its title, as they stand in the book: "03 Variational autoencoders: …"."""
        return f"{self.name[:2]} {self.title}"

    @cached_property
    def question(self):
        """The question that the notebook opens with, in bold under its title."""
        return re.search(r"^\*\*(.+?)\*\*$", self._markdown, re.MULTILINE | re.DOTALL)[1].replace("\n", " ")

    @cached_property
    def minutes(self):
        """The stated length: the first number of minutes after **Time.**"""
        stated = re.search(r"^\*\*Time\.\*\*\D*?(\d+) minutes", self._markdown, re.MULTILINE)
        if not stated:
            raise ValueError(f"{self.path.name} states no length; expected a line such as **Time.** 60 minutes of …")
        return int(stated[1])

    @cached_property
    def sections(self):
        """Its `##` sections in order."""
        found = []
        for cell in self.node.cells:
            if cell.cell_type == "markdown":
                for title in re.findall(r"^## (.+)$", cell.source, re.MULTILINE):
                    number = re.match(r"(\d+)\. ", title)
                    found.append(Section(title.strip(), int(number[1]) if number else None))
        return found

    @cached_property
    def measured(self):
        """{claim id: `Measured`}, from the stored outputs; claims that were not decided are left out."""
        found = {}
        for cell in self.node.cells:
            for output in cell.get("outputs", []):
                if it := decision(output, cell.id):
                    found[it.claim] = it
        return found

    @cached_property
    def exercises(self):
        """Its exercises in order, each with the heading above it."""
        found, heading, problems = [], "", []
        placed = exercises(self.node, problems)
        if problems:
            raise ValueError(f"{self.path.name}, {problems[0]}")
        for index, cell in enumerate(self.node.cells):
            if cell.cell_type == "markdown":
                for line in re.findall(r"^#{2,4} (.+)$", cell.source, re.MULTILINE):
                    heading = line.strip()
            found += [Exercise(cell.id, heading, exercise) for at, exercise in placed if at == index]
        return found

    @cached_property
    def papers(self):
        """What its section Papers (or Reading) cites, in order."""
        found = []
        section = re.search(r"^## (?:Papers|Reading)\n(.+?)(?=^## |\Z)", self._markdown, re.MULTILINE | re.DOTALL)
        for item in re.findall(r"^- (.+?)(?=^- |^\n|\Z)", section[1] if section else "", re.MULTILINE | re.DOTALL):
            found += citations(" ".join(item.split()))
        return found

    @property
    def _markdown(self):
        return "\n\n".join(cell.source for cell in self.node.cells if cell.cell_type == "markdown")


def citations(item):
    """The citations in one line of a list of papers.

    One ends with an arXiv number or a year, then perhaps a remark; the next begins after a full stop, a semicolon or
    an "and".
    """
    mark = r"(?:arXiv:\d{4}\.\d{4,5}|\(\d{4}\))"
    begins = rf"(?=(?:van (?:de[nr] )?)?[A-ZÀ-Ž][^.;]*?(?:al\.[^.;]*?)?{mark})"
    parts = re.split(rf"(?:(?<=[.;]) |(?<=\d), and ){begins}", item)
    found = []
    for part in parts:
        cited = re.match(rf"(.+?{mark})(.*)$", part)
        text, rest = (cited[1], cited[2]) if cited else (part, "")
        found.append(Paper(text.strip(" .;"), rest.strip(" .;:,")))
    return found


def notebooks():
    """All notebooks of the course, in order."""
    return [Notebook(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
