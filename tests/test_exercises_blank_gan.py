"""A whole GAN from blank: right answers that differ, and wrong ones with the diagnosis that each draws."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gencourse.exercises.gan import gan_from_blank as exercise

RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


def dense(*sizes, act=nn.ReLU):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


def train(gan, points, steps, generator, batch=128):
    for _ in range(steps):
        gan.turn_d(points[torch.randint(len(points), (batch,), generator=generator)])
        gan.turn_g()
    return gan


@right
def closures_and_bce(points, steps, generator):
    D, G = dense(2, 100, 100, 1), dense(3, 100, 100, 2)
    opt_d = torch.optim.Adam(D.parameters(), 1e-3, (0.0, 0.9))
    opt_g = torch.optim.Adam(G.parameters(), 1e-3, (0.0, 0.9))
    bce = nn.BCEWithLogitsLoss()

    def score(x):
        return D(x)[:, 0]

    def sample(n, generator):
        with torch.no_grad():
            return G(torch.randn(n, 3, generator=generator))

    def turn_d(x):
        opt_d.zero_grad()
        fake = sample(len(x), generator)
        bce(score(x), torch.ones(len(x))).backward()
        bce(score(fake), torch.zeros(len(x))).backward()
        opt_d.step()

    def turn_g():
        opt_g.zero_grad()
        logits = score(G(torch.randn(256, 3, generator=generator)))
        bce(logits, torch.ones(256)).backward()
        opt_g.step()

    gan = SimpleNamespace(
        score=score, sample=sample, turn_d=turn_d, turn_g=turn_g, parameters_d=D.parameters, parameters_g=G.parameters
    )
    return train(gan, points, steps, generator)


class Hinge(nn.Module):
    """One module, LeakyReLU, uniform noise, RMSprop; everything is cleared after each turn."""

    def __init__(self, chance):
        super().__init__()
        self.d, self.g = (dense(2, 64, 64, 64, out, act=lambda: nn.LeakyReLU(0.2)) for out in (1, 2))
        self.optimizers = {each: torch.optim.RMSprop(getattr(self, each).parameters(), lr=1e-3) for each in "dg"}
        self.chance = chance

    def parameters_d(self):
        return list(self.d.parameters())

    def parameters_g(self):
        return tuple(self.g.parameters())

    def noise(self, n, chance):
        return 2 * torch.rand(n, 2, generator=chance) - 1

    def score(self, x):
        return self.d(x).flatten()

    def sample(self, n, generator):
        return self.g(self.noise(n, generator))

    def go(self, loss, whose):
        loss.backward()
        self.optimizers[whose].step()
        self.zero_grad()

    def turn_d(self, x):
        with torch.no_grad():
            fake = self.sample(len(x), self.chance)
        self.go(F.relu(1 - self.score(x)).mean() + F.relu(1 + self.score(fake)).mean(), "d")

    def turn_g(self):
        self.go(-self.score(self.sample(128, self.chance)).mean(), "g")


@right
def hinge(points, steps, generator):
    return train(Hinge(generator), points, steps, generator)


@right
def least_squares_by_hand(points, steps, generator):
    """Weights are plain tensors, drawn from the generator; gradients by autograd.grad, and an Adam by hand."""

    def network(*sizes):
        weights = []
        for a, b in zip(sizes, sizes[1:]):
            weights += [torch.randn(a, b, generator=generator) * (2 / a) ** 0.5, torch.zeros(b)]
        return [w.requires_grad_() for w in weights]

    def run(weights, x):
        for w, b in zip(weights[:-2:2], weights[1:-2:2]):
            x = F.elu(x @ w + b)
        return x @ weights[-2] + weights[-1]

    class Game:
        D, G = network(2, 64, 64, 1), network(2, 64, 64, 2)
        squares = {}

        def parameters_d(self):
            return self.D

        def parameters_g(self):
            return self.G

        def score(self, x):
            return run(self.D, x).squeeze(-1)

        def sample(self, n, generator):
            return run(self.G, torch.randn(n, 2, generator=generator)).detach()

        def go(self, loss, weights):
            with torch.no_grad():
                for w, g in zip(weights, torch.autograd.grad(loss, weights)):
                    old, n = self.squares.get(id(w), (torch.zeros_like(w), 0))
                    v, n = 0.99 * old + 0.01 * g**2, n + 1
                    self.squares[id(w)] = v, n
                    w -= 2e-3 * g / ((v / (1 - 0.99**n)).sqrt() + 1e-8)

        def turn_d(self, x):
            fake = self.sample(len(x), generator)
            self.go((self.score(x) - 1).square().mean() + self.score(fake).square().mean(), self.D)

        def turn_g(self):
            fake = run(self.G, torch.randn(128, 2, generator=generator))
            self.go((self.score(fake) - 1).square().mean(), self.G)

    return train(Game(), points, steps, generator)


@right
def the_original_loss(points, steps, generator):
    """log(1 − D(G(z))), players switched with requires_grad_, a wide tanh network."""
    D, G = dense(2, 128, 128, 1), dense(2, 128, 128, 2, act=nn.Tanh)
    adam_d, adam_g = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99)) for net in (D, G))

    class Original:
        parameters_d, parameters_g = staticmethod(D.parameters), staticmethod(G.parameters)

        def score(self, x):
            return D(x).squeeze(1)

        def sample(self, n, generator):
            return G(torch.randn(n, 2, generator=generator))

        def value(self, x, n):
            value = F.logsigmoid(-self.score(self.sample(n, generator))).mean()
            return value if x is None else value + F.logsigmoid(self.score(x)).mean()

        def turn_d(self, x):
            G.requires_grad_(False)
            adam_d.zero_grad(set_to_none=False)
            (-self.value(x, len(x))).backward()
            adam_d.step()
            G.requires_grad_(True)

        def turn_g(self):
            D.requires_grad_(False)
            adam_g.zero_grad(set_to_none=False)
            self.value(None, 128).backward()
            adam_g.step()
            D.requires_grad_(True)

    return train(Original(), points, steps, generator)


@right
def with_r1_and_softplus(points, steps, generator):
    """A penalty on the slope at the data, and noise of eight dimensions."""
    D, G = dense(2, 64, 64, 1), dense(8, 64, 64, 2)
    adam_d, adam_g = (torch.optim.Adam(net.parameters(), lr=3e-3, betas=(0.0, 0.99)) for net in (D, G))

    def noise(n, generator):
        return torch.randn(n, 8, generator=generator)

    def turn_d(x):
        x = x.clone().requires_grad_()
        logits = D(x)
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        loss = F.softplus(-logits).mean() + F.softplus(D(G(noise(len(x), generator)).detach())).mean()
        adam_d.zero_grad()
        (loss + 0.05 * slope.square().sum(1).mean()).backward()
        adam_d.step()

    def turn_g():
        adam_g.zero_grad()
        F.softplus(-D(G(noise(len(points[:128]), generator)))).mean().backward()
        adam_g.step()

    gan = SimpleNamespace(
        score=lambda x: D(x).squeeze(1),
        sample=lambda n, generator: G(noise(n, generator)).detach(),
        turn_d=turn_d,
        turn_g=turn_g,
        parameters_d=lambda: D.parameters(),
        parameters_g=lambda: G.parameters(),
    )
    return train(gan, points, steps, generator, batch=64)


@right
def two_updates_of_d_a_turn(points, steps, generator):
    """The reference with two updates of the discriminator a turn, and Adam's β₁ at one half."""
    scope = changed(
        (
            "            self.adam_d.step()\n",
            "            self.adam_d.step()\n            if more: self.turn_d(x, 0)\n",
        ),
        ("def turn_d(self, x):", "def turn_d(self, x, more=1):"),
        ("betas=(0.0, 0.99)", "betas=(0.5, 0.99)"),
    )
    return scope(points, steps, generator)


@right
def codes_drawn_across(points, steps, generator):
    """Each axis of the codes is drawn for all of them at once; three numbers, betas (0.5, 0.999)."""
    fn = changed(
        ("network(2, 2)", "network(3, 2)"),
        ("torch.randn(n, 2, generator=generator)", "torch.randn(3, n, generator=generator).T"),
        ("torch.randn(128, 2, generator=generator)", "torch.randn(3, 128, generator=generator).T"),
        ("betas=(0.0, 0.99)", "betas=(0.5, 0.999)"),
    )
    return fn(points, steps, generator)


def changed(*changes):
    """The reference with parts of its source replaced."""
    source = exercise.solution_source
    for old, new in changes:
        assert source.count(old) == 1, (old, source.count(old))
        source = source.replace(old, new)
    scope = {}
    exec("import math, torch\nfrom torch import Tensor\n" + source, scope)
    return scope[exercise.name]


SAMPLED = "self.G(torch.randn(n, 2, generator=generator)).detach()"
PARTS = "self.parameters_g, self.parameters_d ="
DETACHED = "fake = self.sample(len(x), generator)"
OF_G = "F.softplus(-self.score(self.G(z))).mean()"
OF_REAL, OF_FAKE = "F.softplus(-self.score(x)).mean()", "F.softplus(self.score(fake)).mean()"
D, G = "the discriminator's turn", "the generator's turn"
WRONG = {
    "no detach": ((DETACHED, "fake = self.G(torch.randn(len(x), 2, generator=generator))"),),
    "a detach in the generator's turn": (("self.score(self.G(z))", "self.score(self.G(z).detach())"),),
    "no_grad in the generator's turn": (("self.score(self.G(z))", "self.score(self.sample(128, generator))"),),
    "the generator's step is missing": (("            self.adam_g.step()\n", ""),),
    "the discriminator's step is missing": (("            self.adam_d.step()\n", ""),),
    "the optimizer of D holds both": (
        ("adam(self.D)", "torch.optim.Adam([*self.D.parameters(), *self.G.parameters()], 2e-3)"),
        (DETACHED, "fake = self.G(torch.randn(len(x), 2, generator=generator))"),
    ),
    "the optimizer of G holds both": (
        ("adam(self.G)", "torch.optim.Adam([*self.G.parameters(), *self.D.parameters()], 2e-3)"),
    ),
    "the optimizers exchanged": (("self.adam_g, self.adam_d =", "self.adam_d, self.adam_g ="),),
    "one network for both": (
        ("network(2, 2), network(2, 1)", "network(2, 2), network(2, 1)\n            self.D = self.G"),
        ("self.D(x).squeeze(1)", "self.D(x)[:, 0]"),
    ),
    "D: labels exchanged": (
        (OF_REAL, "F.softplus(self.score(x)).mean()"),
        (OF_FAKE, "F.softplus(-self.score(fake)).mean()"),
    ),
    "D: the wrong sign": (("L_D.backward()", "(-L_D).backward()"),),
    "D: the samples are missing": ((f" + {OF_FAKE}", ""),),
    "D: the data are missing": ((f"{OF_REAL} + ", ""),),
    "D: the samples labelled real": ((OF_FAKE, "F.softplus(-self.score(fake)).mean()"),),
    "D: the data labelled false": ((OF_REAL, "F.softplus(self.score(x)).mean()"),),
    "G: the wrong sign": ((OF_G, f"-{OF_G}"),),
    "G: the label is 0": ((OF_G, "F.softplus(self.score(self.G(z))).mean()"),),
    "zero_grad is missing in D": (("            self.adam_d.zero_grad()\n", ""),),
    "zero_grad is missing in G": (("            self.adam_g.zero_grad()\n", ""),),
    "zero_grad after the step of D": (
        ("            self.adam_d.zero_grad()\n", ""),
        ("            self.adam_d.step()\n", "            self.adam_d.step()\n            self.adam_d.zero_grad()\n"),
    ),
    "noise of G drawn once": (
        ("z = torch.randn(128, 2, generator=generator)", "z = self.z"),
        (PARTS, f"self.z = torch.randn(128, 2)\n            {PARTS}"),
    ),
    "noise of G from elsewhere": (("torch.randn(128, 2, generator=generator)", "torch.randn(128, 2)"),),
    "seeded in each turn of D": ((DETACHED, "fake = self.sample(len(x), generator.manual_seed(0))"),),
    "the samples of D from elsewhere": ((DETACHED, "fake = self.sample(len(x), None)"),),
    "sample ignores its generator": ((SAMPLED, "self.G(torch.randn(n, 2)).detach()"),),
    "sample seeds": ((SAMPLED, "self.G(torch.randn(n, 2, generator=generator.manual_seed(1))).detach()"),),
    "one code for all": (
        ("torch.randn(n, 2, generator=generator)", "torch.randn(1, 2, generator=generator).expand(n, 2)"),
    ),
    "sample hands out the data": ((SAMPLED, "points[torch.randint(len(points), (n,), generator=generator)]"),),
    "score is a probability": (("self.D(x).squeeze(1)  # (B, 1) -> (B,)", "self.D(x).squeeze(1).sigmoid()"),),
    "score has a last axis": (("self.D(x).squeeze(1)", "self.D(x)"),),
    "the loop has no turn of G": (("        gan.turn_g()\n", ""),),
    "the loop is missing": (("range(steps)", "range(0)"),),
    "a loop of one step": (("range(steps)", "range(min(steps, 2))"),),
    "a step size far too small": (("lr=2e-3", "lr=2e-6"),),
    "trained on one cluster": (
        (
            "torch.randint(len(points), (128,), generator=generator)",
            "(points - points[0]).norm(dim=1).argsort()[torch.randint(600, (128,), generator=generator)]",
        ),
    ),
    "Adam's default betas": ((", betas=(0.0, 0.99)", ""),),
    "BatchNorm in training mode": (
        ("nn.Sequential(first, nn.ReLU(),", "nn.Sequential(first, nn.BatchNorm1d(width), nn.ReLU(),"),
    ),
    "normalised by hand": (
        (
            "self.G, self.D = network(2, 2), network(2, 1)",
            "self.G, self.D = network(2, 2), network(2, 1)\n"
            "            self.G.insert(0, type('', (nn.Module,), dict(forward=lambda _, z: (z - z.mean(0)) / "
            "(z.std(0, correction=0) + 1e-5)))())",
        ),
    ),
    "shifted by the mean of the others": (
        (SAMPLED, "(lambda x: x - 0.5 * x.mean(0))(self.G(torch.randn(n, 2, generator=generator))).detach()"),
    ),
    "sample draws other codes than the turns": (
        (SAMPLED, "self.G(torch.rand(n, 2, generator=generator)).detach()"),
        (DETACHED, "fake = self.G(torch.randn(len(x), 2, generator=generator)).detach()"),
    ),
    "Wasserstein loss": (
        (f"{OF_REAL} + {OF_FAKE}", "self.score(fake).mean() - self.score(x).mean()"),
        (OF_G, "-self.score(self.G(z)).mean()"),
    ),
    "no return": (("    return gan\n", ""),),
    "a method is missing": (("def turn_g(", "def turn_of_g("), ("        gan.turn_g()", "        gan.turn_of_g()")),
    "no weights": (("self.D.parameters\n", "list\n"),),
}
DIAGNOSES = {
    "no detach": "the generator gets a gradient in the other's turn",
    "a detach in the generator's turn": f"{G} changes nothing",
    "no_grad in the generator's turn": f"{G} changes nothing",
    "the generator's step is missing": f"{G} changes nothing",
    "the discriminator's step is missing": f"{D} changes nothing",
    "the optimizer of D holds both": f"{D} moves the generator",
    "the optimizer of G holds both": f"{G} moves the discriminator",
    "the optimizers exchanged": f"{D} changes nothing",
    "one network for both": "the samples",
    "D: labels exchanged": "the discriminator goes the wrong way",
    "D: the wrong sign": "both scores fall in the discriminator's turn",
    "D: the samples are missing": "both scores rise in the discriminator's turn",
    "D: the data are missing": "both scores fall in the discriminator's turn",
    "D: the samples labelled real": "both scores rise in the discriminator's turn",
    "D: the data labelled false": "both scores fall in the discriminator's turn",
    "G: the wrong sign": "the generator goes the wrong way",
    "G: the label is 0": "the generator goes the wrong way",
    "zero_grad is missing in D": f"{D}: gradients are left over",
    "zero_grad is missing in G": f"{G}: gradients are left over",
    "zero_grad after the step of D": f"{D}: gradients are left over",
    "noise of G drawn once": f"{G}: no fresh noise",
    "noise of G from elsewhere": f"{G}: no fresh noise",
    "seeded in each turn of D": f"{D}: no fresh noise",
    "the samples of D from elsewhere": f"{D}: no fresh noise",
    "sample ignores its generator": "the samples",
    "sample seeds": "the samples",
    "one code for all": "the samples",
    "sample hands out the data": "the samples",
    "score is a probability": "a probability in place of the logit",
    "score has a last axis": "wrong shape of score(x)",
    "the loop has no turn of G": "the loop does not train both",
    "the loop is missing": "the loop does not train both",
    "a loop of one step": "after the training",
    "a step size far too small": "the discriminator's value does not rise",
    "trained on one cluster": "after the training",
    "Adam's default betas": "after the training",
    "BatchNorm in training mode": "no sample alone",
    "normalised by hand": "a sample depends on the others",
    "shifted by the mean of the others": "a sample depends on the others",
    "sample draws other codes than the turns": "after the training",
    "Wasserstein loss": "the scores grow without bound",
    "no return": "returned nothing",
    "a method is missing": "no method turn_g",
    "no weights": "no weights",
}


@pytest.mark.parametrize("answer", RIGHT)
def test_right_answers_of_every_kind_pass(answer):
    assert exercise.grade(answer).passed, exercise.grade(answer)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(name):
    verdict = exercise.grade(changed(*WRONG[name]))
    assert (verdict.status, verdict.diagnosis) == ("not yet", DIAGNOSES[name]), verdict
    assert len(verdict.message) < 700


def test_one_gaussian_does_not_do():
    """Its samples are those of a Gaussian fitted to the points: the trivial model is told from a GAN."""
    seen = []

    def gaussian(points, steps, generator):
        gan = exercise.reference(points, 0, generator)
        if steps < 100:
            return exercise.reference(points, steps, generator)
        gan.sample = lambda n, generator: points.std(0) * torch.randn(n, 2, generator=generator)
        seen.append(steps)
        return gan

    assert exercise.grade(gaussian).diagnosis == "after the training" and len(seen) == 3


def test_the_reference_is_short():
    code = exercise.solution_source.split('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
