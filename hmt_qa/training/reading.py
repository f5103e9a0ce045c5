"""What the reader is taught from: passages, question and answer in the format of `hmt_qa.prompt`.

Shapes: V vocabulary · N segments of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hmt_qa.prompt import PromptFormat
from hmt_qa.training.data import Ids
from hmt_qa.training.documents import Ask, Window
from hmt_qa.training.questions import ANSWER_TOKENS, UNKNOWN, QuestionSets
from hmt_qa.training.recurring import recurring
from hmt_qa.training.substituting import Substitutes, replaced

LEFT_OUT = 0.2  # share of questions whose gold segments are not among the passages
BARE = 0.35  # share of rows that read the question's own context, uncut where there is room
ROOM = 2  # segments; of a longer context, what stands round the quote is read
COUNTS = (0.25, 0.25, 0.2, 0.3)  # how often a row has one, two, three or four passages
GOLD_FIRST = 0.5  # share of rows whose gold stands first, as a good ranking puts it; the rest is shuffled
NEIGHBOUR_WEIGHT = 3.0  # segments beside the gold are drawn as distractors this much more often
LOOKALIKE_WEIGHT = 8.0  # the same for the segment that has most of the question's rare words
SUBSTITUTED = 0.5  # share of quoted answers that are replaced in the passages
TRIES = 4  # passages of a window that are searched for what recurs
BLANK = " what"  # stands in a sentence for the name or number that is asked for
MEMORY_ANSWER = 24  # tokens of an answer that memory mode is taught: the gist, not the wording

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """ids: prompt and answer; answer_from: where the answer begins in them; refused: it is <|unanswerable|>."""

    ids: list[int]
    answer_from: int
    refused: bool


@dataclass(frozen=True)
class Reading:
    """Makes rows; `size` is L, tokens a segment. An answer that is a quote is taught as the quote's own tokens."""

    sets: QuestionSets
    form: PromptFormat
    size: int
    substitutes: Substitutes
    blank: list[int]

    def row(self, window: Window, ask: Ask, rng: np.random.Generator) -> Row:
        """One row of at most len(COUNTS) passages, gold among them unless it is left out."""
        refused = bool(self.sets.unanswerable_Q[ask.question])
        count = 1 + int(rng.choice(len(COUNTS), p=COUNTS))
        if refused or rng.random() < LEFT_OUT:
            passages = self._distractors(window, ask, rng, count, misleading=False)
            if passages or refused:
                return self._finished(passages, ask.ids, self._refusal)
        answer_T = self._answer(window, ask)
        if ask.quote[0] != UNKNOWN and rng.random() < BARE:
            passages = [self._bare(window, ask, ROOM * self.size)]
        else:
            gold = [self._segment(window, number) for number in ask.gold[: len(COUNTS)]]
            passages = gold + self._distractors(window, ask, rng, max(count - len(gold), 0), misleading=True)
            if rng.random() >= GOLD_FIRST:
                passages = [passages[place] for place in rng.permutation(len(passages))]
        if ask.quote[0] != UNKNOWN:
            passages, answer_T = self._substituted(passages, answer_T, rng)
        return self._finished(passages, ask.ids, self._ended(answer_T))

    def recurring_row(self, window: Window, rng: np.random.Generator) -> Row | None:
        """A row about a sentence of the window, a name or number left out of it; None where nothing recurs.

        Other segments stand around the passage as in `row`.
        """
        count = int(rng.choice(len(COUNTS), p=COUNTS))
        for _ in range(TRIES):
            start = int(rng.integers(max(len(window.tokens_T) - self.size, 0) + 1))
            found = recurring(window.tokens_T[start : start + self.size], self.substitutes.marks, self.blank, rng)
            if found is not None:
                break
        else:
            return None
        near = {start // self.size, (start + self.size - 1) // self.size}
        far = [number for number in range(len(window.tokens_T) // self.size) if number not in near]
        others = [self._segment(window, number) for number in rng.permutation(far)[:count].tolist()]
        passages, answer_T = self._substituted([found.passage_T, *others], found.answer_T, rng)
        order = range(len(passages)) if rng.random() < GOLD_FIRST else rng.permutation(len(passages)).tolist()
        return self._finished([passages[place] for place in order], found.ids, self._ended(answer_T))

    def _substituted(self, passages: list[Ids], answer_T: Ids, rng: np.random.Generator) -> tuple[list[Ids], Ids]:
        """Now and then another answer in the place of this one, in all passages."""
        other_T = self.substitutes.draw(answer_T, rng) if rng.random() < SUBSTITUTED else None
        if other_T is None:
            return passages, answer_T
        return [replaced(passage_T, answer_T, other_T) for passage_T in passages], other_T

    def memory_row(self, window: Window, ask: Ask) -> Row:
        """The question and the beginning of its answer alone: all there is to go by is P."""
        refused = bool(self.sets.unanswerable_Q[ask.question])
        row = self._finished([], ask.ids, self._refusal if refused else self._ended(self._answer(window, ask)))
        return Row(row.ids[: row.answer_from + MEMORY_ANSWER], row.answer_from, row.refused)

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
        taken = {*ask.gold, *(() if misleading else ask.places(self.size))}
        quoted = ask.quote[0] != UNKNOWN
        needle = window.tokens_T[ask.quote[0] : ask.quote[1] + 1] if quoted else window.tokens_T[:0]
        free = [
            number
            for number in range(segments)
            if number not in taken and (misleading or not holds(self._segment(window, number), needle))
        ]
        if not free or not count:
            return []
        weights = self._temptation(window, ask, free)
        chosen = rng.choice(len(free), min(count, len(free)), replace=False, p=weights / weights.sum())
        return [self._segment(window, free[place]) for place in chosen.tolist()]

    def _temptation(self, window: Window, ask: Ask, free: list[int]) -> Floats:
        """How likely each free segment is to be a distractor, (N,), not normalised."""
        near = {number + step for number in ask.gold for step in (-1, 1)}
        asked = np.unique(np.array(ask.ids, dtype=np.int64))
        rare_N = np.array([self._rarity_V[asked[np.isin(asked, self._segment(window, n))]].sum() for n in free])
        neighbour_N = np.array([NEIGHBOUR_WEIGHT if number in near else 1.0 for number in free])
        weights: Floats = neighbour_N + LOOKALIKE_WEIGHT * (rare_N / max(rare_N.max(), 1e-9)) ** 4
        return weights

    @cached_property
    def _rarity_V(self) -> Floats:
        """How much rarer than the commonest each token is in all contexts, as the logarithm of their ratio."""
        counts_V = np.bincount(self.sets.context_tokens_T, minlength=2**16).astype(np.float64)
        rarity_V: Floats = np.log(counts_V.max() + 1) - np.log(counts_V + 1)
        return rarity_V

    def _finished(self, passages: list[Ids], asked: list[int], answer: list[int]) -> Row:
        ids = self.form.build([passage.tolist() for passage in passages], asked)
        return Row(ids + answer, len(ids), answer == self._refusal)

    @property
    def _refusal(self) -> list[int]:
        mark = () if self.form.unanswerable is None else (self.form.unanswerable,)
        return [*mark, self.form.stop[0]]

    def _answer(self, window: Window, ask: Ask) -> Ids:
        """The quote as it stands in the window, so that answering is copying; else the answer as it was given."""
        if ask.quote[0] != UNKNOWN:
            return window.tokens_T[ask.quote[0] : ask.quote[1] + 1]
        return self.sets.answer_ids(ask.question)

    def _ended(self, answer_T: Ids) -> list[int]:
        """An answer with its end; one of ANSWER_TOKENS or more is cut short and has none."""
        answer: list[int] = answer_T[:ANSWER_TOKENS].tolist()
        return answer + ([self.form.stop[0]] if len(answer) < ANSWER_TOKENS else [])


def holds(passage_T: Ids, needle_T: Ids) -> bool:
    """Whether the passage contains these tokens in a row; an empty needle is contained nowhere."""
    if not len(needle_T) or len(needle_T) > len(passage_T):
        return False
    rows = np.lib.stride_tricks.sliding_window_view(passage_T, len(needle_T))
    return bool((rows == needle_T).all(axis=1).any())
