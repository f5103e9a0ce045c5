"""The strongest rows by rounds of one Triton kernel; imported only where Triton is wanted.

Shapes: B questions (or documents) · N memory rows, padded · K rows wanted. Tiles: CHUNK of N · KEPT covers K.

A round keeps the best KEPT of every CHUNK, until one chunk is left. Weights and rows travel as one 64-bit key: a weight
is not negative, so its bits are in its order, and the row below them, turned round, puts the earlier of equals first.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

CHUNK_SIZE, WARPS = 2048, 8


@triton.jit(do_not_specialize=["size"])  # type: ignore[untyped-decorator]  # triton ships no types
def _strongest_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    given_ptr,
    counts_ptr,
    kept_ptr,
    rows_ptr,
    size,
    TOP: tl.constexpr,
    KEPT: tl.constexpr,
    CHUNK: tl.constexpr,
    FIRST: tl.constexpr,
    LAST: tl.constexpr,
):
    memory, chunk, chunks = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    places_C = chunk * CHUNK + tl.arange(0, CHUNK)
    if FIRST:
        valid_C = places_C < tl.minimum(tl.load(counts_ptr + memory), size)
        weights_C = tl.load(given_ptr + memory * size + places_C, mask=valid_C, other=0.0)
        bits_C = weights_C.to(tl.int32, bitcast=True).to(tl.int64)
        keys_C = tl.where(valid_C, (bits_C << 32) | (0x7FFFFFFF - places_C).to(tl.int64), -1)
    else:
        keys_C = tl.load(given_ptr + memory * size + places_C, mask=places_C < size, other=-1)
    keys_K = tl.topk(keys_C, KEPT)
    slots_K = tl.arange(0, KEPT)
    if LAST:
        place_K = memory * TOP + slots_K
        weights_K = tl.where(keys_K < 0, 0, keys_K >> 32).to(tl.int32).to(tl.float32, bitcast=True)
        rows_K = tl.where(keys_K < 0, -1, 0x7FFFFFFF - (keys_K & 0x7FFFFFFF))
        tl.store(kept_ptr + place_K, weights_K, mask=slots_K < TOP)
        tl.store(rows_ptr + place_K, rows_K, mask=slots_K < TOP)
    else:
        tl.store(kept_ptr + (memory * chunks + chunk) * KEPT + slots_K, keys_K)


@torch.library.custom_op("hmt::strongest", mutates_args=())
def strongest_triton(weights_BN: Tensor, counts_B: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The kernel's results for the same arguments as `strongest_torch`; weights are fp32, K is at most 256."""
    weights_BK, rows_BK = _shaped(weights_BN, counts_B, top)
    batch, size = weights_BN.shape
    counts_B, given = counts_B.to(weights_BN.device), weights_BN.contiguous()
    kept = max(2, triton.next_power_of_2(top))  # triton 3.6 cannot find a single one
    if batch == 0:
        return weights_BK, rows_BK
    with torch.cuda.device_of(weights_BN):
        while given is not weights_BK:
            chunks = max(triton.cdiv(size, CHUNK_SIZE), 1)
            last = chunks == 1
            keys = weights_BK if last else torch.empty(batch, chunks * kept, dtype=torch.int64, device=given.device)
            _strongest_kernel[batch, chunks](
                given,
                counts_B,
                keys,
                rows_BK,
                size,
                TOP=top,
                KEPT=kept,
                CHUNK=CHUNK_SIZE,
                FIRST=given.dtype == torch.float32,
                LAST=last,
                num_warps=WARPS,
                enable_fp_fusion=True,
            )
            given, size = keys, chunks * kept
    return weights_BK, rows_BK


@strongest_triton.register_fake
def _shaped(weights_BN: Tensor, counts_B: Tensor, top: int) -> tuple[Tensor, Tensor]:
    weights_BK = weights_BN.new_empty(weights_BN.shape[0], top)
    return weights_BK, weights_BK.new_empty(weights_BK.shape, dtype=torch.int64)
