"""One question of chosen documents: found, answered, and where wanted asked again without the places cited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hmt_qa.answering import Answerer, Choice
from hmt_qa.evidence import SPARE
from hmt_qa.retrieval import Retriever
from hmt_qa.types import Answer, Mode, Place, Ranking

_WORD = re.compile(r"\w+")


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

    def stream(self, *, verify: bool = False) -> Iterator[str | Answer]:
        """Text pieces of the answer, then the `Answer`, with `verified` where that is asked for."""
        for item in self._once(without=()):
            yield self._verified(item) if verify and isinstance(item, Answer) else item

    def _once(self, *, without: Sequence[Place]) -> Iterator[str | Answer]:
        using = Ranking.MEMORY if self.mode is Mode.MEMORY else Ranking.HYBRID
        found = self.retriever.find(
            self.question,
            self.ids,
            documents=self.documents,
            using=using,
            top=SPARE * self.top,
            each=self.spanned,
            without=without,
        )
        choice = Choice(top=self.top, spanned=self.spanned, without=without)
        yield from self.answerer.stream(self.question, self.ids, found, choice=choice, mode=self.mode, begun=self.begun)

    def _verified(self, answer: Answer) -> Answer:
        """Whether it changes where the places that support it were never read, nor recalled from memory."""
        if not answer.answerable:
            return answer
        supporting = [Place(document=c.document, segment=c.segment) for c in answer.citations if c.supports]
        if not supporting:
            return replace(answer, verified=False)
        if len(set(supporting)) >= self.retriever.count(self.documents):
            return replace(answer, verified=True)  # there is nothing else to answer from
        *_, again = self._once(without=supporting)
        return replace(answer, verified=not isinstance(again, Answer) or _said(again) != _said(answer))


def _said(answer: Answer) -> tuple[bool, list[str]]:
    return answer.answerable, _WORD.findall(answer.text.casefold())
