"""The Protocols that the outer folders implement; the core calls these and never names a concrete class."""

from __future__ import annotations

from hmt_qa.ports.ingesting import DivisibleIngestor, Ingestor, ProgressObserver
from hmt_qa.ports.libraries import Askable, Ingestion, Library
from hmt_qa.ports.people import Chats, Users
from hmt_qa.ports.reading import MemoryReader, Reader, SourceText

__all__ = [
    "Askable",
    "Chats",
    "DivisibleIngestor",
    "Ingestion",
    "Ingestor",
    "Library",
    "MemoryReader",
    "ProgressObserver",
    "Reader",
    "SourceText",
    "Users",
]
