"""Reads B documents in lock-step over S segments with gradients through memory; knows no losses.

Shapes: B documents · S segments · L tokens a segment · T = S L · K sensory tokens · M memories a segment ·
D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM, ReadingState, Segments
from hmt_qa.training.losses import IGNORED


class MemoryKind(StrEnum):
    """What stands in for P: recall over all memories, the last memory alone (RMT), or nothing."""

    HMT = "hmt"
    RMT = "rmt"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Unrolled:
    """memories_BSMD, summaries_BSD: M and S of each segment. predicting_BTD: the states that predict each token."""

    memories_BSMD: Tensor
    summaries_BSD: Tensor
    predicting_BTD: Tensor


class _Limited(torch.autograd.Function):
    """Memories as they are; backwards each document's gradient is scaled down to at most its limit."""

    @staticmethod
    def forward(ctx: Any, rows_BMND: Tensor, limit_B: Tensor) -> Tensor:
        ctx.limit_B = limit_B  # read when gradients are taken, not now
        return rows_BMND.view_as(rows_BMND)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        norm_B = gradients[0].flatten(1).norm(dim=1)
        scale_B = (ctx.limit_B / norm_B.clamp(min=torch.finfo(norm_B.dtype).tiny)).clamp(max=1.0)
        return gradients[0] * scale_B[:, None, None, None], None


def unroll(
    model: HMTForCausalLM,
    ids_BSL: Tensor,
    lengths_BS: Tensor,
    kind: MemoryKind,
    *,
    keep_tokens: int,
    limit_B: Tensor | None = None,
) -> Unrolled:
    """Read all segments in order; where more than `keep_tokens` are read, each step is computed again for gradients.

    `limit_B` bounds the norm of the gradient that flows back through each document's memories at every step; its
    values may be filled in until gradients are taken.
    RMT is the model with a window of one memory: its softmax over one row gives M of the segment before.
    """
    batch, segments, _ = ids_BSL.shape
    ids_SBL, lengths_SB = ids_BSL.transpose(0, 1).contiguous(), lengths_BS.T.contiguous()
    hidden = model.config.hidden_size
    if kind is MemoryKind.NONE:
        return _without_memory(model, ids_SBL, lengths_SB)
    if kind is MemoryKind.HMT:
        summaries_SBD = model.represent(Segments(ids_SBL.flatten(0, 1), lengths_SB.flatten())).unflatten(
            0, (segments, batch)
        )
    else:
        summaries_SBD = model.memory.summary_prompt_D.new_zeros(segments, batch, hidden)
    state, memories, predicting = model.initial_state(batch), [], []
    again = torch.is_grad_enabled() and ids_BSL.numel() > keep_tokens
    for number in range(segments):
        part = Segments(ids_SBL[number], lengths_SB[number])
        if limit_B is not None and number:
            rows_BMND = cast(Tensor, cast(Any, _Limited).apply(state.bank.rows_BMND, limit_B))
            state = replace(state, bank=replace(state.bank, rows_BMND=rows_BMND))
        arguments = (model, part, summaries_SBD[number], state)
        step = checkpoint(_step, *arguments, use_reentrant=False) if again else _step(*arguments)
        memory_BMD, state, predicting_BLD = cast("tuple[Tensor, ReadingState, Tensor]", step)
        memories.append(memory_BMD)
        predicting.append(predicting_BLD)
    return Unrolled(torch.stack(memories, dim=1), summaries_SBD.transpose(0, 1), torch.cat(predicting, dim=1))


def _step(
    model: HMTForCausalLM, part: Segments, summary_BD: Tensor, state: ReadingState
) -> tuple[Tensor, ReadingState, Tensor]:
    reading = model.read(part, summary_BD, state, active_B=part.lengths_B > 0)
    return reading.memory_BMD, reading.state, reading.predicting_BWD


def _without_memory(model: HMTForCausalLM, ids_SBL: Tensor, lengths_SB: Tensor) -> Unrolled:
    """Sensory tokens and segment only: all segments are rows of one pass, for nothing passes from one to the next.

    A segment's first token is predicted from the sensory token before it; the first segment's has none.
    """
    segments, batch, size = ids_SBL.shape
    sensory = model.initial_state(batch).sensory
    joined_ids, joined_lengths, places = [], [], []
    for number in range(segments):
        part = Segments(ids_SBL[number], lengths_SB[number])
        joined = sensory.followed_by(part)
        joined_ids.append(joined.ids_BW)
        joined_lengths.append(sensory.lengths_B)
        places.append(sensory.lengths_B[:, None] + torch.arange(size, device=ids_SBL.device) - 1)
        sensory = part.tail(model.config.sensory_length, sensory)
    embeds_RWD = backbone.embed(model.backbone, torch.cat(joined_ids))
    hidden_RWD = backbone.last_hidden(model.backbone, embeds_RWD)
    index_RL = torch.cat(places).clamp(min=0)
    width = hidden_RWD.shape[2]
    predicting_RLD = hidden_RWD.gather(1, index_RL[..., None].expand(-1, -1, width))
    predicting_BTD = predicting_RLD.unflatten(0, (segments, batch)).transpose(0, 1).flatten(1, 2)
    none_BSD = hidden_RWD.new_zeros(batch, segments, width)
    return Unrolled(none_BSD[:, :, None], none_BSD, predicting_BTD)


def token_labels(ids_BSL: Tensor, lengths_BS: Tensor) -> Tensor:
    """Labels (B, T): every token of every segment but a document's first; IGNORED on padding."""
    places_L = torch.arange(ids_BSL.shape[2], device=ids_BSL.device)
    labels_BSL = ids_BSL.masked_fill(places_L >= lengths_BS[..., None], IGNORED)
    labels_BT = labels_BSL.flatten(1).clone()
    labels_BT[:, 0] = IGNORED
    return labels_BT


def for_training(model: HMTForCausalLM, device: torch.device) -> None:
    """Let the backbone compute in bfloat16 from float32 weights; recall, outside of it, stays float32.

    Recall is always computed by its differentiable definition, also where nothing is differentiated. The wrapped
    `forward`s belong to this one model object; on the CPU the backbone stays as it is.
    """
    memory: Any = model.memory
    memory.forward = torch.enable_grad()(memory.forward)
    if device.type == "cuda":
        inner: Any = model.backbone.base_model
        inner.forward = torch.autocast("cuda", dtype=torch.bfloat16)(inner.forward)
