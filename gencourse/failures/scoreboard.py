"""How a comparison of models fails: what one training run of each says is taken for the two families."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gencourse import checkpoints, data, metrics
from gencourse.models import VAE, PixelCNN
from gencourse.models.settings import usual_settings, weights_of
from gencourse.support.checks import positive_integer
from gencourse.training import fit

Network = Literal["PixelCNN", "VAE"]
NETWORKS = get_args(Network)
OPERATIONS = 2.4e12  # additions and multiplications of a training: 550 steps of the PixelCNN, as in chapter 01


class Contestant(NamedTuple):
    """A network of a chapter, with the batch, the step size and the averaging of that chapter."""

    build: Callable[[], nn.Module]
    batch_size: int
    lr: float
    average: float


CONTESTANTS: dict[Network, Contestant] = {
    "PixelCNN": Contestant(lambda: PixelCNN((1, 28, 28), n_blocks=5, channels=32), 64, 1e-2, 0.98),
    "VAE": Contestant(lambda: VAE((1, 28, 28), latent=32, hidden=(500,)), 200, 4e-3, 0.999),
}


def steps_for(model: nn.Module, batch_size: int, operations: float = OPERATIONS) -> int:
    """Steps of training, forward and backward, that take so many additions and multiplications; at least 1.

    model: of images of 28 × 28. Counted are those of its convolutions and matrix products.
    """
    with FlopCounterMode(display=False) as counter:
        model.loss(torch.zeros((1, 1, 28, 28), dtype=torch.uint8)).backward()
    model.zero_grad()
    return max(1, round(operations / counter.get_total_flops() / batch_size))


@usual_settings()
def equal_compute(seed: int, *, network: Network = "PixelCNN", tested: int = 10_000) -> dict[str, float]:
    """Two networks, each trained with the same number of operations: is the one ahead of the other, or was it luck?

    The PixelCNN of chapter 01 (5 blocks, 32 channels) and the VAE of chapter 03 (32 code dimensions, 500 hidden units),
    trained on binarised MNIST, its default split, with 2.4e12 additions and multiplications in convolutions and matrix
    products, counted, in float32. The seed decides the first weights, the batches, the tosses of the pixels and the
    samples. 2,000 samples are compared with the first 2,000 of the test images, which are put in a random order by the
    seed, on features of the stored classifier, and the test images after them are the floor. Returns

        steps: of training.
        nats: an image, mean over the first `tested` test images in that order, dynamic binarisation; exact for the
            PixelCNN, for the VAE an upper bound by 100 draws an image.
        frechet: distance of the samples to the 2,000 test images.
        precision, recall: of the samples, k = 3.
        floor: Fréchet distance of 2,000 other test images to the same 2,000.
    """
    if network not in NETWORKS:
        raise ValueError(f"network is {network!r}; expected {' or '.join(map(repr, NETWORKS))}")
    tested = positive_integer("tested", tested, most=10_000)
    generator, each = torch.Generator().manual_seed(seed), CONTESTANTS[network]
    train, test = data.mnist("train")[0], data.mnist("test")[0]
    with weights_of(seed):
        model = each.build()
        steps = steps_for(model, each.batch_size)
    fit(
        model, train, steps=steps, batch_size=each.batch_size, lr=each.lr, average=each.average,
        prepare=data.binarise, precision="float32", generator=generator,
    )  # fmt: skip
    test = data.binarise(data.subset(len(test), generator, test), generator)
    with torch.no_grad():
        if isinstance(model, VAE):
            nats = -metrics.importance_bound(model, test[:tested], 100, generator)
        else:
            nats = metrics.nats(model, test[:tested])
        samples = model.sample(2000, generator)
    judge, _ = checkpoints.load("classifier")
    real, other, made = (metrics.features(judge, x) for x in (test[:2000], test[2000:4000], samples))
    precision, recall = metrics.precision_recall(real, made)
    return {
        "steps": steps,
        "nats": nats.double().mean().item(),
        "frechet": metrics.frechet_distance(made, real),
        "precision": precision,
        "recall": recall,
        "floor": metrics.frechet_distance(other, real),
    }
