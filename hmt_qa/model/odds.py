"""What a model thinks of an answer that is there already, however it was decoded.

Shapes: M memories a segment · D hidden size · T tokens · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True)
class Odds:
    """Probability that the first token were `refusal`, and log-probabilities (nats) of the tokens that were written."""

    refusal: float
    log_probabilities: tuple[float, ...]


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
