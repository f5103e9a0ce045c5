"""The command line as the shell calls it, and a browser."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hmt_ui.cli import main
from tests.hmt_ui import browser as web
from tests.hmt_ui.calling import Outcome, Run


@pytest.fixture(scope="module")
def chromium() -> Iterator[web.Browser]:
    """Debian's browser, for the module that asks for it: its event loop is in the way of others' tests."""
    with web.chromium() as browser:
        yield browser


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Calls the entry point as the shell would, in this process, with a home of its own."""
    monkeypatch.setenv("HMT_QA_HOME", str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hmt-qa", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    yield call
    signal.signal(signal.SIGTERM, before)
