"""A library on a PostgreSQL server, which several machines may share: its connections, locks and vacuuming."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from hmt_qa.errors import LibraryUnusable
from hmt_storage.border import library_errors
from hmt_storage.database import BUSY_SECONDS, Database
from hmt_storage.tables import Base

if TYPE_CHECKING:
    import psycopg

OLDEST = 14
"""The first major version that has all that the migrations and the keyword search use."""

# One lock for each library, which is a schema: structure is written by one at a time, as in SQLite; segments are
# appended by many beside each other, but never beside a change of structure, so that a job that was taken up by another
# process is never appended to by the one before.
_LIBRARY = "hashtext('hmt-qa'), hashtext(current_schema())"
_ALONE = f"SELECT pg_advisory_xact_lock({_LIBRARY})"
_BESIDE_OTHERS = f"SELECT pg_advisory_xact_lock_shared({_LIBRARY}), set_config('synchronous_commit', 'off', true)"

_NOTED = "deletions"
"""Table of the migrations with a row for each deletion that was not yet vacuumed."""


class PostgresDatabase(Database):
    """A schema on a server; raises `LibraryUnusable` where the driver is not installed or the server too old."""

    def __init__(self, address: URL) -> None:
        self._address = address
        super().__init__(address.render_as_string())
        self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._outside = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    def version(self) -> str:
        """Which transactions have ended: another one after every commit; safe between threads."""
        with library_errors(self.place), self._outside.connect() as connection:
            return str(connection.exec_driver_sql("SELECT pg_current_snapshot()").scalar())

    def erase_deleted(self) -> None:
        """Vacuum: deleted rows cannot be read any more. Their bytes go when their room is used, or with `gc`."""
        self._vacuum("")

    def give_room_back(self) -> int:
        """Write every table and index anew, which nobody can read meanwhile; returns the bytes that were saved."""
        before = self._size()
        self._vacuum("FULL")
        return max(before - self._size(), 0)

    def _vacuum(self, how: str) -> None:
        with library_errors(self.place), self._outside.connect() as connection:
            last = connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {_NOTED}").scalar_one()  # noqa: S608
            for table in (*Base.metadata.tables, _NOTED):
                connection.exec_driver_sql(f"VACUUM {how} {table}")
            connection.exec_driver_sql(f"DELETE FROM {_NOTED} WHERE id <= {int(last)}")  # noqa: S608

    def _size(self) -> int:
        tables = ", ".join(f"('{table}')" for table in Base.metadata.tables)
        total = f"SELECT sum(pg_total_relation_size(name::regclass)) FROM (VALUES {tables}) AS t(name)"  # noqa: S608
        with library_errors(self.place), self._outside.connect() as connection:
            return int(connection.exec_driver_sql(total).scalar_one())

    def _make_engine(self) -> Engine:
        # The server is asked whether it is still there before each use: a restart of it is no error of ours.
        options = str(self._address.query.get("options", ""))
        if "lock_timeout" not in options:
            options += f" -c lock_timeout={BUSY_SECONDS:.0f}s"
        try:
            engine = create_engine(
                self._address, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args={"options": options}
            )
        except ModuleNotFoundError as error:
            raise LibraryUnusable(
                "A library on a PostgreSQL server needs the driver psycopg.",
                subject=self.place,
                remedy="Install it: pip install 'hmt-qa[postgres]'.",
            ) from error
        event.listen(engine, "connect", self._require_suitable)
        return engine

    def _require_suitable(
        self, connection: psycopg.Connection[tuple[object, ...]], _entry: ConnectionPoolEntry
    ) -> None:
        server = connection.info.server_version // 10_000
        encoding = connection.info.parameter_status("server_encoding")
        if server < OLDEST or encoding != "UTF8":
            connection.close()
            raise LibraryUnusable(
                f"{self.place} is PostgreSQL {server} with the encoding {encoding}.",
                subject=self.place,
                remedy=f"A library needs version {OLDEST} or newer and a database made with ENCODING 'UTF8'.",
            )

    def _reading(self) -> Engine:
        return self._readers

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_ALONE)
            yield connection

    @contextmanager
    def _appending(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_BESIDE_OTHERS)
            yield connection
