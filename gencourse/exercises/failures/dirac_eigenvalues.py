"""The eigenvalues of the Dirac-GAN with R1 at its equilibrium: does it come to rest?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gencourse.exercises.machine.answers import Unusable, as_numbers, shape_of
from gencourse.exercises.machine.cases import Case, integer
from gencourse.exercises.machine.common import usable
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def dirac_eigenvalues(gamma: float) -> Tensor:
    """The eigenvalues of the Dirac-GAN with R1 at its equilibrium: does it come to rest?

    The data are the point 0, the generator makes the point θ, the discriminator is ψ·x.
    With f(t) = -log(1 + exp(-t)), so f'(0) = ½, both move along the field
    (dθ/dt, dψ/dt) = (-ψ f'(θψ), θ f'(θψ) - γψ), where -γψ comes from the penalty γ/2 · ψ².
    Returns the two eigenvalues of its Jacobian at θ = ψ = 0, complex numbers in any order:
    a tensor (2,), or a list. Real parts below 0: it comes to rest; imaginary parts: it
    turns. gamma: γ, at least 0. (Mescheder et al. 2018, arXiv:1801.04406, sections 2, 3.)
    """
    root = torch.sqrt(torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))
    return torch.stack([-gamma / 2 + root, -gamma / 2 - root])


def _spectrum(fn, gamma):
    """The two eigenvalues, in any order: both real parts, sorted, then both imaginary parts, sorted."""
    value = fn(gamma)
    if value is None or value is ...:
        as_numbers(value)  # says it
    try:
        if isinstance(value, (list, tuple)):
            value = [complex(item) for item in value]
        value = np.asarray(
            value.detach().resolve_conj().numpy() if isinstance(value, Tensor) else value,
            dtype=np.complex128,
        )
    except (TypeError, ValueError, RuntimeError):
        raise Unusable(
            "not yet",
            "wrong type",
            f"It returned {shape_of(value)} where two complex numbers are due.",
        ) from None
    if value.shape != (2,):
        raise Unusable(
            "not yet",
            "wrong shape",
            f"It returned numbers of shape {value.shape} where (2,) is due: two "
            "eigenvalues, a complex number each.",
        )
    return torch.from_numpy(np.concatenate([np.sort(value.real), np.sort(value.imag)]))


_ROOT = "torch.sqrt(torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))"


_PAIR = "[-gamma / 2 + root, -gamma / 2 - root]"


def _parts_of(results):
    """(γ, real parts, imaginary parts) of each answer that has the right form."""
    return [(r.case.arguments[0], r.value[:2], r.value[2:]) for r in usable(results)]


def _shows_the_real_root_of_a_negative_number(results):
    def good(r):
        below = r.case.arguments[0] < 1
        return (r.value is None or bool(r.value.isnan().any())) if below else r.right

    return len(results) > 1 and all(good(r) for r in results if r.case.arguments[0] != 1)


exercise = Exercise(
    dirac_eigenvalues,
    minutes=12,
    difficulty="hard",
    hints=(
        "Near the point (0, 0) the field is linear: its matrix of derivatives is all "
        "that counts. At θ = ψ = 0 with f'(0) = ½ it is [[0, -½], [½, -γ]].",
        "The eigenvalues of a 2×2 matrix solve λ² - trace·λ + determinant = 0; the trace "
        "is -γ, the determinant ¼. For small γ what stands below the root is negative.",
        "λ = -γ/2 ± √(γ²/4 - ¼). `cmath.sqrt`, `torch.sqrt` of a complex tensor, or `** "
        "0.5` of a negative Python number give the complex root; `torch.linalg.eigvals` "
        "does all of it by itself.",
    ),
    cases=(
        Case(0.0, observe=_spectrum, atol=1e-4, label="`gamma = 0`"),
        Case(0.3, observe=_spectrum, atol=1e-4, label="`gamma = 0.3`"),
        Case(0.8, observe=_spectrum, atol=1e-4, label="`gamma = 0.8`"),
        Case(1.0, observe=_spectrum, atol=3e-3, label="`gamma = 1`"),
        Case(1.25, observe=_spectrum, atol=1e-4, label="`gamma = 1.25`"),
        Case(2.0, observe=_spectrum, atol=1e-4, label="`gamma = 2`"),
        Case(10.0, observe=_spectrum, atol=1e-4, label="`gamma = 10`"),
        Case(
            integer(10, 90, seed=1) / 100,
            observe=_spectrum,
            atol=1e-4,
            label="a `gamma` below 1",
        ),
        Case(
            integer(110, 500, seed=2) / 100,
            observe=_spectrum,
            atol=1e-4,
            label="a `gamma` above 1",
        ),
    ),
    mistakes=(
        Mistake(
            "the real root of a negative number",
            "dtype=torch.complex128",
            "dtype=torch.float64",
            "Below γ = 1 the root is taken of a negative number, and a real root is NaN "
            "there. It is imaginary: take the root of a complex number.",
        ),
        Mistake(
            "the sign below the root is ignored",
            "torch.tensor(gamma**2 / 4 - 1 / 4, ",
            "torch.tensor(abs(gamma**2 / 4 - 1 / 4), ",
            "Where γ²/4 - ¼ is negative the root of its absolute value is taken: the "
            "eigenvalues are real always. There they are complex, and that is why the "
            "game goes round.",
        ),
        Mistake(
            "nothing below 0 under the root",
            "torch.tensor(gamma**2 / 4 - 1 / 4, ",
            "torch.tensor(max(gamma**2 / 4 - 1 / 4, 0.0), ",
            "Where γ²/4 - ¼ is negative it is put to 0, or only the real part is kept. "
            "The imaginary part says how fast the game goes round.",
        ),
        Mistake(
            "always complex",
            "torch.tensor(gamma**2 / 4 - 1 / 4, dtype=torch.complex128))",
            "torch.tensor(abs(gamma**2 / 4 - 1 / 4), dtype=torch.complex128)) * 1j",
            "The root is multiplied by i always. Above γ = 1 what stands below it is "
            "positive, and the eigenvalues are real: the game no longer turns.",
        ),
        Mistake(
            "the slope at 0 taken as 1",
            "gamma**2 / 4 - 1 / 4",
            "gamma**2 / 4 - 1",
            "√(γ²/4 - 1) is right for f'(0) = 1, Wasserstein's. Here f'(0) = ½: its "
            "square, ¼, stands below the root.",
        ),
        Mistake(
            "the slope at 0 taken as ¼",
            "gamma**2 / 4 - 1 / 4",
            "gamma**2 / 4 - 1 / 16",
            "√(γ²/4 - 1/16): that is f'(0) = ¼, the slope of the sigmoid at 0. But f' is "
            "a sigmoid itself, and f'(0) = ½.",
        ),
        Mistake(
            "the slope is not squared",
            "gamma**2 / 4 - 1 / 4",
            "gamma**2 / 4 - 1 / 2",
            "√(γ²/4 - ½): the determinant of the Jacobian is f'(0)², which is ¼.",
        ),
        Mistake(
            "the penalty counted twice",
            "    root =",
            "    gamma = 2 * gamma\n    root =",
            "γ counts twice: the derivative of γψ² was taken. The penalty is γ/2 · ψ², "
            "its derivative γψ.",
        ),
        Mistake(
            "the penalty halved",
            "    root =",
            "    gamma = gamma / 2\n    root =",
            "γ counts half: the field has -γψ in it, not -γ/2 · ψ. The ½ of the penalty "
            "goes when it is differentiated.",
        ),
        Mistake(
            "the penalty pushes away",
            _PAIR,
            "[gamma / 2 + root, gamma / 2 - root]",
            "The real parts are above 0: the penalty would drive the game apart. The "
            "field goes down the penalty, so -γ stands in the Jacobian.",
        ),
        Mistake(
            "without the penalty",
            _ROOT,
            "torch.tensor(0.5j) + 0 * (gamma := 0.0)",
            "γ has no say: ±i/2 are the eigenvalues of the game without a penalty, which "
            "turns for ever.",
        ),
        Mistake(
            "the penalty in the root only",
            _PAIR,
            "[root, -root]",
            "γ stands below the root only; -γ/2, half the trace, is missing.",
        ),
        Mistake(
            "the penalty before the root only",
            "gamma**2 / 4 - 1 / 4",
            "-1 / 4",
            "γ stands before the root only. It belongs below it too, γ²/4: that is what "
            "stops the turning from γ = 1 on.",
        ),
        Mistake(
            "a saddle",
            "gamma**2 / 4 - 1 / 4",
            "gamma**2 / 4 + 1 / 4",
            "√(γ²/4 + ¼): the two entries off the diagonal of the Jacobian were given "
            "the same sign. What the one wins the other loses: -½ and ½, and the "
            "determinant is +¼.",
        ),
        Mistake(
            "not halved",
            _PAIR,
            "[-gamma + 2 * root, -gamma - 2 * root]",
            "Twice what is due: in (-γ ± √(γ² - 1)) / 2 the division is missing.",
        ),
        Mistake(
            "half the root only",
            _PAIR,
            "[-gamma + root, -gamma - root]",
            "-γ stands where -γ/2 is due: in (-γ ± √(γ² - 1)) / 2 both parts are halved.",
        ),
        Mistake(
            "the same one twice",
            "-gamma / 2 - root]",
            "-gamma / 2 + root]",
            "Both are the same. The root has two signs.",
        ),
        Mistake(
            "both players punished",
            _PAIR,
            "[torch.tensor(-gamma + 0.5j), torch.tensor(-gamma - 0.5j)]",
            "-γ stands in both entries of the diagonal: the generator is punished as "
            "well. R1 is a penalty on the discriminator alone.",
        ),
        Mistake(
            "the eigenvalues of a step",
            _PAIR,
            "[1 - gamma / 2 + root, 1 - gamma / 2 - root]",
            "1 is added: those are the eigenvalues of a step of size 1. The Jacobian of "
            "the field is asked for.",
        ),
        Mistake(
            "squared",
            "stack([-gamma / 2 + root, -gamma / 2 - root])",
            "stack([-gamma / 2 + root, -gamma / 2 - root])**2",
            "These are the squares of the eigenvalues, or those of the squared Jacobian.",
        ),
    ),
    symptoms=(
        Symptom(
            "the real root of a negative number",
            _shows_the_real_root_of_a_negative_number,
            errors_too=True,
        ),
        Symptom(
            "not ±i/2 without a penalty",
            lambda results: any(
                r.case.label == "`gamma = 0`" and not r.right for r in usable(results)
            ),
            "Wrong already at γ = 0, where the Jacobian is [[0, -½], [½, 0]] and its "
            "eigenvalues are ±i/2: the game turns, and neither comes to rest nor flies "
            "apart.",
        ),
        Symptom(
            "the trace is wrong",
            lambda results: any(
                (real.sum() + gamma).abs() > 1e-2 for gamma, real, _ in _parts_of(results)
            ),
            "The sum of the two eigenvalues is the trace of the Jacobian, -γ; yours is "
            "another.",
        ),
        Symptom(
            "no pair",
            lambda results: any(
                imaginary.sum().abs() > 1e-2 for _, _, imaginary in _parts_of(results)
            ),
            "Your two are no pair: complex eigenvalues of a real matrix are conjugates "
            "of each other, a ± bi.",
        ),
        Symptom(
            "the determinant is wrong",
            lambda results: len(_parts_of(results)) == len(results),
            "Their sum is right, -γ, but their product is not: the determinant of the "
            "Jacobian is ¼ for every γ.",
        ),
    ),
)
