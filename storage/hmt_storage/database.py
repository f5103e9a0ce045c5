"""Connections and transactions; knows no table."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from hmt_qa.errors import LibraryUnusable
from hmt_storage.border import library_errors

_log = logging.getLogger(__name__)

BUSY_SECONDS = 10.0
"""How long a writer waits for another one, unless the URL says `?timeout=`."""

# synchronous=NORMAL: in WAL mode a commit is in the operating system's hands when it returns, so it outlives SIGKILL.
# Only a power cut can take the last segments, whole ones from the end, and they are read again. FULL would add an
# fsync to every segment. secure_delete overwrites what is deleted with zeros.
_PRAGMAS = ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY")


class Database:
    """A SQLite file, safe to use from several threads; each transaction has a pooled connection of its own."""

    def __init__(self, url: str) -> None:
        address = _address(url)
        self.place = str(address.database)
        self.closed = False
        with library_errors(self.place):
            self._readers = create_engine(address)
            self._writers = self._readers.execution_options(writes=True)
            event.listen(self._readers, "connect", _prepare)
            event.listen(self._readers, "begin", _begin)
        self._watcher: sqlite3.Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: everything read inside is of the same moment, and writers are not held up."""
        with library_errors(self.place), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is committed at the end, or leaves no trace; waits for other writers first."""
        with library_errors(self.place), self._writers.begin() as connection:
            yield connection

    def version(self) -> int:
        """A number that changes whenever anyone commits; not safe between threads."""
        # SQLite counts the commits of others as one connection sees them: so it is asked on one that never writes.
        with library_errors(self.place):
            if self._watcher is None:
                database = self._readers.url.database or ""
                self._watcher = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
            (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
        return int(version)

    def flush_log(self) -> None:
        """Bring the write-ahead log into the file and empty it, so that deleted bytes are in neither."""
        # Outside of any transaction, so past SQLAlchemy: a checkpoint inside one is refused.
        with library_errors(self.place), closing(self._readers.raw_connection()) as connection:
            (busy, *_) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _log.warning("log_not_emptied place=%s reason=readers", self.place)

    def give_room_back(self) -> int:
        """Rewrite the file without its free pages and empty the log; returns by how many bytes it became smaller."""
        with library_errors(self.place), closing(self._readers.raw_connection()) as connection:
            cursor = connection.cursor()
            (free,) = cursor.execute("PRAGMA freelist_count").fetchone()
            (size,) = cursor.execute("PRAGMA page_size").fetchone()
            if free:
                cursor.execute("VACUUM")
        self.flush_log()
        return int(free * size)

    def close(self) -> None:
        """Close the pooled connections; the last one of all processes also removes the log."""
        self.closed = True
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._readers.dispose()


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise LibraryUnusable(
            "The library's URL cannot be read.", subject=url, remedy="Write it like sqlite:////folder/library.db."
        ) from error
    if address.get_backend_name() != "sqlite" or address.database in {None, "", ":memory:"}:
        raise LibraryUnusable(
            f"A library is kept in a SQLite file, not in {address.render_as_string()}.",
            subject=address.render_as_string(),
            remedy="Write the URL like sqlite:////folder/library.db.",
        )
    if "timeout" not in address.query:
        address = address.update_query_dict({"timeout": str(BUSY_SECONDS)})
    return address


def make_home(home: Path) -> None:
    """Create the data directory if it is not there; raises `LibraryUnusable`."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryUnusable(
            f"The data directory {home} cannot be made: {error.strerror}.",
            subject=str(home),
            remedy="Choose another with --home or HMT_QA_HOME.",
        ) from error


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # Transactions begin in `_begin` alone. The driver's own way is to begin late and before some statements only:
    # reads would share no snapshot, and a writer would find the lock taken halfway through.
    connection.isolation_level = None
    _keep_a_log(connection)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode, for good; nothing to do where it is."""
    # The one lock that SQLite does not wait for: of several processes that make a library at once, some are refused.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
