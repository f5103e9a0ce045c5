"""Memory recall in two Triton kernels that read the memories once; imported only where Triton is wanted.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size · S splits.
Tiles: ROWS of N · WIDTH covers D.

A memory is split over S programs, so that one long memory keeps the whole device busy. Each leaves the maximum, the sum
and the mix of an online softmax over its rows, and the raw scores. A second, small kernel joins the splits and makes
weights of the scores: N numbers, little beside the N x D of the memories.

Each row of a tile keeps a softmax of its own, joined once at the end: one softmax a tile would make all warps of a
program wait for its maximum in every tile.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from hmt_kernels.tiling import Tiling, launching, tiling

LOWEST = tl.constexpr(torch.finfo(torch.float32).min)
FINISHED_ROWS, FINISHED_COLUMNS = 2048, 16  # what one program of the second kernel finishes


@triton.jit(do_not_specialize=["padded_rows"])  # type: ignore[untyped-decorator]  # triton ships no types
def _split_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917  # a launch passes arguments by position
    query_ptr,
    memories_ptr,
    scales_ptr,
    counts_ptr,
    scores_ptr,
    tops_ptr,
    totals_ptr,
    mixes_ptr,
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
):
    memory = tl.program_id(0).to(tl.int64)  # 64 bits: B * N * D passes 2**31 on a long document
    split, splits = tl.program_id(1), tl.num_programs(1)
    count = tl.minimum(tl.load(counts_ptr + memory), padded_rows).to(tl.int32)
    # Shares of the rows that count, not of the padding: ragged memories keep all their programs busy.
    share = tl.cdiv(tl.cdiv(count, splits), ROWS) * ROWS
    first = split * share
    last = tl.minimum(first + share, count)

    columns_W = tl.arange(0, WIDTH)
    slots_R = tl.arange(0, ROWS)
    query_W = tl.load(query_ptr + memory * HIDDEN + columns_W, mask=columns_W < HIDDEN, other=0.0).to(tl.float32)
    tile_RW = slots_R.to(tl.int64)[:, None] * row_stride + columns_W[None, :]
    memories_ptr += memory * memory_stride + first.to(tl.int64) * row_stride
    scales_ptr += memory * scales_stride
    scores_ptr += memory * padded_rows

    # Finite, so that a row slot or a split without rows makes no NaN.
    top_R = tl.full([ROWS], LOWEST, tl.float32)
    total_R = tl.zeros([ROWS], tl.float32)
    mix_RW = tl.zeros([ROWS, WIDTH], tl.float32)
    for start in tl.range(first, last, ROWS, num_stages=STAGES):
        rows_R = start + slots_R
        valid_R = rows_R < last
        # Masked lanes are never read, so NaN in padding cannot enter.
        mask_RW = valid_R[:, None]
        if HIDDEN != WIDTH:
            mask_RW = mask_RW & (columns_W < HIDDEN)[None, :]
        values_RW = tl.load(memories_ptr + tile_RW, mask=mask_RW, other=0.0).to(tl.float32)
        scores_R = tl.sum(values_RW * query_W[None, :], axis=1)
        if SCALED:
            scales_R = tl.load(scales_ptr + rows_R.to(tl.int64) * scale_stride, mask=valid_R, other=0.0)
            scores_R *= scales_R
        tl.store(scores_ptr + rows_R, scores_R, mask=valid_R)

        scores_R = tl.where(valid_R, scores_R, LOWEST)
        new_top_R = tl.maximum(top_R, scores_R)
        shrink_R = tl.exp(top_R - new_top_R)
        shares_R = tl.where(valid_R, tl.exp(scores_R - new_top_R), 0.0)
        total_R = total_R * shrink_R + shares_R
        if SCALED:
            shares_R *= scales_R
        mix_RW = mix_RW * shrink_R[:, None] + shares_R[:, None] * values_RW
        top_R = new_top_R
        memories_ptr += ROWS * row_stride

    top = tl.max(top_R, axis=0)
    factors_R = tl.exp(top_R - top)
    place = memory * splits + split
    tl.store(tops_ptr + place, top)
    tl.store(totals_ptr + place, tl.sum(total_R * factors_R, axis=0))
    mix_W = tl.sum(mix_RW * factors_R[:, None], axis=0)
    tl.store(mixes_ptr + place * HIDDEN + columns_W, mix_W, mask=columns_W < HIDDEN)


@triton.jit(do_not_specialize=["padded_rows", "splits"])  # type: ignore[untyped-decorator]
def _finish_kernel(  # type: ignore[no-untyped-def]  # noqa: PLR0917
    counts_ptr,
    tops_ptr,
    totals_ptr,
    mixes_ptr,
    prompt_ptr,
    weights_ptr,
    padded_rows,
    splits,
    HIDDEN: tl.constexpr,
    SPLITS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    memory, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    splits_S = tl.arange(0, SPLITS)
    inside_S = splits_S < splits
    places_S = memory * splits + splits_S
    tops_S = tl.load(tops_ptr + places_S, mask=inside_S, other=LOWEST)
    top = tl.max(tops_S, axis=0)
    factors_S = tl.exp(tops_S - top)
    total = tl.sum(tl.load(totals_ptr + places_S, mask=inside_S, other=0.0) * factors_S, axis=0)
    divisor = tl.where(total > 0, total, 1.0)

    if part * COLUMNS < HIDDEN:
        columns_C = part * COLUMNS + tl.arange(0, COLUMNS)
        offsets_SC = places_S[:, None] * HIDDEN + columns_C[None, :]
        mask_SC = inside_S[:, None] & (columns_C < HIDDEN)[None, :]
        mixes_SC = tl.load(mixes_ptr + offsets_SC, mask=mask_SC, other=0.0)
        prompt_C = tl.sum(mixes_SC * factors_S[:, None], axis=0) / divisor
        tl.store(
            prompt_ptr + memory * HIDDEN + columns_C,
            prompt_C.to(prompt_ptr.dtype.element_ty),
            mask=columns_C < HIDDEN,
        )

    count = tl.load(counts_ptr + memory)
    rows_R = part * ROWS + tl.arange(0, ROWS)
    weights_ptr += memory * padded_rows
    scores_R = tl.load(weights_ptr + rows_R, mask=rows_R < tl.minimum(count, padded_rows), other=LOWEST)
    weights_R = tl.where(rows_R < count, tl.exp(scores_R - top) / divisor, 0.0)
    tl.store(weights_ptr + rows_R, weights_R, mask=rows_R < padded_rows)


def recall_into(
    query_BD: Tensor,
    memories_BND: Tensor,
    counts_B: Tensor,
    prompt_BD: Tensor,
    weights_BN: Tensor,
    *,
    scales_BN: Tensor | None = None,
    cut: Tiling | None = None,
) -> None:
    """Launch the kernels into given, contiguous outputs; every element of both is written, whatever they held.

    Memories may be strided in B and N. `cut` is for measurements, `tiling` the default.
    """
    batch, padded_rows, hidden = memories_BND.shape
    if batch == 0:
        return
    cut = cut or tiling(memories_BND)
    counts_B = counts_B.contiguous()
    tops_BS, totals_BS = weights_BN.new_empty(2, batch, cut.splits)
    mixes_BSD = weights_BN.new_empty(batch, cut.splits, hidden)
    with torch.cuda.device_of(memories_BND):
        _split_kernel[batch, cut.splits](
            query_BD.contiguous(),
            memories_BND,
            memories_BND if scales_BN is None else scales_BN,
            counts_B,
            weights_BN,
            tops_BS,
            totals_BS,
            mixes_BSD,
            padded_rows,
            **launching(memories_BND, scales_BN, cut),
        )
        parts = max(triton.cdiv(padded_rows, FINISHED_ROWS), triton.cdiv(hidden, FINISHED_COLUMNS))
        _finish_kernel[batch, parts](
            counts_B,
            tops_BS,
            totals_BS,
            mixes_BSD,
            prompt_BD,
            weights_BN,
            padded_rows,
            cut.splits,
            HIDDEN=hidden,
            SPLITS=max(64, triton.next_power_of_2(cut.splits)),  # one kernel for all short memories
            ROWS=FINISHED_ROWS,
            COLUMNS=FINISHED_COLUMNS,
            num_warps=8,
            enable_fp_fusion=True,
        )
