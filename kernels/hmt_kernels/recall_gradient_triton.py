"""The gradient of a recall as one Triton kernel that reads the memories once; imported only where Triton is wanted.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size · S splits.
Tiles: ROWS of N · WIDTH covers D.

With weights w, prompt p = Σ w v and gradients dp, dw of the results: a row's score has the gradient
`w (dp · v + dw - δ)`, where δ = dp · p + Σ w dw is one number a memory. So nothing waits for a sum over all rows.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from hmt_kernels.tiling import launching, tiling


@triton.jit(do_not_specialize=["padded_rows"])  # type: ignore[untyped-decorator]  # triton ships no types
def _gradient_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    query_ptr,
    memories_ptr,
    scales_ptr,
    counts_ptr,
    weights_ptr,
    deltas_ptr,
    prompt_gradient_ptr,
    weights_gradient_ptr,
    queries_gradient_ptr,
    memories_gradient_ptr,
    padded_rows,
    memory_stride,
    row_stride,
    scales_stride,
    scale_stride,
    HIDDEN: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    STAGES: tl.constexpr,
    SCALED: tl.constexpr,
    OF_WEIGHTS: tl.constexpr,
    TO_MEMORIES: tl.constexpr,
):
    memory = tl.program_id(0).to(tl.int64)
    split, splits = tl.program_id(1), tl.num_programs(1)
    count = tl.minimum(tl.load(counts_ptr + memory), padded_rows).to(tl.int32)
    rows = padded_rows if TO_MEMORIES else count  # a gradient of zero has to be written, too
    share = tl.cdiv(tl.cdiv(rows, splits), ROWS) * ROWS
    first = split * share
    last = tl.minimum(first + share, rows)

    columns_W = tl.arange(0, WIDTH)
    inside_W = columns_W < HIDDEN
    slots_R = tl.arange(0, ROWS)
    offsets_W = memory * HIDDEN + columns_W
    query_W = tl.load(query_ptr + offsets_W, mask=inside_W, other=0.0).to(tl.float32)
    prompt_gradient_W = tl.load(prompt_gradient_ptr + offsets_W, mask=inside_W, other=0.0).to(tl.float32)
    delta = tl.load(deltas_ptr + memory)
    tile_RW = slots_R.to(tl.int64)[:, None] * row_stride + columns_W[None, :]
    gradients_RW = slots_R[:, None] * HIDDEN + columns_W[None, :]
    memories_ptr += memory * memory_stride + first.to(tl.int64) * row_stride
    memories_gradient_ptr += (memory * padded_rows + first) * HIDDEN
    scales_ptr += memory * scales_stride
    weights_ptr += memory * padded_rows
    weights_gradient_ptr += memory * padded_rows

    query_gradient_RW = tl.zeros([ROWS, WIDTH], tl.float32)
    for start in tl.range(first, last, ROWS, num_stages=STAGES):
        rows_R = start + slots_R
        inside_R = rows_R < last
        valid_R = inside_R & (rows_R < count)
        values_RW = tl.load(memories_ptr + tile_RW, mask=valid_R[:, None] & inside_W[None, :], other=0.0)
        values_RW = values_RW.to(tl.float32)
        weights_R = tl.load(weights_ptr + rows_R, mask=valid_R, other=0.0)
        gained_R = tl.sum(values_RW * prompt_gradient_W[None, :], axis=1)
        if SCALED:
            scales_R = tl.load(scales_ptr + rows_R.to(tl.int64) * scale_stride, mask=valid_R, other=0.0)
            gained_R *= scales_R
        if OF_WEIGHTS:
            gained_R += tl.load(weights_gradient_ptr + rows_R, mask=valid_R, other=0.0)
        scores_gradient_R = weights_R * (gained_R - delta)
        if TO_MEMORIES:
            towards_RW = weights_R[:, None] * prompt_gradient_W[None, :] + scores_gradient_R[:, None] * query_W[None, :]
            towards_RW = towards_RW.to(memories_gradient_ptr.dtype.element_ty)
            mask_RW = inside_R[:, None] & inside_W[None, :]
            tl.store(memories_gradient_ptr + gradients_RW, towards_RW, mask=mask_RW)
        if SCALED:
            scores_gradient_R *= scales_R
        query_gradient_RW += scores_gradient_R[:, None] * values_RW
        memories_ptr += ROWS * row_stride
        memories_gradient_ptr += ROWS * HIDDEN

    place = memory * splits + split
    query_gradient_W = tl.sum(query_gradient_RW, axis=0)
    tl.store(queries_gradient_ptr + place * HIDDEN + columns_W, query_gradient_W, mask=inside_W)


@torch.library.custom_op("hmt::recall_gradient", mutates_args=())
def recall_gradient(  # noqa: PLR0917  # an operator's tensors are positional
    query_BD: Tensor,
    memories_BND: Tensor,
    counts_B: Tensor,
    scales_BN: Tensor | None,
    prompt_BD: Tensor,
    weights_BN: Tensor,
    prompt_gradient_BD: Tensor,
    weights_gradient_BN: Tensor | None,
    to_memories: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of the query and, `to_memories`, of the memories (else an empty tensor), in their dtypes.

    `prompt_BD` is the recalled prompt in fp32, as it was before any rounding. Memories in 8 bits take no gradient.
    """
    batch, padded_rows, hidden = memories_BND.shape
    query_gradient_BD, memories_gradient_BND = _empty(query_BD, memories_BND, to_memories)
    if batch == 0:
        return query_gradient_BD, memories_gradient_BND
    cut = tiling(memories_BND)
    deltas_B = (prompt_gradient_BD.float() * prompt_BD).sum(dim=1)
    if weights_gradient_BN is not None:
        weights_gradient_BN = weights_gradient_BN.float().contiguous()
        # Whatever stands in the gradient of padding: a product with 0 alone would not keep NaN out.
        deltas_B += torch.where(weights_BN > 0, weights_BN * weights_gradient_BN, 0.0).sum(dim=1)
    queries_gradient_BSD = weights_BN.new_empty(batch, cut.splits, hidden)
    with torch.cuda.device_of(memories_BND):
        _gradient_kernel[batch, cut.splits](
            query_BD.contiguous(),
            memories_BND,
            weights_BN if scales_BN is None else scales_BN,
            counts_B.contiguous(),
            weights_BN,
            deltas_B,
            prompt_gradient_BD.contiguous(),
            weights_BN if weights_gradient_BN is None else weights_gradient_BN,
            queries_gradient_BSD,
            memories_gradient_BND,
            padded_rows,
            OF_WEIGHTS=weights_gradient_BN is not None,
            TO_MEMORIES=to_memories,
            **launching(memories_BND, scales_BN, cut),
        )
    query_gradient_BD.copy_(queries_gradient_BSD.sum(dim=1))
    return query_gradient_BD, memories_gradient_BND


@recall_gradient.register_fake
def _empty(query_BD: Tensor, memories_BND: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    to_memories = rest[-1]
    rows = memories_BND.shape if to_memories else (0,)
    return torch.empty_like(query_BD, memory_format=torch.contiguous_format), memories_BND.new_empty(rows)
