"""Writes the book as a file, the same bytes each time for one interpreter."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

from hmt_ui.reference.docstrings import MODULES, entries, import_module
from hmt_ui.reference.typesetting import (
    HEIGHT,
    MARGIN,
    MEASURE,
    PROSE,
    SMALL,
    TITLE,
    TOP,
    WIDTH,
    Sheet,
    front_matter,
    paginate,
    typeset,
    width_of,
)

PAGE_BUDGET = 380
"""No module is begun after this page, so the size stays where it is while Python's docstrings grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSummary:
    """What was written: pages of the file, and characters set in its body."""

    pages: int
    characters: int


def write_reference_pdf(path: Path, *, modules: Sequence[str] | None = None) -> ReferenceSummary:
    """Write the reference of `modules` (all of `MODULES` within the page budget, if none are named) to `path`.

    Modules that this interpreter lacks are left out. Raises `OSError` where `path` cannot be written.
    """
    body: list[Sheet] = []
    starts: dict[str, int] = {}
    seen: set[str] = set()
    for name in MODULES if modules is None else modules:
        if modules is None and len(body) >= PAGE_BUDGET:
            break
        module = import_module(name)
        if module is None:
            continue
        starts[name] = len(body) + 1
        for lines in paginate(typeset(entries(name, module, seen))):
            body.append(Sheet(lines=lines, header=name, label=str(len(body) + 1)))
    front = front_matter(starts)
    _draw(path, front, body, starts)
    return ReferenceSummary(
        pages=len(front) + len(body), characters=sum(len(line.text) for sheet in body for line in sheet.lines)
    )


def _draw(path: Path, front: Sequence[Sheet], body: Sequence[Sheet], starts: dict[str, int]) -> None:
    canvas = Canvas(str(path), pagesize=A5, invariant=1, pageCompression=1)
    canvas.setTitle(f"{TITLE} (Python {platform.python_version()})")
    canvas.setAuthor("Python Software Foundation and contributors")
    canvas.setSubject("Docstrings of the standard library")
    canvas.setCreator("hmt-qa")
    canvas.addPageLabel(0, style="ROMAN_LOWER", start=1)
    canvas.addPageLabel(len(front), style="ARABIC", start=1)
    chapters = {page: name for name, page in starts.items()}
    for sheet in front:
        _draw_sheet(canvas, sheet)
    for number, sheet in enumerate(body, start=1):
        if number in chapters:
            canvas.bookmarkPage(chapters[number])
            canvas.addOutlineEntry(chapters[number], chapters[number], level=0)
        _draw_sheet(canvas, sheet)
    canvas.showOutline()
    canvas.save()


def _draw_sheet(canvas: Canvas, sheet: Sheet) -> None:
    if sheet.header:
        canvas.setFont(SMALL.font, SMALL.size)
        canvas.drawString(MARGIN, HEIGHT - 42, sheet.header)
        canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 42, "The Python Standard Library")
        canvas.setLineWidth(0.4)
        canvas.line(MARGIN, HEIGHT - 47, WIDTH - MARGIN, HEIGHT - 47)
        canvas.setFont(PROSE.font, 9)
        canvas.drawCentredString(WIDTH / 2, 34, sheet.label)
    text = canvas.beginText()
    y = HEIGHT - TOP
    for line in sheet.lines:
        y -= line.before + line.style.leading
        text.setFont(line.style.font, line.style.size)
        text.setWordSpace(line.stretch)
        text.setTextOrigin(MARGIN + line.indent, y)
        text.textOut(line.text)
        if line.right:
            room = MEASURE - width_of(line.text, line.style) - width_of(line.right, line.style)
            tail = " ." * int(room / width_of(" .", line.style) - 1) + "  " + line.right
            text.setTextOrigin(WIDTH - MARGIN - width_of(tail, line.style), y)
            text.textOut(tail)
    canvas.drawText(text)
    canvas.showPage()
