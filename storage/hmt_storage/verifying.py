"""Looks whether everything in the library is what was stored, down to the byte; changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError

from hmt_qa.types import Verdict
from hmt_storage.contents import Flaw, check_head, checked_pages, checked_segments
from hmt_storage.documents import Location, document_id
from hmt_storage.stored import head_of, pages_of, segments_of
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.verifying_chats import metadata_flaw


def verify_documents(connection: Connection) -> Iterator[Verdict]:
    """A verdict on each document, oldest first."""
    flaws: dict[int, str] = {}
    rows = select(D.id, D.collection, D.path, D.title, D.memory_id).order_by(D.added_at, D.id)
    for row in connection.execute(rows).all():
        if row.memory_id not in flaws:
            flaws[row.memory_id] = _flaw(connection, row.memory_id)
        flaw = flaws[row.memory_id]
        if row.id != document_id(Location(row.collection, row.path)):
            flaw = "its collection or path is not the one it was stored with"
        flaw = flaw or metadata_flaw(connection, row.id)
        yield Verdict(document=row.id, title=row.title, ok=not flaw, detail=flaw or "as stored")


def verify_file(connection: Connection) -> Verdict:
    """A verdict on the file and its full-text index; the index's own check is a write to SQLite."""
    try:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if found != "ok":
            return Verdict(document="", title="", ok=False, detail=f"SQLite finds the file damaged: {found}")
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken:
            return Verdict(document="", title="", ok=False, detail=f"a row of {broken[0]} belongs to nothing")
        connection.execute(text("INSERT INTO segment_words(segment_words, rank) VALUES ('integrity-check', 1)"))
    except DatabaseError as error:
        return Verdict(document="", title="", ok=False, detail=_reason(error))
    return Verdict(document="", title="", ok=True, detail="the file and its full-text index are in order")


def _flaw(connection: Connection, memory_id: int) -> str:
    """What is wrong with a memory, or nothing."""
    try:
        head = head_of(connection, memory_id)
        check_head(head)
        for _ in checked_pages(head, pages_of(connection, memory_id)):
            pass
        for _ in checked_segments(head, segments_of(connection, memory_id)):
            pass
    except Flaw as flaw:
        return str(flaw)
    except DatabaseError as error:
        return _reason(error)
    return ""


def _reason(error: DatabaseError) -> str:
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CORRUPT:
        return f"SQLite finds it damaged: {cause}"
    return str(cause)
