"""A mixture of Gaussians: draw a component m from P(m), then x from N(μ_m, Σ_m). So

    P(x) = Σ_m P(m) N(x; μ_m, Σ_m),

and expectation maximisation (EM) climbs its likelihood: Dempster, Laird and Rubin, "Maximum likelihood from incomplete
data via the EM algorithm" (1977), section 4.3; Bishop, "Pattern Recognition and Machine Learning", section 9.2. Its
start: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding" (2007), section 2.2.
"""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gencourse.models.settings import draw_noise
from gencourse.support.checks import article, generator_or_new, number, positive_integer

Covariance = Literal["full", "diagonal", "spherical"]
COVARIANCES = get_args(Covariance)
Start = Literal["kmeans++", "random", "present"]
STARTS = get_args(Start)
CHUNK = 2**18  # numbers in a temporary array: 2 MiB, which a processor's cache holds
DEAD = 1e-8  # examples: what explains less than that has no mean of its own any more
ROUNDING = 1e-14  # the share of a variance that may be nothing but float64's rounding
LARGEST = 1e100  # of the values in x, so that squared distances stay finite


@dataclass
class EMHistory:
    """What `fit_em` did.

    Attributes:
        log_likelihood: mean log P(x), nats per example, after 0, 1, 2, … steps; the last is the model's as it is left.
        converged: True if the last step changed it by less than the tolerance.
        notes: which component died or collapsed, in which step, and what was done about it.
        starts: the last log-likelihood of each start. best_start: the one that was kept; all else here is about it.
        interrupted: True if Ctrl-C ended it.
    """

    log_likelihood: list[float] = field(default_factory=list, repr=False)
    converged: bool = False
    notes: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    best_start: int = 0
    interrupted: bool = False

    @property
    def stopped(self) -> str | None:
        """Where Ctrl-C stopped it, in words, as a claim after it tells them; None if it did not."""
        steps = max(0, len(self.log_likelihood) - 1)
        return f"EM was stopped after {steps} step{'s' * (steps != 1)}" if self.interrupted else None


class GMM(nn.Module):
    """A mixture of K = `n_components` Gaussians over vectors of D = `n_features` real numbers.

    Its parameters are the float64 buffers `weights` (K,), `means` (K, D) and `covariances`: (K, D, D) full, variances
    (K, D) diagonal, one variance a component (K,) spherical. Set by hand, they are checked wherever they are used.

    Args:
        covariance: "full", "diagonal" or "spherical".
        floor: added to every variance by the M-step, in squared units of x. Without it, a component that shrinks onto
            one example makes the likelihood grow without bound.

    Raises:
        TypeError, ValueError: an argument that makes no sense.

    >>> x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> x[50:] += 10  # two clusters of 50 points
    >>> gmm = GMM(n_components=2, n_features=2)
    >>> history = gmm.fit_em(x)
    >>> history.converged, [round(weight, 2) for weight in gmm.weights.tolist()]
    (True, [0.5, 0.5])
    >>> gmm.sample(3).shape, gmm.log_prob(x).shape, gmm.responsibilities(x).shape
    (torch.Size([3, 2]), torch.Size([100]), torch.Size([100, 2]))
    """

    def __init__(
        self, n_components: int, n_features: int, covariance: Covariance = "full", floor: float = 1e-6
    ) -> None:
        super().__init__()
        self.n_components = positive_integer("n_components", n_components)
        self.n_features = positive_integer("n_features", n_features)
        self.event_shape = (self.n_features,)
        if covariance not in COVARIANCES:
            raise ValueError(f"covariance is {covariance!r}; expected one of {COVARIANCES}")
        self.covariance, self.floor = covariance, number("floor", floor)
        ones = torch.ones(self.n_components, self.n_features, dtype=torch.float64)
        self.register_buffer("weights", torch.full_like(ones[:, 0], 1 / self.n_components))
        self.register_buffer("means", torch.zeros_like(ones))
        self.register_buffer("covariances", self._of_variances(ones))

    @property
    def n_parameters(self) -> int:
        """Free numbers: K - 1 weights, K means and K (symmetric) covariances."""
        of_one = {"full": self.n_features * (self.n_features + 1) // 2, "diagonal": self.n_features, "spherical": 1}
        return self.n_components * (1 + self.n_features + of_one[self.covariance]) - 1

    # -- the distribution ----------------------------------------------------------------------------------------

    def log_prob(self, x: Tensor) -> Tensor:
        """Exact log-density, log Σ_m exp(log P(m) + log P(x|m)), which does not underflow however far away x is.

        Args:
            x: (B, D) float32 or float64; all is computed in float64.

        Returns:
            (B,) nats, float64.

        Raises:
            TypeError: x is no tensor of real numbers. ValueError: wrong shape, no example, NaN; or parameters, set by
                hand, that are no distribution.
        """
        return self._log_joint(self._check(x)).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """P(m|x), each component's share in each example: (B, D) -> (B, K) float64; raises as `log_prob` does."""
        return self._e_step(self._check(x))[1]

    def loss(self, x: Tensor) -> Tensor:
        """Negative log-likelihood in nats per example, averaged over the batch."""
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def bic(self, x: Tensor) -> float:
        """Bayesian information criterion, -2 Σ_n log P(x_n) + n_parameters · log n: the smaller the better."""
        return -2 * self.log_prob(x).sum().item() + self.n_parameters * math.log(len(x))

    @torch.no_grad()
    def sample(
        self, n: int, generator: torch.Generator | None = None, with_component: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Draw n times m ~ P(m), then x ~ N(μ_m, Σ_m): (n, D) float32; `with_component` also gives m, (n,) int64."""
        n, root = positive_integer("n", n, least=0), self._roots()
        kind = dict(device=root.device, generator=generator, dtype=torch.float64)
        cumulative = self.weights.cumsum(0)
        m = torch.searchsorted(cumulative, draw_noise(torch.rand, n, **kind) * cumulative[-1], right=True)
        noise = draw_noise(torch.randn, (n, self.n_features), **kind)
        if self.covariance == "full":
            for k in m.unique():
                noise[m == k] = noise[m == k] @ root[k].T  # L·e has the covariance L·Lᵀ
        else:
            noise *= root[m]
        x = (self.means[m] + noise).float()
        return (x, m) if with_component else x

    # -- expectation maximisation --------------------------------------------------------------------------------

    @torch.no_grad()
    def em_step(self, x: Tensor, notes: list[str] | None = None) -> float:
        """One E-step and one M-step on all of x; returns the mean log-likelihood before them, nats per example.

        The likelihood never falls, but for two things that are not EM. The floor widens what the M-step finds; where it
        is not small beside the variances, the likelihood can fall a little. And a component that died (it explains no
        example) or is singular even with the floor is moved: its mean to the example that is explained worst, with the
        variances of all data and the weight of one example. One that only the floor keeps from being singular stays.

        Args:
            x: (n, D) float32 or float64; n at least K, and no feature constant.
            notes: a list, to which a sentence on each such component is appended; without it they are warnings.

        Raises:
            TypeError, ValueError: as `log_prob`; too few examples, a constant feature, every component singular. The
                model is then as before.
        """
        x = self._check(x, to_learn=True)
        log_p, r = self._e_step(x)
        for note in self._m_step(x, log_p, r):
            if notes is not None:
                notes.append(note)
            else:
                warnings.warn(note, RuntimeWarning, stacklevel=3)
        return log_p.mean().item()

    @torch.no_grad()
    def fit_em(
        self,
        x: Tensor,
        *,
        max_steps: int = 100,
        tolerance: float = 1e-3,
        start: Start = "kmeans++",
        n_starts: int = 1,
        generator: torch.Generator | None = None,
        progress: Callable[[Iterable], Iterable] | None = None,
    ) -> EMHistory:
        """Take EM steps until one changes the log-likelihood by less than `tolerance`; of several starts keep the best.

        EM can crawl, and then climb on: with a large `tolerance`, as the default is, starts are ranked by where each
        paused. To rank the summits that they lead to, take one such as 1e-6, and `max_steps` to match.

        Args:
            x: (n, D) float32 or float64; n at least K, and no feature constant.
            max_steps: the most that each start may take; with 0 only the start is made.
            tolerance: nats per example; with 0 all steps are taken.
            start: "kmeans++" takes examples far from one another as means, "random" any examples; weights are equal,
                and variances such that the components together fill the volume of the data. "present" goes on from the
                parameters as they are.
            generator: source of all randomness; by default a new one with seed 0.
            progress: wraps the loop over the steps of each start, such as `gencourse.support.progress.progress`.

        Returns:
            the EMHistory. Interrupting the kernel (Ctrl-C) returns it too, and leaves the parameters of a whole step.

        Raises:
            TypeError, ValueError: as `em_step`, or an argument that makes no sense.
        """
        x = self._check(x, to_learn=True)
        max_steps, n_starts = positive_integer("max_steps", max_steps, 0), positive_integer("n_starts", n_starts)
        tolerance = number("tolerance", tolerance)
        if start not in STARTS:
            raise ValueError(f"start is {start!r}; expected one of {STARTS}")
        if start == "present" and n_starts > 1:
            raise ValueError(f"n_starts is {n_starts}, but only one is present; take start='kmeans++' or 'random'")
        generator = generator_or_new(generator, x.device)
        best, starts, kept = None, [], (self.weights, self.means, self.covariances)
        try:
            for i in range(n_starts):
                history = EMHistory(best_start=i)
                try:
                    if start != "present":
                        self._set(*self._start(x, start, generator))
                    self._climb(x, history, max_steps, tolerance, progress or iter)
                except KeyboardInterrupt:
                    history.interrupted = True
                starts.append(history.log_likelihood[-1] if history.log_likelihood else -math.inf)
                if best is None or starts[-1] > starts[best.best_start]:
                    best, kept = history, (self.weights, self.means, self.covariances)
                if history.interrupted:
                    break
        finally:
            self._set(*kept)  # as before, if an error ends it in the first start
        best.starts, best.interrupted = starts, history.interrupted
        return best

    def _climb(self, x: Tensor, history: EMHistory, max_steps: int, tolerance: float, progress: Callable) -> None:
        notes, before = [], []
        for step in progress(range(max_steps + 1)):
            log_p, r = self._e_step(x)
            history.log_likelihood.append(log_p.mean().item())
            change = abs(history.log_likelihood[-1] - history.log_likelihood[-2]) if step else math.inf
            history.converged = change < tolerance and notes == before  # not while components are being moved
            if history.converged or step == max_steps:
                break
            notes, before = self._m_step(x, log_p, r), notes
            history.notes += [f"step {step + 1}: {note}" for note in notes if note not in before]

    def _e_step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log P(x_n) = log Σ_m P(m) P(x_n|m), and r_nm = P(m|x_n) = P(m) P(x_n|m) / P(x_n): (n,) and (n, K)."""
        log_joint = self._log_joint(x)
        log_p = log_joint.logsumexp(1)
        return log_p, log_joint.sub_(log_p[:, None]).exp_()

    def _m_step(self, x: Tensor, log_p: Tensor, r: Tensor) -> list[str]:
        """Weights, means and covariances of the examples, each counted by its responsibility; returns the notes.

        n_m = Σ_n r_nm;  P(m) = n_m / n;  μ_m = Σ_n r_nm x_n / n_m;  Σ_m = Σ_n r_nm (x_n - μ_m)(x_n - μ_m)ᵀ / n_m
        """
        n_m = r.sum(0)  # (K,)
        divisor = n_m.clamp(min=DEAD)[:, None]
        means = r.T @ x / divisor  # (K, D)
        if self.covariance == "full":
            covariances = x.new_zeros(*means.shape, self.n_features)
            for rows in self._chunks(len(x)):
                deviation = (x[rows] - means[:, None]).mul_((r[rows].T / divisor).sqrt()[:, :, None])  # (K, rows, D)
                covariances.baddbmm_(deviation.mT, deviation)
            size = covariances.diagonal(dim1=1, dim2=2)
        else:  # E[x²] - E[x]², about the mean of the data: a large offset would cost all digits
            size = r.T @ (x - x.mean(0)).square() / divisor
            covariances = size - (means - x.mean(0)).square()
            if self.covariance == "spherical":
                covariances, size = covariances.mean(1), size.mean(1)
        floor, rounding = torch.full_like(size, self.floor), ROUNDING * size
        thin = ~self._positive(self._add(covariances, -floor - rounding))
        singular = ~self._positive(self._add(covariances, floor - rounding))
        return self._mend(x, log_p, n_m, means, self._add(covariances, floor), thin, singular)

    def _mend(
        self,
        x: Tensor,
        log_p: Tensor,
        n_m: Tensor,
        means: Tensor,
        covariances: Tensor,
        thin: Tensor,
        singular: Tensor,
    ) -> list[str]:
        """Move the components that died or are singular, set the parameters, say what was done."""
        dead = n_m < DEAD
        moved = dead | singular
        if moved.all():
            raise ValueError(
                f"all components (K = {self.n_components}) are singular: features depend on one another linearly, or "
                f"{len(x)} examples are too few; raise floor (now {self.floor:g}), or take fewer or 'diagonal' ones"
            )
        kept = (thin & ~moved).nonzero().flatten().tolist()
        notes = [f"component {k} collapsed: in some direction its variance is mostly the floor; kept" for k in kept]
        moved = moved.nonzero().flatten()
        worst = log_p.topk(len(moved), largest=False).indices
        for k, i in zip(moved.tolist(), worst.tolist()):
            what = "died: it explains no example" if dead[k] else "collapsed: its covariance is singular"
            notes.append(f"component {k} {what}; moved to example {i}, the worst explained")
        n_m[moved], means[moved] = 1.0, x[worst]
        covariances[moved] = self._of_variances(x.var(0).expand(len(moved), -1) + self.floor)
        self._set(n_m / n_m.sum(), means, covariances)
        return notes

    def _start(self, x: Tensor, start: Start, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Examples as means, equal weights, and variances whose volume is 1/K of the data's."""
        k = self.n_components
        if start == "random":
            chosen = torch.randperm(len(x), generator=generator, device=generator.device)[:k].to(x.device)
        else:  # the next one by its squared distance to the nearest of those before
            centred = x - x.mean(0)
            square = centred.square().sum(1)
            distance = torch.full_like(square, math.inf)
            chosen = torch.randint(len(x), (1,), generator=generator, device=generator.device).to(x.device)
            while len(chosen) < k:
                i = chosen[-1]
                distance = torch.minimum(distance, (square - 2 * (centred @ centred[i]) + square[i]).clamp(min=0))
                distance[chosen] = 0
                odds = distance if distance.any() else torch.ones_like(distance).index_fill(0, chosen, 0)
                new = torch.multinomial(odds.to(generator.device), 1, generator=generator)
                chosen = torch.cat([chosen, new.to(x.device)])
        variances = x.var(0).expand(k, -1) * k ** (-2 / self.n_features) + self.floor
        return torch.full_like(self.weights, 1 / k), x[chosen], self._of_variances(variances)

    # -- linear algebra of all components at once ----------------------------------------------------------------

    def _log_joint(self, x: Tensor) -> Tensor:
        """log P(m) + log N(x; μ_m, Σ_m): (B, D) -> (B, K). All distances of a chunk are one product of matrices."""
        root = self._roots()
        centre = self.weights @ self.means  # subtracted from all: a large offset would cost digits
        means = self.means - centre
        if self.covariance == "full":  # |L⁻¹x - L⁻¹μ|²
            identity = torch.eye(self.n_features, dtype=root.dtype, device=root.device)
            inverse = torch.linalg.solve_triangular(root, identity, upper=False)
            matrix, offset = inverse.flatten(0, 1).T.contiguous(), (inverse @ means[:, :, None]).flatten()
            root = root.diagonal(dim1=1, dim2=2)

            def distance(x: Tensor) -> Tensor:
                return torch.addmm(offset, x, matrix, beta=-1).unflatten(1, means.shape).square_().sum(2)
        else:  # Σ_d (x² - 2xμ + μ²) / σ²
            inverse = root**-2
            matrix, offset = torch.cat([inverse, -2 * inverse * means], 1).T, (inverse * means.square()).sum(1)

            def distance(x: Tensor) -> Tensor:
                return torch.addmm(offset, torch.cat([x.square(), x], 1), matrix).clamp_(min=0)

        squared = x.new_empty(len(x), self.n_components)  # at once: many small pieces would scatter the memory
        for rows in self._chunks(len(x)):
            squared[rows] = distance(x[rows] - centre)
        constant = self.weights.log() - root.log().sum(1) - self.n_features / 2 * math.log(2 * math.pi)
        return squared.mul_(-0.5).add_(constant)

    def _chunks(self, n: int) -> list[slice]:
        """Slices of n examples: about CHUNK numbers in each, with K·D numbers an example, or 64 examples."""
        rows = max(64, CHUNK // self.means.numel())
        return [slice(i, i + rows) for i in range(0, n, rows)]

    def _of_variances(self, variances: Tensor) -> Tensor:
        """Covariances of this model's kind: variances (·, D) -> (·, D, D), (·, D) or (·,)."""
        kinds = {"full": torch.diag_embed, "diagonal": torch.clone, "spherical": lambda variances: variances.mean(1)}
        return kinds[self.covariance](variances)

    def _add(self, covariances: Tensor, variances: Tensor) -> Tensor:
        return covariances + (variances.diag_embed() if self.covariance == "full" else variances)

    def _positive(self, covariances: Tensor) -> Tensor:
        """(K,) True where a covariance is positive definite."""
        if self.covariance == "full":
            return torch.linalg.cholesky_ex(covariances).info == 0
        return (covariances > 0).view(self.n_components, -1).all(1)

    def _roots(self) -> Tensor:
        """L with L·Lᵀ = Σ, (K, D, D), or standard deviations (K, D); raises where parameters are no distribution."""
        k, d = self.n_components, self.n_features
        shapes = {"full": (k, d, d), "diagonal": (k, d), "spherical": (k,)}
        for name, shape in dict(weights=(k,), means=(k, d), covariances=shapes[self.covariance]).items():
            value = getattr(self, name)
            if tuple(value.shape) != shape or value.dtype != torch.float64:
                raise ValueError(
                    f"{name} is {tuple(value.shape)}, {value.dtype}; expected {shape}, torch.float64: "
                    "gmm.double(), if its dtype was changed"
                )
            if not torch.isfinite(value).all():
                raise ValueError(f"{name} holds NaN or infinite values; set finite ones")
        if (self.weights < 0).any() or abs(self.weights.sum().item() - 1) > 1e-6:
            raise ValueError(f"weights are {self.weights.tolist()}; expected none below 0, and 1 as their sum")
        good = self._positive(self.covariances)
        if self.covariance == "full":
            skew = (self.covariances - self.covariances.mT).abs().amax((1, 2))
            good &= skew <= 1e-8 * self.covariances.abs().amax((1, 2))
        if not good.all():
            raise ValueError(
                f"covariances {(~good).nonzero().flatten().tolist()} are not symmetric and positive definite; add a "
                "positive number to their variances until they are"
            )
        if self.covariance == "full":
            return torch.linalg.cholesky(self.covariances)
        return self.covariances.sqrt().view(k, -1).expand(k, d)

    def _set(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """All three in one call, so that an interruption finds them all old or all new."""
        self._buffers.update(weights=weights, means=means, covariances=covariances)

    def _check(self, x: Tensor, to_learn: bool = False) -> Tensor:
        """x in float64; raises unless it is a batch of real vectors, and enough of them `to_learn` from."""
        if not isinstance(x, Tensor):
            raise TypeError(f"x is {article(x)}; expected a torch.Tensor of real numbers (float32 or float64)")
        if x.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"x has dtype {x.dtype}; a GMM models real numbers: give float32 or float64 (x.float())")
        if x.dim() != 2 or x.shape[1] != self.n_features:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this GMM has n_features={self.n_features}, so x must be "
                f"(batch, {self.n_features}); x.flatten(1) makes vectors of images"
            )
        if len(x) == 0:
            raise ValueError("x is an empty batch; expected at least one example")
        x = x.double()
        if not (x.abs() <= LARGEST).all():  # NaN is not
            raise ValueError(f"x holds NaN, infinite values or some beyond {LARGEST:g}; clean the data first")
        if to_learn and len(x) < self.n_components:
            raise ValueError(f"x has {len(x)} examples for {self.n_components} components; give more, or take fewer")
        if to_learn and (constant := (x == x[0]).all(0)).any():
            raise ValueError(
                f"features {constant.nonzero().flatten().tolist()} are constant in all {len(x)} examples, so that the "
                "likelihood has no bound; leave them out: x[:, x.amax(0) > x.amin(0)]"
            )
        return x
