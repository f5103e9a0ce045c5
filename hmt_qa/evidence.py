"""Which of the places found are read: nothing twice, and of a comparison each document.

Knows ranks and text; no model and no library.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

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
    found: Sequence[Evidence], *, top: int, spanned: Collection[str] = (), without: Sequence[StoredSegment] = ()
) -> list[Evidence]:
    """The `top` best of `found`, which are best first, without copies of those above them.

    `spanned` are documents that a question is about together: they take turns, and what one of them says is kept though
    another says it too. Segments `without`, and copies of them, are left out.
    """
    shunned = [_Wording.of(segment.text) for segment in without]
    if not spanned:
        return list(_fresh(found, shunned))[:top]
    documents = dict.fromkeys(item.segment.place.document for item in found if item.segment.place.document in spanned)
    of_each = ([item for item in found if item.segment.place.document == document] for document in documents)
    turns = zip_longest(*(_fresh(items, shunned) for items in of_each))
    return [item for item in chain.from_iterable(turns) if item is not None][:top]


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
