"""What a PDF page without characters shows: nothing, a picture, a drawing, or text in a font without characters."""

from __future__ import annotations

from collections import Counter

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

_SIDE = 128  # pixels of the longer side, however large the page
_CONTRAST = 24  # of 255, between a pixel and the commonest one
_INKED_SHARE = 0.001
_KINDS = (
    (pdfium_c.FPDF_PAGEOBJ_IMAGE, "a picture"),
    (pdfium_c.FPDF_PAGEOBJ_TEXT, "text in a font without characters"),
)


def shown_without_characters(page: pdfium.PdfPage) -> str:
    """In a few words; empty where the page is blank or of one colour."""
    if not _has_ink(page):
        return ""
    kinds = {each.type for each in page.get_objects(filter=[kind for kind, _ in _KINDS])}
    return next((words for kind, words in _KINDS if kind in kinds), "a drawing")


def _has_ink(page: pdfium.PdfPage) -> bool:
    longest = max(page.get_size())
    if not longest > 0:
        return False
    bitmap = page.render(scale=_SIDE / longest, grayscale=True)
    rows = bytes(bitmap.buffer)
    pixels = Counter(b"".join(rows[start : start + bitmap.width] for start in range(0, len(rows), bitmap.stride)))
    ((paper, _),) = pixels.most_common(1)
    inked = sum(count for shade, count in pixels.items() if abs(shade - paper) > _CONTRAST)
    return inked >= max(2.0, _INKED_SHARE * pixels.total())
