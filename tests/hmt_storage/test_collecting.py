"""What nothing refers to goes, and nothing else does."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.hmt_storage.conversations import converse


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


def test_turns_without_a_conversation_and_metadata_without_a_document_go(library, whale, sample, tmp_path):
    kept, lost = whale.ingest(library), sample("Lost.\n", path="/lost").ingest(library)
    for document in (kept, lost):
        library.set_metadata(document.id, {"note": "canary" if document == lost else "kept"})
    for conversation in (converse(library), converse(library)):
        last = conversation
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:
        connection.execute("DELETE FROM conversations WHERE id = ?", [last.id])
        connection.execute("DELETE FROM documents WHERE id = ?", [lost.id])
    collected = {kind.kind: kind.count for kind in library.collect_garbage() if kind.kind != "free room"}
    assert collected == {"memories": 1, "turns": 2, "turn segments": 2, "metadata": 1}
    assert library.metadata(kept.id) == {"note": "kept"}
    assert [len(library.chats.turns(one.id)) for one in library.chats.all()] == [2]
    assert all(verdict.ok for verdict in library.verify())
