"""Muon: a step in which every direction of a weight matrix moves as far as every other.

Adam treats a matrix as a heap of numbers, and its steps move few directions far. Muon replaces the gradient's singular
values by about one (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"). Of the models here
the same likelihood is reached in about two thirds of the steps.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn


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

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95, dtype: torch.dtype = torch.float32):
        super().__init__(params, dict(lr=lr, momentum=momentum))
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
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
