"""The prompts that a question is asked with, one for each way of giving the model something to go by."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from torch import Tensor

from hmt_qa.evaluation.recalling import Recalled
from hmt_qa.evaluation.scoring import normalised
from hmt_qa.evaluation.selection import Asked, Cell
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.model.prompts import Prompt
from hmt_qa.stretches import Source
from hmt_qa.writers.close_reading import Posed

PARAGRAPH_CHARACTERS = 3_200  # of a long context, round its evidence: as the base was trained and measured


class Way(StrEnum):
    """What stands before the question.

    EVIDENCE and MEMORY are the product's modes. NOTHING: the initial memory for P and no passage. GOLD_SEGMENT: P and
    the segments that hold the evidence. GOLD_PARAGRAPH: the initial memory and the question's own context.
    PLAIN_PARAGRAPH, PLAIN_NOTHING: the same without any P, as a plain backbone reads. LACKING_NEAR: P and the
    best-ranked segments that lack the answer. LACKING_FAR: P and segments of another document that lack it.
    """

    EVIDENCE = "evidence"
    MEMORY = "memory"
    NOTHING = "no document"
    GOLD_SEGMENT = "oracle segment"
    GOLD_PARAGRAPH = "oracle paragraph"
    PLAIN_PARAGRAPH = "oracle paragraph, no P"
    PLAIN_NOTHING = "no document, no P"
    LACKING_NEAR = "passages lack it, near"
    LACKING_FAR = "passages lack it, far"


OF_EACH_LENGTH = (Way.EVIDENCE, Way.MEMORY, Way.GOLD_SEGMENT)
OF_EACH_QUESTION = (Way.NOTHING, Way.GOLD_PARAGRAPH, Way.PLAIN_PARAGRAPH)
LACKING = (Way.LACKING_NEAR, Way.LACKING_FAR)
PLAIN = (Way.PLAIN_NOTHING, Way.PLAIN_PARAGRAPH)


@dataclass(frozen=True, slots=True)
class Asker:
    """Makes the prompts of one cell. shares: of the hybrid rankings, in their order. contexts: texts by their ids."""

    subject: Subject
    cell: Cell
    recalled: Sequence[Recalled]
    shares: Sequence[Mapping[int, float]]
    contexts: dict[str, str]
    seed: int

    def prompt(self, place: int, way: Way) -> Prompt:
        """The prompt of the cell's question number `place`, all of its passages read together."""
        ids = self.subject.format.build([source.token_ids for source in self._sources(place, way)], self._ids(place))
        return Prompt(self._memory(place, way), tuple(ids))

    def posed(self, place: int, way: Way) -> Posed | None:
        """The same for a close reader; None where there is nothing to read closely."""
        sources, memory_MD = self._sources(place, way), self._memory(place, way)
        if not sources or memory_MD is None:
            return None
        return Posed(question_ids=self._ids(place), prompt_MD=memory_MD, sources=sources)

    def _ids(self, place: int) -> list[int]:
        return self.subject.ids(self.cell.asked[place].question.text)

    def _sources(self, place: int, way: Way) -> list[Source]:
        most = int(self.subject.engine.config.evidence_passages)
        return list(islice(self._passages(place, self.cell.asked[place], way), most))

    def _memory(self, place: int, way: Way) -> Tensor | None:
        if way in PLAIN:
            return None
        if way in {Way.NOTHING, Way.GOLD_PARAGRAPH}:
            return self.subject.model.memory.initial_memory_MD
        return self.recalled[place].prompt_MD

    def _passages(self, place: int, asked: Asked, way: Way) -> Iterator[Source]:
        shares = self.shares[place]
        if way is Way.EVIDENCE:
            yield from (self._source(asked.document, number, share) for number, share in shares.items())
        elif way is Way.GOLD_SEGMENT:
            yield from (self._source(asked.document, number, 1 / len(asked.gold)) for number in asked.gold)
        elif way in {Way.GOLD_PARAGRAPH, Way.PLAIN_PARAGRAPH}:
            yield self._paragraph(asked)
        elif way is Way.LACKING_NEAR:
            segments = self.cell.documents[asked.document].segments
            others = dict.fromkeys([*shares, *(segment.number for segment in segments)])
            lacking = self._lacking(asked, asked.document, [number for number in others if number not in asked.gold])
            yield from (self._source(asked.document, number, shares.get(number, 0.0)) for number in lacking)
        elif way is Way.LACKING_FAR:
            yield from self._far(place, asked)

    def _source(self, document: int, number: int, share: float) -> Source:
        segment = self.cell.documents[document].segments[number]
        return Source(
            document=self.cell.documents[document].name,
            start=segment.char_start,
            text=segment.text,
            token_ids=segment.token_ids,
            share=share,
        )

    def _paragraph(self, asked: Asked) -> Source:
        """The question's own context; of a long one, what stands round the evidence."""
        text = self.contexts[asked.question.context]
        start, end = asked.question.spans[0]
        if len(text) > PARAGRAPH_CHARACTERS:
            first = max(0, min((start + end - PARAGRAPH_CHARACTERS) // 2, start, len(text) - PARAGRAPH_CHARACTERS))
            text = text[first : first + PARAGRAPH_CHARACTERS]
        ids = self.subject.engine.encode(text.strip()).ids
        return Source(document=asked.question.context, start=0, text=text.strip(), token_ids=ids, share=1.0)

    def _far(self, place: int, asked: Asked) -> Iterator[Source]:
        """Segments at random, of another document where there is one, else far from the evidence in this one.

        They count as if they were the places found: nothing but their text says that they lack the answer.
        """
        rng = random.Random(f"{self.seed} {place}")  # noqa: S311 (repeatable, not secret)
        others = [number for number in range(len(self.cell.documents)) if number != asked.document]
        document = rng.choice(others) if others else asked.document
        numbers = list(range(len(self.cell.documents[document].segments)))
        rng.shuffle(numbers)
        near = (
            {number + step for number in asked.gold for step in range(-4, 5)} if document == asked.document else set()
        )
        lacking = self._lacking(asked, document, [number for number in numbers if number not in near])
        found = self.shares[place].values()
        return (self._source(document, number, share) for number, share in zip(lacking, found, strict=False))

    def _lacking(self, asked: Asked, document: int, numbers: Sequence[int]) -> Iterator[int]:
        """Those segments in which none of the answers is written."""
        answers = [f" {normalised(answer)} " for answer in asked.question.answers if normalised(answer)]
        for number in numbers:
            segment = self.cell.documents[document].segments[number]
            text = f" {normalised(segment.text)} "
            if not any(answer in text for answer in answers):
                yield number
