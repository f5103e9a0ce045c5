"""The strongest rows as defined, in plain torch.

Shapes: B questions (or documents) · N memory rows, padded · K rows wanted.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def strongest_torch(weights_BN: Tensor, counts_B: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The `top` largest weights of each memory's valid rows, largest first, and their rows; of equals the earlier row.

    Returns `weights_BK` in the weights' dtype and `rows_BK` in int64. Where fewer rows are valid the rest has weight 0
    and row -1.
    """
    rows_N = torch.arange(weights_BN.shape[1], device=weights_BN.device)
    counted_BN = rows_N < counts_B.to(weights_BN.device)[:, None]
    # A stable sort and not topk, which says nothing of equals.
    sorted_BN, rows_BN = weights_BN.where(counted_BN, -1.0).sort(dim=1, descending=True, stable=True)
    missing = max(top - weights_BN.shape[1], 0)
    weights_BK, rows_BK = (pad(one_BN[:, :top], (0, missing), value=-1) for one_BN in (sorted_BN, rows_BN))
    return weights_BK.clamp(min=0), rows_BK.where(weights_BK >= 0, -1)
