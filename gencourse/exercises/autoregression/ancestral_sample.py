"""Draw one sequence of zeros and ones, each value given those drawn before."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import as_numbers
from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import answer_to
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def ancestral_sample(conditional, n_dimensions: int, generator: torch.Generator) -> Tensor:
    """Draw one sequence of zeros and ones, each value given those drawn before.

    conditional(prefix): takes the t values drawn so far, a tensor (t,), and gives
    P(x[t] = 1 | x[:t]), a tensor of shape (), from 0 to 1.
    All chance comes from the generator, which is not seeded here.
    Returns (n_dimensions,) integers, 0 or 1.
    """
    x = torch.zeros(n_dimensions, dtype=torch.int64)
    for t in range(n_dimensions):
        p = conditional(x[:t])
        x[t] = torch.rand((), generator=generator) < p
    return x


def _rule(prefix) -> Tensor:
    """A conditional without chance, 0 or 1, that depends on all values before."""
    prefix = torch.as_tensor(prefix).reshape(-1).long()
    t = len(prefix)
    return ((2 * t + ((torch.arange(t) % 3 + 1) * prefix).sum()) % 5 < 2).float()


_TREE = {(): 0.3, (0,): 0.2, (1,): 0.9, (0, 0): 0.4, (0, 1): 0.8, (1, 0): 0.7, (1, 1): 0.1}


def _tree(prefix) -> Tensor:
    prefix = tuple(torch.as_tensor(prefix).reshape(-1).long().tolist())
    return torch.tensor(_TREE.get(prefix, 0.5))


def _half(prefix) -> Tensor:
    return torch.tensor(0.5)


def _ones(prefix) -> Tensor:
    """Certain to repeat: 1 where the last value was 1, and at the start."""
    prefix = torch.as_tensor(prefix).reshape(-1)
    return torch.ones(()) if len(prefix) == 0 or prefix[-1] == 1 else torch.zeros(())


def _once(fn, conditional, n_dimensions, seed):
    return as_numbers(fn(conditional, n_dimensions, torch.Generator().manual_seed(seed)))


def _frequencies(fn, conditional, n_dimensions, seed):
    """How often each of the sequences occurs in 2,000 draws; last, the share of answers that are none."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(2**n_dimensions + 1, dtype=torch.float64)
    for _ in range(2000):
        x = as_numbers(fn(conditional, n_dimensions, generator)).flatten().tolist()
        proper = len(x) == n_dimensions and all(value in (0, 1) for value in x)
        counts[sum(int(value) << t for t, value in enumerate(x)) if proper else -1] += 1
    return counts / 2000


def _chance(fn, conditional, n_dimensions, seed):
    """Seven yes or no: does chance come from the generator, and from nowhere else, anew for each value?"""
    generator, again, other = (
        torch.Generator().manual_seed(s) for s in (seed, seed, seed + 1)
    )
    x = as_numbers(fn(conditional, n_dimensions, generator))
    second = as_numbers(fn(conditional, n_dimensions, generator))
    same = as_numbers(fn(conditional, n_dimensions, again))
    different = as_numbers(fn(conditional, n_dimensions, other))
    fresh = torch.Generator().manual_seed(seed).get_state()
    return torch.tensor(
        [
            x.equal(same),
            not x.equal(second),
            not x.equal(different),
            not generator.get_state().equal(fresh),
            generator.initial_seed() == seed,
            bool(0.2 < x.mean() < 0.8),
            bool(((x == 0) | (x == 1)).all()),
        ]
    ).double()


def _shows_something_else_than_0_and_1(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[6]


def _shows_the_generator_is_ignored(results):
    chance = answer_to(results, _chance)
    return chance is not None and not chance[0]


def _shows_the_generator_is_not_used_up(results):
    chance = answer_to(results, _chance)
    certain = [r for r in results if r.case.observe is _once]
    return chance is not None and not chance[:5].all() and all(r.right for r in certain)


exercise = Exercise(
    ancestral_sample,
    minutes=10,
    difficulty="medium",
    hints=(
        "One value after the other: what is drawn first is what the second is "
        "conditioned on.",
        "Draw a number u, uniform between 0 and 1: `u < p` is true with probability p. "
        "`torch.rand((), generator=generator)` draws one.",
        "Start from `x = torch.zeros(n_dimensions, dtype=torch.int64)`. In a loop over "
        "t: `p = conditional(x[:t])`, draw x[t], go on.",
    ),
    cases=(
        Case(_rule, 12, 3, observe=_once, label="a conditional without chance, 12 values"),
        Case(
            _ones,
            9,
            4,
            observe=_once,
            label="a conditional that repeats the last value, 9 values",
        ),
        Case(_rule, 1, 5, observe=_once, label="a conditional without chance, 1 value"),
        Case(
            _half,
            64,
            6,
            observe=_chance,
            label="64 flips of a fair coin, drawn several times",
        ),
        Case(_tree, 3, 7, observe=_frequencies, atol=0.06, label="2,000 draws of 3 values"),
    ),
    mistakes=(
        Mistake(
            "the likeliest value instead of a draw",
            "torch.rand((), generator=generator) < p",
            "p > 0.5",
            "The likeliest value is taken each time, and nothing is drawn: all samples "
            "are one and the same.",
        ),
        Mistake(
            "the prefix is always empty",
            "conditional(x[:t])",
            "conditional(x[:0])",
            "Every value is drawn from nothing, as if they were independent: show "
            "`conditional` what was drawn before.",
        ),
        Mistake(
            "the prefix is not what was drawn",
            "conditional(x[:t])",
            "conditional(torch.zeros(t))",
            "The prefix has the right length, but holds zeros: what is drawn must be in "
            "it before the next value is drawn.",
        ),
        Mistake(
            "the whole array is shown",
            "conditional(x[:t])",
            "conditional(x)",
            "`conditional` is shown the whole array, also the places that are not drawn "
            "yet: the prefix ends before t.",
        ),
        Mistake(
            "the prefix holds the present",
            "conditional(x[:t])",
            "conditional(x[:t + 1])",
            "The prefix holds one value too many: the place that is to be drawn is in it "
            "already.",
        ),
        Mistake(
            "only the last value is in the prefix",
            "conditional(x[:t])",
            "conditional(x[max(t - 1, 0):t])",
            "Each value is drawn from the one just before: a Markov chain. The chain "
            "rule conditions on all of them.",
        ),
        Mistake(
            "the prefix is reversed",
            "conditional(x[:t])",
            "conditional(x[:t].flip(0))",
            "The prefix is handed over back to front: its first value must come first.",
        ),
        Mistake(
            "the generator is ignored",
            "torch.rand((), generator=generator)",
            "torch.rand(())",
            "The same generator, seeded alike, gives another sample: some chance comes "
            "from elsewhere. Every draw takes `generator=generator`.",
        ),
        Mistake(
            "seeded anew for each value",
            "    p = conditional",
            "    generator.manual_seed(0)\n        p = conditional",
            "The generator is seeded inside the loop, so every value uses the same "
            "random number. Seeding is the caller's business.",
        ),
        Mistake(
            "seeded anew for each sample",
            "    x = torch.zeros",
            "    generator.manual_seed(0)\n    x = torch.zeros",
            "The generator is seeded inside the function, so that it draws the same "
            "sample every time. Seeding is the caller's business.",
        ),
        Mistake(
            "zeros and ones swapped",
            "generator=generator) < p",
            "generator=generator) > p",
            "A 1 comes where a 0 should: `u < p` is what happens with probability p.",
        ),
        Mistake(
            "a normal random number",
            "torch.rand((",
            "torch.randn((",
            "`randn` draws from a normal distribution. What is compared with a "
            "probability is uniform between 0 and 1.",
        ),
        Mistake(
            "one random number for all values",
            "    for t in range(n_dimensions):\n"
            "        p = conditional(x[:t])\n"
            "        x[t] = torch.rand((), generator=generator) < p",
            "    u = torch.rand((), generator=generator)\n"
            "    for t in range(n_dimensions):\n"
            "        x[t] = u < conditional(x[:t])",
            "One random number decides all values of a sample. Each value needs a draw "
            "of its own.",
        ),
        Mistake(
            "probabilities instead of draws",
            "dtype=torch.int64)\n"
            "    for t in range(n_dimensions):\n"
            "        p = conditional(x[:t])\n"
            "        x[t] = torch.rand((), generator=generator) < p",
            "dtype=torch.float32)\n"
            "    for t in range(n_dimensions):\n"
            "        x[t] = conditional(x[:t])",
            "These are probabilities. A sample holds zeros and ones: draw each value "
            "with its probability.",
        ),
    ),
    symptoms=(
        Symptom(
            "something else than 0 and 1",
            _shows_something_else_than_0_and_1,
            "A sample holds zeros and ones only.",
        ),
        Symptom("the generator is ignored", _shows_the_generator_is_ignored),
        Symptom(
            "the generator is not used up",
            _shows_the_generator_is_not_used_up,
            "Each sample is right by itself, but two in a row from one generator are "
            "alike, or the generator is as fresh after a call as before it: draw from "
            "the generator itself, neither from a copy nor from one seeded anew.",
        ),
        Symptom(
            "wrong probabilities",
            lambda results: all(r.right for r in results if r.case.observe is _once),
            "Where nothing is left to chance your samples are right. Elsewhere the "
            "frequencies are not those of `conditional`: how does p decide what is "
            "drawn?",
        ),
        Symptom(
            "wrong conditionals",
            lambda results: any(
                r.value is not None and r.value.shape == r.expected.shape and not r.right
                for r in results
                if r.case.observe is _once
            ),
            "Even where nothing is left to chance the samples are wrong: what does "
            "`conditional` get to see, of which of the two values does it speak, and is "
            "what you compare p with uniform between 0 and 1?",
        ),
    ),
)
