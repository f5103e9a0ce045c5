"""Where to look: places ranked by cross-attention over memories, by keywords, or by both together."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ModelMismatch
from hmt_qa.fusion import fuse
from hmt_qa.ports import Askable
from hmt_qa.types import Place, Ranking

if TYPE_CHECKING:
    from torch import Tensor

CANDIDATES = 50  # places each ranking proposes to the hybrid
CACHED_MEMORIES = 64


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
    """Ranked places, best first, with the memory prompt P_q, (1, M, D), and milliseconds spent."""

    places: tuple[RankedPlace, ...]
    prompt_1MD: Tensor
    resume_ms: float
    recall_ms: float


class Retriever:
    """Ranks places of chosen documents; keeps recently used memories by their state id. Safe between threads.

    `keyword_trust` is how much a point of BM25 counts against the memory's weights: see `hmt_qa.fusion`.
    """

    def __init__(self, library: Askable, engine: LocalEngine, *, keyword_trust: float) -> None:
        self._library = library
        self._engine = engine
        self._keyword_trust = keyword_trust
        self._memories: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = Lock()

    def find(
        self, question: str, question_ids: Sequence[int], *, documents: Sequence[str], using: Ranking, top: int
    ) -> Found:
        """The `top` places for a question; raises `ModelMismatch` where another model wrote a memory."""
        import torch

        begun = perf_counter()
        banks = [self.bank(document) for document in documents]
        rows_NMD = torch.cat(banks)
        resumed = perf_counter()
        prompt_1MD, weights = self._engine.recall(self._engine.summarise(question_ids), rows_NMD)
        places = [
            Place(document=document, segment=number)
            for document, bank in zip(documents, banks, strict=True)
            for number in range(bank.shape[0])
        ]
        weight_of = dict(zip(places, weights, strict=True))
        wanted = max(top, CANDIDATES)
        heaviest = heapq.nsmallest(wanted, places, key=lambda place: (-weight_of[place], place.document, place.segment))
        by_memory = heaviest if using != Ranking.KEYWORD else []
        words = (
            {hit.place: hit.score for hit in self._library.keyword_search(question, documents=documents, top=wanted)}
            if using != Ranking.MEMORY
            else {}
        )
        ranked = self._ranked(by_memory, words, weight_of, using)
        recalled = perf_counter()
        return Found(ranked[:top], prompt_1MD, (resumed - begun) * 1e3, (recalled - resumed) * 1e3)

    def forget(self) -> None:
        """Drop every kept memory."""
        with self._lock:
            self._memories.clear()

    def _ranked(
        self, by_memory: Sequence[Place], words: dict[Place, float], weight_of: dict[Place, float], using: Ranking
    ) -> tuple[RankedPlace, ...]:
        """All candidates, best first; equal ones in the order of their documents and segments."""
        memory_ranks = {place: rank for rank, place in enumerate(by_memory, 1)}
        keyword_ranks = {place: rank for rank, place in enumerate(words, 1)}
        candidates = memory_ranks.keys() | keyword_ranks.keys()
        scores = {place: words.get(place, weight_of[place]) for place in candidates}
        if using is Ranking.HYBRID:
            scores = fuse({place: weight_of[place] for place in candidates}, words, trust=self._keyword_trust)
        ranked = sorted(candidates, key=lambda place: (-scores[place], place.document, place.segment))
        return tuple(
            RankedPlace(place, scores[place], weight_of[place], memory_ranks.get(place, 0), keyword_ranks.get(place, 0))
            for place in ranked
        )

    def bank(self, document: str) -> Tensor:
        """The memories of one document, (N, M, D); raises `ModelMismatch` where another model wrote them."""
        model_id, state_id = self._library.memory_state(document)
        if model_id != self._engine.model_id:
            raise ModelMismatch(
                f"Document {document} was read by {model_id}, this is {self._engine.model_id}.",
                subject=document,
                remedy="Ask with that model (--model), or ingest the document again with this one.",
            )
        with self._lock:
            if state_id in self._memories:
                self._memories.move_to_end(state_id)
                return self._memories[state_id]
        rows_NMD = self._engine.bank(self._library.memory(document))
        with self._lock:
            self._memories[state_id] = rows_NMD
            while len(self._memories) > CACHED_MEMORIES:
                self._memories.popitem(last=False)
        return rows_NMD
