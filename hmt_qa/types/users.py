"""Who may ask, and the keys that say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in to the service."""

    name: str
    created_at: datetime


class KeyKind(StrEnum):
    """What a key is for: a browser's session, or a program."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secret that stands for a user until it expires, without the secret."""

    id: int
    user: str
    kind: KeyKind
    label: str
    created_at: datetime
    expires_at: datetime
