"""The evidence lower bound of every example from one draw of z, in nats."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gencourse.exercises.machine.cases import Case
from gencourse.exercises.machine.common import (
    gradient_is_cut,
    is_slope,
    normal,
    right_on,
    slopes,
    usable,
)
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom


def elbo(x: Tensor, logits: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """The evidence lower bound of every example from one draw of z, in nats.

    log P(x|z) - beta · KL, with P(pixel = 1 | z) = sigmoid(logits) for every pixel.
    x: (B, …), one or more axes of pixels, floating-point zeros and ones.
    logits: the same shape, what the decoder makes of z. They may be large: ±900 must not
    end in infinity. kl: (B,), the KL of q(z|x) to the prior.
    Returns (B,), with gradients to logits and kl.
    """
    log_px_z = x * logits - torch.nn.functional.softplus(logits)  # of every pixel
    return log_px_z.flatten(1).sum(1) - beta * kl


def _pixels(*shape: int, seed: int, scale: float = 2.0):
    """x, logits and a kl, of a batch of that shape."""
    x = (normal(*shape, seed=seed) > 0).float()
    return (
        x,
        normal(*shape, seed=seed + 1, scale=scale),
        normal(shape[0], seed=seed + 2).abs() * 3 + 0.5,
    )


_EXTREME = (
    torch.tensor([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]),
    torch.tensor([[200.0, -200.0, -900.0, 900.0], [50.0, -120.0, 130.0, -300.0]]),
    torch.tensor([2.0, 7.0]),
)


_CERTAIN = (
    torch.tensor([[1.0, 0.0, 1.0, 0.0]]),
    torch.tensor([[200.0, -200.0, 900.0, -900.0]]),
    torch.tensor([1.5]),
)


_LOG_P = "x * logits - torch.nn.functional.softplus(logits)"


def _certain(result) -> bool:
    return result.case.label is not None and result.case.label.startswith(
        "a decoder that is certain"
    )


def _shows_the_product_underflows(results):
    def large(r):
        return r.case.arguments[0].numel() > 1000

    return all(r.right for r in results if not _certain(r) and not large(r)) and any(
        large(r) and (r.value is None or not r.value.isfinite().all()) for r in results
    )


def _shows_the_pixels_are_not_all_summed(results):
    def image(r):
        return r.case.arguments[0].dim() > 2

    return all(r.right != image(r) for r in results if not _certain(r))


exercise = Exercise(
    elbo,
    minutes=10,
    difficulty="medium",
    hints=(
        "Two parts: how well the decoder explains x, log P(x|z), and what the code "
        "costs, the KL. Which of them is to be large, which small?",
        "Given the code the pixels are independent: log P(x|z) is a sum over all pixels "
        "of an example, of log p where x is 1 and log(1 - p) where it is 0, with p = "
        "sigmoid(logits). Beware: for large logits p is rounded to 0 or 1, and its "
        "logarithm is lost.",
        "`-torch.nn.functional.binary_cross_entropy_with_logits(logits, x, "
        'reduction="none")` is the logarithm of each pixel\'s probability, safely. Sum '
        "it over all axes but the first (`.flatten(1).sum(1)`), then subtract `beta * "
        "kl`.",
    ),
    cases=(
        Case(*_pixels(3, 5, seed=51)),
        Case(*_pixels(4, 1, 3, 5, seed=54), 1.0),
        Case(*_pixels(3, 6, seed=57), 0.0, label="`beta = 0`"),
        Case(*_pixels(5, 5, seed=60), 4.0, label="`beta = 4`"),
        Case(*_pixels(4, 3, seed=69)[:2], torch.zeros(4), 2.0, label="`kl = 0`"),
        Case(torch.ones(1, 3), torch.zeros(1, 3), torch.tensor([1.0]), label="logits 0"),
        Case(
            *_pixels(2, 1, 28, 28, seed=63), 0.5, label="images of 784 pixels, `beta = 0.5`"
        ),
        Case(
            *_CERTAIN, label="a decoder that is certain, and right (logits ±200 and ±900)"
        ),
        Case(
            *_EXTREME, label="a decoder that is certain, and wrong (logits ±200 and ±900)"
        ),
        Case(
            *_pixels(3, 1, 2, 2, seed=66),
            2.0,
            observe=partial(slopes, of=(1, 2)),
            label="the gradients by logits and kl",
        ),
    ),
    mistakes=(
        Mistake(
            "the KL is added",
            "- beta * kl",
            "+ beta * kl",
            "The KL is added. It is what the code costs: it lowers the bound.",
        ),
        Mistake(
            "the KL is missing",
            " - beta * kl",
            "",
            "The KL has no say. Without it, training takes the noise away and leaves an "
            "ordinary autoencoder.",
        ),
        Mistake(
            "beta is missing",
            "beta * kl",
            "kl",
            "Right for beta = 1 only: the KL is to be multiplied by beta.",
        ),
        Mistake(
            "beta weighs the reconstruction",
            "log_px_z.flatten(1).sum(1) - beta * kl",
            "beta * log_px_z.flatten(1).sum(1) - kl",
            "beta multiplies the reconstruction. It is the weight of the KL.",
        ),
        Mistake(
            "beta weighs both",
            "log_px_z.flatten(1).sum(1) - beta * kl",
            "beta * (log_px_z.flatten(1).sum(1) - kl)",
            "beta multiplies both parts: that changes the scale of the bound, not the "
            "balance. It belongs to the KL alone.",
        ),
        Mistake(
            "a convex mixture",
            "log_px_z.flatten(1).sum(1) - beta * kl",
            "(1 - beta) * log_px_z.flatten(1).sum(1) - beta * kl",
            "The reconstruction is multiplied by 1 - beta. It always counts in full; "
            "beta belongs to the KL alone.",
        ),
        Mistake(
            "the mean over the pixels",
            ".flatten(1).sum(1)",
            ".flatten(1).mean(1)",
            "The reconstruction is a mean over the pixels, the KL a sum over the "
            "dimensions. An image's log-probability is the sum over its pixels; with the "
            "mean the KL weighs as many times too much as there are pixels.",
        ),
        Mistake(
            "the mean over pixels and batch",
            ".flatten(1).sum(1)",
            ".mean()",
            "The reconstruction is one number for the whole batch, averaged over "
            "examples and pixels (as `binary_cross_entropy_with_logits` does unless told "
            "otherwise). It is a sum over the pixels of each example: "
            '`reduction="none"`, then sum.',
        ),
        Mistake(
            "the reconstruction is averaged over the batch",
            ".flatten(1).sum(1)",
            ".flatten(1).sum(1).mean()",
            "Every example gets the mean reconstruction of the batch. Sum over the "
            "pixels, and leave the examples apart.",
        ),
        Mistake(
            "averaged over the batch",
            "return log_px_z.flatten(1).sum(1) - beta * kl",
            "return (log_px_z.flatten(1).sum(1) - beta * kl).mean()",
            "The mean over the batch is taken: there is one number in place of one for "
            "each example. Averaging is the caller's business.",
        ),
        Mistake(
            "summed over the batch too",
            "return log_px_z.flatten(1).sum(1) - beta * kl",
            "return (log_px_z.flatten(1).sum(1) - beta * kl).sum()",
            "The examples are added up as well: there is one number in place of one for "
            "each example.",
        ),
        Mistake(
            "the reconstruction is summed over the batch",
            ".flatten(1).sum(1)",
            ".sum()",
            "Every example gets the reconstruction of the whole batch: sum over the "
            "pixels, all axes but the first.",
        ),
        Mistake(
            "the reconstruction's sign is turned",
            "log_px_z.flatten(1)",
            "-log_px_z.flatten(1)",
            "The reconstruction enters as a loss: the binary cross-entropy is -log "
            "P(x|z). The bound contains log P(x|z), which is at most 0.",
        ),
        Mistake(
            "the loss instead of the bound",
            "return log_px_z.flatten(1).sum(1) - beta * kl",
            "return beta * kl - log_px_z.flatten(1).sum(1)",
            "This is -ELBO, the loss. The bound itself is asked for: it grows as the "
            "model becomes better.",
        ),
        Mistake(
            "logits taken for probabilities",
            _LOG_P,
            "x * torch.log(logits) + (1 - x) * torch.log(1 - logits)",
            "The logits are used as probabilities. They run from minus to plus infinity; "
            "sigmoid(logits) is the probability of a 1.",
        ),
        Mistake(
            "x and logits swapped",
            _LOG_P,
            "x * logits - torch.nn.functional.softplus(x)",
            "x and logits have changed places: `binary_cross_entropy_with_logits` takes "
            "the logits first, then x.",
        ),
        Mistake(
            "the sigmoid is taken twice",
            _LOG_P,
            "x * torch.sigmoid(logits) - "
            "torch.nn.functional.softplus(torch.sigmoid(logits))",
            "The sigmoid is taken twice: `binary_cross_entropy_with_logits` and "
            "`Bernoulli(logits=…)` take the logits as they are.",
        ),
        Mistake(
            "sigmoid, then logarithm",
            _LOG_P,
            "x * torch.log(torch.sigmoid(logits)) + (1 - x) * torch.log(1 - "
            "torch.sigmoid(logits))",
            "Right for moderate logits, but large ones end in infinity or NaN: the "
            "sigmoid is rounded to 0 or 1, and its logarithm is lost. Compute the "
            "logarithm from the logits directly: `logsigmoid`, `softplus` or "
            "`binary_cross_entropy_with_logits`.",
        ),
        Mistake(
            "the extremes are cut off",
            _LOG_P,
            "-torch.nn.functional.binary_cross_entropy(torch.sigmoid(logits), x, "
            'reduction="none")',
            "Right for moderate logits, but where the decoder is certain and wrong the "
            "answer is cut off: the sigmoid is rounded to 0 or 1, and an epsilon or "
            "`binary_cross_entropy` (which stops at -100) hides the infinity that "
            "follows. Compute from the logits directly: `logsigmoid`, `softplus` or "
            "`binary_cross_entropy_with_logits`.",
        ),
        Mistake(
            "only the ones count",
            _LOG_P,
            "x * torch.nn.functional.logsigmoid(logits)",
            "Only pixels that are 1 count. A 0 has a probability too: 1 - sigmoid(logits).",
        ),
        Mistake(
            "zeros and ones swapped",
            _LOG_P,
            "(1 - x) * logits - torch.nn.functional.softplus(logits)",
            "sigmoid(logits) is the probability of a 1; your answer uses it for the zeros.",
        ),
        Mistake(
            "not normalised",
            _LOG_P,
            "x * logits",
            "x · logits alone is no log-probability: log(1 + exp(logits)) must be "
            "subtracted at every pixel.",
        ),
        Mistake(
            "the squared error",
            _LOG_P,
            "-(x - torch.sigmoid(logits))**2",
            "The reconstruction is a squared error. That is a Gaussian's log-likelihood, "
            "up to constants; the decoder here is Bernoulli, and says how probable a 1 "
            "is.",
        ),
        Mistake(
            "half the squared error",
            _LOG_P,
            "-0.5 * (x - torch.sigmoid(logits))**2",
            "The reconstruction is a squared error, as of a Gaussian with variance 1. "
            "The decoder here is Bernoulli, and says how probable a 1 is.",
        ),
        Mistake(
            "the probability of the likelier value",
            _LOG_P,
            "-torch.nn.functional.softplus(-logits.abs())",
            "Each pixel counts as if the decoder's guess were right: x has no say. What "
            "counts is the probability of what is there.",
        ),
        Mistake(
            "probabilities instead of their logarithms",
            _LOG_P,
            "x * torch.sigmoid(logits) + (1 - x) * torch.sigmoid(-logits)",
            "The probabilities of the pixels are added up. Their logarithms are to be.",
        ),
        Mistake(
            "the product underflows",
            "log_px_z.flatten(1).sum(1)",
            "log_px_z.exp().flatten(1).prod(1).log()",
            "Right for few pixels, but the product of 784 probabilities is too small for "
            "a floating-point number and becomes 0. Take the logarithm of each, then "
            "add.",
        ),
        Mistake(
            "no gradient",
            "return log_px_z.flatten(1).sum(1) - beta * kl",
            "return (log_px_z.flatten(1).sum(1) - beta * kl).detach()",
            "The values are right, but no gradient passes, and nothing could be trained "
            "by them: is there a `.detach()`, `.item()`, `no_grad` or NumPy on the way?",
        ),
        Mistake(
            "no gradient reaches the KL",
            "beta * kl",
            "beta * kl.detach()",
            "The values are right, but the gradient does not reach the KL: training "
            "would not hold the code to the prior.",
        ),
        Mistake(
            "the KL is averaged over the batch",
            "beta * kl",
            "beta * kl.mean()",
            "Every example is charged the mean KL of the batch. Each pays for its own "
            "code.",
        ),
        Mistake(
            "the exponential overflows",
            "torch.nn.functional.softplus(logits)",
            "torch.log(1 + torch.exp(logits))",
            "Right for moderate logits, but exp(logits) is too large for a "
            "floating-point number from about 89 on. "
            "`torch.nn.functional.softplus(logits)` is log(1 + exp(logits)) without that "
            "trouble.",
        ),
    ),
    symptoms=(
        Symptom(
            "infinite at large logits",
            lambda results: (
                all(r.right for r in results if not _certain(r))
                and any(r.value is None or not r.value.isfinite().all() for r in results)
            ),
            "Right for moderate logits, but large ones end in infinity or NaN: somewhere "
            "a sigmoid is rounded to 0 or 1 before its logarithm is taken, or an "
            "exponential overflows. Compute from the logits directly: `logsigmoid`, "
            "`softplus` or `binary_cross_entropy_with_logits`.",
            errors_too=True,
        ),
        Symptom("the product underflows", _shows_the_product_underflows, errors_too=True),
        Symptom(
            "the extremes are cut off",
            lambda results: all(r.right for r in results if not _certain(r)),
        ),
        Symptom(
            "the pixels are not all summed",
            _shows_the_pixels_are_not_all_summed,
            "Right where an example is a row of pixels, but not for images, which have "
            "more axes: sum over all of them but the first. `.flatten(1)` makes one axis "
            "of them.",
            errors_too=True,
        ),
        Symptom("no gradient", gradient_is_cut, errors_too=True),
        Symptom(
            "the gradients are wrong",
            lambda results: all(r.right for r in results if not is_slope(r)),
            "The values are right, but not all gradients: the one by kl is -beta, the "
            "one by the logits x - sigmoid(logits). Is a part of the formula cut out of "
            "the graph?",
        ),
        Symptom(
            "a bound above 0",
            lambda results: any((r.value > 1e-4).any() for r in usable(results)),
            "Somewhere your bound is above 0. Pixels are discrete, so log P(x|z) is at "
            "most 0, and the KL is never negative: the difference is at most 0.",
        ),
        Symptom(
            "the part of the KL is wrong",
            lambda results: (
                right_on(results, "`beta = 0`") or right_on(results, "`kl = 0`")
            ),
            "Where the KL has no say (kl = 0 or beta = 0) your answer is right: the "
            "reconstruction is as it should be. Elsewhere it is not: how do kl and beta "
            "enter?",
        ),
        Symptom(
            "the reconstruction is wrong",
            lambda results: any(
                r.case.label == "`kl = 0`" and not r.right for r in usable(results)
            ),
            "Already where the KL has no say (kl = 0 or beta = 0) the answer is not log "
            "P(x|z): the sum over all pixels of an example of log p where x is 1, and of "
            "log(1 - p) where it is 0, with p = sigmoid(logits).",
        ),
    ),
)
