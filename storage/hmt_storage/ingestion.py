"""One owned ingestion: segments are appended to a memory, each with its progress in one transaction."""

from __future__ import annotations

import hashlib
import logging
import time
import weakref
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from hmt_qa.errors import AlreadyIngesting, LibraryBusy, StorageFull
from hmt_qa.types import Document, Job, JobState, Page, Segment, SourceFile
from hmt_storage import documents, jobs
from hmt_storage.checksums import PageRow, SegmentRow
from hmt_storage.database import Database
from hmt_storage.owner import release
from hmt_storage.packing import pack_boxes, pack_tokens, row_bytes, storable
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import JobRecord as J
from hmt_storage.tables import MemoryRecord as M
from hmt_storage.tables import PageRecord as P
from hmt_storage.tables import RowRecord as R
from hmt_storage.tables import SegmentRecord as S

_log = logging.getLogger(__name__)


class SqlIngestion:
    """Appends to one incomplete memory; `SqlLibrary.begin` makes it.

    Once it is closed, or another process took it up, every method but `interrupt` raises `AlreadyIngesting`.
    """

    def __init__(self, database: Database, connection: Connection, source: SourceFile, claimed: jobs.Claim) -> None:
        self._database = database
        self._source = source
        self._claimed = claimed
        self.job_id = claimed.job_id
        weakref.finalize(self, release, claimed.owner)  # dropped without a word: interrupted, not stuck
        self._memory_id: int = connection.execute(select(J.memory_id).where(J.id == claimed.job_id)).scalar_one() or 0
        self.committed_state_ids: Sequence[str] = tuple(
            connection.execute(select(R.state_id).where(R.memory_id == self._memory_id).order_by(R.number)).scalars()
        )

    def tail(self, count: int) -> bytes:
        """The last `count` (or fewer) committed memory rows, raw bytes in order."""
        newest = select(R.row).where(R.memory_id == self._memory_id).order_by(R.number.desc()).limit(max(count, 0))
        with self._database.read() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            return b"".join(reversed(connection.execute(newest).scalars().all()))

    def truncate(self, segments: int) -> None:
        """Drop committed segments from number `segments` on, with the pages that begin there."""
        with self._database.write() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            mine = S.memory_id == self._memory_id
            cut = connection.execute(select(S.char_start).where(mine, S.number == segments)).scalar()
            if cut is None:
                return
            connection.execute(delete(S).where(mine, S.number >= segments))
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
            done = jobs.Counters(pages=pages, segments=segments, tokens=tokens // 4)
            self._count(connection, done, characters=cut, state_id=state_id or "")
            connection.execute(update(J).where(J.id == self.job_id).values(run_first_token=done.tokens))
        self.committed_state_ids = self.committed_state_ids[:segments]

    def commit(self, segment: Segment, *, memory_row: bytes, state_id: str, pages: Sequence[Page]) -> Job:
        """Store the next segment, the pages that begin in it and the progress they stand for, in one transaction.

        Pages that are stored already are passed over. Raises ValueError where segment, row or pages do not follow on.
        """
        with self._database.write() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            memory = connection.execute(select(M.__table__).where(M.id == self._memory_id)).one()
            _must_follow(segment, number=memory.segments, characters=memory.characters)
            if len(memory_row) != (size := row_bytes(memory.dtype, memory.hidden)):
                raise ValueError(
                    f"a memory row of {memory.hidden} {memory.dtype} has {size} bytes, not {len(memory_row)}"
                )
            key = {"memory_id": self._memory_id, "number": segment.number}
            content = SegmentRow(
                number=segment.number,
                char_start=segment.char_start,
                char_end=segment.char_end,
                page_first=segment.page_first,
                page_last=segment.page_last,
                token_ids=pack_tokens(segment.token_ids),
                text=storable(segment.text),
            )
            connection.execute(insert(S).values(key | content._asdict() | {"sha256": content.checksum}))
            checksum = hashlib.sha256(memory_row).digest()
            connection.execute(insert(R).values(**key, state_id=state_id, sha256=checksum, row=memory_row))
            done = jobs.Counters(
                pages=self._add_pages(connection, pages, stored=memory.pages),
                segments=segment.number + 1,
                tokens=memory.tokens + len(segment.token_ids),
            )
            self._count(connection, done, characters=segment.char_end, state_id=state_id)
            return jobs.load(connection, self.job_id)

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
            row = PageRow(
                number=page.number,
                char_start=start,
                char_end=start + len(page.text),
                width=page.width,
                height=page.height,
                label=storable(page.label),
                boxes=pack_boxes(page.boxes),
            )
            rows.append(row._asdict() | {"memory_id": self._memory_id, "sha256": row.checksum})
            start += len(page.text)
        connection.execute(insert(P), rows)
        return stored + len(new)

    def _count(self, connection: Connection, done: jobs.Counters, *, characters: int, state_id: str) -> None:
        connection.execute(
            update(M)
            .where(M.id == self._memory_id)
            .values(
                pages=done.pages,
                segments=done.segments,
                tokens=done.tokens,
                characters=characters,
                state_id=state_id,
            )
        )
        connection.execute(
            update(J)
            .where(J.id == self.job_id)
            .values(
                pages_done=done.pages,
                segments_done=done.segments,
                tokens_done=done.tokens,
                updated_at=time.time(),
            )
        )

    def finish(self) -> Document:
        """Make the memory complete and point the document at it, in one transaction; the old memory goes.

        Raises ValueError when no segment was committed: a document without text is not a document.
        """
        with self._database.write() as connection:
            job = jobs.check(connection, self._claimed, self._source.path)
            memory = connection.execute(select(M.__table__).where(M.id == self._memory_id)).one()
            if memory.segments == 0:
                raise ValueError(f"{self._source.path} has no segment to finish with")
            self._supersede(connection, memory.sha256, memory.reader, memory.model_id)
            connection.execute(update(M).where(M.id == self._memory_id).values(complete=True))
            location = documents.Location(job.collection, job.path)
            identity = documents.point(
                connection, location, title=job.title, memory_id=self._memory_id, now=time.time()
            )
            connection.execute(update(J).where(J.memory_id == self._memory_id).values(memory_id=None))
            jobs.close(connection, self._claimed, JobState.DONE, document=identity)
            document = documents.load(connection, identity)
        release(self._claimed.owner)
        return document

    def _supersede(self, connection: Connection, sha256: str, reader: str, model_id: str) -> None:
        """Where the same bytes were read before, let their documents use the new memory."""
        same = (M.sha256 == sha256) & (M.reader == reader) & (M.model_id == model_id) & M.complete
        old = connection.execute(select(M.id).where(same)).scalar()
        if old is not None:
            connection.execute(update(D).where(D.memory_id == old).values(memory_id=self._memory_id))
            connection.execute(delete(M).where(M.id == old))

    def fail(self, error: str) -> None:
        """Record why the file cannot be read and drop what was committed."""
        with self._database.write() as connection:
            jobs.check(connection, self._claimed, self._source.path)
            connection.execute(delete(M).where(M.id == self._memory_id))
            jobs.close(connection, self._claimed, JobState.FAILED, error=storable(error))
        release(self._claimed.owner)

    def interrupt(self) -> None:
        """Give up ownership and keep what was committed, for a later run; without effect where it is not owned."""
        release(self._claimed.owner)
        try:
            with self._database.write() as connection:
                jobs.check(connection, self._claimed, self._source.path)
                jobs.close(connection, self._claimed, JobState.INTERRUPTED)
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
