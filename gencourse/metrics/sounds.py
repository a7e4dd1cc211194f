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
    # [d, i]: apart[i, d - i], and ∞ where there is none
    skewed = torch.nn.functional.pad(apart, (0, n), value=math.inf).flatten()[: n * (n + m - 1)].view(n, -1).T
    last = torch.full((n + 1,), math.inf, dtype=torch.float64, device=apart.device)
    before = last.clone()  # of the diagonals i + j = 0 and 1: nothing but the beginning, 0
    before[0] = 0
    for here in skewed.contiguous():  # i + j; what lies on one diagonal does not depend on each other
        one = torch.minimum(last[:-1], last[1:]) + here
        least = torch.minimum(one, before[:-1] + 2 * here)
        before, last = last, torch.cat([last.new_full((1,), math.inf), least])
    return last[n].item() / (n + m)
