"""Lanes that read files side by side; results and progress come out in the thread that asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Empty, Queue

from hmt_ingest.line import BeingRead, Line
from hmt_ingest.walk import Found
from hmt_qa.lanes import Lanes
from hmt_qa.ports import ProgressObserver
from hmt_qa.types import IngestResult, Job

_PATIENT_SECONDS = 0.1


class SideBySide:
    """One thread a lane. Where nobody takes what they have to say, they wait, and so does the reading."""

    def __init__(self, lanes: Lanes, line: Line) -> None:
        self._lanes, self._line = lanes, line
        self._said: Queue[Job | IngestResult | BaseException | None] = Queue(maxsize=2 * lanes.count)
        self._stopping = threading.Event()

    def observe(self, job: Job) -> None:
        """What a lane calls after each segment; where nobody wants more, it ends the lane."""
        if self._stopping.is_set():
            raise _Stopped
        self._said.put(job)

    def results(
        self, take: Callable[[Found], IngestResult | None], *, on_progress: ProgressObserver
    ) -> Iterator[IngestResult]:
        """What `take` says of each file of the line, as it ends; what it raises ends all lanes and is raised here."""
        threads = [
            threading.Thread(target=self._lane, args=(take,), name=f"hmt-qa lane {number}", daemon=True)
            for number in range(self._lanes.count)
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._heard(len(threads), on_progress)
        finally:
            self._stop(threads)

    def _heard(self, lanes: int, on_progress: ProgressObserver) -> Iterator[IngestResult]:
        while lanes:
            said = self._said.get()
            if isinstance(said, Job):
                on_progress(said)
            elif isinstance(said, IngestResult):
                yield said
            elif said is None:
                lanes -= 1
            else:
                raise said

    def _stop(self, threads: list[threading.Thread]) -> None:
        """Each lane ends after its segment, with what it committed kept."""
        self._stopping.set()
        for thread in threads:
            while thread.is_alive():
                try:
                    self._said.get(timeout=_PATIENT_SECONDS)  # or it would wait for us to listen
                except Empty:
                    continue

    def _lane(self, take: Callable[[Found], IngestResult | None]) -> None:
        try:
            self._lanes.join()
            while not self._stopping.is_set() and (found := self._line.take()) is not None:
                try:
                    result = take(found)
                except BeingRead as other:
                    self._line.put_off(found, other.sha256)
                    continue
                if result is not None:
                    self._said.put(result)
        except _Stopped:
            pass
        except BaseException as problem:  # raised again where results are taken
            self._said.put(problem)
        finally:
            self._said.put(None)


class _Stopped(Exception):
    """Nobody takes results any more."""
