"""Containers of the office formats and of EPUB: zip archives that claim no more than they may unpack to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, ZipInfo

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_ingest.refusals import corrupt, zero_bytes
from hmt_qa.errors import CorruptFile, EncryptedFile, ParsingStopped

if TYPE_CHECKING:
    from lxml.etree import _Element

MAX_UNPACKED = 2_000_000_000
"""Bytes of all members of an archive."""
_HARMLESS = 50_000_000  # bytes, however well packed
_BEST_PACKING = 200  # times; spreadsheets reach 50

_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")


@contextmanager
def archive(path: Path, kind: str) -> Iterator[ZipFile]:
    """The archive at `path`, whose format is called `kind`.

    Raises `FileMissing`, `EmptyFile`, `EncryptedFile`, `CorruptFile`, or `ParsingStopped` for a bomb. What is read from
    it is never more than it claims: `zipfile` stops there.
    """
    try:
        content = path.open("rb")
    except OSError as problem:
        raise missing(path, problem) from problem
    with content:
        head = content.read(len(_COMPOUND_FILE))
        if not head:
            raise zero_bytes(path)
        if head == _COMPOUND_FILE:
            raise _compound(path, kind)
        try:
            opened = ZipFile(content)
        except BadZipFile as problem:
            raise corrupt(path, f"it is damaged or no {kind}") from problem
        with opened:
            _require_reasonable(path, opened.infolist())
            yield opened


def parse_xml(content: bytes) -> _Element:
    """The root of an XML member: entities stay as they are and nothing is fetched."""
    from lxml.etree import XMLParser, fromstring

    return fromstring(content, XMLParser(resolve_entities=False, no_network=True))


def _compound(path: Path, kind: str) -> EncryptedFile | CorruptFile:
    """Encrypted office files, and those from before 2007, are compound files."""
    if _ENCRYPTED_STREAM in path.read_bytes():
        return EncryptedFile(
            f"{shown(path)} is encrypted.", subject=shown(path), remedy="Save it without a password and give that."
        )
    return CorruptFile(
        f"{shown(path)} is no {kind}, but a file of an older format.",
        subject=shown(path),
        remedy="Save it in the newer format and give that.",
    )


def _require_reasonable(path: Path, members: list[ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > MAX_UNPACKED or total > max(_HARMLESS, _BEST_PACKING * packed):
        raise ParsingStopped(
            f"{shown(path)} unpacks from {packed / 1e6:,.1f} to {total / 1e6:,.0f} MB: that is a bomb, or too large.",
            subject=shown(path),
            remedy="Convert it to PDF or text and give that.",
        )
