"""Documents spread over a Ray cluster: one model a worker, a worker a process, one document a worker at a time.

A worker is the local engine with a library of its own opening; it writes what it reads by itself. What travels through
Ray is a path there and a result back. The one file that knows Ray. docs/decisions/0020.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hmt_qa.awaiting import Stopped
from hmt_qa.errors import ClusterUnusable
from hmt_qa.ports import DivisibleIngestor, Library, MemoryReader, ProgressObserver
from hmt_qa.sharing import RECENT_JOBS, WorkQueue
from hmt_qa.types import Document, IngestOptions, IngestResult, Job, JobState, Share

LOOK_SECONDS = 0.5
"""How often progress is asked for, and whether a dead worker's document is free."""
KNOCK_SECONDS = 5.0
"""How long a cluster may take to answer at all."""
STOP_SECONDS = 15.0
"""How long workers may take to commit the segment they are at, once nobody wants results any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a worker opens the library and the model; the arguments of `DocumentQA.open`."""

    home: Path
    model: Path
    database: str = field(default="", repr=False)  # its URL may hold a password
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"


class Worker:
    """One model in a process of its own. `threads` of torch, 0 for as many as it likes."""

    def __init__(self, opening: Opening, ingestor: DivisibleIngestor, threads: int) -> None:
        from hmt_qa.app import DocumentQA

        if threads:
            os.environ["OMP_NUM_THREADS"] = str(threads)  # torch reads it when it is imported: by the first document
        fields = {name: getattr(opening, name) for name in Opening.__slots__}
        self._qa = DocumentQA.open(**fields)
        self._ingestor = ingestor
        self._stopping = threading.Event()

    def read(self, share: Share, options: IngestOptions) -> IngestResult | None:
        """Read one file to its end, or until `stop`; see `DivisibleIngestor.ingest_share`."""
        return self._ingestor.ingest_share(
            share, options=options, library=self._qa.library, engine=self._qa.engine, on_progress=self._observe
        )

    def stop(self) -> None:
        """Have `read` end after the segment it is at, with its job interrupted."""
        self._stopping.set()

    def _observe(self, job: Job) -> None:
        if self._stopping.is_set():
            raise Stopped


class RayIngestor:
    """An `Ingestor` whose files are read by workers on a Ray cluster; without `address` on this machine's own.

    `ingestor` finds the files and says how each is read. `IngestOptions.workers` is how many workers there are: by
    default one a GPU, or where there is none (or the device is `cpu`) one for every core.
    """

    def __init__(self, ingestor: DivisibleIngestor, opening: Opening, *, address: str = "") -> None:
        self._ingestor = ingestor
        self._opening = opening
        self._address = address

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Iterator[IngestResult]:
        """Yield a result for each file as it ends, whichever is first. Raises `ClusterUnusable` and `StorageFull`.

        `on_progress` sees the jobs of this moment some times a second. Nothing is read in a dry run, which stays here.
        """
        if options.dry_run:
            yield from self._ingestor.ingest(
                paths, options=options, library=library, engine=engine, on_progress=on_progress
            )
            return
        shares = list(self._ingestor.shares(paths, options=options))
        queue = WorkQueue(shares, library=library, collection=options.collection)
        if shares:
            with _cluster(self._address, shared_database=bool(self._opening.database)) as ray:
                crew = _Crew(ray, self._opening, self._ingestor, options, most=len(shares))
                try:
                    yield from _results(crew, queue, lambda: _report(library, crew, on_progress))
                finally:
                    crew.dismiss()
        yield from self._ingestor.conclude(paths, options=options, library=library)

    def ingest_text(self, text: str, **arguments: Any) -> Document:
        """One text is read here; see `Ingestor`."""
        return self._ingestor.ingest_text(text, **arguments)


def _results(crew: _Crew, queue: WorkQueue, look: Any) -> Iterator[IngestResult]:
    while len(queue) or crew.busy:
        while crew.has_room and (share := queue.take()) is not None:
            crew.give(share)
        for share, result, died in crew.ended():
            outcome = queue.worker_died(share) if died else result
            if outcome is not None:
                yield outcome
        look()


def _report(library: Library, crew: _Crew, on_progress: ProgressObserver) -> None:
    reading = {share.name for share in crew.busy.values()}
    for job in library.jobs(limit=RECENT_JOBS):
        if job.state is JobState.RUNNING and job.path in reading:
            on_progress(job)


class _Crew:
    """The workers of one call: idle ones, and what each of the others is at."""

    def __init__(
        self, ray: Any, opening: Opening, ingestor: DivisibleIngestor, options: IngestOptions, *, most: int
    ) -> None:
        self._ray = ray
        self._ingestor = ingestor
        self._options = replace(options, workers=1)  # a document's bits must not depend on how many are read elsewhere
        gpus, cores = (int(ray.cluster_resources().get(kind, 0)) for kind in ("GPU", "CPU"))
        if opening.device == "cpu":
            gpus = 0
        # The device's own number is the cluster's to give: a worker sees one, its own.
        self._opening = replace(opening, device="cuda" if gpus else "cpu")
        self._size = min(options.workers or gpus or cores, most)
        self._share = {"num_gpus": gpus / self._size if self._size > gpus else 1} if gpus else {}
        self._threads = 0 if gpus else max(cores // (options.workers or cores), 1)
        self._idle: list[Any] = []
        self._readers: dict[Any, Any] = {}
        self.busy: dict[Any, Share] = {}

    @property
    def has_room(self) -> bool:
        """Whether another document can be given to a worker."""
        return len(self.busy) < self._size

    def give(self, share: Share) -> None:
        """Have a worker begin with a document; a new one where none is idle."""
        worker = self._idle.pop() if self._idle else self._hire()
        reading = worker.read.remote(share, self._options)
        self._readers[reading], self.busy[reading] = worker, share

    def ended(self) -> Iterator[tuple[Share, IngestResult | None, bool]]:
        """(document, its result, whether its worker died) of those that ended within `LOOK_SECONDS`.

        Raises what no later document could escape (a full disk), as a worker raised it.
        """
        from ray.exceptions import RayActorError, RayTaskError

        ended, _ = self._ray.wait(list(self.busy), num_returns=1, timeout=LOOK_SECONDS)
        for reading in ended:
            worker, share = self._readers.pop(reading), self.busy.pop(reading)
            try:
                result, died = self._ray.get(reading), False
            except RayActorError as gone:
                if gone.actor_init_failed:
                    raise _unusable(f"a worker could not start: {gone}") from gone
                self._ray.kill(worker)  # where it is only out of reach: it must not come back
                result, died = None, True
            except RayTaskError as raised:
                raise raised.cause from raised
            else:
                self._idle.append(worker)
            yield share, result, died

    def dismiss(self) -> None:
        """Let those at work commit the segment they are at; then end all processes."""
        for worker in self._readers.values():
            worker.stop.remote()
        if self.busy:
            self._ray.wait(list(self.busy), num_returns=len(self.busy), timeout=STOP_SECONDS)
        for worker in (*self._idle, *self._readers.values()):
            self._ray.kill(worker)

    def _hire(self) -> Any:
        # Two calls at once: `stop` is heard while `read` is at work.
        asked = {"num_cpus": self._threads or 1, "max_restarts": 0, "max_concurrency": 2, **self._share}
        return self._ray.remote(Worker).options(**asked).remote(self._opening, self._ingestor, self._threads)


@contextmanager
def _cluster(address: str, *, shared_database: bool) -> Iterator[Any]:
    """Ray, connected; what was begun here ends here. Raises `ClusterUnusable`."""
    # Read when Ray is imported: no usage report to its makers, and no GPU for workers that were given none.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ClusterUnusable(
            "Ray is not installed.", remedy="Install it: pip install 'hmt-qa[cluster]', or leave out --engine ray."
        ) from error
    mine = not ray.is_initialized()
    if mine:
        here: dict[str, Any] = {} if address else {"include_dashboard": False, "address": "local"}
        try:
            _knock(address)
            ray.init(**({"address": address} | here), log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise _unusable(f"no cluster at {address or 'this machine'}: {error}") from error
    try:
        if not shared_database and _machines(ray) > 1:
            raise ClusterUnusable(
                "A library in a file cannot be written by several machines.",
                remedy="Keep it on a server: hmt-qa --database postgresql+psycopg://user@host/name ingest …",
            )
        yield ray
    finally:
        if mine:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at `host:port`; Ray itself would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


def _machines(ray: Any) -> int:
    return sum(node["Alive"] for node in ray.nodes())


def _unusable(what: str) -> ClusterUnusable:
    said = what.strip().splitlines()[0].rstrip(".")
    return ClusterUnusable(
        f"The cluster cannot be used: {said}.",
        remedy="Check --ray-address, `ray status`, and that RAY_AUTH_MODE and the token are the cluster's.",
    )
