"""What the disk, other programs and other processes do becomes one line with a remedy."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hmt_qa.errors import DamagedMemory, LibraryBusy, LibraryProblem, LibraryUnusable
from hmt_storage.library import SqlLibrary


def execute(home, statement, *arguments):
    with sqlite3.connect(home / "library.db") as connection:
        changed = connection.execute(statement, arguments).rowcount
    connection.close()
    return changed


def one_line_with_a_remedy(error: LibraryProblem) -> bool:
    return bool(error.remedy) and "\n" not in str(error)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE memory_rows SET row = x'00000000000000000000000000000000' WHERE number = 2",
        "UPDATE memory_rows SET sha256 = x'00' WHERE number = 2",
        "UPDATE memory_rows SET row = substr(row, 1, 15) WHERE number = 2",
        "DELETE FROM memory_rows WHERE number = 2",
        "UPDATE memory_rows SET number = 99 WHERE number = 2",
    ],
)
def test_a_changed_memory_row_is_found_and_named(library, whale, tmp_path, change):
    document = whale.ingest(library)
    assert execute(tmp_path, change) == 1
    with pytest.raises(DamagedMemory, match=rf"{document.id}.*segment 2 ") as found:
        library.memory(document.id)
    assert one_line_with_a_remedy(found.value)


def test_a_memory_cut_off_at_its_end_is_damaged(library, whale, tmp_path):
    document = whale.ingest(library)
    assert execute(tmp_path, "DELETE FROM memory_rows WHERE number = (SELECT max(number) FROM memory_rows)") == 1
    with pytest.raises(DamagedMemory, match=f"segment {document.segments - 1} "):
        library.memory(document.id)


def test_changed_word_boxes_are_damaged(library, whale, tmp_path):
    document = whale.ingest(library)
    execute(tmp_path, "UPDATE pages SET boxes = x'0102' WHERE number = 1")
    with pytest.raises(DamagedMemory, match="page 1"):
        library.boxes(document.id, 1)
    with pytest.raises(DamagedMemory, match="page 1"):
        library.quote_boxes(document.id, 0, 5)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "library.db"
    file.write_bytes(b"These are my notes, not a database.\n" * 50)
    with pytest.raises(LibraryUnusable, match="not a database") as refused:
        SqlLibrary.open(tmp_path)
    assert one_line_with_a_remedy(refused.value)
    assert file.read_bytes().startswith(b"These are my notes")


def test_a_database_of_another_program_is_left_alone(tmp_path):
    execute(tmp_path, "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(LibraryUnusable, match="another program"):
        SqlLibrary.open(tmp_path)
    connection = sqlite3.connect(tmp_path / "library.db")
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    connection.close()


def test_a_newer_schema_is_refused(tmp_path):
    SqlLibrary.open(tmp_path).close()
    execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LibraryUnusable, match="9999") as refused:
        SqlLibrary.open(tmp_path)
    assert "Upgrade" in refused.value.remedy


def test_a_damaged_database_is_unusable(tmp_path, whale):
    library = SqlLibrary.open(tmp_path)
    document = whale.ingest(library)
    library.close()
    file = tmp_path / "library.db"
    file.write_bytes(file.read_bytes()[:4096] + os.urandom(file.stat().st_size - 4096))
    with pytest.raises(LibraryUnusable) as found:
        SqlLibrary.open(tmp_path).text(document.id, 0, 9)
    assert one_line_with_a_remedy(found.value)


def test_a_home_that_cannot_be_made_is_unusable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryUnusable, match="cannot be made"):
        SqlLibrary.open(tmp_path / "file" / "home")


def test_a_home_is_made_with_its_parents(tmp_path):
    SqlLibrary.open(tmp_path / "a%20b" / "ä ? # c").close()
    assert (tmp_path / "a%20b" / "ä ? # c" / "library.db").exists()


@pytest.mark.parametrize("url", ["postgresql+psycopg://host/name", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_only_sqlite_files_are_libraries(tmp_path, url):
    with pytest.raises(LibraryUnusable) as refused:
        SqlLibrary.open(tmp_path, url=url)
    assert one_line_with_a_remedy(refused.value)


def test_a_password_in_an_url_is_not_shown(tmp_path):
    with pytest.raises(LibraryUnusable) as refused:
        SqlLibrary.open(tmp_path, url="postgresql://me:hunter2@host/name")
    assert "hunter2" not in f"{refused.value} {refused.value.subject}"


def test_a_library_that_stays_locked_is_busy_and_can_still_be_read(tmp_path, whale):
    library = SqlLibrary.open(tmp_path, url=f"sqlite:///{tmp_path}/library.db?timeout=0.05")
    document = whale.ingest(library)
    other = sqlite3.connect(tmp_path / "library.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LibraryBusy) as refused:
        library.rename(document.id, "x")
    assert one_line_with_a_remedy(refused.value)
    assert library.document(document.id) == document
    other.execute("ROLLBACK")
    other.close()
    assert library.rename(document.id, "x").title == "x"
    library.close()


def test_a_writer_waits_for_another_one(library, whale, tmp_path):
    document = whale.ingest(library)
    other = sqlite3.connect(tmp_path / "library.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    timer.start()
    assert library.rename(document.id, "x").title == "x"
    timer.join()
    other.close()


FILL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import make_sample
from hmt_qa.errors import StorageFull
from hmt_storage.library import SqlLibrary
library = SqlLibrary.open(Path(sys.argv[1]))
written = make_sample("x" * 2_000_000, length=5_000)
ingestion = written.begin(library)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
try:
    for number, segment in enumerate(written.segments):
        written.commit(ingestion, [segment])
except StorageFull as error:
    ingestion.interrupt()
    print(number, "disk space" in error.remedy)
"""


def test_a_file_size_limit_is_a_full_storage_and_loses_nothing(library, sample, tmp_path):
    command = [sys.executable, "-W", "error", "-c", FILL, str(tmp_path), str(Path(__file__).parent)]
    filled = subprocess.run(command, capture_output=True, text=True, check=True)
    number, remedy = filled.stdout.split()
    assert remedy == "True"
    assert int(number) > 3
    written = sample("x" * 2_000_000, length=5_000)
    ingestion = written.begin(library)
    assert len(ingestion.committed_state_ids) == int(number)
    written.commit(ingestion, written.segments[int(number) :])
    assert library.memory(ingestion.finish().id).rows == b"".join(map(written.row, written.segments))
