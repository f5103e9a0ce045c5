"""The migrations make exactly the tables of the models."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hmt_storage.library import SqlLibrary
from hmt_storage.schema import HEAD, MIGRATIONS
from hmt_storage.tables import Base


def own_tables(name, kind, _parents):
    return kind != "table" or not name.startswith("segment_words")


def test_migrations_and_models_agree(library):
    with library._database.read() as connection:
        options = {"include_name": own_tables, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_of_migrations_and_models_agree(library, tmp_path):
    """Alembic compares no partial indexes' conditions and no cascades: the statements themselves are compared."""
    from sqlalchemy import create_engine, event

    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    Base.metadata.create_all(engine)
    engine.dispose()
    assert described(tmp_path / "library.db") == described(tmp_path / "models.db")


def described(file):
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    ours = sorted(set(tables) & set(Base.metadata.tables))
    keys = {name: sorted(connection.execute(f"PRAGMA foreign_key_list({name})").fetchall()) for name in ours}
    columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in ours}
    indexes = sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"))
    connection.close()
    return keys, columns, indexes


def test_the_head_constant_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_opening_an_existing_library_is_fast_and_loads_no_alembic(tmp_path):
    SqlLibrary.open(tmp_path).close()
    code = (
        "import sys; from pathlib import Path; from hmt_storage.library import SqlLibrary; "
        "SqlLibrary.open(Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
    start = time.perf_counter()
    SqlLibrary.open(tmp_path).close()
    assert time.perf_counter() - start < 0.5


def test_opening_does_not_wait_for_whoever_writes(library, tmp_path):
    with library._database.write():
        SqlLibrary.open(tmp_path, url=f"sqlite:///{tmp_path}/library.db?timeout=0.05").close()


def test_the_database_is_set_up_to_survive_a_kill_and_to_forget_what_is_deleted(library):
    with library._database.write() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "secure_delete": 1}


def test_migrations_ship_inside_the_package():
    assert Path(MIGRATIONS, "env.py").exists()
    assert list(Path(MIGRATIONS, "versions").glob("0001_*.py"))
