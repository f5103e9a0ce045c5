"""What recall means, on the torch definition.

Shapes: B memories · N rows, padded · D hidden size.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_kernels.fp8 import to_fp8
from hmt_kernels.recall import recall_torch

NAN = float("nan")
TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}


def memory(rows: int, hidden: int, *, seed: int = 0, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    query_BD = torch.randn(batch, hidden, generator=generator, dtype=torch.float64)
    return query_BD, torch.randn(batch, rows, hidden, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("hidden", [8, 64, 512, 520])
@pytest.mark.parametrize("rows", [1, 2, 17, 63, 64, 65, 300, 1000])
def test_it_is_softmax_over_the_valid_rows_then_their_mix(rows: int, hidden: int, dtype: torch.dtype) -> None:
    query_BD, memories_BND = (tensor.to(dtype) for tensor in memory(rows, hidden, seed=rows))
    query_BD = query_BD / hidden**0.5
    prompt_BD, weights_BN = recall_torch(query_BD, memories_BND, torch.tensor([rows]))

    exact_ND = memories_BND[0].double()
    expected_N = torch.exp(exact_ND @ query_BD[0].double())
    expected_N /= expected_N.sum()
    tolerance = TOLERANCES[dtype]
    assert prompt_BD.dtype == dtype
    assert weights_BN.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(weights_BN[0].double(), expected_N, atol=min(tolerance, 2e-6), rtol=1e-4)
    torch.testing.assert_close(prompt_BD[0].double(), expected_N @ exact_ND, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("counts", [[9, 4, 0], [5, 4, 0], [4, 4, 4], [0, 0, 0]], ids=str)
def test_garbage_past_the_count_influences_neither_result_nor_gradient(counts: list[int]) -> None:
    query_BD, memories_BND = memory(9, 8, batch=3)
    padding_BN = torch.arange(9)[None, :] >= torch.tensor(counts)[:, None]
    results = []
    for garbage in (NAN, torch.inf, 0.0):
        query_leaf = query_BD.clone().requires_grad_()
        values_leaf = memories_BND.masked_fill(padding_BN[..., None], garbage).requires_grad_()
        prompt_BD, weights_BN = recall_torch(query_leaf, values_leaf, torch.tensor(counts))
        (prompt_BD.square().sum() + weights_BN.square().sum()).backward()
        results.append((prompt_BD, weights_BN, query_leaf.grad, values_leaf.grad))
    for nan, infinite, zero in zip(*results, strict=True):
        assert torch.equal(nan, zero)
        assert torch.equal(infinite, zero)


@pytest.mark.parametrize("rows", [0, 5])
def test_no_valid_row_gives_zeros(rows: int) -> None:
    query_BD, memories_BND = memory(rows, 8)
    prompt_BD, weights_BN = recall_torch(query_BD, memories_BND * NAN, torch.tensor([0]))
    assert torch.equal(prompt_BD, torch.zeros(1, 8, dtype=torch.float64))
    assert torch.equal(weights_BN, torch.zeros(1, rows, dtype=torch.float64))


def test_the_gradient_is_the_derivative() -> None:
    query_BD, memories_BND = memory(5, 4, batch=3)
    counts_B = torch.tensor([5, 2, 0])
    assert torch.autograd.gradcheck(
        lambda query, memories: recall_torch(query, memories, counts_B),
        (query_BD.requires_grad_(), memories_BND.requires_grad_()),
    )


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 70), padding=st.integers(0, 70), beside=st.integers(0, 3), seed=st.integers(0, 2**16))
def test_recall_does_not_depend_on_padding_nor_on_what_else_is_in_the_batch(
    rows: int, padding: int, beside: int, seed: int
) -> None:
    query_BD, memories_BND = memory(rows, 8, seed=seed)
    alone_D, alone_N = (result[0] for result in recall_torch(query_BD, memories_BND, torch.tensor([rows])))

    other_BD, other_BND = memory(rows + padding, 8, seed=seed + 1, batch=beside)
    padded_BND = torch.nn.functional.pad(memories_BND, (0, 0, 0, padding), value=NAN)
    counts_B = torch.tensor([rows, *[rows + padding] * beside])
    together_BD, together_BN = recall_torch(
        torch.cat([query_BD, other_BD]), torch.cat([padded_BND, other_BND]), counts_B
    )
    torch.testing.assert_close(together_BD[0], alone_D, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(together_BN[0, :rows], alone_N, atol=1e-12, rtol=1e-12)
    assert not together_BN[0, rows:].any()


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 200), scale=st.floats(0.01, 100.0), seed=st.integers(0, 2**16))
def test_the_prompt_is_a_convex_mix_of_memories(rows: int, scale: float, seed: int) -> None:
    query_BD, memories_BND = (tensor.float() for tensor in memory(rows, 8, seed=seed))
    prompt_BD, weights_BN = recall_torch(query_BD * scale, memories_BND, torch.tensor([rows]))
    assert (weights_BN >= 0).all()
    torch.testing.assert_close(weights_BN.sum(dim=1), torch.ones(1))
    assert (prompt_BD <= memories_BND.amax(dim=1) + 1e-5).all()
    assert (prompt_BD >= memories_BND.amin(dim=1) - 1e-5).all()


def test_a_query_far_along_one_memory_recalls_that_memory() -> None:
    memories_BND = torch.eye(6, 8)[None] * 3
    prompt_BD, weights_BN = recall_torch(memories_BND[:, 4] * 100, memories_BND, torch.tensor([6]))
    torch.testing.assert_close(prompt_BD, memories_BND[:, 4])
    assert weights_BN.argmax(dim=1).tolist() == [4]


def test_memories_in_8_bits_are_their_rows_times_their_scales() -> None:
    query_BD, exact_BND = (tensor.float() for tensor in memory(50, 16, batch=2))
    memories_BND, scales_BN = to_fp8(exact_BND)
    counts_B = torch.tensor([50, 20])
    prompt_BD, weights_BN = recall_torch(query_BD, memories_BND, counts_B, scales_BN)
    expected = recall_torch(query_BD, memories_BND.float() * scales_BN[..., None], counts_B)
    torch.testing.assert_close((prompt_BD, weights_BN), expected)
    assert prompt_BD.dtype == torch.float32
