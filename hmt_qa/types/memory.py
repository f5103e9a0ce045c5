"""What is stored of a model's memory, and where it points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One segment of one document: what recall and the keyword index point at."""

    document: str
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """A segment as the library gives it back; without tokens and text where it was imported without them.

    `page_label` is what is printed on the page where it begins.
    """

    place: Place
    char_start: int
    char_end: int
    page_first: int
    page_last: int
    token_ids: tuple[int, ...]
    text: str
    page_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMemory:
    """All memory embeddings of one document as raw bytes: `rows` is (segments, hidden) little-endian `dtype`.

    A segment's row holds its M embeddings one after another, so `hidden` is M times the model's hidden size.

    `state_id` is the head of the hash chain (hex), the key under which a loaded memory may be cached.
    """

    document: str
    model_id: str
    dtype: str
    hidden: int
    segments: int
    state_id: str
    rows: bytes = field(repr=False)


class MemoryState(NamedTuple):
    """Whose a document's memory is, in which state and how long, without its rows."""

    document: str
    model_id: str
    state_id: str
    segments: int


class StoredRow(NamedTuple):
    """The memory row of one place: raw little-endian numbers of `dtype`."""

    dtype: str
    row: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place with a score; higher is better, the scale depends on who ranked."""

    place: Place
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryShape:
    """What memories a model can ask: those it wrote itself. An imported one must fit.

    hidden: numbers of a segment's row. segment_length: most tokens of a segment. vocabulary: token ids end below it.
    """

    model_id: str
    hidden: int
    segment_length: int
    vocabulary: int
