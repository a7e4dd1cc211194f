"""A deck of slides from a notebook: a slide has one message, and the prose goes into the speaker's notes.

Nothing is written by hand a second time. What a notebook is made of becomes slides by these rules:

- A heading starts a slide, with its first sentence, or with the formula, list or table that follows.
- A prediction is a slide with the question alone. Its answer comes after the cells that answer it.
- A figure, an interactive or a sound is a slide of its own; what it shows (its text alternative) is the title.
- What was printed is a slide, or stands below its figure if it is short.
- A claim is a slide: the sentence first, what was measured at the next click.
- A paragraph that begins in bold, such as **What you saw.**, is a slide with its first sentences.
- An exercise is a slide with its task. Questions to recall and papers are lists.
- All other prose is said, not shown: it goes into the notes of the next slide.

A `##` section is a stack of slides. Its minutes are its share of the notebook's stated length.
"""

import ast
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

import course
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from prose import closing, is_display, join, opening, shorten, split_blocks, until_heading

from gencourse.claims import CLAIMS

HERE = Path(__file__).resolve().parent
# how long a slide of each kind holds the room, beside the others
WEIGHTS = {"title": 1, "heading": 1, "predict": 2, "figure": 1.5, "answer": 0.5, "text": 1, "measured": 1, "claim": 1,
           "exercise": 1.5, "recall": 2, "papers": 0.5}  # fmt: skip
SAID = ("Time", "Needed")  # paragraphs in bold that are said and not shown
BELOW, WIDE = 4, 92  # printed lines below a figure, and their characters
LINES = 12  # printed lines on a slide
PAGE = 1500  # characters of a text with a list or a formula that a slide can show
CODE = 22  # lines of an exercise's code on a slide


@dataclass
class Slide:
    """One slide: where in the deck it is, Markdown, the outputs of a cell, what comes at the next click, and notes."""

    kind: str
    part: str
    title: str = ""
    body: str = ""
    cell: nbformat.NotebookNode | None = None
    outputs: list = field(default_factory=list)
    later: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Section:
    """A stack of slides under one heading, and its minutes."""

    title: str
    slides: list[Slide] = field(default_factory=list)
    minutes: int = 0

    @property
    def questions(self):
        """How often the room is asked."""
        return sum(slide.kind in ("predict", "claim", "exercise", "recall") for slide in self.slides)


class Deck:
    """The slides of a `course.Notebook`: `sections`, whose minutes add up to the notebook's stated length."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.exercises = {}
        for each in notebook.exercises:
            self.exercises.setdefault(each.cell, []).append(each)
        self.sections = [Section("Opening")]
        self.heading = self.last = ""
        self.pending, self.answers, self.printed = [], [], []
        self.shown = False  # has anything been shown since the last prediction?
        self.order = []  # slides, and code cells that are on no slide, as a live deck runs them
        for cell in notebook.node.cells:
            self._markdown(cell) if cell.cell_type == "markdown" else self._code(cell)
        self._flush()
        self._answer()
        if self.pending and self.sections[-1].slides:
            self.sections[-1].slides[-1].notes += self.pending
        self.sections = [section for section in self.sections if section.slides]
        share_out(self.sections, notebook.minutes)
        self._say_minutes()

    @property
    def slides(self):
        """All slides in order."""
        return [slide for section in self.sections for slide in section.slides]

    # -- from cells to slides ------------------------------------------------------------------------------

    def _add(self, kind, title="", body="", **more):
        above = dict.fromkeys([self.sections[-1].title, self.heading])
        part = "" if kind == "title" else " · ".join(words for words in above if words and words != title)
        slide = Slide(kind, part, title, body, notes=self.pending + more.pop("notes", []), **more)
        self.pending, self.last = [], ""
        self.sections[-1].slides.append(slide)
        self.order.append(slide)
        return slide

    def _flush(self):
        """A slide for what was printed since the last one."""
        lines, self.printed = self.printed, []
        for start in range(0, len(lines), LINES):
            self._add("measured", self.heading, self.last, outputs=[_stream(lines[start : start + LINES])])
            self.shown = True

    def _answer(self):
        answers, self.answers = self.answers, []
        for answer in answers:
            shown, _ = shorten(answer)
            self._add("answer", "What was to be expected", shown, notes=[answer])

    def _markdown(self, cell):
        self._flush()
        self._answer()
        blocks = split_blocks(cell.source)
        while blocks:
            block = blocks.pop(0)
            if heading := re.match(r"(#{1,4}) (.+)", block):
                self._heading(len(heading[1]), heading[2].strip(), blocks)
            elif block.startswith("<details>"):
                self._details(block, blocks)
            elif bold := re.match(r"\*\*([^*]+?)[.:]?\*\*\s+(?=\S)", block):
                self._bold(bold[1], block[bold.end() :], blocks)
            elif is_display(block):
                self._add("text", self.heading, join(self.last, block))
            else:
                self.last = closing(block)
                self.pending.append(block)

    def _heading(self, level, title, blocks):
        if level == 1:
            self._add("title", title, f"**{self.notebook.question}**")
            return
        if level == 2:
            self.sections.append(Section(title))
        is_exercise = re.match(r"Exercise \d|An exercise", title)
        self.heading, self.last = self.heading if is_exercise and level > 2 else title, ""
        if re.match(r"Papers$|Reading$", title):
            for start in range(0, len(self.notebook.papers), 8):
                part = self.notebook.papers[start : start + 8]
                self._add("papers", title, "\n".join(f"- {paper.text}" for paper in part))
            self.pending += [block for block in until_heading(blocks) if not is_display(block)]
        elif title == "Questions to recall":
            self._recall("\n".join(until_heading(blocks)))
        elif is_exercise:  # the task is shown with its cell
            self.pending += [block for block in until_heading(blocks) if not is_display(block)]
        elif blocks and not blocks[0].startswith(("#", "<details>", "**")):
            first = blocks.pop(0)
            if is_display(first):
                self._add("heading", title, first)
                return
            lead, notes = opening(first), [first]
            if blocks and is_display(blocks[0]):
                lead = join(lead, blocks.pop(0))
            self._add("heading", title, lead, notes=notes)
        elif level == 2 and blocks and not blocks[0].startswith("**"):
            self._add("heading", title)

    def _details(self, block, blocks):
        text = block
        while "</details>" not in text and blocks:
            text += "\n\n" + blocks.pop(0)
        summary, answer = re.search(r"<summary>(.*?)</summary>(.*?)</details>", text, re.DOTALL).groups()
        question, is_one = re.subn(r"<b>Predict\.</b>\s*", "", " ".join(summary.split()))
        answer = answer.strip()
        if not is_one:
            self.pending.append(f"**{question}** {answer}")
            return
        ask = [f"**Ask the room.** {question} Collect answers, and have them written down, before you go on."]
        body = join(self.last, f'<div class="question">{question}</div>')
        self._add("predict", "Predict", body, notes=[*ask, f"**In short.** {answer}"])
        self.shown = False
        if not re.search(r"\b[Ww]rite (\w+ )*?(down|yours?)\b|\bno answer\b", answer):
            self.answers.append(answer)

    def _bold(self, name, text, blocks):
        if name in SAID:
            self.pending.append(f"**{name}.** {text}")
            return
        below = blocks.pop(0) if blocks and is_display(blocks[0]) else ""
        if below and len(text) + len(below) <= PAGE:
            self._add("text", name, join(text, below), notes=[text])
        else:
            shown, whole = shorten(text)
            self._add("text", name, shown, notes=[] if whole and not below else [join(text, below)])

    def _recall(self, text):
        asked = re.findall(r"<summary>(?:\d+\. )?(.*?)</summary>(.*?)</details>", text, re.DOTALL)
        for start in range(0, len(asked), 4):
            part = asked[start : start + 4]
            listed = "\n".join(f"{start + i}. {' '.join(q.split())}" for i, (q, _) in enumerate(part, 1))
            answers = [f"**{start + i}.** {' '.join(a.split())}" for i, (_, a) in enumerate(part, 1)]
            self._add("recall", "Questions to recall", listed, notes=["**Ask the room.** One by one.", *answers])

    def _code(self, cell):
        if cell.id in self.exercises:
            self._exercise(cell)
            self.order.append(cell)
            return
        figures, lines, claims = [], [], []
        for output in cell.outputs:
            kind = classify(output)
            if kind == "figure":
                figures.append(output)
            elif kind == "claim":
                claims.append(output)
            elif kind == "text":
                lines += printed(output)
        lines = [line for line in lines if not re.fullmatch(r".{0,25}\b\d+ s\b.{0,15}", line)]  # how long it took
        if not figures:
            self.printed += lines
            self.order.append(cell)
        else:
            self._flush()
        for number, figure in enumerate(figures):
            below = lines if number == len(figures) - 1 else []
            fits = len(below) <= BELOW and max(map(len, below), default=0) <= WIDE
            alt = figure.data["text/plain"]
            title = self.heading or self.notebook.title if alt.startswith("[sound") else alt
            outputs = [figure, *([_stream(below)] if fits and below else [])]
            self._add("figure", title, cell=cell if not number else None, outputs=outputs)
            self.printed += [] if fits else below
            self.shown = True
        if claims:
            self._flush()
            if self.shown:
                self._answer()
            for output in claims:
                self._claim(output)

    def _claim(self, output):
        it = course.decision(output)
        claim, found = CLAIMS[it.claim], "<br>".join(map(_escape, it.lines))
        ask = f"**Ask the room.** What would refute this sentence? Here it is decided by {claim.measured_by}."
        self._add(
            "claim",
            f"Claim {it.claim}",
            f"**{claim.claim}**\n\nThe notes say: *{claim.sentence}*",
            notes=[ask],
            later=f'<div class="measured"><b>{it.outcome.mark} {it.outcome}.</b> {found}</div>',
        )

    def _exercise(self, cell):
        for each in self.exercises[cell.id]:
            exercise = each.exercise
            mistakes = "; ".join(dict.fromkeys(mistake.name for mistake in exercise.mistakes))
            notes = [
                f"**Ask the room.** What goes wrong here most easily? Mistakes that the check knows: {mistakes}.",
                f"About {exercise.minutes} minutes for one who does it, {exercise.difficulty}.",
            ]
            first, *rest = readable(exercise.stub)
            body = f"*About {exercise.minutes} minutes, {exercise.difficulty}*\n\n```python\n{first}```"
            self._add("exercise", each.title, body, notes=notes)
            for part in rest:
                self._add("text", f"{each.title}, continued", f"```python\n{part}```")

    def _say_minutes(self):
        passed, total = 0, self.notebook.minutes
        for number, section in enumerate(self.sections, 1):
            until = passed + section.minutes
            part = f"**Part {number} of {len(self.sections)}: {section.minutes} min**"
            section.slides[0].notes.insert(0, f"{part}, from minute {passed} to {until} of {total}.")
            passed = until


# -- outputs ----------------------------------------------------------------------------------------------------------


def classify(output):
    """What an output is for a slide: figure (an interactive or a sound too), claim, text, or nothing."""
    if output.output_type == "stream":
        return "text" if output.name == "stdout" else "nothing"
    data = output.get("data", {})
    page = data.get("text/html", "")
    if "application/vnd.jupyter.widget-view+json" in data:
        return "nothing"  # it needs a kernel
    if course.decision(output):
        return "claim"
    if "<img" in page or "<audio" in page:
        return "figure"
    return "text" if not page and output.output_type == "execute_result" else "nothing"


def printed(output):
    """The lines of a text output; a dictionary of numbers becomes a line for each."""
    text = output.text if output.output_type == "stream" else output.data["text/plain"]
    if text.startswith("{"):
        try:
            values = ast.literal_eval(text)
            width = max(map(len, values))
            return [f"{name:{width}}  {value:.6g}" for name, value in values.items()]
        except (ValueError, SyntaxError, TypeError):
            pass  # no plain numbers: as it stands
    return text.rstrip().splitlines()


def readable(source):
    """The source in parts of at most `CODE` lines, divided where a line ends a sentence, near the middle."""
    lines = source.splitlines(keepends=True)
    ends = [at for at, line in enumerate(lines[:-1], 1) if line.rstrip().endswith(".")]
    if len(lines) <= CODE or not ends:
        return [source]
    at = min(ends, key=lambda end: abs(end - len(lines) / 2))
    return [part for half in (lines[:at], lines[at:]) for part in readable("".join(half).strip("\n") + "\n")]


def _stream(lines):
    return nbformat.v4.new_output("stream", name="stdout", text="\n".join(lines))


def _escape(text):
    return re.sub(r"([*_$`\\])", lambda sign: f"&#{ord(sign[0])};", html.escape(text, quote=False))


# -- minutes ----------------------------------------------------------------------------------------------------------


def share_out(sections, total):
    """Give each section whole minutes by the `WEIGHTS` of its slides, at least one, which add up to `total`."""
    weights = [sum(WEIGHTS[slide.kind] for slide in section.slides) for section in sections]
    due = [max(1.0, weight * total / sum(weights)) for weight in weights]
    minutes = [max(1, int(minute)) for minute in due]
    while sum(minutes) != total:
        step = 1 if sum(minutes) < total else -1
        far = [(d - m) * step if m + step >= 1 else -1e9 for d, m in zip(due, minutes, strict=True)]
        minutes[far.index(max(far))] += step
    for section, minute in zip(sections, minutes, strict=True):
        section.minutes = minute


# -- the deck as a notebook, and as a page ----------------------------------------------------------------------------


def as_notebook(deck):
    """The deck as a notebook with slideshow metadata: it runs in order, and shows the same slides in JupyterLab."""
    node = nbformat.v4.new_notebook(metadata=nbformat.from_dict(dict(deck.notebook.node.metadata)))
    node.metadata["title"] = deck.notebook.title
    node.metadata.pop("widgets", None)
    first = {id(section.slides[0]): section for section in deck.sections}

    def add(cell, kind):
        cell.id = f"slide-{len(node.cells):03d}"
        if kind:
            cell.metadata["slideshow"] = {"slide_type": kind}
        node.cells.append(cell)

    for item in deck.order:
        if not isinstance(item, Slide):
            cell = new_code_cell(item.source, execution_count=item.execution_count)
            cell.metadata["jupyter"] = {"source_hidden": True}
            add(cell, "skip")
            continue
        level = "#" if item.kind == "title" else "##"
        above = f'<p class="part">{item.part}</p>' if item.part else ""
        source = join(above, f"{level} {' '.join(item.title.split())}", item.body)
        add(new_markdown_cell(source), "slide" if id(item) in first else "subslide")
        if item.outputs:
            source, count = (item.cell.source, item.cell.execution_count) if item.cell else ("", None)
            cell = new_code_cell(source, outputs=item.outputs, execution_count=count)
            cell.metadata["jupyter"] = {"source_hidden": True}
            add(cell, None)  # on the slide of the cell above
        if item.later:
            add(new_markdown_cell(item.later), "fragment")
        if item.notes:
            add(new_markdown_cell("\n\n".join(item.notes)), "notes")
    return node


def build(target):
    """Write every deck as a page and as a notebook into `target`, and index.html, which lists them."""
    from nbconvert import SlidesExporter

    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    style = {"CSSHTMLHeaderPreprocessor": {"style": "a11y-high-contrast-light"}}
    exporter = SlidesExporter(
        config=style, exclude_anchor_links=True, extra_template_basedirs=[str(HERE)], template_name="deck"
    )
    decks = [Deck(notebook) for notebook in course.notebooks()]
    for deck in decks:
        node, name = as_notebook(deck), deck.notebook.name
        page, _ = exporter.from_notebook_node(node, {"metadata": {"name": deck.notebook.title}})
        (target / f"{name}.html").write_text(page, encoding="utf-8")
        nbformat.write(node, target / f"{name}.ipynb")
    rows = "".join(
        f'<li><a href="{deck.notebook.name}.html">{deck.notebook.title}</a>: {len(deck.slides)} slides, '
        f"{deck.notebook.minutes} minutes</li>\n"
        for deck in decks
    )
    page = (HERE / "deck" / "index.html").read_text(encoding="utf-8").replace("<!-- decks -->", rows)
    (target / "index.html").write_text(page, encoding="utf-8")
    for path in (HERE / "deck" / "deck.css", HERE / "deck" / "deck.js", HERE / "assets" / "book" / "icon.svg"):
        (target / path.name).write_bytes(path.read_bytes())
