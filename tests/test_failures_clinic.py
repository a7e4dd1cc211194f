"""The clinic: every illness is there, seen by its detector and by no name, and healthy models do not show it."""

import copy

import pytest
import torch

from gencourse.exercises.failures.diagnose import _FIRST, _MEASURES, _ward
from gencourse.failures import clinic

WARDS = range(10)


@pytest.fixture(scope="module")
def everybody():
    """What is measured of the 150 patients of ten wards."""
    return [truth for ward in WARDS for truth in _ward.__wrapped__(ward)]


def test_a_ward_holds_every_illness_and_a_healthy_model_of_each_family_and_the_order_says_nothing():
    beds = {kind: set() for kind in clinic._KINDS}
    for ward in range(40):
        kinds = [clinic._kind(seed) for seed in range(clinic.WARD * ward, clinic.WARD * (ward + 1))]
        assert sorted(kinds) == sorted(clinic._KINDS)
        for bed, kind in enumerate(kinds):
            beds[kind].add(bed)
    assert min(map(len, beds.values())) > clinic.WARD / 2
    assert {name for _, name in clinic._KINDS} == set(clinic.DIAGNOSES)
    assert {family for family, _ in clinic._KINDS} == set(clinic.FAMILIES)


@pytest.mark.parametrize("name", _MEASURES)
def test_the_detector_shows_the_illness_beyond_all_other_patients_of_the_family(everybody, name):
    """At ten seeds, and with a gap in which a limit can be set: also where another illness moves the number."""
    measure = _MEASURES[name]
    for family in measure.families:
        ill, others = [], []
        for truth in everybody:
            if truth.family == family:
                (ill if truth.name == name else others).append(truth.values[name])
        assert len(ill) == len(WARDS)
        if name in ("leaking mask", "wrong binarisation", "light KL", "overfitted discriminator"):
            assert min(ill) > max(others) + 0.3 * abs(max(others)), (sorted(ill), sorted(others))
        elif name == "lost modes":  # a discriminator that is frozen loses modes, too
            others = [
                t.values[name] for t in everybody if t.family == family and t.name not in (name, "frozen discriminator")
            ]
            assert max(ill) <= 0.75 < min(others) == 1
        else:
            assert max(ill) < 0.6 * min(others), (sorted(ill), sorted(others))


def test_healthy_models_show_nothing(everybody):
    healthy = [truth for truth in everybody if truth.name == "healthy"]
    assert len(healthy) == len(WARDS) * len(clinic.FAMILIES)
    for truth in healthy:
        assert not any(_MEASURES[name].off(value) for name, value in truth.values.items()), truth
    for truth in everybody:
        assert truth.name == "healthy" or _MEASURES[truth.name].off(truth.values[truth.name]), truth


def test_what_is_said_of_numbers_is_so(everybody):
    """Of the ranges that the verdicts name: 'about 2', 'above 0.3' and so on."""
    healthy = {f: [t.values for t in everybody if (t.family, t.name) == (f, "healthy")] for f in clinic.FAMILIES}
    ill = {name: [t.values[name] for t in everybody if t.name == name] for name in _MEASURES}
    assert all(1.5 < v["wrong binarisation"] < 2.5 for v in healthy["autoregressive"])
    assert all(abs(v["leaking mask"] - 1) < 1e-4 for v in healthy["autoregressive"])
    assert all(1.7 < v["light KL"] < 3.2 and abs(v["shared noise"] - 1) < 0.05 for v in healthy["VAE"])
    assert all(v["frozen discriminator"] > 0.01 and abs(v["overfitted discriminator"]) < 0.05 for v in healthy["GAN"])
    assert all(v["singular component"] > 0.3 for v in healthy["mixture"])
    assert all(0.7 < v["copies"] < 1.4 for family in ("GAN", "mixture") for v in healthy[family])
    assert min(ill["wrong binarisation"]) > 4 and min(ill["light KL"]) > 15 and max(ill["silent code"]) < 0.01
    assert (
        max(ill["frozen discriminator"]) == 0
        and min(ill["overfitted discriminator"]) > 0.1
        and max(ill["shared noise"]) < 1e-3
    )
    assert max(ill["copies"]) < 0.2 and max(ill["singular component"]) < 1e-3
    frozen = [t.values["lost modes"] for t in everybody if t.name == "frozen discriminator"]
    copies = [t.values["singular component"] for t in everybody if (t.family, t.name) == ("mixture", "copies")]
    shared = [t.values["silent code"] for t in everybody if t.name == "shared noise"]
    for name, values in {"singular component": copies, "silent code": shared}.items():
        assert all(map(_MEASURES[name].off, values)), name  # what the verdicts explain
    assert sum(map(_MEASURES["lost modes"].off, frozen)) >= 8
    assert _FIRST.keys() == set(clinic.FAMILIES)


def test_the_same_seed_gives_the_same_patient_and_a_copy_of_its_own():
    first = clinic.patient(3)
    clinic._made.cache_clear()
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            second = clinic.patient(3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert first.train.equal(second.train) and first.train.dtype == torch.float32
    mine, theirs = (list(each.model.state_dict().values()) for each in (first, second))
    assert all(map(torch.equal, mine, theirs))
    first.train.zero_()
    for weight in mine:
        weight.zero_()
    assert clinic.patient(3).train.equal(second.train)
    assert all(map(torch.equal, clinic.patient(3).model.state_dict().values(), theirs))


def test_nothing_random_is_left_behind():
    before = torch.get_rng_state()
    clinic._made.cache_clear()
    clinic.patient(1)
    assert torch.get_rng_state().equal(before)


def test_no_name_tells_the_illness():
    """Of public attributes, classes and docstrings, and of what is printed: alike for all patients of a family."""
    seen = {}
    for seed in range(clinic.WARD):
        patient = clinic.patient(seed)
        public = sorted(name for name in dir(patient) + dir(patient.model) if not name.startswith("_"))
        shapes = [tuple(each.shape) for each in (patient.train, patient.held_out)]
        look = (public, type(patient.model), patient.model.__doc__, repr(patient), shapes)
        assert seen.setdefault(patient.family, look) == look
        assert not any(name in str(look) for name in clinic.DIAGNOSES)
        assert copy.deepcopy(patient.model) is not patient.model


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0", None])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="expected a whole number from 0 on"):
        clinic.patient(seed)


@pytest.mark.parametrize(
    "ill, well, words",
    [
        (dict(), dict(), 'not yet: the covariances are to be "full"'),
        (dict(n=300, components=3), dict(n=300, components=3, floor=1e-3), "not yet: a component is to collapse"),
        (dict(n=30), dict(n=100, components=3), "it differs in components, n"),
        (dict(n=30), dict(n=30), "it differs in none"),
        (dict(n=30), dict(n=30, floor=1e-5), "not yet: the gap is to fall"),
        (dict(n=30), dict(n=30, components=3), "right: ill by your settings, and better by components alone"),
        (dict(n=30), dict(n=30, floor=0.1), "better by floor alone; but that"),
    ],
)
def test_a_treatment_is_one_change_that_halves_the_gap(ill, well, words):
    full = dict(covariance="full") if ill else {}
    told = clinic.treatment(full | ill, full | well)
    assert words in told.splitlines()[-1] and told.startswith("ill : a component collapses in")
