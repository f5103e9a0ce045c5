"""One question of chosen documents, alone or in a conversation: found, answered, and where wanted asked again without
the places cited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from hmt_qa.answering import Answerer, Choice
from hmt_qa.evidence import SPARE
from hmt_qa.retrieval import Earlier, Found, Retriever
from hmt_qa.types import Answer, Mode, Place, Ranking, Turn

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """The turn that a question may go with, and of both together the tokens and the documents they span."""

    turn: Turn
    joined_ids: Sequence[int]
    spanned: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question and what it is asked with; `spanned` as in `hmt_qa.spanning`, `begun` is `perf_counter()` then."""

    retriever: Retriever
    answerer: Answerer
    question: str
    ids: Sequence[int]
    documents: Sequence[str]
    spanned: Sequence[str]
    mode: Mode
    top: int
    begun: float
    budget: int | None = None
    follows: FollowUp | None = None

    def find(self) -> Found:
        """Where to look; `goes_on` there says whether the question goes with the turn that it may follow on."""
        follows = self.follows
        earlier = None if follows is None else Earlier(follows.turn.topic, follows.joined_ids)
        both = dict.fromkeys([*self.spanned, *(follows.spanned if follows else ())])
        return self._find(earlier, each=list(both))

    def about(self, found: Found) -> str:
        """The question that this one is understood with; nothing where it stands on its own."""
        return self.follows.turn.topic if self.follows is not None and found.goes_on else ""

    def stream(self, found: Found, *, verify: bool = False) -> Iterator[str | Answer]:
        """Text pieces of the answer, then the `Answer`, with `verified` where that is asked for."""
        follows = self.follows if found.goes_on else None
        for item in self._once(found, follows):
            yield self._verified(item, follows) if verify and isinstance(item, Answer) else item

    def _find(self, earlier: Earlier | None, *, each: Sequence[str], without: Sequence[Place] = ()) -> Found:
        return self.retriever.find(
            self.question,
            self.ids,
            documents=self.documents,
            using=Ranking.MEMORY if self.mode is Mode.MEMORY else Ranking.HYBRID,
            top=SPARE * self.top,
            earlier=earlier,
            each=each,
            without=without,
        )

    def _once(self, found: Found, follows: FollowUp | None, *, without: Sequence[Place] = ()) -> Iterator[str | Answer]:
        budget = self.budget if self.mode is Mode.EVIDENCE else None  # from the memory alone nothing is read
        ids, spanned = (self.ids, self.spanned) if follows is None else (follows.joined_ids, follows.spanned)
        yield from self.answerer.stream(
            self.question,
            ids,
            found,
            choice=Choice(top=self.top, spanned=spanned, without=without, budget=budget),
            mode=self.mode,
            begun=self.begun,
            earlier=None if follows is None else follows.turn,
        )

    def _again(self, follows: FollowUp | None, without: Sequence[Place]) -> Answer:
        """The answer without some places, to the question as it was understood before."""
        earlier = None if follows is None else Earlier(follows.turn.topic, follows.joined_ids, settled=True)
        spanned = self.spanned if follows is None else follows.spanned
        found = self._find(earlier, each=spanned, without=without)
        *_, answer = self._once(found, follows, without=without)
        return cast("Answer", answer)  # with which every stream ends

    def _verified(self, answer: Answer, follows: FollowUp | None) -> Answer:
        """Whether it changes where the places that support it were never read, nor recalled from memory."""
        if not answer.answerable:
            return answer
        supporting = [
            Place(document=citation.document, segment=number)
            for citation in answer.citations
            if citation.supports
            for number in range(citation.segment, citation.segment_last + 1)
        ]
        if not supporting:
            return replace(answer, verified=False)
        if len(set(supporting)) >= self.retriever.count(self.documents):
            return replace(answer, verified=True)  # there is nothing else to answer from
        return replace(answer, verified=_said(self._again(follows, supporting)) != _said(answer))


def _said(answer: Answer) -> tuple[bool, list[str]]:
    return answer.answerable, _WORD.findall(answer.text.casefold())
