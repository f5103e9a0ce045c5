"""Long-term memory as a value: a bank of embeddings, remembered into and recalled from; knows no backbone.

Shapes: B batch · N segments remembered · M memories a segment · D hidden size · H recall width.

The paper keeps one memory a segment, M = 1. With more, the M trailing prompts of a step each leave one, and each prompt
recalls among the memories of its own place: memory i of a segment only ever mixes with memories i of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from hmt_kernels.dispatch import recall as attend


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """Memories of B documents, ragged: segments at or past `counts_B` are padding and never attended to.

    rows_BMND: memory embeddings, of each place the oldest first.
    counts_B: int64, how many segments of each document are remembered.
    """

    rows_BMND: Tensor
    counts_B: Tensor

    @classmethod
    def empty(cls, batch: int, memories: int, hidden: int, *, like: Tensor) -> MemoryBank:
        """No memories yet, on the device and in the dtype of `like`."""
        counts_B = torch.zeros(batch, dtype=torch.long, device=like.device)
        return cls(like.new_zeros(batch, memories, 0, hidden), counts_B)

    @classmethod
    def of(cls, rows_NMD: Tensor) -> MemoryBank:
        """One document's memories, segment by segment."""
        return cls(rows_NMD.transpose(0, 1).contiguous()[None], torch.tensor([len(rows_NMD)], device=rows_NMD.device))

    def remember(self, memory_BMD: Tensor, active_B: Tensor | None = None) -> MemoryBank:
        """A new bank with one more segment's memories for each document (those of `active_B` only, where given)."""
        active_B = torch.ones_like(self.counts_B, dtype=torch.bool) if active_B is None else active_B
        rows_BMND = torch.cat([self.rows_BMND, memory_BMD.new_zeros(memory_BMD.shape)[:, :, None]], dim=2)
        slots_N = torch.arange(rows_BMND.shape[2], device=rows_BMND.device)
        here_BN = (slots_N == self.counts_B[:, None]) & active_B[:, None]
        rows_BMND = torch.where(here_BN[:, None, :, None], memory_BMD[:, :, None], rows_BMND)
        return MemoryBank(rows_BMND, self.counts_B + active_B)

    def newest(self, window: int) -> MemoryBank:
        """The memories of the last `window` segments of each document, still oldest first."""
        if self.rows_BMND.shape[2] <= window:
            return self
        start_B = (self.counts_B - window).clamp(min=0)
        index_BN = start_B[:, None] + torch.arange(window, device=start_B.device)
        batch, memories, _, hidden = self.rows_BMND.shape
        index_BMND = index_BN[:, None, :, None].expand(batch, memories, window, hidden)
        return MemoryBank(self.rows_BMND.gather(2, index_BMND), self.counts_B.clamp(max=window))


@dataclass(frozen=True, slots=True)
class Recall:
    """What a search of the memory gives: prompt_BMD, convex mixes of memories, by weights_BMN (float32, sum 1)."""

    prompt_BMD: Tensor
    weights_BMN: Tensor


class MemoryParameters(nn.Module):
    """Everything HMT adds to its backbone: T, the initial memory, Wq and Wk (section 3.2 and 3.3 of the paper).

    summary_prompt_D: T, the learned prompt that asks for a segment's topic.
    initial_memory_MD: stands in for P while there is nothing to recall.
    query, key: Wq and Wk, (H, D), no bias; no value or output projection, so P keeps the memories' distribution.
    """

    def __init__(self, hidden: int, recall_size: int, memories: int) -> None:
        super().__init__()
        self.summary_prompt_D = nn.Parameter(torch.zeros(hidden))
        self.initial_memory_MD = nn.Parameter(torch.zeros(memories, hidden))
        self.query = nn.Linear(hidden, recall_size, bias=False)
        self.key = nn.Linear(hidden, recall_size, bias=False)

    @torch.no_grad()
    def initialise(self, standard_deviation: float) -> None:
        """Small random prompts; Wq and Wk as identities, so that recall starts as likeness of S and M."""
        nn.init.normal_(self.summary_prompt_D, std=standard_deviation)
        nn.init.normal_(self.initial_memory_MD, std=standard_deviation)
        nn.init.eye_(self.query.weight)
        nn.init.eye_(self.key.weight)

    def fold(self, summary_BD: Tensor) -> Tensor:
        """S Wq^T Wk / sqrt(H), at least float32 (B, D): its inner products with raw memories are the recall scores.

        Folding the key projection into the query leaves stored memories as they are: no key rows to keep, and any
        inner-product index over raw rows answers the same question.
        """
        exact = torch.promote_types(summary_BD.dtype, torch.float32)
        query_BH = nn.functional.linear(summary_BD.to(exact), self.query.weight.to(exact))
        return query_BH @ self.key.weight.to(exact) / sqrt(self.query.out_features)

    def forward(self, summary_BD: Tensor, bank: MemoryBank) -> Recall:
        """Search the bank: softmax in float32; documents without memories get the initial memory and zero weights."""
        batch, memories, count, _ = bank.rows_BMND.shape
        initial_BMD = self.initial_memory_MD.expand(batch, -1, -1)
        if count == 0:
            return Recall(initial_BMD, summary_BD.new_zeros(batch, memories, 0, dtype=torch.float32))
        query_RD = self.fold(summary_BD).repeat_interleave(memories, dim=0)
        counts_R = bank.counts_B.repeat_interleave(memories)
        prompt_RD, weights_RN = attend(query_RD, bank.rows_BMND.flatten(0, 1), counts_R)
        prompt_BMD = prompt_RD.unflatten(0, (batch, memories))
        prompt_BMD = torch.where((bank.counts_B > 0)[:, None, None], prompt_BMD, initial_BMD)
        return Recall(prompt_BMD, weights_RN.unflatten(0, (batch, memories)))

    def weigh(self, summary_BD: Tensor, bank: MemoryBank) -> Tensor:
        """How much a question attends to each segment, float32 (B, N): one softmax over all memories of all its places.

        A segment's weight is the sum of its M memories' weights; with M = 1 these are `forward`'s own.
        """
        folded_BD = self.fold(summary_BD)
        scores_BMN = torch.einsum("bd,bmnd->bmn", folded_BD, bank.rows_BMND.to(folded_BD.dtype))
        places_N = torch.arange(scores_BMN.shape[2], device=scores_BMN.device)
        padding_BN = places_N >= bank.counts_B[:, None]
        scores_BMN = scores_BMN.masked_fill(padding_BN[:, None], torch.finfo(scores_BMN.dtype).min)
        weights_BMN = scores_BMN.flatten(1).softmax(dim=1).view_as(scores_BMN)
        return weights_BMN.sum(dim=1).masked_fill(padding_BN, 0.0)
