"""The Triton kernel against the torch definition.

Shapes: B memories · N rows, padded · D hidden size.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.dispatch import BackendError, recall
from hmt_kernels.recall import recall_torch

pytest.importorskip("triton", reason="triton has no wheel for this platform")

# Both sides do fp32 arithmetic on the same rows: only the order of sums and the last rounding of the prompt differ.
TOLERANCES = {torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("hidden", [8, 64, 512, 520])
@pytest.mark.parametrize("rows", [1, 2, 17, 63, 64, 65, 300, 1000])
def test_prompt_and_weights_agree_and_every_output_is_written(
    rows: int, hidden: int, dtype: torch.dtype, triton_device: str
) -> None:
    from hmt_kernels.recall_triton import recall_into

    counts_B = torch.tensor([rows, 0, rows // 2, max(rows - 1, 0)], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, rows, hidden, dtype)
    prompt_BD = torch.full((4, hidden), float("nan"), dtype=dtype, device=triton_device)
    weights_BN = torch.full((4, rows), float("nan"), device=triton_device)

    recall_into(query_BD, memories_BND, counts_B, prompt_BD, weights_BN)

    expected_prompt_BD, expected_weights_BN = recall_torch(query_BD, memories_BND, counts_B)
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(weights_BN, expected_weights_BN, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(prompt_BD, expected_prompt_BD, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("hidden", [1024, 1300, 4096])
def test_wide_memories_take_smaller_tiles(hidden: int, triton_device: str) -> None:
    counts_B = torch.tensor([37], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 40, hidden, torch.float32)
    prompt_BD, weights_BN = recall(query_BD, memories_BND, counts_B, backend="triton")
    expected_prompt_BD, expected_weights_BN = recall_torch(query_BD, memories_BND, counts_B)
    torch.testing.assert_close(weights_BN, expected_weights_BN, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(prompt_BD, expected_prompt_BD, atol=2e-6, rtol=2e-6)


def test_strided_memories_and_a_query_of_another_dtype_are_read_in_place(triton_device: str) -> None:
    counts_B = torch.tensor([33, 5], device=triton_device)
    query_BD, wide_BND = poisoned(counts_B, 40, 64, torch.bfloat16)
    memories_BND = wide_BND[:, ::2, :48]
    counts_B = (counts_B + 1) // 2
    prompt_BD, weights_BN = recall(query_BD[:, :48].float(), memories_BND, counts_B, backend="triton")
    expected_prompt_BD, expected_weights_BN = recall_torch(query_BD[:, :48], memories_BND, counts_B)
    torch.testing.assert_close(weights_BN, expected_weights_BN, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(prompt_BD, expected_prompt_BD, atol=8e-3, rtol=8e-3)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scores_far_from_zero_neither_overflow_nor_vanish(scale: float, triton_device: str) -> None:
    counts_B = torch.tensor([130], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 130, 16, torch.float32)
    _, weights_BN = recall(query_BD * scale, memories_BND, counts_B, backend="triton")
    _, expected_BN = recall_torch(query_BD * scale, memories_BND, counts_B)
    torch.testing.assert_close(weights_BN, expected_BN, atol=2e-6, rtol=1e-2)
    torch.testing.assert_close(weights_BN.sum(dim=1), torch.ones(1, device=triton_device))


def test_forcing_triton_where_a_gradient_is_wanted_says_so_and_auto_goes_to_torch(triton_device: str) -> None:
    query_BD = torch.randn(1, 8, device=triton_device, requires_grad=True)
    memories_BND = torch.randn(1, 3, 8, device=triton_device)
    counts_B = torch.tensor([3], device=triton_device)
    with pytest.raises(BackendError, match="no gradient"):
        recall(query_BD, memories_BND, counts_B, backend="triton")
    prompt_BD, _ = recall(query_BD, memories_BND, counts_B)
    prompt_BD.sum().backward()
    assert query_BD.grad is not None


def test_forcing_triton_on_a_dtype_it_does_not_read_says_so(triton_device: str) -> None:
    query_BD, memories_BND = torch.ones(1, 8, device=triton_device).double(), torch.ones(1, 3, 8, device=triton_device)
    with pytest.raises(BackendError, match="float64"):
        recall(query_BD, memories_BND, torch.tensor([3]), backend="triton")


def poisoned(counts_B: torch.Tensor, rows: int, hidden: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """A query and memories whose padding is NaN; scores are spread enough for the softmax to have a peak."""
    generator = torch.Generator().manual_seed(1000 * rows + hidden)
    query_BD = torch.randn(len(counts_B), hidden, generator=generator) * 2 / hidden**0.5
    memories_BND = torch.randn(len(counts_B), rows, hidden, generator=generator)
    memories_BND[torch.arange(rows)[None, :] >= counts_B.cpu()[:, None]] = float("nan")
    return query_BD.to(counts_B.device, dtype), memories_BND.to(counts_B.device, dtype)
