"""The Protocols that the outer folders implement; the core calls these and never names a concrete class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from hmt_qa.lanes import Lanes
from hmt_qa.types import (
    Answer,
    Collected,
    Conversation,
    Document,
    EncodedText,
    Hit,
    Imported,
    IngestOptions,
    IngestResult,
    Job,
    Key,
    KeyKind,
    KnownFile,
    MemoryShape,
    MemoryState,
    Page,
    PageSpan,
    Place,
    Segment,
    Share,
    SourceFile,
    StoredMemory,
    StoredRow,
    StoredSegment,
    TextBox,
    Turn,
    TurnSegment,
    User,
    Verdict,
)


class SourceText(Protocol):
    """An opened file: iterating yields its pages in order, one at a time, so the whole text is never held."""

    title: str
    media_type: str
    page_count: int

    def __iter__(self) -> Iterator[Page]:
        """Pages in order, numbered from 1. Raises `FileProblem` where the bytes cannot be read."""
        ...


class Reader(Protocol):
    """Reads one kind of file. Entry point group `hmt_qa.readers`; constructed without arguments."""

    name: str
    suffixes: frozenset[str]

    def open(self, path: Path, *, password: str | None = None) -> AbstractContextManager[SourceText]:
        """Open `path`; raises `EncryptedFile`, `CorruptFile`, `EmptyFile` or `UnsupportedFile`."""
        ...


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


class Chats(Protocol):
    """Conversations with their turns and the memory of what was said.

    Ids may be given by their beginning. Methods that take one raise `UnknownConversation`.
    """

    def begin(self, *, title: str, collection: str | None, documents: Sequence[str]) -> Conversation:
        """A new conversation without turns."""
        ...

    def all(self) -> Sequence[Conversation]:
        """All conversations, the latest first."""
        ...

    def one(self, conversation_id: str) -> Conversation:
        """One conversation."""
        ...

    def turns(self, conversation_id: str) -> Sequence[Turn]:
        """What was asked and answered, in order."""
        ...

    def memory(self, conversation_id: str, *, model_id: str, dtype: str) -> Sequence[TurnSegment]:
        """The memory that this model has of what was said, checked; empty where it has none."""
        ...

    def add(
        self,
        conversation: Conversation,
        *,
        question: str,
        about: str,
        answer: Answer,
        memory: Sequence[TurnSegment],
        kept: int,
        model_id: str,
        dtype: str,
    ) -> Conversation:
        """Append a turn and its memory in one transaction: `memory` follows on the first `kept` segments stored.

        Raises `ConversationMoved` where the conversation has not the turns it had.
        """
        ...

    def remove(self, conversation_id: str) -> Conversation:
        """Delete a conversation and all that was said in it; returns what it was."""
        ...


class Users(Protocol):
    """Who may log in, and the keys that stand for them. Methods that take a name raise `UnknownUser`."""

    def add(self, name: str, *, password_hash: str) -> User:
        """A new user; raises `UserExists`."""
        ...

    def all(self) -> Sequence[User]:
        """All users by name."""
        ...

    def exist(self) -> bool:
        """Whether there is any."""
        ...

    def remove(self, name: str) -> User:
        """Delete a user with keys and conversations; documents stay."""
        ...

    def password_hash(self, name: str) -> str | None:
        """What `add` was given; None where there is no such user."""
        ...

    def set_password(self, name: str, password_hash: str) -> User:
        """Another password, which ends every session of the user."""
        ...

    def issue(self, name: str, kind: KeyKind, *, label: str, seconds: float) -> str:
        """A new secret that stands for the user until it expires; it cannot be read again."""
        ...

    def holder(self, secret: str, kind: KeyKind) -> User | None:
        """Whom a secret of this kind stands for, if it does."""
        ...

    def keys(self, name: str, kind: KeyKind) -> Sequence[Key]:
        """A user's keys of this kind, oldest first."""
        ...

    def revoke(self, secret: str) -> None:
        """Make a secret worthless; nothing happens where it is already."""
        ...

    def revoke_all(self, name: str, kind: KeyKind) -> int:
        """Make all of a user's keys of this kind worthless; returns how many."""
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


ProgressObserver = Callable[[Job], None]


class MemoryReader(Protocol):
    """The model as ingestion sees it: segments in, memory rows out."""

    @property
    def model_id(self) -> str:
        """Name and hash of the model: memories are bound to it."""
        ...

    @property
    def segment_length(self) -> int:
        """Tokens a segment."""
        ...

    @property
    def hidden(self) -> int:
        """Numbers in a segment's memory row: M embeddings of D, one after another."""
        ...

    @property
    def dtype(self) -> str:
        """Name of the memory rows' number format: `float32` or `bfloat16`."""
        ...

    @property
    def setting(self) -> str:
        """Device, dtype, attention and shapes in one line; equal settings give bit-equal memories."""
        ...

    def encode(self, text: str) -> EncodedText:
        """Tokens of `text`; special-token spellings in it are ordinary text."""
        ...

    def first_state_id(self) -> str:
        """The chain's id before any segment (hex)."""
        ...

    def next_state_id(self, state_id: str, token_ids: Sequence[int]) -> str:
        """The chain's id after reading `token_ids` in `state_id` (hex)."""
        ...

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        """Read a document on from segment number `committed`.

        `segments` yields every segment from number 0; those before `committed` only fill the fixed shapes.
        `tail` holds the last min(committed, `recall_window`) memory rows. Yields each new segment with its row's bytes.
        """
        ...

    @property
    def read_together(self) -> int:
        """Segments that go through the model in one pass, in groups from number 0: a row's bits depend on its group."""
        ...

    @property
    def recall_window(self) -> int:
        """How many of the newest memories ingestion attends to (N)."""
        ...

    def together(self, documents: int, *, workers: int | None = None) -> AbstractContextManager[Lanes]:
        """Make room to read up to `documents` side by side, each by a thread of its own; `workers` bounds the threads.

        `setting` is then another where that decides about bits, the same for the same arguments.
        """
        ...


class Ingestor(Protocol):
    """From paths to stored memories. Entry point group `hmt_qa.ingestors`; constructed without arguments."""

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Iterator[IngestResult]:
        """Read every file under `paths`, several at once, yielding a result as each ends; a bad one stops no other.

        `on_progress` is called, where results are taken, for each committed segment with the job's stored counters.
        """
        ...

    def ingest_text(
        self,
        text: str,
        *,
        name: str,
        title: str,
        collection: str,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Document:
        """Read a text that is no file as the document at the path `name`; unchanged, it is left alone.

        Raises `NoTextFound` where it has not one visible character.
        """
        ...


class DivisibleIngestor(Ingestor, Protocol):
    """An ingestor whose work can be spread: files are found in one place, and each is read in another.

    It is sent to other processes: what it holds can be pickled.
    """

    def shares(self, paths: Sequence[Path], *, options: IngestOptions) -> Iterator[Share]:
        """The files under `paths`; those left out are logged."""
        ...

    def ingest_share(
        self,
        share: Share,
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> IngestResult | None:
        """Read one file, on any machine that sees it under the same path; None where it turns out to hold no text."""
        ...

    def conclude(self, paths: Sequence[Path], *, options: IngestOptions, library: Library) -> Iterator[IngestResult]:
        """What is done once, after all files: traces of what was replaced go, and so do documents of vanished files."""
        ...
