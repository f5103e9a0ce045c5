"""Rows of a table as pages that know which rows they show; a stream in, a stream out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from hmt_ingest.readers.blocks import split_blocks

Row = tuple[int, str]
"""A row's number in its table, and its text on one line."""


def row_pages(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Label (`rows 1-60`) and text of each page; empty rows are left out."""
    numbers: deque[int] = deque()

    def lines() -> Iterator[str]:
        for number, text in rows:
            if text:
                numbers.append(number)
                yield text + "\n"

    for block in split_blocks(lines()):
        first = last = numbers[0]
        for _ in range(block.count("\n")):
            last = numbers.popleft()
        if not block.endswith("\n"):  # a row longer than a page goes on
            last = numbers[0]
        yield (f"row {first}" if first == last else f"rows {first}-{last}"), block
