"""How an imported document is told from one that was read here: nothing else may ever be taken for it.

Whoever makes a bundle can put any path and any file's hash into it. Stored as they are, a later `ingest` of that file
would find its document unchanged, or adopt the memory for it, and deleting the document would delete the upload it
claims to be. So path and reader of what was imported have a prefix that no file and no reader here can have.
"""

from __future__ import annotations

PREFIX = "imported:"
_DIGEST_DIGITS = 64


def imported_path(path: str) -> str:
    """The path of an imported document; ingested ones are absolute."""
    return path if path.startswith(PREFIX) else PREFIX + path


def imported_reader(reader: str, digest: bytes) -> str:
    """The reader's name of an imported memory: different contents never share one."""
    return f"{PREFIX}{digest.hex()}:{reader}"


def original_path(path: str) -> str:
    """The inverse of `imported_path`; as it is for a document that was read here."""
    return path.removeprefix(PREFIX)


def original_reader(reader: str) -> str:
    """The inverse of `imported_reader`; as it is for a memory that was read here."""
    return reader[len(PREFIX) + _DIGEST_DIGITS + 1 :] if reader.startswith(PREFIX) else reader
