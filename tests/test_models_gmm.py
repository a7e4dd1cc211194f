"""Laws of the Gaussian mixture, and proof that each law bites: bugs are put in, and the law must fail.

Oracles: scikit-learn's EM from the same start, EM as the textbook has it in plain loops, densities of
torch.distributions.
"""

import copy
import math
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from gencourse import metrics
from gencourse.models import GMM
from gencourse.models.gmm import COVARIANCES
from gencourse.support import storage

kinds = pytest.mark.parametrize("kind", COVARIANCES)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def clusters(n=300, d=2, k=3, offset=0.0, condition=1.0, seed=0):
    """k clumps in a row, squeezed in a direction that is no axis until the condition number is reached, then moved."""
    place = torch.randint(k, (n, 1), generator=generator(seed + 1))
    x = normal(n, d, seed=seed) + 4 * place * normal(1, d, seed=seed + 2).sign()
    turn = torch.linalg.qr(normal(d, d, seed=seed + 3)).Q
    return x * torch.logspace(0, -math.log10(condition) / 2, d, dtype=torch.float64) @ turn + offset


def random_mixture(kind, k=3, d=2, seed=0, spread=3.0):
    """A mixture in general position: unequal weights, correlated features."""
    model = GMM(k, d, kind)
    model.weights = normal(k, seed=seed).softmax(0)
    model.means = spread * normal(k, d, seed=seed + 1)
    factor = normal(k, d, d, seed=seed + 2)
    full = factor @ factor.mT / d + 0.2 * torch.eye(d, dtype=torch.float64)
    variances = full.diagonal(dim1=1, dim2=2).clone()
    model.covariances = {"full": full, "diagonal": variances, "spherical": variances[:, 0].clone()}[kind]
    return model


def started(x, k, kind, floor=1e-6, seed=0, start="kmeans++"):
    model = GMM(k, x.shape[1], kind, floor)
    model.fit_em(x, max_steps=0, start=start, generator=generator(seed))
    return model


def parameters(model):
    return {name: getattr(model, name).clone() for name in ("weights", "means", "covariances")}


def full_covariances(model):
    covariances, d = model.covariances, model.n_features
    if model.covariance == "full":
        return covariances
    return covariances.view(model.n_components, -1).expand(-1, d).diag_embed()


def reference(model):
    """The same distribution by torch.distributions."""
    return MixtureSameFamily(Categorical(model.weights), MultivariateNormal(model.means, full_covariances(model)))


def sklearn_mixture(model, steps):
    from sklearn.mixture import GaussianMixture

    c = model.covariances
    return GaussianMixture(
        model.n_components,
        covariance_type={"diagonal": "diag"}.get(model.covariance, model.covariance),
        reg_covar=model.floor,
        tol=0.0,
        max_iter=steps,
        weights_init=model.weights.numpy(),
        means_init=model.means.numpy(),
        precisions_init=(torch.linalg.inv(c) if model.covariance == "full" else 1 / c).numpy(),
    )


def fitted_by_sklearn(model, x, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        return sklearn_mixture(model, steps).fit(x.numpy())


def textbook_step(model, x):
    """One step of EM in loops, as Bishop's equations 9.23 to 9.26 have it; the floor comes last."""
    n, d = x.shape
    joint = torch.zeros(n, model.n_components, dtype=torch.float64)
    covariances = full_covariances(model)
    for m in range(model.n_components):
        joint[:, m] = model.weights[m].log() + MultivariateNormal(model.means[m], covariances[m]).log_prob(x)
    r = joint.softmax(1)
    found = {"weights": r.mean(0), "means": torch.zeros(model.n_components, d, dtype=torch.float64), "covariances": []}
    for m in range(model.n_components):
        found["means"][m] = (r[:, m, None] * x).sum(0) / r[:, m].sum()
        scatter = sum(w * torch.outer(e, e) for w, e in zip(r[:, m], x - found["means"][m])) / r[:, m].sum()
        own = {"full": scatter, "diagonal": scatter.diagonal(), "spherical": scatter.diagonal().mean()}
        found["covariances"].append(own[model.covariance])
    floor = model.floor * (torch.eye(d, dtype=torch.float64) if model.covariance == "full" else 1)
    found["covariances"] = torch.stack(found["covariances"]) + floor
    return joint.logsumexp(1).mean().item(), found


# -- the laws ----------------------------------------------------------------------------------------------------


def law_sklearn(model, x, steps, atol=1e-6):
    """After so many steps the parameters are scikit-learn's, from the same start and with the same floor."""
    theirs = fitted_by_sklearn(model, x, steps)
    ours, notes = copy.deepcopy(model), []
    values = [ours.em_step(x, notes) for _ in range(steps)]
    assert not any("moved" in note for note in notes), "scikit-learn moves nothing"
    for name, value in parameters(ours).items():
        expected = torch.from_numpy(getattr(theirs, f"{name}_"))
        torch.testing.assert_close(value, expected, atol=atol, rtol=1e-6, msg=lambda text, name=name: f"{name}: {text}")
    assert values[-1] == pytest.approx(theirs.lower_bound_, abs=1e-6)
    return ours, theirs


def law_textbook(model, x, steps=3):
    """The same, step by step, of the equations in plain loops."""
    model = copy.deepcopy(model)
    for _ in range(steps):
        value, expected = textbook_step(model, x)
        assert model.em_step(x) == pytest.approx(value, abs=1e-8)
        for name, parameter in parameters(model).items():
            torch.testing.assert_close(parameter, expected[name], atol=1e-8, rtol=1e-8)


def law_never_falls(model, x, steps=40):
    """log P(x) never falls, as long as the floor is 0 and nothing is mended.

    Rounding remains: 1e-16, times log-densities of up to 1e2 and the condition number of the covariances, which are
    inverted, of up to 1e4. So 1e-10 is forgiven.
    """
    notes = []
    values = [model.em_step(x, notes) for _ in range(steps)]
    assert notes == [], "the test needs a case where nothing is mended"
    assert values[-1] > values[0] + 0.01, "and one where there is something to climb"
    drops = [before - after for before, after in zip(values, values[1:])]
    assert max(drops) <= 1e-10, f"the likelihood falls by {max(drops)}"


def law_integrates_to_one(model, points=None):
    """∫P(x) dx = 1: sums over a grid that reaches 9 standard deviations beyond every mean."""
    d = model.n_features
    points = points or {1: 4001, 2: 401, 3: 91}[d]
    spread = 9 * full_covariances(model).diagonal(dim1=1, dim2=2).amax(0).sqrt()
    axes = [
        torch.linspace(lo, hi, points, dtype=torch.float64)
        for lo, hi in zip(model.means.amin(0) - spread, model.means.amax(0) + spread)
    ]
    cell = math.prod((axis[1] - axis[0]).item() for axis in axes)
    total = model.log_prob(torch.cartesian_prod(*axes).view(-1, d)).exp().sum().item() * cell
    assert total == pytest.approx(1, abs=1e-6)


def law_density(model, x):
    """log P(x) is that of torch.distributions, near and far."""
    log_p = model.log_prob(x)
    assert log_p.shape == (len(x),) and log_p.dtype == torch.float64 and torch.isfinite(log_p).all()
    torch.testing.assert_close(log_p, reference(model).log_prob(x.double()), atol=1e-9, rtol=1e-9)


def law_responsibilities(model, x):
    """P(m|x) = P(m) P(x|m) / P(x), and Σ_m P(m|x) = 1."""
    r = model.responsibilities(x)
    assert r.shape == (len(x), model.n_components) and (r >= 0).all()
    torch.testing.assert_close(r.sum(1), torch.ones(len(x), dtype=torch.float64), atol=1e-12, rtol=0)
    components = MultivariateNormal(model.means, full_covariances(model))
    log_joint = model.weights.log() + components.log_prob(x[:, None].double())
    torch.testing.assert_close(r, log_joint.softmax(1), atol=1e-9, rtol=0)


def law_samples(model, n=40_000):
    """How often each component is drawn, and the mean and covariance of what it gives, within 5 standard errors."""
    x, m = model.sample(n, generator(1), with_component=True)
    assert x.shape == (n, model.n_features) and x.dtype == torch.float32
    assert m.shape == (n,) and m.dtype == torch.int64
    count = torch.bincount(m, minlength=model.n_components).double()
    error = (model.weights * (1 - model.weights) / n).sqrt()
    assert ((count / n - model.weights).abs() <= 5 * error).all()
    for k, (mean, covariance) in enumerate(zip(model.means, full_covariances(model))):
        own, variance = x[m == k].double(), covariance.diagonal()
        assert ((own.mean(0) - mean).abs() <= 5 * (variance / len(own)).sqrt()).all()
        error = ((covariance.square() + torch.outer(variance, variance)) / len(own)).sqrt()
        assert ((torch.cov(own.T).view_as(covariance) - covariance).abs() <= 5 * error).all()


def law_permutation(model, x):
    """The order of the components means nothing: not to the density, nor to EM."""
    order = torch.randperm(model.n_components, generator=generator(5))
    other = copy.deepcopy(model)
    for name, value in parameters(model).items():
        setattr(other, name, value[order])
    torch.testing.assert_close(other.log_prob(x), model.log_prob(x), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(other.responsibilities(x), model.responsibilities(x)[:, order], atol=1e-10, rtol=0)
    for _ in range(3):
        assert other.em_step(x) == pytest.approx(model.em_step(x), abs=1e-10)
    for name, value in parameters(model).items():
        torch.testing.assert_close(getattr(other, name), value[order], atol=1e-9, rtol=1e-9)


def slices(n, rows):
    return [slice(i, i + rows) for i in range(0, n, rows)]


def law_chunks(model, x, monkeypatch):
    """However many examples are taken at a time, the result is the same; also where the last chunk is not full."""
    whole, expected = model.log_prob(x), copy.deepcopy(model)
    expected.em_step(x, [])
    for rows in (1, 7, len(x) - 1, len(x), 10 * len(x)):
        monkeypatch.setattr(GMM, "_chunks", lambda self, n, rows=rows: slices(n, rows))
        torch.testing.assert_close(model.log_prob(x), whole, atol=1e-10, rtol=1e-10)
        other = copy.deepcopy(model)
        other.em_step(x, [])
        for name, value in parameters(expected).items():
            torch.testing.assert_close(getattr(other, name), value, atol=1e-10, rtol=1e-10)


def law_pure(model, x):
    """Questions change neither model nor x, the same seed gives the same model, global randomness is not touched."""
    before, kept, state = parameters(model), x.clone(), torch.get_rng_state()
    first = model.log_prob(x), model.responsibilities(x), model.sample(5, generator(1)), model.bic(x)
    second = model.log_prob(x), model.responsibilities(x), model.sample(5, generator(1)), model.bic(x)
    assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(first, second))
    assert all(torch.equal(value, before[name]) for name, value in parameters(model).items())
    for start in ("kmeans++", "random"):
        one, two, three = (copy.deepcopy(model) for _ in range(3))
        one.fit_em(x, start=start, max_steps=3, n_starts=2, generator=generator(3))
        two.fit_em(x, start=start, max_steps=3, n_starts=2, generator=generator(3))
        three.fit_em(x, start=start, max_steps=0, generator=generator(4))
        assert all(torch.equal(a, b) for a, b in zip(parameters(one).values(), parameters(two).values()))
        assert not torch.equal(one.means, three.means)
    assert torch.equal(x, kept)
    assert torch.equal(torch.get_rng_state(), state), "the global random state was touched"


def law_whole_steps(model, x, instants):
    """Whenever Ctrl-C comes, the parameters are those after some number of whole steps."""
    states = [parameters(model)]
    other = copy.deepcopy(model)
    for _ in range(200):
        other.em_step(x)
        states.append(parameters(other))

    def interrupt(*_):
        raise KeyboardInterrupt

    begin, found = parameters(model), set()
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        for instant in instants:
            model._set(**begin)
            try:
                signal.setitimer(signal.ITIMER_REAL, instant)
                model.fit_em(x, start="present", max_steps=200, tolerance=0)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:  # before or after the loop
                pass
            now = parameters(model).values()
            same = [i for i, state in enumerate(states) if all(map(torch.equal, now, state.values()))]
            assert same, "the parameters are of no whole step"
            found.update(same)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return found


# -- … hold --------------------------------------------------------------------------------------------------------

CASES = {
    "one feature, one component": (dict(n=50, d=1), 1),
    "one feature": (dict(n=300, d=1), 3),
    "one component": (dict(n=200, d=5), 1),
    "plane": (dict(n=500, d=2), 3),
    "few points": (dict(n=40, d=3), 3),
    "more components than clumps": (dict(n=600, d=3), 6),
    "many features": (dict(n=900, d=20, k=4), 4),
    "far from the origin": (dict(n=500, d=3, offset=1e4), 3),
    "ill-conditioned": (dict(n=800, d=6, condition=1e5), 3),
    "ill-conditioned and far": (dict(n=500, d=3, condition=1e4, offset=100.0), 2),
}
cases = pytest.mark.parametrize("case, k", CASES.values(), ids=CASES)


@pytest.mark.parametrize("steps", [1, 2, 10, 50])
@cases
@kinds
def test_em_is_that_of_sklearn(kind, case, k, steps):
    x = clusters(**case)
    law_sklearn(started(x, k, kind), x, steps)


@pytest.mark.parametrize("floor", [1e-10, 1e-3, 0.5])
@kinds
def test_the_floor_is_that_of_sklearn(kind, floor):
    x = clusters(d=3)
    law_sklearn(started(x, 4, kind, floor, start="random"), x, 20)


@kinds
def test_bic_and_density_are_those_of_sklearn(kind):
    x = clusters(d=3)
    ours, theirs = law_sklearn(started(x, 3, kind), x, 5)
    assert ours.bic(x) == pytest.approx(theirs.bic(x.numpy()), rel=1e-9)
    far = torch.cat([x, 1e4 * x])
    torch.testing.assert_close(
        ours.log_prob(far), torch.from_numpy(theirs.score_samples(far.numpy())), atol=1e-6, rtol=1e-9
    )
    torch.testing.assert_close(
        ours.responsibilities(x), torch.from_numpy(theirs.predict_proba(x.numpy())), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    "kind, expected",
    [("full", 3 * 4 + 3 * 10 + 2), ("diagonal", 3 * 4 + 3 * 4 + 2), ("spherical", 3 * 4 + 3 + 2)],
)
def test_parameters_are_counted(kind, expected):
    model, x = random_mixture(kind, d=4), normal(20, 4)
    assert model.n_parameters == expected
    by_hand = -2 * reference(model).log_prob(x).sum().item() + expected * math.log(20)
    assert model.bic(x) == pytest.approx(by_hand, rel=1e-10)


@pytest.mark.parametrize("case, k", [CASES["plane"], CASES["few points"], CASES["one feature"]])
@kinds
def test_em_is_that_of_the_textbook(kind, case, k):
    x = clusters(**{**case, "n": min(case["n"], 80)})
    law_textbook(started(x, k, kind, floor=1e-2), x)


@pytest.mark.parametrize("start", ["kmeans++", "random"])
@pytest.mark.parametrize("seed", range(15))
@kinds
def test_the_likelihood_never_falls(kind, seed, start):
    x = clusters(n=400, d=3, seed=seed)
    law_never_falls(started(x, 4, kind, floor=0, seed=seed, start=start), x)


def test_the_floor_is_no_part_of_em():
    """At the maximum a large floor can only lower the likelihood: what the docstring admits."""
    x = clusters(d=2)
    model = GMM(3, 2, floor=0)
    model.fit_em(x, max_steps=300, tolerance=1e-12)
    model.floor = 0.5
    assert model.em_step(x) > model.em_step(x) + 0.01


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 4])
@kinds
def test_densities_integrate_to_one(kind, k, d):
    law_integrates_to_one(random_mixture(kind, k, d, seed=k))


@pytest.mark.parametrize("k, d", [(1, 1), (3, 2), (5, 7)])
@kinds
def test_densities_and_responsibilities(kind, k, d):
    model = random_mixture(kind, k, d)
    for x in (5 * normal(60, d), torch.full((1, d), 1e4), -1e4 * normal(3, d), normal(4, d).float()):
        law_density(model, x)
        law_responsibilities(model, x)


@kinds
def test_a_batch_gives_what_its_items_give(kind):
    model, x = random_mixture(kind, 4, 3), 3 * normal(9, 3)
    one = torch.cat([model.log_prob(item[None]) for item in x])
    torch.testing.assert_close(model.log_prob(x), one, atol=1e-12, rtol=1e-12)
    shares = torch.cat([model.responsibilities(item[None]) for item in x])
    torch.testing.assert_close(model.responsibilities(x), shares, atol=1e-12, rtol=0)
    assert model.loss(x).item() == pytest.approx(-one.mean().item())
    torch.testing.assert_close(metrics.nats(model, x, batch_size=2), -one, atol=1e-12, rtol=1e-12)


@kinds
def test_the_score_is_the_gradient_of_the_density(kind):
    model, x = random_mixture(kind), 3 * normal(8, 2)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    model.log_prob(ours).sum().backward()
    reference(model).log_prob(theirs).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("k, d", [(3, 2), (2, 1)])
@kinds
def test_samples(kind, k, d):
    law_samples(random_mixture(kind, k, d))


@kinds
def test_no_samples_and_no_weight(kind):
    model = random_mixture(kind)
    x, m = model.sample(0, with_component=True)
    assert x.shape == (0, 2) and m.shape == (0,)
    model.weights = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    assert model.sample(2000, generator(), with_component=True)[1].unique().tolist() == [0, 1]
    assert torch.equal(model.sample(9, generator(2)), model.sample(9, generator(2), with_component=True)[0])


@kinds
def test_the_order_of_components_means_nothing(kind):
    law_permutation(random_mixture(kind, 4, 3), clusters(d=3))


@kinds
def test_chunks_do_not_show(kind, monkeypatch):
    law_chunks(random_mixture(kind, 3, 2), clusters(n=61), monkeypatch)


def test_the_last_chunk_of_the_real_size_is_not_full():
    model = random_mixture("full", 3, 40)
    x = 2 * normal(6000, 40)
    rows = [part.stop - part.start for part in model._chunks(len(x))]
    assert len(rows) > 2 and len(x) % rows[0] and rows[0] * 3 * 40 <= 2**18
    law_density(model, x)


GROWN = """
import pathlib, sys, psutil, torch
from gencourse.models import GMM
n, k, d = 20_000, 40, 40
x = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
model = GMM(k, d, sys.argv[1])
model.fit_em(x[:200], max_steps=1)  # on a few: what is loaded late is there now
before = psutil.Process().memory_info().rss
model.fit_em(x, max_steps=2, tolerance=0)
model.log_prob(x)
peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
print((int(peak) * 1024 - before) / (8 * n * k * d))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the most memory a process had")
@kinds
def test_memory_is_far_less_than_all_deviations(kind):
    """What EM takes beside x is some n × K numbers, here a fortieth of n × K × D, and never these."""
    command = [sys.executable, "-c", GROWN, kind]
    share = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert share < 0.25


@kinds
def test_purity(kind):
    law_pure(random_mixture(kind), clusters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_single_precision_is_computed_in_double(dtype):
    x = clusters(n=100).to(dtype)
    model, double = started(x, 3, "full"), started(x.double(), 3, "full")
    assert model.em_step(x) == double.em_step(x.double())
    assert all(map(torch.equal, parameters(model).values(), parameters(double).values()))


# -- fit_em ----------------------------------------------------------------------------------------------------------


def test_history_is_of_every_step():
    x = clusters(n=200)
    model = GMM(3, 2)
    history = model.fit_em(x, max_steps=7, tolerance=0, generator=generator(2))
    other = started(x, 3, "full", seed=2)
    values = [other.em_step(x) for _ in range(7)] + [other.log_prob(x).mean().item()]
    assert history.log_likelihood == pytest.approx(values, abs=1e-12) and len(values) == 8
    assert history.starts == [history.log_likelihood[-1]] and history.best_start == 0
    assert not history.converged and not history.interrupted and not history.stopped and history.notes == []
    assert all(map(torch.equal, parameters(model).values(), parameters(other).values()))


def test_fit_stops_when_a_step_changes_less_than_the_tolerance():
    history = GMM(3, 2).fit_em(clusters(), tolerance=1e-4)
    steps = [b - a for a, b in zip(history.log_likelihood, history.log_likelihood[1:])]
    assert history.converged and steps[-1] < 1e-4 and min(steps[:-1]) >= 1e-4 and len(steps) < 100


def test_fit_goes_on_from_the_present_parameters():
    x = clusters()
    one, two = GMM(4, 2), GMM(4, 2)
    first = one.fit_em(x, max_steps=9, tolerance=0)
    second = two.fit_em(x, max_steps=4, tolerance=0)
    second.log_likelihood += two.fit_em(x, max_steps=5, tolerance=0, start="present").log_likelihood[1:]
    assert first.log_likelihood == second.log_likelihood and torch.equal(one.covariances, two.covariances)


def test_the_best_of_several_starts_is_kept():
    x = clusters(n=400, k=6)
    model = GMM(6, 2)
    history = model.fit_em(x, n_starts=6, start="random", max_steps=30, generator=generator(1))
    assert len(history.starts) == 6 and max(history.starts) > min(history.starts) + 0.01
    assert history.best_start == history.starts.index(max(history.starts)) != 5, "the last would hide a mistake"
    assert history.log_likelihood[-1] == max(history.starts) == pytest.approx(model.log_prob(x).mean().item())


def test_the_likelihood_of_a_fit_is_near_the_truth():
    truth = GMM(3, 2)
    truth.means = torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]], dtype=torch.float64)
    x, unseen = truth.sample(2000, generator(1)), truth.sample(2000, generator(2))
    model = GMM(3, 2)
    model.fit_em(x, n_starts=3)
    assert abs((model.log_prob(unseen) - truth.log_prob(unseen)).mean()) < 0.02
    wrong = GMM(1, 2)
    wrong.fit_em(x)
    assert wrong.log_prob(unseen).mean() < truth.log_prob(unseen).mean() - 0.3 and model.bic(x) < wrong.bic(x)


def test_kmeans_draws_by_the_squared_distance():
    """Of the points 0, 1 and 3, the second mean stands at a with probability ∝ (distance from the first)²."""
    x, pairs = torch.tensor([[0.0], [1.0], [3.0]]), {}
    random, n = generator(7), 1500
    for _ in range(n):
        model = GMM(2, 1)
        model.fit_em(x, max_steps=0, generator=random)
        pair = tuple(model.means.flatten().tolist())
        pairs[pair] = pairs.get(pair, 0) + 1
    odds = {(0, 1): 1 / 10, (0, 3): 9 / 10, (1, 0): 1 / 5, (1, 3): 4 / 5, (3, 0): 9 / 13, (3, 1): 4 / 13}
    for pair, p in odds.items():
        assert pairs[pair] / n == pytest.approx(p / 3, abs=5 * math.sqrt(p / 3 / n)), pair


@kinds
def test_a_start(kind):
    """Means are different examples, weights are equal, and K volumes of one component make that of the data."""
    x = clusters(n=50, d=3, offset=1e4)
    for start in ("kmeans++", "random"):
        model = started(x, 4, kind, start=start)
        assert (model.means[:, None] == x).all(2).sum(1).tolist() == [1] * 4 and len(model.means.unique(dim=0)) == 4
        assert model.weights.tolist() == [0.25] * 4
        volume = full_covariances(model).diagonal(dim1=1, dim2=2).prod(1).sqrt()
        whole = x.var(0).prod().sqrt() if kind != "spherical" else x.var(0).mean() ** 1.5
        torch.testing.assert_close(4 * volume, whole.expand(4), rtol=1e-4, atol=0)


def test_progress_sees_every_step():
    seen = []
    GMM(2, 2).fit_em(clusters(), max_steps=3, tolerance=0, progress=lambda steps: (seen.append(i) or i for i in steps))
    assert seen == [0, 1, 2, 3]


@kinds
def test_an_interrupted_fit_leaves_a_whole_step(kind):
    x = clusters(n=500, d=4)
    law_whole_steps(started(x, 4, kind, floor=1e-3), x, torch.linspace(0.0005, 0.06, 25).tolist())


@pytest.mark.parametrize("part", ["_start", "_e_step", "_m_step", "_mend"])
def test_interruptions_in_every_part(part, monkeypatch):
    x, model = clusters(), random_mixture("full")
    original, calls, begin = getattr(GMM, part), [], parameters(model)

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == (1 if part == "_start" else 3):
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(GMM, part, interrupted)
    history = model.fit_em(x, max_steps=10, tolerance=0, generator=generator(1))
    monkeypatch.undo()
    expected = started(x, 3, "full", seed=1)
    for _ in range(2):
        expected.em_step(x)
    assert history.interrupted and not history.converged and "EM was stopped after" in history.stopped
    wanted = begin if part == "_start" else parameters(expected)
    assert all(map(torch.equal, parameters(model).values(), wanted.values()))
    assert len(history.log_likelihood) == {"_start": 0, "_e_step": 2, "_m_step": 3, "_mend": 3}[part]
    model.log_prob(x)


def test_interruption_of_a_later_start_keeps_the_best(monkeypatch):
    x, model, original, calls = clusters(n=400, k=6), GMM(6, 2), GMM._m_step, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 32:  # the second step of the fourth start
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(GMM, "_m_step", interrupted)
    history = model.fit_em(x, n_starts=6, start="random", max_steps=10, tolerance=0, generator=generator(1))
    assert history.interrupted and len(history.starts) == 4 and history.best_start < 3
    assert model.log_prob(x).mean().item() == pytest.approx(max(history.starts))


def test_an_error_in_a_fit_leaves_the_model_as_before():
    x = normal(50, 1) * torch.ones(1, 2, dtype=torch.float64)  # two features that are one
    model = random_mixture("full")
    model.floor, begin = 0.0, parameters(model)
    for learn in (model.em_step, model.fit_em):
        with pytest.raises(ValueError, match="all components .* are singular: features depend .* raise floor"):
            learn(x)
        assert all(map(torch.equal, parameters(model).values(), begin.values()))


# -- components that die or collapse ---------------------------------------------------------------------------------


def law_valid(model, x):
    assert all(torch.isfinite(value).all() for value in parameters(model).values())
    assert model.weights.sum().item() == pytest.approx(1) and torch.isfinite(model.log_prob(x)).all()
    assert torch.isfinite(model.responsibilities(x)).all()


@pytest.mark.parametrize("reason", ["far away", "no weight"])
@kinds
def test_a_component_that_dies_is_moved(kind, reason):
    x = clusters(n=200)
    model = started(x, 3, kind)
    if reason == "far away":
        model.means[1] = 1e6
    else:
        model.weights = torch.tensor([0.5, 0.0, 0.5], dtype=torch.float64)
    worst, notes = model.log_prob(x).argmin().item(), []
    model.em_step(x, notes)
    assert notes == [f"component 1 died: it explains no example; moved to example {worst}, the worst explained"]
    assert torch.equal(model.means[1], x[worst]) and model.weights[1].item() == pytest.approx(1 / 201)
    torch.testing.assert_close(full_covariances(model)[1].trace(), (x.var(0) + model.floor).sum())
    law_valid(model, x)
    history = model.fit_em(x, start="present", max_steps=50)
    assert history.converged
    law_valid(model, x)


def test_all_that_die_are_moved_to_different_examples():
    x = clusters(n=200)
    model = started(x, 5, "full")
    model.means[2:] = torch.tensor([[1e6], [2e6], [3e6]], dtype=torch.float64)
    notes = []
    model.em_step(x, notes)
    assert [note[:16] for note in notes] == [f"component {k} died" for k in (2, 3, 4)]
    assert len(model.means.unique(dim=0)) == 5
    law_valid(model, x)


@pytest.mark.parametrize("floor", [1e-6, 0])
@kinds
def test_a_component_on_one_example(kind, floor):
    """The floor keeps it; without one its likelihood would be infinite, and it is moved."""
    x = torch.cat([normal(100, 2), torch.tensor([[1e3, 1e3]], dtype=torch.float64)])
    model, notes = GMM(2, 2, kind, floor), []
    model.means[1] = x[-1]
    for _ in range(5):
        model.em_step(x, notes)
        law_valid(model, x)
    if floor:
        assert notes[-1] == "component 1 collapsed: in some direction its variance is mostly the floor; kept"
        torch.testing.assert_close(full_covariances(model)[1], floor * torch.eye(2).double(), rtol=1e-3, atol=1e-9)
        torch.testing.assert_close(model.means[1], x[-1])
    else:
        assert "component 1 collapsed: its covariance is singular; moved to example" in notes[0]
    history = model.fit_em(x, start="present", max_steps=5, tolerance=0)
    if floor:
        assert history.notes == [f"step 1: {notes[-1]}"], "what stays as it is is told once"
    else:  # it comes back to the example, and is moved again
        assert not history.converged and all("component 1 collapsed" in note for note in history.notes)


@pytest.mark.parametrize("floor", [1e-6, 0])
def test_a_component_on_a_line(floor):
    """Singular in one direction only, which is no axis."""
    line = torch.linspace(-1, 1, 40).double()[:, None] * torch.tensor([0.3, 1.7, -0.9])
    x = torch.cat([normal(100, 3), line + 50])
    model, notes = GMM(2, 3, "full", floor), []
    model.means[1] = 50
    model.em_step(x, notes)
    assert len(notes) == 1 and notes[0].startswith("component 1 collapsed") and ("kept" in notes[0]) == (floor > 0)
    law_valid(model, x)


@kinds
def test_a_floor_lost_in_rounding_is_as_good_as_none(kind):
    x = torch.cat([normal(100, 1), normal(100, 1, seed=1)], 1) * 1e8
    x = torch.cat([x, x[:, :1] + 7e9 + torch.zeros(100, 2)])  # of the second clump, both features are one
    model = started(x, 2, kind, start="random")
    model.means = torch.stack([x[:100].mean(0), x[100:].mean(0)])
    for _ in range(5):
        model.em_step(x, [])
        law_valid(model, x)


def test_without_a_list_notes_are_warnings():
    x = clusters(n=50)
    model = started(x, 2, "full")
    model.means[0] = 1e6
    with pytest.warns(RuntimeWarning, match="component 0 died") as caught:
        model.em_step(x)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("start", ["kmeans++", "random"])
@kinds
def test_fewer_different_points_than_components(kind, start):
    x = torch.tensor([[0.0, 1.0], [2.0, 5.0]]).repeat(10, 1)
    model = GMM(4, 2, kind)
    history = model.fit_em(x, start=start, max_steps=20)
    assert any("collapsed" in note for note in history.notes)
    law_valid(model, x.double())


@kinds
def test_as_many_components_as_points(kind):
    x = normal(5, 2)
    model = GMM(5, 2, kind)
    history = model.fit_em(x, max_steps=30)
    assert any("collapsed" in note for note in history.notes)
    law_valid(model, x)


@kinds
def test_extreme_values(kind):
    for scale in (1e-30, 1e30):
        x = clusters(n=50) * scale
        model = GMM(2, 2, kind, floor=0)
        model.fit_em(x, max_steps=10)
        law_valid(model, x)
    law_valid(model, torch.full((2, 2), 1e100, dtype=torch.float64))


# -- files -----------------------------------------------------------------------------------------------------------


@kinds
def test_saved_and_loaded(kind, tmp_path):
    x = clusters()
    model, other = started(x, 3, kind), GMM(3, 2, kind)
    model.em_step(x)
    (tmp_path / "mixture.safetensors").write_bytes(storage.packed(model))
    storage.load(other, tmp_path / "mixture.safetensors")
    assert torch.equal(model.log_prob(x), other.log_prob(x))
    with pytest.raises(ValueError, match="another model"):
        storage.load(GMM(4, 2, kind), tmp_path / "mixture.safetensors")


# -- bad input -------------------------------------------------------------------------------------------------------

nan = float("nan")


@pytest.mark.parametrize(
    "x, error, message",
    [
        ([[0.0, 1.0]], TypeError, "x is a list; expected a torch.Tensor"),
        (torch.zeros(4, 2, dtype=torch.uint8), TypeError, r"dtype torch.uint8; .* real numbers: give float32"),
        (torch.zeros(4, 2, dtype=torch.int64), TypeError, "dtype torch.int64"),
        (torch.zeros(4, 2, dtype=torch.bool), TypeError, "dtype torch.bool"),
        (torch.zeros(4, 2, dtype=torch.float16), TypeError, "dtype torch.float16"),
        (torch.zeros(4, 2, dtype=torch.complex64), TypeError, "dtype torch.complex64"),
        (torch.zeros(4, 3), ValueError, r"shape \(4, 3\); .* n_features=2, so x must be \(batch, 2\)"),
        (torch.zeros(2), ValueError, r"shape \(2,\)"),
        (torch.zeros(4, 1, 2), ValueError, r"shape \(4, 1, 2\).* x.flatten\(1\)"),
        (torch.tensor(1.0), ValueError, r"shape \(\)"),
        (torch.zeros(0, 2), ValueError, "empty batch"),
        (torch.tensor([[0.0, nan]] * 4), ValueError, "NaN"),
        (torch.tensor([[0.0, math.inf]] * 4), ValueError, "infinite"),
        (torch.full((4, 2), 1e200, dtype=torch.float64), ValueError, "beyond 1e\\+100"),
    ],
)
def test_bad_x_is_refused(x, error, message):
    model = GMM(2, 2)
    for use in (model.log_prob, model.responsibilities, model.loss, model.bic, model.em_step, model.fit_em):
        with pytest.raises(error, match=message):
            use(x)


def test_too_little_to_learn_from():
    for learn in (GMM(5, 2).em_step, GMM(5, 2).fit_em):
        with pytest.raises(ValueError, match="x has 4 examples for 5 components; give more, or take fewer"):
            learn(normal(4, 2))
    x = normal(20, 4)
    x[:, 1], x[:, 3] = 0.3, -1e5
    for learn in (GMM(2, 4).em_step, GMM(2, 4).fit_em):
        with pytest.raises(ValueError, match=r"features \[1, 3\] are constant in all 20 examples.* leave them out"):
            learn(x)
    GMM(2, 2).fit_em(x[:, x.amax(0) > x.amin(0)])  # as the message says
    assert torch.isfinite(GMM(2, 4).log_prob(x)).all(), "to ask for the density of such data is fine"


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(n_components=0), ValueError, "n_components is 0; expected at least 1"),
        (dict(n_components=2.0), TypeError, "n_components is 2.0"),
        (dict(n_features=-1), ValueError, "n_features is -1"),
        (dict(n_features=True), TypeError, "n_features is True"),
        (dict(covariance="diag"), ValueError, "covariance is 'diag'; expected one of .*'diagonal'"),
        (dict(covariance=None), ValueError, "covariance is None"),
        (dict(floor=-1e-9), ValueError, "floor is -1e-09; expected a number of at least 0"),
        (dict(floor=nan), ValueError, "floor is nan"),
        (dict(floor=math.inf), ValueError, "floor is inf"),
        (dict(floor="1"), TypeError, "floor is '1'"),
        (dict(floor=True), TypeError, "floor is True"),
    ],
)
def test_bad_sizes_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        GMM(**{"n_components": 2, "n_features": 2, **arguments})


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(start="kmeans"), ValueError, "start is 'kmeans'; expected one of .*'kmeans\\+\\+'"),
        (dict(start="present", n_starts=2), ValueError, "n_starts is 2, but only one is present"),
        (dict(n_starts=0), ValueError, "n_starts is 0"),
        (dict(max_steps=-1), ValueError, "max_steps is -1"),
        (dict(max_steps=1.5), TypeError, "max_steps is 1.5"),
        (dict(tolerance=-1), ValueError, "tolerance is -1"),
        (dict(tolerance=nan), ValueError, "tolerance is nan"),
    ],
)
def test_bad_arguments_of_fit_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        GMM(2, 2).fit_em(clusters(), **arguments)


@pytest.mark.parametrize("n, error", [(-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_bad_numbers_of_samples_are_refused(n, error):
    with pytest.raises(error, match="n is"):
        GMM(2, 2).sample(n)


def not_positive(kind):
    values = {"full": torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "diagonal": torch.tensor([1.0, 0.0]), "spherical": -1.0}
    bad = GMM(3, 2, kind).covariances
    bad[1] = values[kind]
    return bad


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("weights", torch.tensor([0.5, 0.6, 0.0]).double(), "weights are .*, and 1 as their sum"),
        ("weights", torch.tensor([1.5, -0.5, 0.0]).double(), "none below 0"),
        ("weights", torch.tensor([nan, 0.5, 0.5]).double(), "weights holds NaN"),
        ("weights", torch.tensor([0.5, 0.5, 0.0]), r"torch.float32; expected \(3,\), torch.float64"),
        ("weights", torch.tensor([0.5, 0.5]).double(), r"weights is \(2,\)"),
        ("means", torch.full((3, 2), math.inf).double(), "means holds NaN or infinite"),
        ("means", torch.zeros(2, 3).double(), r"means is \(2, 3\)"),
        ("covariances", torch.ones(3, 2).double(), r"covariances is \(3, 2\).*expected \(3, 2, 2\)"),
        ("covariances", torch.tensor([[1.0, 0.9], [0.0, 1.0]]).double().repeat(3, 1, 1), r"covariances \[0, 1, 2\]"),
    ],
)
def test_bad_parameters_are_refused(name, value, message):
    model = GMM(3, 2)
    setattr(model, name, value)
    for use in (model.log_prob, model.responsibilities, model.bic, model.em_step):
        with pytest.raises(ValueError, match=message):
            use(clusters(n=10))
    with pytest.raises(ValueError, match=message):
        model.sample(3)


@kinds
def test_covariances_that_are_not_positive_are_refused(kind):
    model = GMM(3, 2, kind)
    model.covariances.copy_(not_positive(kind))
    for use in (model.log_prob, model.em_step, lambda x: model.fit_em(x, start="present")):
        with pytest.raises(ValueError, match=r"covariances \[1\] are not symmetric and positive definite; add"):
            use(clusters(n=10))


def test_parameters_cast_to_single_precision_are_refused():
    with pytest.raises(ValueError, match="torch.float32; expected .* torch.float64"):
        GMM(2, 2).float().log_prob(clusters(n=10))


# -- … and bite ------------------------------------------------------------------------------------------------------


def patched_m_step(change):
    """An M-step after which `change` spoils the parameters: it is given them, the old ones, x and r."""
    original = GMM._m_step

    def m_step(self, x, log_p, r):
        old = parameters(self)
        notes = original(self, x, log_p, r)
        self._set(**{**parameters(self), **change(self, parameters(self), old, x, r)})
        return notes

    return "_m_step", m_step


def covariances_about_the_old_means():
    def change(model, new, old, x, r):
        step = new["means"] - old["means"]
        return {"covariances": new["covariances"] + step[:, :, None] * step[:, None, :]}

    return patched_m_step(change)


def covariances_of_all_examples():
    def change(model, new, old, x, r):
        return {"covariances": new["covariances"] * new["weights"][:, None, None]}

    return patched_m_step(change)


def floor_not_added():
    def change(model, new, old, x, r):
        return {"covariances": new["covariances"] - model.floor * torch.eye(x.shape[1], dtype=x.dtype)}

    return patched_m_step(change)


def weights_not_learned():
    return patched_m_step(lambda model, new, old, x, r: {"weights": old["weights"]})


def means_of_hard_assignments():
    def change(model, new, old, x, r):
        hard = torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).double()
        return {"means": hard.T @ x / hard.sum(0)[:, None]}

    return patched_m_step(change)


def e_step_over_examples():
    def e_step(self, x):
        log_joint = self._log_joint(x)
        return log_joint.logsumexp(1), log_joint.softmax(0)

    return "_e_step", e_step


def e_step_without_weights():
    original = GMM._e_step

    def e_step(self, x):
        log_p, _ = original(self, x)
        return log_p, (self._log_joint(x) - self.weights.log()).softmax(1)

    return "_e_step", e_step


EM_BUGS = [
    covariances_about_the_old_means, covariances_of_all_examples, floor_not_added, weights_not_learned,
    means_of_hard_assignments, e_step_over_examples, e_step_without_weights,
]  # fmt: skip


@pytest.mark.parametrize("law", [law_sklearn, law_textbook])
@pytest.mark.parametrize("bug", EM_BUGS, ids=lambda bug: bug.__name__)
def test_a_wrong_step_is_found(bug, law, monkeypatch):
    x = clusters(n=120, condition=30.0)
    model = started(x, 4, "full", floor=1e-2)
    law(model, x, steps=2)
    monkeypatch.setattr(GMM, *bug())
    with pytest.raises(AssertionError):
        law(model, x, steps=2)


@pytest.mark.parametrize("bug", [e_step_without_weights, means_of_hard_assignments], ids=lambda bug: bug.__name__)
def test_a_likelihood_that_falls_is_found(bug, monkeypatch):
    monkeypatch.setattr(GMM, *bug())
    with pytest.raises(AssertionError, match="the likelihood falls by"):
        for seed in range(15):
            x = clusters(n=400, d=3, seed=seed)
            law_never_falls(started(x, 4, "full", floor=0, seed=seed), x)


@pytest.mark.parametrize("bug", [weights_not_learned, covariances_about_the_old_means], ids=lambda bug: bug.__name__)
def test_a_likelihood_that_never_falls_proves_little(bug, monkeypatch):
    """These wrong steps climb as well, each part being the best for what the others were: this law cannot see them."""
    monkeypatch.setattr(GMM, *bug())
    for seed in range(5):
        x = clusters(n=400, d=3, seed=seed)
        law_never_falls(started(x, 4, "full", floor=0, seed=seed), x)


def without_the_determinant(joint, model):
    return joint + full_covariances(model).logdet() / 2


def without_two_pi(joint, model):
    return joint + math.log(2 * math.pi) * model.n_features / 2


def with_precision_for_covariance(joint, model):
    return joint + full_covariances(model).logdet()


def without_weights(joint, model):
    return joint - model.weights.log()


def with_weights_of_others(joint, model):
    return joint - model.weights.log() + model.weights.log().flip(0)


def with_a_chunk_repeated(joint, model):
    return torch.cat([joint[: len(joint) // 2], joint[: len(joint) - len(joint) // 2]])


@pytest.mark.parametrize(
    "bug, norm_alone",
    [
        (without_the_determinant, True),
        (without_two_pi, True),
        (with_precision_for_covariance, True),
        (without_weights, True),
        (with_weights_of_others, False),
        (with_a_chunk_repeated, True),
    ],
    ids=lambda bug: getattr(bug, "__name__", ""),
)
@kinds
def test_a_wrong_density_is_found(kind, bug, norm_alone, monkeypatch):
    original = GMM._log_joint
    monkeypatch.setattr(GMM, "_log_joint", lambda self, x: bug(original(self, x), self))
    model = random_mixture(kind)
    with pytest.raises(AssertionError):
        law_density(model, 3 * normal(20, 2))
    if norm_alone:
        with pytest.raises(AssertionError):
            law_integrates_to_one(model)
    else:
        law_integrates_to_one(model)


def test_a_logarithm_of_a_sum_of_zeros_is_found(monkeypatch):
    monkeypatch.setattr(GMM, "log_prob", lambda self, x: self._log_joint(self._check(x)).exp().sum(1).log())
    model = random_mixture("full")
    law_density(model, normal(20, 2))
    with pytest.raises(AssertionError):
        law_density(model, torch.full((1, 2), 1e4, dtype=torch.float64))


def test_responsibilities_over_examples_are_found(monkeypatch):
    monkeypatch.setattr(GMM, *e_step_over_examples())
    with pytest.raises(AssertionError):
        law_responsibilities(random_mixture("full"), normal(20, 2))


def test_digits_lost_far_from_the_origin_are_found(monkeypatch):
    """E[x²] - E[x]² without a common centre, as one writes it first."""

    def change(model, new, old, x, r):
        share = r / r.sum(0)
        return {"covariances": share.T @ x.square() - (share.T @ x).square() + model.floor}

    x = clusters(n=80, offset=1e6)
    law_textbook(started(x, 2, "diagonal"), x, steps=1)
    monkeypatch.setattr(GMM, *patched_m_step(change))
    with pytest.raises(AssertionError):
        law_textbook(started(x, 2, "diagonal"), x, steps=1)


@pytest.mark.parametrize("bug", ["transposed", "variances", "weights", "order"])
def test_wrong_samples_are_found(bug, monkeypatch):
    model, kind = None, "diagonal" if bug == "variances" else "full"
    if bug in ("transposed", "variances"):
        wrong = (lambda root: root.mT) if bug == "transposed" else (lambda root: root**2)
        original = GMM._roots
        monkeypatch.setattr(GMM, "_roots", lambda self: wrong(original(self)))
    elif bug == "weights":
        original = torch.Tensor.cumsum
        monkeypatch.setattr(torch.Tensor, "cumsum", lambda x, *dims: original(torch.full_like(x, 1 / len(x)), *dims))
    else:
        original = GMM.sample

        def sample(self, *arguments, **named):
            x, m = original(self, *arguments, **named)
            return x, m.flip(0)

        monkeypatch.setattr(GMM, "sample", sample)
    model = random_mixture(kind)
    with pytest.raises(AssertionError):
        law_samples(model)


def test_an_order_that_matters_is_found(monkeypatch):
    original = GMM._log_joint
    monkeypatch.setattr(GMM, "_log_joint", lambda self, x: with_weights_of_others(original(self, x), self))
    with pytest.raises(AssertionError):
        law_permutation(random_mixture("full", 4, 3), clusters(d=3))


@pytest.mark.parametrize("bug", ["lost", "repeated"])
def test_a_wrong_last_chunk_is_found(bug, monkeypatch):
    def wrong(n, rows):
        parts = [slice(i, i + rows) for i in range(0, n - rows + 1, rows)]
        return parts if bug == "lost" else [*parts, slice(max(0, n - rows), n)]

    law_chunks(random_mixture("full"), clusters(n=61), monkeypatch)
    monkeypatch.setitem(globals(), "slices", wrong)
    with pytest.raises(AssertionError):
        law_chunks(random_mixture("full"), clusters(n=61), monkeypatch)


@pytest.mark.parametrize("function", ["multinomial", "randint"])
def test_global_randomness_is_found(function, monkeypatch):
    original = getattr(torch, function)
    monkeypatch.setattr(torch, function, lambda *a, generator=None, **named: original(*a, **named))
    with pytest.raises(AssertionError):
        law_pure(random_mixture("full"), clusters())


def test_a_step_that_is_half_written_is_found(monkeypatch):
    def slowly(self, weights, means, covariances):
        for name, value in dict(weights=weights, means=means, covariances=covariances).items():
            setattr(self, name, value)
            until = time.perf_counter() + 0.002
            while time.perf_counter() < until:
                pass

    monkeypatch.setattr(GMM, "_set", slowly)
    x = clusters(n=200)
    with pytest.raises(AssertionError, match="no whole step"):
        law_whole_steps(started(x, 3, "full"), x, torch.linspace(0.002, 0.06, 60).tolist())
