"""Full-text search with SQLite's FTS5; the one file that knows its query language.

Words are runs between spaces and punctuation: languages written without spaces are found by whole runs only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

from sqlalchemy import Connection, Row, TextClause, text
from sqlalchemy.exc import DatabaseError

from hmt_storage.border import reason
from hmt_storage.keyword import MOST_COUNTED, MOST_SCOPED, KeywordIndex, rarity

# bm25 is negative, better matches lower. Its weights: nothing for the memory's number, one for the text.
_RANKED = """
    SELECT rowid AS id, -bm25(segment_words, 0.0, 1.0) AS score
    FROM segment_words WHERE segment_words MATCH :expression LIMIT :most
"""
_ADDED = "SELECT rowid AS id, :weight{0} AS score FROM segment_words WHERE segment_words MATCH :with{0}"
_BEST = """
    SELECT best.score, s.number, s.memory_id
    FROM (SELECT id, score FROM ({}) ORDER BY score DESC LIMIT :first) AS best JOIN segments AS s ON s.id = best.id
"""
_COUNT = text("SELECT count(*) FROM (SELECT 1 FROM segment_words WHERE segment_words MATCH :expression LIMIT :most)")
_SIZE = text("SELECT coalesce(sum(segments), 0) FROM memories")


class _Fts5:
    def count(self, connection: Connection, term: str, *, most: int) -> int:
        return int(connection.execute(_COUNT, {"expression": _words([term]), "most": most}).scalar_one())

    def best(
        self,
        connection: Connection,
        counts: Mapping[str, int],
        *,
        finding: Collection[str],
        memories: Collection[int] | None,
        first: int,
    ) -> Sequence[Row[float, int, int]]:
        """bm25 reads every segment that has one of its words, so it is given those of `finding` alone.

        Each other word adds its weight to the segments found that have it, as if it stood there once.
        """
        expression = _words(finding)
        if memories is not None and len(memories) <= MOST_SCOPED:
            expression = "memory_id : (" + " OR ".join(f'"{memory}"' for memory in memories) + f") AND {expression}"
        asked: dict[str, object] = {"expression": expression, "most": MOST_COUNTED, "first": first}
        adding = [term for term in counts if term not in finding]
        segments = connection.execute(_SIZE).scalar_one() if adding else 0
        for place, term in enumerate(adding):
            asked[f"weight{place}"] = rarity(counts[term], segments)
            asked[f"with{place}"] = f"{expression} AND {_words([term])}"
        return connection.execute(_best(len(adding)), asked).all()

    def compact(self, connection: Connection) -> None:
        """Merge the index into one piece: until then, deleted words stay in its older pieces beside a tombstone.

        FTS5's own secure-delete needs SQLite 3.42, and older ones cannot read an index that has used it.
        """
        connection.execute(text("INSERT INTO segment_words(segment_words) VALUES ('optimize')"))
        connection.exec_driver_sql("PRAGMA user_version = 0")

    def note_deletion(self, connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA user_version = 1")

    def is_compact(self, connection: Connection) -> bool:
        return connection.exec_driver_sql("PRAGMA user_version").scalar() == 0

    def flaw(self, connection: Connection) -> str:
        """The index's own check is a write to SQLite."""
        try:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            if found != "ok":
                return f"SQLite finds the file damaged: {found}"
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken:
                return f"a row of {broken[0]} belongs to nothing"
            connection.execute(text("INSERT INTO segment_words(segment_words, rank) VALUES ('integrity-check', 1)"))
        except DatabaseError as error:
            return reason(error)
        return ""


FTS5: KeywordIndex = _Fts5()


@cache
def _best(adding: int) -> TextClause:
    if not adding:
        return text(_BEST.format(_RANKED))
    scores = [f"SELECT * FROM ({_RANKED})", *(_ADDED.format(place) for place in range(adding))]  # noqa: S608
    return text(_BEST.format(f"SELECT id, sum(score) AS score FROM ({' UNION ALL '.join(scores)}) GROUP BY id"))  # noqa: S608


def _words(asked_for: Collection[str]) -> str:
    # Terms hold letters, digits, marks and spaces only, so the quotes cannot be closed from inside.
    return "text : (" + " OR ".join(f'"{term}"' for term in asked_for) + ")"
