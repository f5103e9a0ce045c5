"""Text, data and source code, read as they stand; binary content is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_ingest.readers import suffixes
from hmt_ingest.readers.blocks import line_label, split_blocks
from hmt_ingest.readers.encoding import (
    Encoding,
    decoded_chunks,
    guess_legacy_encoding,
    looks_binary,
    marked_encoding,
    read_head,
)
from hmt_qa.errors import CorruptFile, EmptyFile, UnsupportedFile
from hmt_qa.types import Page


class TextReader:
    """Reads every file that holds text; the suffixes are those known to, others may be tried."""

    name = "text"
    suffixes = suffixes.TEXT

    @contextmanager
    def open(self, path: Path, *, password: str | None = None) -> Iterator[TextSource]:
        """Read the file through once, to learn its encoding and its pages; `password` means nothing here.

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
        line = 1
        try:
            for number, text in enumerate(split_blocks(decoded_chunks(self.path, self.encoding)), start=1):
                line_ends = text.count("\n")
                last = line + line_ends - text.endswith("\n")
                yield Page(number=number, label=line_label(line, last), text=text)
                line += line_ends
        except UnicodeDecodeError as problem:
            raise CorruptFile(
                f"{shown(self.path)} is not {self.encoding.name} any more.", subject=shown(self.path)
            ) from problem
        except OSError as problem:
            raise missing(self.path, problem) from problem


def _survey(path: Path) -> TextSource:
    head = read_head(path)
    if looks_binary(head):
        raise _binary(path)
    encoding = marked_encoding(head) or Encoding(name="utf-8", errors="strict")
    try:
        page_count, opening = _count_pages(path, encoding)
    except UnicodeDecodeError as problem:
        encoding = guess_legacy_encoding(path, problem)
        page_count, opening = _count_pages(path, encoding)
    suffix = path.suffix.lower()
    heading = _first_heading(opening) if suffix in suffixes.MARKDOWN else ""
    return TextSource(
        path=path,
        encoding=encoding,
        title=heading or shown(Path(path.name)),
        media_type=suffixes.MEDIA_TYPES.get(suffix, "text/plain"),
        page_count=page_count,
    )


def _count_pages(path: Path, encoding: Encoding) -> tuple[int, str]:
    """How many blocks the text has, and the first of them."""
    count, opening, blank = 0, "", True
    for block in split_blocks(decoded_chunks(path, encoding)):
        if "\0" in block:
            raise _binary(path)
        opening = opening or block
        blank = blank and not block.strip()
        count += 1
    if blank:
        raise EmptyFile(f"{shown(path)} holds no text.", subject=shown(path), remedy="Give a file with text in it.")
    return count, opening


def _binary(path: Path) -> UnsupportedFile:
    kind = path.suffix or "its kind"
    return UnsupportedFile(
        f"{shown(path)} holds binary content and there is no reader for {kind}.",
        subject=shown(path),
        remedy="Convert it to PDF or text.",
    )


def _first_heading(text: str) -> str:
    """The first `# heading` of a markdown text, outside fenced code and front matter."""
    fenced = False
    for line in text.split("\n"):
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and line.startswith("# "):
            return " ".join(line.strip("# \t").split())
    return ""
