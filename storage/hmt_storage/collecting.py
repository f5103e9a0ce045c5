"""Removes what nothing refers to: memories that no document reads and no job writes, and rows without their owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from hmt_qa.types import Collected
from hmt_storage.tables import ConversationRecord as C
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import JobRecord as J
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import MetadataRecord, TurnSegmentRecord
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S
from hmt_storage.tables import TurnRecord as T

# Their owner's deletion takes these along; a tool that switches foreign keys off leaves them.
_OWNED: tuple[tuple[str, Any, Any], ...] = (("pages", P, P.boxes), ("segments", S, S.text), ("memory rows", R, R.row))
_ORPHANS: tuple[tuple[str, Any, Any, Any], ...] = (
    *((name, kind.memory_id, M.id, column) for name, kind, column in _OWNED),
    ("turns", T.conversation_id, C.id, T.answer),
    ("turn segments", TurnSegmentRecord.conversation_id, C.id, TurnSegmentRecord.row),
    ("metadata", MetadataRecord.document_id, D.id, MetadataRecord.content),
)


def collect(connection: Connection) -> Iterator[Collected]:
    """Delete it, and say what it was; kinds of which there was nothing are left out."""
    read, written = exists().where(D.memory_id == M.id), exists().where(J.memory_id == M.id)
    unused = connection.execute(select(M.id).where(~read, ~(written & ~M.complete))).scalars().all()
    size = 0
    for memory_id in unused:
        size += sum(_size(connection, kind.memory_id == memory_id, column) for _, kind, column in _OWNED)
        connection.execute(delete(M).where(M.id == memory_id))
    if unused:
        yield Collected(kind="memories", count=len(unused), size_bytes=size)
    for name, owner, owners, column in _ORPHANS:
        orphaned = owner.not_in(select(owners))
        size = _size(connection, orphaned, column)
        count = connection.execute(delete(owner.class_).where(orphaned)).rowcount
        if count:
            yield Collected(kind=name, count=count, size_bytes=size)


def _size(connection: Connection, condition: Any, column: Any) -> int:
    return int(
        connection.execute(select(func.coalesce(func.sum(func.length(column)), 0)).where(condition)).scalar_one()
    )
