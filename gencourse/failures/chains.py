"""Chains of conditionals that are broken on purpose: a leak, another order, a blind spot; and three without a name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gencourse.failures.answers import answer_lines
from gencourse.models import PixelCNN
from gencourse.models.base import Autoregressive
from gencourse.models.causal import VerticalConv2d
from gencourse.models.settings import usual_settings
from gencourse.support.checks import positive_integer

FAULTS = ("a pixel sees itself", "another order", "a blind spot")


def scrambled(model: nn.Module, factor: float = 3.0) -> nn.Module:
    """The same model, its random weights times `factor`: no dependence is hidden by weights that are near zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)
    return model


def sees_itself(model: Autoregressive) -> Autoregressive:
    """The same PixelCNN of one stack; its first mask is opened at the centre, so that a pixel sees itself."""
    mask = model.body.first.mask
    mask[-1, mask.shape[1] // 2] = 1
    return model


def sees_ahead(model: Autoregressive) -> Autoregressive:
    """The same network, PixelCNN or PixelRNN; its first layer also sees the pixel itself and those to its right.

    A PixelCNN of two stacks gets a vertical layer that reads its own row: later vertical layers then see the rest of
    the row, too.
    """
    part = model.body if hasattr(model, "body") else model
    if hasattr(part, "first"):
        part.first.mask.fill_(1)
    else:
        before = part.layers[0].vertical
        part.layers[0].vertical = VerticalConv2d(before.in_channels, before.out_channels, before.kernel_size[1], "B")
    return model


def mirrored(model: Autoregressive) -> Autoregressive:
    """The same PixelCNN of one stack, its masks mirrored: each row is read from the right to the left."""
    for layer in model.modules():
        if hasattr(layer, "mask"):
            layer.mask.copy_(layer.mask.flip(1))
    return model


def learn_by_heart(model: Autoregressive, x: Tensor, steps: int = 150) -> float:
    """Train on all of x at once with Adam, `steps` steps; returns the last loss, nats per example."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(positive_integer("steps", steps)):
        optimiser.zero_grad()
        loss = model.loss(x)
        loss.backward()
        optimiser.step()
    return loss.item()


@dataclass(frozen=True, eq=False)
class Suspects:
    """Three trained networks without a name, each with another of FAULTS, and what to examine them with.

    networks: {"A", "B", "C": a PixelCNN over 4 × 4 pixels}. events: all 65,536 images of that size. unseen: 1,000
    images that were not used in training. entropy: nats per image of their distribution, which no model is below.
    """

    networks: Mapping[str, PixelCNN]
    events: Tensor
    unseen: Tensor
    entropy: float
    _faults: Mapping[str, str]

    def verdict(self, answers: Mapping[str, str]) -> str:
        """Which answers, {name of a network: one of FAULTS}, are right, and what shows it, in a text of several lines.

        Raises ValueError for another network, or for what is none of FAULTS; "?" is an open answer.
        """
        if set(answers) != set(self.networks) or not set(answers.values()) <= {*FAULTS, "?"}:
            raise ValueError(f"answers are {dict(answers)}; expected {', '.join(self.networks)}, each one of {FAULTS}")
        return "\n".join(
            answer_lines(
                answers,
                self._faults,
                right=lambda _, fault: f"{fault}. {_WHY[fault]}",
                wrong=lambda fault: f"not {fault}. Then this would be seen: {_WHY[fault]}",
                unanswered=f"no answer yet; one of: {'; '.join(FAULTS)}",
            )
        )


_WHY = {
    "a pixel sees itself": "Σp is far above one, inputs at the predicted pixel are seen, and the nats are below the "
    "entropy, which no distribution can be.",
    "another order": "Σp is one and the nats are as they should be, but inputs that come later in reading order are "
    "seen, and earlier ones are not: a chain in another order.",
    "a blind spot": "Σp is one and nothing later is seen, but earlier pixels are missing, and the nats are above the "
    "entropy by what these pixels would tell.",
}


@usual_settings()
def suspects(seed: int) -> Suspects:
    """Three broken networks in an order that the seed decides, each trained on 1,000 images.

    In the images a pixel of rows 2 to 4 repeats, with probability 0.9, the pixel of the row above that lies two
    columns farther, beyond the border counted on from the other side; the first row is random.
    """
    generator = torch.Generator().manual_seed(seed)
    train, unseen = _repeating(1000, generator), _repeating(1000, generator)
    makers: dict[str, Callable[[], PixelCNN]] = {
        "a pixel sees itself": lambda: sees_itself(_small(first_kernel=7)),
        "another order": lambda: mirrored(_small(first_kernel=7)),
        "a blind spot": lambda: _small(first_kernel=3),
    }
    order = [FAULTS[i] for i in torch.randperm(3, generator=generator)]
    networks = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, fault in zip("ABC", order):
            networks[name] = makers[fault]()
            learn_by_heart(networks[name], train, 100)
    bits = torch.arange(2**16)[:, None] >> torch.arange(15, -1, -1) & 1
    events = bits.view(-1, 1, 4, 4).to(torch.uint8)
    chance = torch.tensor([0.9, 0.1])
    entropy = 4 * torch.log(torch.tensor(2.0)) - 12 * (chance * chance.log()).sum()
    return Suspects(networks, events, unseen, entropy.item(), dict(zip("ABC", order)))


def _small(first_kernel: int) -> PixelCNN:
    return PixelCNN((1, 4, 4), n_blocks=2, channels=8, first_kernel=first_kernel)


def _repeating(n: int, generator: torch.Generator) -> Tensor:
    x = torch.randint(2, (n, 1, 4, 4), generator=generator, dtype=torch.uint8)
    flips = (torch.rand(n, 4, 4, generator=generator) < 0.1).to(torch.uint8)
    for row in range(1, 4):
        x[:, 0, row] = x[:, 0, row - 1].roll(-2, 1) ^ flips[:, row]
    return x
