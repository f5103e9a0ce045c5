"""Greedy answers to many prompts at once; equals decoding them one by one up to rounding.

Prompts are padded on the left, behind an attention mask: positions count from each prompt's first real token.

Shapes: B prompts · T tokens of the longest · M memories a segment · D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, cast

import torch
from torch import Tensor

from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True)
class Prompt:
    """`[P ; E(ids)]`, or `E(ids)` alone where memory_MD is None: the plain backbone."""

    memory_MD: Tensor | None
    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids) + (0 if self.memory_MD is None else len(self.memory_MD))


def decode(
    model: HMTForCausalLM,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    batching: Batching,
) -> list[list[int]]:
    """New ids of each prompt up to and with its first stop id; prompts of a like length share a batch."""
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    made: dict[int, list[int]] = {}
    with torch.inference_mode():
        for places in _batches(order, prompts, batching, max_new_tokens):
            new = _batch(model, [prompts[place] for place in places], max_new_tokens, stop_ids)
            made |= zip(places, new, strict=True)
    return [made[place] for place in range(len(prompts))]


def _batches(
    order: Sequence[int], prompts: Sequence[Prompt], batching: Batching, max_new_tokens: int
) -> list[list[int]]:
    """Places in order, as many together as `batching` allows once padded to the longest."""
    batches: list[list[int]] = []
    for place in order:
        width = len(prompts[place]) + max_new_tokens
        if not batches or len(batches[-1]) >= 2 * batching.rows or (len(batches[-1]) + 1) * width > batching.tokens:
            batches.append([])
        batches[-1].append(place)
    return batches


def _batch(
    model: HMTForCausalLM, prompts: Sequence[Prompt], max_new_tokens: int, stop_ids: Sequence[int]
) -> list[list[int]]:
    embeds_BTD, mask_BT = _left_padded(model, prompts)
    ids_BN = cast(Any, model.backbone).generate(
        inputs_embeds=embeds_BTD,
        attention_mask=mask_BT,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=list(stop_ids),
        pad_token_id=stop_ids[0],
    )
    return [_ended(row, stop_ids) for row in ids_BN.tolist()]


def _left_padded(model: HMTForCausalLM, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
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


def _ended(row: list[int], stop_ids: Sequence[int]) -> list[int]:
    kept = list(takewhile(lambda token: token not in stop_ids, row))
    return row[: len(kept) + 1]
