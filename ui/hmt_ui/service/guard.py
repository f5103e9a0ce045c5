"""What a request must look like to reach the page, and what the browser may do with the answer; pure ASGI."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio compiles its templates at run time and writes inline scripts and styles: hence the two 'unsafe' words.
# What matters here is that nothing can be loaded from, or sent to, another host, and that nobody frames the page.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send forms of our own page with Origin: null
    "Cross-Origin-Resource-Policy": "same-origin",
}
_API = "/gradio_api"
_CLOSED = (
    "/monitoring",
    *(_API + path for path in ("/file", "/proxy=", "/vibe", "/info", "/openapi", "/runs", "/run-history")),
)


class Guard:
    """Lets through what comes from our own page at one of `hosts`; the rest gets 403, and closed doors 404.

    The host check keeps a foreign site from reaching this server through a name that it points at 127.0.0.1; the
    origin check keeps it from sending forms and files here.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http" or not self._welcome(Headers(scope=scope)):
            await _refuse(403, "Only this page itself may talk to its server.", scope, receive, send)
            return
        if scope["path"].startswith(_CLOSED):
            await _refuse(404, "Not here.", scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))

    def _welcome(self, headers: Headers) -> bool:
        address = headers.get("host", "")
        origin = headers.get("origin")
        return _name(address) in self._hosts and (origin is None or urlsplit(origin).netloc == address)


def _name(address: str) -> str:
    """The host without its port; empty where it makes no sense."""
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


async def _refuse(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await PlainTextResponse(reason, status_code=status)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
