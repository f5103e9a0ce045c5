"""Threads and processes share one library."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hmt_storage.library import SqlLibrary


@pytest.mark.databases("sqlite", "postgresql")
def test_threads_write_and_read_at_once(library, sample):
    samples = [sample(f"thread {number}\n" * 20, path=f"/{number}") for number in range(6)]

    def ingest(written):
        document = written.ingest(library)
        assert library.text(document.id, 0, 9999) == written.text
        library.keyword_search("thread", documents=[document.id], top=3)
        library.jobs()
        return document

    with ThreadPoolExecutor(4) as threads:
        documents = list(threads.map(ingest, samples))
    assert {document.id for document in library.documents()} == {document.id for document in documents}
    for document, written in zip(documents, samples, strict=True):
        assert library.memory(document.id).rows == b"".join(map(written.row, written.segments))


@pytest.mark.databases("sqlite", "postgresql")
def test_one_transaction_reads_one_moment(library, whale):
    document = whale.ingest(library)
    with library._database.read() as connection:
        before = connection.exec_driver_sql("SELECT title FROM documents").scalar()
        library.rename(document.id, "changed meanwhile")
        assert connection.exec_driver_sql("SELECT title FROM documents").scalar() == before
    assert library.document(document.id).title == "changed meanwhile"


def test_a_new_library_waits_for_whoever_makes_it(tmp_path):
    """SQLite itself would not wait: the switch to its write-ahead log is refused at once while the file is locked."""
    other = sqlite3.connect(tmp_path / "library.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    timer.start()
    SqlLibrary.open(tmp_path, url=f"sqlite:///{tmp_path}/library.db?timeout=0.01").close()
    timer.join()
    other.close()


@pytest.mark.databases("sqlite", "postgresql")
def test_several_processes_make_a_new_library_at_once(tmp_path, database_url):
    home = tmp_path / "new"
    code = "import sys; from pathlib import Path; from hmt_storage.library import SqlLibrary; "
    code += "sys.stdin.readline(); SqlLibrary.open(Path(sys.argv[1]), url=sys.argv[2] or None).close()"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home), database_url or ""],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=30)
        assert child.returncode == 0, errors
