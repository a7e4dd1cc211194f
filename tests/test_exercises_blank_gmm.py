"""The exercise of notebook 02 in which a whole mixture is written: right answers of many kinds, and wrong ones with the
diagnosis that each must draw."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from gencourse.exercises import gmm
from gencourse.exercises.machine.cases import varied
from gencourse.exercises.machine.mistakes import plain

exercise = gmm.mixture_from_blank
SOURCE = plain(exercise.solution_source)
RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


@right
def numpy_in_loops(x, components, steps, generator):
    """Any points as means; one component after the other; NumPy."""
    x, rng = x.numpy().astype(float), np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    n, d = x.shape
    w, mu = np.full(components, 1 / components), x[rng.permutation(n)[:components]].copy()
    cov = [np.atleast_2d(np.cov(x.T, bias=True)) + 1e-6 * np.eye(d) for _ in range(components)]

    def log_joint(x):
        columns = []
        for k in range(components):
            offset = x - mu[k]
            squares = np.sum(offset * np.linalg.solve(cov[k], offset.T).T, 1)
            log_det = np.linalg.slogdet(2 * np.pi * cov[k])[1]
            columns.append(np.log(w[k]) - 0.5 * (squares + log_det))
        return np.stack(columns, 1)

    def log_prob(x):
        a = log_joint(np.asarray(x, dtype=float))
        top = a.max(1)
        return top + np.log(np.exp(a - top[:, None]).sum(1))

    for _ in range(steps):
        r = np.exp(log_joint(x) - log_prob(x)[:, None])
        for k in range(components):
            total = r[:, k].sum() + 1e-12
            w[k], mu[k] = total / n, r[:, k] @ x / total
            cov[k] = (x - mu[k]).T @ ((x - mu[k]) * r[:, k, None]) / total + 1e-6 * np.eye(d)

    def sample(n, generator):
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        which = rng.choice(components, size=n, p=w / w.sum())
        return np.stack([rng.multivariate_normal(mu[k], cov[k]) for k in which])

    return SimpleNamespace(log_prob=log_prob, sample=sample)


class Module(nn.Module):
    """Float32 buffers, and the Gaussians of torch."""

    def __init__(self, x, components, generator):
        super().__init__()
        d = x.shape[1]
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("loc", x[torch.randperm(len(x), generator=generator)[:components]].clone())
        spread = x.var(0, unbiased=False).mean()
        self.register_buffer("tril", (spread.sqrt() * torch.eye(d)).repeat(components, 1, 1))

    def joint(self, x):
        normal = MultivariateNormal(self.loc, scale_tril=self.tril)
        return self.logits.log_softmax(0) + normal.log_prob(x.float()[:, None])

    def log_prob(self, x):
        return torch.logsumexp(self.joint(x), dim=-1)

    def step(self, x):
        joint = self.joint(x)
        r = (joint - joint.logsumexp(1, keepdim=True)).exp()
        total = r.sum(0).clamp(min=1e-6)
        self.logits = total.log()
        self.loc = (r.T @ x) / total.unsqueeze(1)
        d = x.unsqueeze(1) - self.loc
        cov = (r[:, :, None, None] * d[..., None] * d[..., None, :]).sum(0) / total[:, None, None]
        self.tril = torch.linalg.cholesky(cov + 1e-4 * torch.eye(x.shape[1]))

    @torch.no_grad()
    def sample(self, n, generator):
        u = torch.rand(n, generator=generator)
        k = (u[:, None] > self.logits.softmax(0).cumsum(0)).sum(1).clamp(max=len(self.loc) - 1)
        e = torch.randn(n, self.loc.shape[1], generator=generator)
        return self.loc[k] + torch.einsum("nij,nj->ni", self.tril[k], e)


@right
def module_in_float32(x, components, steps, generator):
    x = x.float()
    model = Module(x, components, generator)
    for _ in range(steps):
        model.step(x)
    return model


class Precisions:
    """Precision matrices, log-weights, a floor by a prior (MAP), identity at the start."""

    def __init__(self, x, components, generator):
        self.d = x.shape[1]
        self.centre, self.scale = x.mean(0), x.std()
        z = self.standard(x)
        self.log_w = torch.full((components,), -math.log(components)).double()
        self.mu = z[torch.randperm(len(x), generator=generator)[:components]]
        self.precision = torch.eye(self.d).double().repeat(components, 1, 1)

    def standard(self, x):
        return (x.double() - self.centre) / self.scale

    def each(self, z):
        offset = z[None] - self.mu[:, None]  # (K, N, D)
        squares = ((offset @ self.precision) * offset).sum(-1)
        return (self.log_w[:, None] + 0.5 * torch.logdet(self.precision)[:, None] - 0.5 * squares).T

    def log_prob(self, x):
        a = self.each(self.standard(x))
        top = a.amax(1, keepdim=True)
        total = top[:, 0] + (a - top).exp().sum(1).log()
        return total - self.d * (0.5 * math.log(2 * math.pi) + self.scale.log())

    def step(self, x):
        z = self.standard(x)
        r = torch.softmax(self.each(z), dim=-1)
        count = r.sum(0)
        self.log_w = ((count + 1e-9) / (count + 1e-9).sum()).log()
        for k in range(len(count)):
            if count[k] < 1e-9:
                continue
            self.mu[k] = (r[:, k, None] * z).sum(0) / count[k]
            e = z - self.mu[k]
            scatter = e.T @ torch.diag(r[:, k]) @ e
            self.precision[k] = torch.linalg.inv((scatter + 1e-5 * torch.eye(self.d)) / (count[k] + 1e-5))

    def sample(self, n, generator):
        k = torch.multinomial(self.log_w.exp(), n, True, generator=generator)
        out = torch.empty(n, self.d, dtype=torch.float64)
        for i in range(len(self.mu)):
            root = torch.linalg.cholesky(torch.linalg.inv(self.precision[i]))
            rows = k == i
            out[rows] = self.mu[i] + torch.randn(int(rows.sum()), self.d, generator=generator).double() @ root.T
        return out * self.scale + self.centre


@right
def precisions_of_standardised_points(x, components, steps, generator):
    model = Precisions(x, components, generator)
    for _ in range(steps):
        model.step(x)
    return model


@right
def eigenvectors_and_farthest_points(x, components, steps, generator):
    """No chance in the start; variances along eigenvectors, never below a thousandth of a thousandth."""
    x = x.double()
    n, d = x.shape
    chosen = [int((x - x.mean(0)).norm(dim=1).argmin())]
    while len(chosen) < components:
        chosen.append(int(torch.cdist(x, x[chosen]).amin(1).argmax()))
    least = 1e-6 * x.var(0).sum()
    state = {}

    def put(weights, means, covariances):
        values, vectors = torch.linalg.eigh(covariances)
        state.update(w=weights, mu=means, values=values.clamp(min=least), vectors=vectors)

    def joint(y):
        out = torch.zeros(len(y), components, dtype=torch.float64)
        for k in range(components):
            along = (y.double() - state["mu"][k]) @ state["vectors"][k]
            out[:, k] = state["w"][k].log() - 0.5 * (
                along.pow(2) / state["values"][k] + (2 * math.pi * state["values"][k]).log()
            ).sum(1)
        return out

    class Fitted:
        def log_prob(self, y):
            return torch.logsumexp(joint(y), 1)

        def sample(self, n, generator):
            rows = []
            for _ in range(n):
                k = int(torch.multinomial(state["w"], 1, generator=generator))
                e = torch.randn(d, generator=generator, dtype=torch.float64)
                rows.append(state["mu"][k] + state["vectors"][k] @ (state["values"][k].sqrt() * e))
            return torch.stack(rows)

    put(
        torch.full((components,), 1 / components).double(),
        x[chosen].clone(),
        torch.cov(x.T).reshape(1, d, d).expand(components, d, d) / components,
    )
    for _ in range(steps):
        r = joint(x).softmax(-1) + 1e-300
        total = r.sum(0)
        means = (r / total).T @ x
        second = torch.stack([(x * (r[:, k] / total[k])[:, None]).T @ x for k in range(components)])
        put(total / n, means, second - means[:, :, None] * means[:, None])
    return Fitted()


@right
def k_means_first(x, components, steps, generator):
    """Ten steps of k-means from random points, then EM from its clusters."""
    x = x.double()
    n, d = x.shape
    centres = x[torch.multinomial(torch.ones(n), components, generator=generator)].clone()
    for _ in range(10):
        own = torch.cdist(x, centres).argmin(1)
        for k in range(components):
            if (own == k).any():
                centres[k] = x[own == k].mean(0)
    r = nn.functional.one_hot(torch.cdist(x, centres).argmin(1), components).double()
    r = 0.9 * r + 0.1 / components

    def m(r):
        total = r.sum(0)
        mu = r.T @ x / total[:, None]
        offsets = x - mu[:, None]
        cov = (r.T[:, :, None] * offsets).mT @ offsets / total[:, None, None]
        return (total / n).log(), mu, torch.linalg.cholesky(cov + 1e-5 * torch.eye(d))

    def joint(y, log_w, mu, root):
        e = torch.linalg.solve_triangular(root, (y.double() - mu[:, None]).mT, upper=False)
        log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return (log_w - log_det)[:, None] - 0.5 * e.square().sum(1) - 0.5 * d * math.log(2 * math.pi)  # (K, N)

    parameters = m(r)
    for _ in range(steps):
        parameters = m(joint(x, *parameters).softmax(0).T)
    log_w, mu, root = parameters

    def sample(n, generator):
        k = torch.searchsorted(log_w.exp().cumsum(0), torch.rand(n, generator=generator).double() * 0.999999)
        return mu[k] + (root[k] * torch.randn(n, 1, d, generator=generator)).sum(-1)

    return SimpleNamespace(log_prob=lambda y: joint(y, *parameters).logsumexp(0), sample=sample)


@right
def means_drawn_around_the_mean(x, components, steps, generator):
    """Means drawn from the Gaussian of all points; the covariance as E[x²] − E[x]² ; a list of components."""
    x = x.double()
    (n, d), middle = x.shape, x.double().mean(0)
    u = x - middle
    cov = u.T @ u / n + 1e-6 * torch.eye(d)
    parts = [
        (1 / components, torch.linalg.cholesky(cov) @ torch.randn(d, generator=generator).double(), cov)
        for _ in range(components)
    ]
    for _ in range(steps):
        r = torch.stack([math.log(w) + MultivariateNormal(mu, c).log_prob(u) for w, mu, c in parts]).softmax(0)
        new = []
        for share in r:
            total = float(share.sum()) + 1e-9
            mu = share @ u / total
            c = torch.einsum("n,ni,nj->ij", share, u, u) / total - torch.outer(mu, mu)
            new.append((total / n, mu, (c + c.T) / 2 + 1e-6 * torch.eye(d)))
        parts = new

    class Model:
        def log_prob(self, y):
            y = y.double() - middle
            columns = [math.log(w) + MultivariateNormal(mu, c).log_prob(y) for w, mu, c in parts]
            total = columns[0]
            for column in columns[1:]:
                total = torch.logaddexp(total, column)
            return total

        def sample(self, n, generator):
            w = torch.tensor([w for w, _, _ in parts])
            draws = []
            for k in torch.multinomial(w, n, replacement=True, generator=generator):
                e = torch.randn(d, generator=generator).double()
                draws.append(middle + parts[k][1] + torch.linalg.cholesky(parts[k][2]) @ e)
            return torch.stack(draws)

    return Model()


def changed(*pairs):
    """The reference with these changes, each of text that stands there once."""
    source = SOURCE
    for old, new in pairs:
        assert source.count(old) == 1, (old, source)
        source = source.replace(old, new)
    scope = {"math": math, "torch": torch, "Tensor": Tensor}
    exec(source, scope)
    return scope["mixture_from_blank"]


START = "    mixture.Sigma = (torch.cov"
JOINT = "mixture.log_joint(x).softmax(1)"
MU = "        mixture.mu = r.T @ x / N_m[:, None]\n"
SIGMA = 'torch.einsum("nm,nmi,nmj->mij", r, d, d) / N_m[:, None, None]'
PUT = "mixture.Sigma = Sigma + floor\n"
WEIGHTS = "mixture.weights = N_m / N_m.sum()"
RETURN = "return self.log_joint(x.double()).logsumexp(1)"
PICK = "m = torch.multinomial(self.weights, n, replacement=True, generator=generator)"
NOISE = "e = torch.randn(n, D, 1, generator=generator, dtype=torch.float64)"
DRAW = "return self.mu[m] + (torch.linalg.cholesky(self.Sigma)[m] @ e)[..., 0]"
LOG_DET = "L.diagonal(dim1=1, dim2=2).log().sum(1)"

OTHER_STARTS = {
    "any points": "mixture.mu = x[torch.randperm(N, generator=generator)[:components]]",
    "around the mean": "mixture.mu = x.mean(0) + x.std(0) * torch.randn(components, D, generator=generator)",
    "tiny variances": "mixture.Sigma = (1e-4 * eye).repeat(components, 1, 1)",
}


def other_start(lines):
    """The reference with these lines after its own start."""
    return changed(("    for _ in range(steps):", f"    {lines}\n    for _ in range(steps):"))


NEAR_THE_MEAN = "    mixture.mu = x.mean(0) + 0.1 * torch.randn(components, D, generator=generator)\n"
RANDOM_RESPONSIBILITIES = """    r = (0.1 * torch.randn(N, components, generator=generator).double()).softmax(1)
    mixture.weights = r.mean(0)
    mixture.mu = r.T @ x / r.sum(0)[:, None]
    d = x[:, None] - mixture.mu
    mixture.Sigma = torch.einsum("nm,nmi,nmj->mij", r, d, d) / r.sum(0)[:, None, None] + floor
"""

WRONG = {  # changes of the reference, the diagnosis, and some of the words
    "x centred in place": (
        [("    x = x.double()\n", "    x -= x.mean(0)\n    x = x.double()\n")],
        "x is not changed",
        "-=",
    ),
    "start from the common source of chance": (
        [("new = torch.multinomial(squares, 1, generator=generator)", "new = torch.multinomial(squares, 1)")],
        "the same seed gives the same",
        "all chance must come from the generator",
    ),
    "seeded inside": (
        [("    mixture = Mixture()\n", "    mixture = Mixture()\n    generator.manual_seed(0)\n")],
        "the same seed gives the same",
        "the caller's business",
    ),
    "no log_prob": ([("def log_prob(", "def density(")], "no method log_prob", "no method `log_prob`"),
    "no sample": ([("def sample(", "def draw(")], "no method sample", "no method `sample`"),
    "mean over the batch": ([(RETURN, RETURN + ".mean()")], "log_prob(x) has a wrong shape", "(160,) is due"),
    "softmax over the points": ([(JOINT, "mixture.log_joint(x).softmax(0)")], "shares over the points", "`dim=1`"),
    "softmax over all": (
        [(JOINT, "mixture.log_joint(x).flatten().softmax(0).view(N, -1)")],
        "shares over the points",
        "`dim=1`",
    ),
    "covariance around the old mean": (
        [(MU, ""), (PUT, PUT + MU)],
        "around the old mean",
        "never lowers the likelihood",
    ),
    "no step at all": ([("range(steps)", "range(0)")], "one component is one Gaussian", "is that of the start"),
    "covariance not divided": (
        [(SIGMA, 'torch.einsum("nm,nmi,nmj->mij", r, d, d)')],
        "one component is one Gaussian",
        "300 times theirs",
    ),
    "second moments around 0": (
        [(SIGMA, 'torch.einsum("nm,ni,nj->mij", r, x, x) / N_m[:, None, None]')],
        "one component is one Gaussian",
        "The mean is right. The variances",
    ),
    "means not fitted": ([(MU, "")], "one component is one Gaussian", "The mean is off"),
    "diagonal": (
        [(PUT, "mixture.Sigma = torch.diag_embed(Sigma.diagonal(dim1=1, dim2=2)) + floor\n")],
        "one component is one Gaussian",
        "Its covariance is diagonal",
    ),
    "round": (
        [(PUT, "mixture.Sigma = Sigma.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * eye + floor\n")],
        "one component is one Gaussian",
        "Its covariance is round",
    ),
    "large floor": ([("floor = 1e-6", "floor = 0.2")], "one component is one Gaussian", "a floor must be small"),
    "no determinant": ([(LOG_DET + " + ", "")], "one component is one Gaussian", "√det Σ: the determinant is missing"),
    "log det Σ whole": ([(LOG_DET, "2 * " + LOG_DET)], "one component is one Gaussian", "counts with a half"),
    "half of the half": ([(LOG_DET, LOG_DET + " / 2")], "one component is one Gaussian", "the root of √det Σ"),
    "no 2π": ([(" + D / 2 * math.log(2 * math.pi)", "")], "one component is one Gaussian", "this factor is missing"),
    "2π without D": ([("D / 2 * math.log", "1 / 2 * math.log")], "one component is one Gaussian", "That is 2π"),
    "2π to the D": ([("D / 2 * math.log", "D * math.log")], "one component is one Gaussian", "counts twice"),
    "quadratic form whole": (
        [("e.square().sum(2) / 2", "e.square().sum(2)")],
        "one component is one Gaussian",
        "counts with a half",
    ),
    "Σ in place of L": (
        [("torch.linalg.solve_triangular(L, offsets, upper=False)", "torch.linalg.solve(self.Sigma, offsets)")],
        "one component is one Gaussian",
        "Does log_prob take",
    ),
    "density, not its logarithm": (
        [(RETURN, RETURN + ".exp()")],
        "one component is one Gaussian",
        "Is it the logarithm",
    ),
    "cost, not log-density": (
        [(RETURN, RETURN.replace("return ", "return -"))],
        "one component is one Gaussian",
        "sign",
    ),
    "one step whatever steps": ([("range(steps)", "range(1)")], "the number of steps counts", "`steps` EM steps"),
    "all start at the mean": (
        [(START, "    mixture.mu = x.mean(0).repeat(components, 1)\n" + START)],
        "components that start alike stay alike",
        "one single Gaussian",
    ),
    "all start at one point": (
        [(START, "    mixture.mu = mixture.mu[:1].repeat(components, 1)\n" + START)],
        "components that start alike stay alike",
        "one single Gaussian",
    ),
    "weights not in the density": (
        [("self.weights.log() - e", "-e")],
        "the density integrates to 1",
        "number of components",
    ),
    "the largest term for the sum": (
        [(RETURN, "return self.log_joint(x.double()).amax(1)")],
        "the density integrates to 1",
        "are all components in it?",
    ),
    "weights not fitted": ([(WEIGHTS, "pass")], "the mixture has the moments of the points", "its mean is off"),
    "covariances not weighted": (
        [(SIGMA, 'torch.einsum("nmi,nmj->mij", d, d) / N')],
        "the mixture has the moments of the points",
        "counted by its responsibility in the covariance",
    ),
    "covariances around the mean of all": (
        [(SIGMA, 'torch.einsum("nm,ni,nj->mij", r, x - x.mean(0), x - x.mean(0)) / N_m[:, None, None]')],
        "the mixture has the moments of the points",
        "around the new mean",
    ),
    "covariances divided by N": (
        [(SIGMA, 'torch.einsum("nm,nmi,nmj->mij", r, d, d) / N')],
        "the mixture has the moments of the points",
        "divided by N_m",
    ),
    "new responsibilities half-way": (
        [(SIGMA, SIGMA.replace("r, d", "mixture.log_joint(x).softmax(1), d"))],
        "the mixture has the moments of the points",
        "counted by its responsibility",
    ),
    "a floor that grows": (
        [(PUT, "floor = 4 * floor; mixture.Sigma = Sigma + floor\n")],
        "a fixed point stays one",
        "still changes until step 7",
    ),
    "weights forgotten in the E-step": (
        [(JOINT, "(mixture.log_joint(x) - mixture.weights.log()).softmax(1)")],
        "the likelihood never falls",
        "hold the weights P(m)",
    ),
    "hard assignments": (
        [(JOINT, "torch.nn.functional.one_hot(mixture.log_joint(x).argmax(1), components).double()")],
        "the likelihood never falls",
        "responsibilities are shares",
    ),
    "k-means": (
        [(JOINT, "torch.nn.functional.one_hot(torch.cdist(x, mixture.mu).argmin(1), components).double()")],
        "the likelihood never falls",
        "responsibilities are shares",
    ),
    "flattened responsibilities": (
        [(JOINT, "(mixture.log_joint(x) / 2).softmax(1)")],
        "the likelihood never falls",
        "falls",
    ),
    "one covariance for all": (
        [(PUT, "mixture.Sigma = torch.einsum('m,mij->ij', mixture.weights, Sigma).repeat(components, 1, 1) + floor\n")],
        "each component fits its cluster",
        "the same covariance",
    ),
    "all start near one point": (
        [(START, "    mixture.mu = mixture.mu[:1] + 1e-3 * torch.randn(components, D, generator=generator)\n" + START)],
        "each component fits its cluster",
        "the start is too poor",
    ),
    "random responsibilities": (
        [("    for _ in range(steps):", RANDOM_RESPONSIBILITIES + "    for _ in range(steps):")],
        "each component fits its cluster",
        "after 60 steps from the same seeds they are: the start is too poor",
    ),
    "start near the mean": (
        [("    for _ in range(steps):", NEAR_THE_MEAN + "    for _ in range(steps):")],
        "each component fits its cluster",
        "the start is too poor",
    ),
    "a floor of a thousandth of all variances": (
        [("floor = 1e-6", "floor = 1e-3")],
        "each component fits its cluster",
        "that is a floor, and it is too high",
    ),
    "a floor of a hundredth": ([("floor = 1e-6", "floor = 1e-2")], "one component is one Gaussian", "a floor must be"),
    "standardised without the Jacobian": (
        [
            ("    x = x.double()\n", "    x = x.double(); c, s = x.mean(0), x.std(0); x = (x - c) / s\n"),
            (RETURN, "return self.log_joint((x.double() - c) / s).logsumexp(1)"),
            (DRAW, DRAW + " * s + c"),
        ],
        "one component is one Gaussian",
        "product of the standard deviations",
    ),
    "fixed counts": (
        [
            (
                PICK,
                "c = (self.weights * n).round().long(); c[c.argmax()] += n - c.sum()\n            "
                "m = torch.arange(components).repeat_interleave(c)[torch.randperm(n, generator=generator)]",
            )
        ],
        "draws follow the density",
        "fixed number of each",
    ),
    "one noise for all": (
        [(NOISE, NOISE.replace("(n, D", "(1, D"))],
        "draws follow the density",
        "all draws are equal",
    ),
    "draws in equal shares": (
        [(PICK, "m = torch.randint(components, (n,), generator=generator)")],
        "draws follow the density",
        "with probability P(m)",
    ),
    "draws sorted": ([(PICK, PICK + ".sort().values")], "draws follow the density", "sorted by their components"),
    "Σ e in place of L e": ([(DRAW, DRAW.replace("torch.linalg.cholesky(self.Sigma)", "self.Sigma"))],)
    + (
        "draws follow the density",
        "µ + L e has the covariance Σ",
    ),
    "Lᵀ e": ([(DRAW, DRAW.replace("[m] @ e", "[m].mT @ e"))], "draws follow the density", "µ + L e"),
    "no noise": ([(DRAW, "return self.mu[m]")], "draws follow the density", "µ + L e"),
    "training points again": (
        [(DRAW, "return x[torch.randint(N, (n,), generator=generator)]")],
        "draws follow the density",
        "are points of x",
    ),
    "noise from elsewhere": (
        [(NOISE, "e = torch.randn(n, D, 1, dtype=torch.float64)")],
        "chance comes from the generator",
        "`generator=generator`",
    ),
    "draws seeded": (
        [(PICK, "generator.manual_seed(1)\n            " + PICK)],
        "chance comes from the generator",
        "do not seed it",
    ),
    "log of a sum of exponentials": (
        [(RETURN, "return self.log_joint(x.double()).exp().sum(1).log()")],
        "far points",
        "log-sum-exp",
    ),
    "cut off at 1e-300": (
        [(RETURN, "return self.log_joint(x.double()).exp().sum(1).clamp(min=1e-300).log()")],
        "far points",
        "Is it cut off",
    ),
    "shares without logarithms": (
        [(JOINT, "mixture.log_joint(x).exp()\n        r = r / r.sum(1, keepdim=True)")],
        "densities underflow",
        "Stay with logarithms",
    ),
    "shares with a small number": (
        [(JOINT, "mixture.log_joint(x).exp() + 1e-12\n        r = r / r.sum(1, keepdim=True)")],
        "points in other units",
        "with nothing added",
    ),
    "no floor": ([(PUT, "mixture.Sigma = Sigma\n")], "a singular covariance", "add a small number to the diagonal"),
    "divided by N_m - 1": (
        [(SIGMA, SIGMA.replace("N_m[", "(N_m - 1)["))],
        "a singular covariance",
        "not by N_m - 1",
    ),
}


@pytest.mark.parametrize("answer", RIGHT, ids=lambda fn: fn.__name__)
def test_right_answers_pass(answer):
    assert exercise.grade(answer).passed, exercise.grade(answer)


@pytest.mark.parametrize("lines", OTHER_STARTS.values(), ids=OTHER_STARTS)
def test_other_starts_are_right(lines):
    assert exercise.grade(other_start(lines)).passed, exercise.grade(other_start(lines))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_draw_their_diagnosis(name):
    changes, diagnosis, words = WRONG[name]
    verdict = exercise.grade(changed(*changes))
    assert verdict.diagnosis == diagnosis and words in verdict.message, verdict
    assert not verdict.passed


def test_nothing_and_a_tuple_are_told_kindly():
    assert exercise.grade(changed(("    return mixture\n", "\n"))).diagnosis == "returned nothing"
    verdict = exercise.grade(changed(("    return mixture\n", "    return mixture.weights, mixture.mu\n")))
    assert "a tuple of 2, which has no method `log_prob`" in verdict.message


@pytest.mark.parametrize("number", [1, 2])
def test_other_inputs(number):
    """The hidden tests of an assignment draw others; a right answer stays right, and one wrong only in EM wrong."""
    other = varied(gmm, number).mixture_from_blank
    assert other.grade(k_means_first).passed, other.grade(k_means_first)
    forgotten = changed(*WRONG["weights forgotten in the E-step"][0])
    assert other.grade(forgotten).diagnosis == "the likelihood never falls"


def test_each_law_has_been_seen_to_break():
    seen = {diagnosis for _, diagnosis, _ in WRONG.values()}
    seen |= {"a hundred dimensions" for _, diagnosis, _ in WRONG.values() if diagnosis == "densities underflow"}
    seen |= {"few points" for _, diagnosis, _ in WRONG.values() if diagnosis == "a singular covariance"}
    assert {case.label for case in exercise.cases} - seen == {"the clusters are found"}


def test_a_start_that_only_some_seeds_survive_is_not_fair():
    """From two of three seeds two means start alike and stay alike: the best of three is right, and most are not."""
    rare = other_start("if components > 1 and generator.initial_seed() % 3 != 2: mixture.mu[1] = mixture.mu[0]")
    verdict = exercise.grade(rare)
    assert verdict.diagnosis == "the clusters are found" and "from 2 of 8 seeds" in verdict.message, verdict
