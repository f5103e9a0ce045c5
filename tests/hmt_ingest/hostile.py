"""Files made to harm their reader: bombs, endless trees, impossible claims. Written at test time, never kept.

    python tests/hmt_ingest/hostile.py FOLDER      # to try them by hand

Each function writes one file and returns its path. What is large is compressed or sparse, so writing is quick.
"""

from __future__ import annotations

import json
import random
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

Write = Callable[[Path], None]
MEGABYTE = 1 << 20


def pdf(objects: Sequence[bytes], *, trailer: bytes = b"", table_at: int | None = None) -> bytes:
    """A PDF of these numbered objects; the first one is the catalogue."""
    body, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, trailer)
    return bytes(body + b"startxref\n%d\n%%%%EOF\n" % (start if table_at is None else table_at))


def stream(data: bytes, keys: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), keys, data)


def one_page(content: bytes, *, box: bytes = b"[0 0 612 792]", count: int = 1) -> list[bytes]:
    """The objects of a document with one page that draws `content` (an object)."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>" % box
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % count
    return [b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, content, font]


def deflated(block: bytes, times: int) -> bytes:
    """`times` blocks as one zlib stream, at the cost of packing one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(times):
        checksum = zlib.adler32(block, checksum)
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b"\x78\xda" + packed * times + end + checksum.to_bytes(4, "big")


def nested_flate_bomb(path: Path) -> None:
    """A few kB that unpack, layer by layer, to 2 GB of page content."""
    data = deflated(b" " * MEGABYTE, 2 << 10)
    for _ in range(2):
        data = zlib.compress(data, 9)
    path.write_bytes(pdf(one_page(stream(data, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]"))))


def many_operators(path: Path) -> None:
    """One page of eight million text operators."""
    content = deflated(b"BT /F 1 Tf 1 0 0 1 9 9 Tm " + b"(a) Tj\n" * 100_000 + b"ET\n", 80)
    path.write_bytes(pdf(one_page(stream(content, b"/Filter /FlateDecode"))))


def deep_page_tree(path: Path) -> None:
    """A page that stands 20,000 nodes deep."""
    depth = 20_000
    nodes = [
        b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /Parent %d 0 R >>" % (number + 3, number + 1)
        for number in range(depth)
    ]
    page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 9 9] >>" % (depth + 1)
    path.write_bytes(pdf([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, page]))


def self_referencing_tree(path: Path) -> None:
    """A page tree whose only child is itself."""
    node = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>"
    path.write_bytes(pdf([b"<< /Type /Catalog /Pages 2 0 R >>", node]))


def one_page_many_times(path: Path) -> None:
    """A page tree that names the same blank page two hundred thousand times."""
    objects = one_page(stream(b""))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count 200000 >>" % (b"3 0 R " * 200_000)
    path.write_bytes(pdf(objects))


def two_billion_pages(path: Path) -> None:
    """A page tree that claims two billion pages and holds one."""
    path.write_bytes(pdf(one_page(stream(b""), count=2_000_000_000)))


def circular_xref(path: Path) -> None:
    """Cross-reference tables that name each other as the one before."""
    whole = pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"])
    first = whole.index(b"xref\n")
    head = whole[: whole.index(b"startxref")]
    second = len(head)
    table = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 3 /Root 9 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n"
    head = head.replace(b"/Root 1 0 R ", b"/Root 9 0 R /Prev %d " % second)
    path.write_bytes(head + table % (first, len(head)))


def million_point_page(path: Path) -> None:
    """A page of a million by a million points that shows a picture and no text."""
    drawing = stream(b"0 0 0 rg 1000 1000 500000 500000 re f")
    path.write_bytes(pdf(one_page(drawing, box=b"[0 0 1000000 1000000]")))


def random_bytes(path: Path) -> None:
    """A PDF's first line, then noise."""
    path.write_bytes(b"%PDF-1.7\n" + random.Random(7).randbytes(200_000))  # noqa: S311 (test data)


def encrypted(path: Path) -> None:
    """A PDF that wants a password."""
    canvas = Canvas(str(path))
    canvas.drawString(72, 720, "Nobody reads this.")
    canvas.save()
    with PdfReader(path) as reader:
        writer = PdfWriter(clone_from=reader)
    writer.encrypt("sesame", algorithm="RC4-128")
    writer.write(path)
    writer.close()


def _zip(path: Path, members: dict[str, bytes], *, bomb: str = "", block: bytes = b"", times: int = 0) -> None:
    """An archive of `members` and of one named `bomb` that unpacks to `times` blocks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if bomb:
            with archive.open(bomb, "w", force_zip64=True) as member:
                for _ in range(times):
                    member.write(block)


_TYPES = b"""<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels"
ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml"
ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
_RELATIONS = b"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship
Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
Target="word/document.xml"/></Relationships>"""
_DOCX = {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS}
_BODY = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>%s</w:body></w:document>'
_ENTITIES = b"<!DOCTYPE z [<!ENTITY a0 'laugh'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)


def zip_bomb(path: Path) -> None:
    """A spreadsheet's archive with half a gigabyte of zeros in it."""
    _zip(path, {"[Content_Types].xml": b"<Types/>"}, bomb="xl/workbook.xml", block=bytes(8 * MEGABYTE), times=64)


def overlapping_zip(path: Path) -> None:
    """An archive whose members all stand on the same bytes: the directory names a thousand of 4 GB."""
    _zip(path, {"mimetype": b"application/epub+zip"})
    whole = path.read_bytes()
    at = whole.index(b"PK\x01\x02")
    entry = bytearray(whole[at : whole.index(b"PK\x05\x06")])
    entry[24:28] = (0xFFFFFFFE).to_bytes(4, "little")  # the size it claims
    end = bytearray(whole[whole.index(b"PK\x05\x06") :])
    end[8:12] = (1000).to_bytes(2, "little") * 2
    end[12:16] = (1000 * len(entry)).to_bytes(4, "little")
    path.write_bytes(whole[:at] + bytes(entry) * 1000 + bytes(end))


def docx_of_empty_paragraphs(path: Path) -> None:
    """A Word file of two million empty paragraphs with empty attributes: 40 MB of XML, 1.5 GB as a tree, in 2 s."""
    _zip(path, _DOCX | {"word/document.xml": _BODY % (b"<w:p a='' b='' c=''/>" * 2_000_000)})


def docx_of_entities(path: Path) -> None:
    """A Word file whose one word is ten entities of ten entities of … (a billion laughs)."""
    body = _BODY % b"<w:p><w:r><w:t>&a9;</w:t></w:r></w:p>"
    _zip(path, _DOCX | {"word/document.xml": _ENTITIES + body})


def docx_nested_deeply(path: Path) -> None:
    """A Word file of tables within tables within tables."""
    body = _BODY % (b"<w:tbl><w:tr><w:tc>" * 100_000 + b"</w:tc></w:tr></w:tbl>" * 100_000)
    _zip(path, _DOCX | {"word/document.xml": body})


def html_nested_deeply(path: Path) -> None:
    """A web page of half a million elements, each within the one before."""
    path.write_text("<div>" * 500_000 + "deep")


def notebook_nested_deeply(path: Path) -> None:
    """A notebook of a million brackets."""
    path.write_text("[" * 1_000_000)


def xml_of_entities(path: Path) -> None:
    """A billion laughs as XML, which is read as the text it is."""
    path.write_bytes(b"<?xml version='1.0'?>" + _ENTITIES + b"<z>&a9;</z>\n")


def endless_line(path: Path) -> None:
    """A text of one line of 500 MB."""
    with path.open("wb") as file:
        for _ in range(500):
            file.write(b"endless " * (1_000_000 // 8))


def lone_surrogates(path: Path) -> None:
    """UTF-16 with halves of characters in it: every kind of them, in the middle of words."""
    text = "A word with \ud800 half a character, \udc00 another, and more\udfff.\n" * 50
    path.write_bytes(b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))


def surrogates_in_utf8(path: Path) -> None:
    """UTF-8 as it must not be, with surrogates, and cut in the middle of a character."""
    path.write_bytes("Größe \ud83d und Maß, überall\n".encode("utf-8", "surrogatepass") * 50 + b"\xc3")


def surrogates_in_a_notebook(path: Path) -> None:
    """JSON may spell lone surrogates and NUL."""
    cell = {"cell_type": "markdown", "metadata": {}, "source": "half \ud800 and \0 nothing"}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}))


def nul_bytes(path: Path) -> None:
    """Text with NULs far into it."""
    path.write_bytes(b"words and words\n" * 10_000 + b"\0" * 1_000 + b"words\n")


def endless_table(path: Path) -> None:
    """A table with a quote that never ends."""
    path.write_bytes(b'name,"value\n' + b"a,b\n" * 300_000)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file's name, what writes it, and what is said of it; nothing where it is read in spite of all."""

    name: str
    write: Write
    says: str


FILES = (
    Hostile("flate.pdf", nested_flate_bomb, "needs more than 1,024 MB of memory on page 1"),
    Hostile("operators.pdf", many_operators, "needs more than 1,024 MB of memory on page 1"),
    Hostile("deep.pdf", deep_page_tree, "damaged or no PDF"),
    Hostile("self.pdf", self_referencing_tree, "damaged or no PDF"),
    Hostile("blank.pdf", one_page_many_times, "more than 10,000 pages in a row without text"),
    Hostile("count.pdf", two_billion_pages, "1 page and no text"),
    Hostile("circular.pdf", circular_xref, "has no pages"),
    Hostile("million.pdf", million_point_page, "page 1 shows a drawing"),
    Hostile("random.pdf", random_bytes, "damaged or no PDF"),
    Hostile("encrypted.pdf", encrypted, "Give its password"),
    Hostile("bomb.xlsx", zip_bomb, "that is a bomb"),
    Hostile("overlap.epub", overlapping_zip, "that is a bomb"),
    Hostile("paragraphs.docx", docx_of_empty_paragraphs, "needs more than 1,024 MB of memory."),
    Hostile("entities.docx", docx_of_entities, "XMLSyntaxError while parsing"),
    Hostile("tables.docx", docx_nested_deeply, "XMLSyntaxError while parsing"),
    Hostile("deep.html", html_nested_deeply, "of processor time while it was opened"),
    Hostile("deep.ipynb", notebook_nested_deeply, "RecursionError while parsing"),
    Hostile("line.txt", endless_line, "a line of more than 100,000,000 characters"),
    Hostile("nul.txt", nul_bytes, "binary content"),
    Hostile("entities.xml", xml_of_entities, ""),
    Hostile("surrogates.txt", lone_surrogates, ""),
    Hostile("surrogates-8.txt", surrogates_in_utf8, ""),
    Hostile("surrogates.ipynb", surrogates_in_a_notebook, ""),
    Hostile("quote.csv", endless_table, ""),
)


if __name__ == "__main__":
    for file in FILES:
        file.write(Path(sys.argv[1]) / file.name)
