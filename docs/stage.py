"""Lays out the source of the book: pages, notebooks, lists filled in from them, and a page for each module."""

import ast
import html
import math
import re
from pathlib import Path

import course
import nbformat

from gencourse.claims import CLAIMS
from gencourse.course.doctor import timings as recorded
from gencourse.course.minutes import machine_words
from gencourse.course.notebook import LANGUAGE
from gencourse.support.output import plural

ROOT = course.ROOT
PAGES = Path(__file__).resolve().parent / "pages"
# what the README links to, and where it stands in the book
PLACES = {
    "data/README.md": "data.md",
    "benchmarks/README.md": "benchmarks.md",
    "gencourse/claims": "claims.md",
    "docs/pages/lecture.md": "lecture.md",
    "docs/pages/instructors.md": "instructors.md",
    "docs/pages/code-space.md": "code-space.md",
    "docs/pages/elsewhere.md": "elsewhere.md",
    "CONTRIBUTING.md": "contributing.md",
    "gencourse/exercises/": "exercises.md",
    "notebooks/": "index.md",
}

DOWNLOADS = "notebooks"  # in the book's folder of files: the notebooks as they are committed
ABOUT = (
    '<p class="about"><a download href="_static/{downloads}/{file}">Download this notebook</a> · '
    '<a href="index.html">How to run it</a> · '
    '<a href="contributing.html#reporting-an-error">Found an error?</a></p>'
)


def stage(folder):
    """Write the whole source into `folder`. What is as it was is not touched: Sphinx builds only what changed."""
    folder, before = Path(folder), set(Path(folder).rglob("*"))
    written = set()

    def put(name, content):
        path = folder / name
        content = content.encode() if isinstance(content, str) else content
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
        written.add(path)

    notebooks = course.notebooks()
    for notebook in notebooks:
        put(f"{notebook.name}.ipynb", nbformat.writes(staged(notebook)))
        put(f"_static/{DOWNLOADS}/{notebook.path.name}", notebook.path.read_bytes())
    lists = {
        "claims": claims(notebooks),
        "exercises": exercises(notebooks),
        "papers": papers(notebooks),
        "minutes": minutes(notebooks),
        "resources": resources(notebooks),
        "machine": machine_words(recorded()["machine"]),
        "gib": f"{student_gib(measured(notebooks)):g}",
    }
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for name, content in lists.items():
            text = text.replace(f"{{{{ {name} }}}}", content)
        put(page.name, plans(terms(text, notebooks), notebooks))
    modules = api_pages()
    for name, text in modules.items():
        put(f"api/{name}.md", text)
    for readme, page in {
        "README.md": "index.md",
        "data/README.md": "data.md",
        "CONTRIBUTING.md": "contributing.md",
        "benchmarks/README.md": "benchmarks.md",
    }.items():
        text, pictures = from_readme(readme, notebooks)
        put(page, text + (contents(notebooks, modules) if page == "index.md" else ""))
        for picture in pictures:
            put(picture, (ROOT / picture).read_bytes())
    for old in before - written:
        if old.is_file() and ("_static" not in old.parts or old.parent.name == DOWNLOADS):
            old.unlink()


def staged(notebook):
    """A notebook as it stands in the book.

    Its number is before its title and its file below; ids stand at cells, labels at sections; no widget needs a kernel.
    """
    node = nbformat.from_dict(notebook.node)
    chapter = notebook.name[:2]
    about = ABOUT.format(downloads=DOWNLOADS, file=notebook.path.name)
    head = next(cell for cell in node.cells if f"# {notebook.title}" in cell.source)
    head.source = head.source.replace(f"# {notebook.title}", f"# {notebook.numbered}\n\n{about}", 1)
    for cell in node.cells:
        cell.metadata["id"] = cell.id
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"^(?=## (\d+)\. )", rf"(section-{chapter}-\1)=\n", cell.source, flags=re.MULTILINE)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    node.metadata.pop("widgets", None)
    node.metadata["language_info"] = LANGUAGE
    return node


# Lists ---------------------------------------------------------------------------------------------------------------


def link(notebook, cell, words):
    """HTML: a link to a cell in the book."""
    return f'<a class="reference internal" href="{notebook}.html#{cell}">{html.escape(words)}</a>'


def claims(notebooks):
    """Every claim with the sentence of the notes, what was measured, and the cell that measured it."""
    names = {notebook.name: notebook for notebook in notebooks}
    parts = []
    for name in sorted({claim.notebook for claim in CLAIMS.values()}):
        notebook = names.get(name)
        parts.append(f"\n## {notebook.numbered if notebook else f'Chapter {name}'}\n")
        for claim in (claim for claim in CLAIMS.values() if claim.notebook == name):
            if notebook and claim.id in notebook.measured:
                it = notebook.measured[claim.id]
                mark, kind = f"{it.outcome.mark} {claim.id} {it.outcome.verb}", it.outcome
                found = "<br>".join([*map(html.escape, it.lines), link(name, it.cell, f"the cell in {name}")])
            else:
                mark, kind, found = f"○ {claim.id}", "open", f"Open: to be decided by {html.escape(claim.measured_by)}."
            parts.append(
                f'<div class="claim {kind.replace(" ", "-")}" id="{claim.id}">'
                f"<p><b>{mark}: {html.escape(claim.claim)}</b></p><dl>"
                f"<dt>The notes</dt><dd><i>{html.escape(claim.sentence)}</i></dd>"
                f"<dt>Measured</dt><dd>{found}</dd>{rule_of(claim)}</dl></div>\n"
            )
    return "\n".join(parts)


def rule_of(claim):
    """HTML: when the rule of a claim was written, and what it replaced."""
    told = f"{html.escape(claim.since)}. {html.escape(claim.before)}".rstrip()
    return f"<dt>The rule is of</dt><dd>{told}</dd>"


def exercises(notebooks):
    """Every exercise with minutes, difficulty, what is to be written, and a link to its cell; first, all together."""
    every = [each.exercise for notebook in notebooks for each in notebook.exercises]
    hours = sum(exercise.minutes for exercise in every) / 60
    parts = [f"In all, {len(every)} functions to write, about {hours:.0f} hours.\n"]
    for notebook in notebooks:
        if not notebook.exercises:
            continue
        together = sum(each.exercise.minutes for each in notebook.exercises)
        rows = [
            f"<tr><td>{link(notebook.name, each.cell, each.title)}</td><td><code>{each.exercise.name}</code><br>"
            f"{html.escape(first_sentence(each.exercise.reference.__doc__))}</td>"
            f"<td>{each.exercise.minutes}&nbsp;min</td><td>{each.exercise.difficulty}</td></tr>"
            for each in notebook.exercises
        ]
        head = "".join(f'<th scope="col">{word}</th>' for word in ("exercise", "what to write", "time", "difficulty"))
        parts += [
            f"\n## {notebook.numbered}\n",
            f"{plural(len(rows), 'function')} to write, about {plural(together, 'minute')}.\n",
            f'<table class="list"><thead><tr>{head}</tr></thead><tbody>\n' + "\n".join(rows) + "\n</tbody></table>\n",
        ]
    return "\n".join(parts)


def papers(notebooks):
    """Every paper that a notebook cites, by first author, each with the notebooks and what they say of it."""
    cited = {}
    for notebook in notebooks:
        for paper in notebook.papers:
            cited.setdefault(paper.key, []).append((notebook.name, paper))
    whole = {key: max((paper.text for _, paper in uses), key=len) for key, uses in cited.items()}
    lines = []
    for key in sorted(cited, key=lambda key: re.sub(r"^van (?:de[nr] )?", "", whole[key]).lower()):
        uses = cited[key]
        text = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", whole[key])
        where = "; ".join(f"[{name}]({name}.ipynb)" + (f": {p.remark}" if p.remark else "") for name, p in uses)
        lines.append(f"- {text}. In {where}.")
    return "\n".join(lines)


def minutes(notebooks):
    """The sections of every deck with their minutes."""
    from slides import Deck

    parts = []
    for notebook in notebooks:
        deck = Deck(notebook)
        rows = "".join(
            f"<tr><td>{html.escape(plain(section.title))}</td><td>{section.minutes}</td><td>{len(section.slides)}</td>"
            f"<td>{section.questions}</td></tr>\n"
            for section in deck.sections
        )
        head = "".join(f'<th scope="col">{word}</th>' for word in ("section", "minutes", "slides", "questions"))
        parts.append(
            f"\n### {notebook.name}: {notebook.minutes} minutes\n\n"
            f'<table class="list"><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n'
        )
    return "\n".join(parts)


LAB_MIB = 512  # for JupyterLab itself, beside the kernel: an allowance, not measured
NODE = {"cores": 16, "memory_gib": 64}  # of the example
SPARE = {"cores": 1, "memory_gib": 4}  # what a node keeps for Kubernetes itself: an allowance
GUARANTEED_CORES = 0.5  # a student reads most of the time


def student_gib(timings):
    """GiB of memory for a student with one notebook open, in halves, rounded up: the largest peak and JupyterLab."""
    return math.ceil((max(row["peak_mib"] for row in timings.values()) + LAB_MIB) / 512) / 2


def nodes_for(students, gib):
    """Nodes like NODE for so many students at once, each with `gib` of memory and GUARANTEED_CORES."""
    by_memory = (NODE["memory_gib"] - SPARE["memory_gib"]) // gib
    by_cores = (NODE["cores"] - SPARE["cores"]) // GUARANTEED_CORES
    return math.ceil(students / min(by_memory, by_cores))


def measured(notebooks):
    """{notebook: seconds, cpu_seconds, peak_mib} as `make records` recorded it, in the order of the course."""
    timings = recorded()["notebooks"]
    return {notebook.name: timings[notebook.name] for notebook in notebooks if notebook.name in timings}


def resources(notebooks):
    """What each notebook took when it was recorded, and what follows for a class."""
    timings = measured(notebooks)
    rows = "".join(
        f"<tr><td>{name}</td><td>{row['seconds'] / 60:.1f}</td><td>{row['peak_mib']:,}</td></tr>\n"
        for name, row in timings.items()
    )
    head = "".join(f'<th scope="col">{word}</th>' for word in ("notebook", "minutes of compute", "peak memory, MiB"))
    gib, largest = student_gib(timings), max(timings, key=lambda name: timings[name]["peak_mib"])
    classes = "; ".join(f"{students} students: {nodes_for(students, gib)}" for students in (30, 100, 300, 1000))
    return (
        f'<table class="list"><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n\n'
        f"The largest peak is that of {largest}: {timings[largest]['peak_mib']:,} MiB. With {LAB_MIB} MiB for "
        f"JupyterLab that makes **{gib:g} GiB a student**, rounded up to halves.\n\n"
        f"Nodes of {NODE['cores']} cores and {NODE['memory_gib']} GiB, of which {SPARE['cores']} core and "
        f"{SPARE['memory_gib']} GiB are left to Kubernetes, for students at work at once, with {GUARANTEED_CORES} "
        f"cores and {gib:g} GiB guaranteed to each: {classes}.\n"
    )


def terms(text, notebooks):
    """The lines `English | 中文 | definition | chapter.section` of a ```{terms} block, as a list with links."""
    block = re.search(r"^```\{terms\}\n(.*?)^```\n", text, re.MULTILINE | re.DOTALL)
    if not block:
        return text
    items = []
    for line in sorted(block[1].strip().splitlines(), key=str.lower):
        english, chinese, definition, place = (part.strip() for part in line.split(" | "))
        slug = re.sub(r"[^a-z0-9]+", "-", english.lower()).strip("-")
        items.append(
            f'<dt id="term-{slug}">{html.escape(english)} <span lang="zh">{chinese}</span></dt>\n'
            f"<dd>{html.escape(definition)} <small>{place_link(place, notebooks)}</small></dd>"
        )
    listed = '<dl class="terms">\n' + "\n".join(items) + "\n</dl>\n"
    return text[: block.start()] + listed + text[block.end() :]


def plans(text, notebooks):
    """The lines `chapter.section | minutes | what` of each ```{plan} block, as a table with links."""

    def table(match):
        rows, together = [], 0
        for line in match[1].strip().splitlines():
            place, minute, what = (part.strip() for part in line.split(" | "))
            together += int(minute)
            cells = (place_link(place, notebooks), html.escape(what), f"{minute} min")
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "".join(f'<th scope="col">{word}</th>' for word in ("where", "what", "time"))
        rows.append(f"<tr><td></td><td>together</td><td>{together} min</td></tr>")
        rows = "\n".join(rows)
        return f'<table class="list"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>\n'

    return re.sub(r"^```\{plan\}\n(.*?)^```\n", table, text, flags=re.MULTILINE | re.DOTALL)


def place_link(place, notebooks):
    """HTML: 03.5 as words, with a link to section 5 of notebook 03 if that notebook is there."""
    chapter, _, section = place.partition(".")
    words = f"chapter {chapter}" + (f", section {section}" if section else "")
    notebook = next((notebook for notebook in notebooks if notebook.name.startswith(chapter)), None)
    if notebook is None:
        return words
    if section and int(section) not in [each.number for each in notebook.sections]:
        raise ValueError(f"{notebook.name} has no section {section}; it is named in a page of docs/pages")
    anchor = f"#section-{chapter}-{section}" if section else ""
    return f'<a class="reference internal" href="{notebook.name}.html{anchor}">{words}</a>'


def plain(markdown):
    """Markdown without its marks."""
    return re.sub(r"[*`$]", "", markdown)


def first_sentence(docstring):
    """The first sentence of a docstring, on one line."""
    return re.match(r".*?[.?](?= |$)", " ".join(docstring.split()))[0]


# Other pages ---------------------------------------------------------------------------------------------------------


def from_readme(name, notebooks):
    """A README of the repository as a page: its text, with links that lead to pages, and the pictures that it shows."""
    text, pictures = (ROOT / name).read_text(encoding="utf-8"), []
    folder = Path(name).parent

    def moved(match):
        bang, words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path = (folder / target).as_posix()
        if bang:
            pictures.append(path)
            return f"![{words}]({path})"
        page = PLACES.get(path) or PLACES.get(f"{path}/")
        if path.endswith(".ipynb") and Path(path).stem in [notebook.name for notebook in notebooks]:
            page = Path(path).name
        return f"[{words}]({page})" if page else words

    text = re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", moved, text)
    return text, pictures


def contents(notebooks, modules):
    """What stands in the margin of every page, and what follows what."""

    def part(caption, names):
        return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(names) + "\n```\n"

    beside = [
        "code-space",
        "claims",
        "exercises",
        "glossary",
        "references",
        "lecture",
        "instructors",
        "elsewhere",
        "data",
        "benchmarks",
        "contributing",
    ]
    return (
        part("The course", [notebook.name for notebook in notebooks])
        + part("Beside it", beside)
        + part("The package", ["api/index"])
    )


MACHINE = ("cases", "exercise", "mistakes")  # what whoever writes an exercise uses


def api_pages():
    """{name: text}: a page for each public module, and one that lists them."""
    pages = {}
    for path in sorted((ROOT / "gencourse").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(parts)
        # the exercises have a page of their own
        shown = parts[1:2] != ("exercises",) or module in [f"gencourse.exercises.machine.{name}" for name in MACHINE]
        if parts[-1].startswith("_") or not shown or not _public(tree):
            continue
        name = module.removeprefix("gencourse.")
        text = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n   :show-inheritance:\n```\n"
        pages[name] = (text, ast.get_docstring(tree).split("\n\n")[0])
    listed = [f"| [{name}]({name}.md) | {' '.join(about.split())} |" for name, (_, about) in pages.items()]
    index = "\n".join(
        [
            "# The package\n",
            "Every module of `gencourse`, from its docstrings.\n",
            "| module | what it is |",
            "|---|---|",
            *listed,
            "\n```{toctree}\n:hidden:\n",
            *pages,
            "```\n",
        ]
    )
    return {"index": index} | {name: text for name, (text, _) in pages.items()}


def _public(tree):
    """Does a module define a public function or class that has words of its own?"""
    kinds = ast.FunctionDef | ast.ClassDef
    named = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    return any(ast.get_docstring(node) for node in named)
