"""What a conversation remembers: each turn is a segment of a memory of its own, read on from where the last one ended.

A follow-up ("and in 2021?") goes with an earlier question. Which one, the memory says: the follow-up attends to the
turns as a question does to a document's segments, and older turns count for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hmt_qa.engine import LocalEngine
from hmt_qa.ports import Chats
from hmt_qa.types import Answer, Conversation, Mode, Segment, Timings, Turn, TurnSegment

NO_TIMINGS = Timings(resume=0, recall=0, first_token=0, total=0)
RECENCY = 0.5  # what a turn's weight is worth, one turn further back: docs/decisions/0015


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation taken up again: its turns and the memory of each, of which the first `kept` are stored."""

    conversation: Conversation
    turns: Sequence[Turn]
    memory: Sequence[TurnSegment]
    kept: int


def unkept(*, collection: str | None) -> Talk:
    """A talk without turns that is in no library."""
    now = datetime.now(UTC)
    conversation = Conversation(
        id="", title="", collection=collection, documents=(), turns=0, created_at=now, updated_at=now
    )
    return Talk(conversation, (), (), 0)


class Conversing:
    """Takes conversations up and adds to them; with another model than before, the turns are read again from text."""

    def __init__(self, chats: Chats, engine: LocalEngine) -> None:
        self._chats = chats
        self._engine = engine

    def resume(self, conversation_id: str) -> Talk:
        """Turns and memory so far; raises `UnknownConversation` and `DamagedMemory`."""
        conversation = self._chats.one(conversation_id)
        turns = self._chats.turns(conversation.id)
        stored = self._chats.memory(conversation.id, model_id=self._engine.model_id, dtype=self._engine.dtype)
        memory = [
            *stored,
            *self._read(stored, [_said(turn.question, turn.about, turn.answer.text) for turn in turns[len(stored) :]]),
        ]
        return Talk(conversation, turns, memory, len(stored))

    def told(self, talk: Talk, question: str, about: str, answer: str, *, mode: Mode) -> Talk:
        """The talk with one more turn, which is kept elsewhere: nothing is stored."""
        number = len(talk.turns) + 1
        whole = Answer(text=answer, answerable=True, citations=(), timings_ms=NO_TIMINGS, model="", mode=mode)
        turn = Turn(number=number, question=question, about=about, answer=whole, asked_at=talk.conversation.created_at)
        memory = [*talk.memory, *self._read(talk.memory, [_said(question, about, answer)])]
        return replace(talk, turns=[*talk.turns, turn], memory=memory)

    def goes_with(self, talk: Talk, question_ids: Sequence[int]) -> Turn | None:
        """The earlier turn that a question goes with; None in a conversation that only begins."""
        if not talk.turns:
            return None
        rows_NMD = self._engine.rows(b"".join(segment.row for segment in talk.memory), self._engine.hidden)
        _, weights = self._engine.recall(self._engine.summarise(question_ids), rows_NMD)
        worth = [weight * RECENCY ** (len(weights) - number) for number, weight in enumerate(weights)]
        return talk.turns[max(range(len(worth)), key=worth.__getitem__)]

    def add(self, talk: Talk, question: str, about: str, answer: Answer) -> Conversation:
        """Keep a turn and its memory; raises `ConversationMoved`."""
        memory = [*talk.memory, *self._read(talk.memory, [_said(question, about, answer.text)])]
        return self._chats.add(
            talk.conversation,
            question=question,
            about=about,
            answer=answer,
            memory=memory[talk.kept :],
            kept=talk.kept,
            model_id=self._engine.model_id,
            dtype=self._engine.dtype,
        )

    def _read(self, before: Sequence[TurnSegment], said: Sequence[str]) -> list[TurnSegment]:
        """The memory of what was said after `before`, one segment each; what is longer is cut there."""
        size = self._engine.segment_length
        ids = [segment.token_ids for segment in before]
        ids += [tuple(self._engine.encode(text).ids[:size]) for text in said]
        tail = b"".join(segment.row for segment in before[-self._engine.recall_window :])
        state = before[-1].state_id if before else self._engine.first_state_id()
        read: list[TurnSegment] = []
        for segment, row in self._engine.read(map(_segment, enumerate(ids)), committed=len(before), tail=tail):
            state = self._engine.next_state_id(state, segment.token_ids)
            read.append(TurnSegment(token_ids=segment.token_ids, state_id=state, row=row))
        return read


def _said(question: str, about: str, answer: str) -> str:
    asked = f"{about} {question}".strip()
    return f"Question: {asked}\nAnswer: {answer.strip()}\n"


def _segment(numbered: tuple[int, tuple[int, ...]]) -> Segment:
    """As the engine reads it; places in a text mean nothing here."""
    number, ids = numbered
    return Segment(number=number, token_ids=ids, char_start=0, char_end=0, page_first=1, page_last=1, text="")
