"""A conversation with two turns whose memory is chained as the engine chains it."""

from __future__ import annotations

from hmt_qa.chain import first_state_id, next_state_id
from hmt_qa.types import Answer, Conversation, Mode, Timings, TurnSegment
from hmt_storage.library import SqlLibrary
from tests.hmt_storage.conftest import MODEL


def converse(library: SqlLibrary) -> Conversation:
    conversation = library.chats.begin(title="", collection=None, documents=())
    state = first_state_id(MODEL)
    for number in range(2):
        tokens = (number, 7)
        state = next_state_id(state, tokens, MODEL)
        conversation = library.chats.add(
            conversation,
            question=f"Who was number {number}?",
            about="",
            answer=Answer(
                text="Ishmael",
                answerable=True,
                citations=(),
                timings_ms=Timings(resume=1.0, recall=1.0, first_token=1.0, total=1.0),
                model=MODEL,
                mode=Mode.EVIDENCE,
            ),
            memory=[TurnSegment(token_ids=tokens, state_id=state, row=bytes([number]) * 16)],
            kept=number,
            model_id=MODEL,
            dtype="float32",
        )
    return conversation
