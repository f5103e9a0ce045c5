"""Following a folder by the real command line: what is unchanged, vanished, foreseen, watched."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt
from tests.hmt_ui.calling import Run
from tests.hmt_ui.test_cli import started, wait_for


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = tiny_hmt("llama", backbone={"vocab_size": 16384}, segment_length=32)
    return save_with_tokenizer(tiny, tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    for name in ("a", "b"):
        (made / f"{name}.txt").write_text(f"The file {name} speaks of harbour {name}.\n" * 3)
    return made


def test_a_collection_follows_its_folder(run: Run, folder: Path, model: Path) -> None:
    def ingest(*options: str) -> dict[str, str]:
        outcome = run("ingest", folder, "--model", model, "--json", *options)
        assert outcome.code == 0, outcome.err
        return {Path(row["path"]).name: row["status"] for row in outcome.rows}

    def listed() -> int:
        return len(run("ls", "--json").rows)

    assert ingest("--dry-run") == {"a.txt": "ingested", "b.txt": "ingested"}
    assert listed() == 0
    assert ingest() == {"a.txt": "ingested", "b.txt": "ingested"}
    (folder / "copy.txt").write_bytes((folder / "a.txt").read_bytes())
    (folder / "b.txt").unlink()
    assert ingest("--sync", "duplicates_only") == {"a.txt": "unchanged", "copy.txt": "unchanged"}
    assert listed() == 2
    foreseen = run("ingest", folder, "--model", model, "--sync", "upserts_and_delete", "--dry-run")
    assert "would be deleted" in foreseen.out
    assert listed() == 2
    expected = {"a.txt": "unchanged", "copy.txt": "ingested", "b.txt": "deleted"}
    assert ingest("--sync", "upserts_and_delete") == expected
    assert [Path(row["path"]).name for row in run("ls", "--json").rows] == ["a.txt", "copy.txt"]


def test_what_is_watched_has_no_dry_run(run: Run, folder: Path) -> None:
    assert run("ingest", folder, "--watch", "--dry-run").code == 2
    assert run("ingest", folder, "--sync", "sometimes").code == 2


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    """A process that watches, and the results it has printed so far."""
    process = started("ingest", str(folder), "--watch", "--json", *options)
    printed: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: printed.extend(map(json.loads, process.stdout or ())))
    reader.start()
    try:
        yield process, printed
    finally:
        process.kill()
        process.wait()
        reader.join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def test_a_watched_folder_is_read_as_its_files_settle(folder: Path, model: Path, tmp_path: Path) -> None:
    options = ("--home", str(tmp_path / "home"), "--model", str(model), "--sync", "upserts_and_delete")
    with watching(folder, *options) as (process, printed):
        wait_for(lambda: len(printed) == 2, process)
        assert [row["status"] for row in printed] == ["ingested", "ingested"]
        with (folder / "new.txt").open("w") as growing:
            growing.write("The first half of a new file.\n")
            growing.flush()
            (folder / "a.txt").write_text("The file a speaks of something else now.\n")
            growing.write("And its second half.\n")
        wait_for(lambda: len(printed) == 4, process)
        assert {Path(row["path"]).name: row["status"] for row in printed[2:]} == {
            "a.txt": "ingested",
            "new.txt": "ingested",
        }
        (folder / "b.txt").unlink()
        wait_for(lambda: len(printed) == 5, process)
        assert (printed[4]["status"], Path(printed[4]["path"]).name) == ("deleted", "b.txt")
        (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing follows")
        wait_for(lambda: len(printed) == 6, process)
        assert printed[5]["status"] == "failed"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert process.returncode == 130
        said = process.stderr.read() if process.stderr else ""
        assert "Traceback" not in said
    assert len(printed) == 6
