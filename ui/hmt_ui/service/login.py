"""The login page, and what it sends: a session's cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hmt_qa.errors import TooManyLogins
from hmt_qa.types import KeyKind
from hmt_ui import passwords
from hmt_ui.service.desk import Desk, TheDesk
from hmt_ui.service.gate import COOKIE, LOGIN, session_of

SESSION_SECONDS = 12 * 3600.0
WRONG = "Name or password is wrong."
_PAGE = Path(__file__).with_name("login.html").read_text(encoding="utf-8")

router = APIRouter(include_in_schema=False)
Field = Annotated[str, Form(max_length=1_000)]


@router.get(LOGIN)
def page() -> HTMLResponse:
    """The form."""
    return _page("")


@router.post(LOGIN)
def log_in(request: Request, desk: TheDesk, name: Field = "", password: Field = "") -> Response:
    """A session for the right password; each wrong one counts, by name and by address."""
    keys = (f"name {name}", f"address {request.client.host if request.client else ''}")
    try:
        desk.throttle.check(*keys)
    except TooManyLogins as problem:
        return _page(str(problem), status=429)
    if not passwords.matches(password, desk.qa.library.users.password_hash(name)):
        desk.throttle.wrong(*keys)
        return _page(WRONG, status=401)
    desk.throttle.right(*keys)
    return _with_session(request, desk, name)


@router.post("/logout")
def log_out(request: Request, desk: TheDesk) -> Response:
    """End the session."""
    desk.qa.library.users.revoke(session_of(request.headers))
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _with_session(request: Request, desk: Desk, name: str) -> Response:
    secret = desk.qa.library.users.issue(name, KeyKind.SESSION, label="login page", seconds=SESSION_SECONDS)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _page(problem: str, *, status: int = 200) -> HTMLResponse:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(_PAGE.replace("<!-- problem -->", said), status_code=status)
