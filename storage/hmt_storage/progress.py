"""How much of a document an unfinished memory holds, to the part of a page."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hmt_storage.jobs import Counters
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import PageRecord as P


def committed(connection: Connection, memory_id: int) -> Counters:
    """What has been read to its end. A page is stored when it begins: of the last one a part may be outstanding."""
    memory = connection.execute(select(M.pages, M.segments, M.tokens, M.characters).where(M.id == memory_id)).one()
    last = select(P.char_start, P.char_end).where(P.memory_id == memory_id, P.number == memory.pages)
    start, end = connection.execute(last).one_or_none() or (0, 0)
    is_partial = memory.characters < end
    return Counters(
        pages=memory.pages - is_partial,
        page_share=(memory.characters - start) / (end - start) if is_partial else 0.0,
        segments=memory.segments,
        tokens=memory.tokens,
    )
