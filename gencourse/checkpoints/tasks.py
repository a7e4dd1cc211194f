"""What the stored models learn from, and the yardstick of each: one function a task."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse import data, metrics
from gencourse.checkpoints.load import load
from gencourse.data import Split
from gencourse.models import GAN
from gencourse.training.batches import Prepare
from gencourse.training.history import Keep

MNIST = ("mnist/train-images-idx3-ubyte.gz", "mnist/t10k-images-idx3-ubyte.gz")
MNIST_LABELS = ("mnist/train-labels-idx1-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz")
SPEECH = ("speech/digits.flac", "speech/letters.flac", "speech/phonetic.flac", "speech/words.csv")
SENTENCES = ("speech/sentences.flac", "speech/sentences.csv")
IMAGES = "train: the first 55,000 images of the training file; validation: its last 5,000"
RECORDINGS = "train and validation: the recordings that data/speech/words.csv names"
LAST = "last"  # the validation images of the stored models: the last 5,000 of the training file
Measure = Callable[[torch.nn.Module, Split, int | None], float]


class Task(NamedTuple):
    """What a model is trained on, and how it is measured.

    A measurement is called with the model, wherever it is, a split, and how many of its examples to take, the first
    ones; None for all. It gives one number.
    """

    x: Tensor  # (N, …), what `fit` takes
    measure: Measure
    unit: str
    files: tuple[str, ...]  # of the data, by their names in data/
    split: str  # what train and validation are, in words, for the card
    condition: Tensor | None = None
    prepare: Prepare | None = None
    keep: Keep = "lowest"  # or "highest": which measurement is the best
    also: dict[str, Measure] = {}  # other measurements, made on the test set only


def binary_digits() -> Task:
    """MNIST, the pixels of each batch drawn anew, of validation and test once with seed 0."""

    def measure(model: torch.nn.Module, split: Split, n: int | None = None) -> float:
        """Nats per image; of a VAE the bound (by 5,000 samples on the test set, by 100 on others).

        Of a VAE with two numbers a code, the integral over codes, as a sum over a grid.
        """
        x = data.binarise(data.mnist(split, LAST)[0], torch.Generator().manual_seed(0))[:n].to(device_of(model))
        if hasattr(model, "log_prob"):
            return metrics.nats(model, x).mean().item()
        if model.latent == 2:
            places = torch.linspace(-4, 4, 161)
            codes = torch.cartesian_prod(places, places).to(x.device)
            log_weights = (-codes.square().sum(1) / 2).log_softmax(0)
            return -torch.cat([model.log_mixture(part, codes, log_weights) for part in x.split(1000)]).mean().item()
        return -metrics.importance_bound(model, x, 5000 if split == "test" else 100).mean().item()

    return Task(data.mnist("train", LAST)[0], measure, "nats an image", MNIST, IMAGES, prepare=data.binarise)


def grey_digits() -> Task:
    """MNIST with its 256 levels of grey."""

    def measure(model: torch.nn.Module, split: Split, n: int | None = None) -> float:
        """Bits for each pixel."""
        x = data.mnist(split, LAST)[0][:n].to(device_of(model))
        return metrics.bits_per_dimension(metrics.nats(model, x).mean().item(), x[0].numel())

    return Task(data.mnist("train", LAST)[0], measure, "bits a pixel", MNIST, IMAGES)


def digits_to_imitate() -> Task:
    """MNIST, grey levels as numbers in [0, 1], for a GAN."""

    def measure(gan: GAN, split: Split, n: int | None = None) -> float:
        """Fréchet distance from the images of the split to as many samples, on the features of the classifier."""
        judge = load("classifier")[0].to(device_of(gan))
        x = (data.mnist(split, LAST)[0][:n] / 255).to(device_of(gan))
        samples = gan.sample(len(x), torch.Generator().manual_seed(0))
        return metrics.frechet_distance(metrics.features(judge, samples), metrics.features(judge, x))

    return Task(data.mnist("train", LAST)[0], measure, "Fréchet distance", MNIST, IMAGES, prepare=lambda x, _: x / 255)


def spoken_words() -> Task:
    """Half-second windows of speech, each once with its word told and once without."""
    said_nothing = len(data.vocabulary())

    def measure(model: torch.nn.Module, split: Split, n: int | None = None) -> float:
        """Bits per sample of whole recordings, the word not told."""
        waveforms = data.spoken_words(split).waveforms[:n]
        recordings = [data.mu_law_encode(waveform).to(device_of(model)) for waveform in waveforms]
        unknown = torch.full((len(recordings),), said_nothing, device=device_of(model))
        return metrics.bits_per_sample(model, recordings, unknown)

    heard = data.windows(data.spoken_words("train"), 4000, hop=1000)
    x = torch.cat([heard.levels, heard.levels])
    condition = torch.cat([heard.words, torch.full_like(heard.words, said_nothing)])
    return Task(x, measure, "bits a sample", SPEECH, RECORDINGS, condition)


def words_and_sentences() -> Task:
    """The same, the words told six times, and windows of whole sentences by the same speaker, of which none is told.

    Six times: nearly every word has one recording only, and a model is to remember how it is said.
    """
    words = spoken_words()
    told = len(words.x) // 2
    sentences = torch.cat([data.mu_law_encode(said).unfold(0, 4000, 2000) for said in data.sentences()])
    said_nothing = torch.full((len(sentences),), len(data.vocabulary()))
    return words._replace(
        x=torch.cat([*5 * [words.x[:told]], words.x, sentences]),
        condition=torch.cat([*5 * [words.condition[:told]], words.condition, said_nothing]),
        files=(*SPEECH, *SENTENCES),
    )


def digits_to_recognise() -> Task:
    """MNIST with its labels, for a classifier of grey and of binary digits."""

    @torch.no_grad()
    def measure(model: torch.nn.Module, split: Split, n: int | None = None, binary: bool = False) -> float:
        """Share of the digits that are recognised: grey ones, or binary ones, drawn once with seed 0."""
        images, labels = (part[:n] for part in data.mnist(split, LAST))
        x = data.binarise(images, torch.Generator().manual_seed(0)) if binary else images / 255
        x, labels = x.to(device_of(model)), labels.to(device_of(model))
        right = [model(part).argmax(1) == those for part, those in zip(x.split(1000), labels.split(1000))]
        return torch.cat(right).double().mean().item()

    def of_binary_digits(model: torch.nn.Module, split: Split, n: int | None = None) -> float:
        return measure(model, split, n, binary=True)

    images, labels = data.mnist("train", LAST)
    files, also = (*MNIST, *MNIST_LABELS), {"binarised": of_binary_digits}
    return Task(images, measure, "of the digits recognised", files, IMAGES, labels, grey_and_binary, "highest", also)


def device_of(model: torch.nn.Module) -> torch.device:
    """Where its weights are."""
    return next(model.parameters()).device


def shifted(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Every image moved by up to `most` pixels each way, all moves equally probable; paper (0) comes in at the side."""
    n, _, height, width = x.shape
    page = torch.nn.functional.pad(x, (most,) * 4)
    down, right = torch.randint(2 * most + 1, (2, n, 1), generator=generator)
    rows, columns = down + torch.arange(height), right + torch.arange(width)  # (n, H), (n, W)
    return page[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def grey_and_binary(x: Tensor, generator: torch.Generator) -> Tensor:
    """Digits for the classifier: (N, 1, H, W) uint8 -> in [0, 1], moved by up to 2 pixels, every second one binary."""
    x = shifted(x, 2, generator)
    binary = data.binarise(x[::2], generator)
    x = x / 255
    x[::2] = binary.float()
    return x


TASKS: dict[str, Callable[[], Task]] = {
    task.__name__: task
    for task in (binary_digits, grey_digits, digits_to_imitate, words_and_sentences, digits_to_recognise)
}
