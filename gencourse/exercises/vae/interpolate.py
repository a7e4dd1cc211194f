"""n codes on the way from z0 to z1 along a great circle, both ends included."""

from __future__ import annotations

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import normal, usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def interpolate(z0: Tensor, z1: Tensor, n: int) -> Tensor:
    """n codes on the way from z0 to z1 along a great circle, both ends included.

    With θ the angle between z0 and z1, and t going from 0 to 1 in equal steps:
    code(t) = (sin((1 - t)·θ) · z0 + sin(t·θ) · z1) / sin θ.
    Where both point the same way that is 0/0; its limit is due, (1 - t)·z0 + t·z1.
    z0, z1: (latent,), neither of them 0 nor opposite to the other. n: at least 2.
    Returns (n, latent). Why no straight line: in many dimensions a draw from N(0, I) is
    about √latent long, and so is all of the arc; the middle of the straight line has only
    √½ of that, a length that few draws have. (Shoemake 1985; White 2016, arXiv:1609.04468.)
    """
    t = torch.linspace(0, 1, n)[:, None]  # (n, 1)
    cosine = (z0 @ z1) / (z0.norm() * z1.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if angle < 1e-3:  # a straight arc
        return (1 - t) * z0 + t * z1
    return (torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)


_A, _B, _C, _D = (normal(50, seed=seed) for seed in (101, 102, 103, 104))


_ARC = "(torch.sin((1 - t) * angle) * z0 + torch.sin(t * angle) * z1) / torch.sin(angle)"


def _parallel(result) -> bool:
    return result.case.label is not None and result.case.label.startswith(("z0 =", "z1 ="))


def _on_the_unit_circle(results):
    """The lengths of the codes between two unit vectors at a right angle."""
    return results[0].value.norm(dim=1) if usable(results[:1]) else torch.zeros(1).double()


def _shows_obtuse_angles_go_wrong(results):
    def obtuse(r):
        return r.case.arguments[0] @ r.case.arguments[1] < -1e-6

    return all(r.right != obtuse(r) for r in results if r.case.arguments[2] > 2)


exercise = Exercise(
    interpolate,
    minutes=9,
    difficulty="medium",
    hints=(
        "The angle between two vectors comes from their scalar product and their "
        "lengths. n values of t from 0 to 1, both included, are `torch.linspace(0, 1, "
        "n)`.",
        "cos θ = z0·z1 / (|z0|·|z1|); rounding can make it a little more than 1, where "
        "the arc cosine is NaN: `.clamp(-1, 1)`. Give t the shape (n, 1), and every row "
        "of the answer becomes one code.",
        "If θ is tiny: `(1 - t) * z0 + t * z1`. Else `torch.sin((1 - t) * angle) * z0 + "
        "torch.sin(t * angle) * z1`, all divided by `torch.sin(angle)`.",
    ),
    cases=(
        Case(
            torch.tensor([1.0, 0.0]),
            torch.tensor([0.0, 1.0]),
            5,
            atol=1e-4,
            label="two unit vectors at a right angle",
        ),
        Case(torch.tensor([1.0, 2.0, 2.0]), torch.tensor([-4.0, 0.0, 3.0]), 7, atol=1e-4),
        Case(_A, _B, 8, atol=1e-4, label="two draws from N(0, I) in 50 dimensions"),
        Case(_A, 0.5 * _B - 1.2 * _A, 6, atol=1e-4, label="an obtuse angle"),
        Case(
            torch.tensor([2.0, 0.0, 0.0]),
            torch.tensor([2.0, 1.5, 0.0]),
            3,
            atol=1e-4,
            label="an acute angle, `n = 3`",
        ),
        Case(_C, _D, 2, atol=1e-4, label="the two ends only, `n = 2`"),
        Case(
            torch.tensor([3.0, 4.0, 0.0]),
            torch.tensor([3.0, 4.0, 0.0]),
            4,
            atol=1e-3,
            label="z0 = z1",
        ),
        Case(
            torch.tensor([3.0, 4.0, 0.0]),
            torch.tensor([6.0, 8.0, 0.0]),
            4,
            atol=1e-3,
            label="z1 = 2·z0",
        ),
        Case(_A, 3 * _A, 5, atol=1e-3, label="z1 = 3·z0, in 50 dimensions"),
        Case(_B, _B, 3, atol=1e-3, label="z0 = z1, in 50 dimensions"),
    ),
    mistakes=(
        Mistake(
            "a straight line",
            f"return {_ARC}",
            "return (1 - t) * z0 + t * z1",
            "This is the straight line. Between two draws from N(0, I) its middle is too "
            "close to the origin: √½ of the length of either, and in many dimensions "
            "N(0, I) puts next to nothing there.",
        ),
        Mistake(
            "parallel codes go wrong",
            "if angle < 1e-3:",
            "if False:",
            "Right in general, but where z0 and z1 point the same way sin θ is 0 and the "
            "formula 0/0 (or rounding makes the cosine more than 1, and the arc cosine "
            "NaN). Clamp the cosine, and take the straight line there.",
        ),
        Mistake(
            "the ends are not included",
            "torch.linspace(0, 1, n)",
            "torch.linspace(0, 1, n + 2)[1:-1]",
            "The n codes lie between the ends. The first is to be z0, the last z1.",
        ),
        Mistake(
            "the last end is missing",
            "torch.linspace(0, 1, n)",
            "(torch.arange(n) / n)",
            "The last code is not z1: n values from 0 to 1, both included, have n - 1 "
            "steps between them.",
        ),
        Mistake(
            "the first end is missing",
            "torch.linspace(0, 1, n)",
            "(torch.arange(1, n + 1) / n)",
            "The first code is not z0: t starts at 0.",
        ),
        Mistake(
            "from z1 to z0",
            "torch.linspace(0, 1, n)",
            "torch.linspace(1, 0, n)",
            "The way runs backwards: at t = 0 stands z0.",
        ),
        Mistake(
            "the lengths are left out of the angle",
            "(z0 @ z1) / (z0.norm() * z1.norm())",
            "z0 @ z1",
            "The arc cosine is taken of the scalar product itself. That is the cosine of "
            "the angle only for vectors of length 1: divide by both lengths.",
        ),
        Mistake(
            "degrees",
            "torch.acos(cosine.clamp(-1, 1))",
            "torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))",
            "The angle is in degrees; `torch.sin` takes radians.",
        ),
        Mistake(
            "the cosine taken for the angle",
            "torch.acos(cosine.clamp(-1, 1))",
            "cosine.clamp(-1, 1)",
            "The cosine is used as the angle: its arc cosine is due.",
        ),
        Mistake(
            "cosines for sines",
            _ARC,
            "(torch.cos((1 - t) * angle) * z0 + torch.cos(t * angle) * z1) / "
            "torch.cos(angle)",
            "The weights are cosines. At t = 0 the weight of z1 is to be 0: sines.",
        ),
        Mistake(
            "not divided by sin θ",
            " / torch.sin(angle)",
            "",
            "The division by sin θ is missing: at the ends the codes are not z0 and z1.",
        ),
        Mistake(
            "always a right angle",
            "torch.acos(cosine.clamp(-1, 1))",
            "torch.acos(0 * cosine)",
            "The angle is taken as 90° always. For draws in many dimensions that is "
            "nearly so, but not for codes in general: compute it.",
        ),
        Mistake(
            "put on the unit sphere",
            _ARC,
            "(torch.sin((1 - t) * angle) * z0 / z0.norm() + torch.sin(t * angle) * z1 / "
            "z1.norm()) / torch.sin(angle)",
            "The codes are of length 1: z0 and z1 were normalised and never given their "
            "lengths back. Only the angle takes normalised vectors; the formula takes z0 "
            "and z1 as they are.",
        ),
        Mistake(
            "directions and lengths apart",
            _ARC,
            "(torch.sin((1 - t) * angle) * z0 / z0.norm() + torch.sin(t * angle) * z1 / "
            "z1.norm()) / torch.sin(angle) * ((1 - t) * z0.norm() + t * z1.norm())",
            "A sensible way, but not this one: the direction moves on the great circle, "
            "the length by itself in equal steps. The formula weighs z0 and z1 as they "
            "are, which is the same only for equal lengths.",
        ),
        Mistake(
            "a straight line pushed out",
            _ARC,
            "((1 - t) * z0 + t * z1) / ((1 - t) * z0 + t * z1).norm(dim=1, keepdim=True)"
            " * ((1 - t) * z0.norm() + t * z1.norm())",
            "A straight line, whose points are then given the right length. It runs "
            "along the arc, but faster in the middle than at the ends. Between codes of "
            "equal length the formula moves in equal steps of the angle.",
        ),
        Mistake(
            "square roots as weights",
            _ARC,
            "(1 - t).sqrt() * z0 + t.sqrt() * z1",
            "The weights are √(1 - t) and √t. They keep the length where the angle is "
            "90°, but the steps are not equal, and at other angles the length changes.",
        ),
        Mistake(
            "the weights swapped",
            _ARC,
            "(torch.sin(t * angle) * z0 + torch.sin((1 - t) * angle) * z1) / "
            "torch.sin(angle)",
            "The weights have changed places: at t = 0 that of z0 is 1.",
        ),
        Mistake(
            "transposed",
            f"return {_ARC}",
            f"return ({_ARC}).T",
            "The answer is (latent, n): a code is a row, so (n, latent).",
        ),
        Mistake(
            "one code too many",
            "torch.linspace(0, 1, n)",
            "torch.linspace(0, 1, n + 1)",
            "There is one code too many: n codes, not n steps.",
        ),
    ),
    symptoms=(
        Symptom(
            "parallel codes go wrong",
            lambda results: all(r.right for r in results if not _parallel(r)),
            errors_too=True,
        ),
        Symptom(
            "the ends are not z0 and z1",
            lambda results: any(
                not torch.allclose(
                    r.value[[0, -1]], torch.stack(r.case.arguments[:2]).double(), atol=1e-3
                )
                for r in usable(results)
                if not _parallel(r)
            ),
            "The first code is to be z0 and the last z1, whatever lies between.",
        ),
        Symptom(
            "obtuse angles go wrong",
            _shows_obtuse_angles_go_wrong,
            "Right where the angle is at most 90°, wrong where it is more: the cosine is "
            "negative there, and the arc cosine must be taken of it with its sign.",
        ),
        Symptom(
            "too short in the middle",
            lambda results: (
                bool(usable(results[:1]))
                and bool((_on_the_unit_circle(results) < 0.97).any())
            ),
            "The ends are right, but the codes between are too close to the origin: on "
            "the arc between two vectors of equal length every code has that length. A "
            "straight line is too short there, and so is the formula with too small an "
            "angle.",
        ),
        Symptom(
            "uneven steps",
            lambda results: (
                not results[0].right
                and torch.allclose(
                    _on_the_unit_circle(results), torch.ones(()).double(), atol=1e-3
                )
            ),
            "The ends are right, and so is the length on the way, but the codes are not "
            "where they should be: between two codes of equal length the angle from each "
            "to the next is the same, on the shorter arc.",
        ),
        Symptom(
            "off the arc",
            lambda results: len(usable(results)) == len(results),
            "The ends are right, the codes between are not: are the weights sin((1 - "
            "t)·θ) / sin θ and sin(t·θ) / sin θ, with θ in radians, from 0 to π?",
        ),
    ),
)
