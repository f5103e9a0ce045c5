"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import postgres

# As the command line does, before anything imports torch: docs/decisions/0007.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A shared machine may stall for a second at any place: slowness is measured by benchmarks, not by examples.
settings.register_profile("hmt-qa", deadline=None)
settings.load_profile("hmt-qa")


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
    """An empty place for a library on that server."""
    return postgres.new_schema(postgres_socket)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The nearest mark `databases`, of the test or its module, says where its library is kept."""
    marked = metafunc.definition.get_closest_marker("databases")
    if marked and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", marked.args, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Where a library is kept: None is the file in its home."""
    chosen = getattr(request, "param", "sqlite")
    return request.getfixturevalue("postgres_url") if chosen == "postgresql" else None
