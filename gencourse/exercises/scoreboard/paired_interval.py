"""The 95 % interval for how many nats model a needs more than b, on the same images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import proportional
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.scoreboard.shared import sound_results


def paired_interval(a: Tensor, b: Tensor) -> Tensor:
    """The 95 % interval for how many nats model a needs more than b, on the same images.

    a, b: (N,), nats of each test image under the one and the other, in the same order;
    N is at least 2. An image that is hard for both says nothing of the two: what counts
    are the differences a - b. Their mean, and 1.96 of its standard errors to either side;
    the standard error is the standard deviation (with N - 1) over √N. Returns (2,): the
    lower and the upper end. With many images such an interval misses the true difference
    about one time in twenty, by chance alone; with few images more often.
    """
    d = a - b
    half = 1.96 * d.std() / math.sqrt(len(d))
    return torch.stack([d.mean() - half, d.mean() + half])


def _costs(
    n: int,
    *,
    seed: int,
    gap: float,
    alike: float = 20.0,
    own: float = 2.0,
    level: float = 90.0,
) -> tuple:
    """Nats of n images, rounded to quarters, for two models: an image that is hard for one is hard for the other."""
    hard, own_a, own_b = torch.randn(
        (3, n), generator=seeded(seed), device="cpu", dtype=torch.float32
    )
    b = level + abs(alike) * hard + own * own_b
    a = level + gap + alike * hard + own * own_a
    return (4 * a).round() / 4, (4 * b).round() / 4


def _each_dearer(n: int, by: float, seed: int) -> tuple[Tensor, Tensor]:
    _, b = _costs(n, seed=seed, gap=0.0)
    return b + by, b


_CONSTANT, _TWICE = "every image 1.5 nats dearer under a", "the same model twice"


_STUDENT = {
    2: 12.7062,
    5: 2.77645,
    12: 2.20099,
    40: 2.02269,
    1000: 1.96234,
}  # t of N - 1 degrees, 97.5 %


_HALF = "1.96 * d.std() / math.sqrt(len(d))"


_ENDS = "torch.stack([d.mean() - half, d.mean() + half])"


def _shows_student_s_t(results):
    wide = [r for r in sound_results(results) if r.expected.diff().item() > 0.01]
    return bool(wide) and all(
        math.isclose(
            r.value.diff().item() / r.expected.diff().item(),
            _STUDENT[len(r.case.arguments[0])] / 1.96,
            rel_tol=5e-4,
        )
        for r in wide
    )


def _shows_another_factor(results):
    wide = [
        (r.value.diff() / r.expected.diff()).item()
        for r in sound_results(results)
        if r.expected.diff().item() > 0.01
    ]
    return (
        len(wide) > 1
        and not proportional(results)
        and max(wide) - min(wide) < 1e-3 * abs(max(wide))
    )


exercise = Exercise(
    paired_interval,
    minutes=6,
    difficulty="easy",
    hints=(
        "An image that is hard for one model is hard for the other. What is left of that "
        "in the difference, image by image?",
        "First the differences, `d = a - b`: one list. The standard error of its mean is "
        "its standard deviation over √N.",
        "`d.std()` divides by N - 1, as it should. Then `d.mean() - half` and `d.mean() "
        "+ half` with `half = 1.96 * d.std() / math.sqrt(len(d))`.",
    ),
    cases=(
        Case(
            *_costs(40, seed=111, gap=1.5),
            atol=2e-4,
            label="40 images, hard ones hard for both",
        ),
        Case(*_costs(5, seed=112, gap=2.0, own=4.0), atol=2e-4, label="5 images"),
        Case(*_costs(1000, seed=113, gap=0.5), atol=2e-4, label="1,000 images"),
        Case(
            *_costs(12, seed=114, gap=-6.0),
            atol=2e-4,
            label="12 images that are cheaper under a",
        ),
        Case(*_each_dearer(40, 1.5, seed=115), atol=1e-3, label=_CONSTANT),
        Case(*_each_dearer(12, 0.0, seed=116), atol=1e-3, label=_TWICE),
        Case(
            *_costs(40, seed=117, gap=3.0, alike=-15.0),
            atol=1e-3,
            label="40 images, hard ones of a easy for b",
        ),
        Case(*_costs(2, seed=118, gap=-1.0, own=8.0), atol=2e-4, label="2 images"),
        Case(
            *_costs(40, seed=119, gap=-4.0, alike=60.0, own=6.0, level=500.0),
            atol=1e-3,
            label="40 large images",
        ),
    ),
    mistakes=(
        Mistake(
            "not paired",
            _HALF,
            "1.96 * ((a.var() + b.var()) / len(d)).sqrt()",
            "The variances of a and b are added, as if each model had met images of its "
            "own. Then most of the width comes from images that are hard or easy for "
            "both, which the difference does not feel.",
        ),
        Mistake(
            "both standard errors added",
            _HALF,
            "1.96 * (a.std() + b.std()) / math.sqrt(len(d))",
            "The standard errors of a and of b are added up, as if two intervals were "
            "put end to end. On the same images most of both is the same, and cancels in "
            "the difference.",
        ),
        Mistake(
            "the covariance added",
            _HALF,
            "1.96 * (a + b).std() / math.sqrt(len(d))",
            "The covariance of a and b has the wrong sign: this is the width for a + b. "
            "What is alike in a and b cancels in the difference.",
        ),
        Mistake(
            "the pairs torn apart",
            "d = a - b",
            "d = a.sort().values - b.sort().values",
            "a and b are sorted before they are subtracted, so that figures of unlike "
            "images meet. Place i of both belongs to the same image.",
        ),
        Mistake(
            "the standard deviation itself",
            _HALF,
            "1.96 * d.std()",
            "The width is that of single images: the standard deviation is not divided "
            "by √N. The mean of many is known better than that.",
        ),
        Mistake(
            "the range of the images",
            f"return {_ENDS}",
            "return d.quantile(torch.tensor([0.025, 0.975], dtype=d.dtype))",
            "This interval holds 95 % of the images. Asked for is that of their mean, "
            "which is the narrower the more images there are.",
        ),
        Mistake(
            "the variance of the mean",
            _HALF,
            "1.96 * d.var() / len(d)",
            "The root is missing: this is the variance of the mean, in squared nats, not "
            "its standard error.",
        ),
        Mistake(
            "the variance over the root",
            "d.std()",
            "d.var()",
            "The variance stands where the standard deviation is due.",
        ),
        Mistake(
            "divided by N",
            "math.sqrt(len(d))",
            "len(d)",
            "The standard deviation is divided by N. The error of a mean falls more "
            "slowly: by √N.",
        ),
        Mistake(
            "N in place of N - 1",
            "d.std()",
            "d.std(correction=0)",
            "The standard deviation is the one with N below. Few images look more alike "
            "than they are: N - 1 makes up for that.",
        ),
        Mistake(
            "N - 1 below the root",
            "math.sqrt(len(d))",
            "math.sqrt(len(d) - 1)",
            "N - 1 stands below the root. It belongs in the standard deviation, once; "
            "the mean is over N images.",
        ),
        Mistake(
            "one-sided",
            "half = 1.96",
            "half = 1.645",
            "1.645 leaves 5 % on one side. An interval has two ends: 2.5 % beyond each, "
            "which is 1.96.",
        ),
        Mistake(
            "one standard error",
            "1.96 * ",
            "",
            "This is one standard error to either side, about 68 %. For 95 % it takes "
            "1.96 of them.",
        ),
        Mistake(
            "99 per cent",
            "half = 1.96",
            "half = 2.576",
            "2.576 is for 99 %. For 95 % it is 1.96.",
        ),
        Mistake(
            "two standard errors",
            "half = 1.96",
            "half = 2",
            "Two standard errors are a rule of thumb. 1.96 is asked for.",
        ),
        Mistake(
            "half to either side",
            "half = 1.96",
            "half = 0.98",
            "The width is halved once too often: 1.96 standard errors to either side, "
            "not in all.",
        ),
        Mistake(
            "b less a",
            "d = a - b",
            "d = b - a",
            "This is the interval for b - a. How many nats a needs more is a - b.",
        ),
        Mistake(
            "the ends exchanged",
            _ENDS,
            "torch.stack([d.mean() + half, d.mean() - half])",
            "The upper end comes first. The lower is due first.",
        ),
        Mistake(
            "a alone",
            "d = a - b",
            "d = a",
            "This is the interval for the mean of a alone; b has no say.",
        ),
        Mistake(
            "without signs",
            "d = a - b",
            "d = (a - b).abs()",
            "The differences have lost their signs. An image that is cheaper under a is "
            "to count against one that is dearer.",
        ),
        Mistake(
            "mean and half the width",
            _ENDS,
            "torch.stack([d.mean(), half])",
            "These are the middle and half the width. The two ends are asked for: middle "
            "less half, middle plus half.",
        ),
        Mistake(
            "around 0",
            _ENDS,
            "torch.stack([-half, half])",
            "The interval lies around 0. Its middle is the mean difference.",
        ),
        Mistake(
            "the median",
            _ENDS,
            "torch.stack([d.median() - half, d.median() + half])",
            "The middle is the median of the differences. Nats are summed over images: "
            "the mean is due.",
        ),
        Mistake(
            "in per cent",
            "d = a - b",
            "d = 100 * (a - b) / b",
            "The differences are divided by b. They are asked for in nats, as they are.",
        ),
    ),
    symptoms=(
        Symptom(
            "Student's t",
            _shows_student_s_t,
            "Your interval takes the factor from Student's t-distribution, which is "
            "wider for few images, and a good thing in general. Here 1.96 is asked for, "
            "whatever N.",
        ),
        Symptom(
            "the lower end is above the upper",
            lambda results: (
                not proportional(results)
                and any(r.value[0] > r.value[1] + 1e-3 for r in sound_results(results))
            ),
            "The first end is above the second. The lower is due first, and between them "
            "the mean difference.",
        ),
        Symptom(
            "the middle is wrong",
            lambda results: (
                not proportional(results)
                and any(
                    (r.value - r.expected).mean().abs() > 1e-2
                    for r in sound_results(results)
                )
            ),
            "The middle of your interval, halfway between the ends, is not the mean of a "
            "- b.",
        ),
        Symptom(
            "unsure where all images agree",
            lambda results: (
                not proportional(results)
                and any(
                    r.case.label in (_CONSTANT, _TWICE) and r.value.diff().abs() > 1e-2
                    for r in sound_results(results)
                )
            ),
            "Where every image costs exactly as much more under a, nothing is left to "
            "chance, and the interval has no width. Yours has one: it does not come from "
            "how the differences differ from one another.",
        ),
        Symptom(
            "another factor",
            _shows_another_factor,
            "The middle is right, and the width off by the same factor on all inputs: "
            "1.96 standard errors are due to either side.",
        ),
        Symptom(
            "the width",
            lambda results: bool(sound_results(results)) and not proportional(results),
            "The middle is right, the width is not: 1.96 times the standard deviation of "
            "the differences, over the root of their number, is due to either side.",
        ),
    ),
)
