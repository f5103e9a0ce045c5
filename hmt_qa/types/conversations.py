"""Questions that follow one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from hmt_qa.types.answers import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Questions that follow on each other, of a collection or of chosen documents (ids); of everything without either.

    `turns` counts questions answered. `title` is the first of them.
    """

    id: str
    title: str
    collection: str | None
    documents: tuple[str, ...]
    turns: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question of a conversation with its answer; numbers count from 1.

    `about` is the question that a follow-up was understood with; it is empty where the question stands on its own.
    A kept answer has the citations whose quotes still stand in the library.
    """

    number: int
    question: str
    answer: Answer
    asked_at: datetime
    about: str = ""

    @property
    def topic(self) -> str:
        """The question that stands on its own: through any chain of follow-ups, the one they began with."""
        return self.about or self.question


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSegment:
    """At most L tokens of what was said, with their memory row; `state_id` as in a document's chain."""

    token_ids: tuple[int, ...]
    state_id: str
    row: bytes = field(repr=False)
