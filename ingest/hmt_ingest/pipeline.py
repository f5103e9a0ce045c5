"""From paths to stored memories: files side by side, each going on where an earlier run was stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from hmt_ingest.border import opened
from hmt_ingest.fingerprint import Fingerprint, require_unchanged, stamp_of, take_fingerprint
from hmt_ingest.given import GivenText
from hmt_ingest.line import Line
from hmt_ingest.naming import shown
from hmt_ingest.readers.text import TextReader
from hmt_ingest.reading import Reading
from hmt_ingest.registry import installed_readers
from hmt_ingest.side_by_side import SideBySide
from hmt_ingest.suitability import Suitability
from hmt_ingest.vanished import vanished
from hmt_ingest.walk import Found, Skipped, Walk
from hmt_ingest.watching import Watch
from hmt_qa.errors import (
    EmptyFile,
    FileMissing,
    FileProblem,
    HmtQaError,
    JobCancelled,
    LibraryBusy,
    LibraryProblem,
    StorageFull,
    UnsupportedFile,
)
from hmt_qa.ports import Ingestion, Library, MemoryReader, ProgressObserver, Reader, SourceText
from hmt_qa.types import Document, IngestOptions, IngestResult, IngestStatus, Share, SourceFile, Sync

logger = logging.getLogger(__name__)


class FileIngestor:
    """Reads files and folders of this machine (entry point group `hmt_qa.ingestors`)."""

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Iterator[IngestResult]:
        """Yield a result for each file as it ends; a bad one never stops the rest.

        Files left out of a folder are logged as warnings and have no result. Raises `StorageFull`, which no later file
        could escape; what was committed until then stays, as it does on any other interruption.
        """
        walk = _walk(options)
        work = _Work(options=options, library=library, engine=engine, on_progress=on_progress)
        if not options.watch:
            yield from work.take_all(walk.files(paths))
            yield from _delete_vanished(paths, options=options, library=library)
            return
        watch = Watch(walk=walk, paths=paths)
        for number, look in enumerate(watch.looks()):
            yield from work.take_all(look)
            while work.unlucky:
                watch.retry(work.unlucky.pop())
            if watch.missed() or not number:
                yield from _delete_vanished(paths, options=options, library=library)

    def shares(self, paths: Sequence[Path], *, options: IngestOptions) -> Iterator[Share]:
        """See `DivisibleIngestor`; a file that vanishes meanwhile has no size."""
        for entry in _walk(options).files(paths):
            if isinstance(entry, Skipped):
                _log_skipped(entry)
            else:
                size = entry.path.stat().st_size if entry.path.exists() else 0
                yield Share(path=entry.path, name=shown(entry.path), named=entry.named, size_bytes=size)

    def ingest_share(
        self,
        share: Share,
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> IngestResult | None:
        """See `DivisibleIngestor`; raises `StorageFull`."""
        work = _Work(options=options, library=library, engine=engine, on_progress=on_progress)
        return work.take(Found(share.path, named=share.named))

    def conclude(self, paths: Sequence[Path], *, options: IngestOptions, library: Library) -> Iterator[IngestResult]:
        """See `DivisibleIngestor`."""
        _tidy(library)
        yield from _delete_vanished(paths, options=options, library=library)

    def ingest_text(
        self,
        text: str,
        *,
        name: str,
        title: str,
        collection: str,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Document:
        """See `Ingestor`; raises `FileProblem` and `LibraryProblem` subclasses."""
        options = IngestOptions(collection=collection)
        work = _Work(options=options, library=library, engine=engine, on_progress=on_progress)
        return work.take_text(GivenText.of(text, title=title), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What all files of one call have in common; `unlucky` are those that failed by no fault of theirs."""

    options: IngestOptions
    library: Library
    engine: MemoryReader
    on_progress: ProgressObserver
    unlucky: set[Path] = field(default_factory=set)
    line: Line = field(default_factory=Line)

    def take_all(self, entries: Iterable[Found | Skipped]) -> Iterator[IngestResult]:
        """A result for each file; what they replaced leaves no trace."""
        files = _named_or_skipped(entries)
        if self.options.dry_run or self.options.workers == 1:
            yield from filter(None, map(self.take, files))
        else:
            yield from self._take_many(list(files))
        if not self.options.dry_run:
            _tidy(self.library)

    def _take_many(self, files: Sequence[Found]) -> Iterator[IngestResult]:
        """As many at once as `files` and the engine allow; the unchanged ones first, which need no engine."""
        to_read = []
        for found in files:
            if (result := self._untouched(found)) is None:
                to_read.append(found)
            else:
                yield result
        if len(files) == 1 or not to_read:
            yield from filter(None, map(self.take, to_read))
            return
        # All files count, also those not to be read: a run that goes on where one was stopped has the same setting.
        with self.engine.together(len(files), workers=self.options.workers) as lanes:
            line = Line(to_read)
            crowd = SideBySide(lanes, line)
            lane = replace(self, on_progress=crowd.observe, line=line)
            yield from crowd.results(lane.take, on_progress=self.on_progress)

    def _untouched(self, found: Found) -> IngestResult | None:
        """The result for a file that size and times show to be as it was read."""
        started = time.perf_counter()
        path = shown(found.path)
        try:
            known = self.library.known(collection=self.options.collection, path=path)
            if known is None or known.document.model_id != self.engine.model_id or known.stamp != stamp_of(found.path):
                return None
        except HmtQaError:  # whoever takes the file says so
            return None
        return _result(path, IngestStatus.UNCHANGED, known.document, started)

    def take(self, found: Found) -> IngestResult | None:
        """Ingest one file; None where it was found in a folder and turns out to hold nothing readable."""
        started = time.perf_counter()
        source = SourceFile(path=shown(found.path), collection=self.options.collection, sha256="", size_bytes=0)
        try:
            status, document, unread = self._ingest(found.path, source)
        except _FailedAndRecorded as failed:
            return _failed(source.path, failed.problem, started)
        except FileProblem as problem:
            if not found.named and isinstance(problem, UnsupportedFile | EmptyFile):
                _log_skipped(Skipped(found.path, problem.message))
                return None
            if isinstance(problem, FileMissing) and self._will_be_deleted(source):
                return None
            return self._report(source, problem, started)
        except StorageFull:
            raise
        except HmtQaError as problem:
            if not isinstance(problem, JobCancelled):
                self.unlucky.add(found.path)
            return _failed(source.path, problem, started)
        return _result(source.path, status, document, started, error=unread)

    def take_text(self, text: GivenText, name: str) -> Document:
        """Ingest a text that is no file."""
        source = text.source(path=name, collection=self.options.collection)
        known = self.library.known(collection=source.collection, path=source.path)
        if known is not None and (known.document.sha256, known.document.model_id) == (
            source.sha256,
            self.engine.model_id,
        ):
            return known.document
        reader = TextReader()
        adopted = self.library.adopt(source, reader=reader.name, model_id=self.engine.model_id, title=text.title)
        if adopted is not None:
            return adopted
        try:
            _, document, _ = self._read(Path(name), text, self._begin(source, reader, text))
        except _FailedAndRecorded as failed:
            raise failed.problem from failed
        return document

    def _ingest(self, path: Path, source: SourceFile) -> tuple[IngestStatus, Document | None, str]:
        stamp = stamp_of(path)
        known = self.library.known(collection=source.collection, path=source.path)
        mine = known if known is not None and known.document.model_id == self.engine.model_id else None
        if mine is not None and mine.stamp == stamp:
            return IngestStatus.UNCHANGED, mine.document, ""
        now = take_fingerprint(path)
        source = replace(source, sha256=now.sha256, size_bytes=now.size_bytes, stamp=now.stamp)
        if mine is not None and mine.document.sha256 == source.sha256:
            if now.stamp and not self.options.dry_run:
                self.library.restamp(mine.document.id, now.stamp)
            return IngestStatus.UNCHANGED, mine.document, ""
        if (holder := self._holder(source)) is not None:
            return IngestStatus.UNCHANGED, holder, ""
        if self.options.dry_run:
            return self._foreseen(source), known.document if known else None, ""
        with self.line.reading(source.sha256):
            return self._open(path, source, now)

    def _holder(self, source: SourceFile) -> Document | None:
        if self.options.sync is not Sync.DUPLICATES_ONLY:
            return None
        return self.library.holder(collection=source.collection, sha256=source.sha256, model_id=self.engine.model_id)

    def _foreseen(self, source: SourceFile) -> IngestStatus:
        where = {"collection": source.collection, "path": source.path}
        begun = self.library.unfinished(**where, sha256=source.sha256, model_id=self.engine.model_id)
        return IngestStatus.RESUMED if begun else IngestStatus.INGESTED

    def _will_be_deleted(self, source: SourceFile) -> bool:
        follows = self.options.sync is Sync.UPSERTS_AND_DELETE
        return follows and self.library.known(collection=source.collection, path=source.path) is not None

    def _open(self, path: Path, source: SourceFile, fingerprint: Fingerprint) -> tuple[IngestStatus, Document, str]:
        reader = installed_readers().reader_for(path)
        # Opened before equal bytes are looked for: their memory is no way around a password, and the title is here.
        with opened(reader, path, self.options.password, self.options.limits) as text:
            adopted = self.library.adopt(source, reader=reader.name, model_id=self.engine.model_id, title=text.title)
            if adopted is not None:
                return IngestStatus.INGESTED, adopted, ""
            ingestion = self._begin(source, reader, text)
            text.while_waiting = ingestion.raise_if_cancelled
            return self._read(path, text, ingestion, fingerprint)

    def _begin(self, source: SourceFile, reader: Reader, text: SourceText) -> Ingestion:
        return self.library.begin(
            source,
            reader=reader.name,
            title=text.title,
            media_type=text.media_type,
            pages_total=text.page_count,
            model_id=self.engine.model_id,
            setting=self.engine.setting,
            dtype=self.engine.dtype,
            hidden=self.engine.hidden,
        )

    def _read(
        self, path: Path, text: SourceText, ingestion: Ingestion, fingerprint: Fingerprint | None = None
    ) -> tuple[IngestStatus, Document, str]:
        reading = Reading(path=path, text=text, ingestion=ingestion, engine=self.engine)
        try:
            resumed = reading.agreeing_segments()
            for job in reading.remaining(reading.inherited_segments(resumed)):
                self.on_progress(job)
            if fingerprint is not None:
                require_unchanged(path, fingerprint)
            document = ingestion.finish()
        except FileProblem as problem:
            ingestion.fail(str(problem))
            raise _FailedAndRecorded(problem) from problem
        except BaseException:
            # Whatever it was (Ctrl-C, a full disk, the model), it is no fault of the file: keep what is there. The
            # library may be what failed, and then cannot take this note either; the lease runs out by itself.
            with suppress(LibraryProblem):
                ingestion.interrupt()
            raise
        return (IngestStatus.RESUMED if resumed else IngestStatus.INGESTED), document, reading.unread

    def _report(self, source: SourceFile, problem: FileProblem, started: float) -> IngestResult:
        try:
            if not self.options.dry_run:
                self.library.report_failure(source, str(problem))
        except StorageFull:
            raise
        except LibraryProblem as other:
            logger.warning("failure not recorded: %s (%s)", source.path, other)
        return _failed(source.path, problem, started)


def _walk(options: IngestOptions) -> Walk:
    return Walk(
        suitability=Suitability(installed_readers()),
        recursive=options.recursive,
        include=options.include,
        exclude=options.exclude,
    )


def _tidy(library: Library) -> None:
    try:
        library.tidy()
    except (LibraryBusy, StorageFull) as problem:  # what was read is safe, and a later run tidies
        logger.warning("not tidied: %s", problem)


def _delete_vanished(paths: Sequence[Path], *, options: IngestOptions, library: Library) -> Iterator[IngestResult]:
    """Where the collection is to follow its files, delete documents whose files are gone from `paths`."""
    if options.sync is not Sync.UPSERTS_AND_DELETE:
        return
    documents = library.documents(collection=options.collection)
    for document in vanished(documents, paths, recursive=options.recursive):
        started = time.perf_counter()
        try:
            if not options.dry_run:
                library.remove(document.id)
        except HmtQaError as problem:
            yield _failed(document.path, problem, started)
        else:
            yield _result(document.path, IngestStatus.DELETED, document, started)


class _FailedAndRecorded(Exception):
    """A `FileProblem` that its ingestion already holds."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem)
        self.problem = problem


def _failed(path: str, problem: HmtQaError, started: float) -> IngestResult:
    status = IngestStatus.CANCELLED if isinstance(problem, JobCancelled) else IngestStatus.FAILED
    return _result(path, status, None, started, error=str(problem))


def _result(
    path: str, status: IngestStatus, document: Document | None, started: float, *, error: str = ""
) -> IngestResult:
    counts = {name: getattr(document, name) for name in ("pages", "tokens", "segments")} if document else {}
    seconds = time.perf_counter() - started
    identity = document.id if document else ""
    return IngestResult(path=path, status=status, document=identity, seconds=seconds, error=error, **counts)


def _named_or_skipped(entries: Iterable[Found | Skipped]) -> Iterator[Found]:
    """The files; what is left out is logged."""
    for entry in entries:
        if isinstance(entry, Skipped):
            _log_skipped(entry)
        else:
            yield entry


def _log_skipped(entry: Skipped) -> None:
    logger.warning("file skipped: %s (%s)", shown(entry.path), entry.reason)
