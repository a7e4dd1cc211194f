"""How many modes samples reach, and what share of the samples is good."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.metrics.clouds import check_features, nearest
from gencourse.support.checks import number


class ModeStatistics(NamedTuple):
    """What samples show of a law with K known modes.

    >>> centres = torch.tensor([[0.0, 0.0], [5.0, 0.0]])
    >>> mode_statistics(torch.tensor([[0.1, 0.0], [0.0, 0.1], [2.5, 0.0], [-0.1, 0.0]]), centres, 0.1).high_quality
    0.75
    """

    captured: int  # modes that hold one sample of high quality at least
    high_quality: float  # share of the samples, 0 to 1
    reverse_kl: float  # nats: 0 if all modes hold as much, log K if one holds all


def mode_statistics(samples: Tensor, centres: Tensor, sigma: float) -> ModeStatistics:
    """How many of K equal Gaussians the samples reach, and what share of the samples lies near any.

    The protocol of VEEGAN (Srivastava et al., arXiv:1705.07761, section 4.1) and PacGAN (Lin et al., arXiv:1712.04086,
    section 4.1), who take 2,500 samples: a sample is of high quality within three standard deviations of its nearest
    centre; a mode is captured if it is the nearest of at least one such sample. Reverse KL = log K − entropy of the
    modes' shares, KL(shares ‖ uniform); log K, its largest value, where no sample is of high quality. Of samples from
    the mixture itself, in two dimensions, 1 − exp(−9/2) = 98.9 % are of high quality.

    Args:
        samples: (N, D). centres: (K, D). sigma: the standard deviation of each mode, in the units of the samples.
    """
    check_features(samples=samples, centres=centres)
    sigma = number("sigma", sigma, "a positive number, the standard deviation of a mode", open_ended=True)
    distance, mode = nearest(samples, centres)
    good = distance <= 3 * sigma
    return _modes(mode[good], len(centres), len(samples))


def _modes(mode: Tensor, n_modes: int, n_samples: int) -> ModeStatistics:
    counts = torch.bincount(mode, minlength=n_modes)  # (K,), of samples of high quality
    reverse_kl = math.log(n_modes) - (_entropy(counts) if len(mode) else 0)
    return ModeStatistics(int((counts > 0).sum()), len(mode) / n_samples, max(0.0, reverse_kl))


def _entropy(counts: Tensor) -> float:
    """−Σ p log p of the shares that counts (K,) make, nats."""
    return torch.special.entr(counts.double() / counts.sum()).sum().item()
