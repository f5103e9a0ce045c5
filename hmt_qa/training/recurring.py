"""Reading from plain text: a sentence with a name or number left out asks for it, the rest of the passage has it.

Recurring span selection (Ram et al. 2021, arXiv 2101.00438), as it teaches copying without questions by people.
Works on token ids alone. Shapes: T tokens of a passage · E spans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmt_qa.training.data import Ids
from hmt_qa.training.marks import Marks

LONGEST = 8  # tokens of a span
SENTENCE = (8, 48)  # tokens of a sentence that asks


@dataclass(frozen=True, slots=True)
class Recurring:
    """passage_T lacks the sentence that asks and still holds answer_T; ids: that sentence with a blank for it."""

    passage_T: Ids
    ids: list[int]
    answer_T: Ids


def recurring(passage_T: Ids, marks: Marks, blank: list[int], rng: np.random.Generator) -> Recurring | None:
    """A sentence of the passage that names what another one names too; None where there is none."""
    ends = np.flatnonzero(marks.closes_V[passage_T]) + 1
    places: dict[bytes, list[tuple[int, int, int]]] = defaultdict(list)  # by spelling: start, end, sentence
    for start, end in _names(passage_T, marks):
        places[passage_T[start:end].tobytes()].append((start, end, int(np.searchsorted(ends, start, side="right"))))
    asking = [
        (start, end, int(ends[sentence - 1]), int(ends[sentence]))
        for found in places.values()
        if len({sentence for *_, sentence in found}) > 1
        for start, end, sentence in found
        if 0 < sentence < len(ends)
        and start > ends[sentence - 1]
        and SENTENCE[0] <= ends[sentence] - ends[sentence - 1] <= SENTENCE[1]
    ]
    if not asking:
        return None
    start, end, first, last = asking[int(rng.integers(len(asking)))]
    words = [*passage_T[first:start].tolist(), *blank, *passage_T[end:last].tolist()]
    kept_T = np.concatenate([passage_T[:first], passage_T[last:]])
    return Recurring(kept_T, [word for word in words if not marks.newline_V[word]], passage_T[start:end])


def _names(passage_T: Ids, marks: Marks) -> Iterator[tuple[int, int]]:
    """Spans [start, end) of words that have a capital or a digit, as many in a row as there are."""
    begins_T = marks.word_V[passage_T]
    named_T = marks.capital_V[passage_T] | marks.digit_V[passage_T]
    long_T = marks.long_V[passage_T]
    goes_on_T = ~begins_T & marks.letters_V[passage_T]
    start = None
    for place, (begins, named, goes_on) in enumerate(zip(begins_T, named_T, goes_on_T, strict=True)):
        if start is not None and not (goes_on or (begins and named)):
            if place - start <= LONGEST and (place - start > 1 or long_T[start]):
                yield start, place
            start = None
        if start is None and begins and named:
            start = place
