"""What recall is taught by in stage 3: questions find the parts of segments that answer them.

Shapes: B documents · S segments · M memories a segment · P = S M parts of a document · Q questions · C parts of all
processes · D hidden size · E teacher's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.training.continuing import continuation_loss
from hmt_qa.training.losses import agreement_loss, contrast_loss, likeness_loss
from hmt_qa.training.mixing import AnswersBatch
from hmt_qa.training.parallel import Place
from hmt_qa.training.recipes import Weights
from hmt_qa.training.teacher import Teacher


class Heads(nn.Module):
    """From our representations to the teacher's vectors; used in training only."""

    def __init__(self, hidden: int, size: int) -> None:
        super().__init__()
        self.memories = nn.Linear(hidden, size, bias=False)
        self.summaries = nn.Linear(hidden, size, bias=False)


@dataclass(frozen=True, slots=True)
class Choices:
    """For each question, over the parts of all processes' documents (Q, C).

    own: of its own document. positive: those that hold evidence. allowed: what it is contrasted with; parts without
    evidence of a segment that has some are neither.
    """

    own_QC: Tensor
    positive_QC: Tensor
    allowed_QC: Tensor


@dataclass(frozen=True, slots=True)
class States:
    """What recall is taught on: memories and summaries of all segments, and the questions' summaries."""

    memories_BSMD: Tensor
    summaries_BSD: Tensor
    questions_QD: Tensor


@dataclass(frozen=True, slots=True)
class RecallTeaching:
    """Losses on states; `temperature` is the teacher's, of its softmax over cosines."""

    model: HMTForCausalLM
    weights: Weights
    place: Place
    teacher: Teacher | None
    heads: Heads | None
    temperature: float

    def losses(self, batch: AnswersBatch, states: States) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and what is told of it."""
        mean, memories = self.place.mean, states.memories_BSMD.shape[2]
        choices = chosen(batch, memories, self.place)
        scores_QC = self.model.memory.fold(states.questions_QD) @ self._gathered(states.memories_BSMD.flatten(0, 2)).T
        recall = mean(*contrast_loss(scores_QC, choices.positive_QC, choices.allowed_QC))
        before = mean(
            *continuation_loss(self.model, states.memories_BSMD, states.summaries_BSD, batch.lengths_BS, self.place)
        )
        figures = {"recall": recall.detach(), "continuation": before.detach()}
        for name, among_QC, count in (("hit1", choices.own_QC, 1), ("hit5_all", choices.allowed_QC, 5)):
            figures[name] = mean(*hits(scores_QC, choices.positive_QC, among_QC, memories, count))
        total = self.weights.recall * recall + self.weights.continuation * before
        if self.heads is not None and batch.teacher_parts is None:
            return total + sum((weight.sum() * 0.0 for weight in self.heads.parameters()), start=total * 0.0), figures
        if self.heads is not None:
            likeness, agreement = self._taught(batch, states, scores_QC, choices.allowed_QC)
            figures |= {"likeness": likeness.detach(), "agreement": agreement.detach()}
            total = total + self.weights.likeness * likeness + self.weights.agreement * agreement
        return total, figures

    def _gathered(self, rows_RD: Tensor) -> Tensor:
        return self.place.gathered(rows_RD.float())

    def _taught(
        self, batch: AnswersBatch, states: States, scores_QC: Tensor, allowed_QC: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Likeness of all representations to the teacher's vectors, and of our ranking to its ranking.

        A summary, which reads the first half of its segment, is drawn to the mean of that half's parts.
        """
        teacher, heads = cast(Teacher, self.teacher), cast(Heads, self.heads)
        shape = states.memories_BSMD.shape[:3]
        parts_RE = teacher.vectors(cast(Any, batch.teacher_parts))
        wanted_QE = teacher.vectors(cast(Any, batch.teacher_questions))
        part = -(-batch.ids_BSL.shape[2] // shape[2])
        begins_M = part * torch.arange(shape[2], device=parts_RE.device)
        real_RM = (batch.lengths_BS[..., None] > begins_M).flatten(0, 1)
        read = -(-cast(int, self.model.config.summary_length) // part)
        halves_RE = parts_RE.unflatten(0, shape)[:, :, :read].mean(dim=2).flatten(0, 1)
        asked_Q = batch.question_lengths_Q > 0
        pairs = (
            likeness_loss(heads.memories(states.memories_BSMD.flatten(0, 2)), parts_RE, real_RM.flatten()),
            likeness_loss(heads.summaries(states.summaries_BSD.flatten(0, 1)), halves_RE, real_RM[:, 0]),
            likeness_loss(heads.summaries(states.questions_QD), wanted_QE, asked_Q),
        )
        likeness = sum((self.place.mean(*pair) for pair in pairs), start=scores_QC.new_zeros(())) / len(pairs)
        ranked_QC = wanted_QE @ self._gathered(parts_RE).T
        agreement = agreement_loss(scores_QC, ranked_QC, allowed_QC, asked_Q, temperature=self.temperature)
        return likeness, self.place.mean(*agreement)


def chosen(batch: AnswersBatch, memories: int, place: Place) -> Choices:
    """Which parts of which documents each question is about, may be compared with, and should find."""
    documents, segments, _ = batch.ids_BSL.shape
    real_BP = (batch.lengths_BS > 0).repeat_interleave(memories, dim=1)
    real_C = place.gathered(real_BP.float().flatten()[:, None])[:, 0] > 0
    columns_C = torch.arange(len(real_C), device=real_C.device)
    mine_Q = batch.document_Q + place.rank * documents
    own_QC = (columns_C // (segments * memories) == mine_Q[:, None]) & real_C
    parts_C = columns_C % (segments * memories)
    positive_QC = own_QC & batch.positive_QP[:, parts_C]
    holding_QS = batch.positive_QP.unflatten(1, (segments, memories)).any(dim=2)
    beside_QC = own_QC & holding_QS[:, parts_C // memories] & ~positive_QC
    allowed_QC = (own_QC | batch.worldwide_Q[:, None]) & real_C & ~beside_QC
    return Choices(own_QC, positive_QC, allowed_QC)


def hits(scores_QC: Tensor, positive_QC: Tensor, among_QC: Tensor, memories: int, count: int) -> tuple[Tensor, Tensor]:
    """How many questions have evidence in their `count` best segments of these, and how many have any.

    A segment's score is that of its weight: the logsumexp over its memories.
    """
    lowest = torch.finfo(scores_QC.dtype).min
    scores_QN = (
        scores_QC.detach().masked_fill(~(among_QC | positive_QC), lowest).unflatten(1, (-1, memories)).logsumexp(2)
    )
    positive_QN = positive_QC.unflatten(1, (-1, memories)).any(dim=2)
    best_QK = scores_QN.topk(min(count, scores_QN.shape[1]), dim=1).indices
    return positive_QN.gather(1, best_QK).any(dim=1).float().sum(), positive_QN.any(dim=1).sum()
