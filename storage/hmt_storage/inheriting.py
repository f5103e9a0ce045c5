"""What a replaced document's new memory takes over from its old one: segments that read the same, row for row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, literal, select, update

from hmt_qa.types import Page, Segment
from hmt_storage.checksums import SegmentRow
from hmt_storage.documents import Location, document_id
from hmt_storage.packing import pack_boxes, pack_tokens, storable
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S

_SEGMENT = ("char_start", "char_end", "page_first", "page_last", "token_ids", "text", "sha256")
_OWN = {"id", "memory_id", "number"}  # of the row itself; whatever else a table has, or will have, is copied
_PAGE = ("label", "width", "height", "boxes")


def segment_columns(segment: Segment) -> dict[str, object]:
    """A segment as its row has it, number apart."""
    row = SegmentRow(
        number=segment.number,
        char_start=segment.char_start,
        char_end=segment.char_end,
        page_first=segment.page_first,
        page_last=segment.page_last,
        token_ids=pack_tokens(segment.token_ids),
        text=storable(segment.text),
    )
    columns: dict[str, object] = {name: value for name, value in row._asdict().items() if name != "number"}
    return columns | {"sha256": row.checksum}


def page_columns(page: Page) -> dict[str, Any]:
    """A page as its row has it, number and place apart."""
    size = {"width": page.width, "height": page.height}
    return {"label": storable(page.label), **size, "boxes": pack_boxes(page.boxes)}


def predecessor(connection: Connection, location: Location, memory_id: int) -> tuple[int, int]:
    """(memory, its segments) that the document of this location is answered from, if `memory_id` may go on from it.

    (0, 0) where there is none, or where another model, reader or number format wrote it.
    """
    new = select(M.reader, M.model_id, M.dtype, M.hidden).where(M.id == memory_id).subquery()
    same = (M.reader == new.c.reader) & (M.model_id == new.c.model_id)
    same &= (M.dtype == new.c.dtype) & (M.hidden == new.c.hidden)
    found = connection.execute(
        select(M.id, M.segments)
        .join(D, D.memory_id == M.id)
        .where(D.id == document_id(location), M.id != memory_id, M.complete, same)
    ).one_or_none()
    return (found.id, found.segments) if found else (0, 0)


def agrees(connection: Connection, memory_id: int, segment: Segment, *, state_id: str, pages: Sequence[Page]) -> bool:
    """Whether this memory holds exactly this segment and these pages, which begin in it, under this state id."""
    query = select(R.state_id, *(getattr(S, name) for name in _SEGMENT))
    query = query.join(R, (R.memory_id == S.memory_id) & (R.number == S.number))
    found = connection.execute(query.where(S.memory_id == memory_id, S.number == segment.number)).one_or_none()
    if found is None or dict(found._mapping) != {"state_id": state_id, **segment_columns(segment)}:
        return False
    numbers = [page.number for page in pages]
    stored = connection.execute(
        select((P.char_end - P.char_start).label("length"), *(getattr(P, name) for name in _PAGE))
        .where(P.memory_id == memory_id, P.number.in_(numbers))
        .order_by(P.number)
    )
    return [dict(row._mapping) for row in stored] == [
        {"length": len(page.text), **page_columns(page)} for page in pages
    ]


def copy(connection: Connection, old: int, new: int, *, segments: range, pages: range) -> dict[str, object]:
    """Copy these segments and pages from one memory to another; returns the new memory's counters.

    Raises LookupError where the old memory does not hold them (any more).
    """
    for table, numbers in ((S, segments), (R, segments), (P, pages)):
        names = [name for name in table.__table__.columns.keys() if name not in _OWN]  # noqa: SIM118 - no dict
        columns = ["memory_id", "number", *names]
        chosen = select(literal(new), table.number, *(getattr(table, name) for name in names)).where(
            table.memory_id == old, table.number >= numbers.start, table.number < numbers.stop
        )
        copying = insert(table).from_select(columns, chosen.order_by(table.number))
        copied = connection.execute(copying, execution_options={"preserve_rowcount": True}).rowcount
        if copied != len(numbers):
            raise LookupError(f"memory {old} has {copied} of {len(numbers)} {table.__tablename__}")
    _note_settings(connection, old, new)
    last = connection.execute(
        select(S.char_end, R.state_id)
        .join(R, (R.memory_id == S.memory_id) & (R.number == S.number))
        .where(S.memory_id == new, S.number == segments.stop - 1)
    ).one()
    tokens = connection.execute(select(func.sum(func.length(S.token_ids))).where(S.memory_id == new)).scalar_one()
    counts = {"segments": segments.stop, "pages": pages.stop - 1, "tokens": tokens // 4}
    return {**counts, "characters": last.char_end, "state_id": last.state_id}


def pages_begun(connection: Connection, memory_id: int, segments: int) -> int:
    """How many pages begin in the first `segments` segments."""
    end = select(S.char_end).where(S.memory_id == memory_id, S.number == segments - 1).scalar_subquery()
    count = select(func.count()).select_from(P).where(P.memory_id == memory_id, P.char_start < end)
    return connection.execute(count).scalar_one()


def _note_settings(connection: Connection, old: int, new: int) -> None:
    """Rows that were computed under another setting bring its name with them."""
    rows = connection.execute(select(M.id, M.setting).where(M.id.in_((old, new))))
    settings = {identity: setting for identity, setting in rows}  # noqa: C416 - a Row is no pair to the type checker
    both = dict.fromkeys([*settings[old].splitlines(), *settings[new].splitlines()])
    connection.execute(update(M).where(M.id == new).values(setting="\n".join(both)))
