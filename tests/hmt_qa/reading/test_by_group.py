"""Reading by groups in passes of fixed shape: the paper's memories, the same bits alone, in company and read on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
import torch

from hmt_qa.engine import LocalEngine
from hmt_qa.model.capturing import Capture
from hmt_qa.types import Segment
from tests.hmt_qa.model.literal import read_literally
from tests.hmt_qa.models import random_segments, segments_of

WINDOW = 3
ON_GPU = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
)
DEVICES = ["cpu", ON_GPU]


def read(engine: LocalEngine, segments: Sequence[Segment], committed: int = 0, rows: Sequence[bytes] = ()):
    tail = b"".join(rows[:committed][-WINDOW:])
    return [row for _, row in engine.read(iter(segments), committed=committed, tail=tail)]


def flat(segments: Sequence[Segment]) -> list[int]:
    return [token for segment in segments for token in segment.token_ids]


def short_segments(count: int, *, seed: int) -> list[Segment]:
    """Of one token to a whole segment, as code that ends at definitions may be."""
    chance = random.Random(seed)  # noqa: S311 (test data)
    return segments_of([[chance.randrange(16384) for _ in range(chance.randint(1, 16))] for _ in range(count)])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_memories_are_those_of_the_papers_equations(checkpoint, device, rows):
    engine = LocalEngine(checkpoint, device=device, dtype="float32", rows=rows)
    exact = LocalEngine(checkpoint, device="cpu", dtype="float32")
    for one in (engine, exact):
        one.model.double()
    segments = random_segments(19, last=7)
    expected = torch.stack(read_literally(exact.model, flat(segments)).memories)
    got = torch.frombuffer(bytearray(b"".join(read(engine, segments))), dtype=torch.float64)
    torch.testing.assert_close(got.view_as(expected), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_document_read_on_from_anywhere_is_the_same_also_where_segments_are_short(checkpoint, device, dtype):
    engine = LocalEngine(checkpoint, device=device, dtype=dtype, rows=2)
    segments = short_segments(18, seed=1)
    whole = read(engine, segments)
    for committed in range(len(segments) + 1):
        assert read(engine, segments, committed, whole) == whole[committed:], committed


def test_short_segments_are_read_on_by_single_steps_too(checkpoint):
    engine = LocalEngine(checkpoint, device="cpu", dtype="float32")
    segments = short_segments(12, seed=2)
    whole = read(engine, segments)
    for committed in range(len(segments) + 1):
        assert read(engine, segments, committed, whole) == whole[committed:], committed


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rows", [3, 8])
def test_company_and_place_in_a_pass_change_no_bit(checkpoint, device, rows):
    engine = LocalEngine(checkpoint, device=device, dtype="bfloat16", rows=rows)
    many = [random_segments(2 + 5 * number % 17, last=1 + number, seed=number) for number in range(11)]
    alone = [read(engine, segments) for segments in many]
    for _ in range(2):
        with engine.together(len(many)) as lanes, ThreadPoolExecutor(lanes.count, initializer=lanes.join) as threads:
            assert list(threads.map(lambda segments: read(engine, segments), many)) == alone


def test_trial_runs_before_a_pass_is_recorded_leave_no_trace(checkpoint, monkeypatch):
    segments = random_segments(11, seed=4)
    expected = read(LocalEngine(checkpoint, device="cpu", dtype="float32", rows=2), segments)
    tried: list[Capture] = []

    def prepare(self: Capture) -> None:
        if self not in tried:  # as on a GPU, where a graph is recorded after some runs
            tried.append(self)
            for _ in range(3):
                self._work()

    monkeypatch.setattr(Capture, "prepare", prepare)
    assert read(LocalEngine(checkpoint, device="cpu", dtype="float32", rows=2), segments) == expected
    assert len(tried) == 1


def test_a_document_that_is_given_up_leaves_nothing_behind(checkpoint):
    engine = LocalEngine(checkpoint, device="cpu", dtype="float32", rows=1)
    segments, other = random_segments(30, seed=1), random_segments(9, seed=2)
    expected = read(engine, other)
    reading = engine.read(iter(segments), committed=0, tail=b"")
    list(islice(reading, 3))
    reading.close()
    assert read(engine, other) == expected


def test_no_more_than_a_group_is_read_ahead_of_what_was_taken(checkpoint):
    engine = LocalEngine(checkpoint, device="cpu", dtype="float32", rows=1)
    asked: list[int] = []

    def segments():
        for segment in random_segments(40):
            asked.append(segment.number)
            yield segment

    reading = engine.read(segments(), committed=0, tail=b"")
    next(reading)
    assert len(asked) == 16
    reading.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_recorded_pass_reads_as_the_same_pass_unrecorded(checkpoint, monkeypatch):
    from hmt_qa.model import capturing

    segments = random_segments(20, seed=3)
    recorded = read(LocalEngine(checkpoint, device="cuda", dtype="bfloat16", rows=2), segments)
    monkeypatch.setattr(capturing.Capture, "_recorded", lambda self: self._work)
    assert read(LocalEngine(checkpoint, device="cuda", dtype="bfloat16", rows=2), segments) == recorded


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_the_device_does_not_grow_with_the_document(checkpoint):
    engine = LocalEngine(checkpoint, device="cuda", dtype="bfloat16")
    read(engine, random_segments(20))
    peaks = []
    for count in (50, 1000):
        torch.cuda.reset_peak_memory_stats()
        read(engine, random_segments(count))
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] == peaks[0]
