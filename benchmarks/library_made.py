"""Makes a library of very many documents directly in the database, from a seeded generator; nothing is ingested.

Words follow Zipf's law over 50,000 made-up ones, each document has some words of its own. Memories are clustered as
hmt-small's own are: of 300 read from this repository's documents, 72 % of the squares are what all memories of a place
among the M of a segment have in common, 12.5 % their document's, 11.3 % their segment's, 4.2 % nothing's, and they are
7.2 +- 0.3 long.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.library import SqlLibrary

WORDS, WORDS_A_SEGMENT, SEGMENTS_A_PAGE = 50_000, 170, 2
LENGTH, LENGTH_SPREAD = 7.2, 0.3
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to make. `parts` memories of `width` numbers a segment."""

    documents: int
    segments: int
    model_id: str
    parts: int
    width: int
    topics: int = 400
    seed: int = 0


def vocabulary() -> list[str]:
    chance = np.random.default_rng(7)
    made: dict[str, None] = {}
    while len(made) < WORDS:
        made["".join(chance.choice(SYLLABLES, size=chance.integers(2, 5)))] = None
    return list(made)


def memories(plan: Plan, document: int, centres: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(segments, parts, width), float32."""
    parts_MD, topics_TD = centres
    chance = np.random.default_rng((plan.seed, document))
    topic = topics_TD[chance.integers(plan.topics)]
    own = chance.normal(size=plan.width)
    segments_N1D = chance.normal(size=(plan.segments, 1, plan.width))
    noise = chance.normal(size=(plan.segments, plan.parts, plan.width))
    rows = 0.85 * parts_MD + 0.3 * topic + 0.19 * own + 0.337 * segments_N1D + 0.204 * noise
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return (rows / length * chance.normal(LENGTH, LENGTH_SPREAD, size=length.shape)).astype(np.float32)


def centres(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(plan.seed)
    return chance.normal(size=(plan.parts, plan.width)), chance.normal(size=(plan.topics, plan.width))


def as_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, rounded."""
    return ((values.view(np.uint32) + 0x8000) >> 16).astype("<u2")


def texts(plan: Plan, document: int, words: np.ndarray) -> list[str]:
    chance = np.random.default_rng((plan.seed, document, 1))
    ranks = np.minimum(chance.zipf(1.25, size=(plan.segments, WORDS_A_SEGMENT)) - 1, WORDS - 1)
    own = chance.integers(1000, WORDS, size=8)
    places = chance.random(ranks.shape) < 0.05
    ranks[places] = chance.choice(own, size=int(places.sum()))
    return [" ".join(words[row]) + ".\n" for row in ranks]


def make(home: Path, plan: Plan) -> float:
    """Fill a new library; returns seconds."""
    began = time.perf_counter()
    SqlLibrary.open(home).close()
    words, middle = np.array(vocabulary()), centres(plan)
    with closing(sqlite3.connect(home / "library.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        for document in range(plan.documents):
            add(connection, plan, document, texts(plan, document, words), memories(plan, document, middle))
        connection.execute("INSERT INTO segment_words(segment_words) VALUES ('optimize')")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return time.perf_counter() - began


def add(connection: sqlite3.Connection, plan: Plan, document: int, pieces: list[str], rows: np.ndarray) -> None:
    memory, path = document + 1, f"/made/{document:06}.txt"
    digest = hashlib.sha256(path.encode()).hexdigest()
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    starts = [0, *ends[:-1]]
    pages = -(-plan.segments // SEGMENTS_A_PAGE)
    head = (memory, digest, "text", plan.model_id, "made", "bfloat16", plan.parts * plan.width, "text/plain", ends[-1])
    counts = (plan.segments, plan.segments * 256, pages, ends[-1], digest, True)
    connection.execute(f"INSERT INTO memories VALUES ({', '.join('?' * 15)})", head + counts)
    for page in range(pages):
        first, last = page * SEGMENTS_A_PAGE, min((page + 1) * SEGMENTS_A_PAGE, plan.segments) - 1
        row = PageRow(page + 1, starts[first], ends[last], 0.0, 0.0, str(page + 1), b"")
        connection.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (memory, *row, row.checksum))
    connection.executemany(
        f"INSERT INTO segments(memory_id, {', '.join(SegmentRow._fields)}, sha256) VALUES (?,?,?,?,?,?,?,?,?)",
        [(memory, *row, row.checksum) for row in segment_rows(pieces, starts, ends)],
    )
    raw = [packed.tobytes() for packed in as_bfloat16(rows)]
    connection.executemany(
        "INSERT INTO memory_rows VALUES (?, ?, ?, ?, ?)",
        [(memory, number, digest, hashlib.sha256(row).digest(), row) for number, row in enumerate(raw)],
    )
    identity = hashlib.sha256(f"default\0{path}".encode()).hexdigest()[:12]
    values = (identity, "default", path, f"Made {document}", False, memory, float(document))
    columns = "id, collection, path, title, renamed, memory_id, added_at"
    connection.execute(f"INSERT INTO documents({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def segment_rows(pieces: list[str], starts: list[int], ends: list[int]) -> Iterator[SegmentRow]:
    for number, (piece, start, end) in enumerate(zip(pieces, starts, ends, strict=True)):
        page = number // SEGMENTS_A_PAGE + 1
        yield SegmentRow(number, start, end, page, page, b"\1\0\0\0", piece)
