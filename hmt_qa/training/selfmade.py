"""Questions made from plain text: a heading, a docstring's first line or a sentence asks for the place it stood in.

Works on token ids alone. Half of the spans are taken out of the text, so that likeness of words is not enough.
Shapes: T tokens of a window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmt_qa.training.data import Ids
from hmt_qa.training.marks import Marks

LONGEST = 48  # tokens of a made question
SHORTEST_SENTENCE = 8
SHORTEST_TITLE = 2
TITLE_WEIGHT = 6.0  # headings and docstrings are rarer than sentences and more like questions
TAKEN_OUT = 0.5
THINNED = 0.3  # share of questions that keep only some of their words, as people type them
NEAR = 24  # tokens; a span this close to a segment's edge has its surroundings in both segments


@dataclass(frozen=True, slots=True)
class Made:
    """A question's ids and the tokens [first, last] of the remaining text that surround where it stood."""

    ids: list[int]
    first: int
    last: int


def make(window_T: Ids, marks: Marks, rng: np.random.Generator, count: int) -> tuple[Ids, list[Made]]:
    """The window without the spans taken out, and at most `count` questions about it, in the order of the text."""
    spans_E3 = _spans(window_T, marks)
    if not len(spans_E3):
        return window_T, []
    weights_E = np.where(spans_E3[:, 2] > 0, TITLE_WEIGHT, 1.0)
    chosen = rng.choice(len(spans_E3), min(count, len(spans_E3)), replace=False, p=weights_E / weights_E.sum())
    kept_T = np.ones(len(window_T), dtype=np.bool_)
    placed = []
    for start, end, title in spans_E3[np.sort(chosen)].tolist():
        out = rng.random() < TAKEN_OUT
        if out:
            kept_T[start:end] = False
        placed.append((start, end, title, out))
    moved_T = np.concatenate([[0], np.cumsum(kept_T)])  # place in the remaining text, (T + 1,)
    made = []
    for start, end, title, out in placed:
        first, last = int(moved_T[start]), int(moved_T[end])
        around = (first - NEAR * (not title), first + NEAR) if out else (first, max(first, last - 1) + NEAR * title)
        made.append(Made(_question(window_T[start:end], marks, rng), max(around[0], 0), around[1]))
    return window_T[kept_T], [item for item in made if item.ids]


def _spans(window_T: Ids, marks: Marks) -> npt.NDArray[np.int64]:
    """Rows [start, end, is a title]: lines and sentences that can serve as questions, never overlapping."""
    ends = np.flatnonzero(marks.closes_V[window_T]) + 1
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)]
    heads = window_T[np.minimum(starts, len(window_T) - 1)]
    after = window_T[np.minimum(starts + 1, len(window_T) - 1)]
    title = marks.heading_V[heads] | marks.docstring_V[heads] | marks.docstring_V[after]
    length = ends - starts
    shortest = np.where(title, SHORTEST_TITLE + 1, SHORTEST_SENTENCE)
    good = (length >= shortest) & (length <= LONGEST)
    good[:1] = False  # what comes before a window's first sentence end is half a sentence
    rows_E3: npt.NDArray[np.int64] = np.stack([starts, ends, title.astype(np.int64)], axis=1)[good].astype(np.int64)
    return rows_E3


def _question(span_T: Ids, marks: Marks, rng: np.random.Generator) -> list[int]:
    """The span without marks and line ends; in part of the cases only some of its tokens, in order."""
    bare = span_T[~(marks.heading_V[span_T] | marks.docstring_V[span_T] | marks.newline_V[span_T])]
    if len(bare) >= SHORTEST_SENTENCE and rng.random() < THINNED:
        bare = bare[np.sort(rng.permutation(len(bare))[: max(4, int(len(bare) * rng.uniform(0.4, 0.8)))])]
    return [int(token) for token in bare]
