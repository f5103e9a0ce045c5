"""Chooses who computes, once, and says so when the choice cannot be met: recall, its strongest, remember, frame.

Shapes: B questions (or documents) · N memory rows, padded · M memories a segment · D hidden size · K sensory tokens ·
L tokens · V vocabulary.

`auto` takes Triton on CUDA where it is installed and can compute this, else torch. Errors of the chosen back end are
never answered by another back end. All raise `ValueError` for shapes, devices or dtypes that do not fit together and
`BackendError` where a forced back end cannot do it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from hmt_kernels.backends import Backend, takes_triton
from hmt_kernels.fp8 import FP8
from hmt_kernels.frame import frame_torch
from hmt_kernels.recall import recall_torch
from hmt_kernels.remember import remember_torch
from hmt_kernels.strongest import strongest_torch

MOST_STRONGEST = 256  # a round of the kernel has to leave much less than it is given
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
    """
    _check(query_BD, memories_BND, counts_B)
    if scales_BN is not None:
        scales_BN = scales_BN.expand(memories_BND.shape[:2])
    if not takes_triton(backend, memories_BND.device, _obstacle(query_BD, memories_BND, scales_BN)):
        return recall_torch(query_BD, memories_BND, counts_B, scales_BN)
    from hmt_kernels.recall_operator import recall_triton

    return recall_triton(query_BD, memories_BND, counts_B, scales_BN)


def strongest(weights_BN: Tensor, counts_B: Tensor, top: int, *, backend: Backend = "auto") -> tuple[Tensor, Tensor]:
    """The `top` largest weights of each memory's valid rows, largest first, and their rows; of equals the earlier row.

    Weights are not negative. Returns `weights_BK` and `rows_BK` (int64); where fewer rows are valid, 0 and -1. There is
    no gradient.
    """
    if weights_BN.ndim != 2 or counts_B.shape != weights_BN.shape[:1] or top < 1:
        shapes = f"{tuple(weights_BN.shape)}, {tuple(counts_B.shape)} and {top}"
        raise ValueError(f"The strongest are of weights (B, N), counts (B,) and a number from 1; got {shapes}.")
    obstacle = "" if weights_BN.dtype == torch.float32 else f"its kernel does not read {weights_BN.dtype} weights"
    if top > MOST_STRONGEST:
        obstacle = f"its kernel finds up to {MOST_STRONGEST} rows"
    with torch.no_grad():
        if not takes_triton(backend, weights_BN.device, obstacle):
            return strongest_torch(weights_BN, counts_B, top)
        from hmt_kernels.strongest_triton import strongest_triton

        return cast("tuple[Tensor, Tensor]", strongest_triton(weights_BN, counts_B, top))


def remember(
    ring_BMND: Tensor, counts_B: Tensor, memory_BMD: Tensor, active_B: Tensor, *, backend: Backend = "auto"
) -> None:
    """Write one more segment's memories into each document's ring, in place: segment n at slot n mod N.

    `counts_B` (int64: segments remembered so far, however many the ring holds) grow by one. Documents outside
    `active_B` (bool) keep both. There is no gradient.
    """
    batch, memories, _, hidden = ring_BMND.shape if ring_BMND.ndim == 4 else (-1, -1, -1, -1)
    if memory_BMD.shape != (batch, memories, hidden) or not counts_B.shape == active_B.shape == (batch,):
        raise ValueError(
            "Remembering needs a ring (B, M, N, D), counts (B,), memories (B, M, D) and active (B,); got "
            f"{[tuple(one.shape) for one in (ring_BMND, counts_B, memory_BMD, active_B)]}."
        )
    if counts_B.dtype != torch.int64 or active_B.dtype != torch.bool:
        raise ValueError(f"Counts are int64 and active is bool; got {counts_B.dtype} and {active_B.dtype}.")
    dense = ring_BMND.stride(3) == 1 and counts_B.is_contiguous()
    if not takes_triton(backend, ring_BMND.device, "" if dense else "its kernel writes rows that are dense"):
        remember_torch(ring_BMND, counts_B, memory_BMD, active_B)
        return
    from hmt_kernels.remember_triton import remember_triton

    remember_triton(ring_BMND, counts_B, memory_BMD, active_B)


def frame(
    table_VD: Tensor,
    prompt_BMD: Tensor,
    *,
    sensory_BK: Tensor,
    sensory_lengths_B: Tensor,
    ids_BL: Tensor,
    lengths_B: Tensor,
    backend: Backend = "auto",
) -> Tensor:
    """The augmented segment `[P ; E(sensory) ; E(x) ; P]` of each document, (B, M + K + L + M, D), then zeros.

    `table_VD` holds the embeddings; of both kinds of ids, the first of a row are valid, as many as its lengths say.
    Only torch has a gradient.
    """
    tensors = (table_VD, prompt_BMD, sensory_BK, sensory_lengths_B, ids_BL, lengths_B)
    _check_frame(*tensors)
    learning = torch.is_grad_enabled() and (table_VD.requires_grad or prompt_BMD.requires_grad)
    if not takes_triton(backend, table_VD.device, "its kernel has no gradient" if learning else ""):
        return frame_torch(*tensors)
    from hmt_kernels.frame_triton import frame_triton

    frame_BTD: Tensor = frame_triton(*tensors)
    return frame_BTD


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


def _check_frame(table_VD: Tensor, prompt_BMD: Tensor, *rows: Tensor) -> None:
    sensory_BK, sensory_lengths_B, ids_BL, lengths_B = rows
    batch = prompt_BMD.shape[0]
    fits = sensory_lengths_B.shape == lengths_B.shape == (batch,) and len(sensory_BK) == len(ids_BL) == batch
    if not fits or prompt_BMD.ndim != 3 or prompt_BMD.shape[2] != table_VD.shape[1]:
        raise ValueError(
            "Framing needs a table (V, D), prompts (B, M, D), ids (B, K) and (B, L), lengths (B,) of both; got "
            f"{[tuple(one.shape) for one in (table_VD, prompt_BMD, *rows)]}."
        )
    if any(one.is_floating_point() for one in rows):
        raise ValueError(f"Ids and lengths are integers; got {[one.dtype for one in rows]}.")
