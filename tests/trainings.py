"""A model that is the least to train, and what tests ask of its trainings."""

import signal

import torch
from torch import nn

from gencourse.training import fit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Line(nn.Module):
    """The least that `fit` takes: weights and a loss. `at_step` is called with the number of the call."""

    def __init__(self, at_step=None, seed=0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, generator=generator(seed)))
        self.bias = nn.Parameter(torch.zeros(3))
        self.at_step, self.calls, self.seen = at_step, 0, []

    def loss(self, x, condition=None):
        self.calls += 1
        self.seen.append(x.clone())
        if self.at_step is not None:
            self.at_step(self.calls)
        target = 0 if condition is None else condition.float()[:, None]
        return (x @ self.weight.T + self.bias - target).square().sum(1).mean()


X = torch.randn(40, 4, generator=generator(7))
CLASSES = torch.arange(40) % 3


def noisy(batch, generator):
    return batch + 0.1 * torch.randn(batch.shape, generator=generator)


SETTINGS = dict(steps=30, batch_size=8, lr=0.05, average=0.9, prepare=noisy, condition=CLASSES)


def measure(model):
    return model.weight.detach().double().sum().item()


SETTINGS_MEASURED = dict(SETTINGS, measure=measure, measure_every=7)


def uninterrupted(**changes):
    model = Line()
    return model, fit(model, X, **{**SETTINGS_MEASURED, **changes})


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def raise_at(step, error):
    def at_step(call):
        if call == step:
            raise error

    return at_step


def ctrl_c_at(*steps):
    """Real signals, from inside the loss."""

    def at_step(call):
        for _ in range(steps.count(call)):
            signal.raise_signal(signal.SIGINT)

    return at_step


class Stop(Exception):
    pass
