"""Blocking iterators as asynchronous ones: the event loop never waits, and cancelling stops the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar, cast

T = TypeVar("T")
_END = object()


class Stopped(BaseException):
    """Raised in the working thread, past every handler of errors, when nobody waits for its work any more."""


async def items(iterator: Iterator[T], *, stopping: Event | None = None) -> AsyncGenerator[T]:
    """What a blocking iterator yields, item by item; one thread of its own runs it from the first to the last.

    Cancelled or closed, this returns at once: `stopping` is set, and the iterator is closed in its own thread as soon
    as the item it is at is done.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="hmt-await")
    loop = asyncio.get_running_loop()
    try:
        while (item := await loop.run_in_executor(executor, next, iterator, _END)) is not _END:
            yield cast("T", item)
    finally:
        if stopping is not None:
            stopping.set()
        if isinstance(iterator, Generator):
            executor.submit(iterator.close)
        executor.shutdown(wait=False)
