"""BM25 over segments in a temporary SQLite FTS5 table: the product's tokenizer, query and scope, without its database.

The core may not import the storage layer; `tests/hmt_qa/evaluation` holds both against each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from hmt_qa.evaluation.documents import LongDocument
from hmt_qa.keywords import terms


class KeywordIndex:
    """Segments of some documents; a search is for one document, word statistics are over all of them."""

    def __init__(self, documents: Sequence[LongDocument]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute(
            "CREATE VIRTUAL TABLE words USING fts5(memory_id, text, tokenize='porter unicode61 remove_diacritics 2')"
        )
        self._database.execute("CREATE TABLE places (id INTEGER PRIMARY KEY, segment INTEGER)")
        rows = [(place, segment) for place, document in enumerate(documents, 1) for segment in document.segments]
        self._database.executemany(
            "INSERT INTO words(rowid, memory_id, text) VALUES (?, ?, ?)",
            ((number, str(place), segment.text) for number, (place, segment) in enumerate(rows, 1)),
        )
        self._database.executemany(
            "INSERT INTO places VALUES (?, ?)", ((number, s.number) for number, (_, s) in enumerate(rows, 1))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def search(self, question: str, *, document: int, top: int) -> dict[int, float]:
        """Segments of one document (by its place) with their BM25 scores, best first."""
        wanted = terms(question)
        if not wanted:
            return {}
        # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
        expression = f'memory_id : ("{document + 1}") AND text : (' + " OR ".join(f'"{term}"' for term in wanted) + ")"
        found = self._database.execute(
            "SELECT segment, -bm25(words, 0.0, 1.0) FROM words JOIN places ON places.id = words.rowid "
            "WHERE words MATCH ? ORDER BY bm25(words, 0.0, 1.0), segment LIMIT ?",
            (expression, top),
        )
        return {int(segment): float(score) for segment, score in found}
