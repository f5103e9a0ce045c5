"""Brings a database to the schema of this version; loads Alembic only when there is something to bring."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect

from hmt_qa.errors import LibraryUnusable
from hmt_storage.database import Database

_log = logging.getLogger(__name__)

HEAD = "0009"
"""The newest revision in `migrations/versions`."""

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_to_head(database: Database) -> None:
    """Make or upgrade the tables; raises `LibraryUnusable` for a newer schema or for somebody else's database."""
    with database.read() as connection:
        if _revision(connection, database.place) == HEAD:
            return
    # Under the writer's lock, so of several processes that open a new library at once one makes the tables.
    with database.write() as connection:
        revision = _revision(connection, database.place)
        if revision != HEAD:
            _upgrade(connection, database.place, revision)


def _revision(connection: Connection, place: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        stored = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if stored is None else str(stored)
    if tables:
        raise LibraryUnusable(
            f"{place} is a database of another program.",
            subject=place,
            remedy="Choose another home; this file was left as it is.",
        )
    return None


def _upgrade(connection: Connection, place: str, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise LibraryUnusable(
            f"The library {place} has schema {revision}, which is newer than this version of hmt-qa knows ({HEAD}).",
            subject=revision,
            remedy="Upgrade hmt-qa, or choose another home.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _log.info("schema_upgraded place=%s from=%s to=%s", place, revision, HEAD)
