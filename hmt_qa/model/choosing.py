"""How an answer's tokens are chosen: from which probability on it is refused, and how many beginnings are weighed.

A small reader often holds the right answer and begins another: of its beginnings the one that is likely as a whole is
better than the one whose first token is likeliest. What each setting brings to hmt-small: its model card.

Shapes: B rows · V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from hmt_qa.model.config import HMTConfig

BEGINNING = 16  # tokens that beams weigh; what comes behind them is greedy, and streams
LENGTH_PENALTY = 1.0  # a beginning's worth is its mean log-probability a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """beams: beginnings weighed against each other, 1 for none. refusal: the token that refuses, where there is one.

    refuses_from: probability of that token as the first one, from which on it is said; None: it must be likeliest.
    """

    beams: int = 1
    refusal: int | None = None
    refuses_from: float | None = None

    @classmethod
    def of(cls, config: HMTConfig, refusal: int | None) -> Choice:
        """As a checkpoint's configuration wants it."""
        return cls(beams=config.answer_beams, refusal=refusal, refuses_from=config.refuses_from)

    def settings(self) -> dict[str, Any]:
        """Arguments of Hugging Face's `generate`."""
        made: dict[str, Any] = {"do_sample": False, "num_beams": self.beams}
        if self.beams > 1:
            made |= {"length_penalty": LENGTH_PENALTY, "early_stopping": True}
        if self.refusal is not None and self.refuses_from is not None:
            made["logits_processor"] = LogitsProcessorList([_RefusedFrom(self.refusal, self.refuses_from)])
        return made

    @property
    def greedy(self) -> Choice:
        """The same for what follows a beginning."""
        return Choice(refusal=self.refusal, refuses_from=None)


class _RefusedFrom(LogitsProcessor):
    """The refusal is the first token where it is likely enough, and no other time."""

    def __init__(self, refusal: int, threshold: float) -> None:
        self._refusal = refusal
        self._threshold = threshold

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        lowest = torch.finfo(scores.dtype).min
        chosen_BV = scores.clone()
        if input_ids.shape[1]:  # behind the first token: prompts are embeddings, so only new ids are here
            chosen_BV[:, self._refusal] = lowest
            return chosen_BV
        refused_B = scores.softmax(dim=-1)[:, self._refusal] >= self._threshold
        others_V = torch.arange(scores.shape[-1], device=scores.device) != self._refusal
        return chosen_BV.masked_fill(torch.where(refused_B[:, None], others_V, ~others_V), lowest)
