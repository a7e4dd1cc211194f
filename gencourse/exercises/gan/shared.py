"""What several exercises of notebook 04 observe, and what their symptoms ask."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Unusable, as_numbers
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import gradients, normal, others_right
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def single_number(value) -> Tensor:
    """The answer where a single number is due."""
    number = as_numbers(value)
    if number.dim():
        raise Unusable(
            "not yet",
            "wrong shape",
            f"The answer has shape {tuple(number.shape)} where () is due: a single number.",
        )
    return number


def no_graph_anywhere(results) -> bool:
    """Every call that trains ends in PyTorch's word that there is nothing to go back through."""
    wrong = [r for r in results if not r.right]
    return bool(wrong) and all(
        r.problem and "does not require grad" in r.problem.message for r in wrong
    )


CERTAIN = "a discriminator that is certain"


def like_at_moderate_logits(results, wrong) -> bool:
    """Written with sigmoid and logarithm a mistake fails at large logits: it is known by the moderate ones alone."""
    moderate = [r for r in results if not (r.case.label or "").startswith(CERTAIN)]
    return bool(moderate) and all(r.like(wrong(r.case)) for r in moderate)


LOST = (
    "Right for moderate logits, but where the discriminator is certain the answer is "
    "infinite, NaN or cut off: the sigmoid is rounded to 0 or 1 and its logarithm is "
    "lost, or an exponential overflows (an epsilon, a clamp, or `binary_cross_entropy`, "
    "which stops at 100, only hides that). Compute from the logits directly: `softplus`, "
    "`logsigmoid` or `binary_cross_entropy_with_logits`."
)

NO_GRADIENT = (
    "The values are right, but no gradient passes, and nobody could learn from them: is "
    "there a `.detach()`, `.item()`, `no_grad` or NumPy on the way?"
)


def without_transforms(x: Tensor) -> Tensor:
    """The tensor inside the wrappings of `torch.func.vmap` and `grad`, which may not be kept beyond their call."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(x):
        x = functorch.get_unwrapped(x)
    return x


class Network(torch.nn.Module):
    """Two layers; a discriminator's has one number a sample. It remembers what it was asked."""

    def __init__(self, first: Tensor, second: Tensor, logits: bool):
        super().__init__()
        self.first, self.second = (torch.nn.Parameter(w.clone()) for w in (first, second))
        self.logits, self.seen = logits, []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(without_transforms(x).detach().clone())
        y = torch.tanh(x.flatten(1).to(self.first.dtype) @ self.first) @ self.second
        return y.squeeze(1) if self.logits else y


def two_players(seed: int, *, size: float = 1.0):
    """Of a generator from 3 to 2 dimensions, and of a discriminator; `size` is that of its logits."""
    return (
        normal(3, 5, seed=seed),
        normal(5, 2, seed=seed + 1),
        normal(2, 6, seed=seed + 2),
        normal(6, 1, seed=seed + 3, scale=size),
    )


def take_turns(fn, whose: str, weights, real, z, optimizer, leftovers: bool, n_turns: int):
    """Let fn take some turns; returns the losses and both players, with what they were before."""
    with torch.inference_mode(False), torch.enable_grad():
        players = {
            "generator": Network(*weights[:2], logits=False),
            "discriminator": Network(*weights[2:], logits=True),
        }
        before = {
            name: [w.detach().clone() for w in player.parameters()]
            for name, player in players.items()
        }
        for player in players.values():
            for w in player.parameters():
                w.grad = (
                    torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w)
                    if leftovers
                    else None
                )
        moving = optimizer(players[whose].parameters())
        losses = []
        for turn in range(n_turns):
            batch = (real.clone() + 0.1 * turn, z.clone() - 0.2 * turn)
            losses.append(
                single_number(fn(*players.values(), moving, *batch[whose == "generator" :]))
            )
        return torch.stack(losses), players, before


def losses_and_moves(fn, whose, *arguments):
    """The losses, and by how much the parameters of the player whose turn it is have moved."""
    losses, players, before = take_turns(fn, whose, *arguments)
    moved = [
        (w.detach() - old).flatten()
        for w, old in zip(players[whose].parameters(), before[whose])
    ]
    return torch.cat([losses, *moved]).double()


def what_else_changed(fn, whose, *arguments):
    """Four yes or no: the other player's parameters, its gradients (-1 where they are gone), and both players' modes
    are as before; and it was z, all of it and nothing else, that the generator was given. (The gradients count in the
    discriminator's turn only: in the generator's they pass through the discriminator.)"""
    _, players, before = take_turns(fn, whose, *arguments)
    other = next(name for name in players if name != whose)
    weights = list(players[other].parameters())
    same = all(w.detach().equal(old) for w, old in zip(weights, before[other]))
    left = [torch.linspace(-0.3, 0.6, w.numel(), dtype=w.dtype).view_as(w) for w in weights]
    graded = whose == "generator" or all(
        w.grad is not None and w.grad.equal(old) for w, old in zip(weights, left)
    )
    gone = whose == "discriminator" and all(
        w.grad is None or not w.grad.any() for w in weights
    )
    modes = all(
        player.training and all(w.requires_grad for w in player.parameters())
        for player in players.values()
    )
    given, z = players["generator"].seen, arguments[2]
    asked = bool(given) and torch.cat(given).unique(dim=0).equal(z.unique(dim=0))
    return torch.tensor([same, -1 if gone else graded, modes, asked]).double()


SGD = partial(torch.optim.SGD, lr=0.5)

SMALL = partial(torch.optim.SGD, lr=0.001)

ADAM = partial(torch.optim.Adam, lr=0.05, betas=(0.0, 0.99), eps=1e-3)


def turn_cases(whose: str):
    """The cases of a training step, in which it is the turn of one of the players."""
    moves, spared = (
        partial(look_at_turn, losses_and_moves, whose),
        partial(look_at_turn, what_else_changed, whose),
    )
    return (
        Case(
            two_players(21),
            normal(6, 2, seed=25),
            normal(6, 3, seed=26),
            SGD,
            False,
            1,
            observe=moves,
            atol=1e-4,
            label="one step of plain gradient descent",
        ),
        Case(
            two_players(31),
            normal(5, 2, seed=35),
            normal(5, 3, seed=36),
            SGD,
            True,
            1,
            observe=moves,
            atol=1e-4,
            label="one step, where gradients of an earlier step are left over",
        ),
        Case(
            two_players(41),
            normal(7, 2, seed=45),
            normal(4, 3, seed=46),
            ADAM,
            False,
            3,
            observe=moves,
            atol=1e-4,
            label="three steps of Adam, with 7 real images and 4 codes",
        ),
        Case(
            two_players(51, size=300),
            normal(4, 2, seed=55),
            normal(4, 3, seed=56),
            SMALL,
            False,
            1,
            observe=moves,
            atol=1e-4,
            label=f"{CERTAIN} (logits of some hundreds)",
        ),
        Case(
            two_players(61),
            normal(4, 2, seed=65),
            normal(4, 3, seed=66),
            SGD,
            True,
            1,
            observe=spared,
            label="what else has changed after one step",
        ),
    )


def look_at_turn(look, whose, fn, *arguments):
    """One of the two ways of looking at a turn, as a case observes it."""
    return look(fn, whose, *arguments)


def answers_seen_by(results, look):
    """The answers to one of the two ways of looking, with what is due."""
    return [
        r
        for r in results
        if getattr(r.case.observe, "args", (None,))[0] is look and r.value is not None
    ]


def losses_are_right(results) -> bool:
    """The loss of the first step is right everywhere: what is wrong happens to the parameters."""
    seen = answers_seen_by(results, losses_and_moves)
    return bool(seen) and all(
        torch.isclose(r.value[0], r.expected[0], rtol=1e-4, atol=1e-4) for r in seen
    )


def movement(result) -> Tensor:
    """By how much the parameters have moved: what comes after the losses."""
    return result.value[result.case.arguments[-1] :]


def nobody_moved(results) -> bool:
    """Has the player moved nowhere?"""
    seen = answers_seen_by(results, losses_and_moves)
    return bool(seen) and not any(movement(r).any() for r in seen)


CLEARED = (
    "The gradients of an earlier step are still there, and the new ones are added to "
    "them: `backward()` adds. Clear them before it, with `optimizer.zero_grad()`."
)

TOO_LATE = {
    "discriminator": "The gradients are cleared after the step only. Right as long as nobody else "
    "fills them; but the generator's step goes back through the discriminator and leaves its "
    "gradients there. Clear them before `backward()`.",
    "generator": "The gradients are cleared after the step only. Right as long as nobody else fills "
    "them; a discriminator's step in which `detach` is missing would. Clear them before "
    "`backward()`.",
}

MODES = (
    "A player is left in another state than before: in `eval()` mode, or with "
    "`requires_grad_(False)`. The next step would find it so. To hold it fixed it is "
    "enough not to hand its parameters to the optimizer."
)

NO_GRAPH = (
    "`backward()` finds nothing to go back through: all of it was computed under "
    "`torch.no_grad()`, or was detached. The player whose step it is must stay in the "
    "graph."
)

OVERWRITTEN = (
    "What `backward()` needs has been overwritten in the meantime: has the optimizer "
    "stepped before it? Clear, go back, step, in this order."
)

NOT_Z = (
    "The generator was not given z, all of it and nothing else: is noise drawn inside, "
    "or a part left out? The codes are handed in."
)

AFTER = (
    "The steps are right, but the loss that is returned is computed after the step. The "
    "one that the step goes down is asked for."
)

TWICE = "The optimizer makes two steps. One is due."


def critic_of(weights) -> Network:
    """A critic of these weights."""
    return Network(*weights, logits=True)


def penalty_value(fn, weights, *batches, seed: int | None = None):
    """The penalty itself. (Where real and fake are alike, it does not depend on the weights that are drawn.)"""
    with torch.inference_mode(False), torch.enable_grad():
        chance = () if seed is None else (torch.Generator().manual_seed(seed),)
        return single_number(
            fn(critic_of(weights), *(batch.clone() for batch in batches), *chance)
        )


def penalty_gradient(fn, weights, *batches, seed: int | None = None):
    """What the critic learns from the penalty: its gradient by the critic's parameters."""
    with torch.inference_mode(False), torch.enable_grad():
        critic = critic_of(weights)
        chance = () if seed is None else (torch.Generator().manual_seed(seed),)
        answer = fn(critic, *(batch.clone() for batch in batches), *chance)
        single_number(answer)
        return torch.cat(
            [slope.flatten() for slope in gradients(answer, list(critic.parameters()))]
        ).double()


ALIKE = normal(6, 3, seed=71), normal(4, 2, 2, 3, seed=74), normal(1, 5, seed=77)

STEEP = {
    n: (normal(n, 5, seed=80 + n), normal(5, 1, seed=81 + n, scale=2))
    for n in (3, 4, 5, 12)
}

GENTLE = (normal(3, 5, seed=86, scale=0.4), normal(5, 1, seed=87, scale=0.4))


def _stays_frozen(results) -> bool:
    seen = answers_seen_by(results, what_else_changed)
    return (
        bool(seen)
        and all(r.right for r in results if r not in seen)
        and not seen[0].value[2]
    )


def right_step_wrong_loss(results) -> bool:
    """Do the parameters move as they should, whatever the losses are that are returned?"""
    seen = answers_seen_by(results, losses_and_moves)
    return len(seen) == 4 and all(
        torch.allclose(movement(r), r.expected[-len(movement(r)) :], rtol=1e-4, atol=1e-4)
        for r in seen
    )


def changed(place: int):
    """Shows whether what stands at this place of `what_else_changed` is not as it was before."""
    return lambda results: any(
        not r.value[place] for r in answers_seen_by(results, what_else_changed)
    )


def turn_symptoms(other_moves: str) -> tuple[Symptom, ...]:
    """What is wrong with a turn apart from its loss; `other_moves` is the mistake that the other player moves."""
    in_place = "modified by an inplace operation"
    return (
        Symptom(
            "overwritten before it is needed",
            lambda results: any(
                r.problem and in_place in r.problem.message for r in results
            ),
            OVERWRITTEN,
            errors_too=True,
        ),
        Symptom("no graph", no_graph_anywhere, NO_GRAPH, errors_too=True),
        Symptom(other_moves, changed(0)),
        Symptom("the noise is not z", changed(3), NOT_Z),
        Symptom("a player stays frozen", _stays_frozen),
    )


BY_SIGMOID = Symptom(
    "sigmoid, then logarithm",
    lambda results: others_right(results, CERTAIN),
    errors_too=True,
)
NOT_CLEARED = Mistake(
    "the gradients are not cleared", "    optimizer.zero_grad()\n", "", CLEARED
)
CLEARED_TOO_LATE = {
    whose: Mistake(
        "the gradients are cleared too late",
        "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()",
        "    loss.backward()\n    optimizer.step()\n    optimizer.zero_grad()",
        message,
    )
    for whose, message in TOO_LATE.items()
}
TWO_STEPS = Mistake(
    "two steps",
    "    optimizer.step()\n",
    "    optimizer.step()\n    optimizer.step()\n",
    TWICE,
)
