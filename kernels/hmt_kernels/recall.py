"""Memory recall as defined, in plain torch: differentiable, and the path on the CPU.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.

A row at or past its count is padding. It may hold anything, NaN included, and influences nothing: neither a result
nor a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def recall_torch(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, scales_BN: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Look into the memory by cross-attention: softmax(query · memories) over the valid rows, then their mix.

    `query_BD` is already folded, `S Wq^T Wk / sqrt(h)`, so memories are compared as they are stored. `counts_B` holds
    how many leading rows of each memory are valid. `scales_BN` multiply the rows where they are stored as fp8
    (`hmt_kernels.fp8`). Arithmetic is fp32 (fp64 where the memories are fp64).

    Returns `prompt_BD` in the memories' dtype, in the query's where they are fp8, and `weights_BN` in the dtype of the
    arithmetic, 0 on padding. With no valid row both are zeros: the caller puts its learned initial memory there.

    Shapes follow from the arguments' shapes alone, never from counts: a memory's result has the same bits whatever
    stands in the others. Source: HMT, section "memory search" (arXiv 2405.06067).
    """
    exact = torch.float64 if memories_BND.dtype == torch.float64 else torch.float32
    rows_N = torch.arange(memories_BND.shape[1], device=memories_BND.device)
    padding_BN = rows_N >= counts_B.to(memories_BND.device)[:, None]
    values_BND = memories_BND.to(exact)
    if scales_BN is not None:
        values_BND = values_BND * scales_BN.to(exact)[..., None]
    # 0 * NaN is NaN: a weight of zero alone would not keep padding out.
    values_BND = values_BND.masked_fill(padding_BN[..., None], 0.0)

    scores_BN = torch.bmm(values_BND, query_BD.to(exact)[..., None])[..., 0]
    # The lowest finite number, not -inf: a memory without a valid row would make NaN of the softmax and its gradient.
    scores_BN = scores_BN.masked_fill(padding_BN, torch.finfo(exact).min)
    weights_BN = scores_BN.softmax(dim=-1).masked_fill(padding_BN, 0.0)
    prompt_BD = torch.bmm(weights_BN[:, None, :], values_BND)[:, 0, :]
    return prompt_BD.to(prompt_dtype(query_BD, memories_BND)), weights_BN


def prompt_dtype(query_BD: Tensor, memories_BND: Tensor) -> torch.dtype:
    """What a recalled prompt is kept in: the memories' dtype, the query's where they are stored in 8 bits."""
    return query_BD.dtype if memories_BND.element_size() == 1 else memories_BND.dtype
