"""Where errors of the database become errors of the library: the one place that knows SQLite's and SQL's codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError
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
_UNEXPLAINED = "Run `hmt-qa doctor`, and report this if it finds nothing."

# SQLSTATEs of PostgreSQL, or the classes that their first two characters are.
_SERVER_FULL = {"53100", "53200"}  # disk, memory
_SERVER_BUSY = {"55P03", "40P01", "40001", "53300"}  # lock not available, deadlock, serialisation, connections
_SERVER_REMEDIES = {
    "": "Check that the server runs and can be reached, and that host, user, password and database are right.",
    "08": "Check that the server runs and can be reached, then run the same command again: it goes on.",
    "57": "The server was stopped or ended this connection: run the same command again, it goes on where it stopped.",
    "28": "Check user and password; PGPASSWORD or ~/.pgpass keep the password out of the URL.",
    "3D": "Make the database first: createdb --encoding=UTF8 NAME.",
    "42": "Check that this user may create and change tables in that database.",
    "XX": "The server finds its files damaged: restore them from a backup.",
}


@contextmanager
def library_errors(place: str) -> Iterator[None]:
    """Raise what the database at `place` reports as the matching `LibraryProblem`, keeping it as the cause."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise _of_sqlite(place, error.orig) from error
        raise _of_server(place, error) from error
    except sqlite3.Error as error:
        raise _of_sqlite(place, error) from error
    except PoolTimeout as error:
        raise _busy(place) from error


def reason(error: DatabaseError) -> str:
    """Why something that is stored could not be read."""
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CORRUPT:
        return f"SQLite finds it damaged: {cause}"
    return str(cause)


def _of_sqlite(place: str, error: sqlite3.Error) -> LibraryProblem:
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF  # an extended code keeps its kind in the low byte
    if primary == sqlite3.SQLITE_FULL or code in _FULL:
        return _full(place, error)
    if primary in _BUSY:
        return _busy(place)
    return _unusable(place, str(error), _REMEDIES.get(primary, _UNEXPLAINED))


def _of_server(place: str, error: DBAPIError) -> LibraryProblem:
    code: str = getattr(error.orig, "sqlstate", None) or ""
    if code in _SERVER_FULL:
        return _full(place, error.orig)
    if code in _SERVER_BUSY:
        return _busy(place)
    # What comes after the first line is the statement's text, or the same once more for each address tried.
    said = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0].rstrip(".")
    return _unusable(place, said, _SERVER_REMEDIES.get(code[:2], _UNEXPLAINED))


def _full(place: str, error: BaseException | None) -> StorageFull:
    return StorageFull(
        f"The library {place} could not grow ({error}); everything committed before is kept.",
        subject=place,
        remedy="Free some disk space and run the same command again: it goes on where it stopped.",
    )


def _unusable(place: str, said: str, remedy: str) -> LibraryUnusable:
    return LibraryUnusable(f"The library {place} cannot be used: {said}.", subject=place, remedy=remedy)


def _busy(place: str) -> LibraryBusy:
    return LibraryBusy(
        f"The library {place} stayed locked by another process.",
        subject=place,
        remedy="Try again in a moment; if it stays, stop the process that holds it.",
    )
