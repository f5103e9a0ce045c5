"""Small PDFs to upload."""

from __future__ import annotations

import io

from reportlab.lib.pagesizes import A6
from reportlab.pdfgen.canvas import Canvas


def pdf(pages: int, title: str, *, sentence: str = "The mill of the village stands beside the river.") -> bytes:
    """A small PDF in which every sentence says the number of its page."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A6)
    canvas.setTitle(title)
    for number in range(1, pages + 1):
        text = canvas.beginText(20, 380)
        text.setFont("Helvetica", 6)
        for line in range(1, 9):
            text.textLine(f"Sheet {number}, row {line}. {sentence}")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()
