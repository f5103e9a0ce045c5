"""The line of questions in front of the one model: first come, first served, and each knows how many are before it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Self

from hmt_qa.errors import TooManyWaiting

LOOK_SECONDS = 0.25
"""How often somebody who waits is told where in the line that is."""


class Line:
    """Lets one question at a time to the model; safe to use from several threads and event loops."""

    def __init__(self, *, longest: int) -> None:
        self._longest = longest
        self._tickets: deque[Ticket] = deque()
        self._lock = threading.Lock()

    def enter(self) -> Ticket:
        """A place at the end; raises `TooManyWaiting`. Leave it, by `with`, when the model is free for the next."""
        with self._lock:
            if len(self._tickets) > self._longest:
                raise TooManyWaiting(
                    f"{self._longest} questions wait already.", subject=self._longest, remedy="Ask again in a moment."
                )
            ticket = Ticket(self)
            self._tickets.append(ticket)
            self._admit()
        return ticket

    @property
    def waiting(self) -> int:
        """How many wait, without the one that is at the model."""
        with self._lock:
            return max(len(self._tickets) - 1, 0)

    def before(self, ticket: Ticket) -> int:
        """How many come before this one, that at the model among them."""
        with self._lock:
            return self._tickets.index(ticket) if ticket in self._tickets else 0

    def leave(self, ticket: Ticket) -> None:
        """Give the place up."""
        with self._lock:
            with suppress(ValueError):
                self._tickets.remove(ticket)
            self._admit()

    def _admit(self) -> None:
        if self._tickets and not self._tickets[0].turn.done():
            self._tickets[0].turn.set_result(None)


class Ticket:
    """One place in the line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.turn: Future[None] = Future()

    async def positions(self) -> AsyncIterator[int]:
        """How many are before us, each time that changes; ends when it is our turn."""
        told = 0
        coming = asyncio.wrap_future(self.turn)
        while not coming.done():
            if (before := self._line.before(self)) != told:
                told = before
                yield before
            await asyncio.wait([coming], timeout=LOOK_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.leave(self)
