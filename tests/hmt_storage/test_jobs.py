"""Jobs: observed by any process, owned by one, cancelled and discarded by all."""

from __future__ import annotations

import os
import socket
import time

import pytest

from hmt_qa.errors import AlreadyIngesting, JobCancelled, JobEnded, UnknownJob
from hmt_qa.types import JobState
from hmt_storage import heartbeat
from hmt_storage.library import SqlLibrary
from hmt_storage.schema import MIGRATIONS
from tests.hmt_storage.test_removal import TABLES, bytes_on_disk

pytestmark = pytest.mark.databases("sqlite", "postgresql")


def until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_progress_only_grows_and_ends_at_exactly_one(library, sample):
    written = sample("a" * 50, "", "b" * 7, "c", "d" * 90, length=8)
    seen = []
    for until_segment in (4, 11, None):
        ingestion = written.begin(library)
        seen.append(library.job(ingestion.job_id))
        for segment in written.segments[len(ingestion.committed_state_ids) : until_segment]:
            written.commit(ingestion, [segment])
            seen.append(library.job(ingestion.job_id))
        if until_segment:
            ingestion.interrupt()
    ingestion.finish()
    seen.append(library.job(ingestion.job_id))
    for measure in ("fraction", "tokens_done", "pages_done", "segments_done"):
        figures = [getattr(job, measure) for job in seen]
        assert figures == sorted(figures), measure
    assert [job.fraction for job in seen[:3]] == [0.0, 8 / 50 / 5, 16 / 50 / 5]
    assert [job.fraction == 1.0 for job in seen] == [False] * (len(seen) - 1) + [True]
    assert {job.tokens_total for job in seen[:-1]} == {0}
    assert seen[-1].tokens_total == seen[-1].tokens_done == len(written.text)


def test_a_running_job_names_its_owner_and_its_lease(library, other, whale):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:1])
    job = other.job(ingestion.job_id)
    assert job.owner.startswith("process ")
    assert "/" not in job.owner
    assert 50 < (job.lease_expires_at - job.heartbeat_at).total_seconds() <= 60
    ingestion.interrupt()
    job = other.job(ingestion.job_id)
    assert (job.owner, job.lease_expires_at) == ("", None)


def test_a_job_is_cancelled_from_elsewhere_at_its_next_segment_and_goes_on_later(library, other, whale):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    asked = other.cancel(ingestion.job_id)
    assert (asked.state, asked.cancel_requested) == (JobState.RUNNING, True)
    for call in (
        lambda: whale.commit(ingestion, whale.segments[2:3]),
        lambda: ingestion.truncate(1),
        ingestion.finish,
    ):
        with pytest.raises(JobCancelled, match=f"resume {ingestion.job_id}"):
            call()
    ingestion.interrupt()
    job = other.job(ingestion.job_id)
    assert (job.state, job.is_resumable, job.segments_done) == (JobState.CANCELLED, True, 2)
    again = whale.begin(library)
    assert (again.job_id, len(again.committed_state_ids)) == (ingestion.job_id, 2)
    assert other.job(again.job_id).cancel_requested is False
    whale.commit(again, whale.segments[2:])
    assert library.text(again.finish().id, 0, 999) == whale.text


def test_the_owner_hears_of_it_between_two_commits(library, other, whale):
    ingestion = whale.begin(library)
    ingestion.raise_if_cancelled()
    other.cancel(ingestion.job_id)
    started = time.monotonic()
    with pytest.raises(JobCancelled):
        until(ingestion.raise_if_cancelled)
    assert time.monotonic() - started < 2


def test_a_job_whose_owner_is_gone_is_cancelled_at_once(library, other, whale):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    ingestion.interrupt()
    assert other.cancel(ingestion.job_id).state is JobState.CANCELLED
    assert other.cancel(ingestion.job_id).state is JobState.CANCELLED
    killed = whale.begin(library)
    ingestion._heartbeat.stop()
    killed._heartbeat.stop()  # as if its process had been killed
    assert other.job(killed.job_id).state is JobState.INTERRUPTED
    assert other.cancel(killed.job_id).state is JobState.CANCELLED


def test_killed_before_it_heard_of_its_cancellation_a_job_is_cancelled(library, other, whale):
    ingestion = whale.begin(library)
    other.cancel(ingestion.job_id)
    ingestion._heartbeat.stop()
    assert other.job(ingestion.job_id).state is JobState.CANCELLED


def test_what_has_ended_cannot_be_cancelled_and_unknown_jobs_are_named(library, whale, sample):
    whale.ingest(library)
    (done,) = library.jobs()
    failed = library.report_failure(sample("x", path="/bad").source, "broken")
    for job in (done, failed):
        with pytest.raises(JobEnded, match=str(job.state)) as refused:
            library.cancel(job.id)
        assert refused.value.remedy
    for call in (library.cancel, library.job, library.discard):
        for number in (99, 10**30):
            with pytest.raises(UnknownJob, match=str(number)):
                call(number)


def test_a_long_pause_renews_the_lease(library, other, whale, monkeypatch):
    monkeypatch.setattr(heartbeat, "LISTEN_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    ingestion = whale.begin(library)
    first = other.job(ingestion.job_id)
    until(lambda: other.job(ingestion.job_id).lease_expires_at > first.lease_expires_at)
    assert other.job(ingestion.job_id).updated_at == first.updated_at  # alive is not the same as further
    ingestion.interrupt()


def test_a_heart_stops_with_its_ingestion(library, whale, monkeypatch, sql):
    monkeypatch.setattr(heartbeat, "LISTEN_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.0)
    ingestion = whale.begin(library)
    until(lambda: sql("SELECT heartbeat_at > started_at FROM jobs") == [(True,)])
    # Another process has taken it up: the first one must not keep that one's lease alive.
    sql("UPDATE jobs SET owner = 'elsewhere:1:99:mark', run = run + 1, lease_expires_at = 1")
    time.sleep(0.1)
    assert sql("SELECT lease_expires_at FROM jobs") == [(1.0,)]
    with pytest.raises(AlreadyIngesting):
        whale.commit(ingestion, whale.segments[:1])


@pytest.mark.databases("sqlite")
def test_a_discarded_job_leaves_no_byte_and_the_document_of_its_path_stays(library, other, sample, tmp_path, sql):
    kept = sample("An ordinary first version.\n").ingest(library)
    canary = "zyxqwcanary"
    written = sample(f"{canary} {canary}9 secret words\n" * 50, length=100)
    ingestion = written.begin(library)
    written.commit(ingestion, written.segments[:6])
    with pytest.raises(AlreadyIngesting):
        other.discard(ingestion.job_id)
    other.cancel(ingestion.job_id)
    ingestion.interrupt()
    assert canary.encode() in bytes_on_disk(tmp_path)
    assert other.discard(ingestion.job_id).state is JobState.CANCELLED
    after = bytes_on_disk(tmp_path)
    row = written.row(written.segments[0])
    assert not [secret for secret in (canary.encode(), b"canary", b"secret", row) if secret in after]
    assert library.text(kept.id, 0, 99) == "An ordinary first version.\n"
    assert {job.id for job in library.jobs()} == set()
    assert {table: len(sql(f"SELECT 1 FROM {table}")) for table in TABLES if table != "jobs"} == {  # noqa: S608
        "documents": 1,
        "memories": 1,
        "segments": 3,
        "memory_rows": 3,
        "pages": 1,
        "segment_words": 3,
    }


def test_a_library_of_the_first_schema_keeps_its_documents_and_jobs(tmp_path, whale, sample):
    from alembic import command
    from alembic.config import Config

    library = SqlLibrary.open(tmp_path)
    document = whale.ingest(library)
    half = sample("another text\n", path="/half", length=4)
    ingestion = half.begin(library)
    half.commit(ingestion, half.segments[:2])
    ingestion.interrupt()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with library._database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    library.close()
    library = SqlLibrary.open(tmp_path)
    assert library.documents() == [document]
    (done,) = (job for job in library.jobs() if job.state is JobState.DONE)
    assert (done.fraction, done.tokens_total) == (1.0, document.tokens)
    assert len(half.begin(library).committed_state_ids) == 2
    library.close()


def test_a_container_with_our_host_name_and_its_own_process_numbers_is_another_host(library, other, whale, sql):
    ingestion = whale.begin(library)
    owner = (
        f"{socket.gethostname()}/pid4026999999:{os.getpid()}:1:mark"  # no such process here, and none to be looked up
    )
    sql(f"UPDATE jobs SET owner = '{owner}'")  # noqa: S608
    assert other.job(ingestion.job_id).state is JobState.RUNNING
    with pytest.raises(AlreadyIngesting, match=f"process {os.getpid()} on {socket.gethostname()}[.]"):
        whale.begin(other)
    sql("UPDATE jobs SET lease_expires_at = 1")
    assert other.job(ingestion.job_id).state is JobState.INTERRUPTED
