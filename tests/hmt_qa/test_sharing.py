"""The work queue: longest first, and what becomes of files whose worker died."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hmt_qa.sharing import MOST_DEATHS, WorkQueue
from hmt_qa.types import IngestStatus, Job, JobState, Share

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Jobs:
    """What a library says of its jobs."""

    found: list[Job] = field(default_factory=list)

    def jobs(self, *, limit=None):
        return self.found

    def now(self, share, state, *, segments=0):
        counts = {"pages_done": 0, "pages_total": 1, "segments_done": segments, "tokens_done": 0}
        times = {"tokens_per_second": 0.0, "started_at": NOW, "updated_at": NOW}
        self.found = [Job(id=1, path=share.name, collection="default", state=state, **counts, **times)]


def share(name, size):
    return Share(path=Path(name), name=name, named=False, size_bytes=size)


@pytest.fixture
def library():
    return Jobs()


def test_the_longest_file_is_read_first(library):
    queue = WorkQueue([share("/b", 5), share("/a", 50), share("/c", 20)], library=library, collection="default")
    assert [queue.take().name for _ in range(3)] == ["/a", "/c", "/b"]
    assert queue.take() is None
    assert len(queue) == 0


def test_a_dead_workers_file_is_next_once_its_job_has_no_living_owner(library):
    first, second = share("/long", 50), share("/short", 5)
    queue = WorkQueue([first, second], library=library, collection="default")
    assert queue.take() == first
    library.now(first, JobState.RUNNING)  # by a lease, on a machine that cannot be looked up
    assert queue.worker_died(first) is None
    assert queue.take() == second
    assert queue.take() is None
    assert len(queue) == 1
    library.now(first, JobState.INTERRUPTED)
    assert queue.take() == first


def test_a_file_that_kills_its_workers_is_given_up_with_a_reason(library):
    bomb = share("/bomb", 5)
    queue = WorkQueue([bomb], library=library, collection="default")
    library.now(bomb, JobState.INTERRUPTED, segments=3)
    for _ in range(MOST_DEATHS - 1):
        assert queue.take() == bomb
        assert queue.worker_died(bomb) is None
    result = queue.worker_died(queue.take())
    assert (result.path, result.status) == ("/bomb", IngestStatus.FAILED)
    assert "after segment 3" in result.error
    assert len(queue) == 0


def test_deaths_with_something_gained_in_between_are_bad_luck(library):
    unlucky = share("/unlucky", 5)
    queue = WorkQueue([unlucky], library=library, collection="default")
    for death in range(3 * MOST_DEATHS):
        assert queue.take() == unlucky
        library.now(unlucky, JobState.INTERRUPTED, segments=death)
        assert queue.worker_died(unlucky) is None
