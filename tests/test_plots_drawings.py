"""Drawings of models: whole on their sheet, no words over each other, sharp at any size."""

import base64
import inspect
import itertools
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from gencourse import plots
from gencourse.plots import drawings

DRAWINGS = {
    name: each
    for name, each in vars(drawings).items()
    if inspect.isfunction(each) and each.__module__ == drawings.__name__ and not name.startswith("_")
}
every = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


@pytest.fixture
def sheet():
    """The figure of a drawing, drawn, with a function that tells where a thing lies on it."""
    plots.use_style()

    def make(draw):
        figure = draw()
        figure.canvas.draw()
        return figure, lambda thing: thing.get_window_extent(figure.canvas.get_renderer())

    yield make
    plt.close("all")


def test_there_are_drawings():
    assert {"gated_block", "skewed_rows", "wavenet_block", "mixture_graph", "vae_graph", "gan_game"} <= set(DRAWINGS)


@every
def test_all_words_stand_on_the_sheet_and_none_over_another(draw, sheet):
    figure, place = sheet(draw)
    page, texts = figure.bbox, [text for text in figure.axes[0].texts if text.get_text()]
    for text in texts:
        box = place(text)
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
    for a, b in itertools.combinations(texts, 2):
        assert not place(a).overlaps(place(b)), (a, b)


@every
def test_words_of_a_box_stay_inside_it(draw, sheet):
    figure, place = sheet(draw)
    for text in figure.axes[0].texts:
        box = place(text)
        centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        for patch in figure.axes[0].patches:
            around = place(patch)
            if type(patch).__name__ == "FancyBboxPatch" and around.contains(*centre):
                assert around.x0 < box.x0 and box.x1 < around.x1, (text, patch)


@every
def test_a_drawing_says_what_it_shows(draw):
    assert inspect.getdoc(draw).endswith(".") and not inspect.signature(draw).parameters.keys() - {"side"}


def test_a_drawing_is_shown_as_lines_and_beside_them_as_a_png(monkeypatch):
    shown = []
    monkeypatch.setattr("gencourse.plots.page.display", lambda bundle, **options: shown.append(bundle))
    plots.show(drawings.vae_graph(), "The graph of a VAE.", vector=True)
    (bundle,) = shown
    kind, _, content = bundle["text/html"].split('src="data:')[1].split('"')[0].partition(";base64,")
    assert kind == "image/svg+xml" and bundle["text/plain"] == "The graph of a VAE."
    root = ElementTree.fromstring(base64.b64decode(content))
    assert root.tag.endswith("svg") and not list(root.iter("{http://www.w3.org/2000/svg}text"))  # no font is needed
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG") and not plt.get_fignums()


def test_the_same_drawing_gives_the_same_bytes():
    plots.use_style()
    assert plots.svg(drawings.mixture_graph()) == plots.svg(drawings.mixture_graph())
    plt.close("all")


def test_what_a_reader_has_set_does_not_matter():
    plots.use_style()
    clean = plots.svg(drawings.gan_game())
    plt.rcParams.update({"font.size": 30, "text.color": "white", "figure.facecolor": "black"})
    plots.use_style()
    assert plots.svg(drawings.gan_game()) == clean
    plt.close("all")
