"""What a file is before anyone has read it, and what its text is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """Where a run of characters (a word) stands on its page; offsets count from the start of the page's text."""

    char_start: int
    char_end: int
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page as a reader yields it. `text` ends with a newline unless it is empty; `number` counts from 1.

    `label` is what is printed on the page, or the line range where a file has lines and no pages.
    `width` and `height` are in points, 0 where the format has no geometry. `borders` are places in `text`, ascending,
    where a segment should rather begin: functions and classes. `unread` says what the page shows that is not in `text`
    ("a picture"); it is empty where nothing is missing.
    """

    number: int
    label: str
    text: str
    width: float = 0.0
    height: float = 0.0
    boxes: Sequence[TextBox] = ()
    borders: Sequence[int] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSpan:
    """Which characters of the document's text one page covers."""

    number: int
    label: str
    char_start: int
    char_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """At most L tokens of a document, exactly placed. Segments partition its text: no gap, no overlap."""

    number: int
    token_ids: tuple[int, ...]
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One input as the tree walk found it; `path` is what the user will see again, `sha256` of its bytes in hex.

    `stamp` holds the file's cheap signs (size, times) at that moment; empty where they prove nothing.
    """

    path: str
    collection: str
    sha256: str
    size_bytes: int
    stamp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsingLimits:
    """What parsing a document may take: it is given up beyond that, and the rest of a batch goes on.

    Opening it and each of its pages may take `page_seconds` of processor time and twice that of waiting, the whole
    document `total_seconds` of processor time. `memory_mb` is address space.
    """

    memory_mb: int = 1024
    page_seconds: int = 60
    total_seconds: int = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedText:
    """Token ids of a text with the half-open character span of each; a character cut over two tokens is in both."""

    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]
