"""Kernels are operators of torch: schema, shapes without computing, and gradients are what torch takes them for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="triton has no wheel for this platform")


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "reading"])
def test_recall_keeps_what_an_operator_promises(learning: bool, triton_device: str) -> None:
    from hmt_kernels.recall_operator import _recall

    query_BD = torch.randn(2, 8, device=triton_device, requires_grad=learning)
    memories_BND = torch.randn(2, 5, 8, device=triton_device, requires_grad=learning)
    check(_recall, query_BD, memories_BND, torch.tensor([5, 2], device=triton_device), None, torch.float32)


def test_the_others_keep_what_an_operator_promises(triton_device: str) -> None:
    from hmt_kernels.frame_triton import frame_triton
    from hmt_kernels.remember_triton import remember_triton
    from hmt_kernels.strongest_triton import strongest_triton

    whole_B = torch.tensor([1, 3], device=triton_device)
    ids_BL, memory_BMD = whole_B[:, None].expand(2, 4).contiguous(), torch.randn(2, 1, 8, device=triton_device)
    check(strongest_triton, torch.rand(2, 4, device=triton_device), whole_B, 2)
    check(frame_triton, torch.randn(5, 8, device=triton_device), memory_BMD, ids_BL, whole_B, ids_BL, whole_B)
    ring_BMND = torch.randn(2, 1, 3, 8, device=triton_device)
    check(remember_triton, ring_BMND, whole_B.clone(), memory_BMD, whole_B > 1)


def check(operator: Any, *arguments: Any) -> None:
    torch.library.opcheck(operator, arguments)
