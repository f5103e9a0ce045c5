"""What a memory holds, given back: text, pages, boxes, segments and the memory rows."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, select, text

from hmt_qa.errors import DamagedMemory, UnknownDocument
from hmt_qa.types import PageSpan, Place, QuoteBox, StoredMemory, StoredRow, StoredSegment, TextBox
from hmt_storage.catalog import Listed
from hmt_storage.packing import row_bytes, unpack_boxes, unpack_boxes_of, unpack_tokens
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import SegmentRecord as S

T = TypeVar("T")

# Any number of places as one parameter: a JSON list of [memory, segment] becomes rows.
_PLACES = {
    "sqlite": (
        "SELECT key AS place, json_extract(value, '$[0]') AS memory_id, json_extract(value, '$[1]') AS number "
        "FROM json_each(:places)"
    ),
    "postgresql": (
        "SELECT ordinality - 1 AS place, CAST(value->>0 AS bigint) AS memory_id, CAST(value->>1 AS bigint) AS number "
        "FROM jsonb_array_elements(CAST(:places AS jsonb)) WITH ORDINALITY"
    ),
}
_SEGMENTS = (
    "SELECT p.place, s.char_start, s.char_end, s.page_first, s.page_last, s.token_ids, s.text, "
    "coalesce(g.label, '') FROM ({}) AS p JOIN segments AS s USING (memory_id, number) "
    "LEFT JOIN pages AS g ON g.memory_id = s.memory_id AND g.number = s.page_first"
)
_ROWS = 'SELECT p.place, r.sha256, r."row" FROM ({}) AS p JOIN memory_rows AS r USING (memory_id, number)'


def page_spans(connection: Connection, memory_id: int) -> list[PageSpan]:
    """All pages in order."""
    query = select(P.number, P.label, P.char_start, P.char_end).where(P.memory_id == memory_id).order_by(P.number)
    return [
        PageSpan(number=number, label=label, char_start=start, char_end=end)
        for number, label, start, end in connection.execute(query)
    ]


def text_at(connection: Connection, memory_id: int, start: int, end: int) -> str:
    """The text at [start, end), cut to the document; empty where the span is."""
    start, end = max(start, 0), min(end, 2**62)  # SQLite's integers end at 2**63
    if start >= end:
        return ""
    query = (
        select(S.char_start, S.text)
        .where(S.memory_id == memory_id, S.char_end > start, S.char_start < end)
        .order_by(S.number)
    )
    found = connection.execute(query).all()
    if not found:
        return ""
    first = found[0][0]
    return "".join(piece for _, piece in found)[start - first : end - first]


def page_boxes(connection: Connection, document: str, memory_id: int, page: int) -> tuple[TextBox, ...]:
    """Word boxes of one page; empty where the page has none or is not there. Raises `DamagedMemory`."""
    packed = connection.execute(select(P.boxes).where(P.memory_id == memory_id, P.number == page)).scalar()
    with _boxes_of(document, page):
        return unpack_boxes(packed or b"")


def quote_boxes(connection: Connection, document: str, memory_id: int, start: int, end: int) -> tuple[QuoteBox, ...]:
    """The boxes of words with characters in [start, end) of the document, in order. Raises `DamagedMemory`."""
    touched = (P.memory_id == memory_id, P.char_end > start, P.char_start < end)
    query = select(P.number, P.char_start, P.boxes).where(*touched).order_by(P.number)
    found: list[QuoteBox] = []
    for page, offset, packed in connection.execute(query):
        with _boxes_of(document, page):
            words = unpack_boxes_of(packed, start - offset, end - offset)
            found += (_of_document(word, page, offset) for word in words)
    return tuple(found)


def _of_document(word: TextBox, page: int, offset: int) -> QuoteBox:
    return QuoteBox(
        page=page,
        char_start=word.char_start + offset,
        char_end=word.char_end + offset,
        left=round(word.left, 2),
        bottom=round(word.bottom, 2),
        right=round(word.right, 2),
        top=round(word.top, 2),
    )


@contextmanager
def _boxes_of(document: str, page: int) -> Iterator[None]:
    try:
        yield
    except (zlib.error, struct.error) as error:
        raise damaged(document, f"the word boxes of page {page}") from error


def stored_segments(
    connection: Connection, places: Sequence[Place], listed: Mapping[str, Listed]
) -> list[StoredSegment]:
    """The segments at `places`, in their order; raises `UnknownDocument` for a place that is not there."""
    found: dict[int, StoredSegment] = {}
    for index, (start, end, first, last, tokens, words, label) in _at(connection, _SEGMENTS, places, listed):
        found[index] = StoredSegment(
            place=places[index],
            char_start=start,
            char_end=end,
            page_first=first,
            page_last=last,
            page_label=label,
            token_ids=unpack_tokens(tokens),
            text=words,
        )
    return _in_order(places, found)


def stored_memory(connection: Connection, document: str, memory_id: int) -> StoredMemory:
    """All rows of a memory joined, each checked against its checksum; raises `DamagedMemory` naming the segment."""
    memory = connection.execute(
        select(M.model_id, M.dtype, M.hidden, M.segments, M.state_id).where(M.id == memory_id)
    ).one()
    size = row_bytes(memory.dtype, memory.hidden)
    query = text('SELECT number, sha256, "row" FROM memory_rows WHERE memory_id = :memory ORDER BY number')
    rows: list[bytes] = []
    for number, checksum, row in connection.execute(query, {"memory": memory_id}):
        if number != len(rows) or len(row) != size or hashlib.sha256(row).digest() != checksum:
            raise damaged(document, f"the memory row of segment {len(rows)}")
        rows.append(row)
    if len(rows) != memory.segments:
        raise damaged(document, f"the memory row of segment {len(rows)}")
    return StoredMemory(
        document=document,
        model_id=memory.model_id,
        dtype=memory.dtype,
        hidden=memory.hidden,
        segments=memory.segments,
        state_id=memory.state_id,
        rows=b"".join(rows),
    )


def stored_rows(connection: Connection, places: Sequence[Place], listed: Mapping[str, Listed]) -> list[StoredRow]:
    """The memory rows at `places`, in their order, each checked against its checksum."""
    found: dict[int, StoredRow] = {}
    for index, (checksum, row) in _at(connection, _ROWS, places, listed):
        memory = listed[places[index].document]
        if len(row) != row_bytes(memory.dtype, memory.hidden) or hashlib.sha256(row).digest() != checksum:
            raise damaged(places[index].document, f"the memory row of segment {places[index].segment}")
        found[index] = StoredRow(memory.dtype, row)
    return _in_order(places, found)


def _at(
    connection: Connection, query: str, places: Sequence[Place], listed: Mapping[str, Listed]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """What `query` finds at each of the places that is there; rows that are stored together are read together."""
    known = sorted(
        (listed[place.document].memory_id, place.segment, index)
        for index, place in enumerate(places)
        if place.document in listed
    )
    asked = json.dumps([key for *key, _ in known])
    statement = text(query.format(_PLACES[connection.dialect.name]))
    # All at once: fetched one by one, some hundred rows take twice as long.
    for order, *values in connection.execute(statement, {"places": asked}).all():
        yield known[order][2], tuple(values)


def _in_order(places: Sequence[Place], found: Mapping[int, T]) -> list[T]:
    for index, place in enumerate(places):
        if index not in found:
            raise _missing(place)
    return [found[index] for index in range(len(places))]


def _missing(place: Place) -> UnknownDocument:
    return UnknownDocument(
        f"Document {place.document} has no segment {place.segment}.",
        subject=place,
        remedy="It was replaced meanwhile: ask again.",
    )


def damaged(document: str, what: str) -> DamagedMemory:
    """The error for stored bytes that are not what was written."""
    return DamagedMemory(
        f"Document {document} is damaged: {what} does not match what was stored.",
        subject=document,
        remedy=f"Run `hmt-qa rm {document}` and ingest the file again.",
    )
