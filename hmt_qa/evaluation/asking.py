"""The prompts that a question is asked with, one for each way of giving the model something to go by."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from torch import Tensor

from hmt_qa.evaluation.recalling import Recalled
from hmt_qa.evaluation.scoring import normalised
from hmt_qa.evaluation.selection import Asked, Cell
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.model.prompts import Prompt

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
    """Makes the prompts of one cell. rankings: the hybrid ones. contexts: texts by the contexts' ids."""

    subject: Subject
    cell: Cell
    recalled: Sequence[Recalled]
    rankings: Sequence[Sequence[int]]
    contexts: dict[str, str]
    seed: int

    def prompt(self, place: int, way: Way) -> Prompt:
        """The prompt of the cell's question number `place`."""
        asked = self.cell.asked[place]
        passages = list(islice(self._passages(place, asked, way), self._most))
        ids = self.subject.format.build(passages, self.subject.ids(asked.question.text))
        return Prompt(self._memory(place, way), tuple(ids))

    @property
    def _most(self) -> int:
        return int(self.subject.engine.config.evidence_passages)

    def _memory(self, place: int, way: Way) -> Tensor | None:
        if way in PLAIN:
            return None
        if way in {Way.NOTHING, Way.GOLD_PARAGRAPH}:
            return self.subject.model.memory.initial_memory_MD
        return self.recalled[place].prompt_MD

    def _passages(self, place: int, asked: Asked, way: Way) -> Iterator[Sequence[int]]:
        segments = self.cell.documents[asked.document].segments
        if way is Way.EVIDENCE:
            yield from (segments[number].token_ids for number in self.rankings[place])
        elif way is Way.GOLD_SEGMENT:
            yield from (segments[number].token_ids for number in asked.gold)
        elif way in {Way.GOLD_PARAGRAPH, Way.PLAIN_PARAGRAPH}:
            yield self._paragraph(asked)
        elif way is Way.LACKING_NEAR:
            others = dict.fromkeys([*self.rankings[place], *(segment.number for segment in segments)])
            yield from self._lacking(asked, asked.document, [number for number in others if number not in asked.gold])
        elif way is Way.LACKING_FAR:
            yield from self._far(place, asked)

    def _paragraph(self, asked: Asked) -> list[int]:
        """The question's own context; of a long one, what stands round the evidence."""
        text = self.contexts[asked.question.context]
        start, end = asked.question.spans[0]
        if len(text) > PARAGRAPH_CHARACTERS:
            first = max(0, min((start + end - PARAGRAPH_CHARACTERS) // 2, start, len(text) - PARAGRAPH_CHARACTERS))
            text = text[first : first + PARAGRAPH_CHARACTERS]
        return list(self.subject.engine.encode(text.strip()).ids)

    def _far(self, place: int, asked: Asked) -> Iterator[Sequence[int]]:
        """Segments at random, of another document where there is one, else far from the evidence in this one."""
        rng = random.Random(f"{self.seed} {place}")  # noqa: S311 (repeatable, not secret)
        others = [number for number in range(len(self.cell.documents)) if number != asked.document]
        document = rng.choice(others) if others else asked.document
        numbers = list(range(len(self.cell.documents[document].segments)))
        rng.shuffle(numbers)
        near = (
            {number + step for number in asked.gold for step in range(-4, 5)} if document == asked.document else set()
        )
        return self._lacking(asked, document, [number for number in numbers if number not in near])

    def _lacking(self, asked: Asked, document: int, numbers: Sequence[int]) -> Iterator[Sequence[int]]:
        """Those segments in which none of the answers is written."""
        answers = [f" {normalised(answer)} " for answer in asked.question.answers if normalised(answer)]
        for number in numbers:
            segment = self.cell.documents[document].segments[number]
            text = f" {normalised(segment.text)} "
            if not any(answer in text for answer in answers):
                yield segment.token_ids
