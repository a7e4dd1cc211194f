"""The slides: made of the notebooks alone, nothing cut off, and everything on them works in a real browser."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import urllib.request

import nbformat
import pytest
from pages import Page, built, dead_links, missing, move_each_dial, violations, watched

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture(scope="module")
def slides():
    """The folder of the slides, freshly built."""
    return built("slides")


def decks():
    import course
    from slides import Deck

    return [Deck(notebook) for notebook in course.notebooks()]


DECKS = decks() if REASON is None else []
NAMES = [deck.notebook.name for deck in DECKS]


# what is on them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_minutes_add_up_to_the_stated_length(deck):
    assert sum(section.minutes for section in deck.sections) == deck.notebook.minutes
    assert all(section.minutes >= 1 for section in deck.sections)
    until = 0
    for section in deck.sections:
        start, end = map(int, re.search(r"from minute (\d+) to (\d+) of", section.slides[0].notes[0]).groups())
        assert (start, end - start) == (until, section.minutes)
        until = end


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_every_figure_is_a_slide_of_its_own_and_every_claim_too(deck):
    from slides import classify

    figures, claims = [], []
    for cell in deck.notebook.node.cells:
        for output in cell.get("outputs", []):
            if classify(output) == "figure":
                figures.append(output.data["text/html"])
            if classify(output) == "claim":
                claims.append(output.data["text/plain"].split()[1])
    shown = [[o.data["text/html"] for o in s.outputs if classify(o) == "figure"] for s in deck.slides]
    assert max(map(len, shown)) == 1 and sum(shown, []) == figures
    assert [slide.title.split()[1] for slide in deck.slides if slide.kind == "claim"] == claims
    assert sorted(claims) == sorted(deck.notebook.measured)


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_a_prediction_comes_before_its_answer_and_before_what_it_predicts(deck):
    cells = [cell for cell in deck.notebook.node.cells if "<b>Predict.</b>" in cell.source]
    questions = [slide for slide in deck.slides if slide.kind == "predict"]
    assert len(questions) == sum(cell.source.count("<b>Predict.</b>") for cell in cells)
    for section in deck.sections:
        kinds = [slide.kind for slide in section.slides]
        for number, kind in enumerate(kinds):
            if kind == "predict":
                assert kinds[number + 1] in ("figure", "measured", "claim", "exercise"), section.slides[number].body
            if kind == "answer":
                since = kinds[:number][::-1]
                assert "predict" in since and since[0] != "predict", section.slides[number].body
    for slide in questions:
        answer = next(note for note in slide.notes if note.startswith("**In short.**"))
        assert "Ask the room" in " ".join(slide.notes) and answer[14:60] not in slide.body


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_all_prose_of_the_notebook_is_shown_or_said(deck):
    from prose import sentences, split_blocks

    def letters(text):
        text = re.sub(r"</?(details|summary|b|div)[^>]*>", " ", text)
        return re.sub(r"\W", "", text)

    slides = deck.slides
    kept = letters("".join(join for s in slides for join in (s.part, s.title, s.body, s.later, *s.notes)))
    for cell in deck.notebook.node.cells:
        if cell.cell_type != "markdown":
            continue
        prose = re.split(r"^## (?:Papers|Reading)$", cell.source, flags=re.MULTILINE)[0]
        for block in split_blocks(re.sub(r"<details>.*?</details>", "", prose, flags=re.DOTALL)):
            for sentence in sentences(re.sub(r"^#+ |^\*About \d.*?\*", "", block)):
                assert letters(sentence) in kept, f"{cell.id}: {sentence}"


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_the_live_deck_runs_the_cells_of_the_notebook_in_order(deck, slides):
    node = nbformat.read(slides / f"{deck.notebook.name}.ipynb", as_version=4)
    nbformat.validate(node)
    run = [cell.source for cell in node.cells if cell.cell_type == "code" and cell.source]
    assert run == [cell.source for cell in deck.notebook.node.cells if cell.cell_type == "code"]
    kinds = {cell.metadata.get("slideshow", {}).get("slide_type") for cell in node.cells}
    assert kinds <= {"slide", "subslide", "fragment", "skip", "notes", None}


def test_minutes_are_shared_out_whole():
    from slides import Section, Slide, share_out

    sections = [Section(str(n), [Slide("text", "")] * n) for n in (1, 1, 30, 3, 8)]
    for total in (5, 10, 61, 90):
        share_out(sections, total)
        minutes = [section.minutes for section in sections]
        assert sum(minutes) == total and min(minutes) >= 1 and minutes[2] == max(minutes)


def test_sentences_are_told_apart():
    from prose import closing, opening, sentences, shorten

    text = "As in Lin et al. it is $p = 0.5. X$ here. *One. Two* (A remark.) Is it? 3.5 of them. `a. B` ends."
    assert sentences(text) == [
        "As in Lin et al. it is $p = 0.5. X$ here.",
        "*One. Two* (A remark.)",
        "Is it? 3.5 of them.",
        "`a. B` ends.",
    ]
    assert closing("First. " + "Long " * 60 + "end. Last. (Aside.)") == "Last."
    assert opening("Short. Next one. " + "Long " * 60 + "end.") == "Short. Next one."
    shown, whole = shorten("A sentence that is said. " * 40)
    assert not whole and shown.count("- ") == 4


# in a browser --------------------------------------------------------------------------------------------------------

MEASURE = """async () => {
  const found = {cut: [], small: [], formulas: 0, slides: 0};
  for (const slide of Reveal.getSlides()) {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    while (Reveal.availableFragments().next) Reveal.nextFragment();
    const name = (slide.querySelector("h1, h2") || slide).textContent.slice(0, 60);
    for (const part of slide.querySelectorAll("*")) {
      if (part.closest(".notes, mjx-assistive-mml, script")) continue;
      const box = part.getBoundingClientRect();
      if (box.width && box.height && (box.bottom > 720.5 || box.right > 1280.5 || box.left < 0 || box.top < 0))
        found.cut.push([name, part.tagName, Math.round(box.right), Math.round(box.bottom)]);
    }
    const texts = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const parent = texts.currentNode.parentElement;
      if (!texts.currentNode.textContent.trim()) continue;
      if (parent.closest(".notes, script, style, svg, mjx-assistive-mml")) continue;
      let size = parseFloat(getComputedStyle(parent).fontSize);
      for (let node = parent; node; node = node.parentElement) size *= +getComputedStyle(node).zoom || 1;
      if (size < 15.5) found.small.push([name, texts.currentNode.textContent.trim().slice(0, 40), size]);
    }
    found.formulas += slide.querySelectorAll("mjx-container").length;
    found.slides += 1;
  }
  return found;
}"""


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_nothing_is_cut_off_and_everything_moves(deck, slides, browser):
    tab, complaints = watched(browser)
    tab.goto((slides / f"{deck.notebook.name}.html").as_uri())
    tab.wait_for_selector("body[data-ready]")
    found = tab.evaluate(MEASURE)
    assert found["cut"] == [] and found["small"] == []
    assert found["slides"] == len(deck.slides) and found["formulas"] > 0
    assert tab.locator("[data-mml-node=merror]").count() == 0
    assert "$" not in tab.locator(".slides section section").first.inner_text()
    assert move_each_dial(tab, ".slides") == []
    tab.close()
    assert complaints == []


def test_a_film_moves_on_its_slide_and_the_slide_stays(slides, browser):
    tab, complaints = watched(browser)
    tab.goto((slides / "01_autoregression.html").as_uri())
    tab.wait_for_selector("body[data-ready]")
    dial = tab.locator(".slides [id^=walker-] input, .slides [id^=explorer-] input").first
    dial.evaluate("node => { const at = Reveal.getIndices(node.closest('section')); Reveal.slide(at.h, at.v); }")
    dial, picture = (tab.locator(f".slides section.present section.present {part}") for part in ("input", "img"))
    before, at = picture.get_attribute("src"), tab.evaluate("Reveal.getIndices()")
    dial.focus()
    tab.keyboard.press("ArrowRight")
    assert picture.get_attribute("src") != before and tab.evaluate("Reveal.getIndices()") == at
    tab.close()
    assert complaints == []


def test_a_claim_shows_what_was_measured_at_the_next_click(slides, browser):
    tab, _ = watched(browser)
    tab.goto((slides / "01_autoregression.html").as_uri())
    tab.wait_for_selector("body[data-ready]")
    measured = tab.locator(".measured").first
    measured.evaluate("node => { const at = Reveal.getIndices(node.closest('section')); Reveal.slide(at.h, at.v); }")
    assert measured.evaluate("node => getComputedStyle(node.closest('.fragment')).opacity") == "0"
    tab.keyboard.press("Space")
    assert measured.evaluate("node => getComputedStyle(node.closest('.fragment')).opacity") == "1"
    tab.close()


def test_the_speaker_has_notes(slides, browser):
    tab, complaints = watched(browser)
    tab.goto((slides / "00_start_here.html").as_uri())
    tab.wait_for_selector("body[data-ready]")
    with tab.expect_popup() as opened:
        tab.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.wait_for()
    said = "document.querySelector('.speaker-controls-notes .value').innerText"
    opened.value.wait_for_function(f"{said}.includes('Part 1 of')")
    tab.close()
    assert complaints == []


def test_live_in_jupyterlab_the_same_deck_moves(slides, browser, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "w"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "c"),
        "JUPYTER_DATA_DIR": str(tmp_path / "d"),
    }
    environment = os.environ | folders
    deck = slides / "00_start_here.ipynb"
    subprocess.run([sys.executable, "-m", "nbformat.sign", str(deck)], env=environment, check=True, capture_output=True)
    options = [f"--port={port}", "--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    options += ["--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={slides}", *options]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tab, complaints = watched(browser)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/api", timeout=1).close()
                break
            tab.wait_for_timeout(500)
        tab.goto(f"{address}/lab/tree/{deck.name}")
        tab.locator("[title='Toggle Deck'], jp-button:has-text('Deck')").first.click(timeout=60_000)
        tab.wait_for_selector("body[data-jp-deck-mode=presenting]", state="attached")
        dial = tab.locator("[id^=explorer-] input:visible")
        for _ in range(40):
            if dial.count():
                break
            tab.keyboard.press("Space")
            tab.wait_for_timeout(250)
        picture = tab.locator("[id^=explorer-] img:visible").first
        before = picture.get_attribute("src")
        dial.first.focus()
        tab.keyboard.press("ArrowRight")
        assert picture.get_attribute("src") != before
        assert tab.locator("mjx-container").count() > 0 and tab.locator("[data-mml-node=merror]").count() == 0
        # of JupyterLab's own styles; and nothing left the machine
        assert [words for words in complaints if "is not standardized" not in words] == []
    finally:
        server.terminate()
        server.wait(30)
        tab.close()


def test_the_list_of_decks_and_all_links(slides):
    links = Page(slides / "index.html").links
    assert [link for link in links if link[:2].isdigit()] == [f"{name}.html" for name in NAMES]
    assert dead_links(slides) == []
    for deck in DECKS:
        assert all((alt or "").strip() for alt in Page(slides / f"{deck.notebook.name}.html").pictures)


@pytest.mark.parametrize("name", ["index", "00_start_here"])
def test_slides_are_accessible(slides, browser, name):
    tab, _ = watched(browser)
    tab.goto((slides / f"{name}.html").as_uri())
    if name != "index":
        tab.wait_for_selector("body[data-ready]")
    assert violations(tab) == []
    tab.close()
