"""Looks whether conversations and what callers keep about documents are as they were stored; changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import DatabaseError

from hmt_qa.chain import first_state_id, next_state_id
from hmt_qa.errors import DamagedMemory
from hmt_qa.types import Verdict
from hmt_storage.border import reason
from hmt_storage.chats import as_turn
from hmt_storage.checksums import TurnRow
from hmt_storage.contents import Flaw, require_object
from hmt_storage.packing import unpack_tokens
from hmt_storage.stored import kept_metadata
from hmt_storage.tables import ConversationRecord as C
from hmt_storage.tables import TurnRecord as T
from hmt_storage.tables import TurnSegmentRecord as S


def verify_conversations(connection: Connection) -> Iterator[Verdict]:
    """A verdict on each conversation, oldest first: its turns, their memory and the chain of its states."""
    for identity in connection.execute(select(C.id).order_by(C.created_at, C.id)).scalars().all():
        title = ""
        try:
            row = connection.execute(select(C.__table__).where(C.id == identity)).one()
            title = row.title
            _check_turns(connection, row)
            _check_memory(connection, row)
        except Flaw as flaw:
            yield _verdict(identity, title, str(flaw))
        except DatabaseError as error:  # bytes that are no text any more
            yield _verdict(identity, title, reason(error))
        else:
            yield _verdict(identity, title, "")


def metadata_flaw(connection: Connection, document_id: str) -> str:
    """What is wrong with what a caller keeps about a document, or nothing."""
    try:
        require_object(kept_metadata(connection, document_id))
    except Flaw as flaw:
        return str(flaw)
    return ""


def _check_turns(connection: Connection, conversation: Row[*tuple[Any, ...]]) -> None:
    query = select(T.__table__).where(T.conversation_id == conversation.id).order_by(T.number)
    rows = connection.execute(query).all()
    if [row.number for row in rows] != list(range(1, conversation.turns + 1)):
        raise Flaw(f"{len(rows)} turns are there, {conversation.turns} should be")
    for row in rows:
        if TurnRow(row.number, row.asked_at, row.question, row.about, row.answer).checksum != row.sha256:
            raise Flaw(f"turn {row.number} does not match its checksum")
        try:
            with suppress(DamagedMemory):  # of a document cited, whose verdict says so
                as_turn(connection, row)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise Flaw(f"turn {row.number} is not as it was written: {error}") from error


def _check_memory(connection: Connection, conversation: Row[*tuple[Any, ...]]) -> None:
    state = first_state_id(conversation.model_id)
    query = select(S.__table__).where(S.conversation_id == conversation.id).order_by(S.number)
    for number, row in enumerate(connection.execute(query)):
        if row.number != number:
            raise Flaw(f"turn {number + 1} has no memory")
        if hashlib.sha256(row.row).digest() != row.sha256:
            raise Flaw(f"the memory of turn {number + 1} does not match its checksum")
        if len(row.token_ids) % 4:
            raise Flaw(f"the tokens of turn {number + 1} are cut")
        state = next_state_id(state, unpack_tokens(row.token_ids), conversation.model_id)
        if row.state_id != state:
            raise Flaw(f"the state after turn {number + 1} is not the one its tokens lead to")


def _verdict(identity: str, title: str, flaw: str) -> Verdict:
    named = f"conversation {identity}: {title}"
    return Verdict(document="", title=named, ok=not flaw, detail=flaw or "as stored")
