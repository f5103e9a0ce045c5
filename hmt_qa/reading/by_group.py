"""Reading on a GPU: groups of segments of many documents in passes of one shape, a group ahead of what is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from hmt_qa.reading.groups import SUMMARY_BATCH, groups_from
from hmt_qa.types import Segment

if TYPE_CHECKING:
    from hmt_qa.engine import LocalEngine
    from hmt_qa.reading.convoy import Convoy, Group


class GroupReader:
    """Reads documents for as many threads as call it, `rows` of them at once; who is not there is padding."""

    def __init__(self, engine: LocalEngine, *, rows: int) -> None:
        self._engine, self.rows = engine, rows
        self._lock = threading.Lock()

    @property
    def setting(self) -> str:
        """What a memory's last bits depend on here; on a GPU the weights are loaded to know it."""
        return f" rows={self.rows}" + (" fused" if self._engine.fused is not None else "")

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        """See `hmt_qa.ports.MemoryReader.read`.

        The next group is handed over before this one's memories are asked for: the state between them never leaves the
        device, and what is yielded is stored while the device is busy.
        """
        with self._convoy.row() as row:
            ahead: tuple[list[Segment], Group] | None = None
            for group, before in groups_from(segments, committed, self._engine.config.sensory_length):
                new = [segment for segment in group if segment.number >= committed]
                submitted = self._convoy.submit(self._group(row, group, new, before, tail, begins=ahead is None))
                if ahead is not None:
                    yield from self._read(*ahead)
                ahead = new, submitted
            if ahead is not None:
                yield from self._read(*ahead)

    def _group(
        self, row: int, group: list[Segment], new: list[Segment], before: tuple[int, ...], tail: bytes, *, begins: bool
    ) -> Group:
        from hmt_qa.model.board import Start
        from hmt_qa.reading.convoy import Group

        bank_NMD = self._engine.rows(tail, self._engine.hidden) if begins else None
        start = None if bank_NMD is None else Start(bank_NMD, new[0].number, before)
        left_out = len(group) - len(new)
        return Group(row, [()] * left_out + [segment.token_ids for segment in new], start)

    def _read(self, new: list[Segment], submitted: Group) -> Iterator[tuple[Segment, bytes]]:
        memories = self._convoy.memories(submitted)
        left_out = len(submitted.ids) - len(new)
        for segment, memory in zip(new, memories[left_out:], strict=False):
            self._engine.meter.count(len(segment.token_ids))
            yield segment, memory

    @property
    def _convoy(self) -> Convoy:
        with self._lock:  # threads that begin together share one
            return self._made

    @cached_property
    def _made(self) -> Convoy:
        from hmt_qa.model.board import Board
        from hmt_qa.reading.convoy import BoardLauncher, Convoy

        board = Board(self._engine.model, rows=self.rows, group=SUMMARY_BATCH, fused=self._engine.fused)
        return Convoy(BoardLauncher(board), self._engine.meter)
