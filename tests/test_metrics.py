"""Laws of the yardsticks."""

import math

import pytest
import torch
from torch import nn

from gencourse import data, metrics
from gencourse.metrics import bits_per_dimension, jensen_shannon, nats, patch_frequencies, reach, receptive_field
from gencourse.models import LinearGaussianVAE, PixelCNN, WaveNet


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Known(nn.Module):
    """Likelihood and logits that can be written down."""

    event_shape, levels, n_classes = (1, 3, 4), 5, None

    def log_prob(self, x, condition=None):
        self.batches = [*getattr(self, "batches", []), len(x)]
        return -x.float().flatten(1).sum(1) - (0 if condition is None else 100 * condition)

    def logits(self, x, condition=None):
        """The position one to the left, times 2, and the one two above, times -3."""
        left, above = torch.zeros_like(x), torch.zeros_like(x)
        left[..., 1:] = 2 * x[..., :-1]
        above[..., 2:, :] = -3 * x[..., :-2, :]
        return (left + above).unsqueeze(1).repeat(1, 5, 1, 1, 1)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10, 1000])
def test_nats_by_batches_are_nats_at_once(batch_size):
    x, condition = torch.randint(5, (10, 1, 3, 4), generator=generator()), torch.arange(10) % 2
    model = Known()
    expected = x.flatten(1).sum(1).float()
    assert torch.equal(nats(model, x, batch_size=batch_size), expected)
    assert max(model.batches) <= batch_size and sum(model.batches) == 10
    assert torch.equal(nats(model, x, condition, batch_size=batch_size), expected + 100 * condition)


def test_nats_of_a_model_are_minus_its_log_prob():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = PixelCNN((1, 4, 5), n_blocks=1, channels=4, n_classes=2)
    x, condition = torch.randint(2, (9, 1, 4, 5), generator=generator()), torch.arange(9) % 2
    state = torch.get_rng_state()
    measured = nats(model, x, condition, batch_size=4)
    torch.testing.assert_close(measured, -model.log_prob(x, condition).detach())
    assert not measured.requires_grad and torch.equal(torch.get_rng_state(), state)


def test_nats_say_what_is_wrong():
    x = torch.zeros(4, 1, 3, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="x is empty; expected at least one example"):
        nats(Known(), x[:0])
    for wrong in (torch.zeros(3), torch.zeros(5)):
        with pytest.raises(ValueError, match=f"condition has {len(wrong)} entries; expected one for each of 4"):
            nats(Known(), x, wrong, batch_size=2)
    for batch_size in (0, -1):
        with pytest.raises(ValueError, match=f"batch_size is {batch_size}; expected at least 1"):
            nats(Known(), x, batch_size=batch_size)


def test_bits_per_dimension():
    assert bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1)
    assert bits_per_dimension(math.log(256), 1) == pytest.approx(8)
    torch.testing.assert_close(bits_per_dimension(torch.tensor([0.0, math.log(4)]), 2), torch.tensor([0.0, 1.0]))
    for n in (0, -3):
        with pytest.raises(ValueError, match=f"n_dimensions is {n}; expected at least 1"):
            bits_per_dimension(1.0, n)


def test_receptive_field_of_a_known_dependency():
    for i in range(3):
        for j in range(4):
            strength = receptive_field(Known(), (0, i, j))
            expected = {(0, i, j - 1)} if j else set()
            expected |= {(0, i - 2, j)} if i >= 2 else set()
            assert strength.shape == (1, 3, 4) and (strength >= 0).all()
            assert {tuple(place) for place in strength.nonzero().tolist()} == expected
    strength = receptive_field(Known(), (0, 2, 1))
    assert strength[0, 0, 1] / strength[0, 2, 0] == pytest.approx(1.5)


def test_receptive_field_changes_nothing_and_follows_its_generator():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WaveNet((9,), 4, dilations=(1, 2), channels=4, skip_channels=4, n_classes=2)
    state = torch.get_rng_state()
    first, second = receptive_field(model, (8,)), receptive_field(model, (8,))
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, receptive_field(model, (8,), generator=generator(9)))
    assert all(p.grad is None for p in model.parameters()) and not first.requires_grad
    assert (first > 0).tolist() == [False] * 3 + [True] * 5 + [False]


def test_receptive_field_works_where_gradients_are_off():
    with torch.no_grad():
        assert receptive_field(Known(), (0, 2, 1)).sum() > 0


@pytest.mark.parametrize("position", [(0, 1), (), (0, 3, 0), (0, 0, -1), (1, 0, 0)])
def test_receptive_field_says_what_is_wrong(position):
    with pytest.raises(ValueError, match=r"position is \(.*\); expected"):
        receptive_field(Known(), position)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_patch_frequencies_against_a_loop(size):
    x = torch.randint(2, (3, 1, 5, 4), generator=generator(), dtype=torch.uint8)
    counts = torch.zeros(2 ** (size * size), dtype=torch.double)
    for image in x[:, 0].tolist():
        for i in range(5 - size + 1):
            for j in range(4 - size + 1):
                bits = [str(image[i + a][j + b]) for a in range(size) for b in range(size)]
                counts[int("".join(bits), 2)] += 1
    torch.testing.assert_close(patch_frequencies(x, size), counts / counts.sum())


def test_jensen_shannon_is_a_distance_from_nothing_to_log_2():
    p, q = (torch.rand(16, generator=generator(seed)).double() for seed in (1, 2))
    p[:3], q[2:5] = 0, 0  # levels that one of them, or none, has
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    plain = 0.5 * sum(a * math.log(a / c) for r in (p, q) for a, c in zip(r.tolist(), m.tolist()) if a > 0)
    assert jensen_shannon(p, q) == pytest.approx(plain) == pytest.approx(jensen_shannon(q, p))
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-12)
    far = torch.eye(2, dtype=torch.double)
    assert jensen_shannon(far[0], far[1]) == pytest.approx(math.log(2))


def test_long_evaluations_have_a_bar(monkeypatch):
    asked = []
    bar = lambda batches, **named: asked.append(len(batches)) or batches  # noqa: E731
    monkeypatch.setattr("gencourse.metrics.likelihood.progress", bar)
    x = torch.zeros(20, 1, 3, 4, dtype=torch.uint8)
    nats(Known(), x, batch_size=2)
    nats(Known(), x, batch_size=10)
    assert asked == [10]


# ---------------------------------------------------------------------------------------------------- codes


def test_draws_from_the_law_of_the_codes_are_seldom_in_holes_and_others_are():
    ring = torch.randn(6000, 2, generator=generator())
    ring = ring / ring.norm(dim=1, keepdim=True) + 0.02 * torch.randn(6000, 2, generator=generator(1))
    codes, held_out, draws = ring[:3000], ring[3000:4500], ring[4500:]
    assert metrics.share_in_holes(draws, codes, held_out) == pytest.approx(0.01, abs=0.01)
    assert metrics.share_in_holes(draws, codes, held_out, quantile=0.8) == pytest.approx(0.2, abs=0.04)
    assert metrics.share_in_holes(0.3 * draws, codes, held_out) == 1  # inside the ring there is nothing
    both = torch.cat([draws, 0.3 * draws])
    assert metrics.share_in_holes(both, codes, held_out) == pytest.approx(0.505, abs=0.01)
    with pytest.raises(ValueError, match="draws has 3 features, codes has 2; expected the same"):
        metrics.share_in_holes(torch.zeros(10, 3), codes, held_out)
    with pytest.raises(ValueError, match="quantile is 1"):
        metrics.share_in_holes(draws, codes, held_out, quantile=1)


@pytest.mark.parametrize("latent", [1, 3, 20])
def test_the_kl_of_the_moments_is_that_of_the_gaussian_with_them(latent):
    mixing = torch.randn(latent, latent, generator=generator(2)).double()
    z = torch.randn(500, latent, generator=generator()).double() @ mixing + 1
    fitted = torch.distributions.MultivariateNormal(z.mean(0), torch.cov(z.T).view(latent, latent))
    standard = torch.distributions.MultivariateNormal(torch.zeros(latent).double(), torch.eye(latent).double())
    expected = torch.distributions.kl_divergence(fitted, standard).item()
    assert metrics.kl_to_standard_normal(z) == pytest.approx(expected, rel=1e-6)
    root = torch.linalg.cholesky(torch.linalg.inv(fitted.covariance_matrix))
    assert metrics.kl_to_standard_normal((z - z.mean(0)) @ root) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="more codes than dimensions"):
        metrics.kl_to_standard_normal(z[:latent])


def test_neighbours_of_one_kind_are_all_alike_in_a_cluster_and_mixed_between_two():
    kinds = torch.arange(400) % 2
    codes = 10.0 * kinds[:, None] + torch.randn(400, 2, generator=generator())
    assert metrics.share_of_one_kind(torch.zeros(5, 2), codes, kinds) == 1
    mixed = metrics.share_of_one_kind(torch.zeros(5, 2), codes % 10, torch.arange(400) // 2 % 2, 100)
    assert 0.5 <= mixed < 0.75
    with pytest.raises(ValueError, match="expected whole numbers, one for each code"):
        metrics.share_of_one_kind(torch.zeros(5, 2), codes, kinds[:9])


def test_rotations_keep_lengths_and_a_planted_dimension_leads_before_one():
    planted = torch.randn(4000, 6, generator=generator())
    rotations = metrics.random_rotations(6, 3, generator(1))
    assert all(torch.allclose(r @ r.T, torch.eye(6), atol=1e-5) for r in rotations)
    lead, beyond = metrics.information_lead(planted, planted[:, 2], generator())
    assert lead.low > 2 and beyond.low > 0.5
    nothing, _ = metrics.information_lead(planted, torch.randn(4000, generator=generator(2)), generator())
    assert abs(nothing.value) < 0.1
    with pytest.raises(ValueError, match="20 images and 2 dimensions at least"):
        metrics.information_lead(planted[:9], planted[:9, 0], generator())


def test_a_fitted_gaussian_is_the_posterior_where_that_is_one():
    torch.manual_seed(0)
    model = LinearGaussianVAE(6, 1)  # one dimension of code: the posterior is in the family
    x = model.sample(5, generator())
    start = torch.distributions.Normal(torch.zeros(5, 1), torch.ones(5, 1))

    def log_prior(z):
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)

    q = metrics.fitted_posterior(model, x, start, log_prior, steps=400, lr=0.03, draws=32, generator=generator())
    exact = model.posterior(x)
    assert torch.allclose(q.mean, exact.mean, atol=0.05)
    assert torch.allclose(q.variance, exact.covariance_matrix[:, 0], rtol=0.2)


def test_mutual_information_of_what_is_known():
    a = torch.randn(40_000, generator=generator())
    noise, classes = torch.randn(40_000, generator=generator(1)), torch.arange(40_000) % 5
    assert metrics.mutual_information(classes, classes) == pytest.approx(math.log(5))
    assert metrics.mutual_information(a, a, bins=16) == pytest.approx(math.log(16), abs=1e-3)
    assert metrics.mutual_information(a, noise) == pytest.approx(19 * 19 / 80_000, rel=0.3)  # what counting adds
    rho = 0.8
    b = rho * a + math.sqrt(1 - rho**2) * noise
    gaussian = -0.5 * math.log(1 - rho**2)
    assert 0.9 * gaussian < metrics.mutual_information(a, b, bins=40) < 1.03 * gaussian
    for change in (lambda v: -v, torch.exp):
        assert metrics.mutual_information(change(a), b) == pytest.approx(metrics.mutual_information(a, b), rel=1e-3)
    assert metrics.mutual_information(a, b) == pytest.approx(metrics.mutual_information(b, a))
    assert metrics.mutual_information(torch.zeros(9), torch.arange(9)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match=r"a has shape \(3,\), b \(4,\)"):
        metrics.mutual_information(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match="bins is 1"):
        metrics.mutual_information(a, b, bins=1)


def test_slant_and_thickness_of_drawn_bars():
    images = torch.zeros(6, 1, 28, 28)
    for i, (lean, width) in enumerate([(0, 2), (0, 4), (0.5, 3), (-0.5, 3), (1, 2), (0, 1)]):
        for row in range(4, 24):
            left = round(13 - lean * (row - 14))
            images[i, 0, row, left : left + width] = 1
    assert metrics.slant(images).tolist() == pytest.approx([0, 0, 0.5, -0.5, 1, 0], abs=0.03)
    wide = metrics.thickness(images)
    assert wide[5] < wide[0] < wide[1] and wide[:2].tolist() == pytest.approx([2, 4], rel=0.25)
    grey = (255 * images).to(torch.uint8)
    torch.testing.assert_close(metrics.slant(grey), metrics.slant(images))
    torch.testing.assert_close(metrics.thickness(grey), wide)
    shifted = images.roll((3, -2), (2, 3))
    torch.testing.assert_close(metrics.slant(shifted), metrics.slant(images), atol=1e-5, rtol=0)
    assert torch.isfinite(metrics.slant(torch.zeros(1, 1, 5, 5))).all()
    with pytest.raises(ValueError, match=r"images have shape \(28, 28\)"):
        metrics.slant(torch.zeros(28, 28))


def normal(x):
    """The density of N((0.5, -0.25), diag(1, 1/4)) at (N, 2) points."""
    mean, std = torch.tensor([0.5, -0.25], dtype=torch.float64), torch.tensor([1.0, 0.5], dtype=torch.float64)
    return torch.distributions.Normal(mean, std).log_prob(x).sum(1).exp()


def test_the_probabilities_of_cells_are_those_of_the_exact_integral():
    edges = torch.linspace(-2, 2, 9)
    p = metrics.cell_probabilities(normal, edges)
    below = [torch.distributions.Normal(m, s).cdf(edges.double()) for m, s in ((0.5, 1.0), (-0.25, 0.5))]
    exact = torch.outer(below[0].diff(), below[1].diff()).flatten()
    assert p.shape == (65,) and abs(p.sum().item() - 1) < 1e-12
    assert torch.allclose(p[:-1], exact, atol=1e-3)
    assert abs(p[-1] - (1 - exact.sum())) < 1e-3
    finer = metrics.cell_probabilities(normal, edges, points=16)
    assert (finer[:-1] - exact).abs().max() < (p[:-1] - exact).abs().max() / 10


def test_cells_are_in_the_order_of_the_histogram():
    p = metrics.cell_probabilities(lambda x: ((x[:, 0] > 0) & (x[:, 1] < 0)).double(), torch.tensor([-1.0, 0, 1]))
    counts = torch.histogramdd(torch.tensor([[0.5, -0.5]]), [torch.tensor([-1.0, 0, 1])] * 2).hist.flatten()
    assert torch.equal(p[:-1].float(), counts) and p[-1] == 0
    for edges, points in ((torch.tensor([0.0]), 4), (torch.tensor([0.0, 1]), 0)):
        with pytest.raises(ValueError, match="expected at least"):
            metrics.cell_probabilities(normal, edges, points)


def test_total_variation_is_the_largest_difference_of_any_set():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    sets = [[i for i in range(3) if n >> i & 1] for n in range(8)]
    largest = max(abs((p[some].sum() - q[some].sum()).item()) for some in sets)
    assert metrics.total_variation(p, q) == pytest.approx(largest)
    assert metrics.total_variation(p, p) == 0
    assert metrics.total_variation(torch.tensor([1.0, 0]), torch.tensor([0.0, 1])) == 1
    with pytest.raises(ValueError, match="the same"):
        metrics.total_variation(p, q[:2])


def test_the_shares_of_cells_are_in_the_order_of_their_probabilities():
    edges = torch.tensor([-1.0, 0, 1])
    shares = metrics.cell_shares(torch.tensor([[0.5, -0.5], [0.5, -0.5], [5.0, 0.0]]), edges)
    p = metrics.cell_probabilities(lambda x: ((x[:, 0] > 0) & (x[:, 1] < 0)).double(), edges)
    assert shares.tolist() == pytest.approx([*(2 / 3 * p[:-1]).tolist(), 1 / 3])
    for x in (torch.zeros(0, 2), torch.zeros(3, 3)):
        with pytest.raises(ValueError, match="expected"):
            metrics.cell_shares(x, edges)


def test_the_excess_variation_is_zero_for_right_draws_and_not_for_wrong_ones():
    edges, generator = torch.linspace(-3, 3, 13), torch.Generator().manual_seed(0)
    p = metrics.cell_probabilities(normal, edges)
    level = metrics.variation_by_chance(p, 20_000, generator, series=20)

    def draw(spread):
        mean, std = torch.tensor([0.5, -0.25]), torch.tensor([1.0, 0.5])
        return lambda: mean + spread * std * torch.randn(20_000, 2, generator=generator)

    right, wrong = (metrics.excess_variation(draw(spread), p, edges, level) for spread in (1.0, 1.2))
    assert 0.005 < level < 0.05 and right.low < 0.001 and right.high > -0.001 and wrong.low > 0.02


def test_lone_ink_is_what_has_no_ink_beside_it():
    page = torch.zeros(2, 1, 6, 6)
    page[0, 0, 1, 1], page[0, 0, 2, 2], page[0, 0, 5, 0], page[0, 0, 0, 5] = 1, 1, 1, 1  # a diagonal pair, two specks
    assert metrics.lone_ink(page).tolist() == [0.5, 0.0]


def all_paths(i, j):
    """Every way from (0, 0) to (i, j) by steps in one direction or in both: lists of (i, j, weight)."""
    if i == j == 0:
        return [[(0, 0, 2)]]
    steps = [(1, 0, 1), (0, 1, 1), (1, 1, 2)]
    return [path + [(i, j, w)] for di, dj, w in steps if i >= di and j >= dj for path in all_paths(i - di, j - dj)]


@pytest.mark.parametrize("n, m", [(1, 1), (1, 4), (3, 3), (4, 2), (5, 4)])
def test_warped_distance_is_the_least_over_all_paths(n, m):
    for seed in range(5):
        a, b = torch.randn(n, 2, generator=generator(seed)), torch.randn(m, 2, generator=generator(100 + seed))
        costs = [sum(w * (a[i] - b[j]).norm().item() for i, j, w in path) for path in all_paths(n - 1, m - 1)]
        assert metrics.warped_distance(a, b) == pytest.approx(min(costs) / (n + m), rel=1e-5)
        assert metrics.warped_distance(b, a) == pytest.approx(metrics.warped_distance(a, b))


def test_warped_distance_forgives_lingering_and_not_another_order():
    a = torch.randn(6, 3, generator=generator())
    slow = a.repeat_interleave(torch.tensor([1, 3, 2, 1, 5, 1]), 0)
    assert metrics.warped_distance(a, slow) == 0 and metrics.warped_distance(slow, a) == 0
    assert metrics.warped_distance(a, a.flip(0)) > 0.5
    assert metrics.warped_distance(a + 1, a) > 0.5
    with pytest.raises(ValueError, match="b has 2 features, a has 3"):
        metrics.warped_distance(a, a[:, :2])
    with pytest.raises(ValueError, match="holds NaN"):
        metrics.warped_distance(a, a / 0 * 0)
    with pytest.raises(TypeError, match="a is of type list"):
        metrics.warped_distance([1], a)


def test_the_dice_cost_what_their_entropy_says():
    grey = torch.tensor([[0, 255, 51], [128, 0, 0]], dtype=torch.uint8).view(2, 1, 1, 3)
    p, q = 51 / 255, 128 / 255
    expected = [-(p * math.log(p) + (1 - p) * math.log(1 - p)), -(q * math.log(q) + (1 - q) * math.log(1 - q))]
    assert metrics.binarisation_entropy(grey).tolist() == pytest.approx(expected)
    with pytest.raises(TypeError, match="grey is torch.float32; expected uint8"):
        metrics.binarisation_entropy(grey.float())


def test_the_dice_are_a_floor_that_who_knows_the_grey_image_reaches_on_average():
    grey = data.mnist("test")[0]
    dice = metrics.binarisation_entropy(grey)
    assert dice.mean().item() == pytest.approx(45.53, abs=0.01)
    x, p = data.binarise(grey, generator()).double(), grey.double() / 255
    paid = -(torch.xlogy(x, p) + torch.xlogy(1 - x, 1 - p)).flatten(1).sum(1)
    assert (paid - dice).mean().abs() < 4 * (paid - dice).std() / len(grey) ** 0.5


def test_reach_is_what_the_masks_let_through_whatever_the_weights():
    """One stack of 4 channels: random weights show 11, 18, 18, 28 … of these, where units are shut."""
    shape, here = (1, 15, 15), (0, 9, 6)
    seen = {
        stacks: [
            reach(PixelCNN(shape, stacks=stacks, n_blocks=n, channels=4, first_kernel=3), here).flatten()
            for n in range(1, 9)
        ]
        for stacks in ("single", "gated")
    }
    assert [field[:141].sum().item() for field in seen["single"]] == [11, 21, 34, 50, 69, 83, 98, 113]
    assert [field[:141].sum().item() for field in seen["gated"]] == [12, 24, 40, 60, 84, 104, 126, 141]
    assert not any(field[141:].any() for fields in seen.values() for field in fields)
    wide = [PixelCNN(shape, n_blocks=12, channels=4, kernel_size=k, first_kernel=3) for k in (5, 7, 9)]
    assert [reach(model, here).sum().item() for model in wide] == [125, 131, 135]
    silent = PixelCNN(shape, n_blocks=2, channels=4)
    before = [p.clone() for p in silent.parameters()]
    reach(silent, here)
    assert all(torch.equal(a, b) for a, b in zip(before, silent.parameters(), strict=True))


def test_reach_says_what_is_wrong():
    with pytest.raises(ValueError, match="position is"):
        reach(PixelCNN((1, 4, 4), n_blocks=1, channels=4), (0, 4, 0))
    with pytest.raises(ValueError, match="fourier=2"):
        reach(PixelCNN((1, 4, 4), n_blocks=1, channels=4, fourier=2), (0, 1, 0))
