"""How far two sounds are apart."""

import math

import torch
from torch import Tensor

from gencourse.metrics.clouds import check_features


def warped_distance(a: Tensor, b: Tensor) -> float:
    """Dynamic time warping: how far apart two sequences are when each may linger, (T, F) and (S, F) frames.

    The least Σ w |a_i - b_j| along a path from both beginnings to both ends, over T + S. A step forward in one sequence
    has the weight w = 1, in both at once 2: every path has the weight T + S. 0 where one is the other with frames
    repeated. Paper: Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition", 1978,
    the symmetric form with P = 0.

    Raises TypeError, ValueError: not (T, F) of finite real numbers, or of unlike width.
    """
    check_features(a=a, b=b)
    apart = torch.cdist(a.double()[None], b.double()[None], compute_mode="donot_use_mm_for_euclid_dist")[0]  # (T, S)
    n, m = apart.shape
    least = torch.full((n + 1, m + 1), math.inf, dtype=torch.float64, device=apart.device)
    least[0, 0] = 0
    for diagonal in range(2, n + m + 1):  # i + j; what lies on one diagonal does not depend on each other
        i = torch.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1, device=apart.device)
        j = diagonal - i
        here = apart[i - 1, j - 1]
        one = torch.minimum(least[i - 1, j], least[i, j - 1]) + here
        least[i, j] = torch.minimum(one, least[i - 1, j - 1] + 2 * here)
    return least[n, m].item() / (n + m)
