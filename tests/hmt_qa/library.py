"""Documents to ingest, and a library that counts how often a memory was read from it."""

from __future__ import annotations

from pathlib import Path

from hmt_ingest.pipeline import FileIngestor
from hmt_qa.app import DocumentQA
from hmt_qa.engine import LocalEngine
from hmt_qa.types import ReaderOptions, StoredMemory
from hmt_qa.writers.contract import Writer
from hmt_storage.library import SqlLibrary

FACTS = (
    "The keeper of the lighthouse at Skerry Point was named Agnes Farrow. She lit the lamp at dusk for forty years.",
    "The ferry Corisande carries wool to Lerwick each Tuesday. Its captain, Tobias Wren, was born in Bergen.",
    "The library on Market Street opened in 1904. Its reading room holds nine thousand books about the sea.",
)
FILLER = (
    "In the morning the wind came from the west and the harbour was quiet. Boats lay at the quay with their sails "
    "folded, and the people of the town walked along the wall to look at the grey water. Nobody was in a hurry. "
)


class CountingLibrary(SqlLibrary):
    """Remembers whose memory was read."""

    memories_read: list[str]

    def memory(self, document_id: str) -> StoredMemory:
        self.memories_read = [*getattr(self, "memories_read", []), document_id]
        return super().memory(document_id)


def open_qa(home: Path, engine: LocalEngine, *, reader: ReaderOptions | Writer = ReaderOptions()) -> DocumentQA:  # noqa: B008
    """The facade over a counting library, with an engine that is loaded already."""
    return DocumentQA(library=CountingLibrary.open(home), engine=engine, ingestor=FileIngestor(), reader=reader)


def three_pages(path: Path, *, filler: int = 4) -> Path:
    """A text file of three pages, a fact in the middle of each."""
    path.write_text("\f".join(f"{FILLER * filler}\n\n{fact}\n\n{FILLER * filler}\n" for fact in FACTS))
    return path
