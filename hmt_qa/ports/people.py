"""Where conversations, users and their keys are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hmt_qa.types import (
    Answer,
    Conversation,
    Key,
    KeyKind,
    Turn,
    TurnSegment,
    User,
)


class Chats(Protocol):
    """Conversations with their turns and the memory of what was said.

    Ids may be given by their beginning. Methods that take one raise `UnknownConversation`.
    """

    def begin(self, *, title: str, collection: str | None, documents: Sequence[str]) -> Conversation:
        """A new conversation without turns."""
        ...

    def all(self) -> Sequence[Conversation]:
        """All conversations, the latest first."""
        ...

    def one(self, conversation_id: str) -> Conversation:
        """One conversation."""
        ...

    def turns(self, conversation_id: str) -> Sequence[Turn]:
        """What was asked and answered, in order."""
        ...

    def memory(self, conversation_id: str, *, model_id: str, dtype: str) -> Sequence[TurnSegment]:
        """The memory that this model has of what was said, checked; empty where it has none."""
        ...

    def add(
        self,
        conversation: Conversation,
        *,
        question: str,
        about: str,
        answer: Answer,
        memory: Sequence[TurnSegment],
        kept: int,
        model_id: str,
        dtype: str,
    ) -> Conversation:
        """Append a turn and its memory in one transaction: `memory` follows on the first `kept` segments stored.

        Raises `ConversationMoved` where the conversation has not the turns it had.
        """
        ...

    def remove(self, conversation_id: str) -> Conversation:
        """Delete a conversation and all that was said in it; returns what it was."""
        ...


class Users(Protocol):
    """Who may log in, and the keys that stand for them. Methods that take a name raise `UnknownUser`."""

    def add(self, name: str, *, password_hash: str) -> User:
        """A new user; raises `UserExists`."""
        ...

    def all(self) -> Sequence[User]:
        """All users by name."""
        ...

    def exist(self) -> bool:
        """Whether there is any."""
        ...

    def remove(self, name: str) -> User:
        """Delete a user with keys and conversations; documents stay."""
        ...

    def password_hash(self, name: str) -> str | None:
        """What `add` was given; None where there is no such user."""
        ...

    def set_password(self, name: str, password_hash: str) -> User:
        """Another password, which ends every session of the user."""
        ...

    def issue(self, name: str, kind: KeyKind, *, label: str, seconds: float) -> str:
        """A new secret that stands for the user until it expires; it cannot be read again."""
        ...

    def holder(self, secret: str, kind: KeyKind) -> User | None:
        """Whom a secret of this kind stands for, if it does."""
        ...

    def keys(self, name: str, kind: KeyKind) -> Sequence[Key]:
        """A user's keys of this kind, oldest first."""
        ...

    def revoke(self, secret: str) -> None:
        """Make a secret worthless; nothing happens where it is already."""
        ...

    def revoke_all(self, name: str, kind: KeyKind) -> int:
        """Make all of a user's keys of this kind worthless; returns how many."""
        ...
