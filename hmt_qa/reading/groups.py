"""Documents cut into groups of segments: passes have the same shape wherever a run begins, so every bit is the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from hmt_qa.types import Segment

SUMMARY_BATCH = 8  # segments a representation pass; aligned to segment numbers, so that a resumed run repeats it


def groups_from(
    segments: Iterable[Segment], committed: int, sensory_length: int
) -> Iterator[tuple[list[Segment], tuple[int, ...]]]:
    """Groups that hold a segment from number `committed` on, and the `sensory_length` ids before the first of those.

    A group that was cut is given whole again.
    """
    before: tuple[int, ...] = ()
    for group in _groups(segments, SUMMARY_BATCH):
        old = [segment for segment in group if segment.number < committed]
        if len(old) < len(group):
            yield group, last_ids(before, old, sensory_length)
        before = last_ids(before, group, sensory_length)


def last_ids(before: Sequence[int], segments: Sequence[Segment], count: int) -> tuple[int, ...]:
    """The last `count` ids of what came `before` and of these segments."""
    joined = (*before, *(token for segment in segments[-count:] for token in segment.token_ids))
    return joined[-count:] if count else ()


def _groups(segments: Iterable[Segment], size: int) -> Iterator[list[Segment]]:
    iterator = iter(segments)
    while group := list(islice(iterator, size)):
        yield group
