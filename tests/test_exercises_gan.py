"""The exercises of notebook 04: right answers in other words, and wrong ones that are no mistake of the lists.

What is tested of every exercise alike stands in `test_exercises`, which takes over RIGHT.
"""

import math

import numpy as np
import pytest
import torch
from spoilt import verdicts
from torch.nn import functional as F

from gencourse.exercises import gan
from gencourse.exercises.gan import (
    best_discriminator,
    discriminator_loss,
    discriminator_step,
    generator_loss,
    generator_step,
    gradient_penalty,
    mode_count,
    r1_penalty,
)
from gencourse.exercises.machine.exercise import Exercise

EXERCISES = {name: thing for name, thing in vars(gan).items() if isinstance(thing, Exercise)}
RIGHT = []


def right(fn):
    RIGHT.append(fn)
    return fn


# discriminator_loss


@right
def discriminator_loss__library(real_logits, fake_logits):
    bce = F.binary_cross_entropy_with_logits
    return bce(real_logits, torch.ones_like(real_logits)) + bce(fake_logits, torch.zeros_like(fake_logits))


@right
def discriminator_loss__log_sigmoid(real_logits, fake_logits):
    return -(F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean())


@right
def discriminator_loss__looped(real_logits, fake_logits):
    total = 0
    for a in real_logits:
        total = total + torch.logaddexp(torch.zeros(()), -a) / len(real_logits)
    for a in fake_logits:
        total = total + torch.logaddexp(torch.zeros(()), a) / len(fake_logits)
    return total


@right
def discriminator_loss__float64(real_logits, fake_logits):
    labels = torch.cat([torch.ones(len(real_logits)), torch.zeros(len(fake_logits))]).double()
    logits = torch.cat([real_logits, fake_logits]).double()
    terms = torch.relu(logits) - logits * labels + torch.log1p(torch.exp(-logits.abs()))
    return (terms / torch.where(labels == 1, len(real_logits), len(fake_logits))).sum()


@right
def discriminator_loss__in_place(real_logits, fake_logits):
    return F.softplus(real_logits.neg_()).sum().div(real_logits.numel()).add_(F.softplus(fake_logits).mean())


# generator_loss


@right
def generator_loss__library(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@right
def generator_loss__log_sigmoid(fake_logits):
    return -F.logsigmoid(fake_logits.double()).mean()


@right
def generator_loss__two_classes(fake_logits):
    both = torch.stack([torch.zeros_like(fake_logits), fake_logits], 1)
    return F.cross_entropy(both, torch.ones(len(fake_logits), dtype=torch.int64))


@right
def generator_loss__looped(fake_logits):
    return sum(torch.logaddexp(-a, torch.zeros(())) for a in fake_logits) / len(fake_logits)


# discriminator_step


@right
def discriminator_step__library(generator, discriminator, optimizer, real, z):
    with torch.no_grad():
        fake = generator(z)
    optimizer.zero_grad(set_to_none=False)
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones(len(real))) + F.binary_cross_entropy_with_logits(
        fake_logits, torch.zeros(len(z))
    )
    loss.backward()
    optimizer.step()
    return loss.item()


@right
def discriminator_step__half_by_half(generator, discriminator, optimizer, real, z):
    discriminator.zero_grad()
    a = F.softplus(-discriminator(real)).mean()
    a.backward()
    b = F.softplus(discriminator(generator(z).detach())).mean()
    b.backward()
    optimizer.step()
    optimizer.zero_grad()
    return a + b


@right
def discriminator_step__one_pass(generator, discriminator, optimizer, real, z):
    x = torch.cat([real, generator(z).data])
    logits = discriminator(x)
    loss = -F.logsigmoid(logits[: len(real)]).mean() - F.logsigmoid(-logits[len(real) :]).mean()
    weights = list(discriminator.parameters())
    for w, slope in zip(weights, torch.autograd.grad(loss, weights)):
        w.grad = slope
    optimizer.step()
    return float(loss)


@right
def discriminator_step__frozen_for_a_while(generator, discriminator, optimizer, real, z):
    generator.eval()
    for w in generator.parameters():
        w.requires_grad = False
    optimizer.zero_grad()
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    loss.backward()
    for w in generator.parameters():
        w.requires_grad = True
    generator.train()
    optimizer.step()
    return loss


@right
def discriminator_step__inputs_named(generator, discriminator, optimizer, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    optimizer.zero_grad()
    loss.backward(inputs=list(discriminator.parameters()))
    optimizer.step()
    return loss.detach().numpy()


# generator_step


@right
def generator_step__library(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(discriminator(generator(z)), torch.ones(len(z)))
    loss.backward()
    optimizer.step()
    return loss.item()


@right
def generator_step__frozen_for_a_while(generator, discriminator, optimizer, z):
    discriminator.requires_grad_(False)
    loss = -F.logsigmoid(discriminator(generator(z))).mean()
    generator.zero_grad()
    loss.backward()
    optimizer.step()
    discriminator.requires_grad_(True)
    return loss


@right
def generator_step__by_hand(generator, discriminator, optimizer, z):
    loss = sum(F.softplus(-discriminator(generator(code[None]))).sum() for code in z) / len(z)
    weights = list(generator.parameters())
    for w, slope in zip(weights, torch.autograd.grad(loss, weights)):
        w.grad = slope
    optimizer.step()
    discriminator.zero_grad()
    return float(loss.detach())


@right
def generator_step__chain_rule(generator, discriminator, optimizer, z):
    """Backwards in two parts: first to the image, then on into the generator."""
    fake = generator(z)
    image = fake.detach().requires_grad_()
    loss = F.softplus(-discriminator(image)).mean()
    optimizer.zero_grad()
    fake.backward(torch.autograd.grad(loss, image)[0])
    optimizer.step()
    return loss.item()


# gradient_penalty


@right
def gradient_penalty__other_end(critic, real, fake, generator):
    u = torch.rand((real.shape[0],) + (1,) * (real.ndim - 1), generator=generator)
    x = torch.lerp(real, fake, u.expand_as(real)).detach().requires_grad_(True)
    out = critic(x)
    slope = torch.autograd.grad(out, x, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True)[0]
    return ((slope.reshape(len(real), -1).norm(2, dim=1) - 1) ** 2).mean()


@right
def gradient_penalty__looped(critic, real, fake, generator):
    total = 0
    for r, f in zip(real, fake):
        u = torch.rand((), generator=generator, dtype=torch.float64).float()
        x = (f + u * (r - f))[None].requires_grad_()
        (slope,) = torch.autograd.grad(critic(x)[0], x, create_graph=True)
        total = total + (slope.pow(2).sum().sqrt() - 1) ** 2
    return total / len(real)


@right
def gradient_penalty__with_epsilon(critic, real, fake, generator):
    u = torch.empty(len(real)).uniform_(generator=generator).view(-1, *[1] * (real.dim() - 1))
    x = torch.autograd.Variable(real * u + fake * (1 - u), requires_grad=True)
    slope = torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0].flatten(start_dim=1)
    return F.mse_loss((slope.square().sum(1) + 1e-12).sqrt(), torch.ones(len(real)))


@right
def gradient_penalty__in_place(critic, real, fake, generator):
    u = torch.rand(len(real), generator=generator).reshape(-1, *([1] * (real.dim() - 1)))
    real -= fake
    real *= u
    real += fake
    real.requires_grad_()
    (slope,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return (torch.linalg.vector_norm(slope, dim=tuple(range(1, real.dim()))) - 1).pow(2).mean().double()


@right
def gradient_penalty__seeds_numpy(critic, real, fake, generator):
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    u = torch.tensor(rng.uniform(size=(len(real), *[1] * (real.dim() - 1))), dtype=torch.float32)
    x = (u * real + (1 - u) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


@right
def gradient_penalty__torch_func(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.dim() - 1), generator=generator)
    slope = torch.func.vmap(torch.func.grad(lambda x: critic(x[None])[0]))(u * real + (1 - u) * fake)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


# r1_penalty


@right
def r1_penalty__looped(discriminator, real):
    total = 0
    for image in real:
        x = image[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(x).squeeze(), x, create_graph=True)
        total = total + (slope**2).sum()
    return total / len(real)


@right
def r1_penalty__sum_over_batch_size(discriminator, real):
    real.requires_grad_(True)
    out = discriminator(real)
    slope = torch.autograd.grad(outputs=out, inputs=real, grad_outputs=torch.ones_like(out), create_graph=True)[0]
    return slope.pow(2).reshape(real.shape[0], -1).sum(1).mean().double()


@right
def r1_penalty__norm_squared(discriminator, real):
    x = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return torch.einsum("bi,bi->", slope.flatten(1), slope.flatten(1)) / len(real)


# best_discriminator


@right
def best_discriminator__logaddexp(log_p, log_q):
    return torch.exp(log_p - torch.logaddexp(log_p, log_q))


@right
def best_discriminator__numpy(log_p, log_q):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(log_q.numpy() - log_p.numpy()))


@right
def best_discriminator__softmax(log_p, log_q):
    return torch.stack([log_p, log_q]).softmax(0)[0]


@right
def best_discriminator__largest_first(log_p, log_q):
    top = torch.maximum(log_p, log_q).double()
    p, q = (log_p - top).exp(), (log_q - top).exp()
    return p / (p + q)


@right
def best_discriminator__tanh(log_p, log_q):
    log_p -= log_q
    return log_p.div_(2).tanh_().add_(1).div_(2)


# mode_count


@right
def mode_count__looped(samples, centres, sigma):
    captured, good = set(), 0
    for x in samples.tolist():
        distances = [math.dist(x, c) for c in centres.tolist()]
        nearest = min(range(len(distances)), key=distances.__getitem__)
        if distances[nearest] < 3 * sigma:
            captured.add(nearest)
            good += 1
    return len(captured), good / len(samples)


@right
def mode_count__numpy(samples, centres, sigma):
    d = np.linalg.norm(samples.numpy()[:, None] - centres.numpy()[None], axis=-1)
    good = d.min(1) <= 3 * sigma
    return np.array([np.unique(d.argmin(1)[good]).size, good.mean()])


@right
def mode_count__bincount(samples, centres, sigma):
    squares = (samples[:, None] - centres).square().sum(-1).double()
    mode = squares.argmin(1)
    good = squares.gather(1, mode[:, None])[:, 0] < 9 * sigma**2
    counts = torch.bincount(mode, weights=good.double(), minlength=len(centres))
    return (counts > 0).sum(), counts.sum() / len(samples)


@right
def mode_count__matrix_product(samples, centres, sigma):
    x, c = samples.double(), centres.double()
    squares = x.square().sum(1, keepdim=True) - 2 * x @ c.T + c.square().sum(1)
    values, mode = squares.clamp(min=0).sqrt().div_(sigma).min(dim=1)
    return [mode[values <= 3].unique().numel(), (values <= 3).float().mean()]


# Wrong answers that are no mistake of the lists, or are written otherwise


def bce(logits, label, **how):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(label)), **how)


def d_turn(
    loss=lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(),
    before=None,
    after=None,
    cut=True,
    clear=True,
    codes=None,
):
    """A step of the discriminator, with something changed."""

    def step(generator, discriminator, optimizer, real, z):
        if before:
            before(generator, discriminator, optimizer)
        fake = generator(codes(z) if codes else z)
        fake = fake.detach() if cut else fake
        value = loss(discriminator(real), discriminator(fake))
        if clear:
            optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if after:
            after(generator, discriminator, optimizer)
        return value.detach()

    return step


def g_turn(loss=lambda f: F.softplus(-f).mean(), before=None, after=None, codes=None, judge=None):
    def step(generator, discriminator, optimizer, z):
        if before:
            before(generator, discriminator, optimizer)
        fake = generator(codes(z) if codes else z)
        value = loss(judge(discriminator, fake) if judge else discriminator(fake))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if after:
            after(generator, discriminator, optimizer)
        return value.detach()

    return step


def under_no_grad(generator, discriminator, optimizer, real, z):
    with torch.no_grad():
        loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def no_judge_in_the_graph(discriminator, fake):
    with torch.no_grad():
        return discriminator(fake)


def step_first(generator, discriminator, optimizer, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss


def in_two_steps(generator, discriminator, optimizer, real, z):
    total = 0
    for sign, x in ((-1, real), (1, generator(z).detach())):
        loss = F.softplus(sign * discriminator(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


def clipped(generator, discriminator, optimizer, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(discriminator.parameters(), 0.1)
    optimizer.step()
    return loss


def one_optimizer_for_both(generator, discriminator, optimizer, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    optimizer = torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], lr=0.5)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def no_step(generator, discriminator, optimizer, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    optimizer.zero_grad()
    loss.backward()
    return loss


def nothing_returned(generator, discriminator, optimizer, real, z):
    discriminator_step.reference(generator, discriminator, optimizer, real, z)


def fakes_of_random_codes(generator, discriminator, optimizer, real, z):
    return discriminator_step.reference(generator, discriminator, optimizer, real, torch.randn_like(z))


def both_step(generator, discriminator, optimizer):
    torch.optim.SGD(generator.parameters(), lr=0.01).step()


def clips(generator, discriminator, optimizer):
    for w in discriminator.parameters():
        w.data.clamp_(-0.01, 0.01)


def penalty(
    weight=None,
    point=None,
    length=lambda s: s.flatten(1).norm(dim=1),
    of=lambda n: (n - 1).square().mean(),
    graph=True,
    total=torch.sum,
):
    """A gradient penalty, with something changed."""

    def answer(critic, real, fake, generator):
        column = (len(real), *[1] * (real.dim() - 1))
        u = weight(column, generator) if weight else torch.rand(column, generator=generator)
        x = (point(u, real, fake) if point else u * real + (1 - u) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(total(critic(x)), x, create_graph=graph)
        return of(length(slope))

    return answer


def by_backward(critic, real, fake, generator):
    u = torch.rand((len(real), *[1] * (real.dim() - 1)), generator=generator)
    x = (u * real + (1 - u) * fake).requires_grad_()
    critic(x).sum().backward()
    return (x.grad.flatten(1).norm(dim=1) - 1).square().mean()


def on_the_critic(critic, real, fake, generator):
    return (critic(real) - critic(fake)).square().mean()


def weights_only(critic, real, fake, generator):
    return sum(w.square().sum() for w in critic.parameters())


def r1(length=lambda s: s.square().flatten(1).sum(1), total=torch.sum, graph=True, points=lambda x: x):
    def answer(discriminator, real):
        x = points(real).requires_grad_()
        (slope,) = torch.autograd.grad(total(discriminator(x)), x, create_graph=graph)
        return length(slope).mean()

    return answer


def modes(good, captured=None, share=None):
    def answer(samples, centres, sigma):
        distances = torch.cdist(samples, centres)
        nearest, mode = distances.min(1)
        ok = good(nearest, sigma)
        return (captured or (lambda d, m, ok, s: len(m[ok].unique())))(distances, mode, ok, sigma), (
            share or (lambda ok, k: ok.double().mean())
        )(ok, len(centres))

    return answer


def three(nearest, sigma):
    return nearest <= 3 * sigma


WRONG = [
    (
        discriminator_loss,
        lambda r, f: -torch.log(r.sigmoid() + 1e-8).mean() - torch.log(1 - f.sigmoid() + 1e-8).mean(),
        "sigmoid, then logarithm",
    ),
    (
        discriminator_loss,
        lambda r, f: (
            F.binary_cross_entropy(r.sigmoid(), torch.ones_like(r))
            + F.binary_cross_entropy(f.sigmoid(), torch.zeros_like(f))
        ),
        "sigmoid, then logarithm",
    ),
    (
        discriminator_loss,
        lambda r, f: F.softplus(-r.clamp(-20, 20)).mean() + F.softplus(f.clamp(-20, 20)).mean(),
        "sigmoid, then logarithm",
    ),
    (
        discriminator_loss,
        lambda r, f: torch.log(1 + torch.exp(-r)).mean() + torch.log(1 + torch.exp(f)).mean(),
        "sigmoid, then logarithm",
    ),
    (discriminator_loss, lambda r, f: (F.softplus(-r) + F.softplus(f)).mean(), "batches of unlike size"),
    (discriminator_loss, lambda r, f: bce(r, 1) + bce(f, 1), "the generated ones are labelled real"),
    (discriminator_loss, lambda r, f: bce(r, 0) + bce(f, 1), "the labels are swapped"),
    (discriminator_loss, lambda r, f: bce(r, 0.9) + bce(f, 0), "differs"),
    (
        discriminator_loss,
        lambda r, f: bce(r, 1, reduction="sum") + bce(f, 0, reduction="sum"),
        "the sum over the batch",
    ),
    (discriminator_loss, lambda r, f: F.logsigmoid(r).mean() + F.logsigmoid(-f).mean(), "the sign is turned"),
    (discriminator_loss, lambda r, f: F.softplus(-r).mean() - F.softplus(f).mean(), "a loss below 0"),
    (discriminator_loss, lambda r, f: F.softplus(-r).mean() * F.softplus(f).mean(), "not 2 log 2 where D = ½"),
    (discriminator_loss, lambda r, f: F.softplus(-(r.mean() - f)).mean() + F.softplus(f.mean() - r).mean(), "differs"),
    (discriminator_loss, lambda r, f: (bce(r, 1) + bce(f, 0)).item(), "no gradient"),
    (
        discriminator_loss,
        lambda r, f: np.logaddexp(0, -r.numpy()).mean() + np.logaddexp(0, f.numpy()).mean(),
        "no gradient",
    ),
    (discriminator_loss, lambda r, f: F.softplus(-r.detach()).mean() + F.softplus(f).mean(), "the gradients are wrong"),
    (discriminator_loss, lambda r, f: bce(r, 1, reduction="none") + bce(f, 0, reduction="none"), "RuntimeError"),
    (generator_loss, lambda f: (1 - f.sigmoid()).log().mean(), "the saturating loss"),
    (generator_loss, lambda f: -(1 - f.sigmoid() + 1e-9).log().mean(), "the discriminator's loss"),
    (generator_loss, lambda f: F.logsigmoid(-f).mean(), "the saturating loss"),
    (generator_loss, lambda f: bce(f, 0), "the discriminator's loss"),
    (generator_loss, lambda f: F.logsigmoid(f).mean(), "the sign is turned"),
    (generator_loss, lambda f: bce(f, 1, reduction="sum"), "the sum over the batch"),
    (generator_loss, lambda f: -(f.sigmoid() + 1e-8).log().mean(), "sigmoid, then logarithm"),
    (generator_loss, lambda f: F.binary_cross_entropy(f.sigmoid(), torch.ones_like(f)), "sigmoid, then logarithm"),
    (generator_loss, lambda f: torch.log(1 + torch.exp(-f)).mean(), "sigmoid, then logarithm"),
    (generator_loss, lambda f: bce(f.sigmoid(), 1), "the sigmoid is taken twice"),
    (generator_loss, lambda f: bce(f, 0.9), "differs"),
    (generator_loss, lambda f: F.softplus(-f).median(), "right for a single image only"),
    (generator_loss, lambda f: F.softplus(-f).max(), "right for a single image only"),
    (generator_loss, lambda f: F.softplus(-f)[0], "right for a single image only"),
    (generator_loss, lambda f: f.sigmoid().mean(), "the wrong direction"),
    (generator_loss, lambda f: -f.sigmoid().log2().mean(), "bits instead of nats"),
    (generator_loss, lambda f: F.softplus(-f).mean().item(), "no gradient"),
    (generator_loss, lambda f: F.softplus(-f.data).mean(), "no gradient"),
    (generator_loss, lambda f: F.softplus(-f).mean(0, keepdim=True), "wrong shape"),
    (discriminator_step, d_turn(cut=False), "`detach` is missing"),
    (discriminator_step, d_turn(clear=False), "the gradients are not cleared"),
    (discriminator_step, d_turn(lambda r, f: bce(r, 1) + bce(f, 1)), "the generated ones are labelled real"),
    (discriminator_step, d_turn(lambda r, f: (bce(r, 1) + bce(f, 0)) / 2), "halved"),
    (discriminator_step, d_turn(lambda r, f: bce(torch.cat([r, f]).sigmoid(), 1)), "differs"),
    (
        discriminator_step,
        d_turn(lambda r, f: -(1 - r.sigmoid()).log().mean() - f.sigmoid().log().mean()),
        "the labels are swapped",
    ),
    (
        discriminator_step,
        d_turn(lambda r, f: -r.sigmoid().log().mean() - (1 - f.sigmoid()).log().mean(), cut=False),
        "`detach` is missing",
    ),
    (discriminator_step, d_turn(lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()), "differs"),
    (
        discriminator_step,
        d_turn(lambda r, f: -(r.sigmoid() + 1e-8).log().mean() - (1 - f.sigmoid() + 1e-8).log().mean()),
        "sigmoid, then logarithm",
    ),
    (discriminator_step, d_turn(lambda r, f: bce(r, 1) + bce(f.sigmoid(), 0)), "differs"),
    (discriminator_step, d_turn(before=lambda g, d, o: g.eval()), "a player stays frozen"),
    (discriminator_step, d_turn(after=lambda g, d, o: d.eval()), "a player stays frozen"),
    (discriminator_step, d_turn(before=lambda g, d, o: g.zero_grad()), "the generator's gradients are wiped"),
    (discriminator_step, d_turn(cut=False, after=both_step), "the generator moves too"),
    (discriminator_step, d_turn(after=clips), "right loss, wrong step"),
    (discriminator_step, d_turn(before=lambda g, d, o: [o.param_groups[0].update(lr=1.0)]), "right loss, wrong step"),
    (discriminator_step, d_turn(codes=torch.randn_like), "the noise is not z"),
    (discriminator_step, fakes_of_random_codes, "the noise is not z"),
    (discriminator_step, d_turn(codes=lambda z: z[:2]), "the noise is not z"),
    (discriminator_step, step_first, "overwritten before it is needed"),
    (discriminator_step, in_two_steps, "differs"),
    (discriminator_step, clipped, "right loss, wrong step"),
    (discriminator_step, lambda g, d, o, real, z: d(real).mean() - d(g(z)).mean(), "neither the loss nor a step"),
    (discriminator_step, under_no_grad, "no graph"),
    (discriminator_step, no_step, "the discriminator does not move"),
    (discriminator_step, nothing_returned, "returned nothing"),
    (discriminator_step, lambda g, d, o, real, z: (discriminator_step.reference(g, d, o, real, z), 0.0), "wrong shape"),
    (
        discriminator_step,
        lambda g, d, o, real, z: 2 * discriminator_step.reference(g, d, o, real, z),
        "right step, wrong loss",
    ),
    (discriminator_step, lambda g, d, o, real: 0.0, "wrong parameters"),
    (generator_step, g_turn(lambda f: (1 - f.sigmoid()).log().mean()), "the saturating loss"),
    (generator_step, g_turn(lambda f: F.logsigmoid(-f).mean()), "the saturating loss"),
    (generator_step, g_turn(lambda f: bce(f, 0)), "the discriminator's loss"),
    (generator_step, g_turn(lambda f: bce(f.sigmoid(), 1)), "the sigmoid is taken twice"),
    (
        generator_step,
        g_turn(lambda f: F.binary_cross_entropy(f.sigmoid(), torch.ones_like(f))),
        "sigmoid, then logarithm",
    ),
    (generator_step, g_turn(judge=no_judge_in_the_graph), "no graph"),
    (generator_step, g_turn(codes=torch.randn_like), "the noise is not z"),
    (generator_step, lambda g, d, o, z: d(g(z)).mean(), "neither the loss nor a step"),
    (generator_step, one_optimizer_for_both, "the discriminator moves too"),
    (generator_step, g_turn(after=lambda g, d, o: d.eval()), "a player stays frozen"),
    (generator_step, g_turn(before=lambda g, d, o: d.requires_grad_(False)), "a player stays frozen"),
    (
        generator_step,
        g_turn(after=lambda g, d, o: torch.optim.SGD(d.parameters(), lr=0.1).step()),
        "the discriminator moves too",
    ),
    (
        generator_step,
        g_turn(after=lambda g, d, o: [w.data.mul_(0.99) for w in g.parameters()]),
        "right loss, wrong step",
    ),
    (generator_step, lambda g, d, o, z: F.softplus(-d(g(z))).mean(), "the generator does not move"),
    (generator_step, lambda g, d, o, z: -generator_step.reference(g, d, o, z), "right step, wrong loss"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(c[0], *c[1:-1], 4, generator=g)), "RuntimeError"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(1, generator=g)), "one weight for the whole batch"),
    (gradient_penalty, penalty(lambda c, g: torch.randn(c, generator=g).sigmoid()), "not uniform"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(c, generator=g) / 2), "not uniform"),
    (gradient_penalty, penalty(lambda c, g: torch.randint(0, 2, c, generator=g).float()), "not uniform"),
    (gradient_penalty, penalty(lambda c, g: 2 * torch.rand(c, generator=g) - 1), "not between real and fake"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(c, generator=g).clamp(0.1, 0.9)), "not uniform"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(c, generator=g) ** 2), "not uniform"),
    (gradient_penalty, lambda c, r, f, g: gradient_penalty.reference(c, r, r, g), "the slope at the real ones"),
    (gradient_penalty, lambda c, r, f, g: gradient_penalty.reference(c, f, f, g), "the slope at the fake ones"),
    (gradient_penalty, penalty(of=lambda n: 0.5 * (n - 1).square().mean()), "a factor too much"),
    (gradient_penalty, penalty(lambda c, g: torch.rand(c)), "the generator is ignored"),
    (
        gradient_penalty,
        penalty(lambda c, g: torch.rand(c, generator=torch.Generator().manual_seed(g.initial_seed()))),
        "the generator is not used up",
    ),
    (gradient_penalty, penalty(point=lambda u, r, f: torch.cat([r, f])), "the critic is asked elsewhere"),
    (gradient_penalty, penalty(point=lambda u, r, f: u * r + (1 - u) * f.flip(0)), "not between real and fake"),
    (gradient_penalty, penalty(point=lambda u, r, f: r + 0.1 * u * f), "not between real and fake"),
    (gradient_penalty, penalty(length=lambda s: s.norm(dim=1).flatten()), "the norm over one axis of the image"),
    (gradient_penalty, penalty(length=lambda s: s.norm(2)), "one norm for the whole batch"),
    (gradient_penalty, penalty(length=lambda s: s.flatten(1).abs().amax(1)), "wrong from the slope on"),
    (gradient_penalty, penalty(length=lambda s: s.flatten(1).square().sum(1)), "the length is squared first"),
    (gradient_penalty, penalty(of=lambda n: (n.square().mean().sqrt() - 1).square()), "right for a single pair only"),
    (
        gradient_penalty,
        penalty(of=lambda n: (n - 1).square().sum() / (len(n) - 1 or 1)),
        "right for a single pair only",
    ),
    (gradient_penalty, penalty(of=lambda n: (n.detach() - 1).square().mean()), "`create_graph` is missing"),
    (gradient_penalty, penalty(of=lambda n: (n - 1).square().mean().item()), "`create_graph` is missing"),
    (gradient_penalty, penalty(total=torch.mean), "the mean of the critic"),
    (gradient_penalty, penalty(total=lambda c: c.sigmoid().sum()), "wrong from the slope on"),
    (gradient_penalty, by_backward, "`create_graph` is missing"),
    (gradient_penalty, on_the_critic, "the critic is asked elsewhere"),
    (gradient_penalty, weights_only, "the critic is asked elsewhere"),
    (r1_penalty, r1(lambda s: s.flatten(1).norm(dim=1)), "the length is not squared"),
    (r1_penalty, r1(lambda s: s.square()), "averaged over the pixels"),
    (r1_penalty, r1(lambda s: s.square().sum(1)), "right for flat samples only"),
    (r1_penalty, r1(lambda s: s.norm(dim=-1).square()), "right for flat samples only"),
    (r1_penalty, r1(lambda s: s.norm().square()), "summed over the batch"),
    (r1_penalty, r1(total=lambda d: F.softplus(-d).sum()), "the slope of log D"),
    (r1_penalty, r1(total=lambda d: F.softplus(-d).mean()), "the squared length is wrong"),
    (r1_penalty, r1(total=lambda d: d.square().sum()), "the squared length is wrong"),
    (r1_penalty, r1(graph=False), "`create_graph` is missing"),
    (r1_penalty, r1(points=lambda x: x + 0.1), "the squared length is wrong"),
    (r1_penalty, lambda d, x: 5 * r1_penalty.reference(d, x), "off by a constant factor"),
    (r1_penalty, lambda d, x: d(x).square().mean(), "the squared length is wrong"),
    (r1_penalty, lambda d, x: sum(w.square().sum() for w in d.parameters()), "the squared length is wrong"),
    (r1_penalty, r1(lambda s: -s.square().flatten(1).sum(1)), "a penalty below 0"),
    (r1_penalty, r1(lambda s: s.flatten(1).abs().sum(1).square()), "the squared length is wrong"),
    (best_discriminator, lambda p, q: p.exp() / (p.exp() + q.exp() + 1e-12), "through the densities themselves"),
    (best_discriminator, lambda p, q: 1 / (1 + q.exp() / p.exp()), "through the densities themselves"),
    (
        best_discriminator,
        lambda p, q: p.double().exp() / (p.double().exp() + q.double().exp()),
        "through the densities themselves",
    ),
    (best_discriminator, lambda p, q: torch.sigmoid((p - q).clamp(-2, 2)), "cut off near 0 and 1"),
    (best_discriminator, lambda p, q: torch.sigmoid(p - q).clamp(1e-3, 1 - 1e-3), "cut off near 0 and 1"),
    (best_discriminator, lambda p, q: torch.tanh(p - q), "not ½ where P = Q"),
    (best_discriminator, lambda p, q: (p >= q).float(), "not ½ where P = Q"),
    (best_discriminator, lambda p, q: 1 - torch.sigmoid(p - q), "P and Q swapped"),
    (best_discriminator, lambda p, q: torch.logaddexp(p, q), "not ½ where P = Q"),
    (best_discriminator, lambda p, q: torch.softmax(torch.stack([p, q]), 0), "wrong shape"),
    (best_discriminator, lambda p, q: torch.sigmoid(2 * (p - q)), "½ is right, the rest is not"),
    (best_discriminator, lambda p, q: 0.5 + 0 * p.nan_to_num(), "½ is right, the rest is not"),
    (mode_count, modes(lambda n, s: n <= 3 * s**0.5), "what is good"),
    (mode_count, modes(lambda n, s: n <= 9 * s), "what is good"),
    (mode_count, modes(lambda n, s: n.square() <= 3 * s**2), "what is good"),
    (mode_count, modes(three, lambda d, m, ok, s: len(m.unique())), "every nearest mode counts"),
    (mode_count, modes(three, lambda d, m, ok, s: int((d <= 3 * s).any(0).sum())), "every mode within reach counts"),
    (mode_count, modes(three, lambda d, m, ok, s: len(m[ok].unique()) + 0 * int(m[ok].max())), "no sample is good"),
    (mode_count, modes(three, lambda d, m, ok, s: len(m[ok])), "good samples instead of modes"),
    (mode_count, modes(three, lambda d, m, ok, s: d.shape[1]), "the share is right, the count is not"),
    (mode_count, modes(three, None, lambda ok, k: ok.sum()), "good samples are counted"),
    (mode_count, modes(three, None, lambda ok, k: 1 - ok.double().mean()), "the count is right, the share is not"),
    (mode_count, modes(three, None, lambda ok, k: 100.0 * ok.double().mean()), "per cent"),
    (mode_count, lambda x, c, s: mode_count.reference(x, c, s)[0], "wrong shape"),
    (
        mode_count,
        lambda x, c, s: (mode_count.reference(x, c, s)[0] / len(c), mode_count.reference(x, c, s)[1]),
        "the share of the modes",
    ),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "diagnosis"),
    WRONG,
    ids=[f"{exercise.name}: {diagnosis}" for exercise, _, diagnosis in WRONG],
)
def test_wrong_answers(exercise, answer, diagnosis):
    verdict = exercise.grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


@pytest.mark.parametrize("burnt", range(1, 30))
def test_any_draws_of_the_weights_pass(burnt):
    """The tolerances are wide enough for weights that are drawn otherwise than by the reference."""

    def late(critic, real, fake, generator):
        torch.rand(burnt, generator=generator)
        return gradient_penalty.reference(critic, real, fake, generator)

    assert gradient_penalty.grade(late).passed


def joined(value):
    """The parts of an answer as one tensor, a row each."""
    return torch.stack([torch.as_tensor(v).double() for v in value]) if isinstance(value, tuple) else value


SPOILT = {
    "nothing": lambda v: None,
    "a word": lambda v: "real",
    "one axis more": lambda v: torch.as_tensor(v)[None],
    "empty": lambda v: torch.zeros(0),
    "NaN": lambda v: torch.as_tensor(v) * math.nan,
    "infinite": lambda v: torch.as_tensor(v).double() - math.inf,
    "whole numbers": lambda v: torch.as_tensor(v).long() + 1,
    "huge": lambda v: torch.as_tensor(v).double() * 1e9 + 1,
    "complex": lambda v: torch.as_tensor(v) * 1j,
}


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("input_", ["every input", 0, 3])
def test_no_answer_confuses_the_check(name, spoil, input_):
    """Whatever comes back, on all inputs or on one, there is a verdict."""
    for verdict in verdicts(EXERCISES[name], lambda v: spoil(joined(v)), input_):
        assert verdict.message and not (verdict.passed and input_ == "every input")
