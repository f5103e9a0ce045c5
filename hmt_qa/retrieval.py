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
from hmt_qa.ports import Library
from hmt_qa.types import Place, Ranking

if TYPE_CHECKING:
    from torch import Tensor

CANDIDATES = 50  # places each ranking proposes to the hybrid
CACHED_MEMORIES = 64
FUSION_OFFSET = 60.0  # reciprocal rank fusion, Cormack et al. 2009


@dataclass(frozen=True, slots=True)
class RankedPlace:
    """A place with what each ranking thought of it; ranks count from 1, 0 is unranked."""

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
    """Ranks places of chosen documents; keeps recently used memories by their state id. Safe between threads."""

    def __init__(self, library: Library, engine: LocalEngine, *, memory_share: float) -> None:
        self._library = library
        self._engine = engine
        self._memory_share = memory_share
        self._memories: OrderedDict[str, Tensor] = OrderedDict()
        self._lock = Lock()

    def find(
        self, question: str, question_ids: Sequence[int], *, documents: Sequence[str], using: Ranking, top: int
    ) -> Found:
        """The `top` places for a question; raises `ModelMismatch` where another model wrote a memory."""
        import torch

        begun = perf_counter()
        banks = [self._memory(document) for document in documents]
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
        by_memory = heapq.nlargest(wanted, places, key=weight_of.__getitem__) if using != Ranking.KEYWORD else []
        by_keyword = (
            [hit.place for hit in self._library.keyword_search(question, documents=documents, top=wanted)]
            if using != Ranking.MEMORY
            else []
        )
        ranked = self._fused(by_memory, by_keyword, weight_of)
        recalled = perf_counter()
        return Found(ranked[:top], prompt_1MD, (resumed - begun) * 1e3, (recalled - resumed) * 1e3)

    def forget(self) -> None:
        """Drop every kept memory."""
        with self._lock:
            self._memories.clear()

    def _fused(
        self, by_memory: Sequence[Place], by_keyword: Sequence[Place], weight_of: dict[Place, float]
    ) -> tuple[RankedPlace, ...]:
        """Reciprocal rank fusion; with one ranking alone, its own order."""
        memory_ranks = {place: rank for rank, place in enumerate(by_memory, 1)}
        keyword_ranks = {place: rank for rank, place in enumerate(by_keyword, 1)}
        share = self._memory_share if by_memory and by_keyword else float(bool(by_memory))

        def score(place: Place) -> float:
            memory, keyword = memory_ranks.get(place), keyword_ranks.get(place)
            from_memory = share / (FUSION_OFFSET + memory) if memory else 0.0
            return from_memory + ((1 - share) / (FUSION_OFFSET + keyword) if keyword else 0.0)

        ranked = sorted(memory_ranks.keys() | keyword_ranks.keys(), key=lambda p: (-score(p), p.document, p.segment))
        return tuple(
            RankedPlace(place, score(place), weight_of[place], memory_ranks.get(place, 0), keyword_ranks.get(place, 0))
            for place in ranked
        )

    def _memory(self, document: str) -> Tensor:
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
