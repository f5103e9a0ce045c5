"""Passages that follow on each other become one: a reader is not told twice where it is, and no sentence is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hmt_qa.writers.contract import Passage


def joined(passages: Sequence[Passage]) -> list[Passage]:
    """The same text, neighbours as one passage, each where the best of its parts stood; `passages` are best first."""
    order = {passage.segment.place: number for number, passage in enumerate(passages)}
    runs: list[list[Passage]] = []
    for passage in sorted(passages, key=lambda one: (one.segment.place.document, one.segment.place.segment)):
        if runs and _follows(runs[-1][-1], passage):
            runs[-1].append(passage)
        else:
            runs.append([passage])
    runs.sort(key=lambda run: min(order[passage.segment.place] for passage in run))
    return [_one(run) for run in runs]


def _follows(before: Passage, passage: Passage) -> bool:
    first, second = before.segment.place, passage.segment.place
    return (first.document, first.segment + 1) == (second.document, second.segment)


def _one(run: Sequence[Passage]) -> Passage:
    segments = [passage.segment for passage in run]
    whole = replace(
        segments[0],
        char_end=segments[-1].char_end,
        page_last=segments[-1].page_last,
        token_ids=tuple(token for segment in segments for token in segment.token_ids),
        text="".join(segment.text for segment in segments),
    )
    return replace(run[0], segment=whole)
