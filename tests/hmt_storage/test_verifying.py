"""Every byte that is not as it was stored is found, and the document it belongs to is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import update

from hmt_qa.types import TextBox
from hmt_storage.checksums import TurnRow
from hmt_storage.library import SqlLibrary
from hmt_storage.tables import TurnRecord
from tests.hmt_storage.conversations import converse

BOX = TextBox(char_start=0, char_end=4, left=1.5, bottom=2.25, right=30.0, top=12.5)


@pytest.fixture
def two(library, sample, whale):
    """A document that stays sound, and the one that is spoilt."""
    sound = sample("Nothing to see here.\n", path="/sound").ingest(library)
    pages = (replace(whale.pages[0], boxes=(BOX,)), *whale.pages[1:])
    return sound, replace(whale, pages=pages).ingest(library)


def spoil(home, statement):
    with closing(sqlite3.connect(home / "library.db")) as connection, connection:
        connection.execute("DROP TRIGGER segment_words_changed")
        connection.execute(statement)


def test_a_library_is_sound_as_it_is_written(library, two):
    verdicts = list(library.verify())
    assert [verdict.document for verdict in verdicts] == ["", *(document.id for document in two)]
    assert all(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("UPDATE segments SET text = replace(text, 'Call', 'Cxll')", "segment 0 does not match its checksum"),
        ("UPDATE segments SET text = replace(text, 'Call me', 'call me')", "segment 0 does not match its checksum"),
        ("UPDATE segments SET page_last = 2 WHERE number = 1 AND page_last = 4", "segment 1 does not match"),
        ("DELETE FROM memory_rows WHERE number = 2", "memory row of segment 2|segment 2 has"),
        ("UPDATE memory_rows SET row = zeroblob(16) WHERE number = 2", "row of segment 2 does not match its checksum"),
        ("UPDATE memory_rows SET state_id = '00' WHERE number = 3", "state after segment 3"),
        ("UPDATE pages SET label = 'p9' WHERE label = 'p4'", "page 4 does not match its checksum"),
        ("UPDATE pages SET boxes = zeroblob(9) WHERE boxes != x''", "page 1 does not match its checksum"),
        ("DELETE FROM pages WHERE number = 4", "3 pages of"),
        ("UPDATE memories SET state_id = replace(state_id, '1', '2')", "the state that the memory says|in the state"),
        ("UPDATE documents SET path = '/files/whalf.txt'", "collection or path"),
    ],
)
def test_a_changed_value_is_found_and_its_document_named(library, two, tmp_path, change, detail):
    sound, spoilt = two
    mine = f"memory_id = (SELECT memory_id FROM documents WHERE id = '{spoilt.id}')"
    if "documents" in change:
        mine = f"id = '{spoilt.id}'"
    elif "memories" in change:
        mine = mine.removeprefix("memory_")
    spoil(tmp_path, f"{change} {'AND' if 'WHERE' in change else 'WHERE'} {mine}")
    verdicts = {verdict.document: verdict for verdict in library.verify() if verdict.document}
    assert verdicts[sound.id].ok
    assert not verdicts[spoilt.id].ok
    assert any(part in verdicts[spoilt.id].detail for part in detail.split("|")), verdicts[spoilt.id].detail


def test_a_flipped_byte_anywhere_in_text_or_memory_is_found(library, two, tmp_path, whale):
    _, document = two
    segments = whale.segments
    library.close()
    file = tmp_path / "library.db"
    whole = file.read_bytes()
    for secret in (segments[1].text.encode(), whale.row(segments[2]), whale.state_id(segments[0]).encode()):
        at = whole.index(secret)
        for place in range(at, at + len(secret)):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            opened = SqlLibrary.open(tmp_path)
            assert document.id in [verdict.document for verdict in opened.verify() if not verdict.ok], secret
            opened.close()


def test_a_full_text_index_that_disagrees_is_found(library, two, tmp_path):
    spoil(tmp_path, "DELETE FROM segment_words_data WHERE id > 10")
    whole, *documents = library.verify()
    assert not whole.ok
    assert all(verdict.ok for verdict in documents)


def test_a_library_of_the_version_before_gets_its_checksums(library, two, tmp_path):
    before = list(library.verify())
    library.close()
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:
        for table in ("segments", "pages"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN sha256")
        for table in ("turn_segments", "turns", "conversations", "document_metadata", "keys", "users"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    upgraded = SqlLibrary.open(tmp_path)
    assert list(upgraded.verify()) == before
    assert upgraded.keyword_search("harpoon", documents=[two[1].id], top=3) == []
    assert len(upgraded.keyword_search("mind", documents=[two[1].id], top=3)) == 1
    upgraded.remove(two[1].id)
    assert [verdict.ok for verdict in upgraded.verify()] == [True, True]
    upgraded.close()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("UPDATE turn_segments SET row = zeroblob(16) WHERE number = 1", "memory of turn 2 does not match"),
        ("UPDATE turn_segments SET token_ids = x'0100000007000000' WHERE number = 0", "state after turn 1"),
        ("UPDATE turn_segments SET number = 5 WHERE number = 1", "turn 2 has no memory"),
        ("UPDATE turns SET answer = '{}' WHERE number = 2", "turn 2 does not match its checksum"),
        ("UPDATE turns SET question = 'Whp was number 0?' WHERE number = 1", "turn 1 does not match its checksum"),
        ("UPDATE turns SET about = 'x' WHERE number = 1", "turn 1 does not match its checksum"),
        ("UPDATE turns SET asked_at = asked_at + 1 WHERE number = 2", "turn 2 does not match its checksum"),
        ("UPDATE conversations SET title = CAST(x'ff' AS TEXT)", "UTF-8"),
        ("DELETE FROM turns WHERE number = 1", "1 turns are there, 2 should be"),
    ],
)
def test_a_conversation_that_is_not_as_it_was_stored_is_named(library, tmp_path, change, detail):
    conversation = converse(library)
    assert [verdict.ok for verdict in library.verify()] == [True, True]
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:
        connection.execute(change)
    whole, verdict = library.verify()
    assert whole.ok
    assert (verdict.document, verdict.ok) == ("", False)
    assert conversation.id in verdict.title
    assert detail in verdict.detail


def test_a_flipped_byte_anywhere_in_what_was_said_names_the_conversation(library, tmp_path):
    conversation = converse(library)
    library.close()
    file = tmp_path / "library.db"
    whole = file.read_bytes()
    for said in (b"Who was number 1?", b"Ishmael"):
        at = whole.index(said)
        for place in range(at, at + len(said)):
            for bit in (0, 7):  # with the second it is no text at all
                file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
                opened = SqlLibrary.open(tmp_path)
                (found,) = [verdict for verdict in opened.verify() if not verdict.ok]
                assert conversation.id in found.title
                opened.close()


@pytest.mark.databases("sqlite", "postgresql")
def test_turns_of_a_library_of_the_version_before_get_their_checksums(library, sql, tmp_path, database_url):
    conversation = converse(library)
    before = list(library.verify())
    sql("ALTER TABLE turns DROP COLUMN sha256")
    sql("UPDATE alembic_version SET version_num = '0008'")
    upgraded = SqlLibrary.open(tmp_path, url=database_url)
    assert list(upgraded.verify()) == before
    assert upgraded.chats.turns(conversation.id) == library.chats.turns(conversation.id)
    sql("UPDATE turns SET answer = replace(answer, 'Ishmael', 'Ishmaek') WHERE number = 2")
    (found,) = [verdict for verdict in upgraded.verify() if not verdict.ok]
    upgraded.close()
    assert conversation.id in found.title
    assert "turn 2" in found.detail


def test_a_turn_written_wrong_is_found_though_its_checksum_is_right(library, sql):
    conversation = converse(library)
    turn = TurnRow(2, 1.0, "Who?", "", "{}")
    with library._database.write() as connection:
        mine = (TurnRecord.conversation_id == conversation.id) & (TurnRecord.number == 2)
        connection.execute(update(TurnRecord).where(mine).values(**turn._asdict(), sha256=turn.checksum))
    (found,) = [verdict for verdict in library.verify() if not verdict.ok]
    assert "turn 2 is not as it was written" in found.detail


def test_what_a_caller_keeps_is_looked_at_with_its_document(library, two, tmp_path):
    library.set_metadata(two[0].id, {"a": 1})
    assert all(verdict.ok for verdict in library.verify())
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:
        connection.execute("UPDATE document_metadata SET content = '{\"a'")
    assert [(one.document, one.detail) for one in library.verify() if not one.ok] == [
        (two[0].id, "what is kept about a document is no JSON")
    ]
