"""Which of the places found are read: nothing twice, and of a comparison each document.

Knows ranks and text; no model and no library.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from hmt_qa.retrieval import RankedPlace
from hmt_qa.types import StoredSegment

SPARE = 4  # times as many places are looked at as are read: copies among them make room for others
ALIKE = 0.8  # share of word triples that two segments have in common, from which one adds nothing to the other
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A recalled segment with its rank's figures."""

    place: RankedPlace
    segment: StoredSegment


def choose(
    found: Sequence[Evidence],
    *,
    top: int,
    spanned: Collection[str] = (),
    without: Sequence[StoredSegment] = (),
    budget: int | None = None,
) -> list[Evidence]:
    """The `top` best of `found`, which are best first, without copies of those above them.

    `spanned` are documents that a question is about together: they take turns, and what one of them says is kept though
    another says it too. Segments `without`, and copies of them, are left out. Those that come after `budget` tokens are
    too; the first is always kept.
    """
    shunned = [_Wording.of(segment.text) for segment in without]
    chosen = islice(_in_turns(found, spanned, shunned) if spanned else _fresh(found, shunned), top)
    return list(chosen if budget is None else _within(budget, chosen))


def _within(budget: int, evidence: Iterable[Evidence]) -> Iterator[Evidence]:
    spent = 0
    for number, item in enumerate(evidence):
        spent += len(item.segment.token_ids)
        if number and spent > budget:
            return
        yield item


def _in_turns(found: Sequence[Evidence], spanned: Collection[str], shunned: Sequence[_Wording]) -> Iterator[Evidence]:
    documents = dict.fromkeys(item.segment.place.document for item in found if item.segment.place.document in spanned)
    of_each = ([item for item in found if item.segment.place.document == document] for document in documents)
    turns = zip_longest(*(_fresh(items, shunned) for items in of_each))
    return (item for item in chain.from_iterable(turns) if item is not None)


def neighbours(evidence: Sequence[Evidence]) -> list[list[Evidence]]:
    """Runs of segments with text that follow on each other, the best one's first; one without text is a run alone."""
    rank = {item.segment.place: number for number, item in enumerate(evidence)}
    runs: list[list[Evidence]] = []
    for item in sorted(evidence, key=lambda item: (item.segment.place.document, item.segment.place.segment)):
        before = runs[-1][-1].segment if runs else None
        if before is not None and before.token_ids and item.segment.token_ids and _follows(before, item.segment):
            runs[-1].append(item)
        else:
            runs.append([item])
    return sorted(runs, key=lambda run: min(rank[item.segment.place] for item in run))


def _follows(before: StoredSegment, segment: StoredSegment) -> bool:
    return (before.place.document, before.place.segment + 1) == (segment.place.document, segment.place.segment)


@dataclass(frozen=True, slots=True)
class _Wording:
    """A text as its words. Two that differ in a number are never alike, whatever else they share."""

    words: tuple[str, ...]
    triples: frozenset[tuple[str, ...]]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> _Wording:
        words = tuple(_WORD.findall(text.casefold()))
        triples = frozenset(zip(words, words[1:], words[2:], strict=False))
        return cls(words, triples, tuple(sorted(word for word in words if not word.isalpha())))

    def is_like(self, other: _Wording) -> bool:
        if self.words == other.words:
            return bool(self.words)  # of a document without its text nothing is known to be a copy
        if self.numbers != other.numbers:
            return False
        return len(self.triples & other.triples) >= ALIKE * max(1, len(self.triples | other.triples))


def _fresh(found: Iterable[Evidence], shunned: Sequence[_Wording]) -> Iterator[Evidence]:
    """Those that are like none before them and none of `shunned`."""
    seen = list(shunned)
    for item in found:
        wording = _Wording.of(item.segment.text)
        if not any(wording.is_like(other) for other in seen):
            seen.append(wording)
            yield item
