"""Rows of documents: found, pointed at a memory, and dropped together with what only they used."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, exists, insert, select, update

from hmt_qa.errors import UnknownDocument
from hmt_qa.types import Document, KnownFile
from hmt_storage.keyword import note_deletion
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import JobRecord, MemoryRecord
from hmt_storage.tables import MemoryRecord as M

ID = re.compile(r"[0-9a-f]{4,12}")


class Location(NamedTuple):
    """Where an input lives, which is what its document is known by."""

    collection: str
    path: str


def document_id(location: Location) -> str:
    """Twelve hexadecimal digits that depend on the place only: a file keeps its id when its bytes change."""
    return hashlib.sha256("\0".join(location).encode()).hexdigest()[:12]


def resolve(connection: Connection, asked: str) -> Row[str, int]:
    """(id, memory_id) of a document by its id or an unambiguous beginning of it; raises `UnknownDocument`."""
    if not ID.fullmatch(asked):
        raise unknown(asked)
    # A range, which the index answers; LIKE would read all ids. They are hexadecimal: "g" comes after every digit.
    beginning = (D.id >= asked) & (D.id < f"{asked}g")
    found = connection.execute(select(D.id, D.memory_id).where(beginning).limit(2)).all()
    if not found:
        raise unknown(asked)
    if len(found) > 1:
        raise UnknownDocument(
            f"More than one document begins with {asked}.", subject=asked, remedy="Type more of the id."
        )
    return found[0]


def unknown(asked: str) -> UnknownDocument:
    """The error for an id that no document has."""
    return UnknownDocument(f"No document {asked!r}.", subject=asked, remedy="See `hmt-qa ls` for the ids.")


def documents_query() -> Select[*tuple[object, ...]]:
    """Every column that a `Document` shows, oldest first."""
    columns = (M.media_type, M.sha256, M.size_bytes, M.pages, M.segments, M.tokens, M.characters, M.model_id)
    return (
        select(D.id, D.collection, D.path, D.title, D.added_at, *columns)
        .join(M, M.id == D.memory_id)
        .order_by(D.added_at, D.id)
    )


def as_document(row: Row[*tuple[object, ...]]) -> Document:
    """A row of `documents_query`."""
    fields = dict(row._mapping)
    fields["added_at"] = datetime.fromtimestamp(fields["added_at"], UTC)
    return Document(**fields)


# Asked for each file of a folder: built once.
_KNOWN = documents_query().add_columns(D.stamp).where(D.id == bindparam("identity"))


def known(connection: Connection, identity: str) -> KnownFile | None:
    """The document with exactly this id and its file's stamp, if any."""
    row = connection.execute(_KNOWN, {"identity": identity}).one_or_none()
    if row is None:
        return None
    fields = dict(row._mapping)
    stamp, added_at = fields.pop("stamp"), datetime.fromtimestamp(fields.pop("added_at"), UTC)
    return KnownFile(document=Document(**fields, added_at=added_at), stamp=stamp)


def load(connection: Connection, identity: str) -> Document:
    """The document with exactly this id."""
    return as_document(connection.execute(documents_query().where(D.id == identity)).one())


def point(
    connection: Connection, location: Location, *, title: str, memory_id: int, now: float, stamp: str = ""
) -> str:
    """Let this location be answered from `memory_id`, made or replaced; returns the document's id.

    A title that the user gave stays. The memory answered from until now goes when no other document uses it.
    """
    identity = document_id(location)
    old = connection.execute(select(D.memory_id, D.renamed).where(D.id == identity)).one_or_none()
    if old is None:
        connection.execute(
            insert(D).values(
                id=identity,
                collection=location.collection,
                path=location.path,
                title=title,
                renamed=False,
                memory_id=memory_id,
                added_at=now,
                stamp=stamp,
            )
        )
        return identity
    changes = {"memory_id": memory_id, "stamp": stamp} | ({} if old.renamed else {"title": title})
    connection.execute(update(D).where(D.id == identity).values(changes))
    drop_if_unused(connection, old.memory_id)
    return identity


def drop_if_unused(connection: Connection, memory_id: int) -> None:
    """Delete a memory and all it holds, unless a document reads it or, while it is incomplete, a job writes it."""
    read = exists().where(D.memory_id == M.id)
    written = ~M.complete & exists().where(JobRecord.memory_id == M.id)
    drop_memory(connection, memory_id, ~(read | written))


def drop_memory(connection: Connection, memory_id: int, *conditions: ColumnElement[bool]) -> None:
    """Delete a memory and all it holds, where `conditions` are met."""
    if connection.execute(delete(MemoryRecord).where(M.id == memory_id, *conditions)).rowcount:
        note_deletion(connection)
