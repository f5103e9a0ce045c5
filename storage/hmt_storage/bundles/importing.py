"""Takes a checked bundle into the library, in the one transaction that its caller has begun."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hmt_qa.errors import DocumentExists
from hmt_qa.types import Imported
from hmt_storage import documents
from hmt_storage.bundles.naming import imported_path, imported_reader
from hmt_storage.bundles.reading import Bundle
from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.contents import Head, StoredRow
from hmt_storage.packing import printable
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import MetadataRecord
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S

_CHUNK = 256


def take_in(connection: Connection, bundle: Bundle, *, collection: str | None) -> list[Imported]:
    """Store a bundle's memories and documents, in `collection` where one is given; returns what became of each.

    Raises `InvalidBundle`, and `DocumentExists` where a document of other contents stands at the same place: the
    transaction must then be given up.
    """
    memories = {number: _memory(connection, bundle, number, head, digest) for number, head, digest in bundle.heads()}
    taken = []
    for document in bundle.documents:
        memory_id, with_text = memories[document.memory]
        location = documents.Location(printable(collection or document.collection), imported_path(document.path))
        stored = connection.execute(select(D.memory_id).where(D.id == documents.document_id(location))).scalar()
        if stored not in {None, memory_id}:
            raise DocumentExists(
                f"Another document stands at {location.path} in collection {location.collection!r}.",
                subject=location.path,
                remedy="Remove it first, or import into another collection: --collection NAME.",
            )
        if stored is None:
            identity = documents.point(connection, location, title=document.title, memory_id=memory_id, now=time.time())
            if document.metadata:
                connection.execute(insert(MetadataRecord).values(document_id=identity, content=document.metadata))
        found = documents.load(connection, documents.document_id(location))
        taken.append(Imported(document=found, new=stored is None, with_text=with_text))
    return taken


def _memory(connection: Connection, bundle: Bundle, number: int, head: Head, digest: bytes) -> tuple[int, bool]:
    """(id, whether there is text) of a bundle's memory, stored now or by an earlier import of the same one."""
    named = head._replace(reader=imported_reader(head.reader, digest))
    same = (M.sha256 == named.sha256) & (M.reader == named.reader) & (M.model_id == named.model_id) & M.complete
    known = connection.execute(select(M.id).where(same)).scalar()
    memory_id = connection.execute(
        insert(M).values(named._asdict() | {"complete": known is None}).returning(M.id)
    ).scalar_one()
    with_text = _fill(connection, memory_id, *bundle.contents(number, head, digest))
    if known is None:
        return memory_id, with_text
    # The same name must not be had by naming: it was read and checked like any other.
    connection.execute(delete(M).where(M.id == memory_id))
    return known, with_text


def _fill(
    connection: Connection,
    memory_id: int,
    pages: Iterator[PageRow],
    segments: Iterator[tuple[SegmentRow, StoredRow]],
) -> bool:
    key = {"memory_id": memory_id}
    for chunk in _chunks(key | page._asdict() | {"sha256": page.checksum} for page in pages):
        connection.execute(insert(P), chunk)
    with_text = True
    while pairs := list(islice(segments, _CHUNK)):
        with_text = bool(pairs[0][0].token_ids)
        texts = [key | segment._asdict() | {"sha256": segment.checksum} for segment, _ in pairs]
        rows = [key | {"number": segment.number} | memory._asdict() for segment, memory in pairs]
        connection.execute(insert(S), texts)
        connection.execute(insert(R), rows)
    return with_text


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
