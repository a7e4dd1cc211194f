"""Which player of a contest a turn has changed."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from gencourse.training import fit_gan


def player_state(player: nn.Module) -> dict[str, list[Tensor]]:
    """Copies of all that a player is: its parameters, buffers and gradients (a single 0 where there is none)."""
    return {
        "parameters": [w.detach().clone() for w in player.parameters()],
        "buffers": [b.clone() for b in player.buffers()],
        "gradients": [w.new_zeros(1) if w.grad is None else w.grad.clone() for w in player.parameters()],
    }


def changed(before: Mapping[str, Sequence[Tensor]], after: Mapping[str, Sequence[Tensor]]) -> dict[str, bool]:
    """For each part of two states, made by `player_state`: is any of its tensors another one?

    >>> player = nn.Linear(1, 1)
    >>> before = player_state(player)
    >>> player(torch.ones(1, 1)).sum().backward()
    >>> changed(before, player_state(player))
    {'parameters': False, 'buffers': False, 'gradients': True}
    """
    return {key: any(not torch.equal(a, b) for a, b in zip(before[key], after[key], strict=True)) for key in before}


def disturbed_turns(gan: nn.Module, x: Tensor, steps: int, generator: torch.Generator) -> int:
    """In how many of the 2 · steps turns of `fit_gan` a parameter of the player that is fixed has changed.

    gan: with the players `generator` and `discriminator`; it is trained. x: (N, …) examples, N >= 64. A turn of the
    discriminator begins where `fit_gan` calls `judge`, one of the generator where it calls `generator_loss`: the
    states of both players are taken there.
    """
    seen: list[tuple[str, dict[str, dict[str, list[Tensor]]]]] = []

    def note(name: str) -> None:
        seen.append((name, {"G": player_state(gan.generator), "D": player_state(gan.discriminator)}))

    def watched(name: str) -> None:
        ask = getattr(gan, name)

        def noted(*given: object, **how: object) -> object:
            note(name)
            return ask(*given, **how)

        setattr(gan, name, noted)

    fixed = {"judge": "G", "generator_loss": "D"}
    for name in fixed:
        watched(name)
    try:
        fit_gan(gan, x, steps=steps, batch_size=64, name="fixed players", generator=generator)
    finally:
        for name in fixed:
            delattr(gan, name)  # the class's own comes back
    note("the end")  # of the last turn
    turns = [(old[1][fixed[old[0]]], new[1][fixed[old[0]]]) for old, new in zip(seen, seen[1:])]
    return sum(changed(old, new)["parameters"] for old, new in turns)
