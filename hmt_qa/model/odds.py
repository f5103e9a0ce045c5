"""What a model thinks of an answer: overheard while it is written, or of one that is there already.

Shapes: M memories a segment · D hidden size · T tokens · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers import LogitsProcessor

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True)
class Odds:
    """Probability that the first token were `refusal`, and log-probabilities (nats) of the tokens that were written."""

    refusal: float
    log_probabilities: tuple[float, ...]


class Overheard(LogitsProcessor):
    """Given to greedy decoding of one row, it hears the odds of what is chosen and changes nothing."""

    def __init__(self, refusal: int | None) -> None:
        self._refusal = refusal
        self._refused = 0.0
        self._chosen: list[float] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Hear one step's scores, (1, V), and give them back."""
        logs_V = scores[0].float().log_softmax(dim=-1)
        if not self._chosen and self._refusal is not None:
            self._refused = float(logs_V[self._refusal].exp())
        self._chosen.append(float(logs_V.max()))
        return scores

    @property
    def odds(self) -> Odds:
        """Of all that was written until now."""
        return Odds(self._refused, tuple(self._chosen))


@torch.inference_mode()
def odds_of(
    model: HMTForCausalLM, prompt_1MD: Tensor, ids: Sequence[int], new: Sequence[int], *, refusal: int | None
) -> Odds:
    """Of the tokens `new` behind `[P ; ids]`: one pass over both; `new` has one token at least."""
    ids_1T = torch.tensor([[*ids, *new]], device=prompt_1MD.device)
    hidden_1TD = backbone.last_hidden(model.backbone, model.prompt(prompt_1MD, ids_1T))
    scores_1TV = backbone.logits(model.backbone, hidden_1TD[:, -len(new) - 1 : -1])
    logs_TV = scores_1TV[0].float().log_softmax(dim=-1)
    chosen_T = logs_TV.gather(1, torch.tensor(new, device=logs_TV.device)[:, None])[:, 0]
    first = 0.0 if refusal is None else float(logs_TV[0, refusal].exp())
    return Odds(first, tuple(cast("list[float]", chosen_T.tolist())))
