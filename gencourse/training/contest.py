"""Two players learn in turn: a step of the discriminator against the generator as it is, then the other way round."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn

from gencourse.support.checks import check_choice, generator_or_new, positive_integer
from gencourse.training.average import begin_average, update_average
from gencourse.training.batches import Batches, Prepare
from gencourse.training.checks import (
    Anneal,
    check_data,
    check_depends_on_weights,
    check_finite,
    check_gan,
    check_resuming,
    check_stopping,
    checked_batch_size,
    checked_betas,
    checked_decay,
    checked_lr,
)
from gencourse.training.history import GANHistory, Keep
from gencourse.training.interrupts import Interrupts
from gencourse.training.loop import Measure, Training
from gencourse.training.optim import falling
from gencourse.training.state import begun


@torch.inference_mode(False)  # with gradients, whatever the caller has switched off
def fit_gan(
    gan: nn.Module,
    x: Tensor,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float | tuple[float, float] = 1e-3,
    betas: tuple[float, float] = (0.0, 0.99),
    steps_d: int = 1,
    steps_g: int = 1,
    anneal: Anneal = "none",
    average: float = 0.0,
    unroll: int = 0,
    condition: Tensor | None = None,
    prepare: Prepare | None = None,
    generator: torch.Generator | None = None,
    measure: Measure | None = None,
    measure_every: int = 0,
    keep: Keep = "last",
    minutes: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    resume: GANHistory | None = None,
    name: str = "training",
) -> GANHistory:
    """Let the two players of a GAN move in turn, in place.

    A step is `steps_d` updates of the discriminator, the generator frozen, then `steps_g` updates of the generator, the
    discriminator frozen; new data and new noise for each. Frozen means: parameters, buffers and gradients stay as they
    are. Each player has an Adam of its own.

    Args:
        gan: with the players `generator` and `discriminator`, and with `noise`, `judge` and `generator_loss`.
        x: (N, …) examples. condition: (N,) classes of them, given to both players; the generator is asked for the
            classes of the data that the discriminator saw last.
        steps: of the contest in all, those before an interruption included.
        lr: step size of both, or of the discriminator and of the generator. betas: of Adam.
        steps_d, steps_g: updates of the discriminator and of the generator in a step.
        anneal: how the step sizes fall, see `optim.falling`.
        average: decay of an exponential moving average of the generator's weights; if not 0, it is what the generator
            ends with (Karras et al., arXiv:1710.10196). The contest itself does not feel it.
        unroll: if not 0, the generator moves against the discriminator that would be there after so many more updates
            on the same batches, and the gradient passes through these updates (Metz et al., arXiv:1611.02163).
        prepare, generator, measure, measure_every, keep, minutes, checkpoint, checkpoint_every, resume, name: as in
            `fit`.

    Returns:
        the GANHistory. Interruptions as in `fit`: the loop ends after the current step, and a second Ctrl-C takes back
        what was done of it.

    Raises:
        TypeError, ValueError: an argument that makes no sense, a run to be resumed with other settings.
        FloatingPointError: a sample, a loss or a gradient is not finite; gan and checkpoint stay as before that step.
        KeyboardInterrupt: as in `fit`.

    Example:
        >>> from gencourse.models import GAN, Discriminator, Generator
        >>> _ = torch.manual_seed(0)  # the first weights
        >>> gan = GAN(Generator((1,), latent=1, hidden=(8,)), Discriminator((1,), hidden=(8,)), r1=0.1)
        >>> x = 3 + 0.5 * torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
        >>> history = fit_gan(gan, x, steps=80, lr=0.03, average=0.9)
        >>> samples = gan.sample(500, torch.Generator().manual_seed(0))
        >>> samples.shape, round(samples.mean().item())
        (torch.Size([500, 1]), 3)
    """
    check_gan(gan)
    check_data(x, condition)
    generator = generator_or_new(generator, x.device)
    steps, batch_size = positive_integer("steps", steps), checked_batch_size(batch_size, x)
    steps_d, steps_g = positive_integer("steps_d", steps_d), positive_integer("steps_g", steps_g)
    unroll = positive_integer("unroll", unroll, least=0)
    checkpoint_every = positive_integer("checkpoint_every", checkpoint_every)
    measure_every = positive_integer("measure_every", measure_every, least=0)
    lr_d, lr_g = map(checked_lr, lr if isinstance(lr, (tuple, list)) and len(lr) == 2 else (lr, lr))
    average, betas = checked_decay(average), checked_betas(betas)
    check_choice("anneal", anneal, get_args(Anneal))
    check_resuming(checkpoint, resume, GANHistory)
    check_stopping(keep, measure, minutes)

    history, device = GANHistory(), next(gan.generator.parameters()).device
    settings = dict(steps=steps, batch_size=batch_size, lr=[lr_d, lr_g], betas=list(betas), steps_d=steps_d)
    settings |= dict(steps_g=steps_g, anneal=anneal, average=average, unroll=unroll, examples=len(x))
    with Interrupts() as during_setup:  # torch imports much for its first optimiser, and takes seconds for it
        # fused: a fifth of the time for small networks
        optimizer_d = torch.optim.Adam(gan.discriminator.parameters(), lr=lr_d, betas=betas, fused=True)
        optimizer_g = torch.optim.Adam(gan.generator.parameters(), lr=lr_g, betas=betas, fused=True)
    optimizers = {"optimizer_d": optimizer_d, "optimizer_g": optimizer_g}
    own = {f"generator.{k}": v for k, v in gan.generator.named_parameters()}
    averaged = begin_average(own, average)
    training = Training(
        model=gan,
        optimizers=optimizers,
        averaged=averaged,
        generator=generator,
        history=history,
        settings=settings,
        name=name,
        measure=measure,
        measure_every=measure_every,
        keep=keep,
        minutes=minutes,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        begun=begun(checkpoint, resume),
        asked=during_setup.asked,
    )
    batches = Batches(x, condition, batch_size, prepare, generator, training.seed, device)

    def samples(n: int, given: tuple[Tensor, ...], step: int) -> Tensor:
        """New ones of the generator, (n, …)."""
        fake = gan.generator(gan.noise(n, generator), *given)
        check_finite(fake.detach().abs().max().item(), "largest value of a sample", step, steps, lr_g)
        return fake

    def take_turns(step: int) -> dict[str, float]:
        """One step, both players."""
        share = falling(anneal, step, steps)
        loss_d = loss_g = d_real = d_fake = norm_g = 0.0
        with frozen(gan.generator):  # the discriminator moves
            for i in range(steps_d):
                real, given = batches.draw(step * steps_d + i)
                with torch.no_grad():
                    fake = samples(len(real), given, step)
                judgement = gan.judge(real, fake, *given, generator=generator)
                loss_d += check_finite(judgement.loss.item(), "discriminator's loss", step, steps, lr_d) / steps_d
                d_real, d_fake = d_real + judgement.real.item() / steps_d, d_fake + judgement.fake.item() / steps_d
                norm = move_player(optimizer_d, judgement.loss, lr_d * share)
                check_finite(norm, "norm of the discriminator's gradient", step, steps, lr_d)
        with frozen(gan.discriminator):  # the generator moves, beside the last batch that the discriminator saw
            for _ in range(steps_g):
                fake, weights = samples(len(real), given, step), None
                if unroll:
                    weights = unrolled(gan, optimizer_d, real, fake, given, unroll, generator)
                loss = gan.generator_loss(fake, *given, weights=weights)
                loss_g += check_finite(loss.item(), "generator's loss", step, steps, lr_g) / steps_g
                norm = move_player(optimizer_g, loss, lr_g * share)
                norm_g += check_finite(norm, "norm of the generator's gradient", step, steps, lr_g) / steps_g
        return dict(loss_d=loss_d, loss_g=loss_g, d_real=d_real, d_fake=d_fake, grad_norm_g=norm_g)

    with training.under_way() as steps_left:
        for step in steps_left:
            with training.whole_step([*gan.parameters(), *gan.buffers()], optimizers.values()):
                values = take_turns(step)
                training.hold_interrupts()  # until here, all can be taken back
                update_average(averaged, own, average, step + 1)
                training.record(**values)
    return history


@contextlib.contextmanager
def frozen(player: nn.Module) -> Iterator[None]:
    """A player that is asked but does not move: no gradient for its weights; its buffers (BatchNorm's) come back."""
    wanted = [(p, p.requires_grad) for p in player.parameters()]
    buffers = [(b, b.clone()) for b in player.buffers()]
    player.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
        for buffer, before in buffers:
            buffer.copy_(before)


def move_player(optimizer: torch.optim.Adam, loss: Tensor, lr: float) -> float:
    """One update; returns the norm of the gradient. If that is not finite, nothing moves."""
    optimizer.zero_grad(set_to_none=True)
    check_depends_on_weights(loss)
    loss.backward()
    (group,) = optimizer.param_groups
    norm = nn.utils.get_total_norm([p.grad for p in group["params"] if p.grad is not None]).item()
    if math.isfinite(norm):
        group["lr"] = lr
        optimizer.step()
    return norm


def unrolled(
    gan: nn.Module,
    optimizer: torch.optim.Adam,
    real: Tensor,
    fake: Tensor,
    given: tuple[Tensor, ...],
    n: int,
    generator: torch.Generator | None,
) -> dict[str, Tensor]:
    """The discriminator's weights after n more updates on the same batches, differentiable with respect to `fake`.

    The updates are those of its Adam, written as functions of the gradient: moments m and v, their bias corrected. But
    ε² stands under the root, since a root has no finite slope at 0 (Metz et al., arXiv:1611.02163,
    section 2.1; Kingma and Ba, arXiv:1412.6980, algorithm 1).
    """
    (group,) = optimizer.param_groups
    beta_m, beta_v = group["betas"]
    weights, moments = {}, {}
    for key, p in gan.discriminator.named_parameters():
        weights[key] = p.detach().clone()
        if state := optimizer.state.get(p):  # weights that never had a gradient have no moments, and stay
            weights[key].requires_grad_()
            moments[key] = state["exp_avg"].clone(), state["exp_avg_sq"].clone(), int(state["step"])
    for _ in range(n):
        loss = gan.judge(real, fake, *given, generator=generator, weights=weights).loss
        gradients = torch.autograd.grad(loss, [weights[k] for k in moments], create_graph=True, allow_unused=True)
        for key, gradient in zip(list(moments), gradients, strict=True):
            if gradient is not None:
                m, v, t = moments[key]
                m, v, t = beta_m * m + (1 - beta_m) * gradient, beta_v * v + (1 - beta_v) * gradient.square(), t + 1
                size = (v / (1 - beta_v**t) + group["eps"] ** 2).sqrt()
                weights[key], moments[key] = weights[key] - group["lr"] * m / (1 - beta_m**t) / size, (m, v, t)
    return weights
