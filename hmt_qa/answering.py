"""From ranked places to an answer with citations: have it written from the evidence, point at the words used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from hmt_qa.citing import Span, locate, page_at
from hmt_qa.errors import TextNotKept
from hmt_qa.following import together
from hmt_qa.ports import Askable
from hmt_qa.retrieval import Found, RankedPlace
from hmt_qa.types import Answer, Citation, Mode, StoredSegment, Timings, Turn
from hmt_qa.writers.contract import Passage, Request, Unanswerable, Writer

NO_ANSWER = "The passages found do not answer this."
SAYS_IT = 0.5  # share of the answer's words a sentence must hold to be where the answer was taken from


@dataclass(frozen=True, slots=True)
class Evidence:
    """A recalled segment with its rank's figures."""

    place: RankedPlace
    segment: StoredSegment


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
        mode: Mode,
        begun: float,
        earlier: Turn | None = None,
    ) -> Iterator[str | Answer]:
        """Text pieces as they are written, then the whole `Answer`. `begun` is `perf_counter()` at arrival.

        `earlier` is the turn that a follow-up goes with.
        """
        evidence = self._evidence(found.places)
        request = Request(
            question=question,
            question_ids=question_ids,
            passages=[self._passage(item.segment) for item in self._readable(evidence)]
            if mode is Mode.EVIDENCE
            else [],
            prompt_1MD=found.prompt_1MD,
            mode=mode,
            earlier=earlier,
        )
        text, answerable, first_ms = "", True, 0.0
        try:
            with closing(self._writer.write(request)) as pieces:
                for piece in pieces:
                    first_ms = first_ms or (perf_counter() - begun) * 1e3
                    text += piece
                    yield piece
        except Unanswerable:
            answerable = False
        if not answerable or not text.strip():
            text, answerable = NO_ANSWER, False
            yield text
        asked = question if earlier is None else together(earlier.topic, question)
        now_ms = (perf_counter() - begun) * 1e3
        yield Answer(
            text=text.strip(),
            answerable=answerable,
            citations=self._citations(text if answerable else "", asked, evidence),
            timings_ms=Timings(
                resume=found.resume_ms, recall=found.recall_ms, first_token=first_ms or now_ms, total=now_ms
            ),
            model=self._writer.name,
            mode=mode,
        )

    def _passage(self, segment: StoredSegment) -> Passage:
        title = self._library.document(segment.place.document).title
        return Passage(title=title, page=segment.page_first, segment=segment)

    def _evidence(self, places: Sequence[RankedPlace]) -> list[Evidence]:
        segments = self._library.segments([ranked.place for ranked in places])
        return [Evidence(place, segment) for place, segment in zip(places, segments, strict=True)]

    @staticmethod
    def _readable(evidence: Sequence[Evidence]) -> list[Evidence]:
        """Those with text; raises `TextNotKept` where none has any."""
        readable = [item for item in evidence if item.segment.token_ids]
        if evidence and not readable:
            raise TextNotKept(
                "The places found were imported without their text.",
                subject=evidence[0].segment.place.document,
                remedy="Ask with --mode memory, or import the document with its text.",
            )
        return readable

    def _citations(self, answer: str, question: str, evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
        """The sentence that says the answer first, then the other places in their rank's order.

        A segment without its text is cited whole, with an empty quote.
        """
        spans = [(item, self._span(answer, question, item.segment)) for item in evidence]
        saying = max(spans, key=lambda pair: pair[1].share, default=None)
        if answer and saying is not None and saying[1].share >= SAYS_IT:
            spans.sort(key=lambda pair: pair is not saying)
        return tuple(self._citation(item, span) for item, span in spans if span.end > span.start)

    @staticmethod
    def _span(answer: str, question: str, segment: StoredSegment) -> Span:
        if segment.token_ids:
            return locate(answer, question, segment)
        return Span(start=0, end=segment.char_end - segment.char_start, share=0.0)

    def _citation(self, item: Evidence, span: Span) -> Citation:
        segment = item.segment
        document = self._library.document(segment.place.document)
        start = segment.char_start + span.start
        page = page_at(self._library.pages(document.id), start)
        return Citation(
            document=document.id,
            title=document.title,
            page=page.number,
            page_label=page.label,
            char_start=start,
            char_end=segment.char_start + span.end,
            quote=segment.text[span.start : span.end],
            weight=item.place.weight,
        )
