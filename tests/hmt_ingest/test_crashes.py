"""Killed at every single statement of the database, on a full disk, or twice at once: nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

SCRIPT = Path(__file__).with_name("crash_everywhere.py")
ROOT = Path(__file__).parents[2]
Trials = list[dict[str, Any]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny_hmt("llama", backbone={"vocab_size": 16384}, segment_length=24, sensory_length=4, recall_window=3)
    return save_with_tokenizer(model, tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def trials(checkpoint: Path, tmp_path: Path) -> Callable[[str], Trials]:
    def run(scenario: str) -> Trials:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(checkpoint), str(tmp_path), scenario],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )
        assert done.returncode == 0, done.stderr
        found: Trials = json.loads(done.stdout)["trials"]
        return found

    return run


@pytest.mark.parametrize("scenario", ["create", "replace"])
def test_killed_at_any_statement_the_next_run_ends_with_the_same_bytes(
    trials: Callable[[str], Trials], scenario: str
) -> None:
    found = trials(scenario)
    assert len(found) > 60
    assert {trial["died"] for trial in found} == {-9}
    assert [trial for trial in found if trial["wrong"] or not trial["same"]] == []
    statements = {trial["statement"].split()[0] for trial in found}
    assert {"BEGIN", "COMMIT", "INSERT", "UPDATE", "SELECT", "PRAGMA"} <= statements
    assert {trial["then"] for trial in found} == {"ingested", "resumed", "unchanged"}
    takes_over = [trial for trial in found if trial["statement"].startswith("UPDATE memories SET setting")]
    assert len(takes_over) == (2 if scenario == "replace" else 0)


def test_on_a_full_disk_each_run_says_so_and_the_next_one_goes_on(trials: Callable[[str], Trials]) -> None:
    found = trials("disk")
    assert len(found) > 5
    assert {trial["died"] for trial in found} == {0}
    for trial in found[:-1]:
        assert trial["first"]["status"] == "StorageFull"
        assert "disk space" in trial["first"]["error"]
    assert [trial for trial in found if trial["wrong"] or not trial["same"]] == []
    assert "resumed" in {trial["then"] for trial in found[:-1]}


def test_of_two_processes_with_the_same_file_one_reads_it_and_both_say_the_truth(
    trials: Callable[[str], Trials],
) -> None:
    for trial in trials("twice"):
        assert "ingested" in {one["status"] for one in trial["both"]}
        for one in trial["both"]:
            assert one["status"] in {"ingested", "unchanged"} or "is being ingested by process" in one["error"]
        assert (trial["wrong"], trial["same"], trial["then"]) == ([], True, "unchanged")
