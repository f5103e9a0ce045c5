"""The server's own ways: how its answers leave the machine."""

from __future__ import annotations

import asyncio
import re
import socket

import httpx

from hmt_ui.service.server import listening
from tests.hmt_ui.service.conftest import Service


def test_small_answers_are_sent_at_once_and_not_held_back_for_the_next() -> None:
    async def accepted() -> int:
        sent_at_once: asyncio.Queue[int] = asyncio.Queue()

        async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            sent_at_once.put_nowait(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listening("127.0.0.1", 0) as listener:
            async with await asyncio.start_server(visited, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                found = await sent_at_once.get()
                writer.close()
                await writer.wait_closed()
        return found

    with asyncio.Runner() as runner:
        assert runner.run(accepted())


def test_the_pages_parts_are_the_same_from_memory_and_a_browser_may_keep_them(client: httpx.Client) -> None:
    (part, *_) = re.findall(r"assets/index-[\w-]+\.js", client.get("/").text)
    for accepted in ("gzip", "identity"):
        first, second = (client.get(f"/{part}", headers={"Accept-Encoding": accepted}) for _ in range(2))
        assert first.content == second.content
        assert len(second.content) > 10_000
        for name in ("content-encoding", "content-type", "content-security-policy", "cache-control"):
            assert first.headers.get(name) == second.headers.get(name)
        assert "immutable" in second.headers["cache-control"]
        assert second.headers.get("content-encoding", "identity") == accepted
    assert [client.get("/assets/no-such-part.js").status_code for _ in range(2)] == [404, 404]


def test_the_pages_parts_are_for_those_who_have_logged_in(guarded: Service) -> None:
    with guarded.client(guarded.token("alice")) as alice, guarded.client() as stranger:
        (part, *_) = re.findall(r"assets/index-[\w-]+\.js", alice.get("/").text)
        assert alice.get(f"/{part}").status_code == 200
        assert stranger.get(f"/{part}").status_code == 401
