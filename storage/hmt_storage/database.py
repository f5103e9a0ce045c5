"""Transactions, whatever database they are on; knows no table. `sqlite.py` and `postgres.py` are the two there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from hmt_qa.errors import LibraryUnusable
from hmt_storage.border import library_errors

BUSY_SECONDS = 10.0
"""How long a writer waits for another one, unless the URL says otherwise."""


class Database(ABC):
    """A database, safe to use from several threads; each transaction has a pooled connection of its own.

    `place` names it for people, without a password.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.closed = False
        with library_errors(place):
            self._engine = self._make_engine()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: everything read inside is of the same moment, and writers are not held up."""
        with library_errors(self.place), self._reading().begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is committed at the end, or leaves no trace; waits for other writers first."""
        with library_errors(self.place), self._writing() as connection:
            yield connection

    @contextmanager
    def append(self) -> Iterator[Connection]:
        """`write` for changes to rows of one's own job and its memory only: others may append beside it.

        A power cut may take the last of them, whole ones from the end: what is appended can be read again.
        """
        with library_errors(self.place), self._appending() as connection:
            yield connection

    def close(self) -> None:
        """Close the pooled connections."""
        self.closed = True
        pool = self._engine.pool
        self._engine.dispose()
        event.listen(pool, "checkin", _close)  # those that another thread still has

    @abstractmethod
    def version(self) -> str:
        """Something that changes whenever anyone commits; not safe between threads."""

    @abstractmethod
    def erase_deleted(self) -> None:
        """Leave as little of what was deleted as the database can without holding others up."""

    @abstractmethod
    def give_room_back(self) -> int:
        """Write what there is anew, without what was deleted; returns by how many bytes it became smaller."""

    @abstractmethod
    def _make_engine(self) -> Engine: ...

    @abstractmethod
    def _reading(self) -> Engine: ...

    @abstractmethod
    @contextmanager
    def _writing(self) -> Iterator[Connection]: ...

    @abstractmethod
    @contextmanager
    def _appending(self) -> Iterator[Connection]: ...


def open_database(url: str) -> Database:
    """The database at `url`; raises `LibraryUnusable` where it is no URL, or of a kind that is not known."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:  # the second for a port that is no number
        # It may hold a password that is only mistyped around: not shown.
        raise LibraryUnusable("The library's URL cannot be read.", remedy=_EXAMPLES) from error
    if address.drivername == "sqlite" and address.database not in {None, "", ":memory:"}:
        from hmt_storage.sqlite import SqliteDatabase

        return SqliteDatabase(address)
    if address.drivername in {"postgresql", "postgresql+psycopg"}:
        from hmt_storage.postgres import PostgresDatabase

        return PostgresDatabase(address.set(drivername="postgresql+psycopg"))
    shown = address.render_as_string()
    raise LibraryUnusable(
        f"A library is kept in a SQLite file or on a PostgreSQL server, not in {shown}.",
        subject=shown,
        remedy=_EXAMPLES,
    )


_EXAMPLES = "Write it like postgresql+psycopg://user@host/database or sqlite:////folder/library.db."


def url_of_file(file: Path) -> str:
    """The URL of a library in this SQLite file."""
    return URL.create("sqlite", database=str(file)).render_as_string()


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


def _close(connection: DBAPIConnection | None, _entry: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.close()
