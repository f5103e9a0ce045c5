"""EPUB books, built here part by part."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from hmt_qa.errors import CorruptFile, EncryptedFile
from tests.hmt_ingest.opened import read

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Owls of Rügen</dc:title></metadata><manifest>
<item id="c" href="cover.png" media-type="image/png"/>
<item id="two" href="text/two.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/ch%20one.xhtml" media-type="application/xhtml+xml"/>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="one"/><itemref idref="two"/><itemref idref="c"/><itemref idref="lost"/></spine></package>"""
LOCK = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    '<e:EncryptedData><e:CipherData><e:CipherReference URI="%s"/></e:CipherData></e:EncryptedData></encryption>'
)


def book(path: Path, **changes: str) -> Path:
    members = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/text/ch one.xhtml": "<html><body><h1>Chapter one</h1><p>An owl.</p></body></html>",
        "OEBPS/text/two.xhtml": "<?xml version='1.0'?><html><head><title>Chapter two</title></head><p>No owl.",
        "OEBPS/nav.xhtml": "<p>contents</p>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | changes).items():
            if content:
                archive.writestr(name, content)
    return path


def test_chapters_come_in_reading_order_under_their_names(tmp_path):
    source, pages = read(book(tmp_path / "a.epub"))
    assert [(page.label, page.text) for page in pages] == [
        ("Chapter one", "Chapter one\n\nAn owl.\n"),
        ("Chapter two", "No owl.\n"),
    ]
    assert (source.title, source.media_type) == ("Owls of Rügen", "application/epub+zip")


def test_a_long_chapter_has_several_pages(tmp_path):
    chapter = "<h1>Long</h1>" + "".join(f"<p>Paragraph {number} of many.</p>" for number in range(100))
    _, pages = read(book(tmp_path / "a.epub", **{"OEBPS/text/two.xhtml": chapter}))
    assert [page.label for page in pages] == ["Chapter one", "Long", "Long (2)", "Long (3)", "Long (4)"]


def test_a_chapter_of_pictures_says_so(tmp_path):
    _, pages = read(book(tmp_path / "a.epub", **{"OEBPS/text/two.xhtml": "<title>Plate</title><img src='a.png'/>"}))
    assert (pages[1].label, pages[1].unread) == ("Plate", "a picture")


def test_copy_protection_is_named_and_veiled_fonts_are_none(tmp_path):
    fonts = book(tmp_path / "a.epub", **{"META-INF/encryption.xml": LOCK % "OEBPS/font.otf"})
    assert len(read(fonts)[1]) == 2
    with pytest.raises(EncryptedFile, match=r"copy-protected \(1 of 2 chapters"):
        read(book(tmp_path / "b.epub", **{"META-INF/encryption.xml": LOCK % "OEBPS/text/two.xhtml"}))


@pytest.mark.parametrize("lost", ["META-INF/container.xml", "OEBPS/book.opf", "OEBPS/text/two.xhtml"])
def test_a_book_that_lacks_a_part_is_corrupt(tmp_path, lost):
    with pytest.raises(CorruptFile, match=lost.rpartition("/")[2]):
        read(book(tmp_path / "a.epub", **{lost: ""}))
