"""Turns of a contest: a change is seen, and fit_gan changes nothing of the player that is fixed."""

import torch
from torch import nn

from gencourse import metrics
from gencourse.models import plane_gan


def test_a_change_of_each_part_is_seen():
    player = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = metrics.player_state(player)
    assert not any(metrics.changed(before, metrics.player_state(player)).values())
    player(torch.randn(4, 2)).sum().backward()
    assert metrics.changed(before, metrics.player_state(player)) == dict(parameters=False, buffers=True, gradients=True)
    torch.optim.SGD(player.parameters(), lr=0.1).step()
    assert metrics.changed(before, metrics.player_state(player))["parameters"]


def test_fit_gan_disturbs_no_turn_and_a_disturbance_is_counted():
    gan, x = plane_gan(0, hidden=(8,)), torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    assert metrics.disturbed_turns(gan, x, 3, torch.Generator().manual_seed(0)) == 0
    judge = type(gan).judge

    class Careless(type(gan)):
        def judge(self, *given, **how):
            with torch.no_grad():
                next(self.generator.parameters()).add_(1.0)
            return judge(self, *given, **how)

    gan.__class__ = Careless
    assert metrics.disturbed_turns(gan, x, 3, torch.Generator().manual_seed(0)) == 3
