"""Jobs by the real command line: one process reads, others look on, stop it and go on with it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt
from tests.hmt_ui.calling import Run, one_line
from tests.hmt_ui.test_cli import SENTENCES, committed, ended, ingesting, rows, started, wait_for


@pytest.fixture
def long_log(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("\n".join(SENTENCES * 3) + "\n", encoding="utf-8")
    return path


def test_a_job_of_another_process_is_watched_cancelled_and_resumed_to_the_same_bytes(
    run: Run, long_log: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    process = ingesting(long_log, home)
    wait_for(lambda: committed(home) >= 3, process)
    (job,) = run("jobs", "--json").rows
    assert (job["state"], job["path"], job["tokens_total"]) == ("running", str(long_log), 0)
    assert job["owner"] == f"process {process.pid} on {os.uname().nodename}"
    assert 0 < job["fraction"] < 1
    assert {"id", "heartbeat_at", "lease_expires_at", "tokens_done", "tokens_per_second", "pages_total"} <= set(job)
    assert "tokens/s by process" in run("jobs").out

    (cancelled,) = run("cancel", job["id"], "--json").rows
    assert (cancelled["state"], cancelled["owner"]) == ("cancelled", "")
    code, out, _ = ended(process)
    result = json.loads(out)
    assert (code, result["status"]) == (1, "cancelled")
    assert f"resume {job['id']}" in result["error"]
    kept = committed(home)
    assert kept >= 3

    outcome = ended(started("resume", "--home", str(home), "--json"))  # with as many threads: bits depend on them
    assert (outcome.code, [row["status"] for row in outcome.rows]) == (0, ["resumed"])
    (done,) = run("jobs", "--json").rows
    assert (done["id"], done["state"], done["fraction"]) == (job["id"], "done", 1.0)
    assert done["tokens_total"] == done["tokens_done"] == outcome.rows[0]["tokens"]
    assert ended(ingesting(long_log, tmp_path / "whole"))[0] == 0
    assert rows(home) == rows(tmp_path / "whole")
    assert len(rows(home)) > kept


def test_resume_goes_on_with_what_was_named_in_its_own_collection(run: Run, long_log: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = ingesting(long_log, home, "--collection", "logs")
    wait_for(lambda: committed(home) >= 1, process)
    process.send_signal(signal.SIGKILL)
    ended(process)
    (job,) = run("jobs", "--json").rows
    assert job["state"] == "interrupted"
    assert [row["status"] for row in run("resume", job["id"], "--json").rows] == ["resumed"]
    assert [document["collection"] for document in run("ls", "--json").rows] == ["logs"]
    assert run("resume").code == 0  # nothing is left
    for command in ("resume", "cancel"):
        outcome = run(command, job["id"])
        assert (outcome.code, outcome.out) == (1, "")
        assert one_line(outcome.err)
        assert "done" in outcome.err
    unknown = run("resume", 99)
    assert one_line(unknown.err)
    assert "hmt-qa jobs" in unknown.err


def test_a_discarded_job_is_gone_and_its_file_is_read_from_the_start(run: Run, long_log: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = ingesting(long_log, home)
    wait_for(lambda: committed(home) >= 2, process)
    (job,) = run("jobs", "--json").rows
    assert run("cancel", job["id"], "--discard", "--json").rows[0]["state"] == "cancelled"
    ended(process)
    assert run("jobs", "--json").rows == []
    assert committed(home) == 0


def test_a_file_whose_name_is_no_unicode_is_resumed(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    process = ingesting(path, home)
    wait_for(lambda: committed(home) >= 1, process)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    assert [row["status"] for row in run("resume", "--json").rows] == ["resumed"]
    assert len(run("ls", "--json").rows) == 1


def test_a_folder_killed_in_the_middle_ends_with_the_bytes_of_an_uninterrupted_run(run: Run, tmp_path: Path) -> None:
    model = save_with_tokenizer(
        tiny_hmt("llama", backbone={"vocab_size": 16384}, segment_length=24, recall_window=5), tmp_path / "model"
    )
    folder, home, whole = (tmp_path / name for name in ("texts", "home", "whole"))
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.txt").write_text("\n".join(SENTENCES[number:] * 3) + "\n", encoding="utf-8")
    options = ("--model", str(model), "--dtype", "float32", "--workers", "3")
    process = ingesting(folder, home, *options)
    wait_for(lambda: committed(home) >= 5, process)
    process.send_signal(signal.SIGKILL)
    ended(process)

    again, uninterrupted = (ended(ingesting(folder, place, *options)) for place in (home, whole))
    assert (again.code, uninterrupted.code) == (0, 0)
    assert {row["status"] for row in again.rows} <= {"ingested", "resumed", "unchanged"}
    assert sorted(rows(home)) == sorted(rows(whole))
    assert {row["status"] for row in uninterrupted.rows} == {"ingested"}
    assert "tokens/s; the model was busy" in uninterrupted.err
