"""Stage 2: long documents read segment by segment, next-token loss on all tokens, gradients through memory.

Shapes: B documents · S segments · L tokens a segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim import Optimizer

from hmt_qa.errors import NoTextFound
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.training import jsonl
from hmt_qa.training.calibrating import SAMPLES, Sample, calibrate
from hmt_qa.training.continuing import continuation_loss
from hmt_qa.training.data import Ids, generator, text_store
from hmt_qa.training.documents import LongTexts, MixedTexts
from hmt_qa.training.feeding import moved
from hmt_qa.training.loop import CALIBRATION
from hmt_qa.training.losses import token_loss
from hmt_qa.training.optim import optimizers
from hmt_qa.training.parallel import Place
from hmt_qa.training.recipes import Memory, Unroll
from hmt_qa.training.unroll import MemoryKind, Unrolled, token_labels, unroll

VALIDATION_ROWS = 16


@dataclass(frozen=True, slots=True)
class MemoryBatch:
    """ids_BSL: documents' segments. lengths_BS: how much of each is real."""

    ids_BSL: Tensor
    lengths_BS: Tensor

    @property
    def tokens(self) -> int:
        """Tokens read."""
        return self.ids_BSL.numel()


class MemoryStage:
    """Implements `hmt_qa.training.loop.Stage`."""

    def __init__(
        self, model: HMTForCausalLM, recipe: Memory, place: Place, *, data: Path, work: Path, tokenizer: Tokenizer
    ):
        self.model: Any = model
        self.extra: nn.Module | None = None
        self._recipe, self._place = recipe, place
        self.optimizers: list[Optimizer] = optimizers(
            model, recipe.run.rates, memory=recipe.kind is not MemoryKind.NONE
        )
        self._texts = MixedTexts.open(data, work, tokenizer, share=recipe.filings)
        self._held_out = LongTexts(text_store(jsonl.find(data, "valid.jsonl.zst"), work, tokenizer))

    def begin(self) -> None:
        """Before the first step: Wq and Wk from the states of a batch."""
        if self._recipe.calibrated and self._recipe.kind is MemoryKind.HMT:
            drawn = [moved(self.batch(CALIBRATION + n, 1.0), self._place.device) for n in range(SAMPLES)]
            calibrate(self.model, [Sample(batch.ids_BSL, batch.lengths_BS) for batch in drawn], self._place)

    def batch(self, step: int, share: float) -> MemoryBatch:
        """Windows of documents that are longer, as many and as long as the curriculum says."""
        shape = current(self._recipe.curriculum, share)
        size = self.model.config.segment_length
        first = self._place.rank * shape.documents
        rows = [
            self._texts.draw(generator(self._recipe.run.seed, step, first + row), shape.segments * size)
            for row in range(shape.documents)
        ]
        return stacked(rows, shape.segments, size)

    def step(self, batch: MemoryBatch) -> dict[str, Tensor]:
        """Next-token loss over all tokens; beside it recall learns to find what was read just before."""
        read = self._read(batch)
        loss = self._place.mean(*language_loss(self.model, read, batch.ids_BSL, batch.lengths_BS))
        if self._recipe.kind is not MemoryKind.HMT:
            torch.autograd.backward(loss)
            return {"loss": loss.detach()}
        before = self._place.mean(
            *continuation_loss(self.model, read.memories_BSMD, read.summaries_BSD, batch.lengths_BS, self._place)
        )
        torch.autograd.backward(loss + self._recipe.continuation * before)
        return {"loss": loss.detach(), "continuation": before.detach()}

    def validate(self) -> dict[str, float]:
        """Nats a token on held-out documents of `validation_segments` segments."""
        count, segments = self._recipe.validation_documents, self._recipe.validation_segments
        keep = self._recipe.keep_tokens
        return held_out_loss(
            self.model, self._held_out, self._place, count=count, segments=segments, kind=self._recipe.kind, keep=keep
        )

    def _read(self, batch: MemoryBatch) -> Unrolled:
        keep = self._recipe.keep_tokens
        return unroll(self.model, batch.ids_BSL, batch.lengths_BS, self._recipe.kind, keep_tokens=keep)


def current(curriculum: tuple[Unroll, ...], share: float) -> Unroll:
    """The last shape whose share of the run has come."""
    return [shape for shape in curriculum if shape.share <= share][-1]


def stacked(rows: list[Ids], segments: int, size: int) -> MemoryBatch:
    """Documents of at most `segments` x `size` tokens as segments, padded with zeros."""
    ids_BT = np.zeros((len(rows), segments * size), dtype=np.int64)
    for place, row in enumerate(rows):
        ids_BT[place, : len(row)] = row
    lengths_B1 = torch.tensor([[len(row)] for row in rows])
    lengths_BS = (lengths_B1 - size * torch.arange(segments)).clamp(0, size)
    return MemoryBatch(torch.from_numpy(ids_BT).view(len(rows), segments, size), lengths_BS)


def language_loss(model: HMTForCausalLM, read: Unrolled, ids_BSL: Tensor, lengths_BS: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over every token but the documents' first, and how many those are."""
    weight_VD = cast(Tensor, model.get_output_embeddings().weight)
    return token_loss(read.predicting_BTD.flatten(0, 1), weight_VD, token_labels(ids_BSL, lengths_BS).flatten())


@torch.no_grad()
def held_out_loss(
    model: HMTForCausalLM, texts: LongTexts, place: Place, *, count: int, segments: int, kind: MemoryKind, keep: int
) -> dict[str, float]:
    """Nats a token over `count` windows of held-out documents; the same windows each time."""
    size = model.config.segment_length
    sums = torch.zeros(2, device=place.device, dtype=torch.float64)
    mine = range(place.rank, count, place.world)
    for start in range(0, len(mine), VALIDATION_ROWS):
        try:
            rows = [
                texts.draw(generator(1, number), segments * size) for number in mine[start : start + VALIDATION_ROWS]
            ]
        except NoTextFound:
            break
        batch = stacked(rows, segments, size)
        ids_BSL, lengths_BS = batch.ids_BSL.to(place.device), batch.lengths_BS.to(place.device)
        read = unroll(model, ids_BSL, lengths_BS, kind, keep_tokens=keep)
        sums += torch.stack([value.double() for value in language_loss(model, read, ids_BSL, lengths_BS)])
    total, tokens = place.sum(sums).tolist()
    return {"valid": total / max(tokens, 1.0)}
