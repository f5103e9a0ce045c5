"""Asked as of a page, a document is what it was when it ended there: compared with the very document that does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hmt_qa.app import DocumentQA
from hmt_qa.as_of import AsOfPage
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import NothingIngested
from hmt_qa.types import Mode, Place
from tests.hmt_qa.library import FACTS, FILLER, open_qa

PAGES = 9
QUESTION = "Who was the keeper of the lighthouse at Skerry Point?"


def page(number: int) -> str:
    return f"{FILLER * (number % 3)}\nPage {number}. {FACTS[number % 3]}\n"


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> Iterator[DocumentQA]:
    """A document of nine pages, and those that end with each of its pages."""
    home = tmp_path_factory.mktemp("home")
    paths = [home / f"{pages}.txt" for pages in range(1, PAGES + 1)]
    for pages, path in enumerate(paths, 1):
        path.write_text("\f".join(map(page, range(1, pages + 1))))
    with open_qa(home, engine) as opened:
        list(opened.ingest(paths))
        yield opened


def document(qa: DocumentQA, pages: int) -> str:
    return next(
        found.id for found in qa.documents() if found.title == str(pages) or found.path.endswith(f"/{pages}.txt")
    )


@pytest.mark.parametrize("pages", range(1, PAGES + 1))
def test_memory_and_text_are_those_of_the_document_that_ends_with_the_page(qa, engine, pages):
    view, whole, short = AsOfPage(qa.library, engine, pages), document(qa, PAGES), document(qa, pages)
    length = view.length(whole)
    assert length == qa.document(short).segments
    places = [[Place(document=one, segment=number) for number in range(length)] for one in (whole, short)]
    for then, read in zip(view.segments(places[0]), qa.library.segments(places[1]), strict=True):
        assert (then.token_ids, then.text.rstrip("\f\n")) == (read.token_ids, read.text.rstrip("\f\n"))
    then, read = engine.bank(view.memory(whole)), engine.bank(qa.library.memory(short))
    torch.testing.assert_close(then, read, rtol=1e-4, atol=1e-5)
    assert [one.number for one in view.pages(whole)] == list(range(1, pages + 1))


@pytest.mark.parametrize("mode", Mode)
def test_an_answer_is_that_of_the_document_that_ends_with_the_page(qa, mode):
    whole, short = document(qa, PAGES), document(qa, 4)
    then = qa.ask(QUESTION, documents=[whole], mode=mode, as_of_page=4)
    read = qa.ask(QUESTION, documents=[short], mode=mode)
    assert then.text == read.text
    assert [(one.page, one.quote) for one in then.citations] == [(one.page, one.quote) for one in read.citations]
    assert all(one.page <= 4 for one in then.citations)
    now = qa.ask(QUESTION, documents=[whole], mode=mode)
    assert [one.weight for one in now.citations] != [one.weight for one in then.citations]


def test_beyond_its_last_page_a_document_is_whole(qa, engine):
    whole = document(qa, PAGES)
    assert AsOfPage(qa.library, engine, 99).memory(whole).rows == qa.library.memory(whole).rows
    assert qa.ask(QUESTION, documents=[whole], as_of_page=99).text == qa.ask(QUESTION, documents=[whole]).text


def test_words_of_later_pages_are_not_found(qa, engine):
    view, whole = AsOfPage(qa.library, engine, 4), document(qa, PAGES)
    now = qa.library.keyword_search("page lighthouse", documents=[whole], top=99)
    then = view.keyword_search("page lighthouse", documents=[whole], top=99)
    assert [hit for hit in now if hit.place.segment < view.length(whole)] == list(then)
    assert len(then) < len(now)


def test_before_any_text_there_is_nothing_to_ask(tmp_path: Path, engine):
    path = tmp_path / "short.txt"
    path.write_text(f"A.\n\f{FACTS[0]}\n")
    with open_qa(tmp_path, engine) as qa:
        list(qa.ingest([path]))
        # Without its text, a segment that goes on to the next page cannot be read again up to the first one's end.
        qa.export(tmp_path / "bare.hmt", with_text=False)
        qa.take_in(tmp_path / "bare.hmt", collection="bare")
        with pytest.raises(NothingIngested, match="no text up to page 1"):
            qa.ask(QUESTION, collection="bare", mode=Mode.MEMORY, as_of_page=1)
        assert qa.ask(QUESTION, collection="default", mode=Mode.MEMORY, as_of_page=1).citations
