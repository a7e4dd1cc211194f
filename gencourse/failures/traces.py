"""Runs of EM with a bug each, drawn by seed and shown without names: which is which, by what the run itself shows."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from gencourse.failures.answers import answer_lines
from gencourse.models.settings import usual_settings
from gencourse.support.output import say

BUGS = {
    "equal start": "All components start with the same parameters. They get equal shares in each E-step and equal "
    "parameters in each M-step, so they stay alike: the least distance between two means is 0.",
    "weights forgotten": "The E-step leaves out the weights P(m). Its steps raise the bound of another model, and here "
    "the likelihood falls.",
    "singular component": "There are too many components for the points, and one has collapsed: its smallest standard "
    "deviation is that of the floor, and the training points cost far less than the others.",
}
STEPS, FLOOR, SHARES = 40, 1e-6, torch.tensor([0.7, 0.2, 0.1])


class Trace(NamedTuple):
    """A run of EM: what can be seen of it without its code.

    >>> trace = em_traces(0)["A"]
    >>> trace.training.shape, trace.held_out.shape, trace.means.shape[1]
    (torch.Size([41]), torch.Size([41]), 2)
    """

    training: Tensor  # (41,) log-likelihood of the training points at the start and after each step, nats per point
    held_out: Tensor  # (41,) the same of 2,000 other points
    means: Tensor  # (K, 2) after the last step
    thinnest: float  # the smallest standard deviation of any component, in any direction


def em_traces(seed: int) -> dict[str, Trace]:
    """Three runs of EM, "A" to "C": one with each bug of `BUGS`, in an order that the seed decides."""
    return {name: _run(bug, seed) for name, bug in _names(seed).items()}


def judge_traces(answers: Mapping[str, str], seed: int) -> dict[str, bool]:
    """Say which answers are right, and why: {name of a run: name of a bug}, empty where it is still open.

    Returns {name: right or not} of those that were answered. Raises ValueError for a bug that is none of `BUGS`.
    """
    given = {name: bug for name, bug in answers.items() if bug}
    if unknown := set(given.values()) - set(BUGS):
        raise ValueError(f"{sorted(unknown)} is none of the bugs; these are {list(BUGS)}")
    names = _names(seed)
    if unknown := set(given) - set(names):
        raise ValueError(f"there is no run {sorted(unknown)}; the runs are {list(names)}")
    every = {name: given.get(name, "") for name in names}
    for line in answer_lines(
        every,
        names,
        right=lambda _, bug: f"{bug}. {BUGS[bug]}",
        wrong=lambda bug: f"not {bug}. Where that is the bug: {BUGS[bug]}",
        unanswered="not answered yet",
    ):
        say(line)
    return {name: given[name] == names[name] for name in given}


def _names(seed: int) -> dict[str, str]:
    order = torch.randperm(len(BUGS), generator=torch.Generator().manual_seed(1000 + seed)).tolist()
    return {name: list(BUGS)[i] for name, i in zip("ABC", order, strict=True)}


@usual_settings()
def _run(bug: str, seed: int) -> Trace:
    generator = torch.Generator().manual_seed(seed)
    normal = dict(generator=generator, dtype=torch.float64)
    centres = torch.tensor([[-1.0, 0.0], [1.0, 0.6], [0.8, -1.4]], dtype=torch.float64)

    def draw(n: int) -> Tensor:
        m = torch.multinomial(SHARES, n, True, generator=generator)
        return centres[m] + 0.6 * torch.randn(n, 2, **normal)

    crowded = bug == "singular component"
    k, x, new = (10, draw(40), draw(2000)) if crowded else (3, draw(300), draw(2000))
    weights = torch.full((k,), 1 / k, dtype=torch.float64)
    means = x[torch.randperm(len(x), generator=generator)[:k]]
    covariances = (0.3 if crowded else 1.0) * torch.cov(x.T).expand(k, 2, 2)
    if bug == "equal start":
        means = x.mean(0).expand(k, 2).clone()
    elif bug == "weights forgotten":  # from a good start, which a right step would better
        weights, means = SHARES.double(), centres
        covariances = 0.36 * torch.eye(2, dtype=torch.float64).expand(k, 2, 2)

    def log_joint(points: Tensor) -> Tensor:
        return MultivariateNormal(means, covariances).log_prob(points[:, None]) + weights.log()

    training, held_out = [log_joint(x).logsumexp(1).mean()], [log_joint(new).logsumexp(1).mean()]
    for _ in range(STEPS):
        joint = log_joint(x)
        r = (joint - weights.log() if bug == "weights forgotten" else joint).softmax(1)
        n_m = r.sum(0).clamp(min=1e-9)
        weights, means = n_m / n_m.sum(), r.T @ x / n_m[:, None]
        apart = x[:, None] - means  # (N, K, 2)
        covariances = torch.einsum("nk,nki,nkj->kij", r, apart, apart) / n_m[:, None, None] + FLOOR * torch.eye(2)
        training.append(log_joint(x).logsumexp(1).mean())
        held_out.append(log_joint(new).logsumexp(1).mean())
    thinnest = torch.linalg.eigvalsh(covariances).min().sqrt().item()
    return Trace(torch.stack(training), torch.stack(held_out), means, thinnest)
