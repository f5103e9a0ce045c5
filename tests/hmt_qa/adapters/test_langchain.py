"""The standard suites of langchain-tests, and what LangChain's users would do with the adapters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

from hmt_qa.adapters.langchain import HMTLoader, HMTQuestionAnswering, HMTRetriever, HMTVectorStore
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import EmptyQuestion, FileProblem
from hmt_qa.types import IngestOptions, Ranking
from tests.hmt_qa.library import FACTS, open_qa, three_pages

QUESTION = "Who was born in Bergen?"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_pages(tmp_path_factory.mktemp("files") / "harbour.txt", filler=1)


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine, path: Path) -> Iterator[DocumentQA]:
    with open_qa(tmp_path_factory.mktemp("home"), engine) as opened:
        list(opened.ingest([path]))
        yield opened


class TestRetriever(RetrieversIntegrationTests):
    """LangChain's own expectations of a retriever."""

    @pytest.fixture(autouse=True)
    def over(self, qa: DocumentQA) -> None:
        self._qa = qa

    @property
    def retriever_constructor(self) -> type[HMTRetriever]:
        return HMTRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"qa": self._qa}

    @property
    def retriever_query_example(self) -> str:
        return QUESTION


class TestVectorStore(VectorStoreIntegrationTests):
    """LangChain's own expectations of a vector store: of the model in the package, for the order must make sense."""

    @pytest.fixture
    def vectorstore(self, tmp_path: Path, embedded: LocalEngine) -> Iterator[VectorStore]:
        with open_qa(tmp_path, embedded) as opened:
            yield HMTVectorStore(opened)


@pytest.fixture
def store(tmp_path: Path, engine: LocalEngine) -> Iterator[HMTVectorStore]:
    with open_qa(tmp_path, engine) as opened:
        yield HMTVectorStore(opened, collection="notes")


def test_retrieved_documents_say_where_they_stand(qa, path):
    whole = path.read_text()
    pages = whole.replace("\f", "\0\f").split("\0")
    for document in HMTRetriever(qa=qa, k=8).invoke(QUESTION):
        told = document.metadata
        assert document.page_content == whole[told["char_start"] : told["char_end"]]
        assert told["source"] == str(path)
        assert told["page"] == told["page_number"] - 1
        assert told["page_label"].startswith("lines ")
        assert pages[told["page"]][told["start_index"] :].startswith(document.page_content[:20].split("\f")[0])


def test_a_retriever_asks_what_it_was_told_to(qa):
    (document,) = qa.documents()
    assert HMTRetriever(qa=qa, collection="another").invoke(QUESTION) == []
    assert asyncio.run(HMTRetriever(qa=qa, collection="another").ainvoke(QUESTION)) == []
    assert len(HMTRetriever(qa=qa, documents=(document.id,), k=2).invoke(QUESTION)) == 2
    best = HMTRetriever(qa=qa, using=Ranking.KEYWORD, k=1).invoke("Tobias Wren Corisande")[0]
    assert "Wren" in best.page_content or "Corisande" in best.page_content


def test_a_loader_gives_pages_that_join_to_the_text_and_reads_a_file_once(tmp_path, engine, path):
    with open_qa(tmp_path, engine) as qa:
        loader = HMTLoader(qa, [path], options=IngestOptions(collection="files"))
        pages = loader.load()
        assert "".join(page.page_content for page in pages) == path.read_text()
        assert [page.metadata["page"] for page in pages] == [0, 1, 2]
        assert {page.metadata["total_pages"] for page in pages} == {3}
        assert asyncio.run(loader.aload()) == pages
        (job,) = qa.jobs()
        assert job.collection == "files"


def test_a_loader_names_what_it_cannot_read(tmp_path, engine):
    with open_qa(tmp_path, engine) as qa, pytest.raises(FileProblem, match=r"absent\.pdf"):
        HMTLoader(qa, [tmp_path / "absent.pdf"]).load()


def test_a_long_text_is_found_piece_by_piece_and_each_piece_again_by_its_id(store):
    store.add_texts([" ".join(FACTS)], [{"kind": "facts"}], ids=["all"])
    found = store.similarity_search("Tobias Wren", k=50)
    assert len(found) > 1
    assert "".join(piece.page_content for piece in sorted(found, key=number)) == " ".join(FACTS)
    assert store.get_by_ids([piece.id for piece in found]) == found
    (whole,) = store.get_by_ids(["all"])
    assert (whole.page_content, whole.metadata) == (" ".join(FACTS), {"kind": "facts"})
    assert store.get_by_ids(["all#9999", "all#x", "other#0"]) == []


def number(piece) -> int:
    return int(piece.id.rpartition("#")[2])


def test_scores_of_a_store_are_shares_best_first(store):
    store.add_texts(list(FACTS))
    scored = store.similarity_search_with_relevance_scores("Who was born in Bergen?", k=20)
    scores = [score for _, score in scored]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_a_store_finds_files_too_and_does_not_remove_them(store, path, tmp_path):
    list(store._qa.ingest([path], options=IngestOptions(collection="notes")))
    (found,) = store.similarity_search("Tobias Wren", k=1)
    assert found.metadata["source"] == str(path)
    store.delete([str(path)])
    assert len(store._qa.documents()) == 1


def test_a_store_made_of_texts_asks_its_own_collection(store):
    made = HMTVectorStore.from_texts(["one fish"], metadatas=[{"n": 1}], ids=["a"], qa=store._qa, collection="fish")
    assert [document.id for document in made.similarity_search("fish")] == ["a"]
    assert store.similarity_search("fish") == []
    assert made.as_retriever(search_kwargs={"k": 1}).invoke("fish")[0].metadata == {"n": 1}


@pytest.mark.parametrize("ask", ["add_texts", "delete", "similarity_search"])
def test_an_option_nobody_knows_is_refused_rather_than_ignored(store, ask):
    with pytest.raises(TypeError, match="filter"):
        getattr(store, ask)(["x"] if ask != "similarity_search" else "x", filter={"n": 1})


def test_metadata_that_is_no_json_is_refused(store):
    with pytest.raises(TypeError):
        store.add_texts(["x"], [{"when": object()}])


def test_the_whole_is_a_runnable_in_a_chain(qa):
    chain = HMTQuestionAnswering(qa, top=3) | RunnableLambda(lambda record: record["context"])
    quotes = chain.invoke(QUESTION)
    assert 0 < len(quotes) <= 3
    for quote in quotes:
        told = quote.metadata
        assert quote.page_content == qa.library.text(told["document"], told["char_start"], told["char_end"])


def test_a_runnables_pieces_add_up_to_what_it_gives_at_once(qa):
    runnable = HMTQuestionAnswering(qa, top=2)
    whole = runnable.invoke(QUESTION)
    assert set(whole) == {"input", "answer", "answerable", "context"}
    assert whole["answer"] == qa.ask(QUESTION, top=2).text
    added = None
    count = 0
    for part in runnable.stream(QUESTION):
        added = part if added is None else added + part
        count += 1
    assert count > 2
    assert {**added, "answer": added["answer"].strip()} == whole


async def test_a_runnable_awaited_and_streamed_gives_the_same(qa):
    runnable = HMTQuestionAnswering(qa, top=2)
    whole = await runnable.ainvoke(QUESTION)
    assert whole == runnable.invoke(QUESTION)
    parts = [part async for part in runnable.astream(QUESTION)]
    assert "".join(part.get("answer", "") for part in parts).strip() == whole["answer"]
    assert await runnable.abatch([QUESTION]) == [whole]


def test_our_errors_come_through_langchain_as_they_are(qa):
    for runnable in (HMTQuestionAnswering(qa), HMTRetriever(qa=qa)):
        with pytest.raises(EmptyQuestion):
            runnable.invoke(" ")
