"""A PostgreSQL server of a test run's own: Debian's programs, a folder in /tmp, a socket and no network."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

# Nothing here outlives the run, so nothing is forced to the disk.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",  # what a deletion leaves must be gone by our own doing
}
_USER = "hmt"
_numbers = itertools.count()


def missing_programs() -> str:
    """Why no server can be started here; empty where one can."""
    if _program("initdb") is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    return ""


def programs() -> Path:
    """Where PostgreSQL's programs are."""
    return Path(_program("initdb") or "").parent


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Path]:
    """A server with an empty cluster; yields the folder of its socket, in which `data` is its data directory.

    `durable`: with PostgreSQL's own settings, as users have it.
    """
    folder = Path(tempfile.mkdtemp(prefix="hmt-postgres-", dir="/tmp"))
    account = _account()
    if account:
        shutil.chown(folder, **account)
    try:
        made = {"auth": "trust", "username": _USER, "encoding": "UTF8", "locale": "C.UTF-8", "pgdata": folder / "data"}
        _run("initdb", "--no-sync", *(f"--{name}={value}" for name, value in made.items()))
        with _started(folder, {} if durable else _SETTINGS):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def as_its_image_runs(environment: Mapping[str, str], *, port: int) -> Iterator[None]:
    """What PostgreSQL's image makes of its environment, on loopback: one user with a password, one database."""
    folder = Path(tempfile.mkdtemp(prefix="hmt-postgres-", dir="/tmp"))
    account = _account()
    try:
        password = folder / "password"
        shutil.copy(environment["POSTGRES_PASSWORD_FILE"], password)
        for path in (folder, password) if account else ():
            shutil.chown(path, **account)
        owner = (f"--username={environment['POSTGRES_USER']}", f"--pwfile={password}", f"--pgdata={folder / 'data'}")
        _run("initdb", "--no-sync", *environment["POSTGRES_INITDB_ARGS"].split(), *owner)
        with _started(folder, _SETTINGS | {"listen_addresses": "127.0.0.1", "port": str(port)}):
            _make_database(environment, port)
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_schema(socket: Path) -> str:
    """The URL of an empty schema of this server: as good as a database, with a thousandth of its files."""
    name = f"library{next(_numbers)}"
    engine = sqlalchemy.create_engine(_url_of(socket, "public"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    return _url_of(socket, name)


@contextmanager
def _started(folder: Path, settings: Mapping[str, str]) -> Iterator[None]:
    options = " ".join(f"-c {name}={value!r}" for name, value in settings.items())
    control = ("pg_ctl", f"--pgdata={folder / 'data'}", "--wait", "--silent")
    _run(*control, f"--log={folder / 'log'}", f"--options=-k {folder} {options}", "start")
    try:
        yield
    finally:
        _run(*control, "--mode=immediate", "stop")


def _make_database(environment: Mapping[str, str], port: int) -> None:
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=environment["POSTGRES_USER"],
        password=Path(environment["POSTGRES_PASSWORD_FILE"]).read_text().strip(),
        host="127.0.0.1",
        port=port,
        database="postgres",
    )
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {environment['POSTGRES_DB']}")
    engine.dispose()


def _url_of(socket: Path, schema: str) -> str:
    return f"postgresql+psycopg://{_USER}@/postgres?host={socket}&options=-csearch_path%3D{schema}"


def _account() -> dict[str, str]:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in names else "nobody"}


def _run(program: str, *arguments: str) -> None:
    account = _account()
    if account:
        group = pwd.getpwnam(account["user"]).pw_gid
        account |= {"group": group, "extra_groups": []}
    subprocess.run([_program(program), *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL, **account)


def _program(name: str) -> str | None:
    """On the PATH, or where Debian puts it; the newest version."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return shutil.which(name) or (str(versions[-1]) if versions else None)
