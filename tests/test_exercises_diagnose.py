"""The exercise `diagnose`: right answers with other limits and detectors, and wrong ones and what is said of each."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gencourse import metrics
from gencourse.exercises.failures import diagnose
from gencourse.exercises.failures.diagnose import _WARD, _ward
from gencourse.failures import clinic

RIGHT = []
IMAGES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=16)))
reference = diagnose.reference


def right(fn):
    RIGHT.append(fn)
    return fn


# right answers


@right
@torch.no_grad()
def diagnose__course_metrics(patient):
    """With the detectors of the course."""
    model, draws = patient.model, torch.Generator().manual_seed(3)
    if patient.family == "autoregressive":
        total = model.log_prob(IMAGES).logsumexp(0).exp().item()
        if not 0.99 < total < 1.01:
            return "leaking mask", total
        dearer = (model.log_prob((patient.grey > 0.5).float()) - model.log_prob(patient.held_out)).mean().item()
        return ("wrong binarisation", dearer) if dearer > 3 else ("healthy", total)
    if patient.family == "VAE":
        q = model.encode(patient.held_out)
        kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item()
        noise = (model.codes(patient.held_out, draws) - q.mean) / q.stddev
        if noise.var(0).max() < 0.1:
            return "shared noise", noise.std(0).max().item()
        return ("light KL" if kl > 6 else "silent code" if kl < 0.5 else "healthy"), kl
    x = model.sample(1500, draws)
    near, floor = (metrics.nearest_distance(y, patient.train).quantile(0.5) for y in (x, patient.held_out))
    if near < 0.3 * floor:
        return "copies", (near / floor).item()
    if patient.family == "mixture":
        least = min(model.covariances.tolist())
        return ("singular component", least) if least < 0.05 else ("healthy", least)
    d, old = (each.discriminator(patient.held_out).sigmoid() for each in (model, patient.earlier))
    if torch.equal(d, old):
        return "frozen discriminator", 0.0
    gap = (model.discriminator(patient.train).sigmoid().mean() - d.mean()).item()
    if gap > 0.07:
        return "overfitted discriminator", gap
    found = metrics.mode_statistics(x, patient.centres, patient.sigma).captured
    return ("lost modes", found / 8) if found < 8 else ("healthy", 1.0)


@right
def diagnose__numpy(patient):
    """With NumPy, and numbers of its types."""
    name, number = reference(patient)
    if patient.family == "mixture":
        least = np.min(patient.model.covariances.numpy())
        x = patient.model.sample(999, torch.Generator().manual_seed(8)).numpy()

        def near(y):
            return np.median(np.linalg.norm(y[:, None] - patient.train.numpy(), axis=-1).min(1))

        ratio = near(x) / near(patient.held_out.numpy())
        return ("copies", ratio) if ratio < 0.3 else ("singular component" if least < 1e-3 else "healthy", least)
    return [name, np.float32(number)]


def other_draws(seed):
    """Other random draws, and the family's own numbers as tensors."""

    @torch.no_grad()
    def answer(patient):
        name, number = reference(patient)
        if patient.family == "GAN":
            x = patient.model.sample(800, torch.Generator().manual_seed(seed))
            near = torch.cdist(x, patient.train).amin(1).median()
            ratio = near / torch.cdist(patient.held_out, patient.train).amin(1).median()
            if name == "copies":
                number = ratio
            if name in ("healthy", "lost modes"):
                mode = torch.cdist(x, patient.centres).argmin(1)
                number = (torch.bincount(mode, minlength=8) > 4).float().mean()
        if name == "wrong binarisation":
            again = torch.bernoulli(patient.grey, generator=torch.Generator().manual_seed(seed))
            cut = patient.model.log_prob((patient.grey >= 0.5).float())
            number = (cut - patient.model.log_prob(again)).mean()
        return name, number

    return answer


for seed in (21, 22):
    fn = other_draws(seed)
    fn.__name__ = f"diagnose__other_draws_{seed}"
    right(fn)


@right
@torch.no_grad()
def diagnose__half_of_the_data(patient):
    """Of the held-out examples every second one."""
    name, number = reference(patient)
    if patient.family == "VAE" and name != "shared noise":
        q = patient.model.encode(patient.held_out[::2])
        number = (0.5 * (q.mean**2 + q.scale**2 - 1 - 2 * q.scale.log())).sum(1).mean()
    if patient.family == "VAE" and name == "shared noise":
        q = patient.model.encode(patient.train[:100])
        number = ((patient.model.codes(patient.train[:100]) - q.loc) / q.scale)[:, 0].std()
    return name, number


@right
@torch.no_grad()
def diagnose__by_the_oddest_number(patient):
    """All measures first, then the one that is oddest: limits as multiples of what is usual."""
    model, new = patient.model, patient.held_out
    if patient.family == "autoregressive":
        p = torch.cat([model.log_prob(part).exp() for part in IMAGES.split(10_000)]).sum()
        cut = model.log_prob(patient.grey.round()).mean() - model.log_prob(new).mean()
        odd = {"leaking mask": abs(p - 1) > 0.05, "wrong binarisation": cut > 4}
        values = {"leaking mask": p, "wrong binarisation": cut, "healthy": p}
    elif patient.family == "VAE":
        q = model.encode(new)
        e = (model.codes(new, torch.Generator().manual_seed(1)) - q.mean) / q.stddev
        kl = (q.mean.pow(2) + q.variance - q.variance.log() - 1).sum() / 2 / len(new)
        odd = {"shared noise": e.std(0).mean() < 0.9, "light KL": kl > 10, "silent code": kl < 0.2}
        values = {"shared noise": e.std(0).mean(), "light KL": kl, "silent code": kl, "healthy": kl}
    else:
        return reference(patient)
    name = next((key for key, yes in odd.items() if yes), "healthy")
    return name, values[name]


@pytest.mark.parametrize("answer", RIGHT, ids=lambda fn: fn.__name__)
def test_right_answers_pass(answer):
    assert diagnose.grade(answer).passed, diagnose.grade(answer)


# wrong answers


def named(change):
    """The reference, its name changed by change(name, patient)."""

    def answer(patient):
        name, number = reference(patient)
        return change(name, patient), number

    return answer


def numbered(change):
    """The reference, its number changed by change(name, number, patient)."""

    def answer(patient):
        name, number = reference(patient)
        return name, change(name, number, patient)

    return answer


def instead(old, new, measured=True):
    """One diagnosis for another, with the number of the right one or of the other."""

    def answer(patient):
        name, number = reference(patient)
        return (new, number if measured else 0.123) if name == old else (name, number)

    return answer


@torch.no_grad()
def by_kl_only(patient):
    if patient.family != "VAE":
        return reference_of_the_healthy(patient)
    q = patient.model.encode(patient.held_out)
    kl = ((q.mean**2 + q.variance - 1) / 2 - q.stddev.log()).sum(1).mean().item()
    return ("light KL" if kl > 8 else "silent code" if kl < 0.1 else "healthy"), kl


@torch.no_grad()
def reference_of_the_healthy(patient):
    """Calls everybody healthy, with the family's first measure."""
    truth = next(t for t in _ward(_WARD) if clinic.patient(t.seed).train.equal(patient.train))
    return "healthy", truth.values[FAMILY[patient.family]]


FAMILY = {"autoregressive": "leaking mask", "VAE": "silent code", "GAN": "lost modes", "mixture": "singular component"}


@torch.no_grad()
def kl_first(patient):
    """Looks at the KL before the noise, with a generous limit."""
    name, number = reference(patient)
    if patient.family == "VAE":
        q = patient.model.encode(patient.held_out)
        kl = ((q.mean**2 + q.variance - 1) / 2 - q.stddev.log()).sum(1).mean().item()
        return ("silent code", kl) if kl < 1.3 else (name, number)
    return name, number


@torch.no_grad()
def narrow_first(patient):
    """Looks at the variances before the copies."""
    name, number = reference(patient)
    if patient.family == "mixture" and (least := patient.model.covariances.min().item()) < 0.05:
        return "singular component", least
    return name, number


@torch.no_grad()
def modes_first(patient):
    """Looks at the modes before the discriminator."""
    name, number = reference(patient)
    if name == "frozen discriminator":
        near = torch.cdist(patient.model.sample(2000), patient.centres) < 3 * patient.sigma
        return "lost modes", near.any(0).float().mean().item()
    return name, number


@torch.no_grad()
def without_copies(patient):
    """Calls copies healthy."""
    return reference_of_the_healthy(patient) if reference(patient)[0] == "copies" else reference(patient)


def only_of(names):
    """`shift` of the number where the name is one of these."""

    def change(shift):
        return numbered(lambda name, number, patient: shift(number) if name in names else number)

    return change


KL = only_of({"light KL", "silent code"})
NAMES, PAIR, LIST = "wrong diagnosis", "no pair", "no diagnosis of the list"
MEASURE, NUMBER, LUCKY = (
    "the number of another measure",
    "right diagnosis, wrong number",
    "wrong diagnosis, right number",
)

WRONG = [
    (lambda patient: ("healthy", 1.0), "always the same diagnosis", "'healthy'"),
    (lambda patient: ("leaking mask", 3.0), "always the same diagnosis", "'leaking mask'"),
    (
        named(lambda name, patient: FAMILY[patient.family]),
        "the diagnosis follows the family",
        "family get the same name",
    ),
    (named(lambda n, p: "shared noise" if (n, p.family) == ("healthy", "VAE") else n), "healthy ones called sick", "1"),
    (
        named(lambda n, p: "overfitted discriminator" if (n, p.family) == ("healthy", "GAN") else n),
        "healthy ones called sick",
        "",
    ),
    (instead("healthy", "copies"), "healthy ones called sick", ""),
    (by_kl_only, "sick ones called healthy", "Called healthy though sick: "),
    (without_copies, "sick ones called healthy", "sick: 2 of 15 patients"),
    (
        instead("frozen discriminator", "healthy", False),
        "sick ones called healthy",
        "change of D(x) since the earlier discriminator",
    ),
    (kl_first, NAMES, "all carry the same noise"),
    (narrow_first, NAMES, "learnt its training data by heart is narrow"),
    (modes_first, NAMES, "which does not move likes best"),
    (
        instead("lost modes", "frozen discriminator", False),
        NAMES,
        "Then the change of D(x) since the earlier discriminator would be 0",
    ),
    (instead("light KL", "leaking mask", False), NAMES, "That is a failure of another family: autoregressive."),
    (instead("wrong binarisation", "leaking mask"), LUCKY, "is right: it is what tossed images cost more"),
    (instead("overfitted discriminator", "frozen discriminator"), LUCKY, "is right: it is D(x) on the training data"),
    (instead("shared noise", "light KL"), LUCKY, "does not belong to it"),
    (numbered(lambda name, number, patient: 0.5), "one number for all", "All 15 patients get the number 0.5"),
    (numbered(lambda name, number, patient: {"healthy": 1.0}.get(name, 0.25)), NUMBER, "Asked for is"),
    (KL(lambda kl: kl / math.log(2)), MEASURE, "in bits: nats are asked for"),
    (KL(lambda kl: kl / 49), MEASURE, "the 49 pixels"),
    (KL(lambda kl: kl / 6), MEASURE, "the 6 dimensions"),
    (only_of({"singular component"})(math.sqrt), MEASURE, "as its root, a standard deviation"),
    (only_of({"overfitted discriminator", "wrong binarisation"})(lambda v: -v), MEASURE, "with the other sign"),
    (only_of({"lost modes"})(lambda v: 8 * v), MEASURE, "a number of modes"),
    (only_of({"leaking mask"})(math.log), MEASURE, "as its logarithm"),
    (only_of({"copies"})(lambda v: 0.5), NUMBER, "the distance of samples to the training data"),
    (only_of({"frozen discriminator"})(lambda v: 0.3), NUMBER, "the change of D(x)"),
    (only_of({"shared noise"})(lambda v: 1.0), NUMBER, "the standard deviation of the noise"),
    (lambda patient: reference(patient)[0], PAIR, "where a pair (name, number) is due"),
    (lambda patient: {"name": "healthy"}, PAIR, "a dict"),
    (lambda patient: reference(patient)[::-1], LIST, "is no diagnosis of the list: healthy, leaking mask"),
    (named(lambda name, patient: name.upper()), LIST, "It was patient("),
    (named(lambda name, patient: clinic.DIAGNOSES.index(name)), LIST, "is no diagnosis of the list"),
    (numbered(lambda name, number, patient: math.nan), "no number", "nan where one finite number is due"),
    (numbered(lambda name, number, patient: "0.3"), "no number", "'0.3'"),
    (numbered(lambda name, number, patient: torch.ones(3)), "no number", "one finite number"),
    (lambda patient: reference(patient) + (1 / 0,), "ZeroDivisionError", "It was patient("),
    (lambda patient: patient.model.log_likelihood(patient.held_out), "AttributeError", "log_likelihood"),
    (lambda patient: reference(patient) and None, "returned nothing", "return"),
]


@pytest.mark.parametrize(
    ("answer", "diagnosis", "words"), WRONG, ids=[f"{i}: {d}" for i, (_, d, _) in enumerate(WRONG)]
)
def test_wrong_answers(answer, diagnosis, words):
    verdict = diagnose.grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis and words in verdict.message, verdict


def test_the_number_is_judged_apart_from_the_name():
    """Wrong names with right numbers, and right names with wrong numbers, are told apart."""
    for i, truth in list(enumerate(_ward(_WARD)))[::4]:
        calls = []

        def wrong_number(patient, i=i, calls=calls):
            calls.append(0)
            name, number = reference(patient)
            return name, number + 3 + abs(number) if (len(calls) - 1) % clinic.WARD == i else number

        verdict = diagnose.grade(wrong_number)
        assert verdict.diagnosis in (NUMBER, MEASURE) and f"patient({truth.seed})" in verdict.message, verdict


def test_a_patient_that_is_changed_harms_nobody():
    def spoils(patient):
        answer = reference(patient)
        patient.train.zero_()
        for weight in patient.model.state_dict().values():
            weight.zero_()
        return answer

    assert diagnose.grade(spoils).passed and diagnose.grade(reference).passed


def test_what_an_earlier_answer_said_is_forgotten():
    assert diagnose.grade(reference).passed
    assert diagnose.grade(lambda patient: 1 / 0).diagnosis == "ZeroDivisionError"
    assert diagnose.grade(reference).passed
