"""The page of code space: in a browser, without a network, it draws what PyTorch draws."""

import json
import math

import pytest
import torch
from pages import built, missing, typeset, violations, watched
from torch import nn

from gencourse import checkpoints, data

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
GREY = 1 / 255


@pytest.fixture(scope="module")
def page():
    """The address of the page, on disk."""
    return (built("book") / "code-space.html").as_uri()


@pytest.fixture(scope="module")
def opened(browser, page):
    """The page in a tab, and the list of its complaints."""
    tab, complaints = watched(browser)
    tab.goto(page)
    typeset(tab)
    yield tab, complaints
    tab.close()
    assert complaints == []


@pytest.fixture
def tab(opened):
    return opened[0]


@pytest.fixture(scope="module")
def decode():
    """Codes (N, 2) -> (N, 784) probabilities of ink, by PyTorch."""
    plane = checkpoints.load("plane")[0]
    return lambda z: plane.decode(z).mean.detach().flatten(1)


@pytest.fixture(scope="module")
def generate():
    """Noise (N, 64) -> (N, 784) in [0, 1], by PyTorch."""
    gan = checkpoints.load("gan")[0]
    return lambda z: gan.generator(z).detach().flatten(1)


def computed(tab, name, z):
    """What the page makes of each code: (N, 784)."""
    return torch.tensor(tab.evaluate("([name, z]) => z.map(each => [...codeSpace[name](each)])", [name, z.tolist()]))


def painted(tab, part):
    """The ink of the picture on the page, as its pixels have it: (1, 784)."""
    pixels = tab.evaluate(
        "part => [...document.querySelector(part).getContext('2d').getImageData(0, 0, 28, 28).data]", part
    )
    red, green, blue, opaque = torch.tensor(pixels).view(-1, 4).unbind(1)
    assert red.equal(green) and red.equal(blue) and (opaque == 255).all()
    return 1 - red[None] / 255


def code(tab):
    """The code that the page states, as numbers (1, 2)."""
    words = tab.locator("[data-part=code]").inner_text()
    assert tab.locator("[data-part=map]").get_attribute("aria-valuetext") == words
    assert words in tab.locator("[data-part=digit]").get_attribute("aria-label")
    return torch.tensor([[float(part.split("=")[1].replace("−", "-")) for part in words.split(",")]])


def noises(tab):
    """The noise at both ends, as the buttons name it: (64,) each."""
    seeds = [int(tab.locator(f"[data-part={end}] b").inner_text().split()[1]) for end in ("first", "second")]
    return [torch.tensor(tab.evaluate("seed => [...codeSpace.noise(seed)]", seed)) for seed in seeds]


# what is computed ----------------------------------------------------------------------------------------------------


def test_the_decoder_draws_what_pytorch_draws(tab, decode):
    z = 7 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) - 3.5
    expected = decode(z)
    assert (expected.std(0) > 0.1).sum() > 200  # pictures that differ, or agreement would say little
    assert (computed(tab, "decode", z) - expected).abs().max() < GREY / 10


def test_the_generator_draws_what_pytorch_draws(tab, generate):
    z = torch.randn(50, 64, generator=torch.Generator().manual_seed(0))
    expected = generate(z)
    assert (expected.std(0) > 0.1).sum() > 200
    assert (computed(tab, "generate", z) - expected).abs().max() < GREY / 10


def test_a_code_of_another_length_is_refused(tab):
    message = tab.evaluate("() => { try { codeSpace.generate([1, 2]) } catch (error) { return error.message } }")
    assert message == "a code of 2 numbers came; expected 64"


def test_noise_is_normal_and_another_for_each_number(tab):
    from scipy.stats import kstest

    z = torch.tensor(tab.evaluate("Array.from({length: 500}, (_, seed) => [...codeSpace.noise(seed)])"))
    assert z.shape == (500, 64) and kstest(z.flatten().numpy(), "norm").pvalue > 0.01
    between = torch.corrcoef(z)
    assert (between - torch.eye(500)).abs().max() < 0.75  # of 125,000 pairs, 64 numbers each


def test_the_way_is_a_quarter_of_a_circle(tab):
    way = "t => [...codeSpace.between(new Float32Array([3, 0]), new Float32Array([0, 3]), t)]"
    for t in (0, 0.25, 0.5, 1):
        angle = math.pi / 2 * t
        assert tab.evaluate(way, t) == pytest.approx([3 * math.cos(angle), 3 * math.sin(angle)], abs=1e-6)


def test_pictures_come_at_once(tab):
    middle = """name => {
      const times = [];
      for (let k = 0; k < 21; k++) {
        const z = codeSpace.noise(k).slice(0, name === "decode" ? 2 : 64), start = performance.now();
        codeSpace[name](z);
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[10];
    }"""
    assert tab.evaluate(middle, "decode") < 20  # milliseconds
    assert tab.evaluate(middle, "generate") < 200


def test_the_digits_of_the_map_lie_where_the_encoder_puts_them(tab):
    codes = torch.tensor(tab.evaluate("codeSpaceModel.codes"))
    images, labels = data.mnist("test")
    images = data.binarise(images[:2000], torch.Generator().manual_seed(0))
    expected = checkpoints.load("plane")[0].encode(images).mean.detach()
    assert codes.shape == (2000, 3) and codes[:, 2].equal(labels[:2000].float())
    assert (codes[:, :2] - expected).abs().max() < 0.0051
    assert (expected.abs() < tab.evaluate("codeSpaceModel.edge")).all(1).float().mean() > 0.98  # hardly one is cut off


# by hand -------------------------------------------------------------------------------------------------------------


def test_the_point_is_dragged(tab, decode):
    box, before = tab.locator("[data-part=map]").bounding_box(), painted(tab, "[data-part=digit]")
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    tab.mouse.up()
    z = code(tab)
    assert z.tolist()[0] == pytest.approx([2.1, 1.4], abs=0.06)  # right is more of the first, up of the second
    after = painted(tab, "[data-part=digit]")
    assert (after - decode(z)).abs().max() < GREY and (after - before).abs().max() > 0.5
    point = tab.locator("[data-part=point]").bounding_box()
    assert point["x"] + point["width"] / 2 == pytest.approx(box["x"] + 0.8 * box["width"], abs=3)
    assert point["y"] + point["height"] / 2 == pytest.approx(box["y"] + 0.3 * box["height"], abs=3)
    tab.mouse.move(box["x"] + 20, box["y"] + 20)  # the button is up: the point stays
    assert code(tab).equal(z)


def test_the_point_walks_by_keys(tab, decode):
    place = tab.locator("[data-part=map]")
    assert place.get_attribute("tabindex") == "0" and place.get_attribute("aria-label")
    place.focus()
    expected = torch.zeros(1, 2)
    tab.keyboard.press("Home")
    assert code(tab).equal(expected)
    steps = {"ArrowLeft": (-0.1, 0), "ArrowUp": (0, 0.1), "Shift+ArrowRight": (0.01, 0), "Shift+ArrowDown": (0, -0.01)}
    for key, step in steps.items():
        tab.keyboard.press(key)
        expected = expected + torch.tensor(step)
        assert torch.allclose(code(tab), expected, atol=1e-4), key
        assert (painted(tab, "[data-part=digit]") - decode(code(tab))).abs().max() < GREY
    for _ in range(40):
        tab.keyboard.press("ArrowRight")
    assert code(tab)[0, 0] == 3.5 and place.get_attribute("aria-valuenow") == "3.5"  # the map ends here
    assert "code-space" in tab.url  # and the arrow has not turned over the page


def test_the_slider_goes_from_one_noise_to_the_other(tab, generate):
    slider = tab.locator("[data-part=t]")
    a, b = noises(tab)
    for key, t in (("Home", 0), ("ArrowRight", 0.01), ("End", 1), ("ArrowLeft", 0.99)):
        slider.press(key)
        z = math.cos(math.pi * t / 2) * a + math.sin(math.pi * t / 2) * b
        assert (painted(tab, "[data-part=mixed]") - generate(z[None])).abs().max() < GREY, key
        assert f"t = {t:.2f}" in tab.locator("[data-part=mixed]").get_attribute("aria-label")
        assert slider.get_attribute("aria-valuetext") == tab.locator("[data-part=share]").inner_text()
    for end, z in (("first", a), ("second", b)):
        assert (painted(tab, f"[data-part={end}] canvas") - generate(z[None])).abs().max() < GREY


@pytest.mark.parametrize("end", ["first", "second"])
def test_an_end_is_drawn_anew_and_the_other_stays(tab, generate, end):
    tab.locator("[data-part=t]").press("Home" if end == "first" else "End")  # the picture of that end in the middle
    before, mixed = noises(tab), painted(tab, "[data-part=mixed]")
    tab.locator(f"[data-part={end}]").press("Enter")
    after = noises(tab)
    k = ["first", "second"].index(end)
    assert after[1 - k].equal(before[1 - k]) and not after[k].equal(before[k])
    assert (painted(tab, "[data-part=mixed]") - generate(after[k][None])).abs().max() < GREY
    assert not painted(tab, "[data-part=mixed]").equal(mixed)


# for everyone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("light", ["light", "dark"])
def test_it_is_accessible(browser, page, light):
    tab, complaints = watched(browser, color_scheme=light)
    tab.goto(page)
    typeset(tab)
    assert violations(tab) == [] and complaints == []
    tab.close()


def test_it_fits_a_phone_and_a_finger_moves_the_point(browser, page, decode):
    tab, complaints = watched(browser, viewport={"width": 375, "height": 700}, has_touch=True)
    tab.goto(page)
    typeset(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    boxes = [tab.locator(f"[data-part={name}]").bounding_box() for name in ("map", "digit", "first", "second", "t")]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 375 for box in boxes)
    assert boxes[0]["width"] > 280 and min(boxes[2]["width"], boxes[4]["height"]) >= 24  # large enough for a finger
    assert boxes[1]["y"] + boxes[1]["height"] - boxes[0]["y"] < 700  # map and digit on one screen
    place = tab.locator("[data-part=map]")
    place.tap(position={"x": 0.2 * boxes[0]["width"], "y": 0.5 * boxes[0]["height"]})
    assert code(tab)[0].tolist() == pytest.approx([-2.1, 0], abs=0.06)
    assert (painted(tab, "[data-part=digit]") - decode(code(tab))).abs().max() < GREY
    tab.close()
    assert complaints == []


def test_without_scripts_the_pictures_stand_still(browser, page, tab):
    still, _ = watched(browser, java_script_enabled=False)
    still.goto(page)
    for picture in still.locator("[data-part=still] img").all():
        assert picture.is_visible() and picture.get_attribute("alt")
        assert picture.bounding_box()["height"] >= 28  # it was found
    assert still.locator("[data-part=still]").count() == 2
    assert not any(part.is_visible() for part in still.locator("[data-moving]").all())
    still.close()
    assert tab.locator("[data-part=still]").count() == 0 and tab.locator("[data-part=map]").is_visible()


# what is exported ----------------------------------------------------------------------------------------------------


def test_a_layer_that_the_page_does_not_know_is_refused():
    import space

    convolutions = [nn.Conv2d(2, 2, 3, **option) for option in ({"padding": "same"}, {"stride": 2}, {"groups": 2})]
    for layer in (nn.Tanh(), *convolutions):
        with pytest.raises(ValueError, match="has no counterpart in docs/assets/book/code-space.js"):
            space.described(layer)
    with pytest.raises(ValueError, match="not the same both ways"):
        space.described(nn.Conv2d(1, 1, (3, 5)))


def test_what_is_there_already_is_not_written_again(tmp_path):
    import space

    space.export(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    space.export(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert set(json.loads((tmp_path / "model.js").read_text().split(" = ", 1)[1].rstrip(";\n"))) == {
        "edge",
        "latent",
        "decoder",
        "generator",
        "codes",
    }
