"""Chooses who computes a recall, once, and says so when the choice cannot be met.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hmt_kernels.backends import Backend, takes_triton
from hmt_kernels.fp8 import FP8
from hmt_kernels.recall import recall_torch

_READ_BY_TRITON = frozenset({torch.float32, torch.bfloat16, torch.float16})


def recall(
    query_BD: Tensor,
    memories_BND: Tensor,
    counts_B: Tensor,
    *,
    scales_BN: Tensor | None = None,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor]:
    """Look into the memory: softmax(query · memories) over each memory's valid rows, then their mix.

    `query_BD` is folded (`S Wq^T Wk / sqrt(h)`), `counts_B` are integers from 0 to N: rows from there on are padding
    and influence nothing. Memories may be stored as `float8_e4m3fn`; `scales_BN`, or what broadcasts to it, then
    multiply their rows. Returns `prompt_BD` in the memories' dtype (the query's for fp8) and `weights_BN` in fp32 (fp64
    for fp64 memories); both are zero for a memory without a valid row. Both have a gradient, once with Triton, that
    reaches the query and memories of 16 bits or more.

    `auto` takes Triton on CUDA where it is installed and reads these dtypes, else torch. Errors of the chosen back end
    are never answered by another back end. Raises `ValueError` for shapes, devices or dtypes that do not fit together,
    `BackendError` where a forced back end cannot do it.
    """
    _check(query_BD, memories_BND, counts_B)
    if scales_BN is not None:
        scales_BN = scales_BN.expand(memories_BND.shape[:2])
    if not takes_triton(backend, memories_BND.device, _obstacle(query_BD, memories_BND, scales_BN)):
        return recall_torch(query_BD, memories_BND, counts_B, scales_BN)
    from hmt_kernels.recall_operator import recall_triton

    return recall_triton(query_BD, memories_BND, counts_B, scales_BN)


def _obstacle(query_BD: Tensor, memories_BND: Tensor, scales_BN: Tensor | None) -> str:
    """Why the kernels cannot compute this recall, or nothing."""
    if {query_BD.dtype, memories_BND.dtype} - _READ_BY_TRITON - {FP8} or query_BD.dtype == FP8:
        return f"its kernel does not read {query_BD.dtype} queries with {memories_BND.dtype} memories"
    scaled = scales_BN is not None and (scales_BN.requires_grad or memories_BND.requires_grad)
    if torch.is_grad_enabled() and (scaled or (memories_BND.dtype == FP8 and memories_BND.requires_grad)):
        return "its kernel has no gradient of scaled memories"
    return ""


def _check(query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor) -> None:
    batch, rows, hidden = memories_BND.shape if memories_BND.ndim == 3 else (-1, -1, -1)
    if query_BD.shape != (batch, hidden) or counts_B.shape != (batch,):
        raise ValueError(
            "Recall needs query (B, D), memories (B, N, D) and counts (B,); got "
            f"{tuple(query_BD.shape)}, {tuple(memories_BND.shape)} and {tuple(counts_B.shape)}."
        )
    if not (query_BD.is_floating_point() and memories_BND.is_floating_point()):
        raise ValueError(f"Recall needs floating point; got {query_BD.dtype} and {memories_BND.dtype}.")
    if counts_B.is_floating_point() or counts_B.dtype == torch.bool:
        raise ValueError(f"Counts are integers; got {counts_B.dtype}.")
    if query_BD.device != memories_BND.device:
        raise ValueError(f"Query on {query_BD.device} and memories on {memories_BND.device}: move one to the other.")
    if counts_B.device.type == "cpu" and not torch.compiler.is_compiling():
        _check_counts(counts_B, rows)


def _check_counts(counts_B: Tensor, rows: int) -> None:
    if any(not 0 <= count <= rows for count in counts_B.tolist()):
        raise ValueError(f"Counts must lie between 0 and the {rows} rows given; got {counts_B.tolist()}.")
