"""What takes files in, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from hmt_qa.ports.libraries import Library
from hmt_qa.ports.reading import MemoryReader
from hmt_qa.types import (
    Document,
    IngestOptions,
    IngestResult,
    Job,
    Share,
)

ProgressObserver = Callable[[Job], None]


class Ingestor(Protocol):
    """From paths to stored memories. Entry point group `hmt_qa.ingestors`; constructed without arguments."""

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> Iterator[IngestResult]:
        """Read every file under `paths`, several at once, yielding a result as each ends; a bad one stops no other.

        `on_progress` is called, where results are taken, for each committed segment with the job's stored counters.
        """
        ...

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
        """Read a text that is no file as the document at the path `name`; unchanged, it is left alone.

        Raises `NoTextFound` where it has not one visible character.
        """
        ...


class DivisibleIngestor(Ingestor, Protocol):
    """An ingestor whose work can be spread: files are found in one place, and each is read in another.

    It is sent to other processes: what it holds can be pickled.
    """

    def shares(self, paths: Sequence[Path], *, options: IngestOptions) -> Iterator[Share]:
        """The files under `paths`; those left out are logged."""
        ...

    def ingest_share(
        self,
        share: Share,
        *,
        options: IngestOptions,
        library: Library,
        engine: MemoryReader,
        on_progress: ProgressObserver,
    ) -> IngestResult | None:
        """Read one file, on any machine that sees it under the same path; None where it turns out to hold no text."""
        ...

    def conclude(self, paths: Sequence[Path], *, options: IngestOptions, library: Library) -> Iterator[IngestResult]:
        """What is done once, after all files: traces of what was replaced go, and so do documents of vanished files."""
        ...
