"""Stage 3: recall put on the evidence, and answers read from it, with language kept in the mix.

Shapes: B documents · S segments · Q = B S questions · M memories of all processes · R rows · A answer tokens ·
D hidden size · E teacher's width.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim import Optimizer

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM, Segments
from hmt_qa.model.memory import MemoryBank
from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl
from hmt_qa.training.balance import Balance
from hmt_qa.training.calibrating import SAMPLES, Sample, calibrate
from hmt_qa.training.data import text_store
from hmt_qa.training.documents import AskedWindows, LongTexts, MadeWindows
from hmt_qa.training.loop import CALIBRATION, moved
from hmt_qa.training.losses import agreement_loss, contrast_loss, likeness_loss, token_loss
from hmt_qa.training.marks import Marks
from hmt_qa.training.memory import held_out_loss, language_loss
from hmt_qa.training.mixing import AnswersBatch, Mixer, Rows
from hmt_qa.training.optim import optimizers
from hmt_qa.training.parallel import Place
from hmt_qa.training.questions import QuestionSets
from hmt_qa.training.reading import Reading
from hmt_qa.training.recipes import Answers
from hmt_qa.training.teacher import Teacher
from hmt_qa.training.unroll import MemoryKind, Unrolled, unroll

JOINT = "\n\n"  # between two contexts of a joined document


def _cut(whole: Tensor) -> Tensor:
    """The same values as the beginning of a graph of their own."""
    return whole.detach().requires_grad_()


def _gradient(cut: Tensor) -> Tensor:
    return torch.zeros_like(cut) if cut.grad is None else cut.grad


class Extra(nn.Module):
    """What stage 3 trains or remembers beside the model: it is in a run's state and in no checkpoint."""

    def __init__(self, balance: Balance, heads: Heads | None) -> None:
        super().__init__()
        self.balance = balance
        self.heads = heads


class Heads(nn.Module):
    """From our representations to the teacher's vectors; used in training only."""

    def __init__(self, hidden: int, size: int) -> None:
        super().__init__()
        self.memories = nn.Linear(hidden, size, bias=False)
        self.summaries = nn.Linear(hidden, size, bias=False)


class AnswersStage:
    """Implements `hmt_qa.training.loop.Stage`."""

    def __init__(
        self,
        model: HMTForCausalLM,
        recipe: Answers,
        place: Place,
        *,
        data: Path,
        work: Path,
        tokenizer: Tokenizer,
        teacher: Teacher | None = None,
    ):
        torch.manual_seed(recipe.run.seed)
        self.model: Any = model
        self._recipe, self._place, self._teacher = recipe, place, teacher
        self._heads = Heads(model.config.hidden_size, teacher.size) if teacher else None
        self.extra = Extra(Balance(model, recipe.balance, recipe.balance_every), self._heads).to(place.device)
        self._balance = self.extra.balance
        heads = list(self._heads.parameters()) if self._heads else []
        self.optimizers: list[Optimizer] = optimizers(model, recipe.run.rates, memory=True, heads=heads)
        patterns = ["shard_*.jsonl.zst", *(["sec_filings*.jsonl.zst"] if recipe.filings else [])]
        texts = LongTexts(text_store(jsonl.find(data, *patterns), work, tokenizer))
        sets = QuestionSets.open(data, work, tokenizer)
        size = model.config.segment_length
        joint = tokenizer.encode(JOINT, add_special_tokens=False).ids
        self._mixer = Mixer(
            recipe,
            place,
            size,
            tokenizer,
            AskedWindows(sets, dict(recipe.sources), joint),
            MadeWindows(texts, Marks.of(tokenizer)),
            Reading(sets, PromptFormat.of(tokenizer), size),
            teacher,
        )
        self._held_out = LongTexts(text_store(jsonl.find(data, "valid.jsonl.zst"), work, tokenizer))

    def begin(self) -> None:
        """Before the first step: Wq and Wk from the states of a batch."""
        if self._recipe.calibrated:
            calibrate(self.model, [self._sample(CALIBRATION + number) for number in range(SAMPLES)], self._place)

    def _sample(self, step: int) -> Sample:
        batch = moved(self.batch(step, 1.0), self._place.device)
        asked = Segments(batch.question_ids_QW, batch.question_lengths_Q)
        return Sample(batch.ids_BSL, batch.lengths_BS, asked)

    def batch(self, step: int, share: float) -> AnswersBatch:
        """See `Mixer.batch`."""
        return self._mixer.batch(step, share)

    def step(self, batch: AnswersBatch) -> dict[str, Tensor]:
        """All losses. Rows are read one group after another, each group's activations freed before the next.

        P, and the representations that recall is taught on, are cut off for that: their gradients join the language
        loss in one last pass. Recall's share of that pass is balanced, see `Balance`.
        """
        keep, weights = self._recipe.keep_tokens, self._recipe.weights
        limit_B = batch.ids_BSL.new_zeros(len(batch.ids_BSL), dtype=torch.float32)
        read = unroll(self.model, batch.ids_BSL, batch.lengths_BS, MemoryKind.HMT, keep_tokens=keep, limit_B=limit_B)
        questions_QD = self._represented(batch)
        prompts_QD = self._prompts(batch, read.memories_BSD, questions_QD)
        cut_QD = _cut(prompts_QD)
        told: dict[str, Tensor] = {}
        groups = (("short", batch.short, weights.reading), ("long", batch.long, weights.reading))
        for name, rows, weight in (*groups, ("memory_mode", batch.memory, weights.memory_mode)):
            loss = self._place.mean(*self._answer_loss(rows, cut_QD))
            torch.autograd.backward(weight * loss)
            told[name] = loss.detach()
        memories, summaries, questions = _cut(read.memories_BSD), _cut(read.summaries_BSD), _cut(questions_QD)
        recall, figures = self._recall_losses(batch, Unrolled(memories, summaries, read.predicting_BTD), questions)
        torch.autograd.backward(recall)
        taught = sum(
            (whole * _gradient(part)).sum()
            for whole, part in (
                (read.memories_BSD, memories),
                (read.summaries_BSD, summaries),
                (questions_QD, questions),
            )
        )
        shares = (self._balance.factor * _gradient(memories), _gradient(cut_QD).unflatten(0, memories.shape[:2]))
        limit_B.copy_(sum((share.flatten(1).norm(dim=1) for share in shares), start=limit_B))
        language = self._place.mean(*language_loss(self.model, read, batch.ids_BSL, batch.lengths_BS))
        main = weights.language * language + (prompts_QD * _gradient(cut_QD)).sum()
        self._balance.backward(main, torch.as_tensor(taught), self._place)
        return {"language": language.detach(), **told, **figures, "balance": self._balance.factor.clone()}

    def _represented(self, batch: AnswersBatch) -> Tensor:
        asked = Segments(batch.question_ids_QW, batch.question_lengths_Q)
        return cast(Tensor, self.model.represent(asked, length=batch.question_ids_QW.shape[1]))

    def _prompts(self, batch: AnswersBatch, memories_BSD: Tensor, questions_QD: Tensor) -> Tensor:
        """P of each question over its own document's memories."""
        counts_B = (batch.lengths_BS > 0).sum(1)
        bank = MemoryBank(memories_BSD[batch.document_Q], counts_B[batch.document_Q])
        return cast(Tensor, self.model.recall(questions_QD, bank).prompt_BD)

    def validate(self) -> dict[str, float]:
        """Nats a token on held-out documents, as in stage 2."""
        segments = max(shape.segments for shape in self._recipe.shapes)
        count, keep = self._recipe.validation_documents, self._recipe.keep_tokens
        return held_out_loss(
            self.model, self._held_out, self._place, count=count, segments=segments, kind=MemoryKind.HMT, keep=keep
        )

    def _answer_loss(self, rows: Rows, prompts_QD: Tensor) -> tuple[Tensor, Tensor]:
        """Sum over answer tokens of what `[P ; passages ; question]` predicts, and how many there are."""
        initial_D = self.model.memory.initial_memory_D
        prompt_RD = torch.where(rows.with_memory_R[:, None], prompts_QD[rows.question_R], initial_D)
        hidden_RTD = backbone.last_hidden(self.model.backbone, self.model.prompt(prompt_RD, rows.ids_RW))
        index_RAD = rows.places_RA[..., None].expand(-1, -1, hidden_RTD.shape[2])
        weight_VD = cast(Tensor, self.model.get_output_embeddings().weight)
        return token_loss(hidden_RTD.gather(1, index_RAD).flatten(0, 1), weight_VD, rows.labels_RA.flatten())

    def _recall_losses(
        self, batch: AnswersBatch, read: Unrolled, questions_QD: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Contrast of questions with all processes' memories and summaries, and the teacher's two losses."""
        weights, mean = self._recipe.weights, self._place.mean
        own_QM, positive_QM, allowed_QM = self._choices(batch)
        memories_MD = self._place.gathered(read.memories_BSD.float().flatten(0, 1))
        summaries_MD = self._place.gathered(read.summaries_BSD.float().flatten(0, 1))
        folded_QD = self.model.memory.fold(questions_QD)
        scores_QM = folded_QD @ memories_MD.T
        recall = mean(*contrast_loss(scores_QM, positive_QM, allowed_QM))
        summaries = mean(*contrast_loss(folded_QD @ summaries_MD.T, positive_QM, allowed_QM))
        figures = {"recall": recall.detach(), "summaries": summaries.detach()}
        figures["hit1"] = mean(*_hits(scores_QM, positive_QM, own_QM, 1)).detach()
        figures["hit5_all"] = mean(*_hits(scores_QM, positive_QM, allowed_QM, 5)).detach()
        total = weights.recall * recall + weights.summaries * summaries
        if batch.teacher_segments is not None and batch.teacher_questions is not None:
            likeness, agreement = self._taught(batch, read, questions_QD, scores_QM, allowed_QM)
            figures |= {"likeness": likeness.detach(), "agreement": agreement.detach()}
            total = total + weights.likeness * likeness + weights.agreement * agreement
        elif self._heads is not None:
            total = total + sum((weight.sum() * 0.0 for weight in self._heads.parameters()), start=total * 0.0)
        return total, figures

    def _choices(self, batch: AnswersBatch) -> tuple[Tensor, Tensor, Tensor]:
        """For each question: memories of its own document, those that hold evidence, those it is contrasted with."""
        documents, segments, _ = batch.ids_BSL.shape
        real_M = self._place.gathered((batch.lengths_BS > 0).float().flatten()[:, None])[:, 0] > 0
        columns_M = torch.arange(len(real_M), device=real_M.device)
        mine_Q = batch.document_Q + self._place.rank * documents
        own_QM = (columns_M // segments == mine_Q[:, None]) & real_M
        positive_QM = own_QM & batch.positive_QS[:, columns_M % segments]
        return own_QM, positive_QM, (own_QM | batch.worldwide_Q[:, None]) & real_M

    def _taught(
        self, batch: AnswersBatch, read: Unrolled, questions_QD: Tensor, scores_QM: Tensor, allowed_QM: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Likeness of all representations to the teacher's vectors, and of our ranking to its ranking."""
        teacher, heads = cast(Teacher, self._teacher), cast(Heads, self._heads)
        segments_NE = teacher.vectors(cast(Any, batch.teacher_segments))
        wanted_QE = teacher.vectors(cast(Any, batch.teacher_questions))
        real_N = (batch.lengths_BS > 0).flatten()
        asked_Q = batch.question_lengths_Q > 0
        pairs = (
            likeness_loss(heads.memories(read.memories_BSD.flatten(0, 1)), segments_NE, real_N),
            likeness_loss(heads.summaries(read.summaries_BSD.flatten(0, 1)), segments_NE, real_N),
            likeness_loss(heads.summaries(questions_QD), wanted_QE, asked_Q),
        )
        likeness = sum((self._place.mean(*pair) for pair in pairs), start=scores_QM.new_zeros(())) / len(pairs)
        ranked_QM = wanted_QE @ self._place.gathered(segments_NE).T
        agreement = agreement_loss(
            scores_QM, ranked_QM, allowed_QM, asked_Q, temperature=self._recipe.teacher_temperature
        )
        return likeness, self._place.mean(*agreement)


def _hits(scores_QM: Tensor, positive_QM: Tensor, among_QM: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """How many questions have evidence among their `count` best of these memories, and how many have any."""
    lowest = torch.finfo(scores_QM.dtype).min
    best_QC = scores_QM.detach().masked_fill(~among_QM, lowest).topk(min(count, scores_QM.shape[1]), dim=1).indices
    return positive_QM.gather(1, best_QC).any(dim=1).float().sum(), positive_QM.any(dim=1).sum()
