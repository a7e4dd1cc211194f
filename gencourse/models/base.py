"""What every autoregressive model is: an exact likelihood in one pass, and sampling one position at a time.

An autoregressive model writes an event x = (x_1, …, x_D) the way a text is written, one symbol after the other,

    log P(x) = Σ_i log P(x_i | x_1, …, x_{i-1}),

so its likelihood is exact: one pass gives all D conditionals, and their logarithms are added.
Sampling runs the same product forwards, D passes one after the other.

A model file gives the parallel pass alone, `logits`. How each layer computes only what a new position adds stands in
`gencourse/models/cached/`, in a file of the same name: its function is registered for the model's class with
`@cached_stepper.register`.
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.models.checks import (
    check_batch,
    check_condition,
    check_event_shape,
    check_finite_levels,
    check_level_dtype,
    check_level_range,
    check_number_of_levels,
    check_prefix,
)
from gencourse.models.settings import at_least_float32, draw_noise, first_weight
from gencourse.support.checks import positive_integer

Stepper = Callable[[Tensor | None], Tensor]
Progress = Callable[[Iterable], Iterable]


class Autoregressive(nn.Module):
    """A distribution over level indices 0 … levels-1 of shape `event_shape`, factorised in raster order.

    A subclass gives `logits`, all conditionals of a known x in one pass. For fast sampling a function is registered
    with `cached_stepper`: the same conditionals one position at a time, each layer computing only what is new.

    Args:
        event_shape: shape of one example, without the batch: (1, H, W) for images, (length,) for sound.
        levels: number of values a pixel or a sample can take.
        n_classes: if given, the distribution is conditioned on a class index 0 … n_classes-1.

    Raises:
        TypeError, ValueError: for sizes that are not positive integers.
    """

    def __init__(self, event_shape: Sequence[int], levels: int, n_classes: int | None = None) -> None:
        super().__init__()
        self.event_shape = check_event_shape(event_shape)
        self.levels = check_number_of_levels(levels)
        self.n_classes = None if n_classes is None else positive_integer("n_classes", n_classes)

    # -- what a subclass gives ---------------------------------------------------------------------------

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Unnormalised log-probabilities of every level at every position, given the positions before it.

        Args:
            x: (B, *event_shape) level indices; or floating-point numbers on the same scale, so that gradients
                with respect to x can be taken (that is how receptive fields are measured).
            condition: (B,) class indices, if the model has `n_classes`.

        Returns:
            (B, levels, *event_shape)

        Raises:
            TypeError: x is no tensor of numbers. ValueError: wrong shape, no example, a level out of range, NaN.
        """
        raise NotImplementedError

    # -- what all of them share --------------------------------------------------------------------------

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Exact log-likelihood, in the dtype of the weights whatever precision the model was trained in.

        Args:
            x: (B, *event_shape) level indices, an integer dtype.
            condition: (B,) class indices, if the model has `n_classes`.

        Returns:
            (B,) nats, summed over the event.

        Raises:
            TypeError: x is no tensor of integers. ValueError: wrong shape, no example, or a level out of range.
        """
        self.check_levels(x)
        with torch.autocast(x.device.type, enabled=False):
            logits = self.logits(x, condition)
        return -F.cross_entropy(at_least_float32(logits), x.long(), reduction="none").flatten(1).sum(1)

    def loss(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Negative log-likelihood in nats per example, averaged over the batch: what `fit` minimises."""
        self.check_levels(x)
        logits = self.logits(x, condition)
        logits = logits.movedim(1, -1).flatten(0, -2)  # a row for each position: so they lie in channels-last memory
        return CrossEntropy.apply(logits, x.long().flatten()) / len(x)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        cached: bool = True,
        prefix: Tensor | None = None,
        condition: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Draw n events, position after position.

        Args:
            generator: source of randomness; under the same generator state both paths give the same samples,
                but for pixels about which rounding decides.
            cached: True computes in each layer only what the new position adds; False is the textbook loop,
                one whole pass of the network a position.
            prefix: level indices that are kept, and completed: (n or 1, 1, rows, W) for images, the upper rows;
                (n or 1, t) for sound, the beginning.
            condition: (n,) class indices, if the model has `n_classes`.
            progress: wraps the loop over positions, such as `gencourse.support.progress.progress`.

        Returns:
            (n, *event_shape), uint8 (int64 if there are more than 256 levels).
        """
        return self._sample(self.event_shape, n, generator, cached, prefix, condition, progress)

    def _sample(
        self,
        event_shape: tuple[int, ...],
        n: int,
        generator: torch.Generator | None,
        cached: bool,
        prefix: Tensor | None,
        condition: Tensor | None,
        progress: Progress | None,
    ) -> Tensor:
        n = positive_integer("n", n, least=0)
        device = first_weight(self).device
        x = torch.zeros(n, *event_shape, dtype=torch.long, device=device)
        check_condition(condition, self.n_classes, n)
        written = 0 if prefix is None else self._write_prefix(x, prefix)
        dtype = torch.uint8 if self.levels <= 256 else torch.int64
        if n == 0:
            return x.to(dtype)
        flat = x.view(n, -1)  # (n, D), raster order
        noise = draw_noise(torch.rand, flat.shape, device, generator)
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):  # the least bookkeeping an operation
            if cached:
                fill_cached(self, flat, noise, written, condition, progress)
            else:
                positions = range(written, flat.shape[1])
                for i in progress(positions) if progress else positions:
                    flat[:, i] = sample_level(self._logits_at(x, i, condition), noise[:, i])
        return x.to(dtype)

    def _logits_at(self, x: Tensor, i: int, condition: Tensor | None) -> Tensor:
        """The textbook's step: a whole pass of the network for the (n, levels) logits of position i alone."""
        return self.logits(x, condition).view(len(x), self.levels, -1)[:, :, i]

    def stepper(self, n: int, condition: Tensor | None = None) -> Stepper:
        """A function called once per position, in order, with the (n,) values of the position just before (None at the
        first): it returns the (n, levels) logits of the next position. It stands in `gencourse/models/cached/`."""
        return cached_stepper(self, n, condition)

    def encode(self, x: Tensor) -> Tensor:
        """Levels 0 … levels-1 spread evenly over [-1, 1], in the dtype of the weights; raises as `logits` does."""
        if isinstance(x, Tensor) and x.is_floating_point():
            self._check_shape(x)
            check_finite_levels(x)
        else:
            self.check_levels(x)
        return x.to(first_weight(self).dtype) * (2 / (self.levels - 1)) - 1

    def check_levels(self, x: Tensor) -> None:
        """Raise unless x is a non-empty batch of level indices that this model can have."""
        check_level_dtype(x, self.levels)
        self._check_shape(x)
        check_level_range(x, self.levels)

    def _check_shape(self, x: Tensor) -> None:
        check_batch(x, self.event_shape, type(self).__name__)

    def _write_prefix(self, x: Tensor, prefix: Tensor) -> int:
        """Write prefix into the beginning of x; returns how many positions it fills."""
        length = check_prefix(prefix, tuple(x.shape[1:]), len(x), self.levels)
        if x.dim() == 2:
            x[:, :length] = prefix
            return length
        x[..., :length, :] = prefix
        return length * x.shape[-1]


# -- sampling one position at a time -----------------------------------------------------------------------------


@functools.singledispatch
def cached_stepper(model: Autoregressive, n: int, condition: Tensor | None) -> Stepper:
    """The stepper of a model, see `Autoregressive.stepper`, for n events; the files of `models/cached/` register it.

    Raises:
        NotImplementedError: no stepper is registered for the class of the model.
    """
    raise NotImplementedError(f"no stepper is registered for {type(model).__name__}; sample with cached=False")


def fill_by_steps(
    model: Autoregressive, x: Tensor, noise: Tensor, written: int, condition: Tensor | None, progress: Progress | None
) -> None:
    """Fill x, (n, D) level indices in raster order, from position `written` on, by the model's stepper.

    Args:
        noise: (n, D), uniform in [0, 1), from which levels are drawn.
        progress: wraps the loop over positions, or None.
    """
    step, positions = model.stepper(len(x), condition), range(x.shape[1])
    for i in progress(positions) if progress else positions:
        logits = step(x[:, i - 1] if i else None)
        if i >= written:
            x[:, i] = sample_level(logits, noise[:, i])


fill_cached = functools.singledispatch(fill_by_steps)  # a model may register a loop of its own, as WaveNet does


def sample_level(logits: Tensor, noise: Tensor) -> Tensor:
    """Invert the cumulative distribution: logits (n, levels), noise (n,) uniform in [0, 1) -> levels (n,)."""
    cumulative = logits.softmax(1).cumsum(1)
    total = cumulative[:, -1:]  # 1 up to rounding: the levels that reach it are not passed, whatever the noise
    return ((cumulative <= noise[:, None]) & (cumulative < total)).sum(1)


# -- parts that models share -------------------------------------------------------------------------------------


def new_class_bias(n_classes: int | None, channels: int) -> nn.Embedding | None:
    """(n_classes, channels), zero to begin with: a class says nothing until it is learned. None without classes.

    PyTorch's own start, N(0, 1), is as loud as all the rest, and a class that is seldom seen never gets over it.
    """
    if n_classes is None:
        return None
    bias = nn.Embedding(n_classes, channels)
    nn.init.zeros_(bias.weight)
    return bias


def fourier_features(u: Tensor, n: int) -> Tensor:
    """Levels in [-1, 1] and n waves of each, sin(2^k π u) and cos(2^k π u) for k < n: (B, 1, …) -> (B, 1 + 2n, …).

    Of 256 levels, 253 and 255 are almost the same u, while the fastest waves tell even neighbours apart.
    Paper: Kingma et al., "Variational Diffusion Models" (arXiv:2107.00630), section 3.4.
    """
    if not n:
        return u
    phases = torch.cat([math.pi * 2**k * u for k in range(n)], 1)
    return torch.cat([u, phases.sin(), phases.cos()], 1)


class CrossEntropy(torch.autograd.Function):
    """-Σ log softmax(logits)[target], a number, of logits (N, levels) in any precision and targets (N,).

    As `F.cross_entropy(at_least_float32(logits), target, reduction="sum")`, in slices, and the gradient,
    softmax less one-hot, is made in passing.
    """

    SLICE = 2**18  # numbers

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        """(N, levels), (N,) -> a number, float32, or float64 of logits in that."""
        rows = max(1, CrossEntropy.SLICE // logits.shape[1])
        dtype = torch.promote_types(logits.dtype, torch.float32)
        gradient, total = torch.empty_like(logits), logits.new_zeros((), dtype=dtype)
        for part, i, out in zip(logits.split(rows), target[:, None].split(rows), gradient.split(rows), strict=True):
            log_p = part.to(dtype).log_softmax(1)
            total -= log_p.gather(1, i).sum()
            out.copy_(log_p.exp_().scatter_add_(1, i, log_p.new_full(i.shape, -1.0)))
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None]:
        """The gradient that `forward` made, times that of the loss."""
        return ctx.saved_tensors[0] * weight, None
