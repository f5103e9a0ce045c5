"""Conversations in SQL: every public method is one transaction.

An answer is kept with citations that point: document, span and a hash of the quote. The quote itself and its boxes are
read from the document when the turn is shown, so a removed document leaves nothing of it behind here, and a changed one
no false quote.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hmt_qa.errors import ConversationMoved, DamagedMemory, UnknownConversation, UnknownDocument
from hmt_qa.types import Answer, Citation, Conversation, Mode, Timings, Turn, TurnSegment
from hmt_storage import documents, reading
from hmt_storage.checksums import TurnRow
from hmt_storage.database import Database
from hmt_storage.packing import pack_tokens, printable, unpack_tokens
from hmt_storage.tables import ConversationRecord as C
from hmt_storage.tables import TurnRecord as T
from hmt_storage.tables import TurnSegmentRecord as S

TITLE_CHARACTERS = 120


class SqlChats:
    """Implements `hmt_qa.ports.Chats` over the library's database, for the conversations of one owner."""

    def __init__(self, database: Database, *, owner: str = "") -> None:
        self._database = database
        self._owner = owner

    def begin(self, *, title: str, collection: str | None, documents: Sequence[str]) -> Conversation:
        """A new conversation without turns."""
        identity, now = secrets.token_hex(6), time.time()
        values = {
            "id": identity,
            "owner": self._owner,
            "title": _title(title),
            "collection": None if collection is None else printable(collection),
            "documents": json.dumps(list(documents)),
            "created_at": now,
            "updated_at": now,
        }
        with self._database.write() as connection:
            connection.execute(insert(C).values(values))
            return _conversation(self._resolve(connection, identity))

    def all(self) -> Sequence[Conversation]:
        """All conversations, the latest first."""
        with self._database.read() as connection:
            query = select(C.__table__).where(C.owner == self._owner).order_by(C.updated_at.desc(), C.id)
            return [_conversation(row) for row in connection.execute(query)]

    def one(self, conversation_id: str) -> Conversation:
        """One conversation."""
        with self._database.read() as connection:
            return _conversation(self._resolve(connection, conversation_id))

    def turns(self, conversation_id: str) -> Sequence[Turn]:
        """What was asked and answered, in order."""
        with self._database.read() as connection:
            identity = self._resolve(connection, conversation_id).id
            query = select(T.__table__).where(T.conversation_id == identity).order_by(T.number)
            return [as_turn(connection, row) for row in connection.execute(query)]

    def memory(self, conversation_id: str, *, model_id: str, dtype: str) -> Sequence[TurnSegment]:
        """The memory that this model has of what was said; empty where it has none. Raises `DamagedMemory`."""
        with self._database.read() as connection:
            conversation = self._resolve(connection, conversation_id)
            if (conversation.model_id, conversation.dtype) != (model_id, dtype):
                return []
            query = select(S.__table__).where(S.conversation_id == conversation.id).order_by(S.number)
            return [_segment(row) for row in connection.execute(query)]

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
        """Append a turn; `memory` follows on the first `kept` segments stored. Raises `ConversationMoved`."""
        now, question = time.time(), printable(question)
        with self._database.write() as connection:
            found = self._resolve(connection, conversation.id)
            if found.turns != conversation.turns:
                raise ConversationMoved(
                    "Another process answered in this conversation meanwhile.",
                    subject=conversation.id,
                    remedy="Ask again: what was said there is then known.",
                )
            number = found.turns + 1
            turn = TurnRow(number, now, question, printable(about), _kept(answer))
            connection.execute(insert(T).values(**turn._asdict(), conversation_id=found.id, sha256=turn.checksum))
            connection.execute(delete(S).where(S.conversation_id == found.id, S.number >= kept))
            for segment_number, segment in enumerate(memory, kept):
                row = _row(segment) | {"conversation_id": found.id, "number": segment_number}
                connection.execute(insert(S).values(row))
            changes = {"turns": number, "updated_at": now, "model_id": model_id, "dtype": dtype}
            title = found.title or _title(question)
            connection.execute(update(C).where(C.id == found.id).values(**changes, title=title))
            return _conversation(self._resolve(connection, found.id))

    def remove(self, conversation_id: str) -> Conversation:
        """Delete a conversation and all that was said in it; what is deleted is also overwritten on disk."""
        with self._database.write() as connection:
            found = self._resolve(connection, conversation_id)
            connection.execute(delete(C).where(C.id == found.id))
        self._database.erase_deleted()
        return _conversation(found)

    def _resolve(self, connection: Connection, asked: str) -> Row[*tuple[Any, ...]]:
        """The row of a conversation by its id or an unambiguous beginning of it; raises `UnknownConversation`."""
        if not documents.ID.fullmatch(asked):
            raise _unknown(asked)
        found = connection.execute(
            select(C.__table__).where(C.owner == self._owner, C.id.like(f"{asked}%")).limit(2)
        ).all()
        if not found:
            raise _unknown(asked)
        if len(found) > 1:
            raise UnknownConversation(
                f"More than one conversation begins with {asked}.", subject=asked, remedy="Type more of the id."
            )
        return found[0]


def _unknown(asked: str) -> UnknownConversation:
    return UnknownConversation(f"No conversation {asked!r}.", subject=asked, remedy="See `hmt-qa chat --list`.")


def _title(text: str) -> str:
    words = " ".join(printable(text).split())
    return words if len(words) <= TITLE_CHARACTERS else words[: TITLE_CHARACTERS - 1] + "…"


def _conversation(row: Row[*tuple[Any, ...]]) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        collection=row.collection,
        documents=tuple(json.loads(row.documents)),
        turns=row.turns,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
    )


def _kept(answer: Answer) -> str:
    """An answer as JSON, its quotes replaced by their hashes, without boxes."""
    fields = asdict(answer)
    fields["text"] = printable(answer.text)
    for citation in fields["citations"]:
        citation["quote"] = _hash(citation["quote"])
        del citation["boxes"]
    return json.dumps(fields)


def as_turn(connection: Connection, row: Row[*tuple[Any, ...]]) -> Turn:
    """A stored turn; raises ValueError, TypeError or KeyError where its answer is not as it was written."""
    fields = json.loads(row.answer)
    kept = [citation for told in fields["citations"] if (citation := _citation(connection, told)) is not None]
    answer = Answer(
        **fields
        | {
            "citations": tuple(kept),
            "timings_ms": Timings(**fields["timings_ms"]),
            "mode": Mode(fields["mode"]),
        }
    )
    asked_at = datetime.fromtimestamp(row.asked_at, UTC)
    return Turn(number=row.number, question=row.question, answer=answer, asked_at=asked_at, about=row.about)


def _citation(connection: Connection, told: dict[str, Any]) -> Citation | None:
    """The citation with quote and boxes; None where the document is gone or says something else there now."""
    try:
        identity, memory_id = documents.resolve(connection, told["document"])
    except UnknownDocument:
        return None
    span = told["char_start"], told["char_end"]
    quote = reading.text_at(connection, memory_id, *span)
    if _hash(quote) != told["quote"]:
        return None
    boxes = reading.quote_boxes(connection, identity, memory_id, *span)
    return Citation(**told | {"quote": quote, "boxes": boxes})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _row(segment: TurnSegment) -> dict[str, object]:
    return {
        "state_id": segment.state_id,
        "sha256": hashlib.sha256(segment.row).digest(),
        "token_ids": pack_tokens(segment.token_ids),
        "row": segment.row,
    }


def _segment(row: Row[*tuple[Any, ...]]) -> TurnSegment:
    if hashlib.sha256(row.row).digest() != row.sha256:
        raise DamagedMemory(
            f"Conversation {row.conversation_id} is damaged: a memory row does not match what was stored.",
            subject=row.conversation_id,
            remedy=f"Run `hmt-qa chat --delete {row.conversation_id}` and begin another.",
        )
    return TurnSegment(token_ids=unpack_tokens(row.token_ids), state_id=row.state_id, row=row.row)
