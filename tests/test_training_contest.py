"""Laws of the contest of two players, `fit_gan`, and proof that each law bites: bugs are put in, and it must fail.

Oracles: the textbook's loop, torch's own Adam for the steps that are unrolled, and a run that was not interrupted.
"""

import contextlib
import copy
import math
import signal

import pytest
import torch
import torch.nn.functional as F
from test_models_gan import CLASSES, Restless, X, generator, sabotage, same, small, smooth
from torch import nn

from gencourse.models import GAN, image_gan
from gencourse.support.storage import read_state
from gencourse.training import GANHistory, History, contest, fit_gan, loop
from gencourse.training.batches import batch_indices

# -- the contest -------------------------------------------------------------------------------------------------

SETTINGS = dict(steps=12, batch_size=6, lr=(0.01, 0.02), average=0.9)


def noisy(batch, generator):
    return batch + 0.1 * torch.randn(batch.shape, generator=generator)


def measure(gan):
    condition = torch.arange(3) if gan.generator.n_classes else None
    return {"sum": gan.sample(3, generator(), condition).sum().item(), "training": float(gan.training)}


GAMES = {
    "plain": (dict(), dict(measure=measure, measure_every=5)),
    "all of it": (
        dict(n_classes=3, pack=2, r1=0.5, gradient_penalty=1.0),
        dict(steps_d=2, steps_g=2, anneal="cosine", condition=CLASSES, prepare=noisy, measure=measure, measure_every=5),
    ),
    "unrolled": (dict(gradient_penalty=1.0, loss="wasserstein"), dict(unroll=2, average=0.0)),
}


def restless(seed=0, at=None, **game):
    gan = small(seed=seed)
    return GAN(Restless(gan.generator, at), Restless(gan.discriminator), **game)


def picture(player):
    """Parameters, buffers and gradients of a player."""
    return [t.detach().clone() for t in player.state_dict().values()] + [
        None if p.grad is None else p.grad.clone() for p in player.parameters()
    ]


def equal(a, b):
    return len(a) == len(b) and all(
        (s is None and t is None) or (s is not None and t is not None and torch.equal(s, t)) for s, t in zip(a, b)
    )


def law_the_other_player_is_left_alone():
    """Every turn is watched: who moves, and that the other is what it was; steps_d updates, then steps_g."""
    gan, log, alike = restless(), [], []
    move, frozen = contest.move_player, contest.frozen

    def watched(optimizer, loss, lr):
        of_d = optimizer.param_groups[0]["params"][0] is next(gan.discriminator.parameters())
        mover = gan.discriminator if of_d else gan.generator
        before = picture(mover)
        norm = move(optimizer, loss, lr)
        assert not equal(before, picture(mover)), "who has the turn, moves"
        log.append("D" if of_d else "G")
        return norm

    @contextlib.contextmanager
    def guarded(player):
        before = picture(player)
        with frozen(player):
            yield
        alike.append(equal(before, picture(player)) and all(p.requires_grad for p in player.parameters()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "move_player", watched)
        patch.setattr(contest, "frozen", guarded)
        fit_gan(gan, X, steps=3, batch_size=6, steps_d=2, steps_g=3)
    assert log == ["D", "D", "G", "G", "G"] * 3
    assert alike == [True] * 6, "a frozen player is what it was: parameters, buffers, gradients"


def contest_by_hand(gan, steps, batch_size, lr_d, lr_g, seed):
    """The textbook's loop, for plain data and no penalty; the same random numbers."""
    random = generator(seed)
    shuffle = int(torch.randint(2**31, (), generator=random))
    adam_d = torch.optim.Adam(gan.discriminator.parameters(), lr=lr_d, betas=(0.0, 0.99))
    adam_g = torch.optim.Adam(gan.generator.parameters(), lr=lr_g, betas=(0.0, 0.99))
    losses = []
    for step in range(steps):
        real = X[batch_indices(step, len(X), batch_size, shuffle)]
        fake = gan.generator(torch.randn(batch_size, gan.latent, generator=random)).detach()
        loss_d = -F.logsigmoid(gan.discriminator(real)).mean() - F.logsigmoid(-gan.discriminator(fake)).mean()
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        fake = gan.generator(torch.randn(batch_size, gan.latent, generator=random))
        loss_g = -F.logsigmoid(gan.discriminator(fake)).mean()
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()
        losses.append((loss_d.item(), loss_g.item()))
    return losses


def law_the_contest_is_the_textbooks():
    expected, gan = small(), small()
    losses = contest_by_hand(expected, 10, 6, 0.01, 0.02, seed=3)
    history = fit_gan(gan, X, steps=10, batch_size=6, lr=(0.01, 0.02), generator=generator(3))
    assert list(zip(history.loss_d, history.loss_g)) == [pytest.approx(pair, abs=1e-5) for pair in losses]
    for a, b in zip(gan.parameters(), expected.parameters()):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def law_unrolled_steps_are_adams():
    """The weights after n unrolled steps are those that Adam would come to, and the gradient passes through them."""
    gan, real = smooth(small(r1=0.5)), X[:6].double()
    optimizer = torch.optim.Adam(gan.discriminator.parameters(), lr=0.01, betas=(0.5, 0.9))
    z = gan.noise(6, generator())

    def update(game, adam, fake):
        adam.zero_grad()
        game.discriminator_loss(real, fake.detach()).backward()
        adam.step()

    for _ in range(3):  # moments that are not zero
        update(gan, optimizer, gan.generator(z))
    fake = gan.generator(z)
    weights = contest.unrolled(gan, optimizer, real, fake, (), 4, None)
    ahead = copy.deepcopy(gan)
    adam = torch.optim.Adam(ahead.discriminator.parameters(), lr=0.01, betas=(0.5, 0.9))
    adam.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # or it would write into the other's moments
    for _ in range(4):
        update(ahead, adam, fake)
    for key, p in ahead.discriminator.named_parameters():
        torch.testing.assert_close(weights[key].detach(), p.detach(), atol=1e-5, rtol=1e-5)
    gan.generator_loss(fake, weights=weights).backward()
    p = gan.generator.net[0].weight
    found, values = p.grad[1, 1].item(), []
    for h in (1e-6, -2e-6):
        with torch.no_grad():
            p[1, 1] += h
        fake = gan.generator(z)
        ahead = contest.unrolled(gan, optimizer, real, fake, (), 4, None)
        values.append(gan.generator_loss(fake, weights=ahead).item())
    assert found == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-3)


CONTEST_LAWS = [law_the_other_player_is_left_alone, law_the_contest_is_the_textbooks, law_unrolled_steps_are_adams]
CONTEST_BUGS = [
    ("frozen", "player.requires_grad_(False)", "pass", 0),
    ("frozen", "buffer.copy_(before)", "pass", 0),
    ("move_player", "optimizer.zero_grad(set_to_none=True)", "pass", 1),
    ("unrolled", "create_graph=True", "create_graph=False", 2),
    ("unrolled", "1 - beta_m**t", "1", 2),
    ("unrolled", 'int(state["step"])', "0", 2),
]


@pytest.mark.parametrize("law", CONTEST_LAWS, ids=lambda law: law.__name__)
def test_the_contest(law):
    law()


@pytest.mark.parametrize("name, right, wrong, law", CONTEST_BUGS)
def test_a_wrong_contest_is_found(name, right, wrong, law, monkeypatch):
    sabotage(monkeypatch, contest, name, right, wrong)
    with pytest.raises((AssertionError, RuntimeError)):
        CONTEST_LAWS[law]()


FREEZES = {"unrolled": dict(unroll=2), "averaged": dict(average=0.9), "resumed": dict(average=0.9, unroll=1)}


@pytest.mark.parametrize("how", FREEZES)
@pytest.mark.parametrize("game", [dict(), dict(r1=0.5), dict(gradient_penalty=1.0, loss="wasserstein")])
def test_frozen_and_unused_weights_of_both_players_stay_where_they_are(how, game):
    def build():
        gan = small(**game)
        for player in (gan.generator, gan.discriminator):
            player.net[2].requires_grad_(False)
            player.unused = nn.Parameter(torch.ones(3))
        return gan

    settings = {**SETTINGS, "average": 0.0, **FREEZES[how]}
    gan, begun = build(), build()
    history = fit_gan(gan, X, **settings)
    assert not history.interrupted
    for player, before in ((gan.generator, begun.generator), (gan.discriminator, begun.discriminator)):
        assert torch.equal(player.net[2].weight, before.net[2].weight) and torch.equal(player.unused, before.unused)
        assert not torch.equal(player.net[0].weight, before.net[0].weight)
    if how == "resumed":
        part = fit_gan(begun, X, minutes=1e-9, **settings)
        assert fit_gan(begun, X, resume=part, **settings).loss_g == history.loss_g and same(begun, gan)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_a_contest_without_gradients_around_it_is_the_same(around):
    models = [small(r1=0.5), small(r1=0.5)]
    histories = [fit_gan(models[0], X, **SETTINGS)]
    with around():
        histories.append(fit_gan(models[1], X.clone(), **SETTINGS))
    assert same(*models) and histories[0].loss_d == histories[1].loss_d
    with torch.inference_mode():
        gan = small()
    with pytest.raises(ValueError, match="of this Generator were made under torch.inference_mode"):
        fit_gan(gan, X, **SETTINGS)


def test_unrolling_changes_what_the_generator_learns():
    plain, unrolled = small(), small()
    fit_gan(plain, X, **SETTINGS)
    fit_gan(unrolled, X, unroll=3, **SETTINGS)
    assert not same(plain.generator, unrolled.generator)


def test_the_generators_weights_are_averaged_and_the_contest_does_not_feel_it():
    weights = []
    gan, raw = small(), small()
    original = contest.update_average

    def watched(averaged, own, average, step):
        weights.append(own["generator.net.0.weight"].detach().clone())
        return original(averaged, own, average, step)

    contest.update_average = watched
    try:
        history = fit_gan(gan, X, **dict(SETTINGS, average=0.8))
    finally:
        contest.update_average = original
    plain = fit_gan(raw, X, **dict(SETTINGS, average=0.0))
    assert history.loss_g == plain.loss_g and same(gan.discriminator, raw.discriminator)
    averaged = small().generator.net[0].weight.detach()
    for step, weight in enumerate(weights, 1):
        decay = min(0.8, (1 + step) / (10 + step))
        averaged = decay * averaged + (1 - decay) * weight
    torch.testing.assert_close(gan.generator.net[0].weight.detach(), averaged)
    assert torch.equal(weights[-1], raw.generator.net[0].weight)


def test_step_sizes_fall_to_a_hundredth():
    sizes = []
    original = contest.move_player
    contest.move_player = lambda optimizer, loss, lr: (sizes.append(lr), original(optimizer, loss, lr))[1]
    try:
        for anneal in ("none", "cosine", "exponential"):
            fit_gan(small(hidden=()), X, steps=100, batch_size=6, lr=(0.01, 0.02), anneal=anneal)
    finally:
        contest.move_player = original
    assert set(sizes[:200:2]) == {0.01} and set(sizes[1:200:2]) == {0.02}
    for start, middle in ((200, 0.00505), (400, 0.001)):
        d, g = sizes[start : start + 200 : 2], sizes[start + 1 : start + 200 : 2]
        assert g == pytest.approx([2 * s for s in d]) and d[0] == 0.01 and 1e-4 < d[-1] < 1.1e-4
        assert all(a > b for a, b in zip(d, d[1:])) and d[50] == pytest.approx(middle)


def test_fit_gan_learns():
    x = 0.3 * torch.randn(2000, 2, generator=generator(2)) + torch.tensor([2.0, -1.0])
    gan = small(hidden=(32, 32), latent=2, r1=0.1)
    history = fit_gan(gan, x, steps=400, batch_size=64, lr=3e-3, average=0.99, anneal="cosine")
    drawn = gan.sample(2000, generator())
    torch.testing.assert_close(drawn.mean(0), x.mean(0), atol=0.15, rtol=0)
    assert drawn.std(0).tolist() == pytest.approx([0.3, 0.3], abs=0.1)
    assert history.smooth("loss_d")[-1] == pytest.approx(2 * math.log(2), abs=0.1)
    assert history.d_real[-1] == pytest.approx(0.5, abs=0.1) and history.d_fake[-1] == pytest.approx(0.5, abs=0.1)
    assert all(len(v) == 400 for v in (history.loss_g, history.d_real, history.grad_norm_g)) and history.seconds > 0
    assert not gan.training and all(p.requires_grad for p in gan.parameters())


def test_measurements_are_of_the_averaged_generator_at_rest():
    gan = small()
    history = fit_gan(gan, X, measure=measure, measure_every=5, **SETTINGS)
    assert [step for step, _ in history.measured] == [5, 10, 12]
    assert history.measured[-1][1] == measure(gan) and history.measured[-1][1]["training"] == 0
    assert fit_gan(small(), X, measure=lambda gan: 3, **SETTINGS).measured == [(12, 3.0)]


# -- interrupted is uninterrupted --------------------------------------------------------------------------------


def stopped(monkeypatch, at, times=1, error=None):
    """Ctrl-C, or an error, at the n-th update: between the players' turns, when a step is half done."""
    original, calls = contest.move_player, []

    def move(*arguments):
        calls.append(1)
        norm = original(*arguments)
        if len(calls) == at:
            if error is not None:
                raise error
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return norm

    monkeypatch.setattr(contest, "move_player", move)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("times, at", [(1, 1), (2, 1), (1, 10), (2, 11), (2, 21)])
def test_a_resumed_contest_is_one_that_was_not_interrupted(game, times, at, tmp_path, monkeypatch, capsys):
    build, changes = GAMES[game]
    settings = {**SETTINGS, **changes}
    expected = small(**build)
    whole = fit_gan(expected, X, **settings)
    stopped(monkeypatch, at, times)
    gan = small(**build)
    part = fit_gan(gan, X, checkpoint=tmp_path / "run", **settings)
    updates = settings.get("steps_d", 1) + settings.get("steps_g", 1)
    assert part.interrupted and len(part.loss_g) == ((at - 1) // updates + 1 if times == 1 else (at - 1) // updates)
    assert "interrupted after step" in capsys.readouterr().out
    monkeypatch.undo()
    for way in (dict(resume=part), dict(checkpoint=tmp_path / "run")):
        other = small(seed=1, **build)  # all comes from the state, nothing from the weights
        history = fit_gan(other, X, **way, **settings)
        assert same(other, expected) and not history.interrupted
        for key in ("loss_d", "loss_g", "d_real", "d_fake", "grad_norm_g", "measured"):
            assert getattr(history, key) == getattr(whole, key), key


def test_a_contest_in_channels_last_memory_resumes_to_the_same_bits(tmp_path):
    """Fused optimisers pair numbers by their place in memory, so that moments must lie there as their weights do."""

    def game():
        torch.manual_seed(0)
        return image_gan((1, 8, 8), latent=4, channels=8).to(memory_format=torch.channels_last)

    x, calls, whole = torch.rand(20, 1, 8, 8, generator=generator()), [], game()
    fit_gan(whole, x, **SETTINGS)

    def stop(batch, generator):
        calls.append(batch)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
        return batch

    part = fit_gan(game(), x, prepare=stop, checkpoint=tmp_path / "run", **SETTINGS)
    assert part.interrupted
    for way in (dict(resume=part), dict(checkpoint=tmp_path / "run")):
        resumed = game()
        fit_gan(resumed, x, **way, **SETTINGS)
        assert same(resumed, whole)


def test_a_contest_with_buffers_and_dropout_resumes_too(monkeypatch):
    expected = restless()
    state = torch.get_rng_state()
    whole = fit_gan(expected, X, **SETTINGS)
    stopped(monkeypatch, 9, 2)
    part = fit_gan(restless(), X, **SETTINGS)
    monkeypatch.undo()
    gan = restless(seed=1)
    assert fit_gan(gan, X, resume=part, **SETTINGS).loss_d == whole.loss_d and same(gan, expected)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("at", [1, 2, 7, 8])
def test_an_error_takes_the_whole_step_back(at, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    whole = fit_gan(small(), X, **dict(SETTINGS, average=0.0))
    before, random = small(), generator(0)
    if at > 2:
        stopped(monkeypatch, 6)  # three whole steps
        fit_gan(before, X, **dict(SETTINGS, average=0.0))
        monkeypatch.undo()
    gan = small()
    stopped(monkeypatch, at, error=Stop())
    with pytest.raises(Stop):
        fit_gan(
            gan, X, generator=random, checkpoint=tmp_path / "run", checkpoint_every=1, **dict(SETTINGS, average=0.0)
        )
    monkeypatch.undo()
    assert same(gan, before), "half a step is none"
    if at > 2:
        assert read_state(tmp_path / "run")["step"] == 3
        resumed = small(seed=1)
        assert (
            fit_gan(resumed, X, checkpoint=tmp_path / "run", checkpoint_every=1, **dict(SETTINGS, average=0.0)).loss_g
            == whole.loss_g
        )


def test_half_a_step_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "all_or_nothing", lambda *_: contextlib.nullcontext())
    with pytest.raises(AssertionError):
        test_an_error_takes_the_whole_step_back(8, tmp_path, pytest.MonkeyPatch())


@pytest.mark.parametrize(
    "part",
    [
        "averaged.generator.net.0.weight",
        "optimizer_d.0.exp_avg_sq",
        "optimizer_g.1.step",
        "generator",
        "model.discriminator.net.0.weight",
    ],
)
def test_every_part_of_the_state_is_needed(part, monkeypatch):
    expected = small()
    fit_gan(expected, X, **SETTINGS)
    stopped(monkeypatch, 10)
    history = fit_gan(small(), X, **SETTINGS)
    monkeypatch.undo()
    tensor = history.state["tensors"][part]
    history.state["tensors"][part] = generator(5).get_state() if part == "generator" else tensor + 1
    gan = small()
    fit_gan(gan, X, resume=history, **SETTINGS)
    assert not same(gan, expected)


def test_another_run_is_not_taken_up(monkeypatch, tmp_path):
    stopped(monkeypatch, 10)
    fit_gan(small(), X, checkpoint=tmp_path / "run", **SETTINGS)
    monkeypatch.undo()
    for changes, message in [
        (dict(unroll=2), "unroll was 0, is 2"),
        (dict(lr=0.1), r"lr was \[0.01, 0.02\], is \[0.1, 0.1\]"),
        (dict(steps_d=2), "steps_d was 1, is 2"),
        (dict(anneal="cosine"), "anneal was none, is cosine"),
    ]:
        with pytest.raises(ValueError, match=f"other settings: {message}; give those"):
            fit_gan(small(), X, checkpoint=tmp_path / "run", **{**SETTINGS, **changes})
    with pytest.raises(ValueError, match="had another model"):
        fit_gan(small(hidden=(8, 9)), X, checkpoint=tmp_path / "run", **SETTINGS)


# -- numbers that are not finite ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "player, what", [("generator", "largest value of a sample"), ("discriminator", "discriminator's loss")]
)
def test_a_player_that_is_no_number_stops_the_run(player, what, tmp_path):
    gan = small()
    with torch.no_grad():
        next(getattr(gan, player).parameters())[0, 0] = math.nan
    before = copy.deepcopy(gan.state_dict())
    with pytest.raises(FloatingPointError, match=f"the {what} is nan at step 1 of 12; try a smaller lr"):
        fit_gan(gan, X, checkpoint=tmp_path / "run", **SETTINGS)
    assert all(torch.equal(v.nan_to_num(7), before[k].nan_to_num(7)) for k, v in gan.state_dict().items())
    assert not (tmp_path / "run").exists()


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, message, changes",
    [
        (ValueError, "steps is 0; expected at least 1", dict(steps=0)),
        (ValueError, "steps_d is 0; expected at least 1", dict(steps_d=0)),
        (ValueError, "steps_g is 0; expected at least 1", dict(steps_g=0)),
        (TypeError, "steps is 2.0; expected an integer", dict(steps=2.0)),
        (ValueError, "unroll is -1; expected at least 0", dict(unroll=-1)),
        (ValueError, "batch_size is 41, but x has only 40", dict(batch_size=41)),
        (ValueError, "lr is 0; expected a positive", dict(lr=(0.1, 0))),
        (TypeError, "lr is 'fast'; expected a number", dict(lr="fast")),
        (TypeError, "betas is 0.9; expected a pair", dict(betas=0.9)),
        (ValueError, r"betas is \(0.9, 1.0\); expected two numbers", dict(betas=(0.9, 1.0))),
        (ValueError, "anneal is 'linear'; expected one of", dict(anneal="linear")),
        (ValueError, "average is 1; expected a decay", dict(average=1)),
        (TypeError, "resume is of type History; expected the GANHistory", dict(resume=History())),
        (ValueError, "resume is the GANHistory of a run that was finished", dict(resume=GANHistory())),
        (TypeError, "generator is 7; expected a torch.Generator", dict(generator=7)),
        (ValueError, "x holds NaN", dict(x=X / 0)),
        (ValueError, r"real has shape \(6, 3\); this GAN models event_shape \(2,\)", dict(x=torch.ones(40, 3))),
        (ValueError, "x has 6 examples; expected a multiple of pack = 4", dict(gan=small(pack=4))),
        (ValueError, "condition has shape", dict(condition=CLASSES[1:])),
        (TypeError, "gan is of type Linear; expected .* the players", dict(gan=nn.Linear(2, 2))),
    ],
)
def test_fit_gan_says_what_is_wrong(error, message, changes):
    state, arguments = torch.get_rng_state(), {"gan": small(), "x": X, **SETTINGS, **changes}
    with pytest.raises(error, match=message):
        fit_gan(arguments.pop("gan"), arguments.pop("x"), **arguments)
    assert torch.equal(torch.get_rng_state(), state)
