"""Who may: sessions, tokens, and what a second user sees of the first one's things, which is nothing."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from hmt_qa.engine import LocalEngine
from hmt_qa.errors import AddressRefused, UserUnsuited
from hmt_qa.types import KeyKind
from hmt_ui import passwords
from hmt_ui.binding import require_safe
from hmt_ui.service.throttle import WRONG
from tests.hmt_ui.service.conftest import PASSWORD, Service, service, upload


def log_in(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password})


def test_nobody_is_let_in_without_login(guarded: Service) -> None:
    with guarded.client() as client:
        for path in ("/api/v1/documents", "/api/v1/metrics", "/api/v1/openapi.json", "/v1/models", "/config"):
            assert client.get(path).status_code == 401, path
        assert client.post("/gradio_api/queue/join", json={}).status_code == 401
        assert client.post("/gradio_api/upload", files={"files": ("a.txt", b"x")}).status_code == 401
        assert client.get("/api/v1/health").status_code == 200
        sent = client.get("/", headers={"Accept": "text/html"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/login")


def test_a_session_opens_and_a_logout_closes(guarded: Service) -> None:
    with guarded.client() as client:
        answer = log_in(client, "alice")
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert [one["title"] for one in client.get("/api/v1/documents").json()["documents"]] == ["Alice's plan"]
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
        kept = dict(client.cookies)
        assert client.post("/logout").status_code == 303
        client.cookies.update(kept)
        assert client.get("/api/v1/documents").status_code == 401


def test_a_session_is_no_token_and_a_token_no_session(guarded: Service) -> None:
    users = guarded.qa.library.users
    session = users.issue("alice", KeyKind.SESSION, label="", seconds=60)
    old = users.issue("alice", KeyKind.TOKEN, label="", seconds=-1)
    with guarded.client() as client:
        for secret in (session, old, "hmt_guess"):
            assert client.get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
        cookie = {"Cookie": f"hmt_qa_session={guarded.token('alice')}"}
        assert client.get("/v1/models", headers=cookie).status_code == 401


def test_another_site_cannot_use_a_session(guarded: Service) -> None:
    with guarded.client() as client:
        log_in(client, "alice")
        evil = {"Origin": "http://evil.example"}
        (document,) = client.get("/api/v1/documents").json()["documents"]
        assert client.delete(f"/api/v1/documents/{document['id']}", headers=evil).status_code == 403
        assert client.post("/logout", headers=evil).status_code == 403
        assert client.post("/login", data={"name": "a"}, headers=evil).status_code == 403
        assert client.get("/api/v1/documents").status_code == 200


def foreign_requests(guarded: Service) -> list[tuple[str, str, object]]:
    """Every route that takes an id, with one of alice's."""
    with guarded.client(guarded.token("alice")) as client:
        document = client.get("/api/v1/documents").json()["documents"][0]["id"]
        job = client.get("/api/v1/jobs").json()["jobs"][0]["id"]
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    filled = []
    for path, methods in paths.items():
        if "{document}" in path or "{job}" in path:
            whole = path.format(document=document, job=job, page=1)
            filled += [(method.upper(), whole, {"title": "Mine"}) for method in methods]
    filled += [("POST", f"/api/v1/{what}", {"question": "Who?", "documents": [document]}) for what in ("ask", "search")]
    filled.append(("POST", "/api/v1/ask/stream", {"question": "Who?", "documents": [document[:6]]}))
    filled.append(("GET", f"/api/v1/heat?question=a&document={document}", None))
    filled.append(("GET", f"/api/v1/documents/{document[:4]}", None))
    return filled


def test_a_foreign_id_is_not_found_on_every_route(guarded: Service) -> None:
    asked = foreign_requests(guarded)
    assert len(asked) >= 12
    with guarded.client(guarded.token("bob")) as client:
        for method, path, body in asked:
            answer = client.request(method, path, json=body if method in {"POST", "PATCH"} else None)
            assert answer.status_code == 404, (method, path, answer.text)
        assert client.get("/api/v1/documents").json()["documents"] == []
        assert client.get("/api/v1/jobs").json() == {"jobs": [], "waiting": [], "failures": {}}
        assert client.post("/api/v1/search", json={"question": "vault"}).status_code == 409
        assert client.get("/api/v1/documents?collection=alice/default").json()["documents"] == []
    with guarded.client(guarded.token("alice")) as client:
        assert client.get("/api/v1/documents").json()["documents"][0]["title"] == "Alice's plan"


def test_the_same_file_of_two_users_is_two_documents(guarded: Service) -> None:
    with guarded.client(guarded.token("alice")) as alice, guarded.client(guarded.token("bob")) as bob:
        hers, his = (upload(one, "shared.txt", "The gate is red.\n" * 9) for one in (alice, bob))
        assert hers["id"] != his["id"]
        assert hers["collection"] == his["collection"] == "default"
        assert len(list((guarded.home / "uploads").glob("@*/*/shared.txt"))) == 2
        assert alice.delete(f"/api/v1/documents/{hers['id']}").status_code == 204
        assert bob.get(f"/api/v1/documents/{his['id']}").status_code == 200
        assert bob.delete(f"/api/v1/documents/{his['id']}").status_code == 204
    assert not list((guarded.home / "uploads").glob("@*/*/shared.txt"))


def test_a_collection_of_somebody_else_cannot_be_named(guarded: Service) -> None:
    with guarded.client(guarded.token("bob")) as bob:
        for name in ("alice/default", "../alice", " ", "x" * 65, "a\x00b"):
            answer = bob.post("/api/v1/documents", files={"file": ("a.txt", b"x")}, data={"collection": name})
            assert answer.status_code == 422, name


def test_guessed_passwords_are_slowed_down(engine: LocalEngine, tmp_path: Path) -> None:
    with service(engine, tmp_path, "alice") as guessed:
        with guessed.client() as client:
            wrong = [log_in(client, "nobody", f"guess number {number}").status_code for number in range(WRONG + 1)]
            assert wrong == [401] * WRONG + [429]
            assert log_in(client, "alice").status_code == 429  # the same address
        with guessed.client(guessed.token("alice")) as client:
            assert client.get("/api/v1/documents").status_code == 200


def test_conversations_are_their_owners(guarded: Service) -> None:
    hers, his = (guarded.qa.owned_by(name) for name in ("alice", "bob"))
    talk = hers.new_conversation()
    assert [one.id for one in hers.conversations()] == [talk.id]
    assert his.conversations() == guarded.qa.conversations() == []
    hers.remove_conversation(talk.id)


def test_an_address_that_others_reach_needs_users_or_a_word() -> None:
    require_safe("127.0.0.1", login=False, allow_unauthenticated=False)
    require_safe("0.0.0.0", login=True, allow_unauthenticated=False)  # noqa: S104 - what is tested
    require_safe("0.0.0.0", login=False, allow_unauthenticated=True)  # noqa: S104 - what is tested
    with pytest.raises(AddressRefused, match="hmt-qa user add"):
        require_safe("192.168.1.2", login=False, allow_unauthenticated=False)


def test_passwords_are_kept_as_argon2_hashes_only() -> None:
    kept = passwords.hashed(PASSWORD)
    assert re.match(r"\$argon2id\$", kept)
    assert passwords.matches(PASSWORD, kept)
    assert not passwords.matches(PASSWORD + "x", kept)
    assert not passwords.matches("a password that nobody has", None)
    for unsuited in ("short", "x" * 300):
        with pytest.raises(UserUnsuited):
            passwords.hashed(unsuited)
