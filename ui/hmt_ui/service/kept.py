"""Keeps the page's own parts in memory, compressed as they were sent first: a view asks for some seventy of them."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARTS = "/assets/"
"""Gradio's scripts and styles; their names have a digest of the content in them, so what is kept never grows old."""
_MOST = 512
_CODINGS = ("br", "gzip")


class Kept:
    """Answers for a part from memory from the second time on; every other request goes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[tuple[str, tuple[str, ...]], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PARTS):
            await self._app(scope, receive, send)
            return
        accepted = Headers(scope=scope).get("accept-encoding", "")
        key = (scope["path"], tuple(coding for coding in _CODINGS if coding in accepted))
        if key in self._kept:
            for message in self._kept[key]:
                await send(dict(message))
            return
        said: list[Message] = []

        async def overheard(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["Cache-Control"] = "private, max-age=31536000, immutable"
            said.append(dict(message))
            await send(message)

        await self._app(scope, receive, overheard)
        whole = bool(said) and not said[-1].get("more_body", False)
        if whole and said[0].get("status") == 200 and len(self._kept) < _MOST:
            self._kept[key] = said
