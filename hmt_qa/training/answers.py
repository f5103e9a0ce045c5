"""Stage 3: recall put on the evidence, and answers read from it, with language kept in the mix.

Shapes: B documents · S segments · M memories a segment · Q = B S questions · R rows · A answer tokens · D hidden size.
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
from hmt_qa.training.contrast import Heads, RecallTeaching, States
from hmt_qa.training.data import text_store
from hmt_qa.training.documents import AskedWindows, LongTexts, MadeWindows, MixedTexts
from hmt_qa.training.feeding import moved
from hmt_qa.training.loop import CALIBRATION
from hmt_qa.training.losses import IGNORED, token_loss
from hmt_qa.training.marks import Marks
from hmt_qa.training.memory import held_out_loss, language_loss
from hmt_qa.training.mixing import AnswersBatch, Mixer, Rows
from hmt_qa.training.optim import optimizers
from hmt_qa.training.parallel import Place
from hmt_qa.training.questions import QuestionSets
from hmt_qa.training.reading import BLANK, Reading
from hmt_qa.training.recipes import Answers
from hmt_qa.training.substituting import Substitutes
from hmt_qa.training.teacher import Teacher
from hmt_qa.training.unroll import MemoryKind, unroll

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
        self._recipe, self._place = recipe, place
        heads = Heads(model.config.hidden_size, teacher.size) if teacher else None
        self.extra = Extra(Balance(model, recipe.balance, recipe.balance_every), heads).to(place.device)
        self._balance = self.extra.balance
        self._recall = RecallTeaching(
            model, recipe.weights, place, teacher, self.extra.heads, recipe.teacher_temperature
        )
        trained = list(heads.parameters()) if heads else []
        self.optimizers: list[Optimizer] = optimizers(model, recipe.run.rates, memory=True, heads=trained)
        texts = MixedTexts.open(data, work, tokenizer, share=recipe.filings)
        sets = QuestionSets.open(data, work, tokenizer)
        size = model.config.segment_length
        joint = tokenizer.encode(JOINT, add_special_tokens=False).ids
        blank = tokenizer.encode(BLANK, add_special_tokens=False).ids
        marks = Marks.of(tokenizer)
        self._mixer = Mixer(
            recipe,
            place,
            size,
            model.config.memories_per_segment,
            tokenizer,
            AskedWindows(sets, dict(recipe.sources), joint),
            MadeWindows(texts, marks),
            Reading(sets, PromptFormat.of(tokenizer), size, Substitutes.of(sets, marks), blank),
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
        prompts_QMD = self._prompts(batch, read.memories_BSMD, questions_QD)
        cut_QMD = _cut(prompts_QMD)
        told = {
            "reading": self._answered(batch.reading, cut_QMD, weights.reading),
            "memory_mode": self._answered((batch.memory,), cut_QMD, weights.memory_mode),
        }
        wholes = (read.memories_BSMD, read.summaries_BSD, questions_QD)
        cuts = tuple(_cut(whole) for whole in wholes)
        recall, figures = self._recall.losses(batch, States(*cuts))
        torch.autograd.backward(recall)
        taught = sum((whole * _gradient(part)).sum() for whole, part in zip(wholes, cuts, strict=True))
        shares = (self._balance.factor * _gradient(cuts[0]), _gradient(cut_QMD).unflatten(0, wholes[1].shape[:2]))
        limit_B.copy_(sum((share.flatten(1).norm(dim=1) for share in shares), start=limit_B))
        language = self._place.mean(*language_loss(self.model, read, batch.ids_BSL, batch.lengths_BS))
        main = weights.language * language + (prompts_QMD * _gradient(cut_QMD)).sum()
        self._balance.backward(main, torch.as_tensor(taught), self._place)
        return {"language": language.detach(), **told, **figures, "balance": self._balance.factor.clone()}

    def _represented(self, batch: AnswersBatch) -> Tensor:
        asked = Segments(batch.question_ids_QW, batch.question_lengths_Q)
        return cast(Tensor, self.model.represent(asked, length=batch.question_ids_QW.shape[1]))

    def _prompts(self, batch: AnswersBatch, memories_BSMD: Tensor, questions_QD: Tensor) -> Tensor:
        """P of each question over its own document's memories, (Q, M, D)."""
        counts_B = (batch.lengths_BS > 0).sum(1)
        bank = MemoryBank(memories_BSMD.transpose(1, 2)[batch.document_Q], counts_B[batch.document_Q])
        return cast(Tensor, self.model.recall(questions_QD, bank).prompt_BMD)

    def validate(self) -> dict[str, float]:
        """Nats a token on held-out documents, as in stage 2."""
        segments = max(shape.segments for shape in self._recipe.shapes)
        count, keep = self._recipe.validation_documents, self._recipe.keep_tokens
        return held_out_loss(
            self.model, self._held_out, self._place, count=count, segments=segments, kind=MemoryKind.HMT, keep=keep
        )

    def _answered(self, groups: tuple[Rows, ...], prompts_QMD: Tensor, weight: float) -> Tensor:
        """Mean over answer tokens of all groups and processes; gradients are taken group by group."""
        count = sum((rows.labels_RA != IGNORED).sum() for rows in groups)
        total = prompts_QMD.new_zeros(())
        for rows in groups:
            loss = self._place.mean(self._answer_loss(rows, prompts_QMD), torch.as_tensor(count))
            torch.autograd.backward(weight * loss)
            total = total + loss.detach()
        return total

    def _answer_loss(self, rows: Rows, prompts_QMD: Tensor) -> Tensor:
        """Sum over answer tokens of what `[P ; passages ; question]` predicts."""
        initial_MD = self.model.memory.initial_memory_MD
        prompt_RMD = torch.where(rows.with_memory_R[:, None, None], prompts_QMD[rows.question_R], initial_MD)
        hidden_RTD = backbone.last_hidden(self.model.backbone, self.model.prompt(prompt_RMD, rows.ids_RW))
        states_RA = rows.places_RA + (len(initial_MD) - 1)  # the state before a token predicts it
        index_RAD = states_RA[..., None].expand(-1, -1, hidden_RTD.shape[2])
        weight_VD = cast(Tensor, self.model.get_output_embeddings().weight)
        return token_loss(hidden_RTD.gather(1, index_RAD).flatten(0, 1), weight_VD, rows.labels_RA.flatten())[0]
