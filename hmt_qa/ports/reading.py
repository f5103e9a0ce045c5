"""What turns files into text, and text into memories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from hmt_qa.lanes import Lanes
from hmt_qa.types import (
    EncodedText,
    Page,
    Segment,
)


class SourceText(Protocol):
    """An opened file: iterating yields its pages in order, one at a time, so the whole text is never held."""

    title: str
    media_type: str
    page_count: int

    def __iter__(self) -> Iterator[Page]:
        """Pages in order, numbered from 1. Raises `FileProblem` where the bytes cannot be read."""
        ...


class Reader(Protocol):
    """Reads one kind of file. Entry point group `hmt_qa.readers`; constructed without arguments."""

    name: str
    suffixes: frozenset[str]

    def open(self, path: Path, *, password: str | None = None) -> AbstractContextManager[SourceText]:
        """Open `path`; raises `EncryptedFile`, `CorruptFile`, `EmptyFile` or `UnsupportedFile`."""
        ...


class MemoryReader(Protocol):
    """The model as ingestion sees it: segments in, memory rows out."""

    @property
    def model_id(self) -> str:
        """Name and hash of the model: memories are bound to it."""
        ...

    @property
    def segment_length(self) -> int:
        """Tokens a segment."""
        ...

    @property
    def hidden(self) -> int:
        """Numbers in a segment's memory row: M embeddings of D, one after another."""
        ...

    @property
    def dtype(self) -> str:
        """Name of the memory rows' number format: `float32` or `bfloat16`."""
        ...

    @property
    def setting(self) -> str:
        """Device, dtype, attention and shapes in one line; equal settings give bit-equal memories."""
        ...

    def encode(self, text: str) -> EncodedText:
        """Tokens of `text`; special-token spellings in it are ordinary text."""
        ...

    def first_state_id(self) -> str:
        """The chain's id before any segment (hex)."""
        ...

    def next_state_id(self, state_id: str, token_ids: Sequence[int]) -> str:
        """The chain's id after reading `token_ids` in `state_id` (hex)."""
        ...

    def read(self, segments: Iterable[Segment], *, committed: int, tail: bytes) -> Iterator[tuple[Segment, bytes]]:
        """Read a document on from segment number `committed`.

        `segments` yields every segment from number 0; those before `committed` only fill the fixed shapes.
        `tail` holds the last min(committed, `recall_window`) memory rows. Yields each new segment with its row's bytes.
        """
        ...

    @property
    def read_together(self) -> int:
        """Segments that go through the model in one pass, in groups from number 0: a row's bits depend on its group."""
        ...

    @property
    def recall_window(self) -> int:
        """How many of the newest memories ingestion attends to (N)."""
        ...

    def together(self, documents: int, *, workers: int | None = None) -> AbstractContextManager[Lanes]:
        """Make room to read up to `documents` side by side, each by a thread of its own; `workers` bounds the threads.

        `setting` is then another where that decides about bits, the same for the same arguments.
        """
        ...
