"""Pages to segments of at most L tokens that partition the text; knows no files and no model.

Each page is encoded by itself, so no token crosses a page. A segment ends where its last token ends and the next one
starts there: what no token covers (white space, for some tokenizers) falls into the later segment, or into the last
one when no token follows. A character cut over two tokens belongs to the first of the two segments.

A segment has L tokens, unless a border of the page (a function, a class) stands in its second half: then it ends at the
last such border, and what follows is whole in the next one. Only L tokens decide about a cut, so that segments of a
text that grows at its end stay what they were.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hmt_qa.types import EncodedText, Page, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedSegment:
    """A segment and the pages that begin in it; a page that begins exactly at its start is one of them."""

    segment: Segment
    pages: tuple[Page, ...]


def segment_pages(
    pages: Iterable[Page], *, encode: Callable[[str], EncodedText], length: int
) -> Iterator[PagedSegment]:
    """Cut `pages` into segments of at most `length` tokens.

    Holds one page and one segment. A document without a single token has no segments.
    """
    cutter = _Cutter(length)
    for page in pages:
        encoded = encode(page.text)
        base = cutter.add(page)
        marks = _marks(encoded, page.borders)
        taken = 0
        while taken < len(encoded.ids):
            if cutter.is_full:
                # Only now is it known that a token follows; without one, the rest of the text would belong here.
                yield cutter.cut()
            taken = cutter.take(encoded, taken, base=base, marks=marks)
    if cutter.is_begun:
        yield cutter.cut_last()


def _marks(encoded: EncodedText, borders: Sequence[int]) -> list[int]:
    """Numbers of the tokens that come first after a border."""
    starts = [start for start, _ in encoded.spans] if borders else []
    return [bisect_left(starts, border) for border in borders]


class _Cutter:
    """The text, tokens and pages since the last cut. Positions count characters of the whole document."""

    __slots__ = ("_begun", "_ends", "_ids", "_length", "_marks", "_number", "_start", "_text", "_text_end", "_touched")

    def __init__(self, length: int) -> None:
        self._length = length
        self._ids: list[int] = []
        self._ends: list[int] = []  # where the text up to and with each token ends
        self._marks: list[int] = []  # how many tokens stand before each border
        self._text_end = 0
        self._start = 0
        self._number = 0
        self._text = ""
        self._begun: list[tuple[int, Page]] = []
        self._touched: list[tuple[int, int, int]] = []  # page number, its start and its end

    @property
    def is_begun(self) -> bool:
        """Whether there are tokens since the last cut."""
        return bool(self._ids)

    @property
    def is_full(self) -> bool:
        """Whether there are as many tokens as a segment may have."""
        return len(self._ids) == self._length

    def take(self, encoded: EncodedText, taken: int, *, base: int, marks: Sequence[int]) -> int:
        """Take tokens of a page from number `taken` on until full; returns how many of the page are taken then."""
        held = len(self._ids)
        upto = min(len(encoded.ids), taken + self._length - held)
        self._ids.extend(encoded.ids[taken:upto])
        for _, end in encoded.spans[taken:upto]:
            self._ends.append(max(base + end, self._ends[-1] if self._ends else self._start))
        chosen = marks[bisect_left(marks, taken) : bisect_left(marks, upto)]
        self._marks.extend(held + mark - taken for mark in chosen)
        return upto

    def add(self, page: Page) -> int:
        """Append a page's text and return where it starts."""
        base = self._text_end
        self._text_end += len(page.text)
        self._text += page.text
        self._begun.append((base, page))
        if page.text:
            self._touched.append((page.number, base, self._text_end))
        return base

    def cut(self) -> PagedSegment:
        """The next segment, up to the last border in its second half, else all tokens."""
        late = [mark for mark in self._marks if 2 * mark >= self._length]
        count = late[-1] if late else len(self._ids)
        return self._cut(count, self._ends[count - 1])

    def cut_last(self) -> PagedSegment:
        """All that is left; this segment also takes empty pages that stand at its end."""
        return self._cut(len(self._ids), self._text_end, last=True)

    def _cut(self, count: int, end: int, *, last: bool = False) -> PagedSegment:
        start = self._start
        here = [page for base, page in self._begun if last or base < end or base == start]
        # An empty segment (a token inside a character that the one before took) stands on that character's page.
        first_char, last_char = (start, end) if end > start else (start - 1, start)
        touched = [number for number, left, right in self._touched if left < last_char and right > first_char]
        segment = Segment(
            number=self._number,
            token_ids=tuple(self._ids[:count]),
            char_start=start,
            char_end=end,
            page_first=touched[0],
            page_last=touched[-1],
            text=self._text[: end - start],
        )
        self._text = self._text[end - start :]
        self._begun = self._begun[len(here) :]
        # A page that ends exactly here is kept for the sake of an empty segment that may follow.
        self._touched = [mark for mark in self._touched if mark[2] >= end]
        self._start = end
        self._number += 1
        del self._ids[:count], self._ends[:count]
        self._marks = [mark - count for mark in self._marks if mark > count]
        return PagedSegment(segment=segment, pages=tuple(here))
