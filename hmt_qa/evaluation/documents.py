"""Long documents cut into segments as ingestion cuts them, and where each context and each evidence stands in them.

A context is a page: encoded by itself, ending with a newline. `tests/hmt_qa/evaluation` compares with the real cutter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hmt_qa.evaluation.corpora import Context
from hmt_qa.types import EncodedText, Page, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class LongDocument:
    """Segments in order, and the first character of each context (by id) in the document's text."""

    name: str
    segments: tuple[Segment, ...]
    starts: Mapping[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens of all segments."""
        return sum(len(segment.token_ids) for segment in self.segments)

    def holding(self, start: int, end: int) -> tuple[int, ...]:
        """Numbers of the segments that hold characters of [start, end)."""
        return tuple(s.number for s in self.segments if s.char_start < end and s.char_end > start)

    def on_pages(self, pages: frozenset[int]) -> tuple[int, ...]:
        """Numbers of the segments that touch one of these pages."""
        return tuple(s.number for s in self.segments if pages & set(range(s.page_first, s.page_last + 1)))


def page_of(context: Context, number: int) -> Page:
    """A context as a reader would yield it."""
    text = context.text if context.text.endswith("\n") else context.text + "\n"
    return Page(number=number, label=context.id, text=text)


def cut(pages: Sequence[Page], encoded: Sequence[EncodedText], length: int) -> tuple[Segment, ...]:
    """Segments of `length` tokens, the last one shorter, that partition the pages' text.

    No token crosses a page. A segment ends where its last token ends; the last one takes the rest of the text.
    """
    text = "".join(page.text for page in pages)
    bases = [0]
    for page in pages:
        bases.append(bases[-1] + len(page.text))
    ids: list[int] = []
    ends: list[int] = []
    for base, code in zip(bases, encoded, strict=False):
        ids += code.ids
        ends += [base + end for _, end in code.spans]
    segments: list[Segment] = []
    start = 0
    for first in range(0, len(ids), length):
        last = min(first + length, len(ids))
        end = len(text) if last == len(ids) else max(start, ends[last - 1])
        # An empty segment (a token inside a character that the one before took) stands on that character's page.
        left, right = (start, end) if end > start else (start - 1, start)
        segments.append(
            Segment(
                number=len(segments),
                token_ids=tuple(ids[first:last]),
                char_start=start,
                char_end=end,
                page_first=pages[bisect_right(bases, left) - 1].number,
                page_last=pages[bisect_left(bases, right) - 1].number,
                text=text[start:end],
            )
        )
        start = end
    return tuple(segments)
