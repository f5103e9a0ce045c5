"""What is asked, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hmt_qa.types.reading import PageSpan


class Mode(StrEnum):
    """How an answer is made: from the memory prompt alone, or with the recalled segments re-read word for word."""

    MEMORY = "memory"
    EVIDENCE = "evidence"


class Ranking(StrEnum):
    """Who ranks places."""

    MEMORY = "memory"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One ranked place. `weight` is the cross-attention weight over all segments asked (they sum to 1);
    ranks count from 1, 0 where that ranking did not return the place."""

    rank: int
    document: str
    title: str
    segment: int
    page_first: int
    page_last: int
    page_label: str
    char_start: int
    char_end: int
    score: float
    weight: float
    memory_rank: int
    keyword_rank: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteBox:
    """Where a word of a quote stands on its page, in points to a hundredth, as in `TextBox`.

    [char_start, char_end) are the word's characters in the document, as a citation counts them.
    """

    page: int
    char_start: int
    char_end: int
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where an answer stands: `quote` is exactly the document's text at [char_start, char_end).

    It is empty where a document was imported without its text. [answer_start, answer_end) are the characters of the
    answer that it supports: a sentence, or nothing (0, 0) for a place that was only looked at. Ranks are as in
    `SearchResult`. The quote begins in `segment` and ends in `segment_last`, which count from 0; turns kept by older
    versions have -1 there. `boxes` are the quote's words on their pages, in the order of the text, as they were stored
    when the file was read; there are none where its format has no geometry.
    """

    document: str
    title: str
    page: int
    page_label: str
    char_start: int
    char_end: int
    quote: str
    weight: float
    answer_start: int = 0
    answer_end: int = 0
    memory_rank: int = 0
    keyword_rank: int = 0
    segment: int = -1
    segment_last: int = -1
    boxes: tuple[QuoteBox, ...] = ()

    @property
    def supports(self) -> bool:
        """Whether the answer, or a sentence of it, stands here."""
        return self.answer_end > self.answer_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Milliseconds from the question's arrival; `first_token` and `total` include what came before them."""

    resume: float
    recall: float
    first_token: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered, from where, how fast, by which model.

    `confidence` is how likely it is right, 0 to 1; None where the reader cannot tell. `verified`, where it was asked
    for: whether the answer changes without the places that support it; None for no answer.
    """

    text: str
    answerable: bool
    citations: tuple[Citation, ...]
    timings_ms: Timings
    model: str
    mode: Mode
    confidence: float | None = None
    verified: bool | None = None


OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """Who writes answers from the evidence: "" the memory's own model, `hf:FOLDER` a local one, `openai:MODEL`.

    What follows is of endpoints: `context_tokens` bounds what is sent, `seconds` how long an answer may take.
    """

    reader: str = ""
    base_url: str = OPENAI_URL
    key: str = field(default="", repr=False)
    context_tokens: int = 8_192
    seconds: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWeight:
    """How much a question attends to a page: shares of all pages of the document, which sum to 1."""

    document: str
    page: int
    page_label: str
    weight: float


class Change(StrEnum):
    """What became of a page between two documents."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChange:
    """One page that is not the same in two documents; `old` or `new` is None where it has no counterpart.

    distance: 1 - cosine of what the memories hold of the two pages, 0 to 2, about 1 for pages that have nothing in
    common; for a page without a counterpart it is the distance to the nearest page of the other document.
    """

    rank: int
    change: Change
    old: PageSpan | None
    new: PageSpan | None
    distance: float
