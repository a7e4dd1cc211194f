"""Drawings of models: what is joined to what. Each is a Figure for `show(…, vector=True)`, made of `Sketch`'s parts."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch, Rectangle

from gencourse.plots.page import BLACK, BLUE, GREEN, ORANGE, VERMILLION

INK, PALE = "0.15", "0.96"


class Sketch:
    """A sheet of `width` × `height` units without axes, on which patches are put and joined by arrows."""

    def __init__(self, width: float, height: float, scale: float = 0.62) -> None:
        size = (scale * width, scale * height)
        self.figure, self.ax = plt.subplots(figsize=size, layout="constrained")
        self.figure.get_layout_engine().set(w_pad=0, h_pad=0)
        self.ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.ax.axis("off")

    def box(self, x: float, y: float, text: str, colour: str = INK, width: float = 2.6, height: float = 0.9) -> Patch:
        """A layer, an operation or a network, with its centre at (x, y)."""
        corner = (x - width / 2, y - height / 2)
        patch = FancyBboxPatch(
            corner, width, height, boxstyle="round,pad=0,rounding_size=0.14", facecolor=PALE, edgecolor=colour, lw=2
        )
        self.ax.add_patch(patch)
        self.words(x, y, text)
        return patch

    def circle(
        self, x: float, y: float, text: str, colour: str = INK, fill: str = "white", radius: float = 0.48
    ) -> Patch:
        """A variable of a graph (grey: observed), or an operation of two inputs."""
        patch = Circle((x, y), radius, facecolor=fill, edgecolor=colour, lw=2)
        self.ax.add_patch(patch)
        self.words(x, y, text)
        return patch

    def words(self, x: float, y: float, text: str, colour: str = BLACK, size: float = 13, **more: object) -> None:
        """Text with its centre at (x, y)."""
        self.ax.text(x, y, text, ha=more.pop("ha", "center"), va="center", fontsize=size, color=colour, **more)

    def arrow(
        self,
        a: Patch | tuple[float, float],
        b: Patch | tuple[float, float],
        colour: str = INK,
        bend: float = 0.0,
        dashed: bool = False,
    ) -> None:
        """From a to b, each a patch, at whose edge the arrow begins or ends, or a place."""
        patches = [each if isinstance(each, Patch) else None for each in (a, b)]
        places = [_centre(each) if isinstance(each, Patch) else each for each in (a, b)]
        self.ax.add_patch(
            FancyArrowPatch(
                *places, patchA=patches[0], patchB=patches[1], shrinkA=1, shrinkB=1, arrowstyle="-|>", color=colour,
                mutation_scale=15, lw=1.8, linestyle=(0, (4, 2)) if dashed else "-", zorder=0.5,
                connectionstyle=f"arc3,rad={bend}",
            )
        )  # fmt: skip

    def path(self, places: Sequence[tuple[float, float]], colour: str = INK) -> None:
        """Straight lines from place to place, with a head at the last."""
        self.ax.plot(*zip(*places[:-1], strict=True), color=colour, lw=1.8, zorder=0.5)
        self.arrow(places[-2], places[-1], colour)

    def frame(self, x: float, y: float, width: float, height: float, text: str) -> None:
        """A plate: what is inside is there once for each of what the text says."""
        self.ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="0.5", lw=1.5))
        self.words(x + width - 0.15, y + 0.3, text, "0.3", 12, ha="right")


def _centre(patch: Patch) -> tuple[float, float]:
    (x0, y0), (x1, y1) = patch.get_path().transformed(patch.get_patch_transform()).get_extents().get_points()
    return (x0 + x1) / 2, (y0 + y1) / 2


def gated_block() -> Figure:
    """A layer of the gated PixelCNN: two stacks, a gate in each, a residual connection in the horizontal one.

    van den Oord et al., arXiv:1606.05328, figure 2.
    """
    s = Sketch(16.4, 9.0)
    link = s.box(7.3, 2.6, "1 × 1", BLUE, 1.5, 0.7)
    for x, name, kernel, colour in (
        (3.6, "vertical stack", "convolution over\nthe rows above", BLUE),
        (11.0, "horizontal stack", "convolution over\nthis row, to the left", VERMILLION),
    ):
        s.words(x, 0.4, name, colour)
        convolution = s.box(x, 2.1, kernel, colour, 3.7, 1.1)
        s.path([(x, 0.75), (x, 1.5)], colour)
        gates = s.circle(x, 3.5, "+", colour, radius=0.38) if colour == VERMILLION else convolution
        product = s.circle(x, 6.0, "×", colour, radius=0.38)
        for half in (s.box(x - 1.2, 4.7, "tanh", colour, 1.6), s.box(x + 1.2, 4.7, "sigmoid", colour, 1.9)):
            s.arrow(gates, half, colour)
            s.arrow(half, product, colour)
        if colour == BLUE:
            s.arrow(convolution, link, BLUE)
            s.path([(x, 6.4), (x, 8.9)], BLUE)
            continue
        s.arrow(convolution, gates, colour)
        s.arrow(link, gates, BLUE)
        out, total = s.box(x, 7.05, "1 × 1", colour, 1.5, 0.7), s.circle(x, 8.05, "+", colour, radius=0.33)
        s.arrow(product, out, colour)
        s.arrow(out, total, colour)
        s.path([(x, 1.05), (14.1, 1.05), (14.1, 8.05), (x + 0.34, 8.05)], colour)
        s.words(14.3, 4.7, "residual\nconnection", colour, 12, ha="left")
        s.path([(x, 8.4), (x, 8.95)], colour)
    return s.figure


def skewed_rows(side: int = 4) -> Figure:
    """The diagonal BiLSTM's trick: each row is moved one column further, so that a diagonal becomes a column.

    van den Oord et al., arXiv:1601.06759, section 3.2 and figure 3.
    """
    s = Sketch(2 * side + side + 5.4, side + 1.9)
    for left, shift, title in ((0.5, 0, "image"), (side + 3.7, 1, "skewed: row i is moved by i")):
        width = side if shift == 0 else 2 * side - 1
        s.words(left + width / 2, side + 1.35, title)
        for row in range(side):
            for column in range(side):
                x, y = left + column + shift * row, side - row - 0.3
                diagonal = row + column == side - 1
                s.ax.add_patch(Rectangle((x, y), 1, 1, facecolor=ORANGE if diagonal else PALE, edgecolor=INK, lw=1.5))
                s.words(x + 0.5, y + 0.5, f"{row},{column}", size=11)
    s.arrow((side + 1.0, side / 2 + 0.5), (side + 3.3, side / 2 + 0.5))
    s.words(
        1.5 * side + 2.7, 0.3, "a column of the skewed image is a diagonal: its pixels are computed together", size=12
    )
    return s.figure


def wavenet_block() -> Figure:
    """A layer of WaveNet: a gated unit over a dilated causal convolution, with residual and skip connection.

    van den Oord et al., arXiv:1609.03499, figure 4.
    """
    s = Sketch(16.4, 6.8)
    convolution = s.box(2.9, 3.2, "dilated causal\nconvolution", BLUE, 3.2, 1.2)
    tanh, gate = s.box(6.5, 4.2, "tanh", BLUE, 1.7), s.box(6.5, 2.2, "sigmoid", BLUE, 1.9)
    product, mixing = s.circle(8.6, 3.2, "×", BLUE, radius=0.4), s.box(10.5, 3.2, "1 × 1", BLUE, 1.5)
    total = s.circle(12.8, 3.2, "+", GREEN, radius=0.4)
    for a, b in ((convolution, tanh), (convolution, gate), (tanh, product), (gate, product), (product, mixing)):
        s.arrow(a, b, BLUE)
    s.arrow(mixing, total, GREEN)
    s.path([(0.2, 3.2), (1.25, 3.2)], BLUE)
    s.path([(0.7, 3.2), (0.7, 5.9), (12.8, 5.9), (12.8, 3.64)], GREEN)
    s.words(6.8, 6.3, "residual connection: the input is added to the output", GREEN)
    s.path([(13.2, 3.2), (15.5, 3.2)], GREEN)
    s.words(14.5, 3.75, "next layer", GREEN, 12)
    skip = s.box(10.5, 0.9, "1 × 1", VERMILLION, 1.5)
    s.path([(8.6, 2.78), (8.6, 0.9), (9.7, 0.9)], VERMILLION)
    s.arrow(skip, (13.6, 0.9), VERMILLION)
    s.words(8.3, 0.9, "skip connection", VERMILLION, ha="right")
    s.words(13.7, 0.9, "summed over\nall layers", VERMILLION, 12, ha="left")
    return s.figure


def mixture_graph() -> Figure:
    """The graph of a mixture of Gaussians: a latent component m, and a point x that depends on it."""
    s = Sketch(9.6, 5.2)
    s.frame(3.0, 0.6, 3.2, 4.2, "N points")
    latent, seen = s.circle(4.6, 3.8, "$m$"), s.circle(4.6, 1.8, "$x$", fill="0.8")
    weights, shapes = s.circle(1.0, 3.8, r"$\pi$", BLUE), s.circle(8.4, 1.8, r"$\mu, \Sigma$", BLUE, radius=0.62)
    s.arrow(weights, latent)
    s.arrow(latent, seen)
    s.arrow(shapes, seen)
    s.words(1.0, 2.9, "weights", BLUE, 12)
    s.words(8.0, 0.75, "mean and covariance\nof every component", BLUE, 12)
    s.words(7.75, 3.8, "latent: which\ncomponent", INK, 12)
    s.words(1.5, 1.8, "observed", INK, 12)
    s.arrow((6.5, 3.8), (5.15, 3.8), "0.6")
    s.arrow((2.35, 1.8), (4.05, 1.8), "0.6")
    return s.figure


def vae_graph() -> Figure:
    """The graph of a VAE: the decoder's P(x|z) with a fixed prior, and the encoder's q(z|x), dashed.

    Kingma and Welling, arXiv:1312.6114, figure 1.
    """
    s = Sketch(11.6, 5.2)
    s.frame(3.2, 0.6, 4.8, 4.2, "N images")
    latent, seen = s.circle(5.4, 3.8, "$z$"), s.circle(5.4, 1.8, "$x$", fill="0.8")
    theta, phi = s.circle(1.2, 1.8, r"$\theta$", BLUE), s.circle(10.2, 3.8, r"$\phi$", VERMILLION)
    s.arrow(latent, seen, BLUE, bend=0.35)
    s.arrow(seen, latent, VERMILLION, bend=0.35, dashed=True)
    s.arrow(theta, seen, BLUE)
    s.arrow(phi, latent, VERMILLION, dashed=True)
    s.words(1.3, 0.9, "decoder", BLUE, 12)
    s.words(10.2, 2.95, "encoder", VERMILLION, 12)
    s.words(4.1, 2.85, r"$P_\theta(x|z)$", BLUE)
    s.words(6.75, 2.85, r"$q_\phi(z|x)$", VERMILLION)
    s.words(3.9, 4.4, "$P(z)$", INK)
    return s.figure


def gan_game() -> Figure:
    """The game of a GAN: what each player is given, what it gives, and where the gradients of both losses go.

    Goodfellow et al., arXiv:1406.2661, section 3.
    """
    s = Sketch(16.6, 6.6)
    noise = s.circle(1.1, 4.6, "$z$")
    generator, samples = s.box(4.2, 4.6, "generator $G$", BLUE, 3.0), s.circle(7.9, 4.6, "$G(z)$", radius=0.62)
    real, judge = s.circle(7.9, 2.0, "$x$", fill="0.8"), s.box(11.2, 3.3, "discriminator $D$", VERMILLION, 3.5)
    answer = s.circle(14.6, 3.3, "$D$", radius=0.6)
    for a, b in ((noise, generator), (generator, samples), (samples, judge), (real, judge), (judge, answer)):
        s.arrow(a, b)
    s.words(1.1, 3.75, "noise", size=12)
    s.words(7.9, 1.2, "data", size=12)
    s.words(15.1, 2.2, "probability of\nbeing real", size=12)
    s.path([(14.6, 3.95), (14.6, 5.9), (4.2, 5.9), (4.2, 5.1)], BLUE)
    s.words(9.4, 6.25, "gradient of the generator's loss: through D into G, and G alone is updated", BLUE, 12)
    s.path([(14.0, 3.15), (13.5, 3.15), (13.5, 0.6), (11.2, 0.6), (11.2, 2.8)], VERMILLION)
    s.words(10.9, 0.6, "gradient of the discriminator's loss: D alone is updated", VERMILLION, 12, ha="right")
    return s.figure
