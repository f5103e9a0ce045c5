"""What nothing refers to goes, and nothing else does."""

from __future__ import annotations

import sqlite3
from contextlib import closing


def test_in_a_library_where_everything_is_in_use_there_is_nothing_to_collect(library, whale, sample):
    whale.ingest(library)
    half = sample("half read text of a file\n", path="/half")
    ingestion = half.begin(library)
    half.commit(ingestion, half.segments[:1])
    ingestion.interrupt()
    assert [kind for kind in library.collect_garbage() if kind.kind != "free room"] == []
    assert len(half.begin(library).committed_state_ids) == 1
    assert all(verdict.ok for verdict in library.verify())


def test_memories_without_a_document_and_rows_without_a_memory_go_from_the_disk(library, whale, sample, tmp_path):
    kept = whale.ingest(library)
    for path in ("/lost", "/torn"):
        sample(f"canary{path[1:]} " * 200, length=100, path=path).ingest(library)
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:  # foreign keys are off here
        connection.execute("DELETE FROM memories WHERE id = (SELECT memory_id FROM documents WHERE path = '/torn')")
        connection.execute("DELETE FROM documents WHERE path != ?", [whale.path])
    assert not next(iter(library.verify())).ok
    collected = {kind.kind: kind for kind in library.collect_garbage()}
    assert collected.keys() == {"memories", "pages", "segments", "memory rows", "free room"}
    assert collected["memories"].count == 1
    assert collected["segments"].size_bytes > 2000
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in raw
    assert [verdict.document for verdict in library.verify() if verdict.ok] == ["", kept.id]
    assert [kind.kind for kind in library.collect_garbage()] == []
