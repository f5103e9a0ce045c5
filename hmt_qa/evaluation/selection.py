"""Which questions are asked, of which documents: seeded, and the same questions at every length.

Contexts are shuffled once; the first ones have the questions, and are joined in that order to documents of a wanted
number of tokens. A set too small to fill a document is filled up with contexts of other sets, which nobody asks about.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hmt_qa.evaluation.corpora import Context, DevelopmentSet, Question
from hmt_qa.evaluation.documents import LongDocument, cut, page_of
from hmt_qa.types import EncodedText

OWN = 0  # in place of a length: the context alone is the document
TOKENS_A_QUESTION = 500  # how much text of a set is read for each question wanted of it, at least one context
_LARGEST_FILLER = 1.25  # of what is missing; or of _SMALL tokens, if that is more
_SMALL = 400

Encoded = Mapping[str, EncodedText]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of `documents[document]`: its gold segments, and the characters of its evidence there."""

    question: Question
    document: int
    gold: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One set at one length: the unit that figures are reported for. Cells of a set ask the same questions in order."""

    name: str
    length: int
    documents: tuple[LongDocument, ...]
    asked: tuple[Asked, ...]


def cells(
    chosen: DevelopmentSet,
    others: Sequence[DevelopmentSet],
    *,
    lengths: Sequence[int],
    questions: int,
    segment_length: int,
    encode: Callable[[Sequence[Context]], Encoded],
    seed: int,
) -> list[Cell]:
    """The set at each length; sets whose questions need their own document have one cell, of length `OWN`."""
    rng = random.Random(f"{seed} {chosen.name}")  # noqa: S311 (repeatable, not secret)
    order = list(chosen.contexts)
    rng.shuffle(order)
    encoded = dict(encode(order))
    leading = _leading(order, encoded, questions * TOKENS_A_QUESTION)
    ids = {context.id for context in leading}
    askable = [question for question in chosen.questions if question.context in ids]
    picked = sorted(rng.sample(range(len(askable)), min(questions, len(askable))))
    wanted = [askable[place] for place in picked]
    if not chosen.joinable:
        alone = [[context] for context in leading]
        return [
            _cell(chosen.name, OWN, _documents(f"{chosen.name}/own", alone, wanted, encoded, segment_length), wanted)
        ]
    filler = [context for other in others if other.name != chosen.name for context in other.contexts]
    rng.shuffle(filler)
    made = []
    for length in lengths:
        groups = _groups(order, encoded, length)
        if length and sum(len(encoded[c.id].ids) for c in groups[-1]) < length:
            encoded |= encode(filler)
            groups[-1] = _filled(groups[-1], filler, encoded, length)
        documents = _documents(f"{chosen.name}/{length}", groups, wanted, encoded, segment_length)
        made.append(_cell(chosen.name, length, documents, wanted))
    return made


def _leading(order: Sequence[Context], encoded: Encoded, tokens: int) -> list[Context]:
    taken: list[Context] = []
    for context in order:
        if taken and tokens <= 0:
            break
        taken.append(context)
        tokens -= len(encoded[context.id].ids)
    return taken


def _groups(order: Sequence[Context], encoded: Encoded, length: int) -> list[list[Context]]:
    """Contexts in order, in groups of at least `length` tokens; the last one may have fewer."""
    groups: list[list[Context]] = [[]]
    tokens = 0
    for context in order:
        if tokens >= length and groups[-1]:
            groups.append([])
            tokens = 0
        groups[-1].append(context)
        tokens += len(encoded[context.id].ids)
    return groups


def _filled(group: list[Context], filler: Sequence[Context], encoded: Encoded, length: int) -> list[Context]:
    missing = length - sum(len(encoded[context.id].ids) for context in group)
    filled = list(group)
    for context in filler:
        if missing <= 0:
            break
        size = len(encoded[context.id].ids)
        if size <= max(missing * _LARGEST_FILLER, _SMALL):
            filled.append(context)
            missing -= size
    return filled


def _cell(name: str, length: int, documents: list[LongDocument], wanted: list[Question]) -> Cell:
    home = {context: number for number, document in enumerate(documents) for context in document.starts}
    asked = [_placed(question, home[question.context], documents) for question in wanted]
    return Cell(name=name, length=length, documents=tuple(documents), asked=tuple(asked))


def _documents(
    name: str, groups: list[list[Context]], wanted: list[Question], encoded: Encoded, segment_length: int
) -> list[LongDocument]:
    """Only documents that somebody asks about are made."""
    needed = {question.context for question in wanted}
    return [
        _document(f"{name}/{number}", group, encoded, segment_length)
        for number, group in enumerate(groups)
        if needed.intersection(context.id for context in group)
    ]


def _document(name: str, group: Sequence[Context], encoded: Encoded, segment_length: int) -> LongDocument:
    pages = [page_of(context, number) for number, context in enumerate(group, 1)]
    starts: dict[str, int] = {}
    total = 0
    for page in pages:
        starts[page.label] = total
        total += len(page.text)
    segments = cut(pages, [encoded[context.id] for context in group], segment_length)
    return LongDocument(name=name, segments=segments, starts=starts)


def _placed(question: Question, number: int, documents: Sequence[LongDocument]) -> Asked:
    document = documents[number]
    base = document.starts[question.context]
    spans = tuple((base + start, base + end) for start, end in question.spans)
    held = {segment for start, end in spans for segment in document.holding(start, end)}
    return Asked(question=question, document=number, gold=tuple(sorted(held)), spans=spans)
