"""Memories leave one library and arrive in another as they were; a bundle that is spoilt changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hmt_qa.errors import BundleNotWritten, DamagedMemory, DocumentExists, InvalidBundle, UnknownDocument
from hmt_qa.types import MemoryShape, Place, TextBox
from hmt_storage.library import SqlLibrary
from tests.hmt_storage.mutations import forge, mutate

TABLES = ("documents", "memories", "segments", "memory_rows", "pages", "jobs")
BOX = TextBox(char_start=0, char_end=4, left=1.5, bottom=2.25, right=30.0, top=12.5)
MUTATIONS = 1000
PARTS = 10


@pytest.fixture(scope="module")
def source(tmp_path_factory, sample):
    """A library of three documents, two of which share a memory."""
    library = SqlLibrary.open(tmp_path_factory.mktemp("source"))
    whale = sample("Call me Ishmael.\n", "", "Some years ago, never mind how long.\n", "The end.\n")
    boxed = replace(whale, pages=(replace(whale.pages[0], boxes=(BOX,), width=612.0, height=792.0), *whale.pages[1:]))
    boxed.ingest(library)
    copy = sample(*(page.text for page in whale.pages), path="/copy.txt")
    library.adopt(copy.source, reader="text", model_id="model-1", title="Copy")
    german = sample("Der Köder fängt 🐋\n", "Zwei\n", path="/kalt/Köder.txt", collection="german").ingest(library)
    library.set_metadata(german.id, {"author": "N. N.", "year": 1851})
    yield library
    library.close()


@pytest.fixture(scope="module")
def bundles(source, tmp_path_factory) -> list[Path]:
    """All three documents with their text, and without."""
    folder = tmp_path_factory.mktemp("bundles")
    ids = [document.id for document in source.documents()]
    source.export(ids, folder / "text.hmt")
    source.export(ids, folder / "bare.hmt", with_text=False)
    return [folder / "text.hmt", folder / "bare.hmt"]


def snapshot(home: Path) -> list[tuple[object, ...]]:
    """Every row of every table, as it lies there."""
    with closing(sqlite3.connect(home / "library.db")) as connection:
        return [
            row for table in TABLES for row in connection.execute(f"SELECT '{table}', * FROM {table} ORDER BY rowid")
        ]


def edited(bundle: Path, target: Path, *statements: str, forged: bool = True) -> Path:
    shutil.copy(bundle, target)
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        if forged:
            forge(connection)
    return target


def test_what_is_kept_about_a_document_goes_with_its_text_and_not_with_the_memory_alone(bundles, library, shape):
    for bundle, kept in zip(bundles, ({"author": "N. N.", "year": 1851}, None), strict=True):
        taken = {
            one.document.title: one.document for one in library.take_in(bundle, shape=shape, collection=bundle.stem)
        }
        assert library.metadata(taken["Köder.txt"].id) == kept
        assert library.metadata(taken["whale.txt"].id) is None


def test_documents_arrive_with_memory_text_pages_boxes_and_keywords(source, bundles, library, shape):
    taken = library.take_in(bundles[0], shape=shape)
    assert [one.new for one in taken] == [one.with_text for one in taken] == [True] * 3
    by_title = {one.document.title: one.document for one in taken}
    for before in source.documents():
        after = by_title[before.title]
        assert replace(after, id="", path="", added_at=None) == replace(before, id="", path="", added_at=None)
        assert after.path == f"imported:{before.path}"
        assert replace(library.memory(after.id), document="") == replace(source.memory(before.id), document="")
        assert library.pages(after.id) == source.pages(before.id)
        assert library.boxes(after.id, 1) == source.boxes(before.id, 1)
        assert library.text(after.id, 0, 999) == source.text(before.id, 0, 999)
        places = [Place(document=after.id, segment=number) for number in range(after.segments)]
        assert all(segment.token_ids and segment.text for segment in library.segments(places))
    hits = library.keyword_search("köder", documents=[one.document.id for one in taken], top=9)
    assert {hit.place.document for hit in hits} == {by_title["Köder.txt"].id}
    assert {verdict.ok for verdict in library.verify()} == {True}


def test_without_text_no_word_and_no_token_leaves_the_library(source, bundles, library, shape):
    raw = bundles[1].read_bytes()
    for secret in ("Call me", "Der Köder"):
        assert secret.encode() in bundles[0].read_bytes()
        assert secret.encode() not in raw
    for segment in source.segments([Place(document=source.documents()[0].id, segment=0)]):
        assert struct.pack(f"<{len(segment.token_ids)}I", *segment.token_ids) not in raw
    taken = library.take_in(bundles[1], shape=shape)
    assert {one.with_text for one in taken} == {False}
    for one in taken:
        before = next(document for document in source.documents() if document.title == one.document.title)
        assert library.memory(one.document.id).rows == source.memory(before.id).rows
        assert library.pages(one.document.id) == source.pages(before.id)
        assert library.text(one.document.id, 0, 99) == ""
    assert {verdict.ok for verdict in library.verify()} == {True}


def test_what_was_imported_can_be_exported_and_is_the_same_bundle_of_memories(bundles, library, shape, tmp_path):
    for number, bundle in enumerate(bundles):
        ids = [one.document.id for one in library.take_in(bundle, shape=shape, collection=f"c{number}")]
        library.export(ids, tmp_path / f"{number}.hmt")
        digests = []
        for file in (bundle, tmp_path / f"{number}.hmt"):
            with closing(sqlite3.connect(file)) as connection:
                digests.append(sorted(connection.execute("SELECT digest FROM memories")))
        assert digests[0] == digests[1]


def test_a_second_import_changes_nothing_and_a_removed_one_leaves_nothing(bundles, library, shape, tmp_path):
    empty = snapshot(tmp_path)
    taken = library.take_in(bundles[0], shape=shape)
    full = snapshot(tmp_path)
    again = library.take_in(bundles[0], shape=shape)
    assert [(one.document, one.new) for one in again] == [(one.document, False) for one in taken]
    assert [row for row in snapshot(tmp_path) if row[0] != "memories"] == [row for row in full if row[0] != "memories"]
    for one in taken:
        library.remove(one.document.id)
    assert snapshot(tmp_path) == empty


def test_a_collection_can_be_chosen_and_another_documents_place_is_never_taken(bundles, library, shape, tmp_path):
    library.take_in(bundles[0], shape=shape)
    before = snapshot(tmp_path)
    with pytest.raises(DocumentExists, match=r"Another document stands at imported:/.*--collection NAME"):
        library.take_in(bundles[1], shape=shape)
    assert snapshot(tmp_path) == before
    taken = library.take_in(bundles[1], shape=shape, collection="other")
    assert {one.document.collection for one in taken} == {"other"}


def test_an_imported_document_is_never_taken_for_the_file_it_names(source, bundles, library, sample, shape):
    """Whoever made the bundle may have put another memory under that file's path and hash."""
    library.take_in(bundles[0], shape=shape)
    whale = sample("Call me Ishmael.\n", "", "Some years ago, never mind how long.\n", "The end.\n")
    assert library.known(collection="default", path=whale.path) is None
    assert library.adopt(whale.source, reader="text", model_id="model-1", title="") is None
    read_here = whale.ingest(library)
    assert len([document for document in library.documents() if document.sha256 == read_here.sha256]) == 3


@pytest.mark.parametrize(
    "forgery",
    [
        ("UPDATE documents SET path = '/a/../../uploads/x' || title", "leads out of its folder"),
        ("UPDATE documents SET title = 'a' || char(27) || '[2J'", "control characters"),
        ("UPDATE memories SET model_id = 'model-2'", "was made with model-2, this is model-1"),
        ("UPDATE memories SET hidden = 2", "memory rows have 2 numbers"),
        ("UPDATE memories SET dtype = 'float64'", "not float64"),
        ("UPDATE segments SET row = CAST(x'0000c07f' || substr(row, 5) AS BLOB) WHERE rowid = 1", "not finite"),
        ("UPDATE segments SET row = CAST(x'ffff7f7f' || substr(row, 5) AS BLOB) WHERE rowid = 1", "far too large"),
        (
            "UPDATE segments SET token_ids = CAST(x'61000000' || substr(token_ids, 5) AS BLOB) WHERE rowid = 1",
            "state after segment 0",
        ),
        ("UPDATE segments SET token_ids = x'ffffffff' WHERE rowid = 1", "state after segment 0"),
        ("UPDATE segments SET text = text || 'x' WHERE rowid = 1", "is not its span"),
        ("UPDATE segments SET page_last = 9 WHERE rowid = 1", "pages that are not there"),
        ("UPDATE pages SET boxes = x'00ff' WHERE rowid = 1", "cannot be unpacked"),
        ("UPDATE pages SET width = 1e300 WHERE rowid = 1", "impossible size"),
        ("DELETE FROM segments WHERE rowid = 2", "does not follow on"),
        ("CREATE TRIGGER t AFTER INSERT ON pages BEGIN SELECT 1; END", "triggers"),
        ("CREATE VIEW v AS SELECT 1", "views"),
        ("CREATE TABLE t(x)", "other tables"),
        ("PRAGMA user_version = 1", "its format is 1"),
        ("UPDATE documents SET metadata = '[1]'", "no JSON object"),
        ("UPDATE documents SET metadata = '{'", "no JSON"),
        ("UPDATE documents SET metadata = printf('{\"a\": \"%100000s\"}', 'x')", "longer than 100000 characters"),
        ("PRAGMA application_id = 2", "something else"),
    ],
)
def test_a_forged_bundle_is_refused_for_what_is_wrong_with_it(bundles, library, shape, tmp_path, forgery):
    statement, reason = forgery
    file = edited(bundles[0], tmp_path / "forged.hmt", statement)
    before = snapshot(tmp_path)
    with pytest.raises(InvalidBundle, match=reason):
        library.take_in(file, shape=shape)
    assert snapshot(tmp_path) == before


def test_tokens_that_the_model_does_not_know_or_cannot_read_are_refused(bundles, library, shape):
    with pytest.raises(InvalidBundle, match="does not know"):
        library.take_in(bundles[0], shape=replace(shape, vocabulary=100))
    with pytest.raises(InvalidBundle, match="more tokens than the model reads"):
        library.take_in(bundles[0], shape=replace(shape, segment_length=11))


def test_boxes_that_unpack_to_gigabytes_are_never_unpacked(bundles, library, shape, tmp_path):
    packer = zlib.compressobj(9)
    bomb = b"".join([*(packer.compress(bytes(10_000_000)) for _ in range(50)), packer.flush()])
    file = edited(bundles[0], tmp_path / "bomb.hmt", f"UPDATE pages SET boxes = x'{bomb.hex()}' WHERE rowid = 1")
    with pytest.raises(InvalidBundle, match="more word boxes than characters"):
        library.take_in(file, shape=shape)


def test_a_journal_beside_the_bundle_is_not_looked_at(bundles, library, shape, tmp_path):
    file = shutil.copy(bundles[0], tmp_path / "b.hmt")
    for name in ("b.hmt-journal", "b.hmt-wal"):
        (tmp_path / name).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + os.urandom(600))
    assert library.take_in(Path(file), shape=shape)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "text", "empty", "library"])
def test_what_is_no_bundle_is_refused_at_once(library, shape, tmp_path, kind):
    file = tmp_path / "given"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "text":
        file.write_text("hello " * 100)
    elif kind == "empty":
        file.touch()
    elif kind == "library":
        file = tmp_path / "library.db"
    with pytest.raises(InvalidBundle, match=r"cannot be imported.*Nothing was changed"):
        library.take_in(file, shape=shape)


def test_export_never_replaces_a_file_and_leaves_nothing_half_written(source, tmp_path):
    (document, *_) = source.documents()
    file = tmp_path / "there.hmt"
    file.write_text("mine")
    with pytest.raises(BundleNotWritten, match="exists already"):
        source.export([document.id], file)
    with pytest.raises(BundleNotWritten, match="unable to open"):
        source.export([document.id], tmp_path / "no" / "such" / "folder.hmt")
    with pytest.raises(UnknownDocument):
        source.export(["ffffffff"], tmp_path / "new.hmt")
    assert [path.name for path in tmp_path.iterdir()] == ["there.hmt"]
    assert file.read_text() == "mine"


def test_a_damaged_document_is_not_exported(library, whale, tmp_path):
    document = whale.ingest(library)
    with closing(sqlite3.connect(tmp_path / "library.db")) as connection, connection:
        connection.execute("UPDATE segments SET text = 'Call me Ishmeal' WHERE number = 0")
    with pytest.raises(DamagedMemory, match=f"{document.id} is damaged: segment 0"):
        library.export([document.id], tmp_path / "new.hmt")
    assert not list(tmp_path.glob("*.hmt"))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_spoilt_bundles_are_refused_with_a_reason_or_arrive_whole(bundles, library, shape, tmp_path, part):
    empty = snapshot(tmp_path)
    refused = 0
    for seed in range(part, MUTATIONS, PARTS):
        file = Path(shutil.copy(bundles[seed % 2], tmp_path / "spoilt.hmt"))
        how = f"seed {seed}: {mutate(file, seed)}"
        reason = refusal(library, file, shape)
        refused += bool(reason)
        if reason:
            assert "cannot be imported: " in reason or "was made with" in reason, how
            assert len(reason.splitlines()) == 1, how
        else:
            assert all(verdict.ok for verdict in library.verify()), how
            for document in library.documents():
                assert library.memory(document.id).segments == document.segments, how
                library.remove(document.id)
        assert snapshot(tmp_path) == empty, how
    assert MUTATIONS // PARTS // 2 < refused < MUTATIONS // PARTS  # the mutations spoil most, and not all


def refusal(library: SqlLibrary, file: Path, shape: MemoryShape) -> str:
    """Why a bundle is refused; empty where it was taken in. Any other error is one of the product."""
    try:
        library.take_in(file, shape=shape)
    except InvalidBundle as problem:
        return str(problem)
    return ""
