"""Greedy answers to many prompts at once; equals decoding them one by one up to rounding.

Prompts are padded on the left, behind an attention mask: positions count from each prompt's first real token.

Shapes: B prompts · T tokens of the longest · M memories a segment · D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch

from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.prompts import Prompt, ended, left_padded


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
    embeds_BTD, mask_BT = left_padded(model, prompts)
    ids_BN = cast(Any, model.backbone).generate(
        inputs_embeds=embeds_BTD,
        attention_mask=mask_BT,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=list(stop_ids),
        pad_token_id=stop_ids[0],
    )
    return [list(ended(row, stop_ids)) for row in ids_BN.tolist()]
