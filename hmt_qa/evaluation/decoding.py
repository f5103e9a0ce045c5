"""Answers to many prompts at once; equals the engine's, one by one, up to rounding.

Prompts are padded on the left, behind an attention mask: positions count from each prompt's first real token.

Shapes: B prompts · T tokens of the longest · M memories a segment · D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, cast

import torch
from torch import Tensor

from hmt_qa.evaluation.lockstep import Batching
from hmt_qa.model import backbone
from hmt_qa.model.choosing import BEGINNING, Choice
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
    choice: Choice = backbone.GREEDY,
) -> list[list[int]]:
    """New ids of each prompt up to and with its first stop id; prompts of a like length share a batch.

    As in `LocalEngine.generate`, beams choose the first BEGINNING tokens.
    """
    decoder = _Decoder(model, stop_ids, batching)
    if choice.beams == 1:
        return decoder.decoded(prompts, max_new_tokens, choice)
    tokens = min(BEGINNING, max_new_tokens)
    begun = decoder.decoded(prompts, tokens, choice)
    going_on = [place for place, new in enumerate(begun) if new[-1] not in stop_ids and len(new) < max_new_tokens]
    longer = [replace(prompts[place], ids=(*prompts[place].ids, *begun[place])) for place in going_on]
    rest = decoder.decoded(longer, max_new_tokens - tokens, choice.greedy)
    for place, new in zip(going_on, rest, strict=True):
        begun[place] += new
    return begun


@dataclass(frozen=True, slots=True)
class _Decoder:
    """What stays the same for all prompts."""

    model: HMTForCausalLM
    stop_ids: Sequence[int]
    batching: Batching

    def decoded(self, prompts: Sequence[Prompt], max_new_tokens: int, choice: Choice) -> list[list[int]]:
        """New ids of each prompt up to and with its first stop id."""
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        made: dict[int, list[int]] = {}
        with torch.inference_mode():
            for places in self._batches(order, prompts, max_new_tokens):
                new = self._batch([prompts[place] for place in places], max_new_tokens, choice)
                made |= zip(places, new, strict=True)
        return [made[place] for place in range(len(prompts))]

    def _batches(self, order: Sequence[int], prompts: Sequence[Prompt], max_new_tokens: int) -> list[list[int]]:
        """Places in order, as many together as the batching allows once padded to the longest."""
        batches: list[list[int]] = []
        rows, tokens = 2 * self.batching.rows, self.batching.tokens
        for place in order:
            width = len(prompts[place]) + max_new_tokens
            if not batches or len(batches[-1]) >= rows or (len(batches[-1]) + 1) * width > tokens:
                batches.append([])
            batches[-1].append(place)
        return batches

    def _batch(self, prompts: Sequence[Prompt], max_new_tokens: int, choice: Choice) -> list[list[int]]:
        embeds_BTD, mask_BT = left_padded(self.model, prompts)
        ids_BN = cast(Any, self.model.backbone).generate(
            inputs_embeds=embeds_BTD,
            attention_mask=mask_BT,
            max_new_tokens=max_new_tokens,
            eos_token_id=list(self.stop_ids),
            pad_token_id=self.stop_ids[0],
            **choice.settings(),
        )
        return [_ended(row, self.stop_ids) for row in ids_BN.tolist()]


def left_padded(model: HMTForCausalLM, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """Embeddings (B, T, D) that end together, and their attention mask (B, T)."""
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
