"""The shortcuts of the evaluation against the product's own ways: keyword search, fusion, reading, recall."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from hmt_qa import chain
from hmt_qa.engine import LocalEngine
from hmt_qa.evaluation.corpora import development_sets
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.keyword import KeywordIndex
from hmt_qa.evaluation.lockstep import Batching, memories
from hmt_qa.evaluation.recalling import recall_cells
from hmt_qa.evaluation.retrieval import hybrid, search_keywords
from hmt_qa.evaluation.selection import Cell, cells
from hmt_qa.retrieval import Retriever
from hmt_qa.types import Page, Ranking, SourceFile
from hmt_storage.library import SqlLibrary

QUESTIONS = [
    "What is the code of vault 3?",
    "os.path and bisect_right: 12.5 % of it?",
    "who and what",
    "the RIVER's stones (silver)",
    "",
    "naïve café",
    '" OR text : x',
]
BATCHING = Batching(rows=3, tokens=500)


@pytest.fixture(scope="module")
def cell(data: Path, engine: LocalEngine) -> Cell:
    sets = development_sets(data)
    chosen = next(of for of in sets if of.name == "squad_v1_dev")
    encoder = ContextEncoder(engine.tokenizer)
    (made,) = cells(chosen, sets, lengths=(200,), questions=14, segment_length=16, encode=encoder, seed=1)
    return made


@pytest.fixture(scope="module")
def library(cell: Cell, engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> SqlLibrary:
    """The cell's documents as the product stores them, read one by one."""
    library = SqlLibrary.open(tmp_path_factory.mktemp("library"))
    for document in cell.documents:
        digest = hashlib.sha256(document.name.encode()).hexdigest()
        source = SourceFile(path=document.name, collection="c", sha256=digest, size_bytes=1)
        ingestion = library.begin(
            source,
            reader="text",
            title=document.name,
            media_type="text/plain",
            pages_total=1,
            model_id=engine.model_id,
            setting=engine.setting,
            dtype=engine.dtype,
            hidden=engine.hidden,
        )
        state = chain.first_state_id(engine.model_id)
        text = "".join(segment.text for segment in document.segments)
        for segment, row in engine.read(document.segments, committed=0, tail=b""):
            state = engine.next_state_id(state, segment.token_ids)
            pages = [Page(number=1, label="1", text=text)] if segment.number == 0 else []
            ingestion.commit(segment, memory_row=row, state_id=state, pages=pages)
        ingestion.finish()
    return library


def places(library: SqlLibrary) -> list[str]:
    return [document.id for document in sorted(library.documents(), key=lambda d: int(d.path.rpartition("/")[2]))]


def test_keyword_search_is_the_products(cell: Cell, library: SqlLibrary) -> None:
    with KeywordIndex(cell.documents) as index:
        for question in [*QUESTIONS, *(asked.question.text for asked in cell.asked)]:
            for number, document in enumerate(places(library)):
                wanted = [hit.place.segment for hit in library.keyword_search(question, documents=[document], top=9)]
                assert list(index.search(question, document=number, top=9)) == wanted


def test_documents_read_in_lock_step_have_the_memories_that_ingestion_stores(
    cell: Cell, library: SqlLibrary, engine: LocalEngine
) -> None:
    ids = [[segment.token_ids for segment in document.segments] for document in cell.documents]
    assert len({len(of) for of in ids}) > 1  # some end before others
    for rows_NMD, document in zip(memories(engine.model, ids, batching=BATCHING), places(library), strict=True):
        stored_NMD = engine.bank(library.memory(document))
        torch.testing.assert_close(rows_NMD, stored_NMD, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("trust", [0.1, 0.5])
def test_memory_and_hybrid_rank_as_the_product_does(
    cell: Cell, library: SqlLibrary, engine: LocalEngine, trust: float
) -> None:
    retriever = Retriever(library, engine, keyword_trust=trust)
    ids = [list(engine.encode(asked.question.text).ids) for asked in cell.asked]
    (recalled,) = recall_cells(engine.model, [cell], [ids], batching=BATCHING)
    by_keyword = search_keywords(cell)
    for asked, one, words, question in zip(cell.asked, recalled, by_keyword, ids, strict=True):
        document = [places(library)[asked.document]]
        for using, mine in ((Ranking.MEMORY, one.ranking), (Ranking.HYBRID, hybrid([one], [words], trust)[0])):
            found = retriever.find(asked.question.text, question, documents=document, using=using, top=8)
            assert [ranked.place.segment for ranked in found.places] == list(mine[:8])
            torch.testing.assert_close(one.prompt_MD, found.prompt_1MD[0], rtol=1e-4, atol=1e-4)
