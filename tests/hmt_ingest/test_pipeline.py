"""From paths to memories: interruption, resumption, bad files, changed files."""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pypdf import PdfWriter

from hmt_ingest import pipeline
from hmt_ingest.naming import shown
from hmt_ingest.pipeline import FileIngestor
from hmt_qa.errors import LibraryBusy, StorageFull
from hmt_qa.types import IngestOptions, IngestStatus, Page, ParsingLimits
from tests.hmt_ingest import hostile
from tests.hmt_ingest.fakes import FakeLibrary, HashEngine
from tests.hmt_ingest.papers import draw_pdf, empty_page, picture, prose, rewritten

WORDS = " ".join(f"word{number}" for number in range(60)) + "\n"


def ingest(library, *paths, engine=None, jobs=None, **options):
    return list(
        FileIngestor().ingest(
            paths,
            options=IngestOptions(**options),
            library=library,
            engine=engine or HashEngine(),
            on_progress=(jobs if jobs is not None else []).append,
        )
    )


def written(path: Path, text: str = WORDS) -> Path:
    path.write_text(text)
    return path


def test_a_file_becomes_a_document_with_all_its_text(tmp_path):
    library, jobs = FakeLibrary(), []
    path = draw_pdf(tmp_path / "a.pdf", *map(prose, range(5)), title="Facts about pages")
    (result,) = ingest(library, path, jobs=jobs)
    assert (result.status, result.error, result.pages) == (IngestStatus.INGESTED, "", 5)
    assert result.path == str(path)
    assert result.seconds > 0
    memory = library.memory_of(path)
    pages: list[Page] = [page for pages in memory.pages for page in pages]
    assert "".join(segment.text for segment in memory.segments) == "".join(page.text for page in pages)
    assert len(memory.rows) == result.segments == len(jobs)
    assert result.tokens == sum(len(segment.token_ids) for segment in memory.segments)
    assert [job.segments_done for job in jobs] == list(range(1, len(jobs) + 1))
    assert {job.pages_total for job in jobs} == {5}
    assert library.stored["default", str(path)].title == "Facts about pages"
    state = HashEngine().first_state_id()
    for segment, state_id in zip(memory.segments, memory.state_ids, strict=True):
        state = HashEngine().next_state_id(state, segment.token_ids)
        assert state == state_id


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), StorageFull("The disk is full."), RuntimeError("model")])
def test_stopped_between_any_two_segments_it_goes_on_to_the_same_memory(tmp_path, failure):
    path = draw_pdf(tmp_path / "a.pdf", prose(1, 3), prose(2, 3))
    whole = FakeLibrary()
    (expected,) = ingest(whole, path)
    for stop in range(expected.segments):
        library = FakeLibrary()
        library.fail_after, library.failure = stop, failure
        with pytest.raises(type(failure)):
            ingest(library, path)
        assert not library.owned
        library.fail_after = None
        jobs = []
        (result,) = ingest(library, path, jobs=jobs)
        assert result.status is (IngestStatus.RESUMED if stop else IngestStatus.INGESTED)
        assert len(jobs) == expected.segments - stop
        assert library.memory_of(path) == whole.memory_of(path)


def test_stopped_after_every_segment_it_still_ends_at_the_same_memory(tmp_path):
    path = written(tmp_path / "a.txt")
    whole, library = FakeLibrary(), FakeLibrary()
    ingest(whole, path)
    while not library.stored:
        library.fail_after = 1
        try:
            (result,) = ingest(library, path)
        except KeyboardInterrupt:
            continue
    assert result.status is IngestStatus.RESUMED
    assert library.memory_of(path) == whole.memory_of(path)


def test_stopped_before_finish_it_has_nothing_left_to_read(tmp_path):
    path = written(tmp_path / "a.txt")
    library = FakeLibrary()

    def stop(job):
        if job.segments_done == 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(
            FileIngestor().ingest(
                [path], options=IngestOptions(), library=library, engine=HashEngine(), on_progress=stop
            )
        )
    jobs = []
    (result,) = ingest(library, path, jobs=jobs)
    assert (result.status, jobs, result.segments) == (IngestStatus.RESUMED, [], 24)


PAGED = "".join("\f" * (not number % 10 and number > 0) + f"word{number} " for number in range(60))


@pytest.mark.parametrize(("changed_word", "kept"), [(0, 0), (7, 0), (20, 4), (29, 8), (33, 12)])
def test_where_a_file_reads_differently_after_an_interruption_it_is_read_again_from_there(tmp_path, changed_word, kept):
    path = written(tmp_path / "a.txt", PAGED)
    library = FakeLibrary()
    library.fail_after = 15
    with pytest.raises(KeyboardInterrupt):
        ingest(library, path)
    library.fail_after = None
    written(path, PAGED.replace(f"word{changed_word} ", "quite other "))
    jobs = []
    (result,) = ingest(library, path, jobs=jobs)
    whole = FakeLibrary()
    ingest(whole, path)
    assert library.memory_of(path) == whole.memory_of(path)
    # A page has ten words of two tokens, four segments; the space that ends it goes with the next one's first.
    assert jobs[0].segments_done - 1 == kept
    assert result.status is (IngestStatus.RESUMED if kept else IngestStatus.INGESTED)


@pytest.mark.parametrize("words", [2, 12, 20, 35])
def test_a_file_cut_short_after_an_interruption_keeps_what_agrees(tmp_path, words):
    path = written(tmp_path / "a.txt", PAGED)
    library = FakeLibrary()
    library.fail_after = 15
    with pytest.raises(KeyboardInterrupt):
        ingest(library, path)
    library.fail_after = None
    written(path, PAGED[: PAGED.index(f"word{words}")])
    ingest(library, path)
    whole = FakeLibrary()
    ingest(whole, path)
    assert library.memory_of(path) == whole.memory_of(path)


def test_the_same_bytes_again_are_unchanged_and_not_opened(tmp_path, monkeypatch):
    path = written(tmp_path / "a.txt")
    library = FakeLibrary()
    (first,) = ingest(library, path)
    os.utime(path, (1, 1))
    monkeypatch.setattr(pipeline, "opened", None)
    (again,) = ingest(library, path)
    assert again.status is IngestStatus.UNCHANGED
    assert (again.document, again.pages, again.tokens, again.segments) == (
        first.document,
        first.pages,
        first.tokens,
        first.segments,
    )


def test_another_model_reads_the_same_file_anew(tmp_path):
    path = written(tmp_path / "a.txt")
    library, other = FakeLibrary(), HashEngine()
    other.model_id = "other"
    assert [ingest(library, path, engine=engine)[0].status for engine in (HashEngine(), other, other)] == [
        IngestStatus.INGESTED,
        IngestStatus.INGESTED,
        IngestStatus.UNCHANGED,
    ]


def test_equal_bytes_elsewhere_are_adopted_under_their_own_title(tmp_path):
    library, jobs = FakeLibrary(), []
    ingest(library, written(tmp_path / "a.txt"))
    (result,) = ingest(library, written(tmp_path / "b.txt"), jobs=jobs)
    assert (result.status, jobs) == (IngestStatus.INGESTED, [])
    assert library.stored["default", str(tmp_path / "b.txt")].title == "b.txt"


def test_equal_bytes_are_no_way_around_a_password(tmp_path):
    library = FakeLibrary()
    path = rewritten(draw_pdf(tmp_path / "a.pdf", prose(1)), lambda writer: writer.encrypt("key", algorithm="RC4-128"))
    assert ingest(library, path, password="key")[0].status is IngestStatus.INGESTED  # noqa: S106
    copy = tmp_path / "b.pdf"
    copy.write_bytes(path.read_bytes())
    assert "--password" in ingest(library, copy)[0].error


def test_bad_files_fail_with_their_reason_and_the_batch_goes_on(tmp_path):
    library = FakeLibrary()
    good, last = written(tmp_path / "good.txt"), written(tmp_path / "last.md", "# End\n")
    corrupt, empty, binary = tmp_path / "corrupt.pdf", tmp_path / "empty.txt", tmp_path / "binary.dat"
    corrupt.write_bytes(b"%PDF-1.4 nothing follows")
    empty.touch()
    binary.write_bytes(bytes(100))
    scan = draw_pdf(tmp_path / "scan.pdf", picture, picture, picture)
    locked = rewritten(draw_pdf(tmp_path / "l.pdf", prose(1)), lambda writer: writer.encrypt("x", algorithm="RC4-128"))
    bad = [corrupt, empty, binary, scan, locked, tmp_path / "missing.txt"]
    results = {Path(result.path): result for result in ingest(library, good, *bad, last)}
    assert {path for path, result in results.items() if result.status is IngestStatus.FAILED} == set(bad)
    assert {path for path, result in results.items() if result.status is IngestStatus.INGESTED} == {good, last}
    errors = {path.name: results[path].error for path in bad}
    assert "damaged" in errors["corrupt.pdf"]
    assert "holds no text" in errors["empty.txt"]
    assert "binary content" in errors["binary.dat"]
    assert "3 pages" in errors["scan.pdf"]
    assert "looks like a scan (pages 1-3 show a drawing" in errors["scan.pdf"]
    assert "hmt-qa[ocr]" in errors["scan.pdf"]
    assert "Give its password with --password." in errors["l.pdf"]
    assert "No such file" in errors["missing.txt"]
    assert set(library.failures) == {str(path) for path in bad}
    assert not library.owned
    assert not library.pending


def test_in_folders_unreadable_files_are_named_in_the_log_and_are_no_failures(tmp_path, caplog):
    written(tmp_path / "a.txt")
    written(tmp_path / "blank.txt", "\n\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\0\0")
    (tmp_path / "late.txt").write_bytes(b"a" * 100_000 + b"\0")
    library = FakeLibrary()
    with caplog.at_level(logging.WARNING):
        results = ingest(library, tmp_path)
    assert [Path(result.path).name for result in results] == ["a.txt"]
    assert all(name in caplog.text for name in ("blank.txt", "photo.jpg", "late.txt"))
    assert not library.failures


def test_a_file_given_twice_and_in_its_folder_is_read_once(tmp_path):
    path = written(tmp_path / "a.txt")
    results = ingest(FakeLibrary(), path, tmp_path, path)
    assert [result.status for result in results] == [IngestStatus.INGESTED]


def test_a_file_that_changes_while_it_is_read_fails_and_leaves_nothing(tmp_path):
    path, library = written(tmp_path / "a.txt"), FakeLibrary()

    def change(job):
        if job.segments_done == 3:
            written(path, WORDS.replace("word7", "moved"))

    (result,) = list(
        FileIngestor().ingest([path], options=IngestOptions(), library=library, engine=HashEngine(), on_progress=change)
    )
    assert result.status is IngestStatus.FAILED
    assert "changed while it was being read" in result.error
    assert not library.stored
    assert not library.pending


def test_a_file_merely_touched_while_it_is_read_is_fine(tmp_path):
    path = written(tmp_path / "a.txt")
    (result,) = list(
        FileIngestor().ingest(
            [path],
            options=IngestOptions(),
            library=FakeLibrary(),
            engine=HashEngine(),
            on_progress=lambda job: os.utime(path, (job.segments_done, 1)),
        )
    )
    assert result.status is IngestStatus.INGESTED


def test_what_another_process_reads_fails_here_and_the_batch_goes_on(tmp_path):
    library = FakeLibrary()
    mine, other = written(tmp_path / "mine.txt"), written(tmp_path / "other.txt", "other\n")
    library.owned.add(("default", str(other)))
    results = {result.path: result for result in ingest(library, other, mine)}
    assert results[str(mine)].status is IngestStatus.INGESTED
    assert results[str(other)].status is IngestStatus.FAILED
    assert "Another process" in results[str(other)].error
    assert ("default", str(other)) in library.owned


def test_a_busy_library_keeps_what_was_committed_and_the_batch_goes_on(tmp_path):
    library = FakeLibrary()
    library.fail_after, library.failure = 2, LibraryBusy("The database is locked.")
    path = written(tmp_path / "a.txt")
    (result,) = ingest(library, path)
    assert result.status is IngestStatus.FAILED
    assert len(library.pending["default", str(path)].rows) == 2
    library.fail_after = None
    assert ingest(library, path)[0].status is IngestStatus.RESUMED


def test_a_full_disk_ends_the_batch(tmp_path):
    library = FakeLibrary()
    library.fail_after, library.failure = 2, StorageFull("The disk is full.")
    with pytest.raises(StorageFull):
        ingest(library, written(tmp_path / "a.txt"), written(tmp_path / "b.txt", "b\n"))
    assert not library.failures


def test_a_file_whose_parser_dies_fails_in_the_middle_and_leaves_nothing(tmp_path):
    library = FakeLibrary()
    bomb, good = tmp_path / "bomb.pdf", written(tmp_path / "good.txt")
    # The first page is read and stored before the second one needs too much.
    hostile.many_operators(bomb)
    draw_pdf(tmp_path / "first.pdf", prose(1))
    with PdfWriter() as writer:
        writer.append(tmp_path / "first.pdf")
        writer.append(bomb)
        writer.write(bomb)
    jobs = []
    results = {result.path: result for result in ingest(library, bomb, good, jobs=jobs)}
    assert results[str(good)].status is IngestStatus.INGESTED
    assert results[str(bomb)].status is IngestStatus.FAILED
    assert "needs more than 1,024 MB of memory on page 2" in results[str(bomb)].error
    assert str(bomb) in {job.path for job in jobs}
    assert not library.pending
    assert not library.owned


def test_limits_of_parsing_are_an_option(tmp_path):
    path = tmp_path / "paragraphs.docx"
    hostile.docx_of_empty_paragraphs(path)
    (result,) = ingest(FakeLibrary(), path, limits=ParsingLimits(memory_mb=200))
    assert "needs more than 200 MB" in result.error


def test_pages_that_show_something_without_characters_are_named(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", prose(1), picture, prose(3), empty_page, picture, picture, prose(7))
    (result,) = ingest(FakeLibrary(), path)
    assert result.status is IngestStatus.INGESTED
    assert result.error.startswith("Not read: pages 2, 5-6 show a drawing")
    (again,) = ingest(FakeLibrary(), draw_pdf(tmp_path / "b.pdf", prose(1), empty_page))
    assert again.error == ""


def test_a_document_that_goes_on_names_the_unread_pages_of_its_first_part_too(tmp_path):
    path = draw_pdf(tmp_path / "a.pdf", picture, prose(2, 3), prose(3, 3))
    library = FakeLibrary()
    library.fail_after = 4
    with pytest.raises(KeyboardInterrupt):
        ingest(library, path)
    library.fail_after = None
    (result,) = ingest(library, path)
    assert result.status is IngestStatus.RESUMED
    assert "page 1 shows a drawing" in result.error


CODE = "".join(
    f"def function_{number}(argument):\n" + f"    value_{number} = argument + {number}\n" * (number % 7 + 1) + "\n\n"
    for number in range(40)
)


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_code_that_is_cut_at_functions_goes_on_to_the_same_memory(tmp_path, stop):
    path = written(tmp_path / "a.py", CODE)
    whole, library = FakeLibrary(), FakeLibrary()
    (expected,) = ingest(whole, path, engine=HashEngine(120))
    library.fail_after = stop
    with pytest.raises(KeyboardInterrupt):
        ingest(library, path, engine=HashEngine(120))
    library.fail_after = None
    jobs = []
    ingest(library, path, engine=HashEngine(120), jobs=jobs)
    assert library.memory_of(path) == whole.memory_of(path)
    assert len(jobs) == expected.segments - stop
    segments = whole.memory_of(path).segments
    assert "".join(segment.text for segment in segments) == CODE
    assert sum(segment.text.lstrip().startswith("def ") for segment in segments) > len(segments) / 2


def test_a_name_that_is_no_unicode_is_stored_as_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text(WORDS)
    (tmp_path / "b").mkdir()
    scan = draw_pdf(tmp_path / "s.pdf", prose(1))
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b/\xff.pdf"))
    scan.rename(named)
    results = ingest(FakeLibrary(), path, named)
    assert [result.status for result in results] == [IngestStatus.INGESTED] * 2
    for result in results:
        result.path.encode("utf-8")
    assert {result.path for result in results} == {shown(path), shown(named)}
    assert shown(path).endswith("caf\\xe9.txt")


def test_the_ingestor_is_found_by_its_entry_point():
    (point,) = entry_points(group="hmt_qa.ingestors", name="files")
    assert point.load() is FileIngestor
