"""The trained models in `data/checkpoints/`, and the recipe of each.

`load("pixelcnn")` gives the model ready for use; `train("pixelcnn")` makes it again, or goes on where a run
that was stopped had come to.
"""

from pathlib import Path

import torch

from . import data, metrics
from .models import GAN, VAE, Classifier, Discriminator, Generator, PixelCNN, WaveNet
from .storage import facts, save
from .storage import load as load_weights
from .train import fit, fit_gan

MNIST_VAE = dict(event_shape=(1, 28, 28), latent=50, likelihood="bernoulli", hidden=(300, 300))


def image_gan(event_shape=(1, 28, 28), latent: int = 64, channels: int = 32, r1: float = 1.0) -> GAN:
    """Two convolutional players of as many channels."""
    generator = Generator(event_shape, latent, (), "convolutional", channels)
    return GAN(generator, Discriminator(event_shape, (), "convolutional", channels), r1=r1)


# model(**build) is trained by fit(**fit), a GAN by fit_gan, from the weights of the checkpoint `start` if one is named
RECIPES = {
    "pixelcnn": dict(
        model=PixelCNN,
        build=dict(event_shape=(1, 28, 28), levels=2, stacks="single", n_blocks=15, channels=32),
        fit=dict(steps=12_000, batch_size=64, lr=4e-3, average=0.9995),
    ),
    "wavenet": dict(
        model=WaveNet,
        build=dict(
            event_shape=(8000,), levels=256, dilations=3 * [2**i for i in range(10)], channels=32, skip_channels=96,
            n_classes=180,  # one for each word of data.vocabulary(), and the last says nothing about the word
        ),
        fit=dict(steps=1500, batch_size=8, lr=4e-3, average=0.999),
    ),
    "vae": dict(
        model=VAE,
        build=MNIST_VAE,
        fit=dict(steps=250_000, batch_size=100, lr=3e-3, average=0.9995, precision="float32"),
    ),
    "iwae": dict(
        model=VAE,
        build=dict(MNIST_VAE, n_samples=50),
        start="vae",
        fit=dict(steps=60_000, batch_size=20, lr=5e-4, average=0.9995, precision="float32"),
    ),
    "plane": dict(  # three layers of 112: a small file, because pages load the decoder
        model=VAE,
        build=dict(event_shape=(1, 28, 28), latent=2, hidden=(112, 112, 112)),
        fit=dict(steps=8000, batch_size=200, lr=4e-3, average=0.999, precision="float32"),
    ),
    "gan": dict(
        model=image_gan,
        build=dict(event_shape=(1, 28, 28), latent=64, channels=32),
        fit=dict(steps=40_000, batch_size=32, lr=4e-3, betas=(0.0, 0.99), anneal="cosine", average=0.999),
    ),
    "classifier": dict(
        model=Classifier,
        build=dict(event_shape=(1, 28, 28), n_classes=10, channels=16, n_features=96),
        fit=dict(steps=10_000, batch_size=128, lr=3e-3, average=0.999),
    ),
}  # fmt: skip


def load(name: str) -> tuple[torch.nn.Module, dict]:
    """The trained model, ready for use, and the facts that were written beside its weights.

    Raises:
        KeyError: no such checkpoint. FileNotFoundError, ValueError: its file is missing or damaged.
    """
    model = _build(name)
    return model.eval(), load_weights(model, path(name))


def path(name: str) -> Path:
    """The file of a checkpoint."""
    if name not in RECIPES:
        raise KeyError(f"there is no checkpoint {name!r}; there are {', '.join(RECIPES)}")
    return data.data_root() / "checkpoints" / f"{name}.safetensors"


def train(name: str, effort: float = 1.0, folder: str | Path = "build/runs") -> Path:
    """Train by the recipe and write the checkpoint, with what it measured.

    The state of the run is kept in `folder`; a run that was stopped goes on from there. `effort` multiplies the
    number of steps; the checkpoint is replaced only at the end of the run.
    """
    target, recipe = path(name), RECIPES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _build(name)
    if "start" in recipe:
        load_weights(model, path(recipe["start"]))
    arguments = dict(recipe["fit"], name=name, checkpoint=Path(folder) / f"{name}.run.safetensors")
    arguments["steps"] = max(1, round(arguments["steps"] * effort))
    loop = fit_gan if isinstance(model, GAN) else fit
    if isinstance(model, GAN):
        x, condition, prepare, measure = _grey_images()
    elif recipe["model"] is Classifier:
        x, condition, prepare, measure = _digits()
    elif recipe["model"] is WaveNet:
        x, condition, prepare, measure = _sounds(model)
    else:
        x, condition, prepare, measure = _images(bounded=recipe["model"] is VAE)
    history = loop(
        model, x, condition=condition, prepare=prepare,
        measure=lambda model: measure(model, "validation"), measure_every=max(1, arguments["steps"] // 10), **arguments,
    )  # fmt: skip
    if history.interrupted:
        raise KeyboardInterrupt(f"{name} stopped at step {history.state['step']}; run the same command to go on")
    precision = {} if isinstance(model, GAN) else dict(precision=history.precision)
    save(
        model, target,
        steps=arguments["steps"], minutes=round(history.seconds / 60, 1), **precision,
        parameters=sum(p.numel() for p in model.parameters()),
        validation=history.measured, test=measure(model, "test"),
        **({"test_binarised": measure(model, "test", binary=True)} if recipe["model"] is Classifier else {}),
    )  # fmt: skip
    print(f"{target}: {facts(target)}")
    return target


def _build(name: str) -> torch.nn.Module:
    path(name)
    with torch.random.fork_rng(devices=[]):  # the weights to begin with; the global random state stays as it was
        return RECIPES[name]["model"](**RECIPES[name]["build"])


def _images(bounded: bool):
    def measure(model, split):
        """Nats per image, pixels drawn once with seed 0; of a VAE the bound (by 5,000 samples on the test set).

        Of a VAE with two numbers a code, the integral over codes, as a sum over a grid.
        """
        x = data.binarise(data.mnist(split)[0], torch.Generator().manual_seed(0))
        if bounded and model.latent == 2:
            places = torch.linspace(-4, 4, 161)
            codes = torch.cartesian_prod(places, places)
            log_weights = (-codes.square().sum(1) / 2).log_softmax(0)
            return -torch.cat([model.log_mixture(part, codes, log_weights) for part in x.split(1000)]).mean().item()
        if bounded:
            return -metrics.importance_bound(model, x, 5000 if split == "test" else 100).mean().item()
        return metrics.nats(model, x).mean().item()

    return data.mnist("train")[0], None, data.binarise, measure


def _grey_images():
    judge, _ = load("classifier")

    def measure(gan, split):
        """Fréchet distance from the images of the split to as many samples, on the features of the classifier."""
        x = data.mnist(split)[0] / 255
        samples = gan.sample(len(x), torch.Generator().manual_seed(0))
        return metrics.frechet_distance(metrics.features(judge, samples), metrics.features(judge, x))

    return data.mnist("train")[0], None, lambda x, _: x / 255, measure


def _sounds(model):
    said_nothing = model.n_classes - 1

    def measure(model, split):
        """Bits per sample of whole recordings, the word not told."""
        recordings = [data.mu_law_encode(waveform) for waveform in data.spoken_words(split).waveforms]
        return metrics.bits_per_sample(model, recordings, torch.full((len(recordings),), said_nothing))

    heard = data.windows(data.spoken_words("train"), 4000, hop=1000)
    x = torch.cat([heard.levels, heard.levels])  # once with the word told, once without
    condition = torch.cat([heard.words, torch.full_like(heard.words, said_nothing)])
    return x, condition, None, measure


def _digits():
    @torch.no_grad()
    def measure(model, split, binary=False):
        """Share of the digits that are recognised: grey ones, or binary ones, drawn once with seed 0."""
        images, labels = data.mnist(split)
        x = data.binarise(images, torch.Generator().manual_seed(0)) if binary else images / 255
        right = [model(part).argmax(1) == those for part, those in zip(x.split(1000), labels.split(1000))]
        return torch.cat(right).double().mean().item()

    images, labels = data.mnist("train")
    return images, labels, grey_and_binary, measure


def shifted(x: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """Every image moved by up to `most` pixels each way, all moves equally probable; paper (0) comes in at the side."""
    n, _, height, width = x.shape
    page = torch.nn.functional.pad(x, (most,) * 4)
    down, right = torch.randint(2 * most + 1, (2, n, 1), generator=generator)
    rows, columns = down + torch.arange(height), right + torch.arange(width)  # (n, H), (n, W)
    return page[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def grey_and_binary(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Digits for the classifier: (N, 1, H, W) uint8 -> in [0, 1], moved by up to 2 pixels, every second one binary."""
    x = shifted(x, 2, generator)
    binary = data.binarise(x[::2], generator)
    x = x / 255
    x[::2] = binary.float()
    return x
