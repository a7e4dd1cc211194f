"""What must be true of any mixture of Gaussians, however it was written, and what is said where it is not.

Only `log_prob` and `sample` are looked at, since how the parameters are kept is the reader's choice.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gencourse.exercises.gmm.shared import draws, insist
from gencourse.exercises.machine.answers import as_numbers
from gencourse.exercises.machine.cases import Case, seeded
from gencourse.exercises.machine.common import chance, method


def _model(fn, x: Tensor, components: int, steps: int, seed: int = 0) -> object:
    return fn(x.clone(), components, steps, torch.Generator().manual_seed(seed))


def _log_prob(model, x: Tensor) -> Tensor:
    """Its log-density as (B,) float64, or an Unusable for another shape or a NaN."""
    return insist(
        "log_prob(x)", as_numbers(method(model, "log_prob")(x.clone())), (len(x),)
    )


def _sample(model, n: int, features: int, generator: torch.Generator) -> Tensor:
    drawn = as_numbers(method(model, "sample")(n, generator))
    return insist("sample(n, generator)", drawn, (n, features))


def _parabola(model, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The Gaussian that the log-density is at these points, by least squares: its log-mass, mean and covariance;
    last how far the log-density is from a parabola, at most, in standard deviations of its values."""
    D, y = x.shape[1], _log_prob(model, x)
    i, j = torch.triu_indices(D, D)
    middle = x.double().mean(0)
    u = x.double() - middle
    columns = torch.cat([torch.ones(len(u), 1).double(), u, u[:, i] * u[:, j]], 1)
    found = torch.linalg.lstsq(columns, y[:, None]).solution[:, 0]
    half = torch.zeros(D, D, dtype=torch.float64)
    half[i, j] = found[D + 1 :] / 2
    precision = -2 * (half + half.T)
    try:
        covariance = torch.linalg.inv(precision)
        shift = covariance @ found[1 : D + 1]
    except torch.linalg.LinAlgError:  # flat
        covariance, shift = torch.full((D, D), math.inf).double(), middle * 0
    peak = found[0] + shift @ precision @ shift / 2
    log_mass = peak + torch.logdet(2 * math.pi * covariance) / 2
    return (
        log_mass,
        middle + shift,
        covariance,
        (columns @ found - y).abs().max() / y.std().clamp(min=1e-9),
    )


def _grid(reach: float, step: float) -> Tensor:
    """Points of the plane, from -reach to reach in both directions."""
    side = torch.arange(-reach, reach, step, dtype=torch.float64)
    return torch.cartesian_prod(side, side)


def _moments(model, reach: float, step: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of a density in the plane, by its sum over a grid: integral, mean and covariance."""
    grid = _grid(reach, step)
    p = _log_prob(model, grid).exp() * step**2
    total = p.sum()
    mean = p @ grid / total
    return total, mean, (p[:, None] * (grid - mean)).T @ (grid - mean) / total


def _moments_of(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.double()
    return x.mean(0), (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)


def _whitened(covariance: Tensor, mean: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance in units in which those of x are 0 and 1."""
    mean_x, covariance_x = _moments_of(x)
    root = torch.linalg.inv(torch.linalg.cholesky(covariance_x))
    return root @ (mean - mean_x), root @ covariance @ root.T


# The data


def _clusters(n: int, shares, means, stds, tilt=0.0, seed=0) -> tuple[Tensor, Tensor]:
    """Points around these means, with these standard deviations (K, D); the features of cluster m are correlated by
    ±tilt. Each cluster has its share exactly, so that little depends on luck. Returns the points and their clusters."""
    counts = [round(share * n) for share in shares]
    cluster = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    e = draws(seed, len(cluster), len(means[0])).double()
    sign = 1 - 2 * (cluster % 2).double()
    e[:, 1:] = tilt * (sign * e[:, 0])[:, None] + math.sqrt(1 - tilt**2) * e[:, 1:]
    x = (
        torch.as_tensor(means).double()[cluster]
        + torch.as_tensor(stds).double()[cluster] * e
    )
    order = torch.randperm(len(x), generator=seeded(seed + 1), device="cpu")
    return x[order], cluster[order]


def _nested(seed: int) -> Tensor:
    """A rare broad cluster around a narrow one."""
    return _clusters(
        160, (0.75, 0.25), [[0.0, 0.0]] * 2, [[0.8] * 2, [2.4] * 2], seed=seed
    )[0]


def _overlapping(seed: int) -> Tensor:
    return _clusters(
        160,
        (0.6, 0.25, 0.15),
        [[-1.0, 0.0], [1.0, 0.5], [0.0, 2.0]],
        [[1.0, 0.5], [0.5, 0.8], [0.7, 0.7]],
        seed=seed,
    )[0]


def _on_a_line(seed: int) -> Tensor:
    """Two clusters in one dimension that overlap, one of them rare."""
    return _clusters(150, (0.85, 0.15), [[0.0], [2.0]], [[1.0], [1.0]], seed=seed)[0]


SHARES, TILT = (0.6, 0.3, 0.1), 0.9
MEANS = torch.tensor([[-5.0, -3.0], [5.0, -2.0], [0.0, 5.0]]).double()
STDS = torch.tensor([[1.2, 1.0], [0.8, 0.8], [1.0, 1.4]]).double()


def _apart(seed: int) -> tuple[Tensor, Tensor]:
    """Three correlated clusters well apart, of unequal shares."""
    return _clusters(400, SHARES, MEANS, STDS, TILT, seed)


def _log_prob_of_truth(x: Tensor) -> Tensor:
    """Of the mixture that `_apart` draws from."""
    covariance = torch.tensor([[[1.0, s * TILT], [s * TILT, 1.0]] for s in (1, -1, 1)]) * (
        STDS[:, :, None] * STDS[:, None]
    )
    normal = torch.distributions.MultivariateNormal(MEANS, covariance.double())
    return (torch.tensor(SHARES).log() + normal.log_prob(x[:, None])).logsumexp(1)


# The laws: what is observed, whether a right answer could have it, and what is said if not


def _integral(fn, x):
    """Of the density of three components, after 6 steps."""
    return _moments(_model(fn, x, 3, 6), reach=9, step=0.25)[0]


def _holds_integral(seen):
    return abs(seen - 1) < 0.01


def _say_integral(seen):
    words = f"With three components the density integrates to {seen:.4g} over the plane; it must be 1. "
    if abs(seen - 3) < 0.03:
        return f"{words}That is the number of components: do the weights P(m) stand in the sum?"
    return (
        f"{words}One Gaussian is right, so look at the sum: do its weights add up to 1, and are all "
        "components in it?"
    )


def _one_component(fn, x):
    """With one component, in three dimensions: after one step the mean (3) and the covariance (9),
    in units of the data's; the log-mass; how far the log-density is from a parabola; the covariance
    (9); mean (3) and covariance (9) of the start, in units again; the covariance of the data (9).
    """
    log_mass, mean, covariance, off = _parabola(_model(fn, x, 1, 1, seed=3), x)
    white_mean, white = _whitened(covariance, mean, x)
    _, old_mean, old, _ = _parabola(_model(fn, x, 1, 0, seed=3), x)
    old_mean, old = _whitened(old, old_mean, x)
    due = _moments_of(x)[1]
    parts = (white_mean, white, log_mass, off, covariance, old_mean, old, due)
    return torch.cat([part.flatten() for part in parts])


def _parts_of_one(seen: Tensor) -> tuple[Tensor, ...]:
    """The eight parts of what `_one_component` saw."""
    parts = seen.split([3, 9, 1, 1, 9, 3, 9, 9])
    return tuple(part.view(3, 3) if len(part) == 9 else part for part in parts)


def _is_the_data(mean: Tensor, covariance: Tensor) -> bool:
    eye = torch.eye(len(mean), dtype=torch.float64)
    return bool((mean.abs() < 0.02).all() and ((covariance - eye).abs() < 0.03).all())


def _holds_one_component(seen):
    mean, white, log_mass, off, *_ = _parts_of_one(seen)
    return _is_the_data(mean, white) and bool(log_mass.abs() < 0.02 and off < 0.1)


def _say_one_component(seen):
    mean, white, log_mass, off, covariance, _, _, due = _parts_of_one(seen)
    if not off < 0.1:
        return (
            "With one component the log-density of a Gaussian is a parabola; yours is off by up to "
            f"{off.item():.2g} standard deviations from the nearest one. Is it the logarithm of the density?"
        )
    if (white.diagonal() < 0).all():
        return (
            "With one component the log-density rises with the distance from the points: is its "
            "sign turned?"
        )
    if _is_the_data(mean, white):
        log_of_stds = due.diagonal().log().sum().item() / 2
        return _say_constant(log_mass.item(), torch.logdet(due).item(), log_of_stds)
    words = (
        "With one component, one step must give the mean and the covariance of the points. "
    )
    old = _parts_of_one(seen)[5:7]
    if torch.allclose(old[0], mean) and torch.allclose(old[1], white):
        return f"{words}Your density after one step is that of the start."
    if mean.abs().max() > 0.02:
        words += f"The mean is off by up to {mean.abs().max():.2g} standard deviations. "
    else:
        words += "The mean is right. "
    variances = covariance.diagonal()
    between = torch.stack([covariance[0, 1], covariance[0, 2], covariance[1, 2]])
    if between.abs().max() < 0.02 * due.diagonal().min():
        alike = variances.max() < 1.01 * variances.min()
        largest = (due - torch.diag(due.diagonal())).abs().max()
        return (
            f"{words}Its covariance is {'round' if alike else 'diagonal'}: between two features it is 0, "
            f"where up to {largest:.2g} is due. Full covariances are asked for."
        )
    size, added = white.diagonal().mean(), covariance - due
    if (added - added[0, 0] * torch.eye(3)).abs().max() < 0.02 * added[0, 0]:
        return f"{words}Each variance is too large by {added[0, 0]:.2g}: a floor must be small beside the variances."
    if (white - size * torch.eye(3)).abs().max() < 0.03 * size:
        half = "in log_prob the quadratic form counts with a half."
        divide = f"there are {N_IN_SPACE} points, and it is divided by N_m, once."
        if abs(size - 1) > 0.03:
            words += f"The covariance is {size:.3g} times theirs: {half if abs(size - 0.5) < 0.02 else divide}"
        return words
    ratio = ", ".join(f"{r:.3g}" for r in variances / due.diagonal())
    return (
        f"{words}The variances of the three features are {ratio} times theirs. With one component all "
        "responsibilities are 1, and Σ = Σ_n (x_n - µ)(x_n - µ)ᵀ / N; a floor is small beside it. Does "
        "log_prob take (x - µ)ᵀ Σ⁻¹ (x - µ) / 2?"
    )


def _say_constant(log_mass: float, log_det: float, log_of_stds: float) -> str:
    words = (
        "With one component in three dimensions, mean and covariance are right, but the density "
        f"integrates to {math.exp(min(log_mass, 700)):.3g}; it must be 1. "
    )
    circle = math.log(2 * math.pi)
    known = {
        1.5 * circle: "That is (2π)^(D/2): this factor is missing.",
        1.0 * circle: "That is 2π: the factor is (2π)^(D/2), and D is 3 here.",
        -1.5 * circle: "That is 1 / (2π)^(D/2): this factor counts twice.",
        log_det / 2: "That is √det Σ: the determinant is missing.",
        -log_det / 2: "That is 1 / √det Σ: log det Σ counts with a half, once.",
        log_of_stds: "That is the product of the standard deviations of the features: if you fit standardised points, "
        "log_prob of a point itself is that of the standardised point minus Σ_d log σ_d.",
        log_det
        / 4: "That is the root of √det Σ: with L Lᵀ = Σ, half of log det Σ is the sum of the "
        "logarithms of L's diagonal.",
    }
    for value, name in known.items():
        if abs(log_mass - value) < 0.01:
            return words + name
    return f"{words}Look at the factors (2π)^(D/2) and √det Σ."


def around_the_old_mean(results) -> bool:
    """After one step with one component, is the covariance that around the mean of the start?"""
    if (seen := _value(results, _one_component)) is None:
        return False
    mean, covariance, _, _, _, old, *_ = _parts_of_one(seen)
    offset = mean - old
    due = torch.eye(3).double() + offset[:, None] * offset
    right = (mean.abs() < 0.02).all() and offset.norm() > 0.3
    return bool(right and (covariance - due).abs().max() < 0.03 * due.abs().max())


def over_the_points(results) -> bool:
    """With one component, is the mean what shares over the points, not the components, would make?"""
    if (seen := _value(results, _one_component)) is None or _holds_one_component(seen):
        return False
    mean, _, _, _, _, old_mean, old, _ = _parts_of_one(seen)
    (x,) = next(r.case.arguments for r in results if r.case.observe is _one_component)
    mean_x, covariance_x = _moments_of(x)
    offsets = (x - mean_x) @ torch.linalg.inv(torch.linalg.cholesky(covariance_x)).T
    offsets = offsets - old_mean
    r = (-(offsets @ torch.linalg.pinv(old) * offsets).sum(1) / 2).softmax(0)
    due = r @ offsets + old_mean
    return bool((due - mean).abs().max() < 0.02 < mean.abs().max())


def stops_at(label: str):
    """Is this the first law that breaks, by an error or a NaN?"""

    def shows(results) -> bool:
        first = next((r for r in results if not r.right), None)
        return first is not None and first.label == label and first.problem is not None

    return shows


def _value(results, observe) -> Tensor | None:
    """What was observed so, where it is numbers without a NaN."""
    found = next((r.value for r in results if r.case.observe is observe), None)
    return found if found is not None and found.isfinite().all() else None


def _moments_after_steps(fn, x):
    """With three components, after one step and after four: the mean (2) and the covariance (4), in units of the
    data's."""
    parts = []
    for steps in (1, 4):
        _, mean, covariance = _moments(
            _model(fn, x, 3, steps, seed=4), reach=20, step=1 / 3
        )
        mean, covariance = _whitened(covariance, mean, x)
        parts += [mean, covariance.flatten()]
    return torch.cat(parts)


def _holds_moments(seen):
    return all(_is_the_data(part[:2], part[2:].view(2, 2)) for part in seen.split(6))


def _say_moments(seen):
    steps, part = next(
        (steps, part)
        for steps, part in zip(("one step", "four steps"), seen.split(6))
        if not _is_the_data(part[:2], part[2:].view(2, 2))
    )
    words = (
        "After an M-step, Σ_m P(m) µ_m is the mean of the points, and the whole mixture has their covariance. "
        f"With three components, after {steps}, "
    )
    if part[:2].abs().max() > 0.02:
        return (
            f"{words}its mean is off by {part[:2].abs().max():.2g} standard deviations: are weights and means those "
            "of the M-step, N_m / N and Σ_n r_nm x_n / N_m, with the same responsibilities?"
        )
    values = torch.linalg.eigvalsh(part[2:].view(2, 2))
    words += f"the mean is right, but the covariance is between {values[0]:.3g} and {values[1]:.3g} times theirs: "
    if values[0] > 0.97:
        return (
            f"{words}too broad. Is each point counted by its responsibility in the covariance, too, and is it taken "
            "around the new mean of its component?"
        )
    return (
        f"{words}are the covariances full matrices, divided by N_m, around the new means?"
    )


def _steps_count(fn, x):
    """How much the log-density changes at most, from the start to one step, and from one to six."""
    zero, one, six = (_log_prob(_model(fn, x, 3, steps), x) for steps in (0, 1, 6))
    return torch.stack([(one - zero).abs().max(), (six - one).abs().max()])


def _holds_steps(seen):
    return bool((seen > 1e-6).all())


def _say_steps(seen):
    same = (
        "1 step is that of the start" if seen[0] <= 1e-6 else "6 steps is that after 1 step"
    )
    return f"The density after {same}: `steps` EM steps are to be taken."


def _parting(fn, x):
    """How far the log-density of three components is from that of one Gaussian, after 10 steps."""
    return _parabola(_model(fn, x, 3, 10), x)[3]


def _holds_parting(seen):
    return seen > 1e-3


def _say_parting(seen):
    return (
        "Three components, ten steps, three clusters well apart: and the density is one single "
        f"Gaussian, for its logarithm is a parabola within {seen:.1g}. Components that start alike "
        "stay alike, and one that starts far from all points gets none: is each mean of the start another one, in the "
        "midst of the points?"
    )


def _climb(fn, *sets):
    """For each set of points and seed the log-likelihood after 0, 1, … 8 steps, nats per point; last
    how much the log-density still changes from step 24 to 25, at most, on the first two sets."""
    rows, late = [], []
    for x, components, seeds in sets:
        for seed in range(seeds):
            models = (_model(fn, x, components, steps, seed) for steps in range(9))
            rows += [_log_prob(model, x).mean() for model in models]
    for x, components, _ in sets[:2]:
        before, after = (
            _log_prob(_model(fn, x, components, steps), x) for steps in (24, 25)
        )
        late.append((after - before).abs().max())
    return torch.stack([*rows, max(late)])


FALL = 1e-4  # nats per point that a floor and rounding may cost


def _rises(seen: Tensor) -> Tensor:
    return seen[:-1].view(-1, 9).diff(dim=1)


def _holds_climb(seen):
    return bool(seen.isfinite().all() and _rises(seen).min() > -FALL)


def _say_climb(seen):
    rises, paths = _rises(seen), seen[:-1].view(-1, 9)
    if not seen.isfinite().all():
        return "The log-likelihood of the training points becomes infinite within 25 steps of EM."
    path, step = divmod(int(rises.argmin()), rises.shape[1])
    words = (
        f"The log-likelihood of the training points falls: from {paths[path, step]:.4f} nats per point "
        f"to {paths[path, step + 1]:.4f} in step {step + 1}, and in {int((rises < -FALL).sum())} of "
        f"{rises.numel()} steps. EM never lowers it. "
    )
    if seen[-1] == 0:
        return (
            f"{words}And where clusters overlap, the density is exactly the same after 24 steps and "
            "after 25, as if each point belonged to one component only: responsibilities are shares."
        )
    return (
        f"{words}Do the responsibilities hold the weights P(m), and is the whole M-step made of the "
        "same responsibilities?"
    )


def _fixed(fn, x):
    """With one component: how much the log-density changes, at most, from step 1 to step 7."""
    one, seven = (_log_prob(_model(fn, x, 1, steps, seed=2), x) for steps in (1, 7))
    return (seven - one).abs().max()


def _holds_fixed(seen):
    return seen < 0.01


def _say_fixed(seen):
    return (
        "With one component EM has arrived after one step, but your density still changes until step 7, "
        f"its logarithm by up to {seen:.2g}: is something added or taken away in each step?"
    )


def _same_seed(fn, x):
    """How much the log-density differs at most, for the same seed; was the generator seeded anew?"""
    generator = torch.Generator().manual_seed(5)
    first = _log_prob(fn(x.clone(), 3, 2, generator), x)
    torch.rand(7)  # another state of the common source of chance
    second = _log_prob(_model(fn, x, 3, 2, seed=5), x)
    seeded_anew = torch.tensor(generator.initial_seed() != 5).double()
    return torch.stack([(first - second).abs().max(), seeded_anew])


def _holds_same_seed(seen):
    return bool(seen[0] < 1e-6 and not seen[1])


def _say_same_seed(seen):
    if seen[1]:
        return "The generator is seeded inside: that is the caller's business."
    return (
        "The same points and the same seed give densities whose logarithms differ by up to "
        f"{seen[0]:.2g}: all chance must come from the generator, and nothing may be kept between calls."
    )


def _change_of_x(fn, x):
    """By how much x is another one after the call and after log_prob, at most."""
    mine = x.clone()
    method(fn(mine, 2, 2, torch.Generator().manual_seed(0)), "log_prob")(mine)
    return (mine - x).abs().max()


def _holds_x(seen):
    return seen == 0


def _say_x(seen):
    return (
        f"Your code changes x itself, by up to {seen:.3g}: the caller still needs it. `x = x - mean` "
        "makes a new tensor, `x -= mean` does not."
    )


def _each_cluster(fn, x, cluster):
    """From the best of four seeds: of each of three clusters the numbers of `_near_clusters` after 15 steps; are they
    right after 60, where they are not after 15; how far the density at step 0 is from one Gaussian, at most."""
    rows = _near_clusters(fn, x, cluster, 15)
    later = _are_the_clusters(rows) or _are_the_clusters(_near_clusters(fn, x, cluster, 60))
    alike = max(_parabola(_model(fn, x, 3, 0, seed), x)[3] for seed in range(4))
    more = torch.tensor([[float(later), alike]]).double().expand(3, 2)
    return torch.cat([rows, more], 1)


def _near_clusters(fn, x, cluster, steps):
    """From the best of four seeds, near the middle of each cluster: the weight, the mean (2) and the covariance (4) of
    the density in units of the cluster's own; the covariance (4), and what it has more than the cluster's (4)."""
    models = [_model(fn, x, 3, steps, seed) for seed in range(4)]
    best = max(models, key=lambda model: _log_prob(model, x).mean())
    rows = []
    for m in range(3):
        points = x[cluster == m]
        middle, own = _moments_of(points)
        near = middle + 0.5 * draws(m, 40, 2).double() @ torch.linalg.cholesky(own).T
        log_mass, mean, covariance, _ = _parabola(best, near)
        mean, white = _whitened(covariance, mean, points)
        numbers = (log_mass.exp()[None], mean, white, covariance, covariance - own)
        rows.append(torch.cat([each.flatten() for each in numbers]))
    return torch.stack(rows)


def _correlation(covariance: Tensor) -> Tensor:
    return covariance[..., 1] / (covariance[..., 0] * covariance[..., 3]).sqrt()


def _holds_each_cluster(seen):
    return _are_the_clusters(seen)


def _are_the_clusters(seen: Tensor) -> bool:
    weights = (seen[:, 0] - torch.tensor(SHARES)).abs() < 0.03
    return bool(weights.all()) and all(
        (row[1:3].abs() < 0.1).all()
        and (row[3:7] - torch.eye(2).flatten()).abs().max() < 0.15
        for row in seen
    )


def _say_each_cluster(seen):
    words = "On three clusters well apart, the best of four seeds after 15 steps: "
    weights, covariance, added = seen[:, 0], seen[:, 7:11], seen[:, 11:15]
    later, alike = seen[0, 15:].tolist()
    in_place = (seen[:, 1:3].abs() < 0.3).all()
    shares = ", ".join(f"{share:.2f}" for share in SHARES)
    if later:
        return (
            f"{words}the clusters are not found, but after 60 steps from the same seeds they are: the start is too "
            "poor. Means that start nearly alike part slowly, as after random responsibilities: start from points of "
            "the data that lie apart."
        )
    if alike < NEARLY_ONE and not in_place:
        return (
            f"{words}the clusters are not found, and before the first step the density is nearly one single Gaussian, "
            f"its logarithm a parabola within {alike:.2g} standard deviations: the components start nearly alike, as "
            "after random responsibilities. Start from means that lie apart, such as points of the data."
        )
    if not seen.isfinite().all():
        return f"{words}near the middle of some cluster it is not the density of a Gaussian. Is the start fair?"
    if (weights - 1 / 3).abs().max() < 0.12 and in_place:
        found = ", ".join(f"{weight:.2f}" for weight in weights)
        return (
            f"{words}near their middles the density has the weights {found}, all near 1/3, where the "
            f"shares of the points are {shares}: are the weights fitted, N_m / N?"
        )
    if _correlation(covariance).abs().max() < 0.05:
        round_ = (covariance[:, 0] / covariance[:, 3] - 1).abs().max() < 0.05
        kind = "round: one variance for all directions" if round_ else "diagonal"
        return (
            f"{words}the components are {kind}, where the features of the points are correlated by ±0.9. Full "
            "covariances are asked for."
        )
    same = (covariance - covariance.mean(0)).abs().max() < 0.05 * covariance.abs().max()
    if same and in_place:
        return f"{words}all components have the same covariance, where the clusters have different ones."
    in_place = in_place and (weights - torch.tensor(SHARES)).abs().max() < 0.03
    floor = added[:, [0, 3]].mean()
    same = (added - floor * torch.eye(2).flatten()).abs().max() < 0.15 * floor
    if same and in_place:
        return (
            f"{words}weights and means are right, but each variance in each cluster is too large by {floor:.2g}, "
            "nearly the same everywhere: that is a floor, and it is too high. It must be small beside the variances "
            "inside a cluster in every direction, not only beside those of all points: try 1e-6 of these."
        )
    if in_place:
        sizes = seen[:, [3, 6]].mean(1)
        return (
            f"{words}the weights are right, but around the middles of the clusters the variances are "
            f"{', '.join(f'{size:.2g}' for size in sizes)} times those of the points. "
            + ("Is the floor small beside them? " if (sizes > 1.02).all() else "")
            + "Are the covariances weighted by the responsibilities and divided by N_m?"
        )
    return (
        f"{words}near the middles of the clusters the density has the weights "
        f"{', '.join(f'{weight:.2g}' for weight in weights)}, where the shares of the points are {shares}. "
        "Look at the start first: do its means lie apart, one near each cluster from most seeds? Then: does each "
        "component keep to its own points?"
    )


NEARLY_ONE = 0.1  # standard deviations: see `_parabola`


def _found(fn, x, new, law):
    """Nats per new point by which the density misses the true one, after 25 steps from each of eight seeds."""
    return torch.stack(
        [(law - _log_prob(_model(fn, x, 3, 25, seed), new)).mean() for seed in range(8)]
    )


MARGIN, ENOUGH = 0.15, 4


def _holds_found(seen):
    return (seen < MARGIN).sum() >= ENOUGH


def _say_found(seen):
    hit = int((seen < MARGIN).sum())
    return (
        f"Three clusters well apart: from {hit} of 8 seeds the density, after 25 steps, comes within {MARGIN} nats per "
        f"new point of the true one; the best misses {seen.min():.2g}, the median {seen.median():.2g}. At least "
        f"{ENOUGH} are asked for. Do the starting means lie apart, in the midst of the points, with covariances broad "
        "enough to reach them? Does nothing but EM change the parameters?"
    )


def _far(fn, x):
    """The log-density 100 and 10,000 units away, after 5 steps with three components."""
    away = torch.tensor([[60.0, 80.0], [6000.0, 8000.0]], dtype=x.dtype)
    return _log_prob(_model(fn, x, 3, 5), away)


def _holds_far(seen):
    return bool(seen.isfinite().all() and 1_000 < seen[1] / seen[0] < 100_000)


def _say_far(seen):
    near, far = seen.tolist()
    if not seen.isfinite().all():
        return (
            f"At 100 and 10,000 units from the points the log-density is {near:.4g} and {far:.4g}: the exponential is "
            "0 there, and so its logarithm. Stay with logarithms: log-sum-exp."
        )
    return (
        f"At 100 and 10,000 units from the points the log-density is {near:.4g} and {far:.4g}; it must fall with the "
        "square of the distance. Is it cut off somewhere? With log-sum-exp nothing has to be."
    )


def _high_dimension(fn, x):
    """One component in 100 dimensions, after two steps: the mean log-density, less what is due."""
    return _log_prob(_model(fn, x, 1, 2), x).mean() - _of_gaussian(x).mean()


def _holds_high_dimension(seen):
    return seen.abs() < 1


def _say_high_dimension(seen):
    return (
        "With one component in 100 dimensions, points that spread by 1,000, the log-density is "
        f"{seen:+.3g} nats away from that of the Gaussian due. {UNDERFLOW}"
    )


UNDERFLOW = (
    "The density is about exp(-830) there, which is 0 as a number of 64 bits, and det Σ is too large "
    "for one. Stay with logarithms: `softmax` and `logsumexp` of log P(m) + log P(x|m), and log det Σ."
)


def _other_units(fn, x, due):
    """Three clusters, the unit 10⁸ times smaller, the best of three seeds after 15 steps: the mean log-density at the
    points, less that of the true density."""
    models = (_model(fn, UNIT * x, 3, 15, seed) for seed in range(3))
    best = max(_log_prob(model, UNIT * x).mean() for model in models)
    return best + 2 * math.log(UNIT) - due.mean()


UNIT = 1e8


def _holds_units(seen):
    return seen > -0.15


def _say_units(seen):
    return (
        "The three clusters once more, but in a unit 10⁸ times smaller: the best of three seeds after 15 steps is "
        f"{-seen:.2g} nats per point below the true density. Densities are about 10⁻¹⁸ there: are "
        "the responsibilities made of logarithms, with nothing added, and are the start and the floor in the unit of "
        "the points?"
    )


def _of_gaussian(x: Tensor) -> Tensor:
    """The log-density of the Gaussian with the mean and the covariance of these points, at them."""
    return torch.distributions.MultivariateNormal(*_moments_of(x)).log_prob(x.double())


def _few(fn, *sets):
    """For each set: how many numbers are infinite among log-densities at the points, at others, and samples."""
    counts = []
    for x, components in sets:
        for seed in range(2):
            model = _model(fn, x, components, 15, seed)
            values = [_log_prob(model, x), _log_prob(model, x + 0.5)]
            values.append(
                _sample(model, 20, x.shape[1], torch.Generator().manual_seed(1)).flatten()
            )
            counts.append((~torch.cat(values).isfinite()).sum())
    return torch.stack(counts).double()


def _holds_few(seen):
    return not seen.any()


def _say_few(seen):
    return f"{FEW} {int(seen.sum())} numbers are infinite. {SINGULAR}"


FEW = "Six points for four components, points on a line, and five components for two clusters:"
SINGULAR = (
    "A component on few points, or on one, has a covariance that is singular or worse, and a density "
    "without bound. Divide by N_m, not by N_m - 1, add a small number to the diagonal, and mind an N_m "
    "of 0."
)


def _drawn(fn, x, cluster):
    """Of 3,000 draws after 15 steps, from the best of three seeds: the shares near the three clusters, less those of
    the density there; how far the covariance near each cluster is from that of the density, in its
    units; the first half's share of cluster 1, less the second half's; the share of draws that are points of x; the
    largest standard deviation of the draws near a cluster; of 400 calls for two draws the shares, less those due."""
    models = [_model(fn, x, 3, 15, seed) for seed in range(3)]
    best = max(models, key=lambda model: _log_prob(model, x).mean())
    y = _sample(best, 3000, 2, torch.Generator().manual_seed(11))
    middles = torch.stack([x[cluster == m].mean(0) for m in range(3)])
    grid = _grid(12, 0.25)
    p = _log_prob(best, grid).exp()
    p = p / p.sum()
    of_grid, of_draws = (torch.cdist(each, middles).argmin(1) for each in (grid, y))
    shares = torch.bincount(of_draws, minlength=3) / 3000
    due = torch.zeros(3, dtype=torch.float64).index_add(0, of_grid, p)
    off = []
    for m in range(3):
        inside, weights = grid[of_grid == m], p[of_grid == m] / p[of_grid == m].sum()
        mean = weights @ inside
        root = torch.linalg.cholesky(
            (weights[:, None] * (inside - mean)).T @ (inside - mean)
        )
        e = torch.linalg.solve_triangular(root, (y[of_draws == m] - mean).T, upper=False)
        spread = e @ e.T / max(1, e.shape[1])
        off.append((spread - torch.eye(2)).abs().max())
    first, second = (of_draws.view(2, -1) == 0).double().mean(1)
    copies = (torch.cdist(y, x).amin(1) < 1e-9).double().mean()
    groups = [y[of_draws == m] for m in range(3)]
    spread = max(group.std(0).max() for group in groups if len(group) > 1)
    generator = torch.Generator().manual_seed(12)
    pairs = torch.cat([_sample(best, 2, 2, generator) for _ in range(400)])
    of_pairs = torch.bincount(torch.cdist(pairs, middles).argmin(1), minlength=3) / 800
    numbers = torch.stack([*off, first - second, copies, spread])
    return torch.cat([shares - due, numbers, of_pairs - due])


def _holds_drawn(seen):
    return bool(
        (seen[:3].abs() < 0.05).all()
        and (seen[3:6] < 0.4).all()
        and seen[6].abs() < 0.08
        and seen[7] < 0.01
        and (seen[9:].abs() < 0.09).all()
    )


def _say_drawn(seen):
    if seen[7] >= 0.01:
        return (
            f"{seen[7]:.0%} of the draws are points of x: draw new ones from the density."
        )
    if seen[:3].abs().max() >= 0.05:
        return (
            "Draws do not come to the clusters as often as the density says: the shares are off by "
            f"{', '.join(f'{value:+.2f}' for value in seen[:3])}. Component m is drawn with probability P(m), for "
            "each point anew."
        )
    if seen[6].abs() >= 0.08:
        return (
            "The first half of the draws has another share of one cluster than the second, by "
            f"{seen[6].abs():.2f}: the draws are sorted by their components, and so not independent."
        )
    if seen[8] < 1e-6:
        return (
            "Near each cluster all draws are equal, so no draw has a noise of its own: draw e for every point anew, "
            "(n, D) numbers from N(0, I); then µ + L e."
        )
    if (seen[3:6] < 0.4).all():
        return (
            "Of 3,000 draws in one call the shares near the clusters are right, but in 400 calls for two draws they "
            f"are off by {', '.join(f'{value:+.2f}' for value in seen[9:])}. The number of draws from a component is "
            "itself by chance: draw m for each point, with probability P(m), in place of a fixed number of each."
        )
    return (
        f"Near the clusters the draws have another covariance than the density: off by up to {seen[3:6].max():.2g} in "
        "its own units. With L Lᵀ = Σ and e ~ N(0, I), µ + L e has the covariance Σ."
    )


def _chance_of_draws(fn, x):
    model = _model(fn, x, 2, 2)
    return chance(lambda generator: _sample(model, 50, 2, generator), seed=21)


def _holds_chance(seen):
    return bool(seen.all())


def _say_chance(seen):
    if not seen[0]:
        return "The same generator, seeded alike, gives other draws: every draw takes `generator=generator`."
    return (
        "Two calls in a row with one generator give the same draws, or another seed does, or the generator is seeded "
        "inside: draw from the generator itself, and do not seed it."
    )


def _law(label, observe, holds, broken, *arguments, if_right=True) -> Case:
    return Case(
        *arguments,
        label=label,
        observe=observe,
        holds=holds,
        broken=broken,
        if_right=if_right,
    )


N_IN_SPACE = 300
_PLANE = _overlapping(2)
_THREE = _apart(1)
_NEW, _ = _apart(7)
_MIX = torch.tensor([[1.5, 1.0, -0.6], [0.0, 1.2, 0.5], [0.0, 0.0, 0.9]]).double()
_SPACE = draws(3, N_IN_SPACE, 3).double() @ _MIX + torch.tensor([2.0, -1.0, 0.5])
_LINE = draws(14, 40, 1).double() * torch.tensor([1.0, 2.0])
_SPOTS = 0.1 * draws(15, 40, 2).double() + 10 * (torch.arange(40) % 2)[:, None]

FIRST = "x is not changed"
LAWS = (
    _law(FIRST, _change_of_x, _holds_x, _say_x, _PLANE, if_right=False),
    _law(
        "the same seed gives the same",
        _same_seed,
        _holds_same_seed,
        _say_same_seed,
        _PLANE,
        if_right=False,
    ),
    _law(
        "one component is one Gaussian",
        _one_component,
        _holds_one_component,
        _say_one_component,
        _SPACE,
        if_right=False,
    ),
    _law(
        "components that start alike stay alike",
        _parting,
        _holds_parting,
        _say_parting,
        _THREE[0],
        if_right=False,
    ),
    _law(
        "the number of steps counts",
        _steps_count,
        _holds_steps,
        _say_steps,
        _PLANE,
        if_right=False,
    ),
    _law("the density integrates to 1", _integral, _holds_integral, _say_integral, _PLANE),
    _law(
        "the mixture has the moments of the points",
        _moments_after_steps,
        _holds_moments,
        _say_moments,
        _THREE[0],
    ),
    _law("a fixed point stays one", _fixed, _holds_fixed, _say_fixed, _SPACE),
    _law(
        "the likelihood never falls",
        _climb,
        _holds_climb,
        _say_climb,
        (_nested(5), 2, 3),  # points, components, seeds
        (_on_a_line(7), 2, 3),
        (_overlapping(6), 3, 1),
        (_nested(8), 3, 1),
    ),
    _law(
        "each component fits its cluster",
        _each_cluster,
        _holds_each_cluster,
        _say_each_cluster,
        *_THREE,
    ),
    _law(
        "chance comes from the generator",
        _chance_of_draws,
        _holds_chance,
        _say_chance,
        _PLANE,
    ),
    _law("draws follow the density", _drawn, _holds_drawn, _say_drawn, *_THREE),
    _law("far points", _far, _holds_far, _say_far, _PLANE.float()),
    _law(
        "a hundred dimensions",
        _high_dimension,
        _holds_high_dimension,
        _say_high_dimension,
        1000 * draws(12, 300, 100).double(),
    ),
    _law(
        "points in other units",
        _other_units,
        _holds_units,
        _say_units,
        _THREE[0],
        _log_prob_of_truth(_THREE[0]),
    ),
    _law(
        "few points",
        _few,
        _holds_few,
        _say_few,
        (draws(13, 6, 2).double(), 4),
        (_LINE, 2),
        (_SPOTS, 5),
    ),
    _law(
        "the clusters are found",
        _found,
        _holds_found,
        _say_found,
        _THREE[0],
        _NEW,
        _log_prob_of_truth(_NEW),
    ),
)
