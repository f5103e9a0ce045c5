"""Jobs as users of the library in Python have them."""

from __future__ import annotations

import pytest

from hmt_qa.errors import JobEnded, UnknownJob
from hmt_qa.types import IngestOptions, IngestStatus, JobState
from tests.hmt_qa.library import open_qa, three_pages


@pytest.fixture
def qa(tmp_path, engine):
    with open_qa(tmp_path / "home", engine) as opened:
        yield opened


def interrupted(qa, path, *, after, **options):
    """The job of a file whose reading was broken off."""

    def stop(job):
        if job.segments_done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(qa.ingest([path], options=IngestOptions(**options), on_progress=stop))
    return qa.jobs()[0]


def test_a_cancelled_ingestion_goes_on_after_its_last_segment(qa, tmp_path):
    path, seen = three_pages(tmp_path / "a.txt", filler=1), []

    def stop(job):
        if job.segments_done == 3:
            qa.cancel(job.id)

    (result,) = qa.ingest([path], on_progress=stop)
    assert (result.status, result.document) == (IngestStatus.CANCELLED, "")
    (job,) = qa.jobs()
    assert (job.state, job.segments_done, qa.job(job.id)) == (JobState.CANCELLED, 3, job)
    assert list(qa.documents()) == []
    (result,) = qa.resume([job.id], on_progress=seen.append)
    assert (result.status, seen[0].segments_done) == (IngestStatus.RESUMED, 4)
    assert [document.id for document in qa.documents()] == [result.document]


def test_all_that_can_go_on_goes_on_in_the_order_and_the_collections_it_had(qa, tmp_path):
    paths = [three_pages(tmp_path / name, filler=size) for name, size in (("a.txt", 1), ("b.txt", 2))]
    jobs = [interrupted(qa, path, after=2, collection=path.stem) for path in paths]
    qa.cancel(jobs[1].id)
    assert [job.state for job in qa.jobs()] == [JobState.CANCELLED, JobState.INTERRUPTED]
    assert [result.path for result in qa.resume()] == [str(path) for path in paths]
    assert [(document.collection, document.title) for document in qa.documents()] == [("a", "a.txt"), ("b", "b.txt")]
    assert list(qa.resume()) == []


def test_one_job_that_cannot_go_on_is_named_before_any_other_does(qa, tmp_path):
    job = interrupted(qa, three_pages(tmp_path / "a.txt", filler=1), after=2)
    (done,) = qa.ingest([three_pages(tmp_path / "b.txt", filler=2)])
    ended = next(job for job in qa.jobs() if job.document == done.document)
    for bad, problem in ((ended.id, JobEnded), (99, UnknownJob)):
        with pytest.raises(problem) as refused:
            list(qa.resume([job.id, bad]))
        assert refused.value.remedy
    assert qa.job(job.id) == job


def test_a_discarded_ingestion_starts_anew(qa, tmp_path):
    path = three_pages(tmp_path / "a.txt", filler=1)
    job = interrupted(qa, path, after=2)
    assert qa.discard(job.id) == job
    assert list(qa.jobs()) == []
    (result,) = qa.ingest([path])
    assert result.status is IngestStatus.INGESTED
