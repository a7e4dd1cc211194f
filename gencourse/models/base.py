"""What every model of the course promises, and what the autoregressive ones share.

A model computes in the dtype of its weights and on their device, whatever torch's defaults are at that time. New
weights have the defaults of the moment when the model is built, as in every module of torch; those of a stored model
are float32. Data are cast to the dtype of the weights, and never moved to another device. Weights are float32 or
float64: fewer digits are for training alone, by autocast (`fit(…, precision="bfloat16")`), and are refused. A GMM is
always float64.

Random numbers come from the generator that is given, on its device, so that one on the CPU means the same numbers
everywhere. Noise that becomes part of a code or of an event is drawn in the dtype of the weights; uniform numbers by
which levels, zeros and ones or components are chosen are drawn in float32 (by a GMM in float64).

An autoregressive model writes an event x = (x_1, …, x_D) the way a text is written, one symbol after the other,

    log P(x) = Σ_i log P(x_i | x_1, …, x_{i-1}),

so its likelihood is exact: one pass gives all D conditionals, and their logarithms are added.
Sampling runs the same product forwards, D passes one after the other.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import INTEGERS, article, generator_or_new, positive_integer


class Autoregressive(nn.Module):
    """A distribution over level indices 0 … levels-1 of shape `event_shape`, factorised in raster order.

    A subclass gives `logits` (all conditionals of a known x in one pass) and `_stepper` (the same conditionals
    one position at a time, each layer computing only what is new).

    Args:
        event_shape: shape of one example, without the batch: (1, H, W) for images, (length,) for sound.
        levels: number of values a pixel or a sample can take.
        n_classes: if given, the distribution is conditioned on a class index 0 … n_classes-1.

    Raises:
        TypeError, ValueError: for sizes that are not positive integers.
    """

    def __init__(self, event_shape: tuple[int, ...], levels: int, n_classes: int | None = None):
        super().__init__()
        if not isinstance(event_shape, Sequence) or isinstance(event_shape, str):
            raise TypeError(f"event_shape is {event_shape!r}; give a tuple such as (1, 28, 28) or (8000,)")
        self.event_shape = tuple(positive_integer("event_shape", size) for size in event_shape)
        self.levels = positive_integer("levels", levels, least=2)
        if self.levels > 65536:
            raise ValueError(f"levels is {levels}; at most 65536 (16 bits) are modelled")
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

    def _stepper(self, n: int, condition: Tensor | None) -> Callable[[Tensor | None], Tensor]:
        """A function called once per position, in order, with the (n,) values of the position just before
        (None at the first): it returns the (n, levels) logits of the next position."""
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
        return -F.cross_entropy(widened(logits), x.long(), reduction="none").flatten(1).sum(1)

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
        progress: Callable[[Iterable], Iterable] | None = None,
    ) -> Tensor:
        """Draw n events, position after position.

        Args:
            generator: source of randomness; under the same generator state both paths give the same samples.
            cached: True computes in each layer only what the new position adds; False is the textbook loop,
                one whole pass of the network a position.
            prefix: level indices that are kept, and completed: (n or 1, 1, rows, W) for images, the upper rows;
                (n or 1, t) for sound, the beginning.
            condition: (n,) class indices, if the model has `n_classes`.
            progress: wraps the loop over positions, such as `gencourse.progress.progress`.

        Returns:
            (n, *event_shape), uint8 (int64 if there are more than 256 levels).
        """
        return self._sample(self.event_shape, n, generator, cached, prefix, condition, progress)

    def _sample(self, event_shape, n, generator, cached, prefix, condition, progress) -> Tensor:
        n = positive_integer("n", n, least=0)
        device = working(self).device
        x = torch.zeros(n, *event_shape, dtype=torch.long, device=device)
        self.check_condition(condition, n)
        written = 0 if prefix is None else self._write_prefix(x, prefix)
        dtype = torch.uint8 if self.levels <= 256 else torch.int64
        if n == 0:
            return x.to(dtype)
        flat = x.view(n, -1)  # (n, D), raster order
        noise = drawn(torch.rand, flat.shape, device, generator)
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):  # the least bookkeeping an operation
            if cached:
                self._fill_cached(flat, noise, written, condition, progress)
            else:
                positions = range(written, flat.shape[1])
                for i in progress(positions) if progress else positions:
                    logits = self._pass(x, i, condition)
                    flat[:, i] = draw(logits, noise[:, i])
        return x.to(dtype)

    def _fill_cached(self, x: Tensor, noise: Tensor, written: int, condition: Tensor | None, progress) -> None:
        """Fill x, (n, D) in raster order, from position `written` on, by the stepper; noise: (n, D) uniform."""
        step, positions = self._stepper(len(x), condition), range(x.shape[1])
        for i in progress(positions) if progress else positions:
            logits = step(x[:, i - 1] if i else None)
            if i >= written:
                x[:, i] = draw(logits, noise[:, i])

    def _pass(self, x: Tensor, i: int, condition: Tensor | None) -> Tensor:
        """The textbook's step: a whole pass of the network for the (n, levels) logits of position i alone."""
        return self.logits(x, condition).view(len(x), self.levels, -1)[:, :, i]

    def encode(self, x: Tensor) -> Tensor:
        """Levels 0 … levels-1 spread evenly over [-1, 1], in the dtype of the weights; raises as `logits` does."""
        if isinstance(x, Tensor) and x.is_floating_point():
            self._check_shape(x)
            if not torch.isfinite(x).all():
                raise ValueError("x holds NaN or infinite values; expected numbers between 0 and levels - 1")
        else:
            self.check_levels(x)
        return x.to(working(self).dtype) * (2 / (self.levels - 1)) - 1

    def _scale(self) -> Tensor:
        """2/(levels - 1), by which `encode` multiplies: as a tensor, so that levels take the dtype of the weights."""
        return working(self).new_tensor(2 / (self.levels - 1))

    def check_levels(self, x: Tensor) -> None:
        """Raise unless x is a non-empty batch of level indices that this model can have."""
        if not isinstance(x, Tensor):
            raise TypeError(f"x is {article(x)}; expected a torch.Tensor of level indices (uint8 or int64)")
        if x.dtype not in INTEGERS:
            raise TypeError(
                f"x has dtype {x.dtype}; expected level indices 0 … {self.levels - 1} as uint8 or int64"
                + (" (binarise or quantise real-valued data first)" if x.is_floating_point() else "")
            )
        self._check_shape(x)
        low, high = x.min().item(), x.max().item()
        if low < 0 or high >= self.levels:
            raise ValueError(f"x has levels {low} … {high}; this model has levels=0 … {self.levels - 1}")

    def _check_shape(self, x: Tensor) -> None:
        if x.dim() == 0 or tuple(x.shape[1:]) != self.event_shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this {type(self).__name__} models event_shape {self.event_shape}, "
                f"so x must be (batch, {', '.join(map(str, self.event_shape))})"
            )
        if len(x) == 0:
            raise ValueError("x is an empty batch; expected at least one example")

    def check_condition(self, condition: Tensor | None, batch: int) -> None:
        """Raise unless condition fits the model: (batch,) class indices, or None for a model without classes."""
        if self.n_classes is None:
            if condition is not None:
                raise ValueError("condition was given, but this model was built without n_classes")
            return
        if condition is None:
            raise ValueError(f"condition is missing: this model has n_classes={self.n_classes}; give (B,) indices")
        if not isinstance(condition, Tensor) or condition.dtype not in INTEGERS:
            kind = condition.dtype if isinstance(condition, Tensor) else article(condition)
            raise TypeError(f"condition is {kind}; expected a tensor of class indices (int64)")
        if tuple(condition.shape) != (batch,):
            raise ValueError(f"condition has shape {tuple(condition.shape)}; expected ({batch},), one class an example")
        if batch and (condition.min() < 0 or condition.max() >= self.n_classes):
            raise ValueError(
                f"condition has classes {condition.min().item()} … {condition.max().item()}; "
                f"this model has 0 … {self.n_classes - 1}"
            )

    def _write_prefix(self, x: Tensor, prefix: Tensor) -> int:
        """Write prefix into the beginning of x; returns how many positions it fills."""
        if not isinstance(prefix, Tensor) or prefix.dtype not in INTEGERS:
            kind = prefix.dtype if isinstance(prefix, Tensor) else article(prefix)
            raise TypeError(f"prefix is {kind}; expected a tensor of level indices (uint8 or int64)")
        growing = -1 if x.dim() == 2 else -2  # time, or rows
        expected = list(x.shape)
        expected[growing] = prefix.shape[growing] if prefix.dim() == x.dim() else -1
        if prefix.dim() != x.dim() or list(prefix.shape[1:]) != expected[1:] or prefix.shape[0] not in (1, len(x)):
            shape = f"({len(x)} or 1, t)" if x.dim() == 2 else f"({len(x)} or 1, 1, rows, {x.shape[-1]})"
            raise ValueError(f"prefix has shape {tuple(prefix.shape)}; expected {shape}")
        length = prefix.shape[growing]
        if length > x.shape[growing]:
            raise ValueError(f"prefix is {length} long; the event has only {x.shape[growing]}")
        if prefix.numel() and (prefix.min() < 0 or prefix.max() >= self.levels):
            raise ValueError(
                f"prefix has levels {prefix.min().item()} … {prefix.max().item()}; this model has 0 … {self.levels - 1}"
            )
        x.narrow(growing, 0, length).copy_(prefix)
        return length * (x.shape[-1] if growing == -2 else 1)


def class_bias(n_classes: int | None, channels: int) -> nn.Embedding | None:
    """(n_classes, channels), zero to begin with: a class says nothing until it is learned. None without classes.

    PyTorch's own start, N(0, 1), is as loud as all the rest, and a class that is seldom seen never gets over it.
    """
    if n_classes is None:
        return None
    bias = nn.Embedding(n_classes, channels)
    nn.init.zeros_(bias.weight)
    return bias


class CrossEntropy(torch.autograd.Function):
    """-Σ log softmax(logits)[target], a number, of logits (N, levels) in any precision and targets (N,).

    As `F.cross_entropy(widened(logits), target, reduction="sum")`, in slices that stay in the processor's cache, and
    the gradient, softmax less one-hot, is made in passing: with 256 levels a third of the time.
    """

    SLICE = 2**18  # numbers

    @staticmethod
    def forward(ctx, logits: Tensor, target: Tensor) -> Tensor:
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
    def backward(ctx, weight: Tensor) -> tuple[Tensor, None]:
        """The gradient that `forward` made, times that of the loss."""
        return ctx.saved_tensors[0] * weight, None


def working(module: nn.Module) -> Tensor:
    """One of the weights (or buffers) of a module: it computes on that one's device, and in its dtype.

    Raises:
        TypeError: weights in which a likelihood cannot be computed.
    """
    for weight in itertools.chain(module.parameters(), module.buffers()):
        if weight.dtype in (torch.float32, torch.float64):
            return weight
        if weight.is_floating_point():
            raise TypeError(f"the weights of this {type(module).__name__} are {weight.dtype}; expected float32 or "
                            "float64: model.float() (to train faster in bfloat16: fit(…, precision=\"bfloat16\"))")
    return torch.empty(0, dtype=torch.float32, device="cpu")  # a module without weights


def widened(x: Tensor) -> Tensor:
    """What a network gives under autocast, as float32; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextlib.contextmanager
def with_gradients() -> Iterator[None]:
    """Gradients can be taken inside, wherever it is called from."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextlib.contextmanager
def usual_settings() -> Iterator[None]:
    """Torch as in a fresh Python, whatever its user has set: float32, on the CPU, with gradients."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"), with_gradients():
            yield
    finally:
        torch.set_default_dtype(dtype)


def drawn(law, shape, device: torch.device, generator: torch.Generator | None, dtype: torch.dtype = torch.float32):
    """Numbers by `torch.rand` or `torch.randn`, drawn where the generator is and moved to where they are needed.

    So a seed on the CPU means the same numbers for a model on any device. Without a generator they are drawn on the
    device, from its global random state.
    """
    source = device if generator is None else generator_or_new(generator).device
    return law(shape, generator=generator, device=source, dtype=dtype).to(device)


def draw(logits: Tensor, noise: Tensor) -> Tensor:
    """Invert the cumulative distribution: logits (n, levels), noise (n,) uniform in [0, 1) -> levels (n,)."""
    cumulative = logits.softmax(1).cumsum(1)
    total = cumulative[:, -1:]  # 1 up to rounding: the levels that reach it are not passed, whatever the noise
    return ((cumulative <= noise[:, None]) & (cumulative < total)).sum(1)


def fourier_features(u: Tensor, n: int) -> Tensor:
    """Levels in [-1, 1] and n waves of each, sin(2^k π u) and cos(2^k π u) for k < n: (B, 1, …) -> (B, 1 + 2n, …).

    Of 256 levels, 253 and 255 are almost the same u, while the fastest waves tell even neighbours apart.
    Paper: Kingma et al., "Variational Diffusion Models" (arXiv:2107.00630), section 5.1.
    """
    if not n:
        return u
    phases = torch.cat([math.pi * 2**k * u for k in range(n)], 1)
    return torch.cat([u, phases.sin(), phases.cos()], 1)


def check_image_shape(event_shape: tuple[int, ...]) -> None:
    """Raise unless event_shape is (1, H, W)."""
    if len(event_shape) != 3 or event_shape[0] != 1:
        raise ValueError(f"event_shape is {event_shape}; this model takes images of one channel, (1, H, W)")
