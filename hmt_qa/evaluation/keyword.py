"""BM25 over segments in a temporary SQLite FTS5 table: the product's tokenizer, query and scope, without its database.

The core may not import the storage layer; `tests/hmt_qa/evaluation` holds both against each other.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from hmt_qa.evaluation.documents import LongDocument

MOST_TERMS = 64
STOP_WORDS = frozenset(
    """a about am an and any are as at be been being but by can could did do does doing for from had has have having he
    her him his how i if in into is it its me my no nor not of on or our shall she should so some such than that the
    their them then there these they this those to was we were what when where which who whom whose why will with would
    you your tell say says said please according document text explain describe s t""".split()
)

Terms = Callable[[str], Sequence[str]]
"""A question's words and phrases to look for: `hmt_storage.keyword.terms`, or `terms` here, which equals it."""


def terms(question: str) -> list[str]:
    """Each word once, without stop words unless there is nothing else; then words written together, as phrases."""
    written = [_words(piece) for piece in question.casefold().split()]
    distinct = list(dict.fromkeys(word for words in written for word in words))
    telling = [word for word in distinct if word not in STOP_WORDS]
    phrases = list(dict.fromkeys(" ".join(words) for words in written if len(words) > 1))
    return ((telling or distinct) + phrases)[:MOST_TERMS]


def _words(piece: str) -> list[str]:
    """Runs of letters, digits and marks."""
    return "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in piece).split()


class KeywordIndex:
    """Segments of some documents; a search is for one document, word statistics are over all of them."""

    def __init__(self, documents: Sequence[LongDocument], *, terms: Terms = terms) -> None:
        self._terms = terms
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

    def search(self, question: str, *, document: int, top: int) -> list[int]:
        """Segment numbers of one document (by its place), best first."""
        wanted = self._terms(question)
        if not wanted:
            return []
        # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
        expression = f'memory_id : ("{document + 1}") AND text : (' + " OR ".join(f'"{term}"' for term in wanted) + ")"
        found = self._database.execute(
            "SELECT segment FROM words JOIN places ON places.id = words.rowid WHERE words MATCH ? "
            "ORDER BY bm25(words, 0.0, 1.0), segment LIMIT ?",
            (expression, top),
        )
        return [int(segment) for (segment,) in found]
