"""Made data and the work folder its tokens are cached in, once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hmt_qa.training.made_data import make


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")
