"""Giving memories away, taking them in and caring for the library, by the command line on real documents."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.hmt_ui.calling import Run, one_line

FACT = "The harbour master of Skerry is called Ilse Brandt."


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    path = tmp_path / "harbour.txt"
    path.write_text(f"{FACT}\nShips come and go.\n\fOn the second page it rains all day.\n", encoding="utf-8")
    return path


def test_a_bundle_is_exported_imported_asked_verified_and_collected(run: Run, harbour: Path, tmp_path: Path) -> None:
    (read,) = run("ingest", harbour, "--json").rows
    bundle, elsewhere = tmp_path / "harbour.hmt", tmp_path / "elsewhere"
    (written,) = run("export", read["document"], bundle, "--json").rows
    assert (written["file"], written["file_bytes"]) == (str(bundle), bundle.stat().st_size)
    (taken,) = run("import", bundle, "--home", elsewhere, "--json").rows
    assert (taken["status"], taken["text"], taken["pages"]) == ("imported", True, 2)
    assert run("import", bundle, "--home", elsewhere, "--json").rows[0]["status"] == "unchanged"

    (answer,) = run("ask", "Who is the harbour master?", "--home", elsewhere, "--json").rows
    assert FACT in {citation["quote"] for citation in answer["citations"]}
    assert [row["ok"] for row in run("verify", "--home", elsewhere, "--json").rows] == [True, True]
    assert {row["kind"] for row in run("gc", "--home", elsewhere, "--json").rows} <= {"free room"}


def test_without_text_a_document_is_asked_by_its_memory_and_cited_by_its_page(
    run: Run, harbour: Path, tmp_path: Path
) -> None:
    run("ingest", harbour, "--collection", "port")
    bundle, elsewhere = tmp_path / "bare.hmt", tmp_path / "elsewhere"
    assert run("export", "--collection", "port", bundle, "--no-text", "--json").rows[0]["text"] is False
    assert b"Brandt" not in bundle.read_bytes()
    assert "--mode memory" in run("import", bundle, "--home", elsewhere).out
    refused = run("ask", "Who is the harbour master?", "--home", elsewhere)
    assert refused.code == 1
    assert one_line(refused.err)
    assert "without their text. Ask with --mode memory" in refused.err
    (answer,) = run("ask", "Who is the harbour master?", "--mode", "memory", "--home", elsewhere, "--json").rows
    assert {(citation["page"], citation["quote"]) for citation in answer["citations"]} == {(1, "")}


def test_flipped_text_is_found_named_and_exits_with_one(run: Run, harbour: Path, tmp_path: Path) -> None:
    (read,) = run("ingest", harbour, "--json").rows
    with closing(sqlite3.connect(tmp_path / "home" / "library.db")) as connection, connection:
        connection.execute("UPDATE segments SET text = replace(text, 'Ilse', 'Else')")
    outcome = run("verify")
    assert outcome.code == 1
    assert f"BAD  {read['document']}  harbour" in outcome.out


def test_bad_input_is_one_line_and_changes_nothing(run: Run, harbour: Path, tmp_path: Path) -> None:
    run("ingest", harbour)
    before = run("ls", "--json").out
    for arguments in (["import", harbour], ["import", tmp_path / "none"], ["export", "ffffffff", tmp_path / "x.hmt"]):
        outcome = run(*arguments)
        assert outcome.code == 1, arguments
        assert one_line(outcome.err)
    assert run("export", tmp_path / "x.hmt").code == 2
    assert run("export", "ffffffff", "--collection", "c", tmp_path / "x.hmt").code == 2
    assert run("ls", "--json").out == before


def test_doctor_names_documents_that_another_model_read(run: Run, harbour: Path, tmp_path: Path) -> None:
    (read,) = run("ingest", harbour, "--json").rows
    checks = {row["check"]: row for row in run("doctor", "--json").rows}
    assert checks["memories"]["ok"]
    assert "1 done" in checks["ingestions"]["detail"]
    with closing(sqlite3.connect(tmp_path / "home" / "library.db")) as connection, connection:
        connection.execute("UPDATE memories SET model_id = 'other@1'")
    outcome = run("doctor", "--json")
    checks = {row["check"]: row for row in outcome.rows}
    assert outcome.code == 1
    assert f"{read['document']} by other@1" in checks["memories"]["detail"]
