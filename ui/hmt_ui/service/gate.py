"""Decides whose a request is, in front of every route: a session's cookie, a token, or whoever runs the server."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hmt_qa.errors import NotLoggedIn
from hmt_qa.ports import Users
from hmt_qa.types import KeyKind, User
from hmt_ui.service import problems
from hmt_ui.service.visitor import Visitor, admit

COOKIE = "hmt_qa_session"
LOGIN = "/login"
PUBLIC = frozenset({LOGIN, "/api/v1/health"})


class Gate:
    """Lets known visitors in, and sends browsers to the login page. Once there are users, everyone logs in.

    It stays so when the last user is removed while the server runs.
    """

    def __init__(self, app: ASGIApp, *, users: Users) -> None:
        self._app = app
        self._users = users
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visitor = await run_in_threadpool(self._visitor, Headers(scope=scope))
        if visitor is None and scope["path"] not in PUBLIC:
            await _turn_away(scope, receive, send)
            return
        if visitor is not None:
            admit(scope, visitor)
        await self._app(scope, receive, send)

    def _visitor(self, headers: Headers) -> Visitor | None:
        self._closed = self._closed or self._users.exist()
        if not self._closed:
            return Visitor()
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return _named(self._users.holder(secret.strip(), KeyKind.TOKEN))
        return _named(self._users.holder(session_of(headers), KeyKind.SESSION))


def session_of(headers: Headers) -> str:
    """The session's secret; empty where there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _named(user: User | None) -> Visitor | None:
    return Visitor(user.name) if user else None


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        await RedirectResponse(LOGIN, status_code=303)(scope, receive, send)
        return
    error = NotLoggedIn(
        "This needs a login.", remedy="Send a token: Authorization: Bearer TOKEN (`hmt-qa user token`)."
    )
    answer = problems.answered(scope["path"], problems.of(error), {"WWW-Authenticate": "Bearer"})
    await answer(scope, receive, send)
