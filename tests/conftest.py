"""What holds for all tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import settings

from tests import postgres

# As the command line does, before anything imports torch: docs/decisions/0007.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A shared machine may stall for a second at any place: slowness is measured by benchmarks, not by examples.
settings.register_profile("hmt-qa", deadline=None)
settings.load_profile("hmt-qa")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """The socket's folder of a PostgreSQL server that this test run starts; skips where it cannot."""
    why = postgres.missing_programs()
    if why:
        pytest.skip(why)
    with postgres.running_server() as socket:
        yield socket


@pytest.fixture
def postgres_url(postgres_socket: Path) -> str:
    """An empty database of its own."""
    name = f"library{next(_numbers)}"
    engine = sqlalchemy.create_engine(postgres.url_of(postgres_socket, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgres.url_of(postgres_socket, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Where a library is kept: None is the file in its home."""
    return request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
