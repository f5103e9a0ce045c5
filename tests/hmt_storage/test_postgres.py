"""What is PostgreSQL's own: locks, forgetting, ranking, numbers, and errors that say what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from hmt_qa.errors import AlreadyIngesting, LibraryBusy, LibraryUnusable
from hmt_storage.library import SqlLibrary
from hmt_storage.tables import Base

pytestmark = pytest.mark.databases("postgresql")

OWN = {"deletions", "segment_words"}
IMPATIENT = "%20-c%20lock_timeout%3D100ms"


def test_migrations_and_models_agree_on_postgresql_too(library):
    def ours(thing, name, kind, _reflected, _other):
        return name not in OWN and (kind, name) != ("column", "words")

    with library._database.read() as connection:
        options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
        foreign = {key["options"].get("ondelete") for key in inspect(connection).get_foreign_keys("segments")}
    assert foreign == {"CASCADE"}


def test_a_file_of_a_terabyte_has_its_size(library, whale, sql):
    document = whale.ingest(library)
    sql("UPDATE memories SET size_bytes = 1000000000000")
    assert library.document(document.id).size_bytes == 10**12


def test_segments_are_appended_beside_each_other_but_not_beside_a_change_of_structure(postgres_url, tmp_path, sample):
    library = SqlLibrary.open(tmp_path, url=postgres_url + IMPATIENT)
    one = sample("some words to read\n" * 9, path="/one")
    two = sample("other words to read\n" * 9, path="/two")
    reading, beside = one.begin(library), two.begin(library)
    with library._database.append():
        one.commit(reading, one.segments[:1])
        two.commit(beside, two.segments[:1])
        with pytest.raises(LibraryBusy, match="Try again"):
            library.rename("0000", "title")
    with library._database.write(), pytest.raises(LibraryBusy):
        one.commit(reading, one.segments[1:2])
    one.commit(reading, one.segments[1:])
    assert library.text(reading.finish().id, 0, 999) == one.text
    library.close()


def test_a_job_is_taken_up_between_two_commits_and_its_first_owner_is_refused(library, other, whale, sql):
    first = whale.begin(library)
    whale.commit(first, whale.segments[:2])
    sql("UPDATE jobs SET owner = 'elsewhere:1:99:mark', lease_expires_at = 1")
    with ThreadPoolExecutor(1) as threads:
        with library._database.append():
            taking = threads.submit(whale.begin, other)
            assert wait([taking], timeout=0.3).not_done  # for a commit that has begun
        second = taking.result(timeout=10)
    with pytest.raises(AlreadyIngesting):
        whale.commit(first, whale.segments[2:3])
    whale.commit(second, whale.segments[2:])
    assert library.text(second.finish().id, 0, 999) == whale.text


def test_nothing_of_a_removed_document_can_be_read_by_sql(library, sample):
    kept = sample("ordinary words\n", path="/kept").ingest(library)
    gone = sample("".join(f"zyxqwcanary{number} whispers\n" for number in range(90)), length=90, path="/zyxqwcanary")
    assert library.remove(gone.ingest(library).id).path == "/zyxqwcanary"
    with library._database.read() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f"SELECT CAST(t AS text) FROM {table} AS t").scalars().all()  # noqa: S608
            assert not [row for row in rows if "zyxqwcanary" in row or "whisper" in row], table
        sampled = connection.exec_driver_sql("SELECT count(*) FROM pg_stats WHERE CAST(pg_stats AS text) ~ 'zyxqw'")
        assert sampled.scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM deletions").scalar() == 0
    assert library.documents() == [kept]


def test_after_garbage_collection_a_removed_document_is_in_no_file_of_the_server(library, sample, sql, postgres_socket):
    def files():
        with library._database._outside.connect() as connection:
            connection.exec_driver_sql("CHECKPOINT")
        stored = Path(postgres_socket, "data", "base").glob("*/*")
        return [path for path in stored if canary in path.read_bytes()]

    canary = b"qzxyjcanary"
    kept = sample("ordinary words\n", path="/kept").ingest(library)
    text = "".join(f"{canary.decode()}{number} whispers\n" for number in range(300))
    document = sample(text, length=100, path=f"/{canary.decode()}").ingest(library)
    sql("ANALYZE")
    assert files() != []
    library.remove(document.id)
    library.collect_garbage()
    assert files() == []
    assert library.text(kept.id, 0, 99) == "ordinary words\n"
    assert library.keyword_search("ordinary", documents=[kept.id], top=1) != []


def test_places_are_ranked_as_sqlite_ranks_them(library, sample, tmp_path):
    """Lengths are counted otherwise (characters, words), so scores differ a little, and the order by nothing here."""
    lines = ["the whale swims", "a harpoon, a harpoon and the whale", "ships and sails " * 3, "whale whale whale " * 5]
    lines += [f"nothing of interest {number}" for number in range(12)] + [
        "harpoon_line is a name",
        "the line of a harpoon that was lost",
    ]
    samples = [sample(f"{line}\n", path=f"/{number}", length=500) for number, line in enumerate(lines)]
    file = SqlLibrary.open(tmp_path / "file")
    ids = [written.ingest(library).id for written in samples]
    assert ids == [written.ingest(file).id for written in samples]
    for question in (
        "whales",
        "Which harpoon?",
        "whale and harpoon",
        "harpoon_line",
        "a ship that sailed",
        "interest 7",
    ):
        expected = file.keyword_search(question, documents=ids, top=3)
        found = library.keyword_search(question, documents=ids, top=3)
        assert [hit.place for hit in found] == [hit.place for hit in expected], question
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], rel=0.35)
    file.close()


def test_documents_move_between_a_file_and_a_server_in_a_bundle(library, whale, tmp_path, shape):
    file = SqlLibrary.open(tmp_path / "file")
    document = whale.ingest(file)
    file.export([document.id], tmp_path / "there.hmtb")
    (imported,) = library.take_in(tmp_path / "there.hmtb", shape=shape)
    assert library.text(imported.document.id, 0, 999) == whale.text
    assert library.memory(imported.document.id).rows == file.memory(document.id).rows
    assert all(verdict.ok for verdict in library.verify())
    library.export([imported.document.id], tmp_path / "back.hmtb")
    (again,) = file.take_in(tmp_path / "back.hmtb", shape=shape, collection="back")
    assert file.memory(again.document.id).rows == file.memory(document.id).rows
    file.close()


def test_a_changed_text_and_words_that_are_not_its_own_are_found(library, whale, sql):
    document = whale.ingest(library)
    assert [verdict.ok for verdict in library.verify()] == [True, True]
    sql("UPDATE segments SET text = replace(text, 'Call me', 'Cell me')")
    assert [(verdict.document, verdict.ok) for verdict in library.verify()] == [("", True), (document.id, False)]
    sql("ALTER TABLE segments ALTER COLUMN words DROP EXPRESSION")
    sql("UPDATE segments SET words = 'other' WHERE number = 1")
    assert "segment 1" in next(iter(library.verify())).detail


def test_characters_that_the_server_refuses_are_replaced_where_they_stand(library, sample):
    document = sample("one\0two \udcff three\n", path="/odd\0name").ingest(library)
    assert library.text(document.id, 0, 99) == "one?two ? three\n"
    assert document.path == r"/odd\x00name"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://me:hunter2@/x?host=/nowhere", "server runs and can be reached"),
        ("postgresql://me:hunter2@127.0.0.1:1/x", "server runs and can be reached"),
        ("postgresql+asyncpg://me:hunter2@host/x", "Write it like postgresql"),
        ("mysql://me:hunter2@host/x", "Write it like postgresql"),
        ("postgresql+psycopg://me:hunter2@host:port/x", "Write it like postgresql"),
    ],
)
def test_a_server_out_of_reach_is_one_line_without_the_password(tmp_path, url, said):
    with pytest.raises(LibraryUnusable, match=said) as refused:
        SqlLibrary.open(tmp_path, url=url)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_schema_of_another_program_is_left_alone(postgres_url, tmp_path):
    from sqlalchemy import create_engine

    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE recipes (name text)")
    engine.dispose()
    with pytest.raises(LibraryUnusable, match="another program"):
        SqlLibrary.open(tmp_path, url=postgres_url)


def test_a_connection_that_comes_back_after_the_library_was_closed_is_closed_too(postgres_url, tmp_path):
    library = SqlLibrary.open(tmp_path, url=postgres_url)
    with library._database.read() as connection:
        driver = connection.connection.dbapi_connection
        library.close()
    assert driver.closed
