"""Memories in 8 bits: e4m3 numbers with one scale a row.

Shapes: B documents · N memory rows · D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

FP8 = torch.float8_e4m3fn
"""What memories are stored in: four bits of exponent, three of mantissa, 448 at most."""


def to_fp8(memories_BND: Tensor) -> tuple[Tensor, Tensor]:
    """Each row divided by its scale and rounded to e4m3; the scale brings its largest number to 448.

    Returns rows_BND (float8_e4m3fn) and scales_BN (float32): a row is `rows * scale`, each number within 1/16 of itself
    or, where that is more, within 2^-10 of a scale. A row of zeros has the scale 1.
    """
    exact_BND = memories_BND.float()
    largest_BN = exact_BND.abs().amax(dim=-1)
    scales_BN = torch.where(largest_BN > 0, largest_BN / torch.finfo(FP8).max, 1.0)
    return (exact_BND / scales_BN[..., None]).to(FP8), scales_BN
