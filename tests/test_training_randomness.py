"""Laws of the random numbers of a training: they depend on the run alone, and torch's own come back."""

import contextlib
import threading
import time

import pytest
import torch
from torch import nn
from trainings import (
    SETTINGS,
    Line,
    Stop,
    X,
    ctrl_c_at,
    generator,
    measure,
    raise_at,
    same_weights,
)

from gencourse.training import fit, loop

# -- a loss that draws random numbers --------------------------------------------------------------------------------


class Noisy(Line):
    """As a VAE, it draws in its loss, and without a generator; `drawn` keeps what came."""

    def __init__(self, at_step=None, seed=0):
        super().__init__(at_step, seed)
        self.drawn = []

    def loss(self, x, condition=None):
        e = torch.randn(x.shape)
        self.drawn.append(e)
        return super().loss(nn.functional.dropout(x + 0.3 * e, 0.2, self.training), condition)


def noisy_measure(model):
    return measure(model) + torch.randn(()).item()


NOISY = dict(SETTINGS, measure=noisy_measure, measure_every=7)


@pytest.fixture
def own_random_state():
    """A law that is broken must not spoil the next test."""
    with torch.random.fork_rng(devices=[]):
        yield


with_noise = pytest.mark.usefixtures("own_random_state")


def law_noise_resumed():
    expected = Noisy()
    whole = fit(expected, X, **NOISY)
    part = fit(Noisy(ctrl_c_at(9)), X, **NOISY)
    assert part.interrupted
    torch.randn(5)  # whatever is drawn in between
    model = Noisy(seed=1)
    history = fit(model, X, resume=part, **NOISY)
    assert history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


def law_noise_from_the_run_alone():
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = Noisy()
        runs.append((model, fit(model, X, generator=generator(5), **NOISY)))
    (model, history), (other, same) = runs
    assert history.loss == same.loss and history.measured == same.measured and same_weights(model, other)


def law_global_state_untouched():
    def fail(_):
        torch.randn(3)
        raise Stop

    state = torch.get_rng_state()
    fit(Noisy(), X, **NOISY)
    assert torch.equal(torch.get_rng_state(), state)
    assert fit(Noisy(ctrl_c_at(3, 3)), X, **NOISY).interrupted
    for model, changes in ((Noisy(raise_at(3, Stop())), {}), (Noisy(), dict(measure=fail))):
        with pytest.raises(Stop):
            fit(model, X, **{**NOISY, **changes})
    assert torch.equal(torch.get_rng_state(), state)


def law_noise_is_new_every_time():
    """At each step, at each measurement, and in a run with another generator."""
    drawn = []

    def draw(_):
        drawn.append(torch.randn(X[:8].shape))
        return 0

    for seed in (0, 1):
        model = Noisy()
        fit(model, X, generator=generator(seed), **dict(SETTINGS, measure=draw, measure_every=1))
        drawn += model.drawn
    assert len(drawn) == 120 == len({e[0, 0].item() for e in drawn})


NOISE = [law_noise_resumed, law_noise_from_the_run_alone, law_global_state_untouched, law_noise_is_new_every_time]


@with_noise
@pytest.mark.parametrize("law", NOISE, ids=lambda law: law.__name__)
def test_noise_in_the_loss(law):
    law()


@with_noise
def test_noise_in_the_loss_through_many_interruptions_and_a_file(tmp_path):
    expected = Noisy()
    whole = fit(expected, X, **NOISY)
    for attempt in range(15):
        model = Noisy(ctrl_c_at(3), seed=min(attempt, 1))
        history = fit(model, X, checkpoint=tmp_path / "run", **NOISY)
        if not history.interrupted:
            break
    assert attempt > 5 and history.loss == whole.loss and history.measured == whole.measured
    assert same_weights(model, expected)


@with_noise
def test_noise_in_the_loss_takes_nothing_from_the_generator_and_measuring_nothing_from_the_noise():
    models, generators = (Line(), Noisy(), Noisy()), [generator(3) for _ in range(3)]
    for model, random, settings in zip(models, generators, (SETTINGS, SETTINGS, NOISY)):
        fit(model, X, generator=random, **settings)
    assert all(torch.equal(random.get_state(), generators[0].get_state()) for random in generators)
    assert same_weights(models[1], models[2])


@contextlib.contextmanager
def nothing_is_borrowed(run, device):
    yield lambda k: None


@contextlib.contextmanager
def nothing_is_given_back(run, device):
    yield lambda k: torch.default_generator.manual_seed(run + k)


def borrowed(seed, once=False):
    """Given back in the end, but seeded otherwise: with `seed(run, k)`."""

    @contextlib.contextmanager
    def randomness(run, device):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed(run, 0))
            yield lambda k: None if once else torch.default_generator.manual_seed(seed(run, k))

    return randomness


SEEDS = {
    "never": nothing_is_borrowed,
    "and not given back": nothing_is_given_back,
    "once": borrowed(lambda run, k: run, once=True),
    "the same at every step": borrowed(lambda run, k: run),
    "the same at a step and the measurement before it": borrowed(lambda run, k: run + k // 2),
    "the same in every run": borrowed(lambda run, k: k),
    "with bits that a seed does not have": borrowed(lambda run, k: (run << 32) + k),
}
FOUND = [
    ("never", law_noise_resumed),
    ("never", law_noise_from_the_run_alone),
    ("never", law_global_state_untouched),
    ("and not given back", law_global_state_untouched),
    ("once", law_noise_resumed),
    ("the same at every step", law_noise_is_new_every_time),
    ("the same at a step and the measurement before it", law_noise_is_new_every_time),
    ("the same in every run", law_noise_is_new_every_time),
    ("with bits that a seed does not have", law_noise_is_new_every_time),
]


@with_noise
@pytest.mark.parametrize("seeded, law", FOUND)
def test_wrong_noise_is_found(seeded, law, monkeypatch):
    monkeypatch.setattr(loop, "global_randomness", SEEDS[seeded])
    with pytest.raises(AssertionError):
        law()


# -- several at once ---------------------------------------------------------------------------------------------------


def test_trainings_in_threads_of_one_process_are_what_each_is_alone():
    alone = {seed: fit(Noisy(), X, **NOISY, generator=generator(seed)) for seed in range(4)}
    barrier, together = threading.Barrier(4), {}

    def train_one(seed):
        barrier.wait()
        together[seed] = fit(Noisy(lambda _: time.sleep(1e-4)), X, **NOISY, generator=generator(seed))

    state = torch.get_rng_state()
    threads = [threading.Thread(target=train_one, args=[seed]) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, history in alone.items():
        assert together[seed].loss == history.loss and together[seed].measured == history.measured
    assert torch.equal(torch.get_rng_state(), state)


def test_a_training_within_a_measurement_gives_the_random_numbers_back():
    def look(model):
        torch.manual_seed(3)
        before = torch.rand(())
        fit(Noisy(), X, **dict(NOISY, measure=None, steps=2))
        torch.manual_seed(3)
        torch.rand(())
        expected = torch.rand(())
        torch.manual_seed(3)
        assert torch.rand(()) == before
        fit(Noisy(), X, **dict(NOISY, measure=None, steps=2))
        assert torch.rand(()) == expected
        return 0.0

    fit(Noisy(), X, **dict(NOISY, measure=look, steps=2))
