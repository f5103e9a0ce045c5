"""Memories in 8 bits keep what three bits of mantissa can."""

from __future__ import annotations

import torch

from hmt_kernels.fp8 import FP8, to_fp8


def test_every_number_comes_back_within_a_sixteenth_of_itself_or_a_thousandth_of_its_rows_scale() -> None:
    memories_BND = (
        torch.randn(3, 40, 64, generator=torch.Generator().manual_seed(1)) * torch.logspace(-6, 6, 40)[:, None]
    )
    rows_BND, scales_BN = to_fp8(memories_BND)
    assert rows_BND.dtype == FP8
    error_BND = (rows_BND.float() * scales_BN[..., None] - memories_BND).abs()
    assert (error_BND <= torch.maximum(memories_BND.abs() / 16, scales_BN[..., None] / 2**10)).all()


def test_the_largest_number_of_a_row_is_kept_and_a_row_of_zeros_stays_zeros() -> None:
    rows_BND, scales_BN = to_fp8(torch.tensor([[[3.0, -12.0], [0.0, 0.0]]]))
    torch.testing.assert_close(rows_BND.float() * scales_BN[..., None], torch.tensor([[[3.0, -12.0], [0.0, 0.0]]]))
    assert scales_BN[0, 1] == 1.0
