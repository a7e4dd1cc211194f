"""On the page: the look of all figures, and how a picture comes into a notebook with its words."""

import base64
import html
import io
from collections.abc import Mapping
from typing import Any

import IPython.display
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, features

from gencourse.plots.arrays import array
from gencourse.support.output import say

BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK = COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#AA4499", "#56B4E9", "#000000",
)  # fmt: skip
MARKERS, DASHES = "osD^vPX", ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
SAMPLE_RATE = 8000  # Hz
LOOK = {
    "figure.dpi": 100, "savefig.dpi": 100, "figure.facecolor": "white", "figure.figsize": (7, 4),
    "figure.constrained_layout.use": True,
    "font.size": 13, "axes.titlesize": 13, "axes.labelsize": 13,
    "xtick.labelsize": 12, "ytick.labelsize": 12, "legend.fontsize": 12, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2, "lines.markersize": 7,
    "axes.prop_cycle": plt.cycler(color=COLOURS), "image.cmap": "viridis", "hatch.linewidth": 0.8,
}  # fmt: skip


def use_style() -> None:
    """The look of all figures of the course: large type, light ground, few lines. Call it once a notebook.

    What a reader has set before, in a matplotlibrc or by a style, is put back to matplotlib's own defaults; only the
    backend stays. A figure that is made without this call has the reader's own style.
    """
    matplotlib.rcdefaults()
    plt.rcParams.update(LOOK)


def show(figure: Figure | Axes, alt: str, vector: bool = False) -> None:
    """Put a figure on the page with its text alternative, and close it.

    vector: as lines that stay sharp at any size, for a drawing; a figure with many points is smaller without.
    """
    figure = _figure_of(figure)
    content = png(figure)
    put(image_html(svg(figure) if vector else content, alt), content, alt)
    plt.close(figure)


def put(page: str, content: bytes, alt: str, more: Mapping[str, object] | None = None) -> None:
    """Put HTML on the page, and with it a PNG and words for whatever shows no HTML: LaTeX, PDF, a terminal.

    The HTML is needed for the words: JupyterLab and nbconvert show a bare PNG without its text. more: other forms of
    the same, by mime type.
    """
    data = {"text/html": page, "image/png": base64.b64encode(content).decode(), "text/plain": alt}
    display({**(more or {}), **data}, metadata={"image/png": {"alt": alt}})


def display(bundle: Mapping[str, object], **options: Any) -> None:
    """Content by mime type on the page, as IPython's `display` does it; its words alone where no IPython runs."""
    if InteractiveShell.initialized():
        IPython.display.display(bundle, raw=True, **options)
    else:
        say(bundle["text/plain"])


def image_html(content: bytes, alt: str, width: int | None = None, more: str = "") -> str:
    """<img> of a PNG or an SVG, whole in itself, with `more` attributes. Raises ValueError without a text."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the picture shows")
    size = f' width="{width}"' if width else ""
    look = "max-width:100%;height:auto;background:#fff"
    return f'<img{more} alt="{html.escape(alt)}" src="{image_url(content)}"{size} style="{look}">'


def image_url(content: bytes) -> str:
    """An image as an address that needs no file: an SVG as it is; a PNG as WebP of its pixels, a quarter smaller."""
    if content.startswith(b"<svg"):
        return data_url(content, "image/svg+xml")
    if not features.check("webp"):  # a Pillow that was built without it
        return data_url(content)
    image, file = Image.open(io.BytesIO(content)), io.BytesIO()
    clear = "A" in image.getbands() or "transparency" in image.info
    image.convert("RGBA" if clear else "RGB").save(file, format="webp", lossless=True, quality=75, method=3)
    return data_url(file.getvalue(), "image/webp")


def data_url(content: bytes, kind: str = "image/png") -> str:
    """The bytes of a file as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png(picture: Figure | Axes | np.ndarray) -> bytes:
    """A figure, or an image (H, W) or (H, W, 3), as a PNG with as few colours as will do.

    Images are uint8, or floats in [0, 1].
    """
    if isinstance(picture, Figure | Axes):
        figure = _figure_of(picture)
        file = io.BytesIO()
        with plt.rc_context():  # some settings, such as savefig.bbox, count when a figure is drawn
            use_style()
            figure.savefig(file, format="png", dpi=figure.dpi)
        drawn = Image.open(file).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")
    else:
        values = array(picture)
        if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3) or values.size == 0:
            raise ValueError(f"an image of shape {values.shape}; expected (H, W) or (H, W, 3)")
        if values.dtype != np.uint8:
            values = np.rint(values.astype(float) * 255).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(values).convert("RGB")
    file = io.BytesIO()
    _few_colours(image).save(file, format="png", optimize=True)
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """A figure as an SVG, whole in itself: letters are lines, and the same figure gives the same bytes."""
    file = io.BytesIO()
    with plt.rc_context():
        use_style()
        plt.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "gencourse"})
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    content = file.getvalue()
    return content[content.index(b"<svg") :]


def _few_colours(image: Image.Image) -> Image.Image:
    """The image with the smallest palette that changes next to nothing, or as it is."""
    original = np.asarray(image, dtype=np.int16)
    few = image.getcolors(256)
    fast, exact = Image.Quantize.FASTOCTREE, Image.Quantize.MEDIANCUT
    ways = [(len(few), exact)] if few else [(24, fast), (48, fast), (96, fast), (256, fast), (256, exact)]
    for n_colours, method in ways:
        small = image.quantize(max(n_colours, 2), method=method, dither=Image.Dither.NONE)
        error = np.abs(np.asarray(small.convert("RGB"), dtype=np.int16) - original).max(-1)
        flat, edges = np.quantile(error, (0.9, 0.9995))
        if flat <= 3 and edges <= 40:  # areas keep their colour; at the edges of lines and letters a shade is lost
            return small
    return image


def _figure_of(picture: object) -> Figure:
    if isinstance(picture, Axes):
        return picture.figure
    if isinstance(picture, Figure):
        return picture
    raise TypeError(f"got a {type(picture).__name__}; expected a matplotlib Figure or Axes")
