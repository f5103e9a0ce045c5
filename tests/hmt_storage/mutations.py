"""Ways to spoil a bundle: what a disk, a network and an attacker do to a file. Each is chosen by a seeded generator."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random

from hmt_storage.bundles.layout import BundledDocument, BundledSegment, bundle_digest
from hmt_storage.checksums import PageRow
from hmt_storage.contents import Digest, Head

COLUMNS = {
    "memories": Head._fields,
    "pages": PageRow._fields,
    "segments": tuple(name for name in BundledSegment._fields if name not in {"sha256", "text_sha256"}),
    "documents": BundledDocument._fields,
}
VALUES = (
    -1,
    0,
    1,
    2,
    7,
    2**31,
    2**62,
    -(2**63),
    0.5,
    1e308,
    float("inf"),
    "",
    "x",
    "../../etc/passwd",
    "/home/user/../secret",
    "a\x1b[2Jb",
    "y" * 5000,
    "float16",
    "float64",
    "bfloat16",
    "f" * 64,
    b"",
    b"\0" * 16,
    b"\xff" * 16,
    b"\0\0\x80\x7f" * 4,
    b"\xff\xff\x7f\x7f" * 4,
    b"\xff" * 12,
    b"x\x9c" + b"\xff" * 9,
    None,
)


def flip_bits(file: Path, chance: Random) -> None:
    raw = bytearray(file.read_bytes())
    for _ in range(chance.randint(1, 8)):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    file.write_bytes(raw)


def truncate(file: Path, chance: Random) -> None:
    raw = file.read_bytes()
    file.write_bytes(raw[: chance.choice([0, 50, 100, 4096, chance.randrange(len(raw))])])


def overwrite(file: Path, chance: Random) -> None:
    """Zeros, noise, or another part of the file where something else was."""
    raw = bytearray(file.read_bytes())
    length = chance.randint(1, 3000)
    at, other = (chance.randrange(len(raw) - length) for _ in range(2))
    raw[at : at + length] = chance.choice([bytes(length), chance.randbytes(length), raw[other : other + length]])
    file.write_bytes(raw)


def append(file: Path, chance: Random) -> None:
    with file.open("ab") as opened:
        opened.write(chance.randbytes(chance.choice([1, 512, 4096])))


def edit(bundle: sqlite3.Connection, chance: Random) -> None:
    """One value of one column, in one row or in all."""
    table = chance.choice(list(COLUMNS))
    column, value = chance.choice(COLUMNS[table]), chance.choice(VALUES)
    where = chance.choice(["", f"WHERE rowid = {chance.randint(1, 4)}"])
    bundle.execute(f"UPDATE OR IGNORE {table} SET {column} = ? {where}", [value])


def shift(bundle: sqlite3.Connection, chance: Random) -> None:
    """A number a little off."""
    column = chance.choice(["char_start", "char_end", "number", "memory"])
    table = chance.choice(["pages", "segments"])
    by, row = chance.choice([-1, 1, 100]), chance.randint(1, 5)
    bundle.execute(f"UPDATE OR IGNORE {table} SET {column} = {column} + {by} WHERE rowid = {row}")


def swap(bundle: sqlite3.Connection, chance: Random) -> None:
    """Two rows exchange a blob or a text."""
    column = chance.choice(["row", "token_ids", "text", "state_id"])
    pairs = bundle.execute(f"SELECT rowid, {column} FROM segments").fetchall()
    (one, left), (two, right) = chance.sample(pairs, 2)
    bundle.executemany(f"UPDATE segments SET {column} = ? WHERE rowid = ?", [(right, one), (left, two)])


def drop_rows(bundle: sqlite3.Connection, chance: Random) -> None:
    table = chance.choice([*COLUMNS, "bundle"])
    bundle.execute(f"DELETE FROM {table} {chance.choice(['', 'WHERE rowid = 1', 'WHERE rowid = 2'])}")


def add_rows(bundle: sqlite3.Connection, chance: Random) -> None:
    table, key = chance.choice(
        [("pages", "number"), ("segments", "number"), ("pages", "memory"), ("memories", "number")]
    )
    columns = [name for (_, name, *_) in bundle.execute(f"PRAGMA table_info({table})")]
    chosen = ", ".join(f"{name} + 50" if name == key else name for name in columns)
    bundle.execute(f"INSERT INTO {table} SELECT {chosen} FROM {table} LIMIT 1")


def enlarge(bundle: sqlite3.Connection, chance: Random) -> None:
    """Values and counts far beyond what is there."""
    size = chance.choice([2_000_000, 20_000_000])
    bundle.execute(
        chance.choice(
            [
                f"UPDATE segments SET row = zeroblob({size}) WHERE rowid = 1",
                f"UPDATE segments SET token_ids = zeroblob({size}) WHERE rowid = 1",
                f"UPDATE segments SET text = printf('%.*c', {size}, 'x') WHERE rowid = 1",
                f"UPDATE pages SET boxes = zeroblob({size}) WHERE rowid = 1",
                f"UPDATE pages SET label = printf('%.*c', {size}, 'x') WHERE rowid = 1",
                f"UPDATE memories SET hidden = {2**40}, dtype = 'float32'",
                f"UPDATE memories SET segments = {2**60}",
                f"UPDATE segments SET char_end = {2**40} WHERE rowid = 1",
            ]
        )
    )


def add_objects(bundle: sqlite3.Connection, chance: Random) -> None:
    statement = chance.choice(
        [
            "CREATE TRIGGER t AFTER INSERT ON pages BEGIN DELETE FROM memories; END",
            "CREATE VIEW v AS SELECT * FROM memories",
            "CREATE TABLE extra(x)",
            "CREATE INDEX i ON segments(text)",
            "CREATE VIRTUAL TABLE f USING fts5(x)",
            "ALTER TABLE pages ADD COLUMN x INTEGER",
            "ALTER TABLE documents RENAME COLUMN path TO route",
            "ALTER TABLE segments RENAME TO real_segments; CREATE VIEW segments AS SELECT * FROM real_segments",
            "PRAGMA user_version = 1",
            "PRAGMA application_id = 7",
            "PRAGMA journal_mode = WAL",
        ]
    )
    bundle.executescript(statement)


def rewrite_schema(bundle: sqlite3.Connection, chance: Random) -> None:
    """What a table says it is, without being it."""
    bundle.execute("PRAGMA writable_schema = ON")
    change = chance.choice(
        ["sql = replace(sql, 'STRICT', '')", "sql = replace(sql, 'BLOB', 'TEXT')", "rootpage = 3", "sql = 'nonsense'"]
    )
    bundle.execute(f"UPDATE sqlite_master SET {change} WHERE type = 'table' AND name = 'segments'")


RAW: tuple[Callable[[Path, Random], None], ...] = (flip_bits, truncate, overwrite, append)
SQL: tuple[Callable[[sqlite3.Connection, Random], None], ...] = (
    edit,
    edit,
    shift,
    swap,
    drop_rows,
    add_rows,
    enlarge,
    add_objects,
    rewrite_schema,
)


def mutate(file: Path, seed: int) -> str:
    """Spoil `file` and say how. Half of the edits by SQL are forged: every checksum fits what is there afterwards."""
    chance = Random(seed)  # noqa: S311 - a test's
    if chance.random() < 0.35:
        kind = chance.choice(RAW)
        kind(file, chance)
        return kind.__name__
    change, forged = chance.choice(SQL), chance.random() < 0.5
    with closing(sqlite3.connect(file, isolation_level=None)) as bundle:
        with suppress(sqlite3.IntegrityError):  # a strict table refuses it already: the file stays as it was
            change(bundle, chance)
        if forged:
            with suppress(sqlite3.Error, TypeError, AttributeError, ValueError):
                forge(bundle)
    return f"{change.__name__}{' forged' if forged else ''}"


def forge(bundle: sqlite3.Connection) -> None:
    """Compute every checksum and digest again, as an attacker would."""
    digests = {}
    for number, *fields, _ in bundle.execute("SELECT * FROM memories ORDER BY number").fetchall():
        digest = Digest(Head(*fields))
        for rowid, *row in bundle.execute(
            "SELECT rowid, * FROM pages WHERE memory = ? ORDER BY number", [number]
        ).fetchall():
            page = PageRow(*row[1:-1])
            bundle.execute("UPDATE pages SET sha256 = ? WHERE rowid = ?", [page.checksum, rowid])
            digest.page(page)
        rows = bundle.execute("SELECT rowid, * FROM segments WHERE memory = ? ORDER BY number", [number]).fetchall()
        for rowid, _, *row in rows:
            segment = BundledSegment(*row)
            memory = segment.memory._replace(sha256=hashlib.sha256(segment.row).digest())
            bundle.execute(
                "UPDATE segments SET text_sha256 = ?, sha256 = ? WHERE rowid = ?",
                [segment.segment.checksum, memory.sha256, rowid],
            )
            digest.segment(segment.segment, memory)
        bundle.execute("UPDATE memories SET digest = ? WHERE number = ?", [digest.value, number])
        digests[number] = digest.value
    documents = sorted(BundledDocument(*row) for row in bundle.execute("SELECT * FROM documents").fetchall())
    bundle.execute("UPDATE bundle SET digest = ?", [bundle_digest(digests.values(), documents)])
