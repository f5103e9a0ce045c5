"""Places proposed by the nearest memories: between the catalog's documents and the index's memories."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from hmt_qa.types import Place
from hmt_storage.catalog import Catalog
from hmt_storage.nearest import NearestIndex, Wanted


class VectorIndex:
    """The vector index of a library: brought up to date with the catalog before each use."""

    def __init__(self, folder: Path) -> None:
        self._index = NearestIndex(folder)
        self._wanted: tuple[Catalog, Wanted] | None = None

    def propose(
        self,
        connection: Connection,
        catalog: Catalog,
        query: bytes,
        *,
        parts: int,
        documents: Sequence[str],
        top: int,
    ) -> list[Place]:
        """About `top` places of `documents` for the folded `query`, best first; fewer where they have no more."""
        if not documents:
            return []
        query_D = np.frombuffer(query, "<f4")
        model_id = catalog.documents[documents[0]].state.model_id
        wanted = self._of(catalog, model_id, parts, len(query_D))
        asked = None if catalog.is_all(documents) else set(documents)
        effort = 1
        while True:
            count = min(top * parts * effort, wanted.embeddings)
            near = (
                Place(document=document, segment=found.segment)
                for found in self._index.search(connection, wanted, query_D, count)
                for document in catalog.of_memory[found.memory_id]
                if asked is None or document in asked
            )
            places = list(islice(near, top))
            if len(places) == top or count == wanted.embeddings:
                return places
            effort *= 4  # many of the nearest are of documents that are not asked

    def forget(self) -> None:
        """Leave nothing on disk of memories that are no more."""
        self._index.forget()

    def _of(self, catalog: Catalog, model_id: str, parts: int, width: int) -> Wanted:
        if self._wanted is None or self._wanted[0] is not catalog or self._wanted[1].model_id != model_id:
            fitting = {
                listed.memory_id: listed.state
                for listed in catalog.documents.values()
                if listed.state.model_id == model_id and listed.hidden == parts * width
            }
            embeddings = parts * sum(state.segments for state in fitting.values())
            states = {memory_id: state.state_id for memory_id, state in fitting.items()}
            wanted = Wanted(model_id=model_id, parts=parts, width=width, embeddings=embeddings, states=states)
            self._wanted = catalog, wanted
        return self._wanted[1]
