"""Figures say what they show, interactives are whole in themselves."""

import base64
import io
import json
import math
import os
import re
import subprocess
import sys
import wave
from html.parser import HTMLParser
from types import SimpleNamespace

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from gencourse import metrics, plots, widgets
from gencourse.course.notebook import clean
from gencourse.data import mu_law_encode
from gencourse.models.causal import causal_mask
from gencourse.training import GANHistory


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.use_style()
        yield
    plt.close("all")


@pytest.fixture
def page(monkeypatch):
    """What is put on the page: a list of {mime type: content}."""
    shown = []
    for module in ("plots.page", "widgets.fields", "widgets.sounds"):
        monkeypatch.setattr(f"gencourse.{module}.display", lambda bundle, **more: shown.append(bundle))
    return shown


def digits(*shape):
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def field(height=9, width=9, row=4, column=4, reach=2, leak=False):
    """Gradients of a model that sees `reach` pixels around, in the past only."""
    values = torch.zeros(height, width)
    values[max(0, row - reach) : row, max(0, column - reach) : column + reach + 1] = 0.5
    values[row, max(0, column - reach) : column + leak] = 1.0
    return values


def history(steps=200, seconds=10.0):
    loss = [100 + 400 * 0.95**i for i in range(steps)]
    return SimpleNamespace(loss=loss, measured=[(100, 105.0), (200, 104.0)], seconds=seconds)


def tone(frequency=1000, seconds=0.5):
    return torch.sin(2 * torch.pi * frequency * torch.arange(int(8000 * seconds)) / 8000) / 2


def toy_mixture():
    """Points, weights, means, covariances."""
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    return x, torch.tensor([0.8, 0.2]), torch.tensor([[0.0, 0], [2, 1]]), torch.eye(2).expand(2, 2, 2)


def hill(x):
    """A density of (N, 2) points, highest at (1, 0.5)."""
    return torch.exp(-(x - torch.tensor([1.0, 0.5])).square().sum(1))


FIGURES = {
    "mask": lambda: plots.mask(plt.figure().gca(), causal_mask(5, "A"), "type A"),
    "mu_law": lambda: plots.mu_law(plt.figure().gca()),
    "receptive_field": lambda: plots.receptive_field(plt.figure().gca(), field(), (4, 4)),
    "spectrogram": lambda: plots.spectrogram(plt.figure().gca(), tone()),
    "receptive_fields": lambda: plots.receptive_fields({"a": field(), "b": field(leak=True)}, (4, 4)),
    "nats_bars": lambda: plots.nats_bars({"chain": 140.0, "PixelCNN": [93.0, 95.0]}, {"paper (table 4)": 81.3}),
    "nats_bars, stored": lambda: plots.nats_bars({"chain": 140.0}, {"paper": 81.3}, stored={"PixelCNN": 85.5}),
    "nats_bars, dice": lambda: plots.nats_bars({"chain": 140.0, "PixelCNN": 93.0}, {"paper (table 4)": 81.3}, 45.5),
    "interval_bars": lambda: plots.interval_bars(
        {"a": metrics.Interval(90.0, 88.0, 92.0), "b": 120.0}, "nats an image", marks={"floor": 45.5}
    ),
    "posteriors": lambda: plots.posteriors(torch.randn(9, 2), 0.1 * torch.ones(9, 2), range(9)),
    "learning_curves": lambda: plots.learning_curves({"a": history(), "b": history(seconds=20.0)}, "seconds"),
    "spectrograms": lambda: plots.spectrograms({"real": tone(), "generated": tone(500)}),
    "growth": lambda: plots.growth([7, 14, 28], {"cached": [1, 4, 16]}, "image side, pixels"),
    "dilations": lambda: plots.dilations([1, 2, 4]),
    "bits_over_context": lambda: plots.bits_over_context([1.5, 3], [[5.1, 5.0], [5.0, 4.9]], {"table": 5.4}),
    "paired_gains": lambda: plots.paired_gains({"3 ms instead of 1.5": [0.1, 0.2, -0.1]}, "bits a sample saved"),
    "dilations, many": lambda: plots.dilations([2**i for i in range(9)]),
    "image_grid": lambda: plots.image_grid(digits(7, 1, 28, 28), 4),
    "image_grid, titles": lambda: plots.image_grid(torch.rand(3, 1, 8, 8), 4, ["a", "b", "c"]),
    "image_grid, heads": lambda: plots.image_grid(digits(4, 1, 8, 8), 2, rows=["a", "b"], heads=["c", "d"]),
    "strips": lambda: plots.strips(
        {"a": [1.0, 2.0], "b": [3.0]}, "nats", {"a": 1.5}, "rule", {"ceiling": 4.0}, log=True
    ),
    "clouds": lambda: plots.clouds({"a": torch.rand(5, 2), "b": torch.rand(5, 2)}, (0, 1, 0, 1)),
    "completions": lambda: plots.completions(digits(2, 1, 8, 8), 4, digits(2, 3, 1, 8, 8)),
    "mixture": lambda: plots.mixture(plt.figure().gca(), *toy_mixture()),
    "mixture, shares": lambda: plots.mixture(plt.figure().gca(), *toy_mixture(), torch.full((50, 2), 0.5)),
    "heat_maps": lambda: plots.heat_maps({"a": torch.rand(9, 12), "b": hill}, (-2, 2, -1, 1), torch.zeros(3, 2)),
    "lines": lambda: plots.lines([1, 10, 100], {"a": [1, 2, 3], "b": [3, 2, 1]}, "K", "nats", log="xy"),
    "around_centres": lambda: plots.around_centres(
        {"a": toy_mixture()[0], "b": 9 * toy_mixture()[0]}, toy_mixture()[2], 3.0),
    "contest_losses": lambda: plots.contest_losses({"a": GANHistory(loss_d=[1.4] * 30, loss_g=[0.7] * 30)}),
    "distance_marks": lambda: plots.distance_marks(
        {"grey": {"floor": {9: metrics.Interval(2.0, 1.0, 3.0, 5)}, "GAN": {9: metrics.Interval(9.0, 8.0, 9.5, 5)}}},
        "floor",
    ),
    "runs_and_means": lambda: plots.runs_and_means(
        {"a": ([0.1, 0.2, 0.2], metrics.Interval(0.2, 0.1, 0.3, 3))}, "correlation", {"none": 0.0}, second="clock"
    ),
    "loss_and_outcome": lambda: plots.loss_and_outcome(plt.figure().gca(), {"ring": ([1.0, 2.0], [8, 3])}, "modes"),
    "nats_over_minutes": lambda: plots.nats_over_minutes({"a": ([5, 9], [91, 85])}, {"b": ([4, 8], [95, 88])}),
    "faulty_clouds": lambda: plots.faulty_clouds({f"fault {i}": toy_mixture()[0] for i in range(7)}, toy_mixture()[0]),
    "over_draws": lambda: plots.over_draws([1, 10], {"a": ([(1, 0, 2), (2, 1, 3)], "equal")}, "draws"),
    "groups": lambda: plots.groups({"a": {"x": [9.0, 90.0], "y": [80.0]}}, {"a": plots.Band(4, 8, "floor")}),
    "fast_and_good": lambda: plots.fast_and_good(
        {"a": plots.Contestant(0.1, 9.0, 5.0, 12.0, "exact", True, "80 nats", True),
         "b": plots.Contestant(10.0, 30.0, 20.0, 40.0, "none", False, "")}, (4.0, 6.0), 3.0),
    "beside_lines": lambda: plots.beside_lines(
        {"a": ({"x": (1.0, 0.5, 2.0)}, "seconds", plots.Band(1, 1, "limit")),
         "b": ({"x": (1.0, 0.5, 2.0)}, "share", plots.Band(0.9, 1.1, "floor"))}, {"a": None}),
    "taken_for": lambda: plots.taken_for([[2, 1], [0, 3], [1, 1]], ["a", "b", "nothing"], ["a", "b"], 2),
    "study_shares": lambda: plots.study_shares({f"outcome {i}": {"a": (0.5, 0.4, 0.6)} for i in range(5)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_names_its_axes_and_stays_small(name):
    result = FIGURES[name]()
    assert isinstance(result, Axes | Figure)
    figure = result if isinstance(result, Figure) else result.figure
    content = plots.png(figure)
    for ax in figure.axes:
        if ax.axison and ax.get_subplotspec() is not None and ax.get_subplotspec().is_first_col():
            assert ax.get_ylabel()
        if ax.axison and ax.get_subplotspec() is not None and ax.get_subplotspec().is_last_row():
            assert ax.get_xlabel()
        shown = [t.get_fontsize() for t in (ax.title, ax.xaxis.label, ax.yaxis.label) if t.get_text()]
        assert all(size >= 12 for size in shown)
    assert len(content) < 45_000
    assert Image.open(io.BytesIO(content)).mode == "P"
    assert max(Image.open(io.BytesIO(content)).size) <= 1100


WRONG = {
    "images: shape (4, 8, 8)": lambda: plots.image_grid(digits(4, 8, 8), 2),
    "columns is 0": lambda: plots.image_grid(digits(4, 1, 8, 8), 0),
    "1 titles for 4": lambda: plots.image_grid(digits(4, 1, 8, 8), 2, ["a"]),
    "1 heads for 2 columns": lambda: plots.image_grid(digits(4, 1, 8, 8), 2, heads=["a"]),
    "at least one number each": lambda: plots.strips({"a": []}, "nats"),
    "marks has ['b']": lambda: plots.strips({"a": [1.0]}, "nats", {"b": 1.0}),
    "points is empty": lambda: plots.clouds({}, (0, 1, 0, 1)),
    "images: values from 0 to 2": lambda: plots.image_grid(torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2), 2),
    "completions: shape (2, 1, 8, 8)": lambda: plots.completions(digits(2, 1, 8, 8), 4, digits(2, 1, 8, 8)),
    "hidden_from_row is 8": lambda: plots.completions(digits(2, 1, 8, 8), 8, digits(2, 3, 1, 8, 8)),
    "position is (9, 4)": lambda: plots.receptive_field(plt.figure().gca(), field(), (9, 4)),
    "a receptive field has shape (9,)": lambda: plots.field_tiles(torch.zeros(9), (0, 0)),
    "'steps' or 'seconds'": lambda: plots.learning_curves({"a": history()}, "minutes"),
    "a history without steps": lambda: plots.learning_curves({"a": SimpleNamespace(loss=[])}),
    "as many positive numbers": lambda: plots.growth([1, 2], {"a": [1]}, "side"),
    "one number or one for each seed": lambda: plots.nats_bars({"a": float("nan")}),
    "a waveform has shape (2, 9)": lambda: plots.spectrogram(plt.figure().gca(), torch.zeros(2, 9)),
    "leaves [-1, 1]": lambda: plots.spectrograms({"a": torch.full((99,), float("nan"))}),
    "dilations [0] with": lambda: plots.dilations([0]),
    "alt is empty": lambda: plots.show(plt.figure(), " "),
    "expected at least 2": lambda: plots.raster_frames(digits(1, 1, 8, 8), 1),
    "expected (N, 2), (K,), (K, 2)": lambda: plots.mixture(plt.figure().gca(), torch.zeros(5, 3), *toy_mixture()[1:]),
    "covariances have shape (3,)": lambda: plots.mixture(plt.figure().gca(), *toy_mixture()[:3], torch.ones(3)),
    "shares have shape (50, 3)": lambda: plots.mixture(plt.figure().gca(), *toy_mixture(), torch.zeros(50, 3)),
    "maps has 0 entries": lambda: plots.heat_maps({}, (0, 1, 0, 1)),
    "maps has 2 entries": lambda: plots.heat_maps({"a": hill, "b": hill}, (0, 1, 0, 1), ax=plt.figure().gca()),
    "'a' has shape (4,)": lambda: plots.heat_maps({"a": torch.zeros(4)}, (0, 1, 0, 1)),
    "log is 'z'": lambda: plots.lines([1], {"a": [1]}, "K", "nats", log="z"),
    "'a' has shape (2,) over x (3,)": lambda: plots.lines([1, 2, 3], {"a": [1, 2]}, "K", "nats"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_drawn_is_refused_in_words(words):
    with pytest.raises(ValueError, match=re.escape(words)):
        WRONG[words]()


def test_show_puts_one_image_with_its_text_on_the_page_and_closes_the_figure(page):
    ax = plt.figure().gca()
    ax.bar([0, 1], [0.5, 0.5])
    plots.show(ax, 'Two bars, "alike" & <equal>.')
    (bundle,) = page
    assert bundle["text/plain"] == 'Two bars, "alike" & <equal>.'
    (image,) = parse(bundle["text/html"], "img")
    assert image["alt"] == bundle["text/plain"] and "max-width:100%" in image["style"]
    drawn = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert drawn.format == "PNG" and Image.open(io.BytesIO(decode(image["src"]))).format == "WEBP"
    assert same(base64.b64decode(bundle["image/png"]), decode(image["src"]))
    assert not plt.get_fignums()


SPOILT = {
    "a dark style": dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), "white")
    | dict.fromkeys(("figure.facecolor", "axes.facecolor"), "black"),
    "images from below": {"image.origin": "lower", "image.interpolation": "bilinear", "image.aspect": "auto"},
    "TeX without TeX": {"text.usetex": True},
    "a poster": {"font.size": 30, "font.family": "monospace", "legend.fontsize": 30, "lines.markersize": 1},
    "grids": {"axes.grid": True, "axes.grid.axis": "x", "axes.prop_cycle": plt.cycler(color=["red"])},
    "saved in another way": {"savefig.bbox": "tight", "savefig.transparent": True, "figure.autolayout": True},
    "other numbers": {"axes.unicode_minus": False, "axes.formatter.use_locale": True, "axes.formatter.limits": [0, 0]},
}


def drawn_with_style(name):
    plots.use_style()
    torch.manual_seed(0)
    result = FIGURES[name]()
    content = plots.png(result)
    plt.close("all")
    return content


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_the_same_whatever_a_reader_has_set(name):
    clean = drawn_with_style(name)
    for settings in SPOILT.values():
        plt.rcParams.update(settings)
    assert drawn_with_style(name) == clean


@pytest.mark.parametrize("settings", SPOILT)
def test_no_setting_of_a_reader_gets_through(settings):
    clean = drawn_with_style("lines")
    plt.rcParams.update(SPOILT[settings])
    assert drawn_with_style("lines") == clean


def test_what_a_reader_sets_later_changes_neither_size_nor_ground_and_turns_nothing_over():
    figure = plots.lines([1, 2], {"a": [-1, 1]}, "K", "nats").figure
    size = Image.open(io.BytesIO(plots.png(figure))).size
    plt.rcParams.update(SPOILT["saved in another way"] | SPOILT["images from below"])
    picture = Image.open(io.BytesIO(plots.png(figure))).convert("RGB")
    assert picture.size == size and min(picture.getpixel((0, 0))) > 250
    upright = np.zeros((1, 1, 4, 4), np.uint8)
    upright[..., :2, :] = 1
    page = np.asarray(Image.open(io.BytesIO(plots.png(plots.image_grid(upright, 1)))).convert("L"))
    assert page[: len(page) // 2].mean() < page[len(page) // 2 :].mean()  # the ink is still on top


@pytest.mark.parametrize("backend", ["svg", "QtAgg"])
def test_a_figure_is_shown_whatever_the_backend(backend):
    code = "from gencourse import plots; plots.use_style()\n"
    code += "plots.show(plots.lines([1, 2], {'a': [1, 2]}, 'K', 'nats'), 'A line.')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"MPLBACKEND": backend}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "A line."), done.stderr


def test_where_pillow_writes_no_webp_a_png_does(monkeypatch):
    content = plots.png(np.eye(4))
    assert same(decode(plots.image_url(content)), content)
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    assert decode(plots.image_url(content)) == content


def test_a_frame_that_is_clear_in_places_stays_so():
    file = io.BytesIO()
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(file, "png")
    assert Image.open(io.BytesIO(decode(plots.image_url(file.getvalue())))).mode == "RGBA"


def test_an_interactive_leaves_its_first_picture_for_print(page):
    widgets.explorer({"n": [1, 2]}, squares, "Squares.", start=2)
    data = state(page[0]["text/html"])
    first = decode(data["pictures"][data["picture"][1]])
    assert same(base64.b64decode(page[0]["image/png"]), first) and page[0]["text/plain"] == "Squares."


def test_a_picture_of_few_colours_is_kept_exactly():
    picture = np.random.default_rng(0).integers(0, 2, (28, 28), dtype=np.uint8) * 255
    back = np.asarray(Image.open(io.BytesIO(plots.png(picture))).convert("L"))
    assert (back == picture).all()
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(20, 0)
    assert (np.asarray(Image.open(io.BytesIO(plots.png(ramp))).convert("L")) == ramp).all()


# ------------------------------------------------------------------------------- what the figures measure


def test_the_tiles_tell_seen_unseen_future_and_leak_apart_even_in_grey():
    scale = 12

    def cell(tiles, row, column):
        return tiles[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale] @ [0.3, 0.59, 0.11]

    tiles = plots.field_tiles(field(), (4, 4), scale)
    assert tiles.shape == (9 * scale, 9 * scale, 3) and tiles.dtype == np.uint8
    seen, unseen, future, itself = (cell(tiles, *at) for at in [(3, 4), (0, 0), (8, 8), (4, 4)])
    assert np.median(seen) < np.median(future) - 30
    assert unseen.std() > 3 * future.std()  # hatched
    assert itself.min() == 0 and itself.max() > 250  # a cross
    leaking = plots.field_tiles(field(leak=True), (4, 4), scale)
    assert (leaking != tiles).any(-1).mean() > 0.02
    future_seen = field()
    future_seen[7, 7] = 1
    assert cell(plots.field_tiles(future_seen, (4, 4), scale), 7, 7).min() < future.min() - 30


def test_growth_finds_the_exponent():
    sizes = [4, 8, 16, 32]
    ax = plots.growth(sizes, {"slow": [s**4 for s in sizes], "fast": [3 * s for s in sizes]}, "side")
    slow, fast = (text.get_text() for text in ax.get_legend().get_texts())
    assert "4.0" in slow and "1.0" in fast


def test_an_ellipse_is_one_standard_deviation_along_the_axes_of_the_covariance():
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])  # the long axis points along (0.8, 0.6)
    covariance = turn @ torch.diag(torch.tensor([9.0, 1.0])) @ turn.T
    ax = plots.mixture(plt.figure().gca(), torch.zeros(1, 2), torch.ones(1), torch.tensor([[5.0, 7]]), covariance[None])
    inner, outer = ax.patches
    assert (inner.width, inner.height) == pytest.approx((6, 2)) and tuple(inner.center) == (5, 7)
    assert (outer.width, outer.height) == pytest.approx((12, 4))
    assert inner.angle % 180 == pytest.approx(np.degrees(np.arctan2(0.6, 0.8)), abs=1e-3)
    for covariances in (torch.tensor([[4.0, 1.0]]), torch.tensor([4.0])):  # variances of each feature; one of all
        ax = plots.mixture(plt.figure().gca(), torch.zeros(1, 2), torch.ones(1), torch.zeros(1, 2), covariances)
        assert {ax.patches[0].width, ax.patches[0].height} == {4, 2 * covariances.reshape(-1)[-1].sqrt().item()}


def test_a_point_has_the_colour_and_the_marker_of_the_component_that_explains_it():
    shares = torch.tensor([[1.0, 0], [0, 1], [0.5, 0.5]])
    ax = plots.mixture(plt.figure().gca(), torch.rand(3, 2), *toy_mixture()[1:], shares)
    first, second = ([tuple(colour[:3]) for colour in points.get_facecolor()] for points in ax.collections)
    blue, vermillion = (tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in plots.COLOURS[:2])
    assert first[0] == pytest.approx(blue) and second[0] == pytest.approx(vermillion)
    assert first[1] == pytest.approx([(a + b) / 2 for a, b in zip(blue, vermillion)])


def test_a_heat_map_has_its_peak_where_the_density_has_it():
    figure = plots.heat_maps({"hill": hill, "rows": torch.tensor([[0.0, 0], [0, 1]])}, (-2, 2, -1, 1))
    for ax, place in zip(figure.axes, ((1, 0.5), (1, 0.5))):
        image = ax.images[0]
        values, (left, right, bottom, top) = np.asarray(image.get_array()), image.get_extent()
        row, column = np.unravel_index(values.argmax(), values.shape)
        assert image.origin == "lower"
        assert left + (column + 0.5) * (right - left) / values.shape[1] == pytest.approx(place[0], abs=0.03)
        assert bottom + (row + 0.5) * (top - bottom) / values.shape[0] == pytest.approx(place[1], abs=0.03)


def test_lines_have_markers_where_they_are_few_and_ticks_where_they_are_asked_for():
    few = plots.lines([1, 10, 100], {"a": [1, 2, 3]}, "K", "nats", log="x")
    assert few.get_xscale() == "log" and few.get_yscale() == "linear" and few.get_legend() is None
    assert [label.get_text() for label in few.get_xticklabels()] == ["1", "10", "100"]
    many = plots.lines(range(50), {"a": range(50), "b": range(50)}, "K", "nats")
    assert few.lines[0].get_marker() == "o" and many.lines[0].get_marker() == "" and many.get_legend()
    assert many.lines[0].get_linestyle() != many.lines[1].get_linestyle()


def test_a_tone_is_loudest_at_its_frequency_and_level():
    values = plots.decibels(tone(1000))
    middle = values[:, values.shape[1] // 2]
    assert middle.argmax() * 8000 / 256 == 1000
    assert abs(middle.max() - 20 * np.log10(0.5)) < 0.1


def test_the_cone_reaches_as_far_as_the_formula_says():
    for kernel_size, d in [(2, [1, 2, 4]), (3, [1, 3]), (2, [2**i for i in range(8)])]:
        ax = plots.dilations(d, kernel_size).axes[0]
        reach = kernel_size + (kernel_size - 1) * sum(d)
        assert f"{reach:,} samples" in ax.get_title()
        sound = [line.get_xdata() for line in ax.lines if line.get_color() == plots.VERMILLION]
        assert len(sound) == 1 and (min(sound[0]), max(sound[0])) == (-reach, -1)


def test_the_companding_curve_is_that_of_the_data():
    x = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    line = plots.mu_law(plt.figure().gca(), 16).lines[1]
    assert np.abs(line.get_ydata() - mu_law_encode(x, 16).numpy()).mean() < 0.01


def test_raster_frames_draw_in_reading_order():
    image = digits(2, 1, 6, 5)
    frames = plots.raster_frames(image, 7, given_rows=2)
    known = np.isfinite(frames)
    counts = known.sum((-1, -2))
    assert (counts[0] == 10).all() and (counts[-1] == 30).all() and (np.diff(counts[:, 0]) > 0).all()
    assert all((np.diff(flat.astype(int)) <= 0).all() for flat in known.reshape(-1, 30))
    assert (frames[-1] == image[:, 0].numpy()).all()
    pictures = [plots.film_frame(frame) for frame in frames]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


# ------------------------------------------------------------------------------------------- interactives


class Tags(HTMLParser):
    def __init__(self, tag):
        super().__init__()
        self.tag, self.found = tag, []

    def handle_starttag(self, tag, attributes):
        if tag == self.tag:
            self.found.append(dict(attributes))


def parse(text, tag):
    parser = Tags(tag)
    parser.feed(text)
    return parser.found


def same(*pictures):
    """Do files of pictures hold the same pixels?"""
    first, *others = (np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in pictures)
    return all((other == first).all() for other in others)


def decode(url):
    return base64.b64decode(url.split(",", 1)[1])


def state(block):
    """The data in a block's script."""
    return json.loads(re.search(r"const data = (\{.*\});\n", block)[1])


def squares(*options):
    return np.full((4, 4), sum(map(hash, options)) % 7 * 30, dtype=np.uint8)


def test_an_explorer_holds_a_picture_for_every_combination():
    values = {(n, kind): 40 * n + 20 * (kind == "</script>") for n in (1, 2, 3) for kind in ("a", "</script>")}
    frames = {key: np.full((4, 4), value, dtype=np.uint8) for key, value in values.items()}
    block = widgets.explorer_html(
        {"n": [1, 2, 3], "kind": ["a", "</script>"]}, frames, "Grey <squares>.", start=(2, "a")
    )
    data = state(block)
    assert [options for _, options, _, _ in data["dials"]] == [["1", "2", "3"], ["a", "</script>"]]
    assert [slider for *_, slider in data["dials"]] == [True, False]
    assert len(data["pictures"]) == len(set(data["pictures"])) == 6
    for place, key in enumerate(values):  # in the order of the script: the last dial turns fastest
        picture = Image.open(io.BytesIO(decode(data["pictures"][data["picture"][place]]))).convert("L")
        assert picture.getpixel((0, 0)) == values[key]
    (image,) = parse(block, "img")
    assert image["alt"] == "Grey <squares>."
    assert image["src"] == data["pictures"][data["picture"][list(values).index((2, "a"))]]
    assert block.count("</script>") == 1


def test_nothing_is_fetched_and_nothing_moves_before_the_script_runs():
    block = widgets.explorer_html({"n": [1, 2]}, lambda n: squares(n), "Squares.")
    assert not re.search(r"https?:|//\w+\.|@import|url\(", re.sub(r"base64,[\w+/=]+", "", block))
    still = block[: block.index("<script>")]
    assert "<img" in still and "<input" not in still and "Move the" not in still


def test_two_blocks_on_a_page_do_not_share_a_name_and_equal_items_are_stored_once():
    blocks = [widgets.explorer_html({"n": [1, 2]}, lambda n: squares(), "Squares.") for _ in range(2)]
    names = [parse(block, "div")[0]["id"] for block in blocks]
    assert names[0] != names[1]
    assert all(f'[id="{name}"]' in block for name, block in zip(names, blocks, strict=True))
    assert len(state(blocks[0])["pictures"]) == 1 and state(blocks[0])["picture"] == [0, 0]


def test_sounds_and_captions_follow_the_dials():
    sounds = {(1,): tone(500), (3,): tone(700)}
    block = widgets.explorer_html(
        {"n": [1, 2, 3]}, squares, "Squares.", audio=sounds, captions=lambda n: f"n is {n} < 4"
    )
    data = state(block)
    assert data["sound"] == [0, -1, 1] and data["words"][data["word"][2]] == "n is 3 < 4"
    assert parse(block, "audio")[0]["src"] == data["sounds"][0]
    with wave.open(io.BytesIO(decode(data["sounds"][1]))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnframes()) == (8000, 2, 4000)
        samples = np.frombuffer(file.readframes(4000), "<i2") / 32767
    assert np.abs(samples - tone(700).numpy()).max() < 1e-4


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("at least one option", ({"n": []}, squares, "Squares.")),
        ("nothing is given for (2,)", ({"n": [1, 2]}, {1: squares(1)}, "Squares.")),
        ("alt is empty", ({"n": [1, 2]}, squares, "")),
        ("no PNG", ({"n": [1]}, {1: b"GIF89a"}, "Squares.")),
        ("an image of shape", ({"n": [1]}, {1: np.zeros((4, 4, 2))}, "Squares.")),
    ],
)
def test_an_explorer_that_cannot_work_is_refused(words, arguments):
    with pytest.raises(ValueError, match=re.escape(words)):
        widgets.explorer_html(*arguments)


def test_a_block_too_large_for_a_notebook_is_refused():
    noise = np.random.default_rng(0).integers(0, 256, (8, 210, 210), dtype=np.uint8)
    with pytest.raises(ValueError, match="fewer options"):
        widgets.scrubber(list(noise), alt="Noise.")
    with pytest.raises(ValueError, match="start is"):
        widgets.explorer_html({"n": [1, 2]}, squares, "Squares.", start=3)


def test_a_scrubber_takes_figures_and_closes_them(page):
    axes = [plt.figure(figsize=(3, 2)).gca() for _ in range(3)]
    for ax, p in zip(axes, (0.1, 0.5, 0.9)):
        ax.bar([0, 1], [p, 1 - p])
    widgets.scrubber(axes, [0.1, 0.5, 0.9], alt="A coin.", name="bias")
    data = state(page[0]["text/html"])
    assert data["dials"] == [["bias", ["0.1", "0.5", "0.9"], 0, True]] and len(set(data["pictures"])) == 3
    assert page[0]["text/plain"] == "A coin." and not plt.get_fignums()
    with pytest.raises(ValueError, match="2 labels for 3 frames"):
        widgets.scrubber(list(np.zeros((3, 4, 4))), [1, 2], alt="Nothing.")


def test_the_film_of_sampling(page):
    widgets.sampling_film(plots.raster_frames(digits(3, 1, 28, 28)), alt="Digits.")
    data = state(page[0]["text/html"])
    assert data["dials"][0][1][::56] == ["0", "784"] and len(set(data["pictures"])) == 57
    assert len(page[0]["text/html"]) < 130_000
    with pytest.raises(ValueError, match="frames have shape"):
        widgets.sampling_film(np.zeros((3, 3)), alt="Digits.")


def test_the_receptive_field_explorer_names_the_leak(page):
    fields = {
        (mask, depth, stacks): field(28, 28, 14, 14, depth, mask == "B")
        for mask in "AB"
        for depth in range(1, 9)
        for stacks in ("single", "gated")
    }
    widgets.receptive_field_explorer(fields, (0, 14, 14))
    block = page[0]["text/html"]
    data = state(block)
    assert len(data["picture"]) == 32 and len(set(data["pictures"])) == 16
    words = [data["words"][i] for i in data["word"]]
    assert all(("leak" in text) == (i >= 16) for i, text in enumerate(words))
    assert "not seen" in block and len(block) < 110_000
    assert data["dials"][1][0] == "blocks after the first layer"
    alike = {key: (values > 0).float() for key, values in fields.items()}
    widgets.receptive_field_explorer(alike, (0, 14, 14))
    red, green, blue = plots.field_tiles(alike["A", 1, "single"], (14, 14))[13 * 10 + 5, 14 * 10 + 5]
    plain = page[1]["text/html"]
    assert "darker" in block and "darker" not in plain and f"#{red:02x}{green:02x}{blue:02x}" in plain
    del fields["A", 3, "gated"]
    with pytest.raises(ValueError, match="nothing is given for"):
        widgets.receptive_field_explorer(fields, (14, 14))


def test_the_dilation_explorer_says_how_far_it_sees(page):
    patterns = {"doubling": [1, 2, 4, 8, 16], "all one": [1] * 5}
    widgets.dilation_explorer(patterns, audio={("doubling", 5): tone()})
    data = state(page[0]["text/html"])
    words = [data["words"][i] for i in data["word"]]
    assert "first layer and 5 more the network sees 33 samples: 4.12 ms" in words[4] and "No sound" not in words[4]
    assert "7 samples" in words[9] and "No sound" in words[9]
    assert len({Image.open(io.BytesIO(decode(url))).size for url in data["pictures"]}) == 1
    assert len(page[0]["text/html"]) < 250_000
    with pytest.raises(ValueError, match="5 dilations"):
        widgets.dilation_explorer(patterns, depths=[1, 9])


def test_the_em_stepper_shows_every_half_step_and_its_likelihood(page):
    x, *parameters = toy_mixture()
    shares = torch.full((50, 2), 0.5)
    steps = [("start", parameters, None, -4.0), ("E 1", parameters, shares, -4.0), ("M 1", parameters, shares, -3.25)]
    widgets.em_stepper(x, steps)
    data = state(page[0]["text/html"])
    assert data["dials"] == [["half step", ["start", "E 1", "M 1"], 0, True]] and len(set(data["pictures"])) == 3
    assert [data["words"][i] for i in data["word"]][2] == "M 1: -3.2500 nats per point"
    assert page[0]["text/plain"] and not plt.get_fignums()
    assert len({Image.open(io.BytesIO(decode(url))).size for url in data["pictures"]}) == 1
    with pytest.raises(ValueError, match="of each frame"):
        widgets.em_stepper(x, [])
    with pytest.raises(ValueError, match="for 3 frames"):
        widgets.em_stepper(x, steps, times=[0, 1])
    with pytest.raises(ValueError, match="one each, in order"):
        widgets.em_stepper(x, steps, times=[0, 2, 1])


def test_the_em_stepper_draws_each_frame_at_its_time(monkeypatch, page):
    """Frames that leave out steps lie as far apart as the steps do, or a plateau would look short."""
    drawn = []
    monkeypatch.setattr(
        "gencourse.widgets.dials.explorer", lambda dials, frames, alt, **_: drawn.extend(frames.values())
    )
    x, *parameters = toy_mixture()
    steps = [("start", parameters, None, -4.0), ("M 1", parameters, None, -3.5), ("M 60", parameters, None, -3.25)]
    widgets.em_stepper(x, steps, times=[0, 1, 60])
    assert drawn[-1].axes[1].lines[0].get_xdata().tolist() == [0, 1, 60]
    plt.close("all")


def test_the_live_explorer_asks_the_model_and_leaves_a_text(page, monkeypatch):
    asked = []

    def build(kernel_size, depth, stacks):
        asked.append((kernel_size, depth, stacks))
        if depth == 2:
            raise ValueError("too <deep>")
        return field()

    boxes = []
    vbox = ipywidgets.VBox
    monkeypatch.setattr(ipywidgets, "VBox", lambda children: boxes.append(vbox(children)) or boxes[-1])
    widgets.live_receptive_field(build, (4, 4))
    assert "Run this cell" in page[0]["text/plain"] and "VBox" not in page[0]["text/plain"]
    (image,) = parse(page[0]["text/html"], "img")
    assert image["alt"] and same(decode(image["src"]), base64.b64decode(page[0]["image/png"]))
    assert "application/vnd.jupyter.widget-view+json" in page[0]
    kernel, layers, stacks, picture = boxes[0].children
    before = picture.value
    assert parse(before, "img")[0]["alt"]
    kernel.value, stacks.value = 5, "gated"
    assert asked == [(3, 1, "single"), (5, 1, "single"), (5, 1, "gated")]
    layers.value = 2
    assert "too &lt;deep&gt;" in picture.value


def test_a_committed_notebook_has_a_still_picture_in_place_of_dead_dials(page):
    widgets.live_receptive_field(lambda *choice: field(), (4, 4))
    view = "application/vnd.jupyter.widget-view+json"
    slider = {view: {"model_id": "ab12"}, "text/plain": "IntSlider(value=3)"}
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"ab12": {}}}}
    for bundle, kept in ((page[0], False), (slider, True)):
        cell = new_code_cell(outputs=[new_output("display_data", dict(bundle))])
        cleaned = clean(new_notebook(cells=[cell], metadata={"widgets": state}))
        assert (view in cleaned.cells[0].outputs[0].data, "widgets" in cleaned.metadata) == (kept, kept)


def test_players_are_labelled_and_say_how_long(page):
    widgets.listen(tone(), 'the word "five"')
    widgets.players({"real": tone(), "made": tone(500)})
    assert page[0]["text/plain"] == '[sound, 0.5 s: the word "five"]'
    assert [player["aria-label"] for player in parse(page[1]["text/html"], "audio")] == ["real", "made"]
    assert len(page[0]["text/html"]) < 12_000
    with pytest.raises(ValueError, match="leaves"):
        widgets.listen(torch.tensor([2.0]), "too loud")


def test_the_code_walker_shows_the_tile_of_the_code(page):
    tiles = torch.linspace(0, 1, 12).view(3, 4, 1, 1).expand(3, 4, 5, 6)
    widgets.code_walker(tiles, [-1, 0, 1, 2], [-1, 0, 1], alt="Grey tiles.", start=(0, 3))
    block = page[0]["text/html"]
    data = state(block)
    assert data["names"] == ["z₁", "z₂"] and data["values"][0] == ["-1.00", "0.00", "1.00", "2.00"]
    assert data["at"] == [3, 0] and page[0]["text/plain"] == "Grey tiles."
    (image,) = parse(block, "img")
    assert image["alt"] == "Grey tiles."
    picture = np.asarray(Image.open(io.BytesIO(decode(image["src"]))).convert("L"))
    assert picture.shape == (15, 24)
    assert picture[14, 0] == 255 and picture[0, 23] == 0  # first code below on the left, last above on the right
    assert picture[14, 23] == pytest.approx(255 * (1 - 3 / 11), abs=9)
    still = block[: block.index("<script>")]
    assert "<input" not in still and "Move the" not in still and block.count("</script>") == 1
    assert not re.search(r"https?:|//\w+\.|@import", re.sub(r"base64,[\w+/=]+", "", block))


def test_a_walker_over_digits_is_small_enough(page):
    axis = torch.linspace(-2.5, 2.5, 21)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 28), torch.linspace(-1, 1, 28), indexing="ij")
    radius = (x**2 + y**2).sqrt()
    tiles = torch.stack(
        [torch.stack([torch.exp(-20 * (radius - 0.4 - 0.1 * a * b * x) ** 2) for a in axis]) for b in axis]
    )
    widgets.code_walker(tiles, axis, axis, alt="Rings.")
    assert len(page[0]["text/html"]) < 200_000


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("tiles have shape (2, 3, 4, 4)", dict(tiles=torch.zeros(2, 3, 4, 4))),
        ("tiles have values from 0 to 2", dict(tiles=2 * torch.eye(4).expand(3, 3, 4, 4))),
        ("not ascending", dict(first=[0, 2, 1])),
        ("start is (3, 0)", dict(start=(3, 0))),
        ("alt is empty", dict(alt=" ")),
        ("more than 100", dict(limit=100)),
    ],
)
def test_a_walker_that_cannot_work_is_refused(words, change):
    right = dict(tiles=torch.zeros(3, 3, 4, 4), first=[0, 1, 2], second=[0, 1, 2], alt="Nothing.")
    with pytest.raises(ValueError, match=re.escape(words)):
        widgets.code_walker_html(**right | change)


def test_traversals_show_the_images_of_each_choice(page):
    images = torch.linspace(0, 1, 2 * 3 * 2).view(2, 3, 2, 1, 1, 1).expand(2, 3, 2, 1, 4, 4)
    widgets.traversals(images, [7, 4], [-1, 0, 1], alt="Grey.", captions=lambda d, v: f"z{d} = {v:g}")
    data = state(page[0]["text/html"])
    assert [options for _, options, _, _ in data["dials"]] == [["7", "4"], ["-1", "0", "1"]]
    assert [at for _, _, at, _ in data["dials"]] == [0, 1] and data["words"][data["word"][5]] == "z4 = 1"
    for place, pair in enumerate(images.reshape(6, 2, 4, 4)):
        picture = np.asarray(Image.open(io.BytesIO(decode(data["pictures"][data["picture"][place]]))).convert("L"))
        assert picture.shape == (12, 24)
        assert picture[0, [0, 23]] / 255 == pytest.approx(1 - pair[:, 0, 0].numpy(), abs=0.04)
    with pytest.raises(ValueError, match=r"expected \(2, 2, n, 1, H, W\)"):
        widgets.traversals(images, [7, 4], [-1, 1])


def test_a_study_shows_each_mean_with_its_interval():
    panels = {
        "collapsed": {"steps = 1": (0.5, 0.3, 0.7), "steps = 5": (0.0, 0.0, 0.2)},
        "gap": {"steps = 1": (2.0, math.nan, math.nan), "steps = 5": (3.0, 2.5, 3.5)},
    }
    figure = plots.study_shares(panels, {"collapsed"})
    left, right = figure.axes
    assert left.get_ylabel() == "setting"
    assert [ax.get_title() for ax in figure.axes] == ["collapsed", "gap"]
    assert (left.get_xlabel(), right.get_xlabel()) == ("share of runs", "mean")
    assert [text.get_text() for text in left.get_yticklabels()] == ["steps = 1", "steps = 5"]
    assert left.get_ylim()[0] > left.get_ylim()[1] and left.get_xlim() == (-0.03, 1.03)  # the first row on top
    drawn = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in left.lines]
    assert drawn == [([0.3, 0.7], [0, 0]), ([0.5], [0]), ([0.0, 0.2], [1, 1]), ([0.0], [1])]
    assert {line.get_marker() for ax in (left, right) for line in ax.lines} == {"None", "o", "s"}
    assert plots.png(figure).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.study_shares({})
    with pytest.raises(ValueError, match="collapsed, a: mean 2 is outside its interval, 0 to 1"):
        plots.study_shares({"collapsed": {"a": (2, 0, 1)}})


def test_a_contest_shows_the_verdict_under_data_and_samples():
    centres, samples = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(5, 2)
    figure = plots.contest(lambda x: (x[:, 0] > 0).double(), centres, samples, (-2, 2, -1, 1), cells=8, title="step 3")
    ax, bar = figure.axes
    (image,) = ax.images
    assert image.get_clim() == (0, 1) and bar.get_ylabel() == "D, probability of data"
    assert image.get_array().tolist() == [[0.0] * 4 + [1.0] * 4] * 4  # left of the middle 0, right of it 1
    assert [line.get_xydata().tolist() for line in ax.lines] == [centres.tolist(), samples.tolist()]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker() and ax.get_title() == "step 3"
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 1)) and (ax.get_xlabel(), ax.get_ylabel()) == (
        "$x_1$",
        "$x_2$",
    )
    assert len(plots.png(figure)) < 20_000
    with pytest.raises(ValueError, match="not only probabilities"):
        plots.contest(lambda x: 2 * x[:, 0], centres, samples, (-2, 2, -1, 1))
    with pytest.raises(ValueError, match=r"samples have shape \(5,\)"):
        plots.contest(torch.zeros(2, 2), centres, torch.zeros(5), (-2, 2, -1, 1))


def test_an_interpolation_shows_both_ends_and_the_place_between(page):
    ends = torch.tensor([0.0, 1.0, 2 / 7])
    t = torch.tensor([0.0, 4 / 7, 1.0])
    values = (1 - t) * ends[:, None, None] + t * ends[None, :, None]  # (from, to, t)
    widgets.interpolation(values[..., None, None, None].expand(3, 3, 3, 1, 4, 6), t, alt="Greys.", scale=2)
    data = state(page[0]["text/html"])
    assert [(name, options) for name, options, *_ in data["dials"]][:2] == [(w, list("ABC")) for w in ("from", "to")]
    assert [at for _, _, at, _ in data["dials"]] == [0, 1, 1] and page[0]["text/plain"] == "Greys."
    for place, (i, j, k) in enumerate(np.ndindex(3, 3, 3)):
        picture = np.asarray(Image.open(io.BytesIO(decode(data["pictures"][data["picture"][place]]))).convert("L"))
        assert picture.shape == (8, 48)
        shown = picture[0, [0, 24, 47]] / 255  # the first end, the place, the other end
        assert shown == pytest.approx((1 - torch.stack([ends[i], values[i, j, k], ends[j]])).tolist(), abs=0.08)
        assert (picture[:, 12:18] == 255).all()
    with pytest.raises(ValueError, match=r"expected \(3, 3, 2, 1, H, W\)"):
        widgets.interpolation(torch.zeros(3, 3, 3, 1, 4, 6), [0, 1])
    with pytest.raises(ValueError, match=r"expected \(2, 2, 3, 1, H, W\)"):
        widgets.interpolation(torch.zeros(3, 3, 3, 1, 4, 6), [0, 0.5, 1], names="AB")


def test_verdicts_share_a_colour_bar_and_show_the_samples_of_each():
    centres, samples = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(400, 2)
    figure = plots.verdicts({name: (lambda x: 100 * x[:, 0], samples + i) for i, name in enumerate("ab")}, centres, 2.0)
    left, right, bar = figure.axes
    shown = left.images[0].get_array()
    assert bar.get_ylabel().startswith("D(x)") and shown[0, 0] == 0 and shown[0, -1] == 1  # light at the right
    assert len(right.lines[1].get_xdata()) == 300 and right.lines[1].get_xdata()[0] == 1
    ringed = plots.verdicts({"a": (lambda x: x[:, 0], samples)}, centres, 2.0, sigma=0.1).axes[0]
    assert [round(patch.width, 3) for patch in ringed.patches] == [0.6, 0.6]


def test_a_sheet_pads_its_last_row():
    ax = plots.sheet(plt.subplots()[1], torch.ones(5, 1, 4, 4), columns=3)
    assert ax.images[0].get_array().shape == (12, 18)


def test_seeds_beyond_the_axis_are_counted_at_its_end():
    ax = plots.seed_dots({"one": {"a": [0.1, 0.2, 50.0], "b": [1e-9, 0.3, 0.4]}}, "distance", (0.01, 3))
    assert [text.get_text().strip() for text in ax.texts] == ["1", "1"] and ax.get_yscale() == "log"
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 2.5]
    assert medians == [0.2, 0.3]
