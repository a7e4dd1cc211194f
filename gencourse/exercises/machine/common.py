"""What the cases of several notebooks' exercises observe, and what their symptoms ask of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Unusable, as_numbers, shape_of
from gencourse.exercises.machine.cases import Result, seeded


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    """Draws from N(0, scale²): another tensor of this shape in each variant."""
    return scale * torch.randn(
        shape, generator=seeded(seed), dtype=torch.float32, device="cpu"
    )


def slopes(fn: Callable, *arguments: Any, of: Iterable[int]) -> Tensor:
    """The gradient of the sum of the answer by the arguments at the places `of`, in one row; 0 where none passes."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = {i: arguments[i].clone().requires_grad_() for i in of}
        # a product of a leaf is no leaf, and may be changed in place
        answer = fn(
            *(
                leaves[i] * 1 if i in leaves else argument
                for i, argument in enumerate(arguments)
            )
        )
        as_numbers(answer)  # says it if these are no numbers
        return torch.cat(
            [slope.flatten() for slope in gradients(answer, list(leaves.values()))]
        ).double()


def gradients(answer: object, leaves: list[Tensor]) -> list[Tensor]:
    """Of the sum of the answer, whatever it consists of, by each leaf; zeros where there is none."""
    total = _total(answer)
    if not isinstance(total, Tensor) or not total.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    try:
        return list(
            torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
        )
    except RuntimeError:
        raise Unusable(
            "not yet",
            "the gradient cannot be computed",
            "The gradient of your answer cannot be computed: "
            "an operation in place (`+=`, `exp_`, an assignment to a slice) has overwritten what it needs. "
            "Make a new tensor instead.",
        ) from None


def _total(answer: object) -> Tensor | float:
    if isinstance(answer, (list, tuple)):
        return sum(_total(item) for item in answer)
    return answer.sum() if isinstance(answer, Tensor) else 0.0


def method(model: object, name: str) -> Callable:
    """The method of this name, of what a reader's function built. Unusable, with words, where there is none."""
    if model is None:
        as_numbers(model)  # says that it returned nothing
    if not callable(found := getattr(model, name, None)):
        raise Unusable(
            "not yet",
            f"no method {name}",
            f"It returned {shape_of(model)}, which has no method `{name}`: give back an object "
            "with the methods that the statement names.",
        )
    return found


def chance(draw: Callable[[torch.Generator], Tensor], seed: int) -> Tensor:
    """Five yes or no about draw(generator): does chance come from the generator, and from nowhere else?"""
    generator, again, other = (
        torch.Generator().manual_seed(s) for s in (seed, seed, seed + 1)
    )
    first, second, same, different = (
        draw(generator),
        draw(generator),
        draw(again),
        draw(other),
    )
    fresh = torch.Generator().manual_seed(seed).get_state()
    return torch.tensor(
        [
            first.equal(same),
            not first.equal(second),
            not first.equal(different),
            not generator.get_state().equal(fresh),
            generator.initial_seed() == seed,
        ]
    ).double()


def usable(results: list[Result]) -> list[Result]:
    """The results that are values of the right shape."""
    return [
        r
        for r in results
        if r.value is not None and r.value.shape == r.expected.shape and not is_slope(r)
    ]


def answer_to(results: list[Result], observe: Callable) -> Tensor | None:
    """What was observed so, or None."""
    return next(
        (r.value for r in results if r.case.observe is observe and r.value is not None),
        None,
    )


def right_on(results: list[Result], label: str) -> bool:
    """Is a case of this label right?"""
    return any(r.right for r in results if r.case.label == label)


def others_right(results: list[Result], label: str) -> bool:
    """Right everywhere but where the label begins like this, and wrong there."""
    mine = [r for r in results if (r.case.label or "").startswith(label)]
    return any(not r.right for r in mine) and all(r.right for r in results if r not in mine)


def proportional(results: list[Result]) -> bool:
    """Every number is the same multiple of what is due: better said in general."""
    given = [
        r for r in results if r.value is not None and r.value.shape == r.expected.shape
    ]
    values, due = (
        torch.cat([getattr(r, name).flatten() for r in given] or [torch.zeros(0)]).double()
        for name in ("value", "expected")
    )
    there = due.abs() > 1e-6
    return (
        len(given) == len(results) > 1
        and there.any().item()
        and torch.allclose(
            values, (values[there] / due[there]).median() * due, rtol=1e-3, atol=1e-5
        )
    )


def is_slope(result: Result, by: Callable = slopes) -> bool:
    """Was it the gradient that was looked at, by this function?"""
    return getattr(result.case.observe, "func", None) is by


def gradient_is_cut(results: list[Result], by: Callable = slopes) -> bool:
    """The values are right, and no gradient comes through to `by` (with NumPy, an error does)."""
    return all(_stopped(r) if is_slope(r, by) else r.right for r in results)


def _stopped(result: Result) -> bool:
    return (
        result.problem.status == "raised an error"
        if result.value is None
        else not result.value.any()
    )
