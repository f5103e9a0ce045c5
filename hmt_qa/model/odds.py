"""What a model thought of the tokens it chose, noted while it decodes; changes nothing.

Shapes: B rows that are decoded · V vocabulary.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from transformers import LogitsProcessor


class ChosenOdds(LogitsProcessor):
    """Log-probabilities of the greedy choices; and how likely the first token of each row was `refusal`."""

    def __init__(self, refusal: int | None) -> None:
        self._refusal = refusal
        self._refusal_B: Tensor | None = None
        self._chosen_B: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Note one step of all rows."""
        logs_BV = scores.float().log_softmax(dim=-1)
        if self._refusal_B is None:
            column = (
                logs_BV.new_full((len(logs_BV),), -torch.inf) if self._refusal is None else logs_BV[:, self._refusal]
            )
            self._refusal_B = column.exp()
        self._chosen_B.append(logs_BV.amax(dim=-1))
        return scores

    def refusal(self, row: int = 0) -> float:
        """Probability of the refusal as first token; 0 before there was one."""
        return 0.0 if self._refusal_B is None else float(self._refusal_B[row])

    def chosen(self, length: int | None = None, row: int = 0) -> tuple[float, ...]:
        """Log-probabilities (nats) of a row's first `length` tokens, or of all."""
        if not self._chosen_B[:length]:
            return ()
        return tuple(cast("list[float]", torch.stack(self._chosen_B[:length])[:, row].tolist()))
