"""A library in a SQLite file: its connections, its log, and how it is made to forget."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from hmt_storage.border import library_errors
from hmt_storage.database import BUSY_SECONDS, Database

_log = logging.getLogger(__name__)

# synchronous=NORMAL: in WAL mode a commit is in the operating system's hands when it returns, so it outlives SIGKILL.
# Only a power cut can take the last segments, whole ones from the end, and they are read again. FULL would add an
# fsync to every segment. secure_delete overwrites what is deleted with zeros.
_PRAGMAS = ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY")


class SqliteDatabase(Database):
    """A file in WAL mode; one writer at a time."""

    def __init__(self, address: URL) -> None:
        if "timeout" not in address.query:
            address = address.update_query_dict({"timeout": str(BUSY_SECONDS)})
        self._address = address
        self._watcher: sqlite3.Connection | None = None
        super().__init__(str(address.database))
        self._writers = self._engine.execution_options(writes=True)

    def version(self) -> str:
        """A number that changes whenever anyone commits; not safe between threads."""
        # SQLite counts the commits of others as one connection sees them: so it is asked on one that never writes.
        with library_errors(self.place):
            if self._watcher is None:
                self._watcher = sqlite3.connect(self.place, isolation_level=None, check_same_thread=False)
            (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
        return str(version)

    def erase_deleted(self) -> None:
        """Bring the write-ahead log into the file and empty it, so that deleted bytes are in neither."""
        # Outside of any transaction, so past SQLAlchemy: a checkpoint inside one is refused.
        with library_errors(self.place), closing(self._engine.raw_connection()) as connection:
            (busy, *_) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _log.warning("log_not_emptied place=%s reason=readers", self.place)

    def give_room_back(self) -> int:
        """Rewrite the file without its free pages and empty the log; returns by how many bytes it became smaller."""
        with library_errors(self.place), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            (free,) = cursor.execute("PRAGMA freelist_count").fetchone()
            (size,) = cursor.execute("PRAGMA page_size").fetchone()
            if free:
                cursor.execute("VACUUM")
        self.erase_deleted()
        return int(free * size)

    def close(self) -> None:
        """Close the pooled connections; the last one of all processes also removes the log."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        super().close()

    def _make_engine(self) -> Engine:
        engine = create_engine(self._address)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _reading(self) -> Engine:
        return self._engine

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._writers.begin() as connection:
            yield connection

    _appending = _writing


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
