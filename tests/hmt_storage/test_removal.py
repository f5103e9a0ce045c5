"""What is removed is gone, and nothing else is."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from hmt_qa.errors import AlreadyIngesting, UnknownDocument
from hmt_storage.library import SqlLibrary

TABLES = ("documents", "memories", "segments", "memory_rows", "pages", "jobs", "segment_words")


def check_index(home):
    connection = sqlite3.connect(home / "library.db")
    connection.execute("INSERT INTO segment_words(segment_words, rank) VALUES ('integrity-check', 1)")
    connection.close()


def bytes_on_disk(home):
    return b"".join(path.read_bytes() for path in sorted(home.iterdir()))


def test_a_removed_document_leaves_no_byte_in_any_file(tmp_path, sample):
    library = SqlLibrary.open(tmp_path)
    kept = sample("".join(f"ordinary words {number}\n" for number in range(300)), path="/kept").ingest(library)
    canary = "zyxqwcanary"
    text = "".join(f"{canary} {canary}{number} secret\n" for number in range(300))
    written = sample(text, length=100, path=f"/{canary}.txt")
    document = written.ingest(library)
    row = written.row(written.segments[0])
    before = bytes_on_disk(tmp_path)
    assert canary.encode() in before
    assert row in before
    assert library.remove(document.id) == document
    # While the library is open, and after it is closed.
    for _ in range(2):
        after = bytes_on_disk(tmp_path)
        for secret in (canary.encode(), canary[4:].encode(), row, b"secret", document.sha256.encode()):
            assert secret not in after
        library.close()
    library = SqlLibrary.open(tmp_path)
    assert library.documents() == [kept]
    assert library.keyword_search("ordinary", documents=[kept.id], top=1) != []
    library.close()


def test_removal_empties_every_table_and_forgets_the_job(library, whale, tmp_path, rows_in):
    document = whale.ingest(library)
    library.remove(document.id)
    assert {table: rows_in(table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    check_index(tmp_path)
    with pytest.raises(UnknownDocument):
        library.document(document.id)
    with pytest.raises(UnknownDocument):
        library.remove(document.id)


def test_equal_bytes_at_two_paths_share_one_memory_until_both_are_removed(library, whale, sample, tmp_path, rows_in):
    one = whale.ingest(library)
    copy = sample(*(page.text for page in whale.pages), path="/copy.txt", collection="other")
    two = library.adopt(copy.source, reader="text", model_id="model-1", title="Copy")
    assert two.id != one.id
    assert (two.title, two.sha256, two.segments, two.collection) == ("Copy", one.sha256, one.segments, "other")
    assert rows_in("memories") == 1
    library.remove(one.id)
    assert library.documents() == [two]
    assert library.text(two.id, 0, 999) == whale.text
    assert library.memory(two.id).segments == two.segments
    assert library.keyword_search("call", documents=[two.id], top=1) != []
    library.remove(two.id)
    assert rows_in("memories") == rows_in("segments") == 0
    check_index(tmp_path)


def test_adoption_needs_the_same_bytes_reader_and_model_and_a_complete_memory(library, whale, sample):
    ingestion = whale.begin(library)
    whale.commit(ingestion, whale.segments)
    copy = sample(*(page.text for page in whale.pages), path="/copy.txt").source
    assert library.adopt(copy, reader="text", model_id="model-1", title="") is None
    ingestion.finish()
    other = sample("other bytes\n", path="/copy.txt").source
    assert library.adopt(other, reader="text", model_id="model-1", title="") is None
    assert library.adopt(copy, reader="pdf", model_id="model-1", title="") is None
    assert library.adopt(copy, reader="text", model_id="model-2", title="") is None
    assert library.adopt(copy, reader="text", model_id="model-1", title="") is not None


def test_adopting_other_bytes_for_a_known_path_drops_what_it_was_read_from(library, sample, tmp_path, rows_in):
    kept = sample("kept text\n", path="/kept").ingest(library)
    old = sample("old text\n", path="/file").ingest(library)
    now = sample("kept text\n", path="/file").source
    new = library.adopt(now, reader="text", model_id="model-1", title="file")
    assert (new.id, new.sha256) == (old.id, kept.sha256)
    assert rows_in("memories") == 1
    check_index(tmp_path)


def test_replacing_one_of_two_sharing_documents_keeps_the_other(library, sample, rows_in):
    one = sample("shared text\n", path="/one").ingest(library)
    library.adopt(sample("shared text\n", path="/two").source, reader="text", model_id="model-1", title="two")
    sample("changed text\n", path="/two").ingest(library)
    assert library.text(one.id, 0, 99) == "shared text\n"
    assert rows_in("memories") == 2


def test_removal_also_drops_what_an_interrupted_reread_had_committed(library, sample, rows_in):
    document = sample("old text\n").ingest(library)
    new = sample("new and longer text\n")
    ingestion = new.begin(library)
    new.commit(ingestion, new.segments[:1])
    with pytest.raises(AlreadyIngesting):
        library.remove(document.id)
    ingestion.interrupt()
    library.remove(document.id)
    assert {table: rows_in(table) for table in TABLES} == dict.fromkeys(TABLES, 0)


@pytest.mark.parametrize("ending", ["replaced", "adopted", "failed", "shortened", "superseded"])
def test_what_a_document_no_longer_says_is_in_no_file_after_tidying(tmp_path, sample, ending):
    library = SqlLibrary.open(tmp_path)
    ordinary = sample("".join(f"ordinary words {number}\n" for number in range(300)), path="/kept")
    kept = ordinary.ingest(library)
    canary = "zyxqwcanary"
    secret = sample(
        "".join(f"{canary} {canary}{number} whispered\n" for number in range(300)), length=100, path="/file"
    )
    if ending in {"failed", "shortened"}:
        ingestion = secret.begin(library)
        secret.commit(ingestion, secret.segments[:40])
    else:
        secret.ingest(library)
    if ending == "replaced":
        sample("other words\n", path="/file").ingest(library)
    elif ending == "adopted":
        now = sample(*(page.text for page in ordinary.pages), path="/file").source
        library.adopt(now, reader="text", model_id="model-1", title="file")
    elif ending == "failed":
        ingestion.fail("page 9 is broken")
    elif ending == "shortened":
        ingestion.truncate(0)
    else:  # read anew, as after an update of its reader
        ingestion = secret.begin(library)
        for segment in secret.segments:
            text = "x" * len(segment.text)
            ingestion.commit(
                replace(segment, text=text), memory_row=b"n" * 16, state_id="n", pages=secret.pages_of(segment)
            )
        ingestion.finish()
    library.tidy()
    for _ in range(2):
        after = bytes_on_disk(tmp_path)
        row = secret.row(secret.segments[0])
        assert not [word for word in (canary.encode(), canary[4:].encode(), b"whisper", row) if word in after]
        library.close()
    library = SqlLibrary.open(tmp_path)
    assert library.keyword_search("ordinary", documents=[kept.id], top=1) != []
    check_index(tmp_path)
    library.close()


def test_tidying_writes_only_where_something_was_deleted(library, whale, tmp_path):
    whale.ingest(library)
    library.tidy()
    before = bytes_on_disk(tmp_path)
    library.tidy()
    assert bytes_on_disk(tmp_path) == before


def test_a_deletion_that_was_killed_before_it_was_tidied_is_tidied_later(tmp_path, sample):
    library = SqlLibrary.open(tmp_path)
    sample("ordinary words\n", path="/kept").ingest(library)
    sample("".join(f"a zyxqwcanary{number} sings\n" for number in range(300)), length=100).ingest(library)
    sample("nothing sings\n").ingest(library)
    library.close()
    assert b"canary" in bytes_on_disk(tmp_path)
    library = SqlLibrary.open(tmp_path)
    library.tidy()
    assert b"canary" not in bytes_on_disk(tmp_path)
    library.close()
