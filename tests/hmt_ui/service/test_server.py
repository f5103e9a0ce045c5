"""The server's own ways: how its answers leave the machine."""

from __future__ import annotations

import asyncio
import socket

from hmt_ui.service.server import listening


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
