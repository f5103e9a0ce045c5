"""Summed next-token losses of documents, read with memory or without; every token but a document's first counts.

Shapes: B rows · W width · R predicted tokens · D hidden size · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor, nn

from hmt_qa.evaluation.lockstep import Batching, Ids, lock_step, padded
from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM


class ReadingMode(StrEnum):
    """What stands in for P: recall, the memory of the segment before (as RMT), or nothing."""

    HMT = "hmt"
    RMT = "rmt"
    NONE = "none"


def document_losses(
    model: HMTForCausalLM, documents: Sequence[Sequence[Ids]], *, mode: ReadingMode, batching: Batching
) -> list[float]:
    """Nats summed over each document's tokens but its first; documents are given as their segments' ids."""
    with torch.inference_mode():
        if mode is ReadingMode.NONE:
            return _without_memory(model, documents, batching)
        window = 1 if mode is ReadingMode.RMT else None
        sums_N = torch.zeros(len(documents), dtype=torch.float64, device=model.device)
        for step in lock_step(model, documents, batching=batching, window=window):
            place_W = torch.arange(step.segments.ids_BW.shape[1], device=sums_N.device)
            counted_BW = place_W < step.segments.lengths_B[:, None]
            if step.number == 0:
                counted_BW = counted_BW & (place_W > 0)
            loss_B = _row_losses(model, step.reading.predicting_BWD, step.segments.ids_BW, counted_BW, batching)
            sums_N[list(step.documents)] += loss_B
    return [float(value) for value in sums_N]


def predicted_tokens(documents: Sequence[Sequence[Ids]]) -> list[int]:
    """How many tokens `document_losses` sums over."""
    return [sum(map(len, document)) - 1 for document in documents]


def _without_memory(model: HMTForCausalLM, documents: Sequence[Sequence[Ids]], batching: Batching) -> list[float]:
    """Segments are independent: each is read behind the last k ids of the one before, from the backbone alone."""
    k = model.config.sensory_length
    rows = [
        (place, list(document[number - 1][-k:]) if number and k else [], list(segment))
        for place, document in enumerate(documents)
        for number, segment in enumerate(document)
    ]
    sums_N = torch.zeros(len(documents), dtype=torch.float64, device=model.device)
    for first in range(0, len(rows), batching.rows):
        group = rows[first : first + batching.rows]
        batch = padded([before + segment for _, before, segment in group], device=model.device)
        hidden_BWD = backbone.last_hidden(model.backbone, backbone.embed(model.backbone, batch.ids_BW))
        begins_B = torch.tensor([max(len(before), 1) for _, before, _ in group], device=model.device)
        place_W = torch.arange(batch.ids_BW.shape[1], device=model.device)
        counted_BW = (place_W >= begins_B[:, None]) & (place_W < batch.lengths_B[:, None])
        loss_B = _row_losses(model, hidden_BWD[:, :-1], batch.ids_BW[:, 1:], counted_BW[:, 1:], batching)
        sums_N.index_add_(0, torch.tensor([place for place, _, _ in group], device=model.device), loss_B)
    return [float(value) for value in sums_N]


def _row_losses(
    model: HMTForCausalLM, predicting_BWD: Tensor, target_BW: Tensor, counted_BW: Tensor, batching: Batching
) -> Tensor:
    """Summed loss of each row, (B,) float64; logits exist for `batching.rows` x 16 tokens at a time."""
    row_R = counted_BW.nonzero()[:, 0]
    sums_B = torch.zeros(len(target_BW), dtype=torch.float64, device=target_BW.device)
    chunk = batching.rows * 16
    parts = zip(
        predicting_BWD[counted_BW].split(chunk), target_BW[counted_BW].split(chunk), row_R.split(chunk), strict=True
    )
    for hidden_RD, target_R, of_R in parts:
        logits_RV = backbone.logits(model.backbone, hidden_RD).float()
        sums_B.index_add_(0, of_R, nn.functional.cross_entropy(logits_RV, target_R, reduction="none").double())
    return sums_B
