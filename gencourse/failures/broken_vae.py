"""Four VAEs of one shape, of which three were trained with one wrong line; without names, in an order drawn by seed.

Each wrong line is one that people write: the pixels averaged where the KL is summed, the KL left out, the noise
exp(σ)·e beside a KL in which exp σ is the variance. What is wrong with a model has to be measured.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gencourse import data
from gencourse.failures.answers import answer_lines
from gencourse.models.settings import usual_settings
from gencourse.support.checks import positive_integer

FAULTS = {
    "nothing": "its KL is more than ten nats, and its noise costs the reconstruction a few nats",
    "pixels averaged": "beside an average over pixels the KL weighs 784 times too much: the KL is next to 0, and no "
    "dimension is in use",
    "KL left out": "nothing charges for the code: the KL is far up, and the noise costs the reconstruction "
    "next to nothing",
    "noise exp(σ)·e": "the decoder was trained with the noise exp(σ)·e; with exp(σ/2)·e, the noise that belongs to the "
    "KL, the noise costs the reconstruction several times what it costs in the right model",
}
NAMES = ("A", "B", "C", "D")


class SmallVAE(nn.Module):
    """The VAE on one page of notebook 03, with eight numbers a code: `encode(x)` and `logits(z)`.

    encode: (B, 1, 28, 28) -> the mean of q(z|x) and the logarithm of its variance, (B, 8) each. logits: (B, 8) ->
    (B, 1, 28, 28), of ink.
    """

    def __init__(self, latent: int = 8, hidden: int = 128) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (B, latent) each."""
        mean, log_var = self.encoder(x).chunk(2, 1)
        return mean, log_var

    def logits(self, z: Tensor) -> Tensor:
        """Of P(pixel = 1 | z): (B, 1, 28, 28)."""
        return self.decoder(z).view(-1, 1, 28, 28)


def four_vaes(seed: int = 0, steps: int = 150) -> dict[str, SmallVAE]:
    """The models by name, A to D; which is which depends on the seed.

    seed: a whole number from 0 on. steps: of Adam, with 100 images each; a few seconds in all.
    """
    steps, order = positive_integer("steps", steps), _order(seed)
    images = data.mnist("train")[0]
    return {name: _trained(fault, images, seed, steps) for name, fault in zip(NAMES, order)}


def verdict(answer: Mapping[str, str], seed: int = 0) -> str:
    """What is right in {name: fault}, a line for each model; its reason is told where the answer is right.

    Raises ValueError for a name that is none of NAMES, or a fault that is none of FAULTS.
    """
    truth = dict(zip(NAMES, _order(seed)))
    for name, fault in answer.items():
        if name not in truth or (fault and fault not in FAULTS):
            raise ValueError(f"{name!r} is called {fault!r}; expected one of {', '.join(NAMES)}, and of {list(FAULTS)}")
    return "\n".join(
        answer_lines(
            answer,
            truth,
            right=lambda _, fault: f"{fault}. {FAULTS[fault][0].upper()}{FAULTS[fault][1:]}.",
            wrong=lambda fault: f"not “{fault}”. That would show like this: {FAULTS[fault]}.",
        )
    )


def _order(seed: int) -> list[str]:
    generator = torch.Generator().manual_seed(104_729 + seed)
    return [list(FAULTS)[i] for i in torch.randperm(len(FAULTS), generator=generator)]


@usual_settings()
def _trained(fault: str, images: Tensor, seed: int, steps: int) -> SmallVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmallVAE()
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        batch = images[torch.randint(len(images), (100,), generator=generator)]
        x = data.binarise(batch, generator).float()
        mean, log_var = model.encode(x)
        std = log_var.exp() if fault == "noise exp(σ)·e" else (log_var / 2).exp()
        logits = model.logits(mean + std * torch.randn(mean.shape, generator=generator))
        pixels = binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1)
        cost = pixels.mean(1) if fault == "pixels averaged" else pixels.sum(1)
        kl = (log_var.exp() - 1 - log_var + mean**2).sum(1) / 2
        loss = (cost if fault == "KL left out" else cost + kl).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model.requires_grad_(False)
