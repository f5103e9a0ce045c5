"""PDF files, page by page: by PDFium, with pypdf where PDFium gives up, with text recognition where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hmt_ingest.fingerprint import missing
from hmt_ingest.refusals import zero_bytes

if TYPE_CHECKING:
    from hmt_qa.ports import SourceText


class PdfReader:
    """Reads PDF files, with `password` where they are encrypted."""

    name = "pdf"
    suffixes = frozenset({".pdf"})
    libraries = ("hmt_ingest.readers.pdfium_source",)

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[SourceText]:
        """Open `path`; raises `FileMissing`, `EmptyFile`, `EncryptedFile` or `CorruptFile`."""
        from hmt_ingest.readers.pdfium_source import open_pdf

        try:
            size = path.stat().st_size
            path.open("rb").close()
        except OSError as problem:
            raise missing(path, problem) from problem
        if not size:
            raise zero_bytes(path)
        with open_pdf(path, password) as source:
            yield source
