"""Handwritten digits, spoken words and toy sets: offline, the same on every machine, checked before use.

Sources, authors, licences and checksums: data/README.md.
"""

import csv
import functools
import gzip
import hashlib
import io
import math
from typing import Literal, NamedTuple, get_args

import numpy as np
import soundfile
import torch
from torch import Tensor

from gencourse.support.checks import check_choice, positive_integer
from gencourse.support.files import DataError, check, data_root, read

__all__ = [
    "GRID", "RING", "SAMPLE_RATE", "DataError", "Modes", "SpokenWords", "Windows", "all_sequences", "binarise", "check",
    "data_root", "grid", "mnist", "mu_law_decode", "mu_law_encode", "ring", "sentences", "spoken_words", "subset",
    "tiny_images", "vocabulary", "windows",
]  # fmt: skip

SAMPLE_RATE = 8000  # Hz
Split = Literal["train", "validation", "test"]
SPLITS = get_args(Split)
Validation = Literal["random", "last"]
VALIDATIONS = get_args(Validation)
Points = Literal["ring", "grid"]
POINTS = get_args(Points)


# Handwritten digits ---------------------------------------------------------------------------------------


def mnist(split: Split, validation: Validation = "random") -> tuple[Tensor, Tensor]:
    """MNIST (LeCun, Cortes and Burges): handwritten digits of 28 × 28 pixels, and which digit each is.

    The original training set has 60,000 images. "validation" is 5,000 of them, "train" the other 55,000, "test" the
    10,000 of the original test set; each in the order of its file. That order is not random: in places the digits of a
    writer stand together, and the last thousands are all of such places. A head of a split, or its tail, is therefore
    another population than the split; `subset` draws at random.

    validation: which 5,000. "random": drawn at random, one in twelve of each kind of digit, and the same always.
        "last": the last 5,000 of the file, on which the stored models were chosen and not trained.

    Returns images (N, 1, 28, 28) uint8, from 0 (paper) to 255 (ink), and labels (N,) int64.
    Raises ValueError for an unknown split, DataError for a missing or damaged file.
    """
    _check_split(split)
    check_choice("validation", validation, VALIDATIONS)
    part = "t10k" if split == "test" else "train"
    images = _idx(f"mnist/{part}-images-idx3-ubyte.gz").unsqueeze(1)  # (N, 1, 28, 28)
    labels = _idx(f"mnist/{part}-labels-idx1-ubyte.gz").long()  # (N,)
    if split == "test":
        return images, labels
    if validation == "random":
        held_out = _held_out(labels)
        chosen = held_out if split == "validation" else ~held_out
        return images[chosen], labels[chosen]
    if split == "train":
        return images[:55_000], labels[:55_000]
    return images[55_000:].clone(), labels[55_000:].clone()  # a view would keep the others in memory


def subset(n: int, generator: torch.Generator, x: Tensor, *others: Tensor) -> Tensor | tuple[Tensor, ...]:
    """n examples of x, drawn at random without replacement, in random order; of the others those of the same places.

    x and others: (N, …), of the same N. Returns (n, …), one for each tensor.
    Raises ValueError where x has fewer than n, or the others have another N; TypeError without a generator.
    """
    n = positive_integer("n", n)
    _check_generator(generator, "subset", "subset(n, torch.Generator().manual_seed(0), x)")
    if n > len(x):
        raise ValueError(f"n is {n}, and there are {len(x)}; expected at most as many")
    if wrong := [len(other) for other in others if len(other) != len(x)]:
        raise ValueError(f"x has {len(x)} examples, another tensor {wrong[0]}; expected the same number")
    chosen = torch.randperm(len(x), generator=generator, device=generator.device)[:n].to(x.device)
    parts = tuple(each[chosen] for each in (x, *others))
    return parts if others else parts[0]


def _held_out(labels: Tensor) -> Tensor:
    """Which of the 60,000 are validation: of each class those whose places have the lowest sha256. (N,) bool."""
    places = torch.tensor(_by_hash(len(labels)), device="cpu")
    ranked = labels[places]
    chosen = torch.zeros(len(labels), dtype=torch.bool, device="cpu")
    sizes = torch.bincount(labels, minlength=10) / 12
    wanted = sizes.floor().long()
    for digit in (sizes - wanted).argsort(descending=True, stable=True)[: 5000 - int(wanted.sum())]:
        wanted[digit] += 1  # the largest remainders, so that they are 5,000 together
    for digit, size in enumerate(wanted):
        chosen[places[ranked == digit][:size]] = True
    return chosen


@functools.cache
def _by_hash(n: int) -> tuple[int, ...]:
    """0 … n - 1 in the order of their sha256, with a `0:` before them: the same order on every machine."""
    return tuple(sorted(range(n), key=lambda place: hashlib.sha256(f"0:{place}".encode()).digest()))


def binarise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw each pixel black or white, ink with probability grey/255: x ~ Bernoulli(grey / 255).

    Each call is a new draw ("dynamic binarisation"); 0 never becomes ink, and 255 always does.

    x: uint8 of any shape, on the generator's device. Returns uint8 of the same shape, 0 or 1.
    Raises TypeError for another dtype or without a generator, ValueError for an empty x or another device.
    """
    _check_generator(generator, "binarise", "binarise(x, torch.Generator().manual_seed(0))")
    _check_tensor(x, "x")
    if x.dtype != torch.uint8:
        raise TypeError(f"x is {x.dtype}; expected uint8 grey values from 0 to 255, as mnist() returns them")
    if generator.device.type != x.device.type:
        raise ValueError(f"x is on {x.device}, the generator on {generator.device}; expected the same device")
    threshold = torch.randint(255, x.shape, dtype=torch.uint8, device=x.device, generator=generator)
    return (threshold < x).to(torch.uint8)  # 0 … 254, so P(threshold < grey) is grey/255 exactly


# Spoken words ---------------------------------------------------------------------------------------------


class SpokenWords(NamedTuple):
    """Recordings of one speaker, one word or short phrase each.

    >>> test = spoken_words("test")
    >>> len(test.waveforms) == len(test.words) == len(test.names)
    True
    """

    waveforms: list[Tensor]  # each (T,) float32 in [-1, 1], 8,000 samples a second
    words: list[str]  # what is said: "five", "January", "question mark"
    names: list[str]  # where it comes from: "digits/5", "digits/mon-0", "letters/ascii63"


class Windows(NamedTuple):
    """Pieces of recordings, all of one length.

    >>> pieces = windows(spoken_words("test"), 4000)
    >>> pieces.levels.shape[1], vocabulary()[pieces.words[0]] == spoken_words("test").words[0]
    (4000, True)
    """

    levels: Tensor  # (N, length) µ-law levels, uint8 (int64 when there are more than 256)
    words: Tensor  # (N,) int64: the index in vocabulary() of the word that the piece is cut from
    recordings: Tensor  # (N,) int64: the index of the recording that it is cut from
    starts: Tensor  # (N,) int64: its first sample in that recording


def spoken_words(split: Split) -> SpokenWords:
    """Numbers, dates, letters, symbols and the phonetic alphabet, spoken by Allison Smith.

    The split is by recording and stands in data/speech/words.csv: of each of the folders digits, letters and
    phonetic a tenth for "validation", a tenth for "test", the rest for "train". zero … nine always train, so
    that a model conditioned on the word can be asked for any of the ten digits. Nearly every word was said
    once, and training hears none of the held-out words.

    Raises ValueError for an unknown split, DataError for a missing or damaged file.
    """
    _check_split(split)
    rows = [row for row in _table("words") if row["split"] == split]
    sound = {folder: _flac(f"speech/{folder}.flac") for folder in ("digits", "letters", "phonetic")}
    waveforms = [_cut(sound[row["name"].split("/")[0]], row) for row in rows]
    return SpokenWords(waveforms, [row["word"] for row in rows], [row["name"] for row in rows])


def sentences() -> list[Tensor]:
    """Whole sentences by the speaker of `spoken_words`, 22 minutes: to train on, beside the words.

    What she says is not written down. No recording of the held-out words is a stretch of it, as data/README.md tells.

    Returns waveforms, each (T,) float32 in [-1, 1], 8,000 samples a second, half a second at least.
    Raises DataError for a missing or damaged file.
    """
    sound = _flac("speech/sentences.flac")
    return [_cut(sound, row) for row in _table("sentences")]


def vocabulary() -> list[str]:
    """The words of all splits, sorted, each once: the classes for a model that is conditioned on the word."""
    return sorted({row["word"] for row in _table("words")})


def windows(spoken: SpokenWords, length: int, hop: int | None = None, levels: int = 256) -> Windows:
    """Cut every recording into windows of `length` samples, as µ-law levels.

    A window starts every `hop` samples (default: `length`, side by side). What is left at the end gets one
    more window, moved back so that it ends with the recording: no sample is lost, some are seen twice. A
    recording shorter than `length` gives one window, filled up with silence at its end (the shortest has
    4,656 samples).

    Raises ValueError for a length or hop below 1, or a word that is not in vocabulary().
    """
    length = positive_integer("length", length)
    hop = length if hop is None else positive_integer("hop", hop)
    if not spoken.waveforms:
        raise ValueError("there are no recordings to cut into windows")
    index = {word: i for i, word in enumerate(vocabulary())}
    if unknown := sorted(set(spoken.words) - index.keys()):
        raise ValueError(f"{unknown} not in vocabulary(); expected words that spoken_words() returns")

    pieces, places = [], []
    for i, (waveform, word) in enumerate(zip(spoken.waveforms, spoken.words, strict=True)):
        padded = torch.nn.functional.pad(waveform, (0, max(0, length - len(waveform))))
        encoded = mu_law_encode(padded, levels)
        last = len(encoded) - length
        for start in sorted({*range(0, last + 1, hop), last}):
            pieces.append(encoded[start : start + length])
            places.append((index[word], i, start))
    levels_of_all = torch.stack(pieces)
    return Windows(levels_of_all, *torch.tensor(places, device=levels_of_all.device).unbind(1))


def mu_law_encode(x: Tensor, levels: int = 256) -> Tensor:
    """Round a waveform to `levels` levels that lie close where the sound is soft.

    f(x) = sign(x) log(1 + µ|x|) / log(1 + µ) with µ = levels - 1 (WaveNet, arXiv:1609.03499, section 2.2);
    the levels lie evenly on [-1, 1], both ends among them, and the nearest to f(x) is taken: -1 is level 0
    and +1 is level µ, exactly. The scale is symmetric, encode(-x) = µ - encode(x), but for ties. With an even
    number of levels none is silence: 0 lies halfway between levels/2 - 1 and levels/2, and goes to the upper.

    x: floating point in [-1, 1], any shape. Returns uint8, or int64 for more than 256 levels.
    Raises TypeError for integers, ValueError for NaN, values outside [-1, 1] or an empty x.
    """
    levels = _check_levels(levels)
    _check_tensor(x, "x")
    if not x.is_floating_point():
        raise TypeError(f"x is {x.dtype}; expected floating point in [-1, 1] (16-bit samples: x / 32768)")
    if not (x.abs() <= 1).all():  # also catches NaN
        low, high = x.min().item(), x.max().item()
        raise ValueError(f"x goes from {low:.4g} to {high:.4g}; expected values in [-1, 1]")
    mu = levels - 1
    x = x.double()  # in float32 the levels next to 0 are lost in rounding when there are many
    companded = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    index = torch.floor((companded + 1) / 2 * mu + 0.5).clamp(0, mu)
    return index.to(torch.uint8 if levels <= 256 else torch.int64)


def mu_law_decode(index: Tensor, levels: int = 256) -> Tensor:
    """The waveform of µ-law levels, the inverse of `mu_law_encode`: mu_law_encode(mu_law_decode(i)) is i.

    f⁻¹(y) = sign(y) ((1 + µ)^|y| - 1) / µ at y = 2i/µ - 1.

    index: integers from 0 to levels - 1, any shape. Returns float32 in [-1, 1], the ends exactly.
    Raises TypeError for another dtype, ValueError for a level out of range or an empty index.
    """
    levels = _check_levels(levels)
    _check_tensor(index, "index")
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise TypeError(f"index is {index.dtype}; expected integer levels from 0 to {levels - 1}")
    low, high = index.min().item(), index.max().item()  # as tensors of uint8, 256 would wrap round to 0
    if low < 0 or high >= levels:
        raise ValueError(f"index goes from {low} to {high}; expected levels from 0 to {levels - 1}")
    mu = levels - 1
    companded = (2 * index.double() - mu) / mu
    return (companded.sign() * torch.expm1(companded.abs() * math.log1p(mu)) / mu).float().clamp(-1, 1)


# Toy sets -------------------------------------------------------------------------------------------------


def all_sequences(length: int, levels: int) -> Tensor:
    """Every sequence of `length` values from 0 to levels - 1, in counting order.

    Returns (levels ** length, length) uint8.
    Raises ValueError if there are none, or more than 2 ** 20.
    """
    expected = "length ≥ 1, levels from 1 to 256 and at most 2 ** 20 sequences"
    length = positive_integer("length", length, expected=expected)
    levels = positive_integer("levels", levels, most=256, expected=expected)
    if levels**length > 2**20:
        raise ValueError(f"length {length}, levels {levels}: expected {expected}")
    number = torch.arange(levels**length, device="cpu").unsqueeze(1)  # (N, 1)
    place = levels ** torch.arange(length - 1, -1, -1, device="cpu")  # (length,)
    return (number // place % levels).to(torch.uint8)


def tiny_images(side: int) -> Tensor:
    """Every black-and-white image of side × side pixels: (2 ** side², 1, side, side) uint8. Sides 1 to 4."""
    side = positive_integer("side", side, most=4, expected="1, 2, 3 or 4 (side 5 would make 33,554,432 images)")
    return all_sequences(side * side, 2).reshape(-1, 1, side, side)


class Modes(NamedTuple):
    """A mixture of round Gaussians in the plane, all of one weight and width.

    >>> len(RING.centres), RING.sigma
    (8, 0.01)
    """

    centres: Tensor  # (K, 2) float32
    sigma: float  # standard deviation, along each axis


# the two toy sets of VEEGAN (Srivastava et al., arXiv:1705.07761, section 4.1) and PacGAN (arXiv:1712.04086)
# linspace(0, 2π, 8) would put the last on the first
_angles = torch.arange(8, dtype=torch.float64, device="cpu") * (2 * math.pi / 8)
_lines = torch.arange(-4, 5, 2, dtype=torch.float32, device="cpu")
RING = Modes(torch.stack([_angles.cos(), _angles.sin()], 1).float(), 0.01)  # 8 centres, radius 1
GRID = Modes(torch.cartesian_prod(_lines, _lines), 0.05)  # 25 centres, {-4, -2, 0, 2, 4}²

REACH = 4.0  # ring and grid are stretched to go from -4 to 4: one recipe fits both


def ring(n: int, generator: torch.Generator) -> Tensor:
    """Eight narrow Gaussians on the unit circle, RING: (n, 2) float32, where the generator is. Raises as `grid`."""
    return _draw_modes(RING, n, generator)


def grid(n: int, generator: torch.Generator) -> Tensor:
    """Twenty-five narrow Gaussians on a square lattice, GRID: (n, 2) float32, where the generator is.

    Raises TypeError without a generator or a whole number n, ValueError for n below 1.
    """
    return _draw_modes(GRID, n, generator)


class Plane(NamedTuple):
    """Modes in the plane: (n, 2) points, stretched; (K, 2) centres and the width σ of a mode in the same measure."""

    x: Tensor
    centres: Tensor
    sigma: float


def plane(points: Points, n: int, generator: torch.Generator) -> Plane:
    """`points` is "ring" (8 modes) or "grid" (25).

    Raises:
        ValueError: another name.
    """
    if points not in POINTS:
        raise ValueError(f"points is {points!r}; expected 'ring' or 'grid'")
    draw, law = (ring, RING) if points == "ring" else (grid, GRID)
    stretch = REACH / law.centres.abs().max().item()
    return Plane(stretch * draw(n, generator), stretch * law.centres, stretch * law.sigma)


def _draw_modes(modes: Modes, n: int, generator: torch.Generator) -> Tensor:
    _check_generator(generator, "a toy set", "ring(n, torch.Generator().manual_seed(0))")
    n, device = positive_integer("n", n), generator.device
    which = torch.randint(len(modes.centres), (n,), generator=generator, device=device)
    noise = torch.randn(n, 2, generator=generator, device=device, dtype=torch.float32)
    return modes.centres.to(device)[which] + modes.sigma * noise


# Reading and checking -------------------------------------------------------------------------------------


def _idx(name: str) -> Tensor:
    content = gzip.decompress(read(name))
    n_dimensions = content[3]  # after two zero bytes and 0x08 for uint8; then each size in four bytes
    shape = np.frombuffer(content, dtype=">i4", count=n_dimensions, offset=4)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_dimensions)
    return torch.from_numpy(values.reshape(*shape).copy())  # a copy: bytes cannot be written to


def _flac(name: str) -> Tensor:
    samples, _ = soundfile.read(io.BytesIO(read(name)), dtype="float32")  # 16-bit samples / 32768
    return torch.from_numpy(samples)


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read(f"speech/{name}.csv").decode("utf-8"))))


def _cut(sound: Tensor, row: dict[str, str]) -> Tensor:
    start = int(row["start"])
    return sound[start : start + int(row["samples"])].clone()


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected one of {', '.join(map(repr, SPLITS))}")


def _check_generator(generator: torch.Generator, who: str, example: str) -> None:
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"{who} needs a torch.Generator, got {type(generator).__name__}: {example}")


def _check_tensor(x: Tensor, name: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} is of type {type(x).__name__}; expected a torch.Tensor")
    if x.numel() == 0:
        raise ValueError(f"{name} is empty: its shape is {tuple(x.shape)}")


def _check_levels(levels: int) -> int:
    return positive_integer("levels", levels, 2, 2**16, "a whole number from 2 to 65,536")
