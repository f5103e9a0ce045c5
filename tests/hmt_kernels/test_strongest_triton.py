"""The kernel that finds the strongest rows against the torch definition: the same numbers.

Shapes: B memories · N rows, padded · K rows wanted.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import MOST_STRONGEST, strongest

pytest.importorskip("triton", reason="triton has no wheel for this platform")


@pytest.mark.parametrize(("rows", "top"), [(1, 1), (5, 10), (128, 16), (700, 16)])
def test_weights_and_rows_are_the_definitions_also_of_equals(
    rows: int, top: int, triton_device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hmt_kernels import strongest_triton

    monkeypatch.setattr(strongest_triton, "CHUNK_SIZE", 128)  # many rounds of few rows
    generator = torch.Generator().manual_seed(rows)
    weights_BN = (torch.rand(2, rows, generator=generator) * 50).round().div(50).to(triton_device)
    counts_B = torch.tensor([rows, rows // 2], device=triton_device)
    weights_BN[1, rows // 2 :] = float("nan")
    results = strongest(weights_BN, counts_B, top, backend="triton")
    for result, expected in zip(results, strongest(weights_BN, counts_B, top, backend="torch"), strict=True):
        assert torch.equal(result, expected)


def test_more_than_the_kernel_finds_is_left_to_torch(triton_device: str) -> None:
    weights_BN, counts_B = torch.rand(1, 400, device=triton_device), torch.tensor([400], device=triton_device)
    with pytest.raises(BackendError, match="up to 256 rows"):
        strongest(weights_BN, counts_B, MOST_STRONGEST + 1, backend="triton")
    assert strongest(weights_BN, counts_B, 300)[1].shape == (1, 300)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_the_strongest_of_a_million_agree_in_a_cuda_graph() -> None:
    weights_BN, counts_B = torch.rand(2, 1_000_000, device="cuda"), torch.tensor([1_000_000, 999_000], device="cuda")
    strongest(weights_BN, counts_B, 64)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = strongest(weights_BN, counts_B, 64)
    weights_BN.uniform_()
    graph.replay()
    for result, expected in zip(results, strongest(weights_BN, counts_B, 64, backend="torch"), strict=True):
        assert torch.equal(result, expected)
