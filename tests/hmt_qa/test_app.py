"""The facade from end to end: a file in, answers with citations out, and every refusal by its name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_qa import plugins
from hmt_qa.app import EMBEDDED_MODEL, DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import (
    EmptyQuestion,
    HmtQaError,
    ModelMismatch,
    ModelMissing,
    NothingIngested,
    QuestionTooLong,
    UnknownDocument,
)
from hmt_qa.types import Answer, Document, IngestOptions, IngestStatus, Job, JobState, Mode, Ranking
from hmt_storage.library import SqlLibrary
from tests.hmt_qa.library import FACTS, open_qa, three_pages

QUESTION = "Who was the keeper of the lighthouse at Skerry Point?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """What was seen while the document was read."""
    return []


@pytest.fixture(scope="module")
def qa(home: Path, embedded: LocalEngine, jobs: list[Job]) -> Iterator[DocumentQA]:
    """One three-page document, read by the model in the package."""
    with open_qa(home, embedded) as opened:
        (result,) = opened.ingest([three_pages(home / "harbour.txt", filler=3)], on_progress=jobs.append)
        assert (result.status, result.pages, result.error) == (IngestStatus.INGESTED, 3, "")
        yield opened


@pytest.fixture(scope="module")
def document(qa: DocumentQA) -> Document:
    (only,) = qa.documents()
    return only


@pytest.fixture(scope="module")
def small_qa(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> Iterator[DocumentQA]:
    """The same file read by the tiny model, which answers nonsense, and fast."""
    home = tmp_path_factory.mktemp("small")
    with open_qa(home, engine) as opened:
        list(opened.ingest([three_pages(home / "harbour.txt", filler=1)]))
        yield opened


def assert_citations_stand(qa: DocumentQA, answer: Answer, *, top: int) -> None:
    """Each quote is the document's own text, on the page it names."""
    assert 0 < len({(c.document, c.segment) for c in answer.citations}) <= top
    for citation in answer.citations:
        assert citation.quote
        assert citation.quote == qa.library.text(citation.document, citation.char_start, citation.char_end)
        (page,) = (page for page in qa.pages(citation.document) if page.number == citation.page)
        assert page.char_start <= citation.char_start < page.char_end
        assert page.label == citation.page_label
        assert 0 <= citation.weight <= 1


def test_a_library_opens_with_the_embedded_model_and_nothing_else_given(tmp_path):
    with DocumentQA.open(str(tmp_path / "new")) as qa:
        assert list(qa.documents()) == []
        assert isinstance(qa.library, SqlLibrary)
        assert qa.engine.model_id.startswith("hmt-small@")
    assert (tmp_path / "new").is_dir()


def test_reading_is_observed_segment_by_segment(qa, document, jobs):
    assert [job.segments_done for job in jobs] == list(range(1, document.segments + 1))
    assert jobs[-1].tokens_done == document.tokens
    (job,) = qa.jobs()
    assert (job.state, job.fraction, job.document) == (JobState.DONE, 1.0, document.id)


def test_a_document_is_known_by_its_pages_text_and_model(qa, document, home):
    text = (home / "harbour.txt").read_text()
    assert document.pages == 3
    assert document.segments > 3
    assert document.model_id == qa.engine.model_id
    assert qa.library.text(document.id, 0, document.characters) == text
    assert [page.number for page in qa.pages(document.id)] == [1, 2, 3]
    assert list(qa.boxes(document.id, 1)) == []


@pytest.mark.parametrize("mode", Mode)
def test_a_question_is_answered_with_citations_that_stand(qa, mode):
    answer = qa.ask(QUESTION, mode=mode)
    assert answer.text
    assert answer.mode is mode
    assert answer.model == qa.engine.model_id
    assert_citations_stand(qa, answer, top=4)


def test_the_fact_asked_for_is_among_the_citations(qa):
    answer = qa.ask(QUESTION)
    assert any("Agnes Farrow" in citation.quote for citation in answer.citations)
    assert {citation.page for citation in answer.citations if "Agnes Farrow" in citation.quote} == {1}


def test_the_same_question_gets_the_same_answer_from_a_library_opened_again(qa, home, embedded):
    first = qa.ask(QUESTION, top=2)
    with open_qa(home, embedded) as again:
        second = again.ask(QUESTION, top=2)
    assert (first.text, first.citations) == (second.text, second.citations)


words = st.sampled_from(" ".join([*FACTS, "Who where when is it whale"]).split())
questions = st.lists(words, min_size=1, max_size=8).map(" ".join)


@settings(max_examples=3)
@given(question=questions)
def test_any_question_to_the_embedded_model_is_cited_from_the_documents_own_text(qa, question):
    assert_citations_stand(qa, qa.ask(question, top=2), top=2)


@settings(max_examples=10)
@given(question=st.one_of(questions, st.text(min_size=1, max_size=8)), mode=st.sampled_from(Mode))
def test_whatever_a_model_says_is_cited_from_the_documents_own_text(small_qa, question, mode):
    try:
        answer = small_qa.ask(question, top=6, mode=mode)
    except (EmptyQuestion, QuestionTooLong):
        return
    assert_citations_stand(small_qa, answer, top=6)


@pytest.mark.parametrize("using", Ranking)
def test_a_search_gives_ranked_places_with_their_own_text(qa, document, using):
    results = qa.search(QUESTION, using=using)
    assert [result.rank for result in results] == list(range(1, len(results) + 1))
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)
    for result in results:
        assert (result.document, result.title) == (document.id, document.title)
        assert result.text == qa.library.text(document.id, result.char_start, result.char_end)
        assert 1 <= result.page_first <= result.page_last <= 3
        assert result.page_label == qa.pages(document.id)[result.page_first - 1].label


def test_a_search_by_memory_names_every_segment_once_and_its_weights_sum_to_one(qa, document):
    results = qa.search(QUESTION, using=Ranking.MEMORY, top=1_000)
    assert sorted(result.segment for result in results) == list(range(document.segments))
    assert sum(result.weight for result in results) == pytest.approx(1.0)
    ends = sorted((result.char_start, result.char_end) for result in results)
    assert ends[0][0] == 0
    assert all(one[1] == other[0] for one, other in pairwise(ends))
    assert ends[-1][1] == document.characters


def test_a_search_by_keyword_finds_the_page_with_the_words(qa):
    best = qa.search("Tobias Wren Corisande", using=Ranking.KEYWORD)[0]
    assert "Tobias Wren" in best.text
    assert best.page_first <= 2 <= best.page_last


def test_a_search_takes_as_many_statements_for_many_places_as_for_one(qa):
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = qa.library._database._engine
    qa.search(QUESTION)
    counts = []
    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        for top in (1, 10):
            asked.clear()
            assert len(qa.search(QUESTION, top=top)) == min(top, qa.documents()[0].segments)
            counts.append(len(asked))
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(small_qa, question):
    with pytest.raises(EmptyQuestion):
        small_qa.ask(question)
    with pytest.raises(EmptyQuestion):
        small_qa.search(question)


def test_a_question_longer_than_a_segment_is_refused(small_qa):
    with pytest.raises(QuestionTooLong, match="at most 16"):
        small_qa.ask("whale " * 17)


def test_a_library_without_documents_cannot_be_asked(tmp_path, engine):
    with open_qa(tmp_path, engine) as qa:
        with pytest.raises(NothingIngested, match=r"in the library.*hmt-qa ingest"):
            qa.ask("Where?")
        with pytest.raises(NothingIngested, match="collection 'whales'"):
            qa.search("Where?", collection="whales")


def test_a_document_nobody_has_is_refused(small_qa):
    with pytest.raises(UnknownDocument):
        small_qa.ask("Where?", documents=["no-such-document"])


def test_another_model_is_refused_with_the_remedy(qa, home, checkpoint):
    with DocumentQA.open(home, model=checkpoint, device="cpu") as switched:
        with pytest.raises(ModelMismatch, match=r"hmt-small@.*tiny-qwen3@.*--model"):
            switched.ask("Where?")
        with pytest.raises(ModelMismatch):
            switched.search("Where?")


def test_a_model_that_is_not_there_is_refused_when_the_library_is_opened(tmp_path):
    with pytest.raises(ModelMissing):
        DocumentQA.open(tmp_path, model=tmp_path / "nothing")


def test_errors_come_before_the_first_piece_of_a_stream(small_qa):
    with pytest.raises(EmptyQuestion):
        next(small_qa.stream(" "))


def test_collections_and_documents_limit_what_is_asked(tmp_path, engine):
    with open_qa(tmp_path, engine) as qa:
        for name in ("one", "two"):
            path = three_pages(tmp_path / f"{name}.txt", filler=1)
            path.write_text(path.read_text() + name)
            list(qa.ingest([path], options=IngestOptions(collection=name)))
        one, two = qa.documents()
        assert {result.document for result in qa.search("Where?", top=99)} == {one.id, two.id}
        assert {result.document for result in qa.search("Where?", top=99, collection="two")} == {two.id}
        results = qa.search("Where?", top=99, documents=[one.id, one.id], using=Ranking.MEMORY)
        assert {result.document for result in results} == {one.id}
        assert sum(result.weight for result in results) == pytest.approx(1.0)


def test_a_document_is_renamed_and_removed_by_its_id(tmp_path, engine):
    with open_qa(tmp_path, engine) as qa:
        list(qa.ingest([three_pages(tmp_path / "a.txt", filler=1)]))
        (before,) = qa.documents()
        assert qa.rename(before.id, "Harbour").title == "Harbour"
        assert qa.document(before.id).title == "Harbour"
        assert qa.remove(before.id).title == "Harbour"
        assert list(qa.documents()) == []
        with pytest.raises(UnknownDocument):
            qa.document(before.id)


def test_several_threads_may_ask_one_library(small_qa):
    answers, failures = [], []

    def ask() -> None:
        try:
            answers.append(small_qa.ask("Who was born in Bergen?", top=2))
        except HmtQaError as problem:
            failures.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len({(answer.text, answer.citations) for answer in answers}) == 1


def test_warming_up_loads_the_model(checkpoint, tmp_path):
    with open_qa(tmp_path, LocalEngine(checkpoint, device="cpu", dtype="float32")) as qa:
        assert "_model" not in vars(qa.engine)
        qa.warm_up()
        assert "_model" in vars(qa.engine)


def test_a_part_that_is_not_installed_is_named_with_a_remedy():
    with pytest.raises(HmtQaError, match=r"'carrier-pigeon'.*hmt_qa\.readers.*pip install"):
        plugins.load("hmt_qa.readers", "carrier-pigeon")


def test_the_embedded_model_is_inside_the_package():
    assert EMBEDDED_MODEL.is_relative_to(Path(plugins.__file__).parent)
