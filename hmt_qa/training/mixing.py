"""A step's batch of stage 3: windows with questions, and what is read and answered about them, as fixed-size tensors.

Shapes: B documents · S segments · L tokens a segment · Q = B S questions · W tokens of a question, padded ·
R rows to read · A tokens of an answer, padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from hmt_qa.training.data import generator
from hmt_qa.training.documents import AskedWindows, MadeWindows, Window
from hmt_qa.training.losses import IGNORED
from hmt_qa.training.memory import stacked
from hmt_qa.training.parallel import Place
from hmt_qa.training.questions import ANSWER_TOKENS, QUESTION_TOKENS, UNKNOWN
from hmt_qa.training.reading import LONG, SHORT, Reading, Row, width
from hmt_qa.training.recipes import Answers, Unroll
from hmt_qa.training.teacher import Teacher, TeacherBatch

TEACHER_QUESTION = 64  # word pieces


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to read behind P: ids_RW; question_R, whose P; with_memory_R: else the initial memory stands for P.

    places_RA: index, in `[P ; ids]`, of the state that predicts each answer token. labels_RA: those tokens.
    """

    ids_RW: Tensor
    question_R: Tensor
    with_memory_R: Tensor
    places_RA: Tensor
    labels_RA: Tensor


@dataclass(frozen=True, slots=True)
class AnswersBatch:
    """Documents, questions about them, and rows to read. positive_QS: evidence among the own document's segments."""

    ids_BSL: Tensor
    lengths_BS: Tensor
    question_ids_QW: Tensor
    question_lengths_Q: Tensor
    document_Q: Tensor
    positive_QS: Tensor
    worldwide_Q: Tensor
    short: Rows
    long: Rows
    memory: Rows
    teacher_segments: TeacherBatch | None
    teacher_questions: TeacherBatch | None

    @property
    def tokens(self) -> int:
        """Tokens that pass through the backbone, padding included."""
        rows = sum(rows.ids_RW.numel() for rows in (self.short, self.long, self.memory))
        return self.ids_BSL.numel() * 3 // 2 + self.question_ids_QW.numel() + rows


@dataclass(frozen=True, slots=True)
class Mixer:
    """Draws batches; everything depends on the seed, the step and the row's number among all processes' rows."""

    recipe: Answers
    place: Place
    size: int
    tokenizer: Tokenizer
    asked: AskedWindows
    made: MadeWindows
    reading: Reading
    teacher: Teacher | None

    def batch(self, step: int, share: float) -> AnswersBatch:
        """This process's part of a step."""
        shape = self.recipe.shapes[step % len(self.recipe.shapes)]
        first = self.place.rank * shape.documents
        numbers = [first + row for row in range(shape.documents)]
        rngs = [generator(self.recipe.run.seed, step, number) for number in numbers]
        windows = [self._window(number, shape, rng) for number, rng in zip(numbers, rngs, strict=True)]
        asked = [place for place, number in enumerate(numbers) if self._is_asked(number)]
        short = self._rows(windows, asked, rngs, shape, most=SHORT)
        long = self._rows(windows, asked, rngs, shape, most=LONG)
        told = self.teacher is not None and share < self.recipe.likeness_until
        return self._tensors(windows, shape, short, long, told=told)

    def _is_asked(self, number: int) -> bool:
        """Whether this document is made of question sets: evenly spread."""
        return int((number + 1) * self.recipe.asked) > int(number * self.recipe.asked)

    def _window(self, number: int, shape: Unroll, rng: np.random.Generator) -> Window:
        source = self.asked if self._is_asked(number) else self.made
        return source.draw(rng, shape.segments, self.size, shape.segments)

    def _rows(
        self,
        windows: list[Window],
        asked: list[int],
        rngs: list[np.random.Generator],
        shape: Unroll,
        *,
        most: int,
    ) -> list[tuple[int, Row | None, Row | None, bool]]:
        """A row for every fourth segment of the documents made of question sets.

        Each is the question's number, the row to read, the memory-mode row, and whether P is recalled.
        """
        rows: list[tuple[int, Row | None, Row | None, bool]] = []
        for place in asked:
            window, rng = windows[place], rngs[place]
            readable = [
                (number, ask)
                for number, ask in enumerate(window.asks)
                if ask.question != UNKNOWN and (ask.gold or self.reading.sets.unanswerable_Q[ask.question])
            ]
            readable = [readable[index] for index in rng.permutation(len(readable)).tolist()]
            for turn in range(max(shape.segments // 4, 1)):
                if not readable:
                    rows.append((place * shape.segments, None, None, False))
                    continue
                number, ask = readable[turn % len(readable)]
                row = self.reading.row(window, ask, rng, most=most)
                alone = self.reading.memory_row(ask) if ask.gold else None
                remembered = rng.random() >= self.recipe.with_initial
                rows.append((place * shape.segments + number, row, alone, remembered))
        return rows

    def _tensors(
        self,
        windows: list[Window],
        shape: Unroll,
        short: list[tuple[int, Row | None, Row | None, bool]],
        long: list[tuple[int, Row | None, Row | None, bool]],
        *,
        told: bool,
    ) -> AnswersBatch:
        documents = stacked([window.tokens_T for window in windows], shape.segments, self.size)
        count = len(windows) * shape.segments
        ids_QW = torch.zeros(count, QUESTION_TOKENS, dtype=torch.long)
        lengths_Q = torch.zeros(count, dtype=torch.long)
        positive_QS = torch.zeros(count, shape.segments, dtype=torch.bool)
        worldwide_Q = torch.zeros(count, dtype=torch.bool)
        for place, window in enumerate(windows):
            for number, ask in enumerate(window.asks, place * shape.segments):
                ids = ask.ids[:QUESTION_TOKENS]
                ids_QW[number, : len(ids)] = torch.tensor(ids)
                lengths_Q[number] = len(ids)
                positive_QS[number, list(ask.segments)] = True
                worldwide_Q[number] = ask.worldwide
        reads = width(SHORT, self.size, QUESTION_TOKENS), width(LONG, self.size, QUESTION_TOKENS)
        return AnswersBatch(
            ids_BSL=documents.ids_BSL,
            lengths_BS=documents.lengths_BS,
            question_ids_QW=ids_QW,
            question_lengths_Q=lengths_Q,
            document_Q=torch.arange(len(windows)).repeat_interleave(shape.segments),
            positive_QS=positive_QS,
            worldwide_Q=worldwide_Q,
            short=rows_tensors([(number, row, kept) for number, row, _, kept in short], reads[0]),
            long=rows_tensors([(number, row, kept) for number, row, _, kept in long], reads[1]),
            memory=rows_tensors(
                [(number, alone, True) for number, _, alone, _ in short], width(0, self.size, QUESTION_TOKENS)
            ),
            teacher_segments=self._told_segments(windows, shape) if told else None,
            teacher_questions=self._told_questions(windows, shape) if told else None,
        )

    def _told_segments(self, windows: list[Window], shape: Unroll) -> TeacherBatch:
        parts = [
            window.tokens_T[number * self.size : (number + 1) * self.size].tolist()
            for window in windows
            for number in range(shape.segments)
        ]
        return self._told(parts, None)

    def _told_questions(self, windows: list[Window], shape: Unroll) -> TeacherBatch:
        asks = [[ask.ids for ask in window.asks] for window in windows]
        return self._told(
            [ids for each in asks for ids in [*each, *[[]] * (shape.segments - len(each))]], TEACHER_QUESTION
        )

    def _told(self, parts: list[list[int]], pieces: int | None) -> TeacherBatch:
        assert self.teacher is not None  # noqa: S101 (told only where there is one)
        texts = self.tokenizer.decode_batch(parts)
        return self.teacher.batch(texts) if pieces is None else self.teacher.batch(texts, pieces=pieces)


def rows_tensors(rows: list[tuple[int, Row | None, bool]], room: int) -> Rows:
    """Rows padded to `room` tokens; a missing row has no labels."""
    answer = ANSWER_TOKENS + 1
    ids_RW = torch.zeros(len(rows), room, dtype=torch.long)
    places_RA = torch.zeros(len(rows), answer, dtype=torch.long)
    labels_RA = torch.full((len(rows), answer), IGNORED)
    for place, (_, row, _) in enumerate(rows):
        if row is not None:
            ids = torch.tensor(row.ids)
            told = ids[row.answer_from :]
            ids_RW[place, : len(ids)] = ids
            places_RA[place, : len(told)] = torch.arange(row.answer_from, len(ids))
            labels_RA[place, : len(told)] = told
    return Rows(
        ids_RW,
        torch.tensor([number for number, _, _ in rows], dtype=torch.long),
        torch.tensor([kept for _, _, kept in rows], dtype=torch.bool),
        places_RA,
        labels_RA,
    )
