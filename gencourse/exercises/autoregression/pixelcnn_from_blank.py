"""A whole small PixelCNN and its training loop."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from gencourse import data
from gencourse.exercises.autoregression.chains import Chain
from gencourse.exercises.autoregression.whole_models import laws
from gencourse.exercises.machine.exercise import Exercise

STEPS = 120


def pixelcnn_from_blank(images: Tensor, steps: int, generator: torch.Generator):
    """Build a small PixelCNN for images of zeros and ones, train it, and return it.

    images: (N, 1, H, W), floating-point zeros and ones; here H = W is 3, 4 or 7.
    steps: steps of training on -log P(x), 0 for none; 120 are to be enough for 7×7.
    Batches come from the generator; the initial weights may come from torch's own chance.
    Returns an object with two methods:
    logits(x): (B, 1, H, W) -> (B, 1, H, W); at each pixel ln p/(1 - p), p = P(it is 1)
        given the pixels before it in reading order, and nothing else. It must be able
        to use every pixel up to 3 rows above and 3 columns to the left, and the one
        above on the right.
    sample(n, generator): n new images (n, 1, H, W), drawn one pixel after the other.
    Any architecture that does this is right.
    """
    nn, F = torch.nn, torch.nn.functional

    class MaskedConv2d(nn.Conv2d):
        def __init__(self, kind, n_in, n_out, k):
            super().__init__(n_in, n_out, k, padding=k // 2)
            mask = torch.ones(k, k)
            mask[k // 2, k // 2 + (kind == "B") :] = 0  # A hides the centre, too
            mask[k // 2 + 1 :] = 0
            self.register_buffer("mask", mask)

        def forward(self, x):
            return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)

    class PixelCNN(nn.Module):
        def __init__(self, channels=16, n_blocks=3):
            super().__init__()
            self.first = MaskedConv2d("A", 1, channels, 5)
            blocks = (MaskedConv2d("B", channels, channels, 3) for _ in range(n_blocks))
            self.blocks = nn.ModuleList(blocks)
            self.head = nn.Conv2d(channels, 1, 1)

        def logits(self, x):
            h = self.first(x)
            for block in self.blocks:
                h = h + block(h.relu())
            return self.head(h.relu())

        @torch.no_grad()
        def sample(self, n, generator):
            x = torch.zeros(n, *images.shape[1:])
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    p = self.logits(x)[:, 0, i, j].sigmoid()
                    x[:, 0, i, j] = torch.bernoulli(p, generator=generator)
            return x

    model = PixelCNN()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        x = images[torch.randint(len(images), (32,), generator=generator)]
        loss = F.binary_cross_entropy_with_logits(model.logits(x), x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


IMAGES = Chain("image", "pixel", 2, torch.float32)


def _past(side: int) -> dict[str, list[tuple[int, int]]]:
    """The pairs (seen, by) of pixels of a square image that must be seen, by where the seen one lies."""
    kinds = {"the pixel to the left": [(0, -1)], "the pixel above": [(-1, 0)]}
    kinds["the pixel above and to the right"] = [(-1, 1)]
    near = [(-a, -b) for a in range(4) for b in range(4)]
    kinds["pixels up to 3 rows above and 3 columns to the left"] = [
        to for to in near if to not in [(0, 0), (0, -1), (-1, 0)]
    ]
    return {
        kind: [
            ((i + a) * side + j + b, i * side + j)
            for a, b in steps
            for i in range(side)
            for j in range(side)
            if i + a >= 0 and 0 <= j + b < side
        ]
        for kind, steps in kinds.items()
    }


def _known() -> Tensor:
    """The probabilities of all 3×3 images of a chain.

    A pixel repeats the one above and to the right (if there is none, the one above) with probability 0.9, in the first
    row the one to the left with 0.8.
    """
    x = IMAGES.events((1, 3, 3)).double()
    p = torch.where(x[:, 0, 0, 0] == 1, 0.7, 0.3)
    for i, j, a, b, keep in (
        *((0, j, 0, j - 1, 0.8) for j in (1, 2)),
        *((i, j, i - 1, min(j + 1, 2), 0.9) for i in (1, 2) for j in range(3)),
    ):
        p = p * torch.where(x[:, 0, i, j] == x[:, 0, a, b], keep, 1 - keep)
    return p.double()


def far(seed: int) -> Tensor:
    """500 images of 4×4 in which a pixel repeats another with probability 0.95.

    It is the one 3 rows above; in the other rows, the one 3 columns to the left, if there is one.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 2, (500, 1, 4, 4), generator=generator)
    kept = torch.rand(500, 1, 4, 4, generator=generator) < 0.9
    for i in range(4):
        for j in range(4):
            a, b = (i - 3, j) if i >= 3 else (i, j - 3)
            if b >= 0:
                x[..., i, j] = torch.where(kept[..., i, j], x[..., a, b], x[..., i, j])
    return x


FAR = "a pixel mostly repeats the one 3 rows above (in the first 3 rows, 3 columns to the left)"


@cache
def patches(seed: int) -> tuple[Tensor, Tensor, float]:
    """1,000 and 500 pieces of 7×7 pixels of digits of 14×14, and the nats of the latter by independent pixels."""
    generator = torch.Generator().manual_seed(seed)
    digits = data.subset(1500, generator, data.mnist("train")[0])
    small = (F.avg_pool2d(digits.float() / 255, 2) > 0.5).long()
    corners = torch.randint(0, 8, (len(small), 2), generator=generator).tolist()
    x = torch.stack(
        [image[:, i : i + 7, j : j + 7] for image, (i, j) in zip(small, corners)]
    )
    x, held_out = x[:1000], x[1000:]
    p = (x.double().sum(0) + 1) / (len(x) + 2)
    cost = -(held_out * p.log() + (1 - held_out) * (1 - p).log()).sum((1, 2, 3)).mean()
    return x, held_out, cost.item()


LIMIT = 0.85  # of the nats of independent pixels


def _short(observed: Tensor) -> str:
    before, after, independent = observed.tolist()
    words = (
        f"After {STEPS} steps on 1,000 pieces of digits of 7×7 pixels the model needs "
        f"{after:.1f} nats for one that is held out (before training {before:.1f}). "
        f"Independent pixels need {independent:.1f}; at most {LIMIT * independent:.1f} "
        "is within reach."
    )
    if after > independent:
        return f"{words} So it is worse than knowing no neighbour at all: is the loss the one that is measured here?"
    return f"{words} Is the learning rate too small or too large, or are there too few layers or channels?"


exercise = Exercise(
    pixelcnn_from_blank,
    minutes=40,
    difficulty="hard",
    hints=(
        "Four parts: a convolution whose kernel is multiplied by a mask in every pass; "
        "a stack of them, the first of kind A and the others of kind B; a loop over "
        "batches; a loop over pixels. Begin with `logits`, and let the check say which "
        "law it breaks.",
        "`logits`: `h = first(x)`, then some times `h = h + block(h.relu())`, last a "
        "1×1 convolution to one channel. The loss is "
        "`F.binary_cross_entropy_with_logits(model.logits(x), x)`: the image is its "
        "own target. For `sample`, begin with zeros, and for each row i and column j "
        "draw the pixel from the sigmoid of logit (i, j).",
        "The masked convolution is a subclass of `nn.Conv2d(n_in, n_out, k, padding=k "
        "// 2)` whose `forward` returns `F.conv2d(x, self.weight * self.mask, "
        "self.bias, padding=self.padding)`. A step: `x = "
        "images[torch.randint(len(images), (32,), generator=generator)]`, loss, "
        "`zero_grad`, `backward`, `step`, with `torch.optim.Adam(model.parameters(), "
        "lr=0.01)`. A draw: `torch.bernoulli(p, generator=generator)`.",
    ),
    cases=laws(
        IMAGES,
        (1, 3, 3),
        (1, 4, 4),
        _past(4),
        _known(),
        (far, FAR),
        patches,
        STEPS,
        LIMIT,
        _short,
    ),
    seconds=120,
)
