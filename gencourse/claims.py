"""The ledger: every sentence of the lecture notes as a claim that can fail, and what puts it to the test.

Each claim is confirmed once, in the notebook that teaches it:

    confirm("AR1", holds=abs(total - 1) < 1e-5, measured=f"Σp = {total:.6f} over 512 images")
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gencourse.support.output import show

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class ClaimError(AssertionError):
    """A claim of the course was put to the test and did not hold."""


class Trained(Protocol):
    """What a training returns: a history of `fit`, `fit_gan` or `fit_em`."""

    interrupted: bool


@dataclass(frozen=True)
class Claim:
    """A sentence of the notes (`sentence`), made testable (`claim`), and what decides it (`measured_by`)."""

    id: str
    notebook: str
    sentence: str
    claim: str
    measured_by: str


_ST = "00_start_here"
_AR, _GM, _VA, _GA, _FM = "01_autoregression", "02_gmm", "03_vae", "04_gan", "05_failure_modes"

CLAIMS = {
    row[0]: Claim(*row)
    for row in [
        # ---------------------------------------------------------------------------------------- start
        (
            "ST1",
            _ST,
            "L = Σₓ log P(x): maximising the likelihood of the observed x.",
            "For a coin, the likelihood is highest where p equals the observed share of heads.",
            "the likelihood over a grid of p",
        ),
        # ------------------------------------------------------------------------------- autoregression
        (
            "AR1",
            _AR,
            "P(image) = ∏ᵢ P(pixelᵢ | pixel₁, …, pixelᵢ₋₁).",
            "The product of the conditionals is a distribution: it sums to one.",
            "the sum of the probabilities of all small images",
        ),
        (
            "AR2",
            _AR,
            "Model the conditional distribution of each pixel given the previously generated pixels.",
            "A pixel's prediction depends on earlier pixels only.",
            "gradients of every prediction with respect to every pixel",
        ),
        (
            "AR3",
            _AR,
            "Each pixel depends on all the pixels 1 to i−1 generated before it.",
            "The Diagonal BiLSTM and two stacks see the whole past; one masked stack has a blind spot.",
            "receptive fields, counted by gradient",
        ),
        (
            "AR4",
            _AR,
            "The likelihood of any given image can be computed directly and exactly.",
            "The exact likelihood of unseen digits beats that of every baseline.",
            "nats on test images",
        ),
        (
            "AR5",
            _AR,
            "High-quality local structure: correlations between neighbouring pixels are caught well.",
            "Small patches of the samples are nearly as close to the data as those of real digits.",
            "frequencies of 2×2 to 4×4 patches, samples against data",
        ),
        (
            "AR6",
            _AR,
            "Extremely slow generation: an image takes thousands of forward passes, one after the other.",
            "Generation takes one pass a pixel, and is far slower than one pass an image.",
            "passes and seconds, beside models of one pass",
        ),
        (
            "AR7",
            _AR,
            "The passes are sequential, and their cost is very high.",
            "Caches change the cost and not the samples; the time still grows about in proportion to the pixels.",
            "equality of the samples; seconds; growth with the size of the image",
        ),
        (
            "AR8",
            _AR,
            "WaveNet is the same idea as PixelRNN: one audio sample at a time, each given all before it.",
            "On sound the same chain is a distribution too, under the same contract.",
            "the sum of the probabilities of all short sequences; gradients",
        ),
        (
            "AR9",
            _AR,
            "Causal dilated convolutions extend the receptive field greatly.",
            "With dilation the context grows exponentially with depth, at linear cost.",
            "receptive field by gradient; operations counted",
        ),
        (
            "AR10",
            _AR,
            "Looking back over a long past is essential to catch the long-range dependence of audio.",
            "A longer context predicts unheard speech better, as far as a short training can use it.",
            "held-out bits per sample against receptive field",
        ),
        # ----------------------------------------------------------------------------------- mixtures
        (
            "GM1",
            _GM,
            "m ~ P(m), x|m ~ N(μᵐ, Σᵐ); P(x) = Σₘ P(m) P(x|m).",
            "Drawing first a component and then a point gives points whose density is the sum.",
            "a histogram of draws against P(x)",
        ),
        (
            "GM2",
            _GM,
            "L = Σₓ log P(x): maximise the likelihood of the observed x.",
            "A step of EM never lowers the likelihood.",
            "the likelihood at every step, from many starts",
        ),
        (
            "GM3",
            _GM,
            "Distributed representation is better.",
            "Where the data have attributes that vary on their own, a distributed code says more with less.",
            "parameters needed for an equal held-out fit",
        ),
        # ------------------------------------------------------------------------------------- the VAE
        (
            "VA1",
            _VA,
            "cᵢ = exp(σᵢ/2)·eᵢ + mᵢ, with e from a normal distribution.",
            "c has the law N(m, exp σ), and gradients pass through it.",
            "a histogram of c; the variance of the gradient beside the score function's",
        ),
        (
            "VA2",
            _VA,
            "Minimise Σ (exp(σᵢ) − (1 + σᵢ) + mᵢ²): the closed form of the KL divergence.",
            "The formula is twice KL(N(m, exp σ) ‖ N(0, 1)).",
            "Monte Carlo estimates of the divergence",
        ),
        (
            "VA3",
            _VA,
            "Noise is introduced into the code space.",
            "Without the KL term, training takes the noise away.",
            "σ over the course of training",
        ),
        (
            "VA4",
            _VA,
            "The KL term works like L2 regularisation; we want σᵢ close to 0, the variance close to 1.",
            "The KL term pulls codes to the origin and variances to one.",
            "the aggregate posterior against N(0, I), with the term and without",
        ),
        (
            "VA5",
            _VA,
            "Each dimension of z represents an attribute.",
            "A dimension of the code can carry an attribute of the data.",
            "traversals; information of each dimension about labelled attributes",
        ),
        (
            "VA6",
            _VA,
            "Training maximises the evidence lower bound of the log-likelihood of the observed x.",
            "The ELBO is a lower bound of log P(x), and the gap is the KL to the posterior.",
            "a linear case that is exact; the importance-weighted bound",
        ),
        (
            "VA7",
            _VA,
            "P(x) = ∫ P(x|z) P(z) dz: a Gaussian mixture made infinite and continuous.",
            "A VAE is the limit of Gaussian mixtures with ever more components.",
            "log P(x) on grids over z of growing size",
        ),
        (
            "VA8",
            _FM,
            "VAE may just memorize the existing images, instead of generating new images.",
            "With too weak a KL term, its decoder gives back what it was trained on, and not what is new.",
            "a memorisation score over β, with a model that memorises on purpose beside it",
        ),
        (
            "VA9",
            _FM,
            "Averaging, as mean squared error does, makes the images blurry.",
            "What a VAE decodes is less sharp than the data, until pixels are drawn from it.",
            "sharpness beside the data, PixelCNN and a GAN; a toy of two edges",
        ),
        # ------------------------------------------------------------------------------------- the GAN
        (
            "GA1",
            _GA,
            "Randomly sample a vector; the generator turns it into an image.",
            "The generator turns noise into a sample in one pass.",
            "passes and seconds",
        ),
        (
            "GA2",
            _GA,
            "Fix the discriminator, use gradient descent to update the generator; and the other way round.",
            "Each update moves the parameters of one player and no parameter of the other.",
            "all parameters before and after",
        ),
        (
            "GA3",
            _GA,
            "The discriminator puts out the probability that an image is real.",
            "At the best discriminator, P/(P+Q), the game measures a divergence.",
            "the trained discriminator against P/(P+Q); the value of the game against 2·JS − 2·log 2",
        ),
        (
            "GA4",
            _GA,
            "No explicit signal about how good the generator is.",
            "A likelihood's loss ranks the moments of training as a clock does; the generator's loss does far worse.",
            "rank correlation of losses with measured quality, over seeds",
        ),
        (
            "GA5",
            _FM,
            "We have to keep well-matched in a contest.",
            "Where one player is far ahead of the other, the samples end up worse than in a matched contest.",
            "quality and the generator's gradient over the balance of the contest",
        ),
        (
            "GA6",
            _FM,
            "When the discriminator fails, that does not guarantee realistic images: it may just be stupid.",
            "A weak discriminator is fooled by bad samples.",
            "the discriminator's verdict beside the measured quality of what fooled it",
        ),
        (
            "GA7",
            _FM,
            "Sometimes the generator finds a specific example that can fail the discriminator.",
            "There are inputs that the discriminator takes for real, and nothing else does.",
            "ascent on the discriminator: its verdict beside a classifier's and the nearest neighbours'",
        ),
        (
            "GA8",
            _FM,
            "GANs often suffer from mode collapse: a limited variety of outputs.",
            "A plain GAN loses modes in more than half of the runs, and cures reduce how often.",
            "share of seeds that collapse, modes found, reverse KL, each cure beside it",
        ),
    ]
}


def confirm(
    id: str,
    holds: bool | np.bool_ | np.ndarray | Tensor,
    measured: str,
    strict: bool = True,
    after: Trained | Sequence[Trained] | Mapping[Any, Trained] = (),
) -> None:
    """Show the claim `id` with a tick and what was `measured`; raise ClaimError where it does not hold.

    `holds` is one truth value: a bool, or a boolean array or tensor of one element. `measured` is the
    figures in words. With `strict=False`, as for a claim about quality at a lower `effort`, a claim that does
    not hold is shown, and nothing is raised. `after` is what the trainings returned that the claim rests on: a
    history of `fit`, `fit_gan` or `fit_em`, or several in a list or a dict. If one of them was interrupted, the
    claim is shown as not measured, with what to do, whatever `holds` is, and nothing is raised. Raises KeyError
    for an unknown id, TypeError or ValueError for other arguments.
    """
    if id not in CLAIMS:
        raise KeyError(f"there is no claim {id!r}; the ledger has {', '.join(CLAIMS)}")
    if not isinstance(measured, str):
        raise TypeError(f"measured is {type(measured).__name__}; say in a string what was measured")
    if not measured.strip():
        raise ValueError(f"measured is empty; say what was measured for {id}")
    holds = _truth(holds)
    if stopped := _stopped(after):
        show(_NotMeasured(CLAIMS[id], stopped))
        return
    show(_Shown(CLAIMS[id], holds, measured.strip(), strict))
    if not holds and strict:
        raise ClaimError(f"{id} does not hold: {CLAIMS[id].claim} Measured: {measured.strip()}")


def ledger() -> _Ledger:
    """All claims as a table: in a notebook as HTML, elsewhere as text."""
    return _Ledger()


def _truth(holds: bool | np.bool_ | np.ndarray | Tensor) -> bool:
    kind = str(getattr(holds, "dtype", type(holds).__name__))
    size = math.prod(getattr(holds, "shape", ()))
    if "bool" not in kind or size != 1:
        what = f"{type(holds).__name__} {holds!r}"[:100]
        raise TypeError(f"holds is {what}; one truth value is expected, as of total < 1e-5 or same.all()")
    return bool(holds)


def _stopped(after: Trained | Sequence[Trained] | Mapping[Any, Trained]) -> str:
    """Which of the trainings were interrupted, in words; "" if none was."""
    if isinstance(after, Mapping):
        after = list(after.values())
    words = []
    for history in after if isinstance(after, list | tuple) else [after]:
        if not hasattr(history, "interrupted"):
            what = f"{type(history).__name__} {history!r}"[:100]
            raise TypeError(f"after is {what}; expected what `fit`, `fit_gan` or `fit_em` returned, or several of them")
        if history.interrupted:
            words.append(getattr(history, "stopped", None) or "a training was stopped before its end")
    return "; ".join(dict.fromkeys(words))


# translucent colours over the page's own: the boxes read well on a light page and on a dark one
_GREEN, _RED, _GREY = "46, 160, 67", "214, 64, 69", "128, 128, 128"


def _box(colour: str, head: str, *lines: str) -> str:
    """A box with a bold head and lines below it, all of them HTML."""
    style = (
        f"border-left: 4px solid rgb({colour}); background: rgba({colour}, .10); color: inherit; "
        "padding: .5em 1em; margin: .3em 0; border-radius: 4px; line-height: 1.5; max-width: 52em"
    )
    return f'<div style="{style}"><b>{head}</b>{"".join(lines)}</div>'


@dataclass(frozen=True, repr=False)
class _Shown:
    claim: Claim
    holds: bool
    measured: str
    strict: bool

    @property
    def mark(self) -> str:
        if self.holds:
            return "✓"
        return "✗" if self.strict else "✗ not at this effort"

    def __repr__(self) -> str:
        return (
            f"{self.mark} {self.claim.id}  {self.claim.claim}\n"
            f"  The notes say: {self.claim.sentence}\n"
            f"  Measured: {self.measured}"
        )

    def _repr_html_(self) -> str:
        colour = _GREEN if self.holds else _RED if self.strict else _GREY
        claim, sentence, measured = map(html.escape, (self.claim.claim, self.claim.sentence, self.measured))
        return _box(
            colour,
            f"{self.mark} {self.claim.id}: {claim}",
            f'<div style="opacity: .8">The notes say: <i>{sentence}</i></div>',
            f"<div>Measured: {measured}</div>",
        )


@dataclass(frozen=True, repr=False)
class _NotMeasured:
    """A claim whose trainings were interrupted. Its text begins otherwise, so that nobody lists it as decided."""

    claim: Claim
    stopped: str

    @property
    def lines(self) -> tuple[str, str]:
        return (
            f"Not measured: {self.stopped}. The claim rests on the whole training.",
            "To do: run the cell of that training again to its end, then the cells from there to this one. For shorter "
            "trainings set a smaller effort at the top, such as effort = 0.1, and run all cells.",
        )

    def __repr__(self) -> str:
        return "\n  ".join([f"○ not measured {self.claim.id}  {self.claim.claim}", *self.lines])

    def _repr_html_(self) -> str:
        head = html.escape(f"○ not measured {self.claim.id}: {self.claim.claim}")
        return _box(_GREY, head, *(f"<div>{html.escape(line)}</div>" for line in self.lines))


class _Ledger:
    def __repr__(self) -> str:
        lines = (f"{c.id:<5} {c.notebook:<18} {c.claim} By {c.measured_by}." for c in CLAIMS.values())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [("", "notebook", "the notes", "claim", "measured by")]
        rows += [(c.id, c.notebook, c.sentence, c.claim, c.measured_by) for c in CLAIMS.values()]
        cell = '<td style="text-align: left; vertical-align: top">{}</td>'.format
        lines = ("".join(cell(html.escape(text)) for text in row) for row in rows)
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
