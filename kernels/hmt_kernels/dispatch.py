"""Chooses who computes a recall, once, and says so when the choice cannot be met.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.
"""

from __future__ import annotations

import importlib.util
from typing import Literal

import torch
from torch import Tensor

from hmt_kernels.recall import recall_torch

Backend = Literal["auto", "torch", "triton"]


class BackendError(RuntimeError):
    """The back end that was forced cannot compute this recall; the message says why and names the remedy."""


def recall(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, *, backend: Backend = "auto"
) -> tuple[Tensor, Tensor]:
    """Look into the memory: softmax(query · memories) over each memory's valid rows, then their mix.

    `query_BD` is folded (`S Wq^T Wk / sqrt(h)`), `counts_B` are integers from 0 to N: rows from there on are padding
    and influence nothing. Returns `prompt_BD` in the memories' dtype and `weights_BN` in fp32 (fp64 for fp64
    memories); both are zero for a memory without a valid row.

    `auto` takes Triton on CUDA where it is installed, reads this dtype and needs no gradient, else torch. Errors of
    the chosen back end are never answered by another back end. Raises `ValueError` for shapes, devices or dtypes that
    do not fit together, `BackendError` where a forced back end cannot do it.
    """
    _check(query_BD, memories_BND, counts_B)
    if backend not in {"auto", "torch", "triton"}:
        raise ValueError(f"Unknown backend {backend!r}. Use 'auto', 'torch' or 'triton'.")
    if backend == "torch" or (backend == "auto" and not memories_BND.is_cuda):
        return recall_torch(query_BD, memories_BND, counts_B)
    obstacle = _triton_obstacle(query_BD, memories_BND)
    if obstacle and backend == "auto":
        return recall_torch(query_BD, memories_BND, counts_B)
    if obstacle:
        raise BackendError(f"Triton cannot compute this recall: {obstacle}. Use backend='auto' or 'torch'.")
    from hmt_kernels.recall_triton import recall_triton

    return recall_triton(query_BD, memories_BND, counts_B)


def _triton_obstacle(query_BD: Tensor, memories_BND: Tensor) -> str:
    """Why Triton cannot be used here, or nothing. A broken installation is no obstacle: its import error is shown."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    if torch.is_grad_enabled() and (query_BD.requires_grad or memories_BND.requires_grad):
        return "its kernel has no gradient"
    from hmt_kernels.recall_triton import INTERPRETED, SUPPORTED_DTYPES

    if not memories_BND.is_cuda and not INTERPRETED:
        return f"the memories are on {memories_BND.device}, not on a CUDA device"
    if {query_BD.dtype, memories_BND.dtype} - SUPPORTED_DTYPES:
        return f"its kernel does not read {query_BD.dtype} queries with {memories_BND.dtype} memories"
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
    if counts_B.device.type == "cpu" and any(not 0 <= count <= rows for count in counts_B.tolist()):
        raise ValueError(f"Counts must lie between 0 and the {rows} rows given; got {counts_B.tolist()}.")
