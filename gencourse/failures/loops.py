"""Broken training loops of a small GAN, drawn by seed and without names: which fault is in which?"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gencourse.data import plane
from gencourse.failures.answers import answer_lines

FAULTS = ("moves both", "wrong sign", "cut gradient", "one noise", "frozen discriminator")
LETTERS = "ABC"


class Loop:
    """A loop without a name: two players, the noise they use, and the two turns.

    G: (B, 2) -> (B, 2), the generator. D: (B, 2) -> (B,), the discriminator, logits. noise(): (128, 2), what each turn
    draws. turn_d(real): one turn of the discriminator on real points (128, 2). turn_g(): one of the generator. Both
    losses are those of the chapter, the generator's is the non-saturating one, unless that is the fault.

    >>> loop = faulty_loops(0)["A"]
    >>> loop.G(loop.noise()).shape, loop.D(torch.zeros(3, 2)).shape
    (torch.Size([128, 2]), torch.Size([3]))
    """

    def __init__(self, fault: str, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.G, self.D = _network(2), _network(1)
        self._chance = torch.Generator().manual_seed(seed)
        self._fault = fault
        self._always = torch.randn(128, 2, generator=self._chance)
        both = [*self.D.parameters(), *(self.G.parameters() if fault == "moves both" else ())]
        self._adam_d = torch.optim.Adam(both, lr=0.0 if fault == "frozen discriminator" else 2e-3, betas=(0.0, 0.99))
        self._adam_g = torch.optim.Adam(self.G.parameters(), lr=2e-3, betas=(0.0, 0.99))

    def noise(self) -> Tensor:
        """What a turn draws: (128, 2)."""
        return self._always if self._fault == "one noise" else torch.randn(128, 2, generator=self._chance)

    def turn_d(self, real: Tensor) -> None:
        """One turn of the discriminator."""
        fake = self.G(self.noise())
        fake = fake if self._fault == "moves both" else fake.detach()
        _step(self._adam_d, (softplus(-self.D(real)) + softplus(self.D(fake))).mean())

    def turn_g(self) -> None:
        """One turn of the generator."""
        fake = self.G(self.noise())
        fake = fake.detach().requires_grad_() if self._fault == "cut gradient" else fake
        _step(self._adam_g, softplus(self.D(fake) * (1 if self._fault == "wrong sign" else -1)).mean())


def faulty_loops(seed: int) -> dict[str, Loop]:
    """Three broken loops, "A", "B" and "C", each with another of FAULTS; the seed says which."""
    chance = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(FAULTS), generator=chance)[: len(LETTERS)].tolist()
    return {letter: Loop(FAULTS[i], seed) for letter, i in zip(LETTERS, drawn)}


def symptom(loop: Loop) -> str:
    """What shows the fault of a loop, measured on it (the loop is used up)."""
    real = plane("ring", 128, torch.Generator().manual_seed(0)).x
    if loop._fault == "one noise":
        apart = (loop.noise() - loop.noise()).abs().max().item()
        return f"two draws of noise() differ by at most {apart:.1f}"
    moved = {}
    for name, turn in (("D's turn", lambda: loop.turn_d(real)), ("G's turn", loop.turn_g)):
        before = _weights(loop)
        turn()
        moved[name] = ", ".join(p for p, w in _weights(loop).items() if not torch.equal(w, before[p])) or "no player"
    if loop._fault != "wrong sign":
        return "; ".join(f"{name} changes the weights of: {players}" for name, players in moved.items())
    z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = loop.D(loop.G(z)).mean().item()
    for _ in range(20):
        loop.turn_g()
    with torch.no_grad():
        return f"20 turns of G take the mean logit of its samples from {before:+.3f} to {loop.D(loop.G(z)).mean():+.3f}"


def tell(answers: Mapping[str, str], seed: int) -> str:
    """Which answers are right, a line each, with what shows it; of the other letters nothing is given away.

    answers: {letter: one of FAULTS}, or "" where there is no answer yet; seed: that of `faulty_loops`.

    Raises:
        ValueError: an answer that is no fault of the list, a letter that is none of A, B and C.
    """
    loops = faulty_loops(seed)
    for letter, answer in answers.items():
        if letter not in loops or answer not in ("", *FAULTS):
            faults = ", ".join(repr(fault) for fault in FAULTS)
            raise ValueError(f"{letter!r}: {answer!r}; expected one of A, B and C, and '' or one of {faults}")
    return "\n".join(
        answer_lines(
            answers,
            {letter: loop._fault for letter, loop in loops.items()},
            right=lambda letter, fault: f"{fault!r}; {symptom(loops[letter])}",
            wrong=lambda fault: f"it is not {fault!r}; measure again",
        )
    )


def _network(outputs: int) -> nn.Sequential:
    layers = [nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, outputs)]
    return nn.Sequential(*layers, *[nn.Flatten(0)] * (outputs == 1))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _weights(loop: Loop) -> dict[str, Tensor]:
    players: dict[str, Callable[..., Tensor]] = {"D": loop.D, "G": loop.G}
    return {name: torch.cat([w.detach().flatten() for w in player.parameters()]) for name, player in players.items()}
