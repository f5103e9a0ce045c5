"""Where errors of the database become errors of the library: the one place that knows SQLite's codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hmt_qa.errors import LibraryBusy, LibraryProblem, LibraryUnusable, StorageFull

# A file-size limit or a quota shows as a failed write, a full disk under the shared WAL index as a failed growth.
_FULL = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REMEDIES = {
    sqlite3.SQLITE_NOTADB: "Move that file away, or choose another home; a new library is then made.",
    sqlite3.SQLITE_CORRUPT: "Restore the file from a backup, or move it away and ingest the documents again.",
    sqlite3.SQLITE_CANTOPEN: "Check that the folder exists and that you may write to it.",
    sqlite3.SQLITE_READONLY: "Check that you may write to the file and its folder.",
    sqlite3.SQLITE_PERM: "Check that you may write to the file and its folder.",
    sqlite3.SQLITE_IOERR: "Check the disk and the system's log.",
}


@contextmanager
def library_errors(place: str) -> Iterator[None]:
    """Raise what the database at `place` reports as the matching `LibraryProblem`, keeping it as the cause."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, sqlite3.Error) else None
        raise _translated(place, cause or error) from error
    except sqlite3.Error as error:
        raise _translated(place, error) from error
    except PoolTimeout as error:
        raise _busy(place) from error


def _translated(place: str, error: Exception) -> LibraryProblem:
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF  # an extended code keeps its kind in the low byte
    if primary == sqlite3.SQLITE_FULL or code in _FULL:
        return StorageFull(
            f"The library {place} could not grow ({error}); everything committed before is kept.",
            subject=place,
            remedy="Free some disk space and run the same command again: it goes on where it stopped.",
        )
    if primary in _BUSY:
        return _busy(place)
    return LibraryUnusable(
        f"The library {place} cannot be used: {error}.",
        subject=place,
        remedy=_REMEDIES.get(primary, "Run `hmt-qa doctor`, and report this if it finds nothing."),
    )


def _busy(place: str) -> LibraryBusy:
    return LibraryBusy(
        f"The library {place} stayed locked by another process.",
        subject=place,
        remedy="Try again in a moment; if it stays, stop the process that holds it.",
    )
