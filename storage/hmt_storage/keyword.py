"""Full-text search over segments, by whichever index the database has; knows no query language.

What both share: BM25 over any of the question's words, and a bound on how much of a large library one question ranks
(docs/decisions/0026-rare-words-find-common-words-add.md).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection, Row

from hmt_qa.keywords import terms
from hmt_qa.types import Hit, Place

_MARGIN = 4  # times as many as are wanted
MOST_COUNTED = 30_000
"""Segments with a word up to which it is counted: a more common one says nothing, unless the question has no other."""
MOST_RANKED = 10_000
"""Matches up to which a question's words find places, the rarest first; the other words add to what those found."""
MOST_SCOPED = 64
"""Memories up to which a search is held to them from the start: then all words find places."""
_SATURATED = 1e-6  # FTS5's weight of a word that more than half of the segments have


class KeywordIndex(Protocol):
    """One database's index. `memories` limits a search to some; None is for all of them."""

    def count(self, connection: Connection, term: str, *, most: int) -> int:
        """How many segments hold a term (words that stand together), counted up to `most`."""
        ...

    def best(
        self,
        connection: Connection,
        counts: Mapping[str, int],
        *,
        finding: Collection[str],
        memories: Collection[int] | None,
        first: int,
    ) -> Sequence[Row[float, int, int]]:
        """(score, segment's number, memory) of the `first` best of the segments that hold a term of `finding`.

        All terms of `counts` score, of which `finding` are some.
        """
        ...

    def compact(self, connection: Connection) -> None:
        """Let the index forget deleted words, as far as that is done inside a transaction."""
        ...

    def note_deletion(self, connection: Connection) -> None:
        """Remember, in the transaction that deletes, that there is something to forget."""
        ...

    def is_compact(self, connection: Connection) -> bool:
        """Whether nothing was deleted since all was forgotten."""
        ...

    def flaw(self, connection: Connection) -> str:
        """What is wrong with the index, or with the database as a whole; nothing where all is in order."""
        ...


def index_of(connection: Connection) -> KeywordIndex:
    """The index of the database that this connection is to."""
    if connection.dialect.name == "sqlite":
        from hmt_storage.fts5 import FTS5

        return FTS5
    from hmt_storage.tsvector import TSVECTOR

    return TSVECTOR


def search(
    connection: Connection, question: str, *, of_memory: Mapping[int, Sequence[str]], everywhere: bool, top: int
) -> list[Hit]:
    """The `top` segments by BM25 over any of the question's words, best first.

    `of_memory` are the documents asked by their memories; `everywhere` says that there are no others. In a library so
    large that the words match more than can be ranked, the more common of them, which weigh less, find no places: they
    only add to the scores of those that the others found.
    """
    wanted = terms(question)
    if not wanted or not of_memory or top < 1:
        return []
    index = index_of(connection)
    counts = {term: count for term in wanted if (count := index.count(connection, term, most=MOST_COUNTED))}
    few = not everywhere and len(of_memory) <= MOST_SCOPED
    finding = list(counts) if few else _affordable(counts)
    scoring = {term: count for term, count in counts.items() if count < MOST_COUNTED or term in finding}
    memories = None if everywhere else of_memory.keys()
    first = _MARGIN * top
    while finding:
        rows = index.best(connection, scoring, finding=finding, memories=memories, first=first)
        hits = [
            Hit(place=Place(document=document, segment=number), score=score)
            for score, number, memory in rows
            for document in of_memory.get(memory, ())
        ]
        if len(hits) >= top or len(rows) < first:
            # Ties go by document and segment: what is beyond the margin could only be equal to the last of them.
            return sorted(hits, key=lambda hit: (-hit.score, hit.place.document, hit.place.segment))[:top]
        first *= 8
    return []


def rarity(count: int, segments: float) -> float:
    """How much a word says that `count` of the segments have: BM25's weight as FTS5 has it."""
    return max(math.log((segments - count + 0.5) / (count + 0.5)) if count < segments else 0.0, _SATURATED)


def _affordable(counts: Mapping[str, int]) -> list[str]:
    """The rarest of the terms whose matches can all be ranked; one at least, where there is any."""
    kept: list[str] = []
    matches = 0
    for term in sorted(counts, key=counts.__getitem__):
        matches += counts[term]
        if kept and matches > MOST_RANKED:
            break
        kept.append(term)
    return kept


def compact(connection: Connection) -> None:
    """See `KeywordIndex.compact`."""
    index_of(connection).compact(connection)


def note_deletion(connection: Connection) -> None:
    """See `KeywordIndex.note_deletion`."""
    index_of(connection).note_deletion(connection)


def is_compact(connection: Connection) -> bool:
    """See `KeywordIndex.is_compact`."""
    return index_of(connection).is_compact(connection)
