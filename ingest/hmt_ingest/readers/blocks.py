"""Text without pages of its own, cut into page-sized blocks; a stream in, a stream out.

A block ends before a form feed, else after its 60th line, else, when it would pass 8,000 characters, after the last
line end within them, or the last space, or in the middle of a word where there is neither. Joined blocks are the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LINES = 60
CHARACTERS = 8_000


def split_blocks(chunks: Iterable[str]) -> Iterator[str]:
    """Cut a text that comes in chunks of any size; where the chunks end makes no difference."""
    pending = ""
    for chunk in chunks:
        pending += chunk
        start = 0
        while (end := _block_end(pending, start, more=True)) >= 0:
            yield pending[start:end]
            start = end
        pending = pending[start:]
    start = 0
    while start < len(pending):
        end = _block_end(pending, start, more=False)
        yield pending[start:end]
        start = end


def _block_end(text: str, start: int, *, more: bool) -> int:
    """Where the block that begins at `start` ends; -1 while characters still to come could decide it."""
    limit = start + CHARACTERS
    earliest = _sixtieth_line_end(text, start, limit)
    # A form feed at `start` opens this block; the next one ends it.
    feed = text.find("\f", start + 1, limit if earliest < 0 else earliest)
    if feed >= 0:
        return feed
    if earliest >= 0:
        return earliest
    if len(text) <= limit:
        return -1 if more else len(text)
    for mark in "\n ":
        if (cut := text.rfind(mark, start, limit)) >= 0:
            return cut + 1
    return limit


def _sixtieth_line_end(text: str, start: int, limit: int) -> int:
    end = start
    for _ in range(LINES):
        end = text.find("\n", end, limit) + 1
        if not end:
            return -1
    return end


def line_label(first: int, last: int) -> str:
    """How a block of lines `first` to `last` (from 1) is called."""
    return f"line {first}" if first == last else f"lines {first}-{last}"
