"""What a library keeps of a file, and the work that is being done for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
