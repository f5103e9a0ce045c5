"""EPUB books: chapters in reading order, each on pages of its own."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote
from zipfile import ZipFile

from hmt_ingest.naming import shown
from hmt_ingest.readers.archives import archive, parse_xml
from hmt_ingest.readers.encoding import decoded_markup
from hmt_ingest.readers.parts import Part, PartedText, parted
from hmt_ingest.refusals import corrupt
from hmt_qa.errors import EncryptedFile

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


class EpubReader:
    """Reads EPUB books without copy protection."""

    name = "epub"
    suffixes = frozenset({".epub"})
    libraries = ("lxml.etree", "hmt_ingest.readers.markup")

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[PartedText]:
        """Read `path` whole; raises `FileMissing`, `EncryptedFile`, `CorruptFile`, `EmptyFile` or `ParsingStopped`."""
        with archive(path, "EPUB book") as book:
            try:
                text = _read(path, book)
            except KeyError as problem:  # a member that is named and not there
                raise corrupt(path, str(problem.args[0])) from problem
        yield text


def _read(path: Path, book: ZipFile) -> PartedText:
    package_name = next(parse_xml(book.read(_CONTAINER)).iter("{*}rootfile")).get("full-path", "")
    package = parse_xml(book.read(package_name))
    chapters = _chapters(package, posixpath.dirname(package_name))
    if locked := _encrypted(book) & set(chapters):
        raise EncryptedFile(
            f"{shown(path)} is copy-protected ({len(locked)} of {len(chapters)} chapters are encrypted).",
            subject=shown(path),
            remedy="Give a copy without protection.",
        )
    title = next((element.text or "" for element in package.iter(_TITLE)), "")
    parts = (part for chapter in chapters for part in _parts(book, chapter))
    return parted(path, parts, title=title, media_type="application/epub+zip")


def _parts(book: ZipFile, chapter: str) -> Iterator[Part]:
    from hmt_ingest.readers.markup import read_markup

    read = read_markup(decoded_markup(book.read(chapter)))
    for part in read.parts:
        yield Part(label=part.label or read.title or posixpath.basename(chapter), text=part.text, unread=part.unread)


def _chapters(package: _Element, folder: str) -> list[str]:
    """Names of the members that hold text, in reading order."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    read = (items.get(reference.get("idref")) for reference in package.iter("{*}itemref"))
    hrefs = [item.get("href", "") for item in read if item is not None and item.get("media-type") in _PAGES]
    return [posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0]))) for href in hrefs]


def _encrypted(book: ZipFile) -> set[str]:
    if _ENCRYPTION not in book.namelist():
        return set()
    return {unquote(found.get("URI", "")) for found in parse_xml(book.read(_ENCRYPTION)).iter("{*}CipherReference")}
