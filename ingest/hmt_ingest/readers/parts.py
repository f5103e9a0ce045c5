"""Documents made of named parts (slides, chapters, cells) as pages: a short part is one page, a long one several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.fingerprint import missing
from hmt_ingest.naming import shown
from hmt_ingest.readers.blocks import split_blocks
from hmt_ingest.readers.titles import sensible_title
from hmt_ingest.refusals import no_text
from hmt_qa.types import Page

_LONGEST_LABEL = 80
_TRAILING = re.compile(r"[^\S\n]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a document; without a label its pages are called by their numbers.

    `unread` is as in `Page`; a part with neither text nor that is passed over. A `page` is one, however long or empty.
    """

    label: str
    text: str
    unread: str = ""
    page: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedText:
    """A document read whole: implements `hmt_qa.ports.SourceText`."""

    title: str
    media_type: str
    pages: Sequence[Page]

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return len(self.pages)

    def __iter__(self) -> Iterator[Page]:
        """Pages in order."""
        return iter(self.pages)


def parted(path: Path, parts: Iterable[Part], *, title: str, media_type: str) -> PartedText:
    """The document at `path` made of `parts`, under its stated `title` if that says something; raises `EmptyFile`."""
    pages = tuple(
        Page(number=number, label=label or str(number), text=text, unread=unread)
        for number, (label, text, unread) in enumerate(_cut(parts), start=1)
    )
    if not pages:
        raise no_text(path)
    return PartedText(title=sensible_title(title, shown(Path(path.stem))), media_type=media_type, pages=pages)


def content_of(path: Path) -> bytes:
    """All bytes of the file at `path`; raises `FileMissing`."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise missing(path, problem) from problem


def tidy(text: str) -> str:
    """The text without spaces at line ends and without heaps of blank lines; it ends with a newline if there is any."""
    text = _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text.replace("\r\n", "\n").replace("\r", "\n") + "\n"))
    return text.strip("\n") + "\n" if text.strip() else ""


def table_row(cells: Iterable[str]) -> str:
    """The cells of a row on one line, empty ones at its end left out; empty for an empty row."""
    flat = [" ".join(cell.split()) for cell in cells]
    while flat and not flat[-1]:
        flat.pop()
    return " | ".join(flat)


def _cut(parts: Iterable[Part]) -> Iterator[tuple[str, str, str]]:
    for part in parts:
        label = " ".join(part.label.split())
        label = label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1].rstrip() + "…"
        text = tidy(part.text)
        if part.page or (part.unread and not text):
            yield label, text, "" if text else part.unread
            continue
        for count, block in enumerate(split_blocks([text]), start=1):
            yield (f"{label} ({count})" if label and count > 1 else label), block, ""
