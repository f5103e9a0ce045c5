"""Files made to harm their reader: bombs, endless trees, impossible claims. Written at test time, never kept.

    python tests/hmt_ingest/hostile.py FOLDER      # to try them by hand

Each function writes one file and returns its path. What is large is compressed or sparse, so writing is quick.
"""

from __future__ import annotations

import random
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
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


def deflated(chunks: Iterator[bytes]) -> bytes:
    """The chunks compressed as one zlib stream."""
    packer = zlib.compressobj(9)
    return b"".join(map(packer.compress, chunks)) + packer.flush()


def nested_flate_bomb(path: Path) -> None:
    """A few kB that unpack, layer by layer, to 8 GB of page content."""
    data = deflated(b" " * MEGABYTE for _ in range(8 << 10))
    for _ in range(2):
        data = zlib.compress(data, 9)
    path.write_bytes(pdf(one_page(stream(data, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]"))))


def many_operators(path: Path) -> None:
    """One page of eight million text operators."""
    begin, end = b"BT /F 1 Tf 1 0 0 1 9 9 Tm ", b"ET"
    middle = deflated(part for part in (begin, *[b"(a) Tj\n" * 100_000] * 80, end))
    path.write_bytes(pdf(one_page(stream(middle, b"/Filter /FlateDecode"))))


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


def zip_bomb(path: Path, *, suffix_parts: Sequence[tuple[str, bytes]] = (), name: str = "bomb.xml") -> None:
    """An archive with a member of 4 GB of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for part, content in suffix_parts:
            archive.writestr(part, content)
        with archive.open(name, "w", force_zip64=True) as member:
            block = bytes(16 * MEGABYTE)
            for _ in range(256):
                member.write(block)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for write in (
        nested_flate_bomb,
        many_operators,
        deep_page_tree,
        self_referencing_tree,
        two_billion_pages,
        circular_xref,
        million_point_page,
        random_bytes,
        encrypted,
    ):
        write(folder / f"{write.__name__}.pdf")
