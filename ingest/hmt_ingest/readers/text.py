"""Text, data and source code, read as they stand; binary content is refused."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_ingest.readers import suffixes
from hmt_ingest.readers.blocks import line_label, split_blocks
from hmt_ingest.readers.encoding import Encoding, decoded_chunks, encoding_of
from hmt_ingest.readers.titles import first_heading
from hmt_ingest.refusals import no_text
from hmt_qa.errors import CorruptFile, UnsupportedFile
from hmt_qa.types import Page

MAX_LINE = 100_000_000
"""Characters; a file with a longer line is data, not text."""
MAX_CODE_BYTES = 2_000_000
"""Larger source files are made by programs: nobody looks for functions in them."""


class TextReader:
    """Reads every file that holds text; the suffixes are those known to, others may be tried."""

    name = "text"
    suffixes = suffixes.TEXT
    libraries = ("charset_normalizer", "hmt_ingest.readers.definitions")

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[TextSource]:
        """Read the file through, to learn its encoding and its pages; `password` means nothing here.

        Raises `FileMissing`, `EmptyFile` (nothing but white space) or `UnsupportedFile` (binary content).
        """
        try:
            source = _survey(path)
        except OSError as problem:
            raise missing(path, problem) from problem
        yield source


@dataclass(slots=True, kw_only=True)
class TextSource:
    """A surveyed text file: its pages are blocks of lines."""

    path: Path
    encoding: Encoding
    title: str
    media_type: str
    page_count: int

    def __iter__(self) -> Iterator[Page]:
        """Blocks of at most 60 lines and 8,000 characters, labelled by their lines."""
        line, begins = 1, 0
        try:
            borders = _borders(self.path, self.encoding)
            for number, text in enumerate(split_blocks(decoded_chunks(self.path, self.encoding)), start=1):
                line_ends = text.count("\n")
                last = line + line_ends - text.endswith("\n")
                ends = begins + len(text)
                inside = borders[bisect_left(borders, begins) : bisect_left(borders, ends)]
                yield Page(
                    number=number,
                    label=line_label(line, last),
                    text=text,
                    borders=tuple(border - begins for border in inside),
                )
                line, begins = line + line_ends, ends
        except UnicodeDecodeError as problem:
            raise CorruptFile(
                f"{shown(self.path)} is not {self.encoding.name} any more.", subject=shown(self.path)
            ) from problem
        except OSError as problem:
            raise missing(self.path, problem) from problem


def _survey(path: Path) -> TextSource:
    encoding = encoding_of(path)
    page_count, opening = _count_pages(path, encoding)
    suffix = path.suffix.lower()
    heading = first_heading(opening) if suffix in suffixes.MARKDOWN else ""
    return TextSource(
        path=path,
        encoding=encoding,
        title=heading or shown(Path(path.name)),
        media_type=suffixes.MEDIA_TYPES.get(suffix, "text/plain"),
        page_count=page_count,
    )


def _count_pages(path: Path, encoding: Encoding) -> tuple[int, str]:
    """How many blocks the text has, and the first of them."""
    count, opening, blank, line = 0, "", True, 0
    for block in split_blocks(decoded_chunks(path, encoding)):
        opening = opening or block
        blank = blank and not block.strip()
        count += 1
        line = 0 if "\n" in block else line + len(block)
        if line > MAX_LINE:
            raise UnsupportedFile(
                f"{shown(path)} has a line of more than {MAX_LINE:,} characters: it is data, not text.",
                subject=shown(path),
                remedy="Break it into lines.",
            )
    if blank:
        raise no_text(path)
    return count, opening


def _borders(path: Path, encoding: Encoding) -> list[int]:
    """Where functions and classes begin, in characters of the whole text."""
    suffix = path.suffix.lower()
    if suffix not in suffixes.CODE or path.stat().st_size > MAX_CODE_BYTES:
        return []
    from hmt_ingest.readers.definitions import definition_starts

    return definition_starts("".join(decoded_chunks(path, encoding)), suffix)
