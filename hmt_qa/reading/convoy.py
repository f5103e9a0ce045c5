"""Documents on one device in lock step: their groups of segments gather into passes that follow one another unbroken.

Shapes: R rows (documents) · G segments of a group · L tokens a segment · M memories a segment · D hidden size.

A pass is launched when every document that is being read has a group ready, or when the device has nothing to do. While
one is under way the next may wait behind it on the device, so that nobody waits for the host to prepare and to store.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from hmt_qa.lanes import Meter
from hmt_qa.model.board import Board, Start

UNDER_WAY = 2
"""Passes on the device at once: the one it is at, and the one behind."""


@dataclass(eq=False, slots=True)
class Group:
    """Segments of the document in `row`: their ids, none where a segment is not to be read. `start` where it begins."""

    row: int
    ids: Sequence[Sequence[int]]
    start: Start | None = None
    taken_by: Pass | None = field(default=None, repr=False)


class Pass(Protocol):
    """A pass that was launched."""

    def wait(self) -> None:
        """Until it has ended, well or not. Any thread may wait."""
        ...

    @property
    def seconds(self) -> float:
        """How long the device was at it; it has ended."""
        ...

    def memories(self, row: int) -> list[bytes]:
        """The G memory rows of a document's row, once it was waited for; raises what the pass raised."""
        ...


class Launcher(Protocol):
    """Who launches passes of up to `rows` documents, one after another."""

    rows: int

    def launch(self, groups: Sequence[Group]) -> Pass:
        """Begin a pass; at most `UNDER_WAY` of them have not been waited for."""
        ...


class Convoy:
    """Up to R documents, each read by a thread of its own; others wait for a row. Safe between threads."""

    def __init__(self, launcher: Launcher, meter: Meter) -> None:
        self._launcher, self._meter = launcher, meter
        self._free = list(range(launcher.rows))
        self._waiting: list[Group] = []
        self._under_way: deque[Pass] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def row(self) -> Iterator[int]:
        """A row of one's own."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            row = self._free.pop()
        try:
            yield row
        finally:
            with self._changed:
                self._waiting = [group for group in self._waiting if group.row != row]
                self._free.append(row)
                self._launch_where_due()
                self._changed.notify_all()

    def submit(self, group: Group) -> Group:
        """Have a group read as soon as may be; first the one before it in this row must be under way."""
        self._until(lambda: all(other.row != group.row for other in self._waiting))
        with self._changed:
            self._waiting.append(group)
            self._launch_where_due()
        return group

    def memories(self, group: Group) -> list[bytes]:
        """Memory rows of all segments of a group, once they are there; raises what its pass raised."""
        self._until(lambda: group.taken_by is not None and group.taken_by not in self._under_way)
        assert group.taken_by is not None  # noqa: S101
        return group.taken_by.memories(group.row)

    def _until(self, reached: Callable[[], bool]) -> None:
        """Wait for pass after pass; whoever finds one ended launches the next."""
        while True:
            with self._changed:
                self._launch_where_due()
                if reached():
                    return
                oldest = self._under_way[0]
            oldest.wait()
            self._ended(oldest)

    def _launch_where_due(self) -> None:
        everyone = self._launcher.rows - len(self._free)
        full = len(self._waiting) >= everyone and len(self._under_way) < UNDER_WAY
        if self._waiting and (full or not self._under_way):
            groups, self._waiting = self._waiting, []
            launched = self._launched(groups)
            for group in groups:
                group.taken_by = launched
            self._under_way.append(launched)
            self._changed.notify_all()

    def _launched(self, groups: Sequence[Group]) -> Pass:
        try:
            return self._launcher.launch(groups)
        except BaseException as problem:  # Ctrl-C, too, is for those who wait for this pass to hear
            return _Failed(problem)

    def _ended(self, awaited: Pass) -> None:
        with self._changed:
            if awaited in self._under_way:
                self._under_way.remove(awaited)
                self._meter.passed(awaited.seconds)
            self._launch_where_due()


@dataclass(frozen=True, slots=True)
class _Failed:
    """A pass that could not be launched."""

    problem: BaseException
    seconds: float = 0.0

    def wait(self) -> None:
        pass

    def memories(self, row: int) -> list[bytes]:
        raise self.problem


class BoardLauncher:
    """Passes of a board: ids go to the device and memories come from it in page-locked buffers, unawaited."""

    def __init__(self, board: Board) -> None:
        self.rows = board.rows
        self._board = board
        self._on_gpu = board.device.type == "cuda"
        self._stream = torch.cuda.Stream(board.device) if self._on_gpu else None
        self._buffers = deque(self._new_buffers() for _ in range(UNDER_WAY))

    def launch(self, groups: Sequence[Group]) -> _BoardPass:
        """See `Launcher`."""
        buffers = self._buffers[0]
        self._buffers.rotate()
        buffers.lengths_GR.zero_()
        for group in groups:
            buffers.fill(group)
        with torch.cuda.stream(self._stream):
            for group in groups:
                if group.start is not None:
                    self._board.place(group.row, group.start)
            return _BoardPass(self._board, buffers)

    def _new_buffers(self) -> _Buffers:
        board = self._board
        return _Buffers(
            *(
                torch.zeros(like.shape, dtype=like.dtype, pin_memory=self._on_gpu)
                for like in (board.ids_GRL, board.lengths_GR, board.memories_GRMD)
            )
        )


@dataclass(frozen=True, slots=True)
class _Buffers:
    """A pass's in- and output on the host."""

    ids_GRL: Tensor
    lengths_GR: Tensor
    memories_GRMD: Tensor

    def fill(self, group: Group) -> None:
        """Write a document's segments into its row."""
        for number, ids in enumerate(group.ids):
            self.ids_GRL[number, group.row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            self.lengths_GR[number, group.row] = len(ids)


class _BoardPass:
    """A pass queued on the board's stream."""

    def __init__(self, board: Board, buffers: _Buffers) -> None:
        self._clock = _Clock(board.device)
        self._buffers = buffers
        self._rows: list[list[bytes]] = []
        self._problem: Exception | None = None
        self._lock = threading.Lock()
        self._clock.start()
        board.ids_GRL.copy_(buffers.ids_GRL, non_blocking=True)
        board.lengths_GR.copy_(buffers.lengths_GR, non_blocking=True)
        board.read()
        buffers.memories_GRMD.copy_(board.memories_GRMD, non_blocking=True)
        self._clock.stop()

    def wait(self) -> None:
        """See `Pass`."""
        with self._lock:
            if self._rows or self._problem:
                return
            try:
                self._clock.wait()
            except RuntimeError as problem:  # of the device
                self._problem = problem
                return
            # The buffers are another pass's once this one is known to have ended.
            numbers_GRB = self._buffers.memories_GRMD.flatten(2).view(torch.uint8).numpy()
            self._rows = [[one.tobytes() for one in row_GB] for row_GB in numbers_GRB.swapaxes(0, 1)]

    @property
    def seconds(self) -> float:
        """See `Pass`."""
        return 0.0 if self._problem else self._clock.seconds

    def memories(self, row: int) -> list[bytes]:
        """See `Pass`."""
        if self._problem is not None:
            raise self._problem
        return self._rows[row]


class _Clock:
    """Times what is queued on a GPU between two calls, by its own events; on a CPU it is over when `stop` is called."""

    def __init__(self, device: torch.device) -> None:
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if device.type == "cuda" else []
        self._times = [0.0, 0.0]

    def start(self) -> None:
        self._mark(0)

    def stop(self) -> None:
        self._mark(1)

    def wait(self) -> None:
        if self._events:
            self._events[1].synchronize()

    @property
    def seconds(self) -> float:
        if self._events:
            return float(self._events[0].elapsed_time(self._events[1])) / 1000
        return self._times[1] - self._times[0]

    def _mark(self, which: int) -> None:
        if self._events:
            self._events[which].record()
        self._times[which] = time.perf_counter()
