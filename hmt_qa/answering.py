"""From places found to an answer with citations: have it written from the evidence, point at the words used."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from hmt_qa.citing import Span, claims, locate, page_at
from hmt_qa.errors import TextNotKept
from hmt_qa.evidence import Evidence, choose, neighbours
from hmt_qa.following import together
from hmt_qa.ports import Askable
from hmt_qa.retrieval import Found
from hmt_qa.types import Answer, Citation, Mode, Place, StoredSegment, Timings, Turn
from hmt_qa.writers.contract import Passage, Request, Unanswerable, Writer
from hmt_qa.writers.joining import whole

NO_ANSWER = "The passages found do not answer this."
SAYS_IT = 0.5  # share of the answer's words a sentence must hold to be where the answer was taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How many of the places found are read, which documents the question spans, what must not be read.

    Of the places after the best one only those within `budget` tokens are read; None sets no bound of its own.
    """

    top: int
    spanned: Sequence[str] = ()
    without: Sequence[Place] = ()
    budget: int | None = None


class Answerer:
    """Has answers written by one writer over one library, and finds where they stand."""

    def __init__(self, library: Askable, writer: Writer) -> None:
        self._library = library
        self._writer = writer

    def stream(
        self,
        question: str,
        question_ids: Sequence[int],
        found: Found,
        *,
        choice: Choice,
        mode: Mode,
        begun: float,
        earlier: Turn | None = None,
    ) -> Iterator[str | Answer]:
        """Text pieces as they are written, then the whole `Answer`. `begun` is `perf_counter()` at arrival.

        `earlier` is the turn that a follow-up goes with.
        """
        evidence = self._evidence(found, choice)
        request = Request(
            question=question,
            question_ids=question_ids,
            passages=self._passages(evidence) if mode is Mode.EVIDENCE else [],
            prompt_1MD=found.prompt_1MD,
            mode=mode,
            earlier=earlier,
        )
        heard, answerable = _Heard(begun), True
        try:
            with closing(self._writer.write(request)) as pieces:
                confidence = yield from heard.listening(pieces)
        except Unanswerable as refusal:
            confidence, answerable = refusal.confidence, False
        text = heard.text.strip()
        if not answerable or not text:
            text, answerable = NO_ANSWER, False
            yield text
        asked = question if earlier is None else together(earlier.topic, question)
        now_ms = heard.milliseconds()
        yield Answer(
            text=text,
            answerable=answerable,
            citations=tuple(self._citations(text if answerable else "", asked, evidence)),
            timings_ms=Timings(
                resume=found.resume_ms, recall=found.recall_ms, first_token=heard.first_ms or now_ms, total=now_ms
            ),
            model=self._writer.name,
            mode=mode,
            confidence=confidence,
        )

    def _evidence(self, found: Found, choice: Choice) -> list[Evidence]:
        segments = self._library.segments([ranked.place for ranked in found.places])
        recalled = [Evidence(place, segment) for place, segment in zip(found.places, segments, strict=True)]
        shunned = self._library.segments(choice.without)
        return choose(recalled, top=choice.top, spanned=choice.spanned, without=shunned, budget=choice.budget)

    def _passages(self, evidence: Sequence[Evidence]) -> list[Passage]:
        """What can be read of it; raises `TextNotKept` where none has any text."""
        readable = [item for item in evidence if item.segment.token_ids]
        if evidence and not readable:
            raise TextNotKept(
                "The places found were imported without their text.",
                subject=evidence[0].segment.place.document,
                remedy="Ask with --mode memory, or import the document with its text.",
            )
        return [self._passage(item) for item in readable]

    def _passage(self, item: Evidence) -> Passage:
        segment = item.segment
        title = self._library.document(segment.place.document).title
        return Passage(title=title, page=segment.page_first, segment=segment, share=item.place.score)

    def _citations(self, answer: str, question: str, evidence: Sequence[Evidence]) -> Iterator[Citation]:
        """Where each sentence of the answer stands, in order, then the other places in their rank's order.

        A segment without its text is cited whole, with an empty quote.
        """
        cited: set[Place] = set()
        runs = neighbours(evidence)
        for claim in claims(answer):
            spans = [
                (run, self._span(answer[slice(*claim)], question, whole([i.segment for i in run]))) for run in runs
            ]
            run, span = max(spans, key=lambda pair: pair[1].share, default=(None, None))
            if run is not None and span is not None and span.share >= SAYS_IT:
                quoted = _quoted(run, span)
                cited.update(item.segment.place for item in quoted)
                start = run[0].segment.char_start
                yield self._citation(quoted, start + span.start, start + span.end, claim)
        for item in evidence:
            span, start = self._span(answer, question, item.segment), item.segment.char_start
            if item.segment.place not in cited and span.end > span.start:
                yield self._citation([item], start + span.start, start + span.end, (0, 0))

    @staticmethod
    def _span(answer: str, question: str, segment: StoredSegment) -> Span:
        if segment.token_ids:
            return locate(answer, question, segment)
        return Span(start=0, end=segment.char_end - segment.char_start, share=0.0)

    def _citation(self, quoted: Sequence[Evidence], start: int, end: int, claim: tuple[int, int]) -> Citation:
        """Characters [start, end) of the document that stand in `quoted`, segments that follow on each other."""
        first = quoted[0]
        text, offset = "".join(item.segment.text for item in quoted), first.segment.char_start
        document = self._library.document(first.segment.place.document)
        page, page_label = self._page(document.id, [item.segment for item in quoted], start)
        return Citation(
            document=document.id,
            title=document.title,
            page=page,
            page_label=page_label,
            char_start=start,
            char_end=end,
            quote=text[start - offset : end - offset],
            weight=first.place.weight,
            answer_start=claim[0],
            answer_end=claim[1],
            memory_rank=first.place.memory_rank,
            keyword_rank=first.place.keyword_rank,
            segment=first.segment.place.segment,
            segment_last=quoted[-1].segment.place.segment,
            boxes=tuple(self._library.quote_boxes(document.id, start, end)),
        )

    def _page(self, document: str, quoted: Sequence[StoredSegment], start: int) -> tuple[int, str]:
        """Number and label of the page where a quote begins, which of several only the pages tell."""
        if quoted[0].page_first == quoted[-1].page_last:
            return quoted[0].page_first, quoted[0].page_label
        page = page_at(self._library.pages(document), start)
        return page.number, page.label


def _quoted(run: Sequence[Evidence], span: Span) -> list[Evidence]:
    """Those of the run in which characters of the span stand; `span` counts from the run's beginning."""
    start, end = (run[0].segment.char_start + place for place in (span.start, span.end))
    return [item for item in run if item.segment.char_start < end and start < item.segment.char_end]


class _Heard:
    """What was written so far, and when it began to come."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self.text, self.first_ms = "", 0.0

    def milliseconds(self) -> float:
        return (perf_counter() - self._begun) * 1e3

    def listening(self, pieces: Generator[str, None, float | None]) -> Generator[str, None, float | None]:
        """Pass pieces on, and what the writer returns at the end."""
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                confidence: float | None = end.value
                return confidence
            self.first_ms = self.first_ms or self.milliseconds()
            self.text += piece
            yield piece
