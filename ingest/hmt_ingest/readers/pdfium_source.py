"""An opened PDF: text, word boxes, labels and title by PDFium, with pypdf where PDFium gives up.

PDFium is not safe to call from two threads at once, not even on two documents: a process reads one document.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from hmt_ingest.naming import shown
from hmt_ingest.readers.hyphens import Vocabulary
from hmt_ingest.readers.ocr import recognised
from hmt_ingest.readers.pdfium_page import read_page
from hmt_ingest.readers.pypdf_source import PypdfSource, locked, open_with_pypdf
from hmt_ingest.readers.titles import sensible_title
from hmt_qa.ports import SourceText
from hmt_qa.types import Page

# Damage that PDFium reports, and what its bindings raise on values they cannot decode (lone surrogates, odd rotations).
_PDFIUM_PROBLEMS = (pdfium.PdfiumError, ValueError, LookupError)


@contextmanager
def open_pdf(path: Path, password: str | None) -> Iterator[SourceText]:
    """Open the PDF at `path`; raises `EmptyFile`, `EncryptedFile` or `CorruptFile`."""
    try:
        document = pdfium.PdfDocument(path, password=password or "")
    except pdfium.PdfiumError as problem:
        if problem.err_code == pdfium_c.FPDF_ERR_PASSWORD:
            raise locked(path) from problem
        source = open_with_pypdf(path, password)
        with source.reader:
            yield source
        return
    try:
        yield _opened(path, document, password)
    finally:
        document.close()


@dataclass(slots=True, kw_only=True)
class PdfiumSource:
    """An opened PDF, read by PDFium page by page."""

    path: Path
    document: pdfium.PdfDocument
    password: str | None
    title: str
    page_count: int
    media_type: str = "application/pdf"

    def __iter__(self) -> Iterator[Page]:
        """Pages in order; one that PDFium cannot read is read by pypdf. Raises `CorruptFile`."""
        vocabulary = Vocabulary()
        fallback: PypdfSource | None = None
        for index in range(self.page_count):
            try:
                page = self._page(index, vocabulary)
            except _PDFIUM_PROBLEMS:
                fallback = fallback or open_with_pypdf(self.path, self.password)
                page = fallback.page(index)
            yield page

    def _page(self, index: int, vocabulary: Vocabulary) -> Page:
        page = self.document[index]
        try:
            read = read_page(page, number=index + 1, label=self._label(index), vocabulary=vocabulary)
            return recognised(page, read) if read.unread else read
        finally:
            page.close()

    def _label(self, index: int) -> str:
        try:
            label = self.document.get_page_label(index)
        except ValueError:
            label = ""
        return sensible_label(label) or str(index + 1)


def sensible_label(label: str) -> str:
    """A page label without control characters."""
    return "".join(character for character in label if character.isprintable()).strip()


def _opened(path: Path, document: pdfium.PdfDocument, password: str | None) -> PdfiumSource:
    try:
        stated = document.get_metadata_value("Title")
    except ValueError:
        stated = ""
    return PdfiumSource(
        path=path,
        document=document,
        password=password,
        title=sensible_title(stated, shown(Path(path.stem))),
        page_count=len(document),
    )
