"""The command line keeps its contract: exit codes, JSON keys, one clear line for every error."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from reportlab.pdfgen import canvas

from tests.hmt_ingest.hostile import docx_of_empty_paragraphs
from tests.hmt_ui.calling import Outcome, Run, one_line

SENTENCES = [
    f"Paragraph {number} of the harbour master's log says that ship {number} brought {number * 7} barrels of oil."
    for number in range(120)
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("\n".join(SENTENCES[:20]) + "\n", encoding="utf-8")
    return path


def test_a_document_is_read_asked_searched_listed_renamed_and_removed(run: Run, log: Path) -> None:
    (row,) = run("ingest", log, "--json").rows
    assert set(row) == {"document", "path", "status", "pages", "tokens", "segments", "seconds", "error"}
    assert (row["status"], row["path"], row["error"]) == ("ingested", str(log), "")
    assert row["segments"] == -(-row["tokens"] // 256)

    assert run("ingest", log, "--json").rows[0]["status"] == "unchanged"

    (answer,) = run("ask", "What did ship 17 bring?", "--document", row["document"], "--json").rows
    assert set(answer) == {"answer", "answerable", "citations", "timings_ms", "model", "mode", "confidence", "verified"}
    assert set(answer["timings_ms"]) == {"resume", "recall", "first_token", "total"}
    keys = {"document", "title", "page", "page_label", "char_start", "char_end", "quote", "weight"}
    keys |= {"answer_start", "answer_end", "memory_rank", "keyword_rank", "segment", "segment_last", "boxes"}
    assert answer["citations"]
    text = log.read_text(encoding="utf-8")
    for citation in answer["citations"]:
        assert set(citation) == keys
        assert citation["quote"] == text[citation["char_start"] : citation["char_end"]]

    found = run("search", "barrels of ship 17", "--using", "keyword", "--top", 3, "--json").rows
    assert [place["rank"] for place in found] == list(range(1, len(found) + 1))
    assert "ship 17 brought" in found[0]["text"]
    assert {"document", "title", "segment", "page_first", "page_last", "char_start", "char_end", "score"} <= set(
        found[0]
    )

    assert run("mv", row["document"], "The log", "--json").rows[0]["title"] == "The log"
    assert [document["title"] for document in run("ls", "--json").rows] == ["The log"]
    assert run("show", row["document"], "--json").rows[0]["path"] == str(log)
    assert run("jobs", "--json").rows[0]["state"] == "done"
    assert run("rm", row["document"], "--json").rows[0]["removed"] is True
    assert run("ls", "--json").rows == []


def test_memory_mode_answers_without_reading_the_text_again(run: Run, log: Path) -> None:
    run("ingest", log)
    (answer,) = run("ask", "What did the ships bring?", "--mode", "memory", "--json").rows
    assert answer["mode"] == "memory"
    assert answer["citations"][0]["weight"] > 0


def test_text_output_shows_pages_quotes_and_timings(run: Run, log: Path) -> None:
    run("ingest", log)
    outcome = run("ask", "What did ship 3 bring?")
    assert outcome.code == 0
    assert "page 1 (printed: lines 1-20)" in outcome.out
    assert "“" in outcome.out
    assert "first token" in outcome.out


def test_bad_files_are_reported_and_the_rest_goes_on(run: Run, log: Path, tmp_path: Path) -> None:
    locked, blank, scan, broken = (tmp_path / f"{name}.pdf" for name in ("locked", "blank", "scan", "broken"))
    draw(scan, text="")
    draw(tmp_path / "plain.pdf", text="Nothing secret.")
    writer = pypdf.PdfWriter(clone_from=tmp_path / "plain.pdf")
    writer.encrypt("sesame", algorithm="RC4-128")
    writer.write(locked)
    blank.write_bytes(b"")
    broken.write_bytes(b"%PDF-1.7\n" + b"\xff" * 500)
    outcome = run("ingest", locked, blank, scan, broken, tmp_path / "absent.pdf", log, "--json")
    assert outcome.code == 1
    status = {Path(row["path"]).name: row for row in outcome.rows}
    assert status.pop("log.txt")["status"] == "ingested"
    assert {row["status"] for row in status.values()} == {"failed"}
    assert "--password" in status["locked.pdf"]["error"]
    assert "no text" in status["scan.pdf"]["error"].lower() or "scan" in status["scan.pdf"]["error"].lower()
    assert all(row["error"] for row in status.values())
    assert run("ingest", locked, "--password", "sesame", "--json").rows[0]["status"] == "ingested"


def test_what_parsing_may_take_is_a_setting(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "paragraphs.docx"
    docx_of_empty_paragraphs(path)
    monkeypatch.setenv("HMT_QA_PARSER_MEMORY_MB", "100")
    (row,) = run("ingest", path, "--json").rows
    assert "needs more than 100 MB of memory" in row["error"]
    assert "HMT_QA_PARSER_MEMORY_MB" in row["error"]


def test_pages_that_could_not_be_read_are_named_beside_success(run: Run, tmp_path: Path) -> None:
    page = canvas.Canvas(str(tmp_path / "mixed.pdf"))
    page.drawString(72, 720, "A typed page about owls.")
    page.showPage()
    page.rect(72, 72, 300, 500, fill=1)
    page.save()
    outcome = run("ingest", tmp_path / "mixed.pdf")
    assert outcome.code == 0
    assert "Not read: page 2 shows a drawing" in outcome.err
    (row,) = run("ingest", tmp_path / "mixed.pdf", "--json", "--collection", "other").rows
    assert row["status"] == "ingested"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ask", "Anything?"), "hmt-qa ingest"),
        (("show", "0123456789ab"), "0123456789ab"),
        (("rm", "nothing-like-it"), "nothing-like-it"),
        (("ask", "Anything?", "--model", "/nowhere"), "/nowhere"),
    ],
)
def test_an_error_is_one_line_with_the_remedy_and_exit_code_1(run: Run, arguments: tuple[str, ...], says: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 1
    assert outcome.out == ""
    assert one_line(outcome.err)
    assert says in outcome.err


def test_questions_that_cannot_be_asked_are_refused(run: Run, log: Path) -> None:
    run("ingest", log)
    for question in ("   ", "why " * 400):
        outcome = run("ask", question)
        assert outcome.code == 1
        assert one_line(outcome.err)


@pytest.mark.parametrize(
    "arguments", [("ingest",), ("ask", "x", "--mode", "guess"), ("ask", "x", "--top", "0"), ("sing",)]
)
def test_wrong_usage_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2


def test_a_document_read_by_another_model_is_refused_with_the_remedy(run: Run, log: Path, tmp_path: Path) -> None:
    from hmt_qa.app import EMBEDDED_MODEL

    run("ingest", log)
    other = tmp_path / "other-model"
    other.mkdir()
    for file in EMBEDDED_MODEL.iterdir():
        (other / file.name).symlink_to(file)
    (other / "config.json").unlink()
    (other / "config.json").write_text((EMBEDDED_MODEL / "config.json").read_text() + "\n")
    outcome = run("ask", "Anything?", "--model", other)
    assert outcome.code == 1
    assert "ingest the document again" in outcome.err


def test_doctor_finds_a_healthy_installation_and_names_what_is_wrong(run: Run, tmp_path: Path) -> None:
    healthy = run("doctor", "--json")
    assert healthy.code == 0
    assert {row["check"] for row in healthy.rows} >= {"python", "disk", "library", "model", "engine"}
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "library.db").write_text("not a database, but long enough to look like some file" * 50)
    ill = run("doctor", "--json")
    assert ill.code == 1
    assert [row["check"] for row in ill.rows if not row["ok"]] == ["library"]


def test_settings_say_where_they_come_from(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text('port = 9000\ndtype = "float32"\n')
    monkeypatch.setenv("HMT_QA_DTYPE", "bfloat16")
    rows = {row["setting"]: (row["value"], row["origin"]) for row in run("config", "show", "--json").rows}
    assert rows["port"] == (9000, "config.toml")
    assert rows["dtype"] == ("bfloat16", "environment")
    assert rows["host"] == ("127.0.0.1", "default")
    (tmp_path / "home" / "config.toml").write_text("port = 900000\n")
    outcome = run("ls")
    assert outcome.code == 1
    assert "port" in outcome.err


def test_an_address_others_can_reach_is_refused_without_a_word_from_the_user(run: Run) -> None:
    outcome = run("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - refused
    assert outcome.code == 2
    assert one_line(outcome.err)
    assert "hmt-qa user add NAME" in outcome.err
    assert "HMT_QA_ALLOW_UNAUTHENTICATED" in outcome.err


def test_text_of_a_document_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile\x1b[31m.txt"
    hostile.write_text("The captain said \x1b]0;owned\x07 and \x9b2J loudly, many times over.\n" * 3)
    run("ingest", hostile)
    shown = run("ls").out + run("search", "captain").out + run("ask", "What did the captain say?").out
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['hmt-qa', '--help']\n"
        "from hmt_ui.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'gradio', 'sqlalchemy', 'pydantic', 'numpy', 'tokenizers'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ingest" in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.txt"
    path.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    return path


def test_killed_anywhere_it_goes_on_and_ends_with_the_same_bytes(long_log: Path, tmp_path: Path) -> None:
    whole = ingesting(long_log, tmp_path / "whole")
    assert ended(whole)[0] == 0
    for after in (1, 9):
        process = ingesting(long_log, tmp_path / "killed")
        wait_for(lambda at_least=after: committed(tmp_path / "killed") >= at_least, process)
        process.send_signal(signal.SIGKILL)
        assert ended(process)[0] == -signal.SIGKILL
    last = ingesting(long_log, tmp_path / "killed")
    code, out, _ = ended(last)
    assert (code, json.loads(out)["status"]) == (0, "resumed")
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) > 12


def test_interrupted_it_exits_with_130_and_keeps_what_was_read(tmp_path: Path) -> None:
    longer = tmp_path / "longer.txt"
    longer.write_text("\n".join(SENTENCES * 4) + "\n", encoding="utf-8")
    process = ingesting(longer, tmp_path)
    wait_for(lambda: committed(tmp_path) >= 2, process)
    process.send_signal(signal.SIGINT)
    code, _, said = ended(process)
    assert code == 130, said
    assert "go on" in said
    assert committed(tmp_path) >= 2


def ingesting(path: Path, home: Path, *options: str) -> subprocess.Popen[str]:
    return started("ingest", str(path), "--home", str(home), "--json", *options)


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hmt_ui", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def ended(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=120)
    return Outcome(process.returncode, out, err)


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def committed(home: Path) -> int:
    try:
        with sqlite3.connect(f"file:{home / 'library.db'}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM memory_rows").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def rows(home: Path) -> list[tuple[int, str, bytes]]:
    with sqlite3.connect(home / "library.db") as connection:
        return connection.execute("SELECT number, state_id, row FROM memory_rows ORDER BY number").fetchall()


def draw(path: Path, *, text: str) -> None:
    page = canvas.Canvas(str(path))
    if text:
        page.drawString(72, 720, text)
    else:
        page.rect(72, 72, 300, 500, fill=1)
    page.showPage()
    page.save()
