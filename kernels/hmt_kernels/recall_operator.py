"""The recall kernels as operators of torch: with a gradient, and known to `torch.compile` by their shapes.

Shapes: B questions (or documents) · N memory rows, padded · D hidden size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hmt_kernels.recall import prompt_dtype
from hmt_kernels.recall_gradient_triton import recall_gradient
from hmt_kernels.recall_triton import recall_into


def recall_triton(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, scales_BN: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The kernels' results for the same arguments as `recall_torch`, which have a gradient, once.

    Returns `prompt_BD` as `recall_torch` does and `weights_BN` in fp32. Memories may be strided in B and N; everything
    must lie on a CUDA device unless Triton interprets. Asks the host nothing: a CUDA graph may record it.
    """
    if memories_BND.stride(2) != 1:
        memories_BND = memories_BND.contiguous()
    counts_B = counts_B.to(memories_BND.device)
    kept = prompt_dtype(query_BD, memories_BND)
    # A gradient needs the prompt as it was before it was rounded.
    learning = torch.is_grad_enabled() and (query_BD.requires_grad or memories_BND.requires_grad)
    given = torch.float32 if learning else kept
    prompt_BD, weights_BN = _recall(query_BD, memories_BND, counts_B, scales_BN, given)
    return prompt_BD.to(kept), weights_BN


@torch.library.custom_op("hmt::recall", mutates_args=())
def _recall(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, scales_BN: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    prompt_BD, weights_BN = _shaped(query_BD, memories_BND, counts_B, scales_BN, dtype)
    recall_into(query_BD, memories_BND, counts_B, prompt_BD, weights_BN, scales_BN=scales_BN)
    return prompt_BD, weights_BN


@_recall.register_fake
def _shaped(
    query_BD: Tensor, memories_BND: Tensor, counts_B: Tensor, scales_BN: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    batch, padded_rows, hidden = memories_BND.shape
    return (
        query_BD.new_empty(batch, hidden, dtype=dtype),
        query_BD.new_empty(batch, padded_rows, dtype=torch.float32),
    )


def _remember_for_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:4], *output)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, prompt_gradient_BD: Tensor | None, weights_gradient_BN: Tensor | None) -> tuple[Any, ...]:
    query_BD, memories_BND, counts_B, scales_BN, prompt_BD, weights_BN = ctx.saved_tensors
    if prompt_gradient_BD is None:
        prompt_gradient_BD = torch.zeros_like(prompt_BD)
    to_memories = ctx.needs_input_grad[1]
    query_gradient_BD, memories_gradient_BND = recall_gradient(
        query_BD,
        memories_BND,
        counts_B,
        scales_BN,
        prompt_BD,
        weights_BN,
        prompt_gradient_BD,
        weights_gradient_BN,
        to_memories,
    )
    return query_gradient_BD, memories_gradient_BND if to_memories else None, None, None, None


_recall.register_autograd(_backward, setup_context=_remember_for_gradient)
