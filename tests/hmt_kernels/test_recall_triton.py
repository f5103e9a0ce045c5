"""The Triton kernel against the torch definition.

Shapes: B memories · N rows, padded · D hidden size.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import recall
from hmt_kernels.fp8 import to_fp8
from hmt_kernels.recall import prompt_dtype, recall_torch

pytest.importorskip("triton", reason="triton has no wheel for this platform")

# Both sides do fp32 arithmetic on the same rows: only the order of sums and the last rounding of the prompt differ.
TOLERANCES = {torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [(rows, torch.float32) for rows in (1, 2, 17, 63, 64, 65, 100)]
    + [(rows, dtype) for rows in (17, 100) for dtype in (torch.float16, torch.bfloat16)],
    ids=str,
)
@pytest.mark.parametrize("hidden", [8, 512, 520])
def test_prompt_and_weights_agree_and_every_output_is_written(
    rows: int, hidden: int, dtype: torch.dtype, triton_device: str
) -> None:
    counts_B = torch.tensor([rows, 0, rows // 2, max(rows - 1, 0)], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, rows, hidden, dtype)
    results = computed(query_BD, memories_BND, counts_B)
    assert_agree(results, recall_torch(query_BD, memories_BND, counts_B))


@pytest.mark.parametrize("splits", [1, 2, 5, 20])
def test_a_memory_may_be_split_over_any_number_of_programs(splits: int, triton_device: str) -> None:
    counts_B = torch.tensor([200, 0, 33, 1], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 200, 64, torch.float32)
    results = computed(query_BD, memories_BND, counts_B, splits=splits)
    assert_agree(results, recall_torch(query_BD, memories_BND, counts_B))


@pytest.mark.parametrize("scaled_by", ["row", "memory"])
def test_memories_in_8_bits_are_read_with_their_scales(scaled_by: str, triton_device: str) -> None:
    counts_B = torch.tensor([70, 0, 33], device=triton_device)
    query_BD, exact_BND = poisoned(counts_B, 70, 48, torch.float32)
    memories_BND, scales_BN = to_fp8(exact_BND)
    if scaled_by == "memory":
        scales_BN = torch.tensor([[0.01], [0.02], [0.03]], device=triton_device).expand(3, 70)
    results = computed(query_BD, memories_BND, counts_B, scales_BN=scales_BN, splits=2)
    assert_agree(results, recall_torch(query_BD, memories_BND, counts_B, scales_BN))


@pytest.mark.parametrize("hidden", [1300, 4096])
def test_wide_memories_take_smaller_tiles(hidden: int, triton_device: str) -> None:
    counts_B = torch.tensor([13], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 15, hidden, torch.float32)
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


@pytest.mark.parametrize(("batch", "rows"), [(0, 5), (2, 0)])
def test_nothing_to_look_into_gives_zeros(batch: int, rows: int, triton_device: str) -> None:
    counts_B = torch.zeros(batch, dtype=torch.long, device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, rows, 16, torch.float32)
    prompt_BD, weights_BN = recall(query_BD, memories_BND, counts_B, backend="triton")
    assert torch.equal(prompt_BD, torch.zeros(batch, 16, device=triton_device))
    assert weights_BN.shape == (batch, rows)


def test_a_memory_has_the_same_bits_whatever_stands_in_the_others(triton_device: str) -> None:
    counts_B = torch.tensor([150, 150], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 150, 64, torch.bfloat16)
    beside = recall(query_BD, memories_BND, counts_B, backend="triton")
    memories_BND[1], counts_B[1] = float("nan"), 0
    for mine, before in zip(recall(query_BD, memories_BND, counts_B, backend="triton"), beside, strict=True):
        assert torch.equal(mine[0], before[0])


def test_the_compiler_takes_it_as_one_operator(triton_device: str) -> None:
    counts_B = torch.tensor([33, 5], device=triton_device)
    query_BD, memories_BND = poisoned(counts_B, 40, 64, torch.float32)
    compiled = torch.compile(lambda *tensors: recall(*tensors, backend="triton"), fullgraph=True, backend="aot_eager")
    assert_agree(compiled(query_BD, memories_BND, counts_B), recall_torch(query_BD, memories_BND, counts_B))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_cuda_graph_records_it_and_replays_it_on_other_counts() -> None:
    counts_B = torch.tensor([5000, 0, 200], device="cuda")
    query_BD, memories_BND = poisoned(counts_B, 5000, 512, torch.bfloat16)
    recall(query_BD, memories_BND, counts_B)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = recall(query_BD, memories_BND, counts_B)
    counts_B.copy_(torch.tensor([4000, 0, 199]))
    graph.replay()
    assert_agree(results, recall_torch(query_BD, memories_BND, counts_B))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_a_memory_of_a_million_rows_agrees(dtype: torch.dtype) -> None:
    counts_B = torch.tensor([999_983], device="cuda")
    query_BD, memories_BND = poisoned(counts_B, 1_000_000, 512, dtype)
    results = computed(query_BD, memories_BND, counts_B)
    assert_agree(results, recall_torch(query_BD, memories_BND, counts_B))


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


def computed(
    query_BD: torch.Tensor,
    memories_BND: torch.Tensor,
    counts_B: torch.Tensor,
    *,
    scales_BN: torch.Tensor | None = None,
    splits: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernels' results, into outputs that hold NaN before."""
    from hmt_kernels.recall_triton import recall_into
    from hmt_kernels.tiling import tiling

    cut = tiling(memories_BND)
    dtype = prompt_dtype(query_BD, memories_BND)
    prompt_BD = torch.full(query_BD.shape, float("nan"), dtype=dtype, device=query_BD.device)
    weights_BN = torch.full(memories_BND.shape[:2], float("nan"), device=query_BD.device)
    cut = replace(cut, splits=splits or cut.splits)
    recall_into(query_BD, memories_BND, counts_B, prompt_BD, weights_BN, scales_BN=scales_BN, cut=cut)
    return prompt_BD, weights_BN


def assert_agree(results: tuple[torch.Tensor, torch.Tensor], expected: tuple[torch.Tensor, torch.Tensor]) -> None:
    tolerance = TOLERANCES[expected[0].dtype]
    torch.testing.assert_close(results[0], expected[0], atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(results[1], expected[1], atol=2e-6, rtol=1e-4)
