"""From paths to stored memories: one file after the other, each going on where an earlier run was stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.border import opened
from hmt_ingest.fingerprint import Fingerprint, require_unchanged, take_fingerprint
from hmt_ingest.naming import shown
from hmt_ingest.reading import Reading
from hmt_ingest.registry import installed_readers
from hmt_ingest.suitability import Suitability
from hmt_ingest.walk import Found, Skipped, Walk
from hmt_qa.errors import (
    EmptyFile,
    FileProblem,
    HmtQaError,
    JobCancelled,
    LibraryProblem,
    StorageFull,
    UnsupportedFile,
)
from hmt_qa.ports import Ingestion, Library, MemoryReader, ProgressObserver, Reader, SourceText
from hmt_qa.types import Document, IngestOptions, IngestResult, IngestStatus, SourceFile

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
        registry = installed_readers()
        walk = Walk(
            suitability=Suitability(registry),
            recursive=options.recursive,
            include=options.include,
            exclude=options.exclude,
        )
        work = _Work(options=options, library=library, engine=engine, on_progress=on_progress)
        for entry in walk.files(paths):
            if isinstance(entry, Skipped):
                _log_skipped(entry)
            elif (result := work.take(entry)) is not None:
                yield result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What all files of one call have in common."""

    options: IngestOptions
    library: Library
    engine: MemoryReader
    on_progress: ProgressObserver

    def take(self, found: Found) -> IngestResult | None:
        """Ingest one file; None where it was found in a folder and turns out to hold nothing readable."""
        started = time.perf_counter()
        source = SourceFile(path=shown(found.path), collection=self.options.collection, sha256="", size_bytes=0)
        try:
            fingerprint = take_fingerprint(found.path)
            source = SourceFile(
                path=source.path,
                collection=source.collection,
                sha256=fingerprint.sha256,
                size_bytes=fingerprint.size_bytes,
            )
            status, document, unread = self._ingest(found.path, source, fingerprint)
        except _FailedAndRecorded as failed:
            return _failed(source, failed.problem, started)
        except (UnsupportedFile, EmptyFile) as problem:
            if not found.named:
                _log_skipped(Skipped(found.path, problem.message))
                return None
            return self._report(source, problem, started)
        except FileProblem as problem:
            return self._report(source, problem, started)
        except StorageFull:
            raise
        except HmtQaError as problem:
            return _failed(source, problem, started)
        return IngestResult(
            path=source.path,
            status=status,
            document=document.id,
            pages=document.pages,
            tokens=document.tokens,
            segments=document.segments,
            seconds=time.perf_counter() - started,
            error=unread,
        )

    def _ingest(self, path: Path, source: SourceFile, fingerprint: Fingerprint) -> tuple[IngestStatus, Document, str]:
        known = self.library.find(collection=source.collection, path=source.path)
        if known is not None and known.sha256 == source.sha256 and known.model_id == self.engine.model_id:
            return IngestStatus.UNCHANGED, known, ""
        reader = installed_readers().reader_for(path)
        # Opened before equal bytes are looked for: their memory is no way around a password, and the title is here.
        with opened(reader, path, self.options.password, self.options.limits) as text:
            adopted = self.library.adopt(source, reader=reader.name, model_id=self.engine.model_id, title=text.title)
            if adopted is not None:
                return IngestStatus.INGESTED, adopted, ""
            ingestion = self._begin(source, reader, text)
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
        self, path: Path, text: SourceText, ingestion: Ingestion, fingerprint: Fingerprint
    ) -> tuple[IngestStatus, Document, str]:
        reading = Reading(path=path, text=text, ingestion=ingestion, engine=self.engine)
        try:
            kept = reading.agreeing_segments()
            for job in reading.remaining(kept):
                self.on_progress(job)
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
        return (IngestStatus.RESUMED if kept else IngestStatus.INGESTED), document, reading.unread

    def _report(self, source: SourceFile, problem: FileProblem, started: float) -> IngestResult:
        try:
            self.library.report_failure(source, str(problem))
        except StorageFull:
            raise
        except LibraryProblem as other:
            logger.warning("failure not recorded: %s (%s)", source.path, other)
        return _failed(source, problem, started)


class _FailedAndRecorded(Exception):
    """A `FileProblem` that its ingestion already holds."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem)
        self.problem = problem


def _failed(source: SourceFile, problem: HmtQaError, started: float) -> IngestResult:
    status = IngestStatus.CANCELLED if isinstance(problem, JobCancelled) else IngestStatus.FAILED
    return IngestResult(path=source.path, status=status, seconds=time.perf_counter() - started, error=str(problem))


def _log_skipped(entry: Skipped) -> None:
    logger.warning("file skipped: %s (%s)", shown(entry.path), entry.reason)
