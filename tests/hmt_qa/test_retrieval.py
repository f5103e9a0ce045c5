"""Ranked places over a real library: by memory, by keywords, by both; memories kept by what they say."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from pathlib import Path

import pytest
import torch

from hmt_qa import retrieval
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ModelMismatch
from hmt_qa.retrieval import Found, Retriever
from hmt_qa.types import IngestStatus, Place, Ranking
from tests.hmt_qa.library import CountingLibrary, open_qa, three_pages
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

QUESTION = "Who was the captain of the ferry Corisande?"
TRUST = 0.3
ALL = 10_000


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> Iterator[DocumentQA]:
    """Two documents read by the tiny model: 16 tokens a segment."""
    home = tmp_path_factory.mktemp("home")
    paths = [three_pages(home / "long.txt", filler=2), three_pages(home / "short.txt", filler=1)]
    with open_qa(home, engine) as opened:
        assert {result.status for result in opened.ingest(paths)} == {IngestStatus.INGESTED}
        yield opened


@pytest.fixture
def documents(qa: DocumentQA) -> list[str]:
    return [document.id for document in qa.documents()]


@pytest.fixture
def retriever(qa: DocumentQA, engine: LocalEngine) -> Retriever:
    qa.library.memories_read = []
    return Retriever(qa.library, engine, keyword_trust=TRUST)


def find(retriever: Retriever, documents: list[str], using: Ranking, *, top: int = ALL) -> Found:
    ids = retriever._engine.encode(QUESTION).ids[:16]
    return retriever.find(QUESTION, ids, documents=documents, using=using, top=top)


def places(found: Found) -> list[Place]:
    return [ranked.place for ranked in found.places]


def test_by_memory_every_segment_is_ranked_by_its_weight_and_weights_sum_to_one(qa, documents, retriever):
    found = find(retriever, documents, Ranking.MEMORY)
    assert len(found.places) == sum(document.segments for document in qa.documents()) == len(set(places(found)))
    weights = [ranked.weight for ranked in found.places]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1.0)
    assert [ranked.memory_rank for ranked in found.places] == list(range(1, len(found.places) + 1))
    assert {ranked.keyword_rank for ranked in found.places} == {0}


@torch.no_grad()
def test_weights_are_those_of_the_memory_rows_stored_for_each_place(qa, documents, retriever, engine):
    found = find(retriever, documents, Ranking.MEMORY)
    rows = {
        Place(document=document, segment=number): row_MD
        for document in documents
        for number, row_MD in enumerate(engine.bank(qa.library.memory(document)))
    }
    query_D = engine.model.memory.fold(engine.summarise(engine.encode(QUESTION).ids[:16]))[0]
    order = list(rows)
    scores_NM = torch.stack([rows[place] @ query_D for place in order])
    weights_N = scores_NM.flatten().softmax(0).view_as(scores_NM).sum(1)
    expected = dict(zip(order, weights_N.tolist(), strict=True))
    for ranked in found.places:
        assert ranked.weight == pytest.approx(expected[ranked.place], abs=1e-6)


def test_the_prompt_is_the_mix_of_all_memories_asked(qa, documents, retriever, engine):
    found = find(retriever, documents, Ranking.KEYWORD, top=1)
    rows_NMD = torch.cat([engine.bank(qa.library.memory(document)) for document in documents])
    expected_1MD, _ = engine.recall(engine.summarise(engine.encode(QUESTION).ids[:16]), rows_NMD)
    torch.testing.assert_close(found.prompt_1MD, expected_1MD)


def test_by_keyword_the_order_is_the_keyword_indexs_own(qa, documents, retriever):
    found = find(retriever, documents, Ranking.KEYWORD)
    hits = qa.library.keyword_search(QUESTION, documents=documents, top=ALL)
    assert places(found) == [hit.place for hit in hits]
    assert {ranked.memory_rank for ranked in found.places} == {0}
    assert [ranked.keyword_rank for ranked in found.places] == list(range(1, len(hits) + 1))


def test_a_hybrid_score_is_the_share_of_the_memorys_weight_times_the_power_of_the_keywords_score(documents, retriever):
    memory = {ranked.place: ranked for ranked in find(retriever, documents, Ranking.MEMORY).places}
    keyword = {ranked.place: ranked for ranked in find(retriever, documents, Ranking.KEYWORD).places}
    found = find(retriever, documents, Ranking.HYBRID)
    assert set(places(found)) == memory.keys() | keyword.keys()

    def product(place: Place) -> float:
        return memory[place].weight * exp(TRUST * keyword[place].score if place in keyword else 0.0)

    total = sum(map(product, places(found)))
    for ranked in found.places:
        assert ranked.score == pytest.approx(product(ranked.place) / total, rel=1e-4)
        assert ranked.memory_rank == memory[ranked.place].memory_rank
        assert ranked.keyword_rank == (keyword[ranked.place].keyword_rank if ranked.place in keyword else 0)
    scores = [ranked.score for ranked in found.places]
    assert scores == sorted(scores, reverse=True)


def test_without_a_word_of_the_question_in_any_document_the_hybrid_is_the_memorys_order(documents, retriever, engine):
    ids = engine.encode("zyxwv").ids
    by_memory, hybrid = (
        retriever.find("zyxwv", ids, documents=documents, using=using, top=5)
        for using in (Ranking.MEMORY, Ranking.HYBRID)
    )
    assert places(hybrid) == places(by_memory)


@pytest.mark.parametrize("using", Ranking)
def test_of_very_many_memories_the_likely_ones_are_weighed_and_rank_as_they_did(
    qa, documents, retriever, using, monkeypatch
):
    exact = find(retriever, documents, using, top=5)
    monkeypatch.setattr(retrieval, "EXACT_MEMORIES", 0)
    monkeypatch.setattr(retrieval, "CANDIDATES", 5)
    qa.library.memories_read = []
    likely = find(retriever, documents, using, top=5)
    assert qa.library.memories_read == []  # rows of places, never a whole memory
    both = set(places(likely)) & set(places(exact))
    assert [place for place in places(likely) if place in both] == [place for place in places(exact) if place in both]
    assert len(both) >= 4


@pytest.mark.parametrize("using", Ranking)
def test_fewer_places_are_the_first_of_more(documents, retriever, using):
    more = places(find(retriever, documents, using, top=6))
    assert places(find(retriever, documents, using, top=2)) == more[:2]


@pytest.mark.parametrize("using", Ranking)
def test_only_documents_that_were_asked_are_ranked(documents, retriever, using):
    assert {place.document for place in places(find(retriever, documents[1:], using))} == {documents[1]}


def test_places_of_one_document_keep_their_order_when_others_are_asked_too(documents, retriever):
    together = places(find(retriever, documents, Ranking.MEMORY))
    alone = places(find(retriever, documents[:1], Ranking.MEMORY))
    assert [place for place in together if place.document == documents[0]] == alone


def test_a_memory_is_loaded_once_for_many_questions(qa, documents, retriever):
    for _ in range(3):
        find(retriever, documents, Ranking.MEMORY)
    assert qa.library.memories_read == documents


def test_documents_with_the_same_memory_load_it_once(tmp_path, engine):
    one, two = three_pages(tmp_path / "one.txt"), three_pages(tmp_path / "two.txt")
    with open_qa(tmp_path, engine) as qa:
        assert [result.status for result in qa.ingest([one, two])] == [IngestStatus.INGESTED] * 2
        both = [document.id for document in qa.documents()]
        retriever = Retriever(qa.library, engine, keyword_trust=TRUST)
        found = find(retriever, both, Ranking.MEMORY)
        assert len(qa.library.memories_read) == 1
        assert {place.document for place in places(found)} == set(both)


def test_a_changed_document_is_asked_with_its_new_memory(tmp_path, engine):
    path = three_pages(tmp_path / "one.txt")
    with open_qa(tmp_path, engine) as qa:
        list(qa.ingest([path]))
        (document,) = (found.id for found in qa.documents())
        retriever = Retriever(qa.library, engine, keyword_trust=TRUST)
        before = find(retriever, [document], Ranking.MEMORY)
        path.write_text("Another text altogether: no sea, no boats and no lamp in it at all, and rather short.\n")
        list(qa.ingest([path]))
        after = find(retriever, [document], Ranking.MEMORY)
        assert len(after.places) < len(before.places)
        assert qa.library.memories_read == [document, document]


def test_only_so_many_memories_are_kept(qa, documents, retriever, monkeypatch):
    monkeypatch.setattr(retrieval, "CACHED_BYTES", 1)
    for document in (documents[0], documents[1], documents[1], documents[0]):
        find(retriever, [document], Ranking.MEMORY)
    assert qa.library.memories_read == [documents[0], documents[1], documents[0]]


def test_a_memory_of_another_model_is_refused_before_it_is_read(qa, documents, tmp_path):
    assert isinstance(qa.library, CountingLibrary)
    other = save_with_tokenizer(tiny_hmt("llama", backbone={"vocab_size": 16384}), tmp_path / "other")
    stranger = LocalEngine(Path(other), device="cpu", dtype="float32")
    qa.library.memories_read = []
    with pytest.raises(
        ModelMismatch, match=r"was read by tiny-qwen3@\w+, this is other@.*Ask with that model"
    ) as caught:
        find(Retriever(qa.library, stranger, keyword_trust=TRUST), documents, Ranking.HYBRID)
    assert caught.value.subject == documents[0]
    assert qa.library.memories_read == []
