"""Full-text search over segments with SQLite's FTS5; the one file that knows its query language.

Words are runs between spaces and punctuation: languages written without spaces are found by whole runs only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from hmt_qa.keywords import terms
from hmt_qa.types import Hit, Place

_MOST_SCOPED = 64  # beyond, naming each memory in the expression costs more than ranking all and filtering

# bm25 is negative, better matches lower. Its weights: nothing for the memory's number, one for the text.
_SEARCH = text("""
    SELECT d.id, s.number, -bm25(segment_words, 0.0, 1.0) AS score
    FROM segment_words JOIN segments AS s ON s.id = segment_words.rowid JOIN documents AS d ON d.memory_id = s.memory_id
    WHERE segment_words MATCH :expression AND d.id IN (SELECT value FROM json_each(:documents))
    ORDER BY score DESC, d.id, s.number LIMIT :top
""")
# Everything is asked: the best segments first, then the documents that have them. A memory has few documents.
_SEARCH_ALL = text("""
    SELECT d.id, s.number, best.score
    FROM (
        SELECT rowid, -bm25(segment_words, 0.0, 1.0) AS score FROM segment_words
        WHERE segment_words MATCH :expression ORDER BY bm25(segment_words, 0.0, 1.0) LIMIT 4 * :top
    ) AS best JOIN segments AS s ON s.id = best.rowid JOIN documents AS d ON d.memory_id = s.memory_id
    ORDER BY best.score DESC, d.id, s.number LIMIT :top
""")
_MEMORIES = text("SELECT DISTINCT memory_id FROM documents WHERE id IN (SELECT value FROM json_each(:documents))")


def search(connection: Connection, question: str, *, documents: Sequence[str] | None, top: int) -> list[Hit]:
    """The `top` segments of `documents` (None: of all) by BM25 over any of the question's words, best first."""
    wanted = terms(question)
    if not wanted or top < 1:
        return []
    if documents is None:
        return _hits(connection.execute(_SEARCH_ALL, {"expression": _words(wanted), "top": top}))
    asked = json.dumps(list(documents))
    memories = connection.execute(_MEMORIES, {"documents": asked}).scalars().all()
    if not memories:
        return []
    parameters = {"expression": _expression(wanted, memories), "documents": asked, "top": top}
    return _hits(connection.execute(_SEARCH, parameters))


def _hits(rows: Any) -> list[Hit]:
    return [Hit(place=Place(document=document, segment=number), score=score) for document, number, score in rows]


def compact(connection: Connection) -> None:
    """Merge the index into one piece: until then, deleted words stay in its older pieces beside a tombstone.

    FTS5's own secure-delete needs SQLite 3.42, and older ones cannot read an index that has used it.
    """
    connection.execute(text("INSERT INTO segment_words(segment_words) VALUES ('optimize')"))


def _words(asked_for: Sequence[str]) -> str:
    # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
    return "text : (" + " OR ".join(f'"{term}"' for term in asked_for) + ")"


def _expression(asked_for: Sequence[str], memories: Sequence[int]) -> str:
    if len(memories) > _MOST_SCOPED:
        return _words(asked_for)
    return "memory_id : (" + " OR ".join(f'"{memory}"' for memory in memories) + f") AND {_words(asked_for)}"
