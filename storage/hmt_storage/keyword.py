"""Full-text search over segments, by whichever index the database has; knows no query language.

What both share: BM25 over any of the question's words, and a bound on how much of a large library one question ranks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection, Row

from hmt_qa.keywords import terms
from hmt_qa.types import Hit, Place

_MARGIN = 4  # times as many as are wanted
MOST_RANKED = 30_000
"""Matches that a question may have all ranked: BM25 reads the list of every word, however common, to the end."""


class KeywordIndex(Protocol):
    """One database's index. `memories` limits a search to some; None is for all of them."""

    def count(self, connection: Connection, term: str, *, most: int) -> int:
        """How many segments hold a term (words that stand together), counted up to `most`."""
        ...

    def best(
        self, connection: Connection, counts: Mapping[str, int], *, memories: Collection[int] | None, first: int
    ) -> Sequence[Row[float, int, int]]:
        """(score, segment's number, memory) of the `first` best by the terms of `counts`, best first."""
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
    large that the words match more than can be ranked, the most common of them are left out: they weigh least.
    """
    wanted = terms(question)
    if not wanted or not of_memory or top < 1:
        return []
    index = index_of(connection)
    counts = _affordable({term: index.count(connection, term, most=MOST_RANKED) for term in wanted})
    first = _MARGIN * top
    while True:
        rows = index.best(connection, counts, memories=None if everywhere else of_memory.keys(), first=first)
        hits = [
            Hit(place=Place(document=document, segment=number), score=score)
            for score, number, memory in rows
            for document in of_memory.get(memory, ())
        ]
        if len(hits) >= top or len(rows) < first:
            # Ties go by document and segment: what is beyond the margin could only be equal to the last of them.
            return sorted(hits, key=lambda hit: (-hit.score, hit.place.document, hit.place.segment))[:top]
        first *= 8


def _affordable(counts: Mapping[str, int]) -> dict[str, int]:
    """The rarest of the terms, in their order, whose matches can all be ranked; one at least."""
    kept: set[str] = set()
    matches = 0
    for term in sorted(counts, key=counts.__getitem__):
        matches += counts[term]
        if kept and matches > MOST_RANKED:
            break
        kept.add(term)
    return {term: count for term, count in counts.items() if term in kept}


def compact(connection: Connection) -> None:
    """See `KeywordIndex.compact`."""
    index_of(connection).compact(connection)


def note_deletion(connection: Connection) -> None:
    """See `KeywordIndex.note_deletion`."""
    index_of(connection).note_deletion(connection)


def is_compact(connection: Connection) -> bool:
    """See `KeywordIndex.is_compact`."""
    return index_of(connection).is_compact(connection)
