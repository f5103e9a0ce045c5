"""Full-text search with PostgreSQL's text search; the one file that knows its query language.

The migrations give each segment its words (`segments.words`) and an index of them. PostgreSQL ranks by cover density
only, so BM25 is computed here, with FTS5's constants and its weight of rare words. docs/decisions/0019.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Row, text

from hmt_storage.keyword import MOST_COUNTED, KeywordIndex, rarity

_SATURATION, _LENGTH = 1.2, 0.75  # BM25's k1 and b, FTS5's values

_PHRASE = "phraseto_tsquery('hmt_words', hmt_plain(:term))"
_COUNT = text(f"SELECT count(*) FROM (SELECT 1 FROM segments WHERE words @@ {_PHRASE} LIMIT :most) AS found")  # noqa: S608
_TERM = text(f"SELECT CAST({_PHRASE} AS text), tsvector_to_array(hmt_words(:term))")
_SIZE = text("SELECT coalesce(sum(segments), 0), coalesce(sum(characters), 0) FROM memories")

# How often a segment has a word is the number of the word's positions in it; words that stand together count once.
_BEST = text("""
    WITH matched AS (
        SELECT id, number, memory_id, words,
            :saturation * (1 - :length + :length * (char_end - char_start) / :average) AS norm
        FROM segments
        WHERE words @@ CAST(:expression AS tsquery)
            AND (CAST(:memories AS bigint[]) IS NULL OR memory_id = ANY(CAST(:memories AS bigint[])))
        LIMIT :ranked
    ), counted AS (
        SELECT m.number, m.memory_id, m.norm, a.weight, cardinality(w.positions) AS times
        FROM matched AS m CROSS JOIN LATERAL unnest(m.words) AS w
        JOIN unnest(CAST(:words AS text[]), CAST(:weights AS float8[])) AS a(lexeme, weight) USING (lexeme)
        UNION ALL
        SELECT m.number, m.memory_id, m.norm, a.weight, 1
        FROM matched AS m
        JOIN unnest(CAST(:phrases AS text[]), CAST(:phrase_weights AS float8[])) AS a(phrase, weight)
            ON m.words @@ CAST(a.phrase AS tsquery)
    )
    SELECT sum(weight * times * (:saturation + 1) / (times + norm)) AS score, number, memory_id
    FROM counted GROUP BY number, memory_id ORDER BY score DESC, memory_id, number LIMIT :first
""")


class _Tsvector:
    def count(self, connection: Connection, term: str, *, most: int) -> int:
        return int(connection.execute(_COUNT, {"term": term, "most": most}).scalar_one())

    def best(
        self,
        connection: Connection,
        counts: Mapping[str, int],
        *,
        finding: Collection[str],
        memories: Collection[int] | None,
        first: int,
    ) -> Sequence[Row[float, int, int]]:
        segments, characters = map(float, connection.execute(_SIZE).one())
        words: defaultdict[str, float] = defaultdict(float)
        phrases: defaultdict[str, float] = defaultdict(float)
        matching: list[str] = []
        for term, count in counts.items():
            phrase, lexemes = connection.execute(_TERM, {"term": term}).one()
            is_word = len(lexemes) == 1
            (words if is_word else phrases)[lexemes[0] if is_word else phrase] += rarity(count, segments)
            if term in finding:
                matching.append(f"({phrase})")
        asked = {
            "expression": " | ".join(matching),
            "words": list(words),
            "weights": list(words.values()),
            "phrases": list(phrases),
            "phrase_weights": list(phrases.values()),
            "memories": None if memories is None else list(memories),
        }
        constants = {"saturation": _SATURATION, "length": _LENGTH, "average": max(characters, 1.0) / segments}
        return connection.execute(_BEST, asked | constants | {"ranked": MOST_COUNTED, "first": first}).all()

    def compact(self, connection: Connection) -> None:
        """Nothing to do: vacuuming is done outside of transactions, and forgets the notes."""

    def note_deletion(self, connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO deletions DEFAULT VALUES")

    def is_compact(self, connection: Connection) -> bool:
        return connection.exec_driver_sql("SELECT NOT EXISTS (SELECT FROM deletions)").scalar() is True

    def flaw(self, connection: Connection) -> str:
        """Keys are the server's own to keep; whether each segment's words are those of its text is looked at."""
        wrong = connection.exec_driver_sql(
            "SELECT memory_id, number FROM segments WHERE words IS DISTINCT FROM hmt_words(text) LIMIT 1"
        ).first()
        return (
            f"the words of segment {wrong.number} of memory {wrong.memory_id} are not those of its text"
            if wrong
            else ""
        )


TSVECTOR: KeywordIndex = _Tsvector()
