"""Times from resuming a document's memory to the first word of an answer, for 10,000 tokens and for a million.

    python benchmarks/resuming.py [--tokens 1000000] [--rounds 9] [--json]

The short document is this repository's own text, read by the packaged model. The long one is made of it: its segments,
pages and memory rows stored again and again, so that nothing of a million tokens has to be read first. Both are asked
in turns; the memory is read from disk each time. A run is given with the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

from hmt_qa import DocumentQA
from hmt_storage.checksums import PageRow, SegmentRow

ROOT = Path(__file__).parent.parent
CHARACTERS = 36_000  # about 10,000 tokens
QUESTION = "How is a resumed run made equal to the last bit?"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the first word of an answer after resuming.")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), chosen.tokens, chosen.rounds)
    lines = (f"{name:28} {value:,.4g}" for name, value in figures.items())
    print(json.dumps(figures) if chosen.json else "\n".join(lines))


def measure(home: Path, tokens: int, rounds: int) -> dict[str, float]:
    figures = {"load_at_start": os.getloadavg()[0]}
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/**/*.md")))
    with DocumentQA.open(home) as qa:
        short = qa.ingest_text(text[:CHARACTERS], name="short")
        qa.ingest_text(f"{text[:CHARACTERS]}.", name="long")
    repeat(home, "long", -(-tokens // short.tokens))
    with DocumentQA.open(home) as qa:
        documents = {document.path: document for document in qa.documents()}
        firsts: dict[str, list[float]] = {name: [] for name in documents}
        resumes: dict[str, list[float]] = {name: [] for name in documents}
        for _ in range(rounds + 1):
            for name, document in documents.items():
                qa.forget_cached()
                timings = qa.ask(QUESTION, documents=[document.id]).timings_ms
                firsts[name].append(timings.first_token)
                resumes[name].append(timings.resume)
    for name, document in documents.items():
        figures[f"{name}_tokens"] = document.tokens
        figures[f"{name}_resume_ms"] = statistics.median(resumes[name][1:])
        figures[f"{name}_first_token_ms"] = statistics.median(firsts[name][1:])
    figures["long_over_short"] = figures["long_first_token_ms"] / figures["short_first_token_ms"]
    figures["load_at_end"] = os.getloadavg()[0]
    return figures


def repeat(home: Path, path: str, times: int) -> None:
    """Let the document at `path` say the same `times` over, with the memory rows it has."""
    with closing(sqlite3.connect(home / "library.db")) as connection, connection:
        (memory,) = connection.execute("SELECT memory_id FROM documents WHERE path = ?", [path]).fetchone()
        own = [memory]
        segments = [
            SegmentRow(*row)
            for row in connection.execute(
                f"SELECT {', '.join(SegmentRow._fields)} FROM segments WHERE memory_id = ? ORDER BY number", own
            )
        ]
        pages = [
            PageRow(*row)
            for row in connection.execute(
                f"SELECT {', '.join(PageRow._fields)} FROM pages WHERE memory_id = ? ORDER BY number", own
            )
        ]
        rows = connection.execute(
            "SELECT number, state_id, sha256, row FROM memory_rows WHERE memory_id = ?", own
        ).fetchall()
        length = segments[-1].char_end
        for turn in range(1, times):
            moved = [_moved(row, turn * len(segments), turn * length) for row in segments]
            paged = [_moved(row, turn * len(pages), turn * length) for row in pages]
            moved = [
                row._replace(page_first=row.page_first + turn * len(pages), page_last=row.page_last + turn * len(pages))
                for row in moved
            ]
            _insert(connection, "segments", SegmentRow._fields, [(memory, *row, row.checksum) for row in moved])
            _insert(connection, "pages", PageRow._fields, [(memory, *row, row.checksum) for row in paged])
            connection.executemany(
                "INSERT INTO memory_rows(memory_id, number, state_id, sha256, row) VALUES (?, ?, ?, ?, ?)",
                [(memory, number + turn * len(segments), *rest) for number, *rest in rows],
            )
        connection.execute(
            "UPDATE memories SET segments = segments * :n, tokens = tokens * :n, pages = pages * :n, "
            "characters = characters * :n WHERE id = :memory",
            {"n": times, "memory": memory},
        )


def _moved(row, numbers: int, characters: int):
    return row._replace(
        number=row.number + numbers, char_start=row.char_start + characters, char_end=row.char_end + characters
    )


def _insert(
    connection: sqlite3.Connection, table: str, fields: tuple[str, ...], rows: list[tuple[object, ...]]
) -> None:
    columns = ", ".join(("memory_id", *fields, "sha256"))
    marks = ", ".join("?" * (len(fields) + 2))
    connection.executemany(f"INSERT INTO {table}({columns}) VALUES ({marks})", rows)


if __name__ == "__main__":
    main()
