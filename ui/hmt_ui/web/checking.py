"""An answer on the page asked once more without the places it stands on: does it change?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hmt_qa import DocumentQA
from hmt_qa.following import together
from hmt_qa.types import Answer, Conversation, Turn


def asked_again(mine: DocumentQA, talk: Conversation, turn: Turn, *, top: int) -> Iterator[str | Answer]:
    """The stream of a turn's question by itself, written out with the one it followed, to be verified."""
    question = together(turn.about, turn.question) if turn.about else turn.question
    return mine.stream(
        question, collection=talk.collection, documents=talk.documents, mode=turn.answer.mode, top=top, verify=True
    )


def judged(shown: Answer, again: Answer) -> Answer:
    """The answer shown with the verdict on the one asked again; without one where that is another answer."""
    same = again.answerable and again.text.strip() == shown.text.strip()
    return replace(shown, verified=again.verified if same else None)
