"""Memory recall as defined, in plain torch: differentiable, and the path on the CPU.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.

A row at or past its count is padding. It may hold anything, NaN included, and influences nothing: neither a result
nor a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def recall_torch(query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
    """Look into the memory by cross-attention: softmax(query · memories) over the valid rows, then their mix.

    `query_BD` is already folded, `S Wq^T Wk / sqrt(h)`, so memories are compared as they are stored. `counts_B` holds
    how many leading rows of each memory are valid. Arithmetic is fp32 (fp64 where the memories are fp64).

    Returns `prompt_BD` in the memories' dtype and `weights_BN` in the dtype of the arithmetic, 0 on padding. With no
    valid row both are zeros: the caller puts its learned initial memory there.

    Shapes follow from the arguments' shapes alone, never from counts: a memory's result has the same bits whatever
    stands in the others. Source: HMT, section "memory search" (arXiv 2405.06067).
    """
    exact = torch.promote_types(memories_BND.dtype, torch.float32)
    rows_N = torch.arange(memories_BND.shape[1], device=memories_BND.device)
    padding_BN = rows_N >= counts_B.to(memories_BND.device)[:, None]
    # 0 * NaN is NaN: a weight of zero alone would not keep padding out.
    values_BND = memories_BND.to(exact).masked_fill(padding_BN[..., None], 0.0)

    scores_BN = torch.bmm(values_BND, query_BD.to(exact)[..., None])[..., 0]
    # The lowest finite number, not -inf: a memory without a valid row would make NaN of the softmax and its gradient.
    scores_BN = scores_BN.masked_fill(padding_BN, torch.finfo(exact).min)
    weights_BN = scores_BN.softmax(dim=-1).masked_fill(padding_BN, 0.0)
    prompt_BD = torch.bmm(weights_BN[:, None, :], values_BND)[:, 0, :].to(memories_BND.dtype)
    return prompt_BD, weights_BN
