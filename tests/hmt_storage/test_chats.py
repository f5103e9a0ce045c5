"""Conversations as they are stored: in order, bound to a model, without text of documents, gone when deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from hmt_qa.errors import ConversationMoved, DamagedMemory, UnknownConversation
from hmt_qa.types import Answer, Citation, Mode, TextBox, Timings, TurnSegment

MODEL = {"model_id": "hmt-small@1", "dtype": "float32"}


def answer(text: str, *citations: Citation) -> Answer:
    return Answer(
        text=text,
        answerable=True,
        citations=citations,
        timings_ms=Timings(resume=1.0, recall=2.0, first_token=3.0, total=4.0),
        model="hmt-small@1",
        mode=Mode.EVIDENCE,
    )


def segment(number: int) -> TurnSegment:
    return TurnSegment(token_ids=(number, number + 1), state_id=f"state {number}", row=bytes([number]) * 8)


def test_turns_and_their_memory_come_back_as_they_were_added(library):
    chats = library.chats
    conversation = chats.begin(title="", collection="reports", documents=["a", "b"])
    assert (conversation.turns, conversation.title, conversation.documents) == (0, "", ("a", "b"))
    for number in range(3):
        conversation = chats.add(
            conversation,
            question=f"question {number}",
            about=f"about {number}",
            answer=answer(f"answer {number}"),
            memory=[segment(number)],
            kept=number,
            **MODEL,
        )
    assert conversation == chats.one(conversation.id)
    assert (conversation.turns, conversation.title, conversation.collection) == (3, "question 0", "reports")
    turns = chats.turns(conversation.id)
    assert [(turn.number, turn.question) for turn in turns] == [(n + 1, f"question {n}") for n in range(3)]
    assert [(turn.about, turn.topic) for turn in turns] == [(f"about {n}",) * 2 for n in range(3)]
    assert [turn.answer for turn in turns] == [answer(f"answer {n}") for n in range(3)]
    assert chats.memory(conversation.id, **MODEL) == [segment(n) for n in range(3)]


@pytest.mark.databases("sqlite", "postgresql")
def test_a_library_opened_again_has_the_conversation(library, other):
    conversation = library.chats.begin(title="t", collection=None, documents=())
    library.chats.add(conversation, question="q", about="", answer=answer("a"), memory=[segment(0)], kept=0, **MODEL)
    assert other.chats.one(conversation.id).turns == 1
    assert other.chats.one(conversation.id[:5]).id == conversation.id
    assert other.chats.memory(conversation.id, **MODEL) == [segment(0)]


def test_another_model_has_no_memory_of_it_and_writes_its_own(library):
    chats = library.chats
    conversation = chats.begin(title="t", collection=None, documents=())
    conversation = chats.add(
        conversation, question="q", about="", answer=answer("a"), memory=[segment(0)], kept=0, **MODEL
    )
    other = {"model_id": "other@2", "dtype": "float32"}
    assert chats.memory(conversation.id, **other) == []
    chats.add(
        conversation, question="q", about="", answer=answer("a"), memory=[segment(5), segment(6)], kept=0, **other
    )
    assert chats.memory(conversation.id, **other) == [segment(5), segment(6)]
    assert chats.memory(conversation.id, **MODEL) == []


def test_the_latest_conversation_comes_first(library):
    first, second = (library.chats.begin(title=name, collection=None, documents=()) for name in ("one", "two"))
    library.chats.add(first, question="q", about="", answer=answer("a"), memory=[], kept=0, **MODEL)
    assert [conversation.id for conversation in library.chats.all()] == [first.id, second.id]


@pytest.mark.databases("sqlite", "postgresql")
def test_a_turn_added_elsewhere_meanwhile_is_not_overwritten(library):
    seen = library.chats.begin(title="t", collection=None, documents=())
    library.chats.add(seen, question="theirs", about="", answer=answer("a"), memory=[segment(0)], kept=0, **MODEL)
    with pytest.raises(ConversationMoved, match="Ask again"):
        library.chats.add(seen, question="ours", about="", answer=answer("b"), memory=[segment(9)], kept=0, **MODEL)
    assert [turn.question for turn in library.chats.turns(seen.id)] == ["theirs"]
    assert library.chats.memory(seen.id, **MODEL) == [segment(0)]


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize("asked", ["0123456789ab", "nobody", "", "%"])
def test_a_conversation_nobody_had_is_unknown(library, asked):
    for method in (library.chats.one, library.chats.turns, library.chats.remove):
        with pytest.raises(UnknownConversation):
            method(asked)


def test_a_deleted_conversation_leaves_no_byte_behind(library, tmp_path):
    conversation = library.chats.begin(title="", collection=None, documents=())
    canary = "zebrafish"
    library.chats.add(
        conversation,
        question=canary,
        about="",
        answer=answer(canary),
        memory=[replace(segment(0), row=canary.encode())],
        kept=0,
        **MODEL,
    )
    assert canary.encode() in b"".join(path.read_bytes() for path in tmp_path.glob("library.db*"))
    assert library.chats.remove(conversation.id).title == canary
    assert canary.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("library.db*"))
    assert library.chats.all() == []


def test_a_changed_memory_row_is_named_and_not_used(library, tmp_path):
    conversation = library.chats.begin(title="t", collection=None, documents=())
    library.chats.add(conversation, question="q", about="", answer=answer("a"), memory=[segment(0)], kept=0, **MODEL)
    with sqlite3.connect(tmp_path / "library.db") as connection:
        connection.execute("UPDATE turn_segments SET row = zeroblob(7)")
    with pytest.raises(DamagedMemory, match=f"chat --delete {conversation.id}"):
        library.chats.memory(conversation.id, **MODEL)


def test_a_turn_shows_quote_and_boxes_as_the_document_has_them(library, sample):
    box = TextBox(char_start=5, char_end=7, left=1.5, bottom=2.25, right=30.0, top=12.5)
    written = sample("Call me Ishmael\n")
    document = replace(written, pages=(replace(written.pages[0], boxes=(box,)),)).ingest(library)
    cited = Citation(
        document=document.id,
        title="Whale",
        page=1,
        page_label="p1",
        char_start=0,
        char_end=7,
        quote="Call me",
        weight=0.5,
        boxes=tuple(library.quote_boxes(document.id, 0, 7)),
    )
    assert cited.boxes
    conversation = library.chats.begin(title="t", collection=None, documents=())
    library.chats.add(conversation, question="q", about="", answer=answer("a", cited), memory=[], kept=0, **MODEL)
    assert library.chats.turns(conversation.id)[0].answer.citations == (cited,)
    with sqlite3.connect(library._database.place) as connection:
        (kept,) = connection.execute("SELECT answer FROM turns").fetchone()
    assert "Call me" not in kept
    assert "left" not in kept
    library.remove(document.id)
    assert library.chats.turns(conversation.id)[0].answer.citations == ()


def test_a_long_question_is_a_short_title(library):
    conversation = library.chats.begin(title="", collection=None, documents=())
    title = library.chats.add(
        conversation, question="why  \n" * 100, about="", answer=answer("a"), memory=[], kept=0, **MODEL
    ).title
    assert len(title) == 120
    assert "\n" not in title
