"""Conversations from end to end: follow-ups find their place, turns are remembered to the bit, nothing half is kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import NothingIngested, QuestionTooLong, UnknownConversation, UnknownDocument
from hmt_qa.types import Answer, IngestOptions, Mode
from hmt_qa.writers.contract import Request
from tests.hmt_qa.library import open_qa, three_pages
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

KEEPER = "Who was the keeper of the lighthouse at Skerry Point?"


class RecordingWriter:
    """Answers what it is told to, and keeps what it was given."""

    name = "recording"

    def __init__(self, says: str = "Agnes Farrow") -> None:
        self.says = says
        self.requests: list[Request] = []

    def write(self, request: Request) -> Generator[str]:
        self.requests.append(request)
        yield from self.says.split(" ")


@pytest.fixture
def writer() -> RecordingWriter:
    return RecordingWriter()


@pytest.fixture
def qa(harbour: Path, engine: LocalEngine, writer: RecordingWriter) -> Iterator[DocumentQA]:
    with open_qa(harbour, engine, reader=writer) as opened:
        yield opened


def say(qa: DocumentQA, conversation: str, question: str, **options: object) -> Answer:
    *_, answer = qa.chat(conversation, question, **options)
    assert isinstance(answer, Answer)
    return answer


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, embedded: LocalEngine) -> Iterator[DocumentQA]:
    """Read and ranked by the model in the package; who writes does not matter here."""
    home = tmp_path_factory.mktemp("real")
    with open_qa(home, embedded, reader=RecordingWriter("Tobias Wren")) as opened:
        list(opened.ingest([three_pages(home / "harbour.txt", filler=4)]))
        yield opened


def test_a_follow_up_finds_what_the_conversation_was_about(real):
    conversation = real.new_conversation()
    say(real, conversation.id, "Which ferry carries wool to Lerwick?", top=1)
    say(real, conversation.id, "And on which day?", top=1)
    (passage,) = real._reader.requests[-1].passages
    assert "each Tuesday" in passage.segment.text
    (alone,) = real.search("And on which day?", top=1)
    assert "each Tuesday" not in alone.text  # it is the conversation that tells


def test_a_chain_of_follow_ups_keeps_to_the_question_it_began_with_and_a_new_topic_leaves_it(real):
    conversation = real.new_conversation()
    first = "Which ferry carries wool to Lerwick?"
    for question in (first, "And on which day?", "And where was its captain born?", KEEPER, "And at what hour?"):
        say(real, conversation.id, question, top=1)
    assert [turn.about for turn in real.turns(conversation.id)] == ["", first, first, "", KEEPER]
    requests = real._reader.requests[-5:]
    assert [request.earlier is None for request in requests] == [True, False, False, True, False]


def test_a_conversation_kept_elsewhere_is_understood_as_one_kept_here_and_leaves_nothing(real):
    conversation = real.new_conversation()
    said = [("Which ferry carries wool to Lerwick?", "The Tern"), ("And on which day?", "Tuesday"), (" ", "What?")]
    for question in (said[0][0], said[1][0], "And where was its captain born?"):
        say(real, conversation.id, question, top=1)
    kept = real._reader.requests[-1]
    before = [one.id for one in real.conversations()]
    *_, answer = real.stream_after(said, "And where was its captain born?", top=1)
    told = real._reader.requests[-1]
    assert told.passages == kept.passages
    assert told.earlier is not None
    assert (told.earlier.topic, list(told.question_ids)) == (kept.earlier.topic, list(kept.question_ids))
    assert answer.citations
    assert [one.id for one in real.conversations()] == before


def test_a_question_goes_with_the_turn_its_words_are_about_and_else_with_the_last(real):
    conversation = real.new_conversation()
    questions = [KEEPER, "Which ferry carries wool to Lerwick?", "When did the library on Market Street open?"]
    for question in questions:
        say(real, conversation.id, question, top=1)
    talk = real._conversing.resume(conversation.id)

    def goes_with(question: str) -> str:
        turn = real._conversing.goes_with(talk, real.engine.encode(question).ids)
        return turn.question

    assert goes_with("Who else kept the lighthouse at Skerry Point?") == questions[0]
    assert goes_with("And how many books?") == questions[2]


def test_the_first_question_of_a_conversation_is_ranked_as_any_other(qa, writer):
    qa.ask(KEEPER, top=5)
    say(qa, qa.new_conversation().id, KEEPER, top=5)
    asked, talked = writer.requests
    assert [passage.segment for passage in talked.passages] == [passage.segment for passage in asked.passages]
    assert talked.earlier is None
    assert list(talked.question_ids) == list(asked.question_ids)


def test_a_reader_is_given_the_turn_that_a_follow_up_goes_with(real):
    conversation = real.new_conversation()
    first, follow_up = "Which ferry carries wool to Lerwick?", "And on which day?"
    say(real, conversation.id, first, top=1)
    say(real, conversation.id, follow_up, top=1)
    request = real._reader.requests[-1]
    assert (request.question, request.earlier.question) == (follow_up, first)
    assert request.earlier.answer.text == "TobiasWren"
    assert list(request.question_ids) == list(real.engine.encode(f"{first} {follow_up}").ids)


def test_a_year_alone_is_read_as_the_question_before_with_that_year(real):
    conversation = real.new_conversation()
    for question in ("When in 1904 did the library on Market Street open?", "and in 1905?"):
        say(real, conversation.id, question, top=1)
    written_out = "When in 1905 did the library on Market Street open?"
    assert list(real._reader.requests[-1].question_ids) == list(real.engine.encode(written_out).ids)


def test_turns_are_kept_and_a_library_opened_again_goes_on_to_the_same_bytes(harbour, engine, writer):
    said = [KEEPER, "And the ferry?", "Who was born in Bergen?", "And the books?"]
    with open_qa(harbour, engine, reader=writer) as qa:
        once = qa.new_conversation()
        for question in said:
            say(qa, once.id, question)
        whole = qa.library.chats.memory(once.id, model_id=engine.model_id, dtype=engine.dtype)
        parts = qa.new_conversation()
    for question in said:
        with open_qa(harbour, engine, reader=writer) as qa:
            say(qa, parts.id, question)
    with open_qa(harbour, engine) as qa:
        resumed = qa.library.chats.memory(parts.id, model_id=engine.model_id, dtype=engine.dtype)
        assert resumed == whole
        assert len({segment.row for segment in whole}) == len(said)
        assert [turn.question for turn in qa.turns(parts.id)] == said
        assert qa.conversation(parts.id).title == KEEPER


def test_with_another_model_the_turns_are_read_again_and_none_is_lost(tmp_path, engine, writer):
    other = tiny_hmt(
        "llama", backbone={"vocab_size": 16384, "max_position_embeddings": 512}, segment_length=32, recall_size=32
    )
    folder = save_with_tokenizer(other, tmp_path / "tiny-llama")
    path = three_pages(tmp_path / "harbour.txt", filler=1)
    with open_qa(tmp_path, engine, reader=writer) as qa:
        list(qa.ingest([path]))
        conversation = qa.new_conversation()
        say(qa, conversation.id, KEEPER)
        say(qa, conversation.id, "Until when?")
    switched = LocalEngine(folder, device="cpu", dtype="float32")
    with open_qa(tmp_path, switched, reader=writer) as qa:
        list(qa.ingest([path]))
        say(qa, conversation.id, "And where?")
        assert [turn.number for turn in qa.turns(conversation.id)] == [1, 2, 3]
        memory = qa.library.chats.memory(conversation.id, model_id=switched.model_id, dtype="float32")
        assert len(memory) == 3


def test_a_turn_that_is_stopped_or_fails_is_not_kept(qa):
    conversation = qa.new_conversation()
    stream = qa.chat(conversation.id, KEEPER)
    next(stream)
    stream.close()
    with pytest.raises(QuestionTooLong):
        next(qa.chat(conversation.id, "why " * 99))
    assert qa.turns(conversation.id) == []
    say(qa, conversation.id, KEEPER)
    assert [turn.number for turn in qa.turns(conversation.id)] == [1]


async def test_a_conversation_is_awaited_too(qa):
    conversation = qa.new_conversation()
    *pieces, answer = [item async for item in qa.achat(conversation.id, KEEPER, top=2)]
    assert "".join(pieces) == answer.text
    (turn,) = qa.turns(conversation.id)
    assert turn.answer.text == answer.text


def test_memory_mode_follows_on_too(harbour, engine):
    with open_qa(harbour, engine) as qa:
        conversation = qa.new_conversation()
        say(qa, conversation.id, KEEPER, mode=Mode.MEMORY)
        assert say(qa, conversation.id, "Until when?", mode=Mode.MEMORY).mode is Mode.MEMORY
        assert len(qa.turns(conversation.id)) == 2


def test_a_conversation_keeps_to_its_documents(tmp_path, engine, writer):
    with open_qa(tmp_path, engine, reader=writer) as qa:
        for name in ("one", "two"):
            path = three_pages(tmp_path / f"{name}.txt", filler=1)
            path.write_text(path.read_text() + name)
            list(qa.ingest([path], options=IngestOptions(collection=name)))
        one, two = qa.documents()
        about_two = qa.new_conversation(documents=[two.id[:6]])
        assert about_two.documents == (two.id,)
        assert {citation.document for citation in say(qa, about_two.id, KEEPER, top=9).citations} == {two.id}
        in_one = qa.new_conversation(collection="one")
        assert {citation.document for citation in say(qa, in_one.id, KEEPER, top=9).citations} == {one.id}
        with pytest.raises(UnknownDocument):
            qa.new_conversation(documents=["no-such-document"])
        qa.remove(one.id)
        with pytest.raises(NothingIngested):
            say(qa, in_one.id, "Until when?")
        assert len(qa.turns(in_one.id)) == 1


def test_quotes_of_a_removed_or_changed_document_are_not_shown_any_more(tmp_path, engine, writer):
    path = three_pages(tmp_path / "harbour.txt", filler=1)
    with open_qa(tmp_path, engine, reader=writer) as qa:
        list(qa.ingest([path]))
        conversation = qa.new_conversation()
        told = say(qa, conversation.id, KEEPER, top=12)
        (turn,) = qa.turns(conversation.id)
        assert turn.answer == told
        path.write_text("x" + path.read_text())
        list(qa.ingest([path]))
        (changed,) = qa.turns(conversation.id)
        assert changed.answer.text == told.text
        assert len(changed.answer.citations) < len(told.citations)
        for citation in changed.answer.citations:
            assert citation.quote == qa.library.text(citation.document, citation.char_start, citation.char_end)
        (document,) = qa.documents()
        quote = told.citations[0].quote.encode()
        qa.remove(document.id)
        assert qa.turns(conversation.id)[0].answer.citations == ()
        assert quote not in b"".join(file.read_bytes() for file in tmp_path.glob("library.db*"))


def test_a_conversation_is_listed_and_removed(qa):
    conversation = qa.new_conversation()
    say(qa, conversation.id, KEEPER)
    assert conversation.id in {known.id for known in qa.conversations()}
    assert qa.remove_conversation(conversation.id).id == conversation.id
    for method in (qa.conversation, qa.turns, qa.remove_conversation, lambda gone: next(qa.chat(gone, "Who?"))):
        with pytest.raises(UnknownConversation):
            method(conversation.id)
