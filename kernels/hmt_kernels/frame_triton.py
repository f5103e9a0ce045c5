"""The augmented segment gathered by one Triton kernel, forward only; imported only where Triton is wanted.

Shapes: B documents · K sensory tokens · L tokens · M prompts · T = M + K + L + M places · V vocabulary · D hidden size.
Tile: PLACES of T · WIDTH covers D.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_TILE_ELEMENTS = 4096


@triton.jit  # type: ignore[untyped-decorator]  # triton ships no types
def _frame_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    table_ptr,
    prompt_ptr,
    sensory_ptr,
    sensory_lengths_ptr,
    ids_ptr,
    lengths_ptr,
    frame_ptr,
    vocabulary,
    prompt_stride,
    MEMORIES: tl.constexpr,
    SENSORY: tl.constexpr,
    LENGTH: tl.constexpr,
    HIDDEN: tl.constexpr,
    PLACES: tl.constexpr,
    WIDTH: tl.constexpr,
):
    document = tl.program_id(0).to(tl.int64)
    places_P = tl.program_id(1) * PLACES + tl.arange(0, PLACES)
    columns_W = tl.arange(0, WIDTH)
    inside_W = columns_W < HIDDEN
    sensory_length = tl.load(sensory_lengths_ptr + document).to(tl.int32)
    length = tl.load(lengths_ptr + document).to(tl.int32)

    tokens_P = places_P - MEMORIES
    own_P = tokens_P - sensory_length
    closing_P = own_P - length
    remembered_P = (tokens_P >= 0) & (own_P < 0)
    read_P = (own_P >= 0) & (closing_P < 0)
    framing_P = (tokens_P < 0) | ((closing_P >= 0) & (closing_P < MEMORIES))

    sensory_ids_P = tl.load(sensory_ptr + document * SENSORY + tokens_P, mask=remembered_P, other=0)
    ids_P = tl.load(ids_ptr + document * LENGTH + own_P, mask=read_P, other=0)
    ids_P = tl.where(read_P, ids_P, sensory_ids_P).to(tl.int64)
    # An id outside the table cannot be reported without waiting for the device; it reads nothing.
    known_P = (remembered_P | read_P) & (ids_P >= 0) & (ids_P < vocabulary)
    from_table_PW = known_P[:, None] & inside_W[None, :]
    embeds_PW = tl.load(table_ptr + ids_P[:, None] * HIDDEN + columns_W[None, :], mask=from_table_PW, other=0.0)

    prompts_P = tl.where(tokens_P < 0, places_P, closing_P)
    from_prompt_PW = framing_P[:, None] & inside_W[None, :]
    prompt_ptr += document * prompt_stride
    prompts_PW = tl.load(prompt_ptr + prompts_P[:, None] * HIDDEN + columns_W[None, :], mask=from_prompt_PW, other=0.0)

    total = 2 * MEMORIES + SENSORY + LENGTH
    frame_PW = tl.where(framing_P[:, None], prompts_PW, embeds_PW)
    offsets_PW = (document * total + places_P)[:, None] * HIDDEN + columns_W[None, :]
    tl.store(frame_ptr + offsets_PW, frame_PW, mask=(places_P < total)[:, None] & inside_W[None, :])


@torch.library.custom_op("hmt::frame", mutates_args=())
def frame_triton(  # noqa: PLR0917  # an operator's tensors are positional
    table_VD: Tensor,
    prompt_BMD: Tensor,
    sensory_BK: Tensor,
    sensory_lengths_B: Tensor,
    ids_BL: Tensor,
    lengths_B: Tensor,
) -> Tensor:
    """The kernel's result for the same arguments as `frame_torch`; no gradient. Prompts may be the same for all B."""
    frame_BTD: Tensor = _shaped(table_VD, prompt_BMD, sensory_BK, sensory_lengths_B, ids_BL, lengths_B)
    batch, places, hidden = frame_BTD.shape
    if batch == 0:
        return frame_BTD
    prompt_BMD = prompt_BMD.to(table_VD.dtype)
    if prompt_BMD.stride()[1:] != (hidden, 1):
        prompt_BMD = prompt_BMD.contiguous()
    width = triton.next_power_of_2(hidden)
    at_once = max(1, _TILE_ELEMENTS // width)
    with torch.cuda.device_of(table_VD):
        _frame_kernel[batch, triton.cdiv(places, at_once)](
            table_VD.contiguous(),
            prompt_BMD,
            sensory_BK.contiguous(),
            sensory_lengths_B.contiguous(),
            ids_BL.contiguous(),
            lengths_B.contiguous(),
            frame_BTD,
            table_VD.shape[0],
            prompt_BMD.stride(0),
            MEMORIES=prompt_BMD.shape[1],
            SENSORY=sensory_BK.shape[1],
            LENGTH=ids_BL.shape[1],
            HIDDEN=hidden,
            PLACES=at_once,
            WIDTH=width,
            enable_fp_fusion=True,
        )
    return frame_BTD


@frame_triton.register_fake
def _shaped(table_VD: Tensor, prompt_BMD: Tensor, sensory_BK: Tensor, *rest: Tensor) -> Tensor:
    ids_BL = rest[1]
    batch, memories, hidden = prompt_BMD.shape
    return table_VD.new_empty(batch, 2 * memories + sensory_BK.shape[1] + ids_BL.shape[1], hidden)
