"""From places to an answer: what the model reads, what it may say, what is cited."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from time import perf_counter

import pytest
import torch

from hmt_qa.answering import NO_ANSWER, Answerer, Choice
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.prompt import ANSWER, END, PASSAGE, QUESTION, UNANSWERABLE
from hmt_qa.types import Answer, Mode, Place, Ranking, SearchResult
from hmt_qa.writers.memory import MemoryWriter
from tests.hmt_qa.library import open_qa, three_pages


class ScriptedEngine(LocalEngine):
    """A tiny engine that reads with its model and answers what it was told to."""

    script: Sequence[int] = ()
    asked: Sequence[int] = ()
    closed = False

    def generate(self, prompt_1MD, ids, *, max_new_tokens, stop_ids) -> Generator[int]:
        assert isinstance(prompt_1MD, torch.Tensor)
        assert prompt_1MD.shape == (1, 2, self.config.hidden_size)
        self.asked, self.closed = list(ids), False
        try:
            yield from self.script
        finally:
            self.closed = True


@pytest.fixture(scope="module")
def scripted(checkpoint: Path) -> ScriptedEngine:
    return ScriptedEngine(checkpoint, device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedEngine) -> Iterator[DocumentQA]:
    home = tmp_path_factory.mktemp("home")
    with open_qa(home, scripted) as opened:
        list(opened.ingest([three_pages(home / "three.txt", filler=1)]))
        yield opened


@pytest.fixture
def ask(qa: DocumentQA, scripted: ScriptedEngine):
    """Ask `question`, the model answering `says` (text, or token ids)."""

    def asked(says: str | list[int], *, question: str = "Who sailed?", mode: Mode = Mode.EVIDENCE, top: int = 3):
        scripted.script = scripted.encode(says).ids if isinstance(says, str) else says
        return list(qa.stream(question, mode=mode, top=top))

    return asked


def mark(engine: LocalEngine, spelling: str) -> int:
    return engine.tokenizer.token_to_id(spelling)


def test_pieces_come_first_and_the_answer_last_with_the_same_text(ask):
    *pieces, answer = ask(" Tobias Wren")
    assert "".join(pieces) == " Tobias Wren"
    assert answer.text == "Tobias Wren"
    assert answer.answerable
    assert answer.mode is Mode.EVIDENCE


def test_with_evidence_the_model_reads_marked_passages_best_first_between_question_and_question(ask, qa, scripted):
    ask("Wren", question="Who is the captain of Corisande?")
    best = qa.search("Who is the captain of Corisande?", top=3)
    expected = []
    for result in best:
        (segment,) = qa.library.segments([place_of(result)])
        expected += [mark(scripted, PASSAGE), *segment.token_ids]
    question = [mark(scripted, QUESTION), *scripted.encode("Who is the captain of Corisande?").ids]
    assert scripted.asked == [*question, *expected, *question, mark(scripted, ANSWER)]


def place_of(result: SearchResult) -> Place:
    return Place(document=result.document, segment=result.segment)


def test_from_memory_alone_the_model_reads_the_question_only_and_places_are_ranked_by_memory(ask, qa, scripted):
    *_, answer = ask("Wren", question="Who sailed?", mode=Mode.MEMORY)
    question = scripted.encode("Who sailed?").ids
    assert scripted.asked == [mark(scripted, QUESTION), *question, mark(scripted, ANSWER)]
    ranked = qa.search("Who sailed?", top=3, using=Ranking.MEMORY)
    assert sorted(c.weight for c in answer.citations) == sorted(result.weight for result in ranked)
    assert answer.mode is Mode.MEMORY


def test_an_end_mark_ends_the_answer_and_is_not_part_of_it(ask, scripted):
    *_, answer = ask([*scripted.encode("Wren").ids, mark(scripted, END), *scripted.encode("nonsense").ids])
    assert answer.text == "Wren"


@pytest.mark.parametrize("before", ["", "Perhaps"])
def test_where_the_model_says_the_passages_do_not_answer_the_places_are_still_shown(ask, scripted, before):
    *pieces, answer = ask([*scripted.encode(before).ids, mark(scripted, UNANSWERABLE), *scripted.encode("x").ids])
    assert pieces[-1] == NO_ANSWER
    assert (answer.text, answer.answerable) == (NO_ANSWER, False)
    assert len(answer.citations) == 3
    assert scripted.closed


@pytest.mark.parametrize("silence", [[], "  ", [0]], ids=["nothing", "white space", "only the end mark"])
def test_an_answer_without_a_word_is_none(ask, silence):
    *_, answer = ask(silence)
    assert (answer.text, answer.answerable) == (NO_ANSWER, False)


def test_the_sentence_that_says_the_answer_is_cited_first(ask):
    *_, answer = ask("Agnes Farrow", question="Who kept the lamp at Skerry Point?", top=12)
    assert "Agnes Farrow" in answer.citations[0].quote
    *_, answer = ask("Market Street", question="Who kept the lamp at Skerry Point?", top=40)
    assert "Market Street" in answer.citations[0].quote


def test_places_that_do_not_say_the_answer_keep_their_ranks_order(ask, qa):
    question = "Who kept the lamp at Skerry Point?"
    *_, answer = ask("zebra", question=question, top=5)
    spans = [(result.char_start, result.char_end) for result in qa.search(question, top=5)]
    for citation, (start, end) in zip(answer.citations, spans, strict=True):
        assert start <= citation.char_start < citation.char_end <= end


def test_closing_the_stream_closes_the_models(ask, qa, scripted):
    scripted.script = scripted.encode("a long answer that nobody waits for").ids
    stream = qa.stream("Who sailed?")
    next(stream)
    assert not scripted.closed
    stream.close()
    assert scripted.closed


def test_times_are_in_the_order_things_happen(ask):
    *_, answer = ask("Wren")
    times = answer.timings_ms
    assert 0 < times.recall < times.first_token <= times.total
    assert 0 <= times.resume < times.first_token


def test_times_count_from_the_questions_arrival(qa, scripted):
    scripted.script = scripted.encode("Wren").ids
    ids = scripted.encode("Who?").ids
    documents = [document.id for document in qa.documents()]
    found = qa._retriever.find("Who?", ids, documents=documents, using=Ranking.HYBRID, top=2)
    answerer = Answerer(qa.library, MemoryWriter(scripted))
    *_, answer = answerer.stream("Who?", ids, found, choice=Choice(top=2), mode=Mode.EVIDENCE, begun=perf_counter() - 5)
    assert isinstance(answer, Answer)
    assert answer.timings_ms.first_token > 5_000
