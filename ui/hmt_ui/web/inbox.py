"""Uploaded files on their way into the library: one worker reads them, one after the other."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError
from hmt_qa.types import IngestStatus, Job, JobState
from hmt_ui.placing import discard, place, placed
from hmt_ui.web.warming import Warming

_log = logging.getLogger(__name__)

INTERNAL_ERROR = "Internal error; the server's log says more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of one upload: where it is kept, and whether the library holds it already."""

    path: Path
    known: bool


class Inbox:
    """Keeps uploads under a folder and ingests them in the order they came; safe to share between threads.

    What is in progress is in the library's job rows. This object only knows what has no row yet (`waiting`), and
    failures that were no fault of the file and so have none (`failures`, path to reason).
    """

    def __init__(self, qa: DocumentQA, uploads: Path, warming: Warming) -> None:
        self._qa = qa
        self._warming = warming
        self._uploads = uploads
        self._queue: deque[Path] = deque()
        self._current: Path | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._worker: threading.Thread | None = None
        self._failures: dict[str, str] = {}

    @property
    def waiting(self) -> tuple[Path, ...]:
        """Files in line; the first one may be in work already."""
        with self._changed:
            return (*((self._current,) if self._current else ()), *self._queue)

    @property
    def failures(self) -> dict[str, str]:
        """Why files were given up that the library holds no failed job for."""
        with self._changed:
            return dict(self._failures)

    def accept(self, upload: Path) -> Accepted:
        """Keep an uploaded file, which is moved away, and put it in line."""
        kept = place(upload, self._uploads)
        known = any(
            document.path == str(kept) and document.model_id == self._qa.engine.model_id
            for document in self._qa.documents()
        )
        if not known:
            self._put(kept)
        return Accepted(path=kept, known=known)

    def take_up(self) -> int:
        """Put in line what an earlier server was stopped before or amid; returns how many."""
        documents = {document.path for document in self._qa.documents()}
        left = [file for file in placed(self._uploads) if str(file) not in documents]
        for file in left:
            self._put(file)
        return len(left)

    def discard(self, path: str) -> bool:
        """Delete the kept copy of a document that is gone; a copy that another document stands on stays."""
        if any(document.path == path for document in self._qa.documents()):
            return False
        return discard(path, self._uploads)

    def stop(self, *, patience: float = 10.0) -> None:
        """End the worker at the next committed segment; what was read is kept and goes on later."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join(patience)

    def _put(self, file: Path) -> None:
        with self._changed:
            self._failures.pop(str(file), None)
            if file not in self._queue and file != self._current:
                self._queue.append(file)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="hmt-qa inbox", daemon=True)
                self._worker.start()
            self._changed.notify_all()

    def _work(self) -> None:
        self._warming.wait()
        while (file := self._next()) is not None:
            try:
                self._ingest(file)
            except _Stopped:
                return
            except HmtQaError as problem:
                self._give_up(file, str(problem))
            except Exception:
                _log.exception("upload_not_read path=%s", file)
                self._give_up(file, INTERNAL_ERROR)

    def _next(self) -> Path | None:
        with self._changed:
            self._current = None
            self._changed.wait_for(lambda: self._stopping or self._queue)
            if not self._stopping:
                self._current = self._queue.popleft()
            return self._current

    def _ingest(self, file: Path) -> None:
        for result in self._qa.ingest([file], on_progress=self._observe):
            _log.info("upload_read path=%s status=%s", file, result.status)
            if result.status is IngestStatus.FAILED:
                self._failed(file, result.error)

    def _observe(self, _job: Job) -> None:
        if self._stopping:
            raise _Stopped

    def _failed(self, file: Path, error: str) -> None:
        if any(job.path == str(file) and job.state is JobState.FAILED for job in self._qa.jobs()):
            self.discard(str(file))  # the file's own fault: to read it again it has to be another one
        else:
            self._give_up(file, error)

    def _give_up(self, file: Path, reason: str) -> None:
        with self._changed:
            self._failures[str(file)] = reason


class _Stopped(Exception):
    """The server is going down."""
