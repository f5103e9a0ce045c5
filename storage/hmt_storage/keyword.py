"""Full-text search over segments with SQLite's FTS5; the one file that knows its query language.

Words are runs between spaces and punctuation: languages written without spaces are found by whole runs only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from hmt_qa.keywords import terms
from hmt_qa.types import Hit, Place

_MARGIN = 4  # times as many as are wanted
_MOST_SCOPED = 64  # beyond, naming each memory in the expression costs more than ranking all and filtering
_MOST_RANKED = 30_000
"""Matches that a question may have all ranked: BM25 reads the list of every word, however common, to the end."""

# bm25 is negative, better matches lower. Its weights: nothing for the memory's number, one for the text.
_BEST = text("""
    SELECT best.score, s.number, s.memory_id
    FROM (
        SELECT row AS id, score FROM (
            SELECT rowid AS row, -bm25(segment_words, 0.0, 1.0) AS score
            FROM segment_words WHERE segment_words MATCH :expression LIMIT :ranked
        ) ORDER BY score DESC LIMIT :first
    ) AS best JOIN segments AS s ON s.id = best.id
""")
_COUNT = text("SELECT count(*) FROM (SELECT 1 FROM segment_words WHERE segment_words MATCH :expression LIMIT :most)")


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
    expression = _words(_affordable(connection, wanted))
    if len(of_memory) <= _MOST_SCOPED and not everywhere:
        expression = "memory_id : (" + " OR ".join(f'"{memory}"' for memory in of_memory) + f") AND {expression}"
    first = _MARGIN * top
    while True:
        limits = {"expression": expression, "ranked": _MOST_RANKED, "first": first}
        rows = connection.execute(_BEST, limits).all()
        hits = [
            Hit(place=Place(document=document, segment=number), score=score)
            for score, number, memory in rows
            for document in of_memory.get(memory, ())
        ]
        if len(hits) >= top or len(rows) < first:
            # Ties go by document and segment: what is beyond the margin could only be equal to the last of them.
            return sorted(hits, key=lambda hit: (-hit.score, hit.place.document, hit.place.segment))[:top]
        first *= 8


def _affordable(connection: Connection, wanted: Sequence[str]) -> list[str]:
    """The rarest of the words, in their order, whose matches can all be ranked; one at least."""
    counts = {}
    for term in wanted:
        parameters = {"expression": _words([term]), "most": _MOST_RANKED}
        counts[term] = connection.execute(_COUNT, parameters).scalar_one()
    kept: set[str] = set()
    matches = 0
    for term in sorted(counts, key=counts.__getitem__):
        matches += counts[term]
        if kept and matches > _MOST_RANKED:
            break
        kept.add(term)
    return [term for term in wanted if term in kept]


def compact(connection: Connection) -> None:
    """Merge the index into one piece: until then, deleted words stay in its older pieces beside a tombstone.

    FTS5's own secure-delete needs SQLite 3.42, and older ones cannot read an index that has used it.
    """
    connection.execute(text("INSERT INTO segment_words(segment_words) VALUES ('optimize')"))
    connection.exec_driver_sql("PRAGMA user_version = 0")


def note_deletion(connection: Connection) -> None:
    """Remember, in the transaction that deletes, that the index is to be compacted."""
    connection.exec_driver_sql("PRAGMA user_version = 1")


def is_compact(connection: Connection) -> bool:
    """Whether nothing was deleted since it was compacted."""
    return connection.exec_driver_sql("PRAGMA user_version").scalar() == 0


def _words(asked_for: Sequence[str]) -> str:
    # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
    return "text : (" + " OR ".join(f'"{term}"' for term in asked_for) + ")"
