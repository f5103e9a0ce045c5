"""PDF files as tests need them, drawn by reportlab and altered by pypdf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.constants import PageLabelStyle
from pypdf.generic import NameObject, StreamObject
from reportlab.pdfgen.canvas import Canvas

Draw = Callable[[Canvas], None]


def draw_pdf(path: Path, *pages: Draw, size: tuple[float, float] = (400, 300), title: str = "") -> Path:
    """A PDF with one page for each drawing."""
    canvas = Canvas(str(path), pagesize=size, pageCompression=0)
    if title:
        canvas.setTitle(title)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return path


def lines(*texts: str, left: float = 40, top: float = 250, font: str = "Helvetica", size: float = 12) -> Draw:
    """A drawing of one line under the other."""

    def draw(canvas: Canvas) -> None:
        canvas.setFont(font, size)
        for number, text in enumerate(texts):
            canvas.drawString(left, top - number * size * 1.3, text)

    return draw


def prose(page: int, count: int = 12) -> Draw:
    """A page of differing lines."""
    return lines(*(f"Page {page} line {number} tells fact {page * 97 + number * 13}." for number in range(count)))


def empty_page(_canvas: Canvas) -> None:
    """Nothing drawn."""


def picture(canvas: Canvas) -> None:
    """A drawing without a single character, as a scanner makes it."""
    canvas.rect(50, 50, 200, 100, fill=1)


def rewritten(path: Path, change: Callable[[PdfWriter], None]) -> Path:
    """The file at `path`, with `change` made to it by pypdf."""
    with PdfReader(path) as reader:
        writer = PdfWriter(clone_from=reader)
    change(writer)
    writer.write(path)
    writer.close()
    return path


def with_roman_front_matter(path: Path, front: int) -> Path:
    """Label the first pages i, ii, …, the rest from 1."""

    def label(writer: PdfWriter) -> None:
        writer.set_page_label(0, front - 1, style=PageLabelStyle.LOWERCASE_ROMAN)
        writer.set_page_label(front, len(writer.pages) - 1, style=PageLabelStyle.DECIMAL, start=1)

    return rewritten(path, label)


def without_pages(path: Path) -> Path:
    """A well-formed PDF whose page tree is empty."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"xref\n0 3\n0000000000 65535 f \n%strailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(body),
    )
    path.write_bytes(body)
    return path


def with_unicode_map(path: Path, targets: dict[str, str]) -> Path:
    """Let the fonts of the first page say that a letter stands for the UTF-16 units given in hex."""
    pairs = "\n".join(f"<{ord(letter):02X}> <{target}>" for letter, target in targets.items())
    stream = StreamObject()
    stream.set_data(
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /x def /CMapType 2 def\n"
        b"1 begincodespacerange <00> <FF> endcodespacerange\n"
        + f"{len(targets)} beginbfchar\n{pairs}\nendbfchar\nendcmap end end".encode()
    )

    def attach(writer: PdfWriter) -> None:
        for font in writer.pages[0]["/Resources"]["/Font"].values():
            font.get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)

    return rewritten(path, attach)
