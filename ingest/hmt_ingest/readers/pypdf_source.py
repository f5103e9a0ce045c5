"""PDF text by pypdf, for files and pages that PDFium cannot make sense of; slower, and without word boxes."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from hmt_ingest.naming import shown
from hmt_ingest.readers.titles import sensible_title
from hmt_ingest.refusals import corrupt
from hmt_qa.errors import EmptyFile, EncryptedFile
from hmt_qa.types import Page

# pypdf documents PyPdfError; damaged files also make it stumble over what it had no reason to expect.
_PROBLEMS = (
    PyPdfError, DependencyError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError,
    RecursionError, NotImplementedError, OSError, struct.error, zlib.error,
)  # fmt: skip
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile(r"[ \t]*(?:\r\n|[\n\r\v\f\x85\u2028\u2029])\s*")


@dataclass(slots=True, kw_only=True)
class PypdfSource:
    """An opened PDF, read by pypdf."""

    path: Path
    reader: PdfReader
    labels: list[str]
    title: str
    page_count: int
    media_type: str = "application/pdf"

    def __iter__(self) -> Iterator[Page]:
        """Pages in order, without boxes; raises `CorruptFile`."""
        for index in range(self.page_count):
            yield self.page(index)

    def page(self, index: int) -> Page:
        """The page at `index` (from 0); raises `CorruptFile`."""
        try:
            page = self.reader.pages[index]
            text = _tidy(page.extract_text())
            width, height = _size_as_shown(page)
            unread = "contents without characters" if not text and page.get_contents() is not None else ""
        except _PROBLEMS as problem:
            raise corrupt(self.path, f"page {index + 1} cannot be read") from problem
        label = self.labels[index] if index < len(self.labels) else ""
        return Page(
            number=index + 1, label=label or str(index + 1), text=text, width=width, height=height, unread=unread
        )


def open_with_pypdf(path: Path, password: str | None) -> PypdfSource:
    """Open `path` by pypdf; raises `EncryptedFile`, `EmptyFile` or `CorruptFile`."""
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(password or ""):
            raise locked(path)
        page_count = len(reader.pages)
        title = str(reader.metadata.title or "") if reader.metadata else ""
        labels = [str(label) for label in reader.page_labels]
    except DependencyError as problem:
        raise EncryptedFile(
            f"{shown(path)} is encrypted in a way that cannot be opened here.",
            subject=shown(path),
            remedy="Save a copy without encryption and give that.",
        ) from problem
    except _PROBLEMS as problem:
        raise corrupt(path, "it is damaged or no PDF") from problem
    if not page_count:
        raise EmptyFile(f"{shown(path)} has no pages.", subject=shown(path), remedy="Give a PDF with pages.")
    return PypdfSource(
        path=path,
        reader=reader,
        labels=labels,
        title=sensible_title(title, shown(Path(path.stem))),
        page_count=page_count,
    )


def locked(path: Path) -> EncryptedFile:
    """The error for a missing or wrong password."""
    return EncryptedFile(
        f"{shown(path)} is encrypted.", subject=shown(path), remedy="Give its password with --password."
    )


def _tidy(text: str) -> str:
    lines = _LINE_END.sub("\n", _UNPRINTABLE.sub("", text)).strip()
    return lines + "\n" if lines else ""


def _size_as_shown(page: PageObject) -> tuple[float, float]:
    width, height = float(page.cropbox.width), float(page.cropbox.height)
    return (height, width) if page.rotation % 180 else (width, height)
