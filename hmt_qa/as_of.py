"""A library as it would be if every document ended with a certain page: time travel along the chain of memories.

The memory after each segment is stored, so what a document was at a page is there already, up to the last segment
that ends on it. The segment that goes on beyond is read again, from the state before it, up to the page's last token.
That is what ingesting the shorter document would have read; only the shape of one representation pass differs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hmt_qa.engine import LocalEngine
from hmt_qa.keywords import terms
from hmt_qa.ports import Library
from hmt_qa.reading.groups import SUMMARY_BATCH
from hmt_qa.types import (
    Document,
    Hit,
    MemoryState,
    PageSpan,
    Place,
    QuoteBox,
    Segment,
    StoredMemory,
    StoredRow,
    StoredSegment,
)

_STEM = 4  # letters of a word that its forms have in common


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where a document ends: after `whole` segments, and `part` of the next one where there is one."""

    whole: int
    part: StoredSegment | None

    @property
    def segments(self) -> int:
        return self.whole + (self.part is not None)


class AsOfPage:
    """Implements `hmt_qa.ports.Askable` over `library`, up to `page` (from 1) of every document. For one question."""

    def __init__(self, library: Library, engine: LocalEngine, page: int) -> None:
        self._library = library
        self._engine = engine
        self._page = page
        self._cuts: dict[str, _Cut] = {}

    def length(self, document_id: str) -> int:
        """How many segments the document has then."""
        return self._cut(document_id).segments

    def document(self, document_id: str) -> Document:
        """The document as it is listed today."""
        return self._library.document(document_id)

    def titles(self, documents: Sequence[str]) -> Mapping[str, str]:
        """Their titles of today."""
        return self._library.titles(documents)

    def pages(self, document_id: str) -> Sequence[PageSpan]:
        """Its pages until then."""
        return [page for page in self._library.pages(document_id) if page.number <= self._page]

    def segments(self, places: Sequence[Place]) -> Sequence[StoredSegment]:
        """The segments at `places`, the last one as far as the page goes."""
        cut = {place.document: self._cut(place.document) for place in places}
        return [
            part if (part := cut[stored.place.document].part) and part.place == stored.place else stored
            for stored in self._library.segments(places)
        ]

    def quote_boxes(self, document_id: str, char_start: int, char_end: int) -> Sequence[QuoteBox]:
        """As today: what is quoted ends on the page at the latest."""
        return self._library.quote_boxes(document_id, char_start, char_end)

    def memory_states(self, documents: Sequence[str]) -> Sequence[MemoryState]:
        """Whose and how long each memory was; the state's name is then its own, as no other state has it."""
        return [
            state._replace(state_id=f"{state.state_id} as of page {self._page}", segments=self.length(state.document))
            for state in self._library.memory_states(documents)
        ]

    def nearest(self, query: bytes, *, parts: int, documents: Sequence[str], top: int) -> Sequence[Place]:
        """Those of today's proposals that were there then."""
        found = self._library.nearest(query, parts=parts, documents=documents, top=top)
        return [place for place in found if place.segment < self.length(place.document)]

    def memory_rows(self, places: Sequence[Place]) -> Sequence[StoredRow]:
        """The memory rows at `places`."""
        memories = {place.document: self.memory(place.document) for place in places}
        return [_row(memories[place.document], place.segment) for place in places]

    def memory(self, document_id: str) -> StoredMemory:
        """All memory rows until then; reads the last segment where the page ends inside it."""
        cut = self._cut(document_id)
        stored = self._library.memory(document_id)
        rows_NMD = self._engine.bank(stored)[: cut.whole]
        rows = self._engine.raw(rows_NMD)
        if cut.part is not None:
            tail = self._engine.raw(rows_NMD[-self._engine.recall_window :])
            for _, row in self._engine.read(self._last(cut.whole, cut.part), committed=cut.whole, tail=tail):
                rows += row
        (state,) = self.memory_states([document_id])
        return replace(stored, dtype=self._engine.dtype, segments=cut.segments, state_id=state.state_id, rows=rows)

    def keyword_search(self, query: str, *, documents: Sequence[str], top: int) -> Sequence[Hit]:
        """Places by BM25 as today, without those that come later.

        The last segment counts with the score of all its words, if one of the query's is on its pages until then.
        """
        everywhere = sum(self._library.document(document).segments for document in documents)
        hits = self._library.keyword_search(query, documents=documents, top=everywhere)
        return [hit for hit in hits if self._is_there(hit.place, terms(query))][:top]

    def _is_there(self, place: Place, wanted: Sequence[str]) -> bool:
        cut = self._cut(place.document)
        if cut.part is None or place.segment != cut.whole:
            return place.segment < cut.whole
        text = cut.part.text.casefold()
        return any(term[:_STEM] in text for term in wanted)

    def _cut(self, document_id: str) -> _Cut:
        if document_id not in self._cuts:
            self._cuts[document_id] = self._find_cut(document_id)
        return self._cuts[document_id]

    def _find_cut(self, document_id: str) -> _Cut:
        count = self._library.document(document_id).segments
        pages = self.pages(document_id)
        end = pages[-1].char_end if pages else 0

        def segment(number: int) -> StoredSegment:
            (found,) = self._library.segments([Place(document=document_id, segment=number)])
            return found

        whole = bisect_right(range(count), end, key=lambda number: segment(number).char_end)
        if whole == count or (next_one := segment(whole)).char_start >= end:
            return _Cut(whole, None)
        tokens = len(next_one.token_ids) - self._tokens_after(next_one)
        if tokens <= 0:  # nothing but white space, or a document without its text
            return _Cut(whole, None)
        part = replace(
            next_one,
            char_end=end,
            page_last=pages[-1].number,
            token_ids=next_one.token_ids[:tokens],
            text=next_one.text[: end - next_one.char_start],
        )
        return _Cut(whole, part)

    def _tokens_after(self, segment: StoredSegment) -> int:
        """How many tokens of a segment stand on later pages: each page was encoded by itself, and is again."""
        document, count = segment.place.document, 0
        for page in self._library.pages(document):
            if page.number > self._page and page.char_start < segment.char_end:
                spans = self._engine.encode(self._library.text(document, page.char_start, page.char_end)).spans
                count += sum(page.char_start + end <= segment.char_end for _, end in spans)
        return count

    def _last(self, whole: int, part: StoredSegment) -> list[Segment]:
        """`part` and the segments before it that its passes depend on, from a border of their groups on."""
        first = max(whole - 1, 0) // SUMMARY_BATCH * SUMMARY_BATCH
        places = [Place(document=part.place.document, segment=number) for number in range(first, whole)]
        return [_as_read(stored) for stored in [*self._library.segments(places), part]]


def _as_read(stored: StoredSegment) -> Segment:
    return Segment(
        number=stored.place.segment,
        token_ids=stored.token_ids,
        char_start=stored.char_start,
        char_end=stored.char_end,
        page_first=stored.page_first,
        page_last=stored.page_last,
        text=stored.text,
    )


def _row(memory: StoredMemory, segment: int) -> StoredRow:
    size = len(memory.rows) // memory.segments
    return StoredRow(memory.dtype, memory.rows[segment * size : (segment + 1) * size])
