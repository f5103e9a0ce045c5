"""Endpoints as readers: a real server is asked over HTTP, and all it does ends in an answer or one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from hmt_qa.answering import NO_ANSWER
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ReaderFailed, ReaderUnknown, ReaderUnsuited
from hmt_qa.types import Answer, Mode, ReaderOptions
from hmt_qa.writers.chat import ANSWER_CHARACTERS
from hmt_qa.writers.choosing import open_writer
from tests.hmt_qa.endpoint import Endpoint, serving
from tests.hmt_qa.library import open_qa

KEY = "sk-a-key-that-nobody-may-see"
QUESTION = "Who is the captain of Corisande?"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as started:
        yield started


@pytest.fixture
def options(endpoint: Endpoint) -> ReaderOptions:
    return ReaderOptions(reader="openai:local", base_url=endpoint.url, key=KEY, seconds=30)


@pytest.fixture
def qa(harbour: Path, engine: LocalEngine, options: ReaderOptions) -> Iterator[DocumentQA]:
    with open_qa(harbour, engine, reader=options) as opened:
        yield opened


def test_the_endpoints_words_come_as_they_are_sent_and_are_cited_from_the_documents_own_text(qa, endpoint):
    endpoint.pieces = ["Tobias", " Wren"]
    *pieces, answer = qa.stream(QUESTION, top=12)
    assert pieces == ["Tobias", " Wren"]
    assert (answer.text, answer.answerable, answer.model) == ("Tobias Wren", True, "openai:local")
    best = answer.citations[0]
    assert "Tobias Wren" in best.quote
    assert best.quote == qa.library.text(best.document, best.char_start, best.char_end)


def test_the_endpoint_is_given_rules_passages_with_their_places_and_the_question(qa, endpoint):
    endpoint.pieces = ["x"]
    qa.ask(QUESTION, top=2)
    (asked,) = endpoint.asked
    assert (asked["model"], asked["stream"], asked["temperature"]) == ("local", True, 0)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    for result in qa.search(QUESTION, top=2):
        assert (
            f"Passage {result.rank} (three.txt, page {result.page_first}):\n{result.text.strip()}" in endpoint.message
        )
    assert endpoint.message.endswith(f"Question: {QUESTION}")
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


def test_an_endpoint_is_told_what_a_follow_up_goes_with(qa, endpoint):
    endpoint.pieces = ["Tobias Wren"]
    conversation = qa.new_conversation()
    list(qa.chat(conversation.id, QUESTION))
    list(qa.chat(conversation.id, "Who is the captain of Corisande again?"))
    told = (
        f"Earlier question: {QUESTION}\nEarlier answer: Tobias Wren\n\nQuestion: Who is the captain of Corisande again?"
    )
    assert endpoint.message.endswith(told)


def test_passages_that_no_longer_fit_the_context_are_left_out_whole(harbour, engine, endpoint, options):
    endpoint.pieces = ["x"]
    with open_qa(harbour, engine, reader=replace(options, context_tokens=520)) as qa:
        qa.ask(QUESTION, top=12)
        sent = endpoint.message.count("Passage ")
        assert 0 < sent < 12
        best = qa.search(QUESTION, top=sent)
        assert all(result.text.strip() in endpoint.message for result in best)
    with (
        open_qa(harbour, engine, reader=replace(options, context_tokens=400)) as qa,
        pytest.raises(ReaderUnsuited, match="HMT_QA_READER_CONTEXT"),
    ):
        qa.ask(QUESTION)


@pytest.mark.parametrize("said", [["NOT", " ANS", "WERED"], ["**Not answered.**"], [" ", "\n"], []])
def test_a_reader_that_finds_nothing_leaves_no_word_of_it_behind(qa, endpoint, said):
    endpoint.pieces = said
    *pieces, answer = qa.stream(QUESTION, top=2)
    assert "".join(pieces).strip() == NO_ANSWER
    assert (answer.text, answer.answerable, len(answer.citations)) == (NO_ANSWER, False, 2)


@pytest.mark.parametrize("said", [["No", "t he, but Wren"], ["NOT"], ["Wren. NOT ANSWERED"]])
def test_an_answer_that_only_begins_like_a_refusal_stays_whole(qa, endpoint, said):
    endpoint.pieces = said
    *pieces, answer = qa.stream(QUESTION, top=2)
    assert "".join(pieces) == answer.text == "".join(said)
    assert answer.answerable


def test_closing_the_stream_hangs_up(qa, endpoint):
    endpoint.pieces, endpoint.pause = ["word "] * 2_000, 0.005
    stream = qa.stream(QUESTION)
    next(stream)
    stream.close()
    assert endpoint.hung_up.wait(10)
    assert endpoint.sent < 2_000


def test_memory_alone_cannot_be_read_by_another_model_and_nothing_is_sent(qa, endpoint):
    with pytest.raises(ReaderUnsuited, match="evidence mode"):
        qa.ask(QUESTION, mode=Mode.MEMORY)
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "refuses the key"), (404, "HMT_QA_READER_URL"), (429, "too many"), (400, "context"), (503, "status 503")],
)
def test_a_status_that_is_no_success_is_one_line_without_the_servers_words(qa, endpoint, status, says):
    endpoint.status = status
    with pytest.raises(ReaderFailed, match=says) as caught:
        qa.ask(QUESTION)
    assert_secret(caught.value)


@pytest.mark.parametrize(
    "body", [b"<html>Please log in</html>", b'{"choices": "many"}', b"data: {not json}\n\n", b"data: [1, 2]\n\n", b""]
)
def test_an_endpoint_that_answers_nonsense_is_named(qa, endpoint, body):
    endpoint.raw = body
    with pytest.raises(ReaderFailed, match="no chat completion") as caught:
        qa.ask(QUESTION)
    assert_secret(caught.value)


def test_an_endpoint_that_breaks_off_is_no_whole_answer(qa, endpoint):
    endpoint.pieces, endpoint.broken_off_after = ["Tobias", " Wren", " of Bergen"], 2
    with pytest.raises(ReaderFailed, match="broke off"):
        qa.ask(QUESTION)


def test_an_endpoint_that_is_not_there_is_named(harbour, engine, options):
    with (
        open_qa(harbour, engine, reader=replace(options, base_url="http://127.0.0.1:9/v1")) as qa,
        pytest.raises(ReaderFailed, match="cannot be reached") as caught,
    ):
        qa.ask(QUESTION)
    assert_secret(caught.value)


@pytest.mark.parametrize("slow", [{"silent_for": 2.0}, {"pause": 0.1}], ids=["silent", "dribbling"])
def test_an_endpoint_that_takes_too_long_is_given_up(harbour, engine, endpoint, options, slow):
    endpoint.pieces = ["word "] * 100
    vars(endpoint).update(slow)
    with open_qa(harbour, engine, reader=replace(options, seconds=0.5)) as qa:
        begun = monotonic()
        with pytest.raises(ReaderFailed, match=r"within 0\.5 seconds"):
            qa.ask(QUESTION)
        assert monotonic() - begun < 8  # far below what the server would have taken


def test_an_answer_without_end_is_cut(qa, endpoint):
    endpoint.pieces = ["x" * 1_000] * 50
    assert len(qa.ask(QUESTION).text) == ANSWER_CHARACTERS


def test_the_key_is_in_no_representation_of_the_options(options):
    assert KEY not in repr(options)


@pytest.mark.parametrize("url", ["ftp://host/v1", "host/v1", "http://user:secret@host/v1", "http://host/v1?key=secret"])
def test_an_address_that_is_none_or_holds_a_secret_is_refused_without_repeating_it(engine, options, url):
    with pytest.raises(ReaderUnknown, match="HMT_QA_READER_URL") as caught:
        open_writer(replace(options, base_url=url), engine)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["openai", "openai:", "hf:", "oracle:delphi", ":", "gpt-5"])
def test_a_reader_nobody_knows_is_refused_with_the_ways_to_write_it(engine, name):
    with pytest.raises(ReaderUnknown, match=r"hf:FOLDER.*openai:MODEL"):
        open_writer(ReaderOptions(reader=name), engine)


def assert_secret(problem: ReaderFailed) -> None:
    assert KEY not in str(problem)
    assert KEY not in repr(problem)
    assert problem.__suppress_context__


def test_the_same_writer_answers_again_after_a_failure(qa, endpoint):
    endpoint.status = 503
    with pytest.raises(ReaderFailed):
        qa.ask(QUESTION)
    endpoint.status, endpoint.pieces = 200, ["Wren"]
    assert isinstance(answer := qa.ask(QUESTION), Answer)
    assert answer.text == "Wren"
