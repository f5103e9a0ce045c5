"""What the REST interface says, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from hmt_qa import types
from hmt_qa.types import JobState, Mode, Ranking
from hmt_ui.placing import shown_name

MOST_PLACES = 12
_LISTED = 1_000

DocumentId = Annotated[str, Field(examples=["0f3c7a91b2de"], description="twelve hexadecimal digits")]
Text = Annotated[str, Field(min_length=1)]


class Document(BaseModel):
    """A document that can be asked."""

    id: DocumentId
    collection: str = Field(examples=["default"])
    file: str = Field(examples=["5be1f0c2a7d49e83/report.pdf"], description="as an upload was answered; else its name")
    title: str = Field(examples=["Annual report 2023"])
    media_type: str = Field(examples=["application/pdf"])
    sha256: str
    size_bytes: int
    pages: int = Field(examples=[120])
    segments: int = Field(examples=[410])
    tokens: int = Field(examples=[98_431])
    characters: int
    model_id: str
    added_at: datetime

    @classmethod
    def of(cls, document: types.Document, uploads: Path) -> Self:
        """As a visitor may see it: without the folders of this machine."""
        fields = asdict(document)
        path = fields.pop("path")
        return cls(**fields, file=shown_name(path, uploads))


class Documents(BaseModel):
    """The library's list, oldest first."""

    documents: Sequence[Document]


class Title(BaseModel):
    """A new title."""

    title: str = Field(min_length=1, max_length=300, examples=["Annual report 2023"])


class File(BaseModel):
    """A file as lists name it."""

    file: str = Field(min_length=1, max_length=300, examples=["5be1f0c2a7d49e83/report.pdf"])


class Uploaded(BaseModel):
    """A file was taken; it is being read, or known already."""

    file: str = Field(examples=["5be1f0c2a7d49e83/report.pdf"], description="its name in lists of jobs and documents")
    collection: str = Field(examples=["default"])
    known: bool = Field(description="the library has it already, unchanged; nothing is read")


class PageText(BaseModel):
    """One page's words."""

    document: DocumentId
    page: int = Field(examples=[5])
    page_label: str = Field(examples=["iv"])
    char_start: int
    char_end: int
    text: str


class Job(BaseModel):
    """One ingestion. `fraction` never falls, and is 1 only when the document can be asked."""

    id: int = Field(examples=[7])
    file: str = Field(examples=["5be1f0c2a7d49e83/report.pdf"])
    collection: str = Field(examples=["default"])
    state: JobState
    fraction: float = Field(examples=[0.42])
    pages_done: int
    pages_total: int
    segments_done: int
    tokens_done: int
    tokens_per_second: float
    started_at: datetime
    updated_at: datetime
    error: str
    document: str = Field(examples=["0f3c7a91b2de"], description="its id once it is done; empty before")
    cancel_requested: bool
    resumable: bool

    @classmethod
    def of(cls, job: types.Job, uploads: Path) -> Self:
        """As a visitor may see it."""
        name = shown_name(job.path, uploads)
        fields = {name: getattr(job, name) for name in cls.model_fields if hasattr(job, name)}
        return cls(
            **fields | {"fraction": round(job.fraction, 4), "error": job.error.replace(job.path, name)},
            file=name,
            resumable=job.is_resumable,
        )


class Jobs(BaseModel):
    """Ingestions, newest first, what waits for its turn, and what was given up without a job."""

    jobs: Sequence[Job]
    waiting: Sequence[str] = Field(examples=[["5be1f0c2a7d49e83/report.pdf"]])
    failures: dict[str, str] = Field(examples=[{}], description="file to reason")


class Question(BaseModel):
    """What is asked, of what, and how. Without documents, all of the collection or of the library is asked."""

    model_config = ConfigDict(extra="forbid")

    question: Text = Field(examples=["What was the revenue in 2023?"])
    collection: str | None = Field(default=None, examples=[None])
    documents: Sequence[DocumentId] = Field(default=(), max_length=_LISTED, examples=[[]])
    mode: Mode = Field(default=Mode.EVIDENCE, description="evidence re-reads the places; memory uses the memory alone")
    top: int = Field(default=4, ge=1, le=MOST_PLACES, description="how many places to recall")
    as_of_page: int | None = Field(default=None, ge=1, le=2**31, description="as if each document ended with this page")

    def options(self) -> dict[str, Any]:
        """As `DocumentQA.stream` takes them."""
        return self.model_dump(exclude={"question"})


class Search(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    question: Text = Field(examples=["revenue 2023"])
    collection: str | None = Field(default=None, examples=[None])
    documents: Sequence[DocumentId] = Field(default=(), max_length=_LISTED, examples=[[]])
    top: int = Field(default=10, ge=1, le=100)
    using: Ranking = Ranking.HYBRID

    def options(self) -> dict[str, Any]:
        """As `DocumentQA.search` takes them."""
        return self.model_dump(exclude={"question"})


class QuoteBox(BaseModel):
    """A word of a quote on its page, in points (1/72 inch) from the lower left of the page as shown."""

    model_config = ConfigDict(from_attributes=True)

    page: int = Field(examples=[5])
    char_start: int = Field(description="of the document")
    char_end: int
    left: float = Field(examples=[72.0])
    bottom: float = Field(examples=[700.2])
    right: float = Field(examples=[109.34])
    top: float = Field(examples=[711.9])


class Citation(BaseModel):
    """Where an answer stands; `quote` is the document's own text at [char_start, char_end)."""

    model_config = ConfigDict(from_attributes=True)

    document: DocumentId
    title: str
    page: int = Field(examples=[5], description="position in the file, from 1")
    page_label: str = Field(examples=["iv"], description="what is printed on the page")
    char_start: int
    char_end: int
    quote: str = Field(examples=["Revenue rose to 4.2 million in 2023."])
    weight: float
    answer_start: int = Field(description="first character of the answer that stands here")
    answer_end: int = Field(description="after the last one; equal to answer_start for a place only looked at")
    memory_rank: int
    keyword_rank: int
    segment: int
    boxes: Sequence[QuoteBox] = Field(description="the quote's words on their pages; empty where the format has none")


class Timings(BaseModel):
    """Milliseconds since the model began with the question."""

    model_config = ConfigDict(from_attributes=True)

    resume: float
    recall: float
    first_token: float
    total: float


class Answer(BaseModel):
    """What was answered, from where, how fast, by which model."""

    answer: str = Field(examples=["4.2 million"])
    answerable: bool
    citations: Sequence[Citation]
    timings_ms: Timings
    model: str
    mode: Mode
    confidence: float | None = Field(default=None, description="how likely it is right, where the reader can tell")
    verified: bool | None = Field(default=None, description="whether it changes without its places, if that was asked")

    @classmethod
    def of(cls, answer: types.Answer) -> Self:
        """The contract's fields."""
        return cls(
            answer=answer.text,
            answerable=answer.answerable,
            citations=[Citation.model_validate(citation) for citation in answer.citations],
            timings_ms=Timings.model_validate(answer.timings_ms),
            model=answer.model,
            mode=answer.mode,
            confidence=answer.confidence,
            verified=answer.verified,
        )


class Place(BaseModel):
    """One ranked place."""

    model_config = ConfigDict(from_attributes=True)

    rank: int
    document: DocumentId
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


class Places(BaseModel):
    """Ranked places, best first."""

    results: Sequence[Place]


class PageHeat(BaseModel):
    """How much a question attends to one page; all pages of a document sum to 1."""

    model_config = ConfigDict(from_attributes=True)

    page: int
    page_label: str
    weight: float


class Heat(BaseModel):
    """The pages of one document in order."""

    document: DocumentId
    pages: Sequence[PageHeat]


class Health(BaseModel):
    """Whether questions can be asked."""

    status: str = Field(examples=["ok"])
    model: str = Field(examples=["hmt-small"])
    ready: bool = Field(description="the model is loaded; before, a question waits for it")
