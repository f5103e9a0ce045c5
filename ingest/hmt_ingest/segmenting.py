"""Pages to segments of exactly L tokens that partition the text; knows no files and no model.

Each page is encoded by itself, so no token crosses a page. A segment ends where its last token ends and the next one
starts there: what no token covers (white space, for some tokenizers) falls into the later segment, or into the last
one when no token follows. A character cut over two tokens belongs to the first of the two segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    """Cut `pages` into segments of `length` tokens, the last one shorter.

    Holds one page and one segment. A document without a single token has no segments.
    """
    cutter = _Cutter()
    for page in pages:
        encoded = encode(page.text)
        base = cutter.add(page)
        taken = 0
        while taken < len(encoded.ids):
            if len(cutter.token_ids) == length:
                # Only now is it known that a token follows; without one, the rest of the text would belong here.
                yield cutter.cut(cutter.tokens_end)
            upto = min(len(encoded.ids), taken + length - len(cutter.token_ids))
            cutter.token_ids.extend(encoded.ids[taken:upto])
            cutter.tokens_end = max(cutter.tokens_end, base + encoded.spans[upto - 1][1])
            taken = upto
    if cutter.token_ids:
        yield cutter.cut(cutter.text_end, last=True)


class _Cutter:
    """The text, tokens and pages since the last cut. Positions count characters of the whole document."""

    __slots__ = ("_begun", "_number", "_start", "_text", "_touched", "text_end", "token_ids", "tokens_end")

    def __init__(self) -> None:
        self.token_ids: list[int] = []
        self.tokens_end = 0
        self.text_end = 0
        self._start = 0
        self._number = 0
        self._text = ""
        self._begun: list[tuple[int, Page]] = []
        self._touched: list[tuple[int, int, int]] = []  # page number, its start and its end

    def add(self, page: Page) -> int:
        """Append a page's text and return where it starts."""
        base = self.text_end
        self.text_end += len(page.text)
        self._text += page.text
        self._begun.append((base, page))
        if page.text:
            self._touched.append((page.number, base, self.text_end))
        return base

    def cut(self, end: int, *, last: bool = False) -> PagedSegment:
        """Everything up to `end` as the next segment; the last one also takes empty pages that stand at its end."""
        start = self._start
        here = [page for base, page in self._begun if last or base < end or base == start]
        # An empty segment (a token inside a character that the one before took) stands on that character's page.
        first_char, last_char = (start, end) if end > start else (start - 1, start)
        touched = [number for number, left, right in self._touched if left < last_char and right > first_char]
        segment = Segment(
            number=self._number,
            token_ids=tuple(self.token_ids),
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
        self.token_ids = []
        return PagedSegment(segment=segment, pages=tuple(here))
