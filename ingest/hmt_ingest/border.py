"""The border to readers, ours and third parties': whatever a format library stumbles over is a `CorruptFile`."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.naming import shown
from hmt_qa.errors import CorruptFile, NoTextFound
from hmt_qa.ports import Reader, SourceText
from hmt_qa.types import Page

logger = logging.getLogger(__name__)

# What parsers raise on bytes they did not expect. Not MemoryError, and nothing that KeyboardInterrupt is a kind of.
_STUMBLES = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, RecursionError,
    NotImplementedError, OSError, EOFError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def opened(reader: Reader, path: Path, password: str | None) -> Iterator[SourceText]:
    """Open `path` with `reader`; raises `FileProblem` only. What the body of the `with` raises passes untouched."""
    context = reader.open(path, password=password)
    try:
        text = context.__enter__()
    except _STUMBLES as problem:
        raise _corrupt(path, problem) from problem
    try:
        yield text
    finally:
        context.__exit__(None, None, None)


@dataclass(slots=True)
class PagesSeen:
    """Counts the pages of a file as they pass: how many, and how many of them show any text."""

    path: Path
    pages: int = 0
    with_text: int = 0

    def passing(self, text: SourceText) -> Iterator[Page]:
        """The pages of `text`, one at a time; raises `FileProblem` only."""
        pages = iter(text)
        while True:
            try:
                page = next(pages, None)
            except _STUMBLES as problem:
                raise _corrupt(self.path, problem) from problem
            if page is None:
                return
            self.pages += 1
            self.with_text += bool(page.text) and not page.text.isspace()
            yield page

    def require_text(self) -> None:
        """Raise `NoTextFound` when no page showed any text; log how many did not."""
        if not self.with_text:
            count = "1 page" if self.pages == 1 else f"{self.pages} pages"
            raise NoTextFound(
                f"{shown(self.path)} has {count} and no text; it looks like a scan, and text recognition (OCR) is not "
                "included.",
                subject=shown(self.path),
                remedy="Run it through an OCR program first.",
            )
        if self.with_text < self.pages:
            logger.info("pages without text: %s (%d of %d)", shown(self.path), self.pages - self.with_text, self.pages)


def _corrupt(path: Path, problem: Exception) -> CorruptFile:
    return CorruptFile(
        f"Cannot read {shown(path)}: {type(problem).__name__} while parsing.",
        subject=shown(path),
        remedy="Get an intact copy.",
    )
