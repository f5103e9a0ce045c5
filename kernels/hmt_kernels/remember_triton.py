"""Remembering as one Triton kernel; imported only where Triton is wanted.

Shapes: B documents · M memories a segment · N segments a ring holds · D hidden size.
Tile: PLACES of M · WIDTH covers D.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit  # type: ignore[untyped-decorator]  # triton ships no types
def _remember_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    ring_ptr,
    counts_ptr,
    memory_ptr,
    active_ptr,
    slots,
    document_stride,
    place_stride,
    slot_stride,
    MEMORIES: tl.constexpr,
    HIDDEN: tl.constexpr,
    PLACES: tl.constexpr,
    WIDTH: tl.constexpr,
):
    document = tl.program_id(0).to(tl.int64)
    if tl.load(active_ptr + document) != 0:
        count = tl.load(counts_ptr + document)
        places_P = tl.arange(0, PLACES)
        columns_W = tl.arange(0, WIDTH)
        mask_PW = (places_P < MEMORIES)[:, None] & (columns_W < HIDDEN)[None, :]
        memory_ptr += document * MEMORIES * HIDDEN
        new_PW = tl.load(memory_ptr + places_P[:, None] * HIDDEN + columns_W[None, :], mask=mask_PW)
        ring_ptr += document * document_stride + (count % slots) * slot_stride
        offsets_PW = places_P.to(tl.int64)[:, None] * place_stride + columns_W[None, :]
        tl.store(ring_ptr + offsets_PW, new_PW, mask=mask_PW)


@torch.library.custom_op("hmt::remember", mutates_args=("ring_BMND", "counts_B"))
def remember_triton(ring_BMND: Tensor, counts_B: Tensor, memory_BMD: Tensor, active_B: Tensor) -> None:
    """The kernel's effect for the same arguments as `remember_torch`; rows of the ring, and counts, are dense."""
    batch, memories, slots, hidden = ring_BMND.shape
    if batch == 0:
        return
    with torch.cuda.device_of(ring_BMND):
        _remember_kernel[batch,](
            ring_BMND,
            counts_B,
            memory_BMD.to(ring_BMND.dtype).contiguous(),
            active_B.contiguous().view(torch.uint8),
            slots,
            *ring_BMND.stride()[:3],
            MEMORIES=memories,
            HIDDEN=hidden,
            PLACES=triton.next_power_of_2(memories),
            WIDTH=triton.next_power_of_2(hidden),
            enable_fp_fusion=True,
        )
        counts_B.add_(active_B)  # not in the kernel, whose threads would have to have read it first


@remember_triton.register_fake
def _(ring_BMND: Tensor, counts_B: Tensor, memory_BMD: Tensor, active_B: Tensor) -> None:
    pass
