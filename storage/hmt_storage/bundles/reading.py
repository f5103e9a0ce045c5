"""Reads a bundle that may come from anyone: nothing leaves this file before it was checked."""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hmt_qa.errors import InvalidBundle
from hmt_qa.types import MemoryShape
from hmt_storage.bundles.layout import (
    APPLICATION_ID,
    FORMAT,
    BundledDocument,
    BundledSegment,
    bundle_digest,
    expected_objects,
    objects,
)
from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.contents import (
    MOST_CHARACTERS,
    MOST_HIDDEN,
    Digest,
    Flaw,
    Head,
    StoredRow,
    check_head,
    checked_pages,
    checked_segments,
    require_metadata,
    require_name,
    require_types,
)
from hmt_storage.packing import unpack_tokens

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_MOST_VALUE = 4 * max(MOST_CHARACTERS, MOST_HIDDEN) + 1024  # bytes of any text or blob in a bundle
_CHUNK = 256


class Bundle:
    """An open bundle whose file, schema and documents were checked; memories are checked as they are read.

    Every method raises `InvalidBundle`.
    """

    def __init__(self, file: Path, connection: sqlite3.Connection, shape: MemoryShape) -> None:
        self._file = file
        self._connection = connection
        self._shape = shape
        with self._border():
            _check_file(connection)
            self.documents = self._documents()
            self._check_digest()

    def heads(self) -> Iterator[tuple[int, Head, bytes]]:
        """(number, head, digest) of each memory."""
        with self._border():
            for number, *fields, digest in self._rows("memories", ("number", *Head._fields, "digest")):
                head = Head(*fields)
                check_head(head)
                self._must_fit(head)
                yield number, head, digest

    def contents(
        self, number: int, head: Head, digest: bytes
    ) -> tuple[Iterator[PageRow], Iterator[tuple[SegmentRow, StoredRow]]]:
        """Pages and then segments of a memory: to be read in this order, and both to their ends."""
        running = Digest(head)
        return self._pages(number, head, running), self._segments(number, head, running, digest)

    def _pages(self, number: int, head: Head, running: Digest) -> Iterator[PageRow]:
        with self._border():
            rows = self._rows("pages", (*PageRow._fields, "sha256"), memory=number)
            for page in checked_pages(head, ((PageRow(*row[:-1]), row[-1]) for row in rows)):
                running.page(page)
                yield page

    def _segments(
        self, number: int, head: Head, running: Digest, digest: bytes
    ) -> Iterator[tuple[SegmentRow, StoredRow]]:
        with self._border():
            rows = map(BundledSegment._make, self._rows("segments", BundledSegment._fields, memory=number))
            triples = ((row.segment, row.text_sha256, row.memory) for row in rows)
            for segment, memory in checked_segments(head, triples):
                self._must_be_readable(segment)
                running.segment(segment, memory)
                yield segment, memory
            if running.value != digest:
                raise Flaw(f"memory {number} does not match its digest")

    def _documents(self) -> tuple[BundledDocument, ...]:
        found = []
        for row in self._rows("documents", BundledDocument._fields):
            require_types("a document", row, BundledDocument)
            document = BundledDocument(*row)
            require_name("a document's collection", document.collection)
            require_name("a document's title", document.title, empty=True)
            require_name("a document's path", document.path)
            if ".." in document.path.replace("\\", "/").split("/"):
                raise Flaw("a document's path leads out of its folder")
            require_metadata(document.metadata)
            found.append(document)
        if not found:
            raise Flaw("there is no document in it")
        return tuple(found)

    def _check_digest(self) -> None:
        """Raise `Flaw` unless all is there that was written; whoever forges a bundle can forge this too."""
        memories = dict(self._rows("memories", ("number", "digest")))
        if {document.memory for document in self.documents} != set(memories):
            raise Flaw("its documents are not those of its memories")
        owned = self._connection.execute("SELECT memory FROM pages UNION SELECT memory FROM segments").fetchall()
        if {number for (number,) in owned} != set(memories):
            raise Flaw("it has pages or segments of no memory")
        stored = self._connection.execute("SELECT digest FROM bundle").fetchall()
        if any(type(digest) is not bytes for digest in memories.values()):
            raise Flaw("a memory's digest is no digest")
        if stored != [(bundle_digest(memories.values(), sorted(self.documents)),)]:
            raise Flaw("it does not match its own digest")

    def _must_fit(self, head: Head) -> None:
        shape = self._shape
        if head.model_id != shape.model_id:
            raise InvalidBundle(
                f"The bundle {self._file} was made with {head.model_id}, this is {shape.model_id}.",
                subject=str(self._file),
                remedy="Import it with that model (--model), or ingest the documents here.",
            )
        if head.hidden != shape.hidden:
            raise Flaw(f"its memory rows have {head.hidden} numbers, those of its model {shape.hidden}")

    def _must_be_readable(self, segment: SegmentRow) -> None:
        if len(segment.token_ids) > 4 * self._shape.segment_length:
            raise Flaw(f"segment {segment.number} has more tokens than the model reads at once")
        if any(token >= self._shape.vocabulary for token in unpack_tokens(segment.token_ids)):
            raise Flaw(f"segment {segment.number} has tokens that the model does not know")

    def _rows(self, table: str, columns: tuple[str, ...], *, memory: int | None = None) -> Iterator[tuple[Any, ...]]:
        where = "" if memory is None else "WHERE memory = ? ORDER BY number"
        statement = f"SELECT {', '.join(columns)} FROM {table} {where}"  # noqa: S608 - names of ours
        cursor = self._connection.execute(statement, () if memory is None else (memory,))
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows

    @contextmanager
    def _border(self) -> Iterator[None]:
        with bundle_errors(self._file):
            yield


@contextmanager
def opened(file: Path, shape: MemoryShape) -> Iterator[Bundle]:
    """Open `file` for reading as a bundle of memories of this shape; raises `InvalidBundle`.

    It is opened as immutable: a journal or log that lies beside it is never looked at.
    """
    with bundle_errors(file):
        _check_header(file)
        uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    with closing(connection):
        with bundle_errors(file):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE)
            # What SQLite advises for files of unknown origin (sqlite.org/security.html).
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
                connection.execute(f"PRAGMA {pragma}").close()
        yield Bundle(file, connection, shape)


@contextmanager
def bundle_errors(file: Path) -> Iterator[None]:
    """Raise whatever is wrong with a bundle's bytes as `InvalidBundle` with the reason."""
    try:
        yield
    except Flaw as flaw:
        raise _invalid(file, str(flaw)) from flaw
    except sqlite3.Error as error:
        raise _invalid(file, str(error)) from error
    except OSError as error:
        raise _invalid(file, error.strerror or str(error)) from error


def _invalid(file: Path, reason: str) -> InvalidBundle:
    return InvalidBundle(
        f"{file} cannot be imported: {reason}.",
        subject=str(file),
        remedy="Nothing was changed; fetch the file again, or have it exported again.",
    )


def _check_header(file: Path) -> None:
    """Raise `Flaw` unless the file's first bytes are a bundle's, and it is as long as they say."""
    # Without waiting: what is named like a bundle may be a pipe.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Flaw("it is not a regular file")
        header = os.read(descriptor, _HEADER_BYTES)
    finally:
        os.close(descriptor)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise Flaw("it is not a bundle of hmt-qa")
    (page_size,) = struct.unpack_from(">H", header, 16)
    (pages,) = struct.unpack_from(">I", header, 28)
    version, application = struct.unpack_from(">I4xI", header, 60)
    if application != APPLICATION_ID:
        raise Flaw("it is a database of something else than hmt-qa")
    if version != FORMAT:
        raise Flaw(f"its format is {version}, this version of hmt-qa reads {FORMAT}")
    if pages * (65536 if page_size == 1 else page_size) != facts.st_size:
        raise Flaw(f"it has {facts.st_size} bytes, which is not the size it was written with")


def _check_file(connection: sqlite3.Connection) -> None:
    """Raise `Flaw` unless there are just the tables of a bundle, and SQLite finds each in order."""
    if objects(connection) != expected_objects():
        raise Flaw("it has other tables, indexes, triggers or views than a bundle has")
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise Flaw(f"SQLite finds it damaged: {found}")
