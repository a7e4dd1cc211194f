"""Muon, beside PyTorch's own for two dimensions and beside the singular value decomposition."""

import copy

import pytest
import torch
from torch import nn

from gencourse.models import PixelCNN, PixelRNN, WaveNet
from gencourse.training import fit
from gencourse.training.optim import Muon, hidden_matrices, orthogonalise


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
def test_steps_are_those_of_pytorch(shape):
    ours, theirs = nn.Parameter(random(*shape)), nn.Parameter(random(*shape))
    optimizers = Muon([ours], lr=0.1), torch.optim.Muon([theirs], lr=0.1, weight_decay=0)
    for step in range(4):
        for p, optimizer in zip((ours, theirs), optimizers, strict=True):
            p.grad = random(*shape, seed=step + 1)
            optimizer.step()
    moved = (ours - random(*shape)).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # PyTorch's works in bfloat16


@pytest.mark.parametrize("shape", [(3, 16, 40), (1, 40, 16)])
def test_orthogonalise_keeps_directions_and_levels_lengths(shape):
    g = random(*shape)
    u, _, v = torch.linalg.svd(g, full_matrices=False)
    strengths = torch.einsum("brk,brc,bkc->bk", u, orthogonalise(g), v)
    assert 0.6 < strengths.min() and strengths.max() < 1.3
    rest = orthogonalise(g) - torch.einsum("brk,bk,bkc->brc", u, strengths, v)
    assert rest.norm() < 1e-3


def test_convolutions_are_matrices_of_out_and_rest_and_three_dimensions_are_a_batch():
    kernel, matrix = nn.Parameter(torch.zeros(8, 10, 3, 3)), nn.Parameter(torch.zeros(8, 90))
    kernel.grad, matrix.grad = random(8, 10, 3, 3), random(8, 10, 3, 3).flatten(1)
    Muon([kernel, matrix]).step()
    torch.testing.assert_close(kernel.flatten(1), matrix)
    batch = nn.Parameter(torch.zeros(2, 8, 90))
    batch.grad = torch.stack([random(8, 90), random(8, 90, seed=1)])
    alone = [nn.Parameter(torch.zeros(8, 90)) for _ in range(2)]
    for p, gradient in zip(alone, batch.grad, strict=True):
        p.grad = gradient.clone()
    Muon([batch, *alone]).step()
    torch.testing.assert_close(batch, torch.stack([*alone]))


def test_hidden_matrices_are_those_between_wide_layers():
    model = PixelCNN((1, 8, 8), n_blocks=1, channels=16, n_classes=10, place_bias=True)
    names = {id(p): name for name, p in model.named_parameters()}
    found = {names[id(p)] for p in hidden_matrices(model)}
    block = {f"body.blocks.0.{part}.weight" for part in ("reduce", "masked", "expand")}
    assert found == block | {"head.1.weight"}
    assert len(hidden_matrices(PixelRNN((1, 8, 8), kind="diagonal", hidden=8))) == 4
    assert not any(
        p is e for p in hidden_matrices(WaveNet((8,), n_classes=9, dilations=(1,))) for e in WaveNet((8,)).parameters()
    )


def test_fit_by_muon_is_the_same_after_an_interruption(tmp_path):
    x = torch.randint(2, (64, 1, 6, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    torch.manual_seed(0)
    whole = PixelCNN((1, 6, 6), n_blocks=1, channels=16)
    halves, plain = copy.deepcopy(whole), copy.deepcopy(whole)
    options = dict(steps=8, batch_size=16, muon=0.02, average=0.9, precision="float32")
    losses = fit(whole, x, **options).loss
    history = fit(halves, x, minutes=0.0005, **options, checkpoint=tmp_path / "state")
    while history.interrupted:
        history = fit(halves, x, minutes=0.0005, **options, checkpoint=tmp_path / "state")
    assert history.loss == losses
    for a, b in zip(whole.parameters(), halves.parameters(), strict=True):
        assert torch.equal(a, b)
    assert fit(plain, x, **(options | {"muon": 0.0})).loss != losses


def test_fit_says_what_is_wrong_with_muon():
    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.zeros(1))

        def loss(self, x):
            return (x * self.slope - 1).square().mean()

    with pytest.raises(ValueError, match="no matrix between hidden layers"):
        fit(Line(), torch.ones(8, 1), steps=1, batch_size=4, muon=0.02)
    with pytest.raises(ValueError, match="muon is -1"):
        fit(Line(), torch.ones(8, 1), steps=1, batch_size=4, muon=-1.0)
