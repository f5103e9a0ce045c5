"""Several documents through one model at once, in passes of a fixed shape; knows neither documents nor tensors.

Each document is read by a thread of its own, its *lane*. Whoever finds the model free takes along rows of other lanes
that wait, up to the rows of a pass: while it is busy others parse, tokenise and store, and it waits for none of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

MOST_STREAMS = 4
"""Passes at once on a CPU. A document that is left over has only its share of the cores: docs/decisions/0018."""
OPEN_AHEAD = 2
"""Documents kept open for each one that the model has room for: the others are parsed and stored meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Room for `count` documents at once; each thread that reads one calls `join` first."""

    count: int
    join: Callable[[], None]


class Meter:
    """How long the model was busy between its first pass and its last, and how many tokens it read; in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self.tokens = 0
            self.busy = 0.0
            self._began = self._ended = 0.0

    @property
    def seconds(self) -> float:
        """From the first pass to the end of the last one."""
        return self._ended - self._began

    @property
    def share(self) -> float:
        """Part of that time during which the model was busy, [0, 1]."""
        return self.busy / self.seconds if self.seconds else 0.0

    @contextmanager
    def counting(self, part: float) -> Iterator[None]:
        """Count the time of one pass, which has this part of the device."""
        began = time.perf_counter()
        try:
            yield
        finally:
            ended = time.perf_counter()
            with self._lock:
                self._began = self._began or began
                self._ended = max(self._ended, ended)
                self.busy += part * (ended - began)

    def passed(self, seconds: float) -> None:
        """Note a pass that has just ended, and how long it had the device to itself."""
        now = time.perf_counter()
        with self._lock:
            self._began = self._began or now - seconds
            self._ended = now
            self.busy += seconds

    def count(self, tokens: int) -> None:
        """Note that a document has these tokens behind it."""
        with self._lock:
            self.tokens += tokens


Row = TypeVar("Row")
Result = TypeVar("Result")


class LockStep(Generic[Row, Result]):
    """Gathers rows into passes of at most `rows`, of which at most `streams` go on at once; safe between threads.

    `read` gives a result for each row of a pass, all of one `shape`. What it raises is raised for each of them.
    """

    def __init__(
        self,
        read: Callable[[Sequence[Row]], Sequence[Result]],
        *,
        shape: Callable[[Row], object],
        rows: int,
        streams: int,
        meter: Meter,
    ) -> None:
        self._read, self._shape, self._rows, self._meter = read, shape, rows, meter
        self._streams = self._free = streams
        self._waiting: list[tuple[Row, Future[Result]]] = []
        self._changed = threading.Condition()

    def step(self, row: Row) -> Result:
        """The result of this row, once a pass has read it; the pass may be this thread's or another's."""
        mine: Future[Result] = Future()
        with self._changed:
            self._waiting.append((row, mine))
        while not mine.done():
            self._changed_until(lambda: mine.done() or (not mine.running() and self._take_stream()))
            if not mine.done():
                with self._held():
                    self._lead()
        return mine.result()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A pass of one's own."""
        self._changed_until(self._take_stream)
        with self._held():
            yield

    def _changed_until(self, happened: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(happened)

    def _take_stream(self) -> bool:
        """Have a stream, if one is free."""
        taken = self._free > 0
        self._free -= taken
        return taken

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Use the stream that was taken, and let others have it."""
        try:
            with self._meter.counting(1 / self._streams):
                yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _lead(self) -> None:
        """Read the row that waits longest and those of its shape; one's own may be among them, or stay for later."""
        with self._changed:
            shape = self._shape(self._waiting[0][0])
            taken = [one for one in self._waiting if self._shape(one[0]) == shape][: self._rows]
            for one in taken:
                self._waiting.remove(one)
                one[1].set_running_or_notify_cancel()
        try:
            for (_, future), result in zip(taken, self._read([row for row, _ in taken]), strict=True):
                future.set_result(result)
        except BaseException as problem:  # Ctrl-C, too, is for those who wait for this pass to hear
            for _, future in taken:
                future.set_exception(problem)
