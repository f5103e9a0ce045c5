"""One question on its way through the line to the model and back, for every route that asks or searches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from hmt_qa import awaiting
from hmt_qa.errors import HungUp
from hmt_qa.types import Answer
from hmt_ui.service.desk import Desk

T = TypeVar("T")


Gone = Callable[[], Awaitable[bool]]
"""Whether whoever asked has hung up."""


async def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Queued:
    """So many questions are before this one."""

    before: int


async def answering(desk: Desk, stream: Iterator[str | Answer]) -> AsyncGenerator[Queued | str | Answer]:
    """Places in the line while it waits, then what `stream` yields; closed, the model stops and the place is free.

    `stream` is not begun before its turn. Raises `TooManyWaiting`, and what the stream raises.
    """
    try:
        with desk.line.enter() as ticket:
            async for before in ticket.positions():
                yield Queued(before)
            await asyncio.to_thread(desk.warming.wait)
            async with aclosing(awaiting.items(stream)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        desk.figures.answered(piece)
                    yield piece
    except Exception:
        desk.figures.failed()
        raise


async def answer(desk: Desk, stream: Iterator[str | Answer], *, gone: Gone = _never) -> Answer:
    """The whole answer; raises `HungUp` as soon as nobody waits for it any more, and the model stops."""
    async with aclosing(answering(desk, stream)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
            if await gone():
                raise HungUp("Nobody waits for the answer any more.")
    raise AssertionError("a stream ends with an Answer")


async def alone(desk: Desk, work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread when its turn has come; raises `TooManyWaiting`."""
    with desk.line.enter() as ticket:
        async for _ in ticket.positions():
            pass
        await asyncio.to_thread(desk.warming.wait)
        return await asyncio.to_thread(work)
