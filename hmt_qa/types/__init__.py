"""The nouns of the domain; knows no tensors, no files and no SQL.

Positions: characters count Unicode code points of the document's text, which is the texts of its pages joined
without a separator; spans are half open, [start, end). Pages count from 1, segments from 0. Boxes are PDF points
(1/72 inch) with the origin at the lower left of the page as shown.
"""

from __future__ import annotations

from hmt_qa.types.answers import (
    OPENAI_URL,
    Answer,
    Change,
    Citation,
    Mode,
    PageChange,
    PageWeight,
    QuoteBox,
    Ranking,
    ReaderOptions,
    SearchResult,
    Timings,
)
from hmt_qa.types.care import Collected, Finding, Imported, Verdict
from hmt_qa.types.conversations import Conversation, Turn, TurnSegment
from hmt_qa.types.documents import RESUMABLE, Document, Job, JobState, KnownFile
from hmt_qa.types.ingestion import ClusterOptions, IngestOptions, IngestResult, IngestStatus, Share, Sync
from hmt_qa.types.memory import Hit, MemoryShape, MemoryState, Place, StoredMemory, StoredRow, StoredSegment
from hmt_qa.types.reading import EncodedText, Page, PageSpan, ParsingLimits, Segment, SourceFile, TextBox
from hmt_qa.types.users import Key, KeyKind, User

__all__ = [
    "OPENAI_URL",
    "RESUMABLE",
    "Answer",
    "Change",
    "Citation",
    "ClusterOptions",
    "Collected",
    "Conversation",
    "Document",
    "EncodedText",
    "Finding",
    "Hit",
    "Imported",
    "IngestOptions",
    "IngestResult",
    "IngestStatus",
    "Job",
    "JobState",
    "Key",
    "KeyKind",
    "KnownFile",
    "MemoryShape",
    "MemoryState",
    "Mode",
    "Page",
    "PageChange",
    "PageSpan",
    "PageWeight",
    "ParsingLimits",
    "Place",
    "QuoteBox",
    "Ranking",
    "ReaderOptions",
    "SearchResult",
    "Segment",
    "Share",
    "SourceFile",
    "StoredMemory",
    "StoredRow",
    "StoredSegment",
    "Sync",
    "TextBox",
    "Timings",
    "Turn",
    "TurnSegment",
    "User",
    "Verdict",
]
