"""Groups of documents gather into passes: full where they may be, never idle, and each failure its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from hmt_qa.lanes import Meter
from hmt_qa.reading.convoy import UNDER_WAY, Convoy, Group


@dataclass(eq=False)
class SlowPass:
    """Ends when it is told to."""

    groups: Sequence[Group]
    over: threading.Event = field(default_factory=threading.Event)
    seconds: float = 0.5

    def wait(self) -> None:
        assert self.over.wait(10)

    def memories(self, row: int) -> list[bytes]:
        (mine,) = (group for group in self.groups if group.row == row)
        if [99] in mine.ids:
            raise ValueError("ninety-nine")
        return [bytes(ids) for ids in mine.ids]


class Device:
    """Launches passes that go on until the test ends them; `at_once` ones are over as they begin."""

    def __init__(self, rows: int, *, at_once: bool = False, broken: bool = False) -> None:
        self.rows, self.at_once, self.broken = rows, at_once, broken
        self.passes: list[SlowPass] = []

    def launch(self, groups: Sequence[Group]) -> SlowPass:
        if self.broken:
            raise MemoryError("full")
        assert sum(not one.over.is_set() for one in self.passes) < UNDER_WAY
        self.passes.append(SlowPass(list(groups)))
        if self.at_once:
            self.passes[-1].over.set()
        return self.passes[-1]

    @property
    def seen(self) -> list[list[int]]:
        return [sorted(ids for group in one.groups for (ids,) in group.ids) for one in self.passes]


def test_the_first_group_does_not_wait_and_the_next_pass_waits_for_everyone():
    device = Device(3)
    convoy = Convoy(device, Meter())
    with convoy.row() as one, convoy.row() as other, convoy.row() as third:
        convoy.submit(Group(one, [[1]]))
        assert device.seen == [[1]]
        convoy.submit(Group(other, [[2]]))
        convoy.submit(Group(third, [[3]]))
        assert device.seen == [[1]]  # a pass is under way, and document one may still have more
        convoy.submit(Group(one, [[4]]))
        assert device.seen == [[1], [2, 3, 4]]


def test_no_more_passes_are_queued_than_there_are_buffers_for():
    device = Device(1)
    convoy = Convoy(device, Meter())
    with ThreadPoolExecutor(1) as threads, convoy.row() as row:
        groups = [convoy.submit(Group(row, [[number]])) for number in range(3)]
        assert device.seen == [[0], [1]]
        fourth = threads.submit(convoy.submit, Group(row, [[3]]))
        device.passes[0].over.set()
        for number in (1, 2):
            while len(device.passes) <= number + 1 and not fourth.done():
                threading.Event().wait(0.001)
            device.passes[number].over.set()
        assert convoy.memories(groups[2]) == [b"\x02"]
        assert [convoy.memories(group) for group in groups[:2]] == [[b"\x00"], [b"\x01"]]
        device.passes[-1].over.set()
        assert convoy.memories(fourth.result(10)) == [b"\x03"]


def test_a_document_that_ends_is_not_waited_for_and_gives_its_row_to_the_next():
    device = Device(2)
    convoy = Convoy(device, Meter())
    with convoy.row() as one:
        with convoy.row() as other:
            convoy.submit(Group(other, [[1]]))
            convoy.submit(Group(one, [[2]]))
            assert device.seen == [[1]]
        assert device.seen == [[1], [2]]
        with convoy.row() as again:
            assert again == other


def test_more_documents_than_rows_wait_for_a_row():
    device = Device(2, at_once=True)
    convoy, inside = Convoy(device, Meter()), []

    def document(number: int) -> bytes:
        with convoy.row() as row:
            inside.append(row)
            assert len(inside) <= 2
            read = convoy.memories(convoy.submit(Group(row, [[number]])))[0]
            inside.remove(row)
            return read

    with ThreadPoolExecutor(7) as threads:
        assert list(threads.map(document, range(20))) == [bytes([number]) for number in range(20)]
    assert all(len(one.groups) <= 2 for one in device.passes)


def test_what_fails_fails_for_those_it_concerns():
    convoy = Convoy(Device(2, at_once=True), Meter())
    with convoy.row() as one, convoy.row() as other:
        bad, good = convoy.submit(Group(one, [[99]])), convoy.submit(Group(other, [[14]]))
        with pytest.raises(ValueError, match="ninety-nine"):
            convoy.memories(bad)
        assert convoy.memories(good) == [bytes([14])]


def test_a_pass_that_cannot_begin_fails_for_those_in_it_and_the_next_one_begins():
    device = Device(1, at_once=True, broken=True)
    convoy = Convoy(device, Meter())
    with convoy.row() as row:
        group = convoy.submit(Group(row, [[1]]))
        with pytest.raises(MemoryError, match="full"):
            convoy.memories(group)
        device.broken = False
        assert convoy.memories(convoy.submit(Group(row, [[2]]))) == [b"\x02"]


def test_the_meter_has_the_time_that_passes_took():
    meter = Meter()
    convoy = Convoy(Device(1, at_once=True), meter)
    with convoy.row() as row:
        for number in range(4):
            convoy.memories(convoy.submit(Group(row, [[number]])))
    assert meter.busy == 4 * 0.5
