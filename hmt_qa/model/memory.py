"""Long-term memory as a value: a bank of embeddings, remembered into and recalled from; knows no backbone.

Shapes: B batch · N memories · D hidden size · H recall width.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from hmt_kernels.dispatch import recall as attend


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """Memories of B documents, ragged: rows at or past `counts_B` are padding and never attended to.

    rows_BND: memory embeddings, oldest first.
    counts_B: int64, how many rows of each document are real.
    """

    rows_BND: Tensor
    counts_B: Tensor

    @classmethod
    def empty(cls, batch: int, hidden: int, *, like: Tensor) -> MemoryBank:
        """No memories yet, on the device and in the dtype of `like`."""
        return cls(like.new_zeros(batch, 0, hidden), torch.zeros(batch, dtype=torch.long, device=like.device))

    @classmethod
    def of(cls, rows_ND: Tensor) -> MemoryBank:
        """One document's memories."""
        return cls(rows_ND[None], torch.tensor([rows_ND.shape[0]], device=rows_ND.device))

    def remember(self, memory_BD: Tensor, active_B: Tensor | None = None) -> MemoryBank:
        """A new bank with one more memory for each document (those of `active_B` only, where given)."""
        active_B = torch.ones_like(self.counts_B, dtype=torch.bool) if active_B is None else active_B
        rows_BND = torch.cat([self.rows_BND, memory_BD.new_zeros(memory_BD.shape)[:, None]], dim=1)
        slots_N = torch.arange(rows_BND.shape[1], device=rows_BND.device)
        here_BN = (slots_N == self.counts_B[:, None]) & active_B[:, None]
        rows_BND = torch.where(here_BN[..., None], memory_BD[:, None], rows_BND)
        return MemoryBank(rows_BND, self.counts_B + active_B)

    def newest(self, window: int) -> MemoryBank:
        """The last `window` memories of each document, still oldest first."""
        if self.rows_BND.shape[1] <= window:
            return self
        start_B = (self.counts_B - window).clamp(min=0)
        index_BN = start_B[:, None] + torch.arange(window, device=start_B.device)
        rows_BND = self.rows_BND.gather(1, index_BN[..., None].expand(-1, -1, self.rows_BND.shape[2]))
        return MemoryBank(rows_BND, self.counts_B.clamp(max=window))


@dataclass(frozen=True, slots=True)
class Recall:
    """What a search of the memory gives: prompt_BD, a convex mix of memories, and its weights_BN (float32, sum 1)."""

    prompt_BD: Tensor
    weights_BN: Tensor


class MemoryParameters(nn.Module):
    """Everything HMT adds to its backbone: T, the initial memory, Wq and Wk (section 3.2 and 3.3 of the paper).

    summary_prompt_D: T, the learned prompt that asks for a segment's topic.
    initial_memory_D: stands in for P while there is nothing to recall.
    query, key: Wq and Wk, (H, D), no bias; no value or output projection, so P keeps the memories' distribution.
    """

    def __init__(self, hidden: int, recall_size: int) -> None:
        super().__init__()
        self.summary_prompt_D = nn.Parameter(torch.zeros(hidden))
        self.initial_memory_D = nn.Parameter(torch.zeros(hidden))
        self.query = nn.Linear(hidden, recall_size, bias=False)
        self.key = nn.Linear(hidden, recall_size, bias=False)

    @torch.no_grad()
    def initialise(self, standard_deviation: float) -> None:
        """Small random prompts; Wq and Wk as identities, so that recall starts as likeness of S and M."""
        nn.init.normal_(self.summary_prompt_D, std=standard_deviation)
        nn.init.normal_(self.initial_memory_D, std=standard_deviation)
        nn.init.eye_(self.query.weight)
        nn.init.eye_(self.key.weight)

    def fold(self, summary_BD: Tensor) -> Tensor:
        """S Wq^T Wk / sqrt(H), float32 (B, D): its inner products with raw memories are the recall scores.

        Folding the key projection into the query leaves stored memories as they are: no key rows to keep, and any
        inner-product index over raw rows answers the same question.
        """
        query_BH = nn.functional.linear(summary_BD.float(), self.query.weight.float())
        return query_BH @ self.key.weight.float() / sqrt(self.query.out_features)

    def forward(self, summary_BD: Tensor, bank: MemoryBank) -> Recall:
        """Search the bank: softmax in float32; documents without memories get the initial memory and zero weights."""
        initial_BD = self.initial_memory_D.expand_as(summary_BD)
        if bank.rows_BND.shape[1] == 0:
            return Recall(initial_BD, summary_BD.new_zeros(summary_BD.shape[0], 0, dtype=torch.float32))
        prompt_BD, weights_BN = attend(self.fold(summary_BD), bank.rows_BND, bank.counts_B)
        return Recall(torch.where((bank.counts_B > 0)[:, None], prompt_BD, initial_BD), weights_BN)
