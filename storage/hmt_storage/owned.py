"""What belongs to one user: the library seen through a check of whose each id is. What is not checked is not offered.

A foreign id is treated as one that names nothing, also where it is the beginning of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn, TypeVar

from sqlalchemy import func

from hmt_qa import ownership
from hmt_qa.errors import NotYours
from hmt_qa.ports import Users
from hmt_qa.types import (
    Document,
    Hit,
    Job,
    MemoryState,
    PageSpan,
    Place,
    QuoteBox,
    StoredMemory,
    StoredRow,
    StoredSegment,
    TextBox,
)
from hmt_storage import documents, jobs
from hmt_storage.catalog import Catalog, Catalogs
from hmt_storage.chats import SqlChats
from hmt_storage.database import Database
from hmt_storage.tables import DocumentRecord as D

if TYPE_CHECKING:
    from hmt_storage.library import SqlLibrary

T = TypeVar("T", Document, Job)


class OwnedLibrary:
    """Implements `hmt_qa.ports.Library` for the collections of one user (`hmt_qa.ownership`)."""

    def __init__(self, whole: SqlLibrary, database: Database, catalogs: Catalogs, owner: str) -> None:
        self._whole = whole
        self._database = database
        self._catalogs = catalogs
        self._owner = owner
        self.chats = SqlChats(database, owner=owner)
        self._own: tuple[Catalog, frozenset[str]] | None = None

    @property
    def users(self) -> Users:
        """Raises `NotYours`."""
        self._refuse()

    def documents(self, *, collection: str | None = None) -> Sequence[Document]:
        """The user's documents, oldest first."""
        if collection is not None:
            return list(map(self._seen, self._whole.documents(collection=self._stored(collection))))
        prefix = self._stored("")
        query = documents.documents_query().where(func.substr(D.collection, 1, len(prefix)) == prefix)
        with self._database.read() as connection:
            return [self._seen(documents.as_document(row)) for row in connection.execute(query)]

    def document_ids(self, *, collection: str | None = None) -> Sequence[str]:
        """The ids of the user's documents, oldest first."""
        if collection is not None:
            return self._whole.document_ids(collection=self._stored(collection))
        own = self._ids()
        return [identity for identity in self._whole.document_ids() if identity in own]

    def document(self, document_id: str) -> Document:
        """One document."""
        return self._seen(self._whole.document(self._checked(document_id)))

    def rename(self, document_id: str, title: str) -> Document:
        """Give a document another title."""
        return self._seen(self._whole.rename(self._checked(document_id), title))

    def remove(self, document_id: str) -> Document:
        """Delete a document; returns what it was."""
        return self._seen(self._whole.remove(self._checked(document_id)))

    def titles(self, documents: Sequence[str]) -> Mapping[str, str]:
        """The titles of those of these documents that are the user's."""
        own = self._ids()
        return self._whole.titles([identity for identity in documents if identity in own])

    def pages(self, document_id: str) -> Sequence[PageSpan]:
        """The pages of a document in order."""
        return self._whole.pages(self._checked(document_id))

    def text(self, document_id: str, char_start: int, char_end: int) -> str:
        """The document's text at a span."""
        return self._whole.text(self._checked(document_id), char_start, char_end)

    def boxes(self, document_id: str, page: int) -> Sequence[TextBox]:
        """Word boxes of one page."""
        return self._whole.boxes(self._checked(document_id), page)

    def quote_boxes(self, document_id: str, char_start: int, char_end: int) -> Sequence[QuoteBox]:
        """The word boxes of a span."""
        return self._whole.quote_boxes(self._checked(document_id), char_start, char_end)

    def segments(self, places: Sequence[Place]) -> Sequence[StoredSegment]:
        """The segments at `places`."""
        return self._whole.segments(self._checked_places(places))

    def set_metadata(self, document_id: str, metadata: Mapping[str, object]) -> None:
        """Keep what a caller knows about a document."""
        self._whole.set_metadata(self._checked(document_id), metadata)

    def metadata(self, document_id: str) -> Mapping[str, object] | None:
        """What `set_metadata` kept, or None."""
        return self._whole.metadata(self._checked(document_id))

    def memory(self, document_id: str) -> StoredMemory:
        """All memory rows of a document."""
        return self._whole.memory(self._checked(document_id))

    def memory_states(self, documents: Sequence[str]) -> Sequence[MemoryState]:
        """Whose each document's memory is, in which state and how long."""
        return self._whole.memory_states(self._checked_all(documents))

    def nearest(self, query: bytes, *, parts: int, documents: Sequence[str], top: int) -> Sequence[Place]:
        """Proposals of the vector index among `documents`."""
        return self._whole.nearest(query, parts=parts, documents=self._checked_all(documents), top=top)

    def memory_rows(self, places: Sequence[Place]) -> Sequence[StoredRow]:
        """The memory rows of `places`."""
        return self._whole.memory_rows(self._checked_places(places))

    def state_ids(self, document_id: str) -> Sequence[str]:
        """The chain of states of a document's memory."""
        return self._whole.state_ids(self._checked(document_id))

    def keyword_search(self, query: str, *, documents: Sequence[str], top: int) -> Sequence[Hit]:
        """Places by BM25 among `documents`."""
        return self._whole.keyword_search(query, documents=self._checked_all(documents), top=top)

    def jobs(self, *, limit: int | None = 100) -> Sequence[Job]:
        """The user's ingestions, newest first."""
        with self._database.read() as connection:
            return list(map(self._seen, jobs.newest(connection, limit=limit, beginning=self._stored(""))))

    def job(self, job_id: int) -> Job:
        """One ingestion; raises `UnknownJob`."""
        job = self._whole.job(job_id)
        if not ownership.owns(self._owner, job.collection):
            raise jobs.unknown(job_id)
        return self._seen(job)

    def cancel(self, job_id: int) -> Job:
        """Have an ingestion stop at its next segment."""
        return self._seen(self._whole.cancel(self.job(job_id).id))

    def discard(self, job_id: int) -> Job:
        """Delete an ingestion that nobody works on."""
        return self._seen(self._whole.discard(self.job(job_id).id))

    def close(self) -> None:
        """Nothing: the library is its owner's to close."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NotYours("Only whoever runs the library may do this.", subject=self._owner)

    # Reading files is the service's work, which knows whose they are; the rest looks at, or makes, everybody's.
    begin = adopt = report_failure = known = holder = restamp = unfinished = tidy = _refuse
    export = take_in = verify = collect_garbage = owned_by = _refuse

    def _stored(self, collection: str) -> str:
        return ownership.stored(self._owner, collection)

    def _seen(self, one: T) -> T:
        return replace(one, collection=ownership.seen(self._owner, one.collection))

    def _ids(self) -> frozenset[str]:
        catalog = self._catalogs.now()
        if self._own is None or self._own[0] is not catalog:
            prefix = self._stored("")
            own = (ids for collection, ids in catalog.collections.items() if collection.startswith(prefix))
            self._own = (catalog, frozenset(identity for ids in own for identity in ids))
        return self._own[1]

    def _checked(self, document_id: str) -> str:
        """The whole id of a document of ours, by its id or a beginning that only one of ours has."""
        own = self._ids()
        if document_id in own:
            return document_id
        found = [identity for identity in own if identity.startswith(document_id)]
        if not documents.ID.fullmatch(document_id) or len(found) != 1:
            raise documents.unknown(document_id)
        return found[0]

    def _checked_all(self, ids: Sequence[str]) -> Sequence[str]:
        if not self._ids().issuperset(ids):
            raise documents.unknown(next(identity for identity in ids if identity not in self._ids()))
        return ids

    def _checked_places(self, places: Sequence[Place]) -> Sequence[Place]:
        self._checked_all([place.document for place in places])
        return places
