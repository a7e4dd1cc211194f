"""The book: whole, true to the notebooks, and readable in a real browser with no network."""

import http.server
import re
import threading
import time
from functools import partial

import pytest
from pages import Page, built, dead_links, missing, move_each_dial, typeset, violations, watched

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture(scope="module")
def book():
    """The folder of the book, built without a warning."""
    return built("book")


@pytest.fixture(scope="module")
def notebooks():
    import course

    return course.notebooks()


# what stands in it ---------------------------------------------------------------------------------------------------


def test_every_link_leads_somewhere(book):
    assert dead_links(book) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a> <a href="c.html">c</a> <a href="#top">top</a>')
    (tmp_path / "b.html").write_text('<p id="there">b</p> <a href="a.html">a</a> <img src="https://far.org/x.png">')
    assert dead_links(tmp_path) == [("a.html", "b.html#here"), ("a.html", "c.html"), ("a.html", "#top")]


def test_every_picture_has_words(book):
    pages = [Page(path) for path in book.rglob("*.html") if "_static" not in path.parts]
    pictures = [(page.path.name, alt) for page in pages for alt in page.pictures]
    assert len(pictures) > 50 and [page for page, alt in pictures if not (alt or "").strip()] == []


def test_no_id_stands_twice_on_a_page(book):
    for path in book.glob("*.html"):
        ids = Page(path).ids
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], path.name


def test_the_start_page_leads_to_every_notebook_in_order(book, notebooks):
    links = [link for link in Page(book / "index.html").links if link[:2].isdigit() and "#" not in link]
    assert list(dict.fromkeys(links)) == [f"{notebook.name}.html" for notebook in notebooks]


def test_every_claim_stands_with_what_was_measured(book, notebooks):
    from gencourse.claims import CLAIMS

    page = Page(book / "claims.html")
    assert set(CLAIMS) <= set(page.ids)
    for notebook in notebooks:
        due = {claim.id for claim in CLAIMS.values() if claim.notebook == notebook.name}
        assert set(notebook.measured) == due  # each found in a stored output
        for it in notebook.measured.values():
            assert f"{it.outcome.mark} {it.claim}" in page.text and f"{notebook.name}.html#{it.cell}" in page.links
            assert all(" ".join(line.split()) in " ".join(page.text.split()) for line in it.lines), it.claim


def test_a_claim_is_listed_by_its_outcome(notebooks):
    import course
    import stage

    stored = {
        "claim": "ST1",
        "parts": [{"what": "a < b", "measured": "3", "asked": "less than 1", "outcome": "does not hold"}],
    }
    for outcome, mark in {
        "holds": "✓ ST1 holds",
        "does not hold": "✗ ST1 does not hold",
        "not settled": "? ST1 is not settled",
    }.items():
        notebook = next(each for each in course.notebooks() if each.name == "00_start_here")
        for cell in notebook.node.cells:
            for output in cell.get("outputs", []):
                if course.decision(output, cell.id):
                    output.data[course.MIME] = {**stored, "outcome": outcome}
        page = stage.claims([notebook])
        assert mark in page and "✗ a &lt; b: 3; asked: less than 1" in page


def test_every_exercise_stands_with_its_minutes_and_place(book, notebooks):
    from gencourse.exercises import Exercise

    page = Page(book / "exercises.html")
    for notebook in notebooks:
        tagged = [cell for cell in notebook.node.cells if "exercise" in cell.metadata.get("tags", [])]
        assert {each.cell for each in notebook.exercises} == {cell.id for cell in tagged}
        for each in notebook.exercises:
            assert isinstance(each.exercise, Exercise) and each.exercise.name in page.text
            assert f"{notebook.name}.html#{each.cell}" in page.links
    # the minutes are those that the notebook states for the functions of one exercise together
    for notebook in notebooks:
        for each in notebook.exercises:
            together = sum(e.exercise.minutes for e in notebook.exercises if e.title == each.title)
            above = next(c.source for c in notebook.node.cells if c.cell_type == "markdown" and each.title in c.source)
            assert f"*About {together} minutes" in above, each.title


def test_every_paper_that_a_notebook_cites_stands_in_the_references(book, notebooks):
    page = Page(book / "references.html")
    for notebook in notebooks:
        assert notebook.papers, f"{notebook.name} cites nothing"
        for paper in notebook.papers:
            number = paper.key if paper.key[:4].isdigit() else None
            assert f"https://arxiv.org/abs/{number}" in page.links if number else paper.key in _letters(page.text)


def test_citations_are_told_apart():
    from course import citations

    line = (
        "Le Paine et al., *Fast Wavenet*, arXiv:1611.09482; Bishop, *Pattern Recognition* (2006), sections 9.2 (EM), "
        "9.4. Lucas and others, arXiv:1911.02469, and van den Burg, *Copies*, arXiv:2106.03216: what they explain."
    )
    found = [(paper.text, paper.remark) for paper in citations(line)]
    assert found == [
        ("Le Paine et al., *Fast Wavenet*, arXiv:1611.09482", ""),
        ("Bishop, *Pattern Recognition* (2006)", "sections 9.2 (EM), 9.4"),
        ("Lucas and others, arXiv:1911.02469", ""),
        ("van den Burg, *Copies*, arXiv:2106.03216", "what they explain"),
    ]


def test_the_glossary_has_the_words_of_the_notebooks(notebooks):
    from stage import PAGES

    lines = (PAGES / "glossary.md").read_text(encoding="utf-8").split("```")[1].splitlines()[1:]
    terms = [[part.strip() for part in line.split(" | ")] for line in lines]
    assert len(terms) >= 60 and len({english for english, *_ in terms}) == len(terms)
    for english, chinese, definition, place in terms:
        assert definition.endswith(".") and len(definition) < 130, english
        assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese) or chinese in ("WaveNet", "β-VAE"), english
        taught = [notebook for notebook in notebooks if notebook.name.startswith(place[:2])]
        for notebook in taught:  # a chapter that is not there yet has nothing to look in
            text = " ".join(cell.source for cell in notebook.node.cells).lower()
            words = {english.lower().removesuffix("e"), re.split(r"[ ']", english)[0].lower()}
            assert any(word in text for word in words), f"{english!r} does not occur in {notebook.name}"


def test_each_planned_lecture_takes_ninety_minutes():
    from stage import PAGES

    plans = re.findall(r"```\{plan\}\n(.*?)```", (PAGES / "lecture.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(plans) == 2 + 6
    for plan in plans:
        assert sum(int(line.split(" | ")[1]) for line in plan.strip().splitlines()) == 90, plan


def test_what_a_student_needs_follows_from_what_was_measured(notebooks, monkeypatch):
    import stage

    timings = stage.measured(notebooks)
    assert list(timings) == [notebook.name for notebook in notebooks]  # make execute measures each
    text = stage.resources(notebooks)
    for name, row in timings.items():
        assert f"<td>{name}</td><td>{row['seconds'] / 60:.1f}</td><td>{row['peak_mib']:,}</td>" in text
    gib = stage.student_gib(timings)
    peak = max(row["peak_mib"] for row in timings.values())
    assert 0 <= gib * 1024 - stage.LAB_MIB - peak < 512 and f"**{gib:g} GiB a student**" in text
    assert stage.student_gib({"a": {"peak_mib": 1536}, "b": {"peak_mib": 9}}) == 2
    assert stage.student_gib({"a": {"peak_mib": 1537}}) == 2.5
    # 60 GiB for students at 2.5 GiB: 24 of them; at 1 GiB the 15 cores are short, for 30
    assert [stage.nodes_for(n, 2.5) for n in (1, 24, 25, 240)] == [1, 1, 2, 10]
    assert [stage.nodes_for(n, 1) for n in (30, 31)] == [1, 2]
    monkeypatch.setattr(stage, "measured", lambda notebooks: {"03_vae": {"seconds": 60, "peak_mib": 8000}})
    assert "largest peak is that of 03_vae: 8,000 MiB" in stage.resources(notebooks)


def test_the_page_for_instructors_is_filled_in(book, notebooks):
    import stage

    text = Page(book / "instructors.html").text
    gib = stage.student_gib(stage.measured(notebooks))
    assert "{{" not in text and f"guarantee: {gib:g}G" in text and f"{gib:g} GiB a student" in text
    assert {"instructors.html", "contributing.html"} <= set(Page(book / "index.html").links)


def test_formulas_of_docstrings_become_mathematics(book):
    from docstrings import rewritten, tex

    assert tex("log P(x) = Σ_i log P(x_i | x_{<i})") == r"\log P(x) = \sum_i \log P(x_i \mid  x_{<i})"
    assert tex("P(x) = Σ_m P(m) N(x; μ_m, Σ_m)") == r"P(x) = \sum_m P(m) N(x; \mu _m, \Sigma _m)"
    lines = ["One (*a, b) `c`.", "", "    P = ½ Q,", "", "x: (B, D).", "y: more", "    of it.", "", "    f(x) as g:"]
    assert rewritten(lines) == [
        r"One (\*a, b) ``c``.",
        "",
        ".. math::",
        "",
        r"   P = \tfrac12  Q,",
        "",
        "",
        "* x: (B, D).",
        "* y: more",
        "  of it.",
        "",
        "",
        "::",
        "",
        "   f(x) as g:",
        "",
    ]
    for name in ("base", "vae", "gmm", "gan"):
        assert 'class="math' in (book / "api" / f"models.{name}.html").read_text(encoding="utf-8")


def test_a_notebook_has_its_number_its_file_and_a_word_on_errors(book, notebooks):
    for notebook in notebooks:
        page = Page(book / f"{notebook.name}.html")
        head = re.search(r"<h1>(.*?)<", page.path.read_text(encoding="utf-8"))[1]
        assert head == notebook.numbered and head.startswith(f"{notebook.name[:2]} ")
        file = next(link for link in page.links if link.endswith(f"/{notebook.name}.ipynb"))
        assert (book / file).read_bytes() == notebook.path.read_bytes()
        assert "contributing.html#reporting-an-error" in page.links
    margin = Page(book / "index.html").text
    assert all(notebook.numbered in margin for notebook in notebooks)


# in a browser --------------------------------------------------------------------------------------------------------


def test_pages_from_disk_load_within_three_seconds_without_a_complaint(book, browser):
    tab, complaints = watched(browser)
    for path in [*sorted(book.glob("*.html")), book / "api" / "models.vae.html"]:
        seconds = []
        while len(seconds) < 3 and min(seconds, default=9) >= 3:  # the machine may have been busy with something else
            start = time.perf_counter()
            tab.goto(path.as_uri())
            assert typeset(tab) == 0, f"{path.name} has a formula that MathJax cannot read"
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 3, f"{path.name} took {min(seconds):.1f} s"
        formulas = [tab.locator(name).count() for name in (".math", "mjx-container")]
        assert formulas[0] == formulas[1], f"{path.name}: not every formula is typeset"
        assert complaints == [], path.name
    tab.close()


def test_dials_move_without_a_kernel(book, browser, notebooks):
    tab, complaints = watched(browser)
    moved = 0
    for notebook in notebooks:
        tab.goto((book / f"{notebook.name}.html").as_uri())
        assert move_each_dial(tab) == [], notebook.name
        moved += tab.locator("[id^=explorer-], [id^=walker-]").count()
    assert moved >= 8 and complaints == []
    # by keyboard, as a reader does
    tab.goto((book / "03_vae.html").as_uri())
    dial, shown = tab.locator("[id^=walker-] input").first, tab.locator("[data-part=here]")
    before = shown.get_attribute("aria-label")
    dial.focus()
    tab.keyboard.press("ArrowRight")
    assert shown.get_attribute("aria-label") != before
    tab.close()


def test_served_from_a_folder_of_a_web_server(book, browser):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=book.parent))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tab, complaints = watched(browser)
    for name in ("index", "03_vae", "api/models.gmm"):
        tab.goto(f"http://127.0.0.1:{server.server_port}/book/{name}.html")
        assert typeset(tab) == 0
    server.shutdown()
    tab.close()
    assert complaints == []


def test_the_search_finds_from_disk(book, browser):
    tab, complaints = watched(browser)
    for query, page in (("reparameterise", "03_vae.html"), ("后验坍塌", "glossary.html"), ("blind spot", "01_autoreg")):
        tab.goto(f"{(book / 'search.html').as_uri()}?q={query}")
        tab.wait_for_selector(f"#search-results a[href*='{page}']", timeout=10_000)
    tab.close()
    assert complaints == []


def test_a_word_that_was_searched_for_is_shown_where_it_stands(book, browser):
    tab, complaints = watched(browser)
    tab.goto(f"{(book / 'search.html').as_uri()}?q=histogram")
    tab.locator("#search-results a[href*='03_vae.html']").first.click()
    tab.wait_for_selector(".bd-article .highlighted")
    tab.wait_for_function("scrollY > 1000")
    box = tab.locator(".bd-article .highlighted").first.bounding_box()
    assert 0 <= box["y"] < 720
    tab.close()
    assert complaints == []


def test_code_fits_its_box_or_shows_that_it_scrolls_and_is_copied_whole(book, browser, notebooks):
    tab, complaints = watched(browser)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wide = "[...document.querySelectorAll('.cell_input pre')].filter(p => p.scrollWidth > p.clientWidth)"
    for notebook in notebooks:
        tab.goto((book / f"{notebook.name}.html").as_uri())
        cut, blocks = tab.evaluate(f"[{wide}.length, document.querySelectorAll('.cell_input pre').length]")
        wider = f"{notebook.name}: {cut} of {blocks} blocks of code are wider than their box"
        assert blocks and cut <= 0.05 * blocks, wider
        bar = "p => getComputedStyle(p, '::-webkit-scrollbar').height"
        assert tab.evaluate(f"{wide}.every(p => parseFloat(({bar})(p)) >= 8)"), notebook.name
        assert tab.locator(".cell_output button.copybtn").count() == 0
    tab.locator(".cell_input").first.hover()
    tab.locator(".cell_input button.copybtn").first.click()
    first = next(cell.source for cell in notebooks[-1].node.cells if cell.cell_type == "code")
    tab.wait_for_function(f"async () => (await navigator.clipboard.readText()).trim() === {first.strip()!r}")
    tab.close()
    assert complaints == []


def test_a_reader_goes_on_and_turns_the_light_off(book, browser):
    tab, complaints = watched(browser)
    tab.goto((book / "00_start_here.html").as_uri())
    tab.locator("a.right-next").click()
    tab.wait_for_url("**/01_autoregression.html")
    tab.locator("a.left-prev").click()
    tab.wait_for_url("**/00_start_here.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = tab.evaluate(ground)
    tab.evaluate("document.querySelector('.theme-change-button[data-mode=dark]').click()")
    tab.wait_for_function(f"{ground} !== {before!r}")
    tab.close()
    assert complaints == []


def test_nothing_sticks_out_on_a_phone(book, browser, notebooks):
    tab, _ = watched(browser, viewport={"width": 375, "height": 700})
    names = [notebook.name for notebook in notebooks]
    others = ["index", "claims", "exercises", "glossary", "lecture", "instructors", "contributing", "api/models.vae"]
    for name in [*names, *others]:
        tab.goto((book / f"{name}.html").as_uri())
        typeset(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 375, name
    tab.close()


@pytest.mark.parametrize("light", ["light", "dark"])
def test_pages_are_accessible(book, browser, notebooks, light):
    tab, _ = watched(browser, color_scheme=light)
    names = [notebook.name for notebook in notebooks]
    others = ["index", "claims", "exercises", "glossary", "references", "lecture", "instructors", "contributing"]
    others += ["search", "api/plots.curves", "api/study"]
    for name in [*names, *others] if light == "light" else [*names[:2], "claims"]:
        tab.goto((book / f"{name}.html").as_uri())
        typeset(tab)
        code = ".cell_input" if name in names[1:] else ".nothing"  # one notebook's code is as good as another's
        assert violations(tab, None if light == "light" else ["color-contrast"], code) == [], name
    tab.close()


def _letters(text):
    return "".join(sign for sign in text.lower() if sign.isalnum())
