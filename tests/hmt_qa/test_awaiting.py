"""Asynchronous use: the loop stays free, cancelling stops the work, and the work can go on later."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hmt_qa import awaiting
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import EmptyQuestion
from hmt_qa.types import Answer, IngestStatus, JobState
from tests.hmt_qa.library import open_qa, three_pages

QUESTION = "Who was born in Bergen?"


@pytest.fixture(scope="module")
def qa(tmp_path_factory: pytest.TempPathFactory, engine: LocalEngine) -> Iterator[DocumentQA]:
    home = tmp_path_factory.mktemp("home")
    with open_qa(home, engine) as opened:
        list(opened.ingest([three_pages(home / "harbour.txt", filler=1)]))
        yield opened


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(("hmt-await", "hmt-generate"))]


async def until_no_workers() -> None:
    deadline = time.monotonic() + 30
    while workers():
        assert time.monotonic() < deadline, workers()
        await asyncio.sleep(0.01)


async def test_awaited_answers_and_results_are_those_of_the_blocking_calls(qa):
    answer = await qa.aask(QUESTION, top=2)
    blocking = qa.ask(QUESTION, top=2)
    assert (answer.text, answer.citations) == (blocking.text, blocking.citations)
    assert await qa.asearch(QUESTION, top=3) == qa.search(QUESTION, top=3)
    *pieces, last = [item async for item in qa.astream(QUESTION, top=2)]
    assert isinstance(last, Answer)
    assert "".join(pieces).strip() == last.text


async def test_errors_come_to_whoever_awaits(qa):
    with pytest.raises(EmptyQuestion):
        await qa.aask(" ")
    with pytest.raises(EmptyQuestion):
        await anext(qa.astream(" "))


async def test_the_event_loop_stays_free_while_something_blocks():
    released = threading.Event()

    def blocking() -> Iterator[int]:
        released.wait(30)
        yield 1

    stream = awaiting.items(blocking())
    waiting = asyncio.ensure_future(anext(stream))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    released.set()
    assert await waiting == 1
    await stream.aclose()


async def test_one_thread_runs_an_iterator_from_the_first_item_to_its_end():
    seen: list[int] = []

    def watched() -> Iterator[int]:
        try:
            for number in range(100):
                seen.append(threading.get_ident())
                yield number
        finally:
            seen.append(threading.get_ident())

    stream = awaiting.items(watched())
    assert await anext(stream) == 0
    await stream.aclose()
    await until_no_workers()
    assert len(seen) == 2
    assert len({*seen, threading.get_ident()}) == 2


async def test_cancelling_returns_at_once_and_closes_the_work_where_it_is():
    begun, released, closed = threading.Event(), threading.Event(), threading.Event()

    def blocking() -> Iterator[int]:
        try:
            begun.set()
            released.wait(30)
            yield 1
            yield 2
        finally:
            closed.set()

    async def consume() -> None:
        async for _ in awaiting.items(blocking()):
            pytest.fail("nobody should get an item")

    task = asyncio.create_task(consume())
    await asyncio.to_thread(begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not closed.is_set()
    released.set()
    assert await asyncio.to_thread(closed.wait, 30)


async def test_cancelling_a_question_stops_the_model(qa):
    stream = qa.astream(QUESTION, top=2)
    await anext(stream)
    assert any(thread.name == "hmt-generate" for thread in workers())
    await stream.aclose()
    await until_no_workers()


async def test_cancelled_reading_stops_after_a_segment_and_goes_on_later(tmp_path: Path, engine: LocalEngine):
    path = three_pages(tmp_path / "long.txt", filler=12)
    with open_qa(tmp_path, engine) as qa:
        far_enough = asyncio.Event()
        loop = asyncio.get_running_loop()

        def observe(job) -> None:
            if job.segments_done == 5:
                loop.call_soon_threadsafe(far_enough.set)
            time.sleep(0.01)

        async def read() -> None:
            async for _ in qa.aingest([path], on_progress=observe):
                pytest.fail("it should have been cancelled")

        task = asyncio.create_task(read())
        await far_enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_no_workers()
        (job,) = qa.jobs()
        assert job.state is JobState.INTERRUPTED
        assert 5 <= job.segments_done < 60
        (result,) = [result async for result in qa.aingest([path])]
        assert result.status is IngestStatus.RESUMED
        assert result.segments > 60


async def test_a_text_is_read_without_a_file_and_left_alone_when_it_comes_again(tmp_path: Path, engine: LocalEngine):
    with open_qa(tmp_path, engine) as qa:
        document = await qa.aingest_text("The owl sleeps.", name="note 1", title="Owls", metadata={"by": ["me"]})
        assert (document.path, document.title, document.pages) == ("note 1", "Owls", 1)
        assert qa.library.text(document.id, 0, 99) == "The owl sleeps."
        assert qa.library.metadata(document.id) == {"by": ["me"]}
        assert qa.ingest_text("The owl sleeps.", name="note 1") == document
        assert qa.library.metadata(document.id) == {"by": ["me"]}
        changed = qa.ingest_text("The owl flies.", name="note 1", metadata={})
        assert changed.id == document.id
        assert qa.library.text(document.id, 0, 99) == "The owl flies."
        assert qa.library.metadata(document.id) == {}
        qa.remove(document.id)
        assert qa.ingest_text("The owl flies.", name="note 1").id == document.id
        assert qa.library.metadata(document.id) is None
