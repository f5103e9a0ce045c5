"""The nouns of the domain; knows no tensors, no files and no SQL.

Positions: characters count Unicode code points of the document's text, which is the texts of its pages joined
without a separator; spans are half open, [start, end). Pages count from 1, segments from 0. Boxes are PDF points
(1/72 inch) with the origin at the lower left of the page as shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """Where a run of characters (a word) stands on its page; offsets count from the start of the page's text."""

    char_start: int
    char_end: int
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page as a reader yields it. `text` ends with a newline unless it is empty; `number` counts from 1.

    `label` is what is printed on the page, or the line range where a file has lines and no pages.
    `width` and `height` are in points, 0 where the format has no geometry. `borders` are places in `text`, ascending,
    where a segment should rather begin: functions and classes. `unread` says what the page shows that is not in `text`
    ("a picture"); it is empty where nothing is missing.
    """

    number: int
    label: str
    text: str
    width: float = 0.0
    height: float = 0.0
    boxes: Sequence[TextBox] = ()
    borders: Sequence[int] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSpan:
    """Which characters of the document's text one page covers."""

    number: int
    label: str
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """At most L tokens of a document, exactly placed. Segments partition its text: no gap, no overlap."""

    number: int
    token_ids: tuple[int, ...]
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One input as the tree walk found it; `path` is what the user will see again, `sha256` of its bytes in hex.

    `stamp` holds the file's cheap signs (size, times) at that moment; empty where they prove nothing.
    """

    path: str
    collection: str
    sha256: str
    size_bytes: int
    stamp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One readable entry of the library: its memory is complete."""

    id: str
    collection: str
    path: str
    title: str
    media_type: str
    sha256: str
    size_bytes: int
    pages: int
    segments: int
    tokens: int
    characters: int
    model_id: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A document with the stamp its file had when its bytes were hashed."""

    document: Document
    stamp: str


class JobState(StrEnum):
    """How far an ingestion is. `interrupted` and `cancelled` jobs go on with `resume`, or with `ingest` of the file."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


RESUMABLE = frozenset({JobState.INTERRUPTED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One ingestion as any process may observe it; counters only grow. Totals are 0 while unknown.

    `pages_done` counts pages read to their end, `page_share` is how much of the next one has been read, [0, 1).
    How many tokens there are is known when all are read: `tokens_total` is 0 until the job is done.
    `owner` names the process at work, which renews `lease_expires_at` with each `heartbeat_at`; "" for none.
    """

    id: int
    path: str
    collection: str
    state: JobState
    pages_done: int
    pages_total: int
    segments_done: int
    tokens_done: int
    tokens_per_second: float
    started_at: datetime
    updated_at: datetime
    error: str = ""
    document: str = ""
    page_share: float = 0.0
    tokens_total: int = 0
    owner: str = ""
    heartbeat_at: datetime | None = None
    lease_expires_at: datetime | None = None
    cancel_requested: bool = False

    @property
    def fraction(self) -> float:
        """Share of pages read, 0 to 1; exactly 1 only when done."""
        if self.state is JobState.DONE:
            return 1.0
        return min((self.pages_done + self.page_share) / self.pages_total, 0.999) if self.pages_total else 0.0

    @property
    def is_resumable(self) -> bool:
        """Whether it can go on."""
        return self.state in RESUMABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One segment of one document: what recall and the keyword index point at."""

    document: str
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """A segment as the library gives it back; without tokens and text where it was imported without them."""

    place: Place
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    token_ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMemory:
    """All memory embeddings of one document as raw bytes: `rows` is (segments, hidden) little-endian `dtype`.

    A segment's row holds its M embeddings one after another, so `hidden` is M times the model's hidden size.

    `state_id` is the head of the hash chain (hex), the key under which a loaded memory may be cached.
    """

    document: str
    model_id: str
    dtype: str
    hidden: int
    segments: int
    state_id: str
    rows: bytes = field(repr=False)


class MemoryState(NamedTuple):
    """Whose a document's memory is, in which state and how long, without its rows."""

    document: str
    model_id: str
    state_id: str
    segments: int


class StoredRow(NamedTuple):
    """The memory row of one place: raw little-endian numbers of `dtype`."""

    dtype: str
    row: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place with a score; higher is better, the scale depends on who ranked."""

    place: Place
    score: float


class Mode(StrEnum):
    """How an answer is made: from the memory prompt alone, or with the recalled segments re-read word for word."""

    MEMORY = "memory"
    EVIDENCE = "evidence"


class Ranking(StrEnum):
    """Who ranks places."""

    MEMORY = "memory"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One ranked place. `weight` is the cross-attention weight over all segments asked (they sum to 1);
    ranks count from 1, 0 where that ranking did not return the place."""

    rank: int
    document: str
    title: str
    segment: int
    page_first: int
    page_last: int
    page_label: str
    char_start: int
    char_end: int
    score: float
    weight: float
    memory_rank: int
    keyword_rank: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where an answer stands: `quote` is exactly the document's text at [char_start, char_end).

    It is empty where a document was imported without its text. [answer_start, answer_end) are the characters of the
    answer that it supports: a sentence, or nothing (0, 0) for a place that was only looked at. Ranks are as in
    `SearchResult`. The quote begins in `segment` and ends in `segment_last`, which count from 0; turns kept by older
    versions have -1 there.
    """

    document: str
    title: str
    page: int
    page_label: str
    char_start: int
    char_end: int
    quote: str
    weight: float
    answer_start: int = 0
    answer_end: int = 0
    memory_rank: int = 0
    keyword_rank: int = 0
    segment: int = -1
    segment_last: int = -1

    @property
    def supports(self) -> bool:
        """Whether the answer, or a sentence of it, stands here."""
        return self.answer_end > self.answer_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds from the question's arrival; `first_token` and `total` include what came before them."""

    resume: float
    recall: float
    first_token: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered, from where, how fast, by which model.

    `confidence` is how likely it is right, 0 to 1; None where the reader cannot tell. `verified`, where it was asked
    for: whether the answer changes without the places that support it; None for no answer.
    """

    text: str
    answerable: bool
    citations: tuple[Citation, ...]
    timings_ms: Timings
    model: str
    mode: Mode
    confidence: float | None = None
    verified: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Questions that follow on each other, of a collection or of chosen documents (ids); of everything without either.

    `turns` counts questions answered. `title` is the first of them.
    """

    id: str
    title: str
    collection: str | None
    documents: tuple[str, ...]
    turns: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question of a conversation with its answer; numbers count from 1.

    `about` is the question that a follow-up was understood with; it is empty where the question stands on its own.
    A kept answer has the citations whose quotes still stand in the library.
    """

    number: int
    question: str
    answer: Answer
    asked_at: datetime
    about: str = ""

    @property
    def topic(self) -> str:
        """The question that stands on its own: through any chain of follow-ups, the one they began with."""
        return self.about or self.question


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSegment:
    """At most L tokens of what was said, with their memory row; `state_id` as in a document's chain."""

    token_ids: tuple[int, ...]
    state_id: str
    row: bytes = field(repr=False)


class IngestStatus(StrEnum):
    """What became of one input."""

    INGESTED = "ingested"
    UNCHANGED = "unchanged"
    RESUMED = "resumed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class Sync(StrEnum):
    """How a collection follows its files.

    `upserts` reads what is new or changed. `duplicates_only` reads files whose bytes the collection does not hold yet,
    under whatever path. `upserts_and_delete` also deletes documents whose files are gone from the folders given.
    """

    UPSERTS = "upserts"
    DUPLICATES_ONLY = "duplicates_only"
    UPSERTS_AND_DELETE = "upserts_and_delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """A Ray cluster that reads documents; without `address` (`host:port`, `auto`) one of this machine alone."""

    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A file to be read by some worker; `name` is its document's path, `named` whether it was given by itself."""

    path: Path
    name: str
    named: bool
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestResult:
    """One input after `ingest`; `document` is empty and `error` says why where it failed or was cancelled.

    In a dry run `status` is what would become of it, as far as its bytes tell: no file is opened by its reader.

    Where it did not fail, `error` names the pages that show something which could not be read as text.
    """

    path: str
    status: IngestStatus
    document: str = ""
    pages: int = 0
    tokens: int = 0
    segments: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsingLimits:
    """What parsing a document may take: it is given up beyond that, and the rest of a batch goes on.

    Opening it and each of its pages may take `page_seconds` of processor time and twice that of waiting, the whole
    document `total_seconds` of processor time. `memory_mb` is address space.
    """

    memory_mb: int = 1024
    page_seconds: int = 60
    total_seconds: int = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What to read and where to put it. `include` and `exclude` are gitignore-style globs on the relative path.

    `dry_run` writes nothing. `watch` goes on for ever, with files that appear and change under the paths. `workers`
    bounds how many files are open at once, each parsed by a process of its own; by default what keeps the model busy.
    """

    collection: str = "default"
    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    limits: ParsingLimits = ParsingLimits()
    sync: Sync = Sync.UPSERTS
    dry_run: bool = False
    watch: bool = False
    workers: int | None = None


OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """Who writes answers from the evidence: "" the memory's own model, `hf:FOLDER` a local one, `openai:MODEL`.

    What follows is of endpoints: `context_tokens` bounds what is sent, `seconds` how long an answer may take.
    """

    reader: str = ""
    base_url: str = OPENAI_URL
    key: str = field(default="", repr=False)
    context_tokens: int = 8_192
    seconds: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedText:
    """Token ids of a text with the half-open character span of each; a character cut over two tokens is in both."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing `doctor` looked at."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryShape:
    """What memories a model can ask: those it wrote itself. An imported one must fit.

    hidden: numbers of a segment's row. segment_length: most tokens of a segment. vocabulary: token ids end below it.
    """

    model_id: str
    hidden: int
    segment_length: int
    vocabulary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One document of an imported bundle; not `new` where the very same had been imported before."""

    document: Document
    new: bool
    with_text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What `verify` found of one document; with an empty `document` of a conversation, or of the library's file."""

    document: str
    title: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """How many things of one kind nothing referred to, and what they took in bytes."""

    kind: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWeight:
    """How much a question attends to a page: shares of all pages of the document, which sum to 1."""

    document: str
    page: int
    page_label: str
    weight: float


class Change(StrEnum):
    """What became of a page between two documents."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChange:
    """One page that is not the same in two documents; `old` or `new` is None where it has no counterpart.

    distance: 1 - cosine of what the memories hold of the two pages, 0 to 2, about 1 for pages that have nothing in
    common; for a page without a counterpart it is the distance to the nearest page of the other document.
    """

    rank: int
    change: Change
    old: PageSpan | None
    new: PageSpan | None
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in to the service."""

    name: str
    created_at: datetime


class KeyKind(StrEnum):
    """What a key is for: a browser's session, or a program."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secret that stands for a user until it expires, without the secret."""

    id: int
    user: str
    kind: KeyKind
    label: str
    created_at: datetime
    expires_at: datetime
