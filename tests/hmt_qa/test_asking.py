"""One question as a whole: sentences cited each, comparisons spread, answers verified by asking again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Unpack

import pytest

from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.options import ChatOptions
from hmt_qa.types import Answer, Mode
from hmt_qa.writers.contract import Passage, Request, Unanswerable
from tests.hmt_qa.library import FACTS, FILLER, open_qa

FERRY = "Captain Tobias Wren sails the Corisande."  # less than a segment of the tiny model
QUESTION = "Who is the captain of the ferry Corisande?"


class Finder:
    """A reader that says what it was told to where a passage holds the word for it, and notes what it was asked."""

    name = "finder"

    def __init__(self) -> None:
        self.says: dict[str, str] = {}
        self.otherwise = ""
        self.given: list[list[Passage]] = []
        self.requests: list[Request] = []

    def write(self, request: Request) -> Generator[str, None, None]:
        self.given.append(list(request.passages))
        self.requests.append(request)
        read = " ".join(passage.segment.text for passage in request.passages)
        said = [sentence for word, sentence in self.says.items() if word in read]
        if not said and not self.otherwise:
            raise Unanswerable
        yield " ".join(said) or self.otherwise


@pytest.fixture
def finder() -> Finder:
    return Finder()


@pytest.fixture
def qa(tmp_path: Path, engine: LocalEngine, finder: Finder) -> Iterator[DocumentQA]:
    """Two documents that begin alike."""
    with open_qa(tmp_path, engine, reader=finder) as opened:
        for name, more in (("Northern Almanac", FACTS[0]), ("Southern Almanac", "")):
            opened.ingest_text(f"{FERRY} {FILLER * 2}{more}", name=name)
        yield opened


def quoted(answer: Answer) -> list[tuple[str, str]]:
    """(sentence of the answer, quote) of each citation that supports one."""
    return [(answer.text[c.answer_start : c.answer_end], c.quote) for c in answer.citations if c.supports]


def test_each_sentence_of_an_answer_has_its_own_place_in_order(qa, finder):
    first, second = "Tobias Wren sails it.", "It was Agnes Farrow."
    finder.says = {"Wren": first, "Agnes": second}
    answer = qa.ask(QUESTION, top=60, documents=[qa.documents()[0].id])
    assert answer.text == f"{first} {second}"
    assert [sentence for sentence, _ in quoted(answer)] == [first, second]
    assert "Tobias Wren" in quoted(answer)[0][1]
    assert "Agnes" in quoted(answer)[1][1]
    for citation in answer.citations:
        assert citation.quote == qa.library.text(citation.document, citation.char_start, citation.char_end)
    assert [c.supports for c in answer.citations] == sorted((c.supports for c in answer.citations), reverse=True)


def test_a_sentence_that_stands_nowhere_has_no_place(qa, finder):
    finder.otherwise = "Zebras graze in Tanzania every spring."
    answer = qa.ask(QUESTION)
    assert quoted(answer) == []
    assert answer.citations


def test_citations_have_the_ranks_that_search_shows(qa, finder):
    finder.otherwise = "Zebras graze in Tanzania every spring."
    answer = qa.ask(QUESTION, top=3)
    known = {(one.document, one.segment): one for one in qa.search(QUESTION, top=50)}
    for citation in answer.citations:
        result = known[citation.document, citation.segment]
        assert (citation.memory_rank, citation.keyword_rank) == (result.memory_rank, result.keyword_rank)
        assert citation.weight == pytest.approx(result.weight)


def test_what_two_documents_say_alike_is_read_once(qa, finder):
    finder.otherwise = "x"
    qa.ask(QUESTION, top=12)
    texts = [" ".join(passage.segment.text.split()) for passage in finder.given[-1]]
    assert len(texts) == len(set(texts))
    assert texts.count(FERRY) == 1


def test_both_documents_of_a_comparison_are_read(qa, finder):
    finder.otherwise = "x"
    north, south = (document.id for document in qa.documents())
    qa.ask("Agnes Farrow in Northern and Southern Almanac", top=4)
    assert [passage.segment.place.document for passage in finder.given[-1]].count(south) == 2
    qa.ask("How do they differ about Agnes Farrow?", documents=[north, south], top=4)
    assert {passage.segment.place.document for passage in finder.given[-1]} == {north, south}


def test_an_answer_that_needs_its_place_is_verified_though_a_copy_of_the_place_is_there(qa, finder):
    finder.says = {"Wren": "Tobias Wren sails it."}
    assert qa.ask(QUESTION, top=12).verified is None
    answer = qa.ask(QUESTION, top=12, verify=True)
    assert answer.verified is True
    assert answer.text == "Tobias Wren sails it."
    first, again = finder.given[-2:]
    cited = {(c.document, c.segment) for c in answer.citations if c.supports}
    assert cited <= {(p.segment.place.document, p.segment.place.segment) for p in first}
    assert "Wren" not in " ".join(p.segment.text for p in again)


def test_an_answer_that_stays_without_its_place_is_not_verified(qa, finder):
    finder.otherwise = finder.says["Wren"] = "Tobias Wren sails it."
    assert qa.ask(QUESTION, top=12, verify=True).verified is False


def test_an_answer_that_stands_nowhere_is_not_verified_and_no_answer_is_nothing(qa, finder):
    finder.otherwise = "Zebras graze in Tanzania every spring."
    assert qa.ask(QUESTION, verify=True).verified is False
    finder.otherwise = ""
    assert qa.ask(QUESTION, verify=True).verified is None


async def test_the_awaitable_question_verifies_too(qa, finder):
    finder.says = {"Wren": "Tobias Wren sails it."}
    assert (await qa.aask(QUESTION, top=12, verify=True, mode=Mode.EVIDENCE)).verified is True


def say(qa: DocumentQA, conversation: str, question: str, **options: Unpack[ChatOptions]) -> Answer:
    *_, answer = qa.chat(conversation, question, **options)
    assert isinstance(answer, Answer)
    return answer


def test_both_documents_of_a_comparison_are_read_in_a_conversation_and_for_what_follows_on_it(qa, finder):
    finder.otherwise = "x"
    both = [document.id for document in qa.documents()]
    conversation = qa.new_conversation(documents=both)
    for question in ("How do they differ about Agnes Farrow?", "And about her lamp, Agnes Farrow?"):
        say(qa, conversation.id, question, top=2)
        assert {passage.segment.place.document for passage in finder.given[-1]} == set(both)
    assert qa.turns(conversation.id)[1].about == "How do they differ about Agnes Farrow?"


def test_a_turn_is_verified_as_a_question_is_and_kept_with_that(qa, finder):
    finder.says = {"Wren": "Tobias Wren sails it."}
    conversation = qa.new_conversation()
    assert say(qa, conversation.id, QUESTION, top=12).verified is None
    assert say(qa, conversation.id, QUESTION, top=12, verify=True).verified is True
    assert "Wren" not in " ".join(passage.segment.text for passage in finder.given[-1])
    finder.otherwise = "Tobias Wren sails it."
    assert say(qa, conversation.id, QUESTION, top=12, verify=True).verified is False
    assert [turn.answer.verified for turn in qa.turns(conversation.id)] == [None, True, False]


def test_a_follow_up_is_verified_as_it_was_understood(qa, finder):
    finder.says = {"Wren": "Tobias Wren sails it."}
    conversation = qa.new_conversation()
    say(qa, conversation.id, QUESTION, top=12)
    say(qa, conversation.id, "And who else is captain of Corisande?", top=12, verify=True)
    first, again = finder.requests[-2:]
    assert first.earlier is not None
    assert again.earlier == first.earlier
    assert again.question_ids == first.question_ids


def test_a_budget_bounds_what_is_read_and_not_what_is_recalled(qa, finder):
    finder.otherwise = "x"
    conversation = qa.new_conversation()
    for budget in (None, 40):
        qa.ask(QUESTION, top=8, budget=budget)
        say(qa, conversation.id, QUESTION, top=8, budget=budget)
    free, free_turn, bound, bound_turn = finder.given
    size = qa.engine.segment_length
    assert len(free) > len(bound) == len(bound_turn) >= 40 // size
    assert [passage.segment for passage in bound] == [passage.segment for passage in free[: len(bound)]]
    assert sum(len(passage.segment.token_ids) for passage in bound_turn) <= 40
    assert len(free_turn) == len(free)
    qa.ask(QUESTION, top=8, budget=1)
    assert len(finder.given[-1]) == 1
