"""The library of documents in SQL: every public method is one transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from sqlalchemy import delete, insert, select, update

from hmt_qa.ports import Library
from hmt_qa.types import (
    Collected,
    Document,
    Hit,
    Imported,
    Job,
    JobState,
    KnownFile,
    MemoryShape,
    MemoryState,
    PageSpan,
    Place,
    QuoteBox,
    SourceFile,
    StoredMemory,
    StoredRow,
    StoredSegment,
    TextBox,
    Verdict,
)
from hmt_storage import documents, jobs, keyword, reading
from hmt_storage.bundles.importing import take_in
from hmt_storage.bundles.reading import opened
from hmt_storage.bundles.writing import write
from hmt_storage.catalog import Catalogs
from hmt_storage.chats import SqlChats
from hmt_storage.collecting import collect
from hmt_storage.database import Database, make_home, open_database, url_of_file
from hmt_storage.ingestion import SqlIngestion
from hmt_storage.packing import printable, row_bytes
from hmt_storage.progress import committed
from hmt_storage.schema import bring_to_head
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import JobRecord as J
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import MetadataRecord
from hmt_storage.tables import RowRecord as R
from hmt_storage.users import SqlUsers
from hmt_storage.vectors import VectorIndex
from hmt_storage.verifying import verify_documents, verify_whole
from hmt_storage.verifying_chats import verify_conversations

INDEX_FOLDER = "index"  # in the home folder: a cache of what the database says


class SqlLibrary:
    """Documents, their text and their memories in one database; safe to share between threads and processes.

    Methods that take a document's id also take its beginning, four characters or more, where only one fits.
    They raise `LibraryProblem` subclasses only; `UnknownDocument` where the id names none.
    """

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self.chats = SqlChats(database)
        self.users = SqlUsers(database)
        self._catalogs = Catalogs(database)
        self._vectors = VectorIndex(home / INDEX_FOLDER)

    @classmethod
    def open(cls, home: Path, *, url: str | None = None) -> SqlLibrary:
        """The library in `home/library.db`, or at `url`; made or upgraded where needed.

        Raises `LibraryUnusable` for a file that is not ours or of a newer version.
        """
        make_home(home)
        database = open_database(url or url_of_file(home / "library.db"))
        try:
            bring_to_head(database)
        except BaseException:
            database.close()
            raise
        return cls(database, home)

    def owned_by(self, owner: str) -> Library:
        """What belongs to a user."""
        from hmt_storage.owned import OwnedLibrary

        return OwnedLibrary(self, self._database, self._catalogs, owner)

    def documents(self, *, collection: str | None = None) -> Sequence[Document]:
        """All readable documents, oldest first."""
        query = documents.documents_query()
        if collection is not None:
            query = query.where(D.collection == printable(collection))
        with self._database.read() as connection:
            return [documents.as_document(row) for row in connection.execute(query)]

    def document(self, document_id: str) -> Document:
        """One document."""
        with self._database.read() as connection:
            return documents.load(connection, documents.resolve(connection, document_id).id)

    def document_ids(self, *, collection: str | None = None) -> Sequence[str]:
        """The ids of all readable documents, oldest first."""
        return self._catalogs.now().ids(None if collection is None else printable(collection))

    def titles(self, documents: Sequence[str]) -> Mapping[str, str]:
        """The titles of those of these documents that there are, in order; quick for any number of them."""
        listed = self._catalogs.now().documents
        return {document: listed[document].title for document in documents if document in listed}

    def known(self, *, collection: str, path: str) -> KnownFile | None:
        """The document of this path in this collection with its stamp, if any."""
        identity = documents.document_id(documents.Location(printable(collection), printable(path)))
        with self._database.read() as connection:
            return documents.known(connection, identity)

    def holder(self, *, collection: str, sha256: str, model_id: str) -> Document | None:
        """The oldest document of this collection with these bytes that this model read, if any."""
        same = (D.collection == printable(collection)) & (M.sha256 == sha256) & (M.model_id == model_id)
        with self._database.read() as connection:
            row = connection.execute(documents.documents_query().where(same).limit(1)).one_or_none()
            return documents.as_document(row) if row else None

    def restamp(self, document_id: str, stamp: str) -> None:
        """Remember another stamp for the same bytes."""
        with self._database.write() as connection:
            connection.execute(update(D).where(D.id == document_id).values(stamp=stamp))

    def unfinished(self, *, collection: str, path: str, sha256: str, model_id: str) -> bool:
        """Whether an interrupted ingestion of these bytes at this path has committed segments to go on from."""
        here = (J.collection == printable(collection)) & (J.path == printable(path)) & J.state.in_(jobs.OPEN)
        begun = (M.sha256 == sha256) & (M.model_id == model_id) & (M.segments > 0)
        with self._database.read() as connection:
            query = select(J.id).join(M, M.id == J.memory_id).where(here, begun)
            return connection.execute(query.limit(1)).scalar() is not None

    def tidy(self) -> None:
        """Overwrite what replaced and given up memories left in index and log; quick where there is nothing."""
        with self._database.read() as connection:
            if keyword.is_compact(connection):
                return
        with self._database.write() as connection:
            keyword.compact(connection)
        self._database.erase_deleted()
        self._vectors.forget()

    def rename(self, document_id: str, title: str) -> Document:
        """Give a document another title, which stays when its file is read again."""
        with self._database.write() as connection:
            identity = documents.resolve(connection, document_id).id
            connection.execute(update(D).where(D.id == identity).values(title=printable(title), renamed=True))
            return documents.load(connection, identity)

    def remove(self, document_id: str) -> Document:
        """Delete a document, its jobs and, when no other shares it, its memory, text and index rows.

        What is deleted is also overwritten on disk. Raises `AlreadyIngesting` while the file is being read again.
        """
        with self._database.write() as connection:
            found = documents.resolve(connection, document_id)
            document = documents.load(connection, found.id)
            location = documents.Location(document.collection, document.path)
            jobs.refuse_if_running(connection, location)
            jobs.forget(connection, location, states=(*jobs.OPEN, *jobs.ENDED))
            connection.execute(delete(D).where(D.id == found.id))
            documents.drop_if_unused(connection, found.memory_id)
            keyword.compact(connection)
        self._database.erase_deleted()
        self._vectors.forget()
        return document

    def pages(self, document_id: str) -> Sequence[PageSpan]:
        """The pages of a document in order."""
        with self._database.read() as connection:
            return reading.page_spans(connection, documents.resolve(connection, document_id).memory_id)

    def text(self, document_id: str, char_start: int, char_end: int) -> str:
        """The document's text at a span, which is cut to the document."""
        with self._database.read() as connection:
            memory_id = documents.resolve(connection, document_id).memory_id
            return reading.text_at(connection, memory_id, char_start, char_end)

    def boxes(self, document_id: str, page: int) -> Sequence[TextBox]:
        """Word boxes of one page, empty where the format has none; raises `DamagedMemory`."""
        with self._database.read() as connection:
            found = documents.resolve(connection, document_id)
            return reading.page_boxes(connection, found.id, found.memory_id, page)

    def quote_boxes(self, document_id: str, char_start: int, char_end: int) -> Sequence[QuoteBox]:
        """The word boxes of a span, in order; raises `DamagedMemory`."""
        with self._database.read() as connection:
            found = documents.resolve(connection, document_id)
            return reading.quote_boxes(connection, found.id, found.memory_id, char_start, char_end)

    def segments(self, places: Sequence[Place]) -> Sequence[StoredSegment]:
        """The segments at `places`, in the order asked; `UnknownDocument` also where one is not there."""
        with self._database.read() as connection:
            return reading.stored_segments(connection, places, self._catalogs.now().documents)

    def set_metadata(self, document_id: str, metadata: Mapping[str, object]) -> None:
        """Keep what a caller knows about a document, as JSON; replaces what was kept. Raises TypeError for no JSON."""
        content = json.dumps(dict(metadata))
        with self._database.write() as connection:
            identity = documents.resolve(connection, document_id).id
            connection.execute(delete(MetadataRecord).where(MetadataRecord.document_id == identity))
            connection.execute(insert(MetadataRecord).values(document_id=identity, content=content))

    def metadata(self, document_id: str) -> Mapping[str, object] | None:
        """What `set_metadata` kept, or None."""
        with self._database.read() as connection:
            identity = documents.resolve(connection, document_id).id
            query = select(MetadataRecord.content).where(MetadataRecord.document_id == identity)
            content = connection.execute(query).scalar()
        return None if content is None else cast("dict[str, object]", json.loads(content))

    def memory(self, document_id: str) -> StoredMemory:
        """All memory rows of a document, checked against their checksums; raises `DamagedMemory`."""
        with self._database.read() as connection:
            found = documents.resolve(connection, document_id)
            return reading.stored_memory(connection, found.id, found.memory_id)

    def memory_states(self, documents: Sequence[str]) -> Sequence[MemoryState]:
        """Whose each document's memory is, in which state and how long, without reading rows; any number of ids."""
        listed = self._catalogs.now().documents
        try:
            return [listed[document].state for document in documents]
        except KeyError:
            return [listed[self.document(document).id].state for document in documents]

    def nearest(self, query: bytes, *, parts: int, documents: Sequence[str], top: int) -> Sequence[Place]:
        """About `top` places whose memories may have the largest inner products with `query`, best first.

        They are proposals of the vector index, which is brought up to date first.
        """
        with self._database.read() as connection:
            catalog = self._catalogs.now()
            return self._vectors.propose(connection, catalog, query, parts=parts, documents=documents, top=top)

    def memory_rows(self, places: Sequence[Place]) -> Sequence[StoredRow]:
        """The memory rows of `places`, in the order asked, each checked; raises `DamagedMemory`."""
        with self._database.read() as connection:
            return reading.stored_rows(connection, places, self._catalogs.now().documents)

    def state_ids(self, document_id: str) -> Sequence[str]:
        """The chain of states of a document's memory (hex), one a segment."""
        with self._database.read() as connection:
            memory_id = documents.resolve(connection, document_id).memory_id
            return (
                connection.execute(select(R.state_id).where(R.memory_id == memory_id).order_by(R.number))
                .scalars()
                .all()
            )

    def keyword_search(self, query: str, *, documents: Sequence[str], top: int) -> Sequence[Hit]:
        """Places by BM25 over the words of a natural-language `query`, best first; any string is a query.

        A memory that several of `documents` share gives a hit for each of them. Ids that name no document have none.
        """
        with self._database.read() as connection:
            catalog = self._catalogs.now()
            everywhere = catalog.is_all(documents)
            of_memory = catalog.of_memory if everywhere else catalog.by_memory(documents)
            return keyword.search(connection, query, of_memory=of_memory, everywhere=everywhere, top=top)

    def begin(
        self,
        source: SourceFile,
        *,
        reader: str,
        title: str,
        media_type: str,
        pages_total: int,
        model_id: str,
        setting: str,
        dtype: str,
        hidden: int,
    ) -> SqlIngestion:
        """Own the ingestion of `source`, new or interrupted; raises `AlreadyIngesting` while another process does.

        An interrupted one goes on where the bytes, reader, model and row format are the same; under another `setting`
        that is noted in the memory's row, one line for each setting in the order of use.
        """
        row_bytes(dtype, hidden)
        source = _printable(source)
        location = documents.Location(source.collection, source.path)
        key = {"sha256": source.sha256, "reader": reader, "model_id": model_id}
        fresh = key | {"setting": setting, "dtype": dtype, "hidden": hidden, "size_bytes": source.size_bytes}
        with self._database.write() as connection:
            unfinished = select(M.__table__).filter_by(**key).where(~M.complete)
            memory = connection.execute(unfinished).one_or_none()
            jobs.refuse_if_running(connection, location, memory_id=memory.id if memory else 0)
            if memory and (memory.segments == 0 or (memory.dtype, memory.hidden) != (dtype, hidden)):
                documents.drop_memory(connection, memory.id)
                memory = None
            if memory is None:
                connection.execute(insert(M).values(**fresh, media_type=media_type))
                memory = connection.execute(unfinished).one()
            elif setting not in memory.setting.splitlines():
                settings = f"{memory.setting}\n{setting}"
                connection.execute(update(M).where(M.id == memory.id).values(setting=settings))
            claimed = jobs.claim(
                connection,
                location,
                title=printable(title),
                memory_id=memory.id,
                pages_total=pages_total,
                done=committed(connection, memory.id),
            )
            ingestion = SqlIngestion(self._database, connection, source, claimed)
        ingestion.keep_alive()
        return ingestion

    def adopt(self, source: SourceFile, *, reader: str, model_id: str, title: str) -> Document | None:
        """Point `source` at a complete memory of the same bytes by the same reader and model, if one is stored."""
        source = _printable(source)
        location = documents.Location(source.collection, source.path)
        with self._database.write() as connection:
            memory_id = connection.execute(
                select(M.id).where(M.sha256 == source.sha256, M.reader == reader, M.model_id == model_id, M.complete)
            ).scalar()
            if memory_id is None:
                return None
            jobs.refuse_if_running(connection, location)
            identity = documents.point(
                connection,
                location,
                title=printable(title),
                memory_id=memory_id,
                now=time.time(),
                stamp=source.stamp,
            )
            jobs.forget(connection, location, states=jobs.OPEN)
            return documents.load(connection, identity)

    def jobs(self, *, limit: int | None = 100) -> Sequence[Job]:
        """The latest ingestion of each path, newest first; one whose process died shows as interrupted."""
        with self._database.read() as connection:
            return jobs.newest(connection, limit=limit)

    def job(self, job_id: int) -> Job:
        """One ingestion; raises `UnknownJob`."""
        with self._database.read() as connection:
            return jobs.load(connection, job_id)

    def cancel(self, job_id: int) -> Job:
        """Have an ingestion stop at its next segment, whoever owns it; what it committed is kept.

        Returns the job as it is now: still running, with `cancel_requested`, where its owner lives.
        Raises `UnknownJob` and `JobEnded`.
        """
        with self._database.write() as connection:
            jobs.cancel(connection, job_id)
            return jobs.load(connection, job_id)

    def discard(self, job_id: int) -> Job:
        """Delete an ingestion that nobody works on and what it committed, on disk too; returns what it was.

        A document of the same path stays. Raises `UnknownJob` and `AlreadyIngesting`.
        """
        with self._database.write() as connection:
            job = jobs.load(connection, job_id)
            jobs.discard(connection, job_id)
            keyword.compact(connection)
        self._database.erase_deleted()
        return job

    def report_failure(self, source: SourceFile, error: str) -> Job:
        """Record an input that failed before it could begin (unreadable, encrypted), for whoever observes jobs."""
        source = _printable(source)
        location = documents.Location(source.collection, source.path)
        with self._database.write() as connection:
            jobs.forget(connection, location, states=jobs.ENDED)
            job_id = jobs.record(connection, location, title=source.path, state=JobState.FAILED, error=printable(error))
            return jobs.load(connection, job_id)

    def export(self, document_ids: Sequence[str], file: Path, *, with_text: bool = True) -> Sequence[Document]:
        """Write documents, with their text or their memories alone, to a new file; it is there whole or not at all.

        Raises `BundleNotWritten` and `DamagedMemory`.
        """
        with self._database.read() as connection:
            found = dict(documents.resolve(connection, document_id) for document_id in document_ids)
            chosen = [(documents.load(connection, identity), memory_id) for identity, memory_id in found.items()]
            write(connection, file, chosen, with_text=with_text)
            return [document for document, _ in chosen]

    def take_in(self, file: Path, *, shape: MemoryShape, collection: str | None = None) -> Sequence[Imported]:
        """Store what a bundle from anyone holds, all of it or nothing; see `hmt_storage.bundles`.

        Raises `InvalidBundle` and `DocumentExists`.
        """
        with opened(file, shape) as bundle, self._database.write() as connection:
            return take_in(connection, bundle, collection=collection)

    def verify(self) -> Iterator[Verdict]:
        """Look at every stored byte: a verdict on the whole, then one on each document and each conversation."""
        with self._database.write() as connection:
            whole = verify_whole(connection)
        yield whole
        with self._database.read() as connection:
            yield from verify_documents(connection)
            yield from verify_conversations(connection)

    def collect_garbage(self) -> Sequence[Collected]:
        """Remove what nothing refers to, and give the room it took back to the disk."""
        with self._database.write() as connection:
            collected = list(collect(connection))
            keyword.compact(connection)
        self._vectors.forget()
        freed = self._database.give_room_back()
        return [*collected, Collected(kind="free room", count=1, size_bytes=freed)] if freed else collected

    def close(self) -> None:
        """Release the database."""
        self._database.close()


def _printable(source: SourceFile) -> SourceFile:
    return replace(source, path=printable(source.path), collection=printable(source.collection))
