"""What the reader is taught from: passages, question and answer in the format of `hmt_qa.prompt`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmt_qa.prompt import PromptFormat
from hmt_qa.training.data import Ids
from hmt_qa.training.documents import Ask, Window
from hmt_qa.training.questions import ANSWER_TOKENS, UNKNOWN, QuestionSets

LEFT_OUT = 0.2  # share of questions whose gold segments are not among the passages
BARE = 0.3  # share of short rows that read the question's own context, uncut
NEIGHBOUR_WEIGHT = 3.0  # segments beside the gold are drawn as distractors this much more often
SHORT, LONG = 2, 4  # most passages of a row


@dataclass(frozen=True, slots=True)
class Row:
    """ids: prompt and answer; answer_from: where the answer begins in them; refused: it is <|unanswerable|>."""

    ids: list[int]
    answer_from: int
    refused: bool


def width(passages: int, size: int, question: int) -> int:
    """Room for the longest row with so many passages of `size` tokens, a multiple of 8."""
    return -(-(passages * (size + 1) + question + 2 + ANSWER_TOKENS + 1) // 8) * 8


@dataclass(frozen=True, slots=True)
class Reading:
    """Makes rows; `size` is L, tokens a segment."""

    sets: QuestionSets
    form: PromptFormat
    size: int

    def row(self, window: Window, ask: Ask, rng: np.random.Generator, *, most: int) -> Row:
        """One row with at most `most` passages, gold among them unless it is left out."""
        refused = bool(self.sets.unanswerable_Q[ask.question])
        if refused or rng.random() < LEFT_OUT:
            passages = self._distractors(window, ask, rng, self._count(rng, most), misleading=False)
            if passages or refused:
                return self._finished(passages, ask, refused=True)
        if most <= SHORT and ask.quote[0] != UNKNOWN and rng.random() < BARE:
            return self._finished([self._bare(window, ask, most * self.size)], ask, refused=False)
        gold = list(ask.gold[:most])
        more = max(self._count(rng, most) - len(gold), 0)
        passages = [*(self._segment(window, number) for number in gold)]
        passages += self._distractors(window, ask, rng, more, misleading=True)
        return self._finished([passages[place] for place in rng.permutation(len(passages))], ask, refused=False)

    def memory_row(self, ask: Ask) -> Row:
        """The question and its answer alone: all there is to go by is P."""
        return self._finished([], ask, refused=bool(self.sets.unanswerable_Q[ask.question]))

    def _count(self, rng: np.random.Generator, most: int) -> int:
        return int(rng.integers(1 if most <= SHORT else SHORT + 1, most + 1))

    def _segment(self, window: Window, number: int) -> Ids:
        return window.tokens_T[number * self.size : (number + 1) * self.size]

    def _bare(self, window: Window, ask: Ask, room: int) -> Ids:
        """The context, or as much of it around the quote as there is room for."""
        start, end = ask.context
        start = max(start, min(ask.quote[0], ask.quote[1] + 1 - room // 2)) if end - start > room else start
        return window.tokens_T[start : min(end, start + room)]

    def _distractors(
        self, window: Window, ask: Ask, rng: np.random.Generator, count: int, *, misleading: bool
    ) -> list[Ids]:
        """Other segments of the window; where `misleading` is not wanted, none that holds the answer's tokens."""
        segments = -(-len(window.tokens_T) // self.size)
        taken = {*ask.gold, *(() if misleading else ask.segments)}
        quoted = ask.quote[0] != UNKNOWN
        needle = window.tokens_T[ask.quote[0] : ask.quote[1] + 1] if quoted else window.tokens_T[:0]
        free = [
            number
            for number in range(segments)
            if number not in taken and (misleading or not holds(self._segment(window, number), needle))
        ]
        if not free or not count:
            return []
        near = {number + step for number in ask.gold for step in (-1, 1)}
        weights = np.array([NEIGHBOUR_WEIGHT if number in near else 1.0 for number in free])
        chosen = rng.choice(len(free), min(count, len(free)), replace=False, p=weights / weights.sum())
        return [self._segment(window, free[place]) for place in chosen.tolist()]

    def _finished(self, passages: list[Ids], ask: Ask, *, refused: bool) -> Row:
        ids = self.form.build([passage.tolist() for passage in passages], ask.ids)
        return Row(ids + self._answer(ask, refused=refused), len(ids), refused)

    def _answer(self, ask: Ask, *, refused: bool) -> list[int]:
        """The answer and its end; one cut short has no end."""
        if refused and self.form.unanswerable is not None:
            return [self.form.unanswerable, self.form.stop[0]]
        answer: list[int] = self.sets.answer_ids(ask.question).tolist()
        return answer[:ANSWER_TOKENS] + ([self.form.stop[0]] if len(answer) <= ANSWER_TOKENS else [])


def holds(passage_T: Ids, needle_T: Ids) -> bool:
    """Whether the passage contains these tokens in a row; an empty needle is contained nowhere."""
    if not len(needle_T) or len(needle_T) > len(passage_T):
        return False
    rows = np.lib.stride_tricks.sliding_window_view(passage_T, len(needle_T))
    return bool((rows == needle_T).all(axis=1).any())
