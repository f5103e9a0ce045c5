"""A step's batch of stage 3: windows with questions, and what is read and answered about them, as tensors.

Shapes: B documents · S segments · L tokens a segment · M memories a segment · P = S M parts of a document, of L / M
tokens each · Q = B S questions · W tokens of a question, padded · R rows to read · A tokens of an answer, padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from hmt_qa.training.data import generator
from hmt_qa.training.documents import Ask, AskedWindows, MadeWindows, Window
from hmt_qa.training.losses import IGNORED
from hmt_qa.training.memory import stacked
from hmt_qa.training.parallel import Place
from hmt_qa.training.questions import ANSWER_TOKENS, QUESTION_TOKENS, UNKNOWN
from hmt_qa.training.reading import Reading, Row
from hmt_qa.training.recipes import Answers, Unroll
from hmt_qa.training.teacher import Teacher, TeacherBatch

WIDTH_STEP = 64  # rows are padded to multiples of this
TEACHER_QUESTION = 64  # word pieces
TEACHER_PIECES = 1.75  # word pieces a token, at most


@dataclass(frozen=True, slots=True)
class Asked:
    """A row and what it is about: the question's number in the batch, and whether P is recalled for it."""

    question: int
    row: Row | None
    remembered: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to read behind P: ids_RW; question_R, whose P; with_memory_R: else the initial memory stands for P.

    places_RA: index in ids of each answer token. labels_RA: those tokens, IGNORED where there are no more.
    """

    ids_RW: Tensor
    question_R: Tensor
    with_memory_R: Tensor
    places_RA: Tensor
    labels_RA: Tensor


@dataclass(frozen=True, slots=True)
class AnswersBatch:
    """Documents, questions about them, and rows to read. positive_QP: evidence among the own document's parts."""

    ids_BSL: Tensor
    lengths_BS: Tensor
    question_ids_QW: Tensor
    question_lengths_Q: Tensor
    document_Q: Tensor
    positive_QP: Tensor
    worldwide_Q: Tensor
    reading: tuple[Rows, ...]
    memory: Rows
    teacher_parts: TeacherBatch | None
    teacher_questions: TeacherBatch | None

    @property
    def tokens(self) -> int:
        """Tokens that pass through the backbone, padding included."""
        rows = sum(rows.ids_RW.numel() for rows in (*self.reading, self.memory))
        return self.ids_BSL.numel() * 3 // 2 + self.question_ids_QW.numel() + rows


@dataclass(frozen=True, slots=True)
class Mixer:
    """Draws batches; everything depends on the seed, the step and the row's number among all processes' rows."""

    recipe: Answers
    place: Place
    size: int
    memories: int
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
        read = [row for place in asked for row in self._read(windows[place], place, rngs[place], shape)]
        for place in sorted({*range(len(windows))} - {*asked}):
            read += self._recurring(windows[place], place, rngs[place], shape)
        alone = [row for place in asked for row in self._remembered(windows[place], place, shape)]
        told = self.teacher is not None and share < self.recipe.likeness_until
        return self._tensors(windows, shape, read, alone, told=told)

    @property
    def _part(self) -> int:
        """Tokens of a segment that each of its memories stands for."""
        return -(-self.size // self.memories)

    def _is_asked(self, number: int) -> bool:
        """Whether this document is made of question sets: evenly spread."""
        return int((number + 1) * self.recipe.asked) > int(number * self.recipe.asked)

    def _window(self, number: int, shape: Unroll, rng: np.random.Generator) -> Window:
        source = self.asked if self._is_asked(number) else self.made
        return source.draw(rng, shape.segments, self.size, shape.segments)

    def _read(self, window: Window, place: int, rng: np.random.Generator, shape: Unroll) -> list[Asked]:
        """`reads` rows a segment; the questions take turns, each with other passages every time."""
        unanswerable_Q = self.reading.sets.unanswerable_Q
        readable = [
            (place * shape.segments + number, ask)
            for number, ask in enumerate(window.asks)
            if ask.question != UNKNOWN and (ask.gold or unanswerable_Q[ask.question])
        ]
        order = rng.permutation(len(readable)).tolist()
        rows = []
        for turn in range(max(1, round(shape.segments * self.recipe.reads))):
            if not readable:
                rows.append(Asked(place * shape.segments, None, remembered=False))
                continue
            number, ask = readable[order[turn % len(order)]]
            row = self.reading.row(window, ask, rng)
            rows.append(Asked(number, row, remembered=bool(rng.random() >= self.recipe.with_initial)))
        return rows

    def _recurring(self, window: Window, place: int, rng: np.random.Generator, shape: Unroll) -> list[Asked]:
        """`recurring` rows a segment of a text without questions."""
        rows = [self.reading.recurring_row(window, rng) for _ in range(round(shape.segments * self.recipe.recurring))]
        return [Asked(place * shape.segments, row, remembered=False) for row in rows]

    def _remembered(self, window: Window, place: int, shape: Unroll) -> list[Asked]:
        """A row without passages for each question that has an answer."""
        rows = [
            Asked(place * shape.segments + number, self._alone(window, ask), True)
            for number, ask in enumerate(window.asks)
        ]
        return rows + [Asked(place * shape.segments, None, remembered=True)] * (shape.segments - len(rows))

    def _alone(self, window: Window, ask: Ask) -> Row | None:
        return self.reading.memory_row(window, ask) if ask.question != UNKNOWN and ask.gold else None

    def _tensors(
        self, windows: list[Window], shape: Unroll, read: list[Asked], alone: list[Asked], *, told: bool
    ) -> AnswersBatch:
        documents = stacked([window.tokens_T for window in windows], shape.segments, self.size)
        count = len(windows) * shape.segments
        ids_QW = torch.zeros(count, QUESTION_TOKENS, dtype=torch.long)
        lengths_Q = torch.zeros(count, dtype=torch.long)
        positive_QP = torch.zeros(count, shape.segments * self.memories, dtype=torch.bool)
        worldwide_Q = torch.zeros(count, dtype=torch.bool)
        for place, window in enumerate(windows):
            for number, ask in enumerate(window.asks, place * shape.segments):
                ids = ask.ids[:QUESTION_TOKENS]
                ids_QW[number, : len(ids)] = torch.tensor(ids)
                lengths_Q[number] = len(ids)
                positive_QP[number, ask.places(self._part)] = True
                worldwide_Q[number] = ask.worldwide
        return AnswersBatch(
            ids_BSL=documents.ids_BSL,
            lengths_BS=documents.lengths_BS,
            question_ids_QW=ids_QW,
            question_lengths_Q=lengths_Q,
            document_Q=torch.arange(len(windows)).repeat_interleave(shape.segments),
            positive_QP=positive_QP,
            worldwide_Q=worldwide_Q,
            reading=tuple(rows_tensors(group) for group in grouped(read, self.recipe.groups)),
            memory=rows_tensors(alone),
            teacher_parts=self._told_parts(windows, shape) if told else None,
            teacher_questions=self._told_questions(windows, shape) if told else None,
        )

    def _told_parts(self, windows: list[Window], shape: Unroll) -> TeacherBatch:
        size = self._part
        parts = [
            window.tokens_T[number * size : (number + 1) * size].tolist()
            for window in windows
            for number in range(shape.segments * self.memories)
        ]
        return self._told(parts, int(size * TEACHER_PIECES))

    def _told_questions(self, windows: list[Window], shape: Unroll) -> TeacherBatch:
        asks = [[ask.ids for ask in window.asks] for window in windows]
        return self._told(
            [ids for each in asks for ids in [*each, *[[]] * (shape.segments - len(each))]], TEACHER_QUESTION
        )

    def _told(self, parts: list[list[int]], pieces: int) -> TeacherBatch:
        assert self.teacher is not None  # noqa: S101 (told only where there is one)
        return self.teacher.batch(self.tokenizer.decode_batch(parts), pieces=pieces)


def grouped(rows: Sequence[Asked], groups: int) -> list[list[Asked]]:
    """Rows sorted by their length, in so many groups of like numbers, so that little is padding.

    No group is empty, because all processes go through as many.
    """
    missing = [Asked(0, None, remembered=False)] * (groups - len(rows))
    order = sorted([*rows, *missing], key=lambda asked: len(asked.row.ids) if asked.row else 0)
    return [[order[place] for place in places] for places in np.array_split(np.arange(len(order)), groups)]


def rows_tensors(rows: Sequence[Asked]) -> Rows:
    """Rows padded to a common width; a missing row has no labels."""
    longest = max((len(asked.row.ids) for asked in rows if asked.row), default=1)
    ids_RW = torch.zeros(len(rows), -(-longest // WIDTH_STEP) * WIDTH_STEP, dtype=torch.long)
    places_RA = torch.zeros(len(rows), ANSWER_TOKENS + 1, dtype=torch.long)
    labels_RA = torch.full((len(rows), ANSWER_TOKENS + 1), IGNORED)
    for place, asked in enumerate(rows):
        if asked.row is not None:
            ids = torch.tensor(asked.row.ids)
            told = ids[asked.row.answer_from :]
            ids_RW[place, : len(ids)] = ids
            places_RA[place, : len(told)] = torch.arange(asked.row.answer_from, len(ids))
            labels_RA[place, : len(told)] = told
    return Rows(
        ids_RW,
        torch.tensor([asked.question for asked in rows], dtype=torch.long),
        torch.tensor([asked.remembered for asked in rows], dtype=torch.bool),
        places_RA,
        labels_RA,
    )
