"""Users and their keys (sessions, API tokens) in SQL: every public method is one transaction.

Of a password only the hash that the caller made is kept, of a key only the sha256 of its secret.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from hmt_qa.errors import UnknownUser, UserExists
from hmt_qa.types import Key, KeyKind, User
from hmt_storage.database import Database
from hmt_storage.packing import printable
from hmt_storage.tables import ConversationRecord as C
from hmt_storage.tables import KeyRecord as K
from hmt_storage.tables import UserRecord as U

SECRET_BYTES = 32
_PREFIX = "hmt_"


class SqlUsers:
    """Implements `hmt_qa.ports.Users` over the library's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, *, password_hash: str) -> User:
        """A new user; raises `UserExists`."""
        with self._database.write() as connection:
            if connection.execute(select(U.name).where(U.name == name)).scalar() is not None:
                raise UserExists(f"There is a user {name} already.", subject=name, remedy="Choose another name.")
            connection.execute(insert(U).values(name=name, password_hash=password_hash, created_at=time.time()))
            return _load(connection, name)

    def all(self) -> Sequence[User]:
        """All users by name."""
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(select(U.name, U.created_at).order_by(U.name))]

    def exist(self) -> bool:
        """Whether there is any."""
        with self._database.read() as connection:
            return bool(connection.execute(select(exists(select(U.name)))).scalar())

    def remove(self, name: str) -> User:
        """Delete a user with keys and conversations; documents stay. Raises `UnknownUser`."""
        with self._database.write() as connection:
            user = _load(connection, name)
            connection.execute(delete(C).where(C.owner == name))
            connection.execute(delete(U).where(U.name == name))
        self._database.erase_deleted()
        return user

    def password_hash(self, name: str) -> str | None:
        """What `add` was given; None where there is no such user."""
        with self._database.read() as connection:
            return connection.execute(select(U.password_hash).where(U.name == name)).scalar()

    def set_password(self, name: str, password_hash: str) -> User:
        """Another password, which ends every session of the user; raises `UnknownUser`."""
        with self._database.write() as connection:
            user = _load(connection, name)
            connection.execute(update(U).where(U.name == name).values(password_hash=password_hash))
            connection.execute(delete(K).where(K.user == name, K.kind == KeyKind.SESSION))
            return user

    def issue(self, name: str, kind: KeyKind, *, label: str, seconds: float) -> str:
        """A new secret that stands for the user until it expires; raises `UnknownUser`. It cannot be read again."""
        secret, now = _PREFIX + secrets.token_urlsafe(SECRET_BYTES), time.time()
        values = {"user": name, "kind": kind, "label": printable(label), "sha256": _sha256(secret)}
        with self._database.write() as connection:
            _load(connection, name)
            connection.execute(delete(K).where(K.expires_at < now))
            connection.execute(insert(K).values(**values, created_at=now, expires_at=now + seconds))
        return secret

    def holder(self, secret: str, kind: KeyKind) -> User | None:
        """Whom a secret of this kind stands for, if it does."""
        valid = (K.sha256 == _sha256(secret)) & (K.kind == kind) & (K.expires_at > time.time())
        with self._database.read() as connection:
            row = connection.execute(select(U.name, U.created_at).join(K, K.user == U.name).where(valid)).one_or_none()
        return _user(row) if row else None

    def keys(self, name: str, kind: KeyKind) -> Sequence[Key]:
        """A user's keys of this kind, oldest first; raises `UnknownUser`."""
        with self._database.read() as connection:
            _load(connection, name)
            query = select(K.__table__).where(K.user == name, K.kind == kind).order_by(K.id)
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, secret: str) -> None:
        """Make a secret worthless; nothing happens where it is already."""
        with self._database.write() as connection:
            connection.execute(delete(K).where(K.sha256 == _sha256(secret)))

    def revoke_all(self, name: str, kind: KeyKind) -> int:
        """Make all of a user's keys of this kind worthless; returns how many. Raises `UnknownUser`."""
        with self._database.write() as connection:
            _load(connection, name)
            return connection.execute(delete(K).where(K.user == name, K.kind == kind)).rowcount


def _sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _load(connection: Connection, name: str) -> User:
    row = connection.execute(select(U.name, U.created_at).where(U.name == name)).one_or_none()
    if row is None:
        raise UnknownUser(f"There is no user {name!r}.", subject=name, remedy="`hmt-qa user ls` lists them.")
    return _user(row)


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(name=row.name, created_at=datetime.fromtimestamp(row.created_at, UTC))


def _key(row: Row[*tuple[Any, ...]]) -> Key:
    times = {name: datetime.fromtimestamp(getattr(row, name), UTC) for name in ("created_at", "expires_at")}
    return Key(id=row.id, user=row.user, kind=KeyKind(row.kind), label=row.label, **times)
