"""Which file is read next by one of many workers, and what becomes of files whose worker died; knows no Ray."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from hmt_qa.ports import Library
from hmt_qa.types import IngestResult, IngestStatus, Job, JobState, Share

MOST_DEATHS = 5
"""Workers that a file may cost without one segment gained; then it is taken to be what kills them."""
RECENT_JOBS = 1_000
"""Jobs looked at, newest first: workers' jobs are among them."""


class WorkQueue:
    """Files, the longest first: begun last, one of them would keep one worker busy while the others have nothing.

    A file whose worker died is next again as soon as its job has no living owner: at once where the worker's process
    can be looked up, else when its lease has run out.
    """

    def __init__(self, shares: Iterable[Share], *, library: Library, collection: str) -> None:
        self._waiting = deque(sorted(shares, key=lambda share: share.size_bytes, reverse=True))
        self._fallen: deque[Share] = deque()
        self._library = library
        self._collection = collection
        self._deaths: Counter[Share] = Counter()
        self._segments: Counter[Share] = Counter()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._fallen)

    def take(self) -> Share | None:
        """The next file to be read; None where there is none, or none yet."""
        for share in tuple(self._fallen):
            job = self._job(share)
            if job is None or job.state is not JobState.RUNNING:
                self._fallen.remove(share)
                return share
        return self._waiting.popleft() if self._waiting else None

    def worker_died(self, share: Share) -> IngestResult | None:
        """Take a file back from a dead worker; the result where it has cost too many."""
        job = self._job(share)
        done = job.segments_done if job else 0
        self._deaths[share] = 1 if done > self._segments[share] else self._deaths[share] + 1
        self._segments[share] = done
        if self._deaths[share] < MOST_DEATHS:
            self._fallen.append(share)
            return None
        error = (
            f"{MOST_DEATHS} workers died reading it, after segment {done}. Look for lack of memory, or leave it out."
        )
        return IngestResult(path=share.name, status=IngestStatus.FAILED, error=error)

    def _job(self, share: Share) -> Job | None:
        jobs = self._library.jobs(limit=RECENT_JOBS)
        return next((job for job in jobs if (job.collection, job.path) == (self._collection, share.name)), None)
