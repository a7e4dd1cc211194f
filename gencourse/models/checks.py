"""What the models ask of their arguments: each function says with a TypeError or a ValueError what is wrong.

A function whose result is used returns the checked value, as an int, a tuple or a tensor in the right dtype; all others
return nothing. What is asked everywhere in the package, such as `positive_integer`, stands in
`gencourse.support.checks`.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from gencourse.support.checks import INTEGERS, article, check_choice, number, positive_integer

# -- arguments of constructors -----------------------------------------------------------------------------------


def check_event_shape(event_shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of one example of an autoregressive model, as a tuple of positive ints."""
    if not isinstance(event_shape, Sequence) or isinstance(event_shape, str):
        raise TypeError(f"event_shape is {event_shape!r}; give a tuple such as (1, 28, 28) or (8000,)")
    return tuple(positive_integer("event_shape", size) for size in event_shape)


def check_image_shape(event_shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless event_shape is (1, H, W)."""
    if len(event_shape) != 3 or event_shape[0] != 1:
        raise ValueError(f"event_shape is {event_shape}; this model takes images of one channel, (1, H, W)")


def check_sequence_shape(event_shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless event_shape is (length,)."""
    if len(event_shape) != 1:
        raise ValueError(f"event_shape is {event_shape}; a WaveNet takes sequences, (length,)")


def check_number_of_levels(levels: int) -> int:
    """The number of values of a pixel or a sample, from 2 to 65,536."""
    levels = positive_integer("levels", levels, least=2)
    if levels > 65536:
        raise ValueError(f"levels is {levels}; at most 65536 (16 bits) are modelled")
    return levels


def check_kernel_size(size: int, name: str = "kernel_size") -> int:
    """The size of a masked kernel: an odd positive integer."""
    size = positive_integer(name, size)
    if size % 2 == 0:
        raise ValueError(f"{name} is {size}; a masked kernel needs a centre, so an odd size such as {size + 1}")
    return size


def check_first_kernel(size: int) -> int:
    """The size of a first kernel, whose centre is hidden: an odd integer of at least 3."""
    size = check_kernel_size(size, "first_kernel")
    if size == 1:
        raise ValueError("first_kernel is 1; with its centre hidden it would see nothing, use 3 or more")
    return size


def check_dilations(dilations: Iterable[int]) -> tuple[int, ...]:
    """The dilations of a WaveNet, one a layer: at least one, each a positive integer."""
    if not isinstance(dilations, Iterable):
        raise TypeError(f"dilations is {dilations!r}; expected a list such as (1, 2, 4, 8)")
    checked = tuple(positive_integer("a dilation", dilation) for dilation in dilations)
    if not checked:
        raise ValueError("dilations is empty; expected at least one layer, such as (1, 2, 4, 8)")
    return checked


def check_neighbours(neighbours: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Offsets (rows, columns) of pixels that are earlier in raster order."""
    try:
        offsets = tuple((int(row), int(column)) for row, column in neighbours)
    except (TypeError, ValueError):
        wanted = "pairs of offsets such as [(0, -1), (-1, 0)]"
        raise TypeError(f"neighbours are {neighbours!r}; expected {wanted}") from None
    if late := [offset for offset in offsets if offset >= (0, 0)]:
        raise ValueError(f"neighbours {late} are not earlier in raster order; expected such as (0, -1) or (-1, 1)")
    return offsets


def check_widths(hidden: Sequence[int], example: str) -> list[int]:
    """The widths of hidden layers: a sequence of positive integers, such as the example."""
    if not isinstance(hidden, Sequence) or isinstance(hidden, str):
        raise TypeError(f"hidden is {hidden!r}; expected a tuple of widths such as {example}")
    return [positive_integer("hidden", width) for width in hidden]


def check_body(body: str, bodies: Sequence[str], event_shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless body is one of the bodies, and event_shape fits a convolutional one."""
    check_choice("body", body, bodies)
    is_divisible = len(event_shape) == 3 and event_shape[1] % 4 == 0 and event_shape[2] % 4 == 0
    if body == "convolutional" and not is_divisible:
        raise ValueError(f"event_shape is {event_shape}; a convolutional body takes (C, H, W), H and W divisible by 4")


def check_sigma(sigma: float | str, likelihood: str) -> float | str:
    """The standard deviation of a decoder: a positive number, "learned" or "predicted"; 1 with a Bernoulli one."""
    if not (isinstance(sigma, str) and sigma in ("learned", "predicted")):
        try:
            sigma = number("sigma", sigma, "a positive number", open_ended=True)
        except (TypeError, ValueError):
            wanted = 'a positive number, "learned" or "predicted"'
            raise ValueError(f"sigma is {sigma!r}; expected {wanted}") from None
    if likelihood == "bernoulli" and sigma != 1:
        raise ValueError(f'sigma is {sigma!r}, but a Bernoulli decoder has none: take likelihood="gaussian"')
    return sigma


def check_players(generator: nn.Module, discriminator: nn.Module) -> None:
    """Raise unless two modules can play against each other: the same events, the same classes.

    Raises:
        TypeError: a player is no module, or the generator lacks `event_shape` or `latent`. ValueError: they differ.
    """
    for name, player in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(player, nn.Module):
            raise TypeError(f"{name} is {article(player)}; expected a torch.nn.Module")
    if not hasattr(generator, "event_shape") or not hasattr(generator, "latent"):
        raise TypeError(
            f"generator is {article(generator)} without `event_shape` or `latent`; give it both, as Generator has them"
        )
    judged = getattr(discriminator, "event_shape", generator.event_shape)
    if tuple(judged) != tuple(generator.event_shape):
        raise ValueError(
            f"the generator makes event_shape {tuple(generator.event_shape)}, the discriminator "
            f"judges {tuple(judged)}; expected the same"
        )
    classes = [getattr(player, "n_classes", 0) for player in (generator, discriminator)]
    if classes[0] != classes[1]:
        raise ValueError(
            f"the generator has n_classes={classes[0]}, the discriminator n_classes={classes[1]}; expected the same"
        )


def check_no_batch_norm(discriminator: nn.Module) -> None:
    """Raise a ValueError if a logit of the discriminator depends on the whole batch: penalties are per example."""
    for module in discriminator.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"the discriminator has a {type(module).__name__}, so that each logit depends on "
                "the whole batch, but r1 and gradient_penalty are per example; take LayerNorm, or none"
            )


# -- batches of events -------------------------------------------------------------------------------------------


def check_batch(x: Tensor, event_shape: tuple[int, ...], model: str) -> None:
    """Raise a ValueError unless x is (B, *event_shape) with B at least 1. model: the name of its class."""
    if x.dim() == 0 or tuple(x.shape[1:]) != event_shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this {model} models event_shape {event_shape}, "
            f"so x must be (batch, {', '.join(map(str, event_shape))})"
        )
    if len(x) == 0:
        raise ValueError("x is an empty batch; expected at least one example")


def check_sequences(x: Tensor) -> None:
    """Raise a ValueError unless x is (B, T), both at least 1."""
    if x.dim() != 2 or x.shape[1] == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; a WaveNet takes (batch, samples), at least one sample")
    if len(x) == 0:
        raise ValueError("x is an empty batch; expected at least one example")


def check_level_dtype(x: Tensor, levels: int) -> None:
    """Raise a TypeError unless x is a tensor of integers."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor of level indices (uint8 or int64)")
    if x.dtype not in INTEGERS:
        raise TypeError(
            f"x has dtype {x.dtype}; expected level indices 0 … {levels - 1} as uint8 or int64"
            + (" (binarise or quantise real-valued data first)" if x.is_floating_point() else "")
        )


def check_level_range(x: Tensor, levels: int) -> None:
    """Raise a ValueError unless every number of x is from 0 to levels - 1."""
    low, high = x.min().item(), x.max().item()
    if low < 0 or high >= levels:
        raise ValueError(f"x has levels {low} … {high}; this model has levels=0 … {levels - 1}")


def check_finite_levels(x: Tensor) -> None:
    """Raise a ValueError if x, floating-point numbers on the scale of levels, holds NaN or an infinite value."""
    if not torch.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; expected numbers between 0 and levels - 1")


def check_prefix(prefix: Tensor, event_shape: tuple[int, ...], n: int, levels: int) -> int:
    """How long the given beginning of n events is, in rows of an image (1, H, W) or in samples of a sequence (T,).

    Raises:
        TypeError: prefix is no tensor of integers. ValueError: its shape or its levels do not fit, or it is too long.
    """
    if not isinstance(prefix, Tensor) or prefix.dtype not in INTEGERS:
        kind = prefix.dtype if isinstance(prefix, Tensor) else article(prefix)
        raise TypeError(f"prefix is {kind}; expected a tensor of level indices (uint8 or int64)")
    is_sequence = len(event_shape) == 1
    growing = -1 if is_sequence else -2  # the dimension of time, or of rows
    fits = prefix.dim() == 1 + len(event_shape) and len(prefix) in (1, n)
    if fits:
        expected = list(event_shape)
        expected[growing] = prefix.shape[growing]
        fits = list(prefix.shape[1:]) == expected
    if not fits:
        wanted = f"({n} or 1, t)" if is_sequence else f"({n} or 1, 1, rows, {event_shape[-1]})"
        raise ValueError(f"prefix has shape {tuple(prefix.shape)}; expected {wanted}")
    length, most = prefix.shape[growing], event_shape[growing]
    if length > most:
        raise ValueError(f"prefix is {length} long; the event has only {most}")
    if prefix.numel() and (prefix.min() < 0 or prefix.max() >= levels):
        raise ValueError(
            f"prefix has levels {prefix.min().item()} … {prefix.max().item()}; this model has 0 … {levels - 1}"
        )
    return length


def check_binary(x: Tensor, event_shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros and ones (B, *event_shape) as vectors in that dtype: (B, D)."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor of zeros and ones (B, *{event_shape})")
    if x.dim() == 0 or tuple(x.shape[1:]) != event_shape or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (batch, {', '.join(map(str, event_shape))})")
    flat = x.flatten(1).to(dtype)
    if (flat * (flat - 1) != 0).any():
        raise ValueError(f"x has values from {x.min():g} to {x.max():g}; expected zeros and ones: binarise first")
    return flat


def check_decodable(x: Tensor, event_shape: tuple[int, ...], likelihood: str, model: str, dtype: torch.dtype) -> Tensor:
    """x in that dtype, if a decoder with this likelihood can produce it. model: the name of its class.

    Raises:
        TypeError: no tensor, or integers for a Gaussian decoder. ValueError: wrong shape, no example, NaN, or other
            values than zeros and ones for a Bernoulli decoder.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"x is {article(x)}; expected a torch.Tensor of shape (B, *{event_shape})")
    check_batch(x, event_shape, model)
    if likelihood == "gaussian" and not x.is_floating_point():
        raise TypeError(
            f"x has dtype {x.dtype}; a Gaussian decoder draws real numbers: give float32, "
            "grey levels for instance as x.float() / 255"
        )
    x = x.to(dtype)
    if likelihood == "gaussian" and not torch.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; expected finite numbers")
    if likelihood == "bernoulli" and (x * (x - 1)).any():
        raise ValueError(
            f"x has values from {x.min():g} to {x.max():g}; a Bernoulli decoder draws zeros and ones: "
            'binarise the images first (data.binarise), or take likelihood="gaussian"'
        )
    return x


def check_examples(name: str, x: Tensor, event_shape: tuple[int, ...]) -> None:
    """Raise unless x is a batch of what the generator of a GAN makes: (B, *event_shape), images in [0, 1].

    Raises:
        TypeError: x is no tensor of floating-point numbers. ValueError: wrong shape, no example, NaN, values outside.
    """
    sizes = ", ".join(map(str, event_shape))
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is {article(x)}; expected a torch.Tensor (B, {sizes})")
    if x.dim() == 0 or tuple(x.shape[1:]) != event_shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; this GAN models event_shape {event_shape}, so "
            f"it must be (batch, {sizes})"
        )
    if len(x) == 0:
        raise ValueError(f"{name} is an empty batch; expected at least one example")
    if not x.is_floating_point():
        raise TypeError(
            f"{name} has dtype {x.dtype}; a generator makes real numbers: give float32, grey levels "
            "for instance as x.float() / 255"
        )
    low, high = (value.item() for value in x.detach().aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
    if len(event_shape) == 3 and (low < 0 or high > 1):
        raise ValueError(
            f"{name} goes from {low:g} to {high:g}; images lie in [0, 1]: give x.float() / 255, or D "
            "tells data from samples by their range alone"
        )


def check_equal_numbers(real: Tensor, fake: Tensor) -> None:
    """Raise a ValueError unless there are as many real as generated examples."""
    if len(real) != len(fake):
        raise ValueError(f"real has {len(real)} examples, fake {len(fake)}; expected batches of one size")


def check_pairs(real: Tensor, fake: Tensor) -> None:
    """Raise a ValueError unless real and fake have one shape, so that points between them can be taken."""
    if real.shape != fake.shape:
        raise ValueError(
            f"real has shape {tuple(real.shape)}, fake {tuple(fake.shape)}; a point between two examples "
            "needs pairs of one shape"
        )


def check_judged(x: Tensor, event_shape: tuple[int, ...], pack: int) -> None:
    """Raise unless a discriminator can judge x: floating-point numbers (B, *event_shape), B a multiple of pack."""
    sizes = ", ".join(map(str, event_shape))
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else article(x)
        raise TypeError(
            f"x is {kind}; expected a floating-point tensor (B, {sizes}), grey levels for instance as x.float() / 255"
        )
    if x.dim() == 0 or tuple(x.shape[1:]) != event_shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; this discriminator judges event_shape {event_shape}, "
            f"so x must be (batch, {sizes})"
        )
    if len(x) == 0 or len(x) % pack:
        raise ValueError(f"x has {len(x)} examples; expected a multiple of pack = {pack}")


# -- classes, codes, noise, logits -------------------------------------------------------------------------------


def check_condition(condition: Tensor | None, n_classes: int | None, batch: int, owner: str = "model") -> None:
    """Raise unless condition is (batch,) class indices from 0 to n_classes - 1, or None where there are no classes."""
    if not n_classes:
        if condition is not None:
            raise ValueError(f"condition was given, but this {owner} was built without n_classes")
        return
    if condition is None:
        raise ValueError(f"condition is missing: this {owner} has n_classes={n_classes}; give (B,) indices")
    check_class_indices(condition, batch)
    if batch and (condition.min() < 0 or condition.max() >= n_classes):
        raise ValueError(
            f"condition has classes {condition.min().item()} … {condition.max().item()}; "
            f"this {owner} has 0 … {n_classes - 1}"
        )


def check_class_indices(condition: Tensor, batch: int) -> None:
    """Raise unless condition is a tensor of integers (batch,)."""
    if not isinstance(condition, Tensor) or condition.dtype not in INTEGERS:
        kind = condition.dtype if isinstance(condition, Tensor) else article(condition)
        raise TypeError(f"condition is {kind}; expected a tensor of class indices (int64)")
    if tuple(condition.shape) != (batch,):
        raise ValueError(f"condition has shape {tuple(condition.shape)}; expected ({batch},), one class an example")


def check_codes(z: Tensor, latent: int, dtype: torch.dtype) -> Tensor:
    """Codes (…, latent) in that dtype."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = z.dtype if isinstance(z, Tensor) else article(z)
        raise TypeError(f"z is {kind}; expected a floating-point tensor of codes (…, {latent})")
    if z.dim() == 0 or z.shape[-1] != latent:
        raise ValueError(f"z has shape {tuple(z.shape)}; the codes of this model have {latent} dimensions")
    return z.to(dtype)


def check_mixture_weights(log_weights: Tensor, codes: Tensor, latent: int) -> None:
    """Raise unless codes are (K, latent) and log_weights (K,), K at least 1."""
    if not isinstance(log_weights, Tensor):
        raise TypeError(f"log_weights is {article(log_weights)}; expected a torch.Tensor (K,)")
    if codes.dim() != 2 or not len(codes) or log_weights.shape != codes.shape[:1]:
        shapes = f"codes {tuple(codes.shape)} and log_weights {tuple(log_weights.shape)}"
        raise ValueError(f"{shapes}; expected (K, {latent}) and (K,), K at least 1")


def check_noise(z: Tensor, latent: int) -> None:
    """Raise unless z is floating-point noise (B, latent)."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = z.dtype if isinstance(z, Tensor) else article(z)
        raise TypeError(f"z is {kind}; expected a floating-point tensor of noise (B, {latent})")
    if z.dim() != 2 or z.shape[1] != latent:
        raise ValueError(f"z has shape {tuple(z.shape)}; the noise of this generator is (B, {latent})")


def check_logits(name: str, logits: Tensor) -> None:
    """Raise unless logits are floating-point numbers, at least one."""
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else article(logits)
        raise TypeError(f"{name} is {kind}; expected a floating-point tensor of logits (B,)")
    if logits.numel() == 0:
        raise ValueError(f"{name} is empty; expected at least one logit")


def check_pair_of_logits(real_logits: Tensor, fake_logits: Tensor) -> None:
    """Raise unless both are logits, of as many real as generated examples."""
    check_logits("real_logits", real_logits)
    check_logits("fake_logits", fake_logits)
    if real_logits.shape != fake_logits.shape:
        raise ValueError(
            f"real_logits has shape {tuple(real_logits.shape)}, fake_logits {tuple(fake_logits.shape)}; "
            "expected batches of one size: D would learn which is larger, and means weigh them alike"
        )
