"""Where to look: places ranked by cross-attention over memories, by keywords, or by both together."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ModelMismatch
from hmt_qa.fusion import between, fuse
from hmt_qa.ports import Askable
from hmt_qa.types import MemoryState, Place, Ranking

if TYPE_CHECKING:
    from torch import Tensor

CANDIDATES = 50  # places each ranking proposes to the hybrid
CACHED_BYTES = 500_000_000
EXACT_MEMORIES = 100_000  # embeddings that a question is compared with one by one; of more, an index proposes some
EACH = 12  # places proposed of each document that a question spans
PROPOSED = 16  # times as many places as are wanted: measured in docs/decisions/0017
EARLIER_TRUST = 0.25  # of an earlier question's keywords against those of the one asked: docs/decisions/0015
SAME_TOPIC = 0.25  # of the earlier question's best BM25 that the best place must have for the topic to be the same


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A place with what each ranking thought of it; ranks count from 1, 0 is unranked.

    score: the memory's weight, BM25, or in a hybrid the place's share among all candidates.
    """

    place: Place
    score: float
    weight: float
    memory_rank: int
    keyword_rank: int


@dataclass(frozen=True, slots=True)
class Found:
    """Ranked places, best first, with the memory prompt P_q, (1, M, D), and milliseconds spent.

    goes_on: whether the best place speaks of the earlier question too; else the question stands on its own.
    """

    places: tuple[RankedPlace, ...]
    prompt_1MD: Tensor
    resume_ms: float
    recall_ms: float
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """The question before a follow-up, and the tokens of both together; `settled`: it is known that it goes on."""

    question: str
    joined_ids: Sequence[int]
    settled: bool = False


class Retriever:
    """Ranks places of chosen documents; keeps recently used memories by their state id. Safe between threads.

    `keyword_trust` is how much a point of BM25 counts against the memory's weights: see `hmt_qa.fusion`.
    """

    def __init__(self, library: Askable, engine: LocalEngine, *, keyword_trust: float) -> None:
        self._library = library
        self._engine = engine
        self._keyword_trust = keyword_trust
        self._memories: OrderedDict[str, Tensor] = OrderedDict()
        self._kept = 0  # bytes
        self._lock = Lock()

    def find(
        self,
        question: str,
        question_ids: Sequence[int],
        *,
        documents: Sequence[str],
        using: Ranking,
        top: int,
        earlier: Earlier | None = None,
        each: Sequence[str] = (),
        without: Collection[Place] = (),
    ) -> Found:
        """The `top` places for a question; raises `ModelMismatch` where another model wrote a memory.

        With an `earlier` question, places count that either alone or both together point at. Of `each` of these
        documents, the best EACH are there too. Places `without` are as if they were not there.
        """
        begun = perf_counter()
        states = self._states(documents)
        wanted = max(top, CANDIDATES)
        summaries = [self._engine.summarise(ids) for ids in (question_ids, *((earlier.joined_ids,) if earlier else ()))]
        by_words = using != Ranking.MEMORY
        words = self._words(question, documents, wanted, each) if by_words else {}
        before = self._words(earlier.question, documents, wanted, each) if earlier and by_words else {}
        for place in without:
            words.pop(place, None)
            before.pop(place, None)
        summarised = perf_counter()
        places, rows_NMD = self._places(states, summaries, [*words, *before], wanted, each)
        if without:
            kept = [number for number, place in enumerate(places) if place not in without]
            places, rows_NMD = [places[number] for number in kept], rows_NMD[kept]
        resumed = perf_counter()
        prompt_1MD, weights = self._engine.recall(summaries[0], rows_NMD)
        joined_1MD = prompt_1MD
        if earlier is not None:
            joined_1MD, joined = self._engine.recall(summaries[1], rows_NMD)
            weights = between(weights, joined)
        weight_of = dict(zip(places, weights, strict=True))
        heaviest = heapq.nsmallest(wanted, places, key=lambda place: (-weight_of[place], place.document, place.segment))
        by_memory = heaviest if using != Ranking.KEYWORD else []
        by_memory += _heaviest_of_each(weight_of, each)
        ranked = self._ranked(by_memory, _together(words, before, wanted + EACH * len(each)), weight_of, using, wanted)
        goes_on = earlier is not None and (earlier.settled or using is Ranking.MEMORY or _speaks_of(before, ranked))
        recalled = perf_counter()
        resume_ms, all_ms = (resumed - summarised) * 1e3, (recalled - begun) * 1e3
        found = (*ranked[:top], *(one for one in ranked[top:] if one.place.document in each))
        return Found(found, joined_1MD if goes_on else prompt_1MD, resume_ms, all_ms - resume_ms, goes_on)

    def _places(
        self,
        states: Sequence[MemoryState],
        summaries: Sequence[Tensor],
        words: Iterable[Place],
        wanted: int,
        each: Sequence[str],
    ) -> tuple[list[Place], Tensor]:
        """Places to weigh with their memories, (N, M, D): all, or where they are too many the likely ones.

        A softmax over the likely ones gives the same order as one over all; their weights sum to 1 without the others.
        """
        import torch

        parts = self._engine.config.memories_per_segment
        if parts * sum(state.segments for state in states) > EXACT_MEMORIES:
            documents = [state.document for state in states]
            scopes = [(documents, PROPOSED * wanted), *(([one], PROPOSED * EACH) for one in each)]
            near = [
                place
                for summary_1D in summaries
                for scope, top in scopes
                for place in self._library.nearest(
                    self._engine.folded(summary_1D), parts=parts, documents=scope, top=top
                )
            ]
            places = list(dict.fromkeys([*near, *words]))
            return places, self._engine.some_rows(self._library.memory_rows(places))
        banks = [self._bank(state) for state in states]
        places = [
            Place(document=state.document, segment=number)
            for state, bank in zip(states, banks, strict=True)
            for number in range(bank.shape[0])
        ]
        return places, torch.cat(banks)

    def forget(self) -> None:
        """Drop every kept memory."""
        with self._lock:
            self._memories.clear()
            self._kept = 0

    def _words(self, question: str, documents: Sequence[str], top: int, each: Sequence[str]) -> dict[Place, float]:
        """BM25 of the `top` places, best first; behind them, with the same scores, the best of `each` document."""
        scopes = [(documents, top), *(([one], EACH) for one in each)]
        return {
            hit.place: hit.score
            for scope, most in scopes
            for hit in self._library.keyword_search(question, documents=scope, top=most)
        }

    def _ranked(
        self,
        by_memory: Sequence[Place],
        words: dict[Place, float],
        weight_of: dict[Place, float],
        using: Ranking,
        most: int,
    ) -> tuple[RankedPlace, ...]:
        """All candidates, best first; equal ones in the order of their documents and segments.

        Of both rankings the first `most` have a rank; the others are there because a document spanned has no better.
        """
        memory_ranks = {place: rank for rank, place in enumerate(by_memory[:most], 1)}
        keyword_ranks = {place: rank for rank, place in enumerate(islice(words, most), 1)}
        candidates = {*by_memory, *words}
        scores = {place: words.get(place, weight_of[place]) for place in candidates}
        if using is Ranking.HYBRID:
            scores = fuse({place: weight_of[place] for place in candidates}, words, trust=self._keyword_trust)
        ranked = sorted(candidates, key=lambda place: (-scores[place], place.document, place.segment))
        return tuple(
            RankedPlace(place, scores[place], weight_of[place], memory_ranks.get(place, 0), keyword_ranks.get(place, 0))
            for place in ranked
        )

    def count(self, documents: Sequence[str]) -> int:
        """How many segments these documents have."""
        return sum(state.segments for state in self._states(documents))

    def bank(self, document: str) -> Tensor:
        """The memories of one document, (N, M, D); raises `ModelMismatch` where another model wrote them."""
        (state,) = self._states([document])
        return self._bank(state)

    def _states(self, documents: Sequence[str]) -> Sequence[MemoryState]:
        states = self._library.memory_states(documents)
        for state in states:
            if state.model_id != self._engine.model_id:
                raise ModelMismatch(
                    f"Document {state.document} was read by {state.model_id}, this is {self._engine.model_id}.",
                    subject=state.document,
                    remedy="Ask with that model (--model), or ingest the document again with this one.",
                )
        return states

    def _bank(self, state: MemoryState) -> Tensor:
        with self._lock:
            if state.state_id in self._memories:
                self._memories.move_to_end(state.state_id)
                return self._memories[state.state_id]
        rows_NMD = self._engine.bank(self._library.memory(state.document))
        with self._lock:
            if state.state_id not in self._memories:
                self._memories[state.state_id] = rows_NMD
                self._kept += rows_NMD.nbytes
            while self._kept > CACHED_BYTES and len(self._memories) > 1:
                _, dropped = self._memories.popitem(last=False)
                self._kept -= dropped.nbytes
        return rows_NMD


def _heaviest_of_each(weight_of: Mapping[Place, float], documents: Sequence[str]) -> list[Place]:
    """The EACH heaviest places of each document."""
    of_each = ([place for place in weight_of if place.document == document] for document in documents)
    return [place for of in of_each for place in heapq.nlargest(EACH, of, key=weight_of.__getitem__)]


def _together(words: dict[Place, float], before: dict[Place, float], top: int) -> dict[Place, float]:
    """BM25 of the `top` places with that of the earlier question added in part, best first."""
    if not before:
        return words
    sums = {place: words.get(place, 0.0) + EARLIER_TRUST * before.get(place, 0.0) for place in words.keys() | before}
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0].document, item[0].segment))[:top])


def _speaks_of(before: dict[Place, float], ranked: Sequence[RankedPlace]) -> bool:
    """Whether the best place has enough of the words of the earlier question."""
    return bool(before and ranked) and before.get(ranked[0].place, 0.0) >= SAME_TOPIC * max(before.values())
