"""Prompts of several lengths as one batch; knows tensors and ids.

Shapes: B prompts · T tokens, padded on the left · M memories · D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True)
class Prompt:
    """`[P ; E(ids)]`, or `E(ids)` alone where memory_MD is None: the plain backbone."""

    memory_MD: Tensor | None
    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids) + (0 if self.memory_MD is None else len(self.memory_MD))


def left_padded(model: HMTForCausalLM, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """Embeddings (B, T, D), and which of them are real (B, T): each prompt ends at T, where its answer begins."""
    width = max(map(len, prompts))
    rows = []
    for prompt in prompts:
        embeds_TD = backbone.embed(model.backbone, torch.tensor(prompt.ids, device=model.device))
        if prompt.memory_MD is not None:
            embeds_TD = torch.cat([prompt.memory_MD.to(embeds_TD.dtype), embeds_TD])
        rows.append(torch.nn.functional.pad(embeds_TD, (0, 0, width - len(prompt), 0)))
    starts_B = torch.tensor([width - len(prompt) for prompt in prompts], device=model.device)
    mask_BT = (torch.arange(width, device=model.device) >= starts_B[:, None]).long()
    return torch.stack(rows), mask_BT


def ended(ids: Sequence[int], stop_ids: Sequence[int]) -> tuple[int, ...]:
    """An answer's ids up to its first stop id, which is part of it; what a batch pads it with is not."""
    end = next((place for place, token in enumerate(ids, 1) if token in stop_ids), len(ids))
    return tuple(ids[:end])
