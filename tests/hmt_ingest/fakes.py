"""A library in memory and a model made of hashes: small, but they keep the contracts of `hmt_qa.ports`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hmt_qa.errors import AlreadyIngesting, JobCancelled, LibraryBusy
from hmt_qa.lanes import Lanes
from hmt_qa.types import Document, EncodedText, Job, JobState, KnownFile, Page, Segment, SourceFile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PIECES = re.compile(r"\S{1,4}")


class HashEngine:
    """A row is the hash of the rows in its window and of the segment's tokens: a wrong tail gives wrong rows."""

    model_id = "hashes"
    hidden = 8
    dtype = "float32"
    setting = "cpu float32 hashes"
    recall_window = 3
    read_together = 4

    def __init__(self, segment_length: int = 5) -> None:
        self.segment_length = segment_length

    def encode(self, text: str) -> EncodedText:
        """Pieces of at most four characters; white space has no token."""
        pieces = list(_PIECES.finditer(text))
        return EncodedText(
            ids=[int.from_bytes(hashlib.sha256(piece.group().encode()).digest()[:3], "big") for piece in pieces],
            spans=[piece.span() for piece in pieces],
        )

    @contextmanager
    def together(self, documents: int, *, workers: int | None = None) -> Iterator[Lanes]:
        yield Lanes(count=min(documents, workers or 3), join=lambda: None)

    def first_state_id(self) -> str:
        return hashlib.sha256(self.model_id.encode()).hexdigest()

    def next_state_id(self, state_id: str, token_ids: Sequence[int]) -> str:
        return hashlib.sha256(f"{state_id} {list(token_ids)}".encode()).hexdigest()

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        window = [tail[start : start + 32] for start in range(0, len(tail), 32)]
        assert len(window) == min(committed, self.recall_window)
        for segment in segments:
            if segment.number >= committed:
                row = hashlib.sha256(b"".join(window) + repr(segment.token_ids).encode()).digest()
                window = [*window, row][-self.recall_window :]
                yield segment, row


@dataclass
class Memory:
    """What one ingestion has committed."""

    rows: list[bytes] = field(default_factory=list)
    state_ids: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    pages: list[list[Page]] = field(default_factory=list)


class FakeLibrary:
    """Only what ingestion asks of a library. `fail_after` raises `failure` instead of that many commits."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Document] = {}
        self.memories: dict[str, Memory] = {}
        self.pending: dict[tuple[str, str], Memory] = {}
        self.owned: set[tuple[str, str]] = set()
        self.failures: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.stamps: dict[str, str] = {}
        self.tidied = 0
        self.tidying_fails = False
        self.fail_after: int | None = None
        self.failure: BaseException = KeyboardInterrupt()

    def known(self, *, collection: str, path: str) -> KnownFile | None:
        document = self.stored.get((collection, path))
        return KnownFile(document=document, stamp=self.stamps.get(document.id, "")) if document else None

    def holder(self, *, collection: str, sha256: str, model_id: str) -> Document | None:
        same = (
            d for d in self.stored.values() if (d.collection, d.sha256, d.model_id) == (collection, sha256, model_id)
        )
        return next(same, None)

    def restamp(self, document_id: str, stamp: str) -> None:
        self.stamps[document_id] = stamp

    def unfinished(self, *, collection: str, path: str, **_: object) -> bool:
        return bool(self.pending.get((collection, path), Memory()).rows)

    def tidy(self) -> None:
        self.tidied += 1
        if self.tidying_fails:
            raise LibraryBusy("The database is locked.")

    def adopt(self, source: SourceFile, *, reader: str, model_id: str, title: str) -> Document | None:
        for document in list(self.stored.values()):
            if (document.sha256, document.model_id) == (source.sha256, model_id):
                return self.store(source, title, document.media_type, self.memories[document.id], model_id)
        return None

    def begin(self, source: SourceFile, *, title: str, media_type: str, pages_total: int, model_id: str, **_: object):
        key = (source.collection, source.path)
        if key in self.owned:
            raise AlreadyIngesting("Another process reads this file.", subject=source.path)
        self.owned.add(key)
        memory = self.pending.setdefault(key, Memory())
        about = {"title": title, "media_type": media_type, "pages_total": pages_total, "model_id": model_id}
        return FakeIngestion(self, source, memory, **about)

    def report_failure(self, source: SourceFile, error: str) -> Job:
        self.failures[source.path] = error
        return job(source, Memory(), 0, JobState.FAILED)

    def store(self, source: SourceFile, title: str, media_type: str, memory: Memory, model_id: str) -> Document:
        document = Document(
            id=hashlib.sha256(f"{source.collection} {source.path}".encode()).hexdigest()[:8],
            collection=source.collection,
            path=source.path,
            title=title,
            media_type=media_type,
            sha256=source.sha256,
            size_bytes=source.size_bytes,
            pages=sum(map(len, memory.pages)),
            segments=len(memory.segments),
            tokens=sum(len(segment.token_ids) for segment in memory.segments),
            characters=memory.segments[-1].char_end,
            model_id=model_id,
            added_at=NOW,
        )
        self.stored[source.collection, source.path] = document
        self.memories[document.id] = memory
        self.stamps[document.id] = source.stamp
        return document

    def memory_of(self, path: object, collection: str = "default") -> Memory:
        return self.memories[self.stored[collection, str(path)].id]


class FakeIngestion:
    """Appends to a memory and refuses what does not follow."""

    job_id = 1

    def __init__(self, library, source, memory, *, title, media_type, pages_total, model_id) -> None:
        self.library, self.source, self.memory = library, source, memory
        known = library.stored.get((source.collection, source.path))
        same = known is not None and known.model_id == model_id
        self.old = library.memories[known.id] if same else Memory()
        self.title, self.media_type, self.pages_total, self.model_id = title, media_type, pages_total, model_id

    @property
    def committed_state_ids(self) -> Sequence[str]:
        return tuple(self.memory.state_ids)

    def tail(self, count: int) -> bytes:
        return b"".join(self.memory.rows[-count:])

    def truncate(self, segments: int) -> None:
        for part in (self.memory.rows, self.memory.state_ids, self.memory.segments, self.memory.pages):
            del part[segments:]

    def commit(self, segment: Segment, *, memory_row: bytes, state_id: str, pages: Sequence[Page]) -> Job:
        assert segment.number == len(self.memory.segments)
        assert segment.char_start == (self.memory.segments[-1].char_end if self.memory.segments else 0)
        if self.library.fail_after is not None:
            if not self.library.fail_after:
                raise self.library.failure
            self.library.fail_after -= 1
        self.memory.rows.append(memory_row)
        self.memory.state_ids.append(state_id)
        self.memory.segments.append(segment)
        self.memory.pages.append(list(pages))
        return job(self.source, self.memory, self.pages_total, JobState.RUNNING)

    def finish(self) -> Document:
        self._release(keep=False)
        return self.library.store(self.source, self.title, self.media_type, self.memory, self.model_id)

    def fail(self, error: str) -> None:
        self._release(keep=False)
        self.library.failures[self.source.path] = error

    def interrupt(self) -> None:
        self._release(keep=True)

    def raise_if_cancelled(self) -> None:
        if self.source.path in self.library.cancelled:
            raise JobCancelled("Somebody cancelled it.", subject=self.source.path)

    @property
    def replaces(self) -> int:
        return len(self.old.segments)

    def agrees(self, segment: Segment, *, state_id: str, pages: Sequence[Page]) -> bool:
        stored = zip(self.old.segments, self.old.state_ids, self.old.pages, strict=True)
        return (segment, state_id, list(pages)) in list(stored)[segment.number : segment.number + 1]

    def inherit(self, *, segments: int, pages: int) -> None:
        for name in ("rows", "state_ids", "segments", "pages"):
            setattr(self.memory, name, getattr(self.old, name)[:segments])
        assert sum(map(len, self.memory.pages)) == pages

    def _release(self, *, keep: bool) -> None:
        key = (self.source.collection, self.source.path)
        self.library.owned.remove(key)
        if not keep:
            del self.library.pending[key]


def job(source: SourceFile, memory: Memory, pages_total: int, state: JobState) -> Job:
    return Job(
        id=1,
        path=source.path,
        collection=source.collection,
        state=state,
        pages_done=sum(map(len, memory.pages)),
        pages_total=pages_total,
        segments_done=len(memory.segments),
        tokens_done=sum(len(segment.token_ids) for segment in memory.segments),
        tokens_per_second=0.0,
        started_at=NOW,
        updated_at=NOW,
    )
