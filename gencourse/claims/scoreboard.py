"""Sentences near claims of chapters 01, 04 and 05, on the board of chapter 06: rules like those of the ledger, but
entered nowhere.

A claim is decided in the notebook that teaches it. Each sentence here is another one, near the claim of that name,
with samples, controls and a rule of its own, and says in which way it differs. It stops nothing, and its outcome says
nothing of the claim.
"""

from collections.abc import Mapping, Sequence

from gencourse.claims.outcome import Part, above, below, equal
from gencourse.metrics import Interval

NEARLY = 0.05  # of the way from real digits to blurred ones


def ar5(models: Mapping[str, Interval], controls: Mapping[str, Interval]) -> list[Part]:
    """Near AR5: beyond real digits, small patches have less than a twentieth of the divergence of blurred digits.

    AR5 itself compares 3×3 patches with those of a table of four neighbours, and says that they are farther from the
    data than those of real digits. Other models may pass here as well: that is no part of the rule.

    Both: {name: the divergence of its patches beyond that of fair test digits, over that of blurred digits}. 5 % is
    a twentieth of what a blur of 3 × 3 pixels does. The controls must be seen: models whose pixels are independent
    given a component or a code.
    """
    parts = [below(f"{name}, share of the blur's excess", excess, NEARLY) for name, excess in models.items()]
    return parts + [
        above(f"{name}, a control, share of the blur's excess", excess, NEARLY) for name, excess in controls.items()
    ]


def ar6(quickest: Sequence[float], slowest: Sequence[float]) -> list[Part]:
    """Near AR6: pixel after pixel is far slower than the other models of the board.

    AR6 itself counts passes, and compares with one pass of the same network; here none is counted.

    Seconds for one sample, one number a try: of the quickest autoregressive model, and of the slowest other one.
    "Far" is ten times, with the best try of the one beside the worst of the other.
    """
    middle = sorted(quickest)[len(quickest) // 2] / sorted(slowest)[len(slowest) // 2]
    ratio = Interval(middle, min(quickest) / max(slowest), max(quickest) / min(slowest), len(quickest))
    return [above("seconds of the quickest autoregressive model, over those of the slowest other", ratio, 10)]


def ga1(calls: int, moved: int, repeated: bool, control: int, pixels: int) -> list[Part]:
    """Near GA1: the generator turns noise into a sample in one pass.

    GA1 says also that chance comes in with the noise alone, and is counted in another way.

    `calls` of the generator for one sample; `moved`: of 20 pairs of noise vectors, how many make unlike samples;
    `repeated`: the same noise makes the same sample. `control`: calls counted in the same way while a network draws
    so many `pixels` one after the other without a cache; if they are not counted, the counter is blind.
    """
    return [
        equal("calls of the generator for one sample", calls, 1),
        equal("pairs of noise vectors, of 20, that make unlike samples", moved, 20),
        equal("the same noise makes the same sample", repeated, True),
        equal("calls counted of a network that draws pixel after pixel, a control", control, pixels),
    ]


def va9(
    decoded: Mapping[str, Interval],
    blurred: Interval,
    floors: Sequence[float],
    drawn: Mapping[str, Interval],
    drawn_floors: Sequence[float],
) -> list[Part]:
    """Near VA9: what a VAE decodes is less sharp than the data, until pixels are drawn from it.

    VA9 itself also speaks of the average of two strips, and its limit is 0.9. That averaging is the cause is no part
    of this.

    Sharpness over that of test digits, of VAEs trained apart, by name: `decoded`, of their probabilities; `drawn`, of
    pixels drawn from these. `floors` and `drawn_floors`: of other test digits, grey and drawn; below the lowest of them
    is "less sharp". `blurred`: of blurred digits, a control that must be seen.
    """
    return [
        *(below(f"sharpness of what {name} decodes, over the data's", it, min(floors)) for name, it in decoded.items()),
        below("of blurred grey digits, a control", blurred, min(floors)),
        *(above(f"of pixels drawn from {name}", it, min(drawn_floors)) for name, it in drawn.items()),
    ]


def good(distance: Interval, floors: Sequence[float]) -> Part:
    """A wish of the board: a Fréchet distance within three times that of fair test digits. Three is our choice.

    Settled where it is so at the lowest of the floors, or not so at the highest, with all of the interval.
    """
    middle = sum(floors) / len(floors)
    ratio = Interval(
        distance.value / middle, distance.low / max(floors), distance.high / min(floors), min(distance.n, len(floors))
    )
    return below("Fréchet distance over that of fair test digits", ratio, 3)


def fast(tries: Sequence[float], limit: float, spread: float = 1.0) -> Part:
    """A wish of the board: seconds a sample below a limit, in each try.

    `spread`: by what factor tries of one kind differ on this machine, where only one figure is kept.
    """
    middle = sorted(tries)[len(tries) // 2]
    return below("seconds a sample", Interval(middle, min(tries) / spread, max(tries) * spread, len(tries)), limit)
