"""The gradient of the recall kernels against that of the torch definition.

Shapes: B memories · N rows, padded · D hidden size.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import recall
from hmt_kernels.fp8 import to_fp8
from hmt_kernels.recall import recall_torch

pytest.importorskip("triton", reason="triton has no wheel for this platform")

NAN = float("nan")
TOLERANCES = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


@pytest.mark.parametrize(
    ("through", "dtype"),
    [(through, torch.float32) for through in ("prompt", "weights", "both")]
    + [("both", torch.float16), ("both", torch.bfloat16)],
    ids=str,
)
@pytest.mark.parametrize(("rows", "hidden"), [(1, 8), (33, 48), (9, 512)])
def test_it_is_the_definitions_and_zero_on_padding(
    rows: int, hidden: int, through: str, dtype: torch.dtype, triton_device: str
) -> None:
    counts_B = torch.tensor([rows, 0, rows // 2], device=triton_device)
    query_BD, memories_BND = (tensor.to(dtype) for tensor in drawn(counts_B, rows, hidden))
    expected = gradients(query_BD.float(), memories_BND.float(), counts_B, through, backend="torch")
    results = gradients(query_BD, memories_BND, counts_B, through, backend="triton")
    for result, exact in zip(results, expected, strict=True):
        assert result.dtype == dtype
        torch.testing.assert_close(result.float(), exact, atol=TOLERANCES[dtype], rtol=TOLERANCES[dtype])
    padding_BN = torch.arange(rows, device=triton_device) >= counts_B[:, None]
    assert not results[1][padding_BN].any()


def test_whatever_stands_in_the_gradient_of_padding_goes_nowhere(triton_device: str) -> None:
    counts_B = torch.tensor([9, 4], device=triton_device)
    query_BD, memories_BND = drawn(counts_B, 9, 16)
    query_BD.requires_grad_()
    _, weights_BN = recall(query_BD, memories_BND, counts_B, backend="triton")
    padding_BN = torch.arange(9, device=triton_device) >= counts_B[:, None]
    weights_BN.backward(torch.ones_like(weights_BN).masked_fill(padding_BN, NAN))
    assert query_BD.grad is not None
    assert query_BD.grad.isfinite().all()


def test_a_query_learns_from_memories_in_8_bits(triton_device: str) -> None:
    counts_B = torch.tensor([40, 0], device=triton_device)
    query_BD, exact_BND = drawn(counts_B, 40, 32)
    memories_BND, scales_BN = to_fp8(exact_BND)
    learned = []
    for compute in (recall_torch, lambda *tensors: recall(*tensors[:3], scales_BN=tensors[3], backend="triton")):
        leaf_BD = query_BD.clone().requires_grad_()
        compute(leaf_BD, memories_BND, counts_B, scales_BN)[0].square().sum().backward()
        learned.append(leaf_BD.grad)
    torch.testing.assert_close(learned[1], learned[0], atol=1e-5, rtol=1e-4)


def test_a_gradient_of_scaled_memories_is_left_to_torch(triton_device: str) -> None:
    counts_B = torch.tensor([3], device=triton_device)
    query_BD, memories_BND = drawn(counts_B, 3, 8)
    scales_BN = torch.ones(1, 3, device=triton_device, requires_grad=True)
    with pytest.raises(BackendError, match="no gradient of scaled memories"):
        recall(query_BD, memories_BND, counts_B, scales_BN=scales_BN, backend="triton")
    recall(query_BD, memories_BND, counts_B, scales_BN=scales_BN)[0].sum().backward()
    assert scales_BN.grad is not None


def gradients(
    query_BD: torch.Tensor, memories_BND: torch.Tensor, counts_B: torch.Tensor, through: str, *, backend: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the query and of the memories, where both results are weighed by fixed numbers."""
    query_leaf = query_BD.clone().requires_grad_()
    memories_leaf = memories_BND.clone().requires_grad_()
    prompt_BD, weights_BN = recall(query_leaf, memories_leaf, counts_B, backend=backend)  # type: ignore[arg-type]
    losses = {
        "prompt": prompt_BD * whole_numbers_like(prompt_BD),
        "weights": weights_BN * whole_numbers_like(weights_BN),
    }
    wanted = losses if through == "both" else {through: losses[through]}
    torch.stack([loss.sum().float() for loss in wanted.values()]).sum().backward()
    assert query_leaf.grad is not None
    assert memories_leaf.grad is not None
    return query_leaf.grad, memories_leaf.grad


def whole_numbers_like(result: torch.Tensor) -> torch.Tensor:
    """From -2 to 2: no dtype rounds them, so both sides are given the same gradient."""
    return (torch.arange(result.numel(), device=result.device) % 5 - 2).view(result.shape)


def drawn(counts_B: torch.Tensor, rows: int, hidden: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A query and memories whose padding is NaN."""
    generator = torch.Generator().manual_seed(1000 * rows + hidden)
    query_BD = torch.randn(len(counts_B), hidden, generator=generator) * 2 / hidden**0.5
    memories_BND = torch.randn(len(counts_B), rows, hidden, generator=generator)
    memories_BND[torch.arange(rows)[None, :] >= counts_B.cpu()[:, None]] = NAN
    return query_BD.to(counts_B.device), memories_BND.to(counts_B.device)
