"""What was ingested is given back exactly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_qa.errors import UnknownDocument
from hmt_qa.types import JobState, PageSpan, Place, SourceFile, TextBox
from hmt_storage.library import SqlLibrary

CHARACTERS = st.characters(exclude_categories=[]) | st.sampled_from("\0\ud800")
TEXTS = st.lists(st.text(CHARACTERS, max_size=30), min_size=1, max_size=6).filter(any)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    library = SqlLibrary.open(tmp_path_factory.mktemp("shared"))
    yield library
    library.close()


def test_importing_the_package_loads_no_model_library():
    code = "import sys, hmt_storage.library; sys.exit(any(name in sys.modules for name in ('torch', 'alembic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_finished_document_shows_what_was_read(library, whale):
    before = datetime.now(UTC)
    document = whale.ingest(library)
    assert library.document(document.id) == document
    assert library.documents() == [document]
    assert library.known(collection="default", path="/files/whale.txt").document == document
    assert (document.title, document.media_type, document.model_id) == ("whale.txt", "text/plain", "model-1")
    assert (document.sha256, document.size_bytes) == (whale.source.sha256, whale.source.size_bytes)
    assert (document.pages, document.characters, document.tokens) == (4, len(whale.text), len(whale.text))
    assert document.segments == len(whale.segments)
    assert before <= document.added_at <= datetime.now(UTC)


def test_an_unfinished_document_is_not_there_yet(library, whale):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments)
    assert library.documents() == []
    assert library.known(collection="default", path="/files/whale.txt") is None


def test_documents_come_oldest_first_and_by_collection(library, sample):
    first = sample("one\n", path="/z").ingest(library)
    second = sample("two\n", path="/a", collection="other").ingest(library)
    assert library.documents() == [first, second]
    assert library.documents(collection="other") == [second]
    assert library.documents(collection="none") == []


def test_everything_survives_closing(tmp_path, whale):
    library = SqlLibrary.open(tmp_path)
    document = whale.ingest(library)
    memory = library.memory(document.id)
    library.close()
    again = SqlLibrary.open(tmp_path)
    assert again.memory(document.id) == memory
    assert again.text(document.id, 0, 10_000) == whale.text
    again.close()


@settings(max_examples=40, deadline=None)
@given(
    texts=TEXTS,
    length=st.integers(1, 20),
    spans=st.lists(st.tuples(*[st.integers(-3, 60)] * 2), min_size=8, max_size=8),
)
def test_text_at_any_span_is_the_slice_of_the_joined_pages(shared, sample, texts, length, spans):
    written = sample(*texts, length=length)
    document = written.ingest(shared)
    kept = "".join(map(as_kept, written.text))
    assert shared.text(document.id, 0, 10**30) == kept
    for start, end in spans:
        assert shared.text(document.id, start, end) == kept[max(start, 0) : max(end, 0)]
    pages = shared.pages(document.id)
    assert [written.text[page.char_start : page.char_end] for page in pages] == list(texts)
    memory = shared.memory(document.id)
    assert memory.rows == b"".join(written.row(segment) for segment in written.segments)
    places = [Place(document=document.id, segment=number) for number in range(document.segments)]
    for stored, segment in zip(shared.segments(places), written.segments, strict=True):
        assert (stored.text, stored.token_ids) == ("".join(map(as_kept, segment.text)), segment.token_ids)


def as_kept(character):
    """NUL and half a surrogate pair are in no database's text: each stands as one other character, spans stay true."""
    return "?" if character == "\0" or "\ud800" <= character <= "\udfff" else character


def test_pages_keep_number_label_and_span(library, whale):
    document = whale.ingest(library)
    assert library.pages(document.id) == [
        PageSpan(number=1, label="p1", char_start=0, char_end=17),
        PageSpan(number=2, label="p2", char_start=17, char_end=17),
        PageSpan(number=3, label="p3", char_start=17, char_end=54),
        PageSpan(number=4, label="p4", char_start=54, char_end=63),
    ]


def test_segments_come_in_the_order_asked_from_several_documents(library, sample):
    one = sample("abcdef", length=2, path="/one").ingest(library)
    two = sample("uvwxyz", length=3, path="/two").ingest(library)
    places = [
        Place(document=two.id, segment=1),
        Place(document=one.id, segment=2),
        Place(document=one.id, segment=0),
        Place(document=two.id, segment=1),
    ]
    found = library.segments(places)
    assert [segment.place for segment in found] == places
    assert [segment.text for segment in found] == ["xyz", "ef", "ab", "xyz"]
    assert (found[0].char_start, found[0].char_end, found[0].page_first, found[0].page_last) == (3, 6, 1, 1)
    assert found[0].page_label == "p1"
    with pytest.raises(UnknownDocument, match="no segment 9"):
        library.segments([Place(document=one.id, segment=9)])


def test_the_memory_names_its_model_format_and_state(library, whale):
    document = whale.ingest(library)
    memory = library.memory(document.id)
    last = whale.state_id(whale.segments[-1])
    assert (memory.model_id, memory.dtype, memory.hidden) == ("model-1", "float32", 4)
    assert (memory.document, memory.segments, memory.state_id) == (document.id, len(whale.segments), last)
    assert library.memory_states([document.id]) == [(document.id, "model-1", last, len(whale.segments))]


def test_boxes_are_kept_by_page(library, sample):
    box = TextBox(char_start=0, char_end=4, left=1.5, bottom=2.25, right=30.0, top=12.5)
    written = sample("Call\n", "me\n")
    pages = (replace(written.pages[0], boxes=(box,), width=612.0, height=792.0), written.pages[1])
    document = replace(written, pages=pages).ingest(library)
    assert library.boxes(document.id, 1) == (box,)
    assert library.boxes(document.id, 2) == ()
    assert library.boxes(document.id, 3) == ()


def test_the_words_of_a_span_have_their_boxes_on_each_page_it_touches(library, sample):
    def word(start: int, end: int, left: float) -> TextBox:
        return TextBox(char_start=start, char_end=end, left=left, bottom=2.25, right=left + 20, top=12.5)

    written = sample("Call me\n", "Ishmael now\n", "\n", "The end\n")
    boxes = [(word(0, 4, 1.5), word(5, 7, 30.126)), (word(0, 7, 1.5), word(8, 11, 40)), (), (word(0, 3, 1.5),)]
    pages = tuple(replace(page, boxes=of) for page, of in zip(written.pages, boxes, strict=True))
    document = replace(written, pages=pages).ingest(library)
    for start, end in ((6, 16), (5, 9)):
        found = library.quote_boxes(document.id, start, end)
        assert [(box.page, library.text(document.id, box.char_start, box.char_end)) for box in found] == [
            (1, "me"),
            (2, "Ishmael"),
        ]
    assert (found[0].left, found[0].right) == (30.13, 50.13)
    assert library.quote_boxes(document.id, 7, 8) == library.quote_boxes(document.id, 3, 3) == ()


def test_a_title_given_by_the_user_outlives_a_reread(library, sample):
    document = sample("old text\n").ingest(library)
    assert library.rename(document.id, "Moby Dick").title == "Moby Dick"
    reread = sample("new text\n").ingest(library)
    assert (reread.id, reread.title) == (document.id, "Moby Dick")


def test_an_id_may_be_shortened_while_it_is_unambiguous(library, sample):
    documents = [sample("text\n", path=f"/{number}").ingest(library) for number in range(3)]
    assert library.document(documents[1].id[:6]) == documents[1]
    with pytest.raises(UnknownDocument):
        library.document(documents[1].id[:3])


def test_an_ambiguous_beginning_is_refused_and_says_so(library, sample):
    # These two paths were searched for: their ids begin with the same four digits.
    one, two = (sample("text\n", path=path).ingest(library) for path in ("/60", "/590"))
    assert one.id[:4] == two.id[:4]
    with pytest.raises(UnknownDocument, match="More than one"):
        library.document(one.id[:4])
    assert library.document(two.id) == two


@pytest.mark.parametrize("asked", ["", "ffffffffffff", "%%%%", "____", "Abcd\0", "\udcff" * 4, "é" * 12, "f" * 500])
def test_any_unknown_id_is_an_unknown_document(library, whale, asked):
    whale.ingest(library)
    calls = [
        lambda: library.document(asked),
        lambda: library.remove(asked),
        lambda: library.rename(asked, "x"),
        lambda: library.pages(asked),
        lambda: library.text(asked, 0, 1),
        lambda: library.boxes(asked, 1),
        lambda: library.memory(asked),
        lambda: library.memory_states([asked]),
        lambda: library.segments([Place(document=asked, segment=0)]),
    ]
    for call in calls:
        with pytest.raises(UnknownDocument):
            call()
    assert library.keyword_search("whale", documents=[asked], top=3) == []


def test_paths_that_are_no_unicode_are_two_documents_and_can_be_printed(library, sample):
    documents = [sample("text\n", path=path).ingest(library) for path in ("/caf\udce8.txt", "/caf\udce9.txt")]
    assert documents[0].id != documents[1].id
    assert library.known(collection="default", path="/caf\udce9.txt").document == documents[1]
    documents[1].path.encode()


def test_text_with_lone_surrogates_keeps_its_length(library, sample):
    document = sample("a\ud800b\n", "c\n").ingest(library)
    assert library.text(document.id, 0, 99) == "a?b\nc\n"


def test_a_failed_input_is_reported_once_to_whoever_observes_jobs(library):
    source = SourceFile(path="/locked.pdf", collection="c", sha256="0" * 64, size_bytes=9)
    library.report_failure(source, "needs a password")
    job = library.report_failure(source, "needs another password")
    assert (job.state, job.error, job.path) == (JobState.FAILED, "needs another password", "/locked.pdf")
    assert library.jobs() == [job]


def test_jobs_come_newest_first_up_to_a_limit(library, sample):
    for number in range(4):
        sample("text\n", path=f"/{number}").ingest(library)
    assert [job.path for job in library.jobs(limit=2)] == ["/3", "/2"]


def test_pages_without_text_are_pages(library, sample):
    document = sample("", "", "text\n", "", "").ingest(library)
    assert document.pages == 5
    assert library.pages(document.id)[4] == PageSpan(number=5, label="p5", char_start=5, char_end=5)
