"""Rows of several lanes gather into passes; what fails, fails for those it concerns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from hmt_qa.lanes import LockStep, Meter


class Model:
    """Doubles numbers. The first pass begins, then waits until it is let go."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.began, self.go_on = threading.Event(), threading.Event()

    def read(self, rows: Sequence[int]) -> list[int]:
        self.passes.append(sorted(rows))
        self.began.set()
        assert self.go_on.wait(10)
        if 13 in rows:
            raise ValueError("thirteen")
        return [2 * row for row in rows]


def lock_step(model: Model, *, rows: int = 3, meter: Meter | None = None) -> LockStep[int, int]:
    return LockStep(model.read, shape=lambda row: row >= 100, rows=rows, streams=1, meter=meter or Meter())


def waiting(steps: LockStep[int, int], count: int) -> None:
    """Until so many rows wait."""
    while len(steps._waiting) < count:
        threading.Event().wait(0.001)


def test_while_the_model_is_busy_rows_of_a_shape_gather_for_the_next_pass():
    model = Model()
    steps = lock_step(model)
    with ThreadPoolExecutor(8) as lanes:
        first = lanes.submit(steps.step, 1)
        assert model.began.wait(10)
        rest = []
        for row in (2, 100, 3, 101, 4, 5):
            rest.append(lanes.submit(steps.step, row))
            waiting(steps, len(rest))
        model.go_on.set()
        assert [one.result(10) for one in (first, *rest)] == [2, 4, 200, 6, 202, 8, 10]
    assert model.passes == [[1], [2, 3, 4], [100, 101], [5]]


def test_what_a_pass_raises_is_raised_for_each_of_its_rows_and_for_no_other():
    model = Model()
    steps = lock_step(model, rows=2)
    with ThreadPoolExecutor(8) as lanes:
        first = lanes.submit(steps.step, 1)
        assert model.began.wait(10)
        rest = []
        for row in (13, 2, 3):
            rest.append(lanes.submit(steps.step, row))
            waiting(steps, len(rest))
        model.go_on.set()
        assert (first.result(10), rest[2].result(10)) == (2, 6)
        for one in rest[:2]:
            with pytest.raises(ValueError, match="thirteen"):
                one.result(10)
    assert steps.step(7) == 14


def test_the_meter_knows_which_part_of_the_time_the_model_was_busy():
    meter, pause = Meter(), threading.Event()
    assert (meter.tokens, meter.share) == (0, 0.0)
    with meter.counting(0.5):
        pause.wait(0.02)
    with meter.counting(1):
        pass
    pause.wait(0.02)
    with meter.counting(1):
        pass
    meter.count(10)
    assert meter.tokens == 10
    assert meter.seconds >= 0.04
    assert 0 < meter.share < 0.5
