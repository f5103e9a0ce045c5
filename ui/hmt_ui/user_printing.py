"""What the commands about users print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from hmt_qa.types import Key, User
from hmt_ui.printing import line, printable


def users(rows: Sequence[User], *, as_json: bool) -> None:
    """Users by name."""
    for row in rows:
        if as_json:
            line(asdict(row))
        else:
            print(f"{row.name:32}  since {row.created_at:%Y-%m-%d}")


def removed(user: User, *, documents: int, as_json: bool) -> None:
    """Who was deleted, and what stays."""
    if as_json:
        line({"name": user.name, "removed": True, "documents": documents})
    else:
        print(f"removed {user.name}; {documents} documents stay in the collections {user.name}/…")


def tokens(rows: Sequence[Key], *, as_json: bool) -> None:
    """Tokens without their secrets."""
    for row in rows:
        if as_json:
            line(asdict(row))
        else:
            print(f"{row.id:5}  until {row.expires_at:%Y-%m-%d}  {printable(row.label)}")


def revoked(name: str, count: int, *, as_json: bool) -> None:
    """How many tokens are worthless now."""
    if as_json:
        line({"name": name, "revoked": count})
    else:
        print(f"revoked {count} tokens of {name}")


def token(name: str, secret: str, *, as_json: bool) -> None:
    """A new token's secret, alone on its line."""
    if as_json:
        line({"name": name, "token": secret})
    else:
        print(secret)
