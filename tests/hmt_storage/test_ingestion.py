"""Ingestion is owned, resumable and atomic."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hmt_qa.errors import AlreadyIngesting, StorageFull, UnknownDocument
from hmt_qa.types import JobState, Page, Place
from hmt_storage.library import SqlLibrary

pytestmark = pytest.mark.databases("sqlite", "postgresql")
CHILD = Path(__file__).with_name("ingest_in_another_process.py")
LOG = "".join(f"Line {number} of the log.\n" for number in range(40))


@contextmanager
def another_process(home, url, segments):
    command = [sys.executable, str(CHILD), str(home), str(segments), *filter(None, [url])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "committed\n"
            yield child
        finally:
            child.kill()


def test_commit_tells_the_progress(library, sample):
    written = sample("abcd", "efgh", length=2)
    ingestion = written.begin(library)
    job = ingestion.commit(written.segments[0], memory_row=b"1" * 16, state_id="s", pages=written.pages[:1])
    assert (job.id, job.state) == (ingestion.job_id, JobState.RUNNING)
    assert (job.pages_done, job.pages_total, job.segments_done, job.tokens_done) == (0, 2, 1, 2)
    assert job.tokens_per_second > 0
    assert job.fraction == 0.25  # half of the first page of two
    assert library.jobs() == [job]
    written.commit(ingestion, written.segments[1:])
    document = ingestion.finish()
    (done,) = library.jobs()
    assert (done.state, done.document, done.fraction) == (JobState.DONE, document.id, 1.0)
    assert (done.segments_done, done.tokens_done, done.pages_done) == (4, 8, 2)


def test_an_interrupted_ingestion_goes_on_after_the_last_committed_segment(library, whale):
    first = whale.begin(library)
    assert (first.committed_state_ids, first.tail(5)) == ((), b"")
    whale.commit(first, whale.segments[:3])
    first.interrupt()
    (job,) = library.jobs()
    assert (job.state, job.segments_done) == (JobState.INTERRUPTED, 3)
    second = whale.begin(library)
    assert second.job_id == first.job_id
    assert list(second.committed_state_ids) == [whale.state_id(segment) for segment in whale.segments[:3]]
    assert second.tail(2) == b"".join(whale.row(segment) for segment in whale.segments[1:3])
    assert second.tail(99) == b"".join(whale.row(segment) for segment in whale.segments[:3])
    assert second.tail(0) == b""
    whale.commit(second, whale.segments[3:])
    document = second.finish()
    assert library.text(document.id, 0, 999) == whale.text
    assert document.tokens == len(whale.text)


def test_the_speed_is_that_of_the_present_run(library, whale):
    first = whale.begin(library)
    whale.commit(first, whale.segments[:4])
    first.interrupt()
    second = whale.begin(library)
    assert library.jobs()[0].tokens_per_second == 0
    time.sleep(0.1)
    whale.commit(second, whale.segments[4:5])
    assert 0 < library.jobs()[0].tokens_per_second < 12 / 0.1


def test_pages_given_again_after_an_interruption_are_passed_over(library, whale):
    first = whale.begin(library)
    whale.commit(first, whale.segments[:2])
    first.interrupt()
    second = whale.begin(library)
    for segment in whale.segments[2:]:
        second.commit(segment, memory_row=whale.row(segment), state_id="s", pages=whale.pages)
    document = second.finish()
    spans = library.pages(document.id)
    assert [whale.text[span.char_start : span.char_end] for span in spans] == [page.text for page in whale.pages]


def test_truncating_drops_segments_rows_pages_and_words_from_there_on(library, sample):
    old = sample("alpha beta\n", "gamma delta\n", "omega\n", length=11)
    new = sample("alpha beta\n", "kappa lambda\n", length=11)
    ingestion = old.begin(library)
    old.commit(ingestion, old.segments)
    ingestion.truncate(1)
    assert list(ingestion.committed_state_ids) == []
    (job,) = library.jobs()
    assert (job.segments_done, job.tokens_done, job.pages_done) == (1, 11, 1)
    assert ingestion.tail(9) == old.row(old.segments[0])
    new.commit(ingestion, new.segments[1:])
    document = ingestion.finish()
    assert library.text(document.id, 0, 99) == new.text
    assert [span.char_end for span in library.pages(document.id)] == [11, 24]
    assert library.memory_states([document.id])[0].state_id == new.state_id(new.segments[-1])
    assert library.keyword_search("gamma", documents=[document.id], top=5) == []
    assert [hit.place.segment for hit in library.keyword_search("kappa", documents=[document.id], top=5)] == [1]


def test_truncating_after_an_interruption_shortens_the_committed_ids(library, whale):
    first = whale.begin(library)
    whale.commit(first, whale.segments[:4])
    first.interrupt()
    second = whale.begin(library)
    second.truncate(9)
    assert len(second.committed_state_ids) == 4
    second.truncate(2)
    assert library.jobs()[0].tokens_per_second == 0
    assert list(second.committed_state_ids) == [whale.state_id(segment) for segment in whale.segments[:2]]
    second.truncate(0)
    whale.commit(second, whale.segments)
    assert library.text(second.finish().id, 0, 999) == whale.text


def test_what_does_not_follow_on_is_refused_and_changes_nothing(library, whale, sample):
    ingestion = whale.begin(library)
    first, second = whale.segments[:2]
    good = {"memory_row": b"1" * 16, "state_id": "s", "pages": whale.pages[:1]}
    far = Page(number=3, label="", text="x")
    for segment, changes in (
        (second, {}),
        (first, {"memory_row": b"short"}),
        (first, {"pages": [far]}),
        (sample("other\n", "x" * 30, length=5).segments[1], {}),
    ):
        with pytest.raises(ValueError, match=r"next|bytes|follow"):
            ingestion.commit(segment, **(good | changes))
    assert library.jobs()[0].segments_done == 0
    ingestion.commit(first, **good)
    with pytest.raises(ValueError, match="segment 1 is next"):
        ingestion.commit(first, **good)


def test_an_unknown_number_format_is_refused(library, whale):
    with pytest.raises(ValueError, match="int3"):
        whale.begin(library, dtype="int3")


def test_an_ingestion_without_a_segment_cannot_be_finished(library, whale):
    with pytest.raises(ValueError, match="no segment"):
        whale.begin(library).finish()
    assert library.documents() == []


def test_a_failed_ingestion_says_why_and_keeps_nothing(library, whale, rows_in):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    ingestion.fail("page 3 is broken")
    (job,) = library.jobs()
    assert (job.state, job.error) == (JobState.FAILED, "page 3 is broken")
    assert [rows_in(table) for table in ("memories", "segments", "memory_rows", "pages")] == [0, 0, 0, 0]
    assert whale.begin(library).committed_state_ids == ()


def test_a_killed_ingestion_loses_no_committed_segment_and_is_taken_over_at_once(
    library, sample, tmp_path, database_url
):
    written = sample(LOG, length=30)
    with another_process(tmp_path, database_url, 17) as child:
        (running,) = library.jobs()
        assert (running.state, running.segments_done) == (JobState.RUNNING, 17)
        os.kill(child.pid, signal.SIGKILL)
        # Not waited for yet: a zombie must count as dead.
        deadline = time.monotonic() + 5
        while library.jobs()[0].state is not JobState.INTERRUPTED:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ingestion = written.begin(library)
    assert ingestion.job_id == running.id
    assert list(ingestion.committed_state_ids) == [written.state_id(segment) for segment in written.segments[:17]]
    written.commit(ingestion, written.segments[17:])
    document = ingestion.finish()
    assert library.text(document.id, 0, 9999) == LOG
    assert library.memory(document.id).rows == b"".join(map(written.row, written.segments))


def test_a_live_owner_in_another_process_is_respected(library, sample, tmp_path, database_url):
    with another_process(tmp_path, database_url, 1) as child:
        with pytest.raises(AlreadyIngesting, match=str(child.pid)) as refused:
            sample(LOG, length=30).begin(library)
        assert refused.value.remedy
        with pytest.raises(AlreadyIngesting):
            sample(LOG, length=30, path="/same/bytes").begin(library)
        with pytest.raises(AlreadyIngesting):
            sample("the file changed\n").begin(library)
        sample("another file\n", path="/another").ingest(library)


def test_a_live_owner_in_this_process_is_respected_until_it_gives_up(library, whale):
    ingestion = whale.begin(library)
    with pytest.raises(AlreadyIngesting):
        whale.begin(library)
    ingestion.interrupt()
    whale.begin(library)


def test_an_ingestion_dropped_without_a_word_is_interrupted(library, whale):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    del ingestion
    gc.collect()
    assert library.jobs()[0].state is JobState.INTERRUPTED
    assert len(whale.begin(library).committed_state_ids) == 2


def test_giving_up_works_where_the_database_cannot_be_told(tmp_path, whale):
    library = SqlLibrary.open(tmp_path, url=f"sqlite:///{tmp_path}/library.db?timeout=0.05")
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    other = sqlite3.connect(tmp_path / "library.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ingestion.interrupt()
    other.execute("ROLLBACK")
    other.close()
    assert library.jobs()[0].state is JobState.INTERRUPTED
    assert len(whale.begin(library).committed_state_ids) == 2
    library.close()


def test_an_owner_on_another_host_has_a_lease(library, whale, sql):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    sql("UPDATE jobs SET owner = 'elsewhere:1:99:mark'")
    with pytest.raises(AlreadyIngesting, match="elsewhere"):
        whale.begin(library)
    sql("UPDATE jobs SET lease_expires_at = lease_expires_at - 61")
    assert library.jobs()[0].state is JobState.INTERRUPTED
    later = whale.begin(library)
    # The first owner lives after all: it must not write between the second one's segments.
    with pytest.raises(AlreadyIngesting):
        whale.commit(ingestion, whale.segments[2:3])
    for call in (lambda: ingestion.truncate(0), ingestion.finish, lambda: ingestion.tail(1)):
        with pytest.raises(AlreadyIngesting):
            call()
    with pytest.raises(AlreadyIngesting):
        ingestion.fail("x")
    ingestion.interrupt()
    whale.commit(later, whale.segments[2:])
    assert library.text(later.finish().id, 0, 999) == whale.text


def test_memory_taken_over_by_another_path_is_closed_to_the_first(library, whale, sample, sql):
    first = whale.begin(library)
    whale.commit(first, whale.segments[:2])
    sql("UPDATE jobs SET owner = 'elsewhere:1:99:mark', lease_expires_at = 0")
    copy = sample(*(page.text for page in whale.pages), path="/copy")
    second = copy.begin(library)
    assert len(second.committed_state_ids) == 2
    with pytest.raises(AlreadyIngesting):
        whale.commit(first, whale.segments[2:3])
    copy.commit(second, copy.segments[2:])
    second.finish()
    document = library.adopt(whale.source, reader="text", model_id="model-1", title="whale")
    assert library.text(document.id, 0, 999) == whale.text
    assert [job.state for job in library.jobs()] == [JobState.DONE]


def test_a_replaced_file_answers_from_the_old_memory_until_the_new_one_is_finished(library, sample):
    old = sample("The captain is Ahab.\n")
    document = old.ingest(library)
    new = sample("The captain is Nemo, of the Nautilus.\n")
    ingestion = new.begin(library)
    new.commit(ingestion, new.segments)
    assert library.document(document.id) == document
    assert library.text(document.id, 0, 99) == old.text
    assert library.keyword_search("Nemo", documents=[document.id], top=3) == []
    assert len(library.keyword_search("Ahab", documents=[document.id], top=3)) == 1
    replaced = ingestion.finish()
    assert (replaced.id, replaced.added_at) == (document.id, document.added_at)
    assert replaced.sha256 == new.source.sha256
    assert library.text(document.id, 0, 99) == new.text
    assert library.keyword_search("Ahab", documents=[document.id], top=3) == []
    assert len(library.keyword_search("Nemo", documents=[document.id], top=3)) == 1
    assert library.documents() == [replaced]
    with pytest.raises(UnknownDocument):
        library.segments([Place(document=document.id, segment=50)])


def test_a_changed_file_does_not_go_on_from_the_old_bytes(library, sample, rows_in):
    old = sample("first version of the file\n")
    ingestion = old.begin(library)
    old.commit(ingestion, old.segments[:2])
    ingestion.interrupt()
    assert sample("second version of the file\n").begin(library).committed_state_ids == ()
    assert len(library.jobs()) == 1
    assert rows_in("segments") == 0


@pytest.mark.parametrize("change", [{"reader": "pdf"}, {"model_id": "model-2"}, {"dtype": "bfloat16"}, {"hidden": 8}])
def test_another_reader_model_or_row_format_starts_anew(library, whale, change):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments[:2])
    ingestion.interrupt()
    assert whale.begin(library, **change).committed_state_ids == ()
    assert len(library.jobs()) == 1


def test_going_on_under_another_setting_is_recorded(library, whale, sql):
    for setting, segments in (("cpu", slice(0, 2)), ("cuda", slice(2, 3)), ("cpu", slice(3, None))):
        ingestion = whale.begin(library, setting=setting)
        whale.commit(ingestion, whale.segments[segments])
        ingestion.interrupt()
    whale.begin(library, setting="cpu").finish()
    assert sql("SELECT setting FROM memories") == [("cpu\ncuda",)]


def test_the_same_bytes_can_be_read_anew_under_a_living_document(library, whale, rows_in):
    document = whale.ingest(library)
    copy = library.adopt(
        replace(whale.source, path="/copy"),
        reader="text",
        model_id="model-1",
        title="copy",
    )
    ingestion = whale.begin(library)
    assert ingestion.committed_state_ids == ()
    for segment in whale.segments:
        ingestion.commit(segment, memory_row=b"n" * 16, state_id="new", pages=whale.pages_of(segment))
    assert library.memory_states([document.id])[0].state_id != "new"
    assert ingestion.finish() == document
    assert library.memory_states([document.id])[0].state_id == library.memory_states([copy.id])[0].state_id == "new"
    assert rows_in("memories") == 1


def test_after_a_full_disk_the_same_process_can_go_on(tmp_path, sample):
    library = SqlLibrary.open(tmp_path)
    written = sample("x" * 400_000, length=20_000)
    ingestion = written.begin(library)
    with library._database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    # The limit is the connection's: with one connection in the pool it is the library's.
    with library._database.read() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 200}")
    with pytest.raises(StorageFull, match="disk space"):
        written.commit(ingestion, written.segments)
    stored = library.jobs()[0].segments_done
    assert 0 < stored < 20
    ingestion.interrupt()
    with library._database.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    again = written.begin(library)
    assert list(again.committed_state_ids) == [written.state_id(segment) for segment in written.segments[:stored]]
    written.commit(again, written.segments[stored:])
    document = again.finish()
    assert library.text(document.id, 0, 10**6) == written.text
    assert library.memory(document.id).segments == 20
    library.close()
