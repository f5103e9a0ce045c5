"""A collection follows its files: unchanged ones cost nothing, grown ones little, vanished ones go."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from hmt_ingest import fingerprint, pipeline
from hmt_ingest.fingerprint import stamp_of, take_fingerprint
from hmt_ingest.pipeline import FileIngestor
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.types import IngestOptions, IngestStatus, Sync
from hmt_storage.library import SqlLibrary
from tests.hmt_ingest.fakes import FakeLibrary, HashEngine
from tests.hmt_ingest.test_pipeline import WORDS, ingest, written
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt
from tests.hmt_storage.test_inheriting import contents


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled the moment they are written."""
    monkeypatch.setattr(fingerprint, "SETTLED_SECONDS", -1.0)


def statuses(results):
    return {Path(result.path).name: str(result.status) for result in results}


def test_a_file_that_was_left_alone_is_not_even_hashed_again(tmp_path, monkeypatch, settled):
    path, library = written(tmp_path / "a.txt"), FakeLibrary()
    ingest(library, path)
    monkeypatch.setattr(pipeline, "take_fingerprint", None)
    assert statuses(ingest(library, path)) == {"a.txt": "unchanged"}


def test_a_file_written_to_a_moment_ago_is_hashed_again_until_it_has_settled(tmp_path, monkeypatch):
    path, library = written(tmp_path / "a.txt"), FakeLibrary()
    ingest(library, path)
    assert take_fingerprint(path).stamp == ""
    assert set(library.stamps.values()) == {""}
    monkeypatch.setattr(fingerprint, "SETTLED_SECONDS", -1.0)
    assert statuses(ingest(library, path)) == {"a.txt": "unchanged"}
    assert set(library.stamps.values()) == {stamp_of(path)}


@pytest.mark.parametrize("change", ["bytes", "bytes under the old time", "another file in its place"])
def test_no_change_hides_behind_an_old_time_and_size(tmp_path, settled, change):
    path, library = written(tmp_path / "a.txt"), FakeLibrary()
    ingest(library, path)
    before = path.stat()
    new = WORDS.replace("word7 ", "moved ")
    assert len(new) == len(WORDS)
    if change == "another file in its place":
        written(tmp_path / "b.txt", new).replace(path)
    else:
        written(path, new)
    if change != "bytes":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert statuses(ingest(library, path)) == {"a.txt": "ingested"}
    assert "moved" in "".join(segment.text for segment in library.memory_of(path).segments)


@pytest.mark.parametrize("grown", [1, 3, 40])
def test_a_grown_file_is_read_from_the_first_group_that_changed_to_the_same_memory(tmp_path, grown):
    path = written(tmp_path / "a.log", "\f".join([WORDS] * 5))
    library, jobs = FakeLibrary(), []
    (first,) = ingest(library, path)
    with path.open("a") as file:
        file.write("\f" + "one more line\n" * grown)
    (again,) = ingest(library, path, jobs=jobs)
    whole = FakeLibrary()
    ingest(whole, path)
    assert library.memory_of(path) == whole.memory_of(path)
    assert (again.status, again.document) == (IngestStatus.INGESTED, first.document)
    kept = (first.segments - 1) // 4 * 4  # whole groups of four; the last segment was not full
    assert jobs[0].segments_done == kept + 1
    assert len(jobs) == again.segments - kept


@pytest.mark.parametrize("word", [0, 30, 59])
def test_a_file_that_changed_in_its_middle_is_read_from_there(tmp_path, word):
    pages = [WORDS.replace("word", f"page{number}x") for number in range(4)]
    path = written(tmp_path / "a.txt", "\f".join(pages))
    library, jobs = FakeLibrary(), []
    ingest(library, path)
    pages[2] = (
        pages[2]
        .replace(f"page2x{word} ", "quite other ")
        .replace("page2x59\n", "other\n" if word == 59 else "page2x59\n")
    )
    written(path, "\f".join(pages))
    ingest(library, path, jobs=jobs)
    whole, every = FakeLibrary(), []
    ingest(whole, path, jobs=every)
    assert library.memory_of(path) == whole.memory_of(path)
    assert 0 < len(jobs) < len(every)


def test_bytes_that_say_the_same_are_not_read_again(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(f"<html><body><p>{WORDS}</p></body></html>")
    library, jobs = FakeLibrary(), []
    ingest(library, path)
    path.write_text(f"<html><body><p class='x'>{WORDS}</p></body></html>")
    (result,) = ingest(library, path, jobs=jobs)
    assert (result.status, jobs) == (IngestStatus.INGESTED, [])


def test_with_a_real_model_and_library_a_grown_file_ends_with_the_bytes_of_one_read_whole(tmp_path):
    model = tiny_hmt("llama", backbone={"vocab_size": 16384}, segment_length=16, sensory_length=4, recall_window=3)
    engine = LocalEngine(save_with_tokenizer(model, tmp_path / "model"), device="cpu", dtype="float32")
    path = tmp_path / "minutes.txt"
    lines = [f"Item {number}: the board heard report {number * 7} and thanked its author.\n" for number in range(200)]
    path.write_text("".join(lines[:150]))
    with DocumentQA(library=SqlLibrary.open(tmp_path / "grown"), engine=engine, ingestor=FileIngestor()) as qa:
        list(qa.ingest([path]))
        path.write_text("".join(lines))
        seen = []
        (result,) = qa.ingest([path], on_progress=seen.append)
        assert result.status is IngestStatus.INGESTED
        assert 8 < len(seen) < result.segments / 2
        grown = contents(qa.library)
    with DocumentQA(library=SqlLibrary.open(tmp_path / "whole"), engine=engine, ingestor=FileIngestor()) as qa:
        list(qa.ingest([path]))
        assert grown == contents(qa.library)


def test_duplicates_only_passes_over_bytes_that_the_collection_holds(tmp_path):
    library = FakeLibrary()
    (first,) = ingest(library, written(tmp_path / "a.txt"))
    copy, other = written(tmp_path / "copy.txt"), written(tmp_path / "other.txt", "other\n")
    options = {"sync": Sync.DUPLICATES_ONLY}
    results = ingest(library, copy, other, **options)
    assert statuses(results) == {"copy.txt": "unchanged", "other.txt": "ingested"}
    assert results[0].document == first.document
    assert ("default", str(copy)) not in library.stored
    assert statuses(ingest(library, copy, collection="elsewhere", **options)) == {"copy.txt": "ingested"}
    written(copy, "quite new\n")
    assert statuses(ingest(library, copy, **options)) == {"copy.txt": "ingested"}


@pytest.fixture
def folder(tmp_path):
    """Files in a folder and its sub-folder, and one beside it."""
    for name in ("in/a.txt", "in/b.txt", "in/deep/c.txt", "in/deep/d.txt", "beside.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        written(tmp_path / name, f"{name}\n")
    return tmp_path / "in"


@pytest.fixture
def real(tmp_path):
    library = SqlLibrary.open(tmp_path / "home")
    yield library
    library.close()


def titles(library):
    return {document.title for document in library.documents()}


DELETING = {"sync": Sync.UPSERTS_AND_DELETE}


def test_documents_of_vanished_files_are_deleted_and_no_others(folder, real):
    ingest(real, folder, folder.parent / "beside.txt")
    ingest(real, folder / "a.txt", collection="other")
    for name in ("in/a.txt", "in/deep/c.txt", "beside.txt"):
        (folder.parent / name).unlink()
    assert statuses(ingest(real, folder)) == {"b.txt": "unchanged", "d.txt": "unchanged"}
    assert statuses(ingest(real, folder, recursive=False, dry_run=True, **DELETING)) == {
        "a.txt": "deleted",
        "b.txt": "unchanged",
    }
    results = ingest(real, folder, **DELETING)
    assert statuses(results) == {"b.txt": "unchanged", "d.txt": "unchanged", "a.txt": "deleted", "c.txt": "deleted"}
    assert titles(real) == {"b.txt", "d.txt", "beside.txt", "a.txt"}
    assert {document.collection for document in real.documents() if document.title == "a.txt"} == {"other"}
    assert statuses(ingest(real, folder.parent / "beside.txt", **DELETING)) == {"beside.txt": "deleted"}


def test_a_moved_file_is_not_read_again(folder, real):
    ingest(real, folder)
    (folder / "a.txt").rename(folder / "moved.txt")
    jobs = []
    assert statuses(ingest(real, folder, jobs=jobs, **DELETING))["moved.txt"] == "ingested"
    assert (jobs, titles(real)) == ([], {"b.txt", "c.txt", "d.txt", "moved.txt"})


def test_files_that_are_there_but_are_not_read_keep_their_documents(folder, real):
    ingest(real, folder)
    (folder / ".gitignore").write_text("a.txt\n")
    (folder / "b.txt").write_bytes(bytes(100))
    assert "deleted" not in statuses(ingest(real, folder, exclude=("c.txt",), **DELETING)).values()
    assert titles(real) == {".gitignore", "a.txt", "b.txt", "c.txt", "d.txt"}


def test_a_drive_that_is_not_mounted_deletes_nothing(folder, real, caplog):
    ingest(real, folder)
    for name in ("deep/c.txt", "deep/d.txt"):
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING):
        assert "deleted" not in statuses(ingest(real, folder, **DELETING)).values()
    assert "is empty" in caplog.text
    assert "hmt-qa rm" in caplog.text
    (folder / "deep").rmdir()
    assert "deleted" in statuses(ingest(real, folder, **DELETING)).values()
    folder.rename(folder.with_name("away"))
    assert statuses(ingest(real, folder, **DELETING)) == {"in": "failed"}
    assert titles(real) == {"a.txt", "b.txt"}


def test_a_file_whose_name_is_no_unicode_is_not_taken_for_gone(tmp_path, real):
    folder = tmp_path / "in"
    folder.mkdir()
    path = written(Path(os.fsdecode(bytes(folder) + b"/caf\xe9.txt")))
    ingest(real, folder)
    assert set(statuses(ingest(real, folder, **DELETING)).values()) == {"unchanged"}
    path.unlink()
    written(folder / "a.txt", "another\n")
    assert sorted(statuses(ingest(real, folder, **DELETING)).values()) == ["deleted", "ingested"]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(folder, real, tmp_path):
    ingest(real, folder)
    half = written(folder / "half.txt")

    def stop(job):
        if job.path == str(half) and job.segments_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(
            FileIngestor().ingest([half], options=IngestOptions(), library=real, engine=HashEngine(), on_progress=stop)
        )
    (folder / "a.txt").unlink()
    written(folder / "b.txt", "changed\n")
    written(folder / "new.txt", "new\n")
    real.close()
    before = (tmp_path / "home" / "library.db").read_bytes()
    results = ingest(real, folder, tmp_path / "missing.txt", dry_run=True, **DELETING)
    real.close()
    assert (tmp_path / "home" / "library.db").read_bytes() == before
    assert statuses(results) == {
        "a.txt": "deleted",
        "b.txt": "ingested",
        "c.txt": "unchanged",
        "d.txt": "unchanged",
        "half.txt": "resumed",
        "new.txt": "ingested",
        "missing.txt": "failed",
    }
    known = {Path(result.path).name: bool(result.document) for result in results}
    assert (known["b.txt"], known["new.txt"]) == (True, False)


def test_what_was_read_counts_also_where_leftovers_cannot_be_tidied_now(tmp_path, caplog):
    library = FakeLibrary()
    library.tidying_fails = True
    with caplog.at_level(logging.WARNING):
        assert statuses(ingest(library, written(tmp_path / "a.txt"))) == {"a.txt": "ingested"}
    assert "not tidied" in caplog.text
    assert library.tidied == 1


def test_a_cancelled_file_is_no_failure_and_the_batch_goes_on(tmp_path):
    library = FakeLibrary()
    stopped, other = written(tmp_path / "stopped.txt"), written(tmp_path / "other.txt", "other\n")
    library.cancelled.add(str(stopped))
    results = ingest(library, stopped, other)
    assert statuses(results) == {"stopped.txt": "cancelled", "other.txt": "ingested"}
    assert not library.failures
    assert not library.owned
