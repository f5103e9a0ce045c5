"""Files side by side: the longest first, equal bytes once, each with a fate of its own."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from hmt_ingest.line import BeingRead, Line
from hmt_ingest.pipeline import FileIngestor
from hmt_ingest.walk import Found
from hmt_qa.types import IngestOptions, IngestStatus, Sync
from tests.hmt_ingest.fakes import FakeLibrary, HashEngine


def ingesting(library, *paths, on_progress=lambda job: None, **options):
    return FileIngestor().ingest(
        paths, options=IngestOptions(**options), library=library, engine=HashEngine(), on_progress=on_progress
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven texts that have nothing in common, of 20 to 80 words."""
    made = tmp_path / "texts"
    made.mkdir()
    for number in range(7):
        words = " ".join(f"{number}word{place}" for place in range(20 + 10 * number))
        (made / f"{number}.txt").write_text(words + "\n")
    return made


def lanes() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("hmt-qa lane")]


def test_each_file_has_the_memory_it_has_when_files_are_read_one_by_one(folder):
    together, one_by_one = FakeLibrary(), FakeLibrary()
    jobs = []
    results = list(ingesting(together, folder, on_progress=jobs.append))
    in_order = list(ingesting(one_by_one, folder, workers=1))
    assert [result.path for result in in_order] == sorted(map(str, folder.iterdir()))
    assert {result.path for result in results} == {result.path for result in in_order}
    for path in folder.iterdir():
        assert together.memory_of(path) == one_by_one.memory_of(path)
    assert Counter(job.path for job in jobs) == {result.path: result.segments for result in in_order}
    assert not lanes()


def test_the_longest_file_is_taken_first(folder):
    line = Line([Found(path, named=False) for path in sorted(folder.iterdir())])
    assert [line.take().path.name for _ in range(7)] == [f"{number}.txt" for number in reversed(range(7))]
    assert line.take() is None


def test_a_file_whose_bytes_are_being_read_comes_next_when_they_have_been(folder):
    first, second, third = (Found(folder / f"{number}.txt", named=True) for number in (6, 5, 4))
    line = Line([first, second, third])
    assert line.take() is first
    with line.reading("abc"):
        line.take()
        with pytest.raises(BeingRead), line.reading("abc"):
            pass
        line.put_off(second, "abc")
        with line.reading("other"):
            pass
    line.put_off(first, "other")  # which has been read meanwhile
    assert [line.take(), line.take(), line.take()] == [first, second, third]


def test_of_files_with_equal_bytes_one_is_read(folder):
    for number in range(5):
        (folder / f"copy{number}.txt").write_bytes((folder / "6.txt").read_bytes())
    library, jobs = FakeLibrary(), []
    results = list(ingesting(library, folder, on_progress=jobs.append))
    assert {result.status for result in results} == {IngestStatus.INGESTED}
    assert len(results) == len(library.stored) == 12
    read = Counter(job.path for job in jobs)
    assert len(read) == 7
    assert sum(read.values()) == sum(library.stored["default", path].segments for path in read)


def test_with_duplicates_only_the_others_are_passed_over(folder):
    (folder / "copy.txt").write_bytes((folder / "6.txt").read_bytes())
    results = list(ingesting(FakeLibrary(), folder, sync=Sync.DUPLICATES_ONLY))
    assert Counter(result.status for result in results) == {IngestStatus.INGESTED: 7, IngestStatus.UNCHANGED: 1}


def test_a_bad_file_takes_no_other_down(folder):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7\nno more")
    library = FakeLibrary()
    library.cancelled.add(str(folder / "5.txt"))
    results = {Path(result.path).name: result.status for result in ingesting(library, folder)}
    assert results.pop("bad.pdf") is IngestStatus.FAILED
    assert results.pop("5.txt") is IngestStatus.CANCELLED
    assert set(results.values()) == {IngestStatus.INGESTED}
    assert len(results) == len(library.stored) == 6
    assert not library.owned


@pytest.mark.parametrize("stop", [1, 4, 9, 20, 40])
def test_stopped_anywhere_all_go_on_to_the_memories_of_an_uninterrupted_run(folder, stop):
    whole, library, seen = FakeLibrary(), FakeLibrary(), []
    list(ingesting(whole, folder))

    def interrupt(job):
        seen.append(job)
        if len(seen) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ingesting(library, folder, on_progress=interrupt))
    assert not library.owned
    assert not lanes()
    results = list(ingesting(library, folder))
    assert {result.status for result in results} <= {
        IngestStatus.INGESTED,
        IngestStatus.RESUMED,
        IngestStatus.UNCHANGED,
    }
    for path in folder.iterdir():
        assert library.memory_of(path) == whole.memory_of(path)


def test_when_nobody_takes_results_any_more_the_lanes_end_and_keep_what_is_committed(folder):
    library = FakeLibrary()
    results = ingesting(library, folder)
    next(results)
    results.close()
    assert not library.owned
    assert not lanes()
    assert {result.status for result in ingesting(library, folder)} > {IngestStatus.UNCHANGED}
