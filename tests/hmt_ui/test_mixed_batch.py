"""200 files of every kind, 20 of them bad: 180 are read, 20 get their reasons, and nothing is half done."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from nbformat import v4
from reportlab.pdfgen.canvas import Canvas

from tests.hmt_ingest import hostile
from tests.hmt_qa.models import save_with_tokenizer, tiny_hmt

SENTENCES = "The keeper of lighthouse {} counted {} gulls, {} ships and one owl. "
KINDS = ("pdf", "txt", "md", "rst", "html", "docx", "pptx", "xlsx", "csv", "epub", "eml", "ipynb", "py", "rs", "json")


def text(number: int) -> str:
    return "".join(SENTENCES.format(number, number * 7, line) for line in range(4))


def write_good(folder: Path, number: int) -> Path:
    """File `number`, of the kind whose turn it is."""
    kind = KINDS[number % len(KINDS)]
    path, words = folder / f"good{number}.{kind}", text(number)
    if kind == "pdf":
        canvas = Canvas(str(path))
        for line, sentence in enumerate(words.split(". ")):
            canvas.drawString(50, 700 - 20 * line, sentence)
        canvas.save()
    elif kind == "docx":
        document = docx.Document()
        document.add_paragraph(words)
        document.save(str(path))
    elif kind == "pptx":
        slides = pptx.Presentation()
        slides.slides.add_slide(slides.slide_layouts[5]).shapes.title.text = words
        slides.save(str(path))
    elif kind == "xlsx":
        workbook = openpyxl.Workbook()
        workbook.active.append(words.split(". "))
        workbook.save(path)
    elif kind == "epub":
        with zipfile.ZipFile(path, "w") as book:
            book.writestr("META-INF/container.xml", '<container><rootfile full-path="b.opf"/></container>')
            item = '<item id="a" href="a.html" media-type="text/html"/><itemref idref="a"/>'
            book.writestr("b.opf", f"<package>{item}</package>")
            book.writestr("a.html", f"<p>{words}</p>")
    elif kind == "eml":
        message = EmailMessage()
        message["Subject"] = f"Letter {number}"
        message.set_content(words)
        path.write_bytes(bytes(message))
    elif kind == "ipynb":
        path.write_text(json.dumps(v4.new_notebook(cells=[v4.new_markdown_cell(words)])))
    else:
        written = {"html": f"<h1>{number}</h1><p>{words}</p>", "json": json.dumps({"text": words})}
        path.write_text(written.get(kind, words))
    return path


def write_bad(folder: Path) -> Iterator[tuple[Path, str]]:
    """Twenty bad files, each with what has to be said of it."""
    for file in hostile.FILES:
        if file.says and file.name not in (
            "line.txt",
            "deep.html",
            "paragraphs.docx",
            "blank.pdf",
        ):  # slow, and tested elsewhere
            file.write(folder / file.name)
            yield folder / file.name, file.says
    for name, content, says in (
        ("empty.txt", b"", "holds no text"),
        ("photo.png", b"\x89PNG\r\n\0\0", "no reader for .png"),
        ("torn.docx", b"PK\3\4torn", "no Word file"),
        ("notes.eml", b"no header here", "no e-mail"),
    ):
        (folder / name).write_bytes(content)
        yield folder / name, says
    yield folder / "missing.pdf", "No such file"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixed")


@pytest.fixture(scope="module")
def bad(folder: Path) -> dict[Path, str]:
    return dict(write_bad(folder))


@pytest.fixture(scope="module")
def good(folder: Path) -> list[Path]:
    return [write_good(folder, number) for number in range(180)]


@pytest.fixture(scope="module")
def run(folder: Path, good: list[Path], bad: dict[Path, str]) -> subprocess.CompletedProcess[str]:
    """The command line over all of them, a bad one after every nine good ones, with a tiny model."""
    order: list[Path] = []
    for number, path in enumerate(bad):
        order += [*good[9 * number : 9 * number + 9], path]
    model = save_with_tokenizer(tiny_hmt("llama", backbone={"vocab_size": 16384}, segment_length=32), folder / "model")
    command = [sys.executable, "-m", "hmt_ui", "ingest", *map(str, order), "--home", str(folder / "home")]
    return subprocess.run(
        [*command, "--model", str(model), "--dtype", "float32", "--json"],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )


def test_of_200_files_180_are_read_and_20_get_their_reasons(run, good, bad):
    assert run.returncode == 1, run.stderr
    rows = {Path(row["path"]): row for row in map(json.loads, run.stdout.splitlines())}
    assert (len(good), len(bad), len(rows)) == (180, 20, 200)
    assert {path for path, row in rows.items() if row["status"] == "ingested"} == set(good)
    for path, says in bad.items():
        assert rows[path]["status"] == "failed"
        assert says in rows[path]["error"]
        assert rows[path]["document"] == ""
    assert {row["error"] for path, row in rows.items() if path in set(good)} == {""}
    assert "Traceback" not in run.stderr


def test_nothing_is_half_done(run, folder, good):
    with sqlite3.connect(folder / "home" / "library.db") as library:

        def count(what: str) -> int:
            return int(library.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608

        assert library.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert library.execute("PRAGMA foreign_key_check").fetchall() == []
        assert (count("documents"), count("memories")) == (180, 180)
        assert count("memories WHERE NOT complete") == 0
        assert dict(library.execute("SELECT state, count(*) FROM jobs GROUP BY state")) == {"done": 180, "failed": 20}
        assert count("jobs WHERE state = 'failed' AND error = ''") == 0
        assert count("segments") == count("memory_rows")
        orphans = "memory_id NOT IN (SELECT id FROM memories)"
        assert [count(f"{table} WHERE {orphans}") for table in ("segments", "memory_rows", "pages")] == [0, 0, 0]


def test_what_was_read_is_found_again_in_every_format(run, folder, good):
    with sqlite3.connect(folder / "home" / "library.db") as library:
        for number, path in enumerate(good[: len(KINDS)]):
            stored = library.execute(
                "SELECT group_concat(text, '') FROM (SELECT text FROM segments JOIN documents USING (memory_id) "
                "WHERE path = ? ORDER BY number)",
                (str(path),),
            ).fetchone()[0]
            assert f"lighthouse {number} counted {number * 7} gulls" in " ".join(stored.split()), path.name
