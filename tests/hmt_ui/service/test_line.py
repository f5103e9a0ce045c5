"""The line before the model, and what slows down whoever guesses."""

from __future__ import annotations

import asyncio

import pytest

from hmt_qa.errors import TooManyLogins, TooManyWaiting
from hmt_ui.service.line import Line, Ticket
from hmt_ui.service.throttle import WRONG, Throttle


def test_first_come_first_served_and_who_leaves_makes_room() -> None:
    line = Line(longest=2)
    first, second, third = (line.enter() for _ in range(3))
    assert [ticket.turn.done() for ticket in (first, second, third)] == [True, False, False]
    assert [line.before(ticket) for ticket in (first, second, third)] == [0, 1, 2]
    with pytest.raises(TooManyWaiting):
        line.enter()
    line.leave(second)
    assert (line.before(third), line.waiting) == (1, 1)
    line.leave(first)
    assert third.turn.done()
    line.leave(third)
    line.leave(third)
    assert line.waiting == 0


def test_whoever_waits_is_told_how_many_are_before() -> None:
    line = Line(longest=9)
    ahead = [line.enter() for _ in range(3)]

    async def wait(ticket: Ticket) -> list[int]:
        told = []
        async for before in ticket.positions():
            told.append(before)
            line.leave(ahead.pop(0))
        return told

    with asyncio.Runner() as runner, line.enter() as ticket:
        assert runner.run(wait(ticket)) == [3, 2, 1]


def test_an_error_of_the_first_lets_the_second_go() -> None:
    line = Line(longest=9)

    def fail() -> None:
        with line.enter():
            waiting.append(line.enter())
            raise ZeroDivisionError

    waiting: list[Ticket] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert waiting[0].turn.done()


def test_wrong_passwords_count_by_name_and_by_address_until_one_is_right_or_time_has_passed() -> None:
    throttle = Throttle(wait_seconds=60)
    for _ in range(WRONG):
        throttle.check("name a", "address 1")
        throttle.wrong("name a", "address 1")
    for keys in (("name a", "address 2"), ("name b", "address 1")):
        with pytest.raises(TooManyLogins):
            throttle.check(*keys)
    throttle.check("name b", "address 2")
    throttle.right("name a", "address 1")
    throttle.check("name a", "address 1")

    forgetful = Throttle(wait_seconds=0)
    for _ in range(WRONG):
        forgetful.wrong("name a")
    forgetful.check("name a")
