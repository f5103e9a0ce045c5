"""A replaced document's new memory takes over what both begin with, row for row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hmt_qa.errors import JobCancelled
from hmt_storage import ingestion as ingestions
from hmt_storage.library import SqlLibrary

OLD = ("The first page of it.\n", "", "The second one, longer than the first.\n", "The third.\n")
NEW = (*OLD[:3], "The third, and a good deal more of it.\n")


def contents(library):
    queries = (
        'SELECT number, state_id, "row", sha256 FROM memory_rows ORDER BY 1',
        "SELECT number, char_start, char_end, page_first, page_last, token_ids, text FROM segments ORDER BY 1",
        "SELECT number, char_start, char_end, label, boxes FROM pages ORDER BY 1",
        "SELECT sha256, setting, segments, tokens, pages, characters, state_id, complete FROM memories",
    )
    with library._database.read() as connection:
        return [connection.exec_driver_sql(query).all() for query in queries]


@pytest.fixture
def old(library, sample):
    written = sample(*OLD)
    written.ingest(library)
    return written


def kept_of(old, new):
    return next(n for n, (a, b) in enumerate(zip(old.segments, new.segments, strict=False)) if a.text != b.text)


@pytest.fixture(params=[1, 2, 256])
def at_once(request, monkeypatch):
    monkeypatch.setattr(ingestions, "INHERITED_AT_ONCE", request.param)


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.usefixtures("at_once")
def test_what_is_taken_over_equals_what_would_be_read(library, old, sample, tmp_path):
    new = sample(*NEW)
    kept = kept_of(old, new) - 1
    pages = sum(len(old.pages_of(segment)) for segment in old.segments[:kept])
    ingestion = new.begin(library)
    assert ingestion.replaces == len(old.segments)
    ingestion.inherit(segments=kept, pages=pages)
    assert list(ingestion.committed_state_ids) == [old.state_id(segment) for segment in old.segments[:kept]]
    assert library.job(ingestion.job_id).segments_done == kept
    assert ingestion.tail(2) == b"".join(map(old.row, old.segments[kept - 2 : kept]))
    # The document is answered from the old memory until the new one is complete.
    (document,) = library.documents()
    assert library.text(document.id, 0, 999) == old.text
    new.commit(ingestion, new.segments[kept:])
    ingestion.finish()
    assert library.text(document.id, 0, 999) == new.text
    whole = SqlLibrary.open(tmp_path / "whole")
    new.ingest(whole)
    assert contents(library) == contents(whole)
    whole.close()
    assert library.keyword_search("second", documents=[document.id], top=9) != []


@pytest.mark.databases("sqlite", "postgresql")
def test_agreement_is_of_text_tokens_pages_and_chain(library, old, sample):
    ingestion = sample(*NEW).begin(library)
    segment = old.segments[0]
    pages, state_id = old.pages_of(segment), old.state_id(segment)
    assert ingestion.agrees(segment, state_id=state_id, pages=pages)
    assert not ingestion.agrees(segment, state_id="other", pages=pages)
    assert not ingestion.agrees(replace(segment, text=segment.text.upper()), state_id=state_id, pages=pages)
    assert not ingestion.agrees(replace(segment, token_ids=(1, 2)), state_id=state_id, pages=pages)
    assert not ingestion.agrees(replace(segment, number=99), state_id=state_id, pages=pages)
    for change in ({"label": "x"}, {"text": "longer than before\n" * 3}, {"width": 7.0}):
        changed = [replace(pages[0], **change), *pages[1:]]
        assert not ingestion.agrees(segment, state_id=state_id, pages=changed)
    assert not ingestion.agrees(segment, state_id=state_id, pages=[*pages, replace(pages[0], number=99)])


@pytest.mark.parametrize("change", [{"reader": "pdf"}, {"model_id": "model-2"}, {"dtype": "bfloat16"}, {"hidden": 8}])
def test_nothing_is_taken_from_another_reader_model_or_row_format(library, old, sample, change):
    ingestion = sample(*NEW).begin(library, **change)
    assert ingestion.replaces == 0
    assert not ingestion.agrees(
        old.segments[0], state_id=old.state_id(old.segments[0]), pages=old.pages_of(old.segments[0])
    )


@pytest.mark.databases("sqlite", "postgresql")
def test_rows_of_another_setting_bring_its_name(library, old, sample, sql):
    new = sample(*NEW)
    ingestion = new.begin(library, setting="cuda")
    ingestion.inherit(segments=1, pages=1)
    new.commit(ingestion, new.segments[1:])
    ingestion.finish()
    assert sql("SELECT setting FROM memories") == [("cpu\ncuda",)]


@pytest.mark.databases("sqlite", "postgresql")
def test_an_old_memory_that_went_away_meanwhile_gives_nothing(library, old, sample, sql):
    new = sample(*NEW)
    ingestion = new.begin(library)
    sql("DELETE FROM memory_rows WHERE memory_id = (SELECT min(id) FROM memories) AND number > 0")
    ingestion.inherit(segments=2, pages=1)
    assert list(ingestion.committed_state_ids) == []
    new.commit(ingestion, new.segments)
    assert library.text(ingestion.finish().id, 0, 999) == new.text


def test_taking_over_can_be_cancelled(library, old, sample):
    ingestion = sample(*NEW).begin(library)
    library.cancel(ingestion.job_id)
    with pytest.raises(JobCancelled):
        ingestion.inherit(segments=2, pages=1)
