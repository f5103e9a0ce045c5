"""Writes documents of a library to a bundle; each row is checked against its checksum on the way."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from hmt_qa.errors import BundleNotWritten
from hmt_qa.types import Document
from hmt_storage.bundles.layout import APPLICATION_ID, FORMAT, SCHEMA, BundledDocument, BundledSegment, bundle_digest
from hmt_storage.bundles.naming import original_path, original_reader
from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.contents import Digest, Flaw, Head, checked_pages, checked_segments
from hmt_storage.reading import damaged
from hmt_storage.stored import head_of, kept_metadata, pages_of, segments_of


def write(connection: Connection, file: Path, documents: Sequence[tuple[Document, int]], *, with_text: bool) -> None:
    """Write `documents`, each with the id of its memory, to the new `file`; it is there whole, or not at all.

    Raises `BundleNotWritten`, and `DamagedMemory` for contents that are not what was stored.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    with _written(file, partial), closing(sqlite3.connect(partial, isolation_level=None)) as bundle:
        for statement in (f"PRAGMA application_id={APPLICATION_ID}", f"PRAGMA user_version={FORMAT}"):
            bundle.execute(statement)
        bundle.execute("BEGIN")
        for statement in SCHEMA:
            bundle.execute(statement)
        numbers: dict[int, int] = {}
        digests: list[bytes] = []
        listed = []
        for document, memory_id in documents:
            if memory_id not in numbers:
                numbers[memory_id] = len(numbers)
                try:
                    digests.append(_copy(connection, bundle, memory_id, numbers[memory_id], _kept(with_text=with_text)))
                except Flaw as flaw:
                    raise damaged(document.id, str(flaw)) from flaw
            path = original_path(document.path)
            # What a caller keeps about a document may quote it.
            metadata = kept_metadata(connection, document.id) if with_text else ""
            listed.append(BundledDocument(document.collection, path, document.title, numbers[memory_id], metadata))
        bundle.executemany(_insert("documents", len(BundledDocument._fields)), listed)
        bundle.execute(_insert("bundle", 1), [bundle_digest(digests, sorted(listed))])
        bundle.execute("COMMIT")


@contextmanager
def _written(file: Path, partial: Path) -> Iterator[None]:
    """Let `partial` become `file` at the end; nothing of it stays where that fails."""
    try:
        if os.path.lexists(file):
            raise _not_written(file, "it exists already")
        yield
        # A link, unlike a renaming, never replaces a file that came meanwhile.
        os.link(partial, file)
    except sqlite3.Error as error:
        raise _not_written(file, str(error)) from error
    except OSError as error:
        raise _not_written(file, error.strerror or str(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _not_written(file: Path, reason: str) -> BundleNotWritten:
    return BundleNotWritten(
        f"The bundle {file} was not written: {reason}.",
        subject=str(file),
        remedy="Choose another name, in a folder that you may write to and that has room.",
    )


def _kept(*, with_text: bool) -> tuple[Callable[[PageRow], PageRow], Callable[[SegmentRow], SegmentRow]]:
    if with_text:
        return (lambda page: page), (lambda segment: segment)
    # Boxes tell how long each word is, labels and spans do not.
    return (lambda page: page._replace(boxes=b"")), (lambda segment: segment._replace(token_ids=b"", text=""))


def _copy(
    connection: Connection,
    bundle: sqlite3.Connection,
    memory_id: int,
    number: int,
    kept: tuple[Callable[[PageRow], PageRow], Callable[[SegmentRow], SegmentRow]],
) -> bytes:
    """Write one memory and return its digest."""
    keep_page, keep_segment = kept
    stored = head_of(connection, memory_id)
    head = stored._replace(reader=original_reader(stored.reader))
    digest = Digest(head)

    def page_rows() -> Iterator[tuple[object, ...]]:
        for page in map(keep_page, checked_pages(head, pages_of(connection, memory_id))):
            digest.page(page)
            yield number, *page, page.checksum

    def segment_rows() -> Iterator[tuple[object, ...]]:
        for whole, memory in checked_segments(head, segments_of(connection, memory_id)):
            segment = keep_segment(whole)
            digest.segment(segment, memory)
            yield number, *BundledSegment(*segment, segment.checksum, *memory)

    bundle.executemany(_insert("pages", len(PageRow._fields) + 2), page_rows())
    bundle.executemany(_insert("segments", len(BundledSegment._fields) + 1), segment_rows())
    bundle.execute(_insert("memories", len(Head._fields) + 2), (number, *head, digest.value))
    return digest.value


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - names of ours
