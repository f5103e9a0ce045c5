"""Puts another answer in the place of the one a passage holds, so that only reading it can tell.

A backbone that saw a question with its answer while it was trained answers from its weights, and what it is shown
teaches it nothing: of hmt-small's first trainings, F1 on questions it had seen was 0.68, 0.44 where the answer in the
passage had been replaced, and 0.51 on unseen questions (200 of each, SQuAD).

Shapes: T tokens · V vocabulary.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from hmt_qa.training.data import Ids
from hmt_qa.training.marks import Marks
from hmt_qa.training.questions import UNKNOWN, QuestionSets

LONGEST = 8  # tokens of an answer that is replaced
LENGTHS = 4  # answers of so many tokens and more are alike

Kind = tuple[bool, bool, int]


@dataclass(frozen=True)
class Substitutes:
    """Answers as they stand in their contexts, by kind: with a digit or not, with a capital or not, how long."""

    sets: QuestionSets
    marks: Marks
    of_kind: dict[Kind, list[int]]

    @classmethod
    def of(cls, sets: QuestionSets, marks: Marks) -> Substitutes:
        """All quotes of all sets."""
        made = cls(sets, marks, defaultdict(list))
        for number, (first, last) in enumerate(sets.answer_span_Q2.tolist()):
            if first != UNKNOWN and last - first < LONGEST:
                made.of_kind[made._kind(made._quote(number))].append(number)
        return made

    def draw(self, quote_T: Ids, rng: np.random.Generator) -> Ids | None:
        """Tokens of another answer of the same kind; None where the quote is too long or there is no other."""
        alike = self.of_kind.get(self._kind(quote_T), []) if len(quote_T) <= LONGEST else []
        if not alike:
            return None
        other_T = self._quote(alike[int(rng.integers(len(alike)))])
        return None if np.array_equal(other_T, quote_T) else other_T

    def _quote(self, number: int) -> Ids:
        first, last = self.sets.answer_span_Q2[number].tolist()
        return self.sets.context(int(self.sets.context_Q[number]))[first : last + 1]

    def _kind(self, quote_T: Ids) -> Kind:
        digit, capital = self.marks.digit_V[quote_T].any(), self.marks.capital_V[quote_T].any()
        return bool(digit), bool(capital), min(len(quote_T), LENGTHS)


def replaced(passage_T: Ids, old_T: Ids, new_T: Ids) -> Ids:
    """The passage with every run of `old_T` as `new_T`."""
    if not len(old_T) or len(old_T) > len(passage_T):
        return passage_T
    rows = np.lib.stride_tricks.sliding_window_view(passage_T, len(old_T))
    pieces, end = [], 0
    for start in np.flatnonzero((rows == old_T).all(axis=1)).tolist():
        if start >= end:
            pieces += [passage_T[end:start], new_T]
            end = start + len(old_T)
    return np.concatenate([*pieces, passage_T[end:]])
