"""How memories are cut into programs and tiles; imported only where Triton is wanted, knows no kernel.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

TILE_ELEMENTS, STAGES, WARPS, PROGRAMS_A_PROCESSOR = 4096, 4, 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How the first kernel is cut: rows of a tile, tiles in flight, warps of a program, splits of a memory."""

    rows: int
    stages: int
    warps: int
    splits: int


def tiling(memories_BND: Tensor) -> Tiling:
    """The tiling of memories of this shape, dtype and device; never of what they hold, nor of measured times.

    The order of sums, and so the last bits of a result, are those of the tiling.
    """
    batch, padded_rows, hidden = memories_BND.shape
    rows = max(1, min(64, TILE_ELEMENTS // triton.next_power_of_2(hidden)))
    wanted = triton.cdiv(PROGRAMS_A_PROCESSOR * _processors(memories_BND.device), max(batch, 1))
    worthwhile = triton.cdiv(padded_rows, STAGES * rows)  # fewer tiles would not fill the pipeline
    return Tiling(rows=rows, stages=STAGES, warps=WARPS, splits=max(1, min(wanted, worthwhile)))


def launching(memories_BND: Tensor, scales_BN: Tensor | None, cut: Tiling) -> dict[str, int]:
    """What every kernel that goes through memories is told of how they lie and how they are cut."""
    hidden = memories_BND.shape[2]
    scales_stride, scale_stride = (0, 0) if scales_BN is None else scales_BN.stride()
    return {
        "memory_stride": memories_BND.stride(0),
        "row_stride": memories_BND.stride(1),
        "scales_stride": scales_stride,
        "scale_stride": scale_stride,
        "HIDDEN": hidden,
        "WIDTH": triton.next_power_of_2(hidden),
        "ROWS": cut.rows,
        "STAGES": cut.stages,
        "SCALED": scales_BN is not None,
        "num_warps": cut.warps,
        "enable_fp_fusion": True,  # said, not left to the default, which changes between triton releases
    }


def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
