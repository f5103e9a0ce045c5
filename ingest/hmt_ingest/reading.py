"""One owned ingestion carried through: what agrees with an earlier run is kept, the rest is read and committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.pages_seen import PagesSeen
from hmt_ingest.segmenting import PagedSegment, segment_pages
from hmt_qa.ports import Ingestion, MemoryReader, SourceText
from hmt_qa.types import Job, Page, Segment


@dataclass(slots=True, kw_only=True)
class Reading:
    """A file, the right to append to its memory, and the model that reads.

    `unread` says, after `remaining`, which pages show something that could not be read; empty for none.
    """

    path: Path
    text: SourceText
    ingestion: Ingestion
    engine: MemoryReader
    unread: str = ""

    def agreeing_segments(self) -> int:
        """How many committed segments can stay; later ones are dropped from the ingestion.

        They stay up to the first one that the file no longer begins with. A page is stored whole with the segment in
        which it begins, so where a page reaches into that first one, the segments since the page's beginning go too.
        """
        committed = self.ingestion.committed_state_ids
        if not committed:
            return 0
        state, agreeing, page_began = self.engine.first_state_id(), 0, 0
        begun: dict[int, int] = {}  # page number: the segment it begins in; only pages not yet passed
        for stored, paged in zip(committed, self._segments(PagesSeen(self.path)), strict=False):
            segment = paged.segment
            begun.update((page.number, segment.number) for page in paged.pages)
            state = self.engine.next_state_id(state, segment.token_ids)
            if state != stored:
                page_began = begun[segment.page_first]
                break
            agreeing += 1
            page_began = begun[segment.page_last]
            begun = {number: began for number, began in begun.items() if number >= segment.page_last}
        if agreeing == len(committed):
            return agreeing
        kept = self._whole_groups(min(agreeing, page_began))
        self.ingestion.truncate(kept)
        return kept

    def inherited_segments(self, committed: int) -> int:
        """How many segments can stay after those that also the memory to be replaced begins with have been taken over.

        Only whole groups of what the model reads together: the rest of a group decides about the last bits of its rows.
        """
        if not self.ingestion.replaces:
            return committed
        state, agreeing, pages = self.engine.first_state_id(), 0, 0
        whole = (0, 0)
        for paged in self._segments(PagesSeen(self.path)):
            state = self.engine.next_state_id(state, paged.segment.token_ids)
            if not self.ingestion.agrees(paged.segment, state_id=state, pages=paged.pages):
                break
            agreeing, pages = agreeing + 1, pages + len(paged.pages)
            if agreeing == self._whole_groups(agreeing):
                whole = agreeing, pages
        else:
            if agreeing == self.ingestion.replaces:  # the bytes differ, what they say does not
                whole = agreeing, pages
        if whole[0] > committed:
            self.ingestion.inherit(segments=whole[0], pages=whole[1])
        return len(self.ingestion.committed_state_ids)

    def _whole_groups(self, segments: int) -> int:
        return segments - segments % self.engine.read_together

    def remaining(self, committed: int) -> Iterator[Job]:
        """Read and commit every segment from number `committed` on, yielding the stored counters after each.

        Raises `NoTextFound` at the end of a document without one visible character, else what reader, model and
        library raise.
        """
        state = self.ingestion.committed_state_ids[committed - 1] if committed else self.engine.first_state_id()
        tail = self.ingestion.tail(self.engine.recall_window) if committed else b""
        seen = PagesSeen(self.path)
        pages_of: dict[int, tuple[Page, ...]] = {}
        segments = self._handing_over(seen, pages_of, committed)
        for segment, memory_row in self.engine.read(segments, committed=committed, tail=tail):
            state = self.engine.next_state_id(state, segment.token_ids)
            yield self.ingestion.commit(
                segment, memory_row=memory_row, state_id=state, pages=pages_of.pop(segment.number)
            )
        seen.require_text()
        self.unread = seen.report()

    def _handing_over(
        self, seen: PagesSeen, pages_of: dict[int, tuple[Page, ...]], committed: int
    ) -> Iterator[Segment]:
        """The segments for the engine; pages wait in `pages_of` until their segment comes back with its memory."""
        for paged in self._segments(seen):
            if paged.segment.number >= committed:
                pages_of[paged.segment.number] = paged.pages
            yield paged.segment

    def _segments(self, seen: PagesSeen) -> Iterator[PagedSegment]:
        pages = self._until_cancelled(seen.passing(self.text))
        return segment_pages(pages, encode=self.engine.encode, length=self.engine.segment_length)

    def _until_cancelled(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Between two commits may lie many pages: those that are only compared, and those without text."""
        for page in pages:
            self.ingestion.raise_if_cancelled()
            yield page
