"""Memory recall as one Triton kernel, forward only; imported only where Triton is wanted.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size. Tiles: ROWS of N · WIDTH covers D.

One program reads one memory once, tile by tile, keeping the running maximum, sum and mix of an online softmax; the
raw scores wait in the weights' own buffer until maximum and sum are known.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

SUPPORTED_DTYPES = frozenset({torch.float32, torch.bfloat16, torch.float16})
"""Dtypes of memories this kernel reads; all arithmetic is fp32."""

INTERPRETED: bool = triton.knobs.runtime.interpret
"""Whether Triton was imported under TRITON_INTERPRET=1, and the kernel runs on the CPU."""

_TILE_ELEMENTS = 8192  # 32 KB of fp32 in registers: eight warps hold it without spilling


@triton.jit  # type: ignore[untyped-decorator]  # triton ships no types
def _recall_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    query_ptr,
    memories_ptr,
    counts_ptr,
    prompt_ptr,
    weights_ptr,
    padded_rows,
    memory_stride,
    row_stride,
    hidden,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    memory = tl.program_id(0).to(tl.int64)  # 64 bits: B * N * D passes 2**31 on a long document
    count = tl.minimum(tl.load(counts_ptr + memory), padded_rows).to(tl.int32)
    columns_W = tl.arange(0, WIDTH)
    inside_W = columns_W < hidden
    query_W = tl.load(query_ptr + memory * hidden + columns_W, mask=inside_W, other=0.0).to(tl.float32)
    weights_ptr += memory * padded_rows

    top = -float("inf")
    total = 0.0
    mix_W = tl.zeros([WIDTH], tl.float32)
    for start in range(0, count, ROWS):
        rows_R = start + tl.arange(0, ROWS)
        valid_R = rows_R < count
        offsets_RW = memory * memory_stride + rows_R.to(tl.int64)[:, None] * row_stride + columns_W[None, :]
        # Masked lanes are never read, so NaN in padding cannot enter.
        mask_RW = valid_R[:, None] & inside_W[None, :]
        values_RW = tl.load(memories_ptr + offsets_RW, mask=mask_RW, other=0.0).to(tl.float32)
        scores_R = tl.where(valid_R, tl.sum(values_RW * query_W[None, :], axis=1), -float("inf"))
        tl.store(weights_ptr + rows_R, scores_R, mask=valid_R)

        new_top = tl.maximum(top, tl.max(scores_R, axis=0))
        shrink = tl.exp(top - new_top)
        shares_R = tl.exp(scores_R - new_top)
        total = total * shrink + tl.sum(shares_R, axis=0)
        mix_W = mix_W * shrink + tl.sum(shares_R[:, None] * values_RW, axis=0)
        top = new_top

    divisor = tl.where(count > 0, total, 1.0)
    prompt_W = (mix_W / divisor).to(prompt_ptr.dtype.element_ty)
    tl.store(prompt_ptr + memory * hidden + columns_W, prompt_W, mask=inside_W)

    tl.debug_barrier()  # the scores read below may have been written by another thread of this program
    for start in range(0, padded_rows, ROWS):
        rows_R = start + tl.arange(0, ROWS)
        valid_R = rows_R < count
        scores_R = tl.load(weights_ptr + rows_R, mask=valid_R, other=0.0)
        weights_R = tl.where(valid_R, tl.exp(scores_R - top) / divisor, 0.0)
        tl.store(weights_ptr + rows_R, weights_R, mask=rows_R < padded_rows)


def recall_triton(query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel's results for the same arguments as `recall_torch`; no gradient.

    Returns `prompt_BD` in the memories' dtype and `weights_BN` in fp32. Memories may be strided in B and N; their
    dtype must be one of `SUPPORTED_DTYPES`, and everything must lie on a CUDA device unless `INTERPRETED`.
    """
    batch, padded_rows, hidden = memories_BND.shape
    if memories_BND.stride(2) != 1:
        memories_BND = memories_BND.contiguous()
    counts_B = counts_B.to(memories_BND.device, torch.int64)
    prompt_BD = memories_BND.new_empty(batch, hidden)
    weights_BN = torch.empty(batch, padded_rows, dtype=torch.float32, device=memories_BND.device)
    recall_into(query_BD.contiguous(), memories_BND, counts_B, prompt_BD, weights_BN)
    return prompt_BD, weights_BN


def recall_into(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, prompt_BD: Tensor, weights_BN: Tensor
) -> None:
    """Launch the kernel into given, contiguous outputs; every element of both is written, whatever they held."""
    batch, padded_rows, hidden = memories_BND.shape
    width = triton.next_power_of_2(hidden)
    rows = max(1, min(64, _TILE_ELEMENTS // width))
    _recall_kernel[(batch,)](
        query_BD,
        memories_BND,
        counts_B.contiguous(),
        prompt_BD,
        weights_BN,
        padded_rows,
        memories_BND.stride(0),
        memories_BND.stride(1),
        hidden,
        ROWS=rows,
        WIDTH=width,
        num_warps=8,
        enable_fp_fusion=True,  # said, not left to the default, which changes between triton releases
    )
