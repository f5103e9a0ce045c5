"""Finds the sentence of the evidence that an answer's words come from; every quote is an exact slice of its segment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from hmt_qa.types import PageSpan, StoredSegment

QUOTE_CHARACTERS = 320
QUOTE_WORDS = 3  # a sentence with fewer is quoted only where the segment has no other
CLAIM_WORDS = 3  # of an answer's sentence; a shorter one is part of another, or an abbreviation's
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n|\n(?=\s*[-*•#>])")
_STOP_WORDS = frozenset(
    "a an and are as at be by did do does for from had has have how in is it its of on or that the their there these "
    "this to was were what when where which who whom whose why will with".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Characters [start, end) of one segment's text, and the share of the answer's words found there (0 to 1)."""

    start: int
    end: int
    share: float


def locate(answer: str, question: str, segment: StoredSegment) -> Span:
    """The sentence of `segment` that says the answer; where none does, the one closest to the question."""
    text = segment.text
    best = Span(start=0, end=0, share=0.0)
    best_score = (False, -1.0, -1.0)
    answer_words, question_words = _words(answer), set(_words(question))
    for start, end in sentences(text):
        words = _words(text[start:end])
        share = _share(answer_words, words)
        asked = len(question_words.intersection(words)) / (len(question_words) or 1)
        if (score := (len(_WORD.findall(text[start:end])) >= QUOTE_WORDS or share > 0, share, asked)) > best_score:
            best, best_score = Span(start=start, end=end, share=share), score
    return _shortened(best, answer, text)


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of `text`, trimmed of white space; together they hold every other character."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    spans = []
    for start, end in pairwise(cuts):
        piece = text[start:end]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))))
    return spans


def claims(answer: str) -> list[tuple[int, int]]:
    """Spans of an answer's sentences that are to be cited each; pieces of fewer words ("Dr.") go with the next."""
    spans: list[tuple[int, int]] = []
    begun: int | None = None
    for start, end in sentences(answer):
        begun = start if begun is None else begun
        if len(_WORD.findall(answer[begun:end])) >= CLAIM_WORDS:
            spans.append((begun, end))
            begun = None
    if begun is not None:  # too short an end
        first = spans.pop()[0] if spans else begun
        spans.append((first, len(answer.rstrip())))
    return spans


def page_at(pages: Sequence[PageSpan], character: int) -> PageSpan:
    """The page that holds a character of the document."""
    holding = [page for page in pages if page.char_start <= character < page.char_end]
    return holding[0] if holding else pages[-1]


def _words(text: str) -> list[str]:
    words = [match.group().casefold() for match in _WORD.finditer(text)]
    return [word for word in words if word not in _STOP_WORDS] or words


def _share(answer: Sequence[str], words: Sequence[str]) -> float:
    """Words of the answer found in order, as a share; a sentence that holds them in one run scores above others."""
    if not answer or not words:
        return 0.0
    blocks = SequenceMatcher(None, answer, words, autojunk=False).get_matching_blocks()
    found = sum(block.size for block in blocks)
    longest = max(block.size for block in blocks)
    return (found + longest) / (2 * len(answer))


def _shortened(span: Span, answer: str, text: str) -> Span:
    """At most `QUOTE_CHARACTERS`, cut at white space, around the answer where it is there to the letter."""
    if span.end - span.start <= QUOTE_CHARACTERS:
        return span
    piece = text[span.start : span.end]
    said = answer.strip().casefold()
    found = piece.casefold().find(said) if said else -1
    at = max(found, 0)
    start = span.start + max(0, min(at - QUOTE_CHARACTERS // 3, len(piece) - QUOTE_CHARACTERS))
    end = min(start + QUOTE_CHARACTERS, span.end)
    if start > span.start and (space := re.search(r"\s", text[start : span.start + at])):
        start += space.end()
    kept = max(start, span.start + at + len(said) if found >= 0 else 0)
    if end < span.end and (space_at := max(text.rfind(mark, kept, end) for mark in " \n\t")) > start:
        end = space_at
    return Span(start=start, end=end, share=span.share)
