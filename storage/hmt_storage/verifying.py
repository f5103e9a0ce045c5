"""Looks whether everything in the library is what was stored, down to the byte; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from hmt_qa.types import Verdict
from hmt_storage.border import reason
from hmt_storage.contents import Flaw, check_head, checked_pages, checked_segments
from hmt_storage.documents import Location, document_id
from hmt_storage.keyword import index_of
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


def verify_whole(connection: Connection) -> Verdict:
    """A verdict on the database and its full-text index."""
    flaw = index_of(connection).flaw(connection)
    detail = flaw or "the library and its full-text index are in order"
    return Verdict(document="", title="", ok=not flaw, detail=detail)


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
        return reason(error)
    return ""
