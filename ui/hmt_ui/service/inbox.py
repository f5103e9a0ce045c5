"""Uploaded files on their way into the library: one worker reads them, one after the other."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.trees import Tree
from hmt_qa import DocumentQA
from hmt_qa.errors import HmtQaError, TooManyWaiting
from hmt_qa.types import IngestOptions, IngestStatus, Job, JobState, ParsingLimits
from hmt_ui.placing import DEFAULT_COLLECTION, discard, place, place_in_tree, placed
from hmt_ui.service.problems import INTERNAL_ERROR
from hmt_ui.service.warming import Warming

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of one upload: where it is kept, and whether the library holds it already."""

    path: Path
    known: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A kept file and the collection it goes to."""

    path: Path
    collection: str


class Inbox:
    """Keeps uploads under a folder and ingests them in the order they came; safe to share between threads.

    What is in progress is in the library's job rows. This object only knows what has no row yet (`waiting`), and
    failures that were no fault of the file and so have none (`failures`, by file). At most `longest` wait.
    """

    def __init__(
        self,
        qa: DocumentQA,
        uploads: Path,
        warming: Warming,
        *,
        longest: int = 256,
        parsing: ParsingLimits = ParsingLimits(),  # noqa: B008 (frozen)
    ) -> None:
        self._qa = qa
        self._parsing = parsing
        self._warming = warming
        self._uploads = uploads
        self._longest = longest
        self._queue: deque[Waiting] = deque()
        self._current: Waiting | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._worker: threading.Thread | None = None
        self._failures: dict[Waiting, str] = {}
        self._unwanted: Waiting | None = None  # withdrawn while it was opened, before it had a job

    @property
    def uploads(self) -> Path:
        """The folder of kept files."""
        return self._uploads.resolve()

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """Files in line; the first one may be in work already."""
        with self._changed:
            return (*((self._current,) if self._current else ()), *self._queue)

    @property
    def in_line(self) -> tuple[Waiting, ...]:
        """Files in line without the one in work."""
        with self._changed:
            return tuple(self._queue)

    @property
    def failures(self) -> dict[Waiting, str]:
        """Why files were given up that the library holds no failed job for."""
        with self._changed:
            return dict(self._failures)

    def accept(self, upload: Path, *, collection: str = DEFAULT_COLLECTION) -> Accepted:
        """Keep an uploaded file, which is moved away, and put it in line; raises `TooManyWaiting`."""
        self._refuse_if_full()
        kept = place(upload, self._uploads, collection=collection)
        return self._line_up(kept, collection, known=self._known(collection))

    def accept_tree(self, tree: Tree, *, name: str, collection: str = DEFAULT_COLLECTION) -> Sequence[Accepted]:
        """Keep the files of an uploaded folder, which are moved away, over those of the last by that name.

        However many there are, they are put in line together; raises `TooManyWaiting`.
        """
        self._refuse_if_full()
        known = self._known(collection)
        accepted = []
        for relative in tree.files:
            file, where = Path(tree.root, relative), {"relative": relative, "collection": collection}
            kept, changed = place_in_tree(file, self._uploads, tree=name, **where)
            accepted.append(self._line_up(kept, collection, known=() if changed else known, changed=changed))
        return accepted

    def withdraw(self, file: Waiting) -> bool:
        """Take a file out of the line for good; False where it is not in it any more.

        Its copy is deleted. Where something was read of it before, that and the copy stay, as a cancelled job.
        """
        with self._changed:
            if file == self._current:
                self._unwanted = file
                return True
            if file not in self._queue:
                return False
            self._queue.remove(file)
        begun = [job for job in self._qa.jobs(limit=None) if _of(job) == file and job.is_resumable]
        for job in begun:
            self._qa.cancel(job.id)
        if not begun:
            self.discard(str(file.path))
        return True

    def go_on(self, job: Job) -> None:
        """Put the file of an interrupted, cancelled or failed job in line again; raises `TooManyWaiting`."""
        self.again(_of(job))

    def again(self, file: Waiting) -> None:
        """Put a kept file in line once more; raises `TooManyWaiting`."""
        self._refuse_if_full()
        self._put(file)

    def take_up(self) -> int:
        """Put in line what an earlier server was stopped before or amid; returns how many."""
        settled = {Waiting(Path(document.path), document.collection) for document in self._qa.documents()}
        settled |= {_of(job) for job in self._qa.jobs(limit=None) if job.state is JobState.CANCELLED}
        left = [file for kept in placed(self._uploads) if (file := Waiting(*kept)) not in settled]
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

    def _refuse_if_full(self) -> None:
        if len(self.waiting) >= self._longest:
            raise TooManyWaiting(
                f"{self._longest} files wait to be read already.",
                subject=self._longest,
                remedy="Add more when they have been read.",
            )

    def _known(self, collection: str) -> Collection[str]:
        """Paths of what the model in use has read of a collection."""
        model = self._qa.engine.model_id
        return {one.path for one in self._qa.documents(collection=collection) if one.model_id == model}

    def _line_up(self, kept: Path, collection: str, *, known: Collection[str], changed: bool = False) -> Accepted:
        if str(kept) in known:
            return Accepted(path=kept, known=True)
        self._put(Waiting(kept, collection), changed=changed)
        return Accepted(path=kept, known=False)

    def _put(self, file: Waiting, *, changed: bool = False) -> None:
        """Put it in line unless it is there; one that `changed` while it is read comes once more."""
        with self._changed:
            self._failures.pop(file, None)
            if file not in self._queue and (changed or file != self._current):
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
                _log.exception("upload_not_read path=%s", file.path)
                self._give_up(file, INTERNAL_ERROR)

    def _next(self) -> Waiting | None:
        with self._changed:
            self._current = self._unwanted = None
            self._changed.wait_for(lambda: self._stopping or self._queue)
            if not self._stopping:
                self._current = self._queue.popleft()
            return self._current

    def _ingest(self, file: Waiting) -> None:
        options = IngestOptions(collection=file.collection, limits=self._parsing)
        for result in self._qa.ingest([file.path], options=options, on_progress=self._observe):
            _log.info("upload_read path=%s status=%s", file.path, result.status)
            if result.status is IngestStatus.FAILED:
                self._failed(file, result.error)

    def _observe(self, job: Job) -> None:
        if self._stopping:
            raise _Stopped
        if self._unwanted is not None and not job.cancel_requested:
            self._qa.cancel(job.id)

    def _failed(self, file: Waiting, error: str) -> None:
        if file in self.in_line:
            return  # replaced while it was read: the new one comes
        if any(job.path == str(file.path) and job.state is JobState.FAILED for job in self._qa.jobs()):
            self.discard(str(file.path))  # the file's own fault: to read it again it has to be another one
        else:
            self._give_up(file, error)

    def _give_up(self, file: Waiting, reason: str) -> None:
        with self._changed:
            self._failures[file] = reason


def _of(job: Job) -> Waiting:
    return Waiting(Path(job.path), job.collection)


class _Stopped(Exception):
    """The server is going down."""
