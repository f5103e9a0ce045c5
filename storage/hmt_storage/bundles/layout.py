"""How a bundle is laid out: a SQLite file of four strict tables, and nothing else in it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.contents import Head, StoredRow

APPLICATION_ID = 0x484D5442  # "HMTB"
FORMAT = 2

_TYPES = {"int": "INTEGER", "str": "TEXT", "bytes": "BLOB", "float": "REAL"}


class BundledDocument(NamedTuple):
    """A document and the number of its memory in the bundle; `metadata` is a JSON object, or empty."""

    collection: str
    path: str
    title: str
    memory: int
    metadata: str


class BundledSegment(NamedTuple):
    """A segment with its memory row; `sha256` is the row's checksum, `text_sha256` that of its `SegmentRow`."""

    number: int
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    token_ids: bytes
    text: str
    text_sha256: bytes
    state_id: str
    sha256: bytes
    row: bytes

    @property
    def segment(self) -> SegmentRow:
        """The text's half."""
        return SegmentRow(*self[:7])

    @property
    def memory(self) -> StoredRow:
        """The memory's half."""
        return StoredRow(*self[8:])


def _columns(fields: Iterable[str], kind: type[tuple[object, ...]]) -> str:
    hints = kind.__annotations__
    return ", ".join(f"{name} {_TYPES[hints[name].__forward_arg__]} NOT NULL" for name in fields)


_NUMBERED = "memory INTEGER NOT NULL, {}, PRIMARY KEY (memory, number)"
_TABLES = {
    "bundle": "digest BLOB NOT NULL",
    "documents": f"{_columns(BundledDocument._fields, BundledDocument)}, PRIMARY KEY (collection, path)",
    "memories": f"number INTEGER PRIMARY KEY, {_columns(Head._fields, Head)}, digest BLOB NOT NULL",
    "pages": _NUMBERED.format(f"{_columns(PageRow._fields, PageRow)}, sha256 BLOB NOT NULL"),
    "segments": _NUMBERED.format(_columns(BundledSegment._fields, BundledSegment)),
}
SCHEMA = tuple(f"CREATE TABLE {name}({columns}) STRICT" for name, columns in _TABLES.items())


def objects(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Everything a database's schema holds, as it is written there: tables, indexes, triggers, views."""
    return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())


def expected_objects() -> set[tuple[str, ...]]:
    """What `objects` gives for a bundle."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        return objects(connection)


def bundle_digest(memories: Iterable[bytes], documents: Iterable[BundledDocument]) -> bytes:
    """One hash over the digests of all memories in order, and over the documents in theirs."""
    listed = json.dumps([list(document) for document in documents])
    return hashlib.sha256(b"".join(memories) + listed.encode()).digest()
