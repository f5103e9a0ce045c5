"""Passages cut into what is read in one piece: a paragraph, or sentences that stand together.

A segment ends where its tokens are full, a paragraph where its matter does: a reader is less often misled by one.
Knows text and places; no tokens and no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

SHORTEST, LONGEST = 160, 600  # characters: shorter ones are joined, longer ones cut where a sentence ends
WHOLE = 900  # characters of a line that is not cut: a paragraph of the usual length
_LINE = re.compile(r"[^\n]*\n*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_ENDED = re.compile(r"[.!?:;”\"')\]]\s*$|\n\s*\n\s*$")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage as it is read: where its text starts in its document, and its share among all places proposed."""

    document: str
    start: int
    text: str
    token_ids: Sequence[int]
    share: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of some passages that is read alone, with the share of the one that holds its middle."""

    text: str
    share: float


def stretches(sources: Sequence[Source]) -> list[Stretch]:
    """All passages' text in stretches; what follows on each other is cut as one, so that no border is lost."""
    return [stretch for run in _runs(sources) for stretch in _of_run(run)]


def cut(text: str) -> list[Span]:
    """[start, end) of its stretches, which partition it: lines, long ones in sentences, short or broken ones joined."""
    lines = (match.span() for match in _LINE.finditer(text) if match.group())
    pieces = [piece for line in lines for piece in _sentences(text, *line)]
    joined: list[Span] = []
    for start, end in pieces:
        if joined and _goes_on(text, *joined[-1]):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    if len(joined) > 1 and joined[-1][1] - joined[-1][0] < SHORTEST:
        joined[-2:] = [(joined[-2][0], joined[-1][1])]
    return joined


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    """A line, or where it is long as many of its sentences together as LONGEST holds, one at least."""
    if end - start <= WHOLE:
        yield start, end
        return
    borders = [start, *(start + match.end() for match in _SENTENCE.finditer(text[start:end])), end]
    begin = start
    for last, following in pairwise(borders):
        if following - begin > LONGEST and last > begin:
            yield begin, last
            begin = last
    yield begin, end


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether what comes next belongs to it: it is short, or its line was broken in the middle of a sentence."""
    if end - start < SHORTEST:
        return True
    return end - start < LONGEST and not _ENDED.search(text[start:end])


def _runs(sources: Sequence[Source]) -> list[list[Source]]:
    runs: list[list[Source]] = []
    for source in sorted(sources, key=lambda one: (one.document, one.start)):
        before = runs[-1][-1] if runs else None
        if before is not None and (before.document, before.start + len(before.text)) == (source.document, source.start):
            runs[-1].append(source)
        else:
            runs.append([source])
    return runs


def _of_run(run: Sequence[Source]) -> Iterator[Stretch]:
    text = "".join(source.text for source in run)
    for start, end in cut(text):
        middle = run[0].start + (start + end) // 2
        share = next(source.share for source in reversed(run) if source.start <= middle)
        if stretch := text[start:end].strip():
            yield Stretch(stretch, share)
