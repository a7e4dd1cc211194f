"""A model learns: the loss of a batch, its gradient, a step of the weights, many times."""

from pathlib import Path

import torch
from torch import Tensor, nn

from gencourse.support.checks import check_choice, generator_or_new, positive_integer
from gencourse.training.average import begin_average, update_average
from gencourse.training.batches import Batches, Prepare
from gencourse.training.checks import (
    check_data,
    check_depends_on_weights,
    check_finite,
    check_model,
    check_resuming,
    check_stopping,
    checked_batch_size,
    checked_clip,
    checked_decay,
    checked_lr,
    checked_muon,
)
from gencourse.training.history import History, Keep
from gencourse.training.interrupts import Interrupts
from gencourse.training.loop import Measure, Training
from gencourse.training.optim import move_weights, optimizers_of, schedule
from gencourse.training.precision import PRECISIONS, Precision, channels_last, in_precision, resolved_precision
from gencourse.training.state import begun


@torch.inference_mode(False)  # with gradients, whatever the caller has switched off
def fit(
    model: nn.Module,
    x: Tensor,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float = 3e-3,
    muon: float = 0.0,
    condition: Tensor | None = None,
    prepare: Prepare | None = None,
    average: float = 0.0,
    clip: float = 1.0,
    precision: Precision = "auto",
    generator: torch.Generator | None = None,
    measure: Measure | None = None,
    measure_every: int = 0,
    keep: Keep = "last",
    minutes: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    resume: History | None = None,
    name: str = "training",
) -> History:
    """Minimise `model.loss` on random batches of x, in place.

    Adam, or Muon and Adam; the step size rises linearly over the first 5 % of the steps and falls to zero on half a
    cosine.

    Args:
        x: (N, …) examples. condition: (N,) classes, given to `model.loss` as a second argument.
        steps: updates in all, those before an interruption included.
        lr: the largest step size.
        muon: if not 0, the largest step size of `optim.Muon`, which then moves the matrices between hidden layers, such
            as 0.02; Adam moves the rest.
        prepare: applied to every batch, with the generator: `binarise` draws new binary pixels each step. It works
            where x lies; what it gives is moved to the device of the model.
        average: decay of an exponential moving average of the weights; if not 0, it is what the model ends with.
        clip: largest norm of the gradient; math.inf for none.
        precision: "auto" takes bfloat16 where the processor computes in it natively, else float32; either with
            channels-last memory, which is faster for convolutions. A run that is resumed keeps the precision it
            began with, even where that is slow; with "float32", one that began with "auto" goes on in float32.
        generator: source of all randomness here, on the device of x; by default a new one with seed 0. What
            `model.loss`, `prepare` or `measure` draw without it comes from torch's global random state, which at every
            step and measurement starts from a seed made of the run's own and the number of the step. What that
            state was has no influence, and it is given back in the end.
        measure: called with the (averaged) model, at rest (`eval`), every `measure_every` steps and after the last one;
            with `measure_every` 0 after the last one alone.
        keep: which of the measured models `model` ends as: the "last" one, or the one that measured "lowest" or
            "highest", the first of equals. The choice needs a measurement of data that are not the test's.
        minutes: stop after so many minutes of this call, as after Ctrl-C. A step or measurement that runs is finished.
        checkpoint: file for the state of the run, written whole every `checkpoint_every` steps or two minutes,
            whichever is sooner, after every measurement, and when stopped. If it is there, the run goes on from it.
        resume: History of an interrupted run, to go on from it without a file.
        name: label of the progress bar.

    Returns:
        the History. Interrupting the kernel (Ctrl-C) ends the loop after the current step and returns it as well; a
        second Ctrl-C gives up the step or the measurement that is running, to be made again on resuming. In a loop
        of trainings the next one then begins; Ctrl-C again, within ten seconds of the first, ends the loop too.

    Raises:
        TypeError, ValueError: an argument that makes no sense, or a run to be resumed with other settings.
        FloatingPointError: the loss or its gradient is not finite; model and checkpoint stay as before that step.
        KeyboardInterrupt: Ctrl-C, less than ten seconds after it had stopped the training before this one.

    Example:
        >>> class Normal(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.mean = nn.Parameter(torch.zeros(()))
        ...
        ...     def loss(self, x):
        ...         return 0.5 * (x - self.mean).square().mean()
        >>> normal = Normal()
        >>> history = fit(normal, torch.tensor([1.0, 2.0, 3.0, 6.0]), steps=100, batch_size=4, lr=0.2)
        >>> f"mean {normal.mean.item():.1f}, loss {history.loss[0]:.2f} at first, {history.loss[-1]:.2f} in the end"
        'mean 3.0, loss 6.25 at first, 1.75 in the end'
    """
    check_model(model)
    check_data(x, condition)
    generator = generator_or_new(generator, x.device)
    steps, batch_size = positive_integer("steps", steps), checked_batch_size(batch_size, x)
    checkpoint_every = positive_integer("checkpoint_every", checkpoint_every)
    measure_every = positive_integer("measure_every", measure_every, least=0)
    lr, average, clip, muon = checked_lr(lr), checked_decay(average), checked_clip(clip), checked_muon(muon)
    check_choice("precision", precision, PRECISIONS)
    check_resuming(checkpoint, resume, History)
    check_stopping(keep, measure, minutes)

    state, device = begun(checkpoint, resume), next(model.parameters()).device
    history = History(precision=resolved_precision(precision, state, device, name))
    settings = dict(steps=steps, batch_size=batch_size, lr=lr, average=average, clip=clip, examples=len(x))
    settings |= dict(precision=history.precision, precision_asked=precision, muon=muon)
    with Interrupts() as during_setup:  # torch imports much for its first optimiser, and takes seconds for it
        optimizers = optimizers_of(model, lr, muon)
    weights = dict(model.named_parameters())
    averaged = begin_average(weights, average)
    training = Training(
        model=model,
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
        begun=state,
        asked=during_setup.asked,
    )
    batches = Batches(x, condition, batch_size, prepare, generator, training.seed, device)

    with channels_last(model), training.under_way() as steps_left:
        for step in steps_left:
            with training.whole_step(model.buffers()):  # a loss may write there, as BatchNorm does
                batch, given = batches.draw(step)
                model.zero_grad(set_to_none=True)
                loss = in_precision(model.loss, history.precision, device)(batch, *given)
                value = check_finite(loss.item(), "loss", step, steps, lr)
                check_depends_on_weights(loss)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
                check_finite(norm.item(), "norm of the gradient", step, steps, lr)
                training.hold_interrupts()  # the weights move, which is never left half done
                move_weights(optimizers, schedule(step, steps))
                update_average(averaged, weights, average, step + 1)
                training.record(loss=value)
    return history
