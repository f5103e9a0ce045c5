"""From weights of segments to weights of pages; knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hmt_qa.types import PageSpan, PageWeight, StoredSegment


def page_weights(
    document: str, pages: Sequence[PageSpan], segments: Sequence[StoredSegment], weights: Sequence[float]
) -> list[PageWeight]:
    """Each segment's weight divided among its pages by their share of its characters; the sum stays."""
    heat = dict.fromkeys((page.number for page in pages), 0.0)
    for segment, weight in zip(segments, weights, strict=True):
        for number, share in page_shares(segment, pages):
            heat[number] += weight * share
    return [
        PageWeight(document=document, page=page.number, page_label=page.label, weight=heat[page.number])
        for page in pages
    ]


def page_shares(segment: StoredSegment, pages: Sequence[PageSpan]) -> Iterator[tuple[int, float]]:
    """(page number, share of the segment's characters on it), which sum to 1."""
    length = segment.char_end - segment.char_start
    if length == 0:
        yield segment.page_first, 1.0
        return
    for page in pages[segment.page_first - 1 : segment.page_last]:
        shared = min(page.char_end, segment.char_end) - max(page.char_start, segment.char_start)
        if shared > 0:
            yield page.number, shared / length
