"""Which documents there are and what memories they are answered from, kept until the library changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from hmt_qa.types import MemoryState
from hmt_storage.database import Database
from hmt_storage.tables import DocumentRecord as D
from hmt_storage.tables import MemoryRecord as M


class Listed(NamedTuple):
    """A document's title and its memory: number, format, shape and state."""

    memory_id: int
    dtype: str
    hidden: int
    title: str
    state: MemoryState


class Catalog:
    """Every document at one moment."""

    def __init__(self, connection: Connection) -> None:
        columns = (D.collection, M.id, M.dtype, M.hidden, D.title, D.id, M.model_id, M.state_id, M.segments)
        rows = connection.execute(select(*columns).join(M, M.id == D.memory_id).order_by(D.added_at, D.id)).all()
        self.documents: dict[str, Listed] = {}
        self.collections: defaultdict[str, list[str]] = defaultdict(list)
        self.of_memory: defaultdict[int, list[str]] = defaultdict(list)
        for collection, memory_id, dtype, hidden, title, *state in rows:
            values: Any = state
            listed = Listed(memory_id, dtype, hidden, title, MemoryState._make(values))
            self.documents[listed.state.document] = listed
            self.collections[collection].append(listed.state.document)
            self.of_memory[memory_id].append(listed.state.document)

    def ids(self, collection: str | None) -> Sequence[str]:
        """Documents of a collection, or all, oldest first."""
        return list(self.documents) if collection is None else list(self.collections.get(collection, ()))

    def by_memory(self, documents: Sequence[str]) -> dict[int, list[str]]:
        """Those of `documents` that there are, by the memory they are answered from."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        for document in dict.fromkeys(documents):
            if document in self.documents:
                found[self.documents[document].memory_id].append(document)
        return found

    def is_all(self, documents: Sequence[str]) -> bool:
        """Whether these are all documents there are."""
        return len(documents) >= len(self.documents) and self.documents.keys() <= set(documents)


class Catalogs:
    """The catalog of now: read anew only when the database says that something was committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._version = ""
        self._catalog: Catalog | None = None

    def now(self) -> Catalog:
        """A catalog at least as new as this call."""
        with self._lock:
            version = self._database.version()
            if self._catalog is None or version != self._version:
                with self._database.read() as connection:
                    self._catalog = Catalog(connection)
                self._version = version
            return self._catalog
