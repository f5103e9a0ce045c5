"""What is to be read, how, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hmt_qa.types.reading import ParsingLimits


class IngestStatus(StrEnum):
    """What became of one input."""

    INGESTED = "ingested"
    UNCHANGED = "unchanged"
    RESUMED = "resumed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class Sync(StrEnum):
    """How a collection follows its files.

    `upserts` reads what is new or changed. `duplicates_only` reads files whose bytes the collection does not hold yet,
    under whatever path. `upserts_and_delete` also deletes documents whose files are gone from the folders given.
    """

    UPSERTS = "upserts"
    DUPLICATES_ONLY = "duplicates_only"
    UPSERTS_AND_DELETE = "upserts_and_delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """A Ray cluster that reads documents; without `address` (`host:port`, `auto`) one of this machine alone."""

    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A file to be read by some worker; `name` is its document's path, `named` whether it was given by itself."""

    path: Path
    name: str
    named: bool
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestResult:
    """One input after `ingest`; `document` is empty and `error` says why where it failed or was cancelled.

    In a dry run `status` is what would become of it, as far as its bytes tell: no file is opened by its reader.

    Where it did not fail, `error` names the pages that show something which could not be read as text.
    """

    path: str
    status: IngestStatus
    document: str = ""
    pages: int = 0
    tokens: int = 0
    segments: int = 0
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What to read and where to put it. `include` and `exclude` are gitignore-style globs on the relative path.

    `dry_run` writes nothing. `watch` goes on for ever, with files that appear and change under the paths. `workers`
    bounds how many files are open at once, each parsed by a process of its own; by default what keeps the model busy.
    """

    collection: str = "default"
    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    limits: ParsingLimits = field(default_factory=ParsingLimits)
    sync: Sync = Sync.UPSERTS
    dry_run: bool = False
    watch: bool = False
    workers: int | None = None
