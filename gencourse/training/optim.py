"""Who moves the weights, and how far: Adam, Muon, and the shares of the step size from the first step to the last.

Adam treats a matrix as a heap of numbers, and its steps move few directions far. Muon takes a step in which every
direction of a weight matrix moves as far as every other: it replaces the gradient's singular values by about one
(Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"). Of the models here the same likelihood
is reached in about two thirds of the steps.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from gencourse.training.checks import Anneal
from gencourse.training.precision import native_bfloat16


def schedule(step: int, steps: int) -> float:
    """Share of the largest step size: linear over the first 5 %, then half a cosine down to zero."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def falling(anneal: Anneal, step: int, steps: int) -> float:
    """Share of the step size in a contest: "none" stays at 1; to a hundredth by half a "cosine" or "exponential"ly."""
    if anneal == "none":
        return 1.0
    if anneal == "exponential":
        return 0.01 ** (step / steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))


def optimizers_of(model: nn.Module, lr: float, muon: float) -> dict[str, torch.optim.Optimizer]:
    """Who moves which weights, each with its largest step size as the default: "optimizer", Adam, and "muon".

    Raises:
        ValueError: Muon is asked for, and there is nothing for it to move.
    """
    matrices = hidden_matrices(model) if muon else []
    if muon and not matrices:
        raise ValueError(
            f"muon is {muon}, but this {type(model).__name__} has no matrix between hidden layers to move "
            "by it; leave it out"
        )
    theirs = {id(p) for p in matrices}
    dtype = torch.bfloat16 if matrices and native_bfloat16(matrices[0].device) else torch.float32
    rest = [p for p in model.parameters() if id(p) not in theirs]
    optimizers = {"optimizer": torch.optim.Adam(rest, lr=lr, betas=(0.9, 0.99))} if rest else {}
    if matrices:
        optimizers["muon"] = Muon(matrices, muon, dtype=dtype)
    return optimizers


def move_weights(optimizers: Mapping[str, torch.optim.Optimizer], share: float) -> None:
    """The weights move, by this share of each optimiser's largest step size."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * share
        optimizer.step()


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The weights that are matrices between wide layers: (out, in, …), or (batch, in, out). The rest is for Adam.

    Biases, embeddings, and whatever reads or makes fewer than 8 channels are left out.
    """
    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    weights = [p for name, p in model.named_parameters() if not name.endswith("bias") and id(p) not in looked_up]
    return [p for p in weights if p.dim() >= 2 and min(p.shape[1:] if p.dim() == 3 else p.shape[:2]) >= 8]


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalisation.

    Args:
        params: of two dimensions or four, (out, in, …), taken as (out, the rest); or of three, a batch of matrices.
        lr: length of a step, in units of the largest singular value. momentum: of Nesterov's kind.
        dtype: in which the orthogonalisation is computed; bfloat16 will do where the processor has it.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum))
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            alike = defaultdict(list)  # matrices of one shape are orthogonalised together
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                    state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    direction = p.grad.lerp(state["momentum"], group["momentum"])
                    alike[p.shape].append((p, direction if p.dim() == 3 else direction.flatten(1)[None]))
            for parameters, directions in (zip(*pairs, strict=True) for pairs in alike.values()):
                steps = orthogonalise(torch.cat(directions).to(self.dtype)).to(directions[0].dtype)
                rows, columns = steps.shape[1:]
                steps *= group["lr"] * max(1, rows / columns) ** 0.5
                for p, step in zip(parameters, steps.split(len(directions[0])), strict=True):
                    p.sub_(step.view(p.shape))


def orthogonalise(g: Tensor, iterations: int = 5) -> Tensor:
    """Of (batch, rows, columns) = U S Vᵀ about U Vᵀ: singular values between 0.7 and 1.2, by a quintic iteration."""
    x = g / (g.norm(dim=(1, 2), keepdim=True) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    for _ in range(iterations):
        a = x @ x.mT
        x = 3.4445 * x + (2.0315 * a @ a - 4.7750 * a) @ x
    return x.mT if tall else x
