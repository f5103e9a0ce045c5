"""The kernel that gathers augmented segments against the torch definition: the same bits.

Shapes: B documents · K sensory tokens · L tokens · M prompts · V vocabulary · D hidden size.
"""

from __future__ import annotations

import pytest
import torch

from hmt_kernels.backends import BackendError
from hmt_kernels.dispatch import frame

pytest.importorskip("triton", reason="triton has no wheel for this platform")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("sensory", "memories", "hidden"), [(5, 4, 512), (0, 1, 8), (3, 2, 520)])
def test_ragged_rows_have_the_definitions_bits(
    sensory: int, memories: int, hidden: int, dtype: torch.dtype, triton_device: str
) -> None:
    lengths_B = torch.tensor([20, 0, 7, 1], device=triton_device)
    given = {
        "sensory_BK": torch.randint(0, 50, (4, sensory), device=triton_device),
        "sensory_lengths_B": torch.tensor([sensory, 0, sensory // 2, sensory], device=triton_device),
        "ids_BL": torch.randint(0, 50, (4, 20), device=triton_device),
        "lengths_B": lengths_B,
    }
    table_VD = torch.randn(50, hidden, device=triton_device).to(dtype)
    own_BMD = torch.randn(4, memories, hidden, device=triton_device).to(dtype)
    for prompt_BMD in (own_BMD, own_BMD[:1].expand(4, -1, -1)):
        result = frame(table_VD, prompt_BMD, **given, backend="triton")
        assert torch.equal(result, frame(table_VD, prompt_BMD, **given, backend="torch"))


def test_a_gradient_is_left_to_torch(triton_device: str) -> None:
    whole = torch.ones(1, dtype=torch.long, device=triton_device)
    given = {"sensory_BK": whole[None], "sensory_lengths_B": whole, "ids_BL": whole[None], "lengths_B": whole}
    table_VD = torch.randn(3, 8, device=triton_device, requires_grad=True)
    prompt_BMD = torch.randn(1, 1, 8, device=triton_device)
    with pytest.raises(BackendError, match="no gradient"):
        frame(table_VD, prompt_BMD, **given, backend="triton")
    frame(table_VD, prompt_BMD, **given).sum().backward()
    assert table_VD.grad is not None
