"""Documents side by side: each has the bytes that it has alone, in whatever company and from wherever it goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.types import Segment
from tests.hmt_qa.models import random_segments

WINDOW = 3


@pytest.fixture
def fresh(checkpoint) -> Callable[..., LocalEngine]:
    return lambda **choice: LocalEngine(checkpoint, **({"device": "cpu", "dtype": "float32"} | choice))


def read(engine: LocalEngine, segments: list[Segment], rows: list[bytes] | None = None, committed: int = 0):
    tail = b"".join((rows or [])[:committed][-WINDOW:])
    return [row for _, row in engine.read(iter(segments), committed=committed, tail=tail)]


def documents(count: int) -> list[list[Segment]]:
    return [random_segments(3 + 4 * number % 11, last=1 + number, seed=number) for number in range(count)]


@pytest.mark.parametrize("rows", [None, 2, 4])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_side_by_side_a_document_has_the_bytes_that_it_has_alone(fresh, rows, dtype):
    engine, many = fresh(rows=rows, dtype=dtype), documents(9)
    alone = [read(engine, segments) for segments in many]
    with engine.together(len(many), workers=6) as lanes:
        assert lanes.count == 6
        with ThreadPoolExecutor(lanes.count, initializer=lanes.join) as threads:
            assert list(threads.map(lambda segments: read(engine, segments), many)) == alone
            # and those that were stopped go on, in other company
            resumed = threads.map(lambda pair: read(engine, pair[0], pair[1], 2), zip(many, alone, strict=True))
            assert list(resumed) == [rows[2:] for rows in alone]
    assert {len(one) for one in alone} == {len(one) for one in many}


def test_a_fixed_number_of_rows_is_part_of_the_setting(fresh):
    assert fresh(rows=4).setting == fresh().setting + " rows=4"


def test_where_company_would_change_bits_each_document_is_read_alone(fresh, monkeypatch):
    engine, many = fresh(), documents(6)
    alone = [read(engine, segments) for segments in many]
    memorise, shapes = engine.model.memorise, []

    def sloppy(segments, prompt_BMD, sensory):
        shapes.append(len(prompt_BMD))
        return memorise(segments, prompt_BMD, sensory) + (len(prompt_BMD) - 1) * 1e-6

    monkeypatch.setattr(engine.model, "memorise", sloppy)
    # One stream, so that rows wait for each other.
    with engine.together(6) as lanes, ThreadPoolExecutor(6, initializer=lanes.join) as threads:
        assert list(threads.map(lambda segments: read(engine, segments), many)) == alone
    assert shapes.count(2) == 1


def test_threads_are_shared_out_and_given_back(fresh):
    engine, before = fresh(), torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with engine.together(2) as lanes, ThreadPoolExecutor(1, initializer=lanes.join) as threads:
            assert "threads=2 " in threads.submit(lambda: engine.setting).result()
        assert torch.get_num_threads() == 4
        with engine.together(1) as lanes, ThreadPoolExecutor(1, initializer=lanes.join) as threads:
            assert (lanes.count, threads.submit(torch.get_num_threads).result()) == (1, 4)
    finally:
        torch.set_num_threads(before)


def test_the_meter_counts_what_was_read(fresh):
    engine = fresh()
    read(engine, random_segments(3, last=5))
    assert engine.meter.tokens == 16 + 16 + 5
    assert 0 < engine.meter.share <= 1
