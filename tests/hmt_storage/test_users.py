"""Users and their keys: what is kept of a secret, and when it stops to count."""

from __future__ import annotations

import pytest

from hmt_qa.errors import UnknownUser, UserExists
from hmt_qa.types import KeyKind

HASH = "hash"


def test_a_secret_stands_for_its_user_until_it_is_revoked(library, tmp_path):
    library.users.add("alice", password_hash=HASH)
    secret = library.users.issue("alice", KeyKind.TOKEN, label="script", seconds=60)
    assert library.users.holder(secret, KeyKind.TOKEN).name == "alice"
    assert library.users.holder(secret, KeyKind.SESSION) is None
    assert library.users.holder(secret + "x", KeyKind.TOKEN) is None
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("library.db*"))
    assert secret.encode() not in stored
    library.users.revoke(secret)
    assert library.users.holder(secret, KeyKind.TOKEN) is None


def test_an_expired_secret_is_worthless_and_is_swept_by_the_next(library, rows_in):
    library.users.add("alice", password_hash=HASH)
    old = library.users.issue("alice", KeyKind.SESSION, label="", seconds=-1)
    assert library.users.holder(old, KeyKind.SESSION) is None
    library.users.issue("alice", KeyKind.SESSION, label="", seconds=60)
    assert rows_in("keys") == 1


def test_another_password_ends_the_sessions_and_keeps_the_tokens(library):
    library.users.add("alice", password_hash=HASH)
    session = library.users.issue("alice", KeyKind.SESSION, label="", seconds=60)
    token = library.users.issue("alice", KeyKind.TOKEN, label="", seconds=60)
    library.users.set_password("alice", "another")
    assert library.users.password_hash("alice") == "another"
    assert library.users.holder(session, KeyKind.SESSION) is None
    assert library.users.holder(token, KeyKind.TOKEN) is not None


def test_a_removed_user_takes_keys_and_conversations_along(library, rows_in):
    library.users.add("alice", password_hash=HASH)
    library.users.issue("alice", KeyKind.TOKEN, label="", seconds=60)
    library.owned_by("alice").chats.begin(title="", collection=None, documents=())
    library.chats.begin(title="", collection=None, documents=())
    library.users.remove("alice")
    assert (rows_in("users"), rows_in("keys"), rows_in("conversations")) == (0, 0, 1)
    assert not library.users.exist()


def test_names_are_taken_once_and_unknown_ones_are_refused(library):
    library.users.add("alice", password_hash=HASH)
    with pytest.raises(UserExists):
        library.users.add("alice", password_hash=HASH)
    for call in (library.users.remove, lambda name: library.users.keys(name, KeyKind.TOKEN)):
        with pytest.raises(UnknownUser):
            call("bob")
    assert library.users.password_hash("bob") is None
