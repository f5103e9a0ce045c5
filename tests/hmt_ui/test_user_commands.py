"""Who may log in, from the shell."""

from __future__ import annotations

import io

import pytest

from tests.hmt_ui.calling import Outcome, Run, one_line

PASSWORD = "correct horse battery"  # noqa: S105 - of this test's user


@pytest.fixture
def add(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Adds a user whose password comes from standard input."""

    def call(name: str, password: str = PASSWORD) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        return run("user", "add", name, "--json")

    return call


def test_a_user_is_added_listed_and_deleted(run: Run, add: Run) -> None:
    assert add("alice").rows[0]["name"] == "alice"
    assert [row["name"] for row in run("user", "ls", "--json").rows] == ["alice"]
    again = add("alice")
    assert (again.code, one_line(again.err)) == (1, True)
    assert run("user", "rm", "alice", "--json").rows == [{"name": "alice", "removed": True, "documents": 0}]
    assert run("user", "ls", "--json").rows == []
    assert run("user", "rm", "alice").code == 1


@pytest.mark.parametrize(("name", "password"), [("Alice", PASSWORD), ("a/b", PASSWORD), ("bob", "short"), ("bob", "")])
def test_a_name_or_a_password_that_will_not_do_is_a_usage_error(add: Run, name: str, password: str) -> None:
    outcome = add(name, password)
    assert (outcome.code, one_line(outcome.err)) == (2, True)


def test_a_token_is_shown_once_and_can_be_revoked(run: Run, add: Run) -> None:
    add("alice")
    secret = run("user", "token", "alice", "--label", "script").out.strip()
    assert secret.startswith("hmt_")
    assert len(secret) > 40
    (listed,) = run("user", "token", "alice", "--list", "--json").rows
    assert listed["label"] == "script"
    assert secret not in str(listed)
    assert run("user", "token", "alice", "--revoke", "--json").rows == [{"name": "alice", "revoked": 1}]
    assert run("user", "token", "nobody").code == 1
