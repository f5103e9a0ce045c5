"""Where documents and their memories are put, kept and looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hmt_qa.ports.people import Chats, Users
from hmt_qa.types import (
    Collected,
    Document,
    Hit,
    Imported,
    Job,
    KnownFile,
    MemoryShape,
    MemoryState,
    Page,
    PageSpan,
    Place,
    QuoteBox,
    Segment,
    SourceFile,
    StoredMemory,
    StoredRow,
    StoredSegment,
    TextBox,
    Verdict,
)


class Ingestion(Protocol):
    """One owned ingestion: the exclusive right to append segments to the memory of one file's content.

    Where somebody asked for it to be cancelled, writing raises `JobCancelled`.
    """

    job_id: int
    committed_state_ids: Sequence[str]
    """Hash-chain ids (hex) of the segments already committed by an earlier, interrupted run."""

    def tail(self, count: int) -> bytes:
        """The last `count` (or fewer) committed memory rows, raw bytes in order."""
        ...

    def truncate(self, segments: int) -> None:
        """Drop committed segments from number `segments` on: the file's text changed there."""
        ...

    @property
    def replaces(self) -> int:
        """How many segments the memory has that the document is answered from until `finish`.

        0 where there is none, or where another model, reader or number format wrote it.
        """
        ...

    def agrees(self, segment: Segment, *, state_id: str, pages: Sequence[Page]) -> bool:
        """Whether that memory holds exactly this segment, and the pages that begin in it, under this state id."""
        ...

    def inherit(self, *, segments: int, pages: int) -> None:
        """Take over that memory's first `segments` segments and `pages` pages, beyond those committed.

        They must agree; where that memory is gone meanwhile, fewer are taken: `committed_state_ids` has them.
        """
        ...

    def commit(self, segment: Segment, *, memory_row: bytes, state_id: str, pages: Sequence[Page]) -> Job:
        """Store the next segment, the pages that begin in it and the progress they stand for, in one transaction."""
        ...

    def finish(self) -> Document:
        """Make the memory complete and point the document at it, in one transaction; the old memory goes."""
        ...

    def fail(self, error: str) -> None:
        """Record why the file cannot be read and drop what was committed."""
        ...

    def interrupt(self) -> None:
        """Give up ownership and keep what was committed, for a later run."""
        ...

    def raise_if_cancelled(self) -> None:
        """Raise `JobCancelled` where somebody asked for it, at most a second ago; costs nothing."""
        ...


class Askable(Protocol):
    """What a question needs of a library. Every method raises `LibraryProblem` subclasses only."""

    def document(self, document_id: str) -> Document:
        """One document; raises `UnknownDocument`."""
        ...

    def titles(self, documents: Sequence[str]) -> Mapping[str, str]:
        """The titles of those of these documents that there are, in order; quick for any number of them."""
        ...

    def pages(self, document_id: str) -> Sequence[PageSpan]:
        """The pages of a document in order."""
        ...

    def segments(self, places: Sequence[Place]) -> Sequence[StoredSegment]:
        """The segments at `places`, in the order asked."""
        ...

    def quote_boxes(self, document_id: str, char_start: int, char_end: int) -> Sequence[QuoteBox]:
        """Where the words of a span stand on their pages, in order; raises `DamagedMemory`."""
        ...

    def memory(self, document_id: str) -> StoredMemory:
        """All memory rows of a document, checked against their checksums; raises `DamagedMemory`."""
        ...

    def memory_states(self, documents: Sequence[str]) -> Sequence[MemoryState]:
        """Whose each document's memory is, in which state and how long, without reading rows; any number of ids."""
        ...

    def nearest(self, query: bytes, *, parts: int, documents: Sequence[str], top: int) -> Sequence[Place]:
        """About `top` places whose memories may have the largest inner products with `query`, best first.

        `query` is D little-endian float32, a segment's row holds `parts` memories of D. They are proposals of an index
        that may miss some; all documents are one model's.
        """
        ...

    def memory_rows(self, places: Sequence[Place]) -> Sequence[StoredRow]:
        """The memory rows of `places`, in the order asked, each checked; raises `DamagedMemory`."""
        ...

    def keyword_search(self, query: str, *, documents: Sequence[str], top: int) -> Sequence[Hit]:
        """Places by BM25 over the words of a natural-language `query`, best first."""
        ...


class Library(Askable, Protocol):
    """Documents, their text and their memories. Every method raises `LibraryProblem` subclasses only."""

    @property
    def chats(self) -> Chats:
        """The conversations about the documents."""
        ...

    @property
    def users(self) -> Users:
        """Who may log in to a service over this library; raises `NotYours` for a user's own view."""
        ...

    def owned_by(self, owner: str) -> Library:
        """What belongs to a user, by `hmt_qa.ownership`: an id of anybody else names nothing in it."""
        ...

    def documents(self, *, collection: str | None = None) -> Sequence[Document]:
        """All readable documents, oldest first."""
        ...

    def document_ids(self, *, collection: str | None = None) -> Sequence[str]:
        """The ids of all readable documents, oldest first."""
        ...

    def known(self, *, collection: str, path: str) -> KnownFile | None:
        """The document of this path in this collection with its stamp, if any."""
        ...

    def holder(self, *, collection: str, sha256: str, model_id: str) -> Document | None:
        """The oldest document of this collection with these bytes that this model read, if any."""
        ...

    def restamp(self, document_id: str, stamp: str) -> None:
        """Remember another stamp for the same bytes."""
        ...

    def unfinished(self, *, collection: str, path: str, sha256: str, model_id: str) -> bool:
        """Whether an interrupted ingestion of these bytes at this path has committed segments to go on from."""
        ...

    def tidy(self) -> None:
        """Overwrite what replaced and given up memories left in index and log; quick where there is nothing."""
        ...

    def rename(self, document_id: str, title: str) -> Document:
        """Give a document another title."""
        ...

    def remove(self, document_id: str) -> Document:
        """Delete a document and, when no other shares it, its memory, text and index rows; returns what it was."""
        ...

    def text(self, document_id: str, char_start: int, char_end: int) -> str:
        """The document's text at a span."""
        ...

    def boxes(self, document_id: str, page: int) -> Sequence[TextBox]:
        """Word boxes of one page, empty where the format has none."""
        ...

    def set_metadata(self, document_id: str, metadata: Mapping[str, object]) -> None:
        """Keep what a caller knows about a document, as JSON, until the document is removed; replaces what was kept."""
        ...

    def metadata(self, document_id: str) -> Mapping[str, object] | None:
        """What `set_metadata` kept, or None."""
        ...

    def state_ids(self, document_id: str) -> Sequence[str]:
        """The chain of states of a document's memory (hex), one a segment."""
        ...

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
    ) -> Ingestion:
        """Own the ingestion of `source`, new or interrupted; raises `AlreadyIngesting` while another process does.

        `setting` names device, dtype, attention and shapes: memories are bit-identical only under the same one.
        Where an earlier run was interrupted under another `setting`, the later one is recorded and goes on.
        """
        ...

    def adopt(self, source: SourceFile, *, reader: str, model_id: str, title: str) -> Document | None:
        """Point `source` at a complete memory of the same bytes by the same reader and model, if one is stored."""
        ...

    def jobs(self, *, limit: int | None = 100) -> Sequence[Job]:
        """Ingestions, newest first."""
        ...

    def job(self, job_id: int) -> Job:
        """One ingestion; raises `UnknownJob`."""
        ...

    def cancel(self, job_id: int) -> Job:
        """Have an ingestion stop at its next segment, whoever owns it; what it committed is kept, for `resume`.

        Returns the job as it is now: still running, with `cancel_requested`, where its owner lives.
        Raises `UnknownJob` and `JobEnded`.
        """
        ...

    def discard(self, job_id: int) -> Job:
        """Delete an ingestion that nobody works on, with all that it committed; returns what it was.

        A document of the same path stays. Raises `UnknownJob` and `AlreadyIngesting`.
        """
        ...

    def report_failure(self, source: SourceFile, error: str) -> Job:
        """Record an input that failed before it could begin (unreadable, encrypted), for whoever observes jobs."""
        ...

    def export(self, document_ids: Sequence[str], file: Path, *, with_text: bool = True) -> Sequence[Document]:
        """Write documents, with their text or their memories alone, to a new file; it is there whole or not at all."""
        ...

    def take_in(self, file: Path, *, shape: MemoryShape, collection: str | None = None) -> Sequence[Imported]:
        """Store what an exported file from anyone holds, all of it or nothing; raises `InvalidBundle`."""
        ...

    def verify(self) -> Iterator[Verdict]:
        """Look at every stored byte: a verdict on the whole, then one on each document."""
        ...

    def collect_garbage(self) -> Sequence[Collected]:
        """Remove what nothing refers to."""
        ...

    def close(self) -> None:
        """Release the database."""
        ...
