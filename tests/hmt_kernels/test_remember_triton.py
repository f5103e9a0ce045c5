"""The remembering kernel against the torch definition: the same bits.

Shapes: B documents · M memories a segment · N slots · D hidden size.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import remember

pytest.importorskip("triton", reason="triton has no wheel for this platform")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("memories", "hidden"), [(1, 8), (4, 512), (3, 520)])
def test_rings_and_counts_are_those_of_the_definition(
    memories: int, hidden: int, dtype: torch.dtype, triton_device: str
) -> None:
    counts_B = torch.tensor([0, 4, 12], device=triton_device)
    ring_BMND = torch.randn(3, 5, memories, hidden, device=triton_device).to(dtype).transpose(1, 2)
    expected_ring, expected_counts = ring_BMND.clone(), counts_B.clone()
    for active in ([True, False, True], [False, False, False], [True, True, True]):
        memory_BMD = torch.randn(3, memories, hidden, device=triton_device)
        active_B = torch.tensor(active, device=triton_device)
        remember(ring_BMND, counts_B, memory_BMD, active_B, backend="triton")
        remember(expected_ring, expected_counts, memory_BMD, active_B, backend="torch")
    assert torch.equal(ring_BMND, expected_ring)
    assert torch.equal(counts_B, expected_counts)


def test_a_ring_whose_rows_are_not_dense_is_left_to_torch(triton_device: str) -> None:
    ring_BMND = torch.zeros(1, 1, 3, 8, device=triton_device)[..., ::2]
    rest = torch.zeros(1, dtype=torch.long, device=triton_device), torch.ones(1, 1, 4, device=triton_device)
    active_B = torch.ones(1, dtype=torch.bool, device=triton_device)
    with pytest.raises(BackendError, match="dense"):
        remember(ring_BMND, *rest, active_B, backend="triton")
    remember(ring_BMND, *rest, active_B)
    assert ring_BMND[0, 0, 0].tolist() == [1.0] * 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_cuda_graph_remembers_at_every_replay() -> None:
    ring_BMND, counts_B = torch.zeros(1, 1, 4, 64, device="cuda"), torch.zeros(1, dtype=torch.long, device="cuda")
    memory_BMD, active_B = torch.randn(1, 1, 64, device="cuda"), torch.ones(1, dtype=torch.bool, device="cuda")
    remember(ring_BMND, counts_B, memory_BMD, active_B)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        remember(ring_BMND, counts_B, memory_BMD, active_B)
    for _ in range(2):
        memory_BMD.normal_()
        graph.replay()
    assert counts_B.tolist() == [3]
    assert torch.equal(ring_BMND[0, 0, 2], memory_BMD[0, 0])
