"""One owned ingestion: segments are appended to a memory, each with its progress in one transaction."""

from __future__ import annotations

import hashlib
import logging
import time
import weakref
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from hmt_qa.errors import AlreadyIngesting, LibraryBusy, StorageFull
from hmt_qa.types import Document, Job, JobState, Page, Segment, SourceFile
from hmt_storage import documents, jobs
from hmt_storage.checksums import PageRow
from hmt_storage.database import Database
from hmt_storage.heartbeat import Heartbeat
from hmt_storage.inheriting import agrees, copy, page_columns, pages_begun, predecessor, segment_columns
from hmt_storage.keyword import note_deletion
from hmt_storage.packing import row_bytes, storable
from hmt_storage.progress import committed
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import JobRecord as J
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S

INHERITED_AT_ONCE = 256
"""Segments in one transaction."""

_log = logging.getLogger(__name__)


class SqlIngestion:
    """Appends to one incomplete memory; `SqlLibrary.begin` makes it.

    Once it is closed, or another process took it up, every method but `interrupt` raises `AlreadyIngesting`. Once
    somebody asked for it to be cancelled, every method that writes but `fail` and `interrupt` raises `JobCancelled`.
    """

    def __init__(self, database: Database, connection: Connection, source: SourceFile, claimed: jobs.Claim) -> None:
        self._database = database
        self._source = source
        self._claimed = claimed
        self.job_id = claimed.job_id
        self._heartbeat = Heartbeat(database, claimed)
        weakref.finalize(self, self._heartbeat.stop)  # dropped without a word: interrupted, not stuck
        self._memory_id: int = connection.execute(select(J.memory_id).where(J.id == claimed.job_id)).scalar_one() or 0
        location = documents.Location(source.collection, source.path)
        self._old, self.replaces = predecessor(connection, location, self._memory_id)
        self.committed_state_ids: Sequence[str] = self._state_ids(connection)

    def keep_alive(self) -> None:
        """Renew the lease, and listen for a cancellation, until this ingestion ends."""
        self._heartbeat.start()

    def raise_if_cancelled(self) -> None:
        """Raise `JobCancelled` where somebody asked for it, at most a second ago; asks no database."""
        if self._heartbeat.cancelled:
            raise jobs.cancelled(self.job_id, self._source.path)

    def tail(self, count: int) -> bytes:
        """The last `count` (or fewer) committed memory rows, raw bytes in order."""
        newest = select(R.row).where(R.memory_id == self._memory_id).order_by(R.number.desc()).limit(max(count, 0))
        with self._database.read() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            return b"".join(reversed(connection.execute(newest).scalars().all()))

    def truncate(self, segments: int) -> None:
        """Drop committed segments from number `segments` on, with the pages that begin there."""
        with self._database.write() as connection:
            self._check(connection)
            mine = S.memory_id == self._memory_id
            cut = connection.execute(select(S.char_start).where(mine, S.number == segments)).scalar()
            if cut is None:
                return
            connection.execute(delete(S).where(mine, S.number >= segments))
            note_deletion(connection)
            connection.execute(delete(R).where(R.memory_id == self._memory_id, R.number >= segments))
            connection.execute(delete(P).where(P.memory_id == self._memory_id, P.char_start >= cut))
            state_id = connection.execute(
                select(R.state_id).where(R.memory_id == self._memory_id, R.number == segments - 1)
            ).scalar()
            tokens = connection.execute(
                select(func.coalesce(func.sum(func.length(S.token_ids)), 0)).where(mine)
            ).scalar_one()
            pages = connection.execute(
                select(func.count()).select_from(P).where(P.memory_id == self._memory_id)
            ).scalar_one()
            changed = {"pages": pages, "segments": segments, "tokens": tokens // 4, "characters": cut}
            self._count(connection, changed | {"state_id": state_id or ""})
            connection.execute(update(J).where(J.id == self.job_id).values(run_first_token=tokens // 4))
        self.committed_state_ids = self.committed_state_ids[:segments]

    def agrees(self, segment: Segment, *, state_id: str, pages: Sequence[Page]) -> bool:
        """Whether the memory to be replaced holds exactly this segment and these pages, which begin in it."""
        with self._database.read() as connection:
            return agrees(connection, self._old, segment, state_id=state_id, pages=pages)

    def inherit(self, *, segments: int, pages: int) -> None:
        """Take over the first segments and pages of the memory to be replaced, beyond those committed.

        Some at a time, so that other writers need not wait. Where that memory is gone meanwhile, fewer are taken.
        """
        try:
            for start in range(len(self.committed_state_ids), segments, INHERITED_AT_ONCE):
                stop = min(start + INHERITED_AT_ONCE, segments)
                self._inherit(range(start, stop), pages=pages if stop == segments else None)
        except LookupError as gone:
            _log.info("not_inherited job=%d reason=%s", self.job_id, gone)

    def _inherit(self, segments: range, *, pages: int | None) -> None:
        """`pages` is None for all that begin in these segments."""
        with self._database.write() as connection:
            self._check(connection)
            memory = connection.execute(select(M.__table__).where(M.id == self._memory_id)).one()
            if pages is None:
                pages = pages_begun(connection, self._old, segments.stop)
            taken = range(memory.pages + 1, max(pages, memory.pages) + 1)
            changed = copy(connection, self._old, self._memory_id, segments=segments, pages=taken)
            self._count(connection, changed)
            connection.execute(update(J).where(J.id == self.job_id).values(run_first_token=changed["tokens"]))
            new = self._state_ids(connection, first=segments.start)
        self.committed_state_ids = (*self.committed_state_ids, *new)

    def _state_ids(self, connection: Connection, *, first: int = 0) -> tuple[str, ...]:
        mine = (R.memory_id == self._memory_id) & (R.number >= first)
        return tuple(connection.execute(select(R.state_id).where(mine).order_by(R.number)).scalars())

    def commit(self, segment: Segment, *, memory_row: bytes, state_id: str, pages: Sequence[Page]) -> Job:
        """Store the next segment, the pages that begin in it and the progress they stand for, in one transaction.

        Pages that are stored already are passed over. Raises ValueError where segment, row or pages do not follow on.
        """
        with self._database.append() as connection:
            self._check(connection)
            memory = connection.execute(select(M.__table__).where(M.id == self._memory_id)).one()
            _must_follow(segment, number=memory.segments, characters=memory.characters)
            if len(memory_row) != (size := row_bytes(memory.dtype, memory.hidden)):
                raise ValueError(
                    f"a memory row of {memory.hidden} {memory.dtype} has {size} bytes, not {len(memory_row)}"
                )
            key = {"memory_id": self._memory_id, "number": segment.number}
            connection.execute(insert(S).values(**key, **segment_columns(segment)))
            checksum = hashlib.sha256(memory_row).digest()
            connection.execute(insert(R).values(**key, state_id=state_id, sha256=checksum, row=memory_row))
            self._count(
                connection,
                {
                    "pages": self._add_pages(connection, pages, stored=memory.pages),
                    "segments": segment.number + 1,
                    "tokens": memory.tokens + len(segment.token_ids),
                    "characters": segment.char_end,
                    "state_id": state_id,
                },
            )
            return jobs.load(connection, self.job_id)

    def _check(self, connection: Connection) -> Row[*tuple[object, ...]]:
        job = jobs.check(connection, self._claimed, self._source.path)
        jobs.refuse_if_cancelled(job)
        return job

    def _add_pages(self, connection: Connection, pages: Sequence[Page], *, stored: int) -> int:
        """Append those of `pages` that come after the `stored` first ones; returns how many are stored then."""
        new = [page for page in pages if page.number > stored]
        if not new:
            return stored
        if [page.number for page in new] != list(range(stored + 1, stored + 1 + len(new))):
            raise ValueError(f"pages after {stored} must follow on, not {[page.number for page in new]}")
        start = connection.execute(
            select(func.coalesce(func.max(P.char_end), 0)).where(P.memory_id == self._memory_id)
        ).scalar_one()
        rows = []
        for page in new:
            row = PageRow(number=page.number, char_start=start, char_end=start + len(page.text), **page_columns(page))
            rows.append({"memory_id": self._memory_id, **row._asdict(), "sha256": row.checksum})
            start += len(page.text)
        connection.execute(insert(P), rows)
        return stored + len(new)

    def _count(self, connection: Connection, changed: Mapping[str, object]) -> None:
        """Change the memory's counters and let the job follow; that is a sign of life too."""
        connection.execute(update(M).where(M.id == self._memory_id).values(changed))
        now, done = time.time(), committed(connection, self._memory_id)
        followed = done.columns | {"updated_at": now} | jobs.lease(now)
        connection.execute(update(J).where(J.id == self.job_id).values(followed))

    def finish(self) -> Document:
        """Make the memory complete and point the document at it, in one transaction; the old memory goes.

        Raises ValueError when no segment was committed: a document without text is not a document.
        """
        with self._database.write() as connection:
            job = self._check(connection)
            memory = connection.execute(select(M.__table__).where(M.id == self._memory_id)).one()
            if memory.segments == 0:
                raise ValueError(f"{self._source.path} has no segment to finish with")
            self._supersede(connection, memory.sha256, memory.reader, memory.model_id)
            connection.execute(update(M).where(M.id == self._memory_id).values(complete=True))
            location = documents.Location(job.collection, job.path)
            identity = documents.point(
                connection,
                location,
                title=job.title,
                memory_id=self._memory_id,
                now=time.time(),
                stamp=self._source.stamp,
            )
            connection.execute(update(J).where(J.memory_id == self._memory_id).values(memory_id=None))
            jobs.close(connection, self._claimed, JobState.DONE, document=identity, tokens_total=memory.tokens)
            document = documents.load(connection, identity)
        self._heartbeat.stop()
        return document

    def _supersede(self, connection: Connection, sha256: str, reader: str, model_id: str) -> None:
        """Where the same bytes were read before, let their documents use the new memory."""
        same = (M.sha256 == sha256) & (M.reader == reader) & (M.model_id == model_id) & M.complete
        old = connection.execute(select(M.id).where(same)).scalar()
        if old is not None:
            connection.execute(update(D).where(D.memory_id == old).values(memory_id=self._memory_id))
            documents.drop_memory(connection, old)

    def fail(self, error: str) -> None:
        """Record why the file cannot be read and drop what was committed."""
        with self._database.write() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            documents.drop_memory(connection, self._memory_id)
            jobs.close(connection, self._claimed, JobState.FAILED, error=storable(error))
        self._heartbeat.stop()

    def interrupt(self) -> None:
        """Give up ownership and keep what was committed, for a later run; without effect where it is not owned.

        The job is cancelled where somebody asked for that, else interrupted.
        """
        self._heartbeat.stop()
        try:
            with self._database.write() as connection:
                job = jobs.check(connection, self._claimed, self._source.path)
                asked = job.cancel_requested
                jobs.close(connection, self._claimed, JobState.CANCELLED if asked else JobState.INTERRUPTED)
        except AlreadyIngesting:
            return
        except (StorageFull, LibraryBusy) as error:
            # A full disk is why one interrupts. Released, the job shows as interrupted all the same.
            _log.warning("interruption_not_recorded job=%d error=%s", self.job_id, error)


def _must_follow(segment: Segment, *, number: int, characters: int) -> None:
    if segment.number != number:
        raise ValueError(f"segment {number} is next, not {segment.number}")
    if segment.char_start != characters or segment.char_end - segment.char_start != len(segment.text):
        raise ValueError(f"segment {number} must hold the text from character {characters} on, as long as its span")
