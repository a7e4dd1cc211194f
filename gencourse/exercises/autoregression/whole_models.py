"""The laws of a whole autoregressive model, and what is said where one breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.autoregression import chains
from gencourse.exercises.autoregression.chains import Chain
from gencourse.exercises.machine.cases import Case, integer, seeded

SEEN = 1e-5  # a change of a conditional (nats) that is no rounding
A_TRACE = 1e-6  # where a change is due, and may be small
KNOWN_STEPS = 100
FAR_STEPS = 80


def _told(say: Callable[..., str | None], *before: object) -> dict[str, Callable]:
    """`holds` and `broken` of a law by say(*before, observed): what is wrong, or None."""
    return {
        "holds": lambda observed: say(*before, observed) is None,
        "broken": partial(say, *before),
    }


def laws(
    chain: Chain,
    small: tuple,
    larger: tuple,
    past: dict[str, list[tuple[int, int]]],
    known: Tensor,
    far: tuple[Callable, str],
    data: Callable,
    steps: int,
    limit: float,
    budget: Callable,
) -> tuple[Case, ...]:
    """The cases of an exercise in which a model is built.

    small: the shape of which all events are tried; larger: that on which the past is looked for. past: the pairs
    (seen, by) of places of `larger` that must be seen, under a name for each kind. known: the probabilities of all
    events of `small` that are learnt. far: far(seed) makes events in which a place repeats one that is as far back as
    must be seen, and how that is said. data, steps, limit: for `chains.trained`; at most `limit` times the baseline
    is right. budget(observed): what is said where it is more.
    """

    def events(n: int, shape: tuple, seed: int) -> Tensor:
        return torch.randint(0, chain.levels, (n, *shape), generator=seeded(seed))

    place = partial(_where, larger)
    seeing = partial(chains.what_is_seen, chain=chain)
    few, more = events(16, small, 1), events(16, larger, 2)
    seed, places = integer(0, 10**6, seed=3), math.prod(larger)
    return (
        Case(
            more,
            observe=partial(chains.shapes, chain=chain),
            label="a model with logits and samples",
            shape=(1,),
            holds=lambda observed: True,
            broken=lambda observed: "",
        ),
        Case(
            events(8, larger, 4),
            observe=partial(chains.alone, chain=chain),
            label=f"each {chain.event} by itself",
            shape=(2,),
            holds=lambda observed: bool((observed < 1e-3).all()),
            broken=partial(_mixed, chain),
        ),
        Case(
            more,
            observe=seeing,
            label="no present and no future",
            shape=(2, places, places),
            holds=lambda observed: not (observed.tril() > SEEN).any(),
            broken=partial(_ahead, chain, place),
        ),
        Case(
            more,
            observe=seeing,
            label="all of the past",
            shape=(2, places, places),
            holds=lambda observed: not any(_missed(observed, past).values()),
            broken=partial(_behind, chain, past, place),
        ),
        Case(
            few,
            observe=partial(chains.sums, chain=chain),
            label="the sum is 1",
            shape=(2,),
            holds=lambda observed: bool(((observed - 1).abs() < 1e-3).all()),
            broken=partial(_sum, chain, small),
        ),
        Case(
            events(64, small, 5),
            observe=partial(chains.seeds_and_steps, chain=chain),
            label="data, steps and seeds",
            shape=(8,),
            **_told(_steps, chain),
        ),
        Case(
            few,
            observe=partial(chains.draws, chain=chain),
            label="chance in sampling",
            shape=(7,),
            **_told(_chance, chain),
        ),
        Case(
            known,
            observe=partial(
                chains.learnt, shape=small, seed=seed, steps=KNOWN_STEPS, chain=chain
            ),
            label="training on a known distribution",
            shape=(7,),
            **_told(_learnt, chain),
            if_right=True,
        ),
        Case(
            known,
            observe=partial(chains.sampled, shape=small, seed=seed, steps=50, chain=chain),
            label="samples from the model's own conditionals",
            **_told(_fits, chain),
            if_right=True,
        ),
        Case(
            far[0](seed),
            observe=partial(chains.surprise, seed=seed, steps=FAR_STEPS, chain=chain),
            label="samples that depend on all of the past",
            shape=(3,),
            holds=lambda observed: bool(observed[2].abs() < 6),
            broken=partial(_forgets, chain, far[1]),
            if_right=True,
        ),
        Case(
            observe=partial(chains.trained, data=data, seed=seed, steps=steps, chain=chain),
            label="held-out nats after the budget",
            shape=(3,),
            holds=lambda observed: observed[1] < limit * observed[2],
            broken=budget,
            if_right=True,
        ),
    )


# what is said


def _where(shape: tuple, i: int) -> str:
    return (
        f"place {i}" if len(shape) == 1 else f"row {i // shape[-1]}, column {i % shape[-1]}"
    )


def _mixed(chain: Chain, observed: Tensor) -> str:
    again, alone = observed.tolist()
    if again > 1e-3:
        return (
            f"`logits` of the same {chain.event}s, asked twice, differ (by "
            f"{again:.2g}): something is drawn in it, or kept between calls. Is dropout "
            "still on?"
        )
    return (
        f"The logits of {'an' if chain.event[0] in 'aeiou' else 'a'} {chain.event} "
        f"differ (by {alone:.2g}) with the other {chain.event}s of the batch: each must "
        "be predicted from itself alone. Is there a batch normalisation in training "
        "mode, or an axis mixed up with that of the batch?"
    )


def _ahead(chain: Chain, where: Callable, observed: Tensor) -> str:
    event, place, d = chain.event, chain.place, observed.shape[-1]
    seen = observed > SEEN
    later = ""
    stage = 0 if seen[0].tril().any() else 1
    if stage == 1:
        later = (
            f"Before training no {place} depends on itself or on a later one; after 5 "
            "steps it does: the optimiser changes hidden weights, too, so the mask "
            "must be applied in every pass. "
        )
    seen = seen[stage]
    ahead = seen.tril(-1).nonzero()  # (seen, by)
    if not len(ahead):
        return later + (
            f"The logit of a {place} changes when that {place} itself is changed (at "
            f"{seen.diagonal().sum()} of {d} places). It is to be predicted from the "
            f"{place}s before it. Does the first layer hide its present {place}, and "
            f"does the logit that predicts a {place} stand at the place of that {place}?"
        )
    i, j = ahead[0].tolist()
    words = (
        f"The logit of a {place} changes when a later {place} is changed (in "
        f"{len(ahead)} of {d * (d - 1) // 2} pairs): for example, that at {where(j)} "
        f"depends on the {place} at {where(i)}."
    )
    if not seen.triu(1).any():
        words += (
            f" It depends on no earlier {place}: is the mask, or the padding, turned round?"
        )
    elif event == "image":
        width = int(d**0.5)
        rows = ahead // width
        if rows[:, 0].equal(rows[:, 1]):
            words += " All of these stand in the same row, to the right."
    return later + words


def _missed(observed: Tensor, past: dict) -> dict[str, int]:
    seen = (observed > A_TRACE).any(0)
    return {name: sum(not seen[pair] for pair in pairs) for name, pairs in past.items()}


def _behind(chain: Chain, past: dict, where: Callable, observed: Tensor) -> str:
    missed = _missed(observed, past)
    if not (observed > A_TRACE).any():
        return f"The logits do not depend on the {chain.event} at all, neither before training nor after 5 steps."
    kinds = [
        f"{name} (not seen in {n} of {len(past[name])} pairs)"
        for name, n in missed.items()
        if n
    ]
    seen = (observed > A_TRACE).any(0)
    i, j = next(
        pair for name in past if missed[name] for pair in past[name] if not seen[pair]
    )
    return (
        "Some of the past cannot be used, neither before training nor after 5 steps: "
        f"{'; '.join(kinds)}. For example, the logit at {where(j)} does not change when "
        f"the {chain.place} at {where(i)} does."
    )


def _sum(chain: Chain, shape: tuple, observed: Tensor) -> str:
    n = chain.levels ** torch.Size(shape).numel()
    stage = 0 if abs(observed[0] - 1) >= 1e-3 else 1
    return (
        f"The sum of the probabilities of all {n} {chain.event}s is "
        f"{observed[stage]:.3f} {('before training', 'after 5 steps')[stage]}, and must "
        f"be 1: some {chain.place} sees itself or a later one, or `logits` does not "
        "give the same twice."
    )


def _steps(chain: Chain, observed: Tensor) -> str | None:
    unchanged, two, three, same, other, from_torch, own_seed, opposite = observed.tolist()
    if not unchanged:
        return f"The {chain.event}s that were handed over have been changed in place: they belong to the caller."
    if two == 0:
        return (
            "The model is the same with steps = 0 and with steps = 2: is a step made at "
            "all, does `steps` decide how many, and has the optimiser the weights that "
            "`logits` uses?"
        )
    if three == 0:
        return "The model after 5 steps is the same as after 2: `steps` does not decide how many are made."
    if not own_seed:
        return "The generator is seeded anew in your function: seeding is the caller's business."
    if same > 1e-4:
        return (
            "Two calls with the same seed, torch's own random numbers set alike as "
            "well, give two models: some chance comes from elsewhere."
        )
    if opposite > 1e-5:
        return (
            f"With steps = 0 the model changes if the {chain.event}s are handed over in "
            "the opposite order: it seems to be trained on some of them, although no "
            "step was to be made."
        )
    if from_torch and other == 0:
        return (
            "Another seed of the generator gives the same model, while training draws "
            "torch's own random numbers: hand `generator=generator` to what draws the "
            "batches."
        )
    return None


def _chance(chain: Chain, observed: Tensor) -> str | None:
    same, second, different, used, own_seed, likeliest, several = observed.tolist()
    if likeliest == 1:
        return (
            f"In 16 samples every {chain.place} has the value that is likeliest by the "
            "model's own logits: nothing is drawn. A value is drawn with its "
            "probability."
        )
    if not own_seed:
        return "`sample` seeds the generator anew: seeding is the caller's business."
    if not same:
        return (
            "`sample` with a generator of the same seed gives other samples: some "
            "chance comes from elsewhere. Every draw takes `generator=generator`."
        )
    if not different:
        return "`sample` gives the same with another seed: the generator that it is given decides nothing."
    if not (second and used):
        return (
            "Two calls of `sample` with one generator give the same, or leave it as it "
            "was: draw from the generator itself, not from a copy."
        )
    if not several:
        return f"All 16 {chain.event}s of one call of `sample` are the same: each needs draws of its own."
    return None


def _learnt(chain: Chain, observed: Tensor) -> str | None:
    before, after, independent, other, following, entropy, as_p = observed.tolist()
    if before < entropy + 0.7 * (independent - entropy):
        return (
            f"With steps = 0 the model needs {before:.2f} nats a {chain.event}; "
            f"independent {chain.place}s need {independent:.2f}: it has been trained, "
            "although no step was to be made."
        )
    if after <= entropy + 0.5 * (independent - entropy) and not as_p:
        return None
    words = (
        f"Trained for {KNOWN_STEPS} steps on 1,000 {chain.event}s of a known "
        f"distribution, the model needs {after:.2f} nats for one (before training "
        f"{before:.2f}). Independent {chain.place}s need {independent:.2f}, and the "
        f"entropy is {entropy:.2f}."
    )
    if as_p:
        total = "" if chain.levels == 2 else ", and their sum over axis 1 is 1"
        return (
            f"{words} After training, all that `logits` gives is from 0 to 1{total}: these "
            "look like probabilities where logits are asked."
        )
    if following < min(before, after, other) - 0.15:
        return f"{words} The *next* {chain.place}s it predicts with {following:.2f}: is the target one place off?"
    if other < min(before, after) - 0.1:
        return f"{words} If its values are exchanged, it needs {other:.2f}: which value does the logit speak of?"
    if after > before + 0.1:
        return (
            f"{words} The loss has grown: is its sign right, is the {chain.event} itself the "
            f"target, and does the loss take the logits themselves{_not_twice(chain)}?"
        )
    if after > before - 0.05:
        return f"{words} It has hardly moved: does a gradient reach the weights, and is the learning rate large enough?"
    return (
        f"{words} More is within reach: is the loss −log P of the true values, does the "
        f"loss take the logits themselves{_not_twice(chain)}, are gradients "
        "set to zero before each step, and is the learning rate neither too "
        "small nor too large (0.01 is fine for Adam)?"
    )


def _not_twice(chain: Chain) -> str:
    return f" ({'a sigmoid' if chain.levels == 2 else 'a softmax'} may be in it already)"


OTHERWISE = {
    "blank": "They fit what comes if all places are drawn at once, from a single pass over an empty input: draw one "
    "place, write it down, and ask again for the next.",
    "noise": "They fit what comes if all places are drawn at once, from a single pass over noise: draw one place, "
    "write it down, and ask again for the next.",
    "uniform": "They fit noise in which all values are equally likely.",
    "columns": "They fit what comes if pixels are drawn column by column: the order is that of reading, row by row.",
    "swapped": "They fit the model with 0 and 1 exchanged: u < p happens with probability p.",
    "raw": "They fit what comes if the logit itself is taken for a probability: the sigmoid is missing.",
    "twice": "They fit what comes if logits are turned into probabilities twice.",
}


def _fits(chain: Chain, observed: Tensor) -> str | None:
    own, *others = observed.tolist()
    if own < 6:
        return None
    names = chains.WAYS[chain.levels]
    best = min(range(len(others)), key=others.__getitem__)
    words = (
        f"The frequencies of {chains.N_DRAWN:,} samples are not the model's own "
        f"probabilities (χ² is {own:.0f} standard deviations above its mean)."
    )
    if others[best] < 6 and others[best] < own / 2:
        return f"{words} {OTHERWISE[names[best]]}"
    return (
        f"{words} Each value must be drawn from the conditional at its own place, given "
        "all values drawn before it, with a random number of its own."
    )


def _forgets(chain: Chain, how: str, observed: Tensor) -> str:
    nats, due, z = observed.tolist()
    return (
        f"Trained on {chain.event}s in which {how}, the model gives samples that need "
        f"{nats:.1f} nats by its own logits, where values drawn from these would need "
        f"{due:.1f} ({abs(z):.0f} standard deviations apart). Samples of small "
        f"{chain.event}s fit. Does `sample` give `logits` all values that are drawn "
        f"before, and not only the nearest ones, and does it read the logit at the place "
        f"of the {chain.place}?"
    )
