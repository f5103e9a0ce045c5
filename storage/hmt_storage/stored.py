"""A stored memory as the rows that `contents` checks."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.contents import Head, StoredRow
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import MetadataRecord
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S

_CHUNKS = {"yield_per": 256}  # rows fetched at a time: a memory is never held whole


def head_of(connection: Connection, memory_id: int) -> Head:
    """What a memory says of itself."""
    columns = [getattr(M, name) for name in Head._fields]
    return Head(*connection.execute(select(*columns).where(M.id == memory_id)).one())


def pages_of(connection: Connection, memory_id: int) -> Iterator[tuple[PageRow, bytes]]:
    """Its pages with their stored checksums, in order."""
    columns = [getattr(P, name) for name in PageRow._fields]
    query = select(*columns, P.sha256).where(P.memory_id == memory_id).order_by(P.number)
    with connection.execute(query, execution_options=_CHUNKS) as found:  # closed also where a flaw ends the reading
        for *page, checksum in found:
            yield PageRow(*page), checksum


def segments_of(connection: Connection, memory_id: int) -> Iterator[tuple[SegmentRow, bytes, StoredRow]]:
    """Its segments with their stored checksums and memory rows, in order; a row that is missing is an empty one."""
    texts = [getattr(S, name) for name in SegmentRow._fields]
    query = (
        select(*texts, S.sha256, R.state_id, R.sha256, R.row)
        .join(R, (R.memory_id == S.memory_id) & (R.number == S.number), isouter=True)
        .where(S.memory_id == memory_id)
        .order_by(S.number)
    )
    with connection.execute(query, execution_options=_CHUNKS) as found:
        for *text, checksum, state_id, row_checksum, memory in found:
            yield SegmentRow(*text), checksum, StoredRow(state_id or "", row_checksum or b"", memory or b"")


def kept_metadata(connection: Connection, document_id: str) -> str:
    """What a caller keeps about a document, as JSON; empty where nothing is kept."""
    query = select(MetadataRecord.content).where(MetadataRecord.document_id == document_id)
    return connection.execute(query).scalar() or ""
