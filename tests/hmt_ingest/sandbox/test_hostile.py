"""Files made to do harm: each gets its clear reason, costs this process next to nothing, and the batch goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hmt_ingest.hostile import FILES
from tests.hmt_ingest.sandbox import ingest_and_measure

SECONDS = 5  # of processor time a page: what would take minutes is given up sooner than a user would
MOST_GROWTH = 50_000_000
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """All of them read in one process, an ordinary file before and after each."""
    folder = tmp_path_factory.mktemp("hostile")
    good = folder / "good.txt"
    good.write_text("An ordinary text, long enough for a segment.\n" * 200)
    paths = [good]
    for file in FILES:
        file.write(folder / file.name)
        paths += [folder / file.name, good]
    script = [sys.executable, ingest_and_measure.__file__, str(SECONDS), *map(str, paths)]
    run = subprocess.run(script, stdout=subprocess.PIPE, text=True, check=True, env=ENVIRONMENT)
    for path in paths[1::2]:
        path.unlink()
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["status"] for line in lines if line["name"] == "good.txt"] == ["ingested"] * (len(FILES) + 1)
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_hostile_file_gets_its_reason_and_leaves_nothing_behind(outcomes, file):
    outcome = outcomes[file.name]
    if file.says:
        assert outcome["status"] == "failed"
        assert file.says in str(outcome["error"])
        assert file.name in str(outcome["error"])
    else:
        assert (outcome["status"], outcome["error"]) == ("ingested", "")
    assert outcome["left"] == 0
    assert "\n" not in str(outcome["error"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_this_process_grows_by_less_than_50_mb(outcomes, file):
    assert int(str(outcomes[file.name]["grown"])) < MOST_GROWTH


def test_bombs_are_small(tmp_path: Path) -> None:
    for name in ("flate.pdf", "operators.pdf", "bomb.xlsx", "overlap.epub", "paragraphs.docx"):
        next(file for file in FILES if file.name == name).write(tmp_path / name)
        assert (tmp_path / name).stat().st_size < 600_000
    assert (tmp_path / "flate.pdf").stat().st_size < 5_000
