"""Laws of the yardsticks of samples, and proof that each law bites: bugs are put in, and the law must fail.

Oracles: the package prdc, scipy's matrix root and rank test, closed forms of Gaussians, counts made by hand. Each
yardstick has a floor, data against other data of the same law, and a positive control, a model known to fail it.
"""

import itertools
import math
import types

import numpy as np
import prdc
import pytest
import scipy.linalg
import scipy.stats
import torch
from merged import module_of, source_of

from gencourse import data, metrics
from gencourse.metrics import clouds as metrics_clouds
from gencourse.metrics import copying, likeness


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(n, width=2, seed=0):
    return torch.randn(n, width, generator=generator(seed), dtype=torch.float64)


def ring(n, sigma=0.01, seed=0, modes=8):
    """Samples of the first `modes` of eight Gaussians on a circle of radius 1, and the centres of all eight."""
    angle = torch.arange(8) * 2 * math.pi / 8
    centres = torch.stack([angle.cos(), angle.sin()], 1)
    mode = torch.randint(modes, (n,), generator=generator(seed))
    return centres[mode] + sigma * torch.randn(n, 2, generator=generator(seed + 1)), centres


# ---------------------------------------------------------------------------------------------------- modes


def law_modes_by_hand(m=metrics):
    centres, sigma = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10]]), 0.5
    samples = torch.tensor(
        [
            [0.0, 0],
            [1, 0],
            [0, -1.4],
            [1.4, 0],  # four of the first mode
            [10, 1.2],
            [9, 10.9],  # one of the second, one of the fourth
            [1.6, 0],
            [0, 8.4],
            [1.2, 1.2],
            [5, 5],  # none within 3σ = 1.5, one of them nearest to the third
        ]
    )
    captured, high_quality, reverse_kl = m.mode_statistics(samples, centres, sigma)
    assert captured == 3 and high_quality == pytest.approx(0.6)
    shares = [4 / 6, 1 / 6, 1 / 6]
    assert reverse_kl == pytest.approx(sum(p * math.log(p * 4) for p in shares))  # KL(shares ‖ uniform over 4)


def law_modes_of_a_ring(m=metrics):
    samples, centres = ring(2500)
    captured, high_quality, reverse_kl = m.mode_statistics(samples, centres, 0.01)
    assert captured == 8 and reverse_kl == pytest.approx(7 / 5000, abs=0.003)  # what counting adds: (K − 1) / 2N
    assert high_quality == pytest.approx(1 - math.exp(-4.5), abs=5 * 0.1 / 50)
    for modes in (1, 3):  # a model that collapsed
        captured, high_quality, reverse_kl = m.mode_statistics(ring(2500, modes=modes)[0], centres, 0.01)
        assert captured == modes and high_quality > 0.98 and reverse_kl == pytest.approx(math.log(8 / modes), abs=0.01)
    blurred = m.mode_statistics(ring(2500, sigma=0.1)[0], centres, 0.01)  # and one that found all, and hits none
    assert blurred.captured == 8 and blurred.high_quality == pytest.approx(1 - math.exp(-0.045), abs=0.02)


def test_a_model_without_any_good_sample():
    centres = ring(1)[1]
    assert metrics.mode_statistics(torch.full((10, 2), 7.0), centres, 0.01) == (0, 0.0, pytest.approx(math.log(8)))


# ---------------------------------------------------------------------------------------- Fréchet distance


def clouds(name):
    """Two sets of features: apart, of unlike covariances, nearly the same, far from 0, singular."""
    mixing = normal(6, 6, seed=5)
    return {
        "wide apart": (normal(300, 6) @ mixing, normal(200, 6, seed=1) @ mixing.T + 2),
        "one dimension": (normal(50, 1), 3 * normal(40, 1, seed=1) - 1),
        "the same law": (normal(3000, 6), normal(3000, 6, seed=1)),
        "far from zero": (normal(300, 6) + 1000, normal(300, 6, seed=1) @ mixing + 1001),
        "a dead feature": (normal(300, 6) * torch.tensor([1, 1, 1, 1, 1, 0.0]), normal(300, 6, seed=1)),
        "flat": (normal(300, 2) @ mixing[:2], normal(300, 3, seed=1) @ mixing[3:]),
    }[name]


CLOUDS = ["wide apart", "one dimension", "the same law", "far from zero", "a dead feature", "flat"]


def law_frechet_is_that_of_the_matrix_root(m=metrics):
    for name in CLOUDS:
        a, b = clouds(name)
        cov_a, cov_b = (np.atleast_2d(np.cov(x.numpy().T)) for x in (a, b))
        if name in ("a dead feature", "flat"):  # singular: Schur's method of sqrtm loses digits there
            roots = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).real.clip(0)).sum()
        else:
            roots = np.trace(scipy.linalg.sqrtm(cov_a @ cov_b)).real
        expected = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(cov_a) + np.trace(cov_b) - 2 * roots
        assert m.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
        assert m.frechet_distance(b, a) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
        assert m.frechet_distance(a, a) == pytest.approx(0, abs=1e-5), name


def law_frechet_in_closed_form(m=metrics):
    x = normal(500, 4)
    x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T  # mean 0, covariance I exactly
    s, t = torch.tensor([1.0, 2, 3, 4]).double(), torch.tensor([0.5, 2, 5, 1]).double()
    shift = torch.tensor([1.0, 0, -2, 0.5]).double()
    expected = (shift.square().sum() + (s - t).square().sum()).item()  # of covariances that commute
    assert m.frechet_distance(x * s, x * t + shift) == pytest.approx(expected, rel=1e-9)
    turn = torch.linalg.qr(normal(4, 4, seed=3))[0]
    assert m.frechet_distance(x * s @ turn, (x * t + shift) @ turn) == pytest.approx(expected, rel=1e-9)
    assert m.frechet_distance(3 * x * s, 3 * (x * t + shift)) == pytest.approx(9 * expected, rel=1e-9)


def test_frechet_falls_with_the_number_of_samples_and_rises_with_every_fault():
    far = [metrics.frechet_distance(normal(n, 10), normal(n, 10, seed=1)) for n in (50, 500, 5000)]
    assert far[0] > 5 * far[1] > 25 * far[2] > 0  # the floor is about 1/n
    real, half = normal(5000, 10), normal(5000, 10, seed=1)
    collapsed = normal(5000, 10, seed=2)[:20].repeat(250, 1)
    for fault in (half + 0.2, 0.8 * half, 1.25 * half, collapsed):
        assert metrics.frechet_distance(real, fault) > 10 * far[2]


# ------------------------------------------------------------------- precision, recall, density, coverage


PAIRS = {
    "the same law": (normal(200, 5), normal(150, 5, seed=1)),
    "one dimension": (normal(60, 1), normal(90, 1, seed=1) + 0.5),
    "shifted": (normal(100, 3), normal(300, 3, seed=1) + 1),
    "more fakes": (normal(12, 64), normal(500, 64, seed=1)),
    "fewer fakes": (normal(400, 2), normal(11, 2, seed=1)),
    "wide": (normal(300, 4), 5 * normal(300, 4, seed=1)),
    "collapsed": (normal(300, 4), 0.01 * normal(300, 4, seed=1)),
    "far from each other": (normal(40, 3), normal(40, 3, seed=1) + 1e3),
    "integers, with many ties": (normal(90, 2).mul(2).round(), normal(110, 2, seed=1).mul(2).round()),
    "float32": (normal(120, 8).float(), normal(130, 8, seed=1).float()),
}


def law_equal_to_prdc(m=metrics):
    for (name, (real, fake)), k in itertools.product(PAIRS.items(), (1, 3, 5, 9)):
        expected = prdc.compute_prdc(real.double().numpy(), fake.double().numpy(), k)
        measured = m.precision_recall(real, fake, k)._asdict() | m.density_coverage(real, fake, k)._asdict()
        assert measured == pytest.approx(expected, abs=1e-12), (name, k)


def law_the_largest_k(m=metrics):
    """k = N − 1, where prdc gives up: the ball of each point reaches the farthest of the others."""
    real, fake = torch.tensor([[0.0], [1], [3]]), torch.tensor([[-2.5], [1.5], [5.2]])
    assert m.precision_recall(real, fake, 2) == (pytest.approx(1), 1)
    assert m.density_coverage(real, fake, 2).density == pytest.approx((1 + 3 + 1) / 6)
    assert m.density_coverage(real, fake, 2).coverage == 1


def law_chunks_change_nothing(m=metrics):
    real, fake = PAIRS["shifted"]
    whole = m.precision_recall(real, fake), m.density_coverage(real, fake), m.birthday_support(real, 0.3)
    users = (likeness, copying, metrics_clouds) if m is metrics else (m,)
    plain = users[0].distances
    for each in users:
        each.distances = lambda a, b: plain(a, b, numbers=7 * len(b))
    try:
        assert [len(rows) for _, rows in users[0].distances(real, fake)] == 14 * [7] + [2]
        assert (m.precision_recall(real, fake), m.density_coverage(real, fake), m.birthday_support(real, 0.3)) == whole
    finally:
        for each in users:
            each.distances = plain


def law_expected_of_the_same_law(m=metrics):
    """Density 1, coverage 1 − Π (N − i)/(M + N − i), whatever the law; averaged over 20 draws."""
    for k, n, fakes in ((5, 60, 90), (2, 100, 50)):
        scores = torch.tensor(
            [m.density_coverage(normal(n, 3, 2 * i), normal(fakes, 3, 2 * i + 1), k) for i in range(40)]
        )
        coverage = 1 - math.prod((n - i) / (fakes + n - i) for i in range(1, k + 1))
        distance = (scores.mean(0) - torch.tensor([1, coverage])).abs() / (scores.std(0) / 40**0.5)
        assert distance.max() < 4, (k, n, fakes)


def test_floors_and_failures_of_precision_and_recall():
    real, fresh = normal(800, 3), normal(800, 3, seed=1)
    floor = metrics.precision_recall(real, fresh) + metrics.density_coverage(real, fresh)
    assert all(value > 0.85 for value in floor)
    some = fresh[fresh[:, 0] > 0.8]  # good samples of one kind only
    few = metrics.precision_recall(real, some) + metrics.density_coverage(real, some)
    assert few[0] > 0.85 and few[1] < 0.5 and few[2] > 0.85 and few[3] < 0.4
    wild = torch.cat([fresh[:400], 8 * fresh[400:]])  # all kinds, and as many that are none
    noisy = metrics.precision_recall(real, wild) + metrics.density_coverage(real, wild)
    assert noisy[0] < 0.65 and noisy[1] > 0.85 and noisy[2] < 0.7 and noisy[3] > 0.8
    outlier = torch.cat([real, torch.tensor([[30.0, 0, 0]]).double()])  # one real point far away
    rubbish = 3 * normal(800, 3, seed=2) + torch.tensor([30.0, 0, 0])
    assert metrics.precision_recall(outlier, rubbish).precision > 0.9
    assert metrics.density_coverage(outlier, rubbish).density < 0.3


# ------------------------------------------------------------------------------------------------- copies


def law_c_t_is_the_rank_test(m=metrics):
    train, held_out, samples = normal(200, 3), normal(150, 3, seed=1), 1.1 * normal(120, 3, seed=2)
    samples[:20] = train[:20]  # ties: 20 distances of 0
    held_out[:5] = train[50:55]
    nearest = [
        torch.cdist(x, train, compute_mode="donot_use_mm_for_euclid_dist").amin(1).numpy() for x in (samples, held_out)
    ]
    u = scipy.stats.mannwhitneyu(*nearest).statistic  # of the samples, ties by half
    expected = (u - 120 * 150 / 2) / math.sqrt(120 * 150 * 271 / 12)
    assert m.c_t(train, held_out, samples) == pytest.approx(expected, abs=1e-9)


def law_c_t_of_fresh_samples_is_standard_normal(m=metrics):
    z = torch.tensor([m.c_t(*(normal(80, 2, 3 * i + j) for j in range(3))) for i in range(150)])
    assert abs(z.mean()) < 4 / 150**0.5 and z.std() == pytest.approx(1, abs=4 / 300**0.5)


def law_c_t_tells_copies_from_bad_samples(m=metrics):
    train, held_out, fresh = (normal(600, 4, seed) for seed in range(3))
    copies = train[torch.randperm(600, generator=generator())[:400]]
    for cells in (1, 4):
        assert abs(m.c_t(train, held_out, fresh, cells)) < 3
        for noise in (0, 0.05):  # a model that memorises
            assert m.c_t(train, held_out, copies + noise * normal(400, 4, 9), cells) < -8
        assert m.c_t(train, held_out, fresh + 3, cells=1) > 8  # a bad one
        assert m.c_t(train, held_out, 2 * fresh, cells) > 5


def law_cells_find_what_cancels(m=metrics):
    """Copies in one half of the space, noise in the other: nothing is seen of it over the whole."""
    shift = torch.tensor([50.0, 0, 0, 0]).double()
    train, held_out = (torch.cat([normal(400, 4, s), normal(400, 4, s + 5) + shift]) for s in (0, 1))
    fresh = torch.cat([normal(400, 4, 2), normal(400, 4, 7) + shift])
    both = torch.cat([train[:400], 2 * normal(400, 4, 9) + shift])
    left, right = (m.c_t(train[half], held_out[half], both[half]) for half in (slice(400), slice(400, 800)))
    assert left < -15 and right > 5
    for seed in range(3):
        assert m.c_t(train, held_out, both, 2, generator(seed)) == pytest.approx((left + right) / 2)
        assert abs(m.c_t(train, held_out, fresh, 2, generator(seed))) < 3
    uneven = torch.cat([held_out, held_out[400:] + 0.01])  # weights are the shares of the held-out data
    right = m.c_t(train[400:], uneven[400:], both[400:])
    assert m.c_t(train, uneven, both, 2) == pytest.approx((left + 2 * right) / 3)
    assert m.c_t(train, held_out, both[:410], 2) == pytest.approx(left)  # ten samples are too few to judge


def law_nearest_ratio(m=metrics):
    train, held_out = torch.tensor([[0.0, 0], [10, 0]]), torch.tensor([[0.0, 4], [10, 1]])
    samples = torch.tensor([[0.0, 1], [0, 0], [10, 0.5], [10, 1], [0, 5]])
    assert m.nearest_ratio(train, held_out, samples).tolist() == pytest.approx([1 / 3, 0, 1, math.inf, 5])
    both = torch.zeros(1, 2)
    assert m.nearest_ratio(both, both, both).tolist() == [1]
    train, held_out, fresh = (normal(500, 4, seed) for seed in range(3))
    nearer = (m.nearest_ratio(train, held_out, fresh) < 1).double().mean()
    assert nearer == pytest.approx(0.5, abs=0.1)
    assert (m.nearest_ratio(train, held_out, train + 0.05 * fresh) < 1).double().mean() > 0.95


def law_birthday_recovers_the_support(m=metrics):
    for size, s in ((50, 400), (1000, 1000), (20_000, 1500)):
        things = normal(size, 3)
        estimates = [m.birthday_support(things[torch.randint(size, (s,), generator=generator(i))]) for i in range(5)]
        assert estimates[0].duplicates > 30
        pairs = sum(each.duplicates for each in estimates)
        relative = 4 / pairs**0.5  # pairs of a uniform law are counted independently of each other
        assert 5 / sum(1 / each.size for each in estimates) == pytest.approx(size, rel=relative)
        assert all(each.at_least < each.size for each in estimates)
        assert sum(each.at_least < size for each in estimates) >= 4
    nothing = m.birthday_support(normal(101, 3))
    assert nothing == (math.inf, pytest.approx(5050 / 3), 0)
    assert m.birthday_support(torch.zeros(30, 2)) == (1, 1, 435)


def law_birthday_with_a_threshold(m=metrics):
    things = 100 * normal(60, 3)
    drawn = things[torch.randint(60, (500,), generator=generator())] + 0.01 * normal(500, 3, 1)
    assert m.birthday_support(drawn).duplicates == 0
    assert m.birthday_support(drawn, threshold=0.2).size == pytest.approx(60, rel=0.1)
    assert m.birthday_support(torch.tensor([[0.0], [1], [3]]), threshold=1).duplicates == 1  # the end counts
    unequal = torch.cat([torch.zeros(50, 1), 1 + torch.arange(50.0)[:, None]])  # half of all is one thing
    assert m.birthday_support(unequal).size == pytest.approx(4950 / (50 * 49 / 2))


# ---------------------------------------------------------------------------------------------- sharpness


def strokes(n=8):
    """Bright lines on a page of 20 × 24 with a wide margin."""
    images = torch.zeros(n, 1, 20, 24)
    for i in range(n):
        images[i, 0, 7 + i % 5, 8:16] = 1
        images[i, 0, 7:13, 9 + i % 6] = 0.5
    return images


def blur(images):
    kernel = torch.tensor([1.0, 2, 1])
    return torch.nn.functional.conv2d(images, torch.outer(kernel, kernel)[None, None] / 16, padding=1)


def law_sharpness(m=metrics):
    x = strokes()
    sharp = m.sharpness(x)
    assert sharp.shape == (8,)
    once, twice = m.sharpness(blur(x)), m.sharpness(blur(blur(x)))
    assert (once < 0.3 * sharp).all() and (twice < 0.7 * once).all()
    for move in ((3, -2), (-7, 8), (7, -8)):  # to the very edge of the page
        torch.testing.assert_close(m.sharpness(x.roll(move, (2, 3))), sharp)
    torch.testing.assert_close(m.sharpness(0.3 * x), sharp)
    assert (m.sharpness(x + 0.2 * torch.randn(x.shape, generator=generator())) > sharp).all()  # noise counts as sharp
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 0.7
    assert m.sharpness(point).item() == pytest.approx(4 * 4 + 4)  # −4 in the middle, 1 in four neighbours
    checks = ((torch.arange(60)[:, None] + torch.arange(60)) % 2 * 2.0 - 1)[None, None]
    assert 60 < m.sharpness(checks).item() < 64  # the fastest change there is
    assert m.sharpness(torch.zeros(2, 1, 5, 5)).tolist() == [0, 0]
    torch.testing.assert_close(m.sharpness((255 * x).round().to(torch.uint8)), sharp, rtol=0.02, atol=0)


def law_spectrum(m=metrics):
    column = torch.arange(32)
    wave = (2 * math.pi * 5 * column / 32).cos().expand(3, 1, 32, 32)
    ring = sum(1 for i in range(-16, 16) for j in range(-16, 16) if round(math.hypot(i, j)) == 5)
    for image in (wave, wave.mT):
        frequency, power = m.spectrum(image)
        assert frequency.tolist() == pytest.approx([i / 32 for i in range(17)])
        expected = torch.zeros(17).double()
        expected[5] = 32 * 32 / 2 / ring  # the wave's mean square, times the pixels, shared by the ring
        torch.testing.assert_close(power, expected, rtol=1e-5, atol=1e-6)
    noise = 0.5 * torch.randn(1200, 1, 16, 24, generator=generator())
    frequency, power = m.spectrum(noise)
    assert frequency[-1] == 0.5
    torch.testing.assert_close(power, torch.full_like(power, 0.25), rtol=0.12, atol=0)  # white: its variance
    constant = m.spectrum(torch.full((1, 1, 8, 8), 0.5)).power
    assert constant[0] == pytest.approx(0.25 * 64) and constant[1:].max() < 1e-12
    x = strokes()
    torch.testing.assert_close(m.spectrum(x.roll((5, -9), (2, 3))).power, m.spectrum(x).power)
    lost = m.spectrum(blur(x)).power / m.spectrum(x).power
    assert lost[0] == pytest.approx(1) and (lost.diff() < 0.02).all() and lost[-1] < 0.2


# --------------------------------------------------------------------------------------------- digits


def test_the_floor_and_the_failures_of_digits():
    """Pixels of real digits: two halves agree, and every known fault shows in the yardstick made for it."""
    images = data.mnist("test")[0][:1500]
    train, held_out, fresh = (images / 255).flatten(1).split(500)
    drawn, noise = torch.randint(50, (500,), generator=generator()), torch.randn(500, 784, generator=generator(1))
    memorised = train[drawn] + 0.01 * noise
    assert abs(metrics.c_t(train, held_out, fresh)) < 3 and metrics.c_t(train, held_out, memorised) < -20
    assert metrics.c_t(train, held_out, torch.rand(200, 784, generator=generator())) > 10
    assert (metrics.nearest_ratio(train, held_out, fresh) < 1).double().mean() == pytest.approx(0.5, abs=0.1)
    assert (metrics.nearest_ratio(train, held_out, memorised) < 1).all()
    threshold = 1.0  # the distance of the copies is about 0.4, that of any two real digits more
    assert metrics.birthday_support(fresh, threshold).duplicates == 0
    assert metrics.birthday_support(memorised, threshold).size == pytest.approx(50, rel=0.15)
    assert metrics.density_coverage(held_out, fresh).coverage > 0.85
    assert metrics.density_coverage(held_out, memorised).coverage < 0.5
    ink, sharp = images[:500] / 255, metrics.sharpness(images[1000:]).mean().item()
    assert metrics.sharpness(ink).mean() == pytest.approx(sharp, rel=0.1)
    assert metrics.sharpness(blur(ink)).mean() < 0.5 * sharp


# -------------------------------------------------------------------------------------------- memory, errors


def test_memory_stays_small(monkeypatch):
    largest, plain = [0], torch.cdist

    def watched(a, b, **named):
        result = plain(a, b, **named)
        largest[0] = max(largest[0], result.numel(), a.numel(), b.numel())
        return result

    monkeypatch.setattr(torch, "cdist", watched)
    a, b = normal(3000, 2), normal(3000, 2, seed=1)
    metrics.precision_recall(a, b)
    metrics.c_t(a, b, b + 1)
    metrics.birthday_support(a)
    assert 1_000_000 < largest[0] <= 2**21


def test_nothing_else_is_touched():
    state = torch.get_rng_state()
    a, b = normal(60, 3), normal(60, 3, seed=1)
    kept = a.clone(), b.clone()
    first = metrics.c_t(a, b, b, 3)
    assert metrics.c_t(a, b, b, 3) == first and torch.equal(torch.get_rng_state(), state)
    for measure in (metrics.precision_recall, metrics.density_coverage, metrics.frechet_distance):
        measure(a.requires_grad_(), b)
    assert torch.equal(a, kept[0]) and torch.equal(b, kept[1]) and a.grad is None


TWO = {
    "frechet_distance": lambda a, b: metrics.frechet_distance(a, b),
    "precision_recall": lambda a, b: metrics.precision_recall(a, b),
    "density_coverage": lambda a, b: metrics.density_coverage(a, b),
    "mode_statistics": lambda a, b: metrics.mode_statistics(a, b, 0.1),
    "c_t": lambda a, b: metrics.c_t(a, a, b),
    "c_t of held-out data": lambda a, b: metrics.c_t(a, b, a),
    "nearest_ratio": lambda a, b: metrics.nearest_ratio(a, a, b),
}
ONE = {
    "birthday_support": metrics.birthday_support,
}


@pytest.mark.parametrize("measure", [*TWO.values(), *ONE.values()], ids=[*TWO, *ONE])
def test_bad_clouds_are_refused(measure):
    a, two = normal(30, 3), measure in TWO.values()
    for bad in (math.nan, math.inf):
        broken = a.clone()
        broken[7, 1] = bad
        for given in ((broken, a), (a, broken)) if two else ((broken,),):
            with pytest.raises(ValueError, match="NaN or infinite"):
                measure(*given)
    for bad, error, words in (
        (a[:0], ValueError, r"has shape \(0, 3\); expected \(N, F\)"),
        (a[:, :0], ValueError, r"has shape \(30, 0\); expected \(N, F\)"),
        (a[:, 0], ValueError, r"has shape \(30,\); expected \(N, F\), such as images.flatten\(1\)"),
        (a.view(30, 1, 3), ValueError, r"has shape \(30, 1, 3\); expected"),
        (a.numpy(), TypeError, r"is of type ndarray; expected a torch.Tensor"),
    ):
        for given in ((bad, a), (a, bad)) if two else ((bad,),):
            with pytest.raises(error, match=words):
                measure(*given)
    if two:
        with pytest.raises(ValueError, match="has 2 features, .* has 3; expected the same"):
            measure(a, a[:, :2])


def test_too_few_and_too_large():
    a = normal(30, 3)
    for k in (30, 31, 0, -1, 2.0, True, None):
        for measure in (metrics.precision_recall, metrics.density_coverage):
            words = "k is .*; expected a whole number from 1 to 29, for 30 points of real"
            with pytest.raises((TypeError, ValueError), match=words):
                measure(a, a, k=k)
    with pytest.raises(ValueError, match="k is 3; expected a whole number from 1 to 1, for 2 points of fake"):
        metrics.precision_recall(a, a[:2])
    for few in (a[:3], a[:1]):
        with pytest.raises(ValueError, match=rf"b has {len(few)} samples of 3 features; expected more samples than"):
            metrics.frechet_distance(a, few)
    for sigma in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="sigma is .*expected a positive number"):
            metrics.mode_statistics(a, a[:4], sigma)
    with pytest.raises(ValueError, match="samples has 1 row; duplicates need two"):
        metrics.birthday_support(a[:1])
    for threshold in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="threshold is .*expected a distance"):
            metrics.birthday_support(a, threshold)
    for cells in (0, 31, 1.5, True):
        with pytest.raises((TypeError, ValueError), match="cells is .*expected a whole number from 1 to 30"):
            metrics.c_t(a, a, a, cells)
    with pytest.raises(ValueError, match="a cell has .* training and 0 held-out examples; take fewer cells than 2"):
        metrics.c_t(torch.cat([a, a + 100]), a, a, 2)
    with pytest.raises(ValueError, match="none of 5 cells has 20 of the 30 samples; draw more"):
        metrics.c_t(a.repeat(9, 1), normal(900, 3), torch.cat([a[i : i + 1] for i in range(30)]), 5)
    with pytest.raises(ValueError, match="train has 30 examples, held_out 20; expected as many"):
        metrics.nearest_ratio(a, a[:20], a)


def test_bad_images_are_refused():
    for measure in (metrics.sharpness, metrics.spectrum, metrics.slant):
        for bad in (torch.zeros(28, 28), torch.zeros(3, 2, 8, 8), torch.zeros(0, 1, 8, 8)):
            with pytest.raises(ValueError, match=r"images have shape .*expected \(N, 1, H, W\)"):
                measure(bad)
        with pytest.raises(ValueError, match="images hold NaN or infinite values"):
            measure(torch.full((2, 1, 8, 8), math.nan))


# ------------------------------------------------------------------------------------------------- the laws bite

LAWS = {name[4:]: law for name, law in list(globals().items()) if name.startswith("law_")}

# bug: (what stands in metrics, what is put there, laws that must fail)
BUGS = {
    "within 2σ": ("distance <= 3 * sigma", "distance <= 2 * sigma", ["modes_by_hand", "modes_of_a_ring"]),
    "within 3σ²": ("distance <= 3 * sigma", "distance <= 3 * sigma**2", ["modes_by_hand", "modes_of_a_ring"]),
    "modes of all samples": ("_modes(mode[good], len(centres)", "_modes(mode, len(centres)", ["modes_by_hand"]),
    "captured modes only": ("math.log(n_modes) - (", "math.log((counts > 0).sum()) - (", ["modes_of_a_ring"]),
    "covariance by N": ("deviation / (len(x) - 1)", "deviation / len(x)", ["frechet_is_that_of_the_matrix_root"]),
    "means left out": ("(mean_a - mean_b).square().sum() +", "", ["frechet_in_closed_form"]),
    "not squared": ("(mean_a - mean_b).square().sum()", "(mean_a - mean_b).norm()", ["frechet_in_closed_form"]),
    "a product of roots": ("eigvalsh(root @ cov_b @ root)", "eigvalsh(cov_b @ cov_b)", ["frechet_in_closed_form"]),
    "one root for two": ("- 2 * both", "- both", ["frechet_in_closed_form"]),
    "itself a neighbour": ("kthvalue(k + 1, 1)", "kthvalue(k, 1)", ["equal_to_prdc", "expected_of_the_same_law"]),
    "touching is inside": ("distance < around_real", "distance <= around_real", ["equal_to_prdc"]),
    "real balls for both": ("distance < around_fake", "distance < around_real[rows, None]", ["equal_to_prdc"]),
    "balls of the first rows": ("distance < radius[rows, None]", "distance < radius[:len(distance), None]",
                                ["chunks_change_nothing"]),
    "only the last chunk": ("precise |= ", "precise = ", ["chunks_change_nothing"]),
    "density not over k": ("inside / (k * len(fake))", "inside / len(fake)", ["equal_to_prdc", "the_largest_k"]),
    "share of the fakes covered": ("covered / len(real)", "covered / len(fake)", ["equal_to_prdc"]),
    "U the wrong way round": ("(u - m * n / 2)", "(m * n / 2 - u)", ["c_t_tells_copies_from_bad_samples"]),
    "ties not by half": ("torch.searchsorted(unseen, own, right=True)", "torch.searchsorted(unseen, own)",
                         ["c_t_is_the_rank_test"]),
    "the variance without 1/12": ("(m + n + 1) / 12", "(m + n + 1)", ["c_t_of_fresh_samples_is_standard_normal"]),
    "cells weighted by samples": ("weights.append(len(some[1]))", "weights.append(len(some[2]))",
                                  ["cells_find_what_cancels"]),
    "too small cells are kept": ("len(some[2]) >= 20", "len(some[2]) >= 1", ["cells_find_what_cancels"]),
    "held-out over train": ("seen / unseen", "unseen / seen", ["nearest_ratio"]),
    "pairs counted twice": ("twice // 2", "twice", ["birthday_recovers_the_support"]),
    "itself a duplicate": (" - len(samples)\n", "\n", ["birthday_recovers_the_support"]),
    "s² pairs": ("(len(samples) - 1) / 2, twice", "len(samples) / 2, twice", ["birthday_recovers_the_support"]),
    "below the threshold": ("distance <= threshold", "distance < threshold", ["birthday_with_a_threshold"]),
    "no margin": ("_ink(images), (2,) * 4)", "_ink(images), (0,) * 4)", ["sharpness"]),
    "energy of the ink as it is": (".sum((1, 2)) / energy.clamp(min=1e-12)", ".sum((1, 2))", ["sharpness"]),
    "three neighbours": (" + ink[:, 1:-1, :-2]", "", ["sharpness"]),
    "amplitude for power": ("fft2(part.double()).abs().square()", "fft2(part.double()).abs()", ["spectrum"]),
    "sum over the ring": ("power[inside]) / counts", "power[inside])", ["spectrum"]),
    "rings of the transform's order": ("torch.fft.fftfreq(height, **kind)[:, None]",
                                       "torch.arange(height)[:, None] / height", ["spectrum"]),
}  # fmt: skip


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_law(law):
    law()


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(bug):
    right, wrong, laws = BUGS[bug]
    source = source_of(metrics)
    assert source.count(right) >= 1, "the line that the bug belongs in is gone"
    broken = module_of(source.replace(right, wrong), "broken metrics")
    for law in laws:
        with pytest.raises((AssertionError, RuntimeError, IndexError, ValueError)):
            LAWS[law](broken)


# -- the space they compare in -----------------------------------------------------------------------------------


def test_features_by_batches_are_features_at_once_without_a_gradient():
    layer = torch.nn.Linear(3, 4)
    x, model = torch.randn(7, 3, generator=generator()), types.SimpleNamespace(features=layer)
    for batch_size in (1, 3, 7, 100):
        found = metrics.features(model, x, batch_size)
        torch.testing.assert_close(found, layer(x).detach())
        assert not found.requires_grad
    for wrong, words in ((dict(x=x[:0]), "x is empty"), (dict(x=x, batch_size=0), "batch_size is 0")):
        with pytest.raises(ValueError, match=words):
            metrics.features(model, **wrong)


def test_the_fair_floor_of_frechet_falls_with_n_and_lies_below_any_other_distribution():
    real = normal(4000, 5)
    small, large = (metrics.frechet_floor(real, n, generator(1)) for n in (100, 2000))
    assert len(small) == len(large) == 8 and len(set(small)) == 8
    assert min(small) > max(large) > 0
    assert metrics.frechet_distance(real[:2000], normal(2000, 5, 3) + 0.2) > max(large)
    with pytest.raises(ValueError, match="real has 4000 examples; expected at least 4002, for two sets of 2001"):
        metrics.frechet_floor(real, 2001, generator())


# ------------------------------------------------------------------------------------ the nearest of many, quickly


@pytest.mark.parametrize("kind", ["features", "pixels", "far from zero", "a crowd at one point"])
def test_the_nearest_of_many_is_that_of_all_distances(kind):
    x, others = normal(60, 20, 1).float(), normal(2000, 20, 2).float()
    if kind == "pixels":
        x, others = (x > 0).float(), (others > 0).float()
    elif kind == "far from zero":
        x, others = x + 1e4, others + 1e4
    elif kind == "a crowd at one point":
        others[:1500] = 3.0 + 1e-6 * others[:1500]
    x[:5] = others[[3, 700, 1200, 1800, 1999]]  # copies
    apart, which = metrics_clouds.nearest(x, others)
    everything = torch.cat([distance for _, distance in metrics_clouds.distances(x, others)])
    assert torch.allclose(apart, everything.min(1).values, rtol=1e-12, atol=1e-12)
    assert (everything.gather(1, which[:, None])[:, 0] == everything.min(1).values).all()
    assert (apart[:5] == 0).all()


def test_c_t_of_distances_is_c_t():
    train, held_out, samples = normal(300, 3, 1), normal(100, 3, 2), normal(80, 3, 3)
    own, unseen = (metrics.nearest_distance(x, train) for x in (samples, held_out))
    assert metrics.c_t_of_distances(own, unseen) == metrics.c_t(train, held_out, samples)


def test_what_looks_copied_is_one_in_a_hundred_of_the_data_and_each_copy():
    train, held_out, samples = normal(500, 3, 1), normal(1000, 3, 2), normal(1000, 3, 3)
    unseen = metrics.nearest_distance(held_out, train)
    assert metrics.looks_copied(metrics.nearest_distance(samples, train), unseen).double().mean() < 0.03
    samples[:300] = train[:300]
    looks = metrics.looks_copied(metrics.nearest_distance(samples, train), unseen)
    assert looks[:300].all() and looks[300:].double().mean() < 0.03


def test_the_radii_of_the_data_are_those_of_the_data_at_hand():
    a, b, fake = normal(50, 2, 1), normal(50, 2, 2) * 3, normal(50, 2, 3)
    first = metrics.precision_recall(a, fake)
    assert metrics.precision_recall(b, fake) != first and metrics.precision_recall(a, fake) == first
    a *= 5  # in place
    assert metrics.density_coverage(a, fake, k=3) == metrics.density_coverage(a.clone(), fake, k=3)
    assert metrics.precision_recall(a, fake) == metrics.precision_recall(a.clone(), fake) != first
