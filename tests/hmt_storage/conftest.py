"""A library in a real file, and documents to put into it."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from hmt_qa.chain import first_state_id, next_state_id
from hmt_qa.types import Document, MemoryShape, Page, Segment, SourceFile
from hmt_storage.ingestion import SqlIngestion
from hmt_storage.library import SqlLibrary

HIDDEN = 4
MODEL = "model-1"
SHAPE = MemoryShape(model_id=MODEL, hidden=HIDDEN, segment_length=200, vocabulary=0x110000)


@dataclass(frozen=True)
class Sample:
    """A file to ingest: its pages, cut into segments of `length` characters (one token each)."""

    pages: tuple[Page, ...]
    length: int
    path: str
    collection: str
    reader: str

    @property
    def text(self) -> str:
        return "".join(page.text for page in self.pages)

    @property
    def source(self) -> SourceFile:
        digest = hashlib.sha256(repr([page.text for page in self.pages]).encode()).hexdigest()
        return SourceFile(path=self.path, collection=self.collection, sha256=digest, size_bytes=len(self.text))

    @property
    def segments(self) -> list[Segment]:
        cuts = [*range(0, len(self.text), self.length), len(self.text)]
        return [self._segment(number, *span) for number, span in enumerate(itertools.pairwise(cuts))]

    def _segment(self, number: int, start: int, end: int) -> Segment:
        text = self.text[start:end]
        return Segment(
            number=number,
            token_ids=tuple(map(ord, text)),
            char_start=start,
            char_end=end,
            page_first=1,
            page_last=len(self.pages),
            text=text,
        )

    def pages_of(self, segment: Segment) -> list[Page]:
        """Those that begin in it; the last segment also takes empty pages at the very end."""
        starts = itertools.accumulate((len(page.text) for page in self.pages), initial=0)
        stop = segment.char_end + (segment.char_end == len(self.text))
        return [page for page, start in zip(self.pages, starts, strict=False) if segment.char_start <= start < stop]

    @staticmethod
    def row(segment: Segment) -> bytes:
        """Numbers below 16 that a float32 holds exactly, other ones for other text."""
        digest = hashlib.sha256(repr(segment.text).encode()).digest()
        values = (int.from_bytes(digest[3 * place : 3 * place + 3], "little") / 2**20 for place in range(HIDDEN))
        return struct.pack(f"<{HIDDEN}f", *values)

    def state_id(self, segment: Segment) -> str:
        """The chain's id after this segment of this sample."""
        return chain_of(self)[segment.number]

    def begin(self, library: SqlLibrary, **changes: object) -> SqlIngestion:
        arguments = {
            "reader": self.reader,
            "title": Path(self.path).name,
            "media_type": "text/plain",
            "pages_total": len(self.pages),
            "model_id": MODEL,
            "setting": "cpu",
            "dtype": "float32",
            "hidden": HIDDEN,
        }
        return library.begin(self.source, **(arguments | changes))

    def commit(self, ingestion: SqlIngestion, segments: Sequence[Segment]) -> None:
        for segment in segments:
            ingestion.commit(
                segment, memory_row=self.row(segment), state_id=self.state_id(segment), pages=self.pages_of(segment)
            )

    def ingest(self, library: SqlLibrary) -> Document:
        ingestion = self.begin(library)
        self.commit(ingestion, self.segments[len(ingestion.committed_state_ids) :])
        return ingestion.finish()


@cache
def chain_of(sample: Sample) -> list[str]:
    ids = (segment.token_ids for segment in sample.segments)
    chained = itertools.accumulate(
        ids, lambda state, tokens: next_state_id(state, tokens, MODEL), initial=first_state_id(MODEL)
    )
    return list(chained)[1:]


def make_sample(
    *texts: str, length: int = 12, path: str = "/files/whale.txt", collection: str = "default", reader: str = "text"
) -> Sample:
    pages = tuple(Page(number=number, label=f"p{number}", text=text) for number, text in enumerate(texts, 1))
    return Sample(pages=pages, length=length, path=path, collection=collection, reader=reader)


@pytest.fixture(scope="session")
def sample() -> Callable[..., Sample]:
    return make_sample


@pytest.fixture
def library(tmp_path: Path, database_url: str | None) -> Iterator[SqlLibrary]:
    """An empty one, on each kind of database in turn."""
    opened = SqlLibrary.open(tmp_path, url=database_url)
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path, database_url: str | None, library: SqlLibrary) -> Iterator[SqlLibrary]:
    """The same library as another process has it open."""
    opened = SqlLibrary.open(tmp_path, url=database_url)
    yield opened
    opened.close()


@pytest.fixture
def sql(library: SqlLibrary) -> Callable[[str], list[tuple[object, ...]]]:
    """Executes a statement past the library; returns its rows, if it has any."""

    def execute(statement: str) -> list[tuple[object, ...]]:
        with library._database.write() as connection:
            done = connection.exec_driver_sql(statement)
            return [tuple(row) for row in done] if done.returns_rows else []

    return execute


@pytest.fixture
def rows_in(sql: Callable[[str], list[tuple[object, ...]]]) -> Callable[[str], object]:
    """How many rows a table of `library` has."""
    return lambda table: sql(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - a constant of the test


@pytest.fixture(scope="session")
def shape() -> MemoryShape:
    return SHAPE


@pytest.fixture
def whale() -> Sample:
    return make_sample("Call me Ishmael.\n", "", "Some years ago, never mind how long.\n", "The end.\n")
